/*
 * IP addresses as text and the default address filter. No names, no zones, no
 * prefix lengths: onward_ip is an address by value and nothing more.
 */
#include <onward/core.h>

#include "core/core_shared.h"

/*
 * Four decimal numbers of at most 255. A leading zero is refused, since some
 * readers take such a number as octal, so two programs would not mean the same
 * address.
 */
static bool read_quad(const char *text, size_t len, uint8_t octets[4])
{
    size_t at = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t digits = 0;

        if (part > 0) {
            if (at == len || text[at] != '.')
                return false;
            at++;
        }
        for (; at < len && onward_ascii_is_digit((unsigned char)text[at]);
             at++) {
            if (digits == 3 || (digits > 0 && value == 0))
                return false;
            value = value * 10 + (unsigned)(text[at] - '0');
            digits++;
        }
        if (digits == 0 || value > 255)
            return false;
        octets[part] = (uint8_t)value;
    }
    return at == len;
}

/* Where the group that begins at `at` ends: the next colon or the end. */
static size_t group_end(const char *text, size_t len, size_t at)
{
    while (at < len && text[at] != ':')
        at++;
    return at;
}

static bool read_group(const char *text, size_t len, uint8_t out[2])
{
    unsigned value = 0;

    if (len == 0 || len > 4)
        return false;
    for (size_t i = 0; i < len; i++) {
        int digit = onward_ascii_hex((unsigned char)text[i]);

        if (digit < 0)
            return false;
        value = value * 16 + (unsigned)digit;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return true;
}

/* RFC 4291 section 2.2. `gap` is where "::" stood, in octets; NO_GAP when the
 * text had none. */
static bool read_ipv6(const char *text, size_t len, uint8_t octets[16])
{
    enum { NO_GAP = 17 };
    uint8_t found[16] = {0};
    size_t used = 0, gap = NO_GAP, at = 0;

    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < len) {
        size_t end = group_end(text, len, at);

        if (end == len && used <= 12 &&
            read_quad(text + at, len - at, found + used)) {
            used += 4;
            at = end;
            break;
        }
        if (used == 16 || !read_group(text + at, end - at, found + used))
            return false;
        used += 2;
        at = end;
        if (at == len)
            break;
        at++; /* the colon: one group more, or a second colon, must follow */
        if (at == len)
            return false;
        if (text[at] == ':') {
            if (gap != NO_GAP)
                return false;
            gap = used;
            at++;
        }
    }
    /* "::" stands for one group at least. */
    if (gap == NO_GAP ? used != 16 : used > 14)
        return false;
    memset(octets, 0, 16);
    if (gap == NO_GAP)
        gap = used;
    memcpy(octets, found, gap);
    memcpy(octets + 16 - (used - gap), found + gap, used - gap);
    return true;
}

int onward_ip_parse(struct onward_str text, struct onward_ip *ip)
{
    struct onward_ip got = {0};

    if (onward_core__str_find(text, ':') < text.len) {
        if (!read_ipv6(text.data, text.len, got.octets))
            return ONWARD_ESYNTAX;
        got.family = 6;
    } else {
        if (!read_quad(text.data, text.len, got.octets))
            return ONWARD_ESYNTAX;
        got.family = 4;
    }
    *ip = got;
    return 0;
}

static size_t put_quad(const uint8_t octets[4], char *out)
{
    size_t len = 0;

    for (int i = 0; i < 4; i++) {
        unsigned value = octets[i];

        if (i > 0)
            out[len++] = '.';
        if (value >= 100)
            out[len++] = (char)('0' + value / 100);
        if (value >= 10)
            out[len++] = (char)('0' + value / 10 % 10);
        out[len++] = (char)('0' + value % 10);
    }
    return len;
}

static size_t put_group(const uint8_t octets[2], char *out)
{
    unsigned value = (unsigned)octets[0] << 8 | octets[1];
    size_t len = 0;

    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 15;

        if (digit != 0 || len > 0 || shift == 0)
            out[len++] = "0123456789abcdef"[digit];
    }
    return len;
}

