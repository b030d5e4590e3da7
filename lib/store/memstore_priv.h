/*
 * The entries of a store in memory and the tree that holds them, in the order
 * of their keys, so that a walk has a place to go on from.
 */
#ifndef ONWARD_STORE_MEMSTORE_PRIV_H
#define ONWARD_STORE_MEMSTORE_PRIV_H

#include "store/store_priv.h"

struct onward_store__entry {
    struct onward_store__entry *parent, *left, *right;
    struct onward_store__entry *newer, *older; /* without KEEP: by last use */
    uint64_t priority;
    uint64_t version;
    int64_t expires_s; /* 0: never */
    bool is_kept;
    size_t key_len, value_len;
    char data[]; /* the key, then the value */
};

static inline struct onward_str
onward_store__entry_key(const struct onward_store__entry *e)
{
    return onward_core__str(e->data, e->key_len);
}

static inline struct onward_str
onward_store__entry_value(const struct onward_store__entry *e)
{
    return onward_core__str(e->data + e->key_len, e->value_len);
}

/*
 * A treap: ordered by key, and a heap by priority, which is the context's keyed
 * hash of the key. Who chooses the keys cannot choose the priorities, so the
 * depth stays logarithmic.
 */
struct onward_store__tree {
    struct onward_store__entry *root;
};

/* The entry with the least key not before key (or, after: behind it). */
struct onward_store__entry *
onward_store__tree_from(const struct onward_store__tree *tree,
                        struct onward_str key, bool after);
struct onward_store__entry *
onward_store__tree_next(const struct onward_store__entry *e);
/* No entry has that key yet. */
void onward_store__tree_add(struct onward_store__tree *tree,
                            struct onward_store__entry *e);
void onward_store__tree_remove(struct onward_store__tree *tree,
                               struct onward_store__entry *e);

#endif
