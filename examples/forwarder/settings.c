/* The configuration, and the files that it names. */
#define _GNU_SOURCE
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "forwarder.h"
#include "host.h"
#include "load.h"

enum { TLS_VERIFIED = 3 }; /* of these */

static const char *const tls_levels[] = {"none", "opportunistic", "encrypted",
                                         "verified", NULL};

/* ---- Values ------------------------------------------------------------ */

static const char *judge_listen(const char *value)
{
    struct onward_ip ip;
    size_t port;

    return parse_endpoint(value, &ip, &port)
               ? NULL
               : "ADDRESS:PORT, as in 192.0.2.1:25 or [2001:db8::1]:25";
}

/* "192.0.2.53", "::1@5353": as libunbound reads it. */
static const char *judge_dmarc_reject(const char *value)
{
    if (strcmp(value, "service") == 0 || strcmp(value, "rfc9989") == 0 ||
        strcmp(value, "never") == 0)
        return NULL;
    return "service, rfc9989 or never";
}

static const char *judge_resolver(const char *value)
{
    const char *at = strchr(value, '@');
    size_t len = at == NULL ? strlen(value) : (size_t)(at - value);
    struct onward_ip ip;

    if (onward_ip_parse((struct onward_str){value, len}, &ip) != 0 ||
        (at != NULL && (at[1] == '\0' || strlen(at) > 6 ||
                        at[1 + strspn(at + 1, "0123456789")] != '\0')))
        return "an IP address, with @PORT behind it if that is not 53";
    return NULL;
}

static const char *judge_smart_host(const char *value)
{
    size_t len = strlen(value);
    struct onward_ip ip;

    if (config_host_name(value) == NULL &&
        onward_ip_parse(onward_str_of(value), &ip) != 0)
        return NULL;
    if (len > 2 && value[0] == '[' && value[len - 1] == ']') {
        size_t skip = strncasecmp(value, "[IPv6:", 6) == 0 ? 6 : 1;

        if (onward_ip_parse((struct onward_str){value + skip, len - skip - 1},
                            &ip) == 0 &&
            (ip.family == 6) == (skip == 6))
            return NULL;
    }
    return "a host name, or an address as in [192.0.2.1] or [IPv6:2001:db8::1]";
}

static const char *judge_authserv_id(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value <= ' ' || *value > '~' ||
            strchr("()<>@,;:\\\"/[]?=", *value))
            return "a name without spaces, as in mx.example.com";
    }
    return NULL;
}

static const char *judge_selector(const char *value)
{
    return config_host_name(value) == NULL
               ? NULL
               : "a selector: letters, digits and hyphens, with dots between";
}

static const char *judge_user(const char *value)
{
    return getpwnam(value) != NULL ? NULL : "a user of this machine";
}

/* ---- The file ---------------------------------------------------------- */

static void fill_keys(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .judge = judge_listen,
         .is_required = true},
        {.name = "hostname",
         .type = CONFIG_TEXT,
         .value = &s->hostname,
         .judge = config_host_name,
         .is_required = true},
        {.name = "authserv_id",
         .type = CONFIG_TEXT,
         .value = &s->authserv_id,
         .judge = judge_authserv_id},
        {.name = "rules",
         .type = CONFIG_FILE,
         .value = &s->rules,
         .is_required = true},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "resolver",
         .type = CONFIG_TEXT,
         .value = &s->resolver,
         .judge = judge_resolver},
        {.name = "tls_certificate",
         .type = CONFIG_FILE,
         .value = &s->tls_certificate},
        {.name = "tls_key", .type = CONFIG_FILE, .value = &s->tls_key},
        {.name = "require_tls",
         .type = CONFIG_YES_NO,
         .value = &s->require_tls},
        {.name = "smtputf8", .type = CONFIG_YES_NO, .value = &s->smtputf8},
        {.name = "srs_domain",
         .type = CONFIG_TEXT,
         .value = &s->srs_domain,
         .judge = config_host_name},
        {.name = "srs_secret", .type = CONFIG_FILE, .value = &s->srs_secret},
        {.name = "seal_key", .type = CONFIG_FILE, .value = &s->seal_key},
        {.name = "seal_domain",
         .type = CONFIG_TEXT,
         .value = &s->seal_domain,
         .judge = config_host_name},
        {.name = "seal_selector",
         .type = CONFIG_TEXT,
         .value = &s->seal_selector,
         .judge = judge_selector},
        {.name = "trusted_sealer",
         .type = CONFIG_LIST,
         .value = &s->trusted_sealers,
         .judge = config_host_name},
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
        {.name = "smart_host",
         .type = CONFIG_TEXT,
         .value = &s->smart_host,
         .judge = judge_smart_host},
        {.name = "allow_private_addresses",
         .type = CONFIG_YES_NO,
         .value = &s->allow_private_addresses},
        {.name = "allow_unauthenticated",
         .type = CONFIG_YES_NO,
         .value = &s->allow_unauthenticated},
        {.name = "dmarc_reject",
         .type = CONFIG_TEXT,
         .value = &s->dmarc_reject,
         .judge = judge_dmarc_reject},
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
        {.name = "message_memory_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->message_memory_bytes,
         .min = 1048576,
         .max = 1099511627776},
        {.name = "ledger_entries",
         .type = CONFIG_NUMBER,
         .value = &s->ledger_entries,
         .min = 1000,
         .max = 100000000},
        {.name = "ledger_life_s",
         .type = CONFIG_NUMBER,
         .value = &s->ledger_life_s,
         .min = 60,
         .max = 2592000},
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
        {.name = "user",
         .type = CONFIG_TEXT,
         .value = &s->user,
         .judge = judge_user},
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
    s->message_memory_bytes = 1073741824;
    s->ledger_entries = 500000;
    s->ledger_life_s = 432000;
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

