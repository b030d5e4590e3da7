/*
 * From an address to a decision: the zone, the rule, and whether its action can
 * be done.
 */
#include "ruleset/ruleset_priv.h"

/* One look-up, while it runs. */
struct route {
    const struct onward_ruleset *rs;
    struct onward_ruleset_router *router;
    struct onward_ruleset_facts facts;
    struct onward_ruleset_trace trace;
    const struct domain *domain;
    const struct rule *rule;
    struct onward_ruleset_decision out;
};

static void tell(struct route *r, const struct rule *rule, const char *what)
{
    struct onward_ruleset_step step = {.size = sizeof(step),
                                       .rule = ONWARD_RULESET_NO_RULE,
                                       .zone = r->out.zone,
                                       .what = onward_str_of(what)};

    if (r->trace.step == NULL)
        return;
    if (rule != NULL) {
        step.rule = rule->index;
        step.rule_name = rule->name;
    }
    r->trace.step(r->trace.user, &step);
}

/* ---- The rule ---------------------------------------------------------- */

static bool try_list(struct route *r, const struct rule_list *list,
                     enum onward_ruleset_match match, const char *what)
{
    for (const struct rule *rule = list->first; rule != NULL;
         rule = rule->next) {
        if (rule->is_enabled) {
            tell(r, rule, what);
            r->rule = rule;
            r->out.match = (int32_t)match;
            return true;
        }
        tell(r, rule, "rule-disabled");
    }
    return false;
}

static bool try_address(struct route *r, struct onward_str local_part,
                        enum onward_ruleset_match match, const char *what)
{
    const struct address *a =
        onward_ruleset__find_address(r->rs, r->domain, local_part);

    return a != NULL && try_list(r, &a->rules, match, what);
}

static bool find_rule(struct route *r, struct onward_str local_part)
{
    const struct zone *zone = r->domain->zone;
    size_t plus = onward_core__str_find(local_part, '+');

    if (try_address(r, local_part, ONWARD_RULESET_MATCH_EXACT, "match-exact"))
        return true;
    if (zone->support_subaddress && plus > 0 && plus < local_part.len &&
        try_address(r, onward_core__sub(local_part, 0, plus),
                    ONWARD_RULESET_MATCH_BASE, "match-base"))
        return true;
    return r->domain->is_own &&
           try_list(r, &zone->catch_alls, ONWARD_RULESET_MATCH_CATCH_ALL,
                    "match-catch-all");
}

/* ---- The decision ------------------------------------------------------ */

static void reject(struct route *r, enum onward_ruleset_reason reason, int code,
                   struct onward_str enhanced, struct onward_str text)
{
    r->out.kind = ONWARD_RULESET_REJECT;
    r->out.reason = (int32_t)reason;
    r->out.reply_code = code;
    r->out.reply_enhanced = enhanced;
    r->out.reply_text = text;
}

/* 1 verified, 0 not, negative: cannot be told now. */
static int ask_verified(struct route *r, const struct destination *d)
{
    int word = 0;

    if (r->facts.destination != NULL)
        word = r->facts.destination(r->facts.user, d->text.data, d->text.len);
    if (word == 0)
        return d->is_verified;
    return word < 0 ? word : word == 1;
}

/* Can the rule's forward be done? All destinations or none: a part of them
 * would look delivered while a copy is missing. */
static bool may_forward(struct route *r, const struct action *action)
{
    bool is_verified = true;

    for (size_t i = 0; i < action->count; i++) {
        int word = ask_verified(r, action->destinations[i]);

        if (word < 0) {
            tell(r, r->rule, "not-now");
            reject(r, ONWARD_RULESET_NOT_NOW, 451, ONWARD_STR("4.3.0"),
                   ONWARD_STR("Destination cannot be checked now"));
            return false;
        }
        is_verified = is_verified && word > 0;
    }
    if (is_verified)
        return true;
    tell(r, r->rule, "not-verified");
    reject(r, ONWARD_RULESET_NOT_VERIFIED, 550, ONWARD_STR("5.2.1"),
           ONWARD_STR("Destination of this address is not verified"));
    return false;
}

