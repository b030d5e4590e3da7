/*
 * What a host can do to a server session: answer in any order, free it inside
 * any callback, pause it, shut it down, run out of memory; and the limits and
 * deadlines that hold when a client does not play along.
 */
#include "smtp/server_host.h"

#define HELLO                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n"   \
    "250 ENHANCEDSTATUSCODES\r\n"
#define GREET "220 mx.test ESMTP\r\n"
#define SENDER "250 2.1.0 Sender OK\r\n"
#define RCPT "250 2.1.5 Recipient OK\r\n"
#define GO "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TAKEN "250 2.0.0 Message accepted\r\n"
#define OPEN "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
#define OPENED GREET HELLO SENDER RCPT

struct fixture {
    struct t_world w;
    struct t_server t;
};

static struct fixture f; /* big */

static void begin(void)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
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

/* ---- Answers ----------------------------------------------------------- */

static void run_desk(void)
{
    while (onward_desk_run(f.t.desk, f.t.now_ms) == 1)
        ;
    t_server_drain(&f.t);
}

static void feed_raw(const char *text)
{
    assert_int_equal(t_server_feed_only(&f.t, text, strlen(text)),
                     strlen(text));
    t_server_drain(&f.t);
}

/* Five RCPT wait; their answers come in every order, the replies in one. */
static void answer_in_order(void *arg, const size_t *order, size_t n)
{
    bool used[5] = {false};

    (void)arg;
    begin();
    start();
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    /* The third is refused by the session: it waits for the two before. */
    feed_raw("RCPT TO:<a@mx.test>\r\nRCPT TO:<no@mx.test>\r\n"
             "RCPT TO:<busy@mx.test>\r\nRCPT TO:<d@mx.test>\r\n"
             "RCPT TO:<e@mx.test>\r\nRCPT TO:<bad\r\n");
    assert_int_equal(f.t.token_count, 5);
    for (size_t i = 0; i < n; i++) {
        size_t place = 0; /* among those that are left */

        for (size_t k = 0; k < order[i]; k++)
            place += used[k] ? 0 : 1;
        used[order[i]] = true;
        assert_int_equal(t_server_answer(&f.t, place), 0);
        if (i % 2 == 0)
            run_desk();
    }
    run_desk();
    t_server_assert_out(&f.t, RCPT "550 5.1.1 No such user\r\n"
                                   "451 4.2.0 Come again\r\n" RCPT RCPT
                                   "501 5.1.3 Bad recipient address "
                                   "syntax\r\n");
    assert_int_equal(onward_smtp_server_rcpt_count(f.t.session), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(onward_smtp_server_rcpt_accepted(f.t.session, i),
                         i != 1 && i != 2);
    end();
}

static void test_answers_in_every_order(void **state)
{
    (void)state;
    t_every_order(5, answer_in_order, NULL);
}

static void test_commands_wait_for_answers(void **state)
{
    (void)state;
    begin();
    start();
    t_server_say(&f.t, "EHLO c.test\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    /* RCPT depends on what becomes of MAIL. */
    assert_int_equal(
        t_server_feed_only(&f.t, "MAIL FROM:<no@b.test>\r\nRCPT TO:<c@d>\r\n",
                           40),
        23);
    assert_int_equal(f.t.token_count, 1);
    assert_int_equal(onward_channel_wants(f.t.channel), 0);
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    assert_int_equal(onward_channel_wants(f.t.channel), 0); /* only recorded */
    run_desk();
    t_server_assert_out(&f.t, "550 5.1.1 No such user\r\n");
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_READ);
    end();
}

/* While the final reply is due nothing is read. */
static void test_message_end_pauses(void **state)
{
    static const char in[] = OPEN "DATA\r\na\r\n.\r\nQUIT\r\n";

    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    assert_int_equal(t_server_feed_only(&f.t, "a\r\n.\r\nQUIT\r\n", 12), 6);
    assert_int_equal(t_server_feed_only(&f.t, "QUIT\r\n", 6), 0);
    assert_int_equal(onward_channel_wants(f.t.channel), 0);
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_out(&f.t, TAKEN);
    t_server_say(&f.t, "QUIT\r\n");
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_CLOSE);
    (void)in;
    end();
}

