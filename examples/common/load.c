#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct onward_ruleset *load_rules(struct onward_ctx *ctx, const char *path,
                                  struct load_fault *fault)
{
    struct onward_ruleset_fault why = {.size = sizeof(why)};
    struct onward_ruleset *rules = NULL;
    size_t len;
    char *text = read_text(path, &len, fault);
    int err;

    if (text == NULL)
        return NULL;
    err = onward_ruleset_new(ctx, (struct onward_str){text, len}, NULL, &why,
                             &rules);
    if (err != 0 && why.text[0] != '\0')
        say(fault, "%s:%zu: %s%s%s", path, why.line, why.path,
            why.path[0] != '\0' ? ": " : "", why.text);
    else if (err != 0)
        say_error(fault, path, err);
    free(text);
    return rules;
}

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
