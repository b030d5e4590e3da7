/* Frames and payloads, as octets. */
#include "codec.h"
#include "support/support.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

/* ---- Frames ------------------------------------------------------------ */

static const struct frames_row {
    const char *name;
    struct onward_str in;
    const char *want; /* commands and lengths; "!" a refused length */
} frames_rows[] = {
    {"nothing", T(""), ""},
    {"one bare frame", T("\0\0\0\1Q"), "Q0 "},
    {"one with a payload", T("\0\0\0\3Hx\0"), "H2 "},
    {"two behind each other", T("\0\0\0\1A\0\0\0\2Bx"), "A0 B1 "},
    {"a command that is no letter", T("\0\0\0\2\377x"), "\3770 "},
    {"length 0", T("\0\0\0\0"), "!"},
    {"length 0 behind a good frame", T("\0\0\0\1Q\0\0\0\0Q"), "Q0 !"},
    {"4 GiB", T("\377\377\377\377Q"), "!"},
    {"one above the limit", T("\0\20\0\1B"), "!"},
    {"at the limit, cut", T("\0\20\0\0B"), ""},
    {"a length that is cut", T("\0\0\0"), ""},
    {"a frame that is cut", T("\0\0\0\5Bxxx"), ""},
};

struct frames {
    struct milter_reader reader;
    char seen[200];
    size_t count;
    bool is_refused;
};

static void begin_frames(void *arg)
{
    struct frames *x = arg;

    milter_reader_clear(&x->reader);
    x->seen[0] = '\0';
    x->is_refused = false;
}

static void feed_frames(void *arg, const void *data, size_t len)
{
    struct frames *x = arg;
    const char *at = data;

    while (len > 0 && !x->is_refused) {
        struct milter_frame frame;
        size_t used = strlen(x->seen), taken = 0;
        int ret = milter_reader_feed(&x->reader, at, len, &taken, &frame);

        if (ret == 1)
            snprintf(x->seen + used, sizeof(x->seen) - used, "%c%zu ",
                     frame.command,
                     frame.command == 0xff ? 0 : frame.payload.len);
        if (ret < 0) {
            assert_int_equal(ret, ONWARD_ELIMIT);
            strcat(x->seen, "!");
            x->is_refused = true;
        }
        at += taken;
        len -= taken;
    }
}

static const char *wanted;

static void end_frames(void *arg)
{
    struct frames *x = arg;

    assert_string_equal(x->seen, wanted);
}

static void test_frames(void **state)
{
    const struct frames_row *row = *state;
    const struct t_cut cut = {begin_frames, feed_frames, end_frames};
    struct frames x = {0};

    wanted = row->want;
    t_cut_everywhere(&cut, &x, row->in.data, row->in.len);
    milter_reader_clear(&x.reader);
}

/* What is announced takes no memory; what comes does. */
static void test_largest_frame(void **state)
{
    static char piece[65536];
    struct milter_reader r = {0};
    struct milter_frame frame;
    size_t taken, left = MILTER_FRAME_MAX;

    (void)state;
    assert_int_equal(milter_reader_feed(&r, "\0\20\0\0", 4, &taken, &frame), 0);
    assert_true(r.cap <= 4096);
    for (; left > 0; left -= taken) {
        size_t n = left < sizeof(piece) ? left : sizeof(piece);
        int ret = milter_reader_feed(&r, piece, n, &taken, &frame);

        assert_int_equal(taken, n);
        assert_int_equal(ret, left == n);
    }
    assert_int_equal(frame.payload.len, MILTER_FRAME_MAX - 1);
    /* The next one begins anew. */
    assert_int_equal(milter_reader_feed(&r, "\0\0\0\1QQ", 6, &taken, &frame),
                     1);
    assert_int_equal(taken, 5);
    assert_int_equal(frame.payload.len, 0);
    assert_true(r.cap <= 4096); /* one long frame is no reason to keep it all */
    milter_reader_clear(&r);
}

/* ---- Payloads ---------------------------------------------------------- */

