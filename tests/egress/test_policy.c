/*
 * What servers must prove: each policy with each state of DNS and each demand
 * of host and message (RFC 7672 section 2, RFC 8461 section 5, RFC 8689).
 */
#include "world.h"

#define MX                                                                     \
    "a.example MX 10 mx1.a.example\n"                                          \
    "a.example MX 20 mx2.a.example\n"
#define HOSTS                                                                  \
    "mx1.a.example A 192.0.2.1\n"                                              \
    "mx2.a.example A 192.0.2.2\n"
#define SIGNED_MX MX "a.example MX !SECURE\n"
#define SIGNED_HOSTS                                                           \
    HOSTS "mx1.a.example ANY !SECURE\n"                                        \
          "mx2.a.example ANY !SECURE\n"
#define TLSA(mx, rdata)                                                        \
    "_25._tcp." mx ".a.example TLSA " rdata "\n"                               \
    "_25._tcp." mx ".a.example ANY !SECURE\n"
#define GOOD(mx) TLSA(mx, "3 1 1 " D32)
#define BAD(mx) TLSA(mx, "3 1 1 00")
#define STS                                                                    \
    "_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"                              \
    "mta-sts.a.example A 192.0.2.80\n"
#define POLICY(mode, mx) "version: STSv1\nmode: " mode "\nmax_age: 86400\n" mx
#define BOTH_MX "mx: mx1.a.example\nmx: *.a.example\n"
#define ONE_MX "mx: mx2.a.example\n"

enum flags { REQUIRE = 1, BOUNCE = 2, OPTIONAL = 4, NO_DANE = 8, NO_STS = 16 };

