/*
 * Certificates for tests, made when the test runs: none can expire in the
 * repository.
 */
#ifndef ONWARD_TESTS_CERTS_H
#define ONWARD_TESTS_CERTS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "support.h"

enum {
    T_CERT_CA = 1,     /* may sign others */
    T_CERT_CLIENT = 2, /* for clients, not servers */
    T_CERT_RSA = 4     /* else ECDSA on P-256 */
};

struct t_cert {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
    gnutls_datum_t crt_pem, key_pem;
};

/*
 * dns: names with blanks between them, or NULL; ip: an IPv4 address of four
 * octets, or NULL. issuer NULL: signed by itself. Times are seconds since
 * 1970.
 */
struct t_cert *t_cert_new(const char *common_name, const char *dns,
                          const void *ip, const struct t_cert *issuer,
                          int flags, int64_t from_s, int64_t to_s);
/* One dNSName and no other, raw: NULs allowed. Signs anew. */
void t_cert_set_raw_name(struct t_cert *c, const void *name, size_t len,
                         const struct t_cert *issuer);
/* A second certificate for the key and name of c: a cross-signature. */
struct t_cert *t_cert_cross(const struct t_cert *c, const struct t_cert *issuer,
                            int64_t from_s, int64_t to_s);
void t_cert_free(struct t_cert *c);
struct onward_str t_cert_pem(const struct t_cert *c);
struct onward_str t_cert_key(const struct t_cert *c);

#endif
