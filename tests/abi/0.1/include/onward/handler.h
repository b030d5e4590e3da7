#ifndef ONWARD_HANDLER_H
#define ONWARD_HANDLER_H

#include <onward/core.h>
#include <onward/mime_builder.h>
#include <onward/ruleset.h>
#include <onward/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * What code that acts on a message may do, and why it may not: the fields that
 * it puts on a copy, the replies that it writes (RFC 3834), the messages that
 * it sends. Each rule is a function over facts, so it holds outside of SMTP
 * sessions too; <onward/relay_event.h> is the message in its session, and asks
 * these.
 *
 * A question has three answers: 1 yes; 0 no, and then a struct
 * onward_refusal says why; a negative enum onward_error: it could not be
 * answered.
 *
 * Objects belong to one thread at a time; a binding that is not changed any
 * more may be read by several.
 */

/* ---- Refusals ---------------------------------------------------------- */

/**
 * Why not. Numbers are stable; onward_refusal_name() has the word that
 * programs compare, onward_refusal_text() a text for people.
 */
enum onward_refusal_code {
    ONWARD_REFUSAL_NONE = 0,

    /* Any action of an event. */
    ONWARD_REFUSAL_INTERNAL = 1,  /**< our failure; may work later */
    ONWARD_REFUSAL_OVER = 2,      /**< the event is answered, or out of time */
    ONWARD_REFUSAL_TOO_MANY = 3,  /**< actions of that kind in an event */

    /* A forward. */
    ONWARD_REFUSAL_DESTINATION = 10,   /**< no address */
    ONWARD_REFUSAL_NOT_VERIFIED = 11,  /**< nobody has shown it is theirs */
    ONWARD_REFUSAL_DUPLICATE = 12,     /**< forwarded there already */
    ONWARD_REFUSAL_LOOP = 13,          /**< would come back to this handler */
    ONWARD_REFUSAL_NOT_FORWARDABLE = 14, /**< can_be_forwarded says no */
    ONWARD_REFUSAL_TRANSIENT = 15,     /**< the next hop said 4yz */
    ONWARD_REFUSAL_PERMANENT = 16,     /**< the next hop said 5yz */
    ONWARD_REFUSAL_NOT_NOW = 17, /**< whether it is verified is not known now */
    ONWARD_REFUSAL_OWN_ZONE = 18, /**< an address of ours: rules say where it
                                       leads, so forward to that */

    /* A field. */
    ONWARD_REFUSAL_FIELD_NAME = 20,        /**< no name of a field */
    ONWARD_REFUSAL_FIELD_NOT_ALLOWED = 21, /**< not for handlers: trace, ... */
    ONWARD_REFUSAL_FIELD_USE_API = 22,     /**< there is a function for it */
    ONWARD_REFUSAL_FIELD_VALUE = 23, /**< empty, CR, LF, NUL, or not its form */
    ONWARD_REFUSAL_FIELD_TOO_LONG = 24, /**< name or value */
    ONWARD_REFUSAL_FIELD_TWICE = 25,
    ONWARD_REFUSAL_FIELDS_TOO_LARGE = 26, /**< all of them together */
    ONWARD_REFUSAL_FIELDS_TOO_MANY = 27,

    /* A message that is handed in whole. */
    ONWARD_REFUSAL_PARSE = 30,         /**< other readers may see another one */
    ONWARD_REFUSAL_FROM = 31,          /**< From is not the envelope's sender */
    ONWARD_REFUSAL_NO_MESSAGE_ID = 32, /**< none, or no id */
    ONWARD_REFUSAL_TRACE_FIELD = 33,   /**< Received and the like */

    /* A reply: what is answered. */
    ONWARD_REFUSAL_REPLY_DMARC = 40, /**< DMARC did not pass */
    ONWARD_REFUSAL_REPLY_TWICE = 41,
    ONWARD_REFUSAL_REPLY_NULL_SENDER = 42,
    ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED = 43, /**< RFC 3834 section 2 */
    ONWARD_REFUSAL_REPLY_SUPPRESSED = 44,     /**< X-Auto-Response-Suppress */
    ONWARD_REFUSAL_REPLY_PRECEDENCE = 45,
    ONWARD_REFUSAL_REPLY_LIST = 46,       /**< a List- field */
    ONWARD_REFUSAL_REPLY_ROBOT = 47,      /**< owner-, -request, ... */
    ONWARD_REFUSAL_REPLY_CHAIN_SHAPE = 48, /**< In-Reply-To without References,
                                               or the other way round */
    ONWARD_REFUSAL_REPLY_CHAIN_LENGTH = 49, /**< too many References */
    ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID = 50, /**< no Message-ID to answer to */
    /* A reply: the reply. */
    ONWARD_REFUSAL_REPLY_NO_IN_REPLY_TO = 51,
    ONWARD_REFUSAL_REPLY_IN_REPLY_TO = 52, /**< another message's id */
    ONWARD_REFUSAL_REPLY_REFERENCES = 53,
    ONWARD_REFUSAL_REPLY_RECIPIENT = 54, /**< not the sender */
    ONWARD_REFUSAL_REPLY_DOMAIN = 55,    /**< not the domain that was written to */
    ONWARD_REFUSAL_TICKET_INVALID = 56,
    ONWARD_REFUSAL_TICKET_EXPIRED = 57,

