#ifndef ONWARD_DANE_H
#define ONWARD_DANE_H

#include <onward/dns.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DANE for SMTP (RFC 7672, RFC 7671, RFC 6698): does a mail server publish, in
 * DNS that is secured by DNSSEC, how its certificate is to be known? A look-up
 * serves one server of a destination; what it finds becomes a demand for
 * <onward/tls.h>. It never says "no DANE" because a question failed.
 *
 * DANE is as good as the resolver of the host: answers count as validated by
 * ONWARD_DNS_SECURE alone. A look-up belongs to its desk and so to one thread
 * at a time.
 */

/* ---- Records ----------------------------------------------------------- */

/** What is wrong with a TLSA record. Numbers never change. */
enum onward_dane_problem {
    ONWARD_DANE_PROBLEM_NONE = 0,
    ONWARD_DANE_PROBLEM_SHORT = 1,    /**< less than three octets and data */
    ONWARD_DANE_PROBLEM_USAGE = 2,    /**< neither DANE-TA(2) nor DANE-EE(3),
                                         which SMTP is for */
    ONWARD_DANE_PROBLEM_SELECTOR = 3, /**< neither Cert(0) nor SPKI(1) */
    ONWARD_DANE_PROBLEM_MATCHING = 4, /**< none of Full(0), SHA2-256(1),
                                         SHA2-512(2) */
    ONWARD_DANE_PROBLEM_LENGTH = 5,   /**< no digest has that length */
    ONWARD_DANE_PROBLEM_DATA = 6      /**< Full(0), and no certificate or key */
};

/** A TLSA record taken apart. The caller sets size; at most so much is
 * written. */
struct onward_dane_record {
    size_t size;
    size_t usage;           /**< 0 to 255 */
    size_t selector;        /**< 0 to 255 */
    size_t matching;        /**< the matching type, 0 to 255 */
    struct onward_str data; /**< points into the rdata */
    size_t problem;         /**< enum onward_dane_problem */
};

/**
 * Take a TLSA record apart (RFC 6698 section 2.1) and say whether SMTP can use
 * it (RFC 7672 section 3.1). Whatever is wrong with one is no error: it is
 * passed over.
 *
 * @param rdata   any octets.
 * @param record  out; of a record that is too short all numbers are 0.
 * @return 1 usable, 0 not (problem says why), or
 *         ONWARD_EINVAL  record is NULL or its size too small
 * @since 0.1
 */
ONWARD_API int onward_dane_record_parse(struct onward_str rdata,
                                        struct onward_dane_record *record);

/**
 * Write the record that a server with this certificate would publish, as it
 * stands in a zone file behind the type: "3 1 1 8cb0fc6c...".
 *
 * @param ctx       for memory, until the call returns.
 * @param usage     2: the certificate is the authority's; 3: the server's.
 * @param selector  0: the whole certificate; 1: its key (better for 3, as a
 *                  renewed certificate may keep its key).
 * @param matching  0: all of it (not recommended); 1: SHA2-256; 2: SHA2-512.
 * @param cert      a certificate, PEM (the first one of the text) or DER.
 * @param out       room for cap octets; gets the text and a NUL.
 * @param cap       136 is enough for all but matching 0, which needs 8 and two
 *                  for each octet of the certificate.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL   a number that SMTP has no use for
 *         ONWARD_ESYNTAX  no certificate
 *         ONWARD_ELIMIT   cap is too small, or the certificate too large
 *         ONWARD_ENOMEM   out of memory
 *         ONWARD_ECRYPTO  GnuTLS could not hash
 * @since 0.1
 */
ONWARD_API int onward_dane_record_write(struct onward_ctx *ctx, size_t usage,
                                        size_t selector, size_t matching,
                                        struct onward_str cert, char *out,
                                        size_t cap);

/**
 * A short stable word for a problem, "length".
 *
 * @param problem  enum onward_dane_problem, or any number.
 * @return static text ending in NUL, never NULL; "unknown" for other numbers.
 * @since 0.1
 */
ONWARD_API const char *onward_dane_problem_name(int problem);

/* ---- One server -------------------------------------------------------- */

/** The search for the records of one server. */
struct onward_dane_lookup;

/** Where the name of the server comes from, as far as DNSSEC goes. */
enum onward_dane_origin {
    ONWARD_DANE_MX_INSECURE = 0, /**< an MX answer that was not validated */
    ONWARD_DANE_MX_SECURE = 1,   /**< one that was, with its CNAMEs */
    ONWARD_DANE_NO_MX = 2        /**< the host's choice (a smart host), or a
                                    domain without MX */
};

