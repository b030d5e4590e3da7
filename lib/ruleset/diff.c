/*
 * What differs between two rulesets. A pure function: it asks nobody, and says
 * each difference once.
 */
#include "ruleset/ruleset_priv.h"

struct diff {
    const struct onward_ruleset *before, *after;
    struct onward_ruleset_differences to;
    struct onward_ctx *ctx;
    struct onward_arena arena; /* of one zone */
    struct onward_str zone;
};

/* A rule of one of two zones. */
struct entry {
    struct onward_core__node node;
    struct entry *next; /* in the order of the file */
    struct onward_ruleset__rule rule;
    const struct onward_ruleset__record *rec;
    enum onward_ruleset__class class;
    bool is_paired;
};

static int tell(struct diff *d, struct onward_ruleset_difference *one)
{
    one->size = sizeof(*one);
    return d->to.difference(d->to.user, one) < 0 ? ONWARD_ECALLBACK : 0;
}

static int tell_what(struct diff *d, enum onward_ruleset_change change,
                     struct onward_str what, struct onward_str address)
{
    struct onward_ruleset_difference one = {.change = change,
                                            .old_rule = ONWARD_RULESET_NO_RULE,
                                            .new_rule = ONWARD_RULESET_NO_RULE,
                                            .what = what,
                                            .zone = d->zone,
                                            .address = address};

    return tell(d, &one);
}

/* ---- Rules ------------------------------------------------------------- */

static struct onward_str domain_of(const struct entry *e)
{
    if (e->rule.domain >= ONWARD_RULESET__COVERED &&
        e->rule.domain - ONWARD_RULESET__COVERED < e->rec->domain_count)
        return onward_ruleset__record_domain(
            e->rec, (uint32_t)(e->rule.domain - ONWARD_RULESET__COVERED));
    return e->rec->name;
}

/* The address that a rule takes, for people. */
static int write_address(struct diff *d, const struct entry *e,
                         struct onward_str *out)
{
    struct onward_address__mailbox mailbox = {.local_part = e->rule.local_part,
                                              .domain = domain_of(e),
                                              .domain_ascii = domain_of(e)};
    struct onward_buf text;
    int err = 0;

    *out = (struct onward_str){0};
    if (e->class == ONWARD_RULESET__FILTER)
        return 0;
    onward_core__buf_init(&text, d->ctx, 1024);
    if (e->class == ONWARD_RULESET__LITERAL) {
        err = onward_address__write(&text, &mailbox, ONWARD_ADDRESS_ASCII);
    } else {
        onward_core__buf_add_text(
            &text, e->rule.domain == ONWARD_RULESET__BELOW ? "*@*." : "*@");
        err = onward_core__buf_add_str(&text, mailbox.domain);
    }
    if (err == 0)
        err =
            onward_core__arena_dup(&d->arena, onward_core__buf_str(&text), out);
    onward_core__buf_clear(&text);
    return err;
}

/* before or after may be NULL. */
static int tell_rule(struct diff *d, enum onward_ruleset_change change,
                     const struct entry *before, const struct entry *after)
{
    const struct entry *shown = after != NULL ? after : before;
    struct onward_ruleset_difference one = {
        .change = change,
        .old_rule =
            before == NULL ? ONWARD_RULESET_NO_RULE : before->rule.index,
        .new_rule = after == NULL ? ONWARD_RULESET_NO_RULE : after->rule.index,
        .what = ONWARD_STR("rule"),
        .zone = d->zone,
        .rule_name = shown->rule.name};
    int err = write_address(d, shown, &one.address);

    return err != 0 ? err : tell(d, &one);
}

static bool is_same_address(const struct entry *a, const struct entry *b)
{
    bool is_below = a->rule.domain == ONWARD_RULESET__BELOW;

    return a->class == b->class &&
           is_below == (b->rule.domain == ONWARD_RULESET__BELOW) &&
           onward_core__str_eq(domain_of(a), domain_of(b)) &&
           onward_core__str_ieq(a->rule.local_part, b->rule.local_part) &&
           onward_core__str_eq(a->rule.condition, b->rule.condition) &&
           (a->rule.index == ONWARD_RULESET_CATCH_ALL) ==
               (b->rule.index == ONWARD_RULESET_CATCH_ALL);
}

static uint64_t entry_hash(const struct diff *d, const struct entry *e)
{
    struct onward_str local_part = e->rule.local_part;
    struct onward_str condition = e->rule.condition;

    return onward_core__hash_lower(d->ctx, local_part.data, local_part.len) +
           31 * onward_core__hash(d->ctx, condition.data, condition.len);
}

