/*
 * For programs without a loop of their own: plain sockets on loopback, and
 * moving octets between a socket and a channel.
 */
#ifndef PUMP_H
#define PUMP_H

#include <onward/channel.h>

/* A socket that listens on a free port of 127.0.0.1, printed as `ready
 * 127.0.0.1:PORT`; -1: none. */
int host_listen(void);
/* The next connection to it; waits. */
int host_accept(int listener);
/* A connection to a port of 127.0.0.1; -1: none. */
int host_connect(unsigned port);
/* Tell the time, then move what can be moved without waiting: what
 * onward_channel_pump() returns, 1 when there is more to move at once. */
int pump_socket(int fd, struct onward_channel *channel);

#endif
