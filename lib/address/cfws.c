/*
 * Comments, folds and quoted strings of header fields (RFC 5322 sections 3.2.2
 * and 3.2.4), for every field that has them. One pass, no recursion.
 */
#include "address/lex_priv.h"

static bool is_control(int octet)
{
    return (octet >= 0 && octet < 0x20 && octet != '\t') || octet == 0x7f;
}

/* At CR: a fold is CRLF and a blank. Leaves the cursor on the blank. */
static int skip_fold(struct cursor *c)
{
    const char *octets = c->text.data + c->at;

    if (c->text.len - c->at < 3 || octets[1] != '\n' ||
        !onward_ascii_is_wsp((unsigned char)octets[2]))
        return onward_address__syntax(c, "line end that is no fold");
    c->at += 2;
    return 0;
}

/* The opening parenthesis is next. Each octet is looked at once, however the
 * parentheses nest. */
static int skip_comment(struct cursor *c)
{
    size_t start = c->at, depth = 0;
    int ret = 0;

    for (; ret == 0 && peek(c) >= 0; c->at++) {
        switch (peek(c)) {
        case '(':
            if (++depth > ONWARD_ADDRESS_COMMENT_DEPTH_MAX)
                return onward_address__syntax(c, "comments nested too deep");
            break;
        case ')':
            if (--depth == 0) {
                c->at++;
                return 0;
            }
            break;
        case '\\':
            c->at++;
            if (is_control(peek(c)))
                return onward_address__syntax(c, "control character");
            break;
        case '\r':
            ret = skip_fold(c);
            break;
        default:
            if (is_control(peek(c)))
                return onward_address__syntax(c, "control character");
        }
    }
    if (ret != 0)
        return ret;
    c->at = start;
    return onward_address__syntax(c, "comment without an end");
}

int onward_address__skip_cfws(struct cursor *c)
{
    for (;;) {
        int ret;

        switch (peek(c)) {
        case ' ':
        case '\t':
            c->at++;
            continue;
        case '\r':
            ret = skip_fold(c);
            break;
        case '(':
            ret = skip_comment(c);
            break;
        default:
            return 0;
        }
        if (ret != 0)
            return ret;
    }
}

/* The opening quote is next. */
int onward_address__skip_quoted_string(struct cursor *c)
{
    size_t start = c->at;

    for (c->at++; peek(c) >= 0; c->at++) {
        int ret = 0;

        if (peek(c) == '"') {
            c->at++;
            return 0;
        }
        if (peek(c) == '\r')
            ret = skip_fold(c);
        else if (peek(c) == '\\')
            c->at++;
        if (ret != 0)
            return ret;
        if (is_control(peek(c)))
            return onward_address__syntax(c, "control character");
    }
    c->at = start;
    return onward_address__syntax(c, "quoted string without an end");
}

int onward_address__read_cfws(struct onward_str text, size_t *at,
                              struct onward_address__fault *fault)
{
    struct onward_address__fault unused;
    struct cursor c = {
        .text = text, .at = *at, .fault = fault == NULL ? &unused : fault};
    int ret = onward_address__skip_cfws(&c);

    if (ret == 0)
        *at = c.at;
    return ret;
}

int onward_address__read_quoted_string(struct onward_str text, size_t *at,
                                       struct onward_address__fault *fault)
{
    struct onward_address__fault unused;
    struct cursor c = {
        .text = text, .at = *at, .fault = fault == NULL ? &unused : fault};
    int ret = onward_address__skip_quoted_string(&c);

    if (ret == 0)
        *at = c.at;
    return ret;
}
