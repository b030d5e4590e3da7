/* Listening sockets, and saying that they are there. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "forwarder.h"
#include "host.h"

struct listener {
    struct listener *next;
    struct loop_watch watch;
    struct forwarder *fwd;
    char address[ENDPOINT_MAX]; /* with the real port */
};

/*
 * No descriptors or no memory: who waits would wake us without end, so look
 * again in a second.
 */
static void rest(struct forwarder *fwd)
{
    log_event(fwd, "cannot-accept", strerror(errno));
    fwd->listen_again_ms = host_now_ms() + 1000;
    for (struct listener *l = fwd->listeners; l != NULL; l = l->next)
        loop_want(fwd->loop, &l->watch, 0);
}

void listen_time(struct forwarder *fwd, int64_t now_ms)
{
    if (now_ms < fwd->listen_again_ms)
        return;
    fwd->listen_again_ms = ONWARD_NEVER;
    for (struct listener *l = fwd->listeners; l != NULL; l = l->next)
        loop_want(fwd->loop, &l->watch, EPOLLIN);
}

static void accept_some(struct loop_watch *watch, uint32_t events)
{
    struct listener *l =
        (struct listener *)(void *)((char *)watch -
                                    offsetof(struct listener, watch));
    int on = 1;

    (void)events;
    /* A few at a time, so that those who are connected get their turn. */
    for (int i = 0; i < 16; i++) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        struct onward_ip ip;
        size_t port;
        int fd = accept4(watch->fd, (struct sockaddr *)&sa, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                errno == ENOMEM)
                rest(l->fwd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        endpoint_from(&sa, &ip, &port);
        session_open(l->fwd, fd, &ip, port);
    }
}

static int open_one(struct forwarder *fwd, const char *text, char *fault,
                    size_t fault_size)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        snprintf(fault, fault_size, "%s: out of memory", text);
        return -1;
    }
    l->next = fwd->listeners;
    l->fwd = fwd;
    fwd->listeners = l;
    l->watch.ready = accept_some;
    l->watch.fd = service_listen(text, l->address, fault, fault_size);
    if (l->watch.fd < 0)
        return -1;
    if (loop_add(fwd->loop, &l->watch, EPOLLIN) == 0)
        return 0;
    snprintf(fault, fault_size, "%s: %s", text, strerror(errno));
    return -1;
}

int listen_open(struct forwarder *fwd, char *fault, size_t fault_size)
{
    const struct config_list *list = &fwd->setup->settings.listen;

    /* The last one first, so that the list is in the order of the file. */
    for (size_t i = list->count; i > 0; i--) {
        if (open_one(fwd, list->items[i - 1], fault, fault_size) != 0)
            return -1;
    }
    return 0;
}

void listen_announce(const struct forwarder *fwd)
{
    fputs("ready", stdout);
    for (const struct listener *l = fwd->listeners; l != NULL; l = l->next)
        printf(" %s", l->address);
    putchar('\n');
    fflush(stdout);
}

void listen_close(struct forwarder *fwd)
{
    while (fwd->listeners != NULL) {
        struct listener *l = fwd->listeners;

        fwd->listeners = l->next;
        if (l->watch.fd >= 0) {
            loop_remove(fwd->loop, &l->watch);
            close(l->watch.fd);
        }
        free(l);
    }
}
