/*
 * One message of the queue on its way: its recipients that are due, one after
 * the other, and what comes of each.
 *
 * In this order, so that a kill between two steps loses nothing: the sender's
 * notice is in the spool, then the recipient's record says that it is done
 * with, and when the last one is, the file goes. A kill after the next hop's
 * 250 and before the record gives a second copy, and nothing else does. A
 * notice has an id made of that of its message: built again after a kill, it is
 * the same file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue.h"

struct attempt {
    struct attempt *next, **prev;
    struct queue *q;
    struct entry *entry;
    struct spool_message *m;
    int64_t started_s;
    size_t rcpt; /* at hand */
    struct delivery *delivery;
    struct delivery_log log;
};

enum { TROUBLE_S = 60 }; /* our own: look again after it */

struct entry *attempt_next(const struct queue *q, const struct entry *after)
{
    const struct attempt *a =
        after == NULL ? q->attempts : after->attempt->next;

    return a == NULL ? NULL : a->entry;
}

struct spool_message *attempt_message(const struct attempt *a)
{
    return a->m;
}

/* ---- Life -------------------------------------------------------------- */

static void free_attempt(struct attempt *a)
{
    a->entry->attempt = NULL;
    *a->prev = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    a->q->attempt_count--;
    if (a->entry->kept != a->m)
        spool_message_free(a->m);
    queue_wake(a->q, a->entry->domain);
    free(a);
}

void attempt_cancel(struct attempt *a)
{
    if (a->delivery != NULL)
        delivery_cancel(a->delivery);
    free_attempt(a);
}

/* All that was due had its turn. */
static void end(struct attempt *a)
{
    struct queue *q = a->q;
    struct entry *e = a->entry;

    e->due_s = spool_due(a->m, (int64_t)time(NULL));
    e->is_held = a->m->is_held;
    free_attempt(a);
    if (e->due_s == INT64_MAX || e->is_deleted)
        queue_drop(q, e);
    else
        queue_place(q, e);
}

/* ---- What came of it --------------------------------------------------- */

/* What follows a failure that is not for good. */
static struct onward_egress_retry_step step_of(const struct attempt *a,
                                               const struct spool_state *s)
{
    const struct settings *set = &a->q->fwd->setup->settings;
    const struct onward_egress_retry_opts o = {.size = sizeof(o),
                                               .expire_s = set->queue_life_s,
                                               .notice_s = set->queue_delay_s};
    struct onward_egress_retry_step step = {.size = sizeof(step)};

    /* Each message has jitter of its own; of any quality. */
    onward_egress_retry(&o, s->attempts, a->m->envelope.arrival_s, s->last_s,
                        spool_crc(s->attempts, a->m->id, strlen(a->m->id)),
                        &step);
    return step;
}

static bool write_all(struct spool_message *m)
{
    bool is_written = true;

    for (size_t i = 0; i < m->envelope.rcpt_count && is_written; i++)
        is_written = spool_append(m, i, true) == 0;
    return is_written;
}

/*
 * A record that could not be written lives on in memory, until all are on the
 * disk; unless it may be lost: each that is kept holds a descriptor, and a disk
 * that is full must not use them up.
 */
static void keep(struct attempt *a, bool must_last)
{
    struct entry *e = a->entry;

    if (e->kept != NULL ? write_all(a->m)
                        : spool_append(a->m, a->rcpt, must_last) == 0) {
        e->kept = NULL;
        return;
    }
    queue_fault(a->q, a->m->id, "write what became of it");
    if (must_last)
        e->kept = a->m;
}

static void settle(struct attempt *a, enum spool_fate fate)
{
    struct spool_state *s = &a->m->states[a->rcpt];

    s->fate = fate;
    /* Nobody waits in it any more: a file that is gone says as much as a
     * record. */
    if (spool_due(a->m, (int64_t)time(NULL)) == INT64_MAX &&
        spool_remove(a->q->spool, a->m->id) == 0)
        return;
    keep(a, true);
}

static void delivered(struct attempt *a, const struct delivery_result *got)
{
    log_queue(a->q->fwd, "queue-delivered", a->m, a->rcpt, &a->log);
    /* The next hop tells nobody, so we do (RFC 3461 section 5.2.2). Without
     * room for that notice it is lost: the mail is not sent again for it. */
    if ((got->notes & ONWARD_SMTP_NOTE_NO_DSN) != 0 &&
        (a->m->envelope.rcpts[a->rcpt].notify & ONWARD_SMTP_NOTIFY_SUCCESS) !=
            0)
        notice_send(a->q, a->m, a->rcpt, ONWARD_DSN_RELAYED);
    settle(a, SPOOL_DELIVERED);
}

static bool is_told_by_another(const struct attempt *a)
{
    const struct spool_envelope *e = &a->m->envelope;

    for (size_t i = a->rcpt; i > 0 && e->rcpts[i].is_heir; i--) {
        if (a->m->states[i - 1].fate == SPOOL_WAITING)
            return true;
    }
    return false;
}

static void try_later(struct attempt *a)
{
    struct spool_state *s = &a->m->states[a->rcpt];
    const struct onward_egress_retry_step step = step_of(a, s);
    bool must_last = false;

    s->next_s = step.is_expired ? a->started_s + TROUBLE_S : step.next_s;
    /* Of a list to fail over it is told once: by the first that waits. */
    if (!s->is_delay_told && step.notice_s <= a->started_s &&
        !step.is_expired && !is_told_by_another(a)) {
        s->is_delay_told =
            notice_send(a->q, a->m, a->rcpt, ONWARD_DSN_DELAYED) == 0;
        must_last = s->is_delay_told;
    }
    log_queue(a->q->fwd, "queue-deferred", a->m, a->rcpt, &a->log);
    /* A power cut may take this record: then it is tried again too early. */
    keep(a, must_last);
}

