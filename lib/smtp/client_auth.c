/*
 * AUTH on the client's side (RFC 4954): a step between EHLO and the first
 * message. The strongest mechanism that is offered and allowed is tried, and
 * no other one: who sits between could make it fail to get a weaker one.
 */
#include "smtp/client_priv.h"

#include "core/text_shared.h"
#include "smtp/sasl_priv.h"

enum {
    COMMAND_MAX = 512, /* RFC 5321 section 4.5.3.1.4, with CRLF */
    ROUNDS = 4096,     /* of a key in one turn: two milliseconds */
    ITERATIONS_MAX = 250000
};

struct onward_smtp__client_auth {
    struct onward_smtp__sasl sasl; /* names and secrets in its arena */
    struct onward_buf message;     /* ours, without base64 */
    struct onward_buf challenge;
    struct onward_buf line;
    size_t mechanisms;
    bool allow_clear;
    bool is_pending;   /* the message waits for an empty challenge */
    bool is_busy;      /* with a key, in the client's task */
    bool is_cancelled; /* "*" was said */
    struct onward_smtp__outcome why; /* it was */
};

/* ---- Life -------------------------------------------------------------- */

static int check(const struct onward_smtp_client_login *login)
{
    size_t iterations = login->iterations_max;

    if ((login->mechanisms & ~(size_t)63) != 0 || login->allow_clear > 1 ||
        (login->password.len == 0 && login->token.len == 0) ||
        (login->user.len == 0 && login->password.len > 0))
        return ONWARD_EINVAL;
    return iterations != 0 && (iterations < ONWARD_SASL__ITERATIONS_MIN ||
                               iterations > ONWARD_SASL__ITERATIONS_TOP)
               ? ONWARD_EINVAL
               : 0;
}

/* Copies, which are wiped with the arena; names come out prepared. */
static int keep(struct onward_smtp__client_auth *auth,
                const struct onward_smtp_client_login *login)
{
    struct onward_smtp__sasl *x = &auth->sasl;
    struct onward_smtp__sasl_login own = {.port = login->port};
    const struct {
        struct onward_str from, *to;
    } texts[] = {
        {login->user, &own.authcid},    {login->authorization_id, &own.authzid},
        {login->password, &own.password}, {login->token, &own.token},
        {login->server_name, &own.host},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int err = onward_smtp__sasl_keep(x, texts[i].from, texts[i].to);

        if (err < 0)
            return err;
    }
    return onward_smtp__sasl_login(x, &own);
}

int onward_smtp__auth_load(struct onward_smtp_client *c,
                           const struct onward_smtp_client_login *given)
{
    struct onward_smtp_client_login login;
    struct onward_smtp__client_auth *auth;
    int err;

    if (given == NULL)
        return 0;
    err = onward_core__opts_load(&login, sizeof(login), given);
    if (err == 0)
        err = check(&login);
    if (err < 0)
        return err;
    auth = onward_core__zalloc(c->ctx, sizeof(*auth));
    if (auth == NULL)
        return ONWARD_ENOMEM;
    c->auth = auth;
    onward_smtp__sasl_init(&auth->sasl, c->ctx, NULL);
    onward_core__buf_init(&auth->message, c->ctx, ONWARD_SASL__LINE_MAX);
    onward_core__buf_init(&auth->challenge, c->ctx, ONWARD_SASL__LINE_MAX);
    onward_core__buf_init(&auth->line, c->ctx, 2 * ONWARD_SASL__LINE_MAX);
    auth->message.is_secret = auth->line.is_secret = true;
    auth->sasl.iterations_max =
        login.iterations_max == 0 ? ITERATIONS_MAX : login.iterations_max;
    auth->mechanisms = login.mechanisms == 0 ? 63 : login.mechanisms;
    if (login.password.len == 0)
        auth->mechanisms &= (size_t)ONWARD_SMTP_AUTH_BEARER;
    if (login.token.len == 0)
        auth->mechanisms &= (size_t)ONWARD_SMTP_AUTH_PASSWORD;
    if (login.authorization_id.len > 0) /* where it can be told */
        auth->mechanisms &= (size_t)(ONWARD_SMTP_AUTH_PLAIN |
                                     ONWARD_SMTP_AUTH_SCRAM_SHA_256 |
                                     ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS);
    auth->allow_clear = login.allow_clear == 1;
    return keep(auth, &login);
}

