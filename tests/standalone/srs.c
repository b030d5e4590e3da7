/* srs alone: an address goes forward and comes back. */
#include <onward/srs.h>

#include "host.h"

int main(void)
{
    const struct onward_str secret = ONWARD_STR("tops3cr3t");
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    struct onward_ctx *ctx = host_ctx();
    struct onward_srs *srs = NULL;
    int verdict = ONWARD_SRS_NONE;
    int ok = 0;

    if (ctx != NULL && onward_srs_new(ctx, &secret, 1, NULL, &srs) == 0 &&
        onward_srs_forward(srs, ONWARD_STR("user@example.com"),
                           ONWARD_STR("fwd.example.net"), there,
                           sizeof(there)) > 0 &&
        onward_srs_reverse(srs, onward_str_of(there), back, sizeof(back),
                           &verdict) > 0)
        ok = verdict == ONWARD_SRS_OK &&
             onward_str_equal(onward_str_of(back),
                              ONWARD_STR("user@example.com"));
    onward_srs_free(srs);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
