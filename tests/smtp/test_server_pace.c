/*
 * Who talks when: early talkers, replies that are held back; what the log is
 * told of a dialogue; and the keywords of Received (RFC 3848, 6531).
 */
#include "smtp/server_host.h"

#include "smtp/server_priv.h"

#define GREET "220 mx.test ESMTP\r\n"
#define OPEN "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"

static struct {
    struct t_world w;
    struct t_server t;
} f;

static void begin(size_t flags)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = flags;
}

static void end(void)
{
    t_server_stop(&f.t);
    t_world_clear(&f.w);
}

static void run_desk(void)
{
    while (onward_desk_run(f.t.desk, f.t.now_ms) == 1)
        ;
    t_server_drain(&f.t);
}

/* ---- Early talkers ----------------------------------------------------- */

static void test_early_while_connect_is_asked(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        begin(refuses ? ONWARD_SMTP_SERVER_REFUSE_EARLY : 0);
        f.t.defers = true;
        assert_int_equal(t_server_start(&f.t), 0);
        run_desk();
        /* It wants to be read from, to find them out, and takes nothing. */
        assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_READ);
        assert_int_equal(onward_smtp_server_is_early(f.t.session), 0);
        assert_int_equal(t_server_feed_only(&f.t, "NOOP\r\n", 6), 0);
        assert_int_equal(onward_smtp_server_is_early(f.t.session), 1);
        assert_int_equal(onward_channel_wants(f.t.channel), 0);
        t_server_answer(&f.t, 0);
        t_server_say(&f.t, "NOOP\r\n");
        if (refuses) {
            t_server_assert_out(&f.t, "554 mx.test Talked before the "
                                      "greeting\r\n");
            assert_int_equal(f.t.close_status, ONWARD_ESYNTAX);
        } else {
            t_server_assert_out(&f.t, GREET "250 2.0.0 OK\r\n");
            assert_int_equal(onward_smtp_server_is_early(f.t.session), 1);
        }
        assert_int_equal(f.t.close_count, refuses);
        end();
    }
}

/* The greeting lies in the channel, and the host has not looked at it. */
static void test_early_before_the_greeting_is_seen(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        begin(refuses ? ONWARD_SMTP_SERVER_REFUSE_EARLY : 0);
        f.t.no_connect = true;
        assert_int_equal(t_server_start(&f.t), 0);
        t_server_feed_only(&f.t, "NOOP\r\n", 6);
        assert_int_equal(onward_smtp_server_is_early(f.t.session), 1);
        run_desk();
        t_server_assert_out(&f.t, refuses ? GREET "554 5.5.1 Talked before the "
                                                  "greeting\r\n"
                                          : GREET "250 2.0.0 OK\r\n");
        end();
    }
}

static void test_not_early(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_REFUSE_EARLY);
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    t_server_assert_out(&f.t, GREET);
    t_server_feed_only(&f.t, "NOOP\r\n", 6);
    /* Pipelined: our reply is not seen yet, but the greeting was. */
    t_server_feed_only(&f.t, "NOOP\r\n", 6);
    assert_int_equal(onward_smtp_server_is_early(f.t.session), 0);
    end();
}

static void test_client_goes_before_the_greeting(void **state)
{
    (void)state;
    begin(0);
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    onward_channel_eof(f.t.channel, ONWARD_EOF_CLEAN);
    assert_int_equal(f.t.close_status, ONWARD_ECANCELED);
    assert_int_equal(t_server_answer(&f.t, 0), ONWARD_ESTALE);
    end();
}

/* ---- Replies that are held back ---------------------------------------- */

/* Answers what waits with a delay. */
static void answer_late(size_t i, size_t code, size_t delay_ms)
{
    f.t.answers[i].size = sizeof(f.t.answers[i]);
    f.t.answers[i].code = code;
    f.t.answers[i].delay_ms = delay_ms;
    assert_int_equal(t_server_answer(&f.t, i), 0);
    run_desk();
}

