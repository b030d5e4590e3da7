/*
 * The rooms of the server session. server.c is its life and the calls from
 * outside; server_engine.c the loop, server_line.c what becomes of a line,
 * server_table.c the commands; server_question.c what waits for the host; each
 * command has its own file.
 *
 * No function here may run after the session is over (server_is_over): every
 * host callback may have freed it, or ended it by an answer. The memory stays
 * until the outermost call returns, so looking at that flag is enough.
 */
#ifndef ONWARD_SMTP_SERVER_PRIV_H
#define ONWARD_SMTP_SERVER_PRIV_H

#include <onward/smtp_server.h>

#include "address/address_shared.h"
#include "channel/channel_shared.h"
#include "core/core_shared.h"
#include "core/desk_shared.h"
#include "smtp/smtp_shared.h"

enum {
    SERVER_OVERLAP_MAX = 32,          /* RCPT that wait at once */
    SERVER_LINE_ALLOWANCE = 32768,    /* of a line that is too long */
    SERVER_EXCHANGE_LINE_MAX = 12288, /* RFC 4954 section 4, with CRLF */
    SERVER_PROXY_MS = 30000,          /* for the header, or command_ms */
    SERVER_FORWARDED = 7,             /* attributes of XFORWARD */
    SERVER_TRUST_FLAGS =
        ONWARD_SMTP_SERVER_TRUST_XCLIENT | ONWARD_SMTP_SERVER_TRUST_XFORWARD,
    SERVER_CLOSE_MS = 30000,  /* for our last words */
    SERVER_CHUNK_SMALL = 256, /* of BDAT, not the last: counted */
    SERVER_LOOK_AHEAD = 1024, /* for a line end in a message */
    SERVER_OUT_USUAL = 131072,
    SERVER_REPLY_ROOM = 160,  /* a reply of ours takes less, TLS included */
    SERVER_HELO_MAX = 255     /* RFC 5321 section 4.5.3.1.2 */
};

enum server_state {
    SERVER_NEW,      /* `connect` not asked yet */
    SERVER_PROXY,    /* the PROXY header is awaited */
    SERVER_GREETING, /* it was asked */
    SERVER_COMMAND,
    SERVER_TLS,     /* 220 to STARTTLS was said */
    SERVER_MESSAGE, /* 354 was said, octets come */
    SERVER_CHUNK,   /* BDAT was said, octets come */
    SERVER_CLOSED
};

/* What the session waits for, hence which timeout runs. */
enum server_wait {
    SERVER_WAIT_NOTHING,
    SERVER_WAIT_PROXY,
    SERVER_WAIT_COMMAND,
    SERVER_WAIT_MESSAGE,
    SERVER_WAIT_TLS,
    SERVER_WAIT_ANSWER,
    SERVER_WAIT_DELAY /* a reply is held back */
};

/* What is wrong with a line as a whole. */
enum server_fault {
    SERVER_FAULT_NONE,
    SERVER_FAULT_LONG,
    SERVER_FAULT_CHUNK,   /* the same of a BDAT, whose chunk follows */
    SERVER_FAULT_ENDLESS, /* past the allowance too */
    SERVER_FAULT_BARE_LF,
    SERVER_FAULT_TLS /* begins as a TLS record does */
};

/* What a command does with its line. */
enum {
    SERVER_DONE = 0,
    SERVER_HOLD = 1 /* come again when the questions before are answered */
};

struct onward_tls__filter;
struct server_auth;

/* ---- Commands ---------------------------------------------------------- */

/* One line of the table (server_table.c). */
struct server_command {
    const char *verb;
    /* args: behind the verb and one space, white space at the end taken off. */
    int (*run)(struct onward_smtp_server *s, struct onward_str args);
    unsigned modes;  /* 1 << enum onward_smtp_server_mode; else not known */
    bool overlaps;   /* may be asked while questions before it wait */
    bool is_junk;    /* leads nowhere: counted */
    bool before_tls; /* RFC 3207 section 4: also where TLS is required */
    bool needs_auth; /* 530 where AUTH is required and was not done */
    uint64_t needs;  /* in HELP only while this is offered */
    bool is_secret;  /* what stands behind its first word is not traced */
};

