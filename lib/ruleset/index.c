/*
 * An index while it grows: an open-addressed hash table of 8 octets a slot, at
 * most three quarters full.
 */
#include "ruleset/image_priv.h"

enum { FIRST_BITS = 3, BITS_MAX = 31 };

int onward_ruleset__index_init(struct onward_ruleset__index *index,
                               struct onward_ctx *ctx)
{
    *index = (struct onward_ruleset__index){.ctx = ctx, .bits = FIRST_BITS};
    index->slots = onward_core__zalloc(ctx, 8u << FIRST_BITS);
    return index->slots == NULL ? ONWARD_ENOMEM : 0;
}

void onward_ruleset__index_clear(struct onward_ruleset__index *index)
{
    if (index->ctx != NULL)
        onward_core__free(index->ctx, index->slots);
    *index = (struct onward_ruleset__index){0};
}

static void put(unsigned char *slots, unsigned bits, uint64_t slot)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    uint64_t at = (uint64_t)(uint32_t)slot << bits >> 32;

    while (onward_ruleset__load64(slots + 8 * at) != 0)
        at = (at + 1) & mask;
    onward_ruleset__store64(slots + 8 * at, slot);
}

/* From slot to slot in order, so those of one hash keep theirs, but for those
 * that wrapped around; nobody relies on it. */
static int grow(struct onward_ruleset__index *index)
{
    unsigned bits = index->bits + 1;
    unsigned char *slots;

    if (bits > BITS_MAX || (SIZE_MAX >> bits) < 8)
        return ONWARD_ELIMIT;
    slots = onward_core__zalloc(index->ctx, (size_t)8 << bits);
    if (slots == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i >> index->bits == 0; i++) {
        uint64_t slot = onward_ruleset__load64(index->slots + 8 * i);

        if (slot != 0)
            put(slots, bits, slot);
    }
    onward_core__free(index->ctx, index->slots);
    index->slots = slots;
    index->bits = bits;
    return 0;
}

int onward_ruleset__index_add(struct onward_ruleset__index *index,
                              uint64_t hash, uint64_t place)
{
    int err = 0;

    if (place == 0 || place % 8 != 0 || place / 8 > UINT32_MAX)
        return ONWARD_ELIMIT;
    if ((index->count + 1) * 4 > (UINT64_C(3) << index->bits))
        err = grow(index);
    if (err != 0)
        return err;
    put(index->slots, index->bits, hash >> 32 | place / 8 << 32);
    index->count++;
    return 0;
}
