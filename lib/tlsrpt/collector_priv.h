/*
 * Counts on their way to reports: collector.c counts and saves,
 * collector_send.c gives what is over.
 *
 *     onward/tlsrpt/1/rows/BEGIN/DOMAIN/RUN   what one collector has counted,
 *                                             as onward_tlsrpt_report_save()
 *     onward/tlsrpt/1/claim/BEGIN/DOMAIN      somebody sends that report
 *
 * BEGIN is the start of the day in Unix seconds, RUN the name of a collector.
 */
#ifndef ONWARD_TLSRPT_COLLECTOR_PRIV_H
#define ONWARD_TLSRPT_COLLECTOR_PRIV_H

#include <onward/tlsrpt_collector.h>

#include "store/store_shared.h"
#include "tlsrpt/tlsrpt_priv.h"

enum {
    ONWARD_TLSRPT__DAY_S = 86400,
    ONWARD_TLSRPT__RUN_LEN = 16 /* hex digits */
};

/* A domain on a day. */
struct onward_tlsrpt__entry {
    struct onward_core__node node; /* by the domain */
    struct onward_tlsrpt__entry *next_unsaved;
    struct onward_tlsrpt_report *report;
    bool is_unsaved; /* in the queue of the unsaved */
};

enum onward_tlsrpt__stage {
    ONWARD_TLSRPT__IDLE = 0,
    ONWARD_TLSRPT__SAVE,    /* what is in memory goes first */
    ONWARD_TLSRPT__WALK,    /* for a page of all rows */
    ONWARD_TLSRPT__PICK,    /* the next one of the page */
    ONWARD_TLSRPT__JOIN,    /* all rows of its day and domain */
    ONWARD_TLSRPT__CLAIM,   /* nobody else sends it */
    ONWARD_TLSRPT__GIVE,    /* to the host */
    ONWARD_TLSRPT__REMOVE,  /* its rows, one by one */
    ONWARD_TLSRPT__UNCLAIM, /* it is to come again */
    ONWARD_TLSRPT__END
};

/* Rows that were joined, to be removed. */
struct onward_tlsrpt__key {
    struct onward_tlsrpt__key *next;
    struct onward_str key;
    uint64_t version;
};

struct onward_tlsrpt_collector {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_tlsrpt_collector_opts opts; /* texts in the arena */
    struct onward_tlsrpt_collector_host host;
    struct onward_core__guard guard;
    struct onward_arena arena;
    uint64_t log_id;
    char run[ONWARD_TLSRPT__RUN_LEN];
    bool is_freed;

    struct onward_core__table entries;
    struct onward_tlsrpt__entry *unsaved, **unsaved_end;
    size_t unsaved_count;

    /* Saving, one entry at a time. */
    struct onward_core__task timer, saver;
    struct onward_store__query save;
    struct onward_tlsrpt__entry *saving;
    size_t to_save; /* of the round */
    int save_err;   /* of the round */
    bool is_timed;

    /* Sending, one report at a time. */
    struct onward_core__task giver;
    struct onward_core__ask ask;
    enum onward_tlsrpt__stage stage;
    struct onward_store__query walk, step;
    struct onward_store__item *at; /* of the page */
    struct onward_buf cursor;      /* of the next page */
    struct onward_arena keys_arena;
    struct onward_tlsrpt__key *keys;
    struct onward_tlsrpt_report *report; /* what is given */
    int64_t before_s, begin_s;
    struct onward_str domain; /* of the item */
    char given[256];          /* the domain of the last one, on given_s */
    size_t given_len;
    int64_t given_s;
    int answer;
    bool is_look; /* nothing is changed */
};

/* The key up to the domain, or with run not NULL a whole one; kind is "rows" or
 * "claim". */
struct onward_str onward_tlsrpt__collector_key(const char *kind,
                                               int64_t begin_s,
                                               struct onward_str domain,
                                               const char *run,
                                               char buf[ONWARD_STORE_KEY_MAX]);
/* A report without rows for that day and domain. */
ONWARD_USE_RESULT int
onward_tlsrpt__collector_report(struct onward_tlsrpt_collector *c,
                                int64_t begin_s, struct onward_str domain,
                                struct onward_tlsrpt_report **report);
void onward_tlsrpt__collector_log(struct onward_tlsrpt_collector *c,
                                  const char *code, int err);

/* Behind onward_core__guard_enter(): the memory goes if the host freed it. */
void onward_tlsrpt__collector_leave(struct onward_tlsrpt_collector *c);

/* ---- collector_send.c -------------------------------------------------- */

void onward_tlsrpt__giver_run(struct onward_core__task *task, int64_t now_ms);
/* Let go of everything. */
void onward_tlsrpt__giver_clear(struct onward_tlsrpt_collector *c);

#endif
