/*
 * Public keys from DER. What is taken and written as SubjectPublicKeyInfo reads
 * as the same key, and a signature of zeros is none of its own.
 */
#include <onward/key.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[ONWARD_KEY_SIGNATURE_MAX];
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_pubkey *pub, *back;
    uint8_t der[600], again[600];
    int len;

    if (onward_pubkey_from_der(fuzz_ctx(), data, size, &fault, &pub) != 0) {
        FUZZ_CHECK(fault.text != NULL && fault.offset <= size);
        return 0;
    }
    len = onward_pubkey_to_der(pub, der, sizeof(der));
    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(
        onward_pubkey_from_der(fuzz_ctx(), der, (size_t)len, NULL, &back) == 0);
    FUZZ_CHECK(onward_pubkey_to_der(back, again, sizeof(again)) == len);
    FUZZ_CHECK(memcmp(der, again, (size_t)len) == 0);
    /* Ed25519 keys of small order take it: RFC 8032 does not refuse them. */
    if (onward_pubkey_type(pub) == ONWARD_KEY_RSA)
        FUZZ_CHECK(!onward_pubkey_verify(pub, ONWARD_KEY_RSA, zeros, zeros,
                                         onward_pubkey_signature_len(pub)));
    onward_pubkey_free(back);
    onward_pubkey_free(pub);
    return 0;
}
