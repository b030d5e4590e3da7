/* The store in Redis when Redis is not well: gone, back, slow, babbling. What
 * is asked ends in time, and is never answered wrongly. */
#define _GNU_SOURCE
#include "store/store_shared.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "redis_server.h"
#include "redis_store.h"
#include "resp.h"
#include "support/support.h"

#define S(literal) onward_core__str(literal, sizeof(literal) - 1)

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct loop *loop;
    struct redis_store *store;
    struct onward_store__query query;
    char warned[400];
    size_t warnings;
    /* a Redis of our own making */
    int listener, peer;
    char url[64];
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

static void open_it(struct fixture *f, const char *url, size_t copy_bytes)
{
    const struct redis_store_opts opts = {.url = url,
                                          .loop = f->loop,
                                          .timeout_ms = 200,
                                          .copy_bytes = copy_bytes,
                                          .now_s = now_s,
                                          .warn = warn,
                                          .user = f};
    char fault[300];

    f->store = redis_store_new(f->desk, &opts, fault, sizeof(fault));
    assert_non_null(f->store);
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->listener = f->peer = -1;
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    f->loop = loop_new();
}

static void teardown(struct fixture *f)
{
    onward_store__query_clear(&f->query);
    redis_store_free(f->store);
    loop_free(f->loop);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
    if (f->listener >= 0)
        close(f->listener);
    if (f->peer >= 0)
        close(f->peer);
}

static void settle(struct fixture *f)
{
    int64_t end = host_now_ms() + 3000;

    while (f->query.status == ONWARD_AGAIN && host_now_ms() < end)
        loop_turn(f->loop, 20);
    assert_int_not_equal(f->query.status, ONWARD_AGAIN);
}

static void ask_get(struct fixture *f, const char *key)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__get(redis_store_handle(f->store), &f->query,
                                       onward_str_of(key), NULL),
                     0);
}

static int get(struct fixture *f, const char *key)
{
    ask_get(f, key);
    settle(f);
    return f->query.status;
}

static void ask_put(struct fixture *f, const char *key, const char *value,
                    uint32_t flags)
{
    onward_store__query_clear(&f->query);
    assert_int_equal(onward_store__put(redis_store_handle(f->store), &f->query,
                                       onward_str_of(key), onward_str_of(value),
                                       f->w.now_s + 1000, 0, flags, NULL),
                     0);
}

static int put(struct fixture *f, const char *key, const char *value,
               uint32_t flags)
{
    ask_put(f, key, value, flags);
    settle(f);
    return f->query.status;
}

static void wait_up(struct fixture *f)
{
    int64_t end = host_now_ms() + 20000;

    while (!redis_store_is_up(f->store) && host_now_ms() < end)
        loop_turn(f->loop, 20);
    assert_true(redis_store_is_up(f->store));
}

/* ---- One that goes and comes ------------------------------------------- */

static void test_killed_and_started_again(void **state)
{
    struct redis_server server = {0};
    struct fixture f;

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 0);
    assert_int_equal(put(&f, "known", "v", ONWARD_STORE_KEEP), 0);
    assert_int_equal(get(&f, "unknown"), ONWARD_ENOENT);
    redis_server_stop(&server);
    for (int i = 0; i < 3; i++) {
        /* What was known is; of what is not known nothing is said. */
        assert_int_equal(get(&f, "known"), 0);
        t_assert_str(f.query.value, "v");
        assert_int_equal(get(&f, "unknown"), ONWARD_ECALLBACK);
        assert_int_equal(put(&f, "new", "v", 0), ONWARD_ECALLBACK);
        assert_int_equal(get(&f, "new"), ONWARD_ECALLBACK);
        onward_store__query_clear(&f.query);
        assert_int_equal(onward_store__walk(redis_store_handle(f.store),
                                            &f.query, S("k"), S(""), 5, NULL),
                         0);
        settle(&f);
        assert_int_equal(f.query.status, ONWARD_ECALLBACK);
        loop_turn(f.loop, 50);
    }
    assert_int_equal(f.warnings, 1); /* said once */
    assert_true(redis_server_start(&server));
    wait_up(&f);
    assert_non_null(strstr(f.warned, "up again"));
    /* It has kept nothing, and that counts. */
    assert_int_equal(get(&f, "known"), ONWARD_ENOENT);
    assert_int_equal(put(&f, "known", "w", ONWARD_STORE_IF_ABSENT), 0);
    assert_true(f.query.is_done);
    redis_server_stop(&server);
    assert_int_equal(get(&f, "known"), 0);
    t_assert_str(f.query.value, "w");
    f.w.now_s += 1000; /* and then it is over */
    assert_int_equal(get(&f, "known"), ONWARD_ECALLBACK);
    teardown(&f);
}

