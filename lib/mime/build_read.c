/*
 * The octets of a built message, from any offset: text as it was written, parts
 * encoded as they are read.
 */
#include "mime/builder_priv.h"

enum { RAW_CHUNK = ONWARD_MIME__BASE64_RAW * 64 };

/* The segment that holds an offset below the message's length. */
static const struct onward_builder__segment *
find_segment(const struct onward_builder *b, uint64_t offset)
{
    size_t low = 0, high = b->segment_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (b->segments[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return &b->segments[low];
}

/* Octets of a part as it is; at most len, at least 1. 0 or an error. */
static int read_raw(const struct onward_builder__part *p, uint64_t at,
                    void *buf, size_t len, size_t *got)
{
    int err;

    if (p->source.read == NULL) {
        memcpy(buf, p->data.data + at, len);
        *got = len;
        return 0;
    }
    *got = 0;
    err = p->source.read(p->source.user, at, buf, len, got);
    if (err == 0 && (*got == 0 || *got > len))
        err = ONWARD_ECALLBACK;
    return err;
}

/* The same, all of *len or whole lines of it; less than a line when the source
 * has to wait is kept for the next time. */
static int read_lines(struct onward_builder *b,
                      const struct onward_builder__part *p, uint64_t at,
                      unsigned char *buf, size_t *len)
{
    size_t have = 0;

    if (b->stash_part == p && b->stash_from == at) {
        have = b->stash_len < *len ? b->stash_len : *len;
        memcpy(buf, b->stash, have);
    }
    while (have < *len) {
        size_t got;
        int err = read_raw(p, at + have, buf + have, *len - have, &got);

        if (err == 0) {
            have += got;
            continue;
        }
        if (err == ONWARD_AGAIN && have >= ONWARD_MIME__BASE64_RAW) {
            *len = have - have % ONWARD_MIME__BASE64_RAW;
            return 0;
        }
        if (err == ONWARD_AGAIN && p->source.wait == NULL)
            return ONWARD_ECALLBACK;
        if (err == ONWARD_AGAIN && have > 0) {
            memcpy(b->stash, buf, have);
            b->stash_part = p;
            b->stash_from = at;
            b->stash_len = have;
        }
        return err;
    }
    return 0;
}

/* Base64 of a part from octet `at` of its lines. */
static int read_base64(struct onward_builder *b,
                       const struct onward_builder__part *p, uint64_t at,
                       unsigned char *buf, size_t cap, size_t *got)
{
    uint64_t all = p->source.read != NULL ? p->source.len : p->data.len;
    uint64_t from = at / ONWARD_MIME__BASE64_LINE * ONWARD_MIME__BASE64_RAW;
    size_t skip = (size_t)(at % ONWARD_MIME__BASE64_LINE), len;
    unsigned char raw[RAW_CHUNK], line[ONWARD_MIME__BASE64_LINE];
    const unsigned char *data = raw;
    bool is_whole = skip == 0 && cap >= ONWARD_MIME__BASE64_LINE;
    uint64_t room =
        is_whole ? cap / ONWARD_MIME__BASE64_LINE * ONWARD_MIME__BASE64_RAW
                 : ONWARD_MIME__BASE64_RAW;
    int err;

    if (room > all - from)
        room = all - from;
    if (p->source.read == NULL) {
        data = (const unsigned char *)p->data.data + from;
    } else {
        size_t n = room < RAW_CHUNK ? (size_t)room : RAW_CHUNK;

        err = read_lines(b, p, from, raw, &n);
        if (err != 0)
            return err;
        room = n;
    }
    if (is_whole) {
        *got = onward_mime__base64_lines(buf, data, (size_t)room);
        return 0;
    }
    len = onward_mime__base64_lines(line, data, (size_t)room) - skip;
    *got = len < cap ? len : cap;
    memcpy(buf, line + skip, *got);
    return 0;
}

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    struct onward_builder *b = user;
    const struct onward_builder__segment *s;
    uint64_t at;
    size_t len;

    if (offset >= b->whole.len) {
        *got = 0;
        return 0;
    }
    s = find_segment(b, offset);
    at = offset - s->offset;
    len = s->len - at < cap ? (size_t)(s->len - at) : cap;
    if (s->part == NULL) {
        memcpy(buf, b->text.data + s->from + at, len);
        *got = len;
        return 0;
    }
    b->waiting = s->part;
    if (s->part->goes_as_it_is)
        return read_raw(s->part, at, buf, len, got);
    return read_base64(b, s->part, at, buf, len, got);
}

/* The read before has said ONWARD_AGAIN. */
static void wait_for_part(void *user, uint64_t token)
{
    const struct onward_builder *b = user;

    b->waiting->source.wait(b->waiting->source.user, token);
}

void onward_builder__make_source(struct onward_builder *b)
{
    const struct onward_builder__segment *last =
        &b->segments[b->segment_count - 1];
    bool can_wait = false;

    for (const struct onward_builder__part *p = b->parts; p != NULL;
         p = p->next)
        can_wait = can_wait || p->source.wait != NULL;
    b->whole = (struct onward_source){.size = sizeof(b->whole),
                                      .user = b,
                                      .len = last->offset + last->len,
                                      .read = read_message,
                                      .wait = can_wait ? wait_for_part : NULL};
}
