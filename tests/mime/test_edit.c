/*
 * The message as it leaves: fields on top, items cut, read back at any offset
 * in any piece sizes.
 */
#include "support/support.h"

#include "core/desk_shared.h"
#include "mime/mime_shared.h"

#define S(literal) {literal, sizeof(literal) - 1}

struct change {
    const char *name;  /* NULL: cut item `cut` */
    const char *value;
    size_t cut;
};

static const struct row {
    const char *name;
    struct onward_str in;
    struct change changes[5];
    size_t count;
    struct onward_str want;
} rows[] = {
    {"nothing", S("A: b\r\n\r\nbody\r\n"), {{0}}, 0, S("A: b\r\n\r\nbody\r\n")},
    {"on top",
     S("A: b\r\n\r\nbody\r\n"),
     {{"X", "1", 0}, {"Y", "2\r\n 3", 0}},
     2,
     S("Y: 2\r\n 3\r\nX: 1\r\nA: b\r\n\r\nbody\r\n")},
    {"value begins with white space",
     S("A: b\r\n\r\n"),
     {{"X", " 1", 0}, {"Y", "\r\n\t2", 0}, {"Z", "", 0}},
     3,
     S("Z:\r\nY:\r\n\t2\r\nX: 1\r\nA: b\r\n\r\n")},
    {"UTF-8 value",
     S("\r\n"),
     {{"X", "\xc3\xb6", 0}},
     1,
     S("X: \xc3\xb6\r\n\r\n")},
    {"cut the first",
     S("A: b\r\n c\r\nD: e\r\n\r\nx"),
     {{NULL, NULL, 0}},
     1,
     S("D: e\r\n\r\nx")},
    {"cut the last, twice",
     S("A: b\r\n c\r\nD: e\r\n\r\nx"),
     {{NULL, NULL, 1}, {NULL, NULL, 1}},
     2,
     S("A: b\r\n c\r\n\r\nx")},
    {"cut all", S("A: b\r\nC: d\r\n\r\nx"), {{NULL, NULL, 1}, {NULL, NULL, 0}},
     2, S("\r\nx")},
    {"cut between, add",
     S("A: b\r\nhello\r\nC: d\r\n\r\nx\ny\0z"),
     {{"X", "1", 0}, {NULL, NULL, 1}, {"Y", "2", 0}},
     3,
     S("Y: 2\r\nX: 1\r\nA: b\r\nC: d\r\n\r\nx\ny\0z")},
    {"empty header", S("\r\nx"), {{"X", "1", 0}}, 1, S("X: 1\r\n\r\nx")},
    {"no empty line", S("A: b"), {{"X", "1", 0}}, 1, S("X: 1\r\nA: b")},
    {"empty message", S(""), {{"X", "1", 0}}, 1, S("X: 1\r\n")},
    {"empty message untouched", S(""), {{0}}, 0, S("")},
    {"damaged octets stay",
     S("A : b\n\0\r\n x\r\n\r\n\r\n\xff"),
     {{"X", "1", 0}},
     1,
     S("X: 1\r\nA : b\n\0\r\n x\r\n\r\n\r\n\xff")},
};

/* A message, its header and an edit over both. */
struct set {
    struct onward_memory_source *memory;
    struct onward_header *header;
    struct onward_edit *edit;
};

static int open_set(struct t_world *w, struct onward_str in, struct set *s)
{
    size_t taken;
    int err;

    memset(s, 0, sizeof(*s));
    err = onward_memory_source_new(w->ctx, in.data, in.len, &s->memory);
    if (err == 0)
        err = onward_header_new(w->ctx, &s->header);
    if (err == 0)
        err = onward_header_feed(s->header, in.data, in.len, &taken);
    if (err >= 0)
        err = onward_header_finish(s->header);
    if (err == 0)
        err = onward_edit_new(w->ctx, onward_memory_source_table(s->memory),
                              s->header, NULL, &s->edit);
    return err;
}

static void close_set(struct set *s)
{
    onward_edit_free(s->edit);
    onward_header_free(s->header);
    onward_memory_source_free(s->memory);
}