    /* Sending. */
    ONWARD_REFUSAL_VALIDATION = 70,
    ONWARD_REFUSAL_FIELD_MISSING = 71, /**< From, or any recipient */
    ONWARD_REFUSAL_TOO_MANY_RECIPIENTS = 72,
    ONWARD_REFUSAL_TOO_MANY_ATTACHMENTS = 73,
    ONWARD_REFUSAL_SENDER_NOT_VERIFIED = 74,
    ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED = 75,
    ONWARD_REFUSAL_RECIPIENT_SUPPRESSED = 76,
    ONWARD_REFUSAL_SENDER_DOMAIN = 77, /**< no zone of ours */
    ONWARD_REFUSAL_TOO_LARGE = 78,
    ONWARD_REFUSAL_DELIVERY_FAILED = 79, /**< the host could not take it */
    ONWARD_REFUSAL_RATE_LIMIT = 80,
    ONWARD_REFUSAL_DAILY_LIMIT = 81
};

/** Why not, and what of. The caller sets size. */
struct onward_refusal {
    size_t size;
    size_t code; /**< enum onward_refusal_code */
    /** The field, the address, or what else it is about: printable ASCII
     * ending in NUL, cut; may be empty. */
    char what[256];
};

/**
 * A stable word for a code, "E_HEADER_NOT_ALLOWED".
 *
 * @return static text ending in NUL, never NULL, "E_UNKNOWN" for a foreign
 *         number, empty for ONWARD_REFUSAL_NONE.
 * @since 0.1
 */
ONWARD_API const char *onward_refusal_name(int code);

/** A text for people, without a final dot; as above. @since 0.1 */
ONWARD_API const char *onward_refusal_text(int code);

/* ---- Fields ------------------------------------------------------------ */

/** What fields a list takes. @since 0.1 */
enum onward_field_policy {
    /** X-NAME alone: what may be put on a forwarded copy. */
    ONWARD_FIELD_POLICY_X = 1,
    /** X-NAME, and those that a sender may write: In-Reply-To, References,
     * List-*, Precedence, Auto-Submitted, Keywords and so on. Not those that
     * the platform writes, nor those that a builder has functions for. */
    ONWARD_FIELD_POLICY_SEND = 2
};

/** Fields that were looked at: all of them may be written. Opaque. */
struct onward_field_list;

struct onward_field_list_opts {
    size_t size;
    size_t policy;      /**< enum onward_field_policy; required */
    size_t name_bytes;  /**< of a name; default 100 */
    size_t value_bytes; /**< of a value; default 2048 */
    size_t max_bytes;   /**< names, values and 4 octets each; default 16384 */
    size_t max_fields;  /**< other than X-; default 20 */
    size_t max_x_fields; /**< default 100 */
};

/**
 * Make an empty list.
 *
 * @param ctx   kept alive by the list.
 * @param opts  borrowed for this call.
 * @param list  out: free with onward_field_list_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_field_list_new(struct onward_ctx *ctx,
                                     const struct onward_field_list_opts *opts,
                                     struct onward_field_list **list);

/** @param list  may be NULL. @since 0.1 */
ONWARD_API void onward_field_list_free(struct onward_field_list *list);

/**
 * Add a field. A name stands once. It is written folded at 78 columns; what is
 * not ASCII becomes encoded words (RFC 2047).
 *
 * @param name     an X- name is letters, digits, `-` and `_`.
 * @param value    UTF-8, not empty, no control character but HTAB. Of a List-
 *                 field `<https:...>` and `<mailto:...>`; of
 *                 List-Unsubscribe-Post `List-Unsubscribe=One-Click`; of
 *                 Precedence `bulk`, `list` or `junk`.
 * @param refusal  out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal: FIELD_NAME, FIELD_NOT_ALLOWED, FIELD_USE_API,
 *         FIELD_VALUE, FIELD_TOO_LONG, FIELD_TWICE, FIELDS_TOO_LARGE,
 *         FIELDS_TOO_MANY; ONWARD_EINVAL or ONWARD_ENOMEM. Unless 1, the list
 *         is as before.
 * @since 0.1
 */
