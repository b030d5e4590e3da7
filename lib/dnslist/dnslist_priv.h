/*
 * A list as it is written, and the name that asks about an address: list.c.
 * check.c asks.
 */
#ifndef ONWARD_DNSLIST_PRIV_H
#define ONWARD_DNSLIST_PRIV_H

#include <onward/dnslist.h>

#include "core/core_shared.h"

/* zone[=code] taken apart; code is empty when there is none. false: no list. */
bool onward_dnslist__split(struct onward_str list, struct onward_str *zone,
                           struct onward_str *code);
/*
 * Is the address of an answer one that says "yes"? code was checked by
 * onward_dnslist__split().
 */
bool onward_dnslist__counts(int kind, struct onward_str code,
                            struct onward_str address);

#endif
