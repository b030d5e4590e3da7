/*
 * A question: value.c judges what is kept and says what to keep instead,
 * without a store or a clock; throttle.c asks the store, and asks anew when
 * somebody else was faster.
 */
#ifndef ONWARD_THROTTLE_PRIV_H
#define ONWARD_THROTTLE_PRIV_H

#include <onward/throttle.h>

#include "core/core_shared.h"

enum { ONWARD_THROTTLE__VALUE_MAX = 40 };

/* What a value means, now. */
struct onward_throttle__judgement {
    int verdict;
    int64_t wait_s;
    /* What to keep from now on. len 0: leave what is there. */
    unsigned char value[ONWARD_THROTTLE__VALUE_MAX];
    size_t len;
    int64_t expires_s;
};

/* The texts in opts are not looked at. value: empty for none; may hold
 * anything. */
void onward_throttle__judge_rate(const struct onward_throttle_rate_opts *opts,
                                 struct onward_str value, int64_t now_s,
                                 struct onward_throttle__judgement *out);
/* Of a client that may be known: PASS, or UNKNOWN and nothing to keep. */
void onward_throttle__judge_known(
    const struct onward_throttle_greylist_opts *opts, struct onward_str value,
    int64_t now_s, struct onward_throttle__judgement *out);
/* Of client, sender and recipient together. */
void onward_throttle__judge_greylist(
    const struct onward_throttle_greylist_opts *opts, struct onward_str value,
    int64_t now_s, struct onward_throttle__judgement *out);
/* What makes a client known. */
void onward_throttle__know(const struct onward_throttle_greylist_opts *opts,
                           int64_t now_s,
                           struct onward_throttle__judgement *out);

#endif
