/* One pass over a message: what is found and what is written about it. */
#include <onward/verify.h>

#include "core/core_shared.h"
#include "support/support.h"

static const char body[] = "Hello.\r\n";
static const char plain[] = "From: Ann <ann@a.example>\r\n"
                            "To: bob@b.example\r\n"
                            "Subject: hi\r\n"
                            "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
                            "Message-ID: <1@a.example>\r\n"
                            "\r\n"
                            "Hello.\r\n";

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_signer *signer;
    struct onward_verifier *verifier;
    struct onward_ip ip;
    char zone[4096];
    char message[8192];
    int done;
    bool frees;
    int sign_status;
};

/* ---- Keys and signatures ----------------------------------------------- */

static struct onward_signer *
new_signer(struct t_world *w, struct onward_desk *desk, char *p, size_t p_cap)
{
    unsigned char seed[32];
    struct onward_key *key = NULL;
    struct onward_signer *signer = NULL;

    memset(seed, 9, sizeof(seed));
    if (onward_key_from_ed25519_seed(w->ctx, seed, sizeof(seed), &key) == 0) {
        onward_pubkey_to_p(onward_key_public(key), p, p_cap);
        if (onward_signer_new(desk, key, NULL, &signer) != 0)
            signer = NULL;
    }
    onward_key_free(key);
    return signer;
}

static void run(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static void signed_now(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    (void)signer;
    ((struct world *)user)->sign_status = status;
}

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    (void)sealer;
    ((struct world *)user)->sign_status = status;
}

/* Put a DKIM signature of a.example on top of x->message. */
static void sign(struct world *x)
{
    struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = x, .done = signed_now};
    struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                        .domain = ONWARD_STR("a.example"),
                                        .selector = ONWARD_STR("s")};
    struct onward_dkim_signer *s = NULL;
    struct onward_str field;
    size_t len = strlen(x->message);

    x->sign_status = 1;
    assert_int_equal(onward_dkim_signer_new(x->signer, &o, &host, &s), 0);
    assert_int_equal(onward_dkim_signer_feed(s, x->message, len), 0);
    assert_int_equal(onward_dkim_signer_finish(s), 0);
    run(x);
    assert_int_equal(x->sign_status, 0);
    field = onward_dkim_signer_field(s);
    memmove(x->message + field.len, x->message, len + 1);
    memcpy(x->message, field.data, field.len);
    onward_dkim_signer_free(s);
}

/* Put an ARC set of seal.example on top, which says these results. */
static void seal(struct world *x, const char *results)
{
    struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = x, .done = sealed};
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .chain_result = ONWARD_ARC_NONE,
                                       .domain = ONWARD_STR("seal.example"),
                                       .selector = ONWARD_STR("s"),
                                       .authserv_id =
                                           ONWARD_STR("seal.example"),
                                       .results = onward_str_of(results)};
    struct onward_arc_sealer *s = NULL;
    struct onward_str fields;
    size_t len = strlen(x->message);

    x->sign_status = 1;
    assert_int_equal(onward_arc_sealer_new(x->signer, &o, &host, &s), 0);
    assert_int_equal(onward_arc_sealer_feed(s, x->message, len), 0);
    assert_int_equal(onward_arc_sealer_finish(s), 0);
    run(x);
    assert_int_equal(x->sign_status, 0);
    fields = onward_arc_sealer_fields(s);
    memmove(x->message + fields.len, x->message, len + 1);
    memcpy(x->message, fields.data, fields.len);
    onward_arc_sealer_free(s);
}

/* ---- The world --------------------------------------------------------- */

static void world_init(struct world *x)
{
    struct onward_resolver_opts o = {.size = sizeof(o), .allow_only_loaded = 1};
    char p[200];

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    x->signer = new_signer(&x->w, x->desk, p, sizeof(p));
    assert_non_null(x->signer);
    snprintf(x->zone, sizeof(x->zone),
             "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
             "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n"
             "s._domainkey.a.example TXT \"v=DKIM1; k=ed25519; p=%s\"\n"
             "s._domainkey.seal.example TXT \"v=DKIM1; k=ed25519; p=%s\"\n"
             "mail.a.example A 192.0.2.9\n",
             p, p);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(x->zone), NULL), 0);
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &x->ip), 0);
    strcpy(x->message, plain);
}

