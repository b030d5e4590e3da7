#include "dkim/vectors.h"

#include "core/text_shared.h"
#include "dkim/dkim_shared.h"

/* Collects what a canonicalization emits. */
struct out {
    char data[70000];
    size_t len;
};

static void collect(void *user, const void *data, size_t len)
{
    struct out *out = user;

    assert_true(len > 0 && len <= sizeof(out->data) - out->len);
    memcpy(out->data + out->len, data, len);
    out->len += len;
}

static enum onward_dkim__canon form_of(const char *name)
{
    return strcmp(name, "relaxed") == 0 ? ONWARD_DKIM__RELAXED
                                        : ONWARD_DKIM__SIMPLE;
}

/* ---- Bodies, cut everywhere -------------------------------------------- */

struct body_case {
    enum onward_dkim__canon canon;
    struct onward_dkim__canon_body body;
    struct out out;
    struct onward_str want;
};

static void begin(void *arg)
{
    struct body_case *c = arg;

    c->out.len = 0;
    c->body = (struct onward_dkim__canon_body){
        .canon = c->canon, .sink = {.emit = collect, .user = &c->out}};
}

static void feed(void *arg, const void *data, size_t len)
{
    struct body_case *c = arg;

    onward_dkim__canon_body_feed(&c->body, data, len);
}

static void end(void *arg)
{
    struct body_case *c = arg;

    onward_dkim__canon_body_finish(&c->body);
    t_assert_str_n(onward_core__str(c->out.data, c->out.len), c->want.data,
                   c->want.len);
    assert_int_equal(c->body.octets, c->want.len);
}

static void check_body(enum onward_dkim__canon canon, struct onward_str in,
                       struct onward_str want)
{
    static const struct t_cut cut = {begin, feed, end};
    static struct body_case c;

    c.canon = canon;
    c.want = want;
    t_cut_everywhere(&cut, &c, in.data, in.len);
}

static void check_header(enum onward_dkim__canon canon, struct onward_str in,
                         struct onward_str want)
{
    static struct out out;
    struct onward_dkim__sink sink = {.emit = collect, .user = &out};

    out.len = 0;
    onward_dkim__canon_header(canon, in, (struct onward_str){0}, &sink);
    t_assert_str_n(onward_core__str(out.data, out.len), want.data, want.len);
}

static void test_conformance_vectors(void **state)
{
    struct v_file f;
    size_t count = 0;

    (void)state;
    if (!v_open(&f, "dkim/canonicalization.json"))
        skip();
    for (struct onward_json *t = onward_json__get(f.root, "tests")->first;
         t != NULL; t = t->next, count++) {
        enum onward_dkim__canon canon = form_of(v_text(&f, t, "algorithm"));
        struct onward_str in = v_octets(&f, t, "input");
        struct onward_str want = v_octets(&f, t, "output");

        if (strcmp(v_text(&f, t, "kind"), "header") == 0)
            check_header(canon, in, want);
        else
            check_body(canon, in, want);
    }
    assert_int_equal(count, 44);
    v_close(&f);
}

/* ONWARD_STR() is no constant expression in C11. */
#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct row {
    const char *name;
    enum onward_dkim__canon canon;
    struct onward_str in, want;
} rows[] = {
    {"bare CR and LF are ordinary", ONWARD_DKIM__RELAXED, S("a\rb\nc \r d\r\n"),
     S("a\rb\nc \r d\r\n")},
    {"a bare CR at the end", ONWARD_DKIM__RELAXED, S("a\r"), S("a\r\r\n")},
    {"a bare CR at the end, simple", ONWARD_DKIM__SIMPLE, S("a\r"),
     S("a\r\r\n")},
    {"CR CR LF", ONWARD_DKIM__SIMPLE, S("a\r\r\n\r\n"), S("a\r\r\n")},
    {"CR CR LF relaxed", ONWARD_DKIM__RELAXED, S("a \t\r\r\n\r\n"),
     S("a \r\r\n")},
    {"LF first", ONWARD_DKIM__SIMPLE, S("\n\r\n"), S("\n\r\n")},
    {"long white space", ONWARD_DKIM__RELAXED,
     S("word \t \t                              \t word"
       "          \t\t\t                        \r\n x\r\n"),
     S("word word\r\n x\r\n")},
    {"empty lines between, with blanks", ONWARD_DKIM__RELAXED,
     S("a\r\n \r\n\t\t\r\n\r\n b \r\n \r\n"), S("a\r\n\r\n\r\n\r\n b\r\n")},
    {"a clean text longer than a register", ONWARD_DKIM__RELAXED,
     S("The quick brown fox jumps over the lazy dog, twice.\r\n"
       "And once more over the same dog. And the cat.\r\n"),
     S("The quick brown fox jumps over the lazy dog, twice.\r\n"
       "And once more over the same dog. And the cat.\r\n")},
    {"NUL", ONWARD_DKIM__RELAXED, S("a\0 \0b"), S("a\0 \0b\r\n")},
};

static void test_row(void **state)
{
    const struct row *row = *state;

    check_body(row->canon, row->in, row->want);
}

