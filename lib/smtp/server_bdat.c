/*
 * BDAT (RFC 3030): a chunk of the message behind each command, counted, so that
 * nothing inside of it is a command or an end. A chunk that cannot be taken is
 * read to its end all the same and answered then; with it the transaction is
 * gone, so chunks and commands that were sent after it find none.
 *
 * Bare CR and LF doom a message here as they do in DATA: it may go on by DATA,
 * where others see line ends in them. Only BODY=BINARYMIME says that there are
 * no lines; such a message can go on by BDAT alone.
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

static void chunk_done(struct onward_smtp_server *s);

void server_chunk_drop(struct onward_smtp_server *s)
{
    if (s->chunk == NULL)
        return;
    onward_core__free(s->ctx, s->chunk->text);
    onward_core__free(s->ctx, s->chunk);
    s->chunk = NULL;
}

static void start(struct onward_smtp_server *s)
{
    s->state = SERVER_CHUNK;
    s->chunk->start_ms = onward_channel__now(&s->channel);
    if (s->chunk->left == 0)
        chunk_done(s);
}

/* ---- The first chunk asks as DATA does --------------------------------- */

static void bdat_answered(struct onward_smtp_server *s,
                          struct server_question *q)
{
    if (q->reply.code != 354) {
        s->chunk->refusal = q->reply;
        s->chunk->text = q->text;
        q->text = NULL;
        if (server_is_last(&q->reply)) {
            server_say_reply(s, &s->chunk->refusal, 0);
            return;
        }
    }
    start(s);
}

static const struct server_asker bdat_asker = {
    .fits = server_fits_data,
    .usual = SERVER_REPLY(354, "", ""),
    .failure = SERVER_REPLY(451, "4.3.0", ""),
    .answered = bdat_answered,
};

