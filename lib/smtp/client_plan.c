/*
 * How a message goes over this session: whether this server can take it at all,
 * by DATA or BDAT, and in how many transactions (RFC 9422).
 */
#include "smtp/client_priv.h"

/* ---- What stands against it -------------------------------------------- */

static bool offers(const struct onward_smtp_client *c, uint64_t set)
{
    return (c->offers.set & set) == set;
}

/* RFC 8689 section 4.2.1, from step 4 on; what comes before is the host's. */
static enum onward_smtp_cause tls_obstacle(const struct onward_smtp_client *c)
{
    const struct onward_tls_facts *facts = onward_smtp__tls_facts_of(c);

    if (!c->mail.requires_tls)
        return ONWARD_SMTP_CAUSE_NONE;
    if (!c->is_secured || facts == NULL || facts->is_verified != 1)
        return ONWARD_SMTP_CAUSE_UNVERIFIED;
    return offers(c, ONWARD_SMTP_EXT_REQUIRETLS)
               ? ONWARD_SMTP_CAUSE_NONE
               : ONWARD_SMTP_CAUSE_NO_REQUIRETLS;
}

/* What this server cannot take, found before it is asked. */
static enum onward_smtp_cause obstacle(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;
    enum onward_smtp_cause cause = tls_obstacle(c);

    if (cause != ONWARD_SMTP_CAUSE_NONE)
        return cause;
    /* SMTPUTF8 without 8BITMIME is no SMTPUTF8 (RFC 6531 section 3.1). */
    if (mail->is_utf8 && !offers(c, ONWARD_SMTP_EXT_SMTPUTF8 |
                                        (uint64_t)ONWARD_SMTP_EXT_8BITMIME))
        return ONWARD_SMTP_CAUSE_NO_SMTPUTF8;
    /* BINARYMIME goes by BDAT only (RFC 3030 section 3). */
    if (mail->is_binary && !offers(c, ONWARD_SMTP_EXT_BINARYMIME |
                                          (uint64_t)ONWARD_SMTP_EXT_CHUNKING))
        return ONWARD_SMTP_CAUSE_NO_BINARYMIME;
    if (mail->is_8bit && !offers(c, ONWARD_SMTP_EXT_8BITMIME))
        return ONWARD_SMTP_CAUSE_NO_8BITMIME;
    if (c->offers.max_size != 0 && mail->size > c->offers.max_size)
        return ONWARD_SMTP_CAUSE_SIZE;
    /* Every MAIL counts, also one that was refused (RFC 9422 section 4.1). */
    if (c->offers.limits.mails != 0 && c->mails_said >= c->offers.limits.mails)
        return ONWARD_SMTP_CAUSE_LIMIT;
    return ONWARD_SMTP_CAUSE_NONE;
}

/* A repaired message is longer than its source, and by how much in which chunk
 * is not known when the chunk begins; so it goes by DATA. */
static bool goes_by_bdat(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;

    if (mail->is_binary)
        return true;
    return offers(c, ONWARD_SMTP_EXT_CHUNKING) && !mail->has_bare &&
           (c->opts.flags & ONWARD_SMTP_CLIENT_PREFER_BDAT) != 0;
}

/* ---- Transactions ------------------------------------------------------ */

static void refuse_rcpt(struct onward_smtp__rcpt *rcpt)
{
    onward_smtp__outcome_local(&rcpt->outcome, ONWARD_SMTP_PHASE_CHECK,
                               ONWARD_SMTP_CAUSE_LIMIT);
}

/* The next recipients, as many as the server takes: 1; 0: it takes none; or
 * ONWARD_ENOMEM. */
static int take_rcpts(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t max = c->offers.limits.rcpts;
    size_t count = 0;
    int err;

    mail->first = mail->end;
    for (; mail->end < mail->rcpt_count; mail->end++) {
        struct onward_smtp__rcpt *rcpt = &mail->rcpts[mail->end];

        if (max != 0 && count == max)
            break;
        err = onward_smtp__domains_admit(c, rcpt->path);
        if (err < 0)
            return err;
        count += (size_t)err;
        if (err == 0)
            refuse_rcpt(rcpt);
    }
    /* There is one final dot to be let go. */
    for (size_t i = mail->end; mail->is_held && i < mail->rcpt_count; i++)
        refuse_rcpt(&mail->rcpts[i]);
    return count != 0;
}

static int finish_for(struct onward_smtp_client *c,
                      enum onward_smtp_cause cause)
{
    struct onward_smtp__outcome outcome;

    onward_smtp__outcome_local(&outcome, ONWARD_SMTP_PHASE_CHECK, cause);
    onward_smtp__mail_finish(c, &outcome);
    return 0;
}

