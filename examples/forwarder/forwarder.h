/*
 * The reference forwarder: one process, one thread, one loop. settings.c has
 * the keys of the configuration, setup.c loads what it names, storage.c opens
 * what outlasts the process; session.c is one client and its message, admit.c
 * says whether to hear it; copy.c stands between its relay and delivery.c,
 * which brings a copy to one destination; quarantine.c has what rules put
 * apart; letters.c keeps what handlers write, dkim.c signs; queue.c has what
 * waits in the spool; log.c writes a line of JSON a message; main.c ties them
 * together.
 *
 * A message is kept in memory until the next hop has answered, and the client
 * is told what the next hop said; or it is on the disk before the client is
 * told 250. Nothing is acknowledged and then lost.
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
#include "listen.h"
#include "loop.h"
#include "resolve.h"
#include "service.h"
#include "spool.h"

/* The configuration file, as read. */
struct settings {
    struct config_list listen, trusted_sealers, dnsbl, dnswl;
    struct config_list webhooks; /* NAME URL */
    struct config_list handlers; /* NAME exec:COMMAND or unix:PATH */
    char *hostname, *authserv_id;
    char *rules, *dns, *resolver, *resolver_anchor;
    char *tls_certificate, *tls_key;
    char *srs_domain, *srs_secret;
    char *srs_sink; /* with srs_overflow = sink */
    size_t srs_hash, srs_hash_length, srs_hash_min, srs_max_age_days;
    size_t srs_separator, srs_overflow, srs_senders; /* words of settings.c */
    bool srs_always, srs_refuse_sha1, srs_folded_hash;
    char *seal_key, *seal_domain, *seal_selector;
    struct config_list dkim_keys; /* DOMAIN SELECTOR FILE */
    char *dkim_domain;            /* whose keys sign all; NULL: none */
    char *token_secret;           /* NULL: there are no tokens */
    struct config_list reverse_aliases; /* domains */
    struct config_list handler_sends;   /* NAME to|only|from ADDRESS */
    char *limit_handler, *limit_handler_recipient;
    /* Of what lasts; the start of the process decides. NULL: the default, of
     * which struct forwarder has what it came to. */
    char *state, *store;
    char *out_trust, *smart_host, *user, *log;
    char *webhook_secret, *webhook_trust;
    char *limit_client, *limit_sender, *limit_recipient;
    char *dmarc_reject; /* NULL: "service" */
    char *spool;        /* NULL: below state, if that is used */
    bool log_subject, require_tls, smtputf8, allow_private_addresses;
    bool allow_unauthenticated, enforce_dmarc;
    bool mta_sts, dane; /* of those that we deliver to */
    bool tls_reports, tls_report_at_once;
    char *tls_report_contact; /* NULL: postmaster of seal_domain */
    size_t policy_port;
    size_t out_port, out_tls, max_message_bytes, max_sessions, drain_s;
    size_t message_memory_bytes, ledger_entries, ledger_life_s, store_bytes;
    size_t max_sessions_client, greylist_s, webhook_timeout_s,
        handler_timeout_s;
    size_t command_timeout_s, delivery_timeout_s;
    size_t relay; /* RELAY_SESSION or RELAY_SPOOL */
    size_t queue_life_s, queue_delay_s, queue_deliveries, spool_bytes;
    size_t quarantine_life_s, quarantine_bytes, ticket_life_s;
    struct config_key keys[128];
};

/* Which file it was; all 0: none. */
struct file_identity {
    uint64_t dev, ino;
    int64_t size, modified_s, modified_ns, changed_s, changed_ns;
};

/*
 * What the settings name, loaded: replaced as a whole by SIGHUP. Counted: a
 * session keeps to the end the one that it began with.
 */
struct setup {
    size_t owners;
    struct settings settings;
    struct onward_ruleset *ruleset;
    struct file_identity rules_file; /* that it was read from */
    struct onward_tls_config *tls_server, *tls_client;
    struct onward_srs *srs;
    struct onward_signer *signer;
    struct dkim_keys *dkim; /* NULL: there are none */
    struct onward_token_minter *minter; /* the same */
    struct sending *sendings; /* the same */
    struct webhook_config *webhook_config;
    struct resolve names;
    struct onward_resolver *resolver; /* of names */
    struct policies *policies; /* NULL: none are asked for */
};

struct session;
struct watch;
struct webhooks;
struct handlers;
struct message_log;
struct admit;
struct copy;
struct policies;
struct fetch;
struct delivery;
struct hop;
struct storage;
struct queue;
struct tlsreport;
struct dkim_keys;
struct sending;
struct sending_counts;
struct letter;
struct reverse;
struct quarantine;
struct follow;
struct lmdb_store;
struct redis_store;

