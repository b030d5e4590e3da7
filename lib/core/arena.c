/* Arenas: chunks of doubling size, freed in one step. */
#include <stdalign.h>

#include "core/core_shared.h"

enum { FIRST_CHUNK = 512, LARGEST_CHUNK = 32 * 1024 };

struct onward_core__chunk {
    struct onward_core__chunk *next;
    size_t cap;
    size_t len;
    alignas(max_align_t) unsigned char data[];
};

void onward_core__arena_init(struct onward_arena *a, struct onward_ctx *ctx,
                             size_t max)
{
    *a = (struct onward_arena){.ctx = ctx, .max = max};
}

static void free_chunks(struct onward_arena *a,
                        const struct onward_core__chunk *kept)
{
    struct onward_core__chunk *c = a->chunks;

    while (c != NULL) {
        struct onward_core__chunk *next = c->next;

        if (c != kept) {
            a->used -= sizeof(*c) + c->cap;
            onward_core__free(a->ctx, c);
        }
        c = next;
    }
}

void onward_core__arena_clear(struct onward_arena *a)
{
    free_chunks(a, NULL);
    a->chunks = NULL;
}

void onward_core__arena_wipe(struct onward_arena *a)
{
    for (struct onward_core__chunk *c = a->chunks; c != NULL; c = c->next)
        onward_core__wipe(c->data, c->len);
    onward_core__arena_clear(a);
}

void onward_core__arena_reset(struct onward_arena *a)
{
    struct onward_core__chunk *kept = a->chunks;

    while (kept != NULL && kept->cap > LARGEST_CHUNK)
        kept = kept->next;
    free_chunks(a, kept);
    a->chunks = kept;
    if (kept == NULL)
        return;
    kept->next = NULL;
    memset(kept->data, 0, kept->len);
    kept->len = 0;
}

static struct onward_core__chunk *add_chunk(struct onward_arena *a,
                                            size_t bytes)
{
    size_t first = a->first != 0 ? a->first : FIRST_CHUNK;
    size_t cap = a->chunks == NULL ? first : a->chunks->cap * 2;
    struct onward_core__chunk *c;

    if (cap > LARGEST_CHUNK)
        cap = LARGEST_CHUNK;
    if (cap < bytes)
        cap = bytes;
    if (a->used > a->max || a->max - a->used < sizeof(*c))
        return NULL;
    if (cap > a->max - a->used - sizeof(*c))
        cap = a->max - a->used - sizeof(*c);
    if (cap < bytes)
        return NULL;
    c = onward_core__zalloc(a->ctx, sizeof(*c) + cap);
    if (c == NULL)
        return NULL;
    c->cap = cap;
    c->next = a->chunks;
    a->chunks = c;
    a->used += sizeof(*c) + cap;
    return c;
}

void *onward_core__arena_alloc(struct onward_arena *a, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    struct onward_core__chunk *c = a->chunks;
    void *at;

    if (bytes == 0)
        bytes = 1;
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + align - 1) / align * align;
    if (c == NULL || bytes > c->cap - c->len)
        c = add_chunk(a, bytes);
    if (c == NULL)
        return NULL;
    at = c->data + c->len;
    c->len += bytes;
    return at;
}

void *onward_core__arena_array(struct onward_arena *a, size_t count,
                               size_t item_size)
{
    size_t bytes;

    if (onward_size_mul(count, item_size, &bytes) != 0)
        return NULL;
    return onward_core__arena_alloc(a, bytes);
}

int onward_core__arena_dup(struct onward_arena *a, struct onward_str s,
                           struct onward_str *out)
{
    char *copy;

    if (s.len == 0) {
        *out = onward_core__str("", 0);
        return 0;
    }
    copy = onward_core__arena_alloc(a, s.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    memcpy(copy, s.data, s.len);
    *out = onward_core__str(copy, s.len);
    return 0;
}
