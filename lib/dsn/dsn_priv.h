/*
 * Delivery status notifications inside: dsn.c takes outcomes, original.c says
 * what of the message goes back, write.c has the texts, address.c the forms of
 * addresses; notice.c reads, wanted.c decides.
 */
#ifndef ONWARD_DSN_PRIV_H
#define ONWARD_DSN_PRIV_H

#include <onward/dsn.h>

#include "core/text_shared.h"
#include "mime/mime_shared.h"

enum {
    ONWARD_DSN__TEXT_MAX = 600, /* of a peer's text, as it is written */
    ONWARD_DSN__ACTIONS = ONWARD_DSN_EXPANDED + 1,
    ONWARD_DSN__NOTIFY_ALL = ONWARD_SMTP_NOTIFY_NEVER |
                             ONWARD_SMTP_NOTIFY_SUCCESS |
                             ONWARD_SMTP_NOTIFY_FAILURE |
                             ONWARD_SMTP_NOTIFY_DELAY
};

/* One recipient, texts in the notice's arena. */
struct onward_dsn__outcome {
    struct onward_dsn__outcome *next;
    struct onward_dsn_outcome o;
    bool is_utf8; /* the recipient, or its ORCPT is of that type */
};

struct onward_dsn {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct onward_dsn_opts opts; /* texts in the arena, defaults set */
    struct onward_dsn__outcome *first, *last;
    size_t count;
    size_t counts[ONWARD_DSN__ACTIONS];
    bool has_utf8;
    bool is_built;
    struct onward_source original; /* read is NULL: none */
};

/* What of the message goes back. */
struct onward_dsn__original {
    struct onward_buf octets; /* empty: nothing */
    bool is_header_only;
    bool is_global; /* its header is UTF-8, and may be */
};

/* What the NOTIFY of a recipient says to an action. */
enum onward_dsn_unwanted onward_dsn__asked(size_t notify, size_t action);
/* Alone, or any of the others. */
bool onward_dsn__is_notify(size_t notify);

/* "5.1.1" (RFC 3463 section 2). */
bool onward_dsn__is_status(struct onward_str s);

/* An address, or "utf-8;..." of ORCPT, with "\x{HEX}" taken off (RFC 6533
 * section 3). False: it is not of that form, and nothing was added. */
bool onward_dsn__add_decoded(struct onward_buf *out, struct onward_str s);
/* The other way: seven bits. s is UTF-8. */
void onward_dsn__add_encoded(struct onward_buf *out, struct onward_str s);
/* Printable ASCII as it is, other octets as \xHH; at most TEXT_MAX octets. */
void onward_dsn__add_clean(struct onward_buf *out, struct onward_str s);

/* The machine's part, and the one for people. Errors stay in out. */
void onward_dsn__write_fields(const struct onward_dsn *dsn, bool is_global,
                              struct onward_buf *out);
void onward_dsn__write_text(const struct onward_dsn *dsn,
                            const struct onward_dsn__original *original,
                            struct onward_buf *out);
struct onward_str onward_dsn__subject(const struct onward_dsn *dsn);

/* Read what goes back; out->octets is initialised here, and to be cleared
 * whatever is returned. 0, ONWARD_ECALLBACK or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_dsn__read_original(const struct onward_dsn *dsn,
                          struct onward_dsn__original *out);

#endif
