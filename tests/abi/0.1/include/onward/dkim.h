#ifndef ONWARD_DKIM_H
#define ONWARD_DKIM_H

#include <onward/core.h>
#include <onward/dns.h>
#include <onward/key.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DKIM signatures (RFC 6376, RFC 8301, RFC 8463, RFC 8616): verify and sign
 * messages as their bytes pass by. A verifier or signer serves one message and
 * one thread at a time.
 *
 * Line ends are CRLF (RFC 5321 section 2.3.8); a host that keeps LF converts
 * before it feeds. The text is the message as it was or will be sent, without
 * dot-stuffing.
 */

/* ---- Verdicts ---------------------------------------------------------- */

/** Results of RFC 8601 section 2.7.1. @since 0.1 */
enum onward_dkim_result {
    ONWARD_DKIM_PENDING = 0, /**< not known yet */
    ONWARD_DKIM_PASS = 1,
    ONWARD_DKIM_FAIL = 2,      /**< the message is not what was signed */
    ONWARD_DKIM_POLICY = 3,    /**< passed, but we do not take it so */
    ONWARD_DKIM_NEUTRAL = 4,   /**< not made by this release */
    ONWARD_DKIM_TEMPERROR = 5, /**< a later try may know more */
    ONWARD_DKIM_PERMERROR = 6  /**< signature or key cannot be used */
};

/** Why a signature has its result. @since 0.1 */
enum onward_dkim_reason {
    ONWARD_DKIM_REASON_NONE = 0,
    /* The message and the signature field: permerror, but for EXPIRED (fail).
     */
    ONWARD_DKIM_REASON_HEADER = 1,       /**< header block in doubt */
    ONWARD_DKIM_REASON_SYNTAX = 2,       /**< no tag list, or a tag twice */
    ONWARD_DKIM_REASON_MISSING = 3,      /**< a required tag is missing */
    ONWARD_DKIM_REASON_VALUE = 4,        /**< a tag's value is malformed */
    ONWARD_DKIM_REASON_VERSION = 5,      /**< v= is not 1 */
    ONWARD_DKIM_REASON_ALGORITHM = 6,    /**< a= unknown, or rsa-sha1 */
    ONWARD_DKIM_REASON_DOMAIN = 7,       /**< d= or s= is no domain name */
    ONWARD_DKIM_REASON_IDENTITY = 8,     /**< i= is not in d= */
    ONWARD_DKIM_REASON_FROM = 9,         /**< h= lacks From */
    ONWARD_DKIM_REASON_QUERY = 10,       /**< q= has nothing that we know */
    ONWARD_DKIM_REASON_TIMES = 11,       /**< x= is not after t= */
    ONWARD_DKIM_REASON_LIMIT = 12,       /**< more of something than we take */
    ONWARD_DKIM_REASON_EXPIRED = 13,     /**< x= is past */
    ONWARD_DKIM_REASON_BODY_LENGTH = 14, /**< l= is above the body's length */
    /* The key: permerror, but for KEY_UNREACHABLE (temperror). */
    ONWARD_DKIM_REASON_KEY_UNREACHABLE = 20, /**< DNS gave no answer */
    ONWARD_DKIM_REASON_KEY_NONE = 21,        /**< no such record */
    ONWARD_DKIM_REASON_KEY_SYNTAX = 22,      /**< no key record, or a bad one */
    ONWARD_DKIM_REASON_KEY_REVOKED = 23,     /**< p= is empty */
    ONWARD_DKIM_REASON_KEY_TYPE = 24,        /**< k= is not the one of a= */
    ONWARD_DKIM_REASON_KEY_HASH = 25,        /**< h= lacks sha256 */
    ONWARD_DKIM_REASON_KEY_SERVICE = 26,     /**< s= lacks email */
    ONWARD_DKIM_REASON_KEY_IDENTITY = 27,    /**< t=s, but i= is below d= */
    ONWARD_DKIM_REASON_KEY_SIZE = 28, /**< RSA key too short or too long */
    /* The comparison: fail. */
    ONWARD_DKIM_REASON_BODY_HASH = 40, /**< the body was changed */
    ONWARD_DKIM_REASON_SIGNATURE = 41, /**< b= does not fit header and key */
    /* Our own choice: policy. */
    ONWARD_DKIM_REASON_PARTIAL_BODY = 50, /**< l= leaves octets unsigned */
    /* Our own trouble: temperror. */
    ONWARD_DKIM_REASON_MEMORY = 60
};

