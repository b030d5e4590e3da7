#ifndef ONWARD_VERIFY_H
#define ONWARD_VERIFY_H

#include <onward/arc.h>
#include <onward/authres.h>
#include <onward/dkim.h>
#include <onward/dmarc.h>
#include <onward/dmarc_report.h>
#include <onward/mime.h>
#include <onward/spf.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * One pass over a message: SPF, DKIM, ARC and DMARC together, one verdict, one
 * Authentication-Results field (RFC 7208, 6376, 8617, 9989, 8601). The header
 * is kept, the body is hashed as it passes, once for all that need it.
 *
 * A verifier serves one message and belongs to its resolver's desk, so to one
 * thread at a time. Make it as early as the envelope sender is known: SPF is at
 * work while the message still comes.
 */

struct onward_verifier; /* opaque */

enum { ONWARD_VERIFIER_AUTHORS_MAX = 5 }; /**< most author domains */

/** What the host knows of the client's reverse name (RFC 8601 section 2.7.3):
 * the verifier does not look it up. */
enum onward_verifier_iprev {
    ONWARD_VERIFIER_IPREV_UNCHECKED = 0, /**< nothing is written of it */
    ONWARD_VERIFIER_IPREV_PASS = 1, /**< a name of the address leads back */
    ONWARD_VERIFIER_IPREV_FAIL = 2,
    ONWARD_VERIFIER_IPREV_TEMPERROR = 3,
    ONWARD_VERIFIER_IPREV_PERMERROR = 4
};

/**
 * What goes into Authentication-Results beside the usual. By default it is what
 * forwarding services write, in their order:
 *
 *     dkim=pass header.d=a.example header.s=sel header.b=dGhlc2Vh;
 *     dmarc=pass header.from=a.example policy.dmarc=reject;
 *     spf=none (mx.b.example: no SPF records found for
 *      postmaster@mail.a.example) smtp.helo=mail.a.example;
 *     spf=pass (mx.b.example: domain of u@a.example designates 192.0.2.9 as
 *      permitted sender) smtp.mailfrom=u@a.example;
 *     arc=none smtp.remote-ip=192.0.2.9
 *
 * One result a DKIM signature, none without one: who did not sign is told from
 * who was not checked by the other results, which are always there. Some of
 * those services write dmarc=none for mail that failed a policy of none. We
 * write dmarc=fail: RFC 8601 section 2.7.1 has none for no policy at all, and
 * a receiver that reads it loses what it could learn of a forgery.
 */
enum onward_verifier_results {
    /** dkim=none for a message without signatures (RFC 8601 section 2.7.1). */
    ONWARD_VERIFIER_RESULTS_DKIM_NONE = 1,
    /** header.a and header.i of each signature. */
    ONWARD_VERIFIER_RESULTS_DKIM_DETAIL = 2
};

/**
 * What is known of the connection, and the policy: what is refused, what is
 * written down. All 0 is the careful choice.
 */
struct onward_verifier_opts {
    size_t size;
    /** Who we are in Authentication-Results (RFC 8601 section 2.5). Required.
     */
    struct onward_str authserv_id;
    /** The SMTP client's address; NULL: no SPF. */
    const struct onward_ip *client_ip;
    struct onward_str helo;      /**< as the client said it */
    struct onward_str mail_from; /**< without brackets; empty: null path */
    struct onward_str receiver;  /**< our host name, for SPF macros */
    size_t max_signatures;       /**< DKIM; default 10 */
    /** From octets fed last to `done`; then what is open is temperror. Default
     * 30000, ONWARD_LIMIT_NONE: SPF's and the resolver's limits alone. */
    size_t timeout_ms;
    /** How many author domains From may have. Each is checked, and the
     * strictest verdict counts; more: as if there were no author. Default 1, at
     * most ONWARD_VERIFIER_AUTHORS_MAX (RFC 9989 section 11.5). */
    size_t max_authors;
    size_t dmarc_reject_policy; /**< enum onward_dmarc_reject */
    size_t dmarc_discovery;     /**< enum onward_dmarc_discovery */
    /** 1: a message without a readable author, or with too many, is not asked
     * to be rejected. DMARC does not pass for it in any case. */
    size_t allow_no_author;
    /** 1: write no smtp.remote-ip and no iprev into Authentication-Results, and
     * no address into the comments of SPF. */
    size_t omit_remote_ip;
    size_t iprev;                 /**< enum onward_verifier_iprev */
    struct onward_str iprev_name; /**< the name that was found; may be empty */
    size_t results;               /**< bits of enum onward_verifier_results */
};

