/*
 * One DMARC evaluation (RFC 9989 5.3): the author's walk, a walk for each
 * identifier that may be aligned, and what follows from them.
 */
#include "dmarc/dmarc_priv.h"

enum { ARENA_BYTES = 256 * 1024, IDENTIFIERS_MAX = 101 };

_Static_assert(offsetof(struct onward_dmarc_opts, discovery) + sizeof(size_t) ==
                   sizeof(struct onward_dmarc_opts),
               "no tail padding");

static void clear_queries(struct onward_dmarc_check *c)
{
    onward_dmarc__walk_clear(&c->author);
    onward_dns__query_clear(&c->exists);
    for (struct onward_dmarc__walk *w = c->identifiers; w != NULL; w = w->next)
        onward_dmarc__walk_clear(w);
}

static void destroy(struct onward_dmarc_check *c)
{
    struct onward_ctx *ctx = c->ctx;
    struct onward_resolver *resolver = c->resolver;

    onward_core__arena_clear(&c->arena);
    onward_core__free(ctx, c);
    onward_dns__resolver_release(resolver);
    onward_ctx_free(ctx);
}

static void end(struct onward_dmarc_check *c, enum onward_dmarc_result result,
                enum onward_dmarc_reason reason)
{
    c->result = result;
    c->reason = reason;
}

/* ---- Policy ------------------------------------------------------------ */

/* A policy one level down (4.7). */
static enum onward_dmarc_policy lower(size_t policy, bool is_lower)
{
    if (is_lower && policy > ONWARD_DMARC_POLICY_NONE)
        policy--;
    return (enum onward_dmarc_policy)policy;
}

/* t=y of RFC 9989, or what pct= of RFC 7489 section 6.6.4 makes of this very
 * message. Without random numbers nobody can tell, which conclude() says. */
static enum onward_dmarc_policy
apply_testing(struct onward_dmarc_check *c, const struct onward_dmarc_record *r,
              size_t policy)
{
    c->published = (enum onward_dmarc_policy)policy;
    if (!c->is_legacy)
        return lower(policy, r->is_testing != 0);
    if (!c->is_drawn) {
        uint32_t draw = 0;

        c->is_drawn = true;
        c->is_draw_failed =
            r->percent < 100 &&
            onward_core__random(c->ctx, &draw, sizeof(draw)) != 0;
        c->is_sampled_out = r->percent < 100 && draw % 100 >= r->percent;
    }
    return lower(policy, c->is_sampled_out);
}

enum choice { CHOICE_WAIT, CHOICE_FAILED, CHOICE_NONE, CHOICE_DONE };

/* sp= for a domain that exists, np= for one that does not (4.10.1). */
static enum choice choose_below(struct onward_dmarc_check *c,
                                const struct onward_dmarc_record *r,
                                size_t *policy)
{
    const struct onward_dns__answer *answer;

    *policy = r->subdomain_policy != ONWARD_DMARC_POLICY_UNKNOWN
                  ? r->subdomain_policy
                  : r->policy;
    if (c->is_legacy || r->nonexistent_policy == ONWARD_DMARC_POLICY_UNKNOWN ||
        r->nonexistent_policy == *policy)
        return CHOICE_DONE;
    if (!c->asks_exists) {
        c->asks_exists = true;
        if (onward_dns__ask(c->resolver, &c->exists, c->author.domain,
                            ONWARD_DNS_A, &c->task) != 0)
            return CHOICE_FAILED;
    }
    answer = c->exists.answer;
    if (answer == NULL)
        return CHOICE_WAIT;
    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS)
        return CHOICE_FAILED;
    if (answer->status == ONWARD_DNS__NXDOMAIN)
        *policy = r->nonexistent_policy;
    return CHOICE_DONE;
}

/* Which record applies, and what it asks for (4.10.1). */
static enum choice choose_policy(struct onward_dmarc_check *c,
                                 const struct onward_dmarc__found *found,
                                 struct onward_dmarc_record *r)
{
    size_t policy;
    enum choice choice = CHOICE_DONE;

