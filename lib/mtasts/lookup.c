/*
 * What policy is in force for a domain (RFC 8461 section 5.1): the record and
 * the store are asked at once, and the store has the last word. A policy in it
 * is in force until its time is over, whatever becomes of record and host; they
 * can only put a newer one in its place.
 */
#include "mtasts/mtasts_priv.h"

#include "core/domain_shared.h"

enum { ARENA_BYTES = 8192 };

_Static_assert(offsetof(struct onward_mtasts_verdict, expires_s) +
                       sizeof(int64_t) ==
                   sizeof(struct onward_mtasts_verdict),
               "no tail padding");
_Static_assert(offsetof(struct onward_mtasts_lookup_host, done) +
                       sizeof(void (*)(void)) ==
                   sizeof(struct onward_mtasts_lookup_host),
               "no tail padding");

/* ---- Its end ----------------------------------------------------------- */

static void destroy(struct onward_mtasts_lookup *l)
{
    struct onward_mtasts *m = l->m;

    onward_mtasts__kept_free(l->kept);
    onward_core__arena_clear(&l->arena);
    onward_core__free(m->ctx, l);
    onward_mtasts__release(m);
}

static void unlink_job(struct onward_mtasts_lookup *l)
{
    if (l->job == NULL)
        return;
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        l->job->waiting = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    l->job = NULL;
    l->next = l->prev = NULL;
}

static void finish(struct onward_mtasts_lookup *l)
{
    struct onward_mtasts_verdict *v = &l->verdict;

    l->step = ONWARD_MTASTS__DONE;
    v->status =
        l->kept != NULL ? ONWARD_MTASTS_POLICY : ONWARD_MTASTS_NO_POLICY;
    if (l->kept != NULL) {
        v->policy = &l->kept->policy;
        v->id = l->kept->id;
        v->fetched_s = l->kept->fetched_s;
        v->expires_s = onward_mtasts__kept_expires_s(l->kept);
    } else if (l->has_no_view) {
        v->reason = ONWARD_MTASTS_REASON_STORE;
    }
}

static void finish_for(struct onward_mtasts_lookup *l,
                       enum onward_mtasts_reason reason)
{
    l->verdict.reason = reason;
    finish(l);
}

void onward_mtasts__lookup_wake(struct onward_mtasts_lookup *lookup,
                                const struct onward_mtasts__job *job)
{
    struct onward_mtasts_verdict *v = &lookup->verdict;

    unlink_job(lookup);
    v->reason = job->mark.reason;
    if (job->kept != NULL) {
        onward_mtasts__kept_free(lookup->kept);
        lookup->kept = onward_mtasts__kept_ref(job->kept);
        v->is_cached = 0;
    } else {
        v->http_status = job->mark.http_status;
        v->tls_failure = job->mark.tls_failure;
        v->flaw = job->fault.flaw;
        v->offset = job->fault.offset;
    }
    finish(lookup);
    onward_core__task_ready(&lookup->task);
}

/* ---- Fetching ---------------------------------------------------------- */

static struct onward_str wanted_id(const struct onward_mtasts_lookup *l)
{
    return l->id.len != 0 ? l->id : l->kept->id;
}

static void join(struct onward_mtasts_lookup *l, struct onward_mtasts__job *job)
{
    l->job = job;
    l->next = job->waiting;
    if (l->next != NULL)
        l->next->prev = l;
    job->waiting = l;
    l->step = ONWARD_MTASTS__WAIT;
}

static void fetch(struct onward_mtasts_lookup *l)
{
    struct onward_mtasts__job *job = onward_mtasts__job_find(l->m, l->domain);
    int err = 0;

    if (job == NULL)
        err = onward_mtasts__job_start(
            l->m, l->domain, wanted_id(l),
            l->kept != NULL && l->kept->policy.mode != ONWARD_MTASTS_MODE_NONE,
            &job);
    if (err == 0 && l->must_wait)
        join(l, job);
    else if (err == 0)
        finish(l);
    else
        finish_for(l, err == ONWARD_ELIMIT ? ONWARD_MTASTS_REASON_BUSY
                                           : ONWARD_MTASTS_REASON_INTERNAL);
}

/* Is the host to be left alone for a while (RFC 8461 section 3.3)? */
static bool is_too_soon(struct onward_mtasts_lookup *l,
                        struct onward_mtasts__mark *mark)
{
    int64_t now_s = onward_core__now_s(l->m->ctx);

    return l->get.status == 0 &&
           onward_mtasts__mark_read(l->get.value, mark) == 0 &&
           onward_core__str_eq(onward_core__str(mark->id, mark->id_len),
                               wanted_id(l)) &&
           mark->failed_s <= now_s &&
           now_s - mark->failed_s < (int64_t)l->m->opts.failure_s;
}

static void look_at_mark(struct onward_mtasts_lookup *l)
{
    struct onward_mtasts__mark mark;

    if (l->get.status == ONWARD_AGAIN)
        return;
    if (!is_too_soon(l, &mark)) {
        onward_store__query_clear(&l->get);
        if (!l->guard.is_dead)
            fetch(l);
        return;
    }
    l->verdict.is_remembered = 1;
    l->verdict.http_status = mark.http_status;
    l->verdict.tls_failure = mark.tls_failure;
    finish_for(l, mark.reason);
}

