/*
 * The dialogue as debug events, for hosts that ask for it: "command" with what
 * the client said, "reply" with each line of ours. No secrets: of AUTH the
 * mechanism alone, of the lines behind it nothing, and nothing of what is no
 * command, for it may be a password that was sent unasked.
 */
#include "smtp/server_priv.h"

static bool is_on(const struct onward_smtp_server *s)
{
    return (s->flags & ONWARD_SMTP_SERVER_TRACE) != 0 &&
           onward_core__has_log(s->ctx);
}

static void say(const struct onward_smtp_server *s, const char *code,
                struct onward_str detail)
{
    onward_core__log(s->ctx, ONWARD_LOG_DEBUG, "smtp", code, s->log_id, detail);
}

void server_trace_command(const struct onward_smtp_server *s,
                          const struct server_command *command,
                          struct onward_str line)
{
    if (!is_on(s))
        return;
    if (s->exchange != NULL || command == NULL) {
        say(s, "command", ONWARD_STR("*"));
        return;
    }
    if (command->is_secret) {
        size_t verb = onward_core__str_find(line, ' ');
        struct onward_str rest = onward_core__sub(line, verb + 1, line.len);
        size_t word = onward_core__str_find(rest, ' ');

        /* "AUTH PLAIN *": what stands behind the mechanism. */
        if (verb + 1 + word < line.len) {
            say(s, "command", onward_core__sub(line, 0, verb + 1 + word));
            return;
        }
    }
    say(s, "command", line);
}

void server_trace_reply(const struct onward_smtp_server *s,
                        struct onward_str text)
{
    if (!is_on(s))
        return;
    while (text.len > 0) {
        size_t end = onward_core__str_find(text, '\r');
        struct onward_str line = onward_core__sub(text, 0, end);

        /* Challenges of AUTH. */
        if (onward_core__str_starts(line, ONWARD_STR("334")))
            line = ONWARD_STR("334 *");
        say(s, "reply", line);
        text = onward_core__sub(text, end + 2, text.len);
    }
}
