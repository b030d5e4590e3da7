/* One client: its connection, its session, and the message that it brings. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "admit.h"
#include "dkim.h"
#include "forwarder.h"
#include "handlers.h"
#include "host.h"
#include "kept.h"
#include "letters.h"
#include "reverse.h"
#include "sending.h"
#include "webhook.h"

struct session {
    struct session *next, **prev;
    struct forwarder *fwd;
    struct setup *setup;
    struct conn conn;
    struct onward_smtp_server *server;
    struct onward_ip ip;
    char peer[ONWARD_IP_TEXT_MAX];
    char session_id[24];
    bool is_refused; /* too many at a time */
    bool is_cut;
    struct admit *admit;

    /* Of the transaction. */
    char id[24];
    int64_t started_ms;
    struct onward_verifier *verifier;
    struct onward_relay *relay;
    struct reverse *reverse; /* NULL: it has none to do with it */
    struct onward_source source;
    char *message;
    size_t len, cap;
    bool is_header_too_long;
    uint64_t end_token;              /* 0: the message is not whole */
    /* By the relay's numbers, which grow while handlers act; NULL: that one was
     * not tried. Each stays where it is: deliveries write into it. */
    struct delivery_log **deliveries;
    size_t delivery_count;
};

#define SESSION_OF(conn_ptr)                                                   \
    ((struct session *)(void *)((char *)(conn_ptr)-offsetof(struct session,    \
                                                            conn)))

/* ---- The transaction --------------------------------------------------- */

static void clear_transaction(struct session *s)
{
    admit_reset(s->admit);
    reverse_free(s->reverse);
    s->reverse = NULL;
    /* The relay first: it reads the message and the verifier's header. */
    onward_relay_free(s->relay);
    onward_verifier_free(s->verifier);
    free(s->message);
    while (s->delivery_count > 0)
        free(s->deliveries[--s->delivery_count]);
    free(s->deliveries);
    s->relay = NULL;
    s->verifier = NULL;
    s->message = NULL;
    s->deliveries = NULL;
    s->fwd->held_bytes -= s->cap;
    s->len = s->cap = 0;
    s->is_header_too_long = false;
    s->end_token = 0;
}

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    const struct session *s = user;

    if (offset > s->len)
        return ONWARD_EINVAL;
    *got = cap < s->len - (size_t)offset ? cap : s->len - (size_t)offset;
    memcpy(buf, s->message + offset, *got);
    return 0;
}

struct message_log session_facts(const struct session *s,
                                 const struct onward_smtp_reply *reply)
{
    return (struct message_log){.setup = s->setup,
                                .id = s->id,
                                .session_id = s->session_id,
                                .client = s->peer,
                                .server = s->server,
                                .verifier = s->verifier,
                                .relay = s->relay,
                                .is_reverse = reverse_is_answer(s->reverse),
                                .deliveries = s->deliveries,
                                .delivery_count = s->delivery_count,
                                .ms = host_now_ms() - s->started_ms,
                                .reply = reply};
}

static void answer(struct session *s, const struct onward_smtp_reply *reply)
{
    onward_smtp_reply_answer(s->fwd->desk, s->end_token, reply);
    s->end_token = 0;
}

static void answer_text(struct session *s, size_t code, const char *enhanced,
                        const char *text)
{
    const struct onward_smtp_reply reply = {.size = sizeof(reply),
                                            .code = code,
                                            .enhanced = onward_str_of(enhanced),
                                            .text = onward_str_of(text)};

    answer(s, &reply);
}

/* ---- The relay's questions --------------------------------------------- */

static int make_room_for(struct session *s, size_t index)
{
    struct delivery_log **more;

    if (index < s->delivery_count)
        return 0;
    more = realloc(s->deliveries, (index + 1) * sizeof(struct delivery_log *));
    if (more == NULL)
        return -1;
    s->deliveries = more;
    while (s->delivery_count <= index)
        s->deliveries[s->delivery_count++] = NULL;
    return 0;
}

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    struct session *s = user;

    if (make_room_for(s, index) != 0)
        return -1;
    free(s->deliveries[index]);
    s->deliveries[index] = calloc(1, sizeof(**s->deliveries));
    if (s->deliveries[index] == NULL)
        return -1;
    return copy_start(s, token, relay, index, s->deliveries[index]);
}

