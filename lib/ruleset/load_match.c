/*
 * The matchers of a rule: the address that it takes, and the condition that the
 * rest of them come to.
 */
#include "ruleset/ruleset_priv.h"

#include "ruleset/condition_priv.h"
#include "ruleset/pattern_priv.h"

enum { VALUES_MAX = 10000 };

static const char *const nothing[] = {NULL};

/* One tree of conditions while it is compiled. */
struct compiling {
    struct loader *l;
    struct onward_ruleset__matchers *m;
    size_t depth;
    bool must_match; /* no "or" and no "not" above */
};

static int compile(struct compiling *c, const struct onward_json *v,
                   struct onward_buf *out);

/* ---- Values ------------------------------------------------------------ */

/* "value" is one string, or an array of them. */
static int get_list(struct loader *l, const struct onward_json *v,
                    const struct onward_json **first, size_t *count)
{
    const struct onward_json *value = onward_json__get(v, "value");
    int err;

    if (value != NULL && value->type == ONWARD_JSON_STRING) {
        *first = value;
        *count = 1;
        return 0;
    }
    if (value == NULL || value->type != ONWARD_JSON_ARRAY)
        return onward_ruleset__require(l, v, "value", ONWARD_JSON_STRING,
                                       &value);
    if (value->count == 0 || value->count > VALUES_MAX)
        return onward_ruleset__fail(l, value, "not so many items",
                                    "1 to 10000 strings");
    for (const struct onward_json *m = value->first; m != NULL; m = m->next) {
        err = onward_ruleset__want(l, m, ONWARD_JSON_STRING);
        if (err != 0)
            return err;
    }
    *first = value->first;
    *count = value->count;
    return 0;
}

static int put_pattern(struct compiling *c, const struct onward_json *v,
                       unsigned test, bool is_to, bool does_fold,
                       struct onward_buf *out)
{
    struct onward_ruleset__pattern_fault fault = {0};
    struct onward_buf program;
    struct onward_str made;
    int err;

    onward_core__buf_init(&program, c->l->ctx,
                          ONWARD_RULESET__PATTERN_BYTES_MAX);
    err = onward_ruleset__pattern_compile(
        &program,
        test == ONWARD_RULESET__TEST_GLOB ? ONWARD_RULESET__GLOB
                                          : ONWARD_RULESET__REGEX,
        v->text, does_fold ? ONWARD_RULESET__FOLD : 0, &fault);
    made = onward_core__buf_str(&program);
    if (err == 0) {
        onward_ruleset__put_str(out, v->text);
        onward_ruleset__put_str(out, made);
        if (is_to && c->must_match && c->m->capture_count == 0)
            c->m->capture_count = onward_ruleset__pattern_captures(made);
    } else if (err != ONWARD_ENOMEM) {
        err = onward_ruleset__fail(c->l, v, fault.what, NULL);
    }
    onward_core__buf_clear(&program);
    return err;
}

/* "*.example.com" is all below it. */
static int put_domain(struct compiling *c, const struct onward_json *v,
                      struct onward_buf *out)
{
    bool is_below = onward_core__str_starts(v->text, ONWARD_STR("*."));
    struct onward_str name;
    int err = onward_ruleset__read_domain(
        c->l, v, onward_core__sub(v->text, is_below ? 2 : 0, v->text.len),
        &name);

    if (err != 0)
        return err;
    onward_ruleset__put_number(out, name.len + is_below);
    if (is_below)
        onward_core__buf_add_byte(out, '.');
    onward_core__buf_add_str(out, name);
    return 0;
}

static int put_value(struct compiling *c, const struct onward_json *v,
                     unsigned fact, unsigned test, bool does_fold,
                     struct onward_buf *out)
{
    bool is_to = fact == ONWARD_RULESET__FACT_TO;
    struct onward_str text = v->text;
    int err = 0;

