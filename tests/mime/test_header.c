/*
 * The header splitter: where the block ends, what is a field, what is wrong.
 */
#include "support/support.h"

#include "core/core_shared.h"
#include "mime/mime_shared.h"

/* ONWARD_STR as an initializer. */
#define S(literal) {literal, sizeof(literal) - 1}

/* ---- Rows: one message, and how it reads ------------------------------- */

/* items: "name|value;" for each, empty name for a line that is no field;
 * anomalies: "word@offset " in order. */
static const struct row {
    const char *name;
    struct onward_str in;
    uint64_t body;
    const char *items;
    const char *anomalies;
} rows[] = {
    {"one field", S("A: b\r\n\r\nbody"), 8, "A| b;", ""},
    {"two fields, empty value", S("A:\r\nB:c\r\n\r\n"), 11,
     "A|;B|c;", ""},
    {"empty header", S("\r\nA: b\r\n\r\n"), 2, "", ""},
    {"empty message", S(""), 0, "", "no-empty-line@0 "},
    {"header only", S("A: b\r\n"), 6, "A| b;", "no-empty-line@6 "},
    {"cut in a line", S("A: b"), 4, "A| b;",
     "cut-line@4 no-empty-line@4 "},
    {"cut in the line end", S("A: b\r"), 5, "A| b\r;",
     "bare-cr@4 cut-line@5 no-empty-line@5 "},
    {"cut in the empty line", S("A: b\r\n\r"), 7, "A| b;|;",
     "no-colon@6 bare-cr@6 cut-line@7 no-empty-line@7 "},
    {"fold", S("A: b\r\n c\r\n\td\r\nE: f\r\n\r\n"), 22,
     "A| b\r\n c\r\n\td;E| f;", ""},
    {"fold at once", S("A:\r\n b\r\n\r\n"), 10, "A|\r\n b;", ""},
    {"value with colons", S("A: b:c\r\n\r\n"), 10, "A| b:c;", ""},
    {"odd but legal name", S("!x~{}: b\r\n\r\n"), 12, "!x~{}| b;",
     ""},
    /* RFC 5322 section 4.5.8: obs-optional = field-name *WSP ":" */
    {"space before the colon", S("From \t: a@b\r\n\r\n"), 15,
     "From| a@b;", "wsp-before-colon@4 "},
    {"no colon", S("A: b\r\nhello\r\nC: d\r\n\r\n"), 21,
     "A| b;|;C| d;", "no-colon@6 "},
    {"body at once", S("hello world\r\n\r\nx"), 15, "|;",
     "no-colon@0 "},
    {"empty name", S(": b\r\n\r\n"), 7, "|;", "empty-name@0 "},
    {"NUL in the name", S("Fr\0om: b\r\n\r\n"), 12, "|;",
     "bad-name@0 nul@2 "},
    {"8-bit in the name", S("Fr\xc3\xb6m: b\r\n\r\n"), 12, "|;",
     "bad-name@0 "},
    {"space in the name", S("From x: b\r\n\r\n"), 13, "|;",
     "bad-name@0 "},
    {"mbox line", S("From a@b Thu Jan 1 00:00:00 1970\r\nA: b\r\n\r\n"),
     42, "|;A| b;", "bad-name@0 "},
    {"first line begins with a space", S(" From: a\r\nB: c\r\n\r\n"),
     18, "|;B| c;", "leading-fold@0 "},
    {"fold before the colon", S("From\r\n : a\r\n\r\n"), 14, "|;",
     "no-colon@0 folded-name@6 "},
    {"colon two folds below", S("From\r\n x\r\n : a\r\n\r\n"), 18,
     "|;", "no-colon@0 folded-name@10 "},
    {"bare LF", S("A: b\nFrom: c\r\n\r\n"), 16, "A| b\nFrom: c;",
     "bare-lf@4 "},
    {"LF LF is no end", S("A: b\n\nc\r\n\r\n"), 11, "A| b\n\nc;",
     "bare-lf@4 "},
    {"LF CRLF is no end", S("A: b\n\r\nC: d\r\n\r\n"), 15,
     "A| b\n;C| d;", "bare-lf@4 "},
    {"CRLF LF is no end", S("A: b\r\n\nC: d\r\n\r\n"), 15,
     "A| b;|;", "bad-name@6 bare-lf@6 "},
    {"CR CRLF is no end", S("A: b\r\r\nC: d\r\n\r\n"), 15,
     "A| b\r;C| d;", "bare-cr@4 "},
    {"CRLF CR CRLF is no end", S("A: b\r\n\r\r\nC: d\r\n\r\n"), 17,
     "A| b;|;C| d;", "no-colon@6 bare-cr@6 "},
    {"bare CR in front of a fold", S("A: b\r c\r\n\r\n"), 11,
     "A| b\r c;", "bare-cr@4 "},
    {"NUL in a value", S("A: b\0c\r\n\r\n"), 10, NULL, "nul@4 "},
    {"control in a value", S("A: \x1b[2J\r\n\r\n"), 11, "A| \x1b[2J;",
     "control@3 "},
    {"UTF-8 value", S("A: \xc3\xb6\r\n\r\n"), 9, "A| \xc3\xb6;", ""},
    {"8-bit value", S("A: \xf6\r\n\r\n"), 8, "A| \xf6;",
     "bad-utf8@0 "},
    {"line of blanks", S("A: b\r\n \t\r\nC: d\r\n\r\n"), 18,
     "A| b\r\n \t;C| d;", "blank-fold@6 "},
    {"body is not looked at", S("A: b\r\n\r\n\0\n\r x"), 8, "A| b;",
     ""},
};

