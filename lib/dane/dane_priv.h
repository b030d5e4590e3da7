/*
 * A look-up inside: lookup.c asks, choose.c decides what of an answer counts.
 */
#ifndef ONWARD_DANE_PRIV_H
#define ONWARD_DANE_PRIV_H

#include <onward/dane.h>

#include "dns/dns_shared.h"
#include "tls/tls_shared.h"

enum {
    ONWARD_DANE__BASES_MAX = 2, /* behind the CNAMEs, and the name itself */
    ONWARD_DANE__NAMES_MAX = 3, /* the base, the next hop, that one's CNAME */
    ONWARD_DANE__MEMORY_MAX = 16384
};

enum onward_dane__stage {
    ONWARD_DANE__START,
    ONWARD_DANE__ADDRESSES, /* asked for */
    ONWARD_DANE__ALIAS,     /* asked for */
    ONWARD_DANE__RECORDS,   /* asked for, at bases[base_at] */
    ONWARD_DANE__DONE
};

struct onward_dane_lookup {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dane_lookup_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    enum onward_dane__stage stage;
    enum onward_dane_result result;
    enum onward_dane_reason reason;
    enum onward_dane_origin origin;
    size_t port;
    bool skip_insecure_mx;
    bool is_literal;
    uint64_t log_id;

    struct onward_str name; /* the server; empty: no host name */
    struct onward_str next_hop, next_hop_canonical;
    struct onward_dns__query aaaa, a, alias, tlsa;

    struct onward_str bases[ONWARD_DANE__BASES_MAX];
    size_t base_count, base_at;
    bool saw_insecure; /* records that did not count for that */
    struct onward_str asked;

    /* Of the result. */
    struct onward_str *records; /* point into the answer of tlsa */
    size_t record_count;
    struct onward_str names[ONWARD_DANE__NAMES_MAX];
    size_t name_count;
};

/* Fill records from a secure answer. 0, or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_dane__records_choose(struct onward_dane_lookup *lookup,
                            const struct onward_dns__answer *answer);
/* Fill names, for the base domain that was found. */
void onward_dane__names_choose(struct onward_dane_lookup *lookup);

#endif