struct forwarder {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop;
    struct conn_list conns;
    char *state;                /* the folder for what lasts */
    struct storage *storage;    /* what store is made with */
    struct onward_store *store; /* the ledger, and all else that lasts */
    bool is_store_shared;       /* elsewhere: it may be down */
    /* The same, or both that and one on this machine: policies, of which no
     * outage is to make us lose sight. */
    struct onward_store *store_lasting;
    struct setup *setup;
    struct watch *watch;       /* NULL: cannot be had */
    struct webhooks *webhooks; /* NULL: none was asked yet */
    struct handlers *handlers; /* the same */
    struct listeners listeners;
    struct session *sessions;
    struct admit *admits[1024]; /* of the sessions, by their networks */
    struct copy *copies;
    struct delivery *deliveries;
    struct hop *hops;
    struct fetch *fetches;
    struct letter *letters;
    struct sending_counts *sending_counts; /* NULL: nothing was sent yet */
    struct queue *queue; /* NULL: there is no spool */
    struct quarantine *quarantine; /* the same */
    struct tlsreport *tlsreport; /* NULL: none are sent */
    struct follow *follow;       /* NULL: destinations are kept here */
    size_t session_count;
    size_t held_bytes; /* of messages, all sessions together */
    bool is_draining;
    bool is_cut; /* waited long enough: no final dot goes out any more */
    uint64_t next_id;
    FILE *log; /* NULL: not yet */
};

/* ---- settings.c -------------------------------------------------------- */

enum { TLS_VERIFIED = 3 }; /* of settings.out_tls */

/* Of settings.srs_separator, in its order. */
extern const char settings_separators[3];

/* Of settings.relay: who waits for the next hop. */
enum { RELAY_SESSION = 0, RELAY_SPOOL = 1 };

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
/* As `destination` of struct onward_ruleset_facts, and as `recipient` of struct
 * onward_send_facts; user is the forwarder. */
int storage_destination(void *user, const char *address, size_t len);
/* Is fwd->state a folder that is used? */
bool storage_is_on_disk(const struct forwarder *fwd);

/* ---- follow.c ---------------------------------------------------------- */

/* Keep a copy of the destinations there. 0 or -1. */
int follow_open(struct forwarder *fwd, struct lmdb_store *here,
                struct redis_store *there);
/* Has there been a whole copy of that Redis, now or in a life before? Else what
 * is not in it is not known. */
bool follow_is_whole(const struct forwarder *fwd);
/* Has it been looked through since the start, or cannot be now? */
bool follow_is_settled(const struct forwarder *fwd);
int64_t follow_deadline(const struct forwarder *fwd);
void follow_time(struct forwarder *fwd, int64_t now_ms);
void follow_close(struct forwarder *fwd);

/* ---- audit.c ----------------------------------------------------------- */

/* Log what changed between two loads of the rules. */
void audit_rules(struct forwarder *fwd, const struct onward_ruleset *before,
                 const struct onward_ruleset *after);

/* ---- watch.c ----------------------------------------------------------- */

/* Look out for changes of the rules' file. 0 or -1. */
int watch_open(struct forwarder *fwd);
/* Taken before a file is read: what changes meanwhile is read again. */
struct file_identity watch_identify(const char *path);
/* The setup is another one, and has read its rules. */
void watch_follow(struct forwarder *fwd);
/* That file of the rules cannot be used; it need not be tried again. */
void watch_pass_over(struct forwarder *fwd, const struct file_identity *file);
int64_t watch_deadline(const struct forwarder *fwd);
/* Read the rules anew, if it is time to. */
void watch_time(struct forwarder *fwd, int64_t now_ms);
void watch_close(struct forwarder *fwd);

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
/* The message is whole and verified: its relay may begin. */
void session_go_on(struct session *session);
/* Answer it without. */
void session_answer(struct session *session, size_t code, const char *enhanced,
                    const char *text);
/* Will nobody hear the answer? Looked at without reading. */
bool session_peer_is_gone(const struct session *session);
struct setup *session_setup(const struct session *session);
/* Of its message, for the log. */
struct message_log session_facts(const struct session *session,
                                 const struct onward_smtp_reply *reply);
struct forwarder *session_forwarder(const struct session *session);

/* ---- delivery.c -------------------------------------------------------- */

/* Where one went, for the log. */
struct delivery_log {
    char host[260], ip[ONWARD_IP_TEXT_MAX], tls[160];
    char demand[24]; /* what TLS had to come up to, by onward_egress_reason */
    /* How TLS went, server by server: what a TLS report would count, a line
     * each, POLICY RESULT HOST (RFC 8460). What has no room is left out. */
    char tls_results[2000];
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
    size_t require_tls, tls_optional; /* RFC 8689 */
    /* As the sender said (RFC 3461); passed on to servers that know it. */
    size_t notify, ret;
    struct onward_str orcpt, envid;
    struct delivery_log *log; /* gets what became of it */
};