/* The first of the longest runs of zero groups, two at least (RFC 5952
 * section 4.2). */
static void longest_zeros(const uint8_t *octets, int groups, int *start,
                          int *count)
{
    *start = -1;
    *count = 1;
    for (int i = 0; i < groups;) {
        int run = 0;

        while (i + run < groups && octets[2 * (i + run)] == 0 &&
               octets[2 * (i + run) + 1] == 0)
            run++;
        if (run > *count) {
            *start = i;
            *count = run;
        }
        i += run + 1;
    }
}

static bool is_v4_mapped(const uint8_t octets[16])
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    return memcmp(octets, prefix, sizeof(prefix)) == 0;
}

static size_t put_ipv6(const uint8_t octets[16], char *out)
{
    bool mapped = is_v4_mapped(octets); /* RFC 5952 section 5 */
    int groups = mapped ? 6 : 8, start, count;
    size_t len = 0;

    longest_zeros(octets, groups, &start, &count);
    for (int i = 0; i < groups; i++) {
        if (i == start) {
            out[len++] = ':';
            out[len++] = ':';
            i += count - 1;
            continue;
        }
        if (len > 0 && out[len - 1] != ':')
            out[len++] = ':';
        len += put_group(octets + 2 * i, out + len);
    }
    if (mapped) {
        if (out[len - 1] != ':')
            out[len++] = ':';
        len += put_quad(octets + 12, out + len);
    }
    return len;
}

int onward_ip_format(const struct onward_ip *ip, char *text, size_t cap)
{
    char out[ONWARD_IP_TEXT_MAX];
    size_t len;

    if (ip->family == 4)
        len = put_quad(ip->octets, out);
    else if (ip->family == 6)
        len = put_ipv6(ip->octets, out);
    else
        return ONWARD_EINVAL;
    if (len >= cap)
        return ONWARD_ELIMIT;
    memcpy(text, out, len);
    text[len] = '\0';
    return (int)len;
}

struct range {
    uint8_t octets[8];
    uint8_t bits;
};

static bool is_in(const uint8_t *octets, const struct range *range)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (memcmp(octets, range->octets, whole) != 0)
        return false;
    return rest == 0 ||
           ((octets[whole] ^ range->octets[whole]) >> (8 - rest)) == 0;
}

/* What the IANA special-purpose registries (RFC 6890) have as not globally
 * reachable, multicast, and 6to4 relays, which are no more (RFC 7526). */
static const struct range closed_v4[] = {
    {{0}, 8},             /* this host */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by carriers */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4}            /* reserved, limited broadcast */
};

/* Holes in 2000::/3, the only range that is given out (RFC 4291 section
 * 2.4). */
static const struct range closed_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff, 0x00}, 20}        /* documentation (RFC 9637) */
};

static bool is_public_v4(const uint8_t octets[4])
{
    for (size_t i = 0; i < sizeof(closed_v4) / sizeof(closed_v4[0]); i++) {
        if (is_in(octets, &closed_v4[i]))
            return false;
    }
    return true;
}

static bool is_public_v6(const uint8_t octets[16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    /* These reach the IPv4 address inside, so that one is judged. */
    if (is_v4_mapped(octets) || memcmp(octets, nat64, sizeof(nat64)) == 0)
        return is_public_v4(octets + 12);
    if (octets[0] == 0x20 && octets[1] == 0x02) /* 6to4 */
        return is_public_v4(octets + 2);
    if (octets[0] >> 5 != 1)
        return false;
    for (size_t i = 0; i < sizeof(closed_v6) / sizeof(closed_v6[0]); i++) {
        if (is_in(octets, &closed_v6[i]))
            return false;
    }
    return true;
}

int onward_ip_is_public(const struct onward_ip *ip)
{
    if (ip->family == 4)
        return is_public_v4(ip->octets);
    return ip->family == 6 && is_public_v6(ip->octets);
}
