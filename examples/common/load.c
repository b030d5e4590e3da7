#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

__attribute__((format(printf, 2, 3))) static void say(struct load_fault *fault,
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
}

static char *read_text(const char *path, size_t *len, struct load_fault *fault)
{
    char *text = host_read_file(path, len);

    if (text == NULL)
        say(fault, "%s: %s, expected a readable file", path, strerror(errno));
    return text;
}

static void wipe(char *text, size_t len)
{
    if (text != NULL)
        explicit_bzero(text, len);
    free(text);
}

/* What has no line of its own: no memory, no randomness. */
static void say_error(struct load_fault *fault, const char *path, int err)
{
    say(fault, "%s: %s", path, onward_strerror(err));
}

static size_t line_of(const char *text, size_t len, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < len && i < offset; i++)
        line += text[i] == '\n';
    /* The end of the last line is not yet another one. */
    if (line > 1 && offset >= len && text[len - 1] == '\n')
        line--;
    return line;
}

struct onward_key *load_key(struct onward_ctx *ctx, const char *path,
                            struct load_fault *fault)
{
    struct onward_key_fault problem = {.size = sizeof(problem)};
    struct onward_key *key = NULL;
    size_t len;
    char *text = read_text(path, &len, fault);
    int err;

    if (text == NULL)
        return NULL;
    err = onward_key_from_pem(ctx, (struct onward_str){text, len}, &problem,
                              &key);
    if (err != 0 && problem.text != NULL && problem.bits != 0)
        say(fault, "%s:%zu: %s, not %zu", path,
            line_of(text, len, problem.offset), problem.text, problem.bits);
    else if (err != 0 && problem.text != NULL)
        say(fault, "%s:%zu: %s", path, line_of(text, len, problem.offset),
            problem.text);
    else if (err != 0)
        say_error(fault, path, err);
    wipe(text, len);
    return key;
}

/* ---- Rules ------------------------------------------------------------- */

/* A rules file while it is mapped. */
struct mapping {
    void *data;
    size_t len;
};

static void unmap(void *user)
{
    struct mapping *m = user;

    if (m->len > 0)
        munmap(m->data, m->len);
    free(m);
}

/* NULL: see fault. An empty file is mapped as nothing. */
static struct mapping *map(const char *path, struct load_fault *fault)
{
    struct mapping *m = calloc(1, sizeof(*m));
    int fd = m == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        m->len = (size_t)st.st_size;
        if (m->len > 0)
            m->data = mmap(NULL, m->len, PROT_READ, MAP_SHARED, fd, 0);
    } else if (m != NULL) {
        m->data = MAP_FAILED;
        if (fd >= 0)
            errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    }
    if (m == NULL || m->data == MAP_FAILED) {
        say(fault, "%s: %s, expected a readable file", path, strerror(errno));
        free(m);
        m = NULL;
    }
    if (fd >= 0)
        close(fd);
    return m;
}

static bool is_image(const struct mapping *m)
{
    return m->len >= 4 && memcmp(m->data, "owrs", 4) == 0;
}

static void say_why(struct load_fault *fault, const char *path, int err,
                    const struct onward_ruleset_fault *why)
{
    if (why->text[0] == '\0')
        say_error(fault, path, err);
    else if (why->line == 0 && why->path[0] == '\0')
        say(fault, "%s: %s", path, why->text);
    else
        say(fault, "%s:%zu: %s%s%s", path, why->line, why->path,
            why->path[0] != '\0' ? ": " : "", why->text);
}

/* What is not mapped can be read, too: a pipe, say. */
static struct onward_ruleset *load_text(struct onward_ctx *ctx,
                                        const char *path,
                                        struct load_fault *fault)
{
    const struct onward_ruleset_opts opts = {
        .size = sizeof(opts), .max_bytes = ONWARD_LIMIT_NONE};
    struct onward_ruleset_fault why = {.size = sizeof(why)};
    struct onward_ruleset *rules = NULL;
    size_t len;
    char *text = read_text(path, &len, fault);
    int err;

    if (text == NULL)
        return NULL;
    err = onward_ruleset_new(ctx, (struct onward_str){text, len}, &opts, &why,
                             &rules);
    if (err != 0)
        say_why(fault, path, err, &why);
    free(text);
    return rules;
}

