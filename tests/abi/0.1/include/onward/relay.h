#ifndef ONWARD_RELAY_H
#define ONWARD_RELAY_H

#include <onward/dkim.h>
#include <onward/dns.h>
#include <onward/handler.h>
#include <onward/key.h>
#include <onward/mime.h>
#include <onward/ruleset.h>
#include <onward/smtp_common.h>
#include <onward/srs.h>
#include <onward/store.h>
#include <onward/token.h>
#include <onward/verify.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * One message on its way through: the rules and the verdicts make deliveries of
 * it, and their outcomes make the one final reply.
 *
 * A relay serves one SMTP transaction. Made at MAIL, it answers each RCPT by
 * the rules; when the message is whole and verified, it refuses it by policy,
 * or rewrites the sender, puts the trace and authentication fields on top,
 * seals, asks the host for each delivery, and says how to answer the sender.
 * 2yz means that nothing is left to do.
 *
 * A relay belongs to one thread at a time, that of its desk. deliver and done
 * run inside onward_desk_run() only.
 */

/** One SMTP transaction. Opaque. */
struct onward_relay;

/** What becomes of a sender that onward_srs_forward() cannot rewrite: one too
 * long for 64 octets, one that needs quotes. @since 0.1 */
enum onward_relay_overflow {
    /** opts.store keeps it, and its bounces find back; without one the message
     * is refused. */
    ONWARD_RELAY_OVERFLOW_KEEP = 0,
    ONWARD_RELAY_OVERFLOW_NULL = 1, /**< the null path: nobody is told */
    ONWARD_RELAY_OVERFLOW_SINK = 2  /**< opts.srs_sink */
};

