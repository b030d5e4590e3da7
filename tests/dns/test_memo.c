/* What evaluators keep with a cached answer. */
#include "dns/dns_shared.h"

#include "dns/asker.h"

struct note {
    struct onward_dns__memo memo;
    int *freed;
};

static const char note_kind[1], other_kind[1];

static void free_note(struct onward_ctx *ctx, struct onward_dns__memo *memo)
{
    struct note *note = ONWARD_CONTAINER(memo, struct note, memo);

    (void)ctx;
    ++*note->freed;
}

static void nothing(struct onward_core__task *task, int64_t now_ms)
{
    (void)task;
    (void)now_ms;
}

struct world {
    struct t_asker a;
    struct onward_core__task task;
    struct onward_dns__query query;
    struct note note;
    int freed;
};

static void open_world(struct world *x, const struct onward_resolver_opts *opts,
                       size_t bytes)
{
    memset(x, 0, sizeof(*x));
    t_asker_init(&x->a, opts);
    onward_core__task_init(&x->task, x->a.desk, nothing);
    x->note = (struct note){
        .memo = {.kind = note_kind, .bytes = bytes, .free = free_note},
        .freed = &x->freed};
}

static void close_world(struct world *x)
{
    onward_dns__query_clear(&x->query);
    onward_core__task_clear(&x->task);
    t_asker_clear(&x->a);
}

/* Ask for NAME; a host that is asked answers with that TTL. */
static const struct onward_dns__answer *get(struct world *x, const char *name,
                                            unsigned ttl_s)
{
    size_t before = x->a.asked_count;
    char text[100];
    int len = snprintf(text, sizeof(text), "%s %u A 192.0.2.1\n", name, ttl_s);

    onward_dns__query_clear(&x->query);
    assert_int_equal(onward_dns__ask(x->a.resolver, &x->query,
                                     onward_str_of(name), ONWARD_DNS_A,
                                     &x->task),
                     0);
    t_asker_run(&x->a);
    if (x->a.asked_count != before) {
        assert_int_equal(
            onward_dns_answer_text(x->a.desk, x->a.asked[before].token,
                                   (struct onward_str){text, (size_t)len}, 0),
            0);
        t_asker_run(&x->a);
    }
    assert_non_null(x->query.answer);
    return x->query.answer;
}

static void test_is_there_for_the_next(void **state)
{
    struct world x;
    const struct onward_dns__answer *answer;

    (void)state;
    open_world(&x, NULL, sizeof(x.note));
    answer = get(&x, "a.example", 60);
    assert_null(onward_dns__answer_memo(answer, note_kind));
    assert_true(onward_dns__answer_keep(answer, &x.note.memo));
    answer = get(&x, "a.example", 60);
    assert_int_equal(x.a.asked_count, 1);
    assert_ptr_equal(onward_dns__answer_memo(answer, note_kind), &x.note.memo);
    assert_null(onward_dns__answer_memo(answer, other_kind));
    close_world(&x);
    assert_int_equal(x.freed, 1);
}

static void test_there_is_one_an_answer(void **state)
{
    struct onward_dns__memo second = {.kind = other_kind, .free = free_note};
    const struct onward_dns__answer *answer;
    struct world x;

    (void)state;
    open_world(&x, NULL, 8);
    answer = get(&x, "a.example", 60);
    assert_true(onward_dns__answer_keep(answer, &x.note.memo));
    assert_false(onward_dns__answer_keep(answer, &second));
    close_world(&x);
    assert_int_equal(x.freed, 1);
}

static void test_goes_with_the_answer(void **state)
{
    const struct onward_dns__answer *answer;
    struct world x;

    (void)state;
    open_world(&x, NULL, 8);
    answer = get(&x, "a.example", 60);
    assert_true(onward_dns__answer_keep(answer, &x.note.memo));
    x.a.now_ms += 61000;
    answer = get(&x, "a.example", 60);
    assert_int_equal(x.a.asked_count, 2);
    assert_int_equal(x.freed, 1);
    assert_null(onward_dns__answer_memo(answer, note_kind));
    close_world(&x);
    assert_int_equal(x.freed, 1);
}

static void test_not_where_nothing_is_cached(void **state)
{
    const struct onward_dns__answer *answer;
    struct world x;

    (void)state;
    open_world(&x, NULL, 8);
    answer = get(&x, "a.example", 0);
    assert_false(onward_dns__answer_keep(answer, &x.note.memo));
    close_world(&x);
    assert_int_equal(x.freed, 0);
}

/* Others make room for it, and it goes itself when there is too little; who
 * holds the answer has it still. */
static void test_counts_in_the_cache(void **state)
{
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .cache_bytes = 4000};
    const struct onward_dns__answer *answer;
    struct world x;

    (void)state;
    open_world(&x, &opts, 3500);
    get(&x, "a.example", 60);
    get(&x, "b.example", 60);
    answer = get(&x, "c.example", 60);
    assert_true(onward_dns__answer_keep(answer, &x.note.memo));
    assert_int_equal(x.freed, 0);
    get(&x, "c.example", 60);
    assert_int_equal(x.a.asked_count, 3);
    get(&x, "a.example", 60);
    assert_int_equal(x.a.asked_count, 4); /* had made room */
    close_world(&x);
    open_world(&x, &opts, 5000);
    answer = get(&x, "a.example", 60);
    assert_true(onward_dns__answer_keep(answer, &x.note.memo));
    assert_ptr_equal(onward_dns__answer_memo(answer, note_kind), &x.note.memo);
    assert_int_equal(x.freed, 0);
    get(&x, "a.example", 60);
    assert_int_equal(x.a.asked_count, 2);
    assert_int_equal(x.freed, 1);
    close_world(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_there_for_the_next),
        cmocka_unit_test(test_there_is_one_an_answer),
        cmocka_unit_test(test_goes_with_the_answer),
        cmocka_unit_test(test_not_where_nothing_is_cached),
        cmocka_unit_test(test_counts_in_the_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
