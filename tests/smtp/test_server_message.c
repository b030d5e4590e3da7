/*
 * Messages in chunks and messages for several recipients: answers that come
 * late or in another order, ends in the middle, limits, and no memory.
 */
#include <time.h>

#include "smtp/server_host.h"

#define OPEN "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
#define LOPEN                                                                  \
    "LHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<a@mx.test>\r\n"           \
    "RCPT TO:<quota@mx.test>\r\nRCPT TO:<b@mx.test>\r\n"

static struct {
    struct t_world w;
    struct t_server t;
} f;

static void begin(size_t flags, size_t mode)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = flags;
    f.t.opts.mode = mode;
}

static void start(void)
{
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_feed(&f.t, NULL, 0);
}

static void end(void)
{
    t_server_stop(&f.t);
    t_world_clear(&f.w);
}

static void feed_only(const char *text)
{
    size_t len = strlen(text);

    assert_int_equal(t_server_feed_only(&f.t, text, len), len);
}

static void run_desk(void)
{
    while (onward_desk_run(f.t.desk, f.t.now_ms) == 1)
        ;
    t_server_drain(&f.t);
}

/* ---- BDAT -------------------------------------------------------------- */

/* Until the host has said yes to the first chunk, none of it is read. */
static void test_first_chunk_waits_for_the_host(void **state)
{
    static const char chunk[] = "BDAT 3 LAST\r\na\r\n";

    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN);
    t_server_forget(&f.t);
    f.t.defers = true;
    assert_int_equal(t_server_feed_only(&f.t, chunk, sizeof(chunk) - 1), 13);
    assert_int_equal(f.t.message_len, 0);
    assert_int_equal(onward_channel_wants(f.t.channel), 0);
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_out(&f.t, "");
    t_server_say(&f.t, "a\r\n");
    t_server_assert_out(&f.t, "250 2.0.0 Message accepted\r\n");
    end();
}

/* Then the chunk is swallowed, and the host's words come behind it. */
static void test_host_refuses_at_the_first_chunk(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN);
    t_server_forget(&f.t);
    f.t.defers = true;
    feed_only("BDAT 6\r\n");
    f.t.answers[0] = (struct onward_smtp_reply){
        .size = sizeof(f.t.answers[0]),
        .code = 451,
        .enhanced = ONWARD_STR("4.7.1"),
        .text = ONWARD_STR("Greylisted"),
    };
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    f.t.defers = false;
    t_server_say(&f.t, "QUIT\r");
    t_server_assert_out(&f.t, "");
    t_server_say(&f.t, "\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    t_server_assert_out(&f.t, "451 4.7.1 Greylisted\r\n"
                              "503 5.5.1 Need MAIL first\r\n250 2.0.0 OK\r\n");
    t_server_assert_events(&f.t, "data\nreset 2\n");
    assert_int_equal(f.t.message_code, 451);
    end();
}

static void test_421_at_the_first_chunk(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN);
    t_server_forget(&f.t);
    f.t.defers = true;
    feed_only("BDAT 6\r\n");
    f.t.answers[0].size = sizeof(f.t.answers[0]);
    f.t.answers[0].code = 421;
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_events(&f.t, "data\nreset 6\nclose ONWARD_OK\n");
    assert_non_null(strstr(f.t.out, "421 4.0.0 "));
    end();
}

static void test_eof_in_a_chunk(void **state)
{
    (void)state;
    for (int kind = ONWARD_EOF_CLEAN; kind <= ONWARD_EOF_CUT; kind++) {
        begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
        start();
        t_server_say(&f.t, OPEN "BDAT 6 LAST\r\nab");
        t_server_forget(&f.t);
        t_server_eof(&f.t, kind);
        t_server_say(&f.t, "cdef");
        t_server_assert_out(&f.t, "");
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        end();
    }
}

static void test_free_and_pause_inside_a_chunk(void **state)
{
    static const int at[] = {T_DATA, T_MESSAGE_DATA, T_MESSAGE_END, T_RESET};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
        f.t.free_in = at[i];
        start();
        t_server_say(&f.t, OPEN "BDAT 2\r\na\rBDAT 1 LAST\r\n\nNOOP\r\n");
        assert_null(f.t.session);
        assert_int_equal(f.t.close_count, 0);
        end();
    }
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    f.t.pause_in = T_MESSAGE_DATA;
    start();
    t_server_say(&f.t, OPEN "BDAT 4 LAST\r\na");
    assert_int_equal(t_server_feed_only(&f.t, "b\r\n", 3), 0);
    f.t.pause_in = 0;
    onward_smtp_server_resume(f.t.session);
    t_server_say(&f.t, "b\r\n");
    assert_int_equal(f.t.message_code, 250);
    end();
}

