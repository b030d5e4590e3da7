/* A plain socket below a channel, for the pages about SMTP. */
#ifndef ONWARD_GUIDE_SOCKET_H
#define ONWARD_GUIDE_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"

/* A clock that never goes back, for the desk and all channels. */
static inline int64_t socket_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int socket_status(ssize_t n, size_t *moved)
{
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ONWARD_AGAIN
                                                 : ONWARD_ECALLBACK;
    *moved = (size_t)n;
    return 0;
}

static inline int socket_read(void *fd, void *buf, size_t cap, size_t *got)
{
    return socket_status(recv(*(int *)fd, buf, cap, MSG_DONTWAIT), got);
}

static inline int socket_write(void *fd, const void *data, size_t len,
                               size_t *put)
{
    return socket_status(
        send(*(int *)fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), put);
}

/* Tell the time and move what can be moved. Errors end the session, which tells
 * its host of it: no need to look. */
static inline void socket_pump(int fd, struct onward_channel *channel)
{
    struct onward_channel_io io = {.size = sizeof(io),
                                   .user = &fd,
                                   .read = socket_read,
                                   .write = socket_write,
                                   .is_short_last = 1};

    onward_channel_tick(channel, socket_now_ms());
    while (onward_channel_pump(channel, &io) == 1)
        continue;
}

/* What poll(2) shall wait for; a channel may want nothing but an answer. */
static inline struct pollfd socket_wish(int fd, struct onward_channel *channel)
{
    int wants = onward_channel_wants(channel);
    int events = (wants & ONWARD_WANT_READ) != 0 ? POLLIN : 0;

    events |= (wants & ONWARD_WANT_WRITE) != 0 ? POLLOUT : 0;
    return (struct pollfd){events != 0 ? fd : -1, (short)events, 0};
}

/* From now until then, in milliseconds; -1: no end. */
static inline int socket_wait_ms(int64_t then)
{
    int64_t left = then == ONWARD_NEVER ? -1 : then - socket_now_ms();

    if (then != ONWARD_NEVER && left < 0)
        left = 0;
    return left > 60000 ? 60000 : (int)left;
}

static inline struct sockaddr_in socket_loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* On a free port, which is written into a file; -1: it went wrong. */
static inline int socket_listen(const char *path)
{
    struct sockaddr_in address = socket_loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    FILE *file = fopen(path, "w");

    if (file == NULL || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    fprintf(file, "%d\n", ntohs(address.sin_port));
    return fclose(file) == 0 ? fd : -1;
}

#endif
