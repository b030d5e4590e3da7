/*
 * Texts as results: an owner, notes, and the lexical steps that readers of
 * header values share. These never refuse: what has no end runs to the end.
 */
#include "mime/text_priv.h"

#include "core/text_shared.h"

enum { MAX_BYTES = 1048576 };

int onward_mime__text_opts_load(struct onward_mime__text_opts *opts,
                                const struct onward_text_opts *src)
{
    struct onward_text_opts o;
    int err = onward_core__opts_load(&o, sizeof(o), src);

    if (err != 0)
        return err;
    opts->raw_charset = onward_str_of(o.raw_charset);
    opts->max_bytes = onward_core__limit(o.max_bytes, MAX_BYTES);
    return onward_mime__charsets_load(&opts->charsets, o.charsets);
}

int onward_mime__text_new(struct onward_ctx *ctx, size_t max_bytes,
                          struct onward_text **text)
{
    struct onward_text *made = onward_core__zalloc(ctx, sizeof(*made));

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    made->max_bytes = max_bytes;
    /* Converters ask for room that they seldom use. */
    onward_core__buf_init(&made->buf, ctx,
                          max_bytes > SIZE_MAX - 2 * ONWARD_TEXT_ROOM
                              ? SIZE_MAX
                              : max_bytes + 2 * ONWARD_TEXT_ROOM);
    *text = made;
    return 0;
}

int onward_mime__text_end(struct onward_text *made, int err,
                          struct onward_text **text)
{
    if (err == 0)
        err = made->buf.err;
    if (err == 0 && made->buf.len > made->max_bytes)
        err = ONWARD_ELIMIT;
    if (err != 0) {
        onward_text_free(made);
        return err;
    }
    made->notes |= onward_mime__text_look(onward_text_str(made));
    *text = made;
    return 0;
}

uint64_t onward_mime__text_look(struct onward_str text)
{
    uint64_t notes = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            notes = ONWARD_TEXT_CONTROLS;
    }
    if (onward_core__is_utf8(text) && onward_core__has_invisible(text))
        notes |= ONWARD_TEXT_INVISIBLE;
    return notes;
}

struct onward_str onward_text_str(const struct onward_text *text)
{
    return onward_core__buf_str(&text->buf);
}

uint64_t onward_text_notes(const struct onward_text *text)
{
    return text->notes;
}

void onward_text_free(struct onward_text *text)
{
    struct onward_ctx *ctx;

    if (text == NULL)
        return;
    ctx = text->ctx;
    onward_core__buf_clear(&text->buf);
    onward_core__free(ctx, text);
    onward_ctx_free(ctx);
}

int onward_mime__add_raw(struct onward_buf *out, struct onward_str octets,
                         const struct onward_mime__text_opts *opts,
                         uint64_t *notes)
{
    struct onward_str charset = opts->raw_charset;
    int err;

    if (onward_core__is_ascii(octets))
        return onward_core__buf_add_str(out, octets);
    *notes |= ONWARD_TEXT_RAW_8BIT;
    if (onward_core__is_utf8(octets))
        return onward_core__buf_add_str(out, octets);
    err = charset.len == 0 ? ONWARD_ENOENT
                           : onward_mime__convert_all(out, charset, octets,
                                                      &opts->charsets, notes);
    if (err != ONWARD_ENOENT)
        return err;
    return onward_mime__convert_all(out, ONWARD_STR("utf-8"), octets, NULL,
                                    notes);
}

int onward_charset_decode(struct onward_ctx *ctx, struct onward_str charset,
                          struct onward_str octets,
                          const struct onward_text_opts *opts,
                          struct onward_text **text)
{
    struct onward_mime__text_opts o;
    struct onward_text *made;
    int err = onward_mime__text_opts_load(&o, opts);

    if (err == 0)
        err = onward_mime__text_new(ctx, o.max_bytes, &made);
    if (err != 0)
        return err;
    if (charset.len == 0)
        err = onward_mime__add_raw(&made->buf, octets, &o, &made->notes);
    else
        err = onward_mime__convert_all(&made->buf, charset, octets, &o.charsets,
                                       &made->notes);
    return onward_mime__text_end(made, err, text);
}

/* ---- Lexical steps ----------------------------------------------------- */

size_t onward_mime__comment_end(struct onward_str s, size_t at, bool *is_open)
{
    size_t depth = 0; /* a count, not a stack: any depth is one pass */

    for (; at < s.len; at++) {
        char c = s.data[at];

        if (c == '\\')
            at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            return at + 1;
    }
    *is_open = true;
    return s.len;
}

size_t onward_mime__quoted_end(struct onward_str s, size_t at, bool *is_open)
{
    for (at++; at < s.len; at++) {
        if (s.data[at] == '"')
            return at + 1;
        if (s.data[at] == '\\')
            at++;
    }
    *is_open = true;
    return s.len;
}

size_t onward_mime__skip_cfws(struct onward_str s, size_t at, bool *is_open)
{
    while (at < s.len) {
        if (onward_mime__is_lwsp((unsigned char)s.data[at]))
            at++;
        else if (s.data[at] == '(')
            at = onward_mime__comment_end(s, at, is_open);
        else
            break;
    }
    return at;
}

bool onward_mime__is_token_octet(unsigned char c)
{
    return c > ' ' && c < 0x7f && memchr("()<>@,;:\\\"/[]?=", c, 15) == NULL;
}
