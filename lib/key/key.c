/*
 * Private keys: reading PKCS#8 and PKCS#1, life and end. PEM is in pem.c,
 * arithmetic in rsa.c, making new ones in generate.c.
 */
#include "key/key_priv.h"

#include <nettle/eddsa.h>

static int new_key(struct onward_ctx *ctx, struct onward_key **out)
{
    struct onward_key *key = onward_core__zalloc(ctx, sizeof(*key));

    if (key == NULL)
        return ONWARD_ENOMEM;
    key->ctx = onward_ctx_ref(ctx);
    atomic_init(&key->refs, 1);
    *out = key;
    return 0;
}

/* ---- RSA --------------------------------------------------------------- */

struct rsa_parts {
    struct onward_key__der n, e, d, p, q, dp, dq, qinv;
};

static int read_parts(struct onward_key__der *seq, struct rsa_parts *parts,
                      struct onward_key__why *why)
{
    struct {
        struct onward_key__der *into;
        const char *what;
    } const fields[] = {
        {&parts->n, "RSA modulus, expected INTEGER"},
        {&parts->e, "RSA public exponent, expected INTEGER"},
        {&parts->d, "RSA private exponent, expected INTEGER"},
        {&parts->p, "RSA prime p, expected INTEGER"},
        {&parts->q, "RSA prime q, expected INTEGER"},
        {&parts->dp, "RSA exponent of p, expected INTEGER"},
        {&parts->dq, "RSA exponent of q, expected INTEGER"},
        {&parts->qinv, "RSA coefficient, expected INTEGER"},
    };
    struct onward_key__der version;
    int ret = onward_key__der_uint(seq, &version, why,
                                   "RSAPrivateKey version, expected INTEGER");

    if (ret != 0)
        return ret;
    /* Version 1 has more than two primes (RFC 8017 appendix A.1.2). */
    if (version.len != 0)
        return onward_key__der_bad(why, version.offset,
                                   "RSAPrivateKey version, expected 0 (two "
                                   "primes)");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        ret = onward_key__der_uint(seq, fields[i].into, why, fields[i].what);
        if (ret != 0)
            return ret;
    }
    return onward_key__der_end(seq, why,
                               "octets after the RSA coefficient, expected "
                               "none");
}

static mp_size_t limbs_of(const struct onward_key__der *number)
{
    return (mp_size_t)((number->len + ONWARD_KEY__LIMB_OCTETS - 1) /
                       ONWARD_KEY__LIMB_OCTETS);
}

static void load_limbs(mp_limb_t *out, mp_size_t limbs,
                       const struct onward_key__der *number)
{
    onward_key__limbs_from(out, limbs, number->data, number->len);
}

static int load_primes(struct onward_key__primes *rsa,
                       const struct rsa_parts *parts,
                       struct onward_key__why *why)
{
    size_t p_bits = onward_key__bits(&parts->p);
    size_t q_bits = onward_key__bits(&parts->q);
    size_t n_bits = onward_key__bits(&parts->n);

    if (p_bits < n_bits / 4 || p_bits > n_bits * 3 / 4 || q_bits < n_bits / 4 ||
        q_bits > n_bits * 3 / 4)
        return onward_key__der_bad(why, parts->p.offset,
                                   "RSA primes, expected two of about half "
                                   "the modulus");
    if (onward_key__bits(&parts->dp) > p_bits ||
        onward_key__bits(&parts->dq) > q_bits ||
        onward_key__bits(&parts->qinv) > p_bits)
        return onward_key__der_bad(why, parts->dp.offset,
                                   "RSA exponents or coefficient, expected "
                                   "less than the primes");
    rsa->p_bits = p_bits;
    rsa->q_bits = q_bits;
    rsa->p_limbs = limbs_of(&parts->p);
    rsa->q_limbs = limbs_of(&parts->q);
    load_limbs(rsa->p, rsa->p_limbs, &parts->p);
    load_limbs(rsa->q, rsa->q_limbs, &parts->q);
    load_limbs(rsa->dp, rsa->p_limbs, &parts->dp);
    load_limbs(rsa->dq, rsa->q_limbs, &parts->dq);
    load_limbs(rsa->qinv, rsa->p_limbs, &parts->qinv);
    return 0;
}

