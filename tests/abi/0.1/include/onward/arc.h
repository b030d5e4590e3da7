#ifndef ONWARD_ARC_H
#define ONWARD_ARC_H

#include <onward/core.h>
#include <onward/dkim.h>
#include <onward/dns.h>
#include <onward/key.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Authenticated Received Chain (RFC 8617): validate the chain that a message
 * came with, and seal it with one more set when it goes on. A validator or
 * sealer serves one message and one thread at a time.
 *
 * A chain that passes says only that its sealers vouch for what they saw. It
 * changes nothing by itself: whether their word counts is the host's choice of
 * sealers.
 */

/* ---- Verdicts ---------------------------------------------------------- */

/** Chain Validation Status, RFC 8617 section 4.4. @since 0.1 */
enum onward_arc_result {
    ONWARD_ARC_PENDING = 0, /**< not known yet */
    ONWARD_ARC_NONE = 1,    /**< no chain */
    ONWARD_ARC_PASS = 2,
    ONWARD_ARC_FAIL = 3
};

/** Why a chain fails. @since 0.1 */
enum onward_arc_reason {
    ONWARD_ARC_REASON_NONE = 0,
    ONWARD_ARC_REASON_TOO_MANY = 1,  /**< above 50 sets */
    ONWARD_ARC_REASON_INSTANCE = 2,  /**< an i= that is not 1 to 50 */
    ONWARD_ARC_REASON_DUPLICATE = 3, /**< a field of a set twice */
    ONWARD_ARC_REASON_GAP = 4,       /**< a field of a set is missing */
    ONWARD_ARC_REASON_CV = 5,        /**< cv= is not none at 1, pass above */
    ONWARD_ARC_REASON_FAILED = 6,    /**< the newest seal says cv=fail */
    ONWARD_ARC_REASON_MESSAGE = 7,   /**< newest ARC-Message-Signature */
    ONWARD_ARC_REASON_SEAL = 8       /**< an ARC-Seal does not verify */
};

/**
 * The result's word in Authentication-Results, "pass".
 *
 * @param result  any int.
 * @return static text ending in NUL; "none" for what is no result.
 * @since 0.1
 */
ONWARD_API const char *onward_arc_result_name(int result);

/**
 * A stable lower-case word for a reason, "seal", for logs and JSON.
 *
 * @param reason  any int.
 * @return static text ending in NUL, never NULL; "" for REASON_NONE.
 * @since 0.1
 */
ONWARD_API const char *onward_arc_reason_name(int reason);

/**
 * Where the standard says so, "RFC 8617 5.2".
 *
 * @param reason  any int.
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_arc_reason_section(int reason);

/** The chain as a whole. Caller-allocated: set size, the rest is filled. */
struct onward_arc_verdict {
    size_t size;
    size_t result; /**< enum onward_arc_result */
    size_t reason; /**< enum onward_arc_reason */
    /** enum onward_dkim_reason of the signature at fault, or 0. */
    size_t signature_reason;
    size_t instance;  /**< of the set at fault, or 0 */
    size_t instances; /**< the highest instance found */
    /** The lowest instance whose ARC-Message-Signature still verifies with all
     * above it, 0 when all do: since then the message is as it was (RFC 8617
     * section 5.2 step 5). Only with has_oldest_pass. */
    size_t oldest_pass;
    size_t has_oldest_pass; /**< 1: oldest_pass was looked for */
    /**
     * The chain fails because DNS gave no answer (RFC 8617 section 5.2.1 knows
     * no temperror). A seal with cv=fail would break it for good: a host that
     * can defer the message does better.
     */
    size_t is_temporary;
    size_t reserved;          /**< 0 */
    struct onward_str detail; /**< short English, printable ASCII */
};

/** One set of a chain. Caller-allocated: set size. Texts are borrowed from the
 * validator, as written, and hold what a sealer wrote: judge by the verdict. */
struct onward_arc_set {
    size_t size;
    size_t instance; /**< i=, the place in the chain */
    struct onward_str domain;           /**< d= of ARC-Seal */
    struct onward_str domain_ascii;     /**< lower case, A-labels */
    struct onward_str selector;         /**< s= of ARC-Seal */
    struct onward_str message_domain;   /**< d= of ARC-Message-Signature */
    struct onward_str message_selector; /**< s= of ARC-Message-Signature */
    struct onward_str cv;               /**< cv= of ARC-Seal */
    /** ARC-Authentication-Results behind "i=N;": authserv-id and results, with
     * its folds. */
    struct onward_str results;
    /** enum onward_dkim_result of ARC-Message-Signature; PENDING when it was
     * not looked at. */
    size_t message_result;
    size_t seal_result; /**< enum onward_dkim_result of ARC-Seal; likewise */
    size_t has_time;    /**< t= is there, in ARC-Seal */
    size_t reserved;    /**< 0 */
    int64_t time_s;     /**< t= of ARC-Seal, Unix seconds */
};

/* ---- Validator --------------------------------------------------------- */

struct onward_arc_validator; /* opaque */

