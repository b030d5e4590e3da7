/*
 * From a zone as it was read to its record: rules in the order in which they
 * are tried, each body once, literals in a list or in a hash table.
 */
#include "ruleset/draft_priv.h"

/* ---- What was read ----------------------------------------------------- */

static void forget(struct onward_ruleset__draft *draft)
{
    struct onward_arena arena = draft->arena;

    onward_core__table_clear(&draft->domain_table);
    onward_core__table_clear(&draft->body_table);
    *draft = (struct onward_ruleset__draft){.arena = arena};
    for (size_t i = 0; i < ONWARD_RULESET__CLASSES; i++)
        draft->last[i] = &draft->rules[i];
}

void onward_ruleset__draft_init(struct onward_ruleset__draft *draft,
                                struct onward_ctx *ctx)
{
    *draft = (struct onward_ruleset__draft){0};
    onward_core__arena_init(&draft->arena, ctx, SIZE_MAX);
    draft->arena.first = 4096;
    forget(draft);
}

void onward_ruleset__draft_reset(struct onward_ruleset__draft *draft)
{
    forget(draft);
    onward_core__arena_reset(&draft->arena);
}

void onward_ruleset__draft_clear(struct onward_ruleset__draft *draft)
{
    forget(draft);
    onward_core__arena_clear(&draft->arena);
}

static int open_table(struct onward_ruleset__draft *draft,
                      struct onward_core__table *table)
{
    return table->ctx != NULL
               ? 0
               : onward_core__table_init(table, draft->arena.ctx);
}

struct onward_ruleset__draft_domain *
onward_ruleset__draft_domain(struct onward_ruleset__draft *draft,
                             struct onward_str name)
{
    uint64_t hash = onward_core__hash(draft->arena.ctx, name.data, name.len);
    struct onward_ruleset__draft_domain *d;
    struct onward_core__node *n;

    if (open_table(draft, &draft->domain_table) != 0)
        return NULL;
    for (n = onward_core__table_find(&draft->domain_table, hash); n != NULL;
         n = onward_core__table_find_next(n)) {
        d = ONWARD_CONTAINER(n, struct onward_ruleset__draft_domain, node);
        if (onward_core__str_eq(d->name, name))
            return d;
    }
    d = onward_core__arena_alloc(&draft->arena, sizeof(*d));
    if (d == NULL || onward_core__arena_dup(&draft->arena, name, &d->name) != 0)
        return NULL;
    onward_core__table_add(&draft->domain_table, &d->node, hash);
    d->next = draft->domains;
    draft->domains = d;
    draft->domain_count++;
    return d;
}

struct onward_ruleset__draft_body *
onward_ruleset__draft_body(struct onward_ruleset__draft *draft,
                           struct onward_str octets)
{
    uint64_t hash =
        onward_core__hash(draft->arena.ctx, octets.data, octets.len);
    struct onward_ruleset__draft_body *b;
    struct onward_core__node *n;

    if (open_table(draft, &draft->body_table) != 0)
        return NULL;
    for (n = onward_core__table_find(&draft->body_table, hash); n != NULL;
         n = onward_core__table_find_next(n)) {
        b = ONWARD_CONTAINER(n, struct onward_ruleset__draft_body, node);
        if (onward_core__str_eq(b->octets, octets))
            return b;
    }
    b = onward_core__arena_alloc(&draft->arena, sizeof(*b));
    if (b == NULL ||
        onward_core__arena_dup(&draft->arena, octets, &b->octets) != 0)
        return NULL;
    onward_core__table_add(&draft->body_table, &b->node, hash);
    return b;
}

void onward_ruleset__draft_add(struct onward_ruleset__draft *draft,
                               struct onward_ruleset__draft_rule *rule)
{
    *draft->last[rule->class] = rule;
    draft->last[rule->class] = &rule->next;
    draft->counts[rule->class]++;
}

/* ---- Order ------------------------------------------------------------- */

