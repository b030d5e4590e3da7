/*
 * Sources: what a puller sees of a host that is fine, slow, or broken.
 */
#include "support/support.h"

#include "core/desk_shared.h"
#include "mime/mime_shared.h"

/* A host whose read plays what the test says. */
struct host {
    int ret;
    size_t got;
    size_t reads;
    size_t last_cap;
    uint64_t token;
    struct onward_desk *answer_at_once;
};

static int host_read(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    struct host *host = user;

    (void)offset;
    host->reads++;
    host->last_cap = cap;
    if (host->ret == 0) {
        memset(buf, 'x', host->got < cap ? host->got : cap);
        *got = host->got;
    }
    return host->ret;
}

static void host_wait(void *user, uint64_t token)
{
    struct host *host = user;

    host->token = token;
    if (host->answer_at_once != NULL)
        assert_int_equal(onward_source_answer(host->answer_at_once, token), 0);
}

struct puller {
    struct t_world w;
    struct host host;
    struct onward_source table;
    struct onward_desk *desk;
    struct onward_core__task task;
    struct onward_mime__pull pull;
    size_t runs;
};

static void count_run(struct onward_core__task *task, int64_t now_ms)
{
    (void)now_ms;
    ONWARD_CONTAINER(task, struct puller, task)->runs++;
}

static void open_puller(struct puller *p)
{
    memset(p, 0, sizeof(*p));
    t_world_init(&p->w);
    assert_int_equal(onward_desk_new(p->w.ctx, NULL, &p->desk), 0);
    onward_core__task_init(&p->task, p->desk, count_run);
    p->table = (struct onward_source){.size = sizeof(p->table),
                                      .user = &p->host,
                                      .len = 10,
                                      .read = host_read,
                                      .wait = host_wait};
    assert_int_equal(
        onward_mime__pull_init(&p->pull, &p->table, p->desk, &p->task), 0);
}

static void close_puller(struct puller *p)
{
    onward_mime__pull_clear(&p->pull);
    onward_core__task_clear(&p->task);
    onward_desk_free(p->desk);
    t_world_clear(&p->w);
}

static void test_pull_asks_for_no_more_than_there_is(void **state)
{
    struct puller p;
    char buf[32];
    size_t got = 0;

    (void)state;
    open_puller(&p);
    p.host.got = 4;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, sizeof(buf), &got), 0);
    assert_int_equal(got, 4);
    assert_int_equal(p.host.last_cap, 10);
    p.host.got = 3;
    assert_int_equal(onward_mime__pull(&p.pull, 7, buf, sizeof(buf), &got), 0);
    assert_int_equal(p.host.last_cap, 3);
    assert_int_equal(onward_mime__pull(&p.pull, 10, buf, sizeof(buf), &got),
                     0);
    assert_int_equal(got, 0);
    assert_int_equal(p.host.reads, 2);
    close_puller(&p);
}

static void test_pull_gives_broken_sources_up(void **state)
{
    struct puller p;
    char buf[8];
    size_t got = 4711;

    (void)state;
    open_puller(&p);
    p.host.got = 0; /* ends early */
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_ECALLBACK);
    p.host.got = 9; /* more than asked for */
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_ECALLBACK);
    p.host.ret = -99;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_ECALLBACK);
    p.pull.source.wait = NULL; /* nowhere to leave the token */
    p.host.ret = ONWARD_AGAIN;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_ECALLBACK);
    assert_int_equal(got, 4711);
    close_puller(&p);
}

static void test_pull_waits_for_the_answer(void **state)
{
    struct puller p;
    char buf[8];
    size_t got = 0;

    (void)state;
    open_puller(&p);
    p.host.ret = ONWARD_AGAIN;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_AGAIN);
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_AGAIN);
    assert_int_equal(p.host.reads, 1);
    assert_true(p.host.token != 0);
    assert_int_equal(onward_desk_run(p.desk, 1), 0);
    assert_int_equal(p.runs, 0);
    assert_int_equal(onward_source_answer(p.desk, p.host.token + 1),
                     ONWARD_ESTALE);
    assert_int_equal(onward_source_answer(p.desk, p.host.token), 0);
    assert_int_equal(onward_source_answer(p.desk, p.host.token),
                     ONWARD_ESTALE);
    assert_int_equal(p.runs, 0); /* only recorded */
    assert_int_equal(onward_desk_run(p.desk, 2), 0);
    assert_int_equal(p.runs, 1);
    p.host.ret = 0;
    p.host.got = 8;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got), 0);
    assert_int_equal(got, 8);
    close_puller(&p);
}

