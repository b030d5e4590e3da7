#ifndef ONWARD_TLS_H
#define ONWARD_TLS_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * TLS (RFC 8446, RFC 5246) as mail uses it: who we are and whom we trust, what
 * a connection must offer, why it did not, and what is known of it afterwards.
 * The TLS itself runs inside a channel; see <onward/channel.h>. Names are
 * checked as RFC 9525 has it, recommendations are those of RFC 9325.
 *
 * The work is GnuTLS's: memory and random numbers of the handshake are its
 * own. The library reads no file: certificates, keys and trust anchors are
 * handed in as PEM text. Certificate times are checked against the clock of
 * the context; revocation is not checked.
 *
 * A configuration is immutable, counted, and may be shared by any number of
 * threads.
 */

/* ---- Configuration ----------------------------------------------------- */

/** Identities, trust and settings for one role. */
struct onward_tls_config;

/** The side of the connection that a configuration is for. */
enum onward_tls_role {
    ONWARD_TLS_SERVER = 1, /**< takes connections; needs an identity */
    ONWARD_TLS_CLIENT = 2  /**< makes connections; an identity is optional */
};

/** Does a server ask for a certificate of its client? */
enum onward_tls_ask {
    ONWARD_TLS_ASK_NOTHING = 0,
    ONWARD_TLS_ASK_OPTIONAL = 1, /**< go on without one, or with a bad one */
    ONWARD_TLS_ASK_REQUIRED = 2  /**< fail without a trusted one */
};

struct onward_tls_config_opts {
    size_t size;
    size_t role; /**< enum onward_tls_role; required */
    /**
     * identity_count certificate chains (leaf first) in PEM, and the private
     * key of each. A server shows the one that has the name the client asks
     * for (SNI), else the first; chains of different key types may share their
     * names. A client shows the one that the server's list of authorities
     * admits. Keys must not be encrypted.
     */
    const struct onward_str *chain_pem;
    const struct onward_str *key_pem; /**< of each chain */
    size_t identity_count;
    /** Certificates of authorities that are trusted, in PEM; may be empty:
     * then nothing verifies. */
    struct onward_str trust_pem;
    /**
     * A GnuTLS priority string; empty: GnuTLS's NORMAL (so that the oldest
     * peers of mail still get TLS), without static RSA key exchange. Nothing
     * below TLS 1.2 can be enabled (RFC 8996).
     */
    struct onward_str priority;
    /** Servers: enum onward_tls_ask. */
    size_t ask_client;
    /**
     * Servers, 1: give session tickets, under a key of this configuration that
     * lives in memory only. 0: every connection makes a whole handshake.
     */
    size_t allow_tickets;
    /** alpn_count protocol names, the preferred first; none: no ALPN. */
    const struct onward_str *alpn;
    size_t alpn_count;
    size_t reserved; /**< 0 */
    uint64_t log_id;
    /**
     * With allow_tickets: 64 random octets from which the keys of tickets are
     * derived, new ones every few hours. Give the same to the configuration
     * that comes after this one (a renewed certificate), or to other processes,
     * and clients resume there too. Empty: random, for this configuration
     * alone.
     */
    struct onward_str ticket_key;
};

/**
 * Make a configuration.
 *
 * @param ctx     kept alive by the configuration.
 * @param opts    borrowed for this call, with all it points to.
 * @param config  out: free with onward_tls_config_free().
 * @return 0, or
 *         ONWARD_EINVAL    no such role, a server without identity, or a
 *                          priority string that is wrong or would allow less
 *                          than TLS 1.2
 *         ONWARD_EVERSION  opts has a field that this release does not know
 *         ONWARD_ESYNTAX   a certificate, key or trust anchor is not readable
 *         ONWARD_ECRYPTO   a key is not that of its certificate, or GnuTLS
 *                          could not be used
 *         ONWARD_ENOMEM    out of memory
 *         The log tells what GnuTLS has said of it.
 * @since 0.1
 */
ONWARD_API int onward_tls_config_new(struct onward_ctx *ctx,
                                     const struct onward_tls_config_opts *opts,
                                     struct onward_tls_config **config);

