#ifndef ONWARD_MIME_TEXT_H
#define ONWARD_MIME_TEXT_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The text of messages: transfer encodings (RFC 2045), charsets, encoded words
 * (RFC 2047), parameters (RFC 2231), format=flowed (RFC 3676), file names, and
 * the fields that have a form of their own (dates, ids, lists, traces).
 *
 * All of it reads whatever is there: damage has one documented reading, which
 * is told beside the result. Nothing is guessed: a charset that nobody knows is
 * reported, and the octets are left to the caller.
 *
 * Threads: an object belongs to one thread at a time.
 */

/* ---- Texts ------------------------------------------------------------- */

/** Octets made by the library, UTF-8 where the maker says so; opaque. */
struct onward_text;

/** What onward_text_notes() and onward_params_notes() add up. @since 0.1 */
enum onward_text_note {
    /** Octets that are no character became U+FFFD, one for each octet. */
    ONWARD_TEXT_BAD_OCTETS = 1,
    /** A charset that neither the library nor the host knows. */
    ONWARD_TEXT_UNKNOWN_CHARSET = 2,
    /** Damaged base64, quoted-printable or percent escapes. */
    ONWARD_TEXT_DAMAGED = 4,
    /** Holds CR, LF, NUL or another control: never write it into a header
     *  field or a command as it is. */
    ONWARD_TEXT_CONTROLS = 8,
    /** Holds characters that are not seen or turn the order of others. */
    ONWARD_TEXT_INVISIBLE = 16,
    /** A form that its RFC forbids, read because senders use it. */
    ONWARD_TEXT_LOOSE = 32,
    /** Raw 8-bit octets, read as UTF-8 or as the raw_charset. */
    ONWARD_TEXT_RAW_8BIT = 64,
    /** Given more than once; the first counts. */
    ONWARD_TEXT_DUPLICATE = 128,
    /** Sections of a parameter are missing, repeated or badly numbered. */
    ONWARD_TEXT_SECTIONS = 256
};

/**
 * @return the octets, borrowed from text until onward_text_free().
 * @since 0.1
 */
ONWARD_API struct onward_str onward_text_str(const struct onward_text *text);

/**
 * @return what is odd about it: enum onward_text_note, added up.
 * @since 0.1
 */
ONWARD_API uint64_t onward_text_notes(const struct onward_text *text);

/**
 * @param text  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_text_free(struct onward_text *text);

/* ---- Charsets ---------------------------------------------------------- */

/**
 * Charsets that the host knows beside the built-in ones, as iconv() has them.
 * All calls come inside the calls that got the table, which is copied by
 * objects that live on; the user must live as long as these.
 *
 * Built in: US-ASCII, UTF-8, UTF-16 (with BE and LE), UTF-7, ISO-8859-1 to -16,
 * windows-1250 to -1258 and -874, KOI8-R, KOI8-U, IBM437, IBM850, IBM852,
 * IBM866, macintosh. These are never asked for.
 */
struct onward_charsets {
    size_t size;
    void *user;
    /**
     * Get ready to turn a charset into UTF-8.
     *
     * @param name   as written, at most 63 printable octets; borrowed.
     * @param state  out: handed to the others.
     * @return 0; ONWARD_ENOENT: unknown; other negative numbers end the call
     *         with ONWARD_ECALLBACK.
     */
    int (*open)(void *user, struct onward_str name, void **state);
    /**
     * Turn octets from in into UTF-8 at out, as many as fit. What was taken
     * shall leave no half character behind.
     *
     * @param taken  out: octets of in that are done with.
     * @param put    out: octets written to out.
     * @return 0 when in is used up (but for a character that is not whole yet)
     *         or out is full; ONWARD_ESYNTAX: the octet at *taken begins no
     *         character; other negative numbers: ONWARD_ECALLBACK.
     */
    int (*convert)(void *user, void *state, const void *in, size_t len,
                   size_t *taken, void *out, size_t cap, size_t *put);
    /** The last call for a state that open made. */
    void (*close)(void *user, void *state);
};

/** For the calls that make text. */
struct onward_text_opts {
    size_t size;
    const struct onward_charsets *charsets; /**< NULL: built-in ones only */
    /**
     * Of raw 8-bit octets that do not say; ends in NUL. NULL: UTF-8, and what
     * is not UTF-8 becomes U+FFFD.
     */
    const char *raw_charset;
    size_t max_bytes; /**< of one result; default 1048576 */
};

