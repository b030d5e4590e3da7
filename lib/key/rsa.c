/*
 * RSA PKCS#1 v1.5 signatures by the Chinese remainder theorem (RFC 8017
 * sections 5.2.1 and 8.2.1).
 *
 * All numbers that depend on the key or the message go through GMP's mpn_sec_
 * functions, whose time and memory accesses depend on sizes alone, and lie in
 * one block of the context's memory that is wiped. On top of that the message
 * is blinded: the private exponents see m * r^e, never m. Making r^e and 1/r
 * costs as much as half a signature, so the pair is kept, squared after each
 * use (r becomes r^2), and made anew after BLINDING_USES. A pair belongs to
 * one workspace and so to one thread: two signatures that share r would leak
 * the quotient of their messages' roots.
 *
 * Before a signature leaves it is raised to e. One that a fault made would tell
 * the primes: gcd(s^e - m, n) is one of them.
 */
#include "key/rsa_priv.h"

#define BLINDING_USES 32

struct onward_key__rsa {
    const struct onward_key *key;
    unsigned uses_left;
    size_t octets; /* of this block, to wipe it */
    mp_size_t scratch_limbs;
    mp_limb_t *blind;   /* r^e mod n, n_limbs */
    mp_limb_t *unblind; /* 1/r mod n, n_limbs */
    mp_limb_t *m;       /* the padded message, n_limbs */
    mp_limb_t *s;       /* n_limbs */
    mp_limb_t *wide;    /* a product, wide_size() */
    mp_limb_t *xp, *xq; /* the root modulo p and q */
    mp_limb_t *h;       /* modulo p, with room for modulo q */
    mp_limb_t *scratch;
    mp_limb_t limbs[];
};

static mp_size_t max_size(mp_size_t a, mp_size_t b)
{
    return a > b ? a : b;
}

/* Room for any product: modulo n, modulo p, and h * q, which has a limb more
 * than n when the top one is 0. */
static mp_size_t wide_size(mp_size_t nn, mp_size_t pn)
{
    return max_size(2 * nn + 1, 2 * pn);
}

/* GMP_NUMB_BITS times limbs, as GMP counts bits. */
static mp_bitcnt_t limb_bits(mp_size_t limbs)
{
    return (mp_bitcnt_t)limbs * GMP_NUMB_BITS;
}

/* mpn_sec_mul wants the longer factor first. */
static mp_size_t mul_itch(mp_size_t a, mp_size_t b)
{
    return mpn_sec_mul_itch(max_size(a, b), a < b ? a : b);
}

static void mul(mp_limb_t *out, const mp_limb_t *a, mp_size_t a_limbs,
                const mp_limb_t *b, mp_size_t b_limbs, mp_limb_t *scratch)
{
    if (a_limbs >= b_limbs)
        mpn_sec_mul(out, a, a_limbs, b, b_limbs, scratch);
    else
        mpn_sec_mul(out, b, b_limbs, a, a_limbs, scratch);
}

static mp_size_t scratch_size(const struct onward_pubkey *pub,
                              const struct onward_key__primes *k)
{
    mp_size_t nn = pub->n_limbs, pn = k->p_limbs, qn = k->q_limbs;
    mp_size_t size = mpn_sec_powm_itch(nn, (mp_bitcnt_t)k->p_bits, pn);

    size = max_size(size, mpn_sec_powm_itch(nn, (mp_bitcnt_t)k->q_bits, qn));
    size = max_size(size, mpn_sec_powm_itch(nn, limb_bits(pub->e_limbs), nn));
    size = max_size(size, mpn_sec_mul_itch(nn, nn));
    size = max_size(size, mpn_sec_sqr_itch(nn));
    size = max_size(size, mpn_sec_mul_itch(pn, pn));
    size = max_size(size, mul_itch(pn, qn));
    size = max_size(size, mpn_sec_div_r_itch(2 * nn, nn));
    size = max_size(size, mpn_sec_div_r_itch(2 * pn, pn));
    size = max_size(size, mpn_sec_div_r_itch(max_size(pn, qn), pn));
    size = max_size(size, mpn_sec_add_1_itch(pn));
    return max_size(size, mpn_sec_invert_itch(nn));
}

