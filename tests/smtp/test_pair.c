/*
 * Our client session against our server session, in memory: what one sends is
 * what the other takes, in the clear and under TLS, whatever the pieces.
 */
#include "smtp/pair.h"

static struct t_pair *ends_new(enum onward_tls_level level,
                               const struct t_cert *trusted, const char *name,
                               bool defers)
{
    const struct t_pair_how how = {
        .level = level, .trusted = trusted, .name = name, .defers = defers};

    return t_pair_new(&how);
}

/* ---- Messages ---------------------------------------------------------- */

static const struct ways {
    const char *name;
    enum onward_tls_level level;
    size_t step;
    bool defers;
} ways[] = {
    {"in the clear", ONWARD_TLS_NONE, 0, false},
    {"in the clear, octet by octet", ONWARD_TLS_NONE, 1, true},
    {"under TLS", ONWARD_TLS_VERIFIED, 0, true},
    {"under TLS, octet by octet", ONWARD_TLS_VERIFIED, 1, false},
    {"under TLS, in sevens", ONWARD_TLS_OPPORTUNISTIC, 7, true},
};

static void test_messages(void **state)
{
    const struct ways *way = *state;
    struct t_pair *e =
        ends_new(way->level, t_pair_certs.ca, "mx.test", way->defers);
    struct t_play_mail first = {
        .from = "a@client.example",
        .to = "b@mx.test no@mx.test busy@mx.test d@mx.test",
        .text = {"S: x\r\n\r\n.\r\n..\r\nbye", 18}};
    struct t_play_mail second = {
        .from = "", .to = "\xc3\xa4@mx.test", .text = {"REJECT me\r\n", 11}};
    struct t_play_mail third = {
        .from = "fail@x.test", .to = "b@mx.test", .text = {"x\r\n", 3}};
    struct onward_smtp_outcome o = {.size = sizeof(o)};

    assert_int_equal(t_play_give(&e->client, &first), 0);
    t_pair_settle(e, way->step);
    t_pair_assert(e, ONWARD_SMTP_MESSAGE, ACCEPTED);
    t_pair_assert(e, 0, ACCEPTED);
    t_pair_assert(e, 1, "permanent rcpt reply 550 5.1.1 No such user");
    t_pair_assert(e, 2, "temporary rcpt reply 451 4.2.0 Come again");
    t_pair_assert(e, 3, ACCEPTED);
    t_assert_str_n(
        (struct onward_str){e->server.message, e->server.message_len},
        "S: x\r\n\r\n.\r\n..\r\nbye\r\n", 20);
    assert_int_equal(t_play_give(&e->client, &second), 0);
    t_pair_settle(e, way->step);
    t_pair_assert(e, ONWARD_SMTP_MESSAGE,
                  "permanent final reply 550 5.7.1 Not wanted not at all");
    assert_int_equal(t_play_give(&e->client, &third), 0);
    t_pair_settle(e, way->step);
    assert_true(onward_smtp_client_outcome(e->client.client,
                                           ONWARD_SMTP_MESSAGE, &o) == 0);
    assert_int_equal(o.code, 451);
    assert_int_equal(o.phase, ONWARD_SMTP_PHASE_MAIL);
    t_server_forget(&e->server);
    assert_int_equal(onward_smtp_client_quit(e->client.client), 0);
    t_pair_settle(e, way->step);
    assert_int_equal(e->server.close_count, 1);
    assert_int_equal(e->server.close_status, 0);
    assert_int_equal(onward_channel_wants(e->client.ch), ONWARD_WANT_CLOSE);
    t_pair_assert(e, ONWARD_SMTP_SESSION, "not-tried quit none");
    t_pair_free(e);
}

/* Much more than any buffer holds, with a dot in front of every line. */
static void test_big_message(void **state)
{
    const struct ways *way = *state;
    struct t_pair *e = ends_new(way->level, t_pair_certs.ca, "mx.test", false);
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {t_pair_certs.big, T_BIG}};

    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, way->step);
    t_pair_assert(e, ONWARD_SMTP_MESSAGE, ACCEPTED);
    assert_int_equal(e->server.message_len, T_BIG);
    assert_memory_equal(e->server.message, t_pair_certs.big, T_BIG);
    t_pair_free(e);
}

