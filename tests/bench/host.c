/* Context, desk, resolver and signing key of our side. */
#define _DEFAULT_SOURCE
#include "bench/host.h"

#include <time.h>
#include <unistd.h>

#include "bench/worker.h"

static int64_t wall_s(void *user)
{
    (void)user;
    return time(NULL);
}

static int fill(void *user, void *data, size_t len)
{
    unsigned char *at = data;

    (void)user;
    while (len > 0) {
        size_t n = len < 256 ? len : 256;

        if (getentropy(at, n) != 0)
            return -1;
        at += n;
        len -= n;
    }
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Lines are `name ttl IN TYPE rdata`: answer with those of name and type. */
static int query(void *user, uint64_t token, const char *name, size_t name_len,
                 uint32_t type)
{
    struct bench_host *host = user;
    char want[400];
    const char *at = host->zone;
    size_t want_len;

    want_len =
        (size_t)snprintf(want, sizeof(want), "%.*s 3600 IN %s ", (int)name_len,
                         name, type == ONWARD_DNS_TXT ? "TXT" : "A");
    while (at != NULL && *at != '\0') {
        const char *end = strchr(at, '\n');

        if (strncmp(at, want, want_len) == 0)
            return onward_dns_answer_text(
                host->desk, token,
                (struct onward_str){at, end == NULL ? strlen(at)
                                                    : (size_t)(end - at)},
                0);
        at = end == NULL ? NULL : end + 1;
    }
    return onward_dns_answer_error(host->desk, token, ONWARD_DNS_NXDOMAIN);
}

void bench_host_init(struct bench_host *host, const char *folder)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = wall_s};
    const struct onward_random random = {.size = sizeof(random), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &random};
    const struct onward_resolver_opts resolver = {.size = sizeof(resolver),
                                                  .negative_ttl_max_s = 3600,
                                                  .failure_ttl_s = 3600};
    const struct onward_resolver_host answers = {
        .size = sizeof(answers), .user = host, .query = query};
    struct onward_key *key;
    size_t len, pem_len;
    char *pem = bench_read(folder, "key.pem", &pem_len);

    host->zone = bench_read(folder, "zone", &len);
    if (onward_ctx_new(&opts, &host->ctx) != 0 ||
        onward_desk_new(host->ctx, NULL, &host->desk) != 0 ||
        onward_resolver_new(host->desk, &resolver, &answers, &host->resolver) !=
            0 ||
        onward_key_from_pem(host->ctx, (struct onward_str){pem, pem_len}, NULL,
                            &key) != 0 ||
        onward_signer_new(host->desk, key, NULL, &host->signer) != 0)
        bench_die("cannot set up our side");
    onward_key_free(key);
    free(pem);
}

void bench_host_clear(struct bench_host *host)
{
    onward_signer_free(host->signer);
    onward_resolver_free(host->resolver);
    onward_desk_free(host->desk);
    onward_ctx_free(host->ctx);
    free(host->zone);
}

void bench_host_run(struct bench_host *host)
{
    while (onward_desk_run(host->desk, now_ms()) == 1)
        continue;
}
