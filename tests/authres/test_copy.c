/* Results copied as they are written, and what the registry knows. */
#include "support/support.h"

#include <onward/authres.h>

#include "core/json_shared.h"

#define S(literal) ONWARD_STR(literal)
#define LONG100                                                                \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG900                                                                \
    LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100

static const struct row {
    const char *name, *value;
    int keep_folds, ret;
    const char *want; /* behind the authserv-id */
} rows[] = {
    {"letter case, comments, version, unknown words",
     "a.example; (before) X-Foo / 2 = Bar (a(b)c) reason=\"Go\\od\" P.Q=\"x "
     "y\" "
     "(after)",
     0, 0,
     "\r\n (before) X-Foo / 2 = Bar (a(b)c) reason=\"Go\\od\" P.Q=\"x y\" "
     "(after)"},
    {"folded anew",
     "a.example;\r\n\tdkim=pass\r\n\t (2048-bit key\r\n  of a.example)\r\n"
     "  header.d=a.example\theader.i=@a.example header.s=selector-of-2026 "
     "header.a=rsa-sha256",
     0, 0,
     "\r\n dkim=pass (2048-bit key of a.example) header.d=a.example "
     "header.i=@a.example\r\n header.s=selector-of-2026 header.a=rsa-sha256"},
    {"folds kept",
     "a.example;\r\n\tdkim=pass\r\n\t (2048-bit  key\r\n  of a.example)\r\n"
     "  header.d=a.example\theader.i=@a.example",
     1, 0,
     "\r\n dkim=pass\r\n\t (2048-bit  key\r\n  of a.example)\r\n"
     "  header.d=a.example\theader.i=@a.example"},
    {"but no empty line of theirs", "a.example; dkim=pass\r\n \r\n\t\r\n a.b=c",
     1, 0, "\r\n dkim=pass\r\n a.b=c"},
    {"a fold in quotes goes, its blank stays",
     "a.example; dkim=fail reason=\"a;\r\n b\\\" (c\" x.y=z", 0, 0,
     "\r\n dkim=fail reason=\"a; b\\\" (c\" x.y=z"},
    {"a semicolon and a quote in a comment",
     "a.example; spf=pass (a; \" b) c.d=e", 0, 0,
     "\r\n spf=pass (a; \" b) c.d=e"},
    {"EAI",
     "a.example; spf=pass smtp.mailfrom=j\xc3\xb6rg@b\xc3\xbc"
     "cher.example",
     0, 0,
     "\r\n spf=pass smtp.mailfrom=j\xc3\xb6rg@b\xc3\xbc"
     "cher.example"},
    {"not UTF-8", "a.example; spf=pass (\xff)", 0, ONWARD_EINVAL, " none"},
    {"a word of 900 octets", "a.example; spf=pass (" LONG900 ")", 0,
     ONWARD_EINVAL, " none"},
    {"a long line",
     "a.example; spf=pass (" LONG100 " " LONG100 " " LONG100 " " LONG100
     " " LONG100 " " LONG100 " " LONG100 " " LONG100 " " LONG100 ")",
     1, ONWARD_EINVAL, " none"},
    {"no such result", "a.example; none", 0, ONWARD_ENOENT, " none"},
    {"a field that is none", "a.example; spf", 0, ONWARD_ENOENT, " none"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_authres_builder *b = NULL;
    struct onward_authres *a = NULL;
    struct onward_str value;
    struct t_world w;
    char want[2000];

    t_world_init(&w);
    assert_int_equal(
        onward_authres_parse(w.ctx, onward_str_of(row->value), NULL, &a), 0);
    t_assert_str(onward_authres_text(a), row->value);
    assert_int_equal(onward_authres_builder_new(w.ctx, S("b.example"), &b), 0);
    assert_int_equal(onward_authres_builder_copy(b, a, 0, row->keep_folds),
                     row->ret);
    assert_int_equal(onward_authres_builder_copy(b, a, 1, row->keep_folds),
                     ONWARD_ENOENT);
    assert_int_equal(onward_authres_builder_value(b, &value), 0);
    snprintf(want, sizeof(want), "b.example;%s", row->want);
    t_assert_str(value, want);
    onward_authres_builder_free(b);
    onward_authres_free(a);
    t_world_clear(&w);
}

/* Several fields become one; a comment may follow what was copied. */
static void test_join(void **state)
{
    static const char *const fields[] = {
        "a.example; spf=pass (x); dkim=none",
        "(y) a.example 1; auth=pass smtp.auth=u",
    };
    struct onward_authres_builder *b = NULL;
    struct onward_str value;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_authres_builder_new(w.ctx, S("a.example"), &b), 0);
    for (size_t i = 0; i < 2; i++) {
        struct onward_authres *a = NULL;

        assert_int_equal(
            onward_authres_parse(w.ctx, onward_str_of(fields[i]), NULL, &a), 0);
        for (size_t n = 0; n < onward_authres_count(a); n++)
            assert_int_equal(onward_authres_builder_copy(b, a, n, 0), 0);
        onward_authres_free(a);
    }
    assert_int_equal(onward_authres_builder_comment(b, S("joined")), 0);
    assert_int_equal(
        onward_authres_builder_result(b, S("arc"), S("none"), S("")), 0);
    assert_int_equal(onward_authres_builder_value(b, &value), 0);
    t_assert_str(value, "a.example;\r\n spf=pass (x);\r\n dkim=none;\r\n"
                        " auth=pass smtp.auth=u (joined);\r\n arc=none");
    onward_authres_builder_free(b);
    t_world_clear(&w);
}

