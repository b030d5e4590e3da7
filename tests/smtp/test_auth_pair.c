/*
 * Our client logging in at our server, under TLS and in the clear: every
 * mechanism, both versions of TLS, every piece, and who sits between.
 */
#include "smtp/play.h"
#include "smtp/server_host.h"
#include "support/certs.h"

#define STR(text) {(text), sizeof(text) - 1}

enum { DAY = 86400, ALL = 63, ROUNDS = 20000 };

static struct t_cert *leaf;
static struct onward_smtp_scram_keys keys = {.size = sizeof(keys)};
static const char salt[] = "sixteen octets!";

static int make_cert(void **state)
{
    struct t_world w;

    (void)state;
    t_world_init(&w);
    leaf = t_cert_new("mx", "mx.test", NULL, NULL, 0, 1600000000 - DAY,
                      1600000000 + DAY);
    assert_int_equal(onward_smtp_scram_derive(w.ctx, ONWARD_STR("tanstaaf"),
                                              onward_str_of(salt), ROUNDS, &keys),
                     0);
    t_world_clear(&w);
    return 0;
}

static int free_cert(void **state)
{
    (void)state;
    t_cert_free(leaf);
    return 0;
}

/* ---- Two ends ---------------------------------------------------------- */

struct ends {
    struct t_world world;
    struct t_server server;
    struct t_play client;
    struct onward_tls_config *server_tls, *client_tls;
    bool ok; /* memory failed nowhere */
};

static int on_auth(void *user, uint64_t token,
                   const struct onward_smtp_auth_request *r)
{
    const struct onward_smtp_scram_credentials known = {
        .size = sizeof(known),
        .iterations = ROUNDS,
        .salt = STR(salt),
        .stored_key = {(const char *)keys.stored_key, 32},
        .server_key = {(const char *)keys.server_key, 32}};
    const struct onward_smtp_reply yes = {.size = sizeof(yes), .code = 235};
    struct t_server *t = user;
    struct onward_str secret =
        r->kind == ONWARD_SMTP_AUTH_ASK_TOKEN ? r->token : r->password;

    if (r->kind == ONWARD_SMTP_AUTH_ASK_SCRAM)
        return onward_smtp_auth_scram(t->desk, token, &known);
    if (secret.len != 8 || memcmp(secret.data, "tanstaaf", 8) != 0)
        return ONWARD_SMTP_DEFAULT;
    return onward_smtp_reply_answer(t->desk, token, &yes);
}

static struct onward_tls_config *config(struct t_world *w,
                                        enum onward_tls_role role,
                                        const char *priority)
{
    struct onward_str chain = t_cert_pem(leaf), key = t_cert_key(leaf);
    struct onward_tls_config_opts opts = {.size = sizeof(opts), .role = role};
    struct onward_tls_config *made = NULL;

    if (role == ONWARD_TLS_SERVER) {
        opts.chain_pem = &chain;
        opts.key_pem = &key;
        opts.identity_count = 1;
        opts.priority = onward_str_of(priority);
    }
    (void)onward_tls_config_new(w->ctx, &opts, &made);
    return made;
}

static size_t carry(struct onward_channel *from, struct onward_channel *to,
                    size_t step)
{
    struct onward_str out = onward_channel_peek(from);
    size_t n = step == 0 || out.len < step ? out.len : step;
    char piece[65536];
    size_t taken = 0;

    if (n == 0)
        return 0;
    assert_true(n <= sizeof(piece));
    memcpy(piece, out.data, n);
    (void)onward_channel_feed(to, piece, n, &taken);
    (void)onward_channel_drain(from, taken);
    return taken;
}

static void settle(struct ends *e, size_t step)
{
    size_t moved = 1;

    while (moved != 0) {
        while (onward_desk_run(e->client.desk, 1000) == 1)
            continue;
        while (onward_desk_run(e->server.desk, 1000) == 1)
            continue;
        moved = carry(e->client.ch, e->server.channel, step);
        moved += carry(e->server.channel, e->client.ch, step);
    }
    while (onward_desk_run(e->client.desk, 1000) == 1)
        continue;
}

