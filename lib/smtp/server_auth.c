/*
 * AUTH on the server's side (RFC 4954): which mechanisms are offered, the
 * exchange of lines, and what the host says. The mechanisms themselves are in
 * sasl_*.c.
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"
#include "smtp/sasl_priv.h"

enum { FAKE_SALT_LEN = 16 };

/* While an exchange runs. */
struct server_auth {
    struct onward_smtp__sasl sasl;
    struct onward_buf in, out; /* one message, without base64 */
    /* Behind the host's answer to a question about SCRAM. */
    struct onward_smtp_scram_credentials credentials;
    unsigned char salt[ONWARD_SASL__SALT_MAX];
    unsigned char stored_key[ONWARD_SASL__KEY_LEN];
    unsigned char server_key[ONWARD_SASL__KEY_LEN];
    bool is_known;
};

/* ---- What is offered --------------------------------------------------- */

size_t server_auth_offer(const struct onward_smtp_server *s)
{
    const struct onward_tls_facts *tls = onward_smtp_server_tls(s);
    size_t set = s->auth_mechanisms;

    if (s->is_authenticated)
        return 0;
    if (!s->is_tls && (s->flags & ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH) == 0)
        set &= ~(size_t)ONWARD_SMTP_AUTH_REVEALING;
    if (onward_smtp__scram_binding_type(tls) == NULL)
        set &= ~(size_t)ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS;
    return set;
}

void server_auth_names(const struct onward_smtp_server *s,
                       struct onward_buf *text)
{
    size_t set = server_auth_offer(s);

    for (size_t i = 0; i < ONWARD_SMTP__SASL_MECHS; i++) {
        const struct onward_smtp__sasl_mech *mech = &onward_smtp__sasl_mechs[i];

        if ((set & (size_t)mech->id) == 0)
            continue;
        onward_core__buf_add_byte(text, ' ');
        onward_core__buf_add_text(text, mech->name);
    }
}

/* ---- The end of an exchange -------------------------------------------- */

static void fill_request(const struct onward_smtp__sasl *x,
                         struct onward_smtp_auth_request *request)
{
    *request = (struct onward_smtp_auth_request){
        .size = sizeof(*request),
        .kind = ONWARD_SMTP_AUTH_ASK_SCRAM,
        .mechanism = (size_t)x->mech->id,
        .authentication_id = x->authcid,
        .authorization_id = x->authzid,
        .host = x->host,
        .port = x->port,
    };
    if ((x->mech->id & ONWARD_SMTP_AUTH_BEARER) != 0) {
        request->kind = ONWARD_SMTP_AUTH_ASK_TOKEN;
        request->token = x->token;
    } else if ((x->mech->id & ONWARD_SMTP_AUTH_REVEALING) != 0) {
        request->kind = ONWARD_SMTP_AUTH_ASK_PASSWORD;
        request->password = x->password;
    }
}

/* The names without what was secret: the host may count failures. */
static void tell_host(struct onward_smtp_server *s, bool is_accepted)
{
    struct onward_smtp_auth_request request;

    if (s->host.auth_done == NULL || server_is_over(s))
        return;
    fill_request(&s->auth->sasl, &request);
    request.password = request.token = onward_core__str(NULL, 0);
    /* What made no sense may hold anything. */
    if (!s->auth->sasl.has_names)
        request.authentication_id = request.authorization_id = request.host =
            onward_core__str(NULL, 0);
    s->host.auth_done(s->host.user, &request, is_accepted);
}

static void finish(struct onward_smtp_server *s, enum onward_log_level level,
                   const char *event, const struct onward_smtp_reply *reply,
                   bool is_accepted)
{
    onward_core__log(s->ctx, level, "smtp", event, s->log_id,
                     onward_str_of(s->auth->sasl.mech->name));
    server_say_reply(s, reply, 0);
    tell_host(s, is_accepted);
    if (!server_is_over(s))
        server_exchange_end(s);
}

static void accept(struct onward_smtp_server *s,
                   const struct onward_smtp_reply *reply)
{
    const struct onward_smtp__sasl *x = &s->auth->sasl;

    server_login_set(s, x->authcid, x->authzid);
    if (s->error != 0)
        return;
    s->auth_mechanism = x->mech->id;
    finish(s, ONWARD_LOG_INFO, "authenticated", reply, true);
}

