#ifndef ONWARD_DNS_H
#define ONWARD_DNS_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DNS questions and answers (RFC 1035, RFC 2181, RFC 2308). The library never
 * speaks to a name server: a resolver joins equal questions, keeps a bounded
 * cache, and hands the rest to the host, by callback or by pulling. A resolver
 * belongs to its desk and so to one thread at a time.
 */

/** Record types that the library asks for. */
enum onward_dns_type {
    ONWARD_DNS_A = 1,
    ONWARD_DNS_NS = 2,
    ONWARD_DNS_CNAME = 5,
    ONWARD_DNS_SOA = 6,
    ONWARD_DNS_PTR = 12,
    ONWARD_DNS_MX = 15,
    ONWARD_DNS_TXT = 16,
    ONWARD_DNS_AAAA = 28,
    ONWARD_DNS_TLSA = 52
};

/** Flags of an answer. */
enum onward_dns_answer_flags {
    /** The host's resolver validated it by DNSSEC, over a path it trusts. */
    ONWARD_DNS_SECURE = 1
};

/** Why there is no answer. */
enum onward_dns_failure {
    ONWARD_DNS_SERVFAIL = 1,
    ONWARD_DNS_TIMEOUT = 2,
    ONWARD_DNS_BOGUS = 3,   /**< DNSSEC validation failed */
    ONWARD_DNS_REFUSED = 4, /**< also: the host did not want to ask */
    ONWARD_DNS_NODATA = 5,  /**< the name exists, without that type */
    ONWARD_DNS_NXDOMAIN = 6 /**< the name does not exist */
};

/** What came of a question. */
enum onward_dns_status {
    ONWARD_DNS_STATUS_PENDING = 0,
    ONWARD_DNS_STATUS_OK = 1,       /**< at least one record of that type */
    ONWARD_DNS_STATUS_NODATA = 2,   /**< the name exists, without that type */
    ONWARD_DNS_STATUS_NXDOMAIN = 3, /**< the name does not exist */
    ONWARD_DNS_STATUS_TEMP = 4,     /**< SERVFAIL, time-out, malformed reply */
    ONWARD_DNS_STATUS_BOGUS = 5     /**< DNSSEC says: forged */
};

/* ---- The resolver ------------------------------------------------------ */

/** Questions in flight, a cache, and records that were loaded as text. */
struct onward_resolver;

struct onward_resolver_opts {
    size_t size;
    size_t cache_entries;      /**< answers kept; default 4096 */
    size_t cache_bytes;        /**< octets of them; default 4 MiB */
    size_t ttl_max_s;          /**< answers at most; default 86400 */
    size_t negative_ttl_max_s; /**< NODATA, NXDOMAIN at most; default 3600 */
    /** Failures, and negative answers without a TTL; default 5. */
    size_t failure_ttl_s;
    /** Unanswered for so long is ONWARD_DNS_TIMEOUT; default 20000. */
    size_t timeout_ms;
    /** Questions that the host has at a time, the rest waits; default 256. */
    size_t in_flight;
    /** Not 0: answer from loaded records alone, never ask the host. */
    size_t allow_only_loaded;
    uint64_t log_id; /**< 0: that of the desk */
};

/**
 * How a resolver asks its host. Both functions run on the desk's thread.
 * Inside them the host may answer, free any object, and make new ones.
 */
struct onward_resolver_host {
    size_t size;
    void *user;
    /**
     * Ask for name and type; answer by onward_dns_answer_wire(), _text() or
     * _error(), now or later. name is lower-case ASCII without a final dot
     * (odd octets as \DDD, RFC 1035 section 5.1), borrowed for the call.
     * Return 0, or a negative number when it cannot be asked, which is
     * answered as ONWARD_DNS_SERVFAIL. Runs inside onward_desk_run() only.
     * NULL: the host pulls by onward_resolver_next().
     */
    int (*query)(void *user, uint64_t token, const char *name,
                 size_t name_len, uint32_t type);
    /**
     * Nobody waits for that token any more; an answer to it is stale. Runs
     * inside onward_desk_run() (time-out), and inside the _free() of whatever
     * asked or of the resolver, unless the desk was freed before. May be NULL.
     */
    void (*cancel)(void *user, uint64_t token);
};

/**
 * Make a resolver.
 *
 * @param desk      kept in memory by the resolver.
 * @param opts      borrowed for this call; NULL: all defaults.
 * @param host      borrowed for this call; NULL: the host pulls by
 *                  onward_resolver_next(), or all answers are loaded. Its user
 *                  must live until onward_resolver_free().
 * @param resolver  out: free with onward_resolver_free().
 * @return 0, or
 *         ONWARD_EINVAL    desk or resolver is NULL, or a size is too small
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_resolver_new(struct onward_desk *desk,
                                   const struct onward_resolver_opts *opts,
                                   const struct onward_resolver_host *host,
                                   struct onward_resolver **resolver);

/**
 * End the caller's use. What still waits for an answer gets
 * ONWARD_DNS_STATUS_TEMP at the next onward_desk_run(), or nothing when the
 * desk was freed before; open tokens are cancelled and then stale. Allowed
 * inside any callback; evaluators made from it may be freed before or after.
 *
 * @param resolver  may be NULL.
 * @note Calls cancel of the host table.
 * @since 0.1
 */