/** What a signature is made with. @since 0.1 */
enum onward_dkim_algorithm {
    ONWARD_DKIM_RSA_SHA256 = ONWARD_KEY_RSA,
    ONWARD_DKIM_ED25519_SHA256 = ONWARD_KEY_ED25519
};

/**
 * The result's word in Authentication-Results, "permerror".
 *
 * @param result  any int.
 * @return static text ending in NUL; "none" for what is no result.
 * @since 0.1
 */
ONWARD_API const char *onward_dkim_result_name(int result);

/**
 * A stable lower-case word for a reason, "body-hash", for logs and JSON.
 *
 * @param reason  any int.
 * @return static text ending in NUL, never NULL; "" for REASON_NONE.
 * @since 0.1
 */
ONWARD_API const char *onward_dkim_reason_name(int reason);

/**
 * Where the standard says so, "RFC 6376 3.5".
 *
 * @param reason  any int.
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_dkim_reason_section(int reason);

/* ---- Verifier ---------------------------------------------------------- */

struct onward_dkim_verifier; /* opaque */

/** A limit of 0 is its default. */
struct onward_dkim_verifier_opts {
    size_t size;
    /** DKIM-Signature fields that cost anything, from the top; default 10. */
    size_t max_signatures;
    /** Names in one h=, empty ones too; default 500. */
    size_t max_signed_fields;
    /** Bits of an RSA modulus; default and least 1024, RFC 8301 section 3.2. */
    size_t min_rsa_bits;
    /** Default and most 4096. */
    size_t max_rsa_bits;
    /** Seconds that x= may be past before it counts; default 300. */
    size_t clock_skew_s;
    /** Not 0: l= below the body's length is pass, not policy. The octets behind
     * it are anybody's (RFC 6376 section 8.2). */
    size_t allow_partial_body;
    size_t reserved; /**< 0 */
    /** For log events; 0: the desk's. */
    uint64_t log_id;
};

/** Who waits for the verdict. */
struct onward_dkim_verifier_host {
    size_t size;
    void *user;
    /**
     * All signatures have their result. Exactly once, inside
     * onward_desk_run(), after onward_dkim_verifier_finish(); never if the
     * verifier was freed before. May free the verifier.
     */
    void (*done)(void *user, struct onward_dkim_verifier *verifier);
};

/**
 * What is known of one signature. Caller-allocated: set size, the rest is
 * filled. The texts are borrowed from the verifier until it is freed.
 */
struct onward_dkim_signature {
    size_t size;
    size_t result;            /**< enum onward_dkim_result */
    size_t reason;            /**< enum onward_dkim_reason */
    size_t algorithm;         /**< enum onward_dkim_algorithm; 0 if not known */
    struct onward_str detail; /**< short English, printable ASCII */
    struct onward_str domain; /**< d= as written */
    struct onward_str domain_ascii;   /**< lower case, A-labels; empty if bad */
    struct onward_str selector;       /**< s= as written */
    struct onward_str identity;       /**< i= as written; empty when absent */
    struct onward_str algorithm_text; /**< a= as written */
    struct onward_str b;              /**< b= without white space */
    /** The start of b= that tells the signatures of this message apart, for
     * header.b (RFC 6008): at least 8 octets. */
    struct onward_str header_b;
    /** h= in lower case without white space. */
    struct onward_str signed_fields;
    /** Of the fields that a reader is shown or that shape the body (From, To,
     * Cc, Subject, Date, Reply-To, Sender, Message-ID, Content-Type,
     * Content-Transfer-Encoding, MIME-Version): those of which this message has
     * more than are signed. Form as signed_fields. */
    struct onward_str exposed_fields;
    /** SHA-256 of the signature's octets in hexadecimal: the same for every
     * copy of the message, for hosts that limit replays. */
    struct onward_str digest;
    size_t field;     /**< DKIM-Signature fields above this one */
    size_t key_bits;  /**< RSA modulus, 256 for Ed25519; 0 if not known */
    size_t is_secure; /**< the key came by DNSSEC */
    size_t is_test;   /**< the key has t=y: treat the mail as unsigned */
    /** This message has a From that is not signed: never align with it. */
    size_t is_from_exposed;
    size_t has_time;   /**< t= is there */
    size_t has_expiry; /**< x= is there */
    size_t reserved;
    int64_t time_s;   /**< t=, Unix seconds */
    int64_t expiry_s; /**< x=, Unix seconds */
    int64_t age_s;    /**< now - t=; below 0 when t= is in the future */
    /** Octets of the canonical body that l= leaves out. */
    uint64_t unsigned_body_octets;
    /** z=, the signer's own copies of fields, without white space: "From:...|
     * Subject:..." in dkim-quoted-printable. It proves nothing: for reports
     * (RFC 6376 section 3.5). Empty when absent. */
    struct onward_str copied_fields;
    /** Those of the first 500 copies that this message does not have so, white
     * space aside: what was changed on the way, if the signer speaks the truth.
     * Form as signed_fields. */
    struct onward_str changed_fields;
};

