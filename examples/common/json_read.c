#include "json_read.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, VALUES_MAX = 100000 };

struct json_document {
    struct json_value *root;
    struct json_value *values; /* all of them, to be freed */
    size_t count;
    char *text; /* decoded strings, one after the other */
};

/* The values of a document are in blocks of one; a reader walks the text. */
struct reader {
    struct onward_str in;
    size_t at;
    struct json_document *d;
    size_t cap;
    char *out; /* where the next string is written: never longer than in */
    const char *what;
};

static bool fail(struct reader *r, const char *what)
{
    if (r->what == NULL)
        r->what = what;
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->in.len && memchr(" \t\r\n", r->in.data[r->at], 4) != NULL)
        r->at++;
}

static int peek(const struct reader *r)
{
    return r->at < r->in.len ? (unsigned char)r->in.data[r->at] : -1;
}

/* ---- Values ------------------------------------------------------------ */

/* Room for all was made: a value takes an octet of the text at least. */
static struct json_value *new_value(struct reader *r, enum json_type type)
{
    struct json_value *v;

    if (r->d->count == r->cap) {
        fail(r, "too many values");
        return NULL;
    }
    v = &r->d->values[r->d->count++];
    *v = (struct json_value){.type = type};
    return v;
}

/* ---- Strings ----------------------------------------------------------- */

static void put_utf8(struct reader *r, uint32_t c)
{
    if (c < 0x80) {
        *r->out++ = (char)c;
    } else if (c < 0x800) {
        *r->out++ = (char)(0xc0 | c >> 6);
        *r->out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *r->out++ = (char)(0xe0 | c >> 12);
        *r->out++ = (char)(0x80 | (c >> 6 & 63));
        *r->out++ = (char)(0x80 | (c & 63));
    } else {
        *r->out++ = (char)(0xf0 | c >> 18);
        *r->out++ = (char)(0x80 | (c >> 12 & 63));
        *r->out++ = (char)(0x80 | (c >> 6 & 63));
        *r->out++ = (char)(0x80 | (c & 63));
    }
}

static bool read_hex4(struct reader *r, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        int c = peek(r);
        const char *digit;

        if (c >= 'A' && c <= 'F')
            c += 'a' - 'A';
        digit = c <= 0 ? NULL : strchr(digits, c);
        if (digit == NULL)
            return fail(r, "\\u without four hexadecimal digits");
        *value = *value << 4 | (uint32_t)(digit - digits);
        r->at++;
    }
    return true;
}

static bool read_unicode(struct reader *r)
{
    uint32_t c, low;

    if (!read_hex4(r, &c))
        return false;
    if (c >= 0xdc00 && c < 0xe000)
        return fail(r, "half a surrogate pair");
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->in.len - r->at < 2 || memcmp(r->in.data + r->at, "\\u", 2) != 0)
            return fail(r, "half a surrogate pair");
        r->at += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low < 0xdc00 || low >= 0xe000)
            return fail(r, "half a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(r, c);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *name = c <= 0 ? NULL : strchr(names, c);

    r->at++;
    if (c == 'u')
        return read_unicode(r);
    if (name == NULL)
        return fail(r, "an escape that there is not");
    *r->out++ = means[name - names];
    return true;
}

static bool read_string(struct reader *r, struct onward_str *text)
{
    char *from = r->out;

    r->at++; /* the quote */
    for (;;) {
        int c = peek(r);

        if (c < 0)
            return fail(r, "a string without end");
        if (c < ' ')
            return fail(r, "a control character in a string");
        r->at++;
        if (c == '"')
            break;
        if (c == '\\') {
            if (!read_escape(r))
                return false;
        } else {
            *r->out++ = (char)c;
        }
    }
    *text = (struct onward_str){from, (size_t)(r->out - from)};
    *r->out++ = '\0'; /* in the room of a quote */
    return true;
}

/* ---- The rest ---------------------------------------------------------- */

static struct json_value *read_value(struct reader *r, int depth);

static struct json_value *read_word(struct reader *r)
{
    static const struct {
        const char *word;
        enum json_type type;
        bool truth;
    } words[] = {{"true", JSON_BOOL, true},
                 {"false", JSON_BOOL, false},
                 {"null", JSON_NULL, false}};

    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i].word);
        struct json_value *v;

        if (r->in.len - r->at < len ||
            memcmp(r->in.data + r->at, words[i].word, len) != 0)
            continue;
        r->at += len;
        v = new_value(r, words[i].type);
        if (v != NULL)
            v->truth = words[i].truth;
        return v;
    }
    fail(r, "what is no JSON");
    return NULL;
}

