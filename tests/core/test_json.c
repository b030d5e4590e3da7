#include "support/support.h"

#include "core/json_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

enum { ARENA_MAX = 1 << 24, DEPTH = 16 };

static const struct row {
    const char *name;
    struct onward_str text;
    const char *want; /* as the writer has it; NULL: refused */
    size_t fault_line;
    const char *what;
} rows[] = {
    {"null", T("null"), "null"},
    {"blanks around", T(" \r\n\t true \n"), "true"},
    {"empty object", T("{ }"), "{}"},
    {"empty array", T("[\n]"), "[]"},
    {"nested", T("{\"a\":[1,{\"b\":[]},\"x\"],\"c\":false}"),
     "{\"a\":[1,{\"b\":[]},\"x\"],\"c\":false}"},
    {"escapes", T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
     "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"unicode escapes", T("\"\\u0041\\u00fc\\u20aC\""),
     "\"A\xc3\xbc\xe2\x82\xac\""},
    {"surrogate pair", T("\"\\ud834\\udd1e\""), "\"\xf0\x9d\x84\x9e\""},
    {"escaped NUL", T("\"\\u0000\""), "\"\\u0000\""},
    {"DEL", T("\"\x7f\""), "\"\\u007f\""},
    {"numbers", T("[0,-0,1.5,1e9,-2E+3,3e-1]"), "[0,-0,1.5,1e9,-2E+3,3e-1]"},
    {"same key in two objects", T("[{\"a\":1},{\"a\":2},{\"b\":{\"b\":1}}]"),
     "[{\"a\":1},{\"a\":2},{\"b\":{\"b\":1}}]"},
    {"sixteen deep", T("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"),
     "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"},

    {"empty text", T(""), NULL, 1, "no value, expected one"},
    {"only blanks", T("\n\n"), NULL, 3, "no value, expected one"},
    {"text behind", T("1\n2"), NULL, 2, "text behind the value, expected none"},
    {"NUL behind", T("1\0"), NULL, 1, "text behind the value, expected none"},
    {"second value", T("{} {}"), NULL, 1,
     "text behind the value, expected none"},
    {"duplicate key", T("{\"a\":1,\n\"\\u0061\":2}"), NULL, 2,
     "key that this object already has, expected each once"},
    {"comma at the end", T("[1,]"), NULL, 1, "no value, expected one"},
    {"comma at the end of an object", T("{\"a\":1,}"), NULL, 1,
     "no key in quotes, expected one"},
    {"comma first", T("[,1]"), NULL, 1, "no value, expected one"},
    {"no comma", T("[1\n2]"), NULL, 2, "no comma, expected one or ]"},
    {"no comma in an object", T("{\"a\":1 \"b\":2}"), NULL, 1,
     "no comma, expected one or }"},
    {"no colon", T("{\"a\" 1}"), NULL, 1,
     "no colon behind the key, expected one"},
    {"bare key", T("{a:1}"), NULL, 1, "no key in quotes, expected one"},
    {"wrong bracket", T("[1}"), NULL, 1, "no comma, expected one or ]"},
    {"open array", T("[1"), NULL, 1, "no comma, expected one or ]"},
    {"open object", T("{"), NULL, 1, "no key in quotes, expected one"},
    {"open string", T("\"a"), NULL, 1,
     "string without an end, expected a quote"},
    {"string that ends in a backslash", T("\"a\\"), NULL, 1,
     "string without an end, expected a quote"},
    {"line end in a string", T("\"a\nb\""), NULL, 1,
     "control character in a string"},
    {"unknown escape", T("\"\\x41\""), NULL, 1, "unknown escape in a string"},
    {"short unicode escape", T("\"\\u004\""), NULL, 1,
     "\\u without four hex digits"},
    {"high surrogate alone", T("\"\\ud834\""), NULL, 1,
     "half of a surrogate pair"},
    {"high surrogate and a letter", T("\"\\ud834\\u0041\""), NULL, 1,
     "half of a surrogate pair"},
    {"low surrogate alone", T("\"\\udd1e\""), NULL, 1,
     "half of a surrogate pair"},
    {"surrogate in UTF-8", T("\"\xed\xa0\x80\""), NULL, 1,
     "string that is not UTF-8"},
    {"overlong UTF-8", T("\"\xc0\x80\""), NULL, 1, "string that is not UTF-8"},
    {"leading zero", T("01"), NULL, 1, "number with a leading zero"},
    {"plus", T("+1"), NULL, 1, "no value, expected one"},
    {"minus alone", T("-"), NULL, 1, "no value, expected one"},
    {"no digits after the point", T("1."), NULL, 1,
     "number without digits after the point"},
    {"no digits in the exponent", T("1e+"), NULL, 1,
     "number without digits in the exponent"},
    {"word", T("nul"), NULL, 1, "no value, expected one"},
    {"seventeen deep", T("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), NULL, 1,
     "nested too deep, expected less"},
};

