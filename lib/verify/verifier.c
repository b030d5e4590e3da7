/*
 * One pass: the header is kept, the body hashed as it passes, all questions
 * are out as early as they can be; the verdict waits for the last answer.
 */
#include "verify/verify_priv.h"

enum {
    ARENA_BYTES = 256 * 1024,
    AUTHRES_BYTES = 64 * 1024,
    DEFAULT_SIGNATURES = 10,
    DEFAULT_TIMEOUT_MS = 30000
};

_Static_assert(offsetof(struct onward_verifier_opts, results) +
                       sizeof(size_t) ==
                   sizeof(struct onward_verifier_opts),
               "no tail padding");

static void destroy(struct onward_verifier *v)
{
    struct onward_ctx *ctx = v->ctx;
    struct onward_resolver *resolver = v->resolver;

    onward_core__buf_clear(&v->authres);
    onward_core__buf_clear(&v->explanation);
    onward_dkim__intake_clear(&v->intake);
    onward_core__arena_clear(&v->arena);
    onward_core__free(ctx, v);
    onward_dns__resolver_release(resolver);
    onward_ctx_free(ctx);
}

/* Let go of all that asks. */
static void detach(struct onward_verifier *v)
{
    onward_spf_check_free(v->spf_mail_from);
    onward_spf_check_free(v->spf_helo);
    v->spf_mail_from = v->spf_helo = NULL;
    onward_verify__dmarc_clear(v);
    onward_dkim__verify_clear(&v->dkim);
    onward_arc__validate_clear(&v->arc);
    onward_core__task_clear(&v->task);
}

/* ---- Waiting ----------------------------------------------------------- */

static void spf_done(void *user, struct onward_spf_check *check)
{
    struct onward_verifier *v = user;

    (void)check;
    onward_core__task_ready(&v->task);
}

static bool spf_known(const struct onward_spf_check *check)
{
    return check == NULL ||
           onward_spf_check_result(check) != ONWARD_SPF_PENDING;
}

/* true: all is known. */
static bool step(struct onward_verifier *v)
{
    bool is_known = onward_dkim__verify_step(&v->dkim);

    is_known = onward_arc__validate_step(&v->arc) && is_known;
    is_known =
        is_known && spf_known(v->spf_mail_from) && spf_known(v->spf_helo);
    if (!is_known)
        return false;
    if (!v->is_decided) {
        v->is_decided = true;
        if (onward_verify__dmarc_decide(v) != 0)
            onward_verify__dmarc_give_up(v, ONWARD_DMARC_REASON_MEMORY);
    }
    return onward_verify__dmarc_known(v);
}

static void end(struct onward_verifier *v)
{
    onward_core__task_deadline(&v->task, ONWARD_NEVER);
    if (onward_verify__write_results(v) != 0)
        onward_core__buf_reset(&v->authres);
    v->is_done = true;
    if (v->host.done != NULL)
        v->host.done(v->host.user, v);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_verifier *v =
        ONWARD_CONTAINER(task, struct onward_verifier, task);
    bool is_over;

    if (v->is_done || !v->is_finished)
        return;
    if (v->deadline_ms == 0) {
        v->deadline_ms = v->timeout_ms > (size_t)(INT64_MAX - now_ms)
                             ? ONWARD_NEVER
                             : now_ms + (int64_t)v->timeout_ms;
        onward_core__task_deadline(&v->task, v->deadline_ms);
    }
    /* A question that is not needed any more is cancelled inside, and the host
     * may free us there. */
    onward_core__guard_enter(&v->guard);
    is_over = step(v);
    if (!is_over && !v->guard.is_dead && now_ms >= v->deadline_ms) {
        /* What is open is temperror; DMARC cannot be told then. */
        onward_verify__dmarc_give_up(v, ONWARD_DMARC_REASON_DNS);
        v->is_decided = true;
        is_over = true;
    }
    if (is_over && !v->guard.is_dead)
        end(v);
    if (onward_core__guard_leave(&v->guard))
        destroy(v);
}

static int begin(void *user);

/* ---- Life -------------------------------------------------------------- */

static int start_spf(struct onward_verifier *v, size_t identity,
                     struct onward_str receiver,
                     struct onward_spf_check **check)
{
    const struct onward_spf_host host = {
        .size = sizeof(host), .user = v, .done = spf_done};
    const struct onward_spf_opts o = {.size = sizeof(o),
                                      .identity = identity,
                                      .client_ip = &v->client_ip,
                                      .mail_from = v->mail_from,
                                      .helo = v->helo,
                                      .receiver = receiver};

    return onward_spf_check_new(v->resolver, &o, &host, check);
}

