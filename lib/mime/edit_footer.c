/*
 * A footer under a message: behind its text where that can be, else as a part.
 */
#include "mime/edit_priv.h"
#include "mime/write_priv.h"

enum { STEM = 24, TEXT_LINE = 998 };

/* ---- Behind the text --------------------------------------------------- */

static bool is_charset(struct onward_str charset, const char *name)
{
    return onward_core__str_ieq(charset, onward_str_of(name));
}

/* May these octets stand in a 7bit or 8bit body? */
static bool is_plain(struct onward_str s)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '\r' || c == '\n')
            line = 0;
        else if ((c < ' ' && c != '\t') || c == 0x7f || ++line > TEXT_LINE)
            return false;
    }
    return true;
}

/* Can text be put behind the body of this message without touching it? */
static bool can_extend(const struct onward_mime__place *root,
                       struct onward_str text)
{
    bool is_ascii = onward_core__is_ascii(text);
    bool is_utf8 = is_charset(root->charset, "utf-8");

    if (root->kind != ONWARD_MIME_LEAF ||
        !onward_core__str_eq(root->type, ONWARD_STR("text")) ||
        !onward_core__str_eq(root->subtype, ONWARD_STR("plain")) ||
        !(is_utf8 || root->charset.len == 0 ||
          is_charset(root->charset, "us-ascii")) ||
        !(is_ascii || is_utf8))
        return false;
    if (root->encoding == ONWARD_ENCODING_QUOTED_PRINTABLE)
        return root->tail[2] != '=' && memcmp(root->tail, "=\r\n", 3) != 0;
    return (root->encoding == ONWARD_ENCODING_7BIT && is_ascii &&
            is_plain(text)) ||
           (root->encoding == ONWARD_ENCODING_8BIT && is_plain(text));
}

static int note(struct onward_edit *e, int kind, uint64_t offset, size_t added)
{
    const struct onward_edit_change change = {.kind = (size_t)kind,
                                              .item = 0,
                                              .offset = offset,
                                              .added = added};

    return onward_mime__edit_note(e, &change);
}

static int put(struct onward_edit *e, int kind, uint64_t at,
               const struct onward_buf *text)
{
    int err = text->err;

    if (err == 0)
        err = onward_mime__edit_splice(e, at, at, onward_core__buf_str(text));
    return err == 0 ? note(e, kind, at, text->len) : err;
}

static int extend(struct onward_edit *e, struct onward_str text)
{
    const struct onward_mime__place *root = &e->places[0];
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, e->ctx, SIZE_MAX);
    if (e->below.len > e->header->body && root->tail[2] != '\n' &&
        !e->is_extended)
        onward_core__buf_add_text(&out, "\r\n");
    if (root->encoding == ONWARD_ENCODING_QUOTED_PRINTABLE)
        onward_mime__write_qp(&out, text);
    else
        onward_mime__write_lines(&out, text);
    err = put(e, ONWARD_EDIT_TEXT_EXTENDED, e->below.len, &out);
    if (err == 0)
        e->is_extended = true;
    onward_core__buf_clear(&out);
    return err;
}

/* ---- As a part --------------------------------------------------------- */

/* Header and body of the footer. */
static void write_part(struct onward_buf *out,
                       const struct onward_edit_footer *footer)
{
    struct onward_buf body;
    int encoding;

    onward_core__buf_init(&body, out->ctx, SIZE_MAX);
    encoding = onward_mime__write_body(&body, footer->text, false);
    onward_core__buf_add_text(out, footer->is_html != 0
                                       ? "Content-Type: text/html"
                                       : "Content-Type: text/plain");
    onward_core__buf_add_text(out, "; charset=utf-8\r\n"
                                   "Content-Disposition: inline\r\n"
                                   "Content-Transfer-Encoding: ");
    onward_core__buf_add_text(out, onward_encoding_name(encoding));
    onward_core__buf_add_text(out, "\r\n\r\n");
    onward_core__buf_add_str(out, onward_core__buf_str(&body));
    if (body.err != 0)
        out->err = body.err;
    onward_core__buf_clear(&body);
}

/* Behind the last part of a multipart/mixed. */
static int add_part(struct onward_edit *e,
                    const struct onward_edit_footer *footer)
{
    const struct onward_mime__place *root = &e->places[0];
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, e->ctx, SIZE_MAX);
    onward_core__buf_add_text(&out, "\r\n--");
    onward_core__buf_add_str(&out, root->boundary);
    onward_core__buf_add_text(&out, "\r\n");
    write_part(&out, footer);
    err = put(e, ONWARD_EDIT_PART_ADDED, e->places[root->last_child].end, &out);
    onward_core__buf_clear(&out);
    return err;
}

