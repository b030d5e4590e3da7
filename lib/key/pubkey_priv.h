/*
 * The inside of a public key, for the files of this module.
 */
#ifndef ONWARD_KEY_PUBKEY_PRIV_H
#define ONWARD_KEY_PUBKEY_PRIV_H

#include <stdatomic.h>

#include <gmp.h>

#include "key/der_priv.h"

#define ONWARD_KEY__LIMB_OCTETS (GMP_NUMB_BITS / 8)
#define ONWARD_KEY__LIMBS_MAX (ONWARD_KEY_RSA_BITS_MAX / GMP_NUMB_BITS)
#define ONWARD_KEY__E_LIMBS (64 / GMP_NUMB_BITS)
#define ONWARD_KEY__DIGEST_INFO_LEN 51

struct onward_pubkey {
    struct onward_ctx *ctx;
    atomic_size_t refs;
    uint32_t type;
    size_t bits;
    size_t octets; /* RSA: of the modulus, and so of a signature */
    /* RSA, in GMP's limbs: no memory of GMP's own is held. */
    mp_size_t n_limbs, e_limbs;
    mp_limb_t n[ONWARD_KEY__LIMBS_MAX];
    mp_limb_t e[ONWARD_KEY__E_LIMBS];
    /* For Montgomery products, R being 2 to the bits of n_limbs limbs. */
    mp_limb_t n_inverse;                       /* -1/n modulo a limb */
    mp_limb_t r_square[ONWARD_KEY__LIMBS_MAX]; /* R^2 modulo n */
    uint8_t ed25519[32];
};

/* Big-endian octets to limbs; exactly `limbs` of them, zero-filled on top. */
void onward_key__limbs_from(mp_limb_t *out, mp_size_t limbs,
                            const uint8_t *data, size_t len);
/* The low len octets of the limbs, big-endian. */
void onward_key__limbs_to(uint8_t *out, size_t len, const mp_limb_t *in,
                          mp_size_t limbs);
/* Significant bits of big-endian octets. */
size_t onward_key__bits(const struct onward_key__der *number);

/* What verifying with an RSA key needs, from its n. */
void onward_key__rsa_prepare(struct onward_pubkey *pub);
/* out = s^e mod n; s is below n, both have n_limbs limbs. Not for secrets. */
void onward_key__rsa_raise(const struct onward_pubkey *pub, mp_limb_t *out,
                           const mp_limb_t *s);
/* A digest padded by EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) to the length of
 * the modulus, as n_limbs limbs. */
void onward_key__rsa_pad(const struct onward_pubkey *pub, mp_limb_t *out,
                         const uint8_t *digest);

/* Limits and shape of an RSA key, then the key itself. */
ONWARD_USE_RESULT int onward_key__pubkey_new_rsa(
    struct onward_ctx *ctx, const struct onward_key__der *n,
    const struct onward_key__der *e, struct onward_key__why *why,
    struct onward_pubkey **pub);
/* Ed25519 over any message; onward_pubkey_verify() is this over a digest. */
bool onward_key__ed25519_verify(const struct onward_pubkey *pub,
                                const uint8_t *message, size_t message_len,
                                const uint8_t *signature, size_t len);
/* DigestInfo of a SHA-256 digest (RFC 8017 section 9.2, note 1). */
void onward_key__digest_info(uint8_t out[ONWARD_KEY__DIGEST_INFO_LEN],
                             const uint8_t *digest);

#endif
