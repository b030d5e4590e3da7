/*
 * The servers of a next hop and their order (RFC 5321 section 5.1), null MX
 * (RFC 7505), and ourselves among them.
 */
#include "core/domain_shared.h"
#include "egress/egress_priv.h"

/* ---- Ourselves --------------------------------------------------------- */

bool onward_egress__same_ip(const struct onward_ip *a,
                            const struct onward_ip *b)
{
    return a->family == b->family &&
           memcmp(a->octets, b->octets, a->family == 4 ? 4 : 16) == 0;
}

struct onward_ip onward_egress__ip_of(struct onward_str data, int32_t family)
{
    struct onward_ip ip = {.family = family};

    memcpy(ip.octets, data.data, data.len);
    return ip;
}

bool onward_egress__is_own_ip(const struct onward_egress *plan,
                              const struct onward_ip *ip)
{
    for (size_t i = 0; i < plan->opts.own_name_count; i++) {
        if (plan->own_names[i].literal.family != 0 &&
            onward_egress__same_ip(&plan->own_names[i].literal, ip))
            return true;
    }
    return false;
}

static bool is_own_name(const struct onward_egress *plan,
                        struct onward_str name)
{
    for (size_t i = 0; i < plan->opts.own_name_count; i++) {
        if (plan->own_names[i].literal.family == 0 &&
            onward_core__str_ieq(plan->own_names[i].text, name))
            return true;
    }
    return false;
}

static bool answer_has_own(const struct onward_egress *plan,
                           const struct onward_dns__answer *answer,
                           int32_t family)
{
    for (size_t i = 0; answer != NULL && i < answer->count; i++) {
        struct onward_ip ip =
            onward_egress__ip_of(answer->records[i].data, family);

        if (onward_egress__is_own_ip(plan, &ip))
            return true;
    }
    return false;
}

static bool has_own_ip(const struct onward_egress *plan,
                       const struct onward_egress__server *server)
{
    if (server->use != ONWARD_EGRESS_USE_PENDING)
        return false;
    if (server->name.literal.family != 0)
        return onward_egress__is_own_ip(plan, &server->name.literal);
    return answer_has_own(plan, server->aaaa.answer, 6) ||
           answer_has_own(plan, server->a.answer, 4);
}

void onward_egress__servers_drop_own(struct onward_egress *plan,
                                     struct onward_egress__target *target)
{
    uint32_t own = UINT32_MAX;

    for (size_t i = 0; i < target->server_count; i++) {
        struct onward_egress__server *server = &target->servers[i];

        if (has_own_ip(plan, server)) {
            server->use = ONWARD_EGRESS_USE_OURSELVES;
            if (server->preference < own)
                own = server->preference;
        } else if (server->use == ONWARD_EGRESS_USE_PENDING &&
                   server->preference >= own) {
            server->use = ONWARD_EGRESS_USE_BEHIND_US;
        }
    }
    /* Those of the same preference that came before it. */
    for (size_t i = 0; i < target->server_count; i++) {
        struct onward_egress__server *server = &target->servers[i];

        if (server->use == ONWARD_EGRESS_USE_PENDING &&
            server->preference >= own)
            server->use = ONWARD_EGRESS_USE_BEHIND_US;
    }
}

/* ---- The list ---------------------------------------------------------- */

static int make_room(struct onward_egress *plan,
                     struct onward_egress__target *target, size_t count)
{
    target->servers =
        onward_core__arena_array(&plan->arena, count, sizeof(*target->servers));
    return target->servers == NULL ? ONWARD_ENOMEM : 0;
}

int onward_egress__servers_given(struct onward_egress *plan,
                                 struct onward_egress__target *target)
{
    int err = make_room(plan, target, 1);

    if (err < 0)
        return err;
    target->servers[0].target = target;
    target->servers[0].name = target->name;
    if (target->name.literal.family == 0 &&
        is_own_name(plan, target->name.text))
        target->servers[0].use = ONWARD_EGRESS_USE_OURSELVES;
    target->server_count = 1;
    return 0;
}

/* The domain itself takes the mail; name is behind its CNAMEs. */
static int implicit_mx(struct onward_egress *plan,
                       struct onward_egress__target *target,
                       struct onward_str name)
{
    int err = onward_egress__servers_given(plan, target);

    if (err < 0)
        return err;
    if (name.len != 0) {
        target->servers[0].name.text = name;
        if (is_own_name(plan, name))
            target->servers[0].use = ONWARD_EGRESS_USE_OURSELVES;
    }
    return 0;
}

/* Numbers 0 to count - 1 in random order, so that equals share the load (RFC
 * 5321 section 5.1: must be). */
