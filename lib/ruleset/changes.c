/*
 * The tree of changes: a trie over hashes, four bits a level, whose nodes hold
 * only the branches that are there.
 */
#include "ruleset/changes_priv.h"

enum { BITS = 4, BRANCHES = 1 << BITS, LEVELS = 64 / BITS };

/* Branch b is at item popcount(mask of the lower ones). At the last level items
 * are changes; above that a branch is a change when its bit is in leaves. */
struct onward_ruleset__twig {
    atomic_size_t owners;
    uint32_t branches, leaves;
    void *items[];
};

/* ---- Life -------------------------------------------------------------- */

struct onward_ruleset__zone *
onward_ruleset__zone_new(struct onward_ctx *ctx, struct onward_str record)
{
    struct onward_ruleset__zone *zone =
        onward_core__alloc(ctx, sizeof(*zone) + record.len);

    if (zone == NULL)
        return NULL;
    zone->ctx = ctx;
    atomic_init(&zone->owners, 1);
    zone->len = record.len;
    memcpy(zone->data, record.data, record.len);
    return zone;
}

static bool is_last(atomic_size_t *owners)
{
    return atomic_fetch_sub_explicit(owners, 1, memory_order_acq_rel) == 1;
}

static void hold(atomic_size_t *owners)
{
    atomic_fetch_add_explicit(owners, 1, memory_order_relaxed);
}

void onward_ruleset__zone_free(struct onward_ruleset__zone *zone)
{
    if (zone != NULL && is_last(&zone->owners))
        onward_core__free(zone->ctx, zone);
}

static void change_free(struct onward_ctx *ctx,
                        struct onward_ruleset__change *c)
{
    while (c != NULL && is_last(&c->owners)) {
        struct onward_ruleset__change *other = c->other;

        onward_ruleset__zone_free(c->zone);
        onward_core__free(ctx, c);
        c = other;
    }
}

struct onward_ruleset__twig *
onward_ruleset__changes_ref(struct onward_ruleset__twig *root)
{
    if (root != NULL)
        hold(&root->owners);
    return root;
}

