/* token alone: a payload goes away and comes back. */
#include <onward/token.h>

#include "host.h"

int main(void)
{
    const struct onward_str secret = ONWARD_STR("sixteen octets..");
    const struct onward_token_opts opts = {.size = sizeof(opts),
                                           .purpose = ONWARD_STR("verify")};
    struct onward_ctx *ctx = host_ctx();
    struct onward_token_minter *minter = NULL;
    char text[ONWARD_TOKEN_TEXT_MAX], back[16];
    int verdict = ONWARD_TOKEN_MALFORMED, len = 0;

    if (ctx != NULL && onward_token_minter_new(ctx, &secret, 1, &minter) == 0 &&
        onward_token_mint(minter, &opts, ONWARD_STR("me"), 0, text,
                          sizeof(text)) > 0)
        len = onward_token_check(minter, &opts, onward_str_of(text), back,
                                 sizeof(back), NULL, &verdict);
    onward_token_minter_free(minter);
    onward_ctx_free(ctx);
    return verdict == ONWARD_TOKEN_OK && len == 2 && back[1] == 'e' ? 0 : 1;
}
