/* What the configuration names, loaded: rules, records, keys, certificates. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dkim.h"
#include "forwarder.h"
#include "host.h"
#include "load.h"
#include "sending.h"
#include "webhook.h"

struct loader {
    struct forwarder *fwd;
    struct setup *setup;
    const char *path; /* of the configuration */
    struct config_fault fault;
};

/* Fault of a key of the configuration itself. */
static int wrong_key(struct loader *l, const char *key, const char *found,
                     const char *expected)
{
    size_t line = config_line(l->setup->settings.keys, key);

    return config_wrong(&l->fault, EXIT_CONFIG,
                        "%s:%zu: %s \"%s\", expected %s", l->path, line, key,
                        found, expected);
}

static char *slurp(struct loader *l, int status, const char *path, size_t *len)
{
    char *text = host_read_file(path, len);

    if (text == NULL)
        config_wrong(&l->fault, status, "%s: %s, expected a readable file",
                     path, strerror(errno));
    return text;
}

static int set_rules(struct loader *l)
{
    struct load_fault fault;

    l->setup->rules_file = watch_identify(l->setup->settings.rules);
    l->setup->ruleset =
        load_rules(l->fwd->ctx, l->setup->settings.rules, &fault);
    return l->setup->ruleset == NULL
               ? config_wrong(&l->fault, EXIT_CONFIG, "%s", fault.text)
               : 0;
}

/* Records from a file and nothing else, or libunbound. */
static int set_dns(struct loader *l)
{
    struct setup *setup = l->setup;
    const struct resolve_opts o = {.records = setup->settings.dns,
                                   .server = setup->settings.resolver,
                                   .anchor = setup->settings.resolver_anchor};
    int err = resolve_open(&setup->names, l->fwd->desk, l->fwd->loop, &o,
                           l->fault.text, l->fault.size);

    setup->resolver = setup->names.resolver;
    l->fault.status = err == RESOLVE_WRONG ? EXIT_CONFIG : EXIT_UNUSABLE;
    return err == 0 ? 0 : -1;
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
            return config_wrong(&l->fault, status,
                                "%s:1: no PEM, expected certificates in it",
                                path);
        }
    }
    err = onward_tls_config_new(l->fwd->ctx, &o, config);
    free(text);
    if (err == ONWARD_ESYNTAX)
        return config_wrong(
            &l->fault, status,
            "%s: no readable certificate, expected certificates in "
            "PEM",
            path);
    return err == 0 ? 0
                    : config_wrong(&l->fault, EXIT_UNUSABLE, "TLS: %s",
                                   onward_strerror(err));
}

/* Where systems keep the authorities of the Web; NULL: this one does not. */
static const char *system_trust(void)
{
    static const char *const paths[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    }
    return NULL;
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
        return config_wrong(
            &l->fault, EXIT_UNUSABLE,
            "%s: no readable key, expected a private key in PEM "
            "without a password",
            s->tls_key);
    if (err == ONWARD_ECRYPTO)
        return config_wrong(
            &l->fault, EXIT_UNUSABLE,
            "%s: another key, expected that of the certificate %s", s->tls_key,
            s->tls_certificate);
    return err == 0 ? 0
                    : config_wrong(&l->fault, EXIT_UNUSABLE, "TLS: %s",
                                   onward_strerror(err));
}

