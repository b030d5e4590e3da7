/*
 * One question as a public object: the least evaluator there is.
 */
#include "dns/dns_shared.h"

_Static_assert(offsetof(struct onward_dns_lookup_host, done) + sizeof(void *) ==
                   sizeof(struct onward_dns_lookup_host),
               "no tail padding");
_Static_assert((int)ONWARD_DNS_STATUS_OK == (int)ONWARD_DNS__OK &&
                   (int)ONWARD_DNS_STATUS_NODATA == (int)ONWARD_DNS__NODATA &&
                   (int)ONWARD_DNS_STATUS_NXDOMAIN ==
                       (int)ONWARD_DNS__NXDOMAIN &&
                   (int)ONWARD_DNS_STATUS_TEMP == (int)ONWARD_DNS__TEMP &&
                   (int)ONWARD_DNS_STATUS_BOGUS == (int)ONWARD_DNS__BOGUS,
               "the public status is the inner one");

struct onward_dns_lookup {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dns_lookup_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_dns__query query;
};

static void destroy(struct onward_dns_lookup *lookup)
{
    struct onward_resolver *resolver = lookup->resolver;

    onward_core__free(lookup->ctx, lookup);
    onward_dns__resolver_release(resolver);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dns_lookup *lookup =
        ONWARD_CONTAINER(task, struct onward_dns_lookup, task);

    (void)now_ms;
    if (lookup->query.answer == NULL)
        return;
    onward_core__guard_enter(&lookup->guard);
    lookup->host.done(lookup->host.user, lookup);
    if (onward_core__guard_leave(&lookup->guard))
        destroy(lookup);
}

int onward_dns_lookup_new(struct onward_resolver *resolver,
                          struct onward_str name, uint32_t type,
                          const struct onward_dns_lookup_host *host,
                          struct onward_dns_lookup **lookup)
{
    struct onward_dns_lookup_host h;
    struct onward_dns_lookup *made;
    struct onward_desk *desk;
    int err;

    if (resolver == NULL || host == NULL || lookup == NULL || type == 0 ||
        type > UINT16_MAX)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err < 0)
        return err;
    if (h.done == NULL)
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    made = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_core__desk_ctx(desk);
    made->resolver = resolver;
    made->host = h;
    onward_dns__resolver_hold(resolver);
    onward_core__task_init(&made->task, desk, run);
    err = onward_dns__ask(resolver, &made->query, name, (uint16_t)type,
                          &made->task);
    if (err < 0) {
        onward_dns_lookup_free(made);
        return err;
    }
    *lookup = made;
    return 0;
}

void onward_dns_lookup_free(struct onward_dns_lookup *lookup)
{
    if (lookup == NULL || lookup->guard.is_dead)
        return;
    lookup->guard.is_dead = true;
    onward_core__task_clear(&lookup->task);
    onward_dns__query_clear(&lookup->query);
    if (lookup->guard.depth == 0)
        destroy(lookup);
}

/* NULL before the answer, and for a NULL lookup. */
static const struct onward_dns__answer *
answer_of(const struct onward_dns_lookup *lookup)
{
    return lookup == NULL ? NULL : lookup->query.answer;
}

int onward_dns_lookup_status(const struct onward_dns_lookup *lookup)
{
    const struct onward_dns__answer *answer = answer_of(lookup);

    return answer == NULL ? ONWARD_DNS_STATUS_PENDING : (int)answer->status;
}

size_t onward_dns_lookup_count(const struct onward_dns_lookup *lookup)
{
    const struct onward_dns__answer *answer = answer_of(lookup);

    return answer == NULL ? 0 : answer->count;
}

struct onward_str onward_dns_lookup_data(const struct onward_dns_lookup *lookup,
                                         size_t i)
{
    if (i >= onward_dns_lookup_count(lookup))
        return onward_core__str(NULL, 0);
    return answer_of(lookup)->records[i].data;
}

uint32_t onward_dns_lookup_preference(const struct onward_dns_lookup *lookup,
                                      size_t i)
{
    if (i >= onward_dns_lookup_count(lookup))
        return 0;
    return answer_of(lookup)->records[i].preference;
}

int onward_dns_lookup_is_secure(const struct onward_dns_lookup *lookup)
{
    const struct onward_dns__answer *answer = answer_of(lookup);

    return answer != NULL && answer->is_secure ? 1 : 0;
}

uint32_t onward_dns_lookup_ttl_s(const struct onward_dns_lookup *lookup)
{
    const struct onward_dns__answer *answer = answer_of(lookup);

    return answer == NULL ? 0 : answer->ttl_s;
}

struct onward_str
onward_dns_lookup_canonical(const struct onward_dns_lookup *lookup)
{
    const struct onward_dns__answer *answer = answer_of(lookup);

    return answer == NULL ? onward_core__str(NULL, 0) : answer->canonical;
}
