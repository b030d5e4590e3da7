/*
 * The loop of the server session: octets become lines, lines become commands,
 * and what the session waits for decides about pause and timeout. It knows the
 * commands by a table only.
 */
#include "smtp/server_priv.h"

/* ---- The table of commands --------------------------------------------- */

static const struct command {
    const char *verb;
    int (*run)(struct onward_smtp_server *s, struct onward_str args);
    bool overlaps;   /* may be asked while questions before it wait */
    bool is_junk;    /* leads nowhere: counted */
    bool before_tls; /* RFC 3207 section 4: also where TLS is required */
} commands[] = {
    {"EHLO", server_cmd_ehlo, .is_junk = true, .before_tls = true},
    {"HELO", server_cmd_helo, .is_junk = true},
    {"STARTTLS", server_cmd_starttls, .before_tls = true},
    {"MAIL", server_cmd_mail},
    {"RCPT", server_cmd_rcpt, .overlaps = true},
    {"DATA", server_cmd_data},
    {"RSET", server_cmd_rset, .is_junk = true},
    {"NOOP", server_cmd_noop, .is_junk = true, .before_tls = true},
    {"VRFY", server_cmd_vrfy, .is_junk = true},
    {"EXPN", server_cmd_expn, .is_junk = true},
    {"HELP", server_cmd_help, .is_junk = true},
    {"QUIT", server_cmd_quit, .before_tls = true},
};

/* What a web browser or an SSH client says first. Whoever made it connect here
 * wants us to run the lines that follow. */
static const char *const foreign_verbs[] = {
    "GET",   "POST",  "HEAD",    "PUT", "DELETE", "OPTIONS",
    "TRACE", "PATCH", "CONNECT", "PRI", "RTSP",
};

static const struct command *find_command(struct onward_str verb)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (onward_core__str_ieq(verb, onward_str_of(commands[i].verb)))
            return &commands[i];
    }
    return NULL;
}

static bool is_foreign(struct onward_str verb)
{
    for (size_t i = 0; i < sizeof(foreign_verbs) / sizeof(foreign_verbs[0]);
         i++) {
        if (onward_core__str_ieq(verb, onward_str_of(foreign_verbs[i])))
            return true;
    }
    return onward_core__str_istarts(verb, ONWARD_STR("SSH-"));
}

static bool has_control(struct onward_str line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if (c < ' ' || c == 0x7f)
            return true;
    }
    return false;
}

/* ---- One line ---------------------------------------------------------- */

static int end_with(struct onward_smtp_server *s, int status, size_t code,
                    const char *enhanced, const char *text, const char *event,
                    struct onward_str detail)
{
    onward_core__log(s->ctx, ONWARD_LOG_WARN, "smtp", event, s->log_id, detail);
    server_say(s, code, enhanced, text);
    if (!server_is_over(s))
        server_end(s, status);
    return SERVER_DONE;
}

static int run_faulty(struct onward_smtp_server *s)
{
    const struct onward_str none = {.data = NULL, .len = 0};

    switch (s->fault) {
    case SERVER_FAULT_NONE:
        break;
    case SERVER_FAULT_LONG:
        return server_say(s, 500, "5.5.2", "Line too long");
    case SERVER_FAULT_ENDLESS:
        return end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Line too long",
                        "line-endless", none);
    case SERVER_FAULT_BARE_LF:
        /* Another server would see two lines here. */
        return end_with(s, ONWARD_ESYNTAX, 521, "5.5.2", "Lines end with CRLF",
                        "bare-lf", none);
    case SERVER_FAULT_TLS:
        return end_with(s, ONWARD_ESYNTAX, 521, "5.5.1",
                        "SMTP is spoken here, TLS begins with STARTTLS",
                        "foreign-protocol", none);
    }
    return SERVER_DONE;
}

/* A line that is no good for what it is, whatever the command. True: it was
 * answered. */
static bool refuse_line(struct onward_smtp_server *s,
                        const struct command *command, struct onward_str verb,
                        struct onward_str line)
{
    bool is_quit = command != NULL && command->run == server_cmd_quit;

