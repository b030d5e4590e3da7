/*
 * What the fuzz targets share: a context with a fixed clock, and a check that
 * stops the fuzzer in release builds too.
 */
#ifndef ONWARD_FUZZ_H
#define ONWARD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <onward/core.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(x) ((x) ? (void)0 : abort())

static inline int64_t fuzz_now_s(void *user)
{
    (void)user;
    return 1600000000;
}

static inline int fuzz_fill(void *user, void *data, size_t len)
{
    unsigned char *out = data;

    (void)user;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)(i * 37 + 11);
    return 0;
}

static inline struct onward_ctx *fuzz_ctx(void)
{
    static struct onward_ctx *ctx;
    const struct onward_clock clock = {.size = sizeof(clock),
                                       .now_s = fuzz_now_s};
    const struct onward_random source = {.size = sizeof(source),
                                         .fill = fuzz_fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};

    if (ctx == NULL)
        FUZZ_CHECK(onward_ctx_new(&opts, &ctx) == 0);
    return ctx;
}

#endif
