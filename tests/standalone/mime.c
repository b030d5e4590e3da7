/* mime alone: a header block split into fields. */
#include <onward/mime.h>

#include "host.h"

int main(void)
{
    const char text[] = "From: a@example.org\r\n\r\nbody";
    struct onward_ctx *ctx = host_ctx();
    struct onward_header *header = NULL;
    size_t taken = 0;
    int ok = 0;

    if (ctx != NULL && onward_header_new(ctx, &header) == 0 &&
        onward_header_feed(header, text, sizeof(text) - 1, &taken) >= 0)
        ok = taken == 23 && onward_header_count(header) == 1;
    onward_header_free(header);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
