/*
 * Replies of a Redis that may be anything: a reply is the same whatever comes
 * behind it, is not seen before it is whole, and what is said to be wanted is
 * needed.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "resp.h"

static bool is_inside(struct onward_str part, const uint8_t *data, size_t size)
{
    const char *start = (const char *)data;

    return part.len == 0 || (part.data >= start && part.len <= size &&
                             part.data - start <= (ptrdiff_t)(size - part.len));
}

/* At some lengths below that of the whole reply there is none. */
static void check_cuts(const uint8_t *data, size_t len)
{
    struct resp_reply reply = {0};
    size_t step = len < 512 ? 1 : len / 512;

    for (size_t cut = 0; cut < len; cut += step) {
        size_t want = 0;

        FUZZ_CHECK(resp_read((struct onward_str){(const char *)data, cut},
                             &reply, &want) == 0);
        FUZZ_CHECK(want > cut && want <= len);
    }
    resp_clear(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp_reply reply = {0};
    struct onward_str all = {(const char *)data, size};
    size_t want = 0;
    int64_t len = resp_read(all, &reply, &want);

    FUZZ_CHECK(len >= RESP_BROKEN && len <= (int64_t)size);
    if (len > 0) {
        size_t items = reply.values[0].type == RESP_ARRAY
                           ? (size_t)reply.values[0].number
                           : 0;

        FUZZ_CHECK(reply.count == items + 1);
        for (size_t i = 0; i < reply.count; i++)
            FUZZ_CHECK(is_inside(reply.values[i].text, data, (size_t)len));
        check_cuts(data, (size_t)len);
    } else if (len == 0) {
        FUZZ_CHECK(want > size);
    }
    resp_clear(&reply);
    return 0;
}
