/*
 * What rules with several actions, lists and conditions make of a message; and
 * what a log says of it: rows 54, 78 and 79 of the product.
 */
#include "relay/post.h"

#define RULE(name, matchers, actions)                                          \
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":\"" name  \
    "@example.com\"}" matchers "],\"actions\":[" actions "]}"
#define TO(list) "{\"type\":\"forward\",\"value\":[" list "]}"

static const char rules_text[] =
    "{\"version\":1,\"zones\":[{\"name\":\"example.com\",\"rules\":["
    /* Several actions of one rule. */
    RULE("many", "",
         "{\"type\":\"tag\",\"value\":[\"first\"]},"
         "{\"type\":\"add_field\",\"name\":\"X-Rule\",\"value\":\"many\"}," TO(
             "\"me@dest.example\"") ","
                                    "{\"type\":\"handler\",\"value\":["
                                    "\"robot\"]},"
                                    "{\"type\":\"tag\",\"value\":[\"second\"]}") "," RULE("chain",
                                                                                          "",
                                                                                          "{\"type\":\"failover\",\"value\":[\"one@dest.example\","
                                                                                          "\"two@dest.example\",\"three@dest.example\"]}") "," RULE("apart", "", "{\"type\":\"quarantine\",\"value\":[\"spam\"]}") "," RULE("hook",
                                                                                                                                                                                                                            "",
                                                                                                                                                                                                                            "{\"type\":\"webhook\",\"value\":[\"crm\"]}") "," RULE("later", "", "{\"type\":\"defer\",\"text\":\"Come again\"}") "," RULE("null",
                                                                                                                                                                                                                                                                                                                                                         "",
                                                                                                                                                                                                                                                                                                                                                         "{\"type\":\"drop\"}") ","
    /* Put apart, and where it would go else. */
    RULE("held", "", "{\"type\":\"quarantine\",\"value\":[\"later\"]}") ","
    RULE("held", "", "{\"type\":\"failover\",\"value\":[\"one@dest.example\","
         "\"two@dest.example\"]}," TO("\"three@dest.example\"")) ","
    /* What needs the message. */
    RULE("sort",
         ",{\"type\":\"glob\",\"field\":\"header\",\"name\":\"Subject\","
         "\"value\":\"*sale*\"}",
         TO("\"one@dest.example\"")) "," RULE("sort", ",{\"type\":\"at_least\",\"field\":\"size\",\"value\":2000}", "{\"type\":\"reject\",\"text\":\"Too long\"}") "," RULE("sort",
                                                                                                                                                                            ",{\"type\":\"literal\",\"field\":\"dmarc\",\"value\":\"none\"}", "{\"type\":\"quarantine\"}") "," RULE("sort",
                                                                                                                                                                                                                                                                                    ",{\"type\":\"glob\",\"field\":\"attachment_name\",\"value\":"
                                                                                                                                                                                                                                                                                    "\"*.exe\"}",
                                                                                                                                                                                                                                                                                    "{\"type\":\"reject\",\"enhanced\":\"5.7.0\",\"text\":"
                                                                                                                                                                                                                                                                                    "\"No programs\"}") "," RULE("sort",
                                                                                                                                                                                                                                                                                                                 ",{\"type\":\"literal\",\"field\":\"header\",\"name\":\"X-To\","
                                                                                                                                                                                                                                                                                                                 "\"value\":\"code\"}",
                                                                                                                                                                                                                                                                                                                 "{\"type\":\"handler\",\"value\":[\"robot\"]}") "," RULE("sort",
                                                                                                                                                                                                                                                                                                                                                                          "",
                                                                                                                                                                                                                                                                                                                                                                          TO("\"two@dest.example\"")) "]}],\"addresses\":["
                                                                                                                                                                                                                                                                                                                                                                                                      "{\"email\":\"me@dest.example\",\"verified\":true},"
                                                                                                                                                                                                                                                                                                                                                                                                      "{\"email\":\"one@dest.example\",\"verified\":true},"
                                                                                                                                                                                                                                                                                                                                                                                                      "{\"email\":\"two@dest.example\",\"verified\":true},"
                                                                                                                                                                                                                                                                                                                                                                                                      "{\"email\":\"three@dest.example\",\"verified\":true}]}";