static int add_text(struct onward_edit *e, const char *name, const char *value)
{
    return onward_edit_add(e, onward_str_of(name), onward_str_of(value));
}

static void read_back(const struct onward_source *source, size_t step,
                      uint64_t from, struct onward_str want)
{
    char out[512];
    size_t len = (size_t)from;

    assert_true(source->len == want.len && want.len < sizeof(out));
    for (;;) {
        size_t got = 4711;

        assert_int_equal(
            source->read(source->user, len, out + len, step, &got), 0);
        if (got == 0)
            break;
        assert_true(got <= step);
        len += got;
    }
    assert_true(len == want.len || from > want.len);
    for (size_t i = (size_t)from; i < want.len; i++)
        assert_int_equal(out[i], want.data[i]);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_source *source;
    struct t_world w;
    struct set s;

    t_world_init(&w);
    assert_int_equal(open_set(&w, row->in, &s), 0);
    for (size_t i = 0; i < row->count; i++) {
        const struct change *c = &row->changes[i];

        if (c->name != NULL)
            assert_int_equal(add_text(s.edit, c->name, c->value), 0);
        else
            assert_int_equal(onward_edit_cut(s.edit, c->cut), 0);
    }
    assert_int_equal(onward_edit_source(s.edit, &source), 0);
    assert_int_equal(onward_edit_source(s.edit, &source), 0);
    for (size_t step = 1; step <= row->want.len + 1; step++) {
        for (size_t from = 0; from <= row->want.len; from++)
            read_back(source, step, from, row->want);
    }
    close_set(&s);
    t_world_clear(&w);
}

/* ---- What is refused --------------------------------------------------- */

static const struct bad_row {
    const char *name;
    struct onward_str field;
    struct onward_str value;
} bad_rows[] = {
    {"refuses an empty name", S(""), S("x")},
    {"refuses a colon in the name", S("A:"), S("x")},
    {"refuses a space in the name", S("A "), S("x")},
    {"refuses CR LF in the name", S("A\r\nB"), S("x")},
    {"refuses NUL in the name", S("A\0"), S("x")},
    {"refuses 8-bit in the name", S("\xc3\xb6"), S("x")},
    {"refuses bare LF", S("A"), S("x\ny")},
    {"refuses bare CR", S("A"), S("x\ry")},
    {"refuses CR at the end", S("A"), S("x\r")},
    {"refuses LF before a fold", S("A"), S("x\n y")},
    {"refuses a new field", S("A"), S("x\r\nFrom: y")},
    {"refuses CR LF at the end", S("A"), S("x\r\n")},
    {"refuses the end of the header", S("A"), S("x\r\n\r\n y")},
    {"refuses a blank continuation", S("A"), S("x\r\n \r\n y")},
    {"refuses a blank continuation last", S("A"), S("x\r\n\t")},
    {"refuses NUL", S("A"), S("x\0y")},
    {"refuses a control", S("A"), S("x\x1by")},
    {"refuses 8-bit that is not UTF-8", S("A"), S("\xff")},
};

static void test_bad_row(void **state)
{
    const struct bad_row *row = *state;
    const struct onward_source *source;
    struct t_world w;
    struct set s;

    t_world_init(&w);
    assert_int_equal(open_set(&w, ONWARD_STR("A: b\r\n\r\nx"), &s), 0);
    assert_int_equal(onward_edit_add(s.edit, row->field, row->value),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_edit_source(s.edit, &source), 0);
    read_back(source, 100, 0, ONWARD_STR("A: b\r\n\r\nx"));
    close_set(&s);
    t_world_clear(&w);
}

