/* Private keys of GnuTLS, wherever they are: sign a digest, tell the public
 * half. */
#ifndef GNUTLS_KEY_H
#define GNUTLS_KEY_H

#include <gnutls/abstract.h>

#include <onward/key.h>

/* A key from PEM text. 0 or an error of GnuTLS. */
int gnutls_key_load(const char *path, gnutls_privkey_t *key);
/* The public half as SubjectPublicKeyInfo; free with gnutls_free(). 0 or an
 * error of GnuTLS. */
int gnutls_key_public(gnutls_privkey_t key, gnutls_datum_t *spki);
/* signature has room for ONWARD_KEY_SIGNATURE_MAX. 0 or an error of GnuTLS. */
int gnutls_key_sign(gnutls_privkey_t key, size_t type, const void *digest,
                    size_t digest_len, void *signature, size_t *len);

#endif
