/*
 * The addresses of the servers, in the order to try them, and what an outcome
 * means for the rest of the plan.
 */
#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_attempt, is_secure) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_attempt),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_outcome, tls_failure) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_outcome),
               "no tail padding");

static struct onward_ip ip_of(struct onward_str data, int32_t family)
{
    struct onward_ip ip = {.family = family};

    memcpy(ip.octets, data.data, data.len);
    return ip;
}

static bool same_ip(const struct onward_ip *a, const struct onward_ip *b)
{
    return a->family == b->family &&
           memcmp(a->octets, b->octets, a->family == 4 ? 4 : 16) == 0;
}

/* ---- Ourselves, by address --------------------------------------------- */

static bool is_own_ip(const struct onward_egress *plan,
                      const struct onward_ip *ip)
{
    for (size_t i = 0; i < plan->opts.own_name_count; i++) {
        if (plan->own_names[i].literal.family != 0 &&
            same_ip(&plan->own_names[i].literal, ip))
            return true;
    }
    return false;
}

static bool answer_has_own(const struct onward_egress *plan,
                           const struct onward_dns__answer *answer,
                           int32_t family)
{
    for (size_t i = 0; answer != NULL && i < answer->count; i++) {
        struct onward_ip ip = ip_of(answer->records[i].data, family);

        if (is_own_ip(plan, &ip))
            return true;
    }
    return false;
}

/* Leaves the servers that are preferred to the first that is ourselves. */
static void drop_own(struct onward_egress *plan)
{
    for (size_t i = 0; i < plan->server_count; i++) {
        const struct onward_egress__server *server = &plan->servers[i];

        if ((server->name.literal.family != 0 &&
             is_own_ip(plan, &server->name.literal)) ||
            answer_has_own(plan, server->aaaa.answer, 6) ||
            answer_has_own(plan, server->a.answer, 4)) {
            onward_egress__servers_drop(plan, server->preference);
            return;
        }
    }
}

/* ---- Attempts ---------------------------------------------------------- */

static bool allows(struct onward_egress *plan,
                   const struct onward_egress__server *server,
                   const struct onward_ip *ip)
{
    if (server->is_smart_host && plan->opts.allow_private_smart_hosts != 0)
        return true;
    if (plan->host.allow_address == NULL)
        return onward_ip_is_public(ip) == 1;
    return plan->host.allow_address(plan->host.user, ip) == 1;
}

static void add_attempt(struct onward_egress *plan,
                        const struct onward_egress__server *server,
                        const struct onward_ip *ip, size_t tls_level,
                        bool is_secure)
{
    struct onward_egress__attempt *attempt;

    for (size_t i = 0; i < plan->attempt_count; i++) {
        if (same_ip(&plan->attempts[i].ip, ip))
            return;
    }
    if (plan->attempt_count == plan->opts.max_attempts)
        return;
    if (!allows(plan, server, ip)) {
        plan->was_refused = true;
        return;
    }
    if (plan->guard.is_dead)
        return;
    attempt = &plan->attempts[plan->attempt_count++];
    attempt->server = server;
    attempt->ip = *ip;
    attempt->tls_level = tls_level;
    attempt->is_secure = is_secure;
}

static void add_answer(struct onward_egress *plan,
                       const struct onward_egress__server *server,
                       const struct onward_dns__answer *answer, int32_t family,
                       size_t tls_level)
{
    bool is_secure = answer->is_secure &&
                     (plan->mx.answer == NULL || plan->mx.answer->is_secure);
    size_t before = plan->attempt_count;

    /* A host that frees the plan in its filter ends the answer too. */
    for (size_t i = 0; !plan->guard.is_dead && i < answer->count; i++) {
        struct onward_ip ip = ip_of(answer->records[i].data, family);

        if (plan->attempt_count - before == ONWARD_EGRESS_ADDRESSES_MAX ||
            i == (size_t)4 * ONWARD_EGRESS_ADDRESSES_MAX)
            return;
        add_attempt(plan, server, &ip, tls_level, is_secure);
    }
}

/* The host's rule for that server; false: not now. */
static bool choose_tls(struct onward_egress *plan,
                       const struct onward_egress__server *server,
                       size_t *level)
{
    struct onward_str name = server->name.text;
    int wish = 0;

    *level = plan->opts.tls_level;
    if (plan->host.tls_level != NULL)
        wish = plan->host.tls_level(plan->host.user, name.data, name.len);
    if (wish < 0 || wish > ONWARD_TLS_VERIFIED)
        return false;
    if (wish > 0)
        *level = (size_t)wish;
    return true;
}

static void add_server(struct onward_egress *plan,
                       const struct onward_egress__server *server)
{
    size_t level;

    if (!choose_tls(plan, server, &level)) {
        plan->was_put_off = true;
        return;
    }
    if (plan->guard.is_dead)
        return;
    if (server->name.literal.family != 0) {
        add_attempt(plan, server, &server->name.literal, level, false);
        return;
    }
    add_answer(plan, server, server->aaaa.answer, 6, level);
    if (!plan->guard.is_dead)
        add_answer(plan, server, server->a.answer, 4, level);
}

static bool is_unknown(const struct onward_dns__answer *answer)
{
    return answer != NULL && (answer->status == ONWARD_DNS__TEMP ||
                              answer->status == ONWARD_DNS__BOGUS);
}