static int ask_store(struct onward_mtasts_lookup *l,
                     enum onward_mtasts__key which)
{
    char key[ONWARD_STORE_KEY_MAX];

    return onward_store__get(l->m->opts.store, &l->get,
                             onward_mtasts__key(which, l->domain, key),
                             &l->task);
}

/* A fetch is wanted; one that is under way is as good. */
static void want(struct onward_mtasts_lookup *l, bool must_wait)
{
    l->must_wait = must_wait;
    if (onward_mtasts__job_find(l->m, l->domain) != NULL) {
        fetch(l);
        return;
    }
    onward_store__query_clear(&l->get);
    if (l->guard.is_dead)
        return;
    l->step = ONWARD_MTASTS__MARK;
    if (ask_store(l, ONWARD_MTASTS__MARK_KEY) != 0 && !l->guard.is_dead)
        fetch(l);
}

/* ---- Deciding ---------------------------------------------------------- */

static void read_txt(struct onward_mtasts_lookup *l)
{
    const struct onward_dns__answer *answer = l->txt.answer;
    struct onward_mtasts_record record = {.size = sizeof(record)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};
    struct onward_mtasts_verdict *v = &l->verdict;
    struct onward_str *texts;
    int err = ONWARD_ENOENT;

    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS) {
        v->reason = ONWARD_MTASTS_REASON_DNS;
        return;
    }
    if (answer->status == ONWARD_DNS__OK) {
        texts =
            onward_core__arena_array(&l->arena, answer->count, sizeof(*texts));
        if (texts == NULL) {
            v->reason = ONWARD_MTASTS_REASON_INTERNAL;
            return;
        }
        for (size_t i = 0; i < answer->count; i++)
            texts[i] = answer->records[i].data;
        err =
            onward_mtasts_records_parse(texts, answer->count, &record, &fault);
    }
    if (err == 0)
        l->id = record.id; /* in the answer, which is held */
    else if (err == ONWARD_ENOENT)
        v->reason = ONWARD_MTASTS_REASON_NO_RECORD;
    else
        v->reason = fault.flaw == ONWARD_MTASTS_FLAW_SEVERAL
                        ? ONWARD_MTASTS_REASON_MANY_RECORDS
                        : ONWARD_MTASTS_REASON_BAD_RECORD;
    v->flaw = fault.flaw;
    v->offset = fault.offset;
}

/* What cannot be read counts as not there, and somebody should know. */
static void log_value(const struct onward_mtasts_lookup *l, int err)
{
    onward_core__log(l->m->ctx, ONWARD_LOG_WARN, "mtasts",
                     err == ONWARD_EVERSION ? "store-version" : "store-value",
                     l->m->log_id, l->domain);
}

static void read_store(struct onward_mtasts_lookup *l)
{
    int err = l->get.status;

    if (err == 0) {
        err = onward_mtasts__kept_read(l->m->ctx, l->get.value,
                                       onward_core__now_s(l->m->ctx), &l->kept);
        if (err == ONWARD_ESYNTAX || err == ONWARD_EVERSION)
            log_value(l, err);
        else if (err == ONWARD_ENOMEM)
            l->has_no_view = true;
    } else if (err != ONWARD_ENOENT) {
        l->has_no_view = true;
    }
    l->verdict.is_cached = l->kept != NULL;
}

static void decide(struct onward_mtasts_lookup *l)
{
    bool is_announced = l->id.len != 0;

    if (l->kept == NULL && !is_announced)
        finish(l);
    else if (l->kept == NULL ||
             (is_announced && !onward_core__str_eq(l->id, l->kept->id)))
        want(l, true);
    else if (onward_mtasts__kept_is_due(l->kept, onward_core__now_s(l->m->ctx),
                                        l->m->opts.refresh_s))
        want(l, l->is_patient);
    else
        finish(l);
}

static void look_at_both(struct onward_mtasts_lookup *l)
{
    if (l->txt.answer == NULL ||
        (l->get.store != NULL && l->get.status == ONWARD_AGAIN))
        return;
    read_txt(l);
    if (l->get.store != NULL)
        read_store(l);
    decide(l);
}

static void begin(struct onward_mtasts_lookup *l)
{
    char name[16 + ONWARD_DOMAIN_MAX];
    static const char prefix[] = "_mta-sts.";

    if (l->domain.len == 0) {
        finish_for(l, ONWARD_MTASTS_REASON_BAD_DOMAIN);
        return;
    }
    memcpy(name, prefix, sizeof(prefix) - 1);
    memcpy(name + sizeof(prefix) - 1, l->domain.data, l->domain.len);
    l->step = ONWARD_MTASTS__ASKED;
    if (onward_dns__ask(
            l->m->opts.resolver, &l->txt,
            onward_core__str(name, sizeof(prefix) - 1 + l->domain.len),
            ONWARD_DNS_TXT, &l->task) != 0) {
        finish_for(l, ONWARD_MTASTS_REASON_INTERNAL);
        return;
    }
    /* Nobody waits for an answer there: what is in force is not known. */
    if (ask_store(l, ONWARD_MTASTS__POLICY_KEY) != 0 && !l->guard.is_dead)
        l->has_no_view = true;
}

