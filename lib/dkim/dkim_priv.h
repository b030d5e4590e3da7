/*
 * Between the files of dkim.
 */
#ifndef ONWARD_DKIM_PRIV_H
#define ONWARD_DKIM_PRIV_H

#include "dkim/dkim_shared.h"

/* Make the facts of all signatures. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_dkim__describe(struct onward_dkim__verify *v);

#endif
