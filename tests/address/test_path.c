#include "support/support.h"

#include "address/address_shared.h"
#include "core/json_shared.h"

#define L60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
#define L63 L60 "123"

enum {
    REVERSE = ONWARD_ADDRESS_REVERSE_PATH,
    FORWARD = ONWARD_ADDRESS_FORWARD_PATH,
    UTF8 = ONWARD_ADDRESS_ALLOW_UTF8
};

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct path_row {
    const char *name;
    struct onward_str in;
    unsigned flags;
    const char *written; /* NULL: refused */
    const char *local_part, *domain_ascii;
    size_t taken;
} path_rows[] = {
    {"usual", T("<a@Example.com>"), REVERSE, "a@Example.com", "a",
     "example.com", 15},
    {"parameters follow", T("<a@example.com> SIZE=1"), REVERSE, "a@example.com",
     "a", "example.com", 15},
    {"null", T("<>"), REVERSE, "", "", "", 2},
    {"postmaster", T("<pOstmaster>"), FORWARD, "pOstmaster", "pOstmaster", "",
     12},
    {"source route", T("<@relay.example,@b.example:c@example.org>"), FORWARD,
     "c@example.org", "c", "example.org", 41},
    {"route through a literal", T("<@[192.0.2.1]:c@example.org>"), FORWARD,
     "c@example.org", "c", "example.org", 28},
    {"quoted blank", T("<\"a b\"@example.com>"), REVERSE, "\"a b\"@example.com",
     "a b", "example.com", 19},
    {"quoted @ and >", T("<\"a@b>,\"@example.com> X"), REVERSE,
     "\"a@b>,\"@example.com", "a@b>,", "example.com", 21},
    {"quoted without need", T("<\"a.\\b\"@example.com>"), REVERSE,
     "a.b@example.com", "a.b", "example.com", 20},
    {"quoted quote", T("<\"a\\\"\\\\\"@example.com>"), REVERSE,
     "\"a\\\"\\\\\"@example.com", "a\"\\", "example.com", 21},
    {"quoted dots", T("<\"a..b\"@example.com>"), REVERSE,
     "\"a..b\"@example.com", "a..b", "example.com", 20},
    {"empty quotes", T("<\"\"@example.com>"), REVERSE, "\"\"@example.com", "",
     "example.com", 16},
    {"quoted postmaster with a domain", T("<\"postmaster\"@example.com>"),
     FORWARD, "postmaster@example.com", "postmaster", "example.com", 26},
    {"IPv4 literal", T("<a@[192.0.2.1]>"), REVERSE, "a@[192.0.2.1]", "a", "",
     15},
    {"IPv6 literal", T("<a@[ipv6:2001:db8::1]>"), REVERSE,
     "a@[ipv6:2001:db8::1]", "a", "", 22},
    {"UTF-8",
     T("<j\xc3\xb8ran@B\xc3\xbc"
       "cher.example>"),
     REVERSE | UTF8,
     "j\xc3\xb8ran@B\xc3\xbc"
     "cher.example",
     "j\xc3\xb8ran", "xn--bcher-kva.example", 24},
    {"A-label", T("<a@XN--BCHER-KVA.example>"), REVERSE,
     "a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example", 25},
    {"local part of 64", T("<" L63 "4@example.com>"), REVERSE,
     L63 "4@example.com", L63 "4", "example.com", 78},

    {"empty", T(""), REVERSE, NULL, NULL, NULL, 0},
    {"null as recipient", T("<>"), FORWARD, NULL, NULL, NULL, 1},
    {"postmaster as sender", T("<postmaster>"), REVERSE, NULL, NULL, NULL, 11},
    {"other bare word", T("<root>"), FORWARD, NULL, NULL, NULL, 5},
    {"no brackets", T("a@example.com"), REVERSE, NULL, NULL, NULL, 0},
    {"blank first", T(" <a@example.com>"), REVERSE, NULL, NULL, NULL, 0},
    {"no end", T("<a@example.com"), REVERSE, NULL, NULL, NULL, 14},
    {"text behind", T("<a@example.com>x"), REVERSE, NULL, NULL, NULL, 15},
    {"tab behind", T("<a@example.com>\tSIZE=5"), REVERSE, NULL, NULL, NULL, 15},
    {"two @", T("<a@b@example.com>"), REVERSE, NULL, NULL, NULL, 4},
    {"no domain", T("<a@>"), REVERSE, NULL, NULL, NULL, 3},
    {"no local part", T("<@example.com>"), REVERSE, NULL, NULL, NULL, 13},
    {"route without a mailbox", T("<@example.com:>"), REVERSE, NULL, NULL, NULL,
     14},
    {"route with a bad hop", T("<@-:a@example.com>"), REVERSE, NULL, NULL, NULL,
     2},
    {"comment", T("<a(x)@example.com>"), REVERSE, NULL, NULL, NULL, 2},
    {"blank", T("<a b@example.com>"), REVERSE, NULL, NULL, NULL, 2},
    {"stray quote", T("<a\"b\"@example.com>"), REVERSE, NULL, NULL, NULL, 2},
    {"quoted then plain", T("<\"a\"b@example.com>"), REVERSE, NULL, NULL, NULL,
     4},
    {"open quote", T("<\"a@example.com>"), REVERSE, NULL, NULL, NULL, 16},
    {"quote that ends in a backslash", T("<\"a\\"), REVERSE, NULL, NULL, NULL,
     4},
    {"first dot", T("<.a@example.com>"), REVERSE, NULL, NULL, NULL, 1},
    {"last dot", T("<a.@example.com>"), REVERSE, NULL, NULL, NULL, 3},
    {"two dots", T("<a..b@example.com>"), REVERSE, NULL, NULL, NULL, 3},
    {"control", T("<a\x01@example.com>"), REVERSE, NULL, NULL, NULL, 2},
    {"NUL", T("<a\0@example.com>"), REVERSE, NULL, NULL, NULL, 2},
    {"quoted NUL", T("<\"a\\\0\"@example.com>"), REVERSE, NULL, NULL, NULL, 4},
    {"quoted CR", T("<\"a\r\"@example.com>"), REVERSE, NULL, NULL, NULL, 3},
    {"quoted tab", T("<\"a\t\"@example.com>"), REVERSE, NULL, NULL, NULL, 3},
    {"domain ends in a dot", T("<a@example.com.>"), REVERSE, NULL, NULL, NULL,
     1},
    {"underscore in the domain", T("<a@ex_ample.com>"), REVERSE, NULL, NULL,
     NULL, 5},
    {"hyphen at an end", T("<a@example-.com>"), REVERSE, NULL, NULL, NULL, 1},
    {"label of 64", T("<a@" L63 "4.com>"), REVERSE, NULL, NULL, NULL, 1},
    {"A-label of ASCII", T("<a@xn--abc-.com>"), REVERSE, NULL, NULL, NULL, 1},
    {"literal of another kind", T("<a@[x:y]>"), REVERSE, NULL, NULL, NULL, 1},
    {"IPv6 without its tag", T("<a@[::1]>"), REVERSE, NULL, NULL, NULL, 1},
    {"IPv4 with the IPv6 tag", T("<a@[IPv6:1.2.3.4]>"), REVERSE, NULL, NULL,
     NULL, 1},
    {"open literal", T("<a@[1.2.3.4>"), REVERSE, NULL, NULL, NULL, 12},
    {"text behind a literal", T("<a@[1.2.3.4]b>"), REVERSE, NULL, NULL, NULL,
     12},
    {"zero-width space", T("<a\xe2\x80\x8b@example.com>"), REVERSE | UTF8, NULL,
     NULL, NULL, 1},
    {"bidi override",
     T("<a@\xe2\x80\xae"
       "example.com>"),
     REVERSE | UTF8, NULL, NULL, NULL, 1},
    {"byte order mark",
     T("<\xef\xbb\xbf"
       "a@example.com>"),
     REVERSE | UTF8, NULL, NULL, NULL, 1},
    {"C1 control", T("<a\xc2\x85@example.com>"), REVERSE | UTF8, NULL, NULL,
     NULL, 1},
    {"overlong UTF-8", T("<a\xc1\x80@example.com>"), REVERSE | UTF8, NULL, NULL,
     NULL, 1},
    {"Latin-1", T("<j\xf8ran@example.com>"), REVERSE | UTF8, NULL, NULL, NULL,
     1},
    {"UTF-8 not allowed", T("<j\xc3\xb8ran@example.com>"), REVERSE, NULL, NULL,
     NULL, 1},
    {"UTF-8 in a route, not allowed",
     T("<@b\xc3\xbc"
       "cher.example:a@example.com>"),
     REVERSE, NULL, NULL, NULL, 2},
};

