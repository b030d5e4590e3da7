/*
 * Public keys: reading, writing and verifying. Signing is in rsa.c and
 * signer.c.
 */
#include "key/pubkey_priv.h"

#include <nettle/eddsa.h>
#include <nettle/sha2.h>

#include "core/text_shared.h"
#include "key/key_shared.h"

void onward_key__limbs_from(mp_limb_t *out, mp_size_t limbs,
                            const uint8_t *data, size_t len)
{
    for (mp_size_t i = 0; i < limbs; i++) {
        size_t n =
            len < ONWARD_KEY__LIMB_OCTETS ? len : ONWARD_KEY__LIMB_OCTETS;
        mp_limb_t limb = 0;

        len -= n;
        for (size_t k = 0; k < n; k++)
            limb = limb << 8 | data[len + k];
        out[i] = limb;
    }
}

void onward_key__limbs_to(uint8_t *out, size_t len, const mp_limb_t *in,
                          mp_size_t limbs)
{
    for (size_t i = 0; i < len; i++) {
        size_t at = i / ONWARD_KEY__LIMB_OCTETS;
        mp_limb_t limb = at < (size_t)limbs ? in[at] : 0;

        out[len - 1 - i] =
            (uint8_t)(limb >> (8 * (i % ONWARD_KEY__LIMB_OCTETS)) & 0xff);
    }
}

size_t onward_key__bits(const struct onward_key__der *number)
{
    size_t bits;

    if (number->len == 0)
        return 0;
    bits = (number->len - 1) * 8;
    for (unsigned top = number->data[0]; top != 0; top >>= 1)
        bits++;
    return bits;
}

static int new_pubkey(struct onward_ctx *ctx, uint32_t type,
                      struct onward_pubkey **out)
{
    struct onward_pubkey *pub = onward_core__zalloc(ctx, sizeof(*pub));

    if (pub == NULL)
        return ONWARD_ENOMEM;
    pub->ctx = onward_ctx_ref(ctx);
    atomic_init(&pub->refs, 1);
    pub->type = type;
    *out = pub;
    return 0;
}

static int check_rsa(const struct onward_key__der *n,
                     const struct onward_key__der *e,
                     struct onward_key__why *why)
{
    size_t bits = onward_key__bits(n);

    if (bits < ONWARD_KEY_RSA_BITS_MIN || bits > ONWARD_KEY_RSA_BITS_MAX) {
        why->offset = n->offset;
        why->bits = bits;
        why->text = "RSA modulus size, expected 1024 to 4096 bits";
        return ONWARD_ELIMIT;
    }
    if ((n->data[n->len - 1] & 1) == 0)
        return onward_key__der_bad(why, n->offset,
                                   "even RSA modulus, expected an odd one");
    /* A long exponent would make each verification slow at a peer's wish. */
    if (e->len == 0 || e->len > 8 || (e->data[e->len - 1] & 1) == 0 ||
        (e->len == 1 && e->data[0] < 3))
        return onward_key__der_bad(why, e->offset,
                                   "RSA exponent, expected an odd number "
                                   "from 3 to 2^64");
    return 0;
}

int onward_key__pubkey_new_rsa(struct onward_ctx *ctx,
                               const struct onward_key__der *n,
                               const struct onward_key__der *e,
                               struct onward_key__why *why,
                               struct onward_pubkey **out)
{
    struct onward_pubkey *pub;
    int ret = check_rsa(n, e, why);

    if (ret == 0)
        ret = new_pubkey(ctx, ONWARD_KEY_RSA, &pub);
    if (ret != 0)
        return ret;
    pub->bits = onward_key__bits(n);
    pub->octets = n->len;
    pub->n_limbs = (mp_size_t)((n->len + ONWARD_KEY__LIMB_OCTETS - 1) /
                               ONWARD_KEY__LIMB_OCTETS);
    pub->e_limbs = (mp_size_t)((e->len + ONWARD_KEY__LIMB_OCTETS - 1) /
                               ONWARD_KEY__LIMB_OCTETS);
    onward_key__limbs_from(pub->n, pub->n_limbs, n->data, n->len);
    onward_key__limbs_from(pub->e, pub->e_limbs, e->data, e->len);
    onward_key__rsa_prepare(pub);
    *out = pub;
    return 0;
}