/** All but host may be 0. */
struct onward_dane_opts {
    size_t size;
    /** The server, U-labels allowed. An address literal has no DANE. */
    struct onward_str host;
    size_t port;   /**< default 25 */
    size_t origin; /**< enum onward_dane_origin */
    /** The domain that the message goes to, and the same behind its CNAMEs:
     * other names that a certificate may have (RFC 7672 section 3.2.2). Not
     * looked at for ONWARD_DANE_MX_INSECURE, where anybody could have put the
     * server there. */
    struct onward_str next_hop;
    struct onward_str next_hop_canonical; /**< the same, behind its CNAMEs */
    /**
     * 0: ask for the servers behind an insecure MX too, which protects against
     * those who can only break the connection (RFC 7672 section 2.2.1). 1: do
     * not; the result is ONWARD_DANE_RESULT_NONE.
     */
    size_t skip_insecure_mx;
    uint64_t log_id; /**< 0: that of the desk */
};

struct onward_dane_lookup_host {
    size_t size;
    void *user;
    /** There is a result. Once, inside onward_desk_run(), never after
     * onward_dane_lookup_free(), which is allowed in here. Required. */
    void (*done)(void *user, struct onward_dane_lookup *lookup);
};

/** What a sender has to do at that server (RFC 7672 section 2.2). */
enum onward_dane_result {
    ONWARD_DANE_RESULT_PENDING = 0,
    /** No DANE: TLS as without it, that is when it works. */
    ONWARD_DANE_RESULT_NONE = 1,
    /** TLS, and one of the records has to match. */
    ONWARD_DANE_RESULT_USABLE = 2,
    /** There are records, none of which SMTP can use: TLS, with any
     * certificate. */
    ONWARD_DANE_RESULT_UNUSABLE = 3,
    /** Nothing is known: do not deliver there now. */
    ONWARD_DANE_RESULT_FAILED = 4
};

/** Why. Numbers never change. */
enum onward_dane_reason {
    ONWARD_DANE_REASON_PENDING = 0,
    ONWARD_DANE_REASON_RECORDS = 1,          /**< usable ones */
    ONWARD_DANE_REASON_NO_RECORDS = 2,       /**< there are none */
    ONWARD_DANE_REASON_INSECURE_RECORDS = 3, /**< not validated */
    ONWARD_DANE_REASON_INSECURE_HOST = 4,    /**< the address is not validated,
                                                and so not asked further */
    ONWARD_DANE_REASON_INSECURE_MX = 5,      /**< skip_insecure_mx */
    ONWARD_DANE_REASON_LITERAL = 6,          /**< the server is an address */
    ONWARD_DANE_REASON_BAD_RECORDS = 7,      /**< all are unusable */
    ONWARD_DANE_REASON_NO_ADDRESS = 8,       /**< the server has none */
    ONWARD_DANE_REASON_ADDRESS_FAILED = 9,   /**< no answer, or a broken one */
    ONWARD_DANE_REASON_ADDRESS_BOGUS = 10,   /**< DNSSEC says: forged */
    ONWARD_DANE_REASON_ALIAS_FAILED = 11,    /**< the name's own CNAME: no
                                                answer, or a broken one */
    ONWARD_DANE_REASON_RECORDS_FAILED = 12,  /**< no answer, or a broken one */
    ONWARD_DANE_REASON_RECORDS_BOGUS = 13,   /**< DNSSEC says: forged */
    ONWARD_DANE_REASON_BAD_HOST = 14,        /**< that is no host name */
    ONWARD_DANE_REASON_INTERNAL = 15         /**< memory, on our side */
};

/**
 * Look for the records of a server: its addresses first, and its TLSA records
 * only where these were validated, at the name behind its CNAMEs and then at
 * its own (RFC 7672 sections 2.2.2 and 2.2.3). An address question that failed
 * does no harm when that of the other family was answered.
 *
 * @param resolver  its memory is kept until onward_dane_lookup_free().
 * @param opts      borrowed for this call, with all it points to.
 * @param host      borrowed for this call; done is required.
 * @param lookup    out: free with onward_dane_lookup_free().
 * @return 0, or
 *         ONWARD_EINVAL    no host, no done, a port or an origin out of range
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_dane_lookup_new(struct onward_resolver *resolver,
                       const struct onward_dane_opts *opts,
                       const struct onward_dane_lookup_host *host,
                       struct onward_dane_lookup **lookup);

/**
 * Give it up, or the result back. Allowed inside any callback.
 *
 * @param lookup  may be NULL.
 * @note May call cancel of the resolver's host table.
 * @since 0.1
 */
