#ifndef ONWARD_DMARC_H
#define ONWARD_DMARC_H

#include <onward/dns.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DMARC (RFC 9989): find the policy of the author's domain by the DNS tree
 * walk, compare it with what SPF and DKIM authenticated, and say what the
 * domain's owner asks for. A check serves one author domain and belongs to its
 * resolver's desk, so to one thread at a time.
 */

/** Results (RFC 9989 section 9.1). */
enum onward_dmarc_result {
    ONWARD_DMARC_PENDING = 0,
    ONWARD_DMARC_NONE = 1, /**< no policy applies */
    ONWARD_DMARC_PASS = 2,
    ONWARD_DMARC_FAIL = 3,
    ONWARD_DMARC_TEMPERROR = 4, /**< a look-up failed: neither pass nor fail */
    ONWARD_DMARC_PERMERROR = 5  /**< the author cannot be known */
};

/** What a domain's owner asks receivers to do with mail that fails. */
enum onward_dmarc_policy {
    ONWARD_DMARC_POLICY_UNKNOWN = 0, /**< absent or not valid */
    ONWARD_DMARC_POLICY_NONE = 1,
    ONWARD_DMARC_POLICY_QUARANTINE = 2,
    ONWARD_DMARC_POLICY_REJECT = 3
};

/** Why. Numbers are stable. */
enum onward_dmarc_reason {
    ONWARD_DMARC_REASON_NONE = 0,
    ONWARD_DMARC_REASON_ALIGNED = 1,     /**< an aligned identifier passed */
    ONWARD_DMARC_REASON_NOT_ALIGNED = 2, /**< none of those that passed is
                                              aligned, or none passed */
    ONWARD_DMARC_REASON_NO_RECORD = 3,   /**< no record on the walk */
    ONWARD_DMARC_REASON_NO_POLICY = 4,   /**< a record without usable policy */
    ONWARD_DMARC_REASON_DNS = 5,         /**< a look-up failed */
    ONWARD_DMARC_REASON_BAD_DOMAIN = 6,  /**< the author domain is no name */
    ONWARD_DMARC_REASON_MEMORY = 7,      /**< out of memory: temperror */
    ONWARD_DMARC_REASON_TRUSTED_FORWARDER = 8, /**< fails, but a sealer the host
                                                    trusts saw it pass */
    ONWARD_DMARC_REASON_NO_AUTHOR = 9,         /**< no From, or none parsable */
    ONWARD_DMARC_REASON_MANY_AUTHORS = 10, /**< several From fields or domains
                                            */
    ONWARD_DMARC_REASON_RANDOM = 11 /**< pct= of RFC 7489, and the random source
                                         failed: temperror */
};

/* ---- Records ----------------------------------------------------------- */

/** The tags of one record, defaults filled in (RFC 9989 section 4.7). */
struct onward_dmarc_record {
    size_t size;               /**< set by the caller */
    size_t policy;             /**< p=; NONE when absent or not valid */
    size_t subdomain_policy;   /**< sp=; UNKNOWN when absent or not valid */
    size_t nonexistent_policy; /**< np=; UNKNOWN when absent or not valid */
    size_t is_policy_valid;    /**< p= is there and valid */
    size_t is_subdomain_bad;   /**< sp= or np= is there and not valid */
    size_t is_dkim_strict;     /**< adkim=s */
    size_t is_spf_strict;      /**< aspf=s */
    size_t is_testing;         /**< t=y */
    size_t psd;                /**< 'y', 'n' or 'u' */
    struct onward_str failure_options; /**< fo=; "0" when absent */
    struct onward_str rua; /**< the list as written; see _uri_next() */
    struct onward_str ruf; /**< of failure reports */
    size_t percent; /**< pct=; 100 when absent. RFC 7489 only */
};

