#ifndef ONWARD_DMARC_REPORT_H
#define ONWARD_DMARC_REPORT_H

#include <onward/dmarc.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DMARC aggregate reports (RFC 9990): count verdicts into a report and write
 * its XML; read the reports of others, those of RFC 7489 too. Both ways one
 * thing is the same: a row, which says what was seen of the messages that are
 * alike. Compression and mail are the host's.
 *
 * Each object belongs to one thread at a time. Nothing here waits.
 */

/* ---- Rows -------------------------------------------------------------- */

struct onward_dmarc_row; /* opaque */

/** What was done (RFC 9990 section 3.1.1.9). Numbers are stable; those of enum
 * onward_dmarc_policy mean the same here. */
enum onward_dmarc_disposition {
    ONWARD_DMARC_DISPOSITION_UNKNOWN = 0, /**< absent or another word */
    ONWARD_DMARC_DISPOSITION_NONE = 1,
    ONWARD_DMARC_DISPOSITION_QUARANTINE = 2,
    ONWARD_DMARC_DISPOSITION_REJECT = 3,
    ONWARD_DMARC_DISPOSITION_PASS = 4 /**< passed under an enforced policy */
};

/** What stands once in each row. */
struct onward_dmarc_row_facts {
    size_t size;                     /**< set by the caller */
    size_t disposition;              /**< enum onward_dmarc_disposition */
    uint64_t count;                  /**< messages */
    size_t is_dkim_aligned;          /**< DMARC passed by DKIM */
    size_t is_spf_aligned;           /**< DMARC passed by SPF */
    struct onward_str source_ip;     /**< as onward_ip_parse() reads it */
    struct onward_str header_from;   /**< domain of From */
    struct onward_str envelope_from; /**< domain of MAIL FROM */
    struct onward_str envelope_to;   /**< domain of RCPT TO; empty: not told */
    /** envelope_from is there; with an empty text: the null reverse-path. */
    size_t has_envelope_from;
    size_t reserved;
};

/** One result of DKIM or SPF, apart from DMARC. */
struct onward_dmarc_auth_facts {
    size_t size;                /**< set by the caller */
    struct onward_str domain;   /**< d=, or the domain that SPF was asked for */
    struct onward_str selector; /**< DKIM: s= */
    struct onward_str scope;    /**< SPF: "mfrom", or (RFC 7489) "helo" */
    struct onward_str result;   /**< "pass", ...: RFC 8601 section 2.7 */
    struct onward_str human_result; /**< more words; may be empty */
};

enum {
    ONWARD_DMARC_ROW_DKIM_MAX = 100, /**< RFC 9990 section 3.1.3 */
    ONWARD_DMARC_ROW_SPF_MAX = 4,
    ONWARD_DMARC_ROW_REASONS_MAX = 16,
    ONWARD_DMARC_ROW_TEXT_MAX = 4096 /**< octets of one text */
};

/**
 * Make an empty row. onward_verifier_report_row() fills it from a message.
 *
 * @param ctx  kept alive by the row.
 * @param row  out: free with onward_dmarc_row_free().
 * @return 0, ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_row_new(struct onward_ctx *ctx,
                                    struct onward_dmarc_row **row);

/** @param row  may be NULL. @since 0.1 */
ONWARD_API void onward_dmarc_row_free(struct onward_dmarc_row *row);

/** Make it empty, to be filled again. @since 0.1 */
ONWARD_API void onward_dmarc_row_reset(struct onward_dmarc_row *row);

