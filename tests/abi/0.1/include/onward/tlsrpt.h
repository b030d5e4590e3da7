#ifndef ONWARD_TLSRPT_H
#define ONWARD_TLSRPT_H

#include <onward/mime_builder.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * SMTP TLS reporting (RFC 8460): the record by which a domain asks for reports,
 * and reports: counted up session by session, kept as bytes meanwhile, written
 * as JSON and as mail; those of others are read into the same object.
 *
 * Compression, mail and HTTPS are the host's. A report that goes by mail must
 * be signed by DKIM without l=, travels whatever TLS there is, and is itself
 * not counted in any report (section 3).
 *
 * Threads: an object belongs to one thread at a time.
 */

/* ---- Records ----------------------------------------------------------- */

/** What is wrong with a record. Numbers are stable. */
enum onward_tlsrpt_flaw {
    ONWARD_TLSRPT_FLAW_NONE = 0,
    ONWARD_TLSRPT_FLAW_NO_EQUALS = 1, /**< a field without '=' */
    ONWARD_TLSRPT_FLAW_NAME = 2,      /**< no name of a field */
    ONWARD_TLSRPT_FLAW_VALUE = 3,     /**< of a field that nobody knows */
    ONWARD_TLSRPT_FLAW_URI = 4,       /**< in rua: none, or an octet that must
                                           be escaped there */
    ONWARD_TLSRPT_FLAW_SCHEME = 5,    /**< none of rua is mailto or https */
    ONWARD_TLSRPT_FLAW_NO_RUA = 6,
    ONWARD_TLSRPT_FLAW_SEVERAL = 7, /**< records, where one may be */
    /** From here on: for linters, senders do not mind. */
    ONWARD_TLSRPT_FLAW_REPEATED = 8,     /**< only the first rua counts */
    ONWARD_TLSRPT_FLAW_OTHER_SCHEME = 9, /**< that URI is left out */
    ONWARD_TLSRPT_FLAW_MAILBOX = 10      /**< mailto: without an address */
};

/** Where the first flaw is. The caller sets size; at most so much is written.
 */
struct onward_tlsrpt_fault {
    size_t size;
    size_t flaw;      /**< enum onward_tlsrpt_flaw */
    size_t offset;    /**< octet of the text, 0-based */
    const char *text; /**< static: what was expected, or what is wrong */
    size_t is_void;   /**< 1: the record counts for nothing */
};

/** One TXT record (RFC 8460 section 3). The caller sets size. */
struct onward_tlsrpt_record {
    size_t size;
    struct onward_str rua; /**< see onward_tlsrpt_rua_next() */
};

/**
 * Read one TXT record.
 *
 * @param text    all strings of the record, joined; rua is borrowed from it.
 * @param record  out.
 * @param fault   out, may be NULL: set with ONWARD_ESYNTAX only.
 * @return 0, or
 *         ONWARD_ENOENT  it is for something else: does not begin with
 *                        "v=TLSRPTv1;"
 *         ONWARD_ESYNTAX see fault
 *         ONWARD_EINVAL  record->size cannot be
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_record_parse(struct onward_str text,
                                          struct onward_tlsrpt_record *record,
                                          struct onward_tlsrpt_fault *fault);

/**
 * Read all TXT records of one name: those for something else are left out, and
 * exactly one must remain.
 *
 * @param texts  count texts, in any order.
 * @return as onward_tlsrpt_record_parse(); ONWARD_ENOENT also without texts.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_records_parse(const struct onward_str *texts,
                                           size_t count,
                                           struct onward_tlsrpt_record *record,
                                           struct onward_tlsrpt_fault *fault);

/**
 * Judge a record more strictly than senders do.
 *
 * @param fault  out, may be NULL: set with ONWARD_ESYNTAX only.
 * @return 0, ONWARD_ENOENT (not such a record) or ONWARD_ESYNTAX.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_record_lint(struct onward_str text,
                                         struct onward_tlsrpt_fault *fault);

/**
 * Take the next URI off a record: mailto: or https:, others are left out. The
 * mailbox of the first kind is given by onward_dmarc_uri_mailbox().
 *
 * @param rest  in and out: begin with rua of a record.
 * @param uri   out: borrowed from that text.
 * @return 1 with a URI, 0 when there is none left.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_rua_next(struct onward_str *rest,
                                      struct onward_str *uri);

/* ---- Reports ----------------------------------------------------------- */

