/*
 * The calls that the host makes on a channel, and its life. Each of them runs
 * under the guard, so that none is entered twice and the engine may be freed
 * inside.
 */
#include "channel/channel_shared.h"

#include "channel/channel_priv.h"

enum {
    DEFAULT_OUT_MAX = 131072,
    DEFAULT_OUT_HIGH = 32768,
    DEFAULT_OUT_LOW = 8192
};

void onward_channel__init(struct onward_channel *ch, struct onward_ctx *ctx,
                          struct onward_desk *desk,
                          const struct onward_channel_ops *ops, void *engine,
                          const struct onward_channel_bounds *bounds)
{
    *ch = (struct onward_channel){
        .ctx = ctx,
        .desk = desk,
        .ops = ops,
        .engine = engine,
        .timeout_ms = ONWARD_NEVER,
        .deadline_ms = ONWARD_NEVER,
    };
    if (bounds != NULL)
        ch->bounds = *bounds;
    ch->bounds.out_max =
        onward_core__limit(ch->bounds.out_max, DEFAULT_OUT_MAX);
    ch->bounds.out_high =
        onward_core__limit(ch->bounds.out_high, DEFAULT_OUT_HIGH);
    ch->bounds.out_low =
        onward_core__limit(ch->bounds.out_low, DEFAULT_OUT_LOW);
    onward_core__buf_init(&ch->out, ctx, ch->bounds.out_max);
    onward_core__buf_init(&ch->held, ctx, SIZE_MAX);
    onward_core__buf_init(&ch->plain, ctx, SIZE_MAX);
}

void onward_channel__mark_secret(struct onward_channel *ch)
{
    ch->out.is_secret = true;
    ch->held.is_secret = true;
    ch->plain.is_secret = true;
}

void onward_channel__clear(struct onward_channel *ch)
{
    if (ch->ctx == NULL)
        return;
    if (ch->filter_ops != NULL)
        ch->filter_ops->free(ch->filter);
    ch->filter_ops = NULL;
    if (ch->member != NULL)
        onward_channel__member_free(ch->member);
    onward_core__buf_clear(&ch->out);
    onward_core__buf_clear(&ch->held);
    onward_core__buf_clear(&ch->plain);
}

bool onward_channel__free_begin(struct onward_channel *ch)
{
    ch->guard.is_dead = true;
    if (ch->member != NULL)
        onward_channel__member_free(ch->member);
    return ch->guard.depth == 0;
}

void onward_channel__enter(struct onward_channel *ch)
{
    onward_core__guard_enter(&ch->guard);
}

bool onward_channel__leave(struct onward_channel *ch)
{
    if (!onward_core__guard_leave(&ch->guard))
        return false;
    ch->ops->destroy(ch->engine);
    return true;
}

void onward_channel__call_enter(struct onward_channel *ch)
{
    ch->is_in_call = true;
    onward_channel__enter(ch);
}

int onward_channel__call_leave(struct onward_channel *ch, int ret)
{
    ch->is_in_call = false;
    if (onward_channel__leave(ch))
        return ONWARD_ECANCELED;
    if (ch->member != NULL)
        onward_channel__member_update(ch->member);
    return ret;
}

int onward_channel_feed(struct onward_channel *ch, const void *data, size_t len,
                        size_t *taken)
{
    int ret;

    *taken = 0;
    if (onward_channel__is_busy(ch))
        return ONWARD_ESTATE;
    onward_channel__call_enter(ch);
    ret = onward_channel__run(ch, data, len, taken);
    return onward_channel__call_leave(ch, ret);
}

struct onward_str onward_channel_peek(struct onward_channel *ch)
{
    if (onward_channel__is_busy(ch))
        return onward_core__str(NULL, 0);
    return onward_channel__show(ch);
}

int onward_channel_drain(struct onward_channel *ch, size_t n)
{
    size_t none;
    int ret;

    if (onward_channel__is_busy(ch))
        return ONWARD_ESTATE;
    if (n > onward_channel__out_len(ch))
        return ONWARD_EINVAL;
    onward_channel__call_enter(ch);
    ret = onward_channel__written(ch, n);
    if (ret == 0)
        ret = onward_channel__run(ch, NULL, 0, &none);
    return onward_channel__call_leave(ch, ret);
}

