/* The desk: tokens, the ready queue, deadlines, freeing in any order. */
#include "core/desk_shared.h"
#include "support/support.h"

struct job {
    struct onward_core__task task;
    struct onward_core__ask ask;
    int runs;
    int64_t ran_at;
    struct job *frees;        /* clears this one's task when it runs */
    struct onward_desk *ends; /* frees this desk when it runs */
    bool again;
};

static char order[64];

static void job_run(struct onward_core__task *task, int64_t now_ms)
{
    struct job *j = ONWARD_CONTAINER(task, struct job, task);
    size_t n = strlen(order);

    j->runs++;
    j->ran_at = now_ms;
    if (n + 1 < sizeof(order))
        order[n] = (char)('a' + j->ask.kind % 26);
    if (j->again)
        onward_core__task_ready(task);
    if (j->frees != NULL)
        onward_core__task_clear(&j->frees->task);
    if (j->ends != NULL)
        onward_desk_free(j->ends);
}

static struct onward_desk *new_desk(struct t_world *w)
{
    struct onward_desk *desk = NULL;

    memset(order, 0, sizeof(order));
    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    return desk;
}

static void test_ready_runs_once(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job j = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_core__task_init(&j.task, desk, job_run);
    assert_true(onward_desk_deadline(desk) == ONWARD_NEVER);
    onward_core__task_ready(&j.task);
    onward_core__task_ready(&j.task);
    assert_int_equal(onward_desk_deadline(desk), 0);
    assert_int_equal(onward_desk_run(desk, 5), 0);
    assert_int_equal(onward_desk_run(desk, 6), 0);
    assert_int_equal(j.runs, 1);
    assert_int_equal(j.ran_at, 5);
    onward_core__task_clear(&j.task);
    onward_core__task_clear(&j.task);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static void test_steps_are_bounded(void **state)
{
    struct onward_desk_opts o = {.size = sizeof(o), .run_steps = 3};
    struct t_world w;
    struct onward_desk *desk = NULL;
    struct job j = {.again = true};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, &o, &desk), 0);
    onward_core__task_init(&j.task, desk, job_run);
    onward_core__task_ready(&j.task);
    assert_int_equal(onward_desk_run(desk, 0), 1);
    assert_int_equal(j.runs, 3);
    onward_core__task_clear(&j.task);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static void test_time_never_goes_back(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job j = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_core__task_init(&j.task, desk, job_run);
    onward_desk_run(desk, 100);
    onward_core__task_ready(&j.task);
    onward_desk_run(desk, 50);
    assert_int_equal(j.ran_at, 100);
    onward_core__task_clear(&j.task);
    onward_desk_free(desk);
    t_world_clear(&w);
}

/* Deadlines in a scrambled order, some moved, some taken back. */
static void test_deadlines_come_in_order(void **state)
{
    enum { N = 500 };
    static struct job jobs[N];
    struct t_world w;
    struct onward_desk *desk;
    int64_t last = -1;

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < N; i++) {
        onward_core__task_init(&jobs[i].task, desk, job_run);
        onward_core__task_deadline(&jobs[i].task, (i * 7919) % 1000 + 1);
    }
    for (int i = 0; i < N; i += 3)
        onward_core__task_deadline(&jobs[i].task, (i * 31) % 1000 + 1);
    for (int i = 0; i < N; i += 10)
        onward_core__task_deadline(&jobs[i].task, ONWARD_NEVER);
    while (onward_desk_deadline(desk) != ONWARD_NEVER) {
        int64_t at = onward_desk_deadline(desk);

        assert_true(at > last);
        last = at;
        assert_int_equal(onward_desk_run(desk, at), 0);
    }
    for (int i = 0; i < N; i++) {
        int64_t want = i % 3 == 0 ? (i * 31) % 1000 + 1 : (i * 7919) % 1000 + 1;

        assert_int_equal(jobs[i].runs, i % 10 == 0 ? 0 : 1);
        if (i % 10 != 0)
            assert_int_equal(jobs[i].ran_at, want);
        onward_core__task_clear(&jobs[i].task);
    }
    onward_desk_free(desk);
    t_world_clear(&w);
}