static int random_order(struct onward_egress *plan, size_t count, size_t **out)
{
    size_t *order =
        onward_core__arena_array(&plan->arena, count, sizeof(*order));

    if (order == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        uint32_t random;
        size_t pick, kept;
        int err = onward_core__random(plan->ctx, &random, sizeof(random));

        if (err != 0)
            return err;
        pick = random % i;
        kept = order[i - 1];
        order[i - 1] = order[pick];
        order[pick] = kept;
    }
    *out = order;
    return 0;
}

/* Put it behind those that are preferred or equal; the worst falls out. */
static void insert(struct onward_egress *plan,
                   struct onward_egress__target *target,
                   const struct onward_dns__record *record,
                   enum onward_egress_use use)
{
    size_t at = target->server_count;
    bool is_full = target->server_count == plan->opts.max_hosts;

    while (at > 0 && target->servers[at - 1].preference > record->preference)
        at--;
    /* What is only told takes nobody's place. */
    if (at == plan->opts.max_hosts ||
        (is_full && use != ONWARD_EGRESS_USE_PENDING))
        return;
    if (!is_full)
        target->server_count++;
    for (size_t i = target->server_count - 1; i > at; i--)
        target->servers[i] = target->servers[i - 1];
    memset(&target->servers[at], 0, sizeof(target->servers[at]));
    target->servers[at].target = target;
    target->servers[at].name.text = record->data;
    target->servers[at].preference = record->preference;
    target->servers[at].is_mx = true;
    target->servers[at].use = use;
}

static enum onward_egress_use use_of(const struct onward_egress *plan,
                                     const struct onward_dns__record *record,
                                     uint32_t own)
{
    /* The root, or octets that no host has in its name: no server. */
    if (!onward_core__domain_is_dns_name(record->data, 1))
        return ONWARD_EGRESS_USE_BAD_NAME;
    if (is_own_name(plan, record->data))
        return ONWARD_EGRESS_USE_OURSELVES;
    return record->preference < own ? ONWARD_EGRESS_USE_PENDING
                                    : ONWARD_EGRESS_USE_BEHIND_US;
}

static int sort_mx(struct onward_egress *plan,
                   struct onward_egress__target *target,
                   const struct onward_dns__answer *answer)
{
    size_t room = answer->count < plan->opts.max_hosts ? answer->count
                                                       : plan->opts.max_hosts;
    size_t *order = NULL;
    uint32_t own = UINT32_MAX;
    int err = random_order(plan, answer->count, &order);

    if (err == 0)
        err = make_room(plan, target, room);
    if (err != 0)
        return err;
    for (size_t i = 0; i < answer->count; i++) {
        const struct onward_dns__record *record = &answer->records[i];

        if (record->preference < own && is_own_name(plan, record->data))
            own = record->preference;
    }
    /* First those to be tried, then what else there is to tell of. */
    for (size_t i = 0; i < 2 * answer->count; i++) {
        const struct onward_dns__record *record =
            &answer->records[order[i % answer->count]];
        enum onward_egress_use use = use_of(plan, record, own);

        if ((use == ONWARD_EGRESS_USE_PENDING) == (i < answer->count))
            insert(plan, target, record, use);
    }
    return 0;
}

static const struct onward_egress__end null_mx = {
    556, "5.1.10", "the domain does not accept mail (null MX)"};
static const struct onward_egress__end no_domain = {
    550, "5.1.2", "the domain does not exist"};
static const struct onward_egress__end bogus_domain = {
    451, "4.4.3", "the domain's DNS fails DNSSEC validation"};
static const struct onward_egress__end no_answer = {
    451, "4.4.3", "the domain's mail servers cannot be looked up now"};

int onward_egress__servers_of_mx(struct onward_egress *plan,
                                 struct onward_egress__target *target)
{
    const struct onward_dns__answer *answer = target->mx.answer;

    switch (answer->status) {
    case ONWARD_DNS__OK:
        /* One record with the root as its server (RFC 7505 section 3). */
        if (answer->count == 1 && answer->records[0].data.len == 0) {
            target->end = null_mx;
            return 0;
        }
        return sort_mx(plan, target, answer);
    case ONWARD_DNS__NODATA:
        return implicit_mx(plan, target, answer->canonical);
    case ONWARD_DNS__NXDOMAIN:
        target->end = no_domain;
        return 0;
    case ONWARD_DNS__BOGUS:
        target->end = bogus_domain;
        return 0;
    case ONWARD_DNS__TEMP:
    case ONWARD_DNS__PENDING:
        break;
    }
    /* Not to know is not the same as "no MX" (RFC 5321 section 5.1). */
    target->end = no_answer;
    return 0;
}