/**
 * Set the facts, all of them anew. Texts are copied as they are.
 *
 * @return 0, or
 *         ONWARD_EINVAL   no such disposition
 *         ONWARD_EVERSION a field that this release does not know
 *         ONWARD_ELIMIT   a text is longer than ONWARD_DMARC_ROW_TEXT_MAX
 *         ONWARD_ENOMEM   out of memory
 *         After any of them the facts are as they were.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_row_set(struct onward_dmarc_row *row,
                                    const struct onward_dmarc_row_facts *facts);

/**
 * Add a result of DKIM, in the order of how much they matter: what passes and
 * is aligned first (RFC 9990 section 3.1.3).
 *
 * @param auth  scope is not looked at.
 * @return as onward_dmarc_row_set(); ONWARD_ELIMIT also for more than
 *         ONWARD_DMARC_ROW_DKIM_MAX.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_row_add_dkim(struct onward_dmarc_row *row,
                          const struct onward_dmarc_auth_facts *auth);

/**
 * Add a result of SPF. A report of RFC 9990 has one, that of MAIL FROM; others
 * are not written.
 *
 * @param auth  selector is not looked at.
 * @return as onward_dmarc_row_set(); ONWARD_ELIMIT also for more than
 *         ONWARD_DMARC_ROW_SPF_MAX.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_row_add_spf(struct onward_dmarc_row *row,
                         const struct onward_dmarc_auth_facts *auth);

/**
 * Add why the disposition is not the published policy.
 *
 * @param type     "local_policy", ...: onward_dmarc_override_name(), or
 *                 "mailing_list", "other".
 * @param comment  more words; may be empty.
 * @return as onward_dmarc_row_set(); ONWARD_ELIMIT also for more than
 *         ONWARD_DMARC_ROW_REASONS_MAX.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_row_add_reason(struct onward_dmarc_row *row,
                                           struct onward_str type,
                                           struct onward_str comment);

/**
 * The facts. Texts, here and below, are borrowed from the row until it is
 * changed or freed.
 *
 * @param facts  out: size set by the caller.
 * @return 0 or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_row_get(const struct onward_dmarc_row *row,
                                    struct onward_dmarc_row_facts *facts);

/** @return how many results of DKIM there are. @since 0.1 */
ONWARD_API size_t
onward_dmarc_row_dkim_count(const struct onward_dmarc_row *row);

/** @param auth  out: size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL. @since 0.1 */
ONWARD_API int onward_dmarc_row_dkim(const struct onward_dmarc_row *row,
                                     size_t i,
                                     struct onward_dmarc_auth_facts *auth);

/** @return how many results of SPF there are. @since 0.1 */
ONWARD_API size_t
onward_dmarc_row_spf_count(const struct onward_dmarc_row *row);

/** @param auth  out: size set by the caller.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL. @since 0.1 */
ONWARD_API int onward_dmarc_row_spf(const struct onward_dmarc_row *row,
                                    size_t i,
                                    struct onward_dmarc_auth_facts *auth);

/** @return how many reasons there are. @since 0.1 */
ONWARD_API size_t
onward_dmarc_row_reason_count(const struct onward_dmarc_row *row);

/**
 * Reason i.
 *
 * @param type     out. Empty when i is too large.
 * @param comment  out, may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_dmarc_row_reason(const struct onward_dmarc_row *row,
                                        size_t i, struct onward_str *type,
                                        struct onward_str *comment);

/** @return "none", "pass", ...: static text; "" for UNKNOWN. @since 0.1 */
ONWARD_API const char *onward_dmarc_disposition_name(int disposition);

/* ---- Writing ----------------------------------------------------------- */

/** A report that is being counted. */
struct onward_dmarc_report; /* opaque */

/**
 * One report is about one policy of one domain in one span of time (RFC 9990
 * section 3.1): a host keeps one for each pair of
 * onward_dmarc_check_policy_domain() and onward_dmarc_check_record().
 */
struct onward_dmarc_report_opts {
    size_t size;
    size_t discovery; /**< enum onward_dmarc_discovery: how it was found */
    int64_t begin_s;  /**< of the span, seconds since 1970 */
    int64_t end_s;    /**< not before begin_s */
    struct onward_str org_name;           /**< who reports. Required */
    struct onward_str email;              /**< whom to ask. Required */
    struct onward_str extra_contact_info; /**< may be empty */
    /** dot-atom or dot-atom@dot-atom, at most 200 octets; another one for each
     * report to a domain, the same when it is sent again. Required. */
    struct onward_str report_id;
    struct onward_str receiver;      /**< our domain, for file name and subject.
                                          Required */
    struct onward_str policy_domain; /**< Required */
    struct onward_str record;        /**< text of the DMARC record found there.
                                          Required */
    struct onward_str error;     /**< what was wrong with it; may be empty */
    struct onward_str generator; /**< name and version; empty: ours */
    size_t max_rows;             /**< rows that are not alike; default 50000 */
    size_t max_bytes;            /**< memory of the rows; default 33554432 */
    /** Addresses of rua= that are told; default 5. */
    size_t max_destinations;
    size_t reserved;
};

