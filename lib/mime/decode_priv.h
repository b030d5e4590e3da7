/*
 * A decoder of transfer encodings that may stand inside another object.
 */
#ifndef ONWARD_MIME_DECODE_PRIV_H
#define ONWARD_MIME_DECODE_PRIV_H

#include <onward/mime_text.h>

#include "core/core_shared.h"

enum {
    ONWARD_MIME__QP_HOLD = 128, /* blanks, or an escape, not decided yet */
    ONWARD_MIME__UU_LINE = 128
};

/* Zero-filled, then onward_mime__decoder_init(). */
struct onward_mime__decoder {
    int encoding;
    uint32_t damage; /* enum onward_damage */
    int state;
    unsigned char quad[4]; /* base64: letters of a group */
    unsigned have;
    size_t held;
    unsigned char hold[ONWARD_MIME__UU_LINE];
};

void onward_mime__decoder_init(struct onward_mime__decoder *d, int encoding);
/* As the public functions; cap is at least ONWARD_TEXT_ROOM. */
void onward_mime__decoder_feed(struct onward_mime__decoder *d, const void *data,
                               size_t len, size_t *taken, void *out, size_t cap,
                               size_t *put);
void onward_mime__decoder_finish(struct onward_mime__decoder *d, void *out,
                                 size_t cap, size_t *put);
/* Append all that encoded stands for. 0, ONWARD_ELIMIT or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_mime__decode_all(struct onward_buf *out,
                                              int encoding,
                                              struct onward_str encoded,
                                              uint32_t *damage);

#endif
