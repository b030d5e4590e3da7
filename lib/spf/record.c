/*
 * The parser of SPF records (RFC 7208 sections 4.6.1, 5, 6, 7.1). A whole
 * record is parsed before any of it is evaluated: an error behind a match is
 * an error all the same (4.6).
 */
#include "spf/spf_priv.h"

static const char version[] = "v=spf1";
enum { VERSION_LEN = sizeof(version) - 1 };

bool onward_spf__is_record(struct onward_str text)
{
    if (!onward_core__str_istarts(text, onward_core__str(version, VERSION_LEN)))
        return false;
    return text.len == VERSION_LEN || text.data[VERSION_LEN] == ' ';
}

struct parser {
    struct onward_arena *arena;
    struct onward_str text;
    struct onward_spf__record *record;
    struct onward_spf__term *last;
    struct onward_spf_fault *fault;
};

/* Say where and what; at points into the record. */
static int wrong(struct parser *p, const char *at, const char *what)
{
    if (p->fault != NULL) {
        p->fault->offset = (size_t)(at - p->text.data);
        p->fault->text = what;
    }
    return ONWARD_ESYNTAX;
}

/*
 * toplabel (7.1): letters and digits with at least one letter, or with a hyphen
 * inside. An all-digit last label would be an address.
 */
static bool is_toplabel(struct onward_str s)
{
    bool has_other = false;

    if (s.len == 0 || s.data[0] == '-' || s.data[s.len - 1] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-')
            return false;
        has_other = has_other || !onward_ascii_is_digit(c);
    }
    return has_other;
}

/* domain-spec = macro-string domain-end (7.1). */
static int check_domain_spec(struct parser *p, struct onward_str s)
{
    struct onward_str rest = s;
    size_t tail = 0; /* where the literal text behind the last macro begins */
    size_t dot;

    if (s.len == 0)
        return wrong(p, s.data, "a domain is missing");
    while (rest.len != 0) {
        unsigned char letter;
        size_t len = onward_spf__macro_token(rest, MACRO_DOMAIN, &letter);

        if (len == 0)
            return wrong(p, rest.data,
                         "expected a macro or a visible ASCII character");
        rest = onward_core__sub(rest, len, rest.len);
        if (len > 1)
            tail = s.len - rest.len;
    }
    if (tail == s.len)
        return 0;
    rest = onward_core__sub(s, tail, s.len);
    if (rest.data[rest.len - 1] == '.')
        rest.len--;
    dot = onward_core__str_rfind(rest, '.');
    if (dot == rest.len ||
        !is_toplabel(onward_core__sub(rest, dot + 1, rest.len)))
        return wrong(p, s.data,
                     "expected a domain that ends in a dot and a label with a "
                     "letter, or in a macro");
    return 0;
}

/* Digits without a leading zero, at most `most`; false when it is not that. */
static bool read_prefix(struct onward_str s, unsigned most, unsigned *prefix)
{
    uint64_t value;

    if (s.len > 1 && s.data[0] == '0')
        return false;
    if (onward_core__parse_u64(s, 3, &value) != 0 || value > most)
        return false;
    *prefix = (unsigned)value;
    return true;
}

/* Take "/n" or "//n" off the end of *s. 0: nothing there or taken. */
static int take_cidr(struct parser *p, struct onward_str *s, bool is_ip6,
                     unsigned *prefix)
{
    size_t at = s->len;
    struct onward_str digits;
    bool is_double;

    while (at > 0 && onward_ascii_is_digit((unsigned char)s->data[at - 1]))
        at--;
    if (at == 0 || s->data[at - 1] != '/')
        return 0;
    is_double = at > 1 && s->data[at - 2] == '/';
    if (is_double != is_ip6)
        return 0;
    digits = onward_core__sub(*s, at, s->len);
    if (!read_prefix(digits, is_ip6 ? 128 : 32, prefix))
        return wrong(p, s->data + at,
                     is_ip6 ? "expected a prefix length from 0 to 128"
                            : "expected a prefix length from 0 to 32");
    s->len = at - (is_ip6 ? 2 : 1);
    return 0;
}

/* [":" domain-spec] [dual-cidr-length], of a and mx. */
static int parse_host_arguments(struct parser *p, struct onward_str rest,
                                struct onward_spf__term *term)
{
    int err = take_cidr(p, &rest, true, &term->cidr6);