static int begin_transaction(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    enum onward_smtp_cause cause = obstacle(c);
    int err = 1;

    /* This session is of no more use. */
    if (cause == ONWARD_SMTP_CAUSE_LIMIT)
        c->wants_quit = true;
    if (cause == ONWARD_SMTP_CAUSE_NONE)
        err = take_rcpts(c);
    if (err < 0)
        return err;
    if (err == 0)
        cause = ONWARD_SMTP_CAUSE_LIMIT;
    if (cause != ONWARD_SMTP_CAUSE_NONE)
        return finish_for(c, cause);
    mail->state = ONWARD_MAIL_SENDING;
    mail->outcome = (struct onward_smtp__outcome){.fate = 0};
    mail->offset = 0;
    mail->accepted = 0;
    mail->final_at = mail->first;
    mail->is_stopped = false;
    mail->is_last_chunk = false;
    onward_smtp__content_init(&mail->content,
                              mail->content.repair && !mail->uses_bdat);
    mail->emitted = c->needs_rset ? ONWARD_STEP_RSET : ONWARD_STEP_MAIL;
    mail->answered = mail->emitted;
    mail->seen = mail->emitted;
    c->state = ONWARD_CLIENT_ENVELOPE;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    return onward_smtp__mail_emit(c);
}

int onward_smtp__mail_begin(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    mail->has_dsn = mail->wants_dsn && offers(c, ONWARD_SMTP_EXT_DSN);
    mail->uses_bdat = goes_by_bdat(c);
    mail->is_planned = true;
    mail->wire_len = mail->pull.source.len + (mail->lacks_end ? 2 : 0);
    mail->end = 0;
    return begin_transaction(c);
}

/* ---- Afterwards -------------------------------------------------------- */

/* The more it helps the message, the higher. */
static int rank(const struct onward_smtp__outcome *outcome)
{
    switch (outcome->fate) {
    case ONWARD_SMTP_FATE_DELIVERED:
        return 3;
    case ONWARD_SMTP_FATE_TEMPORARY:
        return 2;
    case ONWARD_SMTP_FATE_NOT_TRIED:
        return 1;
    case ONWARD_SMTP_FATE_PERMANENT:
        break;
    }
    return 0;
}

void onward_smtp__mail_keep_best(struct onward_smtp__mail *mail,
                                 const struct onward_smtp__outcome *outcome)
{
    if (!mail->has_best || rank(outcome) > rank(&mail->best))
        mail->best = *outcome;
    mail->has_best = true;
}

/* Recipients of the transaction without a verdict of their own share its. */
static void settle_rcpts(struct onward_smtp__mail *mail)
{
    for (size_t i = mail->first; i < mail->end; i++) {
        struct onward_smtp__rcpt *rcpt = &mail->rcpts[i];

        /* The server's yes to RCPT was no delivery yet. */
        if (rcpt->is_accepted || rcpt->outcome.cause == ONWARD_SMTP_CAUSE_NONE)
            rcpt->outcome = mail->outcome;
        rcpt->is_accepted = false;
    }
}

int onward_smtp__mail_conclude(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    c->state = ONWARD_CLIENT_IDLE;
    onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    settle_rcpts(mail);
    /* A MAIL that was refused would be so again. */
    if (mail->end < mail->rcpt_count &&
        mail->outcome.phase != ONWARD_SMTP_PHASE_MAIL && !mail->is_held) {
        onward_smtp__mail_keep_best(mail, &mail->outcome);
        return begin_transaction(c);
    }
    onward_smtp__mail_finish(c, &mail->outcome);
    return 0;
}

void onward_smtp__mail_finish(struct onward_smtp_client *c,
                              const struct onward_smtp__outcome *outcome)
{
    struct onward_smtp__mail *mail = &c->mail;
    struct onward_smtp__outcome last;

    onward_smtp__outcome_copy(&last, outcome, &mail->arena);
    for (size_t i = 0; i < mail->rcpt_count; i++) {
        struct onward_smtp__rcpt *rcpt = &mail->rcpts[i];

        if (rcpt->is_accepted || rcpt->outcome.cause == ONWARD_SMTP_CAUSE_NONE)
            rcpt->outcome = last;
        rcpt->is_accepted = false;
    }
    onward_smtp__mail_keep_best(mail, &last);
    mail->outcome = mail->best;
    onward_mime__pull_clear(&mail->pull);
    mail->state = ONWARD_MAIL_DONE;
    mail->has_deadline = false;
    onward_core__task_deadline(&c->task, ONWARD_NEVER);
    c->news.done = true;
    onward_core__task_ready(&c->task);
}
