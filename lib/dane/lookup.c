/*
 * The search (RFC 7672 section 2.2): addresses, then records, each answer
 * deciding whether the next question is asked. Whatever is not answered ends
 * it with ONWARD_DANE_RESULT_FAILED.
 */
#include "core/domain_shared.h"
#include "dane/dane_priv.h"

_Static_assert(offsetof(struct onward_dane_opts, log_id) + sizeof(uint64_t) ==
                   sizeof(struct onward_dane_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_dane_lookup_host, done) +
                       sizeof(void *) ==
                   sizeof(struct onward_dane_lookup_host),
               "no tail padding");

enum { DEFAULT_PORT = 25, LABELS_MAX = 16 /* "_65535._tcp." */ };

/* ---- Ends -------------------------------------------------------------- */

static int end(struct onward_dane_lookup *l, enum onward_dane_result result,
               enum onward_dane_reason reason)
{
    l->stage = ONWARD_DANE__DONE;
    l->result = result;
    l->reason = reason;
    return 0;
}

static int end_none(struct onward_dane_lookup *l,
                    enum onward_dane_reason reason)
{
    return end(l, ONWARD_DANE_RESULT_NONE, reason);
}

static int end_failed(struct onward_dane_lookup *l,
                      enum onward_dane_reason reason)
{
    if (reason != ONWARD_DANE_REASON_NO_ADDRESS)
        onward_core__log(l->ctx, ONWARD_LOG_WARN, "dane",
                         onward_dane_reason_name((int)reason), l->log_id,
                         l->name);
    return end(l, ONWARD_DANE_RESULT_FAILED, reason);
}

/* ---- Records ----------------------------------------------------------- */

static int ask_records(struct onward_dane_lookup *l)
{
    struct onward_str base = l->bases[l->base_at];
    struct onward_buf name;
    int err;

    l->stage = ONWARD_DANE__RECORDS;
    onward_core__buf_init(&name, l->ctx, base.len + LABELS_MAX);
    onward_core__buf_add_text(&name, "_");
    onward_core__buf_add_u64(&name, l->port);
    onward_core__buf_add_text(&name, "._tcp.");
    err = onward_core__buf_add_str(&name, base);
    if (err == 0)
        err = onward_core__arena_dup(&l->arena, onward_core__buf_str(&name),
                                     &l->asked);
    onward_core__buf_clear(&name);
    if (err < 0)
        return err;
    onward_dns__query_clear(&l->tlsa);
    return onward_dns__ask(l->resolver, &l->tlsa, l->asked, ONWARD_DNS_TLSA,
                           &l->task);
}

static int add_base(struct onward_dane_lookup *l, struct onward_str name)
{
    int err;

    if (l->base_count == 1 && onward_core__str_ieq(l->bases[0], name))
        return 0;
    err = onward_core__arena_dup(&l->arena, name, &l->bases[l->base_count]);
    if (err == 0)
        l->base_count++;
    return err;
}

static int found(struct onward_dane_lookup *l)
{
    int err = onward_dane__records_choose(l, l->tlsa.answer);

    if (err < 0)
        return err;
    onward_dane__names_choose(l);
    if (l->record_count > 0)
        return end(l, ONWARD_DANE_RESULT_USABLE, ONWARD_DANE_REASON_RECORDS);
    return end(l, ONWARD_DANE_RESULT_UNUSABLE, ONWARD_DANE_REASON_BAD_RECORDS);
}

/* Here is nothing; is there at the other name (section 2.2.3)? */
static int next_base(struct onward_dane_lookup *l)
{
    if (++l->base_at < l->base_count)
        return ask_records(l);
    return end_none(l, l->saw_insecure ? ONWARD_DANE_REASON_INSECURE_RECORDS
                                       : ONWARD_DANE_REASON_NO_RECORDS);
}