/*
 * A command that talks on, as AUTH does: the next lines are no commands but go
 * to `line`, until the command ends the exchange. Its shape:
 *
 *     static int auth_line(struct onward_smtp_server *s, struct onward_str l)
 *     {
 *         if (l.len == 1 && l.data[0] == '*') {
 *             server_exchange_end(s);
 *             return server_say(s, 501, "5.7.0", "Cancelled");
 *         }
 *         ... open a question, or say 334 again, or end it and say 235
 *         return SERVER_DONE;
 *     }
 *     static const struct server_exchange auth_exchange = {
 *         .line = auth_line, .ended = auth_ended
 *     };
 *     int server_cmd_auth(struct onward_smtp_server *s, struct onward_str args)
 *     {
 *         ...
 *         server_exchange_begin(s, &auth_exchange);
 *         return server_say(s, 334, "", "");
 *     }
 *
 * A line comes without its CRLF, has at most SERVER_EXCHANGE_LINE_MAX octets
 * with it, and no control characters: too long a line is answered with 500
 * 5.5.6 and ends the exchange, a control with 501 5.5.2. No line comes while a
 * question is open; its `answered` may say 334, or end the exchange and say
 * the result. `ended` runs once for each begin, whatever ends it, the session's
 * end and free included: wipe and free there, say nothing. Lines are wiped when
 * they have been taken.
 */
struct server_exchange {
    int (*line)(struct onward_smtp_server *s, struct onward_str line);
    void (*ended)(struct onward_smtp_server *s);
};

/* ---- Questions --------------------------------------------------------- */

struct server_question;

/* One kind of question: which answers fit, and what follows from them. */
struct server_asker {
    bool (*fits)(size_t code);
    struct onward_smtp_reply usual;   /* the default answer */
    struct onward_smtp_reply failure; /* when the host fails */
    bool overlaps;                    /* several may wait at once */
    bool is_slow;                     /* twice the time for the answer */
    void (*answered)(struct onward_smtp_server *s, struct server_question *q);
};

struct server_question {
    struct onward_core__ask ask;
    struct onward_smtp_server *session;
    struct server_question *next;
    const struct server_asker *asker;
    struct onward_smtp_reply reply; /* when is_answered */
    char *text;                     /* holds what reply borrows; may be NULL */
    size_t index;                   /* of the recipient; asker's own use */
    int64_t due_ms;                 /* of a reply that is held back; 0: none */
    bool is_answered;
    bool is_due; /* it was held back long enough */
};

/* ---- The session ------------------------------------------------------- */

/* What the parameters of MAIL and RCPT have said. */
struct server_params {
    uint64_t offered; /* what the client may use */
    uint64_t size;
    enum onward_smtp_body body;
    bool is_smtputf8;
    bool requires_tls;
    unsigned notify; /* enum onward_smtp_notify */
    enum onward_smtp_ret ret;
    unsigned by; /* enum onward_smtp_by */
    int64_t by_s;
    struct onward_arena *arena;           /* for the texts */
    struct onward_str envid, auth, orcpt; /* decoded */
};

/* A path of MAIL or RCPT. */
struct server_path {
    struct onward_str text;    /* "<" to ">" */
    struct onward_str address; /* a slice of text: no brackets, no route */
    struct onward_address__mailbox mailbox;
};

struct server_rcpt {
    struct server_path path;
    size_t code; /* of the last reply to it; 0: none yet */
    struct onward_str orcpt;
    unsigned notify;
    bool is_accepted;
};

/* The message scanner: where in a line we are. */
enum server_scan {
    SCAN_LINE_START,
    SCAN_TEXT,
    SCAN_CR,     /* behind a CR in text, which was given on */
    SCAN_DOT,    /* behind a dot at the start of a line, which was not */
    SCAN_DOT_CR, /* behind dot CR, neither was given on */
    SCAN_END
};