static void world_clear(struct world *x)
{
    onward_verifier_free(x->verifier);
    onward_signer_free(x->signer);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void count_done(void *user, struct onward_verifier *verifier)
{
    struct world *x = user;

    x->done++;
    if (x->frees) {
        onward_verifier_free(verifier);
        x->verifier = NULL;
    }
}

static void start(struct world *x)
{
    struct onward_verifier_host host = {
        .size = sizeof(host), .user = x, .done = count_done};
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     .authserv_id = ONWARD_STR("mx.b.example"),
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = ONWARD_STR("ann@a.example"),
                                     .dmarc_reject_policy =
                                         ONWARD_DMARC_REJECT_SERVICE};

    o.client_ip = x->ip.family == 0 ? NULL : &x->ip;
    onward_verifier_free(x->verifier);
    x->verifier = NULL;
    x->done = 0;
    assert_int_equal(onward_verifier_new(x->resolver, &o, &host, &x->verifier),
                     0);
}

static void verify(struct world *x)
{
    start(x);
    assert_int_equal(
        onward_verifier_feed(x->verifier, x->message, strlen(x->message)), 0);
    assert_int_equal(onward_verifier_finish(x->verifier), 0);
    run(x);
    assert_int_equal(x->done, 1);
}

/* ---- Verdicts ---------------------------------------------------------- */

static void test_all_pass(void **state)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};
    char want[1024];
    struct world x;

    (void)state;
    world_init(&x);
    sign(&x);
    verify(&x);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_PASS);
    assert_int_equal(onward_verifier_is_authenticated(x.verifier), 1);
    assert_int_equal(onward_verifier_dkim_count(x.verifier), 1);
    assert_int_equal(onward_verifier_dkim(x.verifier, 0, &s), 0);
    snprintf(want, sizeof(want),
             "mx.b.example;\r\n"
             " dkim=pass header.d=a.example header.s=s header.b=%.*s;\r\n"
             " dmarc=pass header.from=a.example policy.dmarc=reject;\r\n"
             " spf=none (mx.b.example: no SPF records found for "
             "postmaster@mail.a.example)\r\n smtp.helo=mail.a.example;\r\n"
             " spf=pass (mx.b.example: domain of ann@a.example designates "
             "192.0.2.9 as\r\n permitted sender) "
             "smtp.mailfrom=ann@a.example;\r\n"
             " arc=none smtp.remote-ip=192.0.2.9",
             (int)s.header_b.len, s.header_b.data);
    t_assert_str(onward_verifier_authres(x.verifier), want);
    world_clear(&x);
}

static void test_a_changed_body_fails(void **state)
{
    struct world x;

    (void)state;
    world_init(&x);
    sign(&x);
    x.message[strlen(x.message) - 3] = '!';
    x.ip.octets[3] = 10;
    verify(&x);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_FAIL);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     ONWARD_DMARC_POLICY_REJECT);
    assert_int_equal(onward_verifier_is_authenticated(x.verifier), 0);
    world_clear(&x);
}

