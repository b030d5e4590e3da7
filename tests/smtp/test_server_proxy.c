/*
 * Clients that others speak for: the PROXY header (proxy-protocol.txt of
 * HAProxy, with its example of section 2.1), XCLIENT and XFORWARD (Postfix).
 * A022: nothing of it counts without trust.
 */
#include "smtp/server_host.h"

#include "smtp/proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"
#define V6                                                                     \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                   \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\1\2\0\x19"
#define Z36                                                                    \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define IN(text)                                                               \
    {                                                                          \
        "" text "", sizeof(text) - 1                                           \
    }

static const struct row {
    const char *name;
    struct onward_str in;
    int ret;
    size_t rest; /* octets behind the header */
    const char *client, *local;
    size_t client_port, local_port;
} rows[] = {
    {"the example", IN("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET"),
     1, 3, "192.168.0.1", "192.168.0.11", 56324, 443},
    {"IPv6", IN("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), 1, 0,
     "2001:db8::1", "2001:db8::2", 1, 65535},
    {"unknown", IN("PROXY UNKNOWN\r\n"), 1, 0, NULL, NULL, 0, 0},
    {"unknown, at the full length",
     IN("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nx"), 1, 1,
     NULL, NULL, 0, 0},
    {"not whole", IN("PROXY TCP4 192.168.0.1"), 0, 0, NULL, NULL, 0, 0},
    {"another family", IN("PROXY TCP6 192.168.0.1 192.168.0.11 1 2\r\n"), -1, 0,
     NULL, NULL, 0, 0},
    {"lower case", IN("proxy TCP4 192.168.0.1 192.168.0.11 1 2\r\n"), -1, 0,
     NULL, NULL, 0, 0},
    {"UDP", IN("PROXY UDP4 192.168.0.1 192.168.0.11 1 2\r\n"), -1, 0, NULL,
     NULL, 0, 0},
    {"two blanks", IN("PROXY TCP4  192.168.0.1 192.168.0.11 1 2\r\n"), -1, 0,
     NULL, NULL, 0, 0},
    {"one port", IN("PROXY TCP4 192.168.0.1 192.168.0.11 1\r\n"), -1, 0, NULL,
     NULL, 0, 0},
    {"a word more", IN("PROXY TCP4 192.168.0.1 192.168.0.11 1 2 3\r\n"), -1, 0,
     NULL, NULL, 0, 0},
    {"port past 65535", IN("PROXY TCP4 192.168.0.1 192.168.0.11 65536 2\r\n"),
     -1, 0, NULL, NULL, 0, 0},
    {"port with a zero before", IN("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),
     -1, 0, NULL, NULL, 0, 0},
    {"a bare LF", IN("PROXY TCP4 192.168.0.1 192.168.0.11 1 2\n"), -1, 0, NULL,
     NULL, 0, 0},
    {"past 107 octets",
     IN("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
     -1, 0, NULL, NULL, 0, 0},
    {"SMTP", IN("EHLO c.test\r\n"), -1, 0, NULL, NULL, 0, 0},
    {"2: IPv4", IN(SIG "\x21\x11\0\x0c" V4 "E"), 1, 1, "192.0.2.1",
     "198.51.100.2", 56324, 25},
    {"2: IPv6", IN(SIG "\x21\x21\0\x24" V6), 1, 0, "2001:db8::1", "2001:db8::2",
     258, 25},
    {"2: TLVs are passed over", IN(SIG "\x21\x11\0\x11" V4 "\4\0\2xxE"), 1, 1,
     "192.0.2.1", "198.51.100.2", 56324, 25},
    {"2: LOCAL", IN(SIG "\x20\0\0\0E"), 1, 1, NULL, NULL, 0, 0},
    {"2: LOCAL with addresses", IN(SIG "\x20\x11\0\x0c" V4 "E"), 1, 1, NULL,
     NULL, 0, 0},
    {"2: unspecified", IN(SIG "\x21\0\0\2abE"), 1, 1, NULL, NULL, 0, 0},
    {"2: UNIX", IN(SIG "\x21\x31\0\xd8" Z36 Z36 Z36 Z36 Z36 Z36 "E"), 1, 1,
     NULL, NULL, 0, 0},
    {"2: UNIX too short", IN(SIG "\x21\x31\0\xd7"), -1, 0, NULL, NULL, 0, 0},
    {"2: IPv4 too short", IN(SIG "\x21\x11\0\x0b"), -1, 0, NULL, NULL, 0, 0},
    {"2: UDP", IN(SIG "\x21\x12\0\x0c"), -1, 0, NULL, NULL, 0, 0},
    {"2: version 1", IN(SIG "\x11\x11\0\x0c"), -1, 0, NULL, NULL, 0, 0},
    {"2: another command", IN(SIG "\x22\x11\0\x0c"), -1, 0, NULL, NULL, 0, 0},
    {"2: the longest", IN(SIG "\x21\x11\xff\xff" V4), 0, 0, "192.0.2.1",
     "198.51.100.2", 56324, 25},
    {"2: a signature that breaks off", IN("\r\n\r\n\0\r\nQUIX"), -1, 0, NULL,
     NULL, 0, 0},
};

static void check_ip(const struct onward_ip *ip, const char *want)
{
    char text[ONWARD_IP_TEXT_MAX];

    if (want == NULL) {
        assert_int_equal(ip->family, 0);
        return;
    }
    assert_true(onward_ip_format(ip, text, sizeof(text)) > 0);
    assert_string_equal(text, want);
}

static void test_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];

        for (size_t cut = 0; cut < row->in.len; cut++) {
            struct onward_smtp__proxy p = {.len = 0};
            size_t at = 0, taken;
            int ret = 0;

            /* In two pieces; the first empty one is the whole. */
            for (int part = 0; part < 2 && ret == 0; part++) {
                size_t end = part == 0 ? cut : row->in.len;

                ret = onward_smtp__proxy_take(&p, row->in.data + at, end - at,
                                              &taken);
                at += taken;
            }
            if (ret != (row->ret < 0 ? ONWARD_ESYNTAX : row->ret))
                fail_msg("%s: %d, cut at %zu", row->name, ret, cut);
            if (ret < 0)
                continue;
            assert_int_equal(row->in.len - at, row->rest);
            check_ip(&p.client_ip, row->client);
            check_ip(&p.local_ip, row->local);
            assert_int_equal(p.client_port, row->client_port);
            assert_int_equal(p.local_port, row->local_port);
        }
    }
}

