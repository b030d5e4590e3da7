/*
 * The loop of the server session: octets go to whom they belong, and what the
 * session waits for decides about pause and timeout. Commands it knows by a
 * table only (server_table.c, server_line.c).
 */
#include "smtp/server_priv.h"

/* ---- What it waits for ------------------------------------------------- */

static bool takes_input(const struct onward_smtp_server *s)
{
    if (s->state == SERVER_NEW &&
        (s->flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) != 0)
        return false;
    /* A client that talks before the greeting is found out. */
    if (s->state == SERVER_NEW || s->state == SERVER_GREETING ||
        s->state == SERVER_PROXY)
        return !server_is_over(s) && !s->is_early && !s->has_heard &&
               !s->is_host_paused;
    return !server_is_over(s) && !s->is_held && !s->is_host_paused &&
           (s->first == NULL || s->last->asker->overlaps) &&
           (s->state == SERVER_COMMAND || s->state == SERVER_MESSAGE ||
            s->state == SERVER_CHUNK);
}

/* What comes now is for the handshake of ours, not for the session. */
static bool feeds_filter(const struct onward_smtp_server *s)
{
    return s->state == SERVER_TLS && s->filter != NULL;
}

static enum server_wait wait_of(const struct onward_smtp_server *s)
{
    if (server_is_over(s) || s->is_host_paused)
        return SERVER_WAIT_NOTHING;
    if (s->first != NULL && server_is_delayed(s))
        return SERVER_WAIT_DELAY;
    /* An answer that is there waits for the client to read those before. */
    if (s->first != NULL)
        return s->first->is_answered && onward_channel__is_full(&s->channel)
                   ? SERVER_WAIT_COMMAND
                   : SERVER_WAIT_ANSWER;
    switch (s->state) {
    case SERVER_PROXY:
        return SERVER_WAIT_PROXY;
    case SERVER_NEW:
    case SERVER_GREETING:
    case SERVER_CLOSED:
        return SERVER_WAIT_NOTHING;
    case SERVER_COMMAND:
        return SERVER_WAIT_COMMAND;
    case SERVER_TLS:
        return SERVER_WAIT_TLS;
    case SERVER_MESSAGE:
    case SERVER_CHUNK:
        return SERVER_WAIT_MESSAGE;
    }
    return SERVER_WAIT_NOTHING;
}

/* A limit of milliseconds, which may be none. */
static int64_t ms_of(uint64_t ms)
{
    return ms >= UINT32_MAX ? ONWARD_NEVER : (int64_t)ms;
}

/* Octets may come slowly, but a message as a whole has to get on. */
static int64_t message_timeout(const struct onward_smtp_server *s)
{
    int64_t start =
        s->chunk != NULL ? s->chunk->start_ms : server_txn(s)->start_ms;
    uint64_t size = s->chunk != NULL ? s->chunk->size - s->chunk->left
                                     : server_txn(s)->message_size;
    int64_t passed = onward_channel__now(&s->channel) - start;
    uint64_t earned = size * 1000 / s->limits.data_rate;
    int64_t left = s->limits.command_ms + (int64_t)earned - passed;

    if (left < 0)
        left = 0;
    if (s->limits.command_ms == UINT32_MAX || left > s->limits.data_ms)
        return ms_of(s->limits.data_ms);
    return left;
}

static int64_t timeout_of(struct onward_smtp_server *s)
{
    switch (s->wait) {
    case SERVER_WAIT_NOTHING:
        return ONWARD_NEVER;
    case SERVER_WAIT_PROXY:
        return s->limits.command_ms < SERVER_PROXY_MS ? s->limits.command_ms
                                                      : SERVER_PROXY_MS;
    case SERVER_WAIT_COMMAND:
        return ms_of(s->limits.command_ms);
    case SERVER_WAIT_MESSAGE:
        return message_timeout(s);
    case SERVER_WAIT_TLS:
        return ms_of(s->limits.tls_ms);
    case SERVER_WAIT_ANSWER:
        return ms_of((s->first->asker->is_slow ? UINT64_C(2) : UINT64_C(1)) *
                     s->limits.answer_ms);
    case SERVER_WAIT_DELAY:
        return server_delay_ms(s);
    }
    return ONWARD_NEVER;
}

void server_update(struct onward_smtp_server *s)
{
    enum server_wait wait = wait_of(s);

    if (server_is_over(s))
        return;
    if (takes_input(s) || (feeds_filter(s) && !s->is_host_paused))
        onward_channel__resume(&s->channel);
    else if (s->state != SERVER_TLS || s->is_host_paused)
        onward_channel__pause(&s->channel);
    if (wait == s->wait && !s->has_progress)
        return;
    s->wait = wait;
    s->has_progress = false;
    onward_channel__set_timeout(&s->channel, timeout_of(s));
}

/* RFC 5321 section 3.8: 421 at any time, but an answer that is due goes out
 * first. */
static void shut_down(struct onward_smtp_server *s)
{
    if (server_is_over(s) || s->first != NULL || s->state == SERVER_NEW)
        return;
    if (s->state != SERVER_TLS && s->state != SERVER_PROXY)
        server_say(s, 421, "4.3.2", "Shutting down");
    if (!server_is_over(s))
        server_end(s, 0);
}