static void cancel_delivery(void *user, uint64_t token)
{
    copy_cancel(((struct session *)user)->fwd, token);
    letter_cancel(((struct session *)user)->fwd, token);
    webhook_cancel(((struct session *)user)->fwd, token);
    handler_cancel(((struct session *)user)->fwd, token);
}

static int handle(void *user, uint64_t token, struct onward_event *event)
{
    struct session *s = user;
    const struct webhook_client client = {
        .ip = &s->ip, .helo = onward_smtp_server_helo(s->server)};

    if (!onward_event_is_webhook(event))
        return handler_ask(s->fwd, s->setup, token, event);
    return webhook_post(s->fwd, s->setup, token, event, &client);
}

static void acted(void *user, struct onward_event *event, size_t action)
{
    handler_acted(((struct session *)user)->fwd, event, action);
}

/* What a handler writes leaves through the spool, and is there before the
 * sender hears 250. */
static int submit(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index)
{
    return letter_keep(user, token, relay, index);
}

static int may_send(void *user, struct onward_event *event, size_t kind,
                    const char *to, size_t len)
{
    struct session *s = user;

    (void)kind;
    return sending_may(s->fwd, s->setup, event, (struct onward_str){to, len});
}

static void relayed(void *user, struct onward_relay *relay)
{
    struct session *s = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    kept_tell_expanded(s, relay);
    if (onward_relay_reply(relay, &reply) == 0)
        answer(s, &reply);
    else
        answer_text(s, 451, "4.3.0", "the message could not be handled");
}

static int begin_relay(struct session *s)
{
    struct onward_str received = {0};
    int err =
        onward_smtp_server_received(s->server, onward_str_of(s->id), &received);

    if (err == 0)
        err = onward_relay_start(s->relay, s->verifier, &s->source, received);
    if (err != 0)
        return err;
    if (s->reverse != NULL && reverse_edit(s->reverse, s->relay) != 0)
        return -1;
    return dkim_sign_copies(s->setup, s->relay);
}

void session_go_on(struct session *s)
{
    if (begin_relay(s) == 0)
        return;
    /* What has begun must not end well behind our back. */
    onward_relay_free(s->relay);
    s->relay = NULL;
    answer_text(s, 451, "4.3.0", "the message could not be handled");
}

void session_answer(struct session *s, size_t code, const char *enhanced,
                    const char *text)
{
    answer_text(s, code, enhanced, text);
}

static void verified(void *user, struct onward_verifier *verifier)
{
    struct session *s = user;
    int ret;

    (void)verifier;
    s->source = (struct onward_source){.size = sizeof(s->source),
                                       .user = s,
                                       .len = s->len,
                                       .read = read_message};
    if (reverse_is_answer(s->reverse)) {
        reverse_take(s->reverse, &s->source);
        return;
    }
    ret = reverse_begin(s, &s->reverse);
    if (ret == 0)
        session_go_on(s);
    else if (ret < 0)
        answer_text(s, 451, "4.3.0", "the message cannot be forwarded now");
}

/* ---- The session's questions ------------------------------------------- */

static int ask_connect(void *user, uint64_t token)
{
    struct session *s = user;
    const struct onward_smtp_reply busy = {
        .size = sizeof(busy),
        .code = 421,
        .enhanced = ONWARD_STR("4.3.2"),
        .text = ONWARD_STR("too many connections, come again later")};

    const struct onward_smtp_reply crowded = {
        .size = sizeof(crowded),
        .code = 421,
        .enhanced = ONWARD_STR("4.7.0"),
        .text = ONWARD_STR("too many connections from your network, come "
                           "again later")};

    if (!s->is_refused && !admit_is_crowded(s->admit))
        return ONWARD_SMTP_DEFAULT;
    onward_smtp_reply_answer(s->fwd->desk, token,
                             s->is_refused ? &busy : &crowded);
    return ONWARD_SMTP_HANDLED;
}

static int start_verifier(struct session *s)
{
    const struct setup *setup = s->setup;
    const struct settings *set = &setup->settings;
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = s, .done = verified};
    const struct onward_verifier_opts o = {
        .size = sizeof(o),
        .authserv_id = onward_str_of(
            set->authserv_id == NULL ? set->hostname : set->authserv_id),
        .client_ip = &s->ip,
        .helo = onward_smtp_server_helo(s->server),
        .mail_from = onward_smtp_server_mail_address(s->server),
        .receiver = onward_str_of(set->hostname),
        .dmarc_reject_policy =
            config_dmarc_reject_policy(set->dmarc_reject)};
    int err = onward_verifier_new(setup->resolver, &o, &host, &s->verifier);

    for (size_t i = 0; i < set->trusted_sealers.count && err == 0; i++)
        err = onward_verifier_trust_sealer(
            s->verifier, onward_str_of(set->trusted_sealers.items[i]));
    return err;
}

