/*
 * How a plan ends when there is no server to try, or none is left: later, as
 * long as anything about it may change by itself.
 */
#include "egress/egress_priv.h"

static const struct end_row {
    int weight; /* the heaviest of all servers is told */
    struct onward_egress__end end;
} rows[] = {
    [ONWARD_EGRESS_USE_ADDRESS_FAILED] =
        {9, {451, "4.4.3", "addresses cannot be looked up now"}},
    [ONWARD_EGRESS_USE_DANE_FAILED] =
        {8,
         {451, "4.7.5",
          "what the mail servers must prove (DANE) cannot be looked up now"}},
    [ONWARD_EGRESS_USE_POLICY_UNKNOWN] =
        {8, {451, "4.3.0", "the domain's policy cannot be looked at now"}},
    [ONWARD_EGRESS_USE_NOT_IN_POLICY] =
        {7,
         {451, "4.7.5",
          "no mail server of the domain is in its policy (MTA-STS)"}},
    [ONWARD_EGRESS_USE_NO_DANE] =
        {7,
         {451, "4.7.5",
          "DANE is demanded, and no mail server of the domain has it"}},
    [ONWARD_EGRESS_USE_HOST_RULE] = {7,
                                     {451, "4.7.0",
                                      "no mail server may be used now"}},
    [ONWARD_EGRESS_USE_NAME_UNPROVEN] =
        {6,
         {550, "5.7.10",
          "the message demands TLS (REQUIRETLS), and nothing vouches for the "
          "names of the mail servers"}},
    [ONWARD_EGRESS_USE_REFUSED] =
        {5,
         {550, "5.4.4",
          "no mail server has an address that mail may be sent to"}},
    [ONWARD_EGRESS_USE_NO_ADDRESS] =
        {4, {550, "5.4.4", "no mail server of the domain has an address"}},
    [ONWARD_EGRESS_USE_OURSELVES] =
        {3, {554, "5.4.6", "we are the best mail server of the domain"}},
    [ONWARD_EGRESS_USE_BAD_NAME] =
        {2, {550, "5.4.4", "no mail server of the domain has a usable name"}},
};

static const struct end_row nameless = {
    4, {550, "5.1.2", "the domain has no mail server and no address"}};
static const struct end_row unsure = {
    7,
    {451, "4.7.10",
     "the message demands TLS (REQUIRETLS), and the domain's policy cannot be "
     "looked up now"}};
static const struct end_row gone = {0,
                                    {451, "4.4.1", "no mail server answers"}};

/* With REQUIRETLS a name that is not in the policy is one for which nothing
 * vouches (RFC 8689 section 4.2.1), and that is final once the policy is known
 * to be the newest. */
static const struct end_row *row_of(const struct onward_egress *plan,
                                    const struct onward_egress__server *server)
{
    bool is_unsure = onward_egress__policy_is_unsure(server->target);

    switch (server->use) {
    case ONWARD_EGRESS_USE_NO_ADDRESS:
        return !server->is_mx && server->target->by_mx
                   ? &nameless
                   : &rows[ONWARD_EGRESS_USE_NO_ADDRESS];
    case ONWARD_EGRESS_USE_NAME_UNPROVEN:
        return is_unsure ? &unsure : &rows[ONWARD_EGRESS_USE_NAME_UNPROVEN];
    case ONWARD_EGRESS_USE_NOT_IN_POLICY:
        if (plan->opts.require_tls != 0 && plan->opts.is_bounce == 0)
            return is_unsure ? &unsure : &rows[ONWARD_EGRESS_USE_NAME_UNPROVEN];
        return &rows[ONWARD_EGRESS_USE_NOT_IN_POLICY];
    default:
        return (size_t)server->use < sizeof(rows) / sizeof(rows[0]) &&
                       rows[server->use].end.code != 0
                   ? &rows[server->use]
                   : &gone;
    }
}

static bool is_temporary(const struct onward_egress__end *end)
{
    return end->code / 100 == 4;
}

static bool is_passed_over(const struct onward_egress__server *server)
{
    return server->use != ONWARD_EGRESS_USE_YES &&
           server->use != ONWARD_EGRESS_USE_BEHIND_US &&
           server->use != ONWARD_EGRESS_USE_REPEATED;
}

bool onward_egress__may_change(const struct onward_egress *plan)
{
    for (const struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next) {
        if (is_temporary(&t->end))
            return true;
    }
    for (size_t i = 0; i < plan->server_count; i++) {
        const struct onward_egress__server *server = plan->servers[i];

        if (is_passed_over(server) && is_temporary(&row_of(plan, server)->end))
            return true;
    }
    return false;
}

/* Of a next hop, by what its MX question came to. */
static int weight_of(const struct onward_egress__end *end)
{
    return end->code == 0 ? -1 : is_temporary(end) ? 9 : 4;
}

void onward_egress__end_without(struct onward_egress *plan)
{
    const struct onward_egress__end *best = &gone.end;
    int weight = -1;

    for (const struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next) {
        if (weight_of(&t->end) > weight) {
            weight = weight_of(&t->end);
            best = &t->end;
        }
    }
    for (size_t i = 0; i < plan->server_count; i++) {
        const struct end_row *row;

        if (!is_passed_over(plan->servers[i]))
            continue;
        row = row_of(plan, plan->servers[i]);
        if (row->weight > weight) {
            weight = row->weight;
            best = &row->end;
        }
    }
    onward_egress__end(plan, best);
}
