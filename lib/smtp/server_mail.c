/*
 * MAIL (RFC 5321 section 4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152, 3030)
 * and SMTPUTF8 (RFC 6531): a transaction begins. Parameters with longer values
 * are read in server_dsn.c.
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

/* ---- Parameters -------------------------------------------------------- */

static int take_size(struct onward_str value, struct server_params *params)
{
    /* size-value = 1*20DIGIT; past 64 bits is bigger than any limit. */
    int err = onward_core__parse_u64(value, 20, &params->size);

    if (err == ONWARD_ELIMIT && value.len <= 20) {
        params->size = UINT64_MAX;
        return 0;
    }
    return err < 0 ? ONWARD_ESYNTAX : 0;
}

static int take_body(struct onward_str value, struct server_params *params)
{
    if (onward_core__str_ieq(value, ONWARD_STR("7BIT")))
        params->body = ONWARD_SMTP_BODY_7BIT;
    else if (onward_core__str_ieq(value, ONWARD_STR("8BITMIME")))
        params->body = ONWARD_SMTP_BODY_8BITMIME;
    else if ((params->offered & ONWARD_SMTP_EXT_BINARYMIME) != 0 &&
             onward_core__str_ieq(value, ONWARD_STR("BINARYMIME")))
        params->body = ONWARD_SMTP_BODY_BINARYMIME;
    else
        return ONWARD_ESYNTAX;
    return 0;
}

static int take_smtputf8(struct onward_str value, struct server_params *params)
{
    if (value.data != NULL)
        return ONWARD_ESYNTAX;
    params->is_smtputf8 = true;
    return 0;
}

static const struct server_param mail_params[] = {
    {"SIZE", ONWARD_SMTP_EXT_SIZE, take_size},
    {"BODY", ONWARD_SMTP_EXT_8BITMIME, take_body},
    {"SMTPUTF8", ONWARD_SMTP_EXT_SMTPUTF8, take_smtputf8},
    {"RET", ONWARD_SMTP_EXT_DSN, server_take_ret},
    {"ENVID", ONWARD_SMTP_EXT_DSN, server_take_envid},
    {"REQUIRETLS", ONWARD_SMTP_EXT_REQUIRETLS, server_take_requiretls},
    {"BY", ONWARD_SMTP_EXT_DELIVERBY, server_take_by},
    {"AUTH", ONWARD_SMTP_EXT_AUTH, server_take_auth},
};

/* ---- The command ------------------------------------------------------- */

static void mail_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    server_say_reply(s, &q->reply, 0);
    s->txn->is_asked = false;
    if (server_is_yes(&q->reply))
        s->txn->is_open = true;
    else
        server_txn_drop(s, ONWARD_SMTP_RESET_REFUSED);
}

static bool fits_mail(size_t code)
{
    return code == 250 || code / 100 == 4 || code / 100 == 5;
}

static const struct server_asker mail_asker = {
    .fits = fits_mail,
    .usual = SERVER_REPLY(250, "2.1.0", "Sender OK"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = mail_answered,
};

/* The facts, then the host. */
static void begin(struct onward_smtp_server *s, const struct server_path *path,
                  const struct server_params *params)
{
    struct server_txn *txn = s->txn;
    struct server_question *q;
    int handling = ONWARD_SMTP_DEFAULT;

    txn->path = *path;
    txn->params = *params;
    txn->is_asked = true;
    q = server_question_open(s, &mail_asker);
    if (q == NULL)
        return;
    if (s->host.mail != NULL)
        handling = s->host.mail(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

/* NULL, or the reply that refuses it. */
static const struct onward_smtp_reply *parse(struct onward_smtp_server *s,
                                             struct onward_str args,
                                             struct server_path *path,
                                             struct server_params *params)
{
    static const struct onward_smtp_reply no_from =
        SERVER_REPLY(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    static const struct onward_smtp_reply no_smtputf8 =
        SERVER_REPLY(553, "5.6.7", "SMTPUTF8 is required for that address");
    static const struct onward_smtp_reply too_big =
        SERVER_REPLY(552, "5.3.4", "Message too big");
    const struct onward_smtp_reply *refusal;
    struct onward_str rest;

    if (!onward_core__str_istarts(args, ONWARD_STR("FROM:")))
        return &no_from;
    args = onward_core__sub(args, 5, args.len);
    refusal = server_path_parse(s, args, SERVER_REVERSE_PATH, path, &rest);
    if (refusal == NULL)
        refusal = server_params_parse(
            s, rest, mail_params, sizeof(mail_params) / sizeof(mail_params[0]),
            params);
    if (refusal != NULL)
        return refusal;
    if (path->mailbox.is_utf8 && !params->is_smtputf8)
        return &no_smtputf8;
    return params->size > s->limits.message_bytes ? &too_big : NULL;
}

int server_cmd_mail(struct onward_smtp_server *s, struct onward_str args)
{
    struct server_params params = {.offered = server_extensions(s)};
    const struct onward_smtp_reply *refusal;
    struct server_path path;

    if (s->helo.len == 0)
        return server_say(s, 503, "5.5.1",
                          s->mode == ONWARD_SMTP_SERVER_MODE_LMTP
                              ? "Send LHLO first"
                              : "Send EHLO first");
    if (server_txn(s)->is_open)
        return server_say(s, 503, "5.5.1", "Nested MAIL command");
    if (server_txn_begin(s) < 0)
        return server_say(s, 452, "4.3.0", "");
    params.arena = &s->txn->arena;
    /* AUTH= goes with a login too, which ends the offer. */
    if (s->is_authenticated)
        params.offered |= ONWARD_SMTP_EXT_AUTH;
    refusal = parse(s, args, &path, &params);
    if (refusal != NULL) {
        server_say_reply(s, refusal, 0);
        server_txn_drop(s, ONWARD_SMTP_RESET_REFUSED);
    } else {
        begin(s, &path, &params);
    }
    return SERVER_DONE;
}
