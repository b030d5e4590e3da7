/* dane alone: an address has no TLSA records. */
#include <onward/dane.h>

#include "host.h"

static void note(void *user, struct onward_dane_lookup *lookup)
{
    *(int *)user = onward_dane_lookup_result(lookup) == ONWARD_DANE_RESULT_NONE;
}

int main(void)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("[192.0.2.1]")};
    int ok = 0;
    struct onward_dane_lookup_host host = {
        .size = sizeof(host), .user = &ok, .done = note};
    struct onward_ctx *ctx = host_ctx();
    struct onward_dane_lookup *lookup = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, NULL, NULL, &resolver) == 0 &&
        onward_dane_lookup_new(resolver, &opts, &host, &lookup) == 0)
        while (onward_desk_run(desk, 0) == 1)
            continue;
    onward_dane_lookup_free(lookup);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