/** What to relay by: filled once, used for all messages. A 0 is the default. */
struct onward_relay_opts {
    size_t size;
    /** Asked whether a copy would gain alignment; kept alive. Required. */
    struct onward_resolver *resolver;
    /** Counted. Required. */
    struct onward_ruleset *ruleset;
    /** What the host knows of destinations; copied, its user must outlive the
     * relay. NULL: the rules' word alone. */
    const struct onward_ruleset_facts *facts;
    /** Counted. NULL: senders are not rewritten, and no bounces come back. */
    struct onward_srs *srs;
    /** Where the ledger of deliveries is, and senders that do not fit into a
     * rewritten address; kept alive. NULL: none, and a retry doubles what was
     * delivered, and such senders are refused. */
    struct onward_store *store;
    /** Seals; kept alive. NULL: no ARC set is added. */
    struct onward_signer *signer;
    /** Ours, as the next hop hears it in EHLO. Required. */
    struct onward_str hostname;
    /** As given to the verifier. Required. */
    struct onward_str authserv_id;
    /** Of rewritten senders. Required with srs. */
    struct onward_str srs_domain;
    struct onward_str seal_domain;   /**< d=; A-labels; required with signer */
    struct onward_str seal_selector; /**< s=; required with signer */
    size_t max_rcpts;     /**< accepted ones of a message; default 100 */
    size_t max_received;  /**< Received fields; default 100 */
    size_t ledger_life_s; /**< how long a sender may retry; default 432000 */
    /** How long the host may take for its deliveries. What is not answered then
     * is cancelled, and the sender told 451. Below the 10 minutes that senders
     * wait for us (RFC 5321 section 4.5.3.2.6); default 540000. */
    size_t delivery_timeout_ms;
    /** 1: take mail that neither SPF nor DKIM authenticates. */
    size_t allow_unauthenticated;
    /** 1: take mail although the verifier's DMARC disposition is REJECT. */
    size_t allow_dmarc_reject;
    /** 1: take mail whose header readers may read differently. */
    size_t allow_malformed;
    uint64_t log_id;      /**< 0: the desk's */
    size_t seal_expire_s; /**< as expire_s of onward_arc_sealer_opts; 0: none */
    size_t seal_listing;  /**< enum onward_dkim_listing */
    size_t omit_seal_time; /**< 1: no t= in ARC-Seal */
    /** 1: when the ledger cannot be read, a message for one destination goes
     * there all the same, and may come there twice if its sender did not hear
     * an earlier answer; one for several gets 451. */
    size_t allow_no_ledger;
    /** How long a handler may take; default 30000. See
     * <onward/relay_event.h>. */
    size_t handler_timeout_ms;
    size_t max_forwards; /**< of one event; default 32 */
    size_t max_sends;    /**< of one event; default 16 */
    /** 1: recipients of the same handler share a transaction, with an event
     * each; the worst outcome is then the reply for all of them. Else each has
     * a transaction of its own. */
    size_t share_events;
    /** 1: `X-Forwarded-To: destination` and `X-Forwarded-For: recipient
     * destination` on top of each copy; no signature covers them. */
    size_t add_forwarded;
    /** A Feedback-ID field on each copy, below the signatures; empty: none. */
    struct onward_str feedback_id;
    /** For onward_event_send(); copied, its user must outlive the relay. */
    const struct onward_send_facts *send_facts;
    /** 1: onward_event_send() to destinations that are not verified. */
    size_t allow_unverified_sends;
    /** Signs tickets, see onward_event_ticket(); counted. NULL: there are none.
     */
    struct onward_token_minter *minter;
    size_t ticket_life_s; /**< default 2592000, 30 days */
    size_t reply_life_s;  /**< how long a message counts as answered; default
                               2592000. Tickets should not outlive it. */
    /** How deep to follow what a rule forwards to an address of our own zones,
     * instead of delivering it to ourselves; at most 32, default 8,
     * ONWARD_LIMIT_ZERO: not at all. A list to fail over is not followed. */
    size_t max_expansion;
    /** How long a reply or message of a handler that was begun belongs to who
     * began it; then it counts as lost in a crash, and the next try sends it.
     * Others are told 451 meanwhile. A crash after the host's answer and before
     * it is in the ledger sends it twice; none loses it. Longer than
     * delivery_timeout_ms: default a minute more, or 3600. */
    size_t claim_life_s;
    /** enum onward_relay_overflow: what becomes of a sender that has no room in
     * a rewritten address, or cannot stand in one. */
    size_t srs_overflow;
    /** With ONWARD_RELAY_OVERFLOW_SINK: whom copies of such senders come from,
     * an address that SPF lets this host use. Rules have it, to drop what comes
     * back. */
    struct onward_str srs_sink;
    /** 1: mail to a rewritten sender is taken from any sender, not from the null
     * path alone, if it is authenticated as other mail is. Whoever has seen such
     * an address then writes to its owner through us, as long as it lives.
     * Addresses that the store keeps stay for bounces. */
    size_t allow_srs_senders;
};

/** What MAIL said. */
struct onward_relay_envelope {
    size_t size;
    struct onward_str reverse_path; /**< no brackets; empty: the null path */
    size_t smtputf8;                /**< 1: with the SMTPUTF8 parameter */
    size_t body;                    /**< enum onward_smtp_body */
    size_t ret;                     /**< enum onward_smtp_ret */
    struct onward_str envid;        /**< ENVID, decoded; empty: none */
    size_t require_tls;             /**< 1: with REQUIRETLS (RFC 8689) */
};

/** One recipient whose rule names a handler: <onward/relay_event.h>. */
struct onward_event;

/**
 * What a relay asks and tells its host. All may free the relay, and call all of
 * its functions.
 */
