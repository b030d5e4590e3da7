/*
 * SASL (RFC 4422) as both sessions use it: messages in, messages out, without
 * base64 and without any I/O. sasl.c has the table of mechanisms and what all
 * share; each mechanism has its own file, sasl_prep.c prepares text.
 *
 * One struct serves one exchange on one side. All text it keeps is in its
 * arena, which is wiped in the end.
 */
#ifndef ONWARD_SMTP_SASL_PRIV_H
#define ONWARD_SMTP_SASL_PRIV_H

#include <nettle/hmac.h>

#include <onward/smtp_auth.h>
#include <onward/tls.h>

#include "core/core_shared.h"

enum {
    ONWARD_SASL__LINE_MAX = 12288, /* RFC 4954 section 4, CRLF included */
    ONWARD_SASL__ARENA_MAX = 262144,
    ONWARD_SASL__NAME_MAX = 1024,     /* characters of a name or password */
    ONWARD_SASL__ITERATIONS_MIN = 4096, /* RFC 7677 section 4 */
    ONWARD_SASL__ITERATIONS_TOP = 10000000,
    ONWARD_SASL__KEY_LEN = 32,
    ONWARD_SASL__SALT_MIN = 8,
    ONWARD_SASL__SALT_MAX = 64
};

/* What a step of the server's side came to. Below 0: no memory, no randomness,
 * and nothing is left but to clear. */
enum onward_smtp__sasl_event {
    ONWARD_SASL_CHALLENGE = 0, /* send what is in out */
    ONWARD_SASL_ASK,           /* the host decides: _allow, _deny or _scram */
    ONWARD_SASL_ACCEPT,        /* it is who it says */
    ONWARD_SASL_REFUSE,        /* it is not */
    ONWARD_SASL_SYNTAX         /* that is no message of this mechanism */
};

/* What the client's side is waiting for. */
enum {
    ONWARD_SASL_REPLY = 0, /* send what is in out */
    ONWARD_SASL_BUSY = 1   /* a key is being computed: _work */
};

struct onward_smtp__sasl;

struct onward_smtp__sasl_mech {
    const char *name;
    enum onward_smtp_auth_mechanism id;
    bool server_first; /* its first message is the server's (LOGIN) */
    /* challenge.data is NULL at the start. ONWARD_SASL_REPLY, _BUSY, or
     * ONWARD_ESYNTAX, ONWARD_ELIMIT, ONWARD_ECRYPTO, ONWARD_ERANDOM,
     * ONWARD_ENOMEM. */
    int (*client)(struct onward_smtp__sasl *x, struct onward_str challenge,
                  struct onward_buf *out);
    /* response.data is NULL when there is no initial response. */
    int (*server)(struct onward_smtp__sasl *x, struct onward_str response,
                  struct onward_buf *out);
};

enum { ONWARD_SMTP__SASL_MECHS = 6 };
/* The strongest first. */
extern const struct onward_smtp__sasl_mech
    onward_smtp__sasl_mechs[ONWARD_SMTP__SASL_MECHS];

/* In any case of letters; NULL: not known. */
const struct onward_smtp__sasl_mech *
onward_smtp__sasl_find(struct onward_str name);
/* The strongest mechanism of a set; NULL: none. */
const struct onward_smtp__sasl_mech *onward_smtp__sasl_best(size_t set);

struct onward_smtp__scram {
    struct onward_str gs2;          /* header, with the last comma */
    struct onward_str first_bare;   /* client-first-message-bare */
    struct onward_str server_first; /* server-first-message */
    struct onward_str nonce;        /* the client's, later both */
    struct onward_str salt;
    size_t iterations, done;
    struct hmac_sha256_ctx password; /* keyed */
    unsigned char u[ONWARD_SASL__KEY_LEN], salted[ONWARD_SASL__KEY_LEN];
    unsigned char stored_key[ONWARD_SASL__KEY_LEN];
    unsigned char server_key[ONWARD_SASL__KEY_LEN]; /* client: the signature
                                                       that is expected */
    bool is_known; /* server: the user is there */
};

