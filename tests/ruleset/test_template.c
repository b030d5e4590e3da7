/*
 * Templates of addresses: what comes out, and that what is put in stays where
 * it was put.
 */
#include "support/support.h"

#include "address/address_shared.h"
#include "ruleset/template_priv.h"

#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Meaning ----------------------------------------------------------- */

/* For mail to "me+shop"@eu.example.com, zone example.com, unless value says
 * what {1} is. */
static const struct row {
    const char *name;
    const char *text;
    struct onward_str value;
    int want_ret;
    const char *want;
} rows[] = {
    {"nothing put in", "a.b@example.net", S(""), 0, "a.b@example.net"},
    {"local", "{local}@example.net", S(""), 0, "me+shop@example.net"},
    {"user and tag", "{tag}.{user}@example.net", S(""), 0,
     "shop.me@example.net"},
    {"domain", "me@{domain}", S(""), 0, "me@eu.example.com"},
    {"sub", "me@{sub}.example.net", S(""), 0, "me@eu.example.net"},
    {"capture", "{1}@example.net", S("x"), 0, "x@example.net"},
    {"whole match", "{0}@example.net", S("x"), 0, "whole@example.net"},
    {"capture of nobody", "a{9}b@example.net", S("x"), 0, "ab@example.net"},
    {"braces", "{{{1}}}@example.net", S("x"), 0, "{x}@example.net"},
    {"literal stays", "me@[192.0.2.1]", S(""), 0, "me@[192.0.2.1]"},
    {"UTF-8", "{1}@example.net", S("\xc3\xa4"), 0, "\xc3\xa4@example.net"},

    /* What would break out of the local part is quoted inside of it. */
    {"@ in the local part", "{1}@example.net", S("root@evil.example,x"), 0,
     "\"root@evil.example,x\"@example.net"},
    {"bracket", "{1}@example.net", S("a>"), 0, "\"a>\"@example.net"},
    {"second address", "{1}@example.net", S("a@b.example> <c"), 0,
     "\"a@b.example> <c\"@example.net"},
    {"quotes", "{1}@example.net", S("\""), 0, "\"\\\"\"@example.net"},
    {"quote and backslash", "{1}@example.net", S("\"\\"), 0,
     "\"\\\"\\\\\"@example.net"},
    {"quoted text is text", "{1}@example.net", S("\"a b\""), 0,
     "\"\\\"a b\\\"\"@example.net"},
    {"dots", "{1}@example.net", S("a..b"), 0, "\"a..b\"@example.net"},
    {"dot at the end", "a.{1}@example.net", S(""), 0, "\"a.\"@example.net"},
    {"blank", "a{1}b@example.net", S(" "), 0, "\"a b\"@example.net"},
    /* What has no place in a local part at all. */
    {"CR", "{1}@example.net", S("a\r"), ONWARD_ESYNTAX, NULL},
    {"LF", "{1}@example.net", S("a\nRCPT TO:<b@example.org>"), ONWARD_ESYNTAX,
     NULL},
    {"NUL", "{1}@example.net", S("a\0b"), ONWARD_ESYNTAX, NULL},
    {"DEL", "{1}@example.net", S("a\x7f"), ONWARD_ESYNTAX, NULL},
    {"empty local part", "{1}@example.net", S(""), ONWARD_ESYNTAX, NULL},
    {"broken UTF-8", "{1}@example.net", S("\xc3"), ONWARD_ESYNTAX, NULL},
    {"right-to-left mark", "{1}@example.net",
     S("a\xe2\x80\xae"
       "b"),
     ONWARD_ESYNTAX, NULL},
    /* Domains have letters. */
    {"@ in the domain", "me@{1}.example.net", S("a@b"), ONWARD_ESYNTAX, NULL},
    {"literal in the domain", "me@{1}", S("[192.0.2.1]"), ONWARD_ESYNTAX, NULL},
    {"blank in the domain", "me@{1}", S("a b"), ONWARD_ESYNTAX, NULL},
    {"bracket in the domain", "me@{1}", S("a>"), ONWARD_ESYNTAX, NULL},
    {"LF in the domain", "me@{1}.example.net", S("a\n"), ONWARD_ESYNTAX, NULL},
    {"NUL in the domain", "me@{1}.example.net", S("a\0"), ONWARD_ESYNTAX, NULL},
    {"empty label", "me@{1}.example.net", S(""), ONWARD_ESYNTAX, NULL},
    {"comment", "me@{1}", S("a(b)"), ONWARD_ESYNTAX, NULL},
    {"label of 63", "me@{1}.example.net",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0,
     "me@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     ".example.net"},
    {"label of 64", "me@{1}.example.net",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     ONWARD_ESYNTAX, NULL},
    /* 64 octets, quotes included. */
    {"local part of 64", "a{1}@example.net",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "@example.net"},
    {"local part of 65", "ab{1}@example.net",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     ONWARD_ELIMIT, NULL},
    {"quotes make it too long", "{1}@example.net",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "),
     ONWARD_ELIMIT, NULL},
};

static void set_values(struct onward_str *values, struct onward_str capture)
{
    memset(values, 0, ONWARD_RULESET__VALUE_COUNT * sizeof(*values));
    values[ONWARD_RULESET__LOCAL] = ONWARD_STR("me+shop");
    values[ONWARD_RULESET__USER] = ONWARD_STR("me");
    values[ONWARD_RULESET__TAG] = ONWARD_STR("shop");
    values[ONWARD_RULESET__DOMAIN] = ONWARD_STR("eu.example.com");
    values[ONWARD_RULESET__SUB] = ONWARD_STR("eu");
    values[ONWARD_RULESET__CAPTURE] = ONWARD_STR("whole");
    values[ONWARD_RULESET__CAPTURE + 1] = capture;
}

static void compile(struct t_world *w, struct onward_buf *out, const char *text)
{
    struct onward_ruleset__template_fault fault;
    int err;

    onward_core__buf_init(out, w->ctx, ONWARD_RULESET__TEMPLATE_BYTES_MAX);
    err = onward_ruleset__template_compile(out, onward_str_of(text), &fault);
    if (err != 0)
        print_error("%zu: %s\n", fault.at, fault.what);
    assert_int_equal(err, 0);
    assert_int_equal(onward_ruleset__template_check(onward_core__buf_str(out)),
                     0);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT];
    struct onward_str text = {"untouched", 9};
    struct onward_arena arena;
    struct t_world w = {0};
    struct onward_buf out;

    t_world_init(&w);
    compile(&w, &out, row->text);
    set_values(values, row->value);
    onward_core__arena_init(&arena, w.ctx, 16384);
    assert_int_equal(onward_ruleset__template_expand(onward_core__buf_str(&out),
                                                     values, &arena, &text),
                     row->want_ret);
    t_assert_str(text, row->want_ret == 0 ? row->want : "untouched");
    onward_core__arena_clear(&arena);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* ---- Refusals ---------------------------------------------------------- */

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct fault_row {
    const char *text;
    int want;
    size_t at;
} fault_rows[] = {
    {"", ONWARD_ESYNTAX, 0},
    {"{local}", ONWARD_ESYNTAX, 7},
    {"{local}@", ONWARD_ESYNTAX, 0},
    {"@{domain}", ONWARD_ESYNTAX, 0},
    {"{local@example.net", ONWARD_ESYNTAX, 0},
    {"a{x}@example.net", ONWARD_ESYNTAX, 1},
    {"a{10}@example.net", ONWARD_ESYNTAX, 1},
    {"a{}@example.net", ONWARD_ESYNTAX, 1},
    {"a}@example.net", ONWARD_ESYNTAX, 1},
    {"a@b@example.net", ONWARD_ESYNTAX, 3},
    {"\"a b\"@example.net", ONWARD_ESYNTAX, 0},
    {"a b@example.net", ONWARD_ESYNTAX, 1},
    {"a,b@example.net", ONWARD_ESYNTAX, 1},
    {"a\r@example.net", ONWARD_ESYNTAX, 1},
    {"a@example net", ONWARD_ESYNTAX, 0},
    {"a@[{1}]", ONWARD_ESYNTAX, 0},
    {"a@{1}..example.net", ONWARD_ESYNTAX, 0},
    {"a" A64 "@example.net", ONWARD_ELIMIT, 0},
    {A64 A64 A64 A64 A64 A64 A64 A64 "x", ONWARD_ELIMIT, 512},
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_ruleset__template_fault fault = {.what = NULL};
    struct t_world w = {0};
    struct onward_buf out;

    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 4096);
    onward_core__buf_add_text(&out, "kept");
    assert_int_equal(onward_ruleset__template_compile(
                         &out, onward_str_of(row->text), &fault),
                     row->want);
    assert_non_null(fault.what);
    assert_int_equal(fault.at, row->at);
    t_assert_str(onward_core__buf_str(&out), "kept");
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static void test_what_it_needs(void **state)
{
    struct t_world w = {0};
    struct onward_buf out;

    (void)state;
    t_world_init(&w);
    compile(&w, &out, "{3}{1}@example.net");
    assert_int_equal(
        onward_ruleset__template_captures(onward_core__buf_str(&out)), 4);
    assert_true(onward_ruleset__is_template(ONWARD_STR("{user}@example.net")));
    assert_false(onward_ruleset__is_template(ONWARD_STR("user@example.net")));
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* ---- Hostile ones ------------------------------------------------------ */

/* Whatever a flipped bit makes of it, what comes out is one address. */
static void test_flipped(void **state)
{
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT];
    struct t_world w = {0};
    struct onward_buf out;
    size_t refused = 0;

    (void)state;
    t_world_init(&w);
    compile(&w, &out, "x-{1}.{tag}@{sub}.example.net");
    set_values(values, ONWARD_STR("a@\"b"));
    for (size_t i = 0; i < out.len * 8; i++) {
        struct onward_address__mailbox mailbox;
        struct onward_arena arena;
        struct onward_str text;
        unsigned char *copy = malloc(out.len);
        struct onward_str bytes = onward_core__str(copy, out.len);
        int ret;

        assert_non_null(copy);
        memcpy(copy, out.data, out.len);
        copy[i / 8] ^= (unsigned char)(1u << (i % 8));
        onward_core__arena_init(&arena, w.ctx, 16384);
        ret = onward_ruleset__template_expand(bytes, values, &arena, &text);
        if (ret == 0)
            assert_int_equal(
                onward_address__parse_mailbox(
                    &arena, text, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL),
                0);
        refused += ret != 0;
        bytes.len = i / 8;
        assert_int_equal(
            onward_ruleset__template_expand(bytes, values, &arena, &text),
            ONWARD_ELIMIT);
        assert_int_equal(onward_ruleset__template_check(bytes), ONWARD_ELIMIT);
        onward_core__arena_clear(&arena);
        free(copy);
    }
    assert_true(refused >= 48);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static bool make_one(struct t_world *w, void *arg)
{
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT], text;
    struct onward_ruleset__template_fault fault;
    struct onward_arena arena;
    struct onward_buf out;
    int err;

    (void)arg;
    set_values(values, ONWARD_STR("x"));
    onward_core__buf_init(&out, w->ctx, 4096);
    onward_core__arena_init(&arena, w->ctx, 16384);
    err = onward_ruleset__template_compile(&out, ONWARD_STR("{1}@example.net"),
                                           &fault);
    if (err == 0)
        err = onward_ruleset__template_expand(onward_core__buf_str(&out),
                                              values, &arena, &text);
    onward_core__arena_clear(&arena);
    onward_core__buf_clear(&out);
    return err == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_one, NULL);
}

int main(void)
{
    static struct CMUnitTest tests[COUNT(rows) + COUNT(fault_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_what_it_needs),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_no_memory),
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(fault_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = fault_rows[i].text,
                                .test_func = test_fault,
                                .initial_state = (void *)&fault_rows[i]};
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests_name("others", others, NULL, NULL);
}
