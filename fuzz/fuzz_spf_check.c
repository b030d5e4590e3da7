/*
 * SPF over records of any octets, with the DNS answers first come first, and
 * last come first: the verdict is the same, no eleventh term is counted, and
 * every check ends. The input's lines are the records of three domains; other
 * questions are answered by what their names look like.
 */
#include <stdio.h>

#include <onward/spf.h>

#include "fuzz.h"

enum { QUESTIONS_MAX = 256 };

struct world {
    struct onward_desk *desk;
    struct onward_str records[3];
    size_t count;
    struct question {
        uint64_t token;
        uint32_t type;
        char name[256];
        size_t name_len;
    } questions[QUESTIONS_MAX];
};

static int hold(void *user, uint64_t token, const char *name, size_t name_len,
                uint32_t type)
{
    struct world *x = user;
    struct question *q = &x->questions[x->count];

    if (x->count == QUESTIONS_MAX || name_len >= sizeof(q->name))
        return -1;
    q->token = token;
    q->type = type;
    q->name_len = name_len;
    memcpy(q->name, name, name_len);
    x->count++;
    return 0;
}

static void forget(void *user, uint64_t token)
{
    struct world *x = user;

    for (size_t i = 0; i < x->count; i++) {
        if (x->questions[i].token == token)
            x->questions[i] = x->questions[--x->count];
    }
}

/* "name TXT "..."", in strings of 100 octets, all of them escaped. */
static size_t txt_line(char *out, const struct question *q,
                       struct onward_str record)
{
    size_t len = (size_t)sprintf(out, "%.*s TXT \"", (int)q->name_len, q->name);

    for (size_t i = 0; i < record.len; i++) {
        if (i != 0 && i % 100 == 0)
            len += (size_t)sprintf(out + len, "\" \"");
        len +=
            (size_t)sprintf(out + len, "\\%03d", (unsigned char)record.data[i]);
    }
    return len + (size_t)sprintf(out + len, "\"\n");
}

static void answer(struct world *x, struct question q)
{
    static char text[16384];
    unsigned sum = q.type;
    size_t len = 0;

    for (size_t i = 0; i < q.name_len; i++)
        sum = sum * 31 + (unsigned char)q.name[i];
    q.name[q.name_len] = '\0';
    if (q.type == ONWARD_DNS_TXT) {
        size_t i = q.name[0] == 'e' ? 0 : q.name[0] == 'i' ? 1 : 2;

        len = txt_line(text, &q, x->records[i]);
    } else if (sum % 7 == 0) {
        onward_dns_answer_error(x->desk, q.token, ONWARD_DNS_SERVFAIL);
        return;
    } else if (sum % 7 == 1) {
        onward_dns_answer_error(x->desk, q.token, ONWARD_DNS_NXDOMAIN);
        return;
    } else if (q.type == ONWARD_DNS_MX || q.type == ONWARD_DNS_PTR) {
        const char *kind = q.type == ONWARD_DNS_MX ? "MX 10" : "PTR";

        for (unsigned i = 0; i < sum % 13; i++)
            len += (size_t)sprintf(text + len, "%s %s h%u.example\n", q.name,
                                   kind, sum % 5 + i);
    } else if (q.type == ONWARD_DNS_A) {
        len = (size_t)sprintf(text, "%s A 192.0.2.%u\n", q.name, sum % 11);
    }
    if (onward_dns_answer_text(x->desk, q.token, (struct onward_str){text, len},
                               0) != 0)
        onward_dns_answer_error(x->desk, q.token, ONWARD_DNS_SERVFAIL);
}

struct outcome {
    int result, reason;
    size_t lookups, void_lookups, mechanism_len;
};

static struct outcome check(const struct onward_str *records, int last_first)
{
    static struct world x;
    const struct onward_resolver_host host = {
        .size = sizeof(host), .user = &x, .query = hold, .cancel = forget};
    const struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 9}};
    const struct onward_spf_opts o = {.size = sizeof(o),
                                      .client_ip = &ip,
                                      .mail_from = ONWARD_STR("u@e.example"),
                                      .helo = ONWARD_STR("h.example")};
    struct onward_resolver *resolver = NULL;
    struct onward_spf_check *c = NULL;
    struct outcome out = {0};

    memset(&x, 0, sizeof(x));
    memcpy(x.records, records, sizeof(x.records));
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &x.desk) == 0);
    FUZZ_CHECK(onward_resolver_new(x.desk, NULL, &host, &resolver) == 0);
    FUZZ_CHECK(onward_spf_check_new(resolver, &o, NULL, &c) == 0);
    while (onward_spf_check_result(c) == ONWARD_SPF_PENDING) {
        struct question q;

        while (onward_desk_run(x.desk, 0) == 1)
            continue;
        if (onward_spf_check_result(c) != ONWARD_SPF_PENDING)
            break;
        FUZZ_CHECK(x.count != 0);
        q = x.questions[last_first ? x.count - 1 : 0];
        x.count--;
        if (!last_first)
            memmove(x.questions, x.questions + 1,
                    x.count * sizeof(x.questions[0]));
        answer(&x, q);
    }
    out = (struct outcome){
        onward_spf_check_result(c), onward_spf_check_reason(c),
        onward_spf_check_lookups(c), onward_spf_check_void_lookups(c),
        onward_spf_check_mechanism(c).len};
    FUZZ_CHECK(out.lookups <= 10 && out.void_lookups <= 3);
    FUZZ_CHECK(onward_spf_check_step_count(c) <= 200);
    onward_spf_check_free(c);
    onward_resolver_free(resolver);
    onward_desk_free(x.desk);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str records[3] = {{0}};
    struct outcome first, last;
    const char *text = (const char *)data;
    size_t at = 0;

    if (size > 2000)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        size_t end = at;

        while (end < size && text[end] != '\n')
            end++;
        records[i] = (struct onward_str){text + at, end - at};
        at = end < size ? end + 1 : size;
    }
    first = check(records, 0);
    last = check(records, 1);
    FUZZ_CHECK(first.result == last.result && first.reason == last.reason);
    FUZZ_CHECK(first.lookups == last.lookups &&
               first.void_lookups == last.void_lookups &&
               first.mechanism_len == last.mechanism_len);
    return 0;
}
