/*
 * The next hops of a plan and what is asked for each: its MX records and its
 * policy at once, then addresses and TLSA records of all its servers at once.
 */
#include "address/address_shared.h"
#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_target_opts, allow_private) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_target_opts),
               "no tail padding");

enum { SMTP_PORT = 25, LMTP_PORT = 24 };

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

/* ---- Adding ------------------------------------------------------------ */

static void append(struct onward_egress *plan,
                   struct onward_egress__target *target)
{
    struct onward_egress__target **at = &plan->targets;

    while (*at != NULL)
        at = &(*at)->next;
    *at = target;
    plan->target_count++;
}

static size_t port_for(const struct onward_egress *plan, size_t given,
                       size_t protocol)
{
    if (given != 0)
        return given;
    if (plan->opts.port != 0 && protocol == plan->opts.protocol)
        return plan->opts.port;
    return protocol == ONWARD_EGRESS_LMTP ? LMTP_PORT : SMTP_PORT;
}

int onward_egress_add_target(struct onward_egress *plan,
                             const struct onward_egress_target_opts *target)
{
    struct onward_egress_target_opts o;
    struct onward_egress__name name;
    struct onward_egress__target *made;
    size_t port;
    int err;

    if (plan == NULL || target == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), target);
    if (err < 0)
        return err;
    port = port_for(plan, o.port, o.protocol);
    if (port > UINT16_MAX || o.protocol > ONWARD_EGRESS_LMTP ||
        o.tls_level > ONWARD_TLS_DANE ||
        (o.protocol == ONWARD_EGRESS_LMTP && port == SMTP_PORT) ||
        (o.by_mx != 0 && o.allow_private != 0))
        return ONWARD_EINVAL;
    if (plan->stage != ONWARD_EGRESS__START || plan->guard.is_dead)
        return ONWARD_ESTATE;
    if (plan->target_count >= plan->opts.max_hosts)
        return ONWARD_ELIMIT;
    err = onward_egress__name_parse(&plan->arena, o.host, &name);
    if (err < 0)
        return err;
    made = onward_core__arena_array(&plan->arena, 1, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->name = name;
    made->port = port;
    made->protocol = o.protocol;
    made->tls_level = o.tls_level;
    made->by_mx = o.by_mx != 0 && name.literal.family == 0;
    made->is_given = true;
    made->allow_private = o.allow_private != 0;
    append(plan, made);
    return 0;
}

/* ---- Asking ------------------------------------------------------------ */

static void policy_done(void *user, struct onward_mtasts_lookup *lookup)
{
    struct onward_egress *plan = user;

    (void)lookup;
    onward_core__task_ready(&plan->task);
}

static void dane_done(void *user, struct onward_dane_lookup *lookup)
{
    struct onward_egress *plan = user;

    (void)lookup;
    onward_core__task_ready(&plan->task);
}

static bool ignores_policies(const struct onward_egress *plan)
{
    return plan->opts.tls_optional != 0 && plan->opts.require_tls == 0;
}

static int ask_policy(struct onward_egress *plan,
                      struct onward_egress__target *target)
{
    const struct onward_mtasts_lookup_host host = {
        .size = sizeof(host), .user = plan, .done = policy_done};
    int err;

    target->verdict.size = sizeof(target->verdict);
    if (plan->opts.mtasts == NULL || ignores_policies(plan) ||
        target->name.literal.family != 0)
        return 0;
    target->has_policy_question = true;
    err = onward_mtasts_lookup_new(plan->opts.mtasts, target->name.text, &host,
                                   &target->lookup);
    /* Freed before it could be asked: as if it had not answered. */
    return err == ONWARD_ESTATE ? 0 : err;
}

int onward_egress__targets_start(struct onward_egress *plan)
{
    int err = 0;

    if (plan->target_count == 0) {
        struct onward_egress__target *target =
            onward_core__arena_array(&plan->arena, 1, sizeof(*target));

        if (target == NULL)
            return ONWARD_ENOMEM;
        target->name = plan->domain;
        target->by_mx = plan->domain.literal.family == 0;
        target->protocol = plan->opts.protocol;
        target->port = port_for(plan, 0, target->protocol);
        append(plan, target);
    }
    plan->stage = ONWARD_EGRESS__ASKING;
    for (struct onward_egress__target *t = plan->targets; err == 0 && t != NULL;
         t = t->next) {
        if (t->by_mx)
            err = onward_dns__ask(plan->resolver, &t->mx, t->name.text,
                                  ONWARD_DNS_MX, &plan->task);
        if (err == 0)
            err = ask_policy(plan, t);
    }
    return err;
}

/* Where the host's own rule may demand DANE, it is looked for although the
 * message wants no policies looked at. */
