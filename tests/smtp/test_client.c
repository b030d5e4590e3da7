/*
 * lib/smtp/client.c: the client session as its host holds it: what it refuses,
 * what it survives, and how much it takes.
 */
#include "smtp/play.h"

#include "smtp/client_priv.h"

static const struct t_play_mail one[] = {{.from = "a@client.example",
                                          .to = "b@mx.example c@mx.example",
                                          .text = {"x\r\n", 3},
                                          .hold_dot = 1}};

static const char dialogue[] = "S 220 mx.example ESMTP\n"
                               "C EHLO client.example\n"
                               "S 250-mx.example\n"
                               "S 250 SIZE\n"
                               "TOLD ready\n"
                               "C MAIL FROM:<a@client.example> SIZE=3\n"
                               "S 250 ok\n"
                               "C RCPT TO:<b@mx.example>\n"
                               "S 550 5.1.1 unknown\n"
                               "C RCPT TO:<c@mx.example>\n"
                               "S 250 ok\n"
                               "C DATA\n"
                               "S 354 go\n"
                               "C x\n"
                               "TOLD held\n"
                               "RELEASE\n"
                               "C .\n"
                               "S 250 queued\n"
                               "TOLD done\n"
                               "QUIT\n"
                               "C QUIT\n"
                               "S 221 bye\n"
                               "TOLD closed\n"
                               "CLOSE\n";

/* A client in its first state, in a world of its own. */
struct bench {
    struct t_world world;
    struct t_play play;
};

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    t_world_init(&b->world);
    b->play.world = &b->world;
    b->play.mails = one;
    return b;
}

static void bench_free(struct bench *b)
{
    t_play_end(&b->play);
    t_world_clear(&b->world);
    free(b);
}

static void on_starttls_ready(void *user, struct onward_smtp_client *client)
{
    (void)user;
    (void)client;
}

/* ---- Contract ---------------------------------------------------------- */

static int try_new(struct t_world *w,
                   const struct onward_smtp_client_opts *opts)
{
    struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_smtp_client *client = NULL;
    struct onward_desk *desk;
    int err;

    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    err = onward_smtp_client_new(desk, opts, &host, &client);
    assert_true((err == 0) == (client != NULL));
    onward_smtp_client_free(client);
    onward_desk_free(desk);
    return err;
}

/* A126: what the host gave of channel bindings is wiped. */
static void test_host_tls_bindings_are_wiped(void **state)
{
    const struct onward_tls_demand demand = {.size = sizeof(demand),
                                             .level = ONWARD_TLS_ENCRYPTED};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts),
        .ehlo_name = ONWARD_STR("client.example"),
        .tls_demand = &demand,
        .flags =
            ONWARD_SMTP_CLIENT_HOST_TLS | ONWARD_SMTP_CLIENT_IMPLICIT_TLS};
    const struct onward_smtp_client_host host = {
        .size = sizeof(host), .starttls_ready = on_starttls_ready};
    const struct onward_tls_facts facts = {
        .size = sizeof(facts),
        .binding_exporter = ONWARD_STR("the-exporter-of-this-session"),
        .binding_unique = ONWARD_STR("and-the-exporter-of-older-ones"),
    };
    struct onward_smtp_client *client;
    struct onward_desk *desk;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_smtp_client_new(desk, &opts, &host, &client), 0);
    w.secret = "the-exporter";
    assert_int_equal(onward_smtp_client_tls_done(client, &facts), 0);
    onward_smtp_client_free(client);
    assert_int_equal(w.leaks, 0);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static void test_new_after_the_desk_was_freed(void **state)
{
    const struct onward_tls_demand none = {.size = sizeof(none),
                                           .level = ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts),
        .ehlo_name = ONWARD_STR("client.example"),
        .tls_demand = &none};
    const struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_smtp_client *first, *second;
    struct onward_desk *desk;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_smtp_client_new(desk, &opts, &host, &first), 0);
    onward_desk_free(desk); /* the first one holds its memory */
    assert_int_equal(onward_smtp_client_new(desk, &opts, &host, &second),
                     ONWARD_ESTATE);
    onward_smtp_client_free(first);
    t_world_clear(&w);
}

