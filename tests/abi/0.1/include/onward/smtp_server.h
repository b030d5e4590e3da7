#ifndef ONWARD_SMTP_SERVER_H
#define ONWARD_SMTP_SERVER_H

#include <onward/channel.h>
#include <onward/core.h>
#include <onward/smtp_auth.h>
#include <onward/smtp_common.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The SMTP server session (RFC 5321, 1870, 2033, 2034, 2852, 2920, 3030,
 * 3207, 3461, 6152, 6409, 6531, 8689, 9422): it
 * speaks to one client over one connection, asks its host what to do with each
 * command, and hands over messages as they come.
 *
 * The host accepts a connection, makes a session, and moves octets through its
 * channel. What the session asks carries a token; the host answers with
 * onward_smtp_reply_answer(), inside the callback or later, in any order.
 * Replies leave in the order of the commands. With PIPELINING several RCPT may
 * wait for their answers at once; every other command waits for those before
 * it. While an answer is due, reading stops.
 *
 * A session belongs to one thread at a time, that of its desk. Its callbacks
 * run inside the calls of its channel and inside onward_desk_run(), never
 * inside onward_smtp_server_new(), onward_smtp_reply_answer() or
 * onward_smtp_server_free(). Every callback may free the session, and may call
 * what reads facts, onward_smtp_reply_answer(), onward_smtp_server_pause(),
 * _resume() and _shutdown().
 */

/** One session. Opaque. */
struct onward_smtp_server;

/* ---- What the host decides --------------------------------------------- */

/** What a callback with a token returns; any negative number is a failure. */
enum onward_smtp_handling {
    /** Answered, or will be: by onward_smtp_reply_answer(). */
    ONWARD_SMTP_HANDLED = 0,
    /** The session shall give the default answer, as for a NULL callback. */
    ONWARD_SMTP_DEFAULT = 1
};

/** Why a transaction is gone. */
enum onward_smtp_reset {
    ONWARD_SMTP_RESET_DONE = 1,    /**< the message was answered with 2yz */
    ONWARD_SMTP_RESET_REFUSED = 2, /**< it was answered with 4yz or 5yz */
    ONWARD_SMTP_RESET_RSET = 3,    /**< by RSET */
    ONWARD_SMTP_RESET_HELO = 4,    /**< by a new EHLO or HELO */
    ONWARD_SMTP_RESET_TLS = 5,     /**< by STARTTLS */
    ONWARD_SMTP_RESET_CLOSED = 6   /**< the session has ended */
};

/**
 * What the session asks and tells its host.
 *
 * A callback that gets a token returns enum onward_smtp_handling, or a negative
 * number when the host has failed: the client is told 451 4.3.0 then (421 for
 * connect) and the token is stale. A reply code of 421 or 521 in any answer
 * also ends the session.
 */
