/* The plan for people: each server, each address, and the words for both. */
#include "egress/egress_priv.h"

_Static_assert(offsetof(struct onward_egress_server_facts, base_domain) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_egress_server_facts),
               "no tail padding");
_Static_assert(offsetof(struct onward_egress_address_facts, use) +
                       sizeof(size_t) ==
                   sizeof(struct onward_egress_address_facts),
               "no tail padding");

static bool is_ready(const struct onward_egress *plan)
{
    return plan != NULL && plan->stage >= ONWARD_EGRESS__READY;
}

size_t onward_egress_server_count(const struct onward_egress *plan)
{
    return is_ready(plan) ? plan->server_count : 0;
}

static void fill_policy(const struct onward_egress__server *server,
                        struct onward_egress_server_facts *out)
{
    const struct onward_mtasts_verdict *v = &server->target->verdict;

    if (v->policy != NULL) {
        out->policy_mode = v->policy->mode;
        out->policy_id = v->id;
    }
    out->is_in_policy = server->is_in_policy;
    out->policy_reason = v->reason;
}

static void fill_dane(const struct onward_egress__server *server,
                      struct onward_egress_server_facts *out)
{
    if (server->dane == NULL)
        return;
    out->dane_result = (size_t)onward_dane_lookup_result(server->dane);
    out->dane_reason = (size_t)onward_dane_lookup_reason(server->dane);
    out->tlsa_count = onward_dane_lookup_count(server->dane);
    out->base_domain = onward_dane_lookup_base_domain(server->dane);
}

int onward_egress_server_at(const struct onward_egress *plan, size_t i,
                            struct onward_egress_server_facts *facts)
{
    struct onward_egress_server_facts out = {.size = sizeof(out)};
    const struct onward_egress__server *server;
    const struct onward_egress__judgment *judged;

    if (facts == NULL)
        return ONWARD_EINVAL;
    if (i >= onward_egress_server_count(plan))
        return ONWARD_ENOENT;
    server = plan->servers[i];
    judged = server->judged.use == ONWARD_EGRESS_USE_PENDING
                 ? &server->judged
                 : &server->fallback;
    out.host = server->name.text;
    out.next_hop = server->target->name.text;
    out.port = server->target->port;
    out.protocol = server->target->protocol;
    out.preference = server->preference;
    out.is_mx = server->is_mx;
    out.is_mx_secure = server->target->mx.answer != NULL &&
                       server->target->mx.answer->is_secure;
    out.use = (size_t)server->use;
    if (server->use == ONWARD_EGRESS_USE_YES) {
        out.level = judged->level;
        out.reason = judged->reason;
        out.require_tls = judged->require_tls;
    }
    out.own_level = server->own_level;
    fill_policy(server, &out);
    fill_dane(server, &out);
    return onward_core__out_store(facts, &out, sizeof(out));
}

size_t onward_egress_address_count(const struct onward_egress *plan)
{
    return is_ready(plan) ? plan->address_count : 0;
}

int onward_egress_address_at(const struct onward_egress *plan, size_t i,
                             struct onward_egress_address_facts *facts)
{
    struct onward_egress_address_facts out = {.size = sizeof(out)};

    if (facts == NULL)
        return ONWARD_EINVAL;
    if (i >= onward_egress_address_count(plan))
        return ONWARD_ENOENT;
    out.ip = &plan->addresses[i].ip;
    out.is_secure = plan->addresses[i].is_secure;
    out.use = (size_t)plan->addresses[i].use;
    while (plan->servers[out.server] != plan->addresses[i].server)
        out.server++;
    return onward_core__out_store(facts, &out, sizeof(out));
}

/* ---- Words ------------------------------------------------------------- */

struct words {
    const char *name, *text;
};

static const struct words unknown = {"unknown", "Unknown"};

