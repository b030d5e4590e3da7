/*
 * Which certificates a client takes: names, times, trust, purpose; and what
 * an opportunistic client is told about those that it takes anyway.
 */
#include "pair.h"
#include "support/certs.h"

enum {
    START = 1500000000,
    NOW = 1600000000, /* the world's clock */
    END = 1700000000
};

static const unsigned char loopback[4] = {127, 0, 0, 1};

static struct t_cert *ca, *other_ca, *old_root, *mid, *mid_expired, *cross;
static struct t_cert *good, *wild, *expired, *early, *stranger, *by_mid,
    *by_expired_mid, *client_only, *address, *nul_name, *cn_only, *self,
    *second, *rsa;

static int set_up_certs(void **state)
{
    (void)state;
    ca = t_cert_new("Test CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    other_ca = t_cert_new("Other CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    old_root =
        t_cert_new("Old Root", NULL, NULL, NULL, T_CERT_CA, START, NOW - 10);
    mid = t_cert_new("Mid", NULL, NULL, ca, T_CERT_CA, START, END);
    mid_expired =
        t_cert_new("Mid Expired", NULL, NULL, ca, T_CERT_CA, START, NOW - 10);
    cross = t_cert_cross(ca, old_root, START, NOW - 10);
    good = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, END);
    wild = t_cert_new("x", "*.example.org", NULL, ca, 0, START, END);
    expired = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, NOW - 1);
    early = t_cert_new("x", "mx.example.org", NULL, ca, 0, NOW + 1, END);
    stranger = t_cert_new("x", "mx.example.org", NULL, other_ca, 0, START, END);
    by_mid = t_cert_new("x", "mx.example.org", NULL, mid, 0, START, END);
    by_expired_mid =
        t_cert_new("x", "mx.example.org", NULL, mid_expired, 0, START, END);
    client_only =
        t_cert_new("x", "mx.example.org", NULL, ca, T_CERT_CLIENT, START, END);
    address = t_cert_new("x", "other.example.org", loopback, ca, 0, START, END);
    nul_name = t_cert_new("x", NULL, NULL, ca, 0, START, END);
    t_cert_set_raw_name(nul_name, "mx.example.org\0.evil.example", 28, ca);
    cn_only = t_cert_new("mx.example.org", NULL, NULL, ca, 0, START, END);
    self = t_cert_new("x", "mx.example.org", NULL, NULL, 0, START, END);
    second = t_cert_new("x", "two.example.org three.example.org", NULL, ca, 0,
                        START, END);
    rsa = t_cert_new("x", "rsa.example.org", NULL, ca, T_CERT_RSA, START, END);
    return 0;
}

static int clear_certs(void **state)
{
    struct t_cert *all[] = {
        ca,       other_ca, old_root,       mid,         mid_expired,
        cross,    good,     wild,           expired,     early,
        stranger, by_mid,   by_expired_mid, client_only, address,
        nul_name, cn_only,  self,           second,      rsa};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        t_cert_free(all[i]);
    return 0;
}

/* A chain of up to four certificates as one PEM text. */
static struct onward_str chain_pem(char *room, size_t cap,
                                   struct t_cert **const *chain)
{
    size_t len = 0;

    for (size_t i = 0; i < 4 && chain[i] != NULL; i++) {
        struct onward_str pem = t_cert_pem(*chain[i]);

        assert_true(pem.len <= cap - len);
        memcpy(room + len, pem.data, pem.len);
        len += pem.len;
    }
    return (struct onward_str){room, len};
}

static struct onward_tls_config *make_client(struct t_world *w,
                                             const struct t_cert *trust)
{
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};
    struct onward_tls_config *config = NULL;

    if (trust != NULL)
        opts.trust_pem = t_cert_pem(trust);
    assert_int_equal(onward_tls_config_new(w->ctx, &opts, &config), 0);
    return config;
}