struct onward_smtp_server_host {
    size_t size;
    void *user;
    /** May this client talk to us? 220, or 421, 521, 554. Default 220. */
    int (*connect)(void *user, uint64_t token);
    /**
     * EHLO or HELO with this name, which is well formed but not checked. 250
     * (its text follows our name in the first line), or 4yz, 5yz; then the
     * session stays as it was. Default 250.
     */
    int (*helo)(void *user, uint64_t token, int is_ehlo, const char *name,
                size_t name_len);
    /** MAIL: onward_smtp_server_mail_...() has the facts. 250, 4yz or 5yz.
     * Default 250. */
    int (*mail)(void *user, uint64_t token);
    /** RCPT number index: onward_smtp_server_rcpt_...(). 250, 251, 4yz or 5yz.
     * Required; ONWARD_SMTP_DEFAULT is 250. */
    int (*rcpt)(void *user, uint64_t token, size_t index);
    /** DATA, with at least one recipient accepted. 354, 4yz or 5yz; after a
     * refusal the transaction goes on. Default 354. */
    int (*data)(void *user, uint64_t token);
    /**
     * The next octets of the message: dots of transparency taken out, CRLF as
     * the client sent them. len is never 0. A negative return refuses the
     * message with 451 4.3.0 once it has ended. Required.
     */
    int (*message_data)(void *user, const void *data, size_t len);
    /**
     * The message is whole: 250 makes the host responsible for it, after 4yz or
     * 5yz nothing of it may be delivered. Not called for a message that the
     * session refuses itself; `reset` is. Required; ONWARD_SMTP_DEFAULT is 250.
     */
    int (*message_end)(void *user, uint64_t token);
    /** VRFY with the text as written, without a parameter SMTPUTF8 (RFC 6531
     * section 3.7.4.2): UTF-8 in the answer is sent as it is to a client that
     * gave it, and escaped else. 250 to 252, 4yz or 5yz. Default 252. */
    int (*vrfy)(void *user, uint64_t token, const char *text, size_t text_len);
    /** The transaction is gone (enum onward_smtp_reset), its facts go after
     * this call. Once for each transaction whose MAIL was answered with 2yz.
     * NULL: not told. */
    void (*reset)(void *user, int why);
    /**
     * Only with ONWARD_SMTP_SERVER_HOST_TLS: the 220 to STARTTLS is written to
     * the channel. Write what it still holds, feed nothing, do the handshake,
     * then call onward_smtp_server_tls_done() and feed plaintext. Octets that
     * the channel had not taken before were sent too early: when there are any,
     * drop the connection.
     */
    void (*starttls_ready)(void *user);
    /** TLS is up: onward_smtp_server_tls(). NULL: not told. */
    void (*secured)(void *user);
    /**
     * The session has ended, exactly once unless the host freed it before:
     *         0                 QUIT, or the host's 421 or 521, or _shutdown()
     *         ONWARD_ECANCELED  the client went away without QUIT
     *         ONWARD_ELIMIT     a limit or a timeout
     *         ONWARD_ESYNTAX    the client does not speak SMTP
     *         ONWARD_ECRYPTO    the handshake failed, or plaintext came after
     *                           STARTTLS
     *         ONWARD_ENOMEM     out of memory
     * The last reply may still wait in the channel: go on until the channel
     * wants to be closed. NULL: not told.
     */
    void (*closed)(void *user, int status);
    /**
     * Only with LMTP, instead of message_end: the message is whole; may
     * recipient number index have it? Once for each recipient that was
     * accepted, all before the first answer is due; replies leave in the order
     * of the recipients (RFC 2033 section 4.2). Answers as for message_end.
     * NULL: message_end is asked, and its answer goes out for each recipient.
     *
     * @since 0.1
     */
    int (*message_rcpt)(void *user, uint64_t token, size_t index);
    /**
     * A client logs in (RFC 4954): request->kind says what is asked, and
     * what answers it. request is borrowed for this call. Required with
     * auth_mechanisms; ONWARD_SMTP_DEFAULT refuses, a failure is 454 4.7.0.
     *
     * @since 0.1
     */
    int (*auth)(void *user, uint64_t token,
                const struct onward_smtp_auth_request *request);
    /**
     * A login was answered: is_accepted is 1 or 0. The request has no password
     * and no token any more, and no names when the client's words made no
     * sense. For counting failures: the session itself ends
     * after auth_attempts of them. NULL: not told.
     */
    void (*auth_done)(void *user,
                      const struct onward_smtp_auth_request *request,
                      int is_accepted);
};