static const struct row {
    const char *title;
    const char *zone;
    const char *policy;
    const char *want;     /* the servers */
    const char *attempts; /* no connection at any; NULL: as the servers say */
    int flags;
    int levels[2];
    size_t level;
} rows[] = {
    /* Nothing is published. */
    {.title = "no policy",
     .zone = MX HOSTS,
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)",
     .attempts = "mx1.a.example 192.0.2.1 opportunistic(default); "
                 "mx2.a.example 192.0.2.2 opportunistic(default); 451 4.4.1"},
    {.title = "signed, but no records",
     .zone = SIGNED_MX SIGNED_HOSTS,
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    /* DANE. */
    {.title = "records at both",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx1") GOOD("mx2"),
     .want = "mx1.a.example dane(dane); mx2.a.example dane(dane)",
     .attempts = "mx1.a.example 192.0.2.1 dane(dane); "
                 "mx2.a.example 192.0.2.2 dane(dane); 451 4.4.1"},
    {.title = "records at one",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx2"),
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example dane(dane)"},
    {.title = "A039 unusable records are TLS with any certificate",
     .zone = SIGNED_MX SIGNED_HOSTS BAD("mx1") GOOD("mx2"),
     .want = "mx1.a.example encrypted(dane-unusable); "
             "mx2.a.example dane(dane)",
     .attempts = "mx1.a.example 192.0.2.1 encrypted(dane-unusable); "
                 "mx2.a.example 192.0.2.2 dane(dane); 451 4.4.1"},
    {.title = "behind an MX that is not signed",
     .zone = MX SIGNED_HOSTS GOOD("mx1"),
     .want = "mx1.a.example dane(dane); "
             "mx2.a.example opportunistic(default)"},
    {.title = "A037 SERVFAIL for TLSA is that server alone",
     .zone = SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !SERVFAIL\n",
     .want = "mx1.a.example dane-failed; "
             "mx2.a.example opportunistic(default)",
     .attempts = "mx2.a.example 192.0.2.2 opportunistic(default); 451 4.4.1"},
    {.title = "A037 a time-out for TLSA",
     .zone = SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !TIMEOUT\n",
     .want = "mx1.a.example dane-failed; "
             "mx2.a.example opportunistic(default)"},
    {.title = "A037 a bogus answer for TLSA",
     .zone = SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !BOGUS\n",
     .want = "mx1.a.example dane-failed; "
             "mx2.a.example opportunistic(default)"},
    {.title = "A037 all servers fail: later",
     .zone = SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !SERVFAIL\n"
                                    "_25._tcp.mx2.a.example TLSA !BOGUS\n",
     .want = "mx1.a.example dane-failed; mx2.a.example dane-failed",
     .attempts = "451 4.7.5"},
    {.title = "a bogus address of one family",
     .zone = SIGNED_MX SIGNED_HOSTS "mx1.a.example AAAA !BOGUS\n",
     .want = "mx1.a.example dane-failed; "
             "mx2.a.example opportunistic(default)"},
    {.title = "A038 records that are not validated",
     .zone =
         SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA 3 1 1 " D32 "\n",
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "A038 records of a host that is not validated",
     .zone = SIGNED_MX HOSTS GOOD("mx1"),
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "DANE is not wanted",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD(
         "mx1") "_25._tcp.mx2.a.example TLSA !SERVFAIL\n",
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)",
     .flags = NO_DANE},
    /* MTA-STS. */
    {.title = "enforce",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", BOTH_MX),
     .want = "mx1.a.example verified(mtasts); mx2.a.example verified(mtasts)",
     .attempts = "mx1.a.example 192.0.2.1 verified(mtasts); "
                 "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.4.1"},
    {.title = "enforce, one server is not in the policy",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "mx1.a.example not-in-policy; mx2.a.example verified(mtasts)",
     .attempts = "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.4.1"},
    {.title = "A035 enforce, none is in the policy: later",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", "mx: mx9.a.example\n"),
     .want = "mx1.a.example not-in-policy; mx2.a.example not-in-policy",
     .attempts = "451 4.7.5"},
    {.title = "testing",
     .zone = MX HOSTS STS,
     .policy = POLICY("testing", ONE_MX),
     .want = "mx1.a.example opportunistic(mtasts-testing); "
             "mx2.a.example opportunistic(mtasts-testing)"},
    {.title = "mode none",
     .zone = MX HOSTS STS,
     .policy = POLICY("none", ONE_MX),
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "no policy can be fetched, and none is known",
     .zone = MX HOSTS STS,
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "the record cannot be looked up, and no policy is known",
     .zone = MX HOSTS "_mta-sts.a.example TXT !SERVFAIL\n",
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "MTA-STS is not wanted",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)",
     .flags = NO_STS},
    {.title = "the domain is its own server",
     .zone = "a.example A 192.0.2.1\n" STS,
     .policy = POLICY("enforce", "mx: a.example\n"),
     .want = "a.example verified(mtasts)"},
    {.title = "the domain is its own server, and not in its policy",
     .zone = "a.example A 192.0.2.1\n" STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "a.example not-in-policy"},
    {.title = "the domain is its own server, has records, is not in its policy",
     .zone = "a.example A 192.0.2.1\na.example A !SECURE\n"
             "_25._tcp.a.example TLSA 3 1 1 " D32
             "\n_25._tcp.a.example ANY !SECURE\n" STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "a.example not-in-policy"},
    {.title = "the domain is its own server, and both hold",
     .zone = "a.example A 192.0.2.1\na.example A !SECURE\n"
             "_25._tcp.a.example TLSA 3 1 1 " D32
             "\n_25._tcp.a.example ANY !SECURE\n" STS,
     .policy = POLICY("enforce", "mx: a.example\n"),
     .want = "a.example dane(dane-and-mtasts)"},
    {.title = "the domain is its own server by validated answers, has records",
     .zone = "a.example A 192.0.2.1\na.example ANY !SECURE\n"
             "_25._tcp.a.example TLSA 3 1 1 " D32
             "\n_25._tcp.a.example ANY !SECURE\n" STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "a.example dane(dane)"},
    /* Both. */
    {.title = "validated records stand for the policy",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx1") STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "mx1.a.example dane(dane); mx2.a.example verified(mtasts)"},
    {.title = "behind an MX that is not signed both hold",
     .zone = MX SIGNED_HOSTS GOOD("mx1") GOOD("mx2") STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "mx1.a.example not-in-policy; "
             "mx2.a.example dane(dane-and-mtasts)"},
    {.title = "unusable records leave it to the policy",
     .zone = SIGNED_MX SIGNED_HOSTS BAD("mx1") BAD("mx2") STS,
     .policy = POLICY("enforce", ONE_MX),
     .want = "mx1.a.example not-in-policy; mx2.a.example verified(mtasts)"},
    {.title = "A037 the policy does not help where DANE fails",
     .zone =
         SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !SERVFAIL\n" STS,
     .policy = POLICY("enforce", BOTH_MX),
     .want = "mx1.a.example dane-failed; mx2.a.example verified(mtasts)"},
    {.title = "a test and records",
     .zone = MX SIGNED_HOSTS GOOD("mx1") BAD("mx2") STS,
     .policy = POLICY("testing", BOTH_MX),
     .want = "mx1.a.example dane(dane); "
             "mx2.a.example encrypted(dane-unusable)"},
    /* The host's own rule. */
    {.title = "the host demands more",
     .zone = MX HOSTS STS,
     .policy = POLICY("testing", BOTH_MX),
     .levels = {ONWARD_TLS_ENCRYPTED, ONWARD_TLS_VERIFIED},
     .want = "mx1.a.example encrypted(host); mx2.a.example verified(host)"},
    {.title = "the host demands less",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx1") STS,
     .policy = POLICY("enforce", BOTH_MX),
     .levels = {ONWARD_TLS_NONE, ONWARD_TLS_NONE},
     .want = "mx1.a.example dane(dane); mx2.a.example verified(mtasts)"},
    {.title = "the host demands no TLS, and nobody else does",
     .zone = MX HOSTS,
     .levels = {ONWARD_TLS_NONE, 0},
     .want = "mx1.a.example none(host); "
             "mx2.a.example opportunistic(default)"},
    {.title = "the host puts one off",
     .zone = MX HOSTS,
     .levels = {-1, 0},
     .want = "mx1.a.example host-rule; "
             "mx2.a.example opportunistic(default)"},
    {.title = "the options' level",
     .zone = SIGNED_MX SIGNED_HOSTS BAD("mx1") GOOD("mx2"),
     .level = ONWARD_TLS_VERIFIED,
     .want = "mx1.a.example verified(default); mx2.a.example dane(dane)"},
    {.title = "DANE is mandatory",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx1"),
     .level = ONWARD_TLS_DANE,
     .want = "mx1.a.example dane(dane); mx2.a.example no-dane"},
    {.title = "DANE is mandatory, and the MX is not signed: later",
     .zone = MX SIGNED_HOSTS GOOD("mx1"),
     .level = ONWARD_TLS_DANE,
     .want = "mx1.a.example no-dane; mx2.a.example no-dane",
     .attempts = "451 4.7.5"},
    {.title = "DANE is mandatory at one",
     .zone = SIGNED_MX SIGNED_HOSTS BAD("mx1"),
     .levels = {ONWARD_TLS_DANE, 0},
     .want = "mx1.a.example no-dane; mx2.a.example opportunistic(default)"},
    /* REQUIRETLS. */
    {.title = "REQUIRETLS, the MX is signed",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx1") BAD("mx2"),
     .flags = REQUIRE,
     .want = "mx1.a.example dane(dane) requiretls; "
             "mx2.a.example verified(requiretls) requiretls"},
    {.title = "REQUIRETLS, a policy that is enforced",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", BOTH_MX),
     .flags = REQUIRE,
     .want = "mx1.a.example verified(mtasts) requiretls; "
             "mx2.a.example verified(mtasts) requiretls"},
    {.title = "REQUIRETLS, a policy that is a test",
     .zone = MX HOSTS STS,
     .policy = POLICY("testing", ONE_MX),
     .flags = REQUIRE,
     .want = "mx1.a.example name-unproven; "
             "mx2.a.example verified(requiretls) requiretls"},
    {.title = "REQUIRETLS, and nothing vouches for the MX: never",
     .zone = MX SIGNED_HOSTS GOOD("mx1"),
     .flags = REQUIRE,
     .want = "mx1.a.example name-unproven; mx2.a.example name-unproven",
     .attempts = "550 5.7.10"},
    {.title = "REQUIRETLS, and no server is in the policy: never",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", "mx: mx9.a.example\n"),
     .flags = REQUIRE,
     .want = "mx1.a.example not-in-policy; mx2.a.example not-in-policy",
     .attempts = "550 5.7.10"},
    {.title = "REQUIRETLS, and the policy cannot be fetched: later",
     .zone = MX HOSTS STS,
     .flags = REQUIRE,
     .want = "mx1.a.example name-unproven; mx2.a.example name-unproven",
     .attempts = "451 4.7.10"},
    {.title = "REQUIRETLS, and DANE fails: later",
     .zone = SIGNED_MX SIGNED_HOSTS "_25._tcp.mx1.a.example TLSA !SERVFAIL\n"
                                    "_25._tcp.mx2.a.example TLSA !SERVFAIL\n",
     .flags = REQUIRE,
     .want = "mx1.a.example dane-failed; mx2.a.example dane-failed",
     .attempts = "451 4.7.5"},
    {.title = "REQUIRETLS, a domain without MX",
     .zone = "a.example A 192.0.2.1\n",
     .flags = REQUIRE,
     .want = "a.example verified(requiretls) requiretls"},
    {.title = "REQUIRETLS, a domain that is an alias",
     .zone = "a.example CNAME b.example\nb.example A 192.0.2.1\n",
     .flags = REQUIRE,
     .want = "b.example name-unproven"},
    {.title = "REQUIRETLS, a domain that is a signed alias",
     .zone = "a.example CNAME b.example\nb.example A 192.0.2.1\n"
             "a.example ANY !SECURE\nb.example ANY !SECURE\n",
     .flags = REQUIRE,
     .want = "b.example verified(requiretls) requiretls"},
    {.title = "a bounce, and nothing vouches for the MX: without",
     .zone = MX HOSTS,
     .flags = REQUIRE | BOUNCE,
     .want = "mx1.a.example opportunistic(default); "
             "mx2.a.example opportunistic(default)"},
    {.title = "a bounce with a policy holds to it",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", ONE_MX),
     .flags = REQUIRE | BOUNCE,
     .want = "mx1.a.example not-in-policy; "
             "mx2.a.example verified(mtasts) requiretls"},
    /* TLS-Required: No. */
    {.title = "TLS-Required: No is as without policies",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD(
         "mx1") "_25._tcp.mx2.a.example TLSA !SERVFAIL\n" STS,
     .policy = POLICY("enforce", "mx: mx9.a.example\n"),
     .flags = OPTIONAL,
     .want = "mx1.a.example opportunistic(optional); "
             "mx2.a.example opportunistic(optional)"},
    {.title = "TLS-Required: No does not touch the host's rule",
     .zone = SIGNED_MX SIGNED_HOSTS GOOD("mx2"),
     .flags = OPTIONAL,
     .levels = {ONWARD_TLS_VERIFIED, ONWARD_TLS_DANE},
     .want = "mx1.a.example verified(host); mx2.a.example dane(dane)"},
    {.title = "the parameter beats the field",
     .zone = MX HOSTS STS,
     .policy = POLICY("enforce", BOTH_MX),
     .flags = OPTIONAL | REQUIRE,
     .want = "mx1.a.example verified(mtasts) requiretls; "
             "mx2.a.example verified(mtasts) requiretls"},
};

