/*
 * From an address to its rules: the zone, and what of it is tried in which
 * order.
 */
#include "ruleset/route_priv.h"

void onward_ruleset__tell(struct onward_ruleset__route *r,
                          const struct onward_ruleset__rule *rule,
                          const char *what, struct onward_str detail)
{
    struct onward_ruleset_step step = {.size = sizeof(step),
                                       .rule = ONWARD_RULESET_NO_RULE,
                                       .zone = r->out->zone,
                                       .detail = detail};

    if (r->trace == NULL)
        return;
    step.what = onward_str_of(what);
    if (rule != NULL) {
        step.rule = rule->index;
        step.rule_name = rule->name;
    }
    r->trace->step(r->trace->user, &step);
}

static void tell(struct onward_ruleset__route *r,
                 const struct onward_ruleset__rule *rule, const char *what)
{
    onward_ruleset__tell(r, rule, what, (struct onward_str){0});
}

/* ---- One rule ---------------------------------------------------------- */

struct telling {
    struct onward_ruleset__route *r;
    const struct onward_ruleset__rule *rule;
};

static void tell_test(void *user, struct onward_str detail)
{
    const struct telling *t = user;

    onward_ruleset__tell(t->r, t->rule, "condition", detail);
}

/* The address that patterns see: without quotes, so that what they capture can
 * be put elsewhere; but a local part with an "@" keeps them, so that it is not
 * taken for the other one. */
static int write_address(struct onward_ruleset__route *r,
                         struct onward_str local_part, struct onward_str *out)
{
    struct onward_buf text;
    int err;

    if (out->len > 0)
        return 0;
    onward_core__buf_init(&text, r->router->ctx, 1024);
    if (onward_core__str_find(local_part, '@') < local_part.len)
        (void)onward_address__write_local_part(&text, local_part);
    else
        onward_core__buf_add_str(&text, local_part);
    onward_core__buf_add_byte(&text, '@');
    err = onward_core__buf_add_str(&text, r->to->domain_ascii);
    if (err == 0)
        err = onward_core__arena_dup(&r->router->arena,
                                     onward_core__buf_str(&text), out);
    onward_core__buf_clear(&text);
    return err;
}

/* As onward_ruleset__condition_holds(). */
static int holds(struct onward_ruleset__route *r,
                 const struct onward_ruleset__rule *rule, bool is_base,
                 bool is_silent)
{
    struct telling telling = {r, rule};
    struct onward_ruleset__question q;
    int ret = 0;

    r->capture_count = 0;
    if (rule->condition.len == 0)
        return 1;
    q = (struct onward_ruleset__question){.router = r->router,
                                          .facts = r->facts,
                                          .domain = r->to->domain_ascii,
                                          .captures = r->captures,
                                          .user = &telling};
    if (r->trace != NULL && !is_silent)
        q.tell = tell_test;
    if ((rule->flags & ONWARD_RULESET__RULE_USES_TO) != 0)
        ret = is_base ? write_address(r, r->base, &r->base_address)
                      : write_address(r, r->to->local_part, &r->address);
    if (ret != 0)
        return ret;
    q.address = is_base ? r->base_address : r->address;
    ret = onward_ruleset__condition_holds(&q, rule->condition);
    r->capture_count = ret == 1 ? q.capture_count : 0;
    return ret;
}

static const char *const match_words[] = {"", "match-exact", "match-base",
                                          "match-catch-all", "match-pattern"};

/* 1, 0, or an error of a damaged record. */
static int puts_apart(const struct onward_ruleset__route *r,
                      const struct onward_ruleset__rule *rule)
{
    struct onward_ruleset__body body;
    struct onward_ruleset__deed deed;
    int ret;

    if (r->facts->skip_quarantine == 0)
        return 0;
    onward_ruleset__body_open(&body, &r->zone, rule);
    while ((ret = onward_ruleset__body_next(&body, &deed)) == 1) {
        if (deed.kind == ONWARD_RULESET_QUARANTINE)
            return 1;
    }
    return ret;
}

static int consider(struct onward_ruleset__route *r,
                    const struct onward_ruleset__rule *rule,
                    enum onward_ruleset_match match, bool is_base)
{
    int ret;

    if ((rule->flags & ONWARD_RULESET__RULE_ENABLED) == 0) {
        tell(r, rule, "rule-disabled");
        return 0;
    }
    ret = puts_apart(r, rule);
    if (ret < 0)
        return ret;
    if (ret == 1) {
        tell(r, rule, "passed-over");
        return 0;
    }
    ret = holds(r, rule, is_base, false);
    switch (ret) {
    case 0:
        tell(r, rule, "no-match");
        return 0;
    case 1:
        tell(r, rule, match_words[match]);
        return onward_ruleset__take(r, rule, match);
    case ONWARD_AGAIN:
        tell(r, rule, "not-known");
        return onward_ruleset__take_unknown(r, rule);
    case ONWARD_ECALLBACK:
        tell(r, rule, "not-now");
        onward_ruleset__refuse(r, ONWARD_RULESET_NOT_NOW, 451,
                               ONWARD_STR("4.3.0"),
                               ONWARD_STR("This cannot be decided now"));
        return 0;
    default:
        return ret;
    }
}

