/* Reading keys, refusing what is none, and writing them. */
#include "key/key_shared.h"
#include "key/vectors.h"

struct loaded {
    struct onward_key *key;
    struct onward_key_fault fault;
    int ret;
};

static struct loaded load_text(struct t_world *w, const char *pem, size_t len)
{
    struct loaded l = {.fault = {.size = sizeof(l.fault)}};

    l.ret = onward_key_from_pem(w->ctx, (struct onward_str){pem, len}, &l.fault,
                                &l.key);
    return l;
}

static struct loaded load_file(struct t_world *w, const char *name)
{
    char path[64];
    struct loaded l;
    size_t len;
    char *pem;

    snprintf(path, sizeof(path), "key/%s", name);
    pem = t_read_file(t_data(path), &len);
    assert_non_null(pem);
    l = load_text(w, pem, len);
    free(pem);
    return l;
}

/* ---- What OpenSSL signs, we sign --------------------------------------- */

static const struct signed_row {
    const char *name, *key, *signature, *p;
    uint32_t type;
    size_t bits;
} signed_rows[] = {
    {"RSA in PKCS#8", "rsa2048.pem", "rsa2048.sig", "rsa2048.p", ONWARD_KEY_RSA,
     2048},
    {"RSA in PKCS#1", "rsa2048-pkcs1.pem", "rsa2048.sig", "rsa2048.p",
     ONWARD_KEY_RSA, 2048},
    {"RSA of 1032 bits", "rsa1032.pem", "rsa1032.sig", NULL, ONWARD_KEY_RSA,
     1032},
    {"RSA with a long p", "rsa2048-long-p.pem", "rsa2048-long-p.sig", NULL,
     ONWARD_KEY_RSA, 2048},
    {"RSA with a long q", "rsa2048-long-q.pem", "rsa2048-long-q.sig", NULL,
     ONWARD_KEY_RSA, 2048},
    {"RSA of 4096 bits", "rsa4096.pem", "rsa4096.sig", NULL, ONWARD_KEY_RSA,
     4096},
    {"Ed25519", "ed25519.pem", "ed25519.sig", "ed25519.p", ONWARD_KEY_ED25519,
     256},
};

static char *read_data(const char *name)
{
    char path[64], *text;
    size_t len;

    snprintf(path, sizeof(path), "key/%s", name);
    text = t_read_file(t_data(path), &len);
    assert_non_null(text);
    return text;
}

static void check_signature(struct t_world *w, struct onward_key *key,
                            const struct signed_row *row)
{
    struct onward_str text = ONWARD_STR("a digest of these octets");
    struct onward_key__signing signing = {0};
    struct onward_signer *signer;
    struct onward_desk *desk;
    char *want = read_data(row->signature), hex[2 * 512 + 1];
    uint8_t digest[32];

    vectors_sha256(text, digest);
    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    /* more often than a blinding pair lives */
    for (int i = 0; i < 70; i++) {
        onward_key__signing_clear(&signing);
        assert_int_equal(onward_key__sign(signer, &signing, digest, NULL), 0);
        assert_int_equal(signing.status, 0);
        for (size_t at = 0; at < signing.len; at++)
            snprintf(hex + 2 * at, 3, "%02x", signing.signature[at]);
        assert_string_equal(hex, want);
    }
    assert_true(onward_pubkey_verify(onward_key_public(key), row->type, digest,
                                     signing.signature, signing.len));
    assert_false(onward_pubkey_verify(onward_key_public(key), 3 - row->type,
                                      digest, signing.signature, signing.len));
    assert_false(onward_pubkey_verify(onward_key_public(key), row->type, digest,
                                      signing.signature, signing.len - 1));
    digest[31] ^= 1;
    assert_false(onward_pubkey_verify(onward_key_public(key), row->type, digest,
                                      signing.signature, signing.len));
    onward_key__signing_clear(&signing);
    onward_signer_free(signer);
    onward_desk_free(desk);
    free(want);
}

