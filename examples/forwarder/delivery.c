/*
 * One copy on its way to one destination: the plan of servers, a connection to
 * one after the other, an SMTP client on it. When the outcome is known its host
 * has it; the connection may live on for its QUIT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "forwarder.h"
#include "host.h"

enum { CONNECT_MS = 30000 };

/* A connection to a server, and the session over it. */
struct hop {
    struct hop *next, **prev;
    struct forwarder *fwd;
    struct delivery *delivery; /* NULL: only QUIT is left to do */
    struct conn conn;
    struct onward_smtp_client *client;
};

struct delivery {
    struct delivery *next, **prev;
    struct forwarder *fwd;
    struct delivery_job job;
    struct delivery_host host;
    struct delivery_log *log; /* of the job */
    int64_t started_ms, connect_deadline_ms;
    size_t notes; /* of the last attempt */

    struct onward_egress *plan;
    struct onward_egress_attempt attempt;
    struct loop_watch connecting; /* fd -1: not */
    struct hop *hop;              /* NULL: not connected */
};

#define OWNER_OF(type, member, ptr)                                            \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static void try_next(struct delivery *d);

/* ---- Life -------------------------------------------------------------- */

static void free_hop(struct hop *hop)
{
    if (hop->delivery != NULL)
        hop->delivery->hop = NULL;
    conn_close(&hop->conn);
    onward_smtp_client_free(hop->client);
    *hop->prev = hop->next;
    if (hop->next != NULL)
        hop->next->prev = hop->prev;
    free(hop);
}

/* Its delivery needs it no more; it says QUIT (RFC 5321 section 4.1.1.10). */
static void part(struct delivery *d)
{
    struct hop *hop = d->hop;

    if (hop == NULL)
        return;
    hop->delivery = NULL;
    d->hop = NULL;
    onward_smtp_client_quit(hop->client);
    if (hop->conn.is_closed)
        free_hop(hop);
}

static void stop_connecting(struct delivery *d)
{
    if (d->connecting.fd < 0)
        return;
    loop_remove(d->fwd->loop, &d->connecting);
    close(d->connecting.fd);
    d->connecting.fd = -1;
}

static void free_delivery(struct delivery *d)
{
    stop_connecting(d);
    if (d->hop != NULL)
        free_hop(d->hop);
    onward_egress_free(d->plan);
    setup_free(d->job.setup);
    *d->prev = d->next;
    if (d->next != NULL)
        d->next->prev = d->prev;
    free(d);
}

/* ---- The outcome ------------------------------------------------------- */

static void copy_text(char *out, size_t cap, struct onward_str s)
{
    snprintf(out, cap, "%.*s", (int)s.len, s.data == NULL ? "" : s.data);
}

/* Tell the host what the plan came to; the delivery is over. */
static void tell(struct delivery *d)
{
    struct onward_egress_verdict v = {.size = sizeof(v)};
    struct delivery_result got = {
        .fate = ONWARD_EGRESS_TEMPORARY,
        .notes = d->notes,
        .reply = {.size = sizeof(got.reply),
                  .code = 451,
                  .enhanced = ONWARD_STR("4.3.0"),
                  .text = ONWARD_STR("not delivered")}};

    if (onward_egress_result(d->plan, &v) == 0 &&
        v.fate != ONWARD_EGRESS_PENDING) {
        got.fate = v.fate;
        got.reply.code = v.code;
        got.reply.enhanced = v.enhanced;
        got.reply.text = v.text;
    }
    d->log->code = got.reply.code;
    d->log->ms = host_now_ms() - d->started_ms;
    copy_text(d->log->enhanced, sizeof(d->log->enhanced), got.reply.enhanced);
    copy_text(d->log->text, sizeof(d->log->text), got.reply.text);
    d->host.done(d->host.user, &got);
    free_delivery(d);
}