struct onward_smtp__sasl {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    const struct onward_smtp__sasl_mech *mech;
    unsigned step;
    /* Client: what it was given. Server: what it has heard. */
    struct onward_str authcid, authzid, password, token, host;
    size_t port;
    /* TLS below; borrowed, NULL without. */
    const struct onward_tls_facts *tls;
    bool plus_offered; /* by the server, whichever side this is */
    bool is_proven;    /* the peer is who it has to be */
    bool has_names;    /* server: they are prepared, fit for the host */
    size_t iterations_max;       /* client: more is refused */
    struct onward_str challenge; /* server: tests set the nonce, else empty */
    struct onward_smtp__scram scram;
};

/* Zero-filled is cleared. */
void onward_smtp__sasl_init(struct onward_smtp__sasl *x, struct onward_ctx *ctx,
                            const struct onward_smtp__sasl_mech *mech);
/* Wipes all it has. */
void onward_smtp__sasl_clear(struct onward_smtp__sasl *x);

/* ---- Client ------------------------------------------------------------ */

/* Who logs in. Texts are empty where there are none. */
struct onward_smtp__sasl_login {
    struct onward_str authcid, authzid, password, token, host;
    size_t port;
};

/*
 * Name and password of x->... are set: names prepared, the rest borrowed until
 * _clear. 0; ONWARD_ESYNTAX: not fit to be sent: a CR, LF or NUL, or a name
 * that is none; ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_smtp__sasl_login(struct onward_smtp__sasl *x,
                        const struct onward_smtp__sasl_login *login);
static inline int onward_smtp__sasl_client(struct onward_smtp__sasl *x,
                                           struct onward_str challenge,
                                           struct onward_buf *out)
{
    return x->mech->client(x, challenge, out);
}
/* At most `rounds` more of a key. As the client function. */
ONWARD_USE_RESULT int onward_smtp__sasl_work(struct onward_smtp__sasl *x,
                                             size_t rounds,
                                             struct onward_buf *out);

/* ---- Server ------------------------------------------------------------ */

/* Take a message. Names of a client that is asked about are prepared. */
ONWARD_USE_RESULT int onward_smtp__sasl_server(struct onward_smtp__sasl *x,
                                               struct onward_str response,
                                               struct onward_buf *out);
/* What the host said of a password or token. An event. */
ONWARD_USE_RESULT int onward_smtp__sasl_decide(struct onward_smtp__sasl *x,
                                               bool is_allowed,
                                               struct onward_buf *out);
/* The stored credentials, checked before; NULL: no such user, which the client
 * cannot see: then salt and iterations are what it is told. An event. */
ONWARD_USE_RESULT int
onward_smtp__sasl_scram(struct onward_smtp__sasl *x,
                        const struct onward_smtp_scram_credentials *known,
                        struct onward_str salt, size_t iterations,
                        struct onward_buf *out);
/* 0 or ONWARD_EINVAL. */
ONWARD_USE_RESULT int onward_smtp__scram_check(
    const struct onward_smtp_scram_credentials *credentials);

/* ---- Text (sasl_prep.c) ------------------------------------------------ */

enum onward_smtp__prep {
    ONWARD_PREP_QUERY, /* code points that are not assigned are allowed */
    ONWARD_PREP_STORED
};

/*
 * SASLprep (RFC 4013). 0; ONWARD_ESYNTAX: no UTF-8, a character that is
 * prohibited, directions mixed, too long, or nothing left; ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_smtp__saslprep(struct onward_arena *arena,
                                            struct onward_str text,
                                            enum onward_smtp__prep kind,
                                            struct onward_str *out);

/* ---- Base64 and other small things (sasl.c) ---------------------------- */

/* Nothing but base64 with all its padding. 0, ONWARD_ESYNTAX, ONWARD_ELIMIT or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_smtp__sasl_base64(struct onward_buf *out,
                                               struct onward_str text);
/* A copy in the arena, never NULL. */
ONWARD_USE_RESULT int onward_smtp__sasl_keep(struct onward_smtp__sasl *x,
                                             struct onward_str text,
                                             struct onward_str *out);
