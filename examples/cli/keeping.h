/*
 * What a forwarder keeps, for subcommands that look at it or change it: found
 * by its state folder, or by its configuration, which says more.
 */
#ifndef KEEPING_H
#define KEEPING_H

#include <stdio.h>

#include "cli.h"
#include "config.h"
#include "shelf.h"

struct keeping {
    const char *state, *config;         /* as named; may be NULL */
    char *folder, *store, *log, *spool; /* as they have come to */
    struct lmdb_store *lmdb;            /* NULL: it is elsewhere */
    struct shelf shelf;
    struct config_key keys[5];
};

/* Rows for a table of options. */
#define KEEPING_OPTIONS(keeping)                                               \
    {"state",                                                                  \
     OPTION_TEXT,                                                              \
     &(keeping)->state,                                                        \
     "DIR",                                                                    \
     "the state folder of the forwarder",                                      \
     false,                                                                    \
     false},                                                                   \
    {                                                                          \
        "config", OPTION_TEXT, &(keeping)->config, "FILE",                     \
            "the configuration of the forwarder, instead: its store,\n"        \
            "spool and log",                                                   \
            false, false                                                       \
    }

#define KEEPING_STATE "/var/lib/onward-forwarder"

/* Where it is. -1: go on; else the exit status. */
int keeping_find(struct keeping *k, const struct command *command);
/* That is a Redis. */
bool keeping_is_elsewhere(const struct keeping *k);
/* Open the store; the file of LMDB is made if there is none. As
 * keeping_find(). */
int keeping_open(struct keeping *k, const struct command *command,
                 struct onward_desk *desk);
/* Where changes are told of, as lines: the log of the forwarder, or standard
 * error. NULL: nowhere, as nobody named its configuration. fclose() what is not
 * standard error. */
FILE *keeping_audit(const struct keeping *k);
void keeping_close(struct keeping *k);

#endif
