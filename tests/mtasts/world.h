/*
 * A world for policies: a zone that changes as the test says, a store in
 * memory, and a host that answers requests for connections as told.
 */
#ifndef ONWARD_TESTS_MTASTS_WORLD_H
#define ONWARD_TESTS_MTASTS_WORLD_H

#include <onward/mtasts.h>

#include "core/core_shared.h"
#include "support/support.h"

#define T_POLICY                                                               \
    "version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\n"                 \
    "max_age: 604800\r\n"

struct t_sts {
    struct t_world w;
    int64_t now_ms;
    struct onward_desk *desk;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_resolver *resolver;
    struct onward_tls_config *tls; /* counted here; may be NULL */
    struct onward_mtasts *mtasts;
    /* Lines "name TYPE rdata"; "name TYPE !" fails. Other names do not exist.
     */
    const char *zone;
    size_t questions;
    /* What connect does: the reply, at once; NULL: it waits. */
    const struct onward_mtasts_reply *reply;
    int connect_error; /* with reply NULL: returned */
    int tls_failure;   /* with reply NULL: answered at once; -1: no */
    void (*in_connect)(struct t_sts *x);
    void (*in_allow)(struct t_sts *x);
    size_t connects, cancels;
    uint64_t token; /* the last */
    char name[256];
    struct onward_ip ips[16];
    size_t ip_count;
    /* The lookup that t_sts_ask() made last. */
    struct onward_mtasts_lookup *lookup;
    struct onward_mtasts_verdict v;
    size_t done;
};

/* All made; false: no memory. opts: NULL or the limits to use. */
bool t_sts_try(struct t_sts *x, const struct onward_mtasts_opts *opts);
/* The mtasts alone, with the store and resolver that are there. */
int t_sts_again(struct t_sts *x, const struct onward_mtasts_opts *opts);
void t_sts_init(struct t_sts *x, const struct onward_mtasts_opts *opts);
/* Frees all but the world. */
void t_sts_end(struct t_sts *x);
void t_sts_clear(struct t_sts *x);
void t_sts_run(struct t_sts *x);
/* Ask and run; x->v has the verdict, which lives until the next ask. */
void t_sts_ask(struct t_sts *x, const char *domain);
/* x->v anew. */
void t_sts_look(struct t_sts *x);
/* Let time go by, on both clocks. */
void t_sts_wait(struct t_sts *x, int64_t seconds);
/* The verdict: status, reason. */
void t_sts_expect(struct t_sts *x, size_t status, size_t reason);

extern const struct onward_mtasts_reply t_sts_good;

#endif