/* ---- In a session ------------------------------------------------------ */

#define EHLO "EHLO c.test\r\n"
#define GREET "220 mx.test ESMTP\r\n"

static struct {
    struct t_world w;
    struct t_server t;
    struct onward_ip peer;
} f;

static void begin(size_t flags)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    assert_int_equal(onward_ip_parse(ONWARD_STR("203.0.113.9"), &f.peer), 0);
    f.t.opts.client_ip = &f.peer;
    f.t.opts.client_port = 4711;
    f.t.opts.client_name = ONWARD_STR("proxy.test");
    f.t.opts.flags = flags;
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_feed(&f.t, NULL, 0);
}

static void end(void)
{
    t_server_stop(&f.t);
    t_world_clear(&f.w);
}

static void check_client(const char *ip, size_t port, const char *name)
{
    struct onward_ip got;

    onward_smtp_server_client_ip(f.t.session, &got);
    check_ip(&got, ip);
    assert_int_equal(onward_smtp_server_client_port(f.t.session), port);
    t_assert_str(onward_smtp_server_client_name(f.t.session), name);
}

static void test_proxied_client(void **state)
{
    static const char head[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n";

    (void)state;
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY | ONWARD_SMTP_SERVER_TRUST_XCLIENT);
    t_server_assert_events(&f.t, "");
    t_server_assert_out(&f.t, "");
    for (size_t i = 0; i < sizeof(head) - 1; i++)
        t_server_feed(&f.t, head + i, 1);
    t_server_assert_events(&f.t, "connect\n");
    t_server_assert_out(&f.t, GREET);
    check_client("192.0.2.1", 56324, "");
    assert_int_equal(onward_smtp_server_local_address(f.t.session, &f.peer),
                     25);
    check_ip(&f.peer, "198.51.100.2");
    assert_int_equal(onward_smtp_server_is_early(f.t.session), 0);
    /* Trust was for the proxy, not for those behind it. */
    t_server_forget(&f.t);
    t_server_say(&f.t, "XCLIENT ADDR=192.0.2.7\r\n");
    t_server_assert_out(&f.t, "550 5.7.0 Not trusted\r\n");
    end();
}

static void test_proxy_itself(void **state)
{
    static const char head[] = SIG "\x20\0\0\0" EHLO;

    (void)state;
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY);
    t_server_feed(&f.t, head, sizeof(head) - 1);
    check_client("203.0.113.9", 4711, "proxy.test");
    /* EHLO came with the header, so before the greeting. */
    assert_int_equal(onward_smtp_server_is_early(f.t.session), 1);
    t_server_assert_events(&f.t, "connect\nehlo c.test\n");
    end();
}

