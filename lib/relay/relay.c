/*
 * The life of a transaction: options, the stages in their order, and the end.
 */
#include "relay/relay_priv.h"

#include "authres/authres_shared.h"
#include "core/domain_shared.h"
#include "dns/dns_shared.h"
#include "key/key_shared.h"

_Static_assert(offsetof(struct onward_relay_opts, allow_srs_senders) + sizeof(size_t) ==
                   sizeof(struct onward_relay_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_relay_envelope, require_tls) +
                       sizeof(size_t) ==
                   sizeof(struct onward_relay_envelope),
               "no tail padding");

enum {
    ARENA_BYTES = 4 * 1024 * 1024, /* a rule may have many destinations */
    MAX_RCPTS = 100,               /* RFC 5321 section 4.5.3.1.8 */
    MAX_RECEIVED = 100,
    LEDGER_LIFE_S = 5 * 86400,
    DELIVERY_TIMEOUT_MS = 540000,
    HANDLER_TIMEOUT_MS = 30000,
    MAX_FORWARDS = 32,
    REPLY_LIFE_S = 30 * 86400,
    CLAIM_MORE_S = 60,
    CLAIM_LIFE_S = 3600,
    MAX_SENDS = 16,
    MAX_EXPANSION = 8,
    EXPANSION_LIMIT = 32,          /* each level is on our stack */
    TOLD_BYTES = 64 * 1024 * 1024, /* to conditions, in one decision */
    SEAL_EXPIRE_MAX_S = 2000000000,
    LIFE_MAX_S = 1000000000
};

/* ---- Options ----------------------------------------------------------- */

static int check_opts(const struct onward_relay_opts *o,
                      const struct onward_desk *desk)
{
    if (o->resolver == NULL || o->ruleset == NULL || o->authserv_id.len == 0 ||
        !onward_core__domain_is_hostname(o->hostname))
        return ONWARD_EINVAL;
    if (o->srs != NULL && !onward_core__domain_is_hostname(o->srs_domain))
        return ONWARD_EINVAL;
    if (o->srs_overflow > ONWARD_RELAY_OVERFLOW_SINK ||
        (o->srs_overflow == ONWARD_RELAY_OVERFLOW_SINK &&
         o->srs_sink.len == 0) ||
        o->allow_srs_senders > 1)
        return ONWARD_EINVAL;
    if (o->signer != NULL &&
        (!onward_core__domain_is_dns_name(o->seal_domain, 2) ||
         !onward_core__domain_is_dns_name(o->seal_selector, 1)))
        return ONWARD_EINVAL;
    if (o->seal_listing > ONWARD_DKIM_LISTING_SERVICE ||
        o->allow_no_ledger > 1 || o->seal_expire_s > SEAL_EXPIRE_MAX_S)
        return ONWARD_EINVAL;
    if (onward_dns__desk(o->resolver) != desk ||
        (o->store != NULL && onward_store__desk(o->store) != desk) ||
        (o->signer != NULL && onward_key__signer_desk(o->signer) != desk))
        return ONWARD_EINVAL;
    return 0;
}

static int copy_texts(struct onward_relay *r)
{
    struct onward_str *texts[] = {&r->opts.hostname,      &r->opts.authserv_id,
                                  &r->opts.srs_domain,    &r->opts.seal_domain,
                                  &r->opts.seal_selector, &r->opts.feedback_id,
                                  &r->opts.srs_sink};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int err = onward_core__arena_dup(&r->arena, *texts[i], texts[i]);

        if (err != 0)
            return err;
    }
    return 0;
}

/* It goes into MAIL. */
static int check_sink(struct onward_relay *r)
{
    struct onward_address__mailbox mailbox;
    int err;

    if (r->opts.srs_overflow != ONWARD_RELAY_OVERFLOW_SINK)
        return 0;
    err = onward_address__parse_mailbox(&r->scratch, r->opts.srs_sink, 0,
                                        &mailbox, NULL);
    onward_core__arena_reset(&r->scratch);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_EINVAL;
}

