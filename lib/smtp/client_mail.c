/*
 * One message through RSET, MAIL, RCPT and DATA, in step or pipelined (RFC
 * 2920), then its octets, the final dot and what the server says to it.
 */
#include "smtp/client_priv.h"

static size_t data_step(const struct onward_smtp__mail *mail)
{
    return ONWARD_STEP_RCPT + mail->rcpt_count;
}

/* ---- The end of a message ---------------------------------------------- */

void onward_smtp__mail_finish(struct onward_smtp_client *c,
                              const struct onward_smtp__outcome *outcome)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (outcome != &mail->outcome)
        onward_smtp__outcome_copy(&mail->outcome, outcome, &mail->arena);
    for (size_t i = 0; i < mail->rcpt_count; i++) {
        struct onward_smtp__rcpt *rcpt = &mail->rcpts[i];

        /* The server's yes to RCPT was no delivery yet. */
        if (rcpt->is_accepted || rcpt->outcome.cause == ONWARD_SMTP_CAUSE_NONE)
            rcpt->outcome = mail->outcome;
    }
    onward_mime__pull_clear(&mail->pull);
    mail->state = ONWARD_MAIL_DONE;
    mail->has_deadline = false;
    onward_core__task_deadline(&c->task, ONWARD_NEVER);
    c->news.done = true;
    onward_core__task_ready(&c->task);
}

/* The transaction is over; the session goes on. */
static int conclude(struct onward_smtp_client *c)
{
    c->state = ONWARD_CLIENT_IDLE;
    onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    onward_smtp__mail_finish(c, &c->mail.outcome);
    return 0;
}

/* No recipient is left: the message's fate is the best of theirs. */
static void set_recipients_outcome(struct onward_smtp__mail *mail)
{
    mail->outcome = (struct onward_smtp__outcome){
        .fate = ONWARD_SMTP_FATE_PERMANENT,
        .phase = ONWARD_SMTP_PHASE_RCPT,
        .cause = ONWARD_SMTP_CAUSE_RECIPIENTS,
        .text = ONWARD_STR("no recipient was accepted"),
    };
    for (size_t i = 0; i < mail->rcpt_count; i++) {
        if (mail->rcpts[i].outcome.fate == ONWARD_SMTP_FATE_TEMPORARY)
            mail->outcome.fate = ONWARD_SMTP_FATE_TEMPORARY;
    }
}

/* A reply of a class that its command cannot have. */
static int break_off(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, onward_smtp__client_phase(c),
                               ONWARD_SMTP_CAUSE_PROTOCOL);
    onward_smtp__client_end(c, &why);
    return 0;
}

/* ---- The beginning ----------------------------------------------------- */

/* What this server cannot take, found before it is asked. */
static enum onward_smtp_cause obstacle(const struct onward_smtp_client *c)
{
    const uint64_t utf8 =
        ONWARD_SMTP_EXT_SMTPUTF8 | (uint64_t)ONWARD_SMTP_EXT_8BITMIME;

    /* SMTPUTF8 without 8BITMIME is no SMTPUTF8 (RFC 6531 section 3.1). */
    if (c->mail.is_utf8 && (c->offers.set & utf8) != utf8)
        return ONWARD_SMTP_CAUSE_NO_SMTPUTF8;
    if (c->mail.is_8bit && (c->offers.set & ONWARD_SMTP_EXT_8BITMIME) == 0)
        return ONWARD_SMTP_CAUSE_NO_8BITMIME;
    if (c->offers.max_size != 0 && c->mail.size > c->offers.max_size)
        return ONWARD_SMTP_CAUSE_SIZE;
    return ONWARD_SMTP_CAUSE_NONE;
}

int onward_smtp__mail_begin(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    enum onward_smtp_cause cause = obstacle(c);

    if (cause != ONWARD_SMTP_CAUSE_NONE) {
        onward_smtp__outcome_local(&mail->outcome, ONWARD_SMTP_PHASE_CHECK,
                                   cause);
        onward_smtp__mail_finish(c, &mail->outcome);
        return 0;
    }
    mail->state = ONWARD_MAIL_SENDING;
    mail->offset = 0;
    onward_smtp__content_init(&mail->content, mail->content.repair);
    mail->emitted = c->needs_rset ? ONWARD_STEP_RSET : ONWARD_STEP_MAIL;
    mail->answered = mail->emitted;
    mail->seen = mail->emitted;
    c->state = ONWARD_CLIENT_ENVELOPE;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    return onward_smtp__mail_emit(c);
}