ONWARD_API int onward_field_list_add(struct onward_field_list *list,
                                     struct onward_str name,
                                     struct onward_str value,
                                     struct onward_refusal *refusal);

/** @return how many there are. @since 0.1 */
ONWARD_API size_t onward_field_list_count(const struct onward_field_list *list);

/**
 * The fields as they are written: whole lines ending in CRLF.
 *
 * @return borrowed until the list is changed or freed.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_field_list_text(const struct onward_field_list *list);

/* ---- Replies ----------------------------------------------------------- */

/** A right to answer a message later. Opaque. */
struct onward_ticket;

/** May this message be answered; and by this reply? */
struct onward_reply_question {
    size_t size;
    /** What is answered: its finished header. Required, unless ticket is. */
    const struct onward_header *original;
    struct onward_str original_from; /**< envelope; empty: the null path */
    struct onward_str original_to;   /**< the recipient that it came to */
    size_t dmarc_result;             /**< enum onward_dmarc_result */
    size_t is_answered;              /**< 1: there was a reply */
    /** In place of all of the above: it had passed when the ticket was made. */
    const struct onward_ticket *ticket;
    /** The reply's finished header. NULL: only whether there may be one. */
    const struct onward_header *reply;
    struct onward_str reply_from; /**< envelope */
    struct onward_str reply_to;   /**< envelope */
    /** More References than this in the original: no. Default 100. */
    size_t max_references;
};

/**
 * May there be an automatic reply (RFC 3834)? In this order:
 *
 *     the original:  REPLY_NULL_SENDER, REPLY_DMARC, REPLY_TWICE,
 *                    REPLY_AUTO_SUBMITTED, REPLY_SUPPRESSED,
 *                    REPLY_PRECEDENCE, REPLY_LIST, REPLY_ROBOT,
 *                    REPLY_CHAIN_SHAPE, REPLY_CHAIN_LENGTH,
 *                    REPLY_NO_ORIGINAL_ID
 *     the reply:     PARSE, TRACE_FIELD, FROM, NO_MESSAGE_ID,
 *                    REPLY_NO_IN_REPLY_TO, REPLY_IN_REPLY_TO,
 *                    REPLY_REFERENCES, REPLY_RECIPIENT, REPLY_DOMAIN
 *
 * Ids compare as tokens, without comments and folds. References may be absent;
 * else they are those of the original in their order (the first one must be
 * there, others may be left out), and its Message-ID last (RFC 5322 section
 * 3.6.4). Domains compare folded, local parts octet for octet.
 *
 * @param question  borrowed for this call.
 * @param refusal   out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal; ONWARD_EINVAL (something required is missing or not
 *         finished), ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_reply_check(const struct onward_reply_question *question,
                   struct onward_refusal *refusal);

/* ---- Tickets ----------------------------------------------------------- */

/** Room for the longest ticket, with NUL. */
#define ONWARD_TICKET_TEXT_MAX 2048
/** Room for a key of the ledger, with NUL. */
#define ONWARD_TICKET_KEY_MAX 96

/**
 * Write a ticket: base64url text that proves later, here or on another machine
 * with the same secret, that this message might be answered. Mint it only once
 * onward_reply_check() says so; onward_event_ticket() does.
 *
 * @param message_id  of the original, without brackets; at most 900 octets.
 * @param sender      its envelope's sender; at most 254 octets.
 * @param recipient   whom it came to; at most 254 octets.
 * @param expires_s   Unix seconds, below 2^32.
 * @param out         room for cap octets; gets the ticket and a NUL.
 * @param cap         at least ONWARD_TICKET_TEXT_MAX, else ONWARD_EINVAL.
 * @return the length without the NUL, or ONWARD_EINVAL (an empty text, or a time
 *         out of range) or ONWARD_ELIMIT.
 * @since 0.1
 */
ONWARD_API int onward_ticket_mint(const struct onward_token_minter *minter,
                                  struct onward_str message_id,
                                  struct onward_str sender,
                                  struct onward_str recipient,
                                  int64_t expires_s, char *out, size_t cap);

/**
 * Read a ticket that came back.
 *
 * @param ctx      kept alive by the ticket; its clock ends the ticket's life in
 *                 onward_reply_check(), too.
 * @param text     all of it must be the ticket.
 * @param ticket   out: free with onward_ticket_free(). Untouched unless 1.
 * @param refusal  out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal: TICKET_INVALID, TICKET_EXPIRED; ONWARD_EINVAL or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_ticket_open(struct onward_ctx *ctx,
                                  const struct onward_token_minter *minter,
                                  struct onward_str text,
                                  struct onward_ticket **ticket,
                                  struct onward_refusal *refusal);

/** @param ticket  may be NULL. @since 0.1 */
ONWARD_API void onward_ticket_free(struct onward_ticket *ticket);

