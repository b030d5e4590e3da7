/*
 * TLS as the engines use it: plug it into the channel, wait for ops->secured,
 * then ask for failure or facts.
 *
 *     ret = onward_tls__plug(&s->channel, config, demand, &s->tls);
 *
 * s->tls is borrowed from the channel and lives until onward_channel__clear().
 */
#ifndef ONWARD_TLS_SHARED_H
#define ONWARD_TLS_SHARED_H

#include <onward/tls.h>

#include "channel/channel_shared.h"

struct onward_tls__filter;

enum { ONWARD_TLS__FAILURE_LAST = ONWARD_TLS_DANE_REQUIRED };

/*
 * Start TLS in ch (RFC 3207 section 4, or at once for implicit TLS). demand is
 * for clients and may be NULL (ONWARD_TLS_VERIFIED without a name: fails); it
 * is copied. 0; ONWARD_EINVAL (demand has level NONE, a name that is none or a
 * TLSA record that is not usable, or is given to a server), ONWARD_ESTATE (the
 * channel has TLS or closes), ONWARD_ENOMEM, ONWARD_ECRYPTO.
 */
ONWARD_USE_RESULT int onward_tls__plug(struct onward_channel *ch,
                                       struct onward_tls_config *config,
                                       const struct onward_tls_demand *demand,
                                       struct onward_tls__filter **filter);

bool onward_tls__config_is_server(const struct onward_tls_config *config);

/* Why the handshake failed; ONWARD_TLS_OK while it has not. */
enum onward_tls_failure
onward_tls__failure(const struct onward_tls__filter *filter);
/* All zero but size before ops->secured(0). Borrowed from the filter. */
const struct onward_tls_facts *
onward_tls__facts(const struct onward_tls__filter *filter);
/* For a caller's out struct: at most to->size octets. ONWARD_EINVAL when that
 * is no size. */
ONWARD_USE_RESULT int
onward_tls__facts_give(const struct onward_tls_facts *facts,
                       struct onward_tls_facts *to);
/* The channel bindings; NULL and empty ones are passed over. */
void onward_tls__facts_wipe(const struct onward_tls_facts *facts);

/*
 * Does a name in a certificate cover the host (RFC 9525 section 6.3)? Both are
 * A-labels without final dot. A wildcard is one whole leftmost label and
 * covers one label; any octet that no host name has matches nothing.
 */
bool onward_tls__name_covers(struct onward_str presented,
                             struct onward_str host);

/* ---- TLSA records (RFC 6698 section 2.1) -------------------------------- */

enum {
    ONWARD_TLS__TLSA_MAX = 32,           /* records of a demand */
    ONWARD_TLS__TLSA_OCTETS_MAX = 65536, /* of all of them */
    ONWARD_TLS__TLSA_TA = 2,
    ONWARD_TLS__TLSA_EE = 3,
    ONWARD_TLS__TLSA_CERT = 0,
    ONWARD_TLS__TLSA_SPKI = 1,
    ONWARD_TLS__TLSA_FULL = 0,
    ONWARD_TLS__TLSA_SHA256 = 1,
    ONWARD_TLS__TLSA_SHA512 = 2,
    ONWARD_TLS__SHA256_LEN = 32,
    ONWARD_TLS__SHA512_LEN = 64
};

enum onward_tls__tlsa_fault {
    ONWARD_TLS__TLSA_OK = 0,
    ONWARD_TLS__TLSA_SHORT,    /* less than three octets and data */
    ONWARD_TLS__TLSA_USAGE,    /* neither DANE-TA nor DANE-EE */
    ONWARD_TLS__TLSA_SELECTOR, /* unknown */
    ONWARD_TLS__TLSA_MATCHING, /* unknown */
    ONWARD_TLS__TLSA_LENGTH,   /* the digest has another */
    ONWARD_TLS__TLSA_DATA      /* no certificate, or no public key */
};

struct onward_tls__tlsa {
    struct onward_str rdata; /* whole; the rest points into it */
    uint8_t usage, selector, matching;
    struct onward_str data;
};

/* Take it apart (as far as it goes) and say whether SMTP can use it (RFC 7672
 * section 3.1). Out fields of a record that is too short are 0. */
enum onward_tls__tlsa_fault onward_tls__tlsa_read(struct onward_str rdata,
                                                  struct onward_tls__tlsa *out);
/* The subjectPublicKeyInfo inside a certificate, octet for octet as it stands
 * there; empty: that is no certificate. */
struct onward_str onward_tls__spki(struct onward_str cert_der);
/* SHA-256 or SHA-512 of s; out has room for ONWARD_TLS__SHA512_LEN. The
 * length, or 0: no such matching type, or GnuTLS failed. */
size_t onward_tls__tlsa_digest(struct onward_str s, unsigned matching,
                               unsigned char *out);
/* The first certificate of a PEM text, or a DER one, as DER. 0; ONWARD_ESYNTAX,
 * ONWARD_ENOMEM, ONWARD_ELIMIT (der's). */
ONWARD_USE_RESULT int onward_tls__cert_read(struct onward_str text,
                                            struct onward_buf *der);

#endif
