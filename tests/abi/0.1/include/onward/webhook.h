#ifndef ONWARD_WEBHOOK_H
#define ONWARD_WEBHOOK_H

#include <onward/core.h>
#include <onward/verify.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * A message as a program behind HTTP gets it: one JSON text with the message as
 * it came, what a program wants of it without reading MIME, and the verdict;
 * and signatures as Standard Webhooks 1.0 has them, which receivers have
 * libraries for. The host sends it (POST), and answers the sender by the status
 * that comes back.
 *
 *     {"version": 1, "id": "msg_...", "hook": "tickets",
 *      "time": "2026-11-22T10:00:00Z",
 *      "envelope": {"from": "ann@a.example", "to": "me@b.example"},
 *      "client": {"ip": "192.0.2.1", "helo": "mx.a.example"},
 *      "rawSize": 1234, "raw": "RnJvbTog...",
 *      "malformed": false,
 *      "headers": [{"name": "From", "value": "Ann <ann@a.example>"}, ...],
 *      "messageId": "<1@a.example>", "inReplyTo": null, "references": null,
 *      "date": "Sun, 22 Nov 2026 10:00:00 +0000", "subject": "Hello",
 *      "from": [{"name": "Ann", "address": "ann@a.example"}],
 *      "replyTo": [], "to": [...], "cc": [],
 *      "text": "Hello.\r\n", "html": null,
 *      "attachments": [{"filename": "a.pdf", "type": "application/pdf",
 *                       "disposition": "attachment", "contentId": null,
 *                       "size": 4, "content": "JVBERg=="}],
 *      "verdict": {"spf": "pass", "dkim": [{"result": "pass",
 *                  "domain": "a.example", "selector": "s"}], "arc": "none",
 *                  "dmarc": "pass", "authorDomain": "a.example",
 *                  "authenticated": true},
 *      "canBeForwarded": true}
 *
 * Values of header fields are decoded and on one line, in their order. Text is
 * the first text/plain part that is no attachment, html the first text/html;
 * every other leaf is an attachment, messages in the message too. malformed
 * says that other readers may see another message: do not trust the parts then.
 * Fields may be added to this.
 */

/** What there is to tell; the caller sets size. Texts may be empty. */
struct onward_webhook_facts {
    size_t size;
    struct onward_str message; /**< the whole of it, as it came. Required */
    struct onward_str hook;    /**< its name */
    struct onward_str from;    /**< envelope; empty: the null path */
    struct onward_str to; /**< envelope */
    struct onward_str helo; /**< as the client greeted */
    const struct onward_ip *client_ip; /**< NULL: not known */
    /** Of this message; NULL: nothing is known, verdict is null. */
    const struct onward_verifier *verifier;
    size_t can_be_forwarded; /**< 1 or 0 */
    size_t max_bytes;        /**< of the JSON text; default 268435456 */
};

/** A message as JSON; opaque. */
struct onward_webhook;

/**
 * Write a message as JSON.
 *
 * @param ctx    kept alive by the object; its clock is asked.
 * @param facts  borrowed for this call, with all it points to.
 * @param hook   out: free with onward_webhook_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_EINVAL, ONWARD_EVERSION  facts
 *         ONWARD_ELIMIT   longer than max_bytes
 *         ONWARD_ENOMEM   out of memory
 * @note Linear in the message.
 * @since 0.1
 */
ONWARD_API int onward_webhook_new(struct onward_ctx *ctx,
                                  const struct onward_webhook_facts *facts,
                                  struct onward_webhook **hook);

/** @param hook  may be NULL. @since 0.1 */
ONWARD_API void onward_webhook_free(struct onward_webhook *hook);

/** @return the JSON text, borrowed until onward_webhook_free(). @since 0.1 */
ONWARD_API struct onward_str
onward_webhook_body(const struct onward_webhook *hook);

/**
 * What names the event, for the field `webhook-id`: the same when the sender
 * brings the same message to the same recipient once more, so that a receiver
 * that has seen it can say so. With a verifier by its fingerprint, else by the
 * octets of the message.
 *
 * @return "msg_" and 32 hex digits, borrowed until onward_webhook_free().
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_webhook_id(const struct onward_webhook *hook);

/** Room for the signatures of one secret, with NUL. */
#define ONWARD_WEBHOOK_SIGNATURE_MAX 48

/**
 * The value of the field `webhook-signature`: HMAC-SHA256 over "ID.TIME.BODY",
 * one signature for each secret, so that secrets can be changed without a gap.
 *
 * @param id       as in the field `webhook-id`.
 * @param time_s   as in the field `webhook-timestamp`, which keeps what was
 *                 seen on the way from being sent once more.
 * @param body     as it is sent.
 * @param secrets  each `whsec_` with base64 behind it, or else octets as they
 *                 are; none may be empty.
 * @param out      room for cap octets; ends in NUL.
 * @param cap      count times ONWARD_WEBHOOK_SIGNATURE_MAX is always enough.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL   no secret, or an empty one
 *         ONWARD_ESYNTAX  no base64 behind whsec_
 *         ONWARD_ELIMIT   cap is too small, or a secret longer than 256 octets
 * @since 0.1
 */
ONWARD_API int onward_webhook_sign(struct onward_str id, int64_t time_s,
                                   struct onward_str body,
                                   const struct onward_str *secrets,
                                   size_t count, char *out, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
