/*
 * A ticket for a reply, as it comes back from anywhere; and what is in it when
 * somebody has the secret. What is opened can be written again, and is the same
 * ticket; nothing else is opened.
 */
#include "fuzz.h"

#include <onward/handler.h>

static void check_same(struct onward_ctx *ctx,
                       const struct onward_token_minter *minter,
                       const struct onward_ticket *t)
{
    struct onward_ticket *again = NULL;
    char text[ONWARD_TICKET_TEXT_MAX], one[ONWARD_TICKET_KEY_MAX],
        two[ONWARD_TICKET_KEY_MAX];
    int len =
        onward_ticket_mint(minter, onward_ticket_message_id(t),
                           onward_ticket_sender(t), onward_ticket_recipient(t),
                           onward_ticket_expires_s(t), text, sizeof(text));

    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_ticket_open(ctx, minter, onward_str_of(text), &again,
                                  NULL) == 1);
    FUZZ_CHECK(
        onward_str_equal(onward_ticket_sender(t), onward_ticket_sender(again)));
    FUZZ_CHECK(onward_ticket_key(t, one, sizeof(one)) > 0 &&
               onward_ticket_key(again, two, sizeof(two)) > 0);
    FUZZ_CHECK(strcmp(one, two) == 0);
    onward_ticket_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str secret = ONWARD_STR("0123456789abcdef");
    const struct onward_token_opts opts = {
        .size = sizeof(opts), .purpose = ONWARD_STR("onward reply ticket")};
    struct onward_str input = {(const char *)data, size};
    struct onward_token_minter *minter = NULL;
    struct onward_ticket *t = NULL;
    struct onward_ctx *ctx = fuzz_ctx();
    char text[ONWARD_TOKEN_TEXT_MAX];

    FUZZ_CHECK(onward_token_minter_new(ctx, &secret, 1, &minter) == 0);
    /* As text: nobody makes a signature by chance. */
    FUZZ_CHECK(onward_ticket_open(ctx, minter, input, &t, NULL) == 0);
    /* As what was signed. */
    if (onward_token_mint(minter, &opts, input, INT64_C(4000000000), text,
                          sizeof(text)) > 0 &&
        onward_ticket_open(ctx, minter, onward_str_of(text), &t, NULL) == 1) {
        check_same(ctx, minter, t);
        onward_ticket_free(t);
    }
    onward_token_minter_free(minter);
    return 0;
}
