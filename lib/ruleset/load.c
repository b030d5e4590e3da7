/*
 * A rules text from the top: zones, their settings, and addresses. All zones
 * are known before the first rule is read, so that a rule cannot take an
 * address out of a zone that stands further down.
 */
#include "ruleset/ruleset_priv.h"

/* What the product's API tells about a zone beyond what we use. */
static const char *const zone_extras[] = {"id",          "tag",     "created",
                                          "modified",    "status",
                                          "skip_wizard", NULL};

/* ---- Zones ------------------------------------------------------------- */

/* An export's settings hold the zone's name and state, too. */
static int read_settings(struct loader *l, const struct onward_json *v,
                         struct zone *zone, const struct onward_json **name)
{
    static const char *const known[] = {"support_subaddress", "fold_local",
                                        "name",               "enabled",
                                        "comment",            NULL};
    int err = onward_ruleset__check_keys(l, v, known, zone_extras);

    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "support_subaddress",
                                       &zone->support_subaddress);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "fold_local", &zone->fold_local);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "enabled", &zone->is_enabled);
    if (err == 0 && onward_json__get(v, "name") != NULL)
        err = onward_ruleset__require(l, v, "name", ONWARD_JSON_STRING, name);
    return err;
}

static int zone_name(struct loader *l, const struct onward_json *v,
                     struct onward_str *name)
{
    int err = onward_core__domain_to_ascii(&l->json, v->text, name);

    if (err == ONWARD_ESYNTAX || (err == 0 && name->len == 0))
        return onward_ruleset__fail(l, v, "not a domain", "a domain name");
    return err;
}

static int add_zone(struct loader *l, struct zone *zone,
                    const struct onward_json *at)
{
    struct onward_str name;
    struct domain *d;
    int err = zone_name(l, at, &name);

    if (err != 0)
        return err;
    if (onward_ruleset__find_domain(l->rs, name) != NULL)
        return onward_ruleset__fail(l, at, "a zone for the second time",
                                    "each once");
    d = onward_ruleset__add_domain(l->rs, name, zone, true);
    if (d == NULL)
        return ONWARD_ENOMEM;
    zone->name = d->name;
    l->rs->zone_count++;
    return 0;
}

/* The zone's name stands in the zone or in its settings; if in both, it must be
 * the same. */
static int check_names(struct loader *l, const struct onward_json *a,
                       const struct onward_json *b)
{
    struct onward_str first;
    struct onward_str second;
    int err = zone_name(l, a, &first);

    if (err == 0)
        err = zone_name(l, b, &second);
    if (err == 0 && !onward_core__str_eq(first, second))
        err = onward_ruleset__fail(l, b, "another name",
                                   "the name of the zone");
    return err;
}

static int read_zone_head(struct loader *l, const struct onward_json *v,
                          struct zone *zone)
{
    static const char *const known[] = {
        "name",     "enabled",   "settings", "support_subaddress",
        "rules",    "catch_all", "comment",  NULL};
    const struct onward_json *settings = NULL;
    const struct onward_json *inner = NULL;
    const struct onward_json *name = NULL;
    int err = onward_ruleset__check_keys(l, v, known, zone_extras);

    zone->is_enabled = true;
    if (err == 0 && onward_json__get(v, "settings") != NULL) {
        err = onward_ruleset__unwrap(l, onward_json__get(v, "settings"),
                                     &settings);
        if (err == 0)
            err = read_settings(l, settings, zone, &inner);
    }
    if (err == 0 && (inner == NULL || onward_json__get(v, "name") != NULL))
        err = onward_ruleset__require(l, v, "name", ONWARD_JSON_STRING, &name);
    if (err == 0 && inner != NULL && name != NULL)
        err = check_names(l, name, inner);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "support_subaddress",
                                       &zone->support_subaddress);
    if (err == 0)
        err = onward_ruleset__get_bool(l, v, "enabled", &zone->is_enabled);
    return err == 0 ? add_zone(l, zone, name != NULL ? name : inner) : err;
}

static int read_zone_rules(struct loader *l, const struct onward_json *v,
                           struct zone *zone)
{
    const struct onward_json *rules = onward_json__get(v, "rules");
    const struct onward_json *catch_all = onward_json__get(v, "catch_all");
    size_t index = 0;
    int err = 0;

