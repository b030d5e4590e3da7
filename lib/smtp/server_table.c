/*
 * The table of commands: which verb runs what, in which mode, and what the
 * engine has to know of it. A new verb is a line here, a function in a file of
 * its own, and a prototype in server_priv.h.
 */
#include "smtp/server_priv.h"

/* No extension has that bit. */
#define NOT_IN_HELP (UINT64_C(1) << 63)

enum {
    IN_SMTP = 1 << ONWARD_SMTP_SERVER_MODE_SMTP,
    IN_LMTP = 1 << ONWARD_SMTP_SERVER_MODE_LMTP,
    IN_SUBMISSION = 1 << ONWARD_SMTP_SERVER_MODE_SUBMISSION,
    IN_ESMTP = IN_SMTP | IN_SUBMISSION,
    IN_ALL = IN_SMTP | IN_LMTP | IN_SUBMISSION
};

static const struct server_command commands[] = {
    {"EHLO", server_cmd_ehlo, IN_ESMTP, .is_junk = true, .before_tls = true},
    {"HELO", server_cmd_helo, IN_ESMTP, .is_junk = true},
    {"LHLO", server_cmd_lhlo, IN_LMTP, .is_junk = true, .before_tls = true},
    {"STARTTLS", server_cmd_starttls, IN_ALL, .before_tls = true,
     .needs = ONWARD_SMTP_EXT_STARTTLS},
    {"AUTH", server_cmd_auth, IN_ALL, .is_secret = true,
     .needs = ONWARD_SMTP_EXT_AUTH},
    {"MAIL", server_cmd_mail, IN_ALL, .needs_auth = true},
    {"RCPT", server_cmd_rcpt, IN_ALL, .overlaps = true},
    {"DATA", server_cmd_data, IN_ALL},
    {"BDAT", server_cmd_bdat, IN_ALL, .before_tls = true,
     .needs = ONWARD_SMTP_EXT_CHUNKING},
    {"XCLIENT", server_cmd_xclient, IN_ALL, .is_junk = true,
     .needs = ONWARD_SMTP_EXT_XCLIENT},
    {"XFORWARD", server_cmd_xforward, IN_ALL, .is_junk = true,
     .needs = ONWARD_SMTP_EXT_XFORWARD},
    {"RSET", server_cmd_rset, IN_ALL, .is_junk = true},
    {"NOOP", server_cmd_noop, IN_ALL, .is_junk = true, .before_tls = true},
    {"VRFY", server_cmd_vrfy, IN_ALL, .is_junk = true, .needs_auth = true},
    {"EXPN", server_cmd_expn, IN_ALL, .is_junk = true, .needs = NOT_IN_HELP},
    {"HELP", server_cmd_help, IN_ALL, .is_junk = true},
    {"QUIT", server_cmd_quit, IN_ALL, .before_tls = true},
};

/* What a web browser or an SSH client says first. Whoever made it connect here
 * wants us to run the lines that follow. */
static const char *const foreign_verbs[] = {
    "GET",   "POST",  "HEAD",    "PUT", "DELETE", "OPTIONS",
    "TRACE", "PATCH", "CONNECT", "PRI", "RTSP",
};

const struct server_command *
server_command_of(const struct onward_smtp_server *s, struct onward_str verb)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if ((commands[i].modes & 1u << s->mode) != 0 &&
            onward_core__str_ieq(verb, onward_str_of(commands[i].verb)))
            return &commands[i];
    }
    return NULL;
}

void server_table_list(const struct onward_smtp_server *s,
                       struct onward_buf *text)
{
    uint64_t offered = server_extensions(s);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if ((commands[i].modes & 1u << s->mode) == 0 ||
            (commands[i].needs & ~offered) != 0)
            continue;
        onward_core__buf_add_byte(text, ' ');
        onward_core__buf_add_text(text, commands[i].verb);
    }
}

bool server_is_foreign(struct onward_str verb)
{
    for (size_t i = 0; i < sizeof(foreign_verbs) / sizeof(foreign_verbs[0]);
         i++) {
        if (onward_core__str_ieq(verb, onward_str_of(foreign_verbs[i])))
            return true;
    }
    return onward_core__str_istarts(verb, ONWARD_STR("SSH-"));
}