static int set_tls(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    struct onward_tls_config *probe = NULL;
    struct onward_str chain = {0}, key = {0};
    char *chain_text, *key_text;
    int ret = -1;

    if (trust(l, EXIT_CONFIG,
              s->out_trust != NULL ? s->out_trust : system_trust(),
              &l->setup->tls_client) != 0)
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
    const struct onward_srs_opts o = {
        .size = sizeof(o),
        .hash_len = s->srs_hash_length,
        .hash_min = s->srs_hash_min,
        .max_age_days = s->srs_max_age_days,
        .separator = (size_t)settings_separators[s->srs_separator],
        .always_rewrite = s->srs_always,
        .allow_folded_hash = s->srs_folded_hash,
        .hash = s->srs_hash,
        .refuse_sha1 = s->srs_refuse_sha1};
    struct load_fault fault;

    if (s->srs_secret == NULL)
        return 0;
    l->setup->srs = load_srs(l->fwd->ctx, s->srs_secret, &o, &fault);
    return l->setup->srs == NULL
               ? config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text)
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
        return config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text);
    err = onward_signer_new(l->fwd->desk, key, NULL, &l->setup->signer);
    onward_key_free(key);
    return err == 0 ? 0
                    : config_wrong(&l->fault, EXIT_UNUSABLE, "signer: %s",
                                   onward_strerror(err));
}

static int set_dkim(struct loader *l)
{
    const struct settings *s = &l->setup->settings;

    if (dkim_open(l->fwd, l->setup, l->fault.text, l->fault.size) != 0)
        return -1;
    if (s->dkim_domain != NULL && !dkim_has(l->setup->dkim, s->dkim_domain))
        return wrong_key(l, "dkim_domain", s->dkim_domain,
                         "a domain with a dkim_key");
    return 0;
}

/* What is given out as an address of ours has to work as one. */
static int check_reverse(struct loader *l)
{
    const struct settings *s = &l->setup->settings;

    for (size_t i = 0; i < s->reverse_aliases.count; i++) {
        const char *domain = s->reverse_aliases.items[i];

        if (s->token_secret == NULL)
            return wrong_key(l, "reverse_alias", domain,
                             "token_secret beside it");
        if (!dkim_signs_for(l->setup, domain))
            return wrong_key(l, "reverse_alias", domain,
                             "a domain that a dkim_key signs for");
        if (s->spool == NULL && s->store != NULL &&
            strcmp(s->store, "memory") == 0)
            return wrong_key(l, "reverse_alias", domain,
                             "spool = DIR beside it");
    }
    return 0;
}

static int set_tokens(struct loader *l)
{
    const char *path = l->setup->settings.token_secret;
    struct load_fault fault;

    if (path != NULL) {
        l->setup->minter = load_minter(l->fwd->ctx, path, &fault);
        if (l->setup->minter == NULL)
            return config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text);
    }
    return check_reverse(l);
}

static int set_sending(struct loader *l)
{
    const char *item = NULL, *expected = NULL;

    return sending_open(l->fwd, l->setup, &item, &expected) == 0
               ? 0
               : wrong_key(l, "handler_send", item, expected);
}

static int set_webhooks(struct loader *l)
{
    l->setup->webhook_config =
        webhook_config_new(&l->setup->settings, l->fault.text, l->fault.size);
    return l->setup->webhook_config == NULL ? -1 : 0;
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
    return config_wrong(&l->fault, EXIT_CONFIG, "%s:%zu: %s alone, expected %s",
                        l->path, config_line(keys, there), there, expected);
}

/* The signature of a report has to be of its author's domain (RFC 8460
 * section 3), or of one above it. */
static bool is_signed_by_us(const struct settings *s)
{
    const char *domain = strrchr(s->tls_report_contact, '@') + 1;
    size_t len = strlen(domain);
    size_t ours = s->seal_domain == NULL ? 0 : strlen(s->seal_domain);

    if (ours == 0 || len < ours ||
        strcasecmp(domain + len - ours, s->seal_domain) != 0)
        return false;
    return len == ours || domain[len - ours - 1] == '.';
}

