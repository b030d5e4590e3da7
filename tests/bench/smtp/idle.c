/*
 * bench_smtp_idle COUNT [CERT KEY]: the heap of COUNT sessions that wait for a
 * command after EHLO, the allocator's overhead included; with CERT and KEY
 * under TLS. Prints octets for each.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/smtp_client.h>
#include <onward/smtp_server.h>

#include "host.h"

static struct onward_ctx *ctx;
static struct onward_desk *desk;
static struct onward_tls_config *server_tls, *client_tls;

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

static struct onward_smtp_server *new_server(void)
{
    static const struct onward_smtp_server_host host = {
        .size = sizeof(host),
        .rcpt = take_all,
        .message_data = take_data,
        .message_end = take_message};
    const struct onward_smtp_server_opts opts = {
        .size = sizeof(opts),
        .hostname = ONWARD_STR("bench.example"),
        .tls = server_tls};
    struct onward_smtp_server *s;

    if (onward_smtp_server_new(desk, &opts, &host, &s) != 0)
        exit(1);
    onward_channel_tick(onward_smtp_server_channel(s), 1);
    return s;
}

static bool move(struct onward_channel *from, struct onward_channel *to)
{
    struct onward_str out = onward_channel_peek(from);
    size_t taken = 0;

    if (out.len == 0)
        return false;
    onward_channel_feed(to, out.data, out.len, &taken);
    onward_channel_drain(from, taken);
    return taken > 0;
}

/* EHLO by hand: the client would keep memory of its own. */
static void greet(struct onward_smtp_server *s)
{
    static const char ehlo[] = "EHLO client.example\r\n";
    struct onward_channel *ch = onward_smtp_server_channel(s);
    size_t taken;

    onward_channel_drain(ch, onward_channel_peek(ch).len);
    onward_channel_feed(ch, ehlo, sizeof(ehlo) - 1, &taken);
    onward_channel_drain(ch, onward_channel_peek(ch).len);
}

/* Under TLS a client of ours says it, and is freed without a word. */
static void greet_secured(struct onward_smtp_server *s)
{
    const struct onward_tls_demand demand = {.size = sizeof(demand),
                                             .level = ONWARD_TLS_ENCRYPTED};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts),
        .ehlo_name = ONWARD_STR("client.example"),
        .tls_demand = &demand,
        .tls = client_tls};
    const struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_channel *a = onward_smtp_server_channel(s), *b;
    struct onward_smtp_client *client;

    if (onward_smtp_client_new(desk, &opts, &host, &client) != 0)
        exit(1);
    b = onward_smtp_client_channel(client);
    onward_channel_tick(b, 1);
    while (move(a, b) || move(b, a) || onward_desk_run(desk, 1) == 1)
        continue;
    onward_smtp_client_free(client);
    if (!onward_smtp_server_is_tls(s))
        exit(1);
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
    if (onward_tls_config_new(ctx, &opts, &server_tls) != 0)
        exit(1);
    opts = (struct onward_tls_config_opts){.size = sizeof(opts),
                                           .role = ONWARD_TLS_CLIENT};
    if (onward_tls_config_new(ctx, &opts, &client_tls) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 0, before;
    struct onward_smtp_server **all = calloc(count, sizeof(*all));

    ctx = host_ctx_new(NULL);
    if (count == 0 || all == NULL || ctx == NULL ||
        onward_desk_new(ctx, NULL, &desk) != 0)
        return 2;
    if (argc == 4)
        use_tls(argv[2], argv[3]);
    onward_desk_run(desk, 1);
    before = mallinfo2().uordblks;
    for (size_t i = 0; i < count; i++) {
        all[i] = new_server();
        if (argc == 4)
            greet_secured(all[i]);
        else
            greet(all[i]);
    }
    printf("%zu\n", (mallinfo2().uordblks - before) / count);
    return 0;
}
