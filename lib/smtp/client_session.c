/*
 * The session from greeting to QUIT: the engine below the channel. One state a
 * command; a reply in a state decides the next. The transaction of a message is
 * in client_mail.c.
 */
#include "smtp/client_priv.h"

/* ---- Time -------------------------------------------------------------- */

void onward_smtp__expect_within(struct onward_smtp_client *c, size_t timeout_ms)
{
    int64_t ms = ONWARD_NEVER;

    if (timeout_ms != ONWARD_LIMIT_NONE && (uint64_t)timeout_ms < INT64_MAX)
        ms = (int64_t)timeout_ms;
    onward_channel__set_timeout(&c->channel, ms);
}

/* ---- The end ----------------------------------------------------------- */

enum onward_smtp_phase
onward_smtp__client_phase(const struct onward_smtp_client *c)
{
    static const enum onward_smtp_phase phases[] = {
        [ONWARD_CLIENT_GREETING] = ONWARD_SMTP_PHASE_GREETING,
        [ONWARD_CLIENT_EHLO] = ONWARD_SMTP_PHASE_EHLO,
        [ONWARD_CLIENT_HELO] = ONWARD_SMTP_PHASE_EHLO,
        [ONWARD_CLIENT_STARTTLS] = ONWARD_SMTP_PHASE_STARTTLS,
        [ONWARD_CLIENT_HANDSHAKE] = ONWARD_SMTP_PHASE_TLS,
        [ONWARD_CLIENT_SETUP] = ONWARD_SMTP_PHASE_EHLO, /* see below */
        [ONWARD_CLIENT_IDLE] = ONWARD_SMTP_PHASE_IDLE,
        [ONWARD_CLIENT_ENVELOPE] = ONWARD_SMTP_PHASE_DATA,
        [ONWARD_CLIENT_CONTENT] = ONWARD_SMTP_PHASE_CONTENT,
        [ONWARD_CLIENT_HELD] = ONWARD_SMTP_PHASE_CONTENT,
        [ONWARD_CLIENT_FINAL] = ONWARD_SMTP_PHASE_FINAL,
        [ONWARD_CLIENT_QUIT] = ONWARD_SMTP_PHASE_QUIT,
        [ONWARD_CLIENT_ENDED] = ONWARD_SMTP_PHASE_QUIT,
    };

    if (c->state == ONWARD_CLIENT_SETUP)
        return onward_smtp__setup_phase(c);
    if (c->state != ONWARD_CLIENT_ENVELOPE)
        return phases[c->state];
    if (c->mail.answered == ONWARD_STEP_RSET)
        return ONWARD_SMTP_PHASE_RSET;
    if (c->mail.answered == ONWARD_STEP_MAIL)
        return ONWARD_SMTP_PHASE_MAIL;
    if (c->mail.answered < ONWARD_STEP_RCPT + c->mail.end - c->mail.first)
        return ONWARD_SMTP_PHASE_RCPT;
    return ONWARD_SMTP_PHASE_DATA;
}

/* Keep why the session ends; the first reason counts. */
static void keep_outcome(struct onward_smtp_client *c,
                         const struct onward_smtp__outcome *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    onward_smtp__outcome_copy(&c->outcome, why, &c->arena);
    if (why->cause != ONWARD_SMTP_CAUSE_NONE)
        onward_core__log(c->ctx, ONWARD_LOG_INFO, "smtp", "client-ended",
                         c->opts.log_id, why->text);
}

/* What stops us says nothing about a message that was never offered; once it
 * was, the server may have been told of its recipients. */
static void end_mail(struct onward_smtp_client *c,
                     const struct onward_smtp__outcome *why)
{
    struct onward_smtp__outcome outcome = *why;

    if (c->mail.state == ONWARD_MAIL_SENDING &&
        outcome.fate == ONWARD_SMTP_FATE_NOT_TRIED)
        outcome.fate = ONWARD_SMTP_FATE_TEMPORARY;
    if (onward_smtp__mail_is_open(&c->mail))
        onward_smtp__mail_finish(c, &outcome);
}