static const struct words uses[] = {
    [ONWARD_EGRESS_USE_PENDING] = {"pending", "Not decided yet"},
    [ONWARD_EGRESS_USE_YES] = {"yes", "It is tried"},
    [ONWARD_EGRESS_USE_BAD_NAME] = {"bad-name", "No host has that name"},
    [ONWARD_EGRESS_USE_OURSELVES] = {"ourselves", "That is ourselves"},
    [ONWARD_EGRESS_USE_BEHIND_US] = {"behind-us",
                                     "We are preferred to it, or its equal"},
    [ONWARD_EGRESS_USE_NO_ADDRESS] = {"no-address", "It has no address"},
    [ONWARD_EGRESS_USE_ADDRESS_FAILED] =
        {"address-failed", "Its addresses cannot be looked up now"},
    [ONWARD_EGRESS_USE_REFUSED] =
        {"refused", "No mail may be sent to where its addresses are"},
    [ONWARD_EGRESS_USE_REPEATED] = {"repeated",
                                    "Its addresses are tried already"},
    [ONWARD_EGRESS_USE_TOO_MANY] = {"too-many",
                                    "So many addresses are not tried"},
    [ONWARD_EGRESS_USE_HOST_RULE] = {"host-rule", "Our own rule says: not now"},
    [ONWARD_EGRESS_USE_NOT_IN_POLICY] =
        {"not-in-policy", "The domain's policy (MTA-STS) does not have it"},
    [ONWARD_EGRESS_USE_POLICY_UNKNOWN] =
        {"policy-unknown",
         "The domain's policy (MTA-STS) cannot be looked at now"},
    [ONWARD_EGRESS_USE_DANE_FAILED] =
        {"dane-failed", "What it must prove (DANE) cannot be looked up now"},
    [ONWARD_EGRESS_USE_NO_DANE] = {"no-dane",
                                   "Our own rule demands DANE there"},
    [ONWARD_EGRESS_USE_NAME_UNPROVEN] =
        {"name-unproven",
         "The message demands REQUIRETLS, and nothing vouches for its name"},
};

static const struct words reasons[] = {
    [ONWARD_EGRESS_REASON_NONE] = {"none", "It is not used"},
    [ONWARD_EGRESS_REASON_DEFAULT] = {"default", "No policy is known for it"},
    [ONWARD_EGRESS_REASON_HOST] = {"host", "Our own rule for that server"},
    [ONWARD_EGRESS_REASON_TARGET] = {"target",
                                     "Our own rule for that next hop"},
    [ONWARD_EGRESS_REASON_DANE] = {"dane", "It publishes TLSA records (DANE)"},
    [ONWARD_EGRESS_REASON_UNUSABLE] =
        {"dane-unusable", "None of its TLSA records (DANE) is usable"},
    [ONWARD_EGRESS_REASON_MTASTS] = {"mtasts", "The domain's policy (MTA-STS)"},
    [ONWARD_EGRESS_REASON_BOTH] =
        {"dane-and-mtasts",
         "Its TLSA records (DANE) and the domain's policy (MTA-STS), as DNS "
         "does not vouch for its name"},
    [ONWARD_EGRESS_REASON_TESTING] =
        {"mtasts-testing", "The domain's policy (MTA-STS) is a test"},
    [ONWARD_EGRESS_REASON_REQUIRETLS] = {"requiretls",
                                         "The message demands REQUIRETLS"},
    [ONWARD_EGRESS_REASON_OPTIONAL] = {"optional",
                                       "The message says \"TLS-Required: No\""},
    [ONWARD_EGRESS_REASON_CLEAR] = {"clear",
                                    "TLS failed there, and is not demanded"},
};

static const struct words *use_words(int use)
{
    if (use < 0 || (size_t)use >= sizeof(uses) / sizeof(uses[0]))
        return &unknown;
    return &uses[use];
}

static const struct words *reason_words(int reason)
{
    if (reason < 0 || (size_t)reason >= sizeof(reasons) / sizeof(reasons[0]))
        return &unknown;
    return &reasons[reason];
}

const char *onward_egress_use_name(int use)
{
    return use_words(use)->name;
}

const char *onward_egress_use_text(int use)
{
    return use_words(use)->text;
}

const char *onward_egress_reason_name(int reason)
{
    return reason_words(reason)->name;
}

const char *onward_egress_reason_text(int reason)
{
    return reason_words(reason)->text;
}
