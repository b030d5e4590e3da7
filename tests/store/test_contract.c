/* What onward_store promises, asked of each store alike. */
#include "contract.h"

#define S(literal) onward_core__str(literal, sizeof(literal) - 1)

static const struct backend *const backends[] = {
    &backend_memory,
    &backend_lmdb,
    &backend_redis,
};

enum { BACKENDS = sizeof(backends) / sizeof(backends[0]) };

/* ---- Questions --------------------------------------------------------- */

/* The answer, which may take some turns. */
static int settle(struct world *world)
{
    for (int i = 0; i < 100 && world->query.status == ONWARD_AGAIN; i++)
        world->backend->turn(world);
    return world->query.status;
}

static int put_str(struct world *world, struct onward_str key,
                   struct onward_str value, int64_t expires_s, uint64_t version,
                   uint32_t flags)
{
    onward_store__query_clear(&world->query);
    assert_int_equal(onward_store__put(world->store, &world->query, key, value,
                                       expires_s, version, flags, NULL),
                     0);
    return settle(world);
}

static int put(struct world *world, const char *key, const char *value,
               uint64_t version, uint32_t flags)
{
    return put_str(world, onward_str_of(key), onward_str_of(value), 0, version,
                   flags);
}

static int get_str(struct world *world, struct onward_str key)
{
    onward_store__query_clear(&world->query);
    assert_int_equal(onward_store__get(world->store, &world->query, key, NULL),
                     0);
    return settle(world);
}

static int get(struct world *world, const char *key)
{
    return get_str(world, onward_str_of(key));
}

static int take_out(struct world *world, const char *key, uint64_t version)
{
    onward_store__query_clear(&world->query);
    assert_int_equal(onward_store__remove(world->store, &world->query,
                                          onward_str_of(key), version, NULL),
                     0);
    return settle(world);
}

static void has(struct world *world, const char *key, const char *value)
{
    assert_int_equal(get(world, key), 0);
    t_assert_str(world->query.value, value);
}

/* ---- Behaviours -------------------------------------------------------- */

static void absent(struct world *world)
{
    assert_int_equal(get(world, "onward/t/1/a"), ONWARD_ENOENT);
    assert_int_equal(take_out(world, "onward/t/1/a", 0), 0);
    assert_false(world->query.is_done);
    assert_int_equal(
        put(world, "onward/t/1/a", "x", 7, ONWARD_STORE_IF_VERSION), 0);
    assert_false(world->query.is_done);
    assert_int_equal(get(world, "onward/t/1/a"), ONWARD_ENOENT);
}

static void put_and_get(struct world *world)
{
    uint64_t first, second;

    assert_int_equal(put(world, "onward/t/1/a", "one", 0, 0), 0);
    assert_true(world->query.is_done);
    first = world->query.version;
    assert_true(first != 0);
    has(world, "onward/t/1/a", "one");
    assert_true(world->query.version == first);
    assert_int_equal(put(world, "onward/t/1/a", "two", 0, ONWARD_STORE_KEEP),
                     0);
    second = world->query.version;
    assert_true(second != 0 && second != first);
    has(world, "onward/t/1/a", "two");
    assert_true(world->query.version == second);
}