/** Flags of struct onward_smtp_server_opts. */
enum onward_smtp_server_flag {
    /** A bare CR or LF in a message is data. Else such a message is refused
     * with 550 once it has ended: other servers may see an end of data there
     * (SMTP smuggling). The end is CRLF.CRLF in both cases. */
    ONWARD_SMTP_SERVER_ALLOW_BARE_LF = 1,
    /** Offer and take SMTPUTF8. */
    ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8 = 2,
    /** Nothing but EHLO, NOOP, STARTTLS and QUIT before TLS (RFC 3207). */
    ONWARD_SMTP_SERVER_REQUIRE_TLS = 4,
    /** The host does TLS by itself: starttls_ready is called. */
    ONWARD_SMTP_SERVER_HOST_TLS = 8,
    /** No MAIL and no VRFY before AUTH (RFC 4954); submission needs no flag for
     * that. */
    ONWARD_SMTP_SERVER_REQUIRE_AUTH = 16,
    /** Submission also without AUTH: the host knows its clients by other means
     * (RFC 6409 section 4.3). */
    ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED = 32,
    /** Offer and take BDAT (RFC 3030): messages of the same kind as by DATA,
     * bare CR and LF refused all the same. `data` is asked before the first
     * chunk; its 354 is not said. A chunk that is refused ends the
     * transaction. */
    ONWARD_SMTP_SERVER_ALLOW_CHUNKING = 64,
    /** The same with BODY=BINARYMIME: such messages hold any octets and need
     * not consist of lines. Send them on by BDAT, or not at all. */
    ONWARD_SMTP_SERVER_ALLOW_BINARYMIME = 128,
    /** Offer and take DSN (RFC 3461): the host sends reports as the facts say,
     * or hands them on. */
    ONWARD_SMTP_SERVER_ALLOW_DSN = 256,
    /** Offer and take REQUIRETLS (RFC 8689), under TLS only. */
    ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS = 512,
    /** Offer and take DELIVERBY (RFC 2852). */
    ONWARD_SMTP_SERVER_ALLOW_DELIVERBY = 2048,
    /** Say RCPTMAX, which is opts.recipients, in LIMITS (RFC 9422). */
    ONWARD_SMTP_SERVER_OFFER_LIMITS = 4096,
    /** Offer mechanisms that show passwords or tokens (PLAIN, LOGIN, XOAUTH2,
     * OAUTHBEARER) without TLS too: everybody on the way can read them. */
    ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH = 1024,
    /** The client may say XCLIENT (Postfix): speak for others, log in as them.
     */
    ONWARD_SMTP_SERVER_TRUST_XCLIENT = 8192,
    /** The client may say XFORWARD (Postfix): onward_smtp_server_forwarded().
     */
    ONWARD_SMTP_SERVER_TRUST_XFORWARD = 16384,
    /**
     * A PROXY header (HAProxy, version 1 or 2) comes first; without a good one
     * the connection is closed, and nothing said. Only for addresses where
     * nobody but proxies can connect. `connect` is asked behind the header, and
     * the facts are those of the client that it names; the two flags above are
     * taken off then: onward_smtp_server_trust() gives them.
     */
    ONWARD_SMTP_SERVER_EXPECT_PROXY = 32768,
    /** Answer 554 instead of 220 to a client that talks before it could have
     * seen the greeting (onward_smtp_server_is_early()), and close. */
    ONWARD_SMTP_SERVER_REFUSE_EARLY = 65536,
    /** Log each command and each line of a reply (ONWARD_LOG_DEBUG, "smtp",
     * "command" and "reply"), without what AUTH says. */
    ONWARD_SMTP_SERVER_TRACE = 131072,
    /** TLS comes first of all (RFC 8314), behind a PROXY header if one is
     * expected; needs opts.tls. `secured` runs, then `connect`. */
    ONWARD_SMTP_SERVER_IMPLICIT_TLS = 262144
};

/**
 * What the session is to its clients.
 *
 * @since 0.1
 */
enum onward_smtp_server_mode {
    ONWARD_SMTP_SERVER_MODE_SMTP = 0,
    ONWARD_SMTP_SERVER_MODE_LMTP = 1,      /**< RFC 2033: LHLO, no EHLO */
    ONWARD_SMTP_SERVER_MODE_SUBMISSION = 2 /**< RFC 6409: AUTH before MAIL */
};

struct onward_smtp_server_opts {
    size_t size;
    size_t flags;    /**< enum onward_smtp_server_flag */
    uint64_t log_id; /**< 0: the desk's */
    /** Our name: in the greeting, in answers to EHLO, in Received. Required: a
     * domain name or an address literal. */
    struct onward_str hostname;
    /** Printable ASCII behind our name in the greeting; empty: "ESMTP", or
     * "LMTP" in that mode. */
    struct onward_str banner;
    /** The client's name, if the host has looked it up and proved it. */
    struct onward_str client_name;
    const struct onward_ip *client_ip; /**< NULL: not known */
    size_t client_port;                /**< 0: not known */
    /** TLS that the session does itself; kept by the session. NULL: none. */
    struct onward_tls_config *tls;

