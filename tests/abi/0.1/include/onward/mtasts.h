#ifndef ONWARD_MTASTS_H
#define ONWARD_MTASTS_H

#include <onward/channel.h>
#include <onward/dns.h>
#include <onward/store.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * MTA-STS (RFC 8461): which mail servers a domain has, and that they are to be
 * reached under verified TLS only. A domain says so by a TXT record at
 * `_mta-sts` and a policy that its host `mta-sts` gives out over HTTPS.
 *
 * The readers of record and policy stand alone. struct onward_mtasts finds the
 * policy in force for a domain: it asks DNS, fetches by one HTTPS request whose
 * connection the host makes, and keeps what it found in a store, where a policy
 * stays in force until its time is over, whatever happens to record and host
 * meanwhile.
 *
 * A struct onward_mtasts and all made from it belong to one desk, and so to one
 * thread at a time.
 */

/* ---- Records and policies ---------------------------------------------- */

/** Octets of a policy, at most (RFC 8461 section 3.3). */
#define ONWARD_MTASTS_POLICY_MAX 65536
/** The longest max_age, in seconds (RFC 8461 section 3.2). */
#define ONWARD_MTASTS_MAX_AGE_MAX 31557600

/** What is wrong with a record or a policy. Numbers are stable. */
enum onward_mtasts_flaw {
    ONWARD_MTASTS_FLAW_NONE = 0,
    ONWARD_MTASTS_FLAW_TOO_LONG = 1,
    ONWARD_MTASTS_FLAW_OCTET = 2, /**< it may not stand in a text: controls, a
                                     bare CR, what is no UTF-8 (policy) or no
                                     ASCII (record) */
    ONWARD_MTASTS_FLAW_NO_DELIMITER = 3, /**< no ':' (policy), '=' (record) */
    ONWARD_MTASTS_FLAW_KEY = 4,          /**< no name of a field */
    ONWARD_MTASTS_FLAW_VALUE = 5,        /**< of a field that nobody knows */
    ONWARD_MTASTS_FLAW_VERSION = 6,      /**< not STSv1 */
    ONWARD_MTASTS_FLAW_MODE = 7,
    ONWARD_MTASTS_FLAW_MAX_AGE = 8,
    ONWARD_MTASTS_FLAW_MX = 9, /**< no host name, nor one behind "*." */
    ONWARD_MTASTS_FLAW_ID = 10,
    ONWARD_MTASTS_FLAW_NO_VERSION = 11,
    ONWARD_MTASTS_FLAW_NO_MODE = 12,
    ONWARD_MTASTS_FLAW_NO_MAX_AGE = 13,
    ONWARD_MTASTS_FLAW_NO_MX = 14,
    ONWARD_MTASTS_FLAW_NO_ID = 15,
    ONWARD_MTASTS_FLAW_SEVERAL = 16, /**< records, where one may be */
    /** From here on: for linters, senders do not mind. */
    ONWARD_MTASTS_FLAW_REPEATED = 17,   /**< only the first field counts */
    ONWARD_MTASTS_FLAW_BLANK_LINE = 18, /**< not in the grammar */
    ONWARD_MTASTS_FLAW_SHORT_LIFE = 19  /**< max_age below a day */
};

/** Where the first flaw is. The caller sets size; at most so much is written.
 */
struct onward_mtasts_fault {
    size_t size;
    size_t flaw;      /**< enum onward_mtasts_flaw */
    size_t offset;    /**< octet of the text, 0-based */
    const char *text; /**< static: what was expected, or what is wrong */
    /** 1: the whole record or policy counts for nothing. */
    size_t is_void;
};

/** One TXT record (RFC 8461 section 3.1). The caller sets size. */
struct onward_mtasts_record {
    size_t size;
    struct onward_str id; /**< 1 to 32 letters and digits */
};

/**
 * Read one TXT record.
 *
 * @param text    all strings of the record, joined; id is borrowed from it.
 * @param record  out.
 * @param fault   out, may be NULL: set with ONWARD_ESYNTAX only.
 * @return 0, or
 *         ONWARD_ENOENT  it is for something else: does not begin with
 *                        "v=STSv1;"
 *         ONWARD_ESYNTAX see fault
 *         ONWARD_EINVAL  record->size cannot be
 * @since 0.1
 */
ONWARD_API int onward_mtasts_record_parse(struct onward_str text,
                                          struct onward_mtasts_record *record,
                                          struct onward_mtasts_fault *fault);

