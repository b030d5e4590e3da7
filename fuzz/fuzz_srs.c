/*
 * SRS addresses. What goes forward comes back as it was; what comes in from
 * outside is never taken without a hash of ours.
 */
#include <onward/srs.h>

#include "fuzz.h"

static struct onward_srs *rewriter(void)
{
    static struct onward_srs *srs;
    const struct onward_str secret = ONWARD_STR("not known to a fuzzer");
    const struct onward_srs_opts opts = {
        .size = sizeof(opts), .hash_len = 27, .always_rewrite = 1};

    if (srs == NULL)
        FUZZ_CHECK(onward_srs_new(fuzz_ctx(), &secret, 1, &opts, &srs) == 0);
    return srs;
}

static int is_tag(const char *text, char digit)
{
    return (text[0] | 32) == 's' && (text[1] | 32) == 'r' &&
           (text[2] | 32) == 's' && text[3] == digit;
}

/* Any sender that is one comes back out of the store; any value is one, or
 * refused. */
static void keep(struct onward_str in)
{
    struct onward_srs_kept kept = {.size = sizeof(kept)};
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    int verdict;
    int len = onward_srs_kept_sender(rewriter(), in, back, sizeof(back));

    FUZZ_CHECK(len < 0 || ((size_t)len == in.len - 8 &&
                           memcmp(back, in.data + 8, (size_t)len) == 0));
    len = onward_srs_keep(rewriter(), in, ONWARD_STR("fwd.example.net"), there,
                          sizeof(there), &kept);
    if (len < 0)
        return;
    FUZZ_CHECK(memchr(there, '@', 65) != NULL);
    len =
        onward_srs_reverse(rewriter(), (struct onward_str){there, (size_t)len},
                           back, sizeof(back), &verdict);
    FUZZ_CHECK(verdict == ONWARD_SRS_KEPT && (size_t)len == kept.key_len &&
               memcmp(back, kept.key, kept.key_len) == 0);
    len = onward_srs_kept_sender(
        rewriter(), (struct onward_str){kept.value, kept.value_len}, back,
        sizeof(back));
    FUZZ_CHECK(len > 0 && (size_t)len == in.len &&
               memcmp(back, in.data, in.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str in = {(const char *)data, size};
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    int verdict;
    int len;

    len = onward_srs_reverse(rewriter(), in, back, sizeof(back), &verdict);
    FUZZ_CHECK(len == 0 && verdict != ONWARD_SRS_OK &&
               verdict != ONWARD_SRS_KEPT);
    keep(in);
    len = onward_srs_forward(rewriter(), in, ONWARD_STR("fwd.example.net"),
                             there, sizeof(there));
    if (len <= 0)
        return 0;
    FUZZ_CHECK(memchr(there, '@', 65) != NULL);
    len =
        onward_srs_reverse(rewriter(), (struct onward_str){there, (size_t)len},
                           back, sizeof(back), &verdict);
    FUZZ_CHECK(len > 0 && verdict == ONWARD_SRS_OK);
    /* SRS1 comes back as SRS0 at the first hop, the tag in upper case. */
    if (is_tag(there, '0'))
        FUZZ_CHECK((size_t)len == size && memcmp(back, data, size) == 0);
    else
        FUZZ_CHECK(is_tag(back, '0'));
    return 0;
}
