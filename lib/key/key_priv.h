/*
 * The inside of a private key, for the files of this module.
 */
#ifndef ONWARD_KEY_KEY_PRIV_H
#define ONWARD_KEY_KEY_PRIV_H

#include "key/pubkey_priv.h"

/* The primes need not be of equal size, but neither is below a quarter. */
#define ONWARD_KEY__PRIME_LIMBS_MAX (ONWARD_KEY__LIMBS_MAX * 3 / 4)

/* RSA in the form that signs (RFC 8017 section 3.2, second representation).
 * Numbers modulo p have p_limbs limbs, those modulo q q_limbs; the top limbs
 * of p and q are not 0, and no exponent has more bits than its prime. */
struct onward_key__primes {
    mp_size_t p_limbs, q_limbs;
    size_t p_bits, q_bits;
    mp_limb_t p[ONWARD_KEY__PRIME_LIMBS_MAX];
    mp_limb_t q[ONWARD_KEY__PRIME_LIMBS_MAX];
    mp_limb_t dp[ONWARD_KEY__PRIME_LIMBS_MAX];   /* d mod p - 1 */
    mp_limb_t dq[ONWARD_KEY__PRIME_LIMBS_MAX];   /* d mod q - 1 */
    mp_limb_t qinv[ONWARD_KEY__PRIME_LIMBS_MAX]; /* q^-1 mod p */
    /* For Montgomery products (mont_priv.h). */
    mp_limb_t p_inverse, q_inverse;
    mp_limb_t p_r_square[ONWARD_KEY__PRIME_LIMBS_MAX];
    mp_limb_t q_r_square[ONWARD_KEY__PRIME_LIMBS_MAX];
};

struct onward_key {
    struct onward_ctx *ctx;
    atomic_size_t refs;
    struct onward_pubkey *pub;
    uint8_t seed[32]; /* Ed25519 */
    struct onward_key__primes rsa;
    uint8_t *pkcs1; /* RSA: RSAPrivateKey, for writing */
    size_t pkcs1_len;
};

/* Read PKCS#8 or PKCS#1; label says what the PEM line promised. */
enum onward_key__form {
    ONWARD_KEY__FORM_ANY,
    ONWARD_KEY__FORM_PKCS8,
    ONWARD_KEY__FORM_PKCS1
};

ONWARD_USE_RESULT int onward_key__read(struct onward_ctx *ctx,
                                       struct onward_key__der in,
                                       enum onward_key__form form,
                                       struct onward_key__why *why,
                                       struct onward_key **key);
/* Do the parts of the key belong together? */
ONWARD_USE_RESULT bool
onward_key__primes_fit(struct onward_ctx *ctx,
                       const struct onward_key__primes *rsa,
                       const struct onward_pubkey *pub, int *err);
/* What signing needs, from p and q. */
void onward_key__primes_prepare(struct onward_key__primes *rsa);

#endif
