#ifndef ONWARD_SMTP_CLIENT_H
#define ONWARD_SMTP_CLIENT_H

#include <onward/channel.h>
#include <onward/mime.h>
#include <onward/smtp_auth.h>
#include <onward/smtp_common.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The SMTP client session (RFC 5321, 1870, 2920, 3030, 3207, 3461, 6152, 6531,
 * 8689, 9422; LMTP: RFC 2033): it brings messages to one server over one
 * connection, and says of each recipient what became of it.
 *
 * The host connects, makes a client, and moves octets through its channel. A
 * message is given with onward_smtp_client_add_rcpt() for each recipient and
 * then onward_smtp_client_send(); it may be given before the server has
 * greeted. When its `done` has run, the outcomes can be read, and the next
 * message can be given over the same connection; onward_smtp_client_quit() ends
 * it.
 *
 * A client belongs to one thread at a time, that of its desk. Its callbacks run
 * inside onward_desk_run() only; the message's source is read inside the calls
 * of the channel too. All callbacks may free the client, and call all of its
 * functions but where these say otherwise.
 */

/** One session. Opaque. */
struct onward_smtp_client;

/* ---- Outcomes ---------------------------------------------------------- */

/**
 * What became of a recipient, a message or a session.
 *
 * @since 0.1
 */
enum onward_smtp_fate {
    ONWARD_SMTP_FATE_NOT_TRIED = 0, /**< the server was not asked, and the
                                       message is not to blame */
    ONWARD_SMTP_FATE_DELIVERED = 1, /**< the server has taken it over */
    ONWARD_SMTP_FATE_TEMPORARY = 2, /**< try again later, or elsewhere */
    ONWARD_SMTP_FATE_PERMANENT = 3  /**< trying again is of no use */
};

/**
 * How far it had come.
 *
 * @since 0.1
 */
enum onward_smtp_phase {
    ONWARD_SMTP_PHASE_CHECK = 0,    /**< looking at the message, offline */
    ONWARD_SMTP_PHASE_GREETING = 1, /**< waiting for the server's first reply */
    ONWARD_SMTP_PHASE_EHLO = 2,     /**< EHLO or HELO */
    ONWARD_SMTP_PHASE_STARTTLS = 3, /**< the command */
    ONWARD_SMTP_PHASE_TLS = 4,      /**< the handshake */
    ONWARD_SMTP_PHASE_IDLE = 5,     /**< between messages */
    ONWARD_SMTP_PHASE_RSET = 6,
    ONWARD_SMTP_PHASE_MAIL = 7,
    ONWARD_SMTP_PHASE_RCPT = 8,
    ONWARD_SMTP_PHASE_DATA = 9,
    ONWARD_SMTP_PHASE_CONTENT = 10, /**< the message, before its final dot */
    ONWARD_SMTP_PHASE_FINAL = 11,   /**< the final dot was sent. Unless a reply
                                         decided, the server may have taken the
                                         message: a retry may double it, but
                                         nothing is lost (RFC 1047) */
    ONWARD_SMTP_PHASE_QUIT = 12,
    ONWARD_SMTP_PHASE_AUTH = 13 /**< logging in */
};

/**
 * What decided.
 *
 * @since 0.1
 */
