#include "json.h"

#include <inttypes.h>
#include <string.h>

/*
 * The length of the UTF-8 character at s (RFC 3629 section 4), 0 if there is
 * none: no overlong forms, surrogates or what is above U+10FFFF.
 */
static size_t utf8_len(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (left < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    }
    return len;
}

static FILE *out_of(const struct json *j)
{
    return j->out == NULL ? stdout : j->out;
}

static void put_string(FILE *out, struct onward_str text)
{
    const unsigned char *s = (const unsigned char *)text.data;

    fputc('"', out);
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_len(s + i, text.len - i);

        if (len == 0) {
            fputs("\\ufffd", out);
            len = 1;
        } else if (s[i] == '"' || s[i] == '\\') {
            fprintf(out, "\\%c", s[i]);
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            fprintf(out, "\\u%04x", s[i]);
        } else if (s[i] == 0xc2 && s[i + 1] < 0xa0) { /* terminals obey C1 too */
            fprintf(out, "\\u%04x", s[i + 1]);
        } else {
            fwrite(s + i, 1, len, out);
        }
        i += len;
    }
    fputc('"', out);
}

static void put_key(struct json *j, const char *key)
{
    if (j->needs_comma)
        fputc(',', out_of(j));
    j->needs_comma = true;
    if (key != NULL) {
        put_string(out_of(j), onward_str_of(key));
        fputc(':', out_of(j));
    }
}

void json_open(struct json *j, const char *key, char bracket)
{
    put_key(j, key);
    fputc(bracket, out_of(j));
    j->needs_comma = false;
}

void json_close(struct json *j, char bracket)
{
    fputc(bracket, out_of(j));
    j->needs_comma = true;
}

void json_str(struct json *j, const char *key, struct onward_str value)
{
    put_key(j, key);
    put_string(out_of(j), value);
}

void json_text(struct json *j, const char *key, const char *value)
{
    json_str(j, key, onward_str_of(value));
}

void json_str_or_null(struct json *j, const char *key, struct onward_str value)
{
    if (value.len == 0)
        json_null(j, key);
    else
        json_str(j, key, value);
}

void json_text_or_null(struct json *j, const char *key, const char *value)
{
    json_str_or_null(j, key, onward_str_of(value));
}

void json_number(struct json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    fprintf(out_of(j), "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    put_key(j, key);
    fputs(value ? "true" : "false", out_of(j));
}

void json_null(struct json *j, const char *key)
{
    put_key(j, key);
    fputs("null", out_of(j));
}

void json_end(struct json *j)
{
    fputc('\n', out_of(j));
    j->needs_comma = false;
}
