#ifndef ONWARD_MIME_BUILDER_H
#define ONWARD_MIME_BUILDER_H

#include <onward/mime.h>
#include <onward/mime_text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Write a message: say who, what and which files, and get a source of octets
 * that every reader takes (RFC 5322, 2045 to 2047, 2049, 2183, 2231, 2387,
 * 2392, 6522, 6532). Which multipart holds what, and how each part travels, is
 * the builder's choice.
 *
 * The message is never held whole: texts are kept encoded, attachments are
 * encoded as they are read, and the size is known before.
 *
 * No value can begin a new line: CR, LF and NUL in names, addresses, subjects,
 * fields, types and file names are ONWARD_ESYNTAX. All text is UTF-8.
 *
 * A builder belongs to one thread at a time.
 */

struct onward_builder; /* opaque */

struct onward_builder_opts {
    size_t size;
    /** Right side of Message-ID and Content-ID; empty: the domain of the first
     * author. */
    struct onward_str id_domain;
    size_t reserved; /**< 0 */
    int64_t date_s; /**< Date, Unix seconds; 0: the context's clock */
    /** 1: the path takes 8BITMIME (RFC 6152); texts may go as they are. */
    size_t allow_8bit;
    /** 1: the path takes SMTPUTF8: the header is UTF-8, without encoded words,
     * and addresses may be international (RFC 6532). 0: an address whose local
     * part is not ASCII is an error, domains become A-labels. */
    size_t allow_utf8;
    /** 1: file names also in the way of RFC 2047, which is forbidden and read
     * by some that cannot read RFC 2231. */
    size_t allow_name_fallback;
    /** Octets of all that is kept, encoded; default 67108864. Attachments that
     * are read from a source do not count. */
    size_t max_bytes;
    uint64_t log_id; /**< for log events */
};

/** In which field an address stands. @since 0.1 */
enum onward_builder_role {
    ONWARD_BUILDER_FROM = 1,
    ONWARD_BUILDER_SENDER = 2, /**< one at most; needed with several authors */
    ONWARD_BUILDER_REPLY_TO = 3,
    ONWARD_BUILDER_TO = 4,
    ONWARD_BUILDER_CC = 5,
    ONWARD_BUILDER_BCC = 6 /**< a recipient that no field names */
};

/** Where a part stands. @since 0.1 */
enum onward_builder_place {
    ONWARD_BUILDER_ATTACHED = 0,
    /** Shown inside the HTML text, which names it as `cid:CONTENT-ID`. */
    ONWARD_BUILDER_INLINE = 1,
    /** One more form of the text, the best last: a calendar, say. */
    ONWARD_BUILDER_ALTERNATIVE = 2
};

/** A file, or another part. All 0 is a nameless application/octet-stream. */
struct onward_builder_part {
    size_t size;
    size_t place; /**< enum onward_builder_place */
    /**
     * Its type with parameters, "image/png", "text/csv; charset=utf-8"; no
     * multipart. What is message/rfc822, or message/ anything, goes as it is,
     * as RFC 2046 section 5.2 demands: lines of at most 998 octets that end in
     * CRLF. All else goes in base64.
     */
    struct onward_str type;
    struct onward_str file_name;   /**< any UTF-8 */
    struct onward_str content_id;  /**< without brackets; empty: none */
    struct onward_str description; /**< Content-Description */
    /** The octets, copied. Not together with source. */
    struct onward_str data;
    /** The octets, read when the message is; copied, its user must outlive the
     * builder. Of a message/ type it must never say ONWARD_AGAIN. NULL: data.
     */
    const struct onward_source *source;
};

