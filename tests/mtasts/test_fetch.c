/*
 * The request over TLS, both ends in memory: certificates, answers, ends; and a
 * thousand of them held at once.
 */
#include "world.h"

#include <malloc.h>

#include "channel/channel_shared.h"
#include "mtasts/http_priv.h"
#include "support/certs.h"
#include "tls/tls_shared.h"

#define ZONE                                                                   \
    "mta-sts.example.com A 192.0.2.1\n"                                        \
    "_mta-sts.example.com TXT \"v=STSv1; id=1;\"\n"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define GOOD HEAD "Content-Length: 67\r\n\r\n" T_POLICY
#define WHY(reason) ONWARD_MTASTS_REASON_##reason

_Static_assert(sizeof(T_POLICY) - 1 == 67, "the length in GOOD");

enum { START = 1500000000, NOW = 1600000000, END = 1700000000, MANY = 1000 };

/* ---- A little server --------------------------------------------------- */

enum ending {
    CLOSES, /* with close_notify */
    CUTS,   /* without */
    STAYS   /* says no more, and keeps the connection */
};

struct server {
    struct onward_channel channel;
    struct onward_tls__filter *tls;
    struct onward_buf request;
    const char *answer;
    enum ending ending;
    bool is_plain; /* no TLS */
};

static int server_feed(void *engine, const unsigned char *data, size_t len,
                       size_t *taken)
{
    struct server *s = engine;

    *taken = len;
    assert_true(onward_core__buf_add(&s->request, data, len) == 0);
    if (s->is_plain || s->request.len < 4 ||
        memcmp(s->request.data + s->request.len - 4, "\r\n\r\n", 4) != 0)
        return 0;
    if (s->answer[0] != '\0')
        assert_true(onward_channel__write(&s->channel, s->answer,
                                          strlen(s->answer)) >= 0);
    if (s->ending == CLOSES)
        onward_channel__close(&s->channel);
    return 0;
}

static int server_eof(void *engine, enum onward_eof kind)
{
    (void)engine, (void)kind;
    return 0;
}

static int server_timeout(void *engine, int64_t now_ms)
{
    (void)engine, (void)now_ms;
    return 0;
}

static int server_secured(void *engine, int status)
{
    (void)engine, (void)status;
    return 0;
}

static void server_destroy(void *engine)
{
    (void)engine;
}

static const struct onward_channel_ops server_ops = {
    .feed = server_feed,
    .eof = server_eof,
    .timeout = server_timeout,
    .secured = server_secured,
    .destroy = server_destroy,
};

/* ---- Certificates ------------------------------------------------------ */

static struct t_cert *ca, *other_ca, *good, *wild, *other, *cn_only, *expired,
    *early, *self, *stranger;

