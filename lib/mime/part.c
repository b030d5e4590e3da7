/*
 * What the header of a part means: its type, its encoding, its name, whether it
 * is taken apart (RFC 2045, RFC 2046, RFC 2183).
 */
#include "mime/parser_priv.h"

#include "core/text_shared.h"

struct facts {
    struct onward_mime_parser *p;
    struct onward_mime__frame *f;
    struct onward_header *h;
};

static int anomaly(const struct facts *x, int code, uint64_t offset,
                   uint64_t detail)
{
    return onward_mime__tell_anomaly(x->p, x->f, code, offset, detail);
}

static uint64_t item_offset(const struct facts *x, size_t item)
{
    return x->f->part.offset + x->h->items[item].offset;
}

/* The topmost field of that name; a second one is told. */
static int find_once(const struct facts *x, struct onward_str name, int code,
                     size_t *item)
{
    size_t below;

    *item = onward_header_first(x->h, name);
    if (*item == ONWARD_HEADER_NONE)
        return 0;
    below = x->h->items[*item].below;
    if (below == ONWARD_HEADER_NONE)
        return 0;
    return anomaly(x, code, item_offset(x, below), 0);
}

/* The value of an item, where it stays as long as the part. */
static int keep_value(const struct facts *x, size_t item,
                      struct onward_str *value)
{
    return onward_core__arena_dup(&x->f->arena, onward_mime__value(x->h, item),
                                  value);
}

static int read_params(const struct facts *x, size_t item,
                       struct onward_mime__params *params)
{
    struct onward_str value = {0};
    int err = keep_value(x, item, &value);

    if (err != 0)
        return err;
    return onward_mime__params_read(&x->f->arena, value, params);
}

/* What is odd about the parameters of an item, once names are decoded. */
static int tell_params(const struct facts *x, size_t item,
                       const struct onward_mime__params *params)
{
    uint64_t notes = params->notes;

    for (size_t i = 0; i < params->count; i++)
        notes |= params->items[i].notes;
    if (notes == 0)
        return 0;
    return anomaly(x, ONWARD_MIME_ODD_PARAMETERS, item_offset(x, item), notes);
}

static struct onward_str octets_of(const struct onward_mime__params *params,
                                   struct onward_str name)
{
    const struct onward_mime__param *found =
        onward_mime__params_find(params, name);

    return found == NULL ? onward_core__str(NULL, 0) : found->octets;
}

static int lower(const struct facts *x, struct onward_str s,
                 struct onward_str *out)
{
    char *copy;

    *out = onward_core__str(NULL, 0);
    if (s.len == 0)
        return 0;
    copy = onward_core__arena_alloc(&x->f->arena, s.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < s.len; i++)
        copy[i] = (char)onward_ascii_lower((unsigned char)s.data[i]);
    *out = onward_core__str(copy, s.len);
    return 0;
}

/* The part's name: filename of the disposition wins over name of the type. */
static int set_name(const struct facts *x, struct onward_mime__param *param)
{
    int err;

    if (param == NULL || x->f->part.name.len > 0)
        return 0;
    err = onward_mime__param_decode(&x->f->arena, param, &x->p->text);
    /* A name over the limit is no reason to give the message up. */
    if (err == ONWARD_ELIMIT)
        return 0;
    x->f->part.name = param->text;
    return err;
}

/* ---- Fields ------------------------------------------------------------ */

static int read_disposition(const struct facts *x)
{
    struct onward_mime__params params;
    size_t item;
    int err = find_once(x, ONWARD_STR("content-disposition"),
                        ONWARD_MIME_DUPLICATE_CONTENT, &item);

    if (err != 0 || item == ONWARD_HEADER_NONE)
        return err;
    err = read_params(x, item, &params);
    if (err != 0)
        return err;
    x->f->part.disposition = params.tokens[0];
    err =
        set_name(x, onward_mime__params_find(&params, ONWARD_STR("filename")));
    return err == 0 ? tell_params(x, item, &params) : err;
}

static int read_encoding(const struct facts *x)
{
    struct onward_str value;
    bool is_open = false;
    size_t item, start, end;
    int err = find_once(x, ONWARD_STR("content-transfer-encoding"),
                        ONWARD_MIME_DUPLICATE_CONTENT, &item);

    x->f->part.encoding = ONWARD_ENCODING_7BIT;
    if (err != 0 || item == ONWARD_HEADER_NONE)
        return err;
    value = onward_mime__value(x->h, item);
    start = end = onward_mime__skip_cfws(value, 0, &is_open);
    while (end < value.len &&
           onward_mime__is_token_octet((unsigned char)value.data[end]))
        end++;
    x->f->part.encoding =
        onward_encoding_of(onward_core__sub(value, start, end));
    if (onward_mime__skip_cfws(value, end, &is_open) != value.len)
        x->f->part.encoding = ONWARD_ENCODING_UNKNOWN;
    if (x->f->part.encoding != ONWARD_ENCODING_UNKNOWN)
        return 0;
    return anomaly(x, ONWARD_MIME_UNKNOWN_ENCODING, item_offset(x, item), 0);
}

