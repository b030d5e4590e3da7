/*
 * Faults while signing: a bit flips in what some GMP or Nettle function gave.
 * (The linker's --wrap puts ours in between; the library has no hooks.)
 * A signature that leaves is right, and one that is not right does not leave:
 * the greatest common divisor of s^e - m and n would be a prime of the key.
 */
#include "key/key_priv.h"
#include "key/key_shared.h"

#include <gmp.h>
#include <nettle/eddsa.h>

#include "support/support.h"

static const uint8_t digest[32] = {4, 5, 6};

static size_t calls;    /* of wrapped functions */
static size_t fault_at; /* 1-based; 0: none */

static bool is_now(void)
{
    return ++calls == fault_at;
}

/* The limb that changes differs from call to call. */
static void flip(mp_limb_t *out, mp_size_t limbs)
{
    out[calls * 7 % (size_t)limbs] ^= (mp_limb_t)1 << (calls % GMP_NUMB_BITS);
}

#define WRAP(f) __wrap___gmpn_##f
#define REAL(f) __real___gmpn_##f

mp_limb_t REAL(addmul_1)(mp_limb_t *, const mp_limb_t *, mp_size_t, mp_limb_t);
mp_limb_t WRAP(addmul_1)(mp_limb_t *, const mp_limb_t *, mp_size_t, mp_limb_t);
void REAL(sec_mul)(mp_limb_t *, const mp_limb_t *, mp_size_t, const mp_limb_t *,
                   mp_size_t, mp_limb_t *);
void WRAP(sec_mul)(mp_limb_t *, const mp_limb_t *, mp_size_t, const mp_limb_t *,
                   mp_size_t, mp_limb_t *);
void REAL(sec_sqr)(mp_limb_t *, const mp_limb_t *, mp_size_t, mp_limb_t *);
void WRAP(sec_sqr)(mp_limb_t *, const mp_limb_t *, mp_size_t, mp_limb_t *);
mp_limb_t REAL(cnd_sub_n)(mp_limb_t, mp_limb_t *, const mp_limb_t *,
                          const mp_limb_t *, mp_size_t);
mp_limb_t WRAP(cnd_sub_n)(mp_limb_t, mp_limb_t *, const mp_limb_t *,
                          const mp_limb_t *, mp_size_t);
int REAL(sec_invert)(mp_limb_t *, mp_limb_t *, const mp_limb_t *, mp_size_t,
                     mp_bitcnt_t, mp_limb_t *);
int WRAP(sec_invert)(mp_limb_t *, mp_limb_t *, const mp_limb_t *, mp_size_t,
                     mp_bitcnt_t, mp_limb_t *);
void __real_nettle_ed25519_sha512_sign(const uint8_t *, const uint8_t *, size_t,
                                       const uint8_t *, uint8_t *);
void __wrap_nettle_ed25519_sha512_sign(const uint8_t *, const uint8_t *, size_t,
                                       const uint8_t *, uint8_t *);

mp_limb_t WRAP(addmul_1)(mp_limb_t *out, const mp_limb_t *a, mp_size_t limbs,
                         mp_limb_t b)
{
    mp_limb_t carry = REAL(addmul_1)(out, a, limbs, b);

    if (is_now())
        flip(out, limbs);
    return carry;
}

void WRAP(sec_mul)(mp_limb_t *out, const mp_limb_t *a, mp_size_t a_limbs,
                   const mp_limb_t *b, mp_size_t b_limbs, mp_limb_t *scratch)
{
    REAL(sec_mul)(out, a, a_limbs, b, b_limbs, scratch);
    if (is_now())
        flip(out, a_limbs + b_limbs);
}

void WRAP(sec_sqr)(mp_limb_t *out, const mp_limb_t *a, mp_size_t limbs,
                   mp_limb_t *scratch)
{
    REAL(sec_sqr)(out, a, limbs, scratch);
    if (is_now())
        flip(out, 2 * limbs);
}

mp_limb_t WRAP(cnd_sub_n)(mp_limb_t condition, mp_limb_t *out,
                          const mp_limb_t *a, const mp_limb_t *b,
                          mp_size_t limbs)
{
    mp_limb_t borrow = REAL(cnd_sub_n)(condition, out, a, b, limbs);

    if (is_now())
        flip(out, limbs);
    return borrow;
}

int WRAP(sec_invert)(mp_limb_t *out, mp_limb_t *a, const mp_limb_t *m,
                     mp_size_t limbs, mp_bitcnt_t bits, mp_limb_t *scratch)
{
    int found = REAL(sec_invert)(out, a, m, limbs, bits, scratch);

    if (is_now())
        flip(out, limbs);
    return found;
}

void __wrap_nettle_ed25519_sha512_sign(const uint8_t *pub, const uint8_t *seed,
                                       size_t len, const uint8_t *message,
                                       uint8_t *out)
{
    __real_nettle_ed25519_sha512_sign(pub, seed, len, message, out);
    if (is_now())
        out[fault_at * 13 % 64] ^= 1;
}

struct fixture {
    struct t_world w;
    struct onward_key *key;
    struct onward_desk *desk;
    struct onward_signer *signer;
    struct onward_key__signing signing;
};

