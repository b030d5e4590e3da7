/*
 * A channel by hand: cuts, pauses, deadlines, water marks, ends, and what a
 * host may do inside callbacks.
 */
#include "support/echo.h"

struct fixture {
    struct t_world w;
    struct t_echo *e;
    struct onward_channel *ch;
};

static void begin(struct fixture *f, enum t_echo_role role)
{
    memset(f, 0, sizeof(*f));
    t_world_init(&f->w);
    f->e = t_echo_new(f->w.ctx, role, NULL, NULL);
    assert_non_null(f->e);
    f->ch = &f->e->channel;
}

static void end(struct fixture *f)
{
    t_echo_free(f->e);
    t_world_clear(&f->w);
}

static size_t feed(struct fixture *f, const char *text)
{
    size_t taken = 4711;

    assert_int_equal(onward_channel_feed(f->ch, text, strlen(text), &taken), 0);
    return taken;
}

static void expect_out(struct fixture *f, const char *want)
{
    struct onward_str out = onward_channel_peek(f->ch);

    t_assert_str(out, want);
    assert_int_equal(onward_channel_drain(f->ch, out.len), 0);
}

/* ---- Cuts -------------------------------------------------------------- */

static const char talk[] = "one\n\ntwo three\nBYE\nnot looked at\n";

static void cut_begin(void *arg)
{
    begin(arg, T_ECHO_SERVER);
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct fixture *f = arg;
    size_t taken;

    assert_int_equal(onward_channel_feed(f->ch, data, len, &taken), 0);
    assert_int_equal(taken, len);
}

static void cut_end(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(onward_channel_wants(f->ch), ONWARD_WANT_WRITE);
    expect_out(f, "one\n\ntwo three\n");
    assert_int_equal(onward_channel_wants(f->ch), ONWARD_WANT_CLOSE);
    end(f);
}

static void test_any_cut_is_the_same(void **state)
{
    static const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    struct fixture f;

    (void)state;
    t_cut_everywhere(&cut, &f, talk, sizeof(talk) - 1);
}

/* ---- Pauses ------------------------------------------------------------ */

static void test_pause_leaves_the_rest_with_the_host(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    assert_int_equal(feed(&f, "a\nPAUSE\nb\n"), 8);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_WRITE);
    assert_int_equal(feed(&f, "b\n"), 0);
    expect_out(&f, "a\nPAUSE\n");
    assert_int_equal(onward_channel_wants(f.ch), 0);
    assert_true(onward_channel_deadline(f.ch) == ONWARD_NEVER);
    onward_channel__resume(f.ch);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_READ);
    assert_int_equal(feed(&f, "b\n"), 2);
    expect_out(&f, "b\n");
    end(&f);
}

/* ---- Water marks ------------------------------------------------------- */

static void fill_to(struct fixture *f, size_t len)
{
    while (onward_channel__out_len(f->ch) < len)
        assert_true(onward_channel__write(f->ch, "0123456789abcdef", 16) >= 0);
}

static void test_server_takes_no_input_while_output_is_full(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    fill_to(&f, 4096);
    assert_int_equal(onward_channel__write(f.ch, "x", 1), 1);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_WRITE);
    assert_int_equal(feed(&f, "a\n"), 0);
    assert_int_equal(onward_channel_drain(f.ch, 100), 0);
    assert_int_equal(onward_channel_wants(f.ch),
                     ONWARD_WANT_WRITE | ONWARD_WANT_READ);
    assert_int_equal(feed(&f, "a\n"), 2);
    end(&f);
}

static void test_client_reads_while_output_is_full(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_CLIENT);
    fill_to(&f, 4096);
    assert_int_equal(onward_channel_wants(f.ch),
                     ONWARD_WANT_WRITE | ONWARD_WANT_READ);
    assert_int_equal(feed(&f, "a\n"), 2);
    end(&f);
}

