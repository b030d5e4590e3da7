/*
 * The context: what the host brings, copied once, and the small calls through
 * which the library uses it.
 */
#include "core/ctx_priv.h"

#include "core/text_shared.h"

enum {
    DEFAULT_HEADER_BYTES = 256 * 1024,
    DEFAULT_HEADER_FIELDS = 1000,
    DEFAULT_MESSAGE_BYTES = 25 * 1024 * 1024,
    LOG_DETAIL_MAX = 512
};

/* The last named field ends the struct: no stray padding for the loader. */
_Static_assert(offsetof(struct onward_ctx_opts, limits) + sizeof(void *) ==
                   sizeof(struct onward_ctx_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_limits, message_bytes) + sizeof(size_t) ==
                   sizeof(struct onward_limits),
               "no tail padding");

static int load_tables(struct onward_ctx *c, const struct onward_ctx_opts *o)
{
    int err;

    err = onward_core__opts_load(&c->clock, sizeof(c->clock), o->clock);
    if (err != 0)
        return err;
    err = onward_core__opts_load(&c->random, sizeof(c->random), o->random);
    if (err != 0)
        return err;
    err = onward_core__opts_load(&c->log, sizeof(c->log), o->log);
    if (err != 0)
        return err;
    err = onward_core__opts_load(&c->limits, sizeof(c->limits), o->limits);
    if (err != 0)
        return err;
    if (c->clock.now_s == NULL || c->random.fill == NULL)
        return ONWARD_EINVAL;
    c->limits.header_bytes =
        onward_core__limit(c->limits.header_bytes, DEFAULT_HEADER_BYTES);
    c->limits.header_fields =
        onward_core__limit(c->limits.header_fields, DEFAULT_HEADER_FIELDS);
    c->limits.message_bytes =
        onward_core__limit(c->limits.message_bytes, DEFAULT_MESSAGE_BYTES);
    return 0;
}

int onward_ctx_new(const struct onward_ctx_opts *opts, struct onward_ctx **ctx)
{
    struct onward_ctx_opts o;
    struct onward_ctx loaded = {0};
    struct onward_ctx *made;
    int err;

    if (opts == NULL || ctx == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (o.clock == NULL || o.random == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(
        &loaded.allocator, sizeof(loaded.allocator),
        o.allocator == NULL ? &onward_core__default_allocator : o.allocator);
    if (err != 0)
        return err;
    if (loaded.allocator.alloc == NULL || loaded.allocator.realloc == NULL ||
        loaded.allocator.free == NULL)
        return ONWARD_EINVAL;
    err = load_tables(&loaded, &o);
    if (err != 0)
        return err;
    err =
        onward_core__random(&loaded, loaded.hash_key, sizeof(loaded.hash_key));
    if (err != 0)
        return err;
    made = loaded.allocator.alloc(loaded.allocator.user, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    memset(made, 0, sizeof(*made));
    made->allocator = loaded.allocator;
    made->clock = loaded.clock;
    made->random = loaded.random;
    made->log = loaded.log;
    made->limits = loaded.limits;
    memcpy(made->hash_key, loaded.hash_key, sizeof(made->hash_key));
    atomic_init(&made->refs, 1);
    *ctx = made;
    return 0;
}

struct onward_ctx *onward_ctx_ref(struct onward_ctx *ctx)
{
    atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

void onward_ctx_free(struct onward_ctx *ctx)
{
    struct onward_allocator allocator;

    if (ctx == NULL)
        return;
    /* acq_rel: what other owners did to the context happens before its end. */
    if (atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
        return;
    allocator = ctx->allocator;
    onward_core__wipe(ctx->hash_key, sizeof(ctx->hash_key));
    allocator.free(allocator.user, ctx);
}

void *onward_core__alloc(struct onward_ctx *ctx, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    return ctx->allocator.alloc(ctx->allocator.user, bytes);
}

void *onward_core__zalloc(struct onward_ctx *ctx, size_t bytes)
{
    void *block = onward_core__alloc(ctx, bytes);

    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void *onward_core__realloc(struct onward_ctx *ctx, void *block, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    if (block == NULL)
        return ctx->allocator.alloc(ctx->allocator.user, bytes);
    return ctx->allocator.realloc(ctx->allocator.user, block, bytes);
}

void onward_core__free(struct onward_ctx *ctx, void *block)
{
    if (block != NULL)
        ctx->allocator.free(ctx->allocator.user, block);
}

int64_t onward_core__now_s(struct onward_ctx *ctx)
{
    return ctx->clock.now_s(ctx->clock.user);
}

int onward_core__random(struct onward_ctx *ctx, void *data, size_t len)
{
    if (len == 0)
        return 0;
    if (ctx->random.fill(ctx->random.user, data, len) >= 0)
        return 0;
    memset(data, 0, len); /* half-random octets must not pass for random */
    return ONWARD_ERANDOM;
}

const struct onward_limits *onward_core__limits(const struct onward_ctx *ctx)
{
    return &ctx->limits;
}

bool onward_core__has_log(const struct onward_ctx *ctx)
{
    return ctx->log.event != NULL;
}

void onward_core__log(struct onward_ctx *ctx, enum onward_log_level level,
                      const char *module, const char *code, uint64_t log_id,
                      struct onward_str detail)
{
    struct onward_log_event event = {.size = sizeof(event),
                                     .level = (size_t)level,
                                     .module = module,
                                     .code = code,
                                     .log_id = log_id};
    struct onward_buf text;

    if (ctx->log.event == NULL)
        return;
    onward_core__buf_init(&text, ctx, LOG_DETAIL_MAX);
    /* Without memory the event still goes out, with what fits of its detail. */
    (void)onward_core__escape(&text, detail, LOG_DETAIL_MAX);
    event.detail = onward_core__buf_str(&text);
    ctx->log.event(ctx->log.user, &event);
    onward_core__buf_clear(&text);
}
