/* How a report travels: file name, and mail (RFC 8460 sections 5.1, 5.3). */
#include "tlsrpt/tlsrpt_priv.h"

static struct onward_str submitter(const struct onward_tlsrpt_report *r)
{
    struct onward_str s = r->opts.contact;

    return onward_core__sub(s, onward_core__str_rfind(s, '@') + 1, s.len);
}

int onward_tlsrpt_report_file_name(struct onward_tlsrpt_report *report,
                                   struct onward_str unique, int is_gzip,
                                   struct onward_str *name)
{
    const struct onward_core__report_name parts = {
        .submitter = submitter(report),
        .policy_domain = report->opts.policy_domain,
        .begin_s = report->opts.begin_s,
        .end_s = report->opts.end_s,
        .unique = unique,
        .extension = is_gzip != 0 ? ".json.gz" : ".json"};
    int err;

    if (!onward_tlsrpt__is_ours(report))
        return ONWARD_ESTATE;
    onward_core__buf_reset(&report->out);
    err = onward_core__report_name(&report->out, &parts);
    if (err == 0)
        *name = onward_core__buf_str(&report->out);
    return err;
}

static int set_subject(const struct onward_tlsrpt_report *r,
                       struct onward_builder *builder)
{
    struct onward_str id = r->opts.report_id;
    struct onward_buf b;
    int err;

    onward_core__buf_init(&b, r->ctx, SIZE_MAX);
    onward_core__buf_add_text(&b, "Report Domain: ");
    onward_core__buf_add_str(&b, r->opts.policy_domain);
    onward_core__buf_add_text(&b, " Submitter: ");
    onward_core__buf_add_str(&b, submitter(r));
    onward_core__buf_add_text(&b, " Report-ID: <");
    onward_core__buf_add_str(&b, id);
    if (onward_core__str_find(id, '@') == id.len) {
        onward_core__buf_add_byte(&b, '@');
        onward_core__buf_add_str(&b, submitter(r));
    }
    err = onward_core__buf_add_byte(&b, '>');
    if (err == 0)
        err = onward_builder_set_subject(builder, onward_core__buf_str(&b));
    onward_core__buf_clear(&b);
    return err;
}

static int set_text(const struct onward_tlsrpt_report *r,
                    struct onward_builder *builder)
{
    struct onward_buf b;
    int err;

    onward_core__buf_init(&b, r->ctx, SIZE_MAX);
    onward_core__buf_add_text(&b, "This is an aggregate TLS report from ");
    onward_core__buf_add_str(&b, submitter(r));
    onward_core__buf_add_text(&b, ".\n");
    err = b.err;
    if (err == 0)
        err = onward_builder_set_text(builder, onward_core__buf_str(&b));
    onward_core__buf_clear(&b);
    return err;
}

static int add_data(struct onward_tlsrpt_report *r,
                    struct onward_builder *builder, struct onward_str data,
                    int is_gzip)
{
    struct onward_builder_part part = {
        .size = sizeof(part),
        .type = is_gzip != 0 ? ONWARD_STR("application/tlsrpt+gzip")
                             : ONWARD_STR("application/tlsrpt+json")};
    struct onward_buf copy;
    int err;

    /* It may be what the report gave out last, where the name goes now. */
    onward_core__buf_init(&copy, r->ctx, SIZE_MAX);
    err = onward_core__buf_add_str(&copy, data);
    part.data = onward_core__buf_str(&copy);
    if (err == 0)
        err = onward_tlsrpt_report_file_name(r, ONWARD_STR(""), is_gzip,
                                             &part.file_name);
    if (err == 0)
        err = onward_builder_add_part(builder, &part);
    onward_core__buf_clear(&copy);
    return err;
}

int onward_tlsrpt_report_mail(struct onward_tlsrpt_report *report,
                              struct onward_builder *builder,
                              struct onward_str data, int is_gzip)
{
    const struct onward_builder_report type = {
        .size = sizeof(type), .report_type = ONWARD_STR("tlsrpt")};
    int err;

    if (!onward_tlsrpt__is_ours(report))
        return ONWARD_ESTATE;
    err = onward_builder_set_report(builder, &type);
    if (err == 0)
        err = set_subject(report, builder);
    if (err == 0)
        err = onward_builder_add_field(builder, ONWARD_STR("TLS-Report-Domain"),
                                       report->opts.policy_domain);
    if (err == 0)
        err = onward_builder_add_field(
            builder, ONWARD_STR("TLS-Report-Submitter"), submitter(report));
    if (err == 0)
        err = set_text(report, builder);
    return err == 0 ? add_data(report, builder, data, is_gzip) : err;
}