    if (s->error_count >= s->limits.errors && !is_quit) {
        end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Too many errors",
                 "too-many-errors", verb);
    } else if (command == NULL && is_foreign(verb)) {
        end_with(s, ONWARD_ESYNTAX, 521, "5.5.1", "SMTP is spoken here",
                 "foreign-protocol", verb);
    } else if ((command == NULL || command->is_junk) &&
               ++s->junk_count > s->limits.junk) {
        end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Too many idle commands",
                 "too-much-junk", verb);
    } else if (has_control(line)) {
        server_say(s, 501, "5.5.2", "Control characters in a command");
    } else if (command == NULL) {
        server_say(s, 500, "5.5.1", "Command not recognized");
    } else if ((s->flags & ONWARD_SMTP_SERVER_REQUIRE_TLS) != 0 && !s->is_tls &&
               !command->before_tls) {
        server_say(s, 530, "5.7.0", "Must issue a STARTTLS command first");
    } else {
        return false;
    }
    return true;
}

/* Would refuse_line() find nothing? Then an overlapping command may run now. */
static bool is_fine(const struct onward_smtp_server *s, struct onward_str line)
{
    return s->fault == SERVER_FAULT_NONE && !s->is_shutdown &&
           s->error_count < s->limits.errors && !has_control(line) &&
           ((s->flags & ONWARD_SMTP_SERVER_REQUIRE_TLS) == 0 || s->is_tls);
}

/* line: without its CRLF. */
static int run_line(struct onward_smtp_server *s, struct onward_str line)
{
    size_t verb_len = onward_core__str_find(line, ' ');
    struct onward_str verb = onward_core__sub(line, 0, verb_len);
    struct onward_str args = onward_core__sub(line, verb_len + 1, line.len);
    const struct command *command = find_command(verb);

    if (s->first != NULL && (command == NULL || !command->overlaps ||
                             !server_may_overlap(s) || !is_fine(s, line)))
        return SERVER_HOLD;
    s->has_progress = true;
    if (s->fault != SERVER_FAULT_NONE)
        return run_faulty(s);
    if (refuse_line(s, command, verb, line))
        return SERVER_DONE;
    /* White space at the end is tolerated (RFC 5321 section 4.1.1). */
    while (args.len > 0 && args.data[args.len - 1] == ' ')
        args.len--;
    return command->run(s, args);
}

static void drop_line(struct onward_smtp_server *s)
{
    /* An idle session keeps no buffer. */
    onward_core__buf_clear(&s->line);
    s->line_skipped = 0;
    s->fault = SERVER_FAULT_NONE;
    s->is_held = false;
}

/* A line is whole; where says if its octets are in the buffer already. */
static void whole_line(struct onward_smtp_server *s, struct onward_str line,
                       bool is_buffered)
{
    int err;

    if (s->fault != SERVER_FAULT_NONE) {
        onward_core__buf_clear(&s->line);
        line = onward_core__str(NULL, 0);
    }
    if (run_line(s, line) == SERVER_DONE) {
        drop_line(s);
        return;
    }
    s->is_held = true;
    if (is_buffered || s->fault != SERVER_FAULT_NONE)
        return;
    err = onward_core__buf_add_str(&s->line, line);
    if (err < 0 && s->error == 0)
        s->error = err;
}

/* ---- Octets to lines --------------------------------------------------- */

/* The octet before data[at], over the cuts of the input. */
static unsigned char octet_before(const struct onward_smtp_server *s,
                                  const unsigned char *data, size_t at)
{
    return at > 0 ? data[at - 1] : s->last_octet;
}

/* A line longer than the limit is skipped up to its end. */
static void skip_line(struct onward_smtp_server *s, size_t n, bool is_whole)
{
    onward_core__buf_clear(&s->line);
    s->line_skipped += n;
    if (s->line_skipped > SERVER_LINE_ALLOWANCE)
        s->fault = SERVER_FAULT_ENDLESS;
    else if (is_whole && s->fault == SERVER_FAULT_NONE)
        s->fault = SERVER_FAULT_LONG;
    if (s->fault != SERVER_FAULT_NONE)
        whole_line(s, onward_core__str(NULL, 0), true);
}

