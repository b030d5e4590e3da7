/*
 * TLS that the host does itself: the session waits for its handshake, and holds
 * what came out of it against the demand.
 */
#include "smtp/client_priv.h"

/* The texts of facts, copied to the session's arena. 0 or ONWARD_ENOMEM. */
static int own_texts(struct onward_smtp_client *c,
                     struct onward_tls_facts *facts)
{
    struct onward_str *const texts[] = {
        &facts->version,          &facts->cipher,
        &facts->server_name,      &facts->alpn,
        &facts->verified_name,    &facts->peer_subject,
        &facts->peer_issuer,      &facts->peer_sha256,
        &facts->binding_exporter, &facts->binding_unique,
        &facts->binding_end_point};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int err = onward_core__arena_dup(&c->arena, *texts[i], texts[i]);

        if (err != 0)
            return err;
    }
    return 0;
}

static int keep_facts(struct onward_smtp_client *c,
                      const struct onward_tls_facts *facts)
{
    struct onward_tls_facts *own;
    int err;

    own = onward_core__arena_array(&c->arena, 1, sizeof(*own));
    if (own == NULL)
        return ONWARD_ENOMEM;
    err = onward_core__opts_load(own, sizeof(*own), facts);
    if (err == 0)
        err = own_texts(c, own);
    if (err != 0)
        return err;
    own->size = sizeof(*own);
    c->host_facts = own;
    return 0;
}

static bool is_awaited(const struct onward_smtp_client *c)
{
    return (c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0 &&
           c->state == ONWARD_CLIENT_HANDSHAKE && !c->news.starttls &&
           (c->in_callback || !onward_channel__is_busy(&c->channel));
}

void onward_smtp__tls_ask_host(struct onward_smtp_client *c)
{
    c->news.starttls = true;
    onward_core__task_ready(&c->task);
}

static enum onward_tls_failure
why_unverified(const struct onward_tls_facts *facts)
{
    if (facts->cert_failure == ONWARD_TLS_OK ||
        facts->cert_failure > ONWARD_TLS__FAILURE_LAST)
        return ONWARD_TLS_UNTRUSTED;
    return (enum onward_tls_failure)facts->cert_failure;
}

int onward_smtp_client_tls_done(struct onward_smtp_client *client,
                                const struct onward_tls_facts *facts)
{
    static const struct onward_tls_facts nothing = {.size = sizeof(nothing)};
    int err;

    if (!is_awaited(client))
        return ONWARD_ESTATE;
    err = keep_facts(client, facts == NULL ? &nothing : facts);
    if (err != 0)
        return err;
    if (client->demand.level >= ONWARD_TLS_VERIFIED &&
        client->host_facts->is_verified != 1) {
        onward_smtp__tls_end(client, why_unverified(client->host_facts));
        return 0;
    }
    err = onward_smtp__tls_up(client);
    return err < 0 ? onward_smtp__client_fail(client, err) : 0;
}

int onward_smtp_client_tls_failed(struct onward_smtp_client *client,
                                  int failure)
{
    if (!is_awaited(client))
        return ONWARD_ESTATE;
    if (failure <= ONWARD_TLS_OK || failure > (int)ONWARD_TLS__FAILURE_LAST)
        return ONWARD_EINVAL;
    onward_smtp__tls_end(client, (enum onward_tls_failure)failure);
    return 0;
}