static void test_drained_asks_for_more(void **state)
{
    struct fixture f;
    size_t total = 0;

    (void)state;
    begin(&f, T_ECHO_CLIENT);
    f.e->burst = 20000;
    fill_to(&f, 4096);
    assert_int_equal(onward_channel_drain(f.ch, 3000), 0);
    assert_int_equal(f.e->drains, 0);
    while (onward_channel__out_len(f.ch) > 0) {
        total += onward_channel_peek(f.ch).len > 700 ? 700 : 1;
        assert_true(onward_channel__out_len(f.ch) <= 4096 + 100);
        assert_int_equal(
            onward_channel_drain(f.ch,
                                 onward_channel_peek(f.ch).len > 700 ? 700 : 1),
            0);
    }
    assert_int_equal(f.e->burst, 0);
    assert_true(f.e->drains >= 4);
    assert_int_equal(total, 20000 + 4096 - 3000);
    end(&f);
}

static void test_output_has_a_ceiling(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_CLIENT);
    fill_to(&f, 65536);
    assert_int_equal(onward_channel__write(f.ch, "x", 1), ONWARD_ELIMIT);
    assert_int_equal(onward_channel__out_room(f.ch), 0);
    /* Nothing was lost, and it goes on when there is room. */
    assert_int_equal(onward_channel_drain(f.ch, 10), 0);
    assert_int_equal(onward_channel__write(f.ch, "x", 1), 1);
    assert_int_equal(onward_channel__out_len(f.ch), 65527);
    assert_int_equal(onward_channel_drain(f.ch, 65528), ONWARD_EINVAL);
    assert_int_equal(onward_channel_drain(f.ch, 65527), 0);
    end(&f);
}

/* ---- Time -------------------------------------------------------------- */

static void test_timeout_counts_from_the_first_time_told(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    assert_true(onward_channel_deadline(f.ch) == ONWARD_NEVER);
    onward_channel__set_timeout(f.ch, 300000);
    assert_true(onward_channel_deadline(f.ch) == 0);
    assert_int_equal(onward_channel_tick(f.ch, 5000000), 0);
    assert_int_equal(f.e->timeouts, 0);
    assert_true(onward_channel_deadline(f.ch) == 5300000);
    assert_int_equal(onward_channel_tick(f.ch, 5299999), 0);
    assert_int_equal(f.e->timeouts, 0);
    /* Back in time counts as standing still. */
    assert_int_equal(onward_channel_tick(f.ch, 1), 0);
    assert_true(onward_channel__now(f.ch) == 5299999);
    assert_int_equal(onward_channel_tick(f.ch, 5300000), 0);
    assert_int_equal(f.e->timeouts, 1);
    assert_true(onward_channel_deadline(f.ch) == ONWARD_NEVER);
    assert_int_equal(onward_channel_tick(f.ch, 9900000), 0);
    assert_int_equal(f.e->timeouts, 1);
    onward_channel__set_timeout(f.ch, ONWARD_NEVER - 1);
    assert_true(onward_channel_deadline(f.ch) == ONWARD_NEVER);
    onward_channel__set_deadline(f.ch, 9900001);
    assert_true(onward_channel_deadline(f.ch) == 9900001);
    end(&f);
}

static void test_desk_clock_counts_too(void **state)
{
    struct fixture f;
    struct onward_desk *desk = NULL;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    assert_int_equal(onward_desk_new(f.w.ctx, NULL, &desk), 0);
    f.ch->desk = desk;
    assert_true(onward_desk_run(desk, 7000) >= 0);
    onward_channel__set_timeout(f.ch, 1000);
    assert_true(onward_channel_deadline(f.ch) == 8000);
    assert_int_equal(onward_channel_tick(f.ch, 8000), 0);
    assert_int_equal(f.e->timeouts, 1);
    f.ch->desk = NULL;
    onward_desk_free(desk);
    end(&f);
}

