#ifndef ONWARD_SRS_H
#define ONWARD_SRS_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Sender rewriting (SRS, the "guarded" scheme): a forwarder puts its own domain
 * into the envelope sender, so that SPF of the next hop looks at it, and finds
 * the way back for bounces. There is no RFC; the form of addresses is that of
 * Mail::SRS, libsrs2 and postsrsd, and so are their hashes with
 * ONWARD_SRS_SHA1.
 *
 *     user@example.com   ->  SRS0=TonQ=G3=example.com=user@fwd.example.net
 *     SRS0=...@first.hop ->  SRS1=hKbV=first.hop==...@fwd.example.net
 *     too long, or "a b"@example.com -> SRS0=eF2d=G3=ID@fwd.example.net, and
 *                            the host keeps the sender (onward_srs_keep())
 *
 * The rewriter is immutable and counted, and may be shared by any number of
 * threads. Never rewrite the From field, only the envelope.
 */

/** Octets that onward_srs_forward() and _reverse() need at most, with NUL. */
#define ONWARD_SRS_TEXT_MAX 324
/** Secrets of one rewriter, at most. */
#define ONWARD_SRS_SECRETS_MAX 16
/** Octets of a secret, at most. */
#define ONWARD_SRS_SECRET_MAX 256

/** What an address turned out to be, on its way back. */
enum onward_srs_verdict {
    ONWARD_SRS_OK = 0,        /**< ours, and within its life */
    ONWARD_SRS_NONE = 1,      /**< no SRS address at all */
    ONWARD_SRS_MALFORMED = 2, /**< begins as one, but is none */
    ONWARD_SRS_FORGED = 3,    /**< no secret of ours gives that hash */
    ONWARD_SRS_EXPIRED = 4,   /**< ours, but too old or from the future */
    ONWARD_SRS_KEPT = 5 /**< ours, and the sender is where onward_srs_keep() had
                             it put */
};

/** What signs an address. @since 0.1 */
enum onward_srs_hash {
    /** HMAC-SHA256 over fields that cannot run into each other. No other
     * implementation reads it. */
    ONWARD_SRS_SHA256 = 0,
    /** HMAC-SHA1 as Mail::SRS, libsrs2 and postsrsd have it: where they share
     * our secrets. */
    ONWARD_SRS_SHA1 = 1
};

struct onward_srs; /* opaque */

struct onward_srs_opts {
    size_t size;
    size_t hash_len; /**< characters to sign with; 2 to 27, default 4 */
    size_t hash_min; /**< fewest to accept; 2 to hash_len, default hash_len */
    size_t max_age_days; /**< life of an address; 1 to 1000, default 21 */
    size_t separator;    /**< after the tag: '=' (default), '+' or '-' */
    /** 1: rewrite senders of the forwarder's own domain too. */
    size_t always_rewrite;
    /**
     * 1: take hashes whose case was lost on the way. Some mailers fold local
     * parts; it costs about one bit of each character of the hash.
     */
    size_t allow_folded_hash;
    size_t hash; /**< enum onward_srs_hash: signs */
    /** 1: with ONWARD_SRS_SHA256, do not take addresses that SHA-1 signed. They
     * are taken by default, since bounces come for weeks after a change. */
    size_t refuse_sha1;
};

/**
 * Make a rewriter.
 *
 * @param ctx      kept alive; its clock dates the addresses.
 * @param secrets  borrowed for this call, copied: the first signs, all verify,
 *                 so a new one is put in front and the old one dropped when
 *                 max_age_days have passed. 16 random octets are a good secret.
 * @param count    1 to ONWARD_SRS_SECRETS_MAX.
 * @param opts     borrowed for this call; NULL: all defaults.
 * @param srs      out: free with onward_srs_free().
 * @return 0, ONWARD_EINVAL (an empty or overlong secret, a value out of
 *         range), ONWARD_EVERSION or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_srs_new(struct onward_ctx *ctx,
                              const struct onward_str *secrets, size_t count,
                              const struct onward_srs_opts *opts,
                              struct onward_srs **srs);

/**
 * Count one more owner. Any thread.
 *
 * @return srs.
 * @since 0.1
 */
ONWARD_API struct onward_srs *onward_srs_ref(struct onward_srs *srs);

