/*
 * Our AUTH for the programs of others: a server that knows one user, and a
 * client that logs in and leaves. One connection after the other, blocking.
 *
 *     auth_tool server PORT CHAIN KEY          until it is ended
 *     auth_tool client PORT MECHANISMS USER PASSWORD [TRUST]
 *
 * MECHANISMS is a number, a set. The client prints the mechanism, or why not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <onward/smtp.h>

static struct onward_ctx *ctx;
static struct onward_desk *desk;
static struct onward_smtp_scram_keys keys = {.size = sizeof(keys)};
static const char salt[] = "sixteen octets!";

static struct onward_str str(const char *text)
{
    return (struct onward_str){text, strlen(text)};
}

static int64_t now_s(void *user)
{
    (void)user;
    return (int64_t)time(NULL);
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

/* Two files at most; they stay until the end. */
static char *read_file(const char *path)
{
    static char texts[2][65536];
    static size_t count;
    char *text = texts[count++ % 2];
    FILE *file = fopen(path, "rb");

    if (file == NULL || fread(text, 1, 65535, file) == 0)
        exit(2);
    fclose(file);
    return text;
}

/* ---- One connection ---------------------------------------------------- */

static void converse(int fd, struct onward_channel *channel)
{
    char buf[16384];

    for (int turns = 0; turns < 2000; turns++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct onward_str out;
        ssize_t n;
        size_t taken = 0;
        int more = onward_desk_run(desk, 1000);

        onward_channel_tick(channel, 1000);
        while ((out = onward_channel_peek(channel)).len > 0) {
            n = send(fd, out.data, out.len, MSG_NOSIGNAL);
            if (n <= 0)
                return;
            onward_channel_drain(channel, (size_t)n);
        }
        if ((onward_channel_wants(channel) & ONWARD_WANT_CLOSE) != 0)
            return;
        if ((onward_channel_wants(channel) & ONWARD_WANT_READ) == 0 ||
            poll(&p, 1, more == 1 ? 0 : 10) <= 0)
            continue;
        n = recv(fd, buf, sizeof(buf), 0);
        if (n <= 0)
            onward_channel_eof(channel, ONWARD_EOF_CLEAN);
        for (ssize_t at = 0; at < n; at += (ssize_t)taken) {
            if (onward_channel_feed(channel, buf + at, (size_t)(n - at),
                                    &taken) < 0)
                break;
            onward_desk_run(desk, 1000);
        }
    }
}

static int open_socket(int port, int is_server)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (is_server) {
        if (bind(fd, (void *)&at, sizeof(at)) != 0 || listen(fd, 5) != 0)
            exit(2);
    } else if (connect(fd, (void *)&at, sizeof(at)) != 0) {
        exit(2);
    }
    return fd;
}

/* ---- Server ------------------------------------------------------------ */

