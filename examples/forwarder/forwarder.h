/*
 * The reference forwarder: one process, one thread, one loop. settings.c has
 * the keys of the configuration, setup.c loads what it names, storage.c opens
 * what outlasts the process; listen.c takes connections; session.c is one
 * client and its message, admit.c says whether to hear it; copy.c stands
 * between its relay and delivery.c, which brings a copy to one destination;
 * log.c writes a line of JSON a message; main.c ties them together.
 *
 * A message is kept in memory until the next hop has answered, and the client
 * is told what the next hop said: nothing is acknowledged and then lost.
 */
#ifndef FORWARDER_H
#define FORWARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <onward.h>

#include "config.h"
#include "conn.h"
#include "dns_unbound.h"
#include "loop.h"

/* The configuration file, as read. */
struct settings {
    struct config_list listen, trusted_sealers, dnsbl, dnswl;
    char *hostname, *authserv_id;
    char *rules, *dns, *resolver, *resolver_anchor;
    char *tls_certificate, *tls_key;
    char *srs_domain, *srs_secret;
    char *seal_key, *seal_domain, *seal_selector;
    /* Of what lasts; the start of the process decides. NULL: the default, of
     * which struct forwarder has what it came to. */
    char *state, *store;
    char *out_trust, *smart_host, *user, *log;
    char *dmarc_reject; /* NULL: "service" */
    bool require_tls, smtputf8, allow_private_addresses;
    bool allow_unauthenticated, enforce_dmarc;
    size_t out_port, out_tls, max_message_bytes, max_sessions, drain_s;
    size_t message_memory_bytes, ledger_entries, ledger_life_s, store_bytes;
    size_t command_timeout_s, delivery_timeout_s;
    struct config_key keys[64];
};

/*
 * What the settings name, loaded: replaced as a whole by SIGHUP. Counted: a
 * session keeps to the end the one that it began with.
 */
struct setup {
    size_t owners;
    struct settings settings;
    struct onward_ruleset *ruleset;
    struct onward_tls_config *tls_server, *tls_client;
    struct onward_srs *srs;
    struct onward_signer *signer;
    struct onward_resolver *resolver;
    struct loop *loop;
    struct unbound_dns *dns; /* NULL with a file of records */
    struct loop_watch dns_watch;
};

struct session;
struct copy;
struct delivery;
struct hop;
struct storage;

struct forwarder {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop;
    struct conn_list conns;
    char *state;                /* the folder for what lasts */
    struct storage *storage;    /* what store is made with */
    struct onward_store *store; /* the ledger, and all else that lasts */
    struct setup *setup;
    struct listener *listeners;
    int64_t listen_again_ms; /* they rest until then */
    struct session *sessions;
    struct copy *copies;
    struct delivery *deliveries;
    struct hop *hops;
    size_t session_count;
    size_t held_bytes; /* of messages, all sessions together */
    bool is_draining;
    uint64_t next_id;
    FILE *log; /* NULL: not yet */
};

enum { EXIT_CONFIG = 2, EXIT_UNUSABLE = 3 };

/* ---- settings.c -------------------------------------------------------- */

enum { TLS_VERIFIED = 3 }; /* of settings.out_tls */

/* Keys and defaults, ready for config_read(). */
void settings_begin(struct settings *s);

/* ---- setup.c ----------------------------------------------------------- */

/*
 * Read a configuration and all it names. NULL: fault has one line and *status
 * the exit status, EXIT_CONFIG or EXIT_UNUSABLE.
 */
struct setup *setup_new(struct forwarder *fwd, const char *path, char *fault,
                        size_t fault_size, int *status);
struct setup *setup_ref(struct setup *setup);
void setup_free(struct setup *setup);

/* ---- storage.c --------------------------------------------------------- */

/* For settings: NULL, or what was expected. */
const char *storage_judge(const char *value);
/*
 * Could the store and its folder be used? Changes nothing. All three give 0, or
 * -1 with a line in fault.
 */
int storage_check(struct forwarder *fwd, char *fault, size_t fault_size);
/* Make the folder, for the user that we shall be. */
int storage_prepare(struct forwarder *fwd, char *fault, size_t fault_size);
/* Fill fwd->store. */
int storage_open(struct forwarder *fwd, char *fault, size_t fault_size);
void storage_close(struct forwarder *fwd);

