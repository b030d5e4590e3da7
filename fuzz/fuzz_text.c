/*
 * Base64, dates, domains and IP addresses: what is read is written and read
 * again as the same value; decoding does not depend on blanks.
 */
#include "fuzz.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"

static void check_base64(struct onward_str in)
{
    struct onward_buf octets, text, spread;

    onward_core__buf_init(&octets, fuzz_ctx(), SIZE_MAX);
    onward_core__buf_init(&text, fuzz_ctx(), SIZE_MAX);
    onward_core__buf_init(&spread, fuzz_ctx(), SIZE_MAX);
    if (onward_core__base64_decode(&octets, in, true) == 0) {
        onward_core__base64_encode(&text, octets.data, octets.len);
        for (size_t i = 0; i < text.len; i++) {
            onward_core__buf_add_byte(&spread, text.data[i]);
            onward_core__buf_add_text(&spread, i % 5 == 0 ? "\r\n\t" : "");
        }
        onward_core__buf_reset(&text);
        FUZZ_CHECK(onward_core__base64_decode(
                       &text, onward_core__buf_str(&spread), false) == 0);
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&text),
                                       onward_core__buf_str(&octets)));
    } else {
        FUZZ_CHECK(octets.len == 0);
    }
    onward_core__buf_clear(&octets);
    onward_core__buf_clear(&text);
    onward_core__buf_clear(&spread);
}

static void check_date(struct onward_str in)
{
    struct onward_buf text;
    int64_t at, again;

    onward_core__buf_init(&text, fuzz_ctx(), 100);
    if (onward_core__parse_date_rfc5322(in, &at) == 0 &&
        at >= -INT64_C(62135596800) && at <= INT64_C(253402300799)) {
        onward_core__date_rfc5322(&text, at);
        FUZZ_CHECK(onward_core__parse_date_rfc5322(onward_core__buf_str(&text),
                                                   &again) == 0);
        FUZZ_CHECK(again == at);
    }
    onward_core__buf_clear(&text);
}

static void check_domain(struct onward_str in)
{
    struct onward_str ascii, again;
    struct onward_arena arena;

    onward_core__arena_init(&arena, fuzz_ctx(), 1 << 20);
    if (onward_core__domain_to_ascii(&arena, in, &ascii) == 0) {
        FUZZ_CHECK(onward_core__domain_is_dns_name(ascii, 1));
        FUZZ_CHECK(onward_core__domain_to_ascii(&arena, ascii, &again) == 0);
        FUZZ_CHECK(onward_core__str_eq(ascii, again));
    }
    onward_core__arena_clear(&arena);
}

static void check_ip(struct onward_str in)
{
    struct onward_ip ip, again;
    char text[ONWARD_IP_TEXT_MAX];
    int len;

    if (onward_ip_parse(in, &ip) != 0)
        return;
    len = onward_ip_format(&ip, text, sizeof(text));
    FUZZ_CHECK(len > 0);
    FUZZ_CHECK(onward_ip_parse(onward_core__str(text, (size_t)len), &again) ==
               0);
    FUZZ_CHECK(memcmp(&ip, &again, sizeof(ip)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str in = onward_core__str(data, size);

    check_base64(in);
    check_date(in);
    check_domain(in);
    check_ip(in);
    return 0;
}
