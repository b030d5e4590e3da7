/*
 * Templates of addresses: any octets as one, and any text. Whatever is put in,
 * what comes out is one address, and reading and writing it again gives the
 * same text.
 *
 * The first octet says whether octets (1) or a text are tried, the second how
 * long they are; what is left is each of the values.
 */
#include "fuzz.h"

#include "address/address_shared.h"
#include "ruleset/template_priv.h"

static void expand(struct onward_str bytes, struct onward_str value)
{
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT];
    struct onward_address__mailbox mailbox;
    struct onward_arena arena;
    struct onward_str text;
    struct onward_buf out;
    int ret;

    for (size_t i = 0; i < ONWARD_RULESET__VALUE_COUNT; i++)
        values[i] = value;
    onward_core__arena_init(&arena, fuzz_ctx(), 1 << 20);
    ret = onward_ruleset__template_expand(bytes, values, &arena, &text);
    if (ret == 0) {
        FUZZ_CHECK(text.len <= 254);
        FUZZ_CHECK(onward_address__parse_mailbox(&arena, text,
                                                 ONWARD_ADDRESS_ALLOW_UTF8,
                                                 &mailbox, NULL) == 0);
        onward_core__buf_init(&out, fuzz_ctx(), 1024);
        FUZZ_CHECK(onward_address__write(&out, &mailbox,
                                         ONWARD_ADDRESS_AS_WRITTEN) == 0);
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&out), text));
        onward_core__buf_clear(&out);
    }
    FUZZ_CHECK(ret != ONWARD_ENOMEM);
    onward_core__arena_clear(&arena);
}

static void try_text(struct onward_str text, struct onward_str value)
{
    struct onward_ruleset__template_fault fault;
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, fuzz_ctx(), ONWARD_RULESET__TEMPLATE_BYTES_MAX);
    err = onward_ruleset__template_compile(&out, text, &fault);
    FUZZ_CHECK(err == 0 || fault.at <= text.len);
    if (err == 0) {
        FUZZ_CHECK(onward_ruleset__template_check(onward_core__buf_str(&out)) ==
                   0);
        expand(onward_core__buf_str(&out), value);
        expand(onward_core__buf_str(&out), ONWARD_STR("x"));
    }
    onward_core__buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str first, value;
    char *copy;
    size_t len;

    if (size < 2)
        return 0;
    len = data[1] < size - 2 ? data[1] : size - 2;
    value = (struct onward_str){(const char *)data + 2 + len, size - 2 - len};
    copy = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data + 2, len);
    first = (struct onward_str){copy, len};
    if ((data[0] & 1) != 0)
        expand(first, value);
    else
        try_text(first, value);
    free(copy);
    return 0;
}
