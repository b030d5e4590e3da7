/*
 * A126: keys and secrets are wiped when they are freed. Every block that the
 * library gives back is kept, and at the end no sixteen octets in a row of a
 * secret may be in any of them: not in the key, and not in what was made on
 * the way there. (What Nettle, GMP and GnuTLS hold is theirs:
 * doc/dependencies.md.)
 */
#include <onward/srs.h>
#include <onward/tls.h>

#include "key/key_priv.h"
#include "key/key_shared.h"
#include "support/certs.h"
#include "support/support.h"

#define RUN 16

/* Blocks given back, one after the other. */
struct heap {
    uint8_t *data;
    size_t len, cap;
    size_t largest;        /* block since the last heap_forget() */
    bool largest_is_zeros; /* was it? */
};

static void keep_freed(void *arg, const void *block, size_t bytes)
{
    struct heap *h = arg;
    const uint8_t *octets = block;

    if (h->len + bytes > h->cap) {
        h->cap = 2 * (h->len + bytes);
        h->data = realloc(h->data, h->cap);
        assert_non_null(h->data);
    }
    memcpy(h->data + h->len, block, bytes);
    h->len += bytes;
    if (bytes < h->largest)
        return;
    h->largest = bytes;
    h->largest_is_zeros = true;
    for (size_t i = 0; i < bytes; i++)
        h->largest_is_zeros &= octets[i] == 0;
}

static bool has(const struct heap *h, const void *run)
{
    const uint8_t *at = h->data, *end = h->data + h->len;
    uint8_t first = *(const uint8_t *)run;

    while ((size_t)(end - at) >= RUN &&
           (at = memchr(at, first, (size_t)(end - at) - RUN + 1)) != NULL) {
        if (memcmp(at, run, RUN) == 0)
            return true;
        at++;
    }
    return false;
}

static void watch(struct t_world *w, struct heap *h)
{
    memset(h, 0, sizeof(*h));
    w->freed = keep_freed;
    w->freed_arg = h;
}

/* Not a run of it, in its order or turned round, as limbs lie in memory. */
static void check_none(const struct heap *h, const char *what,
                       const void *secret, size_t len)
{
    const uint8_t *octets = secret;
    uint8_t turned[RUN];

    assert_true(len >= RUN);
    for (size_t at = 0; at + RUN <= len; at++) {
        if (has(h, octets + at))
            fail_msg("%s: octets %zu on were freed", what, at);
        for (size_t i = 0; i < RUN; i++)
            turned[i] = octets[at + RUN - 1 - i];
        if (has(h, turned))
            fail_msg("%s: octets %zu on were freed, turned", what, at);
    }
}

/* What is secret of a key, copied before it goes. */
struct secrets {
    uint8_t der[2600]; /* RSAPrivateKey without n and e */
    size_t der_len;
    uint8_t seed[32];
    struct onward_key__primes rsa;
    char pem[4096];
    size_t pem_len;
};

static void copy_secrets(const struct onward_key *key, struct secrets *s)
{
    /* SEQUENCE, version and heads; n, e = 65537 */
    size_t skip = 4 + 3 + 4 + 1 + key->pub->octets + 5;
    int len = onward_key_to_pem(key, s->pem, sizeof(s->pem));

    assert_true(len > 0);
    s->pem_len = (size_t)len;
    memcpy(s->seed, key->seed, sizeof(s->seed));
    s->rsa = key->rsa;
    s->der_len = 0;
    if (key->pkcs1 != NULL) {
        assert_true(key->pkcs1_len > skip);
        s->der_len = key->pkcs1_len - skip;
        memcpy(s->der, key->pkcs1 + skip, s->der_len);
    }
}

static void check_limbs(const struct heap *h, const char *what,
                        const mp_limb_t *limbs, mp_size_t count)
{
    check_none(h, what, limbs, (size_t)count * sizeof(*limbs));
}

static void check_key(const struct heap *h, const struct secrets *s)
{
    static const char end[] = "\n-----END";
    size_t pem_end = s->pem_len - 27;

    assert_memory_equal(s->pem + pem_end, end, sizeof(end) - 1);
    if (s->der_len == 0) {
        check_none(h, "seed", s->seed, sizeof(s->seed));
        /* the head of the DER is no secret */
        check_none(h, "PEM", s->pem + pem_end - 42, 42);
        return;
    }
    check_none(h, "DER", s->der, s->der_len);
    check_limbs(h, "p", s->rsa.p, s->rsa.p_limbs);
    check_limbs(h, "q", s->rsa.q, s->rsa.q_limbs);
    check_limbs(h, "dp", s->rsa.dp, s->rsa.p_limbs);
    check_limbs(h, "dq", s->rsa.dq, s->rsa.q_limbs);
    check_limbs(h, "qinv", s->rsa.qinv, s->rsa.p_limbs);
    check_limbs(h, "R^2 mod p", s->rsa.p_r_square, s->rsa.p_limbs);
    check_limbs(h, "R^2 mod q", s->rsa.q_r_square, s->rsa.q_limbs);
    check_none(h, "PEM", s->pem + s->pem_len / 2, pem_end - s->pem_len / 2);
}

