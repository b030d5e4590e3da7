/* Deliveries: every order of answers gives one true reply, the ledger keeps a
 * retry from doubling, and the host may free whatever it likes. */
#include "relay/post.h"

#define TO_ONE "me@example.com"
#define TO_THREE "all@example.com"

/* ---- One reply for several answers ------------------------------------- */

static const struct row {
    const char *name;
    const char *answers[3];
    const char *want;
} rows[] = {
    {"all have it",
     {"250 2.0.0 a", "250 2.0.0 b", "250 2.0.0 c"},
     "250 2.0.0 Delivered to all destinations"},
    {"one has to wait",
     {"250 2.0.0 a", "452 4.2.2 full", "250 2.0.0 c"},
     "452 4.2.2 full"},
    {"one never will",
     {"250 2.0.0 a", "250 2.0.0 b", "552 5.2.2 full"},
     "552 5.2.2 full"},
    {"a temporary failure beats a permanent one",
     {"550 5.1.1 no such user", "250 2.0.0 b", "450 4.2.1 busy"},
     "450 4.2.1 busy"},
    {"none",
     {"550 5.1.1 first", "550 5.1.1 second", "550 5.1.1 third"},
     "550 5.1.1 first"},
    {"codes that mean something else here",
     {"250 2.0.0 a", "421 4.3.2 closing", "250 2.0.0 c"},
     "451 4.3.2 closing"},
    {"codes that mean something else here, for good",
     {"250 2.0.0 a", "521 5.3.2 no mail", "250 2.0.0 c"},
     "554 5.3.2 no mail"},
};

struct order_test {
    const struct row *row;
};

static void run_order(void *arg, const size_t *order, size_t n)
{
    const struct order_test *t = arg;
    struct t_post x;

    t_post_open(&x);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain), "pending");
    assert_int_equal(x.asked_count, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(t_post_reply(&x), "pending");
        assert_int_equal(x.done, 0);
        assert_int_equal(t_post_answer(&x, order[i], t->row->answers[order[i]]),
                         0);
        assert_int_equal(t_post_answer(&x, order[i], "250 2.0.0 again"),
                         ONWARD_ESTALE);
        t_post_run(&x);
    }
    assert_int_equal(x.done, 1);
    assert_string_equal(t_post_reply(&x), t->row->want);
    t_post_close(&x);
}

static void test_row(void **state)
{
    struct order_test t = {.row = *state};
    struct t_post x;

    t_every_order(3, run_order, &t);
    /* And all of them inside the question. */
    t_post_open(&x);
    memcpy(x.answers, t.row->answers, sizeof(t.row->answers));
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain), t.row->want);
    assert_int_equal(x.done, 1);
    t_post_close(&x);
}

/* ---- One destination --------------------------------------------------- */

static const struct one_row {
    const char *name, *answer, *want;
    int reason;
} one_rows[] = {
    {"taken", "250 2.6.0 Queued as 7", "250 2.6.0 Queued as 7",
     ONWARD_RELAY_REASON_DELIVERED},
    {"taken with another code", "251 2.1.5 will forward",
     "250 2.1.5 will forward", ONWARD_RELAY_REASON_DELIVERED},
    {"not now", "450 4.7.1 Greylisted", "450 4.7.1 Greylisted",
     ONWARD_RELAY_REASON_NEXT_HOP},
    {"never", "554 5.7.1 Spam", "554 5.7.1 Spam", ONWARD_RELAY_REASON_NEXT_HOP},
    {"a code for AUTH", "530 5.7.0 Who are you", "554 5.7.0 Who are you",
     ONWARD_RELAY_REASON_NEXT_HOP},
};

static void test_one_row(void **state)
{
    const struct one_row *row = *state;
    struct t_post x;

    t_post_open(&x);
    x.answers[0] = row->answer;
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        row->want);
    assert_int_equal(onward_relay_reason(x.relay), row->reason);
    t_post_close(&x);
}

static void test_the_host_cannot_try(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.deliver_returns = -1;
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "451 4.3.0 Cannot be delivered now");
    assert_string_equal(t_post_fate(&x, 0), "me@dest.example temporary");
    assert_int_equal(t_post_answer(&x, 0, "250 2.0.0 late"), ONWARD_ESTALE);
    t_post_close(&x);
}