/* A name without controls, in UTF-8. */
bool onward_smtp__sasl_is_name(struct onward_str name);
bool onward_smtp__sasl_is_token(struct onward_str token);
/* Up to the first c, which goes too; what is left stays in *rest. False: there
 * is none. */
bool onward_smtp__sasl_split(struct onward_str *rest, unsigned char c,
                             struct onward_str *part);

/* ---- GS2 (RFC 5801 section 4), for SCRAM and OAUTHBEARER ---------------- */

struct onward_smtp__gs2 {
    char flag;               /* 'n', 'y' or 'p' */
    struct onward_str type;  /* of 'p' */
    struct onward_str header; /* all of it, with the last comma */
};

/* Reads the header off *rest; authzid, decoded, is copied into x. 0,
 * ONWARD_ESYNTAX or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_smtp__gs2_parse(struct onward_smtp__sasl *x,
                                             struct onward_str *rest,
                                             struct onward_smtp__gs2 *gs2);
/* "=2C" and "=3D". */
int onward_smtp__gs2_write_name(struct onward_buf *out, struct onward_str name);
ONWARD_USE_RESULT int onward_smtp__gs2_read_name(struct onward_smtp__sasl *x,
                                                 struct onward_str text,
                                                 struct onward_str *name);

/* ---- SCRAM (sasl_scram.c) ---------------------------------------------- */

/* Begin Hi(password, salt, iterations); password prepared. */
void onward_smtp__scram_hi_begin(struct onward_smtp__scram *s,
                                 struct onward_str password,
                                 struct onward_str salt, size_t iterations);
/* At most `rounds` more. True: s->salted is there. */
bool onward_smtp__scram_hi_go(struct onward_smtp__scram *s, size_t rounds);
void onward_smtp__scram_hmac(const unsigned char *key, struct onward_str text,
                             unsigned char *out);
void onward_smtp__scram_hash(const unsigned char *key, unsigned char *out);
/* StoredKey and ServerKey of s->salted; client_key is for the client, NULL for
 * others. */
void onward_smtp__scram_keys(const struct onward_smtp__scram *s,
                             unsigned char *client_key,
                             unsigned char *stored_key,
                             unsigned char *server_key);
/* The AuthMessage, whose last part is without the proof. */
ONWARD_USE_RESULT int onward_smtp__scram_message(struct onward_smtp__sasl *x,
                                                 struct onward_str final,
                                                 struct onward_str *message);
/* Append a nonce of our own to out: printable, without comma. */
ONWARD_USE_RESULT int onward_smtp__scram_add_nonce(struct onward_smtp__sasl *x,
                                                   struct onward_buf *out);
/* 1*(%x21-2B / %x2D-7E) */
bool onward_smtp__scram_is_nonce(struct onward_str text);
/* "r=" and its like off *rest, up to the comma or the end. */
bool onward_smtp__scram_attr(struct onward_str *rest, char name,
                             struct onward_str *value);
/* The data of a channel binding that the TLS below has; false: it has not. */
bool onward_smtp__scram_binding(const struct onward_tls_facts *tls,
                                struct onward_str type,
                                struct onward_str *data);
/* The binding that a client takes, NULL: none. */
const char *onward_smtp__scram_binding_type(const struct onward_tls_facts *tls);

int onward_smtp__plain_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out);
int onward_smtp__plain_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out);
int onward_smtp__login_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out);
int onward_smtp__login_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out);
int onward_smtp__oauth_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out);
int onward_smtp__oauth_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out);
int onward_smtp__oauth_refuse(struct onward_smtp__sasl *x,
                              struct onward_buf *out);
int onward_smtp__scram_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out);
int onward_smtp__scram_client_work(struct onward_smtp__sasl *x, size_t rounds,
                                   struct onward_buf *out);
int onward_smtp__scram_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out);

#endif
