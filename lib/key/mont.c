/* Montgomery products for secrets; mont_priv.h says what they promise. */
#include "key/mont_priv.h"

#include "core/compiler.h"

/* A window of 5 bits is the best for exponents of 400 to 1500 bits. */
#define WINDOW 5
#define TABLE_SIZE ((mp_size_t)1 << WINDOW)

/* What lies at work: a product, a factor, GMP's own room, the powers. */
static mp_size_t scratch_limbs(mp_size_t limbs)
{
    mp_size_t mul = mpn_sec_mul_itch(limbs, limbs);
    mp_size_t sqr = mpn_sec_sqr_itch(limbs);

    return mul > sqr ? mul : sqr;
}

static mp_limb_t *factor_at(mp_size_t limbs, mp_limb_t *work)
{
    return work + 2 * limbs;
}

static mp_limb_t *scratch_at(mp_size_t limbs, mp_limb_t *work)
{
    return work + 3 * limbs;
}

static mp_limb_t *table_at(mp_size_t limbs, mp_limb_t *work)
{
    return scratch_at(limbs, work) + scratch_limbs(limbs);
}

mp_size_t onward_key__mont_work(mp_size_t limbs)
{
    return 3 * limbs + scratch_limbs(limbs);
}

mp_size_t onward_key__mont_power_work(mp_size_t limbs)
{
    return onward_key__mont_work(limbs) + TABLE_SIZE * limbs;
}

/* By Newton's iteration: an odd number is its own inverse modulo 8, and each
 * step doubles the bits that are right. */
mp_limb_t onward_key__mont_inverse(mp_limb_t m)
{
    mp_limb_t inverse = m;

    for (int bits = 3; bits < GMP_NUMB_BITS; bits *= 2)
        inverse *= 2 - m * inverse;
    return (mp_limb_t)0 - inverse;
}

/* x minus m when carry (a limb above x) is 1 or x is not below m. */
static void subtract_once(mp_limb_t *x, mp_limb_t carry, const mp_limb_t *m,
                          mp_size_t limbs, mp_limb_t *work)
{
    mp_limb_t borrow = mpn_sub_n(work, x, m, limbs);

    mpn_cnd_sub_n(carry | (borrow ^ 1), x, x, m, limbs);
}

/* 1 doubled as often as R^2 has bits: only steps whose course does not depend
 * on m, and once a key. */
void onward_key__mont_square_of_r(mp_limb_t *out, const mp_limb_t *m,
                                  mp_size_t limbs, mp_limb_t *work)
{
    mpn_zero(out, limbs);
    out[0] = 1;
    for (mp_size_t i = 0; i < 2 * limbs * GMP_NUMB_BITS; i++) {
        mp_limb_t carry = mpn_lshift(out, out, limbs, 1);

        subtract_once(out, carry, m, limbs, work);
    }
}

/* out = t / R modulo m, below R; t has 2 * limbs and is used up. */
static void reduce(const struct onward_key__mont *mod, mp_limb_t *out,
                   mp_limb_t *t)
{
    mp_size_t limbs = mod->limbs;

    /* Each step makes one limb 0 by adding a multiple of m; its carry waits in
     * that limb's place until the end. */
    for (mp_size_t i = 0; i < limbs; i++)
        t[i] = mpn_addmul_1(t + i, mod->m, limbs, t[i] * mod->inverse);
    mpn_cnd_sub_n(mpn_add_n(out, t + limbs, t, limbs), out, out, mod->m, limbs);
}

void onward_key__mont_mul(const struct onward_key__mont *mod, mp_limb_t *out,
                          const mp_limb_t *a, const mp_limb_t *b,
                          mp_limb_t *work)
{
    mp_size_t limbs = mod->limbs;

    mpn_sec_mul(work, a, limbs, b, limbs, scratch_at(limbs, work));
    reduce(mod, out, work);
}

void onward_key__mont_sqr(const struct onward_key__mont *mod, mp_limb_t *out,
                          const mp_limb_t *a, mp_limb_t *work)
{
    mp_size_t limbs = mod->limbs;

    mpn_sec_sqr(work, a, limbs, scratch_at(limbs, work));
    reduce(mod, out, work);
}

/* With one factor below m and the other below R, what reduce() makes is below
 * 2m: it takes m away on a carry, so that once more is enough. */
void onward_key__mont_mul_reduced(const struct onward_key__mont *mod,
                                  mp_limb_t *out, const mp_limb_t *a,
                                  const mp_limb_t *b, mp_limb_t *work)
{
    onward_key__mont_mul(mod, out, a, b, work);
    subtract_once(out, 0, mod->m, mod->limbs, work);
}

