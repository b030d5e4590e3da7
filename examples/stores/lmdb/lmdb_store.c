/*
 * The table of functions over LMDB. Reads are answered at once, from what was
 * committed. Changes wait for the end of the loop's turn, are committed
 * together, and are answered then; so no answer speaks of what could vanish.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lmdb_priv.h"

enum {
    SWEPT_A_COMMIT = 64,
    /* Items looked at for one page, whatever their keys are. */
    LOOKED_AT_MAX = 10000,
    VALUE_BYTES = 1 << 20
};

/* A change that waits; its octets are behind it. */
struct waiting {
    struct waiting *next;
    uint64_t token;
    struct lmdb_order order;
    char octets[];
};

struct lmdb_store {
    struct onward_desk *desk;
    struct onward_store *handle;
    struct lmdb_store_opts opts;
    struct lmdb_files files;
    MDB_txn *view; /* reset between the questions */
    struct loop_watch wake;
    struct waiting *first, **last;
};

static int64_t now_s(const struct lmdb_store *s)
{
    return s->opts.now_s != NULL ? s->opts.now_s(s->opts.user)
                                 : (int64_t)time(NULL);
}

static void warn(const struct lmdb_store *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void warn(const struct lmdb_store *s, const char *format, ...)
{
    char text[400];
    va_list args;

    if (s->opts.warn == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    s->opts.warn(s->opts.user, text);
}

static void warn_damaged(const struct lmdb_store *s, size_t count)
{
    if (count != 0)
        warn(s,
             "store %s: %zu value(s) of an unknown version or cut off, taken "
             "as absent",
             s->opts.folder, count);
}

/* No room in the map, or on the disk. */
static int error_of(int err)
{
    return err == MDB_MAP_FULL || err == ENOSPC || err == EDQUOT || err == EFBIG
               ? ONWARD_ELIMIT
           : err == ENOMEM ? ONWARD_ENOMEM
                           : ONWARD_ECALLBACK;
}

/* ---- Reads ------------------------------------------------------------- */

/* 0 or an error of LMDB; then view_end(). */
static int view_begin(struct lmdb_store *s)
{
    int err;

    if (s->view != NULL) {
        err = mdb_txn_renew(s->view);
    } else {
        int dead;

        err = mdb_txn_begin(s->files.env, NULL, MDB_RDONLY, &s->view);
        if (err == MDB_READERS_FULL) { /* processes that were killed */
            mdb_reader_check(s->files.env, &dead);
            err = mdb_txn_begin(s->files.env, NULL, MDB_RDONLY, &s->view);
        }
    }
    if (err != MDB_MAP_RESIZED)
        return err;
    /* Another process has more room: take it too. */
    if (s->view != NULL)
        mdb_txn_abort(s->view);
    s->view = NULL;
    mdb_env_set_mapsize(s->files.env, 0);
    return mdb_txn_begin(s->files.env, NULL, MDB_RDONLY, &s->view);
}

static void view_end(struct lmdb_store *s)
{
    if (s->view != NULL)
        mdb_txn_reset(s->view);
}

static int fail(struct lmdb_store *s, uint64_t token, int err)
{
    warn(s, "store %s: %s", s->opts.folder, mdb_strerror(err));
    return onward_store_answer_error(s->desk, token, error_of(err));
}

static int do_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    const struct onward_str whole = {key, key_len};
    struct lmdb_store *s = user;
    struct lmdb_record r;
    struct lmdb_key k;
    MDB_val name, data;
    int err = view_begin(s);

    if (err != 0)
        return fail(s, token, err);
    lmdb_key_make(&k, whole);
    name.mv_size = k.len;
    name.mv_data = k.octets;
    err = mdb_get(s->view, s->files.value, &name, &data);
    if (err == 0 && !lmdb_record_read(&data, &r)) {
        warn_damaged(s, 1);
        err = MDB_NOTFOUND;
    }
    if (err == 0 &&
        (lmdb_record_has_expired(&r, now_s(s)) || r.key.len != key_len ||
         memcmp(r.key.data, key, key_len) != 0))
        err = MDB_NOTFOUND;
    if (err == 0)
        (void)onward_store_answer_value(s->desk, token, r.value.data,
                                        r.value.len, r.version);
    view_end(s);
    if (err == 0)
        return 0;
    return err == MDB_NOTFOUND
               ? onward_store_answer_error(s->desk, token, ONWARD_ENOENT)
               : fail(s, token, err);
}

/* A page under way. */
struct page {
    struct lmdb_store *s;
    uint64_t token;
    struct onward_str prefix;
    size_t max_items, count, bytes, damaged;
    int64_t now_s;
    struct lmdb_key last; /* the next page begins behind it */
};

enum taken { PAGE_GOES_ON, PAGE_IS_FULL, PAGE_IS_OVER, PAGE_HAS_FAILED };

static bool begins(const void *data, size_t len, const void *with,
                   size_t with_len)
{
    return len >= with_len && memcmp(data, with, with_len) == 0;
}

static enum taken take(struct page *p, const MDB_val *k, const MDB_val *data)
{
    size_t head = p->prefix.len < LMDB_KEY_HEAD ? p->prefix.len : LMDB_KEY_HEAD;
    struct lmdb_record r;

    if (!begins(k->mv_data, k->mv_size, p->prefix.data, head))
        return PAGE_IS_OVER;
    if (!lmdb_record_read(data, &r)) {
        p->damaged++;
    } else if (!lmdb_record_has_expired(&r, p->now_s) &&
               begins(r.key.data, r.key.len, p->prefix.data, p->prefix.len)) {
        size_t bytes = r.key.len + r.value.len;

        if (p->count == p->max_items ||
            (p->count > 0 && p->bytes + bytes > VALUE_BYTES))
            return PAGE_IS_FULL;
        if (onward_store_answer_item(p->s->desk, p->token, r.key.data,
                                     r.key.len, r.value.data, r.value.len,
                                     r.version) != 0)
            return PAGE_HAS_FAILED;
        p->count++;
        p->bytes += bytes;
    }
    p->last.len = k->mv_size;
    memcpy(p->last.octets, k->mv_data, k->mv_size);
    return PAGE_GOES_ON;
}

/* All items of a page; where the next begins is in last, empty at the end. */
static int walk(struct page *p, MDB_cursor *cursor, struct onward_str from)
{
    bool is_first = from.len == 0;
    enum taken taken = PAGE_GOES_ON;
    struct lmdb_key start;
    MDB_val k, data;
    int err;

    if (is_first) {
        /* Short of where a hash would begin. */
        from = p->prefix;
        if (from.len > LMDB_KEY_HEAD)
            from.len = LMDB_KEY_HEAD;
    }
    if (from.len > LMDB_KEY_MAX)
        return MDB_BAD_VALSIZE;
    start.len = from.len;
    memcpy(start.octets, from.data, from.len);
    k.mv_size = start.len;
    k.mv_data = start.octets;
    err = mdb_cursor_get(cursor, &k, &data, MDB_SET_RANGE);
    if (err == 0 && !is_first && k.mv_size == from.len &&
        memcmp(k.mv_data, from.data, from.len) == 0)
        err = mdb_cursor_get(cursor, &k, &data, MDB_NEXT);
    for (size_t seen = 0; err == 0; seen++) {
        taken = seen == LOOKED_AT_MAX ? PAGE_IS_FULL : take(p, &k, &data);
        if (taken != PAGE_GOES_ON)
            break;
        err = mdb_cursor_get(cursor, &k, &data, MDB_NEXT);
    }
    if (err != 0 && err != MDB_NOTFOUND)
        return err;
    if (taken == PAGE_HAS_FAILED)
        return 0; /* the question has, with that */
    if (taken != PAGE_IS_FULL)
        p->last.len = 0;
    (void)onward_store_answer_page(p->s->desk, p->token,
                                   (const char *)p->last.octets, p->last.len);
    return 0;
}

static int do_walk(void *user, uint64_t token, const char *prefix,
                   size_t prefix_len, const char *cursor, size_t cursor_len,
                   size_t max_items)
{
    struct lmdb_store *s = user;
    struct page p = {.s = s,
                     .token = token,
                     .prefix = {prefix, prefix_len},
                     .max_items = max_items,
                     .bytes = LMDB_KEY_MAX,
                     .now_s = now_s(s)};
    MDB_cursor *c;
    int err = view_begin(s);

    if (err == 0)
        err = mdb_cursor_open(s->view, s->files.value, &c);
    if (err == 0) {
        err = walk(&p, c, (struct onward_str){cursor, cursor_len});
        mdb_cursor_close(c);
    }
    view_end(s);
    warn_damaged(s, p.damaged);
    return err == 0 ? 0 : fail(s, token, err);
}

/* ---- Changes ----------------------------------------------------------- */

static int queue(struct lmdb_store *s, uint64_t token,
                 const struct lmdb_order *order)
{
    static const uint64_t one = 1;
    size_t len = order->key.len + order->value.len;
    struct waiting *w = malloc(sizeof(*w) + len);

    if (w == NULL)
        return onward_store_answer_error(s->desk, token, ONWARD_ENOMEM);
    w->next = NULL;
    w->token = token;
    w->order = *order;
    memcpy(w->octets, order->key.data, order->key.len);
    if (order->value.len != 0)
        memcpy(w->octets + order->key.len, order->value.data, order->value.len);
    w->order.key.data = w->octets;
    w->order.value.data = w->octets + order->key.len;
    *s->last = w;
    s->last = &w->next;
    if (s->opts.loop == NULL)
        lmdb_store_flush(s);
    else if (write(s->wake.fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        lmdb_store_flush(s);
    return 0;
}

static int do_put(void *user, uint64_t token, const char *key, size_t key_len,
                  const void *value, size_t value_len, int64_t expires_s,
                  uint64_t version, uint32_t flags)
{
    const struct lmdb_order order = {.verb = LMDB_PUT,
                                     .key = {key, key_len},
                                     .value = {value, value_len},
                                     .expires_s = expires_s,
                                     .version = version,
                                     .flags = flags};

    return queue(user, token, &order);
}

static int do_remove(void *user, uint64_t token, const char *key,
                     size_t key_len, uint64_t version)
{
    const struct lmdb_order order = {
        .verb = LMDB_REMOVE, .key = {key, key_len}, .version = version};

    return queue(user, token, &order);
}

/* Those from first to (without) end, in one transaction. */
static int commit(struct lmdb_store *s, struct waiting *first,
                  const struct waiting *end)
{
    struct lmdb_change c;
    size_t gone;
    int err = lmdb_change_begin(&c, &s->files, s->opts.max_bytes, now_s(s));

    if (err != 0)
        return err;
    err = lmdb_change_sweep(&c, SWEPT_A_COMMIT, &gone);
    for (struct waiting *w = first; w != end && err == 0; w = w->next)
        err = lmdb_change_apply(&c, &w->order);
    if (err == 0)
        err = lmdb_change_commit(&c);
    else
        lmdb_change_abort(&c);
    if (err == 0)
        warn_damaged(s, c.damaged);
    return err;
}

static void answer(struct lmdb_store *s, const struct waiting *w)
{
    if (w->order.status != 0)
        (void)onward_store_answer_error(s->desk, w->token, w->order.status);
    else
        (void)onward_store_answer_done(s->desk, w->token, w->order.is_done,
                                       w->order.given);
}

void lmdb_store_flush(struct lmdb_store *s)
{
    struct waiting *first = s->first, *next;
    int err;

    s->first = NULL;
    s->last = &s->first;
    if (first == NULL)
        return;
    err = commit(s, first, NULL);
    /* One that cannot be done must not take the others with it. */
    for (struct waiting *w = first; err != 0 && w != NULL; w = w->next) {
        int alone = first->next == NULL ? err : commit(s, w, w->next);

        if (alone != 0) {
            warn(s, "store %s: %s", s->opts.folder, mdb_strerror(alone));
            /* What the system wrote half, because the disk is full, LMDB calls
             * EIO. */
            w->order.status = alone == EIO ? ONWARD_ELIMIT : error_of(alone);
        }
    }
    for (struct waiting *w = first; w != NULL; w = next) {
        next = w->next;
        answer(s, w);
        free(w);
    }
}

static void woken(struct loop_watch *watch, uint32_t events)
{
    struct lmdb_store *s =
        (struct lmdb_store *)(void *)((char *)watch -
                                      offsetof(struct lmdb_store, wake));
    uint64_t count;

    (void)events;
    if (read(watch->fd, &count, sizeof(count)) > 0)
        lmdb_store_flush(s);
}

/* ---- Without a desk ---------------------------------------------------- */

int lmdb_store_read(struct lmdb_store *s, struct lmdb_item *item, void *octets,
                    size_t cap)
{
    struct lmdb_record r;
    struct lmdb_key k;
    MDB_val name, data;
    int err = view_begin(s), ret = 0;

    lmdb_key_make(&k, item->key);
    name.mv_size = k.len;
    name.mv_data = k.octets;
    if (err == 0)
        err = mdb_get(s->view, s->files.value, &name, &data);
    if (err == 0 && lmdb_record_read(&data, &r) &&
        !lmdb_record_has_expired(&r, now_s(s)) &&
        onward_str_equal(r.key, item->key)) {
        ret = r.value.len <= cap ? 1 : -1;
        item->value = (struct onward_str){octets, r.value.len};
        item->version = r.version;
        item->expires_s = r.expires_s;
        if (ret == 1 && r.value.len > 0)
            memcpy(octets, r.value.data, r.value.len);
    }
    view_end(s);
    return err == 0 || err == MDB_NOTFOUND ? ret : -1;
}

/* All in one transaction; what became of each is in it. 0 or -1: nothing. */
static int commit_all(struct lmdb_store *s, struct lmdb_order *orders,
                      size_t count)
{
    struct lmdb_change c;
    size_t gone;
    int err = lmdb_change_begin(&c, &s->files, s->opts.max_bytes, now_s(s));

    if (err != 0)
        return -1;
    err = lmdb_change_sweep(&c, SWEPT_A_COMMIT, &gone);
    for (size_t i = 0; i < count && err == 0; i++)
        err = lmdb_change_apply(&c, &orders[i]);
    if (err == 0)
        err = lmdb_change_commit(&c);
    else
        lmdb_change_abort(&c);
    return err == 0 ? 0 : -1;
}

static struct lmdb_order order_of(const struct lmdb_item *item)
{
    return (struct lmdb_order){.verb = LMDB_PUT,
                               .key = item->key,
                               .value = item->value,
                               .expires_s = item->expires_s,
                               .version = item->version,
                               .flags = item->flags};
}

static int commit_one(struct lmdb_store *s, struct lmdb_order order)
{
    return commit_all(s, &order, 1) == 0 && order.status == 0 ? order.is_done
                                                              : -1;
}

int lmdb_store_write(struct lmdb_store *s, const struct lmdb_item *item)
{
    return commit_one(s, order_of(item));
}

int lmdb_store_erase(struct lmdb_store *s, struct onward_str key)
{
    return commit_one(s, (struct lmdb_order){.verb = LMDB_REMOVE, .key = key});
}

int lmdb_store_write_all(struct lmdb_store *s, const struct lmdb_item *items,
                         size_t count)
{
    struct lmdb_order *orders =
        count == 0 ? NULL : calloc(count, sizeof(*orders));
    int ret;

    if (orders == NULL)
        return count == 0 ? 0 : -1;
    for (size_t i = 0; i < count; i++)
        orders[i] = order_of(&items[i]);
    ret = commit_all(s, orders, count);
    for (size_t i = 0; i < count; i++) {
        if (orders[i].status != 0)
            ret = -1;
    }
    free(orders);
    return ret;
}

int lmdb_store_each(struct lmdb_store *s, struct onward_str prefix,
                    struct onward_str after, size_t max,
                    void (*visit)(void *user, const struct lmdb_item *item),
                    void *user)
{
    const struct onward_str from = after.len > 0 ? after : prefix;
    MDB_cursor_op op = MDB_SET_RANGE;
    struct lmdb_key start;
    MDB_val k, data;
    MDB_cursor *c = NULL;
    struct lmdb_record r;
    int err = view_begin(s);
    int count = 0;

    lmdb_key_make(&start, from);
    k.mv_size = start.len;
    k.mv_data = start.octets;
    if (err == 0)
        err = mdb_cursor_open(s->view, s->files.value, &c);
    for (; err == 0 && (size_t)count < max; op = MDB_NEXT) {
        err = mdb_cursor_get(c, &k, &data, op);
        if (err != 0 || !begins(k.mv_data, k.mv_size, prefix.data, prefix.len))
            break;
        if (lmdb_record_read(&data, &r) &&
            !lmdb_record_has_expired(&r, now_s(s)) &&
            !onward_str_equal(r.key, after)) {
            const struct lmdb_item item = {.key = r.key,
                                           .value = r.value,
                                           .expires_s = r.expires_s,
                                           .version = r.version};

            visit(user, &item);
            count++;
        }
    }
    if (c != NULL)
        mdb_cursor_close(c);
    view_end(s);
    return err == 0 || err == MDB_NOTFOUND ? count : -1;
}

/* ---- Maintenance ------------------------------------------------------- */

size_t lmdb_store_sweep(struct lmdb_store *s, size_t max)
{
    struct lmdb_change c;
    size_t gone = 0;
    int err = lmdb_change_begin(&c, &s->files, s->opts.max_bytes, now_s(s));

    if (err == 0) {
        err = lmdb_change_sweep(&c, max, &gone);
        if (err == 0 && gone != 0)
            err = lmdb_change_commit(&c);
        else
            lmdb_change_abort(&c);
    }
    return err == 0 ? gone : 0;
}

static struct lmdb_state state_of(struct lmdb_store *s)
{
    struct lmdb_state state = {0};

    if (view_begin(s) == 0)
        (void)lmdb_state_read(&s->files, s->view, &state);
    view_end(s);
    return state;
}

size_t lmdb_store_count(struct lmdb_store *s)
{
    return (size_t)state_of(s).count;
}

size_t lmdb_store_bytes(struct lmdb_store *s)
{
    return (size_t)state_of(s).bytes;
}

/* ---- Life -------------------------------------------------------------- */

static int open_all(struct lmdb_files *f)
{
    MDB_txn *txn;
    int err = mdb_txn_begin(f->env, NULL, 0, &txn);

    if (err != 0)
        return err;
    err = mdb_dbi_open(txn, "value", MDB_CREATE, &f->value);
    if (err == 0)
        err = mdb_dbi_open(txn, "expiry", MDB_CREATE, &f->expiry);
    if (err == 0)
        err = mdb_dbi_open(txn, "cache", MDB_CREATE, &f->cache);
    if (err == 0)
        err = mdb_dbi_open(txn, "meta", MDB_CREATE, &f->meta);
    if (err == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return err;
}

static int open_files(struct lmdb_store *s)
{
    int dead;
    int err = mdb_env_create(&s->files.env);

    if (err == 0)
        err = mdb_env_set_maxdbs(s->files.env, 4);
    /* Address space, not memory: pages that are half full, and what a
     * transaction copies, must never be what there is no room for. */
    if (err == 0)
        err = mdb_env_set_mapsize(s->files.env,
                                  4 * s->opts.max_bytes + ((size_t)16 << 20));
    /* Random access: to read ahead would only push others out of memory. */
    if (err == 0)
        err = mdb_env_open(s->files.env, s->opts.folder,
                           MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (err == 0)
        err = mdb_reader_check(s->files.env, &dead);
    return err == 0 ? open_all(&s->files) : err;
}

static int join_loop(struct lmdb_store *s)
{
    if (s->opts.loop == NULL)
        return 0;
    s->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->wake.ready = woken;
    return s->wake.fd < 0 ? -1 : loop_add(s->opts.loop, &s->wake, EPOLLIN);
}

struct onward_store_ops lmdb_store_ops(struct lmdb_store *s)
{
    return (struct onward_store_ops){.size = sizeof(struct onward_store_ops),
                                     .user = s,
                                     .get = do_get,
                                     .put = do_put,
                                     .remove = do_remove,
                                     .walk = do_walk};
}

struct lmdb_store *lmdb_store_new(struct onward_desk *desk,
                                  const struct lmdb_store_opts *opts,
                                  char *fault, size_t fault_size)
{
    struct lmdb_store *s = calloc(1, sizeof(*s));
    const struct onward_store_ops ops = lmdb_store_ops(s);
    const struct onward_store_opts store_opts = {
        .size = sizeof(store_opts),
        .value_bytes = VALUE_BYTES + ONWARD_STORE_KEY_MAX};
    int err;

    if (s == NULL) {
        snprintf(fault, fault_size, "out of memory");
        return NULL;
    }
    s->desk = desk;
    s->opts = *opts;
    s->opts.folder = strdup(opts->folder);
    s->last = &s->first;
    s->wake.fd = -1;
    if (s->opts.folder == NULL) {
        snprintf(fault, fault_size, "out of memory");
        lmdb_store_free(s);
        return NULL;
    }
    if (s->opts.max_bytes == 0)
        s->opts.max_bytes = (size_t)1 << 30;
    if (join_loop(s) != 0) {
        snprintf(fault, fault_size, "eventfd: %s", strerror(errno));
        lmdb_store_free(s);
        return NULL;
    }
    err = open_files(s);
    if (err == 0 && onward_store_new(desk, &ops, &store_opts, &s->handle) != 0)
        err = ENOMEM;
    if (err == 0)
        return s;
    snprintf(fault, fault_size, "%s: %s", opts->folder, mdb_strerror(err));
    lmdb_store_free(s);
    return NULL;
}

struct onward_store *lmdb_store_handle(const struct lmdb_store *s)
{
    return s->handle;
}

void lmdb_store_free(struct lmdb_store *s)
{
    if (s == NULL)
        return;
    if (s->handle != NULL)
        lmdb_store_flush(s);
    onward_store_free(s->handle);
    if (s->view != NULL)
        mdb_txn_abort(s->view);
    if (s->files.env != NULL)
        mdb_env_close(s->files.env);
    if (s->wake.fd >= 0) {
        loop_remove(s->opts.loop, &s->wake);
        close(s->wake.fd);
    }
    free((char *)(uintptr_t)s->opts.folder);
    free(s);
}
