/*
 * The validator as hosts use it: a message streams in, the header is kept, the
 * body is hashed as it passes, done fires on the desk.
 */
#include "arc/arc_shared.h"

struct onward_arc_validator {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_arc_validator_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_dkim__intake intake;
    struct onward_arc__validate validate;
    struct onward_dkim__policy policy;
    bool wants_oldest_pass;
    bool is_done;
};

static void run(struct onward_core__task *task, int64_t now_ms);

/* The header is complete: ask for the keys. */
static int begin(void *user)
{
    struct onward_arc_validator *v = user;

    return onward_arc__validate_begin(
        &v->validate, &v->intake.header, &v->intake.body, &v->policy,
        v->wants_oldest_pass, v->resolver, &v->task);
}

static void destroy(struct onward_arc_validator *v)
{
    struct onward_ctx *ctx = v->ctx;

    onward_arc__validate_clear(&v->validate);
    onward_core__task_clear(&v->task);
    onward_dkim__intake_clear(&v->intake);
    onward_dns__resolver_release(v->resolver);
    onward_core__free(ctx, v);
    onward_ctx_free(ctx);
}

int onward_arc_validator_new(struct onward_resolver *resolver,
                             const struct onward_arc_validator_opts *opts,
                             const struct onward_arc_validator_host *host,
                             struct onward_arc_validator **validator)
{
    struct onward_desk *desk = onward_dns__desk(resolver);
    struct onward_ctx *ctx = onward_core__desk_ctx(desk);
    struct onward_arc_validator_host h;
    struct onward_dkim__policy policy;
    struct onward_arc_validator *v;
    bool wants_oldest_pass;
    int err = onward_core__opts_load(&h, sizeof(h), host);

    if (err == 0 && h.done == NULL)
        err = ONWARD_EINVAL;
    if (err == 0)
        err = onward_arc__policy_load(ctx, opts, &policy, &wants_oldest_pass);
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
    v->wants_oldest_pass = wants_oldest_pass;
    onward_core__task_init(&v->task, desk, run);
    onward_dkim__intake_init(&v->intake, ctx, begin, v);
    *validator = v;
    return 0;
}

void onward_arc_validator_free(struct onward_arc_validator *validator)
{
    if (validator == NULL || validator->guard.is_dead)
        return;
    validator->guard.is_dead = true;
    if (validator->guard.depth == 0)
        destroy(validator);
}

int onward_arc_validator_feed(struct onward_arc_validator *validator,
                              const void *data, size_t len)
{
    return onward_dkim__intake_feed(&validator->intake, data, len, NULL);
}

int onward_arc_validator_finish(struct onward_arc_validator *validator)
{
    int err = onward_dkim__intake_finish(&validator->intake);

    if (err == 0)
        onward_core__task_ready(&validator->task);
    return err;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_arc_validator *v =
        ONWARD_CONTAINER(task, struct onward_arc_validator, task);

    (void)now_ms;
    if (v->is_done)
        return;
    /* A question that is not needed any more is cancelled inside, and the host
     * may free us there. */
    onward_core__guard_enter(&v->guard);
    v->is_done = onward_arc__validate_step(&v->validate);
    if (v->is_done && !v->guard.is_dead)
        v->host.done(v->host.user, v);
    if (onward_core__guard_leave(&v->guard))
        destroy(v);
}

int onward_arc_validator_verdict(const struct onward_arc_validator *validator,
                                 struct onward_arc_verdict *verdict)
{
    int err = onward_arc__validate_verdict(&validator->validate, verdict);

    /* What is known before done is nobody's business. */
    if (err == 0 && !validator->is_done &&
        verdict->size >= offsetof(struct onward_arc_verdict, reason))
        verdict->result = ONWARD_ARC_PENDING;
    return err;
}

int onward_arc_validator_set(const struct onward_arc_validator *validator,
                             size_t instance, struct onward_arc_set *set)
{
    return onward_arc__validate_set(&validator->validate, instance, set);
}
