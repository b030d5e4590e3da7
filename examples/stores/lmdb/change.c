/*
 * One transaction that writes: puts and removals with their conditions, what
 * goes when there is no room, what has expired. The three databases are kept
 * in step here and nowhere else.
 */
#include <string.h>

#include "lmdb_priv.h"

/* To make room for one value, at most so many others go. */
enum { ROOM_MAX = 4096 };

static MDB_val val(const void *data, size_t len)
{
    MDB_val v = {.mv_size = len, .mv_data = (void *)(uintptr_t)data};

    return v;
}

static MDB_val key_val(const struct lmdb_key *key)
{
    return val(key->octets, key->len);
}

int lmdb_state_read(const struct lmdb_files *files, MDB_txn *txn,
                    struct lmdb_state *state)
{
    MDB_val name = val("state", 5), data;
    int err = mdb_get(txn, files->meta, &name, &data);

    memset(state, 0, sizeof(*state));
    if (err == MDB_NOTFOUND)
        return 0;
    if (err != 0)
        return err;
    if (data.mv_size != 3 * 8)
        return MDB_INCOMPATIBLE;
    state->version = lmdb_get_u64(data.mv_data);
    state->bytes = lmdb_get_u64((const unsigned char *)data.mv_data + 8);
    state->count = lmdb_get_u64((const unsigned char *)data.mv_data + 16);
    return 0;
}

static int write_state(struct lmdb_change *c)
{
    unsigned char octets[3 * 8];
    MDB_val name = val("state", 5), data = val(octets, sizeof(octets));

    lmdb_put_u64(octets, c->state.version);
    lmdb_put_u64(octets + 8, c->state.bytes);
    lmdb_put_u64(octets + 16, c->state.count);
    return mdb_put(c->txn, c->files->meta, &name, &data, 0);
}

int lmdb_change_begin(struct lmdb_change *c, const struct lmdb_files *files,
                      size_t max_bytes, int64_t now_s)
{
    int err;

    *c = (struct lmdb_change){
        .files = files, .max_bytes = max_bytes, .now_s = now_s};
    err = mdb_txn_begin(files->env, NULL, 0, &c->txn);
    if (err == MDB_MAP_RESIZED) { /* by another process */
        mdb_env_set_mapsize(files->env, 0);
        err = mdb_txn_begin(files->env, NULL, 0, &c->txn);
    }
    if (err != 0)
        return err;
    err = lmdb_state_read(files, c->txn, &c->state);
    if (err != 0)
        lmdb_change_abort(c);
    return err;
}

void lmdb_change_abort(struct lmdb_change *c)
{
    if (c->txn != NULL)
        mdb_txn_abort(c->txn);
    c->txn = NULL;
}

int lmdb_change_commit(struct lmdb_change *c)
{
    MDB_txn *txn = c->txn;
    int err = write_state(c);

    if (err != 0) {
        lmdb_change_abort(c);
        return err;
    }
    c->txn = NULL;
    mdb_env_set_flags(c->files->env, MDB_NOMETASYNC, !c->must_last);
    return mdb_txn_commit(txn);
}

/* ---- Entries ----------------------------------------------------------- */

struct expiry_key {
    unsigned char octets[8 + LMDB_KEY_MAX];
    size_t len;
};

static void make_expiry_key(struct expiry_key *out, int64_t expires_s,
                            const struct lmdb_key *key)
{
    lmdb_put_u64(out->octets, (uint64_t)expires_s);
    memcpy(out->octets + 8, key->octets, key->len);
    out->len = 8 + key->len;
}

static int forgive_absent(int err)
{
    return err == MDB_NOTFOUND ? 0 : err;
}

static void count_down(uint64_t *count, uint64_t by)
{
    *count -= *count < by ? *count : by;
}

static int drop(struct lmdb_change *c, const struct lmdb_key *key,
                const struct lmdb_record *r)
{
    const struct lmdb_record old = *r; /* what it points to is in the map */
    size_t bytes = lmdb_record_bytes(r);
    MDB_val k = key_val(key);
    int err = forgive_absent(mdb_del(c->txn, c->files->value, &k, NULL));

    if (err == 0 && old.expires_s != 0) {
        struct expiry_key expiry;

        make_expiry_key(&expiry, old.expires_s, key);
        k = val(expiry.octets, expiry.len);
        err = forgive_absent(mdb_del(c->txn, c->files->expiry, &k, NULL));
    }
    if (err == 0 && !old.is_kept) {
        unsigned char version[8];

        lmdb_put_u64(version, old.version);
        k = val(version, sizeof(version));
        err = forgive_absent(mdb_del(c->txn, c->files->cache, &k, NULL));
    }
    count_down(&c->state.bytes, bytes);
    count_down(&c->state.count, 1);
    return err;
}

