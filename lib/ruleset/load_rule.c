/*
 * One rule of a rules text: its matcher, its action, and its place.
 */
#include "ruleset/ruleset_priv.h"

static const char *const nothing[] = {NULL};

/* ---- Actions ----------------------------------------------------------- */

/* The array "value", with its number of items. */
static int get_values(struct loader *l, const struct onward_json *v,
                      const struct onward_json **values)
{
    static const char *const known[] = {"type", "value", "comment", NULL};
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    if (err != 0)
        return err;
    return onward_ruleset__require(l, v, "value", ONWARD_JSON_ARRAY, values);
}

static int read_forward(struct loader *l, const struct onward_json *v,
                        struct action *action)
{
    struct onward_arena *arena = &l->rs->arena;
    const struct onward_json *values;
    int err = get_values(l, v, &values);

    if (err != 0)
        return err;
    if (values->count == 0)
        return onward_ruleset__fail(l, values, "an empty array",
                                    "one address or more");
    action->kind = ONWARD_RULESET_FORWARD;
    action->destinations = onward_core__arena_array(
        arena, values->count, sizeof(*action->destinations));
    action->texts = onward_core__arena_array(arena, values->count,
                                             sizeof(*action->texts));
    if (action->destinations == NULL || action->texts == NULL)
        return ONWARD_ENOMEM;
    for (const struct onward_json *m = values->first; m != NULL; m = m->next) {
        struct destination *d;

        err = onward_ruleset__read_destination(l, m, &d);
        if (err != 0)
            return err;
        for (size_t i = 0; i < action->count; i++) {
            if (action->destinations[i] == d)
                return onward_ruleset__fail(l, m, "an address for the second "
                                                  "time", "each once");
        }
        action->destinations[action->count] = d;
        action->texts[action->count++] = d->text;
    }
    return 0;
}

static int read_handler(struct loader *l, const struct onward_json *v,
                        struct action *action)
{
    const struct onward_json *values;
    int err = get_values(l, v, &values);

    if (err != 0)
        return err;
    if (values->count != 1)
        return onward_ruleset__fail(l, values, "not one item",
                                    "the name of one handler");
    err = onward_ruleset__want(l, values->first, ONWARD_JSON_STRING);
    if (err != 0)
        return err;
    if (values->first->text.len == 0)
        return onward_ruleset__fail(l, values->first, "an empty string",
                                    "the name of a handler");
    action->kind = ONWARD_RULESET_HANDLER;
    return onward_core__arena_dup(&l->rs->arena, values->first->text,
                                  &action->handler);
}

static int read_drop(struct loader *l, const struct onward_json *v,
                     struct action *action)
{
    static const char *const known[] = {"type", "value", "comment", NULL};
    const struct onward_json *value = onward_json__get(v, "value");
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    if (err != 0)
        return err;
    if (value != NULL && value->type != ONWARD_JSON_NULL && value->count != 0)
        return onward_ruleset__fail(l, value, "a value",
                                    "none for the action drop");
    if (value != NULL && value->type != ONWARD_JSON_NULL) {
        err = onward_ruleset__want(l, value, ONWARD_JSON_ARRAY);
        if (err != 0)
            return err;
    }
    action->kind = ONWARD_RULESET_DROP;
    return 0;
}

/* class "." subject "." detail, of the code's class (RFC 3463 section 2). */
static bool is_enhanced(struct onward_str s, int code)
{
    size_t parts = 0;
    size_t digits = 0;

    if (s.len < 5 || s.data[0] != (char)('0' + code / 100) || s.data[1] != '.')
        return false;
    for (size_t i = 2; i <= s.len; i++) {
        if (i < s.len && onward_ascii_is_digit((unsigned char)s.data[i])) {
            if (++digits > 3)
                return false;
            continue;
        }
        if (digits == 0 || (i < s.len && s.data[i] != '.'))
            return false;
        parts++;
        digits = 0;
    }
    return parts == 2;
}

static bool is_reply_text(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < ' ' || s.data[i] > '~')
            return false;
    }
    return s.len > 0 && s.len <= 400;
}

