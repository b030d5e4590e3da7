/*
 * The addresses of the servers that may be used, in the order to try them:
 * IPv6 before IPv4, not too many of one, none twice for the same proof, none
 * that the host's filter refuses.
 */
#include "egress/egress_priv.h"

enum {
    /* Records of an answer that are looked at. */
    RECORDS_MAX = 4 * ONWARD_EGRESS_ADDRESSES_MAX
};

static size_t record_count(const struct onward_dns__answer *answer)
{
    if (answer == NULL)
        return 0;
    return answer->count < RECORDS_MAX ? answer->count : RECORDS_MAX;
}

static int make_room(struct onward_egress *plan)
{
    /* A bounce may come to a server twice, with REQUIRETLS and without. */
    size_t room = 2 * plan->opts.max_attempts;

    plan->address_room = 1;
    for (size_t i = 0; i < plan->server_count; i++)
        plan->address_room += 1 + record_count(plan->servers[i]->aaaa.answer) +
                              record_count(plan->servers[i]->a.answer);
    plan->addresses = onward_core__arena_array(&plan->arena, plan->address_room,
                                               sizeof(*plan->addresses));
    plan->attempts =
        onward_core__arena_array(&plan->arena, room, sizeof(*plan->attempts));
    return plan->addresses == NULL || plan->attempts == NULL ? ONWARD_ENOMEM
                                                             : 0;
}

static bool allows(struct onward_egress *plan,
                   const struct onward_egress__server *server,
                   const struct onward_ip *ip)
{
    if (server->target->allow_private)
        return true;
    if (plan->host.allow_address == NULL)
        return onward_ip_is_public(ip) == 1;
    return plan->host.allow_address(plan->host.user, ip) == 1;
}

/* Would it be the same again? Where a name must be proven it is only under the
 * same one. */
static bool is_repeated(const struct onward_egress *plan,
                        const struct onward_egress__server *server,
                        const struct onward_egress__judgment *judged,
                        const struct onward_ip *ip)
{
    for (size_t i = 0; i < plan->attempt_count; i++) {
        const struct onward_egress__attempt *a = &plan->attempts[i];

        if (a->server->target->port == server->target->port &&
            onward_egress__same_ip(&a->ip, ip) &&
            (a->server == server || (a->judged->level <= ONWARD_TLS_ENCRYPTED &&
                                     judged->level <= ONWARD_TLS_ENCRYPTED)))
            return true;
    }
    return false;
}

static enum onward_egress_use
choose(struct onward_egress *plan, const struct onward_egress__server *server,
       const struct onward_egress__judgment *judged, const struct onward_ip *ip)
{
    if (is_repeated(plan, server, judged, ip))
        return ONWARD_EGRESS_USE_REPEATED;
    if (plan->attempt_count >= plan->opts.max_attempts)
        return ONWARD_EGRESS_USE_TOO_MANY;
    return allows(plan, server, ip) ? ONWARD_EGRESS_USE_YES
                                    : ONWARD_EGRESS_USE_REFUSED;
}

/* Of all its addresses: one that is tried, else what weighs most. */
static void note_use(struct onward_egress__server *server,
                     enum onward_egress_use use)
{
    static const int weights[] = {[ONWARD_EGRESS_USE_YES] = 4,
                                  [ONWARD_EGRESS_USE_REFUSED] = 3,
                                  [ONWARD_EGRESS_USE_TOO_MANY] = 2,
                                  [ONWARD_EGRESS_USE_REPEATED] = 1};

    if (server->use == ONWARD_EGRESS_USE_PENDING ||
        weights[use] > weights[server->use])
        server->use = use;
}

static void add(struct onward_egress *plan,
                struct onward_egress__server *server,
                const struct onward_egress__judgment *judged,
                const struct onward_ip *ip, bool is_secure)
{
    enum onward_egress_use use = choose(plan, server, judged, ip);

    if (plan->guard.is_dead)
        return;
    note_use(server, use);
    plan->addresses[plan->address_count++] = (struct onward_egress__address){
        .server = server, .ip = *ip, .is_secure = is_secure, .use = use};
    if (use == ONWARD_EGRESS_USE_YES)
        plan->attempts[plan->attempt_count++] =
            (struct onward_egress__attempt){.server = server,
                                            .judged = judged,
                                            .ip = *ip,
                                            .is_secure = is_secure};
}

static void add_answer(struct onward_egress *plan,
                       struct onward_egress__server *server,
                       const struct onward_egress__judgment *judged,
                       const struct onward_dns__answer *answer, int32_t family)
{
    const struct onward_dns__answer *mx = server->target->mx.answer;
    bool is_secure = answer->is_secure && (mx == NULL || mx->is_secure);
    size_t before = plan->attempt_count;

    /* A host that frees the plan in its filter ends the answer too. */
    for (size_t i = 0; !plan->guard.is_dead && i < record_count(answer); i++) {
        struct onward_ip ip =
            onward_egress__ip_of(answer->records[i].data, family);

        if (plan->attempt_count - before == ONWARD_EGRESS_ADDRESSES_MAX)
            return;
        add(plan, server, judged, &ip, is_secure);
    }
}

static void add_server(struct onward_egress *plan,
                       struct onward_egress__server *server,
                       const struct onward_egress__judgment *judged)
{
    if (server->name.literal.family != 0) {
        add(plan, server, judged, &server->name.literal, false);
        return;
    }
    add_answer(plan, server, judged, server->aaaa.answer, 6);
    if (!plan->guard.is_dead)
        add_answer(plan, server, judged, server->a.answer, 4);
}

int onward_egress__addresses_make(struct onward_egress *plan)
{
    if (make_room(plan) < 0)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < plan->server_count && !plan->guard.is_dead; i++) {
        struct onward_egress__server *server = plan->servers[i];

        if (server->use != ONWARD_EGRESS_USE_PENDING)
            continue;
        if (server->judged.use == ONWARD_EGRESS_USE_PENDING)
            add_server(plan, server, &server->judged);
        else if (server->judged.use != ONWARD_EGRESS_USE_NAME_UNPROVEN ||
                 server->fallback.use != ONWARD_EGRESS_USE_PENDING)
            server->use = server->judged.use;
    }
    /* A bounce, where it cannot have REQUIRETLS: last. */
    for (size_t i = 0; i < plan->server_count && !plan->guard.is_dead; i++) {
        if (plan->servers[i]->use == ONWARD_EGRESS_USE_PENDING)
            add_server(plan, plan->servers[i], &plan->servers[i]->fallback);
    }
    return 0;
}
