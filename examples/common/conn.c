#define _GNU_SOURCE
#include "conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "pump.h"

static int read_socket(void *user, void *buf, size_t cap, size_t *got)
{
    static const int on = 1;
    struct conn *conn = user;
    int ret = socket_read(conn->watch.fd, buf, cap, got);

    /* For the read to come alone: the kernel forgets it. */
    if (ret == 0 && conn->acks_at_once)
        setsockopt(conn->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    return ret;
}

static int write_socket(void *user, const void *data, size_t len, size_t *put)
{
    return socket_write(((struct conn *)user)->watch.fd, data, len, put);
}

static void end(struct conn *conn)
{
    conn_close(conn);
    conn->closed(conn);
}

void conn_service(struct conn *conn)
{
    const struct onward_channel_io io = {.size = sizeof(io),
                                         .user = conn,
                                         .read = read_socket,
                                         .write = write_socket};
    int64_t now = host_now_ms();
    uint32_t events = EPOLLRDHUP;
    int wants, ret;

    if (conn->is_closed)
        return;
    /* What a tick or a pump returns as the engine's error, its own callbacks
     * tell too; here only the end of the connection counts. */
    if (onward_channel_tick(conn->channel, now) == ONWARD_ECANCELED)
        return;
    ret = onward_channel_pump(conn->channel, &io);
    if (ret == ONWARD_ECANCELED)
        return; /* the engine was freed inside, and conn with it */
    /* Its share was done; the others come first. */
    conn->has_more = ret == 1;
    wants = onward_channel_wants(conn->channel);
    if (wants & ONWARD_WANT_CLOSE) {
        end(conn);
        return;
    }
    if (wants & ONWARD_WANT_READ)
        events |= EPOLLIN;
    if (wants & ONWARD_WANT_WRITE)
        events |= EPOLLOUT;
    /* A peer that is known to be gone would wake us without end. */
    if (conn->peer_gone && !(wants & ONWARD_WANT_READ))
        events &= ~(uint32_t)EPOLLRDHUP;
    loop_want(conn->loop, &conn->watch, events);
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct conn *conn =
        (struct conn *)(void *)((char *)watch - offsetof(struct conn, watch));

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->peer_gone = true;
    /* HUP cannot be masked: when nobody wants to read or write, the socket is
     * dead all the same. */
    if ((events & (EPOLLHUP | EPOLLERR)) &&
        !(onward_channel_wants(conn->channel) &
          (ONWARD_WANT_READ | ONWARD_WANT_WRITE))) {
        loop_remove(conn->loop, watch);
        onward_channel_eof(conn->channel, ONWARD_EOF_CUT);
    }
    conn_service(conn);
}

int conn_open(struct conn *conn, struct conn_list *list, struct loop *loop,
              int fd, struct onward_channel *channel,
              void (*closed)(struct conn *conn))
{
    *conn = (struct conn){.watch = {.fd = fd, .ready = ready},
                          .loop = loop,
                          .channel = channel,
                          .closed = closed};
    if (loop_add(loop, &conn->watch, EPOLLIN | EPOLLRDHUP) != 0) {
        conn->is_closed = true;
        close(fd);
        return -1;
    }
    conn->list = list;
    conn->next = list->first;
    conn->prev = &list->first;
    if (list->first != NULL)
        list->first->prev = &conn->next;
    list->first = conn;
    return 0;
}

void conn_close(struct conn *conn)
{
    if (conn->is_closed)
        return;
    conn->is_closed = true;
    loop_remove(conn->loop, &conn->watch);
    close(conn->watch.fd);
    *conn->prev = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    conn->list->is_changed = true;
}

static bool needs_service(const struct conn *conn, int64_t now_ms)
{
    int wants = onward_channel_wants(conn->channel);

    if (conn->has_more)
        return true;
    if (wants & (ONWARD_WANT_WRITE | ONWARD_WANT_CLOSE))
        return true;
    if ((wants & ONWARD_WANT_READ) && !(conn->watch.events & EPOLLIN))
        return true;
    return onward_channel_deadline(conn->channel) <= now_ms;
}

void conn_list_refresh(struct conn_list *list, int64_t now_ms)
{
    struct conn *conn;

    list->turn++;
    do {
        list->is_changed = false;
        for (conn = list->first; conn != NULL && !list->is_changed;) {
            /* Serviced, a connection may be gone, and others with it: then
             * begin anew with those that were not looked at. */
            struct conn *next = conn->next;

            if (conn->turn != list->turn) {
                conn->turn = list->turn;
                if (needs_service(conn, now_ms))
                    conn_service(conn);
            }
            conn = next;
        }
    } while (list->is_changed);
}

int64_t conn_list_deadline(const struct conn_list *list)
{
    int64_t least = ONWARD_NEVER;

    for (const struct conn *c = list->first; c != NULL; c = c->next) {
        int64_t at =
            c->has_more ? INT64_MIN : onward_channel_deadline(c->channel);

        if (at < least)
            least = at;
    }
    return least;
}
