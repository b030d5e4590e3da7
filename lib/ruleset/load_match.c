/*
 * The matchers of a rule: the address that it takes, and the condition that the
 * rest of them come to.
 */
#include "ruleset/load_match_priv.h"

#include "ruleset/condition_priv.h"

static const char *const nothing[] = {NULL};

static int compile(struct compiling *c, const struct onward_json *v,
                   struct onward_buf *out);

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

static int refuse_type(struct loader *l, const struct onward_json *type)
{
    return onward_ruleset__fail(
        l, type, "unknown matcher",
        "literal, all, prefix, suffix, contains, glob, regex, domain, exists, "
        "at_least, at_most, is, network, and, or, not");
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
    return onward_ruleset__compile_test(c, v, type, out);
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
