/*
 * Netstrings of whom we do not trust: nothing is said before the octet that
 * decides it, what is broken stays broken, and what was read is what a writer
 * makes of the text.
 */
#include "fuzz.h"

#include "netstring.h"

enum { MAX = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *octets = (const char *)data;
    struct onward_str text = {0}, early;
    int64_t len = netstring_read((struct onward_str){octets, size}, MAX, &text);
    char head[NETSTRING_HEAD];
    size_t head_len;

    FUZZ_CHECK(len >= NETSTRING_BROKEN && len <= (int64_t)size);
    for (size_t cut = 0; cut < size; cut++) {
        int64_t got =
            netstring_read((struct onward_str){octets, cut}, MAX, &early);

        FUZZ_CHECK(got == 0 || got == len);
        if (len > 0)
            FUZZ_CHECK((got == 0) == (cut < (size_t)len));
        if (len == 0)
            FUZZ_CHECK(got == 0);
    }
    if (len <= 0)
        return 0;
    head_len = netstring_head(text.len, head);
    FUZZ_CHECK(head_len + text.len + 1 == (size_t)len);
    FUZZ_CHECK(memcmp(head, octets, head_len) == 0);
    FUZZ_CHECK(text.data == octets + head_len);
    FUZZ_CHECK(text.data[text.len] == ',');
    return 0;
}
