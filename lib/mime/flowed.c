/*
 * Texts that are made of other texts: format=flowed (RFC 3676), and names that
 * can be given to a file.
 */
#include "mime/text_priv.h"

#include <unistr.h>

#include "core/text_shared.h"

/* ---- format=flowed ----------------------------------------------------- */

/* One line, taken apart. */
struct line {
    size_t depth;
    struct onward_str text; /* without quote marks and the stuffed space */
    bool is_flowed;
    bool is_signature;
};

static struct line read_line(struct onward_str s, bool delsp)
{
    struct line line = {0};

    while (line.depth < s.len && s.data[line.depth] == '>')
        line.depth++;
    s = onward_core__sub(s, line.depth, s.len);
    if (s.len > 0 && s.data[0] == ' ')
        s = onward_core__sub(s, 1, s.len);
    line.is_signature = onward_core__str_eq(s, ONWARD_STR("-- "));
    line.is_flowed =
        !line.is_signature && s.len > 0 && s.data[s.len - 1] == ' ';
    if (line.is_flowed && delsp)
        s.len--;
    line.text = s;
    return line;
}

static void add_quote(struct onward_buf *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        onward_core__buf_add_byte(out, '>');
    if (depth > 0)
        onward_core__buf_add_byte(out, ' ');
}

static void add_flowed(struct onward_buf *out, struct onward_str s, bool delsp)
{
    bool in_paragraph = false;
    size_t depth = 0, at = 0;

    while (at < s.len) {
        struct onward_str rest = onward_core__sub(s, at, s.len);
        size_t len = onward_core__str_find(rest, '\n');
        struct onward_str text = onward_core__sub(rest, 0, len);
        struct line line;

        at += len + 1;
        if (text.len > 0 && text.data[text.len - 1] == '\r')
            text.len--;
        line = read_line(text, delsp);
        /* A paragraph never goes on at another depth, nor in a signature
         * (RFC 3676 sections 4.3 and 4.5). */
        if (in_paragraph && (line.depth != depth || line.is_signature)) {
            onward_core__buf_add_text(out, "\r\n");
            in_paragraph = false;
        }
        if (!in_paragraph)
            add_quote(out, line.depth);
        onward_core__buf_add_str(out, line.text);
        depth = line.depth;
        in_paragraph = line.is_flowed;
        if (!in_paragraph)
            onward_core__buf_add_text(out, "\r\n");
    }
    if (in_paragraph)
        onward_core__buf_add_text(out, "\r\n");
}

int onward_flowed_decode(struct onward_ctx *ctx, struct onward_str octets,
                         int delsp, struct onward_text **text)
{
    struct onward_text *made;
    int err = onward_mime__text_new(ctx, SIZE_MAX, &made);

    if (err != 0)
        return err;
    add_flowed(&made->buf, octets, delsp != 0);
    return onward_mime__text_end(made, 0, text);
}

/* ---- File names -------------------------------------------------------- */

enum { NAME_MAX_OCTETS = 200, ENDING_MAX = 20 };

static struct onward_str leaf_of(struct onward_str name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.data[i - 1] == '/' || name.data[i - 1] == '\\')
            return onward_core__sub(name, i, name.len);
    }
    return name;
}

/* Each character that is fit; of others one "_", or nothing when it cannot be
 * seen. */
static void add_fit(struct onward_buf *out, struct onward_str leaf)
{
    const uint8_t *at = (const uint8_t *)leaf.data;
    size_t left = leaf.len;

    while (left > 0) {
        ucs4_t code;
        int n = u8_mbtoucr(&code, at, left);
        size_t len = n > 0 ? (size_t)n : 1;
        struct onward_str one = onward_core__str(at, len);

        if (n <= 0 || (code < 0x80 && memchr(":*?\"<>|", (int)code, 7)))
            onward_core__buf_add_byte(out, '_');
        else if (code >= ' ' && code != 0x7f &&
                 !onward_core__has_invisible(one))
            onward_core__buf_add_str(out, one);
        at += len;
        left -= len;
    }
}

static bool is_end_octet(char c)
{
    return c == '.' || c == ' ';
}

static struct onward_str trim_ends(struct onward_str s)
{
    while (s.len > 0 && is_end_octet(s.data[0]))
        s = onward_core__sub(s, 1, s.len);
    while (s.len > 0 && is_end_octet(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* CON, NUL, COM1 and their like open a device on some systems, whatever their
 * ending is. */
static bool is_device(struct onward_str name)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul"};
    struct onward_str stem =
        onward_core__sub(name, 0, onward_core__str_find(name, '.'));

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (onward_core__str_ieq(stem, onward_str_of(devices[i])))
            return true;
    }
    return stem.len == 4 &&
           onward_ascii_is_digit((unsigned char)stem.data[3]) &&
           (onward_core__str_istarts(stem, ONWARD_STR("com")) ||
            onward_core__str_istarts(stem, ONWARD_STR("lpt")));
}

/* The start of s, at most max octets, no character cut. */
static struct onward_str cut(struct onward_str s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max > 0 && ((unsigned char)s.data[max] & 0xc0) == 0x80)
        max--;
    return onward_core__sub(s, 0, max);
}

int onward_safe_name(struct onward_ctx *ctx, struct onward_str name,
                     struct onward_text **text)
{
    struct onward_str fit, ending;
    struct onward_text *made;
    struct onward_buf out;
    int err = onward_mime__text_new(ctx, SIZE_MAX, &made);

    if (err != 0)
        return err;
    onward_core__buf_init(&out, ctx, SIZE_MAX);
    add_fit(&out, leaf_of(name));
    fit = trim_ends(onward_core__buf_str(&out));
    if (is_device(fit))
        onward_core__buf_add_byte(&made->buf, '_');
    ending = onward_core__sub(fit, onward_core__str_rfind(fit, '.'), fit.len);
    if (ending.len > ENDING_MAX)
        ending.len = 0;
    if (fit.len > NAME_MAX_OCTETS) {
        fit = cut(fit, NAME_MAX_OCTETS - 1 - ending.len);
        onward_core__buf_add_str(&made->buf, trim_ends(fit));
        onward_core__buf_add_str(&made->buf, ending);
    } else {
        onward_core__buf_add_str(&made->buf, fit);
    }
    if (made->buf.len == 0)
        onward_core__buf_add_text(&made->buf, "unnamed");
    err = out.err;
    onward_core__buf_clear(&out);
    return onward_mime__text_end(made, err, text);
}
