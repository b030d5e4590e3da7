/* The queue: what waits in the spool, and when it is tried again. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "quarantine.h"
#include "queue.h"
#include "state.h"

/* ---- By time: a heap --------------------------------------------------- */

static void put_at(struct queue *q, struct entry *e, size_t i)
{
    q->heap[i] = e;
    e->place = i;
}

static void rise(struct queue *q, struct entry *e, size_t i)
{
    for (; i > 0 && q->heap[(i - 1) / 2]->due_s > e->due_s; i = (i - 1) / 2)
        put_at(q, q->heap[(i - 1) / 2], i);
    put_at(q, e, i);
}

static void sink(struct queue *q, struct entry *e, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < q->count &&
            q->heap[child + 1]->due_s < q->heap[child]->due_s)
            child++;
        if (child >= q->count || q->heap[child]->due_s >= e->due_s)
            break;
        put_at(q, q->heap[child], i);
        i = child;
    }
    put_at(q, e, i);
}

static void leave_line(struct queue *q, struct entry *e)
{
    if (e->before == NULL)
        return;
    *e->before = e->after;
    if (e->after != NULL)
        e->after->before = e->before;
    else
        q->lines[e->domain % QUEUE_LINES].last = e->before;
    e->before = NULL;
}

static void take_out(struct queue *q, struct entry *e)
{
    size_t i = e->place;
    struct entry *last;

    leave_line(q, e);
    if (i == SIZE_MAX)
        return;
    e->place = SIZE_MAX;
    last = q->heap[--q->count];
    if (last == e)
        return;
    if (i > 0 && q->heap[(i - 1) / 2]->due_s > last->due_s)
        rise(q, last, i);
    else
        sink(q, last, i);
}

void queue_place(struct queue *q, struct entry *e)
{
    take_out(q, e);
    if (e->is_held || e->is_deleted || e->attempt != NULL) {
        queue_wake(q, e->domain);
        return;
    }
    q->count++;
    rise(q, e, q->count - 1);
}

/* ---- By domain: lines -------------------------------------------------- */

/* May that domain have one more? Servers that do not answer must not take all
 * places from those that do. */
static bool has_place(const struct queue *q, uint32_t domain)
{
    const size_t all = q->fwd->setup->settings.queue_deliveries;
    size_t taken = 0;

    for (const struct entry *i = attempt_next(q, NULL); i != NULL;
         i = attempt_next(q, i))
        taken += i->domain == domain;
    return taken < all - all / 4;
}

/* Out of the heap, where however many of one domain would hide the others. */
static void stand_in_line(struct queue *q, struct entry *e)
{
    struct queue_line *line = &q->lines[e->domain % QUEUE_LINES];

    take_out(q, e);
    if (line->first == NULL)
        line->last = &line->first;
    e->after = NULL;
    e->before = line->last;
    *line->last = e;
    line->last = &e->after;
}

/*
 * Who stands in line is woken by what held the place: the end of an attempt, or
 * that one which was woken before does not use it.
 */
void queue_wake(struct queue *q, uint32_t domain)
{
    struct entry *e = q->lines[domain % QUEUE_LINES].first;

    while (e != NULL && e->domain != domain)
        e = e->after;
    if (e != NULL && has_place(q, domain))
        queue_place(q, e);
}

/* ---- Entries ----------------------------------------------------------- */

void queue_fault(struct queue *q, const char *id, const char *doing)
{
    char text[200];

    snprintf(text, sizeof(text), "%s: %s: %s", id, doing, strerror(errno));
    log_event(q->fwd, "queue-fault", text);
}

/* In the heap, so that placing an entry never fails. */
static bool make_room(struct queue *q)
{
    size_t cap = q->cap == 0 ? 64 : q->cap * 2;
    struct entry **heap;

    if (q->entry_count < q->cap)
        return true;
    heap = realloc(q->heap, cap * sizeof(struct entry *));
    if (heap == NULL)
        return false;
    q->heap = heap;
    q->cap = cap;
    return true;
}

struct entry *queue_add(struct queue *q, const char *id,
                        const struct spool_envelope *envelope, uint64_t size)
{
    const struct onward_str domain = spool_domain(&envelope->rcpts[0]);
    struct entry *e = calloc(1, sizeof(*e));

    if (e == NULL || !make_room(q)) {
        free(e);
        return NULL;
    }
    snprintf(e->id, sizeof(e->id), "%s", id);
    e->domain = spool_crc(0, domain.data, domain.len);
    e->size = size;
    q->bytes += size;
    e->place = SIZE_MAX;
    e->next = q->entries;
    e->prev = &q->entries;
    if (e->next != NULL)
        e->next->prev = &e->next;
    q->entries = e;
    q->entry_count++;
    return e;
}