/* ---- Life -------------------------------------------------------------- */

static void log_verdict(const struct onward_mtasts_lookup *l)
{
    const struct onward_mtasts_verdict *v = &l->verdict;
    struct onward_ctx *ctx = l->m->ctx;
    struct onward_buf detail;

    if (!onward_core__has_log(ctx))
        return;
    onward_core__buf_init(&detail, ctx, 1024);
    onward_core__buf_add_str(&detail, l->domain);
    if (v->policy != NULL) {
        onward_core__buf_add_text(&detail, " ");
        onward_core__buf_add_text(
            &detail, onward_mtasts_mode_name((int)v->policy->mode));
        onward_core__buf_add_text(&detail, " id=");
        onward_core__buf_add_str(&detail, v->id);
    }
    if (v->reason != ONWARD_MTASTS_REASON_NONE) {
        onward_core__buf_add_text(&detail, " ");
        onward_core__buf_add_text(&detail,
                                  onward_mtasts_reason_name((int)v->reason));
    }
    onward_core__log(ctx, ONWARD_LOG_INFO, "mtasts",
                     v->policy != NULL ? "policy" : "no-policy", l->m->log_id,
                     onward_core__buf_str(&detail));
    onward_core__buf_clear(&detail);
}

static void clear_queries(struct onward_mtasts_lookup *l)
{
    onward_dns__query_clear(&l->txt);
    onward_store__query_clear(&l->get);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_mtasts_lookup *l =
        ONWARD_CONTAINER(task, struct onward_mtasts_lookup, task);

    (void)now_ms;
    if (l->is_told)
        return;
    onward_core__guard_enter(&l->guard);
    if (l->step != ONWARD_MTASTS__DONE && l->m->is_freed)
        finish_for(l, ONWARD_MTASTS_REASON_CANCELED);
    else if (l->step == ONWARD_MTASTS__BEGIN)
        begin(l);
    else if (l->step == ONWARD_MTASTS__ASKED)
        look_at_both(l);
    else if (l->step == ONWARD_MTASTS__MARK)
        look_at_mark(l);
    if (!l->guard.is_dead && l->step == ONWARD_MTASTS__DONE) {
        l->is_told = true;
        log_verdict(l);
        clear_queries(l);
        if (l->host.done != NULL && !l->guard.is_dead)
            l->host.done(l->host.user, l);
    }
    if (onward_core__guard_leave(&l->guard))
        destroy(l);
}

int onward_mtasts_lookup_new(struct onward_mtasts *mtasts,
                             struct onward_str domain,
                             const struct onward_mtasts_lookup_host *host,
                             struct onward_mtasts_lookup **lookup)
{
    struct onward_mtasts_lookup_host h;
    struct onward_mtasts_lookup *l;
    int err;

    if (mtasts == NULL || lookup == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (mtasts->is_freed || onward_core__desk_is_dead(mtasts->desk))
        return ONWARD_ESTATE;
    l = onward_core__zalloc(mtasts->ctx, sizeof(*l));
    if (l == NULL)
        return ONWARD_ENOMEM;
    l->m = mtasts;
    l->host = h;
    l->verdict.size = sizeof(l->verdict);
    onward_mtasts__hold(mtasts);
    onward_core__arena_init(&l->arena, mtasts->ctx, ARENA_BYTES);
    err = onward_core__domain_to_ascii(&l->arena, domain, &l->domain);
    if (err == ONWARD_ENOMEM) {
        destroy(l);
        return err;
    }
    if (err != 0 || !onward_core__domain_is_hostname(l->domain))
        l->domain = onward_core__str(NULL, 0);
    onward_core__task_init(&l->task, mtasts->desk, run);
    onward_core__task_ready(&l->task);
    *lookup = l;
    return 0;
}

void onward_mtasts_lookup_free(struct onward_mtasts_lookup *lookup)
{
    if (lookup == NULL || lookup->guard.is_dead)
        return;
    lookup->guard.is_dead = true;
    unlink_job(lookup);
    /* Cancels, and whatever the host frees there may want to free us too. */
    onward_core__guard_enter(&lookup->guard);
    onward_core__task_clear(&lookup->task);
    clear_queries(lookup);
    if (onward_core__guard_leave(&lookup->guard))
        destroy(lookup);
}

int onward_mtasts_lookup_verdict(const struct onward_mtasts_lookup *lookup,
                                 struct onward_mtasts_verdict *verdict)
{
    static const struct onward_mtasts_verdict pending = {.size =
                                                             sizeof(pending)};

    if (lookup == NULL || verdict == NULL)
        return ONWARD_EINVAL;
    return onward_core__out_store(
        verdict,
        lookup->step == ONWARD_MTASTS__DONE ? &lookup->verdict : &pending,
        sizeof(pending));
}
