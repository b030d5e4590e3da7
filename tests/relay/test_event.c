/*
 * A message in the hands of code, by the rows of the product that we follow: 18
 * to 26 the event and forwards, 27 to 40 replies, 41 to 48 messages that are
 * sent. The rules of replies and messages one by one are in tests/handler.
 */
#include "relay/post.h"

#define REPLY                                                                  \
    "From: robot@example.com\r\nTo: ann@a.example\r\n"                         \
    "Message-ID: <r@example.com>\r\nIn-Reply-To: <one@a.example>\r\n"          \
    "Subject: Re: hi\r\n\r\nThank you.\r\n"
#define LETTER                                                                 \
    "From: robot@example.com\r\nTo: one@dest.example\r\n"                      \
    "Bcc: two@dest.example\r\nMessage-ID: <l@example.com>\r\n"                 \
    "\r\nNews.\r\n"

static const char with_id[] = "From: Ann <ann@a.example>\r\n"
                              "To: me@example.com\r\n"
                              "Message-ID: <one@a.example>\r\n"
                              "Subject: hi\r\n"
                              "\r\n"
                              "Hello.\r\n";

static struct onward_refusal why;
static struct onward_field_list *fields;

static int code(int ret)
{
    if (ret == 1)
        return ONWARD_REFUSAL_NONE;
    assert_int_equal(ret, 0);
    return (int)why.code;
}

static int forward(struct onward_event *e, const char *to)
{
    why = (struct onward_refusal){.size = sizeof(why)};
    return code(onward_event_forward(e, onward_str_of(to), fields, NULL, &why));
}

static int reject(struct onward_event *e, size_t reply_code,
                  const char *enhanced, const char *text)
{
    const struct onward_smtp_reply r = {.size = sizeof(r),
                                        .code = reply_code,
                                        .enhanced = onward_str_of(enhanced),
                                        .text = onward_str_of(text)};

    return onward_event_set_reject(e, &r);
}

static int answer_mail(struct onward_event *e, const char *data)
{
    const struct onward_event_message m = {.size = sizeof(m),
                                           .data = onward_str_of(data)};

    why = (struct onward_refusal){.size = sizeof(why)};
    return code(onward_event_reply(e, &m, NULL, &why));
}

static int send_mail(struct onward_event *e, const char *data)
{
    const struct onward_event_message m = {.size = sizeof(m),
                                           .data = onward_str_of(data)};

    why = (struct onward_refusal){.size = sizeof(why)};
    return code(onward_event_send(e, NULL, &m, NULL, &why));
}

static struct onward_event_action action(struct onward_event *e, size_t i)
{
    struct onward_event_action a = {.size = sizeof(a)};

    assert_int_equal(onward_event_action_at(e, i, &a), 0);
    return a;
}

static const char *post(struct t_post *x, const char *to, const char *message)
{
    return t_post_send(x, "ann@a.example", to, message);
}

/* ---- 18 to 22: the event ---------------------------------------------------
 */

static int look(struct t_post *x, uint64_t token, struct onward_event *e)
{
    const struct onward_header *h = onward_event_header(e);
    const struct onward_source *source = onward_event_source(e);
    size_t i = onward_header_first(h, ONWARD_STR("x-a"));
    char twice[2][4];
    size_t got;

    /* 18: one recipient, with its detail. */
    t_assert_str(onward_event_from(e), "ann@a.example");
    t_assert_str(onward_event_to(e), "code+Detail@example.com");
    t_assert_str(onward_event_handler(e), "robot");
    assert_int_equal(onward_event_is_webhook(e), 0);
    assert_ptr_equal(onward_event_relay(e), x->relay);
    /* 19: all occurrences, in order. */
    t_assert_str(onward_header_value(h, i), " 1");
    i = onward_header_below(h, i);
    t_assert_str(onward_header_value(h, i), " 2");
    assert_true(onward_header_below(h, i) == ONWARD_HEADER_NONE);
    /* 20: the octets, as often as one likes. */
    for (int n = 0; n < 2; n++) {
        assert_int_equal(source->read(source->user, 0, twice[n], 4, &got), 0);
        assert_int_equal(got, 4);
        assert_memory_equal(twice[n], "X-A:", 4);
    }
    assert_int_equal(source->len, strlen(with_id) + 14);
    /* 82: the verdict is there, whatever the message says of itself. */
    assert_int_equal(onward_verifier_dmarc_result(onward_event_verifier(e)),
                     ONWARD_DMARC_PASS);
    /* 21 */
    assert_int_equal(onward_event_can_be_forwarded(e), 1);
    assert_int_equal(onward_event_can_be_replied(e, NULL), 1);
    onward_event_set_user(e, x);
    assert_ptr_equal(onward_event_user(e), x);
    return onward_event_done(x->desk, token);
}

static void test_row_18_to_21_what_an_event_gives(void **state)
{
    char message[1024] = "X-A: 1\r\nx-a:2\r\n";
    struct t_post x;

    (void)state;
    memcpy(message, "X-A: 1\r\nx-a: 2\r\n", 17);
    t_post_open(&x);
    x.handler = look;
    snprintf(message, sizeof(message), "X-A: 1\r\nx-a: 2\r\n%s", with_id);
    message[strlen(message) - 2] = '\0'; /* 14 more, all in all */
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code+Detail@example.com"), 1);
    assert_int_equal(t_post_data(&x, message), 0);
    assert_int_equal(x.handled_count, 1);
    assert_int_equal(x.done, 1);
    /* 25: nothing done is taken, and dropped. */
    assert_string_equal(t_post_reply(&x), "250 2.0.0 OK");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_HANDLED);
    assert_int_equal(x.asked_count, 0);
    assert_int_equal(onward_event_state(x.event), ONWARD_EVENT_ANSWERED);
    t_post_close(&x);
}