/* Who asks a webhook or a handler says so before, and why. */
static size_t longest_event_s(const struct settings *set)
{
    return (set->webhook_timeout_s > set->handler_timeout_s
                ? set->webhook_timeout_s
                : set->handler_timeout_s) +
           5;
}

static int start_relay(struct session *s)
{
    const struct setup *setup = s->setup;
    const struct settings *set = &setup->settings;
    const struct onward_relay_host host = {.size = sizeof(host),
                                           .user = s,
                                           .deliver = deliver,
                                           .cancel = cancel_delivery,
                                           .done = relayed,
                                           .handle = handle,
                                           .acted = acted,
                                           .submit = queue_is_open(s->fwd)
                                                         ? submit
                                                         : NULL,
                                           .may_send = may_send};
    const struct onward_ruleset_facts facts = {
        .size = sizeof(facts),
        .user = s->fwd,
        .destination = storage_destination};
    const struct onward_send_facts send_facts = {
        .size = sizeof(send_facts),
        .user = s->fwd,
        .recipient = storage_destination};
    const struct onward_relay_opts o = {
        .size = sizeof(o),
        .facts = &facts,
        .send_facts = &send_facts,
        .resolver = setup->resolver,
        /* The newest, whatever else this session began with. */
        .ruleset = s->fwd->setup->ruleset,
        .srs = setup->srs,
        .store = s->fwd->store,
        .signer = setup->signer,
        .hostname = onward_str_of(set->hostname),
        .authserv_id = onward_str_of(
            set->authserv_id == NULL ? set->hostname : set->authserv_id),
        .srs_domain = onward_str_of(set->srs_domain),
        .srs_overflow = set->srs_overflow,
        .srs_sink = onward_str_of(set->srs_sink),
        .allow_srs_senders = set->srs_senders,
        .seal_domain = onward_str_of(set->seal_domain),
        .seal_selector = onward_str_of(set->seal_selector),
        .ledger_life_s = set->ledger_life_s,
        .delivery_timeout_ms = set->delivery_timeout_s * 1000,
        .handler_timeout_ms = longest_event_s(set) * 1000,
        .allow_unauthenticated = set->allow_unauthenticated,
        .allow_dmarc_reject = !set->enforce_dmarc,
        .minter = setup->minter,
        .ticket_life_s = set->ticket_life_s,
        .allow_no_ledger = s->fwd->is_store_shared};
    const struct onward_relay_envelope envelope = {
        .size = sizeof(envelope),
        .reverse_path = onward_smtp_server_mail_address(s->server),
        .smtputf8 = (size_t)onward_smtp_server_mail_smtputf8(s->server),
        .body = (size_t)onward_smtp_server_mail_body(s->server),
        .ret = (size_t)onward_smtp_server_mail_ret(s->server),
        .envid = onward_smtp_server_mail_envid(s->server),
        .require_tls = (size_t)onward_smtp_server_mail_requires_tls(s->server)};

    return onward_relay_new(s->fwd->desk, &o, &envelope, &host, &s->relay);
}

/* The client may bring mail. */
static void mail_is_in(void *user, uint64_t token)
{
    struct session *s = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply),
                                      .code = 250,
                                      .enhanced = ONWARD_STR("2.1.0"),
                                      .text = ONWARD_STR("Sender OK")};

    if (start_verifier(s) != 0 || start_relay(s) != 0)
        reply = (struct onward_smtp_reply){.size = sizeof(reply),
                                           .code = 451,
                                           .enhanced = ONWARD_STR("4.3.0")};
    onward_smtp_reply_answer(s->fwd->desk, token, &reply);
}

static int ask_mail(void *user, uint64_t token)
{
    struct session *s = user;

    clear_transaction(s);
    snprintf(s->id, sizeof(s->id), "%llx",
             (unsigned long long)s->fwd->next_id++);
    s->started_ms = host_now_ms();
    admit_mail(s->admit, token, onward_smtp_server_mail_address(s->server));
    return ONWARD_SMTP_HANDLED;
}

