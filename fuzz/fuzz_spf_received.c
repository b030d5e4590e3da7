/* A Received-SPF field of any octets: read, or refused; what is read is there
 * when it is asked for. */
#include <onward/spf.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str value = {(const char *)data, size};
    struct onward_spf_received *got = NULL;
    int ret = onward_spf_received_parse(fuzz_ctx(), value, &got);

    FUZZ_CHECK(ret == 0 || ret == ONWARD_ESYNTAX || ret == ONWARD_ENOMEM);
    FUZZ_CHECK((ret == 0) == (got != NULL));
    if (ret == 0) {
        int result = onward_spf_received_result(got);

        FUZZ_CHECK(result > ONWARD_SPF_PENDING &&
                   result <= ONWARD_SPF_PERMERROR);
        FUZZ_CHECK(onward_spf_received_value(got, ONWARD_STR("helo")).len <=
                   size);
    }
    onward_spf_received_free(got);
    return 0;
}