struct onward_relay_host {
    size_t size;
    void *user;
    /**
     * Bring the message to one destination: onward_relay_delivery_at() has the
     * facts. Called for each destination, one after the other, inside
     * onward_desk_run(). Answer by onward_relay_delivery_answer(), now or
     * later. Return 0, or a negative number when it cannot be tried now: that
     * is answered as 451. Required.
     */
    int (*deliver)(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index);
    /**
     * Nobody waits for that delivery, event or submission any more; an answer
     * is stale. Runs inside
     * onward_desk_run() (time-out) and inside onward_relay_free(); not once the
     * desk was freed. After onward_relay_free() the message cannot be read any
     * more, so whatever reads it must be stopped in here or before. May be
     * NULL.
     */
    void (*cancel)(void *user, uint64_t token);
    /** All is settled: onward_relay_reply() has the answer. Once, inside
     * onward_desk_run(). Required. */
    void (*done)(void *user, struct onward_relay *relay);
    /**
     * Let a handler act on the message, for one recipient: see
     * <onward/relay_event.h>. Inside onward_desk_run(); answer the token by
     * onward_event_done() or onward_event_fail(), now or later. Return 0;
     * ONWARD_ENOENT when there is no handler of that name, which is answered as
     * 451 4.3.5; another negative number: 451 4.3.0. NULL: a recipient that
     * goes to a handler is told 451 at RCPT.
     */
    int (*handle)(void *user, uint64_t token, struct onward_event *event);
    /** An action of an event has come to its end. Inside onward_desk_run();
     * may be NULL. */
    void (*acted)(void *user, struct onward_event *event, size_t action);
    /**
     * Keep a message that is to leave on its own, or that is put apart:
     * onward_relay_submission_at(). Answer by
     * onward_relay_submission_answer() once it is where a crash cannot take it,
     * as the message's own 250 waits for that. Return 0, or a negative number:
     * not now. NULL: handlers neither reply nor send, and mail for a quarantine
     * is told 451 at RCPT.
     */
    int (*submit)(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index);
    /**
     * May the handler of this event write to that address now? kind is enum
     * onward_relay_submission_kind. Limits for each sender and each recipient
     * belong here.
     *
     * @return 0 yes, 1 too often (E_RATE_LIMIT_EXCEEDED), 2 enough for today
     *         (E_DAILY_LIMIT_EXCEEDED), or a negative number: cannot be told.
     *         NULL: always.
     */
    int (*may_send)(void *user, struct onward_event *event, size_t kind,
                    const char *to, size_t len);
};

/**
 * Begin a transaction.
 *
 * @param desk      kept alive by the relay; that of resolver, store, signer.
 * @param opts      borrowed for this call; text is copied.
 * @param envelope  borrowed for this call; text is copied.
 * @param host      borrowed for this call; its user must live until
 *                  onward_relay_free() has returned.
 * @param relay     out: free with onward_relay_free().
 * @return 0, or
 *         ONWARD_EINVAL    something required is missing, is no domain name, or
 *                          is of another desk
 *         ONWARD_ESYNTAX   reverse_path is no mailbox
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory: answer MAIL with 451
 * @since 0.1
 */
ONWARD_API int onward_relay_new(struct onward_desk *desk,
                                const struct onward_relay_opts *opts,
                                const struct onward_relay_envelope *envelope,
                                const struct onward_relay_host *host,
                                struct onward_relay **relay);

/**
 * End it at any time: deliveries under way are cancelled, no callback but
 * cancel runs any more. Allowed inside any callback.
 *
 * @param relay  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_relay_free(struct onward_relay *relay);

/* ---- Recipients -------------------------------------------------------- */

/**
 * Answer RCPT by the rules.
 *
 * The first recipient that is accepted decides where the message goes; one that
 * goes elsewhere is told 452 4.5.3, so that the sender brings it in a
 * transaction of its own: one reply can then be true for all. A rewritten
 * sender of ours (opts.srs_domain) is taken with the null path only, and leads
 * back to the original sender. One whose sender the store keeps is taken, and
 * the sender is looked up after onward_relay_start(). `Postmaster` without a
 * domain (RFC 5321 section 4.5.1) is the postmaster of opts.hostname; it is for
 * the rules to have one. A recipient whose rules have to see the message is
 * accepted; so is one that goes to a handler, alone unless opts.share_events.
 *
 *     250 2.1.5  accepted, now or before
 *     451 4.3.0  the destination cannot be checked now
 *     451 4.3.5  a handler or a quarantine is to take it, and there is none
 *                here; or the rules cannot be read there
 *     452 4.5.3  goes elsewhere, or too many
 *     501 5.1.3  no address
 *     550 5.1.1  no such address
 *     550 5.2.1  a destination is not verified
 *     550 5.4.6  rules forward the address to itself, or more often than
 *                opts.max_expansion
 *     550 5.7.1  not a zone of ours, or a rewritten sender that is forged, too
 *                old, or written to with a sender
 *     as a rule with the action reject has it, or any of these for an address
 *     of our own that it is forwarded to
 *
 * @param address  without brackets, as onward_smtp_server_rcpt_address() has
 *                 it.
 * @param reply    out: size set by the caller; texts are borrowed until
 *                 onward_relay_free().
 * @return 1 accepted, 0 refused, or, and then reply is untouched,
 *         ONWARD_EINVAL  reply->size is too small
 *         ONWARD_ESTATE  after onward_relay_start(), or the desk was freed
 *         ONWARD_ENOMEM  out of memory: answer 451
 * @note Calls opts.facts.
 * @since 0.1
 */
