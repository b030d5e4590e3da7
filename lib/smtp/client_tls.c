/*
 * STARTTLS in the client session (RFC 3207): asked for as the demand says, and
 * everything learnt before it forgotten.
 */
#include "smtp/client_priv.h"

/* ---- Options ----------------------------------------------------------- */

static int copy_texts(struct onward_arena *arena,
                      const struct onward_str **texts, size_t count)
{
    struct onward_str *own;
    int err = 0;

    if (count == 0)
        return 0;
    if (*texts == NULL)
        return ONWARD_EINVAL;
    own = onward_core__arena_array(arena, count, sizeof(*own));
    if (own == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; err == 0 && i < count; i++)
        err = onward_core__arena_dup(arena, (*texts)[i], &own[i]);
    *texts = own;
    return err;
}

/* The caller's demand, with all it points to, in the session's arena. */
static int copy_demand(struct onward_smtp_client *c,
                       const struct onward_tls_demand *demand)
{
    struct onward_tls_demand own;
    int err = onward_core__opts_load(&own, sizeof(own), demand);

    if (err != 0)
        return err;
    if (own.level > ONWARD_TLS_DANE)
        return ONWARD_EINVAL;
    if (own.level == ONWARD_TLS_DEFAULT)
        own.level = ONWARD_TLS_VERIFIED;
    err = onward_core__arena_dup(&c->arena, own.server_name, &own.server_name);
    if (err == 0)
        err = copy_texts(&c->arena, &own.names, own.name_count);
    if (err == 0)
        err = copy_texts(&c->arena, &own.tlsa, own.tlsa_count);
    if (err == 0)
        err = copy_texts(&c->arena, &own.pkix_names, own.pkix_name_count);
    c->demand = own;
    return err;
}

/* TLS from the first octet contradicts a demand of none. */
static bool has_use(const struct onward_smtp_client *c)
{
    return c->demand.level != ONWARD_TLS_NONE ||
           (c->opts.flags & ONWARD_SMTP_CLIENT_IMPLICIT_TLS) == 0;
}

int onward_smtp__tls_load(struct onward_smtp_client *c,
                          struct onward_tls_config *config)
{
    int err;

    if (c->opts.tls_demand == NULL)
        return ONWARD_EINVAL;
    err = copy_demand(c, c->opts.tls_demand);
    c->opts.tls_demand = NULL;
    if (err != 0)
        return err;
    if ((c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0)
        return config == NULL && has_use(c) ? 0 : ONWARD_EINVAL;
    if (c->demand.level == ONWARD_TLS_NONE)
        return has_use(c) ? 0 : ONWARD_EINVAL;
    if (config == NULL || onward_tls__config_is_server(config))
        return ONWARD_EINVAL;
    if (c->demand.level == ONWARD_TLS_VERIFIED && c->demand.name_count == 0)
        return ONWARD_EINVAL;
    /* What the records are is looked at when TLS begins; that there are any,
     * now. */
    if ((c->demand.level == ONWARD_TLS_DANE) != (c->demand.tlsa_count > 0) ||
        (c->demand.level != ONWARD_TLS_DANE && c->demand.pkix_name_count > 0))
        return ONWARD_EINVAL;
    c->opts.tls = onward_tls_config_ref(config);
    return 0;
}

/* ---- The command ------------------------------------------------------- */

static bool may_go_plain(const struct onward_smtp_client *c)
{
    return c->demand.level <= ONWARD_TLS_OPPORTUNISTIC;
}

static int refuse_no_tls(struct onward_smtp_client *c,
                         enum onward_tls_failure failure)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, onward_smtp__client_phase(c),
                               ONWARD_SMTP_CAUSE_NO_TLS);
    why.tls_failure = (int)failure;
    return onward_smtp__client_refuse(c, &why);
}

/* EHLO was refused. HELO offers nothing, so it is for those who demand
 * nothing; and a server that knew EHLO before TLS knows it after. */
int onward_smtp__tls_no_ehlo(struct onward_smtp_client *c)
{
    size_t code = c->reply.code;

    if (c->is_secured)
        return onward_smtp__client_refuse_by_reply(c);
    /* There is no older LMTP. */
    if (may_go_plain(c) && (c->opts.flags & ONWARD_SMTP_CLIENT_LMTP) != 0)
        return onward_smtp__client_refuse_by_reply(c);
    if (may_go_plain(c))
        return onward_smtp__client_hello(c, "HELO", ONWARD_CLIENT_HELO);
    if (code == 500 || code == 502)
        return refuse_no_tls(c, ONWARD_TLS_NOT_OFFERED);
    return onward_smtp__client_refuse_by_reply(c);
}

