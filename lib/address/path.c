/*
 * Addresses of the SMTP envelope: paths and mailboxes of RFC 5321 section
 * 4.1.2, with the UTF-8 of RFC 6531. No blanks, no comments, no leniency: what
 * stands here decides about relaying.
 */
#include "address/lex_priv.h"
#include "core/text_shared.h"

static bool is_let_dig(int octet)
{
    return octet > 0x7f ||
           (octet > 0 && onward_ascii_is_alnum((unsigned char)octet));
}

/* Dot-string: Atom *("." Atom) */
static int read_dot_string(struct cursor *c, struct onward_str *local_part)
{
    size_t start = c->at;

    for (;;) {
        size_t atom = c->at;

        while (onward_address__is_atext(peek(c)))
            c->at++;
        if (c->at == atom)
            return onward_address__syntax(c, "expected a local part");
        if (peek(c) != '.')
            break;
        c->at++;
    }
    *local_part = onward_core__sub(c->text, start, c->at);
    return 0;
}

/* DQUOTE *QcontentSMTP DQUOTE; the opening quote is next. */
static int read_quoted_string(struct cursor *c, struct onward_str *local_part)
{
    size_t start = ++c->at, used = 0;
    char *copy;

    for (; peek(c) != '"'; c->at++) {
        if (peek(c) == '\\')
            c->at++;
        /* Only ASCII may stand behind a backslash, but it does no harm: the
         * character means itself. */
        if (peek(c) < 0x20 || peek(c) == 0x7f)
            return onward_address__syntax(
                c, peek(c) < 0 ? "quoted string without an end"
                               : "control character in an address");
    }
    copy = onward_core__arena_alloc(c->arena, c->at - start + 1);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t at = start; at < c->at; at++) {
        if (c->text.data[at] == '\\')
            at++;
        copy[used++] = c->text.data[at];
    }
    c->at++;
    *local_part = onward_core__str(copy, used);
    return 0;
}

static int read_local_part(struct cursor *c, struct onward_str *local_part)
{
    size_t start = c->at;
    int ret = peek(c) == '"' ? read_quoted_string(c, local_part)
                             : read_dot_string(c, local_part);

    if (ret == 0 && c->at - start > ONWARD_ADDRESS_LOCAL_MAX)
        return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_LENGTH,
                                      "local part over 64 octets");
    return ret;
}

/* The octets of a domain or address literal; what they mean is checked when the
 * mailbox is whole. */
static int read_domain(struct cursor *c, struct onward_str *domain)
{
    size_t start = c->at;

    if (peek(c) == '[') {
        while (peek(c) > 0x20 && peek(c) < 0x7f && peek(c) != ']')
            c->at++;
        if (peek(c) != ']')
            return onward_address__syntax(c, "address literal without an end");
        c->at++;
    } else {
        while (is_let_dig(peek(c)) || peek(c) == '-' || peek(c) == '.')
            c->at++;
        if (c->at == start)
            return onward_address__syntax(c, "expected a domain");
    }
    *domain = onward_core__sub(c->text, start, c->at);
    return 0;
}

static int check_utf8(struct cursor *c, size_t start, unsigned flags,
                      const struct onward_address__mailbox *found)
{
    if (!found->is_utf8 || (flags & ONWARD_ADDRESS_ALLOW_UTF8) != 0)
        return 0;
    c->at = start;
    return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_UTF8,
                                  "address needs SMTPUTF8");
}

/* A-d-l: "@" Domain *("," "@" Domain) ":". Accepted, and of no use (RFC 5321
 * appendix C). */
static int skip_source_route(struct cursor *c, unsigned flags)
{
    struct onward_address__mailbox hop;
    struct onward_str domain;

    while (peek(c) == '@') {
        size_t start = ++c->at;
        int ret = read_domain(c, &domain);

        if (ret == 0)
            ret = onward_address__finish(c, start, ONWARD_STR(""), domain, true,
                                         &hop);
        if (ret == 0)
            ret = check_utf8(c, start, flags, &hop);
        if (ret != 0)
            return ret;
        if (peek(c) == ':') {
            c->at++;
            return 0;
        }
        if (peek(c) != ',')
            return onward_address__syntax(c, "expected , or : in a route");
        c->at++;
    }
    return onward_address__syntax(c, "expected @ in a route");
}

