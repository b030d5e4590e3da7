/* Listening sockets, and saying that they are there. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "milter.h"

struct listener {
    struct listener *next;
    struct loop_watch watch;
    struct milter *milter;
    char address[ENDPOINT_MAX]; /* with the real port */
};

/*
 * No descriptors or no memory: who waits would wake us without end, so look
 * again in a second.
 */
static void rest(struct milter *m)
{
    log_event(m, "cannot-accept", strerror(errno));
    m->listen_again_ms = host_now_ms() + 1000;
    for (struct listener *l = m->listeners; l != NULL; l = l->next)
        loop_want(m->loop, &l->watch, 0);
}

void listen_time(struct milter *m, int64_t now_ms)
{
    if (now_ms < m->listen_again_ms)
        return;
    m->listen_again_ms = ONWARD_NEVER;
    for (struct listener *l = m->listeners; l != NULL; l = l->next)
        loop_want(m->loop, &l->watch, EPOLLIN);
}

static void accept_some(struct loop_watch *watch, uint32_t events)
{
    struct listener *l =
        (struct listener *)(void *)((char *)watch -
                                    offsetof(struct listener, watch));
    int on = 1;

    (void)events;
    for (int i = 0; i < 16; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                errno == ENOMEM)
                rest(l->milter);
            return;
        }
        /* Harmless on a socket that is none of TCP. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        link_open(l->milter, fd);
    }
}

/* Who may connect to a socket in the file system: its group. */
static int give_to_group(const struct milter *m, const struct listener *l,
                         char *fault, size_t fault_size)
{
    const char *name = m->setup->settings.socket_group;
    const struct group *group = name == NULL ? NULL : getgrnam(name);

    if (group == NULL || strncmp(l->address, "unix:", 5) != 0 ||
        chown(l->address + 5, (uid_t)-1, group->gr_gid) == 0)
        return 0;
    snprintf(fault, fault_size, "%s: %s, expected that it can be given to %s",
             l->address, strerror(errno), name);
    return -1;
}

static int open_one(struct milter *m, const char *text, char *fault,
                    size_t fault_size)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        snprintf(fault, fault_size, "%s: out of memory", text);
        return -1;
    }
    l->next = m->listeners;
    l->milter = m;
    m->listeners = l;
    l->watch.ready = accept_some;
    l->watch.fd = service_listen(text, l->address, fault, fault_size);
    if (l->watch.fd < 0 || give_to_group(m, l, fault, fault_size) != 0)
        return -1;
    if (loop_add(m->loop, &l->watch, EPOLLIN) == 0)
        return 0;
    snprintf(fault, fault_size, "%s: %s", text, strerror(errno));
    return -1;
}

int listen_open(struct milter *m, char *fault, size_t fault_size)
{
    const struct config_list *list = &m->setup->settings.listen;

    /* The last one first, so that the list is in the order of the file. */
    for (size_t i = list->count; i > 0; i--) {
        if (open_one(m, list->items[i - 1], fault, fault_size) != 0)
            return -1;
    }
    return 0;
}

void listen_announce(const struct milter *m)
{
    fputs("ready", stdout);
    for (const struct listener *l = m->listeners; l != NULL; l = l->next)
        printf(" %s", l->address);
    putchar('\n');
    fflush(stdout);
}

void listen_close(struct milter *m)
{
    while (m->listeners != NULL) {
        struct listener *l = m->listeners;

        m->listeners = l->next;
        if (l->watch.fd >= 0) {
            loop_remove(m->loop, &l->watch);
            close(l->watch.fd);
            if (strncmp(l->address, "unix:", 5) == 0)
                unlink(l->address + 5);
        }
        free(l);
    }
}