static int is(struct onward_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static int on_auth(void *user, uint64_t token,
                   const struct onward_smtp_auth_request *r)
{
    const struct onward_smtp_scram_credentials known = {
        .size = sizeof(known),
        .iterations = 15000,
        .salt = str(salt),
        .stored_key = {(const char *)keys.stored_key, 32},
        .server_key = {(const char *)keys.server_key, 32}};
    const struct onward_smtp_reply yes = {.size = sizeof(yes), .code = 235};

    (void)user;
    if (!is(r->authentication_id, "tim"))
        return ONWARD_SMTP_DEFAULT;
    if (r->kind == ONWARD_SMTP_AUTH_ASK_SCRAM)
        return onward_smtp_auth_scram(desk, token, &known);
    if (!is(r->password, "tanst,af=\xc3\xa9") && !is(r->token, "tanstaaf"))
        return ONWARD_SMTP_DEFAULT;
    return onward_smtp_reply_answer(desk, token, &yes);
}

static void on_done(void *user, const struct onward_smtp_auth_request *r,
                    int is_accepted)
{
    (void)user;
    printf("%s %s\n", is_accepted ? "yes" : "no",
           onward_smtp_auth_name((int)r->mechanism));
    fflush(stdout);
}

static int on_rcpt(void *user, uint64_t token, size_t index)
{
    (void)user;
    (void)token;
    (void)index;
    return ONWARD_SMTP_DEFAULT;
}

static int on_data(void *user, const void *data, size_t len)
{
    (void)user;
    (void)data;
    (void)len;
    return 0;
}

static int on_end(void *user, uint64_t token)
{
    (void)user;
    (void)token;
    return ONWARD_SMTP_DEFAULT;
}

static int serve(int port, const char *chain_path, const char *key_path)
{
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .rcpt = on_rcpt,
                                                 .message_data = on_data,
                                                 .message_end = on_end,
                                                 .auth = on_auth,
                                                 .auth_done = on_done};
    struct onward_str chain = str(read_file(chain_path));
    struct onward_str key = str(read_file(key_path));
    const struct onward_tls_config_opts tls = {.size = sizeof(tls),
                                               .role = ONWARD_TLS_SERVER,
                                               .chain_pem = &chain,
                                               .key_pem = &key,
                                               .identity_count = 1};
    struct onward_smtp_server_opts opts = {.size = sizeof(opts),
                                           .hostname = str("localhost"),
                                           .auth_mechanisms = 63};
    int listener = open_socket(port, 1);

    if (onward_tls_config_new(ctx, &tls, &opts.tls) != 0 ||
        onward_smtp_scram_derive(ctx, str("tanst,af=\xc3\xa9"), str(salt),
                                 15000, &keys) != 0)
        return 2;
    for (;;) {
        struct onward_smtp_server *session;
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 || onward_smtp_server_new(desk, &opts, &host, &session) != 0)
            return 2;
        converse(fd, onward_smtp_server_channel(session));
        onward_smtp_server_free(session);
        close(fd);
    }
}

/* ---- Client ------------------------------------------------------------ */

static void on_ready(void *user, struct onward_smtp_client *client)
{
    (void)user;
    printf("yes %s\n", onward_smtp_auth_name(
                           onward_smtp_client_auth_mechanism(client)));
    onward_smtp_client_quit(client);
}

static int visit(int port, char **args, int count)
{
    const struct onward_smtp_client_host host = {.size = sizeof(host),
                                                 .ready = on_ready};
    const struct onward_smtp_client_login login = {
        .size = sizeof(login),
        .mechanisms = (size_t)atoi(args[0]),
        .user = str(args[1]),
        .password = str(args[2]),
        .allow_clear = 1};
    const struct onward_str name = str("localhost");
    const struct onward_tls_demand demand = {
        .size = sizeof(demand),
        .level = count > 3 ? ONWARD_TLS_VERIFIED : ONWARD_TLS_NONE,
        .names = &name,
        .name_count = 1};
    struct onward_tls_config_opts tls = {.size = sizeof(tls),
                                         .role = ONWARD_TLS_CLIENT};
    struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                           .ehlo_name = name,
                                           .tls_demand = &demand,
                                           .login = &login};
    struct onward_smtp_outcome outcome = {.size = sizeof(outcome)};
    struct onward_smtp_client *client;
    int fd = open_socket(port, 0);

    if (count > 3) {
        tls.trust_pem = str(read_file(args[3]));
        if (onward_tls_config_new(ctx, &tls, &opts.tls) != 0)
            return 2;
    }
    if (onward_smtp_client_new(desk, &opts, &host, &client) != 0)
        return 2;
    converse(fd, onward_smtp_client_channel(client));
    onward_desk_run(desk, 1000);
    onward_smtp_client_outcome(client, ONWARD_SMTP_SESSION, &outcome);
    if (outcome.cause != ONWARD_SMTP_CAUSE_NONE)
        printf("no %zu %.*s\n", outcome.code, (int)outcome.text.len,
               outcome.text.data);
    onward_smtp_client_free(client);
    onward_tls_config_free(opts.tls);
    return 0;
}

int main(int argc, char **argv)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    int status;

    if (argc < 5 || onward_ctx_new(&opts, &ctx) != 0 ||
        onward_desk_new(ctx, NULL, &desk) != 0)
        return 2;
    if (strcmp(argv[1], "server") == 0)
        return serve(atoi(argv[2]), argv[3], argv[4]);
    status = argc < 6 ? 2 : visit(atoi(argv[2]), argv + 3, argc - 3);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return status;
}
