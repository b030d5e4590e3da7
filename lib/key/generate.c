/*
 * Making keys, and writing them as PEM.
 */
#include "key/key_priv.h"

#include <nettle/rsa.h>
#include <nettle/yarrow.h>

#include "core/text_shared.h"

/* RSAPrivateKey of the longest modulus, with room to spare. */
#define PKCS1_MAX 2600
#define PEM_MAX 4096

static int random_der_key(struct onward_ctx *ctx, struct onward_key__der in,
                          struct onward_key **key)
{
    struct onward_key__why why = {0};
    int ret = onward_key__read(ctx, in, ONWARD_KEY__FORM_PKCS1, &why, key);

    return ret == ONWARD_ENOMEM ? ret : ret != 0 ? ONWARD_ECRYPTO : 0;
}

static size_t export_number(uint8_t out[ONWARD_KEY_RSA_BITS_MAX / 8],
                            const mpz_t number)
{
    mp_size_t limbs = (mp_size_t)mpz_size(number);
    size_t len = (size_t)limbs * ONWARD_KEY__LIMB_OCTETS;

    onward_key__limbs_to(out, len, mpz_limbs_read(number), limbs);
    return len;
}

/* RSAPrivateKey (RFC 8017 appendix A.1.2); the octets written. */
static size_t write_pkcs1(uint8_t out[PKCS1_MAX],
                          const struct rsa_public_key *pub,
                          const struct rsa_private_key *priv)
{
    const mpz_t *numbers[] = {&pub->n,  &pub->e,  &priv->d, &priv->p,
                              &priv->q, &priv->a, &priv->b, &priv->c};
    uint8_t number[ONWARD_KEY_RSA_BITS_MAX / 8];
    uint8_t body[PKCS1_MAX - 4];
    size_t len = onward_key__der_put_uint(body, NULL, 0), head;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        len += onward_key__der_put_uint(body + len, number,
                                        export_number(number, *numbers[i]));
    head = onward_key__der_head(out, ONWARD_DER_SEQUENCE, len);
    memcpy(out + head, body, len);
    onward_core__wipe(number, sizeof(number));
    onward_core__wipe(body, sizeof(body));
    return head + len;
}

/*
 * Nettle asks for random octets without a way to fail, and would ask for ever
 * if a failing source gave the same ones. So the source is asked once, for the
 * seed of a generator, Yarrow with AES-256.
 */
static int generate_rsa(struct onward_ctx *ctx, size_t bits,
                        struct onward_key **key)
{
    struct yarrow256_ctx generator;
    uint8_t seed[64], der[PKCS1_MAX];
    struct onward_key__der in = {.data = der};
    struct rsa_private_key priv;
    struct rsa_public_key pub;
    int ret = onward_core__random(ctx, seed, sizeof(seed));

    if (ret != 0)
        return ret;
    yarrow256_init(&generator, 0, NULL);
    yarrow256_seed(&generator, sizeof(seed), seed);
    rsa_public_key_init(&pub);
    rsa_private_key_init(&priv);
    mpz_set_ui(pub.e, 65537);
    if (rsa_generate_keypair(&pub, &priv, &generator,
                             (nettle_random_func *)yarrow256_random, NULL, NULL,
                             (unsigned)bits, 0)) {
        in.len = write_pkcs1(der, &pub, &priv);
        ret = random_der_key(ctx, in, key);
    } else {
        ret = ONWARD_ECRYPTO;
    }
    rsa_public_key_clear(&pub);
    rsa_private_key_clear(&priv);
    onward_core__wipe(&generator, sizeof(generator));
    onward_core__wipe(seed, sizeof(seed));
    onward_core__wipe(der, sizeof(der));
    return ret;
}

static int generate_ed25519(struct onward_ctx *ctx, struct onward_key **key)
{
    uint8_t seed[32];
    int ret = onward_core__random(ctx, seed, sizeof(seed));

    if (ret == 0)
        ret = onward_key_from_ed25519_seed(ctx, seed, sizeof(seed), key);
    onward_core__wipe(seed, sizeof(seed));
    return ret;
}

