/*
 * STARTTLS with TLS of ours and with TLS of the host, in memory; and the
 * Received field, which tells of it.
 */
#include "smtp/server_host.h"
#include "support/certs.h"
#include "support/echo.h"

#define NOW 1600000000
#define HELLO_TLS                                                              \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n"   \
    "250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"
#define HELLO                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n"   \
    "250 ENHANCEDSTATUSCODES\r\n"
#define GREET "220 mx.test ESMTP\r\n"
#define READY "220 2.0.0 Ready to start TLS\r\n"

static struct t_cert *cert;

static struct {
    struct t_world w;
    struct t_server t;
    struct t_echo *client;
    struct onward_tls_config *server_tls, *client_tls;
    struct onward_tls_demand demand;
    size_t chunk;
    char received[1000];
} f;

static int make_cert(void **state)
{
    (void)state;
    cert = t_cert_new("mx.test", "mx.test", NULL, NULL, 0, NOW - 10, NOW + 10);
    return 0;
}

static int free_cert(void **state)
{
    (void)state;
    t_cert_free(cert);
    return 0;
}

/* ---- Our TLS ----------------------------------------------------------- */

static void on_line(struct t_echo *e, struct onward_str line)
{
    if (line.len > 9 && memcmp(line.data, "220 2.0.0", 9) == 0)
        assert_int_equal(t_echo_plug(e), 0);
}

static void begin_tls_with(size_t chunk, size_t flags)
{
    const struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_config_opts server = {.size = sizeof(server),
                                            .role = ONWARD_TLS_SERVER,
                                            .chain_pem = &chain,
                                            .key_pem = &key,
                                            .identity_count = 1};
    struct onward_tls_config_opts client = {.size = sizeof(client),
                                            .role = ONWARD_TLS_CLIENT};

    memset(&f, 0, sizeof(f));
    f.chunk = chunk;
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    assert_int_equal(onward_tls_config_new(f.w.ctx, &server, &f.server_tls), 0);
    assert_int_equal(onward_tls_config_new(f.w.ctx, &client, &f.client_tls), 0);
    f.demand = (struct onward_tls_demand){.size = sizeof(f.demand),
                                          .level = ONWARD_TLS_ENCRYPTED};
    f.client = t_echo_new(f.w.ctx, T_ECHO_CLIENT, f.client_tls, &f.demand);
    f.client->hook = on_line;
    f.t.opts.tls = f.server_tls;
    f.t.opts.flags = flags;
    assert_int_equal(t_server_start(&f.t), 0);
}

static void begin_tls(size_t chunk)
{
    begin_tls_with(chunk, 0);
}

static void end_tls(void)
{
    t_server_stop(&f.t);
    t_echo_free(f.client);
    onward_tls_config_free(f.server_tls);
    onward_tls_config_free(f.client_tls);
    t_world_clear(&f.w);
}

static bool move(struct onward_channel *from, struct onward_channel *to)
{
    struct onward_str out = onward_channel_peek(from);
    size_t len = f.chunk > 0 && f.chunk < out.len ? f.chunk : out.len;
    size_t taken;

    if (len == 0 || (onward_channel_wants(to) &
                     (ONWARD_WANT_READ | ONWARD_WANT_CLOSE)) == 0)
        return false;
    onward_channel_feed(to, out.data, len, &taken);
    onward_channel_drain(from, taken);
    return taken > 0;
}

static void run(void)
{
    bool moves = true;

    while (moves) {
        onward_desk_run(f.t.desk, f.t.now_ms);
        moves = move(&f.client->channel, f.t.channel);
        moves = move(f.t.channel, &f.client->channel) || moves;
    }
}

/* The client reads lines; "line " and LF are the echo engine's notes. */
static void client_saw(const char *want)
{
    char got[4096];
    size_t len = 0;
    struct onward_str seen = onward_core__buf_str(&f.client->seen);

    for (size_t at = 0; at < seen.len;) {
        struct onward_str line = onward_core__sub(
            seen, at,
            at +
                onward_core__str_find(onward_core__sub(seen, at, seen.len),
                                      '\n') +
                1);

        at += line.len;
        if (memcmp(line.data, "line ", 5) == 0)
            line = onward_core__sub(line, 5, line.len);
        memcpy(got + len, line.data, line.len);
        len += line.len;
    }
    t_assert_str_n(onward_core__str(got, len), want, strlen(want));
    onward_core__buf_reset(&f.client->seen);
}

