/* The memory that decisions stand in. */
#include "ruleset/ruleset_priv.h"

int onward_ruleset_router_new(struct onward_ctx *ctx,
                              struct onward_ruleset_router **router)
{
    struct onward_ruleset_router *r = onward_core__zalloc(ctx, sizeof(*r));

    if (r == NULL)
        return ONWARD_ENOMEM;
    r->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&r->arena, ctx, SIZE_MAX);
    r->arena.first = 2048;
    *router = r;
    return 0;
}

void onward_ruleset_router_reset(struct onward_ruleset_router *router)
{
    onward_core__arena_reset(&router->arena);
}

void onward_ruleset_router_free(struct onward_ruleset_router *router)
{
    struct onward_ctx *ctx;

    if (router == NULL)
        return;
    ctx = router->ctx;
    onward_core__arena_clear(&router->arena);
    onward_core__free(ctx, router->scratch);
    onward_core__free(ctx, router);
    onward_ctx_free(ctx);
}
