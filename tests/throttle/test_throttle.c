/*
 * Buckets and greylists over a store: what passes and what waits as time goes
 * on, what others do to the same values meanwhile, and that a store which fails
 * sends nobody away.
 */
#include <onward/throttle.h>

#include "support/support.h"

enum { MAX = 8 };

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_memstore *mem;
    struct onward_store *store;
    size_t done_count;
    bool free_in_done;
    struct onward_throttle *throttles[MAX];
};

static void note(void *user, struct onward_throttle *throttle)
{
    struct fixture *f = user;

    f->done_count++;
    for (size_t i = 0; i < MAX && f->free_in_done; i++) {
        if (f->throttles[i] == throttle) {
            onward_throttle_free(throttle);
            f->throttles[i] = NULL;
        }
    }
}

static void begin(struct fixture *f)
{
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_memstore_new(f->w.ctx, NULL, &f->mem), 0);
    assert_int_equal(onward_memstore_open(f->mem, f->desk, NULL, &f->store), 0);
}

static void finish(struct fixture *f)
{
    for (size_t i = 0; i < MAX; i++)
        onward_throttle_free(f->throttles[i]);
    onward_store_free(f->store);
    onward_memstore_free(f->mem);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

static void run(struct fixture *f)
{
    while (onward_desk_run(f->desk, f->w.now_s * 1000) == 1)
        continue;
}

static struct onward_throttle_host host_of(struct fixture *f)
{
    return (struct onward_throttle_host){
        .size = sizeof(struct onward_throttle_host), .user = f, .done = note};
}

/* ---- Buckets ----------------------------------------------------------- */

static struct onward_throttle_rate_opts rate_opts(const struct fixture *f,
                                                  size_t count, size_t period_s)
{
    return (struct onward_throttle_rate_opts){
        .size = sizeof(struct onward_throttle_rate_opts),
        .store = f->store,
        .name = ONWARD_STR("client"),
        .key = ONWARD_STR("192.0.2.1/32"),
        .count = count,
        .period_s = period_s};
}

/* 0: it passes; above: how long to wait; -1: not known. */
static int64_t ask(struct fixture *f, const struct onward_throttle_rate_opts *o)
{
    const struct onward_throttle_host host = host_of(f);
    struct onward_throttle *t = NULL;
    int64_t wait_s;
    int verdict;

    f->done_count = 0;
    assert_int_equal(onward_throttle_rate(o, &host, &t), 0);
    assert_int_equal(onward_throttle_result(t), ONWARD_THROTTLE_PENDING);
    run(f);
    assert_int_equal(f->done_count, 1);
    verdict = onward_throttle_result(t);
    wait_s = onward_throttle_wait_s(t);
    assert_true((wait_s > 0) == (verdict == ONWARD_THROTTLE_WAIT));
    onward_throttle_free(t);
    return verdict == ONWARD_THROTTLE_UNKNOWN ? -1 : wait_s;
}

static const struct rate_row {
    const char *name;
    size_t count, period_s, burst, amount;
    struct {
        int64_t after_s, want;
    } steps[8]; /* ends with after_s < 0 */
} rate_rows[] = {
    {"two a minute",
     2,
     60,
     0,
     0,
     {{0, 0}, {0, 0}, {0, 30}, {29, 1}, {1, 0}, {0, 30}, {-1, 0}}},
    {"what is not used is kept, up to the count",
     2,
     60,
     0,
     0,
     {{0, 0}, {600, 0}, {0, 0}, {0, 30}, {-1, 0}}},
    {"to ask in vain costs nothing",
     1,
     10,
     0,
     0,
     {{0, 0}, {5, 5}, {4, 1}, {1, 0}, {-1, 0}}},
    {"nothing is rounded: three in ten seconds",
     3,
     10,
     0,
     0,
     {{0, 0}, {0, 0}, {0, 0}, {0, 4}, {3, 1}, {1, 0}, {2, 1}, {-1, 0}}},
    {"more at once than in a while",
     1,
     60,
     3,
     0,
     {{0, 0}, {0, 0}, {0, 0}, {0, 60}, {60, 0}, {0, 60}, {-1, 0}}},
    {"several at a time",
     10,
     10,
     0,
     7,
     {{0, 0}, {0, 4}, {4, 0}, {0, 7}, {-1, 0}}},
    {"as much as there may be",
     1000000000,
     1000000000,
     0,
     1000000000,
     {{0, 0}, {0, 1000000000}, {-1, 0}}},
};

static void test_rate(void **state)
{
    const struct rate_row *row = *state;
    struct fixture f = {.done_count = 0};
    struct onward_throttle_rate_opts o;

    begin(&f);
    o = rate_opts(&f, row->count, row->period_s);
    o.burst = row->burst;
    o.amount = row->amount;
    for (size_t i = 0; row->steps[i].after_s >= 0; i++) {
        f.w.now_s += row->steps[i].after_s;
        assert_int_equal(ask(&f, &o), row->steps[i].want);
    }
    finish(&f);
}

static void test_keys_are_apart(void **state)
{
    struct fixture f = {.done_count = 0};
    struct onward_throttle_rate_opts o;

    (void)state;
    begin(&f);
    o = rate_opts(&f, 1, 60);
    o.key = ONWARD_STR("Ann@Sender.Example");
    assert_int_equal(ask(&f, &o), 0);
    o.key = ONWARD_STR("ann@sender.example");
    assert_int_equal(ask(&f, &o), 60);
    o.key = ONWARD_STR("bob@sender.example");
    assert_int_equal(ask(&f, &o), 0);
    o.name = ONWARD_STR("clientbob@");
    o.key = ONWARD_STR("sender.example");
    assert_int_equal(ask(&f, &o), 0);
    finish(&f);
}

static void test_settings_change(void **state)
{
    struct fixture f = {.done_count = 0};
    struct onward_throttle_rate_opts o;

    (void)state;
    begin(&f);
    o = rate_opts(&f, 1, 3600);
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 3600);
    o.count = 2;
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 1800);
    finish(&f);
}

