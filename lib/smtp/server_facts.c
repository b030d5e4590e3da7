/*
 * What the host can read of a server session and its transaction.
 */
#include "smtp/server_priv.h"

#include "tls/tls_shared.h"

static const struct server_rcpt *rcpt_at(const struct onward_smtp_server *s,
                                         size_t i)
{
    return i < server_txn(s)->rcpt_count ? &server_txn(s)->rcpts[i] : NULL;
}

/* A-labels, or the address literal. */
static struct onward_str domain_of(const struct server_path *path)
{
    return path->mailbox.domain_ascii.len > 0 ? path->mailbox.domain_ascii
                                              : path->mailbox.domain;
}

struct onward_str
onward_smtp_server_helo(const struct onward_smtp_server *session)
{
    return session->helo;
}

int onward_smtp_server_is_esmtp(const struct onward_smtp_server *session)
{
    return session->is_esmtp;
}

int onward_smtp_server_is_tls(const struct onward_smtp_server *session)
{
    return session->is_tls;
}

int onward_smtp_server_is_early(const struct onward_smtp_server *session)
{
    return session->is_early;
}

const struct onward_tls_facts *
onward_smtp_server_tls(const struct onward_smtp_server *session)
{
    if (!session->is_tls)
        return NULL;
    if (session->filter != NULL)
        return onward_tls__facts(session->filter);
    return session->host_facts;
}

void onward_smtp_server_client_ip(const struct onward_smtp_server *session,
                                  struct onward_ip *ip)
{
    *ip = session->client_ip;
}

int onward_smtp_server_has_mail(const struct onward_smtp_server *session)
{
    return server_txn(session)->is_open || server_txn(session)->is_asked;
}

struct onward_str
onward_smtp_server_mail_address(const struct onward_smtp_server *session)
{
    return server_txn(session)->path.address;
}

struct onward_str
onward_smtp_server_mail_text(const struct onward_smtp_server *session)
{
    return server_txn(session)->path.text;
}

struct onward_str
onward_smtp_server_mail_local_part(const struct onward_smtp_server *session)
{
    return server_txn(session)->path.mailbox.local_part;
}

struct onward_str
onward_smtp_server_mail_domain(const struct onward_smtp_server *session)
{
    return domain_of(&server_txn(session)->path);
}

uint64_t onward_smtp_server_mail_size(const struct onward_smtp_server *session)
{
    return server_txn(session)->params.size;
}

int onward_smtp_server_mail_body(const struct onward_smtp_server *session)
{
    return (int)server_txn(session)->params.body;
}

int onward_smtp_server_mail_smtputf8(const struct onward_smtp_server *session)
{
    return server_txn(session)->params.is_smtputf8;
}

int onward_smtp_server_mail_ret(const struct onward_smtp_server *session)
{
    return (int)server_txn(session)->params.ret;
}

struct onward_str
onward_smtp_server_mail_envid(const struct onward_smtp_server *session)
{
    return server_txn(session)->params.envid;
}

int onward_smtp_server_mail_requires_tls(
    const struct onward_smtp_server *session)
{
    return server_txn(session)->params.requires_tls;
}

int onward_smtp_server_mail_by(const struct onward_smtp_server *session,
                               int64_t *seconds)
{
    if (seconds != NULL)
        *seconds = server_txn(session)->params.by_s;
    return (int)server_txn(session)->params.by;
}

struct onward_str
onward_smtp_server_mail_auth(const struct onward_smtp_server *session)
{
    return server_txn(session)->params.auth;
}

int onward_smtp_server_rcpt_notify(const struct onward_smtp_server *session,
                                   size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? (int)rcpt->notify : 0;
}

struct onward_str
onward_smtp_server_rcpt_orcpt(const struct onward_smtp_server *session,
                              size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? rcpt->orcpt : onward_core__str(NULL, 0);
}

size_t onward_smtp_server_rcpt_count(const struct onward_smtp_server *session)
{
    return server_txn(session)->rcpt_count;
}

int onward_smtp_server_rcpt_accepted(const struct onward_smtp_server *session,
                                     size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL && rcpt->is_accepted;
}

size_t onward_smtp_server_rcpt_code(const struct onward_smtp_server *session,
                                    size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? rcpt->code : 0;
}

struct onward_str
onward_smtp_server_rcpt_address(const struct onward_smtp_server *session,
                                size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? rcpt->path.address : onward_core__str(NULL, 0);
}

struct onward_str
onward_smtp_server_rcpt_text(const struct onward_smtp_server *session, size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? rcpt->path.text : onward_core__str(NULL, 0);
}

struct onward_str
onward_smtp_server_rcpt_local_part(const struct onward_smtp_server *session,
                                   size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? rcpt->path.mailbox.local_part
                        : onward_core__str(NULL, 0);
}

struct onward_str
onward_smtp_server_rcpt_domain(const struct onward_smtp_server *session,
                               size_t i)
{
    const struct server_rcpt *rcpt = rcpt_at(session, i);

    return rcpt != NULL ? domain_of(&rcpt->path) : onward_core__str(NULL, 0);
}

uint64_t
onward_smtp_server_message_size(const struct onward_smtp_server *session)
{
    return server_txn(session)->message_size;
}

int onward_smtp_server_message_reply(const struct onward_smtp_server *session,
                                     struct onward_smtp_reply *reply)
{
    const struct onward_smtp_reply *answer = server_txn(session)->reply;

    if (answer == NULL)
        return ONWARD_ESTATE;
    return onward_core__out_store(reply, answer, sizeof(*answer));
}
