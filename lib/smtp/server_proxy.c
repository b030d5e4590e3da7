/*
 * Who the client is when others say it: the PROXY header that comes first of
 * all, and what XCLIENT and XFORWARD (server_xclient.c) have told.
 */
#include "smtp/server_priv.h"

#include "smtp/proxy.h"

/* ---- What was told ----------------------------------------------------- */

struct server_peer *server_peer(struct onward_smtp_server *s)
{
    if (s->peer == NULL)
        s->peer = onward_core__zalloc(s->ctx, sizeof(*s->peer));
    if (s->peer == NULL && s->error == 0)
        s->error = ONWARD_ENOMEM;
    return s->peer;
}

void server_peer_forget_forwarded(struct onward_smtp_server *s)
{
    if (s->peer == NULL)
        return;
    for (size_t i = 0; i < SERVER_FORWARDED; i++) {
        onward_core__free(s->ctx,
                          (void *)(uintptr_t)s->peer->forwarded[i].data);
        s->peer->forwarded[i] = onward_core__str(NULL, 0);
    }
}

void server_peer_drop(struct onward_smtp_server *s)
{
    if (s->peer != NULL) {
        server_peer_forget_forwarded(s);
        onward_core__free(s->ctx, (void *)(uintptr_t)s->peer->name.data);
        onward_core__free(s->ctx, s->peer->proxy);
        onward_core__free(s->ctx, s->peer);
    }
    s->peer = NULL;
}

/* ---- PROXY ------------------------------------------------------------- */

int server_proxy_begin(struct onward_smtp_server *s)
{
    struct server_peer *peer = server_peer(s);

    if (peer == NULL)
        return ONWARD_ENOMEM;
    peer->proxy = onward_core__zalloc(s->ctx, sizeof(*peer->proxy));
    if (peer->proxy == NULL)
        return ONWARD_ENOMEM;
    s->state = SERVER_PROXY;
    return 0;
}

size_t server_proxy_feed(struct onward_smtp_server *s,
                         const unsigned char *data, size_t len)
{
    struct server_peer *peer = s->peer;
    struct onward_smtp__proxy *proxy = peer->proxy;
    size_t taken = 0;
    int ret = onward_smtp__proxy_take(proxy, data, len, &taken);

    if (ret < 0) {
        /* Whoever it is, it is not the proxy; it is told nothing. */
        onward_core__log(s->ctx, ONWARD_LOG_WARN, "smtp", "proxy-header",
                         s->log_id, onward_core__str(NULL, 0));
        server_end(s, ONWARD_ESYNTAX);
        return taken;
    }
    if (ret == 0)
        return taken;
    if (!proxy->is_local) {
        s->client_ip = proxy->client_ip;
        s->client_port = (uint16_t)proxy->client_port;
        s->client_name_len = 0;
        peer->local_ip = proxy->local_ip;
        peer->local_port = proxy->local_port;
        /* Trust was meant for the proxy. */
        s->flags &= ~(size_t)SERVER_TRUST_FLAGS;
    }
    onward_core__free(s->ctx, proxy);
    peer->proxy = NULL;
    s->has_progress = true;
    if ((s->flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) != 0) {
        /* Not inside this feed: what follows is TLS and comes again then; here
         * it would count as sent too early. */
        s->state = SERVER_NEW;
        onward_core__task_ready(&s->task);
    } else {
        server_greet(s);
    }
    return taken;
}

/* ---- Facts ------------------------------------------------------------- */

struct onward_str
onward_smtp_server_client_name(const struct onward_smtp_server *session)
{
    if (session->peer != NULL && session->peer->name.len > 0)
        return session->peer->name;
    return server_client_name(session);
}

size_t onward_smtp_server_client_port(const struct onward_smtp_server *session)
{
    return session->client_port;
}

size_t
onward_smtp_server_local_address(const struct onward_smtp_server *session,
                                 struct onward_ip *ip)
{
    static const struct onward_ip none = {.family = 0};

    *ip = session->peer != NULL ? session->peer->local_ip : none;
    return session->peer != NULL ? session->peer->local_port : 0;
}

struct onward_str
onward_smtp_server_forwarded(const struct onward_smtp_server *session, int what)
{
    if (session->peer == NULL || what < ONWARD_SMTP_FORWARDED_NAME ||
        what > SERVER_FORWARDED)
        return onward_core__str(NULL, 0);
    return session->peer->forwarded[what - 1];
}

int onward_smtp_server_trust(struct onward_smtp_server *session, size_t flags)
{
    if ((flags & ~(size_t)SERVER_TRUST_FLAGS) != 0)
        return ONWARD_EINVAL;
    session->flags = (session->flags & ~(size_t)SERVER_TRUST_FLAGS) | flags;
    return 0;
}
