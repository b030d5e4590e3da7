/* Reports of others, and kept octets: what is read is kept and loaded as the
 * same, and no octets that are loaded are another report when kept again. */
#include <onward/tlsrpt.h>

#include "fuzz.h"

static void check_same(struct onward_tlsrpt_report *report)
{
    struct onward_tlsrpt_report *again = NULL;
    struct onward_str first = {0}, second = {0};

    FUZZ_CHECK(onward_tlsrpt_report_save(report, &first) == 0);
    FUZZ_CHECK(onward_tlsrpt_report_load(fuzz_ctx(), NULL, first, &again) == 0);
    FUZZ_CHECK(onward_tlsrpt_report_save(again, &second) == 0);
    FUZZ_CHECK(first.len == second.len &&
               memcmp(first.data, second.data, first.len) == 0);
    onward_tlsrpt_report_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str text = {(const char *)data, size};
    struct onward_tlsrpt_report *report = NULL;
    struct onward_str json = {0};

    if (onward_tlsrpt_report_parse(fuzz_ctx(), NULL, text, &report, NULL) == 0) {
        check_same(report);
        onward_tlsrpt_report_json(report, &json);
    }
    onward_tlsrpt_report_free(report);
    report = NULL;
    if (onward_tlsrpt_report_load(fuzz_ctx(), NULL, text, &report) == 0) {
        check_same(report);
        onward_tlsrpt_report_json(report, &json);
    }
    onward_tlsrpt_report_free(report);
    return 0;
}
