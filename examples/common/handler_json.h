/*
 * What a handler in a program of its own hears, and what it answers, as JSON:
 * doc/handlers.md. How the octets come and go is the caller's.
 */
#ifndef HANDLER_JSON_H
#define HANDLER_JSON_H

#include <onward/relay_event.h>

#include "json.h"
#include "json_read.h"

enum { HANDLER_OUTPUT_MAX = 48 * 1024 * 1024 };

/* The event without the message, as one object; key as json_open() has it. */
void handler_write_event(struct json *j, const char *key,
                         struct onward_event *event);

/*
 * Do what a handler has answered: an object with "actions", or with "error",
 * why there are none, or nothing at all.
 * Everything is done in order, up to the first action that is refused and not
 * optional.
 *
 * binding: what it may send; NULL: to all that is verified. 0; or -1: why says
 * what is wrong, and the event has to fail.
 */
int handler_apply(struct onward_ctx *ctx, struct onward_event *event,
                  const struct onward_binding *binding, struct onward_str text,
                  char *why, size_t why_size);
/* What became of a step: one action that is done while the event goes on. */
struct handler_step {
    bool is_refused; /* then refusal is filled */
    bool is_over;    /* it was done at once: a rejection */
    size_t action;   /* else its number in the event; it is forgiven */
    struct onward_refusal refusal;
};
/* Begin a step. 0; or -1: why says what is wrong, and nothing was done. */
int handler_begin_step(struct onward_ctx *ctx, struct onward_event *event,
                       const struct onward_binding *binding,
                       const struct json_value *action,
                       struct handler_step *step, char *why, size_t why_size);
/* How a step has ended, as members of an object: refused at once, or how its
 * action ended. */
void handler_write_outcome(struct json *j, struct onward_event *event,
                           const struct handler_step *step);

/* As handler_apply(), of an answer that was read. */
int handler_follow(struct onward_ctx *ctx, struct onward_event *event,
                   const struct onward_binding *binding,
                   const struct json_value *answer, char *why, size_t why_size);

#endif
