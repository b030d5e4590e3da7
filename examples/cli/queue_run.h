/* What `onward queue` and `onward quarantine` share. */
#ifndef QUEUE_RUN_H
#define QUEUE_RUN_H

#include "cli.h"
#include "spool.h"

/* what: SPOOL_NOTHING shows. is_apart: of the quarantine. */
int queue_run(const struct command *command, struct args args,
              enum spool_what what, bool is_list, bool is_apart);

#endif
