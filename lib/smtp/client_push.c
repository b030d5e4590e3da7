/*
 * The octets of a message on their way out: by DATA with its final dot (RFC
 * 5321 section 4.5.2), or in chunks of BDAT (RFC 3030), which are no longer
 * than what the source has and so need not be gathered first.
 */
#include "smtp/client_priv.h"

static int give_up(struct onward_smtp_client *c, enum onward_smtp_cause cause)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, ONWARD_SMTP_PHASE_CONTENT, cause);
    onward_smtp__client_end(c, &why);
    return 0;
}

static void hold(struct onward_smtp_client *c)
{
    c->state = ONWARD_CLIENT_HELD;
    onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    c->news.held = true;
    onward_core__task_ready(&c->task);
}

/* All was written; the server's word is next. */
static void await_final(struct onward_smtp_client *c)
{
    c->mail.emitted++;
    c->state = ONWARD_CLIENT_FINAL;
    onward_smtp__expect_within(c, c->opts.final_timeout_ms);
}

/* The next piece of the source. 1: got some or all of it is read (*got 0); 0:
 * not now, or the session has ended. */
static int pull(struct onward_smtp_client *c, unsigned char *block, size_t cap,
                size_t *got)
{
    struct onward_smtp__mail *mail = &c->mail;
    int err = onward_mime__pull(&mail->pull, mail->offset, block, cap, got);

    if (err == ONWARD_AGAIN) {
        /* We are slow, not the server; the delivery's deadline holds. */
        onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
        return 0;
    }
    if (err != 0)
        return give_up(c, ONWARD_SMTP_CAUSE_SOURCE);
    mail->offset += *got;
    return 1;
}

/* ---- DATA -------------------------------------------------------------- */

int onward_smtp__mail_write_dot(struct onward_smtp_client *c)
{
    int err;

    onward_smtp__mail_note_seen(c);
    err = onward_channel__write(&c->channel, ".\r\n", 3);
    if (err < 0)
        return err;
    await_final(c);
    return 0;
}

/* scratch to the channel; err is what filling it gave. */
static int write_scratch(struct onward_smtp_client *c, int err)
{
    if (err == ONWARD_ESYNTAX)
        return give_up(c, ONWARD_SMTP_CAUSE_BARE_NEWLINE);
    if (err == 0)
        err = onward_channel__write_str(&c->channel,
                                        onward_core__buf_str(&c->scratch));
    return err < 0 ? err : 0;
}

static int end_data(struct onward_smtp_client *c)
{
    int err;

    onward_core__buf_reset(&c->scratch);
    err = onward_smtp__content_finish(&c->mail.content, &c->scratch);
    err = write_scratch(c, err);
    if (err < 0 || c->state != ONWARD_CLIENT_CONTENT)
        return err;
    if (!c->mail.hold_dot)
        return onward_smtp__mail_write_dot(c);
    hold(c);
    return 0;
}

static int push_data(struct onward_smtp_client *c, unsigned char *block,
                     size_t cap)
{
    size_t got = 0;
    int err = pull(c, block, cap, &got);

    if (err != 1)
        return err;
    if (got == 0)
        return end_data(c);
    onward_core__buf_reset(&c->scratch);
    err = onward_smtp__content_feed(&c->mail.content, block, got, &c->scratch);
    err = write_scratch(c, err);
    return err < 0 ? err : c->state == ONWARD_CLIENT_CONTENT;
}

/* ---- BDAT -------------------------------------------------------------- */

/* May the next chunk begin? After a refusal none does. */
static bool may_chunk(const struct onward_smtp_client *c)
{
    const struct onward_smtp__mail *mail = &c->mail;

    return !mail->is_stopped &&
           (mail->answered == mail->emitted || !onward_smtp__mail_in_step(c));
}

