/*
 * What the files of the queue share: queue.c has what waits and when, attempt.c
 * brings one message to its recipients, notice.c tells senders, request.c hears
 * `onward queue`.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "forwarder.h"

/* One message that waits. */
struct entry {
    struct entry *next, **prev; /* of all */
    char id[SPOOL_ID_MAX];
    int64_t due_s;
    uint32_t domain; /* a checksum of where it goes first */
    uint64_t size;   /* of its content */
    size_t place;    /* in the heap; SIZE_MAX: not there */
    /* Of those that are due and whose domain has no place; before NULL: not
     * among them. */
    struct entry *after, **before;
    bool is_held, is_deleted;
    bool is_checked;         /* its content is as it was written */
    struct attempt *attempt; /* NULL: not under way */
    /* States that could not be written to the disk stay here: what was
     * delivered must not be again. */
    struct spool_message *kept;
};

/* In the order of their coming. */
struct queue_line {
    struct entry *first, **last;
};

enum { QUEUE_LINES = 256 };

struct queue {
    struct forwarder *fwd;
    struct spool *spool;
    struct entry *entries;
    size_t entry_count;
    uint64_t bytes;      /* of all their contents */
    struct entry **heap; /* by due_s, the least first */
    size_t count, cap;   /* of the heap */
    struct queue_line lines[QUEUE_LINES]; /* by domain */
    struct attempt *attempts;
    size_t attempt_count;
    struct loop_watch watch; /* requests; fd -1: none */
    int64_t look_again_ms;   /* for requests, without a watch */
    bool is_stopped;
};

/* ---- queue.c ----------------------------------------------------------- */

/* NULL: no memory. */
struct entry *queue_add(struct queue *q, const char *id,
                        const struct spool_envelope *envelope, uint64_t size);
struct entry *queue_find(struct queue *q, const char *id);
/* A message that is in the folder; NULL: it is not, or cannot be read. */
struct entry *queue_take(struct queue *q, const char *id);
/* Put it where its time belongs; held and deleted ones are in no order. */
void queue_place(struct queue *q, struct entry *e);
/* A place of that domain may be free: for the next that waits for one. */
void queue_wake(struct queue *q, uint32_t domain);
/* Its file stays, or is gone. */
void queue_forget(struct queue *q, struct entry *e);
/* It is done with, and so is its file. */
void queue_drop(struct queue *q, struct entry *e);
/* The disk does not do what it should; said in the log. */
void queue_fault(struct queue *q, const char *id, const char *doing);

/* ---- attempt.c --------------------------------------------------------- */

void attempt_begin(struct queue *q, struct entry *e);
/* Stop without an outcome. */
void attempt_cancel(struct attempt *a);
/* The entries under way, one after the other; after NULL the first. */
struct entry *attempt_next(const struct queue *q, const struct entry *after);
struct spool_message *attempt_message(const struct attempt *a);

/* ---- notice.c ---------------------------------------------------------- */

/*
 * Tell the sender what became of recipient rcpt, if that is wanted, by a
 * message of the queue. 0: done, or not wanted; -1: could not be kept.
 */
int notice_send(struct queue *q, const struct spool_message *m, size_t rcpt,
                enum onward_dsn_action action);
/* Does one of these wait? */
bool notice_is_there(struct queue *q, const struct spool_message *m,
                     size_t rcpt, enum onward_dsn_action action);

/* ---- request.c --------------------------------------------------------- */

void request_open(struct queue *q);
void request_time(struct queue *q, int64_t now_ms);
void request_close(struct queue *q);

#endif
