/* One connection: octets between a socket and a session. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "milter.h"
#include "session.h"

enum { READS_A_TURN = 4, LOOK_MS = 10000 };

struct link {
    struct link *next, **prev;
    struct link *next_ready;
    bool is_ready;
    struct milter *milter;
    struct setup *setup;
    struct loop_watch watch;
    struct milter_session *session;
    int64_t heard_ms;
    size_t at, len; /* what was read and not taken: in[at] to in[len] */
    char in[16384];
};

static void not_ready(struct link *l)
{
    struct link **at = &l->milter->ready;

    while (*at != l)
        at = &(*at)->next_ready;
    *at = l->next_ready;
    l->is_ready = false;
}

static void close_link(struct link *l)
{
    if (l->is_ready)
        not_ready(l);
    if (l->watch.fd >= 0) {
        loop_remove(l->milter->loop, &l->watch);
        close(l->watch.fd);
    }
    milter_session_free(l->session);
    setup_free(l->setup);
    *l->prev = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    l->milter->link_count--;
    free(l);
}

/* ---- Octets ------------------------------------------------------------ */

/* 1: all is sent; 0: not yet; -1: the connection is broken. */
static int send_all(struct link *l)
{
    struct milter_out *out = milter_session_out(l->session);

    if (out->has_failed)
        return -1;
    while (out->at < out->len) {
        ssize_t n = send(l->watch.fd, out->data + out->at, out->len - out->at,
                         MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        out->at += (size_t)n;
    }
    out->at = out->len = 0;
    return 1;
}

/* 1: there are some; 0: not now; -1: there will be none. */
static int read_some(struct link *l)
{
    ssize_t n;

    do {
        n = recv(l->watch.fd, l->in, sizeof(l->in), 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    l->at = 0;
    l->len = (size_t)n;
    l->heard_ms = host_now_ms();
    return 1;
}

/* NULL: go on; else why not. */
static const char *take(struct link *l)
{
    size_t taken = 0;
    const char *why =
        milter_session_feed(l->session, l->in + l->at, l->len - l->at, &taken);

    l->at += taken;
    return why;
}

static void want(struct link *l, uint32_t events)
{
    loop_want(l->milter->loop, &l->watch, events);
}

/*
 * Move what can be moved. Nothing is taken while an answer waits to be sent, so
 * who does not read cannot make us keep answers; and nothing is read while a
 * message is decided about.
 */
static void service(struct link *l)
{
    for (int reads = 0;;) {
        const char *why = NULL;
        int ret = send_all(l);

        if (ret == 0) {
            want(l, EPOLLOUT);
            return;
        }
        if (ret < 0 || (l->milter->is_draining &&
                        !milter_session_has_message(l->session))) {
            close_link(l);
            return;
        }
        if (milter_session_is_busy(l->session)) {
            want(l, 0);
            return;
        }
        if (l->at < l->len) {
            why = take(l);
        } else if (reads == READS_A_TURN || (ret = read_some(l)) == 0) {
            want(l, EPOLLIN);
            return;
        } else if (ret < 0) {
            close_link(l);
            return;
        } else {
            reads++;
        }
        if (why != NULL) {
            if (why[0] != '\0')
                log_event(l->milter, "protocol", why);
            (void)send_all(l); /* what was answered before */
            close_link(l);
            return;
        }
    }
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct link *l =
        (struct link *)(void *)((char *)watch - offsetof(struct link, watch));

    /* Nobody waits for the answer any more. */
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 &&
        milter_session_is_busy(l->session))
        close_link(l);
    else
        service(l);
}

/* ---- The session ------------------------------------------------------- */

static void decided(void *user)
{
    struct link *l = user;

    if (l->is_ready)
        return;
    l->is_ready = true;
    l->next_ready = l->milter->ready;
    l->milter->ready = l;
}

static void ended(void *user, const struct filter *f, const char *id)
{
    log_message(((struct link *)user)->milter, f, id);
}

void link_open(struct milter *m, int fd)
{
    struct link *l;
    struct milter_session_opts o;

    if (m->link_count >= m->setup->settings.max_connections) {
        log_event(m, "refused", "max_connections");
        close(fd);
        return;
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        close(fd);
        return;
    }
    l->milter = m;
    l->setup = setup_ref(m->setup);
    l->heard_ms = host_now_ms();
    l->watch = (struct loop_watch){.fd = fd, .ready = ready};
    l->next = m->links;
    l->prev = &m->links;
    if (l->next != NULL)
        l->next->prev = &l->next;
    m->links = l;
    m->link_count++;
    o = (struct milter_session_opts){.setup = l->setup->filter,
                                     .settings = &l->setup->settings.filter,
                                     .user = l,
                                     .decided = decided,
                                     .ended = ended};
    l->session = milter_session_new(&o);
    if (l->session == NULL || loop_add(m->loop, &l->watch, EPOLLIN) != 0)
        close_link(l);
}

/* ---- All of them ------------------------------------------------------- */

void link_service_ready(struct milter *m)
{
    while (m->ready != NULL) {
        struct link *l = m->ready;

        not_ready(l);
        service(l);
    }
}

void link_time(struct milter *m, int64_t now_ms)
{
    struct link *next;

    if (now_ms < m->look_ms)
        return;
    m->look_ms = now_ms + LOOK_MS;
    if (m->setup->settings.timeout_s * 250 < LOOK_MS)
        m->look_ms = now_ms + (int64_t)m->setup->settings.timeout_s * 250;
    for (struct link *l = m->links; l != NULL; l = next) {
        int64_t most = (int64_t)l->setup->settings.timeout_s * 1000;

        next = l->next;
        if (now_ms - l->heard_ms >= most &&
            !milter_session_is_busy(l->session)) {
            log_event(m, "silent", "timeout_s");
            close_link(l);
        }
    }
}

void link_drain(struct milter *m)
{
    struct link *next;

    for (struct link *l = m->links; l != NULL; l = next) {
        next = l->next;
        if (!milter_session_has_message(l->session) &&
            milter_session_out(l->session)->len == 0)
            close_link(l);
    }
}

void link_close_all(struct milter *m)
{
    while (m->links != NULL)
        close_link(m->links);
}