/**
 * Read all TXT records of one name: those for something else are left out, and
 * exactly one must remain (RFC 8461 section 3.1).
 *
 * @param texts   count texts, in any order.
 * @param record  out.
 * @param fault   out, may be NULL: set with ONWARD_ESYNTAX only; offset is that
 *                in the first faulty, or second, record.
 * @return as onward_mtasts_record_parse(); ONWARD_ENOENT also without texts.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_records_parse(const struct onward_str *texts,
                                           size_t count,
                                           struct onward_mtasts_record *record,
                                           struct onward_mtasts_fault *fault);

/**
 * Judge a record more strictly than senders do.
 *
 * @param fault  out, may be NULL: set with ONWARD_ESYNTAX only.
 * @return 0, ONWARD_ENOENT (not an MTA-STS record) or ONWARD_ESYNTAX.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_record_lint(struct onward_str text,
                                         struct onward_mtasts_fault *fault);

/** What a domain wants done where its policy does not hold (section 5). */
enum onward_mtasts_mode {
    ONWARD_MTASTS_MODE_UNKNOWN = 0,
    ONWARD_MTASTS_MODE_NONE = 1,    /**< as without a policy */
    ONWARD_MTASTS_MODE_TESTING = 2, /**< deliver, and report it */
    ONWARD_MTASTS_MODE_ENFORCE = 3  /**< do not deliver there */
};

/** One policy (RFC 8461 section 3.2). The caller sets size. */
struct onward_mtasts_policy {
    size_t size;
    size_t mode;            /**< enum onward_mtasts_mode */
    size_t max_age_s;       /**< 0 to ONWARD_MTASTS_MAX_AGE_MAX */
    size_t mx_count;        /**< patterns; see onward_mtasts_mx_next() */
    struct onward_str text; /**< all of it, as it was given */
};

/**
 * Read a policy. Lines end in LF or CRLF, fields stand in any order; of fields
 * that stand there twice, but for mx, the first counts; unknown ones do not.
 *
 * @param text    borrowed by policy.
 * @param policy  out.
 * @param fault   out, may be NULL: set with ONWARD_ESYNTAX only.
 * @return 0, ONWARD_ESYNTAX (see fault) or ONWARD_EINVAL (a size cannot be).
 * @since 0.1
 */
ONWARD_API int onward_mtasts_policy_parse(struct onward_str text,
                                          struct onward_mtasts_policy *policy,
                                          struct onward_mtasts_fault *fault);

/**
 * Judge a policy more strictly than senders do.
 *
 * @param fault  out, may be NULL: set with ONWARD_ESYNTAX only; is_void says
 *               whether senders would have no use for the policy either.
 * @return 0 or ONWARD_ESYNTAX.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_policy_lint(struct onward_str text,
                                         struct onward_mtasts_fault *fault);

/**
 * Take the next mx pattern off a policy: a host name, or "*." and one. As it is
 * written, in A-labels of any case.
 *
 * @param rest     in and out: begin with the text of a policy that was parsed.
 * @param pattern  out: borrowed from that text.
 * @return 1 with a pattern, 0 when there is none left.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_mx_next(struct onward_str *rest,
                                     struct onward_str *pattern);

/**
 * Is that mail server one of the policy's (RFC 8461 section 4.1)? A pattern
 * "*.example.net" stands for names with exactly one label more. That the mode
 * is "none" is not looked at.
 *
 * @param policy  as onward_mtasts_policy_parse() has filled it.
 * @param host    the name of the MX record, in A-labels; a final dot is taken
 *                off.
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_mtasts_mx_matches(const struct onward_mtasts_policy *policy,
                         struct onward_str host);

/** The same for one pattern. @return 1 or 0. @since 0.1 */
ONWARD_API int onward_mtasts_pattern_matches(struct onward_str pattern,
                                             struct onward_str host);

/** @return "none", "testing", "enforce"; else "". @since 0.1 */
ONWARD_API const char *onward_mtasts_mode_name(int mode);

/* ---- What to publish --------------------------------------------------- */

/** A policy to write. */
struct onward_mtasts_policy_opts {
    size_t size;
    size_t mode;      /**< enum onward_mtasts_mode; required */
    size_t max_age_s; /**< default 604800, a week */
    /** mx_count patterns; needed unless the mode is "none". U-labels are not
     * taken: convert them. */
    const struct onward_str *mx;
    size_t mx_count;
};

/**
 * Write a policy file, with CRLF.
 *
 * @param out  room for cap octets.
 * @return the length, or
 *         ONWARD_EINVAL    no such mode, no mx where one is needed, or an
 *                          argument is NULL
 *         ONWARD_ESYNTAX   a pattern is none, or max_age_s is too long
 *         ONWARD_ELIMIT    cap, or ONWARD_MTASTS_POLICY_MAX, is too small
 *         ONWARD_EVERSION  a field this release does not know is not 0
 * @since 0.1
 */
