/*
 * RSA PKCS#1 v1.5 signatures by the Chinese remainder theorem (RFC 8017
 * sections 5.2.1 and 8.2.1). doc/signing.md has the reasons for what is here.
 *
 * All numbers that depend on the key go through mont.c and GMP's mpn_sec_
 * functions, and lie in one block of the context's memory that is wiped. Time
 * and addresses depend on sizes alone. On top of that the message is blinded:
 * the private exponents see m * r^e, never m. Making r^e and 1/r costs as much
 * as half a signature, so the pair is kept, squared after each use (r becomes
 * r^2), and made anew after BLINDING_USES. A pair belongs to one workspace and
 * so to one thread: two signatures that share r would leak the quotient of
 * their messages' roots.
 *
 * Before a signature leaves it is raised to e. One that a fault made would tell
 * the primes: gcd(s^e - m, n) is one of them.
 */
#include "key/mont_priv.h"
#include "key/reveal_priv.h"
#include "key/rsa_priv.h"

#define BLINDING_USES 50 /* OpenSSL has 32, NSS 50 */

struct onward_key__rsa {
    const struct onward_key *key;
    struct onward_key__mont n, p, q;
    unsigned uses_left;
    size_t octets;      /* of this block, to wipe it */
    mp_limb_t *blind;   /* r^e * R mod n, n_limbs as the next ones */
    mp_limb_t *unblind; /* 1/r * R mod n */
    mp_limb_t *m;       /* the padded message */
    mp_limb_t *s;       /* from here on: wiped after each signature */
    mp_limb_t *check;   /* s^e mod n */
    mp_limb_t *wide;    /* a product, wide_size() */
    mp_limb_t *xp, *xq; /* the root modulo p and q */
    mp_limb_t *h;       /* modulo p */
    mp_limb_t *work;
    mp_limb_t *end;
    mp_limb_t limbs[];
};

static mp_size_t max_size(mp_size_t a, mp_size_t b)
{
    return a > b ? a : b;
}

/* Room for h * q, which has a limb more than n when the top one is 0, and for
 * a random number that is longer than n. */
static mp_size_t wide_size(mp_size_t nn)
{
    return nn + max_size(ONWARD_KEY__E_LIMBS, 1);
}

/* GMP_NUMB_BITS times limbs, as GMP counts bits. */
static mp_bitcnt_t limb_bits(mp_size_t limbs)
{
    return (mp_bitcnt_t)limbs * GMP_NUMB_BITS;
}

static mp_size_t work_size(mp_size_t nn, mp_size_t pn, mp_size_t qn)
{
    mp_size_t longer = max_size(pn, qn), size = onward_key__mont_work(nn);

    size = max_size(size, onward_key__mont_power_work(longer));
    size = max_size(size, mpn_sec_mul_itch(longer, pn + qn - longer));
    size = max_size(size, mpn_sec_add_1_itch(pn));
    return max_size(size, mpn_sec_invert_itch(nn));
}

