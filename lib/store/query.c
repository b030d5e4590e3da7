/* Questions of the host itself, to the store that it lends. */
#include "store/store_shared.h"

struct onward_store_query {
    struct onward_ctx *ctx;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_store__query query;
    struct onward_store_query_host host;
};

static void destroy(struct onward_store_query *q)
{
    struct onward_ctx *ctx = q->ctx;

    onward_store__query_clear(&q->query);
    onward_core__free(ctx, q);
    onward_ctx_free(ctx);
}

/* 1 there or done, 0 not, or why it is not known. */
static int outcome(const struct onward_store_query *q)
{
    if (q->query.status == ONWARD_ENOENT)
        return 0;
    if (q->query.status != 0)
        return q->query.status;
    return q->query.op == ONWARD_STORE__GET || q->query.is_done;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_store_query *q =
        ONWARD_CONTAINER(task, struct onward_store_query, task);

    (void)now_ms;
    if (q->query.status == ONWARD_AGAIN)
        return;
    onward_core__guard_enter(&q->guard);
    q->host.done(q->host.user, q, outcome(q));
    if (onward_core__guard_leave(&q->guard))
        destroy(q);
}

static int make(struct onward_store *store,
                const struct onward_store_query_host *host,
                struct onward_store_query **query)
{
    struct onward_store_query_host h;
    struct onward_store_query *q;
    struct onward_ctx *ctx;
    int err;

    if (store == NULL || host == NULL || query == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (h.done == NULL)
        return ONWARD_EINVAL;
    ctx = onward_core__desk_ctx(onward_store__desk(store));
    q = onward_core__zalloc(ctx, sizeof(*q));
    if (q == NULL)
        return ONWARD_ENOMEM;
    q->ctx = onward_ctx_ref(ctx);
    q->host = h;
    onward_core__task_init(&q->task, onward_store__desk(store), run);
    *query = q;
    return 0;
}

/* It was asked, or there is no such object. The host's store runs inside; it
 * does not know this object yet, so it cannot free it. */
static int start(struct onward_store_query *q, int err,
                 struct onward_store_query **query)
{
    if (err == 0) {
        *query = q;
        return 0;
    }
    onward_core__task_clear(&q->task);
    destroy(q);
    return err;
}

int onward_store_get(struct onward_store *store, struct onward_str key,
                     const struct onward_store_query_host *host,
                     struct onward_store_query **query)
{
    struct onward_store_query *q = NULL;
    int err = query == NULL ? ONWARD_EINVAL : make(store, host, &q);

    if (err != 0)
        return err;
    return start(q, onward_store__get(store, &q->query, key, &q->task), query);
}

int onward_store_put(struct onward_store *store, struct onward_str key,
                     struct onward_str value, int64_t expires_s, uint32_t flags,
                     const struct onward_store_query_host *host,
                     struct onward_store_query **query)
{
    const uint32_t known = ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT;
    struct onward_store_query *q = NULL;
    int err = query == NULL || (flags & ~known) != 0 || expires_s < 0
                  ? ONWARD_EINVAL
                  : make(store, host, &q);

    if (err != 0)
        return err;
    return start(q,
                 onward_store__put(store, &q->query, key, value, expires_s, 0,
                                   flags, &q->task),
                 query);
}

struct onward_str
onward_store_query_value(const struct onward_store_query *query)
{
    return query->query.value;
}

void onward_store_query_free(struct onward_store_query *query)
{
    if (query == NULL || query->guard.is_dead)
        return;
    onward_core__guard_enter(&query->guard);
    query->guard.is_dead = true;
    /* The store's cancel runs inside. */
    onward_store__query_clear(&query->query);
    onward_core__task_clear(&query->task);
    if (onward_core__guard_leave(&query->guard))
        destroy(query);
}
