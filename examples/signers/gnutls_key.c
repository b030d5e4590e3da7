#include "gnutls_key.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"

int gnutls_key_load(const char *path, gnutls_privkey_t *key)
{
    size_t len;
    char *pem = host_read_file(path, &len);
    gnutls_datum_t text = {(unsigned char *)pem, (unsigned)len};
    int err;

    if (pem == NULL)
        return GNUTLS_E_FILE_ERROR;
    err = gnutls_privkey_init(key);
    if (err == 0)
        err = gnutls_privkey_import_x509_raw(*key, &text, GNUTLS_X509_FMT_PEM,
                                             NULL, 0);
    gnutls_memset(pem, 0, len);
    free(pem);
    return err;
}

int gnutls_key_public(gnutls_privkey_t key, gnutls_datum_t *spki)
{
    gnutls_pubkey_t pub = NULL;
    int err = gnutls_pubkey_init(&pub);

    if (err == 0)
        err = gnutls_pubkey_import_privkey(pub, key, 0, 0);
    if (err == 0)
        err = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, spki);
    gnutls_pubkey_deinit(pub);
    return err;
}

int gnutls_key_sign(gnutls_privkey_t key, size_t type, const void *digest,
                    size_t digest_len, void *signature, size_t *len)
{
    const gnutls_datum_t in = {(unsigned char *)digest, (unsigned)digest_len};
    gnutls_datum_t out = {0};
    int err;

    /* RSA signs the digest as such. Ed25519 takes it as its message (RFC 8463
     * section 3). */
    if (type == ONWARD_KEY_RSA)
        err = gnutls_privkey_sign_hash2(key, GNUTLS_SIGN_RSA_SHA256, 0, &in,
                                        &out);
    else
        err = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &in,
                                        &out);
    if (err == 0 && out.size > ONWARD_KEY_SIGNATURE_MAX)
        err = GNUTLS_E_SHORT_MEMORY_BUFFER;
    if (err == 0) {
        memcpy(signature, out.data, out.size);
        *len = out.size;
    }
    gnutls_free(out.data);
    return err;
}
