/* lib/smtp/reply.c and reply_parser.c: replies written, and read at any cut. */
#include "support/support.h"

#include "smtp/smtp_shared.h"

static const struct write_row {
    const char *name;
    size_t code;
    const char *enhanced;
    struct onward_str text;
    unsigned flags;
    const char *want;
} write_rows[] = {
    {"one line", 250, "2.1.0", {"ok", 2}, 0, "250 2.1.0 ok\r\n"},
    {"no enhanced code for 3yz", 354, "", {"go", 2}, 0, "354 go\r\n"},
    {"class and .0.0 when none is given",
     451,
     "",
     {"no", 2},
     0,
     "451 4.0.0 no\r\n"},
    {"stock text", 250, "", {NULL, 0}, 0, "250 2.0.0 OK\r\n"},
    {"without enhanced codes",
     550,
     "5.7.1",
     {"no", 2},
     ONWARD_SMTP__REPLY_PLAIN,
     "550 no\r\n"},
    {"two lines",
     550,
     "5.7.1",
     {"a\nb", 3},
     0,
     "550-5.7.1 a\r\n550 5.7.1 b\r\n"},
    {"CRLF is one line end",
     550,
     "5.7.1",
     {"a\r\nb\r\n", 6},
     0,
     "550-5.7.1 a\r\n550 5.7.1 b\r\n"},
    {"an empty line stays",
     550,
     "",
     {"a\n\nb", 4},
     ONWARD_SMTP__REPLY_PLAIN,
     "550-a\r\n550-\r\n550 b\r\n"},
    {"controls are escaped",
     550,
     "",
     {"a\rb\0c\x1b[0m\x7f", 10},
     ONWARD_SMTP__REPLY_PLAIN,
     "550 a\\x0db\\x00c\\x1b[0m\\x7f\r\n"},
    {"a tab may stand",
     550,
     "",
     {"a\tb", 3},
     ONWARD_SMTP__REPLY_PLAIN,
     "550 a\tb\r\n"},
    {"8-bit without SMTPUTF8",
     550,
     "",
     {"gr\xc3\xbc\xc3\x9f", 6},
     ONWARD_SMTP__REPLY_PLAIN,
     "550 gr\\xc3\\xbc\\xc3\\x9f\r\n"},
    {"UTF-8 with SMTPUTF8",
     550,
     "",
     {"gr\xc3\xbc\xc3\x9f", 6},
     ONWARD_SMTP__REPLY_PLAIN | ONWARD_SMTP__REPLY_UTF8,
     "550 gr\xc3\xbc\xc3\x9f\r\n"},
    {"a C1 control is a control",
     550,
     "",
     {"a\xc2\x85"
      "b",
      4},
     ONWARD_SMTP__REPLY_PLAIN | ONWARD_SMTP__REPLY_UTF8,
     "550 a\\xc2\\x85b\r\n"},
    {"not UTF-8",
     550,
     "",
     {"a\xc3", 2},
     ONWARD_SMTP__REPLY_PLAIN | ONWARD_SMTP__REPLY_UTF8,
     "550 a\\xc3\r\n"},
};

static void test_write(void **state)
{
    const struct write_row *row = *state;
    struct onward_smtp_reply reply = {.size = sizeof(reply),
                                      .code = row->code,
                                      .enhanced = onward_str_of(row->enhanced),
                                      .text = row->text};
    struct t_world w;
    struct onward_buf out;

    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 8192);
    assert_int_equal(onward_smtp__reply_write(&out, &reply, row->flags), 0);
    t_assert_str(onward_core__buf_str(&out), row->want);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets. */
