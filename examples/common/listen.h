/*
 * Sockets of a service that listen, and who connects to them.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "loop.h"

struct listener;

struct listeners {
    struct loop *loop;
    void *user;
    /* A connection, which is yours, and where it comes from. */
    void (*accepted)(void *user, int fd, const struct sockaddr_storage *from);
    /* There are no descriptors or no memory: nobody is heard for a second. */
    void (*resting)(void *user, const char *why);
    const char *group; /* may connect to a socket in the file system; or NULL */
    struct listener *first; /* ours */
    int64_t again_ms;       /* a deadline for listen_time(), or ONWARD_NEVER */
};

/* Listen at each; set the members above before. -1: fault has one line. */
int listen_open(struct listeners *ls, const struct config_list *addresses,
                char *fault, size_t fault_size);
/* "ready ADDRESS...", with the real ports, on standard output. */
void listen_announce(const struct listeners *ls);
/* Those that rested long enough are heard again. */
void listen_time(struct listeners *ls, int64_t now_ms);
/* Also when nothing is open. */
void listen_close(struct listeners *ls);

#endif