/* Write the tree under v with the writer. */
static void write_tree(struct onward_json_writer *w,
                       const struct onward_json *v)
{
    if (v->parent != NULL && v->parent->type == ONWARD_JSON_OBJECT) {
        char key[100];

        assert_true(v->key.len < sizeof(key));
        memcpy(key, v->key.data, v->key.len);
        key[v->key.len] = '\0';
        onward_json__key(w, key);
    }
    switch (v->type) {
    case ONWARD_JSON_NULL:
        onward_json__null(w);
        return;
    case ONWARD_JSON_FALSE:
    case ONWARD_JSON_TRUE:
        onward_json__bool(w, v->type == ONWARD_JSON_TRUE);
        return;
    case ONWARD_JSON_STRING:
        onward_json__string(w, v->text);
        return;
    case ONWARD_JSON_NUMBER: {
        int64_t value;

        if (onward_json__int(v, &value) == 0 && v->text.data[0] != '-') {
            onward_json__number(w, value);
        } else { /* the writer knows integers only */
            if (!w->after_key && v->parent != NULL && v->parent->first != v)
                onward_core__buf_add_byte(w->out, ',');
            w->after_key = false;
            w->has_item |= UINT64_C(1) << w->depth;
            onward_core__buf_add_str(w->out, v->text);
        }
        return;
    }
    case ONWARD_JSON_ARRAY:
        onward_json__open_array(w);
        break;
    case ONWARD_JSON_OBJECT:
        onward_json__open_object(w);
        break;
    }
    for (const struct onward_json *i = v->first; i != NULL; i = i->next)
        write_tree(w, i);
    if (v->type == ONWARD_JSON_ARRAY)
        onward_json__close_array(w);
    else
        onward_json__close_object(w);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_json_fault fault = {0};
    struct onward_json *root = NULL;
    struct onward_arena arena;
    struct onward_buf out;
    struct t_world w;
    int ret;

    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, ARENA_MAX);
    onward_core__buf_init(&out, w.ctx, 4096);
    ret = onward_json__parse(&arena, row->text, DEPTH, &root, &fault);
    if (row->want == NULL) {
        assert_true(ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT);
        assert_null(root);
        assert_int_equal(fault.line, row->fault_line);
        assert_string_equal(fault.what, row->what);
    } else {
        struct onward_json_writer writer = {.out = &out};

        assert_int_equal(ret, 0);
        write_tree(&writer, root);
        t_assert_str(onward_core__buf_str(&out), row->want);
    }
    onward_core__buf_clear(&out);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

/* Any start of a text is refused, and read within its bounds: each start lies
 * in a block of its own size, so that a sanitizer sees a step past it. */
static void test_every_start_is_refused(void **state)
{
    static const char text[] =
        "{\"a\":[1.5e3,\"\\u00fc\\ud834\\udd1e\",true,null],\"b\":{}}";
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *block = malloc(len + (len == 0));
        struct onward_json *root;
        struct onward_arena arena;

        memcpy(block, text, len);
        onward_core__arena_init(&arena, w.ctx, ARENA_MAX);
        assert_int_equal(onward_json__parse(&arena,
                                            onward_core__str(block, len), DEPTH,
                                            &root, NULL),
                         ONWARD_ESYNTAX);
        onward_core__arena_clear(&arena);
        free(block);
    }
    t_world_clear(&w);
}