static void test_wrong_answers(void **state)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 354};
    uint64_t token;

    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN);
    f.t.defers = true;
    t_server_forget(&f.t);
    feed_raw("RCPT TO:<d@mx.test>\r\n");
    token = f.t.tokens[0];
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, &reply),
                     ONWARD_EINVAL);
    reply.code = 252;
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, &reply),
                     ONWARD_EINVAL);
    reply.code = 550;
    reply.enhanced = ONWARD_STR("4.1.1");
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, &reply),
                     ONWARD_EINVAL);
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token + 1, NULL),
                     ONWARD_ESTALE);
    reply.enhanced = ONWARD_STR("5.1.1");
    reply.text = ONWARD_STR("a\x1b\r\n250 b");
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, &reply), 0);
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, &reply),
                     ONWARD_ESTALE);
    run_desk();
    t_server_assert_out(&f.t, "550-5.1.1 a\\x1b\r\n550 5.1.1 250 b\r\n");
    end();
}

static void test_answer_after_free_is_stale(void **state)
{
    (void)state;
    begin();
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    onward_desk_run(f.t.desk, f.t.now_ms);
    assert_int_equal(f.t.token_count, 1);
    onward_smtp_server_free(f.t.session);
    f.t.session = NULL;
    assert_int_equal(t_server_answer(&f.t, 0), ONWARD_ESTALE);
    end();
}

static void test_greeting_refused(void **state)
{
    struct onward_smtp_reply reply = {
        .size = sizeof(reply), .code = 554, .text = ONWARD_STR("Not you")};

    (void)state;
    begin();
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    onward_desk_run(f.t.desk, f.t.now_ms);
    assert_int_equal(t_server_feed_only(&f.t, "EHLO x\r\n", 8), 0);
    f.t.answers[0] = reply;
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_out(&f.t, "554 mx.test Not you\r\n");
    t_server_assert_events(&f.t, "connect\nclose ONWARD_OK\n");
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_CLOSE);
    end();
}

static void test_greets_at_once_without_connect(void **state)
{
    (void)state;
    begin();
    f.t.no_connect = true;
    f.t.opts.banner = ONWARD_STR("ESMTP onward");
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_drain(&f.t);
    t_server_assert_out(&f.t, "220 mx.test ESMTP onward\r\n");
    end();
}

/* ---- Free, pause, shutdown --------------------------------------------- */

static void test_free_inside_every_callback(void **state)
{
    static const char in[] =
        OPEN "VRFY x\r\nRCPT TO:<d@mx.test>\r\nDATA\r\na\r\nb\r\n.\r\n"
             "MAIL FROM:<a@b.test>\r\nRSET\r\nQUIT\r\n";

    (void)state;
    for (int callback = T_CONNECT; callback <= T_CLOSE; callback++) {
        for (int way = 0; way < 4; way++) {
            if (callback == T_STARTTLS_READY || callback == T_SECURED)
                continue;
            begin();
            f.t.free_in = callback;
            f.t.free_at = way / 2;
            f.t.answers_now = true;
            assert_int_equal(t_server_start(&f.t), 0);
            if (way % 2 == 0) {
                t_server_say(&f.t, in);
            } else {
                for (size_t i = 0; i < sizeof(in) - 1; i++)
                    t_server_feed(&f.t, in + i, 1);
            }
            if (way < 2)
                assert_null(f.t.session);
            end();
        }
    }
}

static void test_desk_freed_first(void **state)
{
    size_t taken;

    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    t_server_forget(&f.t);
    onward_desk_free(f.t.desk);
    f.t.desk = NULL;
    assert_int_equal(onward_channel_feed(f.t.channel, "a\r\n.\r\n", 6, &taken),
                     ONWARD_ESTATE);
    t_server_assert_events(&f.t, "");
    end();
}

static void test_pause_stops_reading(void **state)
{
    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    f.t.pause_in = T_MESSAGE_DATA;
    assert_int_equal(t_server_feed_only(&f.t, "abc", 3), 3);
    assert_int_equal(t_server_feed_only(&f.t, "def", 3), 0);
    assert_int_equal(onward_channel_wants(f.t.channel), 0);
    assert_true(onward_channel_deadline(f.t.channel) == ONWARD_NEVER);
    f.t.pause_in = 0;
    onward_smtp_server_resume(f.t.session);
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_READ);
    assert_true(onward_channel_deadline(f.t.channel) != ONWARD_NEVER);
    t_server_say(&f.t, "def\r\n.\r\n");
    t_assert_str_n((struct onward_str){f.t.message, f.t.message_len},
                   "abcdef\r\n", 8);
    end();
}

