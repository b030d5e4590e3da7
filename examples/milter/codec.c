#define _GNU_SOURCE
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* KEPT: of a buffer, from one frame to the next. */
enum { LENGTH = 4, PIECE = 4096, KEPT = 131072 };

static uint32_t read_number(const char *at)
{
    const unsigned char *s = (const unsigned char *)at;

    return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 |
           s[3];
}

static void write_number(char *at, uint32_t value)
{
    for (size_t i = 0; i < LENGTH; i++)
        at[i] = (char)(unsigned char)(value >> (24 - 8 * i));
}

/* ---- Frames ------------------------------------------------------------ */

/* Room for len octets more. */
static int reserve(struct milter_reader *r, size_t len)
{
    size_t cap = r->cap == 0 ? PIECE : r->cap;
    char *more;

    while (cap - r->len < len)
        cap *= 2; /* both are bounded by a frame */
    if (cap == r->cap)
        return 0;
    more = realloc(r->data, cap);
    if (more == NULL)
        return ONWARD_ENOMEM;
    r->data = more;
    r->cap = cap;
    return 0;
}

/* Octets up to `whole` of the frame. */
static int take(struct milter_reader *r, size_t whole, const char **data,
                size_t *len)
{
    size_t n = whole - r->len < *len ? whole - r->len : *len;
    int err = reserve(r, n);

    if (err != 0)
        return err;
    if (n > 0)
        memcpy(r->data + r->len, *data, n);
    r->len += n;
    *data += n;
    *len -= n;
    return r->len == whole;
}

int milter_reader_feed(struct milter_reader *r, const void *data, size_t len,
                       size_t *taken, struct milter_frame *frame)
{
    const char *at = data;
    size_t left = len;
    uint32_t length;
    int ret;

    if (r->is_read && r->cap > KEPT)
        milter_reader_clear(r);
    if (r->is_read) {
        r->len = 0;
        r->is_read = false;
    }
    ret = r->len < LENGTH ? take(r, LENGTH, &at, &left) : 1;
    if (ret == 1) {
        length = read_number(r->data);
        if (length == 0 || length > MILTER_FRAME_MAX)
            return ONWARD_ELIMIT;
        ret = take(r, LENGTH + (size_t)length, &at, &left);
    }
    if (ret < 0)
        return ret;
    *taken = len - left;
    if (ret == 0)
        return 0;
    r->is_read = true;
    frame->command = (unsigned char)r->data[LENGTH];
    frame->payload =
        (struct onward_str){r->data + LENGTH + 1, r->len - LENGTH - 1};
    return 1;
}

void milter_reader_clear(struct milter_reader *r)
{
    free(r->data);
    *r = (struct milter_reader){0};
}

/* ---- Payloads ---------------------------------------------------------- */

int milter_read_options(struct onward_str payload, struct milter_options *out)
{
    if (payload.len < 3 * LENGTH)
        return ONWARD_ESYNTAX;
    out->version = read_number(payload.data);
    out->actions = read_number(payload.data + LENGTH);
    out->protocol = read_number(payload.data + (size_t)2 * LENGTH);
    return 0;
}

/* A string of s up to its NUL, which goes too. */
static int cut_string(struct onward_str *s, struct onward_str *out)
{
    const char *nul = s->len == 0 ? NULL : memchr(s->data, '\0', s->len);

    if (nul == NULL)
        return ONWARD_ESYNTAX;
    *out = (struct onward_str){s->data, (size_t)(nul - s->data)};
    s->data = nul + 1;
    s->len -= out->len + 1;
    return 0;
}

int milter_read_connect(struct onward_str payload, struct milter_client *out)
{
    static const char prefix[] = "IPv6:";
    struct milter_client client = {0};
    struct onward_str address;
    char family;

    if (cut_string(&payload, &client.name) != 0 || payload.len == 0)
        return ONWARD_ESYNTAX;
    family = payload.data[0];
    payload.data++;
    payload.len--;
    if (family == 'U') {
        if (payload.len != 0)
            return ONWARD_ESYNTAX;
        *out = client;
        return 0;
    }
    if (payload.len < 2) /* the port */
        return ONWARD_ESYNTAX;
    payload.data += 2;
    payload.len -= 2;
    if (cut_string(&payload, &address) != 0 || payload.len != 0)
        return ONWARD_ESYNTAX;
    if (family == '4' || family == '6') {
        if (address.len >= sizeof(prefix) - 1 &&
            strncasecmp(address.data, prefix, sizeof(prefix) - 1) == 0) {
            address.data += sizeof(prefix) - 1;
            address.len -= sizeof(prefix) - 1;
        }
        if (onward_ip_parse(address, &client.ip) != 0 ||
            client.ip.family != family - '0')
            return ONWARD_ESYNTAX;
    } else if (family != 'L') {
        return ONWARD_ESYNTAX;
    }
    *out = client;
    return 0;
}

