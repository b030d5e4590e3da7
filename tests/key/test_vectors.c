/* Signatures, keys and keyed hashes against Project Wycheproof's vectors. */
#include "key/vectors.h"

#include "key/key_shared.h"
#include "key/pubkey_priv.h"

static bool is_valid(const struct onward_json *test)
{
    return onward_core__str_eq(vectors_text(test, "result"),
                               ONWARD_STR("valid"));
}

static bool is_invalid(const struct onward_json *test)
{
    return onward_core__str_eq(vectors_text(test, "result"),
                               ONWARD_STR("invalid"));
}

/* "acceptable" may end either way. */
static void expect(const struct onward_json *test, bool got)
{
    if (got ? is_invalid(test) : is_valid(test))
        fail_msg("case %.*s: %s", (int)vectors_text(test, "tcId").len,
                 vectors_text(test, "tcId").data, got ? "taken" : "refused");
}

static void check_rsa(struct t_world *w, struct vectors *v,
                      const struct onward_json *group)
{
    struct onward_str der = vectors_hex(v, group, "publicKeyDer");
    struct onward_str pkcs1 = vectors_hex(v, group, "publicKeyAsn");
    struct onward_pubkey *pub, *same;
    uint8_t digest[32], out[600];

    assert_int_equal(
        onward_pubkey_from_der(w->ctx, der.data, der.len, NULL, &pub), 0);
    assert_int_equal(
        onward_pubkey_from_der(w->ctx, pkcs1.data, pkcs1.len, NULL, &same), 0);
    assert_int_equal(onward_pubkey_to_der(same, out, sizeof(out)), der.len);
    assert_memory_equal(out, der.data, der.len);
    for (struct onward_json *t = onward_json__get(group, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_str sig = vectors_hex(v, t, "sig");

        vectors_sha256(vectors_hex(v, t, "msg"), digest);
        expect(t, onward_pubkey_verify(pub, ONWARD_KEY_RSA, digest, sig.data,
                                       sig.len));
    }
    onward_pubkey_free(pub);
    onward_pubkey_free(same);
}

static void check_ed25519(struct t_world *w, struct vectors *v,
                          const struct onward_json *group)
{
    struct onward_str der = vectors_hex(v, group, "publicKeyDer");
    struct onward_pubkey *pub;
    uint8_t out[600];

    assert_int_equal(
        onward_pubkey_from_der(w->ctx, der.data, der.len, NULL, &pub), 0);
    assert_int_equal(onward_pubkey_to_der(pub, out, sizeof(out)), der.len);
    assert_memory_equal(out, der.data, der.len);
    for (struct onward_json *t = onward_json__get(group, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_str sig = vectors_hex(v, t, "sig");
        struct onward_str msg = vectors_hex(v, t, "msg");

        expect(t, onward_key__ed25519_verify(pub, (const uint8_t *)msg.data,
                                             msg.len, (const uint8_t *)sig.data,
                                             sig.len));
    }
    onward_pubkey_free(pub);
}

/* Sign, and compare: PKCS#1 v1.5 is deterministic. Each key more often than a
 * blinding pair lives. */
static void check_signing(struct t_world *w, struct vectors *v,
                          const struct onward_json *group)
{
    struct onward_str pkcs8 = vectors_hex(v, group, "privateKeyPkcs8");
    struct onward_str pem = vectors_text(group, "privateKeyPem");
    struct onward_key__signing signing = {0};
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_key *key, *same;
    struct onward_signer *signer;
    struct onward_desk *desk;
    uint8_t digest[32];

    if (!onward_core__str_eq(vectors_text(group, "sha"), ONWARD_STR("SHA-256")))
        return;
    assert_int_equal(
        onward_key_from_der(w->ctx, pkcs8.data, pkcs8.len, &fault, &key), 0);
    assert_int_equal(onward_key_from_pem(w->ctx, pem, NULL, &same), 0);
    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, same, NULL, &signer), 0);
    for (int round = 0; round < 12; round++) {
        for (struct onward_json *t = onward_json__get(group, "tests")->first;
             t != NULL; t = t->next) {
            struct onward_str sig = vectors_hex(v, t, "sig");

            vectors_sha256(vectors_hex(v, t, "msg"), digest);
            assert_int_equal(onward_key__sign(signer, &signing, digest, NULL),
                             0);
            assert_int_equal(signing.status, 0);
            assert_int_equal(signing.len, sig.len);
            assert_memory_equal(signing.signature, sig.data, sig.len);
            onward_key__signing_clear(&signing);
        }
    }
    onward_signer_free(signer);
    onward_desk_free(desk);
    onward_key_free(key);
    onward_key_free(same);
}

static void check_hmac(struct vectors *v, const struct onward_json *group,
                       bool is_sha256)
{
    for (struct onward_json *t = onward_json__get(group, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_str key = vectors_hex(v, t, "key");
        struct onward_str msg = vectors_hex(v, t, "msg");
        struct onward_str tag = vectors_hex(v, t, "tag");
        struct onward_str parts[2] = {
            onward_core__sub(msg, 0, msg.len / 2),
            onward_core__sub(msg, msg.len / 2, msg.len)};
        uint8_t out[32];

        if (is_sha256)
            onward_key__hmac_sha256(key, parts, 2, out);
        else
            onward_key__hmac_sha1(key, parts, 2, out);
        assert_true(tag.len <= (is_sha256 ? 32U : 20U));
        expect(t, onward_core__equal_secret(out, tag.data, tag.len));
    }
}

static void check_hmac_sha256(struct t_world *w, struct vectors *v,
                              const struct onward_json *group)
{
    (void)w;
    check_hmac(v, group, true);
}

static void check_hmac_sha1(struct t_world *w, struct vectors *v,
                            const struct onward_json *group)
{
    (void)w;
    check_hmac(v, group, false);
}

static const struct row {
    const char *file;
    void (*check)(struct t_world *w, struct vectors *v,
                  const struct onward_json *group);
} rows[] = {
    {"crypto/rsa_signature_2048_sha256_test.json", check_rsa},
    {"crypto/rsa_signature_3072_sha256_test.json", check_rsa},
    {"crypto/rsa_signature_4096_sha256_test.json", check_rsa},
    {"crypto/ed25519_test.json", check_ed25519},
    {"crypto/rsa_pkcs1_1024_sig_gen_test.json", check_signing},
    {"crypto/rsa_pkcs1_2048_sig_gen_test.json", check_signing},
    {"crypto/hmac_sha256_test.json", check_hmac_sha256},
    {"crypto/hmac_sha1_test.json", check_hmac_sha1},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_world w = {0};
    struct vectors v;

    t_world_init(&w);
    if (vectors_open(&v, &w, row->file)) {
        for (struct onward_json *g =
                 onward_json__get(v.root, "testGroups")->first;
             g != NULL; g = g->next)
            row->check(&w, &v, g);
        vectors_close(&v);
    }
    t_world_clear(&w);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])] = {{0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].file,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
