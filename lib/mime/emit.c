/*
 * Telling the parser's events: octets in their order, decoded bodies,
 * anomalies, and the begin and end of parts.
 */
#include "mime/parser_priv.h"

/* ---- Events ------------------------------------------------------------ */

static int call(struct onward_mime_parser *p, struct onward_mime_event *event)
{
    event->size = sizeof(*event);
    if (p->handler.event(p->handler.user, event) < 0)
        return ONWARD_ECALLBACK;
    return 0;
}

int onward_mime__tell(struct onward_mime_parser *p, int kind, const void *data,
                      size_t len)
{
    struct onward_mime_event event = {
        .kind = (size_t)kind,
        .offset = p->offset,
        .part = &onward_mime__top(p)->part,
        .data = onward_core__str(data, len),
    };

    if (kind == ONWARD_MIME_FIELD || kind == ONWARD_MIME_HEADER_END)
        event.header = &p->header;
    p->offset += len;
    return call(p, &event);
}

int onward_mime__tell_anomaly(struct onward_mime_parser *p,
                              struct onward_mime__frame *f, int code,
                              uint64_t offset, uint64_t detail)
{
    struct onward_mime_event event = {
        .kind = ONWARD_MIME_ANOMALY,
        .offset = offset,
        .detail = detail,
        .part = &f->part,
        .code = code,
        .severity = onward_mime_anomaly_severity(code),
    };

    if (event.severity > f->part.severity)
        f->part.severity = event.severity;
    if (p->anomalies >= p->opts.max_anomalies) {
        if (p->anomalies > p->opts.max_anomalies)
            return 0;
        event.code = ONWARD_MIME_MANY_ANOMALIES;
        event.severity = ONWARD_HEADER_ODD;
        event.detail = 0;
    }
    p->anomalies++;
    return call(p, &event);
}

/* ---- Bodies ------------------------------------------------------------ */

static int tell_decoded(struct onward_mime_parser *p, const void *data,
                        size_t len)
{
    struct onward_mime_part *part = &onward_mime__top(p)->part;
    struct onward_mime_event event = {
        .kind = ONWARD_MIME_DECODED,
        .offset = part->decoded_len,
        .part = part,
        .data = onward_core__str(data, len),
    };

    part->decoded_len += len;
    return len == 0 ? 0 : call(p, &event);
}

static bool is_copied(const struct onward_mime_parser *p)
{
    int encoding = p->decoder.encoding;

    return encoding != ONWARD_ENCODING_BASE64 &&
           encoding != ONWARD_ENCODING_QUOTED_PRINTABLE &&
           encoding != ONWARD_ENCODING_UUENCODE;
}

static int decode(struct onward_mime_parser *p, const unsigned char *data,
                  size_t len)
{
    int err = 0;

    if (is_copied(p))
        return tell_decoded(p, data, len);
    while (err == 0 && len > 0) {
        size_t taken = 0, put = 0;

        onward_mime__decoder_feed(&p->decoder, data, len, &taken, p->out,
                                  ONWARD_MIME__OUT, &put);
        data += taken;
        len -= taken;
        err = tell_decoded(p, p->out, put);
    }
    return err;
}

static int finish_decoding(struct onward_mime_parser *p)
{
    struct onward_mime__frame *f = onward_mime__top(p);
    size_t put = 0;
    int err = 0;

    if (!is_copied(p)) {
        onward_mime__decoder_finish(&p->decoder, p->out, ONWARD_MIME__OUT,
                                    &put);
        err = tell_decoded(p, p->out, put);
    }
    if (err == 0 && p->decoder.damage != 0)
        err = onward_mime__tell_anomaly(p, f, ONWARD_MIME_DAMAGED_BODY,
                                        f->part.body_offset, p->decoder.damage);
    return err;
}

/* Tell each kind of fault once a body. */
static int note_body(struct onward_mime_parser *p, int code, uint64_t offset)
{
    uint32_t bit = 1u << (code - ONWARD_MIME_BODY_NUL);

    if ((p->body_seen & bit) != 0)
        return 0;
    p->body_seen |= bit;
    return onward_mime__tell_anomaly(p, onward_mime__top(p), code, offset, 0);
}

