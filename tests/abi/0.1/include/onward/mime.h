#ifndef ONWARD_MIME_H
#define ONWARD_MIME_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Messages (RFC 5322): where their octets come from, the header block as
 * fields, and the message as it leaves.
 *
 * - struct onward_source: octets that the host keeps and lends.
 * - struct onward_header: one header block, split by the one rule that every
 *   module of this library uses.
 * - struct onward_edit: fields added, cut, replaced; parts dropped, replaced,
 *   a footer put under the text; the result is a source again. Untouched octets
 *   stay identical, and a log says what was changed and what breaks by it.
 *
 * Every object here belongs to one thread at a time.
 */

/* ---- Sources ----------------------------------------------------------- */

/**
 * A message that the host keeps and lends: in memory, in a file, anywhere.
 * Its octets must not change while the source is in use. They are read in
 * pieces, usually forwards, and more than once.
 *
 * An object that takes a source copies this table; the user must live as long
 * as the object. All calls come on the object's thread, inside the calls of the
 * object that pulls or inside onward_desk_run(), and must not free that object
 * nor call it.
 */
struct onward_source {
    size_t size;
    void *user;
    uint64_t len; /**< octets of the whole message, line ends as they are */
    /**
     * Put 1 to cap octets from offset on into buf and say how many in got.
     * offset is below len and cap is not 0.
     *
     * @return 0, ONWARD_AGAIN when they are not there yet (got is not read;
     *         allowed only when wait is set), or another negative value: the
     *         message cannot be read any more, and its puller gives up with
     *         ONWARD_ECALLBACK. 0 with got == 0 is such a failure too.
     */
    int (*read)(void *user, uint64_t offset, void *buf, size_t cap,
                size_t *got);
    /**
     * After a read that returned ONWARD_AGAIN: call onward_source_answer() with
     * this token once it is worth reading again; that may be inside this call.
     * The puller then asks for the same octets anew. There is no call for a
     * question given up: its token is stale, and answering it does nothing.
     * NULL when read never returns ONWARD_AGAIN.
     */
    void (*wait)(void *user, uint64_t token);
};

/**
 * Go on with a source that had said ONWARD_AGAIN. Only recorded here: the
 * puller reads again inside onward_desk_run(). For a failure answer too, and
 * let the next read return it.
 *
 * @param desk   the desk of the object that pulls.
 * @param token  as given to the source's wait.
 * @return 0, or ONWARD_ESTALE (late, unknown or second answer; ignored).
 * @since 0.1
 */
ONWARD_API int onward_source_answer(struct onward_desk *desk, uint64_t token);

/** A message held in memory, as a source. */
struct onward_memory_source;

/**
 * Copy a message into memory that a source reads from.
 *
 * @param ctx     kept alive by the object.
 * @param data    borrowed for this call only. May be NULL when len is 0.
 * @param len     octets at data.
 * @param memory  out: free with onward_memory_source_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_memory_source_new(struct onward_ctx *ctx,
                                        const void *data, size_t len,
                                        struct onward_memory_source **memory);

/**
 * The source that reads from it. It never returns ONWARD_AGAIN.
 *
 * @return borrowed from memory until onward_memory_source_free(); what was
 *         made from the table must be freed before, too.
 * @since 0.1
 */
ONWARD_API const struct onward_source *
onward_memory_source_table(const struct onward_memory_source *memory);

/**
 * @param memory  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_memory_source_free(struct onward_memory_source *memory);

/* ---- The header block -------------------------------------------------- */

/**
 * The header block of one message, kept whole and split into fields.
 *
 * The rule, the same for every module:
 * - A line ends at CR LF and nowhere else. A bare CR or LF is an octet of the
 *   line it stands in, and an anomaly.
 * - The block ends before the first empty line (CR LF at the start of a line),
 *   or with the message when there is none. The empty line belongs neither to
 *   a field nor to the body. A message that starts with an empty line has a
 *   header without fields.
 * - A line that starts with SP or HTAB continues the field above it.
 * - A field is a name of printable US-ASCII octets but the colon, the colon and
 *   the value (RFC 5322 section 2.2). SP and HTAB between name and colon are
 *   the obsolete form of the same field (section 4.5): `From :` is From.
 * - A line that is no field does not end the block. It is kept in its place as
 *   an item without name, so that it matches no look-up, and the header is
 *   malformed.
 *
 * Items are counted from 0, the top. The raw octets of all items, one after the
 * other, are the block.
 */
