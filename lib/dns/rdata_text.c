/*
 * The rdata of a record as text (RFC 1035 section 5.1, RFC 3597 section 5),
 * turned into wire form.
 */
#include "core/text_shared.h"
#include "dns/dns_priv.h"

static int put(struct onward_dns__line *line, const void *data, size_t len)
{
    int r = onward_core__buf_add(&line->rdata, data, len);

    if (r == ONWARD_ELIMIT)
        return onward_dns__line_fault(line, "a record over 65535 octets",
                                      onward_core__str(NULL, 0), "less");
    return r;
}

static int put_address(struct onward_dns__line *line, int32_t family)
{
    struct onward_str word = onward_dns__line_word(line);
    struct onward_ip ip;

    if (onward_ip_parse(word, &ip) < 0 || ip.family != family)
        return onward_dns__line_fault(line, "address", word,
                                      family == 4 ? "an IPv4 address"
                                                  : "an IPv6 address");
    return put(line, ip.octets, family == 4 ? 4 : 16);
}

static int put_number(struct onward_dns__line *line, size_t octets)
{
    struct onward_str word = onward_dns__line_word(line);
    uint8_t wire[4];
    uint64_t value;

    if (onward_core__parse_u64(word, 10, &value) < 0 ||
        value >> (8 * octets) != 0)
        return onward_dns__line_fault(line, "number", word,
                                      octets == 1   ? "0 to 255"
                                      : octets == 2 ? "0 to 65535"
                                                    : "0 to 4294967295");
    for (size_t i = 0; i < octets; i++)
        wire[i] = (uint8_t)(value >> (8 * (octets - 1 - i)));
    return put(line, wire, octets);
}

static int put_name(struct onward_dns__line *line)
{
    struct onward_str word = onward_dns__line_word(line);
    struct onward_dns__name name;

    if (!onward_dns__name_from_text(word, &name))
        return onward_dns__line_fault(line, "name", word, "a domain name");
    return put(line, name.octets, name.len);
}

/* Hexadecimal up to the end of the line, which blanks may divide anywhere. */
static int put_hex(struct onward_dns__line *line)
{
    int high = -1;

    for (;;) {
        struct onward_str word = onward_dns__line_word(line);

        if (word.len == 0)
            break;
        for (size_t i = 0; i < word.len; i++) {
            int digit = onward_ascii_hex((unsigned char)word.data[i]);
            uint8_t octet;
            int r;

            if (digit < 0)
                return onward_dns__line_fault(line, "data", word,
                                              "hexadecimal digits");
            if (high < 0) {
                high = digit;
                continue;
            }
            octet = (uint8_t)(high * 16 + digit);
            high = -1;
            r = put(line, &octet, 1);
            if (r < 0)
                return r;
        }
    }
    if (high >= 0)
        return onward_dns__line_fault(line, "an odd number of digits",
                                      onward_core__str(NULL, 0),
                                      "two for each octet");
    return 0;
}

/* `\# length hex`, for any type; the words `\#` are read. */
static int put_generic(struct onward_dns__line *line)
{
    struct onward_str word = onward_dns__line_word(line);
    uint64_t len;
    int r;

    if (onward_core__parse_u64(word, 5, &len) < 0)
        return onward_dns__line_fault(line, "length", word,
                                      "a number of octets");
    r = put_hex(line);
    if (r < 0)
        return r;
    if (len != line->rdata.len)
        return onward_dns__line_fault(line, "length", word,
                                      "as many octets as follow");
    if (!onward_dns__rdata_is_valid(line->type, line->rdata.data,
                                    line->rdata.len))
        return onward_dns__line_fault(line, "data", onward_core__str(NULL, 0),
                                      "the shape of that type");
    return 0;
}

/* One quoted string; line->rest begins with its quote. */
static int put_string(struct onward_dns__line *line)
{
    struct onward_str rest = line->rest;
    uint8_t octets[256];
    size_t len = 0;
    size_t at = 1;

    while (at < rest.len && rest.data[at] != '"') {
        uint8_t octet = (uint8_t)rest.data[at];

        if (octet != '\\')
            at++;
        else if (!onward_dns__unescape(rest, &at, &octet))
            return onward_dns__line_fault(line, "escape",
                                          onward_core__sub(rest, at, at + 4),
                                          "\\DDD up to 255 or \\X");
        if (++len > 255)
            return onward_dns__line_fault(line, "a string over 255 octets",
                                          onward_core__str(NULL, 0),
                                          "several quoted strings");
        octets[len] = octet;
    }
    if (at >= rest.len)
        return onward_dns__line_fault(line, "text", rest, "a closing quote");
    octets[0] = (uint8_t)len;
    line->rest = onward_core__sub(rest, at + 1, rest.len);
    return put(line, octets, len + 1);
}

static int put_strings(struct onward_dns__line *line)
{
    for (size_t count = 0;; count++) {
        int r;

        line->rest = onward_core__str_trim(line->rest);
        if (count != 0 && (line->rest.len == 0 || line->rest.data[0] == ';')) {
            line->rest.len = 0;
            return 0;
        }
        /* Without quotes a semicolon would cut a policy off as a comment. */
        if (line->rest.len == 0 || line->rest.data[0] != '"')
            return onward_dns__line_fault(line, "text", line->rest,
                                          "a quoted string");
        r = put_string(line);
        if (r < 0)
            return r;
    }
}

static int put_soa(struct onward_dns__line *line)
{
    int r = put_name(line);

    if (r == 0)
        r = put_name(line);
    for (int i = 0; i < 5 && r == 0; i++)
        r = put_number(line, 4);
    return r;
}

static int put_tlsa(struct onward_dns__line *line)
{
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++)
        r = put_number(line, 1);
    return r < 0 ? r : put_hex(line);
}

static int put_mx(struct onward_dns__line *line)
{
    int r = put_number(line, 2);

    return r < 0 ? r : put_name(line);
}

static int put_rdata(struct onward_dns__line *line)
{
    switch (line->type) {
    case ONWARD_DNS_A:
        return put_address(line, 4);
    case ONWARD_DNS_AAAA:
        return put_address(line, 6);
    case ONWARD_DNS_MX:
        return put_mx(line);
    case ONWARD_DNS_NS:
    case ONWARD_DNS_CNAME:
    case ONWARD_DNS_PTR:
        return put_name(line);
    case ONWARD_DNS_TXT:
    case ONWARD_DNS_TYPE_SPF:
        return put_strings(line);
    case ONWARD_DNS_SOA:
        return put_soa(line);
    case ONWARD_DNS_TLSA:
        return put_tlsa(line);
    default:
        return onward_dns__line_fault(line, "data", line->rest,
                                      "\\# length hex, as in RFC 3597");
    }
}

int onward_dns__line_rdata(struct onward_dns__line *line)
{
    struct onward_str before = line->rest;
    struct onward_str word = onward_dns__line_word(line);
    int r;

    if (onward_core__str_eq(word, ONWARD_STR("\\#"))) {
        r = put_generic(line);
    } else {
        line->rest = before;
        r = put_rdata(line);
    }
    if (r < 0)
        return r;
    word = onward_dns__line_word(line);
    if (word.len != 0)
        return onward_dns__line_fault(line, "text after the record", word,
                                      "the end of the line");
    return 0;
}
