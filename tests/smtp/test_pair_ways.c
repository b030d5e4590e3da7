/*
 * The ways a message can go from our client to our server: BDAT, LMTP, DSN,
 * REQUIRETLS, several transactions, TLS from the first octet; whole, in sevens
 * and octet by octet.
 */
#include "smtp/pair.h"

#include "tls/tls_shared.h"

static const size_t steps[] = {0, 7, 1};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

enum {
    BDAT = ONWARD_SMTP_SERVER_ALLOW_CHUNKING,
    BINARY = BDAT | ONWARD_SMTP_SERVER_ALLOW_BINARYMIME
};

static void assert_got(const struct t_pair *e, const char *data, size_t len)
{
    assert_int_equal(e->server.message_len, len);
    assert_memory_equal(e->server.message, data, len);
}

static void assert_event(const struct t_pair *e, const char *text)
{
    if (strstr(e->server.events, text) == NULL)
        fail_msg("no \"%s\" in\n%s", text, e->server.events);
}

/* ---- BDAT -------------------------------------------------------------- */

static void send_big(size_t chunk, size_t flags, size_t step, bool is_tls)
{
    const struct t_pair_how how = {
        .level = is_tls ? ONWARD_TLS_VERIFIED : ONWARD_TLS_NONE,
        .trusted = t_pair_certs.ca,
        .name = "mx.test",
        .server_flags = BDAT,
        .client_flags = ONWARD_SMTP_CLIENT_PREFER_BDAT | flags,
        .chunk = chunk};
    struct t_pair *e = t_pair_new(&how);
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {t_pair_certs.big, T_BIG}};

    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, step);
    t_pair_assert(e, ONWARD_SMTP_MESSAGE, ACCEPTED);
    assert_got(e, t_pair_certs.big, T_BIG);
    t_pair_free(e);
}

static void test_bdat(void **state)
{
    static const size_t chunks[] = {0, 1000, 29999, T_BIG, T_BIG - 1};

    (void)state;
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        for (size_t k = 0; k < STEPS; k++)
            send_big(chunks[i], i % 2 * ONWARD_SMTP_CLIENT_IN_STEP, steps[k],
                     k == 1);
    }
}

static void test_binary(void **state)
{
    static const char octets[] =
        "\x00\r.\r\n.\r\n\n\xff\rBDAT 1 LAST\r\nQUIT\r";
    const struct t_pair_how how = {
        .level = ONWARD_TLS_NONE, .server_flags = BINARY, .chunk = 3};
    struct t_play_mail mail = {.from = "",
                               .to = "b@mx.test",
                               .text = {octets, sizeof(octets)},
                               .body = ONWARD_SMTP_BODY_BINARYMIME};

    (void)state;
    for (size_t k = 0; k < STEPS; k++) {
        struct t_pair *e = t_pair_new(&how);

        assert_int_equal(t_play_give(&e->client, &mail), 0);
        t_pair_settle(e, steps[k]);
        t_pair_assert(e, ONWARD_SMTP_MESSAGE, ACCEPTED);
        assert_got(e, octets, sizeof(octets));
        t_pair_free(e);
    }
}

/* ---- LMTP -------------------------------------------------------------- */

static void test_lmtp(void **state)
{
    struct t_pair_how how = {.level = ONWARD_TLS_NONE,
                             .server_mode = ONWARD_SMTP_SERVER_MODE_LMTP,
                             .server_flags = BDAT,
                             .client_flags = ONWARD_SMTP_CLIENT_LMTP};
    struct t_play_mail mail = {
        .from = "",
        .to = "b@mx.test no@mx.test quota@mx.test d@mx.test",
        .text = {"a\r\n.\r\n", 6}};

    (void)state;
    for (size_t k = 0; k < 2 * STEPS; k++) {
        struct t_pair *e;

        how.defers = k % 2 == 1;
        how.client_flags = ONWARD_SMTP_CLIENT_LMTP;
        if (k >= STEPS)
            how.client_flags |= ONWARD_SMTP_CLIENT_PREFER_BDAT;
        e = t_pair_new(&how);
        /* Twice: nothing is left of the first. */
        for (size_t i = 0; i < 2; i++) {
            e->server.message_len = 0;
            assert_int_equal(t_play_give(&e->client, &mail), 0);
            t_pair_settle(e, steps[k % STEPS]);
            t_pair_assert(e, 0, ACCEPTED);
            t_pair_assert(e, 1, "permanent rcpt reply 550 5.1.1 No such user");
            t_pair_assert(e, 2, "temporary final reply 452 4.2.2 Mailbox full");
            t_pair_assert(e, 3, ACCEPTED);
            t_pair_assert(e, ONWARD_SMTP_MESSAGE, ACCEPTED);
            assert_got(e, "a\r\n.\r\n", 6);
        }
        t_pair_free(e);
    }
}

