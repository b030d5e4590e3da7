/*
 * The rules as the higher floors use them: over mailboxes in their own arenas.
 */
#ifndef ONWARD_RULESET_SHARED_H
#define ONWARD_RULESET_SHARED_H

#include <onward/ruleset.h>

#include "address/address_shared.h"

/* onward_ruleset_route() for a mailbox that has not become a public object. A
 * bare Postmaster has no zone. */
ONWARD_USE_RESULT int
onward_ruleset__route(const struct onward_ruleset *rs,
                      struct onward_ruleset_router *router,
                      const struct onward_address__mailbox *to,
                      const struct onward_ruleset_facts *facts,
                      const struct onward_ruleset_trace *trace,
                      struct onward_ruleset_decision *decision);

/* Does the file say that a destination is verified? Its domain is in lower-case
 * A-labels. */
bool onward_ruleset__is_verified(const struct onward_ruleset *rs,
                                 struct onward_str address);

#endif
