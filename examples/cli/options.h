/*
 * Options of a subcommand as a table: what each is called, where its value
 * goes, what --help says of it.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <onward/core.h>

#include "cli.h"

enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *: NULL when not given */
    OPTION_LIST,   /* struct option_list: may be given again */
    OPTION_IP,     /* struct onward_ip: family 0 when not given */
    OPTION_SECONDS /* struct option_seconds */
};

enum { OPTION_LIST_MAX = 32 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
    size_t max; /* set before; 0: OPTION_LIST_MAX */
};

struct option_seconds {
    bool is_given;
    int64_t s;
};

struct option {
    const char *name; /* without the dashes; NULL ends the table */
    enum option_type type;
    void *value;
    const char *argument; /* "FILE"; NULL for a flag */
    const char *help;
    bool is_required;
    bool is_given; /* out */
};

/* The table's last row. */
#define OPTIONS_END                                                            \
    {                                                                          \
        NULL, OPTION_FLAG, NULL, NULL, NULL, false, false                      \
    }

/*
 * Read the options. Options may stand before and behind the operands, as
 * "--name value" or "--name=value"; "--" ends them. -1: go on, args holds the
 * operands; else the exit status, and the reason (or the help) is printed.
 */
int options_read(const struct command *command, struct option *options,
                 struct args *args);

#endif
