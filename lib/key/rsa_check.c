/*
 * Do the parts of an RSA key belong together, and what signing needs of the
 * primes. Once a key, when it is loaded: the check is no part of what
 * doc/signing.md promises about time.
 */
#include "key/mont_priv.h"
#include "key/rsa_priv.h"

/* mpn_sec_mul wants the longer factor first. */
static void mul(mp_limb_t *out, const mp_limb_t *a, mp_size_t a_limbs,
                const mp_limb_t *b, mp_size_t b_limbs, mp_limb_t *scratch)
{
    if (a_limbs >= b_limbs)
        mpn_sec_mul(out, a, a_limbs, b, b_limbs, scratch);
    else
        mpn_sec_mul(out, b, b_limbs, a, a_limbs, scratch);
}

static bool is_one(const mp_limb_t *x, mp_size_t limbs)
{
    mp_limb_t differ = x[0] ^ 1;

    for (mp_size_t i = 1; i < limbs; i++)
        differ |= x[i];
    return differ == 0;
}

static bool equal_limbs(const mp_limb_t *a, const mp_limb_t *b, mp_size_t limbs)
{
    return onward_core__equal_secret(a, b, (size_t)limbs * sizeof(*a));
}

struct check {
    mp_limb_t *wide, *less, *scratch;
};

/* Is a * b = 1 modulo m? m and b have `limbs` limbs, the top one of m is not
 * 0. */
static bool is_inverse(const struct check *c, const mp_limb_t *a,
                       mp_size_t a_limbs, const mp_limb_t *b,
                       const mp_limb_t *m, mp_size_t limbs)
{
    mul(c->wide, a, a_limbs, b, limbs, c->scratch);
    mpn_sec_div_r(c->wide, limbs + a_limbs, m, limbs, c->scratch);
    return is_one(c->wide, limbs);
}

/* Is d = 1/e modulo prime - 1? That has the prime's top limb, as it is odd. */
static bool is_exponent(const struct check *c, const struct onward_pubkey *pub,
                        const mp_limb_t *d, const mp_limb_t *prime,
                        mp_size_t limbs)
{
    mpn_copyi(c->less, prime, limbs);
    c->less[0] -= 1;
    return is_inverse(c, pub->e, pub->e_limbs, d, c->less, limbs);
}

static bool primes_fit(const struct check *c,
                       const struct onward_key__primes *k,
                       const struct onward_pubkey *pub)
{
    mp_size_t pn = k->p_limbs, qn = k->q_limbs, nn = pub->n_limbs;

    if ((k->p[0] & k->q[0] & 1) == 0 || nn > pn + qn || nn < pn + qn - 1)
        return false;
    mul(c->wide, k->p, pn, k->q, qn, c->scratch);
    if (!equal_limbs(c->wide, pub->n, nn) || (nn < pn + qn && c->wide[nn] != 0))
        return false;
    return is_exponent(c, pub, k->dp, k->p, pn) &&
           is_exponent(c, pub, k->dq, k->q, qn) &&
           is_inverse(c, k->q, qn, k->qinv, k->p, pn);
}

bool onward_key__primes_fit(struct onward_ctx *ctx,
                            const struct onward_key__primes *k,
                            const struct onward_pubkey *pub, int *err)
{
    /* No number is longer than the longer prime, no product than two. */
    mp_size_t most = k->p_limbs > k->q_limbs ? k->p_limbs : k->q_limbs;
    mp_size_t scratch = mpn_sec_mul_itch(most, most);
    mp_size_t div = mpn_sec_div_r_itch(2 * most, most);
    size_t octets = (size_t)(3 * most + (div > scratch ? div : scratch)) *
                    sizeof(mp_limb_t);
    mp_limb_t *room = onward_core__zalloc(ctx, octets);
    struct check c;
    bool fits;

    *err = room == NULL ? ONWARD_ENOMEM : 0;
    if (room == NULL)
        return false;
    c = (struct check){room, room + 2 * most, room + 3 * most};
    fits = primes_fit(&c, k, pub);
    onward_core__wipe(room, octets);
    onward_core__free(ctx, room);
    return fits;
}

void onward_key__primes_prepare(struct onward_key__primes *k)
{
    mp_limb_t work[ONWARD_KEY__PRIME_LIMBS_MAX];

    k->p_inverse = onward_key__mont_inverse(k->p[0]);
    k->q_inverse = onward_key__mont_inverse(k->q[0]);
    onward_key__mont_square_of_r(k->p_r_square, k->p, k->p_limbs, work);
    onward_key__mont_square_of_r(k->q_r_square, k->q, k->q_limbs, work);
    onward_core__wipe(work, sizeof(work));
}