int onward_smtp__tls_after_ehlo(struct onward_smtp_client *c)
{
    int err;

    if (c->is_secured || c->demand.level == ONWARD_TLS_NONE)
        return onward_smtp__setup_begin(c);
    if ((c->offers.set & ONWARD_SMTP_EXT_STARTTLS) == 0) {
        if (may_go_plain(c))
            return onward_smtp__setup_begin(c);
        return refuse_no_tls(c, ONWARD_TLS_NOT_OFFERED);
    }
    err = onward_smtp__write_verb(c, "STARTTLS");
    if (err < 0)
        return err;
    c->state = ONWARD_CLIENT_STARTTLS;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    return 0;
}

static int start_handshake(struct onward_smtp_client *c)
{
    int err;

    c->state = ONWARD_CLIENT_HANDSHAKE;
    onward_smtp__offers_forget(&c->offers);
    onward_smtp__expect_within(c, c->opts.tls_timeout_ms);
    if ((c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0) {
        onward_smtp__tls_ask_host(c);
        return 0;
    }
    err = onward_tls__plug(&c->channel, c->opts.tls, &c->demand, &c->tls);
    return err < 0 ? err : 0;
}

int onward_smtp__tls_first(struct onward_smtp_client *c)
{
    c->state = ONWARD_CLIENT_HANDSHAKE;
    c->greets_under_tls = true;
    onward_smtp__expect_within(c, c->opts.tls_timeout_ms);
    /* The host's TLS is its own affair until it is up. */
    if ((c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0)
        return 0;
    return onward_tls__plug(&c->channel, c->opts.tls, &c->demand, &c->tls);
}

int onward_smtp__tls_on_reply(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    if (c->reply.code == 220)
        return start_handshake(c);
    /* RFC 3207 section 4: go on without it, or not at all. */
    if (may_go_plain(c))
        return onward_smtp__setup_begin(c);
    onward_smtp__outcome_reply(&why, c, ONWARD_SMTP_PHASE_STARTTLS, &c->arena,
                               NULL);
    why.fate = ONWARD_SMTP_FATE_TEMPORARY;
    why.cause = ONWARD_SMTP_CAUSE_NO_TLS;
    why.tls_failure = (int)ONWARD_TLS_REFUSED;
    return onward_smtp__client_refuse(c, &why);
}

/* ---- The handshake ----------------------------------------------------- */

int onward_smtp__tls_up(struct onward_smtp_client *c)
{
    c->is_secured = true;
    if (c->greets_under_tls) {
        c->state = ONWARD_CLIENT_GREETING;
        onward_smtp__expect_within(c, c->opts.greeting_timeout_ms);
        return 0;
    }
    /* A new session begins (RFC 3207 section 4.2): nothing that was said in the
     * clear counts. */
    onward_smtp__reply_parser_reset(&c->reply);
    return onward_smtp__client_ehlo(c);
}

int onward_smtp__tls_secured(void *engine, int status)
{
    struct onward_smtp_client *c = engine;

    if (status < 0) {
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_TLS);
        return 0;
    }
    status = onward_smtp__tls_up(c);
    return status < 0 ? onward_smtp__client_fail(c, status) : 0;
}

int onward_smtp__tls_failure(const struct onward_smtp_client *c,
                             enum onward_smtp_cause cause)
{
    enum onward_tls_failure failure = ONWARD_TLS_OK;

    if (c->state != ONWARD_CLIENT_HANDSHAKE)
        return 0;
    if (cause == ONWARD_SMTP_CAUSE_TIMEOUT)
        return (int)ONWARD_TLS_TIMEOUT;
    /* The host's: it can only be lost here. */
    if (c->tls == NULL && (c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0)
        return cause == ONWARD_SMTP_CAUSE_LOST ? (int)ONWARD_TLS_LOST : 0;
    if (c->tls != NULL)
        failure = onward_tls__failure(c->tls);
    return (int)(failure == ONWARD_TLS_OK ? ONWARD_TLS_INTERNAL : failure);
}

void onward_smtp__tls_end(struct onward_smtp_client *c,
                          enum onward_tls_failure failure)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, onward_smtp__client_phase(c),
                               ONWARD_SMTP_CAUSE_TLS);
    why.tls_failure = (int)failure;
    onward_smtp__client_end(c, &why);
}

const struct onward_tls_facts *
onward_smtp__tls_facts_of(const struct onward_smtp_client *c)
{
    if (!c->is_secured)
        return NULL;
    return c->tls != NULL ? onward_tls__facts(c->tls) : c->host_facts;
}

int onward_smtp_client_tls_facts(const struct onward_smtp_client *client,
                                 struct onward_tls_facts *facts)
{
    const struct onward_tls_facts *known = onward_smtp__tls_facts_of(client);

    if (known == NULL)
        return ONWARD_ESTATE;
    return onward_tls__facts_give(known, facts);
}