/**
 * Read one record.
 *
 * @param text    all strings of the TXT record, joined; what is found in it is
 *                borrowed from it.
 * @param record  out.
 * @return 0, ONWARD_ENOENT (no DMARC record, or one to be ignored: no v=DMARC1
 *         at the start, or a tag twice) or ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_record_parse(struct onward_str text,
                                         struct onward_dmarc_record *record);

/**
 * Take the next usable report address (a mailto: URI) off a list; an obsolete
 * size suffix is cut off.
 *
 * @param list  in and out: rua or ruf; borrowed.
 * @param uri   out: borrowed from list.
 * @return 1 with a URI, 0 when there is none left.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_uri_next(struct onward_str *list,
                                     struct onward_str *uri);

/** What onward_dmarc_lint() found first. */
struct onward_dmarc_fault {
    size_t size;      /**< set by the caller */
    size_t offset;    /**< octet of the record, 0-based */
    const char *text; /**< static: what was expected, or what is wrong */
    size_t is_void;   /**< 1: the whole record is ignored; 0: that tag */
};

/**
 * Judge the text of a record without any look-up, more strictly than the
 * evaluation, which ignores what it does not understand (RFC 9989 section 4.8).
 * Tags that nobody knows are no fault.
 *
 * @param text   all strings of the TXT record, joined.
 * @param fault  out, may be NULL: set on ONWARD_ESYNTAX only.
 * @return 0, or
 *         ONWARD_ESYNTAX  see fault
 *         ONWARD_ENOENT   not a DMARC record at all
 * @since 0.1
 */
ONWARD_API int onward_dmarc_lint(struct onward_str text,
                                 struct onward_dmarc_fault *fault);

/* ---- Where reports go -------------------------------------------------- */

struct onward_dmarc_destination; /* opaque */

/** Does the receiver want these reports? Numbers are stable. */
enum onward_dmarc_consent {
    ONWARD_DMARC_CONSENT_PENDING = 0,
    ONWARD_DMARC_CONSENT_GIVEN = 1,    /**< or of the same organization */
    ONWARD_DMARC_CONSENT_NONE = 2,     /**< send nothing there */
    ONWARD_DMARC_CONSENT_TEMPERROR = 3 /**< a look-up failed: ask again later */
};

struct onward_dmarc_destination_host {
    size_t size;
    void *user;
    /** The answer is there. Once, inside onward_desk_run(); may free all. */
    void (*done)(void *user, struct onward_dmarc_destination *destination);
};

/**
 * Find out whether reports about a domain may go to an address that its record
 * names (RFC 9990 section 4): to the same organization always, elsewhere only
 * when that domain says so at `_report._dmarc`. Asks at most 17 questions, all
 * at once.
 *
 * @param resolver       kept alive.
 * @param policy_domain  where the record was found; copied.
 * @param uri            one that onward_dmarc_uri_next() gave; copied. How many
 *                       a record may name is the host's to bound.
 * @param host           borrowed for this call; NULL: poll
 *                       onward_dmarc_destination_consent().
 * @param destination    out: free with onward_dmarc_destination_free().
 * @return 0, or
 *         ONWARD_ESYNTAX   uri is no mailto: URI, or one of the names is none
 *         ONWARD_EINVAL    resolver or destination is NULL
 *         ONWARD_EVERSION  host has a field that this release does not know
 *         ONWARD_ESTATE    the resolver's desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int onward_dmarc_destination_new(
    struct onward_resolver *resolver, struct onward_str policy_domain,
    struct onward_str uri, const struct onward_dmarc_destination_host *host,
    struct onward_dmarc_destination **destination);

/** @param destination  may be NULL. Allowed inside any callback. @since 0.1 */
ONWARD_API void
onward_dmarc_destination_free(struct onward_dmarc_destination *destination);

/** @return enum onward_dmarc_consent. @since 0.1 */
ONWARD_API int onward_dmarc_destination_consent(
    const struct onward_dmarc_destination *destination);

/**
 * Where to send: the URI, or the one that the receiver named instead, which is
 * of the same host. Visible ASCII.
 *
 * @return borrowed from destination; empty unless consent is GIVEN.
 * @since 0.1
 */
ONWARD_API struct onward_str onward_dmarc_destination_uri(
    const struct onward_dmarc_destination *destination);

