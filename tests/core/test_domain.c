#include "support/support.h"

#include "core/domain_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"
#define NAME_253                                                               \
    L63 "." L63 "." L63 "."                                                    \
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1"

static const struct shape_row {
    const char *name;
    const char *in;
    bool is_dns_name, is_hostname;
} shape_rows[] = {
    {"two labels", "example.com", true, true},
    {"one label", "localhost", true, true},
    {"underscore", "_dmarc.example.com", true, false},
    {"inner hyphen", "a-b.example", true, true},
    {"first hyphen", "-a.example", true, false},
    {"last hyphen", "a-.example", true, false},
    {"63 octets", L63 ".example", true, true},
    {"64 octets", L63 "4.example", false, false},
    {"253 octets", NAME_253, true, true},
    {"254 octets", NAME_253 "2", false, false},
    {"empty", "", false, false},
    {"only a dot", ".", false, false},
    {"final dot", "example.com.", false, false},
    {"first dot", ".example.com", false, false},
    {"empty label", "a..b", false, false},
    {"blank", "a b.example", false, false},
    {"UTF-8", "m\xc3\xbcller.example", false, false},
};

static void test_shape(void **state)
{
    const struct shape_row *row = *state;
    struct onward_str in = onward_str_of(row->in);

    assert_int_equal(onward_core__domain_is_dns_name(in, 1), row->is_dns_name);
    assert_int_equal(onward_core__domain_is_hostname(in), row->is_hostname);
}

static const struct ascii_row {
    const char *name;
    struct onward_str in;
    const char *want; /* NULL: refused */
} ascii_rows[] = {
    {"upper case", T("Mail.Example.COM"), "mail.example.com"},
    {"final dot", T("example.com."), "example.com"},
    {"underscore", T("_dmarc.Example.com"), "_dmarc.example.com"},
    {"two final dots", T("example.com.."), NULL},
    {"root", T("."), NULL},
    {"empty", T(""), NULL},
    {"U-label", T("m\xc3\xbcller.example"), "xn--mller-kva.example"},
    {"upper-case U-label", T("M\xc3\x9cLLER.example"), "xn--mller-kva.example"},
    /* RFC 3492 section 7.1 (B), as a label. */
    {"rfc3492 chinese",
     T("\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8"
       "\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87"),
     "xn--ihqwcrb4cv8a8dqg056pqjye"},
    {"sharp s stays itself",
     T("stra\xc3\x9f"
       "e.example"),
     "xn--strae-oqa.example"},
    {"ideographic full stop",
     T("a\xe3\x80\x82"
       "example"),
     "a.example"},
    {"ideographic full stop at the end", T("m\xc3\xbcller.example\xe3\x80\x82"),
     "xn--mller-kva.example"},
    {"two full stops at the end", T("a.example.\xe3\x80\x82"), NULL},
    {"not equal",
     T("a\xe2\x89\xa0"
       "b.example"),
     NULL},
    {"A-label of not equal", T("xn--1ch.example"), NULL},
    {"less, with a stroke of its own", T("<\xcc\xb8.example"), NULL},
    {"two kinds of digits, right to left",
     T("\xd7\x90"
       "0\xd9\xa0.example"),
     NULL},
    {"in two labels",
     T("\xd7\x90"
       "0.\xd7\x90\xd9\xa0.example"),
     "xn--0-zhc.xn--4db20a.example"},
    {"decomposed", T("mu\xcc\x88ller.example"), "xn--mller-kva.example"},
    {"A-label", T("XN--MLLER-KVA.example"), "xn--mller-kva.example"},
    {"A-label and U-label", T("xn--mller-kva.m\xc3\xbcller"),
     "xn--mller-kva.xn--mller-kva"},
    {"A-label of ASCII", T("xn--abc-.example"), NULL},
    {"A-label of nothing", T("xn--.example"), NULL},
    {"A-label of upper case", T("xn--mller-2pa.example"), NULL},
    {"A-label with junk", T("xn--mller-kva!.example"), NULL},
    {"A-label past the code space", T("xn--99999999.example"), NULL},
    {"A-label of a broken bidi label", T("xn--a-0hc.example"), NULL},
    {"A-label of ASCII behind an invisible character",
     T("\xcd\x8f"
       "xn--abc-.example"),
     NULL},
    {"false A-label behind an invisible character",
     T("\xcd\x8fxn--mller---mrrrrrrrrrller-kva.e"), NULL},
    {"A-label behind an invisible character",
     T("\xcd\x8f"
       "xn--mller-kva.example"),
     "xn--mller-kva.example"},
    {"not UTF-8", T("m\xffller.example"), NULL},
    {"overlong UTF-8",
     T("m\xc1\xa1"
       "ller.example"),
     NULL},
    {"surrogate", T("m\xed\xa0\x80ller.example"), NULL},
    {"NUL", T("a\0.example"), NULL},
    {"NUL in a U-label", T("\xc3\xbc\0.example"), NULL},
    {"U-label that gets too long", T("\xc3\xbc" L63 ".example"), NULL},
};