/**
 * Count one more owner. Any thread.
 *
 * @return config.
 * @since 0.1
 */
ONWARD_API struct onward_tls_config *
onward_tls_config_ref(struct onward_tls_config *config);

/**
 * End one ownership. The memory goes, and secrets are wiped, with the last
 * owner and the last connection that uses it. Any thread.
 *
 * @param config  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_tls_config_free(struct onward_tls_config *config);

/**
 * When the first of our own certificates ends, so that a host can renew it in
 * time.
 *
 * @return seconds since 1970; INT64_MAX when there is no identity.
 * @since 0.1
 */
ONWARD_API int64_t
onward_tls_config_expires_s(const struct onward_tls_config *config);

/* ---- What a connection must offer -------------------------------------- */

/** How much TLS a client demands. A higher level includes the lower ones. */
enum onward_tls_level {
    ONWARD_TLS_DEFAULT = 0,       /**< as ONWARD_TLS_VERIFIED */
    ONWARD_TLS_NONE = 1,          /**< do not use TLS */
    ONWARD_TLS_OPPORTUNISTIC = 2, /**< when it works; any certificate
                                     (RFC 7435) */
    ONWARD_TLS_ENCRYPTED = 3,     /**< or nothing is sent; any certificate */
    ONWARD_TLS_VERIFIED = 4,      /**< and the certificate is trusted and has
                                     one of the names (RFC 9525) */
    ONWARD_TLS_DANE = 5           /**< and a TLSA record vouches for it; the
                                     authorities of the configuration count
                                     for nothing (RFC 7672 section 3) */
};

/** What a client demands of one server. */
struct onward_tls_demand {
    size_t size;
    size_t level; /**< enum onward_tls_level */
    /**
     * name_count names, any of which the certificate may have: host names
     * (U-labels allowed) or IP address literals, without brackets. For
     * delivery this is the MX host, never the recipient's domain.
     */
    const struct onward_str *names;
    size_t name_count;
    /** The name to ask for (SNI); empty: the first host name of names. */
    struct onward_str server_name;
    /**
     * With ONWARD_TLS_DANE, and only there: the rdata (RFC 6698 section 2.1)
     * of tlsa_count TLSA records, 1 to 32 of at most 65536 octets together,
     * from an answer that was DNSSEC-validated. One of them has to match. Each
     * must be usable for SMTP (onward_dane_record_parse()). For DANE-EE(3)
     * neither names nor times of the certificate are looked at; for
     * DANE-TA(2) it needs one of names, and a chain to the anchor.
     */
    const struct onward_str *tlsa;
    size_t tlsa_count;
    /**
     * With ONWARD_TLS_DANE, and only there: with pkix_name_count above 0 a
     * record is not enough. The certificate must be trusted by the authorities
     * too, as with ONWARD_TLS_VERIFIED, and have one of these names. For
     * servers of which MTA-STS (RFC 8461) demands one and DANE the other.
     */
    const struct onward_str *pkix_names;
    size_t pkix_name_count;
};

/* ---- Why it did not work ----------------------------------------------- */

