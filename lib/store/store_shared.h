/*
 * Questions to a store as the higher floors ask them. A query lives inside the
 * object that asks; when its answer is there, or it failed, the task it was
 * started with is made ready.
 */
#ifndef ONWARD_STORE_SHARED_H
#define ONWARD_STORE_SHARED_H

#include <onward/store.h>

#include "core/desk_shared.h"

struct onward_store__item {
    struct onward_store__item *next;
    struct onward_str key, value;
    uint64_t version;
};

enum onward_store__op {
    ONWARD_STORE__IDLE = 0,
    ONWARD_STORE__GET,
    ONWARD_STORE__PUT,
    ONWARD_STORE__REMOVE,
    ONWARD_STORE__WALK
};

/* Zero-filled is idle. */
struct onward_store__query {
    struct onward_core__ask ask;
    struct onward_core__task timer;
    struct onward_core__task *task;          /* the asker's */
    struct onward_store *store;              /* held; NULL when idle */
    struct onward_store__query *prev, *next; /* pending ones of the store */
    struct onward_arena arena;               /* what was answered */
    enum onward_store__op op;
    /*
     * ONWARD_AGAIN while pending; then 0, or why there is no answer:
     * ONWARD_ENOENT (get: no such key), ONWARD_ELIMIT (put: full; get: value
     * too long), or that the store failed.
     */
    int status;
    bool is_done;            /* put, remove: false: a condition did not hold */
    uint64_t version;        /* get, put */
    struct onward_str value; /* get */
    size_t bytes;            /* of all that was answered */
    size_t count, max_items; /* walk */
    struct onward_store__item *first, *last;
    struct onward_str cursor; /* walk: empty at the end */
};

/*
 * Ask. Keys and values are borrowed for the call. The host's callback may run
 * inside and may free the object that asks. 0: the task becomes ready once
 * query->status is set, never before onward_desk_run(). ONWARD_ESTATE (desk or
 * store freed), ONWARD_EINVAL (key empty or too long): the query is idle.
 */
ONWARD_USE_RESULT int onward_store__get(struct onward_store *store,
                                        struct onward_store__query *query,
                                        struct onward_str key,
                                        struct onward_core__task *task);
/* version counts with ONWARD_STORE_IF_VERSION only. */
ONWARD_USE_RESULT int
onward_store__put(struct onward_store *store, struct onward_store__query *query,
                  struct onward_str key, struct onward_str value,
                  int64_t expires_s, uint64_t version, uint32_t flags,
                  struct onward_core__task *task);
/* version 0: any. */
ONWARD_USE_RESULT int onward_store__remove(struct onward_store *store,
                                           struct onward_store__query *query,
                                           struct onward_str key,
                                           uint64_t version,
                                           struct onward_core__task *task);
/* One page; cursor is empty or that of the page before. */
ONWARD_USE_RESULT int onward_store__walk(struct onward_store *store,
                                         struct onward_store__query *query,
                                         struct onward_str prefix,
                                         struct onward_str cursor,
                                         size_t max_items,
                                         struct onward_core__task *task);
/* Let go: cancels when pending, drops the answer when there. Back to idle. */
void onward_store__query_clear(struct onward_store__query *query);

/* The store in memory for an object that was made with it. */
struct onward_store *onward_store__hold(struct onward_store *store);
void onward_store__release(struct onward_store *store);
struct onward_desk *onward_store__desk(const struct onward_store *store);

#endif