ONWARD_API int onward_relay_rcpt(struct onward_relay *relay,
                                 struct onward_str address,
                                 struct onward_smtp_reply *reply);

/** One RCPT. */
struct onward_relay_rcpt {
    size_t size;
    struct onward_str address; /**< without brackets */
    size_t notify;             /**< a set of enum onward_smtp_notify */
    /** ORCPT as onward_smtp_server_rcpt_orcpt() has it; empty: none. */
    struct onward_str orcpt;
};

/**
 * As onward_relay_rcpt(), with what the sender said of notices. Of an address
 * that comes twice the first counts.
 *
 * @param rcpt   borrowed for this call.
 * @return as onward_relay_rcpt(), or
 *         ONWARD_EINVAL   notify is no such set
 *         ONWARD_EVERSION a field of rcpt that this release does not know
 * @note Calls opts.facts.
 * @since 0.1
 */
ONWARD_API int onward_relay_add_rcpt(struct onward_relay *relay,
                                     const struct onward_relay_rcpt *rcpt,
                                     struct onward_smtp_reply *reply);

/** @return recipients accepted so far. @since 0.1 */
ONWARD_API size_t onward_relay_rcpt_count(const struct onward_relay *relay);

/**
 * A recipient that was accepted: a notice speaks of these, as the sender knows
 * them, and not of where they are forwarded to.
 *
 * @param index  below onward_relay_rcpt_count(), in the order of the addresses.
 * @param out    size set by the caller; texts are borrowed until
 *               onward_relay_free(), the domain in A-labels.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_relay_rcpt_at(const struct onward_relay *relay,
                                    size_t index,
                                    struct onward_relay_rcpt *out);

/* ---- The message ------------------------------------------------------- */