struct onward_header;

/** No such item. */
#define ONWARD_HEADER_NONE SIZE_MAX

/** What is wrong at a place of the header. @since 0.1 */
enum onward_header_anomaly_code {
    /* The reading is in doubt; onward_header_is_malformed() says yes. */
    ONWARD_HEADER_NO_COLON = 1,      /**< a line that is no field */
    ONWARD_HEADER_EMPTY_NAME = 2,    /**< the line begins with the colon */
    ONWARD_HEADER_BAD_NAME = 3,      /**< NUL, control, space or 8-bit in it */
    ONWARD_HEADER_LEADING_FOLD = 4,  /**< the first line begins with SP, HTAB */
    ONWARD_HEADER_FOLDED_NAME = 5,   /**< the colon comes after a fold */
    ONWARD_HEADER_BARE_CR = 6,       /**< CR without LF */
    ONWARD_HEADER_BARE_LF = 7,       /**< LF without CR */
    /* One reading, but not as RFC 5322 section 3 has it. */
    ONWARD_HEADER_WSP_COLON = 16,    /**< SP or HTAB before the colon */
    ONWARD_HEADER_BLANK_FOLD = 17,   /**< a continuation of SP, HTAB only */
    ONWARD_HEADER_NUL = 18,          /**< NUL in a value */
    ONWARD_HEADER_CONTROL = 19,      /**< another control octet in a value */
    ONWARD_HEADER_BAD_UTF8 = 20,     /**< 8-bit value that is not UTF-8 */
    ONWARD_HEADER_LONG_LINE = 21,    /**< more than 998 octets before CR LF */
    ONWARD_HEADER_NO_END = 22,       /**< the message has no empty line */
    ONWARD_HEADER_CUT_LINE = 23      /**< the message ends inside a line */
};

/** Severities of struct onward_header_anomaly. @since 0.1 */
enum onward_header_severity {
    ONWARD_HEADER_ODD = 1,      /**< one reading, unusual form */
    ONWARD_HEADER_MALFORMED = 2 /**< other readers may see other fields */
};

/** One anomaly; the caller sets size. */
struct onward_header_anomaly {
    size_t size;
    size_t item;      /**< in which item, or ONWARD_HEADER_NONE */
    uint64_t offset;  /**< octets from the start of the message */
    int32_t code;     /**< enum onward_header_anomaly_code */
    int32_t severity; /**< enum onward_header_severity */
};

/**
 * Make an empty header. Its ceilings are limits.header_bytes and
 * limits.header_fields of the context.
 *
 * @param ctx     kept alive by the object.
 * @param header  out: free with onward_header_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_header_new(struct onward_ctx *ctx,
                                 struct onward_header **header);

/**
 * @param header  may be NULL. Whatever was borrowed from it ends.
 * @since 0.1
 */
ONWARD_API void onward_header_free(struct onward_header *header);

/**
 * Take the next octets of the message, up to the end of the header block. Cut
 * the message where you like, single octets included.
 *
 * @param data   borrowed for this call only. May be NULL when len is 0.
 * @param len    octets at data.
 * @param taken  out: how many of them belong to the header block and its empty
 *               line; the rest is the body. Less than len only when 1 is
 *               returned. Untouched on failure.
 * @return 1 when the block has ended (further calls take nothing), 0 when more
 *         is needed, or
 *         ONWARD_ELIMIT  more octets or items than the context allows
 *         ONWARD_ENOMEM  out of memory
 *         ONWARD_ESTATE  after one of these
 *         After any of them the header can only be freed.
 * @note Calls no callback. Linear in len.
 * @since 0.1
 */
ONWARD_API int onward_header_feed(struct onward_header *header,
                                  const void *data, size_t len, size_t *taken);

/**
 * The message has ended, or the caller has no more of it. Harmless when the
 * block had ended already.
 *
 * @return 0, or the errors of onward_header_feed().
 * @since 0.1
 */
ONWARD_API int onward_header_finish(struct onward_header *header);

/** @return 1 when the block has ended, else 0. @since 0.1 */
ONWARD_API int onward_header_is_done(const struct onward_header *header);

/**
 * Where the body begins: octets of the block and its empty line. Equal to the
 * length of onward_header_block() when the message had no empty line.
 *
 * @return octets from the start of the message.
 * @since 0.1
 */
ONWARD_API uint64_t onward_header_body_offset(const struct onward_header *header);

/**
 * The whole block, without the empty line.
 *
 * @return borrowed until the next feed or onward_header_free(); empty before
 *         the block has ended. The same holds for all that follows.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_header_block(const struct onward_header *header);

/** @return how many items there are. @since 0.1 */
ONWARD_API size_t onward_header_count(const struct onward_header *header);

/**
 * Item i as received: name, colon, value with its folds, final CR LF (not there
 * when the message was cut inside the line).
 *
 * @return empty when i is not below the count.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_header_raw(const struct onward_header *header, size_t i);

/**
 * The name of item i as written, without white space or colon.
 *
 * @return empty for a line that is no field.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_header_name(const struct onward_header *header, size_t i);

/**
 * The value of item i as received: everything behind the colon, with leading
 * white space and folds, without the final CR LF.
 *
 * @return empty for a line that is no field.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_header_value(const struct onward_header *header, size_t i);

/**
 * The value of item i unfolded (CR LF before SP or HTAB taken out, RFC 5322
 * section 2.2.3) and without white space at its ends. Bare CR and LF, NULs and
 * encoded words stay.
 *
 * @param text  out: borrowed from header until onward_header_free().
 * @return 0, ONWARD_ENOENT (no such field), ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_header_text(struct onward_header *header, size_t i,
                                  struct onward_str *text);

/**
 * Where item i begins.
 *
 * @return octets from the start of the message.
 * @since 0.1
 */
ONWARD_API uint64_t onward_header_offset(const struct onward_header *header,
                                         size_t i);

/**
 * Look fields up by name; ASCII case does not matter. first and last give the
 * topmost and the lowest field of that name, below and above the next one of
 * the same name as item i. All in constant time once the block has ended.
 *
 * @return an item, or ONWARD_HEADER_NONE.
 * @since 0.1
 */
ONWARD_API size_t onward_header_first(const struct onward_header *header,
                                      struct onward_str name);
/** As onward_header_first(): the lowest field of that name. @since 0.1 */
ONWARD_API size_t onward_header_last(const struct onward_header *header,
                                     struct onward_str name);
/** As onward_header_first(): the next lower of the same name. @since 0.1 */
ONWARD_API size_t onward_header_below(const struct onward_header *header,
                                      size_t i);
/** As onward_header_first(): the next higher of the same name. @since 0.1 */
ONWARD_API size_t onward_header_above(const struct onward_header *header,
                                      size_t i);
/** @return how many fields have that name. @since 0.1 */
ONWARD_API size_t onward_header_count_named(const struct onward_header *header,
                                            struct onward_str name);

/**
 * May other readers see other fields than this one? Then DKIM cannot pass, and
 * a relay does best to refuse.
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int onward_header_is_malformed(const struct onward_header *header);

/**
 * How many anomalies were recorded, in order of their offsets. At most 100 are;
 * onward_header_is_malformed() sees those beyond that, too.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_header_anomaly_count(const struct onward_header *header);

/**
 * Anomaly i.
 *
 * @param anomaly  size set by the caller; at most that many octets are written.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_header_anomaly_at(const struct onward_header *header,
                                     size_t i,
                                     struct onward_header_anomaly *anomaly);

/**
 * A stable lower-case word for an anomaly, "bare-lf", for logs.
 *
 * @return static text, never NULL, "unknown" for a foreign code.
 * @since 0.1
 */
ONWARD_API const char *onward_header_anomaly_name(int code);

/* ---- The message as it leaves ------------------------------------------ */

/**
 * A message with fields and parts changed. Several edits may stand over the
 * same source and header. What is not changed passes as it is, octet by octet.
 */
struct onward_edit;

struct onward_edit_opts {
    size_t size;
    size_t added_fields; /**< that may be put on top; default 100 */
    size_t added_bytes;  /**< octets of all of them; default 65536 */
};

/**
 * Make an edit that changes nothing yet.
 *
 * @param ctx     kept alive by the object.
 * @param source  copied; its user must outlive the edit.
 * @param header  the finished header of the same message; borrowed, must
 *                outlive the edit.
 * @param opts    borrowed for this call; NULL: all defaults.
 * @param edit    out: free with onward_edit_free().
 * @return 0, or
 *         ONWARD_EINVAL    no read callback, or the source is shorter than the
 *                          header
 *         ONWARD_ESTATE    the header is not done
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_edit_new(struct onward_ctx *ctx,
                               const struct onward_source *source,
                               const struct onward_header *header,
                               const struct onward_edit_opts *opts,
                               struct onward_edit **edit);

/**
 * Put a field on top: above the header and all fields added so far. It is
 * written as `NAME: VALUE` CR LF; the value may hold folds (CR LF and then SP or
 * HTAB), and the space behind the colon is not doubled when it begins with
 * white space or a fold.
 *
 * @param name   printable US-ASCII but the colon; copied.
 * @param value  US-ASCII or UTF-8, copied. Lines of at most 998 octets, none
 *               of white space only; no controls but HTAB, no bare CR or LF.
 * @return 0, or
 *         ONWARD_ESYNTAX  name or value could be read as something else
 *         ONWARD_ELIMIT   more fields or octets than the options allow
 *         ONWARD_ESTATE   after onward_edit_source()
 *         ONWARD_ENOMEM   out of memory
 *         The edit is as before after any of them.
 * @since 0.1
 */
ONWARD_API int onward_edit_add(struct onward_edit *edit, struct onward_str name,
                               struct onward_str value);

/**
 * Cut item i of the header (a field, or a line that is none) with all its
 * folds. Cutting it again changes nothing. Needs no memory.
 *
 * @return 0, ONWARD_ENOENT (no such item) or ONWARD_ESTATE (after
 *         onward_edit_source()).
 * @since 0.1
 */
ONWARD_API int onward_edit_cut(struct onward_edit *edit, size_t i);

/**
 * Put another value in the place of item i, under its name as it is written.
 *
 * @param value  as for onward_edit_add().
 * @return 0, ONWARD_ENOENT (no such item, or it was cut), ONWARD_ESYNTAX (name
 *         or value could be read as something else), ONWARD_ESTATE (after
 *         onward_edit_source()) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_edit_replace(struct onward_edit *edit, size_t i,
                                   struct onward_str value);

/**
 * Put a prefix and a blank before the subject, "[list]" say; the rest of it
 * stays as it is, encoded words and folds too. A subject that begins with the
 * prefix, also behind "Re:", is left alone; where there is none, one is added.
 *
 * @param prefix  UTF-8; what is not ASCII becomes encoded words.
 * @return 0, ONWARD_ESYNTAX (empty, not UTF-8, or with a control character),
 *         ONWARD_ELIMIT, ONWARD_ESTATE or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_edit_prefix_subject(struct onward_edit *edit,
                                          struct onward_str prefix);

/**
 * Read the message once, to know where its parts are: needed before the
 * functions that change them. They count parts as <onward/mime_parser.h> does,
 * with its default options: 0 is the message, then in the order of the headers.
 *
 * @return 0, or
 *         ONWARD_AGAIN     the source has said so: call this again once it can
 *                          be read. Its wait is not called.
 *         ONWARD_ECALLBACK the source failed
 *         ONWARD_ESTATE, ONWARD_ENOMEM  the edit can only be freed
 * @since 0.1
 */
ONWARD_API int onward_edit_read_parts(struct onward_edit *edit);

/**
 * Take a part of a multipart out, with one of the delimiters around it.
 *
 * @return 0, or
 *         ONWARD_ENOENT  no such part
 *         ONWARD_EINVAL  not in a multipart; the only one left in it; changed
 *                        already, or around a part that is
 *         ONWARD_ESTATE  before onward_edit_read_parts(), or after
 *                        onward_edit_source()
 *         ONWARD_ENOMEM  out of memory: the edit can only be freed
 * @since 0.1
 */
ONWARD_API int onward_edit_drop_part(struct onward_edit *edit, size_t part);

/**
 * Put another part in the place of one in a multipart.
 *
 * @param octets  its header, an empty line, its body as it is sent; copied.
 *                Lines of at most 998 octets that end in CRLF, but the last
 *                one. No line begins as a delimiter around the part does.
 * @return as onward_edit_drop_part(), or ONWARD_ESYNTAX.
 * @since 0.1
 */
ONWARD_API int onward_edit_replace_part(struct onward_edit *edit, size_t part,
                                        struct onward_str octets);

/** A footer. */
struct onward_edit_footer {
    size_t size;
    struct onward_str text; /**< UTF-8, with any line ends */
    size_t is_html;         /**< 1: text is HTML */
};

/**
 * Put a footer under the message, the way that touches least:
 * - Behind the text, where the message is a single text/plain in US-ASCII or
 *   UTF-8, its encoding is 7bit, 8bit or quoted-printable and can hold the
 *   footer, and that is plain text.
 * - Else as one more part of a multipart/mixed that ends as it should.
 * - Else the message becomes the first part of a multipart/mixed, the footer the
 *   second: the Content- fields move into the part, its body stays as it is.
 *   So a multipart/signed keeps its signature.
 *
 * @param footer  borrowed for this call.
 * @return 0, or
 *         ONWARD_ESYNTAX  empty, not UTF-8, or with NUL
 *         ONWARD_EINVAL   the message has no body; something else is changed in
 *                         the same place
 *         ONWARD_ESTATE   before onward_edit_read_parts(), after
 *                         onward_edit_source(), or after a footer that became a
 *                         multipart
 *         ONWARD_ELIMIT   more added fields than the options allow
 *         ONWARD_ERANDOM  no random octets for a boundary
 *         ONWARD_EVERSION, ONWARD_ENOMEM
 *         After the last three the edit can only be freed.
 * @since 0.1
 */
ONWARD_API int onward_edit_add_footer(struct onward_edit *edit,
                                      const struct onward_edit_footer *footer);

/** Kinds of struct onward_edit_change. @since 0.1 */
enum onward_edit_change_kind {
    ONWARD_EDIT_FIELD_ADDED = 1,
    ONWARD_EDIT_FIELD_CUT = 2,
    ONWARD_EDIT_FIELD_REPLACED = 3,
    ONWARD_EDIT_PART_DROPPED = 4, /**< twice, where it is two runs */
    ONWARD_EDIT_PART_REPLACED = 5,
    ONWARD_EDIT_PART_ADDED = 6,
    ONWARD_EDIT_TEXT_EXTENDED = 7, /**< a footer behind the text */
    ONWARD_EDIT_WRAPPED = 8        /**< the message became a part */
};

/** One change; the caller sets size. */
struct onward_edit_change {
    size_t size;
    size_t kind; /**< enum onward_edit_change_kind */
    /** Item of the header, ONWARD_HEADER_NONE for one put on top; else the
     * part. */
    size_t item;
    size_t reserved;  /**< 0 */
    uint64_t offset;  /**< in the message as it came; 0 for a field on top */
    uint64_t removed; /**< octets of it that went */
    uint64_t added;   /**< octets that came */
    struct onward_str name; /**< of a field */
};

/**
 * The log: what was changed so far, in the order of the calls; fields that were
 * cut stand last, in their order. The message has grown by what was added, less
 * what was removed.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_edit_change_count(const struct onward_edit *edit);

/**
 * Change i.
 *
 * @param change  size set by the caller; name is borrowed from edit.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_edit_change_at(const struct onward_edit *edit, size_t i,
                                     struct onward_edit_change *change);

/** What a signature over the message covers, in the terms of DKIM. */
struct onward_edit_signature {
    size_t size;
    size_t has_body_len; /**< 0: the whole body is covered */
    /** Names with colons, as in h= (RFC 6376 section 3.5): taken from below;
     * one more often than it is there says that none may come. */
    struct onward_str fields;
    uint64_t body_len; /**< with has_body_len: octets of the body, as l= */
};

/**
 * Tell of a signature, so that onward_edit_broken_by() knows what it covers.
 * They are counted from 0.
 *
 * @param signature  borrowed for this call.
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_edit_add_signature(struct onward_edit *edit,
                          const struct onward_edit_signature *signature);

/**
 * Does a signature break by what was changed so far? Ask before
 * onward_edit_source(), and nothing has happened yet. White space that a
 * canonical form would forgive counts as a change here.
 *
 * @return the first change that breaks it, by its number in the log;
 *         ONWARD_HEADER_NONE when none does, or there is no such signature.
 * @since 0.1
 */
ONWARD_API size_t onward_edit_broken_by(const struct onward_edit *edit,
                                        size_t signature);

/**
 * The edited message as a source of its own: any offset, any piece sizes, its
 * exact length in len. From now on the edit takes no more changes. It says
 * ONWARD_AGAIN where the source below does.
 *
 * @param table  out: borrowed from edit until onward_edit_free().
 * @return 0 or ONWARD_ENOMEM (the edit is as before).
 * @since 0.1
 */
ONWARD_API int onward_edit_source(struct onward_edit *edit,
                                  const struct onward_source **table);

/**
 * End the edit. What pulls from its source must be freed before.
 *
 * @param edit  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_edit_free(struct onward_edit *edit);

#ifdef __cplusplus
}
#endif

#endif