static int do_nothing(struct t_post *x, uint64_t token, struct onward_event *e)
{
    (void)x;
    (void)token;
    (void)e;
    return 0;
}

static int finish(struct t_post *x, uint64_t token, struct onward_event *e)
{
    (void)e;
    return onward_event_done(x->desk, token);
}

static void test_row_18_one_event_a_recipient(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = finish;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    /* The handler may decide otherwise for the next one. */
    assert_int_equal(t_post_rcpt(&x, "more@example.com"), 0);
    assert_memory_equal(x.reply, "452 4.5.3", 9);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1); /* again */
    t_post_reset(&x);
    x.opts.share_events = 1;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code+1@example.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "code+2@example.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "other@example.com"), 0);
    assert_int_equal(t_post_data(&x, t_post_plain), 0);
    assert_int_equal(x.handled_count, 2);
    assert_int_equal(onward_relay_event_count(x.relay), 2);
    t_assert_str(onward_event_to(onward_relay_event_at(x.relay, 0)),
                 "code+1@example.com");
    t_assert_str(onward_event_to(onward_relay_event_at(x.relay, 1)),
                 "code+2@example.com");
    assert_null(onward_relay_event_at(x.relay, 2));
    assert_string_equal(t_post_reply(&x), "250 2.0.0 OK");
    t_post_close(&x);
}

static void test_a_host_without_handlers(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 0);
    assert_string_equal(x.reply,
                        "451 4.3.5 The handler of this address is not here");
    t_post_close(&x);
}

/* 21: code may look at what it cannot forward. */
static int look_at_unauthenticated(struct t_post *x, uint64_t token,
                                   struct onward_event *e)
{
    assert_int_equal(onward_event_can_be_forwarded(e), 0);
    assert_int_equal(forward(e, "me@dest.example"),
                     ONWARD_REFUSAL_NOT_FORWARDABLE);
    assert_string_equal(why.what, "unauthenticated");
    return onward_event_done(x->desk, token);
}

static void test_row_21_mail_that_cannot_be_forwarded(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = look_at_unauthenticated;
    x.client_ip = "192.0.2.66";
    assert_string_equal(t_post_send(&x, "bob@n.example", "code@example.com",
                                    "From: bob@n.example\r\n\r\nHello.\r\n"),
                        "250 2.0.0 OK");
    assert_int_equal(x.handled_count, 1);
    /* A101: what DMARC rejects does not even come to code. */
    assert_memory_equal(post(&x, "code@example.com", t_post_plain), "550 5.7.1",
                        9);
    assert_int_equal(x.handled_count, 1);
    /* A rule's forward is refused for such mail, as ever. */
    assert_memory_equal(t_post_send(&x, "bob@n.example", "me@example.com",
                                    "From: bob@n.example\r\n\r\nHello.\r\n"),
                        "550 5.7.26", 10);
    t_post_close(&x);
}

static size_t reject_code;
static const char *reject_enhanced, *reject_text;
static int reject_ret;

static int do_reject(struct t_post *x, uint64_t token, struct onward_event *e)
{
    struct onward_smtp_reply got = {.size = sizeof(got)};

    assert_int_equal(onward_event_reject(e, &got), 0);
    reject_ret = reject(e, reject_code, reject_enhanced, reject_text);
    assert_int_equal(onward_event_reject(e, &got), reject_ret == 1);
    assert_int_equal(onward_event_done(x->desk, token), 0);
    assert_int_equal(reject(e, 0, "", "late"), 0);
    return 0;
}

static void test_row_22_set_reject(void **state)
{
    static char long_text[600];
    static const struct {
        size_t code;
        const char *enhanced, *text;
        int ret;
        const char *want;
    } rows[] = {
        {0, "", "No, thank you", 1, "550 5.7.1 No, thank you"},
        {555, "", "as the product", 1, "555 5.7.1 as the product"},
        {550, "5.1.1", "gone", 1, "550 5.1.1 gone"},
        {451, "", "later", 1, "451 4.7.1 later"},
        {0, "", "", 1, "550 5.7.1 Message refused"},
        {250, "", "x", ONWARD_EINVAL, "250 2.0.0 OK"},
        {354, "", "x", ONWARD_EINVAL, "250 2.0.0 OK"},
        {600, "", "x", ONWARD_EINVAL, "250 2.0.0 OK"},
        {550, "4.7.1", "x", ONWARD_EINVAL, "250 2.0.0 OK"},
        {550, "5.7", "x", ONWARD_EINVAL, "250 2.0.0 OK"},
    };
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = do_reject;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reject_code = rows[i].code;
        reject_enhanced = rows[i].enhanced;
        reject_text = rows[i].text;
        assert_string_equal(post(&x, "code@example.com", t_post_plain),
                            rows[i].want);
        assert_int_equal(reject_ret, rows[i].ret);
        if (rows[i].ret == 1)
            assert_int_equal(onward_relay_reason(x.relay),
                             ONWARD_RELAY_REASON_REJECT);
    }
    /* Capped, and not inside a character. */
    memset(long_text, 'x', sizeof(long_text) - 1);
    memcpy(long_text + 511, "\xc3\xbc", 2);
    reject_code = 0;
    reject_enhanced = "";
    reject_text = long_text;
    assert_int_equal(strlen(post(&x, "code@example.com", t_post_plain)),
                     strlen("550 5.7.1 ") + 511);
    t_post_close(&x);
}

/* ---- 23, 24: forward -------------------------------------------------------
 */

