/*
 * A small event loop over epoll(7): descriptors with callbacks, and one timer
 * that the owner of the loop sets before each turn.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* One descriptor; lives inside the object that it wakes. */
struct loop_watch {
    int fd;
    uint32_t events; /* EPOLLIN | EPOLLOUT, as asked for last */
    void (*ready)(struct loop_watch *watch, uint32_t events);
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);
/* Readable while something in it is ready: for a loop inside a loop. */
int loop_fd(const struct loop *loop);
/* 0 or -1 with errno. */
int loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events);
int loop_want(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* Safe inside callbacks, also for a watch that is ready in the same turn. */
void loop_remove(struct loop *loop, struct loop_watch *watch);
/* One turn: wait at most timeout_ms (-1: for ever), call what is ready. */
void loop_turn(struct loop *loop, int timeout_ms);

#endif
