/*
 * A plan over a zone that may hold anything: the first octet chooses options,
 * the first line is the domain, the rest its records, as dig prints them. The
 * zone's last octets say how the attempts go. Only public addresses are tried,
 * never our own, not more than are allowed, and the plan always has a result.
 * What an enforced policy or TLSA records demand is demanded at each attempt,
 * and nothing but opportunism ends in the clear.
 */
#include "fuzz.h"

#include <onward/dane.h>
#include <onward/egress.h>
#include <onward/mtasts.h>

#include "core/core_shared.h"

enum { ATTEMPTS = 6 };

/* Of the first octet. */
enum {
    CHOOSY = 1,
    REQUIRE_TLS = 2,
    BOUNCE = 4,
    TLS_OPTIONAL = 8,
    POLICY = 16,
    TESTING = 32,
    NO_DANE = 64
};

static const char enforce[] = "version: STSv1\nmode: enforce\nmx: *.x.example\n"
                              "mx: x.example\nmax_age: 86400\n";
static const char testing[] = "version: STSv1\nmode: testing\nmx: *.x.example\n"
                              "max_age: 86400\n";

struct world {
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_mtasts *mtasts;
    uint8_t flags;
    int ended;
};

static void done(void *user, struct onward_egress *plan)
{
    (void)plan;
    ((struct world *)user)->ended++;
}

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    const struct world *w = user;
    struct onward_mtasts_reply reply = {
        .size = sizeof(reply),
        .status = 200,
        .content_type = ONWARD_STR("text/plain"),
        .body = onward_str_of((w->flags & TESTING) != 0 ? testing : enforce)};

    for (size_t i = 0; i < request->ip_count; i++)
        FUZZ_CHECK(onward_ip_is_public(&request->ips[i]) == 1);
    return onward_mtasts_answer_reply(w->desk, token, &reply);
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

/* Is no less demanded than what is known of the server? */
static void check_demand(const struct onward_egress *plan,
                         const struct onward_egress_attempt *a, uint8_t flags)
{
    struct onward_egress_server_facts f = {.size = sizeof(f)};
    bool ignores = (flags & (TLS_OPTIONAL | REQUIRE_TLS)) == TLS_OPTIONAL;

    FUZZ_CHECK(onward_egress_server_at(plan, a->server, &f) == 0);
    FUZZ_CHECK(f.use == ONWARD_EGRESS_USE_YES);
    FUZZ_CHECK(a->require_tls == 0 || a->tls->level >= ONWARD_TLS_VERIFIED);
    FUZZ_CHECK((flags & (REQUIRE_TLS | BOUNCE)) != REQUIRE_TLS ||
               a->require_tls == 1);
    FUZZ_CHECK(a->tls->pkix_name_count == 0 ||
               a->tls->level == ONWARD_TLS_DANE);
    if (ignores)
        return;
    FUZZ_CHECK(f.dane_result != ONWARD_DANE_RESULT_FAILED);
    if (f.dane_result == ONWARD_DANE_RESULT_USABLE)
        FUZZ_CHECK(a->tls->level == ONWARD_TLS_DANE &&
                   a->tls->tlsa_count == f.tlsa_count);
    if (f.dane_result == ONWARD_DANE_RESULT_UNUSABLE)
        FUZZ_CHECK(a->tls->level >= ONWARD_TLS_ENCRYPTED);
    if (f.policy_mode != ONWARD_MTASTS_MODE_ENFORCE)
        return;
    FUZZ_CHECK(a->tls->level >= ONWARD_TLS_VERIFIED);
    FUZZ_CHECK(f.is_in_policy != 0 || f.is_mx_secure != 0);
    /* Not by records alone where anybody could have named the server. */
    FUZZ_CHECK(f.is_mx == 0 || f.is_mx_secure != 0 ||
               a->tls->level != ONWARD_TLS_DANE ||
               a->tls->pkix_name_count == 1);
}

