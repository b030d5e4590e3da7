/*
 * The few places where the outcome of secret arithmetic becomes known: what the
 * signer branches on and what it gives away. Here they are nothing; the build
 * of tests/key/silent puts functions in their place that tell valgrind so, and
 * valgrind then reports every other branch or address that a secret decides.
 */
#ifndef ONWARD_KEY_REVEAL_PRIV_H
#define ONWARD_KEY_REVEAL_PRIV_H

#include <stdbool.h>
#include <stddef.h>

/* A yes or no that may be acted on. */
static inline bool onward_key__reveal(bool verdict)
{
    return verdict;
}

/* Octets that leave. */
static inline void onward_key__publish(const void *data, size_t len)
{
    (void)data;
    (void)len;
}

#endif
