/*
 * The push parser: which octets are header, body and delimiter. Bodies are
 * passed over at the speed of memchr(); only lines that begin with two hyphens
 * are looked at, and only such a line is ever held.
 */
#include "mime/parser_priv.h"

enum { LINE_MAX_OCTETS = ONWARD_MIME__LINE_MAX, HEADER_WINDOW = 8192 };

/* A line that may be a delimiter, with the line ends around it. */
struct line {
    const unsigned char *data;
    size_t before; /* octets of the line end above it */
    size_t len;
    size_t behind; /* octets of its own line end */
};

static bool allows_lf(const struct onward_mime_parser *p)
{
    return (p->opts.flags & ONWARD_MIME_ALLOW_LF) != 0;
}

static bool is_splitting(const struct onward_mime_parser *p)
{
    return p->split_count > 0 && !p->is_all_body;
}

/* ---- Delimiters -------------------------------------------------------- */

/* Is line "--" boundary, with "--" behind it or not? Neither: -1. */
static int compare(struct onward_str line, struct onward_str boundary)
{
    size_t rest;

    if (line.len < boundary.len + 2 || memcmp(line.data, "--", 2) != 0)
        return -1;
    rest = line.len - boundary.len - 2;
    if (rest != 0 && rest != 2)
        return -1;
    /* An empty boundary is one, too; it has no data to compare. */
    if (boundary.len > 0 &&
        memcmp(line.data + 2, boundary.data, boundary.len) != 0)
        return -1;
    if (rest == 0)
        return 0;
    return memcmp(line.data + line.len - 2, "--", 2) == 0 ? 1 : -1;
}

/* The innermost open multipart that the line delimits, else p->open; in *late
 * one that is closed, else p->open. */
static size_t find_frame(const struct onward_mime_parser *p,
                         struct onward_str line, bool *is_close, size_t *late)
{
    while (line.len > 2 &&
           onward_ascii_is_wsp((unsigned char)line.data[line.len - 1]))
        line.len--;
    *late = p->open;
    for (size_t i = p->open; i > 0; i--) {
        const struct onward_mime__frame *f = p->frames[i - 1];
        int which = f->is_split ? compare(line, f->part.boundary) : -1;

        if (which < 0)
            continue;
        if (!f->is_closed) {
            *is_close = which == 1;
            return i - 1;
        }
        if (*late == p->open)
            *late = i - 1;
    }
    return p->open;
}

/* The line is a delimiter of the multipart at `frame`. */
static int pass_delimiter(struct onward_mime_parser *p, const struct line *line,
                          size_t frame, bool is_close)
{
    struct onward_mime__frame *f = p->frames[frame];
    struct onward_mime_event event = {
        .size = sizeof(event),
        .kind = ONWARD_MIME_DELIMITER,
        .part = &f->part,
        .data = onward_core__str(line->data,
                                 line->before + line->len + line->behind),
        .is_close = is_close,
    };
    int err = 0;

    while (err == 0 && p->open > frame + 1)
        err = onward_mime__part_end(p);
    if (err != 0)
        return err;
    f->saw_delimiter = true;
    f->is_closed = is_close;
    event.offset = p->offset;
    p->offset += event.data.len;
    if (p->handler.event(p->handler.user, &event) < 0)
        return ONWARD_ECALLBACK;
    p->at_line_start = true;
    if (is_close) {
        p->where = ONWARD_MIME__IN_EPILOGUE;
        return 0;
    }
    p->is_all_body = p->parts >= p->opts.max_parts;
    err = onward_mime__part_begin(p);
    if (err == 0 && p->is_all_body)
        err = onward_mime__part_unread(p, ONWARD_MIME_PARTS_LIMIT);
    return err;
}

/* What a line is: 1 and its frame for a delimiter, 0, or a failure. Where
 * others may see a delimiter and we do not, that is told. */
static int judge(struct onward_mime_parser *p, const struct line *line,
                 size_t *frame, bool *is_close)
{
    struct onward_str text =
        onward_core__str(line->data + line->before, line->len);
    uint64_t offset = p->offset + line->before;
    bool has_lf = line->before == 1 || line->behind == 1;
    size_t late;

    if (text.len < 2)
        return 0;
    *frame = find_frame(p, text, is_close, &late);
    if (*frame == p->open) {
        if (late == p->open)
            return 0;
        return onward_mime__tell_anomaly(p, p->frames[late],
                                         ONWARD_MIME_LATE_DELIMITER, offset, 0);
    }
    if (has_lf && !allows_lf(p))
        return onward_mime__tell_anomaly(p, p->frames[*frame],
                                         ONWARD_MIME_LF_DELIMITER, offset, 0);
    return 1;
}

