/*
 * The whole library on a few screens: take a message over SMTP, verify it, find
 * its way by the rules, hand it to the next hop, answer with what that said.
 *
 *     minimal RULES DNS NEXT_HOP_PORT [CERTIFICATE KEY]
 *
 * Listens on a free port of 127.0.0.1, prints `ready 127.0.0.1:PORT`, delivers
 * to 127.0.0.1:NEXT_HOP_PORT; offers STARTTLS when it has a certificate.
 *
 * It leaves out what examples/forwarder has: several senders and destinations
 * at a time, large messages, live DNS (records come from a file), MX and TLS on
 * the way out, rewritten senders, seals, a ledger against doubles, a log. What
 * the library wants of the machine (clock, randomness) is in common/host.c,
 * and the files that it parses in common/load.c. Read it from the bottom:
 * main(), the loop, and what the library asks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <onward.h>

#include "host.h"
#include "load.h"

#define NAME ONWARD_STR("mx.example.net")

/* A socket and the channel on it; fd -1: none. */
struct link {
    int fd;
    struct onward_channel *channel;
};
static struct link in = {.fd = -1}, out = {.fd = -1};
static struct sockaddr_in next_hop;
static struct onward_desk *desk;
static struct onward_resolver *resolver;
static struct onward_ruleset *rules;
static struct onward_smtp_server *server; /* on in: the sender's session */
static struct onward_smtp_client *client; /* on out: ours with the next hop */
static uint64_t delivery_token;
static struct onward_verifier *verifier; /* of the message, as all below */
static struct onward_relay *relay;
static char message[1 << 20];
static size_t message_len;
static uint64_t end_token; /* the sender waits for its answer */

/* ---- The next hop: an SMTP client session ------------------------------ */

static void hang_up(void *user, struct onward_smtp_client *c)
{
    (void)user;
    onward_smtp_client_free(c);
    close(out.fd);
    out.fd = -1;
    client = NULL;
}

static void cancel(void *user, uint64_t token)
{
    if (client != NULL && token == delivery_token)
        hang_up(user, client);
}

static void sent(void *user, struct onward_smtp_client *c)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    (void)user;
    onward_smtp_client_outcome(c, 0, &o);
    reply.code = o.cause == ONWARD_SMTP_CAUSE_REPLY     ? o.code
                 : o.fate == ONWARD_SMTP_FATE_PERMANENT ? 554
                                                        : 451;
    reply.enhanced = o.enhanced;
    reply.text = o.text;
    onward_relay_delivery_answer(desk, delivery_token, &reply);
    delivery_token = 0;
    onward_smtp_client_quit(c);
}

static int deliver(void *user, uint64_t token, struct onward_relay *r, size_t i)
{
    const struct onward_tls_demand plain = {sizeof(plain), ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts), .ehlo_name = NAME, .tls_demand = &plain};
    const struct onward_smtp_client_host host = {
        .size = sizeof(host), .done = sent, .closed = hang_up};
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct onward_smtp_envelope envelope = {.size = sizeof(envelope)};
    struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt)};

    (void)user;
    if (client != NULL || onward_relay_delivery_at(r, i, &d) != 0)
        return -1; /* told as 451 */
    out.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(out.fd, (void *)&next_hop, sizeof(next_hop)) != 0 ||
        onward_smtp_client_new(desk, &opts, &host, &client) != 0) {
        close(out.fd);
        out.fd = -1;
        return -1;
    }
    out.channel = onward_smtp_client_channel(client);
    delivery_token = token;
    envelope.reverse_path = d.reverse_path;
    envelope.smtputf8 = d.smtputf8;
    rcpt.path = d.recipient;
    if (onward_smtp_client_add_rcpt(client, &rcpt) == 0 &&
        onward_smtp_client_send(client, &envelope, d.source) == 0)
        return 0;
    hang_up(NULL, client);
    return -1;
}

/* ---- The message: verified, then relayed ------------------------------- */

static void answer(void *user, struct onward_relay *r)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 451};

    (void)user;
    if (r != NULL)
        onward_relay_reply(r, &reply);
    onward_smtp_reply_answer(desk, end_token, &reply);
}

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    (void)user;
    *got = message_len - offset < cap ? message_len - (size_t)offset : cap;
    memcpy(buf, message + offset, *got);
    return 0;
}

