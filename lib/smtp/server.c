/*
 * The life of a server session, and the calls that the host makes on it but
 * for the facts (server_facts.c). What it does is in server_engine.c.
 */
#include "smtp/server_priv.h"

#include "smtp/sasl_priv.h"
#include "tls/tls_shared.h"

_Static_assert(
    offsetof(struct onward_smtp_server_host, auth_done) +
            sizeof(((struct onward_smtp_server_host *)0)->auth_done) ==
        sizeof(struct onward_smtp_server_host),
    "no tail padding");
_Static_assert(offsetof(struct onward_smtp_server_opts, scram_iterations) +
                       sizeof(size_t) ==
                   sizeof(struct onward_smtp_server_opts),
               "no tail padding");

enum { ALL_MECHANISMS = 63 };

enum {
    ALL_FLAGS =
        ONWARD_SMTP_SERVER_ALLOW_BARE_LF | ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8 |
        ONWARD_SMTP_SERVER_REQUIRE_TLS | ONWARD_SMTP_SERVER_HOST_TLS |
        ONWARD_SMTP_SERVER_REQUIRE_AUTH |
        ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED |
        ONWARD_SMTP_SERVER_ALLOW_CHUNKING |
        ONWARD_SMTP_SERVER_ALLOW_BINARYMIME | ONWARD_SMTP_SERVER_ALLOW_DSN |
        ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS |
        ONWARD_SMTP_SERVER_ALLOW_DELIVERBY | ONWARD_SMTP_SERVER_OFFER_LIMITS |
        ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH | ONWARD_SMTP_SERVER_REFUSE_EARLY |
        ONWARD_SMTP_SERVER_TRACE | SERVER_TRUST_FLAGS |
        ONWARD_SMTP_SERVER_EXPECT_PROXY | ONWARD_SMTP_SERVER_IMPLICIT_TLS
};

/* ---- Options ----------------------------------------------------------- */

static bool is_printable(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c < ' ' || c > '~')
            return false;
    }
    return true;
}

/* A name that we write into replies and fields: no space, no bracket that
 * would close a comment. */
static bool is_name(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' &&
            c != ':' && c != '[' && c != ']')
            return false;
    }
    return s.len <= SERVER_HELO_MAX;
}

static int check_opts(const struct onward_smtp_server_opts *o,
                      const struct onward_smtp_server_host *host)
{
    bool has_host_tls = (o->flags & ONWARD_SMTP_SERVER_HOST_TLS) != 0;

    if (host->rcpt == NULL || host->message_data == NULL ||
        host->message_end == NULL)
        return ONWARD_EINVAL;
    if ((o->flags & ~(size_t)ALL_FLAGS) != 0 ||
        o->mode > ONWARD_SMTP_SERVER_MODE_SUBMISSION)
        return ONWARD_EINVAL;
    if (o->hostname.len == 0 || !is_name(o->hostname) ||
        !is_name(o->client_name) || !is_printable(o->banner) ||
        o->banner.len > SERVER_HELO_MAX)
        return ONWARD_EINVAL;
    if (has_host_tls && (o->tls != NULL || host->starttls_ready == NULL))
        return ONWARD_EINVAL;
    if ((o->auth_mechanisms & ~(size_t)ALL_MECHANISMS) != 0 ||
        (o->auth_mechanisms != 0 && host->auth == NULL))
        return ONWARD_EINVAL;
    if (o->scram_iterations != 0 &&
        (o->scram_iterations < ONWARD_SASL__ITERATIONS_MIN ||
         o->scram_iterations > ONWARD_SASL__ITERATIONS_TOP))
        return ONWARD_EINVAL;
    if (o->tls == NULL && (o->flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) != 0)
        return ONWARD_EINVAL;
    if (o->tls != NULL && !onward_tls__config_is_server(o->tls))
        return ONWARD_EINVAL;
    return 0;
}

