/* spf alone: a record judged without a look-up. */
#include <onward/spf.h>

#include "host.h"

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    int ok = ctx != 0 && onward_spf_check_new(0, 0, 0, 0) == ONWARD_EINVAL &&
             onward_spf_lint(ctx, ONWARD_STR("v=spf1 mx -all"), 0) == 0;

    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