static void test_clock_goes_back(void **state)
{
    struct fixture f = {.done_count = 0};
    struct onward_throttle_rate_opts o;

    (void)state;
    begin(&f);
    o = rate_opts(&f, 1, 60);
    assert_int_equal(ask(&f, &o), 0);
    /* Another machine's clock is behind: nothing is won by that. */
    f.w.now_s -= 100;
    assert_int_equal(ask(&f, &o), 60);
    f.w.now_s += 159;
    assert_int_equal(ask(&f, &o), 1);
    f.w.now_s += 1;
    assert_int_equal(ask(&f, &o), 0);
    /* A clock that was years ahead: the value counts no more. */
    f.w.now_s -= 100000;
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 60);
    finish(&f);
}

static void test_forgets_what_is_full(void **state)
{
    struct fixture f = {.done_count = 0};
    struct onward_throttle_rate_opts o;

    (void)state;
    begin(&f);
    o = rate_opts(&f, 2, 60);
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(onward_memstore_count(f.mem), 1);
    f.w.now_s += 32;
    o.key = ONWARD_STR("another");
    assert_int_equal(ask(&f, &o), 0);
    o.key = ONWARD_STR("192.0.2.1/32");
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 0);
    assert_int_equal(ask(&f, &o), 30);
    finish(&f);
}

/* ---- Greylists --------------------------------------------------------- */

