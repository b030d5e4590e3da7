/*
 * The pump: a host's read and write callbacks joined to a channel.
 */
#include "channel/channel_priv.h"

enum {
    READ_CHUNK = 16384,
    ROUNDS = 16 /* then another connection gets its turn */
};

static int connection_error(struct onward_channel *ch)
{
    int ret = onward_channel__end_input(ch, ONWARD_EOF_CUT);

    return ret < 0 ? ret : ONWARD_ECALLBACK;
}

/* *moved: octets went out. */
static int pump_out(struct onward_channel *ch,
                    const struct onward_channel_io *io, bool *moved)
{
    struct onward_str out = onward_channel__show(ch);
    size_t put = 0;
    int ret;

    if (out.len == 0)
        return 0;
    ret = io->write(io->user, out.data, out.len, &put);
    if (ch->guard.is_dead || ret == ONWARD_AGAIN)
        return 0;
    if (ret < 0)
        return connection_error(ch);
    if (put > out.len)
        return ONWARD_EINVAL;
    if (put == 0)
        return onward_channel__end_input(ch, ONWARD_EOF_CUT);
    *moved = true;
    return onward_channel__written(ch, put);
}

/* *moved: octets came in, and more may be there. */
static int pump_in(struct onward_channel *ch,
                   const struct onward_channel_io *io, bool *moved,
                   bool *is_dry)
{
    unsigned char buf[READ_CHUNK];
    size_t got = 0, taken;
    int ret;

    if ((onward_channel_wants(ch) & ONWARD_WANT_READ) == 0 || ch->held.len > 0 ||
        *is_dry)
        return 0;
    ret = io->read(io->user, buf, sizeof(buf), &got);
    if (ch->guard.is_dead || ret == ONWARD_AGAIN)
        return 0;
    if (ret < 0)
        return connection_error(ch);
    if (got > sizeof(buf))
        return ONWARD_EINVAL;
    *moved = true;
    if (got == 0)
        return onward_channel__end_input(ch, ONWARD_EOF_CLEAN);
    *is_dry = io->is_short_last != 0 && got < sizeof(buf);
    ret = onward_channel__run(ch, buf, got, &taken);
    if (ret == 0 && taken < got) {
        ret = onward_core__buf_add(&ch->held, buf + taken, got - taken);
        if (ret < 0)
            ret = onward_channel__fail(ch, ret);
    }
    return ret;
}

int onward_channel_pump(struct onward_channel *ch,
                        const struct onward_channel_io *io)
{
    struct onward_channel_io own;
    bool moved = true, is_dry = false;
    size_t none;
    int ret;

    if (onward_channel__is_busy(ch))
        return ONWARD_ESTATE;
    if (io == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&own, sizeof(own), io);
    if (ret < 0)
        return ret;
    if (own.read == NULL || own.write == NULL)
        return ONWARD_EINVAL;
    onward_channel__call_enter(ch);
    ret = onward_channel__run(ch, NULL, 0, &none);
    for (int round = 0; round < ROUNDS && ret == 0 && moved; round++) {
        moved = false;
        ret = pump_out(ch, &own, &moved);
        if (ret == 0 && !ch->guard.is_dead)
            ret = onward_channel__run(ch, NULL, 0, &none);
        if (ret == 0 && !ch->guard.is_dead)
            ret = pump_in(ch, &own, &moved, &is_dry);
        if (ch->guard.is_dead)
            break;
    }
    if (ret == 0 && moved)
        ret = 1;
    return onward_channel__call_leave(ch, ret);
}
