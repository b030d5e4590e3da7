#include "smtp/pair.h"

enum { DAY = 86400 };

struct t_pair_certs t_pair_certs;

int t_pair_certs_make(void **state)
{
    struct t_pair_certs *c = &t_pair_certs;
    const int64_t now = 1600000000;

    (void)state;
    c->ca = t_cert_new("CA", NULL, NULL, NULL, T_CERT_CA, now - DAY, now + DAY);
    c->other_ca =
        t_cert_new("other", NULL, NULL, NULL, T_CERT_CA, now - DAY, now + DAY);
    c->leaf = t_cert_new("mx", "mx.test", NULL, c->ca, 0, now - DAY, now + DAY);
    c->big = malloc(T_BIG);
    assert_non_null(c->big);
    for (size_t i = 0; i < T_BIG; i += 10)
        memcpy(c->big + i, i % 20 == 0 ? "........\r\n" : ".\r\n..xy\xe4\r\n",
               10);
    return 0;
}

int t_pair_certs_free(void **state)
{
    struct t_pair_certs *c = &t_pair_certs;

    (void)state;
    t_cert_free(c->ca);
    t_cert_free(c->other_ca);
    t_cert_free(c->leaf);
    free(c->big);
    return 0;
}

/* ---- Two ends ---------------------------------------------------------- */

struct onward_tls_config *t_pair_config(struct t_world *w,
                                        enum onward_tls_role role,
                                        const struct t_cert *trusted)
{
    struct onward_str chain = t_cert_pem(t_pair_certs.leaf),
                      key = t_cert_key(t_pair_certs.leaf);
    struct onward_tls_config_opts opts = {.size = sizeof(opts), .role = role};
    struct onward_tls_config *made;

    if (role == ONWARD_TLS_SERVER) {
        opts.chain_pem = &chain;
        opts.key_pem = &key;
        opts.identity_count = 1;
    }
    if (trusted != NULL)
        opts.trust_pem = t_cert_pem(trusted);
    assert_int_equal(onward_tls_config_new(w->ctx, &opts, &made), 0);
    return made;
}

/* Octets from one channel to the other, at most step (0: all). */
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
    assert_int_equal(onward_channel_drain(from, taken), 0);
    return taken;
}

static void run(struct onward_desk *desk)
{
    while (onward_desk_run(desk, 1000) == 1)
        continue;
}

void t_pair_settle(struct t_pair *e, size_t step)
{
    size_t moved = 1;

    while (moved != 0) {
        run(e->client.desk);
        run(e->server.desk);
        moved = carry(e->client.ch, e->server.channel, step);
        while (e->server.token_count > 0) {
            assert_int_equal(t_server_answer(&e->server, 0), 0);
            run(e->server.desk);
            moved++;
        }
        moved += carry(e->server.channel, e->client.ch, step);
    }
    run(e->client.desk);
}

struct t_pair *t_pair_new(const struct t_pair_how *how)
{
    struct t_pair *e = calloc(1, sizeof(*e));
    struct onward_str names = onward_str_of(how->name == NULL ? "" : how->name);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = how->level,
                                       .names = &names,
                                       .name_count = 1,
                                       .tlsa = how->tlsa,
                                       .tlsa_count = how->tlsa_count};

    assert_non_null(e);
    t_world_init(&e->world);
    e->server.opts.flags =
        ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8 | how->server_flags;
    e->server.opts.mode = how->server_mode;
    e->server.opts.recipients = how->server_rcpts;
    e->client.opts.flags = how->client_flags;
    e->client.opts.chunk_bytes = how->chunk;
    if (how->level != ONWARD_TLS_NONE) {
        e->server_tls = t_pair_config(&e->world, ONWARD_TLS_SERVER, NULL);
        e->client_tls =
            t_pair_config(&e->world, ONWARD_TLS_CLIENT, how->trusted);
        e->server.opts.tls = e->server_tls;
        e->client.opts.tls = e->client_tls;
    }
    t_server_prepare(&e->server, &e->world);
    e->server.defers = how->defers;
    assert_int_equal(t_server_start(&e->server), 0);
    e->client.world = &e->world;
    e->client.opts.tls_demand = &demand;
    assert_true(t_play_begin(&e->client));
    return e;
}

void t_pair_free(struct t_pair *e)
{
    t_play_end(&e->client);
    t_server_stop(&e->server);
    onward_tls_config_free(e->server_tls);
    onward_tls_config_free(e->client_tls);
    t_world_clear(&e->world);
    free(e);
}

void t_pair_assert(const struct t_pair *e, size_t i, const char *want)
{
    char text[1024];

    t_play_outcome(e->client.client, i, text, sizeof(text));
    assert_string_equal(text, want);
}
