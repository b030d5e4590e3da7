/* What another process is said to have found, in any octets: refused, or read
 * and written again as it was; and a sealer takes it or refuses it. */
#include <stdlib.h>
#include <string.h>

#include <onward/arc.h>
#include <onward/mime.h>

#include "fuzz.h"

static void done(void *user, struct onward_arc_sealer *sealer, int status)
{
    (void)user;
    (void)sealer;
    (void)status;
}

static void seal(struct onward_arc_sealer_opts *o)
{
    static const char message[] = "From: a@a.example\r\n\r\nx\r\n";
    static const unsigned char seed[32] = {7};
    const struct onward_arc_sealer_host host = {.size = sizeof(host),
                                                .done = done};
    struct onward_desk *desk = NULL;
    struct onward_key *key = NULL;
    struct onward_signer *signer = NULL;
    struct onward_arc_sealer *sealer = NULL;

    o->domain = ONWARD_STR("a.example");
    o->selector = ONWARD_STR("s");
    o->time_s = 1;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    FUZZ_CHECK(onward_key_from_ed25519_seed(fuzz_ctx(), seed, 32, &key) == 0);
    FUZZ_CHECK(onward_signer_new(desk, key, NULL, &signer) == 0);
    if (onward_arc_sealer_new(signer, o, &host, &sealer) == 0) {
        FUZZ_CHECK(
            onward_arc_sealer_feed(sealer, message, sizeof(message) - 1) == 0);
        if (onward_arc_sealer_finish(sealer) == 0) {
            struct onward_str fields;

            while (onward_desk_run(desk, 0) == 1)
                continue;
            /* A set, and no field but its three. */
            fields = onward_arc_sealer_fields(sealer);
            if (fields.len != 0) {
                struct onward_header *h = NULL;
                size_t taken;

                FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
                FUZZ_CHECK(onward_header_feed(h, fields.data, fields.len,
                                              &taken) >= 0);
                FUZZ_CHECK(onward_header_finish(h) == 0);
                FUZZ_CHECK(onward_header_count(h) == 3);
                onward_header_free(h);
            }
        }
    }
    onward_arc_sealer_free(sealer);
    onward_signer_free(signer);
    onward_key_free(key);
    onward_desk_free(desk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_arc_sealer_opts o = {.size = sizeof(o)};
    struct onward_str state = {(const char *)data, size};
    char *again;

    if (onward_arc_state_read(state, &o) != 0)
        return 0;
    again = malloc(size);
    FUZZ_CHECK(again != NULL);
    FUZZ_CHECK(onward_arc_state_write(&o, again, size) == (int)size);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
    free(again);
    seal(&o);
    return 0;
}