static const struct row {
    const char *name;
    struct t_cert **chain[4]; /* leaf first */
    const char *reference;
    struct t_cert **trust;
    int64_t now_s; /* 0: NOW */
    enum onward_tls_failure want;
} rows[] = {
    {"right name", {&good}, "mx.example.org", &ca, 0, ONWARD_TLS_OK},
    {"case does not matter", {&good}, "MX.Example.ORG", &ca, 0, ONWARD_TLS_OK},
    {"wildcard", {&wild}, "mx.example.org", &ca, 0, ONWARD_TLS_OK},
    {"wildcard does not cover two labels",
     {&wild},
     "a.mx.example.org",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"wildcard does not cover its base",
     {&wild},
     "example.org",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"wrong name",
     {&good},
     "mx2.example.org",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"common name counts for nothing",
     {&cn_only},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"name with a NUL",
     {&nul_name},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"expired", {&expired}, "mx.example.org", &ca, 0, ONWARD_TLS_EXPIRED},
    {"not expired when the clock says so",
     {&expired},
     "mx.example.org",
     &ca,
     NOW - 100,
     ONWARD_TLS_OK},
    {"last second", {&good}, "mx.example.org", &ca, END, ONWARD_TLS_OK},
    {"one second late",
     {&good},
     "mx.example.org",
     &ca,
     END + 1,
     ONWARD_TLS_EXPIRED},
    {"not yet valid",
     {&early},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_NOT_YET_VALID},
    {"unknown authority",
     {&stranger},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_UNTRUSTED},
    {"self-signed", {&self}, "mx.example.org", &ca, 0, ONWARD_TLS_UNTRUSTED},
    {"self-signed and trusted",
     {&self},
     "mx.example.org",
     &self,
     0,
     ONWARD_TLS_OK},
    {"no trust at all",
     {&good},
     "mx.example.org",
     NULL,
     0,
     ONWARD_TLS_UNTRUSTED},
    {"authority between",
     {&by_mid, &mid},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_OK},
    {"authority between is missing",
     {&by_mid},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_UNTRUSTED},
    {"authority between, out of order",
     {&by_mid, &good, &ca, &mid},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_OK},
    {"authority between has expired",
     {&by_expired_mid, &mid_expired},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_EXPIRED},
    {"expired cross-signature of a trusted root",
     {&by_mid, &mid, &cross},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_OK},
    {"a leaf is no authority",
     {&good, &by_mid},
     "mx.example.org",
     &other_ca,
     0,
     ONWARD_TLS_UNTRUSTED},
    {"for clients only",
     {&client_only},
     "mx.example.org",
     &ca,
     0,
     ONWARD_TLS_BAD_CERT},
    {"address", {&address}, "127.0.0.1", &ca, 0, ONWARD_TLS_OK},
    {"other address",
     {&address},
     "127.0.0.2",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"address is no name",
     {&good},
     "127.0.0.1",
     &ca,
     0,
     ONWARD_TLS_NAME_MISMATCH},
    {"rsa key", {&rsa}, "rsa.example.org", &ca, 0, ONWARD_TLS_OK},
};

static void check_row(const struct row *row, enum onward_tls_level level,
                      const char *priority)
{
    char pem[16384];
    struct onward_str chain = chain_pem(pem, sizeof(pem), row->chain);
    struct onward_str key = t_cert_key(*row->chain[0]);
    struct onward_str reference = onward_str_of(row->reference);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = level,
                                       .names = &reference,
                                       .name_count = 1};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1,
                                          .priority = onward_str_of(priority)};
    struct onward_tls_config *server = NULL, *client;
    struct t_pair p = {.chunk = 0};
    const struct onward_tls_facts *facts;
    struct t_world w = {0};

    t_world_init(&w);
    w.now_s = row->now_s != 0 ? row->now_s : NOW;
    client = make_client(&w, row->trust == NULL ? NULL : *row->trust);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &server), 0);
    p.client = t_echo_new(w.ctx, T_ECHO_CLIENT, client, &demand);
    p.server = t_echo_new(w.ctx, T_ECHO_SERVER, server, NULL);
    assert_int_equal(t_echo_plug(p.server), 0);
    assert_int_equal(t_echo_plug(p.client), 0);
    t_pair_run(&p);
    if (level == ONWARD_TLS_VERIFIED) {
        assert_string_equal(
            onward_tls_failure_name((int)onward_tls__failure(p.client->tls)),
            onward_tls_failure_name((int)row->want));
        if (row->want != ONWARD_TLS_OK) {
            assert_true(p.client->secured < 0);
            assert_true(p.server->secured < 0 || p.server->eof != 0);
            assert_int_equal(onward_channel_wants(&p.client->channel),
                             ONWARD_WANT_CLOSE);
        }
    }
    if (level != ONWARD_TLS_VERIFIED || row->want == ONWARD_TLS_OK) {
        facts = onward_tls__facts(p.client->tls);
        assert_int_equal(p.client->secured, 1);
        assert_int_equal(p.server->secured, 1);
        assert_int_equal(facts->is_verified, row->want == ONWARD_TLS_OK);
        assert_string_equal(onward_tls_failure_name((int)facts->cert_failure),
                            onward_tls_failure_name((int)row->want));
        assert_int_equal(facts->peer_sha256.len, 32);
        if (row->want == ONWARD_TLS_OK)
            assert_int_equal(facts->verified_name.len, reference.len);
        else
            assert_int_equal(facts->verified_name.len, 0);
    }
    t_pair_free(&p);
    onward_tls_config_free(client);
    onward_tls_config_free(server);
    t_world_clear(&w);
}