/* RSAPublicKey ::= SEQUENCE { modulus, publicExponent }; seq is its content. */
static int read_rsa(struct onward_ctx *ctx, struct onward_key__der *seq,
                    struct onward_key__why *why, struct onward_pubkey **out)
{
    struct onward_key__der n, e;
    int ret =
        onward_key__der_uint(seq, &n, why, "RSA modulus, expected INTEGER");

    if (ret == 0)
        ret = onward_key__der_uint(seq, &e, why,
                                   "RSA exponent, expected INTEGER");
    if (ret == 0)
        ret = onward_key__der_end(seq, why,
                                  "octets after the RSA exponent, expected "
                                  "none");
    if (ret != 0)
        return ret;
    return onward_key__pubkey_new_rsa(ctx, &n, &e, why, out);
}

/* The subjectPublicKey BIT STRING, in whole octets. */
static int read_spki_bits(struct onward_ctx *ctx, struct onward_key__der *spki,
                          uint32_t type, struct onward_key__why *why,
                          struct onward_pubkey **out)
{
    struct onward_key__der bits, seq;
    int ret = onward_key__der_take(spki, ONWARD_DER_BIT_STRING, &bits, why,
                                   "public key, expected BIT STRING");

    if (ret == 0)
        ret = onward_key__der_end(spki, why,
                                  "octets after the public key, expected none");
    if (ret != 0)
        return ret;
    if (bits.len == 0 || bits.data[0] != 0)
        return onward_key__der_bad(why, bits.offset,
                                   "public key bits, expected whole octets");
    bits.data++;
    bits.len--;
    bits.offset++;
    if (type == ONWARD_KEY_ED25519) {
        if (bits.len != 32)
            return onward_key__der_bad(why, bits.offset,
                                       "Ed25519 public key, expected 32 "
                                       "octets");
        return onward_pubkey_from_ed25519(ctx, bits.data, 32, out);
    }
    ret = onward_key__der_take(&bits, ONWARD_DER_SEQUENCE, &seq, why,
                               "RSAPublicKey, expected SEQUENCE");
    if (ret == 0)
        ret = onward_key__der_end(&bits, why,
                                  "octets after RSAPublicKey, expected none");
    if (ret != 0)
        return ret;
    return read_rsa(ctx, &seq, why, out);
}

static int read_public(struct onward_ctx *ctx, struct onward_key__der in,
                       struct onward_key__why *why, struct onward_pubkey **out)
{
    struct onward_key__der seq;
    uint32_t type;
    int ret = onward_key__der_take(&in, ONWARD_DER_SEQUENCE, &seq, why,
                                   "public key, expected SEQUENCE");

    if (ret == 0)
        ret = onward_key__der_end(&in, why,
                                  "octets after the public key, expected none");
    if (ret != 0)
        return ret;
    if (onward_key__der_peek(&seq) == ONWARD_DER_INTEGER)
        return read_rsa(ctx, &seq, why, out);
    ret = onward_key__der_algorithm(&seq, &type, why);
    if (ret != 0)
        return ret;
    return read_spki_bits(ctx, &seq, type, why, out);
}

int onward_pubkey_from_der(struct onward_ctx *ctx, const void *der, size_t len,
                           struct onward_key_fault *fault,
                           struct onward_pubkey **pub)
{
    struct onward_key__der in = {.data = der, .len = len};
    struct onward_key__why why = {0};
    int ret;

    if (ctx == NULL || pub == NULL || (der == NULL && len != 0))
        return ONWARD_EINVAL;
    ret = read_public(ctx, in, &why, pub);
    if (ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT)
        onward_key__fault_set(fault, &why);
    return ret;
}

