/*
 * Patterns, twice. A text that compiles makes a sound program, whose captures
 * lie in the subject and which says the same with and without them. And any
 * octets are run as a program: nothing outside of them is touched (a sanitizer
 * sees it), and what is sound as a whole does not fail.
 *
 * The first octet says which, the second how long the text or program is; what
 * is left is the subject.
 */
#include "fuzz.h"

#include "ruleset/pattern_priv.h"

static int run(struct onward_str program, struct onward_str subject,
               size_t want)
{
    struct onward_str captures[ONWARD_RULESET__PATTERN_CAPTURES];
    const size_t need = onward_ruleset__pattern_scratch(program, want);
    void *scratch = malloc(need > 0 ? need : 1);
    int ret;

    FUZZ_CHECK(scratch != NULL);
    ret = onward_ruleset__pattern_run(program, subject, captures, want, scratch,
                                      need);
    for (size_t i = 0; ret == 1 && i < want; i++)
        FUZZ_CHECK(
            captures[i].data == NULL ||
            (captures[i].data >= subject.data &&
             captures[i].data + captures[i].len <= subject.data + subject.len));
    free(scratch);
    return ret;
}

static void try_program(struct onward_str program, struct onward_str subject)
{
    const bool is_sound = onward_ruleset__pattern_check(program) == 0;
    const int whole = run(program, subject, ONWARD_RULESET__PATTERN_CAPTURES);
    const int quick = run(program, subject, 0);

    if (is_sound) {
        FUZZ_CHECK(whole >= 0);
        FUZZ_CHECK(whole == quick);
    }
}

static void try_text(unsigned how, struct onward_str text,
                     struct onward_str subject)
{
    struct onward_ruleset__pattern_fault fault;
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, fuzz_ctx(), ONWARD_RULESET__PATTERN_BYTES_MAX);
    err = onward_ruleset__pattern_compile(
        &out, (how & 4) != 0 ? ONWARD_RULESET__GLOB : ONWARD_RULESET__REGEX,
        text, how & 3, &fault);
    FUZZ_CHECK(err == 0 || fault.at <= text.len);
    if (err == 0) {
        FUZZ_CHECK(onward_ruleset__pattern_check(onward_core__buf_str(&out)) ==
                   0);
        try_program(onward_core__buf_str(&out), subject);
    }
    onward_core__buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str first, subject;
    char *copy;
    size_t len;

    if (size < 2)
        return 0;
    len = data[1] < size - 2 ? data[1] : size - 2;
    subject = (struct onward_str){(const char *)data + 2 + len, size - 2 - len};
    /* In memory of its own, so that a step outside is one. */
    copy = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data + 2, len);
    first = (struct onward_str){copy, len};
    if ((data[0] & 8) != 0)
        try_program(first, subject);
    else
        try_text(data[0], first, subject);
    free(copy);
    return 0;
}
