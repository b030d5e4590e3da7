/*
 * TLS in a channel: the same for any cut, over STARTTLS and from the start;
 * early octets, ends, pauses, bounds, and a host that frees inside.
 */
#include "pair.h"
#include "support/certs.h"

enum { START = 1500000000, NOW = 1600000000, END = 1700000000 };

static struct t_cert *ca, *cert;

static int set_up_certs(void **state)
{
    (void)state;
    ca = t_cert_new("Test CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    cert = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, END);
    return 0;
}

static int clear_certs(void **state)
{
    (void)state;
    t_cert_free(cert);
    t_cert_free(ca);
    return 0;
}

struct fixture {
    struct t_world own, *w;
    struct onward_tls_config *server, *client;
    struct onward_str reference;
    struct onward_tls_demand demand;
    struct t_pair p;
};

static bool make(struct fixture *f, struct t_world *w, const char *priority,
                 bool with_extras)
{
    static const struct onward_str protocols[] = {{"smtp", 4}, {"lmtp", 4}};
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1,
                                          .priority = onward_str_of(priority)};
    struct onward_tls_config_opts client_opts = {.size = sizeof(client_opts),
                                                 .role = ONWARD_TLS_CLIENT,
                                                 .trust_pem = t_cert_pem(ca)};

    f->w = w;
    if (with_extras) {
        opts.allow_tickets = 1;
        opts.alpn = protocols;
        opts.alpn_count = 2;
        client_opts.alpn = &protocols[1];
        client_opts.alpn_count = 1;
    }
    f->reference = onward_str_of("mx.example.org");
    f->demand = (struct onward_tls_demand){
        .size = sizeof(f->demand), .names = &f->reference, .name_count = 1};
    if (onward_tls_config_new(w->ctx, &opts, &f->server) < 0 ||
        onward_tls_config_new(w->ctx, &client_opts, &f->client) < 0)
        return false;
    f->p.client = t_echo_new(w->ctx, T_ECHO_CLIENT, f->client, &f->demand);
    f->p.server = t_echo_new(w->ctx, T_ECHO_SERVER, f->server, NULL);
    return f->p.client != NULL && f->p.server != NULL;
}

static void unmake(struct fixture *f)
{
    t_pair_free(&f->p);
    onward_tls_config_free(f->client);
    onward_tls_config_free(f->server);
    f->client = NULL;
    f->server = NULL;
}

static void begin(struct fixture *f, const char *priority)
{
    memset(f, 0, sizeof(*f));
    t_world_init(&f->own);
    f->own.now_s = NOW;
    assert_true(make(f, &f->own, priority, false));
}

static void end(struct fixture *f)
{
    unmake(f);
    t_world_clear(&f->own);
}

static void secure(struct fixture *f)
{
    assert_int_equal(t_echo_plug(f->p.server), 0);
    assert_int_equal(t_echo_plug(f->p.client), 0);
    t_pair_run(&f->p);
    assert_int_equal(f->p.client->secured, 1);
    assert_int_equal(f->p.server->secured, 1);
    assert_int_equal(f->p.error, 0);
}

/* ---- Any cut ----------------------------------------------------------- */

static const char *const priorities[] = {"", "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.3"};

static void run_over_starttls(const char *priority, size_t chunk)
{
    struct fixture f;

    begin(&f, priority);
    f.p.chunk = chunk;
    assert_int_equal(t_echo_send(f.p.client, "hello\nSTARTTLS\n"), 0);
    t_pair_run(&f.p);
    assert_int_equal(f.p.client->secured, 1);
    assert_int_equal(t_echo_send(f.p.client, "one\n"), 0);
    assert_int_equal(t_echo_send(f.p.client, "two\nBYE\n"), 0);
    t_pair_run(&f.p);
    assert_int_equal(f.p.error, 0);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "line hello\nline STARTTLS\nsecured yes\n"
                 "line one\nline two\nline BYE\n");
    t_assert_str(onward_core__buf_str(&f.p.client->seen),
                 "line hello\nline READY\nsecured yes\n"
                 "line one\nline two\neof clean\n");
    assert_int_equal(onward_channel_wants(&f.p.server->channel),
                     ONWARD_WANT_CLOSE);
    end(&f);
}