/* What the client has filled leaves room for what the host writes. */
static void test_received_when_all_is_full(void **state)
{
    struct onward_str field[2];

    (void)state;
    begin();
    f.t.opts.session_bytes = 4096;
    start();
    t_server_say(&f.t, OPEN);
    for (size_t i = 0; i < 200 && strstr(f.t.out, "452 4.5.3") == NULL; i++) {
        t_server_say(&f.t, "RCPT TO:<a@mx.test>\r\n");
        f.t.out[f.t.out_len] = '\0';
    }
    assert_non_null(strstr(f.t.out, "452 4.5.3"));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(onward_smtp_server_received(
                             f.t.session, ONWARD_STR("x1"), &field[i]),
                         0);
    assert_int_equal(field[0].len, field[1].len);
    assert_memory_equal(field[0].data, field[1].data, field[0].len);
    t_server_say(&f.t, "RCPT TO:<a@mx.test>\r\nDATA\r\na\r\n.\r\n");
    assert_int_equal(f.t.message_code, 250);
    end();
}

/* A message is not late because the host kept it waiting. */
static void test_pause_is_not_the_clients_time(void **state)
{
    static const char *const begins[] = {OPEN "DATA\r\nabc",
                                         OPEN "BDAT 8 LAST\r\nabc"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin();
        f.t.opts.flags = ONWARD_SMTP_SERVER_ALLOW_CHUNKING;
        start();
        t_server_say(&f.t, begins[i]);
        onward_smtp_server_pause(f.t.session);
        onward_smtp_server_pause(f.t.session);
        t_server_tick(&f.t, 1000000);
        onward_smtp_server_resume(f.t.session);
        onward_smtp_server_resume(f.t.session);
        t_server_tick(&f.t, 179999); /* data_ms is 180000 */
        t_server_say(&f.t, i == 0 ? "def\r\n.\r\n" : "def\r\n");
        assert_int_equal(f.t.message_code, 250);
        /* Its own time counts on. */
        t_server_say(&f.t, "MAIL FROM:<>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n");
        t_server_tick(&f.t, 150000);
        t_server_say(&f.t, "a");
        onward_smtp_server_pause(f.t.session);
        t_server_tick(&f.t, 1000000);
        onward_smtp_server_resume(f.t.session);
        t_server_tick(&f.t, 149000);
        assert_int_equal(f.t.close_count, 0);
        t_server_tick(&f.t, 2000);
        assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
        end();
    }
}

static void test_shutdown(void **state)
{
    static const struct {
        const char *in;
        const char *out;
        const char *events;
    } rows[] = {
        {"EHLO c.test\r\n", "421 4.3.2 Shutting down\r\n", "close ONWARD_OK\n"},
        {OPEN "DATA\r\nabc", "421 4.3.2 Shutting down\r\n",
         "reset 6\nclose ONWARD_OK\n"},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin();
        start();
        t_server_say(&f.t, rows[i].in);
        t_server_forget(&f.t);
        onward_smtp_server_shutdown(f.t.session);
        t_server_assert_events(&f.t, ""); /* not before the desk runs */
        run_desk();
        t_server_assert_out(&f.t, rows[i].out);
        t_server_assert_events(&f.t, rows[i].events);
        end();
    }
}

/* An answer that is due goes out before 421. */
static void test_shutdown_waits_for_the_final_reply(void **state)
{
    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    f.t.defers = true;
    feed_raw("a\r\n.\r\n");
    t_server_forget(&f.t);
    onward_smtp_server_shutdown(f.t.session);
    run_desk();
    t_server_assert_out(&f.t, "");
    assert_int_equal(t_server_answer(&f.t, 0), 0);
    run_desk();
    t_server_assert_out(&f.t, TAKEN "421 4.3.2 Shutting down\r\n");
    t_server_assert_events(&f.t, "reset 1\nclose ONWARD_OK\n");
    end();
}

