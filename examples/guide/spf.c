/* spf IP SENDER RECORDS: may this address send mail for that sender? */
#include "host.h"

static void done(void *user, struct onward_spf_check *check)
{
    struct onward_spf_step step = {.size = sizeof(step)};
    struct onward_str why = onward_spf_check_explanation(check);
    int result = onward_spf_check_result(check);

    (void)user;
    printf("spf=%s: %s\n", onward_spf_result_name(result),
           onward_spf_reason_text(onward_spf_check_reason(check)));
    for (size_t i = 0; onward_spf_check_step_at(check, i, &step) == 0; i++)
        printf("  %.*s in %.*s: %s\n", (int)step.term.len, step.term.data,
               (int)step.domain.len, step.domain.data,
               onward_spf_outcome_name((int)step.outcome));
    if (result == ONWARD_SPF_FAIL) /* RFC 7372 section 3.2 */
        printf("550 %s %.*s\n", onward_spf_enhanced_status(result),
               (int)why.len, why.data);
}

int main(int argc, char **argv)
{
    struct onward_ip ip;
    struct onward_spf_opts opts = {.size = sizeof(opts), .client_ip = &ip};
    struct onward_spf_host waiter = {.size = sizeof(waiter), .done = done};
    struct onward_spf_check *check = NULL;
    struct host host;
    int err;

    if (argc != 4 || onward_ip_parse(onward_str_of(argv[1]), &ip) != 0)
        return 2;
    opts.mail_from = onward_str_of(argv[2]);
    opts.helo = ONWARD_STR("mail.example.com");

    err = host_open(&host, argv[3]);
    if (err == 0)
        err = onward_spf_check_new(host.dns, &opts, &waiter, &check);
    if (err == 0)
        host_run(&host);
    onward_spf_check_free(check);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