/* ---- The passes -------------------------------------------------------- */

/* The filters that are left for a pass. */
struct filters {
    struct onward_ruleset__rule rule; /* the next one */
    uint32_t at;
    bool is_there;
};

/* With the base alone those count that look at the address, and that did not
 * match with the whole of it. */
static int is_for_base(struct onward_ruleset__route *r,
                       const struct onward_ruleset__rule *rule)
{
    int ret;

    if ((rule->flags & ONWARD_RULESET__RULE_USES_TO) == 0 ||
        (rule->flags & ONWARD_RULESET__RULE_ENABLED) == 0)
        return 0;
    ret = holds(r, rule, false, true);
    if (ret == ONWARD_ELIMIT || ret == ONWARD_ENOMEM)
        return ret;
    return ret == 0;
}

static int next_filter(struct onward_ruleset__route *r, struct filters *f,
                       bool is_base)
{
    f->is_there = false;
    while (f->at < r->zone.filter_count) {
        int ret = onward_ruleset__record_at(&r->zone, r->zone.filters, f->at++,
                                            &f->rule);

        if (ret == 0)
            ret = is_base ? is_for_base(r, &f->rule) : 1;
        if (ret < 0)
            return ret;
        if (ret == 1) {
            f->is_there = true;
            return 0;
        }
    }
    return 0;
}

/* Literal rules of the address and filters, by priority and place. */
static int try_address(struct onward_ruleset__route *r, bool is_base)
{
    struct onward_str local_part = is_base ? r->base : r->to->local_part;
    struct onward_ruleset__literals it;
    struct onward_ruleset__rule rule;
    struct filters f;
    int has_literal, ret = 0;

    f.at = 0;
    f.is_there = false;
    onward_ruleset__literals_find(&it, &r->zone, r->rs->image->key, local_part,
                                  r->domain);
    has_literal = onward_ruleset__literals_next(&it, &rule);
    if (has_literal >= 0 && r->zone.filter_count > 0)
        ret = next_filter(r, &f, is_base);
    while (has_literal >= 0 && ret == 0 && !r->is_over &&
           (has_literal == 1 || f.is_there)) {
        if (has_literal == 1 &&
            (!f.is_there || onward_ruleset__is_before(&rule, &f.rule))) {
            ret = consider(r, &rule,
                           is_base ? ONWARD_RULESET_MATCH_BASE
                                   : ONWARD_RULESET_MATCH_EXACT,
                           is_base);
            if (ret == 0 && !r->is_over)
                has_literal = onward_ruleset__literals_next(&it, &rule);
        } else {
            ret = consider(r, &f.rule, ONWARD_RULESET_MATCH_PATTERN, is_base);
            if (ret == 0 && !r->is_over)
                ret = next_filter(r, &f, is_base);
        }
    }
    return has_literal < 0 ? has_literal : ret;
}

static bool catches(const struct onward_ruleset__route *r, uint64_t domain)
{
    return domain == ONWARD_RULESET__BELOW ? r->is_below
                                           : domain == r->domain;
}

static int try_catch_alls(struct onward_ruleset__route *r)
{
    for (uint32_t i = 0; i < r->zone.catch_count && !r->is_over; i++) {
        struct onward_ruleset__rule rule;
        int err = onward_ruleset__record_at(&r->zone, r->zone.catches, i,
                                            &rule);

        if (err == 0 && catches(r, rule.domain))
            err = consider(r, &rule, ONWARD_RULESET_MATCH_CATCH_ALL, false);
        if (err != 0)
            return err;
    }
    return 0;
}

/* What stands before the first separator, which is not the first octet. */
static struct onward_str base_of(const struct onward_ruleset__route *r)
{
    struct onward_str separators = r->zone.separators.len > 0
                                       ? r->zone.separators
                                       : ONWARD_STR("+");
    struct onward_str local_part = r->to->local_part;

    if ((r->zone.flags & ONWARD_RULESET__ZONE_SUBADDRESS) == 0)
        return (struct onward_str){0};
    for (size_t i = 1; i < local_part.len; i++) {
        for (size_t k = 0; k < separators.len; k++) {
            if (local_part.data[i] == separators.data[k])
                return onward_core__sub(local_part, 0, i);
        }
    }
    return (struct onward_str){0};
}

