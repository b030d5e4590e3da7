/*
 * The hash over header fields (RFC 6376 sections 3.7 and 5.4.2): which fields
 * h= means, and their canonical forms into SHA-256.
 */
#include "dkim/dkim_shared.h"

static void emit_sha256(void *user, const void *data, size_t len)
{
    sha256_update(user, len, data);
}

void onward_dkim__hash_field(struct sha256_ctx *sha,
                             enum onward_dkim__canon canon,
                             struct onward_str field, struct onward_str hole,
                             bool with_crlf)
{
    struct onward_dkim__sink sink = {.emit = emit_sha256, .user = sha};

    onward_dkim__canon_header(canon, field, hole, &sink);
    if (with_crlf)
        sha256_update(sha, 2, (const uint8_t *)"\r\n");
}

struct onward_str onward_dkim__field(const struct onward_header *header,
                                     size_t i)
{
    struct onward_str raw = onward_mime__raw(header, i);

    if (raw.len >= 2 && raw.data[raw.len - 1] == '\n' &&
        raw.data[raw.len - 2] == '\r')
        raw.len -= 2;
    return raw;
}

int onward_dkim__hash_fields(struct sha256_ctx *sha,
                             enum onward_dkim__canon canon,
                             const struct onward_header *header,
                             struct onward_str fields, size_t own)
{
    /*
     * next[i], for the lowest field i of a name: the field of that name that is
     * taken next, plus 2, so that ONWARD_HEADER_NONE is 1; 0 is i itself. So
     * each field is looked at once, and a name that has run out costs one
     * look-up.
     */
    size_t *next =
        onward_core__zalloc(header->ctx, (header->count + 1) * sizeof(*next));
    struct onward_str name;
    size_t lowest, item;

    if (next == NULL)
        return ONWARD_ENOMEM;
    while (onward_dkim__list_next(&fields, &name)) {
        lowest = onward_header_last(header, name);
        if (lowest == ONWARD_HEADER_NONE)
            continue;
        item = next[lowest] == 0 ? lowest : next[lowest] - 2;
        if (item == own && item != ONWARD_HEADER_NONE)
            item = header->items[item].above;
        if (item == ONWARD_HEADER_NONE)
            continue;
        onward_dkim__hash_field(sha, canon, onward_dkim__field(header, item),
                                (struct onward_str){0}, true);
        next[lowest] = header->items[item].above + 2;
    }
    onward_core__free(header->ctx, next);
    return 0;
}
