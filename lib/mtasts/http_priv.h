/*
 * The answer to the one request that a policy needs, as octets come in:
 * HTTP/1.1 (RFC 9112) without all that a policy host has no business to use. It
 * keeps the body and says at the first octet that shows it why the answer is
 * none.
 */
#ifndef ONWARD_MTASTS_HTTP_PRIV_H
#define ONWARD_MTASTS_HTTP_PRIV_H

#include "mtasts/mtasts_priv.h"

enum onward_mtasts__http_state {
    ONWARD_MTASTS__STATUS_LINE,
    ONWARD_MTASTS__FIELDS,
    ONWARD_MTASTS__SIZED, /* body of Content-Length */
    ONWARD_MTASTS__OPEN,  /* body up to the end of the connection */
    ONWARD_MTASTS__CHUNK_SIZE,
    ONWARD_MTASTS__CHUNK,
    ONWARD_MTASTS__CHUNK_END,
    ONWARD_MTASTS__TRAILERS,
    ONWARD_MTASTS__WHOLE,
    ONWARD_MTASTS__FAILED
};

struct onward_mtasts__http {
    enum onward_mtasts__http_state state;
    enum onward_mtasts_reason reason; /* when FAILED */
    size_t status;                    /* 0: not known yet */
    struct onward_buf line;           /* not ended yet */
    struct onward_buf body;
    size_t head_left; /* octets of lines that may still come */
    size_t body_left; /* of Content-Length, or of the chunk */
    bool is_old;      /* HTTP/1.0 */
    bool has_length, has_type;
    bool is_text, is_chunked, is_encoded;
};

void onward_mtasts__http_init(struct onward_mtasts__http *h,
                              struct onward_ctx *ctx);
void onward_mtasts__http_clear(struct onward_mtasts__http *h);
/* Octets of the server; those behind the end are dropped. */
void onward_mtasts__http_feed(struct onward_mtasts__http *h, const void *data,
                              size_t len);
/* No more come. A bare end could be an attacker's: it ends no body. */
void onward_mtasts__http_end(struct onward_mtasts__http *h, bool is_clean);
/* Is there no need of more octets? */
static inline bool
onward_mtasts__http_is_done(const struct onward_mtasts__http *h)
{
    return h->state >= ONWARD_MTASTS__WHOLE;
}

/* A Content-Type of text/plain, parameters or not. */
bool onward_mtasts__is_text_plain(struct onward_str content_type);

#endif