static void test_starttls_in_any_chunks(void **state)
{
    static const size_t chunks[] = {0, 1, 2, 3, 5, 6, 7, 64, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
        for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++)
            run_over_starttls(priorities[i], chunks[j]);
    }
}

/* A recorded flight of the client, cut everywhere into a fresh server. */
struct cut_fixture {
    struct fixture f;
    size_t server_out;
};

static void cut_begin(void *arg)
{
    struct cut_fixture *c = arg;

    begin(&c->f, "");
    assert_int_equal(t_echo_plug(c->f.p.server), 0);
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct cut_fixture *c = arg;
    size_t taken;

    assert_int_equal(
        onward_channel_feed(&c->f.p.server->channel, data, len, &taken), 0);
    assert_int_equal(taken, len);
}

static void cut_end(void *arg)
{
    struct cut_fixture *c = arg;

    /* The client's hello is answered and its forged end is not. */
    assert_true(c->f.p.server->secured < 0);
    assert_true(onward_channel_peek(&c->f.p.server->channel).len > 500);
    assert_int_equal(onward_tls__failure(c->f.p.server->tls),
                     ONWARD_TLS_HANDSHAKE);
    end(&c->f);
}

static void test_first_flight_cut_everywhere(void **state)
{
    static const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    static const char forged[] = "\x17\x03\x03\x00\x20"
                                 "0123456789abcdef0123456789abcdef";
    struct cut_fixture c;
    char flight[1024];
    struct onward_str out;
    size_t len;

    (void)state;
    begin(&c.f, "");
    assert_int_equal(t_echo_plug(c.f.p.client), 0);
    out = onward_channel_peek(&c.f.p.client->channel);
    assert_true(out.len > 0 && out.len < sizeof(flight) - sizeof(forged));
    memcpy(flight, out.data, out.len);
    len = out.len;
    end(&c.f);
    memcpy(flight + len, forged, sizeof(forged) - 1);
    t_cut_everywhere(&cut, &c, flight, len + sizeof(forged) - 1);
}

/* ---- Early octets (A024, A026) ----------------------------------------- */

static void test_server_runs_nothing_behind_starttls(void **state)
{
    struct fixture f;
    size_t taken;
    static const char early[] = "STARTTLS\nsmuggled\n";

    (void)state;
    for (size_t cut = 1; cut < sizeof(early); cut++) {
        struct onward_channel *ch;

        begin(&f, "");
        ch = &f.p.server->channel;
        assert_int_equal(onward_channel_feed(ch, early, cut, &taken), 0);
        assert_int_equal(taken, cut);
        /* The host was not shown the answer between the two. */
        assert_int_equal(onward_channel_feed(ch, early + cut,
                                             sizeof(early) - 1 - cut, &taken),
                         0);
        assert_true(f.p.server->secured < 0);
        assert_int_equal(onward_tls__failure(f.p.server->tls),
                         ONWARD_TLS_EARLY_INPUT);
        t_assert_str(onward_core__buf_str(&f.p.server->seen),
                     "line STARTTLS\nsecured no\n");
        assert_int_equal(onward_channel_wants(ch), ONWARD_WANT_WRITE);
        t_assert_str(onward_channel_peek(ch), "READY\n");
        end(&f);
    }
}

static void test_octets_after_the_answer_are_no_handshake(void **state)
{
    struct fixture f;
    struct onward_channel *ch;
    size_t taken;

    (void)state;
    begin(&f, "");
    ch = &f.p.server->channel;
    assert_int_equal(onward_channel_feed(ch, "STARTTLS\n", 9, &taken), 0);
    assert_int_equal(onward_channel_drain(ch, onward_channel_peek(ch).len), 0);
    assert_int_equal(onward_channel_feed(ch, "smuggled\n", 9, &taken), 0);
    assert_true(f.p.server->secured < 0);
    assert_int_equal(onward_tls__failure(f.p.server->tls),
                     ONWARD_TLS_HANDSHAKE);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "line STARTTLS\nsecured no\n");
    end(&f);
}

