/* Senders that do not fit into a rewritten address (row 64): kept by the store,
 * found again when the message bounces, refused where there is no store. */
#include "relay/post.h"

#define A56 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG A56 "@a.example"
#define QUOTED "\"a b\"@a.example"
#define BOUNCE                                                                 \
    "From: postmaster@dest.example\r\nSubject: Undelivered\r\n\r\nSorry.\r\n"

/* ---- A store of the host's --------------------------------------------- */

/* The reply to each question about senders, at once or when asked for. */
struct host_store {
    struct onward_desk *desk;
    bool is_late, refuses;
    uint64_t token; /* of what is not answered yet */
    int get_error;  /* instead of value */
    int put_error;
    const char *value;
    size_t value_len;
    size_t put_count;
    char key[ONWARD_STORE_KEY_MAX];
    size_t canceled;
};

static bool is_sender_key(const char *key, size_t len)
{
    return len > 11 && memcmp(key, "onward/srs/", 11) == 0;
}

static void answer_get(struct host_store *s, uint64_t token)
{
    if (s->get_error != 0)
        assert_int_equal(
            onward_store_answer_error(s->desk, token, s->get_error), 0);
    else
        assert_int_equal(onward_store_answer_value(s->desk, token, s->value,
                                                   s->value_len, 1),
                         0);
}

static int host_get(void *user, uint64_t token, const char *key, size_t len)
{
    struct host_store *s = user;

    if (!is_sender_key(key, len))
        return onward_store_answer_error(s->desk, token, ONWARD_ENOENT);
    if (s->refuses)
        return -1;
    if (s->is_late)
        s->token = token;
    else
        answer_get(s, token);
    return 0;
}

static int host_put(void *user, uint64_t token, const char *key, size_t key_len,
                    const void *value, size_t value_len, int64_t expires_s,
                    uint64_t version, uint32_t flags)
{
    struct host_store *s = user;

    (void)value;
    (void)value_len;
    (void)version;
    if (!is_sender_key(key, key_len))
        return onward_store_answer_done(s->desk, token, 1, 1);
    assert_true(flags == ONWARD_STORE_KEEP);
    assert_int_equal(expires_s, 1600000000 + 22 * 86400);
    if (s->refuses)
        return -1;
    s->put_count++;
    memcpy(s->key, key, key_len);
    if (s->put_error != 0)
        return onward_store_answer_error(s->desk, token, s->put_error);
    if (s->is_late)
        s->token = token;
    else
        return onward_store_answer_done(s->desk, token, 1, 1);
    return 0;
}

static int host_remove(void *user, uint64_t token, const char *key, size_t len,
                       uint64_t version)
{
    (void)user;
    (void)token;
    (void)key;
    (void)len;
    (void)version;
    return -1;
}

static int host_walk(void *user, uint64_t token, const char *prefix,
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

static void host_cancel(void *user, uint64_t token)
{
    struct host_store *s = user;

    s->canceled += token == s->token;
}

static void use_host_store(struct t_post *x, struct host_store *s)
{
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = s,
                                         .get = host_get,
                                         .put = host_put,
                                         .remove = host_remove,
                                         .walk = host_walk,
                                         .cancel = host_cancel};

    onward_store_free(x->store);
    x->store = NULL;
    s->desk = x->desk;
    assert_int_equal(onward_store_new(x->desk, &ops, NULL, &x->store), 0);
    x->opts.store = x->store;
}

/* ---- There and back ---------------------------------------------------- */

static const struct row {
    const char *name, *sender;
} rows[] = {
    {"row 64: 64 octets and more", LONG},
    {"row 64: quoted", QUOTED},
    {"quoted @", "\"a@b\"@a.example"},
    {"quoted bracket", "\"a>\"@a.example"},
    {"an address literal", "ann@[192.0.2.9]"},
    {"row 64: tagged for bounces, and long",
     "prvs=1234567890=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a.example"},
};

/* The sender of the copies; x has sent one. */
static void copy_sender(struct t_post *x, char out[ONWARD_SRS_TEXT_MAX])
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    assert_int_equal(onward_relay_delivery_at(x->relay, 0, &d), 0);
    assert_true(d.reverse_path.len < ONWARD_SRS_TEXT_MAX);
    memcpy(out, d.reverse_path.data, d.reverse_path.len);
    out[d.reverse_path.len] = '\0';
}

