/* ruleset alone: a zone that takes all mail and forgets it. */
#include <onward/ruleset.h>

#include "host.h"

int main(void)
{
    const struct onward_str text = onward_str_of(
        "{\"version\":1,\"zones\":[{\"name\":\"a.example\",\"catch_all\":{"
        "\"matchers\":[{\"type\":\"all\"}],"
        "\"actions\":[{\"type\":\"drop\"}]}}]}");
    struct onward_ruleset_decision decision = {.size = sizeof(decision)};
    struct onward_ctx *ctx = host_ctx();
    struct onward_mailbox *to = NULL;
    struct onward_ruleset_router *router = NULL;
    struct onward_ruleset *rs = NULL;
    int ok = 0;

    if (ctx != NULL &&
        onward_ruleset_new(ctx, text, NULL, NULL, &rs) == 0 &&
        onward_mailbox_parse(ctx, ONWARD_STR("x@a.example"), 0, &to) == 0 &&
        onward_ruleset_router_new(ctx, &router) == 0 &&
        onward_ruleset_route(rs, router, to, NULL, NULL, &decision) == 0)
        ok = decision.kind == ONWARD_RULESET_DROP;
    onward_mailbox_free(to);
    onward_ruleset_router_free(router);
    onward_ruleset_free(rs);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
