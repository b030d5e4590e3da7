/* What the command line says about a message that is to be routed. */
#ifndef ROUTE_FACTS_H
#define ROUTE_FACTS_H

#include <onward/ruleset.h>

#include "options.h"

struct route_facts {
    const char *from, *size, *score;
    struct onward_ip ip;
    struct option_list headers; /* "Name: value" */
    struct option_list auth;    /* "spf=pass" */
    struct option_list names, types; /* of attachments */
    struct option_choice tls;
    /* All that was not given is not there, rather than not known yet. */
    bool is_whole;
};

/* Reads size and score. NULL, or what is wrong with one. */
const char *route_facts_check(const struct route_facts *f);
/* The table; f must outlive it. */
struct onward_ruleset_facts route_facts_table(struct route_facts *f);

#endif