/* Take up to one line; returns the octets taken. */
static size_t feed_line(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len)
{
    struct onward_str in = onward_core__str(data, len);
    size_t end = onward_core__str_find(in, '\n');
    bool is_whole = end < len;
    size_t n = is_whole ? end + 1 : len;
    size_t before = s->line.len + s->line_skipped;

    /* No command begins so, every TLS record of a handshake does. */
    if (before == 0 && data[0] == 0x16) {
        s->fault = SERVER_FAULT_TLS;
        whole_line(s, in, true);
        return 1;
    }
    if (is_whole && (before + n < 2 || octet_before(s, data, end) != '\r'))
        s->fault = SERVER_FAULT_BARE_LF;
    s->last_octet = data[n - 1];
    if (s->line_skipped > 0 || n > s->limits.line_bytes - s->line.len) {
        skip_line(s, n + (s->line_skipped > 0 ? 0 : s->line.len), is_whole);
        return n;
    }
    if (is_whole && s->line.len == 0) {
        whole_line(s, onward_core__sub(in, 0, end > 0 ? end - 1 : 0), false);
        return n;
    }
    if (onward_core__buf_add(&s->line, data, n) < 0) {
        s->error = ONWARD_ENOMEM;
        return n;
    }
    if (is_whole) {
        s->line.len -= s->line.len >= 2 ? 2 : s->line.len;
        whole_line(s, onward_core__buf_str(&s->line), true);
    }
    return n;
}

/* ---- What it waits for ------------------------------------------------- */

static bool takes_input(const struct onward_smtp_server *s)
{
    return !server_is_over(s) && !s->is_held && !s->is_host_paused &&
           (s->first == NULL || s->last->asker->overlaps) &&
           (s->state == SERVER_COMMAND || s->state == SERVER_MESSAGE);
}

static enum server_wait wait_of(const struct onward_smtp_server *s)
{
    if (server_is_over(s) || s->is_host_paused)
        return SERVER_WAIT_NOTHING;
    if (s->first != NULL)
        return SERVER_WAIT_ANSWER;
    switch (s->state) {
    case SERVER_NEW:
    case SERVER_GREETING:
    case SERVER_CLOSED:
        return SERVER_WAIT_NOTHING;
    case SERVER_COMMAND:
        return SERVER_WAIT_COMMAND;
    case SERVER_TLS:
        return SERVER_WAIT_TLS;
    case SERVER_MESSAGE:
        return SERVER_WAIT_MESSAGE;
    }
    return SERVER_WAIT_NOTHING;
}

/* Octets may come slowly, but a message as a whole has to get on. */
static int64_t message_timeout(const struct onward_smtp_server *s)
{
    int64_t passed = onward_channel__now(&s->channel) - s->message_start_ms;
    uint64_t earned = s->txn.message_size * 1000 / s->limits.data_rate;
    int64_t left = s->limits.command_ms + (int64_t)earned - passed;

    if (left < 0)
        left = 0;
    return left < s->limits.data_ms ? left : s->limits.data_ms;
}

static int64_t timeout_of(const struct onward_smtp_server *s)
{
    switch (s->wait) {
    case SERVER_WAIT_NOTHING:
        return ONWARD_NEVER;
    case SERVER_WAIT_COMMAND:
        return s->limits.command_ms;
    case SERVER_WAIT_MESSAGE:
        return message_timeout(s);
    case SERVER_WAIT_TLS:
        return s->limits.tls_ms;
    case SERVER_WAIT_ANSWER:
        return s->first->asker->is_slow ? 2 * s->limits.answer_ms
                                        : s->limits.answer_ms;
    }
    return ONWARD_NEVER;
}

void server_update(struct onward_smtp_server *s)
{
    enum server_wait wait = wait_of(s);

    if (server_is_over(s))
        return;
    if (takes_input(s))
        onward_channel__resume(&s->channel);
    else if (s->state != SERVER_TLS) /* STARTTLS itself has seen to it */
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
    if (s->state != SERVER_TLS)
        server_say(s, 421, "4.3.2", "Shutting down");
    if (!server_is_over(s))
        server_end(s, 0);
}

