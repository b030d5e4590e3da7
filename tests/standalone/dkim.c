/* dkim alone: a message signed with a fresh key. */
#include <onward/dkim.h>

#include "host.h"

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    (void)signer;
    *(int *)user = status == 0;
}

static int sign(struct onward_desk *desk, struct onward_signer *key)
{
    static const char message[] = "From: a@example.net\r\n\r\nhello\r\n";
    int ok = 0;
    struct onward_dkim_signer_opts opts = {.size = sizeof(opts),
                                           .domain = ONWARD_STR("example.net"),
                                           .selector = ONWARD_STR("s")};
    struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = &ok, .done = done};
    struct onward_dkim_signer *signer = NULL;

    if (onward_dkim_signer_new(key, &opts, &host, &signer) != 0)
        return 0;
    if (onward_dkim_signer_feed(signer, message, sizeof(message) - 1) == 0 &&
        onward_dkim_signer_finish(signer) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
    }
    ok = ok && onward_dkim_signer_field(signer).len > 0;
    onward_dkim_signer_free(signer);
    return ok;
}

int main(void)
{
    struct onward_ctx *ctx = host_ctx();
    struct onward_desk *desk = NULL;
    struct onward_key *key = NULL;
    struct onward_signer *signer = NULL;
    int ok = 0;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_key_generate(ctx, ONWARD_KEY_ED25519, 0, &key) == 0 &&
        onward_signer_new(desk, key, NULL, &signer) == 0)
        ok = sign(desk, signer);
    onward_signer_free(signer);
    onward_key_free(key);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