/**
 * Begin a message.
 *
 * @param ctx      kept alive by the builder.
 * @param opts     borrowed for this call; NULL: all defaults.
 * @param builder  out: free with onward_builder_free().
 * @return 0, or
 *         ONWARD_ESYNTAX   id_domain is no domain name
 *         ONWARD_EINVAL, ONWARD_EVERSION  opts that cannot be read
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_builder_new(struct onward_ctx *ctx,
                                  const struct onward_builder_opts *opts,
                                  struct onward_builder **builder);

/**
 * Free it. What reads from its source must be freed before.
 *
 * @param builder  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_builder_free(struct onward_builder *builder);

/**
 * Name an author, sender or recipient.
 *
 * @param role     enum onward_builder_role.
 * @param name     as people read it; may be empty.
 * @param address  local@domain, without brackets.
 * @return 0, or
 *         ONWARD_ESYNTAX  no such address, or a name with a control character,
 *                         or one that is not UTF-8
 *         ONWARD_EINVAL   no such role
 *         ONWARD_ELIMIT   more than 1000 of a role, a second sender, or over
 *                         max_bytes
 *         ONWARD_ESTATE   after onward_builder_source()
 *         ONWARD_ENOMEM   out of memory
 *         After any of them the builder is as before. This holds for all the
 *         functions that add something.
 * @since 0.1
 */
ONWARD_API int onward_builder_add_address(struct onward_builder *builder,
                                          int role, struct onward_str name,
                                          struct onward_str address);

/**
 * Say what it is about; the last call counts.
 *
 * @return 0, ONWARD_ESYNTAX, ONWARD_ELIMIT, ONWARD_ESTATE or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_builder_set_subject(struct onward_builder *builder,
                                          struct onward_str subject);

/**
 * The text for those who read plain text. Line ends may be LF, CR or CRLF; the
 * last line gets one. A line that begins with "From " is encoded, as mailboxes
 * change it (RFC 4155).
 *
 * @return 0, ONWARD_ESYNTAX (not UTF-8, or with NUL), ONWARD_ELIMIT,
 *         ONWARD_ESTATE (there is one) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_builder_set_text(struct onward_builder *builder,
                                       struct onward_str text);

/**
 * The same text as HTML.
 *
 * @return as onward_builder_set_text().
 * @since 0.1
 */
ONWARD_API int onward_builder_set_html(struct onward_builder *builder,
                                       struct onward_str html);

/**
 * Add a file, an inline image, or another form of the text.
 *
 * @param part  borrowed for this call.
 * @return 0, or
 *         ONWARD_ESYNTAX  a type, name, id or description that cannot be
 *                         written; a message that cannot go as it is
 *         ONWARD_EINVAL   both data and source, or a place that there is not
 *         ONWARD_EVERSION a field that this release does not know is not 0
 *         ONWARD_ELIMIT   more than 1000 parts, or over max_bytes
 *         ONWARD_ESTATE   after onward_builder_source()
 *         ONWARD_ECALLBACK the source could not be read
 *         ONWARD_ENOMEM   out of memory
 * @note Reads the source of a message/ type, and no other.
 * @since 0.1
 */
ONWARD_API int onward_builder_add_part(struct onward_builder *builder,
                                       const struct onward_builder_part *part);