static void setup(struct fixture *f, const char *name)
{
    char path[64], *pem;
    size_t len;

    memset(f, 0, sizeof(*f));
    calls = fault_at = 0;
    t_world_init(&f->w);
    snprintf(path, sizeof(path), "key/%s", name);
    pem = t_read_file(t_data(path), &len);
    assert_non_null(pem);
    assert_int_equal(onward_key_from_pem(f->w.ctx,
                                         (struct onward_str){pem, len}, NULL,
                                         &f->key),
                     0);
    free(pem);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_signer_new(f->desk, f->key, NULL, &f->signer), 0);
}

static void teardown(struct fixture *f)
{
    onward_key__signing_clear(&f->signing);
    onward_signer_free(f->signer);
    onward_desk_free(f->desk);
    onward_key_free(f->key);
    t_world_clear(&f->w);
}

static int sign(struct fixture *f, size_t with_fault_at)
{
    onward_key__signing_clear(&f->signing);
    calls = 0;
    fault_at = with_fault_at;
    assert_int_equal(onward_key__sign(f->signer, &f->signing, digest, NULL), 0);
    fault_at = 0;
    return f->signing.status;
}

static bool is_right(const struct fixture *f)
{
    const struct onward_pubkey *pub = onward_key_public(f->key);

    return onward_pubkey_verify(pub, onward_pubkey_type(pub), digest,
                                f->signing.signature, f->signing.len) == 1;
}

/* What a failed signing shows: the error, and nothing of a signature. */
static void check_nothing_left(const struct fixture *f)
{
    static const uint8_t zeros[ONWARD_KEY_SIGNATURE_MAX];

    assert_int_equal(f->signing.len, 0);
    assert_memory_equal(f->signing.signature, zeros, sizeof(zeros));
    assert_string_equal(f->w.last_log, "key sign-result-wrong ");
}

/* Over all calls of a signing that makes a blinding pair, steps apart. */
static void flip_everywhere(const char *name, size_t step)
{
    struct fixture f;
    size_t all, stopped = 0, harmless = 0;

    setup(&f, name);
    assert_int_equal(sign(&f, 0), 0);
    assert_true(is_right(&f));
    all = calls;
    assert_true(all > 10 * step);
    for (size_t at = 1; at <= all; at += step) {
        int status = sign(&f, at);

        if (status == 0) {
            assert_true(is_right(&f));
            harmless++;
        } else {
            assert_int_equal(status, ONWARD_ECRYPTO);
            check_nothing_left(&f);
            stopped++;
        }
        /* A fault behind the check is in the blinding pair of the next. */
        if (sign(&f, 0) != 0) {
            check_nothing_left(&f);
            assert_int_equal(status, 0);
            assert_int_equal(sign(&f, 0), 0);
        }
        assert_true(is_right(&f));
    }
    print_message("%s: %zu faults in %zu calls, %zu stopped, %zu harmless\n",
                  name, stopped + harmless, all, stopped, harmless);
    /* Some limbs are overwritten unread: the lowest one of each step of a
     * reduction, for one. */
    assert_true(stopped > harmless);
    teardown(&f);
}

static void test_rsa(void **state)
{
    (void)state;
    flip_everywhere("rsa1032.pem", 97);
    flip_everywhere("rsa2048.pem", 389);
    flip_everywhere("rsa2048-long-q.pem", 1409);
}

static void test_ed25519(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, "ed25519.pem");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sign(&f, 0), 0);
        assert_true(is_right(&f));
        assert_int_equal(sign(&f, 1), ONWARD_ECRYPTO);
        check_nothing_left(&f);
    }
    teardown(&f);
}

/* A key that changes in memory. Each part of it counts. */
static void test_changed_key(void **state)
{
    static const char *const names[] = {"rsa2048.pem", "ed25519.pem"};

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        struct fixture f;
        struct onward_key__primes *rsa;
        uint8_t *parts[11];
        size_t count = 0;

        setup(&f, names[n]);
        rsa = &f.key->rsa;
        if (n == 0) {
            parts[count++] = (uint8_t *)&rsa->p[3];
            parts[count++] = (uint8_t *)&rsa->q[3];
            parts[count++] = (uint8_t *)&rsa->dp[3];
            parts[count++] = (uint8_t *)&rsa->dq[3];
            parts[count++] = (uint8_t *)&rsa->qinv[3];
            parts[count++] = (uint8_t *)&rsa->p_r_square[3];
            parts[count++] = (uint8_t *)&rsa->q_r_square[3];
            parts[count++] = (uint8_t *)&f.key->pub->n[3];
            parts[count++] = (uint8_t *)&f.key->pub->r_square[3];
            parts[count++] = (uint8_t *)&f.key->pub->e[0];
        } else {
            parts[count++] = &f.key->seed[3];
            parts[count++] = &f.key->pub->ed25519[3];
        }
        for (size_t i = 0; i < count; i++) {
            *parts[i] ^= 0x20;
            assert_int_equal(sign(&f, 0), ONWARD_ECRYPTO);
            check_nothing_left(&f);
            *parts[i] ^= 0x20;
            assert_int_equal(sign(&f, 0), 0);
            assert_true(is_right(&f));
        }
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_changed_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
