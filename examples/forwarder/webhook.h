/*
 * Messages for programs behind HTTP: a rule names a hook, the configuration
 * says where it is, and the message is posted there as JSON, signed. What the
 * hook does not take with 2xx in time is told 451 to the sender, who tries
 * again.
 */
#ifndef WEBHOOK_H
#define WEBHOOK_H

#include "forwarder.h"

/* Where the hooks are and what signs for them; part of a setup. */
struct webhook_config;

/* For settings.c: NAME URL. */
const char *webhook_judge(const char *value);
/* NULL: fault has a line. */
struct webhook_config *webhook_config_new(const struct settings *set,
                                          char *fault, size_t fault_size);
void webhook_config_free(struct webhook_config *config);

/* What is known of the session that brought it. */
struct webhook_client {
    const struct onward_ip *ip;
    struct onward_str helo;
};

/* As `handle` of struct onward_relay_host. */
int webhook_post(struct forwarder *fwd, const struct setup *setup,
                 uint64_t token, struct onward_event *event,
                 const struct webhook_client *client);
/* Nobody waits for that any more. */
void webhook_cancel(struct forwarder *fwd, uint64_t token);
int64_t webhook_deadline(const struct forwarder *fwd);
void webhook_time(struct forwarder *fwd, int64_t now_ms);
/* All that is under way, too. */
void webhook_close(struct forwarder *fwd);

#endif
