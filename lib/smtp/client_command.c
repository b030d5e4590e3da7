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

static bool is_printable(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    }
    return true;
}

/* 100 and 500 octets on the wire (RFC 3461 sections 4.2 and 4.4), where an
 * octet can take three; so these are what always fits, or nearly. */
enum { ENVID_MAX = 100, ORCPT_MAX = 500 };

bool onward_smtp__is_envid(struct onward_str text)
{
    return text.len <= ENVID_MAX && is_printable(text);
}

/* addr-type is an atom (RFC 3461 section 4.2). */
bool onward_smtp__is_orcpt(struct onward_str text)
{
    size_t type = onward_core__str_find(text, ';');

    if (text.len > ORCPT_MAX || type == 0 || type + 1 >= text.len)
        return false;
    for (size_t i = 0; i < type; i++) {
        unsigned char ch = (unsigned char)text.data[i];

        if (!onward_ascii_is_alnum(ch) && ch != '-')
            return false;
    }
    return is_printable(text);
}

/* ---- Parameters of DSN ------------------------------------------------- */

/* RFC 3461 section 4. */
static void add_xtext(struct onward_buf *b, struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char ch = (unsigned char)text.data[i];

        if (ch > ' ' && ch <= '~' && ch != '+' && ch != '=') {
            onward_core__buf_add_byte(b, ch);
            continue;
        }
        onward_core__buf_add_byte(b, '+');
        onward_core__buf_add_byte(b,
                                  (unsigned char)"0123456789ABCDEF"[ch >> 4]);
        onward_core__buf_add_byte(b,
                                  (unsigned char)"0123456789ABCDEF"[ch & 15]);
    }
}

static void add_notify(struct onward_buf *b, size_t notify)
{
    static const struct {
        size_t bit;
        const char *word;
    } words[] = {
        {ONWARD_SMTP_NOTIFY_NEVER, "NEVER"},
        {ONWARD_SMTP_NOTIFY_SUCCESS, "SUCCESS"},
        {ONWARD_SMTP_NOTIFY_FAILURE, "FAILURE"},
        {ONWARD_SMTP_NOTIFY_DELAY, "DELAY"},
    };
    const char *before = " NOTIFY=";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((notify & words[i].bit) == 0)
            continue;
        onward_core__buf_add_text(b, before);
        onward_core__buf_add_text(b, words[i].word);
        before = ",";
    }
}

static void add_orcpt(struct onward_buf *b, struct onward_str orcpt)
{
    size_t type = onward_core__str_find(orcpt, ';');

    if (orcpt.len == 0)
        return;
    onward_core__buf_add_text(b, " ORCPT=");
    onward_core__buf_add_str(b, onward_core__sub(orcpt, 0, type + 1));
    add_xtext(b, onward_core__sub(orcpt, type + 1, orcpt.len));
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
    if (c->mail.is_binary)
        onward_core__buf_add_text(b, " BODY=BINARYMIME");
    else if (c->mail.is_8bit)
        onward_core__buf_add_text(b, " BODY=8BITMIME");
    if (c->mail.is_utf8)
        onward_core__buf_add_text(b, " SMTPUTF8");
    if (c->mail.requires_tls)
        onward_core__buf_add_text(b, " REQUIRETLS");
    if (c->mail.has_dsn && c->mail.ret != ONWARD_SMTP_RET_UNSTATED)
        onward_core__buf_add_text(
            b, c->mail.ret == ONWARD_SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if (c->mail.has_dsn && c->mail.envid.len != 0) {
        onward_core__buf_add_text(b, " ENVID=");
        add_xtext(b, c->mail.envid);
    }
    return write_scratch(c);
}

int onward_smtp__write_rcpt(struct onward_smtp_client *c, size_t i)
{
    struct onward_buf *b = new_command(c, "RCPT TO:<");

    onward_core__buf_add_str(b, c->mail.rcpts[i].path);
    onward_core__buf_add_byte(b, '>');
    if (c->mail.has_dsn) {
        add_notify(b, c->mail.rcpts[i].notify);
        add_orcpt(b, c->mail.rcpts[i].orcpt);
    }
    return write_scratch(c);
}

int onward_smtp__write_bdat(struct onward_smtp_client *c, uint64_t len,
                            bool is_last)
{
    struct onward_buf *b = new_command(c, "BDAT ");

    onward_core__buf_add_u64(b, len);
    if (is_last)
        onward_core__buf_add_text(b, " LAST");
    return write_scratch(c);
}
