/*
 * The bounded store in memory: what goes when it is full, and the table of
 * functions by which a desk reaches it. Answers are given at once, and arrive
 * by the desk as those of any host.
 */
#include "store/memstore_priv.h"

#define MAX_BYTES_DEFAULT ((size_t)16 << 20)
#define MAX_ENTRIES_DEFAULT 65536

struct onward_memstore {
    struct onward_ctx *ctx;
    size_t refs; /* the host's, and one for each door */
    bool is_freed;
    struct onward_store__tree tree;
    struct onward_store__entry *newest, *oldest; /* those without KEEP */
    size_t max_bytes, max_entries;
    size_t bytes, count;
    uint64_t last_version;
    /* No entry expires before that: a sweep earlier would find nothing. */
    int64_t first_expiry_s;
};

/* ---- Entries ----------------------------------------------------------- */

static size_t entry_bytes(const struct onward_store__entry *e)
{
    return sizeof(*e) + e->key_len + e->value_len;
}

static void use_unlink(struct onward_memstore *mem,
                       struct onward_store__entry *e)
{
    if (e->is_kept)
        return;
    *(e->newer != NULL ? &e->newer->older : &mem->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &mem->oldest) = e->newer;
}

static void use_link(struct onward_memstore *mem, struct onward_store__entry *e)
{
    if (e->is_kept)
        return;
    e->newer = NULL;
    e->older = mem->newest;
    *(mem->newest != NULL ? &mem->newest->newer : &mem->oldest) = e;
    mem->newest = e;
}

static void drop(struct onward_memstore *mem, struct onward_store__entry *e)
{
    use_unlink(mem, e);
    onward_store__tree_remove(&mem->tree, e);
    mem->bytes -= entry_bytes(e);
    mem->count--;
    onward_core__free(mem->ctx, e);
}

static bool is_expired(const struct onward_store__entry *e, int64_t now_s)
{
    return e->expires_s != 0 && e->expires_s <= now_s;
}

/* The entry of that key, unless it has expired: then it goes now. */
static struct onward_store__entry *find(struct onward_memstore *mem,
                                        struct onward_str key, int64_t now_s)
{
    struct onward_store__entry *e =
        onward_store__tree_from(&mem->tree, key, false);

    if (e == NULL || !onward_core__str_eq(onward_store__entry_key(e), key))
        return NULL;
    if (is_expired(e, now_s)) {
        drop(mem, e);
        return NULL;
    }
    return e;
}

/* Each sweep sees all entries, so it waits until one can be found. */
static void sweep(struct onward_memstore *mem, int64_t now_s)
{
    struct onward_store__entry *e, *next;

    if (now_s < mem->first_expiry_s)
        return;
    mem->first_expiry_s = INT64_MAX;
    for (e = onward_store__tree_from(&mem->tree, onward_core__str("", 0),
                                     false);
         e != NULL; e = next) {
        next = onward_store__tree_next(e);
        if (is_expired(e, now_s))
            drop(mem, e);
        else if (e->expires_s != 0 && e->expires_s < mem->first_expiry_s)
            mem->first_expiry_s = e->expires_s;
    }
}

/* Would it fit, were old (may be NULL) away? */
static bool fits(const struct onward_memstore *mem, size_t bytes,
                 const struct onward_store__entry *old)
{
    size_t used = mem->bytes, count = mem->count;

    if (old != NULL) {
        used -= entry_bytes(old);
        count--;
    }
    return bytes <= mem->max_bytes && used <= mem->max_bytes - bytes &&
           count < mem->max_entries;
}

/* Expired ones go first, then the longest unused. old has not expired at now_s
 * and has just been used, so it is never what goes. */
static int make_room(struct onward_memstore *mem, size_t bytes,
                     const struct onward_store__entry *old, int64_t now_s)
{
    if (fits(mem, bytes, old))
        return 0;
    if (bytes > mem->max_bytes)
        return ONWARD_ELIMIT;
    sweep(mem, now_s);
    while (!fits(mem, bytes, old)) {
        if (mem->oldest == NULL || mem->oldest == old)
            return ONWARD_ELIMIT;
        drop(mem, mem->oldest);
    }
    return 0;
}

