/*
 * What store.c and memstore.c know of each other.
 */
#ifndef ONWARD_STORE_STORE_PRIV_H
#define ONWARD_STORE_STORE_PRIV_H

#include "store/store_shared.h"

/* A desk's door to a store in memory: the user of memstore.c's table. */
struct onward_store__door {
    struct onward_memstore *mem; /* NULL: the host keeps the store */
    struct onward_desk *desk;
    size_t page_bytes; /* where a page ends early */
};

struct onward_store {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    size_t refs; /* the host's, and one for each holder */
    bool is_freed;
    struct onward_store_ops ops;
    struct onward_store__door door;
    struct onward_store__query *pending;
    size_t value_bytes, timeout_ms;
    uint64_t log_id;
};

void onward_store__memstore_release(struct onward_memstore *mem);

#endif
