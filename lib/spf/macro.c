/*
 * Macros of SPF (RFC 7208 section 7): tokens, for the record's parser, and
 * expansion into names and explanations.
 */
#include "spf/spf_priv.h"

static bool is_delimiter(unsigned char c)
{
    return c != 0 && strchr(".-+,/_=", c) != NULL;
}

static bool is_letter(unsigned char lower, enum onward_spf__macro_use use)
{
    if (lower == 0)
        return false;
    if (strchr("slodiphv", lower) != NULL)
        return true;
    return use == MACRO_EXPLANATION && strchr("crt", lower) != NULL;
}

/* The length of "%{" letter *DIGIT ["r"] *delimiter "}"; 0: malformed. */
static size_t braces_len(struct onward_str s, enum onward_spf__macro_use use,
                         unsigned char *letter)
{
    bool is_zero = true;
    size_t at = 3;

    if (s.len < 4)
        return 0;
    *letter = onward_ascii_lower((unsigned char)s.data[2]);
    if (!is_letter(*letter, use))
        return 0;
    while (at < s.len && onward_ascii_is_digit((unsigned char)s.data[at])) {
        is_zero = is_zero && s.data[at] == '0';
        at++;
    }
    if (at > 3 && is_zero)
        return 0; /* the count "MUST be nonzero" (7.3) */
    if (at < s.len && (s.data[at] == 'r' || s.data[at] == 'R'))
        at++;
    while (at < s.len && is_delimiter((unsigned char)s.data[at]))
        at++;
    return at < s.len && s.data[at] == '}' ? at + 1 : 0;
}

size_t onward_spf__macro_token(struct onward_str s,
                               enum onward_spf__macro_use use,
                               unsigned char *letter)
{
    unsigned char c = (unsigned char)s.data[0];

    *letter = 0;
    if (c != '%') {
        bool is_literal = c >= 0x21 && c <= 0x7e;

        return is_literal || (c == ' ' && use == MACRO_EXPLANATION) ? 1 : 0;
    }
    if (s.len < 2)
        return 0;
    if (s.data[1] == '%' || s.data[1] == '_' || s.data[1] == '-')
        return 2;
    return s.data[1] == '{' ? braces_len(s, use, letter) : 0;
}

bool onward_spf__macro_uses(struct onward_str s, unsigned char letter)
{
    s = onward_core__sub(s, onward_core__str_find(s, '%'), s.len);
    while (s.len != 0) {
        unsigned char found;
        size_t len = onward_spf__macro_token(s, MACRO_EXPLANATION, &found);

        if (len == 0)
            return false;
        if (found == letter)
            return true;
        s = onward_core__sub(s, len, s.len);
    }
    return false;
}

int onward_spf__add_dotted_ip(struct onward_buf *out,
                              const struct onward_ip *ip)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t count = ip->family == 4 ? 4 : 16;

    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            onward_core__buf_add_byte(out, '.');
        if (ip->family == 4) {
            onward_core__buf_add_u64(out, ip->octets[i]);
            continue;
        }
        onward_core__buf_add_byte(out, (unsigned char)hex[ip->octets[i] >> 4]);
        onward_core__buf_add_byte(out, '.');
        onward_core__buf_add_byte(out, (unsigned char)hex[ip->octets[i] & 15]);
    }
    return out->err;
}

/* Append the value of a letter as it is before transformation. */
static int add_value(struct onward_buf *out, unsigned char letter,
                     const struct onward_spf__macro_values *v)
{
    char text[ONWARD_IP_TEXT_MAX];
    int len;

    switch (letter) {
    case 's':
        return onward_core__buf_add_str(out, v->sender);
    case 'l':
        return onward_core__buf_add_str(out, v->local);
    case 'o':
        return onward_core__buf_add_str(out, v->sender_domain);
    case 'd':
        return onward_core__buf_add_str(out, v->domain);
    case 'i':
        return onward_spf__add_dotted_ip(out, v->ip);
    case 'p':
        return onward_core__buf_add_str(out, v->validated);
    case 'v':
        return onward_core__buf_add_text(out, v->ip->family == 4 ? "in-addr"
                                                                 : "ip6");
    case 'h':
        return onward_core__buf_add_str(out, v->helo);
    case 'c':
        len = onward_ip_format(v->ip, text, sizeof(text));
        return len < 0 ? len : onward_core__buf_add(out, text, (size_t)len);
    case 'r':
        return onward_core__buf_add_str(
            out, v->receiver.len == 0 ? ONWARD_STR("unknown") : v->receiver);
    default: /* 't', by is_letter() */
        return onward_core__buf_add_i64(out, v->now_s);
    }
}

