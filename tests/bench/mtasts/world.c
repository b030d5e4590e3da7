#define _GNU_SOURCE
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/worker.h"
#include "host.h"

int64_t bench_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Every name has an address, each record an id. */
static int query(void *user, uint64_t token, const char *name, size_t name_len,
                 uint32_t type)
{
    struct bench_world *w = user;
    char line[200];

    if (type == ONWARD_DNS_AAAA)
        return onward_dns_answer_error(w->desk, token, ONWARD_DNS_NODATA);
    snprintf(line, sizeof(line),
             type == ONWARD_DNS_TXT
                 ? "%.*s 3600 IN TXT \"v=STSv1; id=20260101T000000;\""
                 : "%.*s 3600 IN A 127.0.0.1",
             (int)name_len, name);
    return onward_dns_answer_text(w->desk, token, onward_str_of(line), 0);
}

void bench_world_init(struct bench_world *w)
{
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .in_flight = 4096};
    const struct onward_resolver_host host = {
        .size = sizeof(host), .user = w, .query = query};

    memset(w, 0, sizeof(*w));
    w->ctx = host_ctx_new(NULL);
    if (w->ctx == NULL || onward_desk_new(w->ctx, NULL, &w->desk) != 0 ||
        onward_resolver_new(w->desk, &opts, &host, &w->resolver) != 0)
        bench_die("cannot set up our side");
}

void bench_world_clear(struct bench_world *w)
{
    onward_resolver_free(w->resolver);
    onward_desk_free(w->desk);
    onward_ctx_free(w->ctx);
}

void bench_domain(size_t number, char out[40])
{
    uint32_t mixed = (uint32_t)number * 2654435761u;

    snprintf(out, 40, "d%08" PRIx32 ".example.com", mixed);
}

static void on_done(void *user, struct onward_mtasts_lookup *lookup)
{
    struct bench_world *w = user;
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    onward_mtasts_lookup_verdict(lookup, &v);
    if (v.policy == NULL || v.policy->mode != ONWARD_MTASTS_MODE_ENFORCE ||
        onward_mtasts_mx_matches(v.policy, ONWARD_STR("a.mx.example.net")) != 1)
        bench_die(onward_mtasts_reason_text((int)v.reason));
    w->done++;
}

struct onward_mtasts_lookup *
bench_lookup(struct bench_world *w, struct onward_mtasts *mtasts, size_t number)
{
    const struct onward_mtasts_lookup_host host = {
        .size = sizeof(host), .user = w, .done = on_done};
    struct onward_mtasts_lookup *lookup = NULL;
    char domain[40];

    bench_domain(number, domain);
    if (onward_mtasts_lookup_new(mtasts, onward_str_of(domain), &host,
                                 &lookup) != 0)
        bench_die("no lookup");
    return lookup;
}
