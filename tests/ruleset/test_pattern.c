/*
 * Patterns: what their texts mean, what is refused and where, and that no
 * program can make a run read outside of it, or run long. Other engines are
 * asked in pattern_peers.py.
 */
#include "support/support.h"

#include "ruleset/pattern_priv.h"

enum { SCRATCH_WORDS = 1 << 16 };

static uint32_t scratch[SCRATCH_WORDS];

/* ---- Meaning ----------------------------------------------------------- */

/* Captures as text, "|" between them, "~" for one that took no part. NULL: no
 * match. Rows without a comment are what perl -E says. */
static const struct row {
    const char *name;
    enum onward_ruleset__pattern_kind kind;
    unsigned flags;
    struct onward_str text, subject;
    const char *want;
} rows[] = {
#define REGEX(name, flags, text, subject, want)                                \
    {                                                                          \
        "regex " name, ONWARD_RULESET__REGEX, flags, {text, sizeof(text) - 1}, \
            {subject, sizeof(subject) - 1}, want                               \
    }
#define GLOB(name, flags, text, subject, want)                                 \
    {                                                                          \
        "glob " name, ONWARD_RULESET__GLOB, flags, {text, sizeof(text) - 1},   \
            {subject, sizeof(subject) - 1}, want                               \
    }
    REGEX("empty", 0, "", "abc", ""),
    REGEX("empty whole", ONWARD_RULESET__WHOLE, "", "abc", NULL),
    REGEX("finds in the middle", 0, "b+", "aabbbc", "bbb"),
    REGEX("leftmost first", 0, "a|ab", "xab", "a"),
    REGEX("whole tries on", ONWARD_RULESET__WHOLE, "a|ab", "ab", "ab"),
    REGEX("captures", 0, "^([^@]+)@(.*)$", "me@example.com",
          "me@example.com|me|example.com"),
    REGEX("nested captures", 0, "^((a)|(b))+$", "ab", "ab|b|a|b"),
    REGEX("no part", 0, "^(a)?b$", "b", "b|~"),
    REGEX("empty part", 0, "^(a*)b$", "b", "b|"),
    REGEX("lazy", 0, "^(.*?)-(.*)$", "a-b-c", "a-b-c|a|b-c"),
    REGEX("greedy", 0, "^(.*)-(.*)$", "a-b-c", "a-b-c|a-b|c"),
    REGEX("counted", 0, "^[0-9]{2,3}$", "123", "123"),
    REGEX("counted, too many", 0, "^[0-9]{2,3}$", "1234", NULL),
    REGEX("counted group", 0, "^(?:ab){2}c$", "ababc", "ababc"),
    REGEX("at least", 0, "^a{2,}$", "aaaa", "aaaa"),
    REGEX("none", 0, "^a{0}b$", "b", "b"),
    REGEX("lazy count", 0, "a{1,3}?", "aaa", "a"),
    REGEX("folded", ONWARD_RULESET__FOLD, "^sAles[a-c]$", "SALESB", "SALESB"),
    REGEX("folded by the text", 0, "(?i)^sales$", "SaLeS", "SaLeS"),
    REGEX("not folded", 0, "^sales$", "Sales", NULL),
    REGEX("negated and folded", ONWARD_RULESET__FOLD, "^[^a]$", "A", NULL),
    REGEX("word edge", 0, "\\bme\\b", "not-me.", "me"),
    REGEX("no word edge", 0, "\\Bme", "home", "me"),
    REGEX("escapes", 0, "^\\x41\\t\\.\\d\\w\\s$", "A\t.1_ ", "A\t.1_ "),
    REGEX("opposites", 0, "^\\D\\W\\S$", "a.b", "a.b"),
    REGEX("class with escapes", 0, "^[\\d\\-x\\]]+$", "1-x]", "1-x]"),
    REGEX("class that begins with ]", 0, "^[]a]+$", "]a", "]a"),
    REGEX("class that ends with -", 0, "^[a-]+$", "-a", "-a"),
    REGEX("dot is no line end", 0, "^.$", "\n", NULL),
    REGEX("end is the end", 0, "a$", "a\n", NULL), /* \z, not $, of perl */
    REGEX("a character is one atom", 0, "^\xc3\xa4{2}$", "\xc3\xa4\xc3\xa4",
          "\xc3\xa4\xc3\xa4"),
    REGEX("a dot is an octet", 0, "^..$", "\xc3\xa4", "\xc3\xa4"),
    REGEX("NUL", 0, "^a\\x00.$", "a\0b", "a"), /* want is cut at the NUL */
    REGEX("nothing but stars", 0, "^(?:a*)*$", "aaa", "aaa"),
    REGEX("empty branch", 0, "^(?:a|)b$", "b", "b"),
    REGEX("} and ] alone", 0, "^]}$", "]}", "]}"),
    REGEX("postfix's example", 0, "^(.*)-outgoing@(.*)$",
          "list-outgoing@example.com",
          "list-outgoing@example.com|list|example.com"),

    GLOB("exact", 0, "me@example.com", "me@example.com", "me@example.com"),
    GLOB("not a part", 0, "me", "me@example.com", NULL),
    GLOB("star", 0, "sales-*@example.com", "sales-eu@example.com",
         "sales-eu@example.com|eu"),
    GLOB("star takes nothing", 0, "a*b", "ab", "ab|"),
    GLOB("stars take little", 0, "*-*", "a-b-c", "a-b-c|a|b-c"), /* RFC 5229 */
    GLOB("question", 0, "?b?", "abc", "abc|a|c"),
    GLOB("question takes one", 0, "a?", "a", NULL),
    GLOB("class", 0, "[a-c][!a-c][^x]", "bxa", "bxa|b|x|a"),
    GLOB("class with ]", 0, "[]]", "]", "]|]"),
    GLOB("backslash", 0, "\\*\\?\\[\\\\", "*?[\\", "*?[\\"),
    GLOB("star takes line ends", 0, "a*b", "a\r\nb", "a\r\nb|\r\n"),
    GLOB("dot is a dot", 0, "a.b", "axb", NULL),
    GLOB("folded", ONWARD_RULESET__FOLD, "A*[x-z]", "abcZ", "abcZ|bc|Z"),
    GLOB("nine captures", 0, "??????????", "0123456789",
         "0123456789|0|1|2|3|4|5|6|7|8"),
};