/**
 * The message is whole and verified: decide, and deliver. done comes inside
 * onward_desk_run().
 *
 * In this order, the first that holds decides:
 *
 *     550 5.6.0   the header is malformed (opts.allow_malformed)
 *     550 5.7.1   the verifier's disposition is REJECT: for p=reject that is
 *                 its opts.dmarc_reject_policy (opts.allow_dmarc_reject)
 *     451 4.7.1   the same, but SPF, DKIM or ARC is not known and might pass;
 *                 or DMARC is not known, and nothing authenticates the domain
 *                 in From (with opts.allow_dmarc_reject: nothing at all)
 *     451 4.7.26  SPF or DKIM is not known, and nothing authenticates it
 *     550 5.7.26  nothing authenticates it (opts.allow_unauthenticated; bounces
 *                 to a rewritten sender need nothing: who writes there was
 *                 written to)
 *     554 5.4.6   too many Received fields, or a Delivered-To field of ours for
 *                 one of the recipients: a loop
 *     as the rules say, which may look at the message now: a rejection; 451
 *                 4.3.0 when they cannot tell, 554 5.4.6 when they forward it
 *                 to itself
 *     550 5.1.7   the sender cannot be rewritten: too long or quoted, and there
 *                 is no store to keep it
 *     550 5.1.1   the address is ours, but the store has its sender no more
 *     550 5.7.1   it did not pass DMARC, and the copy would, by our name or the
 *                 rewritten sender's; 451 4.7.1 when that is not known
 *     250 2.0.0   there is nothing to do: the rule says drop
 *     451 4.3.0   the ledger cannot be read (see opts.allow_no_ledger), the
 *                 message cannot be read, the key does not sign, no memory
 *     451 4.4.3   the ARC chain fails for lack of a DNS answer, and a seal
 *                 would make that final
 *
 * A message that goes to handlers alone comes to them although it is not
 * authenticated, its sender cannot be rewritten, or a copy would gain alignment
 * (onward_event_can_be_forwarded()).
 *
 * Then the edited message goes out. From the top: what one copy has and others
 * have not (X-Forwarded-, a rule's fields, a handler's); the DKIM signatures of
 * onward_relay_add_signature(); the ARC set; our
 * Authentication-Results; Delivered-To for up to 10 recipients; received; then
 * the message as it came, without those Authentication-Results and Received-SPF
 * fields that claim to be ours (RFC 8601 section 5). No seal is added to a
 * message that cannot have one: a chain that had failed before (RFC 8617
 * section 5.1), one of 50 sets, a malformed header.
 *
 * What a destination takes is entered in the ledger before done, so that it is
 * skipped when the sender has to try again. Last, the reply, the first of: 451
 * 4.3.0 for a handler that failed; the temporary failure of a destination; 451
 * 4.3.0 for a message that the host could not keep; a handler's rejection; the
 * permanent failure of a destination; 250. Of a failover list only what the
 * whole list came to counts.
 *
 * @param verifier  of this message; done, and it must outlive the relay.
 * @param source    the message as it came; copied, its user must outlive the
 *                  relay.
 * @param received  the whole Received field for this hop, with its CRLF, as
 *                  onward_smtp_server_received() gives it; copied.
 * @return 0: done will come; or, and the relay can only be freed,
 *         ONWARD_EINVAL   not such a source or field, or the verifier has
 *                         another authserv_id
 *         ONWARD_ESTATE   no recipient, the verifier is not done, called
 *                         before, or the desk was freed
 *         ONWARD_EVERSION a field this release does not know is not 0
 *         ONWARD_ENOMEM   out of memory: answer 451
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_relay_start(struct onward_relay *relay,
                                  const struct onward_verifier *verifier,
                                  const struct onward_source *source,
                                  struct onward_str received);

/**
 * The message as it will leave, for a host that changes fields of its header:
 * who is in From and Reply-To, say. Between onward_relay_start() and the next
 * onward_desk_run(). All copies have what is changed; handlers, rules and policy
 * see the message as it came. Its parts must stay as they are: what is hashed
 * of the body was hashed when it came. A signature of the author's that covers a
 * changed field is broken.
 *
 * @return borrowed from relay; NULL when it is not started, or under way.
 * @since 0.1
 */
ONWARD_API struct onward_edit *onward_relay_edit(struct onward_relay *relay);

/**
 * Have the message signed by DKIM as it leaves: with the forwarder's domain,
 * with the recipient's. Between onward_relay_start() and the next
 * onward_desk_run(). The signatures stand on top in the order in which they
 * were asked for; they are made after the ARC set, which does not cover them,
 * nor they it, so that the set holds although RFC 8617 section 5.1 step 1 would
 * have it last. A message that cannot be signed (several From fields that were
 * allowed) goes without.
 *
 * A signature vouches for whoever wrote the message. So one that does not pass
 * DMARC leaves without any, if by one of them it would: where domain is of the
 * organization of the author. Without a record of the author's that is told by
 * the last two labels of both.
 *
 * @param key   of the relay's desk; kept alive. When it fails, the sender is
 *              told 451 4.3.0.
 * @param opts  borrowed for this call. The body is in its relaxed form:
 *              use_simple_body, body_hash and log_id must be 0.
 * @return 0, or
 *         ONWARD_EINVAL   as onward_dkim_signer_new(); a key of another desk
 *         ONWARD_EVERSION a field of opts this release does not know
 *         ONWARD_ESTATE   not started, or under way
 *         ONWARD_ELIMIT   there are 8
 *         ONWARD_ENOMEM   out of memory
 *         After any of them the relay makes the signatures it had.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_relay_add_signature(struct onward_relay *relay,
                           struct onward_signer *key,
                           const struct onward_dkim_signer_opts *opts);

/* ---- Deliveries -------------------------------------------------------- */

