/*
 * A handler that is a process of its own behind a socket: it lives long, and
 * has several events at a time. doc/handlers.md has the frames.
 */
#ifndef HANDLER_UNIX_H
#define HANDLER_UNIX_H

#include <onward/relay_event.h>

#include "json_read.h"
#include "loop.h"

struct handler_unix;

struct handler_unix_opts {
    struct loop *loop;
    const char *path; /* copied */
    size_t answer_max;
    size_t held_max; /* octets that wait to be read, but for one event */
    /* Both from the loop. It has answered, or taken a step: the event may be
     * over, or have been never; its own member "id" is left in answer. */
    void (*answered)(void *user, uint64_t id, const struct json_value *answer);
    /* The connection is no more: nothing that was asked is answered. */
    void (*lost)(void *user, const char *why);
    void *user;
};

/* NULL: no memory. Nothing is connected yet. */
struct handler_unix *handler_unix_new(const struct handler_unix_opts *opts);
/* Nobody is told. */
void handler_unix_free(struct handler_unix *u);
/*
 * Give it an event, which is copied, under an id below 2^53; it is connected to
 * if it is not. 0, or -1: why says what is in the way, and nothing was given.
 */
int handler_unix_ask(struct handler_unix *u, uint64_t id,
                     struct onward_event *event, char *why, size_t why_size);
/* Tell it more about an event: a header with nothing behind it, copied. One that
 * does not read is not told: its time ends that. */
void handler_unix_tell(struct handler_unix *u, uint64_t id,
                       struct onward_str header);
/* Nobody waits for that one any more. is_late: its time is up; if it is half
 * read, what is there does not read, and is lost. */
void handler_unix_forget(struct handler_unix *u, uint64_t id, bool is_late);

#endif
