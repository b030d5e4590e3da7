/*
 * What DATA and BDAT have in common: octets on their way to the host, and how
 * a message that is whole is answered. With LMTP that is one reply for each
 * recipient that was accepted (RFC 2033 section 4.2).
 */
#include "smtp/server_priv.h"

const struct onward_smtp_reply *server_message_doomed(enum server_doom why)
{
    static const struct onward_smtp_reply dooms[] = {
        [SERVER_DOOM_NONE] = {.size = 0},
        [SERVER_DOOM_HOST] = SERVER_REPLY(451, "4.3.0", ""),
        [SERVER_DOOM_SIZE] = SERVER_REPLY(552, "5.3.4", "Message too big"),
        [SERVER_DOOM_BARE] =
            SERVER_REPLY(550, "5.6.0", "Bare CR or LF in the message"),
    };

    return &dooms[why];
}

void server_message_doom(struct onward_smtp_server *s, enum server_doom why)
{
    if (s->txn->doom < why)
        s->txn->doom = why;
}

void server_message_begin(struct onward_smtp_server *s)
{
    s->txn->scan = SCAN_LINE_START;
    s->txn->doom = SERVER_DOOM_NONE;
    s->txn->start_ms = onward_channel__now(&s->channel);
}

/* ---- Octets ------------------------------------------------------------ */

void server_message_give(struct onward_smtp_server *s,
                         const unsigned char *data, size_t len)
{
    uint64_t limit = s->limits.message_bytes;
    uint64_t size;

    if (len == 0 || server_is_over(s))
        return;
    size = s->txn->message_size += len;
    if (size > limit)
        server_message_doom(s, SERVER_DOOM_SIZE);
    if (size > limit && size - limit > limit) {
        /* It has no end. */
        server_say_reply(s, server_message_doomed(SERVER_DOOM_SIZE), 0);
        if (!server_is_over(s))
            server_end(s, ONWARD_ELIMIT);
        return;
    }
    if (s->txn->doom != SERVER_DOOM_NONE)
        return;
    if (s->host.message_data(s->host.user, data, len) < 0 && !server_is_over(s))
        server_message_doom(s, SERVER_DOOM_HOST);
}

void server_message_bare(struct onward_smtp_server *s)
{
    if ((s->flags & ONWARD_SMTP_SERVER_ALLOW_BARE_LF) == 0)
        server_message_doom(s, SERVER_DOOM_BARE);
}

/* ---- The end ----------------------------------------------------------- */

/* The transaction is gone, for whatever reason; reply is told in `reset`. */
static void finish(struct onward_smtp_server *s,
                   const struct onward_smtp_reply *reply, bool is_done)
{
    if (is_done)
        s->junk_count = 0;
    s->txn->reply = reply;
    server_txn_drop(s, is_done ? ONWARD_SMTP_RESET_DONE
                               : ONWARD_SMTP_RESET_REFUSED);
}

/* reply as often as there are recipients, all at once: where a long text does
 * not fit it is left out. Escaped, an octet of it can take four. */
static struct onward_smtp_reply for_each(struct onward_smtp_server *s,
                                         const struct onward_smtp_reply *reply)
{
    struct onward_smtp_reply said = *reply;
    size_t room = onward_channel__out_room(&s->channel);

    if (s->txn->rcpt_accepted != 0 &&
        SERVER_REPLY_ROOM + 5 * reply->text.len > room / s->txn->rcpt_accepted)
        said.text = onward_core__str(NULL, 0);
    return said;
}

void server_message_answer(struct onward_smtp_server *s,
                           const struct onward_smtp_reply *reply)
{
    struct server_txn *txn = s->txn;
    size_t errors = s->error_count;

    s->state = SERVER_COMMAND;
    if (s->mode == ONWARD_SMTP_SERVER_MODE_LMTP) {
        const struct onward_smtp_reply said = for_each(s, reply);

        for (size_t i = 0; i < txn->rcpt_count && !server_is_over(s); i++) {
            if (!txn->rcpts[i].is_accepted)
                continue;
            txn->rcpts[i].code = said.code;
            server_say_reply(s, &said, 0);
        }
        /* One message, one error. */
        s->error_count = errors + (reply->code / 100 == 5 ? 1 : 0);
    } else {
        server_say_reply(s, reply, 0);
    }
    finish(s, reply, server_is_yes(reply));
}

void server_message_refuse(struct onward_smtp_server *s,
                           const struct onward_smtp_reply *reply, bool is_last)
{
    if (is_last && server_txn(s)->rcpt_accepted > 0) {
        server_message_answer(s, reply);
        return;
    }
    server_say_reply(s, reply, 0);
    if (server_txn(s)->is_open && !server_is_over(s))
        finish(s, reply, false);
}

static void end_answered(struct onward_smtp_server *s,
                         struct server_question *q)
{
    size_t errors = s->error_count;

    server_message_answer(s, &q->reply);
    /* What becomes of a message is the host's word, often that of a next hop:
     * no error of a client that relays for many. */
    s->error_count = errors;
}

static const struct server_asker end_asker = {
    .fits = server_fits_yes_no,
    .usual = SERVER_REPLY(250, "2.0.0", "Message accepted"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .is_slow = true,
    .answered = end_answered,
};

static void ask_once(struct onward_smtp_server *s)
{
    struct server_question *q = server_question_open(s, &end_asker);
    int handling;

    if (q == NULL)
        return;
    handling = s->host.message_end(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

/* ---- LMTP: recipient by recipient -------------------------------------- */

static void rcpt_end_answered(struct onward_smtp_server *s,
                              struct server_question *q)
{
    size_t errors = s->error_count;

    s->state = SERVER_COMMAND;
    server_say_reply(s, &q->reply, 0);
    s->error_count = errors;
    s->txn->rcpts[q->index].code = q->reply.code;
    if (server_is_yes(&q->reply))
        s->txn->delivered++;
    if (s->first == NULL && !server_is_over(s))
        finish(s, &q->reply, s->txn->delivered > 0);
}

static const struct server_asker rcpt_end_asker = {
    .fits = server_fits_yes_no,
    .usual = SERVER_REPLY(250, "2.0.0", "Message accepted"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .is_slow = true,
    .answered = rcpt_end_answered,
};

/* All tokens at once: the host may deliver to all at the same time. */
static void ask_each(struct onward_smtp_server *s)
{
    for (size_t i = 0; !server_is_over(s) && i < s->txn->rcpt_count; i++) {
        struct server_question *q;
        int handling;

        if (!s->txn->rcpts[i].is_accepted)
            continue;
        q = server_question_open(s, &rcpt_end_asker);
        if (q == NULL)
            return;
        q->index = i;
        handling = s->host.message_rcpt(s->host.user, q->ask.token, i);
        server_question_asked(s, q, handling);
    }
}

void server_message_end(struct onward_smtp_server *s)
{
    if (s->txn->doom != SERVER_DOOM_NONE)
        server_message_answer(s, server_message_doomed(s->txn->doom));
    else if (s->mode == ONWARD_SMTP_SERVER_MODE_LMTP &&
             s->host.message_rcpt != NULL)
        ask_each(s);
    else
        ask_once(s);
}
