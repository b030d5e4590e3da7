/* LMDB: the same pairs, one read transaction, mapped without a lock file. */
#include <lmdb.h>

#include "bench/route/data.h"

static MDB_env *env;
static MDB_txn *txn;
static MDB_dbi dbi;

static void need(int ret, const char *what)
{
    if (ret != 0)
        bench_die(what);
}

static void put(void *user, const char *key, size_t key_len, const char *value,
                size_t value_len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_val v = {value_len, (void *)(uintptr_t)value};

    (void)user;
    need(mdb_put(txn, dbi, &k, &v, 0), "mdb_put");
}

static int find(void *map, const char *key, size_t len)
{
    MDB_val k = {len, (void *)(uintptr_t)key};
    MDB_val v;

    (void)map;
    return mdb_get(txn, dbi, &k, &v) == 0 ? (int)v.mv_size : -1;
}

int main(int argc, char **argv)
{
    const struct pairs pairs = {NULL, find};
    char path[4096];

    if (argc != 2)
        bench_die("lmdb FOLDER");
    snprintf(path, sizeof(path), "%s/rules.lmdb", argv[1]);
    need(mdb_env_create(&env), "mdb_env_create");
    need(mdb_env_set_mapsize(env, (size_t)1 << 30), "mdb_env_set_mapsize");
    need(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600),
         "mdb_env_open");
    need(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
    need(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
    each_pair(NULL, put);
    need(mdb_txn_commit(txn), "mdb_txn_commit");
    need(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
    return serve_pairs(&pairs);
}
