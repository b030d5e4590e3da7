#ifndef ONWARD_RULESET_H
#define ONWARD_RULESET_H

#include <onward/address.h>
#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The rules: which zones there are, and what happens to mail for an address.
 *
 * A ruleset is loaded from one JSON text in the field names of Cloudflare's
 * Email Routing API. It is immutable and counted, so any number of threads may
 * share it; a change of the rules is another ruleset.
 *
 *     {"version": 1,
 *      "zones": [{"name": "example.com",
 *                 "settings": {"support_subaddress": true},
 *                 "rules": [{"matchers": [{"type": "literal", "field": "to",
 *                                          "value": "me@example.com"}],
 *                            "actions": [{"type": "forward",
 *                                         "value": ["me@example.net"]}]}],
 *                 "catch_all": {"matchers": [{"type": "all"}],
 *                               "actions": [{"type": "drop"}]}}],
 *      "addresses": [{"email": "me@example.net", "verified": true}]}
 *
 * Zones. A zone is a domain; a subdomain is a zone of its own, or is covered by
 * the zone above it from the moment that a literal rule there names an address
 * in it. The catch-all of a zone takes addresses of the zone's own domain only,
 * not of subdomains that it covers.
 *
 * Order. The rules for one address are tried by ascending priority, those of
 * equal priority as they stand in the text; the first enabled one is taken. With
 * support_subaddress, `user+detail` is looked up whole, then as `user` (up to
 * the first `+`), then the catch-all comes; rules in "rules" that match all are
 * catch-alls, tried before "catch_all".
 *
 * Addresses compare with the domain folded and the local part octet for octet,
 * unless settings.fold_local is true (then without regard to ASCII case).
 *
 * Actions: "forward" to one or several addresses, "worker" and "handler" (the
 * name of one of the host's handlers), "drop", and "reject" with "code" (400 to
 * 599, default 550), "enhanced" (default "5.7.1") and "text".
 *
 * Destinations. A forward happens only when each destination is verified: by
 * "verified" (true or a time stamp) in "addresses", or by the host's word in
 * struct onward_ruleset_facts, which wins. A rule with a destination that is
 * not verified still matches, so that its mail does not fall into a catch-all;
 * the decision is then to reject, and says why.
 */

/** Rules, loaded. Immutable, counted, for all threads. */
struct onward_ruleset;

struct onward_ruleset_opts {
    size_t size;
    size_t max_bytes; /**< of the text; default 67108864 */
    size_t max_depth; /**< of its nesting; default 32 */
};

/**
 * Where and why a text was refused; the caller sets size. Print it as
 * `FILE:LINE: PATH: TEXT`. Both texts end in NUL and are printable ASCII.
 */
struct onward_ruleset_fault {
    size_t size;
    size_t line;    /**< 1-based; 0: the text as a whole */
    char path[256]; /**< "zones[0].rules[2].priority"; empty for the root */
    char text[256]; /**< "a string, expected a number" */
};

/**
 * Load rules.
 *
 * @param ctx    kept alive by the ruleset.
 * @param text   JSON, borrowed for this call only.
 * @param opts   borrowed for this call; NULL: all defaults.
 * @param fault  out, written when ONWARD_ESYNTAX or ONWARD_ELIMIT is returned.
 *               May be NULL.
 * @param rs     out: free with onward_ruleset_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ESYNTAX   no JSON, or not these fields
 *         ONWARD_ELIMIT    too long or too deep
 *         ONWARD_EINVAL, ONWARD_EVERSION  opts or fault that this release
 *                          cannot read
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback but the allocator. Linear in the text.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_new(struct onward_ctx *ctx,
                                  struct onward_str text,
                                  const struct onward_ruleset_opts *opts,
                                  struct onward_ruleset_fault *fault,
                                  struct onward_ruleset **rs);

/**
 * Count one more owner. Any thread.
 *
 * @return rs.
 * @since 0.1
 */
ONWARD_API struct onward_ruleset *onward_ruleset_ref(struct onward_ruleset *rs);

/**
 * End one ownership; the memory goes with the last. Any thread.
 *
 * @param rs  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_ruleset_free(struct onward_ruleset *rs);

/** @return how many zones there are. @since 0.1 */
ONWARD_API size_t onward_ruleset_zone_count(const struct onward_ruleset *rs);

/* ---- Routing ----------------------------------------------------------- */

/** What to do with mail for an address. @since 0.1 */
enum onward_ruleset_kind {
    ONWARD_RULESET_FORWARD = 1, /**< to all of destinations */
    ONWARD_RULESET_DROP = 2,    /**< take it and forget it */
    ONWARD_RULESET_HANDLER = 3, /**< ask the host's handler of that name */
    ONWARD_RULESET_REJECT = 4   /**< answer with reply_code, _enhanced, _text */
};

