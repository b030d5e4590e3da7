/*
 * The resolver of a program: records from a file and nothing else, or
 * libunbound, which the loop wakes.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "dns_unbound.h"
#include "loop.h"

struct resolve {
    struct onward_resolver *resolver;
    struct unbound_dns *dns; /* NULL with a file of records */
    struct loop *loop;
    struct loop_watch watch;
};

/* Each may be NULL. */
struct resolve_opts {
    const char *records;         /* a file; then the others must be NULL */
    const char *server, *anchor; /* as unbound_dns_new() takes them */
};

/* RESOLVE_WRONG: a file is not what it should be. */
enum { RESOLVE_WRONG = -1, RESOLVE_UNUSABLE = -2 };

/* 0, or one of these with a line in fault; resolve_close() may be called all
 * the same, and of one that is all 0. */
int resolve_open(struct resolve *r, struct onward_desk *desk, struct loop *loop,
                 const struct resolve_opts *o, char *fault, size_t fault_size);
void resolve_close(struct resolve *r);

#endif
