/*
 * A plan inside: egress.c owns its life and its steps, hosts.c the servers and
 * their order, attempts.c their addresses and what came of them.
 */
#ifndef ONWARD_EGRESS_PRIV_H
#define ONWARD_EGRESS_PRIV_H

#include <onward/egress.h>

#include "dns/dns_shared.h"

enum {
    ONWARD_EGRESS_TEXT_MAX = 512,
    /* Of one server and one family: two are a must (RFC 5321 section 5.1), and
     * no server may take the place of the others. */
    ONWARD_EGRESS_ADDRESSES_MAX = 4
};

enum onward_egress__stage {
    ONWARD_EGRESS__START,
    ONWARD_EGRESS__MX,        /* asked for */
    ONWARD_EGRESS__ADDRESSES, /* asked for */
    ONWARD_EGRESS__READY,     /* attempts can be made */
    ONWARD_EGRESS__OPEN,      /* one is being made */
    ONWARD_EGRESS__ENDED      /* there is a result */
};

/* A name of the options, or what it stands for. */
struct onward_egress__name {
    struct onward_str text;   /* lower-case A-labels, or with brackets */
    struct onward_ip literal; /* family 0: a name */
};

struct onward_egress__server {
    struct onward_egress__name name;
    uint32_t preference;
    bool is_smart_host;
    struct onward_dns__query aaaa, a; /* not asked for a literal */
};

struct onward_egress__attempt {
    const struct onward_egress__server *server;
    struct onward_ip ip;
    size_t tls_level;
    bool is_secure;
};

struct onward_egress {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_egress_opts opts; /* its texts are in the arena */
    struct onward_egress_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    enum onward_egress__stage stage;
    struct onward_egress__name domain;
    struct onward_egress__name *own_names;
    struct onward_egress__name *smart_hosts;
    struct onward_dns__query mx;
    struct onward_egress__server *servers; /* the preferred first */
    size_t server_count;
    size_t asked_count; /* servers with questions, also those left out since */
    struct onward_egress__attempt *attempts;
    size_t attempt_count, attempt_at;
    bool was_refused;                /* an address, by the filter */
    bool was_put_off;                /* a server, by tls_level() */
    struct onward_tls_demand demand; /* of the attempt that is open */
    struct onward_str demand_name;
    char demand_ip[ONWARD_IP_TEXT_MAX];
    size_t fate, code;
    struct onward_str enhanced, text;
    bool has_reply; /* code and text are a server's */
    char enhanced_buf[16];
    char text_buf[ONWARD_EGRESS_TEXT_MAX];
};

/* A host name or address literal; ONWARD_ESYNTAX: neither. */
ONWARD_USE_RESULT int
onward_egress__name_parse(struct onward_arena *arena, struct onward_str text,
                          struct onward_egress__name *name);

/* The plan has ended with a result of our own; the texts are static. */
void onward_egress__end(struct onward_egress *plan, size_t code,
                        const char *enhanced, const char *text);

/* Servers from the options, without MX: smart hosts, or a literal. */
ONWARD_USE_RESULT int onward_egress__servers_given(struct onward_egress *plan);
/* Servers from the MX answer; the plan may have ended. */
ONWARD_USE_RESULT int onward_egress__servers_of_mx(struct onward_egress *plan);
/* Cut the list before the first server of that preference. */
void onward_egress__servers_drop(struct onward_egress *plan,
                                 uint32_t preference);

/* Addresses of all servers, when all are answered; the plan may have ended.
 * Calls the host; it may have freed the plan. */
ONWARD_USE_RESULT int onward_egress__attempts_make(struct onward_egress *plan);

#endif
