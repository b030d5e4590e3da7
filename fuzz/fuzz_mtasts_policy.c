/*
 * Whatever a policy host gives: what is taken can be written and read again
 * with the same meaning, its patterns are names with at most a star in front,
 * and a linter is never milder than a sender.
 */
#include "fuzz.h"

#include <stdio.h>

#include <onward/mtasts.h>

#include "core/domain_shared.h"

enum { PATTERNS_MAX = 4096 };

static void check_fault(const struct onward_mtasts_fault *fault, size_t size)
{
    FUZZ_CHECK(fault->flaw != ONWARD_MTASTS_FLAW_NONE);
    FUZZ_CHECK(fault->offset <= size && fault->text[0] != '\0');
}

static size_t patterns(const struct onward_mtasts_policy *policy,
                       struct onward_str *out)
{
    struct onward_str rest = policy->text, pattern;
    size_t count = 0;

    while (onward_mtasts_mx_next(&rest, &pattern) == 1) {
        struct onward_str host = pattern;
        char name[256];
        int len;

        if (onward_core__str_starts(host, ONWARD_STR("*."))) {
            host = onward_core__sub(host, 2, host.len);
            /* Neither what is below it by two labels, nor itself. */
            FUZZ_CHECK(onward_mtasts_pattern_matches(pattern, host) == 0);
            len = snprintf(name, sizeof(name), "a.b.%.*s", (int)host.len,
                           host.data);
            FUZZ_CHECK(len < (int)sizeof(name) ||
                       host.len > ONWARD_DOMAIN_MAX - 4);
            if (len < (int)sizeof(name))
                FUZZ_CHECK(onward_mtasts_pattern_matches(
                               pattern, onward_str_of(name)) == 0);
        } else {
            FUZZ_CHECK(onward_mtasts_mx_matches(policy, host) == 1);
        }
        FUZZ_CHECK(onward_core__domain_is_hostname(host));
        if (count < PATTERNS_MAX)
            out[count] = pattern;
        count++;
    }
    return count;
}

static void print_and_parse(const struct onward_mtasts_policy *policy,
                            const struct onward_str *mx)
{
    struct onward_mtasts_policy_opts o = {.size = sizeof(o),
                                          .mode = policy->mode,
                                          .max_age_s = policy->max_age_s == 0
                                                           ? ONWARD_LIMIT_ZERO
                                                           : policy->max_age_s,
                                          .mx = mx,
                                          .mx_count = policy->mx_count};
    struct onward_mtasts_policy again = {.size = sizeof(again)};
    char *out = malloc(ONWARD_MTASTS_POLICY_MAX);
    int len;

    FUZZ_CHECK(out != NULL);
    len = onward_mtasts_policy_write(&o, out, ONWARD_MTASTS_POLICY_MAX);
    /* It may have been written more tightly than we do. */
    FUZZ_CHECK(len > 0 || (len == ONWARD_ELIMIT && policy->text.len > 32768));
    if (len > 0) {
        FUZZ_CHECK(onward_mtasts_policy_parse(
                       onward_core__str(out, (size_t)len), &again, NULL) == 0);
        FUZZ_CHECK(again.mode == policy->mode &&
                   again.max_age_s == policy->max_age_s &&
                   again.mx_count == policy->mx_count);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct onward_str mx[PATTERNS_MAX];
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault), .text = ""};
    struct onward_mtasts_fault lint = {.size = sizeof(lint), .text = ""};
    struct onward_str text = onward_core__str(data, size);
    int linted = onward_mtasts_policy_lint(text, &lint);

    if (onward_mtasts_policy_parse(text, &policy, &fault) != 0) {
        check_fault(&fault, size);
        FUZZ_CHECK(fault.is_void == 1 && linted == ONWARD_ESYNTAX);
        FUZZ_CHECK(lint.flaw == fault.flaw && lint.offset == fault.offset);
        return 0;
    }
    if (linted != 0)
        check_fault(&lint, size);
    FUZZ_CHECK(policy.max_age_s <= ONWARD_MTASTS_MAX_AGE_MAX);
    FUZZ_CHECK(patterns(&policy, mx) == policy.mx_count);
    FUZZ_CHECK(policy.mx_count > 0 || policy.mode == ONWARD_MTASTS_MODE_NONE);
    if (policy.mx_count <= PATTERNS_MAX)
        print_and_parse(&policy, mx);
    return 0;
}
