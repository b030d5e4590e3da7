/* An SPF record of any octets: the linter ends, and says where within it. */
#include <onward/spf.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_spf_fault fault = {.size = sizeof(fault)};
    struct onward_str record = {(const char *)data, size};
    int ret = onward_spf_lint(fuzz_ctx(), record, &fault);

    FUZZ_CHECK(ret == 0 || ret == ONWARD_ESYNTAX || ret == ONWARD_ENOENT ||
               ret == ONWARD_ENOMEM);
    if (ret == ONWARD_ESYNTAX)
        FUZZ_CHECK(fault.offset <= size && fault.text != NULL);
    return 0;
}
