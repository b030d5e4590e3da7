/*
 * Address lists of header fields (RFC 5322 sections 3.4 and 4.4, RFC 6532): one
 * pass, no recursion, and no octet that is not accounted for. A reader that
 * skips what it does not understand can be shown one author while another is
 * authenticated.
 */
#include "address/lex_priv.h"

struct parser {
    struct cursor c;
    struct onward_address__list list;
    struct onward_address__item **tail;
    size_t max_mailboxes;
    struct onward_str group;
    bool in_group;
};

/* What stands before "<", ":" or "@": a display name, the name of a group, or a
 * local part. */
struct words {
    size_t start, end;  /* with comments between, none around */
    bool is_phrase;     /* begins with a word */
    bool is_local_part; /* word *("." word) */
    bool last_was_dot;
};

static void skip_atom(struct cursor *c)
{
    while (onward_address__is_atext(peek(c)))
        c->at++;
}

/* Words and dots with CFWS between, up to the first other octet. */
static int read_words(struct cursor *c, struct words *w)
{
    bool want_word = true;

    *w = (struct words){.start = c->at, .end = c->at, .is_local_part = true};
    for (;;) {
        bool is_first = w->end == w->start;
        int ret = 0;

        if (peek(c) == '.') {
            c->at++;
            w->is_local_part = w->is_local_part && !want_word;
            want_word = true;
        } else if (peek(c) == '"' || onward_address__is_atext(peek(c))) {
            if (peek(c) == '"')
                ret = onward_address__skip_quoted_string(c);
            else
                skip_atom(c);
            w->is_phrase = w->is_phrase || is_first;
            w->is_local_part = w->is_local_part && want_word;
            want_word = false;
        } else {
            break;
        }
        if (ret == 0) {
            w->end = c->at;
            ret = onward_address__skip_cfws(c);
        }
        if (ret != 0)
            return ret;
    }
    w->is_local_part = w->is_local_part && !want_word;
    return 0;
}

/* The quoted string at *at without quotes, backslashes and folds. */
static bool decode_quoted_string(struct onward_str text, size_t *at, char *out,
                                 size_t *used)
{
    for (++*at; text.data[*at] != '"'; ++*at) {
        char octet = text.data[*at];

        if (octet == '\r' || octet == '\n')
            continue;
        if (octet == '\\')
            octet = text.data[++*at];
        if (octet == '\t') /* SMTP has no form for it */
            return false;
        out[(*used)++] = octet;
    }
    ++*at;
    return true;
}

/* The words, which skip_ functions have been over, without CFWS and quotes. */
static int decode_local_part(struct cursor *c, const struct words *w,
                             struct onward_str *local_part)
{
    struct cursor inner = *c;
    size_t used = 0;
    char *copy = onward_core__arena_alloc(c->arena, w->end - w->start);

    if (copy == NULL)
        return ONWARD_ENOMEM;
    inner.at = w->start;
    inner.text.len = w->end;
    while (inner.at < w->end) {
        int ret;

        if (peek(&inner) != '"') {
            copy[used++] = (char)peek(&inner);
            inner.at++;
        } else if (!decode_quoted_string(inner.text, &inner.at, copy, &used)) {
            return onward_address__syntax(&inner, "tab in a local part");
        }
        ret = onward_address__skip_cfws(&inner);
        if (ret != 0)
            return ret;
    }
    *local_part = onward_core__str(copy, used);
    return 0;
}

/* "[" *dtext "]"; the bracket is next. No folds inside: no mailer writes them,
 * and a literal with a blank is no address. */
static int read_literal(struct cursor *c, struct onward_str *domain)
{
    size_t start = c->at++;

    while (peek(c) >= 0x20 && peek(c) != 0x7f && peek(c) != '[' &&
           peek(c) != ']' && peek(c) != '\\')
        c->at++;
    if (peek(c) != ']')
        return onward_address__syntax(c, "domain literal without an end");
    c->at++;
    *domain = onward_core__sub(c->text, start, c->at);
    return onward_address__skip_cfws(c);
}

