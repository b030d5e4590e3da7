/*
 * Rulesets that share what did not change: the zone of a domain in the image
 * and in the changes, zones set and removed, and all of it in one image again.
 */
#include "ruleset/ruleset_priv.h"

/* ---- Looking up -------------------------------------------------------- */

static uint64_t hash_of(const struct onward_ruleset *rs, struct onward_str name)
{
    return onward_core__siphash(rs->image->key, name.data, name.len);
}

int onward_ruleset__zone_of(const struct onward_ruleset *rs,
                            struct onward_str name,
                            struct onward_ruleset__record *rec,
                            uint64_t *number)
{
    uint64_t hash = hash_of(rs, name);
    const struct onward_ruleset__change *c;

    if (rs->changes != NULL) {
        c = onward_ruleset__changes_find(rs->changes, name, hash);
        if (c != NULL && c->zone == NULL)
            return 0;
        if (c != NULL)
            return onward_ruleset__record_open(rec, c->zone->data,
                                               c->zone->len) == 0 &&
                           onward_ruleset__record_has(rec, name, number)
                       ? 1
                       : ONWARD_ELIMIT;
    }
    return onward_ruleset__image_zone(rs->image, name, hash, rec, number);
}

/* Reads that a processor has under way at once. */
enum { UNDER_WAY = 16 };

void onward_ruleset_expect(const struct onward_ruleset *rs,
                           const struct onward_mailbox *const *to, size_t count)
{
    while (count > 0) {
        uint64_t hashes[UNDER_WAY];
        size_t n = count < UNDER_WAY ? count : UNDER_WAY;

        for (size_t i = 0; i < n; i++) {
            hashes[i] = hash_of(rs, onward_address__value(to[i])->domain_ascii);
            onward_ruleset__image_expect_slot(rs->image, hashes[i]);
        }
        for (size_t i = 0; i < n; i++)
            onward_ruleset__image_expect_zone(rs->image, hashes[i]);
        to += n;
        count -= n;
    }
}

struct walk {
    const struct onward_ruleset *rs;
    int (*each)(void *user, const struct onward_ruleset__record *rec);
    void *user;
};

/* A zone is met once: under its own name. */
static int visit_change(void *user, const struct onward_ruleset__change *c)
{
    struct walk *walk = user;
    struct onward_ruleset__record rec;

    if (c->zone == NULL)
        return 0;
    if (onward_ruleset__record_open(&rec, c->zone->data, c->zone->len) != 0)
        return ONWARD_ELIMIT;
    if (!onward_core__str_eq(rec.name, onward_core__str(c->name, c->len)))
        return 0;
    return walk->each(walk->user, &rec);
}

int onward_ruleset__each_zone(
    const struct onward_ruleset *rs,
    int (*each)(void *user, const struct onward_ruleset__record *rec),
    void *user)
{
    struct walk walk = {rs, each, user};
    struct onward_ruleset__record rec;
    uint64_t at = 0;
    int ret;

    while ((ret = onward_ruleset__image_next(rs->image, &at, &rec)) == 1) {
        if (rs->changes != NULL &&
            onward_ruleset__changes_find(rs->changes, rec.name,
                                         hash_of(rs, rec.name)) != NULL)
            continue;
        ret = each(user, &rec);
        if (ret != 0)
            return ret;
    }
    if (ret != 0)
        return ret;
    return onward_ruleset__changes_each(rs->changes, visit_change, &walk);
}

/* ---- Changing ---------------------------------------------------------- */

/* Another ruleset that is equal. */
static int share(struct onward_ruleset *rs, struct onward_ruleset **made)
{
    int err = onward_ruleset__wrap(onward_ruleset__image_ref(rs->image), made);

    if (err != 0) {
        onward_ruleset__image_free(rs->image);
        return err;
    }
    (*made)->changes = onward_ruleset__changes_ref(rs->changes);
    (*made)->zone_count = rs->zone_count;
    (*made)->rule_count = rs->rule_count;
    (*made)->has_wildcard = rs->has_wildcard;
    return 0;
}

static uint64_t rules_of(const struct onward_ruleset__record *rec)
{
    return (uint64_t)rec->literal_count + rec->filter_count + rec->catch_count;
}

/* All domains of rec now belong to zone, or to none. */
static int set_domains(struct onward_ruleset *rs,
                       const struct onward_ruleset__record *rec,
                       struct onward_ruleset__zone *zone)
{
    int err = onward_ruleset__changes_set(rs->ctx, &rs->changes, rec->name,
                                          hash_of(rs, rec->name), zone);

    for (uint32_t i = 0; err == 0 && i < rec->domain_count; i++) {
        struct onward_str name = onward_ruleset__record_domain(rec, i);

        err = onward_ruleset__changes_set(rs->ctx, &rs->changes, name,
                                          hash_of(rs, name), zone);
    }
    return err;
}

/* The zone of that very name: 1, 0, or ONWARD_ELIMIT. */
static int find_own(const struct onward_ruleset *rs, struct onward_str name,
                    struct onward_ruleset__record *rec)
{
    uint64_t number;
    int ret = onward_ruleset__zone_of(rs, name, rec, &number);

    return ret == 1 ? number == ONWARD_RULESET__OWN : ret;
}

static int remove_zone(struct onward_ruleset *rs,
                       const struct onward_ruleset__record *old)
{
    int err = set_domains(rs, old, NULL);

    if (err == 0) {
        rs->zone_count--;
        rs->rule_count -= rules_of(old);
    }
    return err;
}

