/*
 * Signing with secrets that valgrind holds for undefined memory: each branch
 * and each address that depends on one is a report, and there must be none
 * (doc/signing.md). Secret are all parts of a private key, what the random
 * source gives, and with them all that is computed from both; lib/key/
 * reveal_priv.h names what is let go of it. silent.py runs it:
 *
 *     valgrind silent [--control]
 *
 * With --control (a build with branching.h) signing must be reported instead.
 */
#include "key/key_priv.h"
#include "key/key_shared.h"

#include <valgrind/memcheck.h>

#include "support/support.h"

static const uint8_t digest[32] = {4, 5, 6};
static bool is_control;

static void hide(const void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, len);
}

static void show(const void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
}

static size_t reports(void)
{
    return VALGRIND_COUNT_ERRORS;
}

static struct onward_key *load(struct t_world *w, const char *name)
{
    struct onward_key *key = NULL;
    char path[64], *pem;
    size_t len;

    snprintf(path, sizeof(path), "key/%s", name);
    pem = t_read_file(t_data(path), &len);
    assert_non_null(pem);
    assert_int_equal(
        onward_key_from_pem(w->ctx, (struct onward_str){pem, len}, NULL, &key),
        0);
    free(pem);
    return key;
}

/* The sizes of a key are no secret, its numbers are. */
static void hide_key(struct onward_key *key)
{
    struct onward_key__primes *rsa = &key->rsa;

    hide(key->seed, sizeof(key->seed));
    hide(rsa->p, sizeof(rsa->p));
    hide(rsa->q, sizeof(rsa->q));
    hide(rsa->dp, sizeof(rsa->dp));
    hide(rsa->dq, sizeof(rsa->dq));
    hide(rsa->qinv, sizeof(rsa->qinv));
    if (key->pkcs1 != NULL)
        hide(key->pkcs1, key->pkcs1_len);
    if (rsa->p_limbs != 0)
        onward_key__primes_prepare(rsa);
}

static const struct sign_row {
    const char *name, *key;
    size_t count; /* a blinding pair lives 50 signatures */
} sign_rows[] = {
    {"rsa 2048", "rsa2048.pem", 52},
    {"rsa 2048, p longer than q", "rsa2048-long-p.pem", 2},
    {"rsa 2048, q longer than p", "rsa2048-long-q.pem", 2},
    {"rsa 1032", "rsa1032.pem", 52},
    {"rsa 4096", "rsa4096.pem", 1},
    {"ed25519", "ed25519.pem", 3},
};

static void test_sign_row(void **state)
{
    const struct sign_row *row = *state;
    struct onward_key__signing signing = {0};
    struct onward_signer *signer;
    struct onward_desk *desk;
    struct onward_key *key;
    struct t_world w = {0};
    size_t before, seen;
    bool signer_is_ours;

    t_world_init(&w);
    key = load(&w, row->key);
    signer_is_ours = onward_pubkey_type(onward_key_public(key)) ==
                     ONWARD_KEY_RSA; /* silent.py judges the other */
    before = reports();
    hide_key(key);
    hide(&w.random, sizeof(w.random));
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    for (size_t i = 0; i < row->count; i++) {
        onward_key__signing_clear(&signing);
        assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
        assert_int_equal(signing.status, 0);
    }
    seen = reports() - before;
    /* What left is a signature, and all of it left. */
    assert_int_equal(
        VALGRIND_CHECK_MEM_IS_DEFINED(signing.signature, signing.len), 0);
    assert_true(onward_pubkey_verify(onward_key_public(key),
                                     onward_pubkey_type(onward_key_public(key)),
                                     digest, signing.signature, signing.len));
    onward_key__signing_clear(&signing);
    onward_signer_free(signer);
    onward_desk_free(desk);
    onward_key_free(key);
    t_world_clear(&w);
    print_message("%s: %zu signatures, %zu reports\n", row->name, row->count,
                  seen);
    if (is_control)
        assert_true(seen > 0);
    else if (signer_is_ours)
        assert_int_equal(seen, 0);
}