static int load(struct onward_verifier *v, const struct onward_verifier_opts *o)
{
    int err =
        onward_core__arena_dup(&v->arena, o->authserv_id, &v->authserv_id);

    if (err == 0)
        err = onward_core__arena_dup(&v->arena, o->mail_from, &v->mail_from);
    if (err == 0)
        err = onward_core__arena_dup(&v->arena, o->helo, &v->helo);
    if (err == 0)
        err = onward_core__arena_dup(&v->arena, o->iprev_name, &v->iprev_name);
    if (err != 0 || o->client_ip == NULL)
        return err;
    v->client_ip = *o->client_ip;
    v->has_client = true;
    err = start_spf(v, ONWARD_SPF_MAIL_FROM, o->receiver, &v->spf_mail_from);
    if (err == 0)
        err = start_spf(v, ONWARD_SPF_HELO, o->receiver, &v->spf_helo);
    return err;
}

int onward_verifier_new(struct onward_resolver *resolver,
                        const struct onward_verifier_opts *opts,
                        const struct onward_verifier_host *host,
                        struct onward_verifier **verifier)
{
    struct onward_verifier_opts o;
    struct onward_verifier_host h;
    struct onward_authres_builder *named = NULL;
    struct onward_verifier *v;
    struct onward_desk *desk;
    struct onward_ctx *ctx;
    int err;

    if (resolver == NULL || opts == NULL || verifier == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (o.authserv_id.len == 0 ||
        o.dmarc_reject_policy > ONWARD_DMARC_REJECT_NEVER ||
        o.dmarc_discovery > ONWARD_DMARC_DISCOVERY_RFC7489 ||
        o.max_authors > ONWARD_VERIFIER_AUTHORS_MAX ||
        o.iprev > ONWARD_VERIFIER_IPREV_PERMERROR ||
        o.results > (ONWARD_VERIFIER_RESULTS_DKIM_NONE |
                     ONWARD_VERIFIER_RESULTS_DKIM_DETAIL))
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    /* A name that no field can hold would leave every message without one. */
    err = onward_authres_builder_new(ctx, o.authserv_id, &named);
    onward_authres_builder_free(named);
    if (err != 0)
        return err;
    v = onward_core__zalloc(ctx, sizeof(*v));
    if (v == NULL)
        return ONWARD_ENOMEM;
    v->ctx = onward_ctx_ref(ctx);
    v->resolver = resolver;
    onward_dns__resolver_hold(resolver);
    v->host = h;
    v->max_signatures =
        onward_core__limit(o.max_signatures, DEFAULT_SIGNATURES);
    v->max_authors = onward_core__limit(o.max_authors, 1);
    v->dmarc_reject_policy = o.dmarc_reject_policy;
    v->dmarc_discovery = o.dmarc_discovery;
    v->results = o.results;
    v->allow_no_author = o.allow_no_author != 0;
    v->omit_remote_ip = o.omit_remote_ip != 0;
    v->iprev = o.iprev;
    v->timeout_ms = onward_core__limit(o.timeout_ms, DEFAULT_TIMEOUT_MS);
    onward_core__arena_init(&v->arena, ctx, ARENA_BYTES);
    onward_core__buf_init(&v->authres, ctx, AUTHRES_BYTES);
    onward_core__buf_init(&v->explanation, ctx, 0);
    onward_dkim__intake_init(&v->intake, ctx, begin, v);
    onward_core__task_init(&v->task, desk, run);
    err = load(v, &o);
    if (err != 0) {
        detach(v);
        destroy(v);
        return err;
    }
    *verifier = v;
    return 0;
}

void onward_verifier_free(struct onward_verifier *verifier)
{
    if (verifier == NULL || verifier->guard.is_dead)
        return;
    verifier->guard.is_dead = true;
    onward_core__guard_enter(&verifier->guard);
    detach(verifier);
    if (onward_core__guard_leave(&verifier->guard))
        destroy(verifier);
}

int onward_verifier_trust_sealer(struct onward_verifier *verifier,
                                 struct onward_str domain)
{
    struct onward_verify__sealer *s;
    struct onward_str ascii;
    int err;

