/*
 * Fields that stay in their place with another value: replaced ones, and the
 * subject with a prefix.
 */
#include "mime/edit_priv.h"
#include "mime/write_priv.h"

int onward_mime__edit_put(struct onward_edit *edit, size_t i,
                          struct onward_str raw)
{
    const struct onward_header *h = edit->header;
    const struct onward_edit_change change = {
        .kind = ONWARD_EDIT_FIELD_REPLACED,
        .item = i,
        .offset = h->items[i].offset,
        .removed = h->items[i].len,
        .added = raw.len,
        .name = onward_mime__name(h, i)};
    int err;

    if (edit->replaced == NULL) {
        edit->replaced = onward_core__zalloc(
            edit->ctx, h->count * sizeof(*edit->replaced));
        if (edit->replaced == NULL)
            return ONWARD_ENOMEM;
    }
    err = onward_mime__edit_note(edit, &change);
    if (err == 0)
        edit->replaced[i] = raw;
    return err;
}

int onward_edit_replace(struct onward_edit *edit, size_t i,
                        struct onward_str value)
{
    struct onward_str name, raw;
    struct onward_buf buf;
    int err = 0;

    if (edit->is_sealed)
        return ONWARD_ESTATE;
    if (i >= edit->header->count || edit->is_cut[i])
        return ONWARD_ENOENT;
    name = onward_mime__name(edit->header, i);
    if (!onward_mime__is_field_name(name))
        return ONWARD_ESYNTAX;
    onward_core__buf_init(&buf, edit->ctx, SIZE_MAX);
    onward_core__buf_add_str(&buf, name);
    onward_core__buf_add_byte(&buf, ':');
    if (value.len > 0 && value.data[0] != '\r' &&
        !onward_ascii_is_wsp((unsigned char)value.data[0]))
        onward_core__buf_add_byte(&buf, ' ');
    onward_core__buf_add_str(&buf, value);
    onward_core__buf_add_text(&buf, "\r\n");
    err = buf.err;
    if (err == 0 && !onward_mime__edit_is_safe(onward_core__buf_str(&buf)))
        err = ONWARD_ESYNTAX;
    if (err == 0)
        err = onward_core__arena_dup(&edit->arena, onward_core__buf_str(&buf),
                                     &raw);
    if (err == 0)
        err = onward_mime__edit_put(edit, i, raw);
    onward_core__buf_clear(&buf);
    return err;
}

/* ---- The subject ------------------------------------------------------- */

/* Does the subject begin with the prefix, also behind "Re: "? */
static int has_prefix(struct onward_edit *e, struct onward_str value,
                      struct onward_str prefix, bool *has)
{
    struct onward_text *text = NULL;
    struct onward_str s;
    int err = onward_words_decode(e->ctx, value, ONWARD_WORDS_UNSTRUCTURED,
                                  NULL, &text);

    if (err != 0)
        return err;
    s = onward_core__str_trim(onward_text_str(text));
    if (onward_core__str_istarts(s, ONWARD_STR("Re:")))
        s = onward_core__str_trim(onward_core__sub(s, 3, s.len));
    *has = onward_core__str_starts(s, prefix);
    onward_text_free(text);
    return 0;
}

static size_t first_line(struct onward_str value)
{
    return onward_core__str_find(value, '\r');
}

/* The field: the prefix as text, then the value as it came. */
static void write_subject(struct onward_buf *out, struct onward_str prefix,
                          struct onward_str value)
{
    struct onward_mime__writer w = {.out = out};
    bool has_word;

    onward_mime__write_name(&w, ONWARD_STR("Subject"));
    value = onward_core__str_trim(value);
    while (value.len > 0 && (value.data[0] == '\r' || value.data[0] == '\n' ||
                             onward_ascii_is_wsp((unsigned char)value.data[0])))
        value = onward_core__sub(value, 1, value.len);
    has_word = onward_core__str_starts(value, ONWARD_STR("=?"));
    if (value.len == 0 || onward_core__is_ascii(prefix) || !has_word) {
        onward_mime__write_text(&w, prefix);
    } else {
        /* White space between two encoded words vanishes: it goes inside. */
        struct onward_buf text;

        onward_core__buf_init(&text, out->ctx, SIZE_MAX);
        onward_core__buf_add_str(&text, prefix);
        onward_core__buf_add_byte(&text, ' ');
        if (text.err != 0)
            out->err = text.err;
        onward_mime__write_text(&w, onward_core__buf_str(&text));
        onward_core__buf_clear(&text);
    }
    if (value.len > 0)
        onward_core__buf_add_text(
            out, w.column + 1 + first_line(value) > 76 ? "\r\n " : " ");
    onward_core__buf_add_str(out, value);
    onward_core__buf_add_text(out, "\r\n");
}

int onward_edit_prefix_subject(struct onward_edit *edit,
                               struct onward_str prefix)
{
    size_t i = onward_header_first(edit->header, ONWARD_STR("Subject"));
    struct onward_mime__field field = {0};
    struct onward_str raw;
    struct onward_buf buf;
    bool has = false;
    int err = 0;

    if (edit->is_sealed)
        return ONWARD_ESTATE;
    prefix = onward_core__str_trim(prefix);
    if (prefix.len == 0 || !onward_mime__is_writable(prefix))
        return ONWARD_ESYNTAX;
    while (i != ONWARD_HEADER_NONE && edit->is_cut[i])
        i = edit->header->items[i].below;
    if (i != ONWARD_HEADER_NONE) {
        onward_mime__edit_field(edit, i, &field);
        err = has_prefix(edit, field.value, prefix, &has);
        if (err != 0 || has)
            return err;
    }
    onward_core__buf_init(&buf, edit->ctx, SIZE_MAX);
    write_subject(&buf, prefix, field.value);
    err = buf.err;
    if (err == 0 && i == ONWARD_HEADER_NONE) {
        err = onward_mime__edit_add_raw(edit, onward_core__buf_str(&buf));
    } else if (err == 0) {
        err = onward_core__arena_dup(&edit->arena, onward_core__buf_str(&buf),
                                     &raw);
        if (err == 0)
            err = onward_mime__edit_put(edit, i, raw);
    }
    onward_core__buf_clear(&buf);
    return err;
}
