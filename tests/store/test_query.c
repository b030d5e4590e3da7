/* Questions of a host to its own store. */
#include <onward/store.h>

#include "support/support.h"

struct bench {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_store_query *query;
    int done, status;
    bool frees_inside;
    char value[100];
    /* A host's store that answers later. */
    uint64_t token, canceled;
};

static void done(void *user, struct onward_store_query *query, int status)
{
    struct bench *b = user;
    struct onward_str value = onward_store_query_value(query);

    b->done++;
    b->status = status;
    snprintf(b->value, sizeof(b->value), "%.*s", (int)value.len,
             value.len == 0 ? "" : value.data);
    if (b->frees_inside) {
        onward_store_query_free(query);
        b->query = NULL;
    }
}

static bool open_in(struct bench *b, struct t_world *w)
{
    *b = (struct bench){.w = w};
    return onward_desk_new(w->ctx, NULL, &b->desk) == 0 &&
           onward_memstore_new(w->ctx, NULL, &b->mem) == 0 &&
           onward_memstore_open(b->mem, b->desk, NULL, &b->store) == 0;
}

static void close_bench(struct bench *b)
{
    onward_store_query_free(b->query);
    onward_store_free(b->store);
    onward_memstore_free(b->mem);
    if (b->desk != NULL)
        onward_desk_free(b->desk);
}

static struct onward_store_query_host host_of(struct bench *b)
{
    return (struct onward_store_query_host){
        .size = sizeof(struct onward_store_query_host),
        .user = b,
        .done = done};
}

static int put(struct bench *b, const char *key, const char *value,
               uint32_t flags)
{
    const struct onward_store_query_host host = host_of(b);

    onward_store_query_free(b->query);
    b->query = NULL;
    return onward_store_put(b->store, onward_str_of(key), onward_str_of(value),
                            0, flags, &host, &b->query);
}

static int get(struct bench *b, const char *key)
{
    const struct onward_store_query_host host = host_of(b);

    onward_store_query_free(b->query);
    b->query = NULL;
    return onward_store_get(b->store, onward_str_of(key), &host, &b->query);
}

static void test_put_and_get(void **state)
{
    struct t_world w;
    struct bench b;

    (void)state;
    t_world_init(&w);
    assert_true(open_in(&b, &w));
    assert_int_equal(get(&b, "host/a"), 0);
    assert_int_equal(b.done, 0); /* inside onward_desk_run() only */
    onward_desk_run(b.desk, 1);
    assert_int_equal(b.done, 1);
    assert_int_equal(b.status, 0);
    assert_string_equal(b.value, "");
    assert_int_equal(put(&b, "host/a", "one", ONWARD_STORE_KEEP), 0);
    onward_desk_run(b.desk, 2);
    assert_int_equal(b.status, 1);
    assert_int_equal(put(&b, "host/a", "two", ONWARD_STORE_IF_ABSENT), 0);
    onward_desk_run(b.desk, 3);
    assert_int_equal(b.status, 0);
    assert_int_equal(get(&b, "host/a"), 0);
    onward_desk_run(b.desk, 4);
    assert_int_equal(b.status, 1);
    assert_string_equal(b.value, "one");
    assert_int_equal(b.done, 4);
    onward_desk_run(b.desk, 5);
    assert_int_equal(b.done, 4);
    close_bench(&b);
    t_world_clear(&w);
}