static void compile(struct t_world *w, struct onward_buf *out,
                    enum onward_ruleset__pattern_kind kind,
                    struct onward_str text, unsigned flags)
{
    struct onward_ruleset__pattern_fault fault;
    int err;

    onward_core__buf_init(out, w->ctx, ONWARD_RULESET__PATTERN_BYTES_MAX);
    err = onward_ruleset__pattern_compile(out, kind, text, flags, &fault);
    if (err != 0)
        print_error("%zu: %s\n", fault.at, fault.what);
    assert_int_equal(err, 0);
}

static void check_captures(const char *want, const struct onward_str *captures,
                           size_t count)
{
    char got[256];
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(
            got + len, sizeof(got) - len, "%s%.*s", i > 0 ? "|" : "",
            captures[i].data == NULL ? 1 : (int)captures[i].len,
            captures[i].data == NULL ? "~" : captures[i].data);
    assert_string_equal(got, want);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str captures[ONWARD_RULESET__PATTERN_CAPTURES];
    struct t_world w = {0};
    struct onward_buf out;
    struct onward_str program;
    size_t count;
    int ret;

    t_world_init(&w);
    compile(&w, &out, row->kind, row->text, row->flags);
    program = onward_core__buf_str(&out);
    assert_int_equal(onward_ruleset__pattern_check(program), 0);
    count = onward_ruleset__pattern_captures(program);
    ret = onward_ruleset__pattern_run(program, row->subject, captures, count,
                                      scratch, sizeof(scratch));
    assert_int_equal(ret, row->want != NULL);
    assert_int_equal(onward_ruleset__pattern_run(program, row->subject, NULL, 0,
                                                 scratch, sizeof(scratch)),
                     ret);
    if (row->want != NULL)
        check_captures(row->want, captures, count);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* ---- Refusals ---------------------------------------------------------- */

static const struct fault_row {
    const char *name;
    enum onward_ruleset__pattern_kind kind;
    const char *text;
    int want;
    size_t at;
} fault_rows[] = {
#define BAD(text, at)                                                          \
    {                                                                          \
        "refused " text, ONWARD_RULESET__REGEX, text, ONWARD_ESYNTAX, at       \
    }
#define BIG(text, at)                                                          \
    {                                                                          \
        "too large " text, ONWARD_RULESET__REGEX, text, ONWARD_ELIMIT, at      \
    }
#define BAD_GLOB(text, at)                                                     \
    {                                                                          \
        "glob refused " text, ONWARD_RULESET__GLOB, text, ONWARD_ESYNTAX, at   \
    }
    BAD("*", 0),
    BAD("a|*b", 2),
    BAD("(+)", 1),
    BAD("^*", 1),
    BAD("\\b+", 2),
    BAD("a**", 2),
    BAD("a{2}{3}", 4),
    BAD("a*+", 2),
    BAD("ab(cd", 2),
    BAD("(a(b)", 0),
    BAD("ab)", 2),
    BAD("x[a", 1),
    BAD("[", 0),
    BAD("[]", 0),
    BAD("[z-a]", 1),
    BAD("[a-\\d]", 1),
    BAD("[[:alpha:]]", 1),
    BAD("[\xc3\xa4]", 1),
    BAD("a\\", 1),
    BAD("[\\", 1),
    BAD("(a)\\1", 3),
    BAD("\\q", 0),
    BAD("\\x4", 0),
    BAD("a{", 1),
    BAD("a{,2}", 1),
    BAD("a{2", 1),
    BAD("a{3,2}", 1),
    BAD("(?=a)", 0),
    BAD("(?P<n>a)", 0),
    BAD("a(?i)", 1),
    BIG("a{1001}", 1),
    BIG("a{1,99999999999999999999}", 1),
    BIG("((((((a{10}){10}){10}){10}){10}){10}){10}", 21),
    BIG("(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)", 27),
    BIG("((((((((((((((((((((((((((((((((((((((((", 9),
    BIG("(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:"
        "(?:(?:(?:(?:(?:(?:(?:(?:(?:(?:",
        93),
    BAD_GLOB("a\\", 1),
    BAD_GLOB("[a", 0),
    BAD_GLOB("x[", 1),
    BAD_GLOB("[z-a]", 1),
    BAD_GLOB("[\xc3\xa4]", 1),
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_ruleset__pattern_fault fault = {.what = NULL};
    struct t_world w = {0};
    struct onward_buf out;

    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, ONWARD_RULESET__PATTERN_BYTES_MAX);
    onward_core__buf_add_text(&out, "kept");
    assert_int_equal(onward_ruleset__pattern_compile(
                         &out, row->kind, onward_str_of(row->text), 0, &fault),
                     row->want);
    assert_non_null(fault.what);
    if (fault.at != row->at)
        print_error("%s\n", fault.what);
    assert_int_equal(fault.at, row->at);
    t_assert_str(onward_core__buf_str(&out), "kept");
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static int compile_long(struct t_world *w, size_t len, size_t out_max,
                        struct onward_ruleset__pattern_fault *fault)
{
    static char text[2 * ONWARD_RULESET__PATTERN_TEXT_MAX];
    struct onward_buf out;
    int err;

    memset(text, 'a', sizeof(text));
    onward_core__buf_init(&out, w->ctx, out_max);
    err = onward_ruleset__pattern_compile(
        &out, ONWARD_RULESET__REGEX, onward_core__str(text, len), 0, fault);
    onward_core__buf_clear(&out);
    return err;
}

static void test_lengths(void **state)
{
    struct onward_ruleset__pattern_fault fault;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(compile_long(&w, 1023, 8192, &fault), 0);
    assert_int_equal(compile_long(&w, 1024, 8192, &fault), ONWARD_ELIMIT);
    assert_int_equal(compile_long(&w, 1025, 8192, &fault), ONWARD_ELIMIT);
    assert_int_equal(fault.at, 1024);
    assert_int_equal(compile_long(&w, 10, 59, &fault), ONWARD_ELIMIT);
    assert_string_equal(fault.what, "no room for the program");
    t_world_clear(&w);
}

static bool compile_once(struct t_world *w, void *arg)
{
    struct onward_ruleset__pattern_fault fault;

    (void)arg;
    return compile_long(w, 10, 8192, &fault) == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(compile_once, NULL);
}

/* ---- Hostile programs -------------------------------------------------- */

/* In memory of its own size, so that a sanitizer sees a step outside. */
static int run_copy(struct onward_str program, struct onward_str subject,
                    size_t want)
{
    struct onward_str captures[ONWARD_RULESET__PATTERN_CAPTURES];
    char *copy = malloc(program.len > 0 ? program.len : 1);
    size_t need;
    void *room;
    int ret;

    assert_non_null(copy);
    if (program.len > 0)
        memcpy(copy, program.data, program.len);
    program.data = copy;
    need = onward_ruleset__pattern_scratch(program, want);
    room = malloc(need > 0 ? need : 1);
    assert_non_null(room);
    ret = onward_ruleset__pattern_run(program, subject, captures, want, room,
                                      need);
    for (size_t i = 0; ret == 1 && i < want; i++) {
        if (captures[i].data != NULL)
            assert_true(captures[i].data >= subject.data &&
                        captures[i].data + captures[i].len <=
                            subject.data + subject.len);
    }
    /* What was found sound as a whole cannot fail in parts. */
    if (onward_ruleset__pattern_check(program) == 0)
        assert_true(ret >= 0);
    free(room);
    free(copy);
    return ret;
}

static void test_flipped(void **state)
{
    const struct onward_str subject = ONWARD_STR("aab-x@example.com");
    struct t_world w = {0};
    struct onward_buf out;
    size_t refused = 0;

    (void)state;
    t_world_init(&w);
    compile(&w, &out, ONWARD_RULESET__REGEX,
            ONWARD_STR("^((?:a|b)*?)(-[x-z]{1,3})?@\\b(.*)$"), 0);
    for (size_t i = 0; i < out.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            out.data[i] ^= (unsigned char)(1u << bit);
            refused += run_copy(onward_core__buf_str(&out), subject, 10) < 0;
            (void)run_copy(onward_core__buf_str(&out), subject, 0);
            out.data[i] ^= (unsigned char)(1u << bit);
        }
    }
    assert_true(refused >= 100); /* the head alone has 128 bits */
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(run_copy(onward_core__str(out.data, len), subject, 10),
                         ONWARD_ELIMIT);
    assert_int_equal(run_copy(onward_core__buf_str(&out), subject, 10), 1);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* Each instruction of a program of one, with all its operands wrong. */
static void test_wrong_operands(void **state)
{
    static const struct {
        unsigned char inst[4];
        bool is_sound;
    } programs[] = {
        {{ONWARD_RULESET__OP_MATCH, 0, 0, 0}, true},
        {{ONWARD_RULESET__OP_ANY, 0, 0, 0}, false}, /* nothing behind it */
        {{ONWARD_RULESET__OP_START, 0, 0, 0}, false},
        {{ONWARD_RULESET__OP_JUMP, 0, 0, 0}, true}, /* to itself */
        {{ONWARD_RULESET__OP_JUMP, 0, 1, 0}, false},
        {{ONWARD_RULESET__OP_JUMP, 0, 0xff, 0xff}, false},
        {{ONWARD_RULESET__OP_SPLIT, 0, 0, 0}, false},
        {{ONWARD_RULESET__OP_SPLIT_FAR, 0, 9, 0}, false},
        {{ONWARD_RULESET__OP_CLASS, 0, 0, 0}, false},
        {{ONWARD_RULESET__OP_SAVE, 2, 0, 0}, false},
        {{ONWARD_RULESET__OP_SAVE, 0, 0, 0}, false},
        {{0, 0, 0, 0}, false},
        {{99, 0, 0, 0}, false},
    };
    unsigned char program[20] = {'o', 'w', 'p', 't', 1, 1, 1};

    (void)state;
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const struct onward_str bytes =
            onward_core__str(program, sizeof(program));

        memcpy(program + 16, programs[i].inst, 4);
        assert_int_equal(onward_ruleset__pattern_check(bytes),
                         programs[i].is_sound ? 0 : ONWARD_ELIMIT);
        assert_int_equal(run_copy(bytes, ONWARD_STR("a"), 1) >= 0,
                         programs[i].is_sound);
    }
}