void onward_smtp__auth_clear(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;

    c->auth = NULL;
    if (auth == NULL)
        return;
    onward_smtp__sasl_clear(&auth->sasl);
    onward_core__buf_clear(&auth->message);
    onward_core__buf_clear(&auth->challenge);
    onward_core__buf_clear(&auth->line);
    onward_core__free(c->ctx, auth);
}

/* ---- Giving up --------------------------------------------------------- */

static void set_why(struct onward_smtp__outcome *why,
                    enum onward_smtp_cause cause, const char *text)
{
    onward_smtp__outcome_local(why, ONWARD_SMTP_PHASE_AUTH, cause);
    why->text = onward_str_of(text);
}

static int refuse(struct onward_smtp_client *c,
                  const struct onward_smtp__outcome *why)
{
    int err = onward_smtp__client_refuse(c, why);

    onward_smtp__auth_clear(c);
    return err < 0 ? err : ONWARD_SETUP_OVER;
}

static const char *text_of(int error)
{
    switch (error) {
    case ONWARD_ECRYPTO:
        return "the server did not prove that it knows the user";
    case ONWARD_ELIMIT:
        return "the server's SCRAM iteration count is out of range";
    case ONWARD_ECANCELED:
        return "the server ended the SCRAM exchange with an error";
    case ONWARD_ERANDOM:
        return "there is no randomness for a nonce";
    default:
        return "the server's challenge does not follow the mechanism";
    }
}

/* RFC 4954 section 4: the answer to "*" is 501, then all is told. */
static int cancel(struct onward_smtp_client *c, int error)
{
    int err;

    set_why(&c->auth->why, ONWARD_SMTP_CAUSE_AUTH, text_of(error));
    c->auth->is_cancelled = true;
    err = onward_smtp__write_verb(c, "*");
    return err < 0 ? err : ONWARD_SETUP_REPLY;
}

/* ---- Messages ---------------------------------------------------------- */

static int write_line(struct onward_smtp_client *c)
{
    struct onward_buf *line = &c->auth->line;
    int err = onward_core__buf_add(line, "\r\n", 2);

    onward_channel__mark_secret(&c->channel);
    if (err == 0)
        err = onward_channel__write_str(&c->channel, onward_core__buf_str(line));
    onward_core__buf_clear(line);
    return err < 0 ? err : ONWARD_SETUP_REPLY;
}

static int write_message(struct onward_smtp_client *c)
{
    struct onward_buf *message = &c->auth->message;

    onward_core__base64_encode(&c->auth->line, message->data, message->len);
    onward_core__buf_clear(message);
    return write_line(c);
}

/* What a step of the mechanism came to. */
static int go_on(struct onward_smtp_client *c, int result)
{
    if (result == ONWARD_ENOMEM)
        return result;
    if (result < 0)
        return cancel(c, result);
    c->auth->is_busy = result == ONWARD_SASL_BUSY;
    if (!c->auth->is_busy)
        return write_message(c);
    onward_core__task_ready(&c->task);
    return ONWARD_SETUP_HOST;
}

void onward_smtp__auth_work(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;
    int result;

    if (auth == NULL || !auth->is_busy || c->state != ONWARD_CLIENT_SETUP ||
        c->is_interrupted)
        return;
    result = onward_smtp__sasl_work(&auth->sasl, ROUNDS, &auth->message);
    if (result == ONWARD_SASL_BUSY)
        onward_core__task_ready(&c->task);
    else
        onward_smtp__setup_resume(c, go_on(c, result));
}

/* ---- The command ------------------------------------------------------- */

static size_t read_offer(const struct onward_smtp_client *c)
{
    struct onward_str names, name;
    size_t set = 0;

    if (!onward_smtp__offers_find(&c->offers, ONWARD_STR("AUTH"), &names))
        return 0;
    while (names.len > 0) {
        const struct onward_smtp__sasl_mech *mech;

        if (!onward_smtp__sasl_split(&names, ' ', &name)) {
            name = names;
            names.len = 0;
        }
        mech = onward_smtp__sasl_find(name);
        if (mech != NULL)
            set |= (size_t)mech->id;
    }
    return set;
}

