#include "twin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 1 << 17, KEEP_MAX = 8192 };

/* What Redis was asked; the answer may come when the twin is gone. */
struct asked {
    struct twin *twin; /* NULL: gone */
    struct asked *next, **prev;
    uint64_t token;
    size_t key_len;
    char key[ONWARD_STORE_KEY_MAX];
};

struct twin {
    struct onward_desk *desk;
    struct lmdb_store *here;
    struct redis_store *there;
    struct onward_store *handle;
    struct onward_store_ops local; /* of here */
    struct asked *asked;
    char octets[VALUE_MAX]; /* read here, for the moment */
};

static struct onward_str key_of(const struct asked *a)
{
    return (struct onward_str){a->key, a->key_len};
}

static struct asked *add(struct twin *t, uint64_t token, const char *key,
                         size_t key_len)
{
    struct asked *a = key_len <= sizeof(a->key) ? malloc(sizeof(*a)) : NULL;

    if (a == NULL)
        return NULL;
    a->twin = t;
    a->token = token;
    a->key_len = key_len;
    memcpy(a->key, key, key_len);
    a->next = t->asked;
    a->prev = &t->asked;
    if (a->next != NULL)
        a->next->prev = &a->next;
    t->asked = a;
    return a;
}

/* NULL: nobody is there any more. */
static struct twin *end(struct asked *a)
{
    struct twin *t = a->twin;

    if (t != NULL) {
        *a->prev = a->next;
        if (a->next != NULL)
            a->next->prev = a->prev;
    }
    return t;
}

/* ---- Asking ------------------------------------------------------------ */

static void heard(void *user, const struct redis_answer *answer)
{
    (void)user;
    (void)answer;
}

/* What Redis has lost, others shall find again. */
static void give_back(struct twin *t, const struct lmdb_item *item)
{
    const struct redis_asker asker = {.done = heard};
    const struct redis_answer value = {.value = item->value,
                                       .expires_s = item->expires_s};

    redis_store_put(t->there, item->key, &value, ONWARD_STORE_IF_ABSENT,
                    &asker);
}

/* Kept by whoever found it first; long ones give way. */
static void keep(struct twin *t, struct onward_str key,
                 const struct redis_answer *answer)
{
    struct lmdb_item item = {.key = key};

    if (lmdb_store_read(t->here, &item, t->octets, sizeof(t->octets)) == 1 &&
        onward_str_equal(item.value, answer->value) &&
        item.expires_s == answer->expires_s)
        return;
    /* For nobody: what becomes of it, nobody waits for. */
    (void)t->local.put(
        t->local.user, 0, key.data, key.len, answer->value.data,
        answer->value.len, answer->expires_s, 0,
        answer->value.len <= KEEP_MAX ? (uint32_t)ONWARD_STORE_KEEP : 0);
}

static void got(void *user, const struct redis_answer *answer)
{
    struct asked *a = user;
    struct twin *t = end(a);
    struct lmdb_item item = {.key = key_of(a)};
    int ret = 0;

    if (t == NULL) {
        free(a);
        return;
    }
    if (answer->status == 1) {
        keep(t, item.key, answer);
        item.value = answer->value;
        item.version = answer->version;
        ret = 1;
    } else {
        ret = lmdb_store_read(t->here, &item, t->octets, sizeof(t->octets));
        if (ret == 1 && answer->status == 0)
            give_back(t, &item);
    }
    if (ret == 1)
        (void)onward_store_answer_value(t->desk, a->token, item.value.data,
                                        item.value.len, item.version);
    else
        (void)onward_store_answer_error(
            t->desk, a->token, ret == 0 ? ONWARD_ENOENT : ONWARD_ECALLBACK);
    free(a);
}

static int do_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    struct twin *t = user;
    struct asked *a = add(t, token, key, key_len);
    const struct redis_asker asker = {.user = a, .done = got};

    if (a == NULL)
        return onward_store_answer_error(t->desk, token, ONWARD_ENOMEM);
    redis_store_get(t->there, key_of(a), &asker);
    return 0;
}

/* ---- Changing ---------------------------------------------------------- */

static int do_put(void *user, uint64_t token, const char *key, size_t key_len,
                  const void *value, size_t value_len, int64_t expires_s,
                  uint64_t version, uint32_t flags)
{
    const struct redis_asker asker = {.done = heard};
    const struct redis_answer put = {.value = {value, value_len},
                                     .expires_s = expires_s};
    struct twin *t = user;

    if ((flags & (ONWARD_STORE_IF_ABSENT | ONWARD_STORE_IF_VERSION)) != 0)
        return -1;
    redis_store_put(t->there, (struct onward_str){key, key_len}, &put, flags,
                    &asker);
    /* Here it counts. */
    return t->local.put(t->local.user, token, key, key_len, value, value_len,
                        expires_s, version, flags);
}

static int do_remove(void *user, uint64_t token, const char *key,
                     size_t key_len, uint64_t version)
{
    const struct redis_asker asker = {.done = heard};
    const struct redis_answer expired = {.expires_s = 1};
    struct twin *t = user;

    if (version != 0)
        return -1;
    redis_store_put(t->there, (struct onward_str){key, key_len}, &expired, 0,
                    &asker);
    return t->local.remove(t->local.user, token, key, key_len, version);
}

static int do_walk(void *user, uint64_t token, const char *prefix,
                   size_t prefix_len, const char *cursor, size_t cursor_len,
                   size_t max_items)
{
    const struct twin *t = user;

    return t->local.walk(t->local.user, token, prefix, prefix_len, cursor,
                         cursor_len, max_items);
}

/* ---- Life -------------------------------------------------------------- */

struct twin *twin_new(struct onward_desk *desk, struct lmdb_store *here,
                      struct redis_store *there)
{
    struct twin *t = calloc(1, sizeof(*t));
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = t,
                                         .get = do_get,
                                         .put = do_put,
                                         .remove = do_remove,
                                         .walk = do_walk};

    if (t == NULL)
        return NULL;
    t->desk = desk;
    t->here = here;
    t->there = there;
    t->local = lmdb_store_ops(here);
    if (onward_store_new(desk, &ops, NULL, &t->handle) == 0)
        return t;
    free(t);
    return NULL;
}

struct onward_store *twin_handle(const struct twin *t)
{
    return t->handle;
}

void twin_free(struct twin *t)
{
    if (t == NULL)
        return;
    onward_store_free(t->handle);
    /* A Redis that goes too frees what it was asked without a word. */
    while (t->asked != NULL) {
        struct asked *a = t->asked;

        (void)end(a);
        a->twin = NULL;
    }
    free(t);
}
