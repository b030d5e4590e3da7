/* What stands on both stores of the examples: values of programs in either
 * (shelf), and values that outlast an outage of the one in the other (twin). */
#define _GNU_SOURCE
#include "store/store_shared.h"

#include <time.h>
#include <unistd.h>

#include "host.h"
#include "redis_server.h"
#include "shelf.h"
#include "support/support.h"
#include "twin.h"

#define S(literal) onward_core__str(literal, sizeof(literal) - 1)

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct redis_server server;
    char folder[64];
    struct lmdb_store *lmdb;
    struct shelf there;
    struct twin *twin;
    struct onward_store__query query;
};

static void warn(void *user, const char *what)
{
    (void)user;
    (void)what;
}

/* False: no redis-server here. */
static bool setup(struct fixture *f)
{
    const struct lmdb_store_opts opts = {.folder = f->folder,
                                         .max_bytes = 1 << 20};
    char fault[300];

    memset(f, 0, sizeof(*f));
    if (!redis_server_start(&f->server))
        return false;
    strcpy(f->folder, "/tmp/onward-together-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    f->lmdb = lmdb_store_new(f->desk, &opts, fault, sizeof(fault));
    assert_non_null(f->lmdb);
    assert_int_equal(shelf_open_redis(&f->there, f->desk, f->server.url, warn,
                                      f, fault, sizeof(fault)),
                     0);
    f->twin = twin_new(f->desk, f->lmdb, f->there.redis);
    assert_non_null(f->twin);
    return true;
}

static void teardown(struct fixture *f)
{
    char path[100];

    onward_store__query_clear(&f->query);
    twin_free(f->twin);
    shelf_close(&f->there);
    lmdb_store_free(f->lmdb);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
    snprintf(path, sizeof(path), "%s/data.mdb", f->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", f->folder);
    unlink(path);
    assert_int_equal(rmdir(f->folder), 0);
    redis_server_stop(&f->server);
}

/* ---- Values of programs ------------------------------------------------ */

struct seen {
    char text[400];
};

static void see(void *user, const struct lmdb_item *item)
{
    struct seen *seen = user;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s=%.*s ",
             (int)item->key.len, item->key.data, (int)item->value.len,
             item->value.data);
}

static int write_to(const struct shelf *shelf, const char *key,
                    const char *value, uint64_t version, uint32_t flags)
{
    const struct lmdb_item item = {.key = onward_str_of(key),
                                   .value = onward_str_of(value),
                                   .version = version,
                                   .flags = flags};

    return shelf_write(shelf, &item);
}

/* The same of both. */
static void check_shelf(const struct shelf *shelf)
{
    struct lmdb_item item = {.key = S("a/1")};
    struct seen seen = {""};
    char octets[8];
    uint64_t version;

    assert_int_equal(shelf_read(shelf, &item, octets, sizeof(octets)), 0);
    assert_int_equal(write_to(shelf, "a/1", "one", 0, ONWARD_STORE_IF_ABSENT),
                     1);
    assert_int_equal(write_to(shelf, "a/1", "two", 0, ONWARD_STORE_IF_ABSENT),
                     0);
    assert_int_equal(shelf_read(shelf, &item, octets, sizeof(octets)), 1);
    t_assert_str(item.value, "one");
    assert_true(item.expires_s == 0);
    version = item.version;
    assert_int_equal(
        write_to(shelf, "a/1", "two", version + 1, ONWARD_STORE_IF_VERSION), 0);
    assert_int_equal(write_to(shelf, "a/1", "two", version,
                              ONWARD_STORE_KEEP | ONWARD_STORE_IF_VERSION),
                     1);
    assert_int_equal(shelf_read(shelf, &item, octets, 2), -1);
    assert_int_equal(write_to(shelf, "b", "not that", 0, 0), 1);
    assert_int_equal(write_to(shelf, "a/2", "", 0, 0), 1);
    assert_int_equal(shelf_each(shelf, S("a/"), see, &seen), 0);
    assert_string_equal(seen.text, "a/1=two a/2= ");
}

static void test_the_same_of_both(void **state)
{
    struct shelf here = {0};
    struct fixture f;

    (void)state;
    if (!setup(&f))
        skip();
    here.lmdb = f.lmdb;
    check_shelf(&here);
    check_shelf(&f.there);
    teardown(&f);
}

static void test_many_at_once_and_page_by_page(void **state)
{
    char keys[7][8];
    struct lmdb_item items[7];
    struct seen seen = {""};
    struct fixture f;

    (void)state;
    if (!setup(&f))
        skip();
    for (int i = 0; i < 7; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k/%d", i);
        items[i] = (struct lmdb_item){.key = onward_str_of(keys[i]),
                                      .value = S("v"),
                                      .flags = ONWARD_STORE_IF_ABSENT};
    }
    assert_int_equal(lmdb_store_write_all(f.lmdb, items, 7), 0);
    assert_int_equal(lmdb_store_write_all(f.lmdb, NULL, 0), 0);
    assert_int_equal(lmdb_store_each(f.lmdb, S("k/"), S(""), 3, see, &seen), 3);
    assert_int_equal(lmdb_store_each(f.lmdb, S("k/"), S("k/2"), 3, see, &seen),
                     3);
    assert_int_equal(lmdb_store_each(f.lmdb, S("k/"), S("k/5"), 3, see, &seen),
                     1);
    assert_int_equal(lmdb_store_each(f.lmdb, S("k/"), S("k/6"), 3, see, &seen),
                     0);
    assert_string_equal(seen.text,
                        "k/0=v k/1=v k/2=v k/3=v k/4=v k/5=v k/6=v ");
    assert_int_equal(lmdb_store_erase(f.lmdb, S("k/3")), 1);
    assert_int_equal(lmdb_store_erase(f.lmdb, S("k/3")), 0);
    teardown(&f);
}

/* What was read before is no answer to a program's own question. */
static void test_a_shelf_says_when_redis_is_gone(void **state)
{
    struct lmdb_item item = {.key = S("a")};
    struct seen seen = {""};
    struct fixture f;
    char octets[8];
    int64_t begin_ms;

    (void)state;
    if (!setup(&f))
        skip();
    assert_int_equal(write_to(&f.there, "a", "1", 0, 0), 1);
    assert_int_equal(shelf_read(&f.there, &item, octets, sizeof(octets)), 1);
    redis_server_stop(&f.server);
    begin_ms = host_now_ms();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(shelf_read(&f.there, &item, octets, sizeof(octets)),
                         -1);
        assert_int_equal(write_to(&f.there, "a", "2", 0, 0), -1);
        assert_int_equal(shelf_each(&f.there, S("a"), see, &seen), -1);
    }
    assert_true(host_now_ms() - begin_ms < 5000);
    assert_string_equal(seen.text, "");
    teardown(&f);
}