/**
 * End one ownership; the last one wipes the secrets. Any thread.
 *
 * @param srs  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_srs_free(struct onward_srs *srs);

/**
 * Rewrite an envelope sender for the next hop. The null path, and a sender in
 * the alias's own domain (but for always_rewrite), are given back as they are.
 * An SRS0 address of another host becomes SRS1, which does not grow at later
 * hops: its bounces go to that first host.
 *
 * @param sender  without angle brackets; empty for the null path.
 * @param alias   the forwarder's domain, or an address in it.
 * @param out     room for cap octets; gets the address and a NUL.
 * @param cap     at least ONWARD_SRS_TEXT_MAX, else ONWARD_EINVAL.
 * @return the length without the NUL, or
 *         ONWARD_ESYNTAX  no mailbox that can be rewritten: no domain, a quoted
 *                         local part, an address literal, forbidden octets
 *         ONWARD_ELIMIT   the result would have a local part of more than 64
 *                         octets (RFC 5321 section 4.5.3.1.1), which the next
 *                         hop may refuse
 *         After either, onward_srs_keep() makes one that fits.
 *         ONWARD_EINVAL   alias is no domain
 * @since 0.1
 */
ONWARD_API int onward_srs_forward(const struct onward_srs *srs,
                                  struct onward_str sender,
                                  struct onward_str alias, char *out,
                                  size_t cap);

/**
 * Find out where a bounce goes. Only mail with the null sender should be taken
 * for an SRS address: who has seen one could else send through you for as long
 * as it lives. The domain of address is not looked at: it is yours.
 *
 * @param address  a recipient, without angle brackets.
 * @param out      room for cap octets; gets the address and a NUL when verdict
 *                 is ONWARD_SRS_OK: the original sender, or the SRS0 address
 *                 at the first hop; or ONWARD_SRS_KEPT: the key where the value
 *                 for onward_srs_kept_sender() is. Untouched otherwise.
 * @param cap      at least ONWARD_SRS_TEXT_MAX, else ONWARD_EINVAL.
 * @param verdict  out: an enum onward_srs_verdict.
 * @return the length without the NUL, 0 for any other verdict, or
 *         ONWARD_EINVAL.
 * @since 0.1
 */
ONWARD_API int onward_srs_reverse(const struct onward_srs *srs,
                                  struct onward_str address, char *out,
                                  size_t cap, int *verdict);

/* ---- Senders that the host keeps --------------------------------------- */

/** What has to be in the host's store before the address is used. The caller
 * sets size. */
struct onward_srs_kept {
    size_t size;
    size_t key_len;    /**< octets of key */
    size_t value_len;  /**< octets of value */
    size_t reserved;   /**< 0 */
    int64_t expires_s; /**< not before; seconds since 1970 */
    char key[64];      /**< where to put it */
    char value[328];   /**< what to put there */
};

/**
 * Rewrite a sender that onward_srs_forward() cannot: too long, a quoted local
 * part, an address literal. The address has no more than a key that cannot be
 * guessed; the same sender has the same one each time, so put without a
 * condition, and to be kept (ONWARD_STORE_KEEP).
 *
 * @param sender  any mailbox, without angle brackets.
 * @param out     as onward_srs_forward().
 * @param kept    out: to be put into the store before the message leaves.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL  as onward_srs_forward(); kept->size
 *         ONWARD_ESYNTAX no mailbox; the null path too
 *         ONWARD_ELIMIT  hash_len leaves no room for it
 *         ONWARD_ENOMEM  out of memory
 * @note Calls no callback but the allocator and the clock.
 * @since 0.1
 */
ONWARD_API int onward_srs_keep(const struct onward_srs *srs,
                               struct onward_str sender,
                               struct onward_str alias, char *out, size_t cap,
                               struct onward_srs_kept *kept);

/**
 * The sender in a value of the store. It is read as hostile.
 *
 * @param value  what stood at the key that onward_srs_reverse() gave.
 * @param out    room for cap octets; gets the address and a NUL.
 * @param cap    at least ONWARD_SRS_TEXT_MAX, else ONWARD_EINVAL.
 * @return the length without the NUL, or ONWARD_EINVAL, ONWARD_ESYNTAX (not
 *         such a value), ONWARD_EVERSION (of a later release) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_srs_kept_sender(const struct onward_srs *srs,
                                      struct onward_str value, char *out,
                                      size_t cap);

/**
 * A verdict's name in lower case, "forged", for logs.
 *
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_srs_verdict_name(int verdict);

#ifdef __cplusplus
}
#endif

#endif