static void test_shutdown_before_greeting(void **state)
{
    (void)state;
    begin();
    assert_int_equal(t_server_start(&f.t), 0);
    onward_smtp_server_shutdown(f.t.session);
    run_desk();
    t_server_assert_out(&f.t, "421 4.3.2 Shutting down\r\n");
    t_server_assert_events(&f.t, "close ONWARD_OK\n");
    end();
}

/* ---- The end of the input ---------------------------------------------- */

/* A010: no end of the connection is an end of the message. */
static void test_eof_in_a_message(void **state)
{
    static const char *const tails[] = {"", "a", "a\r\n", "a\r\n.", "a\r\n.\r"};

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        begin();
        start();
        t_server_say(&f.t, OPEN "DATA\r\n");
        t_server_say(&f.t, tails[i / 2]);
        t_server_forget(&f.t);
        t_server_eof(&f.t, i % 2 == 0 ? ONWARD_EOF_CLEAN : ONWARD_EOF_CUT);
        t_server_assert_out(&f.t, "");
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        t_server_say(&f.t, "\n.\r\n\r\n.\r\n");
        t_server_assert_out(&f.t, "");
        end();
    }
}

/* ---- Every short message ----------------------------------------------- */

/* RFC 5321 sections 4.1.1.4 and 4.5.2, written down the slow way: the CRLF of
 * the DATA line counts as that before the dot. Returns octets up to the end. */
static size_t read_slowly(const char *in, size_t len, char *message,
                          size_t *message_len)
{
    char all[64] = "\r\n";
    size_t end = 0;

    memcpy(all + 2, in, len);
    while (memcmp(all + end, "\r\n.\r\n", 5) != 0)
        end++;
    *message_len = 0;
    for (size_t i = 2; i < end + 2; i++) {
        if (all[i] == '.' && all[i - 2] == '\r' && all[i - 1] == '\n')
            continue;
        message[(*message_len)++] = all[i];
    }
    return end + 3;
}

static void check_message(const char *in, size_t len)
{
    char want[64];
    size_t want_len, want_taken, taken;

    want_taken = read_slowly(in, len, want, &want_len);
    t_server_say(&f.t, "MAIL FROM:<>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    taken = t_server_feed_only(&f.t, in, len);
    if (taken != want_taken || f.t.token_count != 1)
        fail_msg("taken %zu, not %zu", taken, want_taken);
    t_assert_str_n((struct onward_str){f.t.message, f.t.message_len}, want,
                   want_len);
    f.t.defers = false;
    t_server_say(&f.t, "");
    t_server_assert_out(&f.t, TAKEN);
}

/* All strings of up to six of the octets that matter. */
static void test_every_short_message(void **state)
{
    static const char octets[] = {'.', '\r', '\n', 'x'};
    static const char tail[] = "\r\n.\r\n";

    (void)state;
    begin();
    f.t.opts.flags = ONWARD_SMTP_SERVER_ALLOW_BARE_LF;
    start();
    t_server_say(&f.t, "EHLO c.test\r\n");
    for (size_t len = 0; len <= 6; len++) {
        for (size_t n = 0; n < (size_t)1 << (2 * len); n++) {
            char in[16];

            for (size_t i = 0; i < len; i++)
                in[i] = octets[n >> (2 * i) & 3];
            memcpy(in + len, tail, sizeof(tail) - 1);
            check_message(in, len + sizeof(tail) - 1);
        }
    }
    end();
}

/* ---- Limits ------------------------------------------------------------ */

static void test_recipients(void **state)
{
    char line[64];

    (void)state;
    begin();
    start();
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "RCPT TO:<user%d@mx.test>\r\n", i);
        t_server_forget(&f.t);
        t_server_say(&f.t, line);
        t_server_assert_out(&f.t, RCPT);
    }
    assert_true(f.w.peak_bytes < 512 * 1024);
    f.w.peak_bytes = f.w.live_bytes;
    for (int i = 0; i < 3; i++) {
        size_t live = f.w.live_bytes;

        t_server_forget(&f.t);
        t_server_say(&f.t, line);
        t_server_assert_out(&f.t, "452 4.5.3 Too many recipients\r\n");
        assert_int_equal(f.w.live_bytes, live);
    }
    t_server_say(&f.t, "DATA\r\nx\r\n.\r\n");
    end();
}