struct onward_verifier_host {
    size_t size;
    void *user;
    /** All is known. Once, inside onward_desk_run(); may free the verifier. */
    void (*done)(void *user, struct onward_verifier *verifier);
};

/**
 * Begin with a message.
 *
 * @param resolver  kept alive by the verifier.
 * @param opts      borrowed for this call; text is copied.
 * @param host      borrowed for this call; NULL: poll
 *                  onward_verifier_is_done().
 * @param verifier  out: free with onward_verifier_free().
 * @return 0, or
 *         ONWARD_EINVAL    no authserv_id, or one that a field cannot hold, or
 *                          an option out of its range
 *         ONWARD_EVERSION  an option of a newer release is set
 *         ONWARD_ESTATE    the resolver's desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_verifier_new(struct onward_resolver *resolver,
                                   const struct onward_verifier_opts *opts,
                                   const struct onward_verifier_host *host,
                                   struct onward_verifier **verifier);

/**
 * Believe what this sealer's ARC set says of DMARC (arc=pass alone changes
 * nothing).
 *
 * @param domain  d= of its ARC-Seal; copied.
 * @return 0, ONWARD_ESYNTAX (no domain name), ONWARD_ESTATE (after the header)
 *         or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_verifier_trust_sealer(struct onward_verifier *verifier,
                                            struct onward_str domain);

/**
 * Take the next octets of the message. Cut it where you like: the verdict does
 * not depend on the cuts. Lines end in CRLF.
 *
 * @param data  borrowed for this call; may be NULL when len is 0.
 * @return 0, or
 *         ONWARD_ELIMIT  the header is over the context's limits
 *         ONWARD_ESTATE  after onward_verifier_finish(), or after an error
 *         ONWARD_ENOMEM  out of memory
 *         After any of them the verifier can only be freed.
 * @since 0.1
 */
ONWARD_API int onward_verifier_feed(struct onward_verifier *verifier,
                                    const void *data, size_t len);

/**
 * The message is complete. `done` comes inside onward_desk_run() after this.
 *
 * @return as onward_verifier_feed().
 * @since 0.1
 */
ONWARD_API int onward_verifier_finish(struct onward_verifier *verifier);

/** @param verifier  may be NULL. Allowed inside any callback. @since 0.1 */
ONWARD_API void onward_verifier_free(struct onward_verifier *verifier);

/** @return 1 once all is known, else 0. @since 0.1 */
ONWARD_API int onward_verifier_is_done(const struct onward_verifier *verifier);

/* ---- What was found. Borrowed texts live as long as the verifier. ------- */

/**
 * The header block that was read.
 *
 * @return borrowed from the verifier; not done before the block has ended.
 * @since 0.1
 */
ONWARD_API const struct onward_header *
onward_verifier_header(const struct onward_verifier *verifier);

/**
 * SPF of one identity.
 *
 * @param identity  enum onward_spf_identity.
 * @return borrowed from the verifier; NULL when no client_ip was given.
 * @since 0.1
 */
ONWARD_API const struct onward_spf_check *
onward_verifier_spf(const struct onward_verifier *verifier, int identity);

/** @return how many DKIM signatures were looked at. @since 0.1 */
ONWARD_API size_t
onward_verifier_dkim_count(const struct onward_verifier *verifier);

