/*
 * An onward_store in LMDB: one folder, no server, no set-up. Several processes
 * may have it open at once; one process opens it once.
 *
 * What an answer promises. A value put with ONWARD_STORE_KEEP, and a removal,
 * is on the disk (fsync) before it is answered. Other values may be lost when
 * the machine loses its power, never when the process ends; the store stays
 * whole in either case. What is asked in one turn of the loop is committed
 * together: one fsync for all.
 *
 * When it is full, expired values go first, then those without KEEP, the
 * longest not written first.
 */
#ifndef LMDB_STORE_H
#define LMDB_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <onward/store.h>

#include "loop.h"

struct lmdb_store;

struct lmdb_store_opts {
    const char *folder; /* it exists; two files will be in it */
    size_t max_bytes;   /* keys, values and overhead; 0: 1 GiB. The file may
                           grow to four times as much */
    /* Commits once a turn. NULL: each change is committed by itself, within
     * the call. */
    struct loop *loop;
    int64_t (*now_s)(void *user); /* NULL: the system's */
    /* Something to tell an operator; may be NULL. */
    void (*warn)(void *user, const char *what);
    void *user;
};

/* NULL: fault has one line. desk is kept in memory by the handle. */
struct lmdb_store *lmdb_store_new(struct onward_desk *desk,
                                  const struct lmdb_store_opts *opts,
                                  char *fault, size_t fault_size);
/* Commits what was asked, and ends the handle too. May be NULL. */
void lmdb_store_free(struct lmdb_store *s);
/* For whatever wants a store; borrowed. */
struct onward_store *lmdb_store_handle(const struct lmdb_store *s);
/* The functions behind the handle, for who stands before it; they answer tokens
 * of that desk. */
struct onward_store_ops lmdb_store_ops(struct lmdb_store *s);
/* Commit and answer now. */
void lmdb_store_flush(struct lmdb_store *s);

/* At once, for who has no desk to wait at; onward_store knows nothing of it. */

struct lmdb_item {
    struct onward_str key, value;
    int64_t expires_s; /* 0: never */
    uint64_t version;  /* to write: with ONWARD_STORE_IF_VERSION */
    uint32_t flags;    /* to write */
};

/* The value of item->key into octets, and the rest of item. 1; 0: there is
 * none; -1: it cannot be read, or is longer than cap. */
int lmdb_store_read(struct lmdb_store *s, struct lmdb_item *item, void *octets,
                    size_t cap);
/* Put, to stay when it is to be kept. 1; 0: the condition of flags does not
 * hold; -1: not done. */
int lmdb_store_write(struct lmdb_store *s, const struct lmdb_item *item);
/* Put all in one transaction, each where its condition holds. 0, or -1: some
 * could not be put. */
int lmdb_store_write_all(struct lmdb_store *s, const struct lmdb_item *items,
                         size_t count);
/* 1; 0: there was none; -1. */
int lmdb_store_erase(struct lmdb_store *s, struct onward_str key);
/* At most max whose key begins so, in the order of keys, behind the key after
 * unless that is empty; prefix is shorter than LMDB's keys are. visit changes
 * nothing. How many there were, or -1. */
int lmdb_store_each(struct lmdb_store *s, struct onward_str prefix,
                    struct onward_str after, size_t max,
                    void (*visit)(void *user, const struct lmdb_item *item),
                    void *user);

/* Take out at most max values that have expired; how many there were. Each
 * commit does a few, so nobody needs this. */
size_t lmdb_store_sweep(struct lmdb_store *s, size_t max);
size_t lmdb_store_count(struct lmdb_store *s);
size_t lmdb_store_bytes(struct lmdb_store *s);

#endif
