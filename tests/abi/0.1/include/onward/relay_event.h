#ifndef ONWARD_RELAY_EVENT_H
#define ONWARD_RELAY_EVENT_H

#include <onward/handler.h>
#include <onward/mime_builder.h>
#include <onward/relay.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * A message in the hands of code: the event of one recipient whose rule names a
 * handler (or a webhook), and what the handler does with it.
 *
 * The relay asks its host by `handle` of struct onward_relay_host, once for
 * each such recipient, with a token and the event. The host looks at the
 * message, now or later; it may reject it, forward it, answer it, send others;
 * and then it answers the token: onward_event_done(), or onward_event_fail().
 * Until then everything below may be called, in any callback or outside of all.
 * A handler that fails, or does not answer within opts.handler_timeout_ms,
 * gives the sender 451 4.3.0; one that does nothing has taken the message and
 * dropped it.
 *
 * Nothing that a handler says can begin a line of its own, and no trace or
 * authentication field comes from it.
 */

/** One recipient's event. Opaque; lives as long as its relay. */
struct onward_event;

/**
 * The event of an open token: what a host asks that has kept only the token.
 *
 * @return borrowed; NULL when nobody waits for that answer any more.
 * @since 0.1
 */
ONWARD_API struct onward_event *onward_event_find(struct onward_desk *desk,
                                                  uint64_t token);

/* ---- What it is about. Texts are borrowed until onward_relay_free(). ---- */

/** @return the transaction. @since 0.1 */
ONWARD_API struct onward_relay *
onward_event_relay(const struct onward_event *event);

/** @return the handler's or the webhook's name, as the rule has it.
 * @since 0.1 */
ONWARD_API struct onward_str
onward_event_handler(const struct onward_event *event);

/** @return 1: the rule says webhook, 0: handler. @since 0.1 */
ONWARD_API int onward_event_is_webhook(const struct onward_event *event);

/** @return the envelope's sender as it came, without brackets; empty: the null
 *  path. @since 0.1 */
ONWARD_API struct onward_str
onward_event_from(const struct onward_event *event);

/** @return the recipient with its `+detail`, the domain in A-labels.
 * @since 0.1 */
ONWARD_API struct onward_str onward_event_to(const struct onward_event *event);

/** @return its header as it came; see onward_header_first(),
 *  onward_header_below(), onward_words_decode(). @since 0.1 */
ONWARD_API const struct onward_header *
onward_event_header(const struct onward_event *event);

/** @return the message as it came, to be read as often as one likes: its len is
 *  the size. @since 0.1 */
ONWARD_API const struct onward_source *
onward_event_source(const struct onward_event *event);

/** @return SPF, DKIM, ARC and DMARC of it. @since 0.1 */
ONWARD_API const struct onward_verifier *
onward_event_verifier(const struct onward_event *event);

/**
 * Would a forward be taken, if its destination is?
 *
 * @return 1; 0: it is not authenticated, its sender cannot be rewritten, or the
 *         copy would gain alignment.
 * @since 0.1
 */
ONWARD_API int
onward_event_can_be_forwarded(const struct onward_event *event);

/**
 * May it be answered? As onward_reply_check() without a reply.
 *
 * @return 1; 0 and refusal; ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_event_can_be_replied(const struct onward_event *event,
                                           struct onward_refusal *refusal);

/** The host's word for this event, to find what it has made for it.
 * @since 0.1 */
ONWARD_API void onward_event_set_user(struct onward_event *event, void *user);
/** @return what onward_event_set_user() was given; NULL before. @since 0.1 */
ONWARD_API void *onward_event_user(const struct onward_event *event);

/* ---- What the handler does --------------------------------------------- */

/** Kinds of struct onward_event_action. */
enum onward_event_action_kind {
    ONWARD_EVENT_FORWARD = 1,
    ONWARD_EVENT_REPLY = 2,
    ONWARD_EVENT_SEND = 3
};