static void test_new_refuses(void **state)
{
    struct t_world w;
    struct onward_tls_demand none = {.size = sizeof(none),
                                     .level = ONWARD_TLS_NONE};
    struct onward_tls_demand verify = {.size = sizeof(verify)};
    struct onward_tls_demand unknown = {.size = sizeof(unknown), .level = 99};
    struct onward_smtp_client_opts good = {.size = sizeof(good),
                                           .ehlo_name =
                                               ONWARD_STR("client.example"),
                                           .tls_demand = &none};
    struct onward_smtp_client_opts opts = good;
    struct {
        struct onward_smtp_client_opts opts;
        size_t newer;
    } future = {.opts = good, .newer = 1};

    (void)state;
    t_world_init(&w);
    assert_int_equal(try_new(&w, &opts), 0);
    opts.ehlo_name = ONWARD_STR("client.example\r\nQUIT");
    assert_int_equal(try_new(&w, &opts), ONWARD_ESYNTAX);
    opts.ehlo_name = ONWARD_STR("");
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.tls_demand = NULL;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts.tls_demand = &verify;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts.tls_demand = &unknown;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.allow_bare_newline_repair = 2;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.reserved = 1;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.reserved_end = 1;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.flags = ONWARD_SMTP_CLIENT_IN_STEP << 1;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    /* TLS first, and none demanded; TLS of the host who cannot be told. */
    opts.flags = ONWARD_SMTP_CLIENT_IMPLICIT_TLS;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts.flags = ONWARD_SMTP_CLIENT_HOST_TLS;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    opts = good;
    opts.chunk_bytes = ONWARD_LIMIT_ZERO;
    assert_int_equal(try_new(&w, &opts), ONWARD_EINVAL);
    future.opts.size = sizeof(future);
    assert_int_equal(try_new(&w, &future.opts), ONWARD_EVERSION);
    t_world_clear(&w);
}

/* A098: nothing that the application gives can become a command. */
static void test_paths_are_checked(void **state)
{
    static const struct {
        struct onward_str path;
        bool is_good;
    } rows[] = {
        {{"b@mx.example", 12}, true},
        {{"\"b c\"@mx.example", 16}, true},
        {{"b@[192.0.2.1]", 13}, true},
        {{"b@[IPv6:2001:db8::1]", 20}, true},
        {{"postmaster", 10}, true},
        {{"\xc3\xa4@mx.example", 13}, true},
        {{"", 0}, false},
        {{"b", 1}, false},
        {{"b@", 2}, false},
        {{"<b@mx.example>", 14}, false},
        {{"b@mx.example\r\nDATA", 18}, false},
        {{"b\n@mx.example", 13}, false},
        {{"b@mx.example\0x", 14}, false},
        {{"b@mx.example SIZE=1", 19}, false},
        {{"b@mx.example> SIZE=1", 20}, false},
        {{"\"b\r\n\"@mx.example", 16}, false},
        {{"b\xff@mx.example", 13}, false},
    };
    struct bench *b = bench_new();
    struct onward_smtp_client *client;
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    struct onward_memory_source *memory;
    int count = 0;

    (void)state;
    assert_true(t_play_begin(&b->play));
    client = b->play.client;
    assert_int_equal(
        onward_memory_source_new(b->world.ctx, "x\r\n", 3, &memory), 0);
    assert_int_equal(onward_smtp_client_send(
                         client, &envelope, onward_memory_source_table(memory)),
                     ONWARD_EINVAL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                        .path = rows[i].path};
        int ret = onward_smtp_client_add_rcpt(client, &rcpt);

        assert_int_equal(ret, rows[i].is_good ? count : ONWARD_ESYNTAX);
        count += rows[i].is_good;
        envelope.reverse_path = rows[i].path;
        /* Only a recipient may be without a domain. */
        if (rows[i].path.len != 0 && (!rows[i].is_good || i == 4))
            assert_int_equal(
                onward_smtp_client_send(client, &envelope,
                                        onward_memory_source_table(memory)),
                ONWARD_ESYNTAX);
    }
    assert_int_equal(onward_smtp_client_rcpt_count(client), count);
    t_play_settle(&b->play);
    assert_int_equal(b->play.out_len, 0);
    onward_memory_source_free(memory);
    bench_free(b);
}

