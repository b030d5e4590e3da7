/*
 * Small text forms: decimal numbers, and whether octets are ASCII or UTF-8, or
 * hold what nobody sees.
 */
#include "core/text_shared.h"

#include <unistr.h>

int onward_core__parse_u64(struct onward_str s, size_t max_digits,
                           uint64_t *value)
{
    uint64_t got = 0;

    if (s.len == 0)
        return ONWARD_ESYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_ascii_is_digit((unsigned char)s.data[i]))
            return ONWARD_ESYNTAX;
    }
    if (s.len > max_digits)
        return ONWARD_ELIMIT;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(s.data[i] - '0');

        if (got > (UINT64_MAX - digit) / 10)
            return ONWARD_ELIMIT;
        got = got * 10 + digit;
    }
    *value = got;
    return 0;
}

bool onward_core__is_ascii(struct onward_str s)
{
    uint64_t seen = 0;
    size_t at = 0;

    for (; s.len - at >= sizeof(seen); at += sizeof(seen)) {
        uint64_t word;

        memcpy(&word, s.data + at, sizeof(word));
        seen |= word;
    }
    for (; at < s.len; at++)
        seen |= (uint64_t)(unsigned char)s.data[at];
    return (seen & 0x8080808080808080u) == 0;
}

bool onward_core__is_utf8(struct onward_str s)
{
    if (s.len == 0 || onward_core__is_ascii(s))
        return true;
    return u8_check((const uint8_t *)s.data, s.len) == NULL;
}

static bool is_invisible(ucs4_t code)
{
    return (code >= 0x80 && code <= 0x9f) || code == 0x61c || code == 0x200b ||
           code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

bool onward_core__has_invisible(struct onward_str s)
{
    const uint8_t *at = (const uint8_t *)s.data;
    const uint8_t *end = at + s.len;

    if (s.len == 0 || onward_core__is_ascii(s))
        return false;
    while (at < end) {
        ucs4_t code;

        at += u8_mbtouc_unsafe(&code, at, (size_t)(end - at));
        if (is_invisible(code))
            return true;
    }
    return false;
}
