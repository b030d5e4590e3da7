/*
 * The content that a builder is told: texts, parts, a report.
 */
#include "mime/builder_priv.h"

#include "mime/params_priv.h"

enum { SCAN = 4096, TEXT_LINE = 998 };

/* ---- Texts ------------------------------------------------------------- */

static int set_form(struct onward_builder *b, size_t form,
                    struct onward_str text)
{
    int err;

    if (b->is_built || b->has_form[form])
        return ONWARD_ESTATE;
    if (!onward_core__is_utf8(text) ||
        (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        return ONWARD_ESYNTAX;
    err = onward_builder__keep(b, text, &b->forms[form]);
    b->has_form[form] = err == 0;
    return err;
}

int onward_builder_set_text(struct onward_builder *b, struct onward_str text)
{
    return set_form(b, 0, text);
}

int onward_builder_set_html(struct onward_builder *b, struct onward_str html)
{
    return set_form(b, 1, html);
}

/* ---- Parts ------------------------------------------------------------- */

bool onward_builder__is_message(const struct onward_params *type)
{
    return onward_core__str_eq(onward_params_token(type, 0),
                               ONWARD_STR("message"));
}

/* What a decoded parameter holds may be anything: `%0D%0A`, say. */
static bool has_writable_params(const struct onward_params *type)
{
    for (size_t i = 0; i < onward_params_count(type); i++) {
        struct onward_str name = onward_params_name(type, i);

        if (name.len > ONWARD_BUILDER__PARAM_NAME ||
            !onward_mime__is_token(name) ||
            !onward_mime__is_writable(onward_params_text(type, i)))
            return false;
    }
    return true;
}

static int read_type(struct onward_builder *b, struct onward_str type,
                     struct onward_params **params)
{
    struct onward_str main, sub;
    int err;

    if (type.len == 0)
        type = ONWARD_STR("application/octet-stream");
    if (!onward_mime__is_writable(type))
        return ONWARD_ESYNTAX;
    err = onward_params_parse(b->ctx, type, NULL, params);
    if (err != 0)
        return err;
    main = onward_params_token(*params, 0);
    sub = onward_params_token(*params, 1);
    if (main.len > 0 && sub.len > 0 && main.len <= ONWARD_BUILDER__TYPE &&
        sub.len <= ONWARD_BUILDER__TYPE && has_writable_params(*params) &&
        onward_params_notes(*params, SIZE_MAX) == 0 &&
        !onward_core__str_eq(main, ONWARD_STR("multipart")))
        return 0;
    onward_params_free(*params);
    *params = NULL;
    return ONWARD_ESYNTAX;
}

/* State of looking at a message that goes as it is. */
struct scan {
    size_t line;
    bool was_cr;
    bool is_8bit;
};

static int scan_octets(struct scan *s, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = data[i];

        if (s->was_cr != (c == '\n') || c == '\0')
            return ONWARD_ESYNTAX;
        s->was_cr = c == '\r';
        s->is_8bit = s->is_8bit || c >= 0x80;
        if (c == '\n')
            s->line = 0;
        else if (c != '\r' && ++s->line > TEXT_LINE)
            return ONWARD_ESYNTAX;
    }
    return 0;
}

static int scan_message(struct onward_builder__part *p)
{
    unsigned char buf[SCAN];
    struct scan scan = {0};
    uint64_t at = 0;
    int err = 0;

    if (p->source.read == NULL)
        err = scan_octets(&scan, (const unsigned char *)p->data.data,
                          p->data.len);
    while (err == 0 && at < p->source.len) {
        size_t got = 0;

        if (p->source.read(p->source.user, at, buf, sizeof(buf), &got) != 0 ||
            got == 0 || got > sizeof(buf))
            return ONWARD_ECALLBACK;
        err = scan_octets(&scan, buf, got);
        at += got;
    }
    if (err == 0 && (scan.was_cr || scan.line > 0))
        err = ONWARD_ESYNTAX;
    p->is_8bit = scan.is_8bit;
    return err;
}

static int fill_part(struct onward_builder *b,
                     const struct onward_builder_part *from,
                     struct onward_builder__part *p)
{
    int err = 0;