/* ---- Reading a header back as text ------------------------------------- */

static void add(char *out, size_t cap, size_t *len, struct onward_str s)
{
    assert_true(s.len < cap - *len);
    if (s.len > 0)
        memcpy(out + *len, s.data, s.len);
    *len += s.len;
    out[*len] = '\0';
}

static void print_items(const struct onward_header *h, char *out, size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < onward_header_count(h); i++) {
        add(out, cap, &len, onward_header_name(h, i));
        add(out, cap, &len, ONWARD_STR("|"));
        add(out, cap, &len, onward_header_value(h, i));
        add(out, cap, &len, ONWARD_STR(";"));
    }
}

static void print_anomalies(const struct onward_header *h, char *out,
                            size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < onward_header_anomaly_count(h); i++) {
        struct onward_header_anomaly a = {.size = sizeof(a)};

        assert_int_equal(onward_header_anomaly_at(h, i, &a), 0);
        len += (size_t)snprintf(out + len, cap - len, "%s@%u ",
                                onward_header_anomaly_name(a.code),
                                (unsigned)a.offset);
    }
}

/* Items, one after the other, are the block; the block is the message's. */
static void check_block(const struct onward_header *h, struct onward_str in)
{
    struct onward_str block = onward_header_block(h);
    size_t at = 0;

    for (size_t i = 0; i < onward_header_count(h); i++) {
        struct onward_str raw = onward_header_raw(h, i);

        assert_true(onward_header_offset(h, i) == at);
        assert_ptr_equal(raw.data, block.data + at);
        at += raw.len;
    }
    assert_true(at == block.len);
    t_assert_str_n(block, in.data, block.len);
}

struct cut_run {
    struct t_world w;
    const struct row *row;
    struct onward_header *h;
    uint64_t passed; /* octets that were taken */
    bool is_done;
};

