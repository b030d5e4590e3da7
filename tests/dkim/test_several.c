/* Several signatures from one reading of a message. */
#include "support/support.h"

#include <onward/dkim.h>

static const char message[] = "From: A <a@example.net>\r\n"
                              "To: b@example.org\r\n"
                              "Subject:  hello \r\n"
                              "\r\n"
                              "Body  with blanks. \r\n\r\n";

enum { KEYS = 3, TIME = 1700000000 };

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_key *keys[2];
    struct onward_signer *signers[KEYS]; /* RSA, Ed25519, a host */
    struct onward_dkim_signer *s;
    uint64_t asked[8], canceled[8];
    size_t asked_count, canceled_count;
    int done_count;
    int status;
    bool free_in_sign, free_in_cancel;
};

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    struct world *x = user;

    assert_ptr_equal(signer, x->s);
    x->done_count++;
    x->status = status;
}

static void free_signer(struct world *x)
{
    onward_dkim_signer_free(x->s);
    x->s = NULL;
}

static int ask(void *user, const struct onward_sign_question *q)
{
    struct world *x = user;

    x->asked[x->asked_count++] = q->token;
    if (x->free_in_sign)
        free_signer(x);
    return 0;
}

static void cancel(void *user, uint64_t token)
{
    struct world *x = user;

    x->canceled[x->canceled_count++] = token;
    if (x->free_in_cancel)
        free_signer(x);
}

static int open_world(struct world *x)
{
    const struct onward_signer_host host = {sizeof(host), x, ask, cancel};
    int err = onward_desk_new(x->w.ctx, NULL, &x->desk);

    if (err == 0)
        err = onward_key_generate(x->w.ctx, ONWARD_KEY_RSA, 1024, &x->keys[0]);
    if (err == 0)
        err = onward_key_generate(x->w.ctx, ONWARD_KEY_ED25519, 0, &x->keys[1]);
    for (size_t i = 0; i < 2 && err == 0; i++)
        err = onward_signer_new(x->desk, x->keys[i], NULL, &x->signers[i]);
    if (err == 0)
        err = onward_signer_new_host(x->desk, onward_key_public(x->keys[1]),
                                     &host, NULL, &x->signers[2]);
    return err;
}

static void setup(struct world *x)
{
    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(open_world(x), 0);
}

static void teardown(struct world *x)
{
    onward_dkim_signer_free(x->s);
    for (size_t i = 0; i < KEYS; i++)
        onward_signer_free(x->signers[i]);
    for (size_t i = 0; i < 2; i++)
        onward_key_free(x->keys[i]);
    onward_desk_free(x->desk);
}

/* Signature i has its own selector and forms. */
static struct onward_dkim_signer_opts opts_of(size_t i)
{
    static const char *const selectors[] = {"one", "two", "three"};

    return (struct onward_dkim_signer_opts){
        .size = sizeof(struct onward_dkim_signer_opts),
        .domain = ONWARD_STR("example.net"),
        .selector = onward_str_of(selectors[i % 3]),
        .use_simple_header = i % 3 == 1,
        .use_simple_body = i % 3 == 2,
        .time_s = TIME};
}

static int make(struct world *x, size_t i)
{
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = x, .done = done};
    struct onward_dkim_signer_opts opts = opts_of(i);

    return onward_dkim_signer_new(x->signers[i], &opts, &host, &x->s);
}

static int add(struct world *x, size_t i)
{
    struct onward_dkim_signer_opts opts = opts_of(i);

    return onward_dkim_signer_add(x->s, x->signers[i], &opts);
}

static int feed(struct world *x)
{
    int err = onward_dkim_signer_feed(x->s, message, sizeof(message) - 1);

    return err != 0 ? err : onward_dkim_signer_finish(x->s);
}