/* Why a message is read to its end and refused then. */
enum server_doom {
    SERVER_DOOM_NONE,
    SERVER_DOOM_HOST, /* message_data failed */
    SERVER_DOOM_SIZE,
    SERVER_DOOM_BARE
};

/* What MAIL, RCPT and DATA have built up; all of it goes at once. */
struct server_txn {
    struct onward_arena arena;
    struct server_rcpt *rcpts;
    size_t rcpt_count, rcpt_cap;
    size_t rcpt_accepted;
    struct server_path path;     /* of MAIL */
    struct server_params params; /* of MAIL */
    uint64_t message_size;
    enum server_scan scan;
    enum server_doom doom;
    int64_t start_ms;                      /* of the message */
    const struct onward_smtp_reply *reply; /* while reset runs */
    size_t delivered; /* LMTP: recipients that the message was taken for */
    bool is_asked;    /* the facts stand, MAIL is not answered yet */
    bool is_open;
    bool is_chunked; /* BDAT was taken */
};

/* A chunk of BDAT that is being read. */
struct server_chunk {
    uint64_t size, left;
    int64_t start_ms;
    struct onward_smtp_reply refusal; /* code 0: it is taken */
    char *text;                       /* heap; that refusal borrows, or NULL */
    bool is_last;
};

/* Options, resolved; UINT32_MAX is no limit. A session is small: of these there
 * are as many as there are sessions. */
struct server_limits {
    uint64_t message_bytes;
    uint32_t recipients, errors, junk, line_bytes, session_bytes;
    uint32_t command_ms, data_ms, tls_ms, answer_ms;
    uint32_t data_rate, auth_attempts, scram_iterations;
};

struct onward_smtp__proxy;

/* What others have said about the client; most sessions have none. Heap. */
struct server_peer {
    struct onward_smtp__proxy *proxy; /* while the header is read */
    struct onward_str name;           /* heap; XCLIENT */
    struct onward_ip local_ip;
    size_t local_port;
    struct onward_str forwarded[SERVER_FORWARDED]; /* heap each; XFORWARD */
};

struct onward_smtp_server {
    struct onward_channel channel;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_core__task task;
    struct onward_smtp_server_host host;
    struct server_limits limits;
    struct onward_tls_config *tls;
    uint64_t log_id;
    size_t flags;
    /* Of the texts behind the struct: server_hostname() and so on. */
    uint8_t hostname_len, banner_len, client_name_len;
    struct onward_ip client_ip;
    uint16_t client_port;
    enum onward_smtp_auth_mechanism auth_mechanism; /* that was used */
    struct server_peer *peer; /* or NULL */

    enum onward_smtp_server_mode mode;
    enum server_state state;
    enum server_wait wait;
    int error;         /* out of memory somewhere: ends the session */
    int64_t paused_ms; /* since when, while is_host_paused */
    bool is_esmtp;
    bool is_tls;
    bool is_authenticated; /* by AUTH; server_login_set() */
    bool is_host_paused;
    bool is_shutdown;
    bool has_progress; /* the timeout starts anew */
    bool has_heard;    /* an octet of the client */
    bool is_early;     /* before it could have seen the greeting */

    /* The line that is being read, or that is held. */
    struct onward_buf line;
    size_t line_skipped; /* octets of a line that is too long */
    enum server_fault fault;
    bool is_held;
    bool has_run; /* up to SERVER_HOLD */
    unsigned char last_octet;

    const struct server_exchange *exchange; /* that lines belong to, or NULL */
    struct onward_str login, login_as;      /* one heap block; who was
                                               authenticated, and as whom */
    struct server_auth *auth;               /* heap; the exchange of AUTH */
    size_t auth_mechanisms;                 /* that are allowed */
    size_t auth_failures;
    struct onward_str helo;              /* heap */
    struct onward_str new_helo;          /* heap; being asked about */
    struct onward_tls__filter *filter;   /* the channel's; NULL: none */
    struct onward_tls_facts *host_facts; /* heap */
    size_t error_count, junk_count;

    struct server_question *first, *last;
    size_t question_count;

    struct server_txn *txn;     /* heap; between MAIL and its end */
    struct server_chunk *chunk; /* heap; in SERVER_CHUNK, or its question */
    struct onward_buf scratch;  /* a reply on its way to the channel */
};

