/*
 * Values of a store that may hold anything: what is kept instead reads back, a
 * bucket never gives more than its own, and nobody waits longer than it would
 * from an empty one, but for clocks that differ.
 */
#include "fuzz.h"

#include "throttle/throttle_priv.h"

enum { NOW_S = 1600000000, SKEW_S = 3600 };

static void check_rate(const uint8_t *data, size_t size)
{
    const struct onward_throttle_rate_opts o = {.count = 1 + data[0],
                                                .period_s = 1 + data[1] * 7U,
                                                .burst = 1 + data[2],
                                                .amount = 1};
    struct onward_throttle__judgement j, kept;
    struct onward_str value = {(const char *)data + 3, size - 3};
    size_t passed = 0;

    for (; passed <= o.burst; passed++) {
        onward_throttle__judge_rate(&o, value, NOW_S, &j);
        FUZZ_CHECK((j.wait_s > 0) == (j.verdict == ONWARD_THROTTLE_WAIT));
        FUZZ_CHECK(j.wait_s <= (int64_t)o.period_s);
        if (j.verdict == ONWARD_THROTTLE_WAIT)
            break;
        FUZZ_CHECK(j.verdict == ONWARD_THROTTLE_PASS && j.len > 0);
        FUZZ_CHECK(j.expires_s > NOW_S);
        FUZZ_CHECK(j.expires_s <=
                   NOW_S + SKEW_S + 2 +
                       (int64_t)(o.burst * o.period_s / o.count));
        kept = j;
        value = (struct onward_str){(const char *)kept.value, kept.len};
    }
    FUZZ_CHECK(passed <= o.burst);
}

static void check_greylist(const uint8_t *data, size_t size)
{
    const struct onward_throttle_greylist_opts o = {
        .delay_s = 1 + data[0], .retry_s = 300 + data[1], .life_s = 1000};
    const struct onward_str value = {(const char *)data + 2, size - 2};
    struct onward_throttle__judgement j, again;

    onward_throttle__judge_greylist(&o, value, NOW_S, &j);
    FUZZ_CHECK((j.wait_s > 0) == (j.verdict == ONWARD_THROTTLE_WAIT));
    FUZZ_CHECK(j.wait_s <= (int64_t)o.delay_s + SKEW_S);
    if (j.len > 0) {
        const struct onward_str kept = {(const char *)j.value, j.len};

        onward_throttle__judge_greylist(&o, kept, NOW_S + (int64_t)o.delay_s,
                                        &again);
        FUZZ_CHECK(again.verdict == ONWARD_THROTTLE_PASS);
    }
    onward_throttle__judge_known(&o, value, NOW_S, &j);
    FUZZ_CHECK(j.verdict == ONWARD_THROTTLE_PASS ||
               (j.verdict == ONWARD_THROTTLE_UNKNOWN && j.len == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 4096)
        return 0;
    check_rate(data, size);
    check_greylist(data, size);
    return 0;
}
