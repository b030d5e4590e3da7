/*
 * A rules text from the top: zones, their settings, and addresses. Zones are
 * taken out of the text one by one, so the memory that a text takes is that of
 * its largest zone.
 */
#include "ruleset/ruleset_priv.h"

/* What the product's API tells about a zone beyond what we use. */
static const char *const zone_extras[] = {"id",          "tag",     "created",
                                          "modified",    "status",
                                          "skip_wizard", NULL};

/* ---- Settings ---------------------------------------------------------- */

static int set_flag(struct loader *l, const struct onward_json *v,
                    const char *key, unsigned flag)
{
    bool is_set = (l->draft.flags & flag) != 0;
    int err = onward_ruleset__get_bool(l, v, key, &is_set);

    l->draft.flags = is_set ? l->draft.flags | flag : l->draft.flags & ~flag;
    return err;
}

static int read_separators(struct loader *l, const struct onward_json *v)
{
    const struct onward_json *m = onward_json__get(v, "subaddress_separators");
    int err = onward_ruleset__get_string(l, v, "subaddress_separators",
                                         &l->draft.separators);

    if (err != 0 || m == NULL)
        return err;
    for (size_t i = 0; i < m->text.len; i++) {
        char c = m->text.data[i];

        if (c <= ' ' || c > '~' || c == '@' ||
            onward_ascii_is_alnum((unsigned char)c))
            return onward_ruleset__fail(l, m, "a separator that is none",
                                        "some of +-_.=#");
    }
    if (m->text.len == 0 || m->text.len > 8)
        return onward_ruleset__fail(l, m, "no list of separators",
                                    "1 to 8 characters");
    l->draft.flags |= ONWARD_RULESET__ZONE_SUBADDRESS;
    return 0;
}

static int read_match(struct loader *l, const struct onward_json *v)
{
    const struct onward_json *m = onward_json__get(v, "match");
    struct onward_str word = ONWARD_STR("first");
    int err = onward_ruleset__get_string(l, v, "match", &word);

    if (err != 0)
        return err;
    if (onward_core__str_eq(word, ONWARD_STR("all")))
        l->draft.flags |= ONWARD_RULESET__ZONE_ALL;
    else if (!onward_core__str_eq(word, ONWARD_STR("first")))
        return onward_ruleset__fail(l, m, "unknown match mode",
                                    "first or all");
    return 0;
}

/* Names that the zone covers, or "*". */
static int read_subdomains(struct loader *l, const struct onward_json *v)
{
    const struct onward_json *list = onward_json__get(v, "subdomains");
    int err = list == NULL
                  ? 0
                  : onward_ruleset__want(l, list, ONWARD_JSON_ARRAY);

    if (err != 0 || list == NULL)
        return err;
    for (const struct onward_json *m = list->first; m != NULL; m = m->next) {
        struct onward_str name;

        err = onward_ruleset__want(l, m, ONWARD_JSON_STRING);
        if (err != 0)
            return err;
        if (onward_core__str_eq(m->text, ONWARD_STR("*"))) {
            l->draft.flags |= ONWARD_RULESET__ZONE_WILDCARD;
            continue;
        }
        err = onward_ruleset__read_domain(l, m, m->text, &name);
        if (err != 0)
            return err;
        if (!onward_core__domain_is_within(name, l->draft.name) ||
            name.len == l->draft.name.len)
            return onward_ruleset__fail(l, m, "a domain outside the zone",
                                        "one below it");
        if (onward_ruleset__draft_domain(&l->draft, name) == NULL)
            return ONWARD_ENOMEM;
    }
    return 0;
}

/* An export's settings hold the zone's name and state, too. */
static int read_settings(struct loader *l, const struct onward_json *v,
                         const struct onward_json **name)
{
    static const char *const known[] = {
        "support_subaddress", "subaddress_separators", "fold_local", "match",
        "subdomains",         "name",                  "enabled",    "comment",
        NULL};
    int err = onward_ruleset__check_keys(l, v, known, zone_extras);

    if (err == 0)
        err = read_separators(l, v);
    if (err == 0)
        err = set_flag(l, v, "support_subaddress",
                       ONWARD_RULESET__ZONE_SUBADDRESS);
    if (err == 0)
        err = set_flag(l, v, "fold_local", ONWARD_RULESET__ZONE_FOLD);
    if (err == 0)
        err = set_flag(l, v, "enabled", ONWARD_RULESET__ZONE_ENABLED);
    if (err == 0)
        err = read_match(l, v);
    if (err == 0 && onward_json__get(v, "name") != NULL)
        err = onward_ruleset__require(l, v, "name", ONWARD_JSON_STRING, name);
    return err;
}

/* ---- Zones ------------------------------------------------------------- */

/* The zone's name stands in the zone or in its settings; if in both, it must be
 * the same. */