/* Texts that stand behind the struct, in the same block. */
static inline struct onward_str
server_hostname(const struct onward_smtp_server *s)
{
    return onward_core__str(s + 1, s->hostname_len);
}

static inline struct onward_str
server_banner(const struct onward_smtp_server *s)
{
    return onward_core__str((const char *)(s + 1) + s->hostname_len,
                            s->banner_len);
}

static inline struct onward_str
server_client_name(const struct onward_smtp_server *s)
{
    return onward_core__str((const char *)(s + 1) + s->hostname_len +
                                s->banner_len,
                            s->client_name_len);
}

static inline bool server_is_over(const struct onward_smtp_server *s)
{
    return s->state == SERVER_CLOSED || s->error != 0 ||
           onward_channel__is_dead(&s->channel);
}

extern const struct server_txn server_no_txn;

/* To read of: the transaction, or an empty one. */
static inline const struct server_txn *
server_txn(const struct onward_smtp_server *s)
{
    return s->txn != NULL ? s->txn : &server_no_txn;
}

/* ---- server.c ---------------------------------------------------------- */

/* The end of the session: everything open is dropped, the host is told. What
 * was said before is still written. */
void server_end(struct onward_smtp_server *s, int status);
/* A transaction for MAIL to fill. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int server_txn_begin(struct onward_smtp_server *s);
/* All that is known of the transaction goes, and the host is told. */
void server_txn_drop(struct onward_smtp_server *s, enum onward_smtp_reset why);
/* RFC 3207 section 4.2: nothing heard before TLS counts. */
void server_forget(struct onward_smtp_server *s);
/* The client is who now, acting as another if that is not empty; data NULL:
 * nobody. Ends with s->error set when there is no memory. */
void server_login_set(struct onward_smtp_server *s, struct onward_str who,
                      struct onward_str as);

/* ---- server_reply.c ---------------------------------------------------- */

#define SERVER_REPLY(code_, enhanced_, text_)                                  \
    {                                                                          \
        .size = sizeof(struct onward_smtp_reply), .code = (code_),             \
        .enhanced = {.data = ("" enhanced_ ""), .len = sizeof(enhanced_) - 1}, \
        .text = {                                                              \
            .data = ("" text_ ""),                                             \
            .len = sizeof(text_) - 1                                           \
        }                                                                      \
    }

/* Say it. What fails is in s->error. */
void server_say_reply(struct onward_smtp_server *s,
                      const struct onward_smtp_reply *reply, unsigned flags);
/* Lines as they stand on the wire; the buffer is cleared. */
void server_say_wire(struct onward_smtp_server *s, struct onward_buf *wire);
/* The three texts are static and end in NUL. Returns SERVER_DONE. */
int server_say(struct onward_smtp_server *s, size_t code, const char *enhanced,
               const char *text);
/* 250 2.0.0 OK and its like: 2yz? */
static inline bool server_is_yes(const struct onward_smtp_reply *reply)
{
    return reply->code / 100 == 2;
}
/* The same for a code of 421 or 521, behind which nothing follows. */
bool server_is_last(const struct onward_smtp_reply *reply);

/* ---- server_question.c ------------------------------------------------- */

/* Take a token and a place in the queue; NULL: s->error. */
struct server_question *server_question_open(struct onward_smtp_server *s,
                                             const struct server_asker *asker);
/* What the callback returned, or ONWARD_SMTP_DEFAULT when there is none. */
void server_question_asked(struct onward_smtp_server *s,
                           struct server_question *q, int handling);
/* Not by the host's reply: an answer of another kind. */
void server_question_answer(struct server_question *q,
                            const struct onward_smtp_reply *reply);
