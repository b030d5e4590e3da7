/*
 * Private keys from PEM and from DER. What is taken, written as PEM and read
 * again gives the same key.
 */
#include <onward/key.h>

#include "fuzz.h"

static void check(struct onward_key *key)
{
    char pem[4096], again[4096];
    struct onward_key *back;
    int len = onward_key_to_pem(key, pem, sizeof(pem));

    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_key_from_pem(fuzz_ctx(),
                                   (struct onward_str){pem, (size_t)len}, NULL,
                                   &back) == 0);
    FUZZ_CHECK(onward_key_to_pem(back, again, sizeof(again)) == len);
    FUZZ_CHECK(memcmp(pem, again, (size_t)len) == 0);
    onward_key_free(back);
    onward_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_key *key;
    int ret = onward_key_from_pem(fuzz_ctx(),
                                  (struct onward_str){(const char *)data, size},
                                  &fault, &key);

    if (ret == 0)
        check(key);
    else
        FUZZ_CHECK(fault.text != NULL && fault.offset <= size);
    fault.text = NULL;
    ret = onward_key_from_der(fuzz_ctx(), data, size, &fault, &key);
    if (ret == 0)
        check(key);
    else
        FUZZ_CHECK(fault.text != NULL && fault.offset <= size);
    return 0;
}
