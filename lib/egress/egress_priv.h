/*
 * A plan inside: egress.c owns its life and its steps, targets.c what is asked
 * for each next hop, servers.c their servers and their order, policy.c what a
 * server must prove, addresses.c where attempts go, attempts.c and client.c
 * what comes of them, ends.c how a plan ends without one, results.c what
 * reports on TLS hear, explain.c what people do. retry.c stands alone.
 */
#ifndef ONWARD_EGRESS_PRIV_H
#define ONWARD_EGRESS_PRIV_H

#include <onward/dane.h>
#include <onward/egress.h>
#include <onward/mtasts.h>

#include "dns/dns_shared.h"

enum {
    ONWARD_EGRESS_TEXT_MAX = 512,
    /* Of one server and one family: two are a must (RFC 5321 section 5.1), and
     * no server may take the place of the others. */
    ONWARD_EGRESS_ADDRESSES_MAX = 4
};

enum onward_egress__stage {
    ONWARD_EGRESS__START,
    ONWARD_EGRESS__ASKING, /* servers, policies, addresses, records */
    ONWARD_EGRESS__READY,  /* attempts can be made */
    ONWARD_EGRESS__OPEN,   /* one is being made */
    ONWARD_EGRESS__ENDED   /* there is a result */
};

/* A name of the options, or what it stands for. */
struct onward_egress__name {
    struct onward_str text;   /* lower-case A-labels, or with brackets */
    struct onward_ip literal; /* family 0: a name */
};

/* A result of our own; the texts are static. code 0: none. */
struct onward_egress__end {
    size_t code;
    const char *enhanced, *text;
};

/* A next hop: the domain, or what the host wants in its place. */
struct onward_egress__target {
    struct onward_egress__target *next;
    struct onward_egress__name name;
    size_t port, protocol, tls_level;
    bool by_mx;
    bool is_given; /* by the host: its name needs no proof */
    bool allow_private;

    struct onward_dns__query mx;
    bool has_policy_question;
    struct onward_mtasts_lookup *lookup;
    struct onward_mtasts_verdict verdict; /* policy NULL: none is in force */

    struct onward_egress__server *servers; /* the preferred first */
    size_t server_count;
    bool is_listed;
    struct onward_egress__end end; /* why it has no servers */
};

/* What holds at a server. */
struct onward_egress__judgment {
    enum onward_egress_use use; /* PENDING: nothing against it */
    enum onward_tls_level level;
    enum onward_egress_reason reason;
    bool does_both;   /* TLSA records, and authorities by name */
    bool require_tls; /* say REQUIRETLS */
};

struct onward_egress__server {
    struct onward_egress__target *target;
    struct onward_egress__name name;
    uint32_t preference;
    bool is_mx; /* named by an MX record */
    /* Ruled out before its addresses are asked for, or by them. */
    enum onward_egress_use use;
    struct onward_dns__query aaaa, a; /* not asked for a literal */
    struct onward_dane_lookup *dane;  /* NULL: not asked */
    enum onward_tls_level own_level;  /* of the host, for that server */
    enum onward_egress_reason own_reason;
    bool is_in_policy;
    struct onward_egress__judgment judged;
    /* Of a bounce, where it cannot have REQUIRETLS. */
    struct onward_egress__judgment fallback;
    bool was_told;             /* to tls_result, that it is not used */
    struct onward_str records; /* TLSA, for reports; empty: not yet made */
};

struct onward_egress__address {
    const struct onward_egress__server *server;
    struct onward_ip ip;
    bool is_secure;
    enum onward_egress_use use;
};

struct onward_egress__attempt {
    struct onward_egress__server *server;
    const struct onward_egress__judgment *judged;
    struct onward_ip ip;
    bool is_secure;
    bool is_clear; /* without the TLS that failed there */
};

struct onward_egress {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_egress_opts opts; /* its texts are in the arena */
    struct onward_egress_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    uint64_t log_id;
    enum onward_egress__stage stage;
    struct onward_egress__name domain;
    struct onward_egress__name *own_names;
    struct onward_egress__target *targets; /* in order */
    size_t target_count;