/* Asked outside of a run, an hour after the last one. */
static void test_a_timer_starts_at_the_next_run(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job j = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_core__task_init(&j.task, desk, job_run);
    onward_core__task_after(&j.task, 50);
    assert_int_equal(onward_desk_deadline(desk), 0);
    assert_int_equal(onward_desk_run(desk, 1000), 0);
    assert_true(onward_desk_deadline(desk) == 1050);
    onward_core__task_after(&j.task, 20);
    assert_int_equal(onward_desk_run(desk, 3600000), 0);
    assert_true(onward_desk_deadline(desk) == 3600020);
    assert_int_equal(j.runs, 0);
    assert_int_equal(onward_desk_run(desk, 3600020), 0);
    assert_int_equal(j.runs, 1);
    onward_core__task_after(&j.task, ONWARD_LIMIT_NONE);
    assert_true(onward_desk_deadline(desk) == ONWARD_NEVER);
    onward_core__task_after(&j.task, ONWARD_LIMIT_NONE - 1);
    assert_int_equal(onward_desk_run(desk, 3600021), 0);
    assert_true(onward_desk_deadline(desk) == ONWARD_NEVER);
    onward_core__task_after(&j.task, 1);
    onward_core__task_clear(&j.task);
    assert_int_equal(onward_desk_run(desk, 3600099), 0);
    assert_int_equal(j.runs, 1);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static void test_tokens(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job a = {0}, b = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    assert_int_equal(onward_core__ask_open(desk, &a.ask, ONWARD_ASK_DNS), 0);
    assert_int_equal(onward_core__ask_open(desk, &b.ask, ONWARD_ASK_SIGN), 0);
    assert_true(a.ask.token != 0 && a.ask.token != b.ask.token);
    assert_ptr_equal(onward_core__ask_find(desk, a.ask.token, ONWARD_ASK_DNS),
                     &a.ask);
    assert_null(onward_core__ask_find(desk, a.ask.token, ONWARD_ASK_SIGN));
    assert_null(onward_core__ask_find(desk, 0, ONWARD_ASK_DNS));
    assert_null(onward_core__ask_find(desk, 99, ONWARD_ASK_DNS));
    onward_core__ask_close(&a.ask);
    onward_core__ask_close(&a.ask);
    assert_null(onward_core__ask_find(desk, a.ask.token, ONWARD_ASK_DNS));
    onward_desk_free(desk);
    assert_int_equal(onward_core__ask_open(desk, &a.ask, ONWARD_ASK_DNS),
                     ONWARD_ESTALE);
    assert_null(onward_core__ask_find(desk, b.ask.token, ONWARD_ASK_SIGN));
    onward_core__ask_close(&b.ask); /* the memory goes with the last child */
    t_world_clear(&w);
}

static void test_a_task_may_clear_another_that_is_ready(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job a = {0}, b = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_core__task_init(&a.task, desk, job_run);
    onward_core__task_init(&b.task, desk, job_run);
    a.frees = &b;
    onward_core__task_ready(&a.task);
    onward_core__task_ready(&b.task);
    assert_int_equal(onward_desk_run(desk, 0), 0);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 0);
    onward_core__task_clear(&a.task);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static void test_desk_freed_inside_a_callback(void **state)
{
    struct t_world w;
    struct onward_desk *desk;
    struct job a = {0}, b = {0};

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_core__task_init(&a.task, desk, job_run);
    onward_core__task_init(&b.task, desk, job_run);
    a.ends = desk;
    onward_core__task_ready(&a.task);
    onward_core__task_ready(&b.task);
    assert_int_equal(onward_desk_run(desk, 0), 0);
    assert_int_equal(b.runs, 0);
    onward_core__task_clear(&b.task);
    onward_core__task_clear(&a.task);
    t_world_clear(&w);
}

static void test_context_may_go_first(void **state)
{
    struct t_world w;
    struct onward_desk *desk;

    (void)state;
    t_world_init(&w);
    desk = new_desk(&w);
    onward_ctx_free(w.ctx);
    w.ctx = NULL;
    assert_int_equal(onward_desk_run(desk, 0), 0);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static bool make_desk(struct t_world *w, void *arg)
{
    struct onward_desk *desk = NULL;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &desk) != 0)
        return false;
    onward_desk_free(desk);
    return true;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_desk, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_runs_once),
        cmocka_unit_test(test_steps_are_bounded),
        cmocka_unit_test(test_time_never_goes_back),
        cmocka_unit_test(test_deadlines_come_in_order),
        cmocka_unit_test(test_a_timer_starts_at_the_next_run),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_a_task_may_clear_another_that_is_ready),
        cmocka_unit_test(test_desk_freed_inside_a_callback),
        cmocka_unit_test(test_context_may_go_first),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
