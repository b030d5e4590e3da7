/* The stores under test: in memory, in LMDB. */
#define _GNU_SOURCE
#include "contract.h"

#include <unistd.h>

#include "lmdb_store.h"

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
