/* A header reads the same for any cut; its items are the block. */
#include "fuzz.h"

#include "mime/mime_shared.h"

static struct onward_header *parse(const uint8_t *data, size_t size,
                                   size_t step)
{
    struct onward_header *h;
    size_t taken;
    int ret = 0;

    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
    for (size_t at = 0; ret == 0 && at < size; at += step)
        ret = onward_header_feed(h, data + at,
                                 size - at < step ? size - at : step, &taken);
    if (ret >= 0)
        ret = onward_header_finish(h);
    if (ret == 0)
        return h;
    FUZZ_CHECK(ret == ONWARD_ELIMIT);
    onward_header_free(h);
    return NULL;
}

static void check_same(const struct onward_header *a,
                       const struct onward_header *b)
{
    FUZZ_CHECK(a->body == b->body && a->count == b->count);
    FUZZ_CHECK(a->anomaly_count == b->anomaly_count);
    for (size_t i = 0; i < a->count; i++) {
        FUZZ_CHECK(a->items[i].len == b->items[i].len);
        FUZZ_CHECK(a->items[i].name_len == b->items[i].name_len);
        FUZZ_CHECK(a->items[i].value_len == b->items[i].value_len);
        FUZZ_CHECK(a->items[i].above == b->items[i].above);
    }
    for (size_t i = 0; i < a->anomaly_count; i++) {
        FUZZ_CHECK(a->anomalies[i].code == b->anomalies[i].code);
        FUZZ_CHECK(a->anomalies[i].offset == b->anomalies[i].offset);
    }
}

static void check_block(struct onward_header *h, const uint8_t *data)
{
    size_t at = 0;

    for (size_t i = 0; i < h->count; i++) {
        struct onward_str raw = onward_header_raw(h, i);
        struct onward_str name = onward_header_name(h, i);
        struct onward_str text;

        FUZZ_CHECK(memcmp(raw.data, data + at, raw.len) == 0);
        at += raw.len;
        if (name.len == 0)
            continue;
        FUZZ_CHECK(onward_header_text(h, i, &text) == 0);
        FUZZ_CHECK(onward_header_first(h, name) <= i);
        FUZZ_CHECK(onward_header_last(h, name) >= i);
    }
    FUZZ_CHECK(at == h->block.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_header *whole = parse(data, size, size == 0 ? 1 : size);

    for (size_t step = 1; step <= 7; step += 3) {
        struct onward_header *cut = parse(data, size, step);

        FUZZ_CHECK((whole == NULL) == (cut == NULL));
        if (whole != NULL)
            check_same(whole, cut);
        onward_header_free(cut);
    }
    if (whole != NULL)
        check_block(whole, data);
    onward_header_free(whole);
    return 0;
}
