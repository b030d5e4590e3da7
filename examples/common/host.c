#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward_posix.h>

static int64_t given_s(void *user)
{
    return *(const int64_t *)user;
}

static struct onward_ctx *make_ctx(const struct onward_log *log,
                                   const struct onward_clock *clock)
{
    const struct onward_random source = {.size = sizeof(source),
                                         .fill = onward_posix_fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = clock, .random = &source, .log = log};
    struct onward_ctx *ctx = NULL;

    return onward_ctx_new(&opts, &ctx) == 0 ? ctx : NULL;
}

struct onward_ctx *host_ctx_new(const struct onward_log *log)
{
    const struct onward_clock clock = {.size = sizeof(clock),
                                       .now_s = onward_posix_now_s};

    return make_ctx(log, &clock);
}

struct onward_ctx *host_ctx_new_at(const struct onward_log *log,
                                   int64_t *time_s)
{
    const struct onward_clock clock = {
        .size = sizeof(clock), .user = time_s, .now_s = given_s};

    return make_ctx(log, &clock);
}

int64_t host_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static char *read_all(FILE *f, size_t *len)
{
    size_t cap = 65536;
    char *data = malloc(cap + 1);

    *len = 0;
    while (data != NULL) {
        size_t got = fread(data + *len, 1, cap - *len, f);
        char *bigger;

        *len += got;
        if (got == 0)
            break;
        if (*len < cap)
            continue;
        bigger = realloc(data, cap * 2 + 1);
        if (bigger == NULL) {
            free(data);
            errno = ENOMEM;
            return NULL;
        }
        data = bigger;
        cap *= 2;
    }
    if (data != NULL && ferror(f)) {
        free(data);
        return NULL;
    }
    if (data != NULL)
        data[*len] = '\0';
    return data;
}

char *host_read_file(const char *path, size_t *len)
{
    FILE *f;
    char *data;
    int kept;

    if (strcmp(path, "-") == 0)
        return read_all(stdin, len);
    f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    data = read_all(f, len);
    kept = errno;
    fclose(f);
    errno = kept;
    return data;
}

void host_complain(const char *program, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
