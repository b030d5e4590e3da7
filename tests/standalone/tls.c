/* tls alone: a client's configuration without identity or trust. */
#include <onward/tls.h>

#include "host.h"

int main(void)
{
    const struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                                .role = ONWARD_TLS_CLIENT};
    struct onward_ctx *ctx = host_ctx();
    struct onward_tls_config *config = NULL;
    int ok = 0;

    if (ctx != NULL && onward_tls_config_new(ctx, &opts, &config) == 0)
        ok = onward_tls_config_expires_s(config) == INT64_MAX;
    onward_tls_config_free(config);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
