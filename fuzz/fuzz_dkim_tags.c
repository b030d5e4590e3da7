/* A tag list gives spans of its own text, in order, each name once; printed and
 * parsed again it is the same. A key record never gives both key and refusal of
 * its syntax; the linter calls void what gives no key and nothing else; and the
 * record that we write for a key gives that key. */
#include "fuzz.h"

#include "dkim/dkim_shared.h"

static int is_inside(struct onward_str part, struct onward_str whole)
{
    return part.len == 0 || (part.data >= whole.data &&
                             part.data + part.len <= whole.data + whole.len);
}

static void check_print_parse(const struct onward_dkim__tags *tags)
{
    struct onward_dkim__tags again;
    struct onward_buf out;
    size_t at;

    onward_core__buf_init(&out, fuzz_ctx(), SIZE_MAX);
    for (size_t i = 0; i < tags->count; i++) {
        onward_core__buf_add_str(&out, tags->items[i].name);
        onward_core__buf_add_byte(&out, '=');
        onward_core__buf_add_str(&out, tags->items[i].value);
        onward_core__buf_add_byte(&out, ';');
    }
    FUZZ_CHECK(
        onward_dkim__tags_parse(onward_core__buf_str(&out), &again, &at) == 0);
    FUZZ_CHECK(again.count == tags->count);
    for (size_t i = 0; i < tags->count; i++) {
        FUZZ_CHECK(
            onward_core__str_eq(again.items[i].name, tags->items[i].name));
        FUZZ_CHECK(
            onward_core__str_eq(again.items[i].value, tags->items[i].value));
    }
    onward_core__buf_clear(&out);
}

static void check_lint(struct onward_str text,
                       const struct onward_dkim__key *key)
{
    struct onward_dkim_fault fault = {.size = sizeof(fault)};
    int err = onward_dkim_lint(fuzz_ctx(), text, &fault);
    int is_usable = key->verdict.result == ONWARD_DKIM_PENDING;

    FUZZ_CHECK(err == 0 || err == ONWARD_ESYNTAX || err == ONWARD_ENOENT);
    if (err == ONWARD_ESYNTAX) {
        FUZZ_CHECK(fault.offset <= text.len && fault.text != NULL);
        FUZZ_CHECK(is_usable == !fault.is_void);
    } else {
        FUZZ_CHECK(is_usable == (err == 0));
    }
}

static void check_record(const struct onward_pubkey *pub)
{
    unsigned char id[32], again[32];
    struct onward_dkim__key key;
    char text[1000];
    int len = onward_dkim_record(pub, NULL, text, sizeof(text));

    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_dkim__key_parse(
                   fuzz_ctx(), onward_core__str(text, (size_t)len), &key) == 0);
    FUZZ_CHECK(key.pub != NULL);
    onward_pubkey_id(pub, id);
    onward_pubkey_id(key.pub, again);
    FUZZ_CHECK(memcmp(id, again, sizeof(id)) == 0);
    onward_dkim__key_clear(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str text = onward_core__str(data, size);
    struct onward_dkim__tags tags;
    struct onward_dkim__key key;
    size_t at;

    if (onward_dkim__tags_parse(text, &tags, &at) == 0) {
        for (size_t i = 0; i < tags.count; i++) {
            FUZZ_CHECK(tags.items[i].name.len > 0);
            FUZZ_CHECK(is_inside(tags.items[i].name, text));
            FUZZ_CHECK(is_inside(tags.items[i].value, tags.items[i].raw));
            FUZZ_CHECK(is_inside(tags.items[i].raw, text));
        }
        check_print_parse(&tags);
    }
    FUZZ_CHECK(at <= size);
    FUZZ_CHECK(onward_dkim__key_parse(fuzz_ctx(), text, &key) == 0);
    if (key.verdict.result == ONWARD_DKIM_PENDING)
        FUZZ_CHECK(key.pub != NULL && key.is_record);
    FUZZ_CHECK(key.fault_at <= size);
    check_lint(text, &key);
    if (key.pub != NULL)
        check_record(key.pub);
    onward_dkim__key_clear(&key);
    return 0;
}