/* whole is the RSAPrivateKey element, kept for writing. */
static int load_rsa(struct onward_key *key, struct onward_key__der whole,
                    struct onward_key__why *why)
{
    struct onward_key__der in = whole, seq;
    struct rsa_parts parts;
    int ret = onward_key__der_take(&in, ONWARD_DER_SEQUENCE, &seq, why,
                                   "RSAPrivateKey, expected SEQUENCE");

    if (ret == 0)
        ret = onward_key__der_end(&in, why,
                                  "octets after RSAPrivateKey, expected none");
    if (ret == 0)
        ret = read_parts(&seq, &parts, why);
    if (ret == 0)
        ret = onward_key__pubkey_new_rsa(key->ctx, &parts.n, &parts.e, why,
                                         &key->pub);
    if (ret == 0)
        ret = load_primes(&key->rsa, &parts, why);
    if (ret != 0)
        return ret;
    if (!onward_key__primes_fit(key->ctx, &key->rsa, key->pub, &ret))
        return ret != 0 ? ret
                        : onward_key__der_bad(why, parts.n.offset,
                                              "RSA key parts that do not "
                                              "belong together, expected one "
                                              "key");
    onward_key__primes_prepare(&key->rsa);
    key->pkcs1 = onward_core__alloc(key->ctx, whole.len);
    if (key->pkcs1 == NULL)
        return ONWARD_ENOMEM;
    memcpy(key->pkcs1, whole.data, whole.len);
    key->pkcs1_len = whole.len;
    return 0;
}

/* ---- Ed25519 ----------------------------------------------------------- */

static int load_ed25519(struct onward_key *key, const uint8_t *seed)
{
    uint8_t raw[ED25519_KEY_SIZE];

    memcpy(key->seed, seed, sizeof(key->seed));
    ed25519_sha512_public_key(raw, seed);
    return onward_pubkey_from_ed25519(key->ctx, raw, sizeof(raw), &key->pub);
}

/* ---- PKCS#8 ------------------------------------------------------------ */

/* RFC 5958: attributes [0] and publicKey [1] may follow. The first is of no
 * use; the second must be the public key that we computed. */
static int check_rest(struct onward_key__der *seq, bool is_v2,
                      const struct onward_pubkey *pub,
                      struct onward_key__why *why)
{
    struct onward_key__der part;
    int ret;

    if (onward_key__der_peek(seq) == ONWARD_DER_CONTEXT_0) {
        ret = onward_key__der_take(seq, ONWARD_DER_CONTEXT_0, &part, why, "");
        if (ret != 0)
            return ret;
    }
    if (is_v2 && onward_key__der_peek(seq) == ONWARD_DER_CONTEXT_1) {
        ret = onward_key__der_take(seq, ONWARD_DER_CONTEXT_1, &part, why, "");
        if (ret != 0)
            return ret;
        if (pub->type == ONWARD_KEY_ED25519 &&
            (part.len != 33 || part.data[0] != 0 ||
             memcmp(part.data + 1, pub->ed25519, 32) != 0))
            return onward_key__der_bad(why, part.offset,
                                       "public key in PKCS#8, expected that "
                                       "of the private key");
    }
    return onward_key__der_end(seq, why,
                               "octets after the private key, expected none");
}

static int load_pkcs8(struct onward_key *key, struct onward_key__der seq,
                      struct onward_key__why *why)
{
    struct onward_key__der version, octets, seed;
    uint32_t type;
    bool is_v2;
    int ret = onward_key__der_uint(&seq, &version, why,
                                   "PKCS#8 version, expected INTEGER");

    if (ret != 0)
        return ret;
    if (version.len > 1 || (version.len == 1 && version.data[0] != 1))
        return onward_key__der_bad(why, version.offset,
                                   "PKCS#8 version, expected 0 or 1");
    is_v2 = version.len == 1;
    ret = onward_key__der_algorithm(&seq, &type, why);
    if (ret == 0)
        ret = onward_key__der_take(&seq, ONWARD_DER_OCTET_STRING, &octets, why,
                                   "private key, expected OCTET STRING");
    if (ret != 0)
        return ret;
    if (type == ONWARD_KEY_RSA) {
        ret = load_rsa(key, octets, why);
    } else {
        /* RFC 8410 section 7: CurvePrivateKey is an OCTET STRING in it. */
        ret = onward_key__der_take(&octets, ONWARD_DER_OCTET_STRING, &seed, why,
                                   "Ed25519 key, expected OCTET STRING");
        if (ret == 0 && (seed.len != 32 || octets.len != 0))
            ret = onward_key__der_bad(why, seed.offset,
                                      "Ed25519 key, expected 32 octets");
        if (ret == 0)
            ret = load_ed25519(key, seed.data);
    }
    return ret != 0 ? ret : check_rest(&seq, is_v2, key->pub, why);
}

