/*
 * What the rooms of the channel share: input in input.c, output in output.c,
 * the host's calls in channel.c, the pump in pump.c. All of these run between
 * enter and leave.
 */
#ifndef ONWARD_CHANNEL_PRIV_H
#define ONWARD_CHANNEL_PRIV_H

#include "channel/channel_shared.h"

/* Give the engine what is held here, then data. *taken is always set. */
int onward_channel__run(struct onward_channel *ch, const void *data, size_t len,
                        size_t *taken);
/* Is there something to do that needs no new octets? */
bool onward_channel__is_ready(const struct onward_channel *ch);
/* May the engine get input now? */
bool onward_channel__may_take(const struct onward_channel *ch);
/* The host told the end of the input; once. */
int onward_channel__end_input(struct onward_channel *ch, enum onward_eof kind);

/* The octets to write; they count as seen by the peer from now on. */
struct onward_str onward_channel__show(struct onward_channel *ch);
/* n octets were written; calls ops->drained. */
int onward_channel__written(struct onward_channel *ch, size_t n);

/* The engine is at its end because of error, which is returned. */
int onward_channel__fail(struct onward_channel *ch, int error);

#endif
