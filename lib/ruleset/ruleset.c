/*
 * A ruleset's life and its tables: domains, the addresses with rules in them,
 * destinations and delivery groups.
 */
#include "ruleset/ruleset_priv.h"

/* ---- Life -------------------------------------------------------------- */

enum { TEXT_MAX = 64 * 1024 * 1024, DEPTH_MAX = 32 };

_Static_assert(offsetof(struct onward_ruleset_opts, max_depth) +
                       sizeof(((struct onward_ruleset_opts *)0)->max_depth) ==
                   sizeof(struct onward_ruleset_opts),
               "no tail padding");

static void destroy(struct onward_ruleset *rs)
{
    struct onward_ctx *ctx = rs->ctx;

    onward_core__table_clear(&rs->domains);
    onward_core__table_clear(&rs->addresses);
    onward_core__table_clear(&rs->destinations);
    onward_core__table_clear(&rs->groups);
    onward_core__arena_clear(&rs->arena);
    onward_core__free(ctx, rs);
    onward_ctx_free(ctx);
}

static int init_tables(struct onward_ruleset *rs)
{
    int err = onward_core__table_init(&rs->domains, rs->ctx);

    if (err == 0)
        err = onward_core__table_init(&rs->addresses, rs->ctx);
    if (err == 0)
        err = onward_core__table_init(&rs->destinations, rs->ctx);
    if (err == 0)
        err = onward_core__table_init(&rs->groups, rs->ctx);
    return err;
}

/* A fault that lies in the text as JSON, not in a value; err as it was. */
static int set_json_fault(struct loader *l, int err,
                          const struct onward_json_fault *json)
{
    struct onward_ruleset_fault *fault = l->fault;
    size_t len = strlen(json->what);

    if (json->at != NULL)
        return onward_ruleset__fail(l, json->at, json->what, NULL);
    if (len > sizeof(fault->text) - 1)
        len = sizeof(fault->text) - 1;
    fault->line = json->line;
    memcpy(fault->text, json->what, len);
    return err;
}

static int load(struct onward_ruleset *rs, struct onward_str text,
                const struct onward_ruleset_opts *opts,
                struct onward_ruleset_fault *fault)
{
    struct onward_json_fault json_fault = {
        .line = 0, .what = "text over the limit of max_bytes"};
    struct loader l = {.rs = rs, .fault = fault};
    struct onward_json *root;
    int err = ONWARD_ELIMIT;

    onward_core__arena_init(&l.json, rs->ctx, SIZE_MAX);
    if (text.len <= onward_core__limit(opts->max_bytes, TEXT_MAX))
        err = onward_json__parse(&l.json, text,
                                 onward_core__limit(opts->max_depth, DEPTH_MAX),
                                 &root, &json_fault);
    if (err == 0)
        err = onward_ruleset__read(&l, root);
    else if (err != ONWARD_ENOMEM)
        err = set_json_fault(&l, err, &json_fault);
    onward_core__arena_clear(&l.json);
    return err;
}

static int make(struct onward_ctx *ctx, struct onward_str text,
                const struct onward_ruleset_opts *opts,
                struct onward_ruleset_fault *fault, struct onward_ruleset **out)
{
    struct onward_ruleset *rs = onward_core__zalloc(ctx, sizeof(*rs));
    int err;

    if (rs == NULL)
        return ONWARD_ENOMEM;
    rs->ctx = onward_ctx_ref(ctx);
    atomic_init(&rs->owners, 1);
    onward_core__arena_init(&rs->arena, ctx, SIZE_MAX);
    err = init_tables(rs);
    if (err == 0)
        err = load(rs, text, opts, fault);
    if (err != 0) {
        destroy(rs);
        return err;
    }
    *out = rs;
    return 0;
}

/* At most fault->size octets are the caller's; what we do not know is zeroed.
 */