static void test_signed_row(void **state)
{
    const struct signed_row *row = *state;
    char pem[4096], again[4096], p[800];
    struct t_world w = {0};
    struct onward_pubkey *pub;
    struct loaded l, back;
    int len;

    t_world_init(&w);
    l = load_file(&w, row->key);
    assert_int_equal(l.ret, 0);
    pub = onward_key_public(l.key);
    assert_int_equal(onward_pubkey_type(pub), row->type);
    assert_int_equal(onward_pubkey_bits(pub), row->bits);
    check_signature(&w, l.key, row);
    len = onward_key_to_pem(l.key, pem, sizeof(pem));
    assert_true(len > 0);
    assert_int_equal(onward_key_to_pem(l.key, again, (size_t)len),
                     ONWARD_ELIMIT);
    back = load_text(&w, pem, (size_t)len);
    assert_int_equal(back.ret, 0);
    assert_int_equal(onward_key_to_pem(back.key, again, sizeof(again)), len);
    assert_string_equal(pem, again);
    if (row->p != NULL) {
        char *want = read_data(row->p);

        assert_true(onward_pubkey_to_p(pub, p, sizeof(p)) > 0);
        assert_string_equal(p, want);
        assert_int_equal(onward_pubkey_to_p(pub, p, strlen(want)),
                         ONWARD_ELIMIT);
        free(want);
    }
    onward_key_free(back.key);
    onward_key_free(l.key);
    t_world_clear(&w);
}

/* ---- What is refused --------------------------------------------------- */

#define BEGIN "-----BEGIN PRIVATE KEY-----\n"
#define END "-----END PRIVATE KEY-----\n"
/* RFC 8410 section 10.3 */
#define ED "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
#define ED_V2                                                                  \
    "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"       \
    "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
#define ED_V2_END "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
#define ED_V2_WRONG "Z9w7lshQhqowtrbLDFw4rXAxZuA=\n"

static const struct text_row {
    const char *name, *pem;
    const char *want; /* a part of the fault's text; NULL: it is taken */
    size_t offset;
} text_rows[] = {
    {"Ed25519 of RFC 8410", BEGIN ED END, NULL, 0},
    {"with attributes and public key", BEGIN ED_V2 ED_V2_END END, NULL, 0},
    {"lines ending in CRLF",
     "-----BEGIN PRIVATE KEY-----\r\n"
     "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\r\n"
     "-----END PRIVATE KEY-----\r\n",
     NULL, 0},
    {"text before the block", "made today\n" BEGIN ED END, NULL, 0},
    {"with another public key", BEGIN ED_V2 ED_V2_WRONG END,
     "expected that of the private key", 28},
    {"empty", "", "no PEM block", 0},
    {"no PEM at all", "hello\n", "no PEM block", 0},
    {"no end", BEGIN ED, "without an end line", 93},
    {"another end", BEGIN ED "-----END RSA PRIVATE KEY-----\n",
     "expected the label of the begin line", 93},
    {"not base64", BEGIN "M*4C\n" END, "expected base64", 29},
    {"label of nothing known", "-----BEGIN X-----\n-----END X-----\n",
     "PEM label, expected", 11},
    {"PKCS#1 label, PKCS#8 inside",
     "-----BEGIN RSA PRIVATE KEY-----\n" ED "-----END RSA PRIVATE KEY-----\n",
     "RSA modulus, expected INTEGER", 32},
    {"empty block", BEGIN END, "expected SEQUENCE", 28},
    {"cut inside", BEGIN "MC4CAQAwBQYDK2VwBCIEINTuctv5\n" END, "past the end",
     28},
    {"octets behind",
     BEGIN "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/"
           "HU++CXqI9EdVhCAAAA\n" END,
     "expected none", 28},
    {"an unknown algorithm",
     BEGIN "MC4CAQAwBQYDK2VxBCIEINTuctv5E1hK1bbY8fdp+"
           "K06/nwoy/HU++CXqI9EdVhC\n" END,
     "expected rsaEncryption or Ed25519", 28},
    {"indefinite length",
     BEGIN "MIACAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/"
           "nwoy/HU++CXqI9EdVhC\n" END,
     "expected a definite one", 28},
};

