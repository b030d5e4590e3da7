/*
 * Handlers: a rule names one, the configuration says what it is, and the
 * message is given to it. doc/handlers.md has what it hears and answers. One
 * that fails, or does not answer in time, makes the sender come again.
 */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "forwarder.h"

/* For settings.c: NAME exec:COMMAND, NAME unix:PATH. */
const char *handler_judge(const char *value);

/* As `handle` of struct onward_relay_host. */
int handler_ask(struct forwarder *fwd, const struct setup *setup,
                uint64_t token, struct onward_event *event);
/* As `acted` of struct onward_relay_host. */
void handler_acted(struct forwarder *fwd, struct onward_event *event,
                   size_t action);
/* Nobody waits for that any more. */
void handler_cancel(struct forwarder *fwd, uint64_t token);
int64_t handlers_deadline(const struct forwarder *fwd);
void handlers_time(struct forwarder *fwd, int64_t now_ms);
/* All that runs is killed, and waited for. */
void handlers_close(struct forwarder *fwd);

#endif