static void test_what_is_refused(void **state)
{
    struct t_world w;
    struct bench b;
    struct onward_store_query_host host = {.size = sizeof(host)};
    char key[ONWARD_STORE_KEY_MAX + 2];

    (void)state;
    t_world_init(&w);
    assert_true(open_in(&b, &w));
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    assert_int_equal(get(&b, ""), ONWARD_EINVAL);
    assert_int_equal(get(&b, key), ONWARD_EINVAL);
    assert_int_equal(get(&b, key + 1), 0);
    assert_int_equal(put(&b, "k", "v", ONWARD_STORE_IF_VERSION), ONWARD_EINVAL);
    assert_int_equal(onward_store_get(b.store, ONWARD_STR("k"), NULL, &b.query),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_store_get(b.store, ONWARD_STR("k"), &host, &b.query),
        ONWARD_EINVAL);
    host = host_of(&b);
    assert_int_equal(onward_store_get(NULL, ONWARD_STR("k"), &host, &b.query),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store_get(b.store, ONWARD_STR("k"), &host, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_store_put(b.store, ONWARD_STR("k"), ONWARD_STR("v"),
                                      -1, 0, &host, &b.query),
                     ONWARD_EINVAL);
    onward_store_query_free(NULL);
    close_bench(&b);
    t_world_clear(&w);
}

static void test_freed_before_and_inside(void **state)
{
    struct t_world w;
    struct bench b;

    (void)state;
    t_world_init(&w);
    assert_true(open_in(&b, &w));
    assert_int_equal(get(&b, "k"), 0);
    onward_store_query_free(b.query);
    b.query = NULL;
    onward_desk_run(b.desk, 1);
    assert_int_equal(b.done, 0);
    b.frees_inside = true;
    assert_int_equal(get(&b, "k"), 0);
    onward_desk_run(b.desk, 2);
    assert_int_equal(b.done, 1);
    assert_null(b.query);
    close_bench(&b);
    t_world_clear(&w);
}

/* ---- A store that takes its time ---------------------------------------- */

static int ask_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    (void)key;
    (void)key_len;
    ((struct bench *)user)->token = token;
    return 0;
}

static int ask_put(void *user, uint64_t token, const char *key, size_t key_len,
                   const void *value, size_t value_len, int64_t expires_s,
                   uint64_t version, uint32_t flags)
{
    (void)value;
    (void)value_len;
    (void)expires_s;
    (void)version;
    (void)flags;
    return ask_get(user, token, key, key_len);
}

static int ask_remove(void *user, uint64_t token, const char *key,
                      size_t key_len, uint64_t version)
{
    (void)version;
    return ask_get(user, token, key, key_len);
}

static int ask_walk(void *user, uint64_t token, const char *prefix,
                    size_t prefix_len, const char *cursor, size_t cursor_len,
                    size_t max_items)
{
    (void)cursor;
    (void)cursor_len;
    (void)max_items;
    return ask_get(user, token, prefix, prefix_len);
}

static void cancel(void *user, uint64_t token)
{
    ((struct bench *)user)->canceled = token;
}

static void test_a_slow_store(void **state)
{
    struct t_world w;
    struct bench b;
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = &b,
                                         .get = ask_get,
                                         .put = ask_put,
                                         .remove = ask_remove,
                                         .walk = ask_walk,
                                         .cancel = cancel};

    (void)state;
    t_world_init(&w);
    assert_true(open_in(&b, &w));
    onward_store_free(b.store);
    assert_int_equal(onward_store_new(b.desk, &ops, NULL, &b.store), 0);
    assert_int_equal(get(&b, "k"), 0);
    onward_desk_run(b.desk, 1);
    assert_int_equal(b.done, 0);
    assert_int_equal(onward_store_answer_value(b.desk, b.token, "late", 4, 9),
                     0);
    onward_desk_run(b.desk, 2);
    assert_int_equal(b.status, 1);
    assert_string_equal(b.value, "late");
    assert_int_equal(get(&b, "k"), 0);
    assert_int_equal(
        onward_store_answer_error(b.desk, b.token, ONWARD_ECALLBACK), 0);
    onward_desk_run(b.desk, 3);
    assert_int_equal(b.status, ONWARD_ECALLBACK);
    assert_int_equal(put(&b, "k", "v", 0), 0);
    onward_store_query_free(b.query);
    b.query = NULL;
    assert_true(b.canceled == b.token);
    assert_int_equal(onward_store_answer_done(b.desk, b.token, 1, 1),
                     ONWARD_ESTALE);
    /* The store goes first. */
    assert_int_equal(get(&b, "k"), 0);
    onward_store_free(b.store);
    b.store = NULL;
    onward_desk_run(b.desk, 4);
    assert_int_equal(b.status, ONWARD_ECANCELED);
    close_bench(&b);
    t_world_clear(&w);
}

static bool scene(struct t_world *w, void *user)
{
    struct bench b;
    bool is_good = open_in(&b, w) && put(&b, "k", "v", 0) == 0;

    (void)user;
    if (is_good)
        onward_desk_run(b.desk, 1);
    is_good = is_good && b.status == 1 && get(&b, "k") == 0;
    if (is_good)
        onward_desk_run(b.desk, 2);
    is_good = is_good && b.status == 1 && strcmp(b.value, "v") == 0;
    close_bench(&b);
    return is_good;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scene, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_get),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_freed_before_and_inside),
        cmocka_unit_test(test_a_slow_store),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