struct onward_tlsrpt_report; /* opaque */

/** Which policy was applied. Numbers are stable: they stand in what is kept. */
enum onward_tlsrpt_type {
    ONWARD_TLSRPT_UNKNOWN = 0, /**< read only: another word */
    ONWARD_TLSRPT_TLSA = 1,
    ONWARD_TLSRPT_STS = 2,
    ONWARD_TLSRPT_NO_POLICY = 3
};

/** @return "tlsa", "sts", "no-policy-found"; "" for others. @since 0.1 */
ONWARD_API const char *onward_tlsrpt_type_name(int type);

struct onward_tlsrpt_report_opts {
    size_t size;
    struct onward_str organization;  /**< who reports; required to write */
    struct onward_str contact;       /**< its address; required to write */
    struct onward_str report_id;     /**< of visible ASCII; required to write */
    struct onward_str policy_domain; /**< in A-labels; required to write */
    size_t max_policies;             /**< default 100 */
    size_t max_failures; /**< rows of all policies together; default 1000 */
    size_t max_bytes;    /**< of the texts that are kept; default 1048576 */
    size_t max_json;     /**< octets that are read; default 10485760 */
    size_t reserved;     /**< 0 */
    int64_t begin_s;     /**< Unix seconds, the start of a day in UTC */
    int64_t end_s;       /**< 0: the last second of that day */
};

/**
 * Begin a report for one domain and day.
 *
 * @param ctx     kept alive by the report.
 * @param opts    borrowed for this call.
 * @param report  out: free with onward_tlsrpt_report_free().
 * @return 0, or
 *         ONWARD_ESYNTAX  a text that is required is missing or cannot be
 *         ONWARD_EINVAL   no opts; end_s before begin_s, begin_s before 1970
 *         ONWARD_EVERSION a field that this release does not know is not 0
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_new(struct onward_ctx *ctx,
                         const struct onward_tlsrpt_report_opts *opts,
                         struct onward_tlsrpt_report **report);

/** @param report  may be NULL. @since 0.1 */
ONWARD_API void onward_tlsrpt_report_free(struct onward_tlsrpt_report *report);

/** How sessions with a server of the domain went. Texts may be empty but as
 * said. */
struct onward_tlsrpt_session {
    size_t size;
    size_t type; /**< enum onward_tlsrpt_type; required */
    /** Another result of sessions that were counted already: 1 gives a row and
     * adds to no total. */
    size_t is_further;
    size_t reserved; /**< 0 */
    uint64_t count;  /**< sessions; 0 counts as 1 */
    /** The policy: that of MTA-STS as it was fetched, or TLSA records as they
     * are written ("3 1 1 ab..."), one a line. Its lines may end in CRLF. */
    struct onward_str policy;
    /** Patterns of its servers, one a line; empty: the mx lines of policy. */
    struct onward_str mx;
    /** Why it failed: as onward_tls_failure_report() and
     * onward_mtasts_reason_report() give it. Empty: it did not. */
    struct onward_str result_type;
    struct onward_str sending_ip; /**< ours */
    struct onward_str receiving_ip; /**< the server's */
    struct onward_str receiving_mx;   /**< its name */
    struct onward_str receiving_helo; /**< as it greets */
    struct onward_str info_uri;       /**< where to read more */
    struct onward_str reason_code;    /**< a word or text of the TLS library */
};

