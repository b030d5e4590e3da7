/* A date that is read and written again is the same moment. */
#include "fuzz.h"

#include <onward/mime_text.h>

#include "core/text_shared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t at = 0, again = 0;
    int32_t east = 0;
    struct onward_buf b;

    if (onward_date_parse(onward_core__str(data, size), &at, &east) != 0)
        return 0;
    FUZZ_CHECK(east > -6000 && east < 6000);
    /* The first and the last day of all may lie outside by the zone. */
    if (at < -INT64_C(62135596800) || at > INT64_C(253402300799))
        return 0;
    onward_core__buf_init(&b, fuzz_ctx(), 100);
    FUZZ_CHECK(onward_core__date_rfc5322(&b, at) == 0);
    FUZZ_CHECK(onward_date_parse(onward_core__buf_str(&b), &again, &east) == 0);
    FUZZ_CHECK(again == at && east == 0);
    onward_core__buf_clear(&b);
    return 0;
}