/* The transaction's memory is a limit as well. */
static void test_recipients_at_the_memory_limit(void **state)
{
    static char line[300];
    size_t taken = 0;

    (void)state;
    begin();
    f.t.opts.session_bytes = 20000;
    start();
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    snprintf(line, sizeof(line), "RCPT TO:<a@%063d.%063d.%059d.test>\r\n", 0, 0,
             0);
    do {
        t_server_forget(&f.t);
        t_server_say(&f.t, line);
        taken++;
    } while (memcmp(f.t.out, "250", 3) == 0);
    t_server_assert_out(&f.t,
                        "452 4.5.3 Too many recipients, or no room now\r\n");
    assert_in_range(taken, 20, 100);
    end();
}

static void test_errors(void **state)
{
    (void)state;
    begin();
    f.t.opts.errors = 3;
    start();
    t_server_say(&f.t, "FOO\r\nFOO\r\nNOOP\r\nFOO\r\nNOOP\r\nNOOP\r\n");
    t_server_assert_out(&f.t, GREET "500 5.5.1 Command not recognized\r\n"
                                    "500 5.5.1 Command not recognized\r\n"
                                    "250 2.0.0 OK\r\n"
                                    "500 5.5.1 Command not recognized\r\n"
                                    "421 4.7.0 Too many errors\r\n");
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    end();
}

/* What the host, or the next hop, says of a message is no error of a client
 * that brings many. */
static void test_refused_messages_are_no_errors(void **state)
{
    (void)state;
    begin();
    f.t.opts.errors = 1;
    start();
    for (int i = 0; i < 3; i++) {
        t_server_forget(&f.t);
        t_server_say(&f.t, "HELO c.test\r\nMAIL FROM:<a@b.test>\r\n"
                           "RCPT TO:<c@d.test>\r\nDATA\r\nREJECT\r\n.\r\n");
        assert_non_null(strstr(f.t.out, "550 5.7.1 not at all\r\n"));
        assert_null(strstr(f.t.out, "421"));
    }
    end();
}

static void test_junk(void **state)
{
    (void)state;
    begin();
    f.t.opts.junk = 3;
    start();
    t_server_say(&f.t, "NOOP\r\nRSET\r\nNOOP\r\nNOOP\r\nNOOP\r\n");
    t_server_assert_out(&f.t, GREET "250 2.0.0 OK\r\n250 2.0.0 OK\r\n"
                                    "250 2.0.0 OK\r\n"
                                    "421 4.7.0 Too many idle commands\r\n");
    end();
}

static void fill_line(char *line, size_t len)
{
    memset(line, 'x', len);
    memcpy(line, "NOOP ", 5);
    memcpy(line + len - 2, "\r\n", 2);
}

/* A014: at the limit, past it, and without an end. */
static void test_line_lengths(void **state)
{
    static char line[40000];

    (void)state;
    for (int octets = 0; octets < 2; octets++) {
        for (size_t len = 2047; len < 2051; len++) {
            begin();
            start();
            fill_line(line, len);
            t_server_forget(&f.t);
            if (octets == 0)
                t_server_feed(&f.t, line, len);
            for (size_t i = 0; i < len && octets == 1; i++)
                t_server_feed(&f.t, line + i, 1);
            t_server_say(&f.t, "NOOP\r\n");
            t_server_assert_out(
                &f.t, len <= 2048
                          ? "250 2.0.0 OK\r\n250 2.0.0 OK\r\n"
                          : "500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n");
            end();
        }
    }
    for (size_t step = 1; step <= sizeof(line); step += sizeof(line) - 1) {
        begin();
        start();
        memset(line, 'x', sizeof(line));
        t_server_forget(&f.t);
        for (size_t at = 0; at < sizeof(line); at += step) {
            t_server_feed(&f.t, line + at, step);
            assert_true(f.w.live_bytes < 16384);
        }
        t_server_assert_out(&f.t, "421 4.7.0 Line too long\r\n");
        assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
        end();
    }
}

