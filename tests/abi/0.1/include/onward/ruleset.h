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
 * Zones. A zone is a domain. A subdomain is a zone of its own, or is covered by
 * the zone above it: when "settings" names it in "subdomains" ("*" for all of
 * them), or a rule there names an address in it. What stands in settings:
 *
 *     support_subaddress     true: see below
 *     subaddress_separators  "+-": the characters that end the user; else "+"
 *     fold_local             true: local parts without regard to ASCII case
 *     match                  "first", the default, or "all"
 *     subdomains             ["eu.example.com", "*"]
 *
 * Matchers. Those of a rule must all hold. One of them may say whose mail it
 * is: "literal" on "to" with one address; "all", or `*@example.com`,
 * `*@sub.example.com` or `*@*.example.com`, which make the rule a catch-all of
 * that domain. The others are conditions:
 *
 *     type                               field
 *     literal prefix suffix contains     to, from, header (with "name"),
 *       glob regex                         attachment_name, attachment_type
 *     domain ("b.example", "*.b.example")  to, from
 *     exists                             header, attachment_...
 *     literal                            spf, dkim, dmarc, arc ("pass", ...)
 *     at_least, at_most                  size (octets), score (5, -0.125)
 *     network ("192.0.2.0/24")           client
 *     is (true, false)                   tls
 *     and, or, not                       "matchers": [...] in place of a field
 *
 * "value" may be an array: one of them is enough. Tests on "to" regard case as
 * the zone does, all others do not; "case" is "exact" or "fold" for another
 * choice. Patterns see `local@domain`, the domain in A-labels, the local part
 * without quotes unless it has an "@"; a glob is for the whole of a text, a
 * regular expression for any part of it, in time linear in it.
 *
 * Order. Tried are, each in ascending priority and then as in the text:
 * 1. literal rules of the address as it is, and rules without a literal address
 *    that are no catch-alls; 2. with support_subaddress the same for `user` of
 *    `user+detail` (up to the first separator); 3. catch-alls, "catch_all" at
 *    the end. With "first" the first rule that matches is taken, unless it says
 * "continue"; with "all" every one is, up to one that says "stop". A rule that
 * rejects is then all there is. Local parts are compared octet for octet unless
 * fold_local.
 *
 * Actions: "forward" to all of one or several addresses, "failover" to the
 * first that takes it; "worker" or "handler" (the name of one of the host's
 * handlers), "webhook" (a name); "drop"; "quarantine"; "reject" with "code"
 * (400 to 599, default 550), "enhanced" (default "5.7.1") and "text"; "defer",
 * the same from 451; and what decides nothing: "tag", "add_field" ("name",
 * which begins with X-, and "value"), "continue", "stop". An address to forward
 * to may be a template with {local}, {user}, {tag}, {domain}, {sub} (the domain
 * without that of the zone), and {0} to {9}, the captures of the rule's first
 * glob or regex on "to" that has to match.
 *
 * What is not known yet. At RCPT there is no message. A rule whose condition
 * hangs on what the host does not know yet may or may not match: the decision
 * is then ONWARD_RULESET_NEED_MESSAGE if any rule that can be reached takes the
 * mail, and a refusal if all of them refuse.
 *
 * Destinations. A forward happens only when each destination is verified: by
 * "verified" (true or a time stamp) in "addresses", where `*@example.net`
 * stands for a whole domain and "status" ("unverified", "revoked") takes it
 * back, or by the host's word in struct onward_ruleset_facts, which wins. A
 * rule with a destination that is not verified still matches, so that its mail
 * does not fall into a catch-all; the decision is then to reject, and says why.
 *
 * Forms. What is looked up is the compiled form, in memory, or in a file that
 * many processes map (onward_ruleset_open_image()). A change of one zone makes
 * another ruleset that shares the rest (onward_ruleset_with_zone()).
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

/** @return how many rules there are in all zones, catch-alls included.
 * @since 0.1 */
ONWARD_API uint64_t onward_ruleset_rule_count(const struct onward_ruleset *rs);

/** What the rules know about a destination. @since 0.1 */
enum onward_ruleset_state {
    ONWARD_RULESET_STATE_UNKNOWN = 0, /**< not in "addresses" */
    ONWARD_RULESET_STATE_PENDING = 1, /**< listed, not verified yet */
    ONWARD_RULESET_STATE_VERIFIED = 2,
    ONWARD_RULESET_STATE_REVOKED = 3
};

