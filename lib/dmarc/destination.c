/*
 * May a report go there? An address outside of the organization that asks for
 * reports must say that it wants them (RFC 9990 section 4), or anybody could
 * have them sent to a victim.
 */
#include "dmarc/dmarc_priv.h"

enum { ARENA_BYTES = 64 * 1024 };

struct onward_dmarc_destination {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dmarc_destination_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_arena arena;
    struct onward_dmarc__walk policy, receiver;
    struct onward_dns__query query; /* TXT of the consent */
    struct onward_str uri;
    enum onward_dmarc_consent consent;
    bool is_started, is_done;
};

/* The host of a mailto: URI (RFC 6068): behind the last "@" of the first
 * address. An address that is escaped there is none that we send to. */
static struct onward_str host_of(struct onward_str uri)
{
    struct onward_str address = onward_core__sub(uri, 7, uri.len);
    size_t at;

    address.len = onward_core__str_find(address, '?');
    address.len = onward_core__str_find(address, ',');
    at = onward_core__str_rfind(address, '@');
    return onward_core__sub(address, at + 1, address.len);
}

static bool is_mailto(struct onward_str uri, struct onward_str *first)
{
    struct onward_str list = uri;

    return onward_dmarc_uri_next(&list, first) == 1 && first->len == uri.len;
}

static int start(struct onward_dmarc_destination *d)
{
    static const char infix[] = "._report._dmarc.";
    struct onward_buf name;
    int err;

    if (onward_core__str_ieq(d->policy.domain, d->receiver.domain)) {
        d->consent = ONWARD_DMARC_CONSENT_GIVEN;
        return 0;
    }
    /* Longer than a name may be: the resolver says that there is none. */
    onward_core__buf_init(&name, d->ctx, 2 * ONWARD_DOMAIN_MAX + sizeof(infix));
    onward_core__buf_add_str(&name, d->policy.domain);
    onward_core__buf_add_text(&name, infix);
    err = onward_core__buf_add_str(&name, d->receiver.domain);
    if (err == 0)
        err =
            onward_dns__ask(d->resolver, &d->query, onward_core__buf_str(&name),
                            ONWARD_DNS_TXT, &d->task);
    onward_core__buf_clear(&name);
    if (err == 0)
        err = onward_dmarc__walk_start(&d->policy, d->resolver, &d->task);
    if (err == 0)
        err = onward_dmarc__walk_start(&d->receiver, d->resolver, &d->task);
    return err;
}

/* The receiver's record may name another address of the same host; one that
 * names another host spoils both. */
static enum onward_dmarc_consent
read_consent(struct onward_dmarc_destination *d,
             const struct onward_dns__answer *answer)
{
    enum onward_dmarc_consent consent = ONWARD_DMARC_CONSENT_NONE;

    for (size_t i = 0; i < answer->count; i++) {
        struct onward_dmarc_record r = {.size = sizeof(r)};
        struct onward_str uri;

        if (onward_dmarc_record_parse(answer->records[i].data, &r) != 0)
            continue;
        consent = ONWARD_DMARC_CONSENT_GIVEN;
        if (r.rua.len == 0)
            continue;
        if (onward_dmarc_uri_next(&r.rua, &uri) != 1 ||
            !onward_core__str_ieq(host_of(uri), host_of(d->uri)))
            return ONWARD_DMARC_CONSENT_NONE;
        if (onward_core__arena_dup(&d->arena, uri, &d->uri) != 0)
            return ONWARD_DMARC_CONSENT_TEMPERROR;
        return consent;
    }
    return consent;
}

/* Is it one organization? */
static enum onward_dmarc__walk_state
compare(const struct onward_dmarc_destination *d, bool *is_same)
{
    struct onward_dmarc__found a, b;
    enum onward_dmarc__walk_state first =
        onward_dmarc__walk_look(&d->policy, &a);
    enum onward_dmarc__walk_state second =
        onward_dmarc__walk_look(&d->receiver, &b);

    if (first == WALK_PENDING || second == WALK_PENDING)
        return WALK_PENDING;
    if (first == WALK_FAILED || second == WALK_FAILED)
        return WALK_FAILED;
    *is_same = onward_core__str_ieq(a.org_domain, b.org_domain);
    return WALK_DONE;
}