static bool wants_dane(const struct onward_egress *plan,
                       const struct onward_egress__server *server)
{
    if (plan->opts.skip_dane != 0 || server->name.literal.family != 0)
        return false;
    return !ignores_policies(plan) || plan->host.tls_level != NULL ||
           plan->opts.tls_level == ONWARD_TLS_DANE ||
           server->target->tls_level == ONWARD_TLS_DANE;
}

static int ask_dane(struct onward_egress *plan,
                    struct onward_egress__server *server)
{
    const struct onward_egress__target *target = server->target;
    const struct onward_dns__answer *mx = target->mx.answer;
    const struct onward_dane_lookup_host host = {
        .size = sizeof(host), .user = plan, .done = dane_done};
    struct onward_dane_opts o = {.size = sizeof(o),
                                 .host = server->name.text,
                                 .port = target->port,
                                 .origin = ONWARD_DANE_NO_MX,
                                 .next_hop = target->name.text,
                                 .log_id = plan->log_id};

    if (!wants_dane(plan, server))
        return 0;
    if (server->is_mx) {
        o.origin =
            mx->is_secure ? ONWARD_DANE_MX_SECURE : ONWARD_DANE_MX_INSECURE;
        o.next_hop_canonical = mx->canonical;
    } else {
        /* From the name as it was given: the look-up follows the CNAMEs, and
         * knows which of them are validated. */
        o.host = target->name.text;
    }
    return onward_dane_lookup_new(plan->resolver, &o, &host, &server->dane);
}

/* All questions at once: the slowest server is waited for once. */
static int ask_servers(struct onward_egress *plan,
                       struct onward_egress__target *target)
{
    for (size_t i = 0; i < target->server_count; i++) {
        struct onward_egress__server *server = &target->servers[i];
        int err;

        if (server->name.literal.family != 0 ||
            server->use != ONWARD_EGRESS_USE_PENDING)
            continue;
        err = onward_dns__ask(plan->resolver, &server->aaaa, server->name.text,
                              ONWARD_DNS_AAAA, &plan->task);
        if (err == 0)
            err = onward_dns__ask(plan->resolver, &server->a, server->name.text,
                                  ONWARD_DNS_A, &plan->task);
        if (err == 0)
            err = ask_dane(plan, server);
        if (err < 0)
            return err;
    }
    return 0;
}

static int go_on(struct onward_egress *plan,
                 struct onward_egress__target *target)
{
    int err;

    if (target->is_listed || (target->by_mx && target->mx.answer == NULL))
        return 0;
    target->is_listed = true;
    err = target->by_mx ? onward_egress__servers_of_mx(plan, target)
                        : onward_egress__servers_given(plan, target);
    return err < 0 ? err : ask_servers(plan, target);
}

int onward_egress__targets_go_on(struct onward_egress *plan)
{
    int err = 0;

    for (struct onward_egress__target *t = plan->targets; err == 0 && t != NULL;
         t = t->next)
        err = go_on(plan, t);
    return err;
}

/* ---- Answers ----------------------------------------------------------- */

static bool has_server(const struct onward_egress__server *server)
{
    if (server->use != ONWARD_EGRESS_USE_PENDING ||
        server->name.literal.family != 0)
        return true;
    return server->aaaa.answer != NULL && server->a.answer != NULL &&
           (server->dane == NULL || onward_dane_lookup_result(server->dane) !=
                                        ONWARD_DANE_RESULT_PENDING);
}

static bool has_policy(struct onward_egress__target *target)
{
    if (target->lookup == NULL)
        return true;
    (void)onward_mtasts_lookup_verdict(target->lookup, &target->verdict);
    return target->verdict.status != ONWARD_MTASTS_PENDING;
}

bool onward_egress__targets_have_all(const struct onward_egress *plan)
{
    for (struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next) {
        if (!t->is_listed)
            return false;
        /* A domain that takes no mail needs no policy to say so. */
        if (t->server_count != 0 && !has_policy(t))
            return false;
        for (size_t i = 0; i < t->server_count; i++) {
            if (!has_server(&t->servers[i]))
                return false;
        }
    }
    return true;
}

void onward_egress__targets_clear(struct onward_egress *plan)
{
    for (struct onward_egress__target *t = plan->targets; t != NULL;
         t = t->next) {
        for (size_t i = 0; i < t->server_count; i++) {
            onward_dane_lookup_free(t->servers[i].dane);
            onward_dns__query_clear(&t->servers[i].aaaa);
            onward_dns__query_clear(&t->servers[i].a);
        }
        onward_mtasts_lookup_free(t->lookup);
        onward_dns__query_clear(&t->mx);
    }
}
