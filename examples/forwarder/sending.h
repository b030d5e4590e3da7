/* What handlers may write: to whom and as whom, and how often. */
#ifndef SENDING_H
#define SENDING_H

#include "forwarder.h"

struct sending;
struct sending_counts;

/* For settings: NAME to|only|from ADDRESS. */
const char *sending_judge(const char *value);
/* Make the bindings. 0, or -1 with a line in fault; *item is the value at
 * fault, NULL: none. */
int sending_open(struct forwarder *fwd, struct setup *setup, const char **item,
                 const char **expected);
void sending_close(struct sending *sending);
/* Of the handler of that name; NULL: it may write to all that is verified. */
const struct onward_binding *sending_binding(const struct setup *setup,
                                             struct onward_str handler);

/* As `may_send` of struct onward_relay_host. */
int sending_may(struct forwarder *fwd, const struct setup *setup,
                const struct onward_event *event, struct onward_str to);
void sending_counts_free(struct sending_counts *counts);

#endif
