/* The configuration, and the files that it names. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "forwarder.h"
#include "host.h"

static const char *const tls_levels[] = {"none", "opportunistic", "encrypted",
                                         "verified", NULL};

/* ---- The file ---------------------------------------------------------- */

static void fill_keys(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .is_required = true},
        {.name = "hostname",
         .type = CONFIG_TEXT,
         .value = &s->hostname,
         .is_required = true},
        {.name = "authserv_id", .type = CONFIG_TEXT, .value = &s->authserv_id},
        {.name = "rules",
         .type = CONFIG_FILE,
         .value = &s->rules,
         .is_required = true},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "resolver", .type = CONFIG_TEXT, .value = &s->resolver},
        {.name = "tls_certificate",
         .type = CONFIG_FILE,
         .value = &s->tls_certificate},
        {.name = "tls_key", .type = CONFIG_FILE, .value = &s->tls_key},
        {.name = "require_tls",
         .type = CONFIG_YES_NO,
         .value = &s->require_tls},
        {.name = "smtputf8", .type = CONFIG_YES_NO, .value = &s->smtputf8},
        {.name = "srs_domain", .type = CONFIG_TEXT, .value = &s->srs_domain},
        {.name = "srs_secret", .type = CONFIG_FILE, .value = &s->srs_secret},
        {.name = "seal_key", .type = CONFIG_FILE, .value = &s->seal_key},
        {.name = "seal_domain", .type = CONFIG_TEXT, .value = &s->seal_domain},
        {.name = "seal_selector",
         .type = CONFIG_TEXT,
         .value = &s->seal_selector},
        {.name = "trusted_sealer",
         .type = CONFIG_LIST,
         .value = &s->trusted_sealers},
        {.name = "out_port",
         .type = CONFIG_NUMBER,
         .value = &s->out_port,
         .min = 1,
         .max = 65535},
        {.name = "out_tls",
         .type = CONFIG_CHOICE,
         .value = &s->out_tls,
         .choices = tls_levels},
        {.name = "out_trust", .type = CONFIG_FILE, .value = &s->out_trust},
        {.name = "smart_host", .type = CONFIG_TEXT, .value = &s->smart_host},
        {.name = "allow_private_addresses",
         .type = CONFIG_YES_NO,
         .value = &s->allow_private_addresses},
        {.name = "allow_unauthenticated",
         .type = CONFIG_YES_NO,
         .value = &s->allow_unauthenticated},
        {.name = "enforce_dmarc",
         .type = CONFIG_YES_NO,
         .value = &s->enforce_dmarc},
        {.name = "max_message_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->max_message_bytes,
         .min = 1024,
         .max = 1073741824},
        {.name = "max_sessions",
         .type = CONFIG_NUMBER,
         .value = &s->max_sessions,
         .min = 1,
         .max = 100000},
        {.name = "drain_s",
         .type = CONFIG_NUMBER,
         .value = &s->drain_s,
         .max = 3600},
        {.name = "command_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->command_timeout_s,
         .min = 1,
         .max = 3600},
        {.name = "delivery_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->delivery_timeout_s,
         .min = 1,
         .max = 3600},
        {.name = "user", .type = CONFIG_TEXT, .value = &s->user},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) <= sizeof(s->keys), "room for all keys");
    memcpy(s->keys, keys, sizeof(keys));
    s->smtputf8 = true;
    s->enforce_dmarc = true;
    s->out_port = 25;
    s->out_tls = 1;
    s->max_message_bytes = 26214400;
    s->max_sessions = 1000;
    s->drain_s = 30;
    s->command_timeout_s = 300;
    s->delivery_timeout_s = 540;
}

/* ---- What it names ----------------------------------------------------- */

struct loader {
    struct forwarder *fwd;
    struct setup *setup;
    const char *path; /* of the configuration */
    char *fault;
    size_t fault_size;
    int status;
};

static int wrong(struct loader *l, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int wrong(struct loader *l, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->fault, l->fault_size, format, args);
    va_end(args);
    l->status = status;
    return -1;
}

/* Fault of a key of the configuration itself. */
static int wrong_key(struct loader *l, const char *key, const char *found,
                     const char *expected)
{
    size_t line = config_line(l->setup->settings.keys, key);

    return wrong(l, EXIT_CONFIG, "%s:%zu: %s \"%s\", expected %s", l->path,
                 line, key, found, expected);
}

static char *slurp(struct loader *l, const char *path, const char *what,
                   size_t *len)
{
    char *text = host_read_file(path, len);

    if (text == NULL)
        wrong(l, EXIT_UNUSABLE, "%s: %s, expected a readable %s", path,
              strerror(errno), what);
    return text;
}

