/*
 * The store behind the ledger and all else that outlasts a message: in a folder
 * (LMDB), in memory, or elsewhere (Redis). Chosen once, at the start.
 *
 * With a Redis there is an LMDB, too, for what is needed while Redis is away:
 * twin.h for policies, follow.c for destinations.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "destinations.h"
#include "forwarder.h"
#include "lmdb_store.h"
#include "redis_store.h"
#include "state.h"
#include "twin.h"

#define STATE_DEFAULT "/var/lib/onward-forwarder"

struct storage {
    struct onward_memstore *mem;
    struct lmdb_store *lmdb;
    struct redis_store *redis;
    struct twin *twin;
};

const char *storage_judge(const char *value)
{
    return strcmp(value, "lmdb") == 0 || strcmp(value, "memory") == 0 ||
                   redis_store_judge(value)
               ? NULL
               : "lmdb, memory or redis://HOST[:PORT][/DB]";
}

static bool is_named(const struct forwarder *fwd, const char *name)
{
    const char *store = fwd->setup->settings.store;

    return strcmp(store == NULL ? "lmdb" : store, name) == 0;
}

/* A forwarder that remembers elsewhere has mail of its own to keep. */
bool storage_is_on_disk(const struct forwarder *fwd)
{
    return !is_named(fwd, "memory");
}

static int find_state(struct forwarder *fwd, char *fault, size_t fault_size)
{
    if (fwd->state == NULL)
        fwd->state = state_path(fwd->setup->settings.state, STATE_DEFAULT);
    if (fwd->state == NULL)
        snprintf(fault, fault_size, "out of memory");
    return fwd->state == NULL ? -1 : 0;
}

int storage_check(struct forwarder *fwd, char *fault, size_t fault_size)
{
    if (find_state(fwd, fault, fault_size) != 0)
        return -1;
    return !storage_is_on_disk(fwd)
               ? 0
               : state_check(fwd->state, fwd->setup->settings.user, fault,
                             fault_size);
}

int storage_prepare(struct forwarder *fwd, char *fault, size_t fault_size)
{
    if (find_state(fwd, fault, fault_size) != 0)
        return -1;
    return !storage_is_on_disk(fwd)
               ? 0
               : state_make(fwd->state, fwd->setup->settings.user, fault,
                            fault_size);
}

static void warn(void *user, const char *what)
{
    struct forwarder *fwd = user;

    if (fwd->log != NULL)
        log_event(fwd, "store", what);
}

static int open_lmdb(struct forwarder *fwd, char *fault, size_t fault_size)
{
    char *folder = state_folder(fwd->state, "store", fault, fault_size);
    const struct lmdb_store_opts opts = {.folder = folder,
                                         .max_bytes =
                                             fwd->setup->settings.store_bytes,
                                         .loop = fwd->loop,
                                         .warn = warn,
                                         .user = fwd};

    if (folder == NULL)
        return -1;
    fwd->storage->lmdb = lmdb_store_new(fwd->desk, &opts, fault, fault_size);
    free(folder);
    if (fwd->storage->lmdb == NULL)
        return -1;
    fwd->store = lmdb_store_handle(fwd->storage->lmdb);
    return 0;
}

static int open_memory(struct forwarder *fwd)
{
    const size_t entries = fwd->setup->settings.ledger_entries;
    const struct onward_memstore_opts o = {
        .size = sizeof(o), .max_entries = entries, .max_bytes = entries * 512};

    if (onward_memstore_new(fwd->ctx, &o, &fwd->storage->mem) != 0)
        return -1;
    return onward_memstore_open(fwd->storage->mem, fwd->desk, NULL,
                                &fwd->store);
}

static int open_redis(struct forwarder *fwd, char *fault, size_t fault_size)
{
    const struct redis_store_opts opts = {.url = fwd->setup->settings.store,
                                          .loop = fwd->loop,
                                          .warn = warn,
                                          .user = fwd};

    fwd->storage->redis = redis_store_new(fwd->desk, &opts, fault, fault_size);
    if (fwd->storage->redis == NULL)
        return -1;
    fwd->store = redis_store_handle(fwd->storage->redis);
    fwd->is_store_shared = true;
    fwd->storage->twin =
        twin_new(fwd->desk, fwd->storage->lmdb, fwd->storage->redis);
    if (fwd->storage->twin == NULL)
        return -1;
    fwd->store_lasting = twin_handle(fwd->storage->twin);
    return follow_open(fwd, fwd->storage->lmdb, fwd->storage->redis);
}

/* What there is in the folder counts, were it a copy before. */
static int come_home(struct forwarder *fwd)
{
    struct lmdb_store *lmdb = fwd->storage->lmdb;
    char home[DESTINATION_HOME_MAX];

    return lmdb == NULL || destination_home(lmdb, home) == 0 ||
                   destination_set_home(lmdb, "") >= 0
               ? 0
               : -1;
}

int storage_open(struct forwarder *fwd, char *fault, size_t fault_size)
{
    snprintf(fault, fault_size, "out of memory");
    fwd->storage = calloc(1, sizeof(*fwd->storage));
    if (fwd->storage == NULL)
        return -1;
    if (is_named(fwd, "memory")) {
        if (open_memory(fwd) != 0)
            return -1;
    } else if (open_lmdb(fwd, fault, fault_size) != 0) {
        return -1;
    }
    fwd->store_lasting = fwd->store;
    return is_named(fwd, "memory") || is_named(fwd, "lmdb")
               ? come_home(fwd)
               : open_redis(fwd, fault, fault_size);
}

int storage_destination(void *user, const char *address, size_t len)
{
    const struct forwarder *fwd = user;
    struct shelf shelf = {0};
    int ret;

    if (fwd->storage == NULL || fwd->storage->lmdb == NULL)
        return 0;
    shelf.lmdb = fwd->storage->lmdb;
    ret = destination_fact(&shelf, (struct onward_str){address, len});
    /* Others know of it, maybe: that it was revoked. */
    return ret == 0 && !follow_is_whole(fwd) ? -1 : ret;
}

void storage_close(struct forwarder *fwd)
{
    struct storage *storage = fwd->storage;

    free(fwd->state);
    fwd->state = NULL;
    if (storage == NULL)
        return;
    if (storage->mem != NULL)
        onward_store_free(fwd->store);
    onward_memstore_free(storage->mem);
    follow_close(fwd);
    twin_free(storage->twin);
    redis_store_free(storage->redis);
    lmdb_store_free(storage->lmdb);
    free(storage);
    fwd->storage = NULL;
    fwd->store = fwd->store_lasting = NULL;
}
