/*
 * Base64 (RFC 4648 section 4). Keys, signatures and body hashes are short, but
 * MIME parts are most of the octets of all mail: clean runs are decoded sixteen
 * characters at a step on x86-64 and four elsewhere, and letters are written in
 * pairs.
 */
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

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

size_t onward_core__base64_encoded_len(size_t len)
{
    size_t groups = len / 3 + (len % 3 != 0);

    return groups > SIZE_MAX / 4 ? SIZE_MAX : groups * 4;
}

#undef ROW4
#undef ROW16
#undef ROW64

/* Two letters at a time: twelve bits of octets, and both at once. */
#define LETTER(v)                                                              \
    (char)((v) < 26   ? 'A' + (v)                                              \
           : (v) < 52 ? 'a' + (v)-26                                           \
           : (v) < 62 ? '0' + (v)-52                                           \
           : (v) < 63 ? '+'                                                    \
                      : '/')
#define PAIR(v)                                                                \
    {                                                                          \
        LETTER((v) >> 6), LETTER((v)&63)                                       \
    }
#define ROW4(v) PAIR(v), PAIR((v) + 1), PAIR((v) + 2), PAIR((v) + 3)
#define ROW16(v) ROW4(v), ROW4((v) + 4), ROW4((v) + 8), ROW4((v) + 12)
#define ROW64(v) ROW16(v), ROW16((v) + 16), ROW16((v) + 32), ROW16((v) + 48)
#define ROW256(v) ROW64(v), ROW64((v) + 64), ROW64((v) + 128), ROW64((v) + 192)
#define ROW1024(v)                                                             \
    ROW256(v), ROW256((v) + 256), ROW256((v) + 512), ROW256((v) + 768)

static const char pairs[4096][2] = {ROW1024(0), ROW1024(1024), ROW1024(2048),
                                    ROW1024(3072)};

/* Compilers make one load of it. */
static uint64_t load_be64(const unsigned char *p)
{
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

static void encode_group(const unsigned char in[3], unsigned char out[4])
{
    uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

    memcpy(out, pairs[bits >> 12], 2);
    memcpy(out + 2, pairs[bits & 4095], 2);
}

size_t onward_core__base64_write(unsigned char *out, const void *data,
                                 size_t len)
{
    const unsigned char *in = data;
    const unsigned char *start = out;

    for (; len >= 8; len -= 6, in += 6, out += 8) {
        uint64_t bits = load_be64(in) >> 16;

        memcpy(out, pairs[bits >> 36], 2);
        memcpy(out + 2, pairs[bits >> 24 & 4095], 2);
        memcpy(out + 4, pairs[bits >> 12 & 4095], 2);
        memcpy(out + 6, pairs[bits & 4095], 2);
    }
    for (; len >= 3; len -= 3, in += 3, out += 4)
        encode_group(in, out);
    if (len > 0) {
        unsigned char last[3] = {in[0], len == 2 ? in[1] : 0, 0};

        encode_group(last, out);
        out[3] = '=';
        if (len == 1)
            out[2] = '=';
        out += 4;
    }
    return (size_t)(out - start);
}

int onward_core__base64_encode(struct onward_buf *out, const void *data,
                               size_t len)
{
    int ret;

    if (len == 0)
        return out->err;
    ret = onward_core__buf_reserve(out, onward_core__base64_encoded_len(len));
    if (ret != 0)
        return ret;
    out->len += onward_core__base64_write(out->data + out->len, data, len);
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

#if defined(__x86_64__)
/* Octets of c from first to last, as all bits. */
static __m128i range(__m128i c, char first, char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmplt_epi8(c, _mm_set1_epi8((char)(last + 1))));
}

/* What to add to the octets in set. */
static __m128i offset(__m128i set, char add)
{
    return _mm_and_si128(set, _mm_set1_epi8(add));
}

/* Eight octets, of which six are the groups'. */
static void put_six(unsigned char *out, uint64_t two_groups)
{
    uint64_t bits =
        __builtin_bswap64(two_groups << 40 | two_groups >> 32 << 16);

    memcpy(out, &bits, sizeof(bits));
}

/*
 * Sixteen characters at `in` to twelve octets; writes fourteen. Returns how
 * many of the characters, from the first, are none but base64.
 */
static unsigned decode_16(unsigned char *out, const unsigned char *in)
{
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)in);
    __m128i upper = range(c, 'A', 'Z'), lower = range(c, 'a', 'z');
    __m128i digit = range(c, '0', '9');
    __m128i plus = _mm_cmpeq_epi8(c, _mm_set1_epi8('+'));
    __m128i slash = _mm_cmpeq_epi8(c, _mm_set1_epi8('/'));
    __m128i good = _mm_or_si128(
        _mm_or_si128(_mm_or_si128(upper, lower), _mm_or_si128(plus, slash)),
        digit);
    __m128i add = _mm_or_si128(
        _mm_or_si128(
            _mm_or_si128(offset(upper, -'A'), offset(lower, 26 - 'a')),
            _mm_or_si128(offset(plus, 62 - '+'), offset(slash, 63 - '/'))),
        offset(digit, 52 - '0'));
    __m128i six = _mm_add_epi8(c, add);
    /* Pairs of 6 bits become 12, pairs of these 24. */
    __m128i twelve =
        _mm_or_si128(_mm_slli_epi16(_mm_and_si128(six, _mm_set1_epi16(63)), 6),
                     _mm_srli_epi16(six, 8));
    __m128i groups = _mm_madd_epi16(twelve, _mm_set1_epi32(1 << 16 | 4096));
    unsigned foreign = ~(unsigned)_mm_movemask_epi8(good) & 0xffff;

    put_six(out, (uint64_t)_mm_cvtsi128_si64(groups));
    put_six(out + 6,
            (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(groups, groups)));
    return foreign == 0 ? 16 : (unsigned)__builtin_ctz(foreign);
}

/* As base64_run(), while there is room for more than is written. */
static size_t run_16(unsigned char *out, const unsigned char *in, size_t len)
{
    size_t at = 0;

    while (len - at >= 20) {
        unsigned good = decode_16(out + at / 4 * 3, in + at);

        at += good & ~3u;
        if (good < 16)
            break;
    }
    return at;
}
#else
static size_t run_16(unsigned char *out, const unsigned char *in, size_t len)
{
    (void)out;
    (void)in;
    (void)len;
    return 0;
}
#endif

size_t onward_core__base64_run(unsigned char *out, const void *text, size_t len)
{
    const unsigned char *in = text;
    size_t at = run_16(out, in, len);

    for (; len - at >= 4; at += 4) {
        uint32_t bits = group_bits(in + at);

        if (bits >= FOREIGN_BITS)
            break;
        put_group(out + at / 4 * 3, bits);
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
    unsigned char *octets, *end;
    uint32_t bits = 0;
    unsigned have = 0, pads = 0;
    size_t room;
    int ret;

    if (text.len == 0)
        return out->err;
    room = decoded_room(out, text);
    ret = onward_core__buf_reserve(out, room);
    if (ret != 0)
        return ret;
    octets = out->data + out->len;
    end = octets + room;
    for (size_t at = 0; at < text.len; at++) {
        unsigned char c;

        if (have == 0 && pads == 0) {
            size_t left = text.len - at, fits = (size_t)(end - octets) / 3 * 4;
            size_t run = onward_core__base64_run(octets, in + at,
                                                 left < fits ? left : fits);

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