/* A098: what the host says of reports becomes a parameter, never a command. */
static void test_dsn_is_checked(void **state)
{
    static const struct {
        struct onward_str orcpt;
        size_t notify;
        int want;
    } rcpts[] = {
        {{"rfc822;b@mx.example", 19}, 0, 0},
        {{"utf-8;\\x{E4}@mx.example", 23}, ONWARD_SMTP_NOTIFY_NEVER, 1},
        {{"", 0}, ONWARD_SMTP_NOTIFY_SUCCESS | ONWARD_SMTP_NOTIFY_DELAY, 2},
        {{"", 0},
         ONWARD_SMTP_NOTIFY_NEVER | ONWARD_SMTP_NOTIFY_DELAY,
         ONWARD_EINVAL},
        {{"", 0}, 16, ONWARD_EINVAL},
        {{"b@mx.example", 12}, 0, ONWARD_ESYNTAX},
        {{";b@mx.example", 13}, 0, ONWARD_ESYNTAX},
        {{"rfc822;", 7}, 0, ONWARD_ESYNTAX},
        {{"rfc 822;b", 9}, 0, ONWARD_ESYNTAX},
        {{"rfc822\r\nDATA;b", 15}, 0, ONWARD_ESYNTAX},
        {{"rfc822;b\r\nDATA", 14}, 0, ONWARD_ESYNTAX},
        {{"rfc822;b\0x", 10}, 0, ONWARD_ESYNTAX},
        {{"rfc822;\xc3\xa4", 9}, 0, ONWARD_ESYNTAX},
    };
    static const struct onward_str envids[] = {
        {"a\r\nQUIT", 7}, {"a\n", 2}, {"\xe4", 1}, {"a\0b", 3}, {"\x7f", 1}};
    char longest[501];
    struct bench *b = bench_new();
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = ONWARD_STR("b@mx.example")};
    struct onward_memory_source *memory;
    const struct onward_source *source;

    (void)state;
    assert_true(t_play_begin(&b->play));
    for (size_t i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++) {
        rcpt.orcpt = rcpts[i].orcpt;
        rcpt.notify = rcpts[i].notify;
        assert_int_equal(onward_smtp_client_add_rcpt(b->play.client, &rcpt),
                         rcpts[i].want);
    }
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "x;", 2);
    rcpt.notify = 0;
    rcpt.orcpt = (struct onward_str){longest, 501};
    assert_int_equal(onward_smtp_client_add_rcpt(b->play.client, &rcpt),
                     ONWARD_ESYNTAX);
    assert_int_equal(
        onward_memory_source_new(b->world.ctx, "x\r\n", 3, &memory), 0);
    source = onward_memory_source_table(memory);
    for (size_t i = 0; i < sizeof(envids) / sizeof(envids[0]); i++) {
        envelope.envid = envids[i];
        assert_int_equal(
            onward_smtp_client_send(b->play.client, &envelope, source),
            ONWARD_ESYNTAX);
    }
    envelope.envid = (struct onward_str){longest, 101};
    assert_int_equal(onward_smtp_client_send(b->play.client, &envelope, source),
                     ONWARD_ESYNTAX);
    envelope.envid.len = 100;
    envelope.ret = ONWARD_SMTP_RET_HDRS + 1;
    assert_int_equal(onward_smtp_client_send(b->play.client, &envelope, source),
                     ONWARD_EINVAL);
    envelope.ret = 0;
    envelope.require_tls = 2;
    assert_int_equal(onward_smtp_client_send(b->play.client, &envelope, source),
                     ONWARD_EINVAL);
    envelope.require_tls = 0;
    assert_int_equal(onward_smtp_client_send(b->play.client, &envelope, source),
                     0);
    onward_memory_source_free(memory);
    onward_smtp_client_free(b->play.client);
    b->play.client = NULL;
    bench_free(b);
}

