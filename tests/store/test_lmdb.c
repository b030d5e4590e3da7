/* The store in LMDB: what outlasts a process, what was damaged, and who else
 * writes there. */
#define _GNU_SOURCE
#include "store/store_shared.h"

#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lmdb_store.h"
#include "support/support.h"

#define S(literal) onward_core__str(literal, sizeof(literal) - 1)

struct fixture {
    struct t_world w;
    char folder[40];
    struct onward_desk *desk;
    struct loop *loop;
    struct lmdb_store *store;
    struct onward_store__query query;
    char warned[400];
    size_t warnings;
};

static int64_t now_s(void *user)
{
    return ((struct fixture *)user)->w.now_s;
}

static void warn(void *user, const char *what)
{
    struct fixture *f = user;

    snprintf(f->warned, sizeof(f->warned), "%s", what);
    f->warnings++;
}

static void open_it(struct fixture *f, struct loop *loop)
{
    const struct lmdb_store_opts opts = {.folder = f->folder,
                                         .max_bytes = 1 << 20,
                                         .loop = loop,
                                         .now_s = now_s,
                                         .warn = warn,
                                         .user = f};
    char fault[300];

    f->store = lmdb_store_new(f->desk, &opts, fault, sizeof(fault));
    assert_non_null(f->store);
}

static void close_it(struct fixture *f)
{
    onward_store__query_clear(&f->query);
    lmdb_store_free(f->store);
    f->store = NULL;
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    strcpy(f->folder, "/tmp/onward-lmdb-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
}

static void teardown(struct fixture *f)
{
    char path[80];

    close_it(f);
    loop_free(f->loop);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
    snprintf(path, sizeof(path), "%s/data.mdb", f->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", f->folder);
    unlink(path);
    assert_int_equal(rmdir(f->folder), 0);
}

static int put(struct fixture *f, const char *key, const char *value,
               int64_t expires_s, uint32_t flags)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__put(lmdb_store_handle(f->store), &f->query,
                                       onward_str_of(key), onward_str_of(value),
                                       expires_s, 0, flags, NULL),
                     0);
    return f->query.status;
}

static int get(struct fixture *f, const char *key)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__get(lmdb_store_handle(f->store), &f->query,
                                       onward_str_of(key), NULL),
                     0);
    return f->query.status;
}

/* ---- Another process --------------------------------------------------- */

/* Run in a child that ends by SIGKILL, right after. The child opens the store
 * itself: LMDB's are not to be taken across a fork. */
static void in_another(struct fixture *f, void (*run)(struct fixture *f))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        open_it(f, NULL);
        run(f);
        kill(getpid(), SIGKILL);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void put_k(struct fixture *f)
{
    if (put(f, "k", "theirs", 0, ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT) !=
            0 ||
        !f->query.is_done)
        _exit(1);
}

