/* The stores under test: in memory, in LMDB, in Redis. */
#define _GNU_SOURCE
#include "contract.h"

#include <unistd.h>

#include "lmdb_store.h"
#include "redis_server.h"
#include "redis_store.h"

/* ---- Memory ------------------------------------------------------------ */

static bool open_memory(struct world *world, size_t max_bytes)
{
    const struct onward_memstore_opts opts = {.size = sizeof(opts),
                                              .max_bytes = max_bytes};
    struct onward_memstore *mem;

    assert_int_equal(onward_memstore_new(world->w.ctx, &opts, &mem), 0);
    assert_int_equal(
        onward_memstore_open(mem, world->desk, NULL, &world->store), 0);
    world->state = mem;
    return true;
}

static void close_memory(struct world *world)
{
    onward_store_free(world->store);
    onward_memstore_free(world->state);
}

static void no_turn(struct world *world)
{
    (void)world;
}

const struct backend backend_memory = {
    .name = "memory",
    .open = open_memory,
    .close = close_memory,
    .turn = no_turn,
    .has_our_clock = true,
    .is_bounded = true,
};

/* ---- LMDB -------------------------------------------------------------- */

struct in_lmdb {
    char folder[40];
    struct loop *loop;
    struct lmdb_store *store;
};

static int64_t world_s(void *user)
{
    return ((struct world *)user)->w.now_s;
}

static bool open_lmdb(struct world *world, size_t max_bytes)
{
    struct in_lmdb *l = calloc(1, sizeof(*l));
    struct lmdb_store_opts opts = {.folder = l->folder,
                                   .max_bytes = max_bytes,
                                   .now_s = world_s,
                                   .user = world};
    char fault[300];

    strcpy(l->folder, "/tmp/onward-contract-XXXXXX");
    assert_non_null(mkdtemp(l->folder));
    l->loop = opts.loop = loop_new();
    l->store = lmdb_store_new(world->desk, &opts, fault, sizeof(fault));
    assert_non_null(l->store);
    world->store = lmdb_store_handle(l->store);
    world->state = l;
    return true;
}

static void close_lmdb(struct world *world)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    struct in_lmdb *l = world->state;
    char path[80];

    lmdb_store_free(l->store);
    loop_free(l->loop);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", l->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(l->folder), 0);
    free(l);
}

static void turn_lmdb(struct world *world)
{
    loop_turn(((struct in_lmdb *)world->state)->loop, 1000);
}

const struct backend backend_lmdb = {
    .name = "lmdb",
    .open = open_lmdb,
    .close = close_lmdb,
    .turn = turn_lmdb,
    .has_our_clock = true,
    .is_bounded = true,
};

/* ---- Redis ------------------------------------------------------------- */

struct in_redis {
    struct loop *loop;
    struct redis_store *store;
};

static bool open_redis(struct world *world, size_t max_bytes)
{
    static struct redis_server server; /* one for all; it ends with us */
    struct in_redis *r;
    struct redis_store_opts opts = {.now_s = world_s, .user = world};
    char fault[300];

    (void)max_bytes;
    if (server.pid == 0 && !redis_server_start(&server)) {
        print_message("skipped: no redis-server\n");
        return false;
    }
    redis_server_flush(&server);
    r = calloc(1, sizeof(*r));
    r->loop = opts.loop = loop_new();
    opts.url = server.url;
    r->store = redis_store_new(world->desk, &opts, fault, sizeof(fault));
    assert_non_null(r->store);
    world->store = redis_store_handle(r->store);
    world->state = r;
    return true;
}

static void close_redis(struct world *world)
{
    struct in_redis *r = world->state;

    redis_store_free(r->store);
    loop_free(r->loop);
    free(r);
}

static void turn_redis(struct world *world)
{
    loop_turn(((struct in_redis *)world->state)->loop, 1000);
}

const struct backend backend_redis = {
    .name = "redis",
    .open = open_redis,
    .close = close_redis,
    .turn = turn_redis,
    .has_our_clock = true,
};
