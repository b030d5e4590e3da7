/*
 * What is told of recipients, messages and the session: from the server's
 * reply, or from what went wrong without one.
 */
#include "smtp/client_priv.h"

#include "core/text_shared.h"

/* What a cause without a reply means (RFC 3463 for the codes). */
static const struct local {
    enum onward_smtp_cause cause;
    enum onward_smtp_fate fate;
    const char *enhanced;
    const char *text;
} locals[] = {
    {ONWARD_SMTP_CAUSE_LOST, ONWARD_SMTP_FATE_TEMPORARY, "4.4.2",
     "the connection was lost"},
    {ONWARD_SMTP_CAUSE_TIMEOUT, ONWARD_SMTP_FATE_TEMPORARY, "4.4.2",
     "the server took too long"},
    {ONWARD_SMTP_CAUSE_DEADLINE, ONWARD_SMTP_FATE_TEMPORARY, "4.4.2",
     "the delivery as a whole took too long"},
    {ONWARD_SMTP_CAUSE_PROTOCOL, ONWARD_SMTP_FATE_TEMPORARY, "4.5.0",
     "the server does not follow the protocol"},
    {ONWARD_SMTP_CAUSE_TLS, ONWARD_SMTP_FATE_TEMPORARY, "4.7.5",
     "TLS could not be set up as demanded"},
    {ONWARD_SMTP_CAUSE_NO_TLS, ONWARD_SMTP_FATE_TEMPORARY, "4.7.4",
     "TLS is demanded, but the server does not offer it"},
    {ONWARD_SMTP_CAUSE_NO_SMTPUTF8, ONWARD_SMTP_FATE_PERMANENT, "5.6.7",
     "the server does not take internationalized addresses (SMTPUTF8)"},
    {ONWARD_SMTP_CAUSE_NO_8BITMIME, ONWARD_SMTP_FATE_PERMANENT, "5.6.3",
     "the server does not take 8-bit messages (8BITMIME)"},
    {ONWARD_SMTP_CAUSE_NO_BINARYMIME, ONWARD_SMTP_FATE_PERMANENT, "5.6.3",
     "the server does not take binary messages (BINARYMIME)"},
    {ONWARD_SMTP_CAUSE_NO_REQUIRETLS, ONWARD_SMTP_FATE_PERMANENT, "5.7.30",
     "the server does not promise to demand TLS (REQUIRETLS)"},
    {ONWARD_SMTP_CAUSE_UNVERIFIED, ONWARD_SMTP_FATE_PERMANENT, "5.7.10",
     "the message demands TLS with a verified server, and there is none"},
    {ONWARD_SMTP_CAUSE_LIMIT, ONWARD_SMTP_FATE_NOT_TRIED, "4.5.3",
     "the server's limits leave no room in this session"},
    {ONWARD_SMTP_CAUSE_SIZE, ONWARD_SMTP_FATE_PERMANENT, "5.3.4",
     "the message is larger than the server takes"},
    {ONWARD_SMTP_CAUSE_BARE_NEWLINE, ONWARD_SMTP_FATE_PERMANENT, "5.6.0",
     "the message has a CR or LF that is no line end"},
    {ONWARD_SMTP_CAUSE_SOURCE, ONWARD_SMTP_FATE_NOT_TRIED, "4.3.0",
     "the message could not be read"},
    {ONWARD_SMTP_CAUSE_CANCELED, ONWARD_SMTP_FATE_NOT_TRIED, "4.3.0",
     "the delivery was canceled"},
    {ONWARD_SMTP_CAUSE_NO_AUTH, ONWARD_SMTP_FATE_TEMPORARY, "4.7.0",
     "the server offers no way to log in that may be used"},
    {ONWARD_SMTP_CAUSE_AUTH, ONWARD_SMTP_FATE_TEMPORARY, "4.7.0",
     "logging in failed"},
    {ONWARD_SMTP_CAUSE_MEMORY, ONWARD_SMTP_FATE_NOT_TRIED, "4.3.0",
     "out of memory"},
};

static void set_enhanced(struct onward_smtp__outcome *out,
                         struct onward_str enhanced)
{
    if (enhanced.len > sizeof(out->enhanced))
        return;
    out->enhanced_len = enhanced.len;
    if (enhanced.len != 0)
        memcpy(out->enhanced, enhanced.data, enhanced.len);
}