static void test_answers_are_checked(void **state)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 354};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain);
    assert_int_equal(onward_relay_delivery_answer(x.desk, x.tokens[0], &reply),
                     ONWARD_EINVAL);
    reply.code = 199;
    assert_int_equal(onward_relay_delivery_answer(x.desk, x.tokens[0], &reply),
                     ONWARD_EINVAL);
    assert_int_equal(t_post_answer(&x, 0, "250 5.0.0 what"), ONWARD_EINVAL);
    reply.code = 250;
    assert_int_equal(
        onward_relay_delivery_answer(x.desk, x.tokens[0] + 1, &reply),
        ONWARD_ESTALE);
    assert_int_equal(onward_relay_delivery_answer(x.desk, x.tokens[0], &reply),
                     0);
    t_post_run(&x);
    assert_string_equal(t_post_reply(&x), "250  ");
    t_post_close(&x);
}

/* ---- The ledger -------------------------------------------------------- */

static void test_a_retry_skips_what_went_well(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "250 2.0.0 a";
    x.answers[1] = "451 4.3.0 b is down";
    x.answers[2] = "250 2.0.0 c";
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain),
        "451 4.3.0 b is down");
    assert_int_equal(x.asked_count, 3);
    assert_int_equal(onward_memstore_count(x.mem), 2);
    x.answers[1] = "250 2.0.0 b";
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain),
        "250 2.0.0 Delivered to all destinations");
    assert_int_equal(x.asked_count, 1);
    assert_string_equal(t_post_fate(&x, 0), "one@dest.example before");
    assert_string_equal(t_post_fate(&x, 1), "two@dest.example delivered");
    assert_string_equal(t_post_fate(&x, 2), "three@dest.example before");
    /* Our 250 was lost on the way: nothing is left to do. */
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain),
        "250 2.0.0 Delivered before");
    assert_int_equal(x.asked_count, 0);
    t_post_close(&x);
}

static void test_a_permanent_failure_is_no_entry(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "550 5.1.1 who";
    t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain);
    assert_int_equal(onward_memstore_count(x.mem), 0);
    t_post_close(&x);
}

/* me and alias go the same way; a sender may name them in any order. */
static size_t send_to_both(struct t_post *x, const char *first,
                           const char *second)
{
    t_post_reset(x);
    assert_int_equal(t_post_mail(x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(x, first), 1);
    assert_int_equal(t_post_rcpt(x, second), 1);
    assert_int_equal(t_post_data(x, t_post_plain), 0);
    assert_memory_equal(t_post_reply(x), "250", 3);
    return x->asked_count;
}

/* RFC 8689 sections 3 and 4.1: all copies alike, and the parameter beats the
 * field. */
static void test_the_wish_for_tls_is_passed_on(void **state)
{
    static const struct {
        const char *field;
        size_t require_tls, want_require, want_optional;
    } wishes[] = {
        {"", 0, 0, 0},
        {"", 1, 1, 0},
        {"TLS-Required: No\r\n", 0, 0, 1},
        {"tls-required:\r\n no \r\n", 0, 0, 1},
        {"TLS-Required: No\r\n", 1, 1, 0},
        {"TLS-Required: Yes\r\n", 0, 0, 0},
        {"TLS-Required:\r\n", 0, 0, 0},
        {"TLS-Required: No\r\nTLS-Required: No\r\n", 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        struct t_post x;
        char message[2000];

        t_post_open(&x);
        x.require_tls = wishes[i].require_tls;
        snprintf(message, sizeof(message), "%s%s", wishes[i].field,
                 t_post_plain);
        assert_string_equal(t_post_send(&x, "ann@a.example", TO_THREE, message),
                            "pending");
        for (size_t d = 0; d < 3; d++) {
            struct onward_relay_delivery f = {.size = sizeof(f)};

            assert_int_equal(onward_relay_delivery_at(x.relay, d, &f), 0);
            assert_int_equal(f.require_tls, wishes[i].want_require);
            assert_int_equal(f.tls_optional, wishes[i].want_optional);
        }
        t_post_close(&x);
    }
}

static void test_what_is_the_same_delivery(void **state)
{
    static const char other[] = "From: Ann <ann@a.example>\r\n"
                                "To: me@example.com\r\n"
                                "Subject: hi\r\n"
                                "\r\n"
                                "Hullo.\r\n";
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "250 2.0.0 OK";
    assert_int_equal(send_to_both(&x, "me@example.com", "alias@example.com"),
                     1);
    assert_int_equal(send_to_both(&x, "alias@example.com", "me@example.com"),
                     0);
    t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain);
    assert_int_equal(x.asked_count, 1); /* another recipient */
    t_post_send(&x, "ann@a.example", "alias@example.com", t_post_plain);
    assert_int_equal(x.asked_count, 1); /* and another */
    t_post_send(&x, "bob@a.example", TO_ONE, t_post_plain);
    assert_int_equal(x.asked_count, 1); /* another sender */
    t_post_send(&x, "ann@a.example", TO_ONE, other);
    assert_int_equal(x.asked_count, 1); /* another message */
    t_post_send(&x, "ann@a.example", TO_ONE, other);
    assert_int_equal(x.asked_count, 0);
    x.w->now_s += 5 * 86400 + 1;
    t_post_send(&x, "ann@a.example", TO_ONE, other);
    assert_int_equal(x.asked_count, 1); /* forgotten */
    t_post_close(&x);
}

static void test_without_a_ledger(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.opts.store = NULL;
    x.answers[0] = "250 2.0.0 OK";
    for (int i = 0; i < 2; i++) {
        assert_string_equal(
            t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
            "250 2.0.0 OK");
        assert_int_equal(x.asked_count, 1);
    }
    t_post_close(&x);
}

/* ---- A store that fails ------------------------------------------------ */

struct bad_store {
    struct t_post *x;
    int get_error, put_error;
    const char *value;
    size_t puts;
    bool frees;
};

static void free_in_store(struct bad_store *s)
{
    struct onward_relay *relay = s->x->relay;

    s->x->relay = NULL;
    onward_relay_free(relay);
}

static int bad_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    struct bad_store *s = user;

    assert_memory_equal(key, "onward/relay/1/", 15);
    assert_int_equal(key_len, 15 + 64);
    if (s->frees)
        free_in_store(s);
    else if (s->value != NULL)
        return onward_store_answer_value(s->x->desk, token, s->value,
                                         strlen(s->value), 1);
    else
        return onward_store_answer_error(s->x->desk, token, s->get_error);
    return 0;
}

