/*
 * MTA-STS inside: record.c and policy.c read, write.c writes.
 */
#ifndef ONWARD_MTASTS_PRIV_H
#define ONWARD_MTASTS_PRIV_H

#include <onward/mtasts.h>

#include "core/core_shared.h"

/* sts-ext-name, sts-policy-ext-name: a letter or digit and at most 31 more, or
 * '_', '-', '.'. */
bool onward_mtasts__is_key(struct onward_str s);
/* sts-id: 1 to 32 letters and digits. */
bool onward_mtasts__is_id(struct onward_str s);
/* sts-policy-mx-value. */
bool onward_mtasts__is_pattern(struct onward_str s);
/* Says where and why; always ONWARD_ESYNTAX. fault may be NULL. */
int onward_mtasts__flaw(struct onward_mtasts_fault *fault,
                        enum onward_mtasts_flaw flaw, size_t offset);

#endif
