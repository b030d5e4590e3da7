/*
 * Domain names: text (RFC 1035 section 5.1), packet (section 4.1.4) and the
 * form they are compared in.
 */
#include "dns/dns_priv.h"

bool onward_dns__unescape(struct onward_str text, size_t *at, uint8_t *octet)
{
    size_t i = *at + 1;
    unsigned value = 0;

    if (i >= text.len)
        return false;
    if (!onward_ascii_is_digit((unsigned char)text.data[i])) {
        *octet = (uint8_t)text.data[i];
        *at = i + 1;
        return true;
    }
    if (text.len - i < 3)
        return false;
    for (size_t end = i + 3; i < end; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    if (value > 255)
        return false;
    *octet = (uint8_t)value;
    *at = i;
    return true;
}

bool onward_dns__name_from_text(struct onward_str text,
                                struct onward_dns__name *name)
{
    size_t label = 0; /* where the length octet of the open label stands */
    size_t len = 1;

    if (text.len == 0)
        return false;
    if (text.len == 1 && text.data[0] == '.') {
        name->octets[0] = 0;
        name->len = 1;
        return true;
    }
    for (size_t at = 0; at < text.len;) {
        uint8_t octet = (uint8_t)text.data[at];

        if (octet == '.') {
            if (len - label == 1)
                return false;
            name->octets[label] = (uint8_t)(len - label - 1);
            label = len;
            at++;
        } else if (octet != '\\') {
            at++;
        } else if (!onward_dns__unescape(text, &at, &octet)) {
            return false;
        }
        if (label == len) {
            /* a dot: the next label opens, its length is not known yet */
            octet = 0;
        } else if (len - label > ONWARD_LABEL_MAX) {
            return false;
        }
        /* One octet stays for the root label at the end. */
        if (len >= ONWARD_DNS_NAME_MAX)
            return false;
        name->octets[len++] = onward_ascii_lower(octet);
    }
    if (len - label > 1) {
        name->octets[label] = (uint8_t)(len - label - 1);
        if (len >= ONWARD_DNS_NAME_MAX)
            return false;
        name->octets[len++] = 0;
    }
    name->len = len;
    return true;
}

/* Octets that stand for themselves in a name as text. */
static bool is_plain(uint8_t octet)
{
    return octet > ' ' && octet < 0x7f && octet != '.' && octet != '\\' &&
           octet != '"' && octet != ';' && octet != '(' && octet != ')' &&
           octet != '@' && octet != '$';
}

size_t onward_dns__name_to_text(const uint8_t *octets, size_t len,
                                char text[ONWARD_DNS_NAME_TEXT_MAX])
{
    size_t out = 0;

    for (size_t at = 0; at < len && octets[at] != 0;) {
        size_t end = at + 1 + octets[at];

        if (out != 0)
            text[out++] = '.';
        for (at++; at < end && at < len; at++) {
            uint8_t octet = octets[at];

            if (is_plain(octet)) {
                text[out++] = (char)octet;
                continue;
            }
            text[out++] = '\\';
            text[out++] = (char)('0' + octet / 100);
            text[out++] = (char)('0' + octet / 10 % 10);
            text[out++] = (char)('0' + octet % 10);
        }
    }
    return out;
}

bool onward_dns__name_from_wire(const uint8_t *packet, size_t len, size_t *at,
                                struct onward_dns__name *name)
{
    size_t from = *at; /* where the labels that are read now begin */
    size_t pos = *at;
    size_t out = 0;
    /* Each pointer goes before the labels that led to it, so there is no loop;
     * the count also bounds chains of pointers without labels between. */
    unsigned jumps = 0;

    for (;;) {
        size_t label;

        if (pos >= len)
            return false;
        label = packet[pos];
        if ((label & 0xc0) == 0xc0) {
            size_t target;

            if (len - pos < 2)
                return false;
            target = (label & 0x3f) << 8 | packet[pos + 1];
            if (target >= from || ++jumps > ONWARD_DNS_NAME_MAX / 2)
                return false;
            if (jumps == 1)
                *at = pos + 2;
            pos = from = target;
            continue;
        }
        if (label > ONWARD_LABEL_MAX || len - pos - 1 < label ||
            ONWARD_DNS_NAME_MAX - out < label + 1)
            return false;
        name->octets[out++] = (uint8_t)label;
        pos++;
        for (size_t end = pos + label; pos < end; pos++)
            name->octets[out++] = onward_ascii_lower(packet[pos]);
        if (label == 0)
            break;
    }
    if (jumps == 0)
        *at = pos;
    name->len = out;
    return true;
}

bool onward_dns__name_eq(const struct onward_dns__name *a,
                         const struct onward_dns__name *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

bool onward_dns__name_is_within(const struct onward_dns__name *name,
                                const struct onward_dns__name *parent)
{
    size_t at = 0;

    while (name->len - at > parent->len)
        at += 1u + name->octets[at];
    return name->len - at == parent->len &&
           memcmp(name->octets + at, parent->octets, parent->len) == 0;
}