/**
 * Begin a report.
 *
 * @param ctx     kept alive by the report.
 * @param opts    borrowed for this call; text is copied.
 * @param report  out: free with onward_dmarc_report_free().
 * @return 0, or
 *         ONWARD_EINVAL    something required is not there, or the span is
 *                          backwards
 *         ONWARD_ESYNTAX   report_id, receiver, policy_domain or record is not
 *                          what it has to be
 *         ONWARD_EVERSION  an option of a newer release is set
 *         ONWARD_ELIMIT    a text is longer than ONWARD_DMARC_ROW_TEXT_MAX
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_report_new(struct onward_ctx *ctx,
                        const struct onward_dmarc_report_opts *opts,
                        struct onward_dmarc_report **report);

/** @param report  may be NULL. @since 0.1 */
ONWARD_API void onward_dmarc_report_free(struct onward_dmarc_report *report);

/**
 * Count a row. One that is like another but for its count adds to that.
 *
 * What RFC 9990 has no word for is written in its terms: `sampled_out` and
 * other reasons that are none as "other" with the word in the comment. What may
 * not stand in XML becomes U+FFFD.
 *
 * @param row  read only; count 0 counts as 1.
 * @return 0, or
 *         ONWARD_EINVAL  no disposition
 *         ONWARD_ESYNTAX source_ip is no address, header_from is empty, or a
 *                        result is no word of RFC 8601 section 2.7
 *         ONWARD_ELIMIT  it would be a new one, and max_rows or max_bytes is
 *                        reached; what comes after may still be counted.
 *                        Counted in onward_dmarc_report_lost_count()
 *         ONWARD_ENOMEM  out of memory
 *         After any of them the report is as it was.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_report_add(struct onward_dmarc_report *report,
                                       const struct onward_dmarc_row *row);

/** @return rows that are not alike. @since 0.1 */
ONWARD_API size_t
onward_dmarc_report_row_count(const struct onward_dmarc_report *report);

/** @return messages counted. @since 0.1 */
ONWARD_API uint64_t
onward_dmarc_report_message_count(const struct onward_dmarc_report *report);

/** @return messages not counted for ONWARD_ELIMIT; the report says so in its
 * `error` element. @since 0.1 */
ONWARD_API uint64_t
onward_dmarc_report_lost_count(const struct onward_dmarc_report *report);

/** Where the XML goes. */
struct onward_dmarc_report_host {
    size_t size;
    void *user;
    /** Take all of data, some KiB at most, and return 0, or a negative value to
     * give up. Must not change or free the report. */
    int (*write)(void *user, const void *data, size_t len);
};

/**
 * Write the XML (RFC 9990 Appendix A), rows in the order they came. The report
 * stays as it is; call again for the same octets.
 *
 * @param host  borrowed for this call; `write` is called inside.
 * @return 0, or
 *         ONWARD_EINVAL    no `write`
 *         ONWARD_EVERSION  host has a field that this release does not know
 *         ONWARD_ESTATE    no row: such a report is not sent
 *         ONWARD_ECALLBACK `write` gave up
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_report_write(const struct onward_dmarc_report *report,
                          const struct onward_dmarc_report_host *host);

/**
 * The same in one piece.
 *
 * @param xml  out: borrowed from the report until it is changed or freed.
 * @return 0, ONWARD_EINVAL, ONWARD_ESTATE or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_report_xml(struct onward_dmarc_report *report,
                                       struct onward_str *xml);

/**
 * The name of the attachment (RFC 9990 section 3.5.2):
 * "receiver!policy-domain!begin!end[!unique].xml[.gz]".
 *
 * @param unique   letters and digits, at most 64; may be empty.
 * @param is_gzip  not 0: the name for the compressed form.
 * @param name     out: borrowed from the report until the next call of this or
 *                 onward_dmarc_report_subject().
 * @return 0, ONWARD_EINVAL, ONWARD_ESYNTAX (unique) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_report_file_name(struct onward_dmarc_report *report,
                                             struct onward_str unique,
                                             int is_gzip,
                                             struct onward_str *name);

/**
 * The value of the mail's Subject field (RFC 9990 section 3.5.2), folded
 * before each part, without a final CRLF.
 *
 * @param subject  out: borrowed as onward_dmarc_report_file_name().
 * @return 0, ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_report_subject(struct onward_dmarc_report *report,
                                           struct onward_str *subject);

/**
 * Where the domain wants the report: URI i of rua=, those that we can read, in
 * the record's order, each once, at most opts.max_destinations. Each still
 * needs the receiver's consent: onward_dmarc_destination_new().
 *
 * @return borrowed from the report; empty: no more.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dmarc_report_destination(const struct onward_dmarc_report *report,
                                size_t i);

/**
 * The one address of a mailto: URI, percent signs resolved, fit for RCPT and
 * To. Header fields that the URI wants set (RFC 6068 "?subject=") are dropped,
 * and what is no plain mailbox in ASCII (control characters, a second address)
 * is refused, so that a record never writes into a header.
 *
 * @param uri   as onward_dmarc_destination_uri() gives it.
 * @param text  room for cap octets; ends in NUL on success.
 * @param cap   ONWARD_DMARC_MAILBOX_MAX is always enough.
 * @return the length without the NUL, or ONWARD_ESYNTAX, ONWARD_EINVAL (text
 *         is NULL), ONWARD_ELIMIT (cap too small) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_uri_mailbox(struct onward_ctx *ctx,
                                        struct onward_str uri, char *text,
                                        size_t cap);

enum { ONWARD_DMARC_MAILBOX_MAX = 321 }; /**< octets, the NUL included */