ONWARD_API void onward_dane_lookup_free(struct onward_dane_lookup *lookup);

/**
 * @return enum onward_dane_result; ONWARD_DANE_RESULT_PENDING before `done`.
 * @since 0.1
 */
ONWARD_API int
onward_dane_lookup_result(const struct onward_dane_lookup *lookup);

/**
 * @return enum onward_dane_reason.
 * @since 0.1
 */
ONWARD_API int
onward_dane_lookup_reason(const struct onward_dane_lookup *lookup);

/**
 * What a TLS report says of it (RFC 8460 section 4.3.2.1).
 *
 * @return enum onward_tls_failure: ONWARD_TLS_TLSA_INVALID,
 *         ONWARD_TLS_DNSSEC_INVALID, or ONWARD_TLS_OK where DANE has nothing to
 *         report.
 * @since 0.1
 */
ONWARD_API int
onward_dane_lookup_failure(const struct onward_dane_lookup *lookup);

/**
 * The TLSA base domain: the name under which records were found, which is the
 * name to ask the server for (RFC 7672 sections 2.2.3 and 8.1).
 *
 * @return borrowed until onward_dane_lookup_free(); empty unless the result is
 *         ONWARD_DANE_RESULT_USABLE or _UNUSABLE.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dane_lookup_base_domain(const struct onward_dane_lookup *lookup);

/**
 * The last name that TLSA records were asked of, "_25._tcp.mx.example".
 *
 * @return borrowed until onward_dane_lookup_free(); empty if none was.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dane_lookup_asked(const struct onward_dane_lookup *lookup);

/**
 * How many records count: the usable ones, of the strongest digest for each
 * usage and selector (RFC 7671 section 9), each once, at most 32.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dane_lookup_count(const struct onward_dane_lookup *lookup);

/**
 * The rdata of record i that counts, in the order of the answer.
 *
 * @return borrowed until onward_dane_lookup_free(); empty if there is no i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dane_lookup_record(const struct onward_dane_lookup *lookup, size_t i);

/**
 * How many records the answer has, those that do not count too.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dane_lookup_answer_count(const struct onward_dane_lookup *lookup);

/**
 * The rdata of record i of the answer.
 *
 * @return borrowed until onward_dane_lookup_free(); empty if there is no i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dane_lookup_answer(const struct onward_dane_lookup *lookup, size_t i);

/**
 * How many names a certificate may have under DANE-TA(2); DANE-EE(3) does not
 * look at names (RFC 7672 section 3.2).
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dane_lookup_name_count(const struct onward_dane_lookup *lookup);

/**
 * Name i; the first is the base domain.
 *
 * @return borrowed until onward_dane_lookup_free(); empty if there is no i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dane_lookup_name(const struct onward_dane_lookup *lookup, size_t i);

/**
 * What to demand of TLS there, for the SMTP client: ONWARD_TLS_DANE with
 * records, names and SNI; ONWARD_TLS_ENCRYPTED where no record is usable;
 * ONWARD_TLS_OPPORTUNISTIC where there are none, which the caller may make more
 * of for reasons of its own.
 *
 * @param demand  out; what it points to is borrowed from lookup until
 *                onward_dane_lookup_free().
 * @return 0, or
 *         ONWARD_ESTATE  pending, or ONWARD_DANE_RESULT_FAILED: there is
 *                        nothing to demand, do not deliver
 *         ONWARD_EINVAL  demand is NULL, or its size has no room for records
 * @since 0.1
 */
ONWARD_API int
onward_dane_lookup_demand(const struct onward_dane_lookup *lookup,
                          struct onward_tls_demand *demand);

/**
 * A short stable word for a result, "usable".
 *
 * @param result  enum onward_dane_result, or any number.
 * @return static text ending in NUL, never NULL; "unknown" for other numbers.
 * @since 0.1
 */
ONWARD_API const char *onward_dane_result_name(int result);

/**
 * A short stable word for a reason, "insecure-host".
 *
 * @param reason  enum onward_dane_reason, or any number.
 * @return static text ending in NUL, never NULL; "unknown" for other numbers.
 * @since 0.1
 */
ONWARD_API const char *onward_dane_reason_name(int reason);

/**
 * An English sentence for people, without final dot.
 *
 * @param reason  enum onward_dane_reason, or any number.
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_dane_reason_text(int reason);

#ifdef __cplusplus
}
#endif

#endif