/* An attempt is over; go on with the next server, or tell. */
static void go_on(struct delivery *d, int more)
{
    /* Not before: the outcome's text is the client's. */
    part(d);
    if (more == 1)
        try_next(d);
    else
        tell(d);
}

/* There was no connection: say why. */
static void report_unreachable(struct delivery *d, int error)
{
    const char *host = d->log->host;
    char text[400];
    struct onward_egress_outcome o = {.size = sizeof(o),
                                      .fate = ONWARD_EGRESS_TEMPORARY,
                                      .enhanced = ONWARD_STR("4.4.1")};

    snprintf(text, sizeof(text), "%s [%s]: %s", host, d->log->ip,
             strerror(error));
    o.text = onward_str_of(text);
    go_on(d, onward_egress_report(d->plan, &o));
}

/* ---- The client's word ------------------------------------------------- */

/* All is sent but the final dot: is there still somebody to tell? */
static void held(void *user, struct onward_smtp_client *client)
{
    const struct delivery_host *host = &((struct hop *)user)->delivery->host;

    if (host->is_wanted(host->user))
        onward_smtp_client_release(client);
    else
        onward_smtp_client_cancel(client);
}

static void keep_tls(struct delivery *d,
                     const struct onward_smtp_client *client)
{
    struct onward_tls_facts facts = {.size = sizeof(facts)};

    if (onward_smtp_client_tls_facts(client, &facts) == 0)
        snprintf(d->log->tls, sizeof(d->log->tls), "%.*s %.*s",
                 (int)facts.version.len, facts.version.data,
                 (int)facts.cipher.len, facts.cipher.data);
}

static void sent(void *user, struct onward_smtp_client *client)
{
    struct delivery *d = ((struct hop *)user)->delivery;
    struct onward_smtp_outcome got = {.size = sizeof(got)};

    keep_tls(d, client);
    onward_smtp_client_outcome(client, 0, &got);
    d->notes = got.notes;
    go_on(d, onward_egress_report_client(d->plan, client, 0));
}

static void conn_closed(struct conn *conn)
{
    struct hop *hop = OWNER_OF(struct hop, conn, conn);

    /* While there is a delivery, `sent` is still to run, from the desk. */
    if (hop->delivery == NULL)
        free_hop(hop);
}

static int new_client(struct hop *hop, const struct delivery *d)
{
    const struct onward_smtp_client_host host = {
        .size = sizeof(host), .user = hop, .held = held, .done = sent};
    const struct onward_smtp_client_opts o = {
        .size = sizeof(o),
        .ehlo_name = onward_str_of(d->job.setup->settings.hostname),
        .tls_demand = d->attempt.tls,
        .tls = d->job.setup->tls_client};

    return onward_smtp_client_new(d->fwd->desk, &o, &host, &hop->client);
}

/* A hop over a connected socket, which is closed with it; -1: and it is. */
static int open_hop(struct delivery *d, int fd)
{
    struct hop *hop = calloc(1, sizeof(*hop));

    if (hop == NULL || new_client(hop, d) != 0) {
        free(hop);
        close(fd);
        return -1;
    }
    hop->fwd = d->fwd;
    hop->delivery = d;
    d->hop = hop;
    hop->next = d->fwd->hops;
    hop->prev = &d->fwd->hops;
    if (hop->next != NULL)
        hop->next->prev = &hop->next;
    d->fwd->hops = hop;
    if (conn_open(&hop->conn, &d->fwd->conns, d->fwd->loop, fd,
                  onward_smtp_client_channel(hop->client), conn_closed) != 0)
        return -1;
    hop->conn.acks_at_once = true;
    return 0;
}

