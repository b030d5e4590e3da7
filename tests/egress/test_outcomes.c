/*
 * What outcomes lead to where TLS is demanded (A027, A030, A031, A035), and
 * what reports on TLS hear of it (RFC 8460 section 4.3).
 */
#include "world.h"

#define MX                                                                     \
    "a.example MX 10 mx1.a.example\n"                                          \
    "a.example MX 20 mx2.a.example\n"                                          \
    "mx1.a.example A 192.0.2.1\n"                                              \
    "mx2.a.example A 192.0.2.2\n"
#define SIGNED                                                                 \
    MX "a.example MX !SECURE\n"                                                \
       "mx1.a.example ANY !SECURE\n"                                           \
       "mx2.a.example ANY !SECURE\n"
#define TLSA(mx, rdata)                                                        \
    "_25._tcp." mx ".a.example TLSA " rdata "\n"                               \
    "_25._tcp." mx ".a.example ANY !SECURE\n"
#define STS                                                                    \
    "_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"                              \
    "mta-sts.a.example A 192.0.2.80\n"
#define POLICY(mode, mx) "version: STSv1\nmode: " mode "\nmax_age: 86400\n" mx
#define BOTH_MX "mx: mx1.a.example\nmx: *.a.example\n"
#define ONE_MX "mx: mx2.a.example\n"

static const struct onward_tls_facts good = {.size = sizeof(good),
                                             .is_verified = 1};
static const struct onward_tls_facts self_signed = {
    .size = sizeof(self_signed), .cert_failure = ONWARD_TLS_UNTRUSTED};

/* Outcomes, as the client tells them. */
#define T(text)                                                                \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }
#define DELIVERED(facts)                                                       \
    {                                                                          \
        .fate = ONWARD_EGRESS_DELIVERED, .code = 250,                          \
        .phase = ONWARD_SMTP_PHASE_FINAL, .cause = ONWARD_SMTP_CAUSE_REPLY,    \
        .tls = (facts)                                                         \
    }
#define GREYLISTED(facts)                                                      \
    {                                                                          \
        .fate = ONWARD_EGRESS_TEMPORARY, .code = 450, .enhanced = T("4.2.0"),  \
        .phase = ONWARD_SMTP_PHASE_RCPT, .cause = ONWARD_SMTP_CAUSE_REPLY,     \
        .tls = (facts)                                                         \
    }
#define BUSY                                                                   \
    {                                                                          \
        .fate = ONWARD_EGRESS_TEMPORARY, .code = 421,                          \
        .phase = ONWARD_SMTP_PHASE_GREETING, .cause = ONWARD_SMTP_CAUSE_REPLY  \
    }
#define UNREACHABLE                                                            \
    {                                                                          \
        .fate = ONWARD_EGRESS_TEMPORARY, .enhanced = T("4.4.1")                \
    }
#define NO_TLS(why)                                                            \
    {                                                                          \
        .fate = ONWARD_EGRESS_TEMPORARY, .enhanced = T("4.7.4"),               \
        .phase = ONWARD_SMTP_PHASE_STARTTLS,                                   \
        .cause = ONWARD_SMTP_CAUSE_NO_TLS, .tls_failure = (why)                \
    }
#define BAD_TLS(why)                                                           \
    {                                                                          \
        .fate = ONWARD_EGRESS_TEMPORARY, .enhanced = T("4.7.5"),               \
        .phase = ONWARD_SMTP_PHASE_TLS, .cause = ONWARD_SMTP_CAUSE_TLS,        \
        .tls_failure = (why)                                                   \
    }
#define NO_REQUIRETLS                                                          \
    {                                                                          \
        .fate = ONWARD_EGRESS_PERMANENT, .enhanced = T("5.7.30"),              \
        .phase = ONWARD_SMTP_PHASE_IDLE,                                       \
        .cause = ONWARD_SMTP_CAUSE_NO_REQUIRETLS, .tls = &good                 \
    }