/* ---- Reading ----------------------------------------------------------- */

struct onward_dmarc_reader; /* opaque */

/** The form of a report, by the namespace of its root. Numbers are stable. */
enum onward_dmarc_schema {
    ONWARD_DMARC_SCHEMA_UNKNOWN = 0, /**< of another namespace */
    ONWARD_DMARC_SCHEMA_RFC7489 = 1, /**< none, or that of its Appendix C */
    ONWARD_DMARC_SCHEMA_RFC9990 = 2
};

/**
 * What is not as the standard has it, and was read all the same: bits of a
 * set. Numbers are stable.
 */
enum onward_dmarc_oddity {
    ONWARD_DMARC_ODDITY_ELEMENT = 1,   /**< an element nobody knows: ignored */
    ONWARD_DMARC_ODDITY_NAMESPACE = 2, /**< the root's is not known */
    ONWARD_DMARC_ODDITY_VERSION = 4,   /**< none, or another than 1.0 */
    ONWARD_DMARC_ODDITY_CASE = 8,      /**< "Pass" for "pass" */
    ONWARD_DMARC_ODDITY_VALUE = 16,    /**< a word or number that is none */
    ONWARD_DMARC_ODDITY_MISSING = 32,  /**< an element that must be there */
    ONWARD_DMARC_ODDITY_LONG = 64,     /**< a text was cut */
    ONWARD_DMARC_ODDITY_MANY = 128, /**< more results in a row than we keep */
    ONWARD_DMARC_ODDITY_LEADING = 256, /**< white space before the XML */
    ONWARD_DMARC_ODDITY_TWICE = 512    /**< what stands once: the last counts */
};

/** What stands at the head of a report. */
struct onward_dmarc_report_facts {
    size_t size;     /**< set by the caller */
    size_t schema;   /**< enum onward_dmarc_schema */
    size_t oddities; /**< set of enum onward_dmarc_oddity; so far */
    size_t reserved;
    int64_t begin_s; /**< 0 when not readable, as end_s */
    int64_t end_s; /**< of the span */
    uint64_t rows;             /**< so far */
    struct onward_str version; /**< as written */
    struct onward_str org_name; /**< who reports */
    struct onward_str email; /**< whom to ask */
    struct onward_str extra_contact_info; /**< more on that */
    struct onward_str report_id; /**< as the reporter chose it */
    struct onward_str error; /**< the last, if there are several */
    struct onward_str generator; /**< the software that wrote it */
    struct onward_str policy_domain; /**< where the record was */
    size_t policy;                     /**< p: enum onward_dmarc_policy */
    size_t subdomain_policy;           /**< sp; UNKNOWN when not told */
    size_t nonexistent_policy;         /**< np; UNKNOWN when not told */
    size_t is_dkim_strict;             /**< adkim: s */
    size_t is_spf_strict;              /**< aspf: s */
    size_t is_testing;                 /**< testing: y */
    size_t discovery;                  /**< enum onward_dmarc_discovery */
    size_t has_discovery;              /**< it is told */
    struct onward_str failure_options; /**< fo, as written */
    struct onward_str percent;         /**< pct (RFC 7489), as written */
};