static void test_outlasts_a_killed_process(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    in_another(&f, put_k);
    open_it(&f, NULL);
    assert_int_equal(get(&f, "k"), 0);
    t_assert_str(f.query.value, "theirs");
    assert_int_equal(put(&f, "k", "ours", 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_false(f.query.is_done);
    teardown(&f);
}

static void try_put_k(struct fixture *f)
{
    if (put(f, "k", "theirs", 0, ONWARD_STORE_IF_ABSENT) != 0 ||
        f->query.is_done || get(f, "k") != 0)
        _exit(1);
    if (put(f, "l", "theirs", 0, 0) != 0)
        _exit(1);
}

/* Both have it open. */
static void test_several_processes(void **state)
{
    struct fixture f;
    pid_t pid;
    int ready[2], go[2], status;
    char c = 0;

    (void)state;
    setup(&f);
    assert_true(pipe(ready) == 0 && pipe(go) == 0);
    pid = fork();
    if (pid == 0) {
        open_it(&f, NULL);
        if (get(&f, "k") != ONWARD_ENOENT || write(ready[1], "r", 1) != 1 ||
            read(go[0], &c, 1) != 1)
            _exit(1);
        try_put_k(&f);
        _exit(0);
    }
    open_it(&f, NULL);
    assert_true(read(ready[0], &c, 1) == 1);
    assert_int_equal(put(&f, "k", "ours", 0, ONWARD_STORE_KEEP), 0);
    assert_true(write(go[1], "g", 1) == 1);
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(get(&f, "l"), 0);
    t_assert_str(f.query.value, "theirs");
    for (int i = 0; i < 2; i++)
        close(ready[i]), close(go[i]);
    teardown(&f);
}

/* ---- Together ---------------------------------------------------------- */

static void test_changes_of_a_turn_are_answered_together(void **state)
{
    struct onward_store__query queries[5] = {0};
    struct fixture f;

    (void)state;
    setup(&f);
    f.loop = loop_new();
    open_it(&f, f.loop);
    for (size_t i = 0; i < 5; i++) {
        char key[8];

        /* The third and the fourth want the same key: one gets it. */
        snprintf(key, sizeof(key), "k%zu", i == 3 ? 2 : i);
        assert_int_equal(
            onward_store__put(lmdb_store_handle(f.store), &queries[i],
                              onward_str_of(key), S("v"), 0, 0,
                              ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT, NULL),
            0);
        assert_int_equal(queries[i].status, ONWARD_AGAIN);
    }
    /* Not there before it is safe. */
    assert_int_equal(get(&f, "k0"), ONWARD_ENOENT);
    loop_turn(f.loop, 1000);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(queries[i].status, 0);
        assert_int_equal(queries[i].is_done, i != 3);
        onward_store__query_clear(&queries[i]);
    }
    assert_int_equal(get(&f, "k0"), 0);
    assert_int_equal(lmdb_store_count(f.store), 4);
    teardown(&f);
}

/* One that does not fit has no part in what becomes of the others. */
static void test_one_that_fails_fails_alone(void **state)
{
    struct onward_store__query queries[3] = {0};
    char *big = malloc(2 << 20);
    struct fixture f;

    (void)state;
    memset(big, 'b', 2 << 20);
    setup(&f);
    f.loop = loop_new();
    open_it(&f, f.loop);
    for (size_t i = 0; i < 3; i++) {
        static const char *const keys[] = {"a", "b", "c"};
        struct onward_str value = {big, i == 1 ? 2 << 20 : 1};

        assert_int_equal(onward_store__put(lmdb_store_handle(f.store),
                                           &queries[i], onward_str_of(keys[i]),
                                           value, 0, 0, ONWARD_STORE_KEEP,
                                           NULL),
                         0);
    }
    loop_turn(f.loop, 1000);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(queries[i].status, i == 1 ? ONWARD_ELIMIT : 0);
        onward_store__query_clear(&queries[i]);
    }
    free(big);
    teardown(&f);
}

/* Asked, and freed before the turn ends: done, and nobody is told. */
static void test_freed_with_changes_that_wait(void **state)
{
    struct onward_store__query query = {0};
    struct fixture f;

    (void)state;
    setup(&f);
    f.loop = loop_new();
    open_it(&f, f.loop);
    assert_int_equal(onward_store__put(lmdb_store_handle(f.store), &query,
                                       S("k"), S("v"), 0, 0, ONWARD_STORE_KEEP,
                                       NULL),
                     0);
    lmdb_store_free(f.store);
    assert_int_equal(query.status, 0);
    onward_store__query_clear(&query);
    open_it(&f, NULL);
    assert_int_equal(get(&f, "k"), 0);
    teardown(&f);
}

/* ---- Damage ------------------------------------------------------------ */

/* Write to the file as another program might; data NULL: add `by` to the octet
 * at `at`, or cut there when by is 0. */
static void damage(struct fixture *f, const char *key, size_t at, int by)
{
    MDB_val k = {strlen(key), (void *)(uintptr_t)key}, old, fresh;
    unsigned char copy[600];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 64 << 20), 0);
    assert_int_equal(mdb_env_open(env, f->folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "value", 0, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &k, &old), 0);
    assert_true(old.mv_size <= sizeof(copy) && at < old.mv_size);
    memcpy(copy, old.mv_data, old.mv_size);
    fresh.mv_data = copy;
    fresh.mv_size = by == 0 ? at : old.mv_size;
    if (by != 0)
        copy[at] = (unsigned char)(copy[at] + by);
    assert_int_equal(mdb_put(txn, dbi, &k, &fresh, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Absent, said so, and in nobody's way. */
static void check_absent(struct fixture *f)
{
    open_it(f, NULL);
    f->warnings = 0;
    assert_int_equal(get(f, "k"), ONWARD_ENOENT);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->warned, "taken as absent"));
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__walk(lmdb_store_handle(f->store), &f->query,
                                        S("k"), S(""), 10, NULL),
                     0);
    assert_int_equal(f->query.status, 0);
    assert_int_equal(f->query.count, 0);
    assert_int_equal(f->warnings, 2);
    assert_int_equal(put(f, "k", "new", 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_true(f->query.is_done);
    assert_int_equal(get(f, "k"), 0);
    t_assert_str(f->query.value, "new");
    assert_int_equal(lmdb_store_count(f->store), 1);
    f->w.now_s += 1000;
    assert_true(lmdb_store_sweep(f->store, 100) <= 1);
    assert_int_equal(get(f, "k"), 0);
    close_it(f);
}

static void test_damaged(void **state)
{
    struct fixture f;

    (void)state;
    /* Each cut, then the kind, the version, both lengths. */
    for (size_t at = 0; at < 36 + 1 + 5; at++) {
        setup(&f);
        open_it(&f, NULL);
        assert_int_equal(put(&f, "k", "value", f.w.now_s + 500, 0), 0);
        close_it(&f);
        damage(&f, "k", at, 0);
        check_absent(&f);
        teardown(&f);
    }
    for (size_t at = 0; at < 36; at++) {
        if (at >= 8 && at < 28)
            continue; /* times, version, flags: any may be */
        setup(&f);
        open_it(&f, NULL);
        assert_int_equal(put(&f, "k", "value", f.w.now_s + 500, 0), 0);
        close_it(&f);
        damage(&f, "k", at, 1);
        check_absent(&f);
        teardown(&f);
    }
}

/* ---- Bounds ------------------------------------------------------------ */

static void test_sweeps_a_few_at_a_time(void **state)
{
    struct fixture f;
    char key[16];

    (void)state;
    setup(&f);
    open_it(&f, NULL);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(put(&f, key, "v", f.w.now_s + 10, ONWARD_STORE_KEEP),
                         0);
    }
    f.w.now_s += 10;
    assert_int_equal(lmdb_store_count(f.store), 300);
    assert_int_equal(put(&f, "new", "v", 0, 0), 0);
    assert_int_equal(lmdb_store_count(f.store), 301 - 64);
    assert_int_equal(lmdb_store_sweep(f.store, 200), 200);
    assert_int_equal(lmdb_store_sweep(f.store, 200), 36);
    assert_int_equal(lmdb_store_count(f.store), 1);
    teardown(&f);
}

