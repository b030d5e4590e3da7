/* Questions to a host's store, and the store in memory. */
#include "store/store_shared.h"

#include "support/support.h"

#define S(literal) onward_core__str(literal, sizeof(literal) - 1)

/* What each test needs: a desk, a store, a query, and a task that counts. */
struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_store__query query;
    struct onward_core__task task;
    int woken;
    /* the host */
    uint64_t token, canceled;
    int asked, host_returns;
    bool answer_inside, free_inside;
};

static struct fixture *of_task(struct onward_core__task *task)
{
    return ONWARD_CONTAINER(task, struct fixture, task);
}

static void count_run(struct onward_core__task *task, int64_t now_ms)
{
    (void)now_ms;
    of_task(task)->woken++;
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    onward_core__task_init(&f->task, f->desk, count_run);
}

static void setup_memory(struct fixture *f, size_t max_bytes,
                         size_t max_entries)
{
    struct onward_memstore_opts opts = {.size = sizeof(opts),
                                        .max_bytes = max_bytes,
                                        .max_entries = max_entries};

    setup(f);
    assert_int_equal(onward_memstore_new(f->w.ctx, &opts, &f->mem), 0);
    assert_int_equal(onward_memstore_open(f->mem, f->desk, NULL, &f->store), 0);
}

static void teardown(struct fixture *f)
{
    onward_store__query_clear(&f->query);
    onward_core__task_clear(&f->task);
    onward_memstore_free(f->mem);
    onward_store_free(f->store);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

/* ---- In memory --------------------------------------------------------- */

static int put(struct fixture *f, const char *key, const char *value,
               int64_t expires_s, uint64_t version, uint32_t flags)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__put(f->store, &f->query, onward_str_of(key),
                                       onward_str_of(value), expires_s, version,
                                       flags, &f->task),
                     0);
    return f->query.status;
}

static int get(struct fixture *f, const char *key)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(
        onward_store__get(f->store, &f->query, onward_str_of(key), &f->task),
        0);
    return f->query.status;
}

static void test_put_and_get(void **state)
{
    struct fixture f;
    uint64_t version;

    (void)state;
    setup_memory(&f, 0, 0);
    assert_int_equal(get(&f, "onward/t/1/a"), ONWARD_ENOENT);
    assert_int_equal(put(&f, "onward/t/1/a", "one", 0, 0, 0), 0);
    assert_true(f.query.is_done);
    version = f.query.version;
    assert_int_equal(get(&f, "onward/t/1/a"), 0);
    t_assert_str(f.query.value, "one");
    assert_true(f.query.version == version);
    assert_int_equal(put(&f, "onward/t/1/a", "two", 0, 0, 0), 0);
    assert_true(f.query.version != version);
    assert_int_equal(get(&f, "onward/t/1/a"), 0);
    t_assert_str(f.query.value, "two");
    /* all was recorded; the task runs inside onward_desk_run() only */
    assert_int_equal(f.woken, 0);
    assert_int_equal(onward_desk_run(f.desk, 1), 0);
    assert_int_equal(f.woken, 1);
    teardown(&f);
}

