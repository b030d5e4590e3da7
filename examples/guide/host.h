/* What the programs of doc/guide share: a host as small as one can be. */
#ifndef ONWARD_GUIDE_HOST_H
#define ONWARD_GUIDE_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include <onward.h>

/* All that a program needs that asks DNS and answers from a file. */
struct host {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_resolver *dns;
};

static inline int64_t host_now_s(void *user)
{
    (void)user;
    return time(NULL);
}

static inline int host_fill(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

/* Everything of a file; the end of the program frees it. */
static inline struct onward_str host_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);
    size_t len = 0;

    if (file != NULL && text != NULL)
        len = fread(text, 1, 1 << 20, file);
    else
        perror(path);
    if (file != NULL)
        fclose(file);
    return (struct onward_str){text, len};
}

/* records: a file of lines as `dig +noall +answer` prints them, or NULL. */
static inline int host_open(struct host *host, const char *records)
{
    struct onward_clock clock = {.size = sizeof(clock), .now_s = host_now_s};
    struct onward_random random = {.size = sizeof(random), .fill = host_fill};
    struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &random};
    struct onward_resolver_opts offline = {.size = sizeof(offline),
                                           .allow_only_loaded = 1};
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    int err;

    *host = (struct host){0};
    err = onward_ctx_new(&opts, &host->ctx);
    if (err == 0)
        err = onward_desk_new(host->ctx, NULL, &host->desk);
    if (err == 0)
        err = onward_resolver_new(host->desk, &offline, NULL, &host->dns);
    if (err == 0 && records != NULL)
        err = onward_resolver_load(host->dns, host_read(records), &fault);
    if (err == ONWARD_ESYNTAX && records != NULL)
        fprintf(stderr, "%s:%zu: %.*s\n", records, fault.line,
                (int)fault.text.len, fault.text.data);
    return err;
}

/* A live host waits here: for its sockets, and until onward_desk_deadline(). */
static inline void host_run(struct host *host)
{
    while (onward_desk_run(host->desk, 0) == 1)
        continue;
}

static inline void host_close(struct host *host)
{
    onward_resolver_free(host->dns);
    onward_desk_free(host->desk);
    onward_ctx_free(host->ctx);
}

#endif