    p->place = from->place;
    if (from->source != NULL) {
        err =
            onward_core__opts_load(&p->source, sizeof(p->source), from->source);
        if (err == 0 && p->source.read == NULL)
            err = ONWARD_EINVAL;
    }
    if (err == 0)
        err = read_type(b, from->type, &p->type);
    if (err == 0)
        err = onward_builder__keep_line(b, from->file_name, &p->file_name);
    if (err == 0)
        err = onward_builder__keep_line(b, from->description, &p->description);
    if (err == 0 && from->content_id.len > 0)
        err = onward_builder__is_id(from->content_id)
                  ? onward_builder__keep(b, from->content_id, &p->content_id)
                  : ONWARD_ESYNTAX;
    if (err == 0)
        err = onward_builder__keep(b, from->data, &p->data);
    if (err == 0 && onward_builder__is_message(p->type)) {
        p->goes_as_it_is = true;
        err = scan_message(p);
    }
    return err;
}

int onward_builder_add_part(struct onward_builder *b,
                            const struct onward_builder_part *part)
{
    struct onward_builder_part o;
    struct onward_builder__part *p;
    void *kept;
    int err = onward_core__opts_load(&o, sizeof(o), part);

    if (err != 0)
        return err;
    if (part == NULL || o.place > ONWARD_BUILDER_ALTERNATIVE ||
        (o.source != NULL && o.data.len > 0))
        return ONWARD_EINVAL;
    if (b->is_built)
        return ONWARD_ESTATE;
    if (b->part_count == ONWARD_BUILDER__LIST_MAX)
        return ONWARD_ELIMIT;
    err = onward_builder__keep_struct(b, sizeof(*p), &kept);
    if (err != 0)
        return err;
    p = kept;
    err = fill_part(b, &o, p);
    if (err != 0) {
        onward_params_free(p->type);
        return err;
    }
    if (b->last_part != NULL)
        b->last_part->next = p;
    else
        b->parts = p;
    b->last_part = p;
    b->part_count++;
    return 0;
}

/* ---- Reports ----------------------------------------------------------- */

/* Lines of printable ASCII, or of UTF-8, that end in CRLF. */
static bool is_report_text(struct onward_str s, bool is_global)
{
    size_t line = 0;

    if (is_global && !onward_core__is_utf8(s))
        return false;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '\r') {
            if (++i == s.len || s.data[i] != '\n')
                return false;
            line = 0;
        } else if ((c < ' ' && c != '\t') || c == 0x7f ||
                   (c > 0x7f && !is_global) || ++line > TEXT_LINE) {
            return false;
        }
    }
    return s.len > 0 && line == 0;
}

int onward_builder_set_report(struct onward_builder *b,
                              const struct onward_builder_report *report)
{
    struct onward_builder__part original = {0};
    struct onward_builder_report o;
    struct onward_params *type = NULL;
    bool has_fields;
    int err = onward_core__opts_load(&o, sizeof(o), report);

    if (err != 0)
        return err;
    if (report == NULL)
        return ONWARD_EINVAL;
    if (b->is_built || b->has_report)
        return ONWARD_ESTATE;
    has_fields = o.fields.len > 0 || o.fields_type.len > 0;
    if ((has_fields && !is_report_text(o.fields, o.is_global != 0)) ||
        !onward_mime__is_token(o.report_type) ||
        o.report_type.len > ONWARD_BUILDER__TYPE)
        return ONWARD_ESYNTAX;
    original.data = o.original;
    if (o.original.len > 0) {
        err = scan_message(&original);
        if (err != 0)
            return err;
    }
    err = onward_builder__keep(b, o.report_type, &o.report_type);
    if (err == 0)
        err = onward_builder__keep(b, o.fields, &o.fields);
    if (err == 0)
        err = onward_builder__keep(b, o.original, &o.original);
    if (err == 0 && has_fields)
        err = read_type(b, o.fields_type, &type);
    if (err != 0)
        return err;
    o.fields_type = (struct onward_str){0};
    b->report = o;
    b->report_type = type;
    b->report_is_8bit = original.is_8bit;
    b->has_report = true;
    return 0;
}