/* atom *("." atom), each with CFWS around (obs-domain); a final dot is let
 * pass, it names the same domain. The result is copied only where CFWS had to
 * be cut out. */
static int read_domain(struct cursor *c, struct onward_str *domain)
{
    size_t start, len = 0, end;
    char *copy;
    int ret = onward_address__skip_cfws(c);

    if (ret != 0)
        return ret;
    if (peek(c) == '[')
        return read_literal(c, domain);
    start = end = c->at;
    while (peek(c) == '.' || onward_address__is_atext(peek(c))) {
        size_t piece = c->at;

        while (peek(c) == '.' || onward_address__is_atext(peek(c)))
            c->at++;
        /* Two atoms with nothing but a blank between them are not one. */
        if (len > 0 && c->text.data[piece] != '.' &&
            c->text.data[end - 1] != '.') {
            c->at = piece;
            return onward_address__syntax(c, "blank in a domain");
        }
        len += c->at - piece;
        end = c->at;
        ret = onward_address__skip_cfws(c);
        if (ret != 0)
            return ret;
    }
    if (len == 0)
        return onward_address__syntax(c, "expected a domain");
    *domain = onward_core__sub(c->text, start, end);
    if (len == domain->len)
        return 0;
    copy = onward_core__arena_alloc(c->arena, len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    *domain = onward_core__str(copy, len);
    for (struct cursor inner = {.arena = c->arena,
                               .text = {c->text.data, end},
                               .at = start,
                               .fault = c->fault};
         inner.at < end;) {
        *copy++ = inner.text.data[inner.at++];
        ret = onward_address__skip_cfws(&inner);
        if (ret != 0)
            return ret;
    }
    return 0;
}

/* w was a local part, "@" is next. */
static int read_addr_spec(struct cursor *c, const struct words *w,
                          struct onward_address__mailbox *mailbox)
{
    struct onward_str local_part, domain;
    int ret;

    if (peek(c) != '@')
        return onward_address__syntax(c, "expected @");
    if (!w->is_local_part) {
        c->at = w->start;
        return onward_address__syntax(c, "text that is no local part before @");
    }
    ret = decode_local_part(c, w, &local_part);
    if (ret != 0)
        return ret;
    c->at++;
    ret = read_domain(c, &domain);
    if (ret != 0)
        return ret;
    return onward_address__finish(c, w->start, local_part, domain, false,
                                  mailbox);
}

/* obs-route: *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":". The
 * mailbox behind it is the address (RFC 5322 section 4.4). */
static int skip_route(struct cursor *c)
{
    for (;;) {
        struct onward_str domain;
        int ret = onward_address__skip_cfws(c);

        if (ret != 0)
            return ret;
        switch (peek(c)) {
        case ',':
            c->at++;
            continue;
        case ':':
            c->at++;
            return onward_address__skip_cfws(c);
        case '@':
            c->at++;
            ret = read_domain(c, &domain);
            if (ret != 0)
                return ret;
            if (peek(c) != ',' && peek(c) != ':')
                return onward_address__syntax(c, "expected , or : in a route");
            continue;
        default:
            return onward_address__syntax(c, "expected @ in a route");
        }
    }
}

/* "<" [obs-route] addr-spec ">" */
static int read_angle_addr(struct cursor *c,
                           struct onward_address__mailbox *mailbox)
{
    struct words w;
    int ret;

    c->at++;
    ret = onward_address__skip_cfws(c);
    if (ret == 0 && (peek(c) == '@' || peek(c) == ','))
        ret = skip_route(c);
    if (ret == 0)
        ret = read_words(c, &w);
    if (ret == 0)
        ret = read_addr_spec(c, &w, mailbox);
    if (ret != 0)
        return ret;
    if (peek(c) != '>')
        return onward_address__syntax(c, "expected >");
    c->at++;
    return onward_address__skip_cfws(c);
}

static int add_item(struct parser *p,
                    const struct onward_address__mailbox *mailbox,
                    struct onward_str display_name)
{
    struct onward_address__item *item;

    if (p->list.count == p->max_mailboxes)
        return onward_address__refuse(&p->c, ONWARD_ADDRESS_FAULT_LENGTH,
                                      "too many mailboxes");
    item = onward_core__arena_alloc(p->c.arena, sizeof(*item));
    if (item == NULL)
        return ONWARD_ENOMEM;
    item->mailbox = *mailbox;
    item->display_name = display_name;
    item->group = p->group;
    *p->tail = item;
    p->tail = &item->next;
    p->list.count++;
    return 0;
}

/* display-name ":"; the colon is next. */
static int open_group(struct parser *p, const struct words *w)
{
    if (!w->is_phrase)
        return onward_address__syntax(&p->c, "group without a name");
    if (p->in_group)
        return onward_address__syntax(&p->c, "group in a group");
    p->c.at++;
    p->in_group = true;
    p->group = onward_core__sub(p->c.text, w->start, w->end);
    return 0;
}

/* One mailbox, or the head of a group; true in *is_done when a separator must
 * follow. */
static int read_element(struct parser *p, bool *is_done)
{
    struct onward_address__mailbox mailbox;
    struct onward_str display_name = {0};
    struct words w;
    int ret = read_words(&p->c, &w);

    *is_done = false;
    if (ret != 0)
        return ret;
    switch (peek(&p->c)) {
    case ':':
        return open_group(p, &w);
    case '<':
        if (w.end > w.start && !w.is_phrase)
            return onward_address__syntax(&p->c, "display name begins with .");
        display_name = onward_core__sub(p->c.text, w.start, w.end);
        ret = read_angle_addr(&p->c, &mailbox);
        break;
    case '@':
        ret = read_addr_spec(&p->c, &w, &mailbox);
        break;
    default:
        if (w.end == w.start)
            return onward_address__syntax(&p->c, "expected an address");
        p->c.at = w.start;
        return onward_address__syntax(&p->c, "text without an address");
    }
    if (ret == 0)
        ret = add_item(p, &mailbox, display_name);
    *is_done = true;
    return ret;
}

/* Behind an address: nothing else than a separator. */
static int read_separator(struct parser *p)
{
    if (peek(&p->c) == ';' && p->in_group) {
        int ret;

        p->c.at++;
        p->in_group = false;
        p->group = (struct onward_str){0};
        ret = onward_address__skip_cfws(&p->c);
        if (ret != 0)
            return ret;
    }
    if (peek(&p->c) == ',') {
        p->c.at++;
        return 0;
    }
    if (peek(&p->c) >= 0)
        return onward_address__syntax(&p->c, "text behind an address");
    return 0;
}

static int read_list(struct parser *p)
{
    for (;;) {
        bool is_done;
        int ret = onward_address__skip_cfws(&p->c);

        if (ret != 0)
            return ret;
        if (peek(&p->c) < 0)
            break;
        if (peek(&p->c) == ',') { /* obs-addr-list has empty places */
            p->c.at++;
            continue;
        }
        is_done = peek(&p->c) == ';' && p->in_group;
        if (!is_done)
            ret = read_element(p, &is_done);
        if (ret == 0 && is_done)
            ret = read_separator(p);
        if (ret != 0)
            return ret;
    }
    return p->in_group ? onward_address__syntax(&p->c, "group without an end")
                       : 0;
}

int onward_address__parse_list(struct onward_arena *arena,
                               struct onward_str body, size_t max_mailboxes,
                               struct onward_address__list *list,
                               struct onward_address__fault *fault)
{
    struct onward_address__fault unused;
    struct parser p = {.c = {.arena = arena,
                             .text = body,
                             .fault = fault == NULL ? &unused : fault},
                       .max_mailboxes = max_mailboxes};
    int ret;

    p.tail = &p.list.first;
    ret = read_list(&p);
    if (ret != 0)
        p.list = (struct onward_address__list){0};
    *list = p.list;
    return ret;
}
