#define _DEFAULT_SOURCE
#include "bench/route/rules.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/worker.h"

static int64_t wall_s(void *user)
{
    (void)user;
    return time(NULL);
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    return getentropy(data, len);
}

struct onward_ctx *rules_ctx(void)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = wall_s};
    const struct onward_random random = {.size = sizeof(random), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &random};
    struct onward_ctx *ctx;

    if (onward_ctx_new(&opts, &ctx) != 0)
        bench_die("no context");
    return ctx;
}

struct onward_str rules_map(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    void *data;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        bench_die(path);
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        bench_die(path);
    close(fd);
    return (struct onward_str){data, (size_t)st.st_size};
}

struct onward_ruleset *rules_load(struct onward_ctx *ctx, const char *folder)
{
    const struct onward_ruleset_opts opts = {
        .size = sizeof(opts), .max_bytes = ONWARD_LIMIT_NONE};
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_str text = rules_map(folder, "rules.json");
    struct onward_ruleset *rs;

    if (onward_ruleset_new(ctx, text, &opts, &fault, &rs) != 0) {
        fprintf(stderr, "%zu: %s\n", fault.line, fault.path);
        bench_die(fault.text);
    }
    munmap((void *)(uintptr_t)text.data, text.len);
    return rs;
}

struct onward_ruleset *rules_open(struct onward_ctx *ctx,
                                  struct onward_str file)
{
    struct onward_ruleset *rs;

    if (onward_ruleset_open_image(ctx, file, NULL, NULL, &rs) != 0)
        bench_die("image");
    return rs;
}
