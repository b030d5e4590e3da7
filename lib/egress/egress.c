/*
 * A plan: its options, its life, and its steps through DNS.
 */
#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_opts, log_id) + sizeof(uint64_t) ==
                   sizeof(struct onward_egress_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_host, tls_result) +
                       sizeof(void (*)(void)) ==
                   sizeof(struct onward_egress_host),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_verdict, text) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_egress_verdict),
               "no tail padding");

enum {
    SMTP_PORT = 25,
    DEFAULT_MAX_HOSTS = 16,
    DEFAULT_MAX_ATTEMPTS = 32,
    MOST_HOSTS = 1024,
    MEMORY_MAX = 1 << 22
};

void onward_egress__end(struct onward_egress *plan,
                        const struct onward_egress__end *end)
{
    plan->stage = ONWARD_EGRESS__ENDED;
    plan->fate = end->code / 100 == 4 ? ONWARD_EGRESS_TEMPORARY
                                      : ONWARD_EGRESS_PERMANENT;
    plan->code = end->code;
    plan->enhanced = onward_str_of(end->enhanced);
    plan->text = onward_str_of(end->text);
}

/* ---- Steps ------------------------------------------------------------- */

static const struct onward_egress__end no_domain = {550, "5.1.2",
                                                    "that is no domain name"};
static const struct onward_egress__end no_memory = {
    451, "4.3.0", "the mail server could not be looked for"};

static int collect(struct onward_egress *plan)
{
    size_t count = 0;

    for (const struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next)
        count += t->server_count;
    plan->servers = onward_core__arena_array(&plan->arena, count + 1,
                                             sizeof(*plan->servers));
    if (plan->servers == NULL)
        return ONWARD_ENOMEM;
    for (struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next) {
        onward_egress__servers_drop_own(plan, t);
        for (size_t i = 0; i < t->server_count; i++)
            plan->servers[plan->server_count++] = &t->servers[i];
    }
    return 0;
}

/* All is answered. The host may have freed the plan at any callback. */
static int decide(struct onward_egress *plan)
{
    int err = collect(plan);

    if (err == 0)
        onward_egress__judge_all(plan);
    if (err == 0 && !plan->guard.is_dead)
        err = onward_egress__addresses_make(plan);
    if (err < 0 || plan->guard.is_dead)
        return err;
    if (plan->attempt_count == 0)
        onward_egress__end_without(plan);
    else
        plan->stage = ONWARD_EGRESS__READY;
    onward_egress__tell_passed(plan);
    return 0;
}

/* As far as the answers go. */
static int advance(struct onward_egress *plan)
{
    int err = 0;

    if (plan->stage == ONWARD_EGRESS__START) {
        if (plan->target_count == 0 && plan->domain.text.len == 0) {
            onward_egress__end(plan, &no_domain);
            return 0;
        }
        err = onward_egress__targets_start(plan);
    }
    if (err == 0)
        err = onward_egress__targets_go_on(plan);
    if (err == 0 && onward_egress__targets_have_all(plan))
        err = decide(plan);
    return err;
}

void onward_egress__destroy(struct onward_egress *plan)
{
    struct onward_resolver *resolver = plan->resolver;

    onward_core__arena_clear(&plan->arena);
    onward_core__free(plan->ctx, plan);
    onward_dns__resolver_release(resolver);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_egress *plan =
        ONWARD_CONTAINER(task, struct onward_egress, task);

    (void)now_ms;
    if (plan->stage >= ONWARD_EGRESS__READY)
        return;
    onward_core__guard_enter(&plan->guard);
    if (advance(plan) < 0 && !plan->guard.is_dead) {
        plan->server_count = plan->address_count = 0;
        onward_egress__end(plan, &no_memory);
    }
    if (!plan->guard.is_dead && plan->stage >= ONWARD_EGRESS__READY)
        plan->host.done(plan->host.user, plan);
    if (onward_core__guard_leave(&plan->guard))
        onward_egress__destroy(plan);
}

