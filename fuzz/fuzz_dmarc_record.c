/* A DMARC record of any octets: the linter ends and says where within it; what
 * it calls good is a record; report addresses are visible ASCII. */
#include <onward/dmarc.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_dmarc_fault fault = {.size = sizeof(fault)};
    struct onward_dmarc_record r = {.size = sizeof(r)};
    struct onward_str text = {(const char *)data, size};
    struct onward_str uri;
    int ret = onward_dmarc_lint(text, &fault);
    int parsed = onward_dmarc_record_parse(text, &r);

    FUZZ_CHECK(ret == 0 || ret == ONWARD_ESYNTAX || ret == ONWARD_ENOENT);
    if (ret == ONWARD_ESYNTAX)
        FUZZ_CHECK(fault.offset <= size && fault.text != NULL);
    if (ret == 0)
        FUZZ_CHECK(parsed == 0);
    while (parsed == 0 && onward_dmarc_uri_next(&r.rua, &uri) == 1) {
        for (size_t i = 0; i < uri.len; i++)
            FUZZ_CHECK(uri.data[i] > 0x20 && uri.data[i] < 0x7f);
    }
    return 0;
}
