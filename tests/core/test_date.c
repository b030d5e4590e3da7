#include "support/support.h"

#include "core/text_shared.h"

/* Seconds from GNU date; the obsolete forms are RFC 5322 A.5, A.6.2, A.6.3. */
static const struct row {
    const char *name;
    const char *text;
    int want_ret;
    int64_t want;
} rows[] = {
    {"usual", "Thu, 13 Feb 2020 16:01:02 +0000", 0, 1581609662},
    {"west of Greenwich", "Fri, 21 Nov 1997 09:55:06 -0600", 0, 880127706},
    {"rfc5322 a.5",
     "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n"
     " -0330 (Newfoundland Time)",
     0, -27723480},
    {"rfc5322 a.6.2", "21 Nov 97 09:55:06 GMT", 0, 880106106},
    {"rfc5322 a.6.3", "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 0,
     880127706},
    {"no seconds", "1 Jan 1970 00:01 +0000", 0, 60},
    {"day name in any case", "tHU, 13 fEB 2020 16:01:02 +0000", 0, 1581609662},
    {"two-digit year 49", "1 Jan 49 00:00 UT", 0, INT64_C(2493072000)},
    {"two-digit year 50", "1 Jan 50 00:00 UT", 0, -631152000},
    {"three-digit year", "1 Jan 120 00:00 UT", 0, 1577836800},
    {"EDT", "1 Jan 2020 00:00 EDT", 0, 1577851200},
    {"military letter", "1 Jan 2020 00:00 Z", 0, 1577836800},
    {"unknown zone", "1 Jan 2020 00:00 MEST", 0, 1577836800},
    {"leap day", "29 Feb 2000 12:00:00 +0000", 0, 951825600},
    {"leap second", "31 Dec 2016 23:59:60 +0000", 0, 1483228800},
    {"nested comment", "1 Jan 2020 00:00 (a(b\\)c)d)+0000", 0, 1577836800},
    {"last day", "31 Dec 9999 23:59:59 +0000", 0, INT64_C(253402300799)},
    {"no leap day", "29 Feb 1900 12:00:00 +0000", ONWARD_ESYNTAX, 0},
    {"day 0", "0 Jan 2020 00:00 +0000", ONWARD_ESYNTAX, 0},
    {"day 32", "32 Jan 2020 00:00 +0000", ONWARD_ESYNTAX, 0},
    {"hour 24", "1 Jan 2020 24:00 +0000", ONWARD_ESYNTAX, 0},
    {"zone of five digits", "1 Jan 2020 00:00 +00000", ONWARD_ESYNTAX, 0},
    {"zone minutes 60", "1 Jan 2020 00:00 +0060", ONWARD_ESYNTAX, 0},
    {"no zone", "1 Jan 2020 00:00:00", ONWARD_ESYNTAX, 0},
    {"five-digit year", "1 Jan 12020 00:00 +0000", ONWARD_ESYNTAX, 0},
    {"unknown month", "1 Foo 2020 00:00 +0000", ONWARD_ESYNTAX, 0},
    {"unknown day", "Foo, 1 Jan 2020 00:00 +0000", ONWARD_ESYNTAX, 0},
    {"text behind", "1 Jan 2020 00:00 +0000 x", ONWARD_ESYNTAX, 0},
    {"open comment", "1 Jan 2020 00:00 +0000 (x", ONWARD_ESYNTAX, 0},
    {"comment too deep",
     "1 Jan 2020 00:00 +0000 ((((((((((((((((( )))))))))))))))))",
     ONWARD_ESYNTAX, 0},
    {"empty", "", ONWARD_ESYNTAX, 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    int64_t got = 4711;

    assert_int_equal(
        onward_core__parse_date_rfc5322(onward_str_of(row->text), &got),
        row->want_ret);
    assert_true(got == (row->want_ret == 0 ? row->want : 4711));
}

static const struct {
    int64_t unix_s;
    const char *rfc5322, *rfc3339;
} written[] = {
    {1581609662, "Thu, 13 Feb 2020 16:01:02 +0000", "2020-02-13T16:01:02Z"},
    {0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z"},
    {-1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59Z"},
    {951825600, "Tue, 29 Feb 2000 12:00:00 +0000", "2000-02-29T12:00:00Z"},
    {INT64_MIN, "Mon, 1 Jan 0001 00:00:00 +0000", "0001-01-01T00:00:00Z"},
    {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z"},
};

static void test_writing(void **state)
{
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 100);
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        onward_core__buf_reset(&out);
        assert_int_equal(onward_core__date_rfc5322(&out, written[i].unix_s), 0);
        t_assert_str(onward_core__buf_str(&out), written[i].rfc5322);
        onward_core__buf_reset(&out);
        assert_int_equal(onward_core__date_rfc3339(&out, written[i].unix_s), 0);
        t_assert_str(onward_core__buf_str(&out), written[i].rfc3339);
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* Every 1009th hour of four centuries reads back as it was written. */
static void test_writing_then_reading(void **state)
{
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 100);
    for (int64_t at = -INT64_C(6000000000); at < INT64_C(7000000000);
         at += 1009 * 3600 + 61) {
        int64_t back = 0;

        onward_core__buf_reset(&out);
        onward_core__date_rfc5322(&out, at);
        assert_int_equal(
            onward_core__parse_date_rfc5322(onward_core__buf_str(&out), &back),
            0);
        assert_true(back == at);
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS + 2];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(test_writing);
    tests[ROWS + 1] =
        (struct CMUnitTest)cmocka_unit_test(test_writing_then_reading);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