/* A change that may have been made, or not: what was known is so no more. */
static void test_doubtful_changes_are_forgotten(void **state)
{
    struct redis_server server = {0};
    struct fixture f;

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 0);
    assert_int_equal(put(&f, "k", "v", 0), 0);
    redis_server_stop(&server);
    ask_put(&f, "k", "w", 0);
    settle(&f);
    assert_int_equal(f.query.status, ONWARD_ECALLBACK);
    assert_int_equal(get(&f, "k"), ONWARD_ECALLBACK);
    teardown(&f);
}

static void test_two_share_it(void **state)
{
    struct redis_server server = {0};
    struct redis_store *other;
    struct fixture f;

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 0);
    other = f.store;
    open_it(&f, server.url, 0);
    assert_int_equal(put(&f, "k", "v", ONWARD_STORE_IF_ABSENT), 0);
    assert_true(f.query.is_done);
    onward_store__query_clear(&f.query);
    assert_int_equal(onward_store__put(redis_store_handle(other), &f.query,
                                       S("k"), S("w"), 0, 0,
                                       ONWARD_STORE_IF_ABSENT, NULL),
                     0);
    settle(&f);
    assert_int_equal(f.query.status, 0);
    assert_false(f.query.is_done);
    assert_int_equal(get(&f, "k"), 0);
    onward_store__query_clear(&f.query);
    redis_store_free(other);
    redis_server_stop(&server);
    teardown(&f);
}

static void test_full(void **state)
{
    struct redis_server server = {0};
    struct fixture f;

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 0);
    assert_int_equal(put(&f, "k", "v", 0), 0);
    redis_server_say(&server, "CONFIG SET maxmemory 1", "+OK");
    assert_int_equal(put(&f, "l", "v", ONWARD_STORE_KEEP), ONWARD_ELIMIT);
    assert_int_equal(get(&f, "k"), 0);
    redis_server_say(&server, "CONFIG SET maxmemory 0", "+OK");
    assert_int_equal(put(&f, "l", "v", ONWARD_STORE_KEEP), 0);
    redis_server_stop(&server);
    teardown(&f);
}

/* Values that expired by themselves do not stay in the index for ever. */
static void test_index_is_swept(void **state)
{
    struct redis_server server = {0};
    struct fixture f;
    char key[32];

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "gone/%d", i);
        assert_int_equal(put(&f, key, "v", 0), 0);
        snprintf(key, sizeof(key), "stays/%d", i);
        assert_int_equal(put(&f, key, "v", 0), 0);
    }
    redis_server_say(&server, "SELECT 3", "+OK");
    for (int i = 0; i < 40; i++) {
        char line[80];

        /* as expiry does it: behind our back */
        snprintf(line, sizeof(line), "SELECT 3\r\nDEL gone/%d", i);
        redis_server_say(&server, line, "+OK\r\n:1");
    }
    for (int i = 0; i < 40; i++)
        assert_int_equal(put(&f, "stays/0", "v", 0), 0);
    redis_server_say(&server, "SELECT 3\r\nZCARD onward:index",
                     "+OK\r\n:40\r\n");
    redis_server_stop(&server);
    teardown(&f);
}

/* ---- One that is none -------------------------------------------------- */