void onward_smtp__outcome_local(struct onward_smtp__outcome *out,
                                enum onward_smtp_phase phase,
                                enum onward_smtp_cause cause)
{
    *out = (struct onward_smtp__outcome){.phase = phase, .cause = cause};
    for (size_t i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
        if (locals[i].cause != cause)
            continue;
        out->fate = locals[i].fate;
        set_enhanced(out, onward_str_of(locals[i].enhanced));
        out->text = onward_str_of(locals[i].text);
    }
}

/* The lines of the reply in scratch, as one of printable ASCII. */
static void gather_text(struct onward_smtp_client *c, struct onward_str text)
{
    struct onward_buf *b = &c->scratch;

    onward_core__buf_reset(b);
    while (text.len != 0 && b->len + 1 < ONWARD_SMTP__TEXT_MAX) {
        size_t end = onward_core__str_find(text, '\n');

        if (b->len != 0)
            onward_core__buf_add_byte(b, ' ');
        onward_core__escape(b, onward_core__sub(text, 0, end),
                            ONWARD_SMTP__TEXT_MAX - b->len);
        text = onward_core__sub(text, end + 1, text.len);
    }
    if (b->err != 0)
        onward_core__buf_reset(b);
}

static enum onward_smtp_fate fate_of(size_t code)
{
    switch (code / 100) {
    case 2:
        return ONWARD_SMTP_FATE_DELIVERED;
    case 5:
        return ONWARD_SMTP_FATE_PERMANENT;
    default:
        return ONWARD_SMTP_FATE_TEMPORARY;
    }
}

void onward_smtp__outcome_reply(struct onward_smtp__outcome *out,
                                struct onward_smtp_client *c,
                                enum onward_smtp_phase phase,
                                struct onward_arena *arena, size_t *budget)
{
    struct onward_smtp_reply reply;
    struct onward_str text;

    onward_smtp__reply_parser_get(&c->reply, &reply);
    *out = (struct onward_smtp__outcome){.fate = fate_of(reply.code),
                                         .phase = phase,
                                         .cause = ONWARD_SMTP_CAUSE_REPLY,
                                         .code = reply.code};
    set_enhanced(out, reply.enhanced);
    gather_text(c, reply.text);
    text = onward_core__buf_str(&c->scratch);
    if (budget != NULL && text.len > *budget)
        return;
    if (onward_core__arena_dup(arena, text, &out->text) == 0 && budget != NULL)
        *budget -= text.len;
}

void onward_smtp__outcome_copy(struct onward_smtp__outcome *out,
                               const struct onward_smtp__outcome *from,
                               struct onward_arena *arena)
{
    struct onward_str text = from->text;

    *out = *from;
    if (onward_core__arena_dup(arena, text, &out->text) != 0)
        out->text = onward_core__str(NULL, 0);
}

static const struct onward_smtp__outcome *
find_outcome(const struct onward_smtp_client *c, size_t i)
{
    if (i == ONWARD_SMTP_SESSION)
        return &c->outcome;
    if (i == ONWARD_SMTP_MESSAGE)
        return &c->mail.outcome;
    return i < c->mail.rcpt_count ? &c->mail.rcpts[i].outcome : NULL;
}

static size_t notes_of(const struct onward_smtp_client *c, size_t i)
{
    const struct onward_smtp__mail *mail = &c->mail;
    bool had_dsn = mail->wants_dsn;

    if (i == ONWARD_SMTP_SESSION || !mail->is_planned)
        return 0;
    if (i != ONWARD_SMTP_MESSAGE)
        had_dsn = mail->rcpts[i].notify != 0 || mail->rcpts[i].orcpt.len != 0;
    return had_dsn && !mail->has_dsn ? ONWARD_SMTP_NOTE_NO_DSN : 0;
}

int onward_smtp_client_outcome(const struct onward_smtp_client *client,
                               size_t i, struct onward_smtp_outcome *out)
{
    const struct onward_smtp__outcome *found = find_outcome(client, i);
    struct onward_smtp_outcome full;
    size_t size = out->size;

    if (size < sizeof(out->size))
        return ONWARD_EINVAL;
    if (found == NULL)
        return ONWARD_ENOENT;
    full = (struct onward_smtp_outcome){
        .size = size,
        .fate = (size_t)found->fate,
        .phase = (size_t)found->phase,
        .cause = (size_t)found->cause,
        .code = found->code,
        .enhanced = onward_core__str(found->enhanced, found->enhanced_len),
        .text = found->text,
        .tls_failure = (size_t)found->tls_failure,
        .notes = notes_of(client, i),
    };
    if (size > sizeof(full)) {
        memset((unsigned char *)out + sizeof(full), 0, size - sizeof(full));
        size = sizeof(full);
    }
    memcpy(out, &full, size);
    return 0;
}