/** What became of a delivery. @since 0.1 */
enum onward_relay_fate {
    ONWARD_RELAY_FATE_PENDING = 0,
    ONWARD_RELAY_FATE_DELIVERED = 1, /**< the next hop has taken it */
    ONWARD_RELAY_FATE_BEFORE = 2, /**< it had, when the sender tried before */
    ONWARD_RELAY_FATE_TEMPORARY = 3,
    ONWARD_RELAY_FATE_PERMANENT = 4,
    ONWARD_RELAY_FATE_SPARE = 5 /**< of a failover list: it was not needed */
};

/** One delivery. The caller sets size. Texts are borrowed until
 * onward_relay_free(). */
struct onward_relay_delivery {
    size_t size;
    struct onward_str reverse_path; /**< no brackets; empty: the null path */
    struct onward_str recipient;    /**< no brackets; its domain in A-labels */
    /** Where it goes: lower-case A-labels, or an address literal with its
     * brackets. */
    struct onward_str domain;
    /** The message as it leaves; NULL before deliver. Borrowed until
     * onward_relay_free(). All deliveries may read it at once. */
    const struct onward_source *source;
    size_t smtputf8; /**< 1: needs SMTPUTF8, or came with it */
    size_t body;     /**< enum onward_smtp_body, as it came */
    size_t fate;     /**< enum onward_relay_fate */
    /** What the next hop said; 0 and empty before it did. */
    size_t reply_code;
    struct onward_str reply_enhanced; /**< "5.1.1" */
    struct onward_str reply_text; /**< as the next hop sent it */
    /**
     * For a host that keeps the message and answers the sender before it is
     * delivered: whom it may tell of a failure then, the sender as it came (one
     * of ours turned back). Empty: nobody. That is so for the null path, and
     * for a sender whose domain did not vouch for the message, by SPF or by a
     * signature of its own or a parent domain: such a notice would hit whoever
     * was named. Known from deliver on.
     */
    struct onward_str notice_path;
    /** What to pass on of what the sender said (RFC 3461 section 5.2.7): all of
     * it where one recipient goes to one destination; else no SUCCESS, which is
     * for the host to answer by a notice "expanded", and with several
     * recipients no ORCPT. */
    size_t notify; /**< a set of enum onward_smtp_notify; 0: not stated */
    size_t ret;    /**< enum onward_smtp_ret */
    struct onward_str orcpt, envid; /**< empty: none */
    /** 1: the message came with REQUIRETLS, and every copy goes with it (RFC
     * 8689 section 4.1): onward_egress_opts.require_tls. */
    size_t require_tls;
    /** 1: it came without, and says "TLS-Required: No": its
     * onward_egress_opts.tls_optional. Known from deliver on. */
    size_t tls_optional;
    /** Of a failover list: the index of the one that is asked for when this one
     * fails, plus 1; 0: there is none. For a host that answers before it has
     * delivered: it must do so itself then. */
    size_t heir;
};

/**
 * How many destinations the message has; 0 for one that is dropped. Those of
 * the ledger count too.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_relay_delivery_count(const struct onward_relay *relay);

/**
 * One delivery.
 *
 * @param index  below onward_relay_delivery_count().
 * @param out    size set by the caller; at most that many octets are written.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_relay_delivery_at(const struct onward_relay *relay,
                                        size_t index,
                                        struct onward_relay_delivery *out);

/**
 * What the next hop said to a delivery: the reply to its final dot, or the one
 * before that ended it. Without a reply make one: 451 4.4.1, for example.
 *
 * @param reply  2yz, 4yz or 5yz; borrowed for this call. Without memory for its
 *               text the outcome counts all the same.
 * @return 0, or
 *         ONWARD_ESTALE    no such delivery is open; nothing was done
 *         ONWARD_EINVAL    no such reply; the delivery is still open
 *         ONWARD_EVERSION  reply has a field that this release does not know
 * @note Calls no callback; allowed inside deliver.
 * @since 0.1
 */
ONWARD_API int
onward_relay_delivery_answer(struct onward_desk *desk, uint64_t token,
                             const struct onward_smtp_reply *reply);