/* What became of it; texts are borrowed for the call that tells it. */
struct delivery_result {
    size_t fate;  /* enum onward_egress_fate, never PENDING */
    size_t notes; /* a set of enum onward_smtp_note */
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

/* ---- policies.c -------------------------------------------------------- */

/* The policies (MTA-STS) of those that mail goes to, for a setup; the store is
 * open. 0 or -1. */
int policies_open(struct forwarder *fwd, struct setup *setup);
void policies_close(struct policies *policies);
/* NULL: none are wanted. */
struct onward_mtasts *policies_handle(const struct setup *setup);
int64_t policies_deadline(const struct forwarder *fwd);
/* Connections that took too long to come up, and what has to be renewed. */
void policies_time(struct forwarder *fwd, int64_t now_ms);

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

/* ---- queue.c ----------------------------------------------------------- */

/*
 * What cannot be answered in a session is kept in the spool and tried until it
 * is delivered, has failed or is too old. queue.h has the parts of it.
 */

/* Work on the spool of the settings, or that below state. 0, or -1 with a
 * line. */
int queue_open(struct forwarder *fwd, char *fault, size_t fault_size);
void queue_close(struct forwarder *fwd);
bool queue_is_open(const struct forwarder *fwd);
/*
 * Keep a message and deliver it: notices, replies, reports, mail of others. It
 * counts, whatever happens then, when this returns 0, and id says where. -1
 * with errno: nothing was kept; a client is to hear 451.
 */
int queue_submit(struct forwarder *fwd, const struct spool_envelope *envelope,
                 const struct onward_source *content, char id[SPOOL_ID_MAX]);
/* The same under an id of the caller's, for who must not do it twice; EEXIST:
 * it was done before. */
int queue_submit_as(struct forwarder *fwd, const char *id,
                    const struct spool_envelope *envelope,
                    const struct onward_source *content);
int64_t queue_deadline(const struct forwarder *fwd);
/* Begin what is due. */
void queue_time(struct forwarder *fwd, int64_t now_ms);
/* Begin no more. */
void queue_stop(struct forwarder *fwd);
bool queue_is_busy(const struct forwarder *fwd);

/* ---- tlsreport.c ------------------------------------------------------- */

/* Count for reports to those that we deliver to, and send them: where there is
 * a key to sign with, and a spool. 0 or -1. */
int tlsreport_open(struct forwarder *fwd);
void tlsreport_count(struct forwarder *fwd, struct onward_str domain,
                     const struct onward_tlsrpt_session *session);
int64_t tlsreport_deadline(const struct forwarder *fwd);
/* Send, if it is time to. */
void tlsreport_time(struct forwarder *fwd);
void tlsreport_close(struct forwarder *fwd);

/* ---- log.c ------------------------------------------------------------- */

/* What a line about a message is made of. */
struct message_log {
    const struct setup *setup;
    const char *id, *session_id, *client;
    const struct onward_smtp_server *server; /* envelope and TLS */
    const struct onward_verifier *verifier;  /* may be NULL */
    const struct onward_relay *relay;        /* may be NULL */
    struct delivery_log *const *deliveries; /* NULL: that one was not tried */
    size_t delivery_count;
    bool is_reverse; /* to a reverse alias: no rule has to do with it */
    int64_t ms;
    const struct onward_smtp_reply *reply; /* code 0: the client heard none */
};

/* The product's words for what became of a message, and its fields. summary.c
 * has them. */
struct json;
void log_summary(struct json *j, const struct forwarder *fwd,
                 const struct message_log *m);
void log_summary_refused(struct json *j, const struct message_log *m);

/* Open, or open anew, the file of the settings; 0 or -1 with a line. */
int log_open(struct forwarder *fwd, char *fault, size_t fault_size);
void log_message(struct forwarder *fwd, const struct message_log *m);
void log_refused(struct forwarder *fwd, const struct message_log *m,
                 struct onward_str to);
/* A message is in the spool. */
void log_queued(struct forwarder *fwd, const char *id,
                const struct spool_envelope *envelope, uint64_t size);
/* What became of its recipient rcpt. */
void log_queue(struct forwarder *fwd, const char *event,
               const struct spool_message *m, size_t rcpt,
               const struct delivery_log *tried);
/* The same at MAIL. */
void log_refused_sender(struct forwarder *fwd, const struct message_log *m);
/* {"event":EVENT,"detail":DETAIL}. */
void log_event(struct forwarder *fwd, const char *event, const char *detail);

#endif
