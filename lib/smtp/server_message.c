/*
 * DATA and what follows it (RFC 5321 sections 4.1.1.4 and 4.5.2): octets go to
 * the host as they come, without the dots of transparency, up to CRLF.CRLF and
 * nothing else. A bare CR or LF never ends a line; it dooms the message, which
 * is then read to its true end and refused.
 */
#include "smtp/server_priv.h"

/* What a doomed message is refused with. */
static const struct onward_smtp_reply dooms[] = {
    [SERVER_DOOM_NONE] = {.size = 0},
    [SERVER_DOOM_HOST] = SERVER_REPLY(451, "4.3.0", ""),
    [SERVER_DOOM_SIZE] = SERVER_REPLY(552, "5.3.4", "Message too big"),
    [SERVER_DOOM_BARE] =
        SERVER_REPLY(550, "5.6.0", "Bare CR or LF in the message"),
};

/* The worst counts, so that the reply does not depend on the cuts. */
static void doom(struct onward_smtp_server *s, enum server_doom why)
{
    if (s->doom < why)
        s->doom = why;
}

/* ---- DATA -------------------------------------------------------------- */

static bool fits_data(size_t code)
{
    return code == 354 || code / 100 == 4 || code / 100 == 5;
}

static void data_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    server_say_reply(s, &q->reply, 0);
    if (q->reply.code != 354 || server_is_over(s))
        return;
    s->state = SERVER_MESSAGE;
    s->scan = SCAN_LINE_START;
    s->doom = SERVER_DOOM_NONE;
    s->message_start_ms = onward_channel__now(&s->channel);
}

