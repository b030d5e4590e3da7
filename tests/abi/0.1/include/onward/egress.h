#ifndef ONWARD_EGRESS_H
#define ONWARD_EGRESS_H

#include <onward/dns.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Where to deliver: the mail servers of a domain in the order to try them
 * (RFC 5321 section 5, RFC 7505), what each must prove before it gets the
 * message (DANE, RFC 7672; MTA-STS, RFC 8461; REQUIRETLS, RFC 8689; the host's
 * own rule), why, and what a failure at one of them means.
 *
 * A plan serves one destination of one message:
 *
 *     onward_egress_new(...)            asks DNS and policies; `done` runs
 *     while (onward_egress_next(plan, &attempt) == 1)
 *         connect to attempt.ip, deliver as attempt.tls demands,
 *         onward_egress_report_client(plan, client, 0)
 *     onward_egress_result(plan, &result)
 *
 * The library connects to nothing. A plan belongs to its desk and so to one
 * thread at a time.
 *
 * ## What is demanded
 *
 * What holds at a server is the strongest of these, and nothing gets weaker
 * because a question was not answered:
 *
 *     DANE     usable TLSA records: ONWARD_TLS_DANE. Records none of which is
 *              usable: ONWARD_TLS_ENCRYPTED. A look-up that failed: the server
 *              is not used now; a policy of MTA-STS does not help it (RFC 8461
 *              section 2).
 *     MTA-STS  mode enforce: the server's name must be in the policy, and
 *              ONWARD_TLS_VERIFIED with that name. Where a validated MX answer
 *              leads to usable TLSA records these come in its place. Behind an
 *              MX answer that is not validated anybody could have named the
 *              server, with TLSA records of his own: there both must hold, the
 *              name in the policy, a record that matches, and a certificate
 *              that authorities vouch for (onward_tls_demand.pkix_names).
 *              Mode testing: nothing; what would have failed is reported.
 *     host     the options' tls_level or the host's tls_level(); that of a
 *              target.
 *     message  require_tls: ONWARD_TLS_VERIFIED, by DANE or by authorities, a
 *              server name that a validated MX answer, a policy of MTA-STS or
 *              the host's choice stands for, and a server that offers
 *              REQUIRETLS.
 *     none     ONWARD_TLS_OPPORTUNISTIC. Only there a TLS failure leads to the
 *              same server in the clear.
 *
 * A server that may not be used is left out, and the others are tried. When
 * none is left the message is to be tried later (451 4.7.5), unless it demands
 * REQUIRETLS and no server can give that: then it is 550 5.7.10 or 5.7.30.
 */

/** A plan for one destination. */
struct onward_egress;

struct onward_mtasts;
struct onward_smtp_client;
struct onward_tlsrpt_session;

/** What to speak there. */
enum onward_egress_protocol {
    ONWARD_EGRESS_SMTP = 0,
    ONWARD_EGRESS_LMTP = 1 /**< RFC 2033 */
};

/** All fields may be 0, but without a domain there must be targets. */
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
    /** Asked for the policy of the domain, and of the names of targets (RFC
     * 8461 section 3.4). Of the resolver's desk, and not freed before the plan
     * is ready: without its answer nothing is delivered. NULL: no MTA-STS. */
    struct onward_mtasts *mtasts;
    size_t port;         /**< default 25, with LMTP 24 */
    size_t protocol;     /**< enum onward_egress_protocol */
    size_t max_hosts;    /**< servers looked at, the best; default 16 */
    size_t max_attempts; /**< addresses tried in all; default 32 */
    /** enum onward_tls_level where the host's tls_level() has no other wish; 0
     * is ONWARD_TLS_OPPORTUNISTIC (RFC 7435). With ONWARD_TLS_DANE a server
     * without usable records is not used (RFC 7672 section 6). */
    size_t tls_level;
    /** 1: do not look for TLSA records. They are asked for only where the
     * addresses of the server are validated. */
    size_t skip_dane;
    /** 1: the message came with REQUIRETLS (RFC 8689). */
    size_t require_tls;
    /** 1: the message is a bounce, with the null path: where no server can
     * give it REQUIRETLS it goes without (RFC 8689 section 5). */
    size_t is_bounce;
    /** 1: the message says "TLS-Required: No" (RFC 8689 section 4.2.2): DANE
     * and MTA-STS are not looked at. The host's own rule holds all the same.
     * Not looked at with require_tls. */
    size_t tls_optional;
    size_t reserved; /**< 0 */
    uint64_t log_id; /**< 0: that of the desk */
};

