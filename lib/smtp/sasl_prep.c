/*
 * SASLprep (RFC 4013): two spellings of one password become the same octets.
 * The tables are those of RFC 3454, as properties of Unicode where they are
 * properties.
 */
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

/* One character becomes 18 at most (U+FDFA). */
enum { GROWTH = 18 };

struct range {
    ucs4_t from, to;
};

static bool is_in(ucs4_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    }
    return false;
}

#define IS_IN(c, ranges) is_in(c, ranges, sizeof(ranges) / sizeof(ranges[0]))

/* Table C.1.2 */
static bool is_other_space(ucs4_t c)
{
    static const struct range spaces[] = {
        {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200b},
        {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

    return IS_IN(c, spaces);
}

/* Table B.1 */
static bool is_nothing(ucs4_t c)
{
    static const struct range nothing[] = {
        {0xad, 0xad},     {0x34f, 0x34f},   {0x1806, 0x1806}, {0x180b, 0x180d},
        {0x200b, 0x200d}, {0x2060, 0x2060}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};

    return IS_IN(c, nothing);
}

/* Tables C.1.2 and C.2.1 to C.9 */
static bool is_prohibited(ucs4_t c)
{
    static const struct range others[] = {
        {0x340, 0x341},     {0x6dd, 0x6dd},     {0x70f, 0x70f},
        {0x180e, 0x180e},   {0x200c, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x2063},   {0x206a, 0x206f},   {0x2ff0, 0x2ffb},
        {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff9, 0xffff},
        {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}};

    return is_other_space(c) || IS_IN(c, others) || (c & 0xfffe) == 0xfffe ||
           uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc |
                                                   UC_CATEGORY_MASK_Co |
                                                   UC_CATEGORY_MASK_Cs);
}

/* RFC 3454 section 6 */
static bool is_one_way(const uint32_t *text, size_t len)
{
    bool has_left = false, has_right = false;
    int first = uc_bidi_class(text[0]), last = uc_bidi_class(text[len - 1]);

    for (size_t i = 0; i < len; i++) {
        int bidi = uc_bidi_class(text[i]);

        has_left = has_left || bidi == UC_BIDI_L;
        has_right = has_right || bidi == UC_BIDI_R || bidi == UC_BIDI_AL;
    }
    if (!has_right)
        return true;
    return !has_left && (first == UC_BIDI_R || first == UC_BIDI_AL) &&
           (last == UC_BIDI_R || last == UC_BIDI_AL);
}

static bool is_fit(const uint32_t *text, size_t len, enum onward_smtp__prep kind)
{
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (is_prohibited(text[i]) ||
            (kind == ONWARD_PREP_STORED &&
             uc_is_general_category_withtable(text[i],
                                              UC_CATEGORY_MASK_Cn)))
            return false;
    }
    return is_one_way(text, len);
}

/* Section 2.1: mapped, not yet normalized. Returns the characters. */
static size_t map(const struct onward_str text, uint32_t *out)
{
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.len;
    size_t len = 0;

    while (at < end) {
        ucs4_t c;

        at += u8_mbtouc(&c, at, (size_t)(end - at));
        if (is_other_space(c))
            c = ' ';
        if (!is_nothing(c))
            out[len++] = c;
    }
    return len;
}

static int write_utf8(struct onward_arena *arena, const uint32_t *text,
                      size_t len, struct onward_str *out)
{
    uint8_t *at = onward_core__arena_array(arena, len, 4);
    size_t used = 0;

    if (at == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < len; i++) {
        int n = u8_uctomb(at + used, text[i], 4);

        if (n < 0)
            return ONWARD_ESYNTAX;
        used += (size_t)n;
    }
    *out = onward_core__str(at, used);
    return 0;
}

int onward_smtp__saslprep(struct onward_arena *arena, struct onward_str text,
                          enum onward_smtp__prep kind, struct onward_str *out)
{
    uint32_t *mapped, *normal;
    size_t len, room;

    if (text.len == 0 || text.len > (size_t)4 * ONWARD_SASL__NAME_MAX ||
        !onward_core__is_utf8(text))
        return ONWARD_ESYNTAX;
    if (onward_core__is_ascii(text)) {
        for (size_t i = 0; i < text.len; i++) {
            if (text.data[i] < ' ' || text.data[i] == 0x7f)
                return ONWARD_ESYNTAX;
        }
        return onward_core__arena_dup(arena, text, out);
    }
    mapped = onward_core__arena_array(arena, text.len, sizeof(*mapped));
    if (mapped == NULL)
        return ONWARD_ENOMEM;
    len = map(text, mapped);
    if (len == 0 || len > ONWARD_SASL__NAME_MAX)
        return ONWARD_ESYNTAX;
    /* With room for all that can come of it, it takes no memory of its own
     * but for combining marks in long rows. */
    room = len * GROWTH;
    normal = onward_core__arena_array(arena, room, sizeof(*normal));
    if (normal == NULL ||
        u32_normalize(UNINORM_NFKC, mapped, len, normal, &room) != normal)
        return ONWARD_ENOMEM;
    if (!is_fit(normal, room, kind))
        return ONWARD_ESYNTAX;
    return write_utf8(arena, normal, room, out);
}