static int bad_put(void *user, uint64_t token, const char *key, size_t key_len,
                   const void *value, size_t value_len, int64_t expires_s,
                   uint64_t version, uint32_t flags)
{
    struct bad_store *s = user;

    (void)key;
    (void)key_len;
    (void)value;
    (void)version;
    s->puts++;
    assert_int_equal(value_len, 16);
    assert_int_equal(expires_s, s->x->w->now_s + 5 * 86400);
    assert_int_equal(flags, ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT);
    return onward_store_answer_error(s->x->desk, token, s->put_error);
}

static int bad_remove(void *user, uint64_t token, const char *key,
                      size_t key_len, uint64_t version)
{
    (void)user;
    (void)token;
    (void)key;
    (void)key_len;
    (void)version;
    return -1;
}

static int bad_walk(void *user, uint64_t token, const char *prefix,
                    size_t prefix_len, const char *cursor, size_t cursor_len,
                    size_t max_items)
{
    (void)user;
    (void)token;
    (void)prefix;
    (void)prefix_len;
    (void)cursor;
    (void)cursor_len;
    (void)max_items;
    return -1;
}

static void open_bad_store(struct t_post *x, struct bad_store *s)
{
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = s,
                                         .get = bad_get,
                                         .put = bad_put,
                                         .remove = bad_remove,
                                         .walk = bad_walk};

    t_post_open(x);
    s->x = x;
    x->answers[0] = "250 2.0.0 OK";
    assert_int_equal(onward_store_new(x->desk, &ops, NULL, &x->opts.store), 0);
}

static void close_bad_store(struct t_post *x)
{
    onward_store_free(x->opts.store);
    t_post_close(x);
}

static void test_a_ledger_that_cannot_be_read(void **state)
{
    struct bad_store s = {.get_error = ONWARD_ECALLBACK};
    struct t_post x;

    (void)state;
    open_bad_store(&x, &s);
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "451 4.3.0 Local error, try again later");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_LEDGER);
    assert_int_equal(x.asked_count, 0);
    /* Neither is a value that another program put there. */
    s.value = "rlgd\2........";
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "451 4.3.0 Local error, try again later");
    s.value = "rlgd";
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "451 4.3.0 Local error, try again later");
    close_bad_store(&x);
}

/* Asked for: one destination is tried all the same, several are not. */
static void test_without_the_ledger_s_word(void **state)
{
    struct bad_store s = {.get_error = ONWARD_ECALLBACK,
                          .put_error = ONWARD_ECALLBACK};
    struct t_post x;

    (void)state;
    open_bad_store(&x, &s);
    x.opts.allow_no_ledger = 1;
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "250 2.0.0 OK");
    assert_int_equal(x.asked_count, 1);
    x.asked_count = 0;
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain),
        "451 4.3.0 Local error, try again later");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_LEDGER);
    assert_int_equal(x.asked_count, 0);
    close_bad_store(&x);
}

