/* egress alone: the plan for an address literal. */
#include <onward/egress.h>

#include "host.h"

static void note(void *user, struct onward_egress *plan)
{
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};

    *(int *)user =
        onward_egress_next(plan, &attempt) == 1 && attempt.ip->octets[0] == 9;
}

int main(void)
{
    struct onward_egress_opts opts = {.size = sizeof(opts),
                                      .domain = ONWARD_STR("[9.9.9.9]")};
    int ok = 0;
    struct onward_egress_host host = {
        .size = sizeof(host), .user = &ok, .done = note};
    struct onward_ctx *ctx = host_ctx();
    struct onward_egress *plan = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, NULL, NULL, &resolver) == 0 &&
        onward_egress_new(resolver, &opts, &host, &plan) == 0)
        while (onward_desk_run(desk, 0) == 1)
            continue;
    onward_egress_free(plan);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
