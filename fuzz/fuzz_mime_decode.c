/* Decoders and converters give the same for any cut and any room. The first
 * octet chooses which. */
#include "fuzz.h"

#include <onward/mime_text.h>

#include "core/text_shared.h"

static void decode(int encoding, const uint8_t *data, size_t size, size_t step,
                   size_t cap, struct onward_buf *out, uint64_t *damage)
{
    unsigned char room[1000];
    struct onward_decoder *d = NULL;
    size_t put;

    onward_core__buf_init(out, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_decoder_new(fuzz_ctx(), encoding, &d) == 0);
    for (size_t at = 0; at < size;) {
        size_t len = size - at < step ? size - at : step, taken = 0;

        FUZZ_CHECK(onward_decoder_feed(d, data + at, len, &taken, room, cap,
                                       &put) == 0);
        FUZZ_CHECK(taken > 0 || put > 0);
        onward_core__buf_add(out, room, put);
        at += taken;
    }
    FUZZ_CHECK(onward_decoder_finish(d, room, cap, &put) == 0);
    onward_core__buf_add(out, room, put);
    *damage = onward_decoder_damage(d);
    onward_decoder_free(d);
}

static void convert(const char *charset, const uint8_t *data, size_t size,
                    size_t step, size_t cap, struct onward_buf *out,
                    uint64_t *notes)
{
    unsigned char room[1000];
    struct onward_converter *c = NULL;
    size_t put;

    onward_core__buf_init(out, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_converter_new(fuzz_ctx(), onward_str_of(charset), NULL,
                                    &c) == 0);
    for (size_t at = 0; at < size;) {
        size_t len = size - at < step ? size - at : step, taken = 0;

        FUZZ_CHECK(onward_converter_feed(c, data + at, len, &taken, room, cap,
                                         &put) == 0);
        FUZZ_CHECK(taken > 0 || put > 0);
        onward_core__buf_add(out, room, put);
        at += taken;
    }
    FUZZ_CHECK(onward_converter_finish(c, room, cap, &put) == 0);
    onward_core__buf_add(out, room, put);
    FUZZ_CHECK(onward_core__is_utf8(onward_core__buf_str(out)));
    *notes = onward_converter_notes(c);
    onward_converter_free(c);
}

static const char *const charsets[] = {"utf-8", "us-ascii", "utf-16", "utf-7",
                                       "windows-1252"};

static void run(unsigned which, const uint8_t *data, size_t size, size_t step,
                size_t cap, struct onward_buf *out, uint64_t *notes)
{
    if (which < 5)
        convert(charsets[which], data, size, step, cap, out, notes);
    else
        decode((int)which - 4, data, size, step, cap, out, notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_buf whole, cut;
    uint64_t notes = 0, cut_notes = 0;
    unsigned which;

    if (size == 0)
        return 0;
    which = data[0] % 11;
    data++;
    size--;
    run(which, data, size, SIZE_MAX, 1000, &whole, &notes);
    for (size_t step = 1; step < 9; step += 3) {
        run(which, data, size, step, ONWARD_TEXT_ROOM, &cut, &cut_notes);
        FUZZ_CHECK(notes == cut_notes &&
                   onward_core__str_eq(onward_core__buf_str(&whole),
                                       onward_core__buf_str(&cut)));
        onward_core__buf_clear(&cut);
    }
    onward_core__buf_clear(&whole);
    return 0;
}