static int do_forward(struct t_post *x, uint64_t token, struct onward_event *e)
{
    const struct onward_field_list_opts o = {.size = sizeof(o),
                                             .policy = ONWARD_FIELD_POLICY_X};
    size_t number = 99;

    assert_int_equal(onward_field_list_new(x->w->ctx, &o, &fields), 0);
    assert_int_equal(onward_field_list_add(fields, ONWARD_STR("X-Seen"),
                                           ONWARD_STR("by robot"), NULL),
                     1);
    why = (struct onward_refusal){.size = sizeof(why)};
    assert_int_equal(onward_event_forward(e, ONWARD_STR("me@dest.example"),
                                          fields, &number, &why),
                     1);
    assert_int_equal(number, 0);
    onward_field_list_free(fields); /* it was copied */
    fields = NULL;
    assert_int_equal(forward(e, "one@dest.example"), 0);
    assert_int_equal(onward_event_action_count(e), 2);
    assert_int_equal(action(e, 0).state, ONWARD_EVENT_PENDING);
    return onward_event_done(x->desk, token);
}

static void test_row_23_forward(void **state)
{
    struct t_post x;
    const char *sent;

    (void)state;
    t_post_open(&x);
    x.handler = do_forward;
    x.answers[0] = "250 2.0.0 first";
    x.answers[1] = "250 2.0.0 second";
    assert_string_equal(post(&x, "code@example.com", t_post_plain),
                        "250 2.0.0 Delivered to all destinations");
    assert_int_equal(x.asked_count, 2);
    assert_int_equal(x.acted_count, 2);
    assert_string_equal(t_post_fate(&x, 0), "me@dest.example delivered");
    assert_string_equal(t_post_fate(&x, 1), "one@dest.example delivered");
    /* The field is on the one copy, above all of ours, and not on the other. */
    sent = t_post_sent_to(&x, 0);
    assert_memory_equal(sent, "X-Seen: by robot\r\nARC-Seal:", 27);
    assert_string_equal(sent + strlen(sent) - strlen(t_post_plain),
                        t_post_plain);
    assert_memory_equal(t_post_sent_to(&x, 1), "ARC-Seal:", 9);
    assert_null(strstr(x.sent, "X-Seen"));
    assert_int_equal(action(x.event, 0).state, ONWARD_EVENT_DONE);
    t_assert_str(action(x.event, 0).to, "me@dest.example");
    assert_int_equal(action(x.event, 1).reply_code, 250);
    t_assert_str(action(x.event, 1).reply_text, "second");
    t_post_close(&x);
}

static int forward_wrong(struct t_post *x, uint64_t token,
                         struct onward_event *e)
{
    const struct onward_field_list_opts o = {
        .size = sizeof(o), .policy = ONWARD_FIELD_POLICY_SEND};
    struct onward_field_list *list = NULL;
    struct onward_refusal small = {.size = 1};

    assert_int_equal(forward(e, "nobody"), ONWARD_REFUSAL_DESTINATION);
    assert_int_equal(forward(e, ""), ONWARD_REFUSAL_DESTINATION);
    assert_int_equal(forward(e, "a@b.example\r\nRCPT TO:<c@d>"),
                     ONWARD_REFUSAL_DESTINATION);
    assert_int_equal(forward(e, "new@dest.example"),
                     ONWARD_REFUSAL_NOT_VERIFIED);
    assert_int_equal(forward(e, "stranger@dest.example"),
                     ONWARD_REFUSAL_NOT_VERIFIED);
    assert_string_equal(why.what, "stranger@dest.example");
    assert_int_equal(forward(e, "slow@dest.example"), ONWARD_REFUSAL_NOT_NOW);
    /* 24: the same worker, by its own address and by another one. */
    assert_int_equal(forward(e, "code@example.com"), ONWARD_REFUSAL_LOOP);
    assert_int_equal(forward(e, "more@example.com"), ONWARD_REFUSAL_LOOP);
    assert_int_equal(forward(e, "other@example.com"), /* another one */
                     ONWARD_REFUSAL_OWN_ZONE);
    assert_int_equal(forward(e, "x@example.com"), ONWARD_REFUSAL_OWN_ZONE);
    assert_int_equal(forward(e, "two@dest.example"), 0);
    assert_int_equal(forward(e, "me@dest.example"), 0);
    assert_int_equal(forward(e, "me@DEST.example"), ONWARD_REFUSAL_DUPLICATE);
    assert_int_equal(forward(e, "one@dest.example"), ONWARD_REFUSAL_TOO_MANY);
    assert_int_equal(onward_field_list_new(x->w->ctx, &o, &list), 0);
    assert_int_equal(onward_event_forward(e, ONWARD_STR("two@dest.example"),
                                          list, NULL, NULL),
                     ONWARD_EINVAL);
    onward_field_list_free(list);
    assert_int_equal(onward_event_forward(e, ONWARD_STR("two@dest.example"),
                                          NULL, NULL, &small),
                     ONWARD_EINVAL);
    assert_int_equal(onward_event_done(x->desk, token), 0);
    assert_int_equal(forward(e, "two@dest.example"), ONWARD_REFUSAL_OVER);
    assert_int_equal(onward_event_action_count(e), 2);
    return 0;
}

static void test_row_24_errors_of_forward(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = forward_wrong;
    x.opts.max_forwards = 2;
    x.answers[0] = x.answers[1] = "250 2.0.0 OK";
    assert_string_equal(post(&x, "code@example.com", t_post_plain),
                        "250 2.0.0 Delivered to all destinations");
    assert_int_equal(x.asked_count, 2);
    t_post_close(&x);
}

static void test_row_24_outcomes(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = do_forward;
    x.answers[0] = "250 2.0.0 OK";
    x.answers[1] = "450 4.2.1 Busy";
    assert_string_equal(post(&x, "code@example.com", t_post_plain),
                        "450 4.2.1 Busy");
    assert_int_equal(action(x.event, 1).state, ONWARD_EVENT_FAILED);
    assert_int_equal(action(x.event, 1).refusal, ONWARD_REFUSAL_TRANSIENT);
    assert_int_equal(action(x.event, 1).reply_code, 450);
    assert_int_equal(onward_relay_reason(x.relay),
                     ONWARD_RELAY_REASON_NEXT_HOP);
    /* The sender tries again: what was taken is not sent twice. */
    x.answers[0] = NULL;
    x.answers[1] = "550 5.1.1 Nobody";
    x.asked_count = 0;
    assert_string_equal(post(&x, "code@example.com", t_post_plain),
                        "550 5.1.1 Nobody");
    assert_int_equal(x.asked_count, 1);
    assert_int_equal(action(x.event, 0).state, ONWARD_EVENT_BEFORE);
    assert_int_equal(action(x.event, 1).refusal, ONWARD_REFUSAL_PERMANENT);
    t_post_close(&x);
}