int onward_key_generate(struct onward_ctx *ctx, uint32_t type, size_t bits,
                        struct onward_key **key)
{
    if (ctx == NULL || key == NULL)
        return ONWARD_EINVAL;
    if (type == ONWARD_KEY_ED25519)
        return bits == 0 ? generate_ed25519(ctx, key) : ONWARD_EINVAL;
    if (bits == 0)
        bits = 2048;
    if (type != ONWARD_KEY_RSA || bits % 256 != 0 ||
        bits < ONWARD_KEY_RSA_BITS_MIN || bits > ONWARD_KEY_RSA_BITS_MAX)
        return ONWARD_EINVAL;
    return generate_rsa(ctx, bits, key);
}

/* ---- PEM --------------------------------------------------------------- */

/* PrivateKeyInfo (RFC 5208), version 0, of either type; the octets written. */
static size_t write_pkcs8(const struct onward_key *key, uint8_t *out)
{
    static const uint8_t ed25519[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
                                      0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
                                      0x04, 0x22, 0x04, 0x20};
    static const uint8_t rsa[] = {0x02, 0x01, 0x00, 0x30, 0x0d, 0x06,
                                  0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                  0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    size_t at = 0, body;

    if (key->pub->type == ONWARD_KEY_ED25519) {
        memcpy(out, ed25519, sizeof(ed25519));
        memcpy(out + sizeof(ed25519), key->seed, sizeof(key->seed));
        return sizeof(ed25519) + sizeof(key->seed);
    }
    body =
        sizeof(rsa) + onward_key__der_head_len(key->pkcs1_len) + key->pkcs1_len;
    at += onward_key__der_head(out, ONWARD_DER_SEQUENCE, body);
    memcpy(out + at, rsa, sizeof(rsa));
    at += sizeof(rsa);
    at +=
        onward_key__der_head(out + at, ONWARD_DER_OCTET_STRING, key->pkcs1_len);
    memcpy(out + at, key->pkcs1, key->pkcs1_len);
    return at + key->pkcs1_len;
}

/* Lines of 64 characters (RFC 7468 section 2). */
static int write_lines(struct onward_buf *pem, struct onward_str base64)
{
    onward_core__buf_add_text(pem, "-----BEGIN PRIVATE KEY-----\n");
    for (size_t at = 0; at < base64.len; at += 64) {
        onward_core__buf_add_str(pem, onward_core__sub(base64, at, at + 64));
        onward_core__buf_add_byte(pem, '\n');
    }
    return onward_core__buf_add_text(pem, "-----END PRIVATE KEY-----\n");
}

static void clear_secret(struct onward_buf *b)
{
    if (b->data != NULL)
        onward_core__wipe(b->data, b->cap);
    onward_core__buf_clear(b);
}

int onward_key_to_pem(const struct onward_key *key, char *text, size_t cap)
{
    uint8_t der[PKCS1_MAX + 32];
    struct onward_buf base64, pem;
    size_t len;
    int ret;

    if (key == NULL || text == NULL)
        return ONWARD_EINVAL;
    len = write_pkcs8(key, der);
    onward_core__buf_init(&base64, key->ctx, PEM_MAX);
    onward_core__buf_init(&pem, key->ctx, PEM_MAX);
    /* All room at once: a buffer that grows leaves copies behind. */
    ret = onward_core__buf_reserve(&base64, PEM_MAX);
    if (ret == 0)
        ret = onward_core__buf_reserve(&pem, PEM_MAX);
    if (ret == 0)
        ret = onward_core__base64_encode(&base64, der, len);
    if (ret == 0)
        ret = write_lines(&pem, onward_core__buf_str(&base64));
    if (ret == 0 && pem.len >= cap)
        ret = ONWARD_ELIMIT;
    if (ret == 0) {
        memcpy(text, pem.data, pem.len);
        text[pem.len] = '\0';
        ret = (int)pem.len;
    }
    clear_secret(&base64);
    clear_secret(&pem);
    onward_core__wipe(der, sizeof(der));
    return ret;
}
