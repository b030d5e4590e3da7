/*
 * How TLS went, in the shape that reports on TLS take (RFC 8460 section 4.3):
 * one count for a session, and one for a server that a policy kept us from.
 */
#include <onward/smtp_client.h>
#include <onward/tlsrpt.h>

#include "egress/egress_priv.h"

enum { RECORDS_TEXT_MAX = 8192 };

/* The reason codes that are ours; the others are names of onward/tls.h. */
static const char not_in_policy[] = "mx-not-in-policy";

/* ---- Policies ---------------------------------------------------------- */

static bool has_policy(const struct onward_egress__server *server)
{
    const struct onward_mtasts_policy *policy = server->target->verdict.policy;

    return policy != NULL && policy->mode != ONWARD_MTASTS_MODE_NONE;
}

static bool is_testing(const struct onward_egress__server *server)
{
    return has_policy(server) &&
           server->target->verdict.policy->mode == ONWARD_MTASTS_MODE_TESTING;
}

/* One record as a zone file has it, or nothing if it is too long. */
static void add_record(struct onward_buf *out, struct onward_str rdata)
{
    static const char digits[] = "0123456789abcdef";
    struct onward_dane_record r = {.size = sizeof(r)};

    (void)onward_dane_record_parse(rdata, &r);
    if (rdata.len < 3 || r.data.len > RECORDS_TEXT_MAX / 2 ||
        onward_core__buf_str(out).len + 2 * r.data.len + 16 > RECORDS_TEXT_MAX)
        return;
    onward_core__buf_add_u64(out, (unsigned char)rdata.data[0]);
    onward_core__buf_add_byte(out, ' ');
    onward_core__buf_add_u64(out, (unsigned char)rdata.data[1]);
    onward_core__buf_add_byte(out, ' ');
    onward_core__buf_add_u64(out, (unsigned char)rdata.data[2]);
    onward_core__buf_add_byte(out, ' ');
    for (size_t i = 0; i < r.data.len; i++) {
        unsigned char c = (unsigned char)r.data.data[i];

        onward_core__buf_add_byte(out, (unsigned char)digits[c >> 4]);
        onward_core__buf_add_byte(out, (unsigned char)digits[c & 15]);
    }
    onward_core__buf_add_byte(out, '\n');
}

/* The TLSA records, one a line. Without memory the report does without. */
static struct onward_str records_of(struct onward_egress *plan,
                                    struct onward_egress__server *server)
{
    struct onward_buf out;

    if (server->records.len != 0)
        return server->records;
    onward_core__buf_init(&out, plan->ctx, RECORDS_TEXT_MAX);
    for (size_t i = 0; i < onward_dane_lookup_answer_count(server->dane); i++)
        add_record(&out, onward_dane_lookup_answer(server->dane, i));
    if (onward_core__arena_dup(&plan->arena, onward_core__buf_str(&out),
                               &server->records) < 0)
        server->records.len = 0;
    onward_core__buf_clear(&out);
    return server->records;
}

static size_t type_of(const struct onward_egress__server *server,
                      const struct onward_egress__judgment *judged)
{
    switch (judged->reason) {
    case ONWARD_EGRESS_REASON_DANE:
    case ONWARD_EGRESS_REASON_BOTH:
    case ONWARD_EGRESS_REASON_UNUSABLE:
        return ONWARD_TLSRPT_TLSA;
    default:
        break;
    }
    /* The host's own rule may be stronger than unusable records are. */
    if (server->dane != NULL &&
        onward_dane_lookup_failure(server->dane) != ONWARD_TLS_OK)
        return ONWARD_TLSRPT_TLSA;
    if (has_policy(server) || *onward_mtasts_reason_report(
                                  (int)server->target->verdict.reason) != '\0')
        return ONWARD_TLSRPT_STS;
    return ONWARD_TLSRPT_NO_POLICY;
}

/* ---- Telling ----------------------------------------------------------- */

static void fill_policy(struct onward_egress *plan,
                        struct onward_egress__server *server,
                        struct onward_tlsrpt_session *session)
{
    if (session->type == ONWARD_TLSRPT_TLSA)
        session->policy = records_of(plan, server);
    else if (session->type == ONWARD_TLSRPT_STS && has_policy(server))
        session->policy = server->target->verdict.policy->text;
    session->receiving_mx = server->name.text;
}

static void tell(struct onward_egress *plan,
                 const struct onward_egress__server *server,
                 const struct onward_tlsrpt_session *session)
{
    struct onward_str domain = server->target->name.text;

    if (!plan->guard.is_dead)
        plan->host.tls_result(plan->host.user, domain.data, domain.len,
                              session);
}

static void set_failure(struct onward_tlsrpt_session *session, int failure)
{
    if (failure == ONWARD_TLS_OK)
        return;
    session->result_type = onward_str_of(onward_tls_failure_report(failure));
    session->reason_code = onward_str_of(onward_tls_failure_name(failure));
}

/* ---- Servers that are passed over -------------------------------------- */

static void tell_unused(struct onward_egress *plan,
                        struct onward_egress__server *server)
{
    struct onward_tlsrpt_session s = {.size = sizeof(s),
                                      .type = ONWARD_TLSRPT_TLSA};
    int failure = ONWARD_TLS_OK;

    switch (server->use) {
    case ONWARD_EGRESS_USE_NOT_IN_POLICY:
        s.type = ONWARD_TLSRPT_STS;
        s.result_type = ONWARD_STR("validation-failure");
        s.reason_code = onward_str_of(not_in_policy);
        break;
    case ONWARD_EGRESS_USE_DANE_FAILED:
        failure = onward_dane_lookup_failure(server->dane);
        break;
    case ONWARD_EGRESS_USE_NO_DANE:
        failure = ONWARD_TLS_DANE_REQUIRED;
        break;
    default:
        return;
    }
    set_failure(&s, failure);
    if (s.result_type.len == 0)
        return;
    fill_policy(plan, server, &s);
    tell(plan, server, &s);
}