/* ---- TLS --------------------------------------------------------------- */

static void test_facts(void **state)
{
    struct t_pair *e =
        ends_new(ONWARD_TLS_VERIFIED, t_pair_certs.ca, "mx.test", false);
    struct onward_tls_facts facts = {.size = sizeof(facts)};

    (void)state;
    assert_int_equal(onward_smtp_client_tls_facts(e->client.client, &facts),
                     ONWARD_ESTATE);
    t_pair_settle(e, 0);
    assert_int_equal(onward_smtp_client_tls_facts(e->client.client, &facts), 0);
    assert_int_equal(facts.is_verified, 1);
    t_assert_str(facts.verified_name, "mx.test");
    /* What was offered in the clear is forgotten: no STARTTLS under TLS. */
    assert_true((onward_smtp_client_extensions(e->client.client) &
                 ONWARD_SMTP_EXT_STARTTLS) == 0);
    assert_true((onward_smtp_client_extensions(e->client.client) &
                 ONWARD_SMTP_EXT_PIPELINING) != 0);
    t_pair_free(e);
}

static void test_tls_fails(void **state)
{
    static const struct {
        enum onward_tls_level level;
        bool is_other_ca;
        const char *name;
        const char *want;
    } rows[] = {
        {ONWARD_TLS_VERIFIED, false, "mx.example",
         "temporary tls tls 4.7.5 tls:name-mismatch"},
        {ONWARD_TLS_VERIFIED, true, "mx.test",
         "temporary tls tls 4.7.5 tls:untrusted"},
        {ONWARD_TLS_ENCRYPTED, true, "mx.example", ACCEPTED},
        {ONWARD_TLS_OPPORTUNISTIC, true, "mx.example", ACCEPTED},
    };
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_pair *e = ends_new(rows[i].level,
                                    rows[i].is_other_ca ? t_pair_certs.other_ca
                                                        : t_pair_certs.ca,
                                    rows[i].name, false);

        assert_int_equal(t_play_give(&e->client, &mail), 0);
        t_pair_settle(e, 0);
        t_pair_assert(e, ONWARD_SMTP_MESSAGE, rows[i].want);
        t_pair_free(e);
    }
}

/* By TLSA records (RFC 7672): the authority that is trusted says nothing. */
static void test_dane(void **state)
{
    static const struct {
        unsigned char usage;
        bool is_off, has_other_name;
        const char *want;
    } rows[] = {
        {3, false, true, ACCEPTED},
        {3, true, false, "temporary tls tls 4.7.5 tls:tlsa-mismatch"},
        {2, true, false, "temporary tls tls 4.7.5 tls:untrusted"},
        {2, false, false, ACCEPTED},
        {2, false, true, "temporary tls tls 4.7.5 tls:name-mismatch"},
    };
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* The whole certificate, as the server does not send its authority. */
        const struct t_cert *of =
            rows[i].usage == 2 ? t_pair_certs.ca : t_pair_certs.leaf;
        const struct t_cert *given =
            !rows[i].is_off ? of : t_pair_certs.other_ca;
        gnutls_datum_t der;
        unsigned char rdata[4096] = {rows[i].usage, 0, 0};
        struct onward_str tlsa = {(const char *)rdata, 0};
        struct t_pair_how how = {.level = ONWARD_TLS_DANE,
                                 .trusted = t_pair_certs.ca,
                                 .tlsa = &tlsa,
                                 .tlsa_count = 1};
        struct t_pair *e;

        assert_int_equal(
            gnutls_x509_crt_export2(given->crt, GNUTLS_X509_FMT_DER, &der), 0);
        assert_true(der.size < sizeof(rdata) - 3);
        memcpy(rdata + 3, der.data, der.size);
        tlsa.len = der.size + 3;
        gnutls_free(der.data);
        how.name = rows[i].has_other_name ? "mx.example" : "mx.test";
        e = t_pair_new(&how);
        /* The demand is the client's own by now. */
        memset(rdata, 0, sizeof(rdata));
        assert_int_equal(t_play_give(&e->client, &mail), 0);
        t_pair_settle(e, 0);
        t_pair_assert(e, ONWARD_SMTP_MESSAGE, rows[i].want);
        t_pair_free(e);
    }
}

