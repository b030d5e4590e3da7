/*
 * A builder as its files share it: what was said in builder.c and
 * builder_parts.c, the message in build.c, its octets in build_read.c.
 */
#ifndef ONWARD_MIME_BUILDER_PRIV_H
#define ONWARD_MIME_BUILDER_PRIV_H

#include <onward/address.h>
#include <onward/mime_builder.h>

#include "mime/mime_shared.h"
#include "mime/write_priv.h"

enum {
    ONWARD_BUILDER__ROLES = 6,
    ONWARD_BUILDER__LIST_MAX = 1000, /* addresses of a role, parts */
    ONWARD_BUILDER__IDS_MAX = 50,    /* in References */
    ONWARD_BUILDER__PARAM_NAME = 63, /* octets of a parameter's name */
    ONWARD_BUILDER__TYPE = 127       /* of a type, of a subtype: RFC 6838 4.2 */
};

struct onward_builder__address {
    struct onward_builder__address *next;
    struct onward_str name, text; /* text: as it is written */
};

struct onward_builder__field {
    struct onward_builder__field *next;
    struct onward_str name, value;
    bool is_structured;
};

struct onward_builder__part {
    struct onward_builder__part *next;
    size_t place;
    struct onward_params *type;
    struct onward_str file_name, content_id, description;
    struct onward_source source; /* read is NULL: data */
    struct onward_str data;
    bool goes_as_it_is; /* message/... */
    bool is_8bit;
};

/* A run of the message: octets of text, or a part's. */
struct onward_builder__segment {
    uint64_t offset; /* in the message */
    uint64_t len;
    size_t from;                             /* in text */
    const struct onward_builder__part *part; /* NULL: text */
};

struct onward_builder {
    struct onward_ctx *ctx;
    struct onward_builder_opts opts;
    struct onward_arena arena;
    struct onward_builder__address *lists[ONWARD_BUILDER__ROLES],
        *last[ONWARD_BUILDER__ROLES];
    size_t counts[ONWARD_BUILDER__ROLES];
    struct onward_str *rcpts; /* rcpt_count, each once */
    size_t rcpt_count;
    struct onward_builder__field *fields, *last_field;
    struct onward_builder__part *parts, *last_part;
    size_t part_count;
    struct onward_str subject, id_domain, message_id, in_reply_to, references;
    struct onward_str forms[2]; /* text, html */
    struct onward_builder_report report;
    struct onward_params *report_type; /* of its fields */
    bool has_subject, has_form[2], has_reply, has_report;
    bool report_is_8bit; /* its original */

    /* Made by build(). */
    struct onward_buf text;
    struct onward_builder__segment *segments;
    size_t segment_count, segment_cap;
    char stem[24];  /* of the boundaries */
    uint64_t needs; /* enum onward_builder_need */
    struct onward_source whole;
    const struct onward_builder__part *waiting; /* whose source was read last */
    /* Octets that a source gave before it said ONWARD_AGAIN: less than a line,
     * so that each answer brings the reader further. */
    const struct onward_builder__part *stash_part;
    uint64_t stash_from;
    size_t stash_len;
    unsigned char stash[ONWARD_MIME__BASE64_RAW];
    bool is_built;
};

/* A copy for good; the arena's bound is max_bytes. */
ONWARD_USE_RESULT int onward_builder__keep(struct onward_builder *b,
                                           struct onward_str s,
                                           struct onward_str *copy);
/* Zero-filled, for good. */
ONWARD_USE_RESULT int onward_builder__keep_struct(struct onward_builder *b,
                                                  size_t size, void **kept);
/* A value of one line. */
ONWARD_USE_RESULT int onward_builder__keep_line(struct onward_builder *b,
                                                struct onward_str s,
                                                struct onward_str *copy);
/* What stands between the brackets of a Message-ID or Content-ID? */
bool onward_builder__is_id(struct onward_str id);
/* The message from what was said: 0 or an error; then anew from the start. */
ONWARD_USE_RESULT int onward_builder__build(struct onward_builder *b);
void onward_builder__unbuild(struct onward_builder *b);
/* Fill in b->whole. */
void onward_builder__make_source(struct onward_builder *b);
/* Is it message/...? These go as they are (RFC 2046 section 5.2). */
bool onward_builder__is_message(const struct onward_params *type);

#endif