static char *slurp(struct loader *l, int status, const char *path, size_t *len)
{
    char *text = host_read_file(path, len);

    if (text == NULL)
        wrong(l, status, "%s: %s, expected a readable file", path,
              strerror(errno));
    return text;
}

static int set_rules(struct loader *l)
{
    struct load_fault fault;

    l->setup->ruleset =
        load_rules(l->fwd->ctx, l->setup->settings.rules, &fault);
    return l->setup->ruleset == NULL ? wrong(l, EXIT_CONFIG, "%s", fault.text)
                                     : 0;
}

static void dns_ready(struct loop_watch *watch, uint32_t events)
{
    struct setup *setup =
        (struct setup *)(void *)((char *)watch -
                                 offsetof(struct setup, dns_watch));

    (void)events;
    unbound_dns_ready(setup->dns);
}

static int start_unbound(struct loader *l)
{
    struct setup *setup = l->setup;

    setup->dns = unbound_dns_new(l->fwd->desk, setup->settings.resolver);
    if (setup->dns == NULL)
        return wrong(l, EXIT_UNUSABLE, "libunbound cannot be used");
    setup->dns_watch.fd = unbound_dns_fd(setup->dns);
    setup->dns_watch.ready = dns_ready;
    if (loop_add(l->fwd->loop, &setup->dns_watch, EPOLLIN) != 0) {
        setup->dns_watch.fd = -1;
        return wrong(l, EXIT_UNUSABLE, "libunbound: %s", strerror(errno));
    }
    return 0;
}

/* Records from a file and nothing else, or libunbound. */
static int set_dns(struct loader *l)
{
    struct setup *setup = l->setup;
    const char *path = setup->settings.dns;
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = path != NULL};
    struct load_fault fault;
    int err;

    if (path == NULL && start_unbound(l) != 0)
        return -1;
    err = onward_resolver_new(l->fwd->desk, &o,
                              setup->dns == NULL ? NULL
                                                 : unbound_dns_host(setup->dns),
                              &setup->resolver);
    if (err != 0)
        return wrong(l, EXIT_UNUSABLE, "resolver: %s", onward_strerror(err));
    if (path != NULL && load_records(setup->resolver, path, &fault) != 0)
        return wrong(l, EXIT_CONFIG, "%s", fault.text);
    return 0;
}

/* A configuration for clients that trusts what the file has; NULL: nobody. */
static int trust(struct loader *l, int status, const char *path,
                 struct onward_tls_config **config)
{
    struct onward_tls_config_opts o = {.size = sizeof(o),
                                       .role = ONWARD_TLS_CLIENT};
    char *text = NULL;
    int err;

    if (path != NULL) {
        text = slurp(l, status, path, &o.trust_pem.len);
        if (text == NULL)
            return -1;
        o.trust_pem.data = text;
        if (strstr(text, "-----BEGIN") == NULL) {
            free(text);
            return wrong(l, status, "%s:1: no PEM, expected certificates in it",
                         path);
        }
    }
    err = onward_tls_config_new(l->fwd->ctx, &o, config);
    free(text);
    if (err == ONWARD_ESYNTAX)
        return wrong(l, status,
                     "%s: no readable certificate, expected certificates in "
                     "PEM",
                     path);
    return err == 0 ? 0
                    : wrong(l, EXIT_UNUSABLE, "TLS: %s", onward_strerror(err));
}

static int set_identity(struct loader *l, struct onward_str *chain,
                        struct onward_str *key)
{
    const struct settings *s = &l->setup->settings;
    const struct onward_tls_config_opts o = {.size = sizeof(o),
                                             .role = ONWARD_TLS_SERVER,
                                             .chain_pem = chain,
                                             .key_pem = key,
                                             .identity_count = 1,
                                             .allow_tickets = 1};
    int err = onward_tls_config_new(l->fwd->ctx, &o, &l->setup->tls_server);

    if (err == ONWARD_ESYNTAX)
        return wrong(l, EXIT_UNUSABLE,
                     "%s: no readable key, expected a private key in PEM "
                     "without a password",
                     s->tls_key);
    if (err == ONWARD_ECRYPTO)
        return wrong(l, EXIT_UNUSABLE,
                     "%s: another key, expected that of the certificate %s",
                     s->tls_key, s->tls_certificate);
    return err == 0 ? 0
                    : wrong(l, EXIT_UNUSABLE, "TLS: %s", onward_strerror(err));
}

