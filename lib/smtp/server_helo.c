/*
 * EHLO and HELO (RFC 5321 section 4.1.1.1): the client says its name and
 * learns what we offer.
 */
#include "smtp/server_priv.h"

/* What the host chooses by a flag. */
static const struct {
    size_t flag;
    uint64_t extensions;
    bool needs_tls;
} choices[] = {
    {ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8, ONWARD_SMTP_EXT_SMTPUTF8, false},
    {ONWARD_SMTP_SERVER_ALLOW_CHUNKING, ONWARD_SMTP_EXT_CHUNKING, false},
    {ONWARD_SMTP_SERVER_ALLOW_BINARYMIME,
     ONWARD_SMTP_EXT_CHUNKING | ONWARD_SMTP_EXT_BINARYMIME, false},
    {ONWARD_SMTP_SERVER_ALLOW_DSN, ONWARD_SMTP_EXT_DSN, false},
    {ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS, ONWARD_SMTP_EXT_REQUIRETLS, true},
    {ONWARD_SMTP_SERVER_ALLOW_DELIVERBY, ONWARD_SMTP_EXT_DELIVERBY, false},
    {ONWARD_SMTP_SERVER_OFFER_LIMITS, ONWARD_SMTP_EXT_LIMITS, false},
    {ONWARD_SMTP_SERVER_TRUST_XCLIENT, ONWARD_SMTP_EXT_XCLIENT, false},
    {ONWARD_SMTP_SERVER_TRUST_XFORWARD, ONWARD_SMTP_EXT_XFORWARD, false},
};

uint64_t server_extensions(const struct onward_smtp_server *s)
{
    uint64_t offered = ONWARD_SMTP_EXT_PIPELINING | ONWARD_SMTP_EXT_SIZE |
                       ONWARD_SMTP_EXT_8BITMIME |
                       ONWARD_SMTP_EXT_ENHANCEDSTATUSCODES;

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if ((s->flags & choices[i].flag) != 0 &&
            (s->is_tls || !choices[i].needs_tls))
            offered |= choices[i].extensions;
    }
    if (!s->is_tls &&
        (s->tls != NULL || (s->flags & ONWARD_SMTP_SERVER_HOST_TLS) != 0))
        offered |= ONWARD_SMTP_EXT_STARTTLS;
    /* Six digits and no zero (RFC 9422 section 4). */
    if (s->limits.recipients == 0 || s->limits.recipients > 999999)
        offered &= ~(uint64_t)ONWARD_SMTP_EXT_LIMITS;
    if (server_auth_offer(s) != 0)
        offered |= ONWARD_SMTP_EXT_AUTH;
    return offered;
}

/* A domain or an address literal; with the underscores that many clients have
 * in their names. It goes to SPF, Received and logs, so nothing else. */
bool server_is_helo_name(struct onward_str name)
{
    if (name.len == 0 || name.len > SERVER_HELO_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (!onward_ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' &&
            c != ':' && c != '[' && c != ']')
            return false;
    }
    return true;
}

static void add_extensions(const struct onward_smtp_server *s,
                           struct onward_buf *text)
{
    uint64_t offered = server_extensions(s);

