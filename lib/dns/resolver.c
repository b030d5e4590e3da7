/*
 * A resolver: its options, its life, the records loaded into it, and questions
 * that the host pulls.
 */
#include "dns/resolver_priv.h"

_Static_assert(offsetof(struct onward_resolver_opts, log_id) +
                       sizeof(uint64_t) ==
                   sizeof(struct onward_resolver_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_resolver_host, cancel) + sizeof(void *) ==
                   sizeof(struct onward_resolver_host),
               "no tail padding");
_Static_assert(offsetof(struct onward_dns_question, name) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_dns_question),
               "no tail padding");
_Static_assert(offsetof(struct onward_dns_fault, text) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_dns_fault),
               "no tail padding");

enum {
    DEFAULT_CACHE_ENTRIES = 4096,
    DEFAULT_CACHE_BYTES = 4 << 20,
    DEFAULT_TTL_MAX_S = 86400,
    DEFAULT_NEGATIVE_TTL_MAX_S = 3600,
    DEFAULT_FAILURE_TTL_S = 5,
    DEFAULT_TIMEOUT_MS = 20000,
    DEFAULT_IN_FLIGHT = 256
};

static void resolve_opts(struct onward_resolver_opts *o,
                         const struct onward_desk *desk)
{
    o->cache_entries =
        onward_core__limit(o->cache_entries, DEFAULT_CACHE_ENTRIES);
    o->cache_bytes = onward_core__limit(o->cache_bytes, DEFAULT_CACHE_BYTES);
    o->ttl_max_s = onward_core__limit(o->ttl_max_s, DEFAULT_TTL_MAX_S);
    o->negative_ttl_max_s =
        onward_core__limit(o->negative_ttl_max_s, DEFAULT_NEGATIVE_TTL_MAX_S);
    o->failure_ttl_s =
        onward_core__limit(o->failure_ttl_s, DEFAULT_FAILURE_TTL_S);
    o->timeout_ms = onward_core__limit(o->timeout_ms, DEFAULT_TIMEOUT_MS);
    o->in_flight = onward_core__limit(o->in_flight, DEFAULT_IN_FLIGHT);
    if (o->log_id == 0)
        o->log_id = onward_core__desk_log_id(desk);
}

static void init_lists(struct onward_resolver *r)
{
    onward_dns__link_init(&r->todo);
    onward_dns__link_init(&r->queued);
    onward_dns__link_init(&r->flight);
    onward_dns__link_init(&r->cached);
    onward_dns__link_init(&r->due);
}

static int init_tables(struct onward_resolver *r)
{
    int err = onward_core__table_init(&r->entries, r->ctx);

    if (err < 0)
        return err;
    err = onward_dns__records_init(&r->records, r->ctx);
    if (err < 0)
        onward_core__table_clear(&r->entries);
    return err;
}

int onward_resolver_new(struct onward_desk *desk,
                        const struct onward_resolver_opts *opts,
                        const struct onward_resolver_host *host,
                        struct onward_resolver **resolver)
{
    struct onward_resolver_opts o;
    struct onward_resolver_host h;
    struct onward_resolver *made;
    struct onward_ctx *ctx;
    int err;

    if (desk == NULL || resolver == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err < 0)
        return err;
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = ctx;
    err = init_tables(made);
    if (err < 0) {
        onward_core__free(ctx, made);
        return err;
    }
    resolve_opts(&o, desk);
    made->opts = o;
    made->host = h;
    made->desk = desk;
    made->refs = 1;
    init_lists(made);
    onward_core__desk_hold(desk);
    onward_core__task_init(&made->task, desk, onward_dns__resolver_run);
    *resolver = made;
    return 0;
}