    /* All of all targets, once every question is answered. */
    struct onward_egress__server **servers;
    size_t server_count;
    struct onward_egress__address *addresses;
    size_t address_count, address_room;
    struct onward_egress__attempt *attempts; /* room for two an address */
    size_t attempt_count, attempt_at;

    struct onward_tls_demand demand; /* of the attempt that is open */
    struct onward_str demand_name;
    char demand_ip[ONWARD_IP_TEXT_MAX];

    size_t fate, code;
    struct onward_str enhanced, text;
    bool has_reply; /* code and text are a server's */
    /* Of the last server that could not give REQUIRETLS; code 0: none. */
    struct onward_egress__end tls_end;
    bool saw_temporary; /* an attempt that may go well another time */
    char enhanced_buf[16];
    char text_buf[ONWARD_EGRESS_TEXT_MAX];
};

/* ---- egress.c ---------------------------------------------------------- */

/* The plan has ended with a result of our own. */
void onward_egress__end(struct onward_egress *plan,
                        const struct onward_egress__end *end);
/* The memory, once nobody is inside any more. */
void onward_egress__destroy(struct onward_egress *plan);

/* ---- targets.c --------------------------------------------------------- */

/* A host name or address literal; ONWARD_ESYNTAX: neither. */
ONWARD_USE_RESULT int
onward_egress__name_parse(struct onward_arena *arena, struct onward_str text,
                          struct onward_egress__name *name);
/* The domain as the one target, unless there are some. */
ONWARD_USE_RESULT int onward_egress__targets_start(struct onward_egress *plan);
/* Ask what the answers so far allow to be asked. */
ONWARD_USE_RESULT int onward_egress__targets_go_on(struct onward_egress *plan);
bool onward_egress__targets_have_all(const struct onward_egress *plan);
void onward_egress__targets_clear(struct onward_egress *plan);

/* ---- servers.c --------------------------------------------------------- */

/* The target itself is the server. */
ONWARD_USE_RESULT int
onward_egress__servers_given(struct onward_egress *plan,
                             struct onward_egress__target *target);
/* Servers from the MX answer, or the target's end. */
ONWARD_USE_RESULT int
onward_egress__servers_of_mx(struct onward_egress *plan,
                             struct onward_egress__target *target);
/* Leave out those of the target that are not preferred to a server with one of
 * our addresses. */
void onward_egress__servers_drop_own(struct onward_egress *plan,
                                     struct onward_egress__target *target);
bool onward_egress__is_own_ip(const struct onward_egress *plan,
                              const struct onward_ip *ip);
bool onward_egress__same_ip(const struct onward_ip *a,
                            const struct onward_ip *b);
struct onward_ip onward_egress__ip_of(struct onward_str data, int32_t family);

/* ---- policy.c ---------------------------------------------------------- */

/* What each server must prove. Calls tls_level(), which may free the plan. */
void onward_egress__judge_all(struct onward_egress *plan);
/* Could the policy of the target, or whether it has one, not be found out? */
bool onward_egress__policy_is_unsure(
    const struct onward_egress__target *target);

/* ---- addresses.c ------------------------------------------------------- */

/* Addresses and attempts of the servers that may be used. Calls
 * allow_address(), which may free the plan. */
ONWARD_USE_RESULT int onward_egress__addresses_make(struct onward_egress *plan);

/* ---- ends.c ------------------------------------------------------------ */

/* There is no attempt to make, or none is left. */
void onward_egress__end_without(struct onward_egress *plan);
/* Is there a server that may be used another time? */
bool onward_egress__may_change(const struct onward_egress *plan);

/* ---- results.c --------------------------------------------------------- */

/* Tell of the servers that the plan passes over on its way to the attempt that
 * is next, or to its end. Calls tls_result(), which may free the plan. */
void onward_egress__tell_passed(struct onward_egress *plan);
/* Tell of the session of the attempt that is open. The same. */
void onward_egress__tell_session(struct onward_egress *plan,
                                 const struct onward_egress_outcome *outcome);

#endif