/* ---- In one, else in the other ------------------------------------------ */

static int settle(struct fixture *f)
{
    int64_t end_ms = host_now_ms() + 5000;

    while (f->query.status == ONWARD_AGAIN && host_now_ms() < end_ms)
        loop_turn(f->there.loop, 20);
    return f->query.status;
}

static int get(struct fixture *f, const char *key)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__get(twin_handle(f->twin), &f->query,
                                       onward_str_of(key), NULL),
                     0);
    return settle(f);
}

static int put(struct fixture *f, const char *key, const char *value,
               int64_t expires_s, uint32_t flags)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__put(twin_handle(f->twin), &f->query,
                                       onward_str_of(key), onward_str_of(value),
                                       expires_s, 0, flags, NULL),
                     0);
    return settle(f);
}

static void test_a_twin_has_it_in_both(void **state)
{
    const int64_t later_s = (int64_t)time(NULL) + 1000;
    struct lmdb_item item = {.key = S("p")};
    struct fixture f;
    char octets[20];

    (void)state;
    if (!setup(&f))
        skip();
    assert_int_equal(get(&f, "p"), ONWARD_ENOENT);
    assert_int_equal(put(&f, "p", "policy", later_s, ONWARD_STORE_KEEP), 0);
    assert_true(f.query.is_done);
    assert_int_equal(get(&f, "p"), 0);
    t_assert_str(f.query.value, "policy");
    assert_int_equal(lmdb_store_read(f.lmdb, &item, octets, sizeof(octets)), 1);
    assert_true(item.expires_s == later_s);
    assert_int_equal(shelf_read(&f.there, &item, octets, sizeof(octets)), 1);
    assert_true(item.expires_s == later_s);
    /* Two cannot have one version. */
    assert_int_equal(put(&f, "p", "x", 0, ONWARD_STORE_IF_ABSENT),
                     ONWARD_ECALLBACK);
    teardown(&f);
}

static void test_a_twin_learns_goes_on_and_gives_back(void **state)
{
    struct lmdb_item item = {.key = S("p")};
    struct fixture f;
    char octets[20];

    (void)state;
    if (!setup(&f))
        skip();
    /* Another machine has put it there. */
    assert_int_equal(write_to(&f.there, "p", "theirs", 0, 0), 1);
    assert_int_equal(get(&f, "p"), 0);
    assert_int_equal(lmdb_store_read(f.lmdb, &item, octets, sizeof(octets)), 1);
    t_assert_str(item.value, "theirs");
    /* A newer one there wins. */
    assert_int_equal(write_to(&f.there, "p", "newer", 0, 0), 1);
    assert_int_equal(get(&f, "p"), 0);
    t_assert_str(f.query.value, "newer");
    redis_server_stop(&f.server);
    assert_int_equal(get(&f, "p"), 0);
    t_assert_str(f.query.value, "newer");
    assert_int_equal(get(&f, "q"), ONWARD_ENOENT);
    assert_int_equal(put(&f, "q", "alone", 0, 0), 0);
    assert_int_equal(get(&f, "q"), 0);
    /* Back, and with nothing of what it had. */
    assert_true(redis_server_start(&f.server));
    for (int i = 0; i < 200 && !redis_store_is_up(f.there.redis); i++)
        loop_turn(f.there.loop, 50);
    assert_true(redis_store_is_up(f.there.redis));
    assert_int_equal(shelf_read(&f.there, &item, octets, sizeof(octets)), 0);
    assert_int_equal(get(&f, "p"), 0);
    t_assert_str(f.query.value, "newer");
    assert_int_equal(shelf_read(&f.there, &item, octets, sizeof(octets)), 1);
    t_assert_str(item.value, "newer");
    /* Walked through is what this machine has. */
    onward_store__query_clear(&f.query);
    assert_int_equal(write_to(&f.there, "pp", "not ours", 0, 0), 1);
    assert_int_equal(onward_store__walk(twin_handle(f.twin), &f.query, S("p"),
                                        S(""), 10, NULL),
                     0);
    assert_int_equal(settle(&f), 0);
    assert_int_equal(f.query.count, 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_of_both),
        cmocka_unit_test(test_many_at_once_and_page_by_page),
        cmocka_unit_test(test_a_shelf_says_when_redis_is_gone),
        cmocka_unit_test(test_a_twin_has_it_in_both),
        cmocka_unit_test(test_a_twin_learns_goes_on_and_gives_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
