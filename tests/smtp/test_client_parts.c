/*
 * lib/smtp/client_content.c, client_ehlo.c and client_command.c: the parts of
 * the client that know no session.
 */
#include "support/support.h"

#include "core/json_shared.h"
#include "smtp/client_priv.h"

/* ---- Message octets ---------------------------------------------------- */

#define TEXT(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct content_row {
    const char *name;
    struct onward_str in;
    bool repair;
    int want_ret;
    struct onward_str want;
    uint64_t want_size;
    bool want_8bit;
} content_rows[] = {
    {"empty", TEXT(""), false, 0, TEXT(""), 0, false},
    {"plain", TEXT("a\r\nb\r\n"), false, 0, TEXT("a\r\nb\r\n"), 6, false},
    {"no CRLF at the end", TEXT("a"), false, 0, TEXT("a\r\n"), 3, false},
    {"dot first", TEXT(".a\r\n"), false, 0, TEXT("..a\r\n"), 4, false},
    {"dot alone", TEXT(".\r\n"), false, 0, TEXT("..\r\n"), 3, false},
    {"dot at the very end", TEXT("a\r\n."), false, 0, TEXT("a\r\n..\r\n"), 6,
     false},
    {"dots", TEXT("...\r\na.\r\n.\r\n"), false, 0, TEXT("....\r\na.\r\n..\r\n"),
     12, false},
    {"empty lines", TEXT("\r\n\r\n.\r\n"), false, 0, TEXT("\r\n\r\n..\r\n"), 7,
     false},
    {"8-bit and NUL", TEXT("\xff\0\r\n"), false, 0, TEXT("\xff\0\r\n"), 4,
     true},
    {"bare LF", TEXT("a\nb\r\n"), false, ONWARD_ESYNTAX, TEXT(""), 0, false},
    {"bare LF first", TEXT("\n"), false, ONWARD_ESYNTAX, TEXT(""), 0, false},
    {"bare CR", TEXT("a\rb\r\n"), false, ONWARD_ESYNTAX, TEXT(""), 0, false},
    {"bare CR last", TEXT("a\r\n\r"), false, ONWARD_ESYNTAX, TEXT(""), 0,
     false},
    {"CR CR LF", TEXT("a\r\r\n"), false, ONWARD_ESYNTAX, TEXT(""), 0, false},
    {"LF CR LF", TEXT("a\n\r\n"), false, ONWARD_ESYNTAX, TEXT(""), 0, false},
    {"bare LF repaired", TEXT("a\nb\r\n"), true, 0, TEXT("a\r\nb\r\n"), 6,
     false},
    {"bare CR repaired", TEXT("a\rb"), true, 0, TEXT("a\r\nb\r\n"), 6, false},
    {"CR CR LF repaired", TEXT("a\r\r\n"), true, 0, TEXT("a\r\n\r\n"), 5,
     false},
    {"bare CR at the end repaired", TEXT("a\r"), true, 0, TEXT("a\r\n"), 3,
     false},
    /* What a repair makes into a lone dot must not end the message. */
    {"LF dot LF repaired", TEXT("a\n.\nMAIL"), true, 0,
     TEXT("a\r\n..\r\nMAIL\r\n"), 12, false},
    {"CR dot CR repaired", TEXT("a\r.\rb"), true, 0, TEXT("a\r\n..\r\nb\r\n"),
     9, false},
    {"CRLF dot CR repaired", TEXT("a\r\n.\rb"), true, 0,
     TEXT("a\r\n..\r\nb\r\n"), 9, false},
};

struct content_run {
    const struct content_row *row;
    struct t_world world;
    struct onward_smtp__content content;
    struct onward_buf out;
    int ret;
};

static void content_begin(void *arg)
{
    struct content_run *run = arg;

    t_world_init(&run->world);
    onward_core__buf_init(&run->out, run->world.ctx, 4096);
    onward_smtp__content_init(&run->content, run->row->repair);
    run->ret = 0;
}

static void content_feed(void *arg, const void *data, size_t len)
{
    struct content_run *run = arg;

    if (run->ret == 0)
        run->ret =
            onward_smtp__content_feed(&run->content, data, len, &run->out);
}

