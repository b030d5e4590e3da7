/*
 * A handler that is a command: the message on its standard input, its answer on
 * its standard output, the event in its environment. It ends by itself, or is
 * killed with all that it has started; either way it is waited for.
 */
#ifndef HANDLER_EXEC_H
#define HANDLER_EXEC_H

#include <onward/mime.h>

#include "loop.h"

struct handler_exec;

struct handler_exec_opts {
    struct loop *loop;
    const char *command;  /* for sh -c */
    const char *from, *to, *handler, *event; /* ONWARD_FROM and so on */
    /* Lent until the end. Must never say ONWARD_AGAIN. */
    const struct onward_source *source;
    size_t output_max;
    size_t grace_ms; /* between SIGTERM and SIGKILL; 0: SIGKILL at once */
    struct handler_exec **list; /* to be part of until it is gone, or NULL */
    /* Once, from the loop, and not after handler_exec_cancel(): why is NULL
     * when it has ended well. */
    void (*done)(void *user, struct onward_str output, const char *why);
    void *user;
};

/* NULL: it cannot be started. */
struct handler_exec *handler_exec_start(const struct handler_exec_opts *opts);
/* End it. The object lives on until the command was waited for, and frees
 * itself then; the loop must turn. */
void handler_exec_cancel(struct handler_exec *x);
/* Kill all of the list, and wait for them; nobody is told. */
void handler_exec_end_all(struct handler_exec **list);

#endif