int onward_key__rsa_new(struct onward_key *key, struct onward_key__rsa **out)
{
    mp_size_t nn = key->pub->n_limbs, pn = key->rsa.p_limbs;
    mp_size_t qn = key->rsa.q_limbs, hn = max_size(pn, qn);
    mp_size_t scratch = scratch_size(key->pub, &key->rsa);
    size_t limbs =
        (size_t)(4 * nn + wide_size(nn, pn) + pn + qn + hn + scratch);
    size_t octets = sizeof(struct onward_key__rsa) + limbs * sizeof(mp_limb_t);
    struct onward_key__rsa *rsa = onward_core__zalloc(key->ctx, octets);
    mp_limb_t *at;

    if (rsa == NULL)
        return ONWARD_ENOMEM;
    rsa->key = key;
    rsa->octets = octets;
    rsa->scratch_limbs = scratch;
    at = rsa->limbs;
    rsa->blind = at;
    rsa->unblind = at += nn;
    rsa->m = at += nn;
    rsa->s = at += nn;
    rsa->wide = at += nn;
    rsa->xp = at += wide_size(nn, pn);
    rsa->xq = at += pn;
    rsa->h = at += qn;
    rsa->scratch = at + hn;
    *out = rsa;
    return 0;
}

void onward_key__rsa_free(struct onward_key__rsa *rsa)
{
    struct onward_ctx *ctx;

    if (rsa == NULL)
        return;
    ctx = rsa->key->ctx;
    onward_core__wipe(rsa, rsa->octets);
    onward_core__free(ctx, rsa);
}

/* out = a * b mod n; out may be a or b. */
static void mul_mod_n(struct onward_key__rsa *rsa, mp_limb_t *out,
                      const mp_limb_t *a, const mp_limb_t *b)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs;

    mpn_sec_mul(rsa->wide, a, nn, b, nn, rsa->scratch);
    mpn_sec_div_r(rsa->wide, 2 * nn, pub->n, nn, rsa->scratch);
    mpn_copyi(out, rsa->wide, nn);
}

static void square_mod_n(struct onward_key__rsa *rsa, mp_limb_t *x)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs;

    mpn_sec_sqr(rsa->wide, x, nn, rsa->scratch);
    mpn_sec_div_r(rsa->wide, 2 * nn, pub->n, nn, rsa->scratch);
    mpn_copyi(x, rsa->wide, nn);
}

/* Is x all zero, or (one = 1) the number 1? In constant time. */
static bool is_small(const mp_limb_t *x, mp_size_t limbs, mp_limb_t one)
{
    mp_limb_t diff = x[0] ^ one;

    for (mp_size_t i = 1; i < limbs; i++)
        diff |= x[i];
    return diff == 0;
}

/* Bits of the public exponent; it is no secret. */
static mp_bitcnt_t exponent_bits(const struct onward_pubkey *pub)
{
    mp_bitcnt_t bits = limb_bits(pub->e_limbs - 1);

    for (mp_limb_t top = pub->e[pub->e_limbs - 1]; top != 0; top >>= 1)
        bits++;
    return bits;
}

static void raise_to_e(struct onward_key__rsa *rsa, mp_limb_t *out,
                       const mp_limb_t *x)
{
    const struct onward_pubkey *pub = rsa->key->pub;

    mpn_sec_powm(out, x, pub->n_limbs, pub->e, exponent_bits(pub), pub->n,
                 pub->n_limbs, rsa->scratch);
}

/* Random octets beyond the size of n, so that r mod n is even enough: 64 bits
 * more than n has leave a bias below 2^-64. */
static int random_mod_n(struct onward_key__rsa *rsa, mp_limb_t *out)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs, wide = nn + ONWARD_KEY__E_LIMBS;
    int ret = onward_core__random(rsa->key->ctx, rsa->wide,
                                  (size_t)wide * sizeof(mp_limb_t));

    if (ret != 0)
        return ret;
    mpn_sec_div_r(rsa->wide, wide, pub->n, nn, rsa->scratch);
    mpn_copyi(out, rsa->wide, nn);
    return 0;
}

static int renew_blinding(struct onward_key__rsa *rsa)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs;
    int ret = random_mod_n(rsa, rsa->s);

    if (ret != 0)
        return ret;
    /* Zero or a multiple of a prime comes from a broken source, not chance. */
    if (is_small(rsa->s, nn, 0) || is_small(rsa->s, nn, 1))
        return ONWARD_ERANDOM;
    raise_to_e(rsa, rsa->blind, rsa->s);
    mpn_copyi(rsa->wide, rsa->s, nn);
    if (!mpn_sec_invert(rsa->unblind, rsa->wide, pub->n, nn, 2 * limb_bits(nn),
                        rsa->scratch))
        return ONWARD_ERANDOM;
    rsa->uses_left = BLINDING_USES;
    return 0;
}