/* A line with more than LINE_MAX_OCTETS: is it a delimiter but for its length?
 * Its octets at data are at least that many. */
static int judge_long(struct onward_mime_parser *p, const unsigned char *data,
                      uint64_t offset)
{
    bool is_close = false;
    size_t late;
    size_t frame = find_frame(p, onward_core__str(data, LINE_MAX_OCTETS),
                              &is_close, &late);

    if (frame == p->open)
        return 0;
    return onward_mime__tell_anomaly(p, p->frames[frame],
                                     ONWARD_MIME_LONG_DELIMITER, offset, 0);
}

/* ---- Bodies ------------------------------------------------------------ */

/*
 * The first LF at or behind `at` with "--" behind it (or one "-" and the end),
 * else len. Most bodies have few hyphens, so they are looked for first; where
 * they stand close together, a few lines are looked at one by one.
 */
static size_t find_line(const unsigned char *data, size_t at, size_t len)
{
    while (at + 1 < len) {
        const unsigned char *dash = memchr(data + at + 1, '-', len - at - 1);
        size_t found;

        if (dash == NULL)
            return len;
        found = (size_t)(dash - data);
        if (data[found - 1] == '\n' &&
            (found + 1 == len || data[found + 1] == '-'))
            return found - 1;
        if (found - at >= 64) {
            at = found;
            continue;
        }
        at = found;
        for (int lines = 0; lines < 64; lines++) {
            const unsigned char *lf = memchr(data + at, '\n', len - at);

            if (lf == NULL)
                return len;
            at = (size_t)(lf - data);
            if (at + 1 < len && data[at + 1] == '-' &&
                (at + 2 == len || data[at + 2] == '-'))
                return at;
            at++;
        }
        at--;
    }
    return len;
}

/* Octets at the end of data that may be the line end before a delimiter. */
static size_t line_end_at(const unsigned char *data, size_t len)
{
    if (len > 0 && data[len - 1] == '\r')
        return 1;
    if (len > 0 && data[len - 1] == '\n')
        return len > 1 && data[len - 2] == '\r' ? 2 : 1;
    return 0;
}

static void hold(struct onward_mime_parser *p, const unsigned char *data,
                 size_t before, size_t len)
{
    ONWARD_ASSERT(len <= sizeof(p->hold));
    memcpy(p->hold, data, len);
    p->held = len;
    p->hold_eol = before;
}

/* Tell octets that are body, but for a line end that may belong to a
 * delimiter. */
static int tell_but_line_end(struct onward_mime_parser *p,
                             const unsigned char *data, size_t len)
{
    size_t end = is_splitting(p) ? line_end_at(data, len) : 0;
    int err = onward_mime__tell_body(p, data, len - end);

    if (end > 0)
        hold(p, data + len - end, end, end);
    return err;
}

/*
 * The line that begins at `start` of data. 1: it is whole, and was looked at:
 * *passed is behind it when it was a delimiter, else 0. 0: it goes on behind
 * data. Or a failure. What stands before it, from `told` on, is told where it
 * must be.
 */
static int try_line(struct onward_mime_parser *p, const unsigned char *data,
                    size_t len, size_t told, size_t start, size_t before,
                    size_t *passed)
{
    size_t left = len - start, frame = 0;
    size_t window = left < LINE_MAX_OCTETS + 2 ? left : LINE_MAX_OCTETS + 2;
    const unsigned char *lf = memchr(data + start, '\n', window);
    struct line line = {.data = data + start - before, .before = before};
    bool is_close = false;
    int ret;

    *passed = 0;
    if (lf == NULL && left < LINE_MAX_OCTETS + 2)
        return 0;
    if (lf != NULL) {
        line.len = (size_t)(lf - data) - start;
        line.behind = 1;
        if (line.len > 0 && data[start + line.len - 1] == '\r') {
            line.len--;
            line.behind = 2;
        }
    }
    if (lf == NULL || line.len > LINE_MAX_OCTETS) {
        ret = judge_long(p, data + start, p->offset + (start - told));
        return ret < 0 ? ret : 1;
    }
    /* judge() counts from what is told. */
    p->offset += start - before - told;
    ret = judge(p, &line, &frame, &is_close);
    p->offset -= start - before - told;
    if (ret <= 0)
        return ret < 0 ? ret : 1;
    ret = onward_mime__tell_body(p, data + told, start - before - told);
    if (ret == 0)
        ret = pass_delimiter(p, &line, frame, is_close);
    *passed = start + line.len + line.behind;
    return ret < 0 ? ret : 1;
}