/**
 * What a plan asks and tells its host. done, allow_address and tls_level run
 * inside onward_desk_run() only, tls_result there and inside
 * onward_egress_report(). All may free the plan; done may call everything on
 * it, the others nothing else.
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
     * What a policy demands of it is not made weaker by that. host is a name in
     * lower-case A-labels or an address literal. May be NULL.
     */
    int (*tls_level)(void *user, const char *host, size_t host_len);
    /**
     * How TLS went at a server, for onward_tlsrpt_report_add() of the report to
     * that domain (<onward/tlsrpt.h>, RFC 8460): each session that came as far
     * as TLS, successes too, and each server that a policy kept us from, when
     * its turn came. A session is counted once; what it further showed has
     * is_further. domain, in A-labels, is where the record of RFC 8460 is, that
     * of the recipients or of a target. All is borrowed for the call; the
     * host adds sending_ip to a copy. May be NULL.
     */
    void (*tls_result)(void *user, const char *domain, size_t domain_len,
                       const struct onward_tlsrpt_session *session);
};

/**
 * Make a plan. A domain that cannot be one, or that takes no mail, is no error:
 * the result says so.
 *
 * @param resolver  its memory is kept until onward_egress_free().
 * @param opts      borrowed for this call, with all it points to but mtasts.
 * @param host      borrowed for this call; done is required.
 * @param plan      out: free with onward_egress_free().
 * @return 0, or
 *         ONWARD_EINVAL    no done, or a port, protocol or TLS level that
 *                          cannot be; LMTP over port 25
 *         ONWARD_ESYNTAX   an own name is no host name and no address literal
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

/** A next hop of the host's choosing. All but host may be 0. */
struct onward_egress_target_opts {
    size_t size;
    /** A host name, U-labels allowed, or an address literal with its brackets.
     */
    struct onward_str host;
    size_t port;      /**< default: that of the plan, with LMTP 24 */
    size_t protocol;  /**< enum onward_egress_protocol */
    size_t tls_level; /**< enum onward_tls_level at least; 0: as the plan's */
    size_t by_mx;     /**< 1: host is a domain, its servers are asked for */
    /** 1: its addresses need not pass the address filter. Not with by_mx: who
     * keeps the domain would choose them. */
    size_t allow_private;
};

/**
 * Deliver there (a smart host, a mail store) instead of to the servers of the
 * domain: to the target added first while that works, then to the next. Between
 * onward_egress_new() and the next onward_desk_run().
 *
 * @param target  borrowed for this call.
 * @return 0, or
 *         ONWARD_ESYNTAX   host is neither a name nor a literal
 *         ONWARD_EINVAL    a port, protocol or level that cannot be, LMTP over
 *                          port 25, or by_mx with allow_private
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the plan is under way
 *         ONWARD_ELIMIT    there are as many as max_hosts
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_egress_add_target(struct onward_egress *plan,
                         const struct onward_egress_target_opts *target);

/* ---- Attempts ---------------------------------------------------------- */

/** What demands the TLS of an attempt. Numbers never change. */
enum onward_egress_reason {
    ONWARD_EGRESS_REASON_NONE = 0,     /**< the server is not used */
    ONWARD_EGRESS_REASON_DEFAULT = 1,  /**< nothing but the options */
    ONWARD_EGRESS_REASON_HOST = 2,     /**< the host's tls_level() */
    ONWARD_EGRESS_REASON_TARGET = 3,   /**< the target's tls_level */
    ONWARD_EGRESS_REASON_DANE = 4,     /**< TLSA records */
    ONWARD_EGRESS_REASON_UNUSABLE = 5, /**< TLSA records, none of them usable */
    ONWARD_EGRESS_REASON_MTASTS = 6,   /**< a policy that is enforced */
    ONWARD_EGRESS_REASON_BOTH = 7,     /**< TLSA records and such a policy */
    ONWARD_EGRESS_REASON_TESTING = 8,  /**< nothing: the policy is a test */
    ONWARD_EGRESS_REASON_REQUIRETLS = 9, /**< the message */
    ONWARD_EGRESS_REASON_OPTIONAL = 10,  /**< nothing: the message wants none */
    ONWARD_EGRESS_REASON_CLEAR = 11 /**< nothing, and TLS has failed there */
};

