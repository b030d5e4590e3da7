#ifndef ONWARD_SMTP_CLIENT_H
#define ONWARD_SMTP_CLIENT_H

#include <onward/channel.h>
#include <onward/mime.h>
#include <onward/smtp_common.h>
#include <onward/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The SMTP client session (RFC 5321, 1870, 2920, 3207, 6152, 6531): it brings
 * messages to one server over one connection, and says of each recipient what
 * became of it.
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
    ONWARD_SMTP_CAUSE_MEMORY = 15        /**< no memory on our side */
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
    /** For clients; one reference is taken. NULL with ONWARD_TLS_NONE only. */
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
 *                          configuration for servers, or a demand to verify
 *                          without a name
 *         ONWARD_ESYNTAX   ehlo_name is no host name and no address literal
 *         ONWARD_EVERSION  a field this release does not know is not 0
 *         ONWARD_ENOMEM    out of memory
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
    /** enum onward_smtp_body, used with allow_unchecked; UNSTATED is 7BIT. */
    size_t body;
};

/**
 * Name one more recipient of the message to come. The first one begins a new
 * message: the outcomes of the last are gone.
 *
 * @param rcpt  borrowed for this call.
 * @return the number of the recipient, counted from 0, or
 *         ONWARD_ESYNTAX   the path does not follow RFC 5321 section 4.1.2
 *                          and RFC 6531 section 3.3; it is not added
 *         ONWARD_ELIMIT    max_rcpts are there already
 *         ONWARD_ESTATE    a message is under way, its `done` is due, QUIT was
 *                          asked for, or the session is over
 *         ONWARD_EINVAL    size is none
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
 * @param envelope  borrowed for this call.
 * @param source    copied; its user must live until `done` or until the client
 *                  is freed.
 * @return 0: `done` will run. Or, with the recipients kept:
 *         ONWARD_ESYNTAX   the reverse path does not follow its grammar
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