/* Nothing is lost of what was held back, and nothing is sent of what was
 * canceled: the server sees the end of the connection inside DATA. */
static void test_cancel_under_tls(void **state)
{
    struct t_pair *e =
        ends_new(ONWARD_TLS_VERIFIED, t_pair_certs.ca, "mx.test", false);
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}, .hold_dot = 1};

    (void)state;
    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, 0);
    assert_int_equal(e->server.message_len, 3);
    assert_int_equal(onward_smtp_client_cancel(e->client.client), 0);
    t_pair_settle(e, 0);
    assert_int_equal(onward_channel_wants(e->client.ch), ONWARD_WANT_CLOSE);
    t_server_eof(&e->server, ONWARD_EOF_CUT);
    assert_null(strstr(e->server.events, "end "));
    t_pair_assert(e, ONWARD_SMTP_MESSAGE, "temporary content canceled 4.3.0");
    t_pair_free(e);
}

/* ---- Memory ------------------------------------------------------------ */

/* Configurations of a world in which memory does not fail. */
struct oom_tls {
    struct onward_tls_config *server, *client;
};

static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct oom_tls *tls = arg;
    struct onward_str name = ONWARD_STR("mx.test");
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_VERIFIED,
                                       .names = &name,
                                       .name_count = 1};
    struct t_pair *e = calloc(1, sizeof(*e));
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}};
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    bool is_delivered = false;

    assert_non_null(e);
    t_server_prepare(&e->server, w);
    e->client.world = w;
    if (tls != NULL) {
        e->server.opts.tls = tls->server;
        e->client.opts.tls = tls->client;
        e->client.opts.tls_demand = &demand;
    }
    if (t_server_start(&e->server) == 0 && t_play_begin(&e->client) &&
        t_play_give(&e->client, &mail) == 0) {
        t_pair_settle(e, 0);
        assert_int_equal(onward_smtp_client_outcome(e->client.client,
                                                    ONWARD_SMTP_MESSAGE, &o),
                         0);
        is_delivered = o.fate == ONWARD_SMTP_FATE_DELIVERED;
        /* No memory, no lie: what is delivered is there. */
        if (is_delivered)
            assert_int_equal(e->server.message_len, 3);
    }
    t_play_end(&e->client);
    t_server_stop(&e->server);
    free(e);
    return is_delivered;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

static void test_out_of_memory_under_tls(void **state)
{
    struct t_world w;
    struct oom_tls tls;

    (void)state;
    t_world_init(&w);
    tls.server = t_pair_config(&w, ONWARD_TLS_SERVER, NULL);
    tls.client = t_pair_config(&w, ONWARD_TLS_CLIENT, t_pair_certs.ca);
    t_oom_sweep(oom_scenario, &tls);
    onward_tls_config_free(tls.server);
    onward_tls_config_free(tls.client);
    t_world_clear(&w);
}

int main(void)
{
    enum { WAYS = sizeof(ways) / sizeof(ways[0]) };
    struct CMUnitTest tests[2 * WAYS + 6] = {
        [2 * WAYS] = cmocka_unit_test(test_facts),
        [2 * WAYS + 1] = cmocka_unit_test(test_tls_fails),
        [2 * WAYS + 2] = cmocka_unit_test(test_cancel_under_tls),
        [2 * WAYS + 3] = cmocka_unit_test(test_out_of_memory),
        [2 * WAYS + 4] = cmocka_unit_test(test_out_of_memory_under_tls),
        [2 * WAYS + 5] = cmocka_unit_test(test_dane),
    };

    for (size_t i = 0; i < 2 * WAYS; i++)
        tests[i] = (struct CMUnitTest){
            .name = ways[i / 2].name,
            .test_func = i % 2 == 0 ? test_messages : test_big_message,
            .initial_state = (void *)(uintptr_t)&ways[i / 2]};
    return cmocka_run_group_tests_name("smtp pair", tests, t_pair_certs_make,
                                       t_pair_certs_free);
}