int onward_pubkey_from_ed25519(struct onward_ctx *ctx, const void *raw,
                               size_t len, struct onward_pubkey **out)
{
    struct onward_pubkey *pub;
    int ret;

    if (ctx == NULL || raw == NULL || out == NULL || len != 32)
        return ONWARD_EINVAL;
    ret = new_pubkey(ctx, ONWARD_KEY_ED25519, &pub);
    if (ret != 0)
        return ret;
    pub->bits = 256;
    pub->octets = ED25519_SIGNATURE_SIZE;
    memcpy(pub->ed25519, raw, 32);
    *out = pub;
    return 0;
}

struct onward_pubkey *onward_pubkey_ref(struct onward_pubkey *pub)
{
    atomic_fetch_add_explicit(&pub->refs, 1, memory_order_relaxed);
    return pub;
}

void onward_pubkey_free(struct onward_pubkey *pub)
{
    struct onward_ctx *ctx;

    if (pub == NULL ||
        atomic_fetch_sub_explicit(&pub->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = pub->ctx;
    onward_core__free(ctx, pub);
    onward_ctx_free(ctx);
}

uint32_t onward_pubkey_type(const struct onward_pubkey *pub)
{
    return pub->type;
}

size_t onward_pubkey_bits(const struct onward_pubkey *pub)
{
    return pub->bits;
}

size_t onward_pubkey_signature_len(const struct onward_pubkey *pub)
{
    return pub->octets;
}

size_t onward_key__pubkey_bytes(const struct onward_pubkey *pub)
{
    return sizeof(*pub);
}

/* ---- Writing ----------------------------------------------------------- */

/* Tag, length and content up to n of a DER head that never changes. */
static const uint8_t ed25519_spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const uint8_t rsa_algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a,
                                        0x86, 0x48, 0x86, 0xf7, 0x0d,
                                        0x01, 0x01, 0x01, 0x05, 0x00};

static size_t write_rsa_spki(const struct onward_pubkey *pub, uint8_t *out,
                             size_t cap)
{
    uint8_t n[ONWARD_KEY_RSA_BITS_MAX / 8], e[8];
    size_t numbers, key, bits, all, at;

    onward_key__limbs_to(n, pub->octets, pub->n, pub->n_limbs);
    onward_key__limbs_to(e, sizeof(e), pub->e, pub->e_limbs);
    numbers = onward_key__der_uint_len(n, pub->octets) +
              onward_key__der_uint_len(e, sizeof(e));
    key = onward_key__der_head_len(numbers) + numbers;
    bits = 1 + key;
    all = sizeof(rsa_algorithm) + onward_key__der_head_len(bits) + bits;
    if (onward_key__der_head_len(all) + all > cap)
        return 0;
    at = onward_key__der_head(out, ONWARD_DER_SEQUENCE, all);
    memcpy(out + at, rsa_algorithm, sizeof(rsa_algorithm));
    at += sizeof(rsa_algorithm);
    at += onward_key__der_head(out + at, ONWARD_DER_BIT_STRING, bits);
    out[at++] = 0;
    at += onward_key__der_head(out + at, ONWARD_DER_SEQUENCE, numbers);
    at += onward_key__der_put_uint(out + at, n, pub->octets);
    at += onward_key__der_put_uint(out + at, e, sizeof(e));
    return at;
}

int onward_pubkey_to_der(const struct onward_pubkey *pub, void *der, size_t cap)
{
    size_t len;

    if (pub == NULL || der == NULL)
        return ONWARD_EINVAL;
    if (pub->type == ONWARD_KEY_RSA) {
        len = write_rsa_spki(pub, der, cap);
        return len == 0 ? ONWARD_ELIMIT : (int)len;
    }
    len = sizeof(ed25519_spki) + sizeof(pub->ed25519);
    if (cap < len)
        return ONWARD_ELIMIT;
    memcpy(der, ed25519_spki, sizeof(ed25519_spki));
    memcpy((uint8_t *)der + sizeof(ed25519_spki), pub->ed25519,
           sizeof(pub->ed25519));
    return (int)len;
}

int onward_pubkey_to_p(const struct onward_pubkey *pub, char *text, size_t cap)
{
    uint8_t der[600];
    const uint8_t *data = der;
    struct onward_buf b;
    size_t len = sizeof(pub->ed25519);
    int ret;

    if (pub == NULL || text == NULL)
        return ONWARD_EINVAL;
    if (pub->type == ONWARD_KEY_ED25519)
        data = pub->ed25519;
    else
        len = write_rsa_spki(pub, der, sizeof(der));
    onward_core__buf_init(&b, pub->ctx, 1024);
    ret = onward_core__base64_encode(&b, data, len);
    if (ret == 0 && b.len >= cap)
        ret = ONWARD_ELIMIT;
    if (ret == 0) {
        memcpy(text, b.data, b.len);
        text[b.len] = '\0';
        ret = (int)b.len;
    }
    onward_core__buf_clear(&b);
    return ret;
}

void onward_pubkey_id(const struct onward_pubkey *pub, void *id)
{
    struct sha256_ctx hash;
    uint8_t der[600];
    int len = onward_pubkey_to_der(pub, der, sizeof(der));

    sha256_init(&hash);
    sha256_update(&hash, len > 0 ? (size_t)len : 0, der);
    sha256_digest(&hash, SHA256_DIGEST_SIZE, id);
}

/* ---- Verifying --------------------------------------------------------- */

void onward_key__digest_info(uint8_t out[ONWARD_KEY__DIGEST_INFO_LEN],
                             const uint8_t *digest)
{
    static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                   0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                   0x01, 0x05, 0x00, 0x04, 0x20};

    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), digest, ONWARD_KEY_DIGEST_LEN);
}

