/*
 * DKIM signatures made by OpenSSL. It answers inside the question, so that a
 * host needs nothing but a function.
 *
 *     with-openssl KEY.pem DOMAIN SELECTOR MESSAGE...
 */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "host.h"
#include "sign.h"

struct backend {
    EVP_PKEY *key;
    struct sign_world world;
};

/* RSASSA-PKCS1-v1_5 over the digest; OpenSSL puts DigestInfo in front. */
static int sign_rsa(EVP_PKEY *key, const void *digest, size_t digest_len,
                    unsigned char *signature, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    int ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
             EVP_PKEY_sign(ctx, signature, len, digest, digest_len) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* Ed25519 takes the digest as its message (RFC 8463 section 3). */
static int sign_ed25519(EVP_PKEY *key, const void *digest, size_t digest_len,
                        unsigned char *signature, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx != NULL &&
             EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(ctx, signature, len, digest, digest_len) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static int sign(void *user, const struct onward_sign_question *q)
{
    struct backend *b = user;
    unsigned char signature[ONWARD_KEY_SIGNATURE_MAX];
    size_t len = sizeof(signature);
    int ok =
        q->type == ONWARD_KEY_RSA
            ? sign_rsa(b->key, q->digest, q->digest_len, signature, &len)
            : sign_ed25519(b->key, q->digest, q->digest_len, signature, &len);

    if (!ok)
        return -1; /* the signature fails with ONWARD_ECALLBACK */
    /* A bad answer is the library's to refuse: the signer's done says so. */
    (void)onward_sign_answer(b->world.desk, q->token, signature, len);
    return 0;
}

static EVP_PKEY *load(const char *path)
{
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = NULL;

    if (file != NULL) {
        key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
    }
    return key;
}

int main(int argc, char **argv)
{
    struct backend b = {0};
    const struct onward_signer_host host = {
        .size = sizeof(host), .user = &b, .sign = sign};
    unsigned char *spki = NULL;
    int spki_len;
    int status = 1;

    if (argc < 5) {
        fprintf(stderr, "usage: %s KEY.pem DOMAIN SELECTOR MESSAGE...\n",
                argv[0]);
        return 2;
    }
    b.key = load(argv[1]);
    spki_len = b.key == NULL ? 0 : i2d_PUBKEY(b.key, &spki);
    if (spki_len <= 0)
        host_complain("with-openssl", "%s: no private key", argv[1]);
    else if (sign_open(&b.world, spki, (size_t)spki_len, &host) == 0)
        status = sign_messages(&b.world, argv[2], argv[3], argc - 4, argv + 4,
                               NULL, NULL);
    sign_close(&b.world);
    OPENSSL_free(spki);
    EVP_PKEY_free(b.key);
    return status;
}
