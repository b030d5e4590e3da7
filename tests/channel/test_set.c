/*
 * A set of channels: which ones a host is sent to, and that it is sent there
 * once, and to no other.
 */
#include "support/echo.h"

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_channel_set *set;
    struct t_echo *a, *b;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_channel_set_new(f->desk, &f->set), 0);
    f->a = t_echo_new(f->w.ctx, T_ECHO_SERVER, NULL, NULL);
    f->b = t_echo_new(f->w.ctx, T_ECHO_SERVER, NULL, NULL);
    assert_non_null(f->a);
    assert_non_null(f->b);
    assert_int_equal(onward_channel_set_add(f->set, &f->a->channel, "a"), 0);
    assert_int_equal(onward_channel_set_add(f->set, &f->b->channel, "b"), 0);
}

static void end(struct fixture *f)
{
    t_echo_free(f->a);
    t_echo_free(f->b);
    onward_channel_set_free(f->set);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

/* What the host is sent to, in order: "ab". */
static void expect(struct fixture *f, const char *want)
{
    char got[8] = "";
    void *user;

    while (onward_channel_set_next(f->set, &user) == 1)
        strncat(got, user, sizeof(got) - strlen(got) - 1);
    assert_string_equal(got, want);
}

static void run(struct fixture *f, int64_t now_ms)
{
    while (onward_desk_run(f->desk, now_ms) == 1)
        continue;
}

static void test_each_is_looked_at_once_at_the_start(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    expect(&f, "ab");
    expect(&f, "");
    end(&f);
}

static void test_what_the_host_does_itself_is_no_news(void **state)
{
    struct fixture f;
    size_t taken;

    (void)state;
    begin(&f);
    expect(&f, "ab");
    assert_int_equal(onward_channel_feed(&f.a->channel, "one\n", 4, &taken), 0);
    assert_int_equal(onward_channel_wants(&f.a->channel),
                     ONWARD_WANT_READ | ONWARD_WANT_WRITE);
    assert_int_equal(onward_channel_tick(&f.a->channel, 5), 0);
    expect(&f, "");
    end(&f);
}

static void test_what_happens_behind_its_back_is(void **state)
{
    struct fixture f;
    size_t taken;

    (void)state;
    begin(&f);
    expect(&f, "ab");
    t_echo_send(f.b, "x");
    t_echo_send(f.b, "y");
    t_echo_send(f.a, "z");
    expect(&f, "ba");
    expect(&f, "");

    assert_int_equal(onward_channel_feed(&f.a->channel, "PAUSE\n", 6, &taken),
                     0);
    expect(&f, "");
    onward_channel__resume(&f.a->channel);
    expect(&f, "a");
    onward_channel__close(&f.b->channel);
    expect(&f, "b");
    end(&f);
}

static void test_a_deadline_is_the_desks(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    expect(&f, "ab");
    run(&f, 1000);
    assert_true(onward_desk_deadline(f.desk) == ONWARD_NEVER);
    assert_int_equal(onward_channel_tick(&f.a->channel, 1000), 0);
    onward_channel__set_timeout(&f.a->channel, 500);
    expect(&f, "a");
    assert_int_equal(onward_desk_deadline(f.desk), 1500);
    run(&f, 1499);
    expect(&f, "");
    run(&f, 1500);
    expect(&f, "a");
    assert_int_equal(f.a->timeouts, 0);
    assert_int_equal(onward_channel_tick(&f.a->channel, 1500), 0);
    assert_int_equal(f.a->timeouts, 1);
    run(&f, 1501);
    expect(&f, "");
    end(&f);
}

static void test_a_deadline_that_moved_away_wakes_nobody(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    run(&f, 1000);
    assert_int_equal(onward_channel_tick(&f.a->channel, 1000), 0);
    onward_channel__set_timeout(&f.a->channel, 500);
    expect(&f, "ab");
    onward_channel__set_timeout(&f.a->channel, 2000);
    expect(&f, "a");
    run(&f, 1500);
    expect(&f, "");
    assert_int_equal(onward_desk_deadline(f.desk), 3000);
    run(&f, 3000);
    expect(&f, "a");
    end(&f);
}

static void test_a_freed_engine_is_gone_from_the_set(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    t_echo_free(f.a);
    f.a = NULL;
    expect(&f, "b");
    t_echo_free(f.b);
    f.b = NULL;
    expect(&f, "");
    end(&f);
}

static void test_the_set_may_go_first(void **state)
{
    struct fixture f;
    struct onward_channel_set *other;

    (void)state;
    begin(&f);
    onward_channel_set_free(f.set);
    f.set = NULL;
    t_echo_send(f.a, "x");
    assert_int_equal(onward_channel_set_new(f.desk, &other), 0);
    assert_int_equal(onward_channel_set_add(other, &f.a->channel, "a"), 0);
    onward_channel_set_free(other);
    onward_channel_set_free(NULL);
    end(&f);
}

static void test_a_removed_channel_can_be_added_again(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    onward_channel_set_remove(f.set, &f.a->channel);
    onward_channel_set_remove(f.set, &f.a->channel);
    t_echo_send(f.a, "x");
    expect(&f, "b");
    assert_int_equal(onward_channel_set_add(f.set, &f.a->channel, "A"), 0);
    expect(&f, "A");
    end(&f);
}

static void test_misuse(void **state)
{
    struct onward_channel_set *none = NULL;
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(onward_channel_set_new(NULL, &none), ONWARD_EINVAL);
    assert_int_equal(onward_channel_set_new(f.desk, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_channel_set_add(NULL, &f.a->channel, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_channel_set_add(f.set, NULL, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_channel_set_add(f.set, &f.a->channel, NULL),
                     ONWARD_ESTATE);
    end(&f);
}

static bool make_and_add(struct t_world *w, void *arg)
{
    struct onward_channel_set *set = NULL;
    struct onward_desk *desk = NULL;
    struct t_echo *e = NULL;
    int ret = onward_desk_new(w->ctx, NULL, &desk);

    (void)arg;
    if (ret == 0)
        ret = onward_channel_set_new(desk, &set);
    if (ret == 0)
        e = t_echo_new(w->ctx, T_ECHO_SERVER, NULL, NULL);
    if (e != NULL)
        ret = onward_channel_set_add(set, &e->channel, e);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    t_echo_free(e);
    onward_channel_set_free(set);
    if (desk != NULL)
        onward_desk_free(desk);
    return ret == 0 && e != NULL;
}

static void test_without_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_and_add, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_looked_at_once_at_the_start),
        cmocka_unit_test(test_what_the_host_does_itself_is_no_news),
        cmocka_unit_test(test_what_happens_behind_its_back_is),
        cmocka_unit_test(test_a_deadline_is_the_desks),
        cmocka_unit_test(test_a_deadline_that_moved_away_wakes_nobody),
        cmocka_unit_test(test_a_freed_engine_is_gone_from_the_set),
        cmocka_unit_test(test_the_set_may_go_first),
        cmocka_unit_test(test_a_removed_channel_can_be_added_again),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
