/*
 * z=: copies of fields as they were when the signature was made (RFC 6376
 * section 3.5). They prove nothing, but tell what was changed on the way.
 */
#include "dkim/dkim_priv.h"

enum { COPIES_MAX = 500 }; /* as names in h= */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* dkim-quoted-printable (section 2.11), white space taken out before. What is
 * no escape stands for itself. */
static void decode(struct onward_buf *out, struct onward_str text)
{
    for (size_t at = 0; at < text.len; at++) {
        int high = -1, low = -1;

        if (text.data[at] == '=' && text.len - at > 2) {
            high = hex_value(text.data[at + 1]);
            low = hex_value(text.data[at + 2]);
        }
        if (high < 0 || low < 0) {
            onward_core__buf_add_byte(out, (unsigned char)text.data[at]);
        } else {
            onward_core__buf_add_byte(out, (unsigned char)(high << 4 | low));
            at += 2;
        }
    }
}

static void hash(struct onward_str field, unsigned char *digest)
{
    struct sha256_ctx sha;

    sha256_init(&sha);
    onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED, field,
                            (struct onward_str){0}, false);
    sha256_digest(&sha, ONWARD_DKIM__HASH_SIZE, digest);
}

/* The copy that starts *rest: name and encoded value; false at the end. What
 * has no name is passed over. */
static bool next_copy(struct onward_str *rest, struct onward_str *name,
                      struct onward_str *value)
{
    while (rest->len != 0) {
        size_t end = onward_core__str_find(*rest, '|');
        struct onward_str copy = onward_core__sub(*rest, 0, end);
        size_t colon = onward_core__str_find(copy, ':');

        *rest = onward_core__sub(*rest, end + 1, rest->len);
        *name = onward_core__sub(copy, 0, colon);
        *value = onward_core__sub(copy, colon + 1, copy.len);
        if (colon < copy.len && onward_mime__is_field_name(*name))
            return true;
    }
    return false;
}

/* How many copies of that name stand before the one whose name this is. */
static size_t copies_before(struct onward_str copies, struct onward_str name)
{
    struct onward_str rest = copies, other, value;
    size_t count = 0;

    while (next_copy(&rest, &other, &value) && other.data != name.data)
        count += onward_core__str_ieq(other, name);
    return count;
}

/* Fields of a name are copied as they are signed: the lowest first. */
static bool is_same(const struct onward_header *header, struct onward_str name,
                    size_t before, struct onward_str copy)
{
    unsigned char then[ONWARD_DKIM__HASH_SIZE], now[ONWARD_DKIM__HASH_SIZE];
    size_t item = onward_header_last(header, name);

    for (; item != ONWARD_HEADER_NONE && before > 0; before--)
        item = header->items[item].above;
    if (item == ONWARD_HEADER_NONE)
        return false;
    hash(copy, then);
    hash(onward_dkim__field(header, item), now);
    return memcmp(then, now, sizeof(now)) == 0;
}

int onward_dkim__compare_copies(struct onward_arena *arena,
                                const struct onward_header *header,
                                struct onward_str copies,
                                struct onward_str *changed)
{
    struct onward_str rest = copies, name, value;
    struct onward_buf list, copy;
    size_t count = 0;
    int err = 0;

    onward_core__buf_init(&list, header->ctx, ONWARD_LIMIT_NONE);
    onward_core__buf_init(&copy, header->ctx, ONWARD_LIMIT_NONE);
    while (err == 0 && count++ < COPIES_MAX &&
           next_copy(&rest, &name, &value)) {
        onward_core__buf_reset(&copy);
        onward_core__buf_add_str(&copy, name);
        onward_core__buf_add_byte(&copy, ':');
        decode(&copy, value);
        err = copy.err;
        if (err != 0 || is_same(header, name, copies_before(copies, name),
                                onward_core__buf_str(&copy)))
            continue;
        if (list.len != 0)
            onward_core__buf_add_byte(&list, ':');
        for (size_t i = 0; i < name.len; i++)
            onward_core__buf_add_byte(
                &list, onward_ascii_lower((unsigned char)name.data[i]));
        err = list.err;
    }
    if (err == 0)
        err =
            onward_core__arena_dup(arena, onward_core__buf_str(&list), changed);
    onward_core__buf_clear(&list);
    onward_core__buf_clear(&copy);
    return err;
}
