/*
 * Records that were loaded as text: names in a table, each with its types.
 * Knows names that only have names below them (RFC 8020) and wildcards
 * (RFC 4592).
 */
#include "dns/dns_priv.h"

enum { RECORDS_MEMORY_MAX = 64 << 20 };

struct record {
    struct record *next;
    struct onward_str rdata;
};

/* What the lines say of one name and type. */
struct set {
    struct set *next;
    struct record *first, **last;
    uint32_t ttl_s;
    uint16_t type;
    bool is_secure;
    enum onward_dns__mark failure;
};

struct node {
    struct onward_core__node node;
    struct onward_str name; /* wire form */
    struct set *sets;
    bool exists; /* false: only a !SECURE line speaks of it */
};

int onward_dns__records_init(struct onward_dns__records *records,
                             struct onward_ctx *ctx)
{
    onward_core__arena_init(&records->arena, ctx, RECORDS_MEMORY_MAX);
    return onward_core__table_init(&records->nodes, ctx);
}

void onward_dns__records_clear(struct onward_dns__records *records)
{
    onward_core__table_clear(&records->nodes);
    onward_core__arena_clear(&records->arena);
}

/* ---- Adding ------------------------------------------------------------ */

static struct node *find_node(const struct onward_dns__records *records,
                              struct onward_str name)
{
    struct onward_core__node *n;

    n = onward_core__table_find(
        &records->nodes,
        onward_core__hash(records->arena.ctx, name.data, name.len));
    for (; n != NULL; n = onward_core__table_find_next(n)) {
        struct node *node = ONWARD_CONTAINER(n, struct node, node);

        if (onward_core__str_eq(node->name, name))
            return node;
    }
    return NULL;
}

static struct node *make_node(struct onward_dns__records *records,
                              struct onward_str name)
{
    struct node *node = find_node(records, name);

    if (node != NULL)
        return node;
    node = onward_core__arena_alloc(&records->arena, sizeof(*node));
    if (node == NULL ||
        onward_core__arena_dup(&records->arena, name, &node->name) < 0)
        return NULL;
    onward_core__table_add(
        &records->nodes, &node->node,
        onward_core__hash(records->arena.ctx, name.data, name.len));
    return node;
}

static struct onward_str parent_of(struct onward_str name)
{
    return onward_core__sub(name, 1u + (unsigned char)name.data[0], name.len);
}

/* The name and all above it exist, with or without records. */
static int make_path(struct onward_dns__records *records,
                     struct onward_str name)
{
    for (; name.len > 1; name = parent_of(name)) {
        struct node *node = make_node(records, name);

        if (node == NULL)
            return ONWARD_ENOMEM;
        if (node->exists)
            return 0; /* so do those above it */
        node->exists = true;
    }
    return 0;
}

static struct set *find_set(const struct node *node, uint16_t type)
{
    struct set *set = node->sets;

    while (set != NULL && set->type != type)
        set = set->next;
    return set;
}

static struct set *make_set(struct onward_dns__records *records,
                            struct node *node, uint16_t type)
{
    struct set *set = find_set(node, type);

    if (set != NULL)
        return set;
    set = onward_core__arena_alloc(&records->arena, sizeof(*set));
    if (set == NULL)
        return NULL;
    set->type = type;
    set->ttl_s = UINT32_MAX;
    set->last = &set->first;
    set->next = node->sets;
    node->sets = set;
    return set;
}

int onward_dns__records_add(struct onward_dns__records *records,
                            const struct onward_dns__line *line)
{
    struct onward_str name =
        onward_core__str(line->owner.octets, line->owner.len);
    struct node *node = make_node(records, name);
    struct set *set;
    struct record *record;

    set = node == NULL ? NULL : make_set(records, node, line->type);
    if (set == NULL)
        return ONWARD_ENOMEM;
    if (line->mark == ONWARD_DNS__MARK_SECURE) {
        set->is_secure = true;
        return 0;
    }
    if (line->mark == ONWARD_DNS__MARK_NONE) {
        record = onward_core__arena_alloc(&records->arena, sizeof(*record));
        if (record == NULL ||
            onward_core__arena_dup(&records->arena,
                                   onward_core__buf_str(&line->rdata),
                                   &record->rdata) < 0)
            return ONWARD_ENOMEM;
        *set->last = record;
        set->last = &record->next;
        if (line->ttl_s < set->ttl_s)
            set->ttl_s = line->ttl_s;
    } else {
        set->failure = line->mark;
    }
    return make_path(records, name);
}

/* ---- Finding ----------------------------------------------------------- */

