/*
 * Making a configuration and a connection from wrong and right options.
 */
#include "pair.h"
#include "support/certs.h"

enum { START = 1500000000, END = 1700000000, SOONER = 1650000000 };

static struct t_cert *ca, *cert, *other;

static int set_up_certs(void **state)
{
    (void)state;
    ca = t_cert_new("Test CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    cert = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, END);
    other = t_cert_new("x", "mx2.example.org", NULL, ca, 0, START, SOONER);
    return 0;
}

static int clear_certs(void **state)
{
    (void)state;
    t_cert_free(other);
    t_cert_free(cert);
    t_cert_free(ca);
    return 0;
}

static const struct row {
    const char *name;
    size_t role;
    const char *chain; /* NULL: the good one; "-": no identity */
    const char *key;   /* NULL: the right one; "other": of another */
    const char *trust; /* NULL: the good one */
    const char *priority;
    size_t ask_client;
    const char *alpn;
    int want;
} rows[] = {
    {"server", ONWARD_TLS_SERVER, NULL, NULL, NULL, "", 2, "smtp", 0},
    {"client with identity", ONWARD_TLS_CLIENT, NULL, NULL, NULL, "", 0, NULL,
     0},
    {"client without anything", ONWARD_TLS_CLIENT, "-", NULL, "", "", 0, NULL,
     0},
    {"no role", 0, NULL, NULL, NULL, "", 0, NULL, ONWARD_EINVAL},
    {"unknown role", 3, NULL, NULL, NULL, "", 0, NULL, ONWARD_EINVAL},
    {"server without identity", ONWARD_TLS_SERVER, "-", NULL, NULL, "", 0, NULL,
     ONWARD_EINVAL},
    {"chain is no PEM", ONWARD_TLS_SERVER, "hello", NULL, NULL, "", 0, NULL,
     ONWARD_ESYNTAX},
    {"chain is empty", ONWARD_TLS_SERVER, "", NULL, NULL, "", 0, NULL,
     ONWARD_ESYNTAX},
    {"chain is not base64", ONWARD_TLS_SERVER,
     "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", NULL, NULL,
     "", 0, NULL, ONWARD_ESYNTAX},
    {"key is no PEM", ONWARD_TLS_SERVER, NULL, "hello", NULL, "", 0, NULL,
     ONWARD_ESYNTAX},
    {"key of another certificate", ONWARD_TLS_SERVER, NULL, "other", NULL, "",
     0, NULL, ONWARD_ECRYPTO},
    {"trust is no PEM", ONWARD_TLS_CLIENT, NULL, NULL, "hello", "", 0, NULL,
     ONWARD_ESYNTAX},
    {"priority of the host", ONWARD_TLS_CLIENT, NULL, NULL, NULL,
     "SECURE128:-VERS-ALL:+VERS-TLS1.3", 0, NULL, 0},
    {"priority is none", ONWARD_TLS_CLIENT, NULL, NULL, NULL, "NONSENSE", 0,
     NULL, ONWARD_EINVAL},
    {"TLS 1.0 enabled", ONWARD_TLS_CLIENT, NULL, NULL, NULL,
     "NORMAL:+VERS-TLS1.0", 0, NULL, ONWARD_EINVAL},
    {"TLS 1.1 alone", ONWARD_TLS_CLIENT, NULL, NULL, NULL,
     "NORMAL:-VERS-ALL:+VERS-TLS1.1", 0, NULL, ONWARD_EINVAL},
    {"DTLS", ONWARD_TLS_CLIENT, NULL, NULL, NULL,
     "NORMAL:-VERS-ALL:+VERS-DTLS1.2", 0, NULL, ONWARD_EINVAL},
    {"no version at all", ONWARD_TLS_CLIENT, NULL, NULL, NULL,
     "NORMAL:-VERS-ALL", 0, NULL, ONWARD_EINVAL},
    {"asks too much", ONWARD_TLS_SERVER, NULL, NULL, NULL, "", 3, NULL,
     ONWARD_EINVAL},
    {"empty protocol name", ONWARD_TLS_CLIENT, NULL, NULL, NULL, "", 0, "",
     ONWARD_EINVAL},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_str alpn = onward_str_of(row->alpn);
    struct onward_tls_config_opts opts = {
        .size = sizeof(opts),
        .role = row->role,
        .chain_pem = &chain,
        .key_pem = &key,
        .identity_count = 1,
        .trust_pem =
            row->trust == NULL ? t_cert_pem(ca) : onward_str_of(row->trust),
        .priority = onward_str_of(row->priority),
        .ask_client = row->ask_client,
        .alpn = &alpn,
        .alpn_count = row->alpn != NULL,
    };
    struct onward_tls_config *config = NULL;
    struct t_world w = {0};

    if (row->chain != NULL) {
        chain = onward_str_of(row->chain);
        opts.identity_count = strcmp(row->chain, "-") != 0;
    }
    if (row->key != NULL)
        key = strcmp(row->key, "other") == 0 ? t_cert_key(other)
                                             : onward_str_of(row->key);
    t_world_init(&w);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), row->want);
    assert_int_equal(config != NULL, row->want == 0);
    if (row->want == ONWARD_ESYNTAX || row->want == ONWARD_ECRYPTO)
        assert_int_equal(w.log_count, 1);
    onward_tls_config_free(config);
    t_world_clear(&w);
}