static void test_no_header(void **state)
{
    (void)state;
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY);
    t_server_say(&f.t, EHLO);
    t_server_assert_out(&f.t, "");
    t_server_assert_events(&f.t, "close ONWARD_ESYNTAX\n");
    assert_int_equal(onward_channel_wants(f.t.channel), ONWARD_WANT_CLOSE);
    end();
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY);
    t_server_say(&f.t, "PROXY ");
    t_server_tick(&f.t, 29999);
    assert_int_equal(f.t.close_count, 0);
    t_server_tick(&f.t, 1);
    t_server_assert_out(&f.t, "");
    t_server_assert_events(&f.t, "close ONWARD_ELIMIT\n");
    end();
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY);
    onward_smtp_server_shutdown(f.t.session);
    t_server_feed(&f.t, NULL, 0);
    t_server_assert_out(&f.t, "");
    t_server_assert_events(&f.t, "close ONWARD_OK\n");
    end();
    begin(ONWARD_SMTP_SERVER_EXPECT_PROXY);
    t_server_say(&f.t, "PRO");
    t_server_eof(&f.t, ONWARD_EOF_CLEAN);
    t_server_assert_events(&f.t, "close ONWARD_ECANCELED\n");
    end();
}

/* Where none is expected it is a word that nobody knows. */
static void test_header_unasked(void **state)
{
    (void)state;
    begin(0);
    t_server_forget(&f.t);
    t_server_say(&f.t, "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n");
    t_server_assert_out(&f.t, "500 5.5.1 Command not recognized\r\n");
    check_client("203.0.113.9", 4711, "proxy.test");
    end();
}

/* ---- XCLIENT and XFORWARD ---------------------------------------------- */

#define XCLIENT ONWARD_SMTP_SERVER_TRUST_XCLIENT
#define XFORWARD ONWARD_SMTP_SERVER_TRUST_XFORWARD

static void says(const char *in, const char *want)
{
    t_server_forget(&f.t);
    t_server_say(&f.t, in);
    t_server_assert_out(&f.t, want);
}

static void test_xclient(void **state)
{
    (void)state;
    begin(XCLIENT);
    t_server_say(&f.t, EHLO);
    assert_non_null(strstr(f.t.out, "250 XCLIENT NAME ADDR PORT PROTO HELO "
                                    "LOGIN DESTADDR DESTPORT\r\n"));
    says("XCLIENT NAME=spike.porcupine.org ADDR=168.100.189.2 PORT=2525\r\n",
         GREET);
    t_server_assert_events(&f.t, "connect\n");
    check_client("168.100.189.2", 2525, "spike.porcupine.org");
    /* What was said before is forgotten. */
    says("MAIL FROM:<>\r\n", "503 5.5.1 Send EHLO first\r\n");
    says("XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE] "
         "PORT=[UNAVAILABLE] HELO=a+2Etest PROTO=ESMTP LOGIN=bob+40x.test "
         "DESTADDR=192.0.2.2 DESTPORT=25\r\n",
         GREET);
    check_client("2001:db8::1", 0, "");
    t_assert_str(onward_smtp_server_helo(f.t.session), "a.test");
    assert_int_equal(onward_smtp_server_is_esmtp(f.t.session), 1);
    assert_int_equal(onward_smtp_server_is_authenticated(f.t.session), 1);
    t_assert_str(onward_smtp_server_authentication_id(f.t.session),
                 "bob@x.test");
    assert_int_equal(onward_smtp_server_local_address(f.t.session, &f.peer),
                     25);
    check_ip(&f.peer, "192.0.2.2");
    /* A login does not pass on to the next client. */
    says("XCLIENT ADDR=192.0.2.3\r\n", GREET);
    assert_int_equal(onward_smtp_server_is_authenticated(f.t.session), 0);
    end();
}