static bool skip_digits(struct reader *r)
{
    size_t from = r->at;

    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at > from;
}

static struct json_value *read_number(struct reader *r)
{
    size_t from = r->at;
    struct json_value *v;
    char digits[64];
    bool is_good;

    if (peek(r) == '-')
        r->at++;
    is_good = peek(r) == '0' ? (r->at++, true) : skip_digits(r);
    if (is_good && peek(r) == '.') {
        r->at++;
        is_good = skip_digits(r);
    }
    if (is_good && (peek(r) == 'e' || peek(r) == 'E')) {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        is_good = skip_digits(r);
    }
    if (!is_good || r->at - from >= sizeof(digits)) {
        fail(r, "what is no number");
        return NULL;
    }
    memcpy(digits, r->in.data + from, r->at - from);
    digits[r->at - from] = '\0';
    v = new_value(r, JSON_NUMBER);
    if (v != NULL)
        v->number = strtod(digits, NULL);
    return v;
}

static bool read_key(struct reader *r, const struct json_value *object,
                     struct onward_str *key)
{
    skip_blanks(r);
    if (peek(r) != '"')
        return fail(r, "a member without a name");
    if (!read_string(r, key))
        return false;
    for (const struct json_value *v = object->first; v != NULL; v = v->next) {
        if (onward_str_equal(v->key, *key))
            return fail(r, "a name that is there twice");
    }
    skip_blanks(r);
    if (peek(r) != ':')
        return fail(r, "a member without a colon");
    r->at++;
    return true;
}

static struct json_value *read_list(struct reader *r, int depth, bool is_object)
{
    const int end = is_object ? '}' : ']';
    struct json_value *list =
        new_value(r, is_object ? JSON_OBJECT : JSON_ARRAY);
    struct json_value **at;

    if (list == NULL)
        return NULL;
    at = &list->first;
    r->at++; /* the bracket */
    skip_blanks(r);
    while (peek(r) != end) {
        struct onward_str key = {0};

        if (at != &list->first) {
            if (peek(r) != ',') {
                fail(r, "a list without comma or end");
                return NULL;
            }
            r->at++;
        }
        if (is_object && !read_key(r, list, &key))
            return NULL;
        *at = read_value(r, depth + 1);
        if (*at == NULL)
            return NULL;
        (*at)->key = key;
        at = &(*at)->next;
        skip_blanks(r);
    }
    r->at++;
    return list;
}

static struct json_value *read_value(struct reader *r, int depth)
{
    struct json_value *v;
    int c;

    skip_blanks(r);
    c = peek(r);
    if (depth > DEPTH_MAX) {
        fail(r, "lists in lists, too deep");
        return NULL;
    }
    if (c == '{' || c == '[')
        return read_list(r, depth, c == '{');
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    if (c != '"')
        return read_word(r);
    v = new_value(r, JSON_STRING);
    return v != NULL && read_string(r, &v->text) ? v : NULL;
}

/* ---- The document ------------------------------------------------------ */

static struct json_document *allocate(struct onward_str text, size_t *cap)
{
    struct json_document *d = calloc(1, sizeof(*d));

    *cap = text.len < VALUES_MAX ? text.len + 1 : VALUES_MAX;
    if (d == NULL)
        return NULL;
    d->values = calloc(*cap, sizeof(*d->values));
    d->text = malloc(text.len + 1);
    if (d->values == NULL || d->text == NULL) {
        json_free(d);
        return NULL;
    }
    return d;
}

struct json_document *json_read(struct onward_str text, char *why,
                                size_t why_size)
{
    struct reader r = {.in = text};

    r.d = allocate(text, &r.cap);
    if (r.d == NULL) {
        snprintf(why, why_size, "no memory");
        return NULL;
    }
    r.out = r.d->text;
    r.d->root = read_value(&r, 0);
    skip_blanks(&r);
    if (r.d->root != NULL && r.at < text.len)
        fail(&r, "something behind the end");
    if (r.what == NULL)
        return r.d;
    snprintf(why, why_size, "%s at octet %zu", r.what, r.at);
    json_free(r.d);
    return NULL;
}

const struct json_value *json_root(const struct json_document *document)
{
    return document->root;
}

void json_free(struct json_document *document)
{
    if (document == NULL)
        return;
    free(document->values);
    free(document->text);
    free(document);
}

const struct json_value *json_get(const struct json_value *value,
                                  const char *key)
{
    if (value == NULL || value->type != JSON_OBJECT)
        return NULL;
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        if (onward_str_equal(v->key, onward_str_of(key)))
            return v;
    }
    return NULL;
}