static const struct connect_row {
    const char *name;
    struct onward_str in;
    int want; /* family, or -1 */
    const char *ip;
} connect_rows[] = {
    {"IPv4",
     T("mx.example\0"
       "4\x12\x34"
       "192.0.2.9\0"),
     4, "192.0.2.9"},
    {"IPv6",
     T("mx\0"
       "6\0\0IPv6:2001:db8::1\0"),
     6, "2001:db8::1"},
    {"IPv6 without its tag",
     T("mx\0"
       "6\0\0"
       "2001:db8::1\0"),
     6, "2001:db8::1"},
    {"unknown", T("mx\0U"), 0, NULL},
    {"a socket", T("mx\0L\0\0/run/x\0"), 0, NULL},
    {"an empty name", T("\0U"), 0, NULL},
    {"unknown, and more", T("mx\0Ux"), -1, NULL},
    {"no NUL", T("mx"), -1, NULL},
    {"no family", T("mx\0"), -1, NULL},
    {"another family", T("mx\0X\0\0x\0"), -1, NULL},
    {"no port", T("mx\0004"), -1, NULL},
    {"half a port", T("mx\0004\0"), -1, NULL},
    {"no address", T("mx\0004\0\0"), -1, NULL},
    {"an address without NUL", T("mx\0004\0\000192.0.2.9"), -1, NULL},
    {"an address of another family", T("mx\0006\0\000192.0.2.9\0"), -1, NULL},
    {"an address that is none", T("mx\0004\0\000192.0.2.999\0"), -1, NULL},
    {"something behind", T("mx\0004\0\000192.0.2.9\0x"), -1, NULL},
    {"nothing at all", T(""), -1, NULL},
};

/* A copy of the exact length, so that a sanitizer sees what reads past it. */
static struct onward_str tight(struct onward_str in, char **block)
{
    *block = malloc(in.len == 0 ? 1 : in.len);
    assert_non_null(*block);
    memcpy(*block, in.data, in.len);
    return (struct onward_str){*block, in.len};
}

static void test_connect(void **state)
{
    const struct connect_row *row = *state;
    struct milter_client client = {.ip = {.family = 47}};
    char text[ONWARD_IP_TEXT_MAX], *block;
    int ret = milter_read_connect(tight(row->in, &block), &client);

    assert_int_equal(ret, row->want < 0 ? ONWARD_ESYNTAX : 0);
    assert_int_equal(client.ip.family, row->want < 0 ? 47 : row->want);
    if (row->ip != NULL) {
        assert_true(onward_ip_format(&client.ip, text, sizeof(text)) > 0);
        assert_string_equal(text, row->ip);
    }
    free(block);
}

static const struct strings_row {
    const char *name;
    struct onward_str in;
    int want;
} strings_rows[] = {
    {"one string", T("a\0"), 1},
    {"two strings", T("a\0b\0"), 2},
    {"empty ones", T("\0\0\0"), 3},
    {"no string", T(""), -1},
    {"no NUL at the end", T("a"), -1},
    {"no NUL at the end of the second", T("a\0b"), -1},
};

static void test_strings(void **state)
{
    const struct strings_row *row = *state;
    struct onward_str strings[2] = {{0}};
    char *block;
    int ret = milter_read_strings(tight(row->in, &block), strings, 2);

    assert_int_equal(ret, row->want < 0 ? ONWARD_ESYNTAX : row->want);
    if (row->want == 2) {
        t_assert_str(strings[0], "a");
        t_assert_str(strings[1], "b");
    }
    free(block);
}

static const struct macro_row {
    const char *name;
    struct onward_str in;
    const char *macro;
    int want;
    const char *value;
} macro_rows[] = {
    {"a macro", T("Mi\0ABC\0"), "i", 1, "ABC"},
    {"in braces", T("M{auth_type}\0PLAIN\0{auth_authen}\0ann\0"), "auth_authen",
     1, "ann"},
    {"without them", T("Mauth_authen\0ann\0"), "auth_authen", 1, "ann"},
    {"empty", T("M{auth_authen}\0\0"), "auth_authen", 1, ""},
    {"the first counts", T("Mi\0A\0i\0B\0"), "i", 1, "A"},
    {"not there", T("Mj\0mx\0"), "i", 0, NULL},
    {"a value is no name", T("Mj\0i\0"), "i", 0, NULL},
    {"one brace", T("M{i\0A\0"), "i", 0, NULL},
    {"none at all", T("M"), "i", 0, NULL},
    {"of no command", T(""), "i", -1, NULL},
    {"a name alone", T("Mi\0"), "i", -1, NULL},
    {"no NUL", T("Mi\0A"), "i", -1, NULL},
};

static void test_macro(void **state)
{
    const struct macro_row *row = *state;
    struct onward_str value = ONWARD_STR("untouched");
    char *block;
    int ret = milter_read_macro(tight(row->in, &block), row->macro, &value);

    assert_int_equal(ret, row->want < 0 ? ONWARD_ESYNTAX : row->want);
    t_assert_str(value, row->want == 1 ? row->value : "untouched");
    free(block);
}

