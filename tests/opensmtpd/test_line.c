/* Lines of OpenSMTPD's filter protocol. Examples are those of smtpd-filters(7)
 * and of what 6.8.0p2 says. */
#include "line.h"

#include "support/support.h"

#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define HEAD "|0.6|1576146008.006099|smtp-in|"

static const struct row {
    const char *name;
    struct onward_str in;
    enum line_kind kind;
    uint64_t session, token;
    struct onward_str event, rest;
} rows[] = {
    {"report",
     S("report" HEAD "link-connect|7641df9771b4ed00|mail.openbsd.org|"
       "pass|199.185.178.25:33174|45.77.67.80:25"),
     LINE_REPORT, 0x7641df9771b4ed00, 0, S("link-connect"),
     S("mail.openbsd.org|pass|199.185.178.25:33174|45.77.67.80:25")},
    {"report without parameters",
     S("report" HEAD "link-disconnect|"
       "7641df9771b4ed00"),
     LINE_REPORT,
     0x7641df9771b4ed00,
     0,
     S("link-disconnect"),
     {0}},
    {"bars in the rest",
     S("report" HEAD "tx-mail|7641df9771b4ed00|4e26e68d|ok|"
       "a|b@c.d"),
     LINE_REPORT, 0x7641df9771b4ed00, 0, S("tx-mail"),
     S("4e26e68d|ok|a|b@c.d")},
    {"filter",
     S("filter" HEAD "data-line|7641df9771b4ed00|1ef1c203cc576e5d|"
       ".dot"),
     LINE_FILTER, 0x7641df9771b4ed00, 0x1ef1c203cc576e5d, S("data-line"),
     S(".dot")},
    {"an empty line of a message",
     S("filter" HEAD "data-line|7641df9771b4ed00|"
       "1ef1c203cc576e5d|"),
     LINE_FILTER,
     0x7641df9771b4ed00,
     0x1ef1c203cc576e5d,
     S("data-line"),
     {0}},
    {"a NUL in it",
     S("filter" HEAD "data-line|7641df9771b4ed00|"
       "1ef1c203cc576e5d|a\0b"),
     LINE_FILTER, 0x7641df9771b4ed00, 0x1ef1c203cc576e5d, S("data-line"),
     S("a\0b")},
    {"commit",
     S("filter" HEAD "commit|7641df9771b4ed00|1ef1c203cc576e5d"),
     LINE_FILTER,
     0x7641df9771b4ed00,
     0x1ef1c203cc576e5d,
     S("commit"),
     {0}},
    {"a later minor version",
     S("report|0.12|1.0|smtp-in|timeout|7641df9771b4ed00"),
     LINE_REPORT,
     0x7641df9771b4ed00,
     0,
     S("timeout"),
     {0}},
    {"configuration",
     S("config|smtpd-version|6.8.0p2"),
     LINE_CONFIG,
     0,
     0,
     S("smtpd-version|6.8.0p2"),
     {0}},
    {"nothing", {"", 0}, LINE_BROKEN, 0, 0, {0}, {0}},
    {"no fields", S("report"), LINE_BROKEN, 0, 0, {0}, {0}},
    {"another kind",
     S("filter-result|0.6|1|smtp-in|a|7641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"an older version",
     S("report|0.5|1.0|smtp-in|timeout|7641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"another major version",
     S("report|1.6|1.0|smtp-in|timeout|7641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"another subsystem",
     S("report|0.6|1.0|smtp-out|timeout|7641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"no event", S("report|0.6|1.0|smtp-in"), LINE_BROKEN, 0, 0, {0}, {0}},
    {"no session", S("report" HEAD "timeout"), LINE_BROKEN, 0, 0, {0}, {0}},
    {"a session of 15 digits",
     S("report" HEAD "timeout|7641df9771b4ed0"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"a session of 17 digits",
     S("report" HEAD "timeout|7641df9771b4ed000"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"a session with a sign",
     S("report" HEAD "timeout|-641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"capitals",
     S("report" HEAD "timeout|7641DF9771B4ED00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
    {"no token",
     S("filter" HEAD "commit|7641df9771b4ed00"),
     LINE_BROKEN,
     0,
     0,
     {0},
     {0}},
};

static void assert_same(struct onward_str got, struct onward_str want)
{
    assert_int_equal(got.len, want.len);
    if (want.len > 0)
        assert_memory_equal(got.data, want.data, want.len);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    /* Of its own size, so that a reader's step too far is seen. */
    char *copy = malloc(row->in.len == 0 ? 1 : row->in.len);
    struct line line;

    memcpy(copy, row->in.data, row->in.len);
    line_read((struct onward_str){copy, row->in.len}, &line);
    assert_int_equal(line.kind, row->kind);
    if (row->kind != LINE_BROKEN) {
        assert_true(line.session == row->session);
        assert_true(line.token == row->token);
        assert_same(line.name, row->event);
        assert_same(line.rest, row->rest);
    }
    free(copy);
}

/* A line cut short is one that says less, or none; it is never read over. */
static void test_cut(void **state)
{
    const struct row *row = *state;

    for (size_t len = 0; len < row->in.len; len++) {
        char *copy = malloc(len == 0 ? 1 : len);
        struct line line;

        memcpy(copy, row->in.data, len);
        line_read((struct onward_str){copy, len}, &line);
        if (row->session != 0 && line.kind != LINE_BROKEN)
            assert_true(line.session == row->session);
        free(copy);
    }
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    static struct CMUnitTest tests[2 * ROWS];
    static char names[ROWS][80];
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof(names[i]), "%s, cut", rows[i].name);
        tests[n++] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL,
                                         (void *)(uintptr_t)&rows[i]};
        tests[n++] = (struct CMUnitTest){names[i], test_cut, NULL, NULL,
                                         (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