/** Why. @since 0.1 */
enum onward_ruleset_reason {
    ONWARD_RULESET_RULE = 1,          /**< the rule says so */
    ONWARD_RULESET_NO_ZONE = 2,       /**< 550 5.7.1: we do not relay there */
    ONWARD_RULESET_ZONE_DISABLED = 3, /**< the same answer */
    ONWARD_RULESET_NO_ADDRESS = 4,    /**< 550 5.1.1: no rule matches */
    ONWARD_RULESET_NOT_VERIFIED = 5,  /**< 550 5.2.1: a destination is not */
    ONWARD_RULESET_NOT_NOW = 6        /**< 451 4.3.0: the host's facts failed */
};

/** How the rule was found. @since 0.1 */
enum onward_ruleset_match {
    ONWARD_RULESET_MATCH_NONE = 0,
    ONWARD_RULESET_MATCH_EXACT = 1,
    ONWARD_RULESET_MATCH_BASE = 2,     /**< without its `+detail` */
    ONWARD_RULESET_MATCH_CATCH_ALL = 3
};

/** No rule, in struct onward_ruleset_decision. */
#define ONWARD_RULESET_NO_RULE SIZE_MAX
/** The zone's "catch_all". */
#define ONWARD_RULESET_CATCH_ALL (SIZE_MAX - 1)

/**
 * The decision for one address; the caller sets size. All texts are borrowed
 * from the ruleset, or static, and live as long as the ruleset.
 */
struct onward_ruleset_decision {
    size_t size;
    size_t rule; /**< in the zone's "rules", from 0, or a constant above */
    size_t destination_count;
    const struct onward_str *destinations; /**< addresses, for FORWARD */
    struct onward_str zone;      /**< lower-case A-labels; empty: no zone */
    struct onward_str rule_name; /**< its "name" */
    struct onward_str handler;   /**< for HANDLER */
    struct onward_str reply_enhanced; /**< for REJECT: "5.1.1" */
    struct onward_str reply_text;     /**< for REJECT */
    /**
     * Recipients whose decisions have the same group (not 0) go the same way:
     * the same zone and the same action with the same destinations. They may
     * share one transaction. 0 for REJECT. Of this ruleset only.
     */
    uint64_t group;
    int32_t kind;       /**< enum onward_ruleset_kind */
    int32_t reason;     /**< enum onward_ruleset_reason */
    int32_t match;      /**< enum onward_ruleset_match */
    int32_t reply_code; /**< for REJECT: 550 */
};

/** What the host knows now. Called inside onward_ruleset_route() only. */
struct onward_ruleset_facts {
    size_t size;
    void *user;
    /**
     * Is this destination verified? Its domain is in lower-case A-labels.
     *
     * @return 1 verified, 2 revoked, 0 no word (then the file counts), or a
     *         negative value: cannot be told now, so mail for it has to wait.
     */
    int (*destination)(void *user, const char *address, size_t len);
};

/** One step on the way to a decision. */
struct onward_ruleset_step {
    size_t size;
    size_t rule;           /**< as in struct onward_ruleset_decision */
    struct onward_str zone;
    struct onward_str rule_name;
    /** Stable word: "zone", "no-zone", "zone-disabled", "rule-disabled",
     * "match-exact", "match-base", "match-catch-all", "no-address",
     * "not-verified", "not-now". */
    struct onward_str what;
};

/** Who wants to see the steps. Called inside onward_ruleset_route() only. */
struct onward_ruleset_trace {
    size_t size;
    void *user;
    /** step is borrowed for the call. */
    void (*step)(void *user, const struct onward_ruleset_step *step);
};

/**
 * Decide about an address. Constant time for any number of zones and rules, but
 * for several rules with the same address.
 *
 * @param to        the recipient.
 * @param facts     borrowed for this call; NULL: the file's word alone.
 * @param trace     borrowed for this call; NULL: no steps.
 * @param decision  out; size set by the caller, at most that many octets are
 *                  written. Untouched on failure.
 * @return 0, ONWARD_EINVAL or ONWARD_EVERSION (a table or a size).
 * @since 0.1
 */
ONWARD_API int
onward_ruleset_route(const struct onward_ruleset *rs,
                     const struct onward_mailbox *to,
                     const struct onward_ruleset_facts *facts,
                     const struct onward_ruleset_trace *trace,
                     struct onward_ruleset_decision *decision);

/**
 * A stable lower-case word for a reason, "no-zone", for logs.
 *
 * @return static text, never NULL, "unknown" for a foreign number.
 * @since 0.1
 */
ONWARD_API const char *onward_ruleset_reason_name(int reason);

#ifdef __cplusplus
}
#endif

#endif
