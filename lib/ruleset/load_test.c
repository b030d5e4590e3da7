/*
 * One test of a condition: a field of the message, and what it is held against.
 */
#include "ruleset/load_match_priv.h"

#include "ruleset/condition_priv.h"
#include "ruleset/pattern_priv.h"

enum { VALUES_MAX = 10000 };

static const char *const nothing[] = {NULL};

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

static int refuse_test(struct loader *l, const struct onward_json *type)
{
    return onward_ruleset__fail(l, type, "a matcher that this field has not",
                                "another type or field");
}

int onward_ruleset__compile_test(struct compiling *c,
                                 const struct onward_json *v,
                                 const struct onward_json *type,
                                 struct onward_buf *out)
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
