#ifndef ONWARD_TOKEN_H
#define ONWARD_TOKEN_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Tokens: a few octets that somebody else keeps for us, and brings back one
 * day. They are signed (HMAC-SHA256) for one purpose, and expire; nothing is
 * remembered here, and nothing is secret about what is in them. Links that
 * verify an address, tickets for a reply later, addresses for bounces.
 *
 * A token is text in the letters of base64url, or of base32 where case may be
 * lost on the way (the local part of an address, a link that is typed).
 *
 * A minter is immutable and counted, and may be shared by any number of
 * threads.
 */

/** Octets of a payload, at most. */
#define ONWARD_TOKEN_PAYLOAD_MAX 2048
/** Room that the longest token needs, with NUL. */
#define ONWARD_TOKEN_TEXT_MAX 3352
/** Secrets of one minter, at most. */
#define ONWARD_TOKEN_SECRETS_MAX 16
/** Octets of a secret, at most. */
#define ONWARD_TOKEN_SECRET_MAX 256
/** Octets of a purpose, at most. */
#define ONWARD_TOKEN_PURPOSE_MAX 64

/** What a text turned out to be. @since 0.1 */
enum onward_token_verdict {
    ONWARD_TOKEN_OK = 0,        /**< ours, and within its life */
    ONWARD_TOKEN_MALFORMED = 1, /**< no token */
    ONWARD_TOKEN_FORGED = 2,    /**< not signed by us for that */
    ONWARD_TOKEN_EXPIRED = 3    /**< ours, but its time is over */
};

/** How a token is written. @since 0.1 */
enum onward_token_form {
    /** Base64url without padding (RFC 4648 section 5). Case counts. */
    ONWARD_TOKEN_BASE64URL = 0,
    /** Base32 without padding, in lower case (RFC 4648 section 6). Read in any
     * case. */
    ONWARD_TOKEN_BASE32 = 1
};

struct onward_token_minter; /* opaque */

/**
 * Make a minter.
 *
 * @param ctx      kept alive; its clock judges the life of tokens.
 * @param secrets  borrowed for this call, copied: the first signs, all verify,
 *                 so a new one is put in front and the old one dropped when all
 *                 that it signed has expired. At least 16 random octets each.
 * @param count    1 to ONWARD_TOKEN_SECRETS_MAX.
 * @param minter   out: free with onward_token_minter_free().
 * @return 0, ONWARD_EINVAL (a secret of less than 16 or more than
 *         ONWARD_TOKEN_SECRET_MAX octets) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_token_minter_new(struct onward_ctx *ctx,
                                       const struct onward_str *secrets,
                                       size_t count,
                                       struct onward_token_minter **minter);

/**
 * Count one more owner. Any thread.
 *
 * @return minter.
 * @since 0.1
 */
ONWARD_API struct onward_token_minter *
onward_token_minter_ref(struct onward_token_minter *minter);

/**
 * End one ownership; the last one wipes the secrets. Any thread.
 *
 * @param minter  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_token_minter_free(struct onward_token_minter *minter);

/** What a token is for: the same where it is minted and where it is checked. */
struct onward_token_opts {
    size_t size;
    /** 1 to ONWARD_TOKEN_PURPOSE_MAX octets. A token that was minted for one
     * purpose is forged for every other. Required. */
    struct onward_str purpose;
    /** What the token is bound to without carrying it: the address that it goes
     * to, the domain that it stands in. Octet for octet the same at both ends.
     * May be empty. */
    struct onward_str bound_to;
    size_t form;    /**< enum onward_token_form */
    size_t mac_len; /**< octets of the signature: 8 to 32; default 16 */
};

/**
 * Mint a token.
 *
 * @param opts       borrowed for this call.
 * @param payload    what comes back with it; may be empty.
 * @param expires_s  seconds since 1970, below 2^32: until then and not longer;
 *                   0: never.
 * @param out        room for cap octets; gets the token and a NUL.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL   a purpose, form, mac_len or expires_s out of range
 *         ONWARD_ELIMIT   payload above ONWARD_TOKEN_PAYLOAD_MAX, or cap too
 *                         small: ONWARD_TOKEN_TEXT_MAX always does
 *         ONWARD_EVERSION a field of opts this release does not know
 * @note Base64url: 4 characters for each 3 octets of payload, signature and 6
 *       more; base32: 8 for each 5.
 * @since 0.1
 */
ONWARD_API int onward_token_mint(const struct onward_token_minter *minter,
                                 const struct onward_token_opts *opts,
                                 struct onward_str payload, int64_t expires_s,
                                 char *out, size_t cap);

/**
 * Look at what came back. Signatures are compared in constant time; each token
 * has one text only (but for case, in base32).
 *
 * @param opts       as it was minted.
 * @param text       all of it must be the token.
 * @param payload    room for cap octets; written when verdict is
 *                   ONWARD_TOKEN_OK.
 * @param expires_s  out, when verdict is ONWARD_TOKEN_OK or
 *                   ONWARD_TOKEN_EXPIRED: 0 is never. May be NULL.
 * @param verdict    out: an enum onward_token_verdict.
 * @return octets of payload; 0 when verdict is not ONWARD_TOKEN_OK; or
 *         ONWARD_EINVAL, ONWARD_EVERSION  as onward_token_mint()
 *         ONWARD_ELIMIT   ours, but the payload is longer than cap
 * @since 0.1
 */
