/*
 * Addresses of our own that lead to addresses of our own (M40): where the
 * message goes in the end, that it ends, and what is told where it does not.
 */
#include "relay/post.h"

static const struct row {
    const char *name, *to;
    const char *want; /* of RCPT */
    const char *fates[4];
    size_t max_expansion;
} rows[] = {
    {"one level",
     "one",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending"},
     0},
    {"three levels",
     "three",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending"},
     0},
    {"several, ours and others",
     "team",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending", "bob@dest.example pending",
      "out@dest.example pending"},
     0},
    {"the same by three ways is one copy",
     "twice",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending"},
     0},
    {"a subaddress",
     "sub",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending"},
     0},
    {"case of the domain", "upper", "550 5.1.1 No such address", {NULL}, 0},
    {"another zone of ours",
     "other",
     "250 2.1.5 Recipient OK",
     {"bob@dest.example pending"},
     0},
    {"A110: to itself",
     "self",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     0},
    {"A110: to itself, in other letters",
     "case",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     0},
    {"A110: there and back",
     "ping",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     0},
    {"A110: into a ring",
     "long",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     0},
    {"A110: a ring behind one that is well",
     "late",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     0},
    {"as deep as it may be",
     "three",
     "250 2.1.5 Recipient OK",
     {"me@dest.example pending"},
     3},
    {"too deep",
     "three",
     "550 5.4.6 This address is forwarded too often",
     {NULL},
     2},
    {"nobody in the end", "none", "550 5.1.1 No such address", {NULL}, 0},
    {"not verified in the end",
     "unver",
     "550 5.2.1 Destination of this address is not verified",
     {NULL},
     0},
    {"rejected in the end", "tono", "521 5.1.6 Moved", {NULL}, 0},
    {"a zone that is switched off",
     "shut",
     "550 5.7.1 Relaying denied",
     {NULL},
     0},
    {"dropped in the end", "dropped", "250 2.1.5 Recipient OK", {NULL}, 0},
    {"one half is dropped",
     "half",
     "250 2.1.5 Recipient OK",
     {"out@dest.example pending"},
     0},
    {"a handler that is not here",
     "tocode",
     "451 4.3.5 The handler of this address is not here",
     {NULL},
     0},
    {"a list to fail over",
     "toover",
     "250 2.1.5 Recipient OK",
     {"bob@dest.example pending", "out@dest.example pending"},
     0},
    {"not followed: delivered as to others",
     "three",
     "250 2.1.5 Recipient OK",
     {"two@example.com pending"},
     ONWARD_LIMIT_ZERO},
    {"not followed, to itself",
     "self",
     "550 5.4.6 This address is forwarded to itself",
     {NULL},
     ONWARD_LIMIT_ZERO},
};

static int use_text(struct t_post *x, const char *text)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rules = NULL;
    int err = onward_ruleset_new(x->w->ctx, onward_str_of(text), NULL, &fault,
                                 &rules);

    if (err == ONWARD_ESYNTAX)
        fail_msg("%zu: %s: %s", fault.line, fault.path, fault.text);
    if (err != 0)
        return err;
    onward_ruleset_free(x->rules);
    x->rules = rules;
    x->opts.ruleset = rules;
    return 0;
}

static int use_rules(struct t_post *x)
{
    size_t len;
    char *text = t_read_file(t_data("relay/aliases.json"), &len);
    int err;

    assert_non_null(text);
    err = use_text(x, text);
    free(text);
    return err;
}

static int rcpt(struct t_post *x, const char *local_part)
{
    char address[100];

    snprintf(address, sizeof(address), "%s@example.com", local_part);
    return t_post_rcpt(x, address);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_post x;
    size_t count = 0;

    t_post_open(&x);
    assert_int_equal(use_rules(&x), 0);
    x.opts.max_expansion = row->max_expansion;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(rcpt(&x, row->to), row->want[0] == '2');
    assert_string_equal(x.reply, row->want);
    for (; count < 4 && row->fates[count] != NULL; count++)
        assert_string_equal(t_post_fate(&x, count), row->fates[count]);
    assert_int_equal(onward_relay_delivery_count(x.relay), count);
    /* A refused one leaves nothing behind. */
    if (row->want[0] != '2') {
        assert_int_equal(rcpt(&x, "one"), 1);
        assert_string_equal(t_post_fate(&x, 0),
                            row->max_expansion == ONWARD_LIMIT_ZERO
                                ? "me@example.com pending"
                                : "me@dest.example pending");
    }
    t_post_close(&x);
}

