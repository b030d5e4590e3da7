/* Encoded words become UTF-8 in every place; text without them stays. The
 * fields of angle brackets and Received have a reading for everything. */
#include "fuzz.h"

#include <onward/mime_text.h>

#include "core/text_shared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str in = onward_core__str(data, size);
    struct onward_angle_list *list = NULL;
    struct onward_received *received = NULL;
    bool is_plain = onward_core__is_utf8(in);

    for (size_t i = 0; i < size; i++)
        is_plain = is_plain && data[i] >= ' ' && data[i] != '=';
    for (int place = 1; place <= 4; place++) {
        struct onward_text *text = NULL;

        FUZZ_CHECK(onward_words_decode(fuzz_ctx(), in, place, NULL, &text) ==
                   0);
        FUZZ_CHECK(onward_core__is_utf8(onward_text_str(text)));
        if (is_plain && place != ONWARD_WORDS_NAME)
            FUZZ_CHECK(onward_core__str_eq(onward_text_str(text),
                                           onward_core__str_trim(in)));
        onward_text_free(text);
    }
    for (int delsp = 0; delsp < 2; delsp++) {
        struct onward_text *text = NULL;

        FUZZ_CHECK(onward_flowed_decode(fuzz_ctx(), in, delsp, &text) == 0);
        onward_text_free(text);
    }
    FUZZ_CHECK(onward_angle_list_parse(fuzz_ctx(), in, &list) == 0);
    for (size_t i = 0; i <= onward_angle_list_count(list); i++) {
        FUZZ_CHECK(onward_angle_list_item(list, i).len <= size);
        FUZZ_CHECK(onward_angle_list_words(list, i).len <= size);
    }
    onward_angle_list_free(list);
    FUZZ_CHECK(onward_received_parse(fuzz_ctx(), in, &received) == 0);
    for (int part = 0; part < 11; part++)
        FUZZ_CHECK(onward_received_part(received, part).len <= size);
    onward_received_free(received);
    return 0;
}
