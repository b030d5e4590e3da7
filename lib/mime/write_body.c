/*
 * Bodies as they are written: line ends, and the transfer encodings (RFC 2045
 * section 6).
 */
#include "mime/text_priv.h"
#include "mime/write_priv.h"

enum { TEXT_LINE = 998, QP_LINE = 76, FEW_WORDS = 100 };

/* What decides on the encoding. */
struct look {
    size_t high, controls, longest, qp_cost;
    bool has_from; /* a line that begins with "From " */
};

/* ---- Eight octets at a time -------------------------------------------- */

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

static uint64_t load(const char *at)
{
    uint64_t w;

    memcpy(&w, at, sizeof(w));
    return w;
}

/* Not 0: one of them is 0, or seems so behind one that is. */
static uint64_t has_zero(uint64_t w)
{
    return (w - EACH(1)) & ~w & EACH(0x80);
}

static uint64_t holds(uint64_t w, unsigned char octet)
{
    return has_zero(w ^ EACH(octet));
}

/* Are all of them as themselves in quoted-printable? HTAB may say no. */
static bool are_qp_plain(uint64_t w)
{
    uint64_t below_space = (w - EACH(0x20)) & ~w & EACH(0x80);

    return ((w & EACH(0x80)) | below_space | holds(w, 0x7f) | holds(w, '=')) ==
           0;
}

/* ---- Looking ----------------------------------------------------------- */

/* The next line of text without its end; *at is behind it. */
static struct onward_str next_line(struct onward_str text, size_t *at)
{
    size_t from = *at, end = from;

    while (text.len - end >= sizeof(uint64_t)) {
        uint64_t w = load(text.data + end);

        if ((holds(w, '\n') | holds(w, '\r')) != 0)
            break;
        end += sizeof(uint64_t);
    }
    while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r')
        end++;
    *at = end;
    if (*at < text.len && text.data[*at] == '\r')
        ++*at;
    if (*at < text.len && text.data[*at] == '\n' &&
        (*at == end || text.data[end] == '\r'))
        ++*at;
    return onward_core__sub(text, from, end);
}

/* As itself in quoted-printable, but for blanks at the end of a line. */
static bool is_qp_plain(unsigned char c)
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Mailboxes that are one file put a `>` in front of it (RFC 4155), and a
 * signature over the body breaks. */
static bool is_from_line(struct onward_str line)
{
    return onward_core__str_starts(line, ONWARD_STR("From "));
}

static void look_at(struct onward_str text, struct look *look)
{
    size_t at = 0;

    *look = (struct look){0};
    while (at < text.len) {
        struct onward_str line = next_line(text, &at);

        if (line.len > look->longest)
            look->longest = line.len;
        look->has_from = look->has_from || is_from_line(line);
        for (size_t i = 0; i < line.len; i++) {
            unsigned char c;

            for (; line.len - i > sizeof(uint64_t) &&
                   are_qp_plain(load(line.data + i));
                 i += sizeof(uint64_t))
                look->qp_cost += sizeof(uint64_t);
            c = (unsigned char)line.data[i];
            look->high += c >= 0x80;
            look->controls += (c < ' ' && c != '\t') || c == 0x7f;
            look->qp_cost += is_qp_plain(c) ? 1 : 3;
        }
    }
}

void onward_mime__write_lines(struct onward_buf *out, struct onward_str text)
{
    size_t at = 0;

    while (at < text.len) {
        onward_core__buf_add_str(out, next_line(text, &at));
        onward_core__buf_add(out, "\r\n", 2);
    }
}

/* A dot alone ends the message for some; mailboxes change "From ". */
static bool is_bad_start(struct onward_str rest)
{
    return rest.data[0] == '.' || (rest.data[0] == 'F' && is_from_line(rest));
}

/* RFC 2045 section 6.7, rules 1 to 5. */
static void write_qp_line(struct onward_buf *out, struct onward_str line)
{
    static const char hex[] = "0123456789ABCDEF";
    char put[QP_LINE + 2];
    size_t column = 0;

    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];
        bool is_last = i + 1 == line.len;
        bool plain = is_qp_plain(c) && !(is_last && (c == ' ' || c == '\t'));

        if (column + (plain ? 1 : 3) > (is_last ? QP_LINE : QP_LINE - 1)) {
            memcpy(put + column, "=\r\n", 3);
            onward_core__buf_add(out, put, column + 3);
            column = 0;
        }
        if (column == 0 && is_bad_start(onward_core__sub(line, i, line.len)))
            plain = false;
        if (plain) {
            put[column++] = (char)c;
            continue;
        }
        put[column++] = '=';
        put[column++] = hex[c >> 4];
        put[column++] = hex[c & 15];
    }
    memcpy(put + column, "\r\n", 2);
    onward_core__buf_add(out, put, column + 2);
}

void onward_mime__write_qp(struct onward_buf *out, struct onward_str text)
{
    size_t at = 0;

    while (at < text.len)
        write_qp_line(out, next_line(text, &at));
}

size_t onward_mime__base64_lines(unsigned char *out, const void *data,
                                 size_t len)
{
    const unsigned char *in = data;
    unsigned char *start = out;

    while (len > 0) {
        size_t n =
            len < ONWARD_MIME__BASE64_RAW ? len : ONWARD_MIME__BASE64_RAW;

        out += onward_core__base64_write(out, in, n);
        *out++ = '\r';
        *out++ = '\n';
        in += n;
        len -= n;
    }
    return (size_t)(out - start);
}

uint64_t onward_mime__base64_lines_len(uint64_t len)
{
    uint64_t lines = len / ONWARD_MIME__BASE64_RAW;
    uint64_t rest = len % ONWARD_MIME__BASE64_RAW;

    return lines * ONWARD_MIME__BASE64_LINE +
           (rest == 0 ? 0 : (rest + 2) / 3 * 4 + 2);
}

static void write_base64(struct onward_buf *out, struct onward_str text)
{
    struct onward_buf whole;
    uint64_t len;

    onward_core__buf_init(&whole, out->ctx, out->max);
    onward_mime__write_lines(&whole, text);
    len = onward_mime__base64_lines_len(whole.len);
    if (whole.err != 0)
        out->err = whole.err;
    else if (onward_core__buf_reserve(out, (size_t)len) == 0)
        out->len += onward_mime__base64_lines(out->data + out->len, whole.data,
                                              whole.len);
    onward_core__buf_clear(&whole);
}

int onward_mime__write_body(struct onward_buf *out, struct onward_str text,
                            bool allow_8bit)
{
    struct look look;

    look_at(text, &look);
    if (look.controls == 0 && look.longest <= TEXT_LINE && !look.has_from &&
        (look.high == 0 || allow_8bit)) {
        onward_mime__write_lines(out, text);
        return look.high == 0 ? ONWARD_ENCODING_7BIT : ONWARD_ENCODING_8BIT;
    }
    /* What costs least; of a few words, what can be read. */
    if (3 * look.qp_cost <= (text.len < FEW_WORDS ? 7 : 4) * text.len) {
        onward_mime__write_qp(out, text);
        return ONWARD_ENCODING_QUOTED_PRINTABLE;
    }
    write_base64(out, text);
    return ONWARD_ENCODING_BASE64;
}