static void test_to_the_end(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(use_rules(&x), 0);
    x.answers[0] = x.answers[1] = x.answers[2] = "250 2.0.0 OK";
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "team@example.com", t_post_plain),
        "250 2.0.0 Delivered to all destinations");
    assert_int_equal(x.asked_count, 3);
    t_post_close(&x);
}

/* What it leads to has a condition on the header: decided when that is there.
 */
static void test_condition_at_the_end(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(use_rules(&x), 0);
    x.answers[0] = "250 2.0.0 OK";
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(rcpt(&x, "tocond"), 1);
    assert_int_equal(onward_relay_delivery_count(x.relay), 0);
    assert_int_equal(t_post_data(&x, t_post_plain), 0);
    assert_string_equal(t_post_fate(&x, 0), "bob@dest.example delivered");
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(rcpt(&x, "tocond"), 1);
    assert_int_equal(t_post_data(&x, "From: Ann <ann@a.example>\r\n"
                                     "Subject: ho\r\n\r\nx\r\n"),
                     0);
    assert_string_equal(t_post_reply(&x), "550 5.1.1 No such address");
    t_post_close(&x);
}

static int handle(struct t_post *x, uint64_t token, struct onward_event *event)
{
    t_assert_str(onward_event_handler(event), "robot");
    t_assert_str(onward_event_to(event), "tocode@example.com");
    return onward_event_done(x->desk, token);
}

static void test_handler_at_the_end(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(use_rules(&x), 0);
    x.handler = handle;
    assert_memory_equal(
        t_post_send(&x, "ann@a.example", "tocode@example.com", t_post_plain),
        "250 ", 4);
    assert_int_equal(x.handled_count, 1);
    t_post_close(&x);
}

/* Each of 30 levels names both of the next: 2 to the 30th ways. */
static void test_no_more_work_than_addresses(void **state)
{
    char *text = malloc(20000);
    size_t len;
    struct t_post x;

    (void)state;
    assert_non_null(text);
    len = (size_t)sprintf(text, "{\"version\":1,\"zones\":[{\"name\":"
                                "\"example.com\",\"rules\":[");
    for (int i = 0; i < 30; i++)
        len += (size_t)sprintf(
            text + len,
            "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
            "\"a%d@example.com\"}],\"actions\":[{\"type\":\"forward\","
            "\"value\":[\"a%d@example.com\",\"b%d@example.com\"]}]},"
            "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
            "\"b%d@example.com\"}],\"actions\":[{\"type\":\"forward\","
            "\"value\":[\"a%d@example.com\",\"b%d@example.com\"]}]},",
            i, i + 1, i + 1, i, i + 1, i + 1);
    snprintf(text + len, 20000 - len,
             "{\"matchers\":[{\"type\":\"all\"}],\"actions\":[{\"type\":"
             "\"forward\",\"value\":[\"me@dest.example\"]}]}]}],\"addresses\":"
             "[{\"email\":\"*@example.com\",\"verified\":true},{\"email\":"
             "\"me@dest.example\",\"verified\":true}]}");
    t_post_open(&x);
    assert_int_equal(use_text(&x, text), 0);
    x.opts.max_expansion = 32;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(rcpt(&x, "a0"), 1);
    assert_string_equal(t_post_fate(&x, 0), "me@dest.example pending");
    assert_int_equal(onward_relay_delivery_count(x.relay), 1);
    t_post_close(&x);
    free(text);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct t_post x;
    bool ok = t_post_open_in(&x, w);

    (void)arg;
    ok = ok && use_rules(&x) == 0 && t_post_mail(&x, "ann@a.example") == 0 &&
         rcpt(&x, "team") == 1;
    t_post_close(&x);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
    static struct CMUnitTest tests[40];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_to_the_end);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_condition_at_the_end);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_handler_at_the_end);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_no_more_work_than_addresses);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_oom);
    return _cmocka_run_group_tests("relay_expand", tests, n, NULL, NULL);
}
