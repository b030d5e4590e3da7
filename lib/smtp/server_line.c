/*
 * Octets become lines, lines become commands; or they go to the exchange that
 * a command has begun.
 */
#include "smtp/server_priv.h"

static bool has_control(struct onward_str line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if (c < ' ' || c == 0x7f)
            return true;
    }
    return false;
}

/* Does what is buffered of the line, and data behind it, begin with word? */
static bool line_starts(const struct onward_smtp_server *s,
                        const unsigned char *data, size_t len,
                        struct onward_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c;

        if (i >= s->line.len + len)
            return false;
        c = i < s->line.len ? s->line.data[i] : data[i - s->line.len];
        if (onward_ascii_lower(c) !=
            onward_ascii_lower((unsigned char)word.data[i]))
            return false;
    }
    return true;
}

/* Of a line with its CRLF; base64 of credentials may be long (RFC 4954 section
 * 4), in the line of AUTH itself too. */
static size_t line_max(const struct onward_smtp_server *s,
                       const unsigned char *data, size_t len)
{
    size_t longest = s->limits.line_bytes > SERVER_EXCHANGE_LINE_MAX
                         ? s->limits.line_bytes
                         : (size_t)SERVER_EXCHANGE_LINE_MAX;

    if (s->exchange != NULL ||
        line_starts(s, data, len, ONWARD_STR("AUTH ")))
        return longest;
    return s->limits.line_bytes;
}

/* ---- One line ---------------------------------------------------------- */

int server_end_with(struct onward_smtp_server *s, int status, size_t code,
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
    case SERVER_FAULT_CHUNK:
        return server_bdat_lost(s);
    case SERVER_FAULT_ENDLESS:
        return server_end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Line too long",
                               "line-endless", none);
    case SERVER_FAULT_BARE_LF:
        /* Another server would see two lines here. */
        return server_end_with(s, ONWARD_ESYNTAX, 521, "5.5.2",
                               "Lines end with CRLF", "bare-lf", none);
    case SERVER_FAULT_TLS:
        return server_end_with(s, ONWARD_ESYNTAX, 521, "5.5.1",
                               "SMTP is spoken here, TLS begins with STARTTLS",
                               "foreign-protocol", none);
    }
    return SERVER_DONE;
}

/* RFC 4954 section 6, RFC 6409 section 4.3. */
static bool wants_auth(const struct onward_smtp_server *s)
{
    bool is_demanded =
        (s->flags & ONWARD_SMTP_SERVER_REQUIRE_AUTH) != 0 ||
        (s->mode == ONWARD_SMTP_SERVER_MODE_SUBMISSION &&
         (s->flags & ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED) == 0);

    return is_demanded && !s->is_authenticated;
}

/* A line that is no good for what it is, whatever the command. True: it was
 * answered. */
static bool refuse_line(struct onward_smtp_server *s,
                        const struct server_command *command,
                        struct onward_str verb, struct onward_str line)
{
    bool is_quit = command != NULL && command->run == server_cmd_quit;
    /* What is no verb may be a password that was sent unasked. */
    struct onward_str known =
        command != NULL ? verb : onward_core__str(NULL, 0);

    if (s->error_count >= s->limits.errors && !is_quit) {
        server_end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Too many errors",
                        "too-many-errors", known);
    } else if (command == NULL && server_is_foreign(verb)) {
        server_end_with(s, ONWARD_ESYNTAX, 521, "5.5.1", "SMTP is spoken here",
                        "foreign-protocol", verb);
    } else if ((command == NULL || command->is_junk) &&
               ++s->junk_count > s->limits.junk) {
        server_end_with(s, ONWARD_ELIMIT, 421, "4.7.0",
                        "Too many idle commands", "too-much-junk", known);
    } else if (has_control(line) && command != NULL &&
               command->run == server_cmd_bdat) {
        server_bdat_lost(s);
    } else if (has_control(line)) {
        server_say(s, 501, "5.5.2", "Control characters in a command");
    } else if (command == NULL) {
        server_say(s, 500, "5.5.1", "Command not recognized");
    } else if ((s->flags & ONWARD_SMTP_SERVER_REQUIRE_TLS) != 0 && !s->is_tls &&
               !command->before_tls) {
        server_say(s, 530, "5.7.0", "Must issue a STARTTLS command first");
    } else if (command->needs_auth && wants_auth(s)) {
        server_say(s, 530, "5.7.0", "Authentication required");
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

/* A line behind a command that has begun an exchange. */
static int run_exchange(struct onward_smtp_server *s, struct onward_str line)
{
    if (s->first != NULL)
        return SERVER_HOLD;
    s->has_progress = true;
    server_trace_command(s, NULL, line);
    if (s->fault == SERVER_FAULT_LONG) {
        server_exchange_end(s);
        return server_say(s, 500, "5.5.6", "Line too long");
    }
    if (s->fault != SERVER_FAULT_NONE)
        return run_faulty(s);
    if (has_control(line)) {
        server_exchange_end(s);
        return server_say(s, 501, "5.5.2", "Control characters in a line");
    }
    return s->exchange->line(s, line);
}

/* line: without its CRLF. */
int server_line_run(struct onward_smtp_server *s, struct onward_str line)
{
    size_t verb_len = onward_core__str_find(line, ' ');
    struct onward_str verb = onward_core__sub(line, 0, verb_len);
    struct onward_str args = onward_core__sub(line, verb_len + 1, line.len);
    const struct server_command *command = server_command_of(s, verb);

    if (s->exchange != NULL)
        return run_exchange(s, line);
    if (s->first != NULL && (command == NULL || !command->overlaps ||
                             !server_may_overlap(s) || !is_fine(s, line)))
        return SERVER_HOLD;
    /* It ran before, and its refusal waits for the answers before it. */
    if (s->first != NULL && s->has_run)
        return SERVER_HOLD;
    s->has_progress = true;
    if (!s->has_run)
        server_trace_command(s, command, line);
    s->has_run = true;
    if (s->fault != SERVER_FAULT_NONE)
        return run_faulty(s);
    if (refuse_line(s, command, verb, line))
        return SERVER_DONE;
    /* White space at the end is tolerated (RFC 5321 section 4.1.1). */
    while (args.len > 0 && args.data[args.len - 1] == ' ')
        args.len--;
    return command->run(s, args);
}

void server_line_drop(struct onward_smtp_server *s)
{
    /* It may have been a secret. An idle session keeps no buffer. */
    if (s->line.data != NULL)
        onward_core__wipe(s->line.data, s->line.cap);
    onward_core__buf_clear(&s->line);
    s->line_skipped = 0;
    s->fault = SERVER_FAULT_NONE;
    s->is_held = false;
    s->has_run = false;
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
    if (server_line_run(s, line) == SERVER_DONE) {
        server_line_drop(s);
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
size_t server_line_feed(struct onward_smtp_server *s, const unsigned char *data,
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
    if (s->line_skipped > 0 || n > line_max(s, data, n) - s->line.len) {
        /* How long its chunk is nobody will know. */
        if (s->line_skipped == 0 && s->exchange == NULL &&
            line_starts(s, data, n, ONWARD_STR("BDAT ")))
            s->fault = SERVER_FAULT_CHUNK;
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
