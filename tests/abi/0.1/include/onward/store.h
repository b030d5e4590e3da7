#ifndef ONWARD_STORE_H
#define ONWARD_STORE_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * What must outlast an object, or be shared between machines: fetched policies,
 * tokens, the ledger of replies, verified destinations, report rows. The
 * library knows keys and values as octets; a host keeps them where it likes and
 * tells the library how in one table of functions. A bounded store in memory
 * is here.
 *
 * Keys begin with `onward/MODULE/VERSION/` and have at most 512 octets. Values
 * carry their own format version. Both are opaque to a host.
 *
 * A store belongs to its desk, and so to one thread at a time.
 */

/** Octets of a key, at most. */
#define ONWARD_STORE_KEY_MAX 512

/** How to put a value. */
enum onward_store_flags {
    /**
     * Never drop it before it expires: what is promised depends on it. Without
     * this flag a value may be dropped at any time.
     */
    ONWARD_STORE_KEEP = 1,
    /** Only when there is no value at that key. */
    ONWARD_STORE_IF_ABSENT = 2,
    /** Only when the value there has the version that is handed over. */
    ONWARD_STORE_IF_VERSION = 4
};

struct onward_store; /* opaque */

/**
 * How the library reaches a host's store. Each function starts one question
 * and returns 0; the answer comes by an onward_store_answer_ function with its
 * token, now or later. A negative return says that it cannot be asked, and is
 * answered as ONWARD_ECALLBACK. All pointers are borrowed for the call.
 *
 * The functions run on the desk's thread, inside calls of objects that use the
 * store and inside onward_desk_run(). They may free any object.
 *
 * Times are wall-clock seconds since 1970; expires_s 0 is never. A value that
 * has expired must not be answered any more. A version is any number but 0
 * that changes with each put of that key.
 */
struct onward_store_ops {
    size_t size;
    void *user;
    /** Answer by _answer_value(), or _answer_error() with ONWARD_ENOENT. */
    int (*get)(void *user, uint64_t token, const char *key, size_t key_len);
    /**
     * Answer by _answer_done(): 0 when a condition did not hold. flags are of
     * enum onward_store_flags. A store that is full answers a put with
     * ONWARD_STORE_KEEP by _answer_error() with ONWARD_ELIMIT.
     */
    int (*put)(void *user, uint64_t token, const char *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires_s,
               uint64_t version, uint32_t flags);
    /**
     * Answer by _answer_done(): 0 when there was nothing, or another version.
     * version 0 is any.
     */
    int (*remove)(void *user, uint64_t token, const char *key, size_t key_len,
                  uint64_t version);
    /**
     * Answer by _answer_item() for each value whose key begins with prefix, at
     * most max_items, in any order that a cursor can go on with; then by
     * _answer_page(). cursor is empty for the first page, else what the page
     * before gave. What is put or removed meanwhile may be seen or not; all
     * else is seen exactly once.
     */
    int (*walk)(void *user, uint64_t token, const char *prefix,
                size_t prefix_len, const char *cursor, size_t cursor_len,
                size_t max_items);
    /** Nobody waits for that token any more; an answer to it is stale. What
     * was asked may or may not be done. May be NULL. */
    void (*cancel)(void *user, uint64_t token);
};

struct onward_store_opts {
    size_t size;
    size_t value_bytes; /**< of one value or one page; default 1048576 */
    /** How long an answer may take; default 10000, ONWARD_LIMIT_NONE: for
     * ever. After it the question fails with ONWARD_ECANCELED. */
    size_t timeout_ms;
    uint64_t log_id; /**< 0: the desk's */
};

/**
 * Make a store that a host keeps.
 *
 * @param desk   kept in memory by the store.
 * @param ops    borrowed for this call; all functions but cancel are needed.
 *               Its user must live until the store is freed.
 * @param opts   borrowed for this call; NULL: all defaults.
 * @param store  out: free with onward_store_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ESTATE (desk freed) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_store_new(struct onward_desk *desk,
                                const struct onward_store_ops *ops,
                                const struct onward_store_opts *opts,
                                struct onward_store **store);

/**
 * End the caller's use. Questions under way fail with ONWARD_ECANCELED; the
 * host's functions do not run any more, cancel not either. Allowed inside any
 * callback.
 *
 * @param store  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_store_free(struct onward_store *store);

/* ---- Answers ----------------------------------------------------------- */

/**
 * The value that was asked for by get.
 *
 * @param value    copied.
 * @param version  not 0.
 * @return 0, or
 *         ONWARD_ESTALE  nobody waits for that token: nothing was done
 *         ONWARD_EINVAL  that token asks for something else, or version is 0:
 *                        nothing was done
 *         ONWARD_ELIMIT, ONWARD_ENOMEM  the value is too long, or there is no
 *                        memory: the question fails with this error
 * @since 0.1
 */
ONWARD_API int onward_store_answer_value(struct onward_desk *desk,
                                         uint64_t token, const void *value,
                                         size_t len, uint64_t version);

/**
 * A put or remove has ended.
 *
 * @param done     1: it was done; 0: its condition did not hold.
 * @param version  of the value that was put; 0 for remove.
 * @return 0, ONWARD_ESTALE or ONWARD_EINVAL as onward_store_answer_value().
 * @since 0.1
 */