/* Beyond 32 bits it is no limit. */
static uint32_t resolve(size_t given, size_t dflt)
{
    size_t limit = onward_core__limit(given, dflt);

    return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

static void resolve_limits(struct onward_smtp_server *s,
                           const struct onward_smtp_server_opts *o)
{
    struct server_limits *l = &s->limits;

    l->line_bytes = resolve(o->line_bytes, 2048);
    l->recipients = resolve(o->recipients, 1000);
    l->errors = resolve(o->errors, 20);
    l->junk = resolve(o->junk, 100);
    l->message_bytes = onward_core__limit(
        o->message_bytes, onward_core__limits(s->ctx)->message_bytes);
    l->command_ms = resolve(o->command_ms, 300000);
    l->data_ms = resolve(o->data_ms, 180000);
    l->tls_ms = resolve(o->tls_ms, 120000);
    l->answer_ms = resolve(o->answer_ms, 300000);
    l->session_bytes = resolve(o->session_bytes, 262144);
    l->auth_attempts = resolve(o->auth_attempts, 3);
    l->scram_iterations = resolve(o->scram_iterations, 15000);
    l->data_rate = resolve(o->data_rate, 256);
    if (l->data_rate == 0)
        l->data_rate = 1;
}

/* Behind the struct, so that an idle session is one block. */
static uint8_t keep(char **at, struct onward_str s)
{
    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return (uint8_t)s.len;
}

/* ---- Life -------------------------------------------------------------- */

static void run_task(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_smtp_server *s =
        ONWARD_CONTAINER(task, struct onward_smtp_server, task);

    (void)now_ms;
    onward_channel__enter(&s->channel);
    if (s->state == SERVER_NEW) {
        if (s->is_shutdown)
            s->state = SERVER_COMMAND;
        else
            server_open(s);
    }
    if (!onward_channel__is_dead(&s->channel))
        server_go(s);
    if (onward_channel__leave(&s->channel))
        return;
}

/* What is spoken here (RFC 5321 section 4.3.1, RFC 2033 section 5). */
static struct onward_str banner_of(const struct onward_smtp_server_opts *o)
{
    if (o->banner.len > 0)
        return o->banner;
    return o->mode == ONWARD_SMTP_SERVER_MODE_LMTP ? ONWARD_STR("LMTP")
                                                   : ONWARD_STR("ESMTP");
}

static size_t lmtp_out_max(size_t recipients)
{
    size_t bytes;

    if (onward_size_mul(recipients, SERVER_REPLY_ROOM, &bytes) < 0 ||
        onward_size_add(bytes, SERVER_OUT_USUAL, &bytes) < 0)
        return ONWARD_LIMIT_NONE;
    return bytes;
}

static void server_init(struct onward_smtp_server *s, struct onward_desk *desk,
                        const struct onward_smtp_server_opts *o,
                        const struct onward_smtp_server_host *host)
{
    struct onward_channel_bounds bounds = {.is_small = true};
    char *tail = (char *)(s + 1);

    s->ctx = onward_ctx_ref(onward_core__desk_ctx(desk));
    s->desk = desk;
    s->host = *host;
    s->flags = o->flags;
    s->auth_mechanisms = o->auth_mechanisms;
    s->mode = (enum onward_smtp_server_mode)o->mode;
    s->log_id = o->log_id != 0 ? o->log_id : onward_core__desk_log_id(desk);
    s->hostname_len = keep(&tail, o->hostname);
    s->banner_len = keep(&tail, banner_of(o));
    s->client_name_len = keep(&tail, o->client_name);
    if (o->client_ip != NULL)
        s->client_ip = *o->client_ip;
    s->client_port = (uint16_t)o->client_port;
    if (o->tls != NULL)
        s->tls = onward_tls_config_ref(o->tls);
    resolve_limits(s, o);
    /* LMTP: a reply for each recipient, on top of what is usual. */
    if (s->mode == ONWARD_SMTP_SERVER_MODE_LMTP)
        bounds.out_max = lmtp_out_max(s->limits.recipients);
    onward_channel__init(&s->channel, s->ctx, desk, &server_channel_ops, s,
                         &bounds);
    onward_core__task_init(&s->task, desk, run_task);
    onward_core__buf_init(&s->line, s->ctx, ONWARD_LIMIT_NONE);
}

int onward_smtp_server_new(struct onward_desk *desk,
                           const struct onward_smtp_server_opts *opts,
                           const struct onward_smtp_server_host *host,
                           struct onward_smtp_server **session)
{
    struct onward_smtp_server_opts o;
    struct onward_smtp_server_host h;
    struct onward_smtp_server *s;
    int err;

    if (desk == NULL || opts == NULL || host == NULL || session == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = check_opts(&o, &h);
    if (err < 0)
        return err;
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    s = onward_core__zalloc(onward_core__desk_ctx(desk),
                            sizeof(*s) + o.hostname.len +
                                banner_of(&o).len + o.client_name.len);
    if (s == NULL)
        return ONWARD_ENOMEM;
    server_init(s, desk, &o, &h);
    if ((o.flags & ONWARD_SMTP_SERVER_EXPECT_PROXY) != 0) {
        s->error = server_proxy_begin(s);
        server_update(s);
    } else if ((o.flags & ONWARD_SMTP_SERVER_IMPLICIT_TLS) != 0) {
        server_open(s);
        server_update(s);
    } else if (h.connect != NULL) {
        onward_core__task_ready(&s->task);
    } else {
        server_greet(s);
        server_go(s);
    }
    if (s->error != 0) {
        err = s->error;
        s->host.closed = NULL;
        onward_smtp_server_free(s);
        return err;
    }
    *session = s;
    return 0;
}

static void txn_free(struct onward_smtp_server *s)
{
    if (s->txn == NULL)
        return;
    onward_core__arena_clear(&s->txn->arena);
    onward_core__free(s->ctx, s->txn->rcpts);
    onward_core__free(s->ctx, s->txn);
    s->txn = NULL;
}

static void destroy(struct onward_smtp_server *s)
{
    struct onward_ctx *ctx = s->ctx;

    server_questions_drop(s);
    server_exchange_end(s);
    server_line_drop(s);
    server_peer_drop(s);
    server_login_set(s, onward_core__str(NULL, 0), onward_core__str(NULL, 0));
    onward_channel__clear(&s->channel);
    onward_core__task_clear(&s->task);
    txn_free(s);
    server_chunk_drop(s);
    onward_core__free(ctx, (void *)(uintptr_t)s->helo.data);
    onward_core__free(ctx, (void *)(uintptr_t)s->new_helo.data);
    if (s->host_facts != NULL)
        onward_tls__facts_wipe(s->host_facts);
    onward_core__free(ctx, s->host_facts);
    onward_tls_config_free(s->tls);
    onward_core__free(ctx, s);
    onward_ctx_free(ctx);
}

void onward_smtp_server_free(struct onward_smtp_server *session)
{
    if (session == NULL)
        return;
    server_questions_close(session);
    if (onward_channel__free_begin(&session->channel))
        destroy(session);
}

struct onward_channel *
onward_smtp_server_channel(struct onward_smtp_server *session)
{
    return &session->channel;
}

/* ---- Ends -------------------------------------------------------------- */

const struct server_txn server_no_txn = {.rcpts = NULL};

int server_txn_begin(struct onward_smtp_server *s)
{
    s->txn = onward_core__zalloc(s->ctx, sizeof(*s->txn));
    if (s->txn == NULL)
        return ONWARD_ENOMEM;
    onward_core__arena_init(&s->txn->arena, s->ctx, s->limits.session_bytes);
    return 0;
}

void server_txn_drop(struct onward_smtp_server *s, enum onward_smtp_reset why)
{
    bool was_open = server_txn(s)->is_open;

    if (s->txn != NULL)
        s->txn->is_open = false;
    if (was_open && s->host.reset != NULL &&
        !onward_core__desk_is_dead(s->desk)) {
        s->host.reset(s->host.user, (int)why);
        if (onward_channel__is_dead(&s->channel))
            return;
    }
    txn_free(s);
    server_peer_forget_forwarded(s);
}

void server_end(struct onward_smtp_server *s, int status)
{
    if (s->state == SERVER_CLOSED || onward_channel__is_dead(&s->channel))
        return;
    s->state = SERVER_CLOSED;
    s->wait = SERVER_WAIT_NOTHING;
    server_questions_drop(s);
    server_exchange_end(s);
    server_chunk_drop(s);
    onward_channel__set_timeout(&s->channel, SERVER_CLOSE_MS);
    onward_channel__close(&s->channel);
    server_txn_drop(s, ONWARD_SMTP_RESET_CLOSED);
    if (s->host.closed != NULL && !onward_channel__is_dead(&s->channel) &&
        !onward_core__desk_is_dead(s->desk))
        s->host.closed(s->host.user, status);
}

void server_forget(struct onward_smtp_server *s)
{
    server_txn_drop(s, ONWARD_SMTP_RESET_TLS);
    if (onward_channel__is_dead(&s->channel))
        return;
    onward_core__free(s->ctx, (void *)(uintptr_t)s->helo.data);
    s->helo = onward_core__str(NULL, 0);
    s->is_esmtp = false;
    server_login_set(s, onward_core__str(NULL, 0), onward_core__str(NULL, 0));
}

void server_login_set(struct onward_smtp_server *s, struct onward_str who,
                      struct onward_str as)
{
    char *copy = NULL;

    if (who.len + as.len > 0) {
        copy = onward_core__alloc(s->ctx, who.len + as.len);
        if (copy == NULL) {
            if (s->error == 0)
                s->error = ONWARD_ENOMEM;
            return;
        }
        if (who.len > 0)
            memcpy(copy, who.data, who.len);
        if (as.len > 0)
            memcpy(copy + who.len, as.data, as.len);
    }
    onward_core__free(s->ctx, (void *)(uintptr_t)s->login.data);
    s->login = onward_core__str(copy, who.len);
    s->login_as = onward_core__sub(onward_core__str(copy, who.len + as.len),
                                   who.len, who.len + as.len);
    s->is_authenticated = who.data != NULL;
    s->auth_mechanism = ONWARD_SMTP_AUTH_NONE;
}

/* ---- Pause and shutdown ------------------------------------------------ */

/* A message that began at *start_ms was kept waiting by the host till now. */
static void shift(int64_t *start_ms, int64_t paused_ms, int64_t now_ms)
{
    *start_ms += now_ms - (*start_ms > paused_ms ? *start_ms : paused_ms);
}

void onward_smtp_server_pause(struct onward_smtp_server *session)
{
    if (!session->is_host_paused)
        session->paused_ms = onward_channel__now(&session->channel);
    session->is_host_paused = true;
    onward_channel__pause(&session->channel);
    if (!onward_channel__is_busy(&session->channel))
        server_update(session);
}

void onward_smtp_server_resume(struct onward_smtp_server *session)
{
    int64_t now_ms = onward_channel__now(&session->channel);

    if (session->is_host_paused && session->txn != NULL)
        shift(&session->txn->start_ms, session->paused_ms, now_ms);
    if (session->is_host_paused && session->chunk != NULL)
        shift(&session->chunk->start_ms, session->paused_ms, now_ms);
    session->is_host_paused = false;
    if (!onward_channel__is_busy(&session->channel))
        server_update(session);
}

void onward_smtp_server_shutdown(struct onward_smtp_server *session)
{
    session->is_shutdown = true;
    onward_core__task_ready(&session->task);
}
