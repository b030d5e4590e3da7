#ifndef ONWARD_CORE_H
#define ONWARD_CORE_H

#include <stddef.h>
#include <stdint.h>

/** @file
 * What every module stands on: the context, the desk, errors, borrowed text
 * and IP addresses.
 *
 * Threads: a context is immutable and may be shared by any number of threads.
 * A desk, and everything made from it, belongs to one thread at a time.
 */

#ifndef ONWARD_API
#if defined(__GNUC__)
#define ONWARD_API __attribute__((visibility("default")))
#else
#define ONWARD_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors ------------------------------------------------------------ */

/**
 * What a call that can fail returns: 0 or more is success, these are failure.
 * The numbers are never reused or changed.
 *
 * @since 0.1
 */
enum onward_error {
    ONWARD_ENOMEM = -1,     /**< the context's allocator gave no memory */
    ONWARD_EINVAL = -2,     /**< the caller broke the contract */
    ONWARD_ESTATE = -3,     /**< the right call at the wrong moment */
    ONWARD_ESYNTAX = -4,    /**< the input does not follow its grammar */
    ONWARD_ELIMIT = -5,     /**< a limit was reached */
    ONWARD_ECALLBACK = -6,  /**< the host's callback returned an error */
    ONWARD_EVERSION = -7,   /**< made by a release that this one cannot read */
    ONWARD_ESTALE = -8,     /**< late, unknown or second answer: ignored */
    ONWARD_ENOENT = -9,     /**< no such thing */
    ONWARD_ERANDOM = -10,   /**< the context's random source failed */
    ONWARD_ECRYPTO = -11,   /**< a cryptographic operation failed */
    ONWARD_ECANCELED = -12, /**< ended before it was done */
    ONWARD_AGAIN = -13      /**< would block; not a failure */
};

/**
 * An English sentence for a return value of this library.
 *
 * @param error  any int; 0 and more read "success".
 * @return static text, never NULL, ending in NUL.
 * @since 0.1
 */
ONWARD_API const char *onward_strerror(int error);

/**
 * The constant's name, "ONWARD_ELIMIT", for logs and bindings.
 *
 * @param error  any int.
 * @return static text, never NULL: "ONWARD_OK" for 0 and more, "ONWARD_E?" for
 *         a number that is no error of this release.
 * @since 0.1
 */
ONWARD_API const char *onward_error_name(int error);

/**
 * The version of the library that is running, as "MAJOR.MINOR.PATCH".
 *
 * @return static text ending in NUL.
 * @since 0.1
 */
ONWARD_API const char *onward_version(void);

/* ---- Borrowed text ----------------------------------------------------- */

/**
 * Borrowed octets. They need not end in NUL, and NULs inside are data. data
 * may be NULL when len is 0. Passed by value; it owns nothing. This struct
 * never changes.
 */
struct onward_str {
    const char *data; /**< len octets; may be NULL when len is 0 */
    size_t len; /**< octets */
};

/** For C: a string literal as a struct onward_str. */
#define ONWARD_STR(literal)                                                    \
    ((struct onward_str){.data = ("" literal ""), .len = sizeof(literal) - 1})

/**
 * A C string as borrowed octets.
 *
 * @param text  ends in NUL; NULL gives the empty string.
 * @return borrows text.
 * @since 0.1
 */
ONWARD_API struct onward_str onward_str_of(const char *text);

/**
 * Do two texts hold the same octets?
 *
 * @return 1 or 0. Not for secrets: the time depends on the content.
 * @since 0.1
 */
ONWARD_API int onward_str_equal(struct onward_str a, struct onward_str b);

/* ---- What the host brings ---------------------------------------------- */

/**
 * Where memory comes from. All three are called on whichever thread calls the
 * library, so they must be thread-safe if the context is shared.
 */