    if (test == ONWARD_RULESET__TEST_GLOB || test == ONWARD_RULESET__TEST_REGEX)
        return put_pattern(c, v, test, is_to, does_fold, out);
    if (test == ONWARD_RULESET__TEST_DOMAIN)
        return put_domain(c, v, out);
    if (test == ONWARD_RULESET__TEST_LITERAL &&
        (is_to || (fact == ONWARD_RULESET_FACT_SENDER && text.len > 0)))
        err = onward_ruleset__read_destination(c->l, v, &text);
    else if (text.len == 0 && test != ONWARD_RULESET__TEST_LITERAL)
        err = onward_ruleset__fail(c->l, v, "an empty string",
                                   "what is looked for");
    if (err == 0)
        onward_ruleset__put_str(out, text);
    return err;
}

/* ---- Texts ------------------------------------------------------------- */

static int get_case(struct loader *l, const struct onward_json *v,
                    bool *does_fold)
{
    const struct onward_json *m = onward_json__get(v, "case");
    struct onward_str word = {0};
    int err = onward_ruleset__get_string(l, v, "case", &word);

    if (err != 0 || m == NULL)
        return err;
    *does_fold = onward_core__str_eq(word, ONWARD_STR("fold"));
    if (!*does_fold && !onward_core__str_eq(word, ONWARD_STR("exact")))
        return onward_ruleset__fail(l, m, "unknown case", "fold or exact");
    return 0;
}

static bool may_test(unsigned fact, unsigned test)
{
    switch (fact) {
    case ONWARD_RULESET__FACT_TO:
    case ONWARD_RULESET_FACT_SENDER:
        return test <= ONWARD_RULESET__TEST_DOMAIN;
    case ONWARD_RULESET_FACT_VERDICT:
        return test == ONWARD_RULESET__TEST_LITERAL;
    default:
        return test <= ONWARD_RULESET__TEST_REGEX ||
               test == ONWARD_RULESET__TEST_EXISTS;
    }
}

/* The name of a header field (RFC 5322 section 2.2). */
static int get_field_name(struct loader *l, const struct onward_json *v,
                          struct onward_str *name)
{
    const struct onward_json *m = NULL;
    int err = onward_ruleset__require(l, v, "name", ONWARD_JSON_STRING, &m);

    if (err != 0)
        return err;
    if (!onward_ruleset__is_line(m->text, 100) ||
        onward_core__str_find(m->text, ':') < m->text.len ||
        onward_core__str_find(m->text, ' ') < m->text.len)
        return onward_ruleset__fail(l, m, "no name of a field",
                                    "one like Subject");
    *name = m->text;
    return 0;
}

static int compile_text(struct compiling *c, const struct onward_json *v,
                        unsigned fact, unsigned test, struct onward_str name,
                        struct onward_buf *out)
{
    static const char *const known[] = {"type", "field", "value",
                                        "case", "comment", NULL};
    static const char *const header[] = {"type",  "field",   "name", "value",
                                         "case",  "comment", NULL};
    bool is_header = fact == ONWARD_RULESET_FACT_HEADER;
    bool does_fold = fact != ONWARD_RULESET__FACT_TO || c->l->does_fold;
    const struct onward_json *value = NULL;
    size_t count = 0;
    int err = onward_ruleset__check_keys(c->l, v, is_header ? header : known,
                                         nothing);

    if (err == 0 && is_header)
        err = get_field_name(c->l, v, &name);
    if (err == 0)
        err = get_case(c->l, v, &does_fold);
    if (err == 0 && test != ONWARD_RULESET__TEST_EXISTS)
        err = get_list(c->l, v, &value, &count);
    if (err != 0)
        return err;
    if (fact == ONWARD_RULESET__FACT_TO)
        c->m->rule->flags |= ONWARD_RULESET__RULE_USES_TO;
    onward_core__buf_add_byte(out, ONWARD_RULESET__TEXT);
    onward_core__buf_add_byte(out, (unsigned char)fact);
    onward_core__buf_add_byte(out, (unsigned char)test);
    onward_core__buf_add_byte(out, does_fold ? ONWARD_RULESET__TEXT_FOLD : 0);
    onward_ruleset__put_str(out, name);
    onward_ruleset__put_number(out, count);
    for (size_t i = 0; err == 0 && i < count; i++, value = value->next)
        err = put_value(c, value, fact, test, does_fold, out);
    return err;
}