/* ---- Life -------------------------------------------------------------- */

static int read_names(struct onward_egress *plan,
                      const struct onward_str *texts, size_t count,
                      struct onward_egress__name **names)
{
    if (count == 0)
        return 0;
    *names = onward_core__arena_array(&plan->arena, count, sizeof(**names));
    if (*names == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int err =
            onward_egress__name_parse(&plan->arena, texts[i], &(*names)[i]);

        if (err < 0)
            return err;
    }
    return 0;
}

static int read_opts(struct onward_egress *plan)
{
    struct onward_egress_opts *o = &plan->opts;
    int err;

    err = read_names(plan, o->own_names, o->own_name_count, &plan->own_names);
    if (err < 0)
        return err;
    o->own_names = NULL;
    /* The domain is a recipient's: what is wrong with it is a result. */
    err = onward_egress__name_parse(&plan->arena, o->domain, &plan->domain);
    if (err == ONWARD_ESYNTAX)
        memset(&plan->domain, 0, sizeof(plan->domain));
    o->domain = plan->domain.text;
    return err == ONWARD_ESYNTAX ? 0 : err;
}

static int resolve_opts(struct onward_egress_opts *o)
{
    if (o->port > UINT16_MAX || o->tls_level > ONWARD_TLS_DANE ||
        o->protocol > ONWARD_EGRESS_LMTP ||
        /* RFC 2033 section 5. */
        (o->protocol == ONWARD_EGRESS_LMTP && o->port == SMTP_PORT) ||
        (o->tls_level == ONWARD_TLS_DANE && o->skip_dane != 0))
        return ONWARD_EINVAL;
    if (o->tls_level == 0)
        o->tls_level = ONWARD_TLS_OPPORTUNISTIC;
    o->max_hosts = onward_core__limit(o->max_hosts, DEFAULT_MAX_HOSTS);
    if (o->max_hosts > MOST_HOSTS)
        o->max_hosts = MOST_HOSTS;
    o->max_attempts = onward_core__limit(o->max_attempts, DEFAULT_MAX_ATTEMPTS);
    if (o->max_attempts > MOST_HOSTS)
        o->max_attempts = MOST_HOSTS;
    return 0;
}

int onward_egress_new(struct onward_resolver *resolver,
                      const struct onward_egress_opts *opts,
                      const struct onward_egress_host *host,
                      struct onward_egress **plan)
{
    struct onward_egress_opts o;
    struct onward_egress_host h;
    struct onward_egress *made;
    struct onward_desk *desk;
    int err;

    if (resolver == NULL || opts == NULL || host == NULL || plan == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = h.done == NULL ? ONWARD_EINVAL : resolve_opts(&o);
    if (err < 0)
        return err;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    made = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_core__desk_ctx(desk);
    made->resolver = resolver;
    made->opts = o;
    made->host = h;
    made->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(desk);
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&made->arena, made->ctx, MEMORY_MAX);
    onward_core__task_init(&made->task, desk, run);
    err = read_opts(made);
    if (err < 0) {
        onward_egress_free(made);
        return err;
    }
    onward_core__task_ready(&made->task);
    *plan = made;
    return 0;
}

void onward_egress_free(struct onward_egress *plan)
{
    if (plan == NULL || plan->guard.is_dead)
        return;
    plan->guard.is_dead = true;
    onward_core__task_clear(&plan->task);
    onward_egress__targets_clear(plan);
    if (plan->guard.depth == 0)
        onward_egress__destroy(plan);
}

int onward_egress_result(const struct onward_egress *plan,
                         struct onward_egress_verdict *result)
{
    struct onward_egress_verdict out = {.size = sizeof(out)};

    if (plan == NULL || result == NULL)
        return ONWARD_EINVAL;
    if (plan->stage == ONWARD_EGRESS__ENDED) {
        out.fate = plan->fate;
        out.code = plan->code;
        out.enhanced = plan->enhanced;
        out.text = plan->text;
    }
    return onward_core__out_store(result, &out, sizeof(out));
}
