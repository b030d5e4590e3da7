/* Ours: 25 MiB of DATA through the engine, no socket. */
#include <onward/smtp_server.h>

#include "bench/worker.h"
#include "host.h"

static struct onward_desk *desk;
static uint64_t octets;
static char *message;
static size_t message_len;

static int take_all(void *user, uint64_t token, size_t index)
{
    (void)user, (void)token, (void)index;
    return ONWARD_SMTP_DEFAULT;
}

static int take_data(void *user, const void *data, size_t len)
{
    (void)user, (void)data;
    octets += len;
    return 0;
}

static int take_message(void *user, uint64_t token)
{
    (void)user, (void)token;
    return ONWARD_SMTP_DEFAULT;
}

static void feed(struct onward_channel *ch, const char *data, size_t len)
{
    size_t taken = 0;

    onward_channel_drain(ch, onward_channel_peek(ch).len);
    if (onward_channel_feed(ch, data, len, &taken) != 0 || taken != len)
        bench_die("the server does not take it");
}

static void run(void *arg)
{
    static const char envelope[] = "EHLO bench.example\r\n"
                                   "MAIL FROM:<a@bench.example>\r\n"
                                   "RCPT TO:<b@bench.example>\r\n"
                                   "DATA\r\n";
    static const struct onward_smtp_server_host host = {
        .size = sizeof(host),
        .rcpt = take_all,
        .message_data = take_data,
        .message_end = take_message};
    const struct onward_smtp_server_opts opts = {
        .size = sizeof(opts),
        .hostname = ONWARD_STR("bench.example"),
        .message_bytes = 64 << 20};
    struct onward_smtp_server *server;
    struct onward_channel *ch;

    (void)arg;
    if (onward_smtp_server_new(desk, &opts, &host, &server) != 0)
        bench_die("no server");
    ch = onward_smtp_server_channel(server);
    onward_channel_tick(ch, 1);
    octets = 0;
    feed(ch, envelope, sizeof(envelope) - 1);
    for (size_t at = 0; at < message_len; at += 65536)
        feed(ch, message + at,
             message_len - at < 65536 ? message_len - at : 65536);
    feed(ch, ".\r\n", 3);
    if (octets != message_len)
        bench_die("octets were lost");
    onward_smtp_server_free(server);
}

int main(int argc, char **argv)
{
    static const struct bench_job jobs[] = {{"data-25m", run, NULL}};
    struct onward_ctx *ctx = host_ctx_new(NULL);

    if (argc != 2 || ctx == NULL || onward_desk_new(ctx, NULL, &desk) != 0)
        return 2;
    message = bench_read(argv[1], "message", &message_len);
    return bench_serve(jobs, 1);
}
