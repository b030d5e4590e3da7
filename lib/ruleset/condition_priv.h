/*
 * The condition of a rule, compiled: a tree of tests as octets, read as hostile
 * each time. A node:
 *
 *     AND, OR   number of nodes, of each its octets (text)
 *     NOT       its node (text)
 *     TEXT      fact (1; 0: the address that is routed), test (1), flags (1),
 *               name (text), number of values, of each the text, and for GLOB
 *               and REGEX the program of the pattern (text)
 *     NUMBER    fact (1), test (1), limit (signed)
 *     CLIENT    number of networks, of each family (1), bits (1), octets (4 or
 *               16)
 */
#ifndef ONWARD_RULESET_CONDITION_PRIV_H
#define ONWARD_RULESET_CONDITION_PRIV_H

#include <onward/ruleset.h>

#include "ruleset/bytes_priv.h"

enum { ONWARD_RULESET__CONDITION_DEPTH_MAX = 16 };

enum onward_ruleset__condition_op {
    ONWARD_RULESET__AND = 1,
    ONWARD_RULESET__OR = 2,
    ONWARD_RULESET__NOT = 3,
    ONWARD_RULESET__TEXT = 4,
    ONWARD_RULESET__NUMBER = 5,
    ONWARD_RULESET__CLIENT = 6
};

enum { ONWARD_RULESET__FACT_TO = 0 }; /* beside enum onward_ruleset_fact */

enum onward_ruleset__test {
    ONWARD_RULESET__TEST_LITERAL = 1,
    ONWARD_RULESET__TEST_PREFIX = 2,
    ONWARD_RULESET__TEST_SUFFIX = 3,
    ONWARD_RULESET__TEST_CONTAINS = 4,
    ONWARD_RULESET__TEST_GLOB = 5,
    ONWARD_RULESET__TEST_REGEX = 6,
    ONWARD_RULESET__TEST_DOMAIN = 7, /* the value, or with a dot in front of
                                        it all below it */
    ONWARD_RULESET__TEST_EXISTS = 8, /* no values */
    ONWARD_RULESET__TEST_AT_LEAST = 9,
    ONWARD_RULESET__TEST_AT_MOST = 10
};

enum { ONWARD_RULESET__TEXT_FOLD = 1 }; /* flags */

/* What a condition is asked about. */
struct onward_ruleset__question {
    struct onward_ruleset_router *router;
    const struct onward_ruleset_facts *facts;
    struct onward_str address; /* as written in SMTP */
    struct onward_str domain;
    /* Room for those of the first pattern on the address that had to match;
     * capture_count says how many there are. */
    struct onward_str *captures;
    size_t capture_count;
    /* NULL: nobody wants to know each test and how it came out. */
    void (*tell)(void *user, struct onward_str detail);
    void *user;
};

/*
 * 1 it holds, 0 not, ONWARD_AGAIN: a fact that it hangs on is not known yet,
 * ONWARD_ECALLBACK: one cannot be told now; or ONWARD_ELIMIT: damaged,
 * ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_ruleset__condition_holds(struct onward_ruleset__question *q,
                                struct onward_str condition);
/* Can all of it be read? 0 or ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__condition_check(struct onward_str condition);

/* The words of rules files, in the order of their numbers; NULL for others. */
const char *onward_ruleset__test_name(unsigned test);
const char *onward_ruleset__fact_name(unsigned fact);
/* 0 when there is none of that name. *fact untouched then. */
bool onward_ruleset__fact_of(struct onward_str name, unsigned *fact);
bool onward_ruleset__test_of(struct onward_str name, unsigned *test);

#endif
