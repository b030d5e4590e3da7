/*
 * DATA and what follows it (RFC 5321 sections 4.1.1.4 and 4.5.2): octets go to
 * the host as they come, without the dots of transparency, up to CRLF.CRLF and
 * nothing else. A bare CR or LF never ends a line; it dooms the message, which
 * is then read to its true end and refused.
 */
#include "smtp/server_priv.h"

/* ---- DATA -------------------------------------------------------------- */

bool server_fits_data(size_t code)
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
    server_message_begin(s);
}

static const struct server_asker data_asker = {
    .fits = server_fits_data,
    .usual = SERVER_REPLY(354, "", "End data with <CR><LF>.<CR><LF>"),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = data_answered,
};

int server_cmd_data(struct onward_smtp_server *s, struct onward_str args)
{
    struct server_question *q;
    int handling = ONWARD_SMTP_DEFAULT;

    if (!server_txn(s)->is_open)
        return server_say(s, 503, "5.5.1", "Need MAIL first");
    if (args.len > 0)
        return server_say(s, 501, "5.5.4", "DATA takes no parameters");
    /* RFC 2033 section 4.2 wants 503. */
    if (server_txn(s)->rcpt_accepted == 0)
        return server_say(s, s->mode == ONWARD_SMTP_SERVER_MODE_LMTP ? 503 : 554,
                          "5.5.1", "No valid recipients");
    /* RFC 3030 sections 2 and 3. */
    if (server_txn(s)->is_chunked)
        return server_say(s, 503, "5.5.1", "BDAT has begun the message");
    if (server_txn(s)->params.body == ONWARD_SMTP_BODY_BINARYMIME)
        return server_say(s, 503, "5.5.1", "BINARYMIME needs BDAT");
    q = server_question_open(s, &data_asker);
    if (q == NULL)
        return SERVER_DONE;
    if (s->host.data != NULL)
        handling = s->host.data(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
    return SERVER_DONE;
}

/* ---- Octets ------------------------------------------------------------ */

/*
 * In text up to a CR or LF. Returns the octets up to and with it, or all.
 */
static size_t skip_text(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len)
{
    const unsigned char *lf, *cr;
    size_t n;

    /* Never far ahead: many a CR before one LF would be many a long look. */
    if (len > SERVER_LOOK_AHEAD)
        len = SERVER_LOOK_AHEAD;
    lf = memchr(data, '\n', len);
    n = lf != NULL ? (size_t)(lf - data) : len;
    cr = memchr(data, '\r', n);
    if (cr != NULL) {
        s->txn->scan = SCAN_CR;
        return (size_t)(cr - data) + 1;
    }
    if (lf == NULL)
        return len;
    server_message_bare(s);
    return n + 1;
}

/*
 * One octet that is not plain text. False: it does not belong to the message
 * (a dot of transparency, the end mark, a CR that is held back).
 */
static bool scan_octet(struct onward_smtp_server *s, unsigned char c)
{
    static const unsigned char held = '\r';

    switch (s->txn->scan) {
    case SCAN_LINE_START:
        s->txn->scan = SCAN_TEXT;
        if (c == '.')
            s->txn->scan = SCAN_DOT;
        else if (c == '\r')
            s->txn->scan = SCAN_CR;
        else if (c == '\n')
            server_message_bare(s);
        return c != '.';
    case SCAN_CR:
        if (c == '\n') {
            s->txn->scan = SCAN_LINE_START;
            return true;
        }
        server_message_bare(s);
        s->txn->scan = c == '\r' ? SCAN_CR : SCAN_TEXT;
        return true;
    case SCAN_DOT:
        if (c == '\r') {
            s->txn->scan = SCAN_DOT_CR;
            return false;
        }
        if (c == '\n')
            server_message_bare(s);
        /* The sender doubled a leading dot so that no line of text looks like
         * the end mark; the one before this octet is gone. */
        s->txn->scan = SCAN_TEXT;
        return true;
    case SCAN_DOT_CR:
        if (c == '\n') {
            s->txn->scan = SCAN_END;
            return false;
        }
        server_message_bare(s);
        s->txn->scan = c == '\r' ? SCAN_CR : SCAN_TEXT;
        server_message_give(s, &held, 1);
        return true;
    case SCAN_TEXT:
    case SCAN_END:
        break;
    }
    return true;
}

void server_data_feed(struct onward_smtp_server *s, const unsigned char *data,
                      size_t len, size_t *taken)
{
    size_t from = 0, at = 0; /* data[from..at) is to be given */

    s->has_progress = true;
    while (at < len && !server_is_over(s) && s->txn->scan != SCAN_END &&
           !s->is_host_paused) {
        enum server_scan before = s->txn->scan;

        if (before == SCAN_TEXT) {
            at += skip_text(s, data + at, len - at);
            continue;
        }
        /* What is held back, or follows it, is not in one piece with what
         * stands before. */
        if (before == SCAN_DOT || before == SCAN_DOT_CR)
            from = at;
        if (!scan_octet(s, data[at])) {
            server_message_give(s, data + from, at - from);
            from = at + 1;
        }
        at++;
    }
    if (from < at)
        server_message_give(s, data + from, at - from);
    *taken = at;
    if (!server_is_over(s) && s->txn->scan == SCAN_END) {
        s->txn->scan = SCAN_LINE_START;
        server_message_end(s);
    }
}
