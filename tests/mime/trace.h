/*
 * The events of the parser as one text, pieces of bodies joined, and the
 * message put together again from them.
 */
#ifndef ONWARD_TESTS_MIME_TRACE_H
#define ONWARD_TESTS_MIME_TRACE_H

#include <onward/mime_parser.h>

#include "core/core_shared.h"
#include "support/support.h"

struct trace {
    struct onward_buf text;      /* structure: "(0 text/plain ...)" */
    struct onward_buf octets;    /* data of all events: the message */
    struct onward_buf anomalies; /* "word@offset/part " */
    size_t last_kind;
    uint64_t next; /* the offset that comes next */
    size_t events, fail_at;
};

static inline void trace_init(struct trace *t, struct onward_ctx *ctx)
{
    memset(t, 0, sizeof(*t));
    onward_core__buf_init(&t->text, ctx, SIZE_MAX);
    onward_core__buf_init(&t->octets, ctx, SIZE_MAX);
    onward_core__buf_init(&t->anomalies, ctx, SIZE_MAX);
}

static inline void trace_clear(struct trace *t)
{
    onward_core__buf_clear(&t->text);
    onward_core__buf_clear(&t->octets);
    onward_core__buf_clear(&t->anomalies);
}

/* As "word@offset/part " in b. */
static inline void trace_anomaly(struct onward_buf *b, int code,
                                 uint64_t offset, size_t part)
{
    onward_core__buf_add_text(b, onward_mime_anomaly_name(code));
    onward_core__buf_add_byte(b, '@');
    onward_core__buf_add_u64(b, offset);
    onward_core__buf_add_byte(b, '/');
    onward_core__buf_add_u64(b, part);
    onward_core__buf_add_byte(b, ' ');
}

static inline void trace_header_end(struct onward_buf *b,
                                    const struct onward_mime_part *part)
{
    onward_core__buf_add_text(b, " ");
    onward_core__buf_add_str(b, part->type);
    onward_core__buf_add_byte(b, '/');
    onward_core__buf_add_str(b, part->subtype);
    onward_core__buf_add_byte(b, '#');
    onward_core__buf_add_u64(b, (uint64_t)part->kind);
    if (part->name.len > 0) {
        onward_core__buf_add_byte(b, '"');
        onward_core__buf_add_str(b, part->name);
        onward_core__buf_add_byte(b, '"');
    }
}

static inline int trace_event(void *user, const struct onward_mime_event *e)
{
    static const char marks[] = {
        [ONWARD_MIME_PREAMBLE] = 'p', [ONWARD_MIME_BODY] = 'b',
        [ONWARD_MIME_DECODED] = 'd',  [ONWARD_MIME_EPILOGUE] = 'e',
        [ONWARD_MIME_DELIMITER] = '-'};
    struct trace *t = user;
    struct onward_buf *b = &t->text;

    if (++t->events == t->fail_at)
        return -1;
    if (e->kind == ONWARD_MIME_ANOMALY) {
        trace_anomaly(&t->anomalies, e->code, e->offset, e->part->index);
        assert_int_equal(e->severity, onward_mime_anomaly_severity(e->code));
        return 0;
    }
    if (e->kind != ONWARD_MIME_DECODED) {
        assert_int_equal(e->offset, t->next);
        t->next += e->data.len;
        onward_core__buf_add_str(&t->octets, e->data);
    }
    switch (e->kind) {
    case ONWARD_MIME_PART_BEGIN:
        onward_core__buf_add_text(b, "(");
        onward_core__buf_add_u64(b, e->part->index);
        break;
    case ONWARD_MIME_FIELD:
        assert_true(onward_str_equal(e->data,
                                     onward_header_raw(e->header, e->item)));
        break;
    case ONWARD_MIME_HEADER_END:
        trace_header_end(b, e->part);
        break;
    case ONWARD_MIME_PART_END:
        onward_core__buf_add_byte(b, ')');
        break;
    case ONWARD_MIME_DECODED:
        /* Told beside the body; kept apart by what the tests ask for. */
        break;
    default:
        if (t->last_kind != e->kind) {
            onward_core__buf_add_byte(b, ' ');
            onward_core__buf_add_byte(b, (unsigned char)marks[e->kind]);
            onward_core__buf_add_byte(b, ':');
        }
        onward_core__buf_add_str(b, e->data);
        break;
    }
    if (e->kind != ONWARD_MIME_DECODED)
        t->last_kind = e->kind;
    return 0;
}

/* Parse message in pieces of step octets. */
static inline int trace_run(struct trace *t, struct onward_ctx *ctx,
                            const struct onward_mime_opts *opts,
                            struct onward_str message, size_t step)
{
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = t, .event = trace_event};
    struct onward_mime_parser *p = NULL;
    int err = onward_mime_parser_new(ctx, &handler, opts, &p);

    for (size_t at = 0; err == 0 && at < message.len;) {
        size_t len = message.len - at < step ? message.len - at : step;
        /* In memory of its own, so that a look past it is seen. */
        char *piece = malloc(len);

        memcpy(piece, message.data + at, len);
        err = onward_mime_parser_feed(p, piece, len);
        free(piece);
        at += len;
    }
    if (err == 0)
        err = onward_mime_parser_finish(p);
    onward_mime_parser_free(p);
    return err;
}

#endif
