/*
 * Values that programs keep for themselves, read and written at once: in the
 * LMDB of a state folder, or in the Redis that forwarders share. A Redis that
 * does not answer is waited for a second, and then not again until it is back.
 */
#ifndef SHELF_H
#define SHELF_H

#include <stdbool.h>

#include "lmdb_store.h"
#include "redis_store.h"

/* One of the two; the rest is NULL. */
struct shelf {
    struct lmdb_store *lmdb; /* borrowed */
    struct redis_store *redis;
    struct loop *loop; /* in which there is that Redis alone */
};

/* 0, or -1 with a line in fault: that nobody answers there is none. The loop
 * wants a turn whenever its descriptor is readable. */
int shelf_open_redis(struct shelf *shelf, struct onward_desk *desk,
                     const char *url,
                     void (*warn)(void *user, const char *what), void *user,
                     char *fault, size_t fault_size);
/* What shelf_open_redis() has made. */
void shelf_close(struct shelf *shelf);

/* As lmdb_store_read(), lmdb_store_write(). */
int shelf_read(const struct shelf *shelf, struct lmdb_item *item, void *octets,
               size_t cap);
int shelf_write(const struct shelf *shelf, const struct lmdb_item *item);
/* All whose key begins so. 0 or -1. */
int shelf_each(const struct shelf *shelf, struct onward_str prefix,
               void (*visit)(void *user, const struct lmdb_item *item),
               void *user);

#endif
