/*
 * All of a record at once, as `onward rules check --full` wants it.
 */
#include "ruleset/condition_priv.h"
#include "ruleset/record_priv.h"

static int check_body(const struct onward_ruleset__record *rec,
                      const struct onward_ruleset__rule *rule)
{
    struct onward_ruleset__body body;
    struct onward_ruleset__deed deed;
    int ret;

    onward_ruleset__body_open(&body, rec, rule);
    while ((ret = onward_ruleset__body_next(&body, &deed)) == 1)
        continue;
    return ret;
}

static int check_rule(const struct onward_ruleset__record *rec,
                      const struct onward_ruleset__rule *rule)
{
    int err = check_body(rec, rule);

    if (err == 0 && rule->domain >= ONWARD_RULESET__COVERED &&
        rule->domain - ONWARD_RULESET__COVERED >= rec->domain_count)
        err = ONWARD_ELIMIT;
    if (err == 0 && rule->condition.len > 0)
        err = onward_ruleset__condition_check(rule->condition);
    return err;
}

/* Is the rule among those of its address? */
static int find_literal(const struct onward_ruleset__record *rec,
                        const uint64_t key[2],
                        const struct onward_ruleset__rule *rule)
{
    struct onward_ruleset__literals it;
    struct onward_ruleset__rule found;
    int ret;

    onward_ruleset__literals_find(&it, rec, key, rule->local_part,
                                  rule->domain);
    while ((ret = onward_ruleset__literals_next(&it, &found)) == 1) {
        if (found.at == rule->at)
            return 0;
    }
    return ONWARD_ELIMIT;
}

static int check_literals(const struct onward_ruleset__record *rec,
                          const uint64_t key[2])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < rec->slot_count; i++) {
        uint32_t offset =
            onward_ruleset__load32(rec->literals + 4 * (size_t)i);
        struct onward_ruleset__rule rule;

        if (offset == 0 && rec->bits != 0)
            continue;
        count++;
        if (onward_ruleset__record_rule(rec, offset, &rule) != 0 ||
            check_rule(rec, &rule) != 0 || find_literal(rec, key, &rule) != 0)
            return ONWARD_ELIMIT;
    }
    return count == rec->literal_count ? 0 : ONWARD_ELIMIT;
}

static int check_list(const struct onward_ruleset__record *rec,
                      const unsigned char *list, uint32_t count)
{
    struct onward_ruleset__rule last = {.priority = INT64_MIN};

    for (uint32_t i = 0; i < count; i++) {
        struct onward_ruleset__rule rule;

        if (onward_ruleset__record_at(rec, list, i, &rule) != 0 ||
            check_rule(rec, &rule) != 0 ||
            (i > 0 && !onward_ruleset__is_before(&last, &rule)))
            return ONWARD_ELIMIT;
        last = rule;
    }
    return 0;
}

int onward_ruleset__record_check(const struct onward_ruleset__record *rec,
                                 const uint64_t key[2])
{
    int err = check_literals(rec, key);

    if (err == 0)
        err = check_list(rec, rec->filters, rec->filter_count);
    if (err == 0)
        err = check_list(rec, rec->catches, rec->catch_count);
    for (uint32_t i = 0; err == 0 && i < rec->domain_count; i++) {
        if (onward_ruleset__record_domain(rec, i).len == 0)
            err = ONWARD_ELIMIT;
    }
    return err;
}
