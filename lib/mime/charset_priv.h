/*
 * The built-in charsets as tables, and a converter that may stand inside
 * another object.
 */
#ifndef ONWARD_MIME_CHARSET_PRIV_H
#define ONWARD_MIME_CHARSET_PRIV_H

#include <onward/mime_text.h>

#include "core/core_shared.h"

enum onward_mime__charset_kind {
    ONWARD_MIME__ASCII,
    ONWARD_MIME__UTF8,
    ONWARD_MIME__UTF16, /* big-endian unless a byte order mark says so */
    ONWARD_MIME__UTF16BE,
    ONWARD_MIME__UTF16LE,
    ONWARD_MIME__UTF7,
    ONWARD_MIME__SINGLE,
    ONWARD_MIME__HOST
};

struct onward_mime__charset_name {
    const char *name; /* NULL ends the list */
    enum onward_mime__charset_kind kind;
    int table;
};

extern const uint16_t onward_mime__charset_upper[][128];
extern const struct onward_mime__charset_name onward_mime__charset_names[];

/* Zero-filled is idle. */
struct onward_mime__converter {
    enum onward_mime__charset_kind kind;
    const uint16_t *upper; /* of SINGLE: octets 128 to 255 */
    struct onward_charsets host;
    void *state;             /* of HOST, while is_open */
    unsigned char held[64];  /* the start of a character that is not whole */
    size_t held_len;
    uint32_t bits;           /* UTF-7: of the characters of a shifted run */
    unsigned bit_count;
    uint32_t high;           /* UTF-16, UTF-7: a high surrogate, or 0 */
    bool in_shift;           /* UTF-7 */
    bool shift_is_empty;
    bool is_swapped;         /* UTF-16: little-endian */
    bool saw_start;          /* UTF-16: no longer waiting for the mark */
    bool is_open;
    uint64_t notes;
};

/* 0, ONWARD_ENOENT, ONWARD_ECALLBACK; host may be NULL, else a loaded table. */
ONWARD_USE_RESULT int
onward_mime__converter_open(struct onward_mime__converter *c,
                            struct onward_str charset,
                            const struct onward_charsets *host);
void onward_mime__converter_close(struct onward_mime__converter *c);
/* As the public functions; cap is at least ONWARD_TEXT_ROOM. */
ONWARD_USE_RESULT int
onward_mime__converter_feed(struct onward_mime__converter *c, const void *data,
                            size_t len, size_t *taken, void *out, size_t cap,
                            size_t *put);
ONWARD_USE_RESULT int
onward_mime__converter_finish(struct onward_mime__converter *c, void *out,
                              size_t cap, size_t *put);

/* The host's table, checked: 0, ONWARD_EINVAL, ONWARD_EVERSION. src may be
 * NULL: then host->open is NULL. */
ONWARD_USE_RESULT int
onward_mime__charsets_load(struct onward_charsets *host,
                           const struct onward_charsets *src);

/* Append all of octets as UTF-8. 0, ONWARD_ENOENT (out untouched), or a
 * failure. */
ONWARD_USE_RESULT int
onward_mime__convert_all(struct onward_buf *out, struct onward_str charset,
                         struct onward_str octets,
                         const struct onward_charsets *host, uint64_t *notes);

#endif
