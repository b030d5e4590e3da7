/*
 * A message as JSON: webhook.c writes the envelope, the header and the verdict,
 * parts.c the bodies, sign.c the signature.
 */
#ifndef ONWARD_WEBHOOK_PRIV_H
#define ONWARD_WEBHOOK_PRIV_H

#include <onward/webhook.h>

#include "core/json_shared.h"

/* "malformed", "text", "html", "attachments". */
ONWARD_USE_RESULT int onward_webhook__write_parts(struct onward_ctx *ctx,
                                                  struct onward_json_writer *w,
                                                  struct onward_str message);
/* A header value, decoded and on one line; null when it is empty. */
ONWARD_USE_RESULT int onward_webhook__write_text(struct onward_ctx *ctx,
                                                 struct onward_json_writer *w,
                                                 struct onward_str value,
                                                 int place);
void onward_webhook__write_or_null(struct onward_json_writer *w,
                                   struct onward_str value);

#endif