static int load_rules(struct loader *l)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    const char *path = l->setup->settings.rules;
    size_t len;
    char *text = slurp(l, path, "rules file", &len);
    int err;

    if (text == NULL)
        return -1;
    err = onward_ruleset_new(l->fwd->ctx, (struct onward_str){text, len}, NULL,
                             &fault, &l->setup->ruleset);
    free(text);
    if (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT)
        return wrong(l, EXIT_CONFIG, "%s:%zu: %s%s%s", path, fault.line,
                     fault.path, fault.path[0] == '\0' ? "" : ": ", fault.text);
    return err == 0
               ? 0
               : wrong(l, EXIT_UNUSABLE, "%s: %s", path, onward_strerror(err));
}

/* Records from a file, or the resolver over libunbound that is there. */
static int load_dns(struct loader *l)
{
    struct onward_resolver_opts o = {.size = sizeof(o)};
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    const char *path = l->setup->settings.dns;
    size_t len;
    char *text;
    int err;

    o.allow_only_loaded = path != NULL;
    err = onward_resolver_new(l->fwd->desk, &o,
                              path == NULL && l->fwd->dns != NULL
                                  ? unbound_dns_host(l->fwd->dns)
                                  : NULL,
                              &l->setup->resolver);
    if (err != 0)
        return wrong(l, EXIT_UNUSABLE, "resolver: %s", onward_strerror(err));
    if (path == NULL)
        return 0;
    text = slurp(l, path, "file of DNS records", &len);
    if (text == NULL)
        return -1;
    err = onward_resolver_load(l->setup->resolver,
                               (struct onward_str){text, len}, &fault);
    free(text);
    if (err != 0)
        return wrong(l, EXIT_CONFIG, "%s:%zu: %.*s", path, fault.line,
                     (int)fault.text.len, fault.text.data);
    return 0;
}

static int load_tls(struct loader *l)
{
    struct settings *s = &l->setup->settings;
    struct onward_tls_config_opts o = {.size = sizeof(o),
                                       .role = ONWARD_TLS_CLIENT};
    struct onward_str chain = {0}, key = {0};
    char *chain_text = NULL, *key_text = NULL, *trust = NULL;
    size_t len = 0;
    int err, ret = -1;

    if (s->out_trust != NULL) {
        trust = slurp(l, s->out_trust, "PEM file", &len);
        if (trust == NULL)
            return -1;
        o.trust_pem = (struct onward_str){trust, len};
    }
    err = onward_tls_config_new(l->fwd->ctx, &o, &l->setup->tls_client);
    free(trust);
    if (err != 0)
        return wrong(l, EXIT_CONFIG, "%s: %s, expected certificates in PEM",
                     s->out_trust == NULL ? "TLS" : s->out_trust,
                     onward_strerror(err));
    if (s->tls_certificate == NULL && s->tls_key == NULL)
        return s->require_tls
                   ? wrong_key(l, "require_tls", "yes",
                               "tls_certificate and tls_key beside it")
                   : 0;
    if (s->tls_certificate == NULL || s->tls_key == NULL)
        return wrong_key(l, s->tls_key == NULL ? "tls_certificate" : "tls_key",
                         "alone", "tls_certificate and tls_key together");
    chain_text = slurp(l, s->tls_certificate, "certificate", &chain.len);
    key_text = chain_text == NULL
                   ? NULL
                   : slurp(l, s->tls_key, "private key", &key.len);
    if (key_text != NULL) {
        chain.data = chain_text;
        key.data = key_text;
        o = (struct onward_tls_config_opts){.size = sizeof(o),
                                            .role = ONWARD_TLS_SERVER,
                                            .chain_pem = &chain,
                                            .key_pem = &key,
                                            .identity_count = 1,
                                            .allow_tickets = 1};
        err = onward_tls_config_new(l->fwd->ctx, &o, &l->setup->tls_server);
        ret = err == 0 ? 0
              : err == ONWARD_ECRYPTO
                  ? wrong(l, EXIT_UNUSABLE,
                          "%s: not the key of %s, expected a pair", s->tls_key,
                          s->tls_certificate)
                  : wrong(l, EXIT_UNUSABLE,
                          "%s: %s, expected a certificate and its key in PEM",
                          s->tls_certificate, onward_strerror(err));
        explicit_bzero(key_text, key.len);
    }
    free(key_text);
    free(chain_text);
    return ret;
}

enum { SECRETS_MAX = ONWARD_SRS_SECRETS_MAX };

