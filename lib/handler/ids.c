/*
 * Message ids as tokens: what stands in angle brackets of Message-ID,
 * In-Reply-To and References (RFC 5322 sections 3.6.4 and 4.5.4), and the
 * References of an answer.
 */
#include "handler/handler_shared.h"

#include "mime/mime_shared.h"

enum { LINE = 78 };

/* Over what stands between ids: comments, folds, and the phrases that
 * In-Reply-To once had. */
static bool skip_to_bracket(struct onward_str value, size_t *at)
{
    while (*at < value.len && value.data[*at] != '<') {
        size_t before = *at;

        if (value.data[*at] == '"') {
            if (onward_address__read_quoted_string(value, at, NULL) != 0)
                return false;
        } else if (onward_address__read_cfws(value, at, NULL) != 0) {
            return false;
        }
        if (*at == before)
            (*at)++;
    }
    return *at < value.len;
}

/* Visible, one @ inside: what is left of a bracket that a reader can compare.
 */
static bool is_id(struct onward_str id)
{
    size_t at = onward_core__str_find(id, '@');

    if (at == 0 || at + 1 >= id.len || id.len > 900)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];

        if (c <= ' ' || c == 0x7f || c == '<')
            return false;
    }
    return true;
}

bool onward_handler__next_id(struct onward_str value, size_t *at,
                             struct onward_str *id)
{
    while (skip_to_bracket(value, at)) {
        size_t from = *at + 1;
        size_t to = from;

        while (to < value.len && value.data[to] != '>')
            to++;
        if (to == value.len)
            break;
        *at = to + 1;
        *id = onward_core__str_trim_crlf(onward_core__sub(value, from, to));
        if (is_id(*id))
            return true;
    }
    *at = value.len;
    return false;
}

size_t onward_handler__count_ids(const struct onward_header *h,
                                 struct onward_str name)
{
    size_t i = onward_header_first(h, name);
    size_t count = 0;

    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {
        struct onward_str id;
        size_t at = 0;

        while (onward_handler__next_id(onward_mime__value(h, i), &at, &id))
            count++;
    }
    return count;
}

struct onward_str onward_handler__one_id(const struct onward_header *h,
                                         struct onward_str name)
{
    const struct onward_str none = {0};
    struct onward_str id, more;
    struct onward_str value;
    size_t at = 0;

    if (onward_header_count_named(h, name) != 1)
        return none;
    value = onward_mime__value(h, onward_header_first(h, name));
    if (!onward_handler__next_id(value, &at, &id) ||
        onward_handler__next_id(value, &at, &more))
        return none;
    return id;
}

/* ---- References of an answer ------------------------------------------- */

static void write_id(struct onward_buf *out, size_t *column,
                     struct onward_str id)
{
    if (*column > 0 && *column + id.len + 3 > LINE) {
        onward_core__buf_add_text(out, "\r\n");
        *column = 0;
    }
    onward_core__buf_add_text(out, " <");
    onward_core__buf_add_str(out, id);
    onward_core__buf_add_text(out, ">");
    *column += id.len + 3;
}

int onward_handler__write_references(struct onward_buf *out,
                                     const struct onward_header *original,
                                     size_t max)
{
    const struct onward_str name = ONWARD_STR("References");
    size_t count = onward_handler__count_ids(original, name);
    size_t i = onward_header_first(original, name);
    size_t column = name.len + 1;
    size_t n = 0;

    for (; i != ONWARD_HEADER_NONE; i = original->items[i].below) {
        struct onward_str id;
        size_t at = 0;

        while (onward_handler__next_id(onward_mime__value(original, i), &at,
                                       &id)) {
            /* Of too many, the first and the last ones. */
            if (n == 0 || n + max > count + 1)
                write_id(out, &column, id);
            n++;
        }
    }
    write_id(out, &column,
             onward_handler__one_id(original, ONWARD_STR("Message-ID")));
    return out->err;
}