static void apply(struct t_egress *x, const struct row *row)
{
    x->policy = row->policy;
    x->opts.require_tls = (row->flags & REQUIRE) != 0;
    x->opts.is_bounce = (row->flags & BOUNCE) != 0;
    x->opts.tls_optional = (row->flags & OPTIONAL) != 0;
    x->opts.skip_dane = (row->flags & NO_DANE) != 0;
    if ((row->flags & NO_STS) != 0)
        x->opts.mtasts = NULL;
    x->opts.tls_level = row->level;
    memcpy(x->levels, row->levels, sizeof(x->levels));
}

static void test_row(void **state)
{
    const struct row *row = *state;
    static struct t_egress x;

    t_egress_init(&x, row->zone);
    apply(&x, row);
    t_egress_start(&x, "a.example");
    assert_string_equal(t_egress_servers(&x), row->want);
    if (row->attempts != NULL)
        assert_string_equal(t_egress_attempts(&x, NULL, 0), row->attempts);
    t_egress_clear(&x);
}

/* ---- Freed, and without memory ----------------------------------------- */

/* Each call of the host frees the plan in turn. */
static void test_freed_in_any_call(void **state)
{
    const struct row *row = *state;
    static struct t_egress x;
    int calls;

    t_egress_init(&x, row->zone);
    apply(&x, row);
    t_egress_start(&x, "a.example");
    (void)t_egress_attempts(&x, NULL, 0);
    calls = x.calls;
    t_egress_clear(&x);
    assert_in_range(calls, 1, 40);
    for (int i = 1; i <= calls; i++) {
        struct onward_egress_attempt a = {.size = sizeof(a)};
        struct onward_egress_outcome o = {.size = sizeof(o),
                                          .fate = ONWARD_EGRESS_TEMPORARY,
                                          .phase = ONWARD_SMTP_PHASE_MAIL};

        t_egress_init(&x, row->zone);
        apply(&x, row);
        x.free_at = i;
        t_egress_new(&x, "a.example");
        t_egress_run(&x);
        while (x.plan != NULL && onward_egress_next(x.plan, &a) == 1) {
            int ret = onward_egress_report(x.plan, &o);

            assert_true(x.plan == NULL ? ret == ONWARD_ECANCELED : ret >= 0);
        }
        t_egress_clear(&x);
    }
}

