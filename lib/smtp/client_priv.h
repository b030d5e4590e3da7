/*
 * The rooms of the client session. client.c is its life and the host's calls;
 * client_session.c moves it from greeting to QUIT and is the channel's engine;
 * client_ahead.c reads a message before it is sent; client_plan.c says how it
 * can go to this server and in how many transactions (client_limits.c);
 * client_mail.c takes one through MAIL, RCPT and DATA, and client_push.c its
 * octets; client_tls.c does STARTTLS (client_tls_host.c: with the host's TLS),
 * client_setup.c what comes between the last EHLO and the first message, and
 * client_outcome.c keeps what is to be told.
 * client_command.c writes commands, client_content.c message octets, and
 * client_ehlo.c knows what the server offers; these three know no session.
 */
#ifndef ONWARD_SMTP_CLIENT_PRIV_H
#define ONWARD_SMTP_CLIENT_PRIV_H

#include <onward/smtp_client.h>

#include "channel/channel_shared.h"
#include "core/desk_shared.h"
#include "mime/mime_shared.h"
#include "smtp/smtp_shared.h"
#include "tls/tls_shared.h"

/* ---- What the server offers (client_ehlo.c) ---------------------------- */

/* LIMITS (RFC 9422 section 4); 0: not announced. */
struct onward_smtp__limits {
    size_t mails;   /* MAILMAX, of a session */
    size_t rcpts;   /* RCPTMAX, of a transaction */
    size_t domains; /* RCPTDOMAINMAX, of a session */
};

struct onward_smtp__offers {
    struct onward_buf lines; /* of the EHLO reply, from the second on */
    uint64_t set;            /* enum onward_smtp_extension */
    uint64_t max_size;       /* of SIZE; 0: not announced */
    struct onward_smtp__limits limits;
};

/* The parameters of LIMITS (client_limits.c). */
void onward_smtp__limits_read(struct onward_smtp__limits *limits,
                              struct onward_str params);

void onward_smtp__offers_init(struct onward_smtp__offers *offers,
                              struct onward_ctx *ctx, size_t max);
/* As before the first EHLO; frees the memory. */
void onward_smtp__offers_forget(struct onward_smtp__offers *offers);
/* text: an EHLO reply, lines joined by LF. 0, ONWARD_ENOMEM, ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_smtp__offers_take(struct onward_smtp__offers *offers,
                         struct onward_str text);
/* *params is borrowed from offers. */
bool onward_smtp__offers_find(const struct onward_smtp__offers *offers,
                              struct onward_str keyword,
                              struct onward_str *params);

/* ---- Message octets (client_content.c) --------------------------------- */

struct onward_smtp__content {
    uint64_t size;      /* octets as they go on the wire, doubled dots apart */
    bool repair;        /* a CR or LF alone becomes CRLF */
    bool has_bare;      /* and has been */
    bool lacked_end;    /* the last line got its CRLF from us */
    bool has_8bit;      /* an octet above 127 was there */
    bool at_line_start; /* also at the very start */
    bool after_cr;      /* the CR is not written yet */
};

void onward_smtp__content_init(struct onward_smtp__content *c, bool repair);
/* Append to out (NULL: only count). 0; ONWARD_ESYNTAX at a bare CR or LF; or
 * the error of out. After an error it is of no more use. */
ONWARD_USE_RESULT int onward_smtp__content_feed(struct onward_smtp__content *c,
                                                const void *data, size_t len,
                                                struct onward_buf *out);
/* The end of the message, without the end mark. Returns as _feed. */
ONWARD_USE_RESULT int
onward_smtp__content_finish(struct onward_smtp__content *c,
                            struct onward_buf *out);

/* ---- Outcomes (client_outcome.c) --------------------------------------- */

enum { ONWARD_SMTP__ENHANCED_MAX = 12 };

struct onward_smtp__outcome {
    enum onward_smtp_fate fate;
    enum onward_smtp_phase phase;
    enum onward_smtp_cause cause;
    int tls_failure;
    size_t code;
    size_t enhanced_len;
    char enhanced[ONWARD_SMTP__ENHANCED_MAX];
    struct onward_str text; /* in an arena of the client, or static */
};

/* ---- A message --------------------------------------------------------- */