static void test_shutdown_inside_a_chunk(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN "BDAT 4 LAST\r\na");
    t_server_forget(&f.t);
    onward_smtp_server_shutdown(f.t.session);
    t_server_feed(&f.t, NULL, 0);
    t_server_assert_out(&f.t, "421 4.3.2 Shutting down\r\n");
    t_server_assert_events(&f.t, "reset 6\nclose ONWARD_OK\n");
    end();
}

/* A020: between octets, and the chunk as a whole. */
static void test_chunk_deadlines(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN "BDAT 900\r\na");
    t_server_tick(&f.t, 179999);
    assert_int_equal(f.t.close_count, 0);
    t_server_tick(&f.t, 1);
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    assert_int_equal(f.t.close_count, 1);
    end();
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    start();
    t_server_say(&f.t, OPEN "BDAT 900\r\n");
    for (int i = 0; i < 40; i++) {
        t_server_say(&f.t, "a");
        t_server_tick(&f.t, 10000);
    }
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    assert_int_equal(f.t.close_count, 1);
    end();
    /* A chunk that nobody wants is no better. */
    begin(0, 0);
    start();
    t_server_say(&f.t, "EHLO c.test\r\nBDAT 900\r\n");
    for (int i = 0; i < 40; i++) {
        t_server_say(&f.t, "a");
        t_server_tick(&f.t, 10000);
    }
    assert_int_equal(f.t.close_count, 1);
    end();
}

/* Each chunk starts the clock anew; so small ones are counted. */
static void test_small_chunks_are_junk(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
    f.t.opts.junk = 10;
    start();
    t_server_say(&f.t, OPEN); /* EHLO is one */
    for (int i = 0; i < 9; i++)
        t_server_say(&f.t, "BDAT 1\r\na");
    assert_int_equal(f.t.close_count, 0);
    t_server_say(&f.t, "BDAT 1\r\na");
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    assert_int_equal(f.t.close_count, 1);
    end();
}

/* ---- LMTP -------------------------------------------------------------- */

static void lmtp_order(const size_t *order)
{
    static const char *const texts[] = {"250 2.0.0 first\r\n",
                                        "452 4.2.2 Mailbox full\r\n",
                                        "250 2.0.0 third\r\n"};
    size_t left[3] = {0, 1, 2}, count = 3, told = 0;
    char want[100] = "";

    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    start();
    t_server_say(&f.t, LOPEN "DATA\r\nx\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    feed_only(".\r\n");
    assert_int_equal(f.t.token_count, 3);
    /* The next command waits for all of them. */
    assert_int_equal(t_server_feed_only(&f.t, "NOOP\r\n", 6), 0);
    f.t.answers[0].code = 250;
    f.t.answers[0].text = ONWARD_STR("first");
    f.t.answers[2].code = 250;
    f.t.answers[2].text = ONWARD_STR("third");
    for (size_t i = 0; i < 3; i++) {
        size_t at = 0;

        while (left[at] != order[i])
            at++;
        assert_int_equal(t_server_answer(&f.t, at), 0);
        memmove(left + at, left + at + 1, (--count - at) * sizeof(left[0]));
        run_desk();
        while (told < 3) {
            bool waits = false;

            for (size_t k = 0; k < count; k++)
                waits = waits || left[k] == told;
            if (waits)
                break;
            strcat(want, texts[told++]);
        }
        t_server_assert_out(&f.t, want);
        assert_int_equal(f.t.reset_count, count == 0 ? 1 : 0);
    }
    assert_int_equal(f.t.message_code, 250);
    end();
}

static void test_lmtp_answers_in_every_order(void **state)
{
    static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (size_t i = 0; i < 6; i++)
        lmtp_order(orders[i]);
}

static void test_lmtp_one_answer_for_all(void **state)
{
    (void)state;
    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    f.t.no_message_rcpt = true;
    start();
    t_server_say(&f.t, LOPEN "DATA\r\n");
    t_server_forget(&f.t);
    t_server_say(&f.t, "DEFER\r\n.\r\n");
    t_server_assert_out(&f.t, "450 4.0.0 Mailbox not available now\r\n"
                              "450 4.0.0 Mailbox not available now\r\n"
                              "450 4.0.0 Mailbox not available now\r\n");
    t_server_assert_events(&f.t, "end 7\nreset 2\n");
    end();
}

/* What each recipient was told last. */
static size_t codes[3];

static void keep_codes(void *user, int why)
{
    struct t_server *t = user;

    (void)why;
    for (size_t i = 0; i < 3; i++)
        codes[i] = onward_smtp_server_rcpt_code(t->session, i);
    assert_int_equal(onward_smtp_server_rcpt_code(t->session, 3), 0);
}

static void test_rcpt_codes(void **state)
{
    (void)state;
    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    f.t.on_reset = keep_codes;
    start();
    t_server_say(&f.t, "LHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@mx.test>\r\n"
                       "RCPT TO:<no@mx.test>\r\nRCPT TO:<quota@mx.test>\r\n");
    assert_int_equal(onward_smtp_server_rcpt_code(f.t.session, 1), 550);
    assert_int_equal(onward_smtp_server_rcpt_code(f.t.session, 2), 250);
    t_server_say(&f.t, "DATA\r\n.\r\n");
    assert_int_equal(codes[0], 250);
    assert_int_equal(codes[1], 550);
    assert_int_equal(codes[2], 452);
    end();
}

/* One of them says 421: what is left is not answered any more. */
/* Millions of CR in one piece without an LF cost as many looks, not squares. */
static void test_bare_cr_without_end(void **state)
{
    enum { LEN = 4 * 1024 * 1024, SECONDS_MAX = 5 };
    char *data = malloc(LEN);

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < LEN; i++)
        data[i] = i % 2 == 0 ? '\r' : 'a';
    for (int bdat = 0; bdat < 2; bdat++) {
        clock_t began;

        begin(ONWARD_SMTP_SERVER_ALLOW_CHUNKING, 0);
        f.t.opts.message_bytes = 2 * (size_t)LEN;
        start();
        t_server_say(&f.t, OPEN);
        t_server_say(&f.t, bdat ? "BDAT 4194304 LAST\r\n" : "DATA\r\n");
        began = clock();
        assert_int_equal(t_server_feed_only(&f.t, data, LEN), LEN);
        assert_in_range((clock() - began) / CLOCKS_PER_SEC, 0, SECONDS_MAX);
        if (!bdat)
            t_server_say(&f.t, "\r\n.\r\n");
        assert_int_equal(f.t.message_code, 550);
        end();
    }
    free(data);
}

