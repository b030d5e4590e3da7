/*
 * Lines of a filter's smtpd, whose last parts are of a client's making: what is
 * read stands in the line, in its order; what a client calls itself or where it
 * comes from makes no result of its own.
 */
#include "fuzz.h"

#include "line.h"

static bool is_inside(struct onward_str part, const char *data, size_t size)
{
    return part.len == 0 || (part.data >= data && part.len <= size &&
                             (size_t)(part.data - data) <= size - part.len);
}

static void check_auth(struct onward_str rest)
{
    struct onward_str field, name = rest;

    if (line_is_authenticated(rest, 6))
        FUZZ_CHECK(rest.len > 5 &&
                   memcmp(rest.data + rest.len - 5, "|pass", 5) == 0);
    if (line_is_authenticated(rest, 7)) {
        FUZZ_CHECK(line_next(&name, &field) && line_is(field, "pass"));
        FUZZ_CHECK(memchr(name.data, '|', name.len) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct onward_str all = {text, size}, rest = all, field;
    struct onward_ip ip;
    struct line line;
    size_t total = 0;
    bool is_local, more = true;

    line_read(all, &line);
    FUZZ_CHECK(is_inside(line.name, text, size));
    FUZZ_CHECK(is_inside(line.rest, text, size));
    if (line.kind == LINE_REPORT || line.kind == LINE_FILTER)
        FUZZ_CHECK(line.minor >= 6 && line.rest.len < size);
    check_auth(line.kind == LINE_REPORT ? line.rest : all);
    line_address(all, &ip, &is_local);
    FUZZ_CHECK(ip.family == 0 || ip.family == 4 || ip.family == 6);
    FUZZ_CHECK(!is_local || ip.family == 0);
    while (more) {
        more = line_next(&rest, &field);
        total += field.len + more;
        FUZZ_CHECK(is_inside(field, text, size));
    }
    FUZZ_CHECK(total == size && rest.len == 0);
    return 0;
}
