#define _GNU_SOURCE
#include "keeping.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "destinations.h"
#include "state.h"

enum { FAULT_MAX = 1000 };

static int read_config(struct keeping *k, const struct command *command)
{
    const struct config_key keys[] = {
        {.name = "state", .type = CONFIG_FILE, .value = &k->folder},
        {.name = "store", .type = CONFIG_TEXT, .value = &k->store},
        {.name = "log", .type = CONFIG_FILE, .value = &k->log},
        {.name = "spool", .type = CONFIG_FILE, .value = &k->spool},
        {.name = NULL},
    };
    char fault[FAULT_MAX];

    _Static_assert(sizeof(keys) == sizeof(k->keys), "room for all keys");
    memcpy(k->keys, keys, sizeof(keys));
    if (config_read_some(k->config, k->keys, fault, sizeof(fault)) != 0)
        return cli_broken(command, "%s", fault);
    if (k->store != NULL && strcmp(k->store, "memory") == 0)
        return cli_broken(command,
                          "%s: store \"memory\", expected one that outlasts "
                          "the forwarder",
                          k->config);
    return -1;
}

int keeping_find(struct keeping *k, const struct command *command)
{
    const char *named = k->state;
    char *folder;
    int status;

    if (k->state != NULL && k->config != NULL)
        return cli_usage(command,
                         "--state and --config, expected one of the two");
    if (k->config != NULL) {
        status = read_config(k, command);
        if (status >= 0)
            return status;
        named = k->folder;
    }
    folder = state_path(named, KEEPING_STATE);
    free(k->folder);
    k->folder = folder;
    if (k->folder != NULL && k->spool == NULL &&
        asprintf(&k->spool, "%s/spool", k->folder) < 0)
        k->spool = NULL;
    return k->folder == NULL || k->spool == NULL
               ? cli_broken(command, "out of memory")
               : -1;
}

bool keeping_is_elsewhere(const struct keeping *k)
{
    return k->store != NULL && strcmp(k->store, "lmdb") != 0;
}

static void warn(void *user, const char *what)
{
    cli_note(user, "%s", what);
}

static int open_lmdb(struct keeping *k, const struct command *command,
                     struct onward_desk *desk)
{
    char fault[FAULT_MAX] = "out of memory", home[DESTINATION_HOME_MAX];
    /* What there is too much of goes by the forwarder's limit, not by ours. */
    struct lmdb_store_opts o = {.max_bytes = (size_t)1 << 37,
                                .warn = warn,
                                .user = (void *)(uintptr_t)command};
    char *folder = state_check(k->folder, NULL, fault, sizeof(fault)) != 0
                       ? NULL
                       : state_folder(k->folder, "store", fault, sizeof(fault));

    o.folder = folder;
    if (folder != NULL)
        k->lmdb = lmdb_store_new(desk, &o, fault, sizeof(fault));
    free(folder);
    if (k->lmdb == NULL)
        return cli_broken(command, "%s", fault);
    k->shelf.lmdb = k->lmdb;
    /* A change of the copy would not be heard of, and be undone. */
    if (k->config == NULL && destination_home(k->lmdb, home) == 1)
        return cli_usage(command, "%s has a copy of %s, expected --config FILE",
                         k->folder, home);
    return -1;
}

int keeping_open(struct keeping *k, const struct command *command,
                 struct onward_desk *desk)
{
    char fault[FAULT_MAX];

    if (!keeping_is_elsewhere(k))
        return open_lmdb(k, command, desk);
    return redis_store_judge(k->store) &&
                   shelf_open_redis(&k->shelf, desk, k->store, warn,
                                    (void *)(uintptr_t)command, fault,
                                    sizeof(fault)) == 0
               ? -1
               : cli_broken(command, "%s: store \"%s\" cannot be used",
                            k->config, k->store);
}

FILE *keeping_audit(const struct keeping *k)
{
    FILE *f = NULL;
    int fd;

    if (k->config == NULL)
        return NULL;
    /* Made here it would belong to who runs this, and shut the forwarder out:
     * better there than nowhere. */
    fd = k->log == NULL ? -1 : open(k->log, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0)
        f = fdopen(fd, "a");
    if (fd >= 0 && f == NULL)
        close(fd);
    return f == NULL ? stderr : f;
}

void keeping_close(struct keeping *k)
{
    lmdb_store_free(k->lmdb);
    if (k->shelf.redis != NULL)
        shelf_close(&k->shelf);
    free(k->folder);
    free(k->store);
    free(k->log);
    free(k->spool);
    k->folder = k->store = k->log = k->spool = NULL;
    k->lmdb = NULL;
}
