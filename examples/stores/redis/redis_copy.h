/*
 * What was last known of some keys: bounded, the longest unused go first.
 */
#ifndef REDIS_COPY_H
#define REDIS_COPY_H

#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

struct redis_copy;

struct redis_known {
    struct onward_str value; /* borrowed until the copy changes */
    uint64_t version;
    int64_t expires_s; /* 0: never */
};

struct redis_copy *redis_copy_new(size_t max_bytes);
void redis_copy_free(struct redis_copy *copy);
/* What cannot be kept is forgotten. */
void redis_copy_put(struct redis_copy *copy, struct onward_str key,
                    const struct redis_known *known);
void redis_copy_remove(struct redis_copy *copy, struct onward_str key);
/* 1 or 0. */
int redis_copy_get(struct redis_copy *copy, struct onward_str key,
                   struct redis_known *known);

#endif
