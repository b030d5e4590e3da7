/*
 * One fetch, from the name of the policy host to what stands in the store
 * afterwards. All that must be over in a minute is; what came of it is in the
 * store before anybody hears of it, so that a crash does not undo it.
 */
#include "mtasts/mtasts_priv.h"

enum { KEEP_MAX = 4096 }; /* octets of a policy that never gives way */

static const struct onward_str host_prefix = {"mta-sts.", 8};

/* ---- Life -------------------------------------------------------------- */

struct onward_mtasts__job *onward_mtasts__job_find(struct onward_mtasts *m,
                                                   struct onward_str domain)
{
    struct onward_core__node *node = onward_core__table_find(
        &m->jobs, onward_core__hash(m->ctx, domain.data, domain.len));

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct onward_mtasts__job *job =
            ONWARD_CONTAINER(node, struct onward_mtasts__job, node);

        if (onward_core__str_eq(job->domain, domain))
            return job;
    }
    return NULL;
}

static void destroy(struct onward_mtasts__job *job)
{
    onward_mtasts__kept_free(job->kept);
    onward_core__buf_clear(&job->body);
    onward_core__free(job->m->ctx, job);
}

/* Nobody waits any more, and nothing does. The memory is the caller's. */
static void retire(struct onward_mtasts__job *job)
{
    job->guard.is_dead = true;
    onward_core__table_remove(&job->m->jobs, &job->node);
    while (job->waiting != NULL)
        onward_mtasts__lookup_wake(job->waiting, job);
    onward_core__task_clear(&job->task);
    onward_core__ask_close(&job->ask);
    onward_mtasts__fetch_orphan(job->fetch);
    job->fetch = NULL;
    onward_dns__query_clear(&job->aaaa);
    onward_dns__query_clear(&job->a);
    onward_store__query_clear(&job->put);
}

void onward_mtasts__job_cancel(struct onward_mtasts__job *job)
{
    /* The host's cancel callbacks of DNS and store may free all around us. */
    onward_core__guard_enter(&job->guard);
    onward_mtasts__kept_free(job->kept);
    job->kept = NULL;
    job->mark.reason = ONWARD_MTASTS_REASON_CANCELED;
    retire(job);
    if (onward_core__guard_leave(&job->guard))
        destroy(job);
}

void onward_mtasts__job_answered(struct onward_mtasts__job *job)
{
    job->stage = ONWARD_MTASTS__ANSWERED;
    onward_core__task_ready(&job->task);
}

/* ---- Addresses --------------------------------------------------------- */

static bool allows(struct onward_mtasts__job *job, const struct onward_ip *ip)
{
    const struct onward_mtasts_host *host = &job->m->host;

    if (host->allow_address == NULL)
        return onward_ip_is_public(ip) == 1;
    return host->allow_address(host->user, ip) == 1;
}

/* Those of one family that may be connected to, the first few. */
static void add_addresses(struct onward_mtasts__job *job,
                          const struct onward_dns__answer *answer,
                          int32_t family)
{
    size_t added = 0;

    for (size_t i = 0; i < answer->count; i++) {
        struct onward_ip ip = {.family = family};

        if (added == ONWARD_MTASTS__ADDRESSES_MAX ||
            i == (size_t)4 * ONWARD_MTASTS__ADDRESSES_MAX)
            return;
        memcpy(ip.octets, answer->records[i].data.data,
               answer->records[i].data.len);
        if (!allows(job, &ip))
            continue;
        if (job->guard.is_dead)
            return;
        job->ips[job->ip_count++] = ip;
        added++;
    }
}

static bool is_unknown(const struct onward_dns__answer *answer)
{
    return answer->status == ONWARD_DNS__TEMP ||
           answer->status == ONWARD_DNS__BOGUS;
}

static void fail(struct onward_mtasts__job *job,
                 enum onward_mtasts_reason reason)
{
    job->mark.reason = reason;
    onward_mtasts__job_answered(job);
}

static void ask_host(struct onward_mtasts__job *job)
{
    const struct onward_mtasts_request request = {
        .size = sizeof(request),
        .name = job->host,
        .path = ONWARD_STR("/.well-known/mta-sts.txt"),
        .port = 443,
        .ips = job->ips,
        .ip_count = job->ip_count,
    };
    const struct onward_mtasts_host *host = &job->m->host;
    int err =
        onward_core__ask_open(job->m->desk, &job->ask, ONWARD_ASK_CONNECT);

    if (err != 0) {
        fail(job, ONWARD_MTASTS_REASON_INTERNAL);
        return;
    }
    job->stage = ONWARD_MTASTS__CONNECT;
    err = host->connect(host->user, job->ask.token, &request);
    /* It may have answered in there; that counts. */
    if (err >= 0 || job->guard.is_dead || job->stage != ONWARD_MTASTS__CONNECT)
        return;
    onward_core__ask_close(&job->ask);
    fail(job, ONWARD_MTASTS_REASON_CONNECT);
}