static void content_end(void *arg)
{
    struct content_run *run = arg;
    const struct content_row *row = run->row;

    if (run->ret == 0)
        run->ret = onward_smtp__content_finish(&run->content, &run->out);
    assert_int_equal(run->ret, row->want_ret);
    if (run->ret == 0) {
        t_assert_str_n(onward_core__buf_str(&run->out), row->want.data,
                       row->want.len);
        assert_true(run->content.size == row->want_size);
        assert_true(run->content.has_8bit == row->want_8bit);
    }
    onward_core__buf_clear(&run->out);
    t_world_clear(&run->world);
}

static void test_content(void **state)
{
    static const struct t_cut cut = {content_begin, content_feed, content_end};
    struct content_run run = {.row = *state};

    t_cut_everywhere(&cut, &run, run.row->in.data, run.row->in.len);
}

/* Counting alone gives what writing gives. */
static void test_content_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(content_rows) / sizeof(content_rows[0]);
         i++) {
        const struct content_row *row = &content_rows[i];
        struct onward_smtp__content c;
        int ret;

        onward_smtp__content_init(&c, row->repair);
        ret = onward_smtp__content_feed(&c, row->in.data, row->in.len, NULL);
        if (ret == 0)
            ret = onward_smtp__content_finish(&c, NULL);
        assert_int_equal(ret, row->want_ret);
        if (ret == 0)
            assert_true(c.size == row->want_size);
    }
}

/* ---- EHLO -------------------------------------------------------------- */

/* The reply to EHLO as it came, read by the parser and taken. */
static void take(struct t_world *w, struct onward_smtp__offers *offers,
                 struct onward_str stream)
{
    struct onward_smtp__reply_parser parser;
    struct onward_smtp_reply reply;
    size_t taken;

    onward_smtp__reply_parser_init(&parser, w->ctx, 0, 0);
    onward_smtp__offers_init(offers, w->ctx, 16384);
    assert_int_equal(onward_smtp__reply_parser_take(&parser, stream.data,
                                                    stream.len, &taken),
                     1);
    onward_smtp__reply_parser_get(&parser, &reply);
    assert_int_equal(onward_smtp__offers_take(offers, reply.text), 0);
    onward_smtp__reply_parser_clear(&parser);
}

static void test_ehlo(void **state)
{
    struct t_world w;
    struct onward_smtp__offers offers;
    struct onward_str params = {"untouched", 9};

    (void)state;
    t_world_init(&w);
    take(&w, &offers,
         ONWARD_STR("250-mx STARTTLS\r\n250-siZe  42 \r\n250-X-MINE a b\r\n"
                    "250-DSNX\r\n250--DSN\r\n250-\r\n250 8bitmime\r\n"));
    assert_true(offers.set ==
                (ONWARD_SMTP_EXT_SIZE | ONWARD_SMTP_EXT_8BITMIME));
    assert_true(offers.max_size == 42);
    assert_true(
        onward_smtp__offers_find(&offers, ONWARD_STR("x-mine"), &params));
    t_assert_str(params, "a b");
    assert_false(
        onward_smtp__offers_find(&offers, ONWARD_STR("STARTTLS"), &params));
    assert_false(onward_smtp__offers_find(&offers, ONWARD_STR(""), &params));
    t_assert_str(params, "a b");
    onward_smtp__offers_forget(&offers);
    assert_true(offers.set == 0 && offers.max_size == 0);
    assert_false(
        onward_smtp__offers_find(&offers, ONWARD_STR("SIZE"), &params));
    t_world_clear(&w);
}

