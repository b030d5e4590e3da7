/* When a message is tried again (RFC 5321 section 4.5.4.1). */
#include <onward/egress.h>

#include "support/support.h"

enum { QUEUED = 1700000000, HOUR = 3600, DAY = 86400 };

static const struct row {
    const char *title;
    struct onward_egress_retry_opts opts;
    uint32_t attempts;
    int64_t last_s; /* from QUEUED on, as the next */
    uint32_t random;
    int64_t next_s;
    size_t is_expired;
} rows[] = {
    {"not tried yet", {0}, 0, 0, 77, 0, 0},
    {"the second is half an hour later", {0}, 1, 10, 0, 10 + 1800, 0},
    {"waits double", {0}, 2, 1810, 0, 1810 + 3600, 0},
    {"to two hours", {0}, 3, 5410, 0, 5410 + 7200, 0},
    {"and not above three", {0}, 4, 12610, 0, 12610 + 10800, 0},
    {"never", {0}, UINT32_MAX, 12610, 0, 12610 + 10800, 0},
    {"later by chance", {0}, 1, 0, UINT32_MAX, 1979, 0},
    {"half as much", {0}, 1, 0, (uint32_t)1 << 31, 1890, 0},
    {"the last is when the time is over", {0}, 9, 5 * DAY - 60, 0, 5 * DAY, 0},
    {"and then it is over", {0}, 9, 5 * DAY, 0, 5 * DAY, 1},
    {"a clock that went back", {0}, 1, -DAY, 0, 1800, 0},
    {"numbers of the host",
     {.first_s = 60,
      .growth_percent = 150,
      .ceiling_s = 1000,
      .jitter_percent = ONWARD_LIMIT_ZERO},
     3,
     500,
     UINT32_MAX,
     500 + 135,
     0},
    {"no growth", {.first_s = 60, .growth_percent = 100}, 4000000, 0, 0, 60, 0},
    {"a first wait above the ceiling is it",
     {.first_s = 600, .ceiling_s = 300},
     1,
     0,
     0,
     300,
     0},
    {"at once", {.first_s = ONWARD_LIMIT_ZERO}, 5, 7, UINT32_MAX, 7, 0},
    {"no ceiling, no end",
     {.ceiling_s = ONWARD_LIMIT_NONE, .expire_s = ONWARD_LIMIT_NONE},
     5,
     0,
     0,
     (int64_t)1800 * 16,
     0},
    {"more jitter than there is",
     {.jitter_percent = 5000},
     1,
     0,
     (uint32_t)1 << 31,
     1800 + 900,
     0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_egress_retry_opts opts = row->opts;
    struct onward_egress_retry_step step = {.size = sizeof(step)};

    opts.size = sizeof(opts);
    assert_int_equal(onward_egress_retry(&opts, row->attempts, QUEUED,
                                         QUEUED + row->last_s, row->random,
                                         &step),
                     0);
    assert_int_equal(step.next_s - QUEUED, row->next_s);
    assert_int_equal(step.is_expired, row->is_expired);
}

static void test_expiry_and_notice(void **state)
{
    struct onward_egress_retry_opts opts = {.size = sizeof(opts)};
    struct onward_egress_retry_step step = {.size = sizeof(step)};

    (void)state;
    assert_int_equal(onward_egress_retry(NULL, 1, QUEUED, QUEUED, 0, &step), 0);
    assert_int_equal(step.expires_s, QUEUED + 5 * DAY);
    assert_int_equal(step.notice_s, QUEUED + 4 * HOUR);
    opts.notice_s = ONWARD_LIMIT_NONE;
    opts.expire_s = ONWARD_LIMIT_ZERO;
    assert_int_equal(onward_egress_retry(&opts, 1, QUEUED, QUEUED, 0, &step),
                     0);
    assert_true(step.notice_s == INT64_MAX);
    assert_int_equal(step.expires_s, QUEUED);
    assert_int_equal(step.is_expired, 1);
}

/* Two tries in the first hour, then one every two or three hours: what the
 * defaults come to over the five days, with the longest jitter and none. */
static void test_the_five_days(void **state)
{
    static const uint32_t randoms[] = {0, UINT32_MAX};

    (void)state;
    for (size_t r = 0; r < 2; r++) {
        struct onward_egress_retry_step step = {.size = sizeof(step)};
        int64_t at = QUEUED, last_wait = 0;
        uint32_t attempts = 0, in_first_hour = 0;

        do {
            if (at < QUEUED + HOUR)
                in_first_hour++;
            attempts++;
            assert_int_equal(onward_egress_retry(NULL, attempts, QUEUED, at,
                                                 randoms[r], &step),
                             0);
            if (!step.is_expired && step.next_s != step.expires_s) {
                assert_true(step.next_s - at >= 1800);
                assert_true(step.next_s - at >= last_wait);
                assert_true(step.next_s - at <= 10800 * 11 / 10);
                last_wait = step.next_s - at;
            }
            at = step.next_s;
        } while (!step.is_expired);
        assert_int_equal(in_first_hour, 2);
        assert_int_equal(at, QUEUED + 5 * DAY);
        assert_in_range(attempts, 36, 44);
    }
}

static void test_far_numbers_do_not_overflow(void **state)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX - 1, INT64_MAX};
    static const size_t sizes[] = {0, 1, 100, ONWARD_LIMIT_ZERO,
                                   ONWARD_LIMIT_NONE};

    (void)state;
    for (size_t i = 0; i < 5 * 5 * 5; i++) {
        const struct onward_egress_retry_opts opts = {
            .size = sizeof(opts),
            .first_s = sizes[i % 5],
            .growth_percent = sizes[i % 5] < 100 ? 0 : sizes[i % 5],
            .ceiling_s = sizes[i / 5 % 5],
            .jitter_percent = sizes[i % 5],
            .expire_s = sizes[i / 25]};

        for (size_t j = 0; j < 25; j++) {
            struct onward_egress_retry_step step = {.size = sizeof(step)};

            assert_int_equal(onward_egress_retry(&opts, (uint32_t)j,
                                                 times[j % 5], times[j / 5],
                                                 UINT32_MAX, &step),
                             0);
            assert_true(step.next_s >= times[j % 5] &&
                        step.next_s <= step.expires_s);
        }
    }
}

static void test_contract(void **state)
{
    struct {
        struct onward_egress_retry_opts o;
        size_t more;
    } newer = {.o = {.size = sizeof(newer)}, .more = 1};
    struct onward_egress_retry_opts opts = {.size = sizeof(opts),
                                            .growth_percent = 99};
    struct onward_egress_retry_step step = {.size = sizeof(step)};
    struct onward_egress_retry_step small = {.size = 1};

    (void)state;
    assert_int_equal(onward_egress_retry(&opts, 1, 0, 0, 0, &step),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_retry(NULL, 1, 0, 0, 0, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_retry(NULL, 1, 0, 0, 0, &small),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_retry(&newer.o, 1, 0, 0, 0, &step),
                     ONWARD_EVERSION);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(test_expiry_and_notice),
        cmocka_unit_test(test_the_five_days),
        cmocka_unit_test(test_far_numbers_do_not_overflow),
        cmocka_unit_test(test_contract),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(single)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
