/* dnslist alone: an address on no list. */
#include <onward/dnslist.h>

#include "host.h"

static void note(void *user, struct onward_dnslist *dnslist)
{
    *(int *)user = onward_dnslist_result(dnslist) == ONWARD_DNSLIST_NONE;
}

int main(void)
{
    const struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 1}};
    struct onward_dnslist_opts opts = {.size = sizeof(opts), .ip = &ip};
    int ok = 0;
    struct onward_dnslist_host host = {
        .size = sizeof(host), .user = &ok, .done = note};
    struct onward_ctx *ctx = host_ctx();
    struct onward_dnslist *dnslist = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, NULL, NULL, &resolver) == 0 &&
        onward_dnslist_new(resolver, &opts, &host, &dnslist) == 0)
        while (onward_desk_run(desk, 0) == 1)
            continue;
    onward_dnslist_free(dnslist);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