static int load_envelope(struct onward_relay *r,
                         const struct onward_relay_envelope *e)
{
    struct onward_address__mailbox mailbox;
    int err =
        onward_core__arena_dup(&r->arena, e->reverse_path, &r->reverse_path);

    if (err == 0)
        err = onward_core__arena_dup(&r->arena, e->envid, &r->envid);
    if (err != 0)
        return err;
    r->is_smtputf8 = e->smtputf8 != 0;
    r->ret = e->ret;
    r->body = e->body;
    r->requires_tls = e->require_tls != 0;
    r->sender = r->reverse_path;
    if (r->reverse_path.len == 0)
        return 0;
    err = onward_address__parse_mailbox(
        &r->scratch, r->reverse_path,
        r->is_smtputf8 ? ONWARD_ADDRESS_ALLOW_UTF8 : 0, &mailbox, NULL);
    onward_core__arena_reset(&r->scratch);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

/* ---- Life -------------------------------------------------------------- */

static void run(struct onward_core__task *task, int64_t now_ms);

static void destroy(struct onward_relay *r)
{
    struct onward_ctx *ctx = r->ctx;

    for (size_t i = 0; i < r->submission_count; i++)
        onward_relay__clear_submission(r->submissions[i]);
    onward_edit_free(r->edit);
    onward_core__arena_clear(&r->told);
    onward_core__arena_clear(&r->scratch);
    onward_core__arena_clear(&r->arena);
    onward_ruleset_router_free(r->router);
    onward_ruleset_free(r->opts.ruleset);
    onward_srs_free(r->opts.srs);
    onward_token_minter_free(r->opts.minter);
    if (r->opts.store != NULL)
        onward_store__release(r->opts.store);
    if (r->opts.signer != NULL)
        onward_key__signer_release(r->opts.signer);
    onward_dns__resolver_release(r->opts.resolver);
    onward_core__free(ctx, r);
    onward_ctx_free(ctx);
}

void onward_relay__leave(struct onward_relay *r)
{
    if (onward_core__guard_leave(&r->guard))
        destroy(r);
}

static void hold(struct onward_relay *r)
{
    onward_dns__resolver_hold(r->opts.resolver);
    onward_ruleset_ref(r->opts.ruleset);
    if (r->opts.srs != NULL)
        onward_srs_ref(r->opts.srs);
    if (r->opts.minter != NULL)
        onward_token_minter_ref(r->opts.minter);
    if (r->opts.store != NULL)
        onward_store__hold(r->opts.store);
    if (r->opts.signer != NULL)
        onward_key__signer_hold(r->opts.signer);
}

static void resolve_limits(struct onward_relay *r)
{
    struct onward_relay_opts *o = &r->opts;

    o->max_rcpts = onward_core__limit(o->max_rcpts, MAX_RCPTS);
    o->max_received = onward_core__limit(o->max_received, MAX_RECEIVED);
    o->ledger_life_s = onward_core__limit(o->ledger_life_s, LEDGER_LIFE_S);
    o->delivery_timeout_ms =
        onward_core__limit(o->delivery_timeout_ms, DELIVERY_TIMEOUT_MS);
    o->handler_timeout_ms =
        onward_core__limit(o->handler_timeout_ms, HANDLER_TIMEOUT_MS);
    o->max_forwards = onward_core__limit(o->max_forwards, MAX_FORWARDS);
    o->max_sends = onward_core__limit(o->max_sends, MAX_SENDS);
    o->max_expansion = onward_core__limit(o->max_expansion, MAX_EXPANSION);
    if (o->max_expansion > EXPANSION_LIMIT)
        o->max_expansion = EXPANSION_LIMIT;
    o->ticket_life_s = onward_core__limit(o->ticket_life_s, REPLY_LIFE_S);
    o->reply_life_s = onward_core__limit(o->reply_life_s, REPLY_LIFE_S);
    if (o->claim_life_s == 0)
        o->claim_life_s = o->delivery_timeout_ms == ONWARD_LIMIT_NONE
                              ? CLAIM_LIFE_S
                              : o->delivery_timeout_ms / 1000 + CLAIM_MORE_S;
    if (o->claim_life_s > LIFE_MAX_S)
        o->claim_life_s = LIFE_MAX_S;
    r->log_id = o->log_id != 0 ? o->log_id : onward_core__desk_log_id(r->desk);
}

static int make(struct onward_desk *desk, const struct onward_relay_opts *o,
                const struct onward_ruleset_facts *facts,
                const struct onward_send_facts *send_facts,
                const struct onward_relay_envelope *e,
                const struct onward_relay_host *h, struct onward_relay **relay)
{
    struct onward_ctx *ctx = onward_core__desk_ctx(desk);
    struct onward_relay *r = onward_core__zalloc(ctx, sizeof(*r));
    int err;

    if (r == NULL)
        return ONWARD_ENOMEM;
    r->ctx = onward_ctx_ref(ctx);
    r->desk = desk;
    r->opts = *o;
    r->facts = *facts;
    r->send_facts = *send_facts;
    r->attachment_status = ONWARD_AGAIN;
    r->host = *h;
    hold(r);
    resolve_limits(r);
    onward_core__arena_init(&r->arena, ctx, ARENA_BYTES);
    onward_core__arena_init(&r->told, ctx, TOLD_BYTES);
    /* Room for what is made of one field. */
    onward_core__arena_init(&r->scratch, ctx,
                            4 * onward_core__limits(ctx)->header_bytes);
    err = copy_texts(r);
    if (err == 0)
        err = check_sink(r);
    if (err == 0)
        err = load_envelope(r, e);
    if (err == 0)
        err = onward_ruleset_router_new(ctx, &r->router);
    if (err != 0) {
        destroy(r);
        return err;
    }
    onward_core__task_init(&r->task, desk, run);
    *relay = r;
    return 0;
}

int onward_relay_new(struct onward_desk *desk,
                     const struct onward_relay_opts *opts,
                     const struct onward_relay_envelope *envelope,
                     const struct onward_relay_host *host,
                     struct onward_relay **relay)
{
    struct onward_ruleset_facts facts = {0};
    struct onward_send_facts send_facts = {0};
    struct onward_relay_envelope e;
    struct onward_relay_opts o;
    struct onward_relay_host h;
    int err;

    if (desk == NULL || opts == NULL || envelope == NULL || host == NULL ||
        relay == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&e, sizeof(e), envelope);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0 && o.facts != NULL)
        err = onward_core__opts_load(&facts, sizeof(facts), o.facts);
    if (err == 0 && o.send_facts != NULL)
        err = onward_core__opts_load(&send_facts, sizeof(send_facts),
                                     o.send_facts);
    if (err == 0)
        err =
            h.deliver == NULL || h.done == NULL || e.ret > ONWARD_SMTP_RET_HDRS
                ? ONWARD_EINVAL
                : check_opts(&o, desk);
    if (err == 0 && onward_core__desk_is_dead(desk))
        err = ONWARD_ESTATE;
    return err != 0 ? err : make(desk, &o, &facts, &send_facts, &e, &h, relay);
}

