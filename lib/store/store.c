/*
 * Questions to a store and their answers. Nothing is kept here: values go
 * through to who asked. The store in memory is in memstore.c.
 */
#include "store/store_priv.h"

#define VALUE_BYTES_DEFAULT 1048576
#define TIMEOUT_MS_DEFAULT 10000
#define FLAGS_KNOWN                                                            \
    (ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT | ONWARD_STORE_IF_VERSION)

/* ---- Life -------------------------------------------------------------- */

int onward_store_new(struct onward_desk *desk,
                     const struct onward_store_ops *given_ops,
                     const struct onward_store_opts *given,
                     struct onward_store **out)
{
    struct onward_store_ops ops;
    struct onward_store_opts opts;
    struct onward_store *store;
    int ret;

    if (desk == NULL || given_ops == NULL || out == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&ops, sizeof(ops), given_ops);
    if (ret == 0 && (ops.get == NULL || ops.put == NULL || ops.remove == NULL ||
                     ops.walk == NULL))
        ret = ONWARD_EINVAL;
    if (ret == 0)
        ret = onward_core__opts_load(&opts, sizeof(opts), given);
    if (ret != 0)
        return ret;
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    store = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*store));
    if (store == NULL)
        return ONWARD_ENOMEM;
    onward_core__desk_hold(desk);
    store->ctx = onward_core__desk_ctx(desk);
    store->desk = desk;
    store->refs = 1;
    store->ops = ops;
    store->value_bytes =
        onward_core__limit(opts.value_bytes, VALUE_BYTES_DEFAULT);
    store->timeout_ms = onward_core__limit(opts.timeout_ms, TIMEOUT_MS_DEFAULT);
    store->log_id =
        opts.log_id != 0 ? opts.log_id : onward_core__desk_log_id(desk);
    *out = store;
    return 0;
}

static void destroy(struct onward_store *store)
{
    struct onward_desk *desk = store->desk;

    onward_store__memstore_release(store->door.mem);
    onward_core__free(store->ctx, store);
    onward_core__desk_release(desk); /* the context may go with it */
}

struct onward_store *onward_store__hold(struct onward_store *store)
{
    store->refs++;
    return store;
}

void onward_store__release(struct onward_store *store)
{
    if (--store->refs == 0)
        destroy(store);
}

struct onward_desk *onward_store__desk(const struct onward_store *store)
{
    return store->desk;
}

/* ---- Queries ----------------------------------------------------------- */

static void unlink_pending(struct onward_store__query *query)
{
    if (query->prev != NULL)
        query->prev->next = query->next;
    else if (query->store->pending == query)
        query->store->pending = query->next;
    if (query->next != NULL)
        query->next->prev = query->prev;
    query->prev = query->next = NULL;
}

/* The answer, whatever it is: recorded, and the asker woken. */
static int settle(struct onward_store__query *query, int status)
{
    unlink_pending(query);
    onward_core__ask_close(&query->ask);
    onward_core__task_clear(&query->timer);
    query->status = status;
    if (query->task != NULL)
        onward_core__task_ready(query->task);
    return status;
}

void onward_store_free(struct onward_store *store)
{
    if (store == NULL || store->is_freed)
        return;
    store->is_freed = true;
    while (store->pending != NULL)
        (void)settle(store->pending, ONWARD_ECANCELED);
    onward_store__release(store);
}

static void cancel_at_host(struct onward_store *store, uint64_t token)
{
    if (store->ops.cancel == NULL || store->is_freed ||
        onward_core__desk_is_dead(store->desk))
        return;
    store->ops.cancel(store->ops.user, token);
}

static void on_timeout(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_store__query *query =
        ONWARD_CONTAINER(task, struct onward_store__query, timer);
    struct onward_store *store = onward_store__hold(query->store);
    uint64_t token = query->ask.token;

    (void)now_ms;
    onward_core__log(store->ctx, ONWARD_LOG_WARN, "store", "timeout",
                     store->log_id, onward_core__str(NULL, 0));
    (void)settle(query, ONWARD_ECANCELED);
    cancel_at_host(store, token); /* may free the query's owner */
    onward_store__release(store);
}

static int begin(struct onward_store *store, struct onward_store__query *query,
                 enum onward_store__op op, struct onward_core__task *task)
{
    int ret;

