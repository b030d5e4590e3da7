/* What of a session's message goes into the spool. */
#ifndef KEPT_H
#define KEPT_H

#include "forwarder.h"

/* Keep a copy, and answer the relay: it is as good as delivered. 0, or -1 when
 * it is not on the disk. */
int kept_copy(struct session *session, uint64_t token,
              const struct onward_relay *relay, size_t index,
              struct delivery_log *log);
/* The next hop has no DSN: tell who asked for it that it has the message. */
void kept_tell_relayed(struct session *session,
                       const struct onward_relay *relay, size_t index,
                       const struct delivery_log *log);
/* It went to several at once: tell who asked for success that our part is done
 * (RFC 3461 section 5.2.7.3). */
void kept_tell_expanded(struct session *session,
                        const struct onward_relay *relay);
/* Keep what a handler has written, as content has it. 0, or -1 when it is not
 * on the disk. */
int kept_submission(struct session *session, const struct onward_relay *relay,
                    size_t index, const struct onward_source *content);

/* Put a message into the quarantine. 0, or -1 when it is not on the disk. */
int kept_apart(struct session *session, const struct onward_relay *relay,
               size_t index);

#endif
