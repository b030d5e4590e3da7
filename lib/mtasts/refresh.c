/*
 * All that is kept, looked through for what gets old: a domain that has no mail
 * for days would lose its policy just before the attacker's message comes (RFC
 * 8461 section 10.2). Each that is due is looked up like any other, a page at
 * a time.
 */
#include "mtasts/mtasts_priv.h"

enum { PAGE = 32 };

struct onward_mtasts__walk {
    struct onward_mtasts *m;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_store__query query;
    struct onward_buf cursor;
    bool is_asked, is_last;
    struct onward_mtasts_lookup *lookups[PAGE];
    size_t open; /* lookups that are not done */
};

static void destroy(struct onward_mtasts__walk *w)
{
    onward_core__buf_clear(&w->cursor);
    onward_core__free(w->m->ctx, w);
}

void onward_mtasts__walk_end(struct onward_mtasts *m)
{
    struct onward_mtasts__walk *w = m->walk;

    if (w == NULL)
        return;
    m->walk = NULL;
    w->guard.is_dead = true;
    /* Cancels may run, and free what they like. */
    onward_core__guard_enter(&w->guard);
    onward_core__task_clear(&w->task);
    for (size_t i = 0; i < PAGE; i++)
        onward_mtasts_lookup_free(w->lookups[i]);
    onward_store__query_clear(&w->query);
    if (onward_core__guard_leave(&w->guard))
        destroy(w);
}

static void looked_up(void *user, struct onward_mtasts_lookup *lookup)
{
    struct onward_mtasts__walk *w = user;

    for (size_t i = 0; i < PAGE; i++) {
        if (w->lookups[i] == lookup)
            w->lookups[i] = NULL;
    }
    onward_mtasts_lookup_free(lookup);
    if (--w->open == 0)
        onward_core__task_ready(&w->task);
}

static void look_at(struct onward_mtasts__walk *w,
                    const struct onward_store__item *item)
{
    struct onward_mtasts *m = w->m;
    const struct onward_mtasts_lookup_host host = {
        .size = sizeof(host), .user = w, .done = looked_up};
    char prefix[ONWARD_STORE_KEY_MAX];
    size_t skip = onward_mtasts__key(ONWARD_MTASTS__POLICY_KEY,
                                     onward_core__str("", 0), prefix)
                      .len;
    int64_t now_s = onward_core__now_s(m->ctx);
    struct onward_mtasts__kept *kept;

    if (w->open == PAGE ||
        onward_mtasts__kept_read(m->ctx, item->value, now_s, &kept) != 0)
        return;
    if (onward_mtasts__kept_is_due(kept, now_s, m->opts.refresh_s) &&
        onward_mtasts_lookup_new(
            m, onward_core__sub(item->key, skip, item->key.len), &host,
            &w->lookups[w->open]) == 0) {
        w->lookups[w->open]->is_patient = true;
        w->open++;
    }
    onward_mtasts__kept_free(kept);
}

static int ask(struct onward_mtasts__walk *w)
{
    char prefix[ONWARD_STORE_KEY_MAX];

    w->is_asked = true;
    return onward_store__walk(w->m->opts.store, &w->query,
                              onward_mtasts__key(ONWARD_MTASTS__POLICY_KEY,
                                                 onward_core__str("", 0),
                                                 prefix),
                              onward_core__buf_str(&w->cursor), PAGE, &w->task);
}

/* A page is there, or there is none. */
static int take(struct onward_mtasts__walk *w)
{
    int err = w->query.status;

    if (err != 0)
        return err;
    onward_core__buf_reset(&w->cursor);
    err = onward_core__buf_add_str(&w->cursor, w->query.cursor);
    if (err != 0)
        return err;
    w->is_last = w->cursor.len == 0;
    for (const struct onward_store__item *i = w->query.first; i != NULL;
         i = i->next)
        look_at(w, i);
    onward_store__query_clear(&w->query);
    w->is_asked = false;
    if (!w->guard.is_dead && w->open == 0)
        onward_core__task_ready(&w->task);
    return 0;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_mtasts__walk *w =
        ONWARD_CONTAINER(task, struct onward_mtasts__walk, task);
    struct onward_mtasts *m = w->m;
    int err = 0;

    (void)now_ms;
    onward_mtasts__hold(m);
    onward_core__guard_enter(&w->guard);
    if (w->is_asked) {
        if (w->query.status != ONWARD_AGAIN)
            err = take(w);
    } else if (w->open == 0) {
        err = w->is_last ? ONWARD_ENOENT : ask(w);
    }
    if (err != 0 && err != ONWARD_ENOENT && !w->guard.is_dead)
        onward_core__log(m->ctx, ONWARD_LOG_WARN, "mtasts", "store-walk",
                         m->log_id, onward_str_of(onward_error_name(err)));
    if (err != 0 && !w->guard.is_dead)
        onward_mtasts__walk_end(m);
    if (onward_core__guard_leave(&w->guard))
        destroy(w);
    onward_mtasts__release(m);
}

int onward_mtasts_refresh(struct onward_mtasts *mtasts)
{
    struct onward_mtasts__walk *w;

    if (mtasts == NULL)
        return ONWARD_EINVAL;
    if (mtasts->is_freed || mtasts->walk != NULL ||
        onward_core__desk_is_dead(mtasts->desk))
        return ONWARD_ESTATE;
    w = onward_core__zalloc(mtasts->ctx, sizeof(*w));
    if (w == NULL)
        return ONWARD_ENOMEM;
    w->m = mtasts;
    onward_core__buf_init(&w->cursor, mtasts->ctx, ONWARD_STORE_KEY_MAX * 4);
    onward_core__task_init(&w->task, mtasts->desk, run);
    onward_core__task_ready(&w->task);
    mtasts->walk = w;
    return 0;
}