/**
 * Make a verifier for one message.
 *
 * @param resolver  asked for the keys; kept alive by the verifier.
 * @param opts      borrowed for this call; NULL: all defaults.
 * @param host      borrowed for this call; its user must live until done or
 *                  onward_dkim_verifier_free().
 * @param verifier  out: free with onward_dkim_verifier_free().
 * @return 0, ONWARD_EINVAL (done is NULL; sizes out of range), ONWARD_EVERSION,
 *         ONWARD_ESTATE (desk freed) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_dkim_verifier_new(struct onward_resolver *resolver,
                         const struct onward_dkim_verifier_opts *opts,
                         const struct onward_dkim_verifier_host *host,
                         struct onward_dkim_verifier **verifier);

/**
 * Take the next octets of the message.
 *
 * Cut the message where you like, single octets included: the verdict does
 * not depend on the cuts.
 *
 * @param data  borrowed for this call only. May be NULL when len is 0.
 * @param len   octets at data.
 * @return 0, or
 *         ONWARD_ELIMIT  header block above the context's limits
 *         ONWARD_ESTATE  after onward_dkim_verifier_finish(), or after an error
 *         ONWARD_ENOMEM  out of memory
 *         After any of them the verifier can only be freed.
 * @note Calls no callback: the keys are asked for at the next run of the desk
 *       after the header is complete. Cost: linear in len.
 * @since 0.1
 */
ONWARD_API int onward_dkim_verifier_feed(struct onward_dkim_verifier *verifier,
                                         const void *data, size_t len);

/**
 * The message is complete. done comes inside onward_desk_run() after this.
 *
 * @return 0, or the errors of onward_dkim_verifier_feed().
 * @since 0.1
 */
ONWARD_API int
onward_dkim_verifier_finish(struct onward_dkim_verifier *verifier);

/**
 * Free it at any time; questions under way are cancelled, which may call the
 * resolver's cancel. Allowed inside done and inside the resolver's callbacks.
 *
 * @param verifier  may be NULL.
 * @since 0.1
 */
ONWARD_API void
onward_dkim_verifier_free(struct onward_dkim_verifier *verifier);

/** @return 1 once all results are known, else 0. @since 0.1 */
ONWARD_API int
onward_dkim_verifier_is_done(const struct onward_dkim_verifier *verifier);

/**
 * Signatures that were looked at, 0 for a message without any ("none"). Known
 * once the header was fed.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dkim_verifier_count(const struct onward_dkim_verifier *verifier);

/**
 * DKIM-Signature fields that were not looked at, as max_signatures was reached.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_dkim_verifier_skipped(const struct onward_dkim_verifier *verifier);

/**
 * What is known of signature i, counted from the top of the header.
 *
 * @param signature  size set by the caller; at most that many octets are
 *                   written, and what this release does not know is zeroed.
 * @return 0, ONWARD_ENOENT (i not below the count) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_dkim_verifier_signature(const struct onward_dkim_verifier *verifier,
                               size_t i,
                               struct onward_dkim_signature *signature);

/* ---- Key records ------------------------------------------------------- */

/** What the text of a key record says beside the key. 0: nothing. */
struct onward_dkim_record_opts {
    size_t size;
    size_t is_test;   /**< t=y: verifiers are to treat the mail as unsigned */
    size_t is_strict; /**< t=s: i= must not be below d= */
};

