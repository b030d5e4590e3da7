#ifndef ONWARD_SPF_H
#define ONWARD_SPF_H

#include <onward/dns.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Sender Policy Framework (RFC 7208, RFC 8616): may this address send mail for
 * that domain? One check evaluates one identity; HELO and MAIL FROM are two
 * checks with two results. A check belongs to its resolver's desk and so to one
 * thread at a time.
 */

/** Results of RFC 7208 section 2.6. */
enum onward_spf_result {
    ONWARD_SPF_PENDING = 0, /**< not done yet */
    ONWARD_SPF_NONE = 1,
    ONWARD_SPF_NEUTRAL = 2,
    ONWARD_SPF_PASS = 3,
    ONWARD_SPF_FAIL = 4,
    ONWARD_SPF_SOFTFAIL = 5,
    ONWARD_SPF_TEMPERROR = 6,
    ONWARD_SPF_PERMERROR = 7
};

/** Why. Numbers are stable. */
enum onward_spf_reason {
    ONWARD_SPF_REASON_NONE = 0,
    ONWARD_SPF_REASON_MATCH = 1,        /**< a mechanism matched */
    ONWARD_SPF_REASON_DEFAULT = 2,      /**< nothing matched (4.7) */
    ONWARD_SPF_REASON_NO_DOMAIN = 3,    /**< no usable domain (4.3) */
    ONWARD_SPF_REASON_NO_RECORD = 4,    /**< no SPF record (4.5) */
    ONWARD_SPF_REASON_MANY_RECORDS = 5, /**< two or more records (4.5) */
    ONWARD_SPF_REASON_SYNTAX = 6,       /**< the record is broken (4.6) */
    ONWARD_SPF_REASON_TERM_LIMIT = 7,   /**< too many DNS terms (4.6.4) */
    ONWARD_SPF_REASON_VOID_LIMIT = 8,   /**< too many void look-ups (4.6.4) */
    ONWARD_SPF_REASON_NAME_LIMIT = 9,   /**< too many MX names (4.6.4) */
    ONWARD_SPF_REASON_INCLUDE = 10,     /**< include: no record there (5.2) */
    ONWARD_SPF_REASON_REDIRECT = 11,    /**< redirect=: no record (6.1) */
    ONWARD_SPF_REASON_DNS = 12,         /**< a look-up failed */
    ONWARD_SPF_REASON_TIMEOUT = 13,     /**< the whole check took too long */
    ONWARD_SPF_REASON_MEMORY = 14       /**< out of memory: temperror */
};

/** Which identity is checked (RFC 7208 sections 2.3, 2.4). */
enum onward_spf_identity {
    ONWARD_SPF_MAIL_FROM = 1, /**< of a null reverse-path: postmaster@HELO */
    ONWARD_SPF_HELO = 2
};

struct onward_spf_check; /* opaque */

struct onward_spf_opts {
    size_t size;
    size_t identity;                   /**< enum onward_spf_identity; 0: MAIL
                                            FROM */
    const struct onward_ip *client_ip; /**< required */
    struct onward_str mail_from;       /**< local@domain without brackets; empty
                                            for the null reverse-path */
    struct onward_str helo;            /**< as the client said it */
    struct onward_str receiver;        /**< for %{r}; empty reads "unknown" */
    /* The limits of RFC 7208 section 4.6.4. */
    size_t max_terms;     /**< DNS-causing terms; default 10 */
    size_t max_void;      /**< void look-ups; default 2 */
    size_t max_mx_names;  /**< of one MX answer; default 10, more: permerror */
    size_t max_ptr_names; /**< of the client; default 10, more: not looked at */
    size_t timeout_ms;    /**< whole check; default 20000 */
};

struct onward_spf_host {
    size_t size;
    void *user;
    /**
     * The result is there. Runs once, inside onward_desk_run(); may free the
     * check and anything else.
     */
    void (*done)(void *user, struct onward_spf_check *check);
};

