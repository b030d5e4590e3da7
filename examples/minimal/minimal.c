/*
 * The whole library in one short program: take a message over SMTP, verify it,
 * route it by rules, bring it to the next hop (minimal RULES DNS PORT: a port
 * of 127.0.0.1), tell the sender what that said. What examples/forwarder has is
 * left out: several at a time, TLS, live DNS, MX, SRS, seals; what touches the
 * machine is in examples/common. Read main() first.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <onward.h>

#include "host.h"
#include "load.h"
#include "pump.h"

#define NAME ONWARD_STR("mx.example.net")
static int next_hop_port, out; /* out: the socket to the next hop */
static struct onward_ctx *ctx;
static struct onward_desk *desk;
static struct onward_resolver *resolver;
static struct onward_ruleset *rules;
static struct onward_smtp_server *server;
static struct onward_smtp_client *client;
static struct onward_verifier *verifier;
static struct onward_relay *relay;
static uint64_t end_token, delivery_token; /* questions that wait for us */
static char message[1 << 20];
static size_t message_len;

static void sent(void *user, struct onward_smtp_client *c)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    onward_smtp_client_outcome(c, 0, &o);
    reply.code = o.cause == ONWARD_SMTP_CAUSE_REPLY ? o.code : 451;
    reply.enhanced = o.enhanced;
    reply.text = o.text;
    onward_relay_delivery_answer(desk, delivery_token, &reply);
    onward_smtp_client_quit(c);
}

static void hang_up(void *user, struct onward_smtp_client *c)
{
    onward_smtp_client_free(c);
    client = NULL;
    close(out);
}

static int deliver(void *user, uint64_t token, struct onward_relay *r, size_t i)
{
    const struct onward_tls_demand tls = {sizeof(tls), ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts opts = {sizeof(opts), NAME, &tls};
    const struct onward_smtp_client_host host = {sizeof(host), NULL, NULL,
                                                 NULL,         sent, hang_up};
    struct onward_relay_delivery d = {.size = sizeof(d)};

    if (client != NULL || onward_relay_delivery_at(r, i, &d) != 0 ||
        onward_smtp_client_new(desk, &opts, &host, &client) != 0)
        return -1; /* the relay makes 451 of it */
    const struct onward_smtp_envelope env = {sizeof(env), d.reverse_path};
    const struct onward_smtp_rcpt rcpt = {sizeof(rcpt), d.recipient};
    delivery_token = token;
    out = host_connect((unsigned)next_hop_port);
    if (out >= 0 && onward_smtp_client_add_rcpt(client, &rcpt) == 0 &&
        onward_smtp_client_send(client, &env, d.source) == 0)
        return 0;
    hang_up(NULL, client);
    return -1;
}

static void answer(void *user, struct onward_relay *r)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    onward_relay_reply(r, &reply);
    onward_smtp_reply_answer(desk, end_token, &reply);
}

static int read_message(void *u, uint64_t at, void *buf, size_t cap,
                        size_t *got)
{
    *got = message_len - at < cap ? message_len - (size_t)at : cap;
    memcpy(buf, message + at, *got);
    return 0;
}

static void verified(void *user, struct onward_verifier *v)
{
    const struct onward_source source = {
        .size = sizeof(source), .len = message_len, .read = read_message};
    struct onward_str received = {0};

    onward_smtp_server_received(server, ONWARD_STR(""), &received);
    if (onward_relay_start(relay, v, &source, received) != 0)
        onward_smtp_server_shutdown(server); /* 421: it comes again */
}

static int take_mail(void *user, uint64_t token)
{
    const struct onward_ip ip = {4, {127, 0, 0, 1}};
    const struct onward_str from = onward_smtp_server_mail_address(server);
    const struct onward_verifier_opts facts = {
        sizeof(facts), NAME, &ip, onward_smtp_server_helo(server), from};
    const struct onward_verifier_host told = {sizeof(told), NULL, verified};
    const struct onward_relay_opts way = {
        .size = sizeof(way), resolver, rules, .hostname = NAME, NAME};
    const struct onward_relay_envelope env = {sizeof(env), from};
    const struct onward_relay_host h = {sizeof(h), NULL, deliver, NULL, answer};

    if (onward_verifier_new(resolver, &facts, &told, &verifier) != 0 ||
        onward_relay_new(desk, &way, &env, &h, &relay) != 0)
        exit(1); /* no memory; nothing was promised */
    return ONWARD_SMTP_DEFAULT;
}

static int take_rcpt(void *user, uint64_t token, size_t i)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    if (onward_relay_rcpt(relay, onward_smtp_server_rcpt_address(server, i),
                          &reply) < 0)
        return -1; /* told as 451 */
    return onward_smtp_reply_answer(desk, token, &reply);
}

static int take_data(void *user, const void *data, size_t len)
{
    memcpy(message + message_len, data, len); /* opts.message_bytes bounds it */
    message_len += len;
    return onward_verifier_feed(verifier, data, len);
}

static int take_end(void *user, uint64_t token)
{
    end_token = token;
    return onward_verifier_finish(verifier); /* then comes verified() */
}

static void forget(void *user, int why)
{
    if (client != NULL)
        hang_up(NULL, client); /* it reads the message, and so does the relay */
    onward_relay_free(relay);
    onward_verifier_free(verifier);
    message_len = 0;
}

static void serve(int in)
{
    const struct onward_smtp_server_opts opts = {
        .size = sizeof(opts), .hostname = NAME, .message_bytes = 1 << 20};
    const struct onward_smtp_server_host asked = {.size = sizeof(asked),
                                                  .mail = take_mail,
                                                  take_rcpt,
                                                  .message_data = take_data,
                                                  take_end,
                                                  .reset = forget};
    struct onward_channel *c;

    if (onward_smtp_server_new(desk, &opts, &asked, &server) != 0)
        exit(1);
    c = onward_smtp_server_channel(server);
    while (onward_channel_wants(c) != ONWARD_WANT_CLOSE) {
        struct pollfd p[] = {{in, POLLIN, 0},
                             {client == NULL ? -1 : out, POLLIN, 0}};

        poll(p, 2, 10); /* and on, for deadlines and what waits to be sent */
        pump_socket(in, c);
        if (client != NULL)
            pump_socket(out, onward_smtp_client_channel(client));
        while (onward_desk_run(desk, host_now_ms()) == 1)
            continue;
    }
    onward_smtp_server_free(server);
    close(in);
}

int main(int argc, char **argv)
{
    const struct onward_resolver_opts o = {sizeof(o), .allow_only_loaded = 1};
    struct load_fault fault = {.text = "usage: minimal RULES DNS PORT"};

    if (argc != 4 || (ctx = host_ctx_new(NULL)) == NULL ||
        onward_desk_new(ctx, NULL, &desk) != 0 ||
        onward_resolver_new(desk, &o, NULL, &resolver) != 0 ||
        (rules = load_rules(ctx, argv[1], &fault)) == NULL ||
        load_records(resolver, argv[2], &fault) != 0) {
        fprintf(stderr, "minimal: %s\n", fault.text);
        return 2;
    }
    next_hop_port = atoi(argv[3]);
    for (int listener = host_listen();;)
        serve(host_accept(listener));
}