/**
 * Write the text of the TXT record at SELECTOR._domainkey.DOMAIN that publishes
 * a key: "v=DKIM1; k=rsa; p=..." (RFC 6376 section 3.6.1, RFC 8463 section 4).
 * A string in DNS has at most 255 octets: onward_dns_txt_strings() splits it.
 *
 * @param opts  borrowed for this call; NULL: all defaults.
 * @param text  room for cap octets; gets the text and a NUL.
 * @param cap   1000 is always enough.
 * @return the length without the NUL, ONWARD_EVERSION or ONWARD_ELIMIT (cap too
 *         small; text untouched).
 * @since 0.1
 */
ONWARD_API int onward_dkim_record(const struct onward_pubkey *pub,
                                  const struct onward_dkim_record_opts *opts,
                                  char *text, size_t cap);

/** What onward_dkim_lint() found first. Caller-allocated: set size. */
struct onward_dkim_fault {
    size_t size;
    size_t offset;    /**< octet of the record, 0-based */
    const char *text; /**< static: what is wrong, or what to do about it */
    size_t reason;    /**< enum onward_dkim_reason; 0 if none fits */
    size_t is_void;   /**< 1: nothing verifies with it; 0: better changed */
};

/**
 * Judge the text of a key record without any look-up, more strictly than a
 * verifier, which takes what it can use. What makes the record void comes
 * before what does not: RSA keys below 2048 bits (RFC 8301 section 3.2), test
 * mode, hashes and tags that are obsolete. Tags that nobody knows are no fault.
 *
 * @param record  all strings of the TXT record, joined.
 * @param fault   out, may be NULL: set on ONWARD_ESYNTAX only.
 * @return 0, or
 *         ONWARD_ESYNTAX  see fault
 *         ONWARD_ENOENT   not a key record at all
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_dkim_lint(struct onward_ctx *ctx,
                                struct onward_str record,
                                struct onward_dkim_fault *fault);

/* ---- Signer ------------------------------------------------------------ */

struct onward_dkim_signer; /* opaque */

/** Which fields are signed when the host lists none. */
enum onward_dkim_listing {
    /** From, Subject, To, Cc and Reply-To once more than they occur; Sender,
     * Date, Message-ID, MIME-Version and Content-Type once more where they
     * occur; and the other fields of RFC 6376 section 5.4.1 as often as they
     * occur. */
    ONWARD_DKIM_LISTING_GUARDED = 0,
    /** As forwarding services have it: To, Subject, From, Date, Feedback-ID,
     * Reply-To, Cc, Resent-Date, -From, -To and -Cc, In-Reply-To, References,
     * and the List- fields, as often as they occur and in the order of the
     * message; then those that do not occur. Message-ID, MIME-Version and
     * Content-Type are not signed, and a second From could be added: the
     * default is the safer choice. */
    ONWARD_DKIM_LISTING_SERVICE = 1
};

/**
 * What to write. Text is borrowed for onward_dkim_signer_new().
 *
 * Choose the domain by who sends: never take it from the From of a message that
 * is only passed on, for that would vouch for whoever wrote it.
 */
struct onward_dkim_signer_opts {
    size_t size;
    struct onward_str domain;   /**< d=, required: A-labels */
    struct onward_str selector; /**< s=, required: A-labels */
    struct onward_str identity; /**< i=; empty: not written */
    /** h= exactly, names parted by colons; From must be among them. Empty: as
     * listing has it. */
    struct onward_str fields;
    size_t use_simple_header; /**< not 0: c=simple/..., default relaxed */
    size_t use_simple_body;   /**< not 0: c=.../simple, default relaxed */
    size_t listing;   /**< enum onward_dkim_listing, when fields is empty */
    int64_t time_s;   /**< t=, Unix seconds; 0: the context's clock */
    int64_t expire_s; /**< x= is t= plus this; 0: no x= */
    uint64_t log_id;  /**< 0: the desk's */
    /**
     * SHA-256 of the body in its relaxed form, 32 octets, as
     * onward_verifier_body_hash() gives it when the body leaves as it came; not
     * with use_simple_body. Then octets of the body need not be fed for this
     * signature. It is for the host to know that the body has no CR or LF of
     * its own. Empty: the signer hashes the body.
     */
    struct onward_str body_hash;
};

