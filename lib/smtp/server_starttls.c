/*
 * STARTTLS (RFC 3207): with TLS of ours a filter goes below the session, with
 * TLS of the host the session waits until it says that it is up.
 */
#include "smtp/server_priv.h"

#include "tls/tls_shared.h"

static void begin(struct onward_smtp_server *s)
{
    int err;

    s->state = SERVER_TLS;
    onward_channel__resume(&s->channel);
    server_forget(s);
    if (server_is_over(s))
        return;
    if (s->tls == NULL) {
        s->host.starttls_ready(s->host.user);
        return;
    }
    err = onward_tls__plug(&s->channel, s->tls, NULL, &s->filter);
    if (err < 0)
        s->error = err;
}

int server_cmd_starttls(struct onward_smtp_server *s, struct onward_str args)
{
    if (s->is_tls)
        return server_say(s, 503, "5.5.1", "TLS is active already");
    if ((server_extensions(s) & ONWARD_SMTP_EXT_STARTTLS) == 0)
        return server_say(s, 502, "5.5.1", "TLS is not offered");
    if (args.len > 0)
        return server_say(s, 501, "5.5.4", "STARTTLS takes no parameters");
    server_say(s, 220, "2.0.0", "Ready to start TLS");
    if (!server_is_over(s))
        begin(s);
    return SERVER_DONE;
}

/* ---- TLS of the host --------------------------------------------------- */

enum { FACT_TEXTS = 11 };

static void list_texts(struct onward_tls_facts *facts,
                       struct onward_str *texts[FACT_TEXTS])
{
    texts[0] = &facts->version;
    texts[1] = &facts->cipher;
    texts[2] = &facts->server_name;
    texts[3] = &facts->alpn;
    texts[4] = &facts->verified_name;
    texts[5] = &facts->peer_subject;
    texts[6] = &facts->peer_issuer;
    texts[7] = &facts->peer_sha256;
    texts[8] = &facts->binding_exporter;
    texts[9] = &facts->binding_unique;
    texts[10] = &facts->binding_end_point;
}

/* One block: the struct, then its texts. */
static int copy_facts(struct onward_smtp_server *s,
                      const struct onward_tls_facts *facts)
{
    struct onward_tls_facts loaded;
    struct onward_str *texts[FACT_TEXTS];
    size_t bytes = sizeof(loaded);
    char *block, *at;
    int err = onward_core__opts_load(&loaded, sizeof(loaded), facts);

    if (err < 0)
        return err;
    loaded.size = sizeof(loaded);
    list_texts(&loaded, texts);
    for (size_t i = 0; i < FACT_TEXTS; i++) {
        if (onward_size_add(bytes, texts[i]->len, &bytes) < 0)
            return ONWARD_EINVAL;
    }
    block = onward_core__alloc(s->ctx, bytes);
    if (block == NULL)
        return ONWARD_ENOMEM;
    at = block + sizeof(loaded);
    for (size_t i = 0; i < FACT_TEXTS; i++) {
        if (texts[i]->len > 0)
            memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len;
    }
    memcpy(block, &loaded, sizeof(loaded));
    s->host_facts = (struct onward_tls_facts *)(void *)block;
    return 0;
}

int onward_smtp_server_tls_done(struct onward_smtp_server *session,
                                const struct onward_tls_facts *facts)
{
    bool is_first = session->state == SERVER_NEW ||
                    (session->state == SERVER_COMMAND && !session->has_heard);
    int err;

    if ((session->flags & ONWARD_SMTP_SERVER_HOST_TLS) == 0 ||
        onward_channel__is_busy(&session->channel) || session->is_tls ||
        (session->state != SERVER_TLS && !is_first))
        return ONWARD_ESTATE;
    /* Read before the handshake: plaintext, or lost to the host's TLS. */
    if (session->channel.held.len > 0)
        return ONWARD_ESTATE;
    if (facts != NULL) {
        err = copy_facts(session, facts);
        if (err < 0)
            return err;
    }
    session->is_tls = true;
    if (session->state == SERVER_TLS) {
        session->state = SERVER_COMMAND;
        session->has_progress = true;
        server_update(session);
    }
    return 0;
}
