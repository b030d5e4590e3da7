/* client PORT FROM TO... <MESSAGE: send it to a port of 127.0.0.1 and print
 * what became of each recipient. */
#define _GNU_SOURCE
#include <string.h>

#include "socket.h"

static int read_message(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    const struct onward_str *message = user;
    size_t left = message->len - (size_t)offset;

    *got = left < cap ? left : cap;
    memcpy(buf, message->data + offset, *got);
    return 0;
}

static void print_outcomes(struct onward_smtp_client *client, char **names)
{
    static const char *const fates[] = {
        [ONWARD_SMTP_FATE_NOT_TRIED] = "not tried",
        [ONWARD_SMTP_FATE_DELIVERED] = "delivered",
        [ONWARD_SMTP_FATE_TEMPORARY] = "try again",
        [ONWARD_SMTP_FATE_PERMANENT] = "failed",
    };
    struct onward_smtp_outcome o = {.size = sizeof(o)};

    for (size_t i = 0; onward_smtp_client_outcome(client, i, &o) == 0; i++)
        printf("%s: %s: %zu %.*s %.*s\n", names[i], fates[o.fate], o.code,
               (int)o.enhanced.len, o.enhanced.data, (int)o.text.len,
               o.text.data);
}

/* Name the recipients, hand over the message, and QUIT behind it. */
static int give(struct onward_smtp_client *client, char **names, int count,
                struct onward_str *message)
{
    struct onward_smtp_envelope envelope = {
        .size = sizeof(envelope), .reverse_path = onward_str_of(names[0])};
    struct onward_source source = {.size = sizeof(source),
                                   .user = message,
                                   .len = message->len,
                                   .read = read_message};
    int err = 0;

    for (int i = 1; i < count && err >= 0; i++) {
        struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                        .path = onward_str_of(names[i])};

        err = onward_smtp_client_add_rcpt(client, &rcpt);
    }
    if (err >= 0)
        err = onward_smtp_client_send(client, &envelope, &source);
    return err < 0 ? err : onward_smtp_client_quit(client);
}

static void run(struct host *host, struct onward_channel *channel, int fd)
{
    for (;;) {
        struct pollfd wish;
        int64_t then;

        socket_pump(fd, channel);
        while (onward_desk_run(host->desk, socket_now_ms()) == 1)
            continue;
        if (onward_channel_wants(channel) == ONWARD_WANT_CLOSE)
            return;
        then = onward_desk_deadline(host->desk);
        if (onward_channel_deadline(channel) < then)
            then = onward_channel_deadline(channel);
        wish = socket_wish(fd, channel);
        poll(&wish, 1, socket_wait_ms(then));
    }
}

int main(int argc, char **argv)
{
    /* Nobody listens on loopback. Everywhere else: opportunistic or better. */
    struct onward_tls_demand tls = {.size = sizeof(tls),
                                    .level = ONWARD_TLS_NONE};
    struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                           .ehlo_name =
                                               ONWARD_STR("out.example.com"),
                                           .tls_demand = &tls};
    struct onward_smtp_client_host told = {.size = sizeof(told)};
    struct onward_smtp_outcome whole = {.size = sizeof(whole)};
    struct sockaddr_in mx = socket_loopback(argc > 3 ? atoi(argv[1]) : 0);
    struct onward_smtp_client *client = NULL;
    struct onward_str message = host_read("/dev/stdin");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct host host;
    int err;

    if (argc < 4 || connect(fd, (struct sockaddr *)&mx, sizeof(mx)) != 0)
        return 2;
    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_smtp_client_new(host.desk, &opts, &told, &client);
    if (err == 0)
        err = give(client, argv + 2, argc - 2, &message);
    if (err == 0) {
        run(&host, onward_smtp_client_channel(client), fd);
        print_outcomes(client, argv + 3);
        onward_smtp_client_outcome(client, ONWARD_SMTP_MESSAGE, &whole);
    } else {
        fprintf(stderr, "%s\n", onward_strerror(err));
    }
    onward_smtp_client_free(client);
    host_close(&host);
    close(fd);
    return whole.fate == ONWARD_SMTP_FATE_DELIVERED ? 0 : 1;
}
