/*
 * Matches what it is told on its standard input, a line each:
 *
 *     KIND FLAGS PATTERN SUBJECT      glob or regex; a number; both in hex,
 *                                     "-" for nothing
 *
 * and says "error OFFSET WHY", "no", or "yes" and the captures as START-END or
 * "-". pattern_peers.py compares that with other engines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ruleset/pattern_priv.h"

enum { LINE_MAX_LEN = 16384 };

static int64_t now_s(void *user)
{
    (void)user;
    return 0;
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    memset(data, 7, len);
    return 0;
}

static struct onward_ctx *make_ctx(void)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    struct onward_ctx *ctx = NULL;

    if (onward_ctx_new(&opts, &ctx) != 0)
        exit(2);
    return ctx;
}

/* In place. */
static struct onward_str from_hex(char *text)
{
    size_t len = 0;

    if (strcmp(text, "-") == 0)
        return onward_core__str(text, 0);
    for (const char *at = text; at[0] != '\0' && at[1] != '\0'; at += 2)
        text[len++] = (char)(onward_ascii_hex((unsigned char)at[0]) << 4 |
                             onward_ascii_hex((unsigned char)at[1]));
    return onward_core__str(text, len);
}

static void print_captures(struct onward_str subject,
                           const struct onward_str *captures, size_t count)
{
    printf("yes");
    for (size_t i = 0; i < count; i++) {
        size_t start;

        if (captures[i].data == NULL) {
            printf(" -");
            continue;
        }
        start = subject.data == NULL
                    ? 0
                    : (size_t)(captures[i].data - subject.data);
        printf(" %zu-%zu", start, start + captures[i].len);
    }
    printf("\n");
}

static void match(struct onward_str program, struct onward_str subject)
{
    struct onward_str captures[ONWARD_RULESET__PATTERN_CAPTURES];
    const size_t count = onward_ruleset__pattern_captures(program);
    const size_t scratch_len = onward_ruleset__pattern_scratch(program, count);
    void *scratch = malloc(scratch_len);
    int ret, quick;

    if (scratch == NULL || onward_ruleset__pattern_check(program) != 0)
        exit(2);
    ret = onward_ruleset__pattern_run(program, subject, captures, count,
                                      scratch, scratch_len);
    /* Without captures the answer must be the same. */
    quick = onward_ruleset__pattern_run(program, subject, NULL, 0, scratch,
                                        scratch_len);
    free(scratch);
    if (ret < 0 || quick != ret)
        exit(2);
    if (ret == 1)
        print_captures(subject, captures, count);
    else
        printf("no\n");
}

int main(void)
{
    static char line[LINE_MAX_LEN];
    struct onward_ctx *ctx = make_ctx();
    struct onward_buf program;

    onward_core__buf_init(&program, ctx, ONWARD_RULESET__PATTERN_BYTES_MAX);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct onward_ruleset__pattern_fault fault;
        const char *kind = strtok(line, " \n");
        const char *flags = strtok(NULL, " \n");
        char *pattern = strtok(NULL, " \n");
        char *subject = strtok(NULL, " \n");

        if (subject == NULL)
            return 2;
        onward_core__buf_reset(&program);
        if (onward_ruleset__pattern_compile(
                &program,
                strcmp(kind, "glob") == 0 ? ONWARD_RULESET__GLOB
                                          : ONWARD_RULESET__REGEX,
                from_hex(pattern), (unsigned)atoi(flags), &fault) != 0)
            printf("error %zu %s\n", fault.at, fault.what);
        else
            match(onward_core__buf_str(&program), from_hex(subject));
    }
    onward_core__buf_clear(&program);
    onward_ctx_free(ctx);
    return 0;
}