enum onward_smtp__mail_state {
    ONWARD_MAIL_NONE = 0,
    ONWARD_MAIL_NAMING,   /* recipients are being added */
    ONWARD_MAIL_CHECKING, /* sent by the host; being read ahead */
    ONWARD_MAIL_WAITING,  /* for the session to be free */
    ONWARD_MAIL_SENDING,
    ONWARD_MAIL_DONE /* outcomes are final */
};

struct onward_smtp__rcpt {
    struct onward_str path;
    struct onward_str orcpt;
    size_t notify;
    struct onward_smtp__outcome outcome; /* cause NONE: not asked yet */
    bool is_accepted; /* by a 2yz reply to RCPT, and not told more since */
};

/*
 * The commands of a transaction are steps, numbered in the order they are sent:
 * RSET, MAIL, one RCPT for each recipient of it, then DATA and the final dot,
 * or each chunk of BDAT. emitted and answered move through the same numbers, so
 * a reply finds its command by counting, as RFC 2920 section 3.1 demands. A
 * recipient with a verdict of its own is passed over without a command.
 */
enum { ONWARD_STEP_RSET = 0, ONWARD_STEP_MAIL = 1, ONWARD_STEP_RCPT = 2 };

struct onward_smtp__mail {
    enum onward_smtp__mail_state state;
    struct onward_arena arena; /* paths and texts */
    struct onward_smtp__rcpt *rcpts;
    size_t rcpt_count, rcpt_cap;
    struct onward_str reverse_path;
    struct onward_mime__pull pull;
    uint64_t offset; /* next octet to read */
    struct onward_smtp__content content;
    uint64_t size;            /* for SIZE */
    size_t first, end;        /* recipients of this transaction */
    size_t emitted, answered; /* steps */
    size_t seen;              /* steps that the peer can have seen */
    size_t accepted;          /* recipients */
    size_t final_at;          /* LMTP: whose final reply is next */
    size_t text_left;         /* octets for recipients' texts */
    uint64_t wire_len;        /* BDAT: octets in all chunks */
    uint64_t chunk_left;      /* octets to come in this chunk */
    size_t ret;               /* enum onward_smtp_ret */
    struct onward_str envid;
    struct onward_smtp__outcome outcome; /* of this transaction */
    struct onward_smtp__outcome best;    /* of those before, and of finals */
    bool has_best;
    bool is_8bit, is_utf8, is_binary;
    bool requires_tls;
    bool wants_dsn, has_dsn; /* asked for; sent along */
    bool has_bare, lacks_end;
    bool uses_bdat;
    bool is_last_chunk;
    bool is_planned; /* has_dsn, uses_bdat are known */
    bool is_held;    /* asked for with hold_dot */
    bool hold_dot;   /* until released */
    bool is_stopped; /* no further step is emitted */
    bool has_deadline;
    int64_t deadline_ms;
};

struct onward_smtp__client_auth;

/* ---- The session ------------------------------------------------------- */

enum onward_smtp__client_state {
    ONWARD_CLIENT_GREETING = 0,
    ONWARD_CLIENT_EHLO,
    ONWARD_CLIENT_HELO,
    ONWARD_CLIENT_STARTTLS,
    ONWARD_CLIENT_HANDSHAKE,
    ONWARD_CLIENT_SETUP, /* steps of client_setup.c */
    ONWARD_CLIENT_IDLE,
    ONWARD_CLIENT_ENVELOPE, /* RSET to DATA */
    ONWARD_CLIENT_CONTENT,
    ONWARD_CLIENT_HELD,  /* all but the final dot was produced */
    ONWARD_CLIENT_FINAL, /* the final dot was produced */
    ONWARD_CLIENT_QUIT,
    ONWARD_CLIENT_ENDED
};

/* What the host is still to be told. */
struct onward_smtp__news {
    bool starttls, ready, held, done, closed;
};

/* Domains of recipients, for RCPTDOMAINMAX (client_limits.c). */
struct onward_smtp__domains {
    uint64_t *hashes;
    size_t count, cap;
};

