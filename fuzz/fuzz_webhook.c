/*
 * Any octets as a message: what is written is JSON, and the message in it is
 * the one that was given.
 */
#include <onward/webhook.h>

#include "fuzz.h"

#include "core/json_shared.h"
#include "core/text_shared.h"

static void check_raw(const struct onward_json *root, const uint8_t *data,
                      size_t size)
{
    const struct onward_json *raw = onward_json__get(root, "raw");
    struct onward_buf octets;

    FUZZ_CHECK(raw != NULL && raw->type == ONWARD_JSON_STRING);
    onward_core__buf_init(&octets, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_core__base64_decode(&octets, raw->text, false) == 0);
    FUZZ_CHECK(octets.len == size && memcmp(octets.data, data, size) == 0);
    onward_core__buf_clear(&octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_webhook_facts facts = {
        .size = sizeof(facts),
        .message = {(const char *)data, size},
        .hook = ONWARD_STR("hook"),
        .from = ONWARD_STR("a\"b@a.example")};
    struct onward_json_fault fault = {0};
    struct onward_webhook *hook = NULL;
    struct onward_json *root = NULL;
    struct onward_arena arena;
    int err;

    if (size == 0 || size > 65536)
        return 0;
    err = onward_webhook_new(fuzz_ctx(), &facts, &hook);
    FUZZ_CHECK(err == 0 || err == ONWARD_ELIMIT);
    if (err != 0)
        return 0;
    onward_core__arena_init(&arena, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_json__parse(&arena, onward_webhook_body(hook), 10, &root,
                                  &fault) == 0);
    check_raw(root, data, size);
    onward_core__arena_clear(&arena);
    onward_webhook_free(hook);
    return 0;
}