static int check_srs(struct loader *l)
{
    static const char *const names[] = {
        "srs_hash",         "srs_hash_length", "srs_hash_min",
        "srs_max_age_days", "srs_separator",   "srs_always_rewrite",
        "srs_refuse_sha1",  "srs_folded_hash", "srs_overflow",
        "srs_sink",         "srs_senders"};
    const struct settings *s = &l->setup->settings;
    const size_t length = s->srs_hash_length == 0 ? 4 : s->srs_hash_length;
    const bool has_sink = s->srs_overflow == ONWARD_RELAY_OVERFLOW_SINK;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t line = config_line(s->keys, names[i]);

        if (line != 0 && s->srs_secret == NULL)
            return config_wrong(
                &l->fault, EXIT_CONFIG,
                "%s:%zu: %s alone, expected srs_secret beside it", l->path,
                line, names[i]);
    }
    if (s->srs_hash_min > length)
        return config_wrong(&l->fault, EXIT_CONFIG,
                            "%s:%zu: srs_hash_min %zu, expected at most the "
                            "srs_hash_length of %zu",
                            l->path, config_line(s->keys, "srs_hash_min"),
                            s->srs_hash_min, length);
    if (has_sink && s->srs_sink == NULL)
        return wrong_key(l, "srs_overflow", "sink", "srs_sink beside it");
    if (!has_sink && s->srs_sink != NULL)
        return wrong_key(l, "srs_sink", s->srs_sink,
                         "srs_overflow = sink beside it");
    return 0;
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
        check_together(l, seal, "seal_key, seal_domain and seal_selector") !=
            0 ||
        check_srs(l) != 0)
        return -1;
    if (s->tls_report_contact != NULL && !is_signed_by_us(s))
        return wrong_key(l, "tls_report_contact", s->tls_report_contact,
                         "an address in seal_domain, which signs the reports");
    if (s->require_tls && s->tls_certificate == NULL)
        return wrong_key(l, "require_tls", "yes", "tls_certificate beside it");
    if (s->dns != NULL && s->resolver != NULL)
        return wrong_key(l, "resolver", s->resolver, "either resolver or dns");
    if (s->dns != NULL && s->resolver_anchor != NULL)
        return wrong_key(l, "resolver_anchor", s->resolver_anchor,
                         "either resolver_anchor or dns");
    if (s->relay == RELAY_SPOOL && s->spool == NULL && s->store != NULL &&
        strcmp(s->store, "memory") == 0)
        return wrong_key(l, "relay", "spool", "spool = DIR beside it");
    if (s->out_tls == TLS_VERIFIED && s->out_trust == NULL)
        return wrong_key(l, "out_tls", "verified", "out_trust beside it");
    return 0;
}

static int load(struct loader *l)
{
    if (config_read(l->path, l->setup->settings.keys, l->fault.text,
                    l->fault.size) != 0) {
        l->fault.status = EXIT_CONFIG;
        return -1;
    }
    if (check(l) != 0 || set_rules(l) != 0 || set_dns(l) != 0 ||
        set_tls(l) != 0 || set_srs(l) != 0 || set_webhooks(l) != 0)
        return -1;
    if (set_seal(l) != 0 || set_dkim(l) != 0 || set_tokens(l) != 0)
        return -1;
    return set_sending(l);
}

struct setup *setup_new(struct forwarder *fwd, const char *path, char *fault,
                        size_t fault_size, int *status)
{
    struct loader l = {.fwd = fwd,
                       .setup = calloc(1, sizeof(*l.setup)),
                       .path = path,
                       .fault = {fault, fault_size, EXIT_UNUSABLE}};

    if (l.setup == NULL) {
        config_wrong(&l.fault, EXIT_UNUSABLE, "out of memory");
        *status = l.fault.status;
        return NULL;
    }
    l.setup->owners = 1;
    settings_begin(&l.setup->settings);
    if (load(&l) == 0)
        return l.setup;
    *status = l.fault.status;
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
    policies_close(setup->policies);
    webhook_config_free(setup->webhook_config);
    onward_signer_free(setup->signer);
    dkim_close(setup->dkim);
    sending_close(setup->sendings);
    onward_token_minter_free(setup->minter);
    onward_srs_free(setup->srs);
    onward_tls_config_free(setup->tls_server);
    onward_tls_config_free(setup->tls_client);
    resolve_close(&setup->names);
    onward_ruleset_free(setup->ruleset);
    config_clear(setup->settings.keys);
    free(setup);
}
