#ifndef ONWARD_EGRESS_H
#define ONWARD_EGRESS_H

#include <onward/dns.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Where to deliver: the mail servers of a domain in the order to try them
 * (RFC 5321 section 5, RFC 7505), each with its address and the TLS that it
 * must come up to, and what a failure at one of them means for the message.
 *
 * A plan serves one destination of one message:
 *
 *     onward_egress_new(...)            asks DNS; `done` runs
 *     while (onward_egress_next(plan, &attempt) == 1)
 *         connect to attempt.ip, deliver,
 *         onward_egress_report(plan, &outcome)
 *     onward_egress_result(plan, &result)
 *
 * The library connects to nothing. A plan belongs to its desk and so to one
 * thread at a time.
 */

/** A plan for one destination. */
struct onward_egress;

/** All fields but domain may be 0. */
struct onward_egress_opts {
    size_t size;
    /** The recipient's domain, U-labels allowed, or an address literal with its
     * brackets (RFC 5321 section 4.1.3). */
    struct onward_str domain;
    /** own_name_count host names and address literals that we are known by: a
     * server among them is left out, with all that are not preferred to it
     * (RFC 5321 section 5.1). */
    const struct onward_str *own_names;
    size_t own_name_count;
    /** smart_host_count host names and address literals to deliver to instead,
     * the preferred first, without a look-up of MX. */
    const struct onward_str *smart_hosts;
    size_t smart_host_count;
    /** 1: addresses of smart hosts need not pass the address filter. */
    size_t allow_private_smart_hosts;
    size_t port;         /**< default 25 */
    size_t max_hosts;    /**< servers looked at, the best; default 16 */
    size_t max_attempts; /**< addresses tried in all; default 32 */
    /** enum onward_tls_level where the host's tls_level() has no other wish; 0
     * is ONWARD_TLS_OPPORTUNISTIC (RFC 7435). */
    size_t tls_level;
    uint64_t log_id; /**< 0: that of the desk */
};

/**
 * What a plan asks and tells its host, inside onward_desk_run() only. All may
 * free the plan; done may call everything on it, the others nothing else.
 */
struct onward_egress_host {
    size_t size;
    void *user;
    /** The plan is ready: there are attempts, or there is a result. Once.
     * Required. */
    void (*done)(void *user, struct onward_egress *plan);
    /** May we connect there? 1 or 0. NULL: onward_ip_is_public(). */
    int (*allow_address)(void *user, const struct onward_ip *ip);
    /**
     * The TLS that a server must come up to: enum onward_tls_level, 0 for the
     * default of the options, or a negative number: do not deliver there now.
     * host is a name in lower-case A-labels or an address literal. May be NULL.
     */
    int (*tls_level)(void *user, const char *host, size_t host_len);
};

/**
 * Make a plan. A domain that cannot be one, or that takes no mail, is no error:
 * the result says so.
 *
 * @param resolver  its memory is kept until onward_egress_free().
 * @param opts      borrowed for this call, with all it points to.
 * @param host      borrowed for this call; done is required.
 * @param plan      out: free with onward_egress_free().
 * @return 0, or
 *         ONWARD_EINVAL    no domain and no smart host, no done, or a port or
 *                          TLS level out of range
 *         ONWARD_ESYNTAX   an own name or smart host is no host name and no
 *                          address literal
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_egress_new(struct onward_resolver *resolver,
                                 const struct onward_egress_opts *opts,
                                 const struct onward_egress_host *host,
                                 struct onward_egress **plan);

/**
 * Give the plan up. Allowed inside any callback.
 *
 * @param plan  may be NULL.
 * @note May call cancel of the resolver's host table.
 * @since 0.1
 */
ONWARD_API void onward_egress_free(struct onward_egress *plan);

/** One server to try. The caller sets size; at most so much is written. */
struct onward_egress_attempt {
    size_t size;
    const struct onward_ip *ip; /**< connect to this one and no other */
    size_t port;
    /** The server's name in lower-case A-labels, or an address literal. */
    struct onward_str host;
    /** What to give to the SMTP client; its name is that of the server, never
     * the recipient's domain. */
    const struct onward_tls_demand *tls;
    size_t preference; /**< of its MX record; 0 without one */
    /** 1: the MX and the address answers were DNSSEC-validated. */
    size_t is_secure;
};

/**
 * The next server to try: by preference, in random order where that is equal,
 * IPv6 before IPv4, each address once. Its outcome is to be reported before
 * there is another one.
 *
 * @param attempt  out; what it points to is borrowed from plan until the next
 *                 call of this function or onward_egress_free().
 * @return 1 with an attempt; 0: there is a result; or
 *         ONWARD_ESTATE  `done` has not run yet, or an outcome is missing
 *         ONWARD_EINVAL  attempt->size is too small
 * @since 0.1
 */
ONWARD_API int onward_egress_next(struct onward_egress *plan,
                                  struct onward_egress_attempt *attempt);

