/* The public operation of RSA beside GMP's own mpz_powm(). */
#include "key/pubkey_priv.h"

#include "support/support.h"

enum { N_MAX = ONWARD_KEY__LIMBS_MAX };

static void to_limbs(mp_limb_t *out, mp_size_t limbs, const mpz_t number)
{
    memset(out, 0, (size_t)limbs * sizeof(*out));
    mpn_copyi(out, mpz_limbs_read(number), (mp_size_t)mpz_size(number));
}

static void load(struct onward_pubkey *pub, const mpz_t n, const mpz_t e)
{
    memset(pub, 0, sizeof(*pub));
    pub->n_limbs = (mp_size_t)mpz_size(n);
    pub->e_limbs = (mp_size_t)mpz_size(e);
    to_limbs(pub->n, pub->n_limbs, n);
    to_limbs(pub->e, pub->e_limbs, e);
    onward_key__rsa_prepare(pub);
}

static void check(const mpz_t n, const mpz_t e, const mpz_t s)
{
    mp_limb_t base[N_MAX], got[N_MAX], want[N_MAX];
    struct onward_pubkey pub;
    mpz_t power;

    load(&pub, n, e);
    to_limbs(base, pub.n_limbs, s);
    onward_key__rsa_raise(&pub, got, base);
    mpz_init(power);
    mpz_powm(power, s, e, n);
    to_limbs(want, pub.n_limbs, power);
    mpz_clear(power);
    assert_memory_equal(got, want, (size_t)pub.n_limbs * sizeof(*got));
}

/* n: random, all bits set, and just above a power of two; s: random and the
 * ends of the range. */
static void check_size(gmp_randstate_t state, mp_bitcnt_t bits, const char *e16)
{
    mpz_t n, e, s;

    mpz_init(n);
    mpz_init_set_str(e, e16, 16);
    mpz_init(s);
    for (int kind = 0; kind < 6; kind++) {
        mpz_set_ui(n, 0);
        mpz_setbit(n, bits);
        mpz_sub_ui(n, n, 1);
        if (kind < 4)
            mpz_urandomb(n, state, bits);
        if (kind == 5)
            mpz_set_ui(n, 0);
        mpz_setbit(n, bits - 1);
        mpz_setbit(n, 0);
        mpz_urandomm(s, state, n);
        check(n, e, s);
        mpz_set_ui(s, 0);
        check(n, e, s);
        mpz_set_ui(s, 1);
        check(n, e, s);
        mpz_sub_ui(s, n, 1);
        check(n, e, s);
    }
    mpz_clear(n);
    mpz_clear(e);
    mpz_clear(s);
}

static void test_every_size_as_mpz_powm(void **unused)
{
    static const char *const exponents[] = {"3", "5", "11", "10001",
                                            "ffffffffffffffff"};
    gmp_randstate_t state;

    (void)unused;
    gmp_randinit_default(state);
    for (mp_bitcnt_t bits = ONWARD_KEY_RSA_BITS_MIN;
         bits <= ONWARD_KEY_RSA_BITS_MAX; bits += 61) {
        for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++)
            check_size(state, bits, exponents[i]);
    }
    check_size(state, ONWARD_KEY_RSA_BITS_MAX, "10001");
    check_size(state, ONWARD_KEY_RSA_BITS_MIN + 1, "10001");
    gmp_randclear(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_as_mpz_powm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