/** A limit of 0 is its default. */
struct onward_arc_validator_opts {
    size_t size;
    size_t max_signed_fields; /**< names in one h=; default 500 */
    size_t min_rsa_bits;      /**< default and least 1024 */
    size_t max_rsa_bits;      /**< default and most 4096 */
    size_t clock_skew_s;      /**< x= may be past so long; default 300 */
    /** Not 0: oldest_pass is not wanted, older keys are not asked for. */
    size_t skip_oldest_pass;
    uint64_t log_id; /**< 0: the desk's */
};

/** Who waits for the verdict. */
struct onward_arc_validator_host {
    size_t size;
    void *user;
    /**
     * The verdict is there. Exactly once, inside onward_desk_run(), after
     * onward_arc_validator_finish(); never if the validator was freed before.
     * May free the validator.
     */
    void (*done)(void *user, struct onward_arc_validator *validator);
};

/**
 * Make a validator for one message.
 *
 * @param resolver   asked for the keys; kept alive by the validator.
 * @param opts       borrowed for this call; NULL: all defaults.
 * @param host       borrowed for this call; its user must live until done or
 *                   onward_arc_validator_free().
 * @param validator  out: free with onward_arc_validator_free().
 * @return 0, ONWARD_EINVAL (done is NULL; sizes out of range), ONWARD_EVERSION,
 *         ONWARD_ESTATE (desk freed) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int
onward_arc_validator_new(struct onward_resolver *resolver,
                         const struct onward_arc_validator_opts *opts,
                         const struct onward_arc_validator_host *host,
                         struct onward_arc_validator **validator);

/**
 * Take the next octets of the message, cut anywhere.
 *
 * @param data  borrowed for this call only. May be NULL when len is 0.
 * @param len   octets at data.
 * @return 0, or ONWARD_ELIMIT (header block above the context's limits),
 *         ONWARD_ESTATE (after finish or an error, or desk freed) or
 *         ONWARD_ENOMEM. After any of them it can only be freed.
 * @note Calls no callback. Cost: linear in len.
 * @since 0.1
 */
ONWARD_API int onward_arc_validator_feed(struct onward_arc_validator *validator,
                                         const void *data, size_t len);

/**
 * The message is complete. done comes inside onward_desk_run() after this.
 *
 * @return 0, or the errors of onward_arc_validator_feed().
 * @since 0.1
 */
ONWARD_API int
onward_arc_validator_finish(struct onward_arc_validator *validator);

/**
 * Free it at any time; questions under way are cancelled, which may call the
 * resolver's cancel. Allowed inside done and inside the resolver's callbacks.
 *
 * @param validator  may be NULL.
 * @since 0.1
 */
ONWARD_API void
onward_arc_validator_free(struct onward_arc_validator *validator);

/**
 * The chain's verdict; its result is ONWARD_ARC_PENDING before done.
 *
 * @param verdict  size set by the caller; at most that many octets are written.
 *                 Texts are borrowed until onward_arc_validator_free().
 * @return 0 or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_arc_validator_verdict(const struct onward_arc_validator *validator,
                             struct onward_arc_verdict *verdict);

/**
 * One set of the chain.
 *
 * @param instance  1 to verdict.instances.
 * @param set       size set by the caller; at most that many octets are
 *                  written. What a broken set lacks is empty.
 * @return 0, ONWARD_ENOENT (no such instance) or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_arc_validator_set(const struct onward_arc_validator *validator,
                         size_t instance, struct onward_arc_set *set);

/* ---- Sealer ------------------------------------------------------------ */

struct onward_arc_sealer; /* opaque */

/** What to write. Text is borrowed for onward_arc_sealer_new(). */
struct onward_arc_sealer_opts {
    size_t size;
    /** enum onward_arc_result that this host found when the message came. */
    size_t chain_result;
    /** The instances that it had then. */
    size_t chain_instances;
    size_t reserved;               /**< 0 */
    struct onward_str domain;      /**< d=, required: A-labels */
    struct onward_str selector;    /**< s=, required: A-labels */
    struct onward_str authserv_id; /**< this host's, required */
    /**
     * What this host verified in this session, as it stands behind the
     * authserv-id in Authentication-Results: "spf=pass smtp.mailfrom=...;
     * arc=none", folds (CRLF and white space) allowed. Never copy it from a
     * field of the message. Empty: "none".
     */
    struct onward_str results;
    /** h= of ARC-Message-Signature exactly; no ARC field and no
     * Authentication-Results. Empty: as listing has it, by default that of
     * onward_dkim_signer_opts and all DKIM-Signature fields. */
    struct onward_str fields;
    /**
     * SHA-256 of the body in its relaxed form, 32 octets, as
     * onward_verifier_body_hash() gives it when the body leaves as it came.
     * Then octets of the body need not be fed; those that are fed are not
     * hashed. Empty: the sealer hashes the body.
     */
    struct onward_str body_hash;
    int64_t time_s;  /**< t=, Unix seconds; 0: the context's clock */
    uint64_t log_id; /**< 0: the desk's */
    /** x= of ARC-Message-Signature is t= plus this; 0: no x=. A validator that
     * minds it finds the chain broken from then on, the sets of others too. */
    int64_t expire_s;
    size_t listing; /**< enum onward_dkim_listing, when fields is empty */
    size_t omit_seal_time; /**< not 0: no t= in ARC-Seal (it may be left out) */
};