/* ---- Parameters -------------------------------------------------------- */

static void test_dsn(void **state)
{
    struct t_pair_how how = {.level = ONWARD_TLS_NONE,
                             .server_flags = ONWARD_SMTP_SERVER_ALLOW_DSN};
    struct t_play_mail mail = {.from = "a@client.example",
                               .to = "b@mx.test",
                               .text = {"x\r\n", 3},
                               .ret = ONWARD_SMTP_RET_HDRS,
                               .envid = {"a+b = c~", 8},
                               .notify = ONWARD_SMTP_NOTIFY_FAILURE |
                                         ONWARD_SMTP_NOTIFY_DELAY,
                               .orcpt = {"x-y;p+q=r s", 11}};
    struct t_pair *e = t_pair_new(&how);

    (void)state;
    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, 0);
    t_pair_assert(e, 0, ACCEPTED);
    assert_event(e, " ret 2 envid [a+b = c~]");
    assert_event(e, "rcpt 0 [b@mx.test] notify 12 orcpt [x-y;p+q=r s]\n");
    t_pair_free(e);
}

static void test_requiretls(void **state)
{
    struct t_pair_how how = {.level = ONWARD_TLS_VERIFIED,
                             .trusted = t_pair_certs.ca,
                             .name = "mx.test",
                             .server_flags =
                                 ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS};
    struct t_play_mail mail = {.from = "a@client.example",
                               .to = "b@mx.test",
                               .text = {"x\r\n", 3},
                               .require_tls = 1};
    struct t_pair *e = t_pair_new(&how);

    (void)state;
    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, 0);
    t_pair_assert(e, 0, ACCEPTED);
    assert_event(e, " requiretls 1");
    t_pair_free(e);
    /* The same, but nobody knows who the server is. */
    how.level = ONWARD_TLS_ENCRYPTED;
    how.trusted = t_pair_certs.other_ca;
    e = t_pair_new(&how);
    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, 0);
    t_pair_assert(e, 0, "permanent check unverified 5.7.10");
    assert_null(strstr(e->server.events, "mail"));
    t_pair_free(e);
}

static void test_limits(void **state)
{
    struct t_pair_how how = {.level = ONWARD_TLS_NONE,
                             .server_rcpts = 2,
                             .server_flags = ONWARD_SMTP_SERVER_OFFER_LIMITS};
    struct t_play_mail mail = {
        .from = "",
        .to = "b@mx.test c@mx.test no@mx.test d@mx.test e@mx.test",
        .text = {"x\r\n", 3}};

    (void)state;
    for (size_t k = 0; k < STEPS; k++) {
        struct t_pair *e = t_pair_new(&how);

        assert_int_equal(t_play_give(&e->client, &mail), 0);
        t_pair_settle(e, steps[k]);
        t_pair_assert(e, 0, ACCEPTED);
        t_pair_assert(e, 2, "permanent rcpt reply 550 5.1.1 No such user");
        t_pair_assert(e, 4, ACCEPTED);
        assert_got(e, "x\r\nx\r\nx\r\n", 9);
        t_pair_free(e);
    }
}

/* ---- TLS from the first octet ------------------------------------------ */

/* A server that has TLS first, then a greeting, and 250 to each line. */
struct first {
    struct onward_channel channel;
    struct onward_tls__filter *tls;
    struct t_world *world;
    char said[512]; /* to it */
    size_t said_len;
};

static int first_feed(void *engine, const unsigned char *data, size_t len,
                      size_t *taken)
{
    struct first *f = engine;

    for (size_t i = 0; i < len; i++) {
        assert_true(f->said_len < sizeof(f->said) - 1);
        f->said[f->said_len++] = (char)data[i];
        if (data[i] == '\n' &&
            onward_channel__write(&f->channel, "250 ok\r\n", 8) < 0)
            return ONWARD_ENOMEM;
    }
    *taken = len;
    return 0;
}

static int first_eof(void *engine, enum onward_eof kind)
{
    (void)engine;
    (void)kind;
    return 0;
}