static int set_tls(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    struct onward_tls_config *probe = NULL;
    struct onward_str chain = {0}, key = {0};
    char *chain_text, *key_text;
    int ret = -1;

    if (trust(l, EXIT_CONFIG, s->out_trust, &l->setup->tls_client) != 0)
        return -1;
    if (s->tls_certificate == NULL)
        return 0;
    /* Alone first: that tells a bad certificate from a bad key. */
    if (trust(l, EXIT_UNUSABLE, s->tls_certificate, &probe) != 0)
        return -1;
    onward_tls_config_free(probe);
    chain_text = slurp(l, EXIT_UNUSABLE, s->tls_certificate, &chain.len);
    key_text = slurp(l, EXIT_UNUSABLE, s->tls_key, &key.len);
    if (chain_text != NULL && key_text != NULL) {
        chain.data = chain_text;
        key.data = key_text;
        ret = set_identity(l, &chain, &key);
    }
    if (key_text != NULL)
        explicit_bzero(key_text, key.len);
    free(key_text);
    free(chain_text);
    return ret;
}

static int set_srs(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    const struct onward_srs_opts o = {.size = sizeof(o),
                                      .allow_folded_hash = 1};
    struct load_fault fault;

    if (s->srs_secret == NULL)
        return 0;
    l->setup->srs = load_srs(l->fwd->ctx, s->srs_secret, &o, &fault);
    return l->setup->srs == NULL ? wrong(l, EXIT_UNUSABLE, "%s", fault.text)
                                 : 0;
}

static int set_seal(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    struct load_fault fault;
    struct onward_key *key;
    int err;

    if (s->seal_key == NULL)
        return 0;
    key = load_key(l->fwd->ctx, s->seal_key, &fault);
    if (key == NULL)
        return wrong(l, EXIT_UNUSABLE, "%s", fault.text);
    err = onward_signer_new(l->fwd->desk, key, NULL, &l->setup->signer);
    onward_key_free(key);
    return err == 0
               ? 0
               : wrong(l, EXIT_UNUSABLE, "signer: %s", onward_strerror(err));
}

/* Keys that mean nothing without each other; the last is NULL. */
static int check_together(struct loader *l, const char *const *names,
                          const char *expected)
{
    const struct config_key *keys = l->setup->settings.keys;
    const char *there = NULL;
    bool is_whole = true;

    for (; *names != NULL; names++) {
        if (config_line(keys, *names) == 0)
            is_whole = false;
        else if (there == NULL)
            there = *names;
    }
    if (there == NULL || is_whole)
        return 0;
    return wrong(l, EXIT_CONFIG, "%s:%zu: %s alone, expected %s", l->path,
                 config_line(keys, there), there, expected);
}

/* What only the file as a whole can show. */
static int check(struct loader *l)
{
    static const char *const tls[] = {"tls_certificate", "tls_key", NULL};
    static const char *const srs[] = {"srs_domain", "srs_secret", NULL};
    static const char *const seal[] = {"seal_key", "seal_domain",
                                       "seal_selector", NULL};
    const struct settings *s = &l->setup->settings;

    if (check_together(l, tls, "tls_certificate and tls_key") != 0 ||
        check_together(l, srs, "srs_domain and srs_secret") != 0 ||
        check_together(l, seal, "seal_key, seal_domain and seal_selector") != 0)
        return -1;
    if (s->require_tls && s->tls_certificate == NULL)
        return wrong_key(l, "require_tls", "yes", "tls_certificate beside it");
    if (s->dns != NULL && s->resolver != NULL)
        return wrong_key(l, "resolver", s->resolver, "either resolver or dns");
    if (s->out_tls == TLS_VERIFIED && s->out_trust == NULL)
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
    if (check(l) != 0 || set_rules(l) != 0 || set_dns(l) != 0 ||
        set_tls(l) != 0 || set_srs(l) != 0)
        return -1;
    return set_seal(l);
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
    l.setup->owners = 1;
    l.setup->loop = fwd->loop;
    l.setup->dns_watch.fd = -1;
    fill_keys(&l.setup->settings);
    if (load(&l) == 0)
        return l.setup;
    *status = l.status;
    setup_free(l.setup);
    return NULL;
}

struct setup *setup_ref(struct setup *setup)
{
    setup->owners++;
    return setup;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL || --setup->owners > 0)
        return;
    onward_signer_free(setup->signer);
    onward_srs_free(setup->srs);
    onward_tls_config_free(setup->tls_server);
    onward_tls_config_free(setup->tls_client);
    onward_resolver_free(setup->resolver);
    onward_ruleset_free(setup->ruleset);
    if (setup->dns_watch.fd >= 0)
        loop_remove(setup->loop, &setup->dns_watch);
    unbound_dns_free(setup->dns);
    config_clear(setup->settings.keys);
    free(setup);
}