enum onward_smtp_cause {
    ONWARD_SMTP_CAUSE_NONE = 0,
    ONWARD_SMTP_CAUSE_REPLY = 1,    /**< the server's reply; code is set */
    ONWARD_SMTP_CAUSE_LOST = 2,     /**< the connection ended */
    ONWARD_SMTP_CAUSE_TIMEOUT = 3,  /**< a phase took too long */
    ONWARD_SMTP_CAUSE_DEADLINE = 4, /**< the delivery as a whole did */
    ONWARD_SMTP_CAUSE_PROTOCOL = 5, /**< no SMTP reply, one past the limits, or
                                         one that nobody had asked for: then
                                         code is set, and answers nothing */
    ONWARD_SMTP_CAUSE_TLS = 6,      /**< the handshake failed; tls_failure */
    ONWARD_SMTP_CAUSE_NO_TLS = 7,   /**< TLS was demanded, and the server does
                                         not offer it or refused it */
    ONWARD_SMTP_CAUSE_NO_SMTPUTF8 = 8,   /**< needed and not offered: 5.6.7 */
    ONWARD_SMTP_CAUSE_NO_8BITMIME = 9,   /**< needed and not offered: 5.6.3 */
    ONWARD_SMTP_CAUSE_SIZE = 10,         /**< above the announced SIZE: 5.3.4 */
    ONWARD_SMTP_CAUSE_BARE_NEWLINE = 11, /**< CR or LF alone in it: 5.6.0 */
    ONWARD_SMTP_CAUSE_RECIPIENTS = 12,   /**< of a message: each recipient was
                                              refused for a reason of its own */
    ONWARD_SMTP_CAUSE_SOURCE = 13,       /**< the message could not be read */
    ONWARD_SMTP_CAUSE_CANCELED = 14,     /**< by onward_smtp_client_cancel() */
    ONWARD_SMTP_CAUSE_MEMORY = 15,       /**< no memory on our side */
    ONWARD_SMTP_CAUSE_NO_BINARYMIME = 16, /**< needed, and not offered together
                                               with CHUNKING: 5.6.3 */
    ONWARD_SMTP_CAUSE_NO_REQUIRETLS = 17, /**< demanded and not offered: 5.7.30;
                                               ask the domain's other servers
                                               before giving up (RFC 8689
                                               section 4.2.1) */
    ONWARD_SMTP_CAUSE_UNVERIFIED = 18, /**< REQUIRETLS is demanded, and there is
                                            no TLS with a verified server:
                                            5.7.10; as above */
    ONWARD_SMTP_CAUSE_LIMIT = 19,      /**< the server's LIMITS (RFC 9422) leave
                                            no room for it in this session: not
                                            tried, come again on another */
    ONWARD_SMTP_CAUSE_NO_AUTH = 20, /**< a login is due, and no mechanism is
                                         offered that may be used */
    ONWARD_SMTP_CAUSE_AUTH = 21     /**< the login was broken off on our side:
                                         what the server said was wrong, or did
                                         not prove that it knows the user */
};

/**
 * What else is to be known of an outcome; a set.
 *
 * @since 0.1
 */
enum onward_smtp_note {
    /** The server does not offer DSN, so what the host had said of reports
     * (notify, orcpt, ret, envid) was left out. With NOTIFY=SUCCESS the host
     * now owes a "relayed" report (RFC 3461 section 5.2.2). */
    ONWARD_SMTP_NOTE_NO_DSN = 1
};

/** One outcome. The caller sets size; at most so much is written. */
struct onward_smtp_outcome {
    size_t size;
    size_t fate;  /**< enum onward_smtp_fate */
    size_t phase; /**< enum onward_smtp_phase */
    size_t cause; /**< enum onward_smtp_cause */
    size_t code;  /**< of the reply, 250; 0: there was none */
    /**
     * Of the reply, "5.1.1" (RFC 3463), as far as it had one; without a reply
     * the one that fits the cause.
     */
    struct onward_str enhanced;
    /**
     * Of the reply, its lines joined by spaces, everything but printable ASCII
     * escaped, at most 512 octets; without a reply a short English text. A
     * message of very many recipients keeps the first texts only.
     */
    struct onward_str text;
    /** enum onward_tls_failure, when TLS is what failed: with
     * ONWARD_SMTP_CAUSE_TLS, _NO_TLS, and a time-out in the handshake. */
    size_t tls_failure;
    size_t notes; /**< a set of enum onward_smtp_note */
};

/** Instead of a recipient's number: the message as a whole. */
#define ONWARD_SMTP_MESSAGE SIZE_MAX
/** Instead of a recipient's number: how the session ended. */
#define ONWARD_SMTP_SESSION (SIZE_MAX - 1)

/* ---- A session --------------------------------------------------------- */

/**
 * What the session tells. All run inside onward_desk_run(), and each may be
 * NULL. client is the one that onward_smtp_client_new() gave.
 */
