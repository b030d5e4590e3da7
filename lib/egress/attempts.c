/*
 * Attempts one after the other, and what an outcome means for the rest of the
 * plan.
 */
#include <onward/smtp_client.h>

#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_attempt, server) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_attempt),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_outcome, tls) + sizeof(void *) ==
                   sizeof(struct onward_egress_outcome),
               "no tail padding");

/* ---- The demand -------------------------------------------------------- */

static enum onward_tls_level
level_of(const struct onward_egress__attempt *attempt)
{
    return attempt->is_clear ? ONWARD_TLS_NONE : attempt->judged->level;
}

/* The name that an authority has to vouch for: that of the server. A domain
 * that is its own server may be an alias, and unless DNSSEC or a policy stands
 * for where it leads it is the domain's own name that counts. */
static struct onward_str name_of(const struct onward_egress__server *server)
{
    const struct onward_egress__target *target = server->target;
    bool is_known = target->mx.answer != NULL && target->mx.answer->is_secure;

    if (server->is_mx || is_known || server->is_in_policy)
        return server->name.text;
    return target->name.text;
}

static void make_demand(struct onward_egress *plan,
                        const struct onward_egress__attempt *attempt)
{
    const struct onward_egress__server *server = attempt->server;
    struct onward_tls_demand *demand = &plan->demand;
    int len;

    memset(demand, 0, sizeof(*demand));
    demand->size = sizeof(*demand);
    plan->demand_name = name_of(server);
    if (server->name.literal.family != 0) {
        len = onward_ip_format(&attempt->ip, plan->demand_ip,
                               sizeof(plan->demand_ip));
        plan->demand_name =
            onward_core__str(plan->demand_ip, len < 0 ? 0 : (size_t)len);
    }
    if (level_of(attempt) == ONWARD_TLS_DANE ||
        attempt->judged->reason == ONWARD_EGRESS_REASON_UNUSABLE) {
        /* The server is asked for by the name that its records are under. */
        (void)onward_dane_lookup_demand(server->dane, demand);
        if (attempt->judged->does_both) {
            demand->pkix_names = &plan->demand_name;
            demand->pkix_name_count = 1;
        }
        return;
    }
    demand->level = level_of(attempt);
    demand->names = &plan->demand_name;
    demand->name_count = 1;
}

int onward_egress_next(struct onward_egress *plan,
                       struct onward_egress_attempt *attempt)
{
    struct onward_egress_attempt out = {.size = sizeof(out)};
    const struct onward_egress__attempt *at;
    int err;

    if (plan == NULL || attempt == NULL)
        return ONWARD_EINVAL;
    if (plan->stage == ONWARD_EGRESS__ENDED)
        return 0;
    if (plan->stage != ONWARD_EGRESS__READY || plan->guard.is_dead)
        return ONWARD_ESTATE;
    at = &plan->attempts[plan->attempt_at];
    make_demand(plan, at);
    out.ip = &at->ip;
    out.port = at->server->target->port;
    out.host = at->server->name.text;
    out.tls = &plan->demand;
    out.preference = at->server->preference;
    out.is_secure = at->is_secure;
    out.protocol = at->server->target->protocol;
    out.require_tls = at->judged->require_tls;
    out.reason = at->is_clear ? ONWARD_EGRESS_REASON_CLEAR : at->judged->reason;
    while (plan->servers[out.server] != at->server)
        out.server++;
    err = onward_core__out_store(attempt, &out, sizeof(out));
    if (err < 0)
        return err;
    plan->stage = ONWARD_EGRESS__OPEN;
    return 1;
}

/* ---- What is told ------------------------------------------------------ */

/* A reply may be what it says only if it is of that class. */
static bool fits(const struct onward_egress_outcome *outcome, size_t class)
{
    return outcome->code / 100 == class;
}

static void keep_text(struct onward_egress *plan, struct onward_str text)
{
    size_t len = 0;

    for (; len < text.len && len < sizeof(plan->text_buf); len++) {
        unsigned char c = (unsigned char)text.data[len];

        plan->text_buf[len] = (char)(c >= ' ' && c < 0x7f ? c : '?');
    }
    plan->text = onward_core__str(plan->text_buf, len);
}

/* "5.1.10": digits and dots, beginning with the class. */
static bool keep_enhanced(struct onward_egress *plan, struct onward_str text,
                          size_t class)
{
    if (text.len < 5 || text.len > sizeof(plan->enhanced_buf) ||
        (size_t)(unsigned char)text.data[0] != '0' + class)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '.' &&
            !onward_ascii_is_digit((unsigned char)text.data[i]))
            return false;
    }
    memcpy(plan->enhanced_buf, text.data, text.len);
    plan->enhanced = onward_core__str(plan->enhanced_buf, text.len);
    return true;
}

/* What the sender will be told, should it stay at that. */
static void keep_outcome(struct onward_egress *plan,
                         const struct onward_egress_outcome *outcome,
                         size_t class, const struct onward_egress__end *ours)
{
    bool has_reply = fits(outcome, class);

    /* What a server said beats that another one could not be reached. */
    if (plan->has_reply && !has_reply && class == 4)
        return;
    plan->has_reply = has_reply;
    plan->code = has_reply ? outcome->code : ours->code;
    if (!keep_enhanced(plan, outcome->enhanced, class))
        plan->enhanced = onward_str_of(!has_reply   ? ours->enhanced
                                       : class == 4 ? "4.0.0"
                                       : class == 5 ? "5.0.0"
                                                    : "2.0.0");
    if (outcome->text.len != 0)
        keep_text(plan, outcome->text);
    else
        plan->text = onward_str_of(ours->text);
}

/* ---- What follows ------------------------------------------------------ */