/* ---- Numbers, TLS, networks -------------------------------------------- */

/* A decimal with up to three digits behind the point, in thousandths. */
static int get_score(struct loader *l, const struct onward_json *m,
                     int64_t *out)
{
    size_t point = onward_core__str_find(m->text, '.');
    bool is_negative = m->text.data[0] == '-';
    struct onward_str whole = onward_core__sub(m->text, is_negative, point);
    struct onward_str part =
        onward_core__sub(m->text, point + 1, m->text.len);
    uint64_t thousands = 0, rest = 0;

    if (onward_core__parse_u64(whole, 12, &thousands) != 0 || part.len > 3 ||
        (part.len > 0 && onward_core__parse_u64(part, 3, &rest) != 0))
        return onward_ruleset__fail(l, m, "a number of another form",
                                    "one like 5 or -0.125");
    for (size_t i = part.len; i < 3; i++)
        rest *= 10;
    *out = (int64_t)(thousands * 1000 + rest) * (is_negative ? -1 : 1);
    return 0;
}

static int compile_number(struct compiling *c, const struct onward_json *v,
                          unsigned fact, unsigned test, struct onward_buf *out)
{
    static const char *const known[] = {"type", "field", "value", "comment",
                                        NULL};
    const struct onward_json *m = NULL;
    int64_t limit = 0;
    int err = onward_ruleset__check_keys(c->l, v, known, nothing);

    if (err == 0)
        err =
            onward_ruleset__require(c->l, v, "value", ONWARD_JSON_NUMBER, &m);
    if (err == 0 && fact == ONWARD_RULESET_FACT_SCORE)
        err = get_score(c->l, m, &limit);
    else if (err == 0 && (onward_json__int(m, &limit) != 0 || limit < 0))
        err = onward_ruleset__fail(c->l, m, "no size", "octets");
    if (err != 0)
        return err;
    onward_core__buf_add_byte(out, ONWARD_RULESET__NUMBER);
    onward_core__buf_add_byte(out, (unsigned char)fact);
    onward_core__buf_add_byte(out, (unsigned char)test);
    onward_ruleset__put_signed(out, limit);
    return 0;
}

static int compile_tls(struct compiling *c, const struct onward_json *v,
                       struct onward_buf *out)
{
    static const char *const known[] = {"type", "field", "value", "comment",
                                        NULL};
    const struct onward_json *type = onward_json__get(v, "type");
    bool is_on = true;
    int err = onward_ruleset__check_keys(c->l, v, known, nothing);

    if (err == 0 && !onward_core__str_eq(type->text, ONWARD_STR("is")))
        err = onward_ruleset__fail(c->l, type, "no matcher for tls", "is");
    if (err == 0)
        err = onward_ruleset__get_bool(c->l, v, "value", &is_on);
    if (err != 0)
        return err;
    onward_core__buf_add_byte(out, ONWARD_RULESET__NUMBER);
    onward_core__buf_add_byte(out, ONWARD_RULESET_FACT_TLS);
    onward_core__buf_add_byte(out, is_on ? ONWARD_RULESET__TEST_AT_LEAST
                                         : ONWARD_RULESET__TEST_AT_MOST);
    onward_ruleset__put_signed(out, is_on);
    return 0;
}

/* Octets of ip behind the prefix are 0? */
static bool is_network(const struct onward_ip *ip, size_t len, uint64_t bits)
{
    for (size_t i = 0; i < len; i++) {
        unsigned mask = i * 8 >= bits        ? 0xff
                        : bits - i * 8 >= 8 ? 0
                                             : 0xffu >> (bits - i * 8);

        if ((ip->octets[i] & mask) != 0)
            return false;
    }
    return true;
}