static int add(struct lmdb_change *c, const struct lmdb_key *key,
               const struct lmdb_record *r)
{
    MDB_val k = key_val(key), data = val(NULL, lmdb_record_len(r));
    int err = mdb_put(c->txn, c->files->value, &k, &data, MDB_RESERVE);

    if (err != 0)
        return err;
    lmdb_record_write(r, data.mv_data);
    if (r->expires_s != 0) {
        struct expiry_key expiry;

        make_expiry_key(&expiry, r->expires_s, key);
        k = val(expiry.octets, expiry.len);
        data = val("", 0);
        err = mdb_put(c->txn, c->files->expiry, &k, &data, 0);
    }
    if (err == 0 && !r->is_kept) {
        unsigned char version[8];

        lmdb_put_u64(version, r->version);
        k = val(version, sizeof(version));
        data = key_val(key);
        err = mdb_put(c->txn, c->files->cache, &k, &data, 0);
    }
    c->state.bytes += lmdb_record_bytes(r);
    c->state.count++;
    return err;
}

/* MDB_NOTFOUND also for what cannot be read, which goes, and for another key
 * with the same hash. */
static int find(struct lmdb_change *c, const struct lmdb_key *key,
                struct onward_str whole, struct lmdb_record *out)
{
    MDB_val k = key_val(key), data;
    int err = mdb_get(c->txn, c->files->value, &k, &data);

    if (err != 0)
        return err;
    if (lmdb_record_read(&data, out))
        return out->key.len == whole.len &&
                       memcmp(out->key.data, whole.data, whole.len) == 0
                   ? 0
                   : MDB_NOTFOUND;
    c->damaged++;
    count_down(&c->state.count, 1);
    count_down(&c->state.bytes, data.mv_size);
    err = mdb_del(c->txn, c->files->value, &k, NULL);
    return err == 0 ? MDB_NOTFOUND : err;
}

/* ---- Room -------------------------------------------------------------- */

/* Take out what an entry of an index points to; its row goes as well, also when
 * it points to nothing, or to what was written anew since. */
static int drop_indexed(struct lmdb_change *c, MDB_dbi index, MDB_val row,
                        const struct lmdb_key *key, int64_t expires_s,
                        uint64_t version, bool *was_there)
{
    unsigned char octets[8 + LMDB_KEY_MAX];
    struct lmdb_record r;
    MDB_val k = key_val(key), data;
    int err;

    *was_there = false;
    if (row.mv_size > sizeof(octets))
        return MDB_CORRUPTED;
    memcpy(octets, row.mv_data, row.mv_size);
    row.mv_data = octets;
    err = mdb_get(c->txn, c->files->value, &k, &data);
    if (err == 0 && lmdb_record_read(&data, &r) &&
        (version == 0 ? r.expires_s == expires_s : r.version == version)) {
        *was_there = true;
        err = drop(c, key, &r);
    }
    if (err == 0 || err == MDB_NOTFOUND)
        err = forgive_absent(mdb_del(c->txn, index, &row, NULL));
    return err;
}

/* The first row of an index. */
static int first_of(struct lmdb_change *c, MDB_dbi index, MDB_val *k,
                    MDB_val *data)
{
    MDB_cursor *cursor;
    int err = mdb_cursor_open(c->txn, index, &cursor);

    if (err != 0)
        return err;
    err = mdb_cursor_get(cursor, k, data, MDB_FIRST);
    mdb_cursor_close(cursor);
    return err;
}

int lmdb_change_sweep(struct lmdb_change *c, size_t max, size_t *gone)
{
    *gone = 0;
    for (size_t i = 0; i < max; i++) {
        struct lmdb_key key;
        MDB_val k, data;
        int64_t expires_s;
        bool was_there;
        int err = first_of(c, c->files->expiry, &k, &data);

        if (err == MDB_NOTFOUND)
            return 0;
        if (err != 0)
            return err;
        if (k.mv_size <= 8 || k.mv_size > 8 + LMDB_KEY_MAX)
            return MDB_CORRUPTED;
        expires_s = (int64_t)lmdb_get_u64(k.mv_data);
        if (expires_s > c->now_s)
            return 0;
        key.len = k.mv_size - 8;
        memcpy(key.octets, (const unsigned char *)k.mv_data + 8, key.len);
        err = drop_indexed(c, c->files->expiry, k, &key, expires_s, 0,
                           &was_there);
        if (err != 0)
            return err;
        *gone += was_there ? 1 : 0;
    }
    return 0;
}

