/*
 * Which peers a TLSA record vouches for (RFC 7672 section 3): each usage,
 * selector and matching type, good and bad in each way. The records are made
 * by GnuTLS, not by the code under test.
 */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "pair.h"
#include "support/certs.h"
#include "tls/tls_priv.h"

enum {
    START = 1500000000,
    NOW = 1600000000, /* the world's clock */
    END = 1700000000,
    TA = 2,
    EE = 3
};

static struct t_cert *ca, *ca_expired, *ca_public, *mid, *good, *wild, *expired,
    *early, *by_mid, *by_expired_ca, *by_public, *client_only, *other, *self,
    *self_expired, *cn_only, *rsa, *forged, *fake_ca;

static int set_up(void **state)
{
    (void)state;
    ca = t_cert_new("CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    ca_expired =
        t_cert_new("Old CA", NULL, NULL, NULL, T_CERT_CA, START, NOW - 1);
    ca_public = t_cert_new("Public", NULL, NULL, NULL, T_CERT_CA, START, END);
    /* The name of the anchor, but not its key. */
    fake_ca = t_cert_new("CA", NULL, NULL, NULL, T_CERT_CA, START, END);
    mid = t_cert_new("Mid", NULL, NULL, ca, T_CERT_CA, START, END);
    good = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, END);
    wild = t_cert_new("x", "*.example.org", NULL, ca, 0, START, END);
    expired = t_cert_new("x", "mx.example.org", NULL, ca, 0, START, NOW - 1);
    early = t_cert_new("x", "mx.example.org", NULL, ca, 0, NOW + 1, END);
    by_mid = t_cert_new("x", "mx.example.org", NULL, mid, 0, START, END);
    by_expired_ca =
        t_cert_new("x", "mx.example.org", NULL, ca_expired, 0, START, END);
    by_public =
        t_cert_new("x", "mx.example.org", NULL, ca_public, 0, START, END);
    client_only =
        t_cert_new("x", "mx.example.org", NULL, ca, T_CERT_CLIENT, START, END);
    other = t_cert_new("x", "elsewhere.example", NULL, ca, 0, START, END);
    self = t_cert_new("x", "elsewhere.example", NULL, NULL, 0, START, END);
    self_expired =
        t_cert_new("x", "elsewhere.example", NULL, NULL, 0, START, NOW - 1);
    cn_only = t_cert_new("mx.example.org", NULL, NULL, ca, 0, START, END);
    rsa = t_cert_new("x", "mx.example.org", NULL, ca, T_CERT_RSA, START, END);
    forged = t_cert_new("x", "mx.example.org", NULL, fake_ca, 0, START, END);
    return 0;
}

static int clear(void **state)
{
    struct t_cert *all[] = {ca,     ca_expired,    ca_public,    mid,
                            good,   wild,          expired,      early,
                            by_mid, by_expired_ca, by_public,    client_only,
                            other,  self,          self_expired, cn_only,
                            rsa,    forged,        fake_ca};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        t_cert_free(all[i]);
    return 0;
}

/* ---- Records ----------------------------------------------------------- */

struct want_record {
    unsigned char usage, selector, matching;
    struct t_cert **of;
    bool is_off; /* one bit of the data is another */
};

/* The rdata; free() it. */
static struct onward_str rdata_of(const struct want_record *r)
{
    gnutls_datum_t part;
    unsigned char digest[64];
    const void *data;
    gnutls_pubkey_t key;
    size_t len;
    unsigned char *out;

    if (r->selector == 0) {
        assert_int_equal(
            gnutls_x509_crt_export2((*r->of)->crt, GNUTLS_X509_FMT_DER, &part),
            0);
    } else {
        assert_int_equal(gnutls_pubkey_init(&key), 0);
        assert_int_equal(gnutls_pubkey_import_x509(key, (*r->of)->crt, 0), 0);
        assert_int_equal(gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &part),
                         0);
        gnutls_pubkey_deinit(key);
    }
    data = part.data;
    len = part.size;
    if (r->matching != 0) {
        assert_int_equal(gnutls_hash_fast(r->matching == 1 ? GNUTLS_DIG_SHA256
                                                           : GNUTLS_DIG_SHA512,
                                          part.data, part.size, digest),
                         0);
        data = digest;
        len = r->matching == 1 ? 32 : 64;
    }
    out = malloc(len + 3);
    assert_non_null(out);
    out[0] = r->usage;
    out[1] = r->selector;
    out[2] = r->matching;
    memcpy(out + 3, data, len);
    if (r->is_off)
        out[3 + len / 2] ^= 1;
    gnutls_free(part.data);
    return (struct onward_str){(const char *)out, len + 3};
}

