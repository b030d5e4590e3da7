/*
 * One TLSA record: taken apart, or made for a certificate.
 */
#include "dane/dane_priv.h"

_Static_assert(
    (int)ONWARD_DANE_PROBLEM_NONE == (int)ONWARD_TLS__TLSA_OK &&
        (int)ONWARD_DANE_PROBLEM_SHORT == (int)ONWARD_TLS__TLSA_SHORT &&
        (int)ONWARD_DANE_PROBLEM_USAGE == (int)ONWARD_TLS__TLSA_USAGE &&
        (int)ONWARD_DANE_PROBLEM_SELECTOR == (int)ONWARD_TLS__TLSA_SELECTOR &&
        (int)ONWARD_DANE_PROBLEM_MATCHING == (int)ONWARD_TLS__TLSA_MATCHING &&
        (int)ONWARD_DANE_PROBLEM_LENGTH == (int)ONWARD_TLS__TLSA_LENGTH &&
        (int)ONWARD_DANE_PROBLEM_DATA == (int)ONWARD_TLS__TLSA_DATA,
    "the public problem is the inner fault");
_Static_assert(offsetof(struct onward_dane_record, problem) + sizeof(size_t) ==
                   sizeof(struct onward_dane_record),
               "no tail padding");

enum { CERT_MAX = 65536 };

int onward_dane_record_parse(struct onward_str rdata,
                             struct onward_dane_record *record)
{
    struct onward_dane_record out = {.size = sizeof(out)};
    struct onward_tls__tlsa t;
    int err;

    if (record == NULL)
        return ONWARD_EINVAL;
    out.problem = (size_t)onward_tls__tlsa_read(rdata, &t);
    out.usage = t.usage;
    out.selector = t.selector;
    out.matching = t.matching;
    out.data = t.data;
    err = onward_core__out_store(record, &out, sizeof(out));
    if (err < 0)
        return err;
    return out.problem == ONWARD_DANE_PROBLEM_NONE ? 1 : 0;
}

/* "3 1 1 " and the octets in hex. */
static int put(size_t usage, size_t selector, size_t matching,
               struct onward_str data, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    const char head[] = {(char)('0' + usage),    ' ',
                         (char)('0' + selector), ' ',
                         (char)('0' + matching), ' '};
    size_t len = sizeof(head);

    /* data is CERT_MAX octets at most. */
    if (cap <= sizeof(head) + 2 * data.len)
        return ONWARD_ELIMIT;
    memcpy(out, head, sizeof(head));
    for (size_t i = 0; i < data.len; i++) {
        unsigned char c = (unsigned char)data.data[i];

        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    out[len] = '\0';
    return (int)len;
}

int onward_dane_record_write(struct onward_ctx *ctx, size_t usage,
                             size_t selector, size_t matching,
                             struct onward_str cert, char *out, size_t cap)
{
    unsigned char digest[ONWARD_TLS__SHA512_LEN];
    struct onward_str data;
    struct onward_buf der;
    int ret;

    if (ctx == NULL || out == NULL || usage < ONWARD_TLS__TLSA_TA ||
        usage > ONWARD_TLS__TLSA_EE || selector > ONWARD_TLS__TLSA_SPKI ||
        matching > ONWARD_TLS__TLSA_SHA512)
        return ONWARD_EINVAL;
    onward_core__buf_init(&der, ctx, CERT_MAX);
    ret = onward_tls__cert_read(cert, &der);
    data = onward_core__buf_str(&der);
    if (ret == 0 && selector == ONWARD_TLS__TLSA_SPKI) {
        data = onward_tls__spki(data);
        ret = data.len > 0 ? 0 : ONWARD_ESYNTAX;
    }
    if (ret == 0 && matching != ONWARD_TLS__TLSA_FULL) {
        data = onward_core__str(
            digest, onward_tls__tlsa_digest(data, (unsigned)matching, digest));
        ret = data.len > 0 ? 0 : ONWARD_ECRYPTO;
    }
    if (ret == 0)
        ret = put(usage, selector, matching, data, out, cap);
    onward_core__buf_clear(&der);
    return ret;
}

const char *onward_dane_problem_name(int problem)
{
    static const char *const names[] = {
        [ONWARD_DANE_PROBLEM_NONE] = "none",
        [ONWARD_DANE_PROBLEM_SHORT] = "short",
        [ONWARD_DANE_PROBLEM_USAGE] = "usage",
        [ONWARD_DANE_PROBLEM_SELECTOR] = "selector",
        [ONWARD_DANE_PROBLEM_MATCHING] = "matching",
        [ONWARD_DANE_PROBLEM_LENGTH] = "length",
        [ONWARD_DANE_PROBLEM_DATA] = "data",
    };

    if (problem < 0 || (size_t)problem >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[problem];
}
