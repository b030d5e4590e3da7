/*
 * bench_smtp_drive PORT SESSIONS MESSAGES PER_CONNECTION: messages of 2 KiB
 * under STARTTLS, which Postfix's smtp-source cannot do. Exits 0 when the
 * server has taken all.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <onward/smtp_client.h>

#include "conn.h"
#include "host.h"
#include "pump.h"

enum { MESSAGE_LEN = 2048 };

struct session {
    struct onward_smtp_client *client;
    struct conn conn;
    unsigned sent;
};

static struct onward_ctx *ctx;
static struct onward_desk *desk;
static struct loop *loop;
static struct conn_list conns;
static struct onward_tls_config *tls;
static unsigned port, left, taken, per_connection, open_sessions;
static char message[MESSAGE_LEN];

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    (void)user;
    *got = MESSAGE_LEN - (size_t)offset;
    if (*got > cap)
        *got = cap;
    memcpy(buf, message + offset, *got);
    return 0;
}

static void send_one(struct session *s)
{
    const struct onward_smtp_rcpt rcpt = {
        .size = sizeof(rcpt), .path = ONWARD_STR("foo@bench.example")};
    const struct onward_smtp_envelope envelope = {
        .size = sizeof(envelope),
        .reverse_path = ONWARD_STR("foo@bench.example")};
    const struct onward_source source = {
        .size = sizeof(source), .len = MESSAGE_LEN, .read = read_message};

    if (left == 0 || s->sent == per_connection) {
        onward_smtp_client_quit(s->client);
        return;
    }
    left--;
    s->sent++;
    if (onward_smtp_client_add_rcpt(s->client, &rcpt) < 0 ||
        onward_smtp_client_send(s->client, &envelope, &source) < 0)
        exit(1);
}

static void ready(void *user, struct onward_smtp_client *client)
{
    (void)client;
    send_one(user);
}

static void done(void *user, struct onward_smtp_client *client)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};

    if (onward_smtp_client_outcome(client, 0, &o) != 0 ||
        o.fate != ONWARD_SMTP_FATE_DELIVERED) {
        fprintf(stderr, "drive: %zu %.*s\n", o.code, (int)o.text.len,
                o.text.data);
        exit(1);
    }
    taken++;
    send_one(user);
}

static void begin(void);

static void closed(struct conn *conn)
{
    struct session *s =
        (struct session *)(void *)((char *)conn -
                                   offsetof(struct session, conn));

    onward_smtp_client_free(s->client);
    free(s);
    open_sessions--;
    if (left > 0)
        begin();
}

static void begin(void)
{
    const struct onward_tls_demand demand = {.size = sizeof(demand),
                                             .level = ONWARD_TLS_ENCRYPTED};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts),
        .ehlo_name = ONWARD_STR("drive.example"),
        .tls_demand = &demand,
        .tls = tls};
    struct session *s = calloc(1, sizeof(*s));
    struct onward_smtp_client_host host = {
        .size = sizeof(host), .user = s, .ready = ready, .done = done};
    int fd = host_connect(port);

    if (s == NULL || fd < 0 ||
        onward_smtp_client_new(desk, &opts, &host, &s->client) != 0 ||
        conn_open(&s->conn, &conns, loop, fd,
                  onward_smtp_client_channel(s->client), closed) != 0)
        exit(1);
    open_sessions++;
    conn_service(&s->conn);
}

int main(int argc, char **argv)
{
    const struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                                .role = ONWARD_TLS_CLIENT};
    unsigned sessions, all;

    if (argc != 5)
        return 2;
    port = (unsigned)atoi(argv[1]);
    sessions = (unsigned)atoi(argv[2]);
    left = all = (unsigned)atoi(argv[3]);
    per_connection = (unsigned)atoi(argv[4]);
    for (size_t i = 0; i + 64 <= MESSAGE_LEN; i += 64)
        memcpy(
            message + i,
            "X-Line: filled up to the sixty-fourth octet of the message....\r\n",
            64);
    ctx = host_ctx_new(NULL);
    loop = loop_new();
    if (ctx == NULL || loop == NULL || onward_desk_new(ctx, NULL, &desk) != 0 ||
        conn_list_open(&conns, desk) != 0 ||
        onward_tls_config_new(ctx, &opts, &tls) != 0)
        return 1;
    while (sessions-- > 0)
        begin();
    while (open_sessions > 0) {
        int64_t now = host_now_ms();

        loop_turn(loop,
                  conn_list_is_busy(&conns) || onward_desk_deadline(desk) <= now
                      ? 0
                      : 1000);
        do {
            onward_desk_run(desk, host_now_ms());
            conn_list_refresh(&conns);
        } while (onward_desk_deadline(desk) <= now);
    }
    return taken == all ? 0 : 1;
}