/**
 * Count sessions. A failure that is like another but for its count adds to
 * that.
 *
 * @param session  borrowed for this call.
 * @return 0, or
 *         ONWARD_EINVAL   no such type
 *         ONWARD_ESYNTAX  an IP address that is none
 *         ONWARD_ELIMIT   over a limit of the options: totals of a policy that
 *                         is there are counted all the same; sessions of which
 *                         nothing could be counted are in lost
 *         ONWARD_EVERSION, ONWARD_ENOMEM
 *         After any other than ELIMIT the totals are as they were.
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_add(struct onward_tlsrpt_report *report,
                         const struct onward_tlsrpt_session *session);

/** What is not as the standard has it, and was read all the same: bits of a
 * set. Numbers are stable. */
enum onward_tlsrpt_oddity {
    ONWARD_TLSRPT_ODDITY_MISSING = 1, /**< a member that must be there */
    ONWARD_TLSRPT_ODDITY_TYPE = 2,    /**< a member of another JSON type */
    ONWARD_TLSRPT_ODDITY_VALUE = 4,   /**< a date, number or word that is none */
    ONWARD_TLSRPT_ODDITY_MANY = 8,    /**< over a limit: not all was read */
    ONWARD_TLSRPT_ODDITY_LEADING = 16 /**< a byte order mark before the JSON */
};

/** @return a word for one bit, "missing"; "" for others. @since 0.1 */
ONWARD_API const char *onward_tlsrpt_oddity_name(int oddity);

/** What stands once. Texts are borrowed from the report. */
struct onward_tlsrpt_facts {
    size_t size;         /**< set by the caller */
    size_t oddities;     /**< of one that was read */
    size_t policy_count;
    size_t reserved;     /**< 0 */
    int64_t begin_s;     /**< 0 when not told, as end_s */
    int64_t end_s; /**< of the day */
    uint64_t lost;       /**< sessions not counted for ONWARD_ELIMIT */
    struct onward_str organization; /**< who reports */
    struct onward_str contact; /**< whom to ask */
    struct onward_str report_id; /**< as the reporter chose it */
    struct onward_str policy_domain; /**< of the options; else empty */
};

/** One policy, with its totals. */
struct onward_tlsrpt_policy {
    size_t size;          /**< set by the caller */
    size_t type;          /**< enum onward_tlsrpt_type */
    size_t failure_count; /**< of rows */
    size_t reserved;      /**< 0 */
    uint64_t successes;   /**< sessions */
    uint64_t failures;    /**< sessions; may be less than the rows add up to */
    struct onward_str domain; /**< that published it */
    struct onward_str text; /**< its lines, each ending in LF */
    struct onward_str mx;   /**< patterns, each ending in LF */
};

/** One row of failures; see struct onward_tlsrpt_session. */
struct onward_tlsrpt_failure {
    size_t size;     /**< set by the caller */
    size_t reserved; /**< 0 */
    uint64_t count; /**< sessions */
    struct onward_str result_type; /**< why */
    struct onward_str sending_ip; /**< ours */
    struct onward_str receiving_ip; /**< the server's */
    struct onward_str receiving_mx; /**< its name */
    struct onward_str receiving_helo; /**< as it greets */
    struct onward_str info_uri; /**< where to read more */
    struct onward_str reason_code; /**< more than result_type says */
};

/** @param facts  out. @return 0 or ONWARD_EINVAL (size). @since 0.1 */
ONWARD_API int
onward_tlsrpt_report_facts(const struct onward_tlsrpt_report *report,
                           struct onward_tlsrpt_facts *facts);

/**
 * Policy i.
 *
 * @param policy  out: texts are borrowed from the report.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_policy(const struct onward_tlsrpt_report *report, size_t i,
                            struct onward_tlsrpt_policy *policy);

/** Row j of policy i, as onward_tlsrpt_report_policy(). @since 0.1 */
ONWARD_API int
onward_tlsrpt_report_failure(const struct onward_tlsrpt_report *report,
                             size_t i, size_t j,
                             struct onward_tlsrpt_failure *failure);