static void verified(void *user, struct onward_verifier *v)
{
    const struct onward_source source = {
        .size = sizeof(source), .len = message_len, .read = read_message};
    struct onward_str received;

    if (onward_smtp_server_received(server, ONWARD_STR(""), &received) != 0 ||
        onward_relay_start(relay, v, &source, received) != 0)
        answer(user, NULL);
}

/* ---- The sender: an SMTP server session -------------------------------- */

static void forget(void *user, int why)
{
    (void)user;
    (void)why;
    onward_relay_free(relay); /* first: it reads the rest */
    onward_verifier_free(verifier);
    relay = NULL;
    verifier = NULL;
    message_len = 0;
}

static int take_mail(void *user, uint64_t token)
{
    const struct onward_str from = onward_smtp_server_mail_address(server);
    struct onward_ip ip;
    const struct onward_verifier_opts verifier_opts = {
        .size = sizeof(verifier_opts),
        .authserv_id = NAME,
        .client_ip = &ip,
        .helo = onward_smtp_server_helo(server),
        .mail_from = from,
        .dmarc_reject_policy = ONWARD_DMARC_REJECT_SERVICE};
    const struct onward_verifier_host told = {.size = sizeof(told),
                                              .done = verified};
    const struct onward_relay_opts relay_opts = {.size = sizeof(relay_opts),
                                                 .resolver = resolver,
                                                 .ruleset = rules,
                                                 .hostname = NAME,
                                                 .authserv_id = NAME};
    const struct onward_relay_envelope envelope = {.size = sizeof(envelope),
                                                   .reverse_path = from};
    const struct onward_relay_host asked = {.size = sizeof(asked),
                                            .deliver = deliver,
                                            .cancel = cancel,
                                            .done = answer};

    (void)user;
    (void)token;
    onward_smtp_server_client_ip(server, &ip);
    if (onward_verifier_new(resolver, &verifier_opts, &told, &verifier) != 0 ||
        onward_relay_new(desk, &relay_opts, &envelope, &asked, &relay) != 0)
        return -1; /* told as 451 */
    return ONWARD_SMTP_DEFAULT;
}

static int take_rcpt(void *user, uint64_t token, size_t i)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    const struct onward_str to = onward_smtp_server_rcpt_address(server, i);

    (void)user;
    if (onward_relay_rcpt(relay, to, &reply) < 0)
        return -1;
    onward_smtp_reply_answer(desk, token, &reply);
    return ONWARD_SMTP_HANDLED;
}

static int take_data(void *user, const void *data, size_t len)
{
    (void)user;
    memcpy(message + message_len, data, len); /* opts.message_bytes bounds it */
    message_len += len;
    return onward_verifier_feed(verifier, data, len);
}

static int take_end(void *user, uint64_t token)
{
    (void)user;
    end_token = token;
    return onward_verifier_finish(verifier); /* then `verified`, by the desk */
}

static void welcome(int fd, struct onward_tls_config *tls)
{
    const struct onward_ip loopback = {4, {127, 0, 0, 1}};
    const struct onward_smtp_server_opts opts = {.size = sizeof(opts),
                                                 .hostname = NAME,
                                                 .client_ip = &loopback,
                                                 .tls = tls,
                                                 .message_bytes =
                                                     sizeof(message)};
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .mail = take_mail,
                                                 .rcpt = take_rcpt,
                                                 .message_data = take_data,
                                                 .message_end = take_end,
                                                 .reset = forget};

    if (onward_smtp_server_new(desk, &opts, &host, &server) != 0) {
        close(fd);
        return;
    }
    in = (struct link){fd, onward_smtp_server_channel(server)};
}

/* ---- The loop ---------------------------------------------------------- */