static void listen_here(struct fixture *f)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);

    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(f->listener, 5), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&sa, &len), 0);
    snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%u/0",
             ntohs(sa.sin_port));
}

/* Take the connection, and answer SELECT. */
static void take(struct fixture *f)
{
    char got[2000];

    f->peer = accept(f->listener, NULL, NULL);
    assert_true(f->peer >= 0);
    loop_turn(f->loop, 100);
    assert_true(read(f->peer, got, sizeof(got)) > 0);
    assert_true(write(f->peer, "+OK\r\n", 5) == 5);
    loop_turn(f->loop, 100);
    assert_true(redis_store_is_up(f->store));
}

static void say(struct fixture *f, const char *octets, size_t len)
{
    assert_true(write(f->peer, octets, len) == (ssize_t)len);
}

static const struct {
    const char *name;
    const char *octets;
    size_t len;
} nonsense[] = {
#define NONSENSE(name, text)                                                   \
    {                                                                          \
        name, text, sizeof(text) - 1                                           \
    }
    NONSENSE("not RESP", "HTTP/1.1 400 Bad Request\r\n"),
    NONSENSE("octets", "\x00\x01\x02\xff\r\n"),
    NONSENSE("an empty line", "\r\n"),
    NONSENSE("bare LF", "$1\nv\n"),
    NONSENSE("a number for a value", ":5\r\n"),
    NONSENSE("an array for a value", "*1\r\n$1\r\nv\r\n"),
    NONSENSE("an array in an array", "*1\r\n*1\r\n:1\r\n"),
    NONSENSE("a length below nothing", "$-2\r\n"),
    NONSENSE("a length beyond all", "$99999999999\r\n"),
    NONSENSE("a length that is none", "$1x\r\n"),
    NONSENSE("too many items", "*999999\r\n"),
    NONSENSE("a string longer than it says", "$1\r\nvalue\r\n"),
    NONSENSE("half a reply, and nothing more", "$100\r\nabc"),
    NONSENSE("nothing at all", ""),
    NONSENSE("two answers to one question", "$-1\r\n$-1\r\n"),
};

static void test_nonsense(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct fixture f;
        int64_t begin;

        setup(&f);
        listen_here(&f);
        open_it(&f, f.url, 0);
        take(&f);
        begin = host_now_ms();
        ask_get(&f, "k");
        say(&f, nonsense[i].octets, nonsense[i].len);
        settle(&f);
        /* One answer too many is found after the right one. */
        if (f.query.status != ONWARD_ECALLBACK &&
            strncmp(nonsense[i].name, "two ", 4) != 0)
            fail_msg("%s: %d", nonsense[i].name, f.query.status);
        assert_false(redis_store_is_up(f.store));
        assert_true(host_now_ms() - begin < 1000);
        assert_int_equal(put(&f, "k", "v", 0), ONWARD_ECALLBACK);
        teardown(&f);
    }
}

/* Not a Redis from the start, or one that wants a password. */
static void test_refused_at_the_start(void **state)
{
    static const char *const says[] = {"-NOAUTH Authentication required.\r\n",
                                       "220 mx ESMTP\r\n", ":1\r\n"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;

        setup(&f);
        listen_here(&f);
        open_it(&f, f.url, 0);
        ask_get(&f, "k");
        f.peer = accept(f.listener, NULL, NULL);
        say(&f, says[i], strlen(says[i]));
        settle(&f);
        assert_int_equal(f.query.status, ONWARD_ECALLBACK);
        assert_false(redis_store_is_up(f.store));
        teardown(&f);
    }
}

static const char envelope[] = "ORst\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0v";