static void assert_same(const struct onward_authres *a,
                        const struct onward_authres *b)
{
    struct onward_str p[3], q[3];

    assert_null(onward_authres_fault(b, NULL));
    assert_int_equal(onward_authres_count(a), onward_authres_count(b));
    for (size_t i = 0; i < onward_authres_count(a); i++) {
        assert_true(onward_str_equal(onward_authres_method(a, i),
                                     onward_authres_method(b, i)));
        assert_true(onward_str_equal(onward_authres_result(a, i),
                                     onward_authres_result(b, i)));
        assert_true(onward_str_equal(onward_authres_reason(a, i),
                                     onward_authres_reason(b, i)));
        assert_int_equal(onward_authres_method_version(a, i),
                         onward_authres_method_version(b, i));
        assert_int_equal(onward_authres_property_count(a, i),
                         onward_authres_property_count(b, i));
        for (size_t j = 0;
             onward_authres_property(a, i, j, &p[0], &p[1], &p[2]); j++) {
            assert_int_equal(
                onward_authres_property(b, i, j, &q[0], &q[1], &q[2]), 1);
            for (size_t k = 0; k < 3; k++)
                assert_true(onward_str_equal(p[k], q[k]));
        }
    }
}

/* Every sound field of the vectors, read, written, read. */
static void test_round_trip(void **state)
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
         t != NULL; t = t->next) {
        struct onward_authres *a = NULL, *back = NULL;
        struct onward_str value = onward_json__get(t, "input")->text;

        assert_int_equal(onward_authres_parse(w.ctx, value, NULL, &a), 0);
        assert_true(onward_str_equal(onward_authres_text(a), value));
        for (int keep = 0; keep < 2 && onward_authres_fault(a, NULL) == NULL;
             keep++) {
            struct onward_authres_builder *b = NULL;

            cases++;
            assert_int_equal(onward_authres_builder_new(
                                 w.ctx, onward_authres_authserv_id(a), &b),
                             0);
            for (size_t i = 0; i < onward_authres_count(a); i++)
                assert_int_equal(onward_authres_builder_copy(b, a, i, keep), 0);
            assert_int_equal(onward_authres_builder_value(b, &value), 0);
            assert_int_equal(onward_authres_parse(w.ctx, value, NULL, &back),
                             0);
            assert_same(a, back);
            onward_authres_free(back);
            onward_authres_builder_free(b);
        }
        onward_authres_free(a);
    }
    assert_true(cases > 50);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
    free(text);
}