/* ---- Rows -------------------------------------------------------------- */

#define REC(u, s, m, c)                                                        \
    {                                                                          \
        u, s, m, &(c), false                                                   \
    }
#define OFF(u, s, m, c)                                                        \
    {                                                                          \
        u, s, m, &(c), true                                                    \
    }
#define MX "mx.example.org"

static const struct row {
    const char *name;
    struct t_cert **chain[4]; /* leaf first */
    struct want_record records[3];
    const char *reference; /* NULL: none */
    enum onward_tls_failure want;
    size_t by; /* the record that vouches */
    /* A server on GnuTLS does not send what is not on the chain, so the anchor
     * is missing there; see test_direct(). */
    bool is_cut;
    const char *pkix; /* a name that an authority has to vouch for, too */
} rows[] = {
    /* DANE-EE: the leaf, and nothing else. */
    {"3 0 0", {&self}, {REC(EE, 0, 0, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 0 1", {&self}, {REC(EE, 0, 1, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 0 2", {&self}, {REC(EE, 0, 2, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 1 0", {&self}, {REC(EE, 1, 0, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 1 1", {&self}, {REC(EE, 1, 1, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 1 2", {&self}, {REC(EE, 1, 2, self)}, MX, ONWARD_TLS_OK, 0, false},
    {"3 1 1 of an RSA key",
     {&rsa},
     {REC(EE, 1, 1, rsa)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"3 1 0 of an RSA key",
     {&rsa},
     {REC(EE, 1, 0, rsa)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"3 1 1, expired",
     {&self_expired},
     {REC(EE, 1, 1, self_expired)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"3 1 1, not yet valid",
     {&early},
     {REC(EE, 1, 1, early)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"3 1 1, no name asked for",
     {&self},
     {REC(EE, 1, 1, self)},
     NULL,
     ONWARD_TLS_OK,
     0,
     false},
    {"3 1 1, second record",
     {&self},
     {REC(EE, 1, 1, good), REC(EE, 1, 1, self)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
    {"3 1 1 off",
     {&self},
     {OFF(EE, 1, 1, self)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"3 0 1 off",
     {&self},
     {OFF(EE, 0, 1, self)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"3 1 2 off",
     {&self},
     {OFF(EE, 1, 2, self)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"3 1 1 of another",
     {&good, &ca},
     {REC(EE, 1, 1, self)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"3 1 1 of the authority is not of the leaf",
     {&good, &ca},
     {REC(EE, 1, 1, ca)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"a trusted authority does not help",
     {&by_public, &ca_public},
     {REC(EE, 1, 1, self)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    /* DANE-TA: a chain, a name, and times. */
    {"2 0 0", {&good, &ca}, {REC(TA, 0, 0, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 0 1", {&good, &ca}, {REC(TA, 0, 1, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 0 2", {&good, &ca}, {REC(TA, 0, 2, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 1 0", {&good, &ca}, {REC(TA, 1, 0, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 1 1", {&good, &ca}, {REC(TA, 1, 1, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 1 2", {&good, &ca}, {REC(TA, 1, 2, ca)}, MX, ONWARD_TLS_OK, 0, false},
    {"2 0 0, the anchor is not sent",
     {&good},
     {REC(TA, 0, 0, ca)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 0, between is sent",
     {&by_mid, &mid},
     {REC(TA, 0, 0, ca)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 1, the anchor is not sent",
     {&good},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"2 0 1, over an authority between",
     {&by_mid, &mid, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 1, the one between is the anchor",
     {&by_mid, &mid},
     {REC(TA, 0, 1, mid)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 1, out of order",
     {&by_mid, &ca, &mid},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 1, between is missing",
     {&by_mid, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     true},
    {"2 0 1, wildcard",
     {&wild, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_OK,
     0,
     false},
    {"2 0 1, wrong name",
     {&other, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_NAME_MISMATCH,
     0,
     false},
    {"2 0 1, common name only",
     {&cn_only, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_NAME_MISMATCH,
     0,
     false},
    {"2 0 1, no name asked for",
     {&good, &ca},
     {REC(TA, 0, 1, ca)},
     NULL,
     ONWARD_TLS_NAME_MISMATCH,
     0,
     false},
    {"2 0 1, expired",
     {&expired, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_EXPIRED,
     0,
     false},
    {"2 0 1, not yet valid",
     {&early, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_NOT_YET_VALID,
     0,
     false},
    {"2 0 1, the anchor has expired",
     {&by_expired_ca, &ca_expired},
     {REC(TA, 0, 1, ca_expired)},
     MX,
     ONWARD_TLS_EXPIRED,
     0,
     false},
    {"2 0 0, the anchor has expired",
     {&by_expired_ca},
     {REC(TA, 0, 0, ca_expired)},
     MX,
     ONWARD_TLS_EXPIRED,
     0,
     false},
    {"2 0 1, for clients only",
     {&client_only, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_BAD_CERT,
     0,
     false},
    {"2 0 1 off",
     {&good, &ca},
     {OFF(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"2 1 1 off",
     {&good, &ca},
     {OFF(TA, 1, 1, ca)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"the real anchor is sent behind a forged leaf",
     {&forged, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     false},
    {"the real anchor behind a forged one",
     {&forged, &fake_ca, &ca},
     {REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     true},
    {"the real anchor behind a self-signed leaf",
     {&self, &ca},
     {REC(TA, 1, 1, ca)},
     "elsewhere.example",
     ONWARD_TLS_UNTRUSTED,
     0,
     true},
    {"a forged leaf, the anchor in the record",
     {&forged},
     {REC(TA, 0, 0, ca)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     false},
    {"a leaf signed by a leaf is nobody's",
     {&good, &other},
     {REC(TA, 0, 1, other)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     true},
    {"2 1 1 of the leaf itself",
     {&self},
     {REC(TA, 1, 1, self)},
     "elsewhere.example",
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    {"2 0 0 of the leaf itself",
     {&self},
     {REC(TA, 0, 0, self)},
     "elsewhere.example",
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false},
    /* Several. */
    {"anchor wrong, leaf right",
     {&good, &ca},
     {OFF(TA, 0, 1, ca), REC(EE, 1, 1, good)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
    {"leaf wrong, anchor right",
     {&good, &ca},
     {OFF(EE, 1, 1, good), REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
    {"wrong name for the anchor, but the leaf's own",
     {&other, &ca},
     {REC(TA, 0, 1, ca), REC(EE, 0, 1, other)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
    {"second anchor",
     {&by_mid, &mid, &ca},
     {REC(TA, 0, 1, ca_public), REC(TA, 0, 1, ca)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
    {"old and new anchor in full",
     {&good},
     {REC(TA, 0, 0, ca_public), REC(TA, 0, 0, ca)},
     MX,
     ONWARD_TLS_OK,
     1,
     false},
};

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

/* A record, and an authority that the client trusts: each alone is too little.
 */
static const struct row both_rows[] = {
    {"both hold",
     {&by_public, &ca_public},
     {REC(EE, 1, 1, by_public)},
     "mx.other.example",
     ONWARD_TLS_OK,
     0,
     false,
     MX},
    {"both hold by the same authority",
     {&by_public, &ca_public},
     {REC(TA, 0, 1, ca_public)},
     MX,
     ONWARD_TLS_OK,
     0,
     false,
     MX},
    {"a record alone",
     {&good, &ca},
     {REC(EE, 1, 1, good)},
     MX,
     ONWARD_TLS_UNTRUSTED,
     0,
     false,
     MX},
    {"a record of a certificate of its own making alone",
     {&self},
     {REC(EE, 1, 1, self)},
     "elsewhere.example",
     ONWARD_TLS_UNTRUSTED,
     0,
     false,
     "elsewhere.example"},
    {"an authority alone",
     {&by_public, &ca_public},
     {OFF(EE, 1, 1, by_public)},
     MX,
     ONWARD_TLS_TLSA_MISMATCH,
     0,
     false,
     MX},
    {"both, but of another name",
     {&by_public, &ca_public},
     {REC(EE, 1, 1, by_public)},
     MX,
     ONWARD_TLS_NAME_MISMATCH,
     0,
     false,
     "mx.other.example"},
};

static struct onward_tls_config *make_server(struct t_world *w,
                                             struct t_cert **const *chain,
                                             const char *priority)
{
    char room[16384];
    struct onward_str pem = chain_pem(room, sizeof(room), chain);
    struct onward_str key = t_cert_key(*chain[0]);
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &pem,
                                          .key_pem = &key,
                                          .identity_count = 1,
                                          .priority = onward_str_of(priority)};
    struct onward_tls_config *config = NULL;

    assert_int_equal(onward_tls_config_new(w->ctx, &opts, &config), 0);
    return config;
}

/* It trusts an authority, so that a row can show that this does not count. */
static struct onward_tls_config *make_client(struct t_world *w)
{
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT,
                                          .trust_pem = t_cert_pem(ca_public)};
    struct onward_tls_config *config = NULL;

    assert_int_equal(onward_tls_config_new(w->ctx, &opts, &config), 0);
    return config;
}

static void check_facts(const struct onward_tls_facts *facts,
                        const struct row *row, const struct onward_str *records)
{
    assert_int_equal(facts->is_verified, 1);
    assert_int_equal(facts->cert_failure, ONWARD_TLS_OK);
    t_assert_str_n(facts->verified_tlsa, records[row->by].data,
                   records[row->by].len);
    t_assert_str(facts->verified_name, row->pkix != NULL ? row->pkix
                                       : row->records[row->by].usage == TA
                                           ? row->reference
                                           : "");
}

static void check_row(const struct row *row, const char *priority)
{
    struct onward_str records[3] = {{NULL, 0}};
    struct onward_str reference =
        onward_str_of(row->reference == NULL ? "" : row->reference);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_DANE,
                                       .names = &reference,
                                       .name_count = row->reference != NULL,
                                       .tlsa = records};
    const struct onward_str pkix =
        onward_str_of(row->pkix == NULL ? "" : row->pkix);
    struct onward_tls_config *server, *client;
    struct t_pair p = {.chunk = 0};
    struct t_world w = {0};

    for (size_t i = 0; i < 3 && row->records[i].of != NULL; i++)
        records[demand.tlsa_count++] = rdata_of(&row->records[i]);
    demand.pkix_names = &pkix;
    demand.pkix_name_count = row->pkix != NULL;
    t_world_init(&w);
    w.now_s = NOW;
    server = make_server(&w, row->chain, priority);
    client = make_client(&w);
    p.client = t_echo_new(w.ctx, T_ECHO_CLIENT, client, &demand);
    p.server = t_echo_new(w.ctx, T_ECHO_SERVER, server, NULL);
    assert_int_equal(t_echo_plug(p.server), 0);
    assert_int_equal(t_echo_plug(p.client), 0);
    t_pair_run(&p);
    assert_string_equal(
        onward_tls_failure_name((int)onward_tls__failure(p.client->tls)),
        onward_tls_failure_name(
            (int)(row->is_cut ? ONWARD_TLS_TLSA_MISMATCH : row->want)));
    if (row->want == ONWARD_TLS_OK) {
        assert_int_equal(p.client->secured, 1);
        check_facts(onward_tls__facts(p.client->tls), row, records);
    } else {
        assert_true(p.client->secured < 0);
        assert_int_equal(onward_channel_wants(&p.client->channel),
                         ONWARD_WANT_CLOSE);
    }
    t_pair_free(&p);
    onward_tls_config_free(client);
    onward_tls_config_free(server);
    t_world_clear(&w);
    for (size_t i = 0; i < demand.tlsa_count; i++)
        free((void *)(uintptr_t)records[i].data);
}

static void test_tls13(void **state)
{
    check_row(*state, "");
}

static void test_tls12(void **state)
{
    check_row(*state, "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ECDHE-RSA");
}

/* The judgement alone, of what stands in the row and nothing less. */
static void test_direct(void **state)
{
    const struct row *row = *state;
    struct onward_tls__tlsa records[3];
    struct onward_tls__ref ref = {
        .name = onward_str_of(row->reference == NULL ? "" : row->reference)};
    struct onward_tls_config config = {.is_server = false};
    struct onward_tls__filter f = {.config = &config,
                                   .level = ONWARD_TLS_DANE,
                                   .tlsa = records,
                                   .refs = &ref,
                                   .ref_count = row->reference != NULL};
    struct onward_tls__chain c = {.sent_count = 0};
    gnutls_datum_t raw[4];
    struct t_world w = {0};

    t_world_init(&w);
    w.now_s = NOW;
    f.ctx = w.ctx;
    for (size_t i = 0; i < 3 && row->records[i].of != NULL; i++) {
        struct onward_str rdata = rdata_of(&row->records[i]);

        assert_int_equal(onward_tls__tlsa_read(rdata, &records[i]),
                         ONWARD_TLS__TLSA_OK);
        f.tlsa_count++;
    }
    for (size_t i = 0; i < 4 && row->chain[i] != NULL; i++) {
        assert_int_equal(gnutls_x509_crt_export2((*row->chain[i])->crt,
                                                 GNUTLS_X509_FMT_DER, &raw[i]),
                         0);
        assert_int_equal(gnutls_x509_crt_init(&c.sent[i]), 0);
        assert_int_equal(
            gnutls_x509_crt_import(c.sent[i], &raw[i], GNUTLS_X509_FMT_DER), 0);
        c.sent_count++;
    }
    assert_string_equal(
        onward_tls_failure_name((int)onward_tls__judge_dane(&f, &c, raw)),
        onward_tls_failure_name((int)row->want));
    assert_ptr_equal(f.verified_tlsa,
                     row->want == ONWARD_TLS_OK ? &records[row->by] : NULL);
    for (size_t i = 0; i < c.sent_count; i++) {
        gnutls_x509_crt_deinit(c.sent[i]);
        gnutls_free(raw[i].data);
    }
    for (size_t i = 0; i < f.tlsa_count; i++)
        free((void *)(uintptr_t)records[i].rdata.data);
    t_world_clear(&w);
}

/* ---- Demands ----------------------------------------------------------- */

static int plug_with(const struct onward_tls_demand *demand)
{
    struct onward_tls_config *client;
    struct t_world w = {0};
    struct t_echo *e;
    int ret;

    t_world_init(&w);
    client = make_client(&w);
    e = t_echo_new(w.ctx, T_ECHO_CLIENT, client, demand);
    ret = t_echo_plug(e);
    t_echo_free(e);
    onward_tls_config_free(client);
    t_world_clear(&w);
    return ret;
}

static void test_refused_demands(void **state)
{
    static const char good_rdata[] = "\3\1\1"
                                     "01234567890123456789012345678901";
    static const struct onward_str bad[] = {
        {NULL, 0},
        {"\3", 1},
        {"\3\1\1", 3},
        {"\3\1\1x", 4},
        {"\3\1\1"
         "0123456789012345678901234567890",
         34},
        {"\3\1\1"
         "012345678901234567890123456789012",
         36},
        {"\3\1\2"
         "01234567890123456789012345678901",
         35},
        {"\1\1\1"
         "01234567890123456789012345678901",
         35},
        {"\0\1\1"
         "01234567890123456789012345678901",
         35},
        {"\4\1\1"
         "01234567890123456789012345678901",
         35},
        {"\3\2\1"
         "01234567890123456789012345678901",
         35},
        {"\3\1\3"
         "01234567890123456789012345678901",
         35},
        {"\3\0\0"
         "no certificate",
         17},
        {"\2\1\0"
         "no key",
         9},
    };
    const struct onward_str name = ONWARD_STR(MX);
    struct onward_str records[33];
    struct onward_tls_demand demand = {
        .size = sizeof(demand), .level = ONWARD_TLS_DANE, .tlsa = records};

    (void)state;
    for (size_t i = 0; i < 33; i++)
        records[i] = (struct onward_str){good_rdata, 35};
    /* One is refused although the other would do: the caller sorts them. */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        records[1] = bad[i];
        demand.tlsa_count = 2;
        assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    }
    records[1] = records[0];
    demand.tlsa_count = 0;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.tlsa_count = 33;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.tlsa_count = 32;
    assert_int_equal(plug_with(&demand), 0);
    demand.level = ONWARD_TLS_VERIFIED;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.level = ONWARD_TLS_DANE + 1;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.level = ONWARD_TLS_DANE;
    demand.pkix_name_count = 1;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.pkix_names = &name;
    assert_int_equal(plug_with(&demand), 0);
    demand.level = ONWARD_TLS_VERIFIED;
    demand.tlsa_count = 0;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
    demand.level = ONWARD_TLS_DANE;
    demand.tlsa_count = 32;
    demand.tlsa = NULL;
    assert_int_equal(plug_with(&demand), ONWARD_EINVAL);
}

/* ---- Memory ------------------------------------------------------------ */

static bool handshake(struct t_world *w, void *arg)
{
    struct t_cert **chain[4] = {&good, &ca};
    struct onward_tls_demand *demand = arg;
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};
    char room[16384];
    struct onward_str pem = chain_pem(room, sizeof(room), chain);
    struct onward_str key = t_cert_key(good);
    struct onward_tls_config_opts server_opts = {.size = sizeof(server_opts),
                                                 .role = ONWARD_TLS_SERVER,
                                                 .chain_pem = &pem,
                                                 .key_pem = &key,
                                                 .identity_count = 1};
    struct onward_tls_config *client = NULL, *server = NULL;
    struct t_pair p = {.chunk = 0};
    bool is_up = false;

    if (onward_tls_config_new(w->ctx, &opts, &client) == 0 &&
        onward_tls_config_new(w->ctx, &server_opts, &server) == 0) {
        p.client = t_echo_new(w->ctx, T_ECHO_CLIENT, client, demand);
        p.server = t_echo_new(w->ctx, T_ECHO_SERVER, server, NULL);
        if (p.client != NULL && p.server != NULL &&
            t_echo_plug(p.server) == 0 && t_echo_plug(p.client) == 0) {
            t_pair_run(&p);
            is_up = p.client->secured == 1 && p.error == 0;
        }
    }
    t_pair_free(&p);
    onward_tls_config_free(client);
    onward_tls_config_free(server);
    return is_up;
}

static void test_memory(void **state)
{
    const struct want_record r = REC(TA, 0, 0, ca);
    struct onward_str record = rdata_of(&r), name = ONWARD_STR(MX);
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_DANE,
                                       .names = &name,
                                       .name_count = 1,
                                       .tlsa = &record,
                                       .tlsa_count = 1};

    (void)state;
    t_oom_sweep(handshake, &demand);
    free((void *)(uintptr_t)record.data);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int main(void)
{
    enum { BOTH_ROWS = sizeof(both_rows) / sizeof(both_rows[0]) };
    struct CMUnitTest tests[3 * ROWS + 2 + 2 * BOTH_ROWS] = {
        cmocka_unit_test(test_refused_demands), cmocka_unit_test(test_memory)};

    for (size_t i = 0; i < 3 * ROWS; i++) {
        static const CMUnitTestFunction run[] = {test_tls13, test_tls12,
                                                 test_direct};

        tests[i + 2].name = rows[i / 3].name;
        tests[i + 2].test_func = run[i % 3];
        tests[i + 2].initial_state = (void *)(uintptr_t)&rows[i / 3];
    }
    for (size_t i = 0; i < 2 * BOTH_ROWS; i++) {
        struct CMUnitTest *test = &tests[3 * ROWS + 2 + i];

        test->name = both_rows[i / 2].name;
        test->test_func = i % 2 == 0 ? test_tls13 : test_tls12;
        test->initial_state = (void *)(uintptr_t)&both_rows[i / 2];
    }
    return cmocka_run_group_tests(tests, set_up, clear);
}
