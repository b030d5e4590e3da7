/* egress DOMAIN RECORDS POLICY-FILE: where mail for that domain goes, and what
 * each server must prove. No connection is made: all attempts fail. */
#include "host.h"

struct program {
    struct host host;
    struct onward_str policy; /* of the file: what the policy host gives */
    struct onward_egress *plan;
};

static const char *const levels[] = {"",          "none",     "opportunistic",
                                     "encrypted", "verified", "dane"};

/* A server connects to the policy host here; see the page on MTA-STS. */
static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct program *p = user;
    struct onward_mtasts_reply reply = {.size = sizeof(reply),
                                        .status = 200,
                                        .content_type =
                                            ONWARD_STR("text/plain"),
                                        .body = p->policy};

    (void)request;
    return onward_mtasts_answer_reply(p->host.desk, token, &reply);
}

/* The addresses in the file are for documentation. A server leaves this out:
 * without it, addresses that are not public are refused. */
static int allow_address(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

/* For the report on TLS of that domain: onward_tlsrpt_report_add(). */
static void tls_result(void *user, const char *domain, size_t len,
                       const struct onward_tlsrpt_session *s)
{
    (void)user;
    printf("TLS report for %.*s: %s %.*s at %.*s\n", (int)len, domain,
           onward_tlsrpt_type_name((int)s->type), (int)s->result_type.len,
           s->result_type.data, (int)s->receiving_mx.len, s->receiving_mx.data);
}

/* A server connects to attempt.ip, makes an onward_smtp_client with
 * attempt.tls, says attempt.require_tls in its envelope, and gives what came
 * of it to onward_egress_report_client(). */
static void try_all(struct onward_egress *plan)
{
    struct onward_egress_attempt a = {.size = sizeof(a)};
    struct onward_egress_outcome failed = {.size = sizeof(failed),
                                           .fate = ONWARD_EGRESS_TEMPORARY};
    struct onward_egress_verdict v = {.size = sizeof(v)};

    while (onward_egress_next(plan, &a) == 1) {
        char ip[ONWARD_IP_TEXT_MAX];

        onward_ip_format(a.ip, ip, sizeof(ip));
        printf("try %.*s [%s]:%zu, TLS %s: %s\n", (int)a.host.len, a.host.data,
               ip, a.port, levels[a.tls->level],
               onward_egress_reason_text((int)a.reason));
        onward_egress_report(plan, &failed);
    }
    onward_egress_result(plan, &v);
    printf("%zu %.*s %.*s\n", v.code, (int)v.enhanced.len, v.enhanced.data,
           (int)v.text.len, v.text.data);
}

static void done(void *user, struct onward_egress *plan)
{
    (void)user;
    for (size_t i = 0; i < onward_egress_server_count(plan); i++) {
        struct onward_egress_server_facts f = {.size = sizeof(f)};

        onward_egress_server_at(plan, i, &f);
        if (f.use != ONWARD_EGRESS_USE_YES)
            printf("not %.*s: %s\n", (int)f.host.len, f.host.data,
                   onward_egress_use_text((int)f.use));
    }
    try_all(plan);
}

static int start(struct program *p, const char *domain,
                 struct onward_mtasts *mtasts)
{
    const struct onward_str ourselves = ONWARD_STR("mx.fwd.example.net");
    struct onward_egress_opts opts = {.size = sizeof(opts),
                                      .domain = onward_str_of(domain),
                                      .own_names = &ourselves,
                                      .own_name_count = 1,
                                      .mtasts = mtasts};
    struct onward_egress_host host = {.size = sizeof(host),
                                      .user = p,
                                      .done = done,
                                      .allow_address = allow_address,
                                      .tls_result = tls_result};

    return onward_egress_new(p->host.dns, &opts, &host, &p->plan);
}

int main(int argc, char **argv)
{
    struct program p = {.plan = NULL};
    struct onward_mtasts_opts opts = {.size = sizeof(opts)};
    struct onward_mtasts_host host = {.size = sizeof(host),
                                      .user = &p,
                                      .connect = on_connect,
                                      .allow_address = allow_address};
    struct onward_memstore *memory = NULL;
    struct onward_mtasts *mtasts = NULL;
    struct onward_store *store = NULL;
    int err;

    if (argc != 4)
        return 2;
    p.policy = host_read(argv[3]);
    err = host_open(&p.host, argv[2]);
    if (err == 0)
        err = onward_memstore_new(p.host.ctx, NULL, &memory);
    if (err == 0)
        err = onward_memstore_open(memory, p.host.desk, NULL, &store);
    opts.resolver = p.host.dns;
    opts.store = store;
    if (err == 0)
        err = onward_mtasts_new(&opts, &host, &mtasts);
    if (err == 0)
        err = start(&p, argv[1], mtasts);
    if (err == 0)
        host_run(&p.host);
    onward_egress_free(p.plan);
    onward_mtasts_free(mtasts);
    onward_store_free(store);
    onward_memstore_free(memory);
    host_close(&p.host);
    return err == 0 ? 0 : 1;
}
