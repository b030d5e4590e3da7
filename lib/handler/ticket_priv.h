/* A ticket that was opened. */
#ifndef ONWARD_HANDLER_TICKET_PRIV_H
#define ONWARD_HANDLER_TICKET_PRIV_H

#include "handler/handler_shared.h"

struct onward_ticket {
    struct onward_ctx *ctx;
    struct onward_arena arena; /* the texts */
    struct onward_str message_id, sender, recipient;
    int64_t expires_s;
};

#endif
