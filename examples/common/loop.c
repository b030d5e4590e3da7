#define _GNU_SOURCE
#include "loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64 };

struct loop {
    int fd;
    int count, at; /* of the turn that runs */
    struct epoll_event events[EVENTS_A_TURN];
};

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->fd < 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    close(loop->fd);
    free(loop);
}

int loop_fd(const struct loop *loop)
{
    return loop->fd;
}

int loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = watch};

    watch->events = events;
    return epoll_ctl(loop->fd, EPOLL_CTL_ADD, watch->fd, &e);
}

int loop_want(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = watch};

    if (watch->events == events)
        return 0;
    watch->events = events;
    return epoll_ctl(loop->fd, EPOLL_CTL_MOD, watch->fd, &e);
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    epoll_ctl(loop->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    /* It may be gone from memory before its turn in this round comes. */
    for (int i = loop->at; i < loop->count; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    loop->count = epoll_wait(loop->fd, loop->events, EVENTS_A_TURN, timeout_ms);
    for (loop->at = 0; loop->at < loop->count;) {
        struct epoll_event *e = &loop->events[loop->at++];
        struct loop_watch *watch = e->data.ptr;

        if (watch != NULL)
            watch->ready(watch, e->events);
    }
    loop->count = 0;
}