static const struct author_row {
    const char *name, *header;
    int result, reason, disposition;
} author_rows[] = {
    {"no From", "To: b@b.example\r\n\r\n", ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_REASON_NO_AUTHOR, ONWARD_DMARC_POLICY_REJECT},
    {"no From, and others that look like one",
     "Sender: a@a.example\r\nResent-From: a@a.example\r\n"
     "Reply-To: a@a.example\r\n\r\n",
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_NO_AUTHOR,
     ONWARD_DMARC_POLICY_REJECT},
    {"two From fields", "From: a@a.example\r\nFrom : b@b.example\r\n\r\n",
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_MANY_AUTHORS,
     ONWARD_DMARC_POLICY_REJECT},
    {"two domains in From", "From: a@a.example, b@b.example\r\n\r\n",
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_MANY_AUTHORS,
     ONWARD_DMARC_POLICY_REJECT},
    {"two mailboxes of one domain", "From: a@a.example, b@A.example\r\n\r\n",
     ONWARD_DMARC_PASS, ONWARD_DMARC_REASON_ALIGNED, ONWARD_DMARC_POLICY_NONE},
    {"text left over", "From: a@a.example b\r\nSender: a@a.example\r\n\r\n",
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_NO_AUTHOR,
     ONWARD_DMARC_POLICY_REJECT},
    {"an empty group", "From: nobody:;\r\n\r\n", ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_REASON_NO_AUTHOR, ONWARD_DMARC_POLICY_REJECT},
    {"an address literal", "From: a@[192.0.2.1]\r\n\r\n",
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_NO_AUTHOR,
     ONWARD_DMARC_POLICY_REJECT},
    {"a display name that looks like one",
     "From: \"x@c.example\" <a@a.example>\r\n\r\n", ONWARD_DMARC_PASS,
     ONWARD_DMARC_REASON_ALIGNED, ONWARD_DMARC_POLICY_NONE},
};

static void test_author_row(void **state)
{
    const struct author_row *row = *state;
    struct world x;

    world_init(&x);
    snprintf(x.message, sizeof(x.message), "%s%s", row->header, body);
    verify(&x);
    assert_string_equal(
        onward_dmarc_reason_text(onward_verifier_dmarc_reason(x.verifier)),
        onward_dmarc_reason_text(row->reason));
    assert_int_equal(onward_verifier_dmarc_result(x.verifier), row->result);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     row->disposition);
    world_clear(&x);
}

/* The word of a sealer counts when the host listed it, and only then. */
static void check_seal(const char *results, const char *trusted,
                       int disposition)
{
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    struct world x;

    world_init(&x);
    x.ip.octets[3] = 10; /* SPF fails: a forwarder sends it */
    seal(&x, results);
    start(&x);
    if (trusted != NULL)
        assert_int_equal(
            onward_verifier_trust_sealer(x.verifier, onward_str_of(trusted)),
            0);
    assert_int_equal(
        onward_verifier_feed(x.verifier, x.message, strlen(x.message)), 0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    run(&x);
    assert_int_equal(onward_verifier_arc(x.verifier, &arc), 0);
    assert_int_equal(arc.result, ONWARD_ARC_PASS);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_FAIL);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     disposition);
    world_clear(&x);
}

static void test_a_trusted_sealer_is_believed(void **state)
{
    (void)state;
    check_seal("dmarc=pass header.from=a.example", "seal.example",
               ONWARD_DMARC_POLICY_NONE);
    check_seal("dmarc=pass header.from=a.example", "Seal.Example",
               ONWARD_DMARC_POLICY_NONE);
}

static void test_others_are_not(void **state)
{
    (void)state;
    check_seal("dmarc=pass header.from=a.example", NULL,
               ONWARD_DMARC_POLICY_REJECT);
    check_seal("dmarc=pass header.from=a.example", "other.example",
               ONWARD_DMARC_POLICY_REJECT);
    check_seal("dmarc=fail header.from=a.example", "seal.example",
               ONWARD_DMARC_POLICY_REJECT);
    check_seal("dmarc=pass header.from=b.example", "seal.example",
               ONWARD_DMARC_POLICY_REJECT);
    check_seal("dmarc=pass", "seal.example", ONWARD_DMARC_POLICY_REJECT);
    check_seal("spf=pass (dmarc=pass) smtp.mailfrom=x", "seal.example",
               ONWARD_DMARC_POLICY_REJECT);
}

/* ---- Streams ----------------------------------------------------------- */

struct cut_state {
    struct world *x;
    char want[2048];
    size_t want_len;
};

static void cut_begin(void *arg)
{
    start(((struct cut_state *)arg)->x);
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct cut_state *c = arg;

    assert_int_equal(onward_verifier_feed(c->x->verifier, data, len), 0);
}

