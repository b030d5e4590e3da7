/*
 * An onward_store for what is better known late than not at all, as policies
 * are: kept in a Redis and in LMDB on this machine. Redis is asked first; when
 * it is away, or has lost it, what this machine knows is the answer. What has
 * conditions cannot be kept so, and is refused.
 *
 * A walk goes through what this machine knows alone: that is what it has used.
 */
#ifndef TWIN_H
#define TWIN_H

#include "lmdb_store.h"
#include "redis_store.h"

struct twin;

/* Both are borrowed, and outlive it. NULL: out of memory. */
struct twin *twin_new(struct onward_desk *desk, struct lmdb_store *here,
                      struct redis_store *there);
/* May be NULL. */
void twin_free(struct twin *t);
struct onward_store *twin_handle(const struct twin *t);

#endif