/* The host's time is over. */
void server_question_expire(struct onward_smtp_server *s);
/* Act on all answers whose turn it is. */
void server_settle(struct onward_smtp_server *s);
/* Tokens become stale, questions go. */
void server_questions_drop(struct onward_smtp_server *s);
/* Tokens become stale, the memory stays for now. */
void server_questions_close(struct onward_smtp_server *s);
/* Is the first answer there, but to be held back for now? */
bool server_is_delayed(const struct onward_smtp_server *s);
/* For how long from now. */
int64_t server_delay_ms(struct onward_smtp_server *s);
/* May a question of that kind be asked while others wait? */
bool server_may_overlap(const struct onward_smtp_server *s);
bool server_fits_yes_no(size_t code); /* 2yz, 4yz, 5yz */

/* ---- server_engine.c --------------------------------------------------- */

extern const struct onward_channel_ops server_channel_ops;

/* Answers, held line, pause and timeout: after anything that changed. */
void server_go(struct onward_smtp_server *s);
/* Pause and timeout alone. */
void server_update(struct onward_smtp_server *s);
/* ---- server_greet.c ---------------------------------------------------- */

/* Ask `connect`, or greet. */
void server_greet(struct onward_smtp_server *s);
/* The same, behind the handshake where TLS comes first. */
void server_open(struct onward_smtp_server *s);

/* ---- server_proxy.c ---------------------------------------------------- */

/* The block of what others say, made when there is none; NULL: s->error. */
struct server_peer *server_peer(struct onward_smtp_server *s);
void server_peer_drop(struct onward_smtp_server *s);
/* XFORWARD holds for one transaction. */
void server_peer_forget_forwarded(struct onward_smtp_server *s);
/* The header comes first. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int server_proxy_begin(struct onward_smtp_server *s);
/* Returns the octets that belong to the header. */
size_t server_proxy_feed(struct onward_smtp_server *s,
                         const unsigned char *data, size_t len);

/* ---- server_line.c ----------------------------------------------------- */

/* Take up to one line; returns the octets taken. */
size_t server_line_feed(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len);
/* Run a whole line, without its CRLF: SERVER_DONE or SERVER_HOLD. */
int server_line_run(struct onward_smtp_server *s, struct onward_str line);
/* The line that was held is done. */
void server_line_drop(struct onward_smtp_server *s);
/* Log the event, say the last reply, end. Returns SERVER_DONE. */
int server_end_with(struct onward_smtp_server *s, int status, size_t code,
                    const char *enhanced, const char *text, const char *event,
                    struct onward_str detail);

/* ---- server_table.c ---------------------------------------------------- */

/* The command of that verb in this mode; NULL: there is none. */
const struct server_command *
server_command_of(const struct onward_smtp_server *s, struct onward_str verb);
/* Append the verbs that can be used in this mode, a blank before each. */
void server_table_list(const struct onward_smtp_server *s,
                       struct onward_buf *text);
/* Is that the first word of another protocol? */
bool server_is_foreign(struct onward_str verb);

/* ---- server_trace.c ---------------------------------------------------- */

/* A line that is run now; command NULL: none is known by its verb. */
void server_trace_command(const struct onward_smtp_server *s,
                          const struct server_command *command,
                          struct onward_str line);
/* A reply as it stands on the wire. */
void server_trace_reply(const struct onward_smtp_server *s,
                        struct onward_str text);

/* ---- server_exchange.c ------------------------------------------------- */

/* The lines that follow belong to exchange; one that is open ends. */
void server_exchange_begin(struct onward_smtp_server *s,
                           const struct server_exchange *exchange);
/* Lines are commands again. Harmless without an exchange. */
void server_exchange_end(struct onward_smtp_server *s);

/* ---- Commands, one file each ------------------------------------------- */

