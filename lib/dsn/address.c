/* Addresses as notices have them: the type utf-8 with its seven bit form
 * (RFC 6533 section 3), and peers' texts made printable. */
#include "dsn/dsn_priv.h"

/* The code point of "\x{HEX}" at s[*at], which is the backslash; *at is then
 * behind it. 0: none, or one that may not stand there. */
static uint32_t read_point(struct onward_str s, size_t *at)
{
    uint32_t c = 0;
    size_t digits = 0, i = *at + 3;

    if (s.len - *at < 6 || s.data[*at + 1] != 'x' || s.data[*at + 2] != '{')
        return 0;
    for (; i < s.len && s.data[i] != '}'; i++) {
        int digit = onward_ascii_hex((unsigned char)s.data[i]);

        if (digit < 0 || ++digits > 6)
            return 0;
        c = c * 16 + (uint32_t)digit;
    }
    /* The grammar has controls in it; nobody's address needs them. */
    if (i == s.len || digits < 2 || c < ' ' || (c >= 0x7f && c < 0xa0) ||
        (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return 0;
    *at = i + 1;
    return c;
}

static void add_point(struct onward_buf *out, uint32_t c)
{
    size_t more = c >= 0x10000 ? 3 : c >= 0x800 ? 2 : c >= 0x80 ? 1 : 0;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};

    onward_core__buf_add_byte(
        out, (unsigned char)(leads[more] | c >> (6 * more)));
    while (more-- > 0)
        onward_core__buf_add_byte(
            out, (unsigned char)(0x80 | (c >> (6 * more) & 0x3f)));
}

bool onward_dsn__add_decoded(struct onward_buf *out, struct onward_str s)
{
    size_t start = out->len;

    for (size_t i = 0; i < s.len;) {
        uint32_t c;

        if (s.data[i] != '\\') {
            onward_core__buf_add_byte(out, (unsigned char)s.data[i++]);
            continue;
        }
        c = read_point(s, &i);
        if (c == 0) {
            if (out->err == 0)
                out->len = start;
            return false;
        }
        add_point(out, c);
    }
    return true;
}

void onward_dsn__add_encoded(struct onward_buf *out, struct onward_str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        uint32_t c = (unsigned char)s.data[i];
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
        bool has_digits = false;

        if (c > ' ' && c < 0x7f && c != '\\' && c != '+' && c != '=') {
            onward_core__buf_add_byte(out, (unsigned char)c);
            continue;
        }
        if (more > 0)
            c &= 0x3fu >> more;
        for (; more > 0 && i + 1 < s.len; more--)
            c = c << 6 | ((unsigned char)s.data[++i] & 0x3fu);
        onward_core__buf_add_text(out, "\\x{");
        for (int shift = 20; shift >= 0; shift -= 4) {
            /* Two digits at least. */
            has_digits = has_digits || shift <= 4 || c >> shift != 0;
            if (has_digits)
                onward_core__buf_add_byte(
                    out, (unsigned char)hex[c >> shift & 15]);
        }
        onward_core__buf_add_byte(out, '}');
    }
}

void onward_dsn__add_clean(struct onward_buf *out, struct onward_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t start = out->len;

    for (size_t i = 0; i < s.len && out->err == 0; i++) {
        unsigned char c = (unsigned char)s.data[i];
        unsigned char text[4] = {'\\', 'x', (unsigned char)hex[c >> 4],
                                 (unsigned char)hex[c & 15]};
        bool is_plain = c >= ' ' && c < 0x7f;

        if (out->len - start + (is_plain ? 1 : 4) > ONWARD_DSN__TEXT_MAX)
            return;
        if (is_plain)
            onward_core__buf_add_byte(out, c);
        else
            onward_core__buf_add(out, text, sizeof(text));
    }
}

bool onward_dsn__is_status(struct onward_str s)
{
    size_t at = 1;

    if (s.len < 5 || (s.data[0] != '2' && s.data[0] != '4' && s.data[0] != '5'))
        return false;
    for (int part = 0; part < 2; part++) {
        size_t from = at + 1;

        if (at >= s.len || s.data[at] != '.')
            return false;
        for (at = from; at < s.len && onward_ascii_is_digit(
                                          (unsigned char)s.data[at]);)
            at++;
        if (at == from || at - from > 3)
            return false;
    }
    return at == s.len;
}