static int try_rules(struct onward_ruleset__route *r)
{
    int err;

    r->base = base_of(r);
    err = try_address(r, false);
    if (err == 0 && !r->is_over && r->base.len > 0)
        err = try_address(r, true);
    if (err == 0 && !r->is_over)
        err = try_catch_alls(r);
    return err;
}

/* ---- The zone ---------------------------------------------------------- */

/* By name, else the nearest one above that takes all below it. 1, 0, or
 * ONWARD_ELIMIT. */
static int find_zone(struct onward_ruleset__route *r)
{
    struct onward_str name = r->to->domain_ascii;
    int ret = name.len == 0
                  ? 0
                  : onward_ruleset__zone_of(r->rs, name, &r->zone, &r->domain);

    r->is_below = ret == 1 && r->domain != ONWARD_RULESET__OWN;
    if (ret != 0 || !r->rs->has_wildcard)
        return ret;
    while (ret == 0) {
        name = onward_core__domain_parent(name);
        if (name.len == 0)
            return 0;
        ret = onward_ruleset__zone_of(r->rs, name, &r->zone, &r->domain);
    }
    if (ret != 1 || (r->zone.flags & ONWARD_RULESET__ZONE_WILDCARD) == 0)
        return ret < 0 ? ret : 0;
    r->domain = ONWARD_RULESET__BELOW;
    r->is_below = true;
    return 1;
}

static int run(struct onward_ruleset__route *r)
{
    static const struct onward_str denied = {"Relaying denied", 15};
    int ret = find_zone(r);

    if (ret < 0)
        return ret;
    if (ret == 0) {
        tell(r, NULL, "no-zone");
        onward_ruleset__refuse(r, ONWARD_RULESET_NO_ZONE, 550,
                               ONWARD_STR("5.7.1"), denied);
        return 0;
    }
    r->out->zone = r->zone.name;
    if ((r->zone.flags & ONWARD_RULESET__ZONE_ENABLED) == 0) {
        tell(r, NULL, "zone-disabled");
        onward_ruleset__refuse(r, ONWARD_RULESET_ZONE_DISABLED, 550,
                               ONWARD_STR("5.7.1"), denied);
        return 0;
    }
    tell(r, NULL, "zone");
    ret = try_rules(r);
    return ret != 0 ? ret : onward_ruleset__conclude(r);
}

/* ---- Calls ------------------------------------------------------------- */

/* Field by field: what compilers make of "= {0}" here takes longer than the
 * whole look-up of a domain that is in the cache. */
static void begin(struct onward_ruleset__route *r,
                  struct onward_ruleset_decision *out)
{
    const struct onward_str none = {NULL, 0};

    out->size = sizeof(*out);
    out->rule = ONWARD_RULESET_NO_RULE;
    out->destination_count = 0;
    out->destinations = NULL;
    out->zone = out->rule_name = out->handler = none;
    out->reply_enhanced = out->reply_text = none;
    out->group = 0;
    out->kind = out->reason = out->match = out->reply_code = 0;
    out->actions = NULL;
    out->action_count = 0;
    r->out = out;
    r->domain = ONWARD_RULESET__OWN;
    r->is_below = false;
    r->base = r->address = r->base_address = none;
    r->capture_count = 0;
    r->last = NULL;
    r->first = NULL;
    r->group = 0;
    r->is_over = r->is_unknown = r->may_accept = r->has_refusal = false;
    r->refusal_code = 0;
    r->refusal_enhanced = r->refusal_text = none;
}

int onward_ruleset__route(const struct onward_ruleset *rs,
                          struct onward_ruleset_router *router,
                          const struct onward_address__mailbox *to,
                          const struct onward_ruleset_facts *facts,
                          const struct onward_ruleset_trace *trace,
                          struct onward_ruleset_decision *decision)
{
    static const struct onward_ruleset_facts no_facts = {
        .size = sizeof(no_facts)};
    struct onward_ruleset_decision out;
    struct onward_ruleset_facts f;
    struct onward_ruleset_trace t;
    struct onward_ruleset__route r;
    int err = decision->size < sizeof(decision->size) ? ONWARD_EINVAL : 0;

    if (err == 0 && facts != NULL)
        err = onward_core__opts_load(&f, sizeof(f), facts);
    if (err == 0 && trace != NULL)
        err = onward_core__opts_load(&t, sizeof(t), trace);
    if (err != 0)
        return err;
    begin(&r, &out);
    r.rs = rs;
    r.router = router;
    r.facts = facts == NULL ? &no_facts : &f;
    r.trace = trace == NULL || t.step == NULL ? NULL : &t;
    r.to = to;
    err = run(&r);
    return err != 0 ? err
                    : onward_core__out_store(decision, &out, sizeof(out));
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
