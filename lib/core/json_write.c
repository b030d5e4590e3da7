/*
 * The JSON writer: strings that are always valid, and commas where they belong.
 */
#include "core/json_shared.h"

#include <unistr.h>

#include "core/text_shared.h"

/* Octets of the character at the start of s, or 0 when it is not UTF-8. */
static size_t char_len(struct onward_str s)
{
    ucs4_t code;
    int len = u8_mbtoucr(&code, (const uint8_t *)s.data, s.len);

    return len > 0 ? (size_t)len : 0;
}

static void write_control(struct onward_buf *out, unsigned char c)
{
    static const char names[] = "\bb\ff\nn\rr\tt";
    char escape[6] = {'\\',
                      'u',
                      '0',
                      '0',
                      "0123456789abcdef"[c >> 4],
                      "0123456789abcdef"[c & 15]};

    for (size_t i = 0; i + 1 < sizeof(names); i += 2) {
        if (c == (unsigned char)names[i]) {
            onward_core__buf_add_byte(out, '\\');
            onward_core__buf_add_byte(out, (unsigned char)names[i + 1]);
            return;
        }
    }
    onward_core__buf_add(out, escape, sizeof(escape));
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

int onward_json__write_string(struct onward_buf *out, struct onward_str s)
{
    onward_core__buf_add_byte(out, '"');
    for (size_t at = 0; at < s.len;) {
        unsigned char c = (unsigned char)s.data[at];
        size_t end = at, len;

        while (end < s.len && is_plain((unsigned char)s.data[end]))
            end++;
        if (end > at) {
            onward_core__buf_add(out, s.data + at, end - at);
            at = end;
            continue;
        }
        if (c == '"' || c == '\\') {
            onward_core__buf_add_byte(out, '\\');
            onward_core__buf_add_byte(out, c);
            at++;
        } else if (c <= 0x7f) {
            write_control(out, c);
            at++;
        } else {
            len = char_len(onward_core__sub(s, at, s.len));
            if (len == 0)
                onward_core__buf_add_text(out, "\xef\xbf\xbd");
            else
                onward_core__buf_add(out, s.data + at, len);
            at += len == 0 ? 1 : len;
        }
    }
    return onward_core__buf_add_byte(out, '"');
}

static uint64_t level_bit(const struct onward_json_writer *w)
{
    return UINT64_C(1) << (w->depth & 63);
}

static void before_item(struct onward_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth > 0 && (w->has_item & level_bit(w)) != 0)
        onward_core__buf_add_byte(w->out, ',');
    w->has_item |= level_bit(w);
}

static void open_with(struct onward_json_writer *w, unsigned char bracket)
{
    before_item(w);
    onward_core__buf_add_byte(w->out, bracket);
    ONWARD_ASSERT(w->depth < 63);
    w->depth++;
    w->has_item &= ~level_bit(w);
}

static void close_with(struct onward_json_writer *w, unsigned char bracket)
{
    ONWARD_ASSERT(w->depth > 0 && !w->after_key);
    onward_core__buf_add_byte(w->out, bracket);
    w->depth--;
}

void onward_json__open_object(struct onward_json_writer *w)
{
    open_with(w, '{');
}

void onward_json__close_object(struct onward_json_writer *w)
{
    close_with(w, '}');
}

void onward_json__open_array(struct onward_json_writer *w)
{
    open_with(w, '[');
}

void onward_json__close_array(struct onward_json_writer *w)
{
    close_with(w, ']');
}

void onward_json__key(struct onward_json_writer *w, const char *name)
{
    before_item(w);
    onward_json__write_string(w->out, onward_str_of(name));
    onward_core__buf_add_byte(w->out, ':');
    w->after_key = true;
}

void onward_json__string(struct onward_json_writer *w, struct onward_str s)
{
    before_item(w);
    onward_json__write_string(w->out, s);
}

void onward_json__text(struct onward_json_writer *w, const char *text)
{
    onward_json__string(w, onward_str_of(text));
}

void onward_json__base64(struct onward_json_writer *w, struct onward_str data)
{
    before_item(w);
    onward_core__buf_add_byte(w->out, '"');
    onward_core__base64_encode(w->out, data.data, data.len);
    onward_core__buf_add_byte(w->out, '"');
}

void onward_json__number(struct onward_json_writer *w, int64_t value)
{
    before_item(w);
    onward_core__buf_add_i64(w->out, value);
}

void onward_json__bool(struct onward_json_writer *w, bool value)
{
    before_item(w);
    onward_core__buf_add_text(w->out, value ? "true" : "false");
}

void onward_json__null(struct onward_json_writer *w)
{
    before_item(w);
    onward_core__buf_add_text(w->out, "null");
}