/* version: a priority of the server; NULL: no TLS. */
static void ends_begin(struct ends *e, struct t_world *w, const char *version,
                       size_t mechanisms,
                       const struct onward_smtp_client_login *login)
{
    const struct onward_tls_demand demand = {
        .size = sizeof(demand),
        .level =
            version != NULL ? ONWARD_TLS_ENCRYPTED : ONWARD_TLS_NONE};

    memset(e, 0, sizeof(*e));
    if (version != NULL) {
        e->server_tls = config(w, ONWARD_TLS_SERVER, version);
        e->client_tls = config(w, ONWARD_TLS_CLIENT, NULL);
        e->server.opts.tls = e->server_tls;
        e->client.opts.tls = e->client_tls;
        if (e->server_tls == NULL || e->client_tls == NULL)
            return;
    }
    e->server.opts.auth_mechanisms = mechanisms;
    e->server.auth = on_auth;
    t_server_prepare(&e->server, w);
    e->client.world = w;
    e->client.opts.tls_demand = &demand;
    e->client.opts.login = login;
    e->ok = t_server_start(&e->server) == 0 && t_play_begin(&e->client);
}

static void ends_end(struct ends *e)
{
    t_play_end(&e->client);
    t_server_stop(&e->server);
    onward_tls_config_free(e->server_tls);
    onward_tls_config_free(e->client_tls);
}

/* ---- Rows -------------------------------------------------------------- */

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

static const struct row {
    const char *name, *version; /* NULL: in the clear */
    size_t offered, allowed;
    const char *password, *token;
    int want; /* the mechanism; 0: it fails */
    const char *outcome;
} rows[] = {
    {"the strongest, TLS 1.3", TLS13, ALL, 0, "tanstaaf", "",
     ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS, NULL},
    {"the strongest, TLS 1.2", TLS12, ALL, 0, "tanstaaf", "",
     ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS, NULL},
    {"SCRAM-SHA-256", TLS13, ALL, ONWARD_SMTP_AUTH_SCRAM_SHA_256, "tanstaaf",
     "", ONWARD_SMTP_AUTH_SCRAM_SHA_256, NULL},
    {"SCRAM-SHA-256, where PLUS is not offered", TLS13,
     ONWARD_SMTP_AUTH_SCRAM_SHA_256, 0, "tanstaaf", "",
     ONWARD_SMTP_AUTH_SCRAM_SHA_256, NULL},
    {"SCRAM-SHA-256 in the clear", NULL, ALL, 0, "tanstaaf", "",
     ONWARD_SMTP_AUTH_SCRAM_SHA_256, NULL},
    {"PLAIN", TLS13, ALL, ONWARD_SMTP_AUTH_PLAIN, "tanstaaf", "",
     ONWARD_SMTP_AUTH_PLAIN, NULL},
    {"LOGIN", TLS12, ALL, ONWARD_SMTP_AUTH_LOGIN, "tanstaaf", "",
     ONWARD_SMTP_AUTH_LOGIN, NULL},
    {"OAUTHBEARER", TLS13, ALL, 0, "", "tanstaaf", ONWARD_SMTP_AUTH_OAUTHBEARER,
     NULL},
    {"XOAUTH2", TLS13, ALL, ONWARD_SMTP_AUTH_XOAUTH2, "", "tanstaaf",
     ONWARD_SMTP_AUTH_XOAUTH2, NULL},
    {"a wrong password by SCRAM-SHA-256-PLUS", TLS13, ALL, 0, "wrong", "", 0,
     "temporary auth reply 535 5.7.8 Authentication credentials invalid"},
    {"a wrong password by PLAIN", TLS13, ONWARD_SMTP_AUTH_PLAIN, 0, "wrong", "",
     0, "temporary auth reply 535 5.7.8 Authentication credentials invalid"},
    {"a wrong token", TLS13, ALL, 0, "", "wrong", 0,
     "temporary auth reply 535 5.7.8 Authentication credentials invalid"},
    {"PLAIN in the clear", NULL, ALL, ONWARD_SMTP_AUTH_PLAIN, "tanstaaf", "", 0,
     "temporary auth no-auth 4.7.0"},
};