/* More empty lines in the middle than are written in one go. */
static void test_many_empty_lines_inside_stay(void **state)
{
    static char text[2000];

    (void)state;
    text[0] = 'a';
    for (size_t i = 1; i + 3 < 1001; i += 2)
        memcpy(text + i, "\r\n", 2);
    memcpy(text + 999, "b\r\n", 3);
    check_body(ONWARD_DKIM__RELAXED, onward_core__str(text, 1002),
               onward_core__str(text, 1002));
    check_body(ONWARD_DKIM__SIMPLE, onward_core__str(text, 1002),
               onward_core__str(text, 1002));
}

/* A form is its own canonical form, whatever white space it was made of. */
static void test_random_white_space_is_stable(void **state)
{
    static const char octets[] = " \t\r\nab \r\n";
    static char text[512];
    static struct body_case once;
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t len = (size_t)round * 3;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = octets[(seed >> 16) % (sizeof(octets) - 1)];
        }
        for (int canon = 0; canon < 2; canon++) {
            static char copy[1024];
            struct onward_str form;

            once.canon = (enum onward_dkim__canon)canon;
            begin(&once);
            feed(&once, text, len);
            onward_dkim__canon_body_finish(&once.body);
            memcpy(copy, once.out.data, once.out.len);
            form = onward_core__str(copy, once.out.len);
            check_body(once.canon, onward_core__str(text, len), form);
            check_body(once.canon, form, form);
        }
    }
}

static void test_hole_is_left_out(void **state)
{
    static struct out out;
    struct onward_dkim__sink sink = {.emit = collect, .user = &out};
    struct onward_str field = ONWARD_STR("X : a=1;  b= q\r\n r ; c=2 ");
    struct onward_str hole = onward_core__sub(field, 12, 19);

    (void)state;
    t_assert_str(hole, " q\r\n r ");
    onward_dkim__canon_header(ONWARD_DKIM__SIMPLE, field, hole, &sink);
    t_assert_str(onward_core__str(out.data, out.len), "X : a=1;  b=; c=2 ");
    out.len = 0;
    onward_dkim__canon_header(ONWARD_DKIM__RELAXED, field, hole, &sink);
    t_assert_str(onward_core__str(out.data, out.len), "x:a=1; b=; c=2");
    out.len = 0;
    field = ONWARD_STR("X: b=q ");
    hole = onward_core__sub(field, 5, 7);
    onward_dkim__canon_header(ONWARD_DKIM__RELAXED, field, hole, &sink);
    t_assert_str(onward_core__str(out.data, out.len), "x:b=");
}

/* ---- The hash set ------------------------------------------------------ */

static void check_digest(const struct onward_dkim__body *body, size_t index,
                         const char *want)
{
    struct t_world w;
    struct onward_buf text;

    t_world_init(&w);
    onward_core__buf_init(&text, w.ctx, 100);
    onward_core__base64_encode(&text, onward_dkim__body_digest(body, index),
                               ONWARD_DKIM__HASH_SIZE);
    t_assert_str(onward_core__buf_str(&text), want);
    onward_core__buf_clear(&text);
    t_world_clear(&w);
}

static void test_set_gives_every_hash_from_one_reading(void **state)
{
    const char *text = " C \r\nD \t E\r\n\r\n\r\n"; /* RFC 6376 3.4.5 */
    struct onward_dkim__body body;
    size_t simple, relaxed, again, none, all;

    (void)state;
    onward_dkim__body_init(&body);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__SIMPLE, false, 0, &simple),
        0);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__RELAXED, false, 0, &relaxed),
        0);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__RELAXED, false, 0, &again),
        0);
    assert_int_equal(again, relaxed);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__RELAXED, true, 0, &none), 0);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__RELAXED, true, 9, &all), 0);
    for (const char *p = text; *p != '\0'; p++)
        onward_dkim__body_feed(&body, p, 1);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__SIMPLE, false, 0, &again),
        ONWARD_ESTATE);
    onward_dkim__body_finish(&body);
    check_digest(&body, simple, "NOeivbQlDH9TmNKJUw7D53wZfsk8YMZ/hTuVVwTgi8s=");
    check_digest(&body, relaxed,
                 "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo=");
    check_digest(&body, none, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    check_digest(&body, all, "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo=");
    assert_int_equal(onward_dkim__body_octets(&body, ONWARD_DKIM__RELAXED), 9);
    assert_int_equal(onward_dkim__body_octets(&body, ONWARD_DKIM__SIMPLE), 12);
}

static void test_set_has_a_limit(void **state)
{
    struct onward_dkim__body body;
    size_t index;

    (void)state;
    onward_dkim__body_init(&body);
    for (size_t i = 0; i < ONWARD_DKIM__BODY_HASHES_MAX; i++)
        assert_int_equal(
            onward_dkim__body_want(&body, ONWARD_DKIM__SIMPLE, true, i, &index),
            0);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__SIMPLE, true, 99, &index),
        ONWARD_ELIMIT);
    assert_int_equal(
        onward_dkim__body_want(&body, ONWARD_DKIM__SIMPLE, true, 3, &index), 0);
    assert_int_equal(index, 3);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 6] = {
        cmocka_unit_test(test_conformance_vectors),
        cmocka_unit_test(test_many_empty_lines_inside_stay),
        cmocka_unit_test(test_random_white_space_is_stable),
        cmocka_unit_test(test_hole_is_left_out),
        cmocka_unit_test(test_set_gives_every_hash_from_one_reading),
        cmocka_unit_test(test_set_has_a_limit),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tests[6 + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_row,
                                           .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests(
        "dkim canon", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
