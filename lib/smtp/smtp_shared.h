/*
 * What both SMTP sessions and higher floors use: replies as text, and the
 * names of extensions.
 */
#ifndef ONWARD_SMTP_SHARED_H
#define ONWARD_SMTP_SHARED_H

#include <onward/smtp_common.h>

#include "core/core_shared.h"

enum {
    ONWARD_SMTP__REPLY_LINE_MAX = 512, /* RFC 5321 section 4.5.3.1.5 */
    ONWARD_SMTP__REPLY_TEXT_MAX = 4096 /* of a host's text; the rest is cut */
};

/* ---- Writing replies --------------------------------------------------- */

enum {
    ONWARD_SMTP__REPLY_PLAIN = 1, /* without an enhanced status code */
    ONWARD_SMTP__REPLY_UTF8 = 2,  /* UTF-8 may stand in it (RFC 6531 3.7.4) */
    ONWARD_SMTP__REPLY_ASCII = 4  /* it may not, whatever MAIL has said */
};

/*
 * "5.7.1" of the class that is the first digit of code: 1*3DIGIT each, no
 * leading zeros. 0 or ONWARD_ESYNTAX; out parameters untouched then.
 */
ONWARD_USE_RESULT int onward_smtp__parse_enhanced(struct onward_str text,
                                                  size_t code, int *subject,
                                                  int *detail);
/*
 * Load a host's reply (open struct) and check code and enhanced code. 0,
 * ONWARD_EINVAL or ONWARD_EVERSION.
 */
ONWARD_USE_RESULT int
onward_smtp__reply_load(struct onward_smtp_reply *dst,
                        const struct onward_smtp_reply *src);
/*
 * Append a reply as it stands on the wire, CRLF included: one line for each
 * line of text, long ones folded into more, every octet that is not printable
 * ASCII (or allowed UTF-8) as \xHH. 0, ONWARD_ELIMIT or ONWARD_ENOMEM (as the
 * buffer has it).
 */
int onward_smtp__reply_write(struct onward_buf *out,
                             const struct onward_smtp_reply *reply,
                             unsigned flags);
/* A short English text for a code: "OK" for 250. Never NULL. */
const char *onward_smtp__stock_text(size_t code);

/* ---- Reading replies --------------------------------------------------- */

/*
 * Reads one reply after the other, cut anywhere. Line length, number of lines
 * and octets are bounded; what is no reply is ONWARD_ESYNTAX.
 */
struct onward_smtp__reply_parser {
    struct onward_buf text; /* lines done, LF between them; then a raw line */
    size_t line_start;      /* of the line that is being read */
    size_t line_count;
    size_t line_max, lines_max;
    size_t code;
    char enhanced[12];
    size_t enhanced_len;
    bool is_done;
};

/* Limits of 0 are the defaults: 2048 octets a line, 100 lines. */
void onward_smtp__reply_parser_init(struct onward_smtp__reply_parser *p,
                                    struct onward_ctx *ctx, size_t line_max,
                                    size_t lines_max);
/* Free the memory. */
void onward_smtp__reply_parser_clear(struct onward_smtp__reply_parser *p);
/* Ready for the next reply; keeps the memory. */
void onward_smtp__reply_parser_reset(struct onward_smtp__reply_parser *p);
/*
 * Take octets up to the end of one reply. 1: it is whole (and *taken may be
 * less than len: the rest belongs to the next reply, after _reset); 0: more is
 * needed; ONWARD_ESYNTAX, ONWARD_ELIMIT or ONWARD_ENOMEM: only _clear is left.
 */
ONWARD_USE_RESULT int
onward_smtp__reply_parser_take(struct onward_smtp__reply_parser *p,
                               const void *data, size_t len, size_t *taken);
/* Has a reply begun that is not whole yet? */
bool onward_smtp__reply_parser_is_open(
    const struct onward_smtp__reply_parser *p);
/* The whole reply; text and enhanced are borrowed until _reset. */
void onward_smtp__reply_parser_get(const struct onward_smtp__reply_parser *p,
                                   struct onward_smtp_reply *reply);

/* ---- Extensions -------------------------------------------------------- */

/* The bit of an EHLO keyword (any case), 0 for one that we do not know. */
uint64_t onward_smtp__extension_of(struct onward_str keyword);
/* "PIPELINING"; NULL for a bit that we do not know. */
const char *onward_smtp__extension_name(uint64_t bit);

#endif
