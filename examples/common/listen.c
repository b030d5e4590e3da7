#define _GNU_SOURCE
#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "endpoint.h"
#include "host.h"
#include "service.h"

struct listener {
    struct listener *next;
    struct loop_watch watch;
    struct listeners *all;
    char address[ENDPOINT_MAX]; /* with the real port */
};

/* The path of a socket in the file system, or NULL. */
static const char *path_of(const struct listener *l)
{
    return strncmp(l->address, "unix:", 5) == 0 ? l->address + 5 : NULL;
}

/*
 * No descriptors or no memory: who waits would wake us without end, so look
 * again in a second.
 */
static void rest(struct listeners *ls)
{
    ls->resting(ls->user, strerror(errno));
    ls->again_ms = host_now_ms() + 1000;
    for (struct listener *l = ls->first; l != NULL; l = l->next)
        loop_want(ls->loop, &l->watch, 0);
}

void listen_time(struct listeners *ls, int64_t now_ms)
{
    if (now_ms < ls->again_ms)
        return;
    ls->again_ms = ONWARD_NEVER;
    for (struct listener *l = ls->first; l != NULL; l = l->next)
        loop_want(ls->loop, &l->watch, EPOLLIN);
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
        int fd = accept4(watch->fd, (struct sockaddr *)&sa, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                errno == ENOMEM)
                rest(l->all);
            return;
        }
        /* Harmless on a socket that is none of TCP. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        l->all->accepted(l->all->user, fd, &sa);
    }
}

/* Who may connect to a socket in the file system: its group. */
static int give_to_group(const struct listener *l, char *fault,
                         size_t fault_size)
{
    const char *name = l->all->group;
    const struct group *group = name == NULL ? NULL : getgrnam(name);

    if (group == NULL || path_of(l) == NULL ||
        chown(path_of(l), (uid_t)-1, group->gr_gid) == 0)
        return 0;
    snprintf(fault, fault_size, "%s: %s, expected that it can be given to %s",
             l->address, strerror(errno), name);
    return -1;
}

static int open_one(struct listeners *ls, const char *text, char *fault,
                    size_t fault_size)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        snprintf(fault, fault_size, "%s: out of memory", text);
        return -1;
    }
    l->next = ls->first;
    l->all = ls;
    ls->first = l;
    l->watch.ready = accept_some;
    l->watch.fd = service_listen(text, l->address, fault, fault_size);
    if (l->watch.fd < 0 || give_to_group(l, fault, fault_size) != 0)
        return -1;
    if (loop_add(ls->loop, &l->watch, EPOLLIN) == 0)
        return 0;
    snprintf(fault, fault_size, "%s: %s", text, strerror(errno));
    return -1;
}

int listen_open(struct listeners *ls, const struct config_list *addresses,
                char *fault, size_t fault_size)
{
    ls->again_ms = ONWARD_NEVER;
    /* The last one first, so that the list is in the order of the file. */
    for (size_t i = addresses->count; i > 0; i--) {
        if (open_one(ls, addresses->items[i - 1], fault, fault_size) != 0)
            return -1;
    }
    return 0;
}

void listen_announce(const struct listeners *ls)
{
    fputs("ready", stdout);
    for (const struct listener *l = ls->first; l != NULL; l = l->next)
        printf(" %s", l->address);
    putchar('\n');
    fflush(stdout);
}

void listen_close(struct listeners *ls)
{
    while (ls->first != NULL) {
        struct listener *l = ls->first;

        ls->first = l->next;
        if (l->watch.fd >= 0) {
            loop_remove(ls->loop, &l->watch);
            close(l->watch.fd);
            if (path_of(l) != NULL)
                unlink(path_of(l));
        }
        free(l);
    }
}