/* A handler that tries the next destination when one fails, as people do. */
static void try_next(struct t_post *x, struct onward_event *e, size_t number)
{
    if (action(e, number).state == ONWARD_EVENT_FAILED) {
        assert_int_equal(onward_event_forgive(e, number), 0);
        assert_int_equal(forward(e, "two@dest.example"), 0);
        return;
    }
    assert_int_equal(onward_event_done(x->desk, x->handler_token), 0);
}

static int begin_trying(struct t_post *x, uint64_t token,
                        struct onward_event *e)
{
    (void)x;
    (void)token;
    assert_int_equal(forward(e, "one@dest.example"), 0);
    return 0;
}

static void test_row_23_code_that_handles_a_failure(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = begin_trying;
    x.acted = try_next;
    x.answers[0] = "550 5.1.1 Nobody";
    x.answers[1] = "250 2.0.0 OK";
    post(&x, "code@example.com", t_post_plain);
    assert_int_equal(x.acted_count, 2);
    assert_string_equal(t_post_reply(&x),
                        "250 2.0.0 Delivered to all destinations");
    assert_int_equal(action(x.event, 0).is_forgiven, 1);
    assert_int_equal(onward_event_forgive(x.event, 2), ONWARD_ENOENT);
    t_post_close(&x);
}

/* ---- 23, 26: failure and time ----------------------------------------------
 */

static int fail_at_once(struct t_post *x, uint64_t token,
                        struct onward_event *e)
{
    assert_int_equal(forward(e, "me@dest.example"), 0);
    assert_int_equal(onward_event_fail(x->desk, token, ONWARD_STR("uncaught")),
                     0);
    assert_int_equal(onward_event_done(x->desk, token), ONWARD_ESTALE);
    return 0;
}

static int return_enoent(struct t_post *x, uint64_t token,
                         struct onward_event *e)
{
    (void)x;
    (void)token;
    (void)e;
    return ONWARD_ENOENT;
}

static int return_failure(struct t_post *x, uint64_t token,
                          struct onward_event *e)
{
    (void)x;
    (void)token;
    (void)e;
    return -1;
}

static void test_row_23_a_handler_that_fails_defers(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = fail_at_once;
    x.answers[0] = "250 2.0.0 OK";
    assert_memory_equal(post(&x, "code@example.com", t_post_plain),
                        "451 4.3.0 The handler", 21);
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_HANDLER);
    t_assert_str(onward_event_failure(x.event), "uncaught");
    assert_int_equal(onward_event_state(x.event), ONWARD_EVENT_BROKEN);
    assert_int_equal(x.asked_count, 1); /* goes on, and is in the ledger */
    assert_memory_equal(post(&x, "code@example.com", t_post_plain), "451 4.3.0",
                        9);
    assert_int_equal(x.asked_count, 0); /* of this try */
    x.handler = return_failure;
    assert_memory_equal(post(&x, "code@example.com", t_post_plain), "451 4.3.0",
                        9);
    x.handler = return_enoent;
    assert_string_equal(post(&x, "code@example.com", t_post_plain),
                        "451 4.3.5 The handler of this address is not here");
    assert_int_equal(onward_event_state(x.event), ONWARD_EVENT_ABSENT);
    t_post_close(&x);
}

static void test_row_26_out_of_time(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = do_nothing;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, t_post_plain), 0);
    assert_int_equal(x.done, 0);
    assert_true(onward_desk_deadline(x.desk) <= x.now_ms + 30000);
    x.now_ms += 29999;
    t_post_run(&x);
    assert_int_equal(x.done, 0);
    x.now_ms += 1;
    t_post_run(&x);
    assert_int_equal(x.done, 1);
    assert_int_equal(x.canceled_count, 1);
    assert_true(x.canceled[0] == x.handler_token);
    assert_memory_equal(t_post_reply(&x), "451 4.3.0", 9);
    assert_int_equal(onward_event_state(x.event), ONWARD_EVENT_LATE);
    /* Too late for anything. */
    assert_int_equal(onward_event_done(x.desk, x.handler_token), ONWARD_ESTALE);
    assert_int_equal(
        onward_event_fail(x.desk, x.handler_token, ONWARD_STR("x")),
        ONWARD_ESTALE);
    assert_null(onward_event_find(x.desk, x.handler_token));
    assert_int_equal(forward(x.event, "me@dest.example"), ONWARD_REFUSAL_OVER);
    assert_int_equal(reject(x.event, 0, "", "no"), 0);
    t_post_close(&x);
}

/* ---- 27 to 40: reply -------------------------------------------------------
 */

static int reply_once(struct t_post *x, uint64_t token, struct onward_event *e)
{
    assert_int_equal(answer_mail(e, REPLY), 0);
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_REPLY_TWICE);
    assert_int_equal(onward_event_can_be_replied(e, NULL), 0);
    return onward_event_done(x->desk, token);
}