static void test_options(void **state)
{
    static const char in[] = "\0\0\0\6\0\0\1\377\0\37\377\377macros";
    struct milter_options o = {0};

    (void)state;
    for (size_t len = 0; len < 12; len++)
        assert_int_equal(milter_read_options((struct onward_str){in, len}, &o),
                         ONWARD_ESYNTAX);
    assert_int_equal(
        milter_read_options((struct onward_str){in, sizeof(in) - 1}, &o), 0);
    assert_int_equal(o.version, 6);
    assert_int_equal(o.actions, 0x1ff);
    assert_int_equal(o.protocol, 0x1fffff);
}

static void test_addresses(void **state)
{
    (void)state;
    t_assert_str(milter_read_address(ONWARD_STR("<u@a.example>")),
                 "u@a.example");
    t_assert_str(milter_read_address(ONWARD_STR("u@a.example")), "u@a.example");
    t_assert_str(milter_read_address(ONWARD_STR("<>")), "");
    t_assert_str(milter_read_address(ONWARD_STR("<")), "<");
    t_assert_str(milter_read_address(ONWARD_STR("")), "");
}

/* ---- Answers ----------------------------------------------------------- */

static void test_answers(void **state)
{
    static const char want[] = "\0\0\0\1c"
                               "\0\0\0\23i\0\0\0\0X-A\0 one\n two\0"
                               "\0\0\0\14m\0\0\0\2X-A\0 \r\0"
                               "\0\0\0\6e<u@>\0"
                               "\0\0\0\5qwhy\0"
                               "\0\0\0\26y550 5.7.1 100%% sure\0"
                               "\0\0\0\15O\0\0\0\6\0\0\1\377\0\37\377\377";
    const struct milter_options o = {6, 0x1ff, 0x1fffff};
    struct milter_out out = {0};

    (void)state;
    milter_put(&out, MILTER_CONTINUE);
    milter_put_field(&out, MILTER_INSERT_HEADER, 0, "X-A", " one\r\n two");
    /* A CR that ends no line is not ours to take away. */
    milter_put_field(&out, MILTER_CHANGE_HEADER, 2, "X-A", " \r");
    milter_put_address(&out, MILTER_CHANGE_FROM, "u@");
    milter_put_string(&out, MILTER_QUARANTINE, "why");
    milter_put_reply(&out, 550, "5.7.1", "100% sure");
    milter_put_options(&out, &o);
    assert_false(out.has_failed);
    assert_int_equal(out.len, sizeof(want) - 1);
    assert_memory_equal(out.data, want, out.len);
    milter_out_clear(&out);
}

int main(void)
{
    enum {
        FRAMES = sizeof(frames_rows) / sizeof(frames_rows[0]),
        CONNECTS = sizeof(connect_rows) / sizeof(connect_rows[0]),
        STRINGS = sizeof(strings_rows) / sizeof(strings_rows[0]),
        MACROS = sizeof(macro_rows) / sizeof(macro_rows[0])
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_largest_frame),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_answers),
    };
    struct CMUnitTest tests[FRAMES + CONNECTS + STRINGS + MACROS +
                            sizeof(more) / sizeof(more[0])];
    size_t n = 0;

    for (size_t i = 0; i < FRAMES; i++)
        tests[n++] = (struct CMUnitTest){
            .name = frames_rows[i].name,
            .test_func = test_frames,
            .initial_state = (void *)(uintptr_t)&frames_rows[i]};
    for (size_t i = 0; i < CONNECTS; i++)
        tests[n++] = (struct CMUnitTest){
            .name = connect_rows[i].name,
            .test_func = test_connect,
            .initial_state = (void *)(uintptr_t)&connect_rows[i]};
    for (size_t i = 0; i < STRINGS; i++)
        tests[n++] = (struct CMUnitTest){
            .name = strings_rows[i].name,
            .test_func = test_strings,
            .initial_state = (void *)(uintptr_t)&strings_rows[i]};
    for (size_t i = 0; i < MACROS; i++)
        tests[n++] = (struct CMUnitTest){.name = macro_rows[i].name,
                                         .test_func = test_macro,
                                         .initial_state =
                                             (void *)(uintptr_t)&macro_rows[i]};
    memcpy(tests + n, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
