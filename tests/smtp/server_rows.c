#include "smtp/server_rows.h"

struct run {
    const struct t_row *row;
    struct t_world w;
    struct t_server t;
    bool defers, answers_now;
};

static void run_begin(void *arg)
{
    struct run *run = arg;

    memset(&run->t, 0, sizeof(run->t));
    t_server_prepare(&run->t, &run->w);
    run->t.defers = run->defers;
    run->t.answers_now = run->answers_now;
    run->t.opts.flags = run->row->flags;
    run->t.opts.mode = run->row->mode;
    run->t.opts.message_bytes = 1000;
    assert_int_equal(t_server_start(&run->t), 0);
    t_server_feed(&run->t, NULL, 0);
}

static void run_feed(void *arg, const void *data, size_t len)
{
    struct run *run = arg;

    t_server_feed(&run->t, data, len);
}

static void run_end(void *arg)
{
    struct run *run = arg;
    struct onward_str message = {run->t.message, run->t.message_len};

    t_server_assert_out(&run->t, run->row->out);
    if (run->row->events != NULL)
        t_server_assert_events(&run->t, run->row->events);
    /* How much of a doomed message came through depends on the cuts. */
    if (strstr(run->row->out, "550 5.6.0") == NULL)
        t_assert_str_n(message, run->row->message.data, run->row->message.len);
    t_server_stop(&run->t);
}

static const struct t_cut cut = {run_begin, run_feed, run_end};

static void test_row(void **state)
{
    static struct run run; /* big */

    memset(&run, 0, sizeof(run));
    run.row = *state;
    t_world_init(&run.w);
    t_cut_everywhere(&cut, &run, run.row->in.data, run.row->in.len);
    run.answers_now = true;
    t_cut_everywhere(&cut, &run, run.row->in.data, run.row->in.len);
    run.defers = true;
    t_cut_everywhere(&cut, &run, run.row->in.data, run.row->in.len);
    t_world_clear(&run.w);
}

int t_rows_run(const struct t_row *rows, size_t count)
{
    struct CMUnitTest tests[200];

    assert_true(count <= 200);
    for (size_t i = 0; i < count; i++) {
        tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return _cmocka_run_group_tests("rows", tests, count, NULL, NULL);
}