/* ---- Between two processes --------------------------------------------- */

/**
 * What was found on entry, as octets for the process that seals on exit:
 * chain_result, chain_instances, authserv_id, results and body_hash of opts,
 * as onward_verifier_sealing() sets them, and nothing else. Keep them with the
 * message, where nobody else can write: whoever changes them has us vouch for
 * what he likes.
 *
 * @param opts  borrowed for this call; the fields above must be as
 *              onward_arc_sealer_new() wants them.
 * @param out   room for cap octets; untouched on failure.
 * @return the octets written, ONWARD_ELIMIT (cap too small, or a text above
 *         65535 octets), ONWARD_EINVAL or ONWARD_EVERSION (opts).
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_arc_state_write(const struct onward_arc_sealer_opts *opts,
                                      char *out, size_t cap);

/**
 * Take up what onward_arc_state_write() has written: sets those fields.
 *
 * @param state  any octets, all of them; what does not come from
 *               onward_arc_state_write() is refused, or harmless.
 * @param opts   size set by the caller, to all that this release knows; what
 *               else it holds stays. Texts are borrowed from state.
 * @return 0, or, and then opts is untouched,
 *         ONWARD_ESYNTAX   cut short, too long, or not such octets
 *         ONWARD_EVERSION  written by a newer release in another form
 *         ONWARD_EINVAL    opts is NULL or its size too small
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_arc_state_read(struct onward_str state,
                                     struct onward_arc_sealer_opts *opts);

/** Who waits for the set. */
struct onward_arc_sealer_host {
    size_t size;
    void *user;
    /**
     * The fields are there (status 0), or there will be none: the error of the
     * signing key. Exactly once, inside onward_desk_run(), after
     * onward_arc_sealer_finish() returned 0; never if the sealer was freed
     * before. May free the sealer.
     */
    void (*done)(void *user, struct onward_arc_sealer *sealer, int status);
};

/**
 * Make a sealer for one message: the one that leaves, all other changes and
 * DKIM signatures made (RFC 8617 section 5.1).
 *
 * @param key     which key signs, and on which desk; kept alive.
 * @param opts    borrowed for this call.
 * @param host    borrowed for this call; its user must live until done or
 *                onward_arc_sealer_free().
 * @param sealer  out: free with onward_arc_sealer_free().
 * @return 0, or
 *         ONWARD_EINVAL   no done; chain_result is no result; domain, selector,
 *                         authserv_id, results or fields missing or not well
 *                         formed; body_hash is not 32 octets
 *         ONWARD_EVERSION a field of opts this release does not know
 *         ONWARD_ESTATE   desk freed
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_arc_sealer_new(struct onward_signer *key,
                                     const struct onward_arc_sealer_opts *opts,
                                     const struct onward_arc_sealer_host *host,
                                     struct onward_arc_sealer **sealer);

/**
 * Take the next octets of the message, cut anywhere.
 *
 * @return as onward_dkim_signer_feed().
 * @note Calls no callback. Cost: linear in len.
 * @since 0.1
 */
ONWARD_API int onward_arc_sealer_feed(struct onward_arc_sealer *sealer,
                                      const void *data, size_t len);

/**
 * The message is complete: ask the key for the two signatures, one after the
 * other.
 *
 * @return 0 (done will come), or, and then done never comes,
 *         ONWARD_EINVAL  the chain in the message is not the one that
 *                        chain_result and chain_instances tell of
 *         ONWARD_ENOENT  nothing to add: the chain had ended with cv=fail
 *                        (RFC 8617 section 5.1 step 2)
 *         ONWARD_ESYNTAX the header is malformed: no signature could hold
 *         ONWARD_ELIMIT  header above the limits, 50 sets on it already, or a
 *                        field would be too long to send
 *         ONWARD_ESTATE  finished before, after an error, or desk freed
 *         ONWARD_ENOMEM  out of memory
 * @note The key's sign callback may run inside.
 * @since 0.1
 */
ONWARD_API int onward_arc_sealer_finish(struct onward_arc_sealer *sealer);

/**
 * The set, to be put on top of the message: ARC-Seal, ARC-Message-Signature,
 * ARC-Authentication-Results, each with its folds and final CRLF.
 *
 * @return borrowed until onward_arc_sealer_free(); empty before done or when
 *         its status was not 0.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_arc_sealer_fields(const struct onward_arc_sealer *sealer);

/**
 * Free it at any time; a signing under way is cancelled. Allowed inside done
 * and inside the key's callbacks.
 *
 * @param sealer  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_arc_sealer_free(struct onward_arc_sealer *sealer);

#ifdef __cplusplus
}
#endif

#endif