static void say(const char *text)
{
    assert_true(t_echo_send(f.client, text) >= 0);
    run();
}

static void go_tls(void)
{
    run();
    say("EHLO c.test\r\n");
    client_saw(GREET HELLO_TLS);
    say("STARTTLS\r\n");
    client_saw(READY "secured yes\n");
    t_server_assert_events(&f.t, "connect\nehlo c.test\nsecured\n");
    t_server_forget(&f.t);
}

static void test_starttls(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 2; chunk++) {
        struct onward_str field;

        begin_tls(chunk);
        go_tls();
        assert_int_equal(onward_smtp_server_is_tls(f.t.session), 1);
        assert_non_null(onward_smtp_server_tls(f.t.session));
        /* A025: the name of before does not count. */
        assert_int_equal(onward_smtp_server_helo(f.t.session).len, 0);
        say("MAIL FROM:<a@b.test>\r\nSTARTTLS\r\nEHLO d.test\r\n"
            "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n");
        client_saw("503 5.5.1 Send EHLO first\r\n"
                   "503 5.5.1 TLS is active already\r\n" HELLO
                   "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n");
        assert_int_equal(
            onward_smtp_server_received(f.t.session, ONWARD_STR("x1"), &field),
            0);
        assert_non_null(strstr(field.data, "with ESMTPS\r\n\t(TLS1.3 cipher "));
        say("DATA\r\n.x\r\n.\r\nQUIT\r\n");
        client_saw("354 End data with <CR><LF>.<CR><LF>\r\n"
                   "250 2.0.0 Message accepted\r\n221 2.0.0 Bye\r\n"
                   "eof clean\n");
        t_assert_str_n((struct onward_str){f.t.message, f.t.message_len},
                       "x\r\n", 3);
        assert_int_equal(f.t.close_status, 0);
        end_tls();
    }
}

/* A host that pauses in the handshake, or just before it, and goes on. */
static void test_pause_around_the_handshake(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        begin_tls_with(0, way == 2 ? ONWARD_SMTP_SERVER_IMPLICIT_TLS : 0);
        if (way == 2) {
            assert_int_equal(t_echo_plug(f.client), 0);
        } else {
            run();
            say("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
            if (way == 1)
                f.t.pause_in = T_RESET;
            assert_true(t_echo_send(f.client, "STARTTLS\r\n") >= 0);
            move(&f.client->channel, f.t.channel);
        }
        if (way != 1)
            onward_smtp_server_pause(f.t.session);
        run();
        assert_int_equal(onward_smtp_server_is_tls(f.t.session), 0);
        f.t.pause_in = 0;
        onward_smtp_server_resume(f.t.session);
        run();
        assert_int_equal(onward_smtp_server_is_tls(f.t.session), 1);
        end_tls();
    }
}

/* A024: in the feed of STARTTLS, and in a later one before our 220 was seen. */
static void test_plaintext_behind_starttls(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin_tls(0);
        t_server_say(&f.t, "EHLO c.test\r\n");
        t_server_forget(&f.t);
        if (way == 0) {
            t_server_feed_only(&f.t, "STARTTLS\r\nRSET\r\n", 16);
        } else {
            t_server_feed_only(&f.t, "STARTTLS\r\n", 10);
            t_server_feed_only(&f.t, "RSET\r\n", 6);
        }
        t_server_assert_events(&f.t, "close ONWARD_ECRYPTO\n");
        t_server_drain(&f.t);
        assert_memory_equal(f.t.out, READY, sizeof(READY) - 1);
        f.t.out[f.t.out_len] = '\0';
        assert_null(strstr(f.t.out + sizeof(READY) - 1, "250"));
        assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_CLOSE);
        end_tls();
    }
}

/* The transaction of before is told to be gone. */
static void test_starttls_in_a_transaction(void **state)
{
    (void)state;
    begin_tls(0);
    run();
    say("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\n");
    t_server_forget(&f.t);
    say("STARTTLS x\r\n");
    say("STARTTLS\r\n");
    t_server_assert_events(&f.t, "reset 5\nsecured\n");
    end_tls();
}

/* A010: close_notify and a bare end are the end of the session. */
static void test_tls_ends_in_a_message(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        begin_tls(0);
        go_tls();
        say("EHLO d.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
            "DATA\r\na\r\n.\r");
        t_server_forget(&f.t);
        if (cut == 0) {
            onward_channel__close(&f.client->channel);
            run();
        } else {
            onward_channel_eof(f.t.channel, ONWARD_EOF_CLEAN);
        }
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        t_server_say(&f.t, "\n");
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        end_tls();
    }
}

