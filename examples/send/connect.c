/* A connection to a server by name or address, the first that answers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "send.h"

static int try_one(const struct addrinfo *ai, int timeout_ms)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    ai->ai_protocol);
    int error = 0, on = 1;
    socklen_t len = sizeof(error);
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return -1;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            error = errno;
        else if (poll(&p, 1, timeout_ms) != 1)
            error = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
            error = errno;
    }
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int connect_to(const char *host, const char *port, size_t timeout_s)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fd = -1;
    int err = getaddrinfo(host, port, &hints, &list);

    if (err != 0) {
        host_complain(send_program.name, "%s: %s", host, gai_strerror(err));
        return -1;
    }
    for (const struct addrinfo *ai = list; ai != NULL && fd < 0;
         ai = ai->ai_next)
        fd = try_one(ai, (int)timeout_s * 1000);
    if (fd < 0)
        host_complain(send_program.name, "%s port %s: %s", host, port,
                      strerror(errno));
    freeaddrinfo(list);
    return fd;
}