/** Why a report cannot be read. */
struct onward_dmarc_report_fault {
    size_t size;   /**< set by the caller */
    size_t line;   /**< 1-based */
    size_t column; /**< octets, 1-based */
    size_t reserved;
    uint64_t offset;  /**< octets before it */
    const char *text; /**< static: what was found, or what was expected */
    size_t reserved_2;
};

struct onward_dmarc_reader_opts {
    size_t size;
    size_t max_bytes; /**< of the XML; default 268435456 */
    size_t max_rows;  /**< default 1000000 */
    size_t max_depth; /**< of elements; default 32, at most 64 */
};

struct onward_dmarc_reader_host {
    size_t size;
    void *user;
    /**
     * A row is complete, borrowed for the call; the facts above it are known
     * when the report has them in order. Return 0, or a negative value to give
     * up. May free the reader, whose feed then returns ONWARD_ECANCELED; may
     * not feed it.
     */
    int (*row)(void *user, const struct onward_dmarc_row *row);
};

/**
 * Make a reader for one report. It needs the library built with libexpat
 * (meson -Dexpat=enabled), whose memory is the C library's.
 *
 * @param ctx     kept alive by the reader.
 * @param opts    borrowed for this call; NULL: all defaults.
 * @param host    borrowed for this call.
 * @param reader  out: free with onward_dmarc_reader_free().
 * @return 0, or
 *         ONWARD_ENOENT    built without libexpat: there is no reader
 *         ONWARD_EINVAL    no ctx, no `row`, or an option out of its range
 *         ONWARD_EVERSION  a field of a newer release is set
 *         ONWARD_ERANDOM   the context's random source failed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_reader_new(struct onward_ctx *ctx,
                        const struct onward_dmarc_reader_opts *opts,
                        const struct onward_dmarc_reader_host *host,
                        struct onward_dmarc_reader **reader);

/** @param reader  may be NULL. Allowed inside `row`. @since 0.1 */
ONWARD_API void onward_dmarc_reader_free(struct onward_dmarc_reader *reader);

/**
 * Take the next octets of the XML. Cut it where you like.
 *
 * @param data  borrowed for this call; may be NULL when len is 0.
 * @return 0, or
 *         ONWARD_ESYNTAX   no XML, or no report; also any DOCTYPE (entities)
 *         ONWARD_ELIMIT    over a limit of the options, or one tag over 64 KiB
 *         ONWARD_ECALLBACK `row` gave up
 *         ONWARD_ECANCELED `row` freed the reader
 *         ONWARD_ESTATE    after onward_dmarc_reader_finish(), after an error,
 *                          or inside `row`
 *         ONWARD_ENOMEM    out of memory
 *         After ESYNTAX and ELIMIT onward_dmarc_reader_fault() says where.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_reader_feed(struct onward_dmarc_reader *reader,
                                        const void *data, size_t len);

/**
 * The report is complete.
 *
 * @return as onward_dmarc_reader_feed(); ONWARD_ESYNTAX when it is not.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_reader_finish(struct onward_dmarc_reader *reader);

/**
 * What stands at the head, as far as it was read. At any time.
 *
 * @param facts  out: size set by the caller; texts are borrowed from the reader
 *               until it is fed again or freed.
 * @return 0 or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_reader_facts(const struct onward_dmarc_reader *reader,
                          struct onward_dmarc_report_facts *facts);

/**
 * Where and why reading ended.
 *
 * @param fault  out: size set by the caller.
 * @return 0, ONWARD_ENOENT (nothing is wrong) or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_reader_fault(const struct onward_dmarc_reader *reader,
                          struct onward_dmarc_report_fault *fault);

/** @return a word for one bit, "unknown-element": static text; "" for others.
 * @since 0.1 */
ONWARD_API const char *onward_dmarc_oddity_name(int oddity);

#ifdef __cplusplus
}
#endif

#endif