static int judge_records(struct onward_dane_lookup *l)
{
    const struct onward_dns__answer *answer = l->tlsa.answer;

    switch (answer->status) {
    case ONWARD_DNS__OK:
        if (answer->is_secure)
            return found(l);
        l->saw_insecure = true;
        return next_base(l);
    case ONWARD_DNS__NODATA:
    case ONWARD_DNS__NXDOMAIN:
        return next_base(l);
    case ONWARD_DNS__BOGUS:
        return end_failed(l, ONWARD_DANE_REASON_RECORDS_BOGUS);
    case ONWARD_DNS__TEMP:
    case ONWARD_DNS__PENDING:
        break;
    }
    return end_failed(l, ONWARD_DANE_REASON_RECORDS_FAILED);
}

/* ---- Addresses --------------------------------------------------------- */

static int ask_addresses(struct onward_dane_lookup *l)
{
    int err;

    l->stage = ONWARD_DANE__ADDRESSES;
    err = onward_dns__ask(l->resolver, &l->aaaa, l->name, ONWARD_DNS_AAAA,
                          &l->task);
    if (err < 0)
        return err;
    return onward_dns__ask(l->resolver, &l->a, l->name, ONWARD_DNS_A, &l->task);
}

/* The answer that decides: one with addresses, a secure one if there is. */
static const struct onward_dns__answer *pick(const struct onward_dns__answer *a,
                                             const struct onward_dns__answer *b)
{
    if (a->status != ONWARD_DNS__OK)
        return b->status == ONWARD_DNS__OK ? b : NULL;
    if (b->status == ONWARD_DNS__OK && b->is_secure && !a->is_secure)
        return b;
    return a;
}

static int judge_addresses(struct onward_dane_lookup *l)
{
    const struct onward_dns__answer *a = l->a.answer, *aaaa = l->aaaa.answer;
    const struct onward_dns__answer *answer = pick(aaaa, a);
    int err = 0;

    if (a->status == ONWARD_DNS__BOGUS || aaaa->status == ONWARD_DNS__BOGUS)
        return end_failed(l, ONWARD_DANE_REASON_ADDRESS_BOGUS);
    if (answer == NULL)
        return end_failed(l, a->status == ONWARD_DNS__TEMP ||
                                     aaaa->status == ONWARD_DNS__TEMP
                                 ? ONWARD_DANE_REASON_ADDRESS_FAILED
                                 : ONWARD_DANE_REASON_NO_ADDRESS);
    if (!answer->is_secure && !answer->has_cname)
        return end_none(l, ONWARD_DANE_REASON_INSECURE_HOST);
    if (!answer->is_secure) {
        /* The first CNAME may be secure, and what it leads to not. */
        l->stage = ONWARD_DANE__ALIAS;
        return onward_dns__ask(l->resolver, &l->alias, l->name,
                               ONWARD_DNS_CNAME, &l->task);
    }
    if (answer->has_cname)
        err = add_base(l, answer->canonical);
    if (err == 0)
        err = add_base(l, l->name);
    return err < 0 ? err : ask_records(l);
}

static int judge_alias(struct onward_dane_lookup *l)
{
    const struct onward_dns__answer *answer = l->alias.answer;
    int err;

    if (answer->status == ONWARD_DNS__BOGUS)
        return end_failed(l, ONWARD_DANE_REASON_ADDRESS_BOGUS);
    if (answer->status == ONWARD_DNS__TEMP)
        return end_failed(l, ONWARD_DANE_REASON_ALIAS_FAILED);
    if (!answer->is_secure)
        return end_none(l, ONWARD_DANE_REASON_INSECURE_HOST);
    err = add_base(l, l->name);
    return err < 0 ? err : ask_records(l);
}

/* ---- Steps ------------------------------------------------------------- */

static int start(struct onward_dane_lookup *l)
{
    if (l->is_literal)
        return end_none(l, ONWARD_DANE_REASON_LITERAL);
    if (l->name.len == 0)
        return end_failed(l, ONWARD_DANE_REASON_BAD_HOST);
    if (l->origin == ONWARD_DANE_MX_INSECURE && l->skip_insecure_mx)
        return end_none(l, ONWARD_DANE_REASON_INSECURE_MX);
    return ask_addresses(l);
}