static const struct int_row {
    const char *text;
    int ret;
    int64_t want;
} int_rows[] = {
    {"0", 0, 0},
    {"-0", 0, 0},
    {"-17", 0, -17},
    {"9223372036854775807", 0, INT64_MAX},
    {"-9223372036854775808", 0, INT64_MIN},
    {"9223372036854775808", ONWARD_ESYNTAX, 0},
    {"-9223372036854775809", ONWARD_ESYNTAX, 0},
    {"1.0", ONWARD_ESYNTAX, 0},
    {"1e3", ONWARD_ESYNTAX, 0},
    {"\"1\"", ONWARD_ESYNTAX, 0},
};

static void test_integers(void **state)
{
    struct onward_arena arena;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, ARENA_MAX);
    for (size_t i = 0; i < sizeof(int_rows) / sizeof(int_rows[0]); i++) {
        const struct int_row *row = &int_rows[i];
        struct onward_json *root;
        int64_t got = 4711;

        assert_int_equal(onward_json__parse(&arena, onward_str_of(row->text),
                                            DEPTH, &root, NULL),
                         0);
        assert_int_equal(onward_json__int(root, &got), row->ret);
        assert_true(got == (row->ret == 0 ? row->want : 4711));
    }
    assert_int_equal(onward_json__int(NULL, &(int64_t){0}), ONWARD_ESYNTAX);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static void test_members_paths_and_lines(void **state)
{
    struct onward_str text = ONWARD_STR(
        "{\n \"zones\": [\n  {},\n  {\"rules\": [1,\n   {\"x\": 2}]}\n ]\n}");
    struct onward_json *root, *v;
    struct onward_arena arena;
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, ARENA_MAX);
    onward_core__buf_init(&out, w.ctx, 4096);
    assert_int_equal(onward_json__parse(&arena, text, DEPTH, &root, NULL), 0);
    v = onward_json__get(root, "zones");
    assert_non_null(v);
    assert_int_equal(v->count, 2);
    v = onward_json__get(v->first->next, "rules");
    assert_int_equal(v->line, 4);
    v = onward_json__get(v->first->next, "x");
    assert_int_equal(v->line, 5);
    assert_int_equal(onward_json__path(&out, v), 0);
    t_assert_str(onward_core__buf_str(&out), "zones[1].rules[1].x");
    onward_core__buf_reset(&out);
    assert_int_equal(onward_json__path(&out, root), 0);
    t_assert_str(onward_core__buf_str(&out), "");
    assert_null(onward_json__get(root, "zone"));
    assert_null(onward_json__get(v, "x"));
    assert_null(onward_json__get(NULL, "x"));
    onward_core__buf_clear(&out);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

/* 50,000 keys in one object, in about linear time; the last one is the first
 * again. */
static void test_many_keys(void **state)
{
    enum { KEYS = 50000 };
    struct onward_json_fault fault = {0};
    struct onward_json *root;
    struct onward_arena arena;
    struct onward_buf text;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&arena, w.ctx, ARENA_MAX * 2);
    onward_core__buf_init(&text, w.ctx, 1 << 24);
    onward_core__buf_add_byte(&text, '{');
    for (uint64_t i = 0; i < KEYS; i++) {
        onward_core__buf_add_text(&text, "\"key");
        onward_core__buf_add_u64(&text, i);
        onward_core__buf_add_text(&text, "\":0,\n");
    }
    onward_core__buf_add_text(&text, "\"last\":0}");
    assert_int_equal(onward_json__parse(&arena, onward_core__buf_str(&text),
                                        DEPTH, &root, &fault),
                     0);
    assert_int_equal(root->count, KEYS + 1);
    memcpy(text.data + text.len - 9, "\"key3\":0}", 9);
    assert_int_equal(onward_json__parse(&arena, onward_core__buf_str(&text),
                                        DEPTH, &root, &fault),
                     ONWARD_ESYNTAX);
    assert_int_equal(fault.line, KEYS + 1);
    onward_core__buf_clear(&text);
    onward_core__arena_clear(&arena);
    t_world_clear(&w);
}

