/*
 * Making UTF-8 of what messages hold, as the files of mime share it.
 */
#ifndef ONWARD_MIME_TEXT_PRIV_H
#define ONWARD_MIME_TEXT_PRIV_H

#include <onward/mime_text.h>

#include "mime/charset_priv.h"

/* struct onward_text_opts, loaded. */
struct onward_mime__text_opts {
    struct onward_charsets charsets; /* open is NULL: none */
    struct onward_str raw_charset;   /* empty: UTF-8 */
    size_t max_bytes;
};

ONWARD_USE_RESULT int
onward_mime__text_opts_load(struct onward_mime__text_opts *opts,
                            const struct onward_text_opts *src);

struct onward_text {
    struct onward_ctx *ctx;
    struct onward_buf buf;
    size_t max_bytes;
    uint64_t notes;
};

/* An empty text to append to; *text is untouched on failure. */
ONWARD_USE_RESULT int onward_mime__text_new(struct onward_ctx *ctx,
                                            size_t max_bytes,
                                            struct onward_text **text);
/* What making it came to: give it to the caller, or free it. */
ONWARD_USE_RESULT int onward_mime__text_end(struct onward_text *made, int err,
                                            struct onward_text **text);

/* ONWARD_TEXT_CONTROLS and _INVISIBLE of a text in UTF-8. */
uint64_t onward_mime__text_look(struct onward_str text);

/* Append octets that say no charset. */
int onward_mime__add_raw(struct onward_buf *out, struct onward_str octets,
                         const struct onward_mime__text_opts *opts,
                         uint64_t *notes);
/* Append a header value with its encoded words decoded. */
int onward_mime__add_words(struct onward_buf *out, struct onward_str value,
                           int place, const struct onward_mime__text_opts *opts,
                           uint64_t *notes);

/*
 * Where a comment ends, or a quoted string, that begins at `at`: behind its
 * last octet. Without an end: s.len, and *is_open. Never fails.
 */
size_t onward_mime__comment_end(struct onward_str s, size_t at, bool *is_open);
size_t onward_mime__quoted_end(struct onward_str s, size_t at, bool *is_open);
/* Behind white space, folds and comments. */
size_t onward_mime__skip_cfws(struct onward_str s, size_t at, bool *is_open);

static inline bool onward_mime__is_lwsp(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* token of RFC 2045 section 5.1; octets above 127 are none. */
bool onward_mime__is_token_octet(unsigned char c);

#endif