/* A banner that is late, to catch those who do not wait for it. */
static void test_late_greeting(void **state)
{
    (void)state;
    begin(0);
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    answer_late(0, 220, 5000);
    t_server_tick(&f.t, 4999);
    t_server_assert_out(&f.t, "");
    assert_int_equal(onward_channel_deadline(f.t.channel), f.t.now_ms + 1);
    t_server_feed_only(&f.t, "EHLO x\r\n", 8);
    assert_int_equal(onward_smtp_server_is_early(f.t.session), 1);
    t_server_tick(&f.t, 1);
    t_server_assert_out(&f.t, GREET);
    end();
}

static void test_late_reply_keeps_the_order(void **state)
{
    (void)state;
    begin(0);
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<>\r\n");
    t_server_forget(&f.t);
    f.t.defers = true;
    t_server_feed_only(&f.t, "RCPT TO:<a@mx.test>\r\nRCPT TO:<b@mx.test>\r\n",
                       42);
    answer_late(1, 250, 0);
    answer_late(0, 550, 3000);
    run_desk();
    t_server_tick(&f.t, 2999);
    t_server_assert_out(&f.t, "");
    /* Time goes on while more comes in. */
    t_server_feed_only(&f.t, "RCPT TO:<c@mx.test>\r\n", 21);
    f.t.defers = false;
    t_server_tick(&f.t, 1);
    t_server_assert_out(&f.t, "550 5.0.0 Mailbox not available\r\n"
                              "250 2.0.0 OK\r\n"
                              "250 2.1.5 Recipient OK\r\n");
    end();
}

static void test_delay_is_bounded_and_ends_with_shutdown(void **state)
{
    (void)state;
    begin(0);
    f.t.opts.answer_ms = 1000;
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    answer_late(0, 220, SIZE_MAX);
    t_server_tick(&f.t, 999);
    t_server_assert_out(&f.t, "");
    t_server_tick(&f.t, 1);
    t_server_assert_out(&f.t, GREET);
    t_server_feed_only(&f.t, "EHLO c.test\r\n", 13);
    answer_late(0, 250, 1000);
    run_desk();
    t_server_forget(&f.t);
    onward_smtp_server_shutdown(f.t.session);
    run_desk();
    assert_non_null(strstr(f.t.out, "250 ENHANCEDSTATUSCODES\r\n"
                                    "421 4.3.2 Shutting down\r\n"));
    end();
}

/* A host that pauses keeps the client waiting, not the clock of the reply. */
static void test_delay_and_pause(void **state)
{
    (void)state;
    begin(0);
    f.t.defers = true;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    answer_late(0, 220, 1000);
    run_desk();
    onward_smtp_server_pause(f.t.session);
    t_server_tick(&f.t, 5000);
    t_server_assert_out(&f.t, "");
    onward_smtp_server_resume(f.t.session);
    t_server_tick(&f.t, 0);
    t_server_assert_out(&f.t, GREET);
    end();
}

/* ---- The log ----------------------------------------------------------- */

static struct {
    char text[4096];
    size_t len;
} seen;

static void on_event(void *user, const struct onward_log_event *event)
{
    (void)user;
    if (event->level != ONWARD_LOG_DEBUG)
        return;
    seen.len += (size_t)snprintf(
        seen.text + seen.len, sizeof(seen.text) - seen.len, "%s %.*s\n",
        event->code, (int)event->detail.len, event->detail.data);
}

static int talk_line(struct onward_smtp_server *s, struct onward_str line)
{
    (void)line;
    server_exchange_end(s);
    return server_say(s, 501, "5.7.0", "Cancelled");
}

static size_t ended;

static void talk_ended(struct onward_smtp_server *s)
{
    (void)s;
    ended++;
}

static const struct server_exchange talk = {.line = talk_line,
                                            .ended = talk_ended};