    if (err == 0)
        err = take_cidr(p, &rest, false, &term->cidr4);
    if (err != 0 || rest.len == 0)
        return err;
    if (rest.data[0] != ':')
        return wrong(p, rest.data, "expected ':', a prefix length or a space");
    term->domain_spec = onward_core__sub(rest, 1, rest.len);
    return check_domain_spec(p, term->domain_spec);
}

static int parse_domain_argument(struct parser *p, struct onward_str rest,
                                 bool is_optional,
                                 struct onward_spf__term *term)
{
    if (rest.len == 0 && is_optional)
        return 0;
    if (rest.len == 0 || rest.data[0] != ':')
        return wrong(p, rest.data, "expected ':' and a domain");
    term->domain_spec = onward_core__sub(rest, 1, rest.len);
    return check_domain_spec(p, term->domain_spec);
}

static int parse_network(struct parser *p, struct onward_str rest, bool is_ip6,
                         struct onward_spf__term *term)
{
    unsigned *prefix = is_ip6 ? &term->cidr6 : &term->cidr4;
    size_t slash;

    if (rest.len < 2 || rest.data[0] != ':')
        return wrong(p, rest.data, "expected ':' and an address");
    rest = onward_core__sub(rest, 1, rest.len);
    slash = onward_core__str_find(rest, '/');
    if (slash < rest.len &&
        !read_prefix(onward_core__sub(rest, slash + 1, rest.len),
                     is_ip6 ? 128 : 32, prefix))
        return wrong(p, rest.data + slash,
                     is_ip6 ? "expected a prefix length from 0 to 128"
                            : "expected a prefix length from 0 to 32");
    if (onward_ip_parse(onward_core__sub(rest, 0, slash), &term->ip) != 0 ||
        term->ip.family != (is_ip6 ? 6 : 4))
        return wrong(p, rest.data,
                     is_ip6 ? "expected an IPv6 address"
                            : "expected an IPv4 address");
    return 0;
}

static const struct {
    struct onward_str name;
    enum onward_spf__mechanism mechanism;
} mechanisms[] = {
    {{"all", 3}, MECHANISM_ALL}, {{"include", 7}, MECHANISM_INCLUDE},
    {{"a", 1}, MECHANISM_A},     {{"mx", 2}, MECHANISM_MX},
    {{"ptr", 3}, MECHANISM_PTR}, {{"ip4", 3}, MECHANISM_IP4},
    {{"ip6", 3}, MECHANISM_IP6}, {{"exists", 6}, MECHANISM_EXISTS},
};

enum { MECHANISM_COUNT = sizeof(mechanisms) / sizeof(mechanisms[0]) };

static int parse_arguments(struct parser *p, struct onward_str rest,
                           struct onward_spf__term *term)
{
    switch (term->mechanism) {
    case MECHANISM_ALL:
        p->record->has_all = true;
        if (rest.len != 0)
            return wrong(p, rest.data, "\"all\" takes no argument");
        return 0;
    case MECHANISM_A:
    case MECHANISM_MX:
        return parse_host_arguments(p, rest, term);
    case MECHANISM_PTR:
        return parse_domain_argument(p, rest, true, term);
    case MECHANISM_INCLUDE:
    case MECHANISM_EXISTS:
        return parse_domain_argument(p, rest, false, term);
    case MECHANISM_IP4:
        return parse_network(p, rest, false, term);
    case MECHANISM_IP6:
        return parse_network(p, rest, true, term);
    }
    return ONWARD_ESYNTAX;
}

static enum onward_spf_result qualifier_of(char c)
{
    switch (c) {
    case '-':
        return ONWARD_SPF_FAIL;
    case '~':
        return ONWARD_SPF_SOFTFAIL;
    case '?':
        return ONWARD_SPF_NEUTRAL;
    default:
        return ONWARD_SPF_PASS;
    }
}

