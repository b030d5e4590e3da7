/*
 * A value's envelope in LMDB, by whomever: it is refused, or written again it
 * is the same octets.
 */
#include "fuzz.h"

#include "lmdb_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const MDB_val value = {size, (void *)(uintptr_t)data};
    struct lmdb_record r;
    unsigned char *out;

    if (!lmdb_record_read(&value, &r))
        return 0;
    FUZZ_CHECK(r.key.len >= 1 && r.key.len <= ONWARD_STORE_KEY_MAX);
    FUZZ_CHECK(r.version != 0 && lmdb_record_len(&r) == size);
    FUZZ_CHECK(lmdb_record_bytes(&r) >= size);
    out = malloc(size);
    FUZZ_CHECK(out != NULL);
    lmdb_record_write(&r, out);
    FUZZ_CHECK(memcmp(out, data, size) == 0);
    free(out);
    return 0;
}
