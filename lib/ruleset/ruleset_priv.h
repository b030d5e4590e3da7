/*
 * A ruleset inside, and what its loader's files share.
 */
#ifndef ONWARD_RULESET_PRIV_H
#define ONWARD_RULESET_PRIV_H

#include <stdatomic.h>

#include "core/domain_shared.h"
#include "core/json_shared.h"
#include "core/text_shared.h"
#include "ruleset/ruleset_shared.h"

/* ---- What a ruleset holds (all in its arena) --------------------------- */

/* An address that rules forward to, or that "addresses" lists: once each. */
struct destination {
    struct onward_core__node node;
    struct onward_str text; /* its domain in lower-case A-labels: the key */
    bool is_listed;         /* in "addresses" */
    bool is_verified;
};

struct action {
    enum onward_ruleset_kind kind;
    size_t count; /* of destinations and texts */
    struct destination **destinations;
    struct onward_str *texts; /* the same, as decisions lend them */
    struct onward_str handler;
    int reply_code;
    struct onward_str reply_enhanced;
    struct onward_str reply_text;
    uint64_t group; /* 0 for reject */
};

struct rule {
    struct rule *next; /* in the same list, tried after this one */
    size_t index;      /* as a decision has it */
    int64_t priority;
    bool is_enabled;
    struct onward_str name;
    struct action action;
};

/* By ascending priority, equal ones in the order they were added. */
struct rule_list {
    struct rule *first, *last;
};

struct zone {
    struct onward_str name; /* lower-case A-labels */
    bool is_enabled;
    bool support_subaddress;
    bool fold_local;
    struct rule_list catch_alls;
};

/* A domain that we take mail for: a zone's own, or one that it covers. */
struct domain {
    struct onward_core__node node;
    struct onward_str name;
    struct zone *zone;
    bool is_own;
};

struct address {
    struct onward_core__node node;
    const struct domain *domain;
    struct onward_str local_part;
    struct rule_list rules;
};

/* Zone and action that recipients may share a transaction for. */
struct group {
    struct onward_core__node node;
    const struct zone *zone;
    const struct action *action;
};

struct onward_ruleset {
    struct onward_ctx *ctx;
    atomic_size_t owners;
    struct onward_arena arena;
    struct onward_core__table domains, addresses, destinations, groups;
    size_t zone_count;
};

struct onward_ruleset_router {
    struct onward_ctx *ctx;
    struct onward_arena arena; /* of the decisions since the last reset */
};

/* NULL when there is none. name in lower case. */
struct domain *onward_ruleset__find_domain(const struct onward_ruleset *rs,
                                           struct onward_str name);
struct address *onward_ruleset__find_address(const struct onward_ruleset *rs,
                                             const struct domain *domain,
                                             struct onward_str local_part);

/* ---- Building (ruleset.c) ---------------------------------------------- */

/* All: the item, or NULL without memory. */
struct domain *onward_ruleset__add_domain(struct onward_ruleset *rs,
                                          struct onward_str name,
                                          struct zone *zone, bool is_own);
/* The one of that key, made when there is none. */
struct address *onward_ruleset__address(struct onward_ruleset *rs,
                                        const struct domain *domain,
                                        struct onward_str local_part);
struct destination *onward_ruleset__destination(struct onward_ruleset *rs,
                                                struct onward_str text);
void onward_ruleset__add_rule(struct rule_list *list, struct rule *rule);
/* Gives the action its group. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_ruleset__set_group(struct onward_ruleset *rs,
                                                const struct zone *zone,
                                                struct action *action);

/* ---- Loading (load*.c) ------------------------------------------------- */

struct loader {
    struct onward_ruleset *rs;
    struct onward_arena json; /* the parsed text, and scratch */
    struct onward_ruleset_fault *fault;
};

/* Says "found, expected expected" at a value; expected may be NULL. Returns
 * ONWARD_ESYNTAX, or ONWARD_ENOMEM. */
int onward_ruleset__fail(struct loader *l, const struct onward_json *at,
                         const char *found, const char *expected);
/* Refuses members that are in neither list (both end in NULL). */
ONWARD_USE_RESULT int onward_ruleset__check_keys(struct loader *l,
                                                 const struct onward_json *v,
                                                 const char *const *known,
                                                 const char *const *ignored);
/* 0, or refuses another type. */
ONWARD_USE_RESULT int onward_ruleset__want(struct loader *l,
                                           const struct onward_json *v,
                                           enum onward_json_type type);
/* A member that may be absent: *out stays then. Strings are copied. */
ONWARD_USE_RESULT int onward_ruleset__get_bool(struct loader *l,
                                               const struct onward_json *v,
                                               const char *key, bool *out);
ONWARD_USE_RESULT int onward_ruleset__get_string(struct loader *l,
                                                 const struct onward_json *v,
                                                 const char *key,
                                                 struct onward_str *out);
/* A member of that type that must be there. */
ONWARD_USE_RESULT int
onward_ruleset__require(struct loader *l, const struct onward_json *v,
                        const char *key, enum onward_json_type type,
                        const struct onward_json **out);
/* The "result" when v is an API response, else v itself. */
ONWARD_USE_RESULT int onward_ruleset__unwrap(struct loader *l,
                                             const struct onward_json *v,
                                             const struct onward_json **out);
/* The address in a string. */
ONWARD_USE_RESULT int
onward_ruleset__mailbox(struct loader *l, const struct onward_json *v,
                        struct onward_address__mailbox *mailbox);
/* The same as an interned destination. */
ONWARD_USE_RESULT int
onward_ruleset__read_destination(struct loader *l, const struct onward_json *v,
                                 struct destination **out);

/* One of a zone's "rules", or (index ONWARD_RULESET_CATCH_ALL) its
 * "catch_all". */
ONWARD_USE_RESULT int onward_ruleset__read_rule(struct loader *l,
                                                struct zone *zone,
                                                const struct onward_json *v,
                                                size_t index);
/* The whole text. */
ONWARD_USE_RESULT int onward_ruleset__read(struct loader *l,
                                           const struct onward_json *root);

#endif
