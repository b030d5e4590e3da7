/*
 * The way in: octets from the host go to the engine, through the filter when
 * there is one. What an engine that pauses has not taken stays with the host;
 * only what the filter has opened, and what the pump has read, stays here.
 */
#include "channel/channel_priv.h"

/* Plaintext that one step of a filter may give. */
enum { PLAIN_CHUNK = 4096 };

bool onward_channel__may_take(const struct onward_channel *ch)
{
    if (ch->is_paused || ch->is_closing || ch->eof_told != 0 ||
        ch->guard.is_dead)
        return false;
    return ch->bounds.reads_while_full || !onward_channel__is_full(ch);
}

bool onward_channel__is_ready(const struct onward_channel *ch)
{
    if (!onward_channel__may_take(ch))
        return false;
    return ch->held.len > 0 || ch->plain.len > 0 || ch->filter_ready ||
           ch->eof_kind != 0;
}

void onward_channel__pause(struct onward_channel *ch)
{
    onward_channel__touch(ch);
    ch->is_paused = true;
}

void onward_channel__resume(struct onward_channel *ch)
{
    onward_channel__touch(ch);
    ch->is_paused = false;
}

bool onward_channel__is_secured(const struct onward_channel *ch)
{
    return ch->is_secured;
}

int onward_channel__plug(struct onward_channel *ch,
                         const struct onward_channel_filter_ops *ops,
                         void *filter)
{
    int ret = ONWARD_ESTATE;

    if (ch->filter_ops == NULL && !ch->is_closing)
        ret = ops->start(filter, ch);
    if (ret < 0) {
        ops->free(filter);
        return ret;
    }
    onward_channel__touch(ch);
    ch->filter_ops = ops;
    ch->filter = filter;
    ch->is_early = ch->is_unseen;
    return 0;
}

/* Plaintext to the engine. *taken < len: it is not to be given more now. */
static int give_plain(struct onward_channel *ch, const unsigned char *data,
                      size_t len, size_t *taken)
{
    const struct onward_channel_filter_ops *filter_ops = ch->filter_ops;

    *taken = 0;
    while (*taken < len && onward_channel__may_take(ch) &&
           ch->filter_ops == filter_ops) {
        size_t n = 0;
        int ret = ch->ops->feed(ch->engine, data + *taken, len - *taken, &n);

        if (n > len - *taken)
            n = len - *taken;
        *taken += n;
        if (ret < 0)
            return ch->guard.is_dead ? 0 : onward_channel__fail(ch, ret);
        if (n == 0)
            break;
    }
    /* The rest came together with the last plaintext. */
    if (ch->filter_ops != filter_ops && *taken < len)
        ch->is_early = true;
    return 0;
}

/* The engine learns that no more comes. */
static int tell_eof(struct onward_channel *ch, enum onward_eof kind)
{
    int ret;

    if (ch->is_closing || ch->guard.is_dead || ch->eof_told >= (int)kind)
        return 0;
    ch->eof_told = (int)kind;
    ret = ch->ops->eof(ch->engine, kind);
    if (ch->guard.is_dead)
        return 0;
    if (ret < 0)
        return onward_channel__fail(ch, ret);
    if (kind == ONWARD_EOF_CUT)
        onward_channel__close(ch);
    return 0;
}

/* No more from the filter: a failed handshake, or a stream without its end. */
static int filter_broken(struct onward_channel *ch, int error)
{
    int ret;

    ch->filter_ended = true;
    ch->filter_ready = false;
    if (ch->is_secured)
        return tell_eof(ch, ONWARD_EOF_CUT);
    ret = ch->ops->secured(ch->engine, error);
    if (ch->guard.is_dead)
        return 0;
    if (ret < 0)
        return onward_channel__fail(ch, ret);
    /* An alert may be waiting to be written. */
    onward_channel__close(ch);
    return 0;
}

static int filter_up(struct onward_channel *ch)
{
    int ret;

    ch->is_secured = true;
    ret = ch->ops->secured(ch->engine, 0);
    if (ret < 0 && !ch->guard.is_dead)
        return onward_channel__fail(ch, ret);
    return 0;
}

/* What the engine does not take of buf is kept: the filter cannot unread. */
static int filter_plain(struct onward_channel *ch, const unsigned char *buf,
                        size_t len)
{
    size_t taken;
    int ret = give_plain(ch, buf, len, &taken);

    if (ret < 0 || taken == len || ch->is_closing || ch->guard.is_dead)
        return ret;
    ret = onward_core__buf_add(&ch->plain, buf + taken, len - taken);
    return ret < 0 ? onward_channel__fail(ch, ret) : 0;
}

