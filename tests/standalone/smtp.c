/* smtp alone: a client that is greeted with a refusal says QUIT; a server
 * greets, and says goodbye when it is told QUIT. */
#include <onward/smtp.h>

#include "host.h"

static int says(struct onward_channel *ch, const char *want)
{
    return onward_str_equal(onward_channel_peek(ch), onward_str_of(want));
}

static int run_client(struct onward_desk *desk)
{
    const struct onward_tls_demand none = {.size = sizeof(none),
                                           .level = ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts opts = {
        .size = sizeof(opts),
        .ehlo_name = ONWARD_STR("client.example"),
        .tls_demand = &none};
    const struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_smtp_client *client = NULL;
    size_t taken;
    int ok = 0;

    if (onward_smtp_client_new(desk, &opts, &host, &client) == 0) {
        struct onward_channel *ch = onward_smtp_client_channel(client);

        ok = onward_channel_feed(ch, "554 no\r\n", 8, &taken) == 0 &&
             says(ch, "QUIT\r\n");
    }
    onward_smtp_client_free(client);
    return ok;
}

static int take_rcpt(void *user, uint64_t token, size_t index)
{
    (void)user;
    (void)token;
    (void)index;
    return ONWARD_SMTP_DEFAULT;
}

static int take_data(void *user, const void *data, size_t len)
{
    (void)user;
    (void)data;
    (void)len;
    return 0;
}

static int take_end(void *user, uint64_t token)
{
    (void)user;
    (void)token;
    return ONWARD_SMTP_DEFAULT;
}

static int run_server(struct onward_desk *desk)
{
    const struct onward_smtp_server_opts opts = {
        .size = sizeof(opts), .hostname = ONWARD_STR("mx.example")};
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .rcpt = take_rcpt,
                                                 .message_data = take_data,
                                                 .message_end = take_end};
    struct onward_smtp_server *session = NULL;
    size_t taken;
    int ok = 0;

    if (onward_smtp_server_new(desk, &opts, &host, &session) == 0) {
        struct onward_channel *ch = onward_smtp_server_channel(session);

        ok = onward_channel_feed(ch, "QUIT\r\n", 6, &taken) == 0 &&
             says(ch, "220 mx.example ESMTP\r\n221 2.0.0 Bye\r\n");
    }
    onward_smtp_server_free(session);
    return ok;
}

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    struct onward_desk *desk = NULL;
    int ok = 0;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0)
        ok = run_client(desk) && run_server(desk);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