static bool is_regular(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

struct onward_ruleset *load_rules(struct onward_ctx *ctx, const char *path,
                                  struct load_fault *fault)
{
    struct onward_ruleset_fault why = {.size = sizeof(why)};
    struct onward_ruleset_image_owner owner = {.size = sizeof(owner),
                                               .release = unmap};
    struct onward_ruleset *rules = NULL;
    struct mapping *m;
    int err;

    if (!is_regular(path))
        return load_text(ctx, path, fault);
    m = map(path, fault);
    if (m == NULL)
        return NULL;
    if (!is_image(m)) {
        unmap(m);
        return load_text(ctx, path, fault);
    }
    owner.user = m;
    err = onward_ruleset_open_image(
        ctx, (struct onward_str){m->data, m->len}, &owner, &why, &rules);
    if (err == 0)
        return rules;
    unmap(m);
    say_why(fault, path, err, &why);
    return NULL;
}

int load_check_image(struct onward_ctx *ctx, const char *path,
                     struct load_fault *fault)
{
    struct onward_ruleset_fault why = {.size = sizeof(why)};
    struct mapping *m = map(path, fault);
    int err;

    if (m == NULL)
        return -1;
    if (!is_image(m)) {
        unmap(m);
        return 0;
    }
    err = onward_ruleset_check_image(ctx, (struct onward_str){m->data, m->len},
                                     &why);
    if (err != 0)
        say_why(fault, path, err, &why);
    unmap(m);
    return err == 0 ? 0 : -1;
}

/* ---- DNS records, SRS secrets ------------------------------------------ */

int load_records(struct onward_resolver *resolver, const char *path,
                 struct load_fault *fault)
{
    struct onward_dns_fault why = {.size = sizeof(why)};
    size_t len;
    char *text = read_text(path, &len, fault);
    int err;

    if (text == NULL)
        return -1;
    err = onward_resolver_load(resolver, (struct onward_str){text, len}, &why);
    if (err == ONWARD_ESYNTAX)
        say(fault, "%s:%zu: %.*s", path, why.line, (int)why.text.len,
            why.text.data);
    else if (err != 0)
        say_error(fault, path, err);
    free(text);
    return err == 0 ? 0 : -1;
}

/* The lines of text as secrets; how many, or -1. */
static int split_secrets(const char *path, const char *text, size_t len,
                         struct onward_str *secrets, struct load_fault *fault)
{
    const char *at = text;
    const char *end = text + len;
    size_t line = 1;
    int count = 0;

    for (; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop == NULL ? end : stop + 1;
        size_t n = (size_t)((stop == NULL ? end : stop) - at);

        if (n > 0 && at[n - 1] == '\r')
            n--;
        if (n == 0 || n > ONWARD_SRS_SECRET_MAX) {
            say(fault, "%s:%zu: a secret of %zu octets, expected 1 to %d", path,
                line, n, ONWARD_SRS_SECRET_MAX);
            return -1;
        }
        if (count == ONWARD_SRS_SECRETS_MAX) {
            say(fault, "%s:%zu: one secret more, expected at most %d", path,
                line, ONWARD_SRS_SECRETS_MAX);
            return -1;
        }
        secrets[count++] = (struct onward_str){at, n};
        at = next;
    }
    if (count == 0) {
        say(fault, "%s:1: an empty file, expected one secret a line", path);
        return -1;
    }
    return count;
}

struct onward_srs *load_srs(struct onward_ctx *ctx, const char *path,
                            const struct onward_srs_opts *opts,
                            struct load_fault *fault)
{
    struct onward_str secrets[ONWARD_SRS_SECRETS_MAX];
    struct onward_srs *srs = NULL;
    size_t len;
    char *text = read_text(path, &len, fault);
    int count = -1;

    if (text != NULL)
        count = split_secrets(path, text, len, secrets, fault);
    if (count > 0) {
        int err = onward_srs_new(ctx, secrets, (size_t)count, opts, &srs);

        if (err != 0)
            say_error(fault, path, err);
    }
    wipe(text, text != NULL ? len : 0);
    return srs;
}

struct onward_token_minter *load_minter(struct onward_ctx *ctx,
                                        const char *path,
                                        struct load_fault *fault)
{
    struct onward_str secrets[ONWARD_SRS_SECRETS_MAX];
    struct onward_token_minter *minter = NULL;
    size_t len;
    char *text = read_text(path, &len, fault);
    int count = -1;

    if (text != NULL)
        count = split_secrets(path, text, len, secrets, fault);
    if (count > 0) {
        int err =
            onward_token_minter_new(ctx, secrets, (size_t)count, &minter);

        if (err == ONWARD_EINVAL)
            say(fault, "%s: a short secret, expected 16 octets or more a line",
                path);
        else if (err != 0)
            say_error(fault, path, err);
    }
    wipe(text, text != NULL ? len : 0);
    return minter;
}
