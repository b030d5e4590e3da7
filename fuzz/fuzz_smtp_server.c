/*
 * A server session does the same for any cut of its input: replies, message
 * and what the host is told. The first octet chooses the options: bare LF,
 * SMTPUTF8, deferred answers, chunks, binary chunks, LMTP, a PROXY header, and
 * all that is trusted or has parameters.
 */
#include "fuzz.h"

#include <stdbool.h>

#include <onward/smtp_server.h>

struct digest {
    size_t len;
    uint64_t sum;
};

struct record {
    struct onward_desk *desk;
    struct onward_smtp_server *session;
    uint64_t tokens[64];
    size_t token_count;
    bool defers;
    struct digest said, told; /* their order depends on who reads when */
};

static void add(struct digest *d, const void *data, size_t len)
{
    const unsigned char *octets = data;

    for (size_t i = 0; i < len; i++)
        d->sum = (d->sum ^ octets[i]) * 0x100000001b3u;
    d->len += len;
}

static bool is_same(struct digest a, struct digest b)
{
    return a.len == b.len && a.sum == b.sum;
}

static int decide(struct record *r, uint64_t token, const char *what)
{
    add(&r->told, what, strlen(what));
    if (r->defers && r->token_count < 64) {
        r->tokens[r->token_count++] = token;
        return ONWARD_SMTP_HANDLED;
    }
    return ONWARD_SMTP_DEFAULT;
}

static int on_mail(void *user, uint64_t token)
{
    struct record *r = user;
    struct onward_str a = onward_smtp_server_mail_address(r->session);

    add(&r->told, a.data, a.len);
    return decide(r, token, "mail");
}

static int on_rcpt(void *user, uint64_t token, size_t index)
{
    struct record *r = user;
    struct onward_str a = onward_smtp_server_rcpt_address(r->session, index);
    struct onward_str t = onward_smtp_server_rcpt_text(r->session, index);

    /* No control octet gets into an address (A015, A016). */
    for (size_t i = 0; i < t.len; i++)
        FUZZ_CHECK((unsigned char)t.data[i] >= ' ' && t.data[i] != 0x7f);
    FUZZ_CHECK(a.len + 2 <= t.len);
    add(&r->told, a.data, a.len);
    return a.len % 7 == 3 ? -1 : decide(r, token, "rcpt");
}

static int on_data(void *user, const void *data, size_t len)
{
    /* A doomed message is given up at a cut; what is whole is compared. */
    (void)user;
    (void)data;
    FUZZ_CHECK(len > 0);
    return 0;
}

static int on_end(void *user, uint64_t token)
{
    struct record *r = user;
    uint64_t size = onward_smtp_server_message_size(r->session);

    add(&r->told, &size, sizeof(size));
    return decide(r, token, "end");
}

static int on_rcpt_end(void *user, uint64_t token, size_t index)
{
    struct record *r = user;

    FUZZ_CHECK(onward_smtp_server_rcpt_accepted(r->session, index));
    return index % 3 == 2 ? -1 : decide(r, token, "rcpt end");
}

/* What clients wrote of themselves: nothing but printable ASCII (A016). */
static void check_texts(const struct record *r)
{
    struct onward_str texts[] = {
        onward_smtp_server_mail_envid(r->session),
        onward_smtp_server_mail_auth(r->session),
        onward_smtp_server_rcpt_orcpt(r->session, 0),
        onward_smtp_server_client_name(r->session),
        onward_smtp_server_forwarded(r->session, ONWARD_SMTP_FORWARDED_IDENT),
    };

    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        for (size_t i = 0; i < texts[k].len; i++)
            FUZZ_CHECK(texts[k].data[i] >= ' ' && texts[k].data[i] <= '~');
    }
}

static void on_reset(void *user, int why)
{
    struct record *r = user;

    add(&r->told, &why, sizeof(why));
    check_texts(r);
}

static void on_closed(void *user, int status)
{
    struct record *r = user;

    add(&r->told, &status, sizeof(status));
}

