/*
 * What test_contract.c asks of each store: a way to open it, the behaviours
 * hold for all.
 */
#ifndef ONWARD_TESTS_STORE_CONTRACT_H
#define ONWARD_TESTS_STORE_CONTRACT_H

#include "store/store_shared.h"

#include "support/support.h"

/* One store under test, opened for one test. */
struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_store *store;
    struct onward_store__query query;
    const struct backend *backend;
    void *state; /* the backend's */
};

struct backend {
    const char *name;
    /* Fill state and store; empty. max_bytes 0: plenty. False: it cannot be
     * had here, which was said. */
    bool (*open)(struct world *world, size_t max_bytes);
    void (*close)(struct world *world);
    /* Let time go on until the query may be answered. */
    void (*turn)(struct world *world);
    /* The store's clock stands where the world says, else it is the system's
     * and expiry takes its time. */
    bool has_our_clock;
    /* It drops by itself what is not to be kept. */
    bool is_bounded;
};

extern const struct backend backend_memory, backend_lmdb, backend_redis;

#endif
