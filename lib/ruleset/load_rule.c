/*
 * One rule of a rules text: what stands beside its matchers and actions.
 */
#include "ruleset/ruleset_priv.h"

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

/* Who made it: the product writes "source", and which worker it is for. */
static int read_owner(struct loader *l, const struct onward_json *v,
                      struct onward_str *owner)
{
    struct onward_str source = {0};
    struct onward_str tag = {0};
    const struct onward_json *m = onward_json__get(v, "owner_worker_tag");
    char *both;
    int err = onward_ruleset__get_string(l, v, "source", &source);

    if (err == 0 && m != NULL && m->type != ONWARD_JSON_NULL)
        err = onward_ruleset__get_string(l, v, "owner_worker_tag", &tag);
    *owner = source;
    if (err != 0 || tag.len == 0)
        return err;
    both = onward_core__arena_alloc(&l->draft.arena, source.len + 1 + tag.len);
    if (both == NULL)
        return ONWARD_ENOMEM;
    if (source.len > 0)
        memcpy(both, source.data, source.len);
    both[source.len] = ' ';
    memcpy(both + source.len + 1, tag.data, tag.len);
    *owner = onward_core__str(both, source.len + 1 + tag.len);
    return 0;
}

static int read_head(struct loader *l, const struct onward_json *v,
                     struct onward_ruleset__draft_rule *rule)
{
    static const char *const known[] = {
        "name",     "enabled", "priority", "matchers",
        "actions",  "comment", NULL};
    static const char *const ignored[] = {
        "id", "tag", "source", "owner_worker_tag", "created", "modified",
        NULL};
    bool is_enabled = true;
    int err = onward_ruleset__check_keys(l, v, known, ignored);

    if (err == 0)
        err = onward_ruleset__get_string(l, v, "name", &rule->name);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "enabled", &is_enabled);
    if (err == 0)
        err = read_priority(l, v, &rule->priority);
    if (err == 0)
        err = read_owner(l, v, &rule->owner);
    if (is_enabled)
        rule->flags |= ONWARD_RULESET__RULE_ENABLED;
    return err;
}

int onward_ruleset__read_rule(struct loader *l, const struct onward_json *v,
                              size_t index)
{
    struct onward_ruleset__draft_rule *rule =
        onward_core__arena_alloc(&l->draft.arena, sizeof(*rule));
    struct onward_ruleset__matchers m = {.rule = rule};
    int err;

    if (rule == NULL)
        return ONWARD_ENOMEM;
    rule->index = index;
    err = read_head(l, v, rule);
    if (err == 0)
        err = onward_ruleset__read_matchers(l, v, &m);
    if (err == 0)
        err = onward_ruleset__read_actions(l, v, &m);
    if (err != 0)
        return err;
    if (index == ONWARD_RULESET_CATCH_ALL)
        rule->priority = INT64_MAX; /* always last */
    onward_ruleset__draft_add(&l->draft, rule);
    return 0;
}
