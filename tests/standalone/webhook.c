/* webhook alone: a message as JSON. */
#include <onward/webhook.h>

#include "host.h"

int main(void)
{
    const struct onward_webhook_facts facts = {
        .size = sizeof(facts), .message = ONWARD_STR("A: b\r\n\r\nx")};
    struct onward_ctx *ctx = host_ctx();
    struct onward_webhook *hook = NULL;
    int ok = ctx != NULL && onward_webhook_new(ctx, &facts, &hook) == 0 &&
             onward_webhook_body(hook).len > 100;

    onward_webhook_free(hook);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
