/*
 * The client session as the host holds it: its life, messages handed in, and
 * what the host is told, all of it inside the desk's run.
 */
#include "smtp/client_priv.h"

_Static_assert(offsetof(struct onward_smtp_client_opts, reserved_end) +
                       sizeof(size_t) ==
                   sizeof(struct onward_smtp_client_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_smtp_outcome, notes) + sizeof(size_t) ==
                   sizeof(struct onward_smtp_outcome),
               "no tail padding");

/* A session takes 64 KiB at most: one block of a message twice over, and a
 * reply beside it. */
static const struct onward_channel_bounds bounds = {
    .out_high = 16384,
    .out_low = 4096,
    .reads_while_full = true,
};

enum { SCRATCH_MAX = 16384 };

/* ---- Life -------------------------------------------------------------- */

static void load_limits(struct onward_smtp_client_opts *o)
{
    const struct {
        size_t *field;
        size_t dflt;
    } limits[] = {
        {&o->greeting_timeout_ms, 300000},
        {&o->command_timeout_ms, 300000},
        {&o->tls_timeout_ms, 300000},
        {&o->data_timeout_ms, 120000},
        {&o->block_timeout_ms, 180000},
        {&o->final_timeout_ms, 600000},
        {&o->delivery_timeout_ms, 3600000},
        {&o->reply_line_bytes, 2048},
        {&o->reply_lines, 100},
        {&o->reply_bytes, 16384},
        {&o->max_rcpts, 1000},
        {&o->chunk_bytes, 1048576},
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        *limits[i].field = onward_core__limit(*limits[i].field, limits[i].dflt);
}

static bool are_flags_good(const struct onward_smtp_client *c)
{
    const size_t all =
        ONWARD_SMTP_CLIENT_LMTP | ONWARD_SMTP_CLIENT_IMPLICIT_TLS |
        ONWARD_SMTP_CLIENT_HOST_TLS | ONWARD_SMTP_CLIENT_PREFER_BDAT |
        ONWARD_SMTP_CLIENT_IN_STEP;
    size_t flags = c->opts.flags;

    if ((flags & ONWARD_SMTP_CLIENT_HOST_TLS) != 0 &&
        c->host.starttls_ready == NULL)
        return false;
    return (flags & ~all) == 0;
}

/* c->opts and c->host from the caller's, checked. */
static int load(struct onward_smtp_client *c,
                const struct onward_smtp_client_opts *opts,
                const struct onward_smtp_client_host *host)
{
    struct onward_tls_config *tls;
    int err = onward_core__opts_load(&c->opts, sizeof(c->opts), opts);

    /* The caller's until we have counted ourselves. */
    tls = c->opts.tls;
    c->opts.tls = NULL;
    if (err == 0)
        err = onward_core__opts_load(&c->host, sizeof(c->host), host);
    if (err != 0)
        return err;
    if (c->opts.ehlo_name.len == 0 || c->opts.allow_bare_newline_repair > 1 ||
        c->opts.reserved != 0 || c->opts.reserved_end != 0 ||
        !are_flags_good(c))
        return ONWARD_EINVAL;
    if (!onward_smtp__is_helo_name(c->opts.ehlo_name))
        return ONWARD_ESYNTAX;
    err = onward_core__arena_dup(&c->arena, c->opts.ehlo_name,
                                 &c->opts.ehlo_name);
    if (err == 0)
        err = onward_smtp__tls_load(c, tls);
    if (err == 0)
        err = onward_smtp__auth_load(c, c->opts.login);
    c->opts.login = NULL;
    load_limits(&c->opts);
    if (err == 0 && c->opts.chunk_bytes == 0)
        return ONWARD_EINVAL;
    if (c->opts.log_id == 0)
        c->opts.log_id = onward_core__desk_log_id(c->desk);
    return err;
}

static void init_parts(struct onward_smtp_client *c)
{
    onward_channel__init(&c->channel, c->ctx, c->desk, &onward_smtp__client_ops,
                         c, &bounds);
    onward_core__task_init(&c->task, c->desk, onward_smtp__client_run);
    onward_core__buf_init(&c->scratch, c->ctx, SCRATCH_MAX);
    onward_core__arena_init(&c->arena, c->ctx, ONWARD_LIMIT_NONE);
    onward_core__arena_init(&c->mail.arena, c->ctx, ONWARD_LIMIT_NONE);
}

/* What depends on the options. */
static void init_limits(struct onward_smtp_client *c)
{
    onward_smtp__reply_parser_init(&c->reply, c->ctx, c->opts.reply_line_bytes,
                                   c->opts.reply_lines);
    c->reply.text.max = c->opts.reply_bytes;
    onward_smtp__offers_init(&c->offers, c->ctx, c->opts.reply_bytes);
    onward_smtp__expect_within(c, c->opts.greeting_timeout_ms);
}

int onward_smtp_client_new(struct onward_desk *desk,
                           const struct onward_smtp_client_opts *opts,
                           const struct onward_smtp_client_host *host,
                           struct onward_smtp_client **client)
{
    struct onward_smtp_client *c;
    int err;

    if (desk == NULL || opts == NULL || host == NULL || client == NULL)
        return ONWARD_EINVAL;
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    c = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*c));
    if (c == NULL)
        return ONWARD_ENOMEM;
    c->ctx = onward_ctx_ref(onward_core__desk_ctx(desk));
    c->desk = desk;
    init_parts(c);
    err = load(c, opts, host);
    if (err != 0) {
        onward_smtp__client_destroy(c);
        return err;
    }
    init_limits(c);
    if ((c->opts.flags & ONWARD_SMTP_CLIENT_IMPLICIT_TLS) != 0)
        err = onward_smtp__tls_first(c);
    if (err != 0) {
        onward_smtp__client_destroy(c);
        return err;
    }
    *client = c;
    return 0;
}