static void step(struct onward_dmarc_destination *d)
{
    const struct onward_dns__answer *answer;
    enum onward_dmarc__walk_state state;
    bool is_same = false;

    if (!d->is_started) {
        d->is_started = true;
        if (start(d) != 0)
            d->consent = ONWARD_DMARC_CONSENT_TEMPERROR;
        if (d->consent != ONWARD_DMARC_CONSENT_PENDING)
            return;
    }
    answer = d->query.answer;
    state = compare(d, &is_same);
    if (state == WALK_PENDING || answer == NULL)
        return;
    if (is_same) {
        d->consent = ONWARD_DMARC_CONSENT_GIVEN;
        return;
    }
    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS) {
        d->consent = ONWARD_DMARC_CONSENT_TEMPERROR;
        return;
    }
    d->consent = read_consent(d, answer);
    /* Perhaps it needs none. */
    if (d->consent == ONWARD_DMARC_CONSENT_NONE && answer->count == 0 &&
        state == WALK_FAILED)
        d->consent = ONWARD_DMARC_CONSENT_TEMPERROR;
}

/* ---- Life -------------------------------------------------------------- */

static void destroy(struct onward_dmarc_destination *d)
{
    struct onward_ctx *ctx = d->ctx;
    struct onward_resolver *resolver = d->resolver;

    onward_core__arena_clear(&d->arena);
    onward_core__free(ctx, d);
    onward_dns__resolver_release(resolver);
    onward_ctx_free(ctx);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dmarc_destination *d =
        ONWARD_CONTAINER(task, struct onward_dmarc_destination, task);

    (void)now_ms;
    if (d->is_done)
        return;
    step(d);
    if (d->consent == ONWARD_DMARC_CONSENT_PENDING)
        return;
    d->is_done = true;
    if (d->host.done == NULL)
        return;
    onward_core__guard_enter(&d->guard);
    d->host.done(d->host.user, d);
    if (onward_core__guard_leave(&d->guard))
        destroy(d);
}

static int load(struct onward_dmarc_destination *d,
                struct onward_str policy_domain, struct onward_str uri)
{
    int err = onward_core__arena_dup(&d->arena, uri, &d->uri);

    if (err == 0)
        err = onward_core__domain_to_ascii(&d->arena, policy_domain,
                                           &d->policy.domain);
    if (err == 0)
        err = onward_core__domain_to_ascii(&d->arena, host_of(uri),
                                           &d->receiver.domain);
    if (err != 0)
        return err;
    return onward_core__domain_is_dns_name(d->policy.domain, 1) &&
                   onward_core__domain_is_dns_name(d->receiver.domain, 1)
               ? 0
               : ONWARD_ESYNTAX;
}

int onward_dmarc_destination_new(
    struct onward_resolver *resolver, struct onward_str policy_domain,
    struct onward_str uri, const struct onward_dmarc_destination_host *host,
    struct onward_dmarc_destination **destination)
{
    struct onward_dmarc_destination_host h;
    struct onward_dmarc_destination *d;
    struct onward_str mailto;
    struct onward_desk *desk;
    int err;

    if (resolver == NULL || destination == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (!is_mailto(uri, &mailto))
        return ONWARD_ESYNTAX;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    d = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*d));
    if (d == NULL)
        return ONWARD_ENOMEM;
    d->ctx = onward_ctx_ref(onward_core__desk_ctx(desk));
    d->resolver = resolver;
    d->host = h;
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&d->arena, d->ctx, ARENA_BYTES);
    err = load(d, policy_domain, mailto);
    if (err != 0) {
        destroy(d);
        return err;
    }
    onward_core__task_init(&d->task, desk, run);
    onward_core__task_ready(&d->task);
    *destination = d;
    return 0;
}

void onward_dmarc_destination_free(struct onward_dmarc_destination *destination)
{
    if (destination == NULL || destination->guard.is_dead)
        return;
    destination->guard.is_dead = true;
    destination->is_done = true;
    /* Cancels, and whatever the host frees there may want to free us too. */
    onward_core__guard_enter(&destination->guard);
    onward_dns__query_clear(&destination->query);
    onward_dmarc__walk_clear(&destination->policy);
    onward_dmarc__walk_clear(&destination->receiver);
    onward_core__task_clear(&destination->task);
    if (onward_core__guard_leave(&destination->guard))
        destroy(destination);
}

int onward_dmarc_destination_consent(
    const struct onward_dmarc_destination *destination)
{
    return (int)destination->consent;
}

struct onward_str
onward_dmarc_destination_uri(const struct onward_dmarc_destination *destination)
{
    if (destination->consent != ONWARD_DMARC_CONSENT_GIVEN)
        return onward_core__str("", 0);
    return destination->uri;
}
