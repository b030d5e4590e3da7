/*
 * The store in LMDB inside. record.c is the form of keys and values, change.c
 * what one transaction does, lmdb_store.c who asks and who is answered.
 *
 * Four databases, each written in the same transaction:
 *
 *     value    key                     -> envelope and value
 *     expiry   expires_s, key          -> nothing: to find what has expired
 *     cache    version, big-endian     -> key: what may go, the oldest first
 *     meta     "state"                 -> struct state
 */
#ifndef LMDB_PRIV_H
#define LMDB_PRIV_H

#include <lmdb.h>
#include <stdbool.h>

#include "lmdb_store.h"

enum {
    /* LMDB has room for 511 octets in a key, 8 of which an expiry takes. */
    LMDB_KEY_MAX = 479,
    LMDB_KEY_HEAD = LMDB_KEY_MAX - 32,
    LMDB_ENVELOPE = 36
};

/* ---- record.c ---------------------------------------------------------- */

/* A key as LMDB has it: itself, or where that is too long its head and the
 * SHA-256 of all of it. Those of LMDB_KEY_MAX octets are of the second kind. */
struct lmdb_key {
    size_t len;
    unsigned char octets[LMDB_KEY_MAX];
};

struct lmdb_record {
    int64_t expires_s; /* 0: never */
    uint64_t version;
    bool is_kept;
    struct onward_str key; /* all of it */
    struct onward_str value;
};

void lmdb_key_make(struct lmdb_key *out, struct onward_str key);
/* Octets that it takes in the file, about. */
size_t lmdb_record_bytes(const struct lmdb_record *r);
/* Of the envelope, the key and the value. */
size_t lmdb_record_len(const struct lmdb_record *r);
void lmdb_record_write(const struct lmdb_record *r, unsigned char *out);
/* False: not ours, of a later version, or cut off. */
bool lmdb_record_read(const MDB_val *data, struct lmdb_record *out);
bool lmdb_record_has_expired(const struct lmdb_record *r, int64_t now_s);
void lmdb_put_u64(unsigned char *out, uint64_t value); /* big-endian */
uint64_t lmdb_get_u64(const unsigned char *octets);

/* ---- change.c ---------------------------------------------------------- */

struct lmdb_files {
    MDB_env *env;
    MDB_dbi value, expiry, cache, meta;
};

/* What is counted over all; in "state". */
struct lmdb_state {
    uint64_t version, bytes, count;
};

/* One transaction that writes. */
struct lmdb_change {
    const struct lmdb_files *files;
    MDB_txn *txn;
    struct lmdb_state state;
    size_t max_bytes;
    int64_t now_s;
    bool must_last; /* fsync before it is answered */
    size_t damaged; /* records that could not be read */
};

enum lmdb_verb { LMDB_PUT, LMDB_REMOVE };

struct lmdb_order {
    enum lmdb_verb verb;
    struct onward_str key, value;
    int64_t expires_s;
    uint64_t version;
    uint32_t flags; /* enum onward_store_flags */
    /* out: 0 or an enum onward_error; whether it was done; the version */
    int status;
    bool is_done;
    uint64_t given;
};

/* All return 0 or an error of LMDB; after one the transaction is of no use. */
int lmdb_change_begin(struct lmdb_change *c, const struct lmdb_files *files,
                      size_t max_bytes, int64_t now_s);
/* ONWARD_ELIMIT goes to the order's status. */
int lmdb_change_apply(struct lmdb_change *c, struct lmdb_order *order);
int lmdb_change_sweep(struct lmdb_change *c, size_t max, size_t *gone);
int lmdb_change_commit(struct lmdb_change *c);
void lmdb_change_abort(struct lmdb_change *c);
int lmdb_state_read(const struct lmdb_files *files, MDB_txn *txn,
                    struct lmdb_state *state);

#endif
