#ifndef ONWARD_DSN_H
#define ONWARD_DSN_H

#include <onward/mime_builder.h>
#include <onward/smtp_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Delivery status notifications (RFC 3461, RFC 3464, RFC 6533): write one from
 * the outcomes of deliveries, and read those of others.
 *
 * Whether a notice may go at all is for two to say. onward_dsn_is_wanted()
 * knows what the standards forbid: no notice to a null sender, nor where the
 * sender did not ask. That the envelope's sender is not forged, so that the
 * notice hits no bystander, is for the host to know (SPF passed for it, or an
 * aligned DKIM signature).
 *
 * What a notice says is somebody's word: anyone can write one. Compare its
 * envelope id, or the returned header, with what was sent.
 *
 * Threads: an object belongs to one thread at a time.
 */

/** What became of a recipient (RFC 3464 section 2.3.3). Numbers are stable. */
enum onward_dsn_action {
    ONWARD_DSN_UNKNOWN = 0,   /**< read only: none, or another word */
    ONWARD_DSN_FAILED = 1,    /**< given up */
    ONWARD_DSN_DELAYED = 2,   /**< still tried */
    ONWARD_DSN_DELIVERED = 3, /**< in the mailbox, or made by a gateway */
    ONWARD_DSN_RELAYED = 4,   /**< given to a server that has no DSN */
    ONWARD_DSN_EXPANDED = 5   /**< of an alias; goes on to its members */
};

/** @return "failed", "delayed" and so on; "" for others. @since 0.1 */
ONWARD_API const char *onward_dsn_action_name(int action);

/* ---- May one be sent? -------------------------------------------------- */

/** Why no notice is to be sent. Numbers are stable. */
enum onward_dsn_unwanted {
    ONWARD_DSN_WANTED = 0,
    ONWARD_DSN_NULL_SENDER = 1, /**< RFC 5321 section 4.5.5 */
    ONWARD_DSN_NEVER = 2,       /**< NOTIFY=NEVER */
    ONWARD_DSN_NOT_ASKED = 3,   /**< NOTIFY has not this class; for success and
                                     relayed: it must be asked for */
    ONWARD_DSN_AUTOMATIC = 4    /**< automatic mail, and nothing was asked */
};

/** @return a short stable word, "null-sender"; "" for WANTED and others.
 * @since 0.1 */
ONWARD_API const char *onward_dsn_unwanted_name(int unwanted);

/** Whom a notice would go to, and about what. */
struct onward_dsn_question {
    size_t size;
    struct onward_str reverse_path; /**< without brackets; empty: null */
    size_t action;                  /**< enum onward_dsn_action */
    size_t notify;                  /**< a set of enum onward_smtp_notify */
    /** The header of the message that it is about, finished; NULL: whether
     * that is automatic mail is not looked at. */
    const struct onward_header *original;
    /** 1: automatic mail gets notices as any other. A host that carries
     * mailing lists wants this: lists strike dead members by failures. */
    size_t allow_automatic;
};

/**
 * May there be a notice for one recipient? An explicit NOTIFY that asks for it
 * is heard from automatic mail, too.
 *
 * @param question  borrowed for this call.
 * @param unwanted  out, may be NULL: enum onward_dsn_unwanted.
 * @return 1, 0, or ONWARD_EINVAL (no question, no such action or set) or
 *         ONWARD_EVERSION.
 * @since 0.1
 */
ONWARD_API int onward_dsn_is_wanted(const struct onward_dsn_question *question,
                                    int *unwanted);

/**
 * Is this message automatic (RFC 3834 section 2), so that no reply may go to
 * it: Auto-Submitted other than "no", Precedence bulk, list or junk, any List-
 * field, or a sender "owner-", "-request", "mailer-daemon" and the like?
 *
 * @param original      finished; may be NULL.
 * @param reverse_path  without brackets; empty: null, which is automatic.
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int onward_dsn_is_automatic(const struct onward_header *original,
                                       struct onward_str reverse_path);

/* ---- Writing ----------------------------------------------------------- */