static int put_network(struct compiling *c, const struct onward_json *v,
                       struct onward_buf *out)
{
    size_t slash = onward_core__str_find(v->text, '/');
    struct onward_ip ip;
    uint64_t bits;
    size_t len;

    if (onward_ip_parse(onward_core__sub(v->text, 0, slash), &ip) != 0)
        return onward_ruleset__fail(c->l, v, "no network",
                                    "one like 192.0.2.0/24");
    len = ip.family == 4 ? 4 : 16;
    bits = len * 8;
    if (slash < v->text.len &&
        (onward_core__parse_u64(
             onward_core__sub(v->text, slash + 1, v->text.len), 3, &bits) !=
             0 ||
         bits > len * 8))
        return onward_ruleset__fail(c->l, v, "no length of a prefix",
                                    "0 to 32, for IPv6 to 128");
    if (!is_network(&ip, len, bits))
        return onward_ruleset__fail(c->l, v, "bits behind the prefix",
                                    "0 for them");
    onward_core__buf_add_byte(out, (unsigned char)ip.family);
    onward_core__buf_add_byte(out, (unsigned char)bits);
    onward_core__buf_add(out, ip.octets, len);
    return 0;
}

static int compile_client(struct compiling *c, const struct onward_json *v,
                          struct onward_buf *out)
{
    static const char *const known[] = {"type", "field", "value", "comment",
                                        NULL};
    const struct onward_json *type = onward_json__get(v, "type");
    const struct onward_json *value = NULL;
    size_t count = 0;
    int err = onward_ruleset__check_keys(c->l, v, known, nothing);

    if (err == 0 && !onward_core__str_eq(type->text, ONWARD_STR("network")))
        err = onward_ruleset__fail(c->l, type, "no matcher for client",
                                   "network");
    if (err == 0)
        err = get_list(c->l, v, &value, &count);
    onward_core__buf_add_byte(out, ONWARD_RULESET__CLIENT);
    onward_ruleset__put_number(out, count);
    for (size_t i = 0; err == 0 && i < count; i++, value = value->next)
        err = put_network(c, value, out);
    return err;
}

/* ---- One test ---------------------------------------------------------- */

static bool is_verdict(struct onward_str field)
{
    static const char *const names[] = {"spf", "dkim", "dmarc", "arc"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (onward_core__str_eq(field, onward_str_of(names[i])))
            return true;
    }
    return false;
}

static int refuse_type(struct loader *l, const struct onward_json *type)
{
    return onward_ruleset__fail(
        l, type, "unknown matcher",
        "literal, all, prefix, suffix, contains, glob, regex, domain, exists, "
        "at_least, at_most, is, network, and, or, not");
}

static int refuse_test(struct loader *l, const struct onward_json *type)
{
    return onward_ruleset__fail(l, type, "a matcher that this field has not",
                                "another type or field");
}

static int compile_test(struct compiling *c, const struct onward_json *v,
                        const struct onward_json *type, struct onward_buf *out)
{
    bool is_number_test;
    const struct onward_json *field = NULL;
    struct onward_str name = {0};
    unsigned fact = 0, test = 0;
    int err =
        onward_ruleset__require(c->l, v, "field", ONWARD_JSON_STRING, &field);

    if (err != 0)
        return err;
    if (onward_core__str_eq(field->text, ONWARD_STR("tls")))
        return compile_tls(c, v, out);
    if (onward_core__str_eq(field->text, ONWARD_STR("client")))
        return compile_client(c, v, out);
    if (is_verdict(field->text)) {
        fact = ONWARD_RULESET_FACT_VERDICT;
        name = field->text;
    } else if (onward_core__str_eq(field->text, ONWARD_STR("verdict")) ||
               !onward_ruleset__fact_of(field->text, &fact)) {
        return onward_ruleset__fail(
            c->l, field, "unknown field",
            "to, from, header, attachment_name, attachment_type, size, score, "
            "client, tls, spf, dkim, dmarc or arc");
    }
    if (!onward_ruleset__test_of(type->text, &test))
        return refuse_test(c->l, type);
    is_number_test = test == ONWARD_RULESET__TEST_AT_LEAST ||
                     test == ONWARD_RULESET__TEST_AT_MOST;
    if (fact == ONWARD_RULESET_FACT_SIZE || fact == ONWARD_RULESET_FACT_SCORE)
        return is_number_test ? compile_number(c, v, fact, test, out)
                              : refuse_test(c->l, type);
    return may_test(fact, test) ? compile_text(c, v, fact, test, name, out)
                                : refuse_test(c->l, type);
}

