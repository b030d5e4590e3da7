/*
 * The quarantine is a spool of its own in DIR/quarantine, on which nothing is
 * tried: the same files, and the same requests by which `onward quarantine`
 * asks for changes. What is released goes into the queue as if it had come now,
 * to where the rules would have sent it, if that is verified still.
 *
 * It is in the queue before its file here goes: killed in between it is in
 * both, and the start takes it out of here.
 */
#define _GNU_SOURCE
#include "quarantine.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "log_line.h"
#include "queue.h"

enum { LOOK_MS = 5000 }; /* where inotify(7) is not to be had */

struct apart {
    struct apart *next;
    char id[SPOOL_ID_MAX];
    int64_t arrival_s;
    uint64_t size;
};

struct quarantine {
    struct forwarder *fwd;
    struct spool *spool;
    struct apart *all;
    uint64_t bytes;
    int64_t oldest_s; /* INT64_MAX: there is none */
    struct loop_watch watch;
    int64_t look_again_ms;
};

/* ---- The log ----------------------------------------------------------- */

static void say(struct quarantine *q, const char *event, const char *id,
                const struct spool_envelope *e, const char *why)
{
    struct json j;

    log_line_begin(&j, q->fwd->log, event);
    json_text(&j, "id", id);
    if (e != NULL) {
        json_str_or_null(&j, "of", e->log_id);
        json_str(&j, "place", e->place);
        json_str(&j, "from", e->reverse_path);
        json_open(&j, "to", '[');
        for (size_t i = 0; i < e->rcpt_count; i++)
            json_str(&j, NULL, e->rcpts[i].address);
        json_close(&j, ']');
        json_open(&j, "was_for", '[');
        for (size_t i = 0; i < e->name_count; i++)
            json_str(&j, NULL, e->names[i].address);
        json_close(&j, ']');
    }
    if (why != NULL)
        json_text(&j, "detail", why);
    log_line_end(&j);
}

static void fault_of(struct quarantine *q, const char *id, const char *doing)
{
    char text[200];

    snprintf(text, sizeof(text), "%s: %s", doing, strerror(errno));
    say(q, "quarantine-fault", id, NULL, text);
}

/* ---- What is there ----------------------------------------------------- */

static void measure(struct quarantine *q)
{
    q->oldest_s = INT64_MAX;
    q->bytes = 0;
    for (const struct apart *a = q->all; a != NULL; a = a->next) {
        q->bytes += a->size;
        if (a->arrival_s < q->oldest_s)
            q->oldest_s = a->arrival_s;
    }
}

static int add(struct quarantine *q, const char *id, int64_t arrival_s,
               uint64_t size)
{
    struct apart *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return -1;
    snprintf(a->id, sizeof(a->id), "%s", id);
    a->arrival_s = arrival_s;
    a->size = size;
    a->next = q->all;
    q->all = a;
    measure(q);
    return 0;
}

static bool is_there(const struct quarantine *q, const char *id)
{
    const struct apart *a = q->all;

    while (a != NULL && strcmp(a->id, id) != 0)
        a = a->next;
    return a != NULL;
}

