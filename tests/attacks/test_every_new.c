/*
 * Every object of the library, made while memory or the random source fails
 * (A124, A125). What each of them does later has a sweep in its module's tests;
 * here no constructor can be forgotten: tests/house/every_new.py holds the
 * table against the symbol map.
 */
#include <onward.h>

#include "support/support.h"

#define S(literal) ONWARD_STR(literal)

/* What constructors stand on, made while nothing fails. */
struct base {
    struct t_world *w;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_key *key;
    struct onward_signer *signer;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_ruleset *rules;
    struct onward_tls_config *tls;
    struct onward_srs *srs;
    struct onward_memory_source *memory;
    struct onward_header *header;
    struct onward_mtasts *mtasts;
    struct onward_mtasts_lookup *lookup;
    uint64_t fetch; /* that mtasts has asked for */
    struct onward_ip ip;
    const void *done; /* the object that was */
};

static const char message[] = "From: ann@a.example\r\nSubject: hello\r\n\r\n"
                              "text\r\n";
static const char zone[] = "_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"
                           "mta-sts.a.example A 192.0.2.1\n";
static const char rules[] =
    "{\"version\": 1, \"zones\": [{\"name\": \"z.example\", \"rules\": ["
    "{\"matchers\": [{\"type\": \"literal\", \"field\": \"to\", \"value\": "
    "\"ann@z.example\"}], \"actions\": [{\"type\": \"forward\", \"value\": "
    "[\"ann@a.example\"]}]}]}], \"addresses\": "
    "[{\"email\": \"ann@a.example\", \"verified\": true}]}";
static const struct onward_str secret = {.data = "sixteen octets..", .len = 16};
static const unsigned char seed[32] = {7};

static int keep_token(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct base *b = user;

    (void)request;
    b->fetch = token;
    return 0;
}

static void forget_token(void *user, uint64_t token)
{
    (void)user;
    (void)token;
}

/* The example's address is no public one. */
static int allow(void *user, const struct onward_ip *ip)
{
    (void)user;
    (void)ip;
    return 1;
}

static void run(struct base *b)
{
    /* Evaluators end by themselves: there is no name but those of zone. */
    for (int i = 0; i < 1000 && onward_desk_run(b->desk, 0) == 1; i++)
        continue;
}

