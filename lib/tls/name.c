/*
 * Names in certificates (RFC 9525): subjectAltName only, never the common
 * name. GnuTLS reads the certificate, the comparison is ours.
 */
#include "tls/tls_priv.h"

/* What A-labels are made of; the underscore is seen in the wild. */
static bool is_name_octet(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c == '-' || c == '_';
}

/* Labels of name octets with single dots between them. A NUL or an octet
 * above 127 was put there to be read differently elsewhere. */
static bool is_plain_name(struct onward_str s)
{
    bool in_label = false;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '.' ? !in_label : !is_name_octet(c))
            return false;
        in_label = c != '.';
    }
    return in_label;
}

bool onward_tls__name_covers(struct onward_str presented,
                             struct onward_str host)
{
    size_t dot;

    if (!is_plain_name(host))
        return false;
    if (presented.len > 2 && presented.data[0] == '*' &&
        presented.data[1] == '.') {
        dot = onward_core__str_find(host, '.');
        if (dot == host.len)
            return false;
        presented = onward_core__sub(presented, 1, presented.len);
        host = onward_core__sub(host, dot, host.len);
        /* Both begin with the dot now. */
        return is_plain_name(onward_core__sub(presented, 1, presented.len)) &&
               onward_core__str_ieq(presented, host);
    }
    return is_plain_name(presented) && onward_core__str_ieq(presented, host);
}

static bool san_matches(const struct onward_tls__ref *ref, int type,
                        struct onward_str san)
{
    if (type == GNUTLS_SAN_DNSNAME && ref->ip.family == 0)
        return onward_tls__name_covers(san, ref->name);
    if (type == GNUTLS_SAN_IPADDRESS && ref->ip.family != 0) {
        size_t len = ref->ip.family == 4 ? 4 : 16;

        return san.len == len && memcmp(san.data, ref->ip.octets, len) == 0;
    }
    return false;
}

const struct onward_tls__ref *
onward_tls__find_name(gnutls_x509_crt_t crt, const struct onward_tls__ref *refs,
                      size_t ref_count)
{
    gnutls_subject_alt_names_t sans;
    const struct onward_tls__ref *found = NULL;
    gnutls_datum_t ext = {NULL, 0}, san;
    unsigned type, critical;
    int ret;

    if (gnutls_x509_crt_get_extension_by_oid2(crt, GNUTLS_X509EXT_OID_SAN, 0,
                                              &ext, &critical) < 0)
        return NULL;
    if (gnutls_subject_alt_names_init(&sans) < 0) {
        gnutls_free(ext.data);
        return NULL;
    }
    ret = gnutls_x509_ext_import_subject_alt_names(&ext, sans, 0);
    for (unsigned i = 0; ret >= 0 && found == NULL; i++) {
        ret = gnutls_subject_alt_names_get(sans, i, &type, &san, NULL);
        for (size_t j = 0; ret >= 0 && j < ref_count && found == NULL; j++) {
            if (san_matches(&refs[j], (int)type,
                            onward_core__str(san.data, san.size)))
                found = &refs[j];
        }
    }
    gnutls_subject_alt_names_deinit(sans);
    gnutls_free(ext.data);
    return found;
}