static void test_row_28_and_40_reply(void **state)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_once;
    x.takes_submissions = true;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 1);
    assert_int_equal(onward_relay_submission_at(x.relay, 0, &s), 0);
    assert_int_equal(onward_relay_submission_at(x.relay, 1, &s), ONWARD_ENOENT);
    assert_int_equal(s.kind, ONWARD_RELAY_SUBMISSION_REPLY);
    t_assert_str(s.reverse_path, "robot@example.com");
    assert_int_equal(s.rcpt_count, 1);
    t_assert_str(onward_relay_submission_rcpt(x.relay, 0, 0), "ann@a.example");
    assert_int_equal(onward_relay_submission_rcpt(x.relay, 0, 1).len, 0);
    t_assert_str(s.message_id, "r@example.com");
    assert_ptr_equal(s.event, x.event);
    t_assert_str(action(x.event, 0).message_id, "r@example.com");
    /* A113, 37: what we add. */
    assert_string_equal(t_post_submitted(&x, 0),
                        "Auto-Submitted: auto-replied\r\n"
                        "References: <one@a.example>\r\n"
                        "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n" REPLY);
    /* The sender tries again, or the message comes by another way: once. */
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 1);
    assert_int_equal(action(x.event, 0).state, ONWARD_EVENT_BEFORE);
    t_post_close(&x);
}

static int reply_wrong(struct t_post *x, uint64_t token, struct onward_event *e)
{
    struct onward_event_message m = {.size = sizeof(m),
                                     .data = ONWARD_STR(REPLY)};

    assert_int_equal(answer_mail(e, "From: robot@example.com\r\n\r\nx\r\n"),
                     ONWARD_REFUSAL_NO_MESSAGE_ID);
    assert_int_equal(answer_mail(e, "Received: by me\r\n" REPLY),
                     ONWARD_REFUSAL_TRACE_FIELD);
    m.to = ONWARD_STR("eve@a.example");
    assert_int_equal(code(onward_event_reply(e, &m, NULL, &why)),
                     ONWARD_REFUSAL_REPLY_RECIPIENT);
    m.to.len = 0;
    m.from = ONWARD_STR("other@example.com");
    assert_int_equal(code(onward_event_reply(e, &m, NULL, &why)),
                     ONWARD_REFUSAL_FROM);
    x->may_send = 1;
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_RATE_LIMIT);
    x->may_send = 2;
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_DAILY_LIMIT);
    x->may_send = -1;
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_INTERNAL);
    x->may_send = 0;
    m.data.len = 0;
    assert_int_equal(onward_event_reply(e, &m, NULL, &why), ONWARD_EINVAL);
    assert_int_equal(onward_event_reply(e, NULL, NULL, &why), ONWARD_EINVAL);
    assert_int_equal(onward_event_action_count(e), 0);
    assert_int_equal(onward_event_done(x->desk, token), 0);
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_OVER);
    return 0;
}

static void test_row_32_to_39_errors_of_reply(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_wrong;
    x.takes_submissions = true;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 0);
    t_post_close(&x);
}

static int reply_to_automatic(struct t_post *x, uint64_t token,
                              struct onward_event *e)
{
    assert_int_equal(answer_mail(e, REPLY),
                     ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED);
    return onward_event_done(x->desk, token);
}

static int reply_to_null(struct t_post *x, uint64_t token,
                         struct onward_event *e)
{
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_REPLY_NULL_SENDER);
    return onward_event_done(x->desk, token);
}

static int reply_without_dmarc(struct t_post *x, uint64_t token,
                               struct onward_event *e)
{
    assert_int_equal(answer_mail(e, REPLY), ONWARD_REFUSAL_REPLY_DMARC);
    return onward_event_done(x->desk, token);
}

static void test_row_27_29_38_who_is_not_answered(void **state)
{
    char message[1024];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.takes_submissions = true;
    snprintf(message, sizeof(message), "Auto-Submitted: auto-generated\r\n%s",
             with_id);
    x.handler = reply_to_automatic;
    assert_string_equal(post(&x, "code@example.com", message), "250 2.0.0 OK");
    x.handler = reply_to_null;
    x.opts.allow_unauthenticated = 1;
    x.opts.allow_dmarc_reject = 1;
    assert_string_equal(t_post_send(&x, "", "code@example.com", with_id),
                        "250 2.0.0 OK");
    x.handler = reply_without_dmarc;
    assert_string_equal(
        t_post_send(&x, "bob@e.example", "code@example.com", with_id),
        "250 2.0.0 OK");
    assert_int_equal(x.handled_count, 3);
    t_post_close(&x);
}

static int reply_by_builder(struct t_post *x, uint64_t token,
                            struct onward_event *e)
{
    struct onward_event_message m = {.size = sizeof(m)};

    assert_int_equal(onward_builder_new(x->w->ctx, NULL, &m.builder), 0);
    assert_int_equal(onward_builder_add_address(
                         m.builder, ONWARD_BUILDER_FROM, ONWARD_STR("Robot"),
                         ONWARD_STR("robot@example.com")),
                     0);
    assert_int_equal(
        onward_builder_set_subject(m.builder, ONWARD_STR("Re: hi")), 0);
    assert_int_equal(onward_builder_set_text(m.builder, ONWARD_STR("Thanks")),
                     0);
    why = (struct onward_refusal){.size = sizeof(why)};
    assert_int_equal(code(onward_event_reply(e, &m, NULL, &why)), 0);
    onward_builder_free(m.builder); /* it was read */
    return onward_event_done(x->desk, token);
}

/* The builder's form: without recipients, threading fields made. */
static void test_row_37_reply_by_a_builder(void **state)
{
    char message[1024];
    struct t_post x;
    const char *sent;

    (void)state;
    t_post_open(&x);
    x.handler = reply_by_builder;
    x.takes_submissions = true;
    snprintf(message, sizeof(message),
             "In-Reply-To: <q@b.example>\r\n"
             "References: <p@b.example> <q@b.example>\r\n%s",
             with_id);
    assert_string_equal(post(&x, "code@example.com", message), "250 2.0.0 OK");
    sent = t_post_submitted(&x, 0);
    assert_memory_equal(sent, "Auto-Submitted: auto-replied\r\n", 30);
    assert_non_null(strstr(sent, "\r\nTo: ann@a.example\r\n"));
    assert_non_null(strstr(sent, "\r\nIn-Reply-To: <one@a.example>\r\n"));
    assert_non_null(strstr(sent, "\r\nReferences: <p@b.example> <q@b.example> "
                                 "<one@a.example>\r\n"));
    t_post_close(&x);
}