/* Move the Content- fields of the message into out. */
static int move_fields(struct onward_edit *e, struct onward_buf *out)
{
    struct onward_mime__field field;
    int err = 0;

    for (size_t i = 0; err == 0 && i < e->header->count; i++) {
        if (!onward_mime__edit_field(e, i, &field) ||
            !onward_core__str_istarts(field.name, ONWARD_STR("Content-")))
            continue;
        err = onward_core__buf_add_str(out, field.raw);
        if (err == 0)
            err = onward_edit_cut(e, i);
    }
    return err;
}

static int draw_boundary(struct onward_edit *e, char *boundary)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF"
                                  "GHIJKLMNOPQRSTUVWXYZ0123456789+-";
    unsigned char random[STEM - 3];
    int err = onward_core__random(e->ctx, random, sizeof(random));

    if (err != 0)
        return err;
    memcpy(boundary, "=_", 2);
    for (size_t i = 0; i < sizeof(random); i++)
        boundary[2 + i] = letters[random[i] & 63];
    boundary[STEM - 1] = '\0';
    return 0;
}

static int add_type(struct onward_edit *e, const char *boundary)
{
    struct onward_buf value;
    int err = 0;

    onward_core__buf_init(&value, e->ctx, SIZE_MAX);
    onward_core__buf_add_text(&value, "multipart/mixed; boundary=\"");
    onward_core__buf_add_text(&value, boundary);
    onward_core__buf_add_byte(&value, '"');
    if (onward_mime__edit_last(e, ONWARD_STR("MIME-Version")) ==
        ONWARD_HEADER_NONE)
        err = onward_edit_add(e, ONWARD_STR("MIME-Version"), ONWARD_STR("1.0"));
    if (err == 0)
        err = value.err;
    if (err == 0)
        err = onward_edit_add(e, ONWARD_STR("Content-Type"),
                              onward_core__buf_str(&value));
    onward_core__buf_clear(&value);
    return err;
}

/* The message becomes the first part of a multipart/mixed. */
static int wrap(struct onward_edit *e, const struct onward_edit_footer *footer)
{
    struct onward_buf head, tail;
    char boundary[STEM];
    int err = draw_boundary(e, boundary);

    if (err != 0)
        return err;
    onward_core__buf_init(&head, e->ctx, SIZE_MAX);
    onward_core__buf_init(&tail, e->ctx, SIZE_MAX);
    onward_core__buf_add_text(&head, "--");
    onward_core__buf_add_text(&head, boundary);
    onward_core__buf_add_text(&head, "\r\n");
    err = move_fields(e, &head);
    onward_core__buf_add_text(&head, "\r\n");
    onward_core__buf_add_text(&tail, "\r\n--");
    onward_core__buf_add_text(&tail, boundary);
    onward_core__buf_add_text(&tail, "\r\n");
    write_part(&tail, footer);
    onward_core__buf_add_text(&tail, "\r\n--");
    onward_core__buf_add_text(&tail, boundary);
    onward_core__buf_add_text(&tail, "--\r\n");
    if (err == 0)
        err = add_type(e, boundary);
    if (err == 0)
        err = put(e, ONWARD_EDIT_WRAPPED, e->header->body, &head);
    if (err == 0)
        err = put(e, ONWARD_EDIT_PART_ADDED, e->below.len, &tail);
    e->is_wrapped = e->is_wrapped || err == 0;
    onward_core__buf_clear(&head);
    onward_core__buf_clear(&tail);
    return err;
}

int onward_edit_add_footer(struct onward_edit *edit,
                           const struct onward_edit_footer *footer)
{
    const struct onward_mime__place *root;
    struct onward_edit_footer o;
    int err = onward_core__opts_load(&o, sizeof(o), footer);

    if (err != 0)
        return err;
    if (footer == NULL || edit->header->body == edit->header->block.len)
        return ONWARD_EINVAL;
    if (edit->is_sealed || !edit->has_parts || edit->is_wrapped)
        return ONWARD_ESTATE;
    if (o.text.len == 0 || !onward_core__is_utf8(o.text) ||
        memchr(o.text.data, '\0', o.text.len) != NULL)
        return ONWARD_ESYNTAX;
    root = &edit->places[0];
    if (o.is_html == 0 && can_extend(root, o.text))
        return extend(edit, o.text);
    if (root->kind == ONWARD_MIME_MULTIPART && root->is_closed &&
        root->last_child != ONWARD_MIME_NONE &&
        onward_core__str_eq(root->subtype, ONWARD_STR("mixed")))
        return add_part(edit, &o);
    return wrap(edit, &o);
}
