/* dsn alone: may a notice be sent, and one that is written. */
#include <onward/dsn.h>

#include "host.h"

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    const struct onward_dsn_opts opts = {
        .size = sizeof(opts),
        .reporting_mta = ONWARD_STR("mx.example.com"),
        .reverse_path = ONWARD_STR("alice@example.org"),
        .date_s = 1600000000,
    };
    const struct onward_dsn_outcome outcome = {
        .size = sizeof(outcome),
        .action = ONWARD_DSN_FAILED,
        .recipient = ONWARD_STR("bob@example.net"),
        .status = ONWARD_STR("5.1.1"),
    };
    const struct onward_source *source = NULL;
    struct onward_builder *builder = NULL;
    struct onward_dsn *dsn = NULL;
    int ok = ctx != NULL && onward_dsn_new(ctx, &opts, &dsn) == 0 &&
             onward_dsn_add(dsn, &outcome) == 1 &&
             onward_dsn_build(dsn, &builder) == 0 &&
             onward_builder_source(builder, &source) == 0 && source->len > 0;

    onward_builder_free(builder);
    onward_dsn_free(dsn);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
