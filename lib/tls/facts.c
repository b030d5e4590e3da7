/*
 * What is known of a connection once the handshake is done.
 */
#include "tls/tls_priv.h"

enum { SHA256_LEN = 32 };

static int keep(struct onward_tls__filter *f, const void *data, size_t len,
                struct onward_str *out)
{
    return onward_core__arena_dup(&f->arena, onward_core__str(data, len), out);
}

static int keep_text(struct onward_tls__filter *f, const char *text,
                     struct onward_str *out)
{
    return keep(f, text, text == NULL ? 0 : strlen(text), out);
}

static int keep_dn(struct onward_tls__filter *f, gnutls_x509_crt_t crt,
                   int (*get)(gnutls_x509_crt_t crt, gnutls_datum_t *dn,
                              unsigned flags),
                   struct onward_str *out)
{
    gnutls_datum_t dn = {NULL, 0};
    size_t len;
    int ret;

    if (get(crt, &dn, 0) < 0)
        return 0;
    len = dn.size < ONWARD_TLS_DN_MAX ? dn.size : ONWARD_TLS_DN_MAX;
    ret = keep(f, dn.data, len, out);
    gnutls_free(dn.data);
    return ret;
}

static int collect_peer(struct onward_tls__filter *f)
{
    unsigned char digest[SHA256_LEN];
    size_t digest_len = sizeof(digest);
    gnutls_x509_crt_t crt;
    const gnutls_datum_t *raw;
    unsigned count = 0;
    int ret = 0;

    if (gnutls_certificate_type_get2(f->session, GNUTLS_CTYPE_PEERS) !=
        GNUTLS_CRT_X509)
        return 0;
    raw = gnutls_certificate_get_peers(f->session, &count);
    if (raw == NULL || count == 0)
        return 0;
    if (gnutls_fingerprint(GNUTLS_DIG_SHA256, &raw[0], digest, &digest_len) ==
        0)
        ret = keep(f, digest, digest_len, &f->facts.peer_sha256);
    if (ret < 0 || gnutls_x509_crt_init(&crt) < 0)
        return ret;
    if (gnutls_x509_crt_import(crt, &raw[0], GNUTLS_X509_FMT_DER) >= 0) {
        ret = keep_dn(f, crt, gnutls_x509_crt_get_dn3, &f->facts.peer_subject);
        if (ret == 0)
            ret = keep_dn(f, crt, gnutls_x509_crt_get_issuer_dn3,
                          &f->facts.peer_issuer);
    }
    gnutls_x509_crt_deinit(crt);
    return ret;
}

static int keep_binding(struct onward_tls__filter *f,
                        gnutls_channel_binding_t type, struct onward_str *out)
{
    gnutls_datum_t binding = {NULL, 0};
    int ret;

    if (gnutls_session_channel_binding(f->session, type, &binding) < 0)
        return 0;
    ret = keep(f, binding.data, binding.size, out);
    onward_core__wipe(binding.data, binding.size);
    gnutls_free(binding.data);
    return ret;
}

static int collect_bindings(struct onward_tls__filter *f)
{
    int ret = keep_binding(f, GNUTLS_CB_TLS_SERVER_END_POINT,
                           &f->facts.binding_end_point);

    /* Without the extended master secret two sessions can be made to share
     * one (RFC 7627 section 1), so neither binding binds. */
    if (ret < 0 || ((gnutls_session_get_flags(f->session) &
                     GNUTLS_SFLAGS_EXT_MASTER_SECRET) == 0 &&
                    gnutls_protocol_get_version(f->session) != GNUTLS_TLS1_3))
        return ret;
    ret = keep_binding(f, GNUTLS_CB_TLS_EXPORTER, &f->facts.binding_exporter);
    /* TLS 1.3 has no tls-unique (RFC 8446 appendix C.5). */
    if (ret == 0 && gnutls_protocol_get_version(f->session) == GNUTLS_TLS1_2)
        ret = keep_binding(f, GNUTLS_CB_TLS_UNIQUE, &f->facts.binding_unique);
    return ret;
}

static int collect_names(struct onward_tls__filter *f)
{
    gnutls_datum_t alpn = {NULL, 0};
    char name[256];
    size_t len = sizeof(name);
    unsigned type;
    int ret = 0;

    if (f->config->is_server &&
        gnutls_server_name_get(f->session, name, &len, &type, 0) == 0 &&
        type == GNUTLS_NAME_DNS)
        ret = keep(f, name, strlen(name), &f->facts.server_name);
    if (ret == 0 && gnutls_alpn_get_selected_protocol(f->session, &alpn) == 0)
        ret = keep(f, alpn.data, alpn.size, &f->facts.alpn);
    return ret;
}

int onward_tls__facts_collect(struct onward_tls__filter *f)
{
    struct onward_tls_facts *facts = &f->facts;
    int ret = keep_text(
        f, gnutls_protocol_get_name(gnutls_protocol_get_version(f->session)),
        &facts->version);

    if (ret == 0)
        ret = keep_text(f, gnutls_ciphersuite_get(f->session), &facts->cipher);
    if (ret == 0)
        ret = collect_names(f);
    if (ret == 0)
        ret = collect_peer(f);
    if (ret == 0)
        ret = collect_bindings(f);
    if (ret < 0)
        return ret;
    facts->is_resumed = gnutls_session_is_resumed(f->session) != 0;
    facts->cert_failure = f->cert_failure;
    facts->is_verified = f->was_verified && f->cert_failure == ONWARD_TLS_OK;
    if (f->verified != NULL)
        facts->verified_name = f->verified->name;
    if (f->verified_tlsa != NULL)
        facts->verified_tlsa = f->verified_tlsa->rdata;
    return 0;
}

const struct onward_tls_facts *
onward_tls__facts(const struct onward_tls__filter *filter)
{
    return &filter->facts;
}

void onward_tls__facts_wipe(const struct onward_tls_facts *facts)
{
    const struct onward_str secrets[] = {facts->binding_exporter,
                                         facts->binding_unique};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        onward_core__wipe((void *)(uintptr_t)secrets[i].data, secrets[i].len);
}

int onward_tls__facts_give(const struct onward_tls_facts *facts,
                           struct onward_tls_facts *to)
{
    size_t size = to->size;

    if (size < sizeof(to->size))
        return ONWARD_EINVAL;
    memset(to, 0, size);
    memcpy(to, facts, size < sizeof(*facts) ? size : sizeof(*facts));
    to->size = size;
    return 0;
}
