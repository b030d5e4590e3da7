/*
 * Writing signature fields, and what a message must be like before it gets one.
 */
#include "dkim/dkim_shared.h"

#include "core/text_shared.h"

enum { COLUMNS = 78 }; /* RFC 5322 section 2.1.1 */

static void put(struct onward_dkim__writer *w, struct onward_str s)
{
    onward_core__buf_add_str(w->out, s);
    w->column += s.len;
}

/* By a space, not by a HTAB: dkimpy looks for " i=" in the raw field. */
static void fold(struct onward_dkim__writer *w)
{
    onward_core__buf_add_text(w->out, "\r\n ");
    w->column = 1;
}

void onward_dkim__write_name(struct onward_dkim__writer *w, const char *name)
{
    put(w, onward_str_of(name));
    put(w, ONWARD_STR(": "));
}

/* "; " and "tag="; on a new line when what must stand together (the value's
 * first part) would not fit. */
static void begin_tag(struct onward_dkim__writer *w, const char *tag,
                      size_t first_len)
{
    struct onward_str name = onward_str_of(tag);

    if (w->has_tag) {
        put(w, ONWARD_STR(";"));
        if (w->column + 1 + name.len + 1 + first_len + 1 > COLUMNS)
            fold(w);
        else
            put(w, ONWARD_STR(" "));
    }
    put(w, name);
    put(w, ONWARD_STR("="));
    w->has_tag = true;
}

void onward_dkim__write_tag(struct onward_dkim__writer *w, const char *tag,
                            struct onward_str value)
{
    begin_tag(w, tag, value.len);
    put(w, value);
}

void onward_dkim__write_tag_int(struct onward_dkim__writer *w, const char *tag,
                                int64_t value)
{
    size_t before;

    begin_tag(w, tag, 20);
    before = w->out->len;
    onward_core__buf_add_i64(w->out, value);
    w->column += w->out->len - before;
}

void onward_dkim__write_tag_base64(struct onward_dkim__writer *w,
                                   const char *tag, const void *data,
                                   size_t len)
{
    size_t text_len = onward_core__base64_encoded_len(len);

    begin_tag(w, tag, text_len);
    onward_core__base64_encode(w->out, data, len);
    w->column += text_len;
}

void onward_dkim__write_tag_list(struct onward_dkim__writer *w, const char *tag,
                                 struct onward_str list)
{
    struct onward_str item;
    bool is_first = true;

    /* On a line of its own when that is enough. */
    begin_tag(w, tag,
              list.len < COLUMNS - 16 ? list.len
                                      : onward_core__str_find(list, ':'));
    while (onward_dkim__list_next(&list, &item)) {
        if (!is_first) {
            put(w, ONWARD_STR(":"));
            if (w->column + item.len + 1 > COLUMNS)
                fold(w);
        }
        put(w, item);
        is_first = false;
    }
}

struct onward_str onward_dkim__algorithm_name(uint32_t type)
{
    if (type == ONWARD_KEY_ED25519)
        return ONWARD_STR("ed25519-sha256");
    return ONWARD_STR("rsa-sha256");
}

/* ---- Fit to be signed -------------------------------------------------- */

static const char *anomaly_problem(int code)
{
    switch (code) {
    case ONWARD_HEADER_NUL:
        return "a NUL in a header field";
    case ONWARD_HEADER_CONTROL:
        return "a control octet in a header field";
    case ONWARD_HEADER_CUT_LINE:
        return "the message ends inside a header line";
    default:
        return NULL;
    }
}

const char *onward_dkim__signing_problem(const struct onward_header *header,
                                         bool is_bare)
{
    size_t from = onward_header_count_named(header, ONWARD_STR("From"));
    size_t anomalies = onward_header_anomaly_count(header);

    /* What others may read otherwise than we do is not vouched for. */
    if (from == 0)
        return "no From field";
    if (from > 1)
        return "several From fields";
    if (onward_header_is_malformed(header))
        return "a header line that is no field, or a bare CR or LF in one";
    for (size_t i = 0; i < anomalies; i++) {
        struct onward_header_anomaly a = {.size = sizeof(a)};
        const char *problem;

        if (onward_header_anomaly_at(header, i, &a) != 0)
            continue;
        problem = anomaly_problem(a.code);
        if (problem != NULL)
            return problem;
    }
    if (anomalies >= ONWARD_HEADER_ANOMALIES)
        return "too many oddities in the header";
    return is_bare ? "a bare CR or LF in the body" : NULL;
}

void onward_dkim__line_ends_feed(struct onward_dkim__line_ends *l,
                                 const void *data, size_t len)
{
    const unsigned char *p = data;
    const unsigned char *end = p + len;
    const unsigned char *lf, *cr;

    if (len == 0 || l->is_bare)
        return;
    if (l->has_cr && *p != '\n')
        l->is_bare = true;
    /* Each LF has its CR before it, and between two LFs there is no other CR:
     * lines are looked at as a whole. */
    while (p < end && !l->is_bare) {
        lf = memchr(p, '\n', (size_t)(end - p));
        cr = memchr(p, '\r', (size_t)((lf == NULL ? end : lf) - p));
        if (lf == NULL) {
            l->is_bare = cr != NULL && cr != end - 1;
            l->has_cr = cr != NULL;
            return;
        }
        if (lf == p)
            l->is_bare = !l->has_cr;
        else
            l->is_bare = cr != lf - 1;
        l->has_cr = false;
        p = lf + 1;
    }
}

void onward_dkim__line_ends_finish(struct onward_dkim__line_ends *l)
{
    l->is_bare = l->is_bare || l->has_cr;
}
