/* Hosts that sign: asked by token, answered now or later, and checked. */
#include "key/key_priv.h"
#include "key/key_shared.h"

#include <nettle/eddsa.h>

#include "support/support.h"

static const uint8_t seed[32] = {1, 2, 3};
static const uint8_t digest[32] = {4, 5, 6};

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_key *key;
    struct onward_signer *signer;
    struct onward_key__signing signing;
    struct onward_core__task task;
    int woken;
    uint8_t signature[64];
    /* the host */
    uint64_t token, canceled;
    int asked, host_returns;
    bool answer_inside, free_inside, free_all;
};

static void count_run(struct onward_core__task *task, int64_t now_ms)
{
    (void)now_ms;
    ONWARD_CONTAINER(task, struct fixture, task)->woken++;
}

static int host_sign(void *user, const struct onward_sign_question *question)
{
    struct fixture *f = user;

    f->token = question->token;
    f->asked++;
    assert_int_equal(question->size, sizeof(*question));
    assert_int_equal(question->digest_len, 32);
    assert_memory_equal(question->digest, digest, 32);
    t_assert_str(question->label, "slot 3");
    if (f->answer_inside)
        assert_int_equal(
            onward_sign_answer(f->desk, question->token, f->signature, 64), 0);
    if (f->free_inside)
        onward_key__signing_clear(&f->signing);
    if (f->free_all) {
        onward_signer_free(f->signer);
        f->signer = NULL;
    }
    return f->host_returns;
}

static void host_cancel(void *user, uint64_t token)
{
    ((struct fixture *)user)->canceled = token;
}

static const struct onward_signer_opts opts = {
    .size = sizeof(opts), .label = {"slot 3", 6}, .timeout_ms = 50};

static void setup(struct fixture *f)
{
    struct onward_signer_host host = {sizeof(host), f, host_sign, host_cancel};
    uint8_t raw[32];

    memset(f, 0, sizeof(*f));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    onward_core__task_init(&f->task, f->desk, count_run);
    assert_int_equal(
        onward_key_from_ed25519_seed(f->w.ctx, seed, sizeof(seed), &f->key), 0);
    assert_int_equal(onward_signer_new_host(f->desk, onward_key_public(f->key),
                                            &host, &opts, &f->signer),
                     0);
    ed25519_sha512_public_key(raw, seed);
    ed25519_sha512_sign(raw, seed, sizeof(digest), digest, f->signature);
}

