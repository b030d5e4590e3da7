/*
 * RCPT (RFC 5321 section 4.1.1.3): a recipient more. Several may wait for the
 * host at once; one that is refused by the session itself waits for them.
 */
#include "smtp/server_priv.h"

static const struct server_param rcpt_params[] = {
    {"NOTIFY", ONWARD_SMTP_EXT_DSN, server_take_notify},
    {"ORCPT", ONWARD_SMTP_EXT_DSN, server_take_orcpt},
};

static bool fits_rcpt(size_t code)
{
    return code == 250 || code == 251 || code / 100 == 4 || code / 100 == 5;
}

static void rcpt_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    struct server_rcpt *rcpt = &s->txn->rcpts[q->index];

    server_say_reply(s, &q->reply, 0);
    rcpt->code = q->reply.code;
    rcpt->is_accepted = server_is_yes(&q->reply);
    if (rcpt->is_accepted)
        s->txn->rcpt_accepted++;
}

static const struct server_asker rcpt_asker = {
    .fits = fits_rcpt,
    .usual = SERVER_REPLY(250, "2.1.5", "Recipient OK"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .overlaps = true,
    .answered = rcpt_answered,
};

/* Room for one recipient more. */
static int grow(struct onward_smtp_server *s)
{
    struct server_txn *txn = s->txn;
    size_t cap = txn->rcpt_cap == 0 ? 4 : txn->rcpt_cap * 2;
    struct server_rcpt *grown;

    if (txn->rcpt_count < txn->rcpt_cap)
        return 0;
    grown = onward_core__realloc(s->ctx, txn->rcpts, cap * sizeof(*grown));
    if (grown == NULL)
        return ONWARD_ENOMEM;
    txn->rcpts = grown;
    txn->rcpt_cap = cap;
    return 0;
}

static void ask(struct onward_smtp_server *s, const struct server_path *path,
                const struct server_params *params)
{
    struct server_question *q = server_question_open(s, &rcpt_asker);
    int handling;

    if (q == NULL)
        return;
    q->index = s->txn->rcpt_count++;
    s->txn->rcpts[q->index] = (struct server_rcpt){
        .path = *path, .notify = params->notify, .orcpt = params->orcpt};
    handling = s->host.rcpt(s->host.user, q->ask.token, q->index);
    server_question_asked(s, q, handling);
}

/* NULL, or the reply that refuses it. */
static const struct onward_smtp_reply *parse(struct onward_smtp_server *s,
                                             struct onward_str args,
                                             struct server_path *path,
                                             struct server_params *params)
{
    static const struct onward_smtp_reply no_mail =
        SERVER_REPLY(503, "5.5.1", "Need MAIL first");
    static const struct onward_smtp_reply too_late =
        SERVER_REPLY(503, "5.5.1", "The message has begun");
    static const struct onward_smtp_reply no_to =
        SERVER_REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>");
    static const struct onward_smtp_reply no_smtputf8 =
        SERVER_REPLY(553, "5.6.7", "SMTPUTF8 is required for that address");
    /* 452, not 552 (RFC 5321 section 4.5.3.1.10); nothing is kept. */
    static const struct onward_smtp_reply too_many =
        SERVER_REPLY(452, "4.5.3", "Too many recipients");
    const struct onward_smtp_reply *refusal;
    struct onward_str rest;

    if (!server_txn(s)->is_open)
        return &no_mail;
    if (s->txn->is_chunked)
        return &too_late;
    if (!onward_core__str_istarts(args, ONWARD_STR("TO:")))
        return &no_to;
    /* Refused ones count too: each has cost a question. */
    if (server_txn(s)->rcpt_count >= s->limits.recipients || grow(s) < 0)
        return &too_many;
    params->arena = &s->txn->arena;
    args = onward_core__sub(args, 3, args.len);
    refusal = server_path_parse(s, args, SERVER_FORWARD_PATH, path, &rest);
    if (refusal == NULL)
        refusal = server_params_parse(
            s, rest, rcpt_params, sizeof(rcpt_params) / sizeof(rcpt_params[0]),
            params);
    if (refusal == NULL && path->mailbox.is_utf8 &&
        !server_txn(s)->params.is_smtputf8)
        refusal = &no_smtputf8;
    return refusal;
}

int server_cmd_rcpt(struct onward_smtp_server *s, struct onward_str args)
{
    struct server_params params = {.offered = server_extensions(s)};
    const struct onward_smtp_reply *refusal;
    struct server_path path;

    refusal = parse(s, args, &path, &params);
    if (refusal == NULL)
        ask(s, &path, &params);
    else if (s->first != NULL)
        return SERVER_HOLD;
    else
        server_say_reply(s, refusal, 0);
    return SERVER_DONE;
}
