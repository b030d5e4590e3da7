/* What a handler may send, as words of a configuration. */
#ifndef BINDING_H
#define BINDING_H

#include <stdbool.h>

#include <onward/handler.h>

/*
 * One line more of a binding, which is made when *binding is NULL:
 *
 *     to ADDRESS     one of those that it may write to
 *     only ADDRESS   the one that it writes to, also without naming it
 *     from ADDRESS   one of those that it may write as
 *
 * NULL, or what was expected.
 */
const char *binding_add(struct onward_ctx *ctx, const char *line,
                        struct onward_binding **binding);
/* Is that a word and an address? For configurations. */
bool binding_is_line(const char *line);

#endif