static void test_client_takes_no_answer_before_its_hello(void **state)
{
    static const char answer[] = "READY\n250 injected\n";
    struct fixture f;
    size_t taken;

    (void)state;
    for (size_t cut = 1; cut < sizeof(answer); cut++) {
        struct onward_channel *ch;

        begin(&f, "");
        ch = &f.p.client->channel;
        assert_int_equal(onward_channel_feed(ch, answer, cut, &taken), 0);
        assert_int_equal(onward_channel_feed(ch, answer + cut,
                                             sizeof(answer) - 1 - cut, &taken),
                         0);
        assert_int_equal(onward_tls__failure(f.p.client->tls),
                         ONWARD_TLS_EARLY_INPUT);
        t_assert_str(onward_core__buf_str(&f.p.client->seen),
                     "line READY\nsecured no\n");
        end(&f);
    }
}

static void test_no_plaintext_during_the_handshake(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    assert_int_equal(t_echo_plug(f.p.client), 0);
    assert_int_equal(t_echo_send(f.p.client, "secret\n"), ONWARD_ESTATE);
    /* One filter in a channel's life. */
    assert_int_equal(t_echo_plug(f.p.client), ONWARD_ESTATE);
    end(&f);
}

/* ---- Ends -------------------------------------------------------------- */

static void test_goodbye_and_cut(void **state)
{
    static const struct {
        bool says_goodbye;
        int host_says, want;
    } rows[] = {
        {true, ONWARD_EOF_CLEAN, ONWARD_EOF_CLEAN},
        {false, ONWARD_EOF_CLEAN, ONWARD_EOF_CUT},
        {false, ONWARD_EOF_CUT, ONWARD_EOF_CUT},
    };
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        begin(&f, priorities[i % 2]);
        secure(&f);
        assert_int_equal(t_echo_send(f.p.client, "half a li"), 0);
        if (rows[i / 2].says_goodbye)
            onward_channel__close(&f.p.client->channel);
        t_pair_run(&f.p);
        assert_int_equal(
            onward_channel_eof(&f.p.server->channel, rows[i / 2].host_says), 0);
        assert_int_equal(f.p.server->eof, rows[i / 2].want);
        t_pair_run(&f.p);
        assert_int_equal(onward_channel_wants(&f.p.server->channel),
                         ONWARD_WANT_CLOSE);
        end(&f);
    }
}

static void test_lost_in_the_handshake(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    assert_int_equal(t_echo_plug(f.p.client), 0);
    assert_true(onward_channel_peek(&f.p.client->channel).len > 0);
    assert_int_equal(onward_channel_eof(&f.p.client->channel, ONWARD_EOF_CLEAN),
                     0);
    assert_true(f.p.client->secured < 0);
    assert_int_equal(onward_tls__failure(f.p.client->tls), ONWARD_TLS_LOST);
    assert_int_equal(f.p.client->eof, 0);
    end(&f);
}

static void test_forged_record_is_a_cut(void **state)
{
    struct fixture f;
    struct onward_str out;
    char forged[200];
    size_t taken;

    (void)state;
    begin(&f, "");
    secure(&f);
    assert_int_equal(t_echo_send(f.p.client, "one\ntwo\n"), 0);
    out = onward_channel_peek(&f.p.client->channel);
    assert_true(out.len < sizeof(forged));
    memcpy(forged, out.data, out.len);
    forged[out.len - 1] ^= 1;
    assert_int_equal(
        onward_channel_feed(&f.p.server->channel, forged, out.len, &taken), 0);
    assert_int_equal(taken, out.len);
    assert_int_equal(f.p.server->eof, ONWARD_EOF_CUT);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "secured yes\neof cut\n");
    end(&f);
}