/** How it stands, and what came of an attempt: the numbers are those of enum
 * onward_smtp_fate. */
enum onward_egress_fate {
    ONWARD_EGRESS_PENDING = 0,   /**< result: not known yet. outcome: the server
                                    was not asked */
    ONWARD_EGRESS_DELIVERED = 1, /**< it has the message */
    ONWARD_EGRESS_TEMPORARY = 2, /**< try again later */
    ONWARD_EGRESS_PERMANENT = 3  /**< it will never take it */
};

/** What came of an attempt: what onward_smtp_client_outcome() says. */
struct onward_egress_outcome {
    size_t size;
    size_t fate; /**< enum onward_egress_fate */
    size_t code; /**< of the server's reply; 0: none */
    struct onward_str enhanced;
    struct onward_str text;
    size_t tls_failure; /**< enum onward_tls_failure: TLS is what failed */
};

/**
 * Say what came of the attempt. A permanent failure is final: other servers
 * are not tried (RFC 5321 section 4.2.1). After a temporary one, or where there
 * was no connection, the next attempt follows; it is the same address without
 * TLS when TLS failed that was only opportunistic.
 *
 * With several recipients report TEMPORARY while any of them is to be tried
 * again, and offer only these to the next server.
 *
 * @param outcome  borrowed for this call.
 * @return 1 there is another attempt, 0 there is a result, or
 *         ONWARD_ESTATE    no attempt is open
 *         ONWARD_EINVAL    no such fate
 *         ONWARD_EVERSION  a field this release does not know is not 0
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_egress_report(struct onward_egress *plan,
                     const struct onward_egress_outcome *outcome);

/** How it ended. The caller sets size; at most so much is written. */
struct onward_egress_verdict {
    size_t size;
    size_t fate; /**< enum onward_egress_fate */
    /** The reply that fits: the server's last one, or ours; 250, 451, 550. */
    size_t code;
    struct onward_str enhanced; /**< "5.1.10" */
    struct onward_str text;     /**< printable ASCII, at most 512 octets */
};

/**
 * How the plan stands. ONWARD_EGRESS_PENDING: `done` has not run, or there is
 * an attempt to make; code is 0 then.
 *
 * @param result  out; its texts are borrowed from plan until
 *                onward_egress_report() or onward_egress_free().
 * @return 0, or ONWARD_EINVAL: result->size is too small.
 * @since 0.1
 */
ONWARD_API int onward_egress_result(const struct onward_egress *plan,
                                    struct onward_egress_verdict *result);

/* ---- When to try again ------------------------------------------------- */

/** How often a host that keeps messages tries to deliver one (RFC 5321 section
 * 4.5.4.1). Seconds; a 0 is the default. */
struct onward_egress_retry_opts {
    size_t size;
    size_t first_s;        /**< until the second try; 1800 */
    size_t growth_percent; /**< a wait by the one before it; at least 100,
                                which is no growth; 200 */
    size_t ceiling_s;      /**< no wait is longer, but for the jitter; 10800 */
    /** The most that is added to a wait at random, so that what failed together
     * does not come again together; 10. ONWARD_LIMIT_ZERO: nothing. */
    size_t jitter_percent;
    size_t expire_s; /**< then it is given up; 432000, five days */
    /** When the sender is told of a delay (RFC 3461 section 4.1); 14400, four
     * hours. ONWARD_LIMIT_NONE: never. */
    size_t notice_s;
    size_t reserved; /**< 0 */
};

/** What comes next. The caller sets size; at most so much is written. */
struct onward_egress_retry_step {
    size_t size;
    /** 1: it was tried at its last time and that failed: the failure is
     * permanent now (4.4.7). next_s is then expires_s. */
    size_t is_expired;
    int64_t next_s;    /**< try again then, not before */
    int64_t expires_s; /**< the last try is at that time */
    int64_t notice_s;  /**< from then on the notice of delay is due; INT64_MAX:
                            never. Once for a message: the host keeps count */
};

/**
 * When to try again. A pure function: it knows no clock, and the same arguments
 * give the same times.
 *
 * @param opts      borrowed; NULL: all defaults.
 * @param attempts  tries so far; 0: none, next_s is queued_s.
 * @param queued_s  when the message was taken over; any clock of seconds.
 * @param last_s    when it was tried last; before queued_s it counts as that.
 * @param random    any, each value as likely as the others: where in the jitter
 *                  this wait lies.
 * @param step      out.
 * @return 0, or
 *         ONWARD_EINVAL    growth_percent below 100, or step->size too small
 *         ONWARD_EVERSION  a field this release does not know is not 0
 * @since 0.1
 */
ONWARD_API int onward_egress_retry(const struct onward_egress_retry_opts *opts,
                                   uint32_t attempts, int64_t queued_s,
                                   int64_t last_s, uint32_t random,
                                   struct onward_egress_retry_step *step);

#ifdef __cplusplus
}
#endif

#endif