static void test_long_text_is_folded(void **state)
{
    static char text[6000];
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 550};
    struct t_world w;
    struct onward_buf out;
    struct onward_str rest;
    size_t lines = 0, octets = 0;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[507] = '\x1b'; /* an escape is not torn apart */
    reply.text = onward_core__str(text, sizeof(text));
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 100000);
    assert_int_equal(
        onward_smtp__reply_write(&out, &reply, ONWARD_SMTP__REPLY_PLAIN), 0);
    rest = onward_core__buf_str(&out);
    while (rest.len > 0) {
        size_t end = onward_core__str_find(rest, '\n');

        assert_true(end < rest.len && end + 1 <= 512);
        assert_int_equal(rest.data[end - 1], '\r');
        assert_int_equal(rest.data[3], end + 1 == rest.len ? ' ' : '-');
        octets += end - 5;
        rest = onward_core__sub(rest, end + 1, rest.len);
        lines++;
    }
    assert_int_equal(octets, 4096 + 3);
    assert_int_equal(lines, 9);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static void test_load_checks(void **state)
{
    static const struct {
        size_t code;
        const char *enhanced;
        int want;
    } rows[] = {
        {199, "", ONWARD_EINVAL},
        {600, "", ONWARD_EINVAL},
        {200, "", 0},
        {599, "", 0},
        {250, "2.1.5", 0},
        {250, "4.1.5", ONWARD_EINVAL},
        {354, "3.0.0", ONWARD_EINVAL},
        {550, "5.7.999", 0},
        {550, "5.7.1000", ONWARD_EINVAL},
        {550, "5.07.1", ONWARD_EINVAL},
        {550, "5.7", ONWARD_EINVAL},
        {550, "5.7.1 ", ONWARD_EINVAL},
        {550, "5..1", ONWARD_EINVAL},
        {550, "5.7.", ONWARD_EINVAL},
    };
    struct onward_smtp_reply out;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_smtp_reply in = {.size = sizeof(in),
                                       .code = rows[i].code,
                                       .enhanced =
                                           onward_str_of(rows[i].enhanced)};

        assert_int_equal(onward_smtp__reply_load(&out, &in), rows[i].want);
    }
}