/* A023: on octets that came, at the limit and past it. */
static void test_message_size(void **state)
{
    static const struct {
        const char *text;
        const char *out;
    } rows[] = {
        {"12345678\r\n.\r\n", TAKEN},
        {"..2345678\r\n.\r\n", TAKEN}, /* the dot does not count */
        {"123456789\r\n.\r\n", "552 5.3.4 Message too big\r\n"},
        {"1\n2345678\r\n.\r\n", "550 5.6.0 Bare CR or LF in the message\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        f.t.opts.message_bytes = 10;
        start();
        t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<> SIZE=5\r\n"
                           "RCPT TO:<c@mx.test>\r\nDATA\r\n");
        t_server_forget(&f.t);
        t_server_say(&f.t, rows[i].text);
        t_server_say(&f.t, "DATA\r\n");
        f.t.out[strlen(rows[i].out)] = '\0';
        assert_string_equal(f.t.out, rows[i].out);
        assert_int_equal(f.t.message_code, (rows[i].out[0] - '0') * 100 +
                                               (rows[i].out[1] - '0') * 10 +
                                               rows[i].out[2] - '0');
        end();
    }
}

static void test_message_without_end(void **state)
{
    (void)state;
    begin();
    f.t.opts.message_bytes = 10;
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    t_server_forget(&f.t);
    t_server_say(&f.t, "xxxxxxxxxxxxxxxxxxxx");
    t_server_assert_out(&f.t, "");
    t_server_say(&f.t, "x");
    t_server_assert_out(&f.t, "552 5.3.4 Message too big\r\n");
    assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
    end();
}

/* A client that does not read its replies cannot make us hold them all. */
static void test_replies_not_read(void **state)
{
    static char in[200000];
    size_t taken = 0, sum = 0;

    (void)state;
    begin();
    f.t.opts.junk = ONWARD_LIMIT_NONE;
    start();
    for (size_t i = 0; i + 6 <= sizeof(in); i += 6)
        memcpy(in + i, "NOOP\r\n", 6);
    sum = t_server_feed_only(&f.t, in, 199998);
    assert_true(sum < 100000);
    assert_true(f.w.live_bytes < 200000);
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_WRITE);
    while (sum < 199998) {
        f.t.out_len = 0;
        t_server_drain(&f.t);
        taken = t_server_feed_only(&f.t, in + sum, 199998 - sum);
        assert_true(taken > 0);
        sum += taken;
    }
    end();
}

/* ---- Deadlines --------------------------------------------------------- */

static void test_command_deadline(void **state)
{
    (void)state;
    begin();
    start();
    t_server_say(&f.t, "EHLO c.test\r\n");
    t_server_forget(&f.t);
    /* One octet a minute does not help. */
    for (int i = 0; i < 4; i++) {
        t_server_tick(&f.t, 60000);
        t_server_say(&f.t, "x");
    }
    t_server_assert_out(&f.t, "");
    t_server_tick(&f.t, 60000);
    t_server_assert_out(&f.t, "421 4.4.2 Timeout\r\n");
    t_server_assert_events(&f.t, "close ONWARD_ELIMIT\n");
    end();
}

static void test_message_deadlines(void **state)
{
    int64_t waited = 0;

    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    t_server_forget(&f.t);
    t_server_tick(&f.t, 179999);
    t_server_assert_out(&f.t, "");
    t_server_tick(&f.t, 1);
    t_server_assert_out(&f.t, "421 4.4.2 Timeout\r\n");
    t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ELIMIT\n");
    end();
    /* A minute between octets is too slow for the message as a whole. */
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    while (f.t.close_count == 0 && waited < 1000000) {
        t_server_tick(&f.t, 60000);
        t_server_say(&f.t, "x");
        waited += 60000;
    }
    assert_in_range((size_t)waited, 300000, 360000);
    end();
}

static void test_answer_deadline(void **state)
{
    uint64_t token;

    (void)state;
    begin();
    start();
    t_server_say(&f.t, OPEN "DATA\r\n");
    f.t.defers = true;
    feed_raw("a\r\n.\r\n");
    token = f.t.tokens[0];
    t_server_forget(&f.t);
    f.t.now_ms += 599999;
    onward_channel_tick(f.t.channel, f.t.now_ms);
    t_server_drain(&f.t);
    t_server_assert_out(&f.t, "");
    f.t.now_ms += 1;
    onward_channel_tick(f.t.channel, f.t.now_ms);
    t_server_drain(&f.t);
    t_server_assert_out(&f.t, "451 4.3.0 Local error, try again later\r\n");
    t_server_assert_events(&f.t, "reset 2\n");
    assert_int_equal(onward_smtp_reply_answer(f.t.desk, token, NULL),
                     ONWARD_ESTALE);
    f.t.token_count = 0;
    end();
}

