/*
 * Signing and keyed hashes as the higher floors use them. A signing lives
 * inside the object that asks; when its signature is there, or it failed, the
 * task it was started with is made ready. A key in memory answers on the same
 * path as a host far away, so an evaluator has one way to wait.
 */
#ifndef ONWARD_KEY_SHARED_H
#define ONWARD_KEY_SHARED_H

#include <onward/key.h>

#include "core/desk_shared.h"

/* Zero-filled is idle. */
struct onward_key__signing {
    struct onward_core__ask ask;             /* open while a host is asked */
    struct onward_core__task timer;          /* the host's deadline */
    struct onward_core__task *task;          /* the asker's */
    struct onward_signer *signer;            /* held; NULL when idle */
    struct onward_key__signing *prev, *next; /* pending ones of the signer */
    /* ONWARD_AGAIN while pending; then 0, or why there is no signature. */
    int status;
    size_t len; /* of signature, when status is 0 */
    uint8_t digest[ONWARD_KEY_DIGEST_LEN];
    uint8_t signature[ONWARD_KEY_SIGNATURE_MAX];
};

/*
 * Ask for the signature of a SHA-256 digest. The host's sign callback may run
 * inside and may free the object that asks. 0: the task becomes ready once
 * signing->status is set, never before onward_desk_run(); errors of the signing
 * itself (ONWARD_ERANDOM, ONWARD_ECRYPTO, the host's) arrive that way too.
 * ONWARD_ESTATE (desk or signer freed): the signing is idle.
 */
ONWARD_USE_RESULT int onward_key__sign(struct onward_signer *signer,
                                       struct onward_key__signing *signing,
                                       const uint8_t *digest,
                                       struct onward_core__task *task);
/* Let go: cancels when pending. Back to idle. */
void onward_key__signing_clear(struct onward_key__signing *signing);

/* Octets of memory that a public key takes. */
size_t onward_key__pubkey_bytes(const struct onward_pubkey *pub);

/* The signer in memory for an object that was made with it. */
struct onward_signer *onward_key__signer_hold(struct onward_signer *signer);
void onward_key__signer_release(struct onward_signer *signer);
struct onward_desk *onward_key__signer_desk(const struct onward_signer *signer);

/* ---- Keyed hashes ------------------------------------------------------ */

/*
 * HMAC (RFC 2104) over the parts one after the other. Compare results with
 * onward_core__equal_secret().
 */
void onward_key__hmac_sha256(struct onward_str key,
                             const struct onward_str *parts, size_t count,
                             uint8_t out[32]);
void onward_key__hmac_sha1(struct onward_str key,
                           const struct onward_str *parts, size_t count,
                           uint8_t out[20]);

#endif