int server_cmd_ehlo(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_helo(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_lhlo(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_starttls(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_auth(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_mail(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_rcpt(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_data(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_bdat(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_xclient(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_xforward(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_rset(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_noop(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_vrfy(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_expn(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_help(struct onward_smtp_server *s, struct onward_str args);
int server_cmd_quit(struct onward_smtp_server *s, struct onward_str args);

/* A domain or an address literal, as EHLO takes it. */
bool server_is_helo_name(struct onward_str name);
/* The extensions that are offered now. */
uint64_t server_extensions(const struct onward_smtp_server *s);

/* ---- The message: server_message.c, server_data.c, server_bdat.c ------- */

/* Octets after 354; *taken up to and with the end mark. */
void server_data_feed(struct onward_smtp_server *s, const unsigned char *data,
                      size_t len, size_t *taken);
/* Octets after BDAT; returns those that belong to the chunk. */
size_t server_bdat_feed(struct onward_smtp_server *s, const unsigned char *data,
                        size_t len);
/* A BDAT that cannot be read: say so, end. Returns SERVER_DONE. */
int server_bdat_lost(struct onward_smtp_server *s);
/* Harmless without one. */
void server_chunk_drop(struct onward_smtp_server *s);

/* The first octet is next: what the scanner and the clock need. */
void server_message_begin(struct onward_smtp_server *s);
/* Refuse it once it has ended. The worst reason counts, so that the reply does
 * not depend on the cuts. */
void server_message_doom(struct onward_smtp_server *s, enum server_doom why);
/* A bare CR or LF was in it: doom, unless the host allows that. */
void server_message_bare(struct onward_smtp_server *s);
/* A part of the message for the host. The limit holds on what came, whatever
 * SIZE= said. */
void server_message_give(struct onward_smtp_server *s,
                         const unsigned char *data, size_t len);
/* It is whole: refuse it, or ask. */
void server_message_end(struct onward_smtp_server *s);
/* What a doomed message is refused with. */
const struct onward_smtp_reply *server_message_doomed(enum server_doom why);
/* Say it, to each recipient where that is due, and drop the transaction. */
void server_message_answer(struct onward_smtp_server *s,
                           const struct onward_smtp_reply *reply);
/* The same before its end: one reply, unless it is the last chunk. */
void server_message_refuse(struct onward_smtp_server *s,
                           const struct onward_smtp_reply *reply, bool is_last);
bool server_fits_data(size_t code); /* 354, 4yz, 5yz */

/* ---- server_auth.c ----------------------------------------------------- */

/* The mechanisms that are offered now, a set. */
size_t server_auth_offer(const struct onward_smtp_server *s);
/* Append " NAME" for each of them. */
void server_auth_names(const struct onward_smtp_server *s,
                       struct onward_buf *text);

/* ---- server_params.c --------------------------------------------------- */

enum server_path_kind { SERVER_REVERSE_PATH, SERVER_FORWARD_PATH };

/*
 * The path at the start of args, copied into the arena of the transaction.
 * NULL, or the reply that refuses it: 501, 553, or 452 when there is no room.
 * *rest is what follows the path.
 */
const struct onward_smtp_reply *server_path_parse(struct onward_smtp_server *s,
                                                  struct onward_str args,
                                                  enum server_path_kind kind,
                                                  struct server_path *path,
                                                  struct onward_str *rest);

/* One ESMTP parameter of a command. */
struct server_param {
    const char *keyword;
    uint64_t extension; /* that must have been offered */
    /* value.data is NULL when there is no "=". 0, ONWARD_ESYNTAX or
     * ONWARD_ENOMEM. */
    int (*take)(struct onward_str value, struct server_params *params);
};

/*
 * *(SP keyword ["=" value]) (RFC 5321 section 4.1.1.11). NULL, or the reply
 * that refuses it: 501, or 555 for one that was not offered.
 */
const struct onward_smtp_reply *
server_params_parse(const struct onward_smtp_server *s, struct onward_str in,
                    const struct server_param *table, size_t count,
                    struct server_params *params);

/* ---- server_dsn.c ------------------------------------------------------ */

int server_take_ret(struct onward_str value, struct server_params *params);
int server_take_envid(struct onward_str value, struct server_params *params);
int server_take_auth(struct onward_str value, struct server_params *params);
int server_take_requiretls(struct onward_str value,
                           struct server_params *params);
int server_take_by(struct onward_str value, struct server_params *params);
int server_take_notify(struct onward_str value, struct server_params *params);
int server_take_orcpt(struct onward_str value, struct server_params *params);
/* xtext of printable ASCII. 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int server_xtext(struct onward_arena *arena,
                                   struct onward_str in,
                                   struct onward_str *out);

#endif
