/*
 * The header splitter and the editor as the higher floors use them: embedded,
 * with slices and same-name links at hand, and a puller for sources.
 */
#ifndef ONWARD_MIME_SHARED_H
#define ONWARD_MIME_SHARED_H

#include <onward/mime.h>

#include "core/desk_shared.h"

/* ---- Header ------------------------------------------------------------ */

enum {
    ONWARD_HEADER_ANOMALIES = 100 /* recorded at most */
};

/* One item. Positions are offsets into the block, which is the start of the
 * message too. above and below link items of the same name. */
struct onward_mime__item {
    size_t offset;
    size_t len;
    size_t name_len;     /* 0: a line that is no field */
    size_t value_offset; /* from the start of the block */
    size_t value_len;    /* without the final CRLF */
    size_t above, below; /* ONWARD_HEADER_NONE at the ends */
    const char *text;    /* unfolded value, made when asked for */
    size_t text_len;
};

struct onward_mime__anomaly {
    size_t offset;
    size_t item;
    int code;
};

/* One name that occurs: where its highest and lowest fields are. */
struct onward_mime__name {
    uint64_t hash;
    size_t first, last; /* first is ONWARD_HEADER_NONE: free slot */
    size_t count;
};

/*
 * Zero-filled, then onward_mime__header_init(). May stand inside another
 * object; it keeps no pointer to itself. Everything but feeding works once
 * is_done.
 */
struct onward_header {
    struct onward_ctx *ctx;
    struct onward_buf block; /* no empty line in it once is_done */
    struct onward_mime__item *items;
    size_t count, cap;
    size_t line;     /* where the line being fed begins */
    size_t body;     /* offset of the body, once is_done */
    struct onward_mime__name *names; /* open addressing */
    size_t name_slots;               /* in use: a power of two, or 0 */
    size_t name_cap;                 /* there is room for */
    struct onward_arena texts;
    struct onward_mime__anomaly *anomalies;
    size_t anomaly_count, anomaly_cap;
    size_t max_bytes; /* of the block; the context's limit at most */
    int err;          /* the first failure sticks */
    bool allow_lf;    /* a bare LF ends a line, too */
    bool is_done;
    bool is_malformed;
    bool awaits_colon; /* the last item may yet be a folded name */
};

void onward_mime__header_init(struct onward_header *h, struct onward_ctx *ctx);
/* Harmless when zero-filled or cleared. */
void onward_mime__header_clear(struct onward_header *h);
/* As initialized, for the next header; memory is kept. */
void onward_mime__header_reset(struct onward_header *h);
/* feed, finish and the look-ups are those of <onward/mime.h>. */

static inline struct onward_str
onward_mime__raw(const struct onward_header *h, size_t i)
{
    return onward_core__str(h->block.data + h->items[i].offset,
                            h->items[i].len);
}

static inline struct onward_str
onward_mime__name(const struct onward_header *h, size_t i)
{
    return onward_core__str(h->block.data + h->items[i].offset,
                            h->items[i].name_len);
}

static inline struct onward_str
onward_mime__value(const struct onward_header *h, size_t i)
{
    return onward_core__str(h->block.data + h->items[i].value_offset,
                            h->items[i].value_len);
}

/* 1*ftext, the name of a field as RFC 5322 section 3.6.8 has it. */
bool onward_mime__is_field_name(struct onward_str s);
/* Append value with each CRLF before SP or HTAB taken out. */
int onward_mime__unfold(struct onward_buf *out, struct onward_str value);

/* UTF-8 without controls other than HTAB. */
bool onward_mime__is_writable(struct onward_str text);
/*
 * Append a whole field, folded at 78 columns; of is_writable() text what is not
 * ASCII becomes encoded words. is_structured: a field with a form of its own,
 * as a builder writes it: ONWARD_ESYNTAX when that cannot hold the text. A
 * failure of the buffer sticks there.
 */
int onward_mime__write_field(struct onward_buf *out, struct onward_str name,
                             struct onward_str text, bool is_structured);

/* ---- Edit -------------------------------------------------------------- */

/*
 * The fields of the edited message. A slot never changes: items of the header
 * keep their number, fields put on top are numbered on from there, each above
 * the one before. So a signer may add on top while it holds slots.
 */
struct onward_mime__field {
    struct onward_str raw; /* the final CRLF included, if it is there */
    struct onward_str name;
    struct onward_str value; /* behind the colon, without the final CRLF */
};

/* A look at the field in a slot; false: no such slot, or cut. A line that is no
 * field has an empty name. Borrowed until the edit is freed. */
bool onward_mime__edit_field(const struct onward_edit *edit, size_t slot,
                             struct onward_mime__field *field);
/* The topmost slot / the next one below; ONWARD_HEADER_NONE at the end. */
size_t onward_mime__edit_top(const struct onward_edit *edit);
size_t onward_mime__edit_below(const struct onward_edit *edit, size_t slot);
/* The lowest field of that name / the next one above with the same name. */
size_t onward_mime__edit_last(const struct onward_edit *edit,
                              struct onward_str name);
size_t onward_mime__edit_above_named(const struct onward_edit *edit,
                                     size_t slot);
size_t onward_mime__edit_count_named(const struct onward_edit *edit,
                                     struct onward_str name);
/* The header below the edit: its anomalies. */
const struct onward_header *
onward_mime__edit_header(const struct onward_edit *edit);
/*
 * Put a whole field on top as it is: `Name:value` with its final CRLF. Checked
 * as onward_edit_add() does, same errors. For signers, who must know each octet.
 */
ONWARD_USE_RESULT int onward_mime__edit_add_raw(struct onward_edit *edit,
                                                struct onward_str raw);
/*
 * The body as it leaves, without the empty line above it, as a source that can
 * be read before the fields are complete. Borrowed from edit.
 */
const struct onward_source *
onward_mime__edit_body(const struct onward_edit *edit);

/* ---- Pulling from a source --------------------------------------------- */

/* One reader of a source, inside the object that pulls. Zero-filled is idle. */
struct onward_mime__pull {
    struct onward_source source;
    struct onward_core__ask ask;
    struct onward_desk *desk;
    struct onward_core__task *task;
};

/*
 * Copy the host's table. The desk and the task may be NULL for a puller that
 * cannot wait: ONWARD_AGAIN is a failure then. 0, ONWARD_EINVAL or
 * ONWARD_EVERSION.
 */
ONWARD_USE_RESULT int
onward_mime__pull_init(struct onward_mime__pull *pull,
                       const struct onward_source *source,
                       struct onward_desk *desk,
                       struct onward_core__task *task);
/*
 * Read 1 to cap octets from offset on; at offset == len 0 octets are got. 0;
 * ONWARD_AGAIN: the task is made ready when it is worth trying again (asking
 * meanwhile is harmless); ONWARD_ECALLBACK: the source failed or broke its
 * contract; ONWARD_ESTATE: the desk is dead.
 */
ONWARD_USE_RESULT int onward_mime__pull(struct onward_mime__pull *pull,
                                        uint64_t offset, void *buf, size_t cap,
                                        size_t *got);
/* Give up waiting. Harmless when idle. */
void onward_mime__pull_clear(struct onward_mime__pull *pull);

#endif
