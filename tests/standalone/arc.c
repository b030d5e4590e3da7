/* arc alone: a message without a chain sealed with a fresh key. */
#include <onward/arc.h>

#include "host.h"

static void done(void *user, struct onward_arc_sealer *sealer, int status)
{
    (void)sealer;
    *(int *)user = status == 0;
}

static int seal(struct onward_desk *desk, struct onward_signer *key)
{
    static const char message[] = "From: a@example.net\r\n\r\nhello\r\n";
    int ok = 0;
    struct onward_arc_sealer_opts opts = {.size = sizeof(opts),
                                          .chain_result = ONWARD_ARC_NONE,
                                          .domain = ONWARD_STR("example.net"),
                                          .selector = ONWARD_STR("s"),
                                          .authserv_id =
                                              ONWARD_STR("mx.example.net")};
    struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = &ok, .done = done};
    struct onward_arc_sealer *sealer = NULL;

    if (onward_arc_sealer_new(key, &opts, &host, &sealer) != 0)
        return 0;
    if (onward_arc_sealer_feed(sealer, message, sizeof(message) - 1) == 0 &&
        onward_arc_sealer_finish(sealer) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
    }
    ok = ok && onward_arc_sealer_fields(sealer).len > 0;
    onward_arc_sealer_free(sealer);
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
        ok = seal(desk, signer);
    onward_signer_free(signer);
    onward_key_free(key);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return ok ? 0 : 1;
}
