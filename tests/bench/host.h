/*
 * A small host for our side: context, desk, and a resolver that is asked over
 * the normal path and answers from a file of records. Public API only.
 */
#ifndef ONWARD_BENCH_HOST_H
#define ONWARD_BENCH_HOST_H

#include <onward/core.h>
#include <onward/dns.h>
#include <onward/key.h>

struct bench_host {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_signer *signer;
    char *zone; /* records as text, one a line */
};

/* Reads `zone` and `key.pem` of the folder. The resolver asks this host once
 * for each name; after that its cache answers, as in a server at work. */
void bench_host_init(struct bench_host *host, const char *folder);
void bench_host_clear(struct bench_host *host);
/* Run the desk until nothing is ready. */
void bench_host_run(struct bench_host *host);

#endif
