/*
 * What compiles matchers into conditions: load_match.c the trees, load_test.c
 * the tests that they are made of.
 */
#ifndef ONWARD_RULESET_LOAD_MATCH_PRIV_H
#define ONWARD_RULESET_LOAD_MATCH_PRIV_H

#include "ruleset/ruleset_priv.h"

/* One tree of conditions while it is compiled. */
struct compiling {
    struct loader *l;
    struct onward_ruleset__matchers *m;
    size_t depth;
    bool must_match; /* no "or" and no "not" above */
};

/* The matcher v, whose "type" is a test, as one node. */
ONWARD_USE_RESULT int onward_ruleset__compile_test(
    struct compiling *c, const struct onward_json *v,
    const struct onward_json *type, struct onward_buf *out);

#endif
