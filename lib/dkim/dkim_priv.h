/*
 * Between the files of dkim.
 */
#ifndef ONWARD_DKIM_PRIV_H
#define ONWARD_DKIM_PRIV_H

#include "dkim/dkim_shared.h"

/* Which of the copies of z= (white space taken out) differ from the header's
 * fields, white space aside: names in lower case, with colons between. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_dkim__compare_copies(
    struct onward_arena *arena, const struct onward_header *header,
    struct onward_str copies, struct onward_str *changed);
/* Make the facts of all signatures. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_dkim__describe(struct onward_dkim__verify *v);

#endif
