/* Peer octets made printable for logs, replies and details. */
#include "core/text_shared.h"

static int add_escaped(struct onward_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char text[4] = {'\\', 'x', (unsigned char)hex[c >> 4],
                             (unsigned char)hex[c & 15]};

    if (c >= 0x20 && c < 0x7f && c != '\\')
        return onward_core__buf_add_byte(out, c);
    return onward_core__buf_add(out, text, sizeof(text));
}

int onward_core__escape(struct onward_buf *out, struct onward_str s, size_t max)
{
    size_t start = out->len;
    size_t fits = 0; /* length at which "..." still fits behind */

    for (size_t i = 0; i < s.len; i++) {
        if (out->len - start + 3 <= max)
            fits = out->len - start;
        if (add_escaped(out, (unsigned char)s.data[i]) != 0)
            return out->err;
        if (out->len - start > max) {
            out->len = start + fits;
            return max < 3 ? 0 : onward_core__buf_add(out, "...", 3);
        }
    }
    return 0;
}