static void test_run_arguments(void **state)
{
    struct onward_str captures[12];
    struct t_world w = {0};
    struct onward_buf out;
    struct onward_str program;
    size_t need;

    (void)state;
    t_world_init(&w);
    compile(&w, &out, ONWARD_RULESET__REGEX, ONWARD_STR("(b)"), 0);
    program = onward_core__buf_str(&out);
    need = onward_ruleset__pattern_scratch(program, 2);
    assert_int_equal(onward_ruleset__pattern_run(program, ONWARD_STR("ab"),
                                                 captures, 2, scratch,
                                                 need - 1),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_ruleset__pattern_run(
                         program, onward_core__str("", (size_t)1 << 31),
                         captures, 2, scratch, need),
                     ONWARD_ELIMIT);
    /* More are asked for than there are. */
    assert_int_equal(onward_ruleset__pattern_run(program, ONWARD_STR("ab"),
                                                 captures, 12, scratch, need),
                     1);
    t_assert_str(captures[1], "b");
    for (size_t i = 2; i < 12; i++)
        assert_null(captures[i].data);
    assert_int_equal(onward_ruleset__pattern_scratch(ONWARD_STR("owpt"), 0), 0);
    assert_int_equal(onward_ruleset__pattern_captures(ONWARD_STR("owpt")), 0);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* ---- A list of all of them --------------------------------------------- */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int main(void)
{
    static struct CMUnitTest tests[COUNT(rows) + COUNT(fault_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_wrong_operands),
        cmocka_unit_test(test_run_arguments),
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(fault_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = fault_rows[i].name,
                                .test_func = test_fault,
                                .initial_state = (void *)&fault_rows[i]};
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests_name("others", others, NULL, NULL);
}