static void cut_end(void *arg)
{
    struct cut_state *c = arg;
    struct onward_str got;

    assert_int_equal(onward_verifier_finish(c->x->verifier), 0);
    run(c->x);
    got = onward_verifier_authres(c->x->verifier);
    if (c->want_len == 0) {
        memcpy(c->want, got.data, got.len);
        c->want_len = got.len;
    }
    t_assert_str_n(got, c->want, c->want_len);
}

static void test_any_cut_gives_the_same(void **state)
{
    const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    static struct cut_state c;
    struct world x;

    (void)state;
    world_init(&x);
    sign(&x);
    seal(&x, "dmarc=pass header.from=a.example");
    c = (struct cut_state){.x = &x};
    t_cut_everywhere(&cut, &c, x.message, strlen(x.message));
    world_clear(&x);
}

static void test_fingerprint(void **state)
{
    unsigned char first[32];
    struct onward_str f;
    struct world x;

    (void)state;
    world_init(&x);
    start(&x);
    assert_int_equal(onward_verifier_fingerprint(x.verifier).len, 0);
    verify(&x);
    f = onward_verifier_fingerprint(x.verifier);
    assert_int_equal(f.len, 32);
    memcpy(first, f.data, 32);
    verify(&x);
    f = onward_verifier_fingerprint(x.verifier);
    assert_memory_equal(first, f.data, 32);
    x.message[strlen(x.message) - 3] = '!';
    verify(&x);
    f = onward_verifier_fingerprint(x.verifier);
    assert_memory_not_equal(first, f.data, 32);
    world_clear(&x);
}

/* ---- Life and limits --------------------------------------------------- */

/* Of "Hello.\r\n", by sha256sum. */
static void test_body_hash(void **state)
{
    static const unsigned char want[32] = {
        0xc9, 0x94, 0x2a, 0xd5, 0xcf, 0x30, 0x8c, 0x19, 0x74, 0x7d, 0x9e,
        0x16, 0x73, 0xfa, 0x2b, 0x68, 0xc0, 0x80, 0x1b, 0x59, 0x99, 0x26,
        0xfe, 0x6f, 0xfe, 0x19, 0x6f, 0xc8, 0x5c, 0xbe, 0xb7, 0xa0};
    struct onward_str hash;
    struct world x;

    (void)state;
    world_init(&x);
    start(&x);
    assert_int_equal(onward_verifier_body_hash(x.verifier).len, 0);
    verify(&x);
    hash = onward_verifier_body_hash(x.verifier);
    t_assert_str_n(hash, want, sizeof(want));
    world_clear(&x);
}