static void teardown(struct fixture *f)
{
    onward_key__signing_clear(&f->signing);
    onward_core__task_clear(&f->task);
    onward_signer_free(f->signer);
    onward_key_free(f->key);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

static void ask(struct fixture *f)
{
    assert_int_equal(onward_key__sign(f->signer, &f->signing, digest, &f->task),
                     0);
}

static void test_late_answer(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    ask(&f);
    assert_int_equal(f.signing.status, ONWARD_AGAIN);
    assert_int_equal(onward_sign_answer(f.desk, f.token + 1, f.signature, 64),
                     ONWARD_ESTALE);
    assert_int_equal(onward_sign_answer(f.desk, f.token, f.signature, 64), 0);
    assert_int_equal(onward_sign_answer(f.desk, f.token, f.signature, 64),
                     ONWARD_ESTALE);
    assert_int_equal(f.woken, 0);
    assert_int_equal(onward_desk_run(f.desk, 1), 0);
    assert_int_equal(f.woken, 1);
    assert_int_equal(f.signing.status, 0);
    assert_int_equal(f.signing.len, 64);
    assert_memory_equal(f.signing.signature, f.signature, 64);
    teardown(&f);
}

static void test_answer_inside_the_callback(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.answer_inside = true;
    f.host_returns = -1; /* too late to matter */
    ask(&f);
    assert_int_equal(f.signing.status, 0);
    teardown(&f);
}

static void test_wrong_signature(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.signature[3] ^= 1;
    ask(&f);
    assert_int_equal(onward_sign_answer(f.desk, f.token, f.signature, 64),
                     ONWARD_ECRYPTO);
    assert_int_equal(f.signing.status, ONWARD_ECRYPTO);
    assert_int_equal(f.signing.len, 0);
    assert_non_null(strstr(f.w.last_log, "sign-answer-wrong"));
    teardown(&f);
}

static void test_wrong_length(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    ask(&f);
    assert_int_equal(onward_sign_answer(f.desk, f.token, f.signature, 63),
                     ONWARD_ECRYPTO);
    teardown(&f);
}

static void test_errors_of_the_host(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    ask(&f);
    assert_int_equal(onward_sign_answer_error(f.desk, f.token, ONWARD_ENOENT),
                     0);
    assert_int_equal(f.signing.status, ONWARD_ENOENT);
    onward_key__signing_clear(&f.signing);
    ask(&f);
    assert_int_equal(onward_sign_answer_error(f.desk, f.token, 17), 0);
    assert_int_equal(f.signing.status, ONWARD_ECALLBACK);
    assert_int_equal(onward_sign_answer_error(f.desk, f.token, 17),
                     ONWARD_ESTALE);
    onward_key__signing_clear(&f.signing);
    f.host_returns = -1;
    ask(&f);
    assert_int_equal(f.signing.status, ONWARD_ECALLBACK);
    teardown(&f);
}

static void test_timeout(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(onward_desk_run(f.desk, 100), 0);
    ask(&f);
    /* The desk had been idle: the time counts from when it hears the time. */
    assert_int_equal(onward_desk_run(f.desk, 1000), 0);
    assert_true(onward_desk_deadline(f.desk) == 1050);
    assert_int_equal(onward_desk_run(f.desk, 1049), 0);
    assert_int_equal(f.signing.status, ONWARD_AGAIN);
    while (onward_desk_run(f.desk, 1050) == 1) {
    }
    assert_int_equal(f.signing.status, ONWARD_ECANCELED);
    assert_int_equal(f.woken, 1);
    assert_true(f.canceled == f.token);
    assert_int_equal(onward_sign_answer(f.desk, f.token, f.signature, 64),
                     ONWARD_ESTALE);
    teardown(&f);
}

static void test_freed_inside_the_callback(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.free_inside = true;
    f.host_returns = -1;
    ask(&f);
    assert_null(f.signing.signer);
    assert_true(f.canceled == f.token);
    f.canceled = 0;
    f.free_all = true;
    ask(&f);
    assert_null(f.signing.signer);
    assert_null(f.signer);
    teardown(&f);
}

static void test_signer_freed_while_asked(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    ask(&f);
    onward_key__signer_hold(f.signer);
    onward_signer_free(f.signer);
    assert_int_equal(f.signing.status, ONWARD_ECANCELED);
    assert_true(f.canceled == 0);
    onward_key__signing_clear(&f.signing);
    assert_int_equal(onward_key__sign(f.signer, &f.signing, digest, &f.task),
                     ONWARD_ESTATE);
    onward_key__signer_release(f.signer);
    f.signer = NULL;
    teardown(&f);
}

static void test_desk_freed_first(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    ask(&f);
    onward_desk_free(f.desk);
    f.desk = NULL;
    onward_key__signing_clear(&f.signing);
    assert_true(f.canceled == 0);
    assert_int_equal(onward_key__sign(f.signer, &f.signing, digest, &f.task),
                     ONWARD_ESTATE);
    teardown(&f);
}

static void test_broken_contract(void **state)
{
    struct onward_signer_host none = {.size = sizeof(none)};
    struct onward_signer_opts bad = {.size = sizeof(bad), .label = {NULL, 1}};
    struct onward_signer *signer;
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(onward_signer_new_host(f.desk, onward_key_public(f.key),
                                            &none, NULL, &signer),
                     ONWARD_EINVAL);
    assert_int_equal(onward_signer_new(f.desk, f.key, &bad, &signer),
                     ONWARD_EINVAL);
    assert_int_equal(onward_signer_new(f.desk, NULL, NULL, &signer),
                     ONWARD_EINVAL);
    teardown(&f);
}

/* ---- A key in memory --------------------------------------------------- */

static struct onward_key *rsa_key(struct t_world *w)
{
    struct onward_key *key = NULL;
    size_t len;
    char *pem = t_read_file(t_data("key/rsa2048.pem"), &len);

    assert_non_null(pem);
    (void)onward_key_from_pem(w->ctx, (struct onward_str){pem, len}, NULL,
                              &key);
    free(pem);
    return key;
}

static void test_blinding_needs_randomness(void **state)
{
    struct onward_key__signing signing = {0};
    struct onward_signer *signer;
    struct t_world w = {0};
    struct onward_desk *desk;
    struct onward_key *key;

    (void)state;
    t_world_init(&w);
    key = rsa_key(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    w.random_fails = true;
    assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
    assert_int_equal(signing.status, ONWARD_ERANDOM);
    onward_key__signing_clear(&signing);
    w.random_fails = false;
    assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
    assert_int_equal(signing.status, 0);
    onward_key__signing_clear(&signing);
    onward_signer_free(signer);
    onward_desk_free(desk);
    onward_key_free(key);
    t_world_clear(&w);
}

/* One wrong bit in one half gives a result that would tell the primes: it must
 * not leave. */
static void test_fault_does_not_leave(void **state)
{
    static const uint8_t zeros[ONWARD_KEY_SIGNATURE_MAX];
    struct onward_key__signing signing = {0};
    struct onward_signer *signer;
    struct t_world w = {0};
    struct onward_desk *desk;
    struct onward_key *key;

    (void)state;
    t_world_init(&w);
    key = rsa_key(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    for (int half = 0; half < 2; half++) {
        mp_limb_t *limb = half == 0 ? &key->rsa.dp[1] : &key->rsa.dq[1];

        *limb ^= 4;
        assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
        assert_int_equal(signing.status, ONWARD_ECRYPTO);
        assert_int_equal(signing.len, 0);
        assert_memory_equal(signing.signature, zeros, sizeof(zeros));
        onward_key__signing_clear(&signing);
        *limb ^= 4;
        assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
        assert_int_equal(signing.status, 0);
        onward_key__signing_clear(&signing);
    }
    onward_signer_free(signer);
    onward_desk_free(desk);
    onward_key_free(key);
    t_world_clear(&w);
}

static bool sign_once(struct t_world *w, void *arg)
{
    struct onward_key__signing signing = {0};
    struct onward_signer *signer = NULL;
    struct onward_desk *desk = NULL;
    struct onward_key *key = rsa_key(w);
    bool ok = false;

    (void)arg;
    if (key != NULL && onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_signer_new(desk, key, NULL, &signer) == 0 &&
        onward_key__sign(signer, &signing, digest, NULL) == 0)
        ok = signing.status == 0;
    onward_key__signing_clear(&signing);
    onward_signer_free(signer);
    onward_desk_free(desk);
    onward_key_free(key);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(sign_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_answer_inside_the_callback),
        cmocka_unit_test(test_wrong_signature),
        cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_errors_of_the_host),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_freed_inside_the_callback),
        cmocka_unit_test(test_signer_freed_while_asked),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_broken_contract),
        cmocka_unit_test(test_blinding_needs_randomness),
        cmocka_unit_test(test_fault_does_not_leave),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
