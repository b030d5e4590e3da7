/*
 * A server that may say anything. The first octet chooses the options and how
 * the rest is cut, from 128 on with a second one for LMTP and BDAT; the rest is
 * what the server says. Whatever it is: a message ends once, is delivered only
 * after the client has sent its final dot or last chunk, holds no text that is
 * not printable; no bare newline or undoubled dot goes out in lines, and chunks
 * hold the message and nothing else.
 */
#include "fuzz.h"

#include <onward/smtp_client.h>

enum { MORE = 128 }; /* of the first octet */
enum { LMTP = 1, BDAT = 2, IN_STEP = 4, DSN = 8, BINARY = 16, CHUNK = 32 };

/* Sent with a CRLF at its end, unless as BINARYMIME. */
static const char message[] = "a: b\r\n\r\n.x\r\n";
enum { MESSAGE = sizeof(message) - 1, MESSAGE_BARE = MESSAGE - 2 };

struct session {
    unsigned flags; /* of the second octet */
    struct onward_desk *desk;
    struct onward_smtp_client *client;
    struct onward_channel *ch;
    size_t done, closed;
    char said[1 << 16]; /* by the client */
    size_t said_len;
};

static void on_done(void *user, struct onward_smtp_client *client)
{
    (void)client;
    ((struct session *)user)->done++;
}

static void on_closed(void *user, struct onward_smtp_client *client)
{
    (void)client;
    ((struct session *)user)->closed++;
}

static void drain(struct session *s)
{
    struct onward_str out;

    do {
        while (onward_desk_run(s->desk, 1000) == 1)
            continue;
        out = onward_channel_peek(s->ch);
        FUZZ_CHECK(out.len <= sizeof(s->said) - s->said_len);
        if (out.len != 0)
            memcpy(s->said + s->said_len, out.data, out.len);
        s->said_len += out.len;
        (void)onward_channel_drain(s->ch, out.len);
    } while (out.len != 0);
}

static void add_rcpt(struct session *s, const char *path, int want)
{
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = onward_str_of(path)};

    if ((s->flags & DSN) != 0) {
        rcpt.notify = ONWARD_SMTP_NOTIFY_SUCCESS;
        rcpt.orcpt = ONWARD_STR("rfc822;+ =b");
    }
    FUZZ_CHECK(onward_smtp_client_add_rcpt(s->client, &rcpt) == want);
}

static void give(struct session *s, const struct onward_source *source,
                 unsigned options)
{
    static const char *const paths[] = {"b@mx.example", "c@mx.example",
                                        "\xc3\xa4@mx.example"};
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope),
                                            .reverse_path =
                                                ONWARD_STR("a@client.example")};
    size_t count = (options & 1) != 0 ? 3 : 2;

    for (size_t i = 0; i < count; i++)
        add_rcpt(s, paths[i], (int)i);
    if ((s->flags & BINARY) != 0)
        envelope.body = ONWARD_SMTP_BODY_BINARYMIME;
    if ((s->flags & DSN) != 0)
        envelope.envid = ONWARD_STR("+= ");
    FUZZ_CHECK(onward_smtp_client_send(s->client, &envelope, source) == 0);
    if ((options & 2) != 0)
        FUZZ_CHECK(onward_smtp_client_quit(s->client) == 0);
}

static size_t find(const struct session *s, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= s->said_len; i++) {
        if (memcmp(s->said + i, text, len) == 0)
            return i;
    }
    return SIZE_MAX;
}

static void check_outcome(const struct session *s, size_t i)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};

    FUZZ_CHECK(onward_smtp_client_outcome(s->client, i, &o) == 0);
    FUZZ_CHECK(o.text.len <= 512);
    for (size_t k = 0; k < o.text.len; k++)
        FUZZ_CHECK(o.text.data[k] >= 0x20 && o.text.data[k] < 0x7f);
    if (o.fate == ONWARD_SMTP_FATE_DELIVERED)
        FUZZ_CHECK(o.phase == ONWARD_SMTP_PHASE_FINAL && o.code / 100 == 2 &&
                   (find(s, "\r\n..x\r\n.\r\n") != SIZE_MAX ||
                    find(s, " LAST\r\n") != SIZE_MAX));
    FUZZ_CHECK(o.notes == 0 || (s->flags & DSN) != 0);
}

