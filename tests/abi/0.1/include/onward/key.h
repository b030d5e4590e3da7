#ifndef ONWARD_KEY_H
#define ONWARD_KEY_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Keys and signatures: RSA PKCS#1 v1.5 over SHA-256 (RFC 8017 section 8.2,
 * RFC 8301) and Ed25519 over a SHA-256 digest (RFC 8032, RFC 8463).
 *
 * Private and public keys are immutable and counted, and may be shared by any
 * number of threads. A signer belongs to its desk, and so to one thread at a
 * time: make one for each desk from the same key.
 */

/** What a key is for. */
enum onward_key_type {
    ONWARD_KEY_RSA = 1,    /**< DKIM's `rsa-sha256`, k=rsa */
    ONWARD_KEY_ED25519 = 2 /**< DKIM's `ed25519-sha256`, k=ed25519 */
};

/** RSA keys outside of these are neither signed nor verified with. */
#define ONWARD_KEY_RSA_BITS_MIN 1024
/** See ONWARD_KEY_RSA_BITS_MIN. */
#define ONWARD_KEY_RSA_BITS_MAX 4096
/** Octets of the digest that is signed, for each type. */
#define ONWARD_KEY_DIGEST_LEN 32
/** Octets of the longest signature. */
#define ONWARD_KEY_SIGNATURE_MAX 512

/** Why a key could not be read. Caller-allocated; set size before. */
struct onward_key_fault {
    size_t size;
    size_t offset;    /**< octet of the input where it shows */
    size_t bits;      /**< modulus size, when that is what is wrong; else 0 */
    const char *text; /**< static: what is wrong, and what was expected */
};

struct onward_key;    /* opaque: a private key */
struct onward_pubkey; /* opaque: a public key */

/* ---- Private keys ------------------------------------------------------ */

/**
 * Read a private key from PEM text (RFC 7468): `PRIVATE KEY` (PKCS#8, RSA or
 * Ed25519 as RFC 8410 has it) or `RSA PRIVATE KEY` (PKCS#1). Text before the
 * first block is skipped; the first block is taken. The parts of an RSA key are
 * checked against each other. Encrypted keys are refused.
 *
 * @param ctx      kept alive by the key.
 * @param pem      borrowed for this call; copies made inside are wiped.
 * @param fault    filled on ONWARD_ESYNTAX and ONWARD_ELIMIT; may be NULL.
 * @param key      out: free with onward_key_free().
 * @return 0, or
 *         ONWARD_ESYNTAX  not such a key, damaged, or encrypted
 *         ONWARD_ELIMIT   an RSA key of a size that is not signed with
 *         ONWARD_ENOMEM   out of memory
 * @note Calls no callback but the allocator. Cost: linear in pem.
 * @since 0.1
 */
ONWARD_API int onward_key_from_pem(struct onward_ctx *ctx,
                                   struct onward_str pem,
                                   struct onward_key_fault *fault,
                                   struct onward_key **key);

/**
 * The same from DER: PKCS#8 PrivateKeyInfo (RFC 5208, RFC 5958) or PKCS#1
 * RSAPrivateKey (RFC 8017 appendix A.1.2).
 *
 * @return as onward_key_from_pem().
 * @since 0.1
 */
ONWARD_API int onward_key_from_der(struct onward_ctx *ctx, const void *der,
                                   size_t len, struct onward_key_fault *fault,
                                   struct onward_key **key);

/**
 * An Ed25519 key from its 32 octets (RFC 8032 section 5.1.5).
 *
 * @param seed  borrowed for this call.
 * @param len   32; else ONWARD_EINVAL.
 * @return 0, ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_key_from_ed25519_seed(struct onward_ctx *ctx,
                                            const void *seed, size_t len,
                                            struct onward_key **key);

/**
 * Make a new key from the context's random source.
 *
 * @param type  enum onward_key_type.
 * @param bits  for RSA, a multiple of 256; 0: 2048. For Ed25519, 0.
 * @param key   out: free with onward_key_free().
 * @return 0, ONWARD_EINVAL (no such type or size), ONWARD_ERANDOM,
 *         ONWARD_ECRYPTO or ONWARD_ENOMEM.
 * @note RSA takes up to some seconds for 4096 bits.
 * @since 0.1
 */
ONWARD_API int onward_key_generate(struct onward_ctx *ctx, uint32_t type,
                                   size_t bits, struct onward_key **key);

/**
 * Write the key as PEM text, PKCS#8 `PRIVATE KEY`, lines ending in LF.
 *
 * @param text  room for cap octets; gets the text and a NUL. It is a secret.
 * @param cap   4096 is always enough.
 * @return the length without the NUL, ONWARD_ELIMIT (cap too small; text
 *         untouched) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_key_to_pem(const struct onward_key *key, char *text,
                                 size_t cap);

/**
 * Count one more owner. Any thread.
 *
 * @return key.
 * @since 0.1
 */