/* ---- Trees ------------------------------------------------------------- */

/* Nodes behind their lengths. */
static int compile_items(struct compiling *c, const struct onward_json *first,
                         struct onward_buf *out)
{
    int err = 0;

    for (; err == 0 && first != NULL; first = first->next) {
        struct onward_buf node;

        onward_core__buf_init(&node, c->l->ctx, SIZE_MAX);
        err = compile(c, first, &node);
        if (err == 0)
            err = node.err;
        if (err == 0)
            onward_ruleset__put_str(out, onward_core__buf_str(&node));
        onward_core__buf_clear(&node);
    }
    return err;
}

static int compile_tree(struct compiling *c, const struct onward_json *v,
                        enum onward_ruleset__condition_op op,
                        struct onward_buf *out)
{
    static const char *const known[] = {"type", "matchers", "comment", NULL};
    const struct onward_json *list = NULL;
    bool must_match = c->must_match;
    int err = onward_ruleset__check_keys(c->l, v, known, nothing);

    if (err == 0)
        err = onward_ruleset__require(c->l, v, "matchers", ONWARD_JSON_ARRAY,
                                      &list);
    if (err != 0)
        return err;
    if (list->count == 0 || (op == ONWARD_RULESET__NOT && list->count != 1))
        return onward_ruleset__fail(c->l, list, "not so many matchers",
                                    op == ONWARD_RULESET__NOT ? "one"
                                                              : "one or more");
    if (c->depth == ONWARD_RULESET__CONDITION_DEPTH_MAX - 1)
        return onward_ruleset__fail(c->l, v, "nested too deep",
                                    "15 levels at most");
    onward_core__buf_add_byte(out, (unsigned char)op);
    if (op != ONWARD_RULESET__NOT)
        onward_ruleset__put_number(out, list->count);
    c->depth++;
    c->must_match = must_match && op == ONWARD_RULESET__AND;
    err = compile_items(c, list->first, out);
    c->depth--;
    c->must_match = must_match;
    return err;
}

static int get_type(struct loader *l, const struct onward_json *v,
                    const struct onward_json **type)
{
    int err = onward_ruleset__want(l, v, ONWARD_JSON_OBJECT);

    return err != 0 ? err
                    : onward_ruleset__require(l, v, "type", ONWARD_JSON_STRING,
                                              type);
}

static int compile(struct compiling *c, const struct onward_json *v,
                   struct onward_buf *out)
{
    static const struct {
        const char *type;
        enum onward_ruleset__condition_op op;
    } trees[] = {{"and", ONWARD_RULESET__AND},
                 {"or", ONWARD_RULESET__OR},
                 {"not", ONWARD_RULESET__NOT}};
    const struct onward_json *type = NULL;
    unsigned test;
    int err = get_type(c->l, v, &type);

    if (err != 0)
        return err;
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        if (onward_core__str_eq(type->text, onward_str_of(trees[i].type)))
            return compile_tree(c, v, trees[i].op, out);
    }
    if (onward_core__str_eq(type->text, ONWARD_STR("all")))
        return onward_ruleset__fail(c->l, type, "the matcher all in a "
                                                "condition",
                                    "it at the top, or none");
    if (!onward_ruleset__test_of(type->text, &test) &&
        !onward_core__str_eq(type->text, ONWARD_STR("is")) &&
        !onward_core__str_eq(type->text, ONWARD_STR("network")))
        return refuse_type(c->l, type);
    return compile_test(c, v, type, out);
}

