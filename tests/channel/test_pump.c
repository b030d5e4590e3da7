/*
 * The pump over a scripted connection: would-block at every place, short
 * reads and writes, ends, errors, and callbacks that break their contract.
 */
#include "support/echo.h"

struct wire {
    const char *in;
    size_t in_len, in_at;
    size_t step;   /* octets a call moves at most; 0: all */
    bool stutters; /* every second call would block */
    unsigned calls;
    int read_error, write_error; /* returned instead, when not 0 */
    bool write_ends;             /* the peer takes no more */
    size_t lie;                  /* added to each count */
    bool ends;                   /* after the input comes its end */
    struct t_echo *free_in_read, *free_in_write;
    char out[4096];
    size_t out_len;
};

static int wire_read(void *user, void *buf, size_t cap, size_t *got)
{
    struct wire *w = user;
    size_t len = w->in_len - w->in_at;

    if (w->free_in_read != NULL) {
        t_echo_free(w->free_in_read);
        w->free_in_read = NULL;
    }
    if (w->read_error != 0)
        return w->read_error;
    if (w->stutters && w->calls++ % 2 == 0)
        return ONWARD_AGAIN;
    if (len == 0 && !w->ends)
        return ONWARD_AGAIN;
    if (w->step > 0 && len > w->step)
        len = w->step;
    if (len > cap)
        len = cap;
    if (len > 0)
        memcpy(buf, w->in + w->in_at, len);
    w->in_at += len;
    *got = w->lie > 0 ? cap + w->lie : len;
    return 0;
}

static int wire_write(void *user, const void *data, size_t len, size_t *put)
{
    struct wire *w = user;

    if (w->free_in_write != NULL) {
        t_echo_free(w->free_in_write);
        w->free_in_write = NULL;
    }
    if (w->write_error != 0)
        return w->write_error;
    if (w->stutters && w->calls++ % 2 == 0)
        return ONWARD_AGAIN;
    if (w->write_ends) {
        *put = 0;
        return 0;
    }
    if (w->step > 0 && len > w->step)
        len = w->step;
    assert_true(len <= sizeof(w->out) - w->out_len);
    memcpy(w->out + w->out_len, data, len);
    w->out_len += len;
    *put = len + w->lie;
    return 0;
}

static struct wire wire_of(const char *in)
{
    return (struct wire){.in = in, .in_len = strlen(in)};
}

static struct onward_channel_io io_of(struct wire *w)
{
    return (struct onward_channel_io){.size = sizeof(struct onward_channel_io),
                                      .user = w,
                                      .read = wire_read,
                                      .write = wire_write};
}

static const char talk[] = "one\ntwo\nthree\n";

static void run(size_t step, bool stutters)
{
    struct t_world w = {0};
    struct wire wire = wire_of(talk);
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;
    int ret = 1;

    wire.step = step;
    wire.stutters = stutters;
    wire.ends = true;
    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    for (int i = 0;
         i < 200 && onward_channel_wants(&e->channel) != ONWARD_WANT_CLOSE; i++)
        ret = onward_channel_pump(&e->channel, &io);
    assert_true(ret >= 0);
    assert_int_equal(e->eof, ONWARD_EOF_CLEAN);
    t_assert_str_n(onward_core__str(wire.out, wire.out_len), talk,
                   sizeof(talk) - 1);
    t_echo_free(e);
    t_world_clear(&w);
}

static void test_moves_all(void **state)
{
    (void)state;
    for (size_t step = 0; step < 6; step++) {
        run(step, false);
        run(step, true);
    }
}

static void test_keeps_what_a_paused_engine_leaves(void **state)
{
    struct t_world w = {0};
    struct wire wire = wire_of("a\nPAUSE\nb\n");
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    assert_int_equal(onward_channel_pump(&e->channel, &io), 0);
    t_assert_str(onward_core__str(wire.out, wire.out_len), "a\nPAUSE\n");
    assert_int_equal(onward_channel_wants(&e->channel), 0);
    assert_int_equal(onward_channel_unread(&e->channel), 2);
    onward_channel__resume(&e->channel);
    assert_true(onward_channel_deadline(&e->channel) <= 0);
    assert_int_equal(onward_channel_pump(&e->channel, &io), 0);
    assert_int_equal(onward_channel_unread(&e->channel), 0);
    t_assert_str(onward_core__str(wire.out, wire.out_len), "a\nPAUSE\nb\n");
    t_echo_free(e);
    t_world_clear(&w);
}