ONWARD_API int onward_store_answer_done(struct onward_desk *desk,
                                        uint64_t token, uint32_t done,
                                        uint64_t version);

/**
 * One item of a page that was asked for by walk.
 *
 * @return as onward_store_answer_value(); ONWARD_EINVAL also for an item beyond
 *         max_items.
 * @since 0.1
 */
ONWARD_API int onward_store_answer_item(struct onward_desk *desk,
                                        uint64_t token, const char *key,
                                        size_t key_len, const void *value,
                                        size_t value_len, uint64_t version);

/**
 * The page is whole.
 *
 * @param cursor  where the next page begins, copied; empty: that was the last.
 * @return as onward_store_answer_value().
 * @since 0.1
 */
ONWARD_API int onward_store_answer_page(struct onward_desk *desk,
                                        uint64_t token, const char *cursor,
                                        size_t cursor_len);

/**
 * There is no answer: no such key (ONWARD_ENOENT), no room (ONWARD_ELIMIT), or
 * the store failed.
 *
 * @param error  a negative enum onward_error; others are taken as
 *               ONWARD_ECALLBACK.
 * @return 0 or ONWARD_ESTALE.
 * @since 0.1
 */
ONWARD_API int onward_store_answer_error(struct onward_desk *desk,
                                         uint64_t token, int error);

/* ---- Questions of the host --------------------------------------------- */

/** One question of the host's own, for what it keeps in its store beside the
 * library: keys that do not begin with `onward/`. Opaque. */
struct onward_store_query;

/** Who waits for it. */
struct onward_store_query_host {
    size_t size;
    void *user;
    /**
     * The answer: 1, the value is there, or it was put; 0, there is none, or the
     * condition did not hold; or negative, as the store fails. Exactly once,
     * inside onward_desk_run(); never after onward_store_query_free(). May free
     * the query.
     */
    void (*done)(void *user, struct onward_store_query *query, int status);
};

/**
 * Ask for a value.
 *
 * @param key    1 to ONWARD_STORE_KEY_MAX octets; copied.
 * @param host   borrowed for this call.
 * @param query  out: free with onward_store_query_free().
 * @return 0, ONWARD_EINVAL (key, host), ONWARD_EVERSION, ONWARD_ESTATE (the desk
 *         or the store was freed) or ONWARD_ENOMEM.
 * @note The store's get may run inside.
 * @since 0.1
 */
ONWARD_API int onward_store_get(struct onward_store *store,
                                struct onward_str key,
                                const struct onward_store_query_host *host,
                                struct onward_store_query **query);

/**
 * Put a value.
 *
 * @param value      copied by the store.
 * @param expires_s  Unix seconds; 0: never.
 * @param flags      ONWARD_STORE_KEEP, ONWARD_STORE_IF_ABSENT.
 * @return as onward_store_get().
 * @since 0.1
 */
ONWARD_API int onward_store_put(struct onward_store *store,
                                struct onward_str key, struct onward_str value,
                                int64_t expires_s, uint32_t flags,
                                const struct onward_store_query_host *host,
                                struct onward_store_query **query);

/** @return the value that was asked for; empty when there is none. Borrowed
 *  until the query is freed. @since 0.1 */
ONWARD_API struct onward_str
onward_store_query_value(const struct onward_store_query *query);

/**
 * Let it go; one that is not answered is cancelled. Allowed inside any callback.
 *
 * @param query  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_store_query_free(struct onward_store_query *query);

/* ---- The store in memory ----------------------------------------------- */

/**
 * Values in memory, bounded. When it is full, expired values go first, then
 * those without ONWARD_STORE_KEEP, the longest unused first; what is to be kept
 * and has not expired never goes. Belongs to one thread at a time; desks of
 * that thread may share it.
 */
struct onward_memstore; /* opaque */

struct onward_memstore_opts {
    size_t size;
    size_t max_bytes;   /**< keys, values and overhead; default 16777216 */
    size_t max_entries; /**< default 65536 */
};

/**
 * Make an empty store in memory. Its clock is the context's.
 *
 * @param ctx   kept alive by the store.
 * @param opts  borrowed for this call; NULL: all defaults.
 * @param mem   out: free with onward_memstore_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_memstore_new(struct onward_ctx *ctx,
                                   const struct onward_memstore_opts *opts,
                                   struct onward_memstore **mem);

/**
 * End the caller's use. The memory goes with the last store made of it.
 *
 * @param mem  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_memstore_free(struct onward_memstore *mem);

/**
 * A desk's door to a store in memory.
 *
 * @param mem  kept in memory by the store.
 * @return as onward_store_new().
 * @since 0.1
 */
ONWARD_API int onward_memstore_open(struct onward_memstore *mem,
                                    struct onward_desk *desk,
                                    const struct onward_store_opts *opts,
                                    struct onward_store **store);

/**
 * Entries in the store, expired ones that were not met since included.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_memstore_count(const struct onward_memstore *mem);

/**
 * Octets in use, as max_bytes counts them.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_memstore_bytes(const struct onward_memstore *mem);

#ifdef __cplusplus
}
#endif

#endif