struct onward_smtp_client {
    struct onward_channel channel; /* its guard is the client's */
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_core__task task;
    struct onward_smtp_client_host host;
    struct onward_smtp_client_opts opts; /* defaults filled in */
    struct onward_arena arena; /* what opts points to, texts of the session */
    enum onward_smtp__client_state state;
    struct onward_tls_demand demand; /* all in arena */
    struct onward_tls__filter *tls;  /* the channel's; NULL before */
    struct onward_smtp__reply_parser reply;
    struct onward_smtp__offers offers;
    struct onward_buf scratch; /* between a source or a reply and its place */
    struct onward_smtp__mail mail;
    struct onward_smtp__outcome outcome; /* of the session */
    struct onward_smtp__news news;
    struct onward_smtp__domains domains;
    struct onward_tls_facts *host_facts; /* in arena; of the host's TLS */
    struct onward_smtp__client_auth *auth; /* heap; until it is done */
    enum onward_smtp_auth_mechanism auth_mechanism; /* that was used */
    size_t mails_said;                   /* MAIL commands */
    size_t setup_at;                     /* the step in client_setup.c */
    bool setup_due;                      /* it waits for a reply */
    bool needs_rset; /* the server may hold half a transaction */
    bool wants_quit;
    bool is_secured; /* TLS is up */
    bool greets_under_tls;
    bool is_over;        /* no message is taken any more; outcome says why */
    bool is_interrupted; /* the server speaks unasked */
    bool in_callback;    /* of the host's table: our functions may be called */
};

enum {
    ONWARD_SMTP__TEXT_MAX = 512,         /* of an outcome */
    ONWARD_SMTP__RCPT_TEXTS_MAX = 16384, /* of all recipients of a message */
    ONWARD_SMTP__BLOCK = 4096            /* read from a source at once */
};

/* client_command.c: each writes one command. 0, 1 (output is full now) or the
 * error of the channel. */
ONWARD_USE_RESULT int onward_smtp__write_ehlo(struct onward_smtp_client *c,
                                              const char *verb);
ONWARD_USE_RESULT int onward_smtp__write_verb(struct onward_smtp_client *c,
                                              const char *verb);
ONWARD_USE_RESULT int onward_smtp__write_mail(struct onward_smtp_client *c);
ONWARD_USE_RESULT int onward_smtp__write_rcpt(struct onward_smtp_client *c,
                                              size_t i);
ONWARD_USE_RESULT int onward_smtp__write_bdat(struct onward_smtp_client *c,
                                              uint64_t len, bool is_last);
/* "type;address" of ORCPT; text of ENVID. */
bool onward_smtp__is_orcpt(struct onward_str text);
bool onward_smtp__is_envid(struct onward_str text);
/* Check a mailbox that is to stand between angle brackets, and copy it. 0,
 * ONWARD_ESYNTAX or ONWARD_ENOMEM; *is_utf8 is only ever set to true. */
ONWARD_USE_RESULT int onward_smtp__take_path(struct onward_arena *arena,
                                             struct onward_str path,
                                             struct onward_str *own,
                                             bool *is_utf8);
/* A host name or an address literal. */
bool onward_smtp__is_helo_name(struct onward_str name);

/* client.c */
void onward_smtp__client_destroy(struct onward_smtp_client *c);
void onward_smtp__client_run(struct onward_core__task *task, int64_t now_ms);

/* client_session.c */
extern const struct onward_channel_ops onward_smtp__client_ops;
void onward_smtp__expect_within(struct onward_smtp_client *c,
                                size_t timeout_ms);
/* Go on with what can be done now. 0 or an error that ended the session. */
int onward_smtp__client_advance(struct onward_smtp_client *c);
/*
 * The session is over, and a message under way with it: what decided is in
 * *why (copied). Nothing is written any more; what was is thrown away when a
 * message was cut, else it still goes out.
 */
void onward_smtp__client_end(struct onward_smtp_client *c,
                             const struct onward_smtp__outcome *why);
/* The same for a cause without a reply, in the current phase. */
void onward_smtp__client_end_for(struct onward_smtp_client *c,
                                 enum onward_smtp_cause cause);
/* The same for what an error of ours ended. Returns error. */
int onward_smtp__client_fail(struct onward_smtp_client *c, int error);
/* No message can be sent here: say QUIT, then end. 0 or an error. */
ONWARD_USE_RESULT int
onward_smtp__client_refuse(struct onward_smtp_client *c,
                           const struct onward_smtp__outcome *why);