/**
 * Is it one of the built-in charsets, by any of its names?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int onward_charset_is_built_in(struct onward_str name);

/** Octets of a charset into UTF-8, as they pass by; opaque. */
struct onward_converter;

/**
 * @param ctx        kept alive by the object.
 * @param charset    its name in any case.
 * @param charsets   copied; NULL: built-in ones only.
 * @param converter  out: free with onward_converter_free().
 * @return 0, or
 *         ONWARD_ENOENT    nobody knows the charset
 *         ONWARD_ECALLBACK open failed
 *         ONWARD_EINVAL, ONWARD_EVERSION  a table that cannot be read
 *         ONWARD_ENOMEM    out of memory
 * @note Calls charsets->open.
 * @since 0.1
 */
ONWARD_API int onward_converter_new(struct onward_ctx *ctx,
                                    struct onward_str charset,
                                    const struct onward_charsets *charsets,
                                    struct onward_converter **converter);

/** Room that onward_converter_feed() and the like ask for at least. */
#define ONWARD_TEXT_ROOM 256

/**
 * Turn octets into UTF-8, as many as fit into out. Octets that are no character
 * become U+FFFD, one for each. Go on with the rest until all is taken.
 *
 * @param data   borrowed for this call.
 * @param taken  out: octets of data that are done with.
 * @param out    room for cap octets, at least ONWARD_TEXT_ROOM.
 * @param put    out: octets written.
 * @return 0, ONWARD_EINVAL (cap too small) or ONWARD_ECALLBACK.
 * @note Calls charsets->convert.
 * @since 0.1
 */
ONWARD_API int onward_converter_feed(struct onward_converter *converter,
                                     const void *data, size_t len,
                                     size_t *taken, void *out, size_t cap,
                                     size_t *put);

/**
 * The end: what is left of a cut character. Errors as above.
 *
 * @since 0.1
 */
ONWARD_API int onward_converter_finish(struct onward_converter *converter,
                                       void *out, size_t cap, size_t *put);

/**
 * @return enum onward_text_note: ONWARD_TEXT_BAD_OCTETS or 0.
 * @since 0.1
 */
ONWARD_API uint64_t
onward_converter_notes(const struct onward_converter *converter);

/**
 * @param converter  may be NULL.
 * @note Calls charsets->close.
 * @since 0.1
 */
ONWARD_API void onward_converter_free(struct onward_converter *converter);

/* ---- Transfer encodings ------------------------------------------------ */

/** How octets travel (RFC 2045 section 6). @since 0.1 */
enum onward_encoding {
    ONWARD_ENCODING_7BIT = 1,
    ONWARD_ENCODING_8BIT = 2,
    ONWARD_ENCODING_BINARY = 3,
    ONWARD_ENCODING_QUOTED_PRINTABLE = 4,
    ONWARD_ENCODING_BASE64 = 5,
    ONWARD_ENCODING_UUENCODE = 6, /**< no standard: x-uuencode and the like */
    ONWARD_ENCODING_UNKNOWN = 7   /**< the octets stay as they are */
};

/**
 * The encoding of that name, in any case, without blanks or comments.
 *
 * @since 0.1
 */
ONWARD_API int onward_encoding_of(struct onward_str name);

/**
 * The name, "quoted-printable".
 *
 * @return static text, never NULL; "unknown" for foreign numbers too.
 * @since 0.1
 */
ONWARD_API const char *onward_encoding_name(int encoding);

/**
 * Damage that a decoder met, added up; each with the one reading it has.
 * Damage never stops a decoder.
 *
 * @since 0.1
 */
enum onward_damage {
    /** base64: an octet outside the alphabet, not white space: left out. */
    ONWARD_DAMAGE_BASE64_JUNK = 1,
    /** base64: the data ends inside a group, or `=` stands where none belongs:
     *  whole octets count, six bits that are left over do not. */
    ONWARD_DAMAGE_BASE64_PADDING = 2,
    /** base64: letters behind the first `=`: not data, left out. */
    ONWARD_DAMAGE_BASE64_AFTER_END = 4,
    /** base64: bits that no octet takes are not 0: dropped. */
    ONWARD_DAMAGE_BASE64_BITS = 8,
    /** quoted-printable: `=` before anything but two hex digits or a line end:
     *  stays as it is. */
    ONWARD_DAMAGE_QP_ESCAPE = 16,
    /** quoted-printable: lower-case hex digits: read as upper-case ones. */
    ONWARD_DAMAGE_QP_LOWER = 32,
    /** quoted-printable: blanks at the end of a line: taken off (RFC 2045
     *  section 6.7 rule 3); more than 120 in a row stay. */
    ONWARD_DAMAGE_QP_BLANKS = 64,
    /** quoted-printable: ends in a soft line break: taken off. */
    ONWARD_DAMAGE_QP_CUT = 128,
    /** quoted-printable: 8-bit octets or controls: stay as they are. */
    ONWARD_DAMAGE_QP_RAW = 256,
    /** uuencode: no begin line, no end line, a line of the wrong length or
     *  with foreign octets: what can be read of the line counts. */
    ONWARD_DAMAGE_UUENCODE = 512
};

