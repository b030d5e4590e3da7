/*
 * What changed between two loads of the rules, a line of the log for each: who
 * asks later why mail went elsewhere since Tuesday finds it there. A zone that
 * is new or gone stands for all of its rules.
 */
#include <string.h>

#include "forwarder.h"
#include "log_line.h"

struct audit {
    struct forwarder *fwd;
    const struct onward_ruleset *before, *after;
};

/* ---- Words ------------------------------------------------------------- */

static const char *change_name(size_t change)
{
    switch ((enum onward_ruleset_change)change) {
    case ONWARD_RULESET_ADDED:
        return "added";
    case ONWARD_RULESET_UPDATED:
        return "updated";
    case ONWARD_RULESET_DELETED:
        return "deleted";
    case ONWARD_RULESET_CONFLICT:
        return "conflict";
    }
    return "unknown";
}

static const char *state_name(int state)
{
    switch (state) {
    case ONWARD_RULESET_STATE_VERIFIED:
        return "verified";
    case ONWARD_RULESET_STATE_PENDING:
        return "unverified";
    case ONWARD_RULESET_STATE_REVOKED:
        return "revoked";
    default:
        return "unknown";
    }
}

static bool is_text(struct onward_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

/* ---- Zones ------------------------------------------------------------- */

/* 1, 0, or -1: cannot be told. Asked as mail would ask: what it would get. */
static int is_enabled(const struct audit *a, const struct onward_ruleset *rs,
                      struct onward_str zone)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router = NULL;
    struct onward_mailbox *mailbox = NULL;
    char address[300];
    int ret = -1;

    snprintf(address, sizeof(address), "postmaster@%.*s", (int)zone.len,
             zone.data);
    if (onward_ruleset_router_new(a->fwd->ctx, &router) == 0 &&
        onward_mailbox_parse(a->fwd->ctx, onward_str_of(address), 0,
                             &mailbox) == 0 &&
        onward_ruleset_route(rs, router, mailbox, NULL, NULL, &d) == 0)
        ret = d.reason != ONWARD_RULESET_ZONE_DISABLED;
    onward_mailbox_free(mailbox);
    onward_ruleset_router_free(router);
    return ret;
}

static const char *zone_change(const struct audit *a, struct onward_str zone)
{
    int was = is_enabled(a, a->before, zone);
    int is = is_enabled(a, a->after, zone);

    if (was < 0 || is < 0 || was == is)
        return "updated";
    return is == 1 ? "enabled" : "disabled";
}

/* ---- Lines ------------------------------------------------------------- */

static void put_rule(struct json *j, const char *key, size_t rule)
{
    if (rule == ONWARD_RULESET_CATCH_ALL)
        json_text(j, key, "catch_all");
    else if (rule != ONWARD_RULESET_NO_RULE)
        json_number(j, key, rule);
}

static int note(void *user, const struct onward_ruleset_difference *d)
{
    const struct audit *a = user;
    bool is_settings = is_text(d->what, "settings");
    struct json j;

    log_line_begin(&j, a->fwd->log, "audit");
    json_text(&j, "change",
              is_settings ? zone_change(a, d->zone) : change_name(d->change));
    if (is_settings)
        json_text(&j, "what", "zone");
    else
        json_str(&j, "what", d->what);
    json_str_or_null(&j, "zone", d->zone);
    if (d->address.len > 0)
        json_str(&j, "address", d->address);
    if (d->rule_name.len > 0)
        json_str(&j, "name", d->rule_name);
    put_rule(&j, "before", d->old_rule);
    put_rule(&j, "after", d->new_rule);
    if (is_text(d->what, "address") && d->change != ONWARD_RULESET_ADDED)
        json_text(
            &j, "was",
            state_name(onward_ruleset_destination(a->before, d->address)));
    if (is_text(d->what, "address") && d->change != ONWARD_RULESET_DELETED)
        json_text(&j, "is",
                  state_name(onward_ruleset_destination(a->after, d->address)));
    log_line_end(&j);
    return 0;
}

void audit_rules(struct forwarder *fwd, const struct onward_ruleset *before,
                 const struct onward_ruleset *after)
{
    struct audit a = {.fwd = fwd, .before = before, .after = after};
    const struct onward_ruleset_differences to = {
        .size = sizeof(to), .user = &a, .difference = note};
    int err = onward_ruleset_diff(before, after, &to);

    if (err != 0)
        log_event(fwd, "audit-failed", onward_strerror(err));
}
