/*
 * An edited message, read in any piece sizes, is the fields on top, the items
 * that were kept, and the rest; and its header reads as it was written. The
 * first three octets of the input choose the cuts, the piece size, and how much
 * of what follows is the value of a field on top.
 */
#include "fuzz.h"

#include "mime/mime_shared.h"

struct text {
    unsigned char *data;
    size_t len;
};

static void append(struct text *t, struct onward_str s)
{
    if (s.len > 0)
        memcpy(t->data + t->len, s.data, s.len);
    t->len += s.len;
}

static void check_read(const struct onward_source *source, size_t step,
                       const struct text *want)
{
    unsigned char buf[256];
    uint64_t at = 0;

    FUZZ_CHECK(source->len == want->len);
    while (at < source->len) {
        size_t got = 0;

        FUZZ_CHECK(source->read(source->user, at, buf, step, &got) == 0);
        FUZZ_CHECK(got > 0 && got <= step);
        FUZZ_CHECK(memcmp(buf, want->data + at, got) == 0);
        at += got;
    }
}

/* The field on top reads back as the one field that was put there. */
static void check_top(const struct text *want, struct onward_str raw)
{
    struct onward_header *h;
    size_t taken;

    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
    FUZZ_CHECK(onward_header_feed(h, want->data, raw.len, &taken) == 0);
    FUZZ_CHECK(onward_header_finish(h) == 0);
    FUZZ_CHECK(onward_header_count(h) == 1);
    FUZZ_CHECK(onward_str_equal(onward_header_raw(h, 0), raw));
    FUZZ_CHECK(!onward_header_is_malformed(h));
    onward_header_free(h);
}

static void run(struct onward_edit *e, struct onward_header *h,
                const uint8_t *choice, struct onward_str value,
                struct onward_str message)
{
    struct onward_mime__field top = {0};
    const struct onward_source *source;
    struct text want = {malloc(value.len + message.len + 16), 0};
    int ret = onward_edit_add(e, ONWARD_STR("X-Top"), value);

    FUZZ_CHECK(want.data != NULL);
    FUZZ_CHECK(ret == 0 || ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT);
    if (ret == 0) {
        FUZZ_CHECK(onward_mime__edit_field(e, onward_mime__edit_top(e), &top));
        append(&want, top.raw);
    }
    for (size_t i = 0; i < h->count; i++) {
        if ((choice[0] >> (i % 8) & 1) != 0)
            FUZZ_CHECK(onward_edit_cut(e, i) == 0);
        else
            append(&want, onward_mime__raw(h, i));
    }
    append(&want, onward_core__sub(message, h->block.len, message.len));
    FUZZ_CHECK(onward_edit_source(e, &source) == 0);
    check_read(source, (size_t)choice[1] + 1, &want);
    if (ret == 0)
        check_top(&want, top.raw);
    free(want.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_memory_source *memory;
    struct onward_header *h;
    struct onward_edit *e;
    struct onward_str value, message;
    size_t taken;

    if (size < 3)
        return 0;
    message = onward_core__str(data + 3, size - 3);
    value = onward_core__sub(message, 0, data[2]);
    message = onward_core__sub(message, value.len, message.len);
    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), message.data, message.len,
                                        &memory) == 0);
    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
    if (onward_header_feed(h, message.data, message.len, &taken) >= 0 &&
        onward_header_finish(h) == 0) {
        FUZZ_CHECK(onward_edit_new(fuzz_ctx(),
                                   onward_memory_source_table(memory), h, NULL,
                                   &e) == 0);
        run(e, h, data, value, message);
        onward_edit_free(e);
    }
    onward_header_free(h);
    onward_memory_source_free(memory);
    return 0;
}
