/*
 * One connection to a Redis, made again and again: what is sent, what comes
 * back in the same order, and when it counts as down.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <stdbool.h>
#include <sys/socket.h>

#include "loop.h"
#include "resp.h"

struct redis_link_host {
    void *user;
    /* The next reply. false: it makes no sense, and the link is down. */
    bool (*replied)(void *user, const struct resp_reply *reply);
    /* It is there (again); what was sent is not lost. */
    void (*up)(void *user);
    /* It is gone, and all that was not answered with it. */
    void (*down)(void *user, const char *why);
};

enum redis_link_state { LINK_RESTS, LINK_CONNECTS, LINK_IS_UP };

struct redis_link {
    struct redis_link_host host;
    struct loop *loop;
    struct loop_watch socket, timer;
    struct sockaddr_storage address;
    socklen_t address_len;
    size_t db, timeout_ms, rest_ms;
    enum redis_link_state state;
    bool is_connecting; /* of the socket: not there yet */
    size_t pending;     /* replies to come, that to SELECT included */
    int64_t progress_ms;
    struct resp_out out;
    size_t sent; /* of out */
    char *in;
    size_t in_len, in_room, want;
    struct resp_reply reply;
};

/* Begin to connect. 0 or -1 with errno. */
int redis_link_open(struct redis_link *link);
void redis_link_close(struct redis_link *link);
/* Where to write a command, which then counts as sent. NULL: it is down. */
struct resp_out *redis_link_command(struct redis_link *link);
/* It was written. */
void redis_link_sent(struct redis_link *link);

#endif