static void test_trace(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"EHLO c.test\r\n", "command EHLO c.test\nreply 250-mx.test\n"
                            "reply 250-PIPELINING\nreply 250-SIZE 26214400\n"
                            "reply 250-8BITMIME\n"
                            "reply 250 ENHANCEDSTATUSCODES\n"},
        {"MAIL FROM:<a@b.test>\r\n",
         "command MAIL FROM:<a@b.test>\nreply 250 2.1.0 Sender OK\n"},
        {"NOOP \x1b[0m\r\n",
         "command NOOP \\x1B[0m\nreply 501 5.5.2 Control characters in a "
         "command\n"},
        /* A password that came unasked. */
        {"c2VjcmV0\r\n", "command *\nreply 500 5.5.1 Command not recognized\n"},
    };

    (void)state;
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    f.w.on_log = on_event;
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = ONWARD_SMTP_SERVER_TRACE;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&seen, 0, sizeof(seen));
        t_server_say(&f.t, rows[i].in);
        assert_string_equal(seen.text, rows[i].want);
    }
    memset(&seen, 0, sizeof(seen));
    server_exchange_begin(f.t.session, &talk);
    t_server_say(&f.t, "c2VjcmV0\r\n");
    assert_string_equal(seen.text, "command *\nreply 501 5.7.0 Cancelled\n");
    end();
}

/* A command whose refusal waits for the answers before it is told once. */
static void test_trace_of_what_waits(void **state)
{
    static const char in[] = "RCPT TO:<a@mx.test>\r\nRCPT TO:<b@mx.test>\r\n"
                             "RCPT TO:none\r\n";

    (void)state;
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    f.w.on_log = on_event;
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = ONWARD_SMTP_SERVER_TRACE;
    assert_int_equal(t_server_start(&f.t), 0);
    run_desk();
    t_server_say(&f.t, "EHLO c.test\r\nMAIL FROM:<>\r\n");
    memset(&seen, 0, sizeof(seen));
    f.t.defers = true;
    t_server_feed_only(&f.t, in, sizeof(in) - 1);
    while (f.t.token_count > 0) {
        t_server_answer(&f.t, 0);
        run_desk();
    }
    assert_string_equal(seen.text,
                        "command RCPT TO:<a@mx.test>\n"
                        "command RCPT TO:<b@mx.test>\n"
                        "command RCPT TO:none\n"
                        "reply 250 2.1.5 Recipient OK\n"
                        "reply 250 2.1.5 Recipient OK\n"
                        "reply 501 5.1.3 Bad recipient address syntax\n");
    end();
}

/* ---- Exchanges --------------------------------------------------------- */

/* A014: a line of an exchange costs a bounded memory; whatever ends it, it is
 * told so once. */
static void test_exchange_ends(void **state)
{
    static char big[20000];

    (void)state;
    for (int how = 0; how < 6; how++) {
        begin(0);
        assert_int_equal(t_server_start(&f.t), 0);
        run_desk();
        t_server_forget(&f.t);
        ended = 0;
        server_exchange_begin(f.t.session, &talk);
        memset(big, 'a', sizeof(big));
        switch (how) {
        case 0:
            memcpy(big + 12286, "\r\n", 3);
            t_server_say(&f.t, big);
            t_server_assert_out(&f.t, "501 5.7.0 Cancelled\r\n");
            break;
        case 1:
            memcpy(big + 12287, "\r\n", 3);
            t_server_say(&f.t, big);
            t_server_assert_out(&f.t, "500 5.5.6 Line too long\r\n");
            assert_true(f.w.peak_bytes < 40000);
            break;
        case 2:
            t_server_say(&f.t, "a\tb\r\n");
            t_server_assert_out(&f.t,
                                "501 5.5.2 Control characters in a line\r\n");
            break;
        case 3:
            t_server_eof(&f.t, ONWARD_EOF_CLEAN);
            break;
        case 4:
            t_server_tick(&f.t, 300000);
            assert_int_equal(f.t.close_status, ONWARD_ELIMIT);
            break;
        case 5:
            onward_smtp_server_free(f.t.session);
            f.t.session = NULL;
            break;
        }
        assert_int_equal(ended, 1);
        if (how < 3) {
            t_server_forget(&f.t);
            t_server_say(&f.t, "NOOP\r\n");
            t_server_assert_out(&f.t, "250 2.0.0 OK\r\n");
        }
        end();
        assert_int_equal(ended, 1);
    }
}