/** How far an action is. */
enum onward_event_action_state {
    ONWARD_EVENT_PENDING = 0,
    ONWARD_EVENT_DONE = 1,   /**< the next hop, or the host's disk, has it */
    ONWARD_EVENT_BEFORE = 2, /**< it had, when the sender tried before */
    ONWARD_EVENT_FAILED = 3
};

/** One action; the caller sets size. Texts live until onward_relay_free(). */
struct onward_event_action {
    size_t size;
    size_t kind;    /**< enum onward_event_action_kind */
    size_t state;   /**< enum onward_event_action_state */
    size_t refusal; /**< enum onward_refusal_code, of a failed one */
    /** For onward_relay_delivery_at(), or onward_relay_submission_at(). */
    size_t index;
    struct onward_str to; /**< a forward's destination, or the first recipient */
    struct onward_str message_id; /**< of what was sent, without brackets */
    /** What the next hop said; 0 and empty before, and of other kinds. */
    size_t reply_code;
    struct onward_str reply_enhanced; /**< "5.1.1" */
    struct onward_str reply_text; /**< as the next hop sent it */
    size_t is_forgiven; /**< see onward_event_forgive() */
};

/**
 * Refuse the message. What was forwarded or sent stays so; the last call
 * counts.
 *
 * @param reply  4yz or 5yz; 0 of code is 550, an empty enhanced 5.7.1 (4.7.1 of
 *               4yz), an empty text a stock one. Octets that cannot stand in a
 *               reply are written as \xHH, 512 octets are kept. Borrowed.
 * @return 1; 0: the event is over; or ONWARD_EINVAL (no such code, enhanced of
 *         another class), ONWARD_EVERSION, ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_event_set_reject(struct onward_event *event,
                                       const struct onward_smtp_reply *reply);

/**
 * Forward a copy. It goes on its way at once; the outcome comes by `acted` of
 * struct onward_relay_host, and by onward_event_action_at().
 *
 * @param to       local@domain: a verified destination that does not lead back
 *                 to this handler, each once.
 * @param fields   put on top of the copy, of ONWARD_FIELD_POLICY_X; copied. May
 *                 be NULL.
 * @param action   out, may be NULL: its number in the event.
 * @param refusal  out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal: OVER, NOT_FORWARDABLE, TOO_MANY, DESTINATION,
 *         NOT_VERIFIED, NOT_NOW, LOOP, OWN_ZONE, DUPLICATE; ONWARD_EINVAL (fields of
 *         another policy) or ONWARD_ENOMEM.
 * @note Calls facts.
 * @since 0.1
 */
ONWARD_API int onward_event_forward(struct onward_event *event,
                                    struct onward_str to,
                                    const struct onward_field_list *fields,
                                    size_t *action,
                                    struct onward_refusal *refusal);

/** A message of the handler's. */
struct onward_event_message {
    size_t size;
    struct onward_str from; /**< envelope; empty: the author */
    /** Envelope. Of a reply empty: the sender. Of a message that is sent empty:
     * the binding's one destination, else those that it names. */
    struct onward_str to;
    /** The whole of it, lines ending in CRLF; copied. */
    struct onward_str data;
    /** Or this, in place of data: read here, and not needed any more. Of a
     * reply, its recipient and its threading fields are set here. */
    struct onward_builder *builder;
};

/**
 * Answer the sender: once, and as onward_reply_check() has it. `Auto-Submitted:
 * auto-replied` is added, and Date and References where they are not there. It
 * leaves through `submit` of struct onward_relay_host.
 *
 * @param message  borrowed for this call.
 * @param action   out, may be NULL: its number in the event.
 * @param refusal  out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal: OVER, those of onward_reply_check(), RATE_LIMIT,
 *         DAILY_LIMIT, TOO_LARGE; ONWARD_EINVAL, ONWARD_EVERSION,
 *         ONWARD_ESTATE (the host takes no messages), ONWARD_ENOMEM, or an error
 *         of the builder.
 * @note Calls may_send. Reads the builder's parts.
 * @since 0.1
 */