struct onward_smtp_client_host {
    size_t size;
    void *user; /**< handed back first, never looked at */
    /** Once, when the server takes messages: it has greeted, TLS is up as far
     * as demanded, the extensions are known. */
    void (*ready)(void *user, struct onward_smtp_client *client);
    /** For a message with hold_dot: all of it was produced but the final dot.
     * Next is onward_smtp_client_release() or onward_smtp_client_cancel(). */
    void (*held)(void *user, struct onward_smtp_client *client);
    /** Exactly once for each message that onward_smtp_client_send() took. */
    void (*done)(void *user, struct onward_smtp_client *client);
    /** Once, the last: the session is over, whoever ended it. Its channel wants
     * to be closed; the outcomes are there until the client is freed. */
    void (*closed)(void *user, struct onward_smtp_client *client);
    /**
     * Only with ONWARD_SMTP_CLIENT_HOST_TLS, which requires it: the server is
     * ready for the handshake. Feed nothing, do the handshake, then call
     * onward_smtp_client_tls_done() or _tls_failed(), and feed plaintext.
     * Octets that the host had read beyond the server's 220 were sent too
     * early: when there are any, the handshake has failed
     * (ONWARD_TLS_EARLY_INPUT).
     */
    void (*starttls_ready)(void *user, struct onward_smtp_client *client);
};

/** How a client works; a set. */
enum onward_smtp_client_flag {
    /**
     * Speak LMTP (RFC 2033): LHLO, and each recipient has a final reply of its
     * own. Not over port 25.
     */
    ONWARD_SMTP_CLIENT_LMTP = 1,
    /** TLS comes first of all (RFC 8314), not after STARTTLS. */
    ONWARD_SMTP_CLIENT_IMPLICIT_TLS = 2,
    /** The host does TLS by itself: starttls_ready is called, or, with
     * _IMPLICIT_TLS, the session waits for onward_smtp_client_tls_done(). The
     * demand still says whether TLS is needed, and is held against the facts
     * that the host gives. */
    ONWARD_SMTP_CLIENT_HOST_TLS = 4,
    /** Send by BDAT (RFC 3030) wherever CHUNKING is offered. Else DATA is used
     * but for BINARYMIME, and a message whose newlines are repaired is sent by
     * DATA in any case. */
    ONWARD_SMTP_CLIENT_PREFER_BDAT = 8,
    /** One command at a time, also where PIPELINING is offered. */
    ONWARD_SMTP_CLIENT_IN_STEP = 16
};

/**
 * Who logs in, and how. All is copied by onward_smtp_client_new(), and wiped
 * when the login is done or the client is freed.
 *
 * The strongest mechanism is used that the server offers, the credentials fit
 * and this allows: SCRAM-SHA-256-PLUS (where TLS has a channel binding),
 * SCRAM-SHA-256, OAUTHBEARER, XOAUTH2, PLAIN, LOGIN. When it fails no weaker
 * one is tried. Whoever lists weak mechanisms here gives them also to an
 * attacker who can take the strong ones out of the offer of a server that is
 * not verified by TLS.
 */
struct onward_smtp_client_login {
    size_t size;
    size_t mechanisms; /**< allowed; a set of enum onward_smtp_auth_mechanism;
                            0: all */
    struct onward_str user;     /**< UTF-8; required with a password */
    struct onward_str password; /**< for PLAIN, LOGIN and SCRAM */
    struct onward_str token;    /**< for OAUTHBEARER and XOAUTH2 */
    /** Whom to act for, where that is another than user; empty: the same. Only
     * PLAIN and SCRAM can tell it, and only they are used then. */
    struct onward_str authorization_id;
    struct onward_str server_name; /**< told in OAUTHBEARER; empty: not told */
    size_t port;                   /**< the same; 0: not told */
    /** 1: mechanisms that show password or token without TLS too. */
    size_t allow_clear;
    /**
     * SCRAM: most rounds that the server may ask for, 4096 to 10000000; 0:
     * 250000. A round takes about half a microsecond; 4096 of them are done in
     * each onward_desk_run(), so that other sessions go on.
     */
    size_t iterations_max;
};