    size_t line_bytes; /**< of a command, with CRLF; default 2048 */
    size_t recipients; /**< of a transaction; more get 452; default 1000 */
    /** 5yz replies before 421, those to whole messages apart; default 20. */
    size_t errors;
    size_t junk;          /**< commands that lead nowhere; default 100 */
    size_t message_bytes; /**< 0: of the context's limits (26214400) */
    size_t session_bytes; /**< memory of a transaction; default 262144 */

    size_t command_ms; /**< for one command line; default 300000 */
    size_t data_ms;    /**< between octets of a message; default 180000 */
    /** Least octets a second over a message, after command_ms; default 256. */
    size_t data_rate;
    size_t tls_ms; /**< for the handshake; default 120000 */
    /** For the host's answer, default 300000; twice that for message_end. Then
     * the client is told 451 4.3.0 and the token is stale. */
    size_t answer_ms;
    size_t mode; /**< enum onward_smtp_server_mode */

    /** Mechanisms to offer, a set of enum onward_smtp_auth_mechanism; 0: no
     * AUTH. SCRAM-SHA-256-PLUS is offered where TLS has a channel binding. */
    size_t auth_mechanisms;
    /** Logins that fail before 421, those with 4yz apart; default 3. */
    size_t auth_attempts;
    /** What the client of a user who is not there is told in SCRAM: 4096 to
     * 10000000, as for users who are; default 15000. */
    size_t scram_iterations;
};

/* ---- Life -------------------------------------------------------------- */

/**
 * Make a session for a new connection.
 *
 * `connect` is called by the next onward_desk_run(); without that callback the
 * greeting can be read from the channel at once.
 *
 * @param desk     kept in memory by the session.
 * @param opts     borrowed for this call, with all it points to.
 * @param host     borrowed for this call; its user must live as long as the
 *                 session.
 * @param session  out: free with onward_smtp_server_free().
 * @return 0, or
 *         ONWARD_EINVAL    a required callback or the hostname is missing, text
 *                          is not printable, a flag is unknown, or both tls
 *                          and ONWARD_SMTP_SERVER_HOST_TLS are given
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_new(struct onward_desk *desk,
                       const struct onward_smtp_server_opts *opts,
                       const struct onward_smtp_server_host *host,
                       struct onward_smtp_server **session);

/**
 * Free the session and its channel. Allowed inside every callback; calls none.
 * Tokens that wait are stale from now on.
 *
 * @param session  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_smtp_server_free(struct onward_smtp_server *session);

/**
 * The session's end of the connection.
 *
 * @return borrowed until onward_smtp_server_free(); always the same.
 * @since 0.1
 */
ONWARD_API struct onward_channel *
onward_smtp_server_channel(struct onward_smtp_server *session);

/**
 * Answer a question.
 *
 * The answer is recorded; the session goes on when the callback that asked
 * returns, or in the next onward_desk_run(). When there is no memory for the
 * text, a stock text is sent with the code.
 *
 * @param desk   of the session.
 * @param token  of the question.
 * @param reply  borrowed for this call; NULL: the default answer.
 * @return 0, or
 *         ONWARD_ESTALE    no such question (any more)
 *         ONWARD_EINVAL    no such code for this question, or an enhanced code
 *                          of another class; the question is still open
 *         ONWARD_EVERSION  reply has a field that this release does not know
 * @note Calls no callback. Allowed inside all callbacks.
 * @since 0.1
 */
ONWARD_API int onward_smtp_reply_answer(struct onward_desk *desk,
                                        uint64_t token,
                                        const struct onward_smtp_reply *reply);

/**
 * Take no input until onward_smtp_server_resume(): the host's keeping is full.
 * No timeout runs meanwhile.
 *
 * @note Allowed inside all callbacks; what message_data was given is taken.
 * @since 0.1
 */
ONWARD_API void onward_smtp_server_pause(struct onward_smtp_server *session);

/**
 * End a pause. Harmless without one.
 *
 * @since 0.1
 */
ONWARD_API void onward_smtp_server_resume(struct onward_smtp_server *session);

