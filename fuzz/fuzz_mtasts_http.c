/*
 * The answer of a policy host, whole, octet by octet and in pieces: the same
 * end each time. The first octet says how the connection ends, and the size of
 * the pieces.
 */
#include "fuzz.h"

#include "mtasts/http_priv.h"

static void run(struct onward_mtasts__http *h, const uint8_t *data, size_t size,
                size_t step, bool is_clean)
{
    onward_mtasts__http_init(h, fuzz_ctx());
    for (size_t at = 0; at < size; at += step)
        onward_mtasts__http_feed(h, data + at,
                                 size - at < step ? size - at : step);
    onward_mtasts__http_end(h, is_clean);
    FUZZ_CHECK(onward_mtasts__http_is_done(h));
    FUZZ_CHECK((h->state == ONWARD_MTASTS__WHOLE) ==
               (h->reason == ONWARD_MTASTS_REASON_NONE));
    FUZZ_CHECK(h->body.len <= ONWARD_MTASTS_POLICY_MAX);
    if (h->state == ONWARD_MTASTS__WHOLE)
        FUZZ_CHECK(h->status == 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_mtasts__http whole, pieces;
    size_t steps[2] = {1, 2};
    bool is_clean;

    if (size == 0)
        return 0;
    is_clean = (data[0] & 1) != 0;
    steps[1] += data[0] >> 1;
    run(&whole, data + 1, size - 1, size, is_clean);
    for (size_t i = 0; i < 2; i++) {
        run(&pieces, data + 1, size - 1, steps[i], is_clean);
        FUZZ_CHECK(pieces.state == whole.state &&
                   pieces.reason == whole.reason &&
                   pieces.status == whole.status);
        /* Of a failure it does not matter how much was kept. */
        if (whole.state == ONWARD_MTASTS__WHOLE)
            FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&whole.body),
                                           onward_core__buf_str(&pieces.body)));
        onward_mtasts__http_clear(&pieces);
    }
    onward_mtasts__http_clear(&whole);
    return 0;
}