static int send_message(const struct delivery *d)
{
    const struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                          .path = d->job.recipient,
                                          .notify = d->job.notify,
                                          .orcpt = d->job.orcpt};
    const struct onward_smtp_envelope envelope = {
        .size = sizeof(envelope),
        .reverse_path = d->job.reverse_path,
        .smtputf8 = d->job.smtputf8,
        .hold_dot = 1,
        .require_tls = d->attempt.require_tls,
        .ret = d->job.ret,
        .envid = d->job.envid};

    if (onward_smtp_client_add_rcpt(d->hop->client, &rcpt) < 0)
        return -1;
    return onward_smtp_client_send(d->hop->client, &envelope, d->job.source);
}

/* ---- Connecting -------------------------------------------------------- */

static void connected(struct loop_watch *watch, uint32_t events)
{
    struct delivery *d = OWNER_OF(struct delivery, connecting, watch);
    int fd = watch->fd, error = 0, on = 1;
    socklen_t len = sizeof(error);

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        stop_connecting(d);
        report_unreachable(d, error);
        return;
    }
    loop_remove(d->fwd->loop, watch);
    watch->fd = -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (open_hop(d, fd) != 0 || send_message(d) != 0) {
        if (d->hop != NULL)
            free_hop(d->hop);
        report_unreachable(d, ENOMEM);
    }
}

static int begin_connect(struct delivery *d)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to(d->attempt.ip, d->attempt.port, &sa);
    int fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return errno;
    if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
        error = errno;
        close(fd);
        return error;
    }
    d->connecting = (struct loop_watch){.fd = fd, .ready = connected};
    d->connect_deadline_ms = host_now_ms() + CONNECT_MS;
    if (loop_add(d->fwd->loop, &d->connecting, EPOLLOUT) != 0) {
        error = errno;
        close(fd);
        d->connecting.fd = -1;
        return error;
    }
    return 0;
}

static void try_next(struct delivery *d)
{
    int error;

    d->attempt = (struct onward_egress_attempt){.size = sizeof(d->attempt)};
    if (onward_egress_next(d->plan, &d->attempt) != 1) {
        tell(d);
        return;
    }
    d->log->attempts++;
    d->log->tls[0] = '\0';
    copy_text(d->log->host, sizeof(d->log->host), d->attempt.host);
    copy_text(d->log->demand, sizeof(d->log->demand),
              onward_str_of(onward_egress_reason_name((int)d->attempt.reason)));
    onward_ip_format(d->attempt.ip, d->log->ip, sizeof(d->log->ip));
    error = begin_connect(d);
    if (error != 0)
        report_unreachable(d, error);
}

/* ---- The plan ---------------------------------------------------------- */

static void planned(void *user, struct onward_egress *plan)
{
    (void)plan;
    try_next(user);
}

/* From which of our addresses; there may be no connection, or none any more. */
static bool own_address(const struct delivery *d, char text[ONWARD_IP_TEXT_MAX])
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct onward_ip ip;
    size_t port;

    if (d->hop == NULL || d->hop->conn.is_closed ||
        getsockname(d->hop->conn.watch.fd, (struct sockaddr *)&sa, &len) != 0)
        return false;
    endpoint_from(&sa, &ip, &port);
    return onward_ip_format(&ip, text, ONWARD_IP_TEXT_MAX) > 0;
}

/* A report of reports would never end (RFC 8460 section 3). */
static void count_tls(const struct delivery *d, struct onward_str domain,
                      const struct onward_tlsrpt_session *session)
{
    struct onward_tlsrpt_session copy = *session;
    char text[ONWARD_IP_TEXT_MAX];

    if (d->job.tls_optional)
        return;
    if (own_address(d, text))
        copy.sending_ip = onward_str_of(text);
    tlsreport_count(d->fwd, domain, &copy);
}