/* ---- The address ------------------------------------------------------- */

/* A domain of the zone: its own (*d is NULL then), or one below it that it
 * covers from now on. */
static int find_domain(struct loader *l, const struct onward_json *v,
                       struct onward_str name,
                       struct onward_ruleset__draft_domain **d)
{
    *d = NULL;
    if (onward_core__str_eq(name, l->draft.name))
        return 0;
    if (name.len == 0 || !onward_core__domain_is_within(name, l->draft.name))
        return onward_ruleset__fail(l, v, "an address outside the zone",
                                    "one in it or in a subdomain");
    *d = onward_ruleset__draft_domain(&l->draft, name);
    return *d == NULL ? ONWARD_ENOMEM : 0;
}

static int read_literal(struct loader *l, const struct onward_json *value,
                        struct onward_ruleset__draft_rule *rule)
{
    struct onward_address__mailbox mailbox;
    int err = onward_ruleset__mailbox(l, value, &mailbox);

    if (err != 0)
        return err;
    rule->class = ONWARD_RULESET__LITERAL;
    rule->local_part = mailbox.local_part;
    return find_domain(l, value, mailbox.domain_ascii, &rule->domain);
}

/* `*@example.com`, `*@sub.example.com` or `*@*.example.com`: a catch-all of
 * that domain. */
static int read_catch(struct loader *l, const struct onward_json *value,
                      struct onward_ruleset__draft_rule *rule)
{
    struct onward_str text = onward_core__sub(value->text, 2, value->text.len);
    bool is_below = onward_core__str_starts(text, ONWARD_STR("*."));
    struct onward_str name;
    int err = onward_ruleset__read_domain(
        l, value, onward_core__sub(text, is_below ? 2 : 0, text.len), &name);

    if (err != 0)
        return err;
    rule->class = ONWARD_RULESET__CATCH;
    if (!is_below)
        return find_domain(l, value, name, &rule->domain);
    if (!onward_core__str_eq(name, l->draft.name))
        return onward_ruleset__fail(l, value, "a wildcard outside the zone",
                                    "*. and the name of the zone");
    rule->is_below = true;
    l->draft.flags |= ONWARD_RULESET__ZONE_WILDCARD;
    return 0;
}

/* Is it the matcher that says whose mail it is? 1, or 0: a condition. */
static int read_address(struct loader *l, const struct onward_json *v,
                        struct onward_ruleset__draft_rule *rule)
{
    static const char *const known[] = {"type", "field", "value", "comment",
                                        NULL};
    const struct onward_json *field = onward_json__get(v, "field");
    const struct onward_json *value = onward_json__get(v, "value");
    const struct onward_json *type = NULL;
    bool is_literal, is_glob;
    int err = get_type(l, v, &type);

    if (err != 0)
        return err;
    if (onward_core__str_eq(type->text, ONWARD_STR("all"))) {
        rule->class = ONWARD_RULESET__CATCH;
        err = onward_ruleset__check_keys(l, v, known, nothing);
        return err != 0 ? err : 1;
    }
    is_literal = onward_core__str_eq(type->text, ONWARD_STR("literal"));
    is_glob = onward_core__str_eq(type->text, ONWARD_STR("glob"));
    if ((!is_literal && !is_glob) || field == NULL ||
        field->type != ONWARD_JSON_STRING ||
        !onward_core__str_eq(field->text, ONWARD_STR("to")))
        return 0;
    if (value != NULL && value->type == ONWARD_JSON_STRING &&
        onward_core__str_starts(value->text, ONWARD_STR("*@"))) {
        struct onward_str rest =
            onward_core__sub(value->text, 2, value->text.len);

        if (onward_core__str_starts(rest, ONWARD_STR("*.")))
            rest = onward_core__sub(rest, 2, rest.len);
        if (is_glob && (onward_core__str_find(rest, '*') < rest.len ||
                        onward_core__str_find(rest, '?') < rest.len ||
                        onward_core__str_find(rest, '[') < rest.len))
            return 0;
        err = onward_ruleset__check_keys(l, v, known, nothing);
        if (err == 0)
            err = read_catch(l, value, rule);
        return err != 0 ? err : 1;
    }
    if (!is_literal || (value != NULL && value->type == ONWARD_JSON_ARRAY))
        return 0;
    err = onward_ruleset__check_keys(l, v, known, nothing);
    if (err == 0)
        err = onward_ruleset__require(l, v, "value", ONWARD_JSON_STRING,
                                      &value);
    if (err == 0)
        err = read_literal(l, value, rule);
    return err != 0 ? err : 1;
}

