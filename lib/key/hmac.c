/*
 * HMAC over a few parts (RFC 2104). The keyed states are wiped.
 */
#include "key/key_shared.h"

#include <nettle/hmac.h>

static const uint8_t *octets(struct onward_str s)
{
    return (const uint8_t *)(s.data == NULL ? "" : s.data);
}

void onward_key__hmac_sha256(struct onward_str key,
                             const struct onward_str *parts, size_t count,
                             uint8_t out[32])
{
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, key.len, octets(key));
    for (size_t i = 0; i < count; i++)
        hmac_sha256_update(&hmac, parts[i].len, octets(parts[i]));
    hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, out);
    onward_core__wipe(&hmac, sizeof(hmac));
}

void onward_key__hmac_sha1(struct onward_str key,
                           const struct onward_str *parts, size_t count,
                           uint8_t out[20])
{
    struct hmac_sha1_ctx hmac;

    hmac_sha1_set_key(&hmac, key.len, octets(key));
    for (size_t i = 0; i < count; i++)
        hmac_sha1_update(&hmac, parts[i].len, octets(parts[i]));
    hmac_sha1_digest(&hmac, SHA1_DIGEST_SIZE, out);
    onward_core__wipe(&hmac, sizeof(hmac));
}