static void test_conditions(void **state)
{
    struct fixture f;
    uint64_t version;

    (void)state;
    setup_memory(&f, 0, 0);
    assert_int_equal(put(&f, "k", "one", 0, 7, ONWARD_STORE_IF_VERSION), 0);
    assert_false(f.query.is_done);
    assert_int_equal(put(&f, "k", "one", 0, 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_true(f.query.is_done);
    version = f.query.version;
    assert_int_equal(put(&f, "k", "two", 0, 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_false(f.query.is_done);
    assert_int_equal(
        put(&f, "k", "two", 0, version + 1, ONWARD_STORE_IF_VERSION), 0);
    assert_false(f.query.is_done);
    assert_int_equal(put(&f, "k", "two", 0, version, ONWARD_STORE_IF_VERSION),
                     0);
    assert_true(f.query.is_done);
    onward_store__query_clear(&f.query);
    assert_int_equal(
        onward_store__remove(f.store, &f.query, S("k"), version, &f.task), 0);
    assert_false(f.query.is_done);
    onward_store__query_clear(&f.query);
    assert_int_equal(
        onward_store__remove(f.store, &f.query, S("k"), 0, &f.task), 0);
    assert_true(f.query.is_done);
    assert_int_equal(get(&f, "k"), ONWARD_ENOENT);
    teardown(&f);
}

static void test_expiry(void **state)
{
    struct fixture f;

    (void)state;
    setup_memory(&f, 0, 0);
    assert_int_equal(put(&f, "k", "v", f.w.now_s + 10, 0, ONWARD_STORE_KEEP),
                     0);
    f.w.now_s += 9;
    assert_int_equal(get(&f, "k"), 0);
    f.w.now_s += 1;
    assert_int_equal(get(&f, "k"), ONWARD_ENOENT);
    assert_int_equal(onward_memstore_count(f.mem), 0);
    assert_int_equal(onward_memstore_bytes(f.mem), 0);
    teardown(&f);
}

static void test_longest_unused_goes_first(void **state)
{
    struct fixture f;

    (void)state;
    setup_memory(&f, 0, 3);
    assert_int_equal(put(&f, "a", "1", 0, 0, 0), 0);
    assert_int_equal(put(&f, "b", "1", 0, 0, 0), 0);
    assert_int_equal(put(&f, "c", "1", 0, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(get(&f, "a"), 0);
    assert_int_equal(put(&f, "d", "1", 0, 0, 0), 0);
    assert_int_equal(get(&f, "b"), ONWARD_ENOENT);
    assert_int_equal(get(&f, "a"), 0);
    assert_int_equal(get(&f, "c"), 0);
    assert_int_equal(onward_memstore_count(f.mem), 3);
    teardown(&f);
}

static void test_what_is_kept_never_goes(void **state)
{
    struct fixture f;

    (void)state;
    setup_memory(&f, 0, 2);
    assert_int_equal(put(&f, "a", "1", 0, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(put(&f, "b", "1", f.w.now_s + 5, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(put(&f, "c", "1", 0, 0, ONWARD_STORE_KEEP), ONWARD_ELIMIT);
    assert_int_equal(put(&f, "c", "1", 0, 0, 0), ONWARD_ELIMIT);
    /* in place there is room */
    assert_int_equal(put(&f, "a", "2", 0, 0, ONWARD_STORE_KEEP), 0);
    f.w.now_s += 5;
    assert_int_equal(put(&f, "c", "1", 0, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(get(&f, "a"), 0);
    t_assert_str(f.query.value, "2");
    teardown(&f);
}

static void test_bytes_are_bounded(void **state)
{
    char big[600];
    struct fixture f;

    (void)state;
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    setup_memory(&f, 2000, 0);
    for (int i = 0; i < 20; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(put(&f, key, big, 0, 0, 0), 0);
        assert_true(onward_memstore_bytes(f.mem) <= 2000);
    }
    assert_int_equal(get(&f, "k19"), 0);
    teardown(&f);
    setup_memory(&f, 500, 0);
    assert_int_equal(put(&f, "k", big, 0, 0, 0), ONWARD_ELIMIT);
    assert_int_equal(onward_memstore_count(f.mem), 0);
    teardown(&f);
}

/* Against a plain array of flags, with a repeatable order of changes. */
static void test_walk_sees_each_once(void **state)
{
    enum { KEYS = 300 };
    bool there[KEYS] = {false};
    char key[32], cursor[64] = "";
    size_t cursor_len = 0, seen = 0, want = 0;
    struct fixture f;
    unsigned random = 1;

    (void)state;
    setup_memory(&f, 0, 0);
    assert_int_equal(put(&f, "onward/s/1/x", "v", 0, 0, 0), 0);
    assert_int_equal(put(&f, "onward/u/1/x", "v", 0, 0, 0), 0);
    for (int i = 0; i < 2000; i++) {
        unsigned k;

        random = random * 1103515245u + 12345u;
        k = (random >> 16) % KEYS;
        snprintf(key, sizeof(key), "onward/t/1/%u", k);
        if (there[k]) {
            onward_store__query_clear(&f.query);
            assert_int_equal(onward_store__remove(f.store, &f.query,
                                                  onward_str_of(key), 0,
                                                  &f.task),
                             0);
            assert_true(f.query.is_done);
        } else {
            assert_int_equal(put(&f, key, "v", 0, 0, 0), 0);
        }
        there[k] = !there[k];
    }
    for (size_t i = 0; i < KEYS; i++)
        want += there[i] ? 1 : 0;
    do {
        onward_store__query_clear(&f.query);
        assert_int_equal(onward_store__walk(
                             f.store, &f.query, S("onward/t/1/"),
                             onward_core__str(cursor, cursor_len), 7, &f.task),
                         0);
        assert_int_equal(f.query.status, 0);
        for (struct onward_store__item *item = f.query.first; item != NULL;
             item = item->next) {
            unsigned k = (unsigned)atoi(item->key.data + 11);

            assert_true(there[k]);
            there[k] = false;
            seen++;
        }
        assert_true(f.query.count <= 7);
        cursor_len = f.query.cursor.len;
        memcpy(cursor, f.query.cursor.data, cursor_len);
    } while (cursor_len != 0);
    assert_int_equal(seen, want);
    teardown(&f);
}

/* ---- A host ------------------------------------------------------------ */

static int note(struct fixture *f, uint64_t token)
{
    f->token = token;
    f->asked++;
    if (f->free_inside)
        onward_store__query_clear(&f->query);
    return f->host_returns;
}

static int host_get(void *user, uint64_t token, const char *key, size_t len)
{
    struct fixture *f = user;

    (void)key;
    (void)len;
    if (f->answer_inside)
        assert_int_equal(onward_store_answer_value(f->desk, token, "now", 3, 9),
                         0);
    return note(f, token);
}

static int host_put(void *user, uint64_t token, const char *key, size_t key_len,
                    const void *value, size_t value_len, int64_t expires_s,
                    uint64_t version, uint32_t flags)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    (void)expires_s;
    (void)version;
    (void)flags;
    return note(user, token);
}

static int host_remove(void *user, uint64_t token, const char *key, size_t len,
                       uint64_t version)
{
    (void)key;
    (void)len;
    (void)version;
    return note(user, token);
}

static int host_walk(void *user, uint64_t token, const char *prefix,
                     size_t prefix_len, const char *cursor, size_t cursor_len,
                     size_t max_items)
{
    (void)prefix;
    (void)prefix_len;
    (void)cursor;
    (void)cursor_len;
    (void)max_items;
    return note(user, token);
}

static void host_cancel(void *user, uint64_t token)
{
    ((struct fixture *)user)->canceled = token;
}

static void setup_host(struct fixture *f)
{
    struct onward_store_ops ops = {sizeof(ops), f,         host_get,   host_put,
                                   host_remove, host_walk, host_cancel};
    struct onward_store_opts opts = {
        .size = sizeof(opts), .value_bytes = 8, .timeout_ms = 50};

    setup(f);
    assert_int_equal(onward_store_new(f->desk, &ops, &opts, &f->store), 0);
}

static void ask(struct fixture *f)
{
    assert_int_equal(onward_store__get(f->store, &f->query, S("k"), &f->task),
                     0);
}

static void test_late_answer(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    ask(&f);
    assert_int_equal(f.query.status, ONWARD_AGAIN);
    assert_int_equal(onward_store_answer_done(f.desk, f.token, 1, 1),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store_answer_value(f.desk, f.token, "v", 1, 0),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store_answer_value(f.desk, f.token + 1, "v", 1, 1),
                     ONWARD_ESTALE);
    assert_int_equal(onward_store_answer_value(f.desk, f.token, "v", 1, 1), 0);
    assert_int_equal(onward_store_answer_value(f.desk, f.token, "w", 1, 1),
                     ONWARD_ESTALE);
    assert_int_equal(f.woken, 0);
    assert_int_equal(onward_desk_run(f.desk, 1), 0);
    assert_int_equal(f.woken, 1);
    t_assert_str(f.query.value, "v");
    teardown(&f);
}

static void test_answer_inside_the_callback(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    f.answer_inside = true;
    f.host_returns = -1; /* too late to matter */
    ask(&f);
    assert_int_equal(f.query.status, 0);
    t_assert_str(f.query.value, "now");
    teardown(&f);
}

static void test_callback_that_fails(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    f.host_returns = -1;
    ask(&f);
    assert_int_equal(f.query.status, ONWARD_ECALLBACK);
    assert_int_equal(onward_desk_run(f.desk, 1), 0);
    assert_int_equal(f.woken, 1);
    teardown(&f);
}

static void test_asker_freed_inside_the_callback(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    f.free_inside = true;
    f.host_returns = -1;
    ask(&f);
    assert_null(f.query.store);
    assert_true(f.canceled == f.token);
    teardown(&f);
}

static void test_value_too_long(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    ask(&f);
    assert_int_equal(
        onward_store_answer_value(f.desk, f.token, "123456789", 9, 1),
        ONWARD_ELIMIT);
    assert_int_equal(f.query.status, ONWARD_ELIMIT);
    teardown(&f);
}

static void test_timeout(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    assert_int_equal(onward_desk_run(f.desk, 100), 0);
    ask(&f);
    /* The desk had been idle: the time counts from when it hears the time. */
    assert_int_equal(onward_desk_run(f.desk, 1000), 0);
    assert_true(onward_desk_deadline(f.desk) == 1050);
    assert_int_equal(onward_desk_run(f.desk, 1049), 0);
    assert_int_equal(f.query.status, ONWARD_AGAIN);
    while (onward_desk_run(f.desk, 1050) == 1) {
    }
    assert_int_equal(f.query.status, ONWARD_ECANCELED);
    assert_int_equal(f.woken, 1);
    assert_true(f.canceled == f.token);
    assert_int_equal(onward_store_answer_value(f.desk, f.token, "v", 1, 1),
                     ONWARD_ESTALE);
    teardown(&f);
}

static void test_store_freed_while_asked(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    ask(&f);
    onward_store__hold(f.store);
    onward_store_free(f.store);
    assert_int_equal(f.query.status, ONWARD_ECANCELED);
    assert_true(f.canceled == 0);
    onward_store__query_clear(&f.query);
    assert_int_equal(onward_store__get(f.store, &f.query, S("k"), &f.task),
                     ONWARD_ESTATE);
    onward_store__release(f.store);
    f.store = NULL;
    teardown(&f);
}

static void test_desk_freed_first(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    ask(&f);
    onward_desk_free(f.desk);
    f.desk = NULL;
    onward_store__query_clear(&f.query);
    assert_true(f.canceled == 0);
    assert_int_equal(onward_store__get(f.store, &f.query, S("k"), &f.task),
                     ONWARD_ESTATE);
    teardown(&f);
}

static void test_page_of_a_host(void **state)
{
    struct fixture f;

    (void)state;
    setup_host(&f);
    assert_int_equal(
        onward_store__walk(f.store, &f.query, S("p"), S(""), 2, &f.task), 0);
    assert_int_equal(
        onward_store_answer_item(f.desk, f.token, "p1", 2, "v", 1, 1), 0);
    assert_int_equal(
        onward_store_answer_item(f.desk, f.token, "p2", 2, NULL, 0, 2), 0);
    assert_int_equal(
        onward_store_answer_item(f.desk, f.token, "p3", 2, "v", 1, 3),
        ONWARD_EINVAL);
    assert_int_equal(onward_store_answer_page(f.desk, f.token, "c", 1), 0);
    assert_int_equal(f.query.status, 0);
    assert_int_equal(f.query.count, 2);
    t_assert_str(f.query.first->next->key, "p2");
    t_assert_str(f.query.cursor, "c");
    teardown(&f);
}

static void test_broken_contract(void **state)
{
    char key[ONWARD_STORE_KEY_MAX + 1] = {0};
    struct onward_store_ops none = {.size = sizeof(none), .get = host_get};
    struct onward_store *store;
    struct fixture f;

    (void)state;
    setup_host(&f);
    assert_int_equal(onward_store_new(f.desk, &none, NULL, &store),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store__get(f.store, &f.query, S(""), &f.task),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store__get(f.store, &f.query,
                                       onward_core__str(key, sizeof(key)),
                                       &f.task),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store_answer_error(f.desk, 1, ONWARD_ENOENT),
                     ONWARD_ESTALE);
    ask(&f);
    assert_int_equal(onward_store_answer_error(f.desk, f.token, 5), 0);
    assert_int_equal(f.query.status, ONWARD_ECALLBACK);
    teardown(&f);
}

/* ---- Memory ------------------------------------------------------------ */

static bool scenario(struct t_world *w, void *arg)
{
    struct onward_memstore *mem = NULL;
    struct onward_desk *desk = NULL;
    struct onward_store *store = NULL;
    struct onward_store__query query = {0};
    bool ok = false;

    (void)arg;
    if (onward_memstore_new(w->ctx, NULL, &mem) == 0 &&
        onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_memstore_open(mem, desk, NULL, &store) == 0 &&
        onward_store__put(store, &query, S("onward/t/1/a"), S("v"), 0, 0, 0,
                          NULL) == 0 &&
        query.status == 0) {
        onward_store__query_clear(&query);
        ok = onward_store__get(store, &query, S("onward/t/1/a"), NULL) == 0 &&
             query.status == 0;
        onward_store__query_clear(&query);
        ok = ok &&
             onward_store__walk(store, &query, S("onward/t/1/"), S(""), 5,
                                NULL) == 0 &&
             query.status == 0 && query.count == 1;
    }
    onward_store__query_clear(&query);
    onward_store_free(store);
    onward_desk_free(desk);
    onward_memstore_free(mem);
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
        cmocka_unit_test(test_put_and_get),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_longest_unused_goes_first),
        cmocka_unit_test(test_what_is_kept_never_goes),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_walk_sees_each_once),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_answer_inside_the_callback),
        cmocka_unit_test(test_callback_that_fails),
        cmocka_unit_test(test_asker_freed_inside_the_callback),
        cmocka_unit_test(test_value_too_long),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_store_freed_while_asked),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_page_of_a_host),
        cmocka_unit_test(test_broken_contract),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