static void test_answer_inside_wait(void **state)
{
    struct puller p;
    char buf[8];
    size_t got = 0;

    (void)state;
    open_puller(&p);
    p.host.ret = ONWARD_AGAIN;
    p.host.answer_at_once = p.desk;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_AGAIN);
    assert_int_equal(onward_desk_run(p.desk, 1), 0);
    assert_int_equal(p.runs, 1);
    close_puller(&p);
}

static void test_answer_after_giving_up_is_stale(void **state)
{
    struct puller p;
    char buf[8];
    size_t got = 0;

    (void)state;
    open_puller(&p);
    p.host.ret = ONWARD_AGAIN;
    assert_int_equal(onward_mime__pull(&p.pull, 0, buf, 8, &got),
                     ONWARD_AGAIN);
    onward_mime__pull_clear(&p.pull);
    assert_int_equal(onward_source_answer(p.desk, p.host.token),
                     ONWARD_ESTALE);
    close_puller(&p);
}

/* An edit hands the waiting through to the message below it. */
static void test_edit_waits_as_its_source_does(void **state)
{
    struct puller p;
    const struct onward_source *edited;
    struct onward_mime__pull pull;
    struct onward_header *h;
    struct onward_edit *e;
    char buf[32];
    size_t got = 0;

    (void)state;
    open_puller(&p);
    assert_int_equal(onward_header_new(p.w.ctx, &h), 0);
    assert_int_equal(onward_header_feed(h, "A: b\r\n\r\nxx", 10, &got), 1);
    assert_int_equal(onward_edit_new(p.w.ctx, &p.table, h, NULL, &e), 0);
    assert_int_equal(onward_edit_source(e, &edited), 0);
    assert_int_equal(onward_mime__pull_init(&pull, edited, p.desk, &p.task),
                     0);
    p.host.ret = ONWARD_AGAIN;
    assert_int_equal(onward_mime__pull(&pull, 0, buf, sizeof(buf), &got), 0);
    assert_int_equal(got, 6); /* the head does not come from the host */
    assert_int_equal(onward_mime__pull(&pull, 6, buf, sizeof(buf), &got),
                     ONWARD_AGAIN);
    assert_int_equal(onward_source_answer(p.desk, p.host.token), 0);
    p.host.ret = 0;
    p.host.got = 4;
    assert_int_equal(onward_mime__pull(&pull, 6, buf, sizeof(buf), &got), 0);
    assert_int_equal(got, 4);
    assert_int_equal(p.host.last_cap, 4);
    onward_mime__pull_clear(&pull);
    onward_edit_free(e);
    onward_header_free(h);
    close_puller(&p);
}

static void test_pull_takes_sound_tables_only(void **state)
{
    struct puller p;
    struct onward_source bad;
    struct onward_mime__pull pull;

    (void)state;
    open_puller(&p);
    bad = p.table;
    bad.read = NULL;
    assert_int_equal(onward_mime__pull_init(&pull, &bad, p.desk, &p.task),
                     ONWARD_EINVAL);
    bad.size = 1;
    assert_int_equal(onward_mime__pull_init(&pull, &bad, p.desk, &p.task),
                     ONWARD_EINVAL);
    close_puller(&p);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_memory_source *m = NULL;
    bool ok = onward_memory_source_new(w->ctx, "abc", 3, &m) == 0;

    (void)arg;
    onward_memory_source_free(m);
    return ok;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pull_asks_for_no_more_than_there_is),
        cmocka_unit_test(test_pull_gives_broken_sources_up),
        cmocka_unit_test(test_pull_waits_for_the_answer),
        cmocka_unit_test(test_answer_inside_wait),
        cmocka_unit_test(test_answer_after_giving_up_is_stale),
        cmocka_unit_test(test_edit_waits_as_its_source_does),
        cmocka_unit_test(test_pull_takes_sound_tables_only),
        cmocka_unit_test(test_survives_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
