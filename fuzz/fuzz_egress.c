/*
 * A plan over a zone that may hold anything: the first octet chooses options,
 * the first line is the domain, the rest its records, as dig prints them. The
 * zone's last octets say how the attempts go. Only public addresses are tried,
 * never our own, not more than are allowed, and the plan always has a result.
 */
#include "fuzz.h"

#include <onward/egress.h>

#include "core/core_shared.h"

enum { ATTEMPTS = 6 };

static void done(void *user, struct onward_egress *plan)
{
    (void)plan;
    ++*(int *)user;
}

static int tls_level(void *user, const char *host, size_t len)
{
    (void)user;
    FUZZ_CHECK(len != 0);
    /* Some may not be used, some must be verified. */
    return host[0] == 'x' ? -1 : host[0] == 'v' ? ONWARD_TLS_VERIFIED : 0;
}

static void check_result(const struct onward_egress *plan)
{
    struct onward_egress_verdict v = {.size = sizeof(v)};

    FUZZ_CHECK(onward_egress_result(plan, &v) == 0);
    FUZZ_CHECK(v.fate != ONWARD_EGRESS_PENDING);
    FUZZ_CHECK(v.code / 100 == (v.fate == ONWARD_EGRESS_DELIVERED   ? 2u
                                : v.fate == ONWARD_EGRESS_TEMPORARY ? 4u
                                                                    : 5u));
    FUZZ_CHECK(v.enhanced.len >= 5 &&
               (size_t)(v.enhanced.data[0] - '0') == v.code / 100);
    for (size_t i = 0; i < v.text.len; i++)
        FUZZ_CHECK(v.text.data[i] >= ' ' && v.text.data[i] < 0x7f);
}

/* One attempt, reported as the octet says. */
static void try_it(struct onward_egress *plan,
                   const struct onward_egress_attempt *a, uint8_t how,
                   bool is_choosy)
{
    struct onward_egress_outcome o = {.size = sizeof(o),
                                      .fate = ONWARD_EGRESS_TEMPORARY};
    struct onward_ip own;
    char text[ONWARD_IP_TEXT_MAX];

    FUZZ_CHECK(onward_ip_is_public(a->ip) == 1);
    FUZZ_CHECK(onward_ip_parse(ONWARD_STR("203.1.112.25"), &own) == 0);
    FUZZ_CHECK(onward_ip_format(a->ip, text, sizeof(text)) > 0);
    FUZZ_CHECK(a->ip->family == 6 || memcmp(a->ip->octets, own.octets, 4) != 0);
    FUZZ_CHECK(a->host.len != 0 && a->tls->name_count == 1);
    FUZZ_CHECK(a->tls->names[0].len != 0);
    if (is_choosy) {
        FUZZ_CHECK(a->host.data[0] != 'x');
        FUZZ_CHECK(a->host.data[0] != 'v' ||
                   a->tls->level == ONWARD_TLS_VERIFIED);
    }
    o.code = how % 7 == 0 ? 250 : how % 7 == 1 ? 550 : how % 7 == 2 ? 451 : 0;
    o.tls_failure = how % 7 == 3 ? ONWARD_TLS_UNTRUSTED : 0;
    if (how % 7 < 2)
        o.fate =
            how % 7 == 0 ? ONWARD_EGRESS_DELIVERED : ONWARD_EGRESS_PERMANENT;
    o.text = onward_core__str(&how, 1);
    FUZZ_CHECK(onward_egress_report(plan, &o) >= 0);
}

static void try_all(struct onward_egress *plan, const uint8_t *data,
                    size_t size)
{
    size_t tried = 0;

    for (;;) {
        struct onward_egress_attempt a = {.size = sizeof(a)};
        int ret = onward_egress_next(plan, &a);

        FUZZ_CHECK(ret == 0 || ret == 1);
        if (ret == 0)
            return;
        /* Each address under TLS, and once more without. */
        FUZZ_CHECK(++tried <= (size_t)2 * ATTEMPTS);
        try_it(plan, &a, size < tried ? 3 : data[size - tried],
               (data[0] & 1) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_str own[] = {ONWARD_STR("mx.ours.example"),
                                     ONWARD_STR("[203.1.112.25]")};
    int ended = 0;
    struct onward_egress_host host = {
        .size = sizeof(host), .user = &ended, .done = done};
    struct onward_egress_opts o = {.size = sizeof(o),
                                   .own_names = own,
                                   .own_name_count = 2,
                                   .max_hosts = 5,
                                   .max_attempts = ATTEMPTS};
    struct onward_str rest = onward_core__str(data + 1, size - 1);
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_egress *plan = NULL;
    size_t end;

    if (size == 0 || size > 16384)
        return 0;
    end = onward_core__str_find(rest, '\n');
    o.domain = onward_core__sub(rest, 0, end);
    rest = onward_core__sub(rest, end + 1, rest.len);
    if ((data[0] & 1) != 0)
        host.tls_level = tls_level;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &desk) == 0);
    FUZZ_CHECK(onward_resolver_new(desk, &ro, NULL, &resolver) == 0);
    if (onward_resolver_load(resolver, rest, NULL) == 0 && o.domain.len != 0) {
        FUZZ_CHECK(onward_egress_new(resolver, &o, &host, &plan) == 0);
        while (onward_desk_run(desk, 0) == 1)
            continue;
        FUZZ_CHECK(ended == 1);
        try_all(plan, data, size);
        check_result(plan);
    }
    onward_egress_free(plan);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    return 0;
}