    c->org_domain = found->org_domain;
    if (found->own.len != 0) {
        c->record = found->own;
        c->policy_domain = c->author.domain;
    } else if (found->org.len != 0) {
        c->record = found->org;
        c->policy_domain = found->org_domain;
    } else {
        c->record = found->psd;
        c->policy_domain = found->psd_domain;
    }
    c->reason = ONWARD_DMARC_REASON_NO_RECORD;
    if (onward_dmarc_record_parse(c->record, r) != 0)
        return CHOICE_NONE;
    policy = r->policy;
    if (!r->is_policy_valid || r->is_subdomain_bad) {
        struct onward_str list = r->rua, uri;

        /* Somebody who wants reports is at least monitoring. */
        c->reason = ONWARD_DMARC_REASON_NO_POLICY;
        if (!onward_dmarc_uri_next(&list, &uri)) {
            c->policy_domain = onward_core__str("", 0);
            return CHOICE_NONE;
        }
        policy = ONWARD_DMARC_POLICY_NONE;
    } else if (found->own.len == 0 &&
               !onward_core__str_ieq(c->policy_domain, c->author.domain)) {
        choice = choose_below(c, r, &policy);
    }
    c->policy = apply_testing(c, r, policy);
    return choice;
}

/* ---- Alignment --------------------------------------------------------- */

/*
 * A relaxed identifier needs its own walk, unless the answer is plain. A walk
 * never ends outside of the name that it began at, so a name that is not below
 * the author's organization is of another one, whatever its zone says. It must
 * not be asked: its owner could let the look-up fail, and the doubt would stand
 * where a plain failure belongs.
 */
static bool needs_walk(const struct onward_dmarc_check *c,
                       const struct onward_dmarc__walk *w)
{
    struct onward_str author = c->author.domain;

    if (onward_core__str_ieq(author, w->domain))
        return false;
    if (!c->is_org_unknown)
        return onward_core__domain_is_within(w->domain, c->org_domain);
    return onward_core__str_ieq(onward_core__domain_last_labels(author, 1),
                                onward_core__domain_last_labels(w->domain, 1));
}

/* Compare one identifier with the author; WALK_DONE sets *is_same. */
static enum onward_dmarc__walk_state same_org(struct onward_dmarc_check *c,
                                              struct onward_dmarc__walk *w,
                                              bool *is_same)
{
    struct onward_dmarc__found found;
    enum onward_dmarc__walk_state state;

    if (c->is_legacy) {
        *is_same = onward_core__str_ieq(onward_dmarc__suffix_org(w->domain),
                                        c->org_domain);
        return WALK_DONE;
    }
    *is_same = onward_core__str_ieq(c->author.domain, w->domain);
    if (!needs_walk(c, w))
        return WALK_DONE;
    if (c->is_org_unknown || w->is_failed)
        return WALK_FAILED;
    if (w->count == 0 &&
        onward_dmarc__walk_start(w, c->resolver, &c->task) != 0) {
        /* What was not asked will not be answered. */
        w->is_failed = true;
        return WALK_FAILED;
    }
    state = onward_dmarc__walk_look(w, &found);
    if (state == WALK_DONE)
        *is_same = onward_core__str_ieq(found.org_domain, c->org_domain);
    return state;
}

/* All identifiers; CHOICE_DONE when one is aligned or none can be. */
static enum choice align(struct onward_dmarc_check *c,
                         const struct onward_dmarc_record *r)
{
    enum choice choice = CHOICE_DONE;

    for (struct onward_dmarc__walk *w = c->identifiers; w != NULL;
         w = w->next) {
        bool is_equal = onward_core__str_ieq(c->author.domain, w->domain);
        bool relaxed_spf =
            (w->is_spf || w->is_unknown_spf) && !r->is_spf_strict;
        bool relaxed_dkim =
            (w->is_dkim || w->is_unknown_dkim) && !r->is_dkim_strict;
        bool is_same = is_equal;

        if (!is_equal && (relaxed_spf || relaxed_dkim)) {
            enum onward_dmarc__walk_state state = same_org(c, w, &is_same);

            if (state == WALK_PENDING)
                choice = CHOICE_WAIT;
            else if (state == WALK_FAILED && choice != CHOICE_WAIT)
                choice = CHOICE_FAILED;
            if (state != WALK_DONE)
                continue;
        }
        c->is_spf_aligned |= w->is_spf && is_same && (is_equal || relaxed_spf);
        c->is_dkim_aligned |=
            w->is_dkim && is_same && (is_equal || relaxed_dkim);
        c->is_unknown_aligned |=
            is_same && ((w->is_unknown_spf && (is_equal || relaxed_spf)) ||
                        (w->is_unknown_dkim && (is_equal || relaxed_dkim)));
    }
    return choice;
}