static void test_ehlo_size(void **state)
{
    static const struct {
        const char *line;
        uint64_t want;
    } rows[] = {{"250 SIZE\r\n", 0},
                {"250 SIZE 0\r\n", 0},
                {"250 SIZE x\r\n", 0},
                {"250 SIZE -1\r\n", 0},
                {"250 SIZE 18446744073709551615\r\n", UINT64_MAX},
                {"250 SIZE 18446744073709551616\r\n", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_world w;
        struct onward_smtp__offers offers;
        char stream[100];

        t_world_init(&w);
        snprintf(stream, sizeof(stream), "250-mx\r\n%s", rows[i].line);
        take(&w, &offers, onward_str_of(stream));
        assert_true(offers.set == ONWARD_SMTP_EXT_SIZE);
        assert_true(offers.max_size == rows[i].want);
        onward_smtp__offers_forget(&offers);
        t_world_clear(&w);
    }
}

/* Parameters are told as one text; the data has them word by word. */
static void check_params(struct onward_str params,
                         const struct onward_json *words)
{
    char want[256] = "";

    for (const struct onward_json *v = words->first; v != NULL; v = v->next) {
        size_t len = strlen(want);

        snprintf(want + len, sizeof(want) - len, "%s%.*s", len == 0 ? "" : " ",
                 (int)v->text.len, v->text.data);
    }
    t_assert_str(params, want);
}

static void check_ehlo_case(struct t_world *w, const struct onward_json *test)
{
    struct onward_json *want = onward_json__get(test, "extensions");
    struct onward_smtp__offers offers;
    struct onward_str params;
    uint64_t set = 0;

    take(w, &offers, onward_json__get(test, "reply")->text);
    for (struct onward_json *v = want->first; v != NULL; v = v->next) {
        set |= onward_smtp__extension_of(v->key);
        assert_true(onward_smtp__offers_find(&offers, v->key, &params));
        check_params(params, v);
    }
    assert_true(offers.set == set);
    onward_smtp__offers_forget(&offers);
}

static void test_ehlo_conformance(void **state)
{
    const char *path = t_conformance("smtp/wire.json");
    struct onward_json_fault fault;
    struct onward_arena arena;
    struct onward_json *root, *tests;
    struct t_world w;
    size_t len, count = 0;
    char *text;

    (void)state;
    if (path == NULL)
        skip();
    text = t_read_file(path, &len);
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, SIZE_MAX);
    assert_int_equal(onward_json__parse(&arena, onward_core__str(text, len), 16,
                                        &root, &fault),
                     0);
    tests = onward_json__get(root, "ehlo_tests");
    for (struct onward_json *v = tests->first; v != NULL; v = v->next) {
        check_ehlo_case(&w, v);
        count++;
    }
    assert_int_equal(count, 7);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
    free(text);
}

/* ---- Names and paths --------------------------------------------------- */

static void test_helo_name(void **state)
{
    static const struct {
        struct onward_str name;
        bool want;
    } rows[] = {{TEXT("mx.example"), true},
                {TEXT("localhost"), true},
                {TEXT("[192.0.2.1]"), true},
                {TEXT("[IPv6:2001:db8::1]"), true},
                {TEXT("[2001:db8::1]"), false},
                {TEXT("[IPv6:192.0.2.1]"), false},
                {TEXT("192.0.2.1]"), false},
                {TEXT("["), false},
                {TEXT(""), false},
                {TEXT("mx.example."), false},
                {TEXT("a b"), false},
                {TEXT("mx.example\r\nMAIL FROM:<>"), false},
                {TEXT("mx\0.example"), false},
                {TEXT("m\xc3\xbc.example"), false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(onward_smtp__is_helo_name(rows[i].name) == rows[i].want);
}

int main(void)
{
    enum { ROWS = sizeof(content_rows) / sizeof(content_rows[0]) };
    struct CMUnitTest tests[ROWS + 5] = {
        [ROWS] = cmocka_unit_test(test_content_counts),
        [ROWS + 1] = cmocka_unit_test(test_ehlo),
        [ROWS + 2] = cmocka_unit_test(test_ehlo_size),
        [ROWS + 3] = cmocka_unit_test(test_ehlo_conformance),
        [ROWS + 4] = cmocka_unit_test(test_helo_name),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = content_rows[i].name,
                                       .test_func = test_content,
                                       .initial_state =
                                           (void *)(uintptr_t)&content_rows[i]};
    return cmocka_run_group_tests_name("smtp client parts", tests, NULL, NULL);
}
