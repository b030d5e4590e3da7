/*
 * Reads the answer of a policy host (RFC 8461 section 3.3, RFC 9112). Only 200
 * with text/plain and at most 64 KiB counts; a redirect, a content coding and
 * whatever could be read in two ways is a failure.
 */
#include "mtasts/http_priv.h"

#include "core/text_shared.h"

enum {
    HEAD_MAX =
        16384, /* octets of all lines: status, fields, chunks, trailers */
    LINE_MAX = 8192,
    CHUNK_DIGITS = 8 /* of a size in hexadecimal */
};

void onward_mtasts__http_init(struct onward_mtasts__http *h,
                              struct onward_ctx *ctx)
{
    memset(h, 0, sizeof(*h));
    h->head_left = HEAD_MAX;
    onward_core__buf_init(&h->line, ctx, LINE_MAX);
    onward_core__buf_init(&h->body, ctx, ONWARD_MTASTS_POLICY_MAX);
}

void onward_mtasts__http_clear(struct onward_mtasts__http *h)
{
    onward_core__buf_clear(&h->line);
    onward_core__buf_clear(&h->body);
}

static void fail(struct onward_mtasts__http *h,
                 enum onward_mtasts_reason reason)
{
    h->state = ONWARD_MTASTS__FAILED;
    h->reason = reason;
}

/* ---- The head ---------------------------------------------------------- */

/* tchar (RFC 9110 section 5.6.2) */
static bool is_token(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return s.len != 0;
}

/* "HTTP/1.1 200 OK"; the reason phrase, and the space before it, may be gone.
 */
static void read_status(struct onward_mtasts__http *h, struct onward_str line)
{
    struct onward_str digits = onward_core__sub(line, 9, 12);
    uint64_t status;

    if (!onward_core__str_starts(line, ONWARD_STR("HTTP/1.")) ||
        line.len < 12 || !onward_ascii_is_digit((unsigned char)line.data[7]) ||
        line.data[8] != ' ' ||
        onward_core__parse_u64(digits, 3, &status) != 0 || status < 100 ||
        (line.len > 12 && line.data[12] != ' ')) {
        fail(h, ONWARD_MTASTS_REASON_HTTP);
        return;
    }
    h->is_old = line.data[7] == '0';
    h->status = (size_t)status;
    h->state = ONWARD_MTASTS__FIELDS;
}

bool onward_mtasts__is_text_plain(struct onward_str content_type)
{
    size_t end = onward_core__str_find(content_type, ';');

    return onward_core__str_ieq(
        onward_core__str_trim(onward_core__sub(content_type, 0, end)),
        ONWARD_STR("text/plain"));
}

/* Two lengths that differ, or a length beside chunks, would leave it to the
 * reader where the body ends. */
static bool read_length(struct onward_mtasts__http *h, struct onward_str value)
{
    uint64_t length;

    if (onward_core__parse_u64(value, 18, &length) != 0)
        return false;
    if (length > ONWARD_MTASTS_POLICY_MAX)
        length = ONWARD_MTASTS_POLICY_MAX + (uint64_t)1;
    if (h->has_length && h->body_left != length)
        return false;
    h->has_length = true;
    h->body_left = (size_t)length;
    return true;
}

static bool read_field(struct onward_mtasts__http *h, struct onward_str name,
                       struct onward_str value)
{
    if (onward_core__str_ieq(name, ONWARD_STR("content-length")))
        return read_length(h, value);
    if (onward_core__str_ieq(name, ONWARD_STR("transfer-encoding"))) {
        bool is_first = !h->is_chunked;

        h->is_chunked = true;
        return is_first && !h->is_old &&
               onward_core__str_ieq(value, ONWARD_STR("chunked"));
    }
    if (onward_core__str_ieq(name, ONWARD_STR("content-type"))) {
        h->is_text = !h->has_type && onward_mtasts__is_text_plain(value);
        h->has_type = true;
    } else if (onward_core__str_ieq(name, ONWARD_STR("content-encoding"))) {
        h->is_encoded = h->is_encoded ||
                        !onward_core__str_ieq(value, ONWARD_STR("identity"));
    }
    return true;
}

static bool is_field_line(struct onward_str line, struct onward_str *name,
                          struct onward_str *value)
{
    size_t colon = onward_core__str_find(line, ':');

    *name = onward_core__sub(line, 0, colon);
    *value = onward_core__str_trim(onward_core__sub(line, colon + 1, line.len));
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return colon < line.len && is_token(*name);
}

/* The empty line. */
static void end_head(struct onward_mtasts__http *h)
{
    if (h->status < 200 && h->status != 101) {
        /* An interim answer: the real one follows (RFC 9110 section 15.2). */
        size_t left = h->head_left;
        struct onward_buf line = h->line, body = h->body;

        memset(h, 0, sizeof(*h));
        h->head_left = left;
        h->line = line;
        h->body = body;
    } else if (h->status != 200) {
        fail(h, ONWARD_MTASTS_REASON_STATUS);
    } else if (h->is_encoded) {
        fail(h, ONWARD_MTASTS_REASON_ENCODING);
    } else if (!h->is_text) {
        fail(h, ONWARD_MTASTS_REASON_MEDIA_TYPE);
    } else if (h->is_chunked && h->has_length) {
        fail(h, ONWARD_MTASTS_REASON_HTTP);
    } else if (h->is_chunked) {
        h->state = ONWARD_MTASTS__CHUNK_SIZE;
    } else if (!h->has_length) {
        h->state = ONWARD_MTASTS__OPEN;
    } else if (h->body_left > ONWARD_MTASTS_POLICY_MAX) {
        fail(h, ONWARD_MTASTS_REASON_TOO_LONG);
    } else {
        h->state =
            h->body_left == 0 ? ONWARD_MTASTS__WHOLE : ONWARD_MTASTS__SIZED;
    }
}