/* No room on the disk: refused, what is there stays, and later it goes on. */
static void test_disk_full(void **state)
{
    struct rlimit all, little = {.rlim_cur = 200000};
    struct fixture f;
    char key[16], big[3000];
    int done = 0, ret = 0;

    (void)state;
    memset(big, 'b', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little.rlim_max = all.rlim_max;
    setup(&f);
    open_it(&f, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    for (; ret == 0; done++) {
        snprintf(key, sizeof(key), "k%d", done);
        ret = put(&f, key, big, 0, ONWARD_STORE_KEEP);
    }
    assert_int_equal(ret, ONWARD_ELIMIT);
    assert_true(done > 10);
    assert_int_equal(put(&f, "more", big, 0, ONWARD_STORE_KEEP), ONWARD_ELIMIT);
    assert_true(f.warnings >= 2);
    for (int i = 0; i < done - 1; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(get(&f, key), 0);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(put(&f, "more", big, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(get(&f, "more"), 0);
    assert_int_equal(lmdb_store_count(f.store), (size_t)done);
    teardown(&f);
}

/* What is counted comes to nothing when all is gone, whatever happened. */
static void test_counts_come_out_even(void **state)
{
    struct fixture f;
    char key[16];
    unsigned random = 7;

    (void)state;
    setup(&f);
    open_it(&f, NULL);
    for (int i = 0; i < 1500; i++) {
        random = random * 1103515245u + 12345u;
        snprintf(key, sizeof(key), "k%u", random >> 16 & 63);
        if ((random >> 8 & 3) == 0) {
            onward_store__query_clear(&f.query);
            assert_int_equal(onward_store__remove(lmdb_store_handle(f.store),
                                                  &f.query, onward_str_of(key),
                                                  0, NULL),
                             0);
        } else {
            assert_int_equal(put(&f, key, key,
                                 (random & 16) != 0 ? f.w.now_s + 20 : 0,
                                 (random & 32) != 0 ? ONWARD_STORE_KEEP : 0),
                             0);
        }
        if (i % 100 == 0)
            f.w.now_s += 11;
    }
    f.w.now_s += 30;
    (void)lmdb_store_sweep(f.store, 1000);
    for (unsigned k = 0; k < 64; k++) {
        onward_store__query_clear(&f.query);
        snprintf(key, sizeof(key), "k%u", k);
        assert_int_equal(onward_store__remove(lmdb_store_handle(f.store),
                                              &f.query, onward_str_of(key), 0,
                                              NULL),
                         0);
    }
    assert_int_equal(lmdb_store_count(f.store), 0);
    assert_int_equal(lmdb_store_bytes(f.store), 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outlasts_a_killed_process),
        cmocka_unit_test(test_several_processes),
        cmocka_unit_test(test_changes_of_a_turn_are_answered_together),
        cmocka_unit_test(test_one_that_fails_fails_alone),
        cmocka_unit_test(test_freed_with_changes_that_wait),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_sweeps_a_few_at_a_time),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_counts_come_out_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