/* ---- Checks ------------------------------------------------------------ */

struct onward_dmarc_check; /* opaque */

/**
 * What to do when p=reject applies and the message fails. RFC 9989 section 7.4
 * forbids to reject for that alone: mail that passed a mailing list fails too.
 * The forwarding service that this library follows refuses it all the same.
 */
enum onward_dmarc_reject {
    /** Quarantine, unless the host has reasons of its own to refuse
     * (onward_dmarc_check_suspect()). The default of the library. */
    ONWARD_DMARC_REJECT_RFC9989 = 0,
    /** Reject. The default of the forwarder. */
    ONWARD_DMARC_REJECT_SERVICE = 1,
    /** Quarantine, whatever else is known. */
    ONWARD_DMARC_REJECT_NEVER = 2
};

/** How policies and organizations are found. */
enum onward_dmarc_discovery {
    /** By the DNS tree walk (RFC 9989 section 4.10). */
    ONWARD_DMARC_DISCOVERY_RFC9989 = 0,
    /** As before: by the public suffix list (RFC 7489 sections 3.2 and 6.6.3).
     * pct= counts; psd=, np= and t= do not. */
    ONWARD_DMARC_DISCOVERY_RFC7489 = 1
};

struct onward_dmarc_opts {
    size_t size;
    struct onward_str author_domain; /**< of From; U-labels are welcome */
    size_t reject_policy;            /**< enum onward_dmarc_reject */
    size_t discovery;                /**< enum onward_dmarc_discovery */
};

struct onward_dmarc_host {
    size_t size;
    void *user;
    /** The result is there. Once, inside onward_desk_run(); may free all. */
    void (*done)(void *user, struct onward_dmarc_check *check);
};

/**
 * Begin a check: the policy is looked up while SPF and DKIM are still at work.
 *
 * @param resolver  kept alive by the check.
 * @param opts      borrowed for this call; text is copied.
 * @param host      borrowed for this call; may be NULL.
 * @param check     out: free with onward_dmarc_check_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ESTATE (the desk was
 *         freed) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_check_new(struct onward_resolver *resolver,
                                      const struct onward_dmarc_opts *opts,
                                      const struct onward_dmarc_host *host,
                                      struct onward_dmarc_check **check);

/** @param check  may be NULL. Allowed inside any callback. @since 0.1 */
ONWARD_API void onward_dmarc_check_free(struct onward_dmarc_check *check);

/**
 * SPF passed for the MAIL FROM identity of this domain. Never for HELO, except
 * that a null reverse-path makes postmaster@HELO its MAIL FROM identity.
 *
 * @return 0, ONWARD_ESTATE (after finish) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_check_add_spf(struct onward_dmarc_check *check,
                                          struct onward_str domain);

/**
 * A DKIM signature of this d= passed.
 *
 * @return 0, ONWARD_ESTATE (after finish), ONWARD_ELIMIT (more than 100) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_dmarc_check_add_dkim(struct onward_dmarc_check *check,
                                           struct onward_str domain);

/**
 * SPF of MAIL FROM could not be checked for this domain: temperror. If it would
 * be aligned and nothing else is, the message neither passes nor fails (RFC
 * 9989 section 5.3.6): the result is TEMPERROR, and a later try may know more.
 *
 * @return as onward_dmarc_check_add_spf().
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_check_add_unknown_spf(struct onward_dmarc_check *check,
                                   struct onward_str domain);

/**
 * The same of a DKIM signature of this d=, whose key could not be looked up.
 *
 * @return as onward_dmarc_check_add_dkim().
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_check_add_unknown_dkim(struct onward_dmarc_check *check,
                                    struct onward_str domain);

/**
 * No more identifiers come: decide.
 *
 * @param trusted_forwarder  not 0: a sealer that the host trusts says that the
 *                           message passed when it got there; a failure then
 *                           asks for nothing (disposition NONE).
 * @return 0 or ONWARD_ESTATE (called before).
 * @since 0.1
 */
