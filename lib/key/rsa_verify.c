/*
 * The public operation of RSA (RFC 8017 sections 5.2.2 and 8.2.2): s^e mod n by
 * Montgomery products over GMP's mpn functions. All numbers are public, so time
 * may depend on them (mont.c has those for secrets). Nothing is allocated, and what depends on the key alone
 * is computed once a key: that is what it gains over mpz_powm.
 */
#include "key/mont_priv.h"
#include "key/pubkey_priv.h"

enum { N_MAX = ONWARD_KEY__LIMBS_MAX };

void onward_key__rsa_prepare(struct onward_pubkey *pub)
{
    mp_size_t nn = pub->n_limbs;
    mp_limb_t square[2 * N_MAX + 1] = {0};
    mp_limb_t quotient[N_MAX + 2];

    pub->n_inverse = onward_key__mont_inverse(pub->n[0]);
    square[2 * nn] = 1;
    mpn_tdiv_qr(quotient, pub->r_square, 0, square, 2 * nn + 1, pub->n, nn);
}

/* out = t / R modulo n, R being 2 to the bits of nn limbs; below R, and below
 * 2n if t is below n * R. t has 2 * nn limbs and is used up. */
static void reduce(const struct onward_pubkey *pub, mp_limb_t *out,
                   mp_limb_t *t)
{
    mp_size_t nn = pub->n_limbs;

    /* Each step makes one limb 0 by adding a multiple of n; its carry waits in
     * that limb's place until the end. */
    for (mp_size_t i = 0; i < nn; i++)
        t[i] = mpn_addmul_1(t + i, pub->n, nn, t[i] * pub->n_inverse);
    if (mpn_add_n(out, t + nn, t, nn) != 0)
        mpn_sub_n(out, out, pub->n, nn);
}

void onward_key__rsa_raise(const struct onward_pubkey *pub, mp_limb_t *out,
                           const mp_limb_t *s)
{
    mp_size_t nn = pub->n_limbs;
    mp_limb_t wide[2 * N_MAX], base[N_MAX];
    size_t bit = mpn_sizeinbase(pub->e, pub->e_limbs, 2) - 1;

    mpn_mul_n(wide, s, pub->r_square, nn);
    reduce(pub, base, wide);
    mpn_copyi(out, base, nn);
    while (bit-- > 0) {
        mpn_sqr(wide, out, nn);
        reduce(pub, out, wide);
        if ((pub->e[bit / GMP_NUMB_BITS] >> (bit % GMP_NUMB_BITS) & 1) == 0)
            continue;
        /* e is odd: the last product is with s itself, which takes R away. */
        mpn_mul_n(wide, out, bit == 0 ? s : base, nn);
        reduce(pub, out, wide);
    }
    if (mpn_cmp(out, pub->n, nn) >= 0)
        mpn_sub_n(out, out, pub->n, nn);
}
