/*
 * What an evaluation needs around it: a context (with a clock that may stand
 * still), a desk, and a resolver that answers from a file or through
 * libunbound.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>

#include <onward/dns.h>

#include "cli.h"
#include "options.h"

struct world_choice {
    const char *dns;      /* file; NULL: ask */
    const char *resolver; /* address; NULL: those of the system */
    const char *anchor;   /* file; NULL: that of the root zone */
    struct option_seconds time;
};

/* Rows for a table of options. */
#define WORLD_OPTION_TIME(choice)                                              \
    {                                                                          \
        "time", OPTION_SECONDS, &(choice)->time, "UNIX",                       \
            "take this as the time, in seconds since 1970", false, false       \
    }
#define WORLD_OPTIONS_DNS(choice)                                              \
    {"dns",                                                                    \
     OPTION_TEXT,                                                              \
     &(choice)->dns,                                                           \
     "FILE",                                                                   \
     "answer DNS questions from this file alone (lines as\n"                   \
     "`dig +noall +answer` prints them)",                                      \
     false,                                                                    \
     false},                                                                   \
    {                                                                          \
        "resolver", OPTION_TEXT, &(choice)->resolver, "ADDRESS",               \
            "ask this recursive resolver (ADDRESS or ADDRESS@PORT)\n"          \
            "instead of the system's",                                         \
            false, false                                                       \
    },                                                                         \
    {                                                                          \
        "anchor", OPTION_TEXT, &(choice)->anchor, "FILE",                      \
            "believe these DS or DNSKEY records instead of the\n"              \
            "root zone's",                                                     \
            false, false                                                       \
    }

struct unbound_dns;

struct world {
    int64_t time_s;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct unbound_dns *unbound;
};

/* A context alone. -1: go on; else the exit status. */
int world_new_ctx(const struct command *command,
                  const struct world_choice *choice, struct world *world);
/* The same with a desk. */
int world_new_desk(const struct command *command,
                   const struct world_choice *choice, struct world *world);
/* The same with a resolver. */
int world_new(const struct command *command, const struct world_choice *choice,
              struct world *world);
/* Run the desk until *is_done, or nothing more can come. */
void world_run(struct world *world, const bool *is_done);
void world_clear(struct world *world);

#endif