/**
 * End the session with 421 (RFC 5321 section 3.8): at once when it waits for a
 * command; after its answer when one is due; a message whose octets still come
 * is given up.
 *
 * @note `closed` runs inside the next onward_desk_run(). Allowed inside all
 *       callbacks.
 * @since 0.1
 */
ONWARD_API void onward_smtp_server_shutdown(struct onward_smtp_server *session);

/**
 * The host's own TLS is up (after starttls_ready, or at once after
 * onward_smtp_server_new() for a connection that began with TLS). The session
 * forgets all that it heard before (RFC 3207 section 4.2).
 *
 * @param facts  what was negotiated, copied; NULL: only that it is TLS.
 * @return 0, or
 *         ONWARD_ESTATE   not with ONWARD_SMTP_SERVER_HOST_TLS, or not now
 *         ONWARD_ENOMEM   out of memory; the session can only be freed
 *         ONWARD_EVERSION facts has a field that this release does not know
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_tls_done(struct onward_smtp_server *session,
                            const struct onward_tls_facts *facts);

/* ---- Facts of the session ---------------------------------------------- */

/**
 * The name that the client gave in EHLO or HELO.
 *
 * @return borrowed until the next EHLO or HELO, STARTTLS, or the end of the
 *         session; empty before the first.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_helo(const struct onward_smtp_server *session);

/**
 * Did the client say EHLO?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_is_esmtp(const struct onward_smtp_server *session);

/**
 * Is the connection under TLS?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_is_tls(const struct onward_smtp_server *session);

/**
 * What TLS has negotiated.
 *
 * @return borrowed until the session is freed; NULL without TLS, and when the
 *         host did TLS and gave no facts.
 * @since 0.1
 */
ONWARD_API const struct onward_tls_facts *
onward_smtp_server_tls(const struct onward_smtp_server *session);

/**
 * Has the client logged in?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_is_authenticated(const struct onward_smtp_server *session);

/**
 * Whose password or token it was.
 *
 * @return prepared UTF-8, borrowed until STARTTLS or the end of the session;
 *         empty without a login, and when a token alone said who it is.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_authentication_id(const struct onward_smtp_server *session);

/**
 * Whom the client acts for: what it asked to be, else the authentication id.
 *
 * @return as onward_smtp_server_authentication_id().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_authorization_id(const struct onward_smtp_server *session);

/**
 * How the client has logged in.
 *
 * @return enum onward_smtp_auth_mechanism; ONWARD_SMTP_AUTH_NONE without.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_auth_mechanism(const struct onward_smtp_server *session);

/**
 * Did the client talk before it could have seen the greeting? Programs that
 * send junk often do. To catch more of them hold the greeting back a little
 * (delay_ms of the reply to `connect`).
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_is_early(const struct onward_smtp_server *session);

/**
 * The client's address, from the options.
 *
 * @param ip  out; family 0 when it is not known.
 * @since 0.1
 */
ONWARD_API void
onward_smtp_server_client_ip(const struct onward_smtp_server *session,
                             struct onward_ip *ip);

/**
 * The client's name: from the options, or what XCLIENT said.
 *
 * @return borrowed until the next XCLIENT or the end of the session; empty when
 *         it is not known.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_client_name(const struct onward_smtp_server *session);

/**
 * The client's port: from the options, a PROXY header, or XCLIENT.
 *
 * @return 0 when it is not known.
 * @since 0.1
 */
ONWARD_API size_t
onward_smtp_server_client_port(const struct onward_smtp_server *session);

/**
 * Where the client has connected to, as a PROXY header or XCLIENT says.
 *
 * @param ip  out; family 0 when nobody said.
 * @return the port; 0 when nobody said.
 * @since 0.1
 */
ONWARD_API size_t onward_smtp_server_local_address(
    const struct onward_smtp_server *session, struct onward_ip *ip);