struct entry *queue_find(struct queue *q, const char *id)
{
    struct entry *e = q->entries;

    while (e != NULL && strcmp(e->id, id) != 0)
        e = e->next;
    return e;
}

void queue_forget(struct queue *q, struct entry *e)
{
    const uint32_t domain = e->domain;

    take_out(q, e);
    spool_message_free(e->kept);
    *e->prev = e->next;
    if (e->next != NULL)
        e->next->prev = e->prev;
    q->entry_count--;
    q->bytes -= e->size;
    free(e);
    queue_wake(q, domain);
}

void queue_drop(struct queue *q, struct entry *e)
{
    if (spool_remove(q->spool, e->id) == 0 || errno == ENOENT) {
        queue_forget(q, e);
        return;
    }
    /* It must not go out again: nobody in it waits any more, as long as this
     * process lives, or the records say so. */
    queue_fault(q, e->id, "remove");
    e->is_deleted = true;
    queue_place(q, e);
}

/* ---- What is there ----------------------------------------------------- */

/*
 * Killed after the notice was kept and before its message had heard of it: the
 * notice says what has become of the recipient. Nothing has gone out yet since
 * the start, so that it is still there.
 */
static void catch_up(struct queue *q, struct spool_message *m)
{
    for (size_t i = 0; i < m->envelope.rcpt_count; i++) {
        struct spool_state *s = &m->states[i];
        const struct spool_state before = *s;

        if (s->fate != SPOOL_WAITING)
            continue;
        if (notice_is_there(q, m, i, ONWARD_DSN_FAILED))
            s->fate = SPOOL_FAILED;
        else if (notice_is_there(q, m, i, ONWARD_DSN_RELAYED))
            s->fate = SPOOL_DELIVERED;
        else if (notice_is_there(q, m, i, ONWARD_DSN_DELAYED))
            s->is_delay_told = true;
        if ((s->fate != before.fate ||
             s->is_delay_told != before.is_delay_told) &&
            spool_append(m, i, true) != 0)
            queue_fault(q, m->id, "write what became of it");
    }
}

struct entry *queue_take(struct queue *q, const char *id)
{
    struct spool_message *m = spool_read(q->spool, id);
    struct entry *e =
        m == NULL ? NULL : queue_add(q, id, &m->envelope, m->content.len);

    if (e != NULL) {
        catch_up(q, m);
        e->due_s = spool_due(m, (int64_t)time(NULL));
        e->is_held = m->is_held;
        /* Killed between the last recipient's record and the end. */
        if (e->due_s == INT64_MAX) {
            queue_drop(q, e);
            e = NULL;
        } else {
            queue_place(q, e);
        }
    } else if (errno == EBADMSG) {
        queue_fault(q, id, "read, set aside");
        spool_set_aside(q->spool, id);
    } else {
        queue_fault(q, id, "read");
    }
    spool_message_free(m);
    return e;
}

static bool take_one(void *user, const char *id)
{
    (void)queue_take(user, id);
    return true;
}

/* `onward queue` may have it for a moment. */
static struct spool *open_spool(const char *path, char *fault,
                                size_t fault_size)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    struct spool *s = NULL;

    for (int i = 0; i < 40 && s == NULL; i++) {
        s = spool_open(path, SPOOL_WORK, fault, fault_size);
        if (s == NULL && errno != EWOULDBLOCK)
            break;
        if (s == NULL)
            nanosleep(&pause, NULL);
    }
    return s;
}

static int load(struct queue *q, const char *path, char *fault,
                size_t fault_size)
{
    q->spool = open_spool(path, fault, fault_size);
    if (q->spool == NULL)
        return -1;
    if (spool_each(q->spool, take_one, q) != 0) {
        snprintf(fault, fault_size, "%s: %s, expected a readable folder", path,
                 strerror(errno));
        return -1;
    }
    request_open(q);
    return 0;
}

int queue_open(struct forwarder *fwd, char *fault, size_t fault_size)
{
    const struct settings *set = &fwd->setup->settings;
    struct queue *q;
    char *path;
    int ret;

    if (set->spool == NULL && !storage_is_on_disk(fwd))
        return 0;
    q = calloc(1, sizeof(*q));
    path = set->spool != NULL
               ? strdup(set->spool)
               : state_folder(fwd->state, "spool", fault, fault_size);
    if (q == NULL || path == NULL) {
        if (q == NULL || set->spool != NULL)
            snprintf(fault, fault_size, "out of memory");
        free(q);
        free(path);
        return -1;
    }
    q->fwd = fwd;
    q->watch.fd = -1;
    fwd->queue = q;
    ret = load(q, path, fault, fault_size);
    if (ret == 0)
        ret = quarantine_open(fwd, path, fault, fault_size);
    free(path);
    return ret;
}