/** Why there is no TLS, or not the demanded TLS. Numbers never change. */
enum onward_tls_failure {
    ONWARD_TLS_OK = 0,
    ONWARD_TLS_NOT_OFFERED = 1,    /**< the server has no STARTTLS */
    ONWARD_TLS_REFUSED = 2,        /**< it refused the STARTTLS command */
    ONWARD_TLS_EARLY_INPUT = 3,    /**< octets that came before they could
                                      belong to the handshake: injected */
    ONWARD_TLS_HANDSHAKE = 4,      /**< the peer does not follow TLS */
    ONWARD_TLS_NO_COMMON = 5,      /**< no version, cipher or group in common */
    ONWARD_TLS_PEER_ALERT = 6,     /**< the peer ended the handshake */
    ONWARD_TLS_LOST = 7,           /**< the connection ended in the handshake */
    ONWARD_TLS_TIMEOUT = 8,        /**< the handshake took too long */
    ONWARD_TLS_NO_CERT = 9,        /**< the peer showed no certificate */
    ONWARD_TLS_BAD_CERT = 10,      /**< it cannot be read, is for another use,
                                      or rests on weak cryptography */
    ONWARD_TLS_EXPIRED = 11,       /**< a certificate is past its time */
    ONWARD_TLS_NOT_YET_VALID = 12, /**< a certificate is before its time */
    ONWARD_TLS_NAME_MISMATCH = 13, /**< it has none of the names */
    ONWARD_TLS_UNTRUSTED = 14,     /**< no trusted authority vouches for it */
    ONWARD_TLS_REVOKED = 15,       /**< an authority took it back */
    ONWARD_TLS_INTERNAL = 16,      /**< memory or library failure on our side */
    ONWARD_TLS_TLSA_MISMATCH = 17, /**< no TLSA record is that of the
                                      certificate or of its chain */
    /* These come before there is a connection. */
    ONWARD_TLS_TLSA_INVALID = 18,   /**< none of the TLSA records is usable */
    ONWARD_TLS_DNSSEC_INVALID = 19, /**< DANE: an answer failed validation, or
                                       there was none */
    ONWARD_TLS_DANE_REQUIRED = 20   /**< the sender demands DANE, and there are
                                       no validated TLSA records */
};

/**
 * A short stable word for logs, "name-mismatch".
 *
 * @param failure  enum onward_tls_failure, or any number.
 * @return static text ending in NUL, never NULL; "unknown" for other numbers.
 * @since 0.1
 */
ONWARD_API const char *onward_tls_failure_name(int failure);

/**
 * An English sentence for people, without final dot.
 *
 * @param failure  enum onward_tls_failure, or any number.
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_tls_failure_text(int failure);

/**
 * The result type that a TLS report gives it (RFC 8460 section 4.3).
 *
 * @param failure  enum onward_tls_failure, or any number.
 * @return static text ending in NUL, "certificate-host-mismatch"; empty for
 *         ONWARD_TLS_OK.
 * @since 0.1
 */
ONWARD_API const char *onward_tls_failure_report(int failure);

/* ---- What is known afterwards ------------------------------------------ */

/**
 * Facts of a connection under TLS. An engine fills what it knows (at most size
 * octets are written, the texts are borrowed from it); a host that does TLS
 * itself fills what it knows, and leaves the rest 0.
 */
struct onward_tls_facts {
    size_t size;
    struct onward_str version;     /**< "TLS1.3" */
    struct onward_str cipher;      /**< "TLS_AES_256_GCM_SHA384" */
    struct onward_str server_name; /**< asked for by SNI */
    struct onward_str alpn;        /**< the protocol agreed on */
    /** 1: the peer's certificate is trusted, and, on the client's side, has
     * one of the names of the demand; or a TLSA record of it vouches. */
    size_t is_verified;
    /** enum onward_tls_failure: why it is not; also where that was allowed.
     * ONWARD_TLS_OK on a server that did not ask for a certificate. */
    size_t cert_failure;
    /** The name of the demand that the certificate has; empty if unverified. */
    struct onward_str verified_name;
    struct onward_str peer_subject; /**< RFC 4514; at most 1024 octets */
    struct onward_str peer_issuer;  /**< RFC 4514; at most 1024 octets */
    struct onward_str peer_sha256;  /**< of the certificate, 32 octets */
    /** Channel bindings: "tls-exporter" (RFC 9266) and, up to TLS 1.2,
     * "tls-unique" (RFC 5929). Secret until used. Empty where not safe. */
    struct onward_str binding_exporter;
    struct onward_str binding_unique; /**< up to TLS 1.2 */
    size_t is_resumed; /**< 1: by a session ticket */
    /** Channel binding "tls-server-end-point" (RFC 5929): a hash of the
     * server's certificate. No secret; empty where its signature has no hash.
     */
    struct onward_str binding_end_point;
    /** With ONWARD_TLS_DANE: the record of the demand that vouches for the
     * certificate; empty if none does. For DANE-EE(3) verified_name is empty:
     * no name was looked at. */
    struct onward_str verified_tlsa;
};

#ifdef __cplusplus
}
#endif

#endif