static void hand_out(struct onward_ruleset_fault *fault,
                     struct onward_ruleset_fault *found)
{
    found->size = fault->size;
    if (fault->size > sizeof(*found))
        memset((char *)fault + sizeof(*found), 0, fault->size - sizeof(*found));
    memcpy(fault, found,
           fault->size < sizeof(*found) ? fault->size : sizeof(*found));
}

int onward_ruleset_new(struct onward_ctx *ctx, struct onward_str text,
                       const struct onward_ruleset_opts *opts,
                       struct onward_ruleset_fault *fault,
                       struct onward_ruleset **rs)
{
    struct onward_ruleset_opts o;
    struct onward_ruleset_fault found = {0};
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0 && fault != NULL && fault->size < sizeof(fault->size))
        err = ONWARD_EINVAL;
    if (err != 0)
        return err;
    err = make(ctx, text, &o, &found, rs);
    if (fault != NULL && (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT))
        hand_out(fault, &found);
    return err;
}

struct onward_ruleset *onward_ruleset_ref(struct onward_ruleset *rs)
{
    atomic_fetch_add_explicit(&rs->owners, 1, memory_order_relaxed);
    return rs;
}

void onward_ruleset_free(struct onward_ruleset *rs)
{
    if (rs == NULL)
        return;
    if (atomic_fetch_sub_explicit(&rs->owners, 1, memory_order_acq_rel) == 1)
        destroy(rs);
}

size_t onward_ruleset_zone_count(const struct onward_ruleset *rs)
{
    return rs->zone_count;
}

/* ---- Domains ----------------------------------------------------------- */

struct domain *onward_ruleset__find_domain(const struct onward_ruleset *rs,
                                           struct onward_str name)
{
    uint64_t hash = onward_core__hash(rs->ctx, name.data, name.len);
    struct onward_core__node *node =
        onward_core__table_find(&rs->domains, hash);

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct domain *d = ONWARD_CONTAINER(node, struct domain, node);

        if (onward_core__str_eq(d->name, name))
            return d;
    }
    return NULL;
}

struct domain *onward_ruleset__add_domain(struct onward_ruleset *rs,
                                          struct onward_str name,
                                          struct zone *zone, bool is_own)
{
    struct domain *d = onward_core__arena_alloc(&rs->arena, sizeof(*d));

    if (d == NULL || onward_core__arena_dup(&rs->arena, name, &d->name) != 0)
        return NULL;
    d->zone = zone;
    d->is_own = is_own;
    onward_core__table_add(&rs->domains, &d->node,
                           onward_core__hash(rs->ctx, name.data, name.len));
    return d;
}

/* ---- Addresses --------------------------------------------------------- */

static uint64_t address_hash(const struct onward_ruleset *rs,
                             const struct domain *domain,
                             struct onward_str local_part)
{
    uint64_t hash =
        domain->zone->fold_local
            ? onward_core__hash_lower(rs->ctx, local_part.data, local_part.len)
            : onward_core__hash(rs->ctx, local_part.data, local_part.len);

    /* Both are keyed; the odd factor keeps equal ones from cancelling out. */
    return hash + domain->node.hash * 0x9e3779b97f4a7c15u;
}

struct address *onward_ruleset__find_address(const struct onward_ruleset *rs,
                                             const struct domain *domain,
                                             struct onward_str local_part)
{
    struct onward_core__node *node = onward_core__table_find(
        &rs->addresses, address_hash(rs, domain, local_part));

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct address *a = ONWARD_CONTAINER(node, struct address, node);

        if (a->domain != domain)
            continue;
        if (domain->zone->fold_local
                ? onward_core__str_ieq(a->local_part, local_part)
                : onward_core__str_eq(a->local_part, local_part))
            return a;
    }
    return NULL;
}

struct address *onward_ruleset__address(struct onward_ruleset *rs,
                                        const struct domain *domain,
                                        struct onward_str local_part)
{
    struct address *a = onward_ruleset__find_address(rs, domain, local_part);

