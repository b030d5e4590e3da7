/*
 * Lines of records: what is read and written out in the generic form (RFC 3597)
 * reads as the same record; what is refused says why.
 */
#include "fuzz.h"

#include "dns/dns_priv.h"

static void write_generic(struct onward_buf *out,
                          const struct onward_dns__line *line)
{
    static const char digits[] = "0123456789abcdef";
    char name[ONWARD_DNS_NAME_TEXT_MAX];
    size_t len = onward_dns__name_to_text(line->owner.octets, line->owner.len,
                                          name);

    onward_core__buf_add(out, name, len);
    onward_core__buf_add_text(out, ". ");
    onward_core__buf_add_u64(out, line->ttl_s);
    onward_core__buf_add_text(out, " IN TYPE");
    onward_core__buf_add_u64(out, line->type);
    onward_core__buf_add_text(out, " \\# ");
    onward_core__buf_add_u64(out, line->rdata.len);
    onward_core__buf_add_byte(out, ' ');
    for (size_t i = 0; i < line->rdata.len; i++) {
        onward_core__buf_add_byte(
            out, (unsigned char)digits[line->rdata.data[i] >> 4]);
        onward_core__buf_add_byte(
            out, (unsigned char)digits[line->rdata.data[i] & 15]);
    }
    FUZZ_CHECK(out->err == 0);
}

static void check_again(const struct onward_dns__line *line)
{
    struct onward_dns__line again;
    struct onward_buf text;

    onward_core__buf_init(&text, fuzz_ctx(), ONWARD_LIMIT_NONE);
    write_generic(&text, line);
    onward_dns__line_init(&again, fuzz_ctx());
    FUZZ_CHECK(onward_dns__line_parse(&again, onward_core__buf_str(&text)) ==
               1);
    FUZZ_CHECK(again.type == line->type && again.ttl_s == line->ttl_s);
    FUZZ_CHECK(onward_dns__name_eq(&again.owner, &line->owner));
    FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&again.rdata),
                                   onward_core__buf_str(&line->rdata)));
    onward_dns__line_clear(&again);
    onward_core__buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str text = onward_core__str(data, size);
    struct onward_dns__line line;
    struct onward_str one;

    onward_dns__line_init(&line, fuzz_ctx());
    while (onward_dns__line_next(&text, &one)) {
        int r = onward_dns__line_parse(&line, one);

        if (r == 1 && line.mark == ONWARD_DNS__MARK_NONE)
            check_again(&line);
        if (r == ONWARD_ESYNTAX || r == ONWARD_ENOENT)
            FUZZ_CHECK(line.fault[0] != '\0');
        else
            FUZZ_CHECK(r == 0 || r == 1);
    }
    onward_dns__line_clear(&line);
    return 0;
}
