/*
 * DNS questions as the evaluators ask them. A query lives inside the object
 * that asks; when its answer is there, the query's task is made ready. Equal
 * questions in flight are joined and answers cached by the resolver.
 */
#ifndef ONWARD_DNS_SHARED_H
#define ONWARD_DNS_SHARED_H

#include <onward/dns.h>

#include "core/desk_shared.h"

enum onward_dns__status {
    ONWARD_DNS__PENDING = 0,
    ONWARD_DNS__OK,       /* at least one record of the type asked for */
    ONWARD_DNS__NODATA,   /* the name exists, or nothing else is known */
    ONWARD_DNS__NXDOMAIN, /* the name does not exist */
    ONWARD_DNS__TEMP,     /* SERVFAIL, time-out, refused, malformed reply */
    ONWARD_DNS__BOGUS     /* DNSSEC says that the answer is forged */
};

struct onward_dns__record {
    /*
     * A: 4 octets; AAAA: 16. TXT: the strings joined without a separator.
     * MX, PTR, CNAME, NS: the name as lower-case text without final dot ("" is
     * the root); octets that are no name text stand as \DDD. TLSA: raw rdata.
     */
    struct onward_str data;
    uint16_t preference; /* MX only */
};

/* Immutable and counted by its queries; shared between equal questions. */
struct onward_dns__answer {
    enum onward_dns__status status;
    bool is_secure;       /* the host says: DNSSEC-validated */
    bool has_cname;       /* a CNAME was followed */
    uint32_t ttl_s;       /* least TTL on the way */
    struct onward_str canonical; /* the name behind all CNAMEs, lower case;
                                    empty after TEMP and BOGUS */
    size_t count;
    const struct onward_dns__record *records;
};

/*
 * What somebody made of an answer, kept with it for the next who asks: a parsed
 * key, a parsed policy. Embedded in the owner's struct; immutable once kept. At
 * most one an answer, counted in the resolver's cache_bytes.
 */
struct onward_dns__memo {
    const void *kind; /* an address of the owner's, tells whose it is */
    size_t bytes;     /* memory behind it */
    void (*free)(struct onward_ctx *ctx, struct onward_dns__memo *memo);
};

/* The memo of that kind, borrowed while the answer is held; NULL: none. */
struct onward_dns__memo *
onward_dns__answer_memo(const struct onward_dns__answer *answer,
                        const void *kind);
/* Give the memo to the answer. false: this answer is not in the cache or has a
 * memo; the memo stays the caller's. */
bool onward_dns__answer_keep(const struct onward_dns__answer *answer,
                             struct onward_dns__memo *memo);

struct onward_dns__entry; /* the resolver's: one question and its answer */

/* Zero-filled is idle. */
struct onward_dns__query {
    struct onward_dns__entry *entry;
    struct onward_core__task *task;
    struct onward_dns__query *prev, *next; /* joined to the same question */
    const struct onward_dns__answer *answer; /* NULL while pending */
};

/*
 * Ask. name is borrowed for the call, in A-labels, with or without a final
 * dot, any case; a name that cannot be a DNS name is answered NXDOMAIN without
 * asking the host. Calls no callback: all begins at the next step of the desk,
 * so it may be said in any _new(), and the task becomes ready also when the
 * answer is known at once. A failed host callback is answered TEMP. 0, or
 * ONWARD_ENOMEM or ONWARD_ESTATE (resolver or desk freed); the query is idle
 * then.
 */
ONWARD_USE_RESULT int onward_dns__ask(struct onward_resolver *resolver,
                                      struct onward_dns__query *query,
                                      struct onward_str name, uint16_t type,
                                      struct onward_core__task *task);
/* Let go: drops the answer when there; when pending, cancels, which may call
 * the host's cancel callback. Back to idle. */
void onward_dns__query_clear(struct onward_dns__query *query);

/* The resolver in memory for an evaluator that was made from it. */
void onward_dns__resolver_hold(struct onward_resolver *resolver);
void onward_dns__resolver_release(struct onward_resolver *resolver);
struct onward_desk *onward_dns__desk(const struct onward_resolver *resolver);

#endif