static int set_up_certs(void **state)
{
    (void)state;
    ca = t_cert_new("Test CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    other_ca = t_cert_new("Other CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    good = t_cert_new("x", "mta-sts.example.com", NULL, ca, 0, START, END);
    wild = t_cert_new("x", "*.example.com", NULL, ca, 0, START, END);
    other = t_cert_new("x", "example.com www.example.com mta-sts.example.org",
                       NULL, ca, 0, START, END);
    cn_only = t_cert_new("mta-sts.example.com", NULL, NULL, ca, 0, START, END);
    expired =
        t_cert_new("x", "mta-sts.example.com", NULL, ca, 0, START, NOW - 1);
    early = t_cert_new("x", "mta-sts.example.com", NULL, ca, 0, NOW + 1, END);
    self = t_cert_new("x", "mta-sts.example.com", NULL, NULL, 0, START, END);
    stranger =
        t_cert_new("x", "mta-sts.example.com", NULL, other_ca, 0, START, END);
    return 0;
}

static int clear_certs(void **state)
{
    struct t_cert *all[] = {ca,      other_ca, good,  wild, other,
                            cn_only, expired,  early, self, stranger};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        t_cert_free(all[i]);
    return 0;
}

static struct onward_tls_config *server_config(struct t_world *w,
                                               const struct t_cert *cert)
{
    struct onward_str chain = t_cert_pem(cert), key = t_cert_key(cert);
    struct onward_tls_config_opts o = {.size = sizeof(o),
                                       .role = ONWARD_TLS_SERVER,
                                       .chain_pem = &chain,
                                       .key_pem = &key,
                                       .identity_count = 1};
    struct onward_tls_config *config = NULL;

    assert_int_equal(onward_tls_config_new(w->ctx, &o, &config), 0);
    return config;
}

static struct onward_tls_config *client_config(struct t_world *w)
{
    struct onward_tls_config_opts o = {.size = sizeof(o),
                                       .role = ONWARD_TLS_CLIENT,
                                       .trust_pem = t_cert_pem(ca)};
    struct onward_tls_config *config = NULL;

    assert_int_equal(onward_tls_config_new(w->ctx, &o, &config), 0);
    return config;
}

/* ---- Both ends --------------------------------------------------------- */

struct both {
    struct t_sts x;
    struct server server;
    struct onward_mtasts_fetch *fetch;
    size_t chunk; /* octets that move at once; 0: all */
};

static bool move(struct both *b, struct onward_channel *from,
                 struct onward_channel *to)
{
    struct onward_str out = onward_channel_peek(from);
    size_t taken = 0, len = out.len;

    if (b->chunk != 0 && len > b->chunk)
        len = b->chunk;
    if (len == 0)
        return false;
    (void)onward_channel_feed(to, out.data, len, &taken);
    assert_int_equal(taken, len);
    assert_int_equal(onward_channel_drain(from, taken), 0);
    return true;
}

static void pump(struct both *b)
{
    struct onward_channel *client = onward_mtasts_fetch_channel(b->fetch);
    struct onward_channel *server = &b->server.channel;
    bool goes_on = true;

    while (goes_on) {
        goes_on = move(b, client, server);
        goes_on = move(b, server, client) || goes_on;
    }
    if (b->server.ending != STAYS && b->server.request.len != 0)
        (void)onward_channel_eof(client, b->server.ending == CLOSES
                                             ? ONWARD_EOF_CLEAN
                                             : ONWARD_EOF_CUT);
    t_sts_run(&b->x);
}

static void both_init(struct both *b, const struct t_cert *cert)
{
    struct onward_tls_config *config;

    b->x.zone = ZONE;
    t_sts_init(&b->x, NULL);
    t_sts_end(&b->x);
    b->x.reply = NULL;
    b->x.tls = client_config(&b->x.w);
    assert_true(t_sts_try(&b->x, NULL));
    t_sts_ask(&b->x, "example.com");
    assert_int_equal(onward_mtasts_fetch_new(b->x.desk, b->x.token, &b->fetch),
                     0);
    onward_core__buf_init(&b->server.request, b->x.w.ctx, 65536);
    onward_channel__init(&b->server.channel, b->x.w.ctx, b->x.desk, &server_ops,
                         &b->server, NULL);
    if (b->server.is_plain)
        return;
    config = server_config(&b->x.w, cert);
    assert_int_equal(
        onward_tls__plug(&b->server.channel, config, NULL, &b->server.tls), 0);
    onward_tls_config_free(config);
}

static void both_clear(struct both *b)
{
    onward_mtasts_fetch_free(b->fetch);
    onward_channel__clear(&b->server.channel);
    onward_core__buf_clear(&b->server.request);
    t_sts_end(&b->x);
    onward_tls_config_free(b->x.tls);
    t_sts_clear(&b->x);
}

/* ---- Rows -------------------------------------------------------------- */

static const struct row {
    const char *name;
    struct t_cert **cert;
    const char *answer;
    enum ending ending;
    size_t reason, tls_failure;
} rows[] = {
    {"good", &good, GOOD, STAYS, WHY(NONE), 0},
    {"a wildcard", &wild, GOOD, STAYS, WHY(NONE), 0},
    {"chunks", &good,
     HEAD "Transfer-Encoding: chunked\r\n\r\n43\r\n" T_POLICY "\r\n0\r\n\r\n",
     CLOSES, WHY(NONE), 0},
    {"up to the end", &good, HEAD "\r\n" T_POLICY, CLOSES, WHY(NONE), 0},
    {"cut behind a length", &good, GOOD, CUTS, WHY(NONE), 0},
    /* Somebody on the way ended it: who knows what was to follow. */
    {"cut", &good, HEAD "\r\n" T_POLICY, CUTS, WHY(CUT), 0},
    {"cut in a policy", &good,
     HEAD "Content-Length: 67\r\n\r\nversion: STSv1\r\nmode: none\r\n"
          "max_age: 1\r\n",
     CLOSES, WHY(CUT), 0},
    {"no answer", &good, "", CLOSES, WHY(CUT), 0},
    {"another name", &other, GOOD, STAYS, WHY(TLS), ONWARD_TLS_NAME_MISMATCH},
    {"a common name", &cn_only, GOOD, STAYS, WHY(TLS),
     ONWARD_TLS_NAME_MISMATCH},
    {"expired", &expired, GOOD, STAYS, WHY(TLS), ONWARD_TLS_EXPIRED},
    {"too early", &early, GOOD, STAYS, WHY(TLS), ONWARD_TLS_NOT_YET_VALID},
    {"self-signed", &self, GOOD, STAYS, WHY(TLS), ONWARD_TLS_UNTRUSTED},
    {"an authority nobody knows", &stranger, GOOD, STAYS, WHY(TLS),
     ONWARD_TLS_UNTRUSTED},
    {"a redirect", &good,
     "HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.example.com/\r\n"
     "Content-Length: 0\r\n\r\n",
     STAYS, WHY(STATUS), 0},
    {"not found", &good,
     "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\n" T_POLICY,
     CLOSES, WHY(STATUS), 0},
    {"another type", &good,
     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" T_POLICY, CLOSES,
     WHY(MEDIA_TYPE), 0},
    {"too long", &good, HEAD "Content-Length: 65537\r\n\r\n", STAYS,
     WHY(TOO_LONG), 0},
    {"no policy", &good, HEAD "Content-Length: 6\r\n\r\n<html>", STAYS,
     WHY(BAD_POLICY), 0},
};

static void run_row(const struct row *row, size_t chunk)
{
    struct both b = {.chunk = chunk,
                     .server = {.answer = row->answer, .ending = row->ending}};

    both_init(&b, *row->cert);
    pump(&b);
    t_sts_look(&b.x);
    t_sts_expect(&b.x,
                 row->reason == WHY(NONE) ? ONWARD_MTASTS_POLICY
                                          : ONWARD_MTASTS_NO_POLICY,
                 row->reason);
    assert_int_equal(b.x.v.tls_failure, row->tls_failure);
    assert_int_equal(onward_channel_wants(onward_mtasts_fetch_channel(b.fetch)),
                     ONWARD_WANT_CLOSE);
    /* A host that does not prove its name hears no request. */
    assert_true((b.server.request.len == 0) == (row->tls_failure != 0));
    if (row->tls_failure == 0)
        t_assert_str(onward_tls__facts(b.server.tls)->server_name,
                     "mta-sts.example.com");
    both_clear(&b);
}

static void test_row(void **state)
{
    run_row(*state, 0);
    run_row(*state, 1);
    run_row(*state, 37);
}

static void the_request(void **state)
{
    struct both b = {.server = {.answer = GOOD, .ending = STAYS}};

    (void)state;
    both_init(&b, good);
    pump(&b);
    t_assert_str(onward_core__buf_str(&b.server.request),
                 "GET /.well-known/mta-sts.txt HTTP/1.1\r\n"
                 "Host: mta-sts.example.com\r\n"
                 "User-Agent: libonward\r\n"
                 "Accept: text/plain\r\n"
                 "Accept-Encoding: identity\r\n"
                 "Cache-Control: no-cache\r\n"
                 "Connection: close\r\n\r\n");
    both_clear(&b);
}

/* One minute in all, wherever it goes: before, in and after the handshake. */
static void slow_hosts(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct both b = {
            .server = {.answer = i == 1 ? "" : HEAD "Content-Length: 67\r\n",
                       .ending = STAYS}};

        both_init(&b, good);
        if (i > 0)
            pump(&b);
        t_sts_wait(&b.x, 59);
        t_sts_look(&b.x);
        assert_int_equal(b.x.v.status, ONWARD_MTASTS_PENDING);
        t_sts_wait(&b.x, 1);
        t_sts_look(&b.x);
        t_sts_expect(&b.x, ONWARD_MTASTS_NO_POLICY, WHY(TIMEOUT));
        assert_int_equal(
            onward_channel_wants(onward_mtasts_fetch_channel(b.fetch)),
            ONWARD_WANT_CLOSE);
        assert_int_equal(b.x.cancels, 0); /* it has a connection */
        both_clear(&b);
    }
}

