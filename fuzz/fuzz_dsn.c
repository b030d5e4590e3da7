/* Notices: whatever is read stands in its bounds, and a recipient that was read
 * and can be written again is read as the same. */
#include <onward/dsn.h>

#include "fuzz.h"

static void again(const struct onward_dsn_recipient *r)
{
    static char out[1 << 20];
    const struct onward_dsn_opts opts = {
        .size = sizeof(opts),
        .reporting_mta = ONWARD_STR("mx.example.com"),
        .reverse_path = ONWARD_STR("alice@example.org"),
        .date_s = 1600000000,
    };
    const struct onward_dsn_outcome o = {
        .size = sizeof(o),
        .action = r->action,
        .notify = ONWARD_SMTP_NOTIFY_SUCCESS | ONWARD_SMTP_NOTIFY_FAILURE |
                  ONWARD_SMTP_NOTIFY_DELAY,
        .recipient = r->final_recipient,
        .status = r->status,
        .diagnostic = r->diagnostic,
    };
    struct onward_dsn_recipient got = {.size = sizeof(got)};
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    const struct onward_source *source = NULL;
    struct onward_dsn_notice *notice = NULL;
    struct onward_builder *b = NULL;
    struct onward_dsn *dsn = NULL;
    size_t len = 0, more = 0;

    FUZZ_CHECK(onward_dsn_new(fuzz_ctx(), &opts, &dsn) == 0);
    if (onward_dsn_add(dsn, &o) == 1) {
        FUZZ_CHECK(onward_dsn_build(dsn, &b) == 0);
        FUZZ_CHECK(onward_builder_source(b, &source) == 0);
        FUZZ_CHECK(source->len <= sizeof(out));
        while (len < source->len) {
            FUZZ_CHECK(source->read(source->user, len, out + len,
                                    sizeof(out) - len, &more) == 0);
            len += more;
        }
        FUZZ_CHECK(onward_dsn_parse(fuzz_ctx(), (struct onward_str){out, len},
                                    NULL, &notice) == 0);
        onward_dsn_notice_facts(notice, &facts);
        FUZZ_CHECK(facts.count == 1 && facts.oddities == 0);
        FUZZ_CHECK(onward_dsn_notice_recipient(notice, 0, &got) == 0);
        FUZZ_CHECK(got.action == r->action &&
                   got.final_recipient.len == r->final_recipient.len &&
                   memcmp(got.final_recipient.data, r->final_recipient.data,
                          got.final_recipient.len) == 0 &&
                   got.status.len == r->status.len);
    }
    onward_dsn_notice_free(notice);
    onward_builder_free(b);
    onward_dsn_free(dsn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_dsn_parse_opts opts = {
        .size = sizeof(opts), .max_recipients = 20, .allow_lf = size & 1};
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_notice *notice = NULL;

    if (size > 65536 ||
        onward_dsn_parse(fuzz_ctx(),
                         (struct onward_str){(const char *)data, size}, &opts,
                         &notice) != 0)
        return 0;
    FUZZ_CHECK(onward_dsn_notice_facts(notice, &facts) == 0);
    FUZZ_CHECK(facts.count <= 20);
    for (size_t i = 0; i < facts.count; i++) {
        struct onward_dsn_recipient r = {.size = sizeof(r)};

        FUZZ_CHECK(onward_dsn_notice_recipient(notice, i, &r) == 0);
        again(&r);
    }
    onward_dsn_notice_free(notice);
    return 0;
}