static int parse_directive(struct parser *p, struct onward_str text)
{
    struct onward_spf__term *term;
    struct onward_str body = text;
    size_t name_len = 0;
    size_t i;

    term = onward_core__arena_alloc(p->arena, sizeof(*term));
    if (term == NULL)
        return ONWARD_ENOMEM;
    term->qualifier = ONWARD_SPF_PASS;
    term->text = text;
    term->cidr4 = 32;
    term->cidr6 = 128;
    if (strchr("+-?~", text.data[0]) != NULL) {
        term->qualifier = qualifier_of(text.data[0]);
        body = onward_core__sub(text, 1, text.len);
    }
    while (name_len < body.len &&
           onward_ascii_is_alnum((unsigned char)body.data[name_len]))
        name_len++;
    for (i = 0; i < MECHANISM_COUNT; i++) {
        if (onward_core__str_ieq(onward_core__sub(body, 0, name_len),
                                 mechanisms[i].name))
            break;
    }
    if (i == MECHANISM_COUNT)
        return wrong(p, body.data, "unknown mechanism");
    term->mechanism = mechanisms[i].mechanism;
    if (p->last == NULL)
        p->record->first = term;
    else
        p->last->next = term;
    p->last = term;
    return parse_arguments(p, onward_core__sub(body, name_len, body.len), term);
}

/* The length of a modifier's name when "=" follows it (4.6.1); 0: none. */
static size_t modifier_name_len(struct onward_str text)
{
    size_t len = 0;

    if (!onward_ascii_is_alpha((unsigned char)text.data[0]))
        return 0;
    while (len < text.len) {
        unsigned char c = (unsigned char)text.data[len];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
            break;
        len++;
    }
    return len < text.len && text.data[len] == '=' ? len : 0;
}

static int parse_modifier(struct parser *p, struct onward_str text,
                          size_t name_len)
{
    struct onward_str name = onward_core__sub(text, 0, name_len);
    struct onward_str value = onward_core__sub(text, name_len + 1, text.len);
    struct onward_str *slot = NULL;

    if (onward_core__str_ieq(name, ONWARD_STR("redirect"))) {
        slot = &p->record->redirect;
        p->record->redirect_text = text;
    } else if (onward_core__str_ieq(name, ONWARD_STR("exp"))) {
        slot = &p->record->exp;
    }
    if (slot != NULL) {
        if (slot->len != 0)
            return wrong(p, text.data, "this modifier stands here already");
        *slot = value;
        return check_domain_spec(p, value);
    }
    /* Unknown modifiers are ignored, but must be macro-strings (6). */
    while (value.len != 0) {
        unsigned char letter;
        size_t len = onward_spf__macro_token(value, MACRO_DOMAIN, &letter);

        if (len == 0)
            return wrong(p, value.data,
                         "expected a macro or a visible ASCII character");
        value = onward_core__sub(value, len, value.len);
    }
    return 0;
}

int onward_spf__parse(struct onward_arena *arena, struct onward_str text,
                      struct onward_spf__record *record,
                      struct onward_spf_fault *fault)
{
    struct parser p = {
        .arena = arena, .text = text, .record = record, .fault = fault};
    size_t at = VERSION_LEN;

    *record = (struct onward_spf__record){.text = text};
    while (at < text.len) {
        struct onward_str term;
        size_t name_len;
        int err;

        if (text.data[at] == ' ') {
            at++;
            continue;
        }
        term = onward_core__sub(text, at, text.len);
        term.len = onward_core__str_find(term, ' ');
        if (term.data[0] == '\0')
            return wrong(&p, term.data, "unknown mechanism");
        name_len = modifier_name_len(term);
        err = name_len != 0 ? parse_modifier(&p, term, name_len)
                            : parse_directive(&p, term);
        if (err != 0)
            return err;
        at += term.len;
    }
    return 0;
}

int onward_spf_lint(struct onward_ctx *ctx, struct onward_str record,
                    struct onward_spf_fault *fault)
{
    struct onward_spf_fault found = {.size = sizeof(found)};
    struct onward_spf__record parsed;
    struct onward_arena arena;
    int err;

    if (ctx == NULL)
        return ONWARD_EINVAL;
    if (!onward_spf__is_record(record))
        return ONWARD_ENOENT;
    onward_core__arena_init(&arena, ctx, 256 * 1024);
    err = onward_spf__parse(&arena, record, &parsed, &found);
    onward_core__arena_clear(&arena);
    if (err == ONWARD_ESYNTAX && fault != NULL)
        onward_core__out_store(fault, &found, sizeof(found));
    return err;
}