static int read_content_id(const struct facts *x)
{
    size_t item = onward_header_first(x->h, ONWARD_STR("content-id"));
    struct onward_str value;
    size_t open;

    if (item == ONWARD_HEADER_NONE)
        return 0;
    value = onward_core__str_trim_crlf(onward_mime__value(x->h, item));
    open = onward_core__str_find(value, '<');
    if (open < value.len) {
        value = onward_core__sub(value, open + 1, value.len);
        value.len = onward_core__str_find(value, '>');
    }
    return onward_core__arena_dup(&x->f->arena, value, &x->f->part.content_id);
}

/* ---- Structure --------------------------------------------------------- */

/* bchars of RFC 2046 section 5.1.1, at most 70. */
static bool is_plain_boundary(struct onward_str s)
{
    if (s.len == 0 || s.len > 70)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) &&
            (c == 0 || memchr("'()+_,-./:=? ", c, 13) == NULL))
            return false;
    }
    return true;
}

static bool is_used_above(const struct facts *x, struct onward_str boundary)
{
    for (size_t i = 0; i + 1 < x->p->open; i++) {
        const struct onward_mime__frame *f = x->p->frames[i];

        if (f->is_split && !f->is_closed &&
            onward_core__str_eq(f->part.boundary, boundary))
            return true;
    }
    return false;
}

static int set_boundary(const struct facts *x,
                        const struct onward_mime__params *params,
                        uint64_t offset)
{
    struct onward_mime_part *part = &x->f->part;
    const struct onward_mime__param *param =
        onward_mime__params_find(params, ONWARD_STR("boundary"));
    struct onward_str boundary;
    int err = 0;

    if (param == NULL)
        return anomaly(x, ONWARD_MIME_NO_BOUNDARY, offset, 0);
    if ((param->notes & (ONWARD_TEXT_DUPLICATE | ONWARD_TEXT_SECTIONS)) != 0)
        err = anomaly(x, ONWARD_MIME_TWO_BOUNDARIES, offset, param->notes);
    boundary = param->octets;
    while (boundary.len > 0 &&
           onward_ascii_is_wsp((unsigned char)boundary.data[boundary.len - 1]))
        boundary.len--;
    if (err == 0 &&
        (boundary.len != param->octets.len || !is_plain_boundary(boundary)))
        err = anomaly(x, ONWARD_MIME_ODD_BOUNDARY, offset, 0);
    if (err == 0 && is_used_above(x, boundary))
        err = anomaly(x, ONWARD_MIME_SAME_BOUNDARY, offset, 0);
    if (err != 0)
        return err;
    if (boundary.len > ONWARD_MIME__BOUNDARY_MAX)
        return anomaly(x, ONWARD_MIME_BOUNDARY_LIMIT, offset, 0);
    part->boundary = boundary;
    if (part->depth >= x->p->opts.max_depth)
        return anomaly(x, ONWARD_MIME_DEPTH_LIMIT, offset, 0);
    if (part->encoding == ONWARD_ENCODING_BASE64 ||
        part->encoding == ONWARD_ENCODING_QUOTED_PRINTABLE)
        err = anomaly(x, ONWARD_MIME_ENCODED_MULTIPART, offset, 0);
    x->f->is_split = true;
    x->f->is_digest = onward_core__str_eq(part->subtype, ONWARD_STR("digest"));
    part->kind = ONWARD_MIME_MULTIPART;
    return err;
}

static int set_message(const struct facts *x, uint64_t offset)
{
    struct onward_mime_part *part = &x->f->part;

    if ((x->p->opts.flags & ONWARD_MIME_FLAT_MESSAGES) != 0)
        return 0;
    if (part->encoding != ONWARD_ENCODING_7BIT &&
        part->encoding != ONWARD_ENCODING_8BIT &&
        part->encoding != ONWARD_ENCODING_BINARY)
        return anomaly(x, ONWARD_MIME_ENCODED_MESSAGE, offset, 0);
    if (part->depth >= x->p->opts.max_depth)
        return anomaly(x, ONWARD_MIME_DEPTH_LIMIT, offset, 0);
    /* The message in it begins a part of its own. */
    if (x->p->parts >= x->p->opts.max_parts)
        return anomaly(x, ONWARD_MIME_PARTS_LIMIT, offset, 0);
    part->kind = ONWARD_MIME_MESSAGE;
    return 0;
}