static void no_tls_at_all(void **state)
{
    struct both b = {.server = {.answer = "", .is_plain = true}};
    size_t taken;

    (void)state;
    both_init(&b, NULL);
    (void)onward_channel_peek(onward_mtasts_fetch_channel(b.fetch));
    (void)onward_channel_feed(onward_mtasts_fetch_channel(b.fetch), GOOD,
                              strlen(GOOD), &taken);
    t_sts_run(&b.x);
    t_sts_look(&b.x);
    t_sts_expect(&b.x, ONWARD_MTASTS_NO_POLICY, WHY(TLS));
    both_clear(&b);
}

static void connections_that_end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct both b = {.server = {.answer = "", .ending = STAYS}};

        both_init(&b, good);
        if (i > 0)
            pump(&b);
        if (i < 2) {
            onward_mtasts_fetch_free(b.fetch);
            b.fetch = NULL;
        } else {
            (void)onward_channel_eof(onward_mtasts_fetch_channel(b.fetch),
                                     ONWARD_EOF_CUT);
        }
        t_sts_run(&b.x);
        t_sts_look(&b.x);
        t_sts_expect(&b.x, ONWARD_MTASTS_NO_POLICY, WHY(CUT));
        both_clear(&b);
    }
}

/* The fetch outlives what it was for. */
static void freed_in_any_order(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct both b = {.server = {.answer = GOOD, .ending = STAYS}};

        both_init(&b, good);
        onward_mtasts_free(b.x.mtasts);
        b.x.mtasts = NULL;
        assert_int_equal(
            onward_channel_wants(onward_mtasts_fetch_channel(b.fetch)),
            ONWARD_WANT_CLOSE);
        if (i == 1)
            t_sts_end(&b.x);
        both_clear(&b);
    }
}