void onward_resolver_free(struct onward_resolver *resolver)
{
    struct onward_core__node *node;

    if (resolver == NULL || resolver->is_dead)
        return;
    resolver->is_dead = true;
    onward_core__task_clear(&resolver->task);
    while ((node = onward_core__table_any(&resolver->entries)) != NULL) {
        uint64_t token = onward_dns__entry_drop(
            ONWARD_CONTAINER(node, struct onward_dns__entry, node));

        if (token != 0 && resolver->host.cancel != NULL &&
            !onward_core__desk_is_dead(resolver->desk))
            resolver->host.cancel(resolver->host.user, token);
    }
    onward_core__table_clear(&resolver->entries);
    onward_dns__records_clear(&resolver->records);
    onward_dns__resolver_release(resolver);
}

void onward_dns__resolver_hold(struct onward_resolver *resolver)
{
    resolver->refs++;
}

void onward_dns__resolver_release(struct onward_resolver *resolver)
{
    struct onward_desk *desk = resolver->desk;

    if (--resolver->refs != 0)
        return;
    onward_core__free(resolver->ctx, resolver);
    onward_core__desk_release(desk);
}

struct onward_desk *onward_dns__desk(const struct onward_resolver *resolver)
{
    return resolver->desk;
}

int onward_resolver_next(struct onward_resolver *resolver,
                         struct onward_dns_question *question)
{
    struct onward_dns_question q = {.size = sizeof(q)};
    struct onward_dns__entry *entry;
    int err;

    if (resolver == NULL || question == NULL)
        return ONWARD_EINVAL;
    if (resolver->is_dead || onward_core__desk_is_dead(resolver->desk))
        return ONWARD_ESTATE;
    /* A caller that cannot take the question must not lose it. */
    err = onward_core__out_store(question, &q, sizeof(q));
    if (err < 0)
        return err;
    if (resolver->host.query != NULL)
        return 0;
    entry = onward_dns__entry_send(resolver, resolver->question, &q.name.len);
    if (entry == NULL)
        return 0;
    q.name.data = resolver->question;
    q.token = entry->ask.token;
    q.type = entry->type;
    err = onward_core__out_store(question, &q, sizeof(q));
    return err < 0 ? err : 1;
}

/* ---- Loading records --------------------------------------------------- */

/* Parse all lines; with is_adding put them in. Returns the line at fault. */
static int load_lines(struct onward_resolver *r, struct onward_dns__line *line,
                      struct onward_str text, bool is_adding, size_t *number)
{
    struct onward_str one;

    *number = 0;
    while (onward_dns__line_next(&text, &one)) {
        int err = onward_dns__line_parse(line, one);

        ++*number;
        if (err > 0 && is_adding)
            err = onward_dns__records_add(&r->records, line);
        if (err < 0)
            return err == ONWARD_ENOENT ? ONWARD_ESYNTAX : err;
    }
    return 0;
}

static void tell_fault(struct onward_resolver *r, const char *text,
                       size_t number, struct onward_dns_fault *fault)
{
    struct onward_dns_fault f = {.size = sizeof(f), .line = number};

    if (fault == NULL)
        return;
    f.text = onward_core__str(r->fault, onward_str_of(text).len);
    memcpy(r->fault, text, f.text.len + 1);
    (void)onward_core__out_store(fault, &f, sizeof(f));
}

int onward_resolver_load(struct onward_resolver *resolver,
                         struct onward_str text, struct onward_dns_fault *fault)
{
    struct onward_dns__line line;
    size_t number;
    int err;

    if (resolver == NULL || (text.data == NULL && text.len != 0) ||
        (fault != NULL && fault->size < sizeof(fault->size)))
        return ONWARD_EINVAL;
    if (resolver->is_dead)
        return ONWARD_ESTATE;
    onward_dns__line_init(&line, resolver->ctx);
    err = load_lines(resolver, &line, text, false, &number);
    if (err == ONWARD_ESYNTAX)
        tell_fault(resolver, line.fault, number, fault);
    if (err == 0)
        err = load_lines(resolver, &line, text, true, &number);
    onward_dns__line_clear(&line);
    return err;
}