/* Horner's rule over pieces of x as long as m, the top one first. */
void onward_key__mont_enter(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *x, mp_size_t x_limbs,
                            mp_limb_t *work)
{
    mp_size_t limbs = mod->limbs, pieces = (x_limbs + limbs - 1) / limbs;
    mp_limb_t *piece = factor_at(limbs, work);

    mpn_zero(out, limbs);
    while (pieces-- > 0) {
        mp_size_t at = pieces * limbs;
        mp_size_t have = x_limbs - at < limbs ? x_limbs - at : limbs;
        mp_limb_t carry;

        mpn_zero(piece, limbs);
        mpn_copyi(piece, x + at, have);
        onward_key__mont_mul_reduced(mod, piece, piece, mod->r_square, work);
        onward_key__mont_mul_reduced(mod, out, out, mod->r_square, work);
        carry = mpn_add_n(out, out, piece, limbs);
        subtract_once(out, carry, mod->m, limbs, work);
    }
}

void onward_key__mont_leave(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *a, mp_limb_t *work)
{
    mp_size_t limbs = mod->limbs;

    mpn_copyi(work, a, limbs);
    mpn_zero(work + limbs, limbs);
    reduce(mod, out, work);
    subtract_once(out, 0, mod->m, limbs, work);
}

/* WINDOW bits of d from that bit on; which limbs they lie in is no secret. */
static mp_limb_t window(const mp_limb_t *d, mp_size_t limbs, mp_bitcnt_t bit)
{
    mp_size_t at = (mp_size_t)(bit / GMP_NUMB_BITS);
    unsigned shift = (unsigned)(bit % GMP_NUMB_BITS);
    mp_limb_t value = d[at] >> shift;

    if (shift > GMP_NUMB_BITS - WINDOW && at + 1 < limbs)
        value |= d[at + 1] << (GMP_NUMB_BITS - shift);
    return value & ((mp_limb_t)TABLE_SIZE - 1);
}

/* Some limbs that are handled as one. */
#if defined(__GNUC__)
typedef mp_limb_t lane
    __attribute__((vector_size(16), aligned(sizeof(mp_limb_t)), may_alias));
#else
typedef mp_limb_t lane;
#endif
enum { LANE = sizeof(lane) / sizeof(mp_limb_t) };

/* All ones when i is `which`. Clang 14 makes a branch of it if it may. */
static mp_limb_t mask_of(mp_limb_t i, mp_limb_t which)
{
    mp_limb_t mask = (mp_limb_t)0 - (((i ^ which) - 1) >> (GMP_NUMB_BITS - 1));

    ONWARD_OPAQUE(mask);
    return mask;
}

/* out = entry `which` of the table, all of which is read. mpn_sec_tabselect()
 * does that too; this takes half its time, and 3% of a signature less. */
static void choose(mp_limb_t *out, const mp_limb_t *table, mp_size_t limbs,
                   mp_limb_t which)
{
    mp_size_t at = 0;

    for (; at + 4 * LANE <= limbs; at += 4 * LANE) {
        const mp_limb_t *entry = table + at;
        lane a = {0}, b = {0}, c = {0}, d = {0};
        lane *to = (lane *)(out + at);

        for (mp_limb_t i = 0; i < TABLE_SIZE; i++, entry += limbs) {
            const lane *from = (const lane *)entry;
            mp_limb_t mask = mask_of(i, which);

            a |= from[0] & mask;
            b |= from[1] & mask;
            c |= from[2] & mask;
            d |= from[3] & mask;
        }
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
    }
    for (; at < limbs; at++) {
        out[at] = 0;
        for (mp_limb_t i = 0; i < TABLE_SIZE; i++)
            out[at] |= table[(mp_size_t)i * limbs + at] & mask_of(i, which);
    }
}

/* Every window costs the same squarings, a factor chosen by reading the whole
 * table, and a product, that with power 0 too. */
void onward_key__mont_power(const struct onward_key__mont *mod, mp_limb_t *out,
                            const mp_limb_t *a, const mp_limb_t *d,
                            mp_bitcnt_t bits, mp_limb_t *work)
{
    mp_size_t limbs = mod->limbs;
    mp_bitcnt_t windows = (bits + WINDOW - 1) / WINDOW;
    mp_limb_t *table = table_at(limbs, work), *factor = factor_at(limbs, work);

    onward_key__mont_leave(mod, table, mod->r_square, work);
    mpn_copyi(table + limbs, a, limbs);
    for (mp_size_t i = 2; i < TABLE_SIZE; i += 2) {
        mp_limb_t *even = table + i * limbs;

        onward_key__mont_sqr(mod, even, table + i / 2 * limbs, work);
        onward_key__mont_mul(mod, even + limbs, even, a, work);
    }
    mpn_copyi(out, table, limbs);
    while (windows-- > 0) {
        for (int i = 0; i < WINDOW; i++)
            onward_key__mont_sqr(mod, out, out, work);
        choose(factor, table, limbs, window(d, limbs, windows * WINDOW));
        onward_key__mont_mul(mod, out, out, factor, work);
    }
}