    if (store->is_freed || onward_core__desk_is_dead(store->desk))
        return ONWARD_ESTATE;
    memset(query, 0, sizeof(*query));
    ret = onward_core__ask_open(store->desk, &query->ask, ONWARD_ASK_STORE);
    if (ret != 0)
        return ret;
    query->store = onward_store__hold(store);
    query->task = task;
    query->op = op;
    query->status = ONWARD_AGAIN;
    onward_core__arena_init(&query->arena, store->ctx, SIZE_MAX);
    query->next = store->pending;
    if (query->next != NULL)
        query->next->prev = query;
    store->pending = query;
    onward_core__task_init(&query->timer, store->desk, on_timeout);
    onward_core__task_after(&query->timer, store->timeout_ms);
    return 0;
}

/* The callback may have freed the query with what holds it: from here on only
 * the token speaks for it. Releases what the caller holds. */
static int asked(struct onward_store *store, uint64_t token, int ret)
{
    if (ret < 0)
        (void)onward_store_answer_error(store->desk, token, ONWARD_ECALLBACK);
    onward_store__release(store);
    return 0;
}

static bool is_key(struct onward_str key)
{
    return key.len > 0 && key.len <= ONWARD_STORE_KEY_MAX;
}

int onward_store__get(struct onward_store *store,
                      struct onward_store__query *query, struct onward_str key,
                      struct onward_core__task *task)
{
    uint64_t token;
    int ret = is_key(key) ? begin(store, query, ONWARD_STORE__GET, task)
                          : ONWARD_EINVAL;

    if (ret != 0)
        return ret;
    token = query->ask.token;
    onward_store__hold(store);
    ret = store->ops.get(store->ops.user, token, key.data, key.len);
    return asked(store, token, ret);
}

int onward_store__put(struct onward_store *store,
                      struct onward_store__query *query, struct onward_str key,
                      struct onward_str value, int64_t expires_s,
                      uint64_t version, uint32_t flags,
                      struct onward_core__task *task)
{
    uint64_t token;
    int ret = is_key(key) && (flags & ~(uint32_t)FLAGS_KNOWN) == 0
                  ? begin(store, query, ONWARD_STORE__PUT, task)
                  : ONWARD_EINVAL;

    if (ret != 0)
        return ret;
    token = query->ask.token;
    onward_store__hold(store);
    ret = store->ops.put(store->ops.user, token, key.data, key.len, value.data,
                         value.len, expires_s, version, flags);
    return asked(store, token, ret);
}

int onward_store__remove(struct onward_store *store,
                         struct onward_store__query *query,
                         struct onward_str key, uint64_t version,
                         struct onward_core__task *task)
{
    uint64_t token;
    int ret = is_key(key) ? begin(store, query, ONWARD_STORE__REMOVE, task)
                          : ONWARD_EINVAL;

    if (ret != 0)
        return ret;
    token = query->ask.token;
    onward_store__hold(store);
    ret = store->ops.remove(store->ops.user, token, key.data, key.len, version);
    return asked(store, token, ret);
}

int onward_store__walk(struct onward_store *store,
                       struct onward_store__query *query,
                       struct onward_str prefix, struct onward_str cursor,
                       size_t max_items, struct onward_core__task *task)
{
    uint64_t token;
    int ret = is_key(prefix) && max_items > 0
                  ? begin(store, query, ONWARD_STORE__WALK, task)
                  : ONWARD_EINVAL;

    if (ret != 0)
        return ret;
    query->max_items = max_items;
    token = query->ask.token;
    onward_store__hold(store);
    ret = store->ops.walk(store->ops.user, token, prefix.data, prefix.len,
                          cursor.data, cursor.len, max_items);
    return asked(store, token, ret);
}

void onward_store__query_clear(struct onward_store__query *query)
{
    struct onward_store *store = query->store;
    bool was_open = query->ask.desk != NULL;
    uint64_t token = query->ask.token;

    if (store == NULL)
        return;
    unlink_pending(query);
    onward_core__ask_close(&query->ask);
    onward_core__task_clear(&query->timer);
    onward_core__arena_clear(&query->arena);
    memset(query, 0, sizeof(*query));
    if (was_open)
        cancel_at_host(store, token);
    onward_store__release(store);
}

