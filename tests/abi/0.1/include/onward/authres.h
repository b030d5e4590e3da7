#ifndef ONWARD_AUTHRES_H
#define ONWARD_AUTHRES_H

#include <onward/core.h>

/** @file
 * Authentication-Results (RFC 8601, with RFC 6008 and RFC 8616): write the
 * field that says what was found, and read those of others.
 *
 * Threads: an object belongs to one thread at a time; a parsed field may be
 * read by several.
 */

#ifdef __cplusplus
extern "C" {
#endif

struct onward_header; /* <onward/mime.h> */

/* ---- Writing ----------------------------------------------------------- */

/** Collects the results of one field. */
struct onward_authres_builder; /* opaque */

/**
 * Start a field.
 *
 * @param ctx          kept alive by the builder.
 * @param authserv_id  who checked (RFC 8601 section 2.5), usually a host name;
 *                     copied. Not empty, UTF-8, no control characters.
 * @param builder      out: free with onward_authres_builder_free().
 * @return 0, ONWARD_EINVAL (no such id can be) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_authres_builder_new(struct onward_ctx *ctx,
                           struct onward_str authserv_id,
                           struct onward_authres_builder **builder);

/**
 * @param builder  may be NULL.
 * @since 0.1
 */
ONWARD_API void
onward_authres_builder_free(struct onward_authres_builder *builder);

/**
 * Add a result: `dkim=fail reason="..."`.
 *
 * @param method  a keyword of the registry, "dkim": letters, digits, hyphens.
 * @param result  the same, "fail".
 * @param reason  any octets, empty for none; see
 *                onward_authres_builder_property().
 * @return 0, or
 *         ONWARD_EINVAL  method or result is not a keyword; nothing was added
 *         ONWARD_ELIMIT  the field is over 65536 octets
 *         ONWARD_ENOMEM  out of memory
 *         After the last two the builder can only be freed.
 * @since 0.1
 */
ONWARD_API int onward_authres_builder_result(
    struct onward_authres_builder *builder, struct onward_str method,
    struct onward_str result, struct onward_str reason);

/**
 * Add a property of the last result: `header.d=example.com`.
 *
 * The value is written so that it cannot end early: bare when it is a token or
 * a plain address, else as a quoted string. What no field can hold is replaced:
 * each control character and each octet that is not UTF-8 by `?`, and all but
 * the first 400 octets by `...`. Domains are best given as A-labels: a value
 * that is not ASCII makes the message need SMTPUTF8.
 *
 * @param ptype     keyword: "smtp", "header", "body", "policy".
 * @param property  keyword: "mailfrom", "d", "i".
 * @param value     any octets.
 * @return 0, ONWARD_EINVAL, ONWARD_ELIMIT or ONWARD_ENOMEM as for
 *         onward_authres_builder_result(); ONWARD_ESTATE before the first
 *         result.
 * @since 0.1
 */
ONWARD_API int onward_authres_builder_property(
    struct onward_authres_builder *builder, struct onward_str ptype,
    struct onward_str property, struct onward_str value);

/**
 * Add a comment behind what was added last: `(2048-bit key)`. For people only;
 * readers skip it.
 *
 * @param text  any octets, written as onward_authres_builder_property() has it.
 * @return 0, ONWARD_ELIMIT or ONWARD_ENOMEM as for
 *         onward_authres_builder_result(); ONWARD_ESTATE before the first
 *         result.
 * @since 0.1
 */
ONWARD_API int
onward_authres_builder_comment(struct onward_authres_builder *builder,
                               struct onward_str text);

struct onward_authres; /* opaque: a field that was read, below */

/**
 * Add a result of a field that was read, as it is written there: order, letter
 * case, comments and method version stay, also of methods that nobody knows. So
 * fields are joined, or single results left out, and nothing else is lost.
 *
 * @param authres     borrowed for this call.
 * @param i           which result.
 * @param keep_folds  0: lines are folded as all that the builder writes; not 0:
 *                    as they were. Lines of white space alone always go.
 * @return 0, or
 *         ONWARD_ENOENT  no result i; nothing was added
 *         ONWARD_EINVAL  it is not UTF-8, or has a word, or with keep_folds a
 *                        line, over 900 octets; nothing was added
 *         ONWARD_ELIMIT or ONWARD_ENOMEM, as onward_authres_builder_result()
 * @since 0.1
 */
ONWARD_API int
onward_authres_builder_copy(struct onward_authres_builder *builder,
                            const struct onward_authres *authres, size_t i,
                            int keep_folds);

/**
 * The value of the field as it stands now: folded with CRLF at 78 columns where
 * that can be, `none` when there is no result, no CRLF at its end. It serves
 * for ARC-Authentication-Results too, behind `i=...;` (RFC 8617 section 4.1.1).
 *
 * @param value  out: borrowed until the next call on builder.
 * @return 0, ONWARD_ELIMIT or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_authres_builder_value(struct onward_authres_builder *builder,
                             struct onward_str *value);

/**
 * The whole field, from `Authentication-Results:` to its CRLF.
 *
 * @param field  out: borrowed until the next call on builder.
 * @return 0, ONWARD_ELIMIT or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_authres_builder_field(struct onward_authres_builder *builder,
                             struct onward_str *field);

/* ---- Reading ----------------------------------------------------------- */

struct onward_authres_opts {
    size_t size;
    /** Results and properties together; default 1000. */
    size_t max_items;
};

/**
 * Read the value of a field.
 *
 * A value that does not follow RFC 8601 section 2.2 is no error, and neither is
 * a version other than 1: the object then has no results, and
 * onward_authres_fault() says where and why. What others write wrongly but with
 * one meaning is read: property values that need quotes and have none, a
 * semicolon at the end. A field proves nothing by itself: use only those that
 * your own border wrote (section 7.1).
 *
 * @param ctx    kept alive by the object.
 * @param value  what follows the colon of the field, without the last CRLF;
 *               copied.
 * @param opts   borrowed for this call; NULL: all defaults.
 * @param authres  out: free with onward_authres_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ELIMIT   more than max_items
 *         ONWARD_EINVAL, ONWARD_EVERSION  opts that this release cannot read
 *         ONWARD_ENOMEM   out of memory
 * @note Calls no callback but the allocator. Cost: linear in value.
 * @since 0.1
 */
ONWARD_API int onward_authres_parse(struct onward_ctx *ctx,
                                    struct onward_str value,
                                    const struct onward_authres_opts *opts,
                                    struct onward_authres **authres);

/**
 * @param authres  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_authres_free(struct onward_authres *authres);

/**
 * Why the field must be ignored.
 *
 * @param offset  out, when there is a fault: octets of the value before it. May
 *                be NULL.
 * @return static text ending in NUL; NULL when the field is sound.
 * @since 0.1
 */
ONWARD_API const char *
onward_authres_fault(const struct onward_authres *authres, size_t *offset);

/**
 * The value as it was given to onward_authres_parse(), octet by octet.
 *
 * @return borrowed from authres.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_text(const struct onward_authres *authres);

/**
 * Who says so: the authserv-id, without quotes.
 *
 * @return borrowed from authres; empty when there is a fault.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_authserv_id(const struct onward_authres *authres);

/**
 * How many results, in the order of the field.
 *
 * @return 0 for `none` and when there is a fault.
 * @since 0.1
 */
ONWARD_API size_t onward_authres_count(const struct onward_authres *authres);

/**
 * The method of result i, in lower case: "dkim".
 *
 * @return borrowed from authres; empty if there is no result i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_method(const struct onward_authres *authres, size_t i);

/**
 * The version of the method of result i.
 *
 * @return 1 when the field does not say; 0 if there is no result i.
 * @since 0.1
 */
ONWARD_API uint64_t
onward_authres_method_version(const struct onward_authres *authres, size_t i);

/**
 * Result i itself, in lower case: "pass".
 *
 * @return borrowed from authres; empty if there is no result i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_result(const struct onward_authres *authres, size_t i);

/**
 * Result i as it is written: all between two semicolons, comments and folds
 * too, without the white space around it.
 *
 * @return borrowed from authres; empty if there is no result i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_result_text(const struct onward_authres *authres, size_t i);

/**
 * The reason given with result i, without quotes.
 *
 * @return borrowed from authres; empty when there is none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_reason(const struct onward_authres *authres, size_t i);

/**
 * How many properties result i has.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_authres_property_count(const struct onward_authres *authres, size_t i);

/**
 * Property j of result i.
 *
 * @param ptype     out: "header", in lower case. May be NULL, as the next two.
 * @param property  out: "d", in lower case.
 * @param value     out: without quotes; an address with a quoted local part
 *                  keeps them.
 *                  All three borrow from authres.
 * @return 1, or 0 when there is none (nothing is written then).
 * @since 0.1
 */
ONWARD_API int onward_authres_property(const struct onward_authres *authres,
                                       size_t i, size_t j,
                                       struct onward_str *ptype,
                                       struct onward_str *property,
                                       struct onward_str *value);

/**
 * The first property of that name of result i.
 *
 * @param ptype     "header", in lower case.
 * @param property  "d", in lower case.
 * @return borrowed from authres; empty when there is none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_authres_value(const struct onward_authres *authres, size_t i,
                     struct onward_str ptype, struct onward_str property);

/**
 * What our own border found of a message: the topmost Authentication-Results
 * field of this authserv-id, read.
 *
 * A border puts its field on top and removes those that claim its name (RFC
 * 8601 section 5), so any other, above or below, was written by somebody else.
 * Nothing is taken from lower ones, from other names, or from
 * ARC-Authentication-Results. If the topmost that could be taken for ours
 * cannot be read, there is none. That the message came through the border is
 * for the caller to know.
 *
 * @param header       read to its end; see <onward/mime.h>.
 * @param authserv_id  as the border writes it; compared as
 *                     a domain, in any case and as A- or U-labels.
 * @param authres      out: free with onward_authres_free(); keeps nothing of
 *                     header. Untouched on failure.
 * @return 0, or
 *         ONWARD_ENOENT  there is none to trust: treat the message as unchecked
 *         ONWARD_ELIMIT  it has more than 1000 items
 *         ONWARD_EINVAL  header or authres is NULL, or no authserv_id
 *         ONWARD_ENOMEM  out of memory
 * @note Calls no callback but the allocator.
 * @since 0.1
 */
ONWARD_API int onward_authres_trusted(const struct onward_header *header,
                                      struct onward_str authserv_id,
                                      struct onward_authres **authres);

/**
 * Could any reader take a field with this value for one that authserv_id wrote?
 * Then it is forged, or stale, and whoever puts a field of that id on top has
 * to cut it first, wherever it stands (RFC 8601 section 5).
 *
 * @param ctx          gives memory for this call.
 * @param value        what follows the colon, as onward_header_value() has it.
 *                     One whose id cannot be read claims each that occurs in
 *                     it.
 * @param authserv_id  ours; compared as onward_authres_trusted() does.
 * @return 1, 0, or
 *         ONWARD_EINVAL  ctx is NULL, or no authserv_id
 *         ONWARD_ENOMEM  out of memory
 * @note Calls no callback but the allocator.
 * @since 0.1
 */
ONWARD_API int onward_authres_claims(struct onward_ctx *ctx,
                                     struct onward_str value,
                                     struct onward_str authserv_id);

/* ---- The registry ------------------------------------------------------ */

/** Is a word registered (RFC 8601 section 6)? Others are read and written all
 * the same. Numbers are stable. @since 0.1 */
enum onward_authres_known {
    ONWARD_AUTHRES_UNKNOWN = 0,
    ONWARD_AUTHRES_ACTIVE = 1,
    ONWARD_AUTHRES_DEPRECATED = 2 /**< read it, but write it no more */
};

/**
 * Is this a method of the registry, as of RFC 9989: "dkim", "spf", "dmarc",
 * "arc", "auth", "iprev", ...?
 *
 * @param method  letter case does not matter, as in the next two.
 * @return enum onward_authres_known.
 * @since 0.1
 */
ONWARD_API int onward_authres_known_method(struct onward_str method);

/**
 * May this method have this result: "spf" "softfail"?
 *
 * @return enum onward_authres_known.
 * @since 0.1
 */
ONWARD_API int onward_authres_known_result(struct onward_str method,
                                           struct onward_str result);

/**
 * May this method have this property: "spf" "smtp" "mailfrom"?
 *
 * @return enum onward_authres_known.
 * @since 0.1
 */
ONWARD_API int onward_authres_known_property(struct onward_str method,
                                             struct onward_str ptype,
                                             struct onward_str property);

#ifdef __cplusplus
}
#endif

#endif