/**
 * The state of a destination by "addresses": its own entry, else that of
 * `*@domain`.
 *
 * @param address  its domain in lower-case A-labels.
 * @return enum onward_ruleset_state.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_destination(const struct onward_ruleset *rs,
                                          struct onward_str address);

/* ---- Snapshots --------------------------------------------------------- */

/**
 * The same rules, with one zone added or in place of the one of its name.
 *
 * Both rulesets are whole and share all other zones, so this takes as long as
 * the zone is large; rs does not change, and who routes by it never waits.
 * Changes add up beside the rest until onward_ruleset_compact().
 *
 * @param zone   JSON: one item of "zones". Its destinations are verified as
 *               "addresses" of rs has them.
 * @param opts   borrowed for this call; NULL: all defaults.
 * @param fault  as for onward_ruleset_new().
 * @param made   out: free with onward_ruleset_free(). Untouched on failure.
 * @return 0, or as onward_ruleset_new(); ONWARD_ELIMIT also: rs is an image
 *         that is damaged there.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_with_zone(struct onward_ruleset *rs,
                                        struct onward_str zone,
                                        const struct onward_ruleset_opts *opts,
                                        struct onward_ruleset_fault *fault,
                                        struct onward_ruleset **made);

/**
 * The same rules without a zone.
 *
 * @param name  the zone's, in lower-case A-labels.
 * @param made  out: free with onward_ruleset_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ENOENT  no zone has this name
 *         ONWARD_ENOMEM  out of memory
 *         ONWARD_ELIMIT  an image that is damaged there
 * @since 0.1
 */
ONWARD_API int onward_ruleset_without_zone(struct onward_ruleset *rs,
                                           struct onward_str name,
                                           struct onward_ruleset **made);

/**
 * The same rules in one piece of memory. Linear in them.
 *
 * @param made  out: free with onward_ruleset_free(). Untouched on failure.
 * @return 0, ONWARD_ENOMEM, ONWARD_ERANDOM, or ONWARD_ELIMIT: rs is an image
 *         that is damaged.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_compact(struct onward_ruleset *rs,
                                      struct onward_ruleset **made);

/* ---- Images ------------------------------------------------------------ */

/** Whose memory an image is. */
struct onward_ruleset_image_owner {
    size_t size;
    void *user;
    /** Nobody reads it any more. Once, inside onward_ruleset_free() of the last
     * ruleset that shares the image, on its thread. May be NULL. */
    void (*release)(void *user);
};

/**
 * Use an image where it is: in a file that is mapped, by many processes at
 * once. Head, size, version, section table and their checksum are looked at,
 * and nothing else, so this takes the same time for any number of zones. The
 * rest is checked where it is followed: a damaged zone routes to
 * ONWARD_ELIMIT. onward_ruleset_check_image() looks at all of it.
 *
 * A file must not change while it is mapped; replace it by rename.
 *
 * @param file   borrowed until owner->release().
 * @param owner  copied; NULL: nobody wants to know.
 * @param fault  out, written when ONWARD_ESYNTAX or ONWARD_EVERSION is
 *               returned. May be NULL.
 * @param rs     out: free with onward_ruleset_free(). Untouched on failure,
 *               and release is not called then.
 * @return 0, or
 *         ONWARD_ESYNTAX   no image, or it is cut, or its head is damaged
 *         ONWARD_EVERSION  an image of another release: compile it anew
 *         ONWARD_EINVAL, ONWARD_EVERSION  owner or fault that this release
 *                          cannot read
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int
onward_ruleset_open_image(struct onward_ctx *ctx, struct onward_str file,
                          const struct onward_ruleset_image_owner *owner,
                          struct onward_ruleset_fault *fault,
                          struct onward_ruleset **rs);

/**
 * Look at every octet of an image: its checksums, and whether each zone and
 * address can be read and is found.
 *
 * @param fault  out, written when ONWARD_ESYNTAX or ONWARD_EVERSION is
 *               returned. May be NULL.
 * @return 0, ONWARD_ESYNTAX, ONWARD_EVERSION, ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_check_image(struct onward_ctx *ctx,
                                          struct onward_str file,
                                          struct onward_ruleset_fault *fault);

/** Where an image is written to. */
struct onward_ruleset_image_sink {
    size_t size;
    void *user;
    /** Take all of data, or return a negative value to give up. */
    int (*write)(void *user, const void *data, size_t len);
};

/**
 * Write rules as an image. Changed rules are compacted first, in memory.
 *
 * @param sink  borrowed for this call; called inside.
 * @return 0, or
 *         ONWARD_ECALLBACK  the sink gave up
 *         ONWARD_EINVAL, ONWARD_EVERSION  sink
 *         and as onward_ruleset_compact()
 * @since 0.1
 */