static int load_srs(struct loader *l)
{
    struct settings *s = &l->setup->settings;
    struct onward_srs_opts o = {.size = sizeof(o), .allow_folded_hash = 1};
    struct onward_str secrets[SECRETS_MAX];
    size_t count = 0, len;
    char *text;
    int err;

    if (s->srs_domain == NULL && s->srs_secret == NULL)
        return 0;
    if (s->srs_domain == NULL || s->srs_secret == NULL)
        return wrong_key(l, s->srs_secret == NULL ? "srs_domain" : "srs_secret",
                         "alone", "srs_domain and srs_secret together");
    text = slurp(l, s->srs_secret, "file of secrets", &len);
    if (text == NULL)
        return -1;
    for (char *line = text; line != NULL && count < SECRETS_MAX;) {
        char *end = strchr(line, '\n');
        size_t line_len = end == NULL ? strlen(line) : (size_t)(end - line);

        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (line_len > 0)
            secrets[count++] = (struct onward_str){line, line_len};
        line = end == NULL ? NULL : end + 1;
    }
    err = count == 0
              ? ONWARD_EINVAL
              : onward_srs_new(l->fwd->ctx, secrets, count, &o, &l->setup->srs);
    explicit_bzero(text, len);
    free(text);
    if (err != 0)
        return wrong(l, EXIT_CONFIG,
                     "%s:1: no usable secret, expected lines of 1 to %d octets",
                     s->srs_secret, ONWARD_SRS_SECRET_MAX);
    return 0;
}

static int load_seal(struct loader *l)
{
    struct settings *s = &l->setup->settings;
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_key *key = NULL;
    size_t len;
    char *text;
    int err;

    if (s->seal_key == NULL && s->seal_domain == NULL &&
        s->seal_selector == NULL)
        return 0;
    if (s->seal_key == NULL || s->seal_domain == NULL ||
        s->seal_selector == NULL)
        return wrong_key(l,
                         s->seal_key != NULL      ? "seal_key"
                         : s->seal_domain != NULL ? "seal_domain"
                                                  : "seal_selector",
                         "alone",
                         "seal_key, seal_domain and seal_selector together");
    text = slurp(l, s->seal_key, "private key", &len);
    if (text == NULL)
        return -1;
    err = onward_key_from_pem(l->fwd->ctx, (struct onward_str){text, len},
                              &fault, &key);
    if (err != 0) {
        size_t line = 1;

        for (size_t i = 0; i < fault.offset && i < len; i++)
            line += text[i] == '\n';
        wrong(l, EXIT_UNUSABLE, "%s:%zu: %s", s->seal_key, line,
              fault.text == NULL ? onward_strerror(err) : fault.text);
    }
    explicit_bzero(text, len);
    free(text);
    if (err != 0)
        return -1;
    err = onward_signer_new(l->fwd->desk, key, NULL, &l->setup->signer);
    onward_key_free(key);
    return err == 0
               ? 0
               : wrong(l, EXIT_UNUSABLE, "signer: %s", onward_strerror(err));
}

/* What only the file as a whole can show. */
static int check(struct loader *l)
{
    struct settings *s = &l->setup->settings;
    struct onward_ip ip;
    size_t port;

    for (size_t i = 0; i < s->listen.count; i++) {
        if (!parse_endpoint(s->listen.items[i], &ip, &port))
            return wrong_key(l, "listen", s->listen.items[i],
                             "ADDRESS:PORT, as in 192.0.2.1:25 or "
                             "[2001:db8::1]:25");
    }
    if (s->dns != NULL && s->resolver != NULL)
        return wrong_key(l, "resolver", s->resolver, "either resolver or dns");
    if (s->out_tls == 3 && s->out_trust == NULL)
        return wrong_key(l, "out_tls", "verified", "out_trust beside it");
    return 0;
}

static int load(struct loader *l)
{
    if (config_read(l->path, l->setup->settings.keys, l->fault,
                    l->fault_size) != 0) {
        l->status = EXIT_CONFIG;
        return -1;
    }
    if (check(l) != 0 || load_rules(l) != 0 || load_dns(l) != 0 ||
        load_tls(l) != 0 || load_srs(l) != 0)
        return -1;
    return load_seal(l);
}

struct setup *setup_new(struct forwarder *fwd, const char *path, char *fault,
                        size_t fault_size, int *status)
{
    struct loader l = {.fwd = fwd,
                       .setup = calloc(1, sizeof(*l.setup)),
                       .path = path,
                       .fault = fault,
                       .fault_size = fault_size,
                       .status = EXIT_UNUSABLE};

    if (l.setup == NULL) {
        wrong(&l, EXIT_UNUSABLE, "out of memory");
        *status = l.status;
        return NULL;
    }
    fill_keys(&l.setup->settings);
    if (load(&l) == 0)
        return l.setup;
    *status = l.status;
    setup_free(l.setup);
    return NULL;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL)
        return;
    onward_signer_free(setup->signer);
    onward_srs_free(setup->srs);
    onward_tls_config_free(setup->tls_server);
    onward_tls_config_free(setup->tls_client);
    onward_resolver_free(setup->resolver);
    onward_ruleset_free(setup->ruleset);
    config_clear(setup->settings.keys);
    free(setup);
}
