/*
 * A socket and the channel of an engine, joined: moves octets when the loop
 * says so, tells the channel the time, and says when the connection is over.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>

#include <onward/channel.h>

#include "loop.h"

/* All connections of a loop. Zero-filled is empty. */
struct conn_list {
    struct conn *first;
    unsigned turn;
    bool is_changed;
};

struct conn {
    struct conn *next, **prev; /* in its list */
    struct conn_list *list;
    struct loop_watch watch;
    struct loop *loop;
    struct onward_channel *channel;
    unsigned turn; /* of the list, when it was looked at last */
    bool is_closed;
    bool has_more;  /* could be moved at once */
    bool peer_gone; /* it sends no more: seen without reading */
    /* Acknowledge what comes without delay. A server that answers pipelined
     * commands one by one waits for that (Nagle), and we have nothing to send
     * that would carry it: 40 ms for each. Set it after conn_open(). */
    bool acks_at_once;
    /* Once: the channel wants to be closed, and the socket is. May free all. */
    void (*closed)(struct conn *conn);
};

/* The socket must not block; it belongs to conn from now on. 0 or -1. */
int conn_open(struct conn *conn, struct conn_list *list, struct loop *loop,
              int fd, struct onward_channel *channel,
              void (*closed)(struct conn *conn));
/* Move octets now, a fair share. May call closed. */
void conn_service(struct conn *conn);
/*
 * Service those that need it: their deadline has come, or the desk has changed
 * what their channels want. Looks at each, but asks the system of none that is
 * idle.
 */
void conn_list_refresh(struct conn_list *list, int64_t now_ms);
/* The earliest deadline of all; in the past when there is more to move. */
int64_t conn_list_deadline(const struct conn_list *list);
/* Close now, without `closed`. Harmless when closed already. */
void conn_close(struct conn *conn);

#endif
