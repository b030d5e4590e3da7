/* A binding. Texts are as onward_handler__address() writes them. */
#ifndef ONWARD_HANDLER_BINDING_PRIV_H
#define ONWARD_HANDLER_BINDING_PRIV_H

#include "handler/handler_shared.h"

struct onward_binding {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct onward_str one; /* the one destination; empty: none */
    struct onward_core__table destinations, senders;
};

/* b may be NULL: all that is verified. */
bool onward_handler__may_send_to(const struct onward_binding *b,
                                 struct onward_str text);
bool onward_handler__may_send_as(const struct onward_binding *b,
                                 struct onward_str text);

#endif