/* ---- Commands ---------------------------------------------------------- */

static int write_step(struct onward_smtp_client *c, size_t step)
{
    if (step == ONWARD_STEP_RSET)
        return onward_smtp__write_verb(c, "RSET");
    if (step == ONWARD_STEP_MAIL)
        return onward_smtp__write_mail(c);
    if (step < data_step(&c->mail))
        return onward_smtp__write_rcpt(c, step - ONWARD_STEP_RCPT);
    return onward_smtp__write_verb(c, "DATA");
}

bool onward_smtp__mail_expects(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;

    if (!onward_channel__is_unseen(&c->channel))
        return mail->answered < mail->emitted;
    return mail->answered < mail->seen;
}

/* May the next step be written now? */
static bool may_emit(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;
    bool in_step = (c->offers.set & ONWARD_SMTP_EXT_PIPELINING) == 0;

    if (mail->is_stopped || mail->emitted > data_step(mail) ||
        onward_channel__is_full(&c->channel))
        return false;
    if (mail->emitted == mail->answered)
        return mail->emitted < data_step(mail) || mail->accepted != 0;
    return !in_step;
}

int onward_smtp__mail_emit(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    while (may_emit(c)) {
        int err;

        /* A reply can only answer what the peer can have seen. */
        if (!onward_channel__is_unseen(&c->channel))
            mail->seen = mail->emitted;
        err = write_step(c, mail->emitted);
        if (err < 0)
            return err;
        mail->emitted++;
    }
    if (mail->answered != mail->emitted)
        return 0;
    /* All is answered and nothing more is asked. */
    if (!mail->is_stopped)
        set_recipients_outcome(mail);
    return conclude(c);
}

/* ---- Octets ------------------------------------------------------------ */

static int write_dot(struct onward_smtp_client *c)
{
    int err = onward_channel__write(&c->channel, ".\r\n", 3);

    if (err < 0)
        return err;
    c->state = ONWARD_CLIENT_FINAL;
    onward_smtp__expect_within(c, c->opts.final_timeout_ms);
    return 0;
}

static int give_up(struct onward_smtp_client *c, enum onward_smtp_cause cause)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, ONWARD_SMTP_PHASE_CONTENT, cause);
    onward_smtp__client_end(c, &why);
    return 0;
}

/* scratch to the channel; *err is for the caller when that is not 0. */
static int write_scratch(struct onward_smtp_client *c, int err)
{
    if (err == ONWARD_ESYNTAX)
        return give_up(c, ONWARD_SMTP_CAUSE_BARE_NEWLINE);
    if (err == 0)
        err = onward_channel__write_str(&c->channel,
                                        onward_core__buf_str(&c->scratch));
    return err < 0 ? err : 0;
}

static int end_content(struct onward_smtp_client *c)
{
    int err;

    onward_core__buf_reset(&c->scratch);
    err = onward_smtp__content_finish(&c->mail.content, &c->scratch);
    err = write_scratch(c, err);
    if (err < 0 || c->state != ONWARD_CLIENT_CONTENT)
        return err;
    if (!c->mail.hold_dot)
        return write_dot(c);
    c->state = ONWARD_CLIENT_HELD;
    onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    c->news.held = true;
    onward_core__task_ready(&c->task);
    return 0;
}

/* HELD, and let go. */
static int go_on_held(struct onward_smtp_client *c)
{
    return c->mail.hold_dot ? 0 : write_dot(c);
}

int onward_smtp__mail_push(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    unsigned char block[ONWARD_SMTP__BLOCK];

    if (c->state == ONWARD_CLIENT_HELD)
        return go_on_held(c);
    onward_smtp__expect_within(c, c->opts.block_timeout_ms);
    while (!onward_channel__is_full(&c->channel)) {
        size_t got = 0;
        int err = onward_mime__pull(&mail->pull, mail->offset, block,
                                    sizeof(block), &got);

        if (err == ONWARD_AGAIN) {
            /* We are slow, not the server; the delivery's deadline holds. */
            onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
            return 0;
        }
        if (err != 0)
            return give_up(c, ONWARD_SMTP_CAUSE_SOURCE);
        if (got == 0)
            return end_content(c);
        mail->offset += got;
        onward_core__buf_reset(&c->scratch);
        err =
            onward_smtp__content_feed(&mail->content, block, got, &c->scratch);
        err = write_scratch(c, err);
        if (err < 0 || c->state != ONWARD_CLIENT_CONTENT)
            return err;
    }
    return 0;
}

