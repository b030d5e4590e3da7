/* throttle alone: one of two may pass. */
#include <onward/throttle.h>

#include "host.h"

static void note(void *user, struct onward_throttle *throttle)
{
    *(int *)user += onward_throttle_result(throttle) == ONWARD_THROTTLE_PASS;
}

int main(void)
{
    struct onward_throttle_rate_opts opts = {.size = sizeof(opts),
                                             .name = ONWARD_STR("client"),
                                             .count = 1,
                                             .period_s = 60};
    int passed = 0;
    struct onward_throttle_host host = {
        .size = sizeof(host), .user = &passed, .done = note};
    struct onward_ctx *ctx = host_ctx();
    struct onward_throttle *one = NULL, *two = NULL;
    struct onward_memstore *mem = NULL;
    struct onward_desk *desk = NULL;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_memstore_new(ctx, NULL, &mem) == 0 &&
        onward_memstore_open(mem, desk, NULL, &opts.store) == 0 &&
        onward_throttle_rate(&opts, &host, &one) == 0 &&
        onward_throttle_rate(&opts, &host, &two) == 0)
        while (onward_desk_run(desk, 0) == 1)
            continue;
    onward_throttle_free(one);
    onward_throttle_free(two);
    onward_store_free(opts.store);
    onward_memstore_free(mem);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return passed == 1 ? 0 : 1;
}