struct onward_allocator {
    size_t size; /**< sizeof(struct onward_allocator) */
    void *user;  /**< handed back first, never looked at */
    /** As malloc(): NULL when there is none. bytes is never 0. */
    void *(*alloc)(void *user, size_t bytes);
    /** As realloc(): on NULL the old block stays. bytes is never 0. */
    void *(*realloc)(void *user, void *block, size_t bytes);
    /** As free(). block is never NULL. */
    void (*free)(void *user, void *block);
};

/** The wall clock: for signature ages, expiry and dates, never for timeouts. */
struct onward_clock {
    size_t size;
    void *user;
    /** Seconds since 1970-01-01T00:00:00Z, without leap seconds. */
    int64_t (*now_s)(void *user);
};

/** The random source. It must be fit for keys, as getentropy() is. */
struct onward_random {
    size_t size;
    void *user;
    /** Fill all len octets at data and return 0, or a negative number. */
    int (*fill)(void *user, void *data, size_t len);
};

/** Levels of struct onward_log_event. */
enum onward_log_level {
    ONWARD_LOG_ERROR = 1, /**< the library could not do what it should */
    ONWARD_LOG_WARN = 2,  /**< a peer or the host did something odd */
    ONWARD_LOG_INFO = 3,  /**< one line for what an operator counts */
    ONWARD_LOG_DEBUG = 4  /**< steps inside */
};

/** One event. Borrowed for the call; never holds message text or secrets. */
struct onward_log_event {
    size_t size;
    size_t level;       /**< enum onward_log_level */
    const char *module; /**< "dkim", "smtp", ...; ends in NUL */
    const char *code;   /**< stable, "line-too-long"; ends in NUL */
    uint64_t log_id;    /**< of the object, from its options; 0 if none */
    /** Printable ASCII, peer octets escaped; at most 512 octets. */
    struct onward_str detail;
};

/** Where events go. */
struct onward_log {
    size_t size;
    void *user;
    /** Called inside any call of the library; must not call back into it. */
    void (*event)(void *user, const struct onward_log_event *event);
};

/** A limit of 0 in any options is its default; this one is no limit. */
#define ONWARD_LIMIT_NONE SIZE_MAX
/** A limit of zero, as 0 means the default. */
#define ONWARD_LIMIT_ZERO (SIZE_MAX - 1)
/** A deadline that never comes. */
#define ONWARD_NEVER INT64_MAX

/** Limits that more than one module keeps. 0 means the default. */
struct onward_limits {
    size_t size;
    size_t header_bytes;  /**< header block of a message; default 262144 */
    size_t header_fields; /**< fields in it; default 1000 */
    size_t message_bytes; /**< whole message; default 26214400 */
};

struct onward_ctx_opts {
    size_t size;
    const struct onward_allocator *allocator; /**< NULL: the C library's */
    const struct onward_clock *clock;         /**< required */
    const struct onward_random *random;       /**< required */
    const struct onward_log *log;             /**< NULL: no log */
    const struct onward_limits *limits;       /**< NULL: the defaults */
};

/* ---- The context ------------------------------------------------------- */

/** What the host brings, loaded once. Immutable, counted, for all threads. */
struct onward_ctx;

/**
 * Make a context.
 *
 * @param opts  borrowed for this call, with the tables it points to; the users
 *              in the tables must live as long as the context and all objects
 *              made from it.
 * @param ctx   out: free with onward_ctx_free().
 * @return 0, or
 *         ONWARD_EINVAL    no clock, no random source, or a callback missing
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ERANDOM   the random source failed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_ctx_new(const struct onward_ctx_opts *opts,
                              struct onward_ctx **ctx);

/**
 * Count one more owner. Any thread.
 *
 * @return ctx.
 * @since 0.1
 */
ONWARD_API struct onward_ctx *onward_ctx_ref(struct onward_ctx *ctx);

/**
 * End one ownership. The memory goes with the last owner and the last object
 * made from the context, in whichever order they are freed. Any thread.
 *
 * @param ctx  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_ctx_free(struct onward_ctx *ctx);

/* ---- The desk ---------------------------------------------------------- */