/* Destinations but for what is verified. */
static bool is_same_deed(struct onward_ruleset__deed *a,
                         struct onward_ruleset__deed *b)
{
    if (a->kind != b->kind || a->code != b->code ||
        a->destination_count != b->destination_count ||
        !onward_core__str_eq(a->name, b->name) ||
        !onward_core__str_eq(a->value, b->value) ||
        !onward_core__str_eq(a->enhanced, b->enhanced) ||
        !onward_core__str_eq(a->text, b->text))
        return false;
    for (size_t i = 0; i < a->destination_count; i++) {
        (void)onward_ruleset__read_u8(&a->destinations);
        (void)onward_ruleset__read_u8(&b->destinations);
        if (!onward_core__str_eq(onward_ruleset__read_str(&a->destinations),
                                 onward_ruleset__read_str(&b->destinations)))
            return false;
    }
    return true;
}

/* 1, 0, or ONWARD_ELIMIT. */
static int is_same_body(const struct entry *a, const struct entry *b)
{
    struct onward_ruleset__body body_a, body_b;
    struct onward_ruleset__deed deed_a, deed_b;
    int more_a, more_b;

    onward_ruleset__body_open(&body_a, a->rec, &a->rule);
    onward_ruleset__body_open(&body_b, b->rec, &b->rule);
    do {
        more_a = onward_ruleset__body_next(&body_a, &deed_a);
        more_b = onward_ruleset__body_next(&body_b, &deed_b);
        if (more_a < 0 || more_b < 0)
            return ONWARD_ELIMIT;
        if (more_a != more_b ||
            (more_a == 1 && !is_same_deed(&deed_a, &deed_b)))
            return 0;
    } while (more_a == 1);
    return 1;
}

static int compare_rules(struct diff *d, const struct entry *before,
                         const struct entry *after)
{
    const struct onward_ruleset__rule *a = &before->rule;
    const struct onward_ruleset__rule *b = &after->rule;
    unsigned flags =
        ONWARD_RULESET__RULE_ENABLED | ONWARD_RULESET__RULE_GOES_ON;
    bool is_same_owner = onward_core__str_eq(a->owner, b->owner);
    int ret = is_same_body(before, after);

    if (ret < 0)
        return ret;
    if (ret == 1 && is_same_owner && a->priority == b->priority &&
        (a->flags & flags) == (b->flags & flags) &&
        onward_core__str_eq(a->name, b->name))
        return 0;
    if (is_same_owner || a->owner.len == 0)
        return tell_rule(d, ONWARD_RULESET_UPDATED, before, after);
    return tell_rule(d, ONWARD_RULESET_CONFLICT, before, after);
}

/* ---- Lists of rules ---------------------------------------------------- */

static int add_entry(struct diff *d, const struct onward_ruleset__record *rec,
                     uint32_t offset, enum onward_ruleset__class class,
                     struct entry **list)
{
    struct entry *e = onward_core__arena_alloc(&d->arena, sizeof(*e));

    if (e == NULL)
        return ONWARD_ENOMEM;
    e->rec = rec;
    e->class = class;
    e->next = *list;
    *list = e;
    return onward_ruleset__record_rule(rec, offset, &e->rule);
}

static bool is_after(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->rule.index > y->rule.index;
}

/* All rules of a zone in the order of the file. */
static int list_rules(struct diff *d, const struct onward_ruleset__record *rec,
                      struct entry **list)
{
    const uint32_t counts[] = {rec->slot_count, rec->filter_count,
                               rec->catch_count};
    const unsigned char *at = rec->literals;
    int err = 0;

    *list = NULL;
    for (size_t class = 0; class < ONWARD_RULESET__CLASSES; class ++) {
        for (uint32_t i = 0; err == 0 && i < counts[class]; i++, at += 4) {
            uint32_t offset = onward_ruleset__load32(at);

            if (offset != 0)
                err = add_entry(d, rec, offset,
                                (enum onward_ruleset__class) class, list);
        }
    }
    *list =
        onward_core__list_sort(*list, offsetof(struct entry, next), is_after);
    return err;
}

static struct entry *find_pair(struct diff *d,
                               const struct onward_core__table *table,
                               const struct entry *e)
{
    struct onward_core__node *n =
        onward_core__table_find(table, entry_hash(d, e));
    struct entry *found = NULL;

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        struct entry *other = ONWARD_CONTAINER(n, struct entry, node);

        if (!other->is_paired && is_same_address(e, other) &&
            (found == NULL || other->rule.index < found->rule.index))
            found = other;
    }
    return found;
}

static int pair_rules(struct diff *d, struct entry *before, struct entry *after,
                      struct onward_core__table *table)
{
    int err = 0;

    for (struct entry *e = after; e != NULL; e = e->next)
        onward_core__table_add(table, &e->node, entry_hash(d, e));
    for (struct entry *e = before; err == 0 && e != NULL; e = e->next) {
        struct entry *pair = find_pair(d, table, e);

        if (pair == NULL) {
            err = tell_rule(d, ONWARD_RULESET_DELETED, e, NULL);
            continue;
        }
        pair->is_paired = true;
        err = compare_rules(d, e, pair);
    }
    for (struct entry *e = after; err == 0 && e != NULL; e = e->next) {
        if (!e->is_paired)
            err = tell_rule(d, ONWARD_RULESET_ADDED, NULL, e);
    }
    return err;
}