    if (verifier->intake.is_begun || verifier->intake.is_closed)
        return ONWARD_ESTATE;
    err = onward_core__domain_to_ascii(&verifier->arena, domain, &ascii);
    if (err != 0)
        return err;
    s = onward_core__arena_alloc(&verifier->arena, sizeof(*s));
    if (s == NULL)
        return ONWARD_ENOMEM;
    s->domain = ascii;
    s->next = verifier->sealers;
    verifier->sealers = s;
    return 0;
}

/* ---- Streaming --------------------------------------------------------- */

/* The header is complete: ask for everything that it names. */
static int begin(void *user)
{
    struct onward_verifier *v = user;
    struct onward_dkim_verifier_opts dkim = {
        .size = sizeof(dkim), .max_signatures = v->max_signatures};
    struct onward_dkim__policy policy;
    size_t max_signatures;
    bool wants_oldest_pass;
    int err;

    /* Ours first, so that peers' odd wishes cannot use up the set. */
    err = onward_dkim__body_want(&v->intake.body, ONWARD_DKIM__RELAXED, false,
                                 0, &v->body_index);
    if (err == 0)
        err = onward_dkim__policy_load(v->ctx, &dkim, &policy, &max_signatures);
    if (err == 0)
        err = onward_dkim__verify_begin(&v->dkim, &v->intake.header,
                                        &v->intake.body, &policy,
                                        max_signatures, v->resolver, &v->task);
    if (err == 0)
        err =
            onward_arc__policy_load(v->ctx, NULL, &policy, &wants_oldest_pass);
    if (err == 0)
        err = onward_arc__validate_begin(
            &v->arc, &v->intake.header, &v->intake.body, &policy,
            wants_oldest_pass, v->resolver, &v->task);
    return err == 0 ? onward_verify__dmarc_begin(v) : err;
}

int onward_verifier_feed(struct onward_verifier *verifier, const void *data,
                         size_t len)
{
    return onward_dkim__intake_feed(&verifier->intake, data, len, NULL);
}

static void make_fingerprint(struct onward_verifier *v)
{
    struct onward_str block = onward_core__buf_str(&v->intake.header.block);
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, block.len, (const uint8_t *)block.data);
    sha256_update(&sha, ONWARD_DKIM__HASH_SIZE,
                  onward_dkim__body_digest(&v->intake.body, v->body_index));
    sha256_digest(&sha, sizeof(v->fingerprint), v->fingerprint);
}

int onward_verifier_finish(struct onward_verifier *verifier)
{
    int err = onward_dkim__intake_finish(&verifier->intake);

    if (err != 0)
        return err;
    verifier->is_finished = true;
    make_fingerprint(verifier);
    onward_core__task_ready(&verifier->task);
    return 0;
}

/* ---- Reading ----------------------------------------------------------- */

int onward_verifier_is_done(const struct onward_verifier *verifier)
{
    return verifier->is_done;
}

const struct onward_header *
onward_verifier_header(const struct onward_verifier *verifier)
{
    return &verifier->intake.header;
}

const struct onward_spf_check *
onward_verifier_spf(const struct onward_verifier *verifier, int identity)
{
    return identity == ONWARD_SPF_HELO ? verifier->spf_helo
                                       : verifier->spf_mail_from;
}

size_t onward_verifier_dkim_count(const struct onward_verifier *verifier)
{
    return verifier->dkim.count;
}

int onward_verifier_dkim(const struct onward_verifier *verifier, size_t i,
                         struct onward_dkim_signature *signature)
{
    return onward_dkim__verify_signature(&verifier->dkim, i, signature);
}

int onward_verifier_arc(const struct onward_verifier *verifier,
                        struct onward_arc_verdict *verdict)
{
    return onward_arc__validate_verdict(&verifier->arc, verdict);
}

int onward_verifier_arc_set(const struct onward_verifier *verifier,
                            size_t instance, struct onward_arc_set *set)
{
    return onward_arc__validate_set(&verifier->arc, instance, set);
}

int onward_verifier_is_authenticated(const struct onward_verifier *verifier)
{
    if (verifier->spf_mail_from != NULL &&
        onward_spf_check_result(verifier->spf_mail_from) == ONWARD_SPF_PASS)
        return 1;
    for (size_t i = 0; i < verifier->dkim.count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_dkim__verify_signature(&verifier->dkim, i, &s) == 0 &&
            onward_verify__dkim_counts(&s))
            return 1;
    }
    return 0;
}

struct onward_str
onward_verifier_authres(const struct onward_verifier *verifier)
{
    return onward_core__buf_str(&verifier->authres);
}

struct onward_str
onward_verifier_body_hash(const struct onward_verifier *verifier)
{
    if (!verifier->is_finished)
        return onward_core__str("", 0);
    return onward_core__str(
        onward_dkim__body_digest(&verifier->intake.body, verifier->body_index),
        ONWARD_DKIM__HASH_SIZE);
}

struct onward_str
onward_verifier_fingerprint(const struct onward_verifier *verifier)
{
    if (!verifier->is_finished)
        return onward_core__str("", 0);
    return onward_core__str(verifier->fingerprint,
                            sizeof(verifier->fingerprint));
}
