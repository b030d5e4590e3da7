/*
 * One HTTPS request as an engine on a channel: TLS from the first octet, a GET,
 * the answer. What it gave goes to its job.
 */
#include "mtasts/http_priv.h"

#include "tls/tls_shared.h"

enum { LENGTH_MAX = 4096 };

struct onward_mtasts_fetch {
    struct onward_channel channel;
    struct onward_ctx *ctx;
    struct onward_desk *desk;       /* held */
    struct onward_mtasts__job *job; /* NULL: it needs nothing more of us */
    struct onward_tls__filter *tls;
    struct onward_mtasts__http http;
};

static void destroy(void *engine)
{
    struct onward_mtasts_fetch *f = engine;
    struct onward_ctx *ctx = f->ctx;
    struct onward_desk *desk = f->desk;

    onward_mtasts__http_clear(&f->http);
    onward_channel__clear(&f->channel);
    onward_core__free(ctx, f);
    onward_core__desk_release(desk);
}

/* The job has what it waited for. */
static void finish(struct onward_mtasts_fetch *f,
                   enum onward_mtasts_reason reason)
{
    struct onward_mtasts__job *job = f->job;

    if (job == NULL)
        return;
    f->job = NULL;
    job->fetch = NULL;
    job->mark.reason = reason;
    job->mark.http_status = f->http.status;
    if (reason == ONWARD_MTASTS_REASON_TLS)
        job->mark.tls_failure = (size_t)onward_tls__failure(f->tls);
    if (reason == ONWARD_MTASTS_REASON_NONE) {
        job->body = f->http.body;
        onward_core__buf_init(&f->http.body, f->ctx, 0);
    }
    onward_mtasts__job_answered(job);
}

static void look(struct onward_mtasts_fetch *f)
{
    if (!onward_mtasts__http_is_done(&f->http))
        return;
    finish(f, f->http.state == ONWARD_MTASTS__WHOLE ? ONWARD_MTASTS_REASON_NONE
                                                    : f->http.reason);
    onward_channel__close(&f->channel);
}

static int engine_feed(void *engine, const unsigned char *data, size_t len,
                       size_t *taken)
{
    struct onward_mtasts_fetch *f = engine;

    *taken = len;
    if (f->job == NULL)
        return 0;
    onward_mtasts__http_feed(&f->http, data, len);
    look(f);
    return 0;
}

static int engine_eof(void *engine, enum onward_eof kind)
{
    struct onward_mtasts_fetch *f = engine;

    if (f->job == NULL)
        return 0;
    onward_mtasts__http_end(&f->http, kind == ONWARD_EOF_CLEAN);
    look(f);
    return 0;
}

/* The job's deadline is the one that counts. */
static int engine_timeout(void *engine, int64_t now_ms)
{
    (void)engine, (void)now_ms;
    return 0;
}

static int write_request(struct onward_mtasts_fetch *f)
{
    struct onward_buf request;
    int err;

    onward_core__buf_init(&request, f->ctx, LENGTH_MAX);
    onward_core__buf_add_text(&request, "GET /.well-known/mta-sts.txt HTTP/1.1"
                                        "\r\nHost: ");
    onward_core__buf_add_str(&request, f->job->host);
    err = onward_core__buf_add_text(&request, "\r\nUser-Agent: libonward\r\n"
                                              "Accept: text/plain\r\n"
                                              "Accept-Encoding: identity\r\n"
                                              "Cache-Control: no-cache\r\n"
                                              "Connection: close\r\n\r\n");
    if (err == 0)
        err = onward_channel__write_str(&f->channel,
                                        onward_core__buf_str(&request));
    onward_core__buf_clear(&request);
    return err < 0 ? err : 0;
}

static int engine_secured(void *engine, int status)
{
    struct onward_mtasts_fetch *f = engine;

    if (f->job == NULL)
        return 0;
    if (status < 0) {
        finish(f, ONWARD_MTASTS_REASON_TLS);
        return 0;
    }
    status = write_request(f);
    if (status < 0)
        finish(f, ONWARD_MTASTS_REASON_INTERNAL);
    return status;
}

static const struct onward_channel_ops ops = {
    .feed = engine_feed,
    .eof = engine_eof,
    .timeout = engine_timeout,
    .secured = engine_secured,
    .destroy = destroy,
};

void onward_mtasts__fetch_orphan(struct onward_mtasts_fetch *fetch)
{
    if (fetch == NULL)
        return;
    fetch->job = NULL;
    onward_channel__abort(&fetch->channel);
}

/* ---- The host's answers ------------------------------------------------ */

static struct onward_mtasts__job *find(struct onward_desk *desk, uint64_t token)
{
    struct onward_core__ask *ask =
        desk == NULL ? NULL
                     : onward_core__ask_find(desk, token, ONWARD_ASK_CONNECT);

    return ask == NULL ? NULL
                       : ONWARD_CONTAINER(ask, struct onward_mtasts__job, ask);
}