static void test_closing_peer_is_not_waited_for(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    assert_int_equal(onward_channel_tick(f.ch, 1000), 0);
    onward_channel__set_timeout(f.ch, 500);
    feed(&f, "last words\nBYE\n");
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_WRITE);
    assert_int_equal(onward_channel__write(f.ch, "x", 1), ONWARD_ESTATE);
    assert_int_equal(feed(&f, "dropped\n"), 8);
    assert_int_equal(onward_channel_tick(f.ch, 1500), 0);
    assert_int_equal(f.e->timeouts, 0);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_CLOSE);
    end(&f);
}

/* ---- Ends -------------------------------------------------------------- */

static void test_clean_end_comes_after_the_input(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    feed(&f, "a\nPAUSE\n");
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CLEAN), 0);
    assert_int_equal(f.e->eof, 0);
    onward_channel__resume(f.ch);
    /* What is ready without input has a deadline: at once. */
    assert_true(onward_channel_deadline(f.ch) <= 0);
    assert_int_equal(onward_channel_tick(f.ch, 1), 0);
    assert_int_equal(f.e->eof, ONWARD_EOF_CLEAN);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_WRITE);
    expect_out(&f, "a\nPAUSE\n");
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_CLOSE);
    end(&f);
}

static void test_cut_comes_at_once(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    feed(&f, "a\nPAUSE\n");
    assert_int_equal(onward_channel_eof(f.ch, 0), ONWARD_EINVAL);
    assert_int_equal(onward_channel_eof(f.ch, 3), ONWARD_EINVAL);
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CUT), 0);
    assert_int_equal(f.e->eof, ONWARD_EOF_CUT);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_CLOSE);
    assert_int_equal(onward_channel_peek(f.ch).len, 0);
    f.e->eof = 0;
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CUT), 0);
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CLEAN), 0);
    assert_int_equal(f.e->eof, 0);
    assert_int_equal(feed(&f, "x\n"), 2);
    end(&f);
}

static void test_cut_after_clean_end(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    feed(&f, "PAUSE\n");
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CLEAN), 0);
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CUT), 0);
    assert_int_equal(f.e->eof, ONWARD_EOF_CUT);
    t_assert_str(onward_core__buf_str(&f.e->seen), "line PAUSE\neof cut\n");
    end(&f);
}

static void test_engine_error_is_told_once(void **state)
{
    struct fixture f;
    size_t taken;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    f.e->fail_with = ONWARD_ESYNTAX;
    assert_int_equal(onward_channel_feed(f.ch, "a\nFAIL\nb\n", 9, &taken),
                     ONWARD_ESYNTAX);
    assert_int_equal(taken, 9);
    assert_int_equal(feed(&f, "c\n"), 2);
    expect_out(&f, "a\n");
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_CLOSE);
    assert_int_equal(onward_channel_tick(f.ch, 1), 0);
    assert_int_equal(onward_channel_eof(f.ch, ONWARD_EOF_CLEAN), 0);
    assert_int_equal(f.e->eof, 0);
    end(&f);
}

static void test_abort_drops_the_output(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    feed(&f, "a\n");
    onward_channel__abort(f.ch);
    assert_int_equal(onward_channel_wants(f.ch), ONWARD_WANT_CLOSE);
    end(&f);
}

/* ---- Inside callbacks -------------------------------------------------- */

static int no_read(void *user, void *buf, size_t cap, size_t *got)
{
    (void)user, (void)buf, (void)cap, (void)got;
    return ONWARD_AGAIN;
}

static int no_write(void *user, const void *data, size_t len, size_t *put)
{
    (void)user, (void)data, (void)len, (void)put;
    return ONWARD_AGAIN;
}

static const struct onward_channel_io idle_io = {
    .size = sizeof(idle_io), .read = no_read, .write = no_write};

