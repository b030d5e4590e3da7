/* smtp alone: a client that is greeted with a refusal says QUIT. */
#include <onward/smtp_client.h>

#include <string.h>

#include "host.h"

static int play(struct onward_smtp_client *client)
{
    struct onward_channel *ch = onward_smtp_client_channel(client);
    struct onward_str said;
    size_t taken;

    if (onward_channel_feed(ch, "554 no\r\n", 8, &taken) != 0)
        return 1;
    said = onward_channel_peek(ch);
    return said.len == 6 && memcmp(said.data, "QUIT\r\n", 6) == 0 ? 0 : 1;
}

int main(void)
{
    struct onward_tls_demand none = {.size = sizeof(none),
                                     .level = ONWARD_TLS_NONE};
    struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                           .ehlo_name =
                                               ONWARD_STR("client.example"),
                                           .tls_demand = &none};
    struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_ctx *ctx = host_ctx();
    struct onward_desk *desk = NULL;
    struct onward_smtp_client *client = NULL;
    int result = 1;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_smtp_client_new(desk, &opts, &host, &client) == 0)
        result = play(client);
    onward_smtp_client_free(client);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return result;
}