ONWARD_API int
onward_ruleset_write_image(struct onward_ruleset *rs,
                           const struct onward_ruleset_image_sink *sink);

/* ---- Differences ------------------------------------------------------- */

/** What became of something between two rulesets. @since 0.1 */
enum onward_ruleset_change {
    ONWARD_RULESET_ADDED = 1,
    ONWARD_RULESET_UPDATED = 2,
    ONWARD_RULESET_DELETED = 3,
    /** Updated or deleted, and the rule was another owner's: "source" with
     * "owner_worker_tag" of the two rules differ. */
    ONWARD_RULESET_CONFLICT = 4
};

/** One difference. Borrowed for the call. */
struct onward_ruleset_difference {
    size_t size;
    size_t change;   /**< enum onward_ruleset_change */
    size_t old_rule; /**< as in struct onward_ruleset_decision; NO_RULE for what
                        is no rule, or is not there */
    size_t new_rule; /**< the same, of the second ruleset */
    /** Stable word: "zone", "settings", "rule" or "address". */
    struct onward_str what;
    struct onward_str zone; /**< empty for "address" */
    /** For a rule the address that it takes: `me@example.com`,
     * `*@example.com`, or empty for one with patterns; for an address itself.
     */
    struct onward_str address;
    struct onward_str rule_name; /**< of the new one, if there is one */
};

/** Who hears of the differences. */
struct onward_ruleset_differences {
    size_t size;
    void *user;
    /** Return a negative value to end the walk. */
    int (*difference)(void *user, const struct onward_ruleset_difference *d);
};

/**
 * What differs between two rulesets. Rules are the same rule when they take the
 * same addresses by the same conditions; of several such rules the first goes
 * with the first. What is verified counts under "addresses" alone.
 *
 * @param to  borrowed for this call; called inside.
 * @return 0, or
 *         ONWARD_ECALLBACK  to gave up
 *         ONWARD_EINVAL, ONWARD_EVERSION  to
 *         ONWARD_ELIMIT     an image that is damaged
 *         ONWARD_ENOMEM     out of memory
 * @since 0.1
 */
ONWARD_API int
onward_ruleset_diff(const struct onward_ruleset *before,
                    const struct onward_ruleset *after,
                    const struct onward_ruleset_differences *to);

/* ---- Routing ----------------------------------------------------------- */

/** What to do with mail for an address. @since 0.1 */
enum onward_ruleset_kind {
    ONWARD_RULESET_FORWARD = 1, /**< to all of destinations */
    ONWARD_RULESET_DROP = 2,    /**< take it and forget it */
    ONWARD_RULESET_HANDLER = 3, /**< ask the host's handler of that name */
    ONWARD_RULESET_REJECT = 4,  /**< answer with reply_code, _enhanced, _text:
                                   also "defer", with a 4yz code */
    ONWARD_RULESET_FAILOVER = 5,   /**< to the first of destinations, and only
                                      if that fails, to the next */
    ONWARD_RULESET_QUARANTINE = 6, /**< take it and keep it apart */
    ONWARD_RULESET_WEBHOOK = 7,    /**< post it to the host's hook of that
                                      name; a failure is for the sender */
    /** Of a decision only: the facts that are known do not decide. Answer RCPT
     * with 250, and route again when the message is there. */
    ONWARD_RULESET_NEED_MESSAGE = 8,
    ONWARD_RULESET_ADD_FIELD = 9, /**< header field name: value; decides not */
    ONWARD_RULESET_TAG = 10       /**< a word for the host; decides not */
};

/** Why. @since 0.1 */
enum onward_ruleset_reason {
    ONWARD_RULESET_RULE = 1,          /**< the rule says so */
    ONWARD_RULESET_NO_ZONE = 2,       /**< 550 5.7.1: we do not relay there */
    ONWARD_RULESET_ZONE_DISABLED = 3, /**< the same answer */
    ONWARD_RULESET_NO_ADDRESS = 4,    /**< 550 5.1.1: no rule matches */
    ONWARD_RULESET_NOT_VERIFIED = 5,  /**< 550 5.2.1: a destination is not */
    ONWARD_RULESET_NOT_NOW = 6,       /**< 451 4.3.0: the host's facts failed */
    ONWARD_RULESET_UNKNOWN = 7,       /**< for NEED_MESSAGE */
    /** 550 5.1.1: a template makes no address of this one. */
    ONWARD_RULESET_NO_DESTINATION = 8
};