static int plug(struct onward_mtasts_fetch *f, struct onward_tls_config *config)
{
    const struct onward_tls_demand demand = {
        .size = sizeof(demand),
        .level = ONWARD_TLS_VERIFIED,
        .names = &f->job->host,
        .name_count = 1,
        .server_name = f->job->host,
    };

    return onward_tls__plug(&f->channel, config, &demand, &f->tls);
}

int onward_mtasts_fetch_new(struct onward_desk *desk, uint64_t token,
                            struct onward_mtasts_fetch **fetch)
{
    static const struct onward_channel_bounds bounds = {
        .reads_while_full = true, .is_small = true};
    struct onward_mtasts__job *job = find(desk, token);
    struct onward_mtasts_fetch *f;
    int err = ONWARD_ENOMEM;

    if (job == NULL)
        return ONWARD_ESTALE;
    if (job->m->opts.tls == NULL)
        return ONWARD_ESTATE;
    onward_core__ask_close(&job->ask);
    f = onward_core__zalloc(job->m->ctx, sizeof(*f));
    if (f != NULL) {
        f->ctx = job->m->ctx;
        f->desk = desk;
        f->job = job;
        onward_core__desk_hold(desk);
        onward_mtasts__http_init(&f->http, f->ctx);
        onward_channel__init(&f->channel, f->ctx, desk, &ops, f, &bounds);
        err = plug(f, job->m->opts.tls);
    }
    if (err != 0) {
        if (f != NULL)
            destroy(f);
        job->mark.reason = ONWARD_MTASTS_REASON_INTERNAL;
        onward_mtasts__job_answered(job);
        return err;
    }
    job->fetch = f;
    job->stage = ONWARD_MTASTS__TALK;
    *fetch = f;
    return 0;
}

void onward_mtasts_fetch_free(struct onward_mtasts_fetch *fetch)
{
    if (fetch == NULL || fetch->channel.guard.is_dead)
        return;
    finish(fetch, ONWARD_MTASTS_REASON_CUT);
    if (onward_channel__free_begin(&fetch->channel))
        destroy(fetch);
}

struct onward_channel *
onward_mtasts_fetch_channel(struct onward_mtasts_fetch *fetch)
{
    return fetch == NULL ? NULL : &fetch->channel;
}

_Static_assert(offsetof(struct onward_mtasts_reply, body) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_mtasts_reply),
               "no tail padding");

static enum onward_mtasts_reason
judge_reply(const struct onward_mtasts_reply *r)
{
    if (r->status != 200)
        return ONWARD_MTASTS_REASON_STATUS;
    if (r->content_encoding.len != 0 &&
        !onward_core__str_ieq(r->content_encoding, ONWARD_STR("identity")))
        return ONWARD_MTASTS_REASON_ENCODING;
    if (!onward_mtasts__is_text_plain(r->content_type))
        return ONWARD_MTASTS_REASON_MEDIA_TYPE;
    if (r->body.len > ONWARD_MTASTS_POLICY_MAX)
        return ONWARD_MTASTS_REASON_TOO_LONG;
    return ONWARD_MTASTS_REASON_NONE;
}

int onward_mtasts_answer_reply(struct onward_desk *desk, uint64_t token,
                               const struct onward_mtasts_reply *reply)
{
    struct onward_mtasts__job *job = find(desk, token);
    struct onward_mtasts_reply r;
    int err;

    if (job == NULL)
        return ONWARD_ESTALE;
    if (reply == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&r, sizeof(r), reply);
    if (err == 0 && (r.status < 100 || r.status > 999))
        err = ONWARD_EINVAL;
    if (err != 0)
        return err;
    onward_core__ask_close(&job->ask);
    job->mark.http_status = r.status;
    job->mark.reason = judge_reply(&r);
    if (job->mark.reason == ONWARD_MTASTS_REASON_NONE) {
        onward_core__buf_init(&job->body, job->m->ctx,
                              ONWARD_MTASTS_POLICY_MAX);
        err = onward_core__buf_add_str(&job->body, r.body);
        if (err != 0)
            job->mark.reason = ONWARD_MTASTS_REASON_INTERNAL;
    }
    onward_mtasts__job_answered(job);
    return err;
}

int onward_mtasts_answer_error(struct onward_desk *desk, uint64_t token,
                               int tls_failure)
{
    struct onward_mtasts__job *job = find(desk, token);

    if (job == NULL)
        return ONWARD_ESTALE;
    if (tls_failure < 0 || tls_failure > ONWARD_TLS_INTERNAL)
        return ONWARD_EINVAL;
    onward_core__ask_close(&job->ask);
    job->mark.tls_failure = (size_t)tls_failure;
    job->mark.reason = tls_failure == 0 ? ONWARD_MTASTS_REASON_CONNECT
                                        : ONWARD_MTASTS_REASON_TLS;
    onward_mtasts__job_answered(job);
    return 0;
}