/* ---- Zones ------------------------------------------------------------- */

static bool is_same_settings(const struct onward_ruleset__record *a,
                             const struct onward_ruleset__record *b)
{
    if (a->flags != b->flags || a->domain_count != b->domain_count ||
        !onward_core__str_eq(a->separators, b->separators))
        return false;
    for (uint32_t i = 0; i < a->domain_count; i++) {
        if (!onward_core__str_eq(onward_ruleset__record_domain(a, i),
                                 onward_ruleset__record_domain(b, i)))
            return false;
    }
    return true;
}

static int compare_zones(struct diff *d,
                         const struct onward_ruleset__record *before,
                         const struct onward_ruleset__record *after)
{
    struct onward_core__table table = {0};
    struct entry *old_rules = NULL;
    struct entry *new_rules = NULL;
    int err = 0;

    if (before->size == after->size &&
        memcmp(before->data, after->data, after->size) == 0)
        return 0;
    if (!is_same_settings(before, after))
        err = tell_what(d, ONWARD_RULESET_UPDATED, ONWARD_STR("settings"),
                        (struct onward_str){0});
    if (err == 0)
        err = list_rules(d, before, &old_rules);
    if (err == 0)
        err = list_rules(d, after, &new_rules);
    if (err == 0)
        err = onward_core__table_init(&table, d->ctx);
    if (err == 0)
        err = pair_rules(d, old_rules, new_rules, &table);
    onward_core__table_clear(&table);
    onward_core__arena_reset(&d->arena);
    return err;
}

/* The zone of that very name: 1, 0, or ONWARD_ELIMIT. */
static int find_zone(const struct onward_ruleset *rs, struct onward_str name,
                     struct onward_ruleset__record *rec)
{
    uint64_t number;
    int ret = onward_ruleset__zone_of(rs, name, rec, &number);

    return ret == 1 ? number == ONWARD_RULESET__OWN : ret;
}

static int visit_old(void *user, const struct onward_ruleset__record *rec)
{
    struct onward_ruleset__record after;
    struct diff *d = user;
    int ret = find_zone(d->after, rec->name, &after);

    d->zone = rec->name;
    if (ret == 0)
        return tell_what(d, ONWARD_RULESET_DELETED, ONWARD_STR("zone"),
                         (struct onward_str){0});
    return ret < 0 ? ret : compare_zones(d, rec, &after);
}

static int visit_new(void *user, const struct onward_ruleset__record *rec)
{
    struct onward_ruleset__record before;
    struct diff *d = user;
    int ret = find_zone(d->before, rec->name, &before);

    if (ret != 0)
        return ret < 0 ? ret : 0;
    d->zone = rec->name;
    return tell_what(d, ONWARD_RULESET_ADDED, ONWARD_STR("zone"),
                     (struct onward_str){0});
}

/* ---- Addresses --------------------------------------------------------- */

static int compare_addresses(struct diff *d)
{
    const struct onward_ruleset__image *before = d->before->image;
    const struct onward_ruleset__image *after = d->after->image;
    enum onward_ruleset_state state, other;
    struct onward_str address;
    uint64_t at = 0;
    int ret;

    d->zone = (struct onward_str){0};
    while ((ret = onward_ruleset__image_next_address(before, &at, &address,
                                                     &state)) == 1) {
        other = onward_ruleset__image_entry(after, address);
        ret = 0;
        if (other != state)
            ret = tell_what(d,
                            other == ONWARD_RULESET_STATE_UNKNOWN
                                ? ONWARD_RULESET_DELETED
                                : ONWARD_RULESET_UPDATED,
                            ONWARD_STR("address"), address);
        if (ret != 0)
            return ret;
    }
    at = 0;
    while (ret == 0 && (ret = onward_ruleset__image_next_address(
                            after, &at, &address, &state)) == 1) {
        ret = 0;
        if (onward_ruleset__image_entry(before, address) ==
            ONWARD_RULESET_STATE_UNKNOWN)
            ret = tell_what(d, ONWARD_RULESET_ADDED, ONWARD_STR("address"),
                            address);
    }
    return ret;
}

int onward_ruleset_diff(const struct onward_ruleset *before,
                        const struct onward_ruleset *after,
                        const struct onward_ruleset_differences *to)
{
    struct diff d = {.before = before, .after = after, .ctx = after->ctx};
    int err = onward_core__opts_load(&d.to, sizeof(d.to), to);

    if (err != 0)
        return err;
    if (d.to.difference == NULL)
        return ONWARD_EINVAL;
    onward_core__arena_init(&d.arena, d.ctx, SIZE_MAX);
    err = onward_ruleset__each_zone(before, visit_old, &d);
    if (err == 0)
        err = onward_ruleset__each_zone(after, visit_new, &d);
    if (err == 0)
        err = compare_addresses(&d);
    onward_core__arena_clear(&d.arena);
    return err;
}