/** How the rule was found. @since 0.1 */
enum onward_ruleset_match {
    ONWARD_RULESET_MATCH_NONE = 0,
    ONWARD_RULESET_MATCH_EXACT = 1,
    ONWARD_RULESET_MATCH_BASE = 2, /**< without its `+detail` */
    ONWARD_RULESET_MATCH_CATCH_ALL = 3,
    ONWARD_RULESET_MATCH_PATTERN = 4 /**< by patterns and conditions alone */
};

/** No rule, in struct onward_ruleset_decision. */
#define ONWARD_RULESET_NO_RULE SIZE_MAX
/** The zone's "catch_all". */
#define ONWARD_RULESET_CATCH_ALL (SIZE_MAX - 1)

/**
 * One thing to do. Read only; lives as the decision it is of.
 */
struct onward_ruleset_action {
    size_t size;
    const struct onward_ruleset_action *next; /**< to do after it, or NULL */
    size_t rule; /**< whose it is, as in struct onward_ruleset_decision */
    size_t destination_count;
    const struct onward_str *destinations; /**< for FORWARD, FAILOVER */
    struct onward_str rule_name; /**< of that rule */
    /** Of a HANDLER or WEBHOOK, of the field of ADD_FIELD, the TAG itself, or
     * the place of a QUARANTINE, which may be empty. */
    struct onward_str name;
    struct onward_str value;          /**< for ADD_FIELD */
    struct onward_str reply_enhanced; /**< for REJECT: "5.1.1" */
    struct onward_str reply_text;     /**< for REJECT */
    int32_t kind;                     /**< enum onward_ruleset_kind */
    int32_t reply_code;               /**< for REJECT: 550 */
};

/**
 * The decision for one address; the caller sets size. Texts and actions are
 * borrowed from the ruleset, from the router, or static: they live as long as
 * the ruleset, but no longer than until onward_ruleset_router_reset().
 *
 * kind, destinations, handler and reply are those of the first action that
 * decides, which is the only one for most rules. The rest, and what is to be
 * done besides, stands in actions.
 */
struct onward_ruleset_decision {
    size_t size;
    size_t rule; /**< in the zone's "rules", from 0, or a constant above */
    size_t destination_count;
    /** Addresses, for FORWARD and FAILOVER. */
    const struct onward_str *destinations;
    struct onward_str zone;      /**< lower-case A-labels; empty: no zone */
    struct onward_str rule_name; /**< its "name" */
    struct onward_str handler;   /**< for HANDLER */
    struct onward_str reply_enhanced; /**< for REJECT: "5.1.1" */
    struct onward_str reply_text;     /**< for REJECT */
    /**
     * Recipients whose decisions have the same group (not 0) go the same way:
     * the same zone and the same actions with the same destinations. They may
     * share one transaction. 0 for REJECT. For NEED_MESSAGE: recipients of the
     * same group go the same way whatever the message is. Of this ruleset only.
     */
    uint64_t group;
    int32_t kind;       /**< enum onward_ruleset_kind */
    int32_t reason;     /**< enum onward_ruleset_reason */
    int32_t match;      /**< enum onward_ruleset_match */
    int32_t reply_code; /**< for REJECT: 550 */
    /** All there is to do, in order; NULL for NEED_MESSAGE, and for a REJECT
     * that no rule asked for. */
    const struct onward_ruleset_action *actions;
    size_t action_count;
};

/** What conditions look at; for struct onward_ruleset_facts. @since 0.1 */
enum onward_ruleset_fact {
    ONWARD_RULESET_FACT_SENDER = 1, /**< reverse path without brackets */
    ONWARD_RULESET_FACT_HEADER = 2, /**< of name: unfolded, decoded or not */
    ONWARD_RULESET_FACT_ATTACHMENT_NAME = 3, /**< file names */
    ONWARD_RULESET_FACT_ATTACHMENT_TYPE = 4, /**< "application/pdf" */
    /** A word, "pass", for name "spf", "dkim", "dmarc" or "arc". */
    ONWARD_RULESET_FACT_VERDICT = 5,
    ONWARD_RULESET_FACT_SIZE = 6,  /**< of the message in octets */
    ONWARD_RULESET_FACT_SCORE = 7, /**< in thousandths: 5.25 is 5250 */
    ONWARD_RULESET_FACT_TLS = 8    /**< 1: the client came over TLS, 0: not */
};