/** One server to try. The caller sets size; at most so much is written. */
struct onward_egress_attempt {
    size_t size;
    const struct onward_ip *ip; /**< connect to this one and no other */
    size_t port; /**< to connect to */
    /** The server's name in lower-case A-labels, or an address literal. */
    struct onward_str host;
    /** What to give to the SMTP client; its names are those that the server has
     * to prove, never the recipient's domain unless DANE says so. */
    const struct onward_tls_demand *tls;
    size_t preference; /**< of its MX record; 0 without one */
    /** 1: the MX and the address answers were DNSSEC-validated. */
    size_t is_secure;
    size_t protocol; /**< enum onward_egress_protocol */
    /** 1: say REQUIRETLS (onward_smtp_envelope.require_tls). */
    size_t require_tls;
    size_t reason; /**< enum onward_egress_reason: why this TLS */
    size_t server; /**< its number, for onward_egress_server_at() */
};

/**
 * The next server to try: by preference, in random order where that is equal,
 * IPv6 before IPv4, each address once (for each name that it must prove). Its
 * outcome is to be reported before there is another one.
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
    struct onward_str enhanced; /**< of the reply, "5.1.1"; empty: none */
    struct onward_str text; /**< of the reply */
    size_t tls_failure; /**< enum onward_tls_failure: TLS is what failed */
    size_t phase;       /**< enum onward_smtp_phase */
    size_t cause;       /**< enum onward_smtp_cause */
    /** The TLS that the session ran under; NULL: none. */
    const struct onward_tls_facts *tls;
};

/**
 * Say what came of the attempt. A permanent failure is final: other servers
 * are not tried (RFC 5321 section 4.2.1). After a temporary one, one for want
 * of TLS or REQUIRETLS, or where there was no connection, the next attempt
 * follows; it is the same address without TLS when TLS failed that was only
 * opportunistic.
 *
 * With several recipients report TEMPORARY while any of them is to be tried
 * again, and offer only these to the next server.
 *
 * @param outcome  borrowed for this call.
 * @return 1 there is another attempt, 0 there is a result, or
 *         ONWARD_ESTATE    no attempt is open
 *         ONWARD_EINVAL    no such fate
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ECANCELED the plan was freed in tls_result
 * @note Calls tls_result.
 * @since 0.1
 */
ONWARD_API int
onward_egress_report(struct onward_egress *plan,
                     const struct onward_egress_outcome *outcome);

/**
 * The same from the library's client: what became of one recipient, and of TLS.
 *
 * @param client  that was given the attempt; its `done` has run, or it is
 *                closed.
 * @param rcpt    a number from onward_smtp_client_add_rcpt(),
 *                ONWARD_SMTP_MESSAGE or ONWARD_SMTP_SESSION.
 * @return as onward_egress_report(), or ONWARD_ENOENT: no such recipient.
 * @note Calls tls_result.
 * @since 0.1
 */
ONWARD_API int
onward_egress_report_client(struct onward_egress *plan,
                            const struct onward_smtp_client *client,
                            size_t rcpt);

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

/* ---- The plan explained ------------------------------------------------ */

/** What becomes of a server. Numbers never change. */
enum onward_egress_use {
    ONWARD_EGRESS_USE_PENDING = 0,   /**< not decided */
    ONWARD_EGRESS_USE_YES = 1,       /**< there are attempts */
    ONWARD_EGRESS_USE_BAD_NAME = 2,  /**< no host has that name */
    ONWARD_EGRESS_USE_OURSELVES = 3, /**< own_names */
    ONWARD_EGRESS_USE_BEHIND_US = 4, /**< not preferred to ourselves */
    ONWARD_EGRESS_USE_NO_ADDRESS = 5,
    ONWARD_EGRESS_USE_ADDRESS_FAILED = 6, /**< not to be looked up now */
    ONWARD_EGRESS_USE_REFUSED = 7,  /**< its addresses, by the address filter */
    ONWARD_EGRESS_USE_REPEATED = 8, /**< its addresses are those of others */
    ONWARD_EGRESS_USE_TOO_MANY = 9, /**< max_attempts */
    ONWARD_EGRESS_USE_HOST_RULE = 10,      /**< tls_level() */
    ONWARD_EGRESS_USE_NOT_IN_POLICY = 11,  /**< MTA-STS, enforced */
    ONWARD_EGRESS_USE_POLICY_UNKNOWN = 12, /**< MTA-STS cannot be asked: the
                                                fault is on our side */
    ONWARD_EGRESS_USE_DANE_FAILED = 13,    /**< the look-up; see dane_reason */
    ONWARD_EGRESS_USE_NO_DANE = 14,        /**< demanded by the host */
    ONWARD_EGRESS_USE_NAME_UNPROVEN = 15   /**< REQUIRETLS, and nobody vouches
                                                for the name of the server */
};

