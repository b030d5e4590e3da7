/*
 * An onward_store in Redis (6.2 or later), shared by as many processes and
 * machines as want it. It never waits: questions are pipelined over one
 * connection and answered by their tokens.
 *
 * When Redis cannot be reached, is slow, or answers nonsense, it counts as
 * down. Then nothing is changed, walked through, or said to be absent: such
 * questions fail. What was read or written before is answered from a bounded
 * copy, until it expires: it is what was last known. Who needs more than that
 * changes the value under its version, which fails as long as Redis is down.
 *
 * A value lasts as long as that server makes it last: for ONWARD_STORE_KEEP it
 * needs `maxmemory-policy noeviction`, and `appendonly yes` with `appendfsync
 * always` for what is answered to be on its disk.
 */
#ifndef REDIS_STORE_H
#define REDIS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <onward/store.h>

#include "loop.h"

struct redis_store;

struct redis_store_opts {
    /* "redis://HOST[:PORT][/DB]", IPv6 addresses in brackets. A name is looked
     * up once, at the start. */
    const char *url;
    struct loop *loop;
    size_t timeout_ms;            /* of a connection or an answer; 0: 1000 */
    size_t copy_bytes;            /* 0: 16 MiB */
    int64_t (*now_s)(void *user); /* NULL: the system's */
    /* Something to tell an operator: it is down, it is there again. May be
     * NULL. */
    void (*warn)(void *user, const char *what);
    void *user;
};

/* Does that look like one? */
bool redis_store_judge(const char *url);
/* NULL: fault has one line. That nobody answers there is no fault. */
struct redis_store *redis_store_new(struct onward_desk *desk,
                                    const struct redis_store_opts *opts,
                                    char *fault, size_t fault_size);
/* What was asked and not answered fails. May be NULL. */
void redis_store_free(struct redis_store *r);
struct onward_store *redis_store_handle(const struct redis_store *r);
bool redis_store_is_up(const struct redis_store *r);

/*
 * Questions of the host's own, past the desk, for what it keeps there itself.
 * They are asked of Redis alone and never answered from the copy. done runs
 * once, maybe before the call returns; not when the store is freed before.
 */
struct redis_answer {
    int status; /* 1; 0: there is none (get), the condition of flags does not
                   hold (put); -1: Redis is down, or cannot do it */
    struct onward_str value; /* get; walk: the cursor, empty at the end */
    uint64_t version;
    int64_t expires_s; /* get */
};

struct redis_asker {
    void *user;
    void (*done)(void *user, const struct redis_answer *answer);
    /* walk: once an item, before done. */
    void (*item)(void *user, struct onward_str key, struct onward_str value);
};

void redis_store_get(struct redis_store *r, struct onward_str key,
                     const struct redis_asker *asker);
/* Of known the value, when it expires, and the version for
 * ONWARD_STORE_IF_VERSION. */
void redis_store_put(struct redis_store *r, struct onward_str key,
                     const struct redis_answer *known, uint32_t flags,
                     const struct redis_asker *asker);
/* One page. cursor: empty, or that of the page before. */
void redis_store_walk(struct redis_store *r, struct onward_str prefix,
                      struct onward_str cursor, size_t max_items,
                      const struct redis_asker *asker);

#endif