/* A010, and what CVE-2026-45185 was: TLS goes in the middle of a chunk, then
 * octets of the chunk come in plaintext. */
static void test_tls_ends_in_a_chunk(void **state)
{
    (void)state;
    for (int cut = 0; cut < 3; cut++) {
        begin_tls_with(0, ONWARD_SMTP_SERVER_ALLOW_CHUNKING);
        run();
        say("STARTTLS\r\n");
        say("EHLO d.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
            "BDAT 10 LAST\r\nabc");
        t_server_forget(&f.t);
        if (cut == 0) {
            onward_channel__close(&f.client->channel);
            run();
        } else {
            onward_channel_eof(f.t.channel,
                               cut == 1 ? ONWARD_EOF_CLEAN : ONWARD_EOF_CUT);
        }
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        t_server_say(&f.t, "\r\n");
        t_server_say(&f.t, "defgh\r\nMAIL FROM:<>\r\n");
        t_server_eof(&f.t, ONWARD_EOF_CLEAN);
        t_server_assert_events(&f.t, "reset 6\nclose ONWARD_ECANCELED\n");
        assert_null(strstr(f.t.out, "Message accepted"));
        end_tls();
    }
}

/* RFC 8689: promised under TLS alone. */
static void test_requiretls(void **state)
{
    (void)state;
    begin_tls_with(0, ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS);
    run();
    say("EHLO c.test\r\n");
    onward_core__buf_add_byte(&f.client->seen, 0);
    assert_null(strstr((char *)f.client->seen.data, "REQUIRETLS"));
    f.client->seen.len--;
    say("MAIL FROM:<> REQUIRETLS\r\n");
    say("STARTTLS\r\n");
    t_server_forget(&f.t);
    say("EHLO c.test\r\nMAIL FROM:<> REQUIRETLS=1\r\n"
        "MAIL FROM:<> REQUIRETLS\r\n");
    t_server_assert_events(
        &f.t, "ehlo c.test\nmail [] size 0 body 0 utf8 0 requiretls 1\n");
    onward_core__buf_add_byte(&f.client->seen, 0);
    assert_non_null(strstr((char *)f.client->seen.data, "250 REQUIRETLS"));
    assert_non_null(strstr((char *)f.client->seen.data, "501 5.5.4"));
    end_tls();
}

/* RFC 8314; the header and the first flight of TLS may come in one piece. */
static void test_implicit_tls(void **state)
{
    static const char head[] = "PROXY TCP4 192.0.2.1 198.51.100.2 1 465\r\n";

    (void)state;
    for (int proxied = 0; proxied < 3; proxied++) {
        begin_tls_with(0,
                       ONWARD_SMTP_SERVER_IMPLICIT_TLS |
                           (proxied > 0 ? ONWARD_SMTP_SERVER_EXPECT_PROXY : 0));
        if (proxied == 1)
            t_server_say(&f.t, head);
        assert_int_equal(t_echo_plug(f.client), 0);
        if (proxied == 2) {
            struct onward_str hello = onward_channel_peek(&f.client->channel);
            char both[4096];
            size_t len = sizeof(head) - 1 + hello.len;

            assert_true(len <= sizeof(both));
            memcpy(both, head, sizeof(head) - 1);
            memcpy(both + sizeof(head) - 1, hello.data, hello.len);
            onward_channel_drain(&f.client->channel, hello.len);
            t_server_assert_out(&f.t, "");
            for (size_t at = 0, taken = 1; at < len && taken > 0; at += taken) {
                onward_channel_feed(f.t.channel, both + at, len - at, &taken);
                if (taken < len - at)
                    onward_desk_run(f.t.desk, f.t.now_ms);
            }
        }
        run();
        say("EHLO c.test\r\n");
        t_server_assert_events(&f.t, "secured\nconnect\nehlo c.test\n");
        assert_int_equal(onward_smtp_server_is_tls(f.t.session), 1);
        assert_int_equal(onward_smtp_server_is_early(f.t.session), 0);
        end_tls();
    }
    /* Plaintext is no handshake. */
    begin_tls_with(0, ONWARD_SMTP_SERVER_IMPLICIT_TLS);
    t_server_say(&f.t, "EHLO c.test\r\n");
    t_server_assert_events(&f.t, "close ONWARD_ECRYPTO\n");
    end_tls();
    begin_tls_with(0, ONWARD_SMTP_SERVER_IMPLICIT_TLS);
    t_server_tick(&f.t, 120000);
    t_server_assert_events(&f.t, "close ONWARD_ELIMIT\n");
    end_tls();
}

