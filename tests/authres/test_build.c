#include "support/support.h"

#include <onward/authres.h>

#define S(literal) ONWARD_STR(literal)

static struct onward_authres_builder *start(struct t_world *w)
{
    struct onward_authres_builder *b = NULL;

    assert_int_equal(
        onward_authres_builder_new(w->ctx, S("mx.example.org"), &b), 0);
    return b;
}

static void assert_field(struct onward_authres_builder *b, const char *want)
{
    struct onward_str got;

    assert_int_equal(onward_authres_builder_field(b, &got), 0);
    t_assert_str(got, want);
}

static void test_none(void **state)
{
    struct onward_authres_builder *b;
    struct onward_str value;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    b = start(&w);
    assert_field(b, "Authentication-Results: mx.example.org; none\r\n");
    assert_int_equal(onward_authres_builder_value(b, &value), 0);
    t_assert_str(value, "mx.example.org; none");
    onward_authres_builder_free(b);
    onward_authres_builder_free(NULL);
    t_world_clear(&w);
}

static void test_results_in_order(void **state)
{
    struct onward_authres_builder *b;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    b = start(&w);
    onward_authres_builder_result(b, S("dkim"), S("pass"), S("good signature"));
    onward_authres_builder_property(b, S("header"), S("d"), S("example.com"));
    onward_authres_builder_property(b, S("header"), S("i"), S("@example.com"));
    onward_authres_builder_property(b, S("header"), S("b"), S("a/b+c="));
    onward_authres_builder_result(b, S("spf"), S("fail"), S(""));
    onward_authres_builder_comment(
        b, S("mx.example.org: domain of a@example.net does not (any) designate "
             "192.0.2.1 as permitted sender"));
    onward_authres_builder_property(b, S("smtp"), S("mailfrom"),
                                    S("a@example.net"));
    onward_authres_builder_result(b, S("arc"), S("none"), S("unsigned"));
    assert_field(
        b,
        "Authentication-Results: mx.example.org;\r\n"
        " dkim=pass reason=\"good signature\" header.d=example.com "
        "header.i=@example.com\r\n header.b=\"a/b+c=\";\r\n"
        " spf=fail (mx.example.org: domain of a@example.net does not \\(any\\) "
        "designate\r\n"
        " 192.0.2.1 as permitted sender) "
        "smtp.mailfrom=a@example.net;\r\n"
        " arc=none reason=unsigned\r\n");
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct value_row {
    const char *name;
    struct onward_str value;
    const char *want; /* behind header.x= */
    const char *back; /* as our reader has it; NULL: the value itself */
} value_rows[] = {
    {"token", T("a-b_c.d+e!"), "a-b_c.d+e!", NULL},
    {"empty", T(""), "\"\"", NULL},
    {"blank", T("a b"), "\"a b\"", NULL},
    {"semicolon", T("a; dkim=pass"), "\"a; dkim=pass\"", NULL},
    {"quote", T("a\" ; spf=pass x=\""), "\"a\\\" ; spf=pass x=\\\"\"", NULL},
    {"backslash", T("a\\"), "\"a\\\\\"", NULL},
    {"comment", T("(a"), "\"(a\"", NULL},
    {"equals", T("a=b"), "\"a=b\"", NULL},
    {"new line", T("a\r\nX: y"), "\"a??X: y\"", "a??X: y"},
    {"NUL", T("a\0b"), "\"a?b\"", "a?b"},
    {"UTF-8",
     T("b\xc3\xbc"
       "cher"),
     "\"b\xc3\xbc"
     "cher\"",
     NULL},
    {"not UTF-8",
     T("b\xfc"
       "cher"),
     "\"b?cher\"", "b?cher"},
    {"C1 control",
     T("a\xc2\x85"
       "b"),
     "\"a??b\"", "a??b"},
    {"address", T("user+x@example.com"), "user+x@example.com", NULL},
    {"domain behind @", T("@example.com"), "@example.com", NULL},
    {"quoted local part", T("\"a b\"@example.com"),
     "\"\\\"a b\\\"@example.com\"", NULL},
    {"two @", T("a@b@example.com"), "\"a@b@example.com\"", NULL},
    {"no domain", T("a@"), "\"a@\"", NULL},
    {"address literal", T("a@[192.0.2.1]"), "\"a@[192.0.2.1]\"", NULL},
    {"local part with a dot at its end", T("a.@example.com"),
     "\"a.@example.com\"", NULL},
    {"IPv6", T("2001:db8::1"), "\"2001:db8::1\"", NULL},
    {"null path", T("<>"), "\"<>\"", NULL},
};

static void test_value(void **state)
{
    const struct value_row *row = *state;
    struct onward_authres_builder *b;
    struct onward_str text, value;
    struct onward_authres *back;
    struct t_world w;
    char want[300];

    t_world_init(&w);
    b = start(&w);
    assert_int_equal(onward_authres_builder_result(b, S("x"), S("y"), S("")),
                     0);
    assert_int_equal(
        onward_authres_builder_property(b, S("header"), S("x"), row->value), 0);
    snprintf(want, sizeof(want), "mx.example.org;\r\n x=y header.x=%s",
             row->want);
    assert_int_equal(onward_authres_builder_value(b, &text), 0);
    t_assert_str(text, want);
    assert_int_equal(onward_authres_parse(w.ctx, text, NULL, &back), 0);
    assert_null(onward_authres_fault(back, NULL));
    assert_int_equal(onward_authres_count(back), 1);
    assert_int_equal(onward_authres_property_count(back, 0), 1);
    value = onward_authres_value(back, 0, S("header"), S("x"));
    if (row->back == NULL)
        t_assert_str_n(value, row->value.data, row->value.len);
    else
        t_assert_str(value, row->back);
    onward_authres_free(back);
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

static void test_long_values_are_cut(void **state)
{
    static const char *const properties[] = {"\"", "a", "\xc3\xbc", " "};
    struct onward_authres_builder *b;
    struct onward_str text;
    struct t_world w;
    char value[5000];
    size_t line = 0;

    (void)state;
    t_world_init(&w);
    b = start(&w);
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        size_t step = strlen(properties[i]);

        for (size_t at = 0; at + step <= sizeof(value); at += step)
            memcpy(value + at, properties[i], step);
        assert_int_equal(
            onward_authres_builder_result(
                b, S("x"), S("y"), (struct onward_str){value, sizeof(value)}),
            0);
        assert_int_equal(onward_authres_builder_comment(
                             b, (struct onward_str){value, sizeof(value)}),
                         0);
    }
    assert_int_equal(onward_authres_builder_field(b, &text), 0);
    assert_true(text.len < 10000);
    for (size_t i = 0; i < text.len; i++) {
        line = text.data[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 999); /* with its CR */
    }
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

static void test_errors(void **state)
{
    struct onward_authres_builder *b = NULL;
    struct onward_str text;
    struct t_world w;
    int ret = 0;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_authres_builder_new(w.ctx, S(""), &b),
                     ONWARD_EINVAL);
    assert_int_equal(onward_authres_builder_new(w.ctx, S("a\r\nb"), &b),
                     ONWARD_EINVAL);
    assert_int_equal(onward_authres_builder_new(w.ctx, S("a\xff"), &b),
                     ONWARD_EINVAL);
    assert_null(b);
    b = start(&w);
    assert_int_equal(onward_authres_builder_comment(b, S("x")), ONWARD_ESTATE);
    assert_int_equal(onward_authres_builder_property(b, S("a"), S("b"), S("c")),
                     ONWARD_ESTATE);
    assert_int_equal(
        onward_authres_builder_result(b, S("dkim;"), S("pass"), S("")),
        ONWARD_EINVAL);
    assert_int_equal(onward_authres_builder_result(b, S("dkim"), S(""), S("")),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_authres_builder_result(b, S("dkim"), S("pass"), S("")), 0);
    assert_int_equal(
        onward_authres_builder_property(b, S("a b"), S("b"), S("c")),
        ONWARD_EINVAL);
    for (int i = 0; ret == 0 && i < 10000; i++)
        ret = onward_authres_builder_property(b, S("header"), S("d"),
                                              S("example.com"));
    assert_int_equal(ret, ONWARD_ELIMIT);
    assert_int_equal(onward_authres_builder_field(b, &text), ONWARD_ELIMIT);
    assert_int_equal(onward_authres_builder_value(b, &text), ONWARD_ELIMIT);
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

static void test_quoted_authserv_id(void **state)
{
    struct onward_authres_builder *b = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_authres_builder_new(w.ctx, S("mail gateway; x"), &b), 0);
    assert_field(b, "Authentication-Results: \"mail gateway; x\"; none\r\n");
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

static bool build_and_parse(struct t_world *w, void *arg)
{
    struct onward_authres_builder *b = NULL;
    struct onward_authres *a = NULL;
    struct onward_str text;
    int ret = onward_authres_builder_new(w->ctx, S("mx.example.org"), &b);

    (void)arg;
    if (ret == 0)
        ret = onward_authres_builder_result(b, S("dkim"), S("fail"),
                                            S("it is not so"));
    if (ret == 0)
        ret = onward_authres_builder_comment(b, S("at all"));
    for (int i = 0; ret == 0 && i < 20; i++)
        ret = onward_authres_builder_property(b, S("header"), S("i"),
                                              S("\"a b\"@example.com"));
    if (ret == 0)
        ret = onward_authres_builder_field(b, &text);
    if (ret == 0)
        ret = onward_authres_builder_value(b, &text);
    if (ret == 0)
        ret = onward_authres_parse(w->ctx, text, NULL, &a);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    if (ret == 0)
        assert_int_equal(onward_authres_property_count(a, 0), 20);
    onward_authres_free(a);
    onward_authres_builder_free(b);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(build_and_parse, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(value_rows) / sizeof(value_rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_results_in_order),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_quoted_authserv_id),
        cmocka_unit_test(test_no_memory),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = value_rows[i].name,
                                       .test_func = test_value,
                                       .initial_state = (void *)&value_rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