#define MAIL(fields) "From: ann@a.example\r\n" fields "\r\nHello.\r\n"

struct bench {
    struct t_post post;
    struct onward_ruleset *rules;
};

static int finish(struct t_post *x, uint64_t token, struct onward_event *e)
{
    (void)e;
    return onward_event_done(x->desk, token);
}

static void open_bench(struct bench *b)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};

    t_post_open(&b->post);
    if (onward_ruleset_new(b->post.w->ctx, onward_str_of(rules_text), NULL,
                           &fault, &b->rules) != 0)
        fail_msg("%s: %s", fault.path, fault.text);
    b->post.opts.ruleset = b->rules;
    b->post.handler = finish;
    b->post.takes_submissions = true;
    for (size_t i = 0; i < T_POST_MAX; i++)
        b->post.answers[i] = "250 2.0.0 OK";
}

static void close_bench(struct bench *b)
{
    onward_ruleset_free(b->rules);
    t_post_close(&b->post);
}

static const char *post(struct bench *b, const char *to, const char *message)
{
    return t_post_send(&b->post, "ann@a.example", to, message);
}

static struct onward_relay_summary summary(struct bench *b)
{
    struct onward_relay_summary s = {.size = sizeof(s)};

    assert_int_equal(onward_relay_summarize(b->post.relay, &s), 0);
    return s;
}

static void test_several_actions(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_string_equal(post(&b, "many@example.com", MAIL("")), "250 2.0.0 OK");
    assert_int_equal(b.post.asked_count, 1);
    assert_int_equal(b.post.handled_count, 1);
    assert_memory_equal(t_post_sent(&b.post), "X-Rule: many\r\nARC-Seal:", 23);
    assert_int_equal(summary(&b).tag_count, 2);
    t_assert_str(onward_relay_tag(b.post.relay, 0), "first");
    t_assert_str(onward_relay_tag(b.post.relay, 1), "second");
    assert_int_equal(onward_relay_tag(b.post.relay, 2).len, 0);
    close_bench(&b);
}

/* By the answers of three next hops: the reply, and who was asked. */
static void test_failover(void **state)
{
    static const struct {
        const char *answers[3], *reply;
        size_t asked;
        const char *fates[3];
    } rows[] = {
        {{"250 2.0.0 1", "250 2.0.0 2", "250 2.0.0 3"},
         "250 2.0.0 Delivered to all destinations",
         1,
         {"one@dest.example delivered", "two@dest.example spare",
          "three@dest.example spare"}},
        {{"550 5.1.1 1", "250 2.0.0 2", "250 2.0.0 3"},
         "250 2.0.0 Delivered to all destinations",
         2,
         {"one@dest.example permanent", "two@dest.example delivered",
          "three@dest.example spare"}},
        {{"450 4.1.1 1", "550 5.1.1 2", "250 2.0.0 3"},
         "250 2.0.0 Delivered to all destinations",
         3,
         {"one@dest.example temporary", "two@dest.example permanent",
          "three@dest.example delivered"}},
        /* A list with a temporary failure in it is worth another try. */
        {{"550 5.1.1 1", "450 4.1.1 2", "550 5.1.1 3"},
         "450 4.1.1 2",
         3,
         {"one@dest.example permanent", "two@dest.example temporary",
          "three@dest.example permanent"}},
        {{"550 5.1.1 1", "550 5.1.1 2", "550 5.1.1 3"},
         "550 5.1.1 1",
         3,
         {"one@dest.example permanent", "two@dest.example permanent",
          "three@dest.example permanent"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b;

        open_bench(&b);
        for (size_t n = 0; n < 3; n++)
            b.post.answers[n] = rows[i].answers[n];
        assert_string_equal(post(&b, "chain@example.com", MAIL("")),
                            rows[i].reply);
        assert_int_equal(b.post.asked_count, rows[i].asked);
        for (size_t n = 0; n < 3; n++)
            assert_string_equal(t_post_fate(&b.post, n), rows[i].fates[n]);
        close_bench(&b);
    }
}

/* The sender did not hear that the second one has it. */
static void test_failover_remembers(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b);
    b.post.answers[0] = "450 4.1.1 Busy";
    post(&b, "chain@example.com", MAIL(""));
    assert_int_equal(b.post.asked_count, 2);
    b.post.answers[0] = "250 2.0.0 OK";
    assert_string_equal(post(&b, "chain@example.com", MAIL("")),
                        "250 2.0.0 Delivered before");
    assert_int_equal(b.post.asked_count, 0);
    assert_string_equal(t_post_fate(&b.post, 0), "one@dest.example spare");
    assert_string_equal(t_post_fate(&b.post, 1), "two@dest.example before");
    close_bench(&b);
}

static struct onward_relay_delivery way(struct bench *b, size_t i)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    assert_int_equal(
        onward_relay_submission_delivery(b->post.relay, 0, i, &d), 0);
    return d;
}