/* The host hears that nobody waits any more. */
static void cancel_all(struct onward_relay *r)
{
    for (size_t i = 0; i < r->event_count; i++)
        onward_relay__cancel_event(r->events[i]);
    for (size_t i = 0; i < r->destination_count; i++)
        onward_relay__cancel(r, r->destinations[i]);
    for (size_t i = 0; i < r->submission_count; i++)
        onward_relay__cancel_submission(r->submissions[i]);
}

/* All that could call back, or that others would call, comes to rest. */
static void detach(struct onward_relay *r)
{
    cancel_all(r);
    for (size_t i = 0; i < r->destination_count; i++)
        onward_store__query_clear(&r->destinations[i]->query);
    onward_store__query_clear(&r->kept_query);
    onward_core__task_clear(&r->task);
    onward_dmarc_check_free(r->check);
    r->check = NULL;
    onward_dmarc_check_free(r->vouch);
    r->vouch = NULL;
    onward_arc_sealer_free(r->sealer);
    r->sealer = NULL;
    onward_dkim_signer_free(r->dkim);
    r->dkim = NULL;
}

void onward_relay_free(struct onward_relay *relay)
{
    if (relay == NULL || relay->guard.is_dead)
        return;
    relay->guard.is_dead = true;
    onward_core__guard_enter(&relay->guard);
    detach(relay);
    onward_relay__leave(relay);
}