static bool plan_it(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    static struct t_egress x;
    bool ok;

    memset(&x, 0, sizeof(x));
    x.w = *w;
    ok = t_egress_try(&x, row->zone);
    if (ok) {
        apply(&x, row);
        x.opts.domain = ONWARD_STR("a.example");
        ok = onward_egress_new(x.resolver, &x.opts, &x.host, &x.plan) == 0;
    }
    if (ok) {
        t_egress_run(&x);
        assert_int_equal(x.done_count, 1);
        ok = strcmp(t_egress_servers(&x), row->want) == 0;
        /* Whatever is missing, nothing is demanded less of a server that is
         * used, and nothing is refused for good. */
        if (!ok) {
            const char *text = x.text;

            assert_null(strstr(text, "opportunistic"));
            assert_null(strstr(text, "none("));
            assert_non_null(strstr(t_egress_attempts(&x, NULL, 0), "451 4."));
        }
    }
    t_egress_end(&x);
    return ok;
}

static void test_oom(void **state)
{
    t_oom_sweep(plan_it, *state);
}

static const struct row *row_named(const char *title)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].title, title) == 0)
            return &rows[i];
    }
    return NULL;
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    struct CMUnitTest tests[2 * COUNT(rows) + 1];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++) {
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
        tests[n++] = (struct CMUnitTest){.name = "freed in any call",
                                         .test_func = test_freed_in_any_call,
                                         .initial_state = (void *)&rows[i]};
    }
    tests[n++] =
        (struct CMUnitTest){.name = "without memory",
                            .test_func = test_oom,
                            .initial_state = (void *)(uintptr_t)row_named(
                                "behind an MX that is not signed both hold")};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
