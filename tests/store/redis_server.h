/*
 * A redis-server of one's own, on loopback, that keeps nothing.
 */
#ifndef ONWARD_TESTS_STORE_REDIS_SERVER_H
#define ONWARD_TESTS_STORE_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid; /* 0: not running */
    unsigned port;
    char url[64];
};

/* False: there is none on this machine. Runs until it is stopped, or the
 * program ends. A port that is set is taken again. */
bool redis_server_start(struct redis_server *server);
void redis_server_stop(struct redis_server *server);
/* Forget all that is in there. */
void redis_server_flush(const struct redis_server *server);
/* A command on a line of its own; its reply must begin so. */
void redis_server_say(const struct redis_server *server, const char *line,
                      const char *want);

#endif