/* ---- What leaves on its own, and what is put apart ---------------------- */

/** Kinds of struct onward_relay_submission. */
enum onward_relay_submission_kind {
    ONWARD_RELAY_SUBMISSION_REPLY = 1,     /**< of a handler */
    ONWARD_RELAY_SUBMISSION_SEND = 2,      /**< of a handler */
    ONWARD_RELAY_SUBMISSION_QUARANTINE = 3 /**< the message itself */
};

/** One; the caller sets size. Texts are borrowed until onward_relay_free(). */
struct onward_relay_submission {
    size_t size;
    size_t kind;                    /**< enum onward_relay_submission_kind */
    struct onward_str reverse_path; /**< no brackets */
    size_t rcpt_count;              /**< see onward_relay_submission_rcpt() */
    const struct onward_source *source; /**< until onward_relay_free() */
    struct onward_str message_id;       /**< without brackets; may be empty */
    struct onward_str place;    /**< of a quarantine, as the rule has it */
    struct onward_event *event; /**< NULL for a quarantine */
};

/** @return how many there are so far. @since 0.1 */
ONWARD_API size_t
onward_relay_submission_count(const struct onward_relay *relay);

/**
 * One of them.
 *
 * @param out  size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_relay_submission_at(const struct onward_relay *relay,
                                          size_t index,
                                          struct onward_relay_submission *out);

/** @return recipient i of a submission: who a message is for; of a quarantine
 *  the recipients that it came to; empty past the last. @since 0.1 */
ONWARD_API struct onward_str
onward_relay_submission_rcpt(const struct onward_relay *relay, size_t index,
                             size_t i);

/**
 * Where a quarantined message would go, were it not for the rules that put mail
 * apart: what a host keeps beside it, for who lets it go. All that
 * onward_relay_delivery_at() has of a delivery; heir is a number of this list.
 * The rules may know no way: then there is none.
 *
 * @param index  of the submission.
 * @param i      from 0.
 * @param out    size set by the caller.
 * @return 0, ONWARD_ENOENT (past the last) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_relay_submission_delivery(const struct onward_relay *relay, size_t index,
                                 size_t i, struct onward_relay_delivery *out);

/**
 * It is safe, or it could not be kept.
 *
 * @param status  0, or negative: the sender is told 451.
 * @return 0, or ONWARD_ESTALE: nobody waits for that answer.
 * @note Calls no callback; allowed inside submit.
 * @since 0.1
 */
ONWARD_API int onward_relay_submission_answer(struct onward_desk *desk,
                                              uint64_t token, int status);

/* ---- The end ----------------------------------------------------------- */

/** What decided. @since 0.1 */
enum onward_relay_reason {
    ONWARD_RELAY_REASON_NONE = 0,      /**< nothing yet */
    ONWARD_RELAY_REASON_DELIVERED = 1, /**< every destination has it */
    ONWARD_RELAY_REASON_NEXT_HOP = 2,  /**< one of them has not */
    ONWARD_RELAY_REASON_DROP = 3,      /**< the rule says so */
    ONWARD_RELAY_REASON_MALFORMED = 4,
    ONWARD_RELAY_REASON_DMARC = 5,
    ONWARD_RELAY_REASON_DMARC_UNKNOWN = 6,
    ONWARD_RELAY_REASON_UNAUTHENTICATED = 7,
    ONWARD_RELAY_REASON_AUTH_UNKNOWN = 8,
    ONWARD_RELAY_REASON_HOPS = 9,       /**< too many Received fields */
    ONWARD_RELAY_REASON_LOOP = 10,      /**< our Delivered-To is there */
    ONWARD_RELAY_REASON_SENDER = 11,    /**< cannot be rewritten */
    ONWARD_RELAY_REASON_ALIGNMENT = 12, /**< the copy would gain it */
    ONWARD_RELAY_REASON_ALIGNMENT_UNKNOWN = 13,
    ONWARD_RELAY_REASON_LEDGER = 14,
    ONWARD_RELAY_REASON_SEAL = 15,  /**< the key does not sign */
    ONWARD_RELAY_REASON_CHAIN = 16, /**< ARC, for lack of an answer */
    ONWARD_RELAY_REASON_MEMORY = 17,
    ONWARD_RELAY_REASON_STORE = 18,  /**< a sender cannot be kept, or found */
    ONWARD_RELAY_REASON_RULES = 19,  /**< they cannot decide now */
    ONWARD_RELAY_REASON_REJECT = 20, /**< a rule or a handler says so */
    ONWARD_RELAY_REASON_HANDLED =
        21, /**< handlers have done what they wanted */
    ONWARD_RELAY_REASON_HANDLER = 22, /**< one failed, or took too long */
    ONWARD_RELAY_REASON_SUBMIT = 23,  /**< the host could not keep a message */
    ONWARD_RELAY_REASON_QUARANTINED = 24
};