/* ---- The start --------------------------------------------------------- */

static int begin_edit(struct onward_relay *r,
                      const struct onward_source *source,
                      struct onward_str received)
{
    const struct onward_edit_opts opts = {.size = sizeof(opts),
                                          .added_bytes = 256 * 1024};
    int err = onward_edit_new(
        r->ctx, source, onward_verifier_header(r->verifier), &opts, &r->edit);

    if (err == 0)
        err = onward_mime__edit_add_raw(r->edit, received);
    return err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT ? ONWARD_EINVAL : err;
}

/* Were our results written under another name, the forged ones under it would
 * stay. */
static int check_id(struct onward_relay *r)
{
    struct onward_str authres = onward_verifier_authres(r->verifier);
    int ret;

    if (authres.len == 0)
        return ONWARD_ENOMEM; /* the verifier had none */
    ret = onward_authres__claims_authserv_id(&r->scratch, authres,
                                             r->opts.authserv_id);
    onward_core__arena_reset(&r->scratch);
    if (ret < 0)
        return ret;
    return ret == 1 ? 0 : ONWARD_EINVAL;
}

int onward_relay_start(struct onward_relay *relay,
                       const struct onward_verifier *verifier,
                       const struct onward_source *source,
                       struct onward_str received)
{
    int err;

    if (relay->stage != ONWARD_RELAY__ROUTE || relay->rcpt_count == 0 ||
        onward_core__desk_is_dead(relay->desk) ||
        !onward_verifier_is_done(verifier))
        return ONWARD_ESTATE;
    if (!onward_core__str_istarts(received, ONWARD_STR("Received:")))
        return ONWARD_EINVAL;
    relay->verifier = verifier;
    err = check_id(relay);
    if (err == 0)
        err = onward_core__opts_load(&relay->source, sizeof(relay->source),
                                     source);
    if (err == 0)
        err = begin_edit(relay, source, received);
    if (err != 0)
        return err;
    relay->stage = ONWARD_RELAY__CHECK;
    onward_core__task_ready(&relay->task);
    return 0;
}

/* ---- The stages -------------------------------------------------------- */

/* One step; true when there may be another at once. */
static bool step(struct onward_relay *r)
{
    bool is_through = false;

    switch (r->stage) {
    case ONWARD_RELAY__ROUTE:
    case ONWARD_RELAY__END:
        return false;
    case ONWARD_RELAY__CHECK:
        is_through = onward_relay__check(r);
        break;
    case ONWARD_RELAY__ALIGN:
        is_through = onward_relay__align(r);
        break;
    case ONWARD_RELAY__VOUCH:
        is_through = onward_relay__vouch(r);
        break;
    case ONWARD_RELAY__HANDLE:
        is_through = onward_relay__handle(r);
        break;
    case ONWARD_RELAY__KEEP:
        is_through = onward_relay__keep(r);
        break;
    case ONWARD_RELAY__LOOK_UP:
        is_through = onward_relay__look_up(r);
        break;
    case ONWARD_RELAY__SEAL:
        is_through = onward_relay__seal(r);
        break;
    case ONWARD_RELAY__SIGN:
        is_through = onward_relay__sign(r);
        break;
    case ONWARD_RELAY__DELIVER:
        is_through = onward_relay__deliver(r);
        break;
    }
    if (!is_through || onward_relay__is_dead(r) ||
        r->stage == ONWARD_RELAY__END)
        return false;
    r->stage++;
    return true;
}

