/*
 * The writer of Authentication-Results. Values come from peers: each is made a
 * token, a plain address or a quoted string, so that none can end its place and
 * start a result of its own.
 */
#include <unistr.h>

#include "address/address_shared.h"
#include "authres/builder_priv.h"
#include "authres/syntax_priv.h"
#include "core/domain_shared.h"
#include "core/text_shared.h"

enum {
    FIELD_MAX = 65536,
    VALUE_MAX = 400, /* doubled by backslashes it still fits a line of 998 */
    LINE_MAX_COLUMNS = 77 /* 78 with the semicolon that may follow */
};

/* Octets of the character at the start of s; 0 when a field cannot hold it. */
static size_t clean_char(struct onward_str s)
{
    unsigned char c = (unsigned char)s.data[0];
    ucs4_t code;
    int len;

    if (c < 0x80)
        return c >= 0x20 && c != 0x7f;
    len = u8_mbtoucr(&code, (const uint8_t *)s.data, s.len);
    return len > 0 && code > 0x9f ? (size_t)len : 0;
}

/* Append s with a backslash before each octet of specials. */
static void add_clean(struct onward_buf *out, struct onward_str s,
                      const char *specials)
{
    for (size_t at = 0; at < s.len;) {
        struct onward_str rest = onward_core__sub(s, at, s.len);
        size_t len = clean_char(rest);

        if (at + len > VALUE_MAX) {
            onward_core__buf_add_text(out, "...");
            return;
        }
        if (len == 1 && strchr(specials, rest.data[0]) != NULL)
            onward_core__buf_add_byte(out, '\\');
        if (len == 0)
            onward_core__buf_add_byte(out, '?');
        else
            onward_core__buf_add(out, rest.data, len);
        at += len == 0 ? 1 : len;
    }
}

static bool is_token(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_authres__is_token_octet((unsigned char)s.data[i]))
            return false;
    }
    return s.len > 0 && s.len <= VALUE_MAX && onward_core__is_ascii(s);
}

/* [ local-part "@" ] domain-name of pvalue, where no quotes are in it. */
static bool is_plain_address(struct onward_str s)
{
    size_t at = onward_core__str_rfind(s, '@');
    struct onward_str local_part = onward_core__sub(s, 0, at);

    if (at == s.len || at > VALUE_MAX ||
        !onward_core__domain_is_dns_name(onward_core__sub(s, at + 1, s.len), 1))
        return false;
    return local_part.len == 0 || (onward_core__is_ascii(local_part) &&
                                   onward_address__is_dot_string(local_part));
}

static void add_value(struct onward_buf *out, struct onward_str value,
                      bool allow_address)
{
    if (is_token(value) || (allow_address && is_plain_address(value))) {
        onward_core__buf_add_str(out, value);
        return;
    }
    onward_core__buf_add_byte(out, '"');
    add_clean(out, value, "\"\\");
    onward_core__buf_add_byte(out, '"');
}

int onward_authres__put_piece(struct onward_authres_builder *b, bool new_line)
{
    struct onward_str piece = onward_core__buf_str(&b->piece);

    if (b->piece.err != 0 && b->text.err == 0)
        b->text.err = b->piece.err; /* a field with a gap is never handed out */
    if (new_line || b->column + 1 + piece.len > LINE_MAX_COLUMNS) {
        onward_core__buf_add_text(&b->text, "\r\n");
        b->column = 0;
    }
    onward_core__buf_add_byte(&b->text, ' ');
    onward_core__buf_add_str(&b->text, piece);
    b->column += 1 + piece.len;
    return b->text.err;
}

int onward_authres_builder_new(struct onward_ctx *ctx,
                               struct onward_str authserv_id,
                               struct onward_authres_builder **builder)
{
    struct onward_authres_builder *b;

    if (authserv_id.len == 0 || authserv_id.len > VALUE_MAX)
        return ONWARD_EINVAL;
    for (size_t at = 0, len; at < authserv_id.len; at += len) {
        len = clean_char(onward_core__sub(authserv_id, at, authserv_id.len));
        if (len == 0)
            return ONWARD_EINVAL;
    }
    b = onward_core__zalloc(ctx, sizeof(*b));
    if (b == NULL)
        return ONWARD_ENOMEM;
    b->ctx = onward_ctx_ref(ctx);
    onward_core__buf_init(&b->text, ctx, FIELD_MAX);
    onward_core__buf_init(&b->piece, ctx, FIELD_MAX);
    onward_core__buf_init(&b->out, ctx, FIELD_MAX + 64);
    add_value(&b->text, authserv_id, false);
    onward_core__buf_add_byte(&b->text, ';');
    if (b->text.err != 0) {
        onward_authres_builder_free(b);
        return ONWARD_ENOMEM;
    }
    *builder = b;
    return 0;
}