/* ---- Options ----------------------------------------------------------- */

static void test_options(void **state)
{
    (void)state;
    begin();
    f.t.opts.hostname = ONWARD_STR("mx test");
    assert_int_equal(t_server_start(&f.t), ONWARD_EINVAL);
    f.t.opts.hostname = ONWARD_STR("mx.test");
    f.t.opts.banner = ONWARD_STR("a\r\nb");
    assert_int_equal(t_server_start(&f.t), ONWARD_EINVAL);
    f.t.opts.banner = ONWARD_STR("");
    f.t.opts.flags = (size_t)1 << 31;
    assert_int_equal(t_server_start(&f.t), ONWARD_EINVAL);
    f.t.opts.flags = 0;
    f.t.opts.mode = 3;
    assert_int_equal(t_server_start(&f.t), ONWARD_EINVAL);
    end();
}

/* ---- Memory ------------------------------------------------------------ */

static void test_idle_session_is_small(void **state)
{
    size_t before;

    (void)state;
    begin();
    assert_int_equal(onward_desk_new(f.w.ctx, NULL, &f.t.desk), 0);
    before = f.w.live_bytes;
    start();
    t_server_say(&f.t, "EHLO client.example.com\r\n");
    print_message("idle session: %zu octets after EHLO,",
                  f.w.live_bytes - before);
    assert_true(f.w.live_bytes - before <= 1024);
    t_server_say(&f.t, OPEN "DATA\r\nhello\r\n.\r\n");
    print_message(" %zu after a message\n", f.w.live_bytes - before);
    assert_true(f.w.live_bytes - before <= 1024);
    end();
}

static bool dialogue(struct t_world *w, void *arg)
{
    static const char in[] =
        OPEN "RCPT TO:<no@mx.test>\r\nNOOP\r\nDATA\r\nhello\r\n..\r\n.\r\n"
             "MAIL FROM:<>\r\nRSET\r\nQUIT\r\n";
    struct t_server *t = &f.t;
    bool ok;

    memset(t, 0, sizeof(*t));
    t_server_prepare(t, w);
    t->defers = *(bool *)arg;
    ok = t_server_start(t) == 0;
    if (ok) {
        t_server_say(t, in);
        ok = t->close_count == 1 && t->close_status == 0;
        /* Whatever failed, nothing was promised that did not happen. */
        assert_int_equal(t->close_count, 1);
    }
    t_server_stop(t);
    return ok;
}

static void test_out_of_memory(void **state)
{
    bool defers = false;

    (void)state;
    t_oom_sweep(dialogue, &defers);
    defers = true;
    t_oom_sweep(dialogue, &defers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_every_order),
        cmocka_unit_test(test_commands_wait_for_answers),
        cmocka_unit_test(test_message_end_pauses),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_answer_after_free_is_stale),
        cmocka_unit_test(test_greeting_refused),
        cmocka_unit_test(test_greets_at_once_without_connect),
        cmocka_unit_test(test_free_inside_every_callback),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_pause_stops_reading),
        cmocka_unit_test(test_received_when_all_is_full),
        cmocka_unit_test(test_pause_is_not_the_clients_time),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_waits_for_the_final_reply),
        cmocka_unit_test(test_shutdown_before_greeting),
        cmocka_unit_test(test_eof_in_a_message),
        cmocka_unit_test(test_every_short_message),
        cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_recipients_at_the_memory_limit),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refused_messages_are_no_errors),
        cmocka_unit_test(test_junk),
        cmocka_unit_test(test_line_lengths),
        cmocka_unit_test(test_message_size),
        cmocka_unit_test(test_message_without_end),
        cmocka_unit_test(test_replies_not_read),
        cmocka_unit_test(test_command_deadline),
        cmocka_unit_test(test_message_deadlines),
        cmocka_unit_test(test_answer_deadline),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_idle_session_is_small),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