/* The body is never kept: what 25 MiB of it take is what a line takes. */
static void test_memory_over_a_large_message(void **state)
{
    enum { MIB = 1024 * 1024, BODY = 25 * MIB, PIECE = 65536 };
    char piece[PIECE];
    struct world x;

    (void)state;
    memset(piece, 'x', sizeof(piece));
    for (size_t i = 78; i + 2 <= sizeof(piece); i += 80)
        memcpy(piece + i, "\r\n", 2);
    world_init(&x);
    sign(&x);
    seal(&x, "none");
    x.w.peak_bytes = x.w.live_bytes;
    start(&x);
    assert_int_equal(
        onward_verifier_feed(x.verifier, x.message, strlen(x.message)), 0);
    for (size_t fed = 0; fed < BODY; fed += sizeof(piece))
        assert_int_equal(onward_verifier_feed(x.verifier, piece, sizeof(piece)),
                         0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    run(&x);
    assert_int_equal(x.done, 1);
    assert_in_range(x.w.peak_bytes, 1, MIB - 1);
    world_clear(&x);
}

static void test_free_inside_done(void **state)
{
    struct world x;

    (void)state;
    world_init(&x);
    x.frees = true;
    verify(&x);
    world_clear(&x);
}

static void test_contract(void **state)
{
    struct onward_verifier_opts none = {.size = sizeof(none)};
    struct onward_verifier *v = NULL;
    struct world x;

    (void)state;
    world_init(&x);
    assert_int_equal(onward_verifier_new(x.resolver, &none, NULL, &v),
                     ONWARD_EINVAL);
    none.authserv_id = ONWARD_STR("mx\0example");
    assert_int_equal(onward_verifier_new(x.resolver, &none, NULL, &v),
                     ONWARD_EINVAL);
    assert_null(v);
    x.ip.family = 0; /* no client: no SPF */
    verify(&x);
    assert_null(onward_verifier_spf(x.verifier, ONWARD_SPF_MAIL_FROM));
    assert_int_equal(onward_verifier_feed(x.verifier, "x", 1), ONWARD_ESTATE);
    assert_int_equal(onward_verifier_finish(x.verifier), ONWARD_ESTATE);
    assert_int_equal(
        onward_verifier_trust_sealer(x.verifier, ONWARD_STR("a.example")),
        ONWARD_ESTATE);
    world_clear(&x);
}

static void test_a_header_without_end_is_refused(void **state)
{
    static char line[1002];
    struct world x;
    int err = 0;

    (void)state;
    world_init(&x);
    memset(line, 'a', 1000);
    line[0] = 'X';
    line[1] = ':';
    line[998] = '\r';
    line[999] = '\n';
    start(&x);
    for (int i = 0; i < 1000 && err == 0; i++)
        err = onward_verifier_feed(x.verifier, line, 1000);
    assert_int_equal(err, ONWARD_ELIMIT);
    assert_int_equal(onward_verifier_finish(x.verifier), ONWARD_ESTATE);
    assert_true(x.w.peak_bytes < 1024 * 1024);
    world_clear(&x);
}

static bool whole_pass(struct t_world *w, void *arg)
{
    const struct world *made = arg;
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     .authserv_id = ONWARD_STR("mx.b.example"),
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = ONWARD_STR("ann@a.example"),
                                     .client_ip = &made->ip};
    struct onward_resolver *resolver = NULL;
    struct onward_verifier *v = NULL;
    struct onward_desk *desk = NULL;
    struct onward_str json;
    bool ok = false;
    int explained;

    if (onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &ro, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver, onward_str_of(made->zone), NULL) == 0 &&
        onward_verifier_new(resolver, &o, NULL, &v) == 0 &&
        onward_verifier_feed(v, made->message, strlen(made->message)) == 0 &&
        onward_verifier_finish(v) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        assert_true(onward_verifier_is_done(v));
        explained = onward_verifier_explain(v, &json);
        assert_true(explained == 0 || explained == ONWARD_ENOMEM);
        ok = onward_verifier_dmarc_result(v) == ONWARD_DMARC_PASS &&
             onward_verifier_authres(v).len != 0 && explained == 0;
        /* Whatever failed, nothing is refused for it. */
        if (!ok)
            assert_int_not_equal(onward_verifier_dmarc_disposition(v),
                                 ONWARD_DMARC_POLICY_REJECT);
    }
    onward_verifier_free(v);
    onward_resolver_free(resolver);
    if (desk != NULL)
        onward_desk_free(desk);
    return ok;
}

static void test_out_of_memory(void **state)
{
    struct world x;

    (void)state;
    world_init(&x);
    sign(&x);
    t_oom_sweep(whole_pass, &x);
    world_clear(&x);
}

/* ---- Verified here, sealed elsewhere ------------------------------------- */

