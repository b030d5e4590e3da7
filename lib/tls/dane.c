/*
 * Does a TLSA record vouch for the peer (RFC 7672 section 3.2)? DANE-EE(3)
 * speaks of the certificate itself, DANE-TA(2) of one behind it, from where
 * the chain is checked as any other. The authorities of the configuration are
 * not asked.
 */
#include "tls/tls_priv.h"

enum {
    /* Chains that are tried to the end, so that a peer cannot make us check
     * signatures for long. One is what there is, two while keys change. */
    ANCHORS_MAX = 8
};

/* Each digest that a record can have, made once for each certificate. */
struct prints {
    struct onward_str part[2]; /* by selector */
    unsigned char sha256[2][ONWARD_TLS__SHA256_LEN];
    unsigned char sha512[2][ONWARD_TLS__SHA512_LEN];
};

static bool take_prints(struct onward_str der, struct prints *p)
{
    p->part[ONWARD_TLS__TLSA_CERT] = der;
    p->part[ONWARD_TLS__TLSA_SPKI] = onward_tls__spki(der);
    for (size_t i = 0; i < 2; i++) {
        unsigned char digest[ONWARD_TLS__SHA512_LEN];

        if (onward_tls__tlsa_digest(p->part[i], ONWARD_TLS__TLSA_SHA256,
                                    digest) != ONWARD_TLS__SHA256_LEN)
            return false;
        memcpy(p->sha256[i], digest, ONWARD_TLS__SHA256_LEN);
        if (onward_tls__tlsa_digest(p->part[i], ONWARD_TLS__TLSA_SHA512,
                                    digest) != ONWARD_TLS__SHA512_LEN)
            return false;
        memcpy(p->sha512[i], digest, ONWARD_TLS__SHA512_LEN);
    }
    /* Without a key that we can find, the digests of one are those of "". */
    return p->part[ONWARD_TLS__TLSA_SPKI].len > 0;
}

static bool matches(const struct onward_tls__tlsa *t, const struct prints *p)
{
    struct onward_str have = p->part[t->selector];

    if (t->matching == ONWARD_TLS__TLSA_SHA256)
        have = onward_core__str(p->sha256[t->selector], ONWARD_TLS__SHA256_LEN);
    else if (t->matching == ONWARD_TLS__TLSA_SHA512)
        have = onward_core__str(p->sha512[t->selector], ONWARD_TLS__SHA512_LEN);
    return onward_core__str_eq(have, t->data);
}

static const struct onward_tls__tlsa *
find_record(const struct onward_tls__filter *f, unsigned usage,
            const struct prints *p)
{
    for (size_t i = 0; i < f->tlsa_count; i++) {
        if (f->tlsa[i].usage == usage && matches(&f->tlsa[i], p))
            return &f->tlsa[i];
    }
    return NULL;
}

/* ---- DANE-TA ----------------------------------------------------------- */

struct search {
    struct onward_tls__filter *f;
    struct onward_tls__chain *chain;
    size_t tried;
    enum onward_tls_failure failure; /* of the best anchor so far */
};

/* Is there a chain from the peer to that anchor? The list owns a copy. */
static enum onward_tls_failure judge_anchor(struct search *s,
                                            gnutls_x509_crt_t anchor)
{
    int64_t now_s = onward_core__now_s(s->f->ctx);
    enum onward_tls_failure got = ONWARD_TLS_INTERNAL;
    gnutls_x509_trust_list_t trust;

    if (gnutls_x509_trust_list_init(&trust, 1) < 0)
        return got;
    if (gnutls_x509_trust_list_add_cas(trust, &anchor, 1, 0) == 1)
        got = onward_tls__chain_judge(s->chain, trust, now_s, false);
    /* The certificates stay their owners'. */
    gnutls_x509_trust_list_deinit(trust, 0);
    if (got == ONWARD_TLS_OK)
        got = onward_tls__check_time(anchor, now_s);
    if (got != ONWARD_TLS_OK)
        return got;
    s->f->verified =
        onward_tls__find_name(s->chain->sent[0], s->f->refs, s->f->ref_count);
    return s->f->verified != NULL ? ONWARD_TLS_OK : ONWARD_TLS_NAME_MISMATCH;
}

/* true: the search is over. */
static bool try_anchor(struct search *s, gnutls_x509_crt_t anchor,
                       const struct onward_tls__tlsa *record)
{
    enum onward_tls_failure got;

    if (s->tried++ == ANCHORS_MAX)
        return true;
    got = judge_anchor(s, anchor);
    /* "Untrusted" is any anchor that has nothing to do with the peer. */
    if (got == ONWARD_TLS_OK || s->failure == ONWARD_TLS_TLSA_MISMATCH ||
        s->failure == ONWARD_TLS_UNTRUSTED)
        s->failure = got;
    if (got == ONWARD_TLS_OK)
        s->f->verified_tlsa = record;
    return got == ONWARD_TLS_OK;
}

/* An anchor that need not be sent: the record has all of it (RFC 7671 section
 * 5.2.2). */
static bool try_full(struct search *s, const struct onward_tls__tlsa *record)
{
    gnutls_datum_t der = {(unsigned char *)(uintptr_t)record->data.data,
                          (unsigned)record->data.len};
    gnutls_x509_crt_t crt;
    bool is_end = false;

    if (gnutls_x509_crt_init(&crt) < 0)
        return false;
    if (gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) >= 0)
        is_end = try_anchor(s, crt, record);
    gnutls_x509_crt_deinit(crt);
    return is_end;
}

static void search_anchor(struct search *s, const struct prints *sent)
{
    const struct onward_tls__filter *f = s->f;

    /* A leaf is no anchor, not its own either. */
    for (unsigned i = 1; i < s->chain->sent_count; i++) {
        const struct onward_tls__tlsa *record =
            find_record(f, ONWARD_TLS__TLSA_TA, &sent[i]);

        if (record != NULL && try_anchor(s, s->chain->sent[i], record))
            return;
    }
    for (size_t i = 0; i < f->tlsa_count; i++) {
        const struct onward_tls__tlsa *t = &f->tlsa[i];
        bool was_sent = false;

        if (t->usage != ONWARD_TLS__TLSA_TA ||
            t->selector != ONWARD_TLS__TLSA_CERT ||
            t->matching != ONWARD_TLS__TLSA_FULL)
            continue;
        for (unsigned j = 0; j < s->chain->sent_count; j++)
            was_sent = was_sent || matches(t, &sent[j]);
        if (!was_sent && try_full(s, t))
            return;
    }
}

enum onward_tls_failure onward_tls__judge_dane(struct onward_tls__filter *f,
                                               struct onward_tls__chain *c,
                                               const gnutls_datum_t *raw)
{
    struct prints sent[ONWARD_TLS_CHAIN_MAX];
    struct search s = {.f = f, .chain = c, .failure = ONWARD_TLS_TLSA_MISMATCH};

    for (unsigned i = 0; i < c->sent_count; i++) {
        if (!take_prints(onward_core__str(raw[i].data, raw[i].size), &sent[i]))
            return ONWARD_TLS_BAD_CERT;
    }
    f->verified_tlsa = find_record(f, ONWARD_TLS__TLSA_EE, &sent[0]);
    if (f->verified_tlsa != NULL)
        return ONWARD_TLS_OK;
    search_anchor(&s, sent);
    return s.failure;
}
