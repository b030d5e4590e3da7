/* TXT records as zone files have them (RFC 1035 section 5.1). */
#include <onward/dns.h>

#include "core/core_shared.h"

enum { STRING_MAX = 255 };

/* Octets of one octet's presentation: itself, \X or \DDD. */
static size_t width(unsigned char c)
{
    if (c < ' ' || c >= 0x7f)
        return 4;
    return c == '"' || c == '\\' ? 2 : 1;
}

static size_t put(char *out, unsigned char c)
{
    size_t len = width(c);

    if (len == 1) {
        out[0] = (char)c;
    } else if (len == 2) {
        out[0] = '\\';
        out[1] = (char)c;
    } else {
        out[0] = '\\';
        out[1] = (char)('0' + c / 100);
        out[2] = (char)('0' + c / 10 % 10);
        out[3] = (char)('0' + c % 10);
    }
    return len;
}

/* SIZE_MAX: no int can say it. */
static size_t measure(struct onward_str text)
{
    size_t strings = text.len / STRING_MAX + (text.len % STRING_MAX != 0);
    size_t len = 3 * (strings == 0 ? 1 : strings) - 1;

    if (text.len > INT32_MAX / 8)
        return SIZE_MAX;
    for (size_t i = 0; i < text.len; i++)
        len += width((unsigned char)text.data[i]);
    return len;
}

int onward_dns_txt_strings(struct onward_str text, char *out, size_t cap)
{
    size_t len = measure(text);
    size_t at = 0;

    if (len >= cap)
        return ONWARD_ELIMIT;
    out[at++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (i != 0 && i % STRING_MAX == 0) {
            out[at++] = '"';
            out[at++] = ' ';
            out[at++] = '"';
        }
        at += put(out + at, (unsigned char)text.data[i]);
    }
    out[at++] = '"';
    out[at] = '\0';
    return (int)len;
}