/* The longest not written. MDB_NOTFOUND: nothing may go. */
static int evict(struct lmdb_change *c)
{
    struct lmdb_key key;
    MDB_val k, data;
    bool was_there;
    int err = first_of(c, c->files->cache, &k, &data);

    if (err != 0)
        return err;
    if (k.mv_size != 8 || data.mv_size > LMDB_KEY_MAX)
        return MDB_CORRUPTED;
    key.len = data.mv_size;
    memcpy(key.octets, data.mv_data, key.len);
    return drop_indexed(c, c->files->cache, k, &key, 0, lmdb_get_u64(k.mv_data),
                        &was_there);
}

static bool fits(const struct lmdb_change *c, size_t bytes, size_t old_bytes)
{
    size_t used = (size_t)c->state.bytes;

    used -= old_bytes < used ? old_bytes : used;
    return bytes <= c->max_bytes && used <= c->max_bytes - bytes;
}

/* old_bytes will be given back. ONWARD_ELIMIT goes to status. */
static int make_room(struct lmdb_change *c, size_t bytes, size_t old_bytes,
                     int *status)
{
    size_t gone;
    int err;

    if (fits(c, bytes, old_bytes))
        return 0;
    *status = ONWARD_ELIMIT;
    if (bytes > c->max_bytes)
        return 0;
    err = lmdb_change_sweep(c, ROOM_MAX, &gone);
    for (size_t i = 0; err == 0 && !fits(c, bytes, old_bytes); i++) {
        if (i == ROOM_MAX)
            return 0;
        err = evict(c);
    }
    if (err == 0)
        *status = 0;
    return forgive_absent(err);
}

/* ---- Orders ------------------------------------------------------------ */

static bool holds(const struct lmdb_order *o, const struct lmdb_record *old)
{
    if ((o->flags & ONWARD_STORE_IF_ABSENT) != 0 && old != NULL)
        return false;
    return (o->flags & ONWARD_STORE_IF_VERSION) == 0 ||
           (old != NULL && old->version == o->version);
}

static int put(struct lmdb_change *c, struct lmdb_order *o,
               const struct lmdb_key *key, const struct lmdb_record *old)
{
    struct lmdb_record fresh = {.expires_s = o->expires_s,
                                .is_kept = (o->flags & ONWARD_STORE_KEEP) != 0,
                                .key = o->key,
                                .value = o->value};
    size_t bytes = lmdb_record_bytes(&fresh), old_bytes = 0;
    int err = 0;

    if (old != NULL && !old->is_kept) {
        /* It would be the first to go. */
        err = drop(c, key, old);
        old = NULL;
    } else if (old != NULL) {
        old_bytes = lmdb_record_bytes(old);
    }
    if (err == 0)
        err = make_room(c, bytes, old_bytes, &o->status);
    if (err == 0 && o->status == 0 && old != NULL)
        err = drop(c, key, old);
    if (err != 0 || o->status != 0)
        return err;
    fresh.version = ++c->state.version;
    err = add(c, key, &fresh);
    o->is_done = true;
    o->given = fresh.version;
    c->must_last = c->must_last || fresh.is_kept;
    return err;
}

int lmdb_change_apply(struct lmdb_change *c, struct lmdb_order *o)
{
    struct lmdb_record record;
    const struct lmdb_record *old = NULL;
    struct lmdb_key key;
    int err;

    o->status = 0;
    o->is_done = false;
    o->given = 0;
    lmdb_key_make(&key, o->key);
    err = find(c, &key, o->key, &record);
    if (err == 0 && lmdb_record_has_expired(&record, c->now_s))
        err = drop(c, &key, &record);
    else if (err == 0)
        old = &record;
    err = forgive_absent(err);
    if (err != 0)
        return err;
    if (o->verb == LMDB_PUT)
        return holds(o, old) ? put(c, o, &key, old) : 0;
    if (old == NULL || (o->version != 0 && o->version != old->version))
        return 0;
    o->is_done = true;
    c->must_last = true;
    return drop(c, &key, old);
}
