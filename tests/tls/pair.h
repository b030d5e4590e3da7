/*
 * Two echo engines joined in memory, a client and a server.
 */
#ifndef ONWARD_TESTS_TLS_PAIR_H
#define ONWARD_TESTS_TLS_PAIR_H

#include "support/echo.h"

struct t_pair {
    struct t_echo *client, *server;
    size_t chunk; /* octets that move at once; 0: all */
    size_t moved;
    int error; /* the first that a call gave */
};

/* Move octets both ways until nothing moves. */
void t_pair_run(struct t_pair *p);
void t_pair_free(struct t_pair *p);

#endif