/** Attributes of XFORWARD. @since 0.1 */
enum onward_smtp_forwarded {
    ONWARD_SMTP_FORWARDED_NAME = 1,
    ONWARD_SMTP_FORWARDED_ADDR = 2, /**< IPv6 with "IPV6:" before it */
    ONWARD_SMTP_FORWARDED_PORT = 3,
    ONWARD_SMTP_FORWARDED_PROTO = 4,
    ONWARD_SMTP_FORWARDED_HELO = 5,
    ONWARD_SMTP_FORWARDED_IDENT = 6, /**< the id of the message there */
    ONWARD_SMTP_FORWARDED_SOURCE = 7 /**< LOCAL or REMOTE */
};

/**
 * What a trusted peer said by XFORWARD of the message that follows; for logs,
 * not for decisions.
 *
 * @param what  enum onward_smtp_forwarded.
 * @return printable ASCII, borrowed until `reset` has returned, or the next
 *         RSET, EHLO, STARTTLS or XCLIENT; empty when it was not said.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_forwarded(const struct onward_smtp_server *session,
                             int what);

/**
 * Trust this client from now on as far as the flags say, and no further; for
 * `connect`, when the client's address decides.
 *
 * @param flags  ONWARD_SMTP_SERVER_TRUST_XCLIENT and _XFORWARD, or 0.
 * @return 0 or ONWARD_EINVAL: another flag; nothing has changed.
 * @note Allowed inside all callbacks.
 * @since 0.1
 */
ONWARD_API int onward_smtp_server_trust(struct onward_smtp_server *session,
                                        size_t flags);

/* ---- Facts of the transaction ------------------------------------------ */

/**
 * Is there a transaction: was MAIL answered with 2yz, or is it being asked?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_has_mail(const struct onward_smtp_server *session);

/**
 * The mailbox of MAIL FROM without brackets and source route, in the client's
 * letter case; empty for the null path.
 *
 * @return borrowed until `reset` has returned; empty without a transaction.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_address(const struct onward_smtp_server *session);

/**
 * MAIL FROM as the client wrote it, "<" to ">".
 *
 * @return as onward_smtp_server_mail_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_text(const struct onward_smtp_server *session);

/**
 * The local part of MAIL FROM as it is meant: quotes and backslashes taken off,
 * case kept. To write an address use onward_smtp_server_mail_address().
 *
 * @return as onward_smtp_server_mail_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_local_part(const struct onward_smtp_server *session);

/**
 * The domain of MAIL FROM in lower-case A-labels, or its address literal with
 * the brackets.
 *
 * @return as onward_smtp_server_mail_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_domain(const struct onward_smtp_server *session);

/**
 * The SIZE parameter (RFC 1870): what the client says the message will have.
 *
 * @return octets; 0 when it did not say.
 * @since 0.1
 */
ONWARD_API uint64_t
onward_smtp_server_mail_size(const struct onward_smtp_server *session);

/**
 * The BODY parameter.
 *
 * @return enum onward_smtp_body.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_mail_body(const struct onward_smtp_server *session);

/**
 * Is it an internationalised message (SMTPUTF8 parameter, RFC 6531)?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_mail_smtputf8(const struct onward_smtp_server *session);

/**
 * The RET parameter: what a failure report shall hold (RFC 3461 section 4.3).
 *
 * @return enum onward_smtp_ret.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_mail_ret(const struct onward_smtp_server *session);

/**
 * The ENVID parameter (RFC 3461 section 4.4), decoded: printable ASCII.
 *
 * @return as onward_smtp_server_mail_address(); empty when there was none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_envid(const struct onward_smtp_server *session);

/**
 * Did the client ask for REQUIRETLS (RFC 8689)? Then the message may go on only
 * over TLS with servers that know REQUIRETLS too.
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_mail_requires_tls(const struct onward_smtp_server *session);

/**
 * The BY parameter (RFC 2852 section 4).
 *
 * @param seconds  out: from when MAIL was said; may be below 0. NULL: not
 *                 asked for.
 * @return a set of enum onward_smtp_by; 0, and 0 seconds, when there was none.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_mail_by(const struct onward_smtp_server *session,
                           int64_t *seconds);

/**
 * The AUTH parameter (RFC 4954 section 5), decoded: who has submitted the
 * message, as the client says. To be believed from trusted relays only.
 *
 * @return as onward_smtp_server_mail_address(): "<>", or printable ASCII that
 *         should be a mailbox; empty when there was none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_mail_auth(const struct onward_smtp_server *session);

/**
 * The RCPT commands of the transaction that were asked about, refused ones too.
 *
 * @return their number; index of the last is one less.
 * @since 0.1
 */