static int check_octet(struct onward_mime_parser *p, unsigned char c,
                       uint64_t offset)
{
    bool was_cr = p->body_cr;
    int err = 0;

    p->body_cr = c == '\r';
    if (c == '\n') {
        p->line_len = 0;
        if (!was_cr && (p->opts.flags & ONWARD_MIME_ALLOW_LF) == 0)
            err = note_body(p, ONWARD_MIME_BODY_BARE_LF, offset);
        return err;
    }
    if (was_cr)
        err = note_body(p, ONWARD_MIME_BODY_BARE_CR, offset - 1);
    /* The CR of a line end does not count; the first CR that does is bare. */
    if (err == 0 && ++p->line_len > ONWARD_MIME__LINE_MAX && c != '\r')
        err = note_body(p, ONWARD_MIME_BODY_LONG_LINE, offset);
    if (err == 0 && c == 0)
        err = note_body(p, ONWARD_MIME_BODY_NUL, offset);
    if (err == 0 && c >= 0x80 &&
        onward_mime__top(p)->part.encoding != ONWARD_ENCODING_8BIT)
        err = note_body(p, ONWARD_MIME_BODY_8BIT, offset);
    return err;
}

static int check_body(struct onward_mime_parser *p, const unsigned char *data,
                      size_t len)
{
    int err = 0;

    if (onward_mime__top(p)->part.encoding == ONWARD_ENCODING_BINARY)
        return 0;
    for (size_t i = 0; err == 0 && i < len; i++) {
        if (len - i >= 8 && !p->body_cr &&
            p->line_len + 8 <= ONWARD_MIME__LINE_MAX &&
            onward_ascii_is_plain8(data + i, ' ')) {
            p->line_len += 8;
            i += 7;
            continue;
        }
        err = check_octet(p, data[i], p->offset - len + i);
    }
    return err;
}

int onward_mime__tell_body(struct onward_mime_parser *p, const void *data,
                           size_t len)
{
    int err;

    if (len == 0)
        return 0;
    switch (p->where) {
    case ONWARD_MIME__IN_PREAMBLE:
        return onward_mime__tell(p, ONWARD_MIME_PREAMBLE, data, len);
    case ONWARD_MIME__IN_EPILOGUE:
        return onward_mime__tell(p, ONWARD_MIME_EPILOGUE, data, len);
    case ONWARD_MIME__IN_HEADER:
    case ONWARD_MIME__IN_BODY:
        break;
    }
    err = onward_mime__tell(p, ONWARD_MIME_BODY, data, len);
    if (err == 0 && (p->opts.flags & ONWARD_MIME_CHECK_BODIES) != 0)
        err = check_body(p, data, len);
    if (err == 0 && (p->opts.flags & ONWARD_MIME_DECODE) != 0)
        err = decode(p, data, len);
    return err;
}

/* ---- Parts ------------------------------------------------------------- */

/* The frame for one more part, with the memory of an earlier one if there is
 * one. NULL: no memory. */
static struct onward_mime__frame *push(struct onward_mime_parser *p)
{
    struct onward_mime__frame *f;

    if (p->open == p->frame_cap) {
        size_t want = p->frame_cap == 0 ? 8 : p->frame_cap * 2;
        void *moved =
            onward_core__realloc(p->ctx, p->frames, want * sizeof(*p->frames));

        if (moved == NULL)
            return NULL;
        p->frames = moved;
        p->frame_cap = want;
    }
    if (p->open == p->frame_count) {
        f = onward_core__zalloc(p->ctx, sizeof(*f));
        if (f == NULL)
            return NULL;
        onward_core__arena_init(&f->arena, p->ctx, SIZE_MAX);
        p->frames[p->frame_count++] = f;
    }
    f = p->frames[p->open++];
    onward_core__arena_reset(&f->arena);
    f->part = (struct onward_mime_part){
        .size = sizeof(f->part),
        .index = p->parts,
        .offset = p->offset,
        .parent = ONWARD_MIME_NONE,
        .depth = p->open - 1,
        .first_child = ONWARD_MIME_NONE,
        .next = ONWARD_MIME_NONE,
    };
    if (p->open > 1)
        f->part.parent = p->frames[p->open - 2]->part.index;
    f->is_split = f->saw_delimiter = f->is_closed = f->is_digest = false;
    return f;
}

int onward_mime__part_begin(struct onward_mime_parser *p)
{
    size_t most = onward_core__limits(p->ctx)->header_bytes;
    size_t left = p->opts.header_bytes - p->header_bytes;

    if (push(p) == NULL)
        return ONWARD_ENOMEM;
    p->parts++;
    onward_mime__header_reset(&p->header);
    p->header.max_bytes = most < left ? most : left;
    p->where = ONWARD_MIME__IN_HEADER;
    p->at_line_start = true;
    return onward_mime__tell(p, ONWARD_MIME_PART_BEGIN, NULL, 0);
}