static void run_desk(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

/* RSA's PKCS#1 v1.5 and Ed25519 sign the same twice. */
static void test_each_is_as_if_alone(void **state)
{
    struct world x;
    char want[8192] = "";

    (void)state;
    setup(&x);
    for (size_t i = 0; i < 2; i++) {
        struct onward_str field;

        assert_int_equal(make(&x, i), 0);
        assert_int_equal(feed(&x), 0);
        run_desk(&x);
        field = onward_dkim_signer_field(x.s);
        assert_true(field.len > 0);
        strncat(want, field.data, field.len);
        free_signer(&x);
    }
    assert_int_equal(make(&x, 0), 0);
    assert_int_equal(add(&x, 1), 0);
    x.done_count = 0;
    assert_int_equal(feed(&x), 0);
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    assert_int_equal(x.status, 0);
    t_assert_str(onward_dkim_signer_field(x.s), want);
    teardown(&x);
    t_world_clear(&x.w);
}

static void pend_two(struct world *x)
{
    assert_int_equal(make(x, 2), 0);
    assert_int_equal(add(x, 0), 0);
    assert_int_equal(add(x, 2), 0);
    assert_int_equal(feed(x), 0);
}

/* Both questions are out before an answer comes; a wrong answer is an error. */
static void test_asked_together(void **state)
{
    struct world x;

    (void)state;
    setup(&x);
    pend_two(&x);
    assert_int_equal(x.asked_count, 2);
    run_desk(&x);
    assert_int_equal(x.done_count, 0);
    t_assert_str(onward_dkim_signer_field(x.s), "");
    teardown(&x);
    assert_int_equal(x.canceled_count, 2);
    t_world_clear(&x.w);
}

static void test_one_fails(void **state)
{
    for (size_t which = 0; which < 2; which++) {
        struct world x;

        (void)state;
        setup(&x);
        pend_two(&x);
        assert_int_equal(
            onward_sign_answer_error(x.desk, x.asked[which], ONWARD_ECALLBACK),
            0);
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        assert_int_equal(x.status, ONWARD_ECALLBACK);
        assert_int_equal(x.canceled_count, 1);
        assert_true(x.canceled[0] == x.asked[1 - which]);
        t_assert_str(onward_dkim_signer_field(x.s), "");
        assert_int_equal(onward_sign_answer_error(x.desk, x.asked[1 - which],
                                                  ONWARD_ECALLBACK),
                         ONWARD_ESTALE);
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        teardown(&x);
        t_world_clear(&x.w);
    }
}

static void test_freed_inside_the_keys_callbacks(void **state)
{
    struct world x;

    (void)state;
    setup(&x);
    x.free_in_sign = true;
    assert_int_equal(make(&x, 2), 0);
    assert_int_equal(add(&x, 2), 0);
    assert_int_equal(feed(&x), 0);
    assert_null(x.s);
    assert_int_equal(x.asked_count, 1); /* the other is not asked any more */
    assert_int_equal(x.canceled_count, 1);
    x.free_in_sign = false;
    x.asked_count = 0;
    pend_two(&x);
    x.free_in_cancel = true;
    assert_int_equal(
        onward_sign_answer_error(x.desk, x.asked[0], ONWARD_ECALLBACK), 0);
    run_desk(&x);
    assert_null(x.s);
    assert_int_equal(x.done_count, 0);
    teardown(&x);
    t_world_clear(&x.w);
}

static void test_refused(void **state)
{
    struct onward_dkim_signer_opts bad = opts_of(0);
    struct onward_signer *elsewhere = NULL;
    struct onward_desk *desk = NULL;
    struct world x;

    (void)state;
    setup(&x);
    assert_int_equal(onward_desk_new(x.w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, x.keys[1], NULL, &elsewhere), 0);
    assert_int_equal(make(&x, 0), 0);
    assert_int_equal(onward_dkim_signer_add(x.s, elsewhere, &bad),
                     ONWARD_EINVAL);
    bad.log_id = 1;
    assert_int_equal(onward_dkim_signer_add(x.s, x.signers[1], &bad),
                     ONWARD_EINVAL);
    bad = opts_of(0);
    bad.selector = (struct onward_str){0};
    assert_int_equal(onward_dkim_signer_add(x.s, x.signers[1], &bad),
                     ONWARD_EINVAL);
    for (size_t i = 1; i < 8; i++)
        assert_int_equal(add(&x, 1), 0);
    assert_int_equal(add(&x, 1), ONWARD_ELIMIT);
    assert_int_equal(feed(&x), 0);
    assert_int_equal(add(&x, 1), ONWARD_ESTATE);
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    assert_int_equal(x.status, 0);
    onward_signer_free(elsewhere);
    onward_desk_free(desk);
    teardown(&x);
    t_world_clear(&x.w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_key *const *keys = arg;
    struct world x = {.w = *w};
    bool ok;

    x.w.ctx = w->ctx;
    ok = onward_desk_new(x.w.ctx, NULL, &x.desk) == 0;
    for (size_t i = 0; i < 2 && ok; i++)
        ok = onward_signer_new(x.desk, keys[i], NULL, &x.signers[i]) == 0;
    ok = ok && make(&x, 0) == 0 && add(&x, 1) == 0 && feed(&x) == 0;
    if (ok) {
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        ok = x.status == 0;
        assert_true(ok || x.status == ONWARD_ENOMEM);
    }
    teardown(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    struct world x;

    (void)state;
    setup(&x);
    t_oom_sweep(oom_scenario, x.keys);
    teardown(&x);
    t_world_clear(&x.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_as_if_alone),
        cmocka_unit_test(test_asked_together),
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_freed_inside_the_keys_callbacks),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests_name("several signatures", tests, NULL, NULL);
}