int onward_key__rsa_new(struct onward_key *key, struct onward_key__rsa **out)
{
    const struct onward_pubkey *pub = key->pub;
    const struct onward_key__primes *k = &key->rsa;
    mp_size_t nn = pub->n_limbs, pn = k->p_limbs, qn = k->q_limbs;
    size_t limbs =
        (size_t)(5 * nn + wide_size(nn) + 2 * pn + qn + work_size(nn, pn, qn));
    size_t octets = sizeof(struct onward_key__rsa) + limbs * sizeof(mp_limb_t);
    struct onward_key__rsa *rsa = onward_core__zalloc(key->ctx, octets);
    mp_limb_t *at;

    if (rsa == NULL)
        return ONWARD_ENOMEM;
    rsa->key = key;
    rsa->n =
        (struct onward_key__mont){nn, pub->n, pub->r_square, pub->n_inverse};
    rsa->p = (struct onward_key__mont){pn, k->p, k->p_r_square, k->p_inverse};
    rsa->q = (struct onward_key__mont){qn, k->q, k->q_r_square, k->q_inverse};
    rsa->octets = octets;
    at = rsa->limbs;
    rsa->blind = at;
    rsa->unblind = at += nn;
    rsa->m = at += nn;
    rsa->s = at += nn;
    rsa->check = at += nn;
    rsa->wide = at += nn;
    rsa->xp = at += wide_size(nn);
    rsa->xq = at += pn;
    rsa->h = at += qn;
    rsa->work = at + pn;
    rsa->end = rsa->limbs + limbs;
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

/* Is x the number 0 or 1? In constant time; the answer is no secret, it comes
 * from a broken random source and not by chance. */
static bool is_trivial(const mp_limb_t *x, mp_size_t limbs)
{
    mp_limb_t bits = x[0] >> 1;

    for (mp_size_t i = 1; i < limbs; i++)
        bits |= x[i];
    return onward_key__reveal(bits == 0);
}

/* Bits of the public exponent; it is no secret. */
static mp_bitcnt_t exponent_bits(const struct onward_pubkey *pub)
{
    mp_bitcnt_t bits = limb_bits(pub->e_limbs - 1);

    for (mp_limb_t top = pub->e[pub->e_limbs - 1]; top != 0; top >>= 1)
        bits++;
    return bits;
}

/*
 * out = x^e mod n, reduced, of x * R at x_r. e is odd and not 1, so the last
 * product is with x itself: `last` x gives the power, `last` x * R the power
 * times R. last must be reduced.
 */
static void raise_to_e(struct onward_key__rsa *rsa, mp_limb_t *out,
                       const mp_limb_t *x_r, const mp_limb_t *last)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_bitcnt_t bit = exponent_bits(pub) - 1;

    mpn_copyi(out, x_r, pub->n_limbs);
    while (--bit > 0) {
        onward_key__mont_sqr(&rsa->n, out, out, rsa->work);
        if ((pub->e[bit / GMP_NUMB_BITS] >> (bit % GMP_NUMB_BITS) & 1) != 0)
            onward_key__mont_mul(&rsa->n, out, out, x_r, rsa->work);
    }
    onward_key__mont_sqr(&rsa->n, out, out, rsa->work);
    onward_key__mont_mul_reduced(&rsa->n, out, out, last, rsa->work);
}

/* r is taken from 64 bits more than n has: no residue is likelier than another
 * by more than 2^-64. */
static int renew_blinding(struct onward_key__rsa *rsa)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    mp_size_t nn = pub->n_limbs, longer = nn + ONWARD_KEY__E_LIMBS;
    int ret = onward_core__random(rsa->key->ctx, rsa->wide,
                                  (size_t)longer * sizeof(mp_limb_t));

    if (ret != 0)
        return ret;
    onward_key__mont_enter(&rsa->n, rsa->check, rsa->wide, longer, rsa->work);
    onward_key__mont_leave(&rsa->n, rsa->s, rsa->check, rsa->work);
    if (is_trivial(rsa->s, nn))
        return ONWARD_ERANDOM;
    raise_to_e(rsa, rsa->blind, rsa->check, rsa->check);
    /* A multiple of a prime has no inverse; it does not come by chance. */
    if (!onward_key__reveal(mpn_sec_invert(rsa->unblind, rsa->s, pub->n, nn,
                                           2 * limb_bits(nn), rsa->work)))
        return ONWARD_ERANDOM;
    onward_key__mont_mul(&rsa->n, rsa->unblind, rsa->unblind, pub->r_square,
                         rsa->work);
    rsa->uses_left = BLINDING_USES;
    return 0;
}

/* out = s^d modulo a prime, reduced. */
static void root_of(struct onward_key__rsa *rsa,
                    const struct onward_key__mont *prime, mp_limb_t *out,
                    const mp_limb_t *d, size_t bits)
{
    onward_key__mont_enter(prime, out, rsa->s, rsa->n.limbs, rsa->work);
    onward_key__mont_power(prime, out, out, d, (mp_bitcnt_t)bits, rsa->work);
    onward_key__mont_leave(prime, out, out, rsa->work);
}

