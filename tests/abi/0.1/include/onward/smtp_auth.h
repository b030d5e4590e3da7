#ifndef ONWARD_SMTP_AUTH_H
#define ONWARD_SMTP_AUTH_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * AUTH (RFC 4954) for both SMTP sessions: the mechanisms, and what stands for a
 * password where SCRAM is used.
 *
 * Names are prepared with SASLprep (RFC 4013), as RFC 4954 and RFC 5802 have
 * it, on both sides and for every mechanism. A password is prepared for SCRAM,
 * where both sides must compute the same key; PLAIN and LOGIN carry it as it
 * is. Characters that Unicode has gained since version 3.2 follow the Unicode
 * version of this build. The profiles of RFC 8265 are not used: they do not
 * fold compatibility characters, so peers would compute other keys.
 */

/**
 * Mechanisms, one bit each.
 *
 * @since 0.1
 */
enum onward_smtp_auth_mechanism {
    ONWARD_SMTP_AUTH_NONE = 0,
    ONWARD_SMTP_AUTH_PLAIN = 1,              /**< RFC 4616 */
    ONWARD_SMTP_AUTH_LOGIN = 2,              /**< draft-murchison-sasl-login */
    ONWARD_SMTP_AUTH_XOAUTH2 = 4,            /**< Google's, before RFC 7628 */
    ONWARD_SMTP_AUTH_OAUTHBEARER = 8,        /**< RFC 7628 */
    ONWARD_SMTP_AUTH_SCRAM_SHA_256 = 16,     /**< RFC 7677 */
    ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS = 32 /**< with channel binding */
};

/** The mechanisms whose messages show the password or token to whoever reads
 * the connection: PLAIN, LOGIN, XOAUTH2, OAUTHBEARER. */
#define ONWARD_SMTP_AUTH_REVEALING 15
/** The mechanisms that use a password. */
#define ONWARD_SMTP_AUTH_PASSWORD 51
/** The mechanisms that use a bearer token. */
#define ONWARD_SMTP_AUTH_BEARER 12

/**
 * The name of a mechanism, "SCRAM-SHA-256".
 *
 * @param mechanism  enum onward_smtp_auth_mechanism, or any number.
 * @return static text ending in NUL, never NULL; empty for other numbers.
 * @since 0.1
 */
ONWARD_API const char *onward_smtp_auth_name(int mechanism);

/**
 * What a server keeps of a SCRAM-SHA-256 password besides salt and iteration
 * count (RFC 5802 section 3). Who has it can play the server and try passwords,
 * but cannot log in.
 */
struct onward_smtp_scram_keys {
    size_t size;
    unsigned char stored_key[32]; /**< the client's proof is held against it */
    unsigned char server_key[32]; /**< our own proof is made with it */
};

/** The stored credentials of one user. */
struct onward_smtp_scram_credentials {
    size_t size;
    size_t iterations;            /**< 4096 to 10000000 */
    struct onward_str salt;       /**< 8 to 64 octets; 16 are usual */
    struct onward_str stored_key; /**< 32 octets */
    struct onward_str server_key; /**< 32 octets */
};

/**
 * Derive what a server keeps from a password.
 *
 * @param ctx         for memory.
 * @param password    UTF-8, prepared here; borrowed for this call.
 * @param salt        8 to 64 random octets, new for each user and password.
 * @param iterations  4096 to 10000000 (RFC 7677 section 4); some 15000 to
 *                    100000 are usual. The call takes about half a microsecond
 *                    for each.
 * @param keys        out: size set by the caller. Wipe it after use.
 * @return 0, or
 *         ONWARD_ESYNTAX  the password is empty, no UTF-8, or has what SASLprep
 *                         does not allow
 *         ONWARD_EINVAL   salt or iterations out of range, or no size
 *         ONWARD_ENOMEM   out of memory
 * @note Calls no callback but the allocator.
 * @since 0.1
 */
ONWARD_API int onward_smtp_scram_derive(struct onward_ctx *ctx,
                                        struct onward_str password,
                                        struct onward_str salt,
                                        size_t iterations,
                                        struct onward_smtp_scram_keys *keys);

/* ---- The server's questions -------------------------------------------- */

/** What is asked about a client that logs in. */
enum onward_smtp_auth_kind {
    /** Is that the password? PLAIN, LOGIN. Answer 235, or 4yz or 5yz. */
    ONWARD_SMTP_AUTH_ASK_PASSWORD = 1,
    /** Is that token good, and for this user? XOAUTH2, OAUTHBEARER. Answer as
     * for a password. */
    ONWARD_SMTP_AUTH_ASK_TOKEN = 2,
    /** What is kept of the user's password? Answer by
     * onward_smtp_auth_scram(), or 4yz or 5yz; the session does the rest. */
    ONWARD_SMTP_AUTH_ASK_SCRAM = 3
};

/**
 * A client that logs in. Texts are borrowed for the callback; names are in
 * UTF-8, prepared, without controls.
 */
struct onward_smtp_auth_request {
    size_t size;
    size_t kind;      /**< enum onward_smtp_auth_kind */
    size_t mechanism; /**< enum onward_smtp_auth_mechanism */
    /** Whose password or token it is. Empty only in OAUTHBEARER: then the token
     * alone says who. */
    struct onward_str authentication_id;
    /** Whom the client wants to be instead; empty: the same. Only a host that
     * knows that this user may act for that one says yes. */
    struct onward_str authorization_id;
    struct onward_str password; /**< any octets but NUL; with ASK_PASSWORD */
    struct onward_str token;    /**< printable ASCII; with ASK_TOKEN */
    struct onward_str host;     /**< OAUTHBEARER: the server that is meant */
    size_t port;                /**< OAUTHBEARER; 0: not said */
};

/**
 * Answer a question of kind ONWARD_SMTP_AUTH_ASK_SCRAM.
 *
 * @param desk         of the session.
 * @param token        of the question.
 * @param credentials  borrowed for this call; NULL: there is no such user,
 *                     which the client learns no sooner than after its proof,
 *                     as if the password were wrong. Its salt holds as long as
 *                     the context; a host whose users could be told by salts
 *                     that do not change with a restart answers with made-up
 *                     credentials instead: a salt made from the name and a
 *                     secret, and random keys.
 * @return 0, or
 *         ONWARD_ESTALE    no such question (any more)
 *         ONWARD_EINVAL    another kind of question, or credentials out of
 *                          range; the question is still open
 *         ONWARD_EVERSION  a field this release does not know is not 0
 * @note Calls no callback. Allowed inside all callbacks.
 * @since 0.1
 */
ONWARD_API int onward_smtp_auth_scram(
    struct onward_desk *desk, uint64_t token,
    const struct onward_smtp_scram_credentials *credentials);

#ifdef __cplusplus
}
#endif

#endif
