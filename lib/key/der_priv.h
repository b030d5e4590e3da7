/*
 * A strict reader of DER (X.690): definite and shortest lengths, low tag
 * numbers, no copies. It moves a cursor and never looks past its end.
 */
#ifndef ONWARD_KEY_DER_PRIV_H
#define ONWARD_KEY_DER_PRIV_H

#include <onward/key.h>

#include "core/core_shared.h"

enum onward_key__der_tag {
    ONWARD_DER_INTEGER = 0x02,
    ONWARD_DER_BIT_STRING = 0x03,
    ONWARD_DER_OCTET_STRING = 0x04,
    ONWARD_DER_NULL = 0x05,
    ONWARD_DER_OID = 0x06,
    ONWARD_DER_SEQUENCE = 0x30,
    ONWARD_DER_CONTEXT_0 = 0xa0, /* [0] constructed: PKCS#8 attributes */
    ONWARD_DER_CONTEXT_1 = 0x81  /* [1] primitive: RFC 5958 publicKey */
};

/* What is left of one constructed value, and where it stands in the input. */
struct onward_key__der {
    const uint8_t *data;
    size_t len;
    size_t offset;
};

/* The first failure of a read; its text is static. */
struct onward_key__why {
    size_t offset;
    size_t bits;
    const char *text;
};

extern const uint8_t onward_key__oid_rsa[9];
extern const uint8_t onward_key__oid_ed25519[3];

/* The tag of the next element, or 0 at the end. */
uint8_t onward_key__der_peek(const struct onward_key__der *in);
/*
 * Take the next element, which must have that tag; its content goes to
 * *content. what names it for people: "RSAPrivateKey, expected SEQUENCE".
 */
ONWARD_USE_RESULT int onward_key__der_take(struct onward_key__der *in,
                                           uint8_t tag,
                                           struct onward_key__der *content,
                                           struct onward_key__why *why,
                                           const char *what);
/* A non-negative INTEGER without its leading zero octet; empty for 0. */
ONWARD_USE_RESULT int onward_key__der_uint(struct onward_key__der *in,
                                           struct onward_key__der *content,
                                           struct onward_key__why *why,
                                           const char *what);
/* Nothing may be left. */
ONWARD_USE_RESULT int onward_key__der_end(const struct onward_key__der *in,
                                          struct onward_key__why *why,
                                          const char *what);
/* AlgorithmIdentifier: *type is an enum onward_key_type. */
ONWARD_USE_RESULT int onward_key__der_algorithm(struct onward_key__der *in,
                                                uint32_t *type,
                                                struct onward_key__why *why);
/* Say why, and return ONWARD_ESYNTAX. */
int onward_key__der_bad(struct onward_key__why *why, size_t offset,
                        const char *text);

/* Write into the caller's struct, as far as it reaches. */
void onward_key__fault_set(struct onward_key_fault *fault,
                           const struct onward_key__why *why);

/* Octets of tag and length before len octets of content. */
size_t onward_key__der_head_len(size_t len);
/* Write tag and length at out; the octets written. */
size_t onward_key__der_head(uint8_t *out, uint8_t tag, size_t len);
/* Octets of an INTEGER that holds the unsigned number of len octets. */
size_t onward_key__der_uint_len(const uint8_t *number, size_t len);
size_t onward_key__der_put_uint(uint8_t *out, const uint8_t *number,
                                size_t len);

#endif
