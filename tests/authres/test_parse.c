#include "support/support.h"

#include <onward/authres.h>

#include "core/json_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct fault_row {
    const char *name;
    struct onward_str value;
    size_t at;
    const char *what;
} fault_rows[] = {
    {"empty", T(""), 0, "expected an authserv-id"},
    {"id only", T("a.example"), 9, "expected ; and a result"},
    {"id and semicolon", T("a.example;"), 10, "expected a method"},
    {"version 2", T("a.example 2; spf=pass"), 10, "unknown version"},
    {"version past any number", T("a.example 18446744073709551617; spf=pass"),
     10, "unknown version"},
    {"no id", T("spf=pass; dkim=pass"), 3, "expected ; and a result"},
    {"none and a result", T("a.example; none; spf=pass"), 17,
     "none beside results"},
    {"result and none", T("a.example; spf=pass; none"), 25,
     "none beside results"},
    {"no result", T("a.example; spf"), 14, "method without a result"},
    {"no value", T("a.example; spf="), 15, "expected a result"},
    {"property without a type", T("a.example; spf=pass mailfrom=b"), 28,
     "property without a type"},
    {"property without a value", T("a.example; spf=pass smtp.mailfrom="), 34,
     "property without a value"},
    {"semicolon inside", T("a.example;; spf=pass"), 10, "expected a method"},
    {"second reason", T("a.example; spf=pass reason=a reason=b"), 35,
     "second reason"},
    {"control", T("a.example; spf=pass\x01"), 19, "expected a blank"},
    {"open comment", T("a.example; spf=pass (x"), 20, "comment without an end"},
    {"open quote", T("a.example; spf=pass reason=\"x"), 27,
     "quoted string without an end"},
    {"glued to a quote", T("a.example; spf=pass a.b=\"x\"c.d=e"), 27,
     "expected a blank"},
    {"line end at the end", T("a.example; none\r\n"), 15,
     "line end that is no fold"},
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_authres *a = NULL;
    struct t_world w;
    size_t at = 4711;

    t_world_init(&w);
    assert_int_equal(onward_authres_parse(w.ctx, row->value, NULL, &a), 0);
    assert_non_null(onward_authres_fault(a, NULL));
    assert_string_equal(onward_authres_fault(a, &at), row->what);
    assert_int_equal(at, row->at);
    assert_int_equal(onward_authres_count(a), 0);
    t_assert_str(onward_authres_authserv_id(a), "");
    onward_authres_free(a);
    t_world_clear(&w);
}

static void test_reading(void **state)
{
    struct onward_str ptype, property, value;
    struct onward_authres *a = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_authres_parse(
            w.ctx,
            ONWARD_STR(" mx.example.org 1; DKIM / 2 = Pass (x) reason = \"go"
                       "\\od\" Header . D = Example.com header.i=@b.example;"
                       " spf=none;"),
            NULL, &a),
        0);
    assert_null(onward_authres_fault(a, NULL));
    t_assert_str(onward_authres_authserv_id(a), "mx.example.org");
    assert_int_equal(onward_authres_count(a), 2);
    t_assert_str(onward_authres_method(a, 0), "dkim");
    assert_int_equal(onward_authres_method_version(a, 0), 2);
    t_assert_str(onward_authres_result(a, 0), "pass");
    t_assert_str(onward_authres_reason(a, 0), "good");
    assert_int_equal(onward_authres_property_count(a, 0), 2);
    assert_int_equal(
        onward_authres_property(a, 0, 0, &ptype, &property, &value), 1);
    t_assert_str(ptype, "header");
    t_assert_str(property, "d");
    t_assert_str(value, "Example.com");
    t_assert_str(
        onward_authres_value(a, 0, ONWARD_STR("header"), ONWARD_STR("i")),
        "@b.example");
    t_assert_str(
        onward_authres_value(a, 0, ONWARD_STR("header"), ONWARD_STR("b")), "");
    assert_int_equal(onward_authres_property(a, 0, 2, NULL, NULL, NULL), 0);
    t_assert_str(onward_authres_result(a, 1), "none");
    assert_int_equal(onward_authres_method_version(a, 1), 1);
    assert_int_equal(onward_authres_method_version(a, 2), 0);
    t_assert_str(onward_authres_result(a, 2), "");
    onward_authres_free(a);
    onward_authres_free(NULL);
    t_world_clear(&w);
}

