/*
 * Text forms that several standards share: base64, decimal numbers, dates,
 * printable escapes.
 */
#ifndef ONWARD_TEXT_SHARED_H
#define ONWARD_TEXT_SHARED_H

#include "core/core_shared.h"

/* 1*DIGIT, at most max_digits, no sign, no blanks. 0, ONWARD_ESYNTAX or
 * ONWARD_ELIMIT (past UINT64_MAX or max_digits); *value untouched then. */
ONWARD_USE_RESULT int
onward_core__parse_u64(struct onward_str s, size_t max_digits, uint64_t *value);

/* Octets of base64 text for len octets, padding included. */
size_t onward_core__base64_encoded_len(size_t len);
/* Write it to out, which has that much room; returns the octets written. */
size_t onward_core__base64_write(unsigned char *out, const void *data,
                                 size_t len);
/* Append the base64 text of data, without line ends (RFC 4648 section 4). */
int onward_core__base64_encode(struct onward_buf *out, const void *data,
                               size_t len);
/*
 * Append the octets that the text stands for. FWS (SP, HTAB, CR, LF) between
 * characters is skipped, as DKIM tag values have it (RFC 6376 section 3.2).
 * ONWARD_ESYNTAX: a foreign character, wrong padding, or bits left over that
 * are not 0. Missing padding is an error unless allow_unpadded.
 */
int onward_core__base64_decode(struct onward_buf *out, struct onward_str text,
                               bool allow_unpadded);
/*
 * The fast inside of a decoder: turn the groups of four at the start of text
 * into three octets each, up to the first group with anything else in it (FWS,
 * padding). Returns the characters taken, a multiple of 4; out has room for
 * len / 4 * 3, all of which may be written.
 */
size_t onward_core__base64_run(unsigned char *out, const void *text,
                               size_t len);

/* Append s as printable ASCII: other octets, and the backslash, as \xHH; at
 * most max octets are appended, the last three "..." when it is cut. */
int onward_core__escape(struct onward_buf *out, struct onward_str s,
                        size_t max);

/* "Thu, 13 Feb 2020 16:01:02 +0000" (RFC 5322 section 3.3), always UTC. Years
 * 1 to 9999; other times are clamped. */
int onward_core__date_rfc5322(struct onward_buf *out, int64_t unix_s);
/* "2020-02-13T16:01:02Z" (RFC 3339). */
int onward_core__date_rfc3339(struct onward_buf *out, int64_t unix_s);
/* Reads a date-time of RFC 5322 3.3 and 4.3 (obsolete zones and years). */
ONWARD_USE_RESULT int onward_core__parse_date_rfc5322(struct onward_str s,
                                                      int64_t *unix_s);
/* The same, with the seconds east of UTC that its zone says. */
ONWARD_USE_RESULT int onward_core__parse_date_zone(struct onward_str s,
                                                   int64_t *unix_s,
                                                   int *zone_east_s);

/* What the file name of an aggregate report is made of (RFC 8460 section 5.1,
 * RFC 9990 section 3.5.1). */
struct onward_core__report_name {
    struct onward_str submitter, policy_domain;
    int64_t begin_s, end_s;
    struct onward_str unique; /* may be empty */
    const char *extension;    /* ".xml.gz" */
};
/* Append it. ONWARD_ESYNTAX: unique is not up to 64 letters and digits; nothing
 * was appended. */
int onward_core__report_name(struct onward_buf *out,
                             const struct onward_core__report_name *name);

/* Is s well-formed UTF-8 (RFC 3629: no overlong form, no surrogate)? */
bool onward_core__is_utf8(struct onward_str s);
bool onward_core__is_ascii(struct onward_str s);
/*
 * Does s, which is UTF-8, hold characters that are not seen, or that change the
 * order in which others are seen? Two texts that differ only by them look the
 * same. The joiners U+200C and U+200D do not count, some scripts need them.
 */
bool onward_core__has_invisible(struct onward_str s);

#endif