static void test_send_refuses(void **state)
{
    struct bench *b = bench_new();
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = ONWARD_STR("b@mx.example")};
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    struct onward_source source = {.size = sizeof(source)};
    struct onward_smtp_client *client;

    (void)state;
    b->play.opts.max_rcpts = 2;
    assert_true(t_play_begin(&b->play));
    client = b->play.client;
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), 0);
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), 1);
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), ONWARD_ELIMIT);
    rcpt.size = 3;
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), ONWARD_EINVAL);
    assert_int_equal(onward_smtp_client_send(client, &envelope, &source),
                     ONWARD_EINVAL);
    envelope.body = ONWARD_SMTP_BODY_BINARYMIME + 1;
    assert_int_equal(onward_smtp_client_send(client, &envelope, &source),
                     ONWARD_EINVAL);
    envelope.body = 0;
    envelope.hold_dot = 2;
    assert_int_equal(onward_smtp_client_send(client, &envelope, &source),
                     ONWARD_EINVAL);
    assert_int_equal(onward_smtp_client_release(client), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_cancel(client), ONWARD_ESTATE);
    bench_free(b);
}

static void test_states(void **state)
{
    struct bench *b = bench_new();
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = ONWARD_STR("b@mx.example")};
    struct onward_smtp_client *client;

    (void)state;
    assert_true(t_play_begin(&b->play));
    client = b->play.client;
    assert_int_equal(t_play_give(&b->play, &one[0]), 0);
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_release(client), 0);
    assert_int_equal(onward_smtp_client_release(client), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_quit(client), 0);
    assert_int_equal(onward_smtp_client_quit(client), 0);
    assert_int_equal(onward_channel_eof(b->play.ch, ONWARD_EOF_CUT), 0);
    t_play_settle(&b->play);
    assert_int_equal(onward_smtp_client_quit(client), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_cancel(client), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), ONWARD_ESTATE);
    bench_free(b);
}

static void test_host_tls_states(void **state)
{
    struct bench *b = bench_new();
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_OPPORTUNISTIC};
    struct onward_tls_facts facts = {.size = 1};
    struct onward_tls_facts got = {.size = sizeof(got)};
    struct onward_smtp_client *client;

    (void)state;
    b->play.opts.flags = ONWARD_SMTP_CLIENT_HOST_TLS;
    b->play.opts.tls_demand = &demand;
    assert_true(t_play_begin(&b->play));
    client = b->play.client;
    assert_int_equal(onward_smtp_client_tls_done(client, NULL), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_tls_failed(client, ONWARD_TLS_LOST),
                     ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_tls_facts(client, &got), ONWARD_ESTATE);
    t_play_feed(&b->play, "220 mx\r\n", 8);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250-mx\r\n250 STARTTLS\r\n", 22);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "220 go\r\n", 8);
    /* Not before it was told. */
    assert_int_equal(onward_smtp_client_tls_done(client, NULL), ONWARD_ESTATE);
    t_play_settle(&b->play);
    assert_int_equal(onward_smtp_client_tls_done(client, &facts),
                     ONWARD_EINVAL);
    assert_int_equal(onward_smtp_client_tls_failed(client, 0), ONWARD_EINVAL);
    assert_int_equal(onward_smtp_client_tls_failed(client, 99), ONWARD_EINVAL);
    assert_int_equal(onward_smtp_client_tls_done(client, NULL), 0);
    assert_int_equal(onward_smtp_client_tls_done(client, NULL), ONWARD_ESTATE);
    assert_int_equal(onward_smtp_client_tls_facts(client, &got), 0);
    assert_int_equal(got.is_verified, 0);
    bench_free(b);
}

/* The dot is on its way: the message cannot be taken back any more. */
static void test_cancel_after_the_dot(void **state)
{
    struct bench *b = bench_new();

    (void)state;
    assert_true(t_play_begin(&b->play));
    assert_true(t_play_script(&b->play, "S 220 mx\n"
                                        "C EHLO client.example\n"
                                        "S 250 mx\n"
                                        "TOLD ready\n"
                                        "C MAIL FROM:<a@client.example>\n"
                                        "S 250 ok\n"
                                        "C RCPT TO:<b@mx.example>\n"
                                        "S 250 ok\n"
                                        "C RCPT TO:<c@mx.example>\n"
                                        "S 250 ok\n"
                                        "C DATA\n"
                                        "S 354 go\n"
                                        "C x\n"
                                        "TOLD held\n"
                                        "RELEASE\n"
                                        "C .\n"));
    assert_int_equal(onward_smtp_client_cancel(b->play.client), ONWARD_ESTATE);
    t_play_feed(&b->play, "250 ok\r\n", 8);
    t_play_settle(&b->play);
    assert_string_equal(b->play.told[2], "done");
    bench_free(b);
}

