/*
 * Reading and writing the octets of compiled rules: little-endian numbers,
 * numbers of seven bits an octet, texts behind their length. A reader is over
 * hostile octets: past the end, or at a number that is none, it goes bad, gives
 * 0 and empty texts from then on, and never moves again.
 */
#ifndef ONWARD_RULESET_BYTES_PRIV_H
#define ONWARD_RULESET_BYTES_PRIV_H

#include "core/core_shared.h"

struct onward_ruleset__reader {
    const unsigned char *at, *end;
    bool is_bad;
};

static inline struct onward_ruleset__reader
onward_ruleset__reader(struct onward_str s)
{
    const unsigned char *data = (const unsigned char *)s.data;

    if (s.len == 0)
        return (struct onward_ruleset__reader){0};
    return (struct onward_ruleset__reader){data, data + s.len, false};
}

static inline bool
onward_ruleset__at_end(const struct onward_ruleset__reader *r)
{
    return r->at == r->end;
}

static inline void onward_ruleset__go_bad(struct onward_ruleset__reader *r)
{
    r->is_bad = true;
    r->at = r->end;
}

/* Compilers make one load of each on a little-endian machine. */
static inline uint32_t onward_ruleset__load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t onward_ruleset__load64(const unsigned char *p)
{
    return (uint64_t)onward_ruleset__load32(p) |
           (uint64_t)onward_ruleset__load32(p + 4) << 32;
}

static inline void onward_ruleset__store32(unsigned char *p, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

static inline void onward_ruleset__store64(unsigned char *p, uint64_t value)
{
    onward_ruleset__store32(p, (uint32_t)value);
    onward_ruleset__store32(p + 4, (uint32_t)(value >> 32));
}

static inline unsigned onward_ruleset__read_u8(struct onward_ruleset__reader *r)
{
    if (r->at == r->end) {
        r->is_bad = true;
        return 0;
    }
    return *r->at++;
}

static inline uint64_t
onward_ruleset__read_number(struct onward_ruleset__reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && r->at != r->end; shift += 7) {
        unsigned char c = *r->at++;

        value |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return value;
    }
    onward_ruleset__go_bad(r);
    return 0;
}

/* Small ones of either sign are short. */
static inline int64_t
onward_ruleset__read_signed(struct onward_ruleset__reader *r)
{
    uint64_t value = onward_ruleset__read_number(r);

    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline struct onward_str
onward_ruleset__read_str(struct onward_ruleset__reader *r)
{
    uint64_t len = onward_ruleset__read_number(r);
    struct onward_str s;

    if (len > (uint64_t)(r->end - r->at)) {
        onward_ruleset__go_bad(r);
        return (struct onward_str){0};
    }
    s = onward_core__str(r->at, (size_t)len);
    r->at += len;
    return s;
}

static inline void onward_ruleset__put_number(struct onward_buf *out,
                                              uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        onward_core__buf_add_byte(out, (unsigned char)(value | 0x80));
    onward_core__buf_add_byte(out, (unsigned char)value);
}

static inline void onward_ruleset__put_signed(struct onward_buf *out,
                                              int64_t value)
{
    onward_ruleset__put_number(out, (uint64_t)value << 1 ^
                                        (value < 0 ? UINT64_MAX : 0));
}

static inline void onward_ruleset__put_str(struct onward_buf *out,
                                           struct onward_str s)
{
    onward_ruleset__put_number(out, s.len);
    onward_core__buf_add_str(out, s);
}

static inline void onward_ruleset__put_u32(struct onward_buf *out,
                                           uint32_t value)
{
    unsigned char octets[4];

    onward_ruleset__store32(octets, value);
    onward_core__buf_add(out, octets, sizeof(octets));
}

#endif