/* A keyed hash of a secret key, compared with one that was given. */
static void test_hmac(void **state)
{
    static const char text[] = "what is hashed";
    struct onward_str part = {text, sizeof(text) - 1};
    char secret[40] = "forty octets that nobody is to know";
    uint8_t want[32], got[32], want1[20], got1[20];
    size_t before = reports();
    bool same[4];

    (void)state;
    onward_key__hmac_sha256((struct onward_str){secret, 40}, &part, 1, want);
    onward_key__hmac_sha1((struct onward_str){secret, 40}, &part, 1, want1);
    hide(secret, sizeof(secret));
    onward_key__hmac_sha256((struct onward_str){secret, 40}, &part, 1, got);
    onward_key__hmac_sha1((struct onward_str){secret, 40}, &part, 1, got1);
    same[0] = onward_core__equal_secret(want, got, 32);
    same[1] = onward_core__equal_secret(want1, got1, 20);
    want[31] ^= 1;
    want1[0] ^= 0x80;
    same[2] = onward_core__equal_secret(want, got, 32);
    same[3] = onward_core__equal_secret(want1, got1, 20);
    assert_int_equal(reports() - before, 0);
    show(same, sizeof(same));
    assert_true(same[0] && same[1]);
    assert_false(same[2] || same[3]);
}

/* ---- Does valgrind see it at all? -------------------------------------- */

static int see_branch(const uint8_t *secret)
{
    static volatile int seen;

    if ((secret[3] & 1) != 0)
        seen = 1;
    return seen;
}

static int see_address(const uint8_t *secret)
{
    static const volatile uint8_t table[256] = {1};

    return table[secret[7]];
}

/* The public operation is fast and not silent: not for secrets. */
static int see_public_operation(const uint8_t *secret)
{
    struct t_world w = {0};
    struct onward_key *key;
    mp_limb_t out[ONWARD_KEY__LIMBS_MAX], in[ONWARD_KEY__LIMBS_MAX] = {0};

    t_world_init(&w);
    key = load(&w, "rsa2048.pem");
    memcpy(in, secret, 32);
    hide(in, 32);
    onward_key__rsa_raise(onward_key_public(key), out, in);
    onward_key_free(key);
    t_world_clear(&w);
    return 0;
}

static const struct seen_row {
    const char *name;
    int (*run)(const uint8_t *secret);
} seen_rows[] = {
    {"a branch is seen", see_branch},
    {"an address is seen", see_address},
    {"the public operation is seen", see_public_operation},
};

static void test_seen_row(void **state)
{
    const struct seen_row *row = *state;
    uint8_t secret[32] = {4, 5, 6};
    volatile int result;
    size_t before = reports();

    hide(secret, sizeof(secret));
    result = row->run(secret);
    (void)result;
    assert_true(reports() > before);
}

/* Why lib/key has arithmetic of its own. What another GMP does is its affair:
 * this only says it. */
static void test_sec_powm(void **state)
{
    static mp_limb_t scratch[8192];
    struct onward_key__primes *k;
    mp_limb_t out[ONWARD_KEY__LIMBS_MAX];
    struct t_world w = {0};
    struct onward_key *key;
    size_t before;

    (void)state;
    t_world_init(&w);
    key = load(&w, "rsa2048.pem");
    k = &key->rsa;
    assert_true(mpn_sec_powm_itch(k->p_limbs, k->p_bits, k->p_limbs) < 8192);
    hide_key(key);
    before = reports();
    mpn_sec_powm(out, k->qinv, k->p_limbs, k->dp, k->p_bits, k->p, k->p_limbs,
                 scratch);
    print_message("mpn_sec_powm with a secret modulus: %zu reports\n",
                  reports() - before);
    onward_key_free(key);
    t_world_clear(&w);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct CMUnitTest tests[16];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction run, const void *row)
{
    tests[test_count++] = (struct CMUnitTest){
        .name = name, .test_func = run, .initial_state = (void *)row};
}

/* Where the libraries lie, for silent.py. */
static void print_maps(void)
{
    char line[512];
    FILE *f = fopen("/proc/self/maps", "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strstr(line, " 00000000 ") != NULL && strstr(line, ".so") != NULL)
            printf("map %s", line);
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    if (!RUNNING_ON_VALGRIND) {
        puts("skipped: not running under valgrind");
        return 77;
    }
    is_control = argc > 1 && strcmp(argv[1], "--control") == 0;
    print_maps();
    for (size_t i = 0; i < (is_control ? 1 : COUNT(sign_rows)); i++)
        add(sign_rows[i].name, test_sign_row, &sign_rows[i]);
    add("hmac", test_hmac, NULL);
    for (size_t i = 0; i < COUNT(seen_rows); i++)
        add(seen_rows[i].name, test_seen_row, &seen_rows[i]);
    add("sec_powm", test_sec_powm, NULL);
    return _cmocka_run_group_tests("silent", tests, test_count, NULL, NULL);
}