static int read_name(struct loader *l, const struct onward_json *outer,
                     const struct onward_json *inner)
{
    const struct onward_json *name = outer != NULL ? outer : inner;
    struct onward_str again;
    int err =
        onward_ruleset__read_domain(l, name, name->text, &l->draft.name);

    if (err != 0 || outer == NULL || inner == NULL)
        return err;
    err = onward_ruleset__read_domain(l, inner, inner->text, &again);
    if (err == 0 && !onward_core__str_eq(again, l->draft.name))
        err = onward_ruleset__fail(l, inner, "another name",
                                   "the name of the zone");
    return err;
}

static int read_zone_head(struct loader *l, const struct onward_json *v)
{
    static const char *const known[] = {
        "name",     "enabled",   "settings", "support_subaddress",
        "rules",    "catch_all", "comment",  NULL};
    const struct onward_json *settings = NULL;
    const struct onward_json *inner = NULL;
    const struct onward_json *name = NULL;
    int err = onward_ruleset__check_keys(l, v, known, zone_extras);

    l->draft.flags = ONWARD_RULESET__ZONE_ENABLED;
    if (err == 0 && onward_json__get(v, "settings") != NULL) {
        err = onward_ruleset__unwrap(l, onward_json__get(v, "settings"),
                                     &settings);
        if (err == 0)
            err = read_settings(l, settings, &inner);
    }
    if (err == 0 && (inner == NULL || onward_json__get(v, "name") != NULL))
        err = onward_ruleset__require(l, v, "name", ONWARD_JSON_STRING, &name);
    if (err == 0)
        err = set_flag(l, v, "support_subaddress",
                       ONWARD_RULESET__ZONE_SUBADDRESS);
    if (err == 0)
        err = set_flag(l, v, "enabled", ONWARD_RULESET__ZONE_ENABLED);
    if (err == 0)
        err = read_name(l, name, inner);
    if (err == 0 && settings != NULL)
        err = read_subdomains(l, settings);
    l->does_fold = (l->draft.flags & ONWARD_RULESET__ZONE_FOLD) != 0;
    return err;
}

static int read_zone_rules(struct loader *l, const struct onward_json *v)
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
            err = onward_ruleset__read_rule(l, m, index++);
            if (err != 0)
                return err;
        }
    }
    if (catch_all != NULL && catch_all->type != ONWARD_JSON_NULL) {
        err = onward_ruleset__unwrap(l, catch_all, &catch_all);
        if (err == 0)
            err = onward_ruleset__read_rule(l, catch_all,
                                            ONWARD_RULESET_CATCH_ALL);
    }
    return err;
}

int onward_ruleset__read_zone(struct loader *l, const struct onward_json *v,
                              const uint64_t key[2], struct onward_buf *out)
{
    int err;

    onward_ruleset__draft_reset(&l->draft);
    err = read_zone_head(l, v);
    if (err == 0)
        err = read_zone_rules(l, v);
    if (err == 0)
        err = onward_ruleset__draft_write(&l->draft, key, out);
    if (err == ONWARD_ELIMIT && !l->has_fault)
        err = onward_ruleset__fail(l, v, "too many rules for one address",
                                   "4096 at most");
    return err;
}

/* A zone or a domain that it covers is another zone's. */
static int refuse_taken(struct loader *l, const struct onward_json *v,
                        struct onward_str taken,
                        const struct onward_ruleset__record *by)
{
    const struct onward_json *name = onward_json__get(v, "name");
    struct onward_buf found;
    int err;

    if (onward_core__str_eq(taken, by->name) &&
        onward_core__str_eq(taken, l->draft.name))
        return onward_ruleset__fail(l, name != NULL ? name : v,
                                    "a zone for the second time", "each once");
    onward_core__buf_init(&found, l->ctx, 1024);
    onward_core__buf_add_str(&found, taken);
    onward_core__buf_add_text(&found, ", which the zone ");
    onward_core__buf_add_str(&found, by->name);
    onward_core__buf_add_text(&found, " takes");
    err = onward_core__buf_add_byte(&found, '\0');
    if (err == 0)
        err = onward_ruleset__fail(l, v, (const char *)found.data,
                                   "each domain in one zone");
    onward_core__buf_clear(&found);
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
                         enum onward_ruleset_state *state)
{
    if (v == NULL || v->type == ONWARD_JSON_NULL ||
        v->type == ONWARD_JSON_FALSE)
        return 0;
    if (v->type != ONWARD_JSON_TRUE &&
        (v->type != ONWARD_JSON_STRING || !is_time_stamp(v->text)))
        return onward_ruleset__fail(l, v, "no state of verification",
                                    "null, false, true or a time stamp");
    *state = ONWARD_RULESET_STATE_VERIFIED;
    return 0;
}

/* "status" takes back what "verified" says. */
static int read_status(struct loader *l, const struct onward_json *v,
                       enum onward_ruleset_state *state)
{
    const struct onward_json *m = onward_json__get(v, "status");
    struct onward_str word = ONWARD_STR("verified");
    int err = onward_ruleset__get_string(l, v, "status", &word);

    if (err != 0 || m == NULL)
        return err;
    if (onward_core__str_eq(word, ONWARD_STR("revoked")))
        *state = ONWARD_RULESET_STATE_REVOKED;
    else if (onward_core__str_eq(word, ONWARD_STR("unverified")))
        *state = ONWARD_RULESET_STATE_PENDING;
    else if (!onward_core__str_eq(word, ONWARD_STR("verified")))
        return onward_ruleset__fail(l, m, "unknown status",
                                    "verified, unverified or revoked");
    return 0;
}