static void test_handshake_fails(void **state)
{
    (void)state;
    begin_tls(0);
    t_server_say(&f.t, "EHLO c.test\r\n");
    t_server_say(&f.t, "STARTTLS\r\n");
    t_server_forget(&f.t);
    t_server_say(&f.t, "EHLO c.test\r\nNOOP\r\n");
    t_server_assert_events(&f.t, "close ONWARD_ECRYPTO\n");
    end_tls();
    begin_tls(0);
    t_server_say(&f.t, "STARTTLS\r\n");
    t_server_forget(&f.t);
    t_server_tick(&f.t, 119999);
    t_server_assert_events(&f.t, "");
    t_server_tick(&f.t, 1);
    t_server_assert_events(&f.t, "close ONWARD_ELIMIT\n");
    end_tls();
}

/* ---- TLS of the host --------------------------------------------------- */

static void begin_host(void)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = ONWARD_SMTP_SERVER_HOST_TLS;
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_say(&f.t, "EHLO c.test\r\n");
    t_server_assert_out(&f.t, GREET HELLO_TLS);
    t_server_forget(&f.t);
}

static void end_host(void)
{
    t_server_stop(&f.t);
    t_world_clear(&f.w);
}

static void test_host_tls(void **state)
{
    struct onward_tls_facts facts = {.size = sizeof(facts),
                                     .version = ONWARD_STR("TLS1.2"),
                                     .cipher = ONWARD_STR("CIPHER")};
    size_t taken;

    (void)state;
    begin_host();
    t_server_say(&f.t, "STARTTLS\r\n");
    t_server_assert_out(&f.t, READY);
    t_server_assert_events(&f.t, "starttls\n");
    /* What comes now is the handshake: not for us. */
    assert_int_equal(onward_channel_feed(f.t.channel, "\x16\x03", 2, &taken),
                     0);
    assert_int_equal(taken, 0);
    assert_int_equal(onward_smtp_server_tls_done(f.t.session, &facts), 0);
    assert_int_equal(onward_smtp_server_tls_done(f.t.session, &facts),
                     ONWARD_ESTATE);
    t_server_forget(&f.t);
    t_server_say(&f.t, "MAIL FROM:<>\r\nEHLO d.test\r\nSTARTTLS\r\n");
    t_server_assert_out(&f.t, "503 5.5.1 Send EHLO first\r\n" HELLO
                              "503 5.5.1 TLS is active already\r\n");
    t_assert_str(onward_smtp_server_tls(f.t.session)->version, "TLS1.2");
    t_assert_str(onward_smtp_server_tls(f.t.session)->cipher, "CIPHER");
    end_host();
}

/* A126: what the host gave of channel bindings is wiped. */
static void test_host_tls_bindings_are_wiped(void **state)
{
    struct onward_tls_facts facts = {
        .size = sizeof(facts),
        .binding_exporter = ONWARD_STR("the-exporter-of-this-session"),
        .binding_unique = ONWARD_STR("and-the-exporter-of-older-ones"),
    };

    (void)state;
    begin_host();
    t_server_say(&f.t, "STARTTLS\r\n");
    f.w.secret = "the-exporter";
    assert_int_equal(onward_smtp_server_tls_done(f.t.session, &facts), 0);
    t_server_stop(&f.t);
    assert_int_equal(f.w.leaks, 0);
    t_world_clear(&f.w);
}

static void test_host_tls_with_early_plaintext(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin_host();
        if (way == 0) {
            t_server_feed_only(&f.t, "STARTTLS\r\nNOOP\r\n", 16);
        } else {
            t_server_feed_only(&f.t, "STARTTLS\r\n", 10);
            t_server_feed_only(&f.t, "NOOP\r\n", 6);
        }
        t_server_drain(&f.t);
        t_server_assert_out(&f.t, READY);
        assert_int_equal(f.t.close_status, ONWARD_ECRYPTO);
        assert_int_equal(onward_smtp_server_tls_done(f.t.session, NULL),
                         ONWARD_ESTATE);
        end_host();
    }
}

static void test_tls_done_out_of_turn(void **state)
{
    (void)state;
    begin_host();
    assert_int_equal(onward_smtp_server_tls_done(f.t.session, NULL),
                     ONWARD_ESTATE);
    end_host();
}