/* Body octets, none held. Moves *at to the next octet to look at. */
static int scan_body(struct onward_mime_parser *p, const unsigned char *data,
                     size_t len, size_t *at)
{
    size_t told = *at, next = *at, passed = 0;
    bool is_first = p->at_line_start;

    p->at_line_start = false;
    if (!is_splitting(p)) {
        *at = len;
        return onward_mime__tell_body(p, data + told, len - told);
    }
    for (;;) {
        size_t start, before = 0;
        int ret;

        if (is_first && data[told] == '-') {
            start = told;
        } else {
            size_t lf = find_line(data, next, len);

            if (lf == len)
                break;
            before = lf > told && data[lf - 1] == '\r' ? 2 : 1;
            start = lf + 1;
        }
        is_first = false;
        ret = try_line(p, data, len, told, start, before, &passed);
        if (ret == 0) {
            ret = onward_mime__tell_body(p, data + told, start - before - told);
            hold(p, data + start - before, before, len - start + before);
            *at = len;
            return ret;
        }
        if (ret < 0 || passed != 0) {
            *at = passed;
            return ret < 0 ? ret : 0;
        }
        next = start;
    }
    *at = len;
    return tell_but_line_end(p, data + told, len - told);
}

/* ---- Held lines -------------------------------------------------------- */

static int feed_header(struct onward_mime_parser *p, const unsigned char *data,
                       size_t len, size_t *taken);

/* What is held is no delimiter. */
static int release(struct onward_mime_parser *p)
{
    unsigned char line[ONWARD_MIME__HOLD];
    size_t len = p->held, taken = 0;
    bool is_line_end = len == p->hold_eol;
    int err;

    memcpy(line, p->hold, len);
    p->held = 0;
    if (p->where != ONWARD_MIME__IN_HEADER)
        return is_line_end ? onward_mime__tell_body(p, line, len)
                           : tell_but_line_end(p, line, len);
    err = feed_header(p, line, len, &taken);
    if (err != 0 || taken == len)
        return err;
    /* The header was given up before the line: all of it is body. */
    err = onward_mime__tell_body(p, p->hold, p->held);
    p->held = 0;
    if (err == 0)
        err = tell_but_line_end(p, line + taken, len - taken);
    return err;
}

/* Octets of a header are told when it ends. */
static size_t untold(const struct onward_mime_parser *p)
{
    return p->where == ONWARD_MIME__IN_HEADER ? p->header.block.len : 0;
}

/* The held line is too long. */
static int end_long(struct onward_mime_parser *p)
{
    int err = judge_long(p, p->hold + p->hold_eol,
                         p->offset + untold(p) + p->hold_eol);

    return err == 0 ? release(p) : err;
}

/* The held line is whole: with `behind` octets of line end. */
static int end_held(struct onward_mime_parser *p, size_t behind)
{
    unsigned char copy[ONWARD_MIME__HOLD];
    struct line line = {.data = copy,
                        .before = p->hold_eol,
                        .len = p->held - p->hold_eol - behind,
                        .behind = behind};
    bool is_close = false;
    size_t frame = 0;
    int ret;

    if (line.len > LINE_MAX_OCTETS)
        return end_long(p);
    memcpy(copy, p->hold, p->held);
    p->offset += untold(p);
    ret = judge(p, &line, &frame, &is_close);
    p->offset -= untold(p);
    if (ret < 0)
        return ret;
    if (ret == 0)
        return release(p);
    p->held = 0;
    if (p->where == ONWARD_MIME__IN_HEADER) {
        /* A message in it has an empty header, too. */
        while (ret >= 0 && p->where == ONWARD_MIME__IN_HEADER) {
            ret = onward_header_finish(&p->header);
            if (ret == 0)
                ret = onward_mime__part_header(p);
        }
        /* The header may have brought this boundary once more. */
        if (ret == 0)
            ret = judge(p, &line, &frame, &is_close);
        if (ret < 0)
            return ret;
    }
    return pass_delimiter(p, &line, frame, is_close);
}