int onward_channel_wants(const struct onward_channel *ch)
{
    int wants = 0;

    if (onward_channel__out_len(ch) > 0)
        wants |= ONWARD_WANT_WRITE;
    if (ch->is_closing)
        return wants == 0 ? ONWARD_WANT_CLOSE : wants;
    if (ch->eof_kind == 0 && !ch->filter_ended && onward_channel__may_take(ch))
        wants |= ONWARD_WANT_READ;
    return wants;
}

size_t onward_channel_unread(const struct onward_channel *ch)
{
    return ch->held.len + ch->plain.len;
}

int64_t onward_channel_deadline(const struct onward_channel *ch)
{
    if (ch->timeout_ms != ONWARD_NEVER)
        return 0;
    if (onward_channel__is_ready(ch))
        return onward_channel__now(ch);
    return ch->deadline_ms;
}

int onward_channel_tick(struct onward_channel *ch, int64_t now_ms)
{
    size_t none;
    int ret = 0;

    if (onward_channel__is_busy(ch))
        return ONWARD_ESTATE;
    if (!ch->has_now || now_ms > ch->now_ms)
        ch->now_ms = now_ms;
    ch->has_now = true;
    now_ms = onward_channel__now(ch);
    if (ch->timeout_ms != ONWARD_NEVER)
        onward_channel__set_timeout(ch, ch->timeout_ms);
    onward_channel__call_enter(ch);
    if (ch->deadline_ms != ONWARD_NEVER && ch->deadline_ms <= now_ms) {
        ch->deadline_ms = ONWARD_NEVER;
        /* A peer that does not take our last words is not waited for. */
        if (ch->is_closing)
            onward_channel__abort(ch);
        else
            ret = ch->ops->timeout(ch->engine, now_ms);
        if (ret < 0)
            ret = onward_channel__fail(ch, ret);
    }
    if (ret == 0)
        ret = onward_channel__run(ch, NULL, 0, &none);
    return onward_channel__call_leave(ch, ret);
}

int onward_channel_eof(struct onward_channel *ch, int kind)
{
    int ret;

    if (kind != ONWARD_EOF_CLEAN && kind != ONWARD_EOF_CUT)
        return ONWARD_EINVAL;
    if (onward_channel__is_busy(ch))
        return ONWARD_ESTATE;
    onward_channel__call_enter(ch);
    ret = onward_channel__end_input(ch, (enum onward_eof)kind);
    return onward_channel__call_leave(ch, ret);
}

int64_t onward_channel__now(const struct onward_channel *ch)
{
    int64_t desk_ms = 0;

    if (ch->desk != NULL)
        desk_ms = onward_core__desk_now(ch->desk);
    if (!ch->has_now)
        return desk_ms;
    return desk_ms > ch->now_ms ? desk_ms : ch->now_ms;
}

/* The desk's clock reads 0 before its first run. */
static bool knows_time(const struct onward_channel *ch)
{
    return ch->has_now ||
           (ch->desk != NULL && onward_core__desk_now(ch->desk) != 0);
}

void onward_channel__set_timeout(struct onward_channel *ch, int64_t timeout_ms)
{
    int64_t now_ms = onward_channel__now(ch);

    onward_channel__touch(ch);
    ch->timeout_ms = ONWARD_NEVER;
    ch->deadline_ms = ONWARD_NEVER;
    if (timeout_ms == ONWARD_NEVER)
        return;
    if (!knows_time(ch))
        ch->timeout_ms = timeout_ms;
    else if (timeout_ms < ONWARD_NEVER - (now_ms > 0 ? now_ms : 0))
        ch->deadline_ms = now_ms + timeout_ms;
}

void onward_channel__set_deadline(struct onward_channel *ch, int64_t at_ms)
{
    onward_channel__touch(ch);
    ch->timeout_ms = ONWARD_NEVER;
    ch->deadline_ms = at_ms;
}
