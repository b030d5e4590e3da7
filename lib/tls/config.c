/*
 * A TLS configuration: identities, trust anchors and settings, read once and
 * then only looked at. GnuTLS may share credentials and priorities between
 * threads as long as nobody changes them.
 */
#include "tls/tls_priv.h"

enum {
    ALPN_MAX = 16,
    ALPN_NAME_MAX = 255, /* RFC 7301 section 3.1 */
    PRIORITY_MAX = 4096,
    TICKET_KEY_LEN = 64, /* GnuTLS's master key */
    CONFIG_ARENA_MAX = 65536
};

/* RFC 9325 sections 3.1.1 and 4.1: no old version, no static RSA. Beyond that
 * mail takes what it gets: the alternative is often no TLS at all. */
static const char default_priority[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA";

static int config_error(const struct onward_tls_config *config,
                        const char *code, int gnutls_error)
{
    const char *text = gnutls_strerror(gnutls_error);

    onward_core__log(config->ctx, ONWARD_LOG_ERROR, "tls", code, config->log_id,
                     onward_str_of(text));
    if (gnutls_error == GNUTLS_E_MEMORY_ERROR)
        return ONWARD_ENOMEM;
    return gnutls_error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? ONWARD_ECRYPTO
                                                             : ONWARD_ESYNTAX;
}

/* GnuTLS counts octets in an unsigned int, and does not write to its input. */
static int to_datum(struct onward_str s, gnutls_datum_t *datum)
{
    if (s.len > UINT32_MAX || s.len == 0)
        return ONWARD_ESYNTAX;
    datum->data = (unsigned char *)(uintptr_t)s.data;
    datum->size = (unsigned)s.len;
    return 0;
}

/* Every version that a priority string allows is TLS 1.2 or later. */
static bool is_modern(gnutls_priority_t priority)
{
    const unsigned *versions;
    int count = gnutls_priority_protocol_list(priority, &versions);

    for (int i = 0; i < count; i++) {
        if (versions[i] != GNUTLS_TLS1_2 && versions[i] != GNUTLS_TLS1_3)
            return false;
    }
    return count > 0;
}

static int load_priority(struct onward_tls_config *config,
                         struct onward_str given)
{
    const char *text = default_priority;
    char *copy;
    int ret;

    if (given.len > PRIORITY_MAX)
        return ONWARD_EINVAL;
    if (given.len > 0) {
        copy = onward_core__arena_alloc(&config->arena, given.len + 1);
        if (copy == NULL)
            return ONWARD_ENOMEM;
        memcpy(copy, given.data, given.len);
        text = copy;
    }
    ret = gnutls_priority_init(&config->priority, text, NULL);
    if (ret < 0) {
        ret = config_error(config, "bad-priority", ret);
        return ret == ONWARD_ENOMEM ? ret : ONWARD_EINVAL;
    }
    return is_modern(config->priority) ? 0 : ONWARD_EINVAL;
}

/* Read the chain, and note when its first certificate ends. */
static int note_expiry(struct onward_tls_config *config,
                       const gnutls_datum_t *chain)
{
    gnutls_x509_crt_t *list;
    unsigned count;
    int ret = gnutls_x509_crt_list_import2(&list, &count, chain,
                                           GNUTLS_X509_FMT_PEM, 0);

    if (ret < 0)
        return config_error(config, "bad-chain", ret);
    for (unsigned i = 0; i < count; i++) {
        int64_t at = (int64_t)gnutls_x509_crt_get_expiration_time(list[i]);

        if (at >= 0 && at < config->expires_s)
            config->expires_s = at;
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return 0;
}

static int load_identities(struct onward_tls_config *config,
                           const struct onward_tls_config_opts *opts)
{
    gnutls_datum_t chain, key;
    int ret;

    for (size_t i = 0; i < opts->identity_count; i++) {
        if (to_datum(opts->chain_pem[i], &chain) < 0 ||
            to_datum(opts->key_pem[i], &key) < 0)
            return config_error(config, "no-identity",
                                GNUTLS_E_NO_CERTIFICATE_FOUND);
        /* This comes first because the next step leaks in GnuTLS 3.7.9 when
         * the chain cannot be read. */
        ret = note_expiry(config, &chain);
        if (ret < 0)
            return ret;
        ret = gnutls_certificate_set_x509_key_mem2(
            config->cred, &chain, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (ret < 0)
            return config_error(config, "bad-identity", ret);
    }
    return 0;
}

static int load_trust(struct onward_tls_config *config, struct onward_str pem)
{
    gnutls_datum_t datum;
    int ret;

    if (pem.len == 0)
        return 0;
    ret = to_datum(pem, &datum);
    if (ret < 0)
        return ret;
    ret = gnutls_certificate_set_x509_trust_mem(config->cred, &datum,
                                                GNUTLS_X509_FMT_PEM);
    /* It counts what it could read, and takes text without any for 0. */
    if (ret == 0)
        ret = GNUTLS_E_NO_CERTIFICATE_FOUND;
    return ret < 0 ? config_error(config, "bad-trust", ret) : 0;
}

static int load_alpn(struct onward_tls_config *config,
                     const struct onward_tls_config_opts *opts)
{
    struct onward_str copy;
    int ret;

    if (opts->alpn_count == 0)
        return 0;
    config->alpn = onward_core__arena_array(&config->arena, opts->alpn_count,
                                            sizeof(*config->alpn));
    if (config->alpn == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < opts->alpn_count; i++) {
        ret = onward_core__arena_dup(&config->arena, opts->alpn[i], &copy);
        if (ret < 0)
            return ret;
        if (copy.len > ALPN_NAME_MAX || to_datum(copy, &config->alpn[i]) < 0)
            return ONWARD_EINVAL;
    }
    config->alpn_count = opts->alpn_count;
    return 0;
}

static int check_opts(const struct onward_tls_config_opts *opts)
{
    if (opts->role != ONWARD_TLS_SERVER && opts->role != ONWARD_TLS_CLIENT)
        return ONWARD_EINVAL;
    if (opts->role == ONWARD_TLS_SERVER && opts->identity_count == 0)
        return ONWARD_EINVAL;
    if (opts->identity_count > 0 &&
        (opts->chain_pem == NULL || opts->key_pem == NULL))
        return ONWARD_EINVAL;
    if (opts->alpn_count > ALPN_MAX ||
        (opts->alpn_count > 0 && opts->alpn == NULL))
        return ONWARD_EINVAL;
    if (opts->ticket_key.len != 0 &&
        (opts->ticket_key.len != TICKET_KEY_LEN || opts->allow_tickets == 0))
        return ONWARD_EINVAL;
    if (opts->ask_client > ONWARD_TLS_ASK_REQUIRED || opts->reserved != 0)
        return ONWARD_EINVAL;
    return 0;
}

/* GnuTLS derives the keys in use from it, by time. */
static int load_ticket_key(struct onward_tls_config *config,
                           struct onward_str given)
{
    if (given.len == 0)
        return gnutls_session_ticket_key_generate(&config->ticket_key) < 0
                   ? ONWARD_ECRYPTO
                   : 0;
    config->ticket_key.data = gnutls_malloc(given.len);
    if (config->ticket_key.data == NULL)
        return ONWARD_ENOMEM;
    memcpy(config->ticket_key.data, given.data, given.len);
    config->ticket_key.size = (unsigned)given.len;
    return 0;
}

static int config_load(struct onward_tls_config *config,
                       const struct onward_tls_config_opts *opts)
{
    int ret;

    if (gnutls_certificate_allocate_credentials(&config->cred) < 0)
        return ONWARD_ENOMEM;
    gnutls_certificate_set_verify_function(config->cred,
                                           onward_tls__verify_callback);
    ret = load_priority(config, opts->priority);
    if (ret == 0)
        ret = load_identities(config, opts);
    if (ret == 0)
        ret = load_trust(config, opts->trust_pem);
    if (ret == 0)
        ret = load_alpn(config, opts);
    if (ret == 0 && config->is_server && opts->allow_tickets != 0)
        ret = load_ticket_key(config, opts->ticket_key);
    return ret;
}

int onward_tls_config_new(struct onward_ctx *ctx,
                          const struct onward_tls_config_opts *opts,
                          struct onward_tls_config **config)
{
    struct onward_tls_config_opts own;
    struct onward_tls_config *made;
    int ret;

    if (ctx == NULL || opts == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&own, sizeof(own), opts);
    if (ret == 0)
        ret = check_opts(&own);
    if (ret < 0)
        return ret;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    atomic_init(&made->refs, 1);
    made->ctx = onward_ctx_ref(ctx);
    made->log_id = own.log_id;
    made->is_server = own.role == ONWARD_TLS_SERVER;
    made->ask_client = (enum onward_tls_ask)own.ask_client;
    made->expires_s = INT64_MAX;
    onward_core__arena_init(&made->arena, ctx, CONFIG_ARENA_MAX);
    ret = config_load(made, &own);
    if (ret < 0) {
        onward_tls_config_free(made);
        return ret;
    }
    *config = made;
    return 0;
}

struct onward_tls_config *
onward_tls_config_ref(struct onward_tls_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void onward_tls_config_free(struct onward_tls_config *config)
{
    struct onward_ctx *ctx;

    if (config == NULL ||
        atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = config->ctx;
    if (config->cred != NULL)
        gnutls_certificate_free_credentials(config->cred);
    if (config->priority != NULL)
        gnutls_priority_deinit(config->priority);
    if (config->ticket_key.data != NULL) {
        onward_core__wipe(config->ticket_key.data, config->ticket_key.size);
        gnutls_free(config->ticket_key.data);
    }
    onward_core__arena_clear(&config->arena);
    onward_core__free(ctx, config);
    onward_ctx_free(ctx);
}

int64_t onward_tls_config_expires_s(const struct onward_tls_config *config)
{
    return config->expires_s;
}

bool onward_tls__config_is_server(const struct onward_tls_config *config)
{
    return config->is_server;
}