static void test_text_row(void **state)
{
    const struct text_row *row = *state;
    struct t_world w = {0};
    struct loaded l;

    t_world_init(&w);
    l = load_text(&w, row->pem, strlen(row->pem));
    if (row->want == NULL) {
        assert_int_equal(l.ret, 0);
    } else {
        assert_int_equal(l.ret, ONWARD_ESYNTAX);
        assert_null(l.key);
        if (strstr(l.fault.text, row->want) == NULL)
            fail_msg("says: %s", l.fault.text);
        assert_int_equal(l.fault.offset, row->offset);
    }
    onward_key_free(l.key);
    t_world_clear(&w);
}

static const struct file_row {
    const char *name, *want;
    int ret;
} file_rows[] = {
    {"rsa2048-encrypted.pem", "encrypted", ONWARD_ESYNTAX},
    {"rsa2048-encrypted-old.pem", "encrypted", ONWARD_ESYNTAX},
    {"rsa2048-public.pem", "public key, expected a private", ONWARD_ESYNTAX},
    {"rsa2048-three-primes.pem", "expected 0 (two primes)", ONWARD_ESYNTAX},
    {"ec.pem", "elliptic curve", ONWARD_ESYNTAX},
    {"rsa512.pem", "expected 1024 to 4096", ONWARD_ELIMIT},
};

static void test_file_row(void **state)
{
    const struct file_row *row = *state;
    struct t_world w = {0};
    struct loaded l;

    t_world_init(&w);
    l = load_file(&w, row->name);
    assert_int_equal(l.ret, row->ret);
    if (strstr(l.fault.text, row->want) == NULL)
        fail_msg("says: %s", l.fault.text);
    if (row->ret == ONWARD_ELIMIT)
        assert_int_equal(l.fault.bits, 512);
    t_world_clear(&w);
}

/* The DER of the test key; free() it. */
static uint8_t *key_der(size_t *len)
{
    char *pem = read_data("rsa2048-pkcs1.pem"), *body, *end;
    uint8_t *der = malloc(4096);
    size_t bits = 0, have = 0;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                   "qrstuvwxyz0123456789+/";

    assert_non_null(der);
    body = strchr(pem, '\n');
    end = strstr(body, "-----END");
    *len = 0;
    for (; body < end; body++) {
        const char *at = strchr(alphabet, *body);

        if (at == NULL || *body == '\0')
            continue;
        bits = (bits << 6 | (size_t)(at - alphabet)) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            der[(*len)++] = (uint8_t)(bits >> have & 0xff);
        }
    }
    free(pem);
    return der;
}

/* No octet of a key can change unseen, but for the private exponent, which
 * nothing reads, and no cut is taken. */
static void test_damaged(void **state)
{
    struct t_world w = {0};
    struct onward_key *key = NULL;
    size_t len, d_at, d_end;
    uint8_t *der;

    (void)state;
    t_world_init(&w);
    der = key_der(&len);
    assert_int_equal(onward_key_from_der(w.ctx, der, len, NULL, &key), 0);
    onward_key_free(key);
    for (size_t i = 0; i < len; i++)
        assert_true(onward_key_from_der(w.ctx, der, i, NULL, &key) < 0);
    /* SEQUENCE 4, version 3, n 4 + 257, e 5, d 4 + 256 or 257 */
    d_at = 4 + 3 + 261 + 5 + 4;
    d_end = d_at + der[d_at - 1] + 256U * der[d_at - 2];
    for (size_t i = 0; i < len; i++) {
        if (i >= d_at && i < d_end)
            continue;
        for (unsigned bit = 0; bit < 8; bit += 7) {
            der[i] ^= (uint8_t)(1U << bit);
            if (onward_key_from_der(w.ctx, der, len, NULL, &key) == 0)
                fail_msg("octet %zu, bit %u", i, bit);
            der[i] ^= (uint8_t)(1U << bit);
        }
    }
    free(der);
    t_world_clear(&w);
}

/* ---- Public keys ------------------------------------------------------- */

