/* report IP SENDER RECORDS <MESSAGE: the aggregate report of a day with just
 * this message, as the author's domain would get it. */
#include "host.h"

static int count(struct onward_ctx *ctx, const struct onward_verifier *v,
                 struct onward_str *xml, struct onward_dmarc_report **report)
{
    const struct onward_dmarc_check *check = onward_verifier_dmarc_at(v, 0);
    struct onward_dmarc_report_opts opts = {
        .size = sizeof(opts),
        .begin_s = 1600000000,
        .end_s = 1600086399,
        .org_name = ONWARD_STR("Example Mail"),
        .email = ONWARD_STR("postmaster@example.net"),
        .report_id = ONWARD_STR("2020-09-13.example.com"),
        .receiver = ONWARD_STR("example.net")};
    struct onward_dmarc_row *row = NULL;
    int err = onward_dmarc_row_new(ctx, &row);

    if (err == 0) /* ONWARD_ENOENT: there is nothing to report of it */
        err = onward_verifier_report_row(v, 0, ONWARD_STR("example.net"), row);
    if (err == 0) {
        opts.policy_domain = onward_dmarc_check_policy_domain(check);
        opts.record = onward_dmarc_check_record(check);
        err = onward_dmarc_report_new(ctx, &opts, report);
    }
    if (err == 0) /* rows that are alike are counted together */
        err = onward_dmarc_report_add(*report, row);
    if (err == 0)
        err = onward_dmarc_report_xml(*report, xml);
    onward_dmarc_row_free(row);
    return err;
}

int main(int argc, char **argv)
{
    struct onward_ip ip;
    struct onward_verifier_opts facts = {.size = sizeof(facts),
                                         .authserv_id =
                                             ONWARD_STR("mx.example.net"),
                                         .client_ip = &ip};
    struct onward_dmarc_report *report = NULL;
    struct onward_verifier *v = NULL;
    struct onward_str xml = {0};
    struct host host;
    char chunk[4096];
    size_t len;
    int err;

    if (argc != 4 || onward_ip_parse(onward_str_of(argv[1]), &ip) != 0)
        return 2;
    facts.mail_from = onward_str_of(argv[2]);
    err = host_open(&host, argv[3]);
    if (err == 0)
        err = onward_verifier_new(host.dns, &facts, NULL, &v);
    while (err == 0 && (len = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        err = onward_verifier_feed(v, chunk, len);
    if (err == 0)
        err = onward_verifier_finish(v);
    if (err == 0)
        host_run(&host);
    if (err == 0)
        err = count(host.ctx, v, &xml, &report);
    printf("%.*s", (int)xml.len, xml.data);
    onward_dmarc_report_free(report);
    onward_verifier_free(v);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
