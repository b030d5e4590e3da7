/*
 * The client's commands as they stand on the wire (RFC 5321 section 4.1.1),
 * and the checks of what goes into them.
 */
#include "smtp/client_priv.h"

#include "address/address_shared.h"
#include "core/domain_shared.h"

/* ---- Checks ------------------------------------------------------------ */

static bool is_literal(struct onward_str s)
{
    struct onward_ip ip;
    struct onward_str inner, v6 = ONWARD_STR("IPv6:");

    if (s.len < 2 || s.data[0] != '[' || s.data[s.len - 1] != ']')
        return false;
    inner = onward_core__sub(s, 1, s.len - 1);
    if (onward_core__str_istarts(inner, v6))
        return onward_ip_parse(onward_core__sub(inner, v6.len, inner.len),
                               &ip) == 0 &&
               ip.family == 6;
    return onward_ip_parse(inner, &ip) == 0 && ip.family == 4;
}

bool onward_smtp__is_helo_name(struct onward_str name)
{
    return is_literal(name) || onward_core__domain_is_hostname(name);
}

int onward_smtp__take_path(struct onward_arena *arena, struct onward_str path,
                           struct onward_str *own, bool *is_utf8)
{
    struct onward_address__mailbox mailbox;
    int err;

    err = onward_address__parse_mailbox(arena, path, ONWARD_ADDRESS_ALLOW_UTF8,
                                        &mailbox, NULL);
    if (err == ONWARD_ELIMIT)
        return ONWARD_ESYNTAX;
    if (err == 0)
        err = onward_core__arena_dup(arena, path, own);
    if (err == 0 && mailbox.is_utf8)
        *is_utf8 = true;
    return err;
}

/* ---- Commands ---------------------------------------------------------- */

/* The command gathered in scratch. */
static int write_scratch(struct onward_smtp_client *c)
{
    int err = onward_core__buf_add(&c->scratch, "\r\n", 2);

    if (err < 0)
        return err;
    return onward_channel__write_str(&c->channel,
                                     onward_core__buf_str(&c->scratch));
}

static struct onward_buf *new_command(struct onward_smtp_client *c,
                                      const char *start)
{
    onward_core__buf_reset(&c->scratch);
    onward_core__buf_add_text(&c->scratch, start);
    return &c->scratch;
}

int onward_smtp__write_verb(struct onward_smtp_client *c, const char *verb)
{
    new_command(c, verb);
    return write_scratch(c);
}

int onward_smtp__write_ehlo(struct onward_smtp_client *c, const char *verb)
{
    struct onward_buf *b = new_command(c, verb);

    onward_core__buf_add_byte(b, ' ');
    onward_core__buf_add_str(b, c->opts.ehlo_name);
    return write_scratch(c);
}

/* Parameters only for what was offered (RFC 5321 section 2.2.1). */
int onward_smtp__write_mail(struct onward_smtp_client *c)
{
    struct onward_buf *b = new_command(c, "MAIL FROM:<");

    onward_core__buf_add_str(b, c->mail.reverse_path);
    onward_core__buf_add_byte(b, '>');
    if ((c->offers.set & ONWARD_SMTP_EXT_SIZE) != 0) {
        onward_core__buf_add_text(b, " SIZE=");
        onward_core__buf_add_u64(b, c->mail.size);
    }
    if (c->mail.is_8bit)
        onward_core__buf_add_text(b, " BODY=8BITMIME");
    if (c->mail.is_utf8)
        onward_core__buf_add_text(b, " SMTPUTF8");
    return write_scratch(c);
}

int onward_smtp__write_rcpt(struct onward_smtp_client *c, size_t i)
{
    struct onward_buf *b = new_command(c, "RCPT TO:<");

    onward_core__buf_add_str(b, c->mail.rcpts[i].path);
    onward_core__buf_add_byte(b, '>');
    return write_scratch(c);
}