static void cut_begin(void *arg)
{
    struct cut_run *run = arg;

    assert_int_equal(onward_header_new(run->w.ctx, &run->h), 0);
    run->passed = 0;
    run->is_done = false;
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct cut_run *run = arg;
    size_t taken = 4711;
    int ret = onward_header_feed(run->h, data, len, &taken);

    assert_true(ret == 0 || ret == 1);
    assert_true(ret == 1 || taken == len);
    if (run->is_done)
        assert_true(ret == 1 && taken == 0);
    run->is_done = ret == 1;
    run->passed += taken;
}

static void cut_end(void *arg)
{
    struct cut_run *run = arg;
    const struct row *row = run->row;
    char text[512];

    assert_int_equal(onward_header_finish(run->h), 0);
    assert_int_equal(onward_header_finish(run->h), 0);
    assert_int_equal(onward_header_is_done(run->h), 1);
    assert_true(onward_header_body_offset(run->h) == row->body);
    assert_true(run->passed == row->body);
    check_block(run->h, row->in);
    print_items(run->h, text, sizeof(text));
    if (row->items != NULL)
        assert_string_equal(text, row->items);
    print_anomalies(run->h, text, sizeof(text));
    assert_string_equal(text, row->anomalies);
    onward_header_free(run->h);
}

static void test_row(void **state)
{
    static const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    struct cut_run run = {.row = *state};

    t_world_init(&run.w);
    t_cut_everywhere(&cut, &run, run.row->in.data, run.row->in.len);
    t_world_clear(&run.w);
}

/* ---- Helpers for single tests ------------------------------------------ */

static struct onward_header *parsed(struct t_world *w, struct onward_str in)
{
    struct onward_header *h;
    size_t taken;

    assert_int_equal(onward_header_new(w->ctx, &h), 0);
    assert_true(onward_header_feed(h, in.data, in.len, &taken) >= 0);
    assert_int_equal(onward_header_finish(h), 0);
    return h;
}

static void test_looks_up_by_name_from_both_ends(void **state)
{
    struct t_world w;
    struct onward_header *h;

    (void)state;
    t_world_init(&w);
    h = parsed(&w, ONWARD_STR("From: 0\r\nTo: 1\r\nFROM : 2\r\nx\r\nfrom: 4\r\n"
                              "Fro: 5\r\n\r\n"));
    assert_int_equal(onward_header_first(h, ONWARD_STR("fRoM")), 0);
    assert_int_equal(onward_header_last(h, ONWARD_STR("fRoM")), 4);
    assert_int_equal(onward_header_below(h, 0), 2);
    assert_int_equal(onward_header_below(h, 2), 4);
    assert_true(onward_header_below(h, 4) == ONWARD_HEADER_NONE);
    assert_int_equal(onward_header_above(h, 4), 2);
    assert_int_equal(onward_header_above(h, 2), 0);
    assert_true(onward_header_above(h, 0) == ONWARD_HEADER_NONE);
    assert_int_equal(onward_header_count_named(h, ONWARD_STR("From")), 3);
    assert_int_equal(onward_header_count_named(h, ONWARD_STR("Fro")), 1);
    assert_int_equal(onward_header_count_named(h, ONWARD_STR("Cc")), 0);
    assert_true(onward_header_first(h, ONWARD_STR("Cc")) == ONWARD_HEADER_NONE);
    assert_true(onward_header_last(h, ONWARD_STR("")) == ONWARD_HEADER_NONE);
    assert_true(onward_header_above(h, 99) == ONWARD_HEADER_NONE);
    onward_header_free(h);
    t_world_clear(&w);
}