static const struct grey_row {
    const char *name;
    struct {
        int64_t after_s;
        const char *client, *sender, *recipient; /* NULL: as before */
        int64_t want;
    } steps[8]; /* ends with after_s < 0 */
} grey_rows[] = {
    {"who comes again passes",
     {{0, "net", "a@x", "b@y", 300},
      {100, NULL, NULL, NULL, 200},
      {199, NULL, NULL, NULL, 1},
      {1, NULL, NULL, NULL, 0},
      {-1, NULL, NULL, NULL, 0}}},
    {"and is known then, with whatever it brings",
     {{0, "net", "a@x", "b@y", 300},
      {300, NULL, NULL, NULL, 0},
      {1, NULL, "c@x", "d@y", 0},
      {0, "other", NULL, NULL, 300},
      {-1, NULL, NULL, NULL, 0}}},
    {"it has to be the same mail",
     {{0, "net", "a@x", "b@y", 300},
      {400, NULL, "c@x", NULL, 300},
      {0, NULL, "a@x", "d@y", 300},
      {0, NULL, "a@x", "b@y", 0},
      {-1, NULL, NULL, NULL, 0}}},
    {"case does not matter",
     {{0, "net", "a@x", "b@y", 300},
      {300, NULL, "A@X", "B@Y", 0},
      {-1, NULL, NULL, NULL, 0}}},
    {"the null path is a sender too",
     {{0, "net", "", "b@y", 300},
      {300, NULL, NULL, NULL, 0},
      {-1, NULL, NULL, NULL, 0}}},
    {"who comes too late is new",
     {{0, "net", "a@x", "b@y", 300},
      {172800, NULL, NULL, NULL, 300},
      {300, NULL, NULL, NULL, 0},
      {-1, NULL, NULL, NULL, 0}}},
    {"who was long away is new",
     {{0, "net", "a@x", "b@y", 300},
      {300, NULL, NULL, NULL, 0},
      {3024000, NULL, "c@x", NULL, 300},
      {-1, NULL, NULL, NULL, 0}}},
    {"who comes now and then stays known",
     {{0, "net", "a@x", "b@y", 300},
      {300, NULL, NULL, NULL, 0},
      {2000000, NULL, "c@x", NULL, 0},
      {2000000, NULL, "d@x", NULL, 0},
      {2000000, NULL, "e@x", NULL, 0},
      {-1, NULL, NULL, NULL, 0}}},
};

static int64_t ask_grey(struct fixture *f, const char *client,
                        const char *sender, const char *recipient)
{
    const struct onward_throttle_host host = host_of(f);
    const struct onward_throttle_greylist_opts o = {
        .size = sizeof(o),
        .store = f->store,
        .client = onward_str_of(client),
        .sender = onward_str_of(sender),
        .recipient = onward_str_of(recipient)};
    struct onward_throttle *t = NULL;
    int64_t wait_s;
    int verdict;

    f->done_count = 0;
    assert_int_equal(onward_throttle_greylist(&o, &host, &t), 0);
    run(f);
    assert_int_equal(f->done_count, 1);
    verdict = onward_throttle_result(t);
    wait_s = onward_throttle_wait_s(t);
    assert_true((wait_s > 0) == (verdict == ONWARD_THROTTLE_WAIT));
    onward_throttle_free(t);
    return verdict == ONWARD_THROTTLE_UNKNOWN ? -1 : wait_s;
}

static void test_grey(void **state)
{
    const struct grey_row *row = *state;
    const char *client = "", *sender = "", *recipient = "";
    struct fixture f = {.done_count = 0};

    begin(&f);
    for (size_t i = 0; row->steps[i].after_s >= 0; i++) {
        f.w.now_s += row->steps[i].after_s;
        if (row->steps[i].client != NULL)
            client = row->steps[i].client;
        if (row->steps[i].sender != NULL)
            sender = row->steps[i].sender;
        if (row->steps[i].recipient != NULL)
            recipient = row->steps[i].recipient;
        assert_int_equal(ask_grey(&f, client, sender, recipient),
                         row->steps[i].want);
    }
    finish(&f);
}

/* ---- A store that does as the test says -------------------------------- */

struct slow {
    struct fixture f;
    struct {
        uint64_t token;
        bool is_put;
        unsigned char value[64];
        size_t len;
        uint64_t version;
        uint32_t flags;
    } asked[32];
    size_t count, at; /* asked; answered */
    unsigned char value[64];
    size_t len;
    uint64_t version; /* 0: nothing there */
    int get_error, put_error, refuse;
    bool free_in_get;
};