/**
 * Add a field. Fields stand in the order in which they were added, below those
 * that the builder writes.
 *
 * @param name   printable ASCII but the colon. Not one that the builder writes:
 *               From, Sender, Reply-To, To, Cc, Bcc, Subject, Date, Message-ID,
 *               In-Reply-To, References, MIME-Version, Content-...; see the
 *               functions for these.
 * @param value  text; what is not ASCII becomes encoded words (RFC 2047), or
 *               UTF-8 with allow_utf8. A field that is registered with a form
 *               of its own (List-*, Resent-*, Auto-Submitted and so on) stays
 *               as it is: folded at its blanks, encoded words only for words
 *               of phrases; ONWARD_ESYNTAX when that cannot hold it, as with a
 *               URL of over 960 octets.
 * @return 0, ONWARD_ESYNTAX, ONWARD_EINVAL (a name that the builder writes),
 *         ONWARD_ELIMIT, ONWARD_ESTATE or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_builder_add_field(struct onward_builder *builder,
                                        struct onward_str name,
                                        struct onward_str value);

/**
 * Set the Message-ID, without brackets. Otherwise it is made of 128 random
 * bits.
 *
 * @return 0, ONWARD_ESYNTAX (no id: RFC 5322 section 3.6.4), ONWARD_ESTATE or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_builder_set_message_id(struct onward_builder *builder,
                                             struct onward_str id);

/**
 * This answers another message: In-Reply-To and References as RFC 5322 section
 * 3.6.4 has them, of at most 50 ids: the first, and the last ones. A message
 * without an id of its own gives neither.
 *
 * @param original  the finished header of that message; borrowed for this call.
 * @return 0, ONWARD_ESTATE (original is not finished, or there was one) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_builder_set_reply_to_message(struct onward_builder *builder,
                                    const struct onward_header *original);

/** A multipart/report (RFC 6522): the text is for people, this for machines. */
struct onward_builder_report {
    size_t size;
    struct onward_str report_type; /**< "delivery-status" */
    struct onward_str fields_type; /**< "message/delivery-status" */
    /** Lines of printable ASCII that end in CRLF; an empty one between groups
     * (RFC 3464 section 2.1). Copied. Empty, with fields_type: the machine's
     * part is the first that is attached (RFC 8460 section 5.3). */
    struct onward_str fields;
    /** What it is about: a whole message, or its header; copied. Empty: none.
     */
    struct onward_str original;
    size_t is_header_only; /**< 1: original is text/rfc822-headers */
    /** 1: the forms of RFC 6533: fields are UTF-8, original is message/global
     * or message/global-headers. For those who read SMTPUTF8. */
    size_t is_global;
};

/**
 * Make the message a report: multipart/report of the text, the fields and the
 * original; parts that are attached stand behind these.
 *
 * @return as onward_builder_add_part(); ONWARD_ESTATE also when there is one.
 * @since 0.1
 */
ONWARD_API int
onward_builder_set_report(struct onward_builder *builder,
                          const struct onward_builder_report *report);

/**
 * The message. From now on the builder takes no more changes.
 *
 * @param source  out: borrowed until onward_builder_free(). Any offset, any
 *                piece sizes, its exact length in len. It says ONWARD_AGAIN
 *                where a part's source does.
 * @return 0, or
 *         ONWARD_EINVAL   no author; several authors and no sender
 *         ONWARD_ERANDOM  no random octets for ids and boundaries, or always
 *                         such as the content holds
 *         ONWARD_ELIMIT   over max_bytes
 *         ONWARD_ENOMEM   out of memory
 *         After any of them it can be called again.
 * @since 0.1
 */
ONWARD_API int onward_builder_source(struct onward_builder *builder,
                                     const struct onward_source **source);

/**
 * For the envelope: the sender, else the first author.
 *
 * @return borrowed from builder; empty when there is none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_builder_mail_from(const struct onward_builder *builder);

/**
 * For the envelope: how many recipients, those of Bcc included, each once.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_builder_rcpt_count(const struct onward_builder *builder);

/**
 * Recipient i.
 *
 * @return borrowed from builder; empty when there is no i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_builder_rcpt_at(const struct onward_builder *builder, size_t i);

/** What the path must take. @since 0.1 */
enum onward_builder_need {
    ONWARD_BUILDER_NEEDS_8BITMIME = 1,
    ONWARD_BUILDER_NEEDS_SMTPUTF8 = 2
};

/**
 * What the path must take for the message as it was built.
 *
 * @return enum onward_builder_need, added up; 0 before onward_builder_source().
 * @since 0.1
 */
ONWARD_API uint64_t onward_builder_needs(const struct onward_builder *builder);

/**
 * The Message-ID without brackets.
 *
 * @return borrowed from builder; empty before onward_builder_source().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_builder_message_id(const struct onward_builder *builder);

#ifdef __cplusplus
}
#endif

#endif
