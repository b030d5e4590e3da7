/*
 * Is the peer who it should be? GnuTLS checks signatures, constraints and
 * purposes; times (against the context's clock) and names are checked here.
 *
 * GnuTLS is given the one path that we would accept: a server may send more
 * than that path, and an extra certificate that has expired, such as an old
 * cross-signature, must not spoil it.
 */
#include "tls/tls_priv.h"

enum onward_tls_failure onward_tls__check_time(gnutls_x509_crt_t crt,
                                               int64_t now_s)
{
    int64_t from = (int64_t)gnutls_x509_crt_get_activation_time(crt);
    int64_t to = (int64_t)gnutls_x509_crt_get_expiration_time(crt);

    /* Both are -1 when the field cannot be read. */
    if (from < 0 || to < 0)
        return ONWARD_TLS_BAD_CERT;
    if (now_s < from)
        return ONWARD_TLS_NOT_YET_VALID;
    return now_s > to ? ONWARD_TLS_EXPIRED : ONWARD_TLS_OK;
}

static bool has_anchor(gnutls_x509_trust_list_t trust, gnutls_x509_crt_t crt)
{
    gnutls_x509_crt_t issuer;

    if (gnutls_x509_trust_list_get_issuer(trust, crt, &issuer,
                                          GNUTLS_TL_GET_COPY) < 0)
        return false;
    gnutls_x509_crt_deinit(issuer);
    return true;
}

/* The sent certificate that may have signed crt, among those not yet on the
 * path and, unless any_time, within their times; NULL if there is none. */
static gnutls_x509_crt_t find_issuer(const struct onward_tls__chain *c,
                                     gnutls_x509_crt_t crt, int64_t now_s,
                                     bool any_time)
{
    for (unsigned i = 1; i < c->sent_count; i++) {
        bool is_used = false;

        for (unsigned j = 0; j < c->path_count; j++)
            is_used = is_used || c->path[j] == c->sent[i];
        if (is_used || gnutls_x509_crt_check_issuer(crt, c->sent[i]) == 0)
            continue;
        if (any_time ||
            onward_tls__check_time(c->sent[i], now_s) == ONWARD_TLS_OK)
            return c->sent[i];
    }
    return NULL;
}

static void build_path(struct onward_tls__chain *c,
                       gnutls_x509_trust_list_t trust, int64_t now_s,
                       bool any_time)
{
    gnutls_x509_crt_t at = c->sent[0];

    c->path_count = 0;
    while (at != NULL) {
        c->path[c->path_count++] = at;
        if (has_anchor(trust, at) || c->path_count == ONWARD_TLS_CHAIN_MAX)
            return;
        at = find_issuer(c, at, now_s, any_time);
    }
}

static enum onward_tls_failure failure_of(unsigned status)
{
    if ((status & GNUTLS_CERT_REVOKED) != 0)
        return ONWARD_TLS_REVOKED;
    if ((status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
                   GNUTLS_CERT_SIGNATURE_FAILURE)) != 0)
        return ONWARD_TLS_UNTRUSTED;
    return status == 0 ? ONWARD_TLS_OK : ONWARD_TLS_BAD_CERT;
}

static enum onward_tls_failure verify_path(const struct onward_tls__chain *c,
                                           gnutls_x509_trust_list_t trust,
                                           bool is_server)
{
    /* On a server the peer is a client, and the other way round. */
    const char *purpose =
        is_server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
    gnutls_typed_vdata_st vdata = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)purpose,
    };
    gnutls_x509_crt_t path[ONWARD_TLS_CHAIN_MAX];
    unsigned status = 0;

    memcpy(path, c->path, sizeof(path));
    if (gnutls_x509_trust_list_verify_crt2(
            trust, path, c->path_count, &vdata, 1,
            GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
                GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
            &status, NULL) < 0)
        return ONWARD_TLS_BAD_CERT;
    return failure_of(status);
}

