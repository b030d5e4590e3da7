/*
 * TXT records of _mta-sts, with line feeds between them: at most one is taken,
 * and its id can be written and read again.
 */
#include "fuzz.h"

#include <onward/mtasts.h>

#include "core/core_shared.h"

enum { RECORDS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_mtasts_record record = {.size = sizeof(record)};
    struct onward_mtasts_record again = {.size = sizeof(again)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault), .text = ""};
    struct onward_str texts[RECORDS_MAX];
    struct onward_str rest = onward_core__str(data, size);
    size_t count = 0, good = 0;
    char out[64];
    int ret, len;

    while (count < RECORDS_MAX && (rest.len != 0 || count == 0)) {
        size_t end = onward_core__str_find(rest, '\n');

        texts[count++] = onward_core__sub(rest, 0, end);
        rest = onward_core__sub(rest, end + 1, rest.len);
    }
    for (size_t i = 0; i < count; i++) {
        ret = onward_mtasts_record_parse(texts[i], &again, &fault);
        good += ret == 0;
        if (ret == ONWARD_ESYNTAX)
            FUZZ_CHECK(fault.is_void == 1 && fault.offset <= texts[i].len);
        /* Who is strict takes nothing that the others refuse. */
        FUZZ_CHECK(ret == 0 ||
                   onward_mtasts_record_lint(texts[i], NULL) == ret);
    }
    ret = onward_mtasts_records_parse(texts, count, &record, &fault);
    FUZZ_CHECK(ret == 0 || record.id.len == 0);
    if (ret != 0)
        return 0;
    FUZZ_CHECK(good == 1 && record.id.len >= 1 && record.id.len <= 32);
    len = onward_mtasts_record_write(record.id, out, sizeof(out));
    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_mtasts_record_lint(onward_core__str(out, (size_t)len),
                                         NULL) == 0);
    FUZZ_CHECK(onward_mtasts_record_parse(onward_core__str(out, (size_t)len),
                                          &again, NULL) == 0);
    FUZZ_CHECK(onward_core__str_eq(again.id, record.id));
    return 0;
}
