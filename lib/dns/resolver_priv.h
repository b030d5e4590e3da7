/*
 * A resolver inside: resolver.c owns its life and its options, question.c the
 * way of one question, host_answer.c what the host answers.
 */
#ifndef ONWARD_RESOLVER_PRIV_H
#define ONWARD_RESOLVER_PRIV_H

#include "dns/dns_priv.h"

/* A list that goes round; the head is a link of its own. */
struct onward_dns__link {
    struct onward_dns__link *prev, *next;
};

/*
 * Where a question stands. It goes TODO -> QUEUED -> FLIGHT -> CACHED, or away
 * where nothing is kept; from FLIGHT back to TODO to ask for the target of a
 * CNAME; from CACHED to TODO when it is asked again, as only
 * onward_desk_run() knows whether the answer is still fresh.
 */
enum onward_dns__place {
    ONWARD_DNS__TODO,
    ONWARD_DNS__QUEUED,
    ONWARD_DNS__FLIGHT,
    ONWARD_DNS__CACHED
};

struct onward_dns__entry {
    struct onward_core__node node; /* by key */
    struct onward_core__ask ask;   /* open in FLIGHT */
    struct onward_resolver *resolver;
    struct onward_dns__link link;            /* in the list of its place */
    struct onward_dns__link due;             /* in the order of deadlines */
    struct onward_dns__query *first, *last;  /* who waits */
    const struct onward_dns__answer *answer; /* kept; NULL before */
    size_t bytes;                            /* counted in the cache */
    int64_t expires_ms;
    int64_t deadline_ms; /* 0: no clock runs yet */
    enum onward_dns__place place;
    /* The CNAMEs so far, where the next question is for their target. */
    struct onward_dns__name *target;
    unsigned hops;
    uint32_t ttl_s;
    bool is_secure;
    uint16_t type;
    size_t key_len;
    uint8_t key[]; /* type, name in wire form */
};

struct onward_resolver {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver_opts opts; /* resolved, no 0 left */
    struct onward_resolver_host host;
    struct onward_core__task task;
    struct onward_core__table entries;
    struct onward_dns__link todo, queued, flight;
    struct onward_dns__link cached; /* used last first */
    struct onward_dns__link due; /* earliest first: the time is one for all */
    struct onward_dns__records records;
    size_t in_flight;
    size_t cache_entries, cache_bytes;
    size_t refs; /* the host's, evaluators', and calls on the stack */
    bool is_dead;
    char question[ONWARD_DNS_NAME_TEXT_MAX]; /* of the last _next() */
    char fault[200];                         /* of the last load */
};

static inline void onward_dns__link_init(struct onward_dns__link *link)
{
    link->prev = link->next = link;
}

static inline void onward_dns__link_remove(struct onward_dns__link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    onward_dns__link_init(link);
}

/* Put it last before `at`, wherever it was. */
static inline void onward_dns__link_move(struct onward_dns__link *link,
                                         struct onward_dns__link *at)
{
    onward_dns__link_remove(link);
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

static inline bool
onward_dns__link_is_empty(const struct onward_dns__link *head)
{
    return head->next == head;
}

/* What the resolver's task does. */
void onward_dns__resolver_run(struct onward_core__task *task, int64_t now_ms);
/* The next QUEUED question gets its token; text has its name. NULL: none. */
struct onward_dns__entry *
onward_dns__entry_send(struct onward_resolver *resolver, char *text,
                       size_t *text_len);
/* The name that is asked for now. */
void onward_dns__entry_name(const struct onward_dns__entry *entry,
                            struct onward_dns__name *name);
/* A reply or records were read: answer, or go on with the CNAME's target.
 * The builder stays the caller's. 0 or ONWARD_ENOMEM, ONWARD_ELIMIT. */
int onward_dns__entry_conclude(struct onward_dns__entry *entry,
                               const struct onward_dns__found *found,
                               struct onward_dns__builder *b, bool may_cache);
/* There is no answer: one of the constant ones. */
void onward_dns__entry_fail(struct onward_dns__entry *entry,
                            const struct onward_dns__answer *answer);
/* Out of the resolver, answering TEMP to whoever waits. Returns the open
 * token, 0 if none. */
uint64_t onward_dns__entry_drop(struct onward_dns__entry *entry);

#endif