/**
 * Where everything slow meets, one a thread. The library's questions (DNS,
 * store, signatures, handlers, connections) take their token here; the host's
 * answers come back here, typed by module, now or later, in any order, inside
 * the question's own callback too. An answer is only recorded; what follows
 * from it runs inside onward_desk_run() and nowhere else.
 *
 * A token is a number from 1 to 2^53 - 1 and never used twice by a desk. An
 * answer that is late, unknown or a second one returns ONWARD_ESTALE and does
 * nothing.
 */
struct onward_desk;

struct onward_desk_opts {
    size_t size;
    /** Steps that one onward_desk_run() takes at most; default 1000. */
    size_t run_steps;
    /** Inherited by what is made from the desk, unless it has its own. */
    uint64_t log_id;
};

/**
 * Make a desk.
 *
 * @param ctx   kept alive by the desk.
 * @param opts  borrowed for this call; NULL: all defaults.
 * @param desk  out: free with onward_desk_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_desk_new(struct onward_ctx *ctx,
                               const struct onward_desk_opts *opts,
                               struct onward_desk **desk);

/**
 * End the caller's use. Objects made from the desk are dead from now on and
 * fire nothing; they can be freed before or after. The memory goes with the
 * last of them. Allowed inside any callback.
 *
 * @param desk  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_desk_free(struct onward_desk *desk);

/**
 * Go on with whatever was answered or came due. All `done` callbacks run in
 * here.
 *
 * @param now_ms  milliseconds of any clock that never goes back; one origin
 *                for the desk and all channels used with it. An earlier value
 *                than the last is taken as the last.
 * @return 1 when more is ready at once, 0 when not, or
 *         ONWARD_ESTATE  called inside a callback of this desk.
 * @since 0.1
 */
ONWARD_API int onward_desk_run(struct onward_desk *desk, int64_t now_ms);

/**
 * When to call onward_desk_run() at the latest, in its own clock.
 *
 * @return milliseconds; the time of the last run (so: at once) when something
 *         is ready, ONWARD_NEVER when nothing is.
 * @since 0.1
 */
ONWARD_API int64_t onward_desk_deadline(const struct onward_desk *desk);

/* ---- IP addresses ------------------------------------------------------ */

/** An IP address by value. This struct never changes. */
struct onward_ip {
    int32_t family;     /**< 4 or 6; 0: no address */
    uint8_t octets[16]; /**< network order; the first 4 for family 4 */
};

/** Octets that onward_ip_format() needs at most, the NUL included. */
#define ONWARD_IP_TEXT_MAX 46

/**
 * Read an address as people write it: dotted quad, or RFC 4291 section 2.2
 * (with `::` and an embedded dotted quad). No zone, prefix length or port.
 *
 * @param ip  out; untouched on failure.
 * @return 0 or ONWARD_ESYNTAX.
 * @since 0.1
 */
ONWARD_API int onward_ip_parse(struct onward_str text, struct onward_ip *ip);

/**
 * Write an address: dotted quad, or RFC 5952.
 *
 * @param text  room for cap octets; ends in NUL on success.
 * @param cap   ONWARD_IP_TEXT_MAX is always enough.
 * @return the length without the NUL, or ONWARD_EINVAL (no such family) or
 *         ONWARD_ELIMIT (cap too small; text untouched).
 * @since 0.1
 */
ONWARD_API int onward_ip_format(const struct onward_ip *ip, char *text,
                                size_t cap);

/**
 * The default address filter: may we connect there? No to this host, loopback,
 * link-local, private, shared, multicast, documentation, benchmark and reserved
 * ranges, in IPv6 also through IPv4-mapped, NAT64 and 6to4 forms (RFC 6890).
 *
 * @return 1 for a public unicast address, else 0.
 * @since 0.1
 */
ONWARD_API int onward_ip_is_public(const struct onward_ip *ip);

#ifdef __cplusplus
}
#endif

#endif