/**
 * DKIM signature i, counted from the top.
 *
 * @param signature  out: size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_verifier_dkim(const struct onward_verifier *verifier,
                                    size_t i,
                                    struct onward_dkim_signature *signature);

/**
 * The chain of ARC sets that the message came with.
 *
 * @param verdict  out: size set by the caller.
 * @return 0 or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_verifier_arc(const struct onward_verifier *verifier,
                                   struct onward_arc_verdict *verdict);

/**
 * One set of the chain.
 *
 * @param instance  1 to verdict.instances.
 * @param set       out: size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_verifier_arc_set(const struct onward_verifier *verifier,
                                       size_t instance,
                                       struct onward_arc_set *set);

/**
 * DMARC of the author's domain; of several, the one whose verdict counts.
 *
 * @return borrowed from the verifier; NULL when there is no author domain, or
 *         too many (or no memory): then onward_verifier_dmarc_result() says how
 *         it is. Of several authors, NULL before `done`.
 * @since 0.1
 */
ONWARD_API const struct onward_dmarc_check *
onward_verifier_dmarc(const struct onward_verifier *verifier);

/** @return how many author domains are checked; 0 before the header's end, and
 * when From has none or too many. @since 0.1 */
ONWARD_API size_t
onward_verifier_author_count(const struct onward_verifier *verifier);

/** @return DMARC of author domain i, in the order of From, borrowed; NULL when
 * i is too large. @since 0.1 */
ONWARD_API const struct onward_dmarc_check *
onward_verifier_dmarc_at(const struct onward_verifier *verifier, size_t i);

/**
 * The host has reasons of its own to refuse: see onward_dmarc_check_suspect().
 * At any time.
 *
 * @since 0.1
 */
ONWARD_API void onward_verifier_suspect(struct onward_verifier *verifier);

/** @return enum onward_dmarc_result; PENDING before `done`. @since 0.1 */
ONWARD_API int
onward_verifier_dmarc_result(const struct onward_verifier *verifier);

/** @return enum onward_dmarc_reason. @since 0.1 */
ONWARD_API int
onward_verifier_dmarc_reason(const struct onward_verifier *verifier);

/**
 * What to do by default: as onward_dmarc_check_disposition(); REJECT when no
 * author can be read or there are too many, unless
 * opts.allow_no_author. For TEMPERROR it is NONE: a host that can defer (451)
 * does better than to take such a message.
 *
 * @return enum onward_dmarc_policy, never UNKNOWN.
 * @since 0.1
 */
ONWARD_API int
onward_verifier_dmarc_disposition(const struct onward_verifier *verifier);

/** What a host does best with a message, by DMARC alone. @since 0.1 */
enum onward_verifier_advice {
    ONWARD_VERIFIER_ADVICE_TAKE = 0,
    ONWARD_VERIFIER_ADVICE_QUARANTINE = 1,
    ONWARD_VERIFIER_ADVICE_DEFER = 2, /**< 451 4.7.1 */
    ONWARD_VERIFIER_ADVICE_REJECT = 3 /**< 550 5.7.1 */
};

/**
 * The disposition, for a host that can defer: where an answer is missing that
 * could turn it around, the advice is DEFER (RFC 9989 section 5.3.6). So it is
 * for a policy that might ask to reject but cannot be looked up, unless the
 * author's own domain is authenticated: who makes the resolver fail does not
 * come through under the name of another.
 *
 * @return enum onward_verifier_advice; TAKE before `done`.
 * @since 0.1
 */
ONWARD_API int
onward_verifier_advice(const struct onward_verifier *verifier);

