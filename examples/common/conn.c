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

static void set_busy(struct conn *conn, bool is_busy)
{
    if (is_busy == (conn->prev != NULL))
        return;
    if (is_busy) {
        conn->next = conn->list->busy;
        conn->prev = &conn->list->busy;
        if (conn->next != NULL)
            conn->next->prev = &conn->next;
        conn->list->busy = conn;
        return;
    }
    *conn->prev = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    conn->prev = NULL;
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
                                         .write = write_socket,
                                         .is_short_last = 1};
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
    set_busy(conn, ret == 1);
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
                          .list = list,
                          .loop = loop,
                          .channel = channel,
                          .closed = closed};
    if (loop_add(loop, &conn->watch, EPOLLIN | EPOLLRDHUP) == 0 &&
        onward_channel_set_add(list->set, channel, conn) == 0)
        return 0;
    conn->is_closed = true;
    loop_remove(loop, &conn->watch);
    close(fd);
    return -1;
}

void conn_close(struct conn *conn)
{
    if (conn->is_closed)
        return;
    conn->is_closed = true;
    set_busy(conn, false);
    onward_channel_set_remove(conn->list->set, conn->channel);
    loop_remove(conn->loop, &conn->watch);
    close(conn->watch.fd);
}

int conn_list_open(struct conn_list *list, struct onward_desk *desk)
{
    list->busy = NULL;
    return onward_channel_set_new(desk, &list->set) == 0 ? 0 : -1;
}

void conn_list_close(struct conn_list *list)
{
    onward_channel_set_free(list->set);
    list->set = NULL;
}

void conn_list_refresh(struct conn_list *list)
{
    struct conn *busy = list->busy;
    void *user;

    while (onward_channel_set_next(list->set, &user) == 1)
        conn_service(user);
    /* One share each: those that are busy still stand in a new list. */
    list->busy = NULL;
    if (busy != NULL)
        busy->prev = &busy;
    while (busy != NULL) {
        struct conn *conn = busy;

        set_busy(conn, false);
        conn_service(conn);
    }
}

bool conn_list_is_busy(const struct conn_list *list)
{
    return list->busy != NULL;
}