static void note_refused(void *user, size_t index,
                         const struct onward_smtp_reply *reply)
{
    struct session *s = user;
    const struct message_log m = session_facts(s, reply);

    if (index == ADMIT_MAIL)
        log_refused_sender(s->fwd, &m);
    else
        log_refused(s->fwd, &m,
                    onward_smtp_server_rcpt_address(s->server, index));
}

/* The client may bring it; what do the rules say? */
static void rcpt_is_in(void *user, uint64_t token, size_t index)
{
    struct session *s = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    const struct onward_relay_rcpt rcpt = {
        .size = sizeof(rcpt),
        .address = onward_smtp_server_rcpt_address(s->server, index),
        .notify = (size_t)onward_smtp_server_rcpt_notify(s->server, index),
        .orcpt = onward_smtp_server_rcpt_orcpt(s->server, index)};
    int ret = reverse_rcpt(s, &s->reverse, rcpt.address, &reply);

    if (ret < 0 && s->relay != NULL)
        ret = onward_relay_add_rcpt(s->relay, &rcpt, &reply);
    if (ret < 0)
        reply = (struct onward_smtp_reply){.size = sizeof(reply),
                                           .code = 451,
                                           .enhanced = ONWARD_STR("4.3.0")};
    onward_smtp_reply_answer(s->fwd->desk, token, &reply);
    if (ret == 0)
        note_refused(s, index, &reply);
}

static int ask_rcpt(void *user, uint64_t token, size_t index)
{
    struct session *s = user;

    admit_rcpt(s->admit, token, index,
               onward_smtp_server_mail_address(s->server),
               onward_smtp_server_rcpt_address(s->server, index));
    return ONWARD_SMTP_HANDLED;
}

static int ask_data(void *user, uint64_t token)
{
    struct session *s = user;
    struct onward_smtp_reply reply;

    if (admit_data(s->admit, &reply))
        return ONWARD_SMTP_DEFAULT;
    onward_smtp_reply_answer(s->fwd->desk, token, &reply);
    for (size_t i = 0; i < onward_smtp_server_rcpt_count(s->server); i++) {
        if (onward_smtp_server_rcpt_accepted(s->server, i))
            note_refused(s, i, &reply);
    }
    return ONWARD_SMTP_HANDLED;
}

/* Room for len octets more; false: there is none, for all or at all. */
static bool make_room(struct session *s, size_t len)
{
    const size_t most = s->setup->settings.message_memory_bytes;
    size_t cap = s->cap == 0 ? 16384 : s->cap;
    char *bigger;

    if (len <= s->cap - s->len)
        return true;
    while (cap - s->len < len)
        cap *= 2;
    if (cap - s->cap > most || s->fwd->held_bytes > most - (cap - s->cap))
        return false;
    bigger = realloc(s->message, cap);
    if (bigger == NULL)
        return false;
    s->fwd->held_bytes += cap - s->cap;
    s->message = bigger;
    s->cap = cap;
    return true;
}

static int take_data(void *user, const void *data, size_t len)
{
    struct session *s = user;
    int err;

    if (s->is_header_too_long)
        return 0;
    err = onward_verifier_feed(s->verifier, data, len);
    if (err == ONWARD_ELIMIT) {
        s->is_header_too_long = true;
        return 0;
    }
    if (err != 0 || !make_room(s, len))
        return -1; /* 451 */
    memcpy(s->message + s->len, data, len);
    s->len += len;
    return 0;
}

static int ask_end(void *user, uint64_t token)
{
    struct session *s = user;

    s->end_token = token;
    if (s->is_header_too_long) {
        answer_text(s, 552, "5.3.4", "the header of the message is too long");
        return ONWARD_SMTP_HANDLED;
    }
    return onward_verifier_finish(s->verifier) == 0 ? ONWARD_SMTP_HANDLED : -1;
}

/* First the log, then the answer: what was said can be found again. */
static void transaction_gone(void *user, int why)
{
    struct session *s = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    const struct message_log m = session_facts(s, &reply);

    (void)why;
    onward_smtp_server_message_reply(s->server, &reply);
    if (reply.code != 0 || onward_smtp_server_message_size(s->server) > 0)
        log_message(s->fwd, &m);
    clear_transaction(s);
}

/* ---- The connection ---------------------------------------------------- */

static void closed(struct conn *conn)
{
    session_free(SESSION_OF(conn));
}