static int receive(void *user, void *buf, size_t cap, size_t *got)
{
    ssize_t n = recv(*(int *)user, buf, cap, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN ? ONWARD_AGAIN : ONWARD_ECALLBACK;
    *got = (size_t)n;
    return 0;
}

static int transmit(void *user, const void *data, size_t len, size_t *put)
{
    ssize_t n = send(*(int *)user, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN ? ONWARD_AGAIN : ONWARD_ECALLBACK;
    *put = (size_t)n;
    return 0;
}

/* Move octets, let the desk go on with what they brought, until all wait. */
static void work(int64_t now_ms)
{
    int more = 1;

    while (more > 0) {
        more = 0;
        for (struct link *l = &in; l != NULL; l = l == &in ? &out : NULL) {
            const struct onward_channel_io io = {.size = sizeof(io),
                                                 .user = &l->fd,
                                                 .read = receive,
                                                 .write = transmit};

            if (l->fd >= 0 && onward_channel_tick(l->channel, now_ms) == 0)
                more |= onward_channel_pump(l->channel, &io) == 1;
        }
        more |= onward_desk_run(desk, now_ms) == 1;
    }
}

/* One turn: wait for a socket or a deadline, then work. */
static void turn(int listener, struct onward_tls_config *tls)
{
    const struct link *both[] = {&in, &out};
    struct pollfd p[3] = {{.fd = server == NULL ? listener : -1}};
    int64_t deadline = onward_desk_deadline(desk), now = host_now_ms();

    p[0].events = POLLIN;
    for (int i = 0; i < 2; i++) {
        const struct link *l = both[i];
        int wants = l->fd < 0 ? 0 : onward_channel_wants(l->channel);

        if (wants & ONWARD_WANT_READ)
            p[i + 1].events |= POLLIN;
        if (wants & ONWARD_WANT_WRITE)
            p[i + 1].events |= POLLOUT;
        /* Who wants nothing must not be told of a hang-up, again and again. */
        p[i + 1].fd = p[i + 1].events == 0 ? -1 : l->fd;
        if (l->fd >= 0 && onward_channel_deadline(l->channel) < deadline)
            deadline = onward_channel_deadline(l->channel);
    }
    poll(p, 3,
         deadline <= now           ? 0
         : deadline - now > 600000 ? 600000
                                   : (int)(deadline - now));
    if (p[0].revents != 0)
        welcome(accept(listener, NULL, NULL), tls);
    work(host_now_ms());
    if (server != NULL &&
        onward_channel_wants(in.channel) == ONWARD_WANT_CLOSE) {
        forget(NULL, 0);
        onward_smtp_server_free(server);
        server = NULL;
        close(in.fd);
        in.fd = -1;
    }
}

/* ---- The start --------------------------------------------------------- */

static void must(bool is_fine, const char *what)
{
    if (is_fine)
        return;
    fprintf(stderr, "minimal: %s\n", what);
    exit(2);
}

static struct onward_str read_file(const char *path)
{
    size_t len = 0;
    const char *data = host_read_file(path, &len);

    must(data != NULL, path);
    return (struct onward_str){data, len};
}

int main(int argc, char **argv)
{
    const struct onward_resolver_opts offline = {.size = sizeof(offline),
                                                 .allow_only_loaded = 1};
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t here_len = sizeof(here);
    struct onward_ctx *ctx = host_ctx_new(NULL);
    struct onward_tls_config *tls = NULL;
    struct load_fault fault;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    must(argc == 4 || argc == 6,
         "usage: minimal RULES DNS NEXT_HOP_PORT [CERTIFICATE KEY]");
    must(ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
             onward_resolver_new(desk, &offline, NULL, &resolver) == 0,
         "no memory");
    rules = load_rules(ctx, argv[1], &fault);
    must(rules != NULL && load_records(resolver, argv[2], &fault) == 0,
         fault.text);
    next_hop = here;
    next_hop.sin_port = htons((uint16_t)atoi(argv[3]));
    if (argc == 6) {
        const struct onward_str chain = read_file(argv[4]);
        const struct onward_str key = read_file(argv[5]);
        const struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                                    .role = ONWARD_TLS_SERVER,
                                                    .chain_pem = &chain,
                                                    .key_pem = &key,
                                                    .identity_count = 1};

        must(onward_tls_config_new(ctx, &opts, &tls) == 0, "no such identity");
    }
    must(bind(listener, (void *)&here, sizeof(here)) == 0 &&
             listen(listener, 16) == 0 &&
             getsockname(listener, (void *)&here, &here_len) == 0,
         "cannot listen");
    printf("ready 127.0.0.1:%u\n", (unsigned)ntohs(here.sin_port));
    fflush(stdout);
    for (;;)
        turn(listener, tls);
}