static struct onward_store__entry *new_entry(struct onward_memstore *mem,
                                             struct onward_str key,
                                             struct onward_str value)
{
    struct onward_store__entry *e;
    size_t bytes;

    if (onward_size_add(sizeof(*e) + key.len, value.len, &bytes) != 0)
        return NULL;
    e = onward_core__alloc(mem->ctx, bytes);
    if (e == NULL)
        return NULL;
    memset(e, 0, sizeof(*e));
    e->key_len = key.len;
    e->value_len = value.len;
    memcpy(e->data, key.data, key.len);
    if (value.len != 0)
        memcpy(e->data + key.len, value.data, value.len);
    e->priority = onward_core__hash(mem->ctx, key.data, key.len);
    return e;
}

/* What a put brings. */
struct put {
    struct onward_str key, value;
    int64_t expires_s, now_s;
    bool is_kept;
};

/* old is replaced only once the new entry is sure. */
static int put_entry(struct onward_memstore *mem,
                     struct onward_store__entry *old, const struct put *put,
                     uint64_t *version)
{
    struct onward_store__entry *e = new_entry(mem, put->key, put->value);
    int ret;

    if (e == NULL)
        return ONWARD_ENOMEM;
    if (old != NULL) {
        use_unlink(mem, old);
        use_link(mem, old);
    }
    ret = make_room(mem, entry_bytes(e), old, put->now_s);
    if (ret != 0) {
        onward_core__free(mem->ctx, e);
        return ret;
    }
    if (old != NULL)
        drop(mem, old);
    e->version = ++mem->last_version;
    e->expires_s = put->expires_s;
    e->is_kept = put->is_kept;
    if (e->expires_s != 0 && e->expires_s < mem->first_expiry_s)
        mem->first_expiry_s = e->expires_s;
    onward_store__tree_add(&mem->tree, e);
    use_link(mem, e);
    mem->bytes += entry_bytes(e);
    mem->count++;
    *version = e->version;
    return 0;
}

/* ---- The table --------------------------------------------------------- */

static int do_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    struct onward_store__door *door = user;
    struct onward_store__entry *e =
        find(door->mem, onward_core__str(key, key_len),
             onward_core__now_s(door->mem->ctx));

    if (e == NULL)
        return onward_store_answer_error(door->desk, token, ONWARD_ENOENT);
    use_unlink(door->mem, e);
    use_link(door->mem, e);
    /* What went wrong with the copy is the query's already. */
    (void)onward_store_answer_value(door->desk, token,
                                    onward_store__entry_value(e).data,
                                    e->value_len, e->version);
    return 0;
}

static int do_put(void *user, uint64_t token, const char *key, size_t key_len,
                  const void *value, size_t value_len, int64_t expires_s,
                  uint64_t version, uint32_t flags)
{
    struct onward_store__door *door = user;
    const struct put put = {
        .key = onward_core__str(key, key_len),
        .value = onward_core__str(value, value_len),
        .expires_s = expires_s,
        .now_s = onward_core__now_s(door->mem->ctx),
        .is_kept = (flags & ONWARD_STORE_KEEP) != 0,
    };
    struct onward_store__entry *old = find(door->mem, put.key, put.now_s);
    uint64_t given = 0;
    int ret;

    if (((flags & ONWARD_STORE_IF_ABSENT) != 0 && old != NULL) ||
        ((flags & ONWARD_STORE_IF_VERSION) != 0 &&
         (old == NULL || old->version != version)))
        return onward_store_answer_done(door->desk, token, 0, 0);
    ret = put_entry(door->mem, old, &put, &given);
    if (ret != 0)
        return onward_store_answer_error(door->desk, token, ret);
    return onward_store_answer_done(door->desk, token, 1, given);
}

static int do_remove(void *user, uint64_t token, const char *key,
                     size_t key_len, uint64_t version)
{
    struct onward_store__door *door = user;
    struct onward_store__entry *e =
        find(door->mem, onward_core__str(key, key_len),
             onward_core__now_s(door->mem->ctx));

    if (e == NULL || (version != 0 && e->version != version))
        return onward_store_answer_done(door->desk, token, 0, 0);
    drop(door->mem, e);
    return onward_store_answer_done(door->desk, token, 1, 0);
}