/** A notice that is being made up; opaque. */
struct onward_dsn;

struct onward_dsn_opts {
    size_t size;
    /** Who reports: this host's name. Required. */
    struct onward_str reporting_mta;
    /** To whom, without brackets: the sender of the envelope, a rewritten one
     * (SRS) turned back by the host. Required. */
    struct onward_str reverse_path;
    /** The author; empty: MAILER-DAEMON at reporting_mta. */
    struct onward_str from;
    struct onward_str from_name; /**< empty: "Mail Delivery System" */
    struct onward_str envid;     /**< as MAIL had it, decoded; empty: none */
    struct onward_str received_from; /**< the client's name, or its address in
                                        brackets; empty: not told */
    size_t ret;                      /**< enum onward_smtp_ret */
    /** When the message came, Unix seconds; 0: not told. */
    int64_t arrival_s;
    int64_t date_s; /**< of the notice; 0: the context's clock */
    /** A message of more octets is cut to its header; default 65536. The
     * header, too, is cut at so many. */
    size_t max_original;
    size_t max_recipients; /**< default 1000 */
    /** 1: the way to the sender takes 8BITMIME. 0: a message that needs it is
     * cut to its header, whose other octets become '?'. */
    size_t allow_8bit;
    /** 1: it takes SMTPUTF8, and so 8BITMIME; what is not ASCII stands as
     * UTF-8 in message/global-delivery-status (RFC 6533). 0: addresses stand
     * in their seven bit form. */
    size_t allow_utf8;
    uint64_t log_id;
};

/** What became of one recipient. */
struct onward_dsn_outcome {
    size_t size;
    size_t action; /**< enum onward_dsn_action; required */
    size_t notify; /**< of RCPT: a set of enum onward_smtp_notify */
    size_t reserved; /**< 0 */
    /** Where it went to, local@domain; required. The sender reads it: a
     * forwarder that does not tell where it forwards to gives the address that
     * it took. */
    struct onward_str recipient;
    /** ORCPT as the SMTP server gives it: "rfc822;bob@example"; empty: none. */
    struct onward_str orcpt;
    /** "5.1.1"; required. Its class must fit: 5 or 4 of failed, 4 of delayed,
     * 2 of the others. */
    struct onward_str status;
    /** The server that answered, a name or an address in brackets; empty:
     * nobody did. */
    struct onward_str remote_mta;
    /** What it said, "550 5.1.1 no such user": any octets. Written as
     * printable ASCII, others as \xHH, 600 octets at most. */
    struct onward_str diagnostic;
    struct onward_str log_id;  /**< Final-Log-ID; cleaned as diagnostic */
    int64_t last_attempt_s;    /**< Unix seconds; 0: not told */
    int64_t will_retry_until_s; /**< of delayed; 0: not told */
};

/**
 * Begin a notice.
 *
 * @param ctx   kept alive by the notice.
 * @param opts  borrowed for this call.
 * @param dsn   out: free with onward_dsn_free().
 * @return 0, or
 *         ONWARD_EINVAL   no opts or no such ret; the reverse path is null
 *         ONWARD_ESYNTAX  reporting_mta or received_from is no domain, or envid
 *                         not printable ASCII
 *         ONWARD_EVERSION a field that this release does not know is not 0
 *         ONWARD_ENOMEM   out of memory
 *         Addresses are looked at by onward_dsn_build().
 * @since 0.1
 */
ONWARD_API int onward_dsn_new(struct onward_ctx *ctx,
                              const struct onward_dsn_opts *opts,
                              struct onward_dsn **dsn);

/** @param dsn  may be NULL. @since 0.1 */
ONWARD_API void onward_dsn_free(struct onward_dsn *dsn);

