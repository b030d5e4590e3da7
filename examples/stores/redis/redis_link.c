#define _GNU_SOURCE
#include "redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host.h"

enum { REST_MIN_MS = 100, REST_MAX_MS = 5000, READ_MAX = 65536 };

#define LINK_OF(watch, member)                                                 \
    ((struct redis_link *)(void *)((char *)(watch)-offsetof(struct redis_link, \
                                                            member)))

/* ---- Time -------------------------------------------------------------- */

/* 0: never. */
static void wake_after(struct redis_link *link, int64_t ms)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};

    timerfd_settime(link->timer.fd, 0, &when, NULL);
}

static void wait_for_reply(struct redis_link *link)
{
    int64_t left =
        link->progress_ms + (int64_t)link->timeout_ms - host_now_ms();

    if (link->pending == 0 && !link->is_connecting)
        wake_after(link, 0);
    else
        wake_after(link, left < 1 ? 1 : left);
}

/* Not all at once, when a Redis comes back. */
static int64_t jitter(size_t ms)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), 0) < 0)
        random = 0;
    return (int64_t)(ms / 2 + random % (ms / 2 + 1));
}

/* ---- Up and down ------------------------------------------------------- */

static void hang_up(struct redis_link *link)
{
    if (link->socket.fd >= 0) {
        loop_remove(link->loop, &link->socket);
        close(link->socket.fd);
    }
    link->socket.fd = -1;
    link->is_connecting = false;
    link->pending = link->sent = link->out.len = link->in_len = link->want = 0;
    link->out.has_failed = 0;
}

static void fail(struct redis_link *link, const char *why)
{
    hang_up(link);
    link->state = LINK_RESTS;
    wake_after(link, jitter(link->rest_ms));
    link->rest_ms *= 2;
    if (link->rest_ms > REST_MAX_MS)
        link->rest_ms = REST_MAX_MS;
    link->host.down(link->host.user, why);
}

static void serve(struct redis_link *link, uint32_t events);

static void ready(struct loop_watch *watch, uint32_t events)
{
    serve(LINK_OF(watch, socket), events);
}

