/* key alone: a key made, and a signature that is none of it refused. */
#include <onward/key.h>

#include "host.h"

int main(void)
{
    unsigned char digest[32] = {0}, signature[64] = {0};
    struct onward_ctx *ctx = host_ctx();
    struct onward_key *key = NULL;
    int ok = 0;

    if (ctx != NULL &&
        onward_key_generate(ctx, ONWARD_KEY_ED25519, 0, &key) == 0)
        ok = !onward_pubkey_verify(onward_key_public(key), ONWARD_KEY_ED25519,
                                   digest, signature, sizeof(signature));
    onward_key_free(key);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