/**
 * Tell what became of a recipient. NOTIFY is heard: a recipient of whom the
 * sender does not want to know is left out.
 *
 * @param outcome  borrowed for this call.
 * @return 1: it will stand in the notice; 0: it was left out; or
 *         ONWARD_EINVAL   no such action or set
 *         ONWARD_ESYNTAX  recipient, status, remote_mta or orcpt cannot be
 *         ONWARD_ELIMIT   more than max_recipients
 *         ONWARD_ESTATE   after onward_dsn_build()
 *         ONWARD_EVERSION, ONWARD_ENOMEM
 *         After any of them the notice is as before.
 * @since 0.1
 */
ONWARD_API int onward_dsn_add(struct onward_dsn *dsn,
                              const struct onward_dsn_outcome *outcome);

/** @return how many recipients will stand in the notice. @since 0.1 */
ONWARD_API size_t onward_dsn_count(const struct onward_dsn *dsn);

/**
 * Lend the message that it is about. The whole of it goes back where ret does
 * not say otherwise, some recipient has failed, and it can travel as it is;
 * else its header.
 *
 * @param original  read inside onward_dsn_build(), at most max_original octets;
 *                  copied, its user must live until then. It must never say
 *                  ONWARD_AGAIN.
 * @return 0, ONWARD_EINVAL (no read), ONWARD_EVERSION or ONWARD_ESTATE (after
 *         onward_dsn_build()).
 * @since 0.1
 */
ONWARD_API int onward_dsn_set_original(struct onward_dsn *dsn,
                                       const struct onward_source *original);

/**
 * Write it. Send it with a null reverse path to the one recipient that the
 * builder names; it may not be answered by a notice in turn.
 *
 * @param builder  out: has the whole message; free with
 *                 onward_builder_free(). Ask it for the source; fields can be
 *                 added before.
 * @return 0, or
 *         ONWARD_ESTATE    nobody stands in it, or it was built already
 *         ONWARD_ESYNTAX   reverse_path or from is no address that can stand
 *                          here (not ASCII without allow_utf8)
 *         ONWARD_ECALLBACK the original could not be read
 *         ONWARD_ELIMIT    it would be over 64 MiB
 *         ONWARD_ENOMEM    out of memory
 *         After any of them but the first it can be called again.
 * @note Reads the original.
 * @since 0.1
 */
ONWARD_API int onward_dsn_build(struct onward_dsn *dsn,
                                struct onward_builder **builder);

/* ---- Reading ----------------------------------------------------------- */

/** A notice that was read; opaque. */
struct onward_dsn_notice;

/** What is not as the standard has it, and was read all the same: bits of a
 * set. Numbers are stable. */
enum onward_dsn_oddity {
    ONWARD_DSN_ODDITY_NO_REPORT = 1,   /**< not in a multipart/report whose
                                            type is delivery-status */
    ONWARD_DSN_ODDITY_NO_MTA = 2,      /**< no Reporting-MTA */
    ONWARD_DSN_ODDITY_NO_RECIPIENT = 4, /**< a group without Final-Recipient */
    ONWARD_DSN_ODDITY_ACTION = 8,      /**< none, or another word */
    ONWARD_DSN_ODDITY_STATUS = 16,     /**< none, or no status code */
    ONWARD_DSN_ODDITY_NO_TYPE = 32,    /**< "bob@example" for "rfc822; ..." */
    ONWARD_DSN_ODDITY_TWICE = 64,      /**< what stands once: the first counts */
    ONWARD_DSN_ODDITY_LINE = 128,      /**< a line that is no field */
    ONWARD_DSN_ODDITY_MERGED = 256,    /**< no empty line before the recipient */
    ONWARD_DSN_ODDITY_DATE = 512,      /**< a date that is none */
    ONWARD_DSN_ODDITY_MANY = 1024,     /**< over a limit: the rest is not read */
    ONWARD_DSN_ODDITY_EMPTY = 2048     /**< no recipient at all */
};

/** @return a word for one bit, "no-report"; "" for others. @since 0.1 */
ONWARD_API const char *onward_dsn_oddity_name(int oddity);

/** What stands once. Texts are borrowed from the notice, empty when not told.
 */