/* The same, by the reply just read. */
ONWARD_USE_RESULT int
onward_smtp__client_refuse_by_reply(struct onward_smtp_client *c);
/* EHLO or HELO. 0 or an error. */
ONWARD_USE_RESULT int
onward_smtp__client_hello(struct onward_smtp_client *c, const char *verb,
                          enum onward_smtp__client_state state);
/* EHLO, or LHLO. */
ONWARD_USE_RESULT int onward_smtp__client_ehlo(struct onward_smtp_client *c);
/* Ready for messages. */
int onward_smtp__client_idle(struct onward_smtp_client *c);
/* The current phase, as outcomes tell it. */
enum onward_smtp_phase
onward_smtp__client_phase(const struct onward_smtp_client *c);

/* client_tls.c: STARTTLS by demand. 0 or an error. */
/* The demand out of c->opts, and a reference to config. 0, or as _new. */
ONWARD_USE_RESULT int onward_smtp__tls_load(struct onward_smtp_client *c,
                                            struct onward_tls_config *config);
/* EHLO was answered, or refused with 5yz. */
int onward_smtp__tls_after_ehlo(struct onward_smtp_client *c);
int onward_smtp__tls_no_ehlo(struct onward_smtp_client *c);
int onward_smtp__tls_on_reply(struct onward_smtp_client *c);
int onward_smtp__tls_secured(void *engine, int status);
/* The handshake failed: the session ends. */
void onward_smtp__tls_end(struct onward_smtp_client *c,
                          enum onward_tls_failure failure);
/* client_tls_host.c: wait for the host's handshake. */
void onward_smtp__tls_ask_host(struct onward_smtp_client *c);
/* TLS from the first octet. 0 or an error. */
ONWARD_USE_RESULT int onward_smtp__tls_first(struct onward_smtp_client *c);
/* TLS is up: the greeting or EHLO comes next. */
ONWARD_USE_RESULT int onward_smtp__tls_up(struct onward_smtp_client *c);
/* Facts of the TLS in use; NULL: there is none, or nothing is known. */
const struct onward_tls_facts *
onward_smtp__tls_facts_of(const struct onward_smtp_client *c);
/* enum onward_tls_failure for an end in the handshake, else 0. */
int onward_smtp__tls_failure(const struct onward_smtp_client *c,
                             enum onward_smtp_cause cause);

/* ---- Set-up steps (client_setup.c) ------------------------------------- */

/*
 * To add a step (AUTH): write its two functions in a file of its own and put
 * them into the table of client_setup.c. begin is called after EHLO (after the
 * last one: TLS is up as demanded), reply for each reply but 421 while the step
 * waits for one; c->reply is the reply, c->offers what is offered. Either
 * writes what it has to with onward_smtp__write_...() or
 * onward_channel__write() and says how it goes on. A step that gives the
 * session up calls onward_smtp__client_refuse...() and returns
 * ONWARD_SETUP_OVER when that was 0, else the error. The step's own state goes
 * into struct onward_smtp_client.
 */
enum onward_smtp__setup_result {
    ONWARD_SETUP_DONE = 0, /* nothing (more) to say: on with the next step */
    ONWARD_SETUP_REPLY,    /* a line was written, and a reply to it is due */
    ONWARD_SETUP_HOST,     /* the host was asked; _setup_resume() when it has
                              answered. What the server says meanwhile is
                              unasked and ends the session. */
    ONWARD_SETUP_HELLO,    /* the server has forgotten what it offered: EHLO,
                              then the next step */
    ONWARD_SETUP_OVER      /* the session is being ended */
};

struct onward_smtp__setup_step {
    enum onward_smtp_phase phase; /* of outcomes */
    /* enum onward_smtp__setup_result or an error. */
    int (*begin)(struct onward_smtp_client *c);
    int (*reply)(struct onward_smtp_client *c);
};

/* EHLO or HELO was answered, and there will be no (more) TLS. 0 or an error. */
ONWARD_USE_RESULT int onward_smtp__setup_begin(struct onward_smtp_client *c);
ONWARD_USE_RESULT int onward_smtp__setup_on_reply(struct onward_smtp_client *c);
/* After ONWARD_SETUP_HOST; inside the client's task. An error ends the session.
 */
