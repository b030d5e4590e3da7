/*
 * Authentication-Results as the higher floors need it beside the public header.
 */
#ifndef ONWARD_AUTHRES_SHARED_H
#define ONWARD_AUTHRES_SHARED_H

#include <onward/authres.h>

#include "core/core_shared.h"

/*
 * Could any reader take the field with this value for one that `id` wrote?
 * Then it is forged, or stale, and has to go before ours is added (RFC 8601
 * section 5). Ids compare as domains, without regard to case, quotes, comments,
 * folds, version, or A-labels; a value whose id cannot be read claims every id
 * that occurs in it. scratch is used and not cleared. 1 or 0, or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_authres__claims_authserv_id(struct onward_arena *scratch,
                                   struct onward_str value,
                                   struct onward_str id);

#endif
