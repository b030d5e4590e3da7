/* store alone: one in memory, empty. */
#include <onward/store.h>

#include "host.h"

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    struct onward_memstore *mem = NULL;
    struct onward_desk *desk = NULL;
    struct onward_store *store = NULL;
    int ok = 0;

    if (ctx != NULL && onward_memstore_new(ctx, NULL, &mem) == 0 &&
        onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_memstore_open(mem, desk, NULL, &store) == 0)
        ok = onward_memstore_count(mem) == 0;
    onward_store_free(store);
    onward_desk_free(desk);
    onward_memstore_free(mem);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
