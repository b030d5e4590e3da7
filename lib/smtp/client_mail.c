/*
 * One transaction through RSET, MAIL, RCPT and DATA, in step or pipelined (RFC
 * 2920), and what the server says to it up to its last reply. The octets of the
 * message are client_push.c's.
 */
#include "smtp/client_priv.h"

/* ---- Steps ------------------------------------------------------------- */

/* Behind the last RCPT: DATA, or the first chunk of BDAT. */
static size_t data_step(const struct onward_smtp__mail *mail)
{
    return ONWARD_STEP_RCPT + mail->end - mail->first;
}

static struct onward_smtp__rcpt *rcpt_of(const struct onward_smtp__mail *mail,
                                         size_t step)
{
    return &mail->rcpts[mail->first + step - ONWARD_STEP_RCPT];
}

/* A recipient that had a verdict before it was its turn. */
static bool is_passed_over(const struct onward_smtp__mail *mail, size_t step)
{
    return step >= ONWARD_STEP_RCPT && step < data_step(mail) &&
           rcpt_of(mail, step)->outcome.cause != ONWARD_SMTP_CAUSE_NONE;
}

/* Keep answered at a step that a reply is due to. */
static void pass_over(struct onward_smtp__mail *mail)
{
    while (mail->answered < mail->emitted &&
           is_passed_over(mail, mail->answered))
        mail->answered++;
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
    for (size_t i = mail->first; i < mail->end; i++) {
        enum onward_smtp_fate fate = mail->rcpts[i].outcome.fate;

        if (fate == ONWARD_SMTP_FATE_TEMPORARY ||
            mail->outcome.fate == ONWARD_SMTP_FATE_PERMANENT)
            mail->outcome.fate = fate;
    }
}

/* A reply of a class that its command cannot have. */
int onward_smtp__mail_break_off(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, onward_smtp__client_phase(c),
                               ONWARD_SMTP_CAUSE_PROTOCOL);
    onward_smtp__client_end(c, &why);
    return 0;
}

/* ---- Commands ---------------------------------------------------------- */

static int write_step(struct onward_smtp_client *c, size_t step)
{
    if (step == ONWARD_STEP_RSET)
        return onward_smtp__write_verb(c, "RSET");
    if (step == ONWARD_STEP_MAIL) {
        c->mails_said++;
        return onward_smtp__write_mail(c);
    }
    if (is_passed_over(&c->mail, step))
        return 0;
    if (step < data_step(&c->mail))
        return onward_smtp__write_rcpt(c,
                                       c->mail.first + step - ONWARD_STEP_RCPT);
    return onward_smtp__write_verb(c, "DATA");
}

/* A reply can only answer what the peer can have seen. */
void onward_smtp__mail_note_seen(struct onward_smtp_client *c)
{
    if (!onward_channel__is_unseen(&c->channel))
        c->mail.seen = c->mail.emitted;
}

bool onward_smtp__mail_expects(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;

    if (!onward_channel__is_unseen(&c->channel))
        return mail->answered < mail->emitted;
    return mail->answered < mail->seen;
}

bool onward_smtp__mail_in_step(const struct onward_smtp_client *c)
{
    return (c->offers.set & ONWARD_SMTP_EXT_PIPELINING) == 0 ||
           (c->opts.flags & ONWARD_SMTP_CLIENT_IN_STEP) != 0;
}

/* May the next step be written now? A chunk waits for all replies: it is large,
 * and of no use without a recipient. */
static bool may_emit(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;
    size_t end = data_step(mail) + (mail->uses_bdat ? 0 : 1);

    if (mail->is_stopped || mail->emitted >= end ||
        onward_channel__is_full(&c->channel))
        return false;
    if (mail->emitted == mail->answered)
        return mail->emitted < data_step(mail) || mail->accepted != 0;
    return !onward_smtp__mail_in_step(c);
}

int onward_smtp__mail_emit(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    while (may_emit(c)) {
        int err;

        onward_smtp__mail_note_seen(c);
        err = write_step(c, mail->emitted);
        if (err < 0)
            return err;
        mail->emitted++;
        pass_over(mail);
    }
    if (mail->answered != mail->emitted || onward_channel__is_full(&c->channel))
        return 0;
    /* All is answered and nothing more is asked. */
    if (!mail->is_stopped && mail->accepted != 0) {
        c->state = ONWARD_CLIENT_CONTENT;
        return onward_smtp__mail_push(c);
    }
    if (!mail->is_stopped)
        set_recipients_outcome(mail);
    return onward_smtp__mail_conclude(c);
}