static bool is_in_mail(const struct onward_smtp_client *c)
{
    switch (c->state) {
    case ONWARD_CLIENT_ENVELOPE:
    case ONWARD_CLIENT_CONTENT:
    case ONWARD_CLIENT_HELD:
    case ONWARD_CLIENT_FINAL:
        return true;
    case ONWARD_CLIENT_GREETING:
    case ONWARD_CLIENT_EHLO:
    case ONWARD_CLIENT_HELO:
    case ONWARD_CLIENT_STARTTLS:
    case ONWARD_CLIENT_HANDSHAKE:
    case ONWARD_CLIENT_SETUP:
    case ONWARD_CLIENT_IDLE:
    case ONWARD_CLIENT_QUIT:
    case ONWARD_CLIENT_ENDED:
        break;
    }
    return false;
}

void onward_smtp__client_end(struct onward_smtp_client *c,
                             const struct onward_smtp__outcome *why)
{
    bool is_cut = is_in_mail(c);

    if (c->state == ONWARD_CLIENT_ENDED)
        return;
    end_mail(c, why);
    keep_outcome(c, why);
    c->state = ONWARD_CLIENT_ENDED;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    /* What waits to be written may be half a message, or a whole one of which
     * nobody is waiting for the reply. */
    if (is_cut)
        onward_channel__abort(&c->channel);
    else
        onward_channel__close(&c->channel);
    c->news.starttls = false;
    c->news.ready = false;
    c->news.held = false;
    c->news.closed = true;
    onward_core__task_ready(&c->task);
}

void onward_smtp__client_end_for(struct onward_smtp_client *c,
                                 enum onward_smtp_cause cause)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_local(&why, onward_smtp__client_phase(c), cause);
    why.tls_failure = onward_smtp__tls_failure(c, cause);
    onward_smtp__client_end(c, &why);
}

int onward_smtp__client_fail(struct onward_smtp_client *c, int error)
{
    if (error == ONWARD_ENOMEM)
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_MEMORY);
    else if (error == ONWARD_ECRYPTO)
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_TLS);
    else
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_LOST);
    return error;
}

/* ---- Commands between messages ----------------------------------------- */

static int say_quit(struct onward_smtp_client *c)
{
    int err = onward_smtp__write_verb(c, "QUIT");

    if (err < 0)
        return err;
    c->state = ONWARD_CLIENT_QUIT;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    return 0;
}

/* No message can be sent here; say goodbye as RFC 5321 section 4.1.1.10 asks.
 */
int onward_smtp__client_refuse(struct onward_smtp_client *c,
                               const struct onward_smtp__outcome *why)
{
    end_mail(c, why);
    keep_outcome(c, why);
    return say_quit(c);
}

int onward_smtp__client_refuse_by_reply(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_reply(&why, c, onward_smtp__client_phase(c), &c->arena,
                               NULL);
    /* A yes where none fits. */
    if (why.fate == ONWARD_SMTP_FATE_DELIVERED)
        why.fate = ONWARD_SMTP_FATE_TEMPORARY;
    return onward_smtp__client_refuse(c, &why);
}

int onward_smtp__client_hello(struct onward_smtp_client *c, const char *verb,
                              enum onward_smtp__client_state state)
{
    int err = onward_smtp__write_ehlo(c, verb);

    if (err < 0)
        return err;
    c->state = state;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
    return 0;
}

int onward_smtp__client_ehlo(struct onward_smtp_client *c)
{
    bool is_lmtp = (c->opts.flags & ONWARD_SMTP_CLIENT_LMTP) != 0;

    return onward_smtp__client_hello(c, is_lmtp ? "LHLO" : "EHLO",
                                     ONWARD_CLIENT_EHLO);
}

int onward_smtp__client_idle(struct onward_smtp_client *c)
{
    c->state = ONWARD_CLIENT_IDLE;
    onward_smtp__expect_within(c, ONWARD_LIMIT_NONE);
    c->news.ready = true;
    onward_core__task_ready(&c->task);
    return 0;
}

