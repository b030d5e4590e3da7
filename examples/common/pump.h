/*
 * Octets between a socket and a channel; and for programs without a loop of
 * their own, plain sockets on loopback.
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
/* For the callbacks of struct onward_channel_io; they never wait. */
int socket_read(int fd, void *buf, size_t cap, size_t *got);
int socket_write(int fd, const void *data, size_t len, size_t *put);
/* Tell the time, then move what can be moved without waiting: what
 * onward_channel_pump() returns, 1 when there is more to move at once. */
int pump_socket(int fd, struct onward_channel *channel);

#endif
