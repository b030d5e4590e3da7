#include "support/support.h"

#include "authres/authres_shared.h"
#include "core/json_shared.h"
#include "mime/mime_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct row {
    const char *name;
    struct onward_str value;
    int want; /* for mx.example.org */
} rows[] = {
    {"own", T(" mx.example.org; none"), 1},
    {"own with nothing behind", T("mx.example.org"), 1},
    {"case", T("MX.EXAMPLE.ORG; none"), 1},
    {"quoted", T("\"mx.example.org\"; none"), 1},
    {"quoted pairs", T("\"m\\x.example.org\"; none"), 1},
    {"comments and folds", T("(a(b))\r\n\t(c) mx.example.org(d)1; none"), 1},
    {"method version glued on", T("mx.example.org/1; none"), 1},
    {"port glued on", T("mx.example.org:25; none"), 1},
    {"final dot", T("mx.example.org.; none"), 1},
    {"foreign", T("mx.example.net; none"), 0},
    {"foreign that names us in a comment",
     T("mx.example.net (mx.example.org);"
       " none"),
     0},
    {"parent", T("example.org; none"), 0},
    {"child", T("a.mx.example.org; none"), 0},
    {"longer", T("mx.example.org.test; none"), 0},
    {"empty", T(""), 0},
    {"open comment before us", T("(x mx.example.org; none"), 1},
    {"open quote before us", T("\"mx.example.org; none"), 1},
    {"bare LF", T("\n mx.example.org; none"), 1},
    {"control", T("\x01 mx.example.org; none"), 1},
    {"NUL", T("\0mx.example.org; none"), 1},
    {"semicolon first", T("; MX.example.org; none"), 1},
    {"not readable, and not us", T("(x mx.example.net; none"), 0},
    {"seventeen comments",
     T("((((((((((((((((()))))))))))))))))mx.example.org;"
       " none"),
     1},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_arena arena;
    struct t_world w;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    assert_int_equal(onward_authres__claims_authserv_id(
                         &arena, row->value, ONWARD_STR("mx.example.org")),
                     row->want);
    onward_core__arena_clear(&arena);
    assert_int_equal(onward_authres_claims(w.ctx, row->value,
                                           ONWARD_STR("mx.example.org")),
                     row->want);
    t_world_clear(&w);
}

static bool claims_once(struct t_world *w, void *arg)
{
    int ret = onward_authres_claims(w->ctx,
                                    ONWARD_STR("\"mx.example.org\"; none"),
                                    ONWARD_STR("MX.example.org"));

    (void)arg;
    assert_true(ret == 1 || ret == ONWARD_ENOMEM);
    return ret == 1;
}

static void test_claims_contract(void **state)
{
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_authres_claims(NULL, ONWARD_STR("x"), ONWARD_STR("x")),
        ONWARD_EINVAL);
    assert_int_equal(onward_authres_claims(w.ctx, ONWARD_STR("x"),
                                           (struct onward_str){0}),
                     ONWARD_EINVAL);
    t_world_clear(&w);
    t_oom_sweep(claims_once, NULL);
}

static void test_id_that_is_no_domain(void **state)
{
    struct onward_str id = ONWARD_STR("Mail Gateway");
    struct onward_arena arena;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    assert_int_equal(onward_authres__claims_authserv_id(
                         &arena, ONWARD_STR("\"mail gateway\"; none"), id),
                     1);
    assert_int_equal(onward_authres__claims_authserv_id(
                         &arena, ONWARD_STR("mail gateway; none"), id),
                     0);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static void test_conformance_removal(void **state)
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
    for (const struct onward_json *t =
             onward_json__get(root, "strip_tests")->first;
         t != NULL; t = t->next, cases++) {
        struct onward_str value = onward_json__get(t, "input")->text;
        const struct onward_json *id = onward_json__get(t, "own_ids")->first;
        int claims = 0;

        for (; id != NULL; id = id->next)
            claims |=
                onward_authres__claims_authserv_id(&arena, value, id->text);
        if (claims != (onward_json__get(t, "remove")->type == ONWARD_JSON_TRUE))
            fail_msg("%.*s", (int)value.len, value.data);
    }
    assert_int_equal(cases, 13);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
    free(text);
}

static bool ask(struct t_world *w, void *arg)
{
    struct onward_arena arena;
    int ret;

    (void)arg;
    onward_core__arena_init(&arena, w->ctx, 10000);
    ret = onward_authres__claims_authserv_id(
        &arena, ONWARD_STR("\"mx.example.org\"; none"),
        ONWARD_STR("mx.example.org"));
    assert_true(ret == 1 || ret == ONWARD_ENOMEM);
    onward_core__arena_clear(&arena);
    return ret == 1;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(ask, NULL);
}

static bool trust(struct t_world *w, void *arg)
{
    static const char text[] = "Authentication-Results: else.example; none\r\n"
                               "Authentication-Results: b\xc3\xbc"
                               "cher.example; spf=pass\r\n\r\n";
    struct onward_authres *found = NULL;
    struct onward_header *h = NULL;
    bool is_found = false;
    size_t taken;

    (void)arg;
    if (onward_header_new(w->ctx, &h) == 0 &&
        onward_header_feed(h, text, sizeof(text) - 1, &taken) >= 0 &&
        onward_header_finish(h) == 0) {
        int err = onward_authres_trusted(h, ONWARD_STR("xn--bcher-kva.example"),
                                         &found);

        assert_true(err == 0 || err == ONWARD_ENOMEM);
        is_found = err == 0;
        assert_true(is_found == (found != NULL));
    }
    onward_authres_free(found);
    onward_header_free(h);
    return is_found;
}

static void test_trusted_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(trust, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_claims_contract),
        cmocka_unit_test(test_id_that_is_no_domain),
        cmocka_unit_test(test_conformance_removal),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_trusted_out_of_memory),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
