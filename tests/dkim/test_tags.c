#include "support/support.h"

#include "dkim/dkim_shared.h"

/* ONWARD_STR() is no constant expression in C11. */
#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct row {
    const char *name;
    struct onward_str in;
    int want;
    size_t fault_at;    /* on failure */
    const char *parsed; /* "name=value|name=value" on success */
} rows[] = {
    {"one tag", S("v=1"), 0, 0, "v=1"},
    {"order is kept", S("b=x; a=y"), 0, 0, "b=x|a=y"},
    {"final semicolon", S("v=1;"), 0, 0, "v=1"},
    {"final semicolon and blanks", S("v=1; \r\n "), 0, 0, "v=1"},
    {"white space around all", S("\r\n\t v \t=\r\n 1 \t; a = x y "), 0, 0,
     "v=1|a=x y"},
    {"white space inside a value stays", S("n=a \r\n\tb"), 0, 0, "n=a \r\n\tb"},
    {"empty value", S("p=; k=rsa"), 0, 0, "p=|k=rsa"},
    {"empty value at the end", S("p="), 0, 0, "p="},
    {"equals in a value", S("b=ab=="), 0, 0, "b=ab=="},
    {"names tell case apart", S("v=1; V=2"), 0, 0, "v=1|V=2"},
    {"name with digit and underscore", S("a_1=x"), 0, 0, "a_1=x"},
    {"octets above ASCII in a value", S("d=b\xc3\xa5.example"), 0, 0,
     "d=b\xc3\xa5.example"},
    {"nothing", S(""), ONWARD_ESYNTAX, 0, NULL},
    {"only blanks", S(" \r\n "), ONWARD_ESYNTAX, 4, NULL},
    {"a tag twice", S("d=a; s=b; d=c"), ONWARD_ESYNTAX, 10, NULL},
    {"no equals", S("v=1; abc; d=x"), ONWARD_ESYNTAX, 8, NULL},
    {"no name", S("v=1; =x"), ONWARD_ESYNTAX, 5, NULL},
    {"name begins with a digit", S("1a=x"), ONWARD_ESYNTAX, 0, NULL},
    {"name with a hyphen", S("a-b=x"), ONWARD_ESYNTAX, 1, NULL},
    {"blank in a name", S("a b=x"), ONWARD_ESYNTAX, 2, NULL},
    {"two semicolons", S("v=1;; d=x"), ONWARD_ESYNTAX, 4, NULL},
    {"semicolon first", S(";v=1"), ONWARD_ESYNTAX, 0, NULL},
    {"NUL in a value", S("v=a\0b"), ONWARD_ESYNTAX, 3, NULL},
    {"bare LF in a value", S("v=a\nb"), ONWARD_ESYNTAX, 3, NULL},
    {"bare CR in a value", S("v=a\rb"), ONWARD_ESYNTAX, 3, NULL},
    {"DEL in a value", S("v=\x7f"), ONWARD_ESYNTAX, 2, NULL},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dkim__tags tags;
    char got[256] = "";
    size_t fault_at = 4711;

    assert_int_equal(onward_dkim__tags_parse(row->in, &tags, &fault_at),
                     row->want);
    if (row->want != 0) {
        assert_int_equal(fault_at, row->fault_at);
        return;
    }
    for (size_t i = 0; i < tags.count; i++) {
        size_t len = strlen(got);

        snprintf(got + len, sizeof(got) - len, "%s%.*s=%.*s", i > 0 ? "|" : "",
                 (int)tags.items[i].name.len, tags.items[i].name.data,
                 (int)tags.items[i].value.len, tags.items[i].value.data);
    }
    assert_string_equal(got, row->parsed);
}

static void test_raw_value_is_all_between_equals_and_semicolon(void **state)
{
    struct onward_dkim__tags tags;
    size_t at;

    (void)state;
    assert_int_equal(onward_dkim__tags_parse(
                         ONWARD_STR("a=x; b= \r\n q \t; c=y "), &tags, &at),
                     0);
    t_assert_str(onward_dkim__tags_find(&tags, "b")->raw, " \r\n q \t");
    t_assert_str(onward_dkim__tags_find(&tags, "c")->raw, "y ");
    assert_null(onward_dkim__tags_find(&tags, "B"));
}

static void test_too_many_tags_are_a_limit(void **state)
{
    char text[ONWARD_DKIM__TAGS_MAX * 8 + 16];
    struct onward_dkim__tags tags;
    size_t len = 0, at;

    (void)state;
    for (int i = 0; i < ONWARD_DKIM__TAGS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "t%d=x;", i);
    assert_int_equal(
        onward_dkim__tags_parse(onward_core__str(text, len), &tags, &at), 0);
    assert_int_equal(tags.count, ONWARD_DKIM__TAGS_MAX);
    memcpy(text + len, "z=1", 3);
    assert_int_equal(
        onward_dkim__tags_parse(onward_core__str(text, len + 3), &tags, &at),
        ONWARD_ELIMIT);
    assert_int_equal(at, len);
}

static void test_lists_are_parted_by_colons(void **state)
{
    struct onward_str rest = ONWARD_STR("From : to:\r\n\tcc::");
    const char *want[] = {"From", "to", "cc", "", ""};
    struct onward_str item;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(onward_dkim__list_next(&rest, &item));
        t_assert_str(item, want[i]);
    }
    assert_false(onward_dkim__list_next(&rest, &item));
    assert_true(onward_dkim__list_has(ONWARD_STR("y : s"), "s"));
    assert_false(onward_dkim__list_has(ONWARD_STR("y:S"), "s"));
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 3];
    size_t n = 0;

    for (; n < sizeof(rows) / sizeof(rows[0]); n++) {
        tests[n] = (struct CMUnitTest){.name = rows[n].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[n]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(
        test_raw_value_is_all_between_equals_and_semicolon);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_too_many_tags_are_a_limit);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_lists_are_parted_by_colons);
    return _cmocka_run_group_tests("dkim tags", tests, n, NULL, NULL);
}
