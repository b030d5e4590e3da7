/* relay alone: an address that the rules forward is accepted. */
#include <onward/relay.h>

#include "host.h"

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    (void)user;
    (void)token;
    (void)relay;
    (void)index;
    return -1;
}

static void done(void *user, struct onward_relay *relay)
{
    (void)user;
    (void)relay;
}

int main(void)
{
    const struct onward_str rules =
        ONWARD_STR("{\"version\":1,\"zones\":[{\"name\":\"example.com\","
                   "\"catch_all\":{\"matchers\":[{\"type\":\"all\"}],"
                   "\"actions\":[{\"type\":\"drop\"}]}}]}");
    struct onward_relay_opts opts = {.size = sizeof(opts),
                                     .hostname = ONWARD_STR("mx.example.com"),
                                     .authserv_id =
                                         ONWARD_STR("mx.example.com")};
    const struct onward_relay_envelope envelope = {.size = sizeof(envelope)};
    const struct onward_relay_host host = {
        .size = sizeof(host), .deliver = deliver, .done = done};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    struct onward_ctx *ctx = host_ctx();
    struct onward_desk *desk = NULL;
    struct onward_relay *relay = NULL;
    int ok = 0;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, NULL, NULL, &opts.resolver) == 0 &&
        onward_ruleset_new(ctx, rules, NULL, NULL, &opts.ruleset) == 0 &&
        onward_relay_new(desk, &opts, &envelope, &host, &relay) == 0)
        ok = onward_relay_rcpt(relay, ONWARD_STR("a@example.com"), &reply) ==
                 1 &&
             reply.code == 250;
    onward_relay_free(relay);
    onward_ruleset_free(opts.ruleset);
    onward_resolver_free(opts.resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