static void drain(struct record *r, struct onward_channel *ch)
{
    for (;;) {
        struct onward_str out = onward_channel_peek(ch);

        if (out.len == 0)
            return;
        /* Printable lines only (A013). */
        for (size_t i = 0; i < out.len; i++)
            FUZZ_CHECK((unsigned char)out.data[i] >= ' ' ||
                       out.data[i] == '\r' || out.data[i] == '\n' ||
                       out.data[i] == '\t');
        add(&r->said, out.data, out.len);
        FUZZ_CHECK(onward_channel_drain(ch, out.len) == 0);
    }
}

static bool settle(struct record *r, struct onward_channel *ch)
{
    bool any = r->token_count > 0;

    while (r->token_count > 0)
        onward_smtp_reply_answer(r->desk, r->tokens[--r->token_count], NULL);
    while (onward_desk_run(r->desk, 1000) == 1)
        ;
    drain(r, ch);
    return any;
}

static size_t flags_of(unsigned choice)
{
    size_t flags = choice & 3;

    if ((choice & 8) != 0)
        flags |= ONWARD_SMTP_SERVER_ALLOW_CHUNKING;
    if ((choice & 16) != 0)
        flags |= ONWARD_SMTP_SERVER_ALLOW_BINARYMIME;
    if ((choice & 64) != 0)
        flags |= ONWARD_SMTP_SERVER_EXPECT_PROXY;
    if ((choice & 128) != 0)
        flags |=
            ONWARD_SMTP_SERVER_ALLOW_DSN | ONWARD_SMTP_SERVER_ALLOW_DELIVERBY |
            ONWARD_SMTP_SERVER_OFFER_LIMITS | ONWARD_SMTP_SERVER_TRUST_XCLIENT |
            ONWARD_SMTP_SERVER_TRUST_XFORWARD;
    return flags;
}

static struct record run(const uint8_t *data, size_t size, size_t step,
                         unsigned flags)
{
    struct record r = {.defers = (flags & 4) != 0};
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .user = &r,
                                                 .mail = on_mail,
                                                 .rcpt = on_rcpt,
                                                 .message_data = on_data,
                                                 .message_end = on_end,
                                                 .message_rcpt = on_rcpt_end,
                                                 .reset = on_reset,
                                                 .closed = on_closed};
    const struct onward_smtp_server_opts opts = {.size = sizeof(opts),
                                                 .flags = flags_of(flags),
                                                 .mode = flags >> 5 & 1,
                                                 .hostname =
                                                     ONWARD_STR("mx.test"),
                                                 .message_bytes = 200,
                                                 .recipients = 5,
                                                 .line_bytes = 100};
    struct onward_channel *ch;

    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &r.desk) == 0);
    FUZZ_CHECK(onward_smtp_server_new(r.desk, &opts, &host, &r.session) == 0);
    ch = onward_smtp_server_channel(r.session);
    settle(&r, ch);
    for (size_t at = 0; at < size;) {
        size_t n = size - at < step ? size - at : step, taken;

        FUZZ_CHECK(onward_channel_feed(ch, data + at, n, &taken) == 0);
        at += taken;
        drain(&r, ch);
        if (!settle(&r, ch))
            FUZZ_CHECK(taken > 0);
    }
    onward_channel_eof(ch, ONWARD_EOF_CLEAN);
    settle(&r, ch);
    onward_smtp_server_free(r.session);
    onward_desk_free(r.desk);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record whole;
    unsigned flags;

    if (size == 0)
        return 0;
    flags = data[0];
    data++;
    size--;
    whole = run(data, size, size == 0 ? 1 : size, flags);
    for (size_t step = 1; step <= 9; step += 4) {
        struct record cut = run(data, size, step, flags);

        FUZZ_CHECK(is_same(cut.said, whole.said));
        FUZZ_CHECK(is_same(cut.told, whole.told));
    }
    return 0;
}
