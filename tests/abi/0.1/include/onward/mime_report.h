#ifndef ONWARD_MIME_REPORT_H
#define ONWARD_MIME_REPORT_H

#include <onward/mime_builder.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * What machines read in reports, on top of onward_builder_set_report():
 * disposition notifications (RFC 8098), feedback reports (RFC 5965), and those
 * of authentication that failed (RFC 6591, RFC 9991).
 *
 * Values that came with a message are safe: what is not printable ASCII is
 * written as `\xHH`, as the backslash is, and each is cut at 900 octets with
 * "..." at its end. A value that is empty gives no field.
 *
 * A builder belongs to one thread at a time.
 */

/* ---- Disposition notifications ----------------------------------------- */

/** What became of a message (RFC 8098 section 3.2.6.2). @since 0.1 */
enum onward_report_disposition {
    ONWARD_REPORT_DISPLAYED = 1,
    ONWARD_REPORT_DELETED = 2,
    ONWARD_REPORT_DISPATCHED = 3,
    ONWARD_REPORT_PROCESSED = 4
};

/** A disposition notification. */
struct onward_report_mdn {
    size_t size;
    size_t disposition; /**< enum onward_report_disposition */
    size_t is_manual;   /**< 1: the user did it, not a rule */
    size_t is_sent_manually; /**< 1: the user agreed to this notification */
    struct onward_str reporting_ua;       /**< host name, without `;` */
    struct onward_str product;            /**< of reporting_ua */
    struct onward_str original_recipient; /**< address, from ORCPT */
    struct onward_str final_recipient;    /**< address; must be there */
    struct onward_str original_message_id; /**< without brackets */
    struct onward_str error; /**< text; the disposition is then `/error` */
    struct onward_str original; /**< as of struct onward_builder_report */
    size_t is_header_only;      /**< as there */
    size_t reserved;            /**< 0 */
};

/**
 * Make the message a disposition notification.
 *
 * @param mdn  borrowed for this call.
 * @return 0, ONWARD_EINVAL (no such disposition, no final_recipient), or the
 *         errors of onward_builder_set_report().
 * @since 0.1
 */
ONWARD_API int onward_builder_set_mdn(struct onward_builder *builder,
                                      const struct onward_report_mdn *mdn);

/* ---- Feedback ---------------------------------------------------------- */

/** Types of feedback (RFC 5965, RFC 6430, RFC 6591). @since 0.1 */
enum onward_report_feedback_type {
    ONWARD_REPORT_ABUSE = 1,
    ONWARD_REPORT_FRAUD = 2,
    ONWARD_REPORT_VIRUS = 3,
    ONWARD_REPORT_OTHER = 4,
    ONWARD_REPORT_NOT_SPAM = 5,
    ONWARD_REPORT_AUTH_FAILURE = 6 /**< with auth */
};

/** Which authentication failed (RFC 6591 3.3, RFC 9991 4). @since 0.1 */
enum onward_report_auth_type {
    ONWARD_REPORT_AUTH_BODYHASH = 1,
    ONWARD_REPORT_AUTH_REVOKED = 2,
    ONWARD_REPORT_AUTH_SIGNATURE = 3,
    ONWARD_REPORT_AUTH_SPF = 4,
    ONWARD_REPORT_AUTH_DMARC = 5
};

/** What was done with the message (RFC 6591 section 3.2.2). @since 0.1 */
enum onward_report_delivery {
    ONWARD_REPORT_DELIVERED = 1,
    ONWARD_REPORT_SPAM = 2,
    ONWARD_REPORT_POLICY = 3,
    ONWARD_REPORT_REJECT = 4,
    ONWARD_REPORT_ELSE = 5 /**< "other" */
};

/** Which methods failed for an aligned identity; add up. @since 0.1 */
enum onward_report_alignment {
    ONWARD_REPORT_ALIGNED_DKIM = 1,
    ONWARD_REPORT_ALIGNED_SPF = 2
};

/** How authentication failed. */
struct onward_report_auth {
    size_t size;
    size_t type;      /**< enum onward_report_auth_type */
    size_t delivery;  /**< enum onward_report_delivery; 0: not said */
    size_t alignment; /**< with DMARC: enum onward_report_alignment */
    /** d=, i= and s= of the signature */
    struct onward_str dkim_domain, dkim_identity, dkim_selector;
    /** Octets as they were hashed, given in base64; over 65536 not at all. */
    struct onward_str dkim_canonical_header, dkim_canonical_body;
    struct onward_str spf_domain; /**< where the record of SPF was found */
    struct onward_str spf_record; /**< its text */
};

/** A feedback report. */
struct onward_report_feedback {
    size_t size;
    size_t type; /**< enum onward_report_feedback_type */
    int64_t arrival_s; /**< Unix seconds; 0: not said */
    struct onward_str user_agent; /**< "Name/1.0"; must be there */
    struct onward_str envelope_id; /**< Original-Envelope-Id */
    /** Without brackets; "<>" is the null reverse-path. */
    struct onward_str mail_from;
    struct onward_str reporting_mta; /**< host name */
    struct onward_str authentication_results; /**< the field's value */
    const struct onward_ip *source_ip; /**< NULL: not said */
    size_t source_port; /**< with source_ip (RFC 6692); 0: not said */
    size_t incidents;   /**< 0: not said, which is one */
    const struct onward_str *rcpts; /**< addresses, rcpt_count of them */
    size_t rcpt_count;
    const struct onward_str *domains; /**< relevant ones, domain_count */
    size_t domain_count;
    const struct onward_str *uris; /**< relevant ones, uri_count */
    size_t uri_count;
    const struct onward_report_auth *auth; /**< NULL but with AUTH_FAILURE */
    struct onward_str original; /**< as of struct onward_builder_report */
    size_t is_header_only;      /**< as there */
    size_t reserved;            /**< 0 */
};

/**
 * Make the message a feedback report.
 *
 * @param feedback  borrowed for this call, with all it points to. An
 *                  authentication failure needs what its RFCs demand: auth, an
 *                  original, Authentication-Results; with DKIM d=, i= and s=,
 *                  with SPF the record and its domain; with DMARC these for
 *                  each method in alignment.
 * @return 0, ONWARD_EINVAL (a type that there is not, or something that must be
 *         there is not), ONWARD_ELIMIT (over 1000 of a list), or the errors of
 *         onward_builder_set_report().
 * @since 0.1
 */
ONWARD_API int
onward_builder_set_feedback(struct onward_builder *builder,
                            const struct onward_report_feedback *feedback);

#ifdef __cplusplus
}
#endif

#endif