static const struct onward_egress__end delivered = {250, "2.0.0", "delivered"};
static const struct onward_egress__end failed = {554, "5.0.0",
                                                 "delivery failed"};
static const struct onward_egress__end no_connection = {
    451, "4.4.1", "no mail server answers"};
static const struct onward_egress__end no_tls = {
    451, "4.7.5", "a mail server does not come up to the TLS that is demanded"};
static const struct onward_egress__end not_encrypted = {
    550, "5.7.10",
    "the message demands TLS (REQUIRETLS), and no mail server can be proven"};
static const struct onward_egress__end not_supported = {
    550, "5.7.30",
    "the message demands REQUIRETLS, and no mail server supports it"};

static int end_with(struct onward_egress *plan, size_t fate)
{
    plan->fate = fate;
    plan->stage = ONWARD_EGRESS__ENDED;
    return 0;
}

/* Trouble on the way, or on our side, is not the server's last word on TLS. */
static bool is_lasting(size_t tls_failure)
{
    return tls_failure != ONWARD_TLS_OK && tls_failure != ONWARD_TLS_LOST &&
           tls_failure != ONWARD_TLS_TIMEOUT &&
           tls_failure != ONWARD_TLS_INTERNAL;
}

/* Why a message with REQUIRETLS cannot have it there (RFC 8689 section 4.2.1);
 * NULL: that is not what failed. */
static const struct onward_egress__end *
requiretls_end(const struct onward_egress__attempt *attempt,
               const struct onward_egress_outcome *o)
{
    if (!attempt->judged->require_tls)
        return NULL;
    if (o->cause == ONWARD_SMTP_CAUSE_NO_REQUIRETLS)
        return &not_supported;
    return o->cause == ONWARD_SMTP_CAUSE_UNVERIFIED ||
                   is_lasting(o->tls_failure)
               ? &not_encrypted
               : NULL;
}

/* A bounce is not lost for that: the same server at the end, without. */
static void put_off(struct onward_egress *plan,
                    const struct onward_egress__attempt *attempt)
{
    struct onward_egress__attempt again = *attempt;

    if (plan->opts.is_bounce == 0 ||
        attempt->server->fallback.use != ONWARD_EGRESS_USE_PENDING ||
        plan->attempt_count == 2 * plan->opts.max_attempts)
        return;
    again.judged = &attempt->server->fallback;
    plan->attempts[plan->attempt_count++] = again;
}

/* None is left. What may go well another time is not given up. */
static int end_exhausted(struct onward_egress *plan)
{
    if (plan->tls_end.code != 0 && !plan->saw_temporary &&
        !onward_egress__may_change(plan)) {
        onward_egress__end(plan, &plan->tls_end);
        return 0;
    }
    if (plan->saw_temporary)
        return end_with(plan, ONWARD_EGRESS_TEMPORARY);
    onward_egress__end_without(plan);
    return 0;
}

/* On to the next attempt, or to the end. */
static int go_on(struct onward_egress *plan,
                 const struct onward_egress_outcome *o)
{
    struct onward_egress__attempt *attempt = &plan->attempts[plan->attempt_at];
    const struct onward_egress__end *end = requiretls_end(attempt, o);

    plan->stage = ONWARD_EGRESS__READY;
    if (end != NULL) {
        plan->tls_end = *end;
        put_off(plan, attempt);
    } else {
        plan->saw_temporary = true;
        keep_outcome(plan, o, 4,
                     o->tls_failure != ONWARD_TLS_OK ? &no_tls
                                                     : &no_connection);
    }
    if (o->tls_failure != ONWARD_TLS_OK &&
        level_of(attempt) == ONWARD_TLS_OPPORTUNISTIC) {
        /* The same server in the clear: that was allowed from the start. */
        attempt->is_clear = true;
        return 1;
    }
    plan->attempt_at++;
    return plan->attempt_at < plan->attempt_count ? 1 : end_exhausted(plan);
}

static int conclude(struct onward_egress *plan,
                    const struct onward_egress_outcome *o)
{
    const struct onward_egress__attempt *attempt =
        &plan->attempts[plan->attempt_at];

    switch (o->fate) {
    case ONWARD_EGRESS_DELIVERED:
        keep_outcome(plan, o, 2, &delivered);
        return end_with(plan, ONWARD_EGRESS_DELIVERED);
    case ONWARD_EGRESS_PERMANENT:
        /* About the server, not the message. */
        if (o->tls_failure != ONWARD_TLS_OK ||
            requiretls_end(attempt, o) != NULL)
            return go_on(plan, o);
        keep_outcome(plan, o, 5, &failed);
        return end_with(plan, ONWARD_EGRESS_PERMANENT);
    default:
        return go_on(plan, o);
    }
}

int onward_egress_report(struct onward_egress *plan,
                         const struct onward_egress_outcome *outcome)
{
    struct onward_egress_outcome o;
    int ret;

    if (plan == NULL || outcome == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&o, sizeof(o), outcome);
    if (ret < 0)
        return ret;
    if (plan->stage != ONWARD_EGRESS__OPEN || plan->guard.is_dead)
        return ONWARD_ESTATE;
    if (o.fate > ONWARD_EGRESS_PERMANENT)
        return ONWARD_EINVAL;
    onward_core__guard_enter(&plan->guard);
    onward_egress__tell_session(plan, &o);
    ret = ONWARD_ECANCELED;
    if (!plan->guard.is_dead) {
        ret = conclude(plan, &o);
        onward_egress__tell_passed(plan);
        if (plan->guard.is_dead)
            ret = ONWARD_ECANCELED;
    }
    if (onward_core__guard_leave(&plan->guard))
        onward_egress__destroy(plan);
    return ret;
}
