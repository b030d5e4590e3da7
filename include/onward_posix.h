#ifndef ONWARD_POSIX_H
#define ONWARD_POSIX_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <onward.h>

/** @file
 * A host as small as one can be, for short programs and first steps: the
 * system's clock and random numbers, a desk, and a resolver that answers from a
 * file. It is compiled into the program that includes it: the library calls
 * none of it, reads no clock by itself, and has no part in its ABI. A program
 * that lives longer brings its own loop and its own DNS and takes from here the
 * first two functions, or nothing.
 */

/** What most objects are made from. All NULL before onward_posix_open(). */
struct onward_posix {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *dns;
};

/** For struct onward_clock. */
static inline int64_t onward_posix_now_s(void *user)
{
    (void)user;
    return (int64_t)time(NULL);
}

/** For struct onward_random. */
static inline int onward_posix_fill(void *user, void *data, size_t len)
{
    char *out = (char *)data;

    (void)user;
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);

        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0) {
            out += got;
            len -= (size_t)got;
        }
    }
    return 0;
}

/**
 * A context with clock and random numbers of this system.
 *
 * @param ctx  out: free with onward_ctx_free().
 * @return as onward_ctx_new().
 * @since 0.1
 */
static inline int onward_posix_ctx_new(struct onward_ctx **ctx)
{
    struct onward_clock clock;
    struct onward_random random;
    struct onward_ctx_opts opts;

    memset(&clock, 0, sizeof(clock));
    clock.size = sizeof(clock);
    clock.now_s = onward_posix_now_s;
    memset(&random, 0, sizeof(random));
    random.size = sizeof(random);
    random.fill = onward_posix_fill;
    memset(&opts, 0, sizeof(opts));
    opts.size = sizeof(opts);
    opts.clock = &clock;
    opts.random = &random;
    return onward_ctx_new(&opts, ctx);
}

/**
 * Load the records of a file into a resolver; see onward_resolver_load(). What
 * is wrong with it is said on standard error.
 *
 * @return 0, ONWARD_ECALLBACK (the file cannot be read) or as
 *         onward_resolver_load().
 * @since 0.1
 */
static inline int onward_posix_load(struct onward_resolver *dns,
                                    const char *path)
{
    struct onward_dns_fault fault;
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t len = 0, room = 0;
    int err = file == NULL ? ONWARD_ECALLBACK : 0;

    memset(&fault, 0, sizeof(fault));
    fault.size = sizeof(fault);
    while (err == 0 && len == room) {
        char *more = (char *)realloc(text, room + 65536);

        if (more == NULL) {
            err = ONWARD_ENOMEM;
        } else {
            text = more;
            room += 65536;
            len += fread(text + len, 1, room - len, file);
        }
    }
    if (file == NULL || ferror(file)) {
        perror(path);
        err = ONWARD_ECALLBACK;
    }
    if (err == 0) {
        struct onward_str records = {text, len};

        err = onward_resolver_load(dns, records, &fault);
    }
    if (err == ONWARD_ESYNTAX)
        fprintf(stderr, "%s:%zu: %.*s\n", path, fault.line, (int)fault.text.len,
                fault.text.data);
    if (file != NULL)
        fclose(file);
    free(text);
    return err;
}

/**
 * Make all three.
 *
 * @param host     out: close it in any case, also after a failure.
 * @param records  a file of lines as `dig +noall +answer` prints them; what is
 *                 not in it does not exist. NULL: nothing does.
 * @return 0, or an error of the calls inside.
 * @since 0.1
 */
static inline int onward_posix_open(struct onward_posix *host,
                                    const char *records)
{
    struct onward_resolver_opts offline;
    int err;

    host->ctx = NULL;
    host->desk = NULL;
    host->dns = NULL;
    memset(&offline, 0, sizeof(offline));
    offline.size = sizeof(offline);
    offline.allow_only_loaded = 1;
    err = onward_posix_ctx_new(&host->ctx);
    if (err == 0)
        err = onward_desk_new(host->ctx, NULL, &host->desk);
    if (err == 0)
        err = onward_resolver_new(host->desk, &offline, NULL, &host->dns);
    if (err == 0 && records != NULL)
        err = onward_posix_load(host->dns, records);
    return err;
}

/** Do all that can be done now; with records of a file that is everything.
 * @since 0.1 */
static inline void onward_posix_run(const struct onward_posix *host)
{
    while (onward_desk_run(host->desk, 0) == 1)
        continue;
}

/** Objects made from it may be freed before or after. @since 0.1 */
static inline void onward_posix_close(struct onward_posix *host)
{
    onward_resolver_free(host->dns);
    onward_desk_free(host->desk);
    onward_ctx_free(host->ctx);
    host->dns = NULL;
    host->desk = NULL;
    host->ctx = NULL;
}

#endif
