/*
 * The greeting: may this client talk to us?
 */
#include "smtp/server_priv.h"

#include "tls/tls_shared.h"

static bool fits_greeting(size_t code)
{
    return code == 220 || code / 100 == 4 || code / 100 == 5;
}

/* 220 is followed by our name and what the host says (RFC 5321 section
 * 4.3.1); a refusal too, since it closes. */
static void greeting_answered(struct onward_smtp_server *s,
                              struct server_question *q)
{
    static const struct onward_smtp_reply early =
        SERVER_REPLY(554, "", "Talked before the greeting");
    struct onward_smtp_reply reply = q->reply;
    struct onward_buf text;
    int status = 0;

    if (s->is_early && reply.code == 220 &&
        (s->flags & ONWARD_SMTP_SERVER_REFUSE_EARLY) != 0) {
        onward_core__log(s->ctx, ONWARD_LOG_WARN, "smtp", "early-talker",
                         s->log_id, onward_core__str(NULL, 0));
        reply = early;
        status = ONWARD_ESYNTAX;
    }
    onward_core__buf_init(&text, s->ctx,
                          ONWARD_SMTP__REPLY_TEXT_MAX + SERVER_HELO_MAX + 1);
    onward_core__buf_add_str(&text, server_hostname(s));
    onward_core__buf_add_byte(&text, ' ');
    if (reply.text.len > 0)
        onward_core__buf_add_str(&text, reply.text);
    else if (reply.code == 220)
        onward_core__buf_add_str(&text, server_banner(s));
    else
        onward_core__buf_add_text(&text, onward_smtp__stock_text(reply.code));
    if (text.err < 0 && s->error == 0)
        s->error = text.err;
    reply.text = onward_core__buf_str(&text);
    if (s->error == 0)
        server_say_reply(s, &reply, ONWARD_SMTP__REPLY_PLAIN);
    onward_core__buf_clear(&text);
    if (server_is_over(s))
        return;
    if (reply.code == 220)
        s->state = SERVER_COMMAND;
    else
        server_end(s, status);
}

static const struct server_asker greeting_asker = {
    .fits = fits_greeting,
    .usual = SERVER_REPLY(220, "", ""),
    .failure = SERVER_REPLY(421, "4.3.0", ""),
    .answered = greeting_answered,
};

void server_greet(struct onward_smtp_server *s)
{
    struct server_question *q = server_question_open(s, &greeting_asker);
    int handling = ONWARD_SMTP_DEFAULT;

    if (q == NULL)
        return;
    s->state = SERVER_GREETING;
    if (s->host.connect != NULL)
        handling = s->host.connect(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

void server_open(struct onward_smtp_server *s)
{
    int err;

    if ((s->flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) == 0) {
        server_greet(s);
        return;
    }
    s->state = SERVER_TLS;
    s->has_progress = true;
    onward_channel__resume(&s->channel);
    err = onward_tls__plug(&s->channel, s->tls, NULL, &s->filter);
    if (err < 0)
        s->error = err;
}