/* Each message is another one, as the ledger sees it. */
static void forward(struct t_post *x, const char *sender,
                    char out[ONWARD_SRS_TEXT_MAX])
{
    static unsigned number;
    char message[200];

    snprintf(message, sizeof(message),
             "From: ann@a.example\r\nSubject: %u\r\n\r\nHello.\r\n", number++);
    x->opts.allow_dmarc_reject = 1;
    x->opts.allow_unauthenticated = 1;
    x->answers[0] = "250 2.0.0 Taken";
    assert_string_equal(t_post_send(x, sender, "me@example.com", message),
                        "250 2.0.0 Taken");
    copy_sender(x, out);
    assert_memory_equal(out, "SRS0=", 5);
    assert_true(strchr(out, '@') - out <= 64);
    assert_string_equal(strchr(out, '@'), "@fwd.net");
    t_post_reset(x);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    char ours[ONWARD_SRS_TEXT_MAX], again[ONWARD_SRS_TEXT_MAX], want[400];
    struct t_post x;

    t_post_open(&x);
    forward(&x, row->sender, ours);
    /* One entry, however often that sender writes. */
    x.w->now_s += 86400;
    forward(&x, row->sender, again);
    assert_string_not_equal(ours, again); /* the day is in it */
    assert_int_equal(onward_memstore_count(x.mem), 2 + 1);
    snprintf(want, sizeof(want), "%s delivered", row->sender);
    assert_string_equal(t_post_send(&x, "", ours, BOUNCE), "250 2.0.0 Taken");
    assert_string_equal(t_post_fate(&x, 0), want);
    t_post_reset(&x);
    /* On its last day, though nobody wrote meanwhile. */
    x.w->now_s += 20 * 86400;
    assert_string_equal(t_post_send(&x, "", ours, "Subject: x\r\n" BOUNCE),
                        "250 2.0.0 Taken");
    t_post_reset(&x);
    x.w->now_s += 86400;
    assert_int_equal(t_post_mail(&x, ""), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 0);
    assert_string_equal(x.reply, "550 5.7.1 This address has expired");
    t_post_close(&x);
}

/* A106, A107: only bounces, and only what we signed. */
static void test_refusals(void **state)
{
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    forward(&x, LONG, ours);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 0);
    assert_string_equal(x.reply,
                        "550 5.7.1 Only bounces are taken for this address");
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, ""), 0);
    for (size_t i = 5; ours[i] != '@'; i++) {
        const char old = ours[i];

        if (old == '=')
            continue;
        ours[i] = old == 'A' ? 'B' : 'A';
        assert_int_equal(t_post_rcpt(&x, ours), 0);
        assert_memory_equal(x.reply, "550 5.7.1", 9);
        ours[i] = old;
    }
    /* One at a time: each bounce has a destination of its own. */
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 0);
    assert_memory_equal(x.reply, "452 4.5.3", 9);
    t_post_close(&x);
}

static void test_no_store(void **state)
{
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    forward(&x, LONG, ours);
    x.opts.store = NULL;
    assert_string_equal(t_post_send(&x, LONG, "me@example.com", t_post_plain),
                        "550 5.1.7 Sender is too long to be forwarded");
    assert_int_equal(x.asked_count, 0);
    t_post_reset(&x);
    assert_string_equal(t_post_send(&x, QUOTED, "me@example.com", t_post_plain),
                        "550 5.1.7 Sender of this form cannot be forwarded");
    t_post_reset(&x);
    assert_int_equal(t_post_mail(&x, ""), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 0);
    assert_string_equal(x.reply, "550 5.7.1 This address is not one of ours");
    t_post_close(&x);
}

/* ---- The store fails --------------------------------------------------- */

static const struct fail_row {
    const char *name;
    int get_error;
    const char *value;
    size_t value_len;
    const char *want, *reason;
} fail_rows[] = {
    {"get: gone", ONWARD_ENOENT, NULL, 0,
     "550 5.1.1 The sender behind this address is not known any more",
     "sender"},
    {"get: down", ONWARD_ECALLBACK, NULL, 0, "451 4.3.0 ", "store"},
    {"get: empty", 0, "", 0, "451 4.3.0 ", "store"},
    {"get: cut", 0, "srsk\1\0\0\0", 8, "451 4.3.0 ", "store"},
    {"get: another kind", 0, "srsx\1\0\0\0ann@a.example", 21, "451 4.3.0 ",
     "store"},
    {"get: a later version", 0, "srsk\2\0\0\0ann@a.example", 21, "451 4.3.0 ",
     "store"},
    {"get: no address", 0, "srsk\1\0\0\0ann", 11, "451 4.3.0 ", "store"},
    {"get: two addresses", 0, "srsk\1\0\0\0ann@a.example> <b@c.example", 35,
     "451 4.3.0 ", "store"},
    {"get: a line end", 0, "srsk\1\0\0\0ann@a.example\r\n", 23, "451 4.3.0 ",
     "store"},
    {"get: the null path", 0, "srsk\1\0\0\0<>", 10, "451 4.3.0 ", "store"},
};

