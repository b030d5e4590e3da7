/* Hash tables of nodes that live in their items, keyed by SipHash-2-4. */
#include "core/ctx_priv.h"

enum { FIRST_SLOTS = 16 };

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* Little-endian, whatever the machine is; compilers make one load of it. */
static uint64_t load_word(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
           (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The ASCII letters among eight octets, lower-cased: bit 7 of each octet says
 * whether it is a capital, and moves to bit 5. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & (ones * 0x7f);
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t past_z = low + ones * (0x7f - 'Z');

    return word | ((from_a ^ past_z) & ~word & (ones << 7)) >> 2;
}

static uint64_t sip(const uint64_t key[2], const unsigned char *data,
                    size_t len, bool lower)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575u,
        key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u,
        key[1] ^ 0x7465646279746573u,
    };
    unsigned char tail[8] = {0};
    size_t left = len;
    uint64_t word;

    for (; left >= 8; left -= 8, data += 8) {
        word = load_word(data);
        sip_word(v, lower ? lower_word(word) : word);
    }
    if (left > 0)
        memcpy(tail, data, left);
    word = load_word(tail);
    sip_word(v, (lower ? lower_word(word) : word) | (uint64_t)(len & 0xff)
                                                        << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t onward_core__siphash(const uint64_t key[2], const void *data,
                              size_t len)
{
    return sip(key, data, len, false);
}

uint64_t onward_core__siphash_lower(const uint64_t key[2], const void *data,
                                    size_t len)
{
    return sip(key, data, len, true);
}

uint64_t onward_core__hash(const struct onward_ctx *ctx, const void *data,
                           size_t len)
{
    return sip(ctx->hash_key, data, len, false);
}

uint64_t onward_core__hash_lower(const struct onward_ctx *ctx, const void *data,
                                 size_t len)
{
    return sip(ctx->hash_key, data, len, true);
}

int onward_core__table_init(struct onward_core__table *t,
                            struct onward_ctx *ctx)
{
    *t = (struct onward_core__table){.ctx = ctx};
    t->slots = onward_core__zalloc(ctx, FIRST_SLOTS * sizeof(*t->slots));
    if (t->slots == NULL)
        return ONWARD_ENOMEM;
    t->slot_count = FIRST_SLOTS;
    return 0;
}

void onward_core__table_clear(struct onward_core__table *t)
{
    if (t->ctx != NULL)
        onward_core__free(t->ctx, t->slots);
    *t = (struct onward_core__table){0};
}

static struct onward_core__node **slot_of(const struct onward_core__table *t,
                                          uint64_t hash)
{
    return &t->slots[(size_t)hash & (t->slot_count - 1)];
}

static void grow(struct onward_core__table *t)
{
    struct onward_core__table bigger = {.ctx = t->ctx};

    if (t->slot_count > SIZE_MAX / 2 / sizeof(*t->slots))
        return;
    bigger.slot_count = t->slot_count * 2;
    bigger.slots =
        onward_core__zalloc(t->ctx, bigger.slot_count * sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return;
    for (size_t i = 0; i < t->slot_count; i++) {
        struct onward_core__node *node = t->slots[i];

        while (node != NULL) {
            struct onward_core__node *next = node->next;
            struct onward_core__node **slot = slot_of(&bigger, node->hash);

            node->next = *slot;
            *slot = node;
            node = next;
        }
    }
    onward_core__free(t->ctx, t->slots);
    t->slots = bigger.slots;
    t->slot_count = bigger.slot_count;
}

void onward_core__table_add(struct onward_core__table *t,
                            struct onward_core__node *node, uint64_t hash)
{
    struct onward_core__node **slot;

    if (t->count >= t->slot_count)
        grow(t);
    slot = slot_of(t, hash);
    node->hash = hash;
    node->next = *slot;
    *slot = node;
    t->count++;
}

void onward_core__table_remove(struct onward_core__table *t,
                               struct onward_core__node *node)
{
    struct onward_core__node **at = slot_of(t, node->hash);

    while (*at != NULL && *at != node)
        at = &(*at)->next;
    ONWARD_ASSERT(*at == node);
    if (*at == NULL)
        return;
    *at = node->next;
    node->next = NULL;
    t->count--;
}

struct onward_core__node *
onward_core__table_find(const struct onward_core__table *t, uint64_t hash)
{
    struct onward_core__node *node = *slot_of(t, hash);

    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct onward_core__node *
onward_core__table_find_next(const struct onward_core__node *node)
{
    uint64_t hash = node->hash;
    struct onward_core__node *next = node->next;

    while (next != NULL && next->hash != hash)
        next = next->next;
    return next;
}

struct onward_core__node *
onward_core__table_any(const struct onward_core__table *t)
{
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i] != NULL)
            return t->slots[i];
    }
    return NULL;
}