static void conclude(struct onward_dmarc_check *c, enum choice choice)
{
    if (c->is_spf_aligned || c->is_dkim_aligned)
        end(c, ONWARD_DMARC_PASS, ONWARD_DMARC_REASON_ALIGNED);
    else if (choice == CHOICE_FAILED)
        end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS);
    else if (c->is_draw_failed)
        end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_RANDOM);
    else if (c->is_trusted)
        end(c, ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_TRUSTED_FORWARDER);
    else if (c->is_unknown_aligned) /* it might have passed (5.3.6) */
        end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS);
    else
        end(c, ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_NOT_ALIGNED);
}

/* ---- The loop ---------------------------------------------------------- */

/* Go as far as the answers go. */
static void step(struct onward_dmarc_check *c)
{
    struct onward_dmarc_record r = {.size = sizeof(r)};
    struct onward_dmarc__found found;
    enum onward_dmarc__walk_state state;
    enum choice choice;

    if (!c->is_started) {
        c->is_started = true;
        if (!onward_core__domain_is_dns_name(c->author.domain, 1)) {
            end(c, ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_BAD_DOMAIN);
            return;
        }
        if (onward_dmarc__walk_start(&c->author, c->resolver, &c->task) != 0) {
            end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_MEMORY);
            return;
        }
    }
    state = onward_dmarc__walk_look(&c->author, &found);
    if (state == WALK_PENDING)
        return;
    /* The author's own record is policy enough, and equality alignment. */
    c->is_org_unknown = state == WALK_FAILED;
    if (state == WALK_FAILED && found.own.len == 0) {
        end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS);
        return;
    }
    choice = choose_policy(c, &found, &r);
    if (choice == CHOICE_WAIT)
        return;
    if (choice == CHOICE_FAILED) {
        end(c, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS);
        return;
    }
    if (choice == CHOICE_NONE) {
        end(c, ONWARD_DMARC_NONE, c->reason);
        return;
    }
    /* Walks of identifiers that are known start before the last one comes. */
    choice = align(c, &r);
    if (c->is_finished && choice != CHOICE_WAIT)
        conclude(c, choice);
}

/* For whoever counts them. */
static void log_result(const struct onward_dmarc_check *c)
{
    struct onward_buf detail;

    onward_core__buf_init(&detail, c->ctx, 1024);
    onward_core__buf_add_text(&detail, "from=");
    onward_core__buf_add_str(&detail, c->author.domain);
    onward_core__buf_add_text(&detail, " policy=");
    onward_core__buf_add_text(&detail,
                              onward_dmarc_policy_name((int)c->policy));
    onward_core__buf_add_text(&detail, " ");
    onward_core__buf_add_text(&detail,
                              onward_dmarc_reason_name((int)c->reason));
    onward_core__log(c->ctx, ONWARD_LOG_INFO, "dmarc",
                     onward_dmarc_result_name((int)c->result),
                     onward_core__desk_log_id(onward_dns__desk(c->resolver)),
                     onward_core__buf_str(&detail));
    onward_core__buf_clear(&detail);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dmarc_check *c =
        ONWARD_CONTAINER(task, struct onward_dmarc_check, task);

    (void)now_ms;
    if (c->is_done)
        return;
    if (c->result == ONWARD_DMARC_PENDING)
        step(c);
    /* `done` comes after the last identifier, also when all is known before. */
    if (c->result == ONWARD_DMARC_PENDING || !c->is_finished)
        return;
    c->is_done = true;
    onward_core__guard_enter(&c->guard);
    log_result(c);
    if (c->host.done != NULL)
        c->host.done(c->host.user, c);
    if (onward_core__guard_leave(&c->guard))
        destroy(c);
}

/* ---- Life -------------------------------------------------------------- */

int onward_dmarc_check_new(struct onward_resolver *resolver,
                           const struct onward_dmarc_opts *opts,
                           const struct onward_dmarc_host *host,
                           struct onward_dmarc_check **check)
{
    struct onward_dmarc_opts o;
    struct onward_dmarc_host h;
    struct onward_dmarc_check *c;
    struct onward_desk *desk;
    struct onward_ctx *ctx;
    int err;