    if (a != NULL)
        return a;
    a = onward_core__arena_alloc(&rs->arena, sizeof(*a));
    if (a == NULL ||
        onward_core__arena_dup(&rs->arena, local_part, &a->local_part) != 0)
        return NULL;
    a->domain = domain;
    onward_core__table_add(&rs->addresses, &a->node,
                           address_hash(rs, domain, local_part));
    return a;
}

/* A text lists the rules of an address in order or, rarely, backwards; both
 * ends are one step. */
void onward_ruleset__add_rule(struct rule_list *list, struct rule *rule)
{
    struct rule **at = &list->first;

    if (list->last != NULL && list->last->priority <= rule->priority)
        at = &list->last->next;
    while (*at != NULL && (*at)->priority <= rule->priority)
        at = &(*at)->next;
    rule->next = *at;
    *at = rule;
    if (rule->next == NULL)
        list->last = rule;
}

/* ---- Destinations ------------------------------------------------------ */

static struct destination *find_destination(const struct onward_ruleset *rs,
                                            struct onward_str text,
                                            uint64_t hash)
{
    struct onward_core__node *node =
        onward_core__table_find(&rs->destinations, hash);

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct destination *d = ONWARD_CONTAINER(node, struct destination, node);

        if (onward_core__str_eq(d->text, text))
            return d;
    }
    return NULL;
}

struct destination *onward_ruleset__destination(struct onward_ruleset *rs,
                                                struct onward_str text)
{
    uint64_t hash = onward_core__hash(rs->ctx, text.data, text.len);
    struct destination *d = find_destination(rs, text, hash);

    if (d != NULL)
        return d;
    d = onward_core__arena_alloc(&rs->arena, sizeof(*d));
    if (d == NULL || onward_core__arena_dup(&rs->arena, text, &d->text) != 0)
        return NULL;
    onward_core__table_add(&rs->destinations, &d->node, hash);
    return d;
}

bool onward_ruleset__is_verified(const struct onward_ruleset *rs,
                                 struct onward_str address)
{
    const struct destination *d = find_destination(
        rs, address, onward_core__hash(rs->ctx, address.data, address.len));

    return d != NULL && d->is_verified;
}

/* ---- Groups ------------------------------------------------------------ */

static uint64_t group_hash(const struct onward_ruleset *rs,
                           const struct zone *zone, const struct action *a)
{
    uint64_t hash = onward_core__hash(rs->ctx, zone->name.data, zone->name.len);

    hash = hash * 31 + (uint64_t)a->kind;
    hash =
        hash * 31 + onward_core__hash(rs->ctx, a->handler.data, a->handler.len);
    for (size_t i = 0; i < a->count; i++)
        hash = hash * 31 + a->destinations[i]->node.hash;
    return hash;
}

static bool is_same_way(const struct action *a, const struct action *b)
{
    if (a->kind != b->kind || a->count != b->count ||
        !onward_core__str_eq(a->handler, b->handler))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->destinations[i] != b->destinations[i])
            return false;
    }
    return true;
}

int onward_ruleset__set_group(struct onward_ruleset *rs,
                              const struct zone *zone, struct action *action)
{
    uint64_t hash = group_hash(rs, zone, action);
    struct onward_core__node *node = onward_core__table_find(&rs->groups, hash);
    struct group *g;

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        g = ONWARD_CONTAINER(node, struct group, node);
        if (g->zone == zone && is_same_way(g->action, action)) {
            action->group = g->action->group;
            return 0;
        }
    }
    g = onward_core__arena_alloc(&rs->arena, sizeof(*g));
    if (g == NULL)
        return ONWARD_ENOMEM;
    g->zone = zone;
    g->action = action;
    action->group = rs->groups.count + 1;
    onward_core__table_add(&rs->groups, &g->node, hash);
    return 0;
}