static const struct server_asker data_asker = {
    .fits = fits_data,
    .usual = SERVER_REPLY(354, "", "End data with <CR><LF>.<CR><LF>"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = data_answered,
};

int server_cmd_data(struct onward_smtp_server *s, struct onward_str args)
{
    struct server_question *q;
    int handling = ONWARD_SMTP_DEFAULT;

    if (!s->txn.is_open)
        return server_say(s, 503, "5.5.1", "Need MAIL first");
    if (args.len > 0)
        return server_say(s, 501, "5.5.4", "DATA takes no parameters");
    if (s->txn.rcpt_accepted == 0)
        return server_say(s, 554, "5.5.1", "No valid recipients");
    q = server_question_open(s, &data_asker);
    if (q == NULL)
        return SERVER_DONE;
    if (s->host.data != NULL)
        handling = s->host.data(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
    return SERVER_DONE;
}

/* ---- The end ----------------------------------------------------------- */

/* Whatever it is, the transaction is gone with it. */
static void end_with_reply(struct onward_smtp_server *s,
                           const struct onward_smtp_reply *reply)
{
    bool is_yes = server_is_yes(reply);

    s->state = SERVER_COMMAND;
    server_say_reply(s, reply, 0);
    if (is_yes)
        s->junk_count = 0;
    s->message_reply = reply;
    server_txn_drop(s, is_yes ? ONWARD_SMTP_RESET_DONE
                              : ONWARD_SMTP_RESET_REFUSED);
    s->message_reply = NULL;
}

static void end_answered(struct onward_smtp_server *s,
                         struct server_question *q)
{
    size_t errors = s->error_count;

    end_with_reply(s, &q->reply);
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

static void message_end(struct onward_smtp_server *s)
{
    struct server_question *q;
    int handling;

    if (s->doom != SERVER_DOOM_NONE) {
        end_with_reply(s, &dooms[s->doom]);
        return;
    }
    q = server_question_open(s, &end_asker);
    if (q == NULL)
        return;
    handling = s->host.message_end(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

/* ---- Octets ------------------------------------------------------------ */

/* A part of the message. The limit holds on what came, whatever SIZE= said. */
static void give(struct onward_smtp_server *s, const unsigned char *data,
                 size_t len)
{
    uint64_t limit = s->limits.message_bytes;

    if (len == 0 || server_is_over(s))
        return;
    s->txn.message_size += len;
    if (s->txn.message_size > limit)
        doom(s, SERVER_DOOM_SIZE);
    if (s->txn.message_size > limit && s->txn.message_size - limit > limit) {
        /* It has no end. */
        server_say_reply(s, &dooms[SERVER_DOOM_SIZE], 0);
        if (!server_is_over(s))
            server_end(s, ONWARD_ELIMIT);
        return;
    }
    if (s->doom != SERVER_DOOM_NONE)
        return;
    if (s->host.message_data(s->host.user, data, len) < 0 && !server_is_over(s))
        doom(s, SERVER_DOOM_HOST);
}

static void found_bare(struct onward_smtp_server *s)
{
    if ((s->flags & ONWARD_SMTP_SERVER_ALLOW_BARE_LF) == 0)
        doom(s, SERVER_DOOM_BARE);
}

/*
 * In text up to a CR or LF. Returns the octets up to and with it, or all.
 */
static size_t skip_text(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len)
{
    const unsigned char *lf = memchr(data, '\n', len);
    size_t n = lf != NULL ? (size_t)(lf - data) : len;
    const unsigned char *cr = memchr(data, '\r', n);

    if (cr != NULL) {
        s->scan = SCAN_CR;
        return (size_t)(cr - data) + 1;
    }
    if (lf == NULL)
        return len;
    found_bare(s);
    return n + 1;
}

/*
 * One octet that is not plain text. False: it does not belong to the message
 * (a dot of transparency, the end mark, a CR that is held back).
 */
static bool scan_octet(struct onward_smtp_server *s, unsigned char c)
{
    static const unsigned char held = '\r';

    switch (s->scan) {
    case SCAN_LINE_START:
        s->scan = SCAN_TEXT;
        if (c == '.')
            s->scan = SCAN_DOT;
        else if (c == '\r')
            s->scan = SCAN_CR;
        else if (c == '\n')
            found_bare(s);
        return c != '.';
    case SCAN_CR:
        if (c == '\n') {
            s->scan = SCAN_LINE_START;
            return true;
        }
        found_bare(s);
        s->scan = c == '\r' ? SCAN_CR : SCAN_TEXT;
        return true;
    case SCAN_DOT:
        if (c == '\r') {
            s->scan = SCAN_DOT_CR;
            return false;
        }
        if (c == '\n')
            found_bare(s);
        /* The sender doubled a leading dot so that no line of text looks like
         * the end mark; the one before this octet is gone. */
        s->scan = SCAN_TEXT;
        return true;
    case SCAN_DOT_CR:
        if (c == '\n') {
            s->scan = SCAN_END;
            return false;
        }
        found_bare(s);
        give(s, &held, 1);
        s->scan = c == '\r' ? SCAN_CR : SCAN_TEXT;
        return true;
    case SCAN_TEXT:
    case SCAN_END:
        break;
    }
    return true;
}

void server_message_feed(struct onward_smtp_server *s,
                         const unsigned char *data, size_t len, size_t *taken)
{
    size_t from = 0, at = 0; /* data[from..at) is to be given */

    s->has_progress = true;
    while (at < len && s->scan != SCAN_END && !server_is_over(s) &&
           !s->is_host_paused) {
        enum server_scan before = s->scan;

        if (before == SCAN_TEXT) {
            at += skip_text(s, data + at, len - at);
            continue;
        }
        /* What is held back, or follows it, is not in one piece with what
         * stands before. */
        if (before == SCAN_DOT || before == SCAN_DOT_CR)
            from = at;
        if (!scan_octet(s, data[at])) {
            give(s, data + from, at - from);
            from = at + 1;
        }
        at++;
    }
    if (from < at)
        give(s, data + from, at - from);
    *taken = at;
    if (s->scan == SCAN_END && !server_is_over(s)) {
        s->scan = SCAN_LINE_START;
        message_end(s);
    }
}
