/*
 * When a message that could not be delivered is tried again: waits that grow to
 * a ceiling, a little longer by chance, until it is given up.
 */
#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_retry_opts, reserved) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_retry_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_retry_step, notice_s) +
                       sizeof(int64_t) ==
                   sizeof(struct onward_egress_retry_step),
               "no tail padding");

/* "Two tries in the first hour, then one every two or three hours" (RFC 5321
 * section 4.5.4.1), and half an hour between two at the least. */
enum {
    FIRST_S = 1800,
    GROWTH_PERCENT = 200,
    CEILING_S = 10800,
    JITTER_PERCENT = 10,
    EXPIRE_S = 432000,
    NOTICE_S = 14400
};

/* Longer is the same as for ever, and sums of such stay far from an overflow.
 */
static const uint64_t most_s = (uint64_t)1 << 40;

static uint64_t seconds(size_t given, size_t dflt)
{
    uint64_t s = onward_core__limit(given, dflt);

    return s < most_s ? s : most_s;
}

static int64_t later(int64_t at_s, uint64_t by_s)
{
    return at_s > INT64_MAX - (int64_t)by_s ? INT64_MAX : at_s + (int64_t)by_s;
}

static uint64_t wait_s(const struct onward_egress_retry_opts *o,
                       uint32_t attempts, uint32_t random)
{
    uint64_t wait = seconds(o->first_s, FIRST_S);
    uint64_t ceiling = seconds(o->ceiling_s, CEILING_S);
    uint64_t growth = seconds(o->growth_percent, GROWTH_PERCENT);
    uint64_t jitter = seconds(o->jitter_percent, JITTER_PERCENT);

    if (growth > 10000)
        growth = 10000;
    if (jitter > 100)
        jitter = 100;
    if (growth == 100)
        attempts = 1;
    /* Even 101 percent is at any ceiling after that many steps. */
    for (uint32_t i = 1; i < attempts && i < 4096 && wait < ceiling; i++)
        wait = wait / 100 * growth + wait % 100 * growth / 100;
    if (wait > ceiling)
        wait = ceiling;
    /* At most 2^40 times 2^16. */
    return wait + ((wait * jitter / 100) * (random >> 16) >> 16);
}

int onward_egress_retry(const struct onward_egress_retry_opts *opts,
                        uint32_t attempts, int64_t queued_s, int64_t last_s,
                        uint32_t random, struct onward_egress_retry_step *step)
{
    const struct onward_egress_retry_opts none = {.size = sizeof(none)};
    struct onward_egress_retry_step out = {.size = sizeof(out)};
    struct onward_egress_retry_opts o;
    int err;

    if (step == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts == NULL ? &none : opts);
    if (err < 0)
        return err;
    if (o.growth_percent != 0 && o.growth_percent < 100)
        return ONWARD_EINVAL;
    if (last_s < queued_s)
        last_s = queued_s;
    out.expires_s = later(queued_s, seconds(o.expire_s, EXPIRE_S));
    out.notice_s = o.notice_s == ONWARD_LIMIT_NONE
                       ? INT64_MAX
                       : later(queued_s, seconds(o.notice_s, NOTICE_S));
    out.next_s =
        attempts == 0 ? queued_s : later(last_s, wait_s(&o, attempts, random));
    out.is_expired = attempts != 0 && last_s >= out.expires_s;
    /* The last try is when its time is over, not hours before. */
    if (out.next_s > out.expires_s)
        out.next_s = out.expires_s;
    return onward_core__out_store(step, &out, sizeof(out));
}
