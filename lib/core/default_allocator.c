/*
 * The one place in the library that names malloc, realloc and free: the
 * allocator of a context whose host brings none. The imports test holds that no
 * other object file does.
 */
#include <stdlib.h>

#include "core/ctx_priv.h"

static void *default_alloc(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void *default_realloc(void *user, void *block, size_t bytes)
{
    (void)user;
    return realloc(block, bytes);
}

static void default_free(void *user, void *block)
{
    (void)user;
    free(block);
}

const struct onward_allocator onward_core__default_allocator = {
    .size = sizeof(struct onward_allocator),
    .user = NULL,
    .alloc = default_alloc,
    .realloc = default_realloc,
    .free = default_free,
};