static int begin_chunk(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    uint64_t left = mail->wire_len - mail->offset;
    int err;

    mail->chunk_left = left;
    if (left > c->opts.chunk_bytes)
        mail->chunk_left = c->opts.chunk_bytes;
    mail->is_last_chunk = mail->chunk_left == left && !mail->hold_dot;
    onward_smtp__mail_note_seen(c);
    err = onward_smtp__write_bdat(c, mail->chunk_left, mail->is_last_chunk);
    return err < 0 ? err : 0;
}

static void end_chunk(struct onward_smtp_client *c)
{
    if (c->mail.is_last_chunk)
        await_final(c);
    else
        c->mail.emitted++;
}

/* The source, then the CRLF that its last line lacks. As pull. */
static int pull_wire(struct onward_smtp_client *c, unsigned char *block,
                     size_t cap, size_t *got)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (mail->offset < mail->pull.source.len)
        return pull(c, block, cap, got);
    block[0] = mail->wire_len - mail->offset == 2 ? '\r' : '\n';
    *got = 1;
    mail->offset++;
    return 1;
}

static int write_octets(struct onward_smtp_client *c,
                        const unsigned char *block, size_t len)
{
    struct onward_smtp__mail *mail = &c->mail;
    int err;

    /* The source may not be what it was when it was read ahead. */
    if (!mail->is_binary &&
        onward_smtp__content_feed(&mail->content, block, len, NULL) != 0)
        return give_up(c, ONWARD_SMTP_CAUSE_BARE_NEWLINE);
    err = onward_channel__write(&c->channel, block, len);
    if (err < 0)
        return err;
    mail->chunk_left -= len;
    return 1;
}

/* One piece of the chunk that has begun. 1: go on; 0: not now; or an error. */
static int push_chunk(struct onward_smtp_client *c, unsigned char *block,
                      size_t cap)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t got = 0;
    int err = 1;

    if (mail->chunk_left != 0) {
        err = pull_wire(c, block,
                        mail->chunk_left < cap ? (size_t)mail->chunk_left : cap,
                        &got);
        if (err == 1)
            err = write_octets(c, block, got);
    }
    if (err == 1 && mail->chunk_left == 0)
        end_chunk(c);
    return err;
}

static int push_bdat(struct onward_smtp_client *c, unsigned char *block,
                     size_t cap)
{
    struct onward_smtp__mail *mail = &c->mail;
    int err;

    if (mail->chunk_left != 0)
        return push_chunk(c, block, cap);
    if (mail->offset == mail->wire_len && mail->hold_dot && !mail->is_stopped) {
        hold(c);
        return 0;
    }
    if (!may_chunk(c))
        return 0;
    err = begin_chunk(c);
    return err < 0 ? err : push_chunk(c, block, cap);
}

/* ---- Both -------------------------------------------------------------- */

/* HELD, and let go: the final dot, or "BDAT 0 LAST". */
static int go_on_held(struct onward_smtp_client *c)
{
    int err;

    if (c->mail.hold_dot)
        return 0;
    if (!c->mail.uses_bdat)
        return onward_smtp__mail_write_dot(c);
    if (!may_chunk(c))
        return 0;
    err = begin_chunk(c);
    if (err == 0)
        end_chunk(c);
    return err;
}

int onward_smtp__mail_push(struct onward_smtp_client *c)
{
    unsigned char block[ONWARD_SMTP__BLOCK];
    int err = 1;

    if (c->state == ONWARD_CLIENT_HELD)
        return go_on_held(c);
    /* Before anything is written: a chunk that was shown whole can be answered,
     * though the next is on its way. */
    onward_smtp__mail_note_seen(c);
    onward_smtp__expect_within(c, c->opts.block_timeout_ms);
    while (err == 1 && c->state == ONWARD_CLIENT_CONTENT &&
           !onward_channel__is_full(&c->channel)) {
        err = c->mail.uses_bdat ? push_bdat(c, block, sizeof(block))
                                : push_data(c, block, sizeof(block));
    }
    return err < 0 ? err : 0;
}
