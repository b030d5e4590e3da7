/*
 * bench_mtasts_certs FOLDER COUNT: an authority (ca.pem), one key for all
 * servers (key.pem), and a certificate for each policy host: HOST.pem.
 */
#define _GNU_SOURCE
#include <gnutls/x509.h>
#include <time.h>

#include "bench/worker.h"
#include "world.h"

static void must(int ret)
{
    if (ret < 0)
        bench_die(gnutls_strerror(ret));
}

static gnutls_x509_privkey_t new_key(void)
{
    gnutls_x509_privkey_t key;

    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate(
        key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
        0));
    return key;
}

static gnutls_x509_crt_t new_cert(gnutls_x509_privkey_t key, const char *name,
                                  size_t serial)
{
    gnutls_x509_crt_t cert;

    must(gnutls_x509_crt_init(&cert));
    must(gnutls_x509_crt_set_version(cert, 3));
    must(gnutls_x509_crt_set_serial(cert, &serial, sizeof(serial)));
    must(gnutls_x509_crt_set_activation_time(cert, time(NULL) - 3600));
    must(gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 86400));
    must(gnutls_x509_crt_set_key(cert, key));
    must(gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0,
                                       name, (unsigned)strlen(name)));
    return cert;
}

static void save(const char *folder, const char *name, const gnutls_datum_t *d)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (f == NULL || fwrite(d->data, 1, d->size, f) != d->size ||
        fclose(f) != 0)
        bench_die(path);
}

static void save_cert(const char *folder, const char *name,
                      gnutls_x509_crt_t cert)
{
    gnutls_datum_t pem;

    must(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem));
    save(folder, name, &pem);
    gnutls_free(pem.data);
}

int main(int argc, char **argv)
{
    gnutls_x509_privkey_t ca_key, key;
    gnutls_x509_crt_t ca;
    gnutls_datum_t pem;

    if (argc != 3)
        return 2;
    ca_key = new_key();
    key = new_key();
    ca = new_cert(ca_key, "authority", 1);
    must(gnutls_x509_crt_set_basic_constraints(ca, 1, -1));
    must(gnutls_x509_crt_set_key_usage(ca, GNUTLS_KEY_KEY_CERT_SIGN));
    must(gnutls_x509_crt_sign2(ca, ca, ca_key, GNUTLS_DIG_SHA256, 0));
    save_cert(argv[1], "ca.pem", ca);
    must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
    save(argv[1], "key.pem", &pem);
    gnutls_free(pem.data);
    for (size_t i = 0; i < strtoul(argv[2], NULL, 10); i++) {
        char domain[40], host[60], file[80];
        gnutls_x509_crt_t cert;

        bench_domain(i, domain);
        snprintf(host, sizeof(host), "mta-sts.%s", domain);
        snprintf(file, sizeof(file), "%s.pem", host);
        cert = new_cert(key, "host", i + 2);
        must(gnutls_x509_crt_set_subject_alt_name(
            cert, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), 0));
        must(gnutls_x509_crt_sign2(cert, ca, ca_key, GNUTLS_DIG_SHA256, 0));
        save_cert(argv[1], file, cert);
        gnutls_x509_crt_deinit(cert);
    }
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_privkey_deinit(ca_key);
    gnutls_x509_privkey_deinit(key);
    return 0;
}