static void decide(struct route *r)
{
    const struct action *action = &r->rule->action;

    r->out.rule = r->rule->index;
    r->out.rule_name = r->rule->name;
    if (action->kind == ONWARD_RULESET_FORWARD && !may_forward(r, action))
        return;
    r->out.reason = ONWARD_RULESET_RULE;
    r->out.kind = (int32_t)action->kind;
    r->out.destination_count = action->count;
    r->out.destinations = action->texts;
    r->out.handler = action->handler;
    r->out.group = action->group;
    r->out.reply_code = action->reply_code;
    r->out.reply_enhanced = action->reply_enhanced;
    r->out.reply_text = action->reply_text;
}

static void run(struct route *r, const struct onward_address__mailbox *to)
{
    r->domain = onward_ruleset__find_domain(r->rs, to->domain_ascii);
    if (r->domain == NULL) {
        tell(r, NULL, "no-zone");
        reject(r, ONWARD_RULESET_NO_ZONE, 550, ONWARD_STR("5.7.1"),
               ONWARD_STR("Relaying denied"));
        return;
    }
    r->out.zone = r->domain->zone->name;
    if (!r->domain->zone->is_enabled) {
        tell(r, NULL, "zone-disabled");
        reject(r, ONWARD_RULESET_ZONE_DISABLED, 550, ONWARD_STR("5.7.1"),
               ONWARD_STR("Relaying denied"));
        return;
    }
    tell(r, NULL, "zone");
    if (find_rule(r, to->local_part)) {
        decide(r);
        return;
    }
    tell(r, NULL, "no-address");
    reject(r, ONWARD_RULESET_NO_ADDRESS, 550, ONWARD_STR("5.1.1"),
           ONWARD_STR("No such address"));
}

/* ---- Actions ----------------------------------------------------------- */

/* A rule has one action so far. */
static int list_actions(struct route *r)
{
    struct onward_ruleset_action *a;

    if (r->out.reason != ONWARD_RULESET_RULE)
        return 0;
    a = onward_core__arena_alloc(&r->router->arena, sizeof(*a));
    if (a == NULL)
        return ONWARD_ENOMEM;
    a->size = sizeof(*a);
    a->rule = r->out.rule;
    a->destination_count = r->out.destination_count;
    a->destinations = r->out.destinations;
    a->rule_name = r->out.rule_name;
    a->name = r->out.handler;
    a->reply_enhanced = r->out.reply_enhanced;
    a->reply_text = r->out.reply_text;
    a->kind = r->out.kind;
    a->reply_code = r->out.reply_code;
    r->out.actions = a;
    r->out.action_count = 1;
    return 0;
}

int onward_ruleset__route(const struct onward_ruleset *rs,
                          struct onward_ruleset_router *router,
                          const struct onward_address__mailbox *to,
                          const struct onward_ruleset_facts *facts,
                          const struct onward_ruleset_trace *trace,
                          struct onward_ruleset_decision *decision)
{
    struct route r = {.rs = rs, .router = router};
    size_t size = decision->size;
    int err = size < sizeof(size) ? ONWARD_EINVAL : 0;

    if (err == 0 && facts != NULL)
        err = onward_core__opts_load(&r.facts, sizeof(r.facts), facts);
    if (err == 0 && trace != NULL)
        err = onward_core__opts_load(&r.trace, sizeof(r.trace), trace);
    if (err != 0)
        return err;
    r.out.size = size;
    r.out.rule = ONWARD_RULESET_NO_RULE;
    run(&r, to);
    err = list_actions(&r);
    if (err != 0)
        return err;
    if (size > sizeof(r.out))
        memset((char *)decision + sizeof(r.out), 0, size - sizeof(r.out));
    memcpy(decision, &r.out, size < sizeof(r.out) ? size : sizeof(r.out));
    return 0;
}

int onward_ruleset_route(const struct onward_ruleset *rs,
                         struct onward_ruleset_router *router,
                         const struct onward_mailbox *to,
                         const struct onward_ruleset_facts *facts,
                         const struct onward_ruleset_trace *trace,
                         struct onward_ruleset_decision *decision)
{
    return onward_ruleset__route(rs, router, onward_address__value(to), facts,
                                 trace, decision);
}

