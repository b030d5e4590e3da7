/* Canonical forms are the same for any cut, and their own canonical form. */
#include "fuzz.h"

#include "dkim/dkim_shared.h"

static void collect(void *user, const void *data, size_t len)
{
    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_core__buf_add(user, data, len) == 0);
}

static void body(struct onward_buf *out, enum onward_dkim__canon canon,
                 const uint8_t *data, size_t size, size_t step)
{
    struct onward_dkim__canon_body b = {.canon = canon,
                                        .sink = {.emit = collect, .user = out}};

    onward_core__buf_init(out, fuzz_ctx(), SIZE_MAX);
    for (size_t at = 0; at < size; at += step)
        onward_dkim__canon_body_feed(&b, data + at,
                                     size - at < step ? size - at : step);
    onward_dkim__canon_body_finish(&b);
    FUZZ_CHECK(b.octets == out->len);
}

static void check_body(enum onward_dkim__canon canon, const uint8_t *data,
                       size_t size)
{
    static const size_t steps[] = {1, 2, 3, 17};
    struct onward_buf whole, other;

    body(&whole, canon, data, size, SIZE_MAX / 2);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        body(&other, canon, data, size, steps[i]);
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&whole),
                                       onward_core__buf_str(&other)));
        onward_core__buf_clear(&other);
    }
    body(&other, canon, whole.data, whole.len, SIZE_MAX / 2);
    FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&whole),
                                   onward_core__buf_str(&other)));
    onward_core__buf_clear(&other);
    onward_core__buf_clear(&whole);
}

static void header(struct onward_buf *out, struct onward_str field,
                   struct onward_str hole)
{
    struct onward_dkim__sink sink = {.emit = collect, .user = out};

    onward_core__buf_init(out, fuzz_ctx(), SIZE_MAX);
    onward_dkim__canon_header(ONWARD_DKIM__RELAXED, field, hole, &sink);
}

static void check_header(struct onward_str field)
{
    struct onward_buf once, twice;

    header(&once, field, (struct onward_str){0});
    header(&twice, onward_core__buf_str(&once), (struct onward_str){0});
    FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&once),
                                   onward_core__buf_str(&twice)));
    onward_core__buf_clear(&once);
    onward_core__buf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_body(ONWARD_DKIM__SIMPLE, data, size);
    check_body(ONWARD_DKIM__RELAXED, data, size);
    check_header(onward_core__str(data, size));
    return 0;
}
