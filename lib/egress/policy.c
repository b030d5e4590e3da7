/*
 * What a server must prove before it gets the message: DANE over MTA-STS over
 * the host's own rule, and REQUIRETLS beside them. The strongest holds, and an
 * answer that is missing never makes it less.
 */
#include "egress/egress_priv.h"

/* ---- What is known ----------------------------------------------------- */

/* Why there is no policy lies with us: there may be one in force. Whoever can
 * make us busy, or restarts us, is not to switch it off. */
static bool is_our_fault(const struct onward_egress__target *target)
{
    if (!target->has_policy_question)
        return false;
    if (target->lookup == NULL)
        return true;
    if (target->verdict.status == ONWARD_MTASTS_POLICY)
        return false;
    switch (target->verdict.reason) {
    case ONWARD_MTASTS_REASON_BUSY:
    case ONWARD_MTASTS_REASON_STORE:
    case ONWARD_MTASTS_REASON_CANCELED:
    case ONWARD_MTASTS_REASON_INTERNAL:
        return true;
    default:
        return false;
    }
}

bool onward_egress__policy_is_unsure(const struct onward_egress__target *target)
{
    if (!target->has_policy_question || is_our_fault(target))
        return target->has_policy_question;
    switch (target->verdict.reason) {
    case ONWARD_MTASTS_REASON_NONE:
    case ONWARD_MTASTS_REASON_NO_RECORD:
    case ONWARD_MTASTS_REASON_BAD_RECORD:
    case ONWARD_MTASTS_REASON_MANY_RECORDS:
    case ONWARD_MTASTS_REASON_BAD_DOMAIN:
        return false;
    default:
        return true;
    }
}

/* enum onward_mtasts_mode in force; UNKNOWN: none. */
static size_t mode_of(const struct onward_egress__target *target)
{
    if (target->verdict.policy == NULL ||
        target->verdict.policy->mode == ONWARD_MTASTS_MODE_NONE)
        return ONWARD_MTASTS_MODE_UNKNOWN;
    return target->verdict.policy->mode;
}

/* Does DNSSEC, or the host, stand for that server being the one to go to? That
 * there is no MX can be forged as well as one. */
static bool is_choice_secure(const struct onward_egress__server *server)
{
    const struct onward_egress__target *target = server->target;

    if (!target->by_mx)
        return true;
    return target->mx.answer != NULL && target->mx.answer->is_secure;
}

/* Is the name that it has to prove one that nobody else could have put there?
 * A domain that is its own server has the recipient's word for it. */
static bool is_name_secure(const struct onward_egress__server *server)
{
    return is_choice_secure(server) ||
           (!server->is_mx &&
            onward_core__str_ieq(server->name.text, server->target->name.text));
}

static bool ignores_policies(const struct onward_egress *plan)
{
    return plan->opts.tls_optional != 0 && plan->opts.require_tls == 0;
}

/* What TLSA records count for here. */
static int dane_of(const struct onward_egress *plan,
                   const struct onward_egress__server *server)
{
    if (server->dane == NULL ||
        (ignores_policies(plan) && server->own_level != ONWARD_TLS_DANE))
        return ONWARD_DANE_RESULT_NONE;
    return onward_dane_lookup_result(server->dane);
}

/* ---- One server -------------------------------------------------------- */

static void raise_to(struct onward_egress__judgment *j,
                     enum onward_tls_level level,
                     enum onward_egress_reason reason)
{
    if (level < j->level)
        return;
    j->level = level;
    j->reason = reason;
}

static void refuse(struct onward_egress__judgment *j,
                   enum onward_egress_use use)
{
    if (j->use != ONWARD_EGRESS_USE_PENDING)
        return;
    j->use = use;
}

static void apply_dane(struct onward_egress__judgment *j,
                       const struct onward_egress__server *server, int dane,
                       bool is_enforced)
{
    bool is_mandatory = server->own_level == ONWARD_TLS_DANE;

    switch (dane) {
    case ONWARD_DANE_RESULT_USABLE:
        j->does_both = is_enforced && !is_choice_secure(server);
        raise_to(j, ONWARD_TLS_DANE,
                 j->does_both ? ONWARD_EGRESS_REASON_BOTH
                              : ONWARD_EGRESS_REASON_DANE);
        /* Mandatory DANE covers the choice too (RFC 7672 section 2.2.1). */
        if (is_mandatory && !is_choice_secure(server))
            refuse(j, ONWARD_EGRESS_USE_NO_DANE);
        break;
    case ONWARD_DANE_RESULT_FAILED:
        refuse(j, ONWARD_EGRESS_USE_DANE_FAILED);
        break;
    case ONWARD_DANE_RESULT_UNUSABLE:
        raise_to(j, ONWARD_TLS_ENCRYPTED, ONWARD_EGRESS_REASON_UNUSABLE);
        break;
    default:
        break;
    }
    if (is_mandatory && dane != ONWARD_DANE_RESULT_USABLE)
        refuse(j, ONWARD_EGRESS_USE_NO_DANE);
}