static void ask(struct onward_smtp_server *s)
{
    struct server_question *q = server_question_open(s, &bdat_asker);
    int handling = ONWARD_SMTP_DEFAULT;

    if (q == NULL)
        return;
    s->txn->is_chunked = true;
    server_message_begin(s);
    if (s->host.data != NULL)
        handling = s->host.data(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

/* ---- The command ------------------------------------------------------- */

/* NULL, or why the chunk is not taken. */
static const struct onward_smtp_reply *
refuse(const struct onward_smtp_server *s, uint64_t size,
       struct onward_str mark)
{
    static const struct onward_smtp_reply not_offered =
        SERVER_REPLY(502, "5.5.1", "CHUNKING is not offered");
    static const struct onward_smtp_reply syntax =
        SERVER_REPLY(501, "5.5.4", "Syntax: BDAT size [LAST]");
    static const struct onward_smtp_reply no_mail =
        SERVER_REPLY(503, "5.5.1", "Need MAIL first");
    static const struct onward_smtp_reply no_rcpt =
        SERVER_REPLY(554, "5.5.1", "No valid recipients");
    const struct server_txn *txn = server_txn(s);

    if (!s->is_esmtp || (server_extensions(s) & ONWARD_SMTP_EXT_CHUNKING) == 0)
        return &not_offered;
    if (mark.len > 0 && !onward_core__str_ieq(mark, ONWARD_STR("LAST")))
        return &syntax;
    if (!txn->is_open)
        return &no_mail;
    if (txn->rcpt_accepted == 0)
        return &no_rcpt;
    if (size > s->limits.message_bytes ||
        txn->message_size > s->limits.message_bytes - size)
        return server_message_doomed(SERVER_DOOM_SIZE);
    return NULL;
}

/* Without the size nobody knows where the next command begins. */
int server_bdat_lost(struct onward_smtp_server *s)
{
    return server_end_with(s, ONWARD_ESYNTAX, 501, "5.5.4",
                           "Syntax: BDAT size [LAST]", "bdat-size",
                           onward_core__str(NULL, 0));
}

int server_cmd_bdat(struct onward_smtp_server *s, struct onward_str args)
{
    size_t size_len = onward_core__str_find(args, ' ');
    struct onward_str mark = onward_core__sub(args, size_len + 1, args.len);
    const struct onward_smtp_reply *refusal;
    uint64_t size = 0;

    if (onward_core__parse_u64(onward_core__sub(args, 0, size_len), 20, &size) <
        0)
        return server_bdat_lost(s);
    /* Each chunk has its own time, so many small ones could go on for ever. */
    if (size < SERVER_CHUNK_SMALL && mark.len == 0 &&
        ++s->junk_count > s->limits.junk)
        return server_end_with(s, ONWARD_ELIMIT, 421, "4.7.0",
                               "Too many small chunks", "too-much-junk",
                               onward_core__str(NULL, 0));
    refusal = refuse(s, size, mark);
    /* More than anybody has to send in vain. */
    if (refusal != NULL && size / 2 > s->limits.message_bytes) {
        server_say_reply(s, refusal, 0);
        if (!server_is_over(s))
            server_end(s, ONWARD_ELIMIT);
        return SERVER_DONE;
    }
    s->chunk = onward_core__zalloc(s->ctx, sizeof(*s->chunk));
    if (s->chunk == NULL) {
        s->error = ONWARD_ENOMEM;
        return SERVER_DONE;
    }
    s->chunk->size = s->chunk->left = size;
    s->chunk->is_last = mark.len > 0;
    if (refusal != NULL)
        s->chunk->refusal = *refusal;
    if (refusal == NULL && !s->txn->is_chunked)
        ask(s);
    else
        start(s);
    return SERVER_DONE;
}

/* ---- The octets -------------------------------------------------------- */

static void scan(struct onward_smtp_server *s, const unsigned char *data,
                 size_t len)
{
    bool is_behind_cr = s->txn->scan == SCAN_CR;
    size_t at = 0;

    while (at < len) {
        size_t ahead = len - at;
        const unsigned char *lf, *cr;
        size_t n;

        if (ahead > SERVER_LOOK_AHEAD)
            ahead = SERVER_LOOK_AHEAD;
        if (is_behind_cr) {
            if (data[at] != '\n')
                server_message_bare(s);
            is_behind_cr = data[at++] == '\r';
            continue;
        }
        lf = memchr(data + at, '\n', ahead);
        n = lf != NULL ? (size_t)(lf - data) - at : ahead;
        cr = memchr(data + at, '\r', n);
        is_behind_cr = cr != NULL;
        if (cr == NULL && lf != NULL)
            server_message_bare(s);
        at = cr != NULL ? (size_t)(cr - data) + 1 : at + n + (lf != NULL);
    }
    s->txn->scan = is_behind_cr ? SCAN_CR : SCAN_TEXT;
}

size_t server_bdat_feed(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len)
{
    struct server_chunk *chunk = s->chunk;
    size_t n = chunk->left < len ? (size_t)chunk->left : len;

    s->has_progress = true;
    chunk->left -= n;
    if (chunk->refusal.code == 0) {
        if (s->txn->params.body != ONWARD_SMTP_BODY_BINARYMIME)
            scan(s, data, n);
        server_message_give(s, data, n);
    }
    /* Inside message_data the host may have ended the session. */
    if (!server_is_over(s) && chunk->left == 0)
        chunk_done(s);
    return n;
}

/* The chunk is whole. */
static void chunk_done(struct onward_smtp_server *s)
{
    struct server_chunk chunk = *s->chunk;

    s->chunk->text = NULL;
    server_chunk_drop(s);
    s->state = SERVER_COMMAND;
    if (chunk.refusal.code != 0) {
        server_message_refuse(s, &chunk.refusal, chunk.is_last);
        onward_core__free(s->ctx, chunk.text);
        return;
    }
    if (chunk.is_last && s->txn->scan == SCAN_CR)
        server_message_bare(s);
    if (chunk.is_last)
        server_message_end(s);
    else if (s->txn->doom != SERVER_DOOM_NONE)
        server_message_refuse(s, server_message_doomed(s->txn->doom), false);
    else
        server_say(s, 250, "2.0.0", "Chunk taken");
}