static void test_xclient_refused(void **state)
{
    static const char *const bad[] = {
        "XCLIENT FOO=1",
        "XCLIENT ADDR",
        "XCLIENT ADDR=",
        "XCLIENT ADDR=1.2.3",
        "XCLIENT ADDR=::1",
        "XCLIENT ADDR=IPV6:192.0.2.1",
        "XCLIENT PORT=65536",
        "XCLIENT PORT=-1",
        "XCLIENT PROTO=HTTP",
        "XCLIENT NAME=a(b",
        "XCLIENT HELO=a+0D+0Ab",
        "XCLIENT LOGIN=a+00",
        "XCLIENT NAME=a+2",
        "XCLIENT NAME=ok.test  ADDR=192.0.2.1",
        "XCLIENT NAME=ok.test ADDR=192.0.2.1 FOO=1",
    };
    char line[200];

    (void)state;
    begin(XCLIENT);
    t_server_say(&f.t, EHLO);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "%s\r\n", bad[i]);
        says(line, "501 5.5.4 Bad attribute\r\n");
        check_client("203.0.113.9", 4711, "proxy.test");
        assert_int_equal(onward_smtp_server_is_authenticated(f.t.session), 0);
    }
    says("XCLIENT\r\n", "501 5.5.4 Syntax: attribute=value ...\r\n");
    says("MAIL FROM:<>\r\nXCLIENT ADDR=192.0.2.1\r\n",
         "250 2.1.0 Sender OK\r\n503 5.5.1 A transaction is open\r\n");
    end();
    /* A022 */
    begin(0);
    t_server_say(&f.t, EHLO);
    assert_null(strstr(f.t.out, "XCLIENT"));
    says("XCLIENT ADDR=192.0.2.1 LOGIN=bob\r\n", "550 5.7.0 Not trusted\r\n");
    says("XFORWARD ADDR=192.0.2.1\r\n", "550 5.7.0 Not trusted\r\n");
    check_client("203.0.113.9", 4711, "proxy.test");
    assert_int_equal(onward_smtp_server_is_authenticated(f.t.session), 0);
    assert_int_equal(onward_smtp_server_trust(f.t.session, 1), ONWARD_EINVAL);
    assert_int_equal(onward_smtp_server_trust(f.t.session, XFORWARD), 0);
    says("XFORWARD ADDR=192.0.2.1\r\n", "250 2.0.0 OK\r\n");
    says("XCLIENT ADDR=192.0.2.1\r\n", "550 5.7.0 Not trusted\r\n");
    end();
}

static struct onward_str forwarded(int what)
{
    return onward_smtp_server_forwarded(f.t.session, what);
}

static void test_xforward(void **state)
{
    (void)state;
    begin(XFORWARD);
    t_server_say(&f.t, EHLO);
    assert_non_null(strstr(f.t.out, "250 XFORWARD NAME ADDR PORT PROTO HELO "
                                    "IDENT SOURCE\r\n"));
    says("XFORWARD NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP\r\n"
         "XFORWARD IDENT=3F+20A HELO=[UNAVAILABLE] SOURCE=REMOTE\r\n",
         "250 2.0.0 OK\r\n250 2.0.0 OK\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "spike.porcupine.org");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_ADDR), "168.100.189.2");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_IDENT), "3F A");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_HELO), "");
    t_assert_str(forwarded(0), "");
    t_assert_str(forwarded(8), "");
    /* The client is who it was. */
    check_client("203.0.113.9", 4711, "proxy.test");
    says("XFORWARD FOO=1\r\n", "501 5.5.4 Bad attribute\r\n");
    says("XFORWARD NAME=a+0A\r\n", "501 5.5.4 Bad attribute\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "spike.porcupine.org");
    /* It goes with the transaction. */
    says("MAIL FROM:<>\r\nXFORWARD NAME=x\r\n",
         "250 2.1.0 Sender OK\r\n503 5.5.1 A transaction is open\r\n");
    t_server_say(&f.t, "RSET\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "");
    /* And before one has begun with what begins anew. */
    t_server_say(&f.t, "XFORWARD NAME=x.test\r\nRSET\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "");
    t_server_say(&f.t, "XFORWARD NAME=x.test\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "x.test");
    t_server_say(&f.t, EHLO);
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "");
    end();
    /* RFC 3207 section 4.2: who said it in the clear may have been another. */
    begin(XFORWARD | ONWARD_SMTP_SERVER_HOST_TLS);
    t_server_say(&f.t, EHLO "XFORWARD NAME=x.test\r\nSTARTTLS\r\n");
    t_assert_str(forwarded(ONWARD_SMTP_FORWARDED_NAME), "");
    end();
}

static bool dialogue(struct t_world *w, void *arg)
{
    struct t_server *t = &f.t;
    bool ok;

    (void)arg;
    memset(t, 0, sizeof(*t));
    t_server_prepare(t, w);
    t->opts.flags = XFORWARD | ONWARD_SMTP_SERVER_EXPECT_PROXY;
    ok = t_server_start(t) == 0;
    if (ok) {
        t_server_say(t, "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n");
        onward_smtp_server_trust(t->session, XCLIENT | XFORWARD);
        t_server_say(t, "XCLIENT NAME=a.test LOGIN=b HELO=c.test\r\n" EHLO
                        "XFORWARD NAME=d.test\r\nMAIL FROM:<>\r\nQUIT\r\n");
        ok = t->close_count == 1 && t->close_status == 0 &&
             strstr(t->out, "4.3.0") == NULL;
        assert_int_equal(t->close_count, 1);
    }
    t_server_stop(t);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(dialogue, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_proxied_client),
        cmocka_unit_test(test_proxy_itself),
        cmocka_unit_test(test_no_header),
        cmocka_unit_test(test_header_unasked),
        cmocka_unit_test(test_xclient),
        cmocka_unit_test(test_xclient_refused),
        cmocka_unit_test(test_xforward),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