static void call_everything(struct t_echo *e, struct onward_str line)
{
    struct onward_channel *ch = &e->channel;
    size_t taken = 4711;

    (void)line;
    assert_int_equal(onward_channel_feed(ch, "x\n", 2, &taken), ONWARD_ESTATE);
    assert_int_equal(taken, 0);
    assert_int_equal(onward_channel_peek(ch).len, 0);
    assert_int_equal(onward_channel_drain(ch, 1), ONWARD_ESTATE);
    assert_int_equal(onward_channel_tick(ch, 1), ONWARD_ESTATE);
    assert_int_equal(onward_channel_eof(ch, ONWARD_EOF_CUT), ONWARD_ESTATE);
    assert_int_equal(onward_channel_pump(ch, &idle_io), ONWARD_ESTATE);
    assert_true((onward_channel_wants(ch) & ONWARD_WANT_READ) != 0);
    assert_true(onward_channel_deadline(ch) == ONWARD_NEVER);
}

static void test_calls_inside_a_callback_are_refused(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    f.e->hook = call_everything;
    feed(&f, "a\nb\n");
    expect_out(&f, "a\nb\n");
    end(&f);
}

static void test_free_inside_a_callback(void **state)
{
    struct fixture f;
    bool gone = false;
    size_t taken;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    f.e->gone = &gone;
    f.e->free_at = "now";
    assert_int_equal(onward_channel_feed(f.ch, "a\nnow\nb\n", 8, &taken),
                     ONWARD_ECANCELED);
    assert_true(gone);
    f.e = NULL;
    end(&f);
}

static void free_in_host_callback(struct t_echo *e, bool *gone)
{
    onward_channel__enter(&e->channel);
    t_echo_free(e);
    t_echo_free(e); /* twice is a host's bug that we survive inside */
    assert_false(*gone);
    assert_true(onward_channel__is_dead(&e->channel));
    assert_true(onward_channel__leave(&e->channel));
}

static void test_free_inside_a_desk_callback(void **state)
{
    struct fixture f;
    bool gone = false;

    (void)state;
    begin(&f, T_ECHO_SERVER);
    f.e->gone = &gone;
    free_in_host_callback(f.e, &gone);
    assert_true(gone);
    f.e = NULL;
    end(&f);
}

/* ---- Out of memory ----------------------------------------------------- */

static bool talk_without_memory(struct t_world *w, void *arg)
{
    struct t_echo *e = t_echo_new(w->ctx, T_ECHO_SERVER, NULL, NULL);
    bool through = false;
    size_t taken;

    (void)arg;
    if (e == NULL)
        return false;
    if (onward_channel_feed(&e->channel, talk, sizeof(talk) - 1, &taken) == 0)
        through = onward_channel_peek(&e->channel).len == 15;
    else
        assert_int_equal(taken, sizeof(talk) - 1);
    t_echo_free(e);
    return through;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(talk_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_is_the_same),
        cmocka_unit_test(test_pause_leaves_the_rest_with_the_host),
        cmocka_unit_test(test_server_takes_no_input_while_output_is_full),
        cmocka_unit_test(test_client_reads_while_output_is_full),
        cmocka_unit_test(test_drained_asks_for_more),
        cmocka_unit_test(test_output_has_a_ceiling),
        cmocka_unit_test(test_timeout_counts_from_the_first_time_told),
        cmocka_unit_test(test_desk_clock_counts_too),
        cmocka_unit_test(test_closing_peer_is_not_waited_for),
        cmocka_unit_test(test_clean_end_comes_after_the_input),
        cmocka_unit_test(test_cut_comes_at_once),
        cmocka_unit_test(test_cut_after_clean_end),
        cmocka_unit_test(test_engine_error_is_told_once),
        cmocka_unit_test(test_abort_drops_the_output),
        cmocka_unit_test(test_calls_inside_a_callback_are_refused),
        cmocka_unit_test(test_free_inside_a_callback),
        cmocka_unit_test(test_free_inside_a_desk_callback),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