/* Go on with a held line, or begin to hold one. */
static int scan_held(struct onward_mime_parser *p, const unsigned char *data,
                     size_t len, size_t *at)
{
    size_t have, room, take;
    const unsigned char *lf;

    if (p->held == 1 && p->hold_eol == 1 && p->hold[0] == '\r') {
        if (data[*at] != '\n')
            return release(p);
        p->hold[p->held++] = '\n';
        p->hold_eol = 2;
        if (++*at == len)
            return 0;
    }
    have = p->held - p->hold_eol;
    while (have < 2) {
        if (data[*at] != '-')
            return release(p);
        p->hold[p->held++] = '-';
        have++;
        if (++*at == len)
            return 0;
    }
    room = LINE_MAX_OCTETS + 2 - have;
    take = len - *at < room ? len - *at : room;
    lf = memchr(data + *at, '\n', take);
    if (lf != NULL)
        take = (size_t)(lf - data) + 1 - *at;
    memcpy(p->hold + p->held, data + *at, take);
    p->held += take;
    *at += take;
    if (lf != NULL)
        return end_held(p, p->hold[p->held - 2] == '\r' ? 2 : 1);
    if (take < room)
        return 0;
    return end_long(p);
}

/* ---- Headers ----------------------------------------------------------- */

/* The header is over a limit. What was taken of it is body, as what comes. */
static int give_up_header(struct onward_mime_parser *p)
{
    struct onward_buf *block = &p->header.block;
    int err = onward_mime__part_unread(p, ONWARD_MIME_HEADER_LIMIT);

    p->at_line_start = block->len == 0;
    p->header_bytes = p->opts.header_bytes - p->header_bytes > block->len
                          ? p->header_bytes + block->len
                          : p->opts.header_bytes;
    if (err == 0 && block->len > 0)
        err = tell_but_line_end(p, block->data, block->len);
    return err;
}

/* Octets of the header that hold no delimiter. *taken: those that are done
 * with. */
static int feed_header(struct onward_mime_parser *p, const unsigned char *data,
                       size_t len, size_t *taken)
{
    size_t before = p->header.block.len;
    int ret = onward_header_feed(&p->header, data, len, taken);

    if (ret == ONWARD_ELIMIT) {
        *taken = p->header.block.len - before;
        return give_up_header(p);
    }
    if (ret < 0)
        return ret;
    return ret == 1 ? onward_mime__part_header(p) : 0;
}

static int scan_header(struct onward_mime_parser *p, const unsigned char *data,
                       size_t len, size_t *at)
{
    const struct onward_header *h = &p->header;
    size_t n = len - *at < HEADER_WINDOW ? len - *at : HEADER_WINDOW;
    size_t taken = 0;
    int err;

    if (is_splitting(p)) {
        size_t from = *at;

        if (data[from] == '-' && h->block.len == h->line) {
            p->hold_eol = 0;
            return scan_held(p, data, len, at);
        }
        while (from < *at + n) {
            const unsigned char *lf = memchr(data + from, '\n', *at + n - from);

            if (lf == NULL)
                break;
            from = (size_t)(lf - data) + 1;
            if (from < len && data[from] == '-') {
                n = from - *at;
                break;
            }
        }
    }
    err = feed_header(p, data + *at, n, &taken);
    *at += taken;
    return err;
}

/* ---- The parser -------------------------------------------------------- */

static int feed(struct onward_mime_parser *p, const unsigned char *data,
                size_t len)
{
    size_t at = 0;
    int err = 0;

    if (p->open == 0 && !p->is_finished)
        err = onward_mime__part_begin(p);
    while (err == 0 && at < len) {
        if (p->held > 0)
            err = scan_held(p, data, len, &at);
        else if (p->where == ONWARD_MIME__IN_HEADER)
            err = scan_header(p, data, len, &at);
        else
            err = scan_body(p, data, len, &at);
    }
    return err;
}

int onward_mime_parser_feed(struct onward_mime_parser *parser, const void *data,
                            size_t len)
{
    int err;

    if (parser->err != 0 || parser->is_finished)
        return ONWARD_ESTATE;
    err = feed(parser, data, len);
    parser->err = err;
    return err;
}