ONWARD_API int onward_event_reply(struct onward_event *event,
                                  const struct onward_event_message *message,
                                  size_t *action,
                                  struct onward_refusal *refusal);

/**
 * Send a message, as onward_send_check() has it. Bcc is cut, a Date is added
 * where there is none.
 *
 * @param binding  what this handler may; borrowed. NULL: a wide one.
 * @return as onward_event_reply(), with the refusals of onward_send_check() and
 *         TOO_MANY.
 * @note Calls send_facts and may_send. Reads the builder's parts.
 * @since 0.1
 */
ONWARD_API int onward_event_send(struct onward_event *event,
                                 const struct onward_binding *binding,
                                 const struct onward_event_message *message,
                                 size_t *action,
                                 struct onward_refusal *refusal);

/**
 * A ticket to answer this message later, once the session is long over: hand it
 * to onward_ticket_open() then, and that to onward_reply_check().
 *
 * @param ticket   out: borrowed until onward_relay_free(). Untouched unless 1.
 * @param refusal  out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal, as onward_event_can_be_replied(); ONWARD_ESTATE
 *         (opts.minter is NULL), ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_event_ticket(struct onward_event *event,
                                   struct onward_str *ticket,
                                   struct onward_refusal *refusal);

/** @return how many actions were taken. @since 0.1 */
ONWARD_API size_t
onward_event_action_count(const struct onward_event *event);

/**
 * One action.
 *
 * @param out  size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_event_action_at(const struct onward_event *event,
                                      size_t i,
                                      struct onward_event_action *out);

/**
 * The handler knows that an action failed, or does not care: the sender need
 * not hear of it. For a handler that tries another destination.
 *
 * @return 0 or ONWARD_ENOENT.
 * @since 0.1
 */
ONWARD_API int onward_event_forgive(struct onward_event *event, size_t i);

/* ---- Its end ----------------------------------------------------------- */

/**
 * The handler is through. What it has asked for still goes on.
 *
 * @return 0, or ONWARD_ESTALE: nobody waits for that answer.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_event_done(struct onward_desk *desk, uint64_t token);

/**
 * The handler has failed: the sender is told 451 4.3.0, so that it tries again.
 * What the handler has asked for still goes on, and is not done again then.
 *
 * @param why  for the log; may be empty.
 * @return 0 or ONWARD_ESTALE.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_event_fail(struct onward_desk *desk, uint64_t token,
                                 struct onward_str why);

/** How an event ended. */
enum onward_event_state {
    ONWARD_EVENT_WAITING = 0, /**< the host was not asked yet */
    ONWARD_EVENT_OPEN = 1,
    ONWARD_EVENT_ANSWERED = 2, /**< onward_event_done() */
    ONWARD_EVENT_BROKEN = 3,   /**< onward_event_fail() */
    ONWARD_EVENT_LATE = 4,     /**< out of time */
    ONWARD_EVENT_ABSENT = 5    /**< the host knows no such handler */
};

/** @return enum onward_event_state. @since 0.1 */
ONWARD_API int onward_event_state(const struct onward_event *event);

/** @return what onward_event_fail() was told, cut; may be empty. @since 0.1 */
ONWARD_API struct onward_str
onward_event_failure(const struct onward_event *event);

/** @return 1: onward_event_set_reject() was called, and reply is filled (size
 *  set by the caller); 0: not; or ONWARD_EINVAL. @since 0.1 */
ONWARD_API int onward_event_reject(const struct onward_event *event,
                                   struct onward_smtp_reply *reply);

/** @return how many events the message has. @since 0.1 */
ONWARD_API size_t onward_relay_event_count(const struct onward_relay *relay);

/** @return event i, borrowed; NULL when i is not below the count. @since 0.1 */
ONWARD_API struct onward_event *
onward_relay_event_at(const struct onward_relay *relay, size_t i);

#ifdef __cplusplus
}
#endif

#endif
