/*
 * What the rooms of TLS share. GnuTLS's types stay behind this header.
 */
#ifndef ONWARD_TLS_PRIV_H
#define ONWARD_TLS_PRIV_H

#include <stdatomic.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include "tls/tls_shared.h"

enum {
    ONWARD_TLS_CHAIN_MAX = 16,     /* certificates of a peer that we look at */
    ONWARD_TLS_FLIGHT_MAX = 65536, /* one handshake message, in octets */
    /* Demand and facts of one connection. */
    ONWARD_TLS_ARENA_MAX = 65536 + ONWARD_TLS__TLSA_OCTETS_MAX,
    ONWARD_TLS_DN_MAX = 1024 /* subject and issuer in the facts */
};

struct onward_tls_config {
    atomic_size_t refs;
    struct onward_ctx *ctx;
    uint64_t log_id;
    bool is_server;
    enum onward_tls_ask ask_client;
    gnutls_certificate_credentials_t cred;
    gnutls_priority_t priority;
    gnutls_datum_t ticket_key; /* data NULL: no tickets */
    gnutls_datum_t *alpn;      /* point into alpn_text */
    size_t alpn_count;
    struct onward_arena arena;
    int64_t expires_s;
};

/* A name that the peer should have: an address when ip.family is not 0. */
struct onward_tls__ref {
    struct onward_str name;
    struct onward_ip ip;
};

/* One connection. */
struct onward_tls__filter {
    struct onward_ctx *ctx;
    struct onward_tls_config *config;
    gnutls_session_t session;
    struct onward_arena arena;

    enum onward_tls_level level;
    struct onward_tls__ref *refs;
    size_t ref_count;
    struct onward_tls__ref *pkix; /* of the authorities, beside the records */
    size_t pkix_count;
    struct onward_tls__tlsa *tlsa;
    size_t tlsa_count;

    /* Valid inside a call of the channel only. */
    struct onward_channel *ch;
    const unsigned char *in;
    size_t in_len;
    int put_error; /* why the channel did not take our output */

    struct onward_buf record; /* the start of a record that is not whole */

    bool is_up;
    bool was_verified; /* the verify callback ran to its end */
    enum onward_tls_failure cert_failure;
    const struct onward_tls__ref *verified;
    const struct onward_tls__tlsa *verified_tlsa;
    enum onward_tls_failure failure;
    struct onward_tls_facts facts;
};

/* The first of refs that a subjectAltName of crt covers, or NULL. */
const struct onward_tls__ref *
onward_tls__find_name(gnutls_x509_crt_t crt, const struct onward_tls__ref *refs,
                      size_t ref_count);

/* What the peer sent, and the path through it that is looked at. */
struct onward_tls__chain {
    gnutls_x509_crt_t sent[ONWARD_TLS_CHAIN_MAX];
    unsigned sent_count;
    gnutls_x509_crt_t path[ONWARD_TLS_CHAIN_MAX];
    unsigned path_count;
};

enum onward_tls_failure onward_tls__check_time(gnutls_x509_crt_t crt,
                                               int64_t now_s);
/* Signatures, constraints, purposes and times of a path into trust; not the
 * times of the anchor, and no names. */
enum onward_tls_failure onward_tls__chain_judge(struct onward_tls__chain *c,
                                                gnutls_x509_trust_list_t trust,
                                                int64_t now_s, bool is_server);
/* By the TLSA records of the demand; raw is what c->sent was read from. Sets
 * verified_tlsa, and verified where a name was looked for. */
enum onward_tls_failure onward_tls__judge_dane(struct onward_tls__filter *f,
                                               struct onward_tls__chain *c,
                                               const gnutls_datum_t *raw);

/* Judge the peer's chain; sets cert_failure and verified. */
void onward_tls__verify(struct onward_tls__filter *f);
/* Is a certificate that does not verify the end of the handshake? */
bool onward_tls__must_verify(const struct onward_tls__filter *f);

/* Collect the facts after the handshake. 0 or ONWARD_ENOMEM. */
int onward_tls__facts_collect(struct onward_tls__filter *f);

/* GnuTLS's verify callback of config's credentials. */
int onward_tls__verify_callback(gnutls_session_t session);

#endif