static int new_server(struct session *s, size_t port)
{
    const struct setup *setup = s->setup;
    const struct settings *set = &setup->settings;
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .user = s,
                                                 .connect = ask_connect,
                                                 .mail = ask_mail,
                                                 .rcpt = ask_rcpt,
                                                 .data = ask_data,
                                                 .message_data = take_data,
                                                 .message_end = ask_end,
                                                 .reset = transaction_gone};
    struct onward_smtp_server_opts o = {
        .size = sizeof(o),
        .hostname = onward_str_of(set->hostname),
        .client_ip = &s->ip,
        .client_port = port,
        .tls = setup->tls_server,
        .message_bytes = set->max_message_bytes,
        .command_ms = set->command_timeout_s * 1000,
        /* The relay answers before: its own limit is shorter. */
        .answer_ms = (set->delivery_timeout_s + 60) * 1000};

    if (set->smtputf8)
        o.flags |= ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8;
    /* Who takes over the duty to tell of failures must be able to. */
    if (queue_is_open(s->fwd))
        o.flags |= ONWARD_SMTP_SERVER_ALLOW_DSN;
    /* Every copy goes on as REQUIRETLS says, so we can take the duty over. */
    if (setup->tls_server != NULL)
        o.flags |= ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS;
    if (set->require_tls)
        o.flags |= ONWARD_SMTP_SERVER_REQUIRE_TLS;
    return onward_smtp_server_new(s->fwd->desk, &o, &host, &s->server);
}

static int new_admit(struct session *s)
{
    const struct admit_host host = {.user = s,
                                    .mail = mail_is_in,
                                    .rcpt = rcpt_is_in,
                                    .refused = note_refused};

    s->admit = admit_new(s->fwd, s->setup, &s->ip, &host);
    return s->admit == NULL ? -1 : 0;
}

void session_open(struct forwarder *fwd, int fd, const struct onward_ip *ip,
                  size_t port)
{
    struct session *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        close(fd);
        return;
    }
    s->fwd = fwd;
    s->setup = setup_ref(fwd->setup);
    s->ip = *ip;
    s->is_refused = fwd->session_count >= fwd->setup->settings.max_sessions;
    onward_ip_format(ip, s->peer, sizeof(s->peer));
    snprintf(s->session_id, sizeof(s->session_id), "%llx",
             (unsigned long long)fwd->next_id++);
    s->next = fwd->sessions;
    s->prev = &fwd->sessions;
    if (s->next != NULL)
        s->next->prev = &s->next;
    fwd->sessions = s;
    fwd->session_count++;
    s->conn.is_closed = true; /* until it is open */
    if ((!s->is_refused && new_admit(s) != 0) || new_server(s, port) != 0) {
        close(fd);
        session_free(s);
        return;
    }
    if (conn_open(&s->conn, &fwd->conns, fwd->loop, fd,
                  onward_smtp_server_channel(s->server), closed) != 0) {
        session_free(s);
        return;
    }
    conn_service(&s->conn);
}

void session_free(struct session *s)
{
    conn_close(&s->conn);
    clear_transaction(s);
    admit_free(s->admit);
    onward_smtp_server_free(s->server);
    *s->prev = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->fwd->session_count--;
    setup_free(s->setup);
    free(s);
}

void session_shutdown(struct session *s)
{
    onward_smtp_server_shutdown(s->server);
}

void session_cut(struct session *s)
{
    s->is_cut = true;
    if (s->end_token != 0)
        answer_text(s, 421, "4.3.2", "going down, come again later");
}

struct session *session_next(const struct session *s)
{
    return s->next;
}

/* Has the client said something behind its message? */
static bool has_more(const struct session *s)
{
    int waiting = 0;

    return onward_channel_unread(s->conn.channel) > 0 ||
           (ioctl(s->conn.watch.fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

bool session_peer_is_gone(const struct session *s)
{
    struct pollfd p = {.fd = s->conn.watch.fd, .events = POLLRDHUP};

    if (s->is_cut || s->conn.is_closed)
        return true;
    if (poll(&p, 1, 0) != 1)
        return false;
    /* Exim sends QUIT with the final dot, ends its side and reads: it is there.
     * One that gave up has said nothing after its message. */
    return (p.revents & (POLLHUP | POLLERR)) != 0 ||
           ((p.revents & POLLRDHUP) != 0 && !has_more(s));
}

struct setup *session_setup(const struct session *s)
{
    return s->setup;
}

struct forwarder *session_forwarder(const struct session *s)
{
    return s->fwd;
}
