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

#ifdef __cplusplus
}
#endif

#endif
