/*
 * TLSA records and what of a certificate they speak of (RFC 6698 section 2.1).
 */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "tls/tls_priv.h"

/* ---- The key inside a certificate -------------------------------------- */

enum {
    DER_INTEGER = 0x02,
    DER_SEQUENCE = 0x30,
    DER_VERSION = 0xa0 /* [0], around the version */
};

/* Take one DER value off the front of in; whole gets head and content. */
static bool take(struct onward_str *in, unsigned char tag,
                 struct onward_str *whole, struct onward_str *content)
{
    const unsigned char *p = (const unsigned char *)in->data;
    size_t head = 2, len;

    if (in->len < 2 || p[0] != tag)
        return false;
    len = p[1];
    if (len > 0x80) {
        size_t count = len - 0x80;

        /* No certificate that TLS carries needs more than three octets. */
        if (count > 3 || in->len - 2 < count)
            return false;
        for (len = 0; head < 2 + count; head++)
            len = len << 8 | p[head];
    } else if (len == 0x80) {
        return false;
    }
    if (in->len - head < len)
        return false;
    *whole = onward_core__sub(*in, 0, head + len);
    *content = onward_core__sub(*in, head, head + len);
    *in = onward_core__sub(*in, head + len, in->len);
    return true;
}

/*
 * RFC 5280 section 4.1. GnuTLS would give us the key as it writes it itself,
 * and the record may be of a certificate that somebody else wrote.
 */
struct onward_str onward_tls__spki(struct onward_str cert_der)
{
    static const unsigned char before[] = {
        DER_INTEGER,  /* serialNumber */
        DER_SEQUENCE, /* signature */
        DER_SEQUENCE, /* issuer */
        DER_SEQUENCE, /* validity */
        DER_SEQUENCE  /* subject */
    };
    const struct onward_str none = {NULL, 0};
    struct onward_str cert, tbs, whole, content;

    if (!take(&cert_der, DER_SEQUENCE, &whole, &cert) ||
        !take(&cert, DER_SEQUENCE, &whole, &tbs))
        return none;
    /* Not there in version 1. */
    (void)take(&tbs, DER_VERSION, &whole, &content);
    for (size_t i = 0; i < sizeof(before); i++) {
        if (!take(&tbs, before[i], &whole, &content))
            return none;
    }
    return take(&tbs, DER_SEQUENCE, &whole, &content) ? whole : none;
}

size_t onward_tls__tlsa_digest(struct onward_str s, unsigned matching,
                               unsigned char *out)
{
    if (matching == ONWARD_TLS__TLSA_SHA256 &&
        gnutls_hash_fast(GNUTLS_DIG_SHA256, s.data, s.len, out) == 0)
        return ONWARD_TLS__SHA256_LEN;
    if (matching == ONWARD_TLS__TLSA_SHA512 &&
        gnutls_hash_fast(GNUTLS_DIG_SHA512, s.data, s.len, out) == 0)
        return ONWARD_TLS__SHA512_LEN;
    return 0;
}

/* ---- Reading ----------------------------------------------------------- */

/* GnuTLS counts octets in an unsigned int, and does not write to its input. */
static gnutls_datum_t datum_of(struct onward_str s)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.data,
                            .size = (unsigned)s.len};
}

static bool is_cert(struct onward_str der)
{
    gnutls_datum_t datum = datum_of(der);
    gnutls_x509_crt_t crt;
    bool is_good;

    if (gnutls_x509_crt_init(&crt) < 0)
        return false;
    is_good = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER) >= 0 &&
              onward_tls__spki(der).len > 0;
    gnutls_x509_crt_deinit(crt);
    return is_good;
}

static bool is_key(struct onward_str der)
{
    gnutls_datum_t datum = datum_of(der);
    gnutls_pubkey_t key;
    bool is_good;

    if (gnutls_pubkey_init(&key) < 0)
        return false;
    is_good = gnutls_pubkey_import(key, &datum, GNUTLS_X509_FMT_DER) >= 0;
    gnutls_pubkey_deinit(key);
    return is_good;
}

static bool has_data(const struct onward_tls__tlsa *t)
{
    if (t->data.len > ONWARD_TLS__TLSA_OCTETS_MAX)
        return false;
    return t->selector == ONWARD_TLS__TLSA_CERT ? is_cert(t->data)
                                                : is_key(t->data);
}

enum onward_tls__tlsa_fault onward_tls__tlsa_read(struct onward_str rdata,
                                                  struct onward_tls__tlsa *out)
{
    const unsigned char *p = (const unsigned char *)rdata.data;

    *out = (struct onward_tls__tlsa){.rdata = rdata};
    if (rdata.len < 4)
        return ONWARD_TLS__TLSA_SHORT;
    out->usage = p[0];
    out->selector = p[1];
    out->matching = p[2];
    out->data = onward_core__sub(rdata, 3, rdata.len);
    if (out->usage != ONWARD_TLS__TLSA_TA && out->usage != ONWARD_TLS__TLSA_EE)
        return ONWARD_TLS__TLSA_USAGE;
    if (out->selector > ONWARD_TLS__TLSA_SPKI)
        return ONWARD_TLS__TLSA_SELECTOR;
    switch (out->matching) {
    case ONWARD_TLS__TLSA_FULL:
        return has_data(out) ? ONWARD_TLS__TLSA_OK : ONWARD_TLS__TLSA_DATA;
    case ONWARD_TLS__TLSA_SHA256:
        return out->data.len == ONWARD_TLS__SHA256_LEN
                   ? ONWARD_TLS__TLSA_OK
                   : ONWARD_TLS__TLSA_LENGTH;
    case ONWARD_TLS__TLSA_SHA512:
        return out->data.len == ONWARD_TLS__SHA512_LEN
                   ? ONWARD_TLS__TLSA_OK
                   : ONWARD_TLS__TLSA_LENGTH;
    default:
        return ONWARD_TLS__TLSA_MATCHING;
    }
}

int onward_tls__cert_read(struct onward_str text, struct onward_buf *der)
{
    gnutls_datum_t out = {NULL, 0}, in;
    gnutls_x509_crt_t crt;
    int ret;

    if (text.len == 0 || text.len > UINT32_MAX)
        return ONWARD_ESYNTAX;
    in = datum_of(text);
    if (gnutls_x509_crt_init(&crt) < 0)
        return ONWARD_ENOMEM;
    ret = gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_PEM);
    if (ret < 0)
        ret = gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_DER);
    if (ret >= 0)
        ret = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &out);
    gnutls_x509_crt_deinit(crt);
    if (ret < 0)
        return ret == GNUTLS_E_MEMORY_ERROR ? ONWARD_ENOMEM : ONWARD_ESYNTAX;
    ret = onward_core__buf_add(der, out.data, out.size);
    gnutls_free(out.data);
    return ret;
}