/* ---- Replies ----------------------------------------------------------- */

static bool is_refusal(size_t code)
{
    return code / 100 == 4 || code / 100 == 5;
}

static int on_rset(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    if (c->reply.code / 100 == 2) {
        c->needs_rset = false;
        return 0;
    }
    /* A server that cannot forget would mix two messages. */
    onward_smtp__outcome_reply(&why, c, ONWARD_SMTP_PHASE_RSET, &c->arena,
                               NULL);
    why.fate = ONWARD_SMTP_FATE_TEMPORARY;
    onward_smtp__client_end(c, &why);
    return 0;
}

static int on_mail(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (c->reply.code / 100 == 2) {
        c->needs_rset = true;
        return 0;
    }
    if (!is_refusal(c->reply.code))
        return break_off(c);
    onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_MAIL,
                               &mail->arena, NULL);
    mail->is_stopped = true;
    return 0;
}

static int on_rcpt(struct onward_smtp_client *c, struct onward_smtp__rcpt *rcpt)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t code = c->reply.code;

    /* MAIL was refused; this only says so again. */
    if (mail->is_stopped)
        return 0;
    if (code / 100 != 2 && !is_refusal(code))
        return break_off(c);
    onward_smtp__outcome_reply(&rcpt->outcome, c, ONWARD_SMTP_PHASE_RCPT,
                               &mail->arena, &mail->text_left);
    if (code / 100 == 2) {
        rcpt->is_accepted = true;
        rcpt->outcome.fate = ONWARD_SMTP_FATE_NOT_TRIED;
        mail->accepted++;
        return 0;
    }
    /* Old servers say 552 for too many recipients; those behind the first can
     * come again on their own (RFC 5321 section 4.5.3.1.10). */
    if (code == 552 && mail->accepted != 0 && rcpt->outcome.enhanced_len == 0)
        rcpt->outcome.fate = ONWARD_SMTP_FATE_TEMPORARY;
    return 0;
}

static int on_data(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (c->reply.code == 354) {
        if (!mail->is_stopped && mail->accepted != 0) {
            c->state = ONWARD_CLIENT_CONTENT;
            return 0;
        }
        /* The server waits for a message although it has no recipient: an
         * empty one, whose reply counts for nothing (RFC 2920 section 3.1). */
        if (!mail->is_stopped)
            set_recipients_outcome(mail);
        mail->is_stopped = true;
        return write_dot(c);
    }
    if (!is_refusal(c->reply.code))
        return break_off(c);
    if (mail->is_stopped || mail->accepted == 0)
        return 0;
    onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_DATA,
                               &mail->arena, NULL);
    mail->is_stopped = true;
    return 0;
}

static int on_final(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (c->reply.code / 100 != 2 && !is_refusal(c->reply.code))
        return break_off(c);
    /* After the dot the transaction is gone, whatever the reply. */
    c->needs_rset = false;
    if (!mail->is_stopped)
        onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_FINAL,
                                   &mail->arena, NULL);
    return conclude(c);
}

static int on_step(struct onward_smtp_client *c, size_t step)
{
    if (step == ONWARD_STEP_RSET)
        return on_rset(c);
    if (step == ONWARD_STEP_MAIL)
        return on_mail(c);
    if (step < data_step(&c->mail))
        return on_rcpt(c, &c->mail.rcpts[step - ONWARD_STEP_RCPT]);
    return on_data(c);
}

int onward_smtp__mail_reply(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    int err;

    if (c->state == ONWARD_CLIENT_FINAL)
        return on_final(c);
    err = on_step(c, mail->answered);
    mail->answered++;
    if (err == 0 && c->state == ONWARD_CLIENT_ENVELOPE)
        onward_smtp__expect_within(c, mail->answered == data_step(mail)
                                          ? c->opts.data_timeout_ms
                                          : c->opts.command_timeout_ms);
    return err;
}
