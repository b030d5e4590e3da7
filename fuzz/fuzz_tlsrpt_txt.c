/* Records: what linters pass, senders take; each URI is a part of the text. */
#include <onward/tlsrpt.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str text = {(const char *)data, size};
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_tlsrpt_fault fault = {.size = sizeof(fault)};
    struct onward_str rest, uri;
    int ret = onward_tlsrpt_record_parse(text, &record, &fault);
    int count = 0;

    FUZZ_CHECK(ret == 0 || ret == ONWARD_ENOENT || ret == ONWARD_ESYNTAX);
    if (ret == ONWARD_ESYNTAX)
        FUZZ_CHECK(fault.offset <= size && fault.is_void == 1);
    if (onward_tlsrpt_record_lint(text, NULL) == 0)
        FUZZ_CHECK(ret == 0);
    rest = record.rua;
    while (ret == 0 && onward_tlsrpt_rua_next(&rest, &uri) == 1) {
        FUZZ_CHECK(uri.data >= text.data &&
                   uri.data + uri.len <= text.data + text.len);
        count++;
    }
    FUZZ_CHECK(ret != 0 || count > 0);
    return 0;
}
