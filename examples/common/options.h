/*
 * Options of a program or subcommand as a table: what each is called, where its
 * value goes, what --help says of it.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <onward/core.h>

enum option_type {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char *: NULL when not given */
    OPTION_LIST,    /* struct option_list: may be given again */
    OPTION_IP,      /* struct onward_ip: family 0 when not given */
    OPTION_SECONDS, /* struct option_seconds */
    OPTION_CHOICE   /* struct option_choice */
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

struct option_choice {
    const char *const *words; /* set before; NULL at the end */
    size_t picked;            /* the default before */
};

/* What --help says, and who complains. */
struct program {
    const char *name;     /* "onward spf check" */
    const char *operands; /* "MESSAGE...", empty for none */
    const char *summary;  /* one line, no full stop */
    const char *details;  /* lines for --help, each ending in a line feed */
    const char *examples; /* command lines, each ending in a line feed */
    /* Options that all commands of the program have; NULL: none. */
    struct option *common;
};

struct option;

/* Wants the options of a command, not that it runs. */
struct option_visitor {
    void *user;
    void (*visit)(void *user, const struct option *options,
                  const struct option *common);
};

struct args {
    int count;
    char **items;
    const struct option_visitor *visitor; /* usually NULL */
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

/* What options_read() gives. */
enum { OPTIONS_GO_ON = -1, OPTIONS_DONE = 0, OPTIONS_WRONG = 2 };

/*
 * Read the options. Options may stand before and behind the operands, as
 * "--name value" or "--name=value"; "--" ends them. OPTIONS_GO_ON: args holds
 * the operands; else the exit status, and the reason (or the help) is printed.
 */
int options_read(const struct program *program, struct option *options,
                 struct args *args);
/* "NAME: ..." and a word about --help on standard error; OPTIONS_WRONG. */
int options_wrong(const struct program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