/*
 * What stands first tells the forms apart: PKCS#8 has SEQUENCE after the
 * version, PKCS#1 has INTEGER; an encrypted key begins with a SEQUENCE.
 */
static int load_any(struct onward_key *key, struct onward_key__der in,
                    enum onward_key__form form, struct onward_key__why *why)
{
    struct onward_key__der rest = in, seq, peek, version;
    int ret = onward_key__der_take(&rest, ONWARD_DER_SEQUENCE, &seq, why,
                                   "private key, expected SEQUENCE");

    if (ret == 0)
        ret = onward_key__der_end(&rest, why,
                                  "octets after the private key, expected "
                                  "none");
    if (ret != 0)
        return ret;
    if (form == ONWARD_KEY__FORM_PKCS8)
        return load_pkcs8(key, seq, why);
    if (form == ONWARD_KEY__FORM_PKCS1)
        return load_rsa(key, in, why);
    if (onward_key__der_peek(&seq) == ONWARD_DER_SEQUENCE)
        return onward_key__der_bad(why, seq.offset,
                                   "encrypted or public key, expected an "
                                   "unencrypted private key");
    peek = seq;
    ret = onward_key__der_uint(&peek, &version, why,
                               "private key version, expected INTEGER");
    if (ret != 0)
        return ret;
    if (onward_key__der_peek(&peek) == ONWARD_DER_SEQUENCE)
        return load_pkcs8(key, seq, why);
    return load_rsa(key, in, why);
}

int onward_key__read(struct onward_ctx *ctx, struct onward_key__der in,
                     enum onward_key__form form, struct onward_key__why *why,
                     struct onward_key **out)
{
    struct onward_key *key;
    int ret = new_key(ctx, &key);

    if (ret != 0)
        return ret;
    ret = load_any(key, in, form, why);
    if (ret != 0) {
        onward_key_free(key);
        return ret;
    }
    *out = key;
    return 0;
}

int onward_key_from_der(struct onward_ctx *ctx, const void *der, size_t len,
                        struct onward_key_fault *fault, struct onward_key **key)
{
    struct onward_key__der in = {.data = der, .len = len};
    struct onward_key__why why = {0};
    int ret;

    if (ctx == NULL || key == NULL || (der == NULL && len != 0))
        return ONWARD_EINVAL;
    ret = onward_key__read(ctx, in, ONWARD_KEY__FORM_ANY, &why, key);
    if (ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT)
        onward_key__fault_set(fault, &why);
    return ret;
}

int onward_key_from_ed25519_seed(struct onward_ctx *ctx, const void *seed,
                                 size_t len, struct onward_key **out)
{
    struct onward_key *key;
    int ret;

    if (ctx == NULL || seed == NULL || out == NULL || len != 32)
        return ONWARD_EINVAL;
    ret = new_key(ctx, &key);
    if (ret != 0)
        return ret;
    ret = load_ed25519(key, seed);
    if (ret != 0) {
        onward_key_free(key);
        return ret;
    }
    *out = key;
    return 0;
}

struct onward_key *onward_key_ref(struct onward_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void onward_key_free(struct onward_key *key)
{
    struct onward_ctx *ctx;

    if (key == NULL ||
        atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = key->ctx;
    onward_pubkey_free(key->pub);
    if (key->pkcs1 != NULL)
        onward_core__wipe(key->pkcs1, key->pkcs1_len);
    onward_core__free(ctx, key->pkcs1);
    onward_core__wipe(key, sizeof(*key));
    onward_core__free(ctx, key);
    onward_ctx_free(ctx);
}

struct onward_pubkey *onward_key_public(const struct onward_key *key)
{
    return key->pub;
}
