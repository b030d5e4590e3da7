/*
 * Tag lists (RFC 6376 section 3.2): a text becomes name and value spans. What
 * the tags mean is left to those who asked.
 */
#include "dkim/dkim_shared.h"

static bool is_name_octet(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c == '_';
}

/* VALCHAR, and octets above ASCII: RFC 8616 lets U-labels and UTF-8
 * local-parts stand in values. */
static bool is_value_octet(unsigned char c)
{
    return c > ' ' && c != ';' && c != 0x7f;
}

/*
 * FWS = [*WSP CRLF] 1*WSP, several in a row taken as one. A CRLF that no WSP
 * follows is only met at the end of a field's text, where it is harmless.
 */
static size_t skip_fws(struct onward_str s, size_t at)
{
    while (at < s.len) {
        if (onward_ascii_is_wsp((unsigned char)s.data[at]))
            at++;
        else if (s.data[at] == '\r' && at + 1 < s.len && s.data[at + 1] == '\n')
            at += 2;
        else
            break;
    }
    return at;
}

/* Past the value octets from `at` on. */
static size_t skip_value(struct onward_str s, size_t at)
{
    size_t end =
        at + onward_core__str_find(onward_core__sub(s, at, s.len), ';');

    while (end - at >= 8 && onward_ascii_is_plain8(s.data + at, '!'))
        at += 8;
    while (at < end && is_value_octet((unsigned char)s.data[at]))
        at++;
    return at;
}

/* One tag-spec from *at up to its semicolon or the end of the text. */
static int parse_one(struct onward_str s, size_t *at,
                     struct onward_dkim__tag *tag)
{
    size_t pos = *at;
    size_t from = pos;
    size_t value_end;

    while (pos < s.len && is_name_octet((unsigned char)s.data[pos]))
        pos++;
    *at = pos;
    if (pos == from || !onward_ascii_is_alpha((unsigned char)s.data[from])) {
        *at = from;
        return ONWARD_ESYNTAX;
    }
    tag->name = onward_core__sub(s, from, pos);
    pos = skip_fws(s, pos);
    *at = pos;
    if (pos == s.len || s.data[pos] != '=')
        return ONWARD_ESYNTAX;
    pos++;
    tag->raw.data = s.data + pos;
    from = value_end = skip_fws(s, pos);
    for (pos = from; pos < s.len && s.data[pos] != ';';) {
        value_end = pos = skip_value(s, pos);
        if (pos == s.len || s.data[pos] == ';')
            break;
        *at = pos;
        pos = skip_fws(s, pos);
        if (pos == *at)
            return ONWARD_ESYNTAX; /* a control, or a bare CR or LF */
    }
    tag->value = onward_core__sub(s, from, value_end);
    tag->raw.len = (size_t)(s.data + pos - tag->raw.data);
    *at = pos;
    return 0;
}

int onward_dkim__tags_parse(struct onward_str text,
                            struct onward_dkim__tags *tags, size_t *fault_at)
{
    size_t at = skip_fws(text, 0);

    tags->count = 0;
    *fault_at = at;
    while (at < text.len) {
        struct onward_dkim__tag tag;
        size_t from = at;
        int err = parse_one(text, &at, &tag);

        if (err != 0) {
            *fault_at = at;
            return err;
        }
        *fault_at = from;
        if (tags->count == ONWARD_DKIM__TAGS_MAX)
            return ONWARD_ELIMIT;
        for (size_t i = 0; i < tags->count; i++) {
            if (onward_core__str_eq(tags->items[i].name, tag.name))
                return ONWARD_ESYNTAX; /* twice: the whole list is invalid */
        }
        tags->items[tags->count++] = tag;
        if (at < text.len)
            at = skip_fws(text, at + 1); /* past the semicolon */
    }
    if (tags->count == 0)
        return ONWARD_ESYNTAX;
    *fault_at = text.len;
    return 0;
}

const struct onward_dkim__tag *
onward_dkim__tags_find(const struct onward_dkim__tags *tags, const char *name)
{
    struct onward_str want = onward_str_of(name);

    for (size_t i = 0; i < tags->count; i++) {
        if (onward_core__str_eq(tags->items[i].name, want))
            return &tags->items[i];
    }
    return NULL;
}

static bool is_blank(unsigned char c)
{
    return onward_ascii_is_wsp(c) || c == '\r' || c == '\n';
}

bool onward_dkim__list_next(struct onward_str *rest, struct onward_str *item)
{
    size_t end;

    if (rest->data == NULL)
        return false;
    end = onward_core__str_find(*rest, ':');
    *item = onward_core__str_trim_crlf(onward_core__sub(*rest, 0, end));
    if (end == rest->len)
        *rest = (struct onward_str){0};
    else
        *rest = onward_core__sub(*rest, end + 1, rest->len);
    return true;
}

bool onward_dkim__list_has(struct onward_str list, const char *name)
{
    struct onward_str want = onward_str_of(name);
    struct onward_str item;

    while (onward_dkim__list_next(&list, &item)) {
        if (onward_core__str_eq(item, want))
            return true;
    }
    return false;
}

size_t onward_dkim__strip_fws(char *out, struct onward_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.len - i >= 8 && onward_ascii_is_plain8(text.data + i, '!')) {
            memcpy(out + len, text.data + i, 8);
            len += 8;
            i += 7;
        } else if (!is_blank((unsigned char)text.data[i])) {
            out[len++] = text.data[i];
        }
    }
    return len;
}