/* ---- Received ---------------------------------------------------------- */

static void test_with_keywords(void **state)
{
    static const struct {
        size_t mode;
        const char *hello;
        bool is_utf8, is_tls, is_authenticated;
        const char *want;
    } rows[] = {
        {0, "HELO", false, false, false, " with SMTP\r\n"},
        {0, "HELO", false, true, true, " with SMTP\r\n"},
        {0, "EHLO", false, false, false, " with ESMTP\r\n"},
        {0, "EHLO", false, false, true, " with ESMTPA\r\n"},
        {0, "EHLO", false, true, false, " with ESMTPS\r\n"},
        {0, "EHLO", false, true, true, " with ESMTPSA\r\n"},
        {2, "EHLO", false, true, true, " with ESMTPSA\r\n"},
        {1, "LHLO", false, false, false, " with LMTP\r\n"},
        {1, "LHLO", false, false, true, " with LMTPA\r\n"},
        {1, "LHLO", false, true, false, " with LMTPS\r\n"},
        {1, "LHLO", false, true, true, " with LMTPSA\r\n"},
        {0, "EHLO", true, false, false, " with UTF8SMTP\r\n"},
        {0, "EHLO", true, false, true, " with UTF8SMTPA\r\n"},
        {0, "EHLO", true, true, false, " with UTF8SMTPS\r\n"},
        {0, "EHLO", true, true, true, " with UTF8SMTPSA\r\n"},
        {1, "LHLO", true, false, false, " with UTF8LMTP\r\n"},
        {1, "LHLO", true, false, true, " with UTF8LMTPA\r\n"},
        {1, "LHLO", true, true, false, " with UTF8LMTPS\r\n"},
        {1, "LHLO", true, true, true, " with UTF8LMTPSA\r\n"},
    };
    char in[100], text[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_str field;

        begin(ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8 |
              ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED);
        f.t.opts.mode = rows[i].mode;
        assert_int_equal(t_server_start(&f.t), 0);
        run_desk();
        f.t.session->is_tls = rows[i].is_tls;
        f.t.session->is_authenticated = rows[i].is_authenticated;
        snprintf(in, sizeof(in), "%s c.test\r\nMAIL FROM:<>%s\r\n",
                 rows[i].hello, rows[i].is_utf8 ? " SMTPUTF8" : "");
        t_server_say(&f.t, in);
        assert_int_equal(
            onward_smtp_server_received(f.t.session, ONWARD_STR(""), &field),
            0);
        snprintf(text, sizeof(text), "%.*s", (int)field.len, field.data);
        /* ";" stands behind the keyword, the date behind that. */
        *strchr(text, ';') = '\r';
        assert_non_null(strstr(text, " with "));
        assert_memory_equal(strstr(text, " with "), rows[i].want,
                            strlen(rows[i].want) - 1);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_while_connect_is_asked),
        cmocka_unit_test(test_early_before_the_greeting_is_seen),
        cmocka_unit_test(test_not_early),
        cmocka_unit_test(test_client_goes_before_the_greeting),
        cmocka_unit_test(test_late_greeting),
        cmocka_unit_test(test_late_reply_keeps_the_order),
        cmocka_unit_test(test_delay_is_bounded_and_ends_with_shutdown),
        cmocka_unit_test(test_delay_and_pause),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_trace_of_what_waits),
        cmocka_unit_test(test_exchange_ends),
        cmocka_unit_test(test_with_keywords),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
