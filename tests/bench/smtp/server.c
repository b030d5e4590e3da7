/*
 * bench_smtp_server [CERT KEY]: a server over this library in one thread; every
 * message is read and dropped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <onward/smtp_server.h>

#include "conn.h"
#include "host.h"
#include "pump.h"

struct session {
    struct onward_smtp_server *server;
    struct conn conn;
};

static struct onward_ctx *ctx;
static struct onward_desk *desk;
static struct loop *loop;
static struct conn_list conns;
static struct onward_tls_config *tls;

static int take_all(void *user, uint64_t token, size_t index)
{
    (void)user, (void)token, (void)index;
    return ONWARD_SMTP_DEFAULT;
}

static int take_data(void *user, const void *data, size_t len)
{
    (void)user, (void)data, (void)len;
    return 0;
}

static int take_message(void *user, uint64_t token)
{
    (void)user, (void)token;
    return ONWARD_SMTP_DEFAULT;
}

static void closed(struct conn *conn)
{
    struct session *s =
        (struct session *)(void *)((char *)conn -
                                   offsetof(struct session, conn));

    onward_smtp_server_free(s->server);
    free(s);
}

static void begin(int fd)
{
    static const struct onward_smtp_server_host host = {
        .size = sizeof(host),
        .rcpt = take_all,
        .message_data = take_data,
        .message_end = take_message};
    const struct onward_smtp_server_opts opts = {
        .size = sizeof(opts),
        .hostname = ONWARD_STR("bench.example"),
        .tls = tls};
    struct session *s = calloc(1, sizeof(*s));

    if (s == NULL ||
        onward_smtp_server_new(desk, &opts, &host, &s->server) != 0)
        exit(1);
    if (conn_open(&s->conn, &conns, loop, fd,
                  onward_smtp_server_channel(s->server), closed) != 0)
        exit(1);
    conn_service(&s->conn);
}

static void accept_some(struct loop_watch *watch, uint32_t events)
{
    int on = 1;

    (void)events;
    for (int i = 0; i < 16; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        begin(fd);
    }
}

static void use_tls(const char *cert, const char *key)
{
    struct onward_str chain = {0}, secret = {0};
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_SERVER,
                                          .chain_pem = &chain,
                                          .key_pem = &secret,
                                          .identity_count = 1};

    chain.data = host_read_file(cert, &chain.len);
    secret.data = host_read_file(key, &secret.len);
    if (onward_tls_config_new(ctx, &opts, &tls) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    struct loop_watch door = {.ready = accept_some};

    ctx = host_ctx_new(NULL);
    loop = loop_new();
    if (ctx == NULL || loop == NULL || onward_desk_new(ctx, NULL, &desk) != 0 ||
        conn_list_open(&conns, desk) != 0)
        return 1;
    if (argc == 3)
        use_tls(argv[1], argv[2]);
    door.fd = host_listen();
    if (door.fd < 0 || fcntl(door.fd, F_SETFL, O_NONBLOCK) != 0 ||
        listen(door.fd, 512) != 0 ||
        loop_add(loop, &door, EPOLLIN) != 0)
        return 1;
    for (;;) {
        int64_t now = host_now_ms(), at = onward_desk_deadline(desk);
        int wait = conn_list_is_busy(&conns) || at <= now ? 0
                   : at - now > 60000                     ? 60000
                                                          : (int)(at - now);

        loop_turn(loop, wait);
        do {
            onward_desk_run(desk, host_now_ms());
            conn_list_refresh(&conns);
        } while (onward_desk_deadline(desk) <= now);
    }
}