/** Who waits for the field, or for all fields. */
struct onward_dkim_signer_host {
    size_t size;
    void *user;
    /**
     * The field is there (status 0), or there will be none: the error of the
     * signing key. Exactly once, inside onward_desk_run(), after
     * onward_dkim_signer_finish() returned 0; never if the signer was freed
     * before. May free the signer.
     */
    void (*done)(void *user, struct onward_dkim_signer *signer, int status);
};

/**
 * Make a signer for one message: the one that leaves, all other changes made.
 *
 * @param key     which key signs, and on which desk; kept alive. Its type gives
 *                the algorithm: rsa-sha256 or ed25519-sha256.
 * @param opts    borrowed for this call.
 * @param host    borrowed for this call; its user must live until done or
 *                onward_dkim_signer_free().
 * @param signer  out: free with onward_dkim_signer_free().
 * @return 0, or
 *         ONWARD_EINVAL   no done; domain, selector, identity or fields missing
 *                         or not well formed; fields without From; a time that
 *                         cannot be written; no such listing; body_hash not of
 *                         32 octets, or with use_simple_body
 *         ONWARD_EVERSION a field of opts this release does not know
 *         ONWARD_ESTATE   desk freed
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int
onward_dkim_signer_new(struct onward_signer *key,
                       const struct onward_dkim_signer_opts *opts,
                       const struct onward_dkim_signer_host *host,
                       struct onward_dkim_signer **signer);

/**
 * One signature more from the same reading of the message: an Ed25519 one
 * beside that of RSA (RFC 8463 section 5), or another domain's. A form of the
 * body that several have is hashed once, the keys are asked together, and no
 * signature covers another's field. If one fails, there are none.
 *
 * @param key   of the same desk; kept alive.
 * @param opts  borrowed for this call; log_id must be 0.
 * @return 0, or
 *         ONWARD_EINVAL   as onward_dkim_signer_new(); a key of another desk
 *         ONWARD_EVERSION a field of opts this release does not know
 *         ONWARD_ESTATE   a part of the message was fed; desk freed
 *         ONWARD_ELIMIT   there are 8
 *         ONWARD_ENOMEM   out of memory
 *         After any of them the signer makes the signatures it had.
 * @since 0.1
 */
ONWARD_API int
onward_dkim_signer_add(struct onward_dkim_signer *signer,
                       struct onward_signer *key,
                       const struct onward_dkim_signer_opts *opts);

/**
 * Take the next octets of the message, cut anywhere.
 *
 * @param data  borrowed for this call only. May be NULL when len is 0.
 * @param len   octets at data.
 * @return 0, or ONWARD_ELIMIT (header block above the context's limits),
 *         ONWARD_ESTATE (after finish or an error) or ONWARD_ENOMEM. After any
 *         of them the signer can only be freed.
 * @note Calls no callback. Cost: linear in len.
 * @since 0.1
 */
ONWARD_API int onward_dkim_signer_feed(struct onward_dkim_signer *signer,
                                       const void *data, size_t len);

/**
 * The message is complete: ask the key for the signature.
 *
 * @return 0 (done will come), or, and then done never comes,
 *         ONWARD_ESYNTAX  not a message to sign: no From or several, a header
 *                         line that is no field, a bare CR or LF, or a value
 *                         with control octets; onward_dkim_signer_fault()
 *                         says which
 *         ONWARD_ELIMIT   header above the limits, or the field would be too
 *                         long to send
 *         ONWARD_ESTATE   finished before, after an error, or desk freed
 *         ONWARD_ENOMEM   out of memory
 * @note The key's sign callback may run inside.
 * @since 0.1
 */
ONWARD_API int onward_dkim_signer_finish(struct onward_dkim_signer *signer);

/**
 * Why onward_dkim_signer_finish() gave ONWARD_ESYNTAX.
 *
 * @return static English text; empty when it did not.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dkim_signer_fault(const struct onward_dkim_signer *signer);

/**
 * The field to put on top of the message, "DKIM-Signature: ..." with its folds
 * and final CRLF; with onward_dkim_signer_add() the fields, in the order in
 * which they were asked for.
 *
 * @return borrowed until onward_dkim_signer_free(); empty before done or when
 *         its status was not 0.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dkim_signer_field(const struct onward_dkim_signer *signer);

/**
 * Free it at any time; a signing under way is cancelled. Allowed inside done
 * and inside the key's callbacks.
 *
 * @param signer  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_dkim_signer_free(struct onward_dkim_signer *signer);

#ifdef __cplusplus
}
#endif

#endif