/*
 * Answers that are longer, all together, than what the channel holds: each
 * goes out, in order, as the client reads. what: RCPT answered at once, the
 * message for each recipient, the message for all.
 */
static void long_answers(int what)
{
    static char text[4097];
    size_t count = what == 0 ? 32 : T_TOKENS, lines = 0;

    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    f.t.no_message_rcpt = what == 2;
    start();
    t_server_say(&f.t, "LHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    f.t.defers = what == 0;
    for (size_t i = 0; i < count; i++)
        feed_only("RCPT TO:<x@mx.test>\r\n");
    if (what != 0) {
        t_server_say(&f.t, "DATA\r\n");
        f.t.defers = true;
        feed_only("a\r\n.\r\n");
    }
    t_server_drain(&f.t);
    t_server_forget(&f.t);
    memset(text, 'x', sizeof(text) - 1);
    while (f.t.token_count > 0) {
        f.t.answers[0].code = 450;
        f.t.answers[0].text = onward_str_of(text);
        assert_int_equal(t_server_answer(&f.t, 0), 0);
    }
    for (size_t turn = 0; turn < 1000; turn++) {
        struct onward_str out;

        while (onward_desk_run(f.t.desk, f.t.now_ms) == 1)
            ;
        out = onward_channel_peek(f.t.channel);
        assert_true(out.len < 131072);
        for (size_t i = 0; i + 3 < out.len; i++)
            lines += memcmp(out.data + i, "450 ", 4) == 0;
        onward_channel_drain(f.t.channel, out.len);
    }
    assert_int_equal(lines, count);
    assert_int_equal(f.t.close_count, 0);
    t_server_say(&f.t, "NOOP\r\n");
    t_server_assert_out(&f.t, "250 2.0.0 OK\r\n");
    end();
}

static void test_long_answers(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++)
        long_answers(what);
}