void onward_authres_builder_free(struct onward_authres_builder *builder)
{
    struct onward_ctx *ctx;

    if (builder == NULL)
        return;
    ctx = builder->ctx;
    onward_core__buf_clear(&builder->text);
    onward_core__buf_clear(&builder->piece);
    onward_core__buf_clear(&builder->out);
    onward_core__free(ctx, builder);
    onward_ctx_free(ctx);
}

int onward_authres_builder_result(struct onward_authres_builder *builder,
                                  struct onward_str method,
                                  struct onward_str result,
                                  struct onward_str reason)
{
    struct onward_buf *piece = &builder->piece;
    int ret;

    if (!onward_authres__is_keyword(method) ||
        !onward_authres__is_keyword(result))
        return ONWARD_EINVAL;
    if (builder->has_result)
        onward_core__buf_add_byte(&builder->text, ';');
    onward_core__buf_reset(piece);
    onward_core__buf_add_str(piece, method);
    onward_core__buf_add_byte(piece, '=');
    onward_core__buf_add_str(piece, result);
    ret = onward_authres__put_piece(builder, true);
    if (ret == 0 && reason.len > 0) {
        onward_core__buf_reset(piece);
        onward_core__buf_add_text(piece, "reason=");
        add_value(piece, reason, false);
        ret = onward_authres__put_piece(builder, false);
    }
    builder->has_result = true;
    return ret;
}

int onward_authres_builder_property(struct onward_authres_builder *builder,
                                    struct onward_str ptype,
                                    struct onward_str property,
                                    struct onward_str value)
{
    struct onward_buf *piece = &builder->piece;

    if (!onward_authres__is_keyword(ptype) ||
        !onward_authres__is_keyword(property))
        return ONWARD_EINVAL;
    if (!builder->has_result)
        return ONWARD_ESTATE;
    onward_core__buf_reset(piece);
    onward_core__buf_add_str(piece, ptype);
    onward_core__buf_add_byte(piece, '.');
    onward_core__buf_add_str(piece, property);
    onward_core__buf_add_byte(piece, '=');
    add_value(piece, value, true);
    return onward_authres__put_piece(builder, false);
}

int onward_authres_builder_comment(struct onward_authres_builder *builder,
                                   struct onward_str text)
{
    struct onward_buf whole;
    size_t at = 0;
    int ret;

    if (!builder->has_result)
        return ONWARD_ESTATE;
    onward_core__buf_init(&whole, builder->ctx, FIELD_MAX);
    onward_core__buf_add_byte(&whole, '(');
    add_clean(&whole, text, "()\\");
    ret = onward_core__buf_add_byte(&whole, ')');
    if (ret != 0)
        builder->text.err = ret;
    /* A fold may stand between the words of a comment. */
    while (ret == 0 && at < whole.len) {
        struct onward_str rest =
            onward_core__sub(onward_core__buf_str(&whole), at, whole.len);
        size_t len = onward_core__str_find(rest, ' ');

        at += len + 1;
        if (len == 0) /* else a line of blanks alone could come of it */
            continue;
        onward_core__buf_reset(&builder->piece);
        onward_core__buf_add_str(&builder->piece,
                                 onward_core__sub(rest, 0, len));
        ret = onward_authres__put_piece(builder, false);
    }
    onward_core__buf_clear(&whole);
    return ret;
}

int onward_authres_builder_value(struct onward_authres_builder *builder,
                                 struct onward_str *value)
{
    struct onward_buf *out = &builder->out;

    if (builder->text.err != 0)
        return builder->text.err;
    onward_core__buf_reset(out);
    onward_core__buf_add_str(out, onward_core__buf_str(&builder->text));
    if (!builder->has_result)
        onward_core__buf_add_text(out, " none");
    if (out->err != 0)
        return out->err;
    *value = onward_core__buf_str(out);
    return 0;
}

int onward_authres_builder_field(struct onward_authres_builder *builder,
                                 struct onward_str *field)
{
    struct onward_buf *out = &builder->out;

    if (builder->text.err != 0)
        return builder->text.err;
    onward_core__buf_reset(out);
    onward_core__buf_add_text(out, "Authentication-Results: ");
    onward_core__buf_add_str(out, onward_core__buf_str(&builder->text));
    if (!builder->has_result)
        onward_core__buf_add_text(out, " none");
    onward_core__buf_add_text(out, "\r\n");
    if (out->err != 0)
        return out->err;
    *field = onward_core__buf_str(out);
    return 0;
}