/* TLS from the first octet: what came before it in the clear would be run. */
static void test_tls_done_after_plaintext(void **state)
{
    static const char *const heard[] = {"", "EH", "NOOP\r\n"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        memset(&f, 0, sizeof(f));
        t_world_init(&f.w);
        t_server_prepare(&f.t, &f.w);
        f.t.opts.flags = ONWARD_SMTP_SERVER_HOST_TLS;
        f.t.no_connect = true;
        assert_int_equal(t_server_start(&f.t), 0);
        t_server_drain(&f.t);
        t_server_say(&f.t, heard[i]);
        assert_int_equal(onward_smtp_server_tls_done(f.t.session, NULL),
                         i == 0 ? 0 : ONWARD_ESTATE);
        end_host();
    }
}

/* ---- Received ---------------------------------------------------------- */

static void received(const char *in, const struct onward_ip *ip,
                     const char *name, size_t flags, const char *want)
{
    struct onward_str field;

    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    f.t.opts.client_ip = ip;
    f.t.opts.client_name = onward_str_of(name);
    f.t.opts.flags = flags;
    assert_int_equal(t_server_start(&f.t), 0);
    assert_int_equal(
        onward_smtp_server_received(f.t.session, ONWARD_STR("i"), &field),
        ONWARD_ESTATE);
    t_server_say(&f.t, in);
    assert_int_equal(
        onward_smtp_server_received(f.t.session, ONWARD_STR("a b"), &field),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_smtp_server_received(f.t.session, ONWARD_STR("id7"), &field), 0);
    t_assert_str(field, want);
    end_host();
}

static void test_received(void **state)
{
    const struct onward_ip v4 = {4, {192, 0, 2, 1}};
    const struct onward_ip v6 = {6, {0x20, 1, 0xd, 0xb8, [15] = 1}};

    (void)state;
    received("HELO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<@r.test:d@mx.test>\r\n",
             &v4, "", 0,
             "Received: from c.test ([192.0.2.1])\r\n\tby mx.test with SMTP"
             "\r\n\tid id7\r\n\tfor <d@mx.test>;\r\n\t"
             "Sun, 13 Sep 2020 12:26:40 +0000\r\n");
    /* Two recipients are not told of each other; a refused one is none. */
    received("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<d@mx.test>\r\n"
             "RCPT TO:<e@mx.test>\r\n",
             &v6, "c.example", 0,
             "Received: from c.test (c.example [IPv6:2001:db8::1])\r\n"
             "\tby mx.test with ESMTP\r\n\tid id7;\r\n\t"
             "Sun, 13 Sep 2020 12:26:40 +0000\r\n");
    received("EHLO under_score\r\nMAIL FROM:<> SMTPUTF8\r\n"
             "RCPT TO:<no@mx.test>\r\nRCPT TO:<\xc3\xbc@mx.test>\r\n",
             NULL, "", ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8,
             "Received: from unknown (helo under_score)\r\n"
             "\tby mx.test with UTF8SMTP\r\n\tid id7\r\n"
             "\tfor <\xc3\xbc@mx.test>;\r\n\t"
             "Sun, 13 Sep 2020 12:26:40 +0000\r\n");
    received("EHLO [192.0.2.9]\r\nMAIL FROM:<>\r\nRCPT TO:<d@mx.test>\r\n", &v4,
             "", 0,
             "Received: from [192.0.2.9] ([192.0.2.1])\r\n"
             "\tby mx.test with ESMTP\r\n\tid id7\r\n\tfor <d@mx.test>;\r\n\t"
             "Sun, 13 Sep 2020 12:26:40 +0000\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_plaintext_behind_starttls),
        cmocka_unit_test(test_pause_around_the_handshake),
        cmocka_unit_test(test_starttls_in_a_transaction),
        cmocka_unit_test(test_tls_ends_in_a_message),
        cmocka_unit_test(test_tls_ends_in_a_chunk),
        cmocka_unit_test(test_requiretls),
        cmocka_unit_test(test_implicit_tls),
        cmocka_unit_test(test_handshake_fails),
        cmocka_unit_test(test_host_tls),
        cmocka_unit_test(test_host_tls_bindings_are_wiped),
        cmocka_unit_test(test_host_tls_with_early_plaintext),
        cmocka_unit_test(test_tls_done_out_of_turn),
        cmocka_unit_test(test_tls_done_after_plaintext),
        cmocka_unit_test(test_received),
    };

    return cmocka_run_group_tests(tests, make_cert, free_cert);
}