static void test_verified(void **state)
{
    check_row(*state, ONWARD_TLS_VERIFIED, "");
}

static void test_verified_tls12(void **state)
{
    check_row(*state, ONWARD_TLS_VERIFIED,
              "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ECDHE-RSA");
}

static void test_opportunistic(void **state)
{
    check_row(*state, ONWARD_TLS_OPPORTUNISTIC, "");
}

/* ---- Choice among several identities ----------------------------------- */

static const struct sni_row {
    const char *name;
    const char *reference;
    bool want_up;
} sni_rows[] = {
    {"first", "mx.example.org", true},
    {"second", "two.example.org", true},
    {"other name of the second", "three.example.org", true},
    {"of another key type", "rsa.example.org", true},
    {"nobody's: the first is shown", "four.example.org", false},
};

static void test_sni(void **state)
{
    const struct sni_row *row = *state;
    struct onward_str chains[] = {t_cert_pem(good), t_cert_pem(second),
                                  t_cert_pem(rsa)};
    struct onward_str keys[] = {t_cert_key(good), t_cert_key(second),
                                t_cert_key(rsa)};
    struct onward_str reference = onward_str_of(row->reference);
    struct onward_tls_demand demand = {
        .size = sizeof(demand), .names = &reference, .name_count = 1};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = chains,
                                          .key_pem = keys,
                                          .identity_count = 3};
    struct onward_tls_config *server = NULL, *client;
    struct t_pair p = {.chunk = 0};
    struct t_world w = {0};

    t_world_init(&w);
    client = make_client(&w, ca);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &server), 0);
    p.client = t_echo_new(w.ctx, T_ECHO_CLIENT, client, &demand);
    p.server = t_echo_new(w.ctx, T_ECHO_SERVER, server, NULL);
    assert_int_equal(t_echo_plug(p.server), 0);
    assert_int_equal(t_echo_plug(p.client), 0);
    t_pair_run(&p);
    if (row->want_up) {
        assert_int_equal(p.client->secured, 1);
        t_assert_str(onward_tls__facts(p.server->tls)->server_name,
                     row->reference);
        t_assert_str(onward_tls__facts(p.client->tls)->verified_name,
                     row->reference);
    } else {
        assert_int_equal(onward_tls__failure(p.client->tls),
                         ONWARD_TLS_NAME_MISMATCH);
    }
    t_pair_free(&p);
    onward_tls_config_free(client);
    onward_tls_config_free(server);
    t_world_clear(&w);
}

/* ---- Certificates of clients ------------------------------------------- */

