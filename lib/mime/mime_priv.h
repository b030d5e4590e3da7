/*
 * What the files of mime share with each other only.
 */
#ifndef ONWARD_MIME_PRIV_H
#define ONWARD_MIME_PRIV_H

#include "core/text_shared.h"
#include "mime/mime_shared.h"

/* Codes below 16 leave the reading in doubt. */
static inline bool onward_mime__is_malformed_code(int code)
{
    return code < ONWARD_HEADER_WSP_COLON;
}

/* Build the look-up by name over the finished block: 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_mime__index_names(struct onward_header *h);

#endif
