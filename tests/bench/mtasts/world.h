/*
 * What both halves of the area share: a host whose DNS has a record for every
 * domain, all made of their numbers.
 */
#ifndef ONWARD_BENCH_MTASTS_WORLD_H
#define ONWARD_BENCH_MTASTS_WORLD_H

#include <onward/mtasts.h>

#define BENCH_POLICY                                                           \
    "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.net\r\n"               \
    "mx: *.mx.example.net\r\nmax_age: 604800\r\n"

struct bench_world {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    size_t done; /* lookups that ended with a policy */
};

void bench_world_init(struct bench_world *w);
void bench_world_clear(struct bench_world *w);
/* The name of a domain; the same length for all, in no order. */
void bench_domain(size_t number, char out[40]);
/* Ask; ends the program when there can be no lookup. */
struct onward_mtasts_lookup *bench_lookup(struct bench_world *w,
                                          struct onward_mtasts *mtasts,
                                          size_t number);
/* CPU time of this process. */
int64_t bench_cpu_ns(void);

#endif