/* h = (xp - xq) / q mod p. xq may be larger than p, in limbs too. */
static void garner(struct onward_key__rsa *rsa)
{
    const struct onward_key__primes *k = &rsa->key->rsa;
    mp_size_t pn = k->p_limbs, hn = max_size(pn, k->q_limbs);
    mp_limb_t borrow;

    for (mp_size_t i = k->q_limbs; i < hn; i++)
        rsa->h[i] = 0;
    mpn_copyi(rsa->h, rsa->xq, k->q_limbs);
    mpn_sec_div_r(rsa->h, hn, k->p, pn, rsa->scratch);
    borrow = mpn_sub_n(rsa->h, rsa->xp, rsa->h, pn);
    mpn_cnd_add_n(borrow, rsa->h, rsa->h, k->p, pn);
    mpn_sec_mul(rsa->wide, rsa->h, pn, k->qinv, pn, rsa->scratch);
    mpn_sec_div_r(rsa->wide, 2 * pn, k->p, pn, rsa->scratch);
    mpn_copyi(rsa->h, rsa->wide, pn);
}

/* s = s^d mod n from the two halves. */
static void root(struct onward_key__rsa *rsa)
{
    const struct onward_key__primes *k = &rsa->key->rsa;
    mp_size_t nn = rsa->key->pub->n_limbs, pn = k->p_limbs, qn = k->q_limbs;
    mp_limb_t carry;

    mpn_sec_powm(rsa->xp, rsa->s, nn, k->dp, (mp_bitcnt_t)k->p_bits, k->p, pn,
                 rsa->scratch);
    mpn_sec_powm(rsa->xq, rsa->s, nn, k->dq, (mp_bitcnt_t)k->q_bits, k->q, qn,
                 rsa->scratch);
    garner(rsa);
    /* s = xq + h * q, below n. */
    mul(rsa->wide, rsa->h, pn, k->q, qn, rsa->scratch);
    carry = mpn_add_n(rsa->wide, rsa->wide, rsa->xq, qn);
    mpn_sec_add_1(rsa->wide + qn, rsa->wide + qn, pn, carry, rsa->scratch);
    mpn_copyi(rsa->s, rsa->wide, nn);
}

static bool equal_limbs(const mp_limb_t *a, const mp_limb_t *b, mp_size_t limbs)
{
    return onward_core__equal_secret(a, b, (size_t)limbs * sizeof(*a));
}

int onward_key__rsa_sign(struct onward_key__rsa *rsa, const uint8_t *digest,
                         uint8_t *signature)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs;
    int ret = 0;

    if (rsa->uses_left == 0)
        ret = renew_blinding(rsa);
    if (ret != 0)
        return ret;
    onward_key__rsa_pad(pub, rsa->m, digest);
    mul_mod_n(rsa, rsa->s, rsa->m, rsa->blind);
    root(rsa);
    mul_mod_n(rsa, rsa->s, rsa->s, rsa->unblind);
    raise_to_e(rsa, rsa->wide, rsa->s);
    if (equal_limbs(rsa->wide, rsa->m, nn)) {
        onward_key__limbs_to(signature, pub->octets, rsa->s, nn);
        rsa->uses_left--;
        square_mod_n(rsa, rsa->blind);
        square_mod_n(rsa, rsa->unblind);
    } else {
        rsa->uses_left = 0; /* the pair may be what went wrong */
        ret = ONWARD_ECRYPTO;
    }
    /* The halves and the scratch hold numbers modulo the primes. */
    onward_core__wipe(rsa->s,
                      (size_t)(rsa->scratch - rsa->s + rsa->scratch_limbs) *
                          sizeof(mp_limb_t));
    return ret;
}

/* ---- Checking a key ---------------------------------------------------- */

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
    return is_small(c->wide, limbs, 1);
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
    mp_size_t most = max_size(k->p_limbs, k->q_limbs);
    mp_size_t scratch = max_size(mpn_sec_mul_itch(most, most),
                                 mpn_sec_div_r_itch(2 * most, most));
    size_t octets = (size_t)(3 * most + scratch) * sizeof(mp_limb_t);
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