/* What is put apart has with it where the rules would send it. */
static void test_where_a_quarantined_message_would_go(void **state)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_string_equal(post(&b, "held@example.com", MAIL("")),
                        "250 2.0.0 OK");
    assert_int_equal(b.post.asked_count, 0);
    assert_int_equal(onward_relay_delivery_count(b.post.relay), 0);
    t_assert_str(way(&b, 0).recipient, "one@dest.example");
    t_assert_str(way(&b, 0).domain, "dest.example");
    t_assert_str(way(&b, 0).notice_path, "ann@a.example");
    assert_memory_equal(way(&b, 0).reverse_path.data, "SRS0=", 5);
    assert_int_equal(way(&b, 0).heir, 2);
    t_assert_str(way(&b, 1).recipient, "two@dest.example");
    assert_int_equal(way(&b, 1).heir, 0);
    t_assert_str(way(&b, 2).recipient, "three@dest.example");
    assert_ptr_equal(way(&b, 2).source, way(&b, 0).source);
    assert_int_equal(
        onward_relay_submission_delivery(b.post.relay, 0, 3, &d),
        ONWARD_ENOENT);
    assert_int_equal(
        onward_relay_submission_delivery(b.post.relay, 1, 0, &d),
        ONWARD_ENOENT);
    /* What the message decides is decided again. */
    b.post.opts.allow_unauthenticated = 1;
    assert_string_equal(
        t_post_send(&b.post, "x@e.example", "sort@example.com",
                    "From: x@e.example\r\nSubject: a sale\r\n\r\nHello.\r\n"),
        "250 2.0.0 OK");
    assert_int_equal(onward_relay_submission_count(b.post.relay), 0);
    assert_string_equal(t_post_send(&b.post, "x@e.example", "sort@example.com",
                                    "From: x@e.example\r\n\r\nHello.\r\n"),
                        "250 2.0.0 OK");
    t_assert_str(way(&b, 0).recipient, "two@dest.example");
    /* Nowhere else. */
    assert_string_equal(post(&b, "apart@example.com", MAIL("")),
                        "250 2.0.0 OK");
    assert_int_equal(
        onward_relay_submission_delivery(b.post.relay, 0, 0, &d),
        ONWARD_ENOENT);
    close_bench(&b);
}

/* Which one is asked for when the one before fails. */
static void test_a_failover_list_is_told(void **state)
{
    static const size_t want[] = {2, 3, 0};
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct bench b;

    (void)state;
    open_bench(&b);
    b.post.answers[0] = "250 2.0.0 OK";
    assert_string_equal(post(&b, "chain@example.com", MAIL("")),
                        "250 2.0.0 Delivered to all destinations");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(onward_relay_delivery_at(b.post.relay, i, &d), 0);
        assert_int_equal(d.heir, want[i]);
    }
    close_bench(&b);
}

