/*
 * DKIM signatures made by a token: a smart card, an HSM, SoftHSM. The key never
 * leaves it. GnuTLS speaks PKCS#11 for us.
 *
 *     with-pkcs11 MODULE.so URL DOMAIN SELECTOR MESSAGE...
 *
 * The URL names the key, and where its PIN is: `pkcs11:token=mail;object=dkim?
 * pin-source=/etc/onward/pin`. An RSA key tells its public half; for Ed25519
 * that must lie beside it in the token.
 *
 * It answers inside the question. A token that takes milliseconds for each
 * signature is better asked from a thread, as in with_threads.c.
 */
#include <stdio.h>

#include <gnutls/abstract.h>
#include <gnutls/pkcs11.h>

#include "gnutls_key.h"
#include "host.h"
#include "sign.h"

struct backend {
    gnutls_privkey_t key;
    struct sign_world world;
};

static int sign(void *user, const struct onward_sign_question *q)
{
    struct backend *b = user;
    unsigned char signature[ONWARD_KEY_SIGNATURE_MAX];
    size_t len = 0;
    int err = gnutls_key_sign(b->key, q->type, q->digest, q->digest_len,
                              signature, &len);

    if (err != 0) {
        host_complain("with-pkcs11", "%s", gnutls_strerror(err));
        return -1; /* the signature fails with ONWARD_ECALLBACK */
    }
    (void)onward_sign_answer(b->world.desk, q->token, signature, len);
    return 0;
}

static int open_key(const char *module, const char *url, gnutls_privkey_t *key)
{
    /* Only the module that was named, none that the system knows of. */
    int err = gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_MANUAL, NULL);

    if (err == 0)
        err = gnutls_pkcs11_add_provider(module, NULL);
    if (err == 0)
        err = gnutls_privkey_init(key);
    if (err == 0)
        err = gnutls_privkey_import_url(*key, url, 0);
    return err;
}

static int open_public(const char *url, gnutls_privkey_t key,
                       gnutls_datum_t *spki)
{
    gnutls_pubkey_t pub = NULL;
    int err = gnutls_key_public(key, spki);

    if (err == 0)
        return 0;
    err = gnutls_pubkey_init(&pub);
    if (err == 0)
        err = gnutls_pubkey_import_url(pub, url, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
    if (err == 0)
        err = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, spki);
    gnutls_pubkey_deinit(pub);
    return err;
}

int main(int argc, char **argv)
{
    struct backend b = {0};
    const struct onward_signer_host host = {
        .size = sizeof(host), .user = &b, .sign = sign};
    gnutls_datum_t spki = {0};
    int status = 1;
    int err;

    if (argc < 6) {
        fprintf(stderr, "usage: %s MODULE.so URL DOMAIN SELECTOR MESSAGE...\n",
                argv[0]);
        return 2;
    }
    err = open_key(argv[1], argv[2], &b.key);
    if (err == 0)
        err = open_public(argv[2], b.key, &spki);
    /* Not the URL: the PIN may stand in it. */
    if (err != 0)
        host_complain("with-pkcs11", "the key: %s", gnutls_strerror(err));
    else if (sign_open(&b.world, spki.data, spki.size, &host) == 0)
        status = sign_messages(&b.world, argv[3], argv[4], argc - 5, argv + 5,
                               NULL, NULL);
    sign_close(&b.world);
    gnutls_free(spki.data);
    gnutls_privkey_deinit(b.key);
    gnutls_pkcs11_deinit();
    return status;
}