static unsigned count_bits(uint32_t mask)
{
    unsigned count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

static unsigned place_of(const struct onward_ruleset__twig *t, unsigned branch)
{
    return count_bits(t->branches & ((UINT32_C(1) << branch) - 1));
}

void onward_ruleset__changes_free(struct onward_ctx *ctx,
                                  struct onward_ruleset__twig *root)
{
    unsigned at = 0;

    if (root == NULL || !is_last(&root->owners))
        return;
    for (unsigned b = 0; b < BRANCHES; b++) {
        uint32_t bit = UINT32_C(1) << b;

        if ((root->branches & bit) == 0)
            continue;
        if ((root->leaves & bit) != 0)
            change_free(ctx, root->items[at++]);
        else /* no deeper than LEVELS */
            onward_ruleset__changes_free(ctx, root->items[at++]);
    }
    onward_core__free(ctx, root);
}

/* ---- Looking up -------------------------------------------------------- */

static unsigned branch_of(uint64_t hash, unsigned level)
{
    return (unsigned)(hash >> (64 - BITS * (level + 1))) & (BRANCHES - 1);
}

static bool is_it(const struct onward_ruleset__change *c, uint64_t hash,
                  struct onward_str name)
{
    return c->hash == hash &&
           onward_core__str_eq(onward_core__str(c->name, c->len), name);
}

const struct onward_ruleset__change *
onward_ruleset__changes_find(const struct onward_ruleset__twig *root,
                             struct onward_str name, uint64_t hash)
{
    for (unsigned level = 0; root != NULL; level++) {
        unsigned branch = branch_of(hash, level);
        uint32_t bit = UINT32_C(1) << branch;
        const struct onward_ruleset__change *c;

        if ((root->branches & bit) == 0)
            return NULL;
        if ((root->leaves & bit) == 0) {
            root = root->items[place_of(root, branch)];
            continue;
        }
        c = root->items[place_of(root, branch)];
        while (c != NULL && !is_it(c, hash, name))
            c = c->other;
        return c;
    }
    return NULL;
}

int onward_ruleset__changes_each(
    const struct onward_ruleset__twig *root,
    int (*each)(void *user, const struct onward_ruleset__change *change),
    void *user)
{
    unsigned at = 0;
    int ret = 0;

    for (unsigned b = 0; root != NULL && ret == 0 && b < BRANCHES; b++) {
        uint32_t bit = UINT32_C(1) << b;
        const struct onward_ruleset__change *c;

        if ((root->branches & bit) == 0)
            continue;
        if ((root->leaves & bit) == 0) {
            ret = onward_ruleset__changes_each(root->items[at++], each, user);
            continue;
        }
        for (c = root->items[at++]; c != NULL && ret == 0; c = c->other)
            ret = each(user, c);
    }
    return ret;
}

/* ---- Changing ---------------------------------------------------------- */

static struct onward_ruleset__twig *twig_new(struct onward_ctx *ctx,
                                             uint32_t branches)
{
    struct onward_ruleset__twig *t = onward_core__zalloc(
        ctx, sizeof(*t) + count_bits(branches) * sizeof(t->items[0]));

    if (t == NULL)
        return NULL;
    atomic_init(&t->owners, 1);
    t->branches = branches;
    return t;
}

/* A copy of t with that branch at item, which it takes; the others are held.
 * t may be NULL. */
static struct onward_ruleset__twig *
with_branch(struct onward_ctx *ctx, const struct onward_ruleset__twig *t,
            unsigned branch, void *item, bool is_leaf)
{
    uint32_t bit = UINT32_C(1) << branch;
    struct onward_ruleset__twig *made =
        twig_new(ctx, (t == NULL ? 0 : t->branches) | bit);
    unsigned from = 0, to = 0;

    if (made == NULL)
        return NULL;
    made->leaves = (t == NULL ? 0 : t->leaves & ~bit) | (is_leaf ? bit : 0);
    for (unsigned b = 0; b < BRANCHES; b++) {
        uint32_t one = UINT32_C(1) << b;
        bool was_there = t != NULL && (t->branches & one) != 0;

        if (one == bit) {
            made->items[to++] = item;
        } else if (was_there) {
            void *kept = t->items[from];

            /* Both kinds begin with their owners. */
            hold((atomic_size_t *)kept);
            made->items[to++] = kept;
        }
        from += was_there;
    }
    return made;
}

static struct onward_ruleset__change *
change_new(struct onward_ctx *ctx, struct onward_str name, uint64_t hash,
           struct onward_ruleset__zone *zone)
{
    struct onward_ruleset__change *c =
        onward_core__zalloc(ctx, sizeof(*c) + name.len);

    if (c == NULL)
        return NULL;
    atomic_init(&c->owners, 1);
    c->hash = hash;
    c->zone = zone;
    if (zone != NULL)
        hold(&zone->owners);
    c->len = name.len;
    memcpy(c->name, name.data, name.len);
    return c;
}

/* Those of a chain but the one of that name, copied behind c. */
static int keep_others(struct onward_ctx *ctx,
                       const struct onward_ruleset__change *chain,
                       struct onward_ruleset__change *c)
{
    for (; chain != NULL; chain = chain->other) {
        struct onward_str name = onward_core__str(chain->name, chain->len);
        struct onward_ruleset__change *copy;

        if (is_it(c, chain->hash, name))
            continue;
        copy = change_new(ctx, name, chain->hash, chain->zone);
        if (copy == NULL)
            return ONWARD_ENOMEM;
        copy->other = c->other;
        c->other = copy;
    }
    return 0;
}

/* Both changes below one new twig of that level; each is taken over on
 * success. */
static struct onward_ruleset__twig *
join(struct onward_ctx *ctx, struct onward_ruleset__change *a,
     struct onward_ruleset__change *b, unsigned level)
{
    unsigned at_a = branch_of(a->hash, level);
    unsigned at_b = branch_of(b->hash, level);
    struct onward_ruleset__twig *made, *below;

    if (at_a == at_b) {
        below = join(ctx, a, b, level + 1);
        made = below == NULL ? NULL
                             : with_branch(ctx, NULL, at_a, below, false);
        if (made == NULL && below != NULL) {
            hold(&a->owners); /* they stay the caller's */
            hold(&b->owners);
            onward_ruleset__changes_free(ctx, below);
        }
        return made;
    }
    made = twig_new(ctx, UINT32_C(1) << at_a | UINT32_C(1) << at_b);
    if (made == NULL)
        return NULL;
    made->leaves = made->branches;
    made->items[at_a > at_b] = a;
    made->items[at_a < at_b] = b;
    return made;
}

/* t with c in it, which is taken over on success. t may be NULL. */
static struct onward_ruleset__twig *
set(struct onward_ctx *ctx, const struct onward_ruleset__twig *t,
    struct onward_ruleset__change *c, unsigned level)
{
    unsigned branch = branch_of(c->hash, level);
    uint32_t bit = UINT32_C(1) << branch;
    struct onward_ruleset__twig *below, *made;
    struct onward_ruleset__change *old;

    if (t == NULL || (t->branches & bit) == 0)
        return with_branch(ctx, t, branch, c, true);
    if ((t->leaves & bit) == 0) {
        below = set(ctx, t->items[place_of(t, branch)], c, level + 1);
    } else {
        old = t->items[place_of(t, branch)];
        if (old->hash == c->hash)
            return keep_others(ctx, old, c) != 0
                       ? NULL
                       : with_branch(ctx, t, branch, c, true);
        below = join(ctx, old, c, level + 1);
        if (below != NULL)
            hold(&old->owners);
    }
    made = below == NULL ? NULL : with_branch(ctx, t, branch, below, false);
    if (made == NULL && below != NULL) {
        hold(&c->owners); /* it stays the caller's */
        onward_ruleset__changes_free(ctx, below);
    }
    return made;
}

int onward_ruleset__changes_set(struct onward_ctx *ctx,
                                struct onward_ruleset__twig **root,
                                struct onward_str name, uint64_t hash,
                                struct onward_ruleset__zone *zone)
{
    struct onward_ruleset__change *c = change_new(ctx, name, hash, zone);
    struct onward_ruleset__twig *made;

    if (c == NULL)
        return ONWARD_ENOMEM;
    made = set(ctx, *root, c, 0);
    if (made == NULL) {
        change_free(ctx, c);
        return ONWARD_ENOMEM;
    }
    onward_ruleset__changes_free(ctx, *root);
    *root = made;
    return 0;
}
