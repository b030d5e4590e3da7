/*
 * What stands in a store, by whomever: it is refused, or it is a policy with an
 * end (a failure with a reason), and written again it is the same octets.
 */
#include "fuzz.h"

#include "mtasts/mtasts_priv.h"

enum { NOW = 1600000000 };

static void check_policy(struct onward_str value)
{
    struct onward_mtasts__kept *kept = NULL;
    struct onward_buf out;

    if (onward_mtasts__kept_read(fuzz_ctx(), value, NOW, &kept) != 0)
        return;
    FUZZ_CHECK(kept->policy.mode != ONWARD_MTASTS_MODE_UNKNOWN);
    FUZZ_CHECK(onward_mtasts__is_id(kept->id));
    FUZZ_CHECK(onward_mtasts__kept_expires_s(kept) > NOW);
    FUZZ_CHECK(onward_mtasts__kept_expires_s(kept) <=
               NOW + (int64_t)2 * ONWARD_MTASTS_MAX_AGE_MAX);
    onward_core__buf_init(&out, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_mtasts__kept_write(&out, kept) == 0);
    FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&out), value));
    onward_core__buf_clear(&out);
    onward_mtasts__kept_free(kept);
}

static void check_mark(struct onward_str value)
{
    unsigned char out[ONWARD_MTASTS__MARK_MAX];
    struct onward_mtasts__mark mark;
    size_t len;

    if (onward_mtasts__mark_read(value, &mark) != 0)
        return;
    FUZZ_CHECK(onward_mtasts_reason_name((int)mark.reason)[0] != '\0');
    len = onward_mtasts__mark_write(out, &mark);
    FUZZ_CHECK(onward_core__str_eq(onward_core__str(out, len), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_policy(onward_core__str(data, size));
    check_mark(onward_core__str(data, size));
    return 0;
}