/* Our own short ones too, when there are very many recipients. */
static void test_lmtp_answers_five_thousand(void **state)
{
    static const char rcpt[] = "RCPT TO:<x@mx.test>\r\n";

    (void)state;
    for (int one = 0; one < 2; one++) {
        begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
        f.t.no_message_rcpt = one == 1;
        f.t.opts.recipients = 5000;
        f.t.opts.session_bytes = 4000000;
        start();
        t_server_say(&f.t, "LHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
        for (size_t i = 0; i < 5000; i++) {
            feed_only(rcpt);
            t_server_drain(&f.t);
            t_server_forget(&f.t);
        }
        t_server_say(&f.t, "DATA\r\n");
        t_server_forget(&f.t);
        f.t.quiet = true;
        feed_only("a\r\n.\r\n");
        for (size_t lines = 0; lines < 5000;) {
            struct onward_str out = onward_channel_peek(f.t.channel);

            assert_true(out.len > 0);
            for (size_t i = 0; i < out.len; i++)
                lines += out.data[i] == '\n';
            onward_channel_drain(f.t.channel, out.len);
        }
        assert_int_equal(f.t.close_count, 0);
        assert_int_equal(f.t.message_code, 250);
        end();
    }
}

/* A client that does not read them is not waited for. */
static void test_long_answers_are_not_read(void **state)
{
    static char text[4097];

    (void)state;
    begin(0, ONWARD_SMTP_SERVER_MODE_SMTP);
    start();
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    f.t.defers = true;
    for (size_t i = 0; i < 32; i++)
        feed_only("RCPT TO:<x@mx.test>\r\n");
    memset(text, 'x', sizeof(text) - 1);
    while (f.t.token_count > 0) {
        f.t.answers[0].code = 450;
        f.t.answers[0].text = onward_str_of(text);
        assert_int_equal(t_server_answer(&f.t, 0), 0);
    }
    while (onward_desk_run(f.t.desk, f.t.now_ms) == 1)
        ;
    assert_int_equal(f.t.close_count, 0);
    assert_true(onward_channel_deadline(f.t.channel) != ONWARD_NEVER);
    f.t.now_ms += 300000;
    onward_channel_tick(f.t.channel, f.t.now_ms);
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    end();
}

static void test_lmtp_421_and_free(void **state)
{
    (void)state;
    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    start();
    t_server_say(&f.t, LOPEN "DATA\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    feed_only(".\r\n");
    f.t.answers[1].code = 421;
    for (int i = 0; i < 3; i++)
        assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_out(&f.t, "250 2.0.0 Message accepted\r\n"
                              "421 4.2.2 Mailbox full\r\n");
    t_server_assert_events(&f.t, "end 0 for 0\nend 0 for 1\nend 0 for 2\n"
                                 "reset 6\nclose ONWARD_OK\n");
    end();
    for (int at = 0; at < 3; at++) {
        begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
        f.t.free_in = T_MESSAGE_RCPT;
        f.t.free_at = at;
        start();
        t_server_say(&f.t, LOPEN "DATA\r\n.\r\n");
        assert_null(f.t.session);
        end();
    }
}

static void test_lmtp_answer_deadline(void **state)
{
    (void)state;
    begin(0, ONWARD_SMTP_SERVER_MODE_LMTP);
    start();
    t_server_say(&f.t, LOPEN "DATA\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    feed_only(".\r\n");
    t_server_answer(&f.t, 1);
    run_desk();
    f.t.token_count = 0;
    t_server_tick(&f.t, 600000);
    t_server_assert_out(&f.t, "451 4.3.0 Local error, try again later\r\n"
                              "452 4.2.2 Mailbox full\r\n"
                              "451 4.3.0 Local error, try again later\r\n");
    end();
}

/* ---- Memory ------------------------------------------------------------ */

static bool dialogue(struct t_world *w, void *arg)
{
    static const char chunks[] =
        OPEN "BDAT 3\r\na\r\nBDAT 0 LAST\r\nMAIL FROM:<>\r\nBDAT 2 LAST\r\nxx"
             "MAIL FROM:<>\r\nRCPT TO:<c@mx.test>\r\nBDAT 2\r\nxxQUIT\r\n";
    static const char lmtp[] = LOPEN "DATA\r\nhello\r\n.\r\nQUIT\r\n";
    int how = *(int *)arg;
    struct t_server *t = &f.t;
    bool ok;

    memset(t, 0, sizeof(*t));
    t_server_prepare(t, w);
    t->opts.flags = ONWARD_SMTP_SERVER_ALLOW_CHUNKING;
    t->opts.mode = how / 2 == 1 ? ONWARD_SMTP_SERVER_MODE_LMTP : 0;
    t->defers = how % 2 == 1;
    ok = t_server_start(t) == 0;
    if (ok) {
        t_server_say(t, how / 2 == 1 ? lmtp : chunks);
        ok = t->close_count == 1 && t->close_status == 0;
        assert_int_equal(t->close_count, 1);
    }
    t_server_stop(t);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++)
        t_oom_sweep(dialogue, &how);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_chunk_waits_for_the_host),
        cmocka_unit_test(test_host_refuses_at_the_first_chunk),
        cmocka_unit_test(test_421_at_the_first_chunk),
        cmocka_unit_test(test_eof_in_a_chunk),
        cmocka_unit_test(test_free_and_pause_inside_a_chunk),
        cmocka_unit_test(test_shutdown_inside_a_chunk),
        cmocka_unit_test(test_chunk_deadlines),
        cmocka_unit_test(test_small_chunks_are_junk),
        cmocka_unit_test(test_lmtp_answers_in_every_order),
        cmocka_unit_test(test_lmtp_one_answer_for_all),
        cmocka_unit_test(test_rcpt_codes),
        cmocka_unit_test(test_bare_cr_without_end),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_lmtp_answers_five_thousand),
        cmocka_unit_test(test_long_answers_are_not_read),
        cmocka_unit_test(test_lmtp_421_and_free),
        cmocka_unit_test(test_lmtp_answer_deadline),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