/* Local-part "@" ( Domain / address-literal ) */
static int read_mailbox(struct cursor *c, unsigned flags,
                        struct onward_address__mailbox *mailbox)
{
    struct onward_str local_part, domain;
    struct onward_address__mailbox found;
    size_t start = c->at;
    int ret = read_local_part(c, &local_part);

    if (ret != 0)
        return ret;
    if (peek(c) == '>' && (flags & ONWARD_ADDRESS_ALLOW_POSTMASTER) != 0 &&
        onward_core__str_ieq(onward_core__sub(c->text, start, c->at),
                             ONWARD_STR("postmaster"))) {
        *mailbox = (struct onward_address__mailbox){.local_part = local_part,
                                                    .is_bare_postmaster = true};
        return 0;
    }
    if (peek(c) != '@')
        return onward_address__syntax(c, "expected @ behind the local part");
    c->at++;
    ret = read_domain(c, &domain);
    if (ret == 0)
        ret =
            onward_address__finish(c, start, local_part, domain, true, &found);
    if (ret != 0)
        return ret;
    ret = check_utf8(c, start, flags, &found);
    if (ret != 0)
        return ret;
    *mailbox = found;
    return 0;
}

static int read_path(struct cursor *c, unsigned flags,
                     struct onward_address__mailbox *mailbox)
{
    int ret = 0;

    if (peek(c) != '<')
        return onward_address__syntax(c, "expected <");
    c->at++;
    if (peek(c) == '>' && (flags & ONWARD_ADDRESS_ALLOW_NULL) != 0) {
        *mailbox = (struct onward_address__mailbox){.is_null = true};
    } else {
        if (peek(c) == '@')
            ret = skip_source_route(c, flags);
        if (ret == 0)
            ret = read_mailbox(c, flags, mailbox);
    }
    if (ret != 0)
        return ret;
    if (peek(c) != '>')
        return onward_address__syntax(c, "expected >");
    c->at++;
    if (c->at > ONWARD_ADDRESS_PATH_MAX)
        return onward_address__refuse(c, ONWARD_ADDRESS_FAULT_LENGTH,
                                      "path over 256 octets");
    if (peek(c) >= 0 && peek(c) != ' ')
        return onward_address__syntax(c, "expected a blank behind the path");
    return 0;
}

int onward_address__parse_path(struct onward_arena *arena,
                               struct onward_str text, unsigned flags,
                               struct onward_address__mailbox *mailbox,
                               size_t *taken,
                               struct onward_address__fault *fault)
{
    struct onward_address__fault unused;
    struct cursor c = {
        .arena = arena, .text = text, .fault = fault == NULL ? &unused : fault};
    struct onward_address__mailbox found = {0};
    int ret = read_path(&c, flags, &found);

    if (ret != 0)
        return ret;
    *mailbox = found;
    *taken = c.at;
    return 0;
}

int onward_address__parse_mailbox(struct onward_arena *arena,
                                  struct onward_str text, unsigned flags,
                                  struct onward_address__mailbox *mailbox,
                                  struct onward_address__fault *fault)
{
    struct onward_address__fault unused;
    struct cursor c = {
        .arena = arena, .text = text, .fault = fault == NULL ? &unused : fault};
    struct onward_address__mailbox found;
    int ret = read_mailbox(&c, flags & ONWARD_ADDRESS_ALLOW_UTF8, &found);

    if (ret != 0)
        return ret;
    if (c.at != text.len)
        return onward_address__syntax(&c, "text behind the address");
    if (text.len > ONWARD_ADDRESS_PATH_MAX - 2)
        return onward_address__refuse(&c, ONWARD_ADDRESS_FAULT_LENGTH,
                                      "address over 254 octets");
    *mailbox = found;
    return 0;
}
