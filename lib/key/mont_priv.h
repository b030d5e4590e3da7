/*
 * Arithmetic modulo an odd number for secrets: Montgomery products over GMP's
 * mpn functions. Which instructions run and which addresses are touched depends
 * on the sizes alone, never on the numbers, the modulus included. (GMP's own
 * mpn_sec_powm and mpn_sec_div_r look up the modulus' inverse in a table, at
 * an address made of the modulus: for a prime of a key that is a leak.)
 * tests/key/silent holds this under valgrind; doc/signing.md has the reasons.
 *
 * R is 2 to the bits of `limbs` limbs. Every number has that many limbs and is
 * below R, not always below the modulus: a function that says "reduced" gives
 * one that is.
 */
#ifndef ONWARD_KEY_MONT_PRIV_H
#define ONWARD_KEY_MONT_PRIV_H

#include <stddef.h>

#include <gmp.h>

/* A modulus m with what its products need; all borrowed. */
struct onward_key__mont {
    mp_size_t limbs;
    const mp_limb_t *m;
    const mp_limb_t *r_square; /* R^2 modulo m, reduced */
    mp_limb_t inverse;         /* -1/m modulo a limb */
};

/* Limbs that the functions below need at `work` for a modulus of that size. */
mp_size_t onward_key__mont_work(mp_size_t limbs);
mp_size_t onward_key__mont_power_work(mp_size_t limbs);

/* -1/m modulo a limb, from the lowest limb of an odd m. */
mp_limb_t onward_key__mont_inverse(mp_limb_t m);
/* out = R^2 modulo m, reduced; at work as many limbs as m has. m has at least
 * one bit set, its top limb may be 0. */
void onward_key__mont_square_of_r(mp_limb_t *out, const mp_limb_t *m,
                                  mp_size_t limbs, mp_limb_t *work);

/* out = a * b / R modulo m. out may be a or b. */
void onward_key__mont_mul(const struct onward_key__mont *mod, mp_limb_t *out,
                          const mp_limb_t *a, const mp_limb_t *b,
                          mp_limb_t *work);
/* out = a * a / R modulo m. out may be a. */
void onward_key__mont_sqr(const struct onward_key__mont *mod, mp_limb_t *out,
                          const mp_limb_t *a, mp_limb_t *work);
/* The same as mul, reduced; a or b must be. */
void onward_key__mont_mul_reduced(const struct onward_key__mont *mod,
                                  mp_limb_t *out, const mp_limb_t *a,
                                  const mp_limb_t *b, mp_limb_t *work);
/* out = x * R modulo m, of any number x of x_limbs. out is not x. */
void onward_key__mont_enter(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *x, mp_size_t x_limbs,
                            mp_limb_t *work);
/* out = a / R modulo m, reduced. out may be a. */
void onward_key__mont_leave(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *a, mp_limb_t *work);
/* out = a^d * R modulo m of a * R, for a secret d of that many bits, which has
 * as many limbs as m. out may be a. Takes mont_power_work(). */
void onward_key__mont_power(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *a, const mp_limb_t *d,
                            mp_bitcnt_t bits, mp_limb_t *work);

#endif