static void apply_mtasts(struct onward_egress__judgment *j,
                         const struct onward_egress__server *server)
{
    /* Validated records say more than a policy (RFC 8461 section 2), but those
     * of a server that nobody vouches for do not. */
    if (j->level == ONWARD_TLS_DANE && !j->does_both)
        return;
    if (!server->is_in_policy)
        refuse(j, ONWARD_EGRESS_USE_NOT_IN_POLICY);
    raise_to(j, ONWARD_TLS_VERIFIED, ONWARD_EGRESS_REASON_MTASTS);
}

static void apply_requiretls(struct onward_egress__judgment *j,
                             const struct onward_egress__server *server)
{
    j->require_tls = true;
    if (j->level < ONWARD_TLS_VERIFIED)
        raise_to(j, ONWARD_TLS_VERIFIED, ONWARD_EGRESS_REASON_REQUIRETLS);
    if (!is_name_secure(server) && !server->is_in_policy)
        refuse(j, ONWARD_EGRESS_USE_NAME_UNPROVEN);
}

static struct onward_egress__judgment
judge(const struct onward_egress *plan,
      const struct onward_egress__server *server, bool requires_tls)
{
    struct onward_egress__judgment j = {.level = server->own_level,
                                        .reason = server->own_reason};
    size_t mode = mode_of(server->target);
    bool is_enforced = mode == ONWARD_MTASTS_MODE_ENFORCE;

    if (!ignores_policies(plan) && is_our_fault(server->target))
        refuse(&j, ONWARD_EGRESS_USE_POLICY_UNKNOWN);
    apply_dane(&j, server, dane_of(plan, server), is_enforced);
    if (is_enforced)
        apply_mtasts(&j, server);
    if (requires_tls)
        apply_requiretls(&j, server);
    if (j.reason == ONWARD_EGRESS_REASON_DEFAULT && ignores_policies(plan))
        j.reason = ONWARD_EGRESS_REASON_OPTIONAL;
    else if (j.reason == ONWARD_EGRESS_REASON_DEFAULT &&
             mode == ONWARD_MTASTS_MODE_TESTING)
        j.reason = ONWARD_EGRESS_REASON_TESTING;
    if (j.use != ONWARD_EGRESS_USE_PENDING) {
        j.level = ONWARD_TLS_DEFAULT;
        j.reason = ONWARD_EGRESS_REASON_NONE;
        j.does_both = j.require_tls = false;
    }
    return j;
}

/* ---- The host's rule --------------------------------------------------- */

/* false: not now. */
static bool choose_own(struct onward_egress *plan,
                       struct onward_egress__server *server)
{
    struct onward_str name = server->name.text;
    size_t level = plan->opts.tls_level;
    int wish = 0;

    server->own_reason = ONWARD_EGRESS_REASON_DEFAULT;
    if (plan->host.tls_level != NULL)
        wish = plan->host.tls_level(plan->host.user, name.data, name.len);
    if (wish < 0 || wish > ONWARD_TLS_DANE)
        return false;
    if (wish > 0) {
        level = (size_t)wish;
        server->own_reason = ONWARD_EGRESS_REASON_HOST;
    }
    if (!plan->guard.is_dead && server->target->tls_level > level) {
        level = server->target->tls_level;
        server->own_reason = ONWARD_EGRESS_REASON_TARGET;
    }
    server->own_level = (enum onward_tls_level)level;
    return true;
}

/* ---- Addresses --------------------------------------------------------- */

static bool is_unknown(const struct onward_dns__answer *answer)
{
    return answer->status == ONWARD_DNS__TEMP ||
           answer->status == ONWARD_DNS__BOGUS;
}

static enum onward_egress_use
look_at_addresses(const struct onward_egress__server *server)
{
    if (server->name.literal.family != 0 || server->aaaa.answer->count != 0 ||
        server->a.answer->count != 0)
        return ONWARD_EGRESS_USE_PENDING;
    return is_unknown(server->aaaa.answer) || is_unknown(server->a.answer)
               ? ONWARD_EGRESS_USE_ADDRESS_FAILED
               : ONWARD_EGRESS_USE_NO_ADDRESS;
}

/* ---- All --------------------------------------------------------------- */

static void judge_server(struct onward_egress *plan,
                         struct onward_egress__server *server)
{
    const struct onward_mtasts_policy *policy = server->target->verdict.policy;
    bool requires_tls = plan->opts.require_tls != 0;

    if (server->use == ONWARD_EGRESS_USE_PENDING)
        server->use = look_at_addresses(server);
    if (mode_of(server->target) != ONWARD_MTASTS_MODE_UNKNOWN &&
        server->name.literal.family == 0)
        server->is_in_policy =
            onward_mtasts_mx_matches(policy, server->name.text) == 1;
    if (server->use != ONWARD_EGRESS_USE_PENDING)
        return;
    if (!choose_own(plan, server)) {
        server->use = ONWARD_EGRESS_USE_HOST_RULE;
        return;
    }
    if (plan->guard.is_dead)
        return;
    server->judged = judge(plan, server, requires_tls);
    server->fallback.use = ONWARD_EGRESS_USE_NAME_UNPROVEN;
    if (requires_tls && plan->opts.is_bounce != 0)
        server->fallback = judge(plan, server, false);
}

void onward_egress__judge_all(struct onward_egress *plan)
{
    for (size_t i = 0; i < plan->server_count && !plan->guard.is_dead; i++)
        judge_server(plan, plan->servers[i]);
}