/* There are servers, but no address to try: why? */
static void end_without(struct onward_egress *plan)
{
    for (size_t i = 0; i < plan->server_count; i++) {
        if (is_unknown(plan->servers[i].aaaa.answer) ||
            is_unknown(plan->servers[i].a.answer)) {
            onward_egress__end(plan, 451, "4.4.3",
                               "addresses cannot be looked up now");
            return;
        }
    }
    if (plan->was_put_off)
        onward_egress__end(plan, 451, "4.7.0",
                           "no mail server may be used now");
    else if (plan->was_refused)
        onward_egress__end(plan, 550, "5.4.4",
                           "no mail server has an address that mail may be "
                           "sent to");
    else if (plan->mx.answer != NULL &&
             plan->mx.answer->status == ONWARD_DNS__NODATA)
        onward_egress__end(plan, 550, "5.1.2",
                           "the domain has no mail server and no address");
    else
        onward_egress__end(plan, 550, "5.4.4",
                           "no mail server of the domain has an address");
}

int onward_egress__attempts_make(struct onward_egress *plan)
{
    drop_own(plan);
    if (plan->server_count == 0) {
        onward_egress__end(plan, 554, "5.4.6",
                           "we are the best mail server of the domain");
        return 0;
    }
    plan->attempts = onward_core__arena_array(
        &plan->arena, plan->opts.max_attempts, sizeof(*plan->attempts));
    if (plan->attempts == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < plan->server_count && !plan->guard.is_dead; i++)
        add_server(plan, &plan->servers[i]);
    if (plan->guard.is_dead)
        return 0;
    if (plan->attempt_count == 0)
        end_without(plan);
    else
        plan->stage = ONWARD_EGRESS__READY;
    return 0;
}

/* ---- Trying them ------------------------------------------------------- */

static void make_demand(struct onward_egress *plan,
                        const struct onward_egress__attempt *attempt)
{
    int len;

    memset(&plan->demand, 0, sizeof(plan->demand));
    plan->demand.size = sizeof(plan->demand);
    plan->demand.level = attempt->tls_level;
    plan->demand_name = attempt->server->name.text;
    if (attempt->server->name.literal.family != 0) {
        len = onward_ip_format(&attempt->ip, plan->demand_ip,
                               sizeof(plan->demand_ip));
        plan->demand_name =
            onward_core__str(plan->demand_ip, len < 0 ? 0 : (size_t)len);
    }
    plan->demand.names = &plan->demand_name;
    plan->demand.name_count = 1;
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
    out.port = plan->opts.port;
    out.host = at->server->name.text;
    out.tls = &plan->demand;
    out.preference = at->server->preference;
    out.is_secure = at->is_secure;
    err = onward_core__out_store(attempt, &out, sizeof(out));
    if (err < 0)
        return err;
    plan->stage = ONWARD_EGRESS__OPEN;
    return 1;
}

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
                         size_t class, size_t code, const char *enhanced,
                         const char *text)
{
    bool has_reply = fits(outcome, class);

    /* What a server said beats that another one could not be reached. */
    if (plan->has_reply && !has_reply && class == 4)
        return;
    plan->has_reply = has_reply;
    plan->code = has_reply ? outcome->code : code;
    if (!keep_enhanced(plan, outcome->enhanced, class))
        plan->enhanced = onward_str_of(!has_reply   ? enhanced
                                       : class == 4 ? "4.0.0"
                                       : class == 5 ? "5.0.0"
                                                    : "2.0.0");
    if (outcome->text.len != 0)
        keep_text(plan, outcome->text);
    else
        plan->text = onward_str_of(text);
}

static int end_with(struct onward_egress *plan, size_t fate)
{
    plan->fate = fate;
    plan->stage = ONWARD_EGRESS__ENDED;
    return 0;
}

/* On to the next attempt, or to the end. */
static int go_on(struct onward_egress *plan,
                 const struct onward_egress_outcome *outcome)
{
    struct onward_egress__attempt *attempt = &plan->attempts[plan->attempt_at];

    keep_outcome(plan, outcome, 4, 451, "4.4.1", "no mail server answers");
    plan->stage = ONWARD_EGRESS__READY;
    if (outcome->tls_failure != ONWARD_TLS_OK &&
        attempt->tls_level == ONWARD_TLS_OPPORTUNISTIC) {
        /* The same server in the clear: that was allowed from the start. */
        attempt->tls_level = ONWARD_TLS_NONE;
        return 1;
    }
    plan->attempt_at++;
    if (plan->attempt_at < plan->attempt_count)
        return 1;
    return end_with(plan, ONWARD_EGRESS_TEMPORARY);
}

int onward_egress_report(struct onward_egress *plan,
                         const struct onward_egress_outcome *outcome)
{
    struct onward_egress_outcome o;
    int err;

    if (plan == NULL || outcome == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), outcome);
    if (err < 0)
        return err;
    if (plan->stage != ONWARD_EGRESS__OPEN)
        return ONWARD_ESTATE;
    switch (o.fate) {
    case ONWARD_EGRESS_DELIVERED:
        keep_outcome(plan, &o, 2, 250, "2.0.0", "delivered");
        return end_with(plan, ONWARD_EGRESS_DELIVERED);
    case ONWARD_EGRESS_PERMANENT:
        keep_outcome(plan, &o, 5, 554, "5.0.0", "delivery failed");
        return end_with(plan, ONWARD_EGRESS_PERMANENT);
    case ONWARD_EGRESS_TEMPORARY:
    case ONWARD_EGRESS_PENDING:
        return go_on(plan, &o);
    default:
        return ONWARD_EINVAL;
    }
}
