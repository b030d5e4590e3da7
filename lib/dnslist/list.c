/*
 * A list as it is written: the zone, and which answers count. The codes are
 * those of Postfix (postconf(5), reject_rbl_client): four parts, each a number
 * or, in brackets, numbers and ranges of numbers.
 */
#include "dnslist/dnslist_priv.h"

#include "core/domain_shared.h"

enum {
    QUERY_MAX = 253,
    V4_LABELS = 16, /* "255.255.255.255." */
    V6_LABELS = 64  /* 32 times "f." */
};

/* ---- Codes ------------------------------------------------------------- */

/* Take an octet in decimal off the front; -1: there is none. */
static int take_number(struct onward_str *rest)
{
    int value = 0;
    size_t i = 0;

    for (; i < rest->len && onward_ascii_is_digit((unsigned char)rest->data[i]);
         i++) {
        value = value * 10 + (rest->data[i] - '0');
        if (value > 255)
            return -1;
    }
    *rest = onward_core__sub(*rest, i, rest->len);
    return i == 0 ? -1 : value;
}

static bool take_text(struct onward_str *rest, const char *text)
{
    struct onward_str want = onward_str_of(text);

    if (!onward_core__str_starts(*rest, want))
        return false;
    *rest = onward_core__sub(*rest, want.len, rest->len);
    return true;
}

/* "7" or "2..11"; is octet of it? */
static bool take_range(struct onward_str *rest, int octet, bool *is_in)
{
    int from = take_number(rest), to = from;

    if (from >= 0 && take_text(rest, ".."))
        to = take_number(rest);
    if (from < 0 || to < from)
        return false;
    *is_in = *is_in || (octet >= from && octet <= to);
    return true;
}

/* "7" or "[2..11;17]". */
static bool take_part(struct onward_str *rest, int octet, bool *is_in)
{
    int number;

    *is_in = false;
    if (!take_text(rest, "[")) {
        number = take_number(rest);
        *is_in = number == octet;
        return number >= 0;
    }
    do {
        if (!take_range(rest, octet, is_in))
            return false;
    } while (take_text(rest, ";"));
    return take_text(rest, "]");
}

/* false: no such code. */
static bool match(struct onward_str code, const unsigned char octets[4],
                  bool *is_in)
{
    *is_in = true;
    for (size_t i = 0; i < 4; i++) {
        bool part;

        if ((i > 0 && !take_text(&code, ".")) ||
            !take_part(&code, octets[i], &part))
            return false;
        *is_in = *is_in && part;
    }
    return code.len == 0;
}

bool onward_dnslist__counts(int kind, struct onward_str code,
                            struct onward_str address)
{
    const unsigned char *a = (const unsigned char *)address.data;
    bool is_in = true;

    if (address.len != 4 || a[0] != 127 || (a[1] == 255 && a[2] == 255))
        return false;
    if (code.len != 0)
        return match(code, a, &is_in) && is_in;
    return kind != ONWARD_DNSLIST_ALLOW || a[1] != 0 || a[2] != 0 ||
           a[3] != 255;
}

/* ---- Lists ------------------------------------------------------------- */

bool onward_dnslist__split(struct onward_str list, struct onward_str *zone,
                           struct onward_str *code)
{
    static const unsigned char nothing[4] = {0};
    size_t at = onward_core__str_find(list, '=');
    bool is_in;

    *zone = onward_core__sub(list, 0, at);
    *code = onward_core__sub(list, at + 1, list.len);
    if (zone->len > 0 && zone->data[zone->len - 1] == '.')
        zone->len--;
    if (zone->len > QUERY_MAX - V6_LABELS ||
        !onward_core__domain_is_dns_name(*zone, 1))
        return false;
    return at == list.len || match(*code, nothing, &is_in);
}

int onward_dnslist_is_list(struct onward_str list)
{
    struct onward_str zone, code;

    return onward_dnslist__split(list, &zone, &code);
}

/* ---- Names ------------------------------------------------------------- */

static size_t write_octet(char *out, unsigned octet)
{
    size_t len = 0;

    if (octet >= 100)
        out[len++] = (char)('0' + octet / 100);
    if (octet >= 10)
        out[len++] = (char)('0' + octet / 10 % 10);
    out[len++] = (char)('0' + octet % 10);
    out[len++] = '.';
    return len;
}

static bool is_mapped(const struct onward_ip *ip)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    return ip->family == 6 && memcmp(ip->octets, prefix, sizeof(prefix)) == 0;
}

int onward_dnslist_name(const struct onward_ip *ip, struct onward_str zone,
                        char *name, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    char labels[V6_LABELS];
    const uint8_t *octets;
    size_t len = 0;

    if (ip == NULL || name == NULL || (ip->family != 4 && ip->family != 6))
        return ONWARD_EINVAL;
    octets = ip->octets;
    if (ip->family == 4 || is_mapped(ip)) {
        octets += ip->family == 4 ? 0 : 12;
        for (size_t i = 4; i > 0; i--)
            len += write_octet(labels + len, octets[i - 1]);
    } else {
        for (size_t i = 16; i > 0; i--) {
            labels[len++] = hex[octets[i - 1] & 15];
            labels[len++] = '.';
            labels[len++] = hex[octets[i - 1] >> 4];
            labels[len++] = '.';
        }
    }
    if (zone.len == 0 || zone.len > QUERY_MAX - len || cap < len + zone.len + 1)
        return ONWARD_ELIMIT;
    memcpy(name, labels, len);
    memcpy(name + len, zone.data, zone.len);
    name[len + zone.len] = '\0';
    return (int)(len + zone.len);
}