static const struct read_row {
    const char *name;
    const char *stream;
    int want;
    size_t code;
    const char *enhanced;
    const char *text;
    const char *rest;
} read_rows[] = {
    {"one", "250 OK\r\n", 1, 250, "", "OK", ""},
    {"enhanced", "250 2.1.0 Sender ok\r\n", 1, 250, "2.1.0", "Sender ok", ""},
    {"several lines", "250-first\r\n250-second\r\n250 last\r\n", 1, 250, "",
     "first\nsecond\nlast", ""},
    {"enhanced on each", "550-5.7.1 a\r\n550 5.7.1 b\r\n", 1, 550, "5.7.1",
     "a\nb", ""},
    {"enhanced alone", "550 5.7.1\r\n", 1, 550, "5.7.1", "", ""},
    {"enhanced on the first only", "550-5.7.1 a\r\n550 b\r\n", 1, 550, "5.7.1",
     "a\nb", ""},
    {"no text", "354\r\n", 1, 354, "", "", ""},
    {"no text but a space", "354 \r\n", 1, 354, "", "", ""},
    {"class of another code", "250 5.1.1 x\r\n", 1, 250, "", "5.1.1 x", ""},
    {"LF alone", "250 OK\n", 1, 250, "", "OK", ""},
    {"two replies", "250 a\r\n250 b\r\n", 1, 250, "", "a", "250 b\r\n"},
    {"empty line", "250-\r\n250 \r\n", 1, 250, "", "\n", ""},
    {"incomplete", "250-a\r\n", 0, 0, NULL, NULL, ""},
    {"incomplete line", "250 a", 0, 0, NULL, NULL, ""},
    {"codes differ", "250-a\r\n251 b\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"no code", "abc\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"two digits", "25 OK\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"first digit 6", "600 x\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"first digit 1", "150 x\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"no separator", "250OK\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"empty", "\r\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
    {"just LF", "\n", ONWARD_ESYNTAX, 0, 0, 0, ""},
};

struct read_run {
    const struct read_row *row;
    struct t_world w;
    struct onward_smtp__reply_parser p;
    char rest[100];
    size_t rest_len;
    int got;
};

static void read_begin(void *arg)
{
    struct read_run *run = arg;

    onward_smtp__reply_parser_init(&run->p, run->w.ctx, 0, 0);
    run->rest_len = 0;
    run->got = 0;
}

static void read_feed(void *arg, const void *data, size_t len)
{
    struct read_run *run = arg;
    const char *octets = data;
    size_t taken = 0;

    if (run->got < 0)
        return;
    run->got = onward_smtp__reply_parser_take(&run->p, data, len, &taken);
    if (run->got < 0)
        return;
    if (run->got == 0)
        assert_int_equal(taken, len);
    memcpy(run->rest + run->rest_len, octets + taken, len - taken);
    run->rest_len += len - taken;
}

static void read_end(void *arg)
{
    struct read_run *run = arg;
    struct onward_smtp_reply reply;

    assert_int_equal(run->got, run->row->want);
    if (run->got == 1) {
        onward_smtp__reply_parser_get(&run->p, &reply);
        assert_int_equal(reply.code, run->row->code);
        t_assert_str(reply.enhanced, run->row->enhanced);
        t_assert_str(reply.text, run->row->text);
        assert_false(onward_smtp__reply_parser_is_open(&run->p));
    }
    t_assert_str_n(onward_core__str(run->rest, run->rest_len), run->row->rest,
                   strlen(run->row->rest));
    onward_smtp__reply_parser_clear(&run->p);
}

static void test_read(void **state)
{
    static const struct t_cut cut = {read_begin, read_feed, read_end};
    struct read_run run = {.row = *state};

    t_world_init(&run.w);
    t_cut_everywhere(&cut, &run, run.row->stream, strlen(run.row->stream));
    t_world_clear(&run.w);
}

/* A094: at each limit and one past it. */
static void test_read_limits(void **state)
{
    static const struct {
        const char *stream;
        int want;
    } rows[] = {
        {"250 3456\r\n", 1},
        {"250 34567\r\n", ONWARD_ELIMIT},
        {"250 345678", 0},
        {"250 3456789", ONWARD_ELIMIT},
        {"250-\r\n250-\r\n250 \r\n", 1},
        {"250-\r\n250-\r\n250-\r\n250 \r\n", ONWARD_ELIMIT},
    };
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_smtp__reply_parser p;
        size_t taken;

        onward_smtp__reply_parser_init(&p, w.ctx, 10, 3);
        if (onward_smtp__reply_parser_take(&p, rows[i].stream,
                                           strlen(rows[i].stream),
                                           &taken) != rows[i].want)
            fail_msg("%s", rows[i].stream);
        onward_smtp__reply_parser_clear(&p);
    }
    t_world_clear(&w);
}

static void test_extensions(void **state)
{
    (void)state;
    assert_int_equal(onward_smtp__extension_of(ONWARD_STR("pipelining")),
                     ONWARD_SMTP_EXT_PIPELINING);
    assert_int_equal(onward_smtp__extension_of(ONWARD_STR("8BITMIME")),
                     ONWARD_SMTP_EXT_8BITMIME);
    assert_int_equal(onward_smtp__extension_of(ONWARD_STR("PIPE")), 0);
    assert_string_equal(onward_smtp__extension_name(ONWARD_SMTP_EXT_SIZE),
                        "SIZE");
    assert_null(onward_smtp__extension_name(3));
}

enum {
    WRITES = sizeof(write_rows) / sizeof(write_rows[0]),
    READS = sizeof(read_rows) / sizeof(read_rows[0])
};

int main(void)
{
    struct CMUnitTest tests[WRITES + READS + 4] = {
        cmocka_unit_test(test_long_text_is_folded),
        cmocka_unit_test(test_load_checks),
        cmocka_unit_test(test_read_limits),
        cmocka_unit_test(test_extensions),
    };

    for (size_t i = 0; i < WRITES; i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = write_rows[i].name,
            .test_func = test_write,
            .initial_state = (void *)(uintptr_t)&write_rows[i]};
    }
    for (size_t i = 0; i < READS; i++) {
        tests[4 + WRITES + i] = (struct CMUnitTest){
            .name = read_rows[i].name,
            .test_func = test_read,
            .initial_state = (void *)(uintptr_t)&read_rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
