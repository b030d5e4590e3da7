/*
 * Keys and values in LMDB. A value's envelope, little-endian, read as if an
 * enemy had written it:
 *
 *     4    "OLst"
 *     4    the version of this form, 1
 *     8    when it expires, seconds since 1970; 0: never
 *     8    the value's version
 *     4    1: kept
 *     4    the length of the key
 *     4    the length of the value
 *     n    the key, all of it
 *     n    the value
 */
#include <nettle/sha2.h>
#include <string.h>

#include "lmdb_priv.h"

enum { VERSION = 1, PAGE = 4096, OF_A_PAGE = 2000, OVERHEAD = 96 };

static const char kind[4] = {'O', 'L', 's', 't'};

void lmdb_put_u64(unsigned char *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (unsigned char)(value >> (56 - 8 * i));
}

uint64_t lmdb_get_u64(const unsigned char *octets)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | octets[i];
    return value;
}

static void put_number(unsigned char *out, uint64_t value, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(const unsigned char *octets, size_t count)
{
    uint64_t value = 0;

    for (size_t i = count; i-- > 0;)
        value = value << 8 | octets[i];
    return value;
}

void lmdb_key_make(struct lmdb_key *out, struct onward_str key)
{
    struct sha256_ctx sha;

    if (key.len < LMDB_KEY_MAX) {
        out->len = key.len;
        memcpy(out->octets, key.data, key.len);
        return;
    }
    out->len = LMDB_KEY_MAX;
    memcpy(out->octets, key.data, LMDB_KEY_HEAD);
    sha256_init(&sha);
    sha256_update(&sha, key.len, (const uint8_t *)key.data);
    sha256_digest(&sha, SHA256_DIGEST_SIZE, out->octets + LMDB_KEY_HEAD);
}

size_t lmdb_record_len(const struct lmdb_record *r)
{
    return LMDB_ENVELOPE + r->key.len + r->value.len;
}

/* What is longer than half a page gets pages of its own. The key stands in two
 * databases and in the envelope. */
size_t lmdb_record_bytes(const struct lmdb_record *r)
{
    size_t len = lmdb_record_len(r);

    if (len > OF_A_PAGE)
        len = (len + 16 + PAGE - 1) / PAGE * PAGE;
    return len + 2 * r->key.len + OVERHEAD;
}

void lmdb_record_write(const struct lmdb_record *r, unsigned char *out)
{
    memcpy(out, kind, 4);
    put_number(out + 4, VERSION, 4);
    put_number(out + 8, (uint64_t)r->expires_s, 8);
    put_number(out + 16, r->version, 8);
    put_number(out + 24, r->is_kept ? 1 : 0, 4);
    put_number(out + 28, r->key.len, 4);
    put_number(out + 32, r->value.len, 4);
    memcpy(out + LMDB_ENVELOPE, r->key.data, r->key.len);
    if (r->value.len != 0)
        memcpy(out + LMDB_ENVELOPE + r->key.len, r->value.data, r->value.len);
}

bool lmdb_record_read(const MDB_val *data, struct lmdb_record *out)
{
    const unsigned char *octets = data->mv_data;
    size_t key_len, value_len, rest;

    if (data->mv_size < LMDB_ENVELOPE || memcmp(octets, kind, 4) != 0 ||
        get_number(octets + 4, 4) != VERSION)
        return false;
    key_len = (size_t)get_number(octets + 28, 4);
    value_len = (size_t)get_number(octets + 32, 4);
    rest = data->mv_size - LMDB_ENVELOPE;
    if (key_len == 0 || key_len > ONWARD_STORE_KEY_MAX || key_len > rest ||
        value_len != rest - key_len || get_number(octets + 24, 4) > 1)
        return false;
    out->expires_s = (int64_t)get_number(octets + 8, 8);
    out->version = get_number(octets + 16, 8);
    out->is_kept = get_number(octets + 24, 4) != 0;
    out->key.data = (const char *)octets + LMDB_ENVELOPE;
    out->key.len = key_len;
    out->value.data = out->key.data + key_len;
    out->value.len = value_len;
    return out->version != 0;
}

bool lmdb_record_has_expired(const struct lmdb_record *r, int64_t now_s)
{
    return r->expires_s != 0 && r->expires_s <= now_s;
}