/** 0 means the default, but in ehlo_name and tls_demand. */
struct onward_smtp_client_opts {
    size_t size;
    /** Our name: a host name in A-labels, or an address literal with its
     * brackets (RFC 5321 section 4.1.1.1). Required. */
    struct onward_str ehlo_name;
    /**
     * The TLS that this server must come up to; required. With
     * ONWARD_TLS_OPPORTUNISTIC a server that does not offer STARTTLS, or
     * refuses it, gets the mail in the clear; a handshake that fails ends the
     * connection, and the host may come again with ONWARD_TLS_NONE. Also, HELO
     * is tried where EHLO is refused, but not where TLS is a must.
     */
    const struct onward_tls_demand *tls_demand;
    /** For clients; one reference is taken. NULL with ONWARD_TLS_NONE, and with
     * ONWARD_SMTP_CLIENT_HOST_TLS. */
    struct onward_tls_config *tls;
    /* Time limits in milliseconds (RFC 5321 section 4.5.3.2);
     * ONWARD_LIMIT_NONE is none. */
    size_t greeting_timeout_ms; /**< 300000 */
    size_t command_timeout_ms;  /**< each reply to a command; 300000 */
    size_t tls_timeout_ms;      /**< the handshake; 300000 */
    size_t data_timeout_ms;     /**< the reply to DATA; 120000 */
    size_t block_timeout_ms;    /**< each block of the message; 180000 */
    size_t final_timeout_ms;    /**< the reply to the final dot; 600000 */
    size_t delivery_timeout_ms; /**< a message, all told; 3600000 */
    size_t reply_line_bytes;    /**< a reply line; 2048 */
    size_t reply_lines;         /**< lines of a reply; 100 */
    size_t reply_bytes;         /**< a reply; 16384 */
    size_t max_rcpts;           /**< recipients of a message; 1000 */
    /** 1: a CR or LF alone is sent as CRLF. 0: such a message is refused before
     * MAIL. Either way none gets onto the wire (RFC 5321 section 2.3.8). */
    size_t allow_bare_newline_repair;
    size_t reserved; /**< 0 */
    /** In log events; 0: that of the desk. */
    uint64_t log_id;
    size_t flags; /**< a set of enum onward_smtp_client_flag */
    /** Octets of a chunk of BDAT at most; 1048576. Nothing of that size is
     * held. */
    size_t chunk_bytes;
    /** Log in before the first message (RFC 4954); NULL: do not. When that
     * fails the session ends, in ONWARD_SMTP_PHASE_AUTH. */
    const struct onward_smtp_client_login *login;
    size_t reserved_end; /**< 0 */
};

/**
 * Begin a session over a connection that is there.
 *
 * @param desk    kept alive by the client.
 * @param opts    borrowed for this call.
 * @param host    copied; user must live as long as the client.
 * @param client  out: free with onward_smtp_client_free().
 * @return 0, or
 *         ONWARD_EINVAL    an option is missing or out of range; also a
 *                          configuration for servers, a demand to verify
 *                          without a name, TLS from the first octet that is
 *                          not demanded, or a configuration where TLS is the
 *                          host's
 *         ONWARD_ESYNTAX   ehlo_name is no host name and no address literal, or
 *                          something in login holds CR, LF or NUL, or is no
 *                          name or token
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ESTATE    the desk was freed
 *         ONWARD_ENOMEM    out of memory
 *         ONWARD_ECRYPTO   with ONWARD_SMTP_CLIENT_IMPLICIT_TLS: GnuTLS could
 *                          not be used
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_new(struct onward_desk *desk,
                       const struct onward_smtp_client_opts *opts,
                       const struct onward_smtp_client_host *host,
                       struct onward_smtp_client **client);

/**
 * End it at once, whatever runs. A message under way is not ended properly: its
 * final dot is not sent if it was not yet. No callback runs any more; the
 * channel is gone. Allowed inside any callback but those of the source.
 *
 * @param client  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_smtp_client_free(struct onward_smtp_client *client);

/**
 * Its one channel, the same over STARTTLS.
 *
 * @return borrowed from client until onward_smtp_client_free().
 * @since 0.1
 */
ONWARD_API struct onward_channel *
onward_smtp_client_channel(struct onward_smtp_client *client);

/* ---- A message --------------------------------------------------------- */

/** A recipient. */
struct onward_smtp_rcpt {
    size_t size;
    struct onward_str path; /**< the mailbox, without angle brackets */
    /** A set of enum onward_smtp_notify: when to report (RFC 3461 section
     * 4.1). */
    size_t notify;
    /**
     * The recipient as the sender wrote it, its type before it:
     * "rfc822;bob@example" (RFC 3461 section 4.2), not encoded, in printable
     * ASCII (an address of type utf-8 is in the form of RFC 6533 section 3,
     * utf-8-addr-xtext). Empty: none.
     */
    struct onward_str orcpt;
};

