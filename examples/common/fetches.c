#define _GNU_SOURCE
#include "fetches.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "host.h"

enum { CONNECT_MS = 10000 }; /* to one address; there may be others */

/* A connection to a policy host, or on its way to be one. */
struct fetch {
    struct fetch *next, **prev;
    struct fetcher *fetcher;
    uint64_t token; /* 0: nobody waits */
    struct onward_ip ips[16];
    size_t ip_count, ip_at, port;
    struct loop_watch connecting; /* fd -1: not */
    int64_t deadline_ms;          /* of connecting */
    struct conn conn;
    struct onward_mtasts_fetch *fetch; /* NULL: not connected */
};

#define OWNER_OF(type, member, ptr)                                            \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* ---- Life -------------------------------------------------------------- */

static void stop_connecting(struct fetch *f)
{
    if (f->connecting.fd < 0)
        return;
    loop_remove(f->fetcher->loop, &f->connecting);
    close(f->connecting.fd);
    f->connecting.fd = -1;
}

static void free_fetch(struct fetch *f)
{
    stop_connecting(f);
    if (f->fetch != NULL)
        conn_close(&f->conn);
    onward_mtasts_fetch_free(f->fetch);
    *f->prev = f->next;
    if (f->next != NULL)
        f->next->prev = f->prev;
    free(f);
}

static void conn_closed(struct conn *conn)
{
    free_fetch(OWNER_OF(struct fetch, conn, conn));
}

/* ---- Connecting -------------------------------------------------------- */

static void dial(struct fetch *f);

/* The fetch is over when it cannot go on. */
static void open_conn(struct fetch *f, int fd)
{
    struct fetcher *by = f->fetcher;

    if (onward_mtasts_fetch_new(by->desk, f->token, &f->fetch) != 0) {
        close(fd);
        free_fetch(f);
        return;
    }
    if (conn_open(&f->conn, by->conns, by->loop, fd,
                  onward_mtasts_fetch_channel(f->fetch), conn_closed) != 0)
        free_fetch(f);
}

static void connected(struct loop_watch *watch, uint32_t events)
{
    struct fetch *f = OWNER_OF(struct fetch, connecting, watch);
    int fd = watch->fd, error = 0;
    socklen_t len = sizeof(error);

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        stop_connecting(f);
        dial(f);
        return;
    }
    loop_remove(f->fetcher->loop, watch);
    watch->fd = -1;
    open_conn(f, fd);
}

static int begin_connect(struct fetch *f, const struct onward_ip *ip)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to(ip, f->port, &sa);
    int fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    f->connecting = (struct loop_watch){.fd = fd, .ready = connected};
    f->deadline_ms = host_now_ms() + CONNECT_MS;
    if ((connect(fd, (struct sockaddr *)&sa, len) != 0 &&
         errno != EINPROGRESS) ||
        loop_add(f->fetcher->loop, &f->connecting, EPOLLOUT) != 0) {
        close(fd);
        f->connecting.fd = -1;
        return -1;
    }
    return 0;
}

/* The next address; none is left: say so. */
static void dial(struct fetch *f)
{
    while (f->ip_at < f->ip_count) {
        if (begin_connect(f, &f->ips[f->ip_at++]) == 0)
            return;
    }
    onward_mtasts_answer_error(f->fetcher->desk, f->token, 0);
    free_fetch(f);
}

/* ---- The library asks -------------------------------------------------- */

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct fetcher *by = user;
    struct fetch *f = calloc(1, sizeof(*f));
    const size_t most = sizeof(f->ips) / sizeof(f->ips[0]);

    if (f == NULL)
        return -1;
    f->fetcher = by;
    f->token = token;
    f->port = by->port;
    f->ip_count = request->ip_count < most ? request->ip_count : most;
    memcpy(f->ips, request->ips, f->ip_count * sizeof(f->ips[0]));
    f->connecting.fd = -1;
    f->next = *by->list;
    f->prev = by->list;
    if (f->next != NULL)
        f->next->prev = &f->next;
    *by->list = f;
    dial(f);
    return 0;
}

static void on_cancel(void *user, uint64_t token)
{
    struct fetcher *by = user;

    for (struct fetch *f = *by->list; f != NULL; f = f->next) {
        if (f->fetcher == by && f->token == token && f->fetch == NULL) {
            free_fetch(f);
            return;
        }
    }
}

static int allow_any(void *user, const struct onward_ip *ip)
{
    (void)user;
    (void)ip;
    return 1;
}

/* ---- For the others ---------------------------------------------------- */

void fetcher_host(struct fetcher *fetcher, bool allow_private_addresses,
                  struct onward_mtasts_host *host)
{
    *host = (struct onward_mtasts_host){
        .size = sizeof(*host),
        .user = fetcher,
        .connect = on_connect,
        .cancel = on_cancel,
        .allow_address = allow_private_addresses ? allow_any : NULL};
}

void fetcher_close(struct fetcher *fetcher)
{
    struct fetch *f = *fetcher->list;

    while (f != NULL) {
        struct fetch *next = f->next;

        if (f->fetcher == fetcher)
            free_fetch(f);
        f = next;
    }
}

int64_t fetches_deadline(const struct fetch *list)
{
    int64_t least = ONWARD_NEVER;

    for (const struct fetch *f = list; f != NULL; f = f->next) {
        if (f->connecting.fd >= 0 && f->deadline_ms < least)
            least = f->deadline_ms;
    }
    return least;
}

void fetches_time(struct fetch *list, int64_t now_ms)
{
    struct fetch *f = list;

    while (f != NULL) {
        struct fetch *next = f->next;

        if (f->connecting.fd >= 0 && f->deadline_ms <= now_ms) {
            stop_connecting(f);
            /* It may free f, but no other. */
            dial(f);
        }
        f = next;
    }
}