static void test_quarantine(void **state)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_string_equal(post(&b, "apart@example.com", MAIL("")),
                        "250 2.0.0 OK");
    assert_int_equal(b.post.submitted_count, 1);
    assert_int_equal(b.post.asked_count, 0);
    assert_int_equal(onward_relay_submission_at(b.post.relay, 0, &s), 0);
    assert_int_equal(s.kind, ONWARD_RELAY_SUBMISSION_QUARANTINE);
    t_assert_str(s.place, "spam");
    t_assert_str(s.reverse_path, "ann@a.example");
    t_assert_str(onward_relay_submission_rcpt(b.post.relay, 0, 0),
                 "apart@example.com");
    assert_non_null(strstr(t_post_submitted(&b.post, 0), MAIL("")));
    assert_int_equal(onward_relay_reason(b.post.relay),
                     ONWARD_RELAY_REASON_QUARANTINED);
    t_assert_str(summary(&b).action, "quarantine");
    b.post.submit_returns = -1;
    assert_memory_equal(post(&b, "apart@example.com", MAIL("")), "451 4.3.0",
                        9);
    b.post.takes_submissions = false;
    t_post_reset(&b.post);
    assert_int_equal(t_post_mail(&b.post, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&b.post, "apart@example.com"), 0);
    assert_memory_equal(b.post.reply, "451 4.3.5", 9);
    close_bench(&b);
}

static void test_webhook_and_defer(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_string_equal(post(&b, "hook@example.com", MAIL("")), "250 2.0.0 OK");
    assert_int_equal(onward_event_is_webhook(b.post.event), 1);
    t_assert_str(onward_event_handler(b.post.event), "crm");
    t_post_reset(&b.post);
    assert_int_equal(t_post_mail(&b.post, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&b.post, "later@example.com"), 0);
    assert_memory_equal(b.post.reply, "451", 3);
    close_bench(&b);
}

/* RCPT says yes; what happens is known when the message is there. */
static void test_conditions(void **state)
{
    static char big[3000];
    static const struct {
        const char *message, *reply, *fate;
    } rows[] = {
        {MAIL("Subject: a sale\r\n"), "250 2.0.0 OK",
         "one@dest.example delivered"},
        /* Encoded, and folded: as people read it. */
        {MAIL("Subject: a\r\n =?UTF-8?Q?s=61le?=\r\n"), "250 2.0.0 OK",
         "one@dest.example delivered"},
        {big, "550 5.7.1 Too long", NULL},
        {MAIL("Content-Type: application/octet-stream; name=\"a.exe\"\r\n"),
         "550 5.7.0 No programs", NULL},
        {MAIL("Content-Type: application/octet-stream; name=\"a.txt\"\r\n"),
         "250 2.0.0 OK", "two@dest.example delivered"},
        {MAIL("X-To: code\r\n"), "250 2.0.0 OK", NULL},
        {MAIL("Subject: else\r\n"), "250 2.0.0 OK",
         "two@dest.example delivered"},
    };
    struct bench b;

    (void)state;
    snprintf(big, sizeof(big), "%s", MAIL("Subject: a\r\n"));
    for (size_t at = strlen(big); at < 2500; at += 10)
        memcpy(big + at, "xxxxxxxx\r\n", 11);
    open_bench(&b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(post(&b, "sort@example.com", rows[i].message),
                            rows[i].reply);
        assert_int_equal(onward_relay_delivery_count(b.post.relay),
                         rows[i].fate != NULL);
        if (rows[i].fate != NULL)
            assert_string_equal(t_post_fate(&b.post, 0), rows[i].fate);
    }
    assert_int_equal(b.post.handled_count, 1);
    /* Policy comes before the rules. */
    b.post.client_ip = "192.0.2.66";
    assert_memory_equal(
        post(&b, "sort@example.com", MAIL("Subject: a sale\r\n")), "550 5.7.1",
        9);
    close_bench(&b);
}

/* ---- 54, 78, 79 ------------------------------------------------------------
 */