/* Guessing costs a connection each few tries. */
static void refuse(struct onward_smtp_server *s,
                   const struct onward_smtp_reply *reply)
{
    finish(s, ONWARD_LOG_WARN, "auth-failed", reply, false);
    if (server_is_over(s) || reply->code / 100 == 4 ||
        ++s->auth_failures < s->limits.auth_attempts)
        return;
    server_end_with(s, ONWARD_ELIMIT, 421, "4.7.0", "Too many failed logins",
                    "auth-attempts", onward_core__str(NULL, 0));
}

static const struct onward_smtp_reply welcome =
    SERVER_REPLY(235, "2.7.0", "Authentication succeeded");
static const struct onward_smtp_reply wrong =
    SERVER_REPLY(535, "5.7.8", "Authentication credentials invalid");
static const struct onward_smtp_reply garbled =
    SERVER_REPLY(501, "5.5.2", "Cannot make sense of that response");

/* ---- The host's answer ------------------------------------------------- */

static void go_on(struct onward_smtp_server *s, int event);

static bool fits_verdict(size_t code)
{
    return code == 235 || code / 100 == 4 || code / 100 == 5;
}

static void verdict_answered(struct onward_smtp_server *s,
                             struct server_question *q)
{
    struct server_auth *auth = s->auth;

    if (q->reply.code == 235) {
        accept(s, &q->reply);
    } else if (q->reply.code / 100 == 4 || server_is_last(&q->reply) ||
               (auth->sasl.mech->id & ONWARD_SMTP_AUTH_BEARER) == 0) {
        refuse(s, &q->reply);
    } else {
        /* First the reason in the mechanism's own words, then 535. */
        onward_core__buf_reset(&auth->out);
        go_on(s, onward_smtp__sasl_decide(&auth->sasl, false, &auth->out));
    }
}

static const struct server_asker verdict_asker = {
    .fits = fits_verdict,
    .usual = SERVER_REPLY(535, "5.7.8", "Authentication credentials invalid"),
    .failure = SERVER_REPLY(454, "4.7.0", "Temporary authentication failure"),
    .answered = verdict_answered,
};

static bool fits_refusal(size_t code)
{
    return code / 100 == 4 || code / 100 == 5;
}

/* The same for the same name, in this context. */
static void make_salt(const struct onward_smtp_server *s,
                      unsigned char salt[FAKE_SALT_LEN])
{
    struct onward_str name = s->auth->sasl.authcid;
    uint64_t first = onward_core__hash(s->ctx, name.data, name.len), second;
    unsigned char seed[sizeof(first) + 1];

    /* A second hash, of the first under a key of its own use. */
    memcpy(seed, &first, sizeof(first));
    seed[sizeof(first)] = 's';
    second = onward_core__hash(s->ctx, seed, sizeof(seed));
    seed[sizeof(first)] = 't';
    first = onward_core__hash(s->ctx, seed, sizeof(seed));
    memcpy(salt, &first, sizeof(first));
    memcpy(salt + sizeof(first), &second, sizeof(second));
}

static void scram_answered(struct onward_smtp_server *s,
                           struct server_question *q)
{
    struct server_auth *auth = s->auth;
    unsigned char fake[FAKE_SALT_LEN];

    if (q->reply.code != 334) {
        refuse(s, &q->reply);
        return;
    }
    make_salt(s, fake);
    onward_core__buf_reset(&auth->out);
    go_on(s, onward_smtp__sasl_scram(&auth->sasl,
                                     auth->is_known ? &auth->credentials : NULL,
                                     onward_core__str(fake, sizeof(fake)),
                                     s->limits.scram_iterations, &auth->out));
}

/* 334 is ours alone: the credentials are there, or there is no such user. */
static const struct server_asker scram_asker = {
    .fits = fits_refusal,
    .usual = SERVER_REPLY(334, "", ""),
    .failure = SERVER_REPLY(454, "4.7.0", "Temporary authentication failure"),
    .answered = scram_answered,
};