static int filter_step(struct onward_channel *ch, const unsigned char *data,
                       size_t len, size_t *taken)
{
    unsigned char buf[PLAIN_CHUNK];
    size_t got = 0;
    int event;

    *taken = 0;
    if (ch->is_early && len > 0) {
        *taken = len;
        ch->filter_ops->give_up(ch->filter, ONWARD_FILTER_EARLY);
        return filter_broken(ch, ONWARD_ECRYPTO);
    }
    event = ch->filter_ops->step(ch->filter, ch, data, len, taken, buf,
                                 sizeof(buf), &got);
    if (event < 0)
        return filter_broken(ch, event);
    ch->filter_ready =
        event == ONWARD_FILTER_UP || event == ONWARD_FILTER_PLAIN;
    switch ((enum onward_channel__event)event) {
    case ONWARD_FILTER_MORE:
        return 0;
    case ONWARD_FILTER_UP:
        return filter_up(ch);
    case ONWARD_FILTER_PLAIN:
        event = filter_plain(ch, buf, got);
        onward_core__wipe(buf, got);
        return event;
    case ONWARD_FILTER_END:
        ch->filter_ended = true;
        return tell_eof(ch, ONWARD_EOF_CLEAN);
    }
    return 0;
}

/* One piece of work; false in *goes_on when there is none. */
static int run_once(struct onward_channel *ch, const unsigned char *data,
                    size_t len, size_t *taken, bool *goes_on)
{
    int ret;

    if (ch->plain.len > 0) {
        ret = give_plain(ch, ch->plain.data, ch->plain.len, taken);
        *goes_on = *taken > 0;
        if (*taken >= ch->plain.len)
            onward_core__buf_clear(&ch->plain);
        else
            onward_core__buf_consume(&ch->plain, *taken);
        *taken = 0;
        return ret;
    }
    if (ch->filter_ended) {
        *taken = len;
        *goes_on = false;
        return 0;
    }
    if (ch->filter_ops == NULL) {
        ret = give_plain(ch, data, len, taken);
        *goes_on = *taken > 0;
        return ret;
    }
    *goes_on = len > 0 || ch->filter_ready;
    if (!*goes_on)
        return 0;
    ret = filter_step(ch, data, len, taken);
    *goes_on = *taken > 0 || ch->filter_ready;
    return ret;
}

static int end_now(struct onward_channel *ch)
{
    if (ch->filter_ops == NULL || ch->filter_ended)
        return tell_eof(ch, (enum onward_eof)ch->eof_kind);
    ch->filter_ops->give_up(ch->filter, ONWARD_FILTER_LOST);
    return filter_broken(ch, ONWARD_ECRYPTO);
}

/* All was given; now the end, if the host told one. */
static int run_end(struct onward_channel *ch)
{
    if (ch->eof_kind == 0 || !onward_channel__may_take(ch) ||
        ch->held.len > 0 || ch->plain.len > 0 || ch->filter_ready)
        return 0;
    return end_now(ch);
}

int onward_channel__run(struct onward_channel *ch, const void *data, size_t len,
                        size_t *taken)
{
    const unsigned char *at = data;
    bool goes_on = true;
    int ret = 0;

    *taken = 0;
    while (ret == 0 && goes_on && onward_channel__may_take(ch)) {
        size_t n = 0;

        if (ch->held.len > 0) {
            ret = run_once(ch, ch->held.data, ch->held.len, &n, &goes_on);
            if (n >= ch->held.len)
                onward_core__buf_clear(&ch->held);
            else
                onward_core__buf_consume(&ch->held, n);
            goes_on = goes_on || ch->held.len == 0;
        } else {
            ret = run_once(ch, len > 0 ? at + *taken : NULL, len - *taken, &n,
                           &goes_on);
            *taken += n;
        }
    }
    if (ret == 0)
        ret = run_end(ch);
    if (ch->is_closing || ch->eof_told != 0 || ch->guard.is_dead) {
        *taken = len;
        onward_core__buf_clear(&ch->held);
        onward_core__buf_clear(&ch->plain);
    }
    return ret;
}

int onward_channel__end_input(struct onward_channel *ch, enum onward_eof kind)
{
    size_t none;

    /* A cut may follow a clean end, when writing fails too. */
    if (ch->eof_kind >= (int)kind)
        return 0;
    ch->eof_kind = (int)kind;
    if (kind == ONWARD_EOF_CLEAN)
        return onward_channel__run(ch, NULL, 0, &none);
    /* Nothing can be written, so an engine that waits need not wait. */
    onward_core__buf_clear(&ch->out);
    onward_core__buf_clear(&ch->held);
    onward_core__buf_clear(&ch->plain);
    ch->out_start = 0;
    ch->filter_ready = false;
    return ch->is_closing ? 0 : end_now(ch);
}