static bool copy_all(struct t_world *w, void *arg)
{
    struct onward_authres_builder *b = NULL;
    struct onward_authres *a = NULL;
    struct onward_str value;
    int ret =
        onward_authres_parse(w->ctx, onward_str_of(rows[0].value), NULL, &a);

    (void)arg;
    if (ret == 0)
        ret = onward_authres_builder_new(w->ctx, S("b.example"), &b);
    for (int i = 0; ret == 0 && i < 40; i++)
        ret = onward_authres_builder_copy(b, a, 0, i % 2);
    if (ret == 0)
        ret = onward_authres_builder_value(b, &value);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    onward_authres_builder_free(b);
    onward_authres_free(a);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(copy_all, NULL);
}

/* ---- The registry ------------------------------------------------------ */

enum { NEW = ONWARD_AUTHRES_ACTIVE, OLD = ONWARD_AUTHRES_DEPRECATED, NOT = 0 };

static const struct known_row {
    const char *method, *result, *ptype, *property;
    int method_known, result_known, property_known;
} known_rows[] = {
    /* RFC 8601 section 2.7, RFC 6008. */
    {"dkim", "policy", "header", "b", NEW, NEW, NEW},
    {"DKIM", "Neutral", "Header", "D", NEW, NEW, NEW},
    {"dkim", "softfail", "smtp", "d", NEW, NOT, NOT},
    {"spf", "softfail", "smtp", "mailfrom", NEW, NEW, NEW},
    {"spf", "hardfail", "smtp", "helo", NEW, OLD, NEW},
    {"auth", "permerror", "smtp", "auth", NEW, NEW, NEW},
    {"auth", "neutral", "smtp", "helo", NEW, NOT, NOT},
    {"iprev", "fail", "policy", "iprev", NEW, NEW, NEW},
    {"iprev", "none", "policy", "ip", NEW, NOT, NOT},
    /* RFC 9989, RFC 8617 section 10. */
    {"dmarc", "permerror", "header", "from", NEW, NEW, NEW},
    {"dmarc", "policy", "policy", "dmarc", NEW, NOT, NEW},
    {"arc", "fail", "smtp", "remote-ip", NEW, NEW, NEW},
    {"arc", "temperror", "header", "oldest-pass", NEW, NOT, NEW},
    /* Others, and those of old. */
    {"dnswl", "pass", "dns", "zone", NEW, NEW, NEW},
    {"rrvs", "unknown", "smtp", "rcptto", NEW, NEW, NEW},
    {"dkim-atps", "pass", "header", "from", NEW, NEW, NEW},
    {"dkim-adsp", "discard", "header", "from", OLD, OLD, OLD},
    {"sender-id", "pass", "header", "resent-from", OLD, OLD, OLD},
    {"x-foo", "pass", "header", "d", NOT, NOT, NOT},
    {"", "", "", "", NOT, NOT, NOT},
    {"dkim", "none pass", "header", "d header.i", NEW, NOT, NOT},
    {"dkim", "", "header", "", NEW, NOT, NOT},
    {"dkim", "pass", "header", LONG100, NEW, NEW, NOT},
};

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(known_rows) / sizeof(known_rows[0]); i++) {
        const struct known_row *row = &known_rows[i];
        struct onward_str method = onward_str_of(row->method);

        assert_int_equal(onward_authres_known_method(method),
                         row->method_known);
        assert_int_equal(
            onward_authres_known_result(method, onward_str_of(row->result)),
            row->result_known);
        assert_int_equal(
            onward_authres_known_property(method, onward_str_of(row->ptype),
                                          onward_str_of(row->property)),
            row->property_known);
    }
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_known),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