static void look_at_addresses(struct onward_mtasts__job *job)
{
    const struct onward_dns__answer *aaaa = job->aaaa.answer;
    const struct onward_dns__answer *a = job->a.answer;

    if (aaaa == NULL || a == NULL)
        return;
    add_addresses(job, aaaa, 6);
    if (!job->guard.is_dead)
        add_addresses(job, a, 4);
    if (job->guard.is_dead)
        return;
    if (job->ip_count != 0)
        ask_host(job);
    else if (is_unknown(aaaa) || is_unknown(a))
        fail(job, ONWARD_MTASTS_REASON_HOST_DNS);
    else if (aaaa->count + a->count != 0)
        fail(job, ONWARD_MTASTS_REASON_ADDRESS);
    else
        fail(job, ONWARD_MTASTS_REASON_NO_HOST);
}

static void ask_addresses(struct onward_mtasts__job *job)
{
    struct onward_resolver *resolver = job->m->opts.resolver;

    job->stage = ONWARD_MTASTS__ADDRESSES;
    if (onward_dns__ask(resolver, &job->aaaa, job->host, ONWARD_DNS_AAAA,
                        &job->task) != 0 ||
        onward_dns__ask(resolver, &job->a, job->host, ONWARD_DNS_A,
                        &job->task) != 0)
        fail(job, ONWARD_MTASTS_REASON_INTERNAL);
}

/* ---- What came of it --------------------------------------------------- */

/* RFC 8461 section 3.3: administrators are to hear of a refresh that failed,
 * unless the policy asks for nothing. */
static void log_outcome(const struct onward_mtasts__job *job)
{
    struct onward_ctx *ctx = job->m->ctx;
    bool is_warning = job->kept == NULL && job->is_refresh;
    struct onward_buf detail;

    if (!onward_core__has_log(ctx))
        return;
    onward_core__buf_init(&detail, ctx, 1024);
    onward_core__buf_add_str(&detail, job->domain);
    onward_core__buf_add_text(&detail, " id=");
    onward_core__buf_add_str(&detail, job->id);
    onward_core__buf_add_text(&detail, " ");
    onward_core__buf_add_text(
        &detail, job->kept != NULL
                     ? onward_mtasts_mode_name((int)job->kept->policy.mode)
                     : onward_mtasts_reason_name((int)job->mark.reason));
    if (job->mark.reason == ONWARD_MTASTS_REASON_STATUS) {
        onward_core__buf_add_text(&detail, " ");
        onward_core__buf_add_u64(&detail, job->mark.http_status);
    }
    if (job->mark.reason == ONWARD_MTASTS_REASON_TLS) {
        onward_core__buf_add_text(&detail, " ");
        onward_core__buf_add_text(
            &detail, onward_tls_failure_name((int)job->mark.tls_failure));
    }
    onward_core__log(ctx, is_warning ? ONWARD_LOG_WARN : ONWARD_LOG_INFO,
                     "mtasts", job->kept != NULL ? "fetched" : "fetch-failed",
                     job->m->log_id, onward_core__buf_str(&detail));
    onward_core__buf_clear(&detail);
}

static void log_store(const struct onward_mtasts__job *job, int err)
{
    onward_core__log(job->m->ctx, ONWARD_LOG_ERROR, "mtasts", "store-put",
                     job->m->log_id, onward_str_of(onward_error_name(err)));
}

/*
 * A policy must not go before its time because others are used more; where the
 * store has no room for more of those, it is better there than nowhere.
 */
static int put_policy(struct onward_mtasts__job *job)
{
    char key[ONWARD_STORE_KEY_MAX];
    struct onward_buf value;
    int err;

    onward_core__buf_init(&value, job->m->ctx,
                          (size_t)ONWARD_MTASTS_POLICY_MAX + 256);
    err = onward_mtasts__kept_write(&value, job->kept);
    if (err == 0)
        err = onward_store__put(
            job->m->opts.store, &job->put,
            onward_mtasts__key(ONWARD_MTASTS__POLICY_KEY, job->domain, key),
            onward_core__buf_str(&value),
            onward_mtasts__kept_expires_s(job->kept), 0,
            job->is_kept_hard ? ONWARD_STORE_KEEP : 0, &job->task);
    onward_core__buf_clear(&value);
    return err;
}

static int put_mark(struct onward_mtasts__job *job)
{
    unsigned char value[ONWARD_MTASTS__MARK_MAX];
    char key[ONWARD_STORE_KEY_MAX];
    size_t len;

    job->mark.failed_s = onward_core__now_s(job->m->ctx);
    job->mark.id_len = job->id.len;
    memcpy(job->mark.id, job->id.data, job->id.len);
    len = onward_mtasts__mark_write(value, &job->mark);
    return onward_store__put(
        job->m->opts.store, &job->put,
        onward_mtasts__key(ONWARD_MTASTS__MARK_KEY, job->domain, key),
        onward_core__str(value, len),
        job->mark.failed_s + (int64_t)job->m->opts.failure_s, 0, 0, &job->task);
}