static int idle(struct onward_smtp_client *c)
{
    if (c->mail.state == ONWARD_MAIL_WAITING) {
        int err = onward_smtp__mail_begin(c);

        if (err != 0 || c->state != ONWARD_CLIENT_IDLE)
            return err;
    }
    if (c->wants_quit && !onward_smtp__mail_is_open(&c->mail))
        return say_quit(c);
    return 0;
}

/* Nothing under way: what only work needs is given back, as a host may keep
 * many connections that wait. */
static void rest(struct onward_smtp_client *c)
{
    if (c->state != ONWARD_CLIENT_IDLE || onward_smtp__mail_is_open(&c->mail) ||
        onward_smtp__reply_parser_is_open(&c->reply))
        return;
    onward_core__buf_clear(&c->scratch);
    onward_smtp__reply_parser_clear(&c->reply);
}

int onward_smtp__client_advance(struct onward_smtp_client *c)
{
    int err = 0;

    if (c->is_interrupted)
        return 0;
    if (c->state == ONWARD_CLIENT_ENVELOPE)
        err = onward_smtp__mail_emit(c);
    else if (c->state == ONWARD_CLIENT_CONTENT ||
             c->state == ONWARD_CLIENT_HELD)
        err = onward_smtp__mail_push(c);
    if (err == 0 && c->state == ONWARD_CLIENT_IDLE)
        err = idle(c);
    rest(c);
    return err < 0 ? onward_smtp__client_fail(c, err) : 0;
}

/* ---- Replies ----------------------------------------------------------- */

static int on_greeting(struct onward_smtp_client *c)
{
    if (c->reply.code / 100 != 2)
        return onward_smtp__client_refuse_by_reply(c);
    return onward_smtp__client_ehlo(c);
}

static int on_ehlo(struct onward_smtp_client *c)
{
    struct onward_smtp_reply reply;
    int err;

    if (c->reply.code / 100 == 5)
        return onward_smtp__tls_no_ehlo(c);
    if (c->reply.code / 100 != 2)
        return onward_smtp__client_refuse_by_reply(c);
    onward_smtp__reply_parser_get(&c->reply, &reply);
    err = onward_smtp__offers_take(&c->offers, reply.text);
    return err != 0 ? err : onward_smtp__tls_after_ehlo(c);
}

static int on_helo(struct onward_smtp_client *c)
{
    return c->reply.code / 100 == 2 ? onward_smtp__setup_begin(c)
                                    : onward_smtp__client_refuse_by_reply(c);
}

/* The server is going away (RFC 5321 section 3.8), whatever was asked. */
static int on_421(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_reply(&why, c, onward_smtp__client_phase(c), &c->arena,
                               NULL);
    onward_smtp__client_end(c, &why);
    return 0;
}

/* Nobody had asked: it answers nothing, least of all a later command. */
static int on_unasked(struct onward_smtp_client *c)
{
    struct onward_smtp__outcome why;

    onward_smtp__outcome_reply(&why, c, onward_smtp__client_phase(c), &c->arena,
                               NULL);
    why.fate = ONWARD_SMTP_FATE_TEMPORARY;
    if (why.code != 421)
        why.cause = ONWARD_SMTP_CAUSE_PROTOCOL;
    onward_smtp__client_end(c, &why);
    return 0;
}

static int on_reply(struct onward_smtp_client *c)
{
    if (c->is_interrupted)
        return on_unasked(c);
    if (c->reply.code == 421 && c->state != ONWARD_CLIENT_QUIT)
        return on_421(c);
    switch (c->state) {
    case ONWARD_CLIENT_GREETING:
        return on_greeting(c);
    case ONWARD_CLIENT_EHLO:
        return on_ehlo(c);
    case ONWARD_CLIENT_HELO:
        return on_helo(c);
    case ONWARD_CLIENT_STARTTLS:
        return onward_smtp__tls_on_reply(c);
    case ONWARD_CLIENT_SETUP:
        return onward_smtp__setup_on_reply(c);
    case ONWARD_CLIENT_ENVELOPE:
    case ONWARD_CLIENT_CONTENT:
    case ONWARD_CLIENT_HELD:
    case ONWARD_CLIENT_FINAL:
        return onward_smtp__mail_reply(c);
    case ONWARD_CLIENT_QUIT:
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_NONE);
        return 0;
    case ONWARD_CLIENT_IDLE:
    case ONWARD_CLIENT_HANDSHAKE:
    case ONWARD_CLIENT_ENDED:
        break;
    }
    return 0;
}

