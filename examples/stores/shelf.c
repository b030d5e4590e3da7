#include "shelf.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 500, TURN_MS = 1000 };

int shelf_open_redis(struct shelf *shelf, struct onward_desk *desk,
                     const char *url,
                     void (*warn)(void *user, const char *what), void *user,
                     char *fault, size_t fault_size)
{
    struct redis_store_opts opts = {.url = url, .warn = warn, .user = user};

    *shelf = (struct shelf){.loop = loop_new()};
    snprintf(fault, fault_size, "out of memory");
    if (shelf->loop == NULL)
        return -1;
    opts.loop = shelf->loop;
    shelf->redis = redis_store_new(desk, &opts, fault, fault_size);
    if (shelf->redis != NULL)
        return 0;
    shelf_close(shelf);
    return -1;
}

void shelf_close(struct shelf *shelf)
{
    redis_store_free(shelf->redis);
    loop_free(shelf->loop);
    shelf->redis = NULL;
    shelf->loop = NULL;
}

/* ---- Redis, waited for ------------------------------------------------- */

struct waiting {
    bool is_over;
    int status;
    struct lmdb_item *item; /* get */
    char *octets;
    size_t cap;
    void (*visit)(void *user, const struct lmdb_item *item); /* walk */
    void *user;
    char cursor[ONWARD_STORE_KEY_MAX];
    size_t cursor_len;
};

/* Sooner or later it answers, or counts as down. */
static int wait_for(const struct shelf *shelf, const struct waiting *w)
{
    while (!w->is_over)
        loop_turn(shelf->loop, TURN_MS);
    return w->status;
}

static void got(void *user, const struct redis_answer *answer)
{
    struct waiting *w = user;

    w->is_over = true;
    w->status = answer->status;
    if (w->item == NULL || answer->status != 1)
        return;
    if (answer->value.len > w->cap) {
        w->status = -1;
        return;
    }
    if (answer->value.len > 0)
        memcpy(w->octets, answer->value.data, answer->value.len);
    w->item->value = (struct onward_str){w->octets, answer->value.len};
    w->item->version = answer->version;
    w->item->expires_s = answer->expires_s;
}

static void was_put(void *user, const struct redis_answer *answer)
{
    struct waiting *w = user;

    w->is_over = true;
    w->status = answer->status;
}

static void met(void *user, struct onward_str key, struct onward_str value)
{
    const struct lmdb_item item = {.key = key, .value = value};
    struct waiting *w = user;

    w->visit(w->user, &item);
}

static void turned(void *user, const struct redis_answer *answer)
{
    struct waiting *w = user;

    w->is_over = true;
    w->status = answer->status;
    w->cursor_len = 0;
    if (answer->status != 1 || answer->value.len == 0)
        return;
    if (answer->value.len > sizeof(w->cursor)) {
        w->status = -1;
        return;
    }
    memcpy(w->cursor, answer->value.data, answer->value.len);
    w->cursor_len = answer->value.len;
}

/* ---- Both -------------------------------------------------------------- */

int shelf_read(const struct shelf *shelf, struct lmdb_item *item, void *octets,
               size_t cap)
{
    struct waiting w = {.item = item, .octets = octets, .cap = cap};
    const struct redis_asker asker = {.user = &w, .done = got};

    if (shelf->redis == NULL)
        return lmdb_store_read(shelf->lmdb, item, octets, cap);
    redis_store_get(shelf->redis, item->key, &asker);
    return wait_for(shelf, &w);
}

int shelf_write(const struct shelf *shelf, const struct lmdb_item *item)
{
    struct waiting w = {0};
    const struct redis_asker asker = {.user = &w, .done = was_put};
    const struct redis_answer known = {.value = item->value,
                                       .version = item->version,
                                       .expires_s = item->expires_s};

    if (shelf->redis == NULL)
        return lmdb_store_write(shelf->lmdb, item);
    redis_store_put(shelf->redis, item->key, &known, item->flags, &asker);
    return wait_for(shelf, &w);
}

int shelf_each(const struct shelf *shelf, struct onward_str prefix,
               void (*visit)(void *user, const struct lmdb_item *item),
               void *user)
{
    struct waiting w = {.visit = visit, .user = user};
    const struct redis_asker asker = {.user = &w, .done = turned, .item = met};

    if (shelf->redis == NULL)
        return lmdb_store_each(shelf->lmdb, prefix, (struct onward_str){0},
                               SIZE_MAX, visit, user) < 0
                   ? -1
                   : 0;
    do {
        w.is_over = false;
        redis_store_walk(shelf->redis, prefix,
                         (struct onward_str){w.cursor, w.cursor_len}, PAGE,
                         &asker);
        if (wait_for(shelf, &w) < 0)
            return -1;
    } while (w.cursor_len > 0);
    return 0;
}
