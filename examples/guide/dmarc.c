/* dmarc AUTHOR SPF-DOMAIN RECORDS: what does the author's domain want done with
 * a message that SPF authenticated for that domain, and nothing else did? */
#include "host.h"

static void done(void *user, struct onward_dmarc_check *check)
{
    struct onward_str where = onward_dmarc_check_policy_domain(check);
    int result = onward_dmarc_check_result(check);

    (void)user;
    printf("dmarc=%s: %s\n", onward_dmarc_result_name(result),
           onward_dmarc_reason_text(onward_dmarc_check_reason(check)));
    printf("policy of %.*s: %s; to be done: %s\n", (int)where.len, where.data,
           onward_dmarc_policy_name(onward_dmarc_check_policy(check)),
           onward_dmarc_policy_name(onward_dmarc_check_disposition(check)));
}

int main(int argc, char **argv)
{
    struct onward_dmarc_opts opts = {.size = sizeof(opts)};
    struct onward_dmarc_host waiter = {.size = sizeof(waiter), .done = done};
    struct onward_dmarc_check *check = NULL;
    struct host host;
    int err;

    if (argc != 4)
        return 2;
    opts.author_domain = onward_str_of(argv[1]);
    err = host_open(&host, argv[3]);
    if (err == 0) /* the policy is looked up while SPF and DKIM are at work */
        err = onward_dmarc_check_new(host.dns, &opts, &waiter, &check);
    if (err == 0)
        err = onward_dmarc_check_add_spf(check, onward_str_of(argv[2]));
    if (err == 0) /* onward_dmarc_check_add_dkim() for each that passed */
        err = onward_dmarc_check_finish(check, 0);
    if (err == 0)
        host_run(&host);
    onward_dmarc_check_free(check);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
