/*
 * A reply to a question for q.example, whose type is the first octet: the
 * packet is read or refused, and names it gave as text read back as themselves.
 */
#include "fuzz.h"

#include "dns/dns_priv.h"

static void check_name(struct onward_str text)
{
    char again[ONWARD_DNS_NAME_TEXT_MAX];
    struct onward_dns__name name;

    if (text.len == 0) /* the root */
        return;
    FUZZ_CHECK(onward_dns__name_from_text(text, &name));
    FUZZ_CHECK(onward_core__str_eq(
        text, onward_core__str(again, onward_dns__name_to_text(
                                          name.octets, name.len, again))));
}

static void check_answer(const struct onward_dns__answer *answer,
                         uint16_t type)
{
    check_name(answer->canonical);
    for (size_t i = 0; i < answer->count; i++) {
        struct onward_str data = answer->records[i].data;

        switch (type) {
        case ONWARD_DNS_A:
            FUZZ_CHECK(data.len == 4);
            break;
        case ONWARD_DNS_AAAA:
            FUZZ_CHECK(data.len == 16);
            break;
        case ONWARD_DNS_MX:
        case ONWARD_DNS_NS:
        case ONWARD_DNS_PTR:
        case ONWARD_DNS_CNAME:
            check_name(data);
            break;
        default:
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_dns__answer *answer;
    struct onward_dns__found found = {.hops = 0};
    struct onward_dns__builder b;
    struct onward_dns__name name;
    uint16_t type;
    int r;

    if (size == 0)
        return 0;
    type = data[0];
    FUZZ_CHECK(onward_dns__name_from_text(ONWARD_STR("q.example"), &name));
    onward_dns__builder_init(&b, fuzz_ctx());
    r = onward_dns__read_wire(data + 1, size - 1, &name, type, &b, &found);
    FUZZ_CHECK(r == 0 || r == ONWARD_ESYNTAX || r == ONWARD_ELIMIT);
    if (r == 0) {
        FUZZ_CHECK(found.hops <= ONWARD_DNS_CNAME_MAX);
        answer = onward_dns__builder_finish(&b, &found, found.hops != 0);
        FUZZ_CHECK(answer != NULL);
        check_answer(answer, type);
        onward_dns__answer_unref(answer);
    }
    onward_dns__builder_clear(&b);
    return 0;
}