/**
 * Start a check. It asks its first question inside the next onward_desk_run().
 *
 * @param resolver  kept alive by the check.
 * @param opts      borrowed for this call; all text is copied.
 * @param host      borrowed for this call; NULL: poll
 *                  onward_spf_check_result().
 * @param check     out: free with onward_spf_check_free().
 * @return 0, or
 *         ONWARD_EINVAL    no client_ip, or an unknown identity
 *         ONWARD_EVERSION  an option of a newer release is set
 *         ONWARD_ESTATE    the resolver's desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_spf_check_new(struct onward_resolver *resolver,
                                    const struct onward_spf_opts *opts,
                                    const struct onward_spf_host *host,
                                    struct onward_spf_check **check);

/**
 * Free a check, done or not; `done` will not run any more. Allowed inside any
 * callback.
 *
 * @param check  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_spf_check_free(struct onward_spf_check *check);

/**
 * The result.
 *
 * @return enum onward_spf_result; ONWARD_SPF_PENDING before `done`.
 * @since 0.1
 */
ONWARD_API int onward_spf_check_result(const struct onward_spf_check *check);

/**
 * Why the result is what it is.
 *
 * @return enum onward_spf_reason.
 * @since 0.1
 */
ONWARD_API int onward_spf_check_reason(const struct onward_spf_check *check);

/**
 * The domain whose policy was asked: of the identity, as given.
 *
 * @return borrowed from the check.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_spf_check_domain(const struct onward_spf_check *check);

/**
 * The mechanism that matched, or the term that broke, as its record has it.
 *
 * @return borrowed from the check; printable ASCII; empty when there is none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_spf_check_mechanism(const struct onward_spf_check *check);

/**
 * What the domain says about a fail (RFC 7208 section 6.2). Somebody else's
 * words: show them as such.
 *
 * @return borrowed from the check; one line of at most 500 printable ASCII
 *         octets, or empty.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_spf_check_explanation(const struct onward_spf_check *check);

/**
 * How many terms that cause DNS look-ups were evaluated (4.6.4).
 * @since 0.1
 */
ONWARD_API size_t
onward_spf_check_lookups(const struct onward_spf_check *check);

/**
 * How many of the look-ups found nothing (4.6.4).
 * @since 0.1
 */
ONWARD_API size_t
onward_spf_check_void_lookups(const struct onward_spf_check *check);

/** What became of a term. Numbers are stable. */
enum onward_spf_outcome {
    ONWARD_SPF_OUTCOME_OPEN = 0,     /**< not decided: the check timed out */
    ONWARD_SPF_OUTCOME_NO_MATCH = 1, /**< go on with the next */
    ONWARD_SPF_OUTCOME_MATCH = 2,    /**< its qualifier is the result */
    ONWARD_SPF_OUTCOME_FOLLOWED = 3, /**< redirect=: its domain is next */
    ONWARD_SPF_OUTCOME_ERROR = 4     /**< temperror or permerror came of it */
};

/** One term of the trace. Texts are borrowed from the check. */
struct onward_spf_step {
    size_t size;              /**< set by the caller */
    struct onward_str domain; /**< whose record it is in */
    struct onward_str term;   /**< as written there */
    /** Its name with the macros expanded, any octets; empty: it has none. */
    struct onward_str target;
    size_t offset;       /**< of the term in the record, 0-based */
    size_t depth;        /**< includes around it */
    size_t outcome;      /**< enum onward_spf_outcome */
    size_t lookup;       /**< which of the counted terms it is; 0: none */
    size_t void_lookups; /**< how many of its look-ups found nothing */
};

/**
 * How many terms were looked at, in the order of evaluation. The trace ends
 * after 200.
 * @since 0.1
 */
ONWARD_API size_t
onward_spf_check_step_count(const struct onward_spf_check *check);

/**
 * One term that was looked at.
 *
 * @param step  out: size set by the caller.
 * @return 0, ONWARD_ENOENT (i too large) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_spf_check_step_at(const struct onward_spf_check *check,
                                        size_t i, struct onward_spf_step *step);

/** "no-match", "match", "followed", "error", "open"; "" for others: static
 * text. @since 0.1 */
ONWARD_API const char *onward_spf_outcome_name(int outcome);