static void say_taken(struct onward_ruleset *rs,
                      struct onward_ruleset_fault *fault,
                      struct onward_str domain, struct onward_str by)
{
    struct onward_buf text;

    onward_core__buf_init(&text, rs->ctx, sizeof(fault->text) - 1);
    onward_core__escape(&text, domain, 100);
    onward_core__buf_add_text(&text, " is taken by the zone ");
    onward_core__escape(&text, by, 100);
    if (text.err == 0) {
        fault->line = 1;
        memcpy(fault->text, text.data, text.len);
    }
    onward_core__buf_clear(&text);
}

/* No domain of rec may be another zone's. */
static int check_free(struct onward_ruleset *rs,
                      const struct onward_ruleset__record *rec,
                      struct onward_ruleset_fault *fault)
{
    struct onward_str name = rec->name;

    for (uint32_t i = 0;; i++) {
        struct onward_ruleset__record other;
        uint64_t number;
        int ret = onward_ruleset__zone_of(rs, name, &other, &number);

        if (ret < 0)
            return ret;
        if (ret == 1) {
            say_taken(rs, fault, name, other.name);
            return ONWARD_ESYNTAX;
        }
        if (i == rec->domain_count)
            return 0;
        name = onward_ruleset__record_domain(rec, i);
    }
}

/* rs is not shared yet. */
static int put_zone(struct onward_ruleset *rs,
                    struct onward_ruleset__zone *zone,
                    struct onward_ruleset_fault *fault)
{
    struct onward_ruleset__record rec, old;
    int ret = onward_ruleset__record_open(&rec, zone->data, zone->len);

    if (ret == 0)
        ret = find_own(rs, rec.name, &old);
    if (ret == 1)
        ret = remove_zone(rs, &old);
    if (ret == 0)
        ret = check_free(rs, &rec, fault);
    if (ret == 0)
        ret = set_domains(rs, &rec, zone);
    if (ret != 0)
        return ret;
    onward_ruleset__verify_record(rs->image, &rec, zone->data);
    rs->zone_count++;
    rs->rule_count += rules_of(&rec);
    if ((rec.flags & ONWARD_RULESET__ZONE_WILDCARD) != 0)
        rs->has_wildcard = true;
    return 0;
}

int onward_ruleset__set_zone(struct onward_ruleset *rs,
                             struct onward_str record,
                             struct onward_ruleset_fault *fault,
                             struct onward_ruleset **made)
{
    struct onward_ruleset__zone *zone =
        onward_ruleset__zone_new(rs->ctx, record);
    struct onward_ruleset *next = NULL;
    int err = zone == NULL ? ONWARD_ENOMEM : share(rs, &next);

    if (err == 0)
        err = put_zone(next, zone, fault);
    onward_ruleset__zone_free(zone);
    if (err != 0) {
        onward_ruleset_free(next);
        return err;
    }
    *made = next;
    return 0;
}

int onward_ruleset_without_zone(struct onward_ruleset *rs,
                                struct onward_str name,
                                struct onward_ruleset **made)
{
    struct onward_ruleset__record old;
    struct onward_ruleset *next = NULL;
    int ret = find_own(rs, name, &old);

    if (ret != 1)
        return ret == 0 ? ONWARD_ENOENT : ret;
    ret = share(rs, &next);
    if (ret == 0)
        ret = remove_zone(next, &old);
    if (ret != 0) {
        onward_ruleset_free(next);
        return ret;
    }
    *made = next;
    return 0;
}

/* ---- In one piece ------------------------------------------------------ */

static int copy_zone(void *user, const struct onward_ruleset__record *rec)
{
    struct onward_ruleset__build *build = user;
    struct onward_ruleset__record by;
    struct onward_str taken;
    size_t start = build->zones.len;
    int err = onward_core__buf_add(&build->zones, rec->data, rec->size);

    if (err == 0)
        err = onward_ruleset__build_zone(build, start, &taken, &by);
    return err == ONWARD_ESTATE ? ONWARD_ELIMIT : err;
}

static int copy_addresses(struct onward_ruleset__build *build,
                          const struct onward_ruleset__image *image)
{
    enum onward_ruleset_state state;
    struct onward_str address;
    uint64_t at = 0;
    int ret;

    while ((ret = onward_ruleset__image_next_address(image, &at, &address,
                                                     &state)) == 1) {
        ret = onward_ruleset__build_address(build, address, state);
        if (ret != 0)
            return ret == ONWARD_ESTATE ? ONWARD_ELIMIT : ret;
    }
    return ret;
}

/* The hash tables inside of records stay right, as the key stays. */
int onward_ruleset_compact(struct onward_ruleset *rs,
                           struct onward_ruleset **made)
{
    struct onward_ruleset__image *image = NULL;
    struct onward_ruleset__build build;
    int err = onward_ruleset__build_init(&build, rs->ctx, rs->image->key);

    if (err != 0)
        return err;
    err = onward_ruleset__each_zone(rs, copy_zone, &build);
    if (err == 0)
        err = copy_addresses(&build, rs->image);
    if (err != 0) {
        onward_ruleset__build_clear(&build);
        return err;
    }
    err = onward_ruleset__build_end(&build, &image);
    if (err == 0)
        err = onward_ruleset__wrap(image, made);
    if (err != 0 && image != NULL)
        onward_ruleset__image_free(image);
    return err;
}
