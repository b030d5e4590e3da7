#define _GNU_SOURCE
#include "pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int host_listen(void)
{
    struct sockaddr_in sin = loopback(0);
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) != 0 ||
        listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    printf("ready 127.0.0.1:%u\n", (unsigned)ntohs(sin.sin_port));
    fflush(stdout);
    return fd;
}

int host_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

int host_connect(unsigned port)
{
    const struct sockaddr_in sin = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int socket_read(int fd, void *buf, size_t cap, size_t *got)
{
    ssize_t n = recv(fd, buf, cap, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ONWARD_AGAIN
                                                 : ONWARD_ECALLBACK;
    *got = (size_t)n;
    return 0;
}

int socket_write(int fd, const void *data, size_t len, size_t *put)
{
    ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ONWARD_AGAIN
                                                 : ONWARD_ECALLBACK;
    *put = (size_t)n;
    return 0;
}

static int receive(void *user, void *buf, size_t cap, size_t *got)
{
    return socket_read(*(int *)user, buf, cap, got);
}

static int transmit(void *user, const void *data, size_t len, size_t *put)
{
    return socket_write(*(int *)user, data, len, put);
}

int pump_socket(int fd, struct onward_channel *channel)
{
    const struct onward_channel_io io = {
        .size = sizeof(io), .user = &fd, .read = receive, .write = transmit};

    if (onward_channel_tick(channel, host_now_ms()) == ONWARD_ECANCELED)
        return ONWARD_ECANCELED;
    return onward_channel_pump(channel, &io);
}
