/*
 * Session tickets, with GnuTLS itself as the client: a resumed session shows
 * no certificate anew, but what is wrong with it by now still counts.
 */
#include <errno.h>

#include "pair.h"
#include "support/certs.h"

enum { START = 1500000000, NOW = 1600000000, END = 1700000000 };

/* A client whose octets go straight into the server's channel and back. */
struct peer {
    gnutls_session_t session;
    struct t_echo *server;
};

static ssize_t peer_push(gnutls_transport_ptr_t ptr, const void *data,
                         size_t len)
{
    struct peer *p = ptr;
    size_t taken;

    (void)onward_channel_feed(&p->server->channel, data, len, &taken);
    return (ssize_t)len;
}

static ssize_t peer_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
    struct peer *p = ptr;
    struct onward_str out = onward_channel_peek(&p->server->channel);

    if (out.len == 0) {
        gnutls_transport_set_errno(p->session, EAGAIN);
        return -1;
    }
    if (len > out.len)
        len = out.len;
    memcpy(data, out.data, len);
    assert_int_equal(onward_channel_drain(&p->server->channel, len), 0);
    return (ssize_t)len;
}

static int peer_ready(gnutls_transport_ptr_t ptr, unsigned ms)
{
    struct peer *p = ptr;

    (void)ms;
    return onward_channel_peek(&p->server->channel).len > 0;
}

/* One session of the client; ticket is used when it has data, and replaced. */
static void connect_once(struct onward_tls_config *config,
                         gnutls_certificate_credentials_t cred,
                         const char *priority, gnutls_datum_t *ticket,
                         struct t_world *w, struct t_echo **server)
{
    struct peer p = {.server = t_echo_new(w->ctx, T_ECHO_SERVER, config, NULL)};
    char buf[10];
    int ret;

    assert_int_equal(t_echo_plug(p.server), 0);
    assert_int_equal(gnutls_init(&p.session, GNUTLS_CLIENT | GNUTLS_NONBLOCK),
                     0);
    assert_int_equal(gnutls_priority_set_direct(p.session, priority, NULL), 0);
    assert_int_equal(
        gnutls_credentials_set(p.session, GNUTLS_CRD_CERTIFICATE, cred), 0);
    gnutls_transport_set_ptr(p.session, &p);
    gnutls_transport_set_push_function(p.session, peer_push);
    gnutls_transport_set_pull_function(p.session, peer_pull);
    gnutls_transport_set_pull_timeout_function(p.session, peer_ready);
    if (ticket->size > 0) {
        assert_int_equal(
            gnutls_session_set_data(p.session, ticket->data, ticket->size), 0);
        gnutls_free(ticket->data);
        ticket->data = NULL;
        ticket->size = 0;
    }
    for (int i = 0; i < 10; i++) {
        ret = gnutls_handshake(p.session);
        if (ret != GNUTLS_E_AGAIN)
            break;
    }
    if (ret == 0) {
        /* TLS 1.3 sends its tickets behind the handshake. */
        (void)gnutls_record_recv(p.session, buf, sizeof(buf));
        assert_int_equal(gnutls_session_get_data2(p.session, ticket), 0);
    }
    gnutls_deinit(p.session);
    *server = p.server;
}

static void run(const char *priority, size_t allow_tickets)
{
    struct t_cert *ca =
        t_cert_new("Test CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    struct t_cert *cert =
        t_cert_new("x", "mx.example.org", NULL, ca, 0, START, END);
    struct t_cert *client =
        t_cert_new("client", NULL, NULL, ca, T_CERT_CLIENT, START, NOW + 1000);
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &key,
                                          .identity_count = 1,
                                          .trust_pem = t_cert_pem(ca),
                                          .ask_client = ONWARD_TLS_ASK_REQUIRED,
                                          .allow_tickets = allow_tickets};
    static const char ticket_key[64] = "kept by the host";
    struct onward_tls_config *config = NULL;
    gnutls_certificate_credentials_t cred;
    gnutls_datum_t ticket = {NULL, 0};
    struct t_world w = {0};
    struct t_echo *server;

    t_world_init(&w);
    /* Neither without tickets nor of another length. */
    opts.ticket_key = (struct onward_str){ticket_key, allow_tickets ? 63 : 64};
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config),
                     ONWARD_EINVAL);
    opts.ticket_key.len = allow_tickets ? 64 : 0;
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
    assert_true(gnutls_certificate_set_x509_key_mem(cred, &client->crt_pem,
                                                    &client->key_pem,
                                                    GNUTLS_X509_FMT_PEM) >= 0);

    connect_once(config, cred, priority, &ticket, &w, &server);
    assert_int_equal(server->secured, 1);
    assert_int_equal(onward_tls__facts(server->tls)->is_resumed, 0);
    assert_int_equal(onward_tls__facts(server->tls)->is_verified, 1);
    t_echo_free(server);

    connect_once(config, cred, priority, &ticket, &w, &server);
    assert_int_equal(server->secured, 1);
    assert_int_equal(onward_tls__facts(server->tls)->is_resumed, allow_tickets);
    assert_int_equal(onward_tls__facts(server->tls)->is_verified, 1);
    t_assert_str(onward_tls__facts(server->tls)->peer_subject, "CN=client");
    t_echo_free(server);

    /* Renewed by the host, with the same key for tickets: they still hold. */
    onward_tls_config_free(config);
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    connect_once(config, cred, priority, &ticket, &w, &server);
    assert_int_equal(onward_tls__facts(server->tls)->is_resumed, allow_tickets);
    t_echo_free(server);

    /* Renewed with another one: a whole handshake, and no failure. */
    onward_tls_config_free(config);
    opts.ticket_key.len = 0;
    assert_int_equal(onward_tls_config_new(w.ctx, &opts, &config), 0);
    connect_once(config, cred, priority, &ticket, &w, &server);
    assert_int_equal(server->secured, 1);
    assert_int_equal(onward_tls__facts(server->tls)->is_resumed, 0);
    t_echo_free(server);

    /* The client's certificate has ended since. */
    w.now_s = NOW + 1001;
    connect_once(config, cred, priority, &ticket, &w, &server);
    assert_true(server->secured < 0);
    assert_int_equal(onward_tls__failure(server->tls), ONWARD_TLS_EXPIRED);
    t_echo_free(server);

    gnutls_free(ticket.data);
    gnutls_certificate_free_credentials(cred);
    onward_tls_config_free(config);
    t_world_clear(&w);
    t_cert_free(client);
    t_cert_free(cert);
    t_cert_free(ca);
}

static void test_tickets_tls13(void **state)
{
    (void)state;
    run("NORMAL:-VERS-ALL:+VERS-TLS1.3", 1);
}

static void test_tickets_tls12(void **state)
{
    (void)state;
    run("NORMAL:-VERS-ALL:+VERS-TLS1.2", 1);
}

static void test_no_tickets(void **state)
{
    (void)state;
    run("NORMAL:-VERS-ALL:+VERS-TLS1.3", 0);
    run("NORMAL:-VERS-ALL:+VERS-TLS1.2", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tickets_tls13),
        cmocka_unit_test(test_tickets_tls12),
        cmocka_unit_test(test_no_tickets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