ONWARD_API int
onward_mtasts_policy_write(const struct onward_mtasts_policy_opts *opts,
                           char *out, size_t cap);

/**
 * Write the text of the TXT record at `_mta-sts`.
 *
 * @param id  a new one for each change of the policy: 1 to 32 letters and
 *            digits.
 * @param out room for cap octets.
 * @return the length, ONWARD_ESYNTAX (no such id), ONWARD_ELIMIT (cap is too
 *         small) or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_record_write(struct onward_str id, char *out,
                                          size_t cap);

/* ---- Why there is no (new) policy -------------------------------------- */

/** Why a domain has no policy, or why what was kept could not be confirmed.
 * Numbers are stable: they stand in the store. */
enum onward_mtasts_reason {
    ONWARD_MTASTS_REASON_NONE = 0,
    ONWARD_MTASTS_REASON_NO_RECORD = 1,    /**< no TXT record */
    ONWARD_MTASTS_REASON_BAD_RECORD = 2,   /**< its syntax */
    ONWARD_MTASTS_REASON_MANY_RECORDS = 3, /**< not exactly one */
    ONWARD_MTASTS_REASON_DNS = 4,          /**< it could not be looked up */
    ONWARD_MTASTS_REASON_HOST_DNS = 5,     /**< the policy host could not */
    ONWARD_MTASTS_REASON_NO_HOST = 6,      /**< it has no address */
    ONWARD_MTASTS_REASON_ADDRESS = 7, /**< none that the address filter lets
                                           pass */
    ONWARD_MTASTS_REASON_CONNECT = 8, /**< no connection */
    ONWARD_MTASTS_REASON_TLS = 9,     /**< see tls_failure */
    ONWARD_MTASTS_REASON_TIMEOUT = 10,
    ONWARD_MTASTS_REASON_CUT = 11,    /**< ended before the policy was whole */
    ONWARD_MTASTS_REASON_HTTP = 12,   /**< not HTTP/1.1, or beyond a limit */
    ONWARD_MTASTS_REASON_STATUS = 13, /**< not 200; see http_status */
    ONWARD_MTASTS_REASON_MEDIA_TYPE = 14, /**< not text/plain */
    ONWARD_MTASTS_REASON_ENCODING = 15,   /**< Content-Encoding */
    ONWARD_MTASTS_REASON_TOO_LONG = 16,   /**< above ONWARD_MTASTS_POLICY_MAX */
    ONWARD_MTASTS_REASON_BAD_POLICY = 17,
    ONWARD_MTASTS_REASON_BUSY = 18,  /**< max_fetches are under way */
    ONWARD_MTASTS_REASON_STORE = 19, /**< the store failed: what was kept is not
                                          known */
    ONWARD_MTASTS_REASON_BAD_DOMAIN = 20, /**< no name, or a literal */
    ONWARD_MTASTS_REASON_CANCELED = 21,   /**< struct onward_mtasts was freed */
    ONWARD_MTASTS_REASON_INTERNAL = 22    /**< out of memory */
};

/** @return a short stable word, "media-type"; "" for NONE and other numbers.
 * @since 0.1 */
ONWARD_API const char *onward_mtasts_reason_name(int reason);

/** @return an English sentence without final dot; "" for NONE and other
 * numbers. @since 0.1 */
ONWARD_API const char *onward_mtasts_reason_text(int reason);

/**
 * The result type that a TLS report gives it (RFC 8460 section 4.3.2.2).
 *
 * @return "sts-policy-fetch-error", "sts-policy-invalid" or
 *         "sts-webpki-invalid"; "" for what is not reported.
 * @since 0.1
 */
ONWARD_API const char *onward_mtasts_reason_report(int reason);

/* ---- Policies in force ------------------------------------------------- */

/** Finds, fetches and keeps the policies of domains. */
struct onward_mtasts;

/** resolver and store are required. */
struct onward_mtasts_opts {
    size_t size;
    struct onward_resolver *resolver; /**< kept in memory */
    /** Where policies and failures are kept, of the resolver's desk. What is in
     * it decides: give one that outlasts the process. Policies of up to 4096
     * octets are put with ONWARD_STORE_KEEP; longer ones, which strangers could
     * fill it with, may be dropped when it is full. Kept in memory. */
    struct onward_store *store;
    /** A client's configuration with the trust anchors of the Web; it gets an
     * owner more. NULL: onward_mtasts_fetch_new() is never called. */
    struct onward_tls_config *tls;
    size_t fetch_ms;    /**< of a fetch, all in all; default 60000 */
    size_t failure_s;   /**< a host that failed is not asked again for so long,
                           with the same id; default 300 */
    size_t refresh_s;   /**< a policy this old is fetched anew while it is in
                           force; default 86400 */
    size_t max_fetches; /**< under way at once; default 1024 */
    uint64_t log_id;    /**< 0: that of the desk */
};

