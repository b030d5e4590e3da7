/*
 * Base64url and base32 (RFC 4648), without padding and in one form only: two
 * texts for one token would let a token that was used once be used again.
 */
#include "token/token_priv.h"

static const char base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static unsigned bits_of(enum onward_token_form form)
{
    return form == ONWARD_TOKEN_BASE32 ? 5 : 6;
}

size_t onward_token__text_len(enum onward_token_form form, size_t len)
{
    const unsigned bits = bits_of(form);

    return (len * 8 + bits - 1) / bits;
}

void onward_token__write(enum onward_token_form form, const uint8_t *data,
                         size_t len, char *out)
{
    const char *letters = form == ONWARD_TOKEN_BASE32 ? base32 : base64url;
    const unsigned bits = bits_of(form);
    uint32_t held = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        held = held << 8 | data[i];
        for (count += 8; count >= bits; count -= bits)
            *out++ = letters[held >> (count - bits) & ((1u << bits) - 1)];
        held &= (1u << count) - 1;
    }
    if (count > 0)
        *out = letters[held << (bits - count) & ((1u << bits) - 1)];
}

static int digit_of(enum onward_token_form form, unsigned char c)
{
    const unsigned char low = onward_ascii_lower(c);

    if (form == ONWARD_TOKEN_BASE32) {
        if (c >= '2' && c <= '7')
            return c - '2' + 26;
        return low >= 'a' && low <= 'z' ? low - 'a' : -1;
    }
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '_')
        return c == '-' ? 62 : 63;
    return -1;
}

bool onward_token__read(enum onward_token_form form, struct onward_str text,
                        uint8_t *out, size_t cap, size_t *len)
{
    const unsigned bits = bits_of(form);
    uint32_t held = 0;
    unsigned count = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        const int digit = digit_of(form, (unsigned char)text.data[i]);

        if (digit < 0)
            return false;
        held = held << bits | (uint32_t)digit;
        count += bits;
        if (count < 8)
            continue;
        if (n == cap)
            return false;
        count -= 8;
        out[n++] = (uint8_t)(held >> count);
        held &= (1u << count) - 1;
    }
    *len = n;
    /* A letter more than needed, or bits that stand for nothing. */
    return count < bits && held == 0;
}