static void test_outcome_sizes(void **state)
{
    struct bench *b = bench_new();
    struct {
        struct onward_smtp_outcome o;
        size_t newer;
    } out = {.newer = 7};

    (void)state;
    assert_true(t_play_begin(&b->play));
    out.o.size = 0;
    assert_int_equal(
        onward_smtp_client_outcome(b->play.client, ONWARD_SMTP_SESSION, &out.o),
        ONWARD_EINVAL);
    out.o.size = sizeof(out);
    assert_int_equal(onward_smtp_client_outcome(b->play.client, 0, &out.o),
                     ONWARD_ENOENT);
    assert_int_equal(
        onward_smtp_client_outcome(b->play.client, ONWARD_SMTP_SESSION, &out.o),
        0);
    assert_int_equal(out.newer, 0);
    assert_int_equal(out.o.size, sizeof(out));
    out.o =
        (struct onward_smtp_outcome){.size = 2 * sizeof(size_t), .phase = 99};
    assert_int_equal(
        onward_smtp_client_outcome(b->play.client, ONWARD_SMTP_SESSION, &out.o),
        0);
    assert_int_equal(out.o.phase, 99);
    bench_free(b);
}

static void test_extensions(void **state)
{
    struct bench *b = bench_new();
    struct onward_str params;

    (void)state;
    assert_true(t_play_begin(&b->play));
    assert_true(onward_smtp_client_extensions(b->play.client) == 0);
    t_play_feed(&b->play, "220 mx\r\n", 8);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250-mx\r\n250-Future 1 2\r\n250 DSN\r\n", 33);
    assert_true(onward_smtp_client_extensions(b->play.client) ==
                ONWARD_SMTP_EXT_DSN);
    assert_int_equal(onward_smtp_client_extension(
                         b->play.client, ONWARD_STR("FUTURE"), &params),
                     1);
    t_assert_str(params, "1 2");
    assert_int_equal(onward_smtp_client_extension(b->play.client,
                                                  ONWARD_STR("PAST"), &params),
                     0);
    bench_free(b);
}

/* ---- Limits ------------------------------------------------------------ */

/* Feeds count times text behind the given start; what became of it. */
static void flood(const char *start, const char *text, size_t count,
                  bool want_end)
{
    struct bench *b = bench_new();
    char outcome[1024];

    assert_true(t_play_begin(&b->play));
    assert_int_equal(t_play_give(&b->play, &one[0]), 0);
    t_play_settle(&b->play);
    t_play_feed(&b->play, start, strlen(start));
    for (size_t i = 0; i < count; i++)
        t_play_feed(&b->play, text, strlen(text));
    t_play_settle(&b->play);
    t_play_outcome(b->play.client, ONWARD_SMTP_MESSAGE, outcome,
                   sizeof(outcome));
    assert_string_equal(outcome, want_end ? "temporary greeting protocol 4.5.0"
                                          : "not-tried check none");
    assert_true(b->world.peak_bytes < 65536);
    bench_free(b);
}

static void test_reply_limits(void **state)
{
    (void)state;
    flood("220-", "x", 2044, false);
    flood("220-", "x", 2045, true);
    flood("", "220-x\r\n", 99, false);
    flood("", "220-x\r\n", 101, true);
    /* 16384 octets of text, some of which stand for the codes taken off. */
    flood("",
          "220-0123456789012345678901234567890123456789012345678901234567"
          "89012345678901234567890123456789012345678901234567890123456789"
          "012345678901234567890123456789012345678901234567890123456789"
          "012345678901234567890123456789\r\n",
          80, true);
}