static bool is_in_digest(const struct facts *x)
{
    return x->p->open > 1 && x->p->frames[x->p->open - 2]->is_digest;
}

/* The type without a field, or with one that says none (RFC 2045 section 5.2,
 * RFC 2046 section 5.1.5). */
static void set_default_type(const struct facts *x)
{
    bool is_message = is_in_digest(x);

    x->f->part.type = is_message ? ONWARD_STR("message") : ONWARD_STR("text");
    x->f->part.subtype =
        is_message ? ONWARD_STR("rfc822") : ONWARD_STR("plain");
}

static int read_parameters(const struct facts *x,
                           struct onward_mime__params *params)
{
    struct onward_mime_part *part = &x->f->part;
    int err;

    part->charset = octets_of(params, ONWARD_STR("charset"));
    part->is_delsp = onward_core__str_ieq(
        octets_of(params, ONWARD_STR("delsp")), ONWARD_STR("yes"));
    err = lower(x, octets_of(params, ONWARD_STR("format")), &part->format);
    if (err == 0)
        err = lower(x, octets_of(params, ONWARD_STR("report-type")),
                    &part->report_type);
    if (err == 0)
        err = set_name(x, onward_mime__params_find(params, ONWARD_STR("name")));
    return err;
}

static int read_type(const struct facts *x)
{
    struct onward_mime_part *part = &x->f->part;
    struct onward_mime__params params = {0};
    uint64_t offset = part->offset;
    size_t item;
    int err = find_once(x, ONWARD_STR("content-type"),
                        ONWARD_MIME_DUPLICATE_CONTENT, &item);

    set_default_type(x);
    if (err == 0 && item != ONWARD_HEADER_NONE) {
        offset = item_offset(x, item);
        err = read_params(x, item, &params);
        if (err == 0 && params.tokens[1].len == 0)
            err = anomaly(x, ONWARD_MIME_BAD_TYPE, offset, 0);
        if (params.tokens[0].len > 0 && params.tokens[1].len > 0) {
            part->type = params.tokens[0];
            part->subtype = params.tokens[1];
        }
    }
    if (err == 0)
        err = read_parameters(x, &params);
    if (err == 0 && item != ONWARD_HEADER_NONE)
        err = tell_params(x, item, &params);
    if (err != 0)
        return err;
    if (onward_core__str_eq(part->type, ONWARD_STR("multipart")))
        return set_boundary(x, &params, offset);
    if (onward_core__str_eq(part->type, ONWARD_STR("message")) &&
        (onward_core__str_eq(part->subtype, ONWARD_STR("rfc822")) ||
         onward_core__str_eq(part->subtype, ONWARD_STR("global"))))
        return set_message(x, offset);
    return 0;
}

/* Of the header of a message: fields that may stand there once. */
static int check_message(const struct facts *x)
{
    static const char *const once[] = {
        "date",        "from",       "sender",  "reply-to",
        "to",          "cc",         "bcc",     "message-id",
        "in-reply-to", "references", "subject", "mime-version"};
    size_t item = ONWARD_HEADER_NONE;
    int err = 0;

    for (size_t i = 0; err == 0 && i < sizeof(once) / sizeof(once[0]); i++)
        err = find_once(x, onward_str_of(once[i]), ONWARD_MIME_DUPLICATE_FIELD,
                        &item);
    if (err != 0 || item != ONWARD_HEADER_NONE) /* there is MIME-Version */
        return err;
    item = onward_header_first(x->h, ONWARD_STR("content-type"));
    if (item == ONWARD_HEADER_NONE)
        item =
            onward_header_first(x->h, ONWARD_STR("content-transfer-encoding"));
    if (item == ONWARD_HEADER_NONE)
        return 0;
    return anomaly(x, ONWARD_MIME_NO_VERSION, item_offset(x, item), 0);
}

int onward_mime__part_facts(struct onward_mime_parser *p,
                            struct onward_mime__frame *f)
{
    const struct facts x = {.p = p, .f = f, .h = &p->header};
    bool is_message = p->open == 1 ||
                      p->frames[p->open - 2]->part.kind == ONWARD_MIME_MESSAGE;
    int err = 0;

    f->part.kind = ONWARD_MIME_LEAF;
    if (is_message)
        err = check_message(&x);
    if (err == 0)
        err = read_encoding(&x);
    if (err == 0)
        err = read_disposition(&x);
    if (err == 0)
        err = read_content_id(&x);
    return err == 0 ? read_type(&x) : err;
}