/* ---- Replies ----------------------------------------------------------- */

static bool is_lmtp(const struct onward_smtp_client *c)
{
    return (c->opts.flags & ONWARD_SMTP_CLIENT_LMTP) != 0;
}

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
        return onward_smtp__mail_break_off(c);
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
        return onward_smtp__mail_break_off(c);
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
        /* How many replies LMTP has for it nobody can say. */
        if (is_lmtp(c))
            return onward_smtp__mail_break_off(c);
        return onward_smtp__mail_write_dot(c);
    }
    if (!is_refusal(c->reply.code))
        return onward_smtp__mail_break_off(c);
    if (mail->is_stopped || mail->accepted == 0)
        return 0;
    onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_DATA,
                               &mail->arena, NULL);
    mail->is_stopped = true;
    return 0;
}

/* To a chunk that is not the last. */
static int on_chunk(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (c->reply.code / 100 != 2 && !is_refusal(c->reply.code))
        return onward_smtp__mail_break_off(c);
    mail->answered++;
    if (is_refusal(c->reply.code) && !mail->is_stopped) {
        onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_CONTENT,
                                   &mail->arena, NULL);
        mail->is_stopped = true;
        /* How many replies LMTP has for the rest nobody can say. */
        if (mail->is_last_chunk && is_lmtp(c)) {
            onward_smtp__client_end(c, &mail->outcome);
            return 0;
        }
    }
    /* A chunk that was begun is sent to its end: the server counts. */
    if (mail->is_stopped && mail->chunk_left == 0 &&
        mail->answered == mail->emitted)
        return onward_smtp__mail_conclude(c);
    return 0;
}

/* RFC 2033 section 4.2: one reply for each recipient that was accepted. True:
 * there are more to come. */
static bool take_lmtp_final(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    struct onward_smtp__rcpt *rcpt;

    while (!mail->rcpts[mail->final_at].is_accepted)
        mail->final_at++;
    rcpt = &mail->rcpts[mail->final_at];
    onward_smtp__outcome_reply(&rcpt->outcome, c, ONWARD_SMTP_PHASE_FINAL,
                               &mail->arena, &mail->text_left);
    rcpt->is_accepted = false;
    mail->accepted--;
    onward_smtp__mail_keep_best(mail, &rcpt->outcome);
    return mail->accepted != 0;
}

/* To the final dot, or to the last chunk. */
static int on_final(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (c->reply.code / 100 != 2 && !is_refusal(c->reply.code))
        return onward_smtp__mail_break_off(c);
    if (is_lmtp(c) && take_lmtp_final(c)) {
        onward_smtp__expect_within(c, c->opts.final_timeout_ms);
        return 0;
    }
    /* After the dot the transaction is gone, whatever the reply; after a chunk
     * that was refused nobody knows (RFC 3030 section 2). */
    c->needs_rset =
        mail->uses_bdat && (mail->is_stopped || c->reply.code / 100 != 2);
    if (is_lmtp(c))
        mail->outcome = mail->best;
    else if (!mail->is_stopped)
        onward_smtp__outcome_reply(&mail->outcome, c, ONWARD_SMTP_PHASE_FINAL,
                                   &mail->arena, NULL);
    return onward_smtp__mail_conclude(c);
}

static int on_step(struct onward_smtp_client *c, size_t step)
{
    if (step == ONWARD_STEP_RSET)
        return on_rset(c);
    if (step == ONWARD_STEP_MAIL)
        return on_mail(c);
    if (step < data_step(&c->mail))
        return on_rcpt(c, rcpt_of(&c->mail, step));
    return on_data(c);
}

int onward_smtp__mail_reply(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t step = mail->answered;
    int err;

    if (c->state == ONWARD_CLIENT_FINAL && step + 1 == mail->emitted)
        return on_final(c);
    if (c->state != ONWARD_CLIENT_ENVELOPE)
        return on_chunk(c);
    err = on_step(c, step);
    mail->answered++;
    if (err != 0 || c->state != ONWARD_CLIENT_ENVELOPE)
        return err;
    pass_over(mail);
    onward_smtp__expect_within(c, mail->answered == data_step(mail)
                                      ? c->opts.data_timeout_ms
                                      : c->opts.command_timeout_ms);
    return 0;
}