void onward_smtp__client_destroy(struct onward_smtp_client *c)
{
    struct onward_ctx *ctx = c->ctx;

    onward_mime__pull_clear(&c->mail.pull);
    onward_smtp__auth_clear(c);
    onward_core__task_clear(&c->task);
    onward_channel__clear(&c->channel);
    onward_core__free(ctx, c->mail.rcpts);
    onward_core__free(ctx, c->domains.hashes);
    onward_core__arena_clear(&c->mail.arena);
    if (c->host_facts != NULL)
        onward_tls__facts_wipe(c->host_facts);
    onward_core__arena_clear(&c->arena);
    onward_core__buf_clear(&c->scratch);
    onward_smtp__reply_parser_clear(&c->reply);
    onward_smtp__offers_forget(&c->offers);
    onward_tls_config_free(c->opts.tls);
    onward_core__free(ctx, c);
    onward_ctx_free(ctx);
}

void onward_smtp_client_free(struct onward_smtp_client *client)
{
    if (client != NULL && onward_channel__free_begin(&client->channel))
        onward_smtp__client_destroy(client);
}

struct onward_channel *
onward_smtp_client_channel(struct onward_smtp_client *client)
{
    return &client->channel;
}

/* ---- What the host is told --------------------------------------------- */

/* One callback, if it is due. False: the client is dead, say no more. */
static bool tell(struct onward_smtp_client *c, bool *is_due,
                 void (*callback)(void *user,
                                  struct onward_smtp_client *client))
{
    if (!*is_due)
        return true;
    *is_due = false;
    if (callback != NULL) {
        c->in_callback = true;
        callback(c->host.user, c);
        c->in_callback = false;
    }
    return !onward_channel__is_dead(&c->channel) &&
           !onward_core__desk_is_dead(c->desk);
}

static void tell_news(struct onward_smtp_client *c)
{
    struct onward_smtp__news *news = &c->news;

    (void)(tell(c, &news->starttls, c->host.starttls_ready) &&
           tell(c, &news->ready, c->host.ready) &&
           tell(c, &news->held, c->host.held) &&
           tell(c, &news->done, c->host.done) &&
           tell(c, &news->closed, c->host.closed));
}

static void watch_deadline(struct onward_smtp_client *c, int64_t now_ms)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t ms = c->opts.delivery_timeout_ms;

    if (!onward_smtp__mail_is_open(mail) || ms == ONWARD_LIMIT_NONE)
        return;
    if (!mail->has_deadline) {
        mail->has_deadline = true;
        mail->deadline_ms = (uint64_t)ms > (uint64_t)(INT64_MAX - now_ms)
                                ? ONWARD_NEVER
                                : now_ms + (int64_t)ms;
        onward_core__task_deadline(&c->task, mail->deadline_ms);
    }
    if (now_ms >= mail->deadline_ms)
        onward_smtp__client_end_for(c, ONWARD_SMTP_CAUSE_DEADLINE);
}

void onward_smtp__client_run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_smtp_client *c =
        ONWARD_CONTAINER(task, struct onward_smtp_client, task);

    onward_channel__enter(&c->channel);
    watch_deadline(c, now_ms);
    if (c->mail.state == ONWARD_MAIL_CHECKING)
        onward_smtp__mail_look_ahead(c);
    onward_smtp__auth_work(c);
    /* What failed is in the outcomes. */
    onward_smtp__client_advance(c);
    tell_news(c);
    if (onward_channel__leave(&c->channel))
        return;
}

