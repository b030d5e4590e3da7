/*
 * Stands in for lib/key/reveal_priv.h in the build of this folder (-include):
 * what is revealed there is defined for valgrind from then on.
 */
#ifndef ONWARD_KEY_REVEAL_PRIV_H
#define ONWARD_KEY_REVEAL_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include <valgrind/memcheck.h>

static inline bool onward_key__reveal(bool verdict)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(&verdict, sizeof(verdict));
    return verdict;
}

static inline void onward_key__publish(const void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
}

#endif