static int first_timeout(void *engine, int64_t now_ms)
{
    (void)engine;
    (void)now_ms;
    return 0;
}

static int first_secured(void *engine, int status)
{
    struct first *f = engine;

    if (status < 0)
        return 0;
    return onward_channel__write(&f->channel, "220 mx.test\r\n", 13);
}

static void first_destroy(void *engine)
{
    (void)engine;
}

static const struct onward_channel_ops first_ops = {.feed = first_feed,
                                                    .eof = first_eof,
                                                    .timeout = first_timeout,
                                                    .secured = first_secured,
                                                    .destroy = first_destroy};

static void carry_first(struct first *f, struct t_play *p)
{
    size_t moved = 1;

    while (moved != 0) {
        struct onward_str out;
        size_t taken = 0;

        t_play_settle(p);
        moved = p->out_len;
        (void)onward_channel_feed(&f->channel, p->out, p->out_len, &taken);
        p->out_len = 0;
        out = onward_channel_peek(&f->channel);
        moved += out.len;
        t_play_feed(p, out.data, out.len);
        assert_int_equal(onward_channel_drain(&f->channel, out.len), 0);
    }
}

static void play_first(const char *name, const char *want, const char *said)
{
    struct t_world w;
    struct first *f = calloc(1, sizeof(*f));
    struct t_play *p = calloc(1, sizeof(*p));
    struct onward_str names = onward_str_of(name);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_VERIFIED,
                                       .names = &names,
                                       .name_count = 1};
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}};
    struct onward_tls_config *server_tls, *client_tls;
    char text[1024];

    assert_true(f != NULL && p != NULL);
    t_world_init(&w);
    server_tls = t_pair_config(&w, ONWARD_TLS_SERVER, NULL);
    client_tls = t_pair_config(&w, ONWARD_TLS_CLIENT, t_pair_certs.ca);
    onward_channel__init(&f->channel, w.ctx, NULL, &first_ops, f, NULL);
    assert_int_equal(onward_tls__plug(&f->channel, server_tls, NULL, &f->tls),
                     0);
    p->world = &w;
    p->opts.tls_demand = &demand;
    p->opts.tls = client_tls;
    p->opts.flags = ONWARD_SMTP_CLIENT_IMPLICIT_TLS;
    assert_true(t_play_begin(p));
    assert_int_equal(t_play_give(p, &mail), 0);
    carry_first(f, p);
    t_play_outcome(p->client, ONWARD_SMTP_MESSAGE, text, sizeof(text));
    assert_string_equal(text, want);
    assert_string_equal(f->said, said);
    t_play_end(p);
    onward_channel__clear(&f->channel);
    onward_tls_config_free(server_tls);
    onward_tls_config_free(client_tls);
    t_world_clear(&w);
    free(f);
    free(p);
}

static void test_tls_first(void **state)
{
    (void)state;
    /* 250 to DATA is no go-ahead, and the end of this server. */
    play_first("mx.test", "temporary data protocol 4.5.0",
               "EHLO client.example\r\n"
               "MAIL FROM:<>\r\n"
               "RCPT TO:<b@mx.test>\r\n"
               "DATA\r\n");
    play_first("mx.example", "temporary tls tls 4.7.5 tls:name-mismatch", "");
}

/* A greeting in the clear is no TLS. */
static void test_tls_first_in_the_clear(void **state)
{
    const struct t_pair_how how = {.level = ONWARD_TLS_OPPORTUNISTIC,
                                   .name = "mx.test",
                                   .client_flags =
                                       ONWARD_SMTP_CLIENT_IMPLICIT_TLS};
    struct t_play_mail mail = {
        .from = "", .to = "b@mx.test", .text = {"x\r\n", 3}};
    struct t_pair *e = t_pair_new(&how);

    (void)state;
    assert_int_equal(t_play_give(&e->client, &mail), 0);
    t_pair_settle(e, 0);
    t_pair_assert(e, 0, "temporary tls tls 4.7.5 tls:handshake");
    assert_null(strstr(e->server.events, "ehlo"));
    t_pair_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bdat),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_lmtp),
        cmocka_unit_test(test_dsn),
        cmocka_unit_test(test_requiretls),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_tls_first),
        cmocka_unit_test(test_tls_first_in_the_clear),
    };

    return cmocka_run_group_tests_name("smtp pair, all ways", tests,
                                       t_pair_certs_make, t_pair_certs_free);
}