/* ---- listen.c ---------------------------------------------------------- */

/* Bind all; 0, or -1 with a line in fault. */
int listen_open(struct forwarder *fwd, char *fault, size_t fault_size);
/* "ready ADDRESS..." on standard output. */
void listen_announce(const struct forwarder *fwd);
/* sd_notify(3). */
void listen_tell_systemd(const char *state);
/* Listen again, if it is time to. */
void listen_time(struct forwarder *fwd, int64_t now_ms);
void listen_close(struct forwarder *fwd);

/* ---- session.c --------------------------------------------------------- */

/* Take over a connection from that address. */
void session_open(struct forwarder *fwd, int fd, const struct onward_ip *ip,
                  size_t port);
void session_shutdown(struct session *session);
/* Waited long enough: no final dot goes out for it any more, and its client is
 * told to come again. */
void session_cut(struct session *session);
void session_free(struct session *session);
struct session *session_next(const struct session *session);
/* Will nobody hear the answer? Looked at without reading. */
bool session_peer_is_gone(const struct session *session);
struct setup *session_setup(const struct session *session);
struct forwarder *session_forwarder(const struct session *session);

/* ---- delivery.c -------------------------------------------------------- */

/* Where one went, for the log. */
struct delivery_log {
    char host[260], ip[ONWARD_IP_TEXT_MAX], tls[160];
    char enhanced[16], text[520];
    size_t code, attempts;
    int64_t ms;
};

/* What to bring, and to whom. All texts, the source and the log are borrowed
 * until the delivery is over. */
struct delivery_job {
    struct setup *setup; /* one reference is taken */
    struct onward_str reverse_path, recipient;
    struct onward_str domain; /* where it goes */
    const struct onward_source *source;
    size_t smtputf8;
    struct delivery_log *log; /* gets what became of it */
};

/* What became of it; texts are borrowed for the call that tells it. */
struct delivery_result {
    size_t fate; /* enum onward_egress_fate, never PENDING */
    struct onward_smtp_reply reply;
};

/* Who wants it brought. */
struct delivery_host {
    void *user;
    /* All is sent but the final dot: is it to go? */
    bool (*is_wanted)(void *user);
    /* Once, the last; not after delivery_cancel(). */
    void (*done)(void *user, const struct delivery_result *result);
};

/* Bring a copy to a destination. NULL: it cannot be tried. */
struct delivery *delivery_start(struct forwarder *fwd,
                                const struct delivery_job *job,
                                const struct delivery_host *host);
/* Nobody wants it any more: stop; the final dot is not sent. */
void delivery_cancel(struct delivery *delivery);
/* And the connections that only wait for the answer to QUIT. */
void delivery_free_all(struct forwarder *fwd);
int64_t delivery_deadline(const struct forwarder *fwd);
/* Connections that took too long to come up. */
void delivery_time(struct forwarder *fwd, int64_t now_ms);

/* ---- copy.c ------------------------------------------------------------ */

/*
 * Bring a copy of a session's message to a destination of its relay; the
 * outcome goes to the relay by token. The session's log gets what became of
 * it. 0 or -1.
 */
int copy_start(struct session *session, uint64_t token,
               const struct onward_relay *relay, size_t index,
               struct delivery_log *log);
/* The relay wants no answer any more. */
void copy_cancel(struct forwarder *fwd, uint64_t token);

/* ---- log.c ------------------------------------------------------------- */

/* What a line about a message is made of. */
struct message_log {
    const char *id, *client;
    const struct onward_smtp_server *server; /* envelope and TLS */
    const struct onward_verifier *verifier;  /* may be NULL */
    const struct onward_relay *relay;        /* may be NULL */
    const struct delivery_log *deliveries;   /* NULL: nothing was tried */
    int64_t ms;
    const struct onward_smtp_reply *reply; /* code 0: the client heard none */
};

/* Open, or open anew, the file of the settings; 0 or -1 with a line. */
int log_open(struct forwarder *fwd, char *fault, size_t fault_size);
void log_close(struct forwarder *fwd);
void log_message(struct forwarder *fwd, const struct message_log *m);
void log_refused(struct forwarder *fwd, const struct message_log *m,
                 struct onward_str to);
/* {"event":EVENT,"detail":DETAIL}. */
void log_event(struct forwarder *fwd, const char *event, const char *detail);

#endif
