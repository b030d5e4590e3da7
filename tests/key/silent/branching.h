/*
 * The control: lib/key with the mistake that such arithmetic invites, a last
 * subtraction made only where it is needed (-include, after reveal.h).
 */
#include <gmp.h>

static inline mp_limb_t branching_cnd_sub_n(mp_limb_t condition, mp_limb_t *out,
                                            const mp_limb_t *a,
                                            const mp_limb_t *b, mp_size_t limbs)
{
    if (condition != 0)
        return mpn_sub_n(out, a, b, limbs);
    if (out != a)
        mpn_copyi(out, a, limbs);
    return 0;
}

#undef mpn_cnd_sub_n
#define mpn_cnd_sub_n branching_cnd_sub_n