/* With the initial response where it fits into a line. */
static int say_auth(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;
    const struct onward_smtp__sasl_mech *mech = auth->sasl.mech;
    struct onward_buf *message = &auth->message;
    size_t encoded = onward_core__base64_encoded_len(message->len);

    onward_core__buf_add_text(&auth->line, "AUTH ");
    onward_core__buf_add_text(&auth->line, mech->name);
    if (mech->server_first)
        return write_line(c);
    if (encoded + auth->line.len + 3 > COMMAND_MAX) {
        auth->is_pending = true;
        return write_line(c);
    }
    onward_core__buf_add_byte(&auth->line, ' ');
    return write_message(c);
}

int onward_smtp__auth_begin(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;
    struct onward_smtp__outcome why;
    size_t set;
    int result;

    if (auth == NULL)
        return ONWARD_SETUP_DONE;
    set = read_offer(c);
    auth->sasl.plus_offered = (set & ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS) != 0;
    auth->sasl.tls = onward_smtp__tls_facts_of(c);
    set &= auth->mechanisms;
    if (!c->is_secured && !auth->allow_clear)
        set &= ~(size_t)ONWARD_SMTP_AUTH_REVEALING;
    if (onward_smtp__scram_binding_type(auth->sasl.tls) == NULL)
        set &= ~(size_t)ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS;
    auth->sasl.mech = onward_smtp__sasl_best(set);
    if (auth->sasl.mech == NULL) {
        onward_smtp__outcome_local(&why, ONWARD_SMTP_PHASE_AUTH,
                                   ONWARD_SMTP_CAUSE_NO_AUTH);
        return refuse(c, &why);
    }
    result = onward_smtp__sasl_client(&auth->sasl, onward_core__str(NULL, 0),
                                      &auth->message);
    if (result == ONWARD_ENOMEM)
        return result;
    if (result < 0) { /* nothing was said yet */
        set_why(&why, ONWARD_SMTP_CAUSE_AUTH, text_of(result));
        return refuse(c, &why);
    }
    return say_auth(c);
}

/* ---- Replies ----------------------------------------------------------- */

static int take_challenge(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;
    struct onward_smtp_reply reply;
    int err;

    onward_smtp__reply_parser_get(&c->reply, &reply);
    onward_core__buf_reset(&auth->challenge);
    err = onward_smtp__sasl_base64(&auth->challenge, reply.text);
    if (err < 0)
        return err == ONWARD_ENOMEM ? err : cancel(c, ONWARD_ESYNTAX);
    if (auth->is_pending) {
        auth->is_pending = false;
        return auth->challenge.len == 0 ? write_message(c)
                                        : cancel(c, ONWARD_ESYNTAX);
    }
    return go_on(c, onward_smtp__sasl_client(
                        &auth->sasl, onward_core__buf_str(&auth->challenge),
                        &auth->message));
}

int onward_smtp__auth_reply(struct onward_smtp_client *c)
{
    struct onward_smtp__client_auth *auth = c->auth;
    struct onward_smtp__outcome why;
    size_t code = c->reply.code;

    if (auth->is_cancelled)
        return refuse(c, &auth->why);
    if (code == 334)
        return take_challenge(c);
    if (code == 235 && auth->sasl.is_proven) {
        onward_core__log(c->ctx, ONWARD_LOG_INFO, "smtp", "authenticated",
                         c->opts.log_id,
                         onward_str_of(auth->sasl.mech->name));
        c->auth_mechanism = auth->sasl.mech->id;
        onward_smtp__auth_clear(c);
        return ONWARD_SETUP_DONE;
    }
    if (code == 235) {
        set_why(&why, ONWARD_SMTP_CAUSE_AUTH, text_of(ONWARD_ECRYPTO));
    } else {
        onward_smtp__outcome_reply(&why, c, ONWARD_SMTP_PHASE_AUTH, &c->arena,
                                   NULL);
        /* Says nothing about a message. */
        why.fate = ONWARD_SMTP_FATE_TEMPORARY;
    }
    return refuse(c, &why);
}

int onward_smtp_client_auth_mechanism(const struct onward_smtp_client *client)
{
    return (int)client->auth_mechanism;
}