/* h = (xp - xq) / q mod p. xq may be larger than p, in limbs too. */
static void garner(struct onward_key__rsa *rsa)
{
    const struct onward_key__primes *k = &rsa->key->rsa;
    const struct onward_key__mont *p = &rsa->p;
    mp_limb_t *h = rsa->h, borrow;

    onward_key__mont_enter(p, h, rsa->xq, k->q_limbs, rsa->work);
    onward_key__mont_leave(p, h, h, rsa->work);
    borrow = mpn_sub_n(h, rsa->xp, h, p->limbs);
    mpn_cnd_add_n(borrow, h, h, p->m, p->limbs);
    onward_key__mont_mul(p, h, h, p->r_square, rsa->work);
    onward_key__mont_mul_reduced(p, h, h, k->qinv, rsa->work);
}

/* s = s^d mod n, reduced, from the two halves: xq + h * q. */
static void root(struct onward_key__rsa *rsa)
{
    const struct onward_key__primes *k = &rsa->key->rsa;
    mp_size_t pn = k->p_limbs, qn = k->q_limbs;
    mp_limb_t carry;

    root_of(rsa, &rsa->p, rsa->xp, k->dp, k->p_bits);
    root_of(rsa, &rsa->q, rsa->xq, k->dq, k->q_bits);
    garner(rsa);
    /* mpn_sec_mul wants the longer factor first. */
    if (pn >= qn)
        mpn_sec_mul(rsa->wide, rsa->h, pn, k->q, qn, rsa->work);
    else
        mpn_sec_mul(rsa->wide, k->q, qn, rsa->h, pn, rsa->work);
    carry = mpn_add_n(rsa->wide, rsa->wide, rsa->xq, qn);
    mpn_sec_add_1(rsa->wide + qn, rsa->wide + qn, pn, carry, rsa->work);
    mpn_copyi(rsa->s, rsa->wide, rsa->n.limbs);
}

/* Is s^e the message? */
static bool is_root(struct onward_key__rsa *rsa)
{
    mp_size_t nn = rsa->n.limbs;

    onward_key__mont_mul(&rsa->n, rsa->wide, rsa->s, rsa->n.r_square,
                         rsa->work);
    raise_to_e(rsa, rsa->check, rsa->wide, rsa->s);
    return onward_key__reveal(onward_core__equal_secret(
        rsa->check, rsa->m, (size_t)nn * sizeof(mp_limb_t)));
}

int onward_key__rsa_sign(struct onward_key__rsa *rsa, const uint8_t *digest,
                         uint8_t *signature)
{
    const struct onward_pubkey *pub = rsa->key->pub;
    int ret = 0;

    if (rsa->uses_left == 0)
        ret = renew_blinding(rsa);
    if (ret != 0)
        return ret;
    onward_key__rsa_pad(pub, rsa->m, digest);
    onward_key__mont_mul(&rsa->n, rsa->s, rsa->m, rsa->blind, rsa->work);
    root(rsa);
    onward_key__mont_mul_reduced(&rsa->n, rsa->s, rsa->s, rsa->unblind,
                                 rsa->work);
    if (is_root(rsa)) {
        onward_key__limbs_to(signature, pub->octets, rsa->s, pub->n_limbs);
        onward_key__publish(signature, pub->octets);
        rsa->uses_left--;
        onward_key__mont_sqr(&rsa->n, rsa->blind, rsa->blind, rsa->work);
        onward_key__mont_sqr(&rsa->n, rsa->unblind, rsa->unblind, rsa->work);
    } else {
        rsa->uses_left = 0; /* the pair may be what went wrong */
        ret = ONWARD_ECRYPTO;
    }
    /* The halves and the work hold numbers modulo the primes. */
    onward_core__wipe(rsa->s, (size_t)(rsa->end - rsa->s) * sizeof(mp_limb_t));
    return ret;
}