static void test_unfolds_text(void **state)
{
    struct t_world w;
    struct onward_header *h;
    struct onward_str text;

    (void)state;
    t_world_init(&w);
    h = parsed(&w, ONWARD_STR("A:  b c \t\r\nB: d\r\n\r\n"));
    assert_int_equal(onward_header_text(h, 0, &text), 0);
    t_assert_str(text, "b c");
    onward_header_free(h);
    /* RFC 5322 section 2.2.3, the example; then a bare LF, which stays. */
    h = parsed(&w, ONWARD_STR("Subject: This\r\n is a test\r\n"
                              "B:\r\n\tx\ny\r\n \r\nnone\r\n\r\n"));
    assert_int_equal(onward_header_text(h, 0, &text), 0);
    t_assert_str(text, "This is a test");
    assert_int_equal(onward_header_text(h, 0, &text), 0);
    t_assert_str(text, "This is a test");
    assert_int_equal(onward_header_text(h, 1, &text), 0);
    t_assert_str(text, "x\ny");
    assert_int_equal(onward_header_text(h, 2, &text), ONWARD_ENOENT);
    assert_int_equal(onward_header_text(h, 3, &text), ONWARD_ENOENT);
    onward_header_free(h);
    t_world_clear(&w);
}

/* ---- Limits ------------------------------------------------------------ */

static int feed_limited(size_t header_bytes, size_t header_fields,
                        struct onward_str in, size_t step)
{
    struct onward_limits limits = {.size = sizeof(limits),
                                   .header_bytes = header_bytes,
                                   .header_fields = header_fields};
    struct t_world w;
    struct onward_header *h;
    int ret = 0;
    size_t taken;

    t_world_init_limits(&w, &limits);
    assert_int_equal(onward_header_new(w.ctx, &h), 0);
    for (size_t at = 0; ret == 0 && at < in.len; at += step) {
        size_t n = in.len - at < step ? in.len - at : step;

        ret = onward_header_feed(h, in.data + at, n, &taken);
    }
    if (ret < 0) {
        assert_int_equal(onward_header_feed(h, "x", 1, &taken), ONWARD_ESTATE);
        assert_int_equal(onward_header_finish(h), ONWARD_ESTATE);
        assert_int_equal(onward_header_count(h), 0);
    }
    onward_header_free(h);
    t_world_clear(&w);
    return ret;
}

static void test_header_bytes_bound_the_block(void **state)
{
    struct onward_str in = ONWARD_STR("A: bc\r\nD: e\r\n\r\nbody");

    (void)state;
    for (size_t step = 1; step <= in.len; step++) {
        assert_int_equal(feed_limited(13, 0, in, step), 1);
        assert_int_equal(feed_limited(12, 0, in, step), ONWARD_ELIMIT);
        assert_int_equal(feed_limited(ONWARD_LIMIT_ZERO, 0, in, step),
                         ONWARD_ELIMIT);
        assert_int_equal(feed_limited(ONWARD_LIMIT_NONE, 0, in, step), 1);
        assert_int_equal(
            feed_limited(ONWARD_LIMIT_ZERO, 0, ONWARD_STR("\r\nbody"), step),
            1);
    }
}

static void test_header_fields_bound_the_items(void **state)
{
    struct onward_str in = ONWARD_STR("A: b\r\nhello\r\n C: d\r\nE: f\r\n\r\n");

    (void)state;
    for (size_t step = 1; step <= in.len; step++) {
        assert_int_equal(feed_limited(0, 3, in, step), 1);
        assert_int_equal(feed_limited(0, 2, in, step), ONWARD_ELIMIT);
    }
}

static void test_endless_line_costs_the_limit(void **state)
{
    static char junk[65536];
    struct t_world w;
    struct onward_header *h;
    size_t taken;
    int ret = 0;

    (void)state;
    memset(junk, 'x', sizeof(junk));
    t_world_init(&w);
    assert_int_equal(onward_header_new(w.ctx, &h), 0);
    for (int i = 0; i < 1000 && ret == 0; i++)
        ret = onward_header_feed(h, junk, sizeof(junk), &taken);
    assert_int_equal(ret, ONWARD_ELIMIT);
    assert_true(w.peak_bytes < 1048576);
    onward_header_free(h);
    t_world_clear(&w);
}