/**
 * What the host knows now. Called inside onward_ruleset_route() only.
 *
 * text, number and client return 1 and set *out, or 0 when there is no such
 * thing; ONWARD_AGAIN when it is not known yet, which is what NULL for the
 * callback means too; or another negative value: it cannot be told now, so the
 * mail has to wait. Texts must live until onward_ruleset_route() returns.
 */
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
    /** Text number index, from 0, of that enum onward_ruleset_fact; 0 past the
     * last. name is empty but for HEADER (as the rule writes it: compare
     * without regard to case) and VERDICT. */
    int (*text)(void *user, size_t fact, const char *name, size_t name_len,
                size_t index, struct onward_str *out);
    /** The number that this enum onward_ruleset_fact is. */
    int (*number)(void *user, size_t fact, int64_t *out);
    /** Where the client connects from. */
    int (*client)(void *user, struct onward_ip *out);
    /** 1: as if rules that put mail apart were not there: where would it go? */
    size_t skip_quarantine;
};

/** One step on the way to a decision. */
struct onward_ruleset_step {
    size_t size;
    size_t rule; /**< as in struct onward_ruleset_decision */
    struct onward_str zone; /**< whose rule it is */
    struct onward_str rule_name; /**< may be empty */
    /** Stable word: "zone", "no-zone", "zone-disabled", "rule-disabled",
     * "passed-over", "condition", "no-match", "not-known", "match-exact", "match-base",
     * "match-pattern", "match-catch-all", "no-address", "not-verified",
     * "no-destination", "not-now". */
    struct onward_str what;
    /** For people: "from glob *@spam.example: no", the address that is not
     * verified; may be empty. */
    struct onward_str detail;
};

/** Who wants to see the steps. Called inside onward_ruleset_route() only. */
struct onward_ruleset_trace {
    size_t size;
    void *user;
    /** step is borrowed for the call. */
    void (*step)(void *user, const struct onward_ruleset_step *step);
};

/**
 * Where decisions are made: memory for what they say. One thread at a time; one
 * for each transaction, or for each thread, is usual.
 */
struct onward_ruleset_router;

/**
 * Make a router.
 *
 * @param ctx     kept alive by the router.
 * @param router  out: free with onward_ruleset_router_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_ruleset_router_new(struct onward_ctx *ctx,
                                         struct onward_ruleset_router **router);

/**
 * Forget all decisions made so far; keep the memory for the next ones.
 *
 * @since 0.1
 */
ONWARD_API void
onward_ruleset_router_reset(struct onward_ruleset_router *router);

/**
 * @param router  may be NULL.
 * @since 0.1
 */
ONWARD_API void
onward_ruleset_router_free(struct onward_ruleset_router *router);

/**
 * Decide about an address. Constant time for any number of zones and rules, but
 * for several rules with the same address, and the rules of the zone that have
 * patterns or conditions and no literal address.
 *
 * @param router    any, of any context.
 * @param to        the recipient.
 * @param facts     borrowed for this call; NULL: the file's word alone.
 * @param trace     borrowed for this call; NULL: no steps.
 * @param decision  out; size set by the caller, at most that many octets are
 *                  written. Untouched on failure.
 * @return 0, or
 *         ONWARD_EINVAL, ONWARD_EVERSION  a table or a size
 *         ONWARD_ENOMEM   out of memory: answer 451
 *         ONWARD_ELIMIT   an image that is damaged there: answer 451
 * @since 0.1
 */
ONWARD_API int
onward_ruleset_route(const struct onward_ruleset *rs,
                     struct onward_ruleset_router *router,
                     const struct onward_mailbox *to,
                     const struct onward_ruleset_facts *facts,
                     const struct onward_ruleset_trace *trace,
                     struct onward_ruleset_decision *decision);

/**
 * Say that these addresses will be asked for next: where their zones are is
 * brought into the processor's cache, many at a time. Rules of a million
 * domains are in memory, and each look-up waits for it twice; told beforehand
 * (the recipients of one message, the aliases of a list), the waits overlap.
 * Nothing but time depends on it, and no address needs it.
 *
 * @param to     count mailboxes; not kept. Some dozens at a time: what was
 *               brought in first must still be there when it is asked for.
 * @since 0.1
 */
ONWARD_API void onward_ruleset_expect(const struct onward_ruleset *rs,
                                      const struct onward_mailbox *const *to,
                                      size_t count);

/**
 * A stable lower-case word for a reason, "no-zone", for logs.
 *
 * @return static text, never NULL, "unknown" for a foreign number.
 * @since 0.1
 */
ONWARD_API const char *onward_ruleset_reason_name(int reason);

/** A stable lower-case word for a kind, "forward"; as above. @since 0.1 */
ONWARD_API const char *onward_ruleset_kind_name(int kind);

#ifdef __cplusplus
}
#endif

#endif