static int slow_get(void *user, uint64_t token, const char *key, size_t len)
{
    struct slow *s = user;

    (void)key;
    assert_true(len <= ONWARD_STORE_KEY_MAX && len > 18);
    if (s->free_in_get) {
        onward_throttle_free(s->f.throttles[0]);
        s->f.throttles[0] = NULL;
    }
    if (s->refuse)
        return -1;
    s->asked[s->count].is_put = false;
    s->asked[s->count++].token = token;
    return 0;
}

static int slow_put(void *user, uint64_t token, const char *key, size_t key_len,
                    const void *value, size_t len, int64_t expires_s,
                    uint64_t version, uint32_t flags)
{
    struct slow *s = user;

    (void)key;
    (void)key_len;
    assert_true(expires_s > s->f.w.now_s && len <= sizeof(s->value));
    s->asked[s->count].is_put = true;
    s->asked[s->count].token = token;
    memcpy(s->asked[s->count].value, value, len);
    s->asked[s->count].len = len;
    s->asked[s->count].version = version;
    s->asked[s->count++].flags = flags;
    return 0;
}

static int slow_remove(void *user, uint64_t token, const char *key,
                       size_t key_len, uint64_t version)
{
    (void)user;
    (void)token;
    (void)key;
    (void)key_len;
    (void)version;
    return -1;
}

static int slow_walk(void *user, uint64_t token, const char *prefix,
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

static void begin_slow(struct slow *s)
{
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = s,
                                         .get = slow_get,
                                         .put = slow_put,
                                         .remove = slow_remove,
                                         .walk = slow_walk};

    t_world_init(&s->f.w);
    assert_int_equal(onward_desk_new(s->f.w.ctx, NULL, &s->f.desk), 0);
    assert_int_equal(onward_store_new(s->f.desk, &ops, NULL, &s->f.store), 0);
}

/* Answer question i as a store of one key would now. */
static void answer(struct slow *s, size_t i)
{
    bool holds;

    if (!s->asked[i].is_put) {
        if (s->get_error != 0)
            onward_store_answer_error(s->f.desk, s->asked[i].token,
                                      s->get_error);
        else if (s->version == 0)
            onward_store_answer_error(s->f.desk, s->asked[i].token,
                                      ONWARD_ENOENT);
        else
            onward_store_answer_value(s->f.desk, s->asked[i].token, s->value,
                                      s->len, s->version);
        return;
    }
    if (s->put_error != 0) {
        onward_store_answer_error(s->f.desk, s->asked[i].token, s->put_error);
        return;
    }
    holds = (s->asked[i].flags & ONWARD_STORE_IF_ABSENT) != 0 ? s->version == 0
            : (s->asked[i].flags & ONWARD_STORE_IF_VERSION) != 0
                ? s->version == s->asked[i].version
                : true;
    if (holds) {
        memcpy(s->value, s->asked[i].value, s->asked[i].len);
        s->len = s->asked[i].len;
        s->version++;
    }
    onward_store_answer_done(s->f.desk, s->asked[i].token, holds, s->version);
}

static void start_slow(struct slow *s, size_t i, size_t count)
{
    const struct onward_throttle_rate_opts o = rate_opts(&s->f, count, 60);
    const struct onward_throttle_host host = host_of(&s->f);

    assert_int_equal(onward_throttle_rate(&o, &host, &s->f.throttles[i]), 0);
}

static void settle(struct slow *s)
{
    run(&s->f);
    while (s->at < s->count) {
        answer(s, s->at++);
        run(&s->f);
    }
}

static void in_order(void *arg, const size_t *order, size_t n)
{
    struct slow s = {.count = 0};
    size_t passed = 0;

    (void)arg;
    begin_slow(&s);
    for (size_t i = 0; i < n; i++)
        start_slow(&s, i, n - 1);
    run(&s.f);
    assert_int_equal(s.count, n);
    /* All have read nothing; one is first, the others read anew. */
    for (size_t i = 0; i < n; i++) {
        answer(&s, order[i]);
        run(&s.f);
    }
    s.at = n;
    settle(&s);
    assert_int_equal(s.f.done_count, n);
    for (size_t i = 0; i < n; i++)
        passed +=
            onward_throttle_result(s.f.throttles[i]) == ONWARD_THROTTLE_PASS;
    assert_int_equal(passed, n - 1);
    finish(&s.f);
}

