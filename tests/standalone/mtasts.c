/* mtasts alone: a policy and a server that is in it. */
#include <onward/mtasts.h>

#include "host.h"

int main(void)
{
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_ctx *ctx = host_ctx();
    int ok =
        ctx != NULL &&
        onward_mtasts_policy_parse(
            ONWARD_STR("version: STSv1\nmode: enforce\nmx: *.example.net\n"
                       "max_age: 604800\n"),
            &policy, NULL) == 0 &&
        onward_mtasts_mx_matches(&policy, ONWARD_STR("mx1.example.net")) == 1;

    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
