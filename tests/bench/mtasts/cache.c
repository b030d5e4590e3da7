/*
 * bench_mtasts_cache memory|lmdb FOLDER DOMAINS ROUNDS: fill a store with the
 * policies of that many domains, by mtasts itself, and look them up in no
 * order. Prints a line a round: nanoseconds of CPU time of a lookup (record,
 * policy, mx pattern), and of the floor: the policy's octets read from LMDB, or
 * found by binary search. Then the octets of a
 * domain: of heap, or of the file.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <lmdb.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "bench/worker.h"
#include "lmdb_store.h"
#include "loop.h"
#include "world.h"

enum { AT_ONCE = 1000, LOOKUPS = 100000 };

struct cache {
    struct bench_world w;
    struct loop *loop;
    struct onward_memstore *mem;
    struct lmdb_store *lmdb;
    struct onward_store *store;
    struct onward_mtasts *mtasts;
    const char *folder;
    size_t domains;
    char (*keys)[64]; /* of the floor */
};

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct cache *c = user;
    const struct onward_mtasts_reply reply = {.size = sizeof(reply),
                                              .status = 200,
                                              .content_type =
                                                  ONWARD_STR("text/plain"),
                                              .body = ONWARD_STR(BENCH_POLICY)};

    (void)request;
    return onward_mtasts_answer_reply(c->w.desk, token, &reply);
}

static int allow_any(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

static void open_store(struct cache *c, bool is_memory)
{
    const struct onward_memstore_opts m = {.size = sizeof(m),
                                           .max_bytes = ONWARD_LIMIT_NONE,
                                           .max_entries = ONWARD_LIMIT_NONE};
    const struct lmdb_store_opts l = {
        .folder = c->folder, .max_bytes = (size_t)4 << 30, .loop = c->loop};
    struct onward_mtasts_opts opts = {.size = sizeof(opts),
                                      .resolver = c->w.resolver};
    const struct onward_mtasts_host host = {.size = sizeof(host),
                                            .user = c,
                                            .connect = on_connect,
                                            .allow_address = allow_any};
    char fault[300] = "no memory";

    if (is_memory) {
        if (onward_memstore_new(c->w.ctx, &m, &c->mem) != 0 ||
            onward_memstore_open(c->mem, c->w.desk, NULL, &c->store) != 0)
            bench_die(fault);
    } else {
        c->lmdb = lmdb_store_new(c->w.desk, &l, fault, sizeof(fault));
        if (c->lmdb == NULL)
            bench_die(fault);
        c->store = lmdb_store_handle(c->lmdb);
    }
    opts.store = c->store;
    if (onward_mtasts_new(&opts, &host, &c->mtasts) != 0)
        bench_die(fault);
}

/* Until count more are done. */
static void run(struct cache *c, size_t count)
{
    size_t want = c->w.done + count;
    int64_t ms = 1;

    for (;;) {
        while (onward_desk_run(c->w.desk, ms) == 1)
            continue;
        if (c->lmdb != NULL)
            lmdb_store_flush(c->lmdb);
        if (c->w.done == want && onward_mtasts_fetch_count(c->mtasts) == 0)
            return;
    }
}

static void fill(struct cache *c)
{
    struct onward_mtasts_lookup *lookups[AT_ONCE];

    for (size_t at = 0; at < c->domains; at += AT_ONCE) {
        size_t count =
            c->domains - at < AT_ONCE ? c->domains - at : (size_t)AT_ONCE;

        for (size_t i = 0; i < count; i++)
            lookups[i] = bench_lookup(&c->w, c->mtasts, at + i);
        run(c, count);
        for (size_t i = 0; i < count; i++)
            onward_mtasts_lookup_free(lookups[i]);
    }
}

/* A repeatable order without order. */
static size_t next_number(uint64_t *state, size_t domains)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*state >> 33) % domains;
}

static int64_t ours(struct cache *c, uint64_t *state)
{
    int64_t start = bench_cpu_ns();

    for (size_t i = 0; i < LOOKUPS; i++) {
        struct onward_mtasts_lookup *lookup =
            bench_lookup(&c->w, c->mtasts, next_number(state, c->domains));

        run(c, 1);
        onward_mtasts_lookup_free(lookup);
    }
    return (bench_cpu_ns() - start) / LOOKUPS;
}

