/*
 * What every test uses: a context with a fixed clock and a counting, failing
 * allocator; ways to cut an input; ways to order answers.
 */
#ifndef ONWARD_TESTS_SUPPORT_H
#define ONWARD_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <onward/core.h>

/* The world of one test. Zero-filled, then t_world_init(). */
struct t_world {
    int64_t now_s;   /* wall clock, 1600000000 at the start */
    uint64_t random; /* state of a repeatable generator */
    bool random_fails;
    size_t alloc_count;  /* allocations asked for so far */
    size_t fail_at;      /* this one fails (1-based), 0: none */
    bool fail_from_then; /* and all after it */
    size_t failed;       /* allocations that were made to fail */
    size_t live;         /* blocks not freed */
    size_t live_bytes, peak_bytes;
    size_t log_count;
    char last_log[600]; /* "module code detail" */
    /* Blocks that were given back with this text in them: a secret that was not
     * wiped. NULL: nobody looks. */
    const char *secret;
    size_t leaks;
    /* Sees each block as it is given back; NULL: nobody does. */
    void (*freed)(void *arg, const void *block, size_t bytes);
    void *freed_arg;
    /* Told of each event too; may be NULL. */
    void (*on_log)(void *user, const struct onward_log_event *event);
    struct onward_ctx *ctx;
};

void t_world_init(struct t_world *w);
/* The same with a limits table. */
void t_world_init_limits(struct t_world *w, const struct onward_limits *limits);
/* One more context that stands in the same world. */
int t_world_ctx(struct t_world *w, const struct onward_limits *limits,
                struct onward_ctx **ctx);
/* Frees the context and fails the test when a block is left. */
void t_world_clear(struct t_world *w);

/*
 * Run scenario with the first, second, ... n-th allocation failing, once alone
 * and once with all after it, until a run needs fewer. scenario gets a world
 * with a context and must free all else it made, whatever failed; it returns
 * true when it got through. The run without a failure must get through. Fails
 * the test when a block is left.
 */
void t_oom_sweep(bool (*scenario)(struct t_world *w, void *arg), void *arg);

/*
 * Call feed for input cut whole, octet by octet, at every single point (only up
 * to 4096 octets), and at 32 random sets of points; begin starts anew each time
 * and end checks that the result is as for the whole. All get arg.
 */
struct t_cut {
    void (*begin)(void *arg);
    void (*feed)(void *arg, const void *data, size_t len);
    void (*end)(void *arg);
};
void t_cut_everywhere(const struct t_cut *cut, void *arg, const void *data,
                      size_t len);

/* Call run(arg, order, n) for every order of 0..n-1 (n at most 6). */
void t_every_order(size_t n,
                   void (*run)(void *arg, const size_t *order, size_t n),
                   void *arg);

/* For the checks of struct onward_str. */
void t_assert_str(struct onward_str got, const char *want);
void t_assert_str_n(struct onward_str got, const void *want, size_t want_len);

/* A whole file, NUL added; NULL when it is not there. free() it. */
char *t_read_file(const char *path, size_t *len);
/*
 * The path of a file of the conformance data ("spf/rfc7208-tests.json"), or
 * NULL with a line that says it was skipped: the folder is named by the
 * environment variable ONWARD_CONFORMANCE. Static storage.
 */
const char *t_conformance(const char *name);
/* The path of a file in tests/data. Static storage. */
const char *t_data(const char *name);

#endif
