/* What the tests of rules share: loading, facts from a table, decisions as
 * text. */
#ifndef TESTS_RULESET_RULES_H
#define TESTS_RULESET_RULES_H

#include "support/support.h"

#include <onward/ruleset.h>

/* Facts of a message; a NULL text, or no family, is a fact that is not there,
 * or not known when is_whole is false. */
struct rules_facts {
    const char *sender, *client;
    const char *header; /* "Name: value|Name: value" */
    const char *names, *types; /* of attachments: "a|b" */
    const char *auth;          /* "spf=pass|dmarc=fail" */
    int64_t size, score, tls;  /* -1: not there */
    bool is_whole;
    int failing; /* returned for everything, if not 0 */
};

struct onward_ruleset *rules_load(struct onward_ctx *ctx, const char *text);
/* A table over f, which must outlive it. */
struct onward_ruleset_facts rules_facts(struct rules_facts *f);
/*
 * "KIND REASON MATCH zone/rule WHAT", WHAT being destinations, a name or a
 * reply; behind that each further action as "+ KIND WHAT". Errors read
 * "error -5".
 */
void rules_decide(struct onward_ctx *ctx, const struct onward_ruleset *rs,
                  const char *to, const struct onward_ruleset_facts *facts,
                  char *out, size_t cap);

#endif