/* One line from at on, ended by CRLF; where the next begins. */
static size_t check_line(const struct session *s, size_t at)
{
    FUZZ_CHECK(s->said_len - at < 2 || memcmp(s->said + at, ".x", 2) != 0);
    for (size_t i = at; i < s->said_len; i++) {
        FUZZ_CHECK(s->said[i] != '\n' || (i > at && s->said[i - 1] == '\r'));
        FUZZ_CHECK(i == at || s->said[i - 1] != '\r' || s->said[i] == '\n');
        if (s->said[i] == '\n')
            return i + 1;
    }
    return s->said_len;
}

/* A chunk behind its command: the next octets of the message, *got so far. */
static size_t check_chunk(const struct session *s, size_t line, size_t at,
                          size_t *got)
{
    const size_t want = (s->flags & BINARY) != 0 ? MESSAGE_BARE : MESSAGE;
    size_t len = 0, there, i = line + 5;

    for (; s->said[i] >= '0' && s->said[i] <= '9'; i++)
        len = len * 10 + (size_t)(s->said[i] - '0');
    FUZZ_CHECK(len <= want - *got);
    there = s->said_len - at < len ? s->said_len - at : len;
    FUZZ_CHECK(memcmp(s->said + at, message + *got, there) == 0);
    *got += len;
    FUZZ_CHECK((s->said[i] == ' ') == (*got == want));
    if (*got == want)
        *got = 0;
    return at + there;
}

static void check_said(const struct session *s)
{
    size_t at = 0, got = 0;

    while (at < s->said_len) {
        size_t line = at;

        at = check_line(s, line);
        if (at - line == 6 && memcmp(s->said + line, "RSET", 4) == 0)
            got = 0;
        if (at - line > 5 && memcmp(s->said + line, "BDAT ", 5) == 0)
            at = check_chunk(s, line, at, &got);
    }
}

static void play(struct session *s, const uint8_t *data, size_t size,
                 size_t step)
{
    while (size != 0) {
        size_t n = step == 0 || size < step ? size : step;
        size_t taken;

        FUZZ_CHECK(onward_channel_feed(s->ch, data, n, &taken) == 0);
        FUZZ_CHECK(taken == n);
        drain(s);
        data += n;
        size -= n;
    }
    FUZZ_CHECK(onward_channel_eof(s->ch, ONWARD_EOF_CUT) == 0);
    drain(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct session s;
    struct onward_smtp_client_host host = {
        .size = sizeof(host), .user = &s, .done = on_done, .closed = on_closed};
    struct onward_tls_demand none = {.size = sizeof(none),
                                     .level = ONWARD_TLS_NONE};
    struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                           .ehlo_name =
                                               ONWARD_STR("client.example"),
                                           .tls_demand = &none};
    struct onward_memory_source *memory;
    size_t step;

    if (size < 2 || size > 32768)
        return 0;
    memset(&s, 0, sizeof(s));
    step = (size_t)(data[0] & 127) >> 2;
    if (data[0] >= MORE) {
        s.flags = data[1];
        opts.flags = (s.flags & LMTP) != 0 ? ONWARD_SMTP_CLIENT_LMTP : 0;
        opts.flags |=
            (s.flags & BDAT) != 0 ? ONWARD_SMTP_CLIENT_PREFER_BDAT : 0;
        opts.flags |= (s.flags & IN_STEP) != 0 ? ONWARD_SMTP_CLIENT_IN_STEP : 0;
        opts.chunk_bytes = 1 + s.flags / CHUNK * 3;
    }
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &s.desk) == 0);
    FUZZ_CHECK(onward_smtp_client_new(s.desk, &opts, &host, &s.client) == 0);
    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), message, MESSAGE_BARE,
                                        &memory) == 0);
    s.ch = onward_smtp_client_channel(s.client);
    FUZZ_CHECK(onward_channel_tick(s.ch, 1000) == 0);
    give(&s, onward_memory_source_table(memory), data[0]);
    drain(&s);
    play(&s, data + (data[0] >= MORE ? 2 : 1), size - (data[0] >= MORE ? 2 : 1),
         step);
    FUZZ_CHECK(s.done == 1 && s.closed == 1);
    for (size_t i = 0; i < onward_smtp_client_rcpt_count(s.client); i++)
        check_outcome(&s, i);
    check_outcome(&s, ONWARD_SMTP_MESSAGE);
    check_said(&s);
    onward_smtp_client_free(s.client);
    onward_desk_free(s.desk);
    onward_memory_source_free(memory);
    return 0;
}