/** Encoded octets into octets, as they pass by; opaque. */
struct onward_decoder;

/**
 * @param ctx       kept alive by the object.
 * @param encoding  enum onward_encoding; 7bit, 8bit, binary and unknown copy.
 * @param decoder   out: free with onward_decoder_free().
 * @return 0, ONWARD_EINVAL (no such encoding) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_decoder_new(struct onward_ctx *ctx, int encoding,
                                  struct onward_decoder **decoder);

/**
 * Decode octets, as many as fit into out; go on with the rest until all is
 * taken. Cut them where you like.
 *
 * @param data   borrowed for this call.
 * @param taken  out: octets of data that are done with.
 * @param out    room for cap octets, at least ONWARD_TEXT_ROOM; not data.
 * @param put    out: octets written.
 * @return 0 or ONWARD_EINVAL (cap too small).
 * @note Calls no callback. Linear in len.
 * @since 0.1
 */
ONWARD_API int onward_decoder_feed(struct onward_decoder *decoder,
                                   const void *data, size_t len, size_t *taken,
                                   void *out, size_t cap, size_t *put);

/**
 * The end of the encoded octets. The decoder can be used again after it; its
 * damage stays until then.
 *
 * @return 0 or ONWARD_EINVAL (cap below ONWARD_TEXT_ROOM).
 * @since 0.1
 */
ONWARD_API int onward_decoder_finish(struct onward_decoder *decoder, void *out,
                                     size_t cap, size_t *put);

/**
 * @return enum onward_damage, added up.
 * @since 0.1
 */
ONWARD_API uint64_t onward_decoder_damage(const struct onward_decoder *decoder);

/**
 * @param decoder  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_decoder_free(struct onward_decoder *decoder);

/* ---- Encoded words ----------------------------------------------------- */

/** Where text with encoded words stands (RFC 2047 section 5). @since 0.1 */
enum onward_words_place {
    ONWARD_WORDS_UNSTRUCTURED = 1, /**< Subject, Comments, X-fields */
    ONWARD_WORDS_COMMENT = 2,      /**< a comment, with its parentheses */
    ONWARD_WORDS_PHRASE = 3, /**< a phrase, or a field with phrases in it */
    /** A phrase, as a reader sees it: quotes and comments taken off. */
    ONWARD_WORDS_NAME = 4
};

/**
 * Decode the encoded words of a header value into UTF-8, and unfold it (RFC
 * 2047, RFC 2231 section 5). White space between two encoded words vanishes;
 * octets of neighbours in one charset join before they are converted, as
 * characters are split in practice.
 *
 * A word in an unknown charset, or one that does not keep the form of RFC 2047
 * section 2 (blanks inside, text glued to it, inside a quoted string), stays as
 * it is. Words longer than 75 octets, damaged encodings and words without text
 * are decoded.
 *
 * @param value  as received, folds included; borrowed for this call.
 * @param place  enum onward_words_place.
 * @param opts   borrowed for this call; NULL: all defaults.
 * @param text   out: free with onward_text_free(). UTF-8. Untouched on failure.
 * @return 0, or
 *         ONWARD_EINVAL, ONWARD_EVERSION  place, or opts that cannot be read
 *         ONWARD_ELIMIT    the result is longer than max_bytes
 *         ONWARD_ECALLBACK a charset callback failed
 *         ONWARD_ENOMEM    out of memory
 * @note Calls the charset callbacks. Linear in the value.
 * @since 0.1
 */
ONWARD_API int onward_words_decode(struct onward_ctx *ctx,
                                   struct onward_str value, int place,
                                   const struct onward_text_opts *opts,
                                   struct onward_text **text);

/* ---- Parameters -------------------------------------------------------- */

