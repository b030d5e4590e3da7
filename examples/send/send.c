/* The session: a message goes over a connection, then QUIT. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host.h"
#include "loop.h"
#include "send.h"

struct sending {
    const struct order *order;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_tls_config *tls;
    struct onward_smtp_client *client;
    struct loop *loop;
    struct conn_list conns;
    struct conn conn;
    bool is_over, is_delivered;
};

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    const struct order *order = user;
    size_t left = order->message_len - (size_t)offset;

    *got = cap < left ? cap : left;
    memcpy(buf, order->message + offset, *got);
    return 0;
}

/* Everything is known before the server says good bye. */
static void done(void *user, struct onward_smtp_client *client)
{
    struct sending *s = user;

    s->is_delivered = report_print(s->order, client);
    onward_smtp_client_quit(client);
}

static void hung_up(struct conn *conn)
{
    struct sending *s =
        (struct sending *)(void *)((char *)conn -
                                   offsetof(struct sending, conn));

    s->is_over = true;
}

static int give_message(const struct sending *s)
{
    const struct order *order = s->order;
    const struct onward_source source = {.size = sizeof(source),
                                         .user = (void *)(uintptr_t)order,
                                         .len = order->message_len,
                                         .read = read_message};
    int err;

    for (size_t i = 0; i < order->to.count; i++) {
        const struct onward_smtp_rcpt rcpt = {
            .size = sizeof(rcpt),
            .path = onward_str_of(order->to.items[i]),
            .notify = order->notify,
            .orcpt = onward_str_of(
                i < order->orcpt.count ? order->orcpt.items[i] : "")};

        err = onward_smtp_client_add_rcpt(s->client, &rcpt);
        if (err < 0) {
            host_complain(send_program.name,
                          "recipient \"%s\": %s, expected an address (and "
                          "TYPE;ADDRESS with --orcpt)",
                          order->to.items[i], onward_strerror(err));
            return -1;
        }
    }
    err = onward_smtp_client_send(s->client, &order->envelope, &source);
    if (err != 0)
        host_complain(send_program.name, "sender \"%s\" or --envid: %s",
                      order->from, onward_strerror(err));
    return err;
}

static int make_tls(struct sending *s)
{
    const struct onward_tls_config_opts o = {
        .size = sizeof(o),
        .role = ONWARD_TLS_CLIENT,
        .trust_pem = {s->order->trust, s->order->trust_len}};
    int err;

    if (s->order->demand.level == ONWARD_TLS_NONE)
        return 0;
    err = onward_tls_config_new(s->ctx, &o, &s->tls);
    if (err != 0)
        host_complain(send_program.name,
                      "--trust: %s, expected certificates in PEM",
                      onward_strerror(err));
    return err;
}

static int make_client(struct sending *s)
{
    const struct order *order = s->order;
    const struct onward_smtp_client_host host = {
        .size = sizeof(host), .user = s, .done = done};
    const size_t ms = order->timeout_s * 1000;
    const struct onward_smtp_client_opts o = {
        .size = sizeof(o),
        .ehlo_name = onward_str_of(order->ehlo),
        .tls_demand = &order->demand,
        .tls = s->tls,
        .delivery_timeout_ms = ms,
        .greeting_timeout_ms = ms,
        .command_timeout_ms = ms,
        .flags = order->flags,
        .login = order->login.size == 0 ? NULL : &order->login};
    int err = onward_smtp_client_new(s->desk, &o, &host, &s->client);

    if (err != 0)
        host_complain(send_program.name,
                      "%s: --ehlo, --user, --tls-name or --tls is not what "
                      "SMTP can say",
                      onward_strerror(err));
    return err;
}

static int begin(struct sending *s)
{
    s->loop = loop_new();
    s->ctx = host_ctx_new(NULL);
    if (s->loop == NULL || s->ctx == NULL ||
        onward_desk_new(s->ctx, NULL, &s->desk) != 0 ||
        conn_list_open(&s->conns, s->desk) != 0) {
        host_complain(send_program.name, "out of memory");
        return SEND_BROKEN;
    }
    if (make_tls(s) != 0 || make_client(s) != 0 || give_message(s) != 0)
        return SEND_USAGE;
    return SEND_DONE;
}

static int run(struct sending *s)
{
    int fd = connect_to(s->order->host, s->order->port, s->order->timeout_s);

    if (fd < 0)
        return SEND_BROKEN;
    if (conn_open(&s->conn, &s->conns, s->loop, fd,
                  onward_smtp_client_channel(s->client), hung_up) != 0) {
        host_complain(send_program.name, "out of memory");
        return SEND_BROKEN;
    }
    s->conn.acks_at_once = true;
    conn_service(&s->conn);
    while (!s->is_over) {
        int64_t now = host_now_ms();
        int64_t at = onward_desk_deadline(s->desk);

        if (at > now + 1000)
            at = now + 1000;
        loop_turn(s->loop, conn_list_is_busy(&s->conns) || at <= now
                               ? 0
                               : (int)(at - now));
        do {
            now = host_now_ms();
            onward_desk_run(s->desk, now);
            conn_list_refresh(&s->conns);
        } while (onward_desk_deadline(s->desk) <= now && !s->is_over);
    }
    return s->is_delivered ? SEND_DONE : SEND_NOT_ALL;
}

int send_order(const struct order *order)
{
    struct sending s = {.order = order, .conn.is_closed = true};
    int status = begin(&s);

    if (status == SEND_DONE)
        status = run(&s);
    conn_close(&s.conn);
    onward_smtp_client_free(s.client);
    conn_list_close(&s.conns);
    onward_tls_config_free(s.tls);
    if (s.desk != NULL)
        onward_desk_free(s.desk);
    onward_ctx_free(s.ctx);
    loop_free(s.loop);
    return status;
}