static void test_raw_fields_are_whole_fields(void **state)
{
    static const struct {
        struct onward_str raw;
        int want;
    } raws[] = {
        {S("A: b\r\n"), 0},
        {S("A:\r\n\tb;\r\n\tc\r\n"), 0},
        {S("A: b"), ONWARD_ESYNTAX},
        {S("A: b\r\nC: d\r\n"), ONWARD_ESYNTAX},
        {S("A: b\r\n\r\n"), ONWARD_ESYNTAX},
        {S("A\r\n"), ONWARD_ESYNTAX},
        {S(""), ONWARD_ESYNTAX},
        {S(": b\r\n"), ONWARD_ESYNTAX},
        {S("A : b\r\n"), ONWARD_ESYNTAX},
    };
    struct t_world w;
    struct set s;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_set(&w, ONWARD_STR("\r\n"), &s), 0);
    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++)
        assert_int_equal(onward_mime__edit_add_raw(s.edit, raws[i].raw),
                         raws[i].want);
    close_set(&s);
    t_world_clear(&w);
}

static void test_lines_of_998_octets_fit(void **state)
{
    char value[1000];
    struct t_world w;
    struct set s;

    (void)state;
    memset(value, 'x', sizeof(value));
    t_world_init(&w);
    assert_int_equal(open_set(&w, ONWARD_STR("\r\n"), &s), 0);
    assert_int_equal(onward_edit_add(s.edit, ONWARD_STR("A"),
                                     (struct onward_str){value, 995}),
                     0);
    assert_int_equal(onward_edit_add(s.edit, ONWARD_STR("A"),
                                     (struct onward_str){value, 996}),
                     ONWARD_ESYNTAX);
    close_set(&s);
    t_world_clear(&w);
}

static void test_limits_and_states(void **state)
{
    struct onward_edit_opts opts = {
        .size = sizeof(opts), .added_fields = 2, .added_bytes = 14};
    const struct onward_source *source;
    struct onward_source bad;
    struct onward_edit *e = NULL;
    struct onward_header *h;
    struct t_world w;
    struct set s;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_set(&w, ONWARD_STR("A: b\r\n\r\n"), &s), 0);
    source = onward_memory_source_table(s.memory);
    assert_int_equal(onward_edit_new(w.ctx, source, s.header, &opts, &e), 0);
    assert_int_equal(add_text(e, "A", "bcdefghij"), 0); /* 14 octets */
    assert_int_equal(add_text(e, "A", ""), ONWARD_ELIMIT);
    onward_edit_free(e);
    assert_int_equal(onward_edit_new(w.ctx, source, s.header, &opts, &e), 0);
    assert_int_equal(add_text(e, "A", "bcdefghijk"), ONWARD_ELIMIT);
    assert_int_equal(add_text(e, "A", ""), 0);
    assert_int_equal(add_text(e, "A", ""), 0);
    assert_int_equal(add_text(e, "A", ""), ONWARD_ELIMIT);
    assert_int_equal(onward_edit_cut(e, 1), ONWARD_ENOENT);
    assert_int_equal(onward_edit_source(e, &source), 0);
    assert_int_equal(add_text(e, "A", ""), ONWARD_ESTATE);
    assert_int_equal(onward_edit_cut(e, 0), ONWARD_ESTATE);
    onward_edit_free(e);

    assert_int_equal(onward_header_new(w.ctx, &h), 0);
    source = onward_memory_source_table(s.memory);
    assert_int_equal(onward_edit_new(w.ctx, source, h, NULL, &e),
                     ONWARD_ESTATE);
    onward_header_free(h);
    bad = *source;
    bad.len = 7; /* the header has 8 */
    assert_int_equal(onward_edit_new(w.ctx, &bad, s.header, NULL, &e),
                     ONWARD_EINVAL);
    bad = *source;
    bad.read = NULL;
    assert_int_equal(onward_edit_new(w.ctx, &bad, s.header, NULL, &e),
                     ONWARD_EINVAL);
    onward_edit_free(NULL);
    close_set(&s);
    t_world_clear(&w);
}

/* ---- The fields of the edited message ---------------------------------- */