ONWARD_API struct onward_key *onward_key_ref(struct onward_key *key);

/**
 * End one ownership; the last one wipes the secret. Any thread.
 *
 * @param key  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_key_free(struct onward_key *key);

/**
 * The public half.
 *
 * @return borrowed from key; onward_pubkey_ref() keeps it longer.
 * @since 0.1
 */
ONWARD_API struct onward_pubkey *
onward_key_public(const struct onward_key *key);

/* ---- Public keys ------------------------------------------------------- */

/**
 * Read a public key from DER: SubjectPublicKeyInfo (RFC 5280 section 4.1, RSA
 * or Ed25519) or PKCS#1 RSAPublicKey. Both stand in DKIM's p= (RFC 6376
 * section 3.6.1 and erratum 7001). An RSA modulus has 1024 to 4096 bits and is
 * odd; the exponent is odd, at least 3 and below 2^64: this is looked at before
 * anything is computed.
 *
 * @param fault    filled on ONWARD_ESYNTAX and ONWARD_ELIMIT; may be NULL.
 * @param pub      out: free with onward_pubkey_free().
 * @return 0, or
 *         ONWARD_ESYNTAX  not such a key
 *         ONWARD_ELIMIT   an RSA key of a size that is not verified with
 *         ONWARD_ENOMEM   out of memory
 * @since 0.1
 */
ONWARD_API int onward_pubkey_from_der(struct onward_ctx *ctx, const void *der,
                                      size_t len,
                                      struct onward_key_fault *fault,
                                      struct onward_pubkey **pub);

/**
 * An Ed25519 public key from its 32 octets, as DKIM's p= holds it (RFC 8463
 * section 4.2).
 *
 * @param len  32; else ONWARD_EINVAL.
 * @return 0, ONWARD_EINVAL or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_pubkey_from_ed25519(struct onward_ctx *ctx,
                                          const void *raw, size_t len,
                                          struct onward_pubkey **pub);

/**
 * Count one more owner. Any thread.
 *
 * @return pub.
 * @since 0.1
 */
ONWARD_API struct onward_pubkey *onward_pubkey_ref(struct onward_pubkey *pub);

/**
 * End one ownership. Any thread.
 *
 * @param pub  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_pubkey_free(struct onward_pubkey *pub);

/**
 * What the key is.
 *
 * @return an enum onward_key_type.
 * @since 0.1
 */
ONWARD_API uint32_t onward_pubkey_type(const struct onward_pubkey *pub);

/**
 * The size of the modulus in bits; 256 for Ed25519.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_pubkey_bits(const struct onward_pubkey *pub);

/**
 * The length in octets of each signature of this key.
 *
 * @since 0.1
 */
ONWARD_API size_t onward_pubkey_signature_len(const struct onward_pubkey *pub);

/**
 * Write the key as SubjectPublicKeyInfo in DER.
 *
 * @param der  room for cap octets.
 * @param cap  600 is always enough.
 * @return the length, or ONWARD_ELIMIT (cap too small; der untouched).
 * @since 0.1
 */
ONWARD_API int onward_pubkey_to_der(const struct onward_pubkey *pub, void *der,
                                    size_t cap);

/**
 * Write the text that DKIM publishes as p= (RFC 6376 section 3.6.1, RFC 8463
 * section 4.2): base64 of SubjectPublicKeyInfo, or of the raw Ed25519 key.
 *
 * @param text  room for cap octets; gets the text and a NUL.
 * @param cap   800 is always enough.
 * @return the length without the NUL, ONWARD_ELIMIT (cap too small; text
 *         untouched) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_pubkey_to_p(const struct onward_pubkey *pub, char *text,
                                  size_t cap);

/**
 * The key's id: SHA-256 of its SubjectPublicKeyInfo. Equal keys have equal ids,
 * however they were read.
 *
 * @param id  room for 32 octets.
 * @since 0.1
 */
ONWARD_API void onward_pubkey_id(const struct onward_pubkey *pub, void *id);

/**
 * Is this the key's signature of that digest? The signature has exactly
 * onward_pubkey_signature_len() octets; the PKCS#1 padding is compared whole
 * (RFC 8017 section 8.2.2).
 *
 * @param digest  SHA-256, 32 octets: for Ed25519 these are the message (RFC
 *                8463 section 3).
 * @param type    what the signature claims to be made with; a key of another
 *                type never fits.
 * @return 1 or 0.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_pubkey_verify(const struct onward_pubkey *pub,
                                    uint32_t type, const void *digest,
                                    const void *signature, size_t len);

/* ---- Signers ----------------------------------------------------------- */

