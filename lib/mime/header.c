/*
 * The header splitter: takes octets cut anywhere, keeps the block and turns
 * each finished line into an item, a continuation, an anomaly or the end. What
 * the items are asked later is in header_read.c.
 */
#include "mime/mime_priv.h"

enum {
    LINE_MAX_OCTETS = 998 /* RFC 5322 section 2.1.1, without the CRLF */
};

void onward_mime__header_init(struct onward_header *h, struct onward_ctx *ctx)
{
    size_t most = onward_core__limits(ctx)->header_bytes;

    memset(h, 0, sizeof(*h));
    h->ctx = ctx;
    h->max_bytes = most;
    /* The empty line passes through the buffer, too, and is taken out. */
    onward_core__buf_init(&h->block, ctx,
                          most > SIZE_MAX - 2 ? SIZE_MAX : most + 2);
    onward_core__arena_init(&h->texts, ctx, SIZE_MAX);
}

void onward_mime__header_clear(struct onward_header *h)
{
    if (h->ctx == NULL)
        return;
    onward_core__buf_clear(&h->block);
    onward_core__arena_clear(&h->texts);
    onward_core__free(h->ctx, h->items);
    onward_core__free(h->ctx, h->names);
    onward_core__free(h->ctx, h->anomalies);
    memset(h, 0, sizeof(*h));
}

void onward_mime__header_reset(struct onward_header *h)
{
    onward_core__buf_reset(&h->block);
    onward_core__arena_reset(&h->texts);
    h->count = 0;
    h->line = 0;
    h->body = 0;
    h->name_slots = 0;
    h->anomaly_count = 0;
    h->err = 0;
    h->is_done = false;
    h->is_malformed = false;
    h->awaits_colon = false;
}

int onward_header_new(struct onward_ctx *ctx, struct onward_header **header)
{
    struct onward_header *h = onward_core__zalloc(ctx, sizeof(*h));

    if (h == NULL)
        return ONWARD_ENOMEM;
    onward_mime__header_init(h, onward_ctx_ref(ctx));
    *header = h;
    return 0;
}

void onward_header_free(struct onward_header *header)
{
    struct onward_ctx *ctx;

    if (header == NULL)
        return;
    ctx = header->ctx;
    onward_mime__header_clear(header);
    onward_core__free(ctx, header);
    onward_ctx_free(ctx);
}

/* Room for one more item in an array of the header's. */
static int grow(struct onward_header *h, void **array, size_t count,
                size_t *cap, size_t item_size)
{
    size_t want = *cap == 0 ? 16 : *cap * 2;
    void *moved;

    if (count < *cap)
        return 0;
    if (want > SIZE_MAX / 2 / item_size)
        return ONWARD_ELIMIT;
    moved = onward_core__realloc(h->ctx, *array, want * item_size);
    if (moved == NULL)
        return ONWARD_ENOMEM;
    *array = moved;
    *cap = want;
    return 0;
}

static int note(struct onward_header *h, int code, size_t offset, size_t item)
{
    void *array = h->anomalies;
    int err;

    if (onward_mime__is_malformed_code(code))
        h->is_malformed = true;
    if (h->anomaly_count == ONWARD_HEADER_ANOMALIES)
        return 0;
    err = grow(h, &array, h->anomaly_count, &h->anomaly_cap,
               sizeof(*h->anomalies));
    h->anomalies = array;
    if (err != 0)
        return err;
    h->anomalies[h->anomaly_count++] = (struct onward_mime__anomaly){
        .offset = offset, .item = item, .code = code};
    return 0;
}

/* Each kind is noted once a line: its first octet says enough. */
static int note_octets(struct onward_header *h, struct onward_str line,
                       size_t offset, size_t item)
{
    unsigned seen = 0;
    bool is_8bit = false;

    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];
        int code;
        int err;

        if (line.len - i >= 8 && onward_ascii_is_plain8(line.data + i, ' ')) {
            i += 7;
            continue;
        }
        if ((c >= ' ' && c < 0x7f) || c == '\t')
            continue;
        if (c >= 0x80) {
            is_8bit = true;
            continue;
        }
        code = c == '\r'   ? ONWARD_HEADER_BARE_CR
               : c == '\n' ? ONWARD_HEADER_BARE_LF
               : c == 0    ? ONWARD_HEADER_NUL
                           : ONWARD_HEADER_CONTROL;
        if ((seen & (1u << code)) != 0)
            continue;
        seen |= 1u << code;
        err = note(h, code, offset + i, item);
        if (err != 0)
            return err;
    }
    if (is_8bit && !onward_core__is_utf8(line))
        return note(h, ONWARD_HEADER_BAD_UTF8, offset, item);
    return 0;
}

/* Split the first line of an item; item->name_len stays 0 for no field. */
static int split_field(struct onward_header *h, struct onward_mime__item *item,
                       struct onward_str line)
{
    size_t colon = onward_core__str_find(line, ':');
    struct onward_str name = onward_core__sub(line, 0, colon);
    size_t at = item->offset;
    size_t self = h->count;

    h->awaits_colon = false;
    if (onward_ascii_is_wsp((unsigned char)line.data[0]))
        return note(h, ONWARD_HEADER_LEADING_FOLD, at, self);
    if (colon == line.len) {
        h->awaits_colon = true;
        return note(h, ONWARD_HEADER_NO_COLON, at, self);
    }
    while (name.len > 0 &&
           onward_ascii_is_wsp((unsigned char)name.data[name.len - 1]))
        name.len--;
    if (name.len == 0)
        return note(h, ONWARD_HEADER_EMPTY_NAME, at, self);
    if (!onward_mime__is_field_name(name))
        return note(h, ONWARD_HEADER_BAD_NAME, at, self);
    item->name_len = name.len;
    item->value_offset = at + colon + 1;
    item->value_len = line.len - colon - 1;
    if (name.len < colon)
        return note(h, ONWARD_HEADER_WSP_COLON, at + name.len, self);
    return 0;
}