static void use(struct t_world *w, struct heap *h, struct onward_key *key)
{
    static const uint8_t digest[32] = {1};
    struct onward_key__signing signing = {0};
    struct onward_signer *signer;
    struct onward_desk *desk;

    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
    assert_int_equal(signing.status, 0);
    onward_key__signing_clear(&signing);
    h->largest = 0;
    onward_signer_free(signer);
    /* Blinding pair and intermediates are in the largest block of a signer. */
    if (onward_pubkey_type(onward_key_public(key)) == ONWARD_KEY_RSA) {
        assert_true(h->largest > 2048);
        assert_true(h->largest_is_zeros);
    }
    onward_desk_free(desk);
}

static void test_read_key(void **state)
{
    const char *name = *state;
    struct secrets secrets;
    struct onward_key *key;
    struct t_world w = {0};
    struct heap h;
    char path[64], *pem;
    size_t len;

    t_world_init(&w);
    watch(&w, &h);
    snprintf(path, sizeof(path), "key/%s", name);
    pem = t_read_file(t_data(path), &len);
    assert_non_null(pem);
    assert_int_equal(
        onward_key_from_pem(w.ctx, (struct onward_str){pem, len}, NULL, &key),
        0);
    copy_secrets(key, &secrets);
    use(&w, &h, key);
    onward_key_free(key);
    /* Half of a key is no key, and its half is as secret. */
    for (size_t cut = 100; cut < len; cut += 61) {
        struct onward_str half = {pem, len};

        pem[cut] = '*';
        assert_true(onward_key_from_pem(w.ctx, half, NULL, &key) < 0);
        pem[cut] = 'A';
    }
    t_world_clear(&w);
    check_key(&h, &secrets);
    free(pem);
    free(h.data);
}

static void test_generated_key(void **state)
{
    static const uint32_t types[] = {ONWARD_KEY_RSA, ONWARD_KEY_ED25519};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct secrets secrets;
        struct onward_key *key;
        struct t_world w = {0};
        struct heap h;

        t_world_init(&w);
        watch(&w, &h);
        assert_int_equal(
            onward_key_generate(w.ctx, types[i], i == 0 ? 1024 : 0, &key), 0);
        copy_secrets(key, &secrets);
        use(&w, &h, key);
        onward_key_free(key);
        t_world_clear(&w);
        check_key(&h, &secrets);
        free(h.data);
    }
}

/* A key that is refused after its parts were read: a bit of qinv is wrong. */
static void test_refused_key(void **state)
{
    struct secrets secrets;
    struct onward_key *key, *other;
    struct t_world w = {0};
    uint8_t der[2600];
    struct heap h;
    size_t len;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 1024, &key), 0);
    copy_secrets(key, &secrets);
    len = key->pkcs1_len;
    memcpy(der, key->pkcs1, len);
    watch(&w, &h);
    der[len - 1] ^= 1;
    assert_int_equal(onward_key_from_der(w.ctx, der, len, NULL, &other),
                     ONWARD_ESYNTAX);
    check_key(&h, &secrets);
    onward_key_free(key);
    t_world_clear(&w);
    free(h.data);
}

static void test_srs_secret(void **state)
{
    static const char text[] = "a secret of more than sixteen octets";
    struct onward_str secret = {text, sizeof(text) - 1};
    char out[ONWARD_SRS_TEXT_MAX];
    struct onward_srs *srs;
    struct t_world w = {0};
    struct heap h;

    (void)state;
    t_world_init(&w);
    watch(&w, &h);
    assert_int_equal(onward_srs_new(w.ctx, &secret, 1, NULL, &srs), 0);
    assert_true(onward_srs_forward(srs, ONWARD_STR("alice@example.com"),
                                   ONWARD_STR("example.net"), out,
                                   sizeof(out)) > 0);
    onward_srs_free(srs);
    t_world_clear(&w);
    check_none(&h, "SRS secret", text, sizeof(text) - 1);
    free(h.data);
}

/* GnuTLS keeps the key in its own memory; nothing of it is in ours. */
static void test_tls_key(void **state)
{
    struct t_cert *cert = t_cert_new("example.com", "example.com", NULL, NULL,
                                     0, 1500000000, 1700000000);
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1};
    struct onward_tls_config *config;
    struct t_world w = {0};
    struct heap h;

    (void)state;
    t_world_init(&w);
    watch(&w, &h);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    onward_tls_config_free(config);
    t_world_clear(&w);
    check_none(&h, "TLS key", key.data + 40, key.len - 80);
    free(h.data);
    t_cert_free(cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"RSA", test_read_key, NULL, NULL, (void *)"rsa2048.pem"},
        {"RSA, PKCS#1", test_read_key, NULL, NULL, (void *)"rsa2048-pkcs1.pem"},
        {"Ed25519", test_read_key, NULL, NULL, (void *)"ed25519.pem"},
        cmocka_unit_test(test_generated_key),
        cmocka_unit_test(test_refused_key),
        cmocka_unit_test(test_srs_secret),
        cmocka_unit_test(test_tls_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