/**
 * The value and the parameters of Content-Type, Content-Disposition and fields
 * of their form (RFC 2045 section 5.1, RFC 2183, RFC 2231).
 *
 * The rules: sections (`name*0`, `name*1*`) join in the order of their numbers,
 * up to the first that is missing; numbers with leading zeros count for
 * nothing. Of `name*`, `name*0` and `name` the first of this order counts, and
 * of several equals the topmost. A value without quotes runs to the semicolon,
 * and a quoted string that never ends to the end of the field. Encoded words in
 * values are decoded, as senders write them there. A field has at most 256
 * parameters and sections; more are not looked at, and noted.
 */
struct onward_params;

/**
 * Read such a field.
 *
 * @param ctx     kept alive by the object.
 * @param value   what follows the colon, folds included; copied.
 * @param opts    borrowed for this call; NULL: all defaults.
 * @param params  out: free with onward_params_free(). Untouched on failure.
 * @return 0, or the errors of onward_words_decode().
 * @since 0.1
 */
ONWARD_API int onward_params_parse(struct onward_ctx *ctx,
                                   struct onward_str value,
                                   const struct onward_text_opts *opts,
                                   struct onward_params **params);

/**
 * @param params  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_params_free(struct onward_params *params);

/**
 * What stands before the first semicolon, as written, white space at its ends
 * taken off. Comments are still in it.
 *
 * @return borrowed from params, as all that follows.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_params_value(const struct onward_params *params);

/**
 * The type (i 0) and the subtype (i 1) of `type/subtype`, without comments, in
 * lower case; of a single word, i 0 alone.
 *
 * @return empty when there is none, or it is no token (RFC 2045 section 5.1).
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_params_token(const struct onward_params *params, size_t i);

/** @return how many parameters, sections joined. @since 0.1 */
ONWARD_API size_t onward_params_count(const struct onward_params *params);

/**
 * The name of parameter i in lower case, without `*`.
 *
 * @return empty when i is not below the count.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_params_name(const struct onward_params *params, size_t i);

/** The value of parameter i in UTF-8. @since 0.1 */
ONWARD_API struct onward_str
onward_params_text(const struct onward_params *params, size_t i);

/**
 * The value of parameter i as octets: quotes, percent escapes and sections
 * undone, no charset applied, encoded words as they are. For boundaries.
 *
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_params_raw(const struct onward_params *params, size_t i);

/** The charset that RFC 2231 gave parameter i, or empty. @since 0.1 */
ONWARD_API struct onward_str
onward_params_charset(const struct onward_params *params, size_t i);

/** The language that RFC 2231 gave parameter i, or empty. @since 0.1 */
ONWARD_API struct onward_str
onward_params_language(const struct onward_params *params, size_t i);

/**
 * The parameter of that name, in any case.
 *
 * @return its number, or SIZE_MAX.
 * @since 0.1
 */
ONWARD_API size_t onward_params_find(const struct onward_params *params,
                                     struct onward_str name);

/**
 * What is odd about parameter i, or, with i SIZE_MAX, about the field.
 *
 * @return enum onward_text_note, added up.
 * @since 0.1
 */
ONWARD_API uint64_t onward_params_notes(const struct onward_params *params,
                                        size_t i);

/* ---- Other texts ------------------------------------------------------- */

/**
 * Octets of a charset into UTF-8, whole.
 *
 * @param charset  its name; empty: the raw_charset of opts.
 * @param text     out: free with onward_text_free().
 * @return 0, ONWARD_ENOENT (nobody knows the charset), or the errors of
 *         onward_words_decode().
 * @since 0.1
 */
ONWARD_API int onward_charset_decode(struct onward_ctx *ctx,
                                     struct onward_str charset,
                                     struct onward_str octets,
                                     const struct onward_text_opts *opts,
                                     struct onward_text **text);

/**
 * Undo format=flowed (RFC 3676): flowed lines join to paragraphs, stuffed
 * spaces go, each paragraph ends in CR LF and keeps its quote marks (`> `) in
 * front. A line of quoted text never joins one of another depth, and the
 * signature separator `-- ` stands alone.
 *
 * @param octets  decoded text of a charset whose spaces and line ends are those
 *                of US-ASCII; lines end in CR LF or LF. Borrowed.
 * @param delsp   not 0: DelSp=yes was given.
 * @param text    out: free with onward_text_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_flowed_decode(struct onward_ctx *ctx,
                                    struct onward_str octets, int delsp,
                                    struct onward_text **text);

/**
 * A file name that can be written into a folder: the last component of name,
 * without controls, invisible characters and what file systems take as a sign
 * (`/ \ : * ? " < > |`, each becomes `_`), without dots and blanks at either
 * end, no name of a DOS device, at most 200 octets with the ending kept.
 *
 * @param name  UTF-8; borrowed.
 * @param text  out: free with onward_text_free(). Never empty: what leaves
 *              nothing is "unnamed".
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_safe_name(struct onward_ctx *ctx, struct onward_str name,
                                struct onward_text **text);

/* ---- Fields with a form of their own ----------------------------------- */

