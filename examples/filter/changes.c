/* What is cut from a message, what is put on top of it, and who gets it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "filter_priv.h"

const struct onward_header *filter_header(const struct filter *f)
{
    return f->verifier != NULL ? onward_verifier_header(f->verifier) : f->own;
}

/* ---- Fields that go ---------------------------------------------------- */

static int cut(struct filter *f, const char *name, size_t item, size_t nth)
{
    struct filter_decision *d = &f->decision;
    struct filter_cut *more =
        realloc(f->cuts, (d->cut_count + 1) * sizeof(*more));

    if (more == NULL)
        return -1;
    f->cuts = more;
    d->cuts = more;
    more[d->cut_count++] = (struct filter_cut){item, nth, name};
    return 0;
}

/* 1 or 0, or negative. */
static int claims_results(const struct filter *f, struct onward_str value)
{
    return onward_authres_claims(f->setup->ctx, value, f->setup->authserv_id);
}

static bool names(struct onward_str value, struct onward_str id)
{
    for (size_t at = 0; id.len <= value.len && at <= value.len - id.len; at++) {
        if (strncasecmp(value.data + at, id.data, id.len) == 0)
            return true;
    }
    return false;
}

/* The older form (RFC 7208 section 9.1), which we never write: what has our
 * name in it is not ours. */
static int claims_spf(const struct filter *f, struct onward_str value)
{
    return names(value, onward_str_of(f->setup->settings->hostname)) ||
           names(value, f->setup->authserv_id);
}

static int cut_named(struct filter *f, const char *name,
                     int (*claims)(const struct filter *, struct onward_str))
{
    const struct onward_header *h = filter_header(f);
    const struct onward_str s = onward_str_of(name);
    size_t nth = onward_header_count_named(h, s);
    size_t i = onward_header_last(h, s);

    for (; i != ONWARD_HEADER_NONE; i = onward_header_above(h, i), nth--) {
        int ret = claims(f, onward_header_value(h, i));

        if (ret < 0 || (ret == 1 && cut(f, name, i, nth) != 0))
            return -1;
    }
    return 0;
}

int filter_cut_claims(struct filter *f)
{
    if (cut_named(f, "Authentication-Results", claims_results) != 0 ||
        cut_named(f, "Received-SPF", claims_spf) != 0)
        return -1;
    f->is_cut = true;
    return 0;
}

static bool is_cut(const struct filter *f, size_t item)
{
    for (size_t i = 0; i < f->decision.cut_count; i++) {
        if (f->cuts[i].item == item)
            return true;
    }
    return false;
}

/* ---- Fields on top ----------------------------------------------------- */

/* Name and value stand in one block, which the name begins. */
static int put(struct filter *f, size_t at, struct onward_str name,
               struct onward_str value)
{
    struct filter_decision *d = &f->decision;
    struct filter_field *more =
        realloc(f->fields, (d->field_count + 1) * sizeof(*more));
    char *text = malloc(name.len + value.len + 2);

    if (more != NULL) {
        f->fields = more;
        d->fields = more;
    }
    if (more == NULL || text == NULL) {
        free(text);
        return -1;
    }
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    memcpy(text + name.len + 1, value.data, value.len);
    text[name.len + 1 + value.len] = '\0';
    memmove(more + at + 1, more + at, (d->field_count - at) * sizeof(*more));
    more[at] = (struct filter_field){text, text + name.len + 1};
    d->field_count++;
    return 0;
}

/* Octets of the first field, its CRLF too. They are our own: well formed. */
static size_t field_len(struct onward_str text)
{
    for (size_t at = 2; at < text.len; at++) {
        if (text.data[at - 1] == '\n' && text.data[at] != ' ' &&
            text.data[at] != '\t')
            return at;
    }
    return text.len;
}

/* The topmost ones go again: a part of an ARC set is worse than none. */
static void take_back(struct filter *f, size_t count)
{
    struct filter_decision *d = &f->decision;

    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)f->fields[i].name);
    d->field_count -= count;
    memmove(f->fields, f->fields + count, d->field_count * sizeof(*f->fields));
}

int filter_put_fields(struct filter *f, struct onward_str fields)
{
    for (size_t at = 0; fields.len > 2; at++) {
        size_t len = field_len(fields);
        const char *colon = memchr(fields.data, ':', len);
        size_t name = colon == NULL ? 0 : (size_t)(colon - fields.data);

        if (colon == NULL ||
            put(f, at, (struct onward_str){fields.data, name},
                (struct onward_str){colon + 1, len - name - 3}) != 0) {
            if (at > 0)
                take_back(f, at);
            return -1;
        }
        fields.data += len;
        fields.len -= len;
    }
    return 0;
}

int filter_put_field(struct filter *f, const char *name,
                     struct onward_str value)
{
    char *text = malloc(value.len + 1);
    int ret;

    if (text == NULL)
        return -1;
    text[0] = ' ';
    memcpy(text + 1, value.data, value.len);
    ret = put(f, 0, onward_str_of(name),
              (struct onward_str){text, value.len + 1});
    free(text);
    return ret;
}

/* ---- Recipients -------------------------------------------------------- */

int filter_put_rcpt(struct filter *f, struct onward_str from, const char *to)
{
    struct filter_decision *d = &f->decision;
    struct filter_recipient *more =
        realloc(f->rcpts, (d->rcpt_count + 1) * sizeof(*more));
    size_t to_size = strlen(to) + 1;
    char *text = malloc(from.len + 1 + to_size);

    if (more != NULL) {
        f->rcpts = more;
        d->rcpts = more;
    }
    if (more == NULL || text == NULL) {
        free(text);
        return -1;
    }
    memcpy(text, from.data, from.len);
    text[from.len] = '\0';
    memcpy(text + from.len + 1, to, to_size);
    more[d->rcpt_count++] =
        (struct filter_recipient){text, text + from.len + 1};
    return 0;
}

void filter_clear_changes(struct filter *f)
{
    for (size_t i = 0; i < f->decision.field_count; i++)
        free((char *)(uintptr_t)f->fields[i].name);
    for (size_t i = 0; i < f->decision.rcpt_count; i++)
        free((char *)(uintptr_t)f->rcpts[i].from);
    free(f->fields);
    free(f->rcpts);
    free(f->cuts);
}

/* ---- The header as it leaves ------------------------------------------- */

int filter_feed_header(const struct filter *f,
                       int (*feed)(void *user, const void *data, size_t len),
                       void *user)
{
    const struct onward_header *h = filter_header(f);
    int err = 0;

    for (size_t i = 0; i < f->decision.field_count && err == 0; i++) {
        const struct filter_field *field = &f->fields[i];

        err = feed(user, field->name, strlen(field->name));
        if (err == 0)
            err = feed(user, ":", 1);
        if (err == 0)
            err = feed(user, field->value, strlen(field->value));
        if (err == 0)
            err = feed(user, "\r\n", 2);
    }
    for (size_t i = 0; i < onward_header_count(h) && err == 0; i++) {
        struct onward_str raw = onward_header_raw(h, i);

        if (!is_cut(f, i))
            err = feed(user, raw.data, raw.len);
    }
    return err == 0 ? feed(user, "\r\n", 2) : err;
}
