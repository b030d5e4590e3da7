/* What to do with a failure: the defaults, the host's choice, and the reason
 * that a report gives for doing less; policies by the public suffix list. */
#include <onward/dmarc.h>

#include "support/support.h"

#define NONE ONWARD_DMARC_POLICY_NONE
#define QUARANTINE ONWARD_DMARC_POLICY_QUARANTINE
#define REJECT ONWARD_DMARC_POLICY_REJECT
#define RFC9989 ONWARD_DMARC_REJECT_RFC9989
#define SERVICE ONWARD_DMARC_REJECT_SERVICE
#define NEVER ONWARD_DMARC_REJECT_NEVER

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
};

static void begin(struct world *x, const char *zone)
{
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = 1};

    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
}

static void end(struct world *x)
{
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static const struct row {
    const char *name, *record;
    size_t reject_policy;
    bool is_suspect, is_trusted, is_aligned;
    int disposition;
    const char *override;
} rows[] = {
    {"the library quarantines on p=reject alone", "v=DMARC1; p=reject", RFC9989,
     false, false, false, QUARANTINE, "local_policy"},
    {"it rejects when the host has reasons too", "v=DMARC1; p=reject", RFC9989,
     true, false, false, REJECT, ""},
    {"the service rejects", "v=DMARC1; p=reject", SERVICE, false, false, false,
     REJECT, ""},
    {"never rejects", "v=DMARC1; p=reject", NEVER, true, false, false,
     QUARANTINE, "local_policy"},
    {"quarantine is quarantine for all", "v=DMARC1; p=quarantine", SERVICE,
     true, false, false, QUARANTINE, ""},
    {"suspicion does not make more of none", "v=DMARC1; p=none", RFC9989, true,
     false, false, NONE, ""},
    {"a trusted forwarder", "v=DMARC1; p=reject", SERVICE, true, true, false,
     NONE, "trusted_forwarder"},
    {"a trusted forwarder changes nothing of none", "v=DMARC1; p=none", SERVICE,
     false, true, false, NONE, ""},
    {"test mode", "v=DMARC1; p=reject; t=y", SERVICE, false, false, false,
     QUARANTINE, "policy_test_mode"},
    {"test mode of quarantine", "v=DMARC1; p=quarantine; t=y", RFC9989, false,
     false, false, NONE, "policy_test_mode"},
    {"a pass has no override", "v=DMARC1; p=reject; t=y", RFC9989, false, false,
     true, NONE, ""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_dmarc_opts o = {.size = sizeof(o),
                                        .author_domain =
                                            ONWARD_STR("e.example"),
                                        .reject_policy = row->reject_policy};
    struct onward_dmarc_check *c = NULL;
    struct world x;
    char zone[200];

    snprintf(zone, sizeof(zone), "_dmarc.e.example TXT \"%s\"", row->record);
    begin(&x, zone);
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    if (row->is_suspect)
        onward_dmarc_check_suspect(c);
    if (row->is_aligned)
        onward_dmarc_check_add_spf(c, ONWARD_STR("e.example"));
    onward_dmarc_check_finish(c, row->is_trusted);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_int_equal(onward_dmarc_check_result(c),
                     row->is_aligned ? ONWARD_DMARC_PASS : ONWARD_DMARC_FAIL);
    assert_int_equal(onward_dmarc_check_disposition(c), row->disposition);
    assert_string_equal(
        onward_dmarc_override_name(onward_dmarc_check_override(c)),
        row->override);
    if (row->is_trusted && row->reject_policy == SERVICE && row->is_suspect)
        assert_string_equal(
            x.w.last_log,
            "dmarc fail from=e.example policy=reject trusted-forwarder");
    onward_dmarc_check_free(c);
    end(&x);
}

/* ---- RFC 7489 ---------------------------------------------------------- */

static const struct legacy_row {
    const char *name, *zone, *author, *dkim;
    int result, policy;
    const char *org, *policy_domain;
} legacy_rows[] = {
    {"own record", "_dmarc.a.e.co.uk TXT \"v=DMARC1; p=reject\"", "a.e.co.uk",
     "x.e.co.uk", ONWARD_DMARC_PASS, REJECT, "e.co.uk", "a.e.co.uk"},
    {"sp of the organization's record",
     "_dmarc.e.co.uk TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"",
     "a.b.e.co.uk", "", ONWARD_DMARC_FAIL, QUARANTINE, "e.co.uk", "e.co.uk"},
    {"records between are not asked",
     "_dmarc.b.e.co.uk TXT \"v=DMARC1; p=reject\"", "a.b.e.co.uk", "",
     ONWARD_DMARC_NONE, ONWARD_DMARC_POLICY_UNKNOWN, "e.co.uk", ""},
    {"a public suffix is not the organization",
     "_dmarc.e.co.uk TXT \"v=DMARC1; p=reject\"", "e.co.uk", "f.co.uk",
     ONWARD_DMARC_FAIL, REJECT, "e.co.uk", "e.co.uk"},
    {"psd and t do not count",
     "_dmarc.e.com TXT \"v=DMARC1; p=reject; psd=y; t=y\"", "a.e.com",
     "b.e.com", ONWARD_DMARC_PASS, REJECT, "e.com", "e.com"},
    {"strict stays strict", "_dmarc.e.com TXT \"v=DMARC1; p=reject; adkim=s\"",
     "a.e.com", "e.com", ONWARD_DMARC_FAIL, REJECT, "e.com", "e.com"},
    {"the suffix itself", "_dmarc.co.uk TXT \"v=DMARC1; p=reject\"", "co.uk",
     "e.co.uk", ONWARD_DMARC_FAIL, REJECT, "co.uk", "co.uk"},
};

static void test_legacy_row(void **state)
{
    const struct legacy_row *row = *state;
    const struct onward_dmarc_opts o = {
        .size = sizeof(o),
        .author_domain = onward_str_of(row->author),
        .discovery = ONWARD_DMARC_DISCOVERY_RFC7489};
    struct onward_dmarc_check *c = NULL;
    struct world x;

    begin(&x, row->zone);
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    if (row->dkim[0] != '\0')
        onward_dmarc_check_add_dkim(c, onward_str_of(row->dkim));
    onward_dmarc_check_finish(c, 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_string_equal(onward_dmarc_result_name(onward_dmarc_check_result(c)),
                        onward_dmarc_result_name(row->result));
    assert_int_equal(onward_dmarc_check_policy(c), row->policy);
    t_assert_str(onward_dmarc_check_org_domain(c), row->org);
    t_assert_str(onward_dmarc_check_policy_domain(c), row->policy_domain);
    onward_dmarc_check_free(c);
    end(&x);
}

/* pct= lets off about as many as it says, and says so. */
static int count_rejected(const char *zone, int *sampled_out)
{
    const struct onward_dmarc_opts o = {.size = sizeof(o),
                                        .author_domain = ONWARD_STR("e.com"),
                                        .reject_policy = SERVICE,
                                        .discovery =
                                            ONWARD_DMARC_DISCOVERY_RFC7489};
    int rejected = 0;
    struct world x;

    begin(&x, zone);
    for (int i = 0; i < 1000; i++) {
        struct onward_dmarc_check *c = NULL;
        int override;

        assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
        onward_dmarc_check_finish(c, 0);
        while (onward_desk_run(x.desk, 0) == 1)
            continue;
        override = onward_dmarc_check_override(c);
        if (onward_dmarc_check_disposition(c) == REJECT) {
            assert_int_equal(override, ONWARD_DMARC_OVERRIDE_NONE);
            rejected++;
        } else {
            assert_int_equal(onward_dmarc_check_disposition(c), QUARANTINE);
            assert_int_equal(override, ONWARD_DMARC_OVERRIDE_SAMPLED_OUT);
            ++*sampled_out;
        }
        onward_dmarc_check_free(c);
    }
    end(&x);
    return rejected;
}

static void test_sampling(void **state)
{
    int sampled_out = 0, rejected;

    (void)state;
    rejected = count_rejected("_dmarc.e.com TXT \"v=DMARC1; p=reject; pct=30\"",
                              &sampled_out);
    assert_in_range(rejected, 200, 400);
    assert_int_equal(rejected + sampled_out, 1000);
    assert_int_equal(
        count_rejected("_dmarc.e.com TXT \"v=DMARC1; p=reject; pct=0\"",
                       &sampled_out),
        0);
    assert_int_equal(
        count_rejected("_dmarc.e.com TXT \"v=DMARC1; p=reject; pct=101\"",
                       &sampled_out),
        1000);
}

/* Whether a message is let off cannot be made up: neither way (A125). */
static void test_no_randomness(void **state)
{
    const struct onward_dmarc_opts o = {.size = sizeof(o),
                                        .author_domain = ONWARD_STR("e.com"),
                                        .reject_policy = SERVICE,
                                        .discovery =
                                            ONWARD_DMARC_DISCOVERY_RFC7489};
    struct onward_dmarc_check *c;
    struct world x;

    (void)state;
    begin(&x, "_dmarc.e.com TXT \"v=DMARC1; p=reject; pct=30\"");
    x.w.random_fails = true;
    for (int is_aligned = 0; is_aligned < 2; is_aligned++) {
        c = NULL;
        assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
        if (is_aligned)
            onward_dmarc_check_add_dkim(c, ONWARD_STR("e.com"));
        onward_dmarc_check_finish(c, 0);
        while (onward_desk_run(x.desk, 0) == 1)
            continue;
        assert_int_equal(onward_dmarc_check_result(c),
                         is_aligned ? ONWARD_DMARC_PASS
                                    : ONWARD_DMARC_TEMPERROR);
        assert_int_equal(onward_dmarc_check_reason(c),
                         is_aligned ? ONWARD_DMARC_REASON_ALIGNED
                                    : ONWARD_DMARC_REASON_RANDOM);
        onward_dmarc_check_free(c);
    }
    end(&x);
}

static void test_contract(void **state)
{
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = ONWARD_STR("e.example"),
                                  .reject_policy = 3};
    struct onward_dmarc_check *c = NULL;
    struct world x;

    (void)state;
    begin(&x, "");
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c),
                     ONWARD_EINVAL);
    o.reject_policy = 0;
    o.discovery = 2;
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c),
                     ONWARD_EINVAL);
    assert_null(c);
    assert_string_equal(onward_dmarc_override_name(-1), "");
    assert_string_equal(onward_dmarc_override_name(5), "");
    end(&x);
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        LEGACIES = sizeof(legacy_rows) / sizeof(legacy_rows[0])
    };
    struct CMUnitTest tests[2 + ROWS + LEGACIES] = {
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_no_randomness),
        cmocka_unit_test(test_contract),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[2 + i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    for (size_t i = 0; i < LEGACIES; i++)
        tests[2 + ROWS + i] = (struct CMUnitTest){
            .name = legacy_rows[i].name,
            .test_func = test_legacy_row,
            .initial_state = (void *)(uintptr_t)&legacy_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