/**
 * The answer to the message.
 *
 * @param out  size set by the caller; texts are borrowed until
 *             onward_relay_free().
 * @return 0, ONWARD_ESTATE (before done) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_relay_reply(const struct onward_relay *relay,
                                  struct onward_smtp_reply *out);

/** @return enum onward_relay_reason. @since 0.1 */
ONWARD_API int onward_relay_reason(const struct onward_relay *relay);

/** What became of a message, as people ask. */
enum onward_relay_status {
    ONWARD_RELAY_STATUS_NONE = 0,      /**< nothing yet */
    ONWARD_RELAY_STATUS_FORWARDED = 1, /**< each destination has it */
    ONWARD_RELAY_STATUS_HANDLED = 2,   /**< a handler has taken it */
    ONWARD_RELAY_STATUS_DROPPED = 3,
    ONWARD_RELAY_STATUS_REJECTED = 4,        /**< for good: 5yz */
    ONWARD_RELAY_STATUS_DELIVERY_FAILED = 5, /**< a next hop said no */
    ONWARD_RELAY_STATUS_ERROR = 6 /**< our failure, or not known now: 4yz */
};

/** @return "Forwarded", "Delivery failed" and so on, the words of the service
 *  that we follow; static text ending in NUL, never NULL. @since 0.1 */
ONWARD_API const char *onward_relay_status_name(int status);

/**
 * One message for a log; the caller sets size. Texts are borrowed until
 * onward_relay_free(), as they came: escape them.
 */
struct onward_relay_summary {
    size_t size;
    size_t status;            /**< enum onward_relay_status */
    struct onward_str action; /**< "forward", "handler", "drop", "quarantine",
                                   "reject", "bounce"; empty: it came to none */
    struct onward_str from;   /**< envelope; empty: the null path */
    struct onward_str message_id; /**< without brackets; may be empty */
    struct onward_str subject;    /**< as it stands in the field */
    struct onward_str spf, dkim, dmarc, arc; /**< "pass"; empty before start */
    struct onward_str error; /**< the reply's text, unless it is 2yz */
    size_t is_ndr;           /**< 1: from the null path */
    size_t tag_count;        /**< see onward_relay_tag() */
    size_t reserved;         /**< 0 */
};

/**
 * What became of the message.
 *
 * @param out  size set by the caller.
 * @return 0 or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_relay_summarize(const struct onward_relay *relay,
                                      struct onward_relay_summary *out);

/** @return tag i of those that rules put on the message, in their order; empty
 *  past the last. @since 0.1 */
ONWARD_API struct onward_str onward_relay_tag(const struct onward_relay *relay,
                                              size_t i);

/** What a fate is called as an event of a message's life, "message.delivered";
 *  as onward_relay_fate_name(). @since 0.1 */
ONWARD_API const char *onward_relay_fate_event(int fate);

/**
 * A stable lower-case word for a reason, "dmarc-unknown", for logs.
 *
 * @return static text ending in NUL, never NULL, "unknown" for a foreign
 *         number.
 * @since 0.1
 */
ONWARD_API const char *onward_relay_reason_name(int reason);

/** A stable lower-case word for a fate, "delivered"; as above. @since 0.1 */
ONWARD_API const char *onward_relay_fate_name(int fate);

#ifdef __cplusplus
}
#endif

#endif
