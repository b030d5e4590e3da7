/*
 * What every program here needs of its machine: a context with the system's
 * clock and randomness, files read whole, a monotonic clock.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

/* A context with the C library's memory, the system's clock and getrandom().
 * NULL when there is no memory or no randomness. */
struct onward_ctx *host_ctx_new(const struct onward_log *log);
/* The same with a clock that stands at *time_s, which must outlive it. */
struct onward_ctx *host_ctx_new_at(const struct onward_log *log,
                                   int64_t *time_s);

/* Milliseconds that never go back. */
int64_t host_now_ms(void);

/*
 * A whole file, a NUL behind it; "-" is standard input. NULL: errno says why.
 * free() it.
 */
char *host_read_file(const char *path, size_t *len);

/* Print "program: ..." on standard error. */
void host_complain(const char *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