/**
 * The word of a result as RFC 8601 writes it: "pass", "softfail", ...
 *
 * @return static text; "none" for a number that is no result.
 * @since 0.1
 */
ONWARD_API const char *onward_spf_result_name(int result);

/**
 * The enhanced status code for a host that refuses a message for this result
 * (RFC 7372 section 3.2): "5.7.23" for fail with 550, "5.7.24" for permerror
 * with 550, "4.7.24" for temperror with 451.
 *
 * @return static text; "" for results that nobody refuses for.
 * @since 0.1
 */
ONWARD_API const char *onward_spf_enhanced_status(int result);

/**
 * A sentence for a reason.
 *
 * @return static text.
 * @since 0.1
 */
ONWARD_API const char *onward_spf_reason_text(int reason);

/**
 * A stable lower-case word for a reason, "void-limit", for logs and JSON.
 *
 * @return static text ending in NUL, never NULL; "" for REASON_NONE.
 * @since 0.1
 */
ONWARD_API const char *onward_spf_reason_name(int reason);

/* ---- Received-SPF ------------------------------------------------------ */

enum { ONWARD_SPF_RECEIVED_MAX = 8192 }; /**< octets of a field we write */

/**
 * Write the Received-SPF field of a check (RFC 7208 section 9.1, erratum 5436),
 * to stand on top of the message, above all others of its kind. What came from
 * the client is quoted, octets that a field cannot hold become "?", values are
 * cut after 320 octets.
 *
 * @param text  out: the whole field, folded, with its CRLF; no NUL. Untouched
 *              on failure.
 * @param cap   octets at text; ONWARD_SPF_RECEIVED_MAX is always enough.
 * @return octets written, or
 *         ONWARD_ESTATE  before `done`
 *         ONWARD_ELIMIT  cap is too small
 *         ONWARD_ENOMEM  out of memory
 * @since 0.1
 */
ONWARD_API int onward_spf_check_received(const struct onward_spf_check *check,
                                         char *text, size_t cap);

struct onward_spf_received; /* opaque: a field that was read */

/**
 * Read a Received-SPF field. It proves nothing unless the host knows who put
 * it there: anybody can write one.
 *
 * @param value     behind the colon, folds included; borrowed for this call.
 * @param received  out: free with onward_spf_received_free(). Untouched on
 *                  failure.
 * @return 0, or
 *         ONWARD_ESYNTAX  no such field, or more than 32 keys
 *         ONWARD_EINVAL   ctx or received is NULL
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_spf_received_parse(struct onward_ctx *ctx,
                                         struct onward_str value,
                                         struct onward_spf_received **received);

/** @param received  may be NULL. @since 0.1 */
ONWARD_API void onward_spf_received_free(struct onward_spf_received *received);

/** @return enum onward_spf_result. @since 0.1 */
ONWARD_API int
onward_spf_received_result(const struct onward_spf_received *received);

/**
 * The value of a key: "client-ip", "envelope-from", "helo", "identity",
 * "mechanism", "problem", "receiver", or another.
 *
 * @param key  letter case does not matter.
 * @return borrowed from received, any octets, quotes taken off; of the first
 *         one when the key is there twice; empty when it is not there.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_spf_received_value(const struct onward_spf_received *received,
                          struct onward_str key);

/* ---- Records ----------------------------------------------------------- */

/** What a record's parser found first. */
struct onward_spf_fault {
    size_t size;
    size_t offset;    /**< octet of the record, 0-based */
    const char *text; /**< static: what is wrong, what was expected */
};

/**
 * Judge the text of an SPF record without any look-up.
 *
 * @param record  all strings of the TXT record, joined.
 * @param fault   out, may be NULL: set on ONWARD_ESYNTAX only.
 * @return 0, or
 *         ONWARD_ESYNTAX  evaluation would give permerror: see fault
 *         ONWARD_ENOENT   not an SPF record at all (4.5)
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_spf_lint(struct onward_ctx *ctx, struct onward_str record,
                               struct onward_spf_fault *fault);

#ifdef __cplusplus
}
#endif

#endif