static void keep_tls_result(void *user, const char *domain, size_t domain_len,
                            const struct onward_tlsrpt_session *session)
{
    const struct delivery *d = user;
    struct delivery_log *log = d->log;
    size_t at = strlen(log->tls_results);
    size_t room = sizeof(log->tls_results) - at;
    struct onward_str result =
        session->result_type.len == 0 ? ONWARD_STR("ok") : session->result_type;
    int len;

    count_tls(d, (struct onward_str){domain, domain_len}, session);
    len = snprintf(log->tls_results + at, room, "%s %.*s %.*s\n",
                   onward_tlsrpt_type_name((int)session->type), (int)result.len,
                   result.data, (int)session->receiving_mx.len,
                   session->receiving_mx.data);
    if (len < 0 || (size_t)len >= room)
        log->tls_results[at] = '\0';
}

static int allow_any(void *user, const struct onward_ip *ip)
{
    (void)user;
    (void)ip;
    return 1;
}

static int start_plan(struct delivery *d)
{
    static const size_t levels[] = {ONWARD_TLS_NONE, ONWARD_TLS_OPPORTUNISTIC,
                                    ONWARD_TLS_ENCRYPTED, ONWARD_TLS_VERIFIED};
    const struct setup *setup = d->job.setup;
    const struct settings *set = &setup->settings;
    const struct onward_str own = onward_str_of(set->hostname);
    const struct onward_str smart = onward_str_of(set->smart_host);
    const struct onward_egress_host host = {
        .size = sizeof(host),
        .user = d,
        .done = planned,
        .allow_address = set->allow_private_addresses ? allow_any : NULL,
        .tls_result = keep_tls_result};
    const struct onward_egress_opts o = {.size = sizeof(o),
                                         .domain = d->job.domain,
                                         .own_names = &own,
                                         .own_name_count = 1,
                                         .mtasts = policies_handle(setup),
                                         .port = set->out_port,
                                         .tls_level = levels[set->out_tls],
                                         .skip_dane = !set->dane,
                                         .require_tls = d->job.require_tls,
                                         .is_bounce =
                                             d->job.reverse_path.len == 0,
                                         .tls_optional = d->job.tls_optional};
    const struct onward_egress_target_opts target = {
        .size = sizeof(target), .host = smart, .allow_private = 1};

    if (onward_egress_new(setup->resolver, &o, &host, &d->plan) != 0)
        return -1;
    return smart.len == 0 ? 0 : onward_egress_add_target(d->plan, &target);
}

struct delivery *delivery_start(struct forwarder *fwd,
                                const struct delivery_job *job,
                                const struct delivery_host *host)
{
    struct delivery *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->fwd = fwd;
    d->job = *job;
    d->job.setup = setup_ref(job->setup);
    d->host = *host;
    d->log = job->log;
    d->started_ms = host_now_ms();
    d->connecting.fd = -1;
    d->next = fwd->deliveries;
    d->prev = &fwd->deliveries;
    if (d->next != NULL)
        d->next->prev = &d->next;
    fwd->deliveries = d;
    if (start_plan(d) != 0) {
        free_delivery(d);
        return NULL;
    }
    return d;
}

void delivery_cancel(struct delivery *d)
{
    free_delivery(d);
}

void delivery_free_all(struct forwarder *fwd)
{
    while (fwd->deliveries != NULL)
        free_delivery(fwd->deliveries);
    while (fwd->hops != NULL)
        free_hop(fwd->hops);
}

int64_t delivery_deadline(const struct forwarder *fwd)
{
    int64_t least = ONWARD_NEVER;

    for (const struct delivery *d = fwd->deliveries; d != NULL; d = d->next) {
        if (d->connecting.fd >= 0 && d->connect_deadline_ms < least)
            least = d->connect_deadline_ms;
    }
    return least;
}

void delivery_time(struct forwarder *fwd, int64_t now_ms)
{
    struct delivery *d = fwd->deliveries;

    while (d != NULL) {
        struct delivery *next = d->next;

        if (d->connecting.fd >= 0 && d->connect_deadline_ms <= now_ms) {
            stop_connecting(d);
            /* It may free d, but no other. */
            report_unreachable(d, ETIMEDOUT);
        }
        d = next;
    }
}