static void test_anomalies_are_capped_but_seen(void **state)
{
    struct t_world w;
    struct onward_header *h;
    size_t taken;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_header_new(w.ctx, &h), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(onward_header_feed(h, "A : b\r\n", 7, &taken), 0);
    assert_int_equal(onward_header_is_malformed(h), 0);
    assert_int_equal(onward_header_feed(h, "A: \n\r\n\r\n", 8, &taken), 1);
    assert_int_equal(onward_header_anomaly_count(h), ONWARD_HEADER_ANOMALIES);
    assert_int_equal(onward_header_is_malformed(h), 1);
    onward_header_free(h);
    t_world_clear(&w);
}

static void test_long_lines_are_flagged_past_998(void **state)
{
    char line[1100];
    struct t_world w;
    char text[64];

    (void)state;
    t_world_init(&w);
    for (size_t len = 998; len <= 999; len++) {
        struct onward_header *h;

        memset(line, 'x', sizeof(line));
        memcpy(line, "A:", 2);
        memcpy(line + len, "\r\n\r\n", 4);
        h = parsed(&w, (struct onward_str){line, len + 4});
        print_anomalies(h, text, sizeof(text));
        assert_string_equal(text, len == 998 ? "" : "long-line@0 ");
        assert_int_equal(onward_header_is_malformed(h), 0);
        onward_header_free(h);
    }
    t_world_clear(&w);
}

static void test_anomaly_fits_its_caller(void **state)
{
    struct t_world w;
    struct onward_header *h;
    struct onward_header_anomaly a = {.size = sizeof(a)};
    struct {
        struct onward_header_anomaly a;
        uint64_t newer;
    } bigger = {.a = {.size = sizeof(bigger)}, .newer = 7};

    (void)state;
    t_world_init(&w);
    h = parsed(&w, ONWARD_STR("x\r\nA : b\r\n\r\n"));
    assert_int_equal(onward_header_anomaly_at(h, 0, &a), 0);
    assert_int_equal(a.severity, ONWARD_HEADER_MALFORMED);
    assert_int_equal(a.item, 0);
    assert_int_equal(onward_header_anomaly_at(h, 1, &bigger.a), 0);
    assert_int_equal(bigger.a.severity, ONWARD_HEADER_ODD);
    assert_int_equal(bigger.a.item, 1);
    assert_true(bigger.newer == 0);
    assert_int_equal(onward_header_anomaly_at(h, 2, &a), ONWARD_ENOENT);
    a.size = 1;
    assert_int_equal(onward_header_anomaly_at(h, 0, &a), ONWARD_EINVAL);
    assert_string_equal(onward_header_anomaly_name(99), "unknown");
    onward_header_free(h);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_header *h = NULL;
    struct onward_str text;
    size_t taken;
    bool ok = onward_header_new(w->ctx, &h) == 0;

    (void)arg;
    for (int i = 0; ok && i < 40; i++)
        ok = onward_header_feed(h, "A : b\r\n c\r\n", 11, &taken) == 0;
    ok = ok && onward_header_feed(h, "\r\n", 2, &taken) == 1;
    ok = ok && onward_header_text(h, 0, &text) == 0;
    onward_header_free(h);
    return ok;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    onward_header_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(test_looks_up_by_name_from_both_ends),
        cmocka_unit_test(test_unfolds_text),
        cmocka_unit_test(test_header_bytes_bound_the_block),
        cmocka_unit_test(test_header_fields_bound_the_items),
        cmocka_unit_test(test_endless_line_costs_the_limit),
        cmocka_unit_test(test_anomalies_are_capped_but_seen),
        cmocka_unit_test(test_long_lines_are_flagged_past_998),
        cmocka_unit_test(test_anomaly_fits_its_caller),
        cmocka_unit_test(test_survives_no_memory),
        cmocka_unit_test(test_free_takes_null),
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    return _cmocka_run_group_tests("rows", tests, ROWS, NULL, NULL) +
           cmocka_run_group_tests(singles, NULL, NULL);
}