static void make_key(size_t number, char key[64])
{
    char domain[40];

    bench_domain(number, domain);
    snprintf(key, 64, "onward/mtasts/1/p/%s", domain);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void make_keys(struct cache *c)
{
    c->keys = malloc(c->domains * sizeof(*c->keys));
    if (c->keys == NULL)
        bench_die("no memory");
    for (size_t i = 0; i < c->domains; i++)
        make_key(i, c->keys[i]);
    qsort(c->keys, c->domains, sizeof(*c->keys), by_text);
}

static int64_t floor_of_memory(struct cache *c, uint64_t *state)
{
    int64_t start = bench_cpu_ns();

    for (size_t i = 0; i < LOOKUPS; i++) {
        char key[64];

        make_key(next_number(state, c->domains), key);
        if (bsearch(key, c->keys, c->domains, sizeof(*c->keys), by_text) ==
            NULL)
            bench_die("the floor has a hole");
    }
    return (bench_cpu_ns() - start) / LOOKUPS;
}

/* In a process of its own: LMDB is not to be opened twice in one. */
static int64_t floor_of_lmdb(const char *folder, size_t domains)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    uint64_t state = 7;
    int64_t start;
    size_t sum = 0;

    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 4) != 0 ||
        mdb_env_set_mapsize(env, (size_t)16 << 30) != 0 ||
        mdb_env_open(env, folder, MDB_RDONLY | MDB_NORDAHEAD, 0600) != 0 ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
        mdb_dbi_open(txn, "value", 0, &dbi) != 0)
        bench_die("the floor cannot open the store");
    /* With this the handle is everybody's. */
    if (mdb_txn_commit(txn) != 0 ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
        bench_die("the floor cannot open the store");
    mdb_txn_reset(txn);
    start = bench_cpu_ns();
    for (size_t i = 0; i < LOOKUPS; i++) {
        char key[64];
        MDB_val k = {.mv_data = key}, data;

        make_key(next_number(&state, domains), key);
        k.mv_size = strlen(key);
        if (mdb_txn_renew(txn) != 0 || mdb_get(txn, dbi, &k, &data) != 0)
            bench_die("the floor has a hole");
        for (size_t at = 0; at < data.mv_size; at++)
            sum += ((const unsigned char *)data.mv_data)[at];
        mdb_txn_reset(txn);
    }
    if (sum == 0)
        bench_die("the floor read nothing");
    return (bench_cpu_ns() - start) / LOOKUPS;
}

int main(int argc, char **argv)
{
    struct cache c = {0};
    bool is_memory = argc > 1 && strcmp(argv[1], "memory") == 0;
    uint64_t state = 7;
    struct stat st;
    size_t heap;
    char path[4096];

    if (argc != 5)
        return 2;
    c.folder = argv[2];
    c.domains = (size_t)strtoul(argv[3], NULL, 10);
    if (strcmp(argv[1], "floor") == 0) {
        printf("%" PRId64 "\n", floor_of_lmdb(c.folder, c.domains));
        return 0;
    }
    bench_world_init(&c.w);
    c.loop = loop_new();
    open_store(&c, is_memory);
    heap = mallinfo2().uordblks;
    fill(&c);
    heap = mallinfo2().uordblks - heap;
    if (is_memory)
        make_keys(&c);
    (void)ours(&c, &state); /* caches and pages */
    for (unsigned long i = strtoul(argv[4], NULL, 10); i > 0; i--) {
        int64_t ns = ours(&c, &state);

        printf("%" PRId64 " %" PRId64 "\n", ns,
               is_memory ? floor_of_memory(&c, &state) : 0);
        fflush(stdout);
    }
    snprintf(path, sizeof(path), "%s/data.mdb", c.folder);
    if (is_memory)
        printf("%zu\n", heap / c.domains);
    else if (stat(path, &st) == 0)
        printf("%zu\n", (size_t)st.st_blocks * 512 / c.domains);
    onward_mtasts_free(c.mtasts);
    if (c.mem != NULL)
        onward_store_free(c.store);
    onward_memstore_free(c.mem);
    lmdb_store_free(c.lmdb);
    loop_free(c.loop);
    bench_world_clear(&c.w);
    free(c.keys);
    return 0;
}