/* Body or reason is there: judge, and put it away. */
static void settle(struct onward_mtasts__job *job)
{
    int err = 0;

    onward_core__task_deadline(&job->task, ONWARD_NEVER);
    if (job->mark.reason == ONWARD_MTASTS_REASON_NONE) {
        err = onward_mtasts__kept_new(
            job->m->ctx, job->id, onward_core__buf_str(&job->body),
            onward_core__now_s(job->m->ctx), &job->fault, &job->kept);
        if (err != 0)
            job->mark.reason = err == ONWARD_ESYNTAX
                                   ? ONWARD_MTASTS_REASON_BAD_POLICY
                                   : ONWARD_MTASTS_REASON_INTERNAL;
        err = 0;
    }
    log_outcome(job);
    job->stage = ONWARD_MTASTS__STORE;
    if (job->kept != NULL && job->kept->policy.max_age_s != 0) {
        /* Anybody can have many domains, but few honest policies are long:
         * those may give way, so that strangers cannot fill the store. */
        job->is_kept_hard = job->body.len <= KEEP_MAX;
        err = put_policy(job);
    } else if (job->kept == NULL &&
               job->mark.reason != ONWARD_MTASTS_REASON_INTERNAL) {
        err = put_mark(job);
    }
    if (job->guard.is_dead)
        return;
    if (err != 0)
        log_store(job, err);
    if (job->put.store == NULL) /* nothing is under way */
        retire(job);
}

static void look_at_store(struct onward_mtasts__job *job)
{
    int err = job->put.status;

    if (err == ONWARD_AGAIN)
        return;
    if (err == ONWARD_ELIMIT && job->is_kept_hard) {
        job->is_kept_hard = false;
        onward_store__query_clear(&job->put);
        err = put_policy(job);
        if (err == 0 || job->guard.is_dead)
            return;
    }
    if (err != 0)
        log_store(job, err);
    retire(job);
}

/* ---- Steps ------------------------------------------------------------- */

static void time_out(struct onward_mtasts__job *job)
{
    const struct onward_mtasts_host *host = &job->m->host;
    bool was_asked = job->stage == ONWARD_MTASTS__CONNECT;
    uint64_t token = job->ask.token;

    onward_core__ask_close(&job->ask);
    onward_mtasts__fetch_orphan(job->fetch);
    job->fetch = NULL;
    fail(job, ONWARD_MTASTS_REASON_TIMEOUT);
    if (was_asked && host->cancel != NULL)
        host->cancel(host->user, token);
}

static void advance(struct onward_mtasts__job *job, int64_t now_ms)
{
    if (job->stage == ONWARD_MTASTS__START) {
        size_t limit = job->m->opts.fetch_ms;

        job->deadline_ms =
            limit == ONWARD_LIMIT_NONE ? ONWARD_NEVER : now_ms + (int64_t)limit;
        onward_core__task_deadline(&job->task, job->deadline_ms);
        ask_addresses(job);
    } else if (job->stage < ONWARD_MTASTS__ANSWERED &&
               now_ms >= job->deadline_ms) {
        time_out(job);
    } else if (job->stage == ONWARD_MTASTS__ADDRESSES) {
        look_at_addresses(job);
    } else if (job->stage == ONWARD_MTASTS__ANSWERED) {
        settle(job);
    } else if (job->stage == ONWARD_MTASTS__STORE) {
        look_at_store(job);
    }
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_mtasts__job *job =
        ONWARD_CONTAINER(task, struct onward_mtasts__job, task);
    struct onward_mtasts *m = job->m;

    onward_mtasts__hold(m);
    onward_core__guard_enter(&job->guard);
    advance(job, now_ms);
    if (onward_core__guard_leave(&job->guard))
        destroy(job);
    onward_mtasts__release(m);
}

int onward_mtasts__job_start(struct onward_mtasts *m, struct onward_str domain,
                             struct onward_str id, bool is_refresh,
                             struct onward_mtasts__job **job)
{
    struct onward_mtasts__job *made;
    char *at;

    if (m->jobs.count >= m->opts.max_fetches)
        return ONWARD_ELIMIT;
    made = onward_core__zalloc(m->ctx, sizeof(*made) + host_prefix.len +
                                           domain.len + id.len);
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->m = m;
    made->is_refresh = is_refresh;
    made->fault.size = sizeof(made->fault);
    at = made->text;
    memcpy(at, host_prefix.data, host_prefix.len);
    memcpy(at + host_prefix.len, domain.data, domain.len);
    made->host = onward_core__str(at, host_prefix.len + domain.len);
    made->domain =
        onward_core__sub(made->host, host_prefix.len, made->host.len);
    memcpy(at + made->host.len, id.data, id.len);
    made->id = onward_core__str(at + made->host.len, id.len);
    onward_core__buf_init(&made->body, m->ctx, ONWARD_MTASTS_POLICY_MAX);
    onward_core__table_add(&m->jobs, &made->node,
                           onward_core__hash(m->ctx, domain.data, domain.len));
    onward_core__task_init(&made->task, m->desk, run);
    onward_core__task_ready(&made->task);
    *job = made;
    return 0;
}