/* Many recipients with long refusals: texts stop, codes do not. */
static void test_texts_are_bounded(void **state)
{
    struct bench *b = bench_new();
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = ONWARD_STR("b@mx.example")};
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    struct onward_memory_source *memory;
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    char line[1000];
    size_t base;

    (void)state;
    assert_true(t_play_begin(&b->play));
    assert_int_equal(
        onward_memory_source_new(b->world.ctx, "x\r\n", 3, &memory), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(onward_smtp_client_add_rcpt(b->play.client, &rcpt), i);
    assert_int_equal(
        onward_smtp_client_send(b->play.client, &envelope,
                                onward_memory_source_table(memory)),
        0);
    t_play_settle(&b->play);
    base = b->world.live_bytes;
    t_play_feed(&b->play, "220 mx\r\n", 8);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250-mx\r\n250 PIPELINING\r\n", 24);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250 ok\r\n", 8);
    snprintf(line, sizeof(line), "550 5.1.1 %0900d\r\n", 7);
    for (int i = 0; i < 1000; i++) {
        t_play_feed(&b->play, line, strlen(line));
        t_play_settle(&b->play);
        b->play.out_len = 0;
    }
    t_play_feed(&b->play, "503 no\r\n", 8);
    t_play_settle(&b->play);
    assert_int_equal(onward_smtp_client_outcome(b->play.client, 0, &o), 0);
    assert_int_equal(o.text.len, 512);
    assert_int_equal(onward_smtp_client_outcome(b->play.client, 999, &o), 0);
    assert_int_equal(o.text.len, 0);
    assert_int_equal(o.code, 550);
    t_assert_str(o.enhanced, "5.1.1");
    assert_true(b->world.peak_bytes - base < 65536);
    onward_memory_source_free(memory);
    bench_free(b);
}

/* A large message over a slow peer takes no more memory than a small one. */
static void test_streaming_is_bounded(void **state)
{
    enum { LEN = 1 << 20 };
    struct bench *b = bench_new();
    struct t_play_mail mail = {.from = "", .to = "b@mx.example"};
    char *text = malloc(LEN);
    size_t got = 0;
    struct onward_str out;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LEN; i += 4)
        memcpy(text + i, "..\r\n", 4);
    mail.text = (struct onward_str){text, LEN};
    assert_true(t_play_begin(&b->play));
    assert_int_equal(t_play_give(&b->play, &mail), 0);
    t_play_feed(&b->play, "220 mx\r\n", 8);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250-mx\r\n250 PIPELINING\r\n", 24);
    t_play_settle(&b->play);
    b->play.out_len = 0;
    t_play_feed(&b->play, "250 ok\r\n250 ok\r\n354 go\r\n", 24);
    while ((out = onward_channel_peek(b->play.ch)).len != 0) {
        size_t n = out.len < 777 ? out.len : 777;

        got += n;
        assert_int_equal(onward_channel_drain(b->play.ch, n), 0);
    }
    assert_int_equal(got, LEN / 4 * 5 + 3);
    assert_true(b->world.peak_bytes < 65536);
    bench_free(b);
    free(text);
}

/* Between messages a client holds its own struct, what was offered, and the
 * outcomes of the last message. */
static void test_idle_is_small(void **state)
{
    struct bench *b = bench_new();
    struct t_play_mail mail = one[0];
    size_t base;

    (void)state;
    mail.hold_dot = 0;
    mail.to = "b@mx.example";
    b->play.mails = NULL;
    base = b->world.live_bytes;
    assert_true(t_play_begin(&b->play));
    assert_true(t_play_script(&b->play, "S 220 mx.example ESMTP\n"
                                        "C EHLO client.example\n"
                                        "S 250-mx.example\n"
                                        "S 250-PIPELINING\n"
                                        "S 250-SIZE 35882577\n"
                                        "S 250-8BITMIME\n"
                                        "S 250-ENHANCEDSTATUSCODES\n"
                                        "S 250 STARTTLS\n"
                                        "TOLD ready\n"));
    /* The desk counts too. */
    assert_true(b->world.live_bytes - base < 3072);
    assert_int_equal(t_play_give(&b->play, &mail), 0);
    t_play_settle(&b->play);
    b->play.out_len = 0;
    t_play_feed(&b->play, "250 ok\r\n250 ok\r\n354 go\r\n", 24);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250 ok\r\n", 8);
    t_play_settle(&b->play);
    assert_string_equal(b->play.told[1], "done");
    assert_true(b->world.live_bytes - base < 4096);
    bench_free(b);
}

