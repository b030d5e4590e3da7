/*
 * TLS as the engines use it: plug it into the channel, wait for ops->secured,
 * then ask for failure or facts.
 *
 *     ret = onward_tls__plug(&s->channel, config, demand, &s->tls);
 *
 * s->tls is borrowed from the channel and lives until onward_channel__clear().
 */
#ifndef ONWARD_TLS_SHARED_H
#define ONWARD_TLS_SHARED_H

#include <onward/tls.h>

#include "channel/channel_shared.h"

struct onward_tls__filter;

/*
 * Start TLS in ch (RFC 3207 section 4, or at once for implicit TLS). demand is
 * for clients and may be NULL (ONWARD_TLS_VERIFIED without a name: fails); it
 * is copied. 0; ONWARD_EINVAL (demand has level NONE or a name that is none,
 * or is given to a server), ONWARD_ESTATE (the channel has TLS or closes),
 * ONWARD_ENOMEM, ONWARD_ECRYPTO.
 */
ONWARD_USE_RESULT int onward_tls__plug(struct onward_channel *ch,
                                       struct onward_tls_config *config,
                                       const struct onward_tls_demand *demand,
                                       struct onward_tls__filter **filter);

bool onward_tls__config_is_server(const struct onward_tls_config *config);

/* Why the handshake failed; ONWARD_TLS_OK while it has not. */
enum onward_tls_failure
onward_tls__failure(const struct onward_tls__filter *filter);
/* All zero but size before ops->secured(0). Borrowed from the filter. */
const struct onward_tls_facts *
onward_tls__facts(const struct onward_tls__filter *filter);
/* For a caller's out struct: at most to->size octets. ONWARD_EINVAL when that
 * is no size. */
ONWARD_USE_RESULT int
onward_tls__facts_give(const struct onward_tls_facts *facts,
                       struct onward_tls_facts *to);

/*
 * Does a name in a certificate cover the host (RFC 9525 section 6.3)? Both are
 * A-labels without final dot. A wildcard is one whole leftmost label and
 * covers one label; any octet that no host name has matches nothing.
 */
bool onward_tls__name_covers(struct onward_str presented,
                             struct onward_str host);

#endif
