/*
 * One look-up while it runs: route.c finds the zone and its rules in order,
 * decide.c makes the decision of those that match.
 */
#ifndef ONWARD_RULESET_ROUTE_PRIV_H
#define ONWARD_RULESET_ROUTE_PRIV_H

#include "ruleset/condition_priv.h"
#include "ruleset/ruleset_priv.h"

struct onward_ruleset__route {
    const struct onward_ruleset *rs;
    struct onward_ruleset_router *router;
    const struct onward_ruleset_facts *facts;
    const struct onward_ruleset_trace *trace; /* or NULL */
    const struct onward_address__mailbox *to;
    struct onward_ruleset__record zone;
    uint64_t domain; /* its number in the zone's rules */
    bool is_below;   /* not the zone's own */

    struct onward_str base;    /* local part without the detail, or empty */
    struct onward_str address; /* whole and base, written when needed */
    struct onward_str base_address;
    struct onward_str captures[10];
    size_t capture_count;

    struct onward_ruleset_decision *out;
    struct onward_ruleset_action **last; /* where the next action goes */
    const struct onward_ruleset_action *first;
    uint64_t group;
    bool is_over;     /* nothing behind counts */
    bool is_unknown;  /* some rule before may have to be taken */
    bool may_accept;  /* or something that takes the mail */
    bool has_refusal; /* the mildest refusal that may come */
    int refusal_code;
    struct onward_str refusal_enhanced, refusal_text;
};

/* Tell who follows. rule may be NULL. */
void onward_ruleset__tell(struct onward_ruleset__route *r,
                          const struct onward_ruleset__rule *rule,
                          const char *what, struct onward_str detail);
/* The decision is a refusal of ours; nothing else is done. */
void onward_ruleset__refuse(struct onward_ruleset__route *r,
                            enum onward_ruleset_reason reason, int code,
                            struct onward_str enhanced,
                            struct onward_str text);
/* The rule matches: its actions are the decision, or part of it. 0,
 * ONWARD_ENOMEM, ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__take(struct onward_ruleset__route *r,
                     const struct onward_ruleset__rule *rule,
                     enum onward_ruleset_match match);
/* Whether the rule matches hangs on facts that are not known. */
ONWARD_USE_RESULT int
onward_ruleset__take_unknown(struct onward_ruleset__route *r,
                             const struct onward_ruleset__rule *rule);
/* All rules were tried. */
ONWARD_USE_RESULT int
onward_ruleset__conclude(struct onward_ruleset__route *r);

#endif
