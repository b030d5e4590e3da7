#define _GNU_SOURCE
#include "line.h"

#include <string.h>

#include "endpoint.h"

enum {
    MINOR_LEAST = 6, /* before it fields stood in another order */
    MINOR_RESULT_FIRST = 7,
    ID_DIGITS = 16
};

bool line_is(struct onward_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

bool line_next(struct onward_str *rest, struct onward_str *field)
{
    const char *bar =
        rest->len == 0 ? NULL : memchr(rest->data, '|', rest->len);
    size_t len = bar == NULL ? rest->len : (size_t)(bar - rest->data);
    size_t skip = bar == NULL ? len : len + 1;

    *field = (struct onward_str){rest->data, len};
    *rest = (struct onward_str){rest->data == NULL ? NULL : rest->data + skip,
                                rest->len - skip};
    return bar != NULL;
}

struct onward_str line_back(struct onward_str rest, size_t nth)
{
    struct onward_str field = {0};

    for (; nth > 0; nth--) {
        const char *bar =
            rest.len == 0 ? NULL : memrchr(rest.data, '|', rest.len);

        if (bar == NULL)
            return (struct onward_str){0};
        field = rest;
        field.data = bar + 1;
        field.len = rest.len - (size_t)(bar + 1 - rest.data);
        rest.len = (size_t)(bar - rest.data);
    }
    return field;
}

static bool read_id(struct onward_str text, uint64_t *id)
{
    uint64_t value = 0;

    if (text.len != ID_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (unsigned)(c - 'a') + 10;
        else
            return false;
    }
    *id = value;
    return true;
}

/* "0.6", and what comes after it. */
static bool read_version(struct onward_str text, unsigned *minor)
{
    unsigned value = 0;

    if (text.len < 3 || text.len > 5 || memcmp(text.data, "0.", 2) != 0)
        return false;
    for (size_t i = 2; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *minor = value;
    return value >= MINOR_LEAST;
}

void line_read(struct onward_str text, struct line *out)
{
    struct onward_str kind, version, time, subsystem, session, token;
    struct onward_str rest = text;
    bool is_filter;

    *out = (struct line){.kind = LINE_BROKEN};
    if (!line_next(&rest, &kind))
        return;
    if (line_is(kind, "config")) {
        out->kind = LINE_CONFIG;
        out->name = rest;
        return;
    }
    is_filter = line_is(kind, "filter");
    if ((!is_filter && !line_is(kind, "report")) ||
        !line_next(&rest, &version) || !read_version(version, &out->minor) ||
        !line_next(&rest, &time) || !line_next(&rest, &subsystem) ||
        !line_is(subsystem, "smtp-in") || !line_next(&rest, &out->name))
        return;
    (void)line_next(&rest, &session);
    if (!read_id(session, &out->session))
        return;
    if (is_filter) {
        (void)line_next(&rest, &token);
        if (!read_id(token, &out->token))
            return;
    }
    out->rest = rest;
    out->kind = is_filter ? LINE_FILTER : LINE_REPORT;
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711", with "IPv6:" in the brackets too;
 * "unix:/var/run/smtpd.sock" and "local" for those on this machine. */
void line_address(struct onward_str text, struct onward_ip *ip, bool *is_local)
{
    static const char tag[] = "[IPv6:";
    char copy[ENDPOINT_MAX];
    size_t skip = sizeof(tag) - 1, port;

    *ip = (struct onward_ip){0};
    *is_local = line_is(text, "local") ||
                (text.len > 5 && memcmp(text.data, "unix:", 5) == 0);
    if (*is_local || text.len == 0 || text.len >= sizeof(copy))
        return;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (text.len > skip && memcmp(copy, tag, skip) == 0) {
        memmove(copy + 1, copy + skip, text.len - skip + 1);
    }
    if (memchr(text.data, '\0', text.len) != NULL ||
        !endpoint_parse(copy, ip, &port))
        *ip = (struct onward_ip){0};
}

static bool is_result(struct onward_str text)
{
    return line_is(text, "pass") || line_is(text, "fail") ||
           line_is(text, "error");
}

/*
 * The other field is a name that the client chose: "x|pass" is one. Up to 0.6
 * it is the first, so that the result stands behind the last bar.
 */
bool line_is_authenticated(struct onward_str rest, unsigned minor)
{
    struct onward_str field, name = rest;

    if (minor >= MINOR_RESULT_FIRST) {
        if (!line_next(&name, &field))
            return false;
        return line_is(field, "pass") && name.len > 0 && !is_result(name) &&
               memchr(name.data, '|', name.len) == NULL;
    }
    while (line_next(&rest, &field))
        continue;
    /* Behind a name, and a bar. */
    return line_is(field, "pass") && name.len > field.len + 1;
}