static void forget(struct quarantine *q, const char *id)
{
    struct apart **at = &q->all, *a;

    while (*at != NULL && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    a = *at;
    if (a == NULL)
        return;
    *at = a->next;
    free(a);
    measure(q);
}

static bool take_one(void *user, const char *id)
{
    struct quarantine *q = user;
    struct spool_message *m;

    if (queue_find(q->fwd->queue, id) != NULL) { /* released, and killed */
        if (spool_remove(q->spool, id) != 0)
            fault_of(q, id, "remove");
        return true;
    }
    m = spool_read(q->spool, id);
    if (m != NULL) {
        if (add(q, id, m->envelope.arrival_s, m->content.len) != 0)
            fault_of(q, id, "look at");
    } else {
        fault_of(q, id, errno == EBADMSG ? "read, set aside" : "read");
        if (errno == EBADMSG)
            spool_set_aside(q->spool, id);
    }
    spool_message_free(m);
    return true;
}

int quarantine_keep(struct forwarder *fwd,
                    const struct spool_envelope *envelope,
                    const struct onward_source *content)
{
    struct quarantine *q = fwd->quarantine;
    char id[SPOOL_ID_MAX];

    if (q == NULL || spool_new_id(id) != 0)
        return -1;
    if (q->bytes + content->len > fwd->setup->settings.quarantine_bytes) {
        errno = EDQUOT;
        fault_of(q, id, "keep");
        return -1;
    }
    if (spool_put(q->spool, id, envelope, content) != 0) {
        fault_of(q, id, "keep");
        return -1;
    }
    if (add(q, id, envelope->arrival_s, content->len) != 0) {
        spool_remove(q->spool, id);
        return -1;
    }
    say(q, "quarantined", id, envelope, NULL);
    return 0;
}

/* ---- Letting go -------------------------------------------------------- */

/* By what is known now: an address may have been revoked meanwhile. */
static bool is_verified(struct forwarder *fwd, struct onward_str address)
{
    int word = storage_destination(fwd, address.data, address.len);

    if (word != 0)
        return word == 1;
    return onward_ruleset_destination(fwd->setup->ruleset, address) ==
           ONWARD_RULESET_STATE_VERIFIED;
}

static const char *why_not(struct forwarder *fwd, const struct spool_message *m)
{
    if (m->envelope.has_no_way)
        return "the rules had no destination for it when it came";
    for (size_t i = 0; i < m->envelope.rcpt_count; i++) {
        if (!is_verified(fwd, m->envelope.rcpts[i].address))
            return "a destination is not verified any more";
    }
    return NULL;
}

static void drop(struct quarantine *q, const char *id)
{
    if (spool_remove(q->spool, id) != 0 && errno != ENOENT)
        fault_of(q, id, "remove");
    else
        forget(q, id);
}

static void release(struct quarantine *q, const char *id,
                    const struct spool_message *m)
{
    const char *why = why_not(q->fwd, m);
    struct spool_envelope e = m->envelope;

    if (why != NULL) {
        say(q, "quarantine-refused", id, &m->envelope, why);
        return;
    }
    e.place = (struct onward_str){0};
    e.arrival_s = 0; /* now: it has all the time that mail has */
    if (queue_submit_as(q->fwd, id, &e, &m->content) != 0 && errno != EEXIST) {
        fault_of(q, id, "release");
        return;
    }
    say(q, "quarantine-released", id, &m->envelope, NULL);
    drop(q, id);
}

/* ---- Requests ---------------------------------------------------------- */

static void do_one(struct quarantine *q, const char *id, enum spool_what what)
{
    struct spool_message *m;

    if (!is_there(q, id))
        return;
    m = spool_read(q->spool, id);
    if (m == NULL || (what == SPOOL_RELEASE && spool_check(m) != 0)) {
        fault_of(q, id, "read");
    } else if (what == SPOOL_RELEASE) {
        release(q, id, m);
    } else if (what == SPOOL_DELETE) {
        say(q, "quarantine-deleted", id, &m->envelope, NULL);
        drop(q, id);
    }
    spool_message_free(m);
}

static void look(struct quarantine *q)
{
    char id[SPOOL_ID_MAX];
    enum spool_what what;
    int ret;

    while ((ret = spool_next_request(q->spool, id, &what)) == 1) {
        do_one(q, id, what);
        ret = spool_end_request(q->spool, id, what);
        if (ret != 0)
            break;
    }
    if (ret < 0)
        fault_of(q, "requests", "read");
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct quarantine *q =
        (struct quarantine *)(void *)((char *)watch -
                                      offsetof(struct quarantine, watch));
    char octets[4096];

    (void)events;
    while (read(watch->fd, octets, sizeof(octets)) > 0)
        continue;
    look(q);
}

/* ---- Time -------------------------------------------------------------- */

/* What goes later has to have a sender that bounces find back to. */
static int64_t end_of(const struct quarantine *q, int64_t arrival_s)
{
    const struct settings *s = &q->fwd->setup->settings;
    size_t life_s = s->quarantine_life_s;

    if (s->srs_secret != NULL && s->srs_max_age_days > 0 &&
        s->srs_max_age_days * 86400 < life_s)
        life_s = s->srs_max_age_days * 86400;
    return arrival_s + (int64_t)life_s;
}

int64_t quarantine_deadline(const struct forwarder *fwd)
{
    const struct quarantine *q = fwd->quarantine;
    int64_t wait_s;

    if (q == NULL || fwd->is_draining)
        return ONWARD_NEVER;
    if (q->oldest_s == INT64_MAX)
        return q->look_again_ms;
    wait_s = end_of(q, q->oldest_s) - (int64_t)time(NULL);
    if (wait_s > 3600)
        wait_s = 3600;
    wait_s = host_now_ms() + (wait_s > 0 ? wait_s * 1000 : 0);
    return wait_s < q->look_again_ms ? wait_s : q->look_again_ms;
}

static void expire(struct quarantine *q)
{
    const int64_t now_s = (int64_t)time(NULL);
    struct apart *next;

    if (q->oldest_s == INT64_MAX || end_of(q, q->oldest_s) > now_s)
        return;
    for (struct apart *a = q->all; a != NULL; a = next) {
        char id[SPOOL_ID_MAX];

        next = a->next;
        if (end_of(q, a->arrival_s) > now_s)
            continue;
        memcpy(id, a->id, sizeof(id));
        say(q, "quarantine-expired", id, NULL, NULL);
        drop(q, id);
        /* A disk that does not let it go is not asked again at once. */
        if (is_there(q, id))
            a->arrival_s = now_s;
    }
    measure(q);
}

void quarantine_time(struct forwarder *fwd, int64_t now_ms)
{
    struct quarantine *q = fwd->quarantine;

    if (q == NULL || fwd->is_draining)
        return;
    expire(q);
    if (now_ms < q->look_again_ms)
        return;
    q->look_again_ms = now_ms + LOOK_MS;
    look(q);
}

/* ---- Life -------------------------------------------------------------- */

static int load(struct quarantine *q, const char *path, char *fault,
                size_t fault_size)
{
    q->spool = spool_open(path, SPOOL_WORK, fault, fault_size);
    if (q->spool == NULL)
        return -1;
    if (spool_each(q->spool, take_one, q) != 0) {
        snprintf(fault, fault_size, "%s: %s, expected a readable folder", path,
                 strerror(errno));
        return -1;
    }
    q->watch =
        (struct loop_watch){.fd = spool_request_fd(q->spool), .ready = ready};
    if (q->watch.fd < 0 || loop_add(q->fwd->loop, &q->watch, EPOLLIN) != 0) {
        q->watch.fd = -1;
        q->look_again_ms = host_now_ms() + LOOK_MS;
    }
    look(q); /* what was asked for while nobody was here */
    return 0;
}

int quarantine_open(struct forwarder *fwd, const char *spool, char *fault,
                    size_t fault_size)
{
    struct quarantine *q = calloc(1, sizeof(*q));
    char *path = NULL;
    int ret;

    if (q == NULL || asprintf(&path, "%s/quarantine", spool) < 0) {
        snprintf(fault, fault_size, "out of memory");
        free(q);
        return -1;
    }
    q->fwd = fwd;
    q->watch.fd = -1;
    q->oldest_s = INT64_MAX;
    q->look_again_ms = ONWARD_NEVER;
    fwd->quarantine = q;
    ret = load(q, path, fault, fault_size);
    free(path);
    return ret;
}

void quarantine_close(struct forwarder *fwd)
{
    struct quarantine *q = fwd->quarantine;

    if (q == NULL)
        return;
    while (q->all != NULL)
        forget(q, q->all->id);
    if (q->watch.fd >= 0)
        loop_remove(fwd->loop, &q->watch);
    spool_close(q->spool);
    free(q);
    fwd->quarantine = NULL;
}