/* ---- All --------------------------------------------------------------- */

/* Those that are no address, each behind its length. */
static int read_conditions(struct compiling *c, const struct onward_json *array,
                           struct onward_buf *nodes, size_t *count)
{
    bool has_address = false;
    int ret = 0;

    c->m->rule->class = ONWARD_RULESET__FILTER;
    for (const struct onward_json *m = array->first; m != NULL; m = m->next) {
        struct onward_buf node;

        ret = read_address(c->l, m, c->m->rule);
        if (ret < 0)
            return ret;
        if (ret == 1 && has_address)
            return onward_ruleset__fail(c->l, m, "a second address",
                                        "one, and conditions");
        has_address = has_address || ret == 1;
        if (ret == 1)
            continue;
        onward_core__buf_init(&node, c->l->ctx, SIZE_MAX);
        ret = compile(c, m, &node);
        if (ret == 0)
            ret = node.err;
        if (ret == 0) {
            onward_ruleset__put_str(nodes, onward_core__buf_str(&node));
            ++*count;
        }
        onward_core__buf_clear(&node);
        if (ret != 0)
            return ret;
    }
    return 0;
}

/* One node for all. */
static int keep_condition(struct loader *l, struct onward_str nodes,
                          size_t count, struct onward_str *out)
{
    struct onward_buf whole;
    int err;

    if (count == 0)
        return 0;
    onward_core__buf_init(&whole, l->ctx, SIZE_MAX);
    onward_core__buf_add_byte(&whole, ONWARD_RULESET__AND);
    onward_ruleset__put_number(&whole, count);
    err = onward_core__buf_add_str(&whole, nodes);
    if (err == 0)
        err = onward_core__arena_dup(&l->draft.arena,
                                     onward_core__buf_str(&whole), out);
    onward_core__buf_clear(&whole);
    return err;
}

int onward_ruleset__read_matchers(struct loader *l, const struct onward_json *v,
                                  struct onward_ruleset__matchers *m)
{
    struct compiling c = {.l = l, .m = m, .depth = 1, .must_match = true};
    const struct onward_json *array = NULL;
    struct onward_buf nodes;
    size_t count = 0;
    int err =
        onward_ruleset__require(l, v, "matchers", ONWARD_JSON_ARRAY, &array);

    if (err != 0)
        return err;
    if (array->count == 0)
        return onward_ruleset__fail(l, array, "an empty array",
                                    "one matcher or more");
    onward_core__buf_init(&nodes, l->ctx, SIZE_MAX);
    err = read_conditions(&c, array, &nodes, &count);
    if (err == 0)
        err = nodes.err;
    if (err == 0)
        err = keep_condition(l, onward_core__buf_str(&nodes), count,
                             &m->rule->condition);
    onward_core__buf_clear(&nodes);
    if (err == 0 && m->rule->index == ONWARD_RULESET_CATCH_ALL &&
        (count > 0 || m->rule->class != ONWARD_RULESET__CATCH ||
         m->rule->domain != NULL || m->rule->is_below))
        err = onward_ruleset__fail(l, array, "other matchers",
                                   "one of the type all");
    return err;
}