static int fail_handler(struct t_post *x, uint64_t token,
                        struct onward_event *e)
{
    (void)e;
    return onward_event_fail(x->desk, token, ONWARD_STR("no"));
}

static void test_row_78_statuses(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b);
    post(&b, "sort@example.com", MAIL("Subject: hi\r\n"));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_FORWARDED);
    post(&b, "null@example.com", MAIL(""));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_DROPPED);
    t_assert_str(summary(&b).action, "drop");
    post(&b, "hook@example.com", MAIL(""));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_HANDLED);
    b.post.answers[0] = "550 5.1.1 Nobody";
    post(&b, "sort@example.com", MAIL("Subject: ho\r\n"));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_DELIVERY_FAILED);
    t_assert_str(summary(&b).error, "Nobody");
    b.post.handler = fail_handler;
    post(&b, "hook@example.com", MAIL(""));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_ERROR);
    b.post.client_ip = "192.0.2.66";
    post(&b, "sort@example.com", MAIL("Subject: hi\r\n"));
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_REJECTED);
    t_post_reset(&b.post);
    assert_int_equal(t_post_mail(&b.post, "ann@a.example"), 0);
    assert_int_equal(summary(&b).status, ONWARD_RELAY_STATUS_NONE);
    assert_string_equal(onward_relay_status_name(1), "Forwarded");
    assert_string_equal(onward_relay_status_name(2), "Handled");
    assert_string_equal(onward_relay_status_name(3), "Dropped");
    assert_string_equal(onward_relay_status_name(4), "Rejected");
    assert_string_equal(onward_relay_status_name(5), "Delivery failed");
    assert_string_equal(onward_relay_status_name(6), "Error");
    assert_string_equal(onward_relay_status_name(0), "");
    assert_string_equal(onward_relay_status_name(7), "unknown");
    close_bench(&b);
}

static void test_row_79_fields(void **state)
{
    struct onward_relay_summary s;
    struct bench b;

    (void)state;
    open_bench(&b);
    post(&b, "sort@example.com",
         MAIL("Subject: hi there\r\nMessage-ID: <m@a.example>\r\n"));
    s = summary(&b);
    t_assert_str(s.action, "forward");
    t_assert_str(s.from, "ann@a.example");
    t_assert_str(s.message_id, "m@a.example");
    t_assert_str(s.subject, "hi there");
    t_assert_str(s.spf, "pass");
    t_assert_str(s.dkim, "none");
    t_assert_str(s.dmarc, "pass");
    t_assert_str(s.arc, "none");
    assert_int_equal(s.error.len, 0);
    assert_int_equal(s.is_ndr, 0);
    b.post.opts.allow_unauthenticated = 1;
    b.post.opts.allow_dmarc_reject = 1;
    t_post_send(&b.post, "", "sort@example.com", MAIL(""));
    assert_int_equal(summary(&b).is_ndr, 1);
    s.size = 1;
    assert_int_equal(onward_relay_summarize(b.post.relay, &s), ONWARD_EINVAL);
    close_bench(&b);
}

static void test_row_54_lifecycle(void **state)
{
    (void)state;
    assert_string_equal(onward_relay_fate_event(ONWARD_RELAY_FATE_DELIVERED),
                        "message.delivered");
    assert_string_equal(onward_relay_fate_event(ONWARD_RELAY_FATE_BEFORE),
                        "message.delivered");
    assert_string_equal(onward_relay_fate_event(ONWARD_RELAY_FATE_TEMPORARY),
                        "message.deferred");
    assert_string_equal(onward_relay_fate_event(ONWARD_RELAY_FATE_PERMANENT),
                        "message.bounced");
    assert_string_equal(onward_relay_fate_event(99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_actions),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_failover_remembers),
        cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_where_a_quarantined_message_would_go),
        cmocka_unit_test(test_a_failover_list_is_told),
        cmocka_unit_test(test_webhook_and_defer),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_row_78_statuses),
        cmocka_unit_test(test_row_79_fields),
        cmocka_unit_test(test_row_54_lifecycle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
