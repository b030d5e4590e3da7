/* The least host: a context with a clock that stands still. */
#ifndef ONWARD_STANDALONE_HOST_H
#define ONWARD_STANDALONE_HOST_H

#include <onward/core.h>

static int64_t host_now_s(void *user)
{
    (void)user;
    return 0;
}

static int host_fill(void *user, void *data, size_t len)
{
    unsigned char *out = data;

    (void)user;
    while (len > 0)
        out[--len] = 7; /* a test's randomness only */
    return 0;
}

static struct onward_ctx *host_ctx(void)
{
    const struct onward_clock clock = {.size = sizeof(clock),
                                       .now_s = host_now_s};
    const struct onward_random source = {.size = sizeof(source),
                                         .fill = host_fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    struct onward_ctx *ctx = NULL;

    return onward_ctx_new(&opts, &ctx) == 0 ? ctx : NULL;
}

#endif
