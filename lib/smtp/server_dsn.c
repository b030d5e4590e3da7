/*
 * The parameters whose values are texts of the client: DSN (RFC 3461, RFC 6533
 * section 3), AUTH= (RFC 4954 section 5), BY= (RFC 2852). What they decode to
 * goes into reports and to the next hop, so nothing that could end a line or
 * hide there gets in.
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

enum {
    ENVID_MAX = 100, /* RFC 3461 section 4.4, as it stands in the command */
    ORCPT_MAX = 500  /* section 4.2 */
};

/* ---- xtext ------------------------------------------------------------- */

/*
 * xtext (RFC 3461 section 4) whose octets are printable ASCII and blanks, and
 * with has_high those above 127, encoded. Lower-case digits are taken too, as
 * others do. 0, ONWARD_ESYNTAX or ONWARD_ENOMEM.
 */
static int decode(struct onward_arena *arena, struct onward_str in,
                  bool *has_high, struct onward_str *out)
{
    char *text = onward_core__arena_alloc(arena, in.len + 1);
    size_t len = 0;

    if (text == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < in.len; i++) {
        int c = (unsigned char)in.data[i];

        if (c == '+') {
            int high = -1, low = -1;

            if (in.len - i > 2) {
                high = onward_ascii_hex((unsigned char)in.data[i + 1]);
                low = onward_ascii_hex((unsigned char)in.data[i + 2]);
            }
            if (high < 0 || low < 0)
                return ONWARD_ESYNTAX;
            c = high * 16 + low;
            i += 2;
            if (c > 0x7f && has_high != NULL) {
                *has_high = true;
                text[len++] = (char)c;
                continue;
            }
        } else if (c == '=') {
            return ONWARD_ESYNTAX;
        }
        if (c < ' ' || c > '~')
            return ONWARD_ESYNTAX;
        text[len++] = (char)c;
    }
    *out = onward_core__str(text, len);
    return 0;
}

int server_xtext(struct onward_arena *arena, struct onward_str in,
                 struct onward_str *out)
{
    return decode(arena, in, NULL, out);
}

/* ---- MAIL -------------------------------------------------------------- */

int server_take_ret(struct onward_str value, struct server_params *params)
{
    if (onward_core__str_ieq(value, ONWARD_STR("FULL")))
        params->ret = ONWARD_SMTP_RET_FULL;
    else if (onward_core__str_ieq(value, ONWARD_STR("HDRS")))
        params->ret = ONWARD_SMTP_RET_HDRS;
    else
        return ONWARD_ESYNTAX;
    return 0;
}

int server_take_envid(struct onward_str value, struct server_params *params)
{
    if (value.len == 0 || value.len > ENVID_MAX)
        return ONWARD_ESYNTAX;
    return server_xtext(params->arena, value, &params->envid);
}

/* "<>", or a mailbox in xtext. */
int server_take_auth(struct onward_str value, struct server_params *params)
{
    if (value.len == 0 || value.len > ORCPT_MAX)
        return ONWARD_ESYNTAX;
    return server_xtext(params->arena, value, &params->auth);
}

int server_take_requiretls(struct onward_str value,
                           struct server_params *params)
{
    if (value.data != NULL)
        return ONWARD_ESYNTAX;
    params->requires_tls = true;
    return 0;
}

/* by-time ";" by-mode [by-trace] (RFC 2852 section 4). */
int server_take_by(struct onward_str value, struct server_params *params)
{
    bool is_negative = value.len > 0 && value.data[0] == '-';
    bool has_sign = is_negative || (value.len > 0 && value.data[0] == '+');
    size_t end = onward_core__str_find(value, ';');
    struct onward_str mode = onward_core__sub(value, end + 1, value.len);
    uint64_t seconds = 0;
    unsigned char letter;

    if (onward_core__parse_u64(onward_core__sub(value, has_sign ? 1 : 0, end),
                               9, &seconds) < 0 ||
        mode.len == 0 || mode.len > 2)
        return ONWARD_ESYNTAX;
    params->by_s = is_negative ? -(int64_t)seconds : (int64_t)seconds;
    letter = onward_ascii_lower((unsigned char)mode.data[0]);
    /* What is to be returned when it is late has to have some time. */
    if (letter != 'n' && (letter != 'r' || params->by_s <= 0))
        return ONWARD_ESYNTAX;
    params->by = letter == 'n' ? ONWARD_SMTP_BY_NOTIFY : ONWARD_SMTP_BY_RETURN;
    if (mode.len == 2) {
        if (onward_ascii_lower((unsigned char)mode.data[1]) != 't')
            return ONWARD_ESYNTAX;
        params->by |= ONWARD_SMTP_BY_TRACE;
    }
    return 0;
}

/* ---- RCPT -------------------------------------------------------------- */

int server_take_notify(struct onward_str value, struct server_params *params)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = {
        {"SUCCESS", ONWARD_SMTP_NOTIFY_SUCCESS},
        {"FAILURE", ONWARD_SMTP_NOTIFY_FAILURE},
        {"DELAY", ONWARD_SMTP_NOTIFY_DELAY},
    };

    if (onward_core__str_ieq(value, ONWARD_STR("NEVER"))) {
        params->notify = ONWARD_SMTP_NOTIFY_NEVER;
        return 0;
    }
    for (bool more = true; more;) {
        size_t end = onward_core__str_find(value, ',');
        struct onward_str word = onward_core__sub(value, 0, end);
        unsigned bit = 0;

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (onward_core__str_ieq(word, onward_str_of(words[i].word)))
                bit = words[i].bit;
        }
        if (bit == 0)
            return ONWARD_ESYNTAX;
        params->notify |= bit;
        more = end < value.len;
        value = onward_core__sub(value, end + 1, value.len);
    }
    return 0;
}

