/*
 * The writer, for the files that add to it.
 */
#ifndef ONWARD_AUTHRES_BUILDER_PRIV_H
#define ONWARD_AUTHRES_BUILDER_PRIV_H

#include "authres/authres_shared.h"
#include "core/text_shared.h"

struct onward_authres_builder {
    struct onward_ctx *ctx;
    struct onward_buf text;  /* what was added, without "none" */
    struct onward_buf piece; /* what is being added */
    struct onward_buf out;   /* what was handed out last */
    size_t column;           /* of the end of text */
    bool has_result;
};

/* Put the piece behind what is there, on a line of its own if this one gets too
 * long. */
ONWARD_USE_RESULT int
onward_authres__put_piece(struct onward_authres_builder *b, bool new_line);

#endif
