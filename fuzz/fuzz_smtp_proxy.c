/*
 * The PROXY header: the same for any cut, at most its own length taken, and
 * addresses only where the header is whole.
 */
#include "fuzz.h"

#include "smtp/proxy.h"

struct result {
    struct onward_smtp__proxy p;
    size_t taken;
    int ret;
};

static struct result run(const uint8_t *data, size_t size, size_t step)
{
    struct result r = {.ret = 0};

    while (r.ret == 0 && r.taken < size) {
        size_t n = size - r.taken < step ? size - r.taken : step, taken = 0;

        r.ret = onward_smtp__proxy_take(&r.p, data + r.taken, n, &taken);
        FUZZ_CHECK(taken > 0 && taken <= n);
        r.taken += taken;
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result whole;

    if (size == 0)
        return 0;
    whole = run(data, size, size);
    for (size_t step = 1; step <= 5; step += 2) {
        struct result cut = run(data, size, step);

        FUZZ_CHECK(cut.ret == whole.ret && cut.taken == whole.taken);
        FUZZ_CHECK(memcmp(&cut.p, &whole.p, sizeof(cut.p)) == 0);
    }
    FUZZ_CHECK(whole.taken <= 16 + 65535);
    if (whole.ret == 1) {
        int32_t family = whole.p.client_ip.family;

        FUZZ_CHECK(family == 0 || family == 4 || family == 6);
        FUZZ_CHECK(family == whole.p.local_ip.family);
        FUZZ_CHECK(whole.p.client_port <= 65535 && whole.p.local_port <= 65535);
        FUZZ_CHECK(!whole.p.is_local || family == 0);
    }
    return 0;
}