static int open_item(struct onward_header *h, struct onward_str line,
                     size_t len)
{
    struct onward_mime__item item = {.offset = h->line,
                                     .len = len,
                                     .value_offset = h->line,
                                     .above = ONWARD_HEADER_NONE,
                                     .below = ONWARD_HEADER_NONE};
    void *array = h->items;
    int err;

    if (h->count >= onward_core__limits(h->ctx)->header_fields)
        return ONWARD_ELIMIT;
    err = grow(h, &array, h->count, &h->cap, sizeof(item));
    h->items = array;
    if (err == 0)
        err = split_field(h, &item, line);
    if (err != 0)
        return err;
    h->items[h->count++] = item;
    return 0;
}

/* A line that starts with white space belongs to the item above it. */
static int continue_item(struct onward_header *h, struct onward_str line,
                         size_t len)
{
    struct onward_mime__item *item = &h->items[h->count - 1];
    size_t self = h->count - 1;

    item->len += len;
    if (item->name_len != 0)
        item->value_len = h->line + line.len - item->value_offset;
    if (h->awaits_colon && onward_core__str_find(line, ':') < line.len) {
        h->awaits_colon = false;
        return note(h, ONWARD_HEADER_FOLDED_NAME, h->line, self);
    }
    /* A line that looks empty ends the header for some readers. */
    if (onward_core__str_trim(line).len == 0)
        return note(h, ONWARD_HEADER_BLANK_FOLD, h->line, self);
    return 0;
}

/* The line from h->line to the end of the block is whole; its last `eol` octets
 * are its CRLF (0 when the message was cut). */
static int end_line(struct onward_header *h, size_t eol)
{
    size_t start = h->line;
    size_t len = h->block.len - start;
    struct onward_str line = onward_core__str(h->block.data + start, len - eol);
    bool is_fold =
        line.len > 0 && onward_ascii_is_wsp((unsigned char)line.data[0]);
    int err;

    if (is_fold && h->count > 0)
        err = continue_item(h, line, len);
    else
        err = open_item(h, line, len);
    if (err == 0)
        err = note_octets(h, line, start, h->count - 1);
    if (err == 0 && line.len > LINE_MAX_OCTETS)
        err = note(h, ONWARD_HEADER_LONG_LINE, start, h->count - 1);
    if (err == 0 && eol == 0)
        err = note(h, ONWARD_HEADER_CUT_LINE, h->block.len, h->count - 1);
    h->line = h->block.len;
    return err;
}

static int end_block(struct onward_header *h, size_t empty_line)
{
    int err;

    h->body = h->block.len;
    h->block.len -= empty_line;
    err = onward_mime__index_names(h);
    h->is_done = err == 0;
    return err;
}

/* Octets that may be the start of the empty line stand outside the limit. */
static bool is_over(const struct onward_header *h)
{
    size_t most = h->max_bytes;
    size_t len = h->block.len - h->line;
    const unsigned char *line = h->block.data + h->line;

    if (h->block.len <= most)
        return false;
    if (h->allow_lf && len == 1 && line[0] == '\n')
        return h->line > most;
    return h->line > most || len > 2 || line[0] != '\r' ||
           (len == 2 && line[1] != '\n');
}

/* Take the octets up to and including the next LF, or all. */
static int take_piece(struct onward_header *h, const char *data, size_t len,
                      size_t *taken)
{
    const char *lf = memchr(data, '\n', len);
    size_t n = lf == NULL ? len : (size_t)(lf - data) + 1;
    size_t line_len, eol;
    int err = onward_core__buf_add(&h->block, data, n);

    if (err != 0)
        return err;
    *taken += n;
    if (is_over(h))
        return ONWARD_ELIMIT;
    line_len = h->block.len - h->line;
    if (lf == NULL)
        return 0;
    eol = line_len >= 2 && h->block.data[h->block.len - 2] == '\r' ? 2 : 1;
    if (eol == 1 && !h->allow_lf)
        return 0;
    return line_len == eol ? end_block(h, eol) : end_line(h, eol);
}

static int fail(struct onward_header *h, int err)
{
    h->err = err;
    return err;
}

int onward_header_feed(struct onward_header *header, const void *data,
                       size_t len, size_t *taken)
{
    const char *octets = data;
    size_t done = 0;

    if (header->err != 0)
        return ONWARD_ESTATE;
    while (!header->is_done && done < len) {
        int err = take_piece(header, octets + done, len - done, &done);

        if (err != 0)
            return fail(header, err);
    }
    *taken = done;
    return header->is_done ? 1 : 0;
}

int onward_header_finish(struct onward_header *header)
{
    int err = 0;

    if (header->err != 0)
        return ONWARD_ESTATE;
    if (header->is_done)
        return 0;
    if (header->block.len > header->line)
        err = end_line(header, 0);
    if (err == 0)
        err = note(header, ONWARD_HEADER_NO_END, header->block.len,
                   ONWARD_HEADER_NONE);
    if (err == 0)
        err = end_block(header, 0);
    return err == 0 ? 0 : fail(header, err);
}
