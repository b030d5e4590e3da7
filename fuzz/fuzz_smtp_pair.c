/*
 * Our client against our server: the first octet chooses how the message is
 * checked and how the wire is cut, from 128 on with a second one for LMTP, BDAT
 * and BINARYMIME; the rest is the message. The server takes exactly one
 * message, which is what the client was given, or none.
 */
#include "fuzz.h"

#include <onward/smtp.h>

#include "core/core_shared.h"

enum { REPAIR = 1, UNCHECKED = 2, MORE = 128, MOST = 16384 };
enum { LMTP = 256, BDAT = 512, BINARY = 1024, CHUNK = 2048 };

struct pair {
    struct onward_desk *desk;
    struct onward_smtp_server *server;
    struct onward_smtp_client *client;
    size_t mails, ends, done;
    char got[4 * MOST];
    size_t got_len;
};

/* ---- The server's host ------------------------------------------------- */

static int on_mail(void *user, uint64_t token)
{
    (void)token;
    ((struct pair *)user)->mails++;
    return ONWARD_SMTP_DEFAULT;
}

static int on_rcpt(void *user, uint64_t token, size_t index)
{
    const struct onward_smtp_reply ok = {.size = sizeof(ok), .code = 250};
    struct pair *p = user;

    FUZZ_CHECK(index == 0);
    FUZZ_CHECK(onward_smtp_reply_answer(p->desk, token, &ok) == 0);
    return ONWARD_SMTP_HANDLED;
}

static int on_data(void *user, const void *data, size_t len)
{
    struct pair *p = user;

    FUZZ_CHECK(len <= sizeof(p->got) - p->got_len);
    memcpy(p->got + p->got_len, data, len);
    p->got_len += len;
    return 0;
}

static int on_end(void *user, uint64_t token)
{
    const struct onward_smtp_reply ok = {.size = sizeof(ok), .code = 250};
    struct pair *p = user;

    p->ends++;
    FUZZ_CHECK(onward_smtp_reply_answer(p->desk, token, &ok) == 0);
    return ONWARD_SMTP_HANDLED;
}

static void on_done(void *user, struct onward_smtp_client *client)
{
    (void)client;
    ((struct pair *)user)->done++;
}

/* ---- The wire ---------------------------------------------------------- */

static size_t carry(struct onward_channel *from, struct onward_channel *to,
                    size_t step)
{
    struct onward_str out = onward_channel_peek(from);
    size_t n = step == 0 || out.len < step ? out.len : step;
    size_t taken = 0;

    if (n == 0)
        return 0;
    (void)onward_channel_feed(to, out.data, n, &taken);
    FUZZ_CHECK(onward_channel_drain(from, taken) == 0);
    return taken;
}

static void settle(struct pair *p, size_t step)
{
    struct onward_channel *a = onward_smtp_client_channel(p->client);
    struct onward_channel *b = onward_smtp_server_channel(p->server);
    size_t moved = 1;

    while (moved != 0) {
        while (onward_desk_run(p->desk, 1000) == 1)
            continue;
        moved = carry(a, b, step);
        while (onward_desk_run(p->desk, 1000) == 1)
            continue;
        moved += carry(b, a, step);
    }
}

static void open_pair(struct pair *p, unsigned flags)
{
    const struct onward_smtp_server_host sh = {.size = sizeof(sh),
                                               .user = p,
                                               .mail = on_mail,
                                               .rcpt = on_rcpt,
                                               .message_data = on_data,
                                               .message_end = on_end};
    const struct onward_smtp_server_opts so = {
        .size = sizeof(so),
        .flags = ONWARD_SMTP_SERVER_ALLOW_CHUNKING |
                 ONWARD_SMTP_SERVER_ALLOW_BINARYMIME,
        .mode = (flags & LMTP) != 0 ? ONWARD_SMTP_SERVER_MODE_LMTP
                                    : ONWARD_SMTP_SERVER_MODE_SMTP,
        .hostname = ONWARD_STR("mx.test")};
    const struct onward_smtp_client_host ch = {
        .size = sizeof(ch), .user = p, .done = on_done};
    const struct onward_tls_demand none = {.size = sizeof(none),
                                           .level = ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts co = {
        .size = sizeof(co),
        .ehlo_name = ONWARD_STR("client.example"),
        .tls_demand = &none,
        .allow_bare_newline_repair = (flags & REPAIR) != 0,
        .flags = ((flags & LMTP) != 0 ? ONWARD_SMTP_CLIENT_LMTP : 0u) |
                 ((flags & BDAT) != 0 ? ONWARD_SMTP_CLIENT_PREFER_BDAT : 0u),
        .chunk_bytes = flags / CHUNK * 7};

    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &p->desk) == 0);
    FUZZ_CHECK(onward_smtp_server_new(p->desk, &so, &sh, &p->server) == 0);
    FUZZ_CHECK(onward_smtp_client_new(p->desk, &co, &ch, &p->client) == 0);
}