void onward_smtp__setup_resume(struct onward_smtp_client *c, int result);
bool onward_smtp__setup_expects(const struct onward_smtp_client *c);
enum onward_smtp_phase
onward_smtp__setup_phase(const struct onward_smtp_client *c);

/* client_auth.c */
/* The caller's login, copied; NULL: none. 0 or as _new. */
ONWARD_USE_RESULT int
onward_smtp__auth_load(struct onward_smtp_client *c,
                       const struct onward_smtp_client_login *given);
/* Wiped and gone. Harmless without one. */
void onward_smtp__auth_clear(struct onward_smtp_client *c);
/* Go on with a key that is being computed, in the client's task. */
void onward_smtp__auth_work(struct onward_smtp_client *c);
/* The step in client_setup.c. */
int onward_smtp__auth_begin(struct onward_smtp_client *c);
int onward_smtp__auth_reply(struct onward_smtp_client *c);

/* client_ahead.c: state CHECKING; what is left comes again by the task. */
void onward_smtp__mail_look_ahead(struct onward_smtp_client *c);

/* client_limits.c: may one more command name a recipient of this domain? 1:
 * yes, and remembered; 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_smtp__domains_admit(struct onward_smtp_client *c,
                                                 struct onward_str path);

/* client_plan.c */
/* A message is at the head: refuse it, or begin its first transaction. 0 or an
 * error of the channel, as all of these. */
ONWARD_USE_RESULT int onward_smtp__mail_begin(struct onward_smtp_client *c);
/* A transaction is over and the session goes on: the next one, or the end. */
ONWARD_USE_RESULT int onward_smtp__mail_conclude(struct onward_smtp_client *c);
void onward_smtp__mail_keep_best(struct onward_smtp__mail *mail,
                                 const struct onward_smtp__outcome *outcome);

/* client_mail.c: state ENVELOPE, and replies in all states of a transaction. */
ONWARD_USE_RESULT int onward_smtp__mail_emit(struct onward_smtp_client *c);
ONWARD_USE_RESULT int onward_smtp__mail_reply(struct onward_smtp_client *c);
/* Is a reply to a command of the transaction due? */
bool onward_smtp__mail_expects(const struct onward_smtp_client *c);
bool onward_smtp__mail_in_step(const struct onward_smtp_client *c);
/* Called before a step is written. */
void onward_smtp__mail_note_seen(struct onward_smtp_client *c);
/* A reply of a class that its command cannot have. */
ONWARD_USE_RESULT int onward_smtp__mail_break_off(struct onward_smtp_client *c);

/* client_push.c: states CONTENT and HELD. */
ONWARD_USE_RESULT int onward_smtp__mail_push(struct onward_smtp_client *c);
/* The final dot, on its own. */
ONWARD_USE_RESULT int onward_smtp__mail_write_dot(struct onward_smtp_client *c);
/* The message is done: recipients without a verdict share the message's. */
void onward_smtp__mail_finish(struct onward_smtp_client *c,
                              const struct onward_smtp__outcome *outcome);
static inline bool
onward_smtp__mail_is_open(const struct onward_smtp__mail *mail)
{
    return mail->state == ONWARD_MAIL_CHECKING ||
           mail->state == ONWARD_MAIL_WAITING ||
           mail->state == ONWARD_MAIL_SENDING;
}

/* client_outcome.c */
/* One that no reply decided: fate, enhanced code and text follow the cause. */
void onward_smtp__outcome_local(struct onward_smtp__outcome *out,
                                enum onward_smtp_phase phase,
                                enum onward_smtp_cause cause);
/*
 * From the reply just read; the text goes to arena, taken off *budget unless
 * that is NULL. Cannot fail: without memory there is no text.
 */
void onward_smtp__outcome_reply(struct onward_smtp__outcome *out,
                                struct onward_smtp_client *c,
                                enum onward_smtp_phase phase,
                                struct onward_arena *arena, size_t *budget);
/* An outcome with its text copied to another arena. */
void onward_smtp__outcome_copy(struct onward_smtp__outcome *out,
                               const struct onward_smtp__outcome *from,
                               struct onward_arena *arena);

#endif