static void failed(struct attempt *a)
{
    /* Who is not told of a failure has lost a message: so the notice first. Of a
     * list to fail over only the last failure is one. */
    if (!spool_has_others(a->m, a->rcpt) &&
        notice_send(a->q, a->m, a->rcpt, ONWARD_DSN_FAILED) != 0) {
        try_later(a);
        return;
    }
    log_queue(a->q->fwd, "queue-failed", a->m, a->rcpt, &a->log);
    settle(a, SPOOL_FAILED);
}

static void keep_reply(struct spool_state *s, const struct attempt *a)
{
    s->code = (uint32_t)a->log.code;
    snprintf(s->enhanced, sizeof(s->enhanced), "%s", a->log.enhanced);
    snprintf(s->text, sizeof(s->text), "%s", a->log.text);
    snprintf(s->host, sizeof(s->host), "%s", a->log.host);
    s->attempts++;
    s->last_s = a->started_s;
}

static void outcome(struct attempt *a, const struct delivery_result *got)
{
    struct spool_state *s = &a->m->states[a->rcpt];

    keep_reply(s, a);
    if (got->fate == ONWARD_EGRESS_DELIVERED)
        delivered(a, got);
    else if (got->fate == ONWARD_EGRESS_PERMANENT || step_of(a, s).is_expired)
        failed(a);
    else
        try_later(a);
}

/* ---- One after the other ----------------------------------------------- */

static void next(struct attempt *a);

static void told(void *user, const struct delivery_result *got)
{
    struct attempt *a = user;

    a->delivery = NULL;
    /* Who deletes a message wants nobody told that it did not arrive. */
    if (!a->entry->is_deleted || got->fate == ONWARD_EGRESS_DELIVERED)
        outcome(a, got);
    a->rcpt++;
    next(a);
}

/* Nobody waits for our answer; but who is about to stop sends no dot whose
 * answer it will not hear. */
static bool is_wanted(void *user)
{
    const struct attempt *a = user;

    return !a->q->fwd->is_cut && !a->entry->is_deleted;
}

static struct delivery *start(struct attempt *a)
{
    const struct delivery_host host = {
        .user = a, .is_wanted = is_wanted, .done = told};
    const struct spool_envelope *e = &a->m->envelope;
    const struct spool_rcpt *r = &e->rcpts[a->rcpt];
    const struct delivery_job job = {.setup = a->q->fwd->setup,
                                     .reverse_path = e->reverse_path,
                                     .recipient = r->address,
                                     .domain = spool_domain(r),
                                     .source = &a->m->content,
                                     .smtputf8 = e->smtputf8,
                                     .require_tls = e->require_tls,
                                     .tls_optional = e->tls_optional,
                                     .notify = r->notify,
                                     .orcpt = r->orcpt,
                                     .ret = e->ret,
                                     .envid = e->envid,
                                     .log = &a->log};

    a->log = (struct delivery_log){0};
    return delivery_start(a->q->fwd, &job, &host);
}

static bool is_due(const struct attempt *a)
{
    const struct spool_state *s = &a->m->states[a->rcpt];

    return spool_is_waiting(a->m, a->rcpt) && spool_is_due(s, a->started_s);
}

static void next(struct attempt *a)
{
    const struct delivery_result none = {.fate = ONWARD_EGRESS_TEMPORARY};

    for (; a->rcpt < a->m->envelope.rcpt_count; a->rcpt++) {
        if (!is_due(a) || a->q->is_stopped || a->entry->is_deleted ||
            a->m->is_held)
            continue;
        a->delivery = start(a);
        if (a->delivery != NULL)
            return;
        a->log = (struct delivery_log){
            .code = 451, .enhanced = "4.3.0", .text = "cannot be tried now"};
        outcome(a, &none);
    }
    end(a);
}

/* NULL: it is not read now, or never. */
static struct spool_message *open_message(struct queue *q, struct entry *e)
{
    struct spool_message *m =
        e->kept != NULL ? e->kept : spool_read(q->spool, e->id);

    if (m != NULL && !e->is_checked) {
        if (spool_check(m) != 0) {
            int error = errno;

            spool_message_free(m);
            errno = error;
            return NULL;
        }
        e->is_checked = true;
    }
    return m;
}

static void give_up(struct queue *q, struct entry *e)
{
    int error = errno;

    if (error != ENOENT)
        queue_fault(q, e->id, error == EBADMSG ? "read, set aside" : "read");
    if (error == EBADMSG)
        spool_set_aside(q->spool, e->id);
    if (error == ENOENT || error == EBADMSG) {
        queue_forget(q, e);
        return;
    }
    e->due_s = (int64_t)time(NULL) + TROUBLE_S;
    queue_place(q, e);
}

void attempt_begin(struct queue *q, struct entry *e)
{
    struct attempt *a = calloc(1, sizeof(*a));
    struct spool_message *m = a == NULL ? NULL : open_message(q, e);

    if (m == NULL) {
        int error = errno;

        free(a);
        errno = error;
        give_up(q, e);
        return;
    }
    a->q = q;
    a->entry = e;
    a->m = m;
    a->started_s = (int64_t)time(NULL);
    a->next = q->attempts;
    a->prev = &q->attempts;
    if (a->next != NULL)
        a->next->prev = &a->next;
    q->attempts = a;
    q->attempt_count++;
    e->attempt = a;
    next(a);
}
