/*
 * What all lookups of a desk share: the options, the host, the fetches.
 */
#include "mtasts/mtasts_priv.h"

#include "tls/tls_shared.h"

enum {
    DEFAULT_FETCH_MS = 60000,
    DEFAULT_FAILURE_S = 300,
    DEFAULT_REFRESH_S = 86400,
    DEFAULT_MAX_FETCHES = 1024
};

_Static_assert(offsetof(struct onward_mtasts_opts, log_id) + sizeof(uint64_t) ==
                   sizeof(struct onward_mtasts_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_mtasts_host, allow_address) +
                       sizeof(void (*)(void)) ==
                   sizeof(struct onward_mtasts_host),
               "no tail padding");
_Static_assert(offsetof(struct onward_mtasts_request, ip_count) +
                       sizeof(size_t) ==
                   sizeof(struct onward_mtasts_request),
               "no tail padding");

void onward_mtasts__hold(struct onward_mtasts *m)
{
    m->refs++;
}

void onward_mtasts__release(struct onward_mtasts *m)
{
    struct onward_desk *desk = m->desk;

    if (--m->refs > 0)
        return;
    onward_core__table_clear(&m->jobs);
    onward_tls_config_free(m->opts.tls);
    onward_store__release(m->opts.store);
    onward_dns__resolver_release(m->opts.resolver);
    onward_core__free(m->ctx, m);
    onward_core__desk_release(desk);
}

static int resolve_opts(struct onward_mtasts_opts *o,
                        const struct onward_mtasts_host *h)
{
    if (o->resolver == NULL || o->store == NULL || h->connect == NULL ||
        onward_store__desk(o->store) != onward_dns__desk(o->resolver) ||
        (o->tls != NULL && onward_tls__config_is_server(o->tls)))
        return ONWARD_EINVAL;
    o->fetch_ms = onward_core__limit(o->fetch_ms, DEFAULT_FETCH_MS);
    o->failure_s = onward_core__limit(o->failure_s, DEFAULT_FAILURE_S);
    o->refresh_s = onward_core__limit(o->refresh_s, DEFAULT_REFRESH_S);
    o->max_fetches = onward_core__limit(o->max_fetches, DEFAULT_MAX_FETCHES);
    /* Seconds and milliseconds are added to clocks. */
    if (o->fetch_ms > INT32_MAX)
        o->fetch_ms = ONWARD_LIMIT_NONE;
    if (o->failure_s > INT32_MAX)
        o->failure_s = INT32_MAX;
    if (o->refresh_s > INT32_MAX)
        o->refresh_s = INT32_MAX;
    return 0;
}

int onward_mtasts_new(const struct onward_mtasts_opts *opts,
                      const struct onward_mtasts_host *host,
                      struct onward_mtasts **mtasts)
{
    struct onward_mtasts_opts o;
    struct onward_mtasts_host h;
    struct onward_mtasts *m;
    struct onward_desk *desk;
    int err;

    if (opts == NULL || host == NULL || mtasts == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = resolve_opts(&o, &h);
    if (err != 0)
        return err;
    desk = onward_dns__desk(o.resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    m = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*m));
    if (m == NULL)
        return ONWARD_ENOMEM;
    m->ctx = onward_core__desk_ctx(desk);
    err = onward_core__table_init(&m->jobs, m->ctx);
    if (err != 0) {
        onward_core__free(m->ctx, m);
        return err;
    }
    m->desk = desk;
    m->opts = o;
    m->host = h;
    m->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(desk);
    m->refs = 1;
    onward_core__desk_hold(desk);
    onward_dns__resolver_hold(o.resolver);
    (void)onward_store__hold(o.store);
    if (o.tls != NULL)
        (void)onward_tls_config_ref(o.tls);
    *mtasts = m;
    return 0;
}

void onward_mtasts_free(struct onward_mtasts *mtasts)
{
    if (mtasts == NULL || mtasts->is_freed)
        return;
    mtasts->is_freed = true;
    onward_mtasts__walk_end(mtasts);
    while (mtasts->jobs.count > 0)
        onward_mtasts__job_cancel(
            ONWARD_CONTAINER(onward_core__table_any(&mtasts->jobs),
                             struct onward_mtasts__job, node));
    onward_mtasts__release(mtasts);
}

size_t onward_mtasts_fetch_count(const struct onward_mtasts *mtasts)
{
    return mtasts == NULL ? 0 : mtasts->jobs.count;
}
