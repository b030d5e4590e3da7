/*
 * Base64 (RFC 4648 section 4). Keys, signatures and body hashes are short, but
 * MIME parts are most of the octets of all mail, so clean runs are decoded four
 * characters at a step.
 */
#include "core/text_shared.h"

enum { FOREIGN = 64, FOREIGN_BITS = 1 << 24 };

/* The six bits that c stands for. */
#define VALUE(c)                                                               \
    ((c) >= 'A' && (c) <= 'Z'   ? (c) - 'A'                                    \
     : (c) >= 'a' && (c) <= 'z' ? (c) - 'a' + 26                               \
     : (c) >= '0' && (c) <= '9' ? (c) - '0' + 52                               \
     : (c) == '+'               ? 62                                           \
     : (c) == '/'               ? 63                                           \
                                : FOREIGN)
#define PLACED(c, shift)                                                       \
    (VALUE(c) == FOREIGN ? (uint32_t)FOREIGN_BITS                              \
                         : (uint32_t)VALUE(c) << (shift))
#define ROW4(c, s)                                                             \
    PLACED(c, s), PLACED((c) + 1, s), PLACED((c) + 2, s), PLACED((c) + 3, s)
#define ROW16(c, s)                                                            \
    ROW4(c, s), ROW4((c) + 4, s), ROW4((c) + 8, s), ROW4((c) + 12, s)
#define ROW64(c, s)                                                            \
    ROW16(c, s), ROW16((c) + 16, s), ROW16((c) + 32, s), ROW16((c) + 48, s)
#define TABLE(s)                                                               \
    {                                                                          \
        ROW64(0, s), ROW64(64, s), ROW64(128, s), ROW64(192, s)                \
    }

/* The bits of a character where they belong in its group of 24, by its place
 * in the group. A foreign character sets a bit above these. */
static const uint32_t placed[4][256] = {TABLE(18), TABLE(12), TABLE(6),
                                        TABLE(0)};

static const char alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
    'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

size_t onward_core__base64_encoded_len(size_t len)
{
    size_t groups = len / 3 + (len % 3 != 0);

    return groups > SIZE_MAX / 4 ? SIZE_MAX : groups * 4;
}

static void encode_group(const unsigned char in[3], unsigned char out[4])
{
    uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

    out[0] = (unsigned char)alphabet[bits >> 18];
    out[1] = (unsigned char)alphabet[bits >> 12 & 63];
    out[2] = (unsigned char)alphabet[bits >> 6 & 63];
    out[3] = (unsigned char)alphabet[bits & 63];
}

int onward_core__base64_encode(struct onward_buf *out, const void *data,
                               size_t len)
{
    const unsigned char *in = data;
    unsigned char last[3] = {0};
    unsigned char *text;
    int ret;

    if (len == 0)
        return out->err;
    ret = onward_core__buf_reserve(out, onward_core__base64_encoded_len(len));
    if (ret != 0)
        return ret;
    text = out->data + out->len;
    for (; len >= 3; len -= 3, in += 3, text += 4)
        encode_group(in, text);
    if (len > 0) {
        memcpy(last, in, len);
        encode_group(last, text);
        text[3] = '=';
        if (len == 1)
            text[2] = '=';
        text += 4;
    }
    out->len = (size_t)(text - out->data);
    return 0;
}

static void put_group(unsigned char *out, uint32_t bits)
{
    out[0] = (unsigned char)(bits >> 16);
    out[1] = (unsigned char)(bits >> 8);
    out[2] = (unsigned char)bits;
}

static uint32_t group_bits(const unsigned char *in)
{
    return placed[0][in[0]] | placed[1][in[1]] | placed[2][in[2]] |
           placed[3][in[3]];
}

size_t onward_core__base64_run(unsigned char *out, const void *text, size_t len)
{
    const unsigned char *in = text;
    size_t at = 0;

    for (; len - at >= 8; at += 8, out += 6) {
        uint32_t first = group_bits(in + at);
        uint32_t second = group_bits(in + at + 4);

        if ((first | second) >= FOREIGN_BITS)
            break;
        put_group(out, first);
        put_group(out + 3, second);
    }
    for (; len - at >= 4; at += 4, out += 3) {
        uint32_t bits = group_bits(in + at);

        if (bits >= FOREIGN_BITS)
            break;
        put_group(out, bits);
    }
    return at;
}

static bool is_fws(unsigned char c)
{
    return onward_ascii_is_wsp(c) || c == '\r' || c == '\n';
}

/* The last group, of `have` characters and then `pads` equal signs. Returns
 * its octets, or ONWARD_ESYNTAX. */
static int end_group(unsigned char *out, uint32_t bits, unsigned have,
                     unsigned pads, bool allow_unpadded)
{
    if (have == 0)
        return pads == 0 ? 0 : ONWARD_ESYNTAX;
    if (have == 1 || (have + pads != 4 && !(pads == 0 && allow_unpadded)))
        return ONWARD_ESYNTAX;
    bits <<= 6 * (4 - have);
    /* Bits that no octet takes must be 0: else two texts give one value
     * (RFC 4648 section 3.5). */
    if ((bits & (have == 2 ? 0xffffu : 0xffu)) != 0)
        return ONWARD_ESYNTAX;
    out[0] = (unsigned char)(bits >> 16);
    if (have == 3)
        out[1] = (unsigned char)(bits >> 8);
    return (int)have - 1;
}

/* Room that the octets of text need. Counted only where the ceiling is near, so
 * that a buffer made to measure is not refused for the blanks in text. */
static size_t decoded_room(const struct onward_buf *out, struct onward_str text)
{
    size_t room = text.len / 4 * 3 + 3, count = 0;

    if (out->len <= out->max && room <= out->max - out->len)
        return room;
    for (size_t i = 0; i < text.len; i++)
        count += placed[3][(unsigned char)text.data[i]] != FOREIGN_BITS;
    return count / 4 * 3 + (count % 4 > 1 ? count % 4 - 1 : 0);
}

int onward_core__base64_decode(struct onward_buf *out, struct onward_str text,
                               bool allow_unpadded)
{
    const unsigned char *in = (const unsigned char *)text.data;
    unsigned char *octets;
    uint32_t bits = 0;
    unsigned have = 0, pads = 0;
    int ret;

    if (text.len == 0)
        return out->err;
    ret = onward_core__buf_reserve(out, decoded_room(out, text));
    if (ret != 0)
        return ret;
    octets = out->data + out->len;
    for (size_t at = 0; at < text.len; at++) {
        unsigned char c;

        if (have == 0 && pads == 0) {
            size_t run =
                onward_core__base64_run(octets, in + at, text.len - at);

            octets += run / 4 * 3;
            at += run;
            if (at == text.len)
                break;
        }
        c = in[at];
        if (is_fws(c))
            continue;
        if (c == '=') {
            pads++;
            continue;
        }
        if (pads > 0 || placed[3][c] == FOREIGN_BITS)
            return ONWARD_ESYNTAX;
        bits = bits << 6 | placed[3][c];
        if (++have == 4) {
            put_group(octets, bits);
            octets += 3;
            have = 0;
            bits = 0;
        }
    }
    ret = end_group(octets, bits, have, pads, allow_unpadded);
    if (ret < 0)
        return ret;
    out->len = (size_t)(octets - out->data) + (size_t)ret;
    return 0;
}
