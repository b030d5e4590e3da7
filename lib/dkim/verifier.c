/*
 * The verifier as hosts use it: a message streams in, the header is kept, the
 * body is hashed as it passes, done fires on the desk.
 */
#include "dkim/dkim_shared.h"

struct onward_dkim_verifier {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dkim_verifier_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_dkim__intake intake;
    struct onward_dkim__verify verify;
    struct onward_dkim__policy policy;
    size_t max_signatures;
    bool is_done;
};

static void run(struct onward_core__task *task, int64_t now_ms);

/* The header is complete: ask for the keys. */
static int begin(void *user)
{
    struct onward_dkim_verifier *v = user;

    return onward_dkim__verify_begin(&v->verify, &v->intake.header,
                                     &v->intake.body, &v->policy,
                                     v->max_signatures, v->resolver, &v->task);
}

static void destroy(struct onward_dkim_verifier *v)
{
    struct onward_ctx *ctx = v->ctx;

    onward_dkim__verify_clear(&v->verify);
    onward_core__task_clear(&v->task);
    onward_dkim__intake_clear(&v->intake);
    onward_dns__resolver_release(v->resolver);
    onward_core__free(ctx, v);
    onward_ctx_free(ctx);
}

int onward_dkim_verifier_new(struct onward_resolver *resolver,
                             const struct onward_dkim_verifier_opts *opts,
                             const struct onward_dkim_verifier_host *host,
                             struct onward_dkim_verifier **verifier)
{
    struct onward_desk *desk = onward_dns__desk(resolver);
    struct onward_ctx *ctx = onward_core__desk_ctx(desk);
    struct onward_dkim_verifier_host h;
    struct onward_dkim__policy policy;
    struct onward_dkim_verifier *v;
    size_t max_signatures;
    int err = onward_core__opts_load(&h, sizeof(h), host);

    if (err == 0 && h.done == NULL)
        err = ONWARD_EINVAL;
    if (err == 0)
        err = onward_dkim__policy_load(ctx, opts, &policy, &max_signatures);
    if (err == 0 && onward_core__desk_is_dead(desk))
        err = ONWARD_ESTATE;
    if (err != 0)
        return err;
    v = onward_core__zalloc(ctx, sizeof(*v));
    if (v == NULL)
        return ONWARD_ENOMEM;
    v->ctx = onward_ctx_ref(ctx);
    v->resolver = resolver;
    onward_dns__resolver_hold(resolver);
    v->host = h;
    v->policy = policy;
    if (v->policy.log_id == 0)
        v->policy.log_id = onward_core__desk_log_id(desk);
    v->max_signatures = max_signatures;
    onward_core__task_init(&v->task, desk, run);
    onward_dkim__intake_init(&v->intake, ctx, begin, v);
    *verifier = v;
    return 0;
}

void onward_dkim_verifier_free(struct onward_dkim_verifier *verifier)
{
    if (verifier == NULL || verifier->guard.is_dead)
        return;
    verifier->guard.is_dead = true;
    if (verifier->guard.depth == 0)
        destroy(verifier);
}

int onward_dkim_verifier_feed(struct onward_dkim_verifier *verifier,
                              const void *data, size_t len)
{
    return onward_dkim__intake_feed(&verifier->intake, data, len, NULL);
}

int onward_dkim_verifier_finish(struct onward_dkim_verifier *verifier)
{
    int err = onward_dkim__intake_finish(&verifier->intake);

    if (err == 0)
        onward_core__task_ready(&verifier->task);
    return err;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dkim_verifier *v =
        ONWARD_CONTAINER(task, struct onward_dkim_verifier, task);

    (void)now_ms;
    if (v->is_done)
        return;
    /* A question that is not needed any more is cancelled inside, and the host
     * may free us there. */
    onward_core__guard_enter(&v->guard);
    v->is_done = onward_dkim__verify_step(&v->verify);
    if (v->is_done && !v->guard.is_dead)
        v->host.done(v->host.user, v);
    if (onward_core__guard_leave(&v->guard))
        destroy(v);
}

int onward_dkim_verifier_is_done(const struct onward_dkim_verifier *verifier)
{
    return verifier->is_done;
}

size_t onward_dkim_verifier_count(const struct onward_dkim_verifier *verifier)
{
    return verifier->verify.count;
}

size_t onward_dkim_verifier_skipped(const struct onward_dkim_verifier *verifier)
{
    return verifier->verify.skipped;
}

int onward_dkim_verifier_signature(const struct onward_dkim_verifier *verifier,
                                   size_t i,
                                   struct onward_dkim_signature *signature)
{
    return onward_dkim__verify_signature(&verifier->verify, i, signature);
}