static void test_path(void **state)
{
    const struct path_row *row = *state;
    struct onward_address__mailbox got = {0};
    struct onward_address__fault fault = {0};
    struct onward_arena arena;
    struct onward_buf out;
    struct t_world w;
    size_t taken = 4711;
    int ret;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    onward_core__buf_init(&out, w.ctx, 1000);
    ret = onward_address__parse_path(&arena, row->in, row->flags, &got, &taken,
                                     &fault);
    if (row->written == NULL) {
        assert_true(ret == ONWARD_ESYNTAX);
        assert_int_equal(taken, 4711);
        assert_int_not_equal(fault.kind, ONWARD_ADDRESS_FAULT_NONE);
        assert_int_equal(fault.at, row->taken);
        assert_non_null(fault.what);
    } else {
        assert_int_equal(ret, 0);
        assert_int_equal(taken, row->taken);
        assert_int_equal(
            onward_address__write(&out, &got, ONWARD_ADDRESS_AS_WRITTEN), 0);
        t_assert_str(onward_core__buf_str(&out), row->written);
        t_assert_str(got.local_part, row->local_part);
        t_assert_str(got.domain_ascii, row->domain_ascii);
        assert_true(got.is_null == (row->written[0] == '\0'));
    }
    onward_core__buf_clear(&out);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static const struct fault_row {
    const char *name;
    const char *in;
    enum onward_address__fault_kind want;
} fault_rows[] = {
    {"syntax", "<a b@example.com>", ONWARD_ADDRESS_FAULT_SYNTAX},
    {"local part too long", "<" L63 "45@example.com>",
     ONWARD_ADDRESS_FAULT_LENGTH},
    {"domain too long", "<a@" L63 "." L63 "." L63 "." L63 ".example>",
     ONWARD_ADDRESS_FAULT_LENGTH},
    {"path too long", "<" L60 "@" L63 "." L63 "." L63 ".abc>",
     ONWARD_ADDRESS_FAULT_LENGTH},
    {"needs SMTPUTF8", "<\xc3\xb8@example.com>", ONWARD_ADDRESS_FAULT_UTF8},
    {"word joiner", "<a\xe2\x81\xa0@example.com>",
     ONWARD_ADDRESS_FAULT_FORBIDDEN},
    {"no host name", "<a@b..c>", ONWARD_ADDRESS_FAULT_DOMAIN},
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_address__fault fault = {0};
    struct onward_address__mailbox got;
    struct onward_arena arena;
    struct t_world w;
    size_t taken;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    assert_int_equal(onward_address__parse_path(&arena, onward_str_of(row->in),
                                                REVERSE, &got, &taken, &fault),
                     row->want == ONWARD_ADDRESS_FAULT_LENGTH ? ONWARD_ELIMIT
                                                              : ONWARD_ESYNTAX);
    assert_int_equal(fault.kind, row->want);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static const struct equal_row {
    const char *a, *b;
    bool exact, folded;
} equal_rows[] = {
    {"<a@example.com>", "<a@EXAMPLE.com>", true, true},
    {"<a@example.com>", "<A@example.com>", false, true},
    {"<\"a\"@example.com>", "<a@example.com>", true, true},
    {"<a@b\xc3\xbc"
     "cher.example>",
     "<a@xn--bcher-kva.example>", true, true},
    {"<a@[IPv6:2001:db8:0::1]>", "<a@[IPv6:2001:DB8::1]>", true, true},
    {"<a@[192.0.2.1]>", "<a@[192.0.2.2]>", false, false},
    {"<a@example.com>", "<a@example.org>", false, false},
    {"<Postmaster>", "<postmaster>", true, true},
    {"<postmaster>", "<postmaster@example.com>", false, false},
    {"<>", "<>", true, true},
    {"<>", "<\"\"@example.com>", false, false},
};

static void test_equal(void **state)
{
    struct onward_arena arena;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 100000);
    for (size_t i = 0; i < sizeof(equal_rows) / sizeof(equal_rows[0]); i++) {
        const struct equal_row *row = &equal_rows[i];
        struct onward_address__mailbox a, b;
        size_t taken;

        assert_int_equal(onward_address__parse_path(
                             &arena, onward_str_of(row->a),
                             REVERSE | FORWARD | UTF8, &a, &taken, NULL),
                         0);
        assert_int_equal(onward_address__parse_path(
                             &arena, onward_str_of(row->b),
                             REVERSE | FORWARD | UTF8, &b, &taken, NULL),
                         0);
        assert_int_equal(onward_address__equal(&a, &b, false), row->exact);
        assert_int_equal(onward_address__equal(&b, &a, true), row->folded);
    }
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

/* Every start of a path is refused, in a block of its own size. */
static void test_every_start_is_refused(void **state)
{
    static const char text[] = "<@r.example:\"a\\\"\"@[IPv6:2001:db8::1]>";
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *block = malloc(len + (len == 0));
        struct onward_address__mailbox got;
        struct onward_arena arena;
        size_t taken;

        memcpy(block, text, len);
        onward_core__arena_init(&arena, w.ctx, 10000);
        assert_int_equal(
            onward_address__parse_path(&arena, onward_core__str(block, len),
                                       REVERSE, &got, &taken, NULL),
            ONWARD_ESYNTAX);
        onward_core__arena_clear(&arena);
        free(block);
    }
    t_world_clear(&w);
}

static bool parse_once(struct t_world *w, void *arg)
{
    struct onward_address__mailbox got;
    struct onward_arena arena;
    size_t taken;
    int ret;

    (void)arg;
    onward_core__arena_init(&arena, w->ctx, 10000);
    ret = onward_address__parse_path(&arena,
                                     ONWARD_STR("<@r.example:\"a b\"@b\xc3\xbc"
                                                "cher.example>"),
                                     REVERSE | UTF8, &got, &taken, NULL);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    onward_core__arena_clear(&arena);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(parse_once, NULL);
}

/* MAIL and RCPT lines of the conformance data. What belongs to the command and
 * not to the path is left out. */
static void run_command_case(struct t_world *w, const struct onward_json *t)
{
    static const struct onward_str mail = {"MAIL FROM:", 10};
    static const struct onward_str rcpt = {"RCPT TO:", 8};
    struct onward_str line = onward_json__get(t, "line")->text;
    bool is_mail = onward_core__str_istarts(line, mail);
    const struct onward_json *path = onward_json__get(t, "path");
    struct onward_address__mailbox got;
    struct onward_arena arena;
    struct onward_str in;
    size_t taken = 0;
    unsigned flags;
    int ret;

    if (!is_mail && !onward_core__str_istarts(line, rcpt))
        return;
    in = onward_core__sub(line, is_mail ? mail.len : rcpt.len, line.len);
    flags = is_mail ? REVERSE : FORWARD;
    if (onward_core__str_iends(line, ONWARD_STR(" SMTPUTF8")))
        flags |= UTF8;
    onward_core__arena_init(&arena, w->ctx, 10000);
    ret = onward_address__parse_path(&arena, in, flags, &got, &taken, NULL);
    if (path == NULL) {
        if (ret == 0) /* bad parameters */
            assert_true(taken < in.len);
    } else {
        assert_int_equal(ret, 0);
        /* the path without brackets and source route */
        t_assert_str_n(
            onward_core__sub(in, taken - 1 - path->text.len, taken - 1),
            path->text.data, path->text.len);
    }
    onward_core__arena_clear(&arena);
}

static void test_conformance_commands(void **state)
{
    const char *path = t_conformance("smtp/wire.json");
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
             onward_json__get(root, "command_tests")->first;
         t != NULL; t = t->next, cases++)
        run_command_case(&w, t);
    assert_int_equal(cases, 37);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
    free(text);
}

int main(void)
{
    enum {
        PATHS = sizeof(path_rows) / sizeof(path_rows[0]),
        FAULTS = sizeof(fault_rows) / sizeof(fault_rows[0])
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_every_start_is_refused),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_conformance_commands),
    };
    struct CMUnitTest tests[PATHS + FAULTS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < PATHS; i++)
        tests[i] = (struct CMUnitTest){.name = path_rows[i].name,
                                       .test_func = test_path,
                                       .initial_state = (void *)&path_rows[i]};
    for (size_t i = 0; i < FAULTS; i++)
        tests[PATHS + i] =
            (struct CMUnitTest){.name = fault_rows[i].name,
                                .test_func = test_fault,
                                .initial_state = (void *)&fault_rows[i]};
    memcpy(tests + PATHS + FAULTS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