static void test_a_ledger_that_is_full(void **state)
{
    struct bad_store s = {.get_error = ONWARD_ENOENT,
                          .put_error = ONWARD_ELIMIT};
    struct onward_store *store;
    struct t_post x;
    size_t logged;

    (void)state;
    open_bad_store(&x, &s);
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "250 2.0.0 OK");
    assert_int_equal(s.puts, 1);
    logged = x.w->log_count;
    /* It was told: the same without a ledger has one event less. */
    store = x.opts.store;
    x.opts.store = NULL;
    t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain);
    assert_int_equal(logged, x.w->log_count - logged + 1);
    x.opts.store = store;
    close_bad_store(&x);
}

static void test_free_inside_the_store(void **state)
{
    struct bad_store s = {.frees = true};
    struct t_post x;

    (void)state;
    open_bad_store(&x, &s);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain), "freed");
    assert_int_equal(x.done, 0);
    close_bad_store(&x);
}

/* ---- Time -------------------------------------------------------------- */

static void test_deliveries_take_too_long(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.opts.delivery_timeout_ms = 1000;
    x.answers[1] = "250 2.0.0 OK";
    t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain);
    assert_int_equal(onward_desk_deadline(x.desk), 1000);
    x.now_ms = 999;
    t_post_run(&x);
    assert_int_equal(x.done, 0);
    x.now_ms = 1000;
    t_post_run(&x);
    assert_string_equal(t_post_reply(&x), "451 4.4.7 Delivery takes too long");
    assert_int_equal(x.canceled_count, 2);
    assert_true(x.canceled[0] == x.tokens[0]);
    assert_true(x.canceled[1] == x.tokens[2]);
    assert_int_equal(t_post_answer(&x, 0, "250 2.0.0 late"), ONWARD_ESTALE);
    assert_int_equal(onward_memstore_count(x.mem), 1);
    assert_true(onward_desk_deadline(x.desk) == ONWARD_NEVER);
    t_post_close(&x);
}

/* ---- Free -------------------------------------------------------------- */

static void test_free_inside_deliver(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.frees_in_deliver = true;
    assert_string_equal(
        t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain), "freed");
    assert_int_equal(x.asked_count, 1);
    assert_int_equal(x.canceled_count, 1);
    assert_int_equal(x.done, 0);
    t_post_close(&x);
}

static void test_free_inside_done(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.frees_in_done = true;
    x.answers[0] = "250 2.0.0 OK";
    assert_string_equal(t_post_send(&x, "ann@a.example", TO_ONE, t_post_plain),
                        "freed");
    assert_int_equal(x.done, 1);
    t_post_close(&x);
}

static void test_free_inside_cancel(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.frees_in_cancel = true;
    x.opts.delivery_timeout_ms = 1000;
    t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain);
    x.now_ms = 1000;
    t_post_run(&x);
    assert_int_equal(x.canceled_count, 3);
    assert_int_equal(x.done, 0);
    t_post_close(&x);
}

static void test_free_cancels(void **state)
{
    struct t_post x;
    uint64_t token;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain);
    assert_int_equal(t_post_answer(&x, 1, "250 2.0.0 OK"), 0);
    token = x.tokens[0];
    onward_relay_free(x.relay);
    x.relay = NULL;
    assert_int_equal(x.canceled_count, 2);
    assert_true(x.canceled[0] == token);
    assert_int_equal(t_post_answer(&x, 0, "250 2.0.0 OK"), ONWARD_ESTALE);
    t_post_run(&x);
    assert_int_equal(x.done, 0);
    t_post_close(&x);
}

static void test_a_freed_desk_fires_nothing(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "ann@a.example", TO_THREE, t_post_plain);
    onward_desk_free(x.desk);
    x.desk = NULL;
    onward_relay_free(x.relay);
    x.relay = NULL;
    assert_int_equal(x.canceled_count, 0);
    t_post_close(&x);
}

static void test_a_desk_freed_inside_deliver(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.frees_desk_in_deliver = true;
    x.answers[0] = x.answers[1] = x.answers[2] = "250 2.0.0 OK";
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, TO_THREE), 1);
    assert_int_equal(t_post_data(&x, t_post_plain), 0);
    assert_int_equal(x.asked_count, 1);
    assert_int_equal(x.done, 0);
    t_post_close(&x);
}