static void test_writing_broken_utf8(void **state)
{
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 4096);
    assert_int_equal(
        onward_json__write_string(&out, ONWARD_STR("a\xff\xc3\xbc\xed\xa0z")),
        0);
    t_assert_str(onward_core__buf_str(&out),
                 "\"a\xef\xbf\xbd\xc3\xbc\xef\xbf\xbd\xef\xbf\xbdz\"");
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static bool parse_much(struct t_world *w, void *arg)
{
    struct onward_json *root;
    struct onward_arena arena;
    struct onward_buf text;
    int ret;

    (void)arg;
    onward_core__arena_init(&arena, w->ctx, ARENA_MAX);
    onward_core__buf_init(&text, w->ctx, 1 << 20);
    onward_core__buf_add_byte(&text, '{');
    for (uint64_t i = 0; i < 100; i++) {
        onward_core__buf_add_text(&text, "\"");
        onward_core__buf_add_u64(&text, i);
        onward_core__buf_add_text(&text, "\":\"\\n\",");
    }
    ret = onward_core__buf_add_text(&text, "\"last\":[0,1]}");
    if (ret == 0)
        ret = onward_json__parse(&arena, onward_core__buf_str(&text), DEPTH,
                                 &root, NULL);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    onward_core__buf_clear(&text);
    onward_core__arena_clear(&arena);
    return ret == 0;
}

/* ---- Items that are taken ---------------------------------------------- */

struct taking {
    char said[256];
    int ret;
};

static bool wants(void *user, const struct onward_json *array)
{
    (void)user;
    return onward_core__str_eq(array->key, ONWARD_STR("items"));
}

static int take(void *user, const struct onward_json *item)
{
    struct taking *t = user;
    size_t len = strlen(t->said);

    snprintf(t->said + len, sizeof(t->said) - len, "%zu:%d:%zu:%zu ",
             item->index, (int)item->type, item->count, item->line);
    return t->ret;
}

static int parse_taking(struct t_world *w, const char *text, struct taking *t,
                        size_t *count)
{
    struct onward_json_fault fault = {0};
    struct onward_json *root = NULL;
    struct onward_arena arena, items;
    const struct onward_json_taker taker = {
        .user = t, .items = &items, .wants = wants, .take = take};
    int ret;

    onward_core__arena_init(&arena, w->ctx, ARENA_MAX);
    onward_core__arena_init(&items, w->ctx, ARENA_MAX);
    ret = onward_json__parse_taking(&arena, onward_str_of(text), DEPTH, &taker,
                                    &root, &fault);
    if (ret == 0) {
        *count = onward_json__get(root, "items")->count;
        assert_null(onward_json__get(root, "items")->first);
        assert_non_null(onward_json__get(root, "z"));
    }
    onward_core__arena_clear(&items);
    onward_core__arena_clear(&arena);
    return ret;
}

static void test_items_are_taken_one_by_one(void **state)
{
    static const char text[] =
        "{\"a\":[1],\"items\":[\n{\"items\":[1,2],\"k\":0},\n7,[],\n"
        "\"x\"],\"z\":[3]}";
    struct taking t = {.ret = 0};
    struct t_world w;
    size_t count = 0;

    (void)state;
    t_world_init(&w);
    assert_int_equal(parse_taking(&w, text, &t, &count), 0);
    assert_string_equal(t.said, "0:6:2:2 1:3:0:3 2:5:0:3 3:4:0:4 ");
    assert_int_equal(count, 4);
    t = (struct taking){.ret = ONWARD_ELIMIT};
    assert_int_equal(parse_taking(&w, text, &t, &count), ONWARD_ELIMIT);
    assert_string_equal(t.said, "0:6:2:2 ");
    t = (struct taking){.ret = 0};
    assert_int_equal(parse_taking(&w, "{\"items\":[{\"k\":1,\"k\":2}]}", &t,
                                  &count),
                     ONWARD_ESYNTAX);
    assert_string_equal(t.said, "");
    t_world_clear(&w);
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(parse_much, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_every_start_is_refused),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_members_paths_and_lines),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_writing_broken_utf8),
        cmocka_unit_test(test_items_are_taken_one_by_one),
        cmocka_unit_test(test_no_memory),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
