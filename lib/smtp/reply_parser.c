/*
 * Replies as they are read (RFC 5321 section 4.2.1), from a peer that may send
 * anything, cut anywhere.
 */
#include "smtp/smtp_shared.h"

enum { LINE_MAX_DEFAULT = 2048, LINES_MAX_DEFAULT = 100 };

void onward_smtp__reply_parser_init(struct onward_smtp__reply_parser *p,
                                    struct onward_ctx *ctx, size_t line_max,
                                    size_t lines_max)
{
    size_t all;

    memset(p, 0, sizeof(*p));
    p->line_max = onward_core__limit(line_max, LINE_MAX_DEFAULT);
    p->lines_max = onward_core__limit(lines_max, LINES_MAX_DEFAULT);
    if (onward_size_mul(p->line_max, p->lines_max, &all) < 0)
        all = ONWARD_LIMIT_NONE;
    onward_core__buf_init(&p->text, ctx, all);
}

void onward_smtp__reply_parser_clear(struct onward_smtp__reply_parser *p)
{
    onward_smtp__reply_parser_reset(p);
    onward_core__buf_clear(&p->text);
}

void onward_smtp__reply_parser_reset(struct onward_smtp__reply_parser *p)
{
    onward_core__buf_reset(&p->text);
    p->line_start = 0;
    p->line_count = 0;
    p->code = 0;
    p->enhanced_len = 0;
    p->is_done = false;
}

bool onward_smtp__reply_parser_is_open(
    const struct onward_smtp__reply_parser *p)
{
    return !p->is_done && p->text.len + p->line_count > 0;
}

void onward_smtp__reply_parser_get(const struct onward_smtp__reply_parser *p,
                                   struct onward_smtp_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    reply->size = sizeof(*reply);
    reply->code = p->code;
    reply->enhanced = onward_core__str(p->enhanced, p->enhanced_len);
    reply->text = onward_core__buf_str(&p->text);
}

/* The code of a line "ddd", "ddd text" or "ddd-text"; 0 when it is none. */
static size_t read_code(struct onward_str line)
{
    size_t code = 0;

    if (line.len < 3 || line.data[0] < '2' || line.data[0] > '5')
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (!onward_ascii_is_digit((unsigned char)line.data[i]))
            return 0;
        code = code * 10 + (size_t)(line.data[i] - '0');
    }
    if (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-')
        return 0;
    return code;
}

/* The first line says which enhanced code it is; see strip_enhanced. */
static void read_enhanced(struct onward_smtp__reply_parser *p,
                          struct onward_str text)
{
    struct onward_str word =
        onward_core__sub(text, 0, onward_core__str_find(text, ' '));
    int subject, detail;

    if (word.len > sizeof(p->enhanced) ||
        onward_smtp__parse_enhanced(word, p->code, &subject, &detail) < 0)
        return;
    memcpy(p->enhanced, word.data, word.len);
    p->enhanced_len = word.len;
}

/* Every line of a reply carries the same enhanced code (RFC 2034 section 4);
 * a line without it is text as it stands. */
static struct onward_str
strip_enhanced(const struct onward_smtp__reply_parser *p,
               struct onward_str text)
{
    struct onward_str enhanced = onward_core__str(p->enhanced, p->enhanced_len);

    if (enhanced.len == 0 || !onward_core__str_starts(text, enhanced) ||
        (text.len > enhanced.len && text.data[enhanced.len] != ' '))
        return text;
    return onward_core__sub(text, enhanced.len + 1, text.len);
}

/* The raw line at line_start, its line end included, becomes text. */
static int end_line(struct onward_smtp__reply_parser *p)
{
    struct onward_str line = onward_core__sub(onward_core__buf_str(&p->text),
                                              p->line_start, p->text.len);
    struct onward_str text;
    size_t code;

    /* Some servers end lines with LF alone; nothing is gained by refusing. */
    line.len--;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    code = read_code(line);
    if (code == 0 || (p->line_count > 0 && code != p->code))
        return ONWARD_ESYNTAX;
    p->code = code;
    p->is_done = line.len == 3 || line.data[3] == ' ';
    text = onward_core__sub(line, 4, line.len);
    if (p->line_count == 0)
        read_enhanced(p, text);
    text = strip_enhanced(p, text);
    if (text.len > 0)
        memmove(p->text.data + p->line_start, text.data, text.len);
    p->text.len = p->line_start + text.len;
    p->line_count++;
    if (p->is_done)
        return 1;
    if (p->line_count >= p->lines_max)
        return ONWARD_ELIMIT;
    /* In the place of the code that stood there: never fails. */
    p->text.data[p->text.len++] = '\n';
    p->line_start = p->text.len;
    return 0;
}

int onward_smtp__reply_parser_take(struct onward_smtp__reply_parser *p,
                                   const void *data, size_t len, size_t *taken)
{
    struct onward_str in = onward_core__str(data, len);
    size_t at = 0;
    int result = p->is_done ? 1 : 0;

    while (result == 0 && at < len) {
        size_t end =
            at + onward_core__str_find(onward_core__sub(in, at, len), '\n');
        size_t n = end - at + (end < len ? 1 : 0);

        if (n > p->line_max - (p->text.len - p->line_start)) {
            result = ONWARD_ELIMIT;
            break;
        }
        result = onward_core__buf_add(&p->text, in.data + at, n);
        if (result < 0)
            break;
        at += n;
        if (end < len)
            result = end_line(p);
    }
    *taken = at;
    return result;
}
