/*
 * Whatever a peer sends in the handshake, the end is the same for any cut. The
 * first octet says who we are (bit 0: a server) and whether the channel began
 * in the clear (bit 1); the rest comes from the peer.
 */
#include "fuzz.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "tls/tls_shared.h"

struct engine {
    struct onward_channel channel;
    struct onward_tls__filter *tls;
    struct onward_tls_config *config;
    const struct onward_tls_demand *demand;
    size_t plain, secured, failed, eofs;
};

static int plug(struct engine *e)
{
    return onward_tls__plug(&e->channel, e->config, e->demand, &e->tls);
}

/* In the clear, TLS begins behind the first line; a server answers it. */
static int engine_feed(void *engine, const unsigned char *data, size_t len,
                       size_t *taken)
{
    struct engine *e = engine;
    const unsigned char *end = memchr(data, '\n', len);

    if (e->tls == NULL && end != NULL) {
        int ret = 0;

        *taken = (size_t)(end - data) + 1;
        if (e->demand == NULL)
            ret = onward_channel__write(&e->channel, "220 go\r\n", 8);
        return ret < 0 ? ret : plug(e);
    }
    *taken = len;
    e->plain += e->tls != NULL ? len : 0;
    return 0;
}

static int engine_eof(void *engine, enum onward_eof kind)
{
    ((struct engine *)engine)->eofs += (size_t)kind;
    return 0;
}

static int engine_timeout(void *engine, int64_t now_ms)
{
    (void)engine, (void)now_ms;
    return 0;
}

static int engine_secured(void *engine, int status)
{
    struct engine *e = engine;

    if (status == 0)
        e->secured++;
    else
        e->failed++;
    return 0;
}

static void engine_destroy(void *engine)
{
    onward_channel__clear(&((struct engine *)engine)->channel);
}

static const struct onward_channel_ops ops = {
    .feed = engine_feed,
    .eof = engine_eof,
    .timeout = engine_timeout,
    .secured = engine_secured,
    .destroy = engine_destroy,
};

/* An identity of this run. */
static struct onward_tls_config *server_config(void)
{
    static struct onward_tls_config *config;
    gnutls_datum_t chain, key;
    gnutls_x509_privkey_t priv;
    gnutls_x509_crt_t crt;
    struct onward_str chain_pem, key_pem;
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain_pem,
                                          .key_pem = &key_pem,
                                          .identity_count = 1,
                                          .allow_tickets = 1,
                                          .ask_client =
                                              ONWARD_TLS_ASK_OPTIONAL};

    if (config != NULL)
        return config;
    FUZZ_CHECK(gnutls_x509_privkey_init(&priv) >= 0);
    FUZZ_CHECK(gnutls_x509_privkey_generate(
                   priv, GNUTLS_PK_ECDSA,
                   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_init(&crt) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_set_version(crt, 3) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_set_serial(crt, "\1", 1) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_set_key(crt, priv) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_set_activation_time(crt, 1500000000) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_set_expiration_time(crt, 1700000000) >= 0);
    FUZZ_CHECK(gnutls_x509_crt_sign2(crt, crt, priv, GNUTLS_DIG_SHA256, 0) >=
               0);
    FUZZ_CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &chain) >= 0);
    FUZZ_CHECK(gnutls_x509_privkey_export2(priv, GNUTLS_X509_FMT_PEM, &key) >=
               0);
    chain_pem = onward_core__str(chain.data, chain.size);
    key_pem = onward_core__str(key.data, key.size);
    FUZZ_CHECK(onward_tls_config_new(fuzz_ctx(), &opts, &config) == 0);
    gnutls_free(chain.data);
    gnutls_free(key.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(priv);
    return config;
}

static struct onward_tls_config *client_config(void)
{
    static struct onward_tls_config *config;
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};

    if (config == NULL)
        FUZZ_CHECK(onward_tls_config_new(fuzz_ctx(), &opts, &config) == 0);
    return config;
}

/* What must not depend on the cuts. */
struct outcome {
    enum onward_tls_failure failure;
    size_t plain, secured, failed, eofs;
    int wants;
};

static struct outcome run(const uint8_t *data, size_t size, size_t step,
                          int flags)
{
    static const struct onward_tls_demand demand = {
        .size = sizeof(demand), .level = ONWARD_TLS_ENCRYPTED};
    bool is_server = (flags & 1) != 0;
    struct engine e = {
        .config = is_server ? server_config() : client_config(),
        .demand = is_server ? NULL : &demand,
    };
    struct outcome got = {.failure = ONWARD_TLS_OK};
    size_t taken;

    onward_channel__init(&e.channel, fuzz_ctx(), NULL, &ops, &e, NULL);
    if ((flags & 2) == 0)
        FUZZ_CHECK(plug(&e) == 0);
    for (size_t at = 0; at < size; at += taken) {
        size_t len = size - at < step ? size - at : step;

        /* A client's first flight is told as soon as it is there; shown
         * between two pieces it would make the rest no longer early. */
        if ((flags & 2) == 0)
            (void)onward_channel_peek(&e.channel);
        FUZZ_CHECK(onward_channel_feed(&e.channel, data + at, len, &taken) ==
                   0);
        FUZZ_CHECK(taken == len);
    }
    FUZZ_CHECK(onward_channel_eof(&e.channel, ONWARD_EOF_CLEAN) == 0);
    FUZZ_CHECK(e.secured + e.failed <= 1);
    FUZZ_CHECK(e.plain == 0 || e.secured == 1);
    if (e.tls != NULL)
        got.failure = onward_tls__failure(e.tls);
    got.plain = e.plain;
    got.secured = e.secured;
    got.failed = e.failed;
    got.eofs = e.eofs;
    got.wants = onward_channel_wants(&e.channel);
    engine_destroy(&e);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;

    if (size == 0 || size > 70000)
        return 0;
    whole = run(data + 1, size - 1, SIZE_MAX, data[0]);
    for (size_t step = 1; step <= 7; step += 6) {
        cut = run(data + 1, size - 1, step, data[0]);
        FUZZ_CHECK(cut.failure == whole.failure && cut.wants == whole.wants);
        FUZZ_CHECK(cut.plain == whole.plain && cut.eofs == whole.eofs);
        FUZZ_CHECK(cut.secured == whole.secured && cut.failed == whole.failed);
    }
    return 0;
}