/** What goes before a message. */
struct onward_smtp_envelope {
    size_t size;
    struct onward_str reverse_path; /**< mailbox, no brackets; empty: null */
    /** 1: the header holds UTF-8, so SMTPUTF8 is needed (RFC 6531). An address
     * that is not ASCII needs it anyway. */
    size_t smtputf8;
    /** 1: keep the final dot back until onward_smtp_client_release(). */
    size_t hold_dot;
    /**
     * 1: do not read the message ahead. The caller vouches for what that would
     * find: no bare CR or LF, CRLF at the end, 8-bit octets only if body says
     * so. A CR or LF alone then breaks the session off when it is met.
     */
    size_t allow_unchecked;
    /**
     * enum onward_smtp_body. With allow_unchecked it says what the message is;
     * UNSTATED is 7BIT. BINARYMIME counts in any case: the message is sent by
     * BDAT, octet for octet, and not read before.
     */
    size_t body;
    /** 1: REQUIRETLS (RFC 8689): only over TLS with a verified server that
     * takes over the same duty. How the server's name was found is the host's
     * to judge. */
    size_t require_tls;
    size_t ret; /**< enum onward_smtp_ret */
    /** ENVID (RFC 3461 section 4.4), not encoded, at most 100 octets of
     * printable ASCII. Empty: none. */
    struct onward_str envid;
};

/**
 * Name one more recipient of the message to come. The first one begins a new
 * message: the outcomes of the last are gone.
 *
 * @param rcpt  borrowed for this call.
 * @return the number of the recipient, counted from 0, or
 *         ONWARD_ESYNTAX   the path does not follow RFC 5321 section 4.1.2
 *                          and RFC 6531 section 3.3, or orcpt not its grammar;
 *                          it is not added
 *         ONWARD_ELIMIT    max_rcpts are there already
 *         ONWARD_ESTATE    a message is under way, its `done` is due, QUIT was
 *                          asked for, or the session is over
 *         ONWARD_EINVAL    size is none, or notify is no such set
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ENOMEM    out of memory; the others stay
 * @since 0.1
 */
ONWARD_API int onward_smtp_client_add_rcpt(struct onward_smtp_client *client,
                                           const struct onward_smtp_rcpt *rcpt);

/**
 * Send the message to the recipients that were named. Nothing goes out before
 * the next onward_desk_run().
 *
 * Before MAIL the source is read once, all of it: for CR or LF standing alone,
 * for octets above 127, and for the exact size.
 *
 * When the server's LIMITS (RFC 9422) allow fewer recipients a transaction than
 * there are, the message is sent in several, one after the other; the fate of
 * the message is then the best of theirs. With hold_dot there is one only, and
 * the other recipients are told ONWARD_SMTP_CAUSE_LIMIT. When the server takes
 * no more messages in this session the cause is the same, and QUIT is said.
 *
 * @param envelope  borrowed for this call.
 * @param source    copied; its user must live until `done` or until the client
 *                  is freed.
 * @return 0: `done` will run. Or, with the recipients kept:
 *         ONWARD_ESYNTAX   the reverse path or envid does not follow its
 *                          grammar
 *         ONWARD_EINVAL    no recipient, or a bad source or option
 *         ONWARD_ESTATE    as for onward_smtp_client_add_rcpt()
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ENOMEM    out of memory
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_send(struct onward_smtp_client *client,
                        const struct onward_smtp_envelope *envelope,
                        const struct onward_source *source);

/**
 * Let the final dot of a message with hold_dot go; also before it is held.
 *
 * @return 0, or ONWARD_ESTATE: no message with hold_dot is under way, or its
 *         dot was let go already.
 * @since 0.1
 */
ONWARD_API int onward_smtp_client_release(struct onward_smtp_client *client);

/**
 * Stop the message under way: its final dot is not sent, so the server has
 * nothing. Once MAIL was said the connection is broken off, as SMTP knows no
 * other way to stop a message, and `done` and `closed` will run; before, only
 * `done` will, and the session goes on.
 *
 * @return 0, or ONWARD_ESTATE: no message is under way, or its final dot is on
 *         its way already; then nothing changes, and `done` tells how it ended.
 * @since 0.1
 */
