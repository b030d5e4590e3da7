/*
 * The parser's state, as its files share it: parser.c moves through the lines,
 * part.c says what a header means, emit.c tells the events.
 */
#ifndef ONWARD_MIME_PARSER_PRIV_H
#define ONWARD_MIME_PARSER_PRIV_H

#include <onward/mime_parser.h>

#include "mime/decode_priv.h"
#include "mime/mime_priv.h"
#include "mime/params_priv.h"

enum {
    ONWARD_MIME__BOUNDARY_MAX = 250,
    ONWARD_MIME__LINE_MAX = 998, /* of a delimiter, without its line ends */
    /* A line end before, the line, CR LF behind. */
    ONWARD_MIME__HOLD = 2 + ONWARD_MIME__LINE_MAX + 2,
    ONWARD_MIME__OUT = 16384
};

/* What the octets at hand belong to. */
enum onward_mime__where {
    ONWARD_MIME__IN_HEADER,
    ONWARD_MIME__IN_PREAMBLE,
    ONWARD_MIME__IN_BODY,
    ONWARD_MIME__IN_EPILOGUE
};

/* A part that has begun and not ended. */
struct onward_mime__frame {
    struct onward_mime_part part;
    struct onward_arena arena; /* of the part's texts */
    bool is_split;      /* a multipart whose boundary is looked for */
    bool saw_delimiter;
    bool is_closed;     /* its closing delimiter has passed */
    bool is_digest;
};

struct onward_mime_parser {
    struct onward_ctx *ctx;
    struct onward_mime_handler handler;
    struct onward_mime_opts opts; /* limits resolved */
    struct onward_mime__text_opts text;
    struct onward_arena texts; /* of raw_charset */
    struct onward_header header;

    /* The open parts, the message first; frames behind `open` keep memory for
     * those that come. */
    struct onward_mime__frame **frames;
    size_t open, frame_count, frame_cap;
    size_t split_count; /* frames that are split, closed ones too */

    enum onward_mime__where where;
    uint64_t offset; /* of the next octet that is told */
    size_t parts;
    size_t header_bytes; /* used of opts.header_bytes */
    size_t anomalies;
    bool is_all_body; /* max_parts was reached */

    /* The start of a line that may be a delimiter, with hold_eol octets of the
     * line end before it. */
    unsigned char hold[ONWARD_MIME__HOLD];
    size_t held, hold_eol;
    bool at_line_start; /* and no octet of the line is held or told */

    struct onward_mime__decoder decoder;
    unsigned char *out; /* ONWARD_MIME__OUT octets, once decoding is asked */
    /* ONWARD_MIME_CHECK_BODIES: of the body being told */
    uint64_t line_len;
    uint32_t body_seen;
    bool body_cr;

    int err; /* the first failure sticks */
    bool is_finished;
};

static inline struct onward_mime__frame *
onward_mime__top(const struct onward_mime_parser *p)
{
    return p->frames[p->open - 1];
}

/* Each returns 0 or the failure to end with. */

/* Tell data as the next octets of the message. */
ONWARD_USE_RESULT int onward_mime__tell(struct onward_mime_parser *p, int kind,
                                        const void *data, size_t len);
/* Octets of the innermost part, by where they stand. */
ONWARD_USE_RESULT int onward_mime__tell_body(struct onward_mime_parser *p,
                                             const void *data, size_t len);
ONWARD_USE_RESULT int onward_mime__tell_anomaly(struct onward_mime_parser *p,
                                                struct onward_mime__frame *f,
                                                int code, uint64_t offset,
                                                uint64_t detail);
/* A part within the innermost one begins at p->offset. */
ONWARD_USE_RESULT int onward_mime__part_begin(struct onward_mime_parser *p);
/* p->header is done: tell its fields and what they say; p->where is set. */
ONWARD_USE_RESULT int onward_mime__part_header(struct onward_mime_parser *p);
/* The header is over a limit: what was read of it is body. */
ONWARD_USE_RESULT int onward_mime__part_unread(struct onward_mime_parser *p,
                                               int code);
/* The innermost part ends at p->offset. */
ONWARD_USE_RESULT int onward_mime__part_end(struct onward_mime_parser *p);
/* Fill in what the header of f says. */
ONWARD_USE_RESULT int onward_mime__part_facts(struct onward_mime_parser *p,
                                              struct onward_mime__frame *f);

#endif