static bool is_after(const void *a, const void *b)
{
    const struct onward_ruleset__draft_rule *x = a, *y = b;

    return x->priority != y->priority ? x->priority > y->priority
                                      : x->index > y->index;
}

static bool is_name_after(const void *a, const void *b)
{
    const struct onward_ruleset__draft_domain *x = a, *y = b;

    return onward_core__str_cmp(x->name, y->name) > 0;
}

/* ---- The record -------------------------------------------------------- */

struct writer {
    struct onward_buf *out;
    size_t start;
    const uint64_t *key;
};

static uint32_t here(const struct writer *w)
{
    return (uint32_t)(w->out->len - w->start);
}

static unsigned literal_bits(uint32_t count)
{
    unsigned bits = 1;

    if (count <= ONWARD_RULESET__LIST_MAX)
        return 0;
    while (bits < ONWARD_RULESET__BITS_MAX &&
           (UINT64_C(3) << bits) < (uint64_t)count * 4)
        bits++;
    return bits;
}

static size_t write_head(struct writer *w,
                         const struct onward_ruleset__draft *d, unsigned bits)
{
    unsigned char head[8] = {0};
    uint64_t slots =
        bits == 0 ? d->counts[ONWARD_RULESET__LITERAL] : UINT64_C(1) << bits;
    size_t tables;

    head[4] = (unsigned char)d->flags;
    head[5] = (unsigned char)d->name.len;
    head[6] = (unsigned char)d->separators.len;
    head[7] = (unsigned char)bits;
    onward_core__buf_add(w->out, head, sizeof(head));
    for (size_t i = 0; i < ONWARD_RULESET__CLASSES; i++)
        onward_ruleset__put_u32(w->out, d->counts[i]);
    onward_ruleset__put_u32(w->out, d->domain_count);
    onward_core__buf_add_str(w->out, d->name);
    onward_core__buf_add_str(w->out, d->separators);
    while (w->out->err == 0 && (w->out->len - w->start) % 4 != 0)
        onward_core__buf_add_byte(w->out, 0);
    tables = w->out->len;
    slots += (uint64_t)d->counts[ONWARD_RULESET__FILTER] +
             d->counts[ONWARD_RULESET__CATCH] + d->domain_count;
    for (; slots > 0 && w->out->err == 0; slots--)
        onward_ruleset__put_u32(w->out, 0);
    return tables;
}

static void write_rule(struct writer *w, struct onward_ruleset__draft_rule *r)
{
    uint64_t place = r->index == ONWARD_RULESET_CATCH_ALL ? 0 : r->index + 1;
    uint64_t domain = r->is_below         ? ONWARD_RULESET__BELOW
                      : r->domain != NULL ? r->domain->number
                                          : ONWARD_RULESET__OWN;
    unsigned flags = r->flags;

    if (r->body->offset == 0) {
        r->body->offset = here(w);
        onward_core__buf_add_str(w->out, r->body->octets);
    }
    if (r->name.len > 0)
        flags |= ONWARD_RULESET__RULE_NAME;
    if (r->priority != 0 && place != 0)
        flags |= ONWARD_RULESET__RULE_PRIORITY;
    if (r->condition.len > 0)
        flags |= ONWARD_RULESET__RULE_CONDITION;
    if (r->owner.len > 0)
        flags |= ONWARD_RULESET__RULE_OWNER;
    r->offset = here(w);
    onward_core__buf_add_byte(w->out, (unsigned char)flags);
    onward_ruleset__put_str(w->out, r->local_part);
    onward_ruleset__put_number(w->out, domain);
    onward_ruleset__put_number(w->out, place);
    onward_ruleset__put_number(w->out, r->body->offset);
    if ((flags & ONWARD_RULESET__RULE_NAME) != 0)
        onward_ruleset__put_str(w->out, r->name);
    if ((flags & ONWARD_RULESET__RULE_PRIORITY) != 0)
        onward_ruleset__put_signed(w->out, r->priority);
    if ((flags & ONWARD_RULESET__RULE_CONDITION) != 0)
        onward_ruleset__put_str(w->out, r->condition);
    if ((flags & ONWARD_RULESET__RULE_OWNER) != 0)
        onward_ruleset__put_str(w->out, r->owner);
}