int milter_read_strings(struct onward_str payload, struct onward_str *strings,
                        size_t max)
{
    struct onward_str s;
    int count = 0;

    if (payload.len == 0 || payload.data[payload.len - 1] != '\0')
        return ONWARD_ESYNTAX;
    for (; payload.len > 0; count++) {
        (void)cut_string(&payload, &s); /* there is a NUL at the end */
        if ((size_t)count < max)
            strings[count] = s;
    }
    return count;
}

static bool is_named(struct onward_str text, const char *name)
{
    if (text.len > 1 && text.data[0] == '{' && text.data[text.len - 1] == '}') {
        text.data++;
        text.len -= 2;
    }
    return text.len == strlen(name) && memcmp(text.data, name, text.len) == 0;
}

int milter_read_macro(struct onward_str payload, const char *name,
                      struct onward_str *value)
{
    struct onward_str key, found = {0};
    int ret = 0;

    if (payload.len == 0) /* of which command they are */
        return ONWARD_ESYNTAX;
    payload.data++;
    payload.len--;
    while (payload.len > 0) {
        struct onward_str text;

        if (cut_string(&payload, &key) != 0 || cut_string(&payload, &text) != 0)
            return ONWARD_ESYNTAX;
        if (ret == 0 && is_named(key, name)) {
            found = text;
            ret = 1;
        }
    }
    if (ret == 1)
        *value = found;
    return ret;
}

struct onward_str milter_read_address(struct onward_str text)
{
    if (text.len >= 2 && text.data[0] == '<' &&
        text.data[text.len - 1] == '>') {
        text.data++;
        text.len -= 2;
    }
    return text;
}

/* ---- Answers ----------------------------------------------------------- */

void milter_out_clear(struct milter_out *out)
{
    free(out->data);
    *out = (struct milter_out){0};
}

static void add(struct milter_out *out, const void *data, size_t len)
{
    size_t cap = out->cap == 0 ? PIECE : out->cap;
    char *more;

    if (out->has_failed)
        return;
    while (cap - out->len < len) {
        if (cap > SIZE_MAX / 2) {
            out->has_failed = true;
            return;
        }
        cap *= 2;
    }
    if (cap != out->cap) {
        more = realloc(out->data, cap);
        if (more == NULL) {
            out->has_failed = true;
            return;
        }
        out->data = more;
        out->cap = cap;
    }
    if (len > 0)
        memcpy(out->data + out->len, data, len);
    out->len += len;
}

static void add_string(struct milter_out *out, const char *text)
{
    add(out, text, strlen(text) + 1);
}

static void add_number(struct milter_out *out, uint32_t value)
{
    char octets[LENGTH];

    write_number(octets, value);
    add(out, octets, sizeof(octets));
}

/* Where the frame begins; its length is written by end(). */
static size_t begin(struct milter_out *out, char command)
{
    size_t at = out->len;

    add_number(out, 0);
    add(out, &command, 1);
    return at;
}

static void end(struct milter_out *out, size_t at)
{
    if (!out->has_failed)
        write_number(out->data + at, (uint32_t)(out->len - at - LENGTH));
}

void milter_put(struct milter_out *out, enum milter_answer answer)
{
    end(out, begin(out, (char)answer));
}

void milter_put_string(struct milter_out *out, enum milter_answer answer,
                       const char *text)
{
    size_t at = begin(out, (char)answer);

    add_string(out, text);
    end(out, at);
}

void milter_put_address(struct milter_out *out, enum milter_answer answer,
                        const char *address)
{
    size_t at = begin(out, (char)answer);

    add(out, "<", 1);
    add(out, address, strlen(address));
    add_string(out, ">");
    end(out, at);
}

void milter_put_field(struct milter_out *out, enum milter_answer answer,
                      uint32_t index, const char *name, const char *value)
{
    size_t at = begin(out, (char)answer);

    add_number(out, index);
    add_string(out, name);
    for (;;) {
        const char *cr = strstr(value, "\r\n");

        if (cr == NULL)
            break;
        add(out, value, (size_t)(cr - value));
        value = cr + 1;
    }
    add_string(out, value);
    end(out, at);
}

void milter_put_reply(struct milter_out *out, unsigned code,
                      const char *enhanced, const char *text)
{
    size_t at = begin(out, MILTER_REPLY);
    char front[32];

    snprintf(front, sizeof(front), "%u %s ", code, enhanced);
    add(out, front, strlen(front));
    for (; *text != '\0'; text++) {
        add(out, text, 1);
        if (*text == '%')
            add(out, text, 1);
    }
    add(out, "", 1);
    end(out, at);
}

void milter_put_options(struct milter_out *out,
                        const struct milter_options *options)
{
    size_t at = begin(out, MILTER_NEGOTIATE);

    add_number(out, options->version);
    add_number(out, options->actions);
    add_number(out, options->protocol);
    end(out, at);
}
