/* What handlers write, on its way into the spool. */
#ifndef LETTERS_H
#define LETTERS_H

#include "forwarder.h"

/* As `submit` of struct onward_relay_host. */
int letter_keep(struct session *session, uint64_t token,
                const struct onward_relay *relay, size_t index);
/* Nobody waits for that any more. */
void letter_cancel(struct forwarder *fwd, uint64_t token);

#endif