/* Literals of one address are put in their order, and found in it. */
static bool fill_slot(struct writer *w, const struct onward_ruleset__draft *d,
                      unsigned char *slots, unsigned bits,
                      const struct onward_ruleset__draft_rule *r)
{
    uint64_t domain =
        r->domain != NULL ? r->domain->number : ONWARD_RULESET__OWN;
    uint32_t mask = (UINT32_C(1) << bits) - 1;
    uint32_t at = onward_ruleset__literal_slot(
        w->key, bits, (d->flags & ONWARD_RULESET__ZONE_FOLD) != 0,
        r->local_part, domain);

    for (size_t steps = 0; onward_ruleset__load32(slots + 4 * (size_t)at) != 0;
         steps++) {
        if (steps == ONWARD_RULESET__SAME_MAX)
            return false;
        at = (at + 1) & mask;
    }
    onward_ruleset__store32(slots + 4 * (size_t)at, r->offset);
    return true;
}

static int fill_tables(struct writer *w, const struct onward_ruleset__draft *d,
                       unsigned char *at, unsigned bits)
{
    for (size_t class = 0; class < ONWARD_RULESET__CLASSES; class ++) {
        bool is_hashed = class == ONWARD_RULESET__LITERAL && bits != 0;

        for (const struct onward_ruleset__draft_rule *r = d->rules[class];
             r != NULL; r = r->next) {
            if (!is_hashed) {
                onward_ruleset__store32(at, r->offset);
                at += 4;
            } else if (!fill_slot(w, d, at, bits, r)) {
                return ONWARD_ELIMIT;
            }
        }
        if (is_hashed)
            at += (size_t)4 << bits;
    }
    return 0;
}

static void write_domains(struct writer *w, struct onward_ruleset__draft *d,
                          size_t table)
{
    uint64_t number = ONWARD_RULESET__COVERED;

    d->domains = onward_core__list_sort(
        d->domains, offsetof(struct onward_ruleset__draft_domain, next),
        is_name_after);
    for (struct onward_ruleset__draft_domain *one = d->domains; one != NULL;
         one = one->next) {
        uint32_t offset = here(w);

        one->number = number++;
        onward_ruleset__put_str(w->out, one->name);
        if (w->out->err != 0)
            return;
        onward_ruleset__store32(w->out->data + table, offset);
        table += 4;
    }
}

int onward_ruleset__draft_write(struct onward_ruleset__draft *draft,
                                const uint64_t key[2], struct onward_buf *out)
{
    struct writer w = {.out = out, .start = out->len, .key = key};
    unsigned bits = literal_bits(draft->counts[ONWARD_RULESET__LITERAL]);
    size_t tables = write_head(&w, draft, bits);

    if (out->err == 0)
        write_domains(&w, draft, out->len - 4 * (size_t)draft->domain_count);
    for (size_t i = 0; i < ONWARD_RULESET__CLASSES; i++) {
        draft->rules[i] = onward_core__list_sort(
            draft->rules[i], offsetof(struct onward_ruleset__draft_rule, next),
            is_after);
        for (struct onward_ruleset__draft_rule *r = draft->rules[i];
             r != NULL && out->err == 0; r = r->next)
            write_rule(&w, r);
    }
    while (out->err == 0 && (out->len - w.start) % 8 != 0)
        onward_core__buf_add_byte(out, 0);
    if (out->err != 0)
        return out->err;
    if (out->len - w.start > UINT32_MAX)
        return ONWARD_ELIMIT;
    onward_ruleset__store32(out->data + w.start,
                            (uint32_t)(out->len - w.start));
    return fill_tables(&w, draft, out->data + tables, bits);
}
