/* Plans over a zone and policies that stand in the test. */
#ifndef TEST_EGRESS_WORLD_H
#define TEST_EGRESS_WORLD_H

#include <onward/dane.h>
#include <onward/egress.h>
#include <onward/mtasts.h>
#include <onward/smtp_client.h>
#include <onward/tlsrpt.h>

#include "support/support.h"

/* A digest of 32 octets, in hex. */
#define D32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct t_egress {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_mtasts *mtasts;
    struct onward_egress *plan;
    struct onward_egress_opts opts;
    struct onward_egress_host host;
    /* What a policy host gives; NULL: it cannot be reached. */
    const char *policy;
    bool is_slow; /* it does not answer */
    size_t done_count;
    int free_at; /* the call of the host in which to free the plan; 0: none */
    int calls;
    int levels[2]; /* of mx1.*, mx2.*: the host's rule */
    char text[8000];
    char results[8000];
};

/* false: no memory. A zone that is NULL: questions wait for an answer. */
bool t_egress_try(struct t_egress *x, const char *zone);
void t_egress_init(struct t_egress *x, const char *zone);
void t_egress_end(struct t_egress *x);
void t_egress_clear(struct t_egress *x);
void t_egress_run(struct t_egress *x);
/* A plan, run to its end; targets may be added in between. */
void t_egress_new(struct t_egress *x, const char *domain);
void t_egress_start(struct t_egress *x, const char *domain);

/* Another process with another DNS and the same store. */
void t_egress_rezone(struct t_egress *x, const char *zone);

/* "mx1.a.example dane(dane); mx2.a.example not-in-policy": each server. */
const char *t_egress_servers(struct t_egress *x);
/* Make the attempts, each as `outcome` says, all as the last does; "mx1.example
 * 192.0.2.1 verified(mtasts); 451 4.4.1". NULL: there was no connection. */
const char *t_egress_attempts(struct t_egress *x,
                              const struct onward_egress_outcome *outcomes,
                              size_t count);
extern const char *const t_egress_levels[];

#endif
