/* Parameters: texts are UTF-8, names are found, and plain ones read the same
 * when they are written down again. */
#include "fuzz.h"

#include <onward/mime_text.h>

#include "core/text_shared.h"

static void check_again(const struct onward_params *params, size_t i)
{
    struct onward_str raw = onward_params_raw(params, i);
    struct onward_params *again = NULL;
    struct onward_buf b;

    onward_core__buf_init(&b, fuzz_ctx(), SIZE_MAX);
    onward_core__buf_add_text(&b, "a/b; ");
    onward_core__buf_add_str(&b, onward_params_name(params, i));
    onward_core__buf_add_text(&b, "=\"");
    for (size_t at = 0; at < raw.len; at++) {
        if (raw.data[at] == '\r' || raw.data[at] == '\n')
            goto out; /* cannot be quoted */
        if (raw.data[at] == '"' || raw.data[at] == '\\')
            onward_core__buf_add_byte(&b, '\\');
        onward_core__buf_add_byte(&b, (unsigned char)raw.data[at]);
    }
    onward_core__buf_add_byte(&b, '"');
    FUZZ_CHECK(onward_params_parse(fuzz_ctx(), onward_core__buf_str(&b), NULL,
                                   &again) == 0);
    FUZZ_CHECK(onward_params_count(again) == 1 &&
               onward_str_equal(onward_params_raw(again, 0), raw));
    onward_params_free(again);
out:
    onward_core__buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_params *params = NULL;

    FUZZ_CHECK(onward_params_parse(fuzz_ctx(), onward_core__str(data, size),
                                   NULL, &params) == 0);
    for (size_t i = 0; i < onward_params_count(params); i++) {
        struct onward_str name = onward_params_name(params, i);
        struct onward_text *safe = NULL;

        FUZZ_CHECK(name.len > 0 && onward_params_find(params, name) == i);
        FUZZ_CHECK(onward_core__is_utf8(onward_params_text(params, i)));
        FUZZ_CHECK(onward_safe_name(fuzz_ctx(), onward_params_text(params, i),
                                    &safe) == 0);
        FUZZ_CHECK(onward_text_str(safe).len > 0 &&
                   onward_text_str(safe).len <= 201 &&
                   onward_text_str(safe).data[0] != '.');
        FUZZ_CHECK((onward_text_notes(safe) &
                    (ONWARD_TEXT_CONTROLS | ONWARD_TEXT_INVISIBLE)) == 0);
        for (size_t at = 0; at < onward_text_str(safe).len; at++)
            FUZZ_CHECK(onward_text_str(safe).data[at] != '/' &&
                       onward_text_str(safe).data[at] != '\\');
        onward_text_free(safe);
        if (memchr(name.data, '*', name.len) == NULL)
            check_again(params, i);
    }
    onward_params_free(params);
    return 0;
}