ONWARD_API void onward_resolver_free(struct onward_resolver *resolver);

/** A question that the host pulls. */
struct onward_dns_question {
    size_t size;            /**< set by the caller */
    size_t type;            /**< enum onward_dns_type */
    uint64_t token;         /**< for the answer */
    struct onward_str name; /**< lower-case ASCII, no final dot */
};

/**
 * Pull the next question, for a host without a query callback. Questions
 * appear during onward_desk_run(): run the desk, then pull until 0.
 *
 * @param question  out; name is borrowed from the resolver until the next
 *                  call of this function or onward_resolver_free().
 * @return 1 with a question, 0 when there is none (always, when the host table
 *         has a query callback), or
 *         ONWARD_EINVAL  question->size is too small
 *         ONWARD_ESTATE  the desk was freed
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_resolver_next(struct onward_resolver *resolver,
                                    struct onward_dns_question *question);

/** Where and why a text of records was refused. */
struct onward_dns_fault {
    size_t size;            /**< set by the caller */
    size_t line;            /**< 1 is the first */
    struct onward_str text; /**< English: what is there, what was expected */
};

/**
 * Load records given as text, one a line, as `dig +noall +answer` prints them:
 *
 *     name [ttl] [IN] type rdata        ; comment
 *     name type-or-ANY !SERVFAIL        ; or !TIMEOUT, !NODATA, !BOGUS
 *     name type-or-ANY !SECURE          ; answers count as DNSSEC-validated
 *
 * Names are absolute, with or without the final dot. Types are A, AAAA, MX,
 * TXT, PTR, CNAME, NS, SOA, TLSA, and SPF (read as TXT); any other type is
 * written TYPEnnn with the rdata of RFC 3597 (`\# 4 0a000001`), which those
 * names may use too. Text strings are quoted, at most 255 octets each, with
 * \DDD and \X escapes; several of them are one record. A record of several
 * lines (parentheses) is not read. Without a TTL it is 3600.
 *
 * A name that is loaded is answered from here: records, else the CNAME that is
 * followed (the first, up to 8), else NODATA, also for a name that has only
 * names below it. A wildcard matches as RFC 4592 says. A failure line beats
 * records of its type; an ANY line holds for every type that has no line of
 * its own. Any other name is asked of the host, or is NXDOMAIN under
 * allow_only_loaded. May be called again; records add up. Questions answered
 * before keep their answer.
 *
 * @param text   borrowed for this call; line ends LF or CRLF.
 * @param fault  out on ONWARD_ESYNTAX, may be NULL; its text is borrowed
 *               from the resolver until the next load or _free().
 * @return 0, or
 *         ONWARD_ESYNTAX  a faulty line; nothing of this text was loaded
 *         ONWARD_EINVAL   fault->size is too small
 *         ONWARD_ELIMIT   more than 64 MiB of records
 *         ONWARD_ENOMEM   out of memory
 *         After the last two, records of some of the lines may be loaded.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_resolver_load(struct onward_resolver *resolver,
                                    struct onward_str text,
                                    struct onward_dns_fault *fault);

/* ---- The host's answers ------------------------------------------------ */

/**
 * Answer with a whole DNS reply (RFC 1035 section 4), as it came from a
 * recursive resolver. It is parsed as hostile: the question in it must be the
 * one that was asked; CNAMEs are followed up to 8, and when their target is
 * not in the reply it becomes a question of its own.
 *
 * @param token   from the question.
 * @param packet  borrowed for this call.
 * @param len     octets of the reply; above 65535 is ONWARD_ELIMIT.
 * @param flags   enum onward_dns_answer_flags, ored. The AD bit in the packet
 *                is not looked at: only the host knows whether to trust it.
 * @return 0 the answer is recorded, or
 *         ONWARD_ESTALE  no such question is open; nothing happened
 *         ONWARD_EINVAL  packet is NULL or a flag is unknown; nothing happened
 *         ONWARD_ESYNTAX malformed, cut off (TC), or to another question
 *         ONWARD_ELIMIT  the reply, what it holds, or its CNAMEs are too many
 *         ONWARD_ENOMEM  out of memory
 *         After the last three the question is answered as
 *         ONWARD_DNS_SERVFAIL and its token is spent.
 * @note Calls no callback. Cost: linear in len.
 * @since 0.1
 */
ONWARD_API int onward_dns_answer_wire(struct onward_desk *desk, uint64_t token,
                                      const void *packet, size_t len,
                                      uint64_t flags);