struct onward_dsn_facts {
    size_t size;      /**< set by the caller */
    size_t oddities;  /**< a set of enum onward_dsn_oddity */
    size_t count;     /**< of recipients */
    size_t is_global; /**< 1: message/global-delivery-status */
    int64_t arrival_s; /**< 0 when not told */
    struct onward_str envid; /**< Original-Envelope-Id */
    struct onward_str reporting_mta; /**< without its type */
    struct onward_str reporting_mta_type; /**< "dns" */
    struct onward_str received_from; /**< Received-From-MTA */
    struct onward_str gateway; /**< DSN-Gateway */
    /** The message that it is about, decoded; empty: it did not come along. */
    struct onward_str original;
    size_t is_header_only; /**< 1: original is a header alone */
    size_t reserved;       /**< 0 */
};

/** What is told of one recipient. Texts are borrowed from the notice, empty
 * when not told. */
struct onward_dsn_recipient {
    size_t size;     /**< set by the caller */
    size_t action;   /**< enum onward_dsn_action */
    size_t oddities; /**< of this group */
    size_t reserved; /**< 0 */
    struct onward_str final_recipient; /**< without its type; type utf-8: in
                                            UTF-8 */
    struct onward_str final_type;      /**< "rfc822", as written */
    struct onward_str original_recipient; /**< the same of ORCPT */
    struct onward_str original_type; /**< of original_recipient */
    struct onward_str status; /**< "5.1.1"; empty: none that can be read */
    struct onward_str remote_mta; /**< who said so, without its type */
    struct onward_str diagnostic;      /**< without its type */
    struct onward_str diagnostic_type; /**< "smtp" */
    struct onward_str log_id; /**< Final-Log-ID */
    int64_t last_attempt_s;     /**< 0 when not told */
    int64_t will_retry_until_s; /**< 0 when not told */
};

struct onward_dsn_parse_opts {
    size_t size;
    size_t max_recipients; /**< groups; default 1000 */
    size_t max_bytes;      /**< of the texts that are kept; default 4194304 */
    /** 1: a bare LF ends lines, for files: see ONWARD_MIME_ALLOW_LF. Inside the
     * machine's part it does anyway. */
    size_t allow_lf;
};

/**
 * Read a message that may be a notice. The first message/delivery-status, or
 * its form for UTF-8, is read; what is odd is flagged.
 *
 * @param message  borrowed until onward_dsn_notice_free().
 * @param opts     borrowed for this call; NULL: all defaults.
 * @param notice   out: free with onward_dsn_notice_free().
 * @return 0, or
 *         ONWARD_ENOENT   it is no notice
 *         ONWARD_EVERSION, ONWARD_EINVAL  opts that cannot be read
 *         ONWARD_ENOMEM   out of memory
 * @note Linear in the message.
 * @since 0.1
 */
ONWARD_API int onward_dsn_parse(struct onward_ctx *ctx,
                                struct onward_str message,
                                const struct onward_dsn_parse_opts *opts,
                                struct onward_dsn_notice **notice);

/** @param notice  may be NULL. @since 0.1 */
ONWARD_API void onward_dsn_notice_free(struct onward_dsn_notice *notice);

/**
 * What stands once.
 *
 * @param facts  out: size set by the caller.
 * @return 0 or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_dsn_notice_facts(const struct onward_dsn_notice *notice,
                                       struct onward_dsn_facts *facts);

/**
 * Recipient i.
 *
 * @param recipient  out: size set by the caller.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_dsn_notice_recipient(const struct onward_dsn_notice *notice, size_t i,
                            struct onward_dsn_recipient *recipient);

/**
 * The header of the message that it is about, as far as it came along.
 *
 * @param header  out: borrowed from the notice.
 * @return 0 or ONWARD_ENOENT (it did not, or it is over the context's limits).
 * @since 0.1
 */
ONWARD_API int onward_dsn_notice_header(const struct onward_dsn_notice *notice,
                                        struct onward_header **header);

#ifdef __cplusplus
}
#endif

#endif
