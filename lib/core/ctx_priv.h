/* The inside of the context. */
#ifndef ONWARD_CORE_CTX_PRIV_H
#define ONWARD_CORE_CTX_PRIV_H

#include <stdatomic.h>

#include "core/core_shared.h"

struct onward_ctx {
    struct onward_allocator allocator;
    struct onward_clock clock;
    struct onward_random random;
    struct onward_log log;
    struct onward_limits limits;
    uint64_t hash_key[2]; /* of the hash tables over peer data */
    atomic_size_t refs;
};

extern const struct onward_allocator onward_core__default_allocator;

#endif