/** What a host is asked to do. */
struct onward_mtasts_request {
    size_t size;
    struct onward_str name; /**< the policy host, lower-case A-labels */
    struct onward_str path; /**< for a host that does HTTP itself */
    size_t port;            /**< 443 */
    /** ip_count addresses that passed the filter, in the order to try them.
     * Connect to one of these and no other. */
    const struct onward_ip *ips;
    size_t ip_count;
};

/** What the fetches ask their host, inside onward_desk_run() only. All may free
 * the struct onward_mtasts and each lookup. */
struct onward_mtasts_host {
    size_t size;
    void *user;
    /**
     * Connect to a policy host. Answer with that token, now or later:
     * onward_mtasts_fetch_new() when there is a connection, or
     * onward_mtasts_answer_reply() when you made the request yourself, or
     * onward_mtasts_answer_error(). A negative return is an answer too: there
     * is no connection. request is borrowed for the call. Required.
     */
    int (*connect)(void *user, uint64_t token,
                   const struct onward_mtasts_request *request);
    /** Nobody waits for that connection any more. May be NULL. */
    void (*cancel)(void *user, uint64_t token);
    /** May we connect there? 1 or 0. NULL: onward_ip_is_public(). */
    int (*allow_address)(void *user, const struct onward_ip *ip);
};

/**
 * Make one, for all domains.
 *
 * @param opts    borrowed for this call.
 * @param host    borrowed for this call.
 * @param mtasts  out: free with onward_mtasts_free().
 * @return 0, or
 *         ONWARD_EINVAL    no resolver, store or connect, store and resolver of
 *                          two desks, or tls is for servers
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_new(const struct onward_mtasts_opts *opts,
                                 const struct onward_mtasts_host *host,
                                 struct onward_mtasts **mtasts);

/**
 * End the caller's use. Fetches end, and lookups under way with
 * ONWARD_MTASTS_REASON_CANCELED; the host's functions do not run any more,
 * cancel not either. Allowed inside any callback.
 *
 * @param mtasts  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_mtasts_free(struct onward_mtasts *mtasts);

/**
 * Look through all that is kept, and look up and fetch anew what gets old, a
 * few at a time: so that a domain that has no mail for days does not lose its
 * policy before the next message comes (RFC 8461 sections 3.3 and 10.2). Call
 * it every hour or so.
 *
 * @return 0, ONWARD_EINVAL (mtasts is NULL), ONWARD_ESTATE (one is under way,
 *         or the desk was freed) or ONWARD_ENOMEM.
 * @note Calls no callback; the store is asked, and then DNS and the host,
 * inside onward_desk_run().
 * @since 0.1
 */
ONWARD_API int onward_mtasts_refresh(struct onward_mtasts *mtasts);

/** Fetches under way. @since 0.1 */
ONWARD_API size_t onward_mtasts_fetch_count(const struct onward_mtasts *mtasts);

/* ---- One domain -------------------------------------------------------- */

/** The question what policy a domain has. */
struct onward_mtasts_lookup;

struct onward_mtasts_lookup_host {
    size_t size;
    void *user;
    /** The verdict is there. Once, inside onward_desk_run(); may free all. */
    void (*done)(void *user, struct onward_mtasts_lookup *lookup);
};

/**
 * Ask for the policy in force of a domain: that of the recipients, never a
 * domain above it, or the name of a smart host (RFC 8461 section 3.4).
 *
 * A policy that is kept, and that the record does not contradict, is there
 * without a fetch. Where the record announces one that is not known the lookup
 * waits for the fetch, up to its minute. Lookups of one domain share a fetch.
 *
 * @param domain  U-labels are welcome; copied. What can have no policy is a
 *                verdict, no error.
 * @param host    borrowed for this call; NULL: poll
 *                onward_mtasts_lookup_verdict().
 * @param lookup  out: free with onward_mtasts_lookup_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ESTATE (mtasts or its desk
 *         was freed) or ONWARD_ENOMEM.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_mtasts_lookup_new(struct onward_mtasts *mtasts, struct onward_str domain,
                         const struct onward_mtasts_lookup_host *host,
                         struct onward_mtasts_lookup **lookup);

/**
 * Allowed inside any callback. A fetch goes on without it.
 *
 * @param lookup  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_mtasts_lookup_free(struct onward_mtasts_lookup *lookup);

/** How a lookup stands. */
enum onward_mtasts_status {
    ONWARD_MTASTS_PENDING = 0,
    ONWARD_MTASTS_NO_POLICY = 1, /**< deliver as if there were no MTA-STS;
                                    reason says why */
    ONWARD_MTASTS_POLICY = 2     /**< policy is in force */
};