static int read_code(struct loader *l, const struct onward_json *v, int *code)
{
    const struct onward_json *m = onward_json__get(v, "code");
    int64_t value;
    int err;

    if (m == NULL)
        return 0;
    err = onward_ruleset__want(l, m, ONWARD_JSON_NUMBER);
    if (err != 0)
        return err;
    if (onward_json__int(m, &value) != 0 || value < 400 || value > 599)
        return onward_ruleset__fail(l, m, "a number outside the range",
                                    "a reply code from 400 to 599");
    *code = (int)value;
    return 0;
}

static int read_reject(struct loader *l, const struct onward_json *v,
                       struct action *action)
{
    static const char *const known[] = {"type", "code",    "enhanced",
                                        "text", "comment", NULL};
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    action->kind = ONWARD_RULESET_REJECT;
    action->reply_code = 550;
    action->reply_text = ONWARD_STR("Rejected by the recipient's rules");
    if (err == 0)
        err = read_code(l, v, &action->reply_code);
    if (err != 0)
        return err;
    action->reply_enhanced = action->reply_code < 500 ? ONWARD_STR("4.7.1")
                                                      : ONWARD_STR("5.7.1");
    err = onward_ruleset__get_string(l, v, "enhanced",
                                     &action->reply_enhanced);
    if (err == 0)
        err = onward_ruleset__get_string(l, v, "text", &action->reply_text);
    if (err != 0)
        return err;
    if (!is_enhanced(action->reply_enhanced, action->reply_code))
        return onward_ruleset__fail(l, onward_json__get(v, "enhanced"),
                                    "no enhanced code of that class",
                                    "one like 5.7.1");
    if (!is_reply_text(action->reply_text))
        return onward_ruleset__fail(l, onward_json__get(v, "text"),
                                    "text that no reply can hold",
                                    "1 to 400 printable ASCII characters");
    return 0;
}

static int read_action(struct loader *l, const struct onward_json *v,
                       struct action *action)
{
    static const struct {
        const char *type;
        int (*read)(struct loader *l, const struct onward_json *v,
                    struct action *action);
    } types[] = {
        {"forward", read_forward}, {"worker", read_handler},
        {"handler", read_handler}, {"drop", read_drop},
        {"reject", read_reject},
    };
    const struct onward_json *type = NULL;
    int err = onward_ruleset__want(l, v, ONWARD_JSON_OBJECT);

    if (err == 0)
        err = onward_ruleset__require(l, v, "type", ONWARD_JSON_STRING, &type);
    if (err != 0)
        return err;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (onward_core__str_eq(type->text, onward_str_of(types[i].type)))
            return types[i].read(l, v, action);
    }
    return onward_ruleset__fail(l, type, "unknown action",
                                "forward, worker, handler, drop or reject");
}

/* ---- Matchers ---------------------------------------------------------- */

/* The domain of a literal: the zone's own, or a subdomain that it covers from
 * now on. */
static int find_domain(struct loader *l, struct zone *zone,
                       const struct onward_json *value, struct onward_str name,
                       const struct domain **out)
{
    struct domain *d = onward_ruleset__find_domain(l->rs, name);

    if (d == NULL && name.len > 0 &&
        onward_core__domain_is_within(name, zone->name)) {
        d = onward_ruleset__add_domain(l->rs, name, zone, false);
        if (d == NULL)
            return ONWARD_ENOMEM;
    }
    if (d == NULL || !onward_core__domain_is_within(name, zone->name))
        return onward_ruleset__fail(l, value, "an address outside the zone",
                                    "one in it or in a subdomain");
    if (d->zone != zone)
        return onward_ruleset__fail(l, value, "an address of another zone",
                                    "its rule in that zone");
    *out = d;
    return 0;
}

static int read_literal(struct loader *l, struct zone *zone,
                        const struct onward_json *v, struct rule_list **list)
{
    const struct onward_json *field = NULL;
    const struct onward_json *value = NULL;
    struct onward_address__mailbox mailbox;
    const struct domain *domain = NULL;
    struct address *address;
    int err =
        onward_ruleset__require(l, v, "field", ONWARD_JSON_STRING, &field);

    if (err == 0 && !onward_core__str_eq(field->text, ONWARD_STR("to")))
        err = onward_ruleset__fail(l, field, "unknown field", "to");
    if (err == 0)
        err =
            onward_ruleset__require(l, v, "value", ONWARD_JSON_STRING, &value);
    if (err == 0)
        err = onward_ruleset__mailbox(l, value, &mailbox);
    if (err != 0)
        return err;
    /* Legal, but nobody who writes it means that one mailbox. */
    if (onward_core__str_eq(mailbox.local_part, ONWARD_STR("*")))
        return onward_ruleset__fail(l, value, "a pattern",
                                    "one address, or a matcher of type all");
    err = find_domain(l, zone, value, mailbox.domain_ascii, &domain);
    if (err != 0)
        return err;
    address = onward_ruleset__address(l->rs, domain, mailbox.local_part);
    if (address == NULL)
        return ONWARD_ENOMEM;
    *list = &address->rules;
    return 0;
}