enum onward_tls_failure onward_tls__chain_judge(struct onward_tls__chain *c,
                                                gnutls_x509_trust_list_t trust,
                                                int64_t now_s, bool is_server)
{
    enum onward_tls_failure time, got;

    time = onward_tls__check_time(c->sent[0], now_s);
    build_path(c, trust, now_s, false);
    got = verify_path(c, trust, is_server);
    if (got == ONWARD_TLS_UNTRUSTED) {
        /* If only the times are in the way, say so. */
        build_path(c, trust, now_s, true);
        if (verify_path(c, trust, is_server) == ONWARD_TLS_OK) {
            for (unsigned i = 0; time == ONWARD_TLS_OK && i < c->path_count;
                 i++)
                time = onward_tls__check_time(c->path[i], now_s);
            return time == ONWARD_TLS_OK ? got : time;
        }
    }
    return got != ONWARD_TLS_OK ? got : time;
}

/* By the authorities of the configuration; a server also by its name. */
static enum onward_tls_failure judge_pkix(struct onward_tls__filter *f,
                                          struct onward_tls__chain *c,
                                          const struct onward_tls__ref *refs,
                                          size_t ref_count)
{
    enum onward_tls_failure got;
    gnutls_x509_trust_list_t trust;

    gnutls_certificate_get_trust_list(f->config->cred, &trust);
    got = onward_tls__chain_judge(c, trust, onward_core__now_s(f->ctx),
                                  f->config->is_server);
    if (got != ONWARD_TLS_OK || f->config->is_server)
        return got;
    f->verified = onward_tls__find_name(c->sent[0], refs, ref_count);
    return f->verified != NULL ? ONWARD_TLS_OK : ONWARD_TLS_NAME_MISMATCH;
}

static enum onward_tls_failure judge(struct onward_tls__filter *f,
                                     struct onward_tls__chain *c,
                                     const gnutls_datum_t *raw)
{
    enum onward_tls_failure got;

    if (f->level != ONWARD_TLS_DANE)
        return judge_pkix(f, c, f->refs, f->ref_count);
    got = onward_tls__judge_dane(f, c, raw);
    if (got == ONWARD_TLS_OK && f->pkix_count > 0)
        got = judge_pkix(f, c, f->pkix, f->pkix_count);
    return got;
}

void onward_tls__verify(struct onward_tls__filter *f)
{
    struct onward_tls__chain c = {.sent_count = 0};
    unsigned count = 0;
    const gnutls_datum_t *raw = NULL;

    f->verified = NULL;
    f->verified_tlsa = NULL;
    f->cert_failure = ONWARD_TLS_NO_CERT;
    if (gnutls_certificate_type_get2(f->session, GNUTLS_CTYPE_PEERS) ==
        GNUTLS_CRT_X509)
        raw = gnutls_certificate_get_peers(f->session, &count);
    if (raw == NULL || count == 0)
        return;
    f->cert_failure = ONWARD_TLS_BAD_CERT;
    if (count > ONWARD_TLS_CHAIN_MAX)
        count = ONWARD_TLS_CHAIN_MAX;
    for (unsigned i = 0; i < count; i++) {
        gnutls_x509_crt_t crt;

        if (gnutls_x509_crt_init(&crt) < 0)
            break;
        if (gnutls_x509_crt_import(crt, &raw[i], GNUTLS_X509_FMT_DER) < 0) {
            gnutls_x509_crt_deinit(crt);
            break;
        }
        c.sent[c.sent_count++] = crt;
    }
    /* What cannot be read behind the leaf may not be needed. */
    if (c.sent_count > 0)
        f->cert_failure = judge(f, &c, raw);
    for (unsigned i = 0; i < c.sent_count; i++)
        gnutls_x509_crt_deinit(c.sent[i]);
}

bool onward_tls__must_verify(const struct onward_tls__filter *f)
{
    if (f->config->is_server)
        return f->config->ask_client == ONWARD_TLS_ASK_REQUIRED;
    return f->level >= ONWARD_TLS_VERIFIED;
}

int onward_tls__verify_callback(gnutls_session_t session)
{
    struct onward_tls__filter *f = gnutls_session_get_ptr(session);

    onward_tls__verify(f);
    f->was_verified = true;
    if (f->cert_failure == ONWARD_TLS_OK || !onward_tls__must_verify(f))
        return 0;
    return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}