static void open_base(struct base *b, struct t_world *w)
{
    const struct onward_resolver_opts offline = {.size = sizeof(offline),
                                                 .allow_only_loaded = 1};
    const struct onward_tls_config_opts tls = {.size = sizeof(tls),
                                               .role = ONWARD_TLS_CLIENT};
    struct onward_mtasts_opts mo = {.size = sizeof(mo)};
    const struct onward_mtasts_host mh = {.size = sizeof(mh),
                                          .user = b,
                                          .connect = keep_token,
                                          .cancel = forget_token,
                                          .allow_address = allow};
    size_t taken;

    *b = (struct base){.w = w, .ctx = w->ctx};
    assert_int_equal(onward_ip_parse(S("192.0.2.7"), &b->ip), 0);
    assert_int_equal(onward_desk_new(b->ctx, NULL, &b->desk), 0);
    assert_int_equal(onward_resolver_new(b->desk, &offline, NULL, &b->resolver),
                     0);
    assert_int_equal(
        onward_resolver_load(b->resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(
        onward_key_from_ed25519_seed(b->ctx, seed, sizeof(seed), &b->key), 0);
    assert_int_equal(onward_signer_new(b->desk, b->key, NULL, &b->signer), 0);
    assert_int_equal(onward_memstore_new(b->ctx, NULL, &b->mem), 0);
    assert_int_equal(onward_memstore_open(b->mem, b->desk, NULL, &b->store), 0);
    assert_int_equal(
        onward_ruleset_new(b->ctx, onward_str_of(rules), NULL, NULL, &b->rules),
        0);
    assert_int_equal(onward_tls_config_new(b->ctx, &tls, &b->tls), 0);
    assert_int_equal(onward_srs_new(b->ctx, &secret, 1, NULL, &b->srs), 0);
    assert_int_equal(onward_memory_source_new(b->ctx, message,
                                              sizeof(message) - 1, &b->memory),
                     0);
    assert_int_equal(onward_header_new(b->ctx, &b->header), 0);
    assert_true(onward_header_feed(b->header, message, sizeof(message) - 1,
                                   &taken) >= 0);
    mo.resolver = b->resolver;
    mo.store = b->store;
    mo.tls = b->tls;
    assert_int_equal(onward_mtasts_new(&mo, &mh, &b->mtasts), 0);
    assert_int_equal(
        onward_mtasts_lookup_new(b->mtasts, S("a.example"), NULL, &b->lookup),
        0);
    run(b);
    assert_true(b->fetch != 0);
}

static void close_base(struct base *b)
{
    onward_mtasts_lookup_free(b->lookup);
    onward_mtasts_free(b->mtasts);
    onward_header_free(b->header);
    onward_memory_source_free(b->memory);
    onward_srs_free(b->srs);
    onward_tls_config_free(b->tls);
    onward_ruleset_free(b->rules);
    onward_store_free(b->store);
    onward_memstore_free(b->mem);
    onward_signer_free(b->signer);
    onward_key_free(b->key);
    onward_resolver_free(b->resolver);
    onward_desk_free(b->desk);
}

static void end(struct base *b, const void *it)
{
    assert_ptr_not_equal(b->done, it);
    b->done = it;
}

/* ---- Constructors ------------------------------------------------------ */

/* MAKE(thing, the call, which gives it in &made): make_thing, free_thing. */
#define MAKE(thing, ...)                                                       \
    static int make_##thing(struct base *b, void **out)                        \
    {                                                                          \
        struct onward_##thing *made = NULL;                                    \
        int err = (__VA_ARGS__);                                               \
                                                                               \
        (void)b;                                                               \
        assert_true(err == 0 ? made != NULL : made == NULL);                   \
        *out = made;                                                           \
        return err;                                                            \
    }                                                                          \
    static void free_##thing(void *made)                                       \
    {                                                                          \
        onward_##thing##_free(made);                                           \
    }
/* Its last word: once at most. */
#define DONE(thing)                                                            \
    static void done_##thing(void *user, struct onward_##thing *it)            \
    {                                                                          \
        end(user, it);                                                         \
    }
#define DONE_STATUS(thing)                                                     \
    static void done_##thing(void *user, struct onward_##thing *it,            \
                             int status)                                       \
    {                                                                          \
        (void)status;                                                          \
        end(user, it);                                                         \
    }
#define OPTS(type, ...)                                                        \
    (&(const struct onward_##type){.size = sizeof(struct onward_##type),       \
                                   __VA_ARGS__})

static int on_event(void *user, const struct onward_mime_event *event)
{
    (void)user;
    (void)event;
    return 0;
}

static int on_row(void *user, const struct onward_dmarc_row *row)
{
    (void)user;
    (void)row;
    return 0;
}

static void on_report(void *user, uint64_t token,
                      struct onward_tlsrpt_report *report)
{
    (void)user;
    (void)token;
    (void)report;
}

static void on_sent(void *user, int err)
{
    (void)user;
    (void)err;
}

static int on_get(void *user, uint64_t token, const char *key, size_t len)
{
    (void)user;
    (void)token;
    (void)key;
    (void)len;
    return -1;
}

static int on_put(void *user, uint64_t token, const char *key, size_t key_len,
                  const void *value, size_t value_len, int64_t expires_s,
                  uint64_t version, uint32_t flags)
{
    (void)value;
    (void)value_len;
    (void)expires_s;
    (void)version;
    (void)flags;
    return on_get(user, token, key, key_len);
}

static int on_remove(void *user, uint64_t token, const char *key, size_t len,
                     uint64_t version)
{
    (void)version;
    return on_get(user, token, key, len);
}

static int on_walk(void *user, uint64_t token, const char *prefix, size_t len,
                   const char *cursor, size_t cursor_len, size_t max_items)
{
    (void)cursor;
    (void)cursor_len;
    (void)max_items;
    return on_get(user, token, prefix, len);
}

static int on_delivery(void *user, uint64_t token, struct onward_relay *relay,
                       size_t index)
{
    (void)user;
    (void)token;
    (void)relay;
    (void)index;
    return 0;
}

static void on_relay_done(void *user, struct onward_relay *relay)
{
    (void)user;
    (void)relay;
}

static int on_mail(void *user, uint64_t token)
{
    (void)user;
    (void)token;
    return 0;
}

static int on_rcpt(void *user, uint64_t token, size_t index)
{
    (void)index;
    return on_mail(user, token);
}

static int on_data(void *user, const void *data, size_t len)
{
    (void)data;
    (void)len;
    return on_mail(user, 0);
}

static void on_closed(void *user, int status)
{
    (void)user;
    (void)status;
}

static void on_client(void *user, struct onward_smtp_client *client)
{
    (void)user;
    (void)client;
}

/* core, channel, store */
MAKE(ctx, t_world_ctx(b->w, NULL, &made))
MAKE(desk, onward_desk_new(b->ctx, NULL, &made))
MAKE(channel_set, onward_channel_set_new(b->desk, &made))
MAKE(memstore, onward_memstore_new(b->ctx, NULL, &made))
MAKE(store, onward_store_new(b->desk,
                             OPTS(store_ops, .get = on_get, .put = on_put,
                                  .remove = on_remove, .walk = on_walk,
                                  .cancel = forget_token),
                             NULL, &made))

/* key, mime */
MAKE(signer, onward_signer_new(b->desk, b->key, NULL, &made))
MAKE(memory_source,
     onward_memory_source_new(b->ctx, message, sizeof(message) - 1, &made))
MAKE(header, onward_header_new(b->ctx, &made))
MAKE(edit, onward_edit_new(b->ctx, onward_memory_source_table(b->memory),
                           b->header, NULL, &made))
MAKE(builder, onward_builder_new(b->ctx, NULL, &made))
MAKE(mime_parser,
     onward_mime_parser_new(b->ctx, OPTS(mime_handler, .event = on_event), NULL,
                            &made))
MAKE(mime_tree,
     onward_mime_tree_new(b->ctx, onward_str_of(message), NULL, &made))
MAKE(converter, onward_converter_new(b->ctx, S("iso-8859-1"), NULL, &made))
MAKE(decoder, onward_decoder_new(b->ctx, ONWARD_ENCODING_BASE64, &made))

/* dns, tls, token, srs, dnslist */
MAKE(resolver,
     onward_resolver_new(b->desk, OPTS(resolver_opts, .allow_only_loaded = 1),
                         NULL, &made))
DONE(dns_lookup)
MAKE(dns_lookup,
     onward_dns_lookup_new(b->resolver, S("a.example"), ONWARD_DNS_TXT,
                           OPTS(dns_lookup_host, .user = b,
                                .done = done_dns_lookup),
                           &made))
MAKE(tls_config,
     onward_tls_config_new(b->ctx,
                           OPTS(tls_config_opts, .role = ONWARD_TLS_CLIENT),
                           &made))
MAKE(token_minter, onward_token_minter_new(b->ctx, &secret, 1, &made))
MAKE(srs, onward_srs_new(b->ctx, &secret, 1, NULL, &made))
DONE(dnslist)
MAKE(dnslist,
     onward_dnslist_new(b->resolver, OPTS(dnslist_opts, .ip = &b->ip),
                        OPTS(dnslist_host, .user = b, .done = done_dnslist),
                        &made))

/* spf, dkim, arc, authres, dmarc */
DONE(spf_check)
MAKE(spf_check,
     onward_spf_check_new(b->resolver,
                          OPTS(spf_opts, .client_ip = &b->ip,
                               .mail_from = S("ann@a.example"),
                               .helo = S("a.example")),
                          OPTS(spf_host, .user = b, .done = done_spf_check),
                          &made))
DONE(dkim_verifier)
MAKE(dkim_verifier, onward_dkim_verifier_new(b->resolver, NULL,
                                             OPTS(dkim_verifier_host, .user = b,
                                                  .done = done_dkim_verifier),
                                             &made))
DONE_STATUS(dkim_signer)
MAKE(dkim_signer,
     onward_dkim_signer_new(
         b->signer,
         OPTS(dkim_signer_opts, .domain = S("a.example"), .selector = S("s")),
         OPTS(dkim_signer_host, .user = b, .done = done_dkim_signer), &made))
DONE(arc_validator)
MAKE(arc_validator, onward_arc_validator_new(b->resolver, NULL,
                                             OPTS(arc_validator_host, .user = b,
                                                  .done = done_arc_validator),
                                             &made))
DONE_STATUS(arc_sealer)
MAKE(arc_sealer,
     onward_arc_sealer_new(
         b->signer,
         OPTS(arc_sealer_opts, .domain = S("a.example"), .selector = S("s"),
              .authserv_id = S("mx.a.example"),
              .chain_result = ONWARD_ARC_NONE),
         OPTS(arc_sealer_host, .user = b, .done = done_arc_sealer), &made))
MAKE(authres_builder,
     onward_authres_builder_new(b->ctx, S("mx.a.example"), &made))
DONE(dmarc_check)
MAKE(dmarc_check,
     onward_dmarc_check_new(
         b->resolver, OPTS(dmarc_opts, .author_domain = S("a.example")),
         OPTS(dmarc_host, .user = b, .done = done_dmarc_check), &made))
DONE(dmarc_destination)
MAKE(dmarc_destination,
     onward_dmarc_destination_new(b->resolver, S("a.example"),
                                  S("mailto:r@b.example"),
                                  OPTS(dmarc_destination_host, .user = b,
                                       .done = done_dmarc_destination),
                                  &made))
MAKE(dmarc_report,
     onward_dmarc_report_new(
         b->ctx,
         OPTS(dmarc_report_opts, .begin_s = 1600000000, .end_s = 1600086399,
              .org_name = S("Us"), .email = S("r@us.example"),
              .report_id = S("1@us.example"), .receiver = S("us.example"),
              .policy_domain = S("a.example"), .record = S("v=DMARC1; p=none")),
         &made))
MAKE(dmarc_row, onward_dmarc_row_new(b->ctx, &made))
MAKE(dmarc_reader,
     onward_dmarc_reader_new(b->ctx, NULL,
                             OPTS(dmarc_reader_host, .row = on_row), &made))

/* smtp, dsn, tlsrpt */
MAKE(smtp_server,
     onward_smtp_server_new(b->desk,
                            OPTS(smtp_server_opts, .hostname = S("mx.example"),
                                 .client_ip = &b->ip),
                            OPTS(smtp_server_host, .mail = on_mail,
                                 .rcpt = on_rcpt, .message_data = on_data,
                                 .message_end = on_mail, .closed = on_closed),
                            &made))
MAKE(smtp_client,
     onward_smtp_client_new(b->desk,
                            OPTS(smtp_client_opts, .ehlo_name = S("mx.example"),
                                 .tls_demand = OPTS(tls_demand,
                                                    .level = ONWARD_TLS_NONE)),
                            OPTS(smtp_client_host, .ready = on_client,
                                 .done = on_client, .closed = on_client),
                            &made))
MAKE(dsn, onward_dsn_new(b->ctx,
                         OPTS(dsn_opts, .reporting_mta = S("mx.example"),
                              .reverse_path = S("ann@a.example"),
                              .from = S("postmaster@mx.example")),
                         &made))
MAKE(tlsrpt_report,
     onward_tlsrpt_report_new(b->ctx,
                              OPTS(tlsrpt_report_opts, .organization = S("Us"),
                                   .contact = S("r@us.example"),
                                   .report_id = S("1"),
                                   .policy_domain = S("a.example"),
                                   .begin_s = 1599955200),
                              &made))
MAKE(tlsrpt_collector,
     onward_tlsrpt_collector_new(
         OPTS(tlsrpt_collector_opts, .store = b->store, .organization = S("Us"),
              .contact = S("r@us.example")),
         OPTS(tlsrpt_collector_host, .report = on_report, .sent = on_sent),
         &made))

/* mtasts, dane, egress */
MAKE(mtasts,
     onward_mtasts_new(OPTS(mtasts_opts, .resolver = b->resolver,
                            .store = b->store, .tls = b->tls),
                       OPTS(mtasts_host, .user = b, .connect = keep_token,
                            .cancel = forget_token),
                       &made))
DONE(mtasts_lookup)
MAKE(mtasts_lookup, onward_mtasts_lookup_new(b->mtasts, S("a.example"),
                                             OPTS(mtasts_lookup_host, .user = b,
                                                  .done = done_mtasts_lookup),
                                             &made))
MAKE(mtasts_fetch, onward_mtasts_fetch_new(b->desk, b->fetch, &made))
DONE(dane_lookup)
MAKE(dane_lookup,
     onward_dane_lookup_new(
         b->resolver, OPTS(dane_opts, .host = S("mx.a.example")),
         OPTS(dane_lookup_host, .user = b, .done = done_dane_lookup), &made))
DONE(egress)
MAKE(egress,
     onward_egress_new(b->resolver, OPTS(egress_opts, .domain = S("a.example")),
                       OPTS(egress_host, .user = b, .done = done_egress),
                       &made))

/* ruleset, handler, verify, relay, webhook */
MAKE(ruleset,
     onward_ruleset_new(b->ctx, onward_str_of(rules), NULL, NULL, &made))
MAKE(ruleset_router, onward_ruleset_router_new(b->ctx, &made))
MAKE(field_list,
     onward_field_list_new(
         b->ctx, OPTS(field_list_opts, .policy = ONWARD_FIELD_POLICY_X), &made))
MAKE(binding, onward_binding_new(b->ctx, &made))
DONE(verifier)
MAKE(verifier,
     onward_verifier_new(b->resolver,
                         OPTS(verifier_opts, .authserv_id = S("mx.example"),
                              .client_ip = &b->ip, .helo = S("a.example"),
                              .mail_from = S("ann@a.example")),
                         OPTS(verifier_host, .user = b, .done = done_verifier),
                         &made))
MAKE(relay,
     onward_relay_new(
         b->desk,
         OPTS(relay_opts, .resolver = b->resolver, .ruleset = b->rules,
              .srs = b->srs, .store = b->store, .signer = b->signer,
              .hostname = S("mx.example"), .authserv_id = S("mx.example"),
              .srs_domain = S("z.example"), .seal_domain = S("z.example"),
              .seal_selector = S("s")),
         OPTS(relay_envelope, .reverse_path = S("ann@a.example")),
         OPTS(relay_host, .deliver = on_delivery, .cancel = forget_token,
              .done = on_relay_done),
         &made))
MAKE(webhook,
     onward_webhook_new(b->ctx,
                        OPTS(webhook_facts, .message = onward_str_of(message),
                             .hook = S("h"), .from = S("ann@a.example"),
                             .to = S("me@z.example")),
                        &made))

enum draws { DRAWS_NOT, DRAWS };

#define ROW(thing, random)                                                     \
    {                                                                          \
        "onward_" #thing "_new", make_##thing, free_##thing, random            \
    }

static const struct row {
    const char *name;
    int (*make)(struct base *b, void **out);
    void (*free)(void *made);
    enum draws draws; /* from the random source */
} rows[] = {
    ROW(arc_sealer, DRAWS_NOT),
    ROW(arc_validator, DRAWS_NOT),
    ROW(authres_builder, DRAWS_NOT),
    ROW(binding, DRAWS_NOT),
    ROW(builder, DRAWS_NOT),
    ROW(channel_set, DRAWS_NOT),
    ROW(converter, DRAWS_NOT),
    ROW(ctx, DRAWS),
    ROW(dane_lookup, DRAWS_NOT),
    ROW(decoder, DRAWS_NOT),
    ROW(desk, DRAWS_NOT),
    ROW(dkim_signer, DRAWS_NOT),
    ROW(dkim_verifier, DRAWS_NOT),
    ROW(dmarc_check, DRAWS_NOT),
    ROW(dmarc_destination, DRAWS_NOT),
    ROW(dmarc_reader, DRAWS),
    ROW(dmarc_report, DRAWS_NOT),
    ROW(dmarc_row, DRAWS_NOT),
    ROW(dns_lookup, DRAWS_NOT),
    ROW(dnslist, DRAWS_NOT),
    ROW(dsn, DRAWS_NOT),
    ROW(edit, DRAWS_NOT),
    ROW(egress, DRAWS_NOT),
    ROW(field_list, DRAWS_NOT),
    ROW(header, DRAWS_NOT),
    ROW(memory_source, DRAWS_NOT),
    ROW(memstore, DRAWS_NOT),
    ROW(mime_parser, DRAWS_NOT),
    ROW(mime_tree, DRAWS_NOT),
    ROW(mtasts, DRAWS_NOT),
    ROW(mtasts_fetch, DRAWS_NOT),
    ROW(mtasts_lookup, DRAWS_NOT),
    ROW(relay, DRAWS_NOT),
    ROW(resolver, DRAWS_NOT),
    ROW(ruleset, DRAWS),
    ROW(ruleset_router, DRAWS_NOT),
    ROW(signer, DRAWS_NOT),
    ROW(smtp_client, DRAWS_NOT),
    ROW(smtp_server, DRAWS_NOT),
    ROW(spf_check, DRAWS_NOT),
    ROW(srs, DRAWS_NOT),
    ROW(store, DRAWS_NOT),
    ROW(tls_config, DRAWS_NOT),
    ROW(tlsrpt_collector, DRAWS),
    ROW(tlsrpt_report, DRAWS_NOT),
    ROW(token_minter, DRAWS_NOT),
    ROW(verifier, DRAWS_NOT),
    ROW(webhook, DRAWS_NOT),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* The reader of reports, in a build without libexpat. */
static void skip_if_left_out(const struct row *row)
{
    void *made = NULL;
    struct t_world w;
    struct base b;
    int err;

    t_world_init(&w);
    open_base(&b, &w);
    err = row->make(&b, &made);
    row->free(made);
    close_base(&b);
    t_world_clear(&w);
    if (err == ONWARD_ENOENT)
        skip();
}

/* ---- A124 -------------------------------------------------------------- */

/* Memory fails from here on, and not while what it stands on is made. */
static bool make_failing(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    const size_t fail_at = w->fail_at;
    void *made = NULL;
    struct base b;
    int err, again;

    w->fail_at = 0;
    open_base(&b, w);
    w->alloc_count = 0;
    w->fail_at = fail_at;
    err = row->make(&b, &made);
    if (err != 0) {
        /* No other error, and nothing but a failure is a reason. */
        if (err != ONWARD_ENOMEM || w->failed == 0)
            print_error("%s: %s\n", row->name, onward_error_name(err));
        assert_int_equal(err, ONWARD_ENOMEM);
        assert_true(w->failed > 0);
    } else {
        /* Each failure is told, but that a buffer could not be made smaller. */
        if (row->make != make_ruleset)
            assert_int_equal(w->failed, 0);
        run(&b); /* what was asked goes on, and memory fails in that too */
    }
    w->fail_at = 0;
    if (err != 0) {
        /* What it stands on can be used: now there is memory. */
        again = row->make(&b, &made);
        /* A fetch has failed with it, which its lookup is told. */
        if (row->make == make_mtasts_fetch)
            assert_int_equal(again, ONWARD_ESTALE);
        else
            assert_int_equal(again, 0);
        run(&b);
    }
    row->free(made);
    run(&b);
    close_base(&b);
    return err == 0;
}

static void test_no_memory(void **state)
{
    const struct row *row = *state;

    skip_if_left_out(row);
    t_oom_sweep(make_failing, (void *)(uintptr_t)row);
}

/* Nothing fails, and nothing is left; NULL is freed too. */
static void test_made_and_freed(void **state)
{
    const struct row *row = *state;
    void *made = NULL;
    struct t_world w;
    struct base b;

    skip_if_left_out(row);
    t_world_init(&w);
    open_base(&b, &w);
    assert_int_equal(row->make(&b, &made), 0);
    row->free(NULL);
    /* What it stands on may go first: it is counted, or the child is dead. A
     * context is the test's. */
    close_base(&b);
    row->free(made);
    t_world_clear(&w);
}

/* ---- A125 -------------------------------------------------------------- */

static void test_no_randomness(void **state)
{
    const struct row *row = *state;
    void *made = NULL;
    struct t_world w;
    struct base b;

    skip_if_left_out(row);
    t_world_init(&w);
    open_base(&b, &w);
    w.random_fails = true;
    if (row->draws == DRAWS) {
        assert_int_equal(row->make(&b, &made), ONWARD_ERANDOM);
        w.random_fails = false;
    }
    assert_int_equal(row->make(&b, &made), 0);
    run(&b);
    row->free(made);
    close_base(&b);
    t_world_clear(&w);
}

int main(void)
{
    static struct CMUnitTest tests[3 * ROWS];
    static char names[3 * ROWS][80];
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } kinds[3] = {{"no memory", test_no_memory},
                  {"made and freed", test_made_and_freed},
                  {"no randomness", test_no_randomness}};

    for (size_t i = 0; i < 3 * (size_t)ROWS; i++) {
        const struct row *row = &rows[i / 3];

        snprintf(names[i], sizeof(names[i]), "%s: %s", row->name,
                 kinds[i % 3].name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = kinds[i % 3].run,
                                       .initial_state = (void *)(uintptr_t)row};
    }
    return cmocka_run_group_tests_name("every_new", tests, NULL, NULL);
}