/* Into the exchange, so that the answer may come before its turn. */
static void keep_credentials(struct server_auth *auth,
                             const struct onward_smtp_scram_credentials *given)
{
    auth->is_known = true;
    memcpy(auth->salt, given->salt.data, given->salt.len);
    memcpy(auth->stored_key, given->stored_key.data, sizeof(auth->stored_key));
    memcpy(auth->server_key, given->server_key.data, sizeof(auth->server_key));
    auth->credentials = (struct onward_smtp_scram_credentials){
        .size = sizeof(auth->credentials),
        .iterations = given->iterations,
        .salt = {(const char *)auth->salt, given->salt.len},
        .stored_key = {(const char *)auth->stored_key,
                       sizeof(auth->stored_key)},
        .server_key = {(const char *)auth->server_key,
                       sizeof(auth->server_key)},
    };
}

int onward_smtp_auth_scram(
    struct onward_desk *desk, uint64_t token,
    const struct onward_smtp_scram_credentials *credentials)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_REPLY);
    struct onward_smtp_scram_credentials own;
    struct server_question *q;
    int err;

    if (ask == NULL)
        return ONWARD_ESTALE;
    q = ONWARD_CONTAINER(ask, struct server_question, ask);
    if (q->asker != &scram_asker)
        return ONWARD_EINVAL;
    if (credentials != NULL) {
        err = onward_core__opts_load(&own, sizeof(own), credentials);
        if (err == 0)
            err = onward_smtp__scram_check(&own);
        if (err < 0)
            return err;
        keep_credentials(q->session->auth, &own);
    }
    server_question_answer(q, &scram_asker.usual);
    return 0;
}

/* ---- The exchange ------------------------------------------------------ */

/* Not by server_say(): it would fold a long challenge into two lines. */
static void say_challenge(struct onward_smtp_server *s)
{
    struct server_auth *auth = s->auth;
    struct onward_buf wire;

    onward_core__buf_init(&wire, s->ctx, ONWARD_LIMIT_NONE);
    onward_core__buf_add_text(&wire, "334 ");
    onward_core__base64_encode(&wire, auth->out.data, auth->out.len);
    onward_core__buf_add(&wire, "\r\n", 2);
    server_say_wire(s, &wire);
}

static void ask(struct onward_smtp_server *s)
{
    struct onward_smtp_auth_request request;
    struct server_question *q;
    int handling;

    fill_request(&s->auth->sasl, &request);
    q = server_question_open(s, request.kind == ONWARD_SMTP_AUTH_ASK_SCRAM
                                    ? &scram_asker
                                    : &verdict_asker);
    if (q == NULL)
        return;
    handling = s->host.auth(s->host.user, q->ask.token, &request);
    server_question_asked(s, q, handling);
}

static void go_on(struct onward_smtp_server *s, int event)
{
    switch (event) {
    case ONWARD_SASL_CHALLENGE:
        say_challenge(s);
        break;
    case ONWARD_SASL_ASK:
        ask(s);
        break;
    case ONWARD_SASL_ACCEPT:
        accept(s, &welcome);
        break;
    case ONWARD_SASL_REFUSE:
        refuse(s, &wrong);
        break;
    case ONWARD_SASL_SYNTAX:
        refuse(s, &garbled);
        break;
    default:
        if (s->error == 0)
            s->error = event;
        break;
    }
}

/* text: base64, or data NULL for no initial response at all. */
static void take(struct onward_smtp_server *s, struct onward_str text)
{
    static const struct onward_smtp_reply bad =
        SERVER_REPLY(501, "5.5.2", "Cannot decode that base64");
    struct server_auth *auth = s->auth;
    struct onward_str response = onward_core__str(NULL, 0);
    int err = 0;

    onward_core__buf_reset(&auth->in);
    onward_core__buf_reset(&auth->out);
    if (text.data != NULL) {
        err = onward_smtp__sasl_base64(&auth->in, text);
        response = auth->in.len > 0 ? onward_core__buf_str(&auth->in)
                                    : onward_core__str("", 0);
    }
    if (err == 0)
        go_on(s, onward_smtp__sasl_server(&auth->sasl, response, &auth->out));
    else if (err == ONWARD_ENOMEM)
        s->error = err;
    else
        refuse(s, &bad);
}