/* `*@example.net` speaks for all of a domain. */
static int read_email(struct loader *l, const struct onward_json *v,
                      struct onward_str *out)
{
    struct onward_str domain;
    char *text;
    int err = onward_ruleset__want(l, v, ONWARD_JSON_STRING);

    if (err != 0 || !onward_core__str_starts(v->text, ONWARD_STR("*@")))
        return err != 0 ? err : onward_ruleset__read_destination(l, v, out);
    err = onward_ruleset__read_domain(
        l, v, onward_core__sub(v->text, 2, v->text.len), &domain);
    if (err != 0)
        return err;
    text = onward_core__arena_alloc(&l->draft.arena, 2 + domain.len);
    if (text == NULL)
        return ONWARD_ENOMEM;
    memcpy(text, "*@", 2);
    memcpy(text + 2, domain.data, domain.len);
    *out = onward_core__str(text, 2 + domain.len);
    return 0;
}

static int read_address(struct loader *l, const struct onward_json *v)
{
    static const char *const known[] = {"email", "verified", "status",
                                        "comment", NULL};
    static const char *const ignored[] = {"id", "tag", "created", "modified",
                                          NULL};
    enum onward_ruleset_state state = ONWARD_RULESET_STATE_PENDING;
    const struct onward_json *email = NULL;
    struct onward_str address;
    int err = onward_ruleset__check_keys(l, v, known, ignored);

    onward_ruleset__draft_reset(&l->draft);
    if (err == 0)
        err =
            onward_ruleset__require(l, v, "email", ONWARD_JSON_STRING, &email);
    if (err == 0)
        err = read_email(l, email, &address);
    if (err == 0)
        err = read_verified(l, onward_json__get(v, "verified"), &state);
    if (err == 0)
        err = read_status(l, v, &state);
    if (err == 0)
        err = onward_ruleset__build_address(l->build, address, state);
    if (err == ONWARD_ESTATE)
        err = onward_ruleset__fail(l, email, "an address for the second time",
                                   "each once");
    return err;
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

/* The array of that name in the root, or in an API response there. */
static bool is_list(const struct onward_json *array, const char *name)
{
    const struct onward_json *v = array;

    if (v->parent != NULL && v->parent->parent != NULL &&
        v->parent->parent->parent == NULL &&
        onward_core__str_eq(v->key, ONWARD_STR("result")))
        v = v->parent;
    return v->parent != NULL && v->parent->parent == NULL &&
           onward_core__str_eq(v->key, onward_str_of(name));
}

static bool wants(void *user, const struct onward_json *array)
{
    (void)user;
    return is_list(array, "zones") || is_list(array, "addresses");
}

static int take(void *user, const struct onward_json *item)
{
    struct loader *l = user;
    struct onward_ruleset__record by;
    struct onward_str taken;
    size_t start = l->build->zones.len;
    int err;

    if (is_list(item->parent, "addresses"))
        return read_address(l, item);
    err = onward_ruleset__read_zone(l, item, l->build->key, &l->build->zones);
    if (err != 0)
        return err;
    err = onward_ruleset__build_zone(l->build, start, &taken, &by);
    return err == ONWARD_ESTATE ? refuse_taken(l, item, taken, &by) : err;
}

/* What was not taken: nothing but the frame. */
static int read_frame(struct loader *l, const struct onward_json *root)
{
    static const char *const known[] = {"version", "zones", "addresses",
                                        "comment", NULL};
    static const char *const ignored[] = {NULL};
    static const char *const lists[] = {"zones", "addresses"};
    int err = onward_ruleset__check_keys(l, root, known, ignored);

    if (err == 0)
        err = check_version(l, root);
    for (size_t i = 0; err == 0 && i < 2; i++) {
        const struct onward_json *v = onward_json__get(root, lists[i]);

        if (v != NULL)
            err = onward_ruleset__unwrap(l, v, &v);
        if (err == 0 && v != NULL)
            err = onward_ruleset__want(l, v, ONWARD_JSON_ARRAY);
    }
    return err;
}

int onward_ruleset__read(struct loader *l, struct onward_str text,
                         size_t max_depth)
{
    const struct onward_json_taker taker = {
        .user = l, .items = &l->items, .wants = wants, .take = take};
    struct onward_json_fault fault = {0};
    struct onward_json *root;
    int err = onward_json__parse_taking(&l->json, text, max_depth, &taker,
                                        &root, &fault);

    if (err == 0)
        return read_frame(l, root);
    if (err == ONWARD_ENOMEM || l->has_fault)
        return err;
    if (fault.what == NULL)
        (void)onward_ruleset__fail_text(l, 0, "more than an image can hold");
    else if (fault.at != NULL)
        (void)onward_ruleset__fail(l, fault.at, fault.what, NULL);
    else
        (void)onward_ruleset__fail_text(l, fault.line, fault.what);
    return err;
}