static void tell(struct onward_relay *r)
{
    /* Some are open when it ended early: the key did not sign. */
    cancel_all(r);
    if (onward_relay__is_dead(r))
        return;
    r->is_done = true;
    onward_core__log(r->ctx, ONWARD_LOG_INFO, "relay",
                     onward_relay_reason_name((int)r->reason), r->log_id,
                     r->sender);
    r->host.done(r->host.user, r);
}

static void set_deadline(struct onward_relay *r)
{
    int64_t next = onward_relay__next_deadline(r);

    if (r->stage == ONWARD_RELAY__DELIVER && r->deadline_ms < next &&
        onward_core__desk_now(r->desk) < r->deadline_ms)
        next = r->deadline_ms;
    if (r->stage == ONWARD_RELAY__END)
        next = ONWARD_NEVER;
    onward_core__task_deadline(&r->task, next);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_relay *r = ONWARD_CONTAINER(task, struct onward_relay, task);

    (void)now_ms;
    onward_core__guard_enter(&r->guard);
    if (r->stage > ONWARD_RELAY__HANDLE && r->stage < ONWARD_RELAY__END)
        onward_relay__run_events(r); /* time passes while a key signs */
    while (!onward_relay__is_dead(r) && step(r))
        continue;
    if (!onward_relay__is_dead(r))
        set_deadline(r);
    if (r->stage == ONWARD_RELAY__END && !r->is_done &&
        !onward_relay__is_dead(r))
        tell(r);
    onward_relay__leave(r);
}

void onward_relay__end(struct onward_relay *r, enum onward_relay_reason reason,
                       size_t code, struct onward_str enhanced,
                       struct onward_str text)
{
    r->reason = reason;
    r->reply = (struct onward_smtp_reply){.size = sizeof(r->reply),
                                          .code = code,
                                          .enhanced = enhanced,
                                          .text = text};
    r->stage = ONWARD_RELAY__END;
}

void onward_relay__fail(struct onward_relay *r, enum onward_relay_reason reason)
{
    onward_relay__end(r, reason, 451, ONWARD_STR("4.3.0"),
                      ONWARD_STR("Local error, try again later"));
}

/* ---- Facts ------------------------------------------------------------- */

size_t onward_relay_rcpt_count(const struct onward_relay *relay)
{
    return relay->rcpt_count;
}

size_t onward_relay_delivery_count(const struct onward_relay *relay)
{
    return relay->destination_count;
}

void onward_relay__describe(const struct onward_relay *r,
                            const struct onward_relay__destination *from,
                            struct onward_relay_delivery *d)
{
    d->reverse_path = r->sender;
    d->recipient = from->recipient;
    d->domain = from->domain;
    d->smtputf8 = r->is_smtputf8 || from->is_utf8;
    d->body = r->body;
    d->require_tls = r->requires_tls;
    d->tls_optional = r->is_tls_optional;
    d->fate = (size_t)from->fate;
    d->reply_code = from->reply_code;
    d->reply_enhanced = from->reply_enhanced;
    d->reply_text = from->reply_text;
    onward_relay__tell_notices(r, d);
}

int onward_relay_delivery_at(const struct onward_relay *relay, size_t index,
                             struct onward_relay_delivery *out)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    const struct onward_relay__destination *from;

    if (index >= relay->destination_count)
        return ONWARD_ENOENT;
    from = relay->destinations[index];
    onward_relay__describe(relay, from, &d);
    d.source = onward_relay__top_source(relay, from);
    for (size_t i = 0; from->heir != NULL && i < relay->destination_count;
         i++) {
        if (relay->destinations[i] == from->heir)
            d.heir = i + 1;
    }
    return onward_core__out_store(out, &d, sizeof(d));
}

int onward_relay_reply(const struct onward_relay *relay,
                       struct onward_smtp_reply *out)
{
    if (!relay->is_done)
        return ONWARD_ESTATE;
    return onward_core__out_store(out, &relay->reply, sizeof(relay->reply));
}

int onward_relay_reason(const struct onward_relay *relay)
{
    return (int)relay->reason;
}