ONWARD_API int onward_dmarc_check_finish(struct onward_dmarc_check *check,
                                         int trusted_forwarder);

/**
 * The host has reasons of its own to refuse the message: p=reject is then not
 * alone, and ONWARD_DMARC_REJECT_RFC9989 lets it count. At any time, also
 * inside and after `done`.
 *
 * @since 0.1
 */
ONWARD_API void onward_dmarc_check_suspect(struct onward_dmarc_check *check);

/** @return enum onward_dmarc_result; PENDING before `done`. @since 0.1 */
ONWARD_API int
onward_dmarc_check_result(const struct onward_dmarc_check *check);

/** @return enum onward_dmarc_reason. @since 0.1 */
ONWARD_API int
onward_dmarc_check_reason(const struct onward_dmarc_check *check);

/**
 * The policy that the owner has for this domain, t= (or pct=) applied: what is
 * asked for when it fails (RFC 9989 section 4.7).
 *
 * @return enum onward_dmarc_policy; UNKNOWN when none applies.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_check_policy(const struct onward_dmarc_check *check);

/**
 * What to do with this very message: on a failure without a trusted forwarder
 * the policy, REJECT only as opts.reject_policy has it; NONE otherwise.
 *
 * @return enum onward_dmarc_policy, never UNKNOWN.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_check_disposition(const struct onward_dmarc_check *check);

/** Why less is done than the owner's record asks for (RFC 9990 section 3.1.6).
 * Numbers are stable. */
enum onward_dmarc_override {
    ONWARD_DMARC_OVERRIDE_NONE = 0,
    ONWARD_DMARC_OVERRIDE_LOCAL_POLICY = 1, /**< opts.reject_policy */
    ONWARD_DMARC_OVERRIDE_TRUSTED_FORWARDER = 2,
    ONWARD_DMARC_OVERRIDE_POLICY_TEST_MODE = 3, /**< t=y */
    ONWARD_DMARC_OVERRIDE_SAMPLED_OUT = 4       /**< pct= (RFC 7489) */
};

/**
 * The reason that a report gives when the disposition is not the published
 * policy.
 *
 * @return enum onward_dmarc_override.
 * @since 0.1
 */
ONWARD_API int
onward_dmarc_check_override(const struct onward_dmarc_check *check);

/** @return "local_policy", ..., as reports have it; "" for NONE. @since 0.1 */
ONWARD_API const char *onward_dmarc_override_name(int override);

/** @return the author domain in A-labels, borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_dmarc_check_author_domain(const struct onward_dmarc_check *check);

/** @return where the record that applies was found, borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_dmarc_check_policy_domain(const struct onward_dmarc_check *check);

/** @return the author's organizational domain, borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_dmarc_check_org_domain(const struct onward_dmarc_check *check);

/** @return the text of the record that applies, borrowed. @since 0.1 */
ONWARD_API struct onward_str
onward_dmarc_check_record(const struct onward_dmarc_check *check);

/** @return 1 when the SPF identifier is aligned. @since 0.1 */
ONWARD_API int
onward_dmarc_check_is_spf_aligned(const struct onward_dmarc_check *check);

/** @return 1 when a DKIM identifier is aligned. @since 0.1 */
ONWARD_API int
onward_dmarc_check_is_dkim_aligned(const struct onward_dmarc_check *check);

/** @return "pass", "temperror", ...: static text. @since 0.1 */
ONWARD_API const char *onward_dmarc_result_name(int result);

/** @return "none", "quarantine", "reject"; "" for others. @since 0.1 */
ONWARD_API const char *onward_dmarc_policy_name(int policy);

/** @return a sentence: static text. @since 0.1 */
ONWARD_API const char *onward_dmarc_reason_text(int reason);

/**
 * A stable lower-case word for a reason, "not-aligned", for logs and JSON.
 *
 * @return static text ending in NUL, never NULL; "" for REASON_NONE.
 * @since 0.1
 */
ONWARD_API const char *onward_dmarc_reason_name(int reason);

#ifdef __cplusplus
}
#endif

#endif