/*
 * The node that answers for name: its own, or the wildcard below the closest
 * name above that exists (RFC 4592 section 3.3.1).
 */
static const struct node *answering(const struct onward_dns__records *records,
                                    struct onward_str name)
{
    const struct node *node = find_node(records, name);

    if (node != NULL && node->exists)
        return node;
    while (name.len > 1) {
        struct onward_dns__name star = {.len = 2, .octets = {1, '*'}};

        name = parent_of(name);
        node = find_node(records, name);
        if (name.len > 1 && (node == NULL || !node->exists))
            continue;
        if (name.len > ONWARD_DNS_NAME_MAX - star.len)
            return NULL;
        memcpy(star.octets + star.len, name.data, name.len);
        node = find_node(records,
                         onward_core__str(star.octets, star.len + name.len));
        return node != NULL && node->exists ? node : NULL;
    }
    return NULL;
}

static bool says_secure(const struct node *node, uint16_t type)
{
    const struct set *set = find_set(node, type);
    const struct set *any = find_set(node, ONWARD_DNS_TYPE_ANY);

    return (set != NULL && set->is_secure) || (any != NULL && any->is_secure);
}

static enum onward_dns__status status_of(enum onward_dns__mark failure)
{
    switch (failure) {
    case ONWARD_DNS__MARK_BOGUS:
        return ONWARD_DNS__BOGUS;
    case ONWARD_DNS__MARK_NODATA:
        return ONWARD_DNS__NODATA;
    case ONWARD_DNS__MARK_SERVFAIL:
    case ONWARD_DNS__MARK_TIMEOUT:
    case ONWARD_DNS__MARK_NONE:
    case ONWARD_DNS__MARK_SECURE:
        break;
    }
    return ONWARD_DNS__TEMP;
}

static void lower_ttl(struct onward_dns__found *found, uint32_t ttl_s)
{
    if (ttl_s < found->ttl_s)
        found->ttl_s = ttl_s;
}

/* 1: found has the answer; 0: found->name became the target of a CNAME. */
static int find_in(const struct node *node, uint16_t type,
                   struct onward_dns__builder *b,
                   struct onward_dns__found *found)
{
    const struct set *set = find_set(node, type);
    const struct set *cname = find_set(node, ONWARD_DNS_CNAME);
    const struct set *any = find_set(node, ONWARD_DNS_TYPE_ANY);

    if (set != NULL && set->failure != ONWARD_DNS__MARK_NONE) {
        found->status = status_of(set->failure);
    } else if (set != NULL && set->first != NULL) {
        found->status = ONWARD_DNS__OK;
        lower_ttl(found, set->ttl_s);
        for (struct record *r = set->first; r != NULL; r = r->next) {
            int err = onward_dns__builder_add(
                b, type, (const uint8_t *)r->rdata.data, r->rdata.len);

            if (err < 0)
                return err;
        }
    } else if (cname != NULL && cname->first != NULL) {
        struct onward_str target = cname->first->rdata;

        lower_ttl(found, cname->ttl_s);
        found->is_secure =
            found->is_secure && says_secure(node, ONWARD_DNS_CNAME);
        memcpy(found->name.octets, target.data, target.len);
        found->name.len = target.len;
        return 0;
    } else if (any != NULL && any->failure != ONWARD_DNS__MARK_NONE) {
        found->status = status_of(any->failure);
    } else {
        found->status = ONWARD_DNS__NODATA;
    }
    found->is_secure = found->is_secure && says_secure(node, type);
    return 1;
}

int onward_dns__records_find(const struct onward_dns__records *records,
                             const struct onward_dns__name *name, uint16_t type,
                             bool is_alone, struct onward_dns__builder *b,
                             struct onward_dns__found *found)
{
    memset(found, 0, sizeof(*found));
    found->name = *name;
    found->ttl_s = UINT32_MAX;
    found->is_secure = true;
    for (;;) {
        struct onward_str at =
            onward_core__str(found->name.octets, found->name.len);
        const struct node *node = answering(records, at);
        int r;

        if (node == NULL && !is_alone) {
            found->is_chase = found->hops != 0;
            return found->is_chase ? 1 : 0;
        }
        if (node == NULL) {
            node = find_node(records, at); /* only a !SECURE line */
            found->status = ONWARD_DNS__NXDOMAIN;
            found->is_secure =
                found->is_secure && node != NULL && says_secure(node, type);
            return 1;
        }
        r = find_in(node, type, b, found);
        if (r != 0)
            return r;
        if (++found->hops > ONWARD_DNS_CNAME_MAX)
            return ONWARD_ELIMIT;
    }
}
