/*
 * The Received field that a receiver puts on top (RFC 5321 section 4.4).
 */
#include "smtp/server_priv.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "tls/tls_shared.h"

enum { FIELD_MAX = 4096 };

/* RFC 3848; UTF8 forms of RFC 6531 section 4.3. HELO under TLS has no keyword
 * of its own. */
static void add_with(struct onward_buf *b, const struct onward_smtp_server *s)
{
    bool is_utf8 = server_txn(s)->params.is_smtputf8;

    if (!s->is_esmtp) {
        onward_core__buf_add_text(b, "SMTP");
        return;
    }
    if (s->mode == ONWARD_SMTP_SERVER_MODE_LMTP)
        onward_core__buf_add_text(b, is_utf8 ? "UTF8LMTP" : "LMTP");
    else
        onward_core__buf_add_text(b, is_utf8 ? "UTF8SMTP" : "ESMTP");
    if (s->is_tls)
        onward_core__buf_add_byte(b, 'S');
    if (s->is_authenticated)
        onward_core__buf_add_byte(b, 'A');
}

static void add_literal(struct onward_buf *b, const struct onward_ip *ip)
{
    char text[ONWARD_IP_TEXT_MAX];
    int len = onward_ip_format(ip, text, sizeof(text));

    if (len < 0)
        return;
    onward_core__buf_add_text(b, ip->family == 6 ? "[IPv6:" : "[");
    onward_core__buf_add(b, text, (size_t)len);
    onward_core__buf_add_byte(b, ']');
}

static bool is_literal(struct onward_str name)
{
    return name.len > 2 && name.data[0] == '[' &&
           onward_core__str_find(name, ']') == name.len - 1;
}

/* From-domain: what EHLO said, in parentheses what we know. An EHLO name that
 * is no domain stands in the comment only. */
static void add_from(struct onward_buf *b, const struct onward_smtp_server *s)
{
    bool is_name =
        onward_core__domain_is_hostname(s->helo) || is_literal(s->helo);

    onward_core__buf_add_text(b, "Received: from ");
    if (is_name)
        onward_core__buf_add_str(b, s->helo);
    else if (s->client_ip.family != 0)
        add_literal(b, &s->client_ip);
    else
        onward_core__buf_add_text(b, "unknown");
    if (s->client_ip.family != 0) {
        onward_core__buf_add_text(b, " (");
        if (onward_smtp_server_client_name(s).len > 0) {
            onward_core__buf_add_str(b, onward_smtp_server_client_name(s));
            onward_core__buf_add_byte(b, ' ');
        }
        add_literal(b, &s->client_ip);
        onward_core__buf_add_byte(b, ')');
    }
    if (!is_name) {
        /* EHLO names have no parenthesis and no backslash. */
        onward_core__buf_add_text(b, " (helo ");
        onward_core__buf_add_str(b, s->helo);
        onward_core__buf_add_byte(b, ')');
    }
}

static void add_tls(struct onward_buf *b, const struct onward_smtp_server *s)
{
    const struct onward_tls_facts *facts = onward_smtp_server_tls(s);

    if (facts == NULL || facts->version.len == 0)
        return;
    /* Words of ours or of the host, not of the peer; escaped all the same. */
    onward_core__buf_add_text(b, "\r\n\t(");
    onward_core__escape(b, facts->version, 32);
    if (facts->cipher.len > 0) {
        onward_core__buf_add_text(b, " cipher ");
        onward_core__escape(b, facts->cipher, 64);
    }
    onward_core__buf_add_byte(b, ')');
}

/* More than one recipient would be told of the others. */
static void add_for(struct onward_buf *b, const struct onward_smtp_server *s)
{
    if (server_txn(s)->rcpt_accepted != 1)
        return;
    for (size_t i = 0; i < server_txn(s)->rcpt_count; i++) {
        if (!server_txn(s)->rcpts[i].is_accepted)
            continue;
        onward_core__buf_add_text(b, "\r\n\tfor <");
        onward_core__buf_add_str(b, server_txn(s)->rcpts[i].path.address);
        onward_core__buf_add_byte(b, '>');
    }
}

static bool is_id(struct onward_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];

        if (c <= ' ' || c > '~' || c == '(' || c == ')' || c == ';' ||
            c == '\\' || c == '"')
            return false;
    }
    return id.len <= 128;
}

int onward_smtp_server_received(struct onward_smtp_server *session,
                                struct onward_str id, struct onward_str *field)
{
    struct onward_buf b;
    size_t max;
    int err;

    if (!server_txn(session)->is_open)
        return ONWARD_ESTATE;
    if (!is_id(id))
        return ONWARD_EINVAL;
    onward_core__buf_init(&b, session->ctx, FIELD_MAX);
    add_from(&b, session);
    onward_core__buf_add_text(&b, "\r\n\tby ");
    onward_core__buf_add_str(&b, server_hostname(session));
    onward_core__buf_add_text(&b, " with ");
    add_with(&b, session);
    add_tls(&b, session);
    if (id.len > 0) {
        onward_core__buf_add_text(&b, "\r\n\tid ");
        onward_core__buf_add_str(&b, id);
    }
    add_for(&b, session);
    onward_core__buf_add_text(&b, ";\r\n\t");
    onward_core__date_rfc5322(&b, onward_core__now_s(session->ctx));
    onward_core__buf_add_text(&b, "\r\n");
    err = b.err;
    /* The limit is the client's: it shall not keep our field out. */
    max = session->txn->arena.max;
    session->txn->arena.max = ONWARD_LIMIT_NONE;
    if (err == 0)
        err = onward_core__arena_dup(&session->txn->arena,
                                     onward_core__buf_str(&b), field);
    session->txn->arena.max = max;
    onward_core__buf_clear(&b);
    return err < 0 ? ONWARD_ENOMEM : 0;
}
