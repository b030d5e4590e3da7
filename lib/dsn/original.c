/* What of the message goes back with the notice: all, or its header made fit to
 * travel (RFC 3461 section 4.3, RFC 3464 section 2). */
#include "dsn/dsn_priv.h"

enum { PIECE = 4096, LINE_MAX_OCTETS = 998 };

/* At most max octets from the start of the source. */
static int read_start(const struct onward_source *source, size_t max,
                      struct onward_buf *out)
{
    uint64_t end = source->len < max ? source->len : max;

    while (out->len < end) {
        uint64_t left = end - out->len;
        size_t cap = left < PIECE ? (size_t)left : PIECE, got = 0;

        if (onward_core__buf_reserve(out, cap) != 0)
            return ONWARD_ENOMEM;
        if (source->read(source->user, out->len, out->data + out->len, cap,
                         &got) != 0 ||
            got == 0 || got > cap)
            return ONWARD_ECALLBACK;
        out->len += got;
    }
    return 0;
}

/* Octets of the header, its last CRLF included; all when it does not end. */
static size_t header_len(struct onward_str s)
{
    if (onward_core__str_starts(s, ONWARD_STR("\r\n")))
        return 0;
    for (size_t i = 0; i + 4 <= s.len; i++) {
        if (memcmp(s.data + i, "\r\n\r\n", 4) == 0)
            return i + 2;
    }
    return s.len;
}

/* Lines of at most 998 octets that end in CRLF, without NUL. */
static bool can_travel(struct onward_str s, bool allows_8bit)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '\r' && i + 1 < s.len && s.data[i + 1] == '\n') {
            line = 0;
            i++;
            continue;
        }
        if (c == '\r' || c == '\n' || c == '\0' || (c >= 0x80 && !allows_8bit))
            return false;
        if (++line > LINE_MAX_OCTETS)
            return false;
    }
    return s.len > 0 && line == 0;
}

/* In place: what cannot travel becomes '?', long lines and a last one without
 * its end are cut. */
static void clean_header(struct onward_buf *b, bool allows_8bit)
{
    size_t out = 0, line = 0, ended = 0;

    for (size_t i = 0; i < b->len; i++) {
        unsigned char c = b->data[i];

        if (c == '\r' && i + 1 < b->len && b->data[i + 1] == '\n') {
            b->data[out++] = '\r';
            b->data[out++] = '\n';
            line = 0;
            ended = out;
            i++;
            continue;
        }
        if (++line > LINE_MAX_OCTETS)
            continue;
        if (c == '\r' || c == '\n' || c == '\0' || (c >= 0x80 && !allows_8bit))
            c = '?';
        b->data[out++] = c;
    }
    b->len = ended;
}

int onward_dsn__read_original(const struct onward_dsn *dsn,
                              struct onward_dsn__original *out)
{
    const struct onward_source *source = &dsn->original;
    size_t max = dsn->opts.max_original, len;
    bool allows_utf8 = dsn->opts.allow_utf8 != 0;
    bool allows_8bit = allows_utf8 || dsn->opts.allow_8bit != 0;
    struct onward_str header;
    int err;

    *out = (struct onward_dsn__original){0};
    onward_core__buf_init(&out->octets, dsn->ctx, SIZE_MAX);
    if (source->read == NULL)
        return 0;
    err = read_start(source, max, &out->octets);
    if (err != 0)
        return err;
    len = header_len(onward_core__buf_str(&out->octets));
    header = onward_core__sub(onward_core__buf_str(&out->octets), 0, len);
    out->is_global = allows_utf8 && !onward_core__is_ascii(header) &&
                     onward_core__is_utf8(header);
    if (dsn->counts[ONWARD_DSN_FAILED] > 0 &&
        dsn->opts.ret != ONWARD_SMTP_RET_HDRS && source->len <= max &&
        can_travel(onward_core__buf_str(&out->octets), allows_8bit))
        return 0;
    out->is_header_only = true;
    out->octets.len = len;
    /* Latin-1 in a header is nothing that may travel. */
    clean_header(&out->octets, out->is_global);
    return 0;
}