static void dial(struct redis_link *link)
{
    static const int on = 1;
    int fd = socket(link->address.ss_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        fail(link, strerror(errno));
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    link->socket = (struct loop_watch){.fd = fd, .ready = ready};
    if ((connect(fd, (struct sockaddr *)&link->address, link->address_len) !=
             0 &&
         errno != EINPROGRESS) ||
        loop_add(link->loop, &link->socket, EPOLLIN | EPOLLOUT) != 0) {
        fail(link, strerror(errno));
        return;
    }
    link->state = LINK_CONNECTS;
    link->is_connecting = true;
    link->progress_ms = host_now_ms();
    /* That there is a Redis, and the right data base. */
    resp_command(&link->out, 2);
    resp_text(&link->out, "SELECT");
    resp_number(&link->out, (int64_t)link->db);
    link->pending = 1;
    wait_for_reply(link);
}

static void timed_out(struct loop_watch *watch, uint32_t events)
{
    struct redis_link *link = LINK_OF(watch, timer);
    uint64_t count;

    (void)events;
    if (read(watch->fd, &count, sizeof(count)) <= 0)
        return;
    if (link->state == LINK_RESTS)
        dial(link);
    else if (host_now_ms() - link->progress_ms >= (int64_t)link->timeout_ms)
        fail(link, link->is_connecting ? "no connection in time"
                                       : "no answer in time");
    else
        wait_for_reply(link);
}

/* ---- Octets ------------------------------------------------------------ */

/* false: the link is down. */
static bool write_out(struct redis_link *link)
{
    while (link->sent < link->out.len) {
        ssize_t put = send(link->socket.fd, link->out.data + link->sent,
                           link->out.len - link->sent, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return true;
        if (put < 0) {
            fail(link, strerror(errno));
            return false;
        }
        link->sent += (size_t)put;
    }
    link->sent = link->out.len = 0;
    return true;
}

/* The reply to SELECT, or one for the host; false: down. */
static bool take_reply(struct redis_link *link)
{
    const struct resp_value *first = &link->reply.values[0];

    if (link->pending == 0) {
        fail(link, "an answer that nobody asked for");
        return false;
    }
    link->pending--;
    link->progress_ms = host_now_ms();
    if (link->state == LINK_CONNECTS) {
        if (first->type != RESP_TEXT || first->text.len != 2 ||
            memcmp(first->text.data, "OK", 2) != 0) {
            fail(link, "SELECT was refused");
            return false;
        }
        link->state = LINK_IS_UP;
        link->rest_ms = REST_MIN_MS;
        link->host.up(link->host.user);
        return true;
    }
    if (link->host.replied(link->host.user, &link->reply))
        return true;
    fail(link, "an answer that makes no sense");
    return false;
}

static bool take_replies(struct redis_link *link)
{
    size_t at = 0;

    while (at < link->in_len) {
        int64_t len =
            resp_read((struct onward_str){link->in + at, link->in_len - at},
                      &link->reply, &link->want);

        if (len == RESP_BROKEN) {
            fail(link, "an answer that is none");
            return false;
        }
        if (len == 0)
            break;
        link->want = 0;
        at += (size_t)len;
        if (!take_reply(link))
            return false;
    }
    if (at != 0) {
        memmove(link->in, link->in + at, link->in_len - at);
        link->in_len -= at;
    }
    return true;
}

static bool read_in(struct redis_link *link)
{
    ssize_t got;

    if (link->in_room - link->in_len < READ_MAX) {
        size_t room = link->in_room == 0 ? 2 * READ_MAX : link->in_room * 2;
        char *bigger = realloc(link->in, room);

        if (bigger == NULL) {
            fail(link, "out of memory");
            return false;
        }
        link->in = bigger;
        link->in_room = room;
    }
    got = recv(link->socket.fd, link->in + link->in_len, READ_MAX, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        fail(link, got == 0 ? "it has hung up" : strerror(errno));
        return false;
    }
    link->in_len += (size_t)got;
    return link->in_len < link->want || take_replies(link);
}

static void serve(struct redis_link *link, uint32_t events)
{
    if (link->is_connecting) {
        int error = 0;
        socklen_t len = sizeof(error);

        getsockopt(link->socket.fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            fail(link, strerror(error));
            return;
        }
        link->is_connecting = false;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_in(link))
        return;
    if (!write_out(link))
        return;
    loop_want(link->loop, &link->socket,
              link->out.len != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    wait_for_reply(link);
}

/* ---- For the store ----------------------------------------------------- */

struct resp_out *redis_link_command(struct redis_link *link)
{
    return link->state == LINK_RESTS ? NULL : &link->out;
}

void redis_link_sent(struct redis_link *link)
{
    if (link->out.has_failed) {
        link->pending++;
        fail(link, "out of memory");
        return;
    }
    if (link->pending++ == 0) {
        link->progress_ms = host_now_ms();
        wait_for_reply(link);
    }
    /* With what else is asked in this turn. */
    loop_want(link->loop, &link->socket, EPOLLIN | EPOLLOUT);
}

int redis_link_open(struct redis_link *link)
{
    link->socket.fd = -1;
    link->rest_ms = REST_MIN_MS;
    link->timer = (struct loop_watch){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
        .ready = timed_out};
    if (link->timer.fd < 0 || loop_add(link->loop, &link->timer, EPOLLIN) != 0)
        return -1;
    dial(link);
    return 0;
}

void redis_link_close(struct redis_link *link)
{
    hang_up(link);
    if (link->timer.fd >= 0) {
        loop_remove(link->loop, &link->timer);
        close(link->timer.fd);
    }
    link->timer.fd = -1;
    link->state = LINK_RESTS;
    resp_clear(&link->reply);
    free(link->out.data);
    free(link->in);
    link->out = (struct resp_out){0};
    link->in = NULL;
}