/**
 * One key at one desk, ready to sign: what DKIM and ARC take. Behind it stands
 * a private key in memory, or a host that has the key elsewhere (a hardware
 * module, another process, a pool of threads). Both answer on the same path.
 */
struct onward_signer;

/** One question to a host that signs. Borrowed for the call. */
struct onward_sign_question {
    size_t size;
    size_t type;        /**< enum onward_key_type */
    uint64_t token;     /**< for onward_sign_answer() */
    const void *digest; /**< SHA-256 */
    size_t digest_len;  /**< 32 */
    /**
     * What the primitive gets. RSA: the DER DigestInfo, to be padded by
     * EMSA-PKCS1-v1_5 (0x00 0x01 0xff... 0x00; PKCS#11 calls that CKM_RSA_PKCS)
     * and raised to the private exponent. Ed25519: the digest, which is signed
     * as the message (PureEdDSA).
     */
    const void *input;
    size_t input_len;   /**< 51 for RSA, 32 for Ed25519 */
    const void *key_id; /**< as onward_pubkey_id() gives it */
    size_t key_id_len;  /**< 32 */
    struct onward_str label; /**< as in the signer's options */
};

/** A host that signs. Runs on the desk's thread, inside calls of objects that
 * sign and inside onward_desk_run(). */
struct onward_signer_host {
    size_t size;
    void *user;
    /**
     * Sign; answer by onward_sign_answer() or onward_sign_answer_error(), now
     * or later. May free any object. Return 0, or a negative number when it
     * cannot be asked: the signature then fails with ONWARD_ECALLBACK.
     */
    int (*sign)(void *user, const struct onward_sign_question *question);
    /** Nobody waits for that token any more; an answer to it is stale. May be
     * NULL. */
    void (*cancel)(void *user, uint64_t token);
};

struct onward_signer_opts {
    size_t size;
    /** For the host: its name of the key, at most 255 octets; copied. */
    struct onward_str label;
    /** How long a host may take; default 10000, ONWARD_LIMIT_NONE: for ever.
     * After it the signature fails with ONWARD_ECANCELED. */
    size_t timeout_ms;
    uint64_t log_id; /**< 0: the desk's */
};

/**
 * A signer over a private key in memory. RSA runs in constant time, blinded by
 * a pair that this signer alone holds and renews; each signature is checked
 * before it leaves.
 *
 * @param desk    kept in memory by the signer.
 * @param key     counted by the signer.
 * @param opts    borrowed for this call; NULL: all defaults.
 * @param signer  out: free with onward_signer_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ESTATE (desk freed) or
 *         ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_signer_new(struct onward_desk *desk,
                                 struct onward_key *key,
                                 const struct onward_signer_opts *opts,
                                 struct onward_signer **signer);

/**
 * A signer over a host. Each answer is checked with pub before it is used.
 *
 * @param pub   counted by the signer.
 * @param host  borrowed for this call; its user must live until the signer is
 *              freed.
 * @return as onward_signer_new().
 * @since 0.1
 */
ONWARD_API int onward_signer_new_host(struct onward_desk *desk,
                                      struct onward_pubkey *pub,
                                      const struct onward_signer_host *host,
                                      const struct onward_signer_opts *opts,
                                      struct onward_signer **signer);

/**
 * End the caller's use. Signatures under way fail with ONWARD_ECANCELED; the
 * host's functions do not run any more, cancel not either. Allowed inside any
 * callback.
 *
 * @param signer  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_signer_free(struct onward_signer *signer);

/**
 * The public key of a signer.
 *
 * @return borrowed from signer.
 * @since 0.1
 */
ONWARD_API struct onward_pubkey *
onward_signer_public(const struct onward_signer *signer);

/**
 * The signature that was asked for by token. It is recorded; what follows runs
 * inside onward_desk_run().
 *
 * @param signature  borrowed for this call, big-endian and full length for RSA
 *                   (RFC 8017 section 4.1), R || S for Ed25519.
 * @return 0, or
 *         ONWARD_ESTALE   nobody waits for that token: nothing was done
 *         ONWARD_ECRYPTO  wrong length, or it does not verify: the signature
 *                         fails with this error
 * @since 0.1
 */
ONWARD_API int onward_sign_answer(struct onward_desk *desk, uint64_t token,
                                  const void *signature, size_t len);

/**
 * There will be no signature for that token.
 *
 * @param error  a negative enum onward_error; others are taken as
 *               ONWARD_ECALLBACK.
 * @return 0 or ONWARD_ESTALE.
 * @since 0.1
 */
ONWARD_API int onward_sign_answer_error(struct onward_desk *desk,
                                        uint64_t token, int error);

#ifdef __cplusplus
}
#endif

#endif