/* A cursor is the key of the last item: what was removed since is no matter. */
static int do_walk(void *user, uint64_t token, const char *prefix,
                   size_t prefix_len, const char *cursor, size_t cursor_len,
                   size_t max_items)
{
    struct onward_store__door *door = user;
    struct onward_str start = onward_core__str(prefix, prefix_len);
    struct onward_str last = onward_core__str(cursor, cursor_len);
    int64_t now_s = onward_core__now_s(door->mem->ctx);
    struct onward_store__entry *e =
        cursor_len != 0
            ? onward_store__tree_from(&door->mem->tree, last, true)
            : onward_store__tree_from(&door->mem->tree, start, false);
    /* the cursor takes as much room again as the longest key */
    size_t bytes = ONWARD_STORE_KEY_MAX;

    for (size_t count = 0; e != NULL; e = onward_store__tree_next(e)) {
        struct onward_str key = onward_store__entry_key(e);

        if (!onward_core__str_starts(key, start))
            break;
        if (is_expired(e, now_s))
            continue;
        if (count == max_items || (count > 0 && (bytes >= door->page_bytes ||
                                                 e->key_len + e->value_len >
                                                     door->page_bytes - bytes)))
            return onward_store_answer_page(door->desk, token, last.data,
                                            last.len);
        if (onward_store_answer_item(door->desk, token, key.data, key.len,
                                     onward_store__entry_value(e).data,
                                     e->value_len, e->version) != 0)
            return 0; /* the query has failed with that */
        count++;
        bytes += e->key_len + e->value_len;
        last = key;
    }
    return onward_store_answer_page(door->desk, token, NULL, 0);
}

/* ---- Life -------------------------------------------------------------- */

int onward_memstore_new(struct onward_ctx *ctx,
                        const struct onward_memstore_opts *given,
                        struct onward_memstore **out)
{
    struct onward_memstore_opts opts;
    struct onward_memstore *mem;
    int ret;

    if (ctx == NULL || out == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&opts, sizeof(opts), given);
    if (ret != 0)
        return ret;
    mem = onward_core__zalloc(ctx, sizeof(*mem));
    if (mem == NULL)
        return ONWARD_ENOMEM;
    mem->ctx = onward_ctx_ref(ctx);
    mem->refs = 1;
    mem->max_bytes = onward_core__limit(opts.max_bytes, MAX_BYTES_DEFAULT);
    mem->max_entries =
        onward_core__limit(opts.max_entries, MAX_ENTRIES_DEFAULT);
    mem->first_expiry_s = INT64_MAX;
    *out = mem;
    return 0;
}

void onward_store__memstore_release(struct onward_memstore *mem)
{
    struct onward_ctx *ctx;

    if (mem == NULL || --mem->refs != 0)
        return;
    ctx = mem->ctx;
    while (mem->tree.root != NULL)
        drop(mem, mem->tree.root);
    onward_core__free(ctx, mem);
    onward_ctx_free(ctx);
}

void onward_memstore_free(struct onward_memstore *mem)
{
    if (mem == NULL || mem->is_freed)
        return;
    mem->is_freed = true;
    onward_store__memstore_release(mem);
}

int onward_memstore_open(struct onward_memstore *mem, struct onward_desk *desk,
                         const struct onward_store_opts *opts,
                         struct onward_store **out)
{
    struct onward_store_ops ops = {
        .size = sizeof(ops),
        .get = do_get,
        .put = do_put,
        .remove = do_remove,
        .walk = do_walk,
    };
    struct onward_store *store;
    int ret;

    if (mem == NULL)
        return ONWARD_EINVAL;
    ret = onward_store_new(desk, &ops, opts, &store);
    if (ret != 0)
        return ret;
    mem->refs++;
    store->door.mem = mem;
    store->door.desk = desk;
    store->door.page_bytes = store->value_bytes;
    store->ops.user = &store->door;
    *out = store;
    return 0;
}

size_t onward_memstore_count(const struct onward_memstore *mem)
{
    return mem->count;
}

size_t onward_memstore_bytes(const struct onward_memstore *mem)
{
    return mem->bytes;
}