/** @return the original's id, without brackets; borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_ticket_message_id(const struct onward_ticket *ticket);
/** @return who is answered; borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_ticket_sender(const struct onward_ticket *ticket);
/** @return whom it came to; borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_ticket_recipient(const struct onward_ticket *ticket);
/** @return when its life ends, Unix seconds. @since 0.1 */
ONWARD_API int64_t onward_ticket_expires_s(const struct onward_ticket *ticket);

/**
 * Where the store remembers that the message was answered: the key that events
 * use too. Put something there with ONWARD_STORE_IF_ABSENT before a reply by
 * ticket is sent; when it is there, the message has been answered.
 *
 * @param out  room for cap octets; gets the key and a NUL.
 * @param cap  at least ONWARD_TICKET_KEY_MAX, else ONWARD_EINVAL.
 * @return the length without the NUL, or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_ticket_key(const struct onward_ticket *ticket, char *out,
                                 size_t cap);

/* ---- Sending ----------------------------------------------------------- */

/** To whom, and as whom, a handler may send. Opaque. */
struct onward_binding;

/**
 * Make a binding that allows every verified destination, and every sender in a
 * zone of ours.
 *
 * @param ctx      kept alive by the binding.
 * @param binding  out: free with onward_binding_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_binding_new(struct onward_ctx *ctx,
                                  struct onward_binding **binding);

/** @param binding  may be NULL. @since 0.1 */
ONWARD_API void onward_binding_free(struct onward_binding *binding);

/**
 * Narrow it: to the one destination, to one more of a list, to one more
 * sender. Domains compare folded, local parts octet for octet.
 *
 * @return 0, or
 *         ONWARD_ESYNTAX  no address
 *         ONWARD_ESTATE   the one destination beside a list of them, or twice
 *         ONWARD_ELIMIT   more than 10000
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_binding_set_destination(struct onward_binding *binding,
                                              struct onward_str address);
/** As onward_binding_set_destination(): one of several. @since 0.1 */
ONWARD_API int onward_binding_allow_destination(struct onward_binding *binding,
                                                struct onward_str address);
/** As onward_binding_set_destination(): a sender. @since 0.1 */
ONWARD_API int onward_binding_allow_sender(struct onward_binding *binding,
                                           struct onward_str address);

/** What the host knows of recipients now. */
struct onward_send_facts {
    size_t size;
    void *user;
    /**
     * A recipient with its domain in lower-case A-labels.
     *
     * @return 1 verified, 2 not or revoked, 3 suppressed (it bounced or
     *         complained), 0 no word (then the rules' file counts), or a
     *         negative value: cannot be told now.
     */
    int (*recipient)(void *user, const char *address, size_t len);
};

/** May this message be sent? */
struct onward_send_question {
    size_t size;
    const struct onward_binding *binding; /**< NULL: a wide one */
    const struct onward_ruleset *ruleset; /**< zones, destinations; required */
    const struct onward_send_facts *facts; /**< NULL: the rules' word alone */
    /** The whole message as it would leave, lines ending in CRLF. */
    struct onward_str message;
    struct onward_str from; /**< envelope; empty: the author */
    /** Envelope; empty: the binding's one destination, else those of To, Cc and
     * Bcc. */
    struct onward_str to;
    size_t max_recipients;  /**< default 50 */
    size_t max_attachments; /**< default 32 */
    size_t max_bytes;       /**< default 5 MiB */
    size_t max_verified_bytes; /**< when all are verified; default 25 MiB */
    /** 1: recipients need not be verified, only not suppressed. */
    size_t allow_unverified;
    /** What the message was built by: whom it names counts too, as Bcc stands
     * in no field. NULL: only the message tells. */
    const struct onward_builder *builder;
};

/**
 * May it? Whoever To, Cc and Bcc name must be allowed, even where the envelope
 * goes to another one. In this order: TOO_LARGE, PARSE, FIELD_MISSING, FROM,
 * NO_MESSAGE_ID, TRACE_FIELD, the codes of fields (onward_field_list_add(), but
 * a builder's fields are taken), TOO_MANY_ATTACHMENTS, TOO_MANY_RECIPIENTS,
 * SENDER_NOT_VERIFIED, SENDER_DOMAIN, RECIPIENT_SUPPRESSED,
 * RECIPIENT_NOT_ALLOWED, NOT_NOW.
 *
 * @param ctx       for the time of this call.
 * @param question  borrowed for this call.
 * @param refusal   out, may be NULL; size set by the caller.
 * @return 1; 0 and refusal; ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM.
 * @note Calls facts.
 * @since 0.1
 */
ONWARD_API int onward_send_check(struct onward_ctx *ctx,
                                 const struct onward_send_question *question,
                                 struct onward_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif
