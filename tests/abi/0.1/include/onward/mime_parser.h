#ifndef ONWARD_MIME_PARSER_H
#define ONWARD_MIME_PARSER_H

#include <onward/mime.h>
#include <onward/mime_text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The structure of messages (RFC 2045, RFC 2046): a parser that is fed octets
 * and tells events, and a tree over a message that the host keeps.
 *
 * The parser keeps headers, never bodies, and uses no recursion; what it may
 * keep has limits, and what lies beyond them is passed on unread. Every octet
 * of the message is part of exactly one event's data, in order, so the data of
 * all events is the message.
 *
 * Ambiguous input has one documented reading each, and an anomaly says so: see
 * enum onward_mime_anomaly_code.
 *
 * Threads: an object belongs to one thread at a time.
 */

/* ---- Anomalies --------------------------------------------------------- */

/**
 * What is wrong at a place of the message, and how it is read. Codes below 64
 * are those of enum onward_header_anomaly_code, of a header at any depth.
 * Severities are those of enum onward_header_severity.
 *
 * @since 0.1
 */
enum onward_mime_anomaly_code {
    /* Other readers may see other parts: ONWARD_HEADER_MALFORMED. */
    /** Content-Type, -Transfer-Encoding or -Disposition given twice in one
     *  header: the topmost counts. */
    ONWARD_MIME_DUPLICATE_CONTENT = 64,
    /** A field that a message has once (RFC 5322 section 3.6) is there twice:
     *  the topmost counts. */
    ONWARD_MIME_DUPLICATE_FIELD = 65,
    /** Content-Type without type and subtype: text/plain (RFC 2045 5.2). */
    ONWARD_MIME_BAD_TYPE = 66,
    /** A multipart without a boundary: one body, not split. */
    ONWARD_MIME_NO_BOUNDARY = 67,
    /** boundary given twice, or in sections that do not fit: the first
     *  counts. */
    ONWARD_MIME_TWO_BOUNDARIES = 68,
    /** The boundary of a multipart around this one: the inner one's until it
     *  is closed. */
    ONWARD_MIME_SAME_BOUNDARY = 69,
    /** A multipart in base64 or quoted-printable: split as it stands (RFC 2045
     *  section 6.4 forbids the encoding). */
    ONWARD_MIME_ENCODED_MULTIPART = 70,
    /** A message in base64 or quoted-printable: a leaf that can be decoded, not
     *  expanded. */
    ONWARD_MIME_ENCODED_MESSAGE = 71,
    /** A multipart in whose body no delimiter stands: all of it is preamble. */
    ONWARD_MIME_NO_DELIMITER = 72,
    /** A line would be a delimiter if a bare LF ended lines: it is body. */
    ONWARD_MIME_LF_DELIMITER = 73,
    /** A delimiter with padding to more than 998 octets: it is body. */
    ONWARD_MIME_LONG_DELIMITER = 74,
    /** A delimiter behind the end of its multipart: epilogue, no part. */
    ONWARD_MIME_LATE_DELIMITER = 75,
    /** A limit was reached: the part is not expanded, its octets are body. */
    ONWARD_MIME_DEPTH_LIMIT = 76,
    /** More parts than max_parts: the rest of the message is one body. */
    ONWARD_MIME_PARTS_LIMIT = 77,
    /** More header octets or fields than allowed: the header of this part is
     *  not read, all its octets are body. */
    ONWARD_MIME_HEADER_LIMIT = 78,
    /** A boundary over 250 octets: the multipart is not expanded. */
    ONWARD_MIME_BOUNDARY_LIMIT = 79,
    /** Content-Transfer-Encoding that nobody knows: the octets as they are. */
    ONWARD_MIME_UNKNOWN_ENCODING = 80,

    /* One reading, but not as the RFCs have it: ONWARD_HEADER_ODD. */
    /** A boundary over 70 octets, empty, or of octets that RFC 2046 does not
     *  have: used as it is, without blanks at its end. */
    ONWARD_MIME_ODD_BOUNDARY = 96,
    /** A multipart ends without its closing delimiter. */
    ONWARD_MIME_NO_CLOSE = 97,
    /** MIME fields in a message without MIME-Version: read all the same. */
    ONWARD_MIME_NO_VERSION = 98,
    /** Parameters with forms that the RFCs forbid; detail has enum
     *  onward_text_note. */
    ONWARD_MIME_ODD_PARAMETERS = 99,
    /** Damage found while decoding a body; detail has enum onward_damage. */
    ONWARD_MIME_DAMAGED_BODY = 100,
    /** With ONWARD_MIME_CHECK_BODIES: NUL in a body that is not binary. */
    ONWARD_MIME_BODY_NUL = 101,
    /** 8-bit octets in a body that is not 8bit or binary. */
    ONWARD_MIME_BODY_8BIT = 102,
    /** CR without LF in a body that is not binary. */
    ONWARD_MIME_BODY_BARE_CR = 103,
    /** LF without CR in a body that is not binary. */
    ONWARD_MIME_BODY_BARE_LF = 104,
    /** A line over 998 octets in a body that is not binary. */
    ONWARD_MIME_BODY_LONG_LINE = 105,
    /** More than max_anomalies: no more are told. */
    ONWARD_MIME_MANY_ANOMALIES = 106
};

/**
 * A stable lower-case word for a code of either enum, "late-delimiter".
 *
 * @return static text, never NULL, "unknown" for a foreign code.
 * @since 0.1
 */
ONWARD_API const char *onward_mime_anomaly_name(int code);

/**
 * @return enum onward_header_severity of a code of either enum; 0 for a foreign
 *         one.
 * @since 0.1
 */
ONWARD_API int onward_mime_anomaly_severity(int code);

/* ---- Parts ------------------------------------------------------------- */

/** No such part. */
#define ONWARD_MIME_NONE SIZE_MAX

/** How a part was read. @since 0.1 */
enum onward_mime_kind {
    ONWARD_MIME_LEAF = 1,      /**< a body */
    ONWARD_MIME_MULTIPART = 2, /**< preamble, parts, epilogue */
    ONWARD_MIME_MESSAGE = 3,   /**< its one child is the message in it */
    ONWARD_MIME_UNREAD = 4     /**< a limit: header and body are all body */
};

/**
 * What is known of a part once its header has ended. Part 0 is the message.
 * Texts are empty when there is nothing; they are borrowed for the event, or
 * from the tree.
 */
struct onward_mime_part {
    size_t size;
    size_t index;          /**< from 0, in the order of the headers */
    uint64_t offset;       /**< of the header, from the message's start */
    uint64_t body_offset;  /**< behind the header's empty line */
    uint64_t end;          /**< behind the body; known at its end */
    uint64_t decoded_len;  /**< octets told decoded; 0 without decoding */
    size_t parent;         /**< ONWARD_MIME_NONE for the message */
    size_t depth;          /**< 0 for the message */
    size_t first_child;    /**< tree only */
    size_t next;           /**< tree only: the next of the same parent */
    struct onward_str type;        /**< lower case: "text" */
    struct onward_str subtype;     /**< lower case: "plain" */
    struct onward_str boundary;    /**< of a multipart */
    struct onward_str charset;     /**< as written; empty: none was given */
    struct onward_str disposition; /**< lower case: "attachment" */
    struct onward_str name;        /**< filename, else name: UTF-8, as sent */
    struct onward_str content_id;  /**< without angle brackets */
    struct onward_str report_type; /**< of multipart/report, lower case */
    struct onward_str format;      /**< of text/plain: "flowed" */
    int32_t kind;                  /**< enum onward_mime_kind */
    int32_t encoding;              /**< enum onward_encoding */
    int32_t is_delsp;              /**< 1: DelSp=yes (RFC 3676) */
    int32_t severity;              /**< the highest of its anomalies so far */
};

/* ---- Events ------------------------------------------------------------ */

/** Kinds of struct onward_mime_event. @since 0.1 */
enum onward_mime_event_kind {
    /** A part begins; of part, only its place is known. */
    ONWARD_MIME_PART_BEGIN = 1,
    /** One item of its header; data is all of it, item its number. */
    ONWARD_MIME_FIELD = 2,
    /** The header has ended; data is its empty line, part is known. */
    ONWARD_MIME_HEADER_END = 3,
    /** Octets of a multipart before its first delimiter. */
    ONWARD_MIME_PREAMBLE = 4,
    /** Octets of a leaf's body as sent, in pieces of any size. */
    ONWARD_MIME_BODY = 5,
    /** With ONWARD_MIME_DECODE: decoded octets of a leaf's body, behind the
     *  BODY that they were in; offset counts decoded octets. Not data of the
     *  message. */
    ONWARD_MIME_DECODED = 6,
    /** A delimiter with the line ends around it; of the multipart in part. */
    ONWARD_MIME_DELIMITER = 7,
    /** Octets of a multipart behind its closing delimiter. */
    ONWARD_MIME_EPILOGUE = 8,
    /** The part has ended; end and decoded_len are known. */
    ONWARD_MIME_PART_END = 9,
    /** Something is wrong at offset, in part; data is empty. */
    ONWARD_MIME_ANOMALY = 10
};

/** One event, borrowed for the call. */
struct onward_mime_event {
    size_t size;
    size_t kind;     /**< enum onward_mime_event_kind */
    uint64_t offset; /**< octets from the start of the message */
    uint64_t detail; /**< of an anomaly: more, see its code */
    const struct onward_mime_part *part; /**< the part that it is about */
    /** FIELD, HEADER_END: the header; NULL else. */
    struct onward_header *header;
    struct onward_str data; /**< octets of it: see its kind */
    size_t item;      /**< FIELD: the item of header */
    size_t is_close;  /**< DELIMITER: 1 for the closing one */
    int32_t code;     /**< ANOMALY */
    int32_t severity; /**< ANOMALY: enum onward_header_severity */
};

/** What takes the events. */
struct onward_mime_handler {
    size_t size;
    void *user;
    /**
     * Called inside onward_mime_parser_feed() and _finish(); must not call the
     * parser. A negative value ends the parser with ONWARD_ECALLBACK.
     */
    int (*event)(void *user, const struct onward_mime_event *event);
};

/* ---- The parser -------------------------------------------------------- */

/** Flags of struct onward_mime_opts; add them up. @since 0.1 */
enum onward_mime_flag {
    ONWARD_MIME_DECODE = 1, /**< tell bodies decoded, too */
    /** Look at each octet of bodies for what their encoding forbids. */
    ONWARD_MIME_CHECK_BODIES = 2,
    /** A bare LF ends lines, too: for files, never for what SMTP brought, where
     *  the next reader may see other lines. */
    ONWARD_MIME_ALLOW_LF = 4,
    /** Decode uuencode bodies, which have no standard. */
    ONWARD_MIME_ALLOW_UUENCODE = 8,
    /** Messages in the message are leaves. */
    ONWARD_MIME_FLAT_MESSAGES = 16
};

struct onward_mime_opts {
    size_t size;
    size_t flags;          /**< enum onward_mime_flag */
    size_t max_depth;      /**< multiparts and messages together; default 100 */
    size_t max_parts;      /**< default 10000 */
    size_t header_bytes;   /**< of all headers together; default 2097152. One
                                header has the context's limits, too. */
    size_t max_anomalies;  /**< told at most; default 1000 */
    const struct onward_text_opts *text; /**< for names; NULL: defaults */
    size_t reserved;                     /**< 0 */
};

/** The parser; opaque. */
struct onward_mime_parser;

/**
 * Make a parser for one message.
 *
 * @param ctx      kept alive by the parser.
 * @param handler  copied; its user must outlive the parser.
 * @param opts     borrowed for this call, with the texts it points to copied;
 *                 NULL: all defaults.
 * @param parser   out: free with onward_mime_parser_free().
 * @return 0, ONWARD_EINVAL (no event callback), ONWARD_EVERSION or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_mime_parser_new(struct onward_ctx *ctx,
                       const struct onward_mime_handler *handler,
                       const struct onward_mime_opts *opts,
                       struct onward_mime_parser **parser);

/**
 * Take the next octets of the message. Cut it where you like: the events are
 * the same, but for where BODY, DECODED, PREAMBLE and EPILOGUE are cut.
 *
 * @param data  borrowed for this call. May be NULL when len is 0.
 * @return 0, or
 *         ONWARD_ECALLBACK  the handler or a charset callback failed
 *         ONWARD_ENOMEM     out of memory
 *         ONWARD_ESTATE     after one of these, or after _finish()
 *         After any of them the parser can only be freed or reset.
 * @note Calls the handler. Linear in len.
 * @since 0.1
 */
ONWARD_API int onward_mime_parser_feed(struct onward_mime_parser *parser,
                                       const void *data, size_t len);

/**
 * The message has ended: the last events. Errors as above.
 *
 * @note Calls the handler.
 * @since 0.1
 */
ONWARD_API int onward_mime_parser_finish(struct onward_mime_parser *parser);

/**
 * Begin anew with another message, keeping memory that was got.
 *
 * @since 0.1
 */
ONWARD_API void onward_mime_parser_reset(struct onward_mime_parser *parser);

/**
 * @param parser  may be NULL. Calls nothing.
 * @since 0.1
 */
ONWARD_API void onward_mime_parser_free(struct onward_mime_parser *parser);

/* ---- The tree ---------------------------------------------------------- */

/**
 * The parts of a message that the host keeps; opaque. Nothing is copied but
 * headers and decoded bodies that were asked for.
 */
struct onward_mime_tree;

/**
 * Read a message.
 *
 * @param ctx      kept alive by the tree.
 * @param message  the whole of it; borrowed until onward_mime_tree_free().
 * @param opts     borrowed for this call; its flag ONWARD_MIME_DECODE counts
 *                 decoded octets and finds damage. NULL: all defaults. The
 *                 charset callbacks must live as long as the tree.
 * @param tree     out: free with onward_mime_tree_free().
 * @return 0, or the errors of the parser.
 * @note Calls the charset callbacks.
 * @since 0.1
 */
ONWARD_API int onward_mime_tree_new(struct onward_ctx *ctx,
                                    struct onward_str message,
                                    const struct onward_mime_opts *opts,
                                    struct onward_mime_tree **tree);

/** @param tree  may be NULL. @since 0.1 */
ONWARD_API void onward_mime_tree_free(struct onward_mime_tree *tree);

/** @return how many parts; at least 1. @since 0.1 */
ONWARD_API size_t onward_mime_tree_count(const struct onward_mime_tree *tree);

/**
 * Part i. All parts in the order of their headers are 0 to the count; by
 * first_child, next and parent one walks the tree without recursion.
 *
 * @param part  size set by the caller; its texts are borrowed from the tree.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_mime_tree_part(const struct onward_mime_tree *tree,
                                     size_t i, struct onward_mime_part *part);

/**
 * The header of part i, read again when first asked for.
 *
 * @param header  out: borrowed from the tree.
 * @return 0, ONWARD_ENOENT (no part i, or it was not read) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_mime_tree_header(struct onward_mime_tree *tree, size_t i,
                                       struct onward_header **header);

/**
 * The octets of part i as sent: what 1 has its header, and of a multipart all
 * that is in it.
 *
 * @return part of the message; empty when i is not below the count.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mime_tree_raw(const struct onward_mime_tree *tree, size_t i,
                     int with_header);

/**
 * The body of part i decoded: octets, no charset applied. Of a multipart and an
 * expanded message: the body as sent.
 *
 * @param body  out: borrowed from the tree or, where nothing had to be decoded,
 *              part of the message.
 * @return 0, ONWARD_ENOENT or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_mime_tree_body(struct onward_mime_tree *tree, size_t i,
                                     struct onward_str *body);

/**
 * The text of part i, a leaf: decoded, in UTF-8, flowed lines joined. A part
 * that names no charset is read as opts->text->raw_charset says (as
 * ONWARD_TEXT_RAW_8BIT has it).
 *
 * @param text  out: free with onward_text_free().
 * @return 0, or
 *         ONWARD_ENOENT  no part i, not a leaf, or nobody knows its charset:
 *                        use onward_mime_tree_body()
 *         or the errors of onward_words_decode(); max_bytes is not looked at.
 * @since 0.1
 */
ONWARD_API int onward_mime_tree_text(struct onward_mime_tree *tree, size_t i,
                                     struct onward_text **text);

/** @return how many anomalies were found. @since 0.1 */
ONWARD_API size_t
onward_mime_tree_anomaly_count(const struct onward_mime_tree *tree);

/** One of them; the caller sets size. */
struct onward_mime_anomaly {
    size_t size;
    size_t part;      /**< in which part */
    uint64_t offset;  /**< octets from the start of the message */
    uint64_t detail;  /**< see the code */
    int32_t code;     /**< enum onward_mime_anomaly_code */
    int32_t severity; /**< enum onward_header_severity */
};

/**
 * Anomaly i, in the order they were found.
 *
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_mime_tree_anomaly_at(const struct onward_mime_tree *tree, size_t i,
                            struct onward_mime_anomaly *anomaly);

#ifdef __cplusplus
}
#endif

#endif
