/*
 * The way out: a bounded queue of octets for the peer, with a high and a low
 * water mark; and the end of a connection.
 */
#include "channel/channel_priv.h"

/* An idle session should not hold the memory of its busiest moment. Where there
 * are very many it holds no more than a short reply needs. */
enum { KEEP_IDLE = 1024, KEEP_SMALL = 64 };

size_t onward_channel__out_len(const struct onward_channel *ch)
{
    return ch->out.len - ch->out_start;
}

size_t onward_channel__out_room(const struct onward_channel *ch)
{
    return ch->bounds.out_max - onward_channel__out_len(ch);
}

bool onward_channel__is_full(const struct onward_channel *ch)
{
    return onward_channel__out_len(ch) >= ch->bounds.out_high;
}

int onward_channel__put(struct onward_channel *ch, const void *data, size_t len)
{
    int ret;

    if (len > onward_channel__out_room(ch))
        return ONWARD_ELIMIT;
    if (len == 0)
        return 0;
    if (ch->out_start > 0 && len > ch->out.cap - ch->out.len) {
        onward_core__buf_consume(&ch->out, ch->out_start);
        ch->out_start = 0;
    }
    ret = onward_core__buf_add(&ch->out, data, len);
    if (ret == 0)
        ch->is_unseen = true;
    onward_channel__touch(ch);
    return ret;
}

int onward_channel__write(struct onward_channel *ch, const void *data,
                          size_t len)
{
    int ret;

    if (ch->is_closing || ch->eof_kind == ONWARD_EOF_CUT)
        return ONWARD_ESTATE;
    if (ch->filter_ops == NULL)
        ret = onward_channel__put(ch, data, len);
    else if (ch->is_secured)
        ret = ch->filter_ops->write(ch->filter, ch, data, len);
    else
        ret = ONWARD_ESTATE;
    if (ret < 0)
        return ret;
    if (!onward_channel__is_full(ch))
        return 0;
    ch->was_high = true;
    return 1;
}

struct onward_str onward_channel__show(struct onward_channel *ch)
{
    /* What the host has seen may be at the peer: answers to it are no longer
     * early. A host that reports its writes late must not look guilty. */
    ch->is_unseen = false;
    ch->is_early = false;
    return onward_core__sub(onward_core__buf_str(&ch->out), ch->out_start,
                            ch->out.len);
}

int onward_channel__written(struct onward_channel *ch, size_t n)
{
    int ret = 0;

    ch->out_start += n;
    if (ch->out_start == ch->out.len) {
        ch->out_start = 0;
        /* Under TLS memory for the next record is nothing beside the work. */
        if (ch->is_secured ||
            ch->out.cap > (ch->bounds.is_small ? KEEP_SMALL : KEEP_IDLE))
            onward_core__buf_clear(&ch->out);
        else
            onward_core__buf_reset(&ch->out);
    }
    if (ch->was_high && onward_channel__out_len(ch) <= ch->bounds.out_low) {
        ch->was_high = false;
        if (!ch->is_closing && ch->ops->drained != NULL)
            ret = ch->ops->drained(ch->engine);
    }
    return ret < 0 ? onward_channel__fail(ch, ret) : 0;
}

bool onward_channel__is_unseen(const struct onward_channel *ch)
{
    return ch->is_unseen;
}

void onward_channel__close(struct onward_channel *ch)
{
    if (ch->is_closing)
        return;
    /* Goodbye may come while the peer is still sending (RFC 8446 6.1). */
    if (ch->is_secured && ch->eof_kind != ONWARD_EOF_CUT)
        ch->filter_ops->finish(ch->filter, ch);
    /* What is held is let go in onward_channel__run(): the engine may be
     * reading it right now. */
    ch->is_closing = true;
    onward_channel__touch(ch);
}

void onward_channel__abort(struct onward_channel *ch)
{
    onward_channel__touch(ch);
    ch->is_closing = true;
    onward_core__buf_clear(&ch->out);
    ch->out_start = 0;
}

bool onward_channel__is_closing(const struct onward_channel *ch)
{
    return ch->is_closing;
}

int onward_channel__fail(struct onward_channel *ch, int error)
{
    ch->error = error;
    onward_channel__close(ch);
    return error;
}
