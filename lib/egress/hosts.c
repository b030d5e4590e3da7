/*
 * The servers of a destination and their order (RFC 5321 section 5.1), null MX
 * (RFC 7505), and ourselves among them.
 */
#include "address/address_shared.h"
#include "core/domain_shared.h"
#include "egress/egress_priv.h"

int onward_egress__name_parse(struct onward_arena *arena,
                              struct onward_str text,
                              struct onward_egress__name *name)
{
    struct onward_address__mailbox mailbox;
    char *address;
    int err;

    if (text.len > 1 && text.data[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.len > ONWARD_ADDRESS_DOMAIN_MAX)
        return ONWARD_ESYNTAX;
    /* There is one parser of domains and literals, that of addresses. */
    address = onward_core__arena_alloc(arena, text.len + 2);
    if (address == NULL)
        return ONWARD_ENOMEM;
    memcpy(address, "a@", 2);
    memcpy(address + 2, text.data, text.len);
    err = onward_address__parse_mailbox(
        arena, onward_core__str(address, text.len + 2),
        ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);
    if (err < 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
    /* Whatever was hidden as comment or quote is no name of a host. */
    if (mailbox.domain.len != text.len)
        return ONWARD_ESYNTAX;
    name->literal = mailbox.literal;
    name->text = mailbox.domain_ascii;
    if (mailbox.domain_ascii.len == 0) {
        name->text = mailbox.domain;
        return mailbox.literal.family == 0 ? ONWARD_ESYNTAX : 0;
    }
    return 0;
}

/* ---- Ourselves --------------------------------------------------------- */

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

void onward_egress__servers_drop(struct onward_egress *plan,
                                 uint32_t preference)
{
    size_t i = 0;

    while (i < plan->server_count && plan->servers[i].preference < preference)
        i++;
    plan->server_count = i;
}

/* ---- The list ---------------------------------------------------------- */

static int make_room(struct onward_egress *plan, size_t count)
{
    plan->servers =
        onward_core__arena_array(&plan->arena, count, sizeof(*plan->servers));
    return plan->servers == NULL ? ONWARD_ENOMEM : 0;
}

int onward_egress__servers_given(struct onward_egress *plan)
{
    size_t count = plan->opts.smart_host_count;
    int err;

    if (count > plan->opts.max_hosts)
        count = plan->opts.max_hosts;
    err = make_room(plan, count == 0 ? 1 : count);
    if (err < 0)
        return err;
    if (plan->opts.smart_host_count == 0) {
        plan->servers[0].name = plan->domain;
        plan->server_count = 1;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        plan->servers[i].name = plan->smart_hosts[i];
        plan->servers[i].preference = (uint32_t)i;
        plan->servers[i].is_smart_host = true;
    }
    plan->server_count = count;
    return 0;
}

/* The domain itself takes the mail; name is behind its CNAMEs. */
static int implicit_mx(struct onward_egress *plan, struct onward_str name)
{
    int err = make_room(plan, 1);

    if (err < 0)
        return err;
    if (name.len == 0)
        name = plan->domain.text;
    if (is_own_name(plan, name) || is_own_name(plan, plan->domain.text)) {
        onward_egress__end(plan, 554, "5.4.6",
                           "the domain has no MX, and its name is ours");
        return 0;
    }
    plan->servers[0].name.text = name;
    plan->server_count = 1;
    return 0;
}

/* Numbers 0 to count - 1 in random order, so that equals share the load. */
static size_t *random_order(struct onward_egress *plan, size_t count)
{
    size_t *order =
        onward_core__arena_array(&plan->arena, count, sizeof(*order));

    if (order == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        uint32_t random;
        size_t pick, kept;

        /* Without randomness the order is as good as any, only not shared. */
        if (onward_core__random(plan->ctx, &random, sizeof(random)) < 0)
            return order;
        pick = random % i;
        kept = order[i - 1];
        order[i - 1] = order[pick];
        order[pick] = kept;
    }
    return order;
}

/* Put it behind those that are preferred or equal; the worst falls out. */
static void insert(struct onward_egress *plan, struct onward_str name,
                   uint32_t preference)
{
    size_t at = plan->server_count;

    while (at > 0 && plan->servers[at - 1].preference > preference)
        at--;
    if (at == plan->opts.max_hosts)
        return;
    if (plan->server_count < plan->opts.max_hosts)
        plan->server_count++;
    for (size_t i = plan->server_count - 1; i > at; i--)
        plan->servers[i] = plan->servers[i - 1];
    memset(&plan->servers[at], 0, sizeof(plan->servers[at]));
    plan->servers[at].name.text = name;
    plan->servers[at].preference = preference;
}

static int sort_mx(struct onward_egress *plan,
                   const struct onward_dns__answer *answer)
{
    size_t room = answer->count < plan->opts.max_hosts ? answer->count
                                                       : plan->opts.max_hosts;
    size_t *order = random_order(plan, answer->count);
    uint32_t own = UINT32_MAX;

    if (order == NULL || make_room(plan, room) < 0)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < answer->count; i++) {
        const struct onward_dns__record *record = &answer->records[i];

        if (record->preference < own && is_own_name(plan, record->data))
            own = record->preference;
    }
    for (size_t i = 0; i < answer->count; i++) {
        const struct onward_dns__record *record = &answer->records[order[i]];

        /* The root, or octets that no host has in its name: no server. */
        if (record->preference < own &&
            onward_core__domain_is_dns_name(record->data, 1))
            insert(plan, record->data, record->preference);
    }
    if (plan->server_count != 0)
        return 0;
    if (own != UINT32_MAX)
        onward_egress__end(plan, 554, "5.4.6",
                           "we are the best mail server of the domain");
    else
        onward_egress__end(plan, 550, "5.4.4",
                           "no mail server of the domain has a usable name");
    return 0;
}

int onward_egress__servers_of_mx(struct onward_egress *plan)
{
    const struct onward_dns__answer *answer = plan->mx.answer;

    switch (answer->status) {
    case ONWARD_DNS__OK:
        /* One record with the root as its server (RFC 7505 section 3). */
        if (answer->count == 1 && answer->records[0].data.len == 0) {
            onward_egress__end(plan, 556, "5.1.10",
                               "the domain does not accept mail (null MX)");
            return 0;
        }
        return sort_mx(plan, answer);
    case ONWARD_DNS__NODATA:
        return implicit_mx(plan, answer->canonical);
    case ONWARD_DNS__NXDOMAIN:
        onward_egress__end(plan, 550, "5.1.2", "the domain does not exist");
        return 0;
    case ONWARD_DNS__BOGUS:
        onward_egress__end(plan, 451, "4.4.3",
                           "the domain's DNS fails DNSSEC validation");
        return 0;
    case ONWARD_DNS__TEMP:
    case ONWARD_DNS__PENDING:
        break;
    }
    /* Not to know is not the same as "no MX" (RFC 5321 section 5.1). */
    onward_egress__end(plan, 451, "4.4.3",
                       "the domain's mail servers cannot be looked up now");
    return 0;
}
