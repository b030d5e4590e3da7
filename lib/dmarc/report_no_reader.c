/* Built without libexpat: there is no reader, and onward_dmarc_reader_new()
 * says so. The others are never called with one. */
#include "dmarc/report_priv.h"

int onward_dmarc_reader_new(struct onward_ctx *ctx,
                            const struct onward_dmarc_reader_opts *opts,
                            const struct onward_dmarc_reader_host *host,
                            struct onward_dmarc_reader **reader)
{
    (void)ctx;
    (void)opts;
    (void)host;
    (void)reader;
    return ONWARD_ENOENT;
}

void onward_dmarc_reader_free(struct onward_dmarc_reader *reader)
{
    (void)reader;
}

int onward_dmarc_reader_feed(struct onward_dmarc_reader *reader,
                             const void *data, size_t len)
{
    (void)reader;
    (void)data;
    (void)len;
    return ONWARD_ESTATE;
}

int onward_dmarc_reader_finish(struct onward_dmarc_reader *reader)
{
    (void)reader;
    return ONWARD_ESTATE;
}

int onward_dmarc_reader_facts(const struct onward_dmarc_reader *reader,
                              struct onward_dmarc_report_facts *facts)
{
    (void)reader;
    (void)facts;
    return ONWARD_EINVAL;
}

int onward_dmarc_reader_fault(const struct onward_dmarc_reader *reader,
                              struct onward_dmarc_report_fault *fault)
{
    (void)reader;
    (void)fault;
    return ONWARD_EINVAL;
}