/* May a reply begin now? */
static bool expects_reply(const struct onward_smtp_client *c)
{
    switch (c->state) {
    case ONWARD_CLIENT_GREETING:
    case ONWARD_CLIENT_QUIT:
        return true;
    case ONWARD_CLIENT_EHLO:
    case ONWARD_CLIENT_HELO:
    case ONWARD_CLIENT_STARTTLS:
        return !onward_channel__is_unseen(&c->channel);
    case ONWARD_CLIENT_SETUP:
        return onward_smtp__setup_expects(c);
    case ONWARD_CLIENT_ENVELOPE:
    case ONWARD_CLIENT_CONTENT:
    case ONWARD_CLIENT_HELD:
    case ONWARD_CLIENT_FINAL:
        return onward_smtp__mail_expects(c);
    case ONWARD_CLIENT_IDLE:
    case ONWARD_CLIENT_HANDSHAKE:
    case ONWARD_CLIENT_ENDED:
        break;
    }
    return false;
}

/* The server speaks unasked: stop, hear it out, end. */
static void interrupt(struct onward_smtp_client *c)
{
    if (c->is_interrupted)
        return;
    c->is_interrupted = true;
    onward_smtp__expect_within(c, c->opts.command_timeout_ms);
}

/* ---- The engine of the channel ----------------------------------------- */

static int read_one(struct onward_smtp_client *c, const unsigned char *data,
                    size_t len, size_t *taken)
{
    int err;

    if (!onward_smtp__reply_parser_is_open(&c->reply) && !expects_reply(c))
        interrupt(c);
    err = onward_smtp__reply_parser_take(&c->reply, data, len, taken);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err < 0) {
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_PROTOCOL);
        return 0;
    }
    if (err == 0)
        return 0;
    err = on_reply(c);
    onward_smtp__reply_parser_reset(&c->reply);
    return err < 0 ? err : onward_smtp__client_advance(c);
}

static int op_feed(void *engine, const unsigned char *data, size_t len,
                   size_t *taken)
{
    struct onward_smtp_client *c = engine;
    int err = 0;

    *taken = 0;
    while (err == 0 && *taken < len && c->state != ONWARD_CLIENT_ENDED &&
           c->state != ONWARD_CLIENT_HANDSHAKE) {
        size_t n = 0;

        err = read_one(c, data + *taken, len - *taken, &n);
        *taken += n;
    }
    /* The host's handshake begins now: what came with the 220 cannot belong to
     * it (RFC 3207 section 6). */
    if (err == 0 && c->state == ONWARD_CLIENT_HANDSHAKE && *taken < len &&
        (c->opts.flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0)
        onward_smtp__tls_end(c, ONWARD_TLS_EARLY_INPUT);
    if (c->state == ONWARD_CLIENT_ENDED)
        *taken = len;
    return err < 0 ? onward_smtp__client_fail(c, err) : 0;
}

static int op_eof(void *engine, enum onward_eof kind)
{
    struct onward_smtp_client *c = engine;

    (void)kind;
    /* A server that hangs up at QUIT without its 221 does no harm. */
    if (c->state == ONWARD_CLIENT_QUIT)
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_NONE);
    else
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_LOST);
    return 0;
}

static int op_timeout(void *engine, int64_t now_ms)
{
    struct onward_smtp_client *c = engine;

    (void)now_ms;
    onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_TIMEOUT);
    return 0;
}

static int op_drained(void *engine)
{
    return onward_smtp__client_advance(engine);
}

static void op_destroy(void *engine)
{
    onward_smtp__client_destroy(engine);
}

const struct onward_channel_ops onward_smtp__client_ops = {
    .feed = op_feed,
    .eof = op_eof,
    .timeout = op_timeout,
    .drained = op_drained,
    .secured = onward_smtp__tls_secured,
    .destroy = op_destroy,
};