/**
 * A date-time (RFC 5322 section 3.3), with comments and the obsolete forms of
 * section 4.3: years of two and three digits, named zones; other letters are
 * UTC with unknown place.
 *
 * @param value      what follows the colon, or the semicolon of Received.
 * @param unix_s     out: seconds since 1970-01-01T00:00:00Z.
 * @param east_min   out: minutes east of UTC of the writer; may be NULL.
 * @return 0 or ONWARD_ESYNTAX (not a date that exists; both untouched).
 * @since 0.1
 */
ONWARD_API int onward_date_parse(struct onward_str value, int64_t *unix_s,
                                 int32_t *east_min);

/**
 * What stands in angle brackets, with what stands before each: Message-ID,
 * In-Reply-To, References (RFC 5322 section 3.6.4), List-Id (RFC 2919), List-*
 * with their URIs (RFC 2369).
 */
struct onward_angle_list;

/**
 * Read such a field. At most 1000 items are kept, more are noted.
 *
 * @param ctx    kept alive by the object.
 * @param value  what follows the colon, folds included; copied.
 * @param list   out: free with onward_angle_list_free(). Untouched on failure.
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_angle_list_parse(struct onward_ctx *ctx,
                                       struct onward_str value,
                                       struct onward_angle_list **list);

/** @param list  may be NULL. @since 0.1 */
ONWARD_API void onward_angle_list_free(struct onward_angle_list *list);

/** @return how many items. @since 0.1 */
ONWARD_API size_t onward_angle_list_count(const struct onward_angle_list *list);

/**
 * Item i without its brackets and without white space (RFC 2369 section 2, RFC
 * 5322 section 4.5.4).
 *
 * @return borrowed from list; empty when i is not below the count.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_angle_list_item(const struct onward_angle_list *list, size_t i);

/**
 * The words between item i and the one before it, as written but for comments,
 * commas and white space at their ends: the phrase of List-Id, obsolete words
 * of In-Reply-To. With i equal to the count: what stands behind the last, the
 * `NO` of List-Post.
 *
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_angle_list_words(const struct onward_angle_list *list, size_t i);

/** @return enum onward_text_note: ONWARD_TEXT_LOOSE for a bracket or comment
 *  that never ends, or more than 1000 items. @since 0.1 */
ONWARD_API uint64_t
onward_angle_list_notes(const struct onward_angle_list *list);

/** What a Received field says (RFC 5321 section 4.4); opaque. */
struct onward_received;

/** Parts of it. @since 0.1 */
enum onward_received_part {
    ONWARD_RECEIVED_FROM = 1,      /**< the name that the client gave */
    ONWARD_RECEIVED_FROM_INFO = 2, /**< its first comment: TCP-info */
    ONWARD_RECEIVED_BY = 3,
    ONWARD_RECEIVED_BY_INFO = 4,
    ONWARD_RECEIVED_VIA = 5,
    ONWARD_RECEIVED_WITH = 6,
    ONWARD_RECEIVED_ID = 7,
    ONWARD_RECEIVED_FOR = 8, /**< without angle brackets */
    ONWARD_RECEIVED_DATE = 9 /**< as written */
};

/**
 * Read a Received field. Any text has a reading: words that are no clause are
 * noted (ONWARD_TEXT_LOOSE) and left out, of a repeated clause the first counts
 * (ONWARD_TEXT_DUPLICATE).
 *
 * @param ctx       kept alive by the object.
 * @param value     what follows the colon, folds included; copied.
 * @param received  out: free with onward_received_free().
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_received_parse(struct onward_ctx *ctx,
                                     struct onward_str value,
                                     struct onward_received **received);

/** @param received  may be NULL. @since 0.1 */
ONWARD_API void onward_received_free(struct onward_received *received);

/**
 * A part of it, enum onward_received_part.
 *
 * @return borrowed from received; empty when it is not there.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_received_part(const struct onward_received *received, int part);

/** @return enum onward_text_note, added up. @since 0.1 */
ONWARD_API uint64_t
onward_received_notes(const struct onward_received *received);

#ifdef __cplusplus
}
#endif

#endif
