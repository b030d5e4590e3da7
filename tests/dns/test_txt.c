#include "support/support.h"

#include <onward/dns.h>

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X50 X50 X50 X50 X50 "xxxxx"

/* RFC 1035 sections 3.3.14 and 5.1. */
static const struct row {
    const char *name;
    const char *text;
    const char *want;
} rows[] = {
    {"empty", "", "\"\""},
    {"one", "v=spf1 -all", "\"v=spf1 -all\""},
    {"255 octets", X255, "\"" X255 "\""},
    {"256 octets", X255 "y", "\"" X255 "\" \"y\""},
    {"510 octets", X255 X255, "\"" X255 "\" \"" X255 "\""},
    {"quotes and backslashes", "a\"b\\c", "\"a\\\"b\\\\c\""},
    {"odd octets", "\t;\xff\x7f", "\"\\009;\\255\\127\""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str text = onward_str_of(row->text);
    size_t len = strlen(row->want);
    char out[2048] = "untouched";

    assert_int_equal(onward_dns_txt_strings(text, out, len), ONWARD_ELIMIT);
    assert_int_equal(onward_dns_txt_strings(text, out, 0), ONWARD_ELIMIT);
    assert_string_equal(out, "untouched");
    assert_int_equal(onward_dns_txt_strings(text, out, len + 1), len);
    assert_string_equal(out, row->want);
}

static void test_nul(void **state)
{
    char out[8];

    (void)state;
    assert_int_equal(
        onward_dns_txt_strings((struct onward_str){"\0", 1}, out, sizeof(out)),
        6);
    assert_string_equal(out, "\"\\000\"");
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 1] = {
        cmocka_unit_test(test_nul)};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tests[1 + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_row,
                                           .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests(
        "TXT strings", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
