/* Netstrings, strictly: one reading of each text, or none. */
#include "netstring.h"

#include "support/support.h"

#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

enum { MAX = 20 };

static const struct row {
    const char *name;
    struct onward_str in;
    int64_t want;
    struct onward_str text;
} rows[] = {
    {"nothing", {"", 0}, 0, {0}},
    {"the empty text", S("0:,"), 3, S("")},
    {"a text", S("5:hello,"), 8, S("hello")},
    {"a NUL is an octet", S("3:a\0b,"), 6, S("a\0b")},
    {"a comma is an octet", S("2:,,,"), 5, S(",,")},
    {"the longest", S("20:01234567890123456789,"), 24,
     S("01234567890123456789")},
    {"one past the longest", S("21:"), NETSTRING_BROKEN, {0}},
    {"far past it, before the colon", S("99"), NETSTRING_BROKEN, {0}},
    {"past what 64 bits hold",
     S("18446744073709551621:hello,"),
     NETSTRING_BROKEN,
     {0}},
    {"negative", S("-1:,"), NETSTRING_BROKEN, {0}},
    {"a plus sign", S("+5:hello,"), NETSTRING_BROKEN, {0}},
    {"leading zero", S("05:hello,"), NETSTRING_BROKEN, {0}},
    {"two zeros", S("00:,"), NETSTRING_BROKEN, {0}},
    {"no digits", S(":hello,"), NETSTRING_BROKEN, {0}},
    {"a letter", S("5a:hello,"), NETSTRING_BROKEN, {0}},
    {"hexadecimal", S("0x5:hello,"), NETSTRING_BROKEN, {0}},
    {"a blank in front", S(" 5:hello,"), NETSTRING_BROKEN, {0}},
    {"a blank behind", S("5 :hello,"), NETSTRING_BROKEN, {0}},
    {"no comma", S("5:hello!"), NETSTRING_BROKEN, {0}},
    {"a line end for the comma", S("5:hello\r\n"), NETSTRING_BROKEN, {0}},
    {"too short a length", S("4:hello,"), NETSTRING_BROKEN, {0}},
    {"digits alone", S("5"), 0, {0}},
    {"cut in the text", S("5:hell"), 0, {0}},
    {"cut before the comma", S("5:hello"), 0, {0}},
    {"what follows is of no importance", S("1:a,05:"), 4, S("a")},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str text = {"untouched", 9};

    assert_true(netstring_read(row->in, MAX, &text) == row->want);
    if (row->want > 0) {
        assert_int_equal(text.len, row->text.len);
        assert_memory_equal(text.data, row->text.data, row->text.len);
    } else {
        assert_string_equal(text.data, "untouched");
    }
}

/* Octet by octet: nothing before it is whole, broken as soon as it is, and
 * never anything else from then on. */
static void test_row_octet_by_octet(void **state)
{
    const struct row *row = *state;
    int64_t got = 0;
    struct onward_str text;

    for (size_t len = 0; len <= row->in.len; len++) {
        /* Of its own size, so that a reader's step too far is seen. */
        char *copy = malloc(len == 0 ? 1 : len);
        int64_t now;

        memcpy(copy, row->in.data, len);
        now = netstring_read((struct onward_str){copy, len}, MAX, &text);
        if (got != 0)
            assert_true(now == got);
        else if (now > 0)
            assert_true((size_t)now == len);
        got = now;
        free(copy);
    }
    assert_true(got == row->want);
}

static void test_head(void **state)
{
    char out[NETSTRING_HEAD];

    (void)state;
    assert_int_equal(netstring_head(0, out), 2);
    assert_memory_equal(out, "0:", 2);
    assert_int_equal(netstring_head(SIZE_MAX, out), 21);
    assert_memory_equal(out, "18446744073709551615:", 21);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    static struct CMUnitTest tests[2 * ROWS + 1];
    static char names[ROWS][80];
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof(names[i]), "%s, octet by octet",
                 rows[i].name);
        tests[n++] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL,
                                         (void *)(uintptr_t)&rows[i]};
        tests[n++] =
            (struct CMUnitTest){names[i], test_row_octet_by_octet, NULL, NULL,
                                (void *)(uintptr_t)&rows[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_head);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