/* ---- What should arrive ------------------------------------------------ */

/* With lone CR and LF made line ends; *is_bare tells of them. */
static size_t repaired(const uint8_t *data, size_t size, char *out,
                       bool *is_bare)
{
    size_t len = 0;

    *is_bare = false;
    for (size_t i = 0; i < size; i++) {
        bool is_pair = data[i] == '\r' && i + 1 < size && data[i + 1] == '\n';

        if (data[i] != '\r' && data[i] != '\n') {
            out[len++] = (char)data[i];
            continue;
        }
        *is_bare = *is_bare || !is_pair;
        out[len++] = '\r';
        out[len++] = '\n';
        i += is_pair;
    }
    if (len != 0 && (len < 2 || memcmp(out + len - 2, "\r\n", 2) != 0)) {
        out[len++] = '\r';
        out[len++] = '\n';
    }
    return len;
}

static void check(const struct pair *p, const uint8_t *data, size_t size,
                  unsigned flags)
{
    static char want[2 * MOST + 2];
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    bool is_bare;
    size_t len = repaired(data, size, want, &is_bare);

    FUZZ_CHECK(p->done == 1 && p->mails <= 1 && p->ends <= 1);
    FUZZ_CHECK(onward_smtp_client_outcome(p->client, ONWARD_SMTP_MESSAGE, &o) ==
               0);
    FUZZ_CHECK((o.fate == ONWARD_SMTP_FATE_DELIVERED) == (p->ends == 1));
    FUZZ_CHECK((o.fate == ONWARD_SMTP_FATE_DELIVERED) ==
               (!is_bare || (flags & (REPAIR | BINARY)) != 0));
    if (p->ends == 0)
        return;
    /* Octet for octet; and by BDAT the caller's word for its end is taken. */
    if ((flags & BINARY) != 0 ||
        ((flags & (UNCHECKED | BDAT | REPAIR)) == (UNCHECKED | BDAT))) {
        FUZZ_CHECK(p->got_len == size && memcmp(p->got, data, size) == 0);
        return;
    }
    FUZZ_CHECK(p->got_len == len);
    FUZZ_CHECK(memcmp(p->got, want, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pair p;
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope),
                                            .reverse_path =
                                                ONWARD_STR("a@client.example"),
                                            .body = ONWARD_SMTP_BODY_8BITMIME};
    const struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                          .path = ONWARD_STR("b@mx.test")};
    struct onward_memory_source *memory = NULL;
    unsigned flags;
    size_t step;

    if (size < 2 || size > MOST)
        return 0;
    memset(&p, 0, sizeof(p));
    flags = data[0] & 3u;
    step = (data[0] & 127u) >> 2;
    if (data[0] >= MORE) {
        flags |= (unsigned)data[1] << 8;
        data++;
        size--;
    }
    open_pair(&p, flags);
    envelope.allow_unchecked = (flags & UNCHECKED) != 0;
    if ((flags & BINARY) != 0)
        envelope.body = ONWARD_SMTP_BODY_BINARYMIME;
    FUZZ_CHECK(
        onward_memory_source_new(fuzz_ctx(), data + 1, size - 1, &memory) == 0);
    FUZZ_CHECK(onward_smtp_client_add_rcpt(p.client, &rcpt) == 0);
    FUZZ_CHECK(onward_smtp_client_send(p.client, &envelope,
                                       onward_memory_source_table(memory)) ==
               0);
    settle(&p, step);
    check(&p, data + 1, size - 1, flags);
    onward_smtp_client_free(p.client);
    onward_smtp_server_free(p.server);
    onward_desk_free(p.desk);
    onward_memory_source_free(memory);
    return 0;
}