/* 100,000 results, comments or properties end soon and in little memory. */
static void test_hostile_lengths(void **state)
{
    static const struct {
        const char *piece;
        int want;
    } hostile[] = {
        {"; a=b", ONWARD_ELIMIT},  {" (x)", 0}, {"(", 0},
        {" a.b=c", ONWARD_ELIMIT}, {";", 0},    {"\r\n ", 0},
        {" reason=x", 0},          {"\"", 0},
    };
    struct onward_buf text;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&text, w.ctx, 1 << 20);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct onward_authres *a = NULL;

        onward_core__buf_reset(&text);
        onward_core__buf_add_text(&text, "mx.example.org; spf=pass");
        for (size_t n = 0; n < 100000; n++)
            onward_core__buf_add_text(&text, hostile[i].piece);
        assert_int_equal(
            onward_authres_parse(w.ctx, onward_core__buf_str(&text), NULL, &a),
            hostile[i].want);
        assert_true(w.peak_bytes < (1 << 23));
        onward_authres_free(a);
    }
    onward_core__buf_clear(&text);
    t_world_clear(&w);
}

static void test_options(void **state)
{
    struct onward_authres_opts opts = {.size = sizeof(opts), .max_items = 2};
    struct onward_str value = ONWARD_STR("a.example; spf=pass a.b=c");
    size_t later[3] = {sizeof(later), 0, 1};
    struct onward_authres *a = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_authres_parse(w.ctx, value, &opts, &a), 0);
    onward_authres_free(a);
    a = NULL;
    opts.max_items = 1;
    assert_int_equal(onward_authres_parse(w.ctx, value, &opts, &a),
                     ONWARD_ELIMIT);
    assert_int_equal(
        onward_authres_parse(w.ctx, value, (const void *)later, &a),
        ONWARD_EVERSION);
    opts.size = 0;
    assert_int_equal(onward_authres_parse(w.ctx, value, &opts, &a),
                     ONWARD_EINVAL);
    assert_null(a);
    t_world_clear(&w);
}

static bool has_text(const struct onward_json *v, const char *want)
{
    for (const struct onward_json *i = v == NULL ? NULL : v->first; i != NULL;
         i = i->next) {
        if (onward_core__str_eq(i->text, onward_str_of(want)))
            return true;
    }
    return false;
}

static void check_result(const struct onward_authres *a, size_t i,
                         const struct onward_json *want)
{
    const struct onward_json *reason = onward_json__get(want, "reason");
    const struct onward_json *version =
        onward_json__get(want, "method_version");
    const struct onward_json *prop = onward_json__get(want, "props")->first;
    size_t j = 0;

    assert_true(onward_core__str_eq(onward_authres_method(a, i),
                                    onward_json__get(want, "method")->text));
    assert_true(onward_core__str_eq(onward_authres_result(a, i),
                                    onward_json__get(want, "result")->text));
    if (reason != NULL)
        assert_true(
            onward_core__str_eq(onward_authres_reason(a, i), reason->text));
    if (version != NULL)
        assert_int_equal(onward_authres_method_version(a, i), 1);
    for (; prop != NULL; prop = prop->next, j++) {
        struct onward_str ptype, property, value;

        assert_int_equal(
            onward_authres_property(a, i, j, &ptype, &property, &value), 1);
        assert_true(
            onward_core__str_eq(ptype, onward_json__get(prop, "ptype")->text));
        assert_true(onward_core__str_eq(
            property, onward_json__get(prop, "property")->text));
        assert_true(
            onward_core__str_eq(value, onward_json__get(prop, "value")->text));
    }
    assert_int_equal(onward_authres_property_count(a, i), j);
}

static void run_case(struct t_world *w, const struct onward_json *t)
{
    const struct onward_json *want = onward_json__get(t, "results");
    const struct onward_json *also = onward_json__get(t, "also_accept");
    struct onward_authres *a = NULL;
    size_t i = 0;

    assert_int_equal(onward_authres_parse(
                         w->ctx, onward_json__get(t, "input")->text, NULL, &a),
                     0);
    if (onward_authres_fault(a, NULL) != NULL) {
        assert_true(want == NULL || has_text(also, "error"));
    } else {
        assert_non_null(want);
        assert_true(
            onward_core__str_eq(onward_authres_authserv_id(a),
                                onward_json__get(t, "authserv_id")->text));
        assert_int_equal(onward_authres_count(a), want->count);
        for (const struct onward_json *r = want->first; r != NULL; r = r->next)
            check_result(a, i++, r);
    }
    onward_authres_free(a);
}

static void test_conformance(void **state)
{
    const char *path = t_conformance("authres/authres.json");
    struct onward_json *root;
    struct onward_arena arena;
    struct t_world w;
    size_t len = 0, cases = 0;
    char *text;

    (void)state;
    if (path == NULL)
        skip();
    text = t_read_file(path, &len);
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 1 << 24);
    assert_int_equal(onward_json__parse(&arena, onward_core__str(text, len), 16,
                                        &root, NULL),
                     0);
    for (const struct onward_json *t = onward_json__get(root, "tests")->first;
         t != NULL; t = t->next, cases++)
        run_case(&w, t);
    assert_int_equal(cases, 47);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
    free(text);
}

int main(void)
{
    enum { ROWS = sizeof(fault_rows) / sizeof(fault_rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_conformance),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = fault_rows[i].name,
                                       .test_func = test_fault,
                                       .initial_state = (void *)&fault_rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