static int reply_and_wait(struct t_post *x, uint64_t token,
                          struct onward_event *e)
{
    assert_int_equal(answer_mail(e, REPLY), 0);
    return onward_event_done(x->desk, token);
}

/* The message's own 250 comes once the reply is safe. */
static void test_a_reply_that_cannot_be_kept(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_and_wait;
    x.takes_submissions = true;
    x.submit_status = ONWARD_AGAIN;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_int_equal(x.submitted_count, 1);
    assert_int_equal(x.done, 0);
    assert_int_equal(onward_relay_submission_answer(x.desk, x.submission_token,
                                                    ONWARD_ELIMIT),
                     0);
    assert_int_equal(
        onward_relay_submission_answer(x.desk, x.submission_token, 0),
        ONWARD_ESTALE);
    t_post_run(&x);
    assert_int_equal(x.done, 1);
    assert_memory_equal(t_post_reply(&x), "451 4.3.0", 9);
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_SUBMIT);
    assert_int_equal(action(x.event, 0).refusal,
                     ONWARD_REFUSAL_DELIVERY_FAILED);
    /* Given back: the next try may. */
    x.submit_status = 0;
    x.submit_returns = -1;
    assert_memory_equal(post(&x, "code@example.com", with_id), "451 4.3.0", 9);
    x.submit_returns = 0;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 3);
    t_post_close(&x);
}

/* Whoever has claimed it may be at it, or gone: as long as it may take nobody
 * else sends it, and none says that it was sent. */
static void test_a_claim_of_one_that_crashed(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_and_wait;
    x.takes_submissions = true;
    x.submit_status = ONWARD_AGAIN;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_int_equal(x.submitted_count, 1);
    t_post_reset(&x);
    x.submit_status = 0;
    assert_memory_equal(post(&x, "code@example.com", with_id), "451 4.3.0", 9);
    assert_int_equal(x.submitted_count, 1);
    /* 540 s for the host, and a minute. */
    x.w->now_s += 599;
    assert_memory_equal(post(&x, "code@example.com", with_id), "451 4.3.0", 9);
    assert_int_equal(x.submitted_count, 1);
    x.w->now_s += 1;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 2);
    assert_int_equal(action(x.event, 0).state, ONWARD_EVENT_DONE);
    /* That one is in the ledger for its life. */
    x.w->now_s += (int64_t)29 * 86400;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 2);
    assert_int_equal(action(x.event, 0).state, ONWARD_EVENT_BEFORE);
    t_post_close(&x);
}

static void test_a_claim_lasts_as_long_as_it_is_told(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_and_wait;
    x.takes_submissions = true;
    x.submit_status = ONWARD_AGAIN;
    x.opts.claim_life_s = 7;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    t_post_reset(&x);
    x.submit_status = 0;
    x.w->now_s += 6;
    assert_memory_equal(post(&x, "code@example.com", with_id), "451 4.3.0", 9);
    x.w->now_s += 1;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 2);
    t_post_close(&x);
}

/* Two machines with one store: the second hears of a claim, and then that it is
 * done. */