static void test_slots_name_the_fields_in_order(void **state)
{
    static const char *const top_down[] = {"b: 6\r\n", "A: 5\r\n", "A: 0\r\n",
                                           "junk\r\n", "A: 3\r\n"};
    struct onward_mime__field f;
    struct onward_str b = ONWARD_STR("B");
    struct onward_str a = ONWARD_STR("a");
    struct t_world w;
    struct set s;
    size_t slot;
    size_t n = 0;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        open_set(&w,
                 ONWARD_STR("A: 0\r\njunk\r\nA: 2\r\nA: 3\r\nB: 4\r\n\r\n"),
                 &s),
        0);
    assert_int_equal(add_text(s.edit, "A", "5"), 0);
    assert_int_equal(add_text(s.edit, "b", "6"), 0);
    assert_int_equal(onward_edit_cut(s.edit, 2), 0);
    assert_int_equal(onward_edit_cut(s.edit, 4), 0);
    for (slot = onward_mime__edit_top(s.edit); slot != ONWARD_HEADER_NONE;
         slot = onward_mime__edit_below(s.edit, slot)) {
        assert_true(onward_mime__edit_field(s.edit, slot, &f));
        t_assert_str(f.raw, top_down[n++]);
    }
    assert_int_equal(n, 5);
    /* A from the bottom: 3, 0, then 5 that was put on top. */
    slot = onward_mime__edit_last(s.edit, a);
    assert_int_equal(slot, 3);
    slot = onward_mime__edit_above_named(s.edit, slot);
    assert_int_equal(slot, 0);
    slot = onward_mime__edit_above_named(s.edit, slot);
    assert_true(onward_mime__edit_field(s.edit, slot, &f));
    t_assert_str(f.name, "A");
    t_assert_str(f.value, " 5");
    assert_true(onward_mime__edit_above_named(s.edit, slot) ==
                ONWARD_HEADER_NONE);
    assert_int_equal(onward_mime__edit_count_named(s.edit, a), 3);
    assert_int_equal(onward_mime__edit_count_named(s.edit, b), 1);
    assert_int_equal(onward_mime__edit_count_named(s.edit, ONWARD_STR("C")),
                     0);
    assert_false(onward_mime__edit_field(s.edit, 4, &f));
    assert_false(onward_mime__edit_field(s.edit, 99, &f));
    assert_ptr_equal(onward_mime__edit_header(s.edit), s.header);
    close_set(&s);
    t_world_clear(&w);
}

static void test_body_is_read_before_the_fields_are_complete(void **state)
{
    const struct onward_source *body;
    struct t_world w;
    struct set s;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_set(&w, ONWARD_STR("A: b\r\n\r\nbody\r\n"), &s), 0);
    body = onward_mime__edit_body(s.edit);
    for (size_t step = 1; step < 8; step++)
        read_back(body, step, 0, ONWARD_STR("body\r\n"));
    assert_int_equal(add_text(s.edit, "X", "y"), 0);
    read_back(body, 3, 0, ONWARD_STR("body\r\n"));
    close_set(&s);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct onward_source *source;
    struct set s;
    bool ok = open_set(w, ONWARD_STR("A: b\r\n\r\nbody"), &s) == 0;

    (void)arg;
    for (int i = 0; ok && i < 20; i++)
        ok = add_text(s.edit, "X", "some text") == 0;
    ok = ok && onward_edit_source(s.edit, &source) == 0;
    close_set(&s);
    return ok;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(test_raw_fields_are_whole_fields),
        cmocka_unit_test(test_lines_of_998_octets_fit),
        cmocka_unit_test(test_limits_and_states),
        cmocka_unit_test(test_slots_name_the_fields_in_order),
        cmocka_unit_test(test_body_is_read_before_the_fields_are_complete),
        cmocka_unit_test(test_survives_no_memory),
    };
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        BAD_ROWS = sizeof(bad_rows) / sizeof(bad_rows[0])
    };
    struct CMUnitTest tests[ROWS + BAD_ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < BAD_ROWS; i++)
        tests[ROWS + i] =
            (struct CMUnitTest){.name = bad_rows[i].name,
                                .test_func = test_bad_row,
                                .initial_state = (void *)&bad_rows[i]};
    return _cmocka_run_group_tests("rows", tests, ROWS + BAD_ROWS, NULL,
                                   NULL) +
           cmocka_run_group_tests(singles, NULL, NULL);
}