/** One server of the plan, and what is known of it. The caller sets size; at
 * most so much is written. Texts are borrowed from the plan until
 * onward_egress_free(). */
struct onward_egress_server_facts {
    size_t size;
    struct onward_str host;     /**< as in struct onward_egress_attempt */
    struct onward_str next_hop; /**< the domain or target that it serves */
    size_t port; /**< to connect to */
    size_t protocol; /**< enum onward_egress_protocol */
    size_t preference; /**< of the MX record */
    size_t is_mx;        /**< 1: an MX record has named it */
    size_t is_mx_secure; /**< 1: and that answer, or there being none, was
                              validated */
    size_t use;          /**< enum onward_egress_use */
    size_t level;        /**< enum onward_tls_level; 0: not used */
    size_t reason;       /**< enum onward_egress_reason */
    size_t own_level;    /**< enum onward_tls_level of the host's own rule */
    size_t require_tls;  /**< 1: REQUIRETLS is said */
    /** MTA-STS of next_hop: enum onward_mtasts_mode and id of the policy in
     * force, 0 and empty without one; 1: host is in it; enum
     * onward_mtasts_reason for why there is none, or no newer one. */
    size_t policy_mode;
    struct onward_str policy_id; /**< of the policy in force */
    size_t is_in_policy; /**< 1: host is in it */
    size_t policy_reason; /**< enum onward_mtasts_reason */
    /** DANE: enum onward_dane_result and _reason, 0 where it was not asked;
     * usable records; the TLSA base domain. */
    size_t dane_result;
    size_t dane_reason; /**< enum onward_dane_reason */
    size_t tlsa_count; /**< usable records */
    struct onward_str base_domain; /**< where they were found */
};

/** Servers of the plan, those too that are not used; 0 before `done`.
 * @since 0.1 */
ONWARD_API size_t onward_egress_server_count(const struct onward_egress *plan);

/**
 * Server i, in the order of the plan.
 *
 * @param facts  out.
 * @return 0, ONWARD_ENOENT (no server i) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_egress_server_at(const struct onward_egress *plan, size_t i,
                        struct onward_egress_server_facts *facts);

/** One address of a server. The caller sets size; at most so much is written.
 */
struct onward_egress_address_facts {
    size_t size;
    const struct onward_ip *ip; /**< borrowed until onward_egress_free() */
    size_t server;              /**< its number */
    size_t is_secure;           /**< as in struct onward_egress_attempt */
    /** enum onward_egress_use: _YES, _REFUSED, _REPEATED or _TOO_MANY. */
    size_t use;
};

/** Addresses of the servers that may be used; 0 before `done`. @since 0.1 */
ONWARD_API size_t onward_egress_address_count(const struct onward_egress *plan);

/**
 * Address i, in the order in which they are tried.
 *
 * @param facts  out.
 * @return 0, ONWARD_ENOENT (no address i) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_egress_address_at(const struct onward_egress *plan, size_t i,
                         struct onward_egress_address_facts *facts);

/** A short stable word, "not-in-policy"; "unknown" for other numbers.
 * @since 0.1 */
ONWARD_API const char *onward_egress_use_name(int use);

/** An English sentence without final dot. @since 0.1 */
ONWARD_API const char *onward_egress_use_text(int use);

/** A short stable word, "mtasts"; "unknown" for other numbers. @since 0.1 */
ONWARD_API const char *onward_egress_reason_name(int reason);

/** An English sentence without final dot. @since 0.1 */
ONWARD_API const char *onward_egress_reason_text(int reason);

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