static int advance(struct onward_dane_lookup *l)
{
    switch (l->stage) {
    case ONWARD_DANE__START:
        return start(l);
    case ONWARD_DANE__ADDRESSES:
        return l->aaaa.answer == NULL || l->a.answer == NULL
                   ? 0
                   : judge_addresses(l);
    case ONWARD_DANE__ALIAS:
        return l->alias.answer == NULL ? 0 : judge_alias(l);
    case ONWARD_DANE__RECORDS:
        return l->tlsa.answer == NULL ? 0 : judge_records(l);
    case ONWARD_DANE__DONE:
        break;
    }
    return 0;
}

static void destroy(struct onward_dane_lookup *l)
{
    struct onward_resolver *resolver = l->resolver;

    onward_core__arena_clear(&l->arena);
    onward_core__free(l->ctx, l);
    onward_dns__resolver_release(resolver);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dane_lookup *l =
        ONWARD_CONTAINER(task, struct onward_dane_lookup, task);

    (void)now_ms;
    if (l->stage == ONWARD_DANE__DONE)
        return;
    if (advance(l) < 0)
        end_failed(l, ONWARD_DANE_REASON_INTERNAL);
    if (l->stage != ONWARD_DANE__DONE)
        return;
    onward_core__guard_enter(&l->guard);
    l->host.done(l->host.user, l);
    if (onward_core__guard_leave(&l->guard))
        destroy(l);
}

/* ---- Life -------------------------------------------------------------- */

/* A-labels, lower case; what is no name is empty. */
static int read_name(struct onward_dane_lookup *l, struct onward_str text,
                     struct onward_str *name)
{
    int err = onward_core__domain_to_ascii(&l->arena, text, name);

    if (err == ONWARD_ESYNTAX ||
        (err == 0 && !onward_core__domain_is_dns_name(*name, 1))) {
        *name = onward_core__str(NULL, 0);
        return 0;
    }
    return err;
}

static bool is_literal(struct onward_str host)
{
    struct onward_ip ip;

    return (host.len > 0 && host.data[0] == '[') ||
           onward_ip_parse(host, &ip) == 0;
}

static int read_opts(struct onward_dane_lookup *l,
                     const struct onward_dane_opts *o)
{
    int err = 0;

    l->port = o->port == 0 ? DEFAULT_PORT : o->port;
    l->origin = (enum onward_dane_origin)o->origin;
    l->skip_insecure_mx = o->skip_insecure_mx != 0;
    l->is_literal = is_literal(o->host);
    if (!l->is_literal)
        err = read_name(l, o->host, &l->name);
    if (err == 0)
        err = read_name(l, o->next_hop, &l->next_hop);
    if (err == 0)
        err = read_name(l, o->next_hop_canonical, &l->next_hop_canonical);
    return err;
}

int onward_dane_lookup_new(struct onward_resolver *resolver,
                           const struct onward_dane_opts *opts,
                           const struct onward_dane_lookup_host *host,
                           struct onward_dane_lookup **lookup)
{
    struct onward_dane_opts o;
    struct onward_dane_lookup_host h;
    struct onward_dane_lookup *made;
    struct onward_desk *desk;
    int err;

    if (resolver == NULL || opts == NULL || host == NULL || lookup == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err < 0)
        return err;
    if (h.done == NULL || o.host.len == 0 || o.port > UINT16_MAX ||
        o.origin > ONWARD_DANE_NO_MX)
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    made = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_core__desk_ctx(desk);
    made->resolver = resolver;
    made->host = h;
    made->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(desk);
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&made->arena, made->ctx, ONWARD_DANE__MEMORY_MAX);
    onward_core__task_init(&made->task, desk, run);
    err = read_opts(made, &o);
    if (err < 0) {
        onward_dane_lookup_free(made);
        return err;
    }
    onward_core__task_ready(&made->task);
    *lookup = made;
    return 0;
}

void onward_dane_lookup_free(struct onward_dane_lookup *lookup)
{
    if (lookup == NULL || lookup->guard.is_dead)
        return;
    lookup->guard.is_dead = true;
    onward_core__task_clear(&lookup->task);
    onward_dns__query_clear(&lookup->aaaa);
    onward_dns__query_clear(&lookup->a);
    onward_dns__query_clear(&lookup->alias);
    onward_dns__query_clear(&lookup->tlsa);
    if (lookup->guard.depth == 0)
        destroy(lookup);
}
