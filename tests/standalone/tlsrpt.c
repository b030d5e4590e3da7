/* tlsrpt alone: a record, and a report with one session. */
#include <onward/tlsrpt.h>

#include "host.h"

int main(void)
{
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_tlsrpt_report *report = NULL;
    struct onward_ctx *ctx = host_ctx();
    const struct onward_tlsrpt_report_opts opts = {
        .size = sizeof(opts),
        .organization = ONWARD_STR("Example"),
        .contact = ONWARD_STR("tls@example.com"),
        .report_id = ONWARD_STR("1"),
        .policy_domain = ONWARD_STR("example.net"),
    };
    const struct onward_tlsrpt_session session = {
        .size = sizeof(session), .type = ONWARD_TLSRPT_NO_POLICY};
    struct onward_str json = {0};
    int ok = ctx != NULL &&
             onward_tlsrpt_record_parse(
                 ONWARD_STR("v=TLSRPTv1;rua=mailto:reports@example.com"),
                 &record, NULL) == 0 &&
             onward_tlsrpt_report_new(ctx, &opts, &report) == 0 &&
             onward_tlsrpt_report_add(report, &session) == 0 &&
             onward_tlsrpt_report_json(report, &json) == 0 && json.len > 0;

    onward_tlsrpt_report_free(report);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