void onward_egress__tell_passed(struct onward_egress *plan)
{
    const struct onward_egress__server *until = NULL;

    if (plan->host.tls_result == NULL ||
        (plan->stage == ONWARD_EGRESS__ENDED &&
         plan->fate == ONWARD_EGRESS_DELIVERED))
        return;
    if (plan->stage != ONWARD_EGRESS__ENDED)
        until = plan->attempts[plan->attempt_at].server;
    for (size_t i = 0; i < plan->server_count && !plan->guard.is_dead; i++) {
        struct onward_egress__server *server = plan->servers[i];

        if (server == until)
            return;
        if (server->was_told)
            continue;
        server->was_told = true;
        tell_unused(plan, server);
    }
}

/* ---- Sessions ---------------------------------------------------------- */

/* Did it come so far that TLS would have been there? */
static bool is_past_tls(const struct onward_egress_outcome *o)
{
    return o->tls != NULL || o->fate == ONWARD_EGRESS_DELIVERED ||
           o->cause == ONWARD_SMTP_CAUSE_UNVERIFIED ||
           o->cause == ONWARD_SMTP_CAUSE_NO_REQUIRETLS ||
           (o->phase >= ONWARD_SMTP_PHASE_MAIL &&
            o->phase <= ONWARD_SMTP_PHASE_FINAL);
}

/* What a policy that is a test would have said of that TLS. */
static int tested(const struct onward_tls_facts *given)
{
    struct onward_tls_facts facts;

    if (onward_core__opts_load(&facts, sizeof(facts), given) < 0 ||
        facts.is_verified != 0)
        return ONWARD_TLS_OK;
    return facts.cert_failure == ONWARD_TLS_OK ? ONWARD_TLS_UNTRUSTED
                                               : (int)facts.cert_failure;
}

static int failure_of(const struct onward_egress__server *server,
                      const struct onward_tlsrpt_session *session,
                      const struct onward_egress_outcome *o)
{
    if (o->tls_failure != ONWARD_TLS_OK)
        return (int)o->tls_failure;
    if (o->tls == NULL)
        return ONWARD_TLS_NOT_OFFERED;
    if (session->type == ONWARD_TLSRPT_STS && is_testing(server))
        return tested(o->tls);
    return session->type == ONWARD_TLSRPT_TLSA
               ? onward_dane_lookup_failure(server->dane)
               : ONWARD_TLS_OK;
}

/* A policy is in force, but a newer one, or whether there is one, could not be
 * found out. */
static void tell_unconfirmed(struct onward_egress *plan,
                             const struct onward_egress__server *server,
                             struct onward_tlsrpt_session *session)
{
    int reason = (int)server->target->verdict.reason;

    if (plan->guard.is_dead || session->type != ONWARD_TLSRPT_STS ||
        !has_policy(server) || *onward_mtasts_reason_report(reason) == '\0')
        return;
    session->is_further = 1;
    session->result_type = onward_str_of(onward_mtasts_reason_report(reason));
    session->reason_code = onward_str_of(onward_mtasts_reason_name(reason));
    session->receiving_ip = session->receiving_mx = onward_core__str(NULL, 0);
    tell(plan, server, session);
}

/* In the clear after TLS failed, or as the host's rule has it: that session was
 * never to have TLS. Where the message wants no policy none was looked at. */
static bool is_counted(const struct onward_egress *plan,
                       const struct onward_egress__attempt *attempt,
                       const struct onward_egress_outcome *o)
{
    if (plan->host.tls_result == NULL || attempt->is_clear ||
        attempt->judged->level <= ONWARD_TLS_NONE ||
        attempt->judged->reason == ONWARD_EGRESS_REASON_OPTIONAL)
        return false;
    return o->tls_failure != ONWARD_TLS_INTERNAL &&
           (o->tls_failure != ONWARD_TLS_OK || is_past_tls(o));
}

void onward_egress__tell_session(struct onward_egress *plan,
                                 const struct onward_egress_outcome *outcome)
{
    const struct onward_egress__attempt *a = &plan->attempts[plan->attempt_at];
    struct onward_egress__server *server = a->server;
    struct onward_tlsrpt_session s = {.size = sizeof(s)};
    char ip[ONWARD_IP_TEXT_MAX];
    int reason = (int)server->target->verdict.reason;
    int len = onward_ip_format(&a->ip, ip, sizeof(ip));

    if (!is_counted(plan, a, outcome))
        return;
    s.type = type_of(server, a->judged);
    s.receiving_ip = onward_core__str(ip, len < 0 ? 0 : (size_t)len);
    fill_policy(plan, server, &s);
    set_failure(&s, failure_of(server, &s, outcome));
    if (s.type == ONWARD_TLSRPT_STS && !has_policy(server)) {
        /* That is why it had no policy to hold to. */
        s.result_type = onward_str_of(onward_mtasts_reason_report(reason));
        s.reason_code = onward_str_of(onward_mtasts_reason_name(reason));
    } else if (s.type == ONWARD_TLSRPT_STS && is_testing(server) &&
               !server->is_in_policy) {
        s.result_type = ONWARD_STR("validation-failure");
        s.reason_code = onward_str_of(not_in_policy);
    }
    tell(plan, server, &s);
    tell_unconfirmed(plan, server, &s);
}
