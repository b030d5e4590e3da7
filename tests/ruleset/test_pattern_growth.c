/*
 * A115: patterns that take a backtracking matcher exponential time, or
 * quadratic. Twice the subject, or twice the pattern, may cost twice the time;
 * 2.8 leaves room for a busy machine. Processor time, the best of a few rounds.
 */
#include <time.h>

#include "support/support.h"

#include "ruleset/pattern_priv.h"

enum { ROUNDS = 5, STEPS = 3 };
#define RATIO_MAX 2.8

static struct onward_str compile(struct t_world *w, struct onward_buf *out,
                                 enum onward_ruleset__pattern_kind kind,
                                 const char *text)
{
    struct onward_ruleset__pattern_fault fault;

    onward_core__buf_init(out, w->ctx, ONWARD_RULESET__PATTERN_BYTES_MAX);
    assert_int_equal(onward_ruleset__pattern_compile(
                         out, kind, onward_str_of(text), 0, &fault),
                     0);
    return onward_core__buf_str(out);
}

/* Seconds, with all captures. */
static double time_of(struct onward_str program, struct onward_str subject,
                      int want_ret)
{
    struct onward_str captures[ONWARD_RULESET__PATTERN_CAPTURES];
    const size_t want = ONWARD_RULESET__PATTERN_CAPTURES;
    const size_t len = onward_ruleset__pattern_scratch(program, want);
    void *scratch = malloc(len);
    double best = 1e9;

    assert_non_null(scratch);
    for (int i = 0; i < ROUNDS; i++) {
        const clock_t start = clock();
        double took;

        assert_int_equal(onward_ruleset__pattern_run(program, subject, captures,
                                                     want, scratch, len),
                         want_ret);
        took = (double)(clock() - start) / CLOCKS_PER_SEC;
        best = took < best ? took : best;
    }
    free(scratch);
    return best;
}

struct trial {
    struct onward_str program, subject;
    int want;
};

static double measure(const struct trial *t)
{
    return time_of(t->program, t->subject, t->want);
}

/* A busy machine may spoil one measurement, but not each. */
static void check_ratio(const char *name, const struct trial *small,
                        const struct trial *large)
{
    double before = 0, after = 0;

    for (int i = 0; i < 4; i++) {
        before = measure(small);
        after = measure(large);
        /* Too quick to be measured is quick enough. */
        if (after < 0.002 || after <= before * RATIO_MAX)
            return;
    }
    fail_msg("%s: %.1f ms, then %.1f ms", name, before * 1e3, after * 1e3);
}

/* ---- Twice the subject ------------------------------------------------- */

static const struct row {
    const char *name;
    enum onward_ruleset__pattern_kind kind;
    const char *pattern;
    char octet; /* all of the subject */
    int want;
} rows[] = {
    {"(x+x+)+y", ONWARD_RULESET__REGEX, "(x+x+)+y", 'x', 0},
    {"(a*)*b", ONWARD_RULESET__REGEX, "^(a*)*b$", 'a', 0},
    {"(a|aa)+$", ONWARD_RULESET__REGEX, "^(a|aa)+b", 'a', 0},
    {"(.*)(.*)(.*)x", ONWARD_RULESET__REGEX, "(.*)(.*)(.*)(.*)x", 'a', 0},
    {"words", ONWARD_RULESET__REGEX, "^(([a-z])+.)+[A-Z]([a-z])+$", 'a', 0},
    {"counted", ONWARD_RULESET__REGEX, "a{0,20}a{0,20}b", 'a', 0},
    {"edges", ONWARD_RULESET__REGEX, "(\\b|\\B|a)*b", 'a', 0},
    {"address", ONWARD_RULESET__REGEX,
     "^([a-z0-9._+-]+)+@(([a-z0-9-]+)\\.)+[a-z]{2,}$", 'a', 0},
    {"captures", ONWARD_RULESET__REGEX, "^((((a)?)*)*)*$", 'a', 1},
    {"glob of stars", ONWARD_RULESET__GLOB, "*a*a*a*a*a*a*a*b", 'a', 0},
};

static void test_subject(void **state)
{
    const struct row *row = *state;
    const size_t small = 8192;
    char *text = malloc(small << STEPS);
    struct t_world w = {0};
    struct onward_buf out;
    struct onward_str program;

    assert_non_null(text);
    memset(text, row->octet, small << STEPS);
    t_world_init(&w);
    program = compile(&w, &out, row->kind, row->pattern);
    for (int i = 0; i < STEPS; i++) {
        const struct trial before = {program, {text, small << i}, row->want};
        const struct trial after = {
            program, {text, small << (i + 1)}, row->want};

        check_ratio(row->name, &before, &after);
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
    free(text);
}

/* ---- Twice the pattern ------------------------------------------------- */

/* (a?){n}a{n} over many a: the one that doubles with each n elsewhere. Not
 * anchored, so that the threads do not end before the subject. */
static void test_pattern(void **state)
{
    char text[2][64], subject[4000];
    struct t_world w = {0};

    (void)state;
    memset(subject, 'a', sizeof(subject));
    t_world_init(&w);
    for (int n = 40; n < 320; n *= 2) {
        struct trial t[2];
        struct onward_buf out[2];

        for (int i = 0; i < 2; i++) {
            snprintf(text[i], sizeof(text[i]), "a{0,%d}a{%d}b", n << i,
                     n << i);
            t[i].program = compile(&w, &out[i], ONWARD_RULESET__REGEX, text[i]);
            t[i].subject = (struct onward_str){subject, sizeof(subject)};
            t[i].want = 0;
        }
        check_ratio(text[1], &t[0], &t[1]);
        onward_core__buf_clear(&out[0]);
        onward_core__buf_clear(&out[1]);
    }
    t_world_clear(&w);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int main(void)
{
    static struct CMUnitTest tests[COUNT(rows) + 1];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name,
                                         .test_func = test_subject,
                                         .initial_state = (void *)&rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_pattern);
    return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
