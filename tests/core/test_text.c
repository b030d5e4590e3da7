#include "support/support.h"

#include "core/text_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct row {
    const char *name;
    struct onward_str in;
    size_t max_digits;
    int want_ret;
    uint64_t want;
} rows[] = {
    {"zero", T("0"), 20, 0, 0},
    {"leading zeros", T("007"), 20, 0, 7},
    {"largest", T("18446744073709551615"), 20, 0, UINT64_MAX},
    {"one past largest", T("18446744073709551616"), 20, ONWARD_ELIMIT, 0},
    {"too many digits", T("100"), 2, ONWARD_ELIMIT, 0},
    {"empty", T(""), 20, ONWARD_ESYNTAX, 0},
    {"sign", T("+1"), 20, ONWARD_ESYNTAX, 0},
    {"blank", T("1 "), 20, ONWARD_ESYNTAX, 0},
    {"NUL", T("1\0"), 20, ONWARD_ESYNTAX, 0},
};

static void test_number(void **state)
{
    const struct row *row = *state;
    uint64_t got = 4711;

    assert_int_equal(onward_core__parse_u64(row->in, row->max_digits, &got),
                     row->want_ret);
    assert_true(got == (row->want_ret == 0 ? row->want : 4711));
}

/* RFC 3629 sections 3, 4 and 10 */
static const struct {
    struct onward_str text;
    bool is_utf8;
} utf8_rows[] = {
    {T(""), true},
    {{NULL, 0}, true},
    {T("plain ASCII, long enough\0"), true},
    {T("A\xe2\x89\xa2\xce\x91."), true},
    {T("\xf0\xa3\x8e\xb4"), true},
    {T("\xf4\x8f\xbf\xbf"), true},
    {T("\xf4\x90\x80\x80"), false},
    {T("\xc0\x80"), false},
    {T("\xc1\xbf"), false},
    {T("\xe0\x9f\xbf"), false},
    {T("\xf0\x8f\xbf\xbf"), false},
    {T("\xed\xa0\x80"), false},
    {T("\xed\xbf\xbf"), false},
    {T("\xe2\x89"), false},
    {T("\x80"), false},
    {T("\xff"), false},
};

static void test_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++)
        assert_int_equal(onward_core__is_utf8(utf8_rows[i].text),
                         utf8_rows[i].is_utf8);
}

static void test_ascii(void **state)
{
    char text[40];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++) {
        assert_true(onward_core__is_ascii(onward_core__str(text, i)));
        text[i] = (char)0x80;
        assert_false(onward_core__is_ascii(onward_core__str(text, i + 1)));
        assert_false(onward_core__is_ascii(onward_core__str(text, 40)));
        text[i] = 'a';
    }
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS + 2];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_number,
                                       .initial_state = (void *)&rows[i]};
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(test_utf8);
    tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(test_ascii);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