static int finish(struct onward_mime_parser *p)
{
    int err = feed(p, NULL, 0);

    /* A line without an end may yet be a delimiter. */
    if (err == 0 && p->held > 0)
        err = end_held(p, 0);
    if (err == 0 && p->held > 0) {
        err = onward_mime__tell_body(p, p->hold, p->held);
        p->held = 0;
    }
    while (err == 0 && p->where == ONWARD_MIME__IN_HEADER) {
        err = onward_header_finish(&p->header);
        if (err == ONWARD_ELIMIT)
            err = give_up_header(p);
        else if (err == 0)
            err = onward_mime__part_header(p);
    }
    if (err == 0 && p->held > 0)
        err = onward_mime__tell_body(p, p->hold, p->held);
    p->held = 0;
    while (err == 0 && p->open > 0)
        err = onward_mime__part_end(p);
    return err;
}

int onward_mime_parser_finish(struct onward_mime_parser *parser)
{
    int err;

    if (parser->err != 0 || parser->is_finished)
        return ONWARD_ESTATE;
    err = finish(parser);
    parser->err = err;
    parser->is_finished = true;
    return err;
}

enum {
    MAX_DEPTH = 100,
    MAX_PARTS = 10000,
    HEADER_BYTES = 2097152,
    MAX_ANOMALIES = 1000
};

static int load(struct onward_mime_parser *p,
                const struct onward_mime_handler *handler,
                const struct onward_mime_opts *opts)
{
    struct onward_mime_opts *o = &p->opts;
    int err = onward_core__opts_load(&p->handler, sizeof(p->handler), handler);

    if (err == 0 && p->handler.event == NULL)
        err = ONWARD_EINVAL;
    if (err == 0)
        err = onward_core__opts_load(o, sizeof(*o), opts);
    if (err == 0)
        err = onward_mime__text_opts_load(&p->text, o->text);
    if (err == 0)
        err = onward_core__arena_dup(&p->texts, p->text.raw_charset,
                                     &p->text.raw_charset);
    if (err != 0)
        return err;
    o->text = NULL;
    o->max_depth = onward_core__limit(o->max_depth, MAX_DEPTH);
    o->max_parts = onward_core__limit(o->max_parts, MAX_PARTS);
    o->header_bytes = onward_core__limit(o->header_bytes, HEADER_BYTES);
    o->max_anomalies = onward_core__limit(o->max_anomalies, MAX_ANOMALIES);
    p->header.allow_lf = allows_lf(p);
    if ((o->flags & ONWARD_MIME_DECODE) == 0)
        return 0;
    p->out = onward_core__alloc(p->ctx, ONWARD_MIME__OUT);
    return p->out == NULL ? ONWARD_ENOMEM : 0;
}

int onward_mime_parser_new(struct onward_ctx *ctx,
                           const struct onward_mime_handler *handler,
                           const struct onward_mime_opts *opts,
                           struct onward_mime_parser **parser)
{
    struct onward_mime_parser *made = onward_core__zalloc(ctx, sizeof(*made));
    int err;

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&made->texts, ctx, SIZE_MAX);
    onward_mime__header_init(&made->header, ctx);
    err = load(made, handler, opts);
    if (err != 0) {
        onward_mime_parser_free(made);
        return err;
    }
    *parser = made;
    return 0;
}

void onward_mime_parser_reset(struct onward_mime_parser *parser)
{
    parser->open = 0;
    parser->split_count = 0;
    parser->offset = 0;
    parser->parts = 0;
    parser->header_bytes = 0;
    parser->anomalies = 0;
    parser->is_all_body = false;
    parser->held = 0;
    parser->err = 0;
    parser->is_finished = false;
}

void onward_mime_parser_free(struct onward_mime_parser *parser)
{
    struct onward_ctx *ctx;

    if (parser == NULL)
        return;
    ctx = parser->ctx;
    for (size_t i = 0; i < parser->frame_count; i++) {
        onward_core__arena_clear(&parser->frames[i]->arena);
        onward_core__free(ctx, parser->frames[i]);
    }
    onward_core__free(ctx, parser->frames);
    onward_core__free(ctx, parser->out);
    onward_mime__header_clear(&parser->header);
    onward_core__arena_clear(&parser->texts);
    onward_core__free(ctx, parser);
    onward_ctx_free(ctx);
}