static size_t put_head(uint8_t *out, uint8_t tag, size_t len)
{
    size_t at = 0;

    out[at++] = tag;
    if (len >= 256) {
        out[at++] = 0x82;
        out[at++] = (uint8_t)(len >> 8);
    } else if (len >= 128) {
        out[at++] = 0x81;
    }
    out[at++] = (uint8_t)(len & 0xff);
    return at;
}

/* RSAPublicKey with a modulus of len octets and the exponent of e_len. */
static size_t make_rsa(uint8_t *out, size_t len, uint8_t first, uint8_t last,
                       const uint8_t *e, size_t e_len)
{
    uint8_t body[600];
    size_t zero = first >= 0x80 ? 1 : 0;
    size_t at = put_head(body, 2, len + zero), head;

    if (zero == 1)
        body[at++] = 0;
    memset(body + at, 0x5a, len);
    body[at] = first;
    body[at + len - 1] = last;
    at += len;
    at += put_head(body + at, 2, e_len);
    memcpy(body + at, e, e_len);
    at += e_len;
    head = put_head(out, 0x30, at);
    memcpy(out + head, body, at);
    return head + at;
}

static const struct rsa_row {
    const char *name;
    size_t len;
    uint8_t first, last;
    uint8_t e[10];
    size_t e_len;
    int want;
} rsa_rows[] = {
    {"1024 bits", 128, 0x80, 1, {1, 0, 1}, 3, 0},
    {"1023 bits", 128, 0x7f, 1, {1, 0, 1}, 3, ONWARD_ELIMIT},
    {"4096 bits", 512, 0xff, 1, {1, 0, 1}, 3, 0},
    {"4097 bits", 513, 0x01, 1, {1, 0, 1}, 3, ONWARD_ELIMIT},
    {"even modulus", 256, 0x80, 2, {1, 0, 1}, 3, ONWARD_ESYNTAX},
    {"exponent 3", 256, 0x80, 1, {3}, 1, 0},
    {"exponent 1", 256, 0x80, 1, {1}, 1, ONWARD_ESYNTAX},
    {"exponent 0", 256, 0x80, 1, {0}, 1, ONWARD_ESYNTAX},
    {"even exponent", 256, 0x80, 1, {4}, 1, ONWARD_ESYNTAX},
    {"exponent of 64 bits", 256, 0x80, 1, {0, 255, 1, 1, 1, 1, 1, 1, 1}, 9, 0},
    {"exponent of 65 bits",
     256,
     0x80,
     1,
     {1, 1, 1, 1, 1, 1, 1, 1, 1},
     9,
     ONWARD_ESYNTAX},
    {"negative exponent", 256, 0x80, 1, {0x81}, 1, ONWARD_ESYNTAX},
    {"exponent with a needless zero", 256, 0x80, 1, {0, 3}, 2, ONWARD_ESYNTAX},
};

static void test_rsa_row(void **state)
{
    const struct rsa_row *row = *state;
    struct onward_key_fault fault = {.size = sizeof(fault)};
    uint8_t der[600], out[600], signature[512] = {0}, digest[32] = {0};
    struct onward_pubkey *pub = NULL;
    struct t_world w = {0};
    size_t len =
        make_rsa(der, row->len, row->first, row->last, row->e, row->e_len);

    t_world_init(&w);
    assert_int_equal(onward_pubkey_from_der(w.ctx, der, len, &fault, &pub),
                     row->want);
    if (row->want == 0) {
        int written = onward_pubkey_to_der(pub, out, sizeof(out));

        assert_true(written > 0);
        assert_memory_equal(out + (size_t)written - len, der, len);
        assert_int_equal(onward_pubkey_to_der(pub, out, (size_t)written - 1),
                         ONWARD_ELIMIT);
        assert_false(onward_pubkey_verify(pub, ONWARD_KEY_RSA, digest,
                                          signature, row->len));
        memset(signature, 0xff, sizeof(signature));
        assert_false(onward_pubkey_verify(pub, ONWARD_KEY_RSA, digest,
                                          signature, row->len));
    } else {
        assert_non_null(fault.text);
    }
    onward_pubkey_free(pub);
    t_world_clear(&w);
}