void queue_close(struct forwarder *fwd)
{
    struct queue *q = fwd->queue;

    if (q == NULL)
        return;
    quarantine_close(fwd);
    while (q->attempts != NULL)
        attempt_cancel(q->attempts);
    while (q->entries != NULL)
        queue_forget(q, q->entries);
    request_close(q);
    spool_close(q->spool);
    free(q->heap);
    free(q);
    fwd->queue = NULL;
}

/* ---- More comes -------------------------------------------------------- */

int queue_submit_as(struct forwarder *fwd, const char *id,
                    const struct spool_envelope *envelope,
                    const struct onward_source *content)
{
    struct spool_envelope whole = *envelope;
    struct queue *q = fwd->queue;
    struct entry *e;

    if (q == NULL || whole.rcpt_count == 0) {
        errno = q == NULL ? ENOENT : EINVAL;
        return -1;
    }
    /* Who has taken mail must be able to tell that it failed. */
    if (whole.origin != SPOOL_NOTICE &&
        q->bytes + content->len > fwd->setup->settings.spool_bytes) {
        errno = EDQUOT;
        queue_fault(q, id, "keep");
        errno = EDQUOT;
        return -1;
    }
    if (whole.arrival_s == 0)
        whole.arrival_s = (int64_t)time(NULL);
    e = queue_add(q, id, &whole, content->len);
    if (e == NULL)
        return -1;
    if (spool_put(q->spool, id, &whole, content) != 0) {
        int error = errno;

        queue_forget(q, e);
        errno = error;
        if (error != EEXIST)
            queue_fault(q, id, "keep");
        errno = error;
        return -1;
    }
    e->is_held = envelope->hold != 0;
    queue_place(q, e);
    log_queued(fwd, id, envelope, content->len);
    return 0;
}

int queue_submit(struct forwarder *fwd, const struct spool_envelope *envelope,
                 const struct onward_source *content, char id[SPOOL_ID_MAX])
{
    if (spool_new_id(id) != 0)
        return -1;
    return queue_submit_as(fwd, id, envelope, content);
}

/* ---- Time -------------------------------------------------------------- */

static bool has_due(const struct queue *q)
{
    return !q->is_stopped && q->count > 0 &&
           q->heap[0]->due_s <= (int64_t)time(NULL) &&
           q->attempt_count < q->fwd->setup->settings.queue_deliveries;
}

/* What to begin now, out of the heap; NULL: nothing. */
static struct entry *take_due(struct queue *q)
{
    while (has_due(q)) {
        struct entry *e = q->heap[0];

        if (has_place(q, e->domain)) {
            take_out(q, e);
            return e;
        }
        stand_in_line(q, e);
    }
    return NULL;
}

int64_t queue_deadline(const struct forwarder *fwd)
{
    const struct queue *q = fwd->queue;
    int64_t wait_s;

    if (q == NULL)
        return ONWARD_NEVER;
    if (q->count == 0 || q->is_stopped)
        return q->look_again_ms;
    /* Due times are of the wall clock: they outlive the process. A clock that
     * is set is noticed within the minute that the loop sleeps at most. */
    wait_s = q->heap[0]->due_s - (int64_t)time(NULL);
    if (wait_s <= 0)
        return has_due(q) ? 0 : q->look_again_ms;
    if (wait_s > 3600)
        wait_s = 3600;
    wait_s = host_now_ms() + wait_s * 1000;
    return wait_s < q->look_again_ms ? wait_s : q->look_again_ms;
}

void queue_time(struct forwarder *fwd, int64_t now_ms)
{
    struct queue *q = fwd->queue;
    struct entry *e;

    if (q == NULL)
        return;
    request_time(q, now_ms);
    while ((e = take_due(q)) != NULL) {
        const uint32_t domain = e->domain;

        attempt_begin(q, e);
        queue_wake(q, domain);
    }
}

void queue_stop(struct forwarder *fwd)
{
    if (fwd->queue != NULL)
        fwd->queue->is_stopped = true;
}

bool queue_is_busy(const struct forwarder *fwd)
{
    return fwd->queue != NULL && fwd->queue->attempt_count > 0;
}

bool queue_is_open(const struct forwarder *fwd)
{
    return fwd->queue != NULL;
}