/* ---- Messages ---------------------------------------------------------- */

/* May the host call us now? Not from inside its source. */
static bool is_callable(const struct onward_smtp_client *c)
{
    return c->in_callback || !onward_channel__is_busy(&c->channel);
}

static bool may_name(const struct onward_smtp_client *c)
{
    return is_callable(c) && !c->is_over && !c->wants_quit && !c->news.done &&
           !onward_smtp__mail_is_open(&c->mail);
}

/* The outcomes of the last message are no longer wanted. */
static void new_mail(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    struct onward_smtp__mail fresh = {.state = ONWARD_MAIL_NAMING,
                                      .arena = mail->arena,
                                      .rcpts = mail->rcpts,
                                      .rcpt_cap = mail->rcpt_cap};

    *mail = fresh;
    onward_core__arena_reset(&mail->arena);
}

static int grow_rcpts(struct onward_smtp_client *c)
{
    struct onward_smtp__mail *mail = &c->mail;
    size_t cap = mail->rcpt_cap == 0 ? 4 : mail->rcpt_cap * 2;
    struct onward_smtp__rcpt *rcpts;
    size_t bytes;

    if (mail->rcpt_count < mail->rcpt_cap)
        return 0;
    if (onward_size_mul(cap, sizeof(*rcpts), &bytes) != 0)
        return ONWARD_ELIMIT;
    rcpts = onward_core__realloc(c->ctx, mail->rcpts, bytes);
    if (rcpts == NULL)
        return ONWARD_ENOMEM;
    mail->rcpts = rcpts;
    mail->rcpt_cap = cap;
    return 0;
}

/* RFC 5321 section 4.1.1.3: the one mailbox that needs no domain. */
static bool is_postmaster(struct onward_str path)
{
    return onward_core__str_ieq(path, ONWARD_STR("postmaster"));
}

static bool is_notify(size_t notify)
{
    const size_t others = ONWARD_SMTP_NOTIFY_SUCCESS |
                          ONWARD_SMTP_NOTIFY_FAILURE | ONWARD_SMTP_NOTIFY_DELAY;

    /* NEVER stands alone (RFC 3461 section 4.1). */
    return notify == ONWARD_SMTP_NOTIFY_NEVER || (notify & ~others) == 0;
}

int onward_smtp_client_add_rcpt(struct onward_smtp_client *client,
                                const struct onward_smtp_rcpt *rcpt)
{
    struct onward_smtp__mail *mail = &client->mail;
    struct onward_smtp_rcpt own;
    struct onward_smtp__rcpt *added;
    struct onward_str path;
    bool is_utf8 = false;
    int err;

    if (!may_name(client))
        return ONWARD_ESTATE;
    err = onward_core__opts_load(&own, sizeof(own), rcpt);
    if (err != 0)
        return err;
    if (mail->state != ONWARD_MAIL_NAMING)
        new_mail(client);
    if (mail->rcpt_count >= client->opts.max_rcpts ||
        mail->rcpt_count >= INT32_MAX)
        return ONWARD_ELIMIT;
    if (!is_notify(own.notify))
        return ONWARD_EINVAL;
    if (own.orcpt.len != 0 && !onward_smtp__is_orcpt(own.orcpt))
        return ONWARD_ESYNTAX;
    err = grow_rcpts(client);
    if (err == 0)
        err = onward_core__arena_dup(&mail->arena, own.orcpt, &own.orcpt);
    if (err == 0 && is_postmaster(own.path))
        err = onward_core__arena_dup(&mail->arena, own.path, &path);
    else if (err == 0)
        err = onward_smtp__take_path(&mail->arena, own.path, &path, &is_utf8);
    if (err != 0)
        return err;
    added = &mail->rcpts[mail->rcpt_count];
    *added = (struct onward_smtp__rcpt){
        .path = path, .orcpt = own.orcpt, .notify = own.notify};
    mail->is_utf8 = mail->is_utf8 || is_utf8;
    mail->wants_dsn = mail->wants_dsn || own.notify != 0 || own.orcpt.len != 0;
    return (int)mail->rcpt_count++;
}

/* The envelope's choices, checked. */
static int load_envelope(struct onward_smtp_envelope *own,
                         const struct onward_smtp_envelope *envelope)
{
    int err = onward_core__opts_load(own, sizeof(*own), envelope);

    if (err != 0)
        return err;
    if (own->smtputf8 > 1 || own->hold_dot > 1 || own->allow_unchecked > 1 ||
        own->body > ONWARD_SMTP_BODY_BINARYMIME || own->require_tls > 1 ||
        own->ret > ONWARD_SMTP_RET_HDRS)
        return ONWARD_EINVAL;
    return onward_smtp__is_envid(own->envid) ? 0 : ONWARD_ESYNTAX;
}

