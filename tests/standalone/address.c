/* address alone: a mailbox read, its needless quotes taken off. */
#include <onward/address.h>

#include "host.h"

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    struct onward_mailbox *mailbox = NULL;
    int ok = 0;

    if (ctx != NULL &&
        onward_mailbox_parse(ctx, ONWARD_STR("\"a\"@b.example"), 0,
                             &mailbox) == 0)
        ok = onward_str_equal(onward_mailbox_text(mailbox),
                              ONWARD_STR("a@b.example"));
    onward_mailbox_free(mailbox);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