/* Upper-case letters ask for URL escapes (RFC 7208 7.3, RFC 3986 2.3). */
static void add_octet(struct onward_buf *out, unsigned char c, bool escape)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!escape || onward_ascii_is_alnum(c) ||
        (c != 0 && strchr("-._~", c) != NULL)) {
        onward_core__buf_add_byte(out, c);
        return;
    }
    onward_core__buf_add_byte(out, '%');
    onward_core__buf_add_byte(out, (unsigned char)hex[c >> 4]);
    onward_core__buf_add_byte(out, (unsigned char)hex[c & 15]);
}

struct transform {
    size_t keep; /* right-hand parts; 0: all */
    bool reverse;
    struct onward_str delimiters;
    bool escape;
};

static bool splits(const struct transform *t, unsigned char c)
{
    if (t->delimiters.len == 0)
        return c == '.';
    return onward_core__str_find(t->delimiters, c) < t->delimiters.len;
}

/*
 * Split value, reverse, keep the right-hand parts, join by dots. Walks from the
 * end that the output begins with, so that no list of parts is needed.
 */
static void add_parts(struct onward_buf *out, struct onward_str value,
                      const struct transform *t)
{
    size_t parts = 1, skip = 0;

    for (size_t i = 0; i < value.len; i++)
        parts += splits(t, (unsigned char)value.data[i]);
    if (t->keep != 0 && t->keep < parts)
        skip = parts - t->keep;
    for (size_t n = 0; n < parts; n++) {
        size_t start = 0, end = 0;

        if (t->reverse) {
            end = value.len;
            start = end;
            while (start > 0 &&
                   !splits(t, (unsigned char)value.data[start - 1]))
                start--;
        } else {
            while (end < value.len &&
                   !splits(t, (unsigned char)value.data[end]))
                end++;
        }
        if (n >= skip) {
            if (n > skip)
                onward_core__buf_add_byte(out, '.');
            for (size_t i = start; i < end; i++)
                add_octet(out, (unsigned char)value.data[i], t->escape);
        }
        if (t->reverse)
            value.len = start == 0 ? 0 : start - 1;
        else
            value = onward_core__sub(value, end + 1, value.len);
    }
}

/* s is "%{...}", known to be well-formed. */
static int expand_braces(struct onward_buf *out, struct onward_str s,
                         unsigned char letter,
                         const struct onward_spf__macro_values *values)
{
    struct transform t = {.escape = s.data[2] >= 'A' && s.data[2] <= 'Z'};
    struct onward_buf value;
    size_t at = 3;

    while (onward_ascii_is_digit((unsigned char)s.data[at])) {
        /* Nothing has more parts than octets: the exact large count is moot. */
        if (t.keep < 100000)
            t.keep = t.keep * 10 + (size_t)(s.data[at] - '0');
        at++;
    }
    if (s.data[at] == 'r' || s.data[at] == 'R') {
        t.reverse = true;
        at++;
    }
    t.delimiters = onward_core__sub(s, at, s.len - 1);
    onward_core__buf_init(&value, out->ctx, out->max);
    add_value(&value, letter, values);
    if (value.err == 0)
        add_parts(out, onward_core__buf_str(&value), &t);
    else if (out->err == 0)
        out->err = value.err;
    onward_core__buf_clear(&value);
    return out->err;
}

int onward_spf__macro_expand(struct onward_buf *out, struct onward_str s,
                             enum onward_spf__macro_use use,
                             const struct onward_spf__macro_values *values)
{
    while (s.len != 0) {
        unsigned char letter;
        size_t len = onward_spf__macro_token(s, use, &letter);
        int err;

        if (len == 0)
            return ONWARD_ESYNTAX;
        if (letter != 0)
            err =
                expand_braces(out, onward_core__sub(s, 0, len), letter, values);
        else if (len == 1)
            err = onward_core__buf_add(out, s.data, 1);
        else if (s.data[1] == '-')
            err = onward_core__buf_add_text(out, "%20");
        else
            err = onward_core__buf_add_byte(out, s.data[1] == '_' ? ' ' : '%');
        if (err != 0)
            return err;
        s = onward_core__sub(s, len, s.len);
    }
    return 0;
}
