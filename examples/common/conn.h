/*
 * A socket and the channel of an engine, joined: moves octets when the loop
 * says so, tells the channel the time, and says when the connection is over.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>

#include <onward/channel.h>

#include "loop.h"

struct conn {
    struct loop_watch watch;
    struct loop *loop;
    struct onward_channel *channel;
    bool is_closed;
    bool peer_gone; /* it sends no more: seen without reading */
    /* Once: the channel wants to be closed, and the socket is. May free all. */
    void (*closed)(struct conn *conn);
};

/* The socket must not block; it belongs to conn from now on. 0 or -1. */
int conn_open(struct conn *conn, struct loop *loop, int fd,
              struct onward_channel *channel,
              void (*closed)(struct conn *conn));
/* After anything that may have changed what the channel wants: the desk ran,
 * its deadline came. May call closed. */
void conn_service(struct conn *conn);
/* Close now, without `closed`. Harmless when closed already. */
void conn_close(struct conn *conn);

#endif