static void test_no_common_version(void **state)
{
    struct fixture f;
    struct onward_tls_config *client = NULL;
    struct onward_tls_config_opts opts = {
        .size = sizeof(opts),
        .role = ONWARD_TLS_CLIENT,
        .priority = ONWARD_STR("NORMAL:-VERS-ALL:+VERS-TLS1.2")};

    (void)state;
    begin(&f, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
    assert_int_equal(onward_tls_config_new(f.w->ctx, &opts, &client), 0);
    onward_tls_config_free(f.p.client->config);
    f.p.client->config = client;
    assert_int_equal(t_echo_plug(f.p.server), 0);
    assert_int_equal(t_echo_plug(f.p.client), 0);
    t_pair_run(&f.p);
    assert_int_equal(onward_tls__failure(f.p.server->tls),
                     ONWARD_TLS_NO_COMMON);
    assert_int_equal(onward_tls__failure(f.p.client->tls),
                     ONWARD_TLS_NO_COMMON);
    end(&f);
}

/* ---- Pauses and bounds ------------------------------------------------- */

static void test_opened_octets_wait_for_a_paused_engine(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    secure(&f);
    assert_int_equal(t_echo_send(f.p.client, "PAUSE\none\ntwo\n"), 0);
    t_pair_run(&f.p);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "secured yes\nline PAUSE\n");
    assert_int_equal(onward_channel_wants(&f.p.server->channel), 0);
    assert_true(onward_channel_deadline(&f.p.server->channel) == ONWARD_NEVER);
    onward_channel__resume(&f.p.server->channel);
    /* No new octet will come to wake the host, so the deadline does. */
    assert_true(onward_channel_deadline(&f.p.server->channel) <= 0);
    assert_int_equal(onward_channel_tick(&f.p.server->channel, 1), 0);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "secured yes\nline PAUSE\nline one\nline two\n");
    end(&f);
}

static void test_goodbye_waits_behind_a_pause(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    secure(&f);
    assert_int_equal(t_echo_send(f.p.client, "PAUSE\none\n"), 0);
    onward_channel__close(&f.p.client->channel);
    t_pair_run(&f.p);
    assert_int_equal(f.p.server->eof, 0);
    onward_channel__resume(&f.p.server->channel);
    t_pair_run(&f.p);
    t_assert_str(onward_core__buf_str(&f.p.server->seen),
                 "secured yes\nline PAUSE\nline one\neof clean\n");
    end(&f);
}

static void test_much_both_ways(void **state)
{
    struct fixture f;
    size_t lines = 0;

    (void)state;
    begin(&f, "");
    secure(&f);
    /* Lines of 97 octets, for the server's echo to meet its high water. */
    for (int i = 0; i < 600; i++) {
        char line[99];

        memset(line, 'a' + i % 26, 97);
        line[97] = '\n';
        line[98] = '\0';
        assert_true(t_echo_send(f.p.client, line) >= 0);
        onward_core__buf_reset(&f.p.client->seen);
        onward_core__buf_reset(&f.p.server->seen);
        if (i % 300 == 299)
            t_pair_run(&f.p);
    }
    t_pair_run(&f.p);
    assert_int_equal(onward_channel__out_len(&f.p.client->channel), 0);
    for (size_t i = 0; i < f.p.client->seen.len; i++)
        lines += f.p.client->seen.data[i] == '\n';
    assert_true(lines >= 300);
    assert_int_equal(f.p.error, 0);
    end(&f);
}

static void test_write_is_all_or_nothing(void **state)
{
    static const char block[1024];
    struct fixture f;
    struct onward_channel *ch;
    size_t before;

    (void)state;
    begin(&f, "");
    secure(&f);
    ch = &f.p.client->channel;
    while (onward_channel__out_room(ch) >= sizeof(block) + 128)
        assert_true(onward_channel__write(ch, block, sizeof(block)) >= 0);
    before = onward_channel__out_len(ch);
    assert_int_equal(onward_channel__write(ch, block, sizeof(block)),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_channel__out_len(ch), before);
    end(&f);
}

/* ---- Facts ------------------------------------------------------------- */