/* One attempt, reported as the octet says. */
static void try_it(struct onward_egress *plan,
                   const struct onward_egress_attempt *a, uint8_t how,
                   uint8_t flags)
{
    bool is_choosy = (flags & CHOOSY) != 0;
    struct onward_egress_outcome o = {.size = sizeof(o),
                                      .fate = ONWARD_EGRESS_TEMPORARY};
    struct onward_ip own;
    char text[ONWARD_IP_TEXT_MAX];

    FUZZ_CHECK(onward_ip_is_public(a->ip) == 1);
    FUZZ_CHECK(onward_ip_parse(ONWARD_STR("203.1.112.25"), &own) == 0);
    FUZZ_CHECK(onward_ip_format(a->ip, text, sizeof(text)) > 0);
    FUZZ_CHECK(a->ip->family == 6 || memcmp(a->ip->octets, own.octets, 4) != 0);
    FUZZ_CHECK(a->host.len != 0 && a->tls->name_count >= 1);
    FUZZ_CHECK(a->tls->names[0].len != 0);
    if (is_choosy) {
        FUZZ_CHECK(a->host.data[0] != 'x');
        FUZZ_CHECK(a->host.data[0] != 'v' ||
                   a->tls->level >= ONWARD_TLS_VERIFIED);
    }
    check_demand(plan, a, flags);
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
        /* Each address under TLS, and once more without; a bounce with
         * REQUIRETLS and without. */
        FUZZ_CHECK(++tried <= (size_t)3 * ATTEMPTS);
        try_it(plan, &a, size < tried ? 3 : data[size - tried], data[0]);
    }
}

static void tls_result(void *user, const char *domain, size_t len,
                       const struct onward_tlsrpt_session *session)
{
    (void)user;
    FUZZ_CHECK(domain != NULL && len != 0 && session != NULL);
}

static void open_world(struct world *w)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_mtasts_host host = {
        .size = sizeof(host), .user = w, .connect = on_connect};
    struct onward_mtasts_opts mo = {.size = sizeof(mo)};

    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &w->desk) == 0);
    FUZZ_CHECK(onward_resolver_new(w->desk, &ro, NULL, &w->resolver) == 0);
    if ((w->flags & POLICY) == 0)
        return;
    FUZZ_CHECK(onward_memstore_new(fuzz_ctx(), NULL, &w->mem) == 0);
    FUZZ_CHECK(onward_memstore_open(w->mem, w->desk, NULL, &w->store) == 0);
    mo.resolver = w->resolver;
    mo.store = w->store;
    FUZZ_CHECK(onward_mtasts_new(&mo, &host, &w->mtasts) == 0);
}

static void close_world(struct world *w)
{
    onward_mtasts_free(w->mtasts);
    onward_store_free(w->store);
    onward_memstore_free(w->mem);
    onward_resolver_free(w->resolver);
    onward_desk_free(w->desk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct onward_str own[] = {ONWARD_STR("mx.ours.example"),
                                     ONWARD_STR("[203.1.112.25]")};
    struct world w = {.flags = 0};
    struct onward_egress_host host = {.size = sizeof(host),
                                      .user = &w,
                                      .done = done,
                                      .tls_result = tls_result};
    struct onward_egress_opts o = {.size = sizeof(o),
                                   .own_names = own,
                                   .own_name_count = 2,
                                   .max_hosts = 5,
                                   .max_attempts = ATTEMPTS};
    struct onward_str rest = onward_core__str(data + 1, size - 1);
    struct onward_egress *plan = NULL;
    size_t end;

    if (size == 0 || size > 16384)
        return 0;
    end = onward_core__str_find(rest, '\n');
    o.domain = onward_core__sub(rest, 0, end);
    rest = onward_core__sub(rest, end + 1, rest.len);
    w.flags = data[0];
    if ((w.flags & CHOOSY) != 0)
        host.tls_level = tls_level;
    open_world(&w);
    o.mtasts = w.mtasts;
    o.require_tls = (w.flags & REQUIRE_TLS) != 0;
    o.is_bounce = (w.flags & BOUNCE) != 0;
    o.tls_optional = (w.flags & TLS_OPTIONAL) != 0;
    o.skip_dane = (w.flags & NO_DANE) != 0;
    if (onward_resolver_load(w.resolver, rest, NULL) == 0) {
        FUZZ_CHECK(onward_egress_new(w.resolver, &o, &host, &plan) == 0);
        while (onward_desk_run(w.desk, 0) == 1)
            continue;
        FUZZ_CHECK(w.ended == 1);
        try_all(plan, data, size);
        check_result(plan);
    }
    onward_egress_free(plan);
    close_world(&w);
    return 0;
}