/* A peer that takes nothing, and one that takes a little now and then. */
static void test_block_timeout(void **state)
{
    enum { LEN = 100000 };
    struct bench *b = bench_new();
    struct t_play_mail mail = {.from = "", .to = "b@mx.example"};
    char *text = calloc(1, LEN);
    char outcome[1024];

    (void)state;
    assert_non_null(text);
    memset(text, 'x', LEN);
    mail.text = (struct onward_str){text, LEN};
    assert_true(t_play_begin(&b->play));
    assert_int_equal(t_play_give(&b->play, &mail), 0);
    t_play_feed(&b->play, "220 mx\r\n", 8);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250-mx\r\n250 PIPELINING\r\n", 24);
    t_play_settle(&b->play);
    t_play_feed(&b->play, "250 ok\r\n250 ok\r\n354 go\r\n", 24);
    assert_true(onward_channel_peek(b->play.ch).len > 16000);
    assert_int_equal(onward_channel_tick(b->play.ch, 1000 + 179999), 0);
    /* A few octets are no block: the low water mark is not reached. */
    assert_int_equal(onward_channel_drain(b->play.ch, 10), 0);
    assert_true(onward_channel_deadline(b->play.ch) == 1000 + 180000);
    assert_int_equal(onward_channel_drain(b->play.ch, 14000), 0);
    assert_true(onward_channel_deadline(b->play.ch) == 1000 + 359999);
    assert_int_equal(onward_channel_tick(b->play.ch, 1000 + 359999), 0);
    assert_int_equal(onward_channel_wants(b->play.ch), ONWARD_WANT_CLOSE);
    t_play_outcome(b->play.client, ONWARD_SMTP_MESSAGE, outcome,
                   sizeof(outcome));
    assert_string_equal(outcome, "temporary content timeout 4.4.2");
    bench_free(b);
    free(text);
}

/* ---- Sources that wait or fail ----------------------------------------- */

static void test_source_answers_late(void **state)
{
    struct bench *b = bench_new();
    struct t_play *p = &b->play;

    (void)state;
    p->source_waits = 2;
    assert_true(t_play_begin(p));
    assert_int_equal(t_play_give(p, &one[0]), 0);
    t_play_feed(p, "220 mx\r\n", 8);
    t_play_settle(p);
    t_play_feed(p, "250 mx\r\n", 8);
    t_play_settle(p);
    p->out_len = 0;
    assert_true(p->source_token != 0); /* still being read ahead */
    p->source_ready = true;
    assert_int_equal(onward_source_answer(p->desk, p->source_token), 0);
    assert_int_equal(onward_source_answer(p->desk, p->source_token),
                     ONWARD_ESTALE);
    t_play_settle(p);
    assert_memory_equal(p->out, "MAIL FROM", 9);
    onward_smtp_client_free(p->client);
    p->client = NULL;
    bench_free(b);
}

/* The server is not to blame for a source that takes its time. */
static void test_source_takes_long(void **state)
{
    struct bench *b = bench_new();
    struct t_play *p = &b->play;
    struct t_play_mail mail = {.from = "",
                               .to = "b@mx.example",
                               .text = {"x\r\n", 3},
                               .allow_unchecked = 1};

    (void)state;
    p->source_waits = 2;
    p->mails = &mail;
    assert_true(t_play_begin(p));
    assert_true(t_play_script(p, "S 220 mx\n"
                                 "C EHLO client.example\n"
                                 "S 250 mx\n"
                                 "TOLD ready\n"
                                 "C MAIL FROM:<>\n"
                                 "S 250 ok\n"
                                 "C RCPT TO:<b@mx.example>\n"
                                 "S 250 ok\n"
                                 "C DATA\n"
                                 "S 354 go\n"
                                 "T 3000000\n"
                                 "N\n"));
    p->source_ready = true;
    assert_int_equal(onward_source_answer(p->desk, p->source_token), 0);
    t_play_settle(p);
    assert_memory_equal(p->out, "x\r\n.\r\n", 6);
    bench_free(b);
}

