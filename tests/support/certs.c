#include "certs.h"

static void ok(int gnutls_ret)
{
    if (gnutls_ret < 0)
        fail_msg("GnuTLS: %s", gnutls_strerror(gnutls_ret));
}

static void sign(struct t_cert *c, const struct t_cert *issuer)
{
    const struct t_cert *by = issuer == NULL ? c : issuer;

    gnutls_free(c->crt_pem.data);
    ok(gnutls_x509_crt_sign2(c->crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0));
    ok(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &c->crt_pem));
}

static void fill(struct t_cert *c, const char *common_name, int flags,
                 int64_t from_s, int64_t to_s)
{
    static unsigned char serial[8] = {1};

    serial[7]++;
    ok(gnutls_x509_crt_init(&c->crt));
    ok(gnutls_x509_crt_set_version(c->crt, 3));
    ok(gnutls_x509_crt_set_serial(c->crt, serial, sizeof(serial)));
    ok(gnutls_x509_crt_set_activation_time(c->crt, (time_t)from_s));
    ok(gnutls_x509_crt_set_expiration_time(c->crt, (time_t)to_s));
    ok(gnutls_x509_crt_set_dn_by_oid(c->crt, GNUTLS_OID_X520_COMMON_NAME, 0,
                                     common_name,
                                     (unsigned)strlen(common_name)));
    ok(gnutls_x509_crt_set_key(c->crt, c->key));
    if ((flags & T_CERT_CA) != 0) {
        ok(gnutls_x509_crt_set_basic_constraints(c->crt, 1, -1));
        ok(gnutls_x509_crt_set_key_usage(c->crt, GNUTLS_KEY_KEY_CERT_SIGN |
                                                     GNUTLS_KEY_CRL_SIGN));
        return;
    }
    ok(gnutls_x509_crt_set_basic_constraints(c->crt, 0, -1));
    ok(gnutls_x509_crt_set_key_usage(c->crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
    ok(gnutls_x509_crt_set_key_purpose_oid(c->crt,
                                           (flags & T_CERT_CLIENT) != 0
                                               ? GNUTLS_KP_TLS_WWW_CLIENT
                                               : GNUTLS_KP_TLS_WWW_SERVER,
                                           0));
}

static void add_name(struct t_cert *c, const void *name, size_t len)
{
    ok(gnutls_x509_crt_set_subject_alt_name(c->crt, GNUTLS_SAN_DNSNAME, name,
                                            (unsigned)len, GNUTLS_FSAN_APPEND));
}

struct t_cert *t_cert_new(const char *common_name, const char *dns,
                          const void *ip, const struct t_cert *issuer,
                          int flags, int64_t from_s, int64_t to_s)
{
    struct t_cert *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    ok(gnutls_x509_privkey_init(&c->key));
    if ((flags & T_CERT_RSA) != 0)
        ok(gnutls_x509_privkey_generate(c->key, GNUTLS_PK_RSA, 2048, 0));
    else
        ok(gnutls_x509_privkey_generate(
            c->key, GNUTLS_PK_ECDSA,
            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    ok(gnutls_x509_privkey_export2_pkcs8(c->key, GNUTLS_X509_FMT_PEM, NULL,
                                         GNUTLS_PKCS_PLAIN, &c->key_pem));
    fill(c, common_name, flags, from_s, to_s);
    while (dns != NULL && *dns != '\0') {
        size_t len = strcspn(dns, " ");

        add_name(c, dns, len);
        dns += len;
        dns += strspn(dns, " ");
    }
    if (ip != NULL)
        ok(gnutls_x509_crt_set_subject_alt_name(c->crt, GNUTLS_SAN_IPADDRESS,
                                                ip, 4, GNUTLS_FSAN_APPEND));
    sign(c, issuer);
    return c;
}

void t_cert_set_raw_name(struct t_cert *c, const void *name, size_t len,
                         const struct t_cert *issuer)
{
    /* SEQUENCE OF GeneralName, dNSName [2]: GnuTLS would cut it at the NUL. */
    unsigned char der[4 + 100] = {0x30, 0, 0x82, 0};

    assert_true(len <= 100);
    der[1] = (unsigned char)(len + 2);
    der[3] = (unsigned char)len;
    memcpy(der + 4, name, len);
    ok(gnutls_x509_crt_set_extension_by_oid(c->crt, "2.5.29.17", der,
                                            (size_t)4 + len, 0));
    sign(c, issuer);
}

struct t_cert *t_cert_cross(const struct t_cert *of,
                            const struct t_cert *issuer, int64_t from_s,
                            int64_t to_s)
{
    struct t_cert *c = calloc(1, sizeof(*c));
    char name[100];
    size_t len = sizeof(name);

    assert_non_null(c);
    ok(gnutls_x509_privkey_init(&c->key));
    ok(gnutls_x509_privkey_cpy(c->key, of->key));
    ok(gnutls_x509_crt_get_dn_by_oid(of->crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                     name, &len));
    fill(c, name, T_CERT_CA, from_s, to_s);
    sign(c, issuer);
    return c;
}

void t_cert_free(struct t_cert *c)
{
    if (c == NULL)
        return;
    gnutls_x509_crt_deinit(c->crt);
    gnutls_x509_privkey_deinit(c->key);
    gnutls_free(c->crt_pem.data);
    gnutls_free(c->key_pem.data);
    free(c);
}

struct onward_str t_cert_pem(const struct t_cert *c)
{
    return (struct onward_str){(const char *)c->crt_pem.data, c->crt_pem.size};
}

struct onward_str t_cert_key(const struct t_cert *c)
{
    return (struct onward_str){(const char *)c->key_pem.data, c->key_pem.size};
}