/**
 * The author's domain in A-labels.
 *
 * @return empty when there is none or too many. Of several, that of
 *         onward_verifier_dmarc().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_verifier_author_domain(const struct onward_verifier *verifier);

/**
 * Did anything authenticate the message: SPF of MAIL FROM, or a DKIM signature?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_verifier_is_authenticated(const struct onward_verifier *verifier);

/**
 * The value of our Authentication-Results field, folded, without a final CRLF.
 *
 * @return empty before `done`.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_verifier_authres(const struct onward_verifier *verifier);

/**
 * SHA-256 of the whole body in its relaxed form (RFC 6376 section 3.4.4), 32
 * octets: what an ARC sealer takes, so that the body is hashed once a hop.
 *
 * @return borrowed from the verifier; empty before onward_verifier_finish().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_verifier_body_hash(const struct onward_verifier *verifier);

/**
 * What an ARC sealer has to know of the message: sets chain_result,
 * chain_instances, authserv_id, results and body_hash of opts. That is for a
 * message whose body leaves as it came; empty body_hash for another, and feed
 * the sealer the body. onward_arc_state_write() takes it to another process.
 *
 * @param opts  size set by the caller, to all that this release knows; what
 *              else it holds stays. Texts are borrowed from the verifier.
 * @return 0, or, and then opts is untouched,
 *         ONWARD_AGAIN   the chain fails only because DNS gave no answer. A
 *                        seal would break it for good: defer the message
 *         ONWARD_ESTATE  before `done`
 *         ONWARD_EINVAL  opts is NULL or its size too small
 * @since 0.1
 */
ONWARD_API int onward_verifier_sealing(const struct onward_verifier *verifier,
                                       struct onward_arc_sealer_opts *opts);

/**
 * Why each part came out as it did, as one JSON object in one line:
 *
 *     {"v":1, "authenticated":true,
 *      "spf": null or {"mailfrom":{"result", "reason", "text", "domain",
 *          "mechanism", "explanation", "lookups", "void_lookups",
 *          "steps":[{"domain", "offset", "depth", "term", "target", "outcome",
 *                    "lookup", "void_lookups"}]}, "helo":{...}},
 *      "dkim":[{"result", "reason", "text", "d", "s", "i", "a", "b",
 *          "exposed_fields", "changed_fields", "key_bits", "test",
 *          "counts"}],
 *      "arc":{"result", "reason", "text", "instances", "instance", "sealer",
 *          "trusted"},
 *      "dmarc":{"result", "reason", "text", "disposition", "author_domain",
 *          "authors":[{"result", "reason", "text", "author_domain",
 *              "org_domain", "policy_domain", "record", "policy",
 *              "disposition", "override", "spf_aligned", "dkim_aligned"}]}}
 *
 * More keys may come. It holds words of peers: escaped, each cut after 256
 * octets. At most 64 KiB: when that is too little, the steps of SPF are left
 * out.
 *
 * @param json  out: borrowed from the verifier until the next call or
 *              onward_verifier_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ESTATE  before `done`
 *         ONWARD_EINVAL  json is NULL
 *         ONWARD_ELIMIT  too long even so: hundreds of signatures
 *         ONWARD_ENOMEM  out of memory
 * @since 0.1
 */
ONWARD_API int onward_verifier_explain(struct onward_verifier *verifier,
                                       struct onward_str *json);

/**
 * Fill a row for the aggregate report of an author domain's policy (RFC 9990):
 * what this message was, count 1, with the disposition that
 * onward_dmarc_check_disposition() gives. A host that did something else says
 * so in the row before it counts it. The report is that of
 * onward_dmarc_check_policy_domain() and onward_dmarc_check_record() of
 * onward_verifier_dmarc_at().
 *
 * @param author       which author domain, in the order of From; 0 is the first
 *                     and usually the only one.
 * @param envelope_to  domain of the recipient; empty: not told.
 * @param row          out: emptied and filled.
 * @return 0, or
 *         ONWARD_ESTATE  before `done`
 *         ONWARD_ENOENT  nothing to report: no such author, no policy, or the
 *                        client's address is not known
 *         ONWARD_EINVAL  row is NULL
 *         ONWARD_ELIMIT  envelope_to is too long
 *         ONWARD_ENOMEM  out of memory
 * @since 0.1
 */
ONWARD_API int
onward_verifier_report_row(const struct onward_verifier *verifier,
                           size_t author, struct onward_str envelope_to,
                           struct onward_dmarc_row *row);

/**
 * A digest of header and body that is the same for each copy of the message
 * that is tried again: 32 octets.
 *
 * @return empty before onward_verifier_finish().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_verifier_fingerprint(const struct onward_verifier *verifier);

#ifdef __cplusplus
}
#endif

#endif