static int broken_read(void *user, uint64_t offset, void *buf, size_t cap,
                       size_t *got)
{
    (void)offset;
    if (*(int *)user == 0)
        return -1;
    --*(int *)user;
    memset(buf, 'x', cap);
    *got = cap;
    return 0;
}

/* good: reads that go well. The scan alone takes two for 5000 octets. */
static void fail_after(int good, const char *want)
{
    struct bench *b = bench_new();
    struct t_play *p = &b->play;
    struct onward_source source = {.size = sizeof(source),
                                   .user = &good,
                                   .len = 5000,
                                   .read = broken_read};
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                    .path = ONWARD_STR("b@mx.example")};
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    char outcome[1024];

    assert_true(t_play_begin(p));
    assert_int_equal(onward_smtp_client_add_rcpt(p->client, &rcpt), 0);
    assert_int_equal(onward_smtp_client_send(p->client, &envelope, &source), 0);
    t_play_feed(p, "220 mx\r\n", 8);
    t_play_settle(p);
    t_play_feed(p, "250-mx\r\n250 PIPELINING\r\n", 24);
    t_play_settle(p);
    if (good != 0) {
        t_play_feed(p, "250 ok\r\n250 ok\r\n354 go\r\n", 24);
        t_play_settle(p);
    }
    t_play_outcome(p->client, ONWARD_SMTP_MESSAGE, outcome, sizeof(outcome));
    assert_string_equal(outcome, want);
    for (size_t i = 0; i + 5 <= p->out_len; i++)
        assert_memory_not_equal(p->out + i, "\r\n.\r\n", 5);
    bench_free(b);
}

static void test_source_fails(void **state)
{
    (void)state;
    fail_after(0, "not-tried check source 4.3.0");
    fail_after(1, "not-tried check source 4.3.0");
    fail_after(3, "temporary content source 4.3.0");
}

/* ---- Life -------------------------------------------------------------- */

static void test_free_in_callbacks(void **state)
{
    static const char *const words[] = {"ready", "held", "done", "closed"};

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct bench *b = bench_new();

        b->play.free_at = words[i];
        assert_true(t_play_begin(&b->play));
        assert_true(t_play_script(&b->play, dialogue));
        assert_null(b->play.client);
        bench_free(b);
    }
}

static void test_desk_freed_first(void **state)
{
    struct bench *b = bench_new();

    (void)state;
    assert_true(t_play_begin(&b->play));
    assert_int_equal(t_play_give(&b->play, &one[0]), 0);
    onward_desk_free(b->play.desk);
    b->play.desk = NULL;
    t_play_feed(&b->play, "220 mx\r\n", 8);
    bench_free(b);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct t_play *p = calloc(1, sizeof(*p));
    bool got_through;

    (void)arg;
    assert_non_null(p);
    p->world = w;
    p->mails = one;
    got_through = t_play_begin(p) && t_play_script(p, dialogue);
    t_play_end(p);
    free(p);
    return got_through;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_refuses),
        cmocka_unit_test(test_new_after_the_desk_was_freed),
        cmocka_unit_test(test_host_tls_bindings_are_wiped),
        cmocka_unit_test(test_paths_are_checked),
        cmocka_unit_test(test_dsn_is_checked),
        cmocka_unit_test(test_send_refuses),
        cmocka_unit_test(test_host_tls_states),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_cancel_after_the_dot),
        cmocka_unit_test(test_outcome_sizes),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_reply_limits),
        cmocka_unit_test(test_texts_are_bounded),
        cmocka_unit_test(test_streaming_is_bounded),
        cmocka_unit_test(test_idle_is_small),
        cmocka_unit_test(test_block_timeout),
        cmocka_unit_test(test_source_answers_late),
        cmocka_unit_test(test_source_takes_long),
        cmocka_unit_test(test_source_fails),
        cmocka_unit_test(test_free_in_callbacks),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests_name("smtp client", tests, NULL, NULL);
}