static bool is_atom(struct onward_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return word.len > 0;
}

/* The code point of "\x{HEX}" at text[*at], which is the backslash; *at is then
 * its closing brace. 0: it is none that may stand there. */
static uint32_t embedded(struct onward_str text, size_t *at)
{
    uint32_t c = 0;
    size_t digits = 0, i = *at + 3;

    if (text.len - *at < 6 || text.data[*at + 1] != 'x' ||
        text.data[*at + 2] != '{')
        return 0;
    for (; i < text.len && text.data[i] != '}'; i++) {
        int digit = onward_ascii_hex((unsigned char)text.data[i]);

        if (digit < 0 || ++digits > 6)
            return 0;
        c = c * 16 + (uint32_t)digit;
    }
    *at = i;
    /* The list of HEXPOINT has controls in it; we take none (A016). */
    if (i == text.len || digits < 2 || c < ' ' || (c >= 0x7f && c < 0xa0) ||
        (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return 0;
    return c;
}

/* The code point at text[*at], which is whole and no ASCII; *at is then its
 * last octet. */
static uint32_t point_at(struct onward_str text, size_t *at)
{
    unsigned char c = (unsigned char)text.data[*at];
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t point = c & (more == 3 ? 0x07u : more == 2 ? 0x0fu : 0x1fu);

    for (; more > 0; more--)
        point = point << 6 | ((unsigned char)text.data[++*at] & 0x3fu);
    return point;
}

/* As "\x{HEX}": two octets of UTF-8 become "\x{7FF}" at most, three
 * "\x{FFFF}", and one "\x{5C}". */
static void embed(char *text, size_t *len, uint32_t point)
{
    static const char hex[] = "0123456789ABCDEF";

    memcpy(text + *len, "\\x{", 3);
    *len += 3;
    for (int shift = 20; shift >= 0; shift -= 4) {
        if (point >> shift != 0)
            text[(*len)++] = hex[point >> shift & 15];
    }
    text[(*len)++] = '}';
}

/* An address of type utf-8 (RFC 6533 section 3), in one form only: the seven
 * bit one. Raw UTF-8 has been checked to be such. */
static int take_utf8(struct onward_arena *arena, struct onward_str in,
                     struct onward_str *out)
{
    char *text = onward_core__arena_alloc(arena, in.len * 4 + 1);
    size_t len = 0;

    if (text == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.data[i];
        size_t from = i;
        uint32_t point;

        if (c == '+' || c == '=')
            return ONWARD_ESYNTAX;
        if (c == '\\') {
            if (embedded(in, &i) == 0)
                return ONWARD_ESYNTAX;
            memcpy(text + len, in.data + from, i - from + 1);
            len += i - from + 1;
            continue;
        }
        if (c < 0x80) {
            text[len++] = (char)c;
            continue;
        }
        point = point_at(in, &i);
        if (point < 0xa0)
            return ONWARD_ESYNTAX;
        embed(text, &len, point);
    }
    *out = onward_core__str(text, len);
    return 0;
}

/* Decoded xtext with UTF-8 in it to the seven bit form of type utf-8. */
static int to_utf8_type(struct onward_arena *arena, struct onward_str in,
                        struct onward_str *out)
{
    char *text = onward_core__arena_alloc(arena, in.len * 6 + 1);
    size_t len = 0;

    if (text == NULL)
        return ONWARD_ENOMEM;
    if (!onward_core__is_utf8(in))
        return ONWARD_ESYNTAX;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.data[i];
        uint32_t point = c;

        if (c >= 0x80)
            point = point_at(in, &i);
        else if (c != ' ' && c != '+' && c != '=' && c != '\\') {
            text[len++] = (char)c;
            continue;
        }
        if (point >= 0x80 && point < 0xa0)
            return ONWARD_ESYNTAX;
        embed(text, &len, point);
    }
    *out = onward_core__str(text, len);
    return 0;
}

/* addr-type ";" address; kept as "type;address" with the address decoded.
 * Postfix writes an address with UTF-8 as type rfc822, its octets in xtext: it
 * is one of type utf-8. */
int server_take_orcpt(struct onward_str value, struct server_params *params)
{
    size_t end = onward_core__str_find(value, ';');
    struct onward_str type = onward_core__sub(value, 0, end);
    struct onward_str address = onward_core__sub(value, end + 1, value.len);
    bool has_high = false;
    char *text;
    int err;

    if (!is_atom(type) || address.len == 0 || value.len > ORCPT_MAX)
        return ONWARD_ESYNTAX;
    if (onward_core__str_ieq(type, ONWARD_STR("utf-8")))
        err = take_utf8(params->arena, address, &address);
    else if (onward_core__str_ieq(type, ONWARD_STR("rfc822")))
        err = decode(params->arena, address, &has_high, &address);
    else
        err = server_xtext(params->arena, address, &address);
    if (err == 0 && has_high) {
        type = ONWARD_STR("utf-8");
        err = to_utf8_type(params->arena, address, &address);
    }
    if (err < 0)
        return err;
    text = onward_core__arena_alloc(params->arena, type.len + 1 + address.len);
    if (text == NULL)
        return ONWARD_ENOMEM;
    memcpy(text, type.data, type.len);
    text[type.len] = ';';
    memcpy(text + type.len + 1, address.data, address.len);
    params->orcpt = onward_core__str(text, type.len + 1 + address.len);
    return 0;
}