/* ---- Misuse ------------------------------------------------------------ */

static void test_start_refuses(void **state)
{
    const struct onward_str received = ONWARD_STR("Received: x\r\n");
    const struct onward_source *source;
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    /* No recipient. */
    assert_int_equal(t_post_data(&x, t_post_plain), ONWARD_ESTATE);
    source = onward_memory_source_table(x.memory);
    assert_int_equal(t_post_rcpt(&x, TO_ONE), 1);
    assert_int_equal(onward_relay_start(x.relay, x.verifier, source,
                                        ONWARD_STR("Subject: x\r\n")),
                     ONWARD_EINVAL);
    assert_int_equal(onward_relay_start(x.relay, x.verifier, source, received),
                     0);
    assert_int_equal(onward_relay_start(x.relay, x.verifier, source, received),
                     ONWARD_ESTATE);
    assert_int_equal(t_post_rcpt(&x, "alias@example.com"), ONWARD_ESTATE);
    assert_string_equal(t_post_reply(&x), "pending");
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    assert_null(d.source);
    assert_int_equal(onward_relay_delivery_at(x.relay, 1, &d), ONWARD_ENOENT);
    d.size = 1;
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), ONWARD_EINVAL);
    t_post_close(&x);
}

static const char *const bad_received[] = {
    "", "Received: x", "Received: x\r\nSubject: y\r\n", "Received: \1\r\n"};

static void test_received_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_received) / sizeof(bad_received[0]);
         i++) {
        struct t_post x;

        t_post_open(&x);
        assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
        (void)t_post_data(&x, t_post_plain);
        assert_int_equal(t_post_rcpt(&x, TO_ONE), 1);
        assert_int_equal(
            onward_relay_start(x.relay, x.verifier,
                               onward_memory_source_table(x.memory),
                               onward_str_of(bad_received[i])),
            ONWARD_EINVAL);
        t_post_close(&x);
    }
}

/* Results under another name would leave forged ones under ours. */
static void test_another_authserv_id(void **state)
{
    struct onward_relay *relay;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    relay = x.relay;
    x.relay = NULL;
    onward_verifier_free(x.verifier);
    x.opts.authserv_id = ONWARD_STR("mx.other.example");
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    onward_relay_free(x.relay);
    x.relay = relay;
    assert_int_equal(t_post_rcpt(&x, TO_ONE), 1);
    assert_int_equal(t_post_data(&x, t_post_plain), ONWARD_EINVAL);
    t_post_close(&x);
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        ONE_ROWS = sizeof(one_rows) / sizeof(one_rows[0])
    };
    struct CMUnitTest row_tests[ROWS + ONE_ROWS];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_host_cannot_try),
        cmocka_unit_test(test_answers_are_checked),
        cmocka_unit_test(test_a_retry_skips_what_went_well),
        cmocka_unit_test(test_a_permanent_failure_is_no_entry),
        cmocka_unit_test(test_the_wish_for_tls_is_passed_on),
        cmocka_unit_test(test_what_is_the_same_delivery),
        cmocka_unit_test(test_without_a_ledger),
        cmocka_unit_test(test_a_ledger_that_cannot_be_read),
        cmocka_unit_test(test_without_the_ledger_s_word),
        cmocka_unit_test(test_a_ledger_that_is_full),
        cmocka_unit_test(test_free_inside_the_store),
        cmocka_unit_test(test_deliveries_take_too_long),
        cmocka_unit_test(test_free_inside_deliver),
        cmocka_unit_test(test_free_inside_done),
        cmocka_unit_test(test_free_inside_cancel),
        cmocka_unit_test(test_free_cancels),
        cmocka_unit_test(test_a_freed_desk_fires_nothing),
        cmocka_unit_test(test_a_desk_freed_inside_deliver),
        cmocka_unit_test(test_start_refuses),
        cmocka_unit_test(test_received_is_checked),
        cmocka_unit_test(test_another_authserv_id),
    };
    int failed;

    for (size_t i = 0; i < ROWS; i++)
        row_tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < ONE_ROWS; i++)
        row_tests[ROWS + i] = (struct CMUnitTest){
            .name = one_rows[i].name,
            .test_func = test_one_row,
            .initial_state = (void *)(uintptr_t)&one_rows[i]};
    failed = cmocka_run_group_tests(row_tests, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