void server_go(struct onward_smtp_server *s)
{
    server_settle(s);
    while (!server_is_over(s) && s->is_held && !s->is_shutdown &&
           run_line(s, onward_core__buf_str(&s->line)) == SERVER_DONE) {
        drop_line(s);
        server_settle(s);
    }
    if (s->is_shutdown)
        shut_down(s);
    if (s->error != 0 && !onward_channel__is_dead(&s->channel))
        server_end(s, s->error);
    server_update(s);
}

/* ---- The greeting ------------------------------------------------------ */

static bool fits_greeting(size_t code)
{
    return code == 220 || code / 100 == 4 || code / 100 == 5;
}

/* 220 is followed by our name and what the host says (RFC 5321 section
 * 4.3.1); a refusal too, since it closes. */
static void greeting_answered(struct onward_smtp_server *s,
                              struct server_question *q)
{
    struct onward_smtp_reply reply = q->reply;
    struct onward_buf text;

    onward_core__buf_init(&text, s->ctx,
                          ONWARD_SMTP__REPLY_TEXT_MAX + SERVER_HELO_MAX + 1);
    onward_core__buf_add_str(&text, s->hostname);
    onward_core__buf_add_byte(&text, ' ');
    if (reply.text.len > 0)
        onward_core__buf_add_str(&text, reply.text);
    else if (reply.code == 220)
        onward_core__buf_add_str(&text, s->banner);
    else
        onward_core__buf_add_text(&text, onward_smtp__stock_text(reply.code));
    if (text.err < 0 && s->error == 0)
        s->error = text.err;
    reply.text = onward_core__buf_str(&text);
    if (s->error == 0)
        server_say_reply(s, &reply, ONWARD_SMTP__REPLY_PLAIN);
    onward_core__buf_clear(&text);
    if (server_is_over(s))
        return;
    if (reply.code == 220)
        s->state = SERVER_COMMAND;
    else
        server_end(s, 0);
}

static const struct server_asker greeting_asker = {
    .fits = fits_greeting,
    .usual = SERVER_REPLY(220, "", ""),
    .failure = SERVER_REPLY(421, "4.3.0", ""),
    .answered = greeting_answered,
};

void server_greet(struct onward_smtp_server *s)
{
    struct server_question *q = server_question_open(s, &greeting_asker);
    int handling = ONWARD_SMTP_DEFAULT;

    if (q == NULL)
        return;
    s->state = SERVER_GREETING;
    if (s->host.connect != NULL)
        handling = s->host.connect(s->host.user, q->ask.token);
    server_question_asked(s, q, handling);
}

/* ---- What the channel calls -------------------------------------------- */

static int finish(struct onward_smtp_server *s)
{
    if (onward_channel__is_dead(&s->channel))
        return 0;
    server_go(s);
    return onward_channel__is_dead(&s->channel) ? 0 : s->error;
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

        if (s->state == SERVER_MESSAGE)
            server_message_feed(s, data + at, len - at, &n);
        else
            n = feed_line(s, data + at, len - at);
        at += n;
        server_settle(s);
    }
    if (s->state == SERVER_TLS && at < len &&
        (s->flags & ONWARD_SMTP_SERVER_HOST_TLS) != 0 && !server_is_over(s))
        server_end(s, ONWARD_ECRYPTO);
    *taken = at;
    return finish(s);
}

/* Clean or cut, in the middle of a message too: nothing is answered any more. */
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
        end_with(s, ONWARD_ELIMIT, 421, "4.4.2", "Timeout", "timeout",
                 onward_core__str(NULL, 0));
        break;
    case SERVER_WAIT_TLS:
        server_end(s, ONWARD_ELIMIT);
        break;
    case SERVER_WAIT_ANSWER:
        server_question_expire(s);
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

    if (status < 0) {
        server_end(s, ONWARD_ECRYPTO);
        return finish(s);
    }
    s->is_tls = true;
    s->state = SERVER_COMMAND;
    s->has_progress = true;
    if (s->host.secured != NULL)
        s->host.secured(s->host.user);
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