ONWARD_API int onward_token_check(const struct onward_token_minter *minter,
                                  const struct onward_token_opts *opts,
                                  struct onward_str text, void *payload,
                                  size_t cap, int64_t *expires_s, int *verdict);

/**
 * A verdict's name in lower case, "forged", for logs.
 *
 * @return static text ending in NUL, never NULL.
 * @since 0.1
 */
ONWARD_API const char *onward_token_verdict_name(int verdict);

/* ---- Bounce addresses (BATV) ------------------------------------------- */

/** Room for an address with its tag, with NUL. */
#define ONWARD_TOKEN_ADDRESS_MAX 324

/**
 * Tag the envelope sender of mail that we originate
 * (draft-levine-smtp-batv-01): `user@example.com` becomes
 * `prvs=KDDDSSSSSS=user@example.com`, with the number of the key, the day on
 * which it expires, and a signature over both and the address in lower case. A
 * bounce to an address without a tag then answers nothing that we sent. The
 * signature is for ourselves only: HMAC-SHA256, cut to the draft's six digits.
 *
 * @param sender    without angle brackets; empty (the null path) and what has a
 *                  tag already are given back as they are.
 * @param life_days days that the tag is good for: 1 to 100; the draft has 7.
 * @param out       room for cap octets; gets the address and a NUL.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL  life_days, or cap below ONWARD_TOKEN_ADDRESS_MAX
 *         ONWARD_ESYNTAX no address, or its local part is quoted
 *         ONWARD_ELIMIT  the local part would have more than 64 octets
 * @since 0.1
 */
ONWARD_API int onward_token_tag_sender(const struct onward_token_minter *minter,
                                       struct onward_str sender,
                                       size_t life_days, char *out,
                                       size_t cap);

/**
 * Take the tag off the recipient of a bounce.
 *
 * @param recipient  without angle brackets.
 * @param out        room for cap octets; gets the address and a NUL when
 *                   verdict is ONWARD_TOKEN_OK.
 * @param verdict    out: an enum onward_token_verdict; ONWARD_TOKEN_MALFORMED:
 *                   it has no tag.
 * @return the length without the NUL, 0 when verdict is not ONWARD_TOKEN_OK, or
 *         ONWARD_EINVAL (cap below ONWARD_TOKEN_ADDRESS_MAX).
 * @since 0.1
 */
ONWARD_API int
onward_token_untag_sender(const struct onward_token_minter *minter,
                          struct onward_str recipient, char *out, size_t cap,
                          int *verdict);

/* ---- Reverse aliases --------------------------------------------------- */

/** What has to be in the host's store before the alias is given out. The caller
 * sets size. */
struct onward_token_alias {
    size_t size;
    size_t key_len;   /**< octets of key */
    size_t value_len; /**< octets of value */
    size_t reserved;  /**< 0 */
    char key[64];     /**< where to put it */
    char value[520];  /**< what to put there */
};

/**
 * An address of ours that stands for a contact, so that its owner can write
 * there without showing an address of their own: `ra-LETTERS@domain`, whatever
 * the length of the contact's. The same owner and contact have the same alias
 * each time; put the value without a condition, and to be kept. Secrets are
 * kept too, for as long as aliases that they made.
 *
 * @param owner    who may write there; without angle brackets. The host checks
 *                 that it is they who do.
 * @param contact  who is meant.
 * @param domain   A-labels; the alias is signed for it.
 * @param out      room for cap octets; gets the alias and a NUL.
 * @param alias    out.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL  domain, alias->size, or cap below
 *                        ONWARD_TOKEN_ADDRESS_MAX
 *         ONWARD_ESYNTAX owner or contact is no mailbox
 *         ONWARD_ENOMEM  out of memory
 * @since 0.1
 */
ONWARD_API int onward_token_alias_make(const struct onward_token_minter *minter,
                                       struct onward_str owner,
                                       struct onward_str contact,
                                       struct onward_str domain, char *out,
                                       size_t cap,
                                       struct onward_token_alias *alias);

/**
 * Is that an alias of ours, and where is its value?
 *
 * @param address  a recipient, without angle brackets; in any case.
 * @param out      room for cap octets; gets the key and a NUL when verdict is
 *                 ONWARD_TOKEN_OK.
 * @param verdict  out: an enum onward_token_verdict; ONWARD_TOKEN_MALFORMED:
 *                 no alias.
 * @return the length without the NUL, 0 when verdict is not ONWARD_TOKEN_OK, or
 *         ONWARD_EINVAL (cap below ONWARD_TOKEN_ADDRESS_MAX).
 * @since 0.1
 */
ONWARD_API int onward_token_alias_key(const struct onward_token_minter *minter,
                                      struct onward_str address, char *out,
                                      size_t cap, int *verdict);

/**
 * Owner and contact in a value of the store. It is read as hostile.
 *
 * @param owner, contact  out: borrowed from value. Untouched on failure.
 * @return 0, ONWARD_ESYNTAX (not such a value), ONWARD_EVERSION (of a later
 *         release), ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_token_alias_read(const struct onward_token_minter *minter,
                                       struct onward_str value,
                                       struct onward_str *owner,
                                       struct onward_str *contact);

#ifdef __cplusplus
}
#endif

#endif
