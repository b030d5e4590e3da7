/* mtasts DOMAIN MX RECORDS POLICY-FILE: may mail for that domain go to that
 * server? The file stands for what the policy host gives over HTTPS. */
#include "host.h"

struct program {
    struct host host;
    struct onward_str policy; /* of the file */
    const char *mx;
};

/* Asked when there is a policy to fetch. A server connects to one of
 * request->ips here, later calls onward_mtasts_fetch_new(), and moves octets
 * between the socket and onward_mtasts_fetch_channel(). */
static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct program *p = user;
    struct onward_mtasts_reply reply = {.size = sizeof(reply),
                                        .status = 200,
                                        .content_type =
                                            ONWARD_STR("text/plain"),
                                        .body = p->policy};

    printf("fetched from %.*s\n", (int)request->name.len, request->name.data);
    return onward_mtasts_answer_reply(p->host.desk, token, &reply);
}

/* The addresses in the file are for documentation. */
static int allow_address(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

static void done(void *user, struct onward_mtasts_lookup *lookup)
{
    const struct program *p = user;
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    onward_mtasts_lookup_verdict(lookup, &v);
    if (v.policy == NULL) {
        printf("no policy: %s\n", onward_mtasts_reason_text((int)v.reason));
        return;
    }
    printf("policy %.*s: %s\n", (int)v.id.len, v.id.data,
           onward_mtasts_mode_name((int)v.policy->mode));
    if (v.policy->mode != ONWARD_MTASTS_MODE_ENFORCE)
        printf("%s: as without a policy\n", p->mx);
    else if (onward_mtasts_mx_matches(v.policy, onward_str_of(p->mx)) == 1)
        printf("%s: over TLS verified for that name\n", p->mx);
    else
        printf("%s: not there, try the next server or later\n", p->mx);
}

int main(int argc, char **argv)
{
    struct program p = {.mx = ""};
    struct onward_mtasts_opts opts = {.size = sizeof(opts)};
    struct onward_mtasts_host host = {.size = sizeof(host),
                                      .user = &p,
                                      .connect = on_connect,
                                      .allow_address = allow_address};
    struct onward_mtasts_lookup_host waiter = {
        .size = sizeof(waiter), .user = &p, .done = done};
    struct onward_mtasts_lookup *lookup = NULL;
    struct onward_memstore *memory = NULL;
    struct onward_mtasts *mtasts = NULL;
    struct onward_store *store = NULL;
    int err;

    if (argc != 5)
        return 2;
    p.mx = argv[2];
    p.policy = host_read(argv[4]);
    err = host_open(&p.host, argv[3]);
    if (err == 0)
        err = onward_memstore_new(p.host.ctx, NULL, &memory);
    if (err == 0)
        err = onward_memstore_open(memory, p.host.desk, NULL, &store);
    opts.resolver = p.host.dns;
    opts.store = store;
    if (err == 0)
        err = onward_mtasts_new(&opts, &host, &mtasts);
    if (err == 0)
        err = onward_mtasts_lookup_new(mtasts, onward_str_of(argv[1]), &waiter,
                                       &lookup);
    if (err == 0)
        host_run(&p.host);
    onward_mtasts_lookup_free(lookup);
    onward_mtasts_free(mtasts);
    onward_store_free(store);
    onward_memstore_free(memory);
    host_close(&p.host);
    return err == 0 ? 0 : 1;
}