static const struct client_row {
    const char *name;
    size_t ask;
    struct t_cert **cert;
    bool want_up;
    size_t want_verified;
    enum onward_tls_failure want;
} client_rows[] = {
    {"not asked", ONWARD_TLS_ASK_NOTHING, &client_only, true, 0, ONWARD_TLS_OK},
    {"optional, good", ONWARD_TLS_ASK_OPTIONAL, &client_only, true, 1,
     ONWARD_TLS_OK},
    {"optional, none", ONWARD_TLS_ASK_OPTIONAL, NULL, true, 0,
     ONWARD_TLS_NO_CERT},
    {"optional, for servers only", ONWARD_TLS_ASK_OPTIONAL, &good, true, 0,
     ONWARD_TLS_BAD_CERT},
    {"required, good", ONWARD_TLS_ASK_REQUIRED, &client_only, true, 1,
     ONWARD_TLS_OK},
    {"required, none", ONWARD_TLS_ASK_REQUIRED, NULL, false, 0,
     ONWARD_TLS_NO_CERT},
    {"required, for servers only", ONWARD_TLS_ASK_REQUIRED, &good, false, 0,
     ONWARD_TLS_BAD_CERT},
};

static void test_client_cert(void **state)
{
    const struct client_row *row = *state;
    struct onward_str chain = t_cert_pem(good), key = t_cert_key(good);
    struct onward_str client_chain, client_key;
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_ENCRYPTED};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1,
                                          .trust_pem = t_cert_pem(ca),
                                          .ask_client = row->ask};
    struct onward_tls_config_opts client_opts = {.size = sizeof(client_opts),
                                                 .role = ONWARD_TLS_CLIENT};
    struct onward_tls_config *server = NULL, *client = NULL;
    const struct onward_tls_facts *facts;
    struct t_pair p = {.chunk = 0};
    struct t_world w = {0};

    t_world_init(&w);
    if (row->cert != NULL) {
        client_chain = t_cert_pem(*row->cert);
        client_key = t_cert_key(*row->cert);
        client_opts.chain_pem = &client_chain;
        client_opts.key_pem = &client_key;
        client_opts.identity_count = 1;
    }
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &server), 0);
    assert_int_equal(onward_tls_config_new(w.ctx, &client_opts, &client), 0);
    p.client = t_echo_new(w.ctx, T_ECHO_CLIENT, client, &demand);
    p.server = t_echo_new(w.ctx, T_ECHO_SERVER, server, NULL);
    assert_int_equal(t_echo_plug(p.server), 0);
    assert_int_equal(t_echo_plug(p.client), 0);
    t_pair_run(&p);
    assert_int_equal(p.server->secured == 1, row->want_up);
    facts = onward_tls__facts(p.server->tls);
    if (row->want_up) {
        assert_int_equal(facts->is_verified, row->want_verified);
        assert_string_equal(onward_tls_failure_name((int)facts->cert_failure),
                            onward_tls_failure_name((int)row->want));
    } else {
        assert_string_equal(
            onward_tls_failure_name((int)onward_tls__failure(p.server->tls)),
            onward_tls_failure_name((int)row->want));
    }
    t_pair_free(&p);
    onward_tls_config_free(client);
    onward_tls_config_free(server);
    t_world_clear(&w);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
enum { SNI_ROWS = sizeof(sni_rows) / sizeof(sni_rows[0]) };
enum { CLIENT_ROWS = sizeof(client_rows) / sizeof(client_rows[0]) };

int main(void)
{
    struct CMUnitTest tests[3 * ROWS + SNI_ROWS + CLIENT_ROWS];
    size_t n = 0;

    memset(tests, 0, sizeof(tests));
    for (size_t i = 0; i < ROWS; i++) {
        CMUnitTestFunction run[] = {test_verified, test_verified_tls12,
                                    test_opportunistic};

        for (size_t j = 0; j < 3; j++) {
            tests[n].name = rows[i].name;
            tests[n].test_func = run[j];
            tests[n++].initial_state = (void *)(uintptr_t)&rows[i];
        }
    }
    for (size_t i = 0; i < SNI_ROWS; i++) {
        tests[n].name = sni_rows[i].name;
        tests[n].test_func = test_sni;
        tests[n++].initial_state = (void *)(uintptr_t)&sni_rows[i];
    }
    for (size_t i = 0; i < CLIENT_ROWS; i++) {
        tests[n].name = client_rows[i].name;
        tests[n].test_func = test_client_cert;
        tests[n++].initial_state = (void *)(uintptr_t)&client_rows[i];
    }
    return cmocka_run_group_tests(tests, set_up_certs, clear_certs);
}
