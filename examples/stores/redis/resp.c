#include "resp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 512, ITEMS_MAX = 65536 };

struct reader {
    struct onward_str data;
    size_t at, want;
    bool is_broken;
};

/* ---- Replies ----------------------------------------------------------- */

/* A line without its CRLF; false: not there yet, or never. */
static bool get_line(struct reader *r, struct onward_str *line)
{
    const char *start = r->data.data + r->at;
    size_t left = r->data.len - r->at;
    const char *lf = left == 0 ? NULL : memchr(start, '\n', left);
    size_t len;

    if (lf == NULL) {
        r->is_broken = left > LINE_MAX_LEN;
        r->want = r->data.len + 1;
        return false;
    }
    len = (size_t)(lf - start);
    if (len == 0 || len > LINE_MAX_LEN || start[len - 1] != '\r') {
        r->is_broken = true;
        return false;
    }
    line->data = start;
    line->len = len - 1;
    r->at += len + 1;
    return true;
}

static bool get_number(struct onward_str s, int64_t *number)
{
    bool is_negative = s.len > 0 && s.data[0] == '-';
    int64_t value = 0;

    if (s.len == (is_negative ? 1 : 0) || s.len > 18)
        return false;
    for (size_t i = is_negative ? 1 : 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        value = value * 10 + (s.data[i] - '0');
    }
    *number = is_negative ? -value : value;
    return true;
}

static bool get_bulk(struct reader *r, int64_t len, struct resp_value *v)
{
    size_t left = r->data.len - r->at;

    if (len == -1) {
        v->type = RESP_NIL;
        return true;
    }
    if (len < 0 || len > RESP_BULK_MAX) {
        r->is_broken = true;
        return false;
    }
    if (left < (size_t)len + 2) {
        r->want = r->at + (size_t)len + 2;
        return false;
    }
    v->type = RESP_TEXT;
    v->text.data = r->data.data + r->at;
    v->text.len = (size_t)len;
    r->is_broken = v->text.data[len] != '\r' || v->text.data[len + 1] != '\n';
    r->at += (size_t)len + 2;
    return !r->is_broken;
}

static bool get_value(struct reader *r, struct resp_value *v)
{
    struct onward_str line;
    char kind;

    *v = (struct resp_value){.type = RESP_NIL};
    if (!get_line(r, &line))
        return false;
    if (line.len == 0) {
        r->is_broken = true;
        return false;
    }
    kind = line.data[0];
    line.data++;
    line.len--;
    if (kind == '+' || kind == '-') {
        v->type = kind == '+' ? RESP_TEXT : RESP_ERROR;
        v->text = line;
        return true;
    }
    r->is_broken = strchr(":$*", kind) == NULL || kind == '\0' ||
                   !get_number(line, &v->number);
    if (r->is_broken)
        return false;
    if (kind == '$')
        return get_bulk(r, v->number, v);
    v->type = kind == ':' ? RESP_NUMBER : RESP_ARRAY;
    if (kind == '*' && v->number == -1)
        v->type = RESP_NIL;
    else if (kind == '*')
        r->is_broken = v->number < 0 || v->number > ITEMS_MAX;
    return !r->is_broken;
}

static bool add(struct reader *r, struct resp_reply *reply,
                const struct resp_value *v)
{
    if (reply->count == reply->room) {
        size_t room = reply->room == 0 ? 16 : reply->room * 2;
        struct resp_value *values =
            realloc(reply->values, room * sizeof(*values));

        if (values == NULL) {
            r->is_broken = true;
            return false;
        }
        reply->values = values;
        reply->room = room;
    }
    reply->values[reply->count++] = *v;
    return true;
}

int64_t resp_read(struct onward_str data, struct resp_reply *reply,
                  size_t *want)
{
    struct reader r = {.data = data};
    int64_t items = 0;

    reply->count = 0;
    for (int64_t i = 0; i <= items; i++) {
        struct resp_value v;

        if (!get_value(&r, &v) || !add(&r, reply, &v))
            break;
        if (v.type == RESP_ARRAY && i > 0)
            r.is_broken = true;
        else if (v.type == RESP_ARRAY)
            items = v.number;
    }
    if (!r.is_broken && reply->count == (size_t)items + 1)
        return (int64_t)r.at;
    *want = r.want;
    return r.is_broken || r.want > RESP_BYTES_MAX ? RESP_BROKEN : 0;
}

void resp_clear(struct resp_reply *reply)
{
    free(reply->values);
    *reply = (struct resp_reply){0};
}

/* ---- Commands ---------------------------------------------------------- */

static void put(struct resp_out *out, const void *data, size_t len)
{
    if (len > out->room - out->len) {
        size_t room = out->room == 0 ? 4096 : out->room;
        char *bigger;

        while (len > room - out->len)
            room *= 2;
        bigger = realloc(out->data, room);
        if (bigger == NULL) {
            out->has_failed = 1;
            return;
        }
        out->data = bigger;
        out->room = room;
    }
    if (len != 0)
        memcpy(out->data + out->len, data, len);
    out->len += len;
}

static void put_count(struct resp_out *out, char kind, size_t count)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%c%zu\r\n", kind, count);

    put(out, text, (size_t)len);
}

void resp_command(struct resp_out *out, size_t words)
{
    put_count(out, '*', words);
}

void resp_word(struct resp_out *out, const void *data, size_t len)
{
    put_count(out, '$', len);
    put(out, data, len);
    put(out, "\r\n", 2);
}

void resp_text(struct resp_out *out, const char *text)
{
    resp_word(out, text, strlen(text));
}

void resp_number(struct resp_out *out, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, number);
    resp_text(out, text);
}
