/* The quarantine: mail that rules put apart, until somebody lets it go, deletes
 * it, or its time is over. */
#ifndef QUARANTINE_H
#define QUARANTINE_H

#include "forwarder.h"

/* Beside the spool in that folder. 0, or -1 with a line in fault. */
int quarantine_open(struct forwarder *fwd, const char *spool, char *fault,
                    size_t fault_size);
void quarantine_close(struct forwarder *fwd);
/* Keep one: its envelope has the place, and where it would go. 0, or -1 when it
 * is not on the disk. */
int quarantine_keep(struct forwarder *fwd,
                    const struct spool_envelope *envelope,
                    const struct onward_source *content);
int64_t quarantine_deadline(const struct forwarder *fwd);
void quarantine_time(struct forwarder *fwd, int64_t now_ms);

#endif