static void test_fail_row(void **state)
{
    const struct fail_row *row = *state;
    struct host_store s = {.get_error = row->get_error,
                           .value = row->value,
                           .value_len = row->value_len};
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    t_post_open(&x);
    use_host_store(&x, &s);
    forward(&x, LONG, ours);
    assert_int_equal(s.put_count, 1);
    assert_memory_equal(t_post_send(&x, "", ours, BOUNCE), row->want,
                        strlen(row->want));
    assert_string_equal(onward_relay_reason_name(onward_relay_reason(x.relay)),
                        row->reason);
    assert_int_equal(x.asked_count, 0);
    assert_int_equal(x.done, 1);
    t_post_close(&x);
}

static void test_put_fails(void **state)
{
    struct host_store s = {.put_error = ONWARD_ELIMIT};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    use_host_store(&x, &s);
    x.opts.allow_unauthenticated = 1;
    x.answers[0] = "250 2.0.0 Taken";
    assert_memory_equal(t_post_send(&x, LONG, "me@example.com", t_post_plain),
                        "451 4.3.0", 9);
    assert_string_equal(onward_relay_reason_name(onward_relay_reason(x.relay)),
                        "store");
    t_post_reset(&x);
    s.refuses = true;
    assert_memory_equal(t_post_send(&x, LONG, "me@example.com", t_post_plain),
                        "451 4.3.0", 9);
    t_post_reset(&x);
    /* Others do not need it. */
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain),
        "250 2.0.0 Taken");
    assert_int_equal(x.asked_count, 1);
    t_post_close(&x);
}

/* Nothing leaves before the entry is there; and who does not want to wait may
 * free it all. */
static void test_late(void **state)
{
    struct host_store s = {.is_late = true,
                           .value = "srsk\1\0\0\0" LONG,
                           .value_len = 8 + sizeof(LONG) - 1};
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    use_host_store(&x, &s);
    x.opts.allow_unauthenticated = 1;
    x.answers[0] = "250 2.0.0 Taken";
    assert_int_equal(t_post_mail(&x, LONG), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    assert_int_equal(t_post_data(&x, t_post_plain), 0);
    assert_int_equal(x.asked_count, 0);
    assert_int_equal(x.done, 0);
    assert_int_equal(onward_store_answer_done(x.desk, s.token, 1, 1), 0);
    t_post_run(&x);
    assert_int_equal(x.asked_count, 1);
    assert_string_equal(t_post_reply(&x), "250 2.0.0 Taken");
    copy_sender(&x, ours);
    t_post_reset(&x);

    assert_int_equal(t_post_mail(&x, ""), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_int_equal(t_post_data(&x, BOUNCE), 0);
    assert_int_equal(x.done, 0);
    t_post_reset(&x);
    assert_int_equal(s.canceled, 1);
    assert_int_equal(
        onward_store_answer_value(x.desk, s.token, s.value, s.value_len, 1),
        ONWARD_ESTALE);

    assert_int_equal(t_post_mail(&x, ""), 0);
    assert_int_equal(t_post_rcpt(&x, ours), 1);
    assert_int_equal(t_post_data(&x, BOUNCE), 0);
    answer_get(&s, s.token);
    t_post_run(&x);
    assert_string_equal(t_post_reply(&x), "250 2.0.0 Taken");
    assert_string_equal(t_post_fate(&x, 0), LONG " delivered");
    t_post_close(&x);
}

static bool there_and_back(struct t_world *w, void *arg)
{
    char ours[ONWARD_SRS_TEXT_MAX];
    struct t_post x;
    bool is_through = false;

    (void)arg;
    if (t_post_open_in(&x, w)) {
        x.opts.allow_unauthenticated = 1;
        x.answers[0] = "250 2.0.0 OK";
        if (t_post_mail(&x, LONG) == 0 &&
            t_post_rcpt(&x, "me@example.com") == 1 &&
            t_post_data(&x, t_post_plain) == 0 && t_post_reply(&x)[0] == '2') {
            copy_sender(&x, ours);
            t_post_reset(&x);
            is_through =
                t_post_mail(&x, "") == 0 && t_post_rcpt(&x, ours) == 1 &&
                t_post_data(&x, BOUNCE) == 0 && t_post_reply(&x)[0] == '2';
            if (is_through)
                assert_string_equal(t_post_fate(&x, 0), LONG " delivered");
        }
        if (!is_through && x.relay != NULL && x.done == 1)
            assert_int_equal(t_post_reply(&x)[0], '4');
    }
    t_post_close(&x);
    return is_through;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(there_and_back, NULL);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int main(void)
{
    static struct CMUnitTest tests[COUNT(rows) + COUNT(fail_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_put_fails), cmocka_unit_test(test_late),
        cmocka_unit_test(test_no_memory),
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].name,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(fail_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = fail_rows[i].name,
                                .test_func = test_fail_row,
                                .initial_state = (void *)&fail_rows[i]};
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests_name("others", others, NULL, NULL);
}