/* ---- Answers ----------------------------------------------------------- */

static int find(struct onward_desk *desk, uint64_t token,
                struct onward_store__query **query)
{
    struct onward_core__ask *ask =
        desk == NULL ? NULL
                     : onward_core__ask_find(desk, token, ONWARD_ASK_STORE);

    if (ask == NULL)
        return ONWARD_ESTALE;
    *query = ONWARD_CONTAINER(ask, struct onward_store__query, ask);
    return 0;
}

static int find_op(struct onward_desk *desk, uint64_t token,
                   enum onward_store__op op, struct onward_store__query **query)
{
    int ret = find(desk, token, query);

    if (ret != 0)
        return ret;
    return (*query)->op == op ? 0 : ONWARD_EINVAL;
}

/* A copy that lives as long as the query; value_bytes is for all of them. */
static int copy(struct onward_store__query *query, struct onward_str s,
                struct onward_str *out)
{
    if (s.len > query->store->value_bytes - query->bytes)
        return ONWARD_ELIMIT;
    query->bytes += s.len;
    return onward_core__arena_dup(&query->arena, s, out);
}

int onward_store_answer_value(struct onward_desk *desk, uint64_t token,
                              const void *value, size_t len, uint64_t version)
{
    struct onward_store__query *query;
    int ret = find_op(desk, token, ONWARD_STORE__GET, &query);

    if (ret != 0)
        return ret;
    if (version == 0 || (value == NULL && len != 0))
        return ONWARD_EINVAL;
    query->version = version;
    return settle(query,
                  copy(query, onward_core__str(value, len), &query->value));
}

int onward_store_answer_done(struct onward_desk *desk, uint64_t token,
                             uint32_t done, uint64_t version)
{
    struct onward_store__query *query;
    int ret = find(desk, token, &query);

    if (ret != 0)
        return ret;
    if (done > 1 ||
        (query->op != ONWARD_STORE__PUT && query->op != ONWARD_STORE__REMOVE))
        return ONWARD_EINVAL;
    query->is_done = done == 1;
    query->version = version;
    return settle(query, 0);
}

static int add_item(struct onward_store__query *query, struct onward_str key,
                    struct onward_str value, uint64_t version)
{
    struct onward_store__item *item =
        onward_core__arena_alloc(&query->arena, sizeof(*item));
    int ret = item == NULL ? ONWARD_ENOMEM : copy(query, key, &item->key);

    if (ret == 0)
        ret = copy(query, value, &item->value);
    if (ret != 0)
        return ret;
    item->version = version;
    if (query->last != NULL)
        query->last->next = item;
    else
        query->first = item;
    query->last = item;
    query->count++;
    return 0;
}

int onward_store_answer_item(struct onward_desk *desk, uint64_t token,
                             const char *key, size_t key_len, const void *value,
                             size_t value_len, uint64_t version)
{
    struct onward_store__query *query;
    int ret = find_op(desk, token, ONWARD_STORE__WALK, &query);

    if (ret != 0)
        return ret;
    if (version == 0 || !is_key(onward_core__str(key, key_len)) ||
        (value == NULL && value_len != 0) || query->count == query->max_items)
        return ONWARD_EINVAL;
    ret = add_item(query, onward_core__str(key, key_len),
                   onward_core__str(value, value_len), version);
    return ret == 0 ? 0 : settle(query, ret);
}

int onward_store_answer_page(struct onward_desk *desk, uint64_t token,
                             const char *cursor, size_t cursor_len)
{
    struct onward_store__query *query;
    int ret = find_op(desk, token, ONWARD_STORE__WALK, &query);

    if (ret != 0)
        return ret;
    if (cursor == NULL && cursor_len != 0)
        return ONWARD_EINVAL;
    return settle(query, copy(query, onward_core__str(cursor, cursor_len),
                              &query->cursor));
}

int onward_store_answer_error(struct onward_desk *desk, uint64_t token,
                              int error)
{
    struct onward_store__query *query;
    int ret = find(desk, token, &query);

    if (ret != 0)
        return ret;
    if (error > ONWARD_ENOMEM || error <= ONWARD_AGAIN)
        error = ONWARD_ECALLBACK;
    (void)settle(query, error);
    return 0;
}
