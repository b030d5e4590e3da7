/*
 * An edit as its files share it: fields in edit.c, the body in edit_body.c,
 * changes of parts in edit_parts.c and edit_footer.c, what was changed and what
 * breaks by it in edit_log.c.
 */
#ifndef ONWARD_MIME_EDIT_PRIV_H
#define ONWARD_MIME_EDIT_PRIV_H

#include <onward/mime_parser.h>

#include "mime/mime_priv.h"

/* A field put on top; raw lies in the arena. */
struct added {
    struct onward_str raw;
    size_t name_len;
    size_t value_offset; /* from the start of raw */
};

/* Octets of the message below that leave, and what comes for them. */
struct onward_mime__splice {
    uint64_t from, to; /* from the start of the message below */
    struct onward_str text;
};

/* A run of the edited body: text, or octets of the message below. */
struct onward_mime__run {
    uint64_t offset, len; /* in the edited body */
    uint64_t from;        /* in the message below */
    const char *text;     /* NULL: the message below */
};

/* Where a part stands, as the parser numbers it. */
struct onward_mime__place {
    uint64_t offset, body_offset, end;
    size_t parent;
    size_t before, next; /* of the same parent */
    size_t last_child;
    struct onward_str type, subtype, boundary, charset;
    int kind, encoding;
    bool is_dropped, is_closed;
    char tail[3]; /* the last octets of its body */
};

struct onward_mime__signed {
    struct onward_str fields; /* "From:To:..." */
    uint64_t body_len;
};

/* A run of the head: text, and where it stands in the edited message. */
struct piece {
    struct onward_str text;
    uint64_t offset;
};

struct onward_edit {
    struct onward_ctx *ctx;
    struct onward_source below; /* the message as it came */
    const struct onward_header *header;
    struct onward_arena arena; /* raw of the added fields */
    struct added *added;
    size_t added_count, added_cap, added_max;
    size_t added_bytes, added_bytes_max;
    bool *is_cut; /* one an item of the header */
    size_t cut_count;
    struct piece *pieces; /* made by onward_edit_source() */
    size_t piece_count;
    uint64_t head_len; /* octets above the empty line */
    struct onward_source whole, body;
    bool is_sealed;
    bool is_extended, is_wrapped; /* by a footer */

    struct onward_str *replaced; /* one an item; NULL: none is */
    struct onward_mime__splice *splices; /* by from, apart from each other */
    size_t splice_count, splice_cap;
    struct onward_mime__run *runs; /* of the body; none: as it is below */
    size_t run_count;
    struct onward_mime__place *places;
    size_t place_count, place_cap;
    struct onward_mime_parser *parser; /* while the parts are read */
    uint64_t parsed;
    bool has_parts;
    struct onward_edit_change *changes;
    size_t change_count, change_cap;
    struct onward_mime__signed *signatures;
    size_t signature_count, signature_cap;
};

/* Room for one more of an array. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_mime__edit_grow(struct onward_edit *e,
                                             void **items, size_t count,
                                             size_t *cap, size_t size);
/* Read the body as it was changed. */
int onward_mime__edit_body_read(void *user, uint64_t offset, void *buf,
                                size_t cap, size_t *got);
/* Read the message below; cap shrinks to what is left of it. */
int onward_mime__edit_read_below(struct onward_edit *e, uint64_t offset,
                                 void *buf, size_t cap, size_t *got);
/*
 * Put text, which is copied, for octets of the body. 0, ONWARD_EINVAL (another
 * change is there) or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_mime__edit_splice(struct onward_edit *e,
                                               uint64_t from, uint64_t to,
                                               struct onward_str text);
/* Put raw, a whole field, in the place of item i; kept in the arena by the
 * caller. */
ONWARD_USE_RESULT int onward_mime__edit_put(struct onward_edit *e, size_t i,
                                            struct onward_str raw);
/* Is raw a field of safe lines? */
bool onward_mime__edit_is_safe(struct onward_str raw);
ONWARD_USE_RESULT int
onward_mime__edit_note(struct onward_edit *e,
                       const struct onward_edit_change *change);

#endif