static void test_facts(void **state)
{
    struct fixture f;
    const struct onward_tls_facts *client, *server;
    struct onward_tls_facts copy = {.size = sizeof(copy)};
    struct {
        size_t size;
        struct onward_str version;
    } older = {.size = sizeof(older)};

    (void)state;
    for (int version = 2; version <= 3; version++) {
        memset(&f, 0, sizeof(f));
        t_world_init(&f.own);
        assert_true(make(&f, &f.own,
                         version == 3 ? "NORMAL:-VERS-ALL:+VERS-TLS1.3"
                                      : "NORMAL:-VERS-ALL:+VERS-TLS1.2",
                         true));
        secure(&f);
        client = onward_tls__facts(f.p.client->tls);
        server = onward_tls__facts(f.p.server->tls);
        t_assert_str(client->version, version == 3 ? "TLS1.3" : "TLS1.2");
        assert_true(client->cipher.len > 10);
        assert_true(onward_str_equal(client->cipher, server->cipher));
        t_assert_str(server->alpn, "lmtp");
        t_assert_str(client->alpn, "lmtp");
        t_assert_str(server->server_name, "mx.example.org");
        t_assert_str(client->server_name, "mx.example.org");
        t_assert_str(client->verified_name, "mx.example.org");
        t_assert_str(client->peer_subject, "CN=x");
        t_assert_str(client->peer_issuer, "CN=Test CA");
        assert_int_equal(server->peer_subject.len, 0);
        assert_int_equal(client->is_verified, 1);
        assert_int_equal(server->is_verified, 0);
        assert_int_equal(server->cert_failure, ONWARD_TLS_OK);
        assert_int_equal(client->binding_exporter.len, 32);
        assert_true(onward_str_equal(client->binding_exporter,
                                     server->binding_exporter));
        assert_int_equal(client->binding_unique.len, version == 3 ? 0 : 12);
        assert_true(
            onward_str_equal(client->binding_unique, server->binding_unique));
        assert_int_equal(client->is_resumed, 0);

        assert_int_equal(onward_tls__facts_give(client, &copy), 0);
        t_assert_str(copy.verified_name, "mx.example.org");
        assert_int_equal(onward_tls__facts_give(
                             client, (struct onward_tls_facts *)(void *)&older),
                         0);
        t_assert_str(older.version, version == 3 ? "TLS1.3" : "TLS1.2");
        copy.size = 1;
        assert_int_equal(onward_tls__facts_give(client, &copy), ONWARD_EINVAL);
        copy.size = sizeof(copy);
        unmake(&f);
        t_world_clear(&f.own);
    }
}

/* ---- Inside callbacks; out of memory ----------------------------------- */

static void test_free_inside_under_tls(void **state)
{
    struct fixture f;
    struct onward_str out;
    bool gone = false;
    size_t taken;

    (void)state;
    begin(&f, "");
    secure(&f);
    f.p.server->gone = &gone;
    f.p.server->free_at = "now";
    assert_int_equal(t_echo_send(f.p.client, "a\nnow\nb\n"), 0);
    out = onward_channel_peek(&f.p.client->channel);
    assert_int_equal(
        onward_channel_feed(&f.p.server->channel, out.data, out.len, &taken),
        ONWARD_ECANCELED);
    assert_true(gone);
    f.p.server = NULL;
    end(&f);
}

static bool talk_without_memory(struct t_world *w, void *arg)
{
    struct fixture f;
    bool through = false;

    (void)arg;
    memset(&f, 0, sizeof(f));
    w->now_s = NOW;
    if (make(&f, w, "", true)) {
        (void)t_echo_send(f.p.client, "STARTTLS\n");
        t_pair_run(&f.p);
        if (f.p.client->secured == 1 && f.p.server->secured == 1) {
            (void)t_echo_send(f.p.client, "one\nPAUSE\ntwo\n");
            t_pair_run(&f.p);
            onward_channel__resume(&f.p.server->channel);
            (void)onward_channel_tick(&f.p.server->channel, 1);
            t_pair_run(&f.p);
            through =
                f.p.error == 0 &&
                onward_core__str_iends(onward_core__buf_str(&f.p.client->seen),
                                       ONWARD_STR("line two\n"));
        }
    }
    unmake(&f);
    return through;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(talk_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starttls_in_any_chunks),
        cmocka_unit_test(test_first_flight_cut_everywhere),
        cmocka_unit_test(test_server_runs_nothing_behind_starttls),
        cmocka_unit_test(test_octets_after_the_answer_are_no_handshake),
        cmocka_unit_test(test_client_takes_no_answer_before_its_hello),
        cmocka_unit_test(test_no_plaintext_during_the_handshake),
        cmocka_unit_test(test_goodbye_and_cut),
        cmocka_unit_test(test_lost_in_the_handshake),
        cmocka_unit_test(test_forged_record_is_a_cut),
        cmocka_unit_test(test_no_common_version),
        cmocka_unit_test(test_opened_octets_wait_for_a_paused_engine),
        cmocka_unit_test(test_goodbye_waits_behind_a_pause),
        cmocka_unit_test(test_much_both_ways),
        cmocka_unit_test(test_write_is_all_or_nothing),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_free_inside_under_tls),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, set_up_certs, clear_certs);
}
