/*
 * What an idle session under TLS costs, all heap included: GnuTLS takes its
 * memory from malloc, not from the context. And certificates that change while
 * sessions run.
 */
#include <malloc.h>

#include "smtp/server_host.h"
#include "support/certs.h"
#include "support/echo.h"

enum { NOW = 1600000000, SESSIONS = 40, WARM = 10, MOST = 12 * 1024 };

static struct t_cert *old_cert, *new_cert;

struct session {
    struct t_server t;
    struct t_echo *client;
};

static struct {
    struct t_world w;
    struct onward_tls_config *server, *renewed, *client;
    struct onward_tls_demand demand;
} f;

static struct onward_tls_config *server_config(const struct t_cert *cert,
                                               size_t allow_tickets)
{
    const struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    const struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                                .role = ONWARD_TLS_SERVER,
                                                .chain_pem = &chain,
                                                .key_pem = &key,
                                                .identity_count = 1,
                                                .allow_tickets = allow_tickets};
    struct onward_tls_config *config;

    assert_int_equal(onward_tls_config_new(f.w.ctx, &opts, &config), 0);
    return config;
}

static void begin(size_t allow_tickets)
{
    const struct onward_tls_config_opts client = {.size = sizeof(client),
                                                  .role = ONWARD_TLS_CLIENT};

    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    old_cert = t_cert_new("old", "mx.test", NULL, NULL, 0, NOW - 9, NOW + 9);
    new_cert = t_cert_new("new", "mx.test", NULL, NULL, 0, NOW - 9, NOW + 99);
    f.server = server_config(old_cert, allow_tickets);
    f.renewed = server_config(new_cert, allow_tickets);
    assert_int_equal(onward_tls_config_new(f.w.ctx, &client, &f.client), 0);
    f.demand = (struct onward_tls_demand){.size = sizeof(f.demand),
                                          .level = ONWARD_TLS_ENCRYPTED};
}

static void end(void)
{
    onward_tls_config_free(f.server);
    onward_tls_config_free(f.renewed);
    onward_tls_config_free(f.client);
    t_cert_free(old_cert);
    t_cert_free(new_cert);
    t_world_clear(&f.w);
}

static void on_line(struct t_echo *e, struct onward_str line)
{
    if (line.len > 9 && memcmp(line.data, "220 2.0.0", 9) == 0)
        assert_int_equal(t_echo_plug(e), 0);
}

static bool move(struct onward_channel *from, struct onward_channel *to)
{
    struct onward_str out = onward_channel_peek(from);
    size_t taken;

    if (out.len == 0)
        return false;
    onward_channel_feed(to, out.data, out.len, &taken);
    onward_channel_drain(from, taken);
    return taken > 0;
}

static void say(struct session *s, const char *text)
{
    bool moves = true;

    assert_true(t_echo_send(s->client, text) >= 0);
    while (moves) {
        onward_desk_run(s->t.desk, s->t.now_ms);
        moves = move(&s->client->channel, s->t.channel);
        moves = move(s->t.channel, &s->client->channel) || moves;
    }
}

static void open_session(struct session *s, struct onward_tls_config *config)
{
    memset(s, 0, sizeof(*s));
    t_server_prepare(&s->t, &f.w);
    s->t.opts.tls = config;
    assert_int_equal(t_server_start(&s->t), 0);
    s->client = t_echo_new(f.w.ctx, T_ECHO_CLIENT, f.client, &f.demand);
    s->client->hook = on_line;
    say(s, "EHLO a.test\r\nSTARTTLS\r\n");
    say(s, "EHLO a.test\r\n");
    assert_int_equal(onward_smtp_server_is_tls(s->t.session), 1);
}

static void close_session(struct session *s)
{
    t_echo_free(s->client);
    t_server_stop(&s->t);
}

/* ---- Memory ------------------------------------------------------------ */

static size_t heap(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void an_idle_session_is_small(void **state)
{
    static struct session sessions[SESSIONS];
    size_t before, after, ours;

    begin(*(const size_t *)*state);
    for (size_t i = 0; i < SESSIONS; i++)
        open_session(&sessions[i], f.server);
    before = heap();
    ours = f.w.live_bytes;
    for (size_t i = WARM; i < SESSIONS; i++) {
        onward_smtp_server_free(sessions[i].t.session);
        sessions[i].t.session = NULL;
    }
    after = heap();
    ours = (ours - f.w.live_bytes) / (SESSIONS - WARM);
    if (before > after) { /* else another allocator counts: a sanitizer's */
        size_t each = (before - after) / (SESSIONS - WARM);

        print_message("an idle session under TLS: %zu octets, ours %zu\n",
                      each, ours);
        assert_true(each <= MOST);
    }
    assert_true(ours <= 2048);
    for (size_t i = 0; i < SESSIONS; i++)
        close_session(&sessions[i]);
    end();
}

/* ---- Renewal ----------------------------------------------------------- */

/* A configuration never changes: the host makes a new one and gives it to the
 * sessions that come. Those that run keep theirs, and the last of them ends
 * it. */
static void certificates_are_renewed_under_sessions(void **state)
{
    static struct session before, after;
    struct onward_tls_facts facts;

    (void)state;
    begin(1);
    open_session(&before, f.server);
    assert_int_equal(onward_tls_config_expires_s(f.server), NOW + 9);
    onward_tls_config_free(f.server);
    f.server = NULL;
    open_session(&after, f.renewed);
    say(&before, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n");
    t_server_assert_events(&before.t,
                           "connect\nehlo a.test\nsecured\nehlo a.test\n"
                           "mail [a@b.test] size 0 body 0 utf8 0\n"
                           "rcpt 0 [c@mx.test]\n");
    facts = *onward_tls__facts(before.client->tls);
    t_assert_str(facts.peer_subject, "CN=old");
    facts = *onward_tls__facts(after.client->tls);
    t_assert_str(facts.peer_subject, "CN=new");
    close_session(&before);
    close_session(&after);
    end();
}

int main(void)
{
    static const size_t none = 0, some = 1;
    const struct CMUnitTest tests[] = {
        {.name = "without tickets", .test_func = an_idle_session_is_small,
         .initial_state = (void *)(uintptr_t)&none},
        {.name = "with tickets", .test_func = an_idle_session_is_small,
         .initial_state = (void *)(uintptr_t)&some},
        cmocka_unit_test(certificates_are_renewed_under_sessions),
    };

    return cmocka_run_group_tests_name("SMTP under TLS, at rest", tests, NULL,
                                       NULL);
}
