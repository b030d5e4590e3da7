/*
 * Reading a message ahead, before MAIL: is it fit to be sent, does it need
 * 8BITMIME, and how long is it? Nothing is known of the server here.
 */
#include "smtp/client_priv.h"

/* Blocks in one go; then other work of the desk has its turn. */
enum { BLOCKS = 16 };

static void refuse(struct onward_smtp_client *c, enum onward_smtp_cause cause)
{
    struct onward_smtp__outcome outcome;

    onward_smtp__outcome_local(&outcome, ONWARD_SMTP_PHASE_CHECK, cause);
    onward_smtp__mail_finish(c, &outcome);
}

static void is_fit(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;

    if (onward_smtp__content_finish(&mail->content, NULL) != 0) {
        refuse(c, ONWARD_SMTP_CAUSE_BARE_NEWLINE);
        return;
    }
    mail->size = mail->content.size;
    mail->is_8bit = mail->content.has_8bit;
    mail->has_bare = mail->content.has_bare;
    mail->lacks_end = mail->content.lacked_end;
    mail->state = ONWARD_MAIL_WAITING;
}

void onward_smtp__mail_look_ahead(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    unsigned char block[ONWARD_SMTP__BLOCK];

    for (int i = 0; i < BLOCKS; i++) {
        size_t got = 0;
        int err = onward_mime__pull(&mail->pull, mail->offset, block,
                                    sizeof(block), &got);

        if (err == ONWARD_AGAIN)
            return;
        if (err != 0) {
            refuse(c, ONWARD_SMTP_CAUSE_SOURCE);
            return;
        }
        if (got == 0) {
            is_fit(c);
            return;
        }
        if (onward_smtp__content_feed(&mail->content, block, got, NULL) != 0) {
            refuse(c, ONWARD_SMTP_CAUSE_BARE_NEWLINE);
            return;
        }
        mail->offset += got;
    }
    onward_core__task_ready(&c->task);
}