static void test_to_ascii(void **state)
{
    const struct ascii_row *row = *state;
    struct onward_str got = ONWARD_STR("kept");
    struct onward_arena arena;
    struct t_world w;
    int ret;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    ret = onward_core__domain_to_ascii(&arena, row->in, &got);
    assert_int_equal(ret, row->want == NULL ? ONWARD_ESYNTAX : 0);
    t_assert_str(got, row->want == NULL ? "kept" : row->want);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

/* 60 KB of Punycode or of Unicode ends before any decoder sees it (A119). */
static void test_long_labels_end_early(void **state)
{
    static char text[60000];
    struct onward_str got;
    struct onward_arena arena;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, 10000);
    memset(text, 'a', sizeof(text));
    memcpy(text, "xn--", 4);
    assert_int_equal(onward_core__domain_to_ascii(
                         &arena, onward_core__str(text, sizeof(text)), &got),
                     ONWARD_ESYNTAX);
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    assert_int_equal(onward_core__domain_to_ascii(
                         &arena, onward_core__str(text, sizeof(text)), &got),
                     ONWARD_ESYNTAX);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static void test_steps(void **state)
{
    struct onward_str name = ONWARD_STR("a.b.example.com");

    (void)state;
    assert_int_equal(onward_core__domain_label_count(name), 4);
    assert_int_equal(onward_core__domain_label_count(ONWARD_STR("com")), 1);
    assert_int_equal(onward_core__domain_label_count(ONWARD_STR("")), 0);
    t_assert_str(onward_core__domain_last_labels(name, 0), "");
    t_assert_str(onward_core__domain_last_labels(name, 1), "com");
    t_assert_str(onward_core__domain_last_labels(name, 3), "b.example.com");
    t_assert_str(onward_core__domain_last_labels(name, 4), "a.b.example.com");
    t_assert_str(onward_core__domain_last_labels(name, 9), "a.b.example.com");
    t_assert_str(onward_core__domain_parent(name), "b.example.com");
    t_assert_str(onward_core__domain_parent(ONWARD_STR("com")), "");
    assert_true(onward_core__domain_is_within(name, ONWARD_STR("Example.COM")));
    assert_true(onward_core__domain_is_within(name, name));
    assert_false(onward_core__domain_is_within(name, ONWARD_STR("xample.com")));
    assert_false(onward_core__domain_is_within(name, ONWARD_STR("")));
    assert_false(onward_core__domain_is_within(ONWARD_STR("com"), name));
}

static bool convert(struct t_world *w, void *arg)
{
    struct onward_arena arena;
    struct onward_str got;
    int ret;

    (void)arg;
    onward_core__arena_init(&arena, w->ctx, 10000);
    ret = onward_core__domain_to_ascii(
        &arena, ONWARD_STR("m\xc3\xbcller.example"), &got);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    onward_core__arena_clear(&arena);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(convert, NULL);
}

int main(void)
{
    enum {
        SHAPES = sizeof(shape_rows) / sizeof(shape_rows[0]),
        NAMES = sizeof(ascii_rows) / sizeof(ascii_rows[0])
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_long_labels_end_early),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_no_memory),
    };
    struct CMUnitTest tests[SHAPES + NAMES + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < SHAPES; i++)
        tests[i] = (struct CMUnitTest){.name = shape_rows[i].name,
                                       .test_func = test_shape,
                                       .initial_state = (void *)&shape_rows[i]};
    for (size_t i = 0; i < NAMES; i++)
        tests[SHAPES + i] =
            (struct CMUnitTest){.name = ascii_rows[i].name,
                                .test_func = test_to_ascii,
                                .initial_state = (void *)&ascii_rows[i]};
    memcpy(tests + SHAPES + NAMES, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
