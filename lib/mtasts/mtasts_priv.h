/*
 * MTA-STS inside. record.c and policy.c read, write.c writes, http.c reads the
 * answer of a policy host. state.c is what stands in the store. mtasts.c owns
 * the fetches (job.c), each with at most one connection (fetch.c); lookup.c
 * decides what is in force, refresh.c looks through what is kept.
 */
#ifndef ONWARD_MTASTS_PRIV_H
#define ONWARD_MTASTS_PRIV_H

#include <onward/mtasts.h>

#include "core/core_shared.h"
#include "core/record_shared.h"
#include "dns/dns_shared.h"
#include "store/store_shared.h"

enum {
    ONWARD_MTASTS__ID_MAX = 32,
    ONWARD_MTASTS__MARK_MAX = 64,
    /* Of one family; no host needs more to be reached. */
    ONWARD_MTASTS__ADDRESSES_MAX = 4
};

/* ---- Texts ------------------------------------------------------------- */

/* sts-id: 1 to 32 letters and digits. */
bool onward_mtasts__is_id(struct onward_str s);
/* sts-policy-mx-value. */
bool onward_mtasts__is_pattern(struct onward_str s);
/* Says where and why; always ONWARD_ESYNTAX. fault may be NULL. */
int onward_mtasts__flaw(struct onward_mtasts_fault *fault,
                        enum onward_mtasts_flaw flaw, size_t offset);

/* ---- What is kept ------------------------------------------------------ */

/* A policy with its record's id; immutable and counted. */
struct onward_mtasts__kept {
    struct onward_ctx *ctx;
    size_t refs;
    int64_t fetched_s;
    struct onward_str id;
    struct onward_mtasts_policy policy; /* its text is in data */
    char data[];
};

/* 0, ONWARD_ESYNTAX (no policy: see fault) or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_mtasts__kept_new(struct onward_ctx *ctx, struct onward_str id,
                        struct onward_str text, int64_t fetched_s,
                        struct onward_mtasts_fault *fault,
                        struct onward_mtasts__kept **kept);
struct onward_mtasts__kept *
onward_mtasts__kept_ref(struct onward_mtasts__kept *kept);
void onward_mtasts__kept_free(struct onward_mtasts__kept *kept);
int64_t onward_mtasts__kept_expires_s(const struct onward_mtasts__kept *kept);
/* Old enough to be fetched anew, or from a clock that was put back since. */
bool onward_mtasts__kept_is_due(const struct onward_mtasts__kept *kept,
                                int64_t now_s, size_t refresh_s);
/* Append the octets for the store. */
int onward_mtasts__kept_write(struct onward_buf *out,
                              const struct onward_mtasts__kept *kept);
/* Octets of the store, which anybody may have put there: 0, ONWARD_ESYNTAX,
 * ONWARD_EVERSION, ONWARD_ENOENT (its time is over, or has not come) or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_mtasts__kept_read(struct onward_ctx *ctx, struct onward_str value,
                         int64_t now_s, struct onward_mtasts__kept **kept);

/* What came of a fetch that failed. */
struct onward_mtasts__mark {
    int64_t failed_s;
    enum onward_mtasts_reason reason;
    size_t http_status, tls_failure;
    size_t id_len;
    char id[ONWARD_MTASTS__ID_MAX];
};

/* The length. */
size_t onward_mtasts__mark_write(unsigned char out[ONWARD_MTASTS__MARK_MAX],
                                 const struct onward_mtasts__mark *mark);
/* 0, ONWARD_ESYNTAX or ONWARD_EVERSION. */
ONWARD_USE_RESULT int
onward_mtasts__mark_read(struct onward_str value,
                         struct onward_mtasts__mark *mark);

enum onward_mtasts__key { ONWARD_MTASTS__POLICY_KEY, ONWARD_MTASTS__MARK_KEY };

/* The key of a domain; text has room for ONWARD_STORE_KEY_MAX. */
struct onward_str onward_mtasts__key(enum onward_mtasts__key key,
                                     struct onward_str domain, char *text);

/* ---- The objects ------------------------------------------------------- */