/** The caller sets size; at most so much is written. */
struct onward_mtasts_verdict {
    size_t size;
    size_t status;                             /**< enum onward_mtasts_status */
    const struct onward_mtasts_policy *policy; /**< NULL: none */
    struct onward_str id; /**< of the record that the policy was fetched for */
    /** enum onward_mtasts_reason: why there is no policy, or why one that was
     * kept could not be confirmed or replaced and is in force all the same. */
    size_t reason;
    size_t flaw;        /**< enum onward_mtasts_flaw of a bad record or policy;
                           0 where it is not known any more */
    size_t offset;      /**< where in it */
    size_t http_status; /**< with ONWARD_MTASTS_REASON_STATUS */
    size_t tls_failure; /**< enum onward_tls_failure, with
                           ONWARD_MTASTS_REASON_TLS */
    size_t is_cached;   /**< 1: the policy was not fetched for this lookup */
    size_t is_remembered; /**< 1: the fetch failed before, and it is too soon to
                             try again */
    int64_t fetched_s;    /**< of the policy, since 1970 */
    int64_t expires_s;    /**< it is in force until then */
};

/**
 * What came of it.
 *
 * @param verdict  out; what it points to is borrowed from lookup.
 * @return 0 or ONWARD_EINVAL (verdict->size is too small).
 * @since 0.1
 */
ONWARD_API int
onward_mtasts_lookup_verdict(const struct onward_mtasts_lookup *lookup,
                             struct onward_mtasts_verdict *verdict);

/* ---- Connections ------------------------------------------------------- */

/**
 * One request for a policy, over a connection that the host has made: TLS from
 * the first octet, and the certificate must have the name of the policy host
 * (RFC 8461 section 3.3).
 */
struct onward_mtasts_fetch;

/**
 * There is a connection to one of the addresses asked for. Move octets between
 * it and the channel until that wants to be closed, close it, and free the
 * fetch.
 *
 * @param desk   where the token was taken.
 * @param token  of connect.
 * @param fetch  out: free with onward_mtasts_fetch_free(); its channel dies
 * with it.
 * @return 0, or
 *         ONWARD_ESTALE  nobody waits for that token
 *         ONWARD_ESTATE  there is no TLS configuration; the token stays open
 *         ONWARD_ENOMEM, ONWARD_ECRYPTO  the fetch has failed
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_fetch_new(struct onward_desk *desk, uint64_t token,
                                       struct onward_mtasts_fetch **fetch);

/**
 * Before its end this is the same as a lost connection. Allowed inside any
 * callback.
 *
 * @param fetch  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_mtasts_fetch_free(struct onward_mtasts_fetch *fetch);

/** @return borrowed from fetch. @since 0.1 */
ONWARD_API struct onward_channel *
onward_mtasts_fetch_channel(struct onward_mtasts_fetch *fetch);

/**
 * The answer to a request that the host has made itself, with a verified
 * certificate, without following redirects and without a cache of HTTP. Fields
 * that are not known to be absent must be given.
 */
struct onward_mtasts_reply {
    size_t size;
    size_t status;                      /**< 200 */
    struct onward_str content_type;     /**< as the field has it */
    struct onward_str content_encoding; /**< empty: there is none */
    struct onward_str body; /**< more than ONWARD_MTASTS_POLICY_MAX is too long:
                               no need to read all of it */
};

/**
 * Hand over the answer of the policy host.
 *
 * @param reply  borrowed for this call.
 * @return 0, ONWARD_ESTALE, ONWARD_EINVAL, ONWARD_EVERSION or ONWARD_ENOMEM
 *         (the fetch has failed).
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_mtasts_answer_reply(struct onward_desk *desk, uint64_t token,
                           const struct onward_mtasts_reply *reply);

/**
 * There is no connection, or TLS of the host's own failed.
 *
 * @param tls_failure  enum onward_tls_failure; 0: no connection.
 * @return 0, ONWARD_ESTALE or ONWARD_EINVAL (no such failure).
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_mtasts_answer_error(struct onward_desk *desk,
                                          uint64_t token, int tls_failure);

#ifdef __cplusplus
}
#endif

#endif