static void test_newer_options(void **state)
{
    struct {
        struct onward_tls_config_opts opts;
        uint64_t more;
    } newer = {.opts = {.size = sizeof(newer), .role = ONWARD_TLS_CLIENT},
               .more = 1};
    struct onward_tls_config *config = NULL;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tls_config_new(w.ctx, NULL, &config),
                     ONWARD_EINVAL);
    assert_int_equal(onward_tls_config_new(w.ctx, &newer.opts, &config),
                     ONWARD_EVERSION);
    newer.more = 0;
    assert_int_equal(onward_tls_config_new(w.ctx, &newer.opts, &config), 0);
    assert_true(onward_tls_config_expires_s(config) == INT64_MAX);
    onward_tls_config_free(config);
    onward_tls_config_free(NULL);
    t_world_clear(&w);
}

static void test_owners_and_expiry(void **state)
{
    struct onward_str chains[] = {t_cert_pem(cert), t_cert_pem(other)};
    struct onward_str keys[] = {t_cert_key(cert), t_cert_key(other)};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = chains,
                                          .key_pem = keys,
                                          .identity_count = 2};
    struct onward_tls_config *config = NULL;
    struct t_world w = {0};
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    assert_true(onward_tls_config_expires_s(config) == SOONER);
    assert_ptr_equal(onward_tls_config_ref(config), config);
    onward_tls_config_free(config);
    /* A connection outlives its owner's configuration. */
    e = t_echo_new(w.ctx, T_ECHO_SERVER, config, NULL);
    assert_int_equal(t_echo_plug(e), 0);
    onward_tls_config_free(config);
    t_echo_free(e);
    t_world_clear(&w);
}

static const struct demand_row {
    const char *name;
    size_t level;
    const char *reference;
    const char *server_name;
    int want;
    const char *want_sni;
} demand_rows[] = {
    {"a name", 0, "mx.example.org", "", 0, "mx.example.org"},
    {"final dot", 0, "MX.Example.org.", "", 0, "mx.example.org"},
    {"U-label", 0, "m\xc3\xbcller.example", "", 0, "xn--mller-kva.example"},
    {"an address has no SNI", 0, "192.0.2.1", "", 0, ""},
    {"IPv6", 0, "2001:db8::1", "", 0, ""},
    {"another SNI", 0, "mx.example.org", "mx2.example.org", 0,
     "mx2.example.org"},
    {"no TLS demanded", ONWARD_TLS_NONE, "mx.example.org", "", ONWARD_EINVAL,
     ""},
    {"unknown level", 99, "mx.example.org", "", ONWARD_EINVAL, ""},
    {"empty name", 0, "", "", ONWARD_EINVAL, ""},
    {"no name", 0, "a b", "", ONWARD_EINVAL, ""},
    {"no SNI", 0, "mx.example.org", "a..b", ONWARD_EINVAL, ""},
};

static void test_demand(void **state)
{
    const struct demand_row *row = *state;
    struct onward_str reference = onward_str_of(row->reference);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = row->level,
                                       .names = &reference,
                                       .name_count = 1,
                                       .server_name =
                                           onward_str_of(row->server_name)};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};
    struct onward_tls_config *config = NULL;
    struct t_world w = {0};
    struct t_echo *e;

    t_world_init(&w);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    e = t_echo_new(w.ctx, T_ECHO_CLIENT, config, &demand);
    assert_int_equal(t_echo_plug(e), row->want);
    if (row->want == 0)
        t_assert_str(onward_tls__facts(e->tls)->server_name, row->want_sni);
    else
        assert_null(e->tls);
    t_echo_free(e);
    onward_tls_config_free(config);
    t_world_clear(&w);
}

static void test_a_server_demands_nothing(void **state)
{
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_demand demand = {.size = sizeof(demand)};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1};
    struct onward_tls_config *config = NULL;
    struct t_world w = {0};
    struct t_echo *e;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    e = t_echo_new(w.ctx, T_ECHO_SERVER, config, &demand);
    assert_int_equal(t_echo_plug(e), ONWARD_EINVAL);
    t_echo_free(e);
    onward_tls_config_free(config);
    t_world_clear(&w);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
enum { DEMAND_ROWS = sizeof(demand_rows) / sizeof(demand_rows[0]) };

int main(void)
{
    struct CMUnitTest tests[3 + ROWS + DEMAND_ROWS] = {
        cmocka_unit_test(test_newer_options),
        cmocka_unit_test(test_owners_and_expiry),
        cmocka_unit_test(test_a_server_demands_nothing),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[3 + i].name = rows[i].name;
        tests[3 + i].test_func = test_row;
        tests[3 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    for (size_t i = 0; i < DEMAND_ROWS; i++) {
        tests[3 + ROWS + i].name = demand_rows[i].name;
        tests[3 + ROWS + i].test_func = test_demand;
        tests[3 + ROWS + i].initial_state = (void *)(uintptr_t)&demand_rows[i];
    }
    return cmocka_run_group_tests(tests, set_up_certs, clear_certs);
}