static void test_a_claim_that_another_has_now(void **state)
{
    struct onward_store *store = NULL;
    struct t_post x, y;

    (void)state;
    t_post_open(&x);
    assert_true(t_post_open_in(&y, x.w));
    assert_int_equal(onward_memstore_open(x.mem, y.desk, NULL, &store), 0);
    y.opts.store = store;
    x.handler = y.handler = reply_and_wait;
    x.takes_submissions = y.takes_submissions = true;
    x.submit_status = ONWARD_AGAIN;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_memory_equal(post(&y, "code@example.com", with_id), "451 4.3.0", 9);
    assert_int_equal(y.submitted_count, 0);
    assert_int_equal(
        onward_relay_submission_answer(x.desk, x.submission_token, 0), 0);
    t_post_run(&x);
    assert_string_equal(t_post_reply(&x), "250 2.0.0 OK");
    assert_string_equal(post(&y, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(y.submitted_count, 0);
    assert_int_equal(action(y.event, 0).state, ONWARD_EVENT_BEFORE);
    t_post_reset(&y);
    onward_store_free(store);
    t_post_close(&y);
    t_post_close(&x);
}

static void test_a_reply_that_takes_too_long(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = reply_and_wait;
    x.takes_submissions = true;
    x.submit_status = ONWARD_AGAIN;
    x.opts.delivery_timeout_ms = 1000;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    x.now_ms += 1000;
    t_post_run(&x);
    assert_int_equal(x.canceled_count, 1);
    assert_memory_equal(t_post_reply(&x), "451 4.3.0", 9);
    t_post_close(&x);
}

/* ---- Later -----------------------------------------------------------------
 */

static char ticket[ONWARD_TICKET_TEXT_MAX];

static int take_ticket(struct t_post *x, uint64_t token, struct onward_event *e)
{
    struct onward_str text = {0};

    assert_int_equal(onward_event_ticket(e, NULL, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_event_ticket(e, &text, NULL), 1);
    assert_true(text.len < sizeof(ticket));
    memcpy(ticket, text.data, text.len);
    ticket[text.len] = '\0';
    return onward_event_done(x->desk, token);
}

static int take_no_ticket(struct t_post *x, uint64_t token,
                          struct onward_event *e)
{
    struct onward_refusal no = {.size = sizeof(no)};
    struct onward_str text = {0};

    assert_int_equal(onward_event_ticket(e, &text, &no), 0);
    assert_int_equal(no.code, ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED);
    return onward_event_done(x->desk, token);
}

static int without_minter(struct t_post *x, uint64_t token,
                          struct onward_event *e)
{
    struct onward_str text = {0};

    assert_int_equal(onward_event_ticket(e, &text, NULL), ONWARD_ESTATE);
    return onward_event_done(x->desk, token);
}

/* What the product has not: an answer when the session is long over. The
 * ledger is the same, so one answer is all there is. */
static void test_a_ticket_for_later(void **state)
{
    const struct onward_str secret = ONWARD_STR("0123456789abcdef");
    struct onward_token_minter *minter = NULL;
    struct onward_ticket *t = NULL;
    char key[ONWARD_TICKET_KEY_MAX], message[1024];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(onward_token_minter_new(x.w->ctx, &secret, 1, &minter), 0);
    x.handler = without_minter;
    post(&x, "code@example.com", with_id);
    x.opts.minter = minter;
    x.opts.ticket_life_s = 3600;
    x.handler = take_no_ticket;
    snprintf(message, sizeof(message), "Auto-Submitted: auto-generated\r\n%s",
             with_id);
    post(&x, "code@example.com", message);
    x.handler = take_ticket;
    assert_string_equal(post(&x, "code+a@example.com", with_id),
                        "250 2.0.0 OK");
    assert_int_equal(
        onward_ticket_open(x.w->ctx, minter, onward_str_of(ticket), &t, NULL),
        1);
    t_assert_str(onward_ticket_message_id(t), "one@a.example");
    t_assert_str(onward_ticket_sender(t), "ann@a.example");
    t_assert_str(onward_ticket_recipient(t), "code+a@example.com");
    assert_true(onward_ticket_expires_s(t) == x.w->now_s + 3600);
    assert_true(onward_ticket_key(t, key, sizeof(key)) > 64);
    assert_memory_equal(key, "onward/reply/1/", 15);
    onward_ticket_free(t);
    /* An event that replies leaves its mark at that key. */
    x.takes_submissions = true;
    x.handler = reply_and_wait;
    assert_int_equal(onward_memstore_count(x.mem), 0);
    assert_string_equal(post(&x, "code+a@example.com", with_id),
                        "250 2.0.0 OK");
    assert_int_equal(onward_memstore_count(x.mem), 1);
    onward_token_minter_free(minter);
    t_post_close(&x);
}

/* ---- 41 to 48: send --------------------------------------------------------
 */

static int do_send(struct t_post *x, uint64_t token, struct onward_event *e)
{
    assert_int_equal(send_mail(e, LETTER), 0);
    assert_int_equal(send_mail(e, "From: a@other.example\r\n"
                                  "To: one@dest.example\r\n"
                                  "Message-ID: <x@y.z>\r\n\r\n"),
                     ONWARD_REFUSAL_SENDER_DOMAIN);
    assert_int_equal(send_mail(e, "X-A: b\r\n" LETTER), 0);
    assert_int_equal(send_mail(e, LETTER), ONWARD_REFUSAL_TOO_MANY);
    return onward_event_done(x->desk, token);
}

static void test_row_43_send(void **state)
{
    struct t_post x;
    const char *sent;

    (void)state;
    t_post_open(&x);
    x.handler = do_send;
    x.takes_submissions = true;
    x.opts.max_sends = 2;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 2);
    t_assert_str(onward_relay_submission_rcpt(x.relay, 0, 0),
                 "one@dest.example");
    t_assert_str(onward_relay_submission_rcpt(x.relay, 0, 1),
                 "two@dest.example");
    sent = t_post_submitted(&x, 0);
    /* 42: Bcc is nobody's business. */
    assert_string_equal(sent, "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
                              "From: robot@example.com\r\n"
                              "To: one@dest.example\r\n"
                              "Message-ID: <l@example.com>\r\n\r\nNews.\r\n");
    /* A retry sends nothing twice. */
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 2);
    t_post_close(&x);
}

static int send_one(struct t_post *x, uint64_t token, struct onward_event *e)
{
    assert_int_equal(send_mail(e, LETTER), 0);
    return onward_event_done(x->desk, token);
}

/* The message of one is not that of the other, nor that of its own next turn.
 */
static void test_handlers_of_one_recipient_send_one_each(void **state)
{
    static const char text[] =
        "{\"version\":1,\"zones\":[{\"name\":\"example.com\",\"rules\":[{"
        "\"matchers\":[{\"type\":\"literal\",\"field\":\"to\","
        "\"value\":\"code@example.com\"}],\"actions\":["
        "{\"type\":\"handler\",\"value\":[\"robot\"]},"
        "{\"type\":\"handler\",\"value\":[\"clerk\"]},"
        "{\"type\":\"handler\",\"value\":[\"robot\"]}]}]}],\"addresses\":["
        "{\"email\":\"one@dest.example\",\"verified\":true},"
        "{\"email\":\"two@dest.example\",\"verified\":true}]}";
    struct onward_ruleset *rules = NULL;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(
        onward_ruleset_new(x.w->ctx, onward_str_of(text), NULL, NULL, &rules),
        0);
    x.opts.ruleset = rules;
    x.handler = send_one;
    x.takes_submissions = true;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 3);
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    assert_int_equal(x.submitted_count, 3);
    onward_ruleset_free(rules);
    t_post_close(&x);
}

static int send_nowhere(struct t_post *x, uint64_t token,
                        struct onward_event *e)
{
    const struct onward_event_message m = {.size = sizeof(m),
                                           .data = ONWARD_STR(LETTER)};

    assert_int_equal(onward_event_send(e, NULL, &m, NULL, NULL), ONWARD_ESTATE);
    assert_int_equal(onward_event_reply(e, &m, NULL, NULL), ONWARD_ESTATE);
    return onward_event_done(x->desk, token);
}

static void test_a_host_that_keeps_no_messages(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = send_nowhere;
    assert_string_equal(post(&x, "code@example.com", with_id), "250 2.0.0 OK");
    t_post_close(&x);
}

/* ---- 70: what the product puts on a copy -----------------------------------
 */