struct onward_mtasts {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_mtasts_opts opts; /* resolver, store and tls are held */
    struct onward_mtasts_host host;
    uint64_t log_id;
    size_t refs; /* the caller's, of lookups, and while a callback runs */
    bool is_freed;
    struct onward_core__table jobs;   /* by domain */
    struct onward_mtasts__walk *walk; /* NULL: none is under way */
};

void onward_mtasts__hold(struct onward_mtasts *m);
void onward_mtasts__release(struct onward_mtasts *m);

enum onward_mtasts__stage {
    ONWARD_MTASTS__START,
    ONWARD_MTASTS__ADDRESSES, /* asked for */
    ONWARD_MTASTS__CONNECT,   /* asked for */
    ONWARD_MTASTS__TALK,      /* over a connection */
    ONWARD_MTASTS__ANSWERED,  /* body or reason is there */
    ONWARD_MTASTS__STORE      /* being put */
};

/* One fetch: addresses, connection, policy, store. */
struct onward_mtasts__job {
    struct onward_core__node node;
    struct onward_mtasts *m; /* held */
    struct onward_core__task task;
    struct onward_core__guard guard;
    enum onward_mtasts__stage stage;
    int64_t deadline_ms;
    struct onward_str domain, host, id; /* in text */
    bool is_refresh; /* of a policy that asks for something */
    struct onward_dns__query aaaa, a;
    struct onward_core__ask ask;
    struct onward_ip ips[2 * ONWARD_MTASTS__ADDRESSES_MAX];
    size_t ip_count;
    struct onward_mtasts_fetch *fetch; /* the host's; NULL: none */
    struct onward_buf body;
    struct onward_mtasts__mark mark; /* reason NONE: it went well */
    struct onward_mtasts_fault fault;
    struct onward_mtasts__kept *kept;
    struct onward_store__query put;
    bool is_kept_hard;
    struct onward_mtasts_lookup *waiting;
    char text[];
};

/* Give up looking through what is kept; harmless when nobody does. */
void onward_mtasts__walk_end(struct onward_mtasts *m);

/* The job of that domain, or NULL. */
struct onward_mtasts__job *onward_mtasts__job_find(struct onward_mtasts *m,
                                                   struct onward_str domain);
/* Begin. 0, ONWARD_ELIMIT (max_fetches) or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_mtasts__job_start(struct onward_mtasts *m,
                                               struct onward_str domain,
                                               struct onward_str id,
                                               bool is_refresh,
                                               struct onward_mtasts__job **job);
/* Give up, without a word to the host. */
void onward_mtasts__job_cancel(struct onward_mtasts__job *job);
/* The connection has given what it could: body, or reason in mark. */
void onward_mtasts__job_answered(struct onward_mtasts__job *job);
/* From the job to those who wait: it has ended. */
void onward_mtasts__lookup_wake(struct onward_mtasts_lookup *lookup,
                                const struct onward_mtasts__job *job);

/* The job goes: its connection is of no use any more. */
void onward_mtasts__fetch_orphan(struct onward_mtasts_fetch *fetch);

enum onward_mtasts__step {
    ONWARD_MTASTS__BEGIN,
    ONWARD_MTASTS__ASKED, /* record and policy */
    ONWARD_MTASTS__MARK,  /* has it failed of late? */
    ONWARD_MTASTS__WAIT,  /* for the job */
    ONWARD_MTASTS__DONE
};

struct onward_mtasts_lookup {
    struct onward_mtasts *m; /* held */
    struct onward_mtasts_lookup_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    struct onward_str domain; /* empty: none that can have a policy */
    enum onward_mtasts__step step;
    bool is_patient;  /* waits for each fetch: one of refresh.c */
    bool must_wait;   /* for a fetch; else it is one in the background */
    bool has_no_view; /* the store failed */
    bool is_told;     /* done was called */
    struct onward_dns__query txt;
    struct onward_store__query get;
    struct onward_str id; /* of the record; empty: there is none */
    struct onward_mtasts__kept *kept;
    struct onward_mtasts__job *job; /* NULL: not waiting */
    struct onward_mtasts_lookup *next, *prev;
    struct onward_mtasts_verdict verdict; /* status is set at the end */
};

#endif
