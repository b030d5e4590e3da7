/*
 * The private operation of RSA, with a blinding pair that is kept.
 */
#ifndef ONWARD_KEY_RSA_PRIV_H
#define ONWARD_KEY_RSA_PRIV_H

#include "key/key_priv.h"

struct onward_key__rsa; /* one thread's workspace over a shared key */

/* key must outlive the workspace. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_key__rsa_new(struct onward_key *key,
                                          struct onward_key__rsa **rsa);
/* Wipes; rsa may be NULL. */
void onward_key__rsa_free(struct onward_key__rsa *rsa);
/* Sign a SHA-256 digest; signature gets as many octets as the modulus has.
 * 0, ONWARD_ERANDOM, or ONWARD_ECRYPTO (the result did not verify). */
ONWARD_USE_RESULT int onward_key__rsa_sign(struct onward_key__rsa *rsa,
                                           const uint8_t *digest,
                                           uint8_t *signature);

#endif