/* RFC 8463 appendix A.2: the seed, and the p= of its public key. */
static void test_seed(void **state)
{
    static const uint8_t seed[32] = {
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
        0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
        0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    struct onward_pubkey *same;
    struct onward_key *key;
    struct t_world w = {0};
    uint8_t der[64], id[32], id2[32];
    char p[64];

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_key_from_ed25519_seed(w.ctx, seed, 31, &key),
                     ONWARD_EINVAL);
    assert_int_equal(onward_key_from_ed25519_seed(w.ctx, seed, 32, &key), 0);
    assert_int_equal(onward_pubkey_to_p(onward_key_public(key), p, sizeof(p)),
                     44);
    assert_string_equal(p, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_int_equal(
        onward_pubkey_to_der(onward_key_public(key), der, sizeof(der)), 44);
    assert_int_equal(onward_pubkey_from_der(w.ctx, der, 44, NULL, &same), 0);
    onward_pubkey_id(onward_key_public(key), id);
    onward_pubkey_id(same, id2);
    assert_memory_equal(id, id2, 32);
    onward_pubkey_free(same);
    onward_key_free(key);
    t_world_clear(&w);
}

/* ---- Making ------------------------------------------------------------ */

static void test_generate(void **state)
{
    struct onward_key *key;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 1024, &key), 0);
    assert_int_equal(onward_pubkey_bits(onward_key_public(key)), 1024);
    onward_key_free(key);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_ED25519, 0, &key),
                     0);
    onward_key_free(key);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 768, &key),
                     ONWARD_EINVAL);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 1030, &key),
                     ONWARD_EINVAL);
    assert_int_equal(onward_key_generate(w.ctx, 3, 0, &key), ONWARD_EINVAL);
    w.random_fails = true;
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 1024, &key),
                     ONWARD_ERANDOM);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_ED25519, 0, &key),
                     ONWARD_ERANDOM);
    t_world_clear(&w);
}

static bool load_and_write(struct t_world *w, void *arg)
{
    struct loaded l = load_file(w, arg);
    char pem[4096], p[800];
    bool ok = l.ret == 0 && onward_key_to_pem(l.key, pem, sizeof(pem)) > 0 &&
              onward_pubkey_to_p(onward_key_public(l.key), p, sizeof(p)) > 0;

    onward_key_free(l.key);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(load_and_write, (void *)"rsa2048.pem");
    t_oom_sweep(load_and_write, (void *)"ed25519.pem");
}

/* A caller built against a shorter struct gets what it knows, and no more. */
static void test_older_fault_struct(void **state)
{
    struct onward_key_fault fault = {
        .size = offsetof(struct onward_key_fault, bits), .bits = 4711};
    struct onward_key *key;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_key_from_pem(w.ctx, ONWARD_STR(BEGIN "x"), &fault, &key),
        ONWARD_ESYNTAX);
    assert_int_equal(fault.offset, 29);
    assert_int_equal(fault.bits, 4711);
    assert_null(fault.text);
    t_world_clear(&w);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct CMUnitTest tests[96];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction run, const void *row)
{
    tests[test_count++] = (struct CMUnitTest){
        .name = name, .test_func = run, .initial_state = (void *)row};
}

int main(void)
{
    for (size_t i = 0; i < COUNT(signed_rows); i++)
        add(signed_rows[i].name, test_signed_row, &signed_rows[i]);
    for (size_t i = 0; i < COUNT(text_rows); i++)
        add(text_rows[i].name, test_text_row, &text_rows[i]);
    for (size_t i = 0; i < COUNT(file_rows); i++)
        add(file_rows[i].name, test_file_row, &file_rows[i]);
    for (size_t i = 0; i < COUNT(rsa_rows); i++)
        add(rsa_rows[i].name, test_rsa_row, &rsa_rows[i]);
    add("damaged", test_damaged, NULL);
    add("seed of RFC 8463", test_seed, NULL);
    add("generate", test_generate, NULL);
    add("older fault struct", test_older_fault_struct, NULL);
    add("out of memory", test_oom, NULL);
    return _cmocka_run_group_tests("key", tests, test_count, NULL, NULL);
}