static int auth_line(struct onward_smtp_server *s, struct onward_str line)
{
    if (line.len == 1 && line.data[0] == '*') {
        server_exchange_end(s);
        return server_say(s, 501, "5.7.0", "Authentication cancelled");
    }
    take(s, line.data != NULL ? line : onward_core__str("", 0));
    return SERVER_DONE;
}

static void auth_ended(struct onward_smtp_server *s)
{
    struct server_auth *auth = s->auth;

    s->auth = NULL;
    if (auth == NULL)
        return;
    onward_smtp__sasl_clear(&auth->sasl);
    onward_core__buf_clear(&auth->in);
    onward_core__buf_clear(&auth->out);
    onward_core__wipe(auth, sizeof(*auth));
    onward_core__free(s->ctx, auth);
}

static const struct server_exchange auth_exchange = {.line = auth_line,
                                                     .ended = auth_ended};

/* ---- The command ------------------------------------------------------- */

static bool begin(struct onward_smtp_server *s,
                  const struct onward_smtp__sasl_mech *mech)
{
    struct server_auth *auth = onward_core__zalloc(s->ctx, sizeof(*auth));

    if (auth == NULL) {
        s->error = ONWARD_ENOMEM;
        return false;
    }
    onward_smtp__sasl_init(&auth->sasl, s->ctx, mech);
    auth->sasl.tls = onward_smtp_server_tls(s);
    auth->sasl.plus_offered =
        (server_auth_offer(s) & ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS) != 0;
    onward_core__buf_init(&auth->in, s->ctx, ONWARD_SASL__LINE_MAX);
    onward_core__buf_init(&auth->out, s->ctx, ONWARD_SASL__LINE_MAX);
    auth->in.is_secret = auth->out.is_secret = true;
    onward_channel__mark_secret(&s->channel);
    server_exchange_begin(s, &auth_exchange);
    s->auth = auth;
    return true;
}

/* A mechanism that is not to be had now: not at all, or not without TLS. */
static int refuse_mechanism(struct onward_smtp_server *s,
                            const struct onward_smtp__sasl_mech *mech)
{
    if (mech != NULL && !s->is_tls &&
        (s->auth_mechanisms & (size_t)mech->id) != 0)
        return server_say(s, 538, "5.7.11",
                          "Encryption required for that mechanism");
    return server_say(s, 504, "5.5.4", "Mechanism not available");
}

int server_cmd_auth(struct onward_smtp_server *s, struct onward_str args)
{
    size_t name_len = onward_core__str_find(args, ' ');
    struct onward_str name = onward_core__sub(args, 0, name_len);
    struct onward_str initial = onward_core__str(NULL, 0);
    const struct onward_smtp__sasl_mech *mech = onward_smtp__sasl_find(name);

    if (s->auth_mechanisms == 0)
        return server_say(s, 502, "5.5.1", "AUTH is not offered");
    if (!s->is_esmtp || s->helo.len == 0)
        return server_say(s, 503, "5.5.1", "Send EHLO first");
    if (s->is_authenticated)
        return server_say(s, 503, "5.5.1", "Authenticated already");
    if (server_txn(s)->is_open)
        return server_say(s, 503, "5.5.1", "Not in a transaction");
    if (name.len == 0)
        return server_say(s, 501, "5.5.4", "Syntax: AUTH mechanism [response]");
    if (mech == NULL || (server_auth_offer(s) & (size_t)mech->id) == 0)
        return refuse_mechanism(s, mech);
    if (name_len < args.len) {
        initial = onward_core__sub(args, name_len + 1, args.len);
        if (initial.len == 1 && initial.data[0] == '=')
            initial.len = 0;
    }
    if (begin(s, mech))
        take(s, initial);
    return SERVER_DONE;
}

/* ---- Facts ------------------------------------------------------------- */

int onward_smtp_server_is_authenticated(
    const struct onward_smtp_server *session)
{
    return session->is_authenticated;
}

struct onward_str
onward_smtp_server_authentication_id(const struct onward_smtp_server *session)
{
    return session->login;
}

struct onward_str
onward_smtp_server_authorization_id(const struct onward_smtp_server *session)
{
    return session->login_as.len > 0 ? session->login_as : session->login;
}

int onward_smtp_server_auth_mechanism(const struct onward_smtp_server *session)
{
    return session->is_authenticated ? (int)session->auth_mechanism : 0;
}