static void if_absent(struct world *world)
{
    assert_int_equal(put(world, "k", "one", 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_true(world->query.is_done);
    assert_int_equal(
        put(world, "k", "two", 0, ONWARD_STORE_IF_ABSENT | ONWARD_STORE_KEEP),
        0);
    assert_false(world->query.is_done);
    has(world, "k", "one");
}

static void if_version(struct world *world)
{
    uint64_t version;

    assert_int_equal(put(world, "k", "one", 0, ONWARD_STORE_KEEP), 0);
    version = world->query.version;
    assert_int_equal(
        put(world, "k", "two", version + 1, ONWARD_STORE_IF_VERSION), 0);
    assert_false(world->query.is_done);
    has(world, "k", "one");
    assert_int_equal(put(world, "k", "two", version, ONWARD_STORE_IF_VERSION),
                     0);
    assert_true(world->query.is_done);
    assert_true(world->query.version != version);
    assert_int_equal(put(world, "k", "three", version, ONWARD_STORE_IF_VERSION),
                     0);
    assert_false(world->query.is_done);
    has(world, "k", "two");
}

static void removal(struct world *world)
{
    uint64_t version;

    assert_int_equal(put(world, "k", "one", 0, 0), 0);
    version = world->query.version;
    assert_int_equal(take_out(world, "k", version + 1), 0);
    assert_false(world->query.is_done);
    has(world, "k", "one");
    assert_int_equal(take_out(world, "k", version), 0);
    assert_true(world->query.is_done);
    assert_int_equal(get(world, "k"), ONWARD_ENOENT);
    assert_int_equal(put(world, "k", "two", 0, ONWARD_STORE_KEEP), 0);
    /* not the number that somebody may still hold */
    assert_true(world->query.version != version);
    assert_int_equal(take_out(world, "k", 0), 0);
    assert_true(world->query.is_done);
    assert_int_equal(take_out(world, "k", 0), 0);
    assert_false(world->query.is_done);
}

static void expiry(struct world *world)
{
    if (!world->backend->has_our_clock)
        return;
    assert_int_equal(put_str(world, S("k"), S("v"), world->w.now_s + 10, 0,
                             ONWARD_STORE_KEEP),
                     0);
    assert_int_equal(put_str(world, S("l"), S("v"), world->w.now_s + 20, 0, 0),
                     0);
    world->w.now_s += 9;
    assert_int_equal(get(world, "k"), 0);
    world->w.now_s += 1;
    assert_int_equal(get(world, "k"), ONWARD_ENOENT);
    assert_int_equal(take_out(world, "k", 0), 0);
    assert_false(world->query.is_done);
    assert_int_equal(put(world, "k", "new", 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_true(world->query.is_done);
    /* put anew without an end, it has none */
    assert_int_equal(put(world, "l", "w", 0, 0), 0);
    world->w.now_s += 100000;
    has(world, "k", "new");
    has(world, "l", "w");
}

/* What has expired when it is put is never there. */
static void expired_at_once(struct world *world)
{
    assert_int_equal(put_str(world, S("k"), S("v"), 1000, 0, ONWARD_STORE_KEEP),
                     0);
    assert_int_equal(get(world, "k"), ONWARD_ENOENT);
    assert_int_equal(put(world, "k", "w", 0, ONWARD_STORE_IF_ABSENT), 0);
    assert_true(world->query.is_done);
}

static void any_octets(struct world *world)
{
    unsigned char all[256];
    struct onward_str octets = {(const char *)all, sizeof(all)};

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    assert_int_equal(put_str(world, octets, octets, 0, 0, 0), 0);
    assert_int_equal(get_str(world, octets), 0);
    t_assert_str_n(world->query.value, all, sizeof(all));
    assert_int_equal(put_str(world, S("empty"), S(""), 0, 0, 0), 0);
    assert_int_equal(get(world, "empty"), 0);
    assert_int_equal(world->query.value.len, 0);
}

static void large_value(struct world *world)
{
    size_t len = 1000000;
    char *octets = malloc(len);
    struct onward_str value = {octets, len};

    memset(octets, 'v', len);
    assert_int_equal(put_str(world, S("k"), value, 0, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(get(world, "k"), 0);
    assert_int_equal(world->query.value.len, len);
    assert_memory_equal(world->query.value.data, octets, len);
    free(octets);
}

/* Keys up to 512 octets that differ at their ends only. */
static void long_keys(struct world *world)
{
    static const size_t lens[] = {440, 446, 447, 448, 477,
                                  478, 479, 480, 511, 512};
    char key[ONWARD_STORE_KEY_MAX], value[40];

    memset(key, 'k', sizeof(key));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            for (char end = 'a'; end <= 'c'; end++) {
                struct onward_str name = {key, lens[i]};

                key[lens[i] - 1] = end;
                snprintf(value, sizeof(value), "%zu %c", lens[i], end);
                if (round == 0)
                    assert_int_equal(
                        put_str(world, name, onward_str_of(value), 0, 0, 0), 0);
                else
                    assert_int_equal(get_str(world, name), 0);
                if (round == 1)
                    t_assert_str(world->query.value, value);
                key[lens[i] - 1] = 'k';
            }
        }
    }
}

/* ---- Walks ------------------------------------------------------------- */

enum { KEYS = 300 };

/* All pages; each key's last number is its place in there, which must be set
 * and is taken off. How many there were. */
static size_t walk(struct world *world, struct onward_str prefix, bool *there,
                   size_t max_items)
{
    char cursor[ONWARD_STORE_KEY_MAX] = "";
    size_t cursor_len = 0, seen = 0;

    for (int pages = 0; pages < 10000; pages++) {
        onward_store__query_clear(&world->query);
        assert_int_equal(
            onward_store__walk(world->store, &world->query, prefix,
                               onward_core__str(cursor, cursor_len), max_items,
                               NULL),
            0);
        assert_int_equal(settle(world), 0);
        assert_true(world->query.count <= max_items);
        for (struct onward_store__item *item = world->query.first; item != NULL;
             item = item->next) {
            size_t k = 0, at = item->key.len;
            size_t unit = 1;

            for (; item->key.data[at - 1] != '/'; unit *= 10)
                k += (size_t)(item->key.data[--at] - '0') * unit;
            assert_true(onward_core__str_starts(item->key, prefix));
            assert_true(k < KEYS && there[k]);
            assert_true(item->version != 0);
            t_assert_str(item->value, "v");
            there[k] = false;
            seen++;
        }
        cursor_len = world->query.cursor.len;
        if (cursor_len == 0)
            return seen;
        memcpy(cursor, world->query.cursor.data, cursor_len);
    }
    fail_msg("a walk without end");
    return 0;
}

/* Against a plain array of flags, with a repeatable order of changes. */
static void walks_see_each_once(struct world *world)
{
    static const size_t pages[] = {1, 7, 1000};
    bool there[KEYS] = {false};
    char key[32];
    unsigned random = 1;

    assert_int_equal(put(world, "onward/s/1/x", "v", 0, 0), 0);
    assert_int_equal(put(world, "onward/u/1/x", "v", 0, 0), 0);
    for (int i = 0; i < 1000; i++) {
        unsigned k;

        random = random * 1103515245u + 12345u;
        k = (random >> 16) % KEYS;
        snprintf(key, sizeof(key), "onward/t/1/%u", k);
        if (there[k])
            assert_int_equal(take_out(world, key, 0), 0);
        else
            assert_int_equal(put(world, key, "v", 0, 0), 0);
        assert_true(world->query.is_done);
        there[k] = !there[k];
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        bool left[KEYS];
        size_t want = 0;

        memcpy(left, there, sizeof(left));
        for (size_t k = 0; k < KEYS; k++)
            want += there[k] ? 1 : 0;
        assert_int_equal(walk(world, S("onward/t/1/"), left, pages[i]), want);
    }
    assert_int_equal(walk(world, S("onward/nothing/"), there, 3), 0);
}

/* Prefixes longer than what a store may order by. */
static void walks_over_long_keys(struct world *world)
{
    char key[ONWARD_STORE_KEY_MAX];
    bool there[KEYS] = {false};

    for (int i = 0; i < 40; i++) {
        size_t len = i % 2 == 0 ? 450 : 500;

        memset(key, 'p', sizeof(key));
        snprintf(key + len, sizeof(key) - len, "/%d", i);
        assert_int_equal(put(world, key, "v", 0, 0), 0);
        there[i] = true;
    }
    assert_int_equal(walk(world, onward_core__str(key, 20), there, 7), 40);
    for (int i = 0; i < 40; i++)
        there[i] = i % 2 == 1;
    memset(key, 'p', sizeof(key));
    assert_int_equal(walk(world, onward_core__str(key, 499), there, 7), 20);
}

static void walks_pass_over_the_expired(struct world *world)
{
    bool there[KEYS] = {[1] = true};

    assert_int_equal(put_str(world, S("w/0"), S("v"), 1000, 0, 0), 0);
    assert_int_equal(put_str(world, S("w/1"), S("v"), 0, 0, 0), 0);
    assert_int_equal(walk(world, S("w/"), there, 5), 1);
}

/* ---- Bounds ------------------------------------------------------------ */

static void kept_values_stay(struct world *world)
{
    char key[32], big[1200];
    int done = 0, refused = 0;

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(put(world, "kept", "v", 0, ONWARD_STORE_KEEP), 0);
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "cache/%d", i);
        assert_int_equal(put(world, key, big, 0, 0), 0);
        assert_true(world->query.is_done);
    }
    has(world, "kept", "v");
    has(world, "cache/199", big);
    assert_int_equal(get(world, "cache/0"), ONWARD_ENOENT);
    /* what is to be kept takes the place of what is not, until it is full */
    for (int i = 0; i < 200; i++) {
        int ret;

        snprintf(key, sizeof(key), "kept/%d", i);
        ret = put(world, key, big, 0, ONWARD_STORE_KEEP);
        if (ret == 0) {
            assert_int_equal(refused, 0);
            assert_true(world->query.is_done);
            done++;
        } else {
            assert_int_equal(ret, ONWARD_ELIMIT);
            refused++;
        }
    }
    assert_true(done > 20 && refused > 20);
    for (int i = 0; i < done; i++) {
        snprintf(key, sizeof(key), "kept/%d", i);
        assert_int_equal(get(world, key), 0);
    }
    has(world, "kept", "v");
    /* in place there is room */
    assert_int_equal(put(world, "kept/0", big, 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(take_out(world, "kept/0", 0), 0);
    assert_int_equal(put(world, "another", big, 0, ONWARD_STORE_KEEP), 0);
}

static void the_expired_make_room(struct world *world)
{
    char key[32], big[1200];
    int done = 0;

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    for (int round = 0; round < 2; round++) {
        int count = 0, ret = 0;

        for (; ret == 0; count++) {
            snprintf(key, sizeof(key), "%d/%d", round, count);
            ret = put_str(world, onward_str_of(key), onward_str_of(big),
                          world->w.now_s + 10, 0, ONWARD_STORE_KEEP);
        }
        assert_int_equal(ret, ONWARD_ELIMIT);
        assert_true(count > 20 && (round == 0 || count >= done - 2));
        done = count;
        world->w.now_s += 10;
    }
}

static void too_large_for_it(struct world *world)
{
    size_t len = 200000;
    char *octets = malloc(len);
    struct onward_str value = {octets, len};

    memset(octets, 'v', len);
    assert_int_equal(put(world, "k", "v", 0, ONWARD_STORE_KEEP), 0);
    assert_int_equal(put_str(world, S("l"), value, 0, 0, 0), ONWARD_ELIMIT);
    assert_int_equal(put_str(world, S("k"), value, 0, 0, ONWARD_STORE_KEEP),
                     ONWARD_ELIMIT);
    has(world, "k", "v");
    free(octets);
}

/* ---- All of them ------------------------------------------------------- */

static const struct behaviour {
    const char *name;
    void (*run)(struct world *world);
    size_t max_bytes; /* not 0: for bounded stores only */
} behaviours[] = {
    {"absent", absent, 0},
    {"put and get", put_and_get, 0},
    {"if absent", if_absent, 0},
    {"if version", if_version, 0},
    {"removal", removal, 0},
    {"expiry", expiry, 0},
    {"expired at once", expired_at_once, 0},
    {"any octets", any_octets, 0},
    {"large value", large_value, 0},
    {"long keys", long_keys, 0},
    {"walks see each once", walks_see_each_once, 0},
    {"walks over long keys", walks_over_long_keys, 0},
    {"walks pass over the expired", walks_pass_over_the_expired, 0},
    {"kept values stay", kept_values_stay, 100000},
    {"the expired make room", the_expired_make_room, 100000},
    {"too large for it", too_large_for_it, 100000},
};

enum { BEHAVIOURS = sizeof(behaviours) / sizeof(behaviours[0]) };

struct pair {
    const struct backend *backend;
    const struct behaviour *behaviour;
};

static void test_pair(void **state)
{
    const struct pair *pair = *state;
    struct world world = {.backend = pair->backend};

    if (pair->behaviour->max_bytes != 0 && !pair->backend->is_bounded)
        return;
    t_world_init(&world.w);
    assert_int_equal(onward_desk_new(world.w.ctx, NULL, &world.desk), 0);
    if (pair->backend->open(&world, pair->behaviour->max_bytes)) {
        pair->behaviour->run(&world);
        onward_store__query_clear(&world.query);
        pair->backend->close(&world);
    }
    onward_desk_free(world.desk);
    t_world_clear(&world.w);
}

int main(void)
{
    static struct pair pairs[BACKENDS * BEHAVIOURS];
    static char names[BACKENDS * BEHAVIOURS][80];
    static struct CMUnitTest tests[BACKENDS * BEHAVIOURS];

    for (size_t i = 0; i < BACKENDS * BEHAVIOURS; i++) {
        pairs[i].backend = backends[i / BEHAVIOURS];
        pairs[i].behaviour = &behaviours[i % BEHAVIOURS];
        snprintf(names[i], sizeof(names[i]), "%s: %s", pairs[i].backend->name,
                 pairs[i].behaviour->name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = test_pair,
                                       .initial_state = &pairs[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