    if (resolver == NULL || opts == NULL || check == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (o.reject_policy > ONWARD_DMARC_REJECT_NEVER ||
        o.discovery > ONWARD_DMARC_DISCOVERY_RFC7489)
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    c = onward_core__zalloc(ctx, sizeof(*c));
    if (c == NULL)
        return ONWARD_ENOMEM;
    c->ctx = onward_ctx_ref(ctx);
    c->resolver = resolver;
    c->host = h;
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&c->arena, ctx, ARENA_BYTES);
    err = onward_core__domain_to_ascii(&c->arena, o.author_domain,
                                       &c->author.domain);
    if (err == ONWARD_ENOMEM) {
        destroy(c);
        return err;
    }
    c->org_domain = c->author.domain;
    c->reject_policy = o.reject_policy;
    c->is_legacy = o.discovery == ONWARD_DMARC_DISCOVERY_RFC7489;
    c->author.is_legacy = c->is_legacy;
    onward_core__task_init(&c->task, desk, run);
    onward_core__task_ready(&c->task);
    *check = c;
    return 0;
}

void onward_dmarc_check_free(struct onward_dmarc_check *check)
{
    if (check == NULL || check->guard.is_dead)
        return;
    check->guard.is_dead = true;
    check->is_done = true;
    /* Cancels, and whatever the host frees there may want to free us too. */
    onward_core__guard_enter(&check->guard);
    clear_queries(check);
    onward_core__task_clear(&check->task);
    if (onward_core__guard_leave(&check->guard))
        destroy(check);
}

static int add_identifier(struct onward_dmarc_check *c,
                          struct onward_str domain,
                          struct onward_dmarc__walk **added)
{
    struct onward_dmarc__walk *w;
    struct onward_str ascii;
    int err;

    if (c->is_finished)
        return ONWARD_ESTATE;
    err = onward_core__domain_to_ascii(&c->arena, domain, &ascii);
    if (err == ONWARD_ESYNTAX)
        return 0; /* no name aligns with it */
    if (err != 0)
        return err;
    for (w = c->identifiers; w != NULL; w = w->next) {
        if (onward_core__str_ieq(w->domain, ascii))
            break;
    }
    if (w == NULL) {
        if (c->identifier_count >= IDENTIFIERS_MAX)
            return ONWARD_ELIMIT;
        w = onward_core__arena_alloc(&c->arena, sizeof(*w));
        if (w == NULL)
            return ONWARD_ENOMEM;
        w->domain = ascii;
        w->next = c->identifiers;
        c->identifiers = w;
        c->identifier_count++;
    }
    *added = w;
    onward_core__task_ready(&c->task);
    return 0;
}

int onward_dmarc_check_add_spf(struct onward_dmarc_check *check,
                               struct onward_str domain)
{
    struct onward_dmarc__walk *w = NULL;
    int err = add_identifier(check, domain, &w);

    if (w != NULL)
        w->is_spf = true;
    return err;
}

int onward_dmarc_check_add_dkim(struct onward_dmarc_check *check,
                                struct onward_str domain)
{
    struct onward_dmarc__walk *w = NULL;
    int err = add_identifier(check, domain, &w);

    if (w != NULL)
        w->is_dkim = true;
    return err;
}

int onward_dmarc_check_add_unknown_spf(struct onward_dmarc_check *check,
                                       struct onward_str domain)
{
    struct onward_dmarc__walk *w = NULL;
    int err = add_identifier(check, domain, &w);

    if (w != NULL)
        w->is_unknown_spf = true;
    return err;
}

int onward_dmarc_check_add_unknown_dkim(struct onward_dmarc_check *check,
                                        struct onward_str domain)
{
    struct onward_dmarc__walk *w = NULL;
    int err = add_identifier(check, domain, &w);

    if (w != NULL)
        w->is_unknown_dkim = true;
    return err;
}

int onward_dmarc_check_finish(struct onward_dmarc_check *check,
                              int trusted_forwarder)
{
    if (check->is_finished)
        return ONWARD_ESTATE;
    check->is_finished = true;
    check->is_trusted = trusted_forwarder != 0;
    onward_core__task_ready(&check->task);
    return 0;
}

void onward_dmarc_check_suspect(struct onward_dmarc_check *check)
{
    check->is_suspect = true;
}
