/*
 * A socket and the channel of an engine, joined: moves octets when the loop
 * says so, tells the channel the time, and says when the connection is over.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>

#include <onward/channel.h>

#include "loop.h"

/* The connections of a loop, and which of them to look at. */
struct conn_list {
    struct onward_channel_set *set;
    struct conn *busy; /* those that could move more at once */
};

struct conn {
    struct conn *next, **prev; /* in busy; prev NULL: not there */
    struct conn_list *list;
    struct loop_watch watch;
    struct loop *loop;
    struct onward_channel *channel;
    bool is_closed;
    bool peer_gone; /* it sends no more: seen without reading */
    /* Acknowledge what comes without delay. A server that answers pipelined
     * commands one by one waits for that (Nagle), and we have nothing to send
     * that would carry it: 40 ms for each. Set it after conn_open(). */
    bool acks_at_once;
    /* Once: the channel wants to be closed, and the socket is. May free all. */
    void (*closed)(struct conn *conn);
};

/* 0 or -1. */
int conn_list_open(struct conn_list *list, struct onward_desk *desk);
/* All connections are closed. */
void conn_list_close(struct conn_list *list);

/* The socket must not block; it belongs to conn from now on. 0 or -1. */
int conn_open(struct conn *conn, struct conn_list *list, struct loop *loop,
              int fd, struct onward_channel *channel,
              void (*closed)(struct conn *conn));
/* Move octets now, a fair share. May call closed. */
void conn_service(struct conn *conn);
/*
 * Service those that need it: their deadline has come, the desk has changed
 * what their channels want, or they had more to move than their share.
 */
void conn_list_refresh(struct conn_list *list);
/* Is there more to move at once? Other deadlines are the desk's. */
bool conn_list_is_busy(const struct conn_list *list);
/* Close now, without `closed`. Harmless when closed already. */
void conn_close(struct conn *conn);

#endif
