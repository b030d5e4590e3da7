/* RCPT: what each address is told, and which recipients may share a
 * transaction. */
#include "relay/post.h"

static const struct row {
    const char *name, *to, *want;
} rows[] = {
    {"forward", "me@example.com", "250 2.1.5 Recipient OK"},
    {"case of the domain", "me@EXAMPLE.com", "250 2.1.5 Recipient OK"},
    {"subaddress", "me+news@example.com", "250 2.1.5 Recipient OK"},
    {"drop", "null@example.com", "250 2.1.5 Recipient OK"},
    {"postmaster alone", "PostMaster", "250 2.1.5 Recipient OK"},
    {"no rule", "who@example.com", "550 5.1.1 No such address"},
    {"no zone", "me@other.example", "550 5.7.1 Relaying denied"},
    {"a literal", "me@[192.0.2.1]", "550 5.7.1 Relaying denied"},
    {"destination not verified", "new@example.com",
     "550 5.2.1 Destination of this address is not verified"},
    {"destination unknown now", "slow@example.com",
     "451 4.3.0 Destination cannot be checked now"},
    {"the rule's own words", "gone@example.com", "521 5.1.6 Moved away"},
    {"a handler", "code@example.com",
     "451 4.3.5 The handler of this address is not here"},
    {"forwarded to itself", "loop@example.com",
     "550 5.4.6 This address is forwarded to itself"},
    {"no address", "me example.com", "501 5.1.3 Not an address"},
    {"empty", "", "501 5.1.3 Not an address"},
    {"UTF-8 without SMTPUTF8", "m\xc3\xa9@example.com",
     "501 5.1.3 Not an address"},
    {"an address of ours that is no bounce", "bob@fwd.net",
     "550 5.7.1 Relaying denied"},
    {"rewritten sender, with a sender", "SRS0=ofIh=2Q=a.example=ann@fwd.net",
     "550 5.7.1 Only bounces are taken for this address"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_post x;

    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, row->to), row->want[0] == '2');
    assert_string_equal(x.reply, row->want);
    assert_int_equal(onward_relay_rcpt_count(x.relay), row->want[0] == '2');
    /* A refused one decides nothing. */
    assert_int_equal(t_post_rcpt(&x, "me@example.com"),
                     strcmp(row->to, "null@example.com") != 0);
    t_post_close(&x);
}

static void test_groups(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "alias@example.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "me@Example.Com"), 1);
    assert_int_equal(onward_relay_rcpt_count(x.relay), 2);
    assert_int_equal(t_post_rcpt(&x, "all@example.com"), 0);
    assert_string_equal(x.reply,
                        "452 4.5.3 Other destination: send this recipient in a "
                        "transaction of its own");
    assert_int_equal(t_post_rcpt(&x, "null@example.com"), 0);
    assert_memory_equal(x.reply, "452 4.5.3", 9);
    assert_int_equal(t_post_rcpt(&x, "who@example.com"), 0);
    assert_string_equal(x.reply, "550 5.1.1 No such address");
    assert_int_equal(onward_relay_delivery_count(x.relay), 1);
    t_post_close(&x);
}

static void test_too_many(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.opts.max_rcpts = 1;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "alias@example.com"), 0);
    assert_string_equal(x.reply, "452 4.5.3 Too many recipients");
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    t_post_close(&x);
}

/* ---- Rewritten senders come back --------------------------------------- */

static void rewrite(struct t_post *x, char *out, size_t cap)
{
    assert_true(onward_srs_forward(x->srs, ONWARD_STR("ann@a.example"),
                                   ONWARD_STR("fwd.net"), out, cap) > 0);
}

static void test_a_bounce_finds_its_way(void **state)
{
    char ours[ONWARD_SRS_TEXT_MAX], other[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    rewrite(&x, ours, sizeof(ours));
    assert_int_equal(t_post_mail(&x, ""), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_string_equal(t_post_fate(&x, 0), "ann@a.example pending");
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 0);
    assert_memory_equal(x.reply, "452 4.5.3", 9);
    assert_true(onward_srs_forward(x.srs, ONWARD_STR("bob@a.example"),
                                   ONWARD_STR("fwd.net"), other,
                                   sizeof(other)) > 0);
    assert_int_equal(t_post_rcpt(&x, other), 0);
    assert_memory_equal(x.reply, "452 4.5.3", 9);
    t_post_close(&x);
}

/* A106: who has seen one cannot send through us. */
static void test_forged_and_old_senders(void **state)
{
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    rewrite(&x, ours, sizeof(ours));
    assert_int_equal(t_post_mail(&x, ""), 0);
    ours[5] ^= 1;
    assert_int_equal(t_post_rcpt(&x, ours), 0);
    assert_string_equal(x.reply, "550 5.7.1 This address is not one of ours");
    ours[5] ^= 1;
    assert_int_equal(t_post_rcpt(&x, "SRS0=x@fwd.net"), 0);
    assert_memory_equal(x.reply, "550 5.7.1", 9);
    x.w->now_s += 30 * 86400;
    assert_int_equal(t_post_rcpt(&x, ours), 0);
    assert_string_equal(x.reply, "550 5.7.1 This address has expired");
    t_post_close(&x);
}

/* ---- Misuse ------------------------------------------------------------ */

static void test_new_refuses(void **state)
{
    struct onward_desk *other = NULL;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.opts.hostname = ONWARD_STR("not a name");
    assert_int_equal(t_post_mail(&x, ""), ONWARD_EINVAL);
    x.opts.hostname = ONWARD_STR("mx.example.com");
    x.opts.ruleset = NULL;
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, ""), ONWARD_EINVAL);
    x.opts.ruleset = x.rules;
    x.opts.srs_domain.len = 0;
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, ""), ONWARD_EINVAL);
    x.opts.srs_domain = ONWARD_STR("fwd.net");
    x.opts.seal_selector.len = 0;
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, ""), ONWARD_EINVAL);
    x.opts.seal_selector = ONWARD_STR("arc");
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, "no address"), ONWARD_ESYNTAX);
    assert_int_equal(onward_desk_new(x.w->ctx, NULL, &other), 0);
    t_post_reset(&x);
    x.opts.store = NULL;
    assert_int_equal(onward_memstore_open(x.mem, other, NULL, &x.opts.store),
                     0);
    assert_int_equal(t_post_mail(&x, ""), ONWARD_EINVAL);
    onward_store_free(x.opts.store);
    onward_desk_free(other);
    t_post_close(&x);
}

static void test_a_dead_desk(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    onward_desk_free(x.desk);
    x.desk = NULL;
    assert_int_equal(t_post_rcpt(&x, "alias@example.com"), ONWARD_ESTATE);
    t_post_close(&x);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest row_tests[ROWS];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_a_bounce_finds_its_way),
        cmocka_unit_test(test_forged_and_old_senders),
        cmocka_unit_test(test_new_refuses),
        cmocka_unit_test(test_a_dead_desk),
    };
    int failed;

    for (size_t i = 0; i < ROWS; i++)
        row_tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    failed = cmocka_run_group_tests(row_tests, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
