/*
 * The small commands: RSET, NOOP, VRFY, EXPN, HELP, QUIT (RFC 5321 sections
 * 4.1.1.5 to 4.1.1.10).
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

int server_cmd_rset(struct onward_smtp_server *s, struct onward_str args)
{
    if (args.len > 0)
        return server_say(s, 501, "5.5.4", "RSET takes no parameters");
    server_txn_drop(s, ONWARD_SMTP_RESET_RSET);
    if (server_is_over(s))
        return SERVER_DONE;
    return server_say(s, 250, "2.0.0", "OK");
}

int server_cmd_noop(struct onward_smtp_server *s, struct onward_str args)
{
    (void)args; /* allowed, and ignored */
    return server_say(s, 250, "2.0.0", "OK");
}

int server_cmd_quit(struct onward_smtp_server *s, struct onward_str args)
{
    if (args.len > 0)
        return server_say(s, 501, "5.5.4", "QUIT takes no parameters");
    server_say(s, 221, "2.0.0", "Bye");
    if (!server_is_over(s))
        server_end(s, 0);
    return SERVER_DONE;
}

int server_cmd_help(struct onward_smtp_server *s, struct onward_str args)
{
    struct onward_smtp_reply reply = SERVER_REPLY(214, "2.0.0", "");
    struct onward_buf text;

    (void)args;
    onward_core__buf_init(&text, s->ctx, ONWARD_SMTP__REPLY_TEXT_MAX);
    onward_core__buf_add_text(&text, "Commands:");
    server_table_list(s, &text);
    if (text.err < 0)
        s->error = text.err;
    reply.text = onward_core__buf_str(&text);
    if (s->error == 0)
        server_say_reply(s, &reply, 0);
    onward_core__buf_clear(&text);
    return SERVER_DONE;
}

int server_cmd_expn(struct onward_smtp_server *s, struct onward_str args)
{
    (void)args;
    return server_say(s, 502, "5.5.1", "EXPN is not available");
}

/* ---- VRFY -------------------------------------------------------------- */

static bool fits_vrfy(size_t code)
{
    return (code >= 250 && code <= 252) || code / 100 == 4 || code / 100 == 5;
}

static void vrfy_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    server_say_reply(s, &q->reply, (unsigned)q->index);
}

/* 252 says no more than the truth (RFC 5321 section 3.5.3). */
static const struct server_asker vrfy_asker = {
    .fits = fits_vrfy,
    .usual = SERVER_REPLY(252, "2.0.0",
                          "Cannot verify the user, but will take the message"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = vrfy_answered,
};

/*
 * "SMTPUTF8" behind the name says that the client can read UTF-8 in this reply,
 * whatever it said in MAIL (RFC 6531 section 3.7.4.2). It goes off *args.
 */
static unsigned take_reply_flag(struct onward_str *args)
{
    static const struct onward_str word = {.data = " SMTPUTF8", .len = 9};
    size_t at = args->len - word.len;

    if (args->len <= word.len ||
        !onward_core__str_ieq(onward_core__sub(*args, at, args->len), word))
        return ONWARD_SMTP__REPLY_ASCII;
    *args = onward_core__sub(*args, 0, at);
    return ONWARD_SMTP__REPLY_UTF8;
}

int server_cmd_vrfy(struct onward_smtp_server *s, struct onward_str args)
{
    bool has_utf8 =
        s->is_esmtp && (s->flags & ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8) != 0;
    unsigned flag = has_utf8 ? take_reply_flag(&args)
                             : (unsigned)ONWARD_SMTP__REPLY_ASCII;
    struct server_question *q;
    int handling = ONWARD_SMTP_DEFAULT;

    if (args.len == 0)
        return server_say(s, 501, "5.5.4", "Syntax: VRFY name");
    if (!onward_core__is_ascii(args) &&
        (!has_utf8 || !onward_core__is_utf8(args)))
        return server_say(s, 501, "5.5.2", "ASCII is required for that");
    q = server_question_open(s, &vrfy_asker);
    if (q == NULL)
        return SERVER_DONE;
    q->index = flag;
    if (s->host.vrfy != NULL)
        handling =
            s->host.vrfy(s->host.user, q->ask.token, args.data, args.len);
    server_question_asked(s, q, handling);
    return SERVER_DONE;
}
