#ifndef ONWARD_THROTTLE_H
#define ONWARD_THROTTLE_H

#include <onward/core.h>
#include <onward/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Not now: how much a client, a sender or a recipient may have in a time, and
 * greylisting (RFC 6647), both over a store, so that several machines that
 * share one count together.
 *
 * A throttle is one question. It answers "pass" or "wait"; when the store
 * cannot tell, or has no room to remember, it answers "unknown", which is to
 * pass: who could not be remembered would be sent away for ever. What it keeps
 * may be dropped by a store that is full.
 *
 * A throttle belongs to one thread at a time, that of its desk.
 */

/** What came of it. @since 0.1 */
enum onward_throttle_verdict {
    ONWARD_THROTTLE_PENDING = 0,
    ONWARD_THROTTLE_PASS = 1,
    ONWARD_THROTTLE_WAIT = 2, /**< onward_throttle_wait_s() says how long */
    /** The store failed: let it pass. */
    ONWARD_THROTTLE_UNKNOWN = 3
};

/** One question. Opaque. */
struct onward_throttle;

struct onward_throttle_host {
    size_t size;
    void *user;
    /** The verdict is there. Once, inside onward_desk_run(), never after
     * onward_throttle_free(), which is allowed in here. */
    void (*done)(void *user, struct onward_throttle *throttle);
};

/**
 * How much may be had: a bucket of tokens that fills by count in period_s, and
 * is full at first.
 */
struct onward_throttle_rate_opts {
    size_t size;
    struct onward_store *store; /**< its memory is kept. Required */
    struct onward_str name;     /**< what is counted: "client". Required */
    struct onward_str key;      /**< whose; ASCII case does not matter */
    size_t count;               /**< 1 to 1000000000 */
    size_t period_s;            /**< 1 to 1000000000 */
    size_t burst;  /**< tokens that it holds, to 1000000000; default count */
    size_t amount; /**< to take, at most burst; default 1 */
};

/**
 * Take from a bucket, or hear how long to wait; then nothing is taken.
 *
 * @param opts      borrowed for this call, with all it points to.
 * @param host      borrowed for this call; done is required.
 * @param throttle  out: free with onward_throttle_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ENOMEM, or
 *         ONWARD_ESTATE  the desk was freed
 * @since 0.1
 */
ONWARD_API int
onward_throttle_rate(const struct onward_throttle_rate_opts *opts,
                     const struct onward_throttle_host *host,
                     struct onward_throttle **throttle);

/** Who brings what. Of the texts ASCII case does not matter. */
struct onward_throttle_greylist_opts {
    size_t size;
    struct onward_store *store; /**< its memory is kept. Required */
    /** Where it comes from: onward_throttle_network(), as large senders try
     * again from another machine. Required */
    struct onward_str client;
    struct onward_str sender; /**< may be empty: the null path */
    struct onward_str recipient; /**< Required */
    size_t delay_s; /**< who is new comes again after it; default 300 */
    size_t retry_s; /**< and within this; default 172800 */
    /** Who has done so passes for so long since it came last; default
     * 3024000. */
    size_t life_s;
};

/**
 * Has this client come again, as mail servers do? A client that did once is
 * known, and passes with whatever it brings; one that is new has to come again
 * with the same sender and recipient.
 *
 * @return as onward_throttle_rate().
 * @since 0.1
 */
ONWARD_API int
onward_throttle_greylist(const struct onward_throttle_greylist_opts *opts,
                         const struct onward_throttle_host *host,
                         struct onward_throttle **throttle);

/**
 * Give the question up, or the answer back. What it was about to take may be
 * taken or not. Allowed inside any callback.
 *
 * @param throttle  may be NULL.
 * @note May call cancel of the store's table.
 * @since 0.1
 */
ONWARD_API void onward_throttle_free(struct onward_throttle *throttle);

/** @return enum onward_throttle_verdict. @since 0.1 */
ONWARD_API int onward_throttle_result(const struct onward_throttle *throttle);

/**
 * How long to wait.
 *
 * @return seconds, at least 1, for ONWARD_THROTTLE_WAIT; else 0.
 * @since 0.1
 */
ONWARD_API int64_t
onward_throttle_wait_s(const struct onward_throttle *throttle);

/**
 * A network as a key: "192.0.2.0/24", "2001:db8::/64". An IPv4-mapped address
 * is the IPv4 address it is.
 *
 * @param bits_4  of an IPv4 address, at most 32.
 * @param bits_6  of an IPv6 address, at most 128.
 * @param text    room for cap octets; gets the text and a NUL.
 * @param cap     ONWARD_IP_TEXT_MAX + 4 is always enough.
 * @return the length without the NUL, or ONWARD_EINVAL (no such family, too
 *         many bits) or ONWARD_ELIMIT (cap too small); text is untouched then.
 * @since 0.1
 */
ONWARD_API int onward_throttle_network(const struct onward_ip *ip,
                                       size_t bits_4, size_t bits_6, char *text,
                                       size_t cap);

/**
 * A stable lower-case word for a verdict, "wait", for logs.
 *
 * @return static text ending in NUL, never NULL, "unknown" also for a foreign
 *         number.
 * @since 0.1
 */
ONWARD_API const char *onward_throttle_verdict_name(int verdict);

#ifdef __cplusplus
}
#endif

#endif