/**
 * Answer with text, as `dig +noall +answer` prints it, for hosts whose
 * resolver gives no packets. Lines of types that the library does not know are
 * passed over. No line for the name is NODATA; for NXDOMAIN and failures use
 * onward_dns_answer_error().
 *
 * @param text  borrowed for this call; see onward_resolver_load(). Lines with
 *              `!` are refused.
 * @return as onward_dns_answer_wire().
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_dns_answer_text(struct onward_desk *desk, uint64_t token,
                                      struct onward_str text, uint64_t flags);

/**
 * Answer that there is no answer.
 *
 * @param failure  enum onward_dns_failure.
 * @return 0 recorded, or
 *         ONWARD_ESTALE  no such question is open
 *         ONWARD_EINVAL  no such failure; nothing happened
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_dns_answer_error(struct onward_desk *desk, uint64_t token,
                                       int failure);

/* ---- One question, for hosts ------------------------------------------- */

/** One question asked through a resolver, with its cache and its records. */
struct onward_dns_lookup;

struct onward_dns_lookup_host {
    size_t size;
    void *user;
    /** The answer is there. Once, inside onward_desk_run(), never after
     * onward_dns_lookup_free(), which is allowed in here. */
    void (*done)(void *user, struct onward_dns_lookup *lookup);
};

/**
 * Ask for one name and type.
 *
 * @param resolver  its memory is kept until onward_dns_lookup_free().
 * @param name      borrowed for this call: A-labels, any case, with or without
 *                  final dot. What cannot be a DNS name is NXDOMAIN.
 * @param type      enum onward_dns_type; 1 to 65535.
 * @param host      borrowed for this call; done is required.
 * @param lookup    out: free with onward_dns_lookup_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ENOMEM, or
 *         ONWARD_ESTATE  the desk was freed
 * @since 0.1
 */
ONWARD_API int onward_dns_lookup_new(struct onward_resolver *resolver,
                                     struct onward_str name, uint32_t type,
                                     const struct onward_dns_lookup_host *host,
                                     struct onward_dns_lookup **lookup);

/**
 * Give the question up, or the answer back. Allowed inside any callback.
 *
 * @param lookup  may be NULL.
 * @note May call cancel of the resolver's host table.
 * @since 0.1
 */
ONWARD_API void onward_dns_lookup_free(struct onward_dns_lookup *lookup);

/**
 * @return enum onward_dns_status; ONWARD_DNS_STATUS_PENDING before the answer.
 * @since 0.1
 */
ONWARD_API int onward_dns_lookup_status(const struct onward_dns_lookup *lookup);

/**
 * How many records there are; 0 unless the status is ONWARD_DNS_STATUS_OK.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dns_lookup_count(const struct onward_dns_lookup *lookup);

/**
 * Record i. A: 4 octets, AAAA: 16. TXT and SPF: all strings joined, any octets.
 * MX, PTR, CNAME, NS: the name, lower case, no final dot, empty for the root,
 * odd octets as \DDD. Others: the rdata, with names uncompressed.
 *
 * @return borrowed until onward_dns_lookup_free(); empty if there is no i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dns_lookup_data(const struct onward_dns_lookup *lookup, size_t i);

/**
 * The preference of MX record i, else 0 (RFC 5321 section 5.1).
 *
 * @since 0.1
 */
ONWARD_API uint32_t
onward_dns_lookup_preference(const struct onward_dns_lookup *lookup, size_t i);

/**
 * Was every part of the answer DNSSEC-validated, as the host says? 1 or 0.
 *
 * @since 0.1
 */
ONWARD_API int
onward_dns_lookup_is_secure(const struct onward_dns_lookup *lookup);

/**
 * The least TTL on the way, in seconds, as it came: not less for an answer that
 * waited in the cache. 0 when none is known.
 *
 * @since 0.1
 */
ONWARD_API uint32_t
onward_dns_lookup_ttl_s(const struct onward_dns_lookup *lookup);

/**
 * The name behind all CNAMEs, in lower case; the name asked for when there was
 * none. Empty before the answer and after a failure.
 *
 * @return borrowed until onward_dns_lookup_free().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dns_lookup_canonical(const struct onward_dns_lookup *lookup);

/* ---- Text records ------------------------------------------------------ */

/**
 * Write a text as the strings of a TXT record in a zone file (RFC 1035 section
 * 5.1): each of at most 255 octets, in quotes, parted by a space; quotes,
 * backslashes and what is not printable ASCII escaped.
 *
 * @param text  what the strings joined shall be; empty: one empty string.
 * @param out   room for cap octets; gets the strings and a NUL.
 * @param cap   4 octets for each of text, and 4 for each 255 begun, are always
 *              enough.
 * @return the length without the NUL, or ONWARD_ELIMIT (cap too small; out
 *         untouched).
 * @since 0.1
 */
ONWARD_API int onward_dns_txt_strings(struct onward_str text, char *out,
                                      size_t cap);

#ifdef __cplusplus
}
#endif

#endif