static int tell_fields(struct onward_mime_parser *p)
{
    struct onward_mime__frame *f = onward_mime__top(p);
    struct onward_mime_event event = {
        .kind = ONWARD_MIME_FIELD, .part = &f->part, .header = &p->header};
    int err = 0;

    for (size_t i = 0; err == 0 && i < p->header.count; i++) {
        event.offset = p->offset;
        event.item = i;
        event.data = onward_mime__raw(&p->header, i);
        p->offset += event.data.len;
        err = call(p, &event);
    }
    for (size_t i = 0; err == 0 && i < p->header.anomaly_count; i++) {
        const struct onward_mime__anomaly *a = &p->header.anomalies[i];

        err = onward_mime__tell_anomaly(p, f, a->code,
                                        f->part.offset + a->offset, 0);
    }
    return err;
}

static void begin_body(struct onward_mime_parser *p,
                       const struct onward_mime_part *part)
{
    int encoding = part->encoding;

    if (encoding == ONWARD_ENCODING_UUENCODE &&
        (p->opts.flags & ONWARD_MIME_ALLOW_UUENCODE) == 0)
        encoding = ONWARD_ENCODING_UNKNOWN;
    onward_mime__decoder_init(&p->decoder, encoding);
    p->where = ONWARD_MIME__IN_BODY;
    p->line_len = 0;
    p->body_seen = 0;
    p->body_cr = false;
}

int onward_mime__part_header(struct onward_mime_parser *p)
{
    struct onward_mime__frame *f = onward_mime__top(p);
    const struct onward_header *h = &p->header;
    int err;

    f->part.body_offset = f->part.offset + h->body;
    p->header_bytes += h->body < p->opts.header_bytes - p->header_bytes
                           ? h->body
                           : p->opts.header_bytes - p->header_bytes;
    err = tell_fields(p);
    if (err == 0)
        err = onward_mime__part_facts(p, f);
    if (err == 0)
        err = onward_mime__tell(
            p, ONWARD_MIME_HEADER_END,
            h->block.data == NULL ? NULL : h->block.data + h->block.len,
            h->body - h->block.len);
    if (err != 0)
        return err;
    p->at_line_start = true;
    if (f->part.kind == ONWARD_MIME_MESSAGE)
        return onward_mime__part_begin(p);
    if (f->is_split) {
        p->split_count++;
        p->where = ONWARD_MIME__IN_PREAMBLE;
    } else {
        begin_body(p, &f->part);
    }
    return 0;
}

int onward_mime__part_unread(struct onward_mime_parser *p, int code)
{
    struct onward_mime__frame *f = onward_mime__top(p);
    int err;

    f->part.kind = ONWARD_MIME_UNREAD;
    f->part.encoding = ONWARD_ENCODING_BINARY;
    f->part.type = ONWARD_STR("application");
    f->part.subtype = ONWARD_STR("octet-stream");
    f->part.body_offset = f->part.offset;
    err = onward_mime__tell_anomaly(p, f, code, f->part.offset, 0);
    if (err == 0)
        err = onward_mime__tell(p, ONWARD_MIME_HEADER_END, NULL, 0);
    begin_body(p, &f->part);
    return err;
}

int onward_mime__part_end(struct onward_mime_parser *p)
{
    struct onward_mime__frame *f = onward_mime__top(p);
    bool is_leaf =
        f->part.kind == ONWARD_MIME_LEAF || f->part.kind == ONWARD_MIME_UNREAD;
    int err = 0;

    f->part.end = p->offset;
    if (f->is_split && !f->saw_delimiter)
        err = onward_mime__tell_anomaly(p, f, ONWARD_MIME_NO_DELIMITER,
                                        f->part.body_offset, 0);
    else if (f->is_split && !f->is_closed)
        err =
            onward_mime__tell_anomaly(p, f, ONWARD_MIME_NO_CLOSE, p->offset, 0);
    if (err == 0 && is_leaf && p->body_cr)
        err = note_body(p, ONWARD_MIME_BODY_BARE_CR, p->offset - 1);
    p->body_cr = false;
    if (err == 0 && is_leaf && (p->opts.flags & ONWARD_MIME_DECODE) != 0)
        err = finish_decoding(p);
    if (err == 0)
        err = onward_mime__tell(p, ONWARD_MIME_PART_END, NULL, 0);
    if (f->is_split)
        p->split_count--;
    p->open--;
    return err;
}
