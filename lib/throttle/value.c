/*
 * What is kept, and what it means. A value begins with its kind and version;
 * numbers have eight octets, little-endian. What does not read so was put there
 * by somebody else, and is as good as nothing.
 */
#include "throttle/throttle_priv.h"

enum { VERSION = 1, HEAD = 8, RATE_LEN = 40, TIME_LEN = 16 };

/* Clocks of machines that share a store may differ by so much. */
enum { SKEW_MAX_S = 3600 };

_Static_assert((int)RATE_LEN <= (int)ONWARD_THROTTLE__VALUE_MAX,
               "a value fits");

static const char rate_kind[] = "trat", new_kind[] = "tnew",
                  known_kind[] = "tkno";

/* ---- Octets ------------------------------------------------------------ */

static void put_u64(unsigned char *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(struct onward_str s, size_t at)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)s.data[at + i] << (8 * i);
    return value;
}

static void put_head(unsigned char *out, const char *kind)
{
    memcpy(out, kind, 4);
    memset(out + 4, 0, 4);
    out[4] = VERSION;
}

static bool is_kind(struct onward_str s, const char *kind, size_t len)
{
    unsigned char head[HEAD];

    put_head(head, kind);
    return s.len == len && memcmp(s.data, head, HEAD) == 0;
}

/* A time that may have been kept: not from before 1970, nor ahead of us by more
 * than clocks differ. */
static bool read_time(struct onward_str s, int64_t now_s, int64_t *when_s)
{
    uint64_t raw = get_u64(s, HEAD);

    if (raw > INT64_MAX || (int64_t)raw - SKEW_MAX_S > now_s)
        return false;
    *when_s = (int64_t)raw;
    return true;
}

static int64_t after(int64_t now_s, uint64_t seconds)
{
    const uint64_t most = 1000000000; /* of any option */

    return now_s + (int64_t)(seconds < most ? seconds : most);
}

static void keep_time(const char *kind, int64_t when_s, int64_t expires_s,
                      struct onward_throttle__judgement *out)
{
    put_head(out->value, kind);
    put_u64(out->value + HEAD, (uint64_t)when_s);
    out->len = TIME_LEN;
    out->expires_s = expires_s;
}

/* ---- Buckets ----------------------------------------------------------- */

/*
 * The level is counted in parts of a token, period_s to each, so that count of
 * them come in every second and nothing is ever rounded.
 */
struct bucket {
    uint64_t level, full, step; /* step: what comes in a second */
    int64_t last_s;
};

static bool read_bucket(const struct onward_throttle_rate_opts *o,
                        struct onward_str value, int64_t now_s,
                        struct bucket *b)
{
    uint64_t elapsed;

    /* Of other settings: a new bucket. */
    if (!is_kind(value, rate_kind, RATE_LEN) ||
        !read_time(value, now_s, &b->last_s) ||
        get_u64(value, 24) != o->count || get_u64(value, 32) != o->period_s)
        return false;
    b->level = get_u64(value, 16);
    if (b->level > b->full)
        return false;
    if (b->last_s > now_s)
        return true;
    elapsed = (uint64_t)(now_s - b->last_s);
    b->last_s = now_s;
    b->level = elapsed > (b->full - b->level) / b->step
                   ? b->full
                   : b->level + elapsed * b->step;
    return true;
}

static int64_t seconds_for(const struct bucket *b, uint64_t parts)
{
    return (int64_t)((parts + b->step - 1) / b->step);
}

void onward_throttle__judge_rate(const struct onward_throttle_rate_opts *o,
                                 struct onward_str value, int64_t now_s,
                                 struct onward_throttle__judgement *out)
{
    const uint64_t cost = (uint64_t)o->amount * o->period_s;
    struct bucket b = {.full = (uint64_t)o->burst * o->period_s,
                       .step = o->count};

    *out = (struct onward_throttle__judgement){.verdict = ONWARD_THROTTLE_PASS};
    if (!read_bucket(o, value, now_s, &b)) {
        b.level = b.full;
        b.last_s = now_s;
    }
    if (b.level < cost) {
        out->verdict = ONWARD_THROTTLE_WAIT;
        out->wait_s = seconds_for(&b, cost - b.level);
        return;
    }
    b.level -= cost;
    put_head(out->value, rate_kind);
    put_u64(out->value + HEAD, (uint64_t)b.last_s);
    put_u64(out->value + 16, b.level);
    put_u64(out->value + 24, o->count);
    put_u64(out->value + 32, o->period_s);
    out->len = RATE_LEN;
    /* A full bucket is as good as none. */
    out->expires_s =
        after(b.last_s, (uint64_t)seconds_for(&b, b.full - b.level) + 1);
}

/* ---- Greylisting ------------------------------------------------------- */

void onward_throttle__know(const struct onward_throttle_greylist_opts *o,
                           int64_t now_s,
                           struct onward_throttle__judgement *out)
{
    *out = (struct onward_throttle__judgement){.verdict = ONWARD_THROTTLE_PASS};
    keep_time(known_kind, now_s, after(now_s, o->life_s), out);
}

void onward_throttle__judge_known(const struct onward_throttle_greylist_opts *o,
                                  struct onward_str value, int64_t now_s,
                                  struct onward_throttle__judgement *out)
{
    int64_t last_s;

    *out =
        (struct onward_throttle__judgement){.verdict = ONWARD_THROTTLE_UNKNOWN};
    if (!is_kind(value, known_kind, TIME_LEN) ||
        !read_time(value, now_s, &last_s) || after(last_s, o->life_s) <= now_s)
        return;
    out->verdict = ONWARD_THROTTLE_PASS;
    /* Its life begins anew; not with each message, which would be a write for
     * each. */
    if (after(last_s, o->life_s / 16) <= now_s)
        onward_throttle__know(o, now_s, out);
}

void onward_throttle__judge_greylist(
    const struct onward_throttle_greylist_opts *o, struct onward_str value,
    int64_t now_s, struct onward_throttle__judgement *out)
{
    int64_t first_s;

    *out = (struct onward_throttle__judgement){.verdict = ONWARD_THROTTLE_WAIT};
    if (!is_kind(value, new_kind, TIME_LEN) ||
        !read_time(value, now_s, &first_s) ||
        after(first_s, o->retry_s) <= now_s) {
        out->wait_s = (int64_t)o->delay_s;
        keep_time(new_kind, now_s, after(now_s, o->retry_s), out);
        return;
    }
    out->wait_s = after(first_s, o->delay_s) - now_s;
    if (out->wait_s > 0)
        return;
    out->wait_s = 0;
    out->verdict = ONWARD_THROTTLE_PASS;
}
