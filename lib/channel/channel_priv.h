/*
 * What the rooms of the channel share: input in input.c, output in output.c,
 * the host's calls in channel.c, the pump in pump.c, sets in set.c. Input,
 * output and pump run between enter and leave.
 */
#ifndef ONWARD_CHANNEL_PRIV_H
#define ONWARD_CHANNEL_PRIV_H

#include "channel/channel_shared.h"

/* Around a call of the host. leave: ret, or ONWARD_ECANCELED when the engine
 * was freed inside. */
void onward_channel__call_enter(struct onward_channel *ch);
int onward_channel__call_leave(struct onward_channel *ch, int ret);

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

/* What the host waits for may have changed. */
void onward_channel__member_touch(struct onward_channel__member *member);
static inline void onward_channel__touch(struct onward_channel *ch)
{
    if (ch->member != NULL && !ch->is_in_call)
        onward_channel__member_touch(ch->member);
}
/* Its deadline may come earlier now. */
void onward_channel__member_update(struct onward_channel__member *member);
void onward_channel__member_free(struct onward_channel__member *member);

#endif