ONWARD_API int onward_smtp_client_cancel(struct onward_smtp_client *client);

/**
 * Say QUIT once the message under way, if any, is done; `closed` will run.
 *
 * @return 0, also when it was said before; ONWARD_ESTATE: the session is over.
 * @since 0.1
 */
ONWARD_API int onward_smtp_client_quit(struct onward_smtp_client *client);

/* ---- TLS of the host --------------------------------------------------- */

/**
 * The host's own TLS is up: after starttls_ready, or, for TLS from the first
 * octet, before anything is fed. What was heard before is forgotten (RFC 3207
 * section 4.2). Where the demand is ONWARD_TLS_VERIFIED and the facts do not
 * say is_verified, the session ends as it would with the library's TLS.
 *
 * @param facts  what was negotiated, copied; NULL: only that it is TLS.
 * @return 0, or
 *         ONWARD_ESTATE   not with ONWARD_SMTP_CLIENT_HOST_TLS, or not now
 *         ONWARD_EINVAL   facts has no size
 *         ONWARD_EVERSION facts has a field that this release does not know
 *         ONWARD_ENOMEM   out of memory; the client can only be freed
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_tls_done(struct onward_smtp_client *client,
                            const struct onward_tls_facts *facts);

/**
 * The host's handshake failed: the session ends.
 *
 * @param failure  enum onward_tls_failure, for the outcomes.
 * @return 0, ONWARD_ESTATE as for onward_smtp_client_tls_done(), or
 *         ONWARD_EINVAL: no such failure.
 * @note Calls no callback; `closed` runs inside the next onward_desk_run().
 * @since 0.1
 */
ONWARD_API int onward_smtp_client_tls_failed(struct onward_smtp_client *client,
                                             int failure);

/* ---- Reading ----------------------------------------------------------- */

/**
 * Recipients of the message under way, or of the last one.
 *
 * @since 0.1
 */
ONWARD_API size_t
onward_smtp_client_rcpt_count(const struct onward_smtp_client *client);

/**
 * What became of recipient i, of the message, or of the session.
 *
 * A recipient's fate is final once `done` has run, that of the session once
 * `closed` has. Before, fate is NOT_TRIED and the rest tells what is known.
 *
 * @param i    a number from onward_smtp_client_add_rcpt(),
 *             ONWARD_SMTP_MESSAGE or ONWARD_SMTP_SESSION.
 * @param out  its texts are borrowed from the client, until the next
 *             onward_smtp_client_add_rcpt() or onward_smtp_client_free().
 * @return 0, ONWARD_EINVAL (size too small for itself) or ONWARD_ENOENT (no
 *         such recipient).
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_outcome(const struct onward_smtp_client *client, size_t i,
                           struct onward_smtp_outcome *out);

/**
 * The extensions that the server offered in its last EHLO reply.
 *
 * @return a set of enum onward_smtp_extension; 0 before, and after HELO.
 * @since 0.1
 */
ONWARD_API uint64_t
onward_smtp_client_extensions(const struct onward_smtp_client *client);

/**
 * One extension by its keyword, known to this library or not.
 *
 * @param keyword  in any case.
 * @param params   out: what followed it, "35882577" for SIZE; borrowed from the
 *                 client until the next call into it, its channel or its desk.
 *                 Raw octets of the server. Untouched when it is not offered.
 * @return 1 when it is offered, else 0.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_extension(const struct onward_smtp_client *client,
                             struct onward_str keyword,
                             struct onward_str *params);

/**
 * How the session has logged in.
 *
 * @return enum onward_smtp_auth_mechanism; ONWARD_SMTP_AUTH_NONE before, and
 *         without a login.
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_auth_mechanism(const struct onward_smtp_client *client);

/**
 * The TLS that the session runs under.
 *
 * @param facts  out: the caller sets size; texts are borrowed from the client
 *               until onward_smtp_client_free().
 * @return 0, ONWARD_ESTATE (no TLS, or not yet) or ONWARD_EINVAL (no size).
 * @since 0.1
 */
ONWARD_API int
onward_smtp_client_tls_facts(const struct onward_smtp_client *client,
                             struct onward_tls_facts *facts);

#ifdef __cplusplus
}
#endif

#endif