/* A set by another process, which has nothing but the octets of the state. */
static void seal_elsewhere(const char *state, size_t state_len, char *message)
{
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .domain = ONWARD_STR("seal.example"),
                                       .selector = ONWARD_STR("s")};
    struct onward_arc_sealer *s = NULL;
    struct onward_str fields;
    struct world x;
    struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = &x, .done = sealed};
    const char *header_end = strstr(message, "\r\n\r\n") + 4;
    size_t len = strlen(message);

    world_init(&x);
    x.sign_status = 1;
    assert_int_equal(
        onward_arc_state_read((struct onward_str){state, state_len}, &o), 0);
    assert_int_equal(onward_arc_sealer_new(x.signer, &o, &host, &s), 0);
    /* The body's hash is among what came: the header is enough. */
    assert_int_equal(
        onward_arc_sealer_feed(s, message, (size_t)(header_end - message)), 0);
    assert_int_equal(onward_arc_sealer_finish(s), 0);
    run(&x);
    assert_int_equal(x.sign_status, 0);
    fields = onward_arc_sealer_fields(s);
    memmove(message + fields.len, message, len + 1);
    memcpy(message, fields.data, fields.len);
    onward_arc_sealer_free(s);
    world_clear(&x);
}

static void test_verified_here_and_sealed_elsewhere(void **state)
{
    struct onward_arc_sealer_opts o = {.size = sizeof(o)};
    struct onward_arc_sealer_opts small = {.size = sizeof(small) - 1};
    struct onward_arc_verdict chain = {.size = sizeof(chain)};
    struct onward_str authres;
    char octets[2000], want[2000];
    struct world x;
    int len;

    (void)state;
    world_init(&x);
    seal(&x, "arc=none");
    start(&x);
    assert_int_equal(onward_verifier_sealing(x.verifier, &o), ONWARD_ESTATE);
    verify(&x);
    assert_int_equal(onward_verifier_sealing(x.verifier, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_verifier_sealing(x.verifier, &small),
                     ONWARD_EINVAL);
    assert_int_equal(onward_verifier_sealing(x.verifier, &o), 0);
    len = onward_arc_state_write(&o, octets, sizeof(octets));
    assert_true(len > 0);
    seal_elsewhere(octets, (size_t)len, x.message);
    authres = onward_verifier_authres(x.verifier);
    snprintf(want, sizeof(want),
             "ARC-Authentication-Results: i=2; mx.b.example;\r\n%.*s\r\n",
             (int)authres.len - 15, authres.data + 15);
    assert_non_null(strstr(x.message, want));
    verify(&x);
    assert_int_equal(onward_verifier_arc(x.verifier, &chain), 0);
    assert_int_equal(chain.result, ONWARD_ARC_PASS);
    assert_int_equal(chain.instances, 2);
    world_clear(&x);
}

/* A chain that only DNS keeps from passing must not be sealed as failed. */
static void test_no_sealing_when_dns_is_silent(void **state)
{
    static const char silent[] = "s._domainkey.seal.example TXT !SERVFAIL\n";
    struct onward_arc_sealer_opts o = {.size = sizeof(o)};
    struct world x;

    (void)state;
    world_init(&x);
    seal(&x, "arc=none");
    assert_int_equal(
        onward_resolver_load(x.resolver, onward_str_of(silent), NULL), 0);
    verify(&x);
    assert_int_equal(onward_verifier_sealing(x.verifier, &o), ONWARD_AGAIN);
    assert_int_equal(o.chain_result, 0);
    world_clear(&x);
}

int main(void)
{
    enum { ROWS = sizeof(author_rows) / sizeof(author_rows[0]) };
    struct CMUnitTest tests[12 + ROWS] = {
        cmocka_unit_test(test_all_pass),
        cmocka_unit_test(test_a_changed_body_fails),
        cmocka_unit_test(test_a_trusted_sealer_is_believed),
        cmocka_unit_test(test_others_are_not),
        cmocka_unit_test(test_any_cut_gives_the_same),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_body_hash),
        cmocka_unit_test(test_memory_over_a_large_message),
        cmocka_unit_test(test_free_inside_done),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_verified_here_and_sealed_elsewhere),
        cmocka_unit_test(test_no_sealing_when_dns_is_silent),
        cmocka_unit_test(test_a_header_without_end_is_refused),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[12 + i] = (struct CMUnitTest){
            .name = author_rows[i].name,
            .test_func = test_author_row,
            .initial_state = (void *)(uintptr_t)&author_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