/* ---- Kept meanwhile ---------------------------------------------------- */

/**
 * The whole report as octets for a store (`onward/tlsrpt/1/DOMAIN/DAY`, say).
 *
 * @param bytes  out: borrowed from the report until the next call on it.
 * @return 0 or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_report_save(struct onward_tlsrpt_report *report,
                                         struct onward_str *bytes);

/**
 * The other way. The octets are taken as hostile.
 *
 * @param opts    its limits count; NULL: defaults.
 * @param bytes   borrowed for this call.
 * @param report  out: free with onward_tlsrpt_report_free().
 * @return 0, or
 *         ONWARD_EVERSION of a release that this one cannot read
 *         ONWARD_ESYNTAX  no report, or cut off
 *         ONWARD_ELIMIT   over a limit of the options
 *         ONWARD_EINVAL, ONWARD_ENOMEM
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_load(struct onward_ctx *ctx,
                          const struct onward_tlsrpt_report_opts *opts,
                          struct onward_str bytes,
                          struct onward_tlsrpt_report **report);

/* ---- JSON -------------------------------------------------------------- */

/**
 * Write the report (RFC 8460 section 4.4).
 *
 * @param json  out: borrowed from the report until the next call on it.
 * @return 0, ONWARD_ESTATE (no policy: such a report is not sent) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_report_json(struct onward_tlsrpt_report *report,
                                         struct onward_str *json);

/** Why a report cannot be read. */
struct onward_tlsrpt_report_fault {
    size_t size;      /**< set by the caller */
    size_t line;      /**< 1-based */
    const char *text; /**< static: what was found, or expected */
};

/**
 * Read a report of somebody. What is odd is flagged; nothing is joined.
 *
 * @param opts    its limits count; NULL: defaults.
 * @param json    unpacked; borrowed for this call.
 * @param report  out: free with onward_tlsrpt_report_free().
 * @param fault   out, may be NULL: set with ESYNTAX and ELIMIT only.
 * @return 0, or
 *         ONWARD_ESYNTAX  no JSON, or no report
 *         ONWARD_ELIMIT   over max_json, or nested too deep
 *         ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ENOMEM
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_parse(struct onward_ctx *ctx,
                           const struct onward_tlsrpt_report_opts *opts,
                           struct onward_str json,
                           struct onward_tlsrpt_report **report,
                           struct onward_tlsrpt_report_fault *fault);

/* ---- Mail -------------------------------------------------------------- */

/**
 * The name of the file (RFC 8460 section 5.1):
 * "sender!policy-domain!begin!end[!unique].json[.gz]".
 *
 * @param unique   letters and digits, at most 64; may be empty.
 * @param is_gzip  not 0: the name for the compressed form.
 * @param name     out: borrowed from the report until the next call on it.
 * @return 0, ONWARD_ESYNTAX (unique), ONWARD_ESTATE (it was read, and is nobody
 *         to send) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_report_file_name(struct onward_tlsrpt_report *report,
                               struct onward_str unique, int is_gzip,
                               struct onward_str *name);

/**
 * Make a message the report's mail (RFC 8460 section 5.3): subject,
 * TLS-Report-Domain, TLS-Report-Submitter, text, and the report as a part.
 * Author and recipients are added by the host.
 *
 * @param data     the JSON, or that compressed.
 * @param is_gzip  not 0: it is compressed.
 * @return 0, ONWARD_ESTATE (as above), or the errors of the builder; after them
 *         the builder can only be freed.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_report_mail(struct onward_tlsrpt_report *report,
                                         struct onward_builder *builder,
                                         struct onward_str data, int is_gzip);

#ifdef __cplusplus
}
#endif

#endif
