/* What `onward queue` asks of the forwarder that works on the spool. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "host.h"
#include "queue.h"

enum {
    LOOK_MS = 5000, /* where inotify(7) is not to be had */
    REQUESTS_A_TURN = 50
};

/* Of one that is under way, its attempt has the states. */
static int change(struct queue *q, struct entry *e, enum spool_what what)
{
    struct spool_message *m =
        e->attempt != NULL ? attempt_message(e->attempt) : e->kept;
    int ret;

    if (m != NULL) {
        ret = spool_change(m, what);
    } else {
        m = spool_read(q->spool, e->id);
        if (m == NULL)
            return -1;
        ret = spool_change(m, what);
        spool_message_free(m);
    }
    if (ret != 0)
        return -1;
    e->is_held = what == SPOOL_HOLD;
    if (what == SPOOL_RETRY)
        e->due_s = 0;
    queue_place(q, e);
    return 0;
}

static void do_one(struct queue *q, const char *id, enum spool_what what)
{
    struct entry *e = queue_find(q, id);
    char text[SPOOL_ID_MAX + 16];

    /* One that somebody has put there: then it is taken, and tried. */
    if (e == NULL && what == SPOOL_RETRY && spool_has(q->spool, id))
        e = queue_take(q, id);
    if (e == NULL)
        return;
    if (what == SPOOL_DELETE) {
        e->is_deleted = true;
        /* What is under way has its file open; gone it is now, whatever
         * happens to us before the attempt ends. */
        if (e->attempt == NULL)
            queue_drop(q, e);
        else if (spool_remove(q->spool, id) != 0)
            queue_fault(q, id, "remove");
    } else if (change(q, e, what) != 0) {
        queue_fault(q, id, spool_what_name(what));
        return;
    }
    snprintf(text, sizeof(text), "%s %s", spool_what_name(what), id);
    log_event(q->fwd, "queue-request", text);
}

/* Somebody who asks for much must not keep all mail waiting: some now, the
 * others in the next turn. */
static void look(struct queue *q)
{
    char id[SPOOL_ID_MAX];
    enum spool_what what;
    int ret;

    for (int i = 0; (ret = spool_next_request(q->spool, id, &what)) == 1; i++) {
        if (i == REQUESTS_A_TURN) {
            q->look_again_ms = host_now_ms();
            break;
        }
        do_one(q, id, what);
        ret = spool_end_request(q->spool, id, what);
        if (ret != 0)
            break;
    }
    if (ret < 0)
        queue_fault(q, "requests", "read");
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct queue *q =
        (struct queue *)(void *)((char *)watch - offsetof(struct queue, watch));
    char octets[4096];

    (void)events;
    /* What has happened is looked up in the folder. */
    while (read(watch->fd, octets, sizeof(octets)) > 0)
        continue;
    look(q);
}

void request_open(struct queue *q)
{
    q->look_again_ms = ONWARD_NEVER;
    q->watch =
        (struct loop_watch){.fd = spool_request_fd(q->spool), .ready = ready};
    if (q->watch.fd < 0 || loop_add(q->fwd->loop, &q->watch, EPOLLIN) != 0) {
        q->watch.fd = -1;
        q->look_again_ms = host_now_ms() + LOOK_MS;
    }
    look(q); /* what was asked for while nobody was here */
}

void request_time(struct queue *q, int64_t now_ms)
{
    if (now_ms < q->look_again_ms)
        return;
    q->look_again_ms = q->watch.fd >= 0 ? ONWARD_NEVER : now_ms + LOOK_MS;
    look(q);
}

void request_close(struct queue *q)
{
    if (q->watch.fd >= 0)
        loop_remove(q->fwd->loop, &q->watch);
    q->watch.fd = -1;
}