static int read_matcher(struct loader *l, struct zone *zone,
                        const struct onward_json *v, bool is_catch_all,
                        struct rule_list **list)
{
    static const char *const known[] = {"type", "field", "value", "comment",
                                        NULL};
    const struct onward_json *type = NULL;
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    if (err == 0)
        err = onward_ruleset__require(l, v, "type", ONWARD_JSON_STRING, &type);
    if (err != 0)
        return err;
    if (onward_core__str_eq(type->text, ONWARD_STR("all"))) {
        *list = &zone->catch_alls;
        return 0;
    }
    if (is_catch_all)
        return onward_ruleset__fail(l, type, "another type", "all");
    if (onward_core__str_eq(type->text, ONWARD_STR("literal")))
        return read_literal(l, zone, v, list);
    return onward_ruleset__fail(l, type, "unknown matcher", "literal or all");
}

/* ---- Rules ------------------------------------------------------------- */

static int read_priority(struct loader *l, const struct onward_json *v,
                         int64_t *priority)
{
    const struct onward_json *m = onward_json__get(v, "priority");
    int err;

    if (m == NULL)
        return 0;
    err = onward_ruleset__want(l, m, ONWARD_JSON_NUMBER);
    if (err == 0 && onward_json__int(m, priority) != 0)
        err = onward_ruleset__fail(l, m, "not a whole number in 64 bits",
                                   "an integer");
    return err;
}

/* The only item of an array that must have one. */
static int require_one(struct loader *l, const struct onward_json *v,
                       const char *key, const struct onward_json **item)
{
    const struct onward_json *array = NULL;
    int err = onward_ruleset__require(l, v, key, ONWARD_JSON_ARRAY, &array);

    if (err != 0)
        return err;
    if (array->count != 1)
        return onward_ruleset__fail(
            l, array, array->count == 0 ? "an empty array" : "several items",
            "exactly one");
    *item = array->first;
    return 0;
}

/* What stands beside matcher and action. */
static int read_head(struct loader *l, const struct onward_json *v,
                     struct rule *rule)
{
    static const char *const known[] = {
        "name",     "enabled", "priority", "matchers",
        "actions",  "comment", NULL};
    static const char *const ignored[] = {
        "id", "tag", "source", "owner_worker_tag", "created", "modified",
        NULL};
    int err = onward_ruleset__check_keys(l, v, known, ignored);

    rule->is_enabled = true;
    if (err == 0)
        err = onward_ruleset__get_string(l, v, "name", &rule->name);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "enabled", &rule->is_enabled);
    if (err == 0)
        err = read_priority(l, v, &rule->priority);
    return err;
}

int onward_ruleset__read_rule(struct loader *l, struct zone *zone,
                              const struct onward_json *v, size_t index)
{
    bool is_catch_all = index == ONWARD_RULESET_CATCH_ALL;
    struct rule *rule =
        onward_core__arena_alloc(&l->rs->arena, sizeof(*rule));
    const struct onward_json *matcher = NULL;
    const struct onward_json *action = NULL;
    struct rule_list *list = NULL;
    int err;

    if (rule == NULL)
        return ONWARD_ENOMEM;
    rule->index = index;
    err = read_head(l, v, rule);
    if (err == 0)
        err = require_one(l, v, "matchers", &matcher);
    if (err == 0)
        err = read_matcher(l, zone, matcher, is_catch_all, &list);
    if (err == 0)
        err = require_one(l, v, "actions", &action);
    if (err == 0)
        err = read_action(l, action, &rule->action);
    if (err == 0 && rule->action.kind != ONWARD_RULESET_REJECT)
        err = onward_ruleset__set_group(l->rs, zone, &rule->action);
    if (err != 0)
        return err;
    if (is_catch_all)
        rule->priority = INT64_MAX; /* always last */
    onward_ruleset__add_rule(list, rule);
    return 0;
}