#define REFUSED                                                                \
    {                                                                          \
        .fate = ONWARD_EGRESS_PERMANENT, .code = 550, .enhanced = T("5.1.1"),  \
        .phase = ONWARD_SMTP_PHASE_RCPT, .cause = ONWARD_SMTP_CAUSE_REPLY,     \
        .tls = &good                                                           \
    }

static const struct row {
    const char *title;
    const char *zone;
    const char *policy;
    struct onward_egress_outcome outcomes[4]; /* the last is all that follow */
    size_t count;
    size_t require_tls, is_bounce, tls_optional, level;
    const char *want, *results;
} rows[] = {
    /* In the clear only where nothing but opportunity is asked for. */
    {.title = "opportunistic TLS fails, then in the clear",
     .zone = MX,
     .outcomes = {BAD_TLS(ONWARD_TLS_HANDSHAKE), DELIVERED(NULL)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); "
             "mx1.a.example 192.0.2.1 none(clear); 250 2.0.0",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 "
                "validation-failure handshake; "},
    {.title = "under TLS, verified or not",
     .zone = MX,
     .outcomes = {GREYLISTED(&self_signed), DELIVERED(&good)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); "
             "mx2.a.example 192.0.2.2 opportunistic(default); 250 2.0.0",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 ok; "},
    {.title = "TLS is not offered, and mail goes through",
     .zone = MX,
     .outcomes = {DELIVERED(NULL)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); 250 2.0.0",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "},
    {.title = "what ends before TLS is no session to report",
     .zone = MX,
     .outcomes = {UNREACHABLE, BUSY},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); "
             "mx2.a.example 192.0.2.2 opportunistic(default); 421 4.0.0",
     .results = ""},
    {.title = "a failure of our own is not the server's",
     .zone = MX STS,
     .policy = POLICY("enforce", BOTH_MX),
     .outcomes = {BAD_TLS(ONWARD_TLS_INTERNAL)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts); "
             "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.7.5",
     .results = ""},
    /* MTA-STS. */
    {.title = "A027 enforce: STARTTLS stripped is not in the clear",
     .zone = MX STS,
     .policy = POLICY("enforce", BOTH_MX),
     .outcomes = {NO_TLS(ONWARD_TLS_NOT_OFFERED), NO_TLS(ONWARD_TLS_REFUSED)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts); "
             "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.7.4",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "
                "a.example sts mx2.a.example 192.0.2.2 "
                "starttls-not-supported refused; "},
    {.title = "A035 enforce: no certificate holds, later",
     .zone = MX STS,
     .policy = POLICY("enforce", BOTH_MX),
     .outcomes = {BAD_TLS(ONWARD_TLS_EXPIRED),
                  BAD_TLS(ONWARD_TLS_NAME_MISMATCH)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts); "
             "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.7.5",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "certificate-expired expired; "
                "a.example sts mx2.a.example 192.0.2.2 "
                "certificate-host-mismatch name-mismatch; "},
    {.title = "enforce: a server that is not in the policy, in its turn",
     .zone = MX STS,
     .policy = POLICY("enforce", ONE_MX),
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx2.a.example 192.0.2.2 verified(mtasts); 250 2.0.0",
     .results = "a.example sts mx1.a.example  validation-failure "
                "mx-not-in-policy; "
                "a.example sts mx2.a.example 192.0.2.2 ok; "},
    {.title = "enforce: its turn did not come",
     .zone = MX STS,
     .policy = POLICY("enforce", "mx: mx1.a.example\n"),
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 ok; "},
    {.title = "enforce: its turn came when the other failed",
     .zone = MX STS,
     .policy = POLICY("enforce", "mx: mx1.a.example\n"),
     .outcomes = {UNREACHABLE},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts); 451 4.4.1",
     .results = "a.example sts mx2.a.example  validation-failure "
                "mx-not-in-policy; "},
    {.title = "A035 enforce: none is in the policy",
     .zone = MX STS,
     .policy = POLICY("enforce", "mx: mx9.a.example\n"),
     .want = "451 4.7.5",
     .results = "a.example sts mx1.a.example  validation-failure "
                "mx-not-in-policy; a.example sts mx2.a.example  "
                "validation-failure mx-not-in-policy; "},
    {.title = "testing: what would have failed is told",
     .zone = MX STS,
     .policy = POLICY("testing", ONE_MX),
     .outcomes = {GREYLISTED(&good), DELIVERED(&self_signed)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 opportunistic(mtasts-testing); "
             "mx2.a.example 192.0.2.2 opportunistic(mtasts-testing); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 validation-failure "
                "mx-not-in-policy; "
                "a.example sts mx2.a.example 192.0.2.2 "
                "certificate-not-trusted untrusted; "},
    {.title = "testing: all holds",
     .zone = MX STS,
     .policy = POLICY("testing", BOTH_MX),
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 opportunistic(mtasts-testing); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 ok; "},
    {.title = "testing: without TLS",
     .zone = MX STS,
     .policy = POLICY("testing", BOTH_MX),
     .outcomes = {DELIVERED(NULL)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 opportunistic(mtasts-testing); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "},
    {.title = "the policy cannot be fetched",
     .zone = MX STS,
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "sts-policy-fetch-error connect; "},
    {.title = "the policy is none",
     .zone = MX STS,
     .policy = "version: STSv9\n",
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 opportunistic(default); 250 2.0.0",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "sts-policy-invalid bad-policy; "},
    /* DANE. */
    {.title = "records hold",
     .zone = SIGNED TLSA("mx1", "3 1 1 " D32),
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 dane(dane); 250 2.0.0",
     .results = "a.example tlsa mx1.a.example 192.0.2.1 ok; "},
    {.title = "A027 records do not match: the next, and not in the clear",
     .zone = SIGNED TLSA("mx1", "3 1 1 " D32),
     .outcomes = {BAD_TLS(ONWARD_TLS_TLSA_MISMATCH), DELIVERED(&good)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 dane(dane); "
             "mx2.a.example 192.0.2.2 opportunistic(default); 250 2.0.0",
     .results = "a.example tlsa mx1.a.example 192.0.2.1 "
                "validation-failure tlsa-mismatch; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 ok; "},
    {.title = "A039 unusable records are told, and TLS is a must",
     .zone = SIGNED TLSA("mx1", "3 1 1 00") TLSA("mx2", "0 0 1 " D32),
     .outcomes = {GREYLISTED(&self_signed), NO_TLS(ONWARD_TLS_NOT_OFFERED)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 encrypted(dane-unusable); "
             "mx2.a.example 192.0.2.2 encrypted(dane-unusable); 450 4.2.0",
     .results = "a.example tlsa mx1.a.example 192.0.2.1 "
                "tlsa-invalid tlsa-invalid; "
                "a.example tlsa mx2.a.example 192.0.2.2 "
                "starttls-not-supported not-offered; "},
    {.title = "A037 a look-up fails",
     .zone = SIGNED "_25._tcp.mx1.a.example TLSA !SERVFAIL\n",
     .outcomes = {DELIVERED(&good)},
     .count = 1,
     .want = "mx2.a.example 192.0.2.2 opportunistic(default); 250 2.0.0",
     .results = "a.example tlsa mx1.a.example  dnssec-invalid "
                "dnssec-invalid; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 ok; "},
    {.title = "DANE is mandatory",
     .zone = SIGNED,
     .level = ONWARD_TLS_DANE,
     .want = "451 4.7.5",
     .results = "a.example tlsa mx1.a.example  dane-required dane-required; "
                "a.example tlsa mx2.a.example  dane-required dane-required; "},
    /* REQUIRETLS. */
    {.title = "REQUIRETLS: the first cannot, the second can",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {NO_REQUIRETLS, DELIVERED(&good)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "250 2.0.0",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 ok; "},
    {.title = "REQUIRETLS: none supports it",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {NO_REQUIRETLS},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "550 5.7.30",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 ok; "},
    {.title = "REQUIRETLS: A027 STARTTLS stripped",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {NO_TLS(ONWARD_TLS_NOT_OFFERED), BAD_TLS(ONWARD_TLS_EXPIRED)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "550 5.7.10",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 "
                "certificate-expired expired; "},
    {.title = "REQUIRETLS: one cannot be reached, so later",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {NO_REQUIRETLS, UNREACHABLE},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "451 4.4.1",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "},
    {.title = "REQUIRETLS: a handshake that was broken off, so later",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {NO_REQUIRETLS, BAD_TLS(ONWARD_TLS_LOST)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "451 4.7.5",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 "
                "validation-failure lost; "},
    {.title = "REQUIRETLS: DANE failed at the other, so later",
     .zone = SIGNED "_25._tcp.mx2.a.example TLSA !SERVFAIL\n",
     .require_tls = 1,
     .outcomes = {NO_REQUIRETLS},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "451 4.7.5",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example tlsa mx2.a.example  dnssec-invalid "
                "dnssec-invalid; "},
    {.title = "REQUIRETLS: a refusal is one all the same",
     .zone = SIGNED,
     .require_tls = 1,
     .outcomes = {REFUSED},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "550 5.1.1",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "},
    {.title = "a bounce goes without, where none can",
     .zone = SIGNED,
     .require_tls = 1,
     .is_bounce = 1,
     .outcomes = {NO_REQUIRETLS, NO_TLS(ONWARD_TLS_NOT_OFFERED),
                  DELIVERED(&good)},
     .count = 3,
     .want = "mx1.a.example 192.0.2.1 verified(requiretls) requiretls; "
             "mx2.a.example 192.0.2.2 verified(requiretls) requiretls; "
             "mx1.a.example 192.0.2.1 opportunistic(default); 250 2.0.0",
     .results = "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "
                "a.example no-policy-found mx2.a.example 192.0.2.2 "
                "starttls-not-supported not-offered; "
                "a.example no-policy-found mx1.a.example 192.0.2.1 ok; "},
    {.title = "a bounce is not sent weaker than a policy says",
     .zone = MX STS,
     .policy = POLICY("enforce", BOTH_MX),
     .require_tls = 1,
     .is_bounce = 1,
     .outcomes = {NO_TLS(ONWARD_TLS_NOT_OFFERED)},
     .count = 1,
     .want = "mx1.a.example 192.0.2.1 verified(mtasts) requiretls; "
             "mx2.a.example 192.0.2.2 verified(mtasts) requiretls; "
             "mx1.a.example 192.0.2.1 verified(mtasts); "
             "mx2.a.example 192.0.2.2 verified(mtasts); 451 4.7.4",
     .results = "a.example sts mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "
                "a.example sts mx2.a.example 192.0.2.2 "
                "starttls-not-supported not-offered; "
                "a.example sts mx1.a.example 192.0.2.1 "
                "starttls-not-supported not-offered; "
                "a.example sts mx2.a.example 192.0.2.2 "
                "starttls-not-supported not-offered; "},
    /* TLS-Required: No. */
    {.title = "TLS-Required: No goes in the clear after all",
     .zone = SIGNED TLSA("mx1", "3 1 1 " D32) STS,
     .policy = POLICY("enforce", ONE_MX),
     .tls_optional = 1,
     .outcomes = {BAD_TLS(ONWARD_TLS_HANDSHAKE), DELIVERED(NULL)},
     .count = 2,
     .want = "mx1.a.example 192.0.2.1 opportunistic(optional); "
             "mx1.a.example 192.0.2.1 none(clear); 250 2.0.0",
     .results = ""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    static struct t_egress x;

    t_egress_init(&x, row->zone);
    x.policy = row->policy;
    x.opts.require_tls = row->require_tls;
    x.opts.is_bounce = row->is_bounce;
    x.opts.tls_optional = row->tls_optional;
    x.opts.tls_level = row->level;
    t_egress_start(&x, "a.example");
    assert_string_equal(t_egress_attempts(&x, row->outcomes, row->count),
                        row->want);
    assert_string_equal(x.results, row->results);
    t_egress_clear(&x);
}

/* ---- Policies that were known before ----------------------------------- */

static void plan_again(struct t_egress *x)
{
    onward_egress_free(x->plan);
    x->plan = NULL;
    x->done_count = 0;
    x->results[0] = '\0';
    t_egress_start(x, "a.example");
}

/* Record and policy host are taken away: what is kept holds. */
static void test_a031_a_kept_policy_holds(void **state)
{
    static const char *const zones[] = {MX, MX
                                        "_mta-sts.a.example TXT !SERVFAIL\n"};
    static struct t_egress x;
    struct onward_egress_server_facts f = {.size = sizeof(f)};

    (void)state;
    t_egress_init(&x, MX STS);
    x.policy = POLICY("enforce", BOTH_MX);
    t_egress_start(&x, "a.example");
    x.policy = NULL;
    for (int i = 0; i < 2; i++) {
        t_egress_rezone(&x, zones[i]);
        plan_again(&x);
        assert_int_equal(onward_egress_server_at(x.plan, 0, &f), 0);
        t_assert_str(f.policy_id, "1");
        assert_int_equal(f.policy_mode, ONWARD_MTASTS_MODE_ENFORCE);
        assert_int_equal(f.policy_reason, i == 0
                                              ? ONWARD_MTASTS_REASON_NO_RECORD
                                              : ONWARD_MTASTS_REASON_DNS);
        assert_string_equal(
            t_egress_servers(&x),
            "mx1.a.example verified(mtasts); mx2.a.example verified(mtasts)");
    }
    t_egress_clear(&x);
}

/* A newer policy is announced and cannot be fetched. */
static void test_a_policy_that_is_not_confirmed_is_told(void **state)
{
    static struct onward_egress_outcome delivered = DELIVERED(&good);
    static struct t_egress x;
    struct onward_egress_attempt a = {.size = sizeof(a)};

    (void)state;
    t_egress_init(&x, MX STS);
    x.policy = POLICY("enforce", BOTH_MX);
    t_egress_start(&x, "a.example");
    t_egress_rezone(&x, "_mta-sts.a.example TXT \"v=STSv1; id=2;\"\n" MX
                        "mta-sts.a.example A 192.0.2.80\n");
    x.policy = NULL;
    plan_again(&x);
    assert_int_equal(onward_egress_next(x.plan, &a), 1);
    delivered.size = sizeof(delivered);
    assert_int_equal(onward_egress_report(x.plan, &delivered), 0);
    assert_string_equal(x.results,
                        "a.example sts mx1.a.example 192.0.2.1 ok; a.example "
                        "sts   sts-policy-fetch-error connect further; ");
    t_egress_clear(&x);
}

static int broken_get(void *user, uint64_t token, const char *key, size_t len)
{
    (void)user, (void)token, (void)key, (void)len;
    return -1;
}

static int broken_put(void *user, uint64_t token, const char *key,
                      size_t key_len, const void *value, size_t value_len,
                      int64_t expires_s, uint64_t version, uint32_t flags)
{
    (void)user, (void)token, (void)key, (void)key_len, (void)value;
    (void)value_len, (void)expires_s, (void)version, (void)flags;
    return -1;
}

static int broken_remove(void *user, uint64_t token, const char *key,
                         size_t len, uint64_t version)
{
    (void)version;
    return broken_get(user, token, key, len);
}

static int broken_walk(void *user, uint64_t token, const char *prefix,
                       size_t prefix_len, const char *cursor, size_t cursor_len,
                       size_t max_items)
{
    (void)cursor, (void)cursor_len, (void)max_items;
    return broken_get(user, token, prefix, prefix_len);
}

/* What may hide a policy lies with us: nothing goes out. */
static void test_no_view_of_policies_is_for_later(void **state)
{
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .get = broken_get,
                                         .put = broken_put,
                                         .remove = broken_remove,
                                         .walk = broken_walk};
    static struct t_egress x;

    (void)state;
    /* A store that fails may hide a policy. */
    t_egress_init(&x, MX);
    onward_store_free(x.store);
    assert_int_equal(onward_store_new(x.desk, &ops, NULL, &x.store), 0);
    t_egress_rezone(&x, MX);
    t_egress_start(&x, "a.example");
    assert_string_equal(
        t_egress_servers(&x),
        "mx1.a.example policy-unknown; mx2.a.example policy-unknown");
    assert_string_equal(t_egress_attempts(&x, NULL, 0), "451 4.3.0");
    t_egress_clear(&x);
    /* Its owner ends while a fetch is waited for. */
    t_egress_init(&x, MX STS);
    x.is_slow = true;
    t_egress_new(&x, "a.example");
    t_egress_run(&x);
    assert_int_equal(x.done_count, 0);
    onward_mtasts_free(x.mtasts);
    x.mtasts = NULL;
    t_egress_run(&x);
    assert_int_equal(x.done_count, 1);
    assert_string_equal(t_egress_attempts(&x, NULL, 0), "451 4.3.0");
    t_egress_clear(&x);
}

/* ---- From the library's client ----------------------------------------- */

/* A server that says so much, and what of it the plan hears. */
static void test_from_the_client(void **state)
{
    static const struct {
        const char *says, *want;
    } cases[] = {
        {"554 5.3.2 no mail here\r\n", "554 5.3.2"},
        {"421 4.3.2 not now\r\n", "421 4.3.2"},
        {"hello?\r\n", "451 4.5.0"},
        {"220 mx\r\n250 mx\r\n550 5.7.1 not from you\r\n", "550 5.7.1"},
    };
    const struct onward_tls_demand none = {.size = sizeof(none),
                                           .level = ONWARD_TLS_NONE};
    const struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                                 .ehlo_name =
                                                     ONWARD_STR("us.example"),
                                                 .tls_demand = &none};
    const struct onward_smtp_client_host host = {.size = sizeof(host)};
    const struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                          .path = ONWARD_STR("a@a.example")};
    const struct onward_smtp_envelope envelope = {
        .size = sizeof(envelope), .reverse_path = ONWARD_STR("b@b.example")};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_egress_attempt a = {.size = sizeof(a)};
        struct onward_egress_verdict v = {.size = sizeof(v)};
        struct onward_smtp_client *client = NULL;
        struct onward_memory_source *memory = NULL;
        const char *says = cases[i].says;
        static struct t_egress x;
        char got[64];

        t_egress_init(&x, "a.example A 192.0.2.1\n");
        t_egress_start(&x, "a.example");
        assert_int_equal(onward_egress_next(x.plan, &a), 1);
        assert_int_equal(onward_smtp_client_new(x.desk, &opts, &host, &client),
                         0);
        assert_int_equal(
            onward_memory_source_new(x.w.ctx, "S: x\r\n\r\n", 8, &memory), 0);
        assert_int_equal(onward_smtp_client_add_rcpt(client, &rcpt), 0);
        assert_int_equal(
            onward_smtp_client_send(client, &envelope,
                                    onward_memory_source_table(memory)),
            0);
        assert_int_equal(onward_egress_report_client(x.plan, client, 7),
                         ONWARD_ENOENT);
        assert_int_equal(onward_egress_report_client(NULL, client, 0),
                         ONWARD_EINVAL);
        assert_int_equal(onward_egress_report_client(x.plan, NULL, 0),
                         ONWARD_EINVAL);
        for (t_egress_run(&x); *says != '\0'; t_egress_run(&x)) {
            size_t len = strcspn(says, "\n") + 1, fed = 0;
            struct onward_channel *ch = onward_smtp_client_channel(client);

            while (onward_channel_peek(ch).len != 0)
                assert_int_equal(
                    onward_channel_drain(ch, onward_channel_peek(ch).len), 0);
            (void)onward_channel_feed(ch, says, len, &fed);
            says += len;
        }
        assert_int_equal(onward_egress_report_client(x.plan, client, 0), 0);
        assert_int_equal(onward_egress_result(x.plan, &v), 0);
        snprintf(got, sizeof(got), "%zu %.*s", v.code, (int)v.enhanced.len,
                 v.enhanced.data);
        assert_string_equal(got, cases[i].want);
        onward_smtp_client_free(client);
        onward_memory_source_free(memory);
        t_egress_clear(&x);
    }
}

/* ---- Demands ----------------------------------------------------------- */

static void expect_names(const struct onward_egress_attempt *a,
                         const char *first, const char *pkix)
{
    assert_int_equal(a->tls->name_count > 0, 1);
    t_assert_str(a->tls->names[0], first);
    assert_int_equal(a->tls->pkix_name_count, pkix != NULL);
    if (pkix != NULL)
        t_assert_str(a->tls->pkix_names[0], pkix);
}

/* A030: the MX host or the TLSA base domain, never what somebody in between
 * could have chosen. */
static void test_a030_names(void **state)
{
    static const struct {
        const char *zone, *policy;
        size_t require_tls;
        const char *name, *sni, *pkix;
        size_t tlsa;
    } cases[] = {
        {MX STS, POLICY("enforce", BOTH_MX), 0, "mx1.a.example", "", NULL, 0},
        {SIGNED TLSA("mx1", "2 1 1 " D32), NULL, 0, "mx1.a.example",
         "mx1.a.example", NULL, 1},
        /* The base domain is behind a signed CNAME. */
        {"a.example MX 10 mx1.a.example\na.example MX !SECURE\n"
         "mx1.a.example CNAME real.example\nreal.example A 192.0.2.1\n"
         "mx1.a.example ANY !SECURE\nreal.example ANY !SECURE\n"
         "_25._tcp.real.example TLSA 2 1 1 " D32 "\n"
         "_25._tcp.real.example ANY !SECURE\n",
         NULL, 0, "real.example", "real.example", NULL, 1},
        /* Both: the records' name and the policy's. */
        {"a.example MX 10 mx1.a.example\n"
         "mx1.a.example CNAME real.example\nreal.example A 192.0.2.1\n"
         "mx1.a.example ANY !SECURE\nreal.example ANY !SECURE\n"
         "_25._tcp.real.example TLSA 2 1 1 " D32 "\n"
         "_25._tcp.real.example ANY !SECURE\n" STS,
         POLICY("enforce", BOTH_MX), 0, "real.example", "real.example",
         "mx1.a.example", 1},
        /* A domain that is its own server, by an alias that anybody could have
         * made. */
        {"a.example CNAME b.example\nb.example A 192.0.2.1\n", NULL, 0,
         "a.example", "", NULL, 0},
        {"a.example CNAME b.example\nb.example A 192.0.2.1\n"
         "a.example ANY !SECURE\nb.example ANY !SECURE\n",
         NULL, 1, "b.example", "", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_egress_attempt a = {.size = sizeof(a)};
        static struct t_egress x;

        t_egress_init(&x, cases[i].zone);
        x.policy = cases[i].policy;
        x.opts.require_tls = cases[i].require_tls;
        t_egress_start(&x, "a.example");
        assert_int_equal(onward_egress_next(x.plan, &a), 1);
        expect_names(&a, cases[i].name, cases[i].pkix);
        /* The recipient's domain is a name only where its MX is validated. */
        assert_int_equal(a.tls->name_count,
                         cases[i].tlsa != 0 && cases[i].pkix == NULL ? 2 : 1);
        t_assert_str(a.tls->server_name, cases[i].sni);
        assert_int_equal(a.tls->tlsa_count, cases[i].tlsa);
        t_egress_clear(&x);
    }
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(test_a031_a_kept_policy_holds),
        cmocka_unit_test(test_a_policy_that_is_not_confirmed_is_told),
        cmocka_unit_test(test_no_view_of_policies_is_for_later),
        cmocka_unit_test(test_from_the_client),
        cmocka_unit_test(test_a030_names),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(single)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