static void test_one_connection_does_not_take_all_the_time(void **state)
{
    struct t_world w = {0};
    char line[101];
    struct wire wire;
    struct onward_channel_io io;
    struct t_echo *e;

    (void)state;
    memset(line, 'a', 99);
    line[99] = '\n';
    line[100] = '\0';
    wire = wire_of(line);
    wire.step = 1;
    io = io_of(&wire);
    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    assert_int_equal(onward_channel_pump(&e->channel, &io), 1);
    assert_true(wire.in_at > 0 && wire.in_at < 100);
    t_echo_free(e);
    t_world_clear(&w);
}

static const struct row {
    const char *name;
    int read_error, write_error;
    bool write_ends;
    size_t lie;
    int want;
    int want_eof;
} rows[] = {
    {"read fails", -1000, 0, false, 0, ONWARD_ECALLBACK, ONWARD_EOF_CUT},
    {"write fails", 0, -1, false, 0, ONWARD_ECALLBACK, ONWARD_EOF_CUT},
    {"the peer takes no more", 0, 0, true, 0, 0, ONWARD_EOF_CUT},
    {"counts too high", 0, 0, false, 1, ONWARD_EINVAL, 0},
};

static void test_broken_connection(void **state)
{
    const struct row *row = *state;
    struct t_world w = {0};
    struct wire wire = wire_of("a\n");
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;

    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    wire.read_error = row->read_error;
    wire.write_error = row->write_error;
    wire.write_ends = row->write_ends;
    wire.lie = row->lie;
    assert_int_equal(onward_channel_pump(&e->channel, &io), row->want);
    assert_int_equal(e->eof, row->want_eof);
    if (row->want_eof != 0)
        assert_int_equal(onward_channel_wants(&e->channel), ONWARD_WANT_CLOSE);
    t_echo_free(e);
    t_world_clear(&w);
}

static void test_write_counts_too_high(void **state)
{
    struct t_world w = {0};
    struct wire wire = wire_of("");
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    assert_int_equal(t_echo_send(e, "hello\n"), 0);
    wire.lie = 1;
    assert_int_equal(onward_channel_pump(&e->channel, &io), ONWARD_EINVAL);
    t_echo_free(e);
    t_world_clear(&w);
}

static void test_bad_tables(void **state)
{
    struct t_world w = {0};
    struct wire wire = wire_of("");
    struct {
        struct onward_channel_io io;
        void *more;
    } newer = {.io = io_of(&wire)};
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
    assert_int_equal(onward_channel_pump(&e->channel, NULL), ONWARD_EINVAL);
    io.read = NULL;
    assert_int_equal(onward_channel_pump(&e->channel, &io), ONWARD_EINVAL);
    io = io_of(&wire);
    io.write = NULL;
    assert_int_equal(onward_channel_pump(&e->channel, &io), ONWARD_EINVAL);
    newer.io.size = sizeof(newer);
    assert_int_equal(onward_channel_pump(&e->channel, &newer.io), 0);
    newer.more = &wire;
    assert_int_equal(onward_channel_pump(&e->channel, &newer.io),
                     ONWARD_EVERSION);
    t_echo_free(e);
    t_world_clear(&w);
}

static void test_free_inside(void **state)
{
    struct t_world w = {0};
    struct wire wire = wire_of("a\nnow\n");
    struct onward_channel_io io = io_of(&wire);
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    for (int where = 0; where < 3; where++) {
        bool gone = false;

        wire.in_at = 0;
        e = t_echo_new(w.ctx, T_ECHO_SERVER, NULL, NULL);
        e->gone = &gone;
        if (where == 0)
            wire.free_in_read = e;
        else if (where == 1)
            wire.free_in_write = e;
        else
            e->free_at = "now";
        assert_int_equal(t_echo_send(e, "hello\n"), 0);
        assert_int_equal(onward_channel_pump(&e->channel, &io),
                         ONWARD_ECANCELED);
        assert_true(gone);
    }
    t_world_clear(&w);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int main(void)
{
    struct CMUnitTest tests[6 + ROWS] = {
        cmocka_unit_test(test_moves_all),
        cmocka_unit_test(test_keeps_what_a_paused_engine_leaves),
        cmocka_unit_test(test_one_connection_does_not_take_all_the_time),
        cmocka_unit_test(test_write_counts_too_high),
        cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_free_inside),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[6 + i].name = rows[i].name;
        tests[6 + i].test_func = test_broken_connection;
        tests[6 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