/* ---- Many -------------------------------------------------------------- */

struct many {
    struct t_sts *x;
    uint64_t tokens[MANY];
    size_t count;
};

static int many_query(void *user, uint64_t token, const char *name,
                      size_t name_len, uint32_t type)
{
    struct many *m = user;
    char text[400];

    if (type == ONWARD_DNS_AAAA)
        return onward_dns_answer_error(m->x->desk, token, ONWARD_DNS_NODATA);
    snprintf(text, sizeof(text), "%.*s %s\n", (int)name_len, name,
             type == ONWARD_DNS_TXT ? "TXT \"v=STSv1; id=1\"" : "A 192.0.2.1");
    return onward_dns_answer_text(m->x->desk, token, onward_str_of(text), 0);
}

static int many_connect(void *user, uint64_t token,
                        const struct onward_mtasts_request *request)
{
    struct many *m = user;

    (void)request;
    m->tokens[m->count++] = token;
    return 0;
}

static int allow_all(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

static size_t heap(void)
{
    return mallinfo2().uordblks;
}

static void many_make(struct many *m, struct t_sts *x)
{
    struct onward_resolver_host rh = {
        .size = sizeof(rh), .user = m, .query = many_query};
    struct onward_mtasts_opts o = {.size = sizeof(o)};
    struct onward_mtasts_host h = {.size = sizeof(h),
                                   .user = m,
                                   .connect = many_connect,
                                   .allow_address = allow_all};
    struct onward_resolver_opts ro = {.size = sizeof(ro), .cache_entries = 1};

    m->x = x;
    onward_mtasts_free(x->mtasts);
    onward_resolver_free(x->resolver);
    assert_int_equal(onward_resolver_new(x->desk, &ro, &rh, &x->resolver), 0);
    o.resolver = x->resolver;
    o.store = x->store;
    o.tls = x->tls;
    assert_int_equal(onward_mtasts_new(&o, &h, &x->mtasts), 0);
}

/* A thousand fetches in one thread, none of which comes to an end by itself:
 * what each takes while it waits for its connection, and while it talks. */
static void a_thousand_at_once(void **state)
{
    static struct onward_mtasts_lookup *lookups[MANY];
    static struct onward_mtasts_fetch *fetches[MANY];
    struct t_sts x = {.zone = ""};
    static struct many m;
    size_t base, ours, all;

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_end(&x);
    x.tls = client_config(&x.w);
    assert_true(t_sts_try(&x, NULL));
    many_make(&m, &x);
    t_sts_run(&x);
    base = x.w.live_bytes;
    for (size_t i = 0; i < MANY; i++) {
        char domain[64];

        snprintf(domain, sizeof(domain), "d%zu.example.com", i);
        assert_int_equal(onward_mtasts_lookup_new(x.mtasts,
                                                  onward_str_of(domain), NULL,
                                                  &lookups[i]),
                         0);
    }
    t_sts_run(&x);
    assert_int_equal(onward_mtasts_fetch_count(x.mtasts), MANY);
    assert_int_equal(m.count, MANY);
    ours = (x.w.live_bytes - base) / MANY;
    print_message("waiting for a connection: %zu octets each\n", ours);
    assert_true(ours < 4096);
    base = x.w.live_bytes;
    all = heap();
    for (size_t i = 0; i < MANY; i++) {
        struct onward_channel *ch;

        assert_int_equal(
            onward_mtasts_fetch_new(x.desk, m.tokens[i], &fetches[i]), 0);
        ch = onward_mtasts_fetch_channel(fetches[i]);
        assert_int_equal(onward_channel_drain(ch, onward_channel_peek(ch).len),
                         0);
    }
    ours = (x.w.live_bytes - base) / MANY;
    all = (heap() - all) / MANY;
    print_message("talking: %zu octets more each, %zu with GnuTLS\n", ours,
                  all);
    assert_true(ours < 4096);
    t_sts_wait(&x, 60);
    assert_int_equal(onward_mtasts_fetch_count(x.mtasts), 0);
    for (size_t i = 0; i < MANY; i++) {
        struct onward_mtasts_verdict v = {.size = sizeof(v)};

        assert_int_equal(onward_mtasts_lookup_verdict(lookups[i], &v), 0);
        assert_int_equal(v.reason, WHY(TIMEOUT));
        onward_mtasts_lookup_free(lookups[i]);
        onward_mtasts_fetch_free(fetches[i]);
    }
    t_sts_end(&x);
    onward_tls_config_free(x.tls);
    t_sts_clear(&x);
}

int main(void)
{
    static struct CMUnitTest all[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request),
        cmocka_unit_test(slow_hosts),
        cmocka_unit_test(no_tls_at_all),
        cmocka_unit_test(connections_that_end),
        cmocka_unit_test(freed_in_any_order),
        cmocka_unit_test(a_thousand_at_once),
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);

    for (size_t i = 0; i < count; i++)
        all[i] = (struct CMUnitTest){.name = rows[i].name,
                                     .test_func = test_row,
                                     .initial_state = (void *)&rows[i]};
    return _cmocka_run_group_tests("rows", all, count, set_up_certs,
                                   clear_certs) +
           cmocka_run_group_tests(tests, set_up_certs, clear_certs);
}