    for (uint64_t bit = 1; bit <= offered; bit <<= 1) {
        if ((offered & bit) == 0)
            continue;
        onward_core__buf_add_byte(text, '\n');
        onward_core__buf_add_text(text, onward_smtp__extension_name(bit));
        if (bit == ONWARD_SMTP_EXT_SIZE &&
            s->limits.message_bytes != ONWARD_LIMIT_NONE) {
            onward_core__buf_add_byte(text, ' ');
            onward_core__buf_add_u64(text, s->limits.message_bytes);
        }
        if (bit == ONWARD_SMTP_EXT_XCLIENT)
            onward_core__buf_add_text(
                text, " NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
        if (bit == ONWARD_SMTP_EXT_XFORWARD)
            onward_core__buf_add_text(
                text, " NAME ADDR PORT PROTO HELO IDENT SOURCE");
        if (bit == ONWARD_SMTP_EXT_LIMITS) {
            onward_core__buf_add_text(text, " RCPTMAX=");
            onward_core__buf_add_u64(text, s->limits.recipients);
        }
        if (bit == ONWARD_SMTP_EXT_AUTH)
            server_auth_names(s, text);
    }
}

/* Our name, what the host says, and the extensions. */
static void say_hello(struct onward_smtp_server *s,
                      const struct onward_smtp_reply *answer)
{
    struct onward_smtp_reply reply = *answer;
    struct onward_str greet = onward_core__sub(
        reply.text, 0, onward_core__str_find(reply.text, '\n'));
    struct onward_buf text;

    onward_core__buf_init(&text, s->ctx, ONWARD_SMTP__REPLY_TEXT_MAX);
    onward_core__buf_add_str(&text, server_hostname(s));
    if (greet.len > 0 && greet.len < ONWARD_SMTP__REPLY_LINE_MAX) {
        onward_core__buf_add_byte(&text, ' ');
        onward_core__buf_add_str(&text, greet);
    }
    if (s->is_esmtp)
        add_extensions(s, &text);
    if (text.err < 0 && s->error == 0)
        s->error = text.err;
    reply.text = onward_core__buf_str(&text);
    if (s->error == 0)
        server_say_reply(s, &reply, ONWARD_SMTP__REPLY_PLAIN);
    onward_core__buf_clear(&text);
}

static bool fits_helo(size_t code)
{
    return code == 250 || code / 100 == 4 || code / 100 == 5;
}

/* A refused EHLO leaves the session as it was (RFC 5321 section 4.1.4). */
static void accept_helo(struct onward_smtp_server *s, bool is_esmtp)
{
    onward_core__free(s->ctx, (void *)(uintptr_t)s->helo.data);
    s->helo = s->new_helo;
    s->new_helo = onward_core__str(NULL, 0);
    s->is_esmtp = is_esmtp;
    server_txn_drop(s, ONWARD_SMTP_RESET_HELO);
}

static void drop_new_helo(struct onward_smtp_server *s)
{
    onward_core__free(s->ctx, (void *)(uintptr_t)s->new_helo.data);
    s->new_helo = onward_core__str(NULL, 0);
}

static void helo_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    if (!server_is_yes(&q->reply)) {
        drop_new_helo(s);
        /* Neither has an enhanced code (RFC 2034 section 4). */
        server_say_reply(s, &q->reply, ONWARD_SMTP__REPLY_PLAIN);
        return;
    }
    accept_helo(s, q->index == 1);
    if (!server_is_over(s))
        say_hello(s, &q->reply);
}

static const struct server_asker helo_asker = {
    .fits = fits_helo,
    .usual = SERVER_REPLY(250, "", ""),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = helo_answered,
};

static int hello(struct onward_smtp_server *s, struct onward_str name,
                 bool is_ehlo)
{
    struct server_question *q;
    char *copy;
    int handling = ONWARD_SMTP_DEFAULT;

    if (!server_is_helo_name(name)) {
        static const struct onward_smtp_reply bad =
            SERVER_REPLY(501, "", "A domain or an address literal is required");

        server_say_reply(s, &bad, ONWARD_SMTP__REPLY_PLAIN);
        return SERVER_DONE;
    }
    copy = onward_core__alloc(s->ctx, name.len);
    if (copy == NULL) {
        s->error = ONWARD_ENOMEM;
        return SERVER_DONE;
    }
    memcpy(copy, name.data, name.len);
    drop_new_helo(s);
    s->new_helo = onward_core__str(copy, name.len);
    q = server_question_open(s, &helo_asker);
    if (q == NULL)
        return SERVER_DONE;
    q->index = is_ehlo ? 1 : 0;
    if (s->host.helo != NULL)
        handling =
            s->host.helo(s->host.user, q->ask.token, is_ehlo, copy, name.len);
    server_question_asked(s, q, handling);
    return SERVER_DONE;
}

int server_cmd_ehlo(struct onward_smtp_server *s, struct onward_str args)
{
    return hello(s, args, true);
}

/* RFC 2033 section 4.1: EHLO by another name. */
int server_cmd_lhlo(struct onward_smtp_server *s, struct onward_str args)
{
    return hello(s, args, true);
}

int server_cmd_helo(struct onward_smtp_server *s, struct onward_str args)
{
    return hello(s, args, false);
}