/* 128 octets, the shortest modulus, are room for all of it. */
void onward_key__rsa_pad(const struct onward_pubkey *pub, mp_limb_t *out,
                         const uint8_t *digest)
{
    uint8_t em[ONWARD_KEY_RSA_BITS_MAX / 8];
    size_t fill = pub->octets - ONWARD_KEY__DIGEST_INFO_LEN - 3;

    em[0] = 0;
    em[1] = 1;
    memset(em + 2, 0xff, fill);
    em[2 + fill] = 0;
    onward_key__digest_info(em + 3 + fill, digest);
    onward_key__limbs_from(out, pub->n_limbs, em, pub->octets);
}

/* The padded message is compared whole, never parsed; a signature not below n
 * is another number's (RFC 8017 section 5.2.2). */
static int verify_rsa(const struct onward_pubkey *pub, const uint8_t *digest,
                      const uint8_t *signature)
{
    mp_limb_t s[ONWARD_KEY__LIMBS_MAX], m[ONWARD_KEY__LIMBS_MAX];
    mp_limb_t want[ONWARD_KEY__LIMBS_MAX];

    onward_key__limbs_from(s, pub->n_limbs, signature, pub->octets);
    if (mpn_cmp(s, pub->n, pub->n_limbs) >= 0)
        return 0;
    onward_key__rsa_raise(pub, m, s);
    onward_key__rsa_pad(pub, want, digest);
    return mpn_cmp(m, want, pub->n_limbs) == 0;
}

bool onward_key__ed25519_verify(const struct onward_pubkey *pub,
                                const uint8_t *message, size_t message_len,
                                const uint8_t *signature, size_t len)
{
    return len == ED25519_SIGNATURE_SIZE &&
           ed25519_sha512_verify(pub->ed25519, message_len, message,
                                 signature) != 0;
}

int onward_pubkey_verify(const struct onward_pubkey *pub, uint32_t type,
                         const void *digest, const void *signature, size_t len)
{
    if (pub == NULL || digest == NULL || signature == NULL ||
        pub->type != type || len != pub->octets)
        return 0;
    if (type == ONWARD_KEY_RSA)
        return verify_rsa(pub, digest, signature);
    return onward_key__ed25519_verify(pub, digest, ONWARD_KEY_DIGEST_LEN,
                                      signature, len);
}
