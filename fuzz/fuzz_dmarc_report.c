/* An aggregate report of any octets: read whole or in pieces, it gives the same
 * rows and the same end; the rows that can be written make a report that is
 * read without a fault, with the same messages in it. */
#include <onward/dmarc_report.h>

#include "fuzz.h"

struct reading {
    struct onward_dmarc_report *report; /* may be NULL */
    uint64_t rows, messages, written;
};

static int on_row(void *user, const struct onward_dmarc_row *row)
{
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct reading *r = user;

    FUZZ_CHECK(onward_dmarc_row_get(row, &f) == 0);
    r->rows++;
    r->messages += f.count != 0 ? f.count : 1;
    if (r->report != NULL && f.count < (uint64_t)1 << 40 &&
        onward_dmarc_report_add(r->report, row) == 0)
        r->written += f.count != 0 ? f.count : 1;
    return 0;
}

static int read_it(struct reading *r, const char *data, size_t size,
                   size_t piece, struct onward_dmarc_report_facts *facts)
{
    const struct onward_dmarc_reader_host host = {
        .size = sizeof(host), .user = r, .row = on_row};
    struct onward_dmarc_reader *reader = NULL;
    struct onward_dmarc_report_fault fault = {.size = sizeof(fault)};
    int err = onward_dmarc_reader_new(fuzz_ctx(), NULL, &host, &reader);

    if (err == ONWARD_ENOENT)
        return err;
    FUZZ_CHECK(err == 0);
    for (size_t at = 0; at < size && err == 0; at += piece)
        err = onward_dmarc_reader_feed(reader, data + at,
                                       size - at < piece ? size - at : piece);
    if (err == 0)
        err = onward_dmarc_reader_finish(reader);
    if (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT)
        FUZZ_CHECK(onward_dmarc_reader_fault(reader, &fault) == 0 &&
                   fault.line >= 1 && fault.offset <= size);
    FUZZ_CHECK(onward_dmarc_reader_facts(reader, facts) == 0);
    /* Texts go with the reader. */
    facts->rows = r->rows;
    onward_dmarc_reader_free(reader);
    return err;
}

static struct onward_dmarc_report *make_report(void)
{
    const struct onward_dmarc_report_opts o = {
        .size = sizeof(o),
        .org_name = ONWARD_STR("o"),
        .email = ONWARD_STR("e"),
        .report_id = ONWARD_STR("i"),
        .receiver = ONWARD_STR("r.example"),
        .policy_domain = ONWARD_STR("a.example"),
        .record = ONWARD_STR("v=DMARC1; p=none")};
    struct onward_dmarc_report *report = NULL;

    FUZZ_CHECK(onward_dmarc_report_new(fuzz_ctx(), &o, &report) == 0);
    return report;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_dmarc_report_facts whole = {.size = sizeof(whole)};
    struct onward_dmarc_report_facts cut = {.size = sizeof(cut)};
    struct reading first = {.report = make_report()}, second = {0}, back = {0};
    struct onward_str xml;
    size_t piece = size != 0 ? data[size - 1] % 7 + 1 : 1;
    int err = read_it(&first, (const char *)data, size, size + 1, &whole);

    FUZZ_CHECK(read_it(&second, (const char *)data, size, piece, &cut) == err);
    FUZZ_CHECK(first.rows == second.rows && first.messages == second.messages);
    if (err == 0)
        FUZZ_CHECK(whole.oddities == cut.oddities &&
                   whole.schema == cut.schema);
    if (first.written != 0) {
        FUZZ_CHECK(onward_dmarc_report_xml(first.report, &xml) == 0);
        FUZZ_CHECK(read_it(&back, xml.data, xml.len, 4096, &whole) == 0);
        FUZZ_CHECK(back.messages == first.written);
        FUZZ_CHECK((whole.oddities & ~(size_t)(ONWARD_DMARC_ODDITY_MISSING |
                                               ONWARD_DMARC_ODDITY_LONG |
                                               ONWARD_DMARC_ODDITY_MANY)) == 0);
    }
    onward_dmarc_report_free(first.report);
    return 0;
}