static struct onward_smtp_client_login login_of(const struct row *row)
{
    return (struct onward_smtp_client_login){
        .size = sizeof(struct onward_smtp_client_login),
        .user = STR("tim"),
        .password = onward_str_of(row->password),
        .token = onward_str_of(row->token),
        .mechanisms = row->allowed};
}

static void test_row(void **state)
{
    static const size_t steps[] = {0, 1, 7};
    struct onward_smtp_client_login login = login_of(*state);
    struct ends *e = malloc(sizeof(*e));
    const struct row *row = *state;
    struct t_world w;
    char text[200];

    assert_non_null(e);
    t_world_init(&w);
    for (size_t i = 0; i < 3; i++) {
        ends_begin(e, &w, row->version, row->offered, &login);
        assert_true(e->ok);
        w.secret = "tanstaaf";
        settle(e, steps[i]);
        assert_int_equal(onward_smtp_client_auth_mechanism(e->client.client),
                         row->want);
        assert_int_equal(onward_smtp_server_auth_mechanism(e->server.session),
                         row->want);
        if (row->outcome != NULL) {
            t_play_outcome(e->client.client, ONWARD_SMTP_SESSION, text,
                           sizeof(text));
            assert_string_equal(text, row->outcome);
        } else {
            t_assert_str(
                onward_smtp_server_authentication_id(e->server.session), "tim");
        }
        assert_int_equal(w.leaks, 0);
        ends_end(e);
        w.secret = NULL;
        assert_int_equal(w.leaks, 0);
    }
    t_world_clear(&w);
    free(e);
}

/* More rounds than the client is ready for. */
static void rounds_are_bounded(void **state)
{
    struct onward_smtp_client_login login = login_of(&rows[0]);
    struct ends *e = malloc(sizeof(*e));
    struct t_world w;
    struct onward_smtp_outcome out = {.size = sizeof(out)};

    (void)state;
    assert_non_null(e);
    t_world_init(&w);
    login.iterations_max = ROUNDS - 1;
    ends_begin(e, &w, TLS13, ALL, &login);
    settle(e, 0);
    assert_int_equal(onward_smtp_client_outcome(e->client.client,
                                                ONWARD_SMTP_SESSION, &out),
                     0);
    assert_int_equal(out.cause, ONWARD_SMTP_CAUSE_AUTH);
    assert_int_equal(out.phase, ONWARD_SMTP_PHASE_AUTH);
    t_assert_str(out.text, "the server's SCRAM iteration count is out of "
                           "range");
    ends_end(e);
    t_world_clear(&w);
    free(e);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct onward_smtp_client_login login = login_of(row);
    struct ends *e = malloc(sizeof(*e));
    bool through;

    assert_non_null(e);
    ends_begin(e, w, row->version, row->offered, &login);
    if (e->ok)
        settle(e, 0);
    through = e->ok && onward_smtp_client_auth_mechanism(e->client.client) ==
                           row->want;
    ends_end(e);
    free(e);
    return through;
}

static void it_lives_without_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, (void *)(uintptr_t)&rows[4]);
}

int main(void)
{
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[COUNT + 2] = {
        [COUNT] = cmocka_unit_test(rounds_are_bounded),
        cmocka_unit_test(it_lives_without_memory)};

    for (size_t i = 0; i < COUNT; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests_name("AUTH, both ends", tests, make_cert,
                                       free_cert);
}
