/*
 * A zone on its way from a text to a record: what was read of it, in an arena
 * that is used again for the next one.
 */
#ifndef ONWARD_RULESET_DRAFT_PRIV_H
#define ONWARD_RULESET_DRAFT_PRIV_H

#include "ruleset/record_priv.h"

enum onward_ruleset__class {
    ONWARD_RULESET__LITERAL,
    ONWARD_RULESET__FILTER,
    ONWARD_RULESET__CATCH,
    ONWARD_RULESET__CLASSES
};

struct onward_ruleset__draft_domain {
    struct onward_core__node node;
    struct onward_ruleset__draft_domain *next;
    struct onward_str name;
    uint64_t number; /* once they are sorted */
};

struct onward_ruleset__draft_body {
    struct onward_core__node node;
    struct onward_str octets;
    uint32_t offset; /* in the record; 0: not written yet */
};

struct onward_ruleset__draft_rule {
    struct onward_ruleset__draft_rule *next;
    enum onward_ruleset__class class;
    unsigned flags;
    size_t index;
    int64_t priority;
    struct onward_str local_part, name, condition, owner;
    struct onward_ruleset__draft_domain *domain; /* NULL: own, or below */
    bool is_below;
    struct onward_ruleset__draft_body *body;
    uint32_t offset; /* in the record */
};

struct onward_ruleset__draft {
    struct onward_arena arena;
    struct onward_str name, separators;
    unsigned flags;
    struct onward_ruleset__draft_rule *rules[ONWARD_RULESET__CLASSES];
    struct onward_ruleset__draft_rule **last[ONWARD_RULESET__CLASSES];
    uint32_t counts[ONWARD_RULESET__CLASSES];
    struct onward_ruleset__draft_domain *domains;
    uint32_t domain_count;
    /* By their octets; made for the first that is looked for. */
    struct onward_core__table domain_table, body_table;
};

enum {
    /* Rules that one address may have: what a look-up, and what building the
     * table, has to go over at most. */
    ONWARD_RULESET__SAME_MAX = 4096
};

void onward_ruleset__draft_init(struct onward_ruleset__draft *draft,
                                struct onward_ctx *ctx);
void onward_ruleset__draft_reset(struct onward_ruleset__draft *draft);
void onward_ruleset__draft_clear(struct onward_ruleset__draft *draft);
/* All: NULL without memory. Texts are in the draft's arena. */
struct onward_ruleset__draft_domain *
onward_ruleset__draft_domain(struct onward_ruleset__draft *draft,
                             struct onward_str name);
struct onward_ruleset__draft_body *
onward_ruleset__draft_body(struct onward_ruleset__draft *draft,
                           struct onward_str octets);
void onward_ruleset__draft_add(struct onward_ruleset__draft *draft,
                               struct onward_ruleset__draft_rule *rule);
/* Append the record. 0, ONWARD_ENOMEM, or ONWARD_ELIMIT: over 4 GB,
 * or over ONWARD_RULESET__SAME_MAX. */
ONWARD_USE_RESULT int
onward_ruleset__draft_write(struct onward_ruleset__draft *draft,
                            const uint64_t key[2], struct onward_buf *out);

#endif