static void start_mail(struct onward_smtp_client *c,
                       const struct onward_smtp_envelope *own)
{
    struct onward_smtp__mail *mail = &c->mail;

    onward_smtp__content_init(&mail->content,
                              c->opts.allow_bare_newline_repair != 0);
    mail->is_utf8 = mail->is_utf8 || own->smtputf8 != 0;
    mail->hold_dot = own->hold_dot != 0;
    mail->is_held = mail->hold_dot;
    mail->is_binary = own->body == ONWARD_SMTP_BODY_BINARYMIME;
    mail->requires_tls = own->require_tls != 0;
    mail->ret = own->ret;
    mail->wants_dsn = mail->wants_dsn || own->ret != 0 || mail->envid.len != 0;
    mail->text_left = ONWARD_SMTP__RCPT_TEXTS_MAX;
    mail->state = ONWARD_MAIL_CHECKING;
    if (own->allow_unchecked != 0 || mail->is_binary) {
        mail->size = mail->pull.source.len;
        mail->is_8bit = own->body == ONWARD_SMTP_BODY_8BITMIME;
        /* There may be some, for all that is known. */
        mail->has_bare = mail->content.repair;
        mail->state = ONWARD_MAIL_WAITING;
    }
    onward_core__task_ready(&c->task);
}

int onward_smtp_client_send(struct onward_smtp_client *client,
                            const struct onward_smtp_envelope *envelope,
                            const struct onward_source *source)
{
    struct onward_smtp__mail *mail = &client->mail;
    struct onward_smtp_envelope own;
    int err;

    if (!may_name(client))
        return ONWARD_ESTATE;
    if (mail->state != ONWARD_MAIL_NAMING || mail->rcpt_count == 0 ||
        envelope == NULL || source == NULL)
        return ONWARD_EINVAL;
    err = load_envelope(&own, envelope);
    if (err == 0)
        err = onward_mime__pull_init(&mail->pull, source, client->desk,
                                     &client->task);
    mail->reverse_path = onward_core__str(NULL, 0);
    if (err == 0 && own.reverse_path.len != 0)
        err = onward_smtp__take_path(&mail->arena, own.reverse_path,
                                     &mail->reverse_path, &mail->is_utf8);
    if (err == 0)
        err = onward_core__arena_dup(&mail->arena, own.envid, &mail->envid);
    if (err == 0)
        start_mail(client, &own);
    return err;
}

int onward_smtp_client_release(struct onward_smtp_client *client)
{
    if (!is_callable(client) || !onward_smtp__mail_is_open(&client->mail) ||
        !client->mail.hold_dot)
        return ONWARD_ESTATE;
    client->mail.hold_dot = false;
    onward_core__task_ready(&client->task);
    return 0;
}

int onward_smtp_client_cancel(struct onward_smtp_client *client)
{
    struct onward_smtp__outcome outcome;

    if (!is_callable(client) || !onward_smtp__mail_is_open(&client->mail) ||
        client->state == ONWARD_CLIENT_FINAL)
        return ONWARD_ESTATE;
    if (client->mail.state == ONWARD_MAIL_SENDING) {
        onward_smtp__client_end_for(client, ONWARD_SMTP_CAUSE_CANCELED);
        return 0;
    }
    onward_smtp__outcome_local(&outcome, ONWARD_SMTP_PHASE_CHECK,
                               ONWARD_SMTP_CAUSE_CANCELED);
    onward_smtp__mail_finish(client, &outcome);
    return 0;
}

int onward_smtp_client_quit(struct onward_smtp_client *client)
{
    if (!is_callable(client) || client->is_over)
        return ONWARD_ESTATE;
    client->wants_quit = true;
    onward_core__task_ready(&client->task);
    return 0;
}

/* ---- Reading ----------------------------------------------------------- */

size_t onward_smtp_client_rcpt_count(const struct onward_smtp_client *client)
{
    return client->mail.rcpt_count;
}

uint64_t onward_smtp_client_extensions(const struct onward_smtp_client *client)
{
    return client->offers.set;
}

int onward_smtp_client_extension(const struct onward_smtp_client *client,
                                 struct onward_str keyword,
                                 struct onward_str *params)
{
    return onward_smtp__offers_find(&client->offers, keyword, params) ? 1 : 0;
}