void server_go(struct onward_smtp_server *s)
{
    server_settle(s);
    while (!server_is_over(s) && s->is_held && !s->is_shutdown &&
           server_line_run(s, onward_core__buf_str(&s->line)) == SERVER_DONE) {
        server_line_drop(s);
        server_settle(s);
    }
    if (s->is_shutdown)
        shut_down(s);
    if (s->error != 0 && !onward_channel__is_dead(&s->channel))
        server_end(s, s->error);
    server_update(s);
}

/* ---- What the channel calls -------------------------------------------- */

static int finish(struct onward_smtp_server *s)
{
    if (onward_channel__is_dead(&s->channel))
        return 0;
    server_go(s);
    return onward_channel__is_dead(&s->channel) ? 0 : s->error;
}

/* Did the client talk before it could have seen our greeting (RFC 5321 section
 * 3.1 makes it wait)? */
static void look_for_early(struct onward_smtp_server *s)
{
    bool has_greeted = s->state != SERVER_NEW && s->state != SERVER_GREETING;

    if (s->has_heard || s->state == SERVER_PROXY)
        return;
    s->has_heard = has_greeted;
    if (has_greeted && !onward_channel__is_unseen(&s->channel))
        return;
    s->is_early = true;
    if (has_greeted && (s->flags & ONWARD_SMTP_SERVER_REFUSE_EARLY) != 0)
        server_end_with(s, ONWARD_ESYNTAX, 554, "5.5.1",
                        "Talked before the greeting", "early-talker",
                        onward_core__str(NULL, 0));
}

static int engine_feed(void *engine, const unsigned char *data, size_t len,
                       size_t *taken)
{
    struct onward_smtp_server *s = engine;
    size_t at = 0;

    if (onward_core__desk_is_dead(s->desk)) {
        s->error = ONWARD_ESTATE;
        return finish(s);
    }
    if (s->state == SERVER_TLS) {
        /* The host does TLS. What came before it could have seen our 220 is
         * plaintext that someone wants run under TLS. */
        if (onward_channel__is_unseen(&s->channel))
            server_end(s, ONWARD_ECRYPTO);
        else
            onward_channel__pause(&s->channel);
        return finish(s);
    }
    while (at < len && takes_input(s) &&
           !onward_channel__is_full(&s->channel)) {
        size_t n = 0;

        look_for_early(s);
        if (!takes_input(s))
            break;
        if (s->state == SERVER_PROXY)
            n = server_proxy_feed(s, data + at, len - at);
        else if (s->state == SERVER_MESSAGE)
            server_data_feed(s, data + at, len - at, &n);
        else if (s->state == SERVER_CHUNK)
            n = server_bdat_feed(s, data + at, len - at);
        else
            n = server_line_feed(s, data + at, len - at);
        at += n;
        server_settle(s);
    }
    if (s->state == SERVER_TLS && at < len &&
        (s->flags & ONWARD_SMTP_SERVER_HOST_TLS) != 0 && !server_is_over(s))
        server_end(s, ONWARD_ECRYPTO);
    *taken = at;
    return finish(s);
}

/* Clean or cut, in the middle of a message too: nothing is answered any more.
 */
static int engine_eof(void *engine, enum onward_eof kind)
{
    struct onward_smtp_server *s = engine;

    (void)kind;
    server_end(s, ONWARD_ECANCELED);
    return finish(s);
}

static int engine_timeout(void *engine, int64_t now_ms)
{
    struct onward_smtp_server *s = engine;

    (void)now_ms;
    s->has_progress = true;
    switch (s->wait) {
    case SERVER_WAIT_NOTHING:
        break;
    case SERVER_WAIT_COMMAND:
    case SERVER_WAIT_MESSAGE:
        server_end_with(s, ONWARD_ELIMIT, 421, "4.4.2", "Timeout", "timeout",
                        onward_core__str(NULL, 0));
        break;
    case SERVER_WAIT_PROXY:
    case SERVER_WAIT_TLS:
        server_end(s, ONWARD_ELIMIT);
        break;
    case SERVER_WAIT_ANSWER:
        server_question_expire(s);
        break;
    case SERVER_WAIT_DELAY:
        s->first->is_due = true;
        break;
    }
    return finish(s);
}

static int engine_drained(void *engine)
{
    return finish(engine);
}

static int engine_secured(void *engine, int status)
{
    struct onward_smtp_server *s = engine;
    bool is_first = (s->flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) != 0;

    if (status < 0) {
        server_end(s, ONWARD_ECRYPTO);
        return finish(s);
    }
    s->is_tls = true;
    s->state = is_first ? SERVER_NEW : SERVER_COMMAND;
    s->has_progress = true;
    if (s->host.secured != NULL)
        s->host.secured(s->host.user);
    if (is_first && !server_is_over(s))
        server_greet(s);
    return finish(s);
}

static void engine_destroy(void *engine)
{
    /* server.c knows what a session owns. */
    onward_smtp_server_free(engine);
}

const struct onward_channel_ops server_channel_ops = {
    .feed = engine_feed,
    .eof = engine_eof,
    .timeout = engine_timeout,
    .drained = engine_drained,
    .secured = engine_secured,
    .destroy = engine_destroy,
};