/* ---- Chunks (RFC 9112 section 7.1) ------------------------------------- */

static void read_chunk_size(struct onward_mtasts__http *h,
                            struct onward_str line)
{
    uint64_t size = 0;
    size_t at = 0;

    while (at < line.len && at < CHUNK_DIGITS &&
           onward_ascii_hex((unsigned char)line.data[at]) >= 0)
        size = size * 16 +
               (uint64_t)onward_ascii_hex((unsigned char)line.data[at++]);
    if (at == 0 || (at < line.len && line.data[at] != ';' &&
                    !onward_ascii_is_wsp((unsigned char)line.data[at]))) {
        fail(h, ONWARD_MTASTS_REASON_HTTP);
    } else if (size > ONWARD_MTASTS_POLICY_MAX - h->body.len) {
        fail(h, ONWARD_MTASTS_REASON_TOO_LONG);
    } else {
        /* As many lines as chunks are no waste, but what stands in them is. */
        h->head_left += at + 2;
        h->body_left = (size_t)size;
        h->state = size == 0 ? ONWARD_MTASTS__TRAILERS : ONWARD_MTASTS__CHUNK;
    }
}

/* ---- Lines and bodies -------------------------------------------------- */

static void take_line(struct onward_mtasts__http *h, struct onward_str line)
{
    struct onward_str name, value;

    switch (h->state) {
    case ONWARD_MTASTS__STATUS_LINE:
        read_status(h, line);
        return;
    case ONWARD_MTASTS__FIELDS:
        if (line.len == 0)
            end_head(h);
        else if (!is_field_line(line, &name, &value) ||
                 !read_field(h, name, value))
            fail(h, ONWARD_MTASTS_REASON_HTTP);
        return;
    case ONWARD_MTASTS__CHUNK_SIZE:
        read_chunk_size(h, line);
        return;
    case ONWARD_MTASTS__CHUNK_END:
        h->head_left += 2;
        if (line.len == 0)
            h->state = ONWARD_MTASTS__CHUNK_SIZE;
        else
            fail(h, ONWARD_MTASTS_REASON_HTTP);
        return;
    case ONWARD_MTASTS__TRAILERS:
        if (line.len == 0)
            h->state = ONWARD_MTASTS__WHOLE;
        else if (!is_field_line(line, &name, &value))
            fail(h, ONWARD_MTASTS_REASON_HTTP);
        return;
    case ONWARD_MTASTS__SIZED:
    case ONWARD_MTASTS__OPEN:
    case ONWARD_MTASTS__CHUNK:
    case ONWARD_MTASTS__WHOLE:
    case ONWARD_MTASTS__FAILED:
        return;
    }
}

/* Octets taken: up to the line's end, at most all. */
static size_t feed_line(struct onward_mtasts__http *h, const char *data,
                        size_t len)
{
    size_t n = onward_core__str_find(onward_core__str(data, len), '\n');
    bool is_end = n < len;
    struct onward_str line;

    n += is_end ? 1 : 0;
    if (n > h->head_left || n > LINE_MAX - h->line.len) {
        fail(h, ONWARD_MTASTS_REASON_HTTP);
        return len;
    }
    h->head_left -= n;
    if (onward_core__buf_add(&h->line, data, n) != 0) {
        fail(h, ONWARD_MTASTS_REASON_INTERNAL);
        return len;
    }
    if (!is_end)
        return n;
    line = onward_core__buf_str(&h->line);
    if (line.len < 2 || line.data[line.len - 2] != '\r')
        fail(h, ONWARD_MTASTS_REASON_HTTP);
    else
        take_line(h, onward_core__sub(line, 0, line.len - 2));
    onward_core__buf_reset(&h->line);
    return n;
}

static size_t feed_body(struct onward_mtasts__http *h, const char *data,
                        size_t len)
{
    bool is_open = h->state == ONWARD_MTASTS__OPEN;
    size_t n = is_open || len < h->body_left ? len : h->body_left;
    int err = onward_core__buf_add(&h->body, data, n);

    if (err != 0) {
        fail(h, err == ONWARD_ELIMIT ? ONWARD_MTASTS_REASON_TOO_LONG
                                     : ONWARD_MTASTS_REASON_INTERNAL);
        return len;
    }
    if (is_open)
        return n;
    h->body_left -= n;
    if (h->body_left == 0)
        h->state = h->state == ONWARD_MTASTS__CHUNK ? ONWARD_MTASTS__CHUNK_END
                                                    : ONWARD_MTASTS__WHOLE;
    return n;
}

void onward_mtasts__http_feed(struct onward_mtasts__http *h, const void *data,
                              size_t len)
{
    const char *at = data;

    while (len > 0 && !onward_mtasts__http_is_done(h)) {
        bool is_body = h->state == ONWARD_MTASTS__SIZED ||
                       h->state == ONWARD_MTASTS__OPEN ||
                       h->state == ONWARD_MTASTS__CHUNK;
        size_t n = is_body ? feed_body(h, at, len) : feed_line(h, at, len);

        at += n;
        len -= n;
    }
}

void onward_mtasts__http_end(struct onward_mtasts__http *h, bool is_clean)
{
    if (onward_mtasts__http_is_done(h))
        return;
    if (is_clean && h->state == ONWARD_MTASTS__OPEN)
        h->state = ONWARD_MTASTS__WHOLE;
    else
        fail(h, ONWARD_MTASTS_REASON_CUT);
}