    if (rules != NULL) {
        err = onward_ruleset__unwrap(l, rules, &rules);
        if (err == 0)
            err = onward_ruleset__want(l, rules, ONWARD_JSON_ARRAY);
        if (err != 0)
            return err;
        for (const struct onward_json *m = rules->first; m != NULL;
             m = m->next) {
            err = onward_ruleset__read_rule(l, zone, m, index++);
            if (err != 0)
                return err;
        }
    }
    if (catch_all != NULL && catch_all->type != ONWARD_JSON_NULL) {
        err = onward_ruleset__unwrap(l, catch_all, &catch_all);
        if (err == 0)
            err = onward_ruleset__read_rule(l, zone, catch_all,
                                            ONWARD_RULESET_CATCH_ALL);
    }
    return err;
}

static int read_zones(struct loader *l, const struct onward_json *v)
{
    struct zone *zones;
    size_t i = 0;
    int err = onward_ruleset__unwrap(l, v, &v);

    if (err == 0)
        err = onward_ruleset__want(l, v, ONWARD_JSON_ARRAY);
    if (err != 0 || v->count == 0)
        return err;
    zones = onward_core__arena_array(&l->rs->arena, v->count, sizeof(*zones));
    if (zones == NULL)
        return ONWARD_ENOMEM;
    for (const struct onward_json *m = v->first; m != NULL && err == 0;
         m = m->next)
        err = read_zone_head(l, m, &zones[i++]);
    i = 0;
    for (const struct onward_json *m = v->first; m != NULL && err == 0;
         m = m->next)
        err = read_zone_rules(l, m, &zones[i++]);
    return err;
}

/* ---- Addresses --------------------------------------------------------- */

/* Does the text begin as a time stamp of RFC 3339 does? */
static bool is_time_stamp(struct onward_str s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";

    if (s.len < sizeof(form)) /* and at least a Z */
        return false;
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (form[i] == 'd' ? !onward_ascii_is_digit(c)
                           : c != (unsigned char)form[i])
            return false;
    }
    return true;
}

static int read_verified(struct loader *l, const struct onward_json *v,
                         bool *is_verified)
{
    if (v == NULL || v->type == ONWARD_JSON_NULL ||
        v->type == ONWARD_JSON_FALSE)
        return 0;
    if (v->type != ONWARD_JSON_TRUE &&
        (v->type != ONWARD_JSON_STRING || !is_time_stamp(v->text)))
        return onward_ruleset__fail(l, v, "no state of verification",
                                    "null, false, true or a time stamp");
    *is_verified = true;
    return 0;
}

static int read_address(struct loader *l, const struct onward_json *v)
{
    static const char *const known[] = {"email", "verified", "comment", NULL};
    static const char *const ignored[] = {"id", "tag", "created", "modified",
                                          NULL};
    const struct onward_json *email = NULL;
    struct destination *d = NULL;
    int err = onward_ruleset__check_keys(l, v, known, ignored);

    if (err == 0)
        err =
            onward_ruleset__require(l, v, "email", ONWARD_JSON_STRING, &email);
    if (err == 0)
        err = onward_ruleset__read_destination(l, email, &d);
    if (err != 0)
        return err;
    if (d->is_listed)
        return onward_ruleset__fail(l, email, "an address for the second time",
                                    "each once");
    d->is_listed = true;
    return read_verified(l, onward_json__get(v, "verified"), &d->is_verified);
}

static int read_addresses(struct loader *l, const struct onward_json *v)
{
    int err = onward_ruleset__unwrap(l, v, &v);

    if (err == 0)
        err = onward_ruleset__want(l, v, ONWARD_JSON_ARRAY);
    if (err != 0)
        return err;
    for (const struct onward_json *m = v->first; m != NULL; m = m->next) {
        err = read_address(l, m);
        if (err != 0)
            return err;
    }
    return 0;
}

/* ---- The text ---------------------------------------------------------- */

static int check_version(struct loader *l, const struct onward_json *root)
{
    const struct onward_json *version = NULL;
    int64_t number = 0;
    int err = onward_ruleset__require(l, root, "version", ONWARD_JSON_NUMBER,
                                      &version);

    if (err == 0 && (onward_json__int(version, &number) != 0 || number != 1))
        err = onward_ruleset__fail(l, version, "another version", "1");
    return err;
}

int onward_ruleset__read(struct loader *l, const struct onward_json *root)
{
    static const char *const known[] = {"version", "zones", "addresses",
                                        "comment", NULL};
    static const char *const ignored[] = {NULL};
    const struct onward_json *zones = onward_json__get(root, "zones");
    const struct onward_json *addresses = onward_json__get(root, "addresses");
    int err = onward_ruleset__check_keys(l, root, known, ignored);

    if (err == 0)
        err = check_version(l, root);
    if (err == 0 && zones != NULL)
        err = read_zones(l, zones);
    if (err == 0 && addresses != NULL)
        err = read_addresses(l, addresses);
    return err;
}