ONWARD_API size_t
onward_smtp_server_rcpt_count(const struct onward_smtp_server *session);

/**
 * Was recipient i answered with 2yz?
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_rcpt_accepted(const struct onward_smtp_server *session,
                                 size_t i);

/**
 * The code of the last reply to recipient i: that of RCPT, and with LMTP that
 * to the message.
 *
 * @return 250 and so on; 0 before the first.
 * @since 0.1
 */
ONWARD_API size_t onward_smtp_server_rcpt_code(
    const struct onward_smtp_server *session, size_t i);

/**
 * The mailbox of recipient i without brackets and source route, in the client's
 * letter case. "Postmaster" may stand without a domain.
 *
 * @return borrowed until `reset` has returned; empty when there is no such
 *         recipient.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_rcpt_address(const struct onward_smtp_server *session,
                                size_t i);

/**
 * RCPT TO number i as the client wrote it, "<" to ">".
 *
 * @return as onward_smtp_server_rcpt_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_rcpt_text(const struct onward_smtp_server *session,
                             size_t i);

/**
 * The local part of recipient i, as onward_smtp_server_mail_local_part().
 *
 * @return as onward_smtp_server_rcpt_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_rcpt_local_part(const struct onward_smtp_server *session,
                                   size_t i);

/**
 * The domain of recipient i, as onward_smtp_server_mail_domain(); empty for
 * "Postmaster" without a domain.
 *
 * @return as onward_smtp_server_rcpt_address().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_rcpt_domain(const struct onward_smtp_server *session,
                               size_t i);

/**
 * The NOTIFY parameter of recipient i (RFC 3461 section 4.1).
 *
 * @return a set of enum onward_smtp_notify; 0 when there was none.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_rcpt_notify(const struct onward_smtp_server *session,
                               size_t i);

/**
 * The ORCPT parameter of recipient i (RFC 3461 section 4.2), its xtext decoded:
 * "rfc822;bob@example". An address of type utf-8 stands in its seven bit form
 * (RFC 6533 section 3), so that all is printable ASCII: what
 * onward_smtp_client_add_rcpt() takes. UTF-8 in the xtext of type rfc822, which
 * Postfix writes, is told in the same form, as type utf-8.
 *
 * @return as onward_smtp_server_rcpt_address(); empty when there was none.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_smtp_server_rcpt_orcpt(const struct onward_smtp_server *session,
                              size_t i);

/**
 * Octets of the message that came so far, without dots of transparency.
 *
 * @since 0.1
 */
ONWARD_API uint64_t
onward_smtp_server_message_size(const struct onward_smtp_server *session);

/**
 * How the message was answered, whoever decided: the host, a limit, a time-out.
 * For the log. With LMTP it is the reply for the last recipient.
 *
 * @param reply  out: size set by the caller; at most that many octets are
 *               written. Texts are borrowed until `reset` has returned.
 * @return 0, ONWARD_ESTATE (not inside `reset`, or there was no answer to a
 *         message), or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int
onward_smtp_server_message_reply(const struct onward_smtp_server *session,
                                 struct onward_smtp_reply *reply);

/**
 * The Received field for this transaction (RFC 5321 section 4.4, RFC 3848, RFC
 * 6531 section 4.3), with CRLF at its end. `for` stands there when exactly one
 * recipient was accepted.
 *
 * @param id     the host's own id of the message, printable ASCII without
 *               spaces, parentheses or semicolons; empty: none.
 * @param field  out: borrowed until `reset` has returned.
 * @return 0, or
 *         ONWARD_ESTATE  no transaction
 *         ONWARD_EINVAL  id holds something else
 *         ONWARD_ENOMEM  out of memory
 * @note Calls no callback but the clock.
 * @since 0.1
 */
ONWARD_API int onward_smtp_server_received(struct onward_smtp_server *session,
                                           struct onward_str id,
                                           struct onward_str *field);

#ifdef __cplusplus
}
#endif

#endif
