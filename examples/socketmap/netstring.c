#include "netstring.h"

#include <stdio.h>

/*
 * The number in front of the colon. "0" is the only one that begins with a
 * zero, and there is no sign: what two readers could take for two lengths is
 * taken for none. Returns the octets before the colon, 0: more is needed.
 */
static int64_t read_length(struct onward_str data, size_t max, size_t *len)
{
    size_t number = 0;

    for (size_t i = 0; i < data.len; i++) {
        unsigned digit = (unsigned char)data.data[i] - (unsigned)'0';

        if (data.data[i] == ':' && i > 0) {
            *len = number;
            return (int64_t)i;
        }
        if (digit > 9 || (i > 0 && number == 0) || number > max / 10)
            return NETSTRING_BROKEN;
        number = number * 10 + digit;
        if (number > max)
            return NETSTRING_BROKEN;
    }
    return 0;
}

int64_t netstring_read(struct onward_str data, size_t max,
                       struct onward_str *text)
{
    size_t len = 0;
    int64_t digits = read_length(data, max, &len);
    size_t start = (size_t)digits + 1;

    if (digits <= 0)
        return digits;
    if (data.len - start <= len)
        return 0; /* of the text, or of the comma behind it */
    if (data.data[start + len] != ',')
        return NETSTRING_BROKEN;
    *text = (struct onward_str){data.data + start, len};
    return (int64_t)(start + len + 1);
}

size_t netstring_head(size_t len, char out[NETSTRING_HEAD])
{
    return (size_t)snprintf(out, NETSTRING_HEAD, "%zu:", len);
}
