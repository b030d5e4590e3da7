/*
 * The header of the PROXY protocol (HAProxy's proxy-protocol.txt, sections 2.1
 * and 2.2), octet by octet: nothing that follows it is touched, and nothing is
 * allocated by a length that it states.
 */
#include "smtp/proxy.h"

#include "core/text_shared.h"

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                            '\n', 'Q',  'U',  'I',  'T', '\n'};
static const char word[] = "PROXY ";

/* ---- Version 1: a line ------------------------------------------------- */

/* The next word, behind which one blank or the end stands. */
static struct onward_str next_word(struct onward_str *line)
{
    size_t end = onward_core__str_find(*line, ' ');
    struct onward_str found = onward_core__sub(*line, 0, end);

    *line = onward_core__sub(*line, end + 1, line->len);
    return found;
}

static int read_ip(struct onward_str text, int32_t family, struct onward_ip *ip)
{
    if (onward_ip_parse(text, ip) < 0 || ip->family != family)
        return ONWARD_ESYNTAX;
    return 0;
}

/* 0 to 65535, no leading zeros. */
static int read_port(struct onward_str text, size_t *port)
{
    uint64_t value;

    if (onward_core__parse_u64(text, 5, &value) < 0 || value > 65535 ||
        (text.len > 1 && text.data[0] == '0'))
        return ONWARD_ESYNTAX;
    *port = (size_t)value;
    return 0;
}

/* line: behind "PROXY ", without CRLF. */
static int read_line(struct onward_smtp__proxy *p, struct onward_str line)
{
    size_t spaces = 0;
    struct onward_str protocol = next_word(&line);
    int32_t family;

    /* Whatever follows is to be ignored. */
    if (onward_core__str_eq(protocol, ONWARD_STR("UNKNOWN")))
        return 0;
    if (onward_core__str_eq(protocol, ONWARD_STR("TCP4")))
        family = 4;
    else if (onward_core__str_eq(protocol, ONWARD_STR("TCP6")))
        family = 6;
    else
        return ONWARD_ESYNTAX;
    for (size_t i = 0; i < line.len; i++)
        spaces += line.data[i] == ' ';
    if (spaces != 3 || read_ip(next_word(&line), family, &p->client_ip) < 0 ||
        read_ip(next_word(&line), family, &p->local_ip) < 0 ||
        read_port(next_word(&line), &p->client_port) < 0 ||
        read_port(next_word(&line), &p->local_port) < 0)
        return ONWARD_ESYNTAX;
    return 0;
}

static int take_v1(struct onward_smtp__proxy *p, unsigned char c)
{
    size_t start = sizeof(word) - 1;

    if (p->len < start && c != (unsigned char)word[p->len])
        return ONWARD_ESYNTAX;
    p->head[p->len++] = c;
    if (c == '\n') {
        if (p->len < start + 2 || p->head[p->len - 2] != '\r' ||
            read_line(
                p, onward_core__str(p->head + start, p->len - start - 2)) < 0)
            return ONWARD_ESYNTAX;
        return 1;
    }
    return p->len < ONWARD_SMTP__PROXY_V1_MAX ? 0 : ONWARD_ESYNTAX;
}

/* ---- Version 2: binary ------------------------------------------------- */

static size_t u16(const unsigned char *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Octets of addresses that we look at, by the octet of family and transport;
 * SIZE_MAX: no such family or no stream. */
static size_t address_bytes(unsigned char family)
{
    switch (family) {
    case 0x00: /* unspecified */
        return 0;
    case 0x11:
        return 12;
    case 0x21:
        return 36;
    case 0x31: /* UNIX: two paths, which say nothing to SMTP */
        return 216;
    default:
        return SIZE_MAX;
    }
}

/* The first sixteen octets are there. */
static int read_head(struct onward_smtp__proxy *p)
{
    size_t rest = u16(p->head + 14), needed = address_bytes(p->head[13]);

    p->is_local = p->head[12] == 0x20;
    if (!p->is_local && p->head[12] != 0x21)
        return ONWARD_ESYNTAX;
    /* LOCAL: whatever the addresses are, they do not count. */
    if (!p->is_local && (needed == SIZE_MAX || rest < needed))
        return ONWARD_ESYNTAX;
    p->rest = rest;
    return rest == 0 ? 1 : 0;
}

static void read_addresses(struct onward_smtp__proxy *p)
{
    const unsigned char *at = p->head + ONWARD_SMTP__PROXY_V2_HEAD;
    size_t bytes = p->head[13] == 0x11 ? 4 : 16;

    p->client_ip.family = p->local_ip.family = bytes == 4 ? 4 : 6;
    memcpy(p->client_ip.octets, at, bytes);
    memcpy(p->local_ip.octets, at + bytes, bytes);
    p->client_port = u16(at + 2 * bytes);
    p->local_port = u16(at + 2 * bytes + 2);
}

static int take_v2(struct onward_smtp__proxy *p, unsigned char c)
{
    size_t head = ONWARD_SMTP__PROXY_V2_HEAD;
    size_t kept = 0;

    if (p->len < head) {
        if (p->len < sizeof(signature) && c != signature[p->len])
            return ONWARD_ESYNTAX;
        p->head[p->len++] = c;
        return p->len == head ? read_head(p) : 0;
    }
    if (!p->is_local && (p->head[13] == 0x11 || p->head[13] == 0x21))
        kept = head + address_bytes(p->head[13]);
    if (p->len < kept) {
        p->head[p->len++] = c;
        if (p->len == kept)
            read_addresses(p);
    }
    return --p->rest == 0 ? 1 : 0;
}

int onward_smtp__proxy_take(struct onward_smtp__proxy *p, const void *data,
                            size_t len, size_t *taken)
{
    const unsigned char *octets = data;
    int ret = 0;

    for (*taken = 0; ret == 0 && *taken < len; ++*taken) {
        unsigned char c = octets[*taken];
        unsigned char first = p->len > 0 ? p->head[0] : c;

        ret = first == signature[0] ? take_v2(p, c) : take_v1(p, c);
    }
    return ret;
}
