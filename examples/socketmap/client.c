/*
 * One connection: requests are answered one after the other, in their order,
 * and none is read while one waits. What is no netstring ends it: where the
 * next one would begin cannot be known.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "netstring.h"
#include "socketmap.h"

enum {
    IN_MAX = REQUEST_MAX + NETSTRING_HEAD + 1,
    CLIENTS_MAX = 1000,
    /* Postfix's keep one that is idle for 10 s. */
    IDLE_MS = 60000
};

struct client {
    struct client *next, **prev;
    struct server *server;
    struct loop_watch watch;
    struct question question;
    bool is_asking, has_reply, is_inside, is_over;
    bool has_eof;
    int64_t deadline_ms;
    char in[IN_MAX];
    size_t in_len;
    char head[NETSTRING_HEAD];
    size_t head_len, put; /* of head, reply and "," */
};

void client_free(struct client *c)
{
    loop_remove(c->server->loop, &c->watch);
    close(c->watch.fd);
    question_clear(&c->question);
    *c->prev = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->server->client_count--;
    free(c);
}

static void bad_request(struct client *c)
{
    log_event(c->server, "bad-request", "not a netstring, or too long");
    c->is_over = true;
}

/* ---- Writing ----------------------------------------------------------- */

/* The octet of the reply that is next, and how many stand together there. */
static struct onward_str next_out(const struct client *c)
{
    const struct question *q = &c->question;

    if (c->put < c->head_len)
        return (struct onward_str){c->head + c->put, c->head_len - c->put};
    if (c->put < c->head_len + q->reply_len)
        return (struct onward_str){q->reply + (c->put - c->head_len),
                                   c->head_len + q->reply_len - c->put};
    if (c->put == c->head_len + q->reply_len)
        return (struct onward_str){",", 1};
    return (struct onward_str){0};
}

/* False: the socket takes no more now, or is over. */
static bool write_reply(struct client *c)
{
    struct onward_str out = next_out(c);

    while (out.len > 0) {
        ssize_t n = send(c->watch.fd, out.data, out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n <= 0) {
            c->is_over = true;
            return false;
        }
        c->put += (size_t)n;
        out = next_out(c);
    }
    c->has_reply = false;
    question_clear(&c->question);
    if (c->server->is_draining)
        c->is_over = true;
    return true;
}

/* ---- Reading ----------------------------------------------------------- */

/* False: nothing has come. */
static bool read_some(struct client *c)
{
    ssize_t n;

    if (c->has_eof)
        return false;
    do {
        n = recv(c->watch.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0)
        c->is_over = true;
    if (n <= 0) {
        c->has_eof = true;
        return false;
    }
    c->in_len += (size_t)n;
    return true;
}

static void service(struct client *c);

static void answered(struct question *q)
{
    struct client *c =
        (struct client *)(void *)((char *)q -
                                  offsetof(struct client, question));

    c->is_asking = false;
    if (q->reply == NULL) {
        c->is_over = true; /* no memory for as much as that */
    } else {
        c->has_reply = true;
        c->put = 0;
        c->head_len = netstring_head(q->reply_len, c->head);
        c->deadline_ms = host_now_ms() + IDLE_MS;
    }
    if (!c->is_inside)
        service(c);
}

/* False: no whole request is there. */
static bool ask_next(struct client *c)
{
    struct onward_str text;
    int64_t len = netstring_read((struct onward_str){c->in, c->in_len},
                                 REQUEST_MAX, &text);

    if (len == NETSTRING_BROKEN) {
        bad_request(c);
        return false;
    }
    if (len == 0)
        return false;
    c->is_asking = true;
    c->deadline_ms = ONWARD_NEVER; /* the look-ups have their own */
    question_ask(&c->question, text);
    c->in_len -= (size_t)len;
    memmove(c->in, c->in + len, c->in_len);
    return true;
}

/* ---- Both -------------------------------------------------------------- */

static uint32_t wants(const struct client *c)
{
    if (c->has_reply)
        return EPOLLOUT;
    return c->is_asking || c->has_eof ? 0 : EPOLLIN;
}

static void service(struct client *c)
{
    bool moves = true;

    c->is_inside = true;
    while (moves && !c->is_over) {
        if (c->has_reply)
            moves = write_reply(c);
        else if (c->is_asking)
            moves = false;
        else
            moves = ask_next(c) || (!c->is_over && read_some(c));
    }
    c->is_inside = false;
    if (c->is_over || (c->has_eof && !c->has_reply && !c->is_asking)) {
        client_free(c);
        return;
    }
    loop_want(c->server->loop, &c->watch, wants(c));
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct client *c =
        (struct client *)(void *)((char *)watch -
                                  offsetof(struct client, watch));

    /* Nobody is there to read an answer; the rest may still be read. */
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && wants(c) != EPOLLIN)
        client_free(c);
    else
        service(c);
}

/* ---- All of them ------------------------------------------------------- */

void client_open(struct server *server, int fd)
{
    struct client *c = NULL;

    if (server->client_count < CLIENTS_MAX)
        c = calloc(1, sizeof(*c));
    if (c == NULL) {
        log_event(server, "cannot-accept", "too many connections");
        close(fd);
        return;
    }
    c->server = server;
    c->question = (struct question){.server = server, .done = answered};
    c->watch = (struct loop_watch){.fd = fd, .ready = ready};
    c->deadline_ms = host_now_ms() + IDLE_MS;
    c->next = server->clients;
    c->prev = &server->clients;
    if (c->next != NULL)
        c->next->prev = &c->next;
    server->clients = c;
    server->client_count++;
    if (loop_add(server->loop, &c->watch, EPOLLIN) != 0)
        client_free(c);
}

void client_end_idle(struct server *server, int64_t now_ms, bool all)
{
    struct client *c = server->clients;

    while (c != NULL) {
        struct client *next = c->next;

        if ((all && !c->is_asking && !c->has_reply) || c->deadline_ms <= now_ms)
            client_free(c);
        c = next;
    }
}

int64_t client_deadline(const struct server *server)
{
    int64_t least = ONWARD_NEVER;

    for (const struct client *c = server->clients; c != NULL; c = c->next) {
        if (c->deadline_ms < least)
            least = c->deadline_ms;
    }
    return least;
}
