/*
 * Writing header fields: folded at 78 columns, what is not ASCII as encoded
 * words or RFC 2231 values. A failure sticks in the buffer: look once.
 */
#ifndef ONWARD_MIME_WRITE_PRIV_H
#define ONWARD_MIME_WRITE_PRIV_H

#include "core/text_shared.h"
#include "mime/mime_shared.h"

struct onward_mime__writer {
    struct onward_buf *out;
    size_t column;
    bool allow_utf8; /* no encoded words */
    bool has_word;   /* the line holds an encoded word */
    bool is_first;   /* nothing stands behind the name */
};

/* "Name:". */
void onward_mime__write_name(struct onward_mime__writer *w,
                             struct onward_str name);
/* A blank, or a fold, and a piece that is not broken. */
void onward_mime__write_piece(struct onward_mime__writer *w,
                              struct onward_str piece);
/* A blank and text without CR, LF and NUL (RFC 5322 section 2.2.1). */
void onward_mime__write_text(struct onward_mime__writer *w,
                             struct onward_str text);
/* The same of a field with a form of its own (List-*, Resent-*, ids): only words
 * that are not ASCII become encoded words, all else stays as it is. */
void onward_mime__write_structured(struct onward_mime__writer *w,
                                   struct onward_str text);
/* Can it be written so? */
bool onward_mime__is_structured_text(struct onward_str text, bool allow_utf8);
/* A blank and text as a phrase: a display name. */
void onward_mime__write_phrase(struct onward_mime__writer *w,
                               struct onward_str text);
/* Text without a blank: behind the piece before it. */
void onward_mime__write_tail(struct onward_mime__writer *w, const char *text);
/* "; name=value", in the plainest form that holds the value (RFC 2231). */
void onward_mime__write_param(struct onward_mime__writer *w, const char *name,
                              struct onward_str value);
/* "; name=value" with encoded words in quotes, which RFC 2047 forbids. */
void onward_mime__write_param_words(struct onward_mime__writer *w,
                                    const char *name, struct onward_str value);
void onward_mime__write_end(struct onward_mime__writer *w);

/* 1*token of RFC 2045 section 5.1. */
bool onward_mime__is_token(struct onward_str s);

/* ---- Bodies ------------------------------------------------------------ */

/*
 * Append text with CRLF at all line ends and at the end, in the encoding that
 * costs least where 8-bit octets pass or do not. Returns the encoding.
 */
int onward_mime__write_body(struct onward_buf *out, struct onward_str text,
                            bool allow_8bit);

/* The same in an encoding that is given: quoted-printable, or as it is. */
void onward_mime__write_qp(struct onward_buf *out, struct onward_str text);
void onward_mime__write_lines(struct onward_buf *out, struct onward_str text);

enum {
    ONWARD_MIME__BASE64_RAW = 57, /* octets a line */
    ONWARD_MIME__BASE64_LINE = 78 /* characters, with CRLF */
};
/* Base64 in lines; len is a multiple of ONWARD_MIME__BASE64_RAW, or the rest.
 * out has room. Returns the octets written. */
size_t onward_mime__base64_lines(unsigned char *out, const void *data,
                                 size_t len);
/* What that gives for len octets. */
uint64_t onward_mime__base64_lines_len(uint64_t len);

#endif