/* An answer octet by octet is the same answer. */
static void test_answers_cut_everywhere(void **state)
{
    struct fixture f;
    char reply[80];
    size_t len;

    (void)state;
    setup(&f);
    listen_here(&f);
    open_it(&f, f.url, 0);
    take(&f);
    len = (size_t)snprintf(reply, sizeof(reply), "$25\r\n");
    memcpy(reply + len, envelope, 25);
    memcpy(reply + len + 25, "\r\n", 2);
    len += 27;
    ask_get(&f, "k");
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(f.query.status, ONWARD_AGAIN);
        say(&f, reply + i, 1);
        loop_turn(f.loop, 20);
    }
    settle(&f);
    assert_int_equal(f.query.status, 0);
    t_assert_str(f.query.value, "v");
    assert_true(f.query.version == 7);
    teardown(&f);
}

/* Values that are not ours: absent, and said. */
static void test_damaged_values(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    listen_here(&f);
    open_it(&f, f.url, 0);
    take(&f);
    for (size_t len = 0; len < 24 + 9; len++) {
        char reply[80], octets[25];
        size_t cut = len < 24 ? len : 25;

        memcpy(octets, envelope, 25);
        if (len >= 24 && len < 32)
            octets[len - 24] = (char)(octets[len - 24] + 1);
        else if (len == 32)
            octets[15] = 0; /* version 0 is none */
        ask_get(&f, "k");
        loop_turn(f.loop, 20);
        snprintf(reply, sizeof(reply), "$%zu\r\n", cut);
        say(&f, reply, strlen(reply));
        say(&f, octets, cut);
        say(&f, "\r\n", 2);
        f.warnings = 0;
        settle(&f);
        assert_int_equal(f.query.status, ONWARD_ENOENT);
        assert_int_equal(f.warnings, 1);
    }
    teardown(&f);
}

/* It does answer, after we have given up: that answers nothing. */
static void test_late(void **state)
{
    struct fixture f;
    char got[200];
    int64_t begin = host_now_ms();

    (void)state;
    setup(&f);
    listen_here(&f);
    open_it(&f, f.url, 0);
    take(&f);
    ask_get(&f, "k");
    settle(&f);
    assert_int_equal(f.query.status, ONWARD_ECALLBACK);
    assert_true(host_now_ms() - begin >= 200);
    /* It has hung up, and what is said now is said to nobody. */
    while (read(f.peer, got, sizeof(got)) > 0)
        continue;
    (void)send(f.peer, "$-1\r\n", 5, MSG_NOSIGNAL);
    assert_int_equal(get(&f, "k"), ONWARD_ECALLBACK);
    teardown(&f);
}

static void test_copy_is_bounded(void **state)
{
    struct redis_server server = {0};
    struct fixture f;
    char key[32];
    size_t known = 0;

    (void)state;
    if (!redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return;
    }
    setup(&f);
    open_it(&f, server.url, 1000);
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(put(&f, key, "v", 0), 0);
        assert_int_equal(get(&f, "k0"), 0);
    }
    redis_server_stop(&server);
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        known += get(&f, key) == 0 ? 1 : 0;
    }
    assert_true(known > 5 && known < 20);
    /* used often, so it stayed */
    assert_int_equal(get(&f, "k0"), 0);
    teardown(&f);
}

static void test_urls(void **state)
{
    static const struct {
        const char *url;
        bool is_one;
    } rows[] = {
        {"redis://redis.example", true},
        {"redis://127.0.0.1:6380/12", true},
        {"redis://[::1]:6379/", true},
        {"redis://[2001:db8::1]", true},
        {"redis://", false},
        {"redis:///0", false},
        {"rediss://a", false},
        {"redis://a:0", false},
        {"redis://a:65536", false},
        {"redis://a:", false},
        {"redis://a/x", false},
        {"redis://a/1x", false},
        {"redis://[::1", false},
        {"redis://[x]", false},
        {"redis://user@a", false},
        {"lmdb", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (redis_store_judge(rows[i].url) != rows[i].is_one)
            fail_msg("%s", rows[i].url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_and_started_again),
        cmocka_unit_test(test_doubtful_changes_are_forgotten),
        cmocka_unit_test(test_two_share_it),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_index_is_swept),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_refused_at_the_start),
        cmocka_unit_test(test_answers_cut_everywhere),
        cmocka_unit_test(test_damaged_values),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_copy_is_bounded),
        cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