static void test_row_70_fields_of_a_forwarder(void **state)
{
    struct t_post x;
    const char *sent;

    (void)state;
    t_post_open(&x);
    x.opts.add_forwarded = 1;
    x.opts.feedback_id = ONWARD_STR("example.com:1:1:Onward");
    x.answers[0] = "250 2.0.0 OK";
    assert_string_equal(post(&x, "me+x@example.com", t_post_plain),
                        "250 2.0.0 OK");
    sent = t_post_sent(&x);
    assert_memory_equal(sent,
                        "X-Forwarded-To: me@dest.example\r\n"
                        "X-Forwarded-For: me+x@example.com\r\n"
                        " me@dest.example\r\n"
                        "ARC-Seal: ",
                        96);
    assert_non_null(
        strstr(sent, "\r\nFeedback-ID: example.com:1:1:Onward\r\n"));
    t_post_close(&x);
}

/* ---- Life ------------------------------------------------------------------
 */

static int free_relay(struct t_post *x, uint64_t token, struct onward_event *e)
{
    struct onward_relay *relay = x->relay;

    (void)token;
    assert_int_equal(forward(e, "me@dest.example"), 0);
    x->relay = NULL;
    onward_relay_free(relay);
    return 0;
}

static int free_desk(struct t_post *x, uint64_t token, struct onward_event *e)
{
    (void)token;
    (void)e;
    onward_desk_free(x->desk);
    x->desk = NULL;
    return 0;
}

static void test_freed_inside(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = free_relay;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_int_equal(x.done, 0);
    assert_int_equal(onward_event_done(x.desk, x.handler_token), ONWARD_ESTALE);
    t_post_close(&x);
    t_post_open(&x);
    x.handler = free_desk;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_int_equal(x.done, 0);
    t_post_close(&x);
}

static void test_freed_while_it_waits(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.handler = do_nothing;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "code@example.com"), 1);
    assert_int_equal(t_post_data(&x, with_id), 0);
    assert_ptr_equal(onward_event_find(x.desk, x.handler_token), x.event);
    onward_relay_free(x.relay);
    x.relay = NULL;
    assert_int_equal(x.canceled_count, 1);
    assert_int_equal(onward_event_done(x.desk, x.handler_token), ONWARD_ESTALE);
    t_post_close(&x);
}

/* ---- Without memory --------------------------------------------------------
 */

static int oom_handler(struct t_post *x, uint64_t token, struct onward_event *e)
{
    const struct onward_event_message reply = {.size = sizeof(reply),
                                               .data = ONWARD_STR(REPLY)};
    const struct onward_event_message letter = {.size = sizeof(letter),
                                                .data = ONWARD_STR(LETTER)};
    int one = onward_event_forward(e, ONWARD_STR("me@dest.example"), NULL, NULL,
                                   NULL);
    int two = onward_event_reply(e, &reply, NULL, NULL);
    int three = onward_event_send(e, NULL, &letter, NULL, NULL);

    /* 0: what the verifier had no memory for did not pass. */
    assert_true(one >= 0 || one == ONWARD_ENOMEM);
    assert_true(two >= 0 || two == ONWARD_ENOMEM);
    assert_true(three >= 0 || three == ONWARD_ENOMEM);
    if (one == 1 && two == 1 && three == 1)
        return onward_event_done(x->desk, token);
    return onward_event_fail(x->desk, token, ONWARD_STR("no memory"));
}

static bool scenario(struct t_world *w, void *arg)
{
    struct t_post x;
    bool ok;

    (void)arg;
    ok = t_post_open_in(&x, w);
    if (ok) {
        x.handler = oom_handler;
        x.takes_submissions = true;
        x.opts.add_forwarded = 1;
        x.answers[0] = "250 2.0.0 OK";
        ok = t_post_mail(&x, "ann@a.example") == 0 &&
             t_post_rcpt(&x, "code@example.com") == 1 &&
             t_post_data(&x, with_id) == 0 && x.done == 1 &&
             memcmp(t_post_reply(&x), "250", 3) == 0;
    }
    t_post_close(&x);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_18_to_21_what_an_event_gives),
        cmocka_unit_test(test_row_18_one_event_a_recipient),
        cmocka_unit_test(test_a_host_without_handlers),
        cmocka_unit_test(test_row_21_mail_that_cannot_be_forwarded),
        cmocka_unit_test(test_row_22_set_reject),
        cmocka_unit_test(test_row_23_forward),
        cmocka_unit_test(test_row_24_errors_of_forward),
        cmocka_unit_test(test_row_24_outcomes),
        cmocka_unit_test(test_row_23_code_that_handles_a_failure),
        cmocka_unit_test(test_row_23_a_handler_that_fails_defers),
        cmocka_unit_test(test_row_26_out_of_time),
        cmocka_unit_test(test_row_28_and_40_reply),
        cmocka_unit_test(test_row_32_to_39_errors_of_reply),
        cmocka_unit_test(test_row_27_29_38_who_is_not_answered),
        cmocka_unit_test(test_row_37_reply_by_a_builder),
        cmocka_unit_test(test_a_reply_that_cannot_be_kept),
        cmocka_unit_test(test_a_claim_of_one_that_crashed),
        cmocka_unit_test(test_a_claim_lasts_as_long_as_it_is_told),
        cmocka_unit_test(test_a_claim_that_another_has_now),
        cmocka_unit_test(test_a_reply_that_takes_too_long),
        cmocka_unit_test(test_a_ticket_for_later),
        cmocka_unit_test(test_handlers_of_one_recipient_send_one_each),
        cmocka_unit_test(test_row_43_send),
        cmocka_unit_test(test_a_host_that_keeps_no_messages),
        cmocka_unit_test(test_row_70_fields_of_a_forwarder),
        cmocka_unit_test(test_freed_inside),
        cmocka_unit_test(test_freed_while_it_waits),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