static void test_others_take_too(void **state)
{
    (void)state;
    t_every_order(4, in_order, NULL);
}

static void test_others_are_always_faster(void **state)
{
    struct slow s = {.count = 0};

    (void)state;
    begin_slow(&s);
    start_slow(&s, 0, 1000);
    run(&s.f);
    while (s.at < s.count) {
        assert_true(s.count < 30);
        answer(&s, s.at++);
        s.version++;
        run(&s.f);
    }
    assert_int_equal(s.f.done_count, 1);
    assert_int_equal(onward_throttle_result(s.f.throttles[0]),
                     ONWARD_THROTTLE_UNKNOWN);
    finish(&s.f);
}

static void check_unknown(struct slow *s)
{
    struct onward_throttle_greylist_opts o = {.size = sizeof(o),
                                              .client = ONWARD_STR("net")};
    const struct onward_throttle_host host = host_of(&s->f);

    begin_slow(s);
    o.store = s->f.store;
    start_slow(s, 0, 1);
    assert_int_equal(onward_throttle_greylist(&o, &host, &s->f.throttles[1]),
                     0);
    settle(s);
    assert_int_equal(s->f.done_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(onward_throttle_result(s->f.throttles[i]),
                         ONWARD_THROTTLE_UNKNOWN);
    finish(&s->f);
}

static void test_store_fails(void **state)
{
    struct slow s = {.get_error = ONWARD_ECALLBACK};

    (void)state;
    check_unknown(&s);
    s = (struct slow){.put_error = ONWARD_ECALLBACK};
    check_unknown(&s);
    /* Full: who cannot be remembered would be sent away for ever. */
    s = (struct slow){.put_error = ONWARD_ELIMIT};
    check_unknown(&s);
    s = (struct slow){.refuse = 1};
    check_unknown(&s);
}

static void test_store_says_nothing(void **state)
{
    struct slow s = {.count = 0};

    (void)state;
    begin_slow(&s);
    start_slow(&s, 0, 1);
    run(&s.f);
    s.f.w.now_s += 9;
    run(&s.f);
    assert_int_equal(s.f.done_count, 0);
    s.f.w.now_s += 2;
    run(&s.f);
    assert_int_equal(s.f.done_count, 1);
    assert_int_equal(onward_throttle_result(s.f.throttles[0]),
                     ONWARD_THROTTLE_UNKNOWN);
    finish(&s.f);
}

static void test_known_but_not_renewed(void **state)
{
    struct slow s = {.put_error = ONWARD_ECALLBACK, .version = 1, .len = 16};
    const struct onward_throttle_host host = host_of(&s.f);
    struct onward_throttle_greylist_opts o = {.size = sizeof(o),
                                              .client = ONWARD_STR("net"),
                                              .life_s = 1600000000 / 2};

    (void)state;
    /* "tkno", version 1, when: more than a 16th of its life ago. */
    memcpy(s.value, "tkno\1\0\0\0", 8);
    for (size_t i = 0; i < 8; i++)
        s.value[8 + i] = (unsigned char)((uint64_t)1300000000 >> (8 * i));
    begin_slow(&s);
    o.store = s.f.store;
    assert_int_equal(onward_throttle_greylist(&o, &host, &s.f.throttles[0]), 0);
    settle(&s);
    assert_int_equal(s.count, 2);
    assert_int_equal(onward_throttle_result(s.f.throttles[0]),
                     ONWARD_THROTTLE_PASS);
    finish(&s.f);
}

/* Somebody else wrote it, or it was damaged: as good as nothing, or a bucket
 * with less in it; never more than its own. */
static void test_hostile_values(void **state)
{
    struct slow s = {.count = 0};
    unsigned char good[64];
    size_t len;

    (void)state;
    begin_slow(&s);
    start_slow(&s, 0, 2);
    settle(&s);
    memcpy(good, s.value, sizeof(good));
    len = s.len;
    for (size_t bit = 0; bit < len * 8; bit++) {
        onward_throttle_free(s.f.throttles[0]);
        memcpy(s.value, good, len);
        s.value[bit / 8] ^= (unsigned char)(1 << bit % 8);
        s.len = len;
        s.at = s.count = 0;
        start_slow(&s, 0, 2);
        settle(&s);
        assert_true(onward_throttle_result(s.f.throttles[0]) ==
                        ONWARD_THROTTLE_PASS ||
                    onward_throttle_wait_s(s.f.throttles[0]) <= 3660);
    }
    for (size_t cut = 0; cut < len; cut++) {
        onward_throttle_free(s.f.throttles[0]);
        memcpy(s.value, good, len);
        s.len = cut;
        s.at = s.count = 0;
        start_slow(&s, 0, 2);
        settle(&s);
        assert_int_equal(onward_throttle_result(s.f.throttles[0]),
                         ONWARD_THROTTLE_PASS);
    }
    finish(&s.f);
}

static void test_free_inside(void **state)
{
    struct slow s = {.free_in_get = true};

    (void)state;
    begin_slow(&s);
    start_slow(&s, 0, 1);
    settle(&s);
    assert_int_equal(s.f.done_count, 0);
    finish(&s.f);

    s = (struct slow){.f = {.free_in_done = true}};
    begin_slow(&s);
    start_slow(&s, 0, 1);
    settle(&s);
    assert_int_equal(s.f.done_count, 1);
    assert_null(s.f.throttles[0]);
    finish(&s.f);

    s = (struct slow){.count = 0};
    begin_slow(&s);
    start_slow(&s, 0, 1);
    run(&s.f);
    onward_throttle_free(s.f.throttles[0]);
    s.f.throttles[0] = NULL;
    settle(&s);
    assert_int_equal(s.f.done_count, 0);
    finish(&s.f);

    s = (struct slow){.count = 0};
    begin_slow(&s);
    start_slow(&s, 0, 1);
    onward_desk_free(s.f.desk);
    onward_store_free(s.f.store);
    onward_throttle_free(s.f.throttles[0]);
    t_world_clear(&s.f.w);
}

/* ---- Networks ---------------------------------------------------------- */

static const struct net_row {
    const char *ip;
    size_t bits_4, bits_6;
    const char *want;
} net_rows[] = {
    {"192.0.2.99", 32, 64, "192.0.2.99/32"},
    {"192.0.2.99", 24, 64, "192.0.2.0/24"},
    {"192.0.2.99", 27, 64, "192.0.2.96/27"},
    {"192.0.2.99", 0, 64, "0.0.0.0/0"},
    {"255.255.255.255", 1, 64, "128.0.0.0/1"},
    {"2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64"},
    {"2001:db8:1:2:3:4:5:6", 32, 128, "2001:db8:1:2:3:4:5:6/128"},
    {"2001:db8:ffff::1", 32, 33, "2001:db8:8000::/33"},
    {"::ffff:192.0.2.99", 24, 64, "192.0.2.0/24"},
};

static void test_network(void **state)
{
    const struct net_row *row = *state;
    char text[ONWARD_IP_TEXT_MAX + 4] = "untouched";
    struct onward_ip ip;
    int len = (int)strlen(row->want);

    assert_int_equal(onward_ip_parse(onward_str_of(row->ip), &ip), 0);
    assert_int_equal(onward_throttle_network(&ip, row->bits_4, row->bits_6,
                                             text, (size_t)len),
                     ONWARD_ELIMIT);
    assert_string_equal(text, "untouched");
    assert_int_equal(onward_throttle_network(&ip, row->bits_4, row->bits_6,
                                             text, (size_t)len + 1),
                     len);
    assert_string_equal(text, row->want);
}

/* ---- Errors and memory ------------------------------------------------- */

static void test_errors(void **state)
{
    struct onward_ip ip = {.family = 4};
    struct onward_throttle_greylist_opts g = {.size = sizeof(g),
                                              .client = ONWARD_STR("net")};
    struct onward_throttle_rate_opts o;
    struct onward_throttle_host host;
    struct onward_throttle *t = NULL;
    struct fixture f = {.done_count = 0};
    char text[60];

    (void)state;
    begin(&f);
    host = host_of(&f);
    o = rate_opts(&f, 0, 60);
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_EINVAL);
    o = rate_opts(&f, 1, 1000000001);
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_EINVAL);
    o = rate_opts(&f, 1, 60);
    o.amount = 2;
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_EINVAL);
    o = rate_opts(&f, 1, 60);
    o.store = NULL;
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_EINVAL);
    o = rate_opts(&f, 1, 60);
    host.done = NULL;
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_EINVAL);
    host.done = note;
    g.store = f.store;
    g.delay_s = g.retry_s = 100;
    assert_int_equal(onward_throttle_greylist(&g, &host, &t), ONWARD_EINVAL);
    g.delay_s = g.retry_s = 0;
    g.client.len = 0;
    assert_int_equal(onward_throttle_greylist(&g, &host, &t), ONWARD_EINVAL);
    assert_int_equal(onward_throttle_network(&ip, 33, 64, text, sizeof(text)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_throttle_network(&ip, 32, 129, text, sizeof(text)),
                     ONWARD_EINVAL);
    ip.family = 0;
    assert_int_equal(onward_throttle_network(&ip, 32, 64, text, sizeof(text)),
                     ONWARD_EINVAL);
    onward_throttle_free(NULL);
    onward_desk_free(f.desk);
    assert_int_equal(onward_throttle_rate(&o, &host, &t), ONWARD_ESTATE);
    assert_null(t);
    f.desk = NULL;
    finish(&f);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct fixture f = {.w = *w};
    const struct onward_throttle_host host = host_of(&f);
    struct onward_throttle_greylist_opts g = {.size = sizeof(g),
                                              .client = ONWARD_STR("net")};
    struct onward_throttle_rate_opts o;
    bool got_through = false;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &f.desk) == 0 &&
        onward_memstore_new(w->ctx, NULL, &f.mem) == 0 &&
        onward_memstore_open(f.mem, f.desk, NULL, &f.store) == 0) {
        o = rate_opts(&f, 1, 60);
        g.store = f.store;
        if (onward_throttle_rate(&o, &host, &f.throttles[0]) == 0 &&
            onward_throttle_greylist(&g, &host, &f.throttles[1]) == 0) {
            run(&f);
            assert_int_equal(f.done_count, 2);
            got_through =
                onward_throttle_result(f.throttles[0]) ==
                    ONWARD_THROTTLE_PASS &&
                onward_throttle_result(f.throttles[1]) == ONWARD_THROTTLE_WAIT;
        }
    }
    for (size_t i = 0; i < 2; i++)
        onward_throttle_free(f.throttles[i]);
    onward_store_free(f.store);
    onward_memstore_free(f.mem);
    onward_desk_free(f.desk);
    return got_through;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROW(row, test)                                                         \
    (struct CMUnitTest)                                                        \
    {                                                                          \
        .name = *(const char *const *)(const void *)(row),                     \
        .test_func = (test), .initial_state = (void *)(uintptr_t)(row)         \
    }

int main(void)
{
    static struct CMUnitTest tests[80];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rate_rows); i++)
        tests[n++] = ROW(&rate_rows[i], test_rate);
    for (size_t i = 0; i < COUNT(grey_rows); i++)
        tests[n++] = ROW(&grey_rows[i], test_grey);
    for (size_t i = 0; i < COUNT(net_rows); i++)
        tests[n++] = ROW(&net_rows[i], test_network);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_keys_are_apart);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_settings_change);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_clock_goes_back);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_forgets_what_is_full);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_others_take_too);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_others_are_always_faster);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_store_fails);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_store_says_nothing);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_known_but_not_renewed);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_hostile_values);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_free_inside);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_errors);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_oom);
    return _cmocka_run_group_tests("throttle", tests, n, NULL, NULL);
}
