/* Reports: the example of RFC 8460 appendix B, counting, keeping, writing. */
#include <onward/tlsrpt.h>

#include "core/core_shared.h"
#include "support/support.h"

#define S(text) ONWARD_STR(text)

static const char example[] =
    "{\"organization-name\": \"Company-X\",\n"
    "\"date-range\": {\"start-datetime\": \"2016-04-01T00:00:00Z\",\n"
    "\"end-datetime\": \"2016-04-01T23:59:59Z\"},\n"
    "\"contact-info\": \"sts-reporting@company-x.example\",\n"
    "\"report-id\": \"5065427c-23d3-47ca-b6e0-946ea0e8c4be\",\n"
    "\"policies\": [{\"policy\": {\"policy-type\": \"sts\",\n"
    "\"policy-string\": [\"version: STSv1\",\"mode: testing\",\n"
    "\"mx: *.mail.company-y.example\",\"max_age: 86400\"],\n"
    "\"policy-domain\": \"company-y.example\",\n"
    "\"mx-host\": \"*.mail.company-y.example\"},\n"
    "\"summary\": {\"total-successful-session-count\": 5326,\n"
    "\"total-failure-session-count\": 303},\n"
    "\"failure-details\": [{\"result-type\": \"certificate-expired\",\n"
    "\"sending-mta-ip\": \"2001:db8:abcd:0012::1\",\n"
    "\"receiving-mx-hostname\": \"mx1.mail.company-y.example\",\n"
    "\"failed-session-count\": 100}, {\n"
    "\"result-type\": \"starttls-not-supported\",\n"
    "\"sending-mta-ip\": \"2001:db8:abcd:0013::1\",\n"
    "\"receiving-mx-hostname\": \"mx2.mail.company-y.example\",\n"
    "\"receiving-ip\": \"203.0.113.56\",\n"
    "\"failed-session-count\": 200,\n"
    "\"additional-information\": \"https://reports.company-x.example/\"}, {\n"
    "\"result-type\": \"validation-failure\",\n"
    "\"sending-mta-ip\": \"198.51.100.62\",\n"
    "\"receiving-ip\": \"203.0.113.58\",\n"
    "\"receiving-mx-hostname\": \"mx-backup.mail.company-y.example\",\n"
    "\"failed-session-count\": 3,\n"
    "\"failure-reason-code\": \"X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED\"\n"
    "}]}]}";

static struct onward_tlsrpt_report_opts some_opts(void)
{
    return (struct onward_tlsrpt_report_opts){
        .size = sizeof(struct onward_tlsrpt_report_opts),
        .organization = S("Company-X"),
        .contact = S("sts-reporting@company-x.example"),
        .report_id = S("5065427c-23d3-47ca-b6e0-946ea0e8c4be"),
        .policy_domain = S("company-y.example"),
        .begin_s = 1459468800, /* 2016-04-01 */
    };
}

static struct onward_tlsrpt_session some_session(void)
{
    return (struct onward_tlsrpt_session){
        .size = sizeof(struct onward_tlsrpt_session),
        .type = ONWARD_TLSRPT_STS,
        .policy = S("version: STSv1\r\nmode: testing\r\n"
                    "mx: *.mail.company-y.example\r\nmax_age: 86400\r\n"),
    };
}

/* The sessions of the example. 0 or an error. */
static int count_example(struct onward_tlsrpt_report *r)
{
    struct onward_tlsrpt_session s = some_session();
    int err;

    s.count = 5326;
    err = onward_tlsrpt_report_add(r, &s);
    s.sending_ip = S("2001:db8:abcd:0012::1");
    s.result_type = S("certificate-expired");
    s.receiving_mx = S("mx1.mail.company-y.example");
    s.count = 0;
    for (int i = 0; err == 0 && i < 100; i++)
        err = onward_tlsrpt_report_add(r, &s);
    s.sending_ip = S("2001:db8:abcd:0013::1");
    s.result_type = S("starttls-not-supported");
    s.receiving_mx = S("mx2.mail.company-y.example");
    s.receiving_ip = S("203.0.113.56");
    s.info_uri = S("https://reports.company-x.example/");
    s.count = 200;
    if (err == 0)
        err = onward_tlsrpt_report_add(r, &s);
    s.sending_ip = S("198.51.100.62");
    s.result_type = S("validation-failure");
    s.receiving_mx = S("mx-backup.mail.company-y.example");
    s.receiving_ip = S("203.0.113.58");
    s.info_uri = S("");
    s.reason_code = S("X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    s.count = 3;
    return err != 0 ? err : onward_tlsrpt_report_add(r, &s);
}

static void check_example(const struct onward_tlsrpt_report *r)
{
    struct onward_tlsrpt_failure f = {.size = sizeof(f)};
    struct onward_tlsrpt_policy p = {.size = sizeof(p)};
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};

    assert_int_equal(onward_tlsrpt_report_facts(r, &facts), 0);
    t_assert_str(facts.organization, "Company-X");
    t_assert_str(facts.contact, "sts-reporting@company-x.example");
    t_assert_str(facts.report_id, "5065427c-23d3-47ca-b6e0-946ea0e8c4be");
    assert_int_equal(facts.begin_s, 1459468800);
    assert_int_equal(facts.end_s, 1459468800 + 86399);
    assert_int_equal(facts.oddities, 0);
    assert_int_equal(facts.policy_count, 1);
    assert_int_equal(onward_tlsrpt_report_policy(r, 0, &p), 0);
    assert_int_equal(p.type, ONWARD_TLSRPT_STS);
    assert_int_equal(p.successes, 5326);
    assert_int_equal(p.failures, 303);
    t_assert_str(p.domain, "company-y.example");
    t_assert_str(p.text, "version: STSv1\nmode: testing\n"
                         "mx: *.mail.company-y.example\nmax_age: 86400\n");
    t_assert_str(p.mx, "*.mail.company-y.example\n");
    assert_int_equal(p.failure_count, 3);
    assert_int_equal(onward_tlsrpt_report_failure(r, 0, 0, &f), 0);
    assert_int_equal(f.count, 100);
    t_assert_str(f.result_type, "certificate-expired");
    assert_int_equal(onward_tlsrpt_report_failure(r, 0, 1, &f), 0);
    assert_int_equal(f.count, 200);
    t_assert_str(f.info_uri, "https://reports.company-x.example/");
    assert_int_equal(onward_tlsrpt_report_failure(r, 0, 2, &f), 0);
    t_assert_str(f.receiving_mx, "mx-backup.mail.company-y.example");
    t_assert_str(f.receiving_ip, "203.0.113.58");
    t_assert_str(f.sending_ip, "198.51.100.62");
    t_assert_str(f.reason_code, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    assert_int_equal(onward_tlsrpt_report_failure(r, 0, 3, &f), ONWARD_ENOENT);
    assert_int_equal(onward_tlsrpt_report_failure(r, 1, 0, &f), ONWARD_ENOENT);
    assert_int_equal(onward_tlsrpt_report_policy(r, 1, &p), ONWARD_ENOENT);
    f.size = p.size = facts.size = 0;
    assert_int_equal(onward_tlsrpt_report_failure(r, 0, 0, &f), ONWARD_EINVAL);
    assert_int_equal(onward_tlsrpt_report_policy(r, 0, &p), ONWARD_EINVAL);
    assert_int_equal(onward_tlsrpt_report_facts(r, &facts), ONWARD_EINVAL);
}

static void test_read_example(void **state)
{
    struct onward_tlsrpt_report *r = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tlsrpt_report_parse(w.ctx, NULL,
                                                onward_str_of(example), &r,
                                                NULL),
                     0);
    check_example(r);
    onward_tlsrpt_report_free(r);
    t_world_clear(&w);
}

/* Counted, kept, loaded, written, read: the same each time. */
static bool all_ways(struct t_world *w, void *arg)
{
    const struct onward_tlsrpt_report_opts opts = some_opts();
    struct onward_tlsrpt_report *r = NULL, *kept = NULL, *read = NULL;
    struct onward_str bytes = {0}, json = {0};
    int err = onward_tlsrpt_report_new(w->ctx, &opts, &r);

    (void)arg;
    if (err == 0)
        err = count_example(r);
    if (err == 0)
        err = onward_tlsrpt_report_save(r, &bytes);
    if (err == 0)
        err = onward_tlsrpt_report_load(w->ctx, NULL, bytes, &kept);
    if (err == 0)
        err = onward_tlsrpt_report_json(kept, &json);
    if (err == 0)
        err = onward_tlsrpt_report_parse(w->ctx, NULL, json, &read, NULL);
    if (err == 0) {
        check_example(r);
        check_example(kept);
        check_example(read);
    }
    onward_tlsrpt_report_free(r);
    onward_tlsrpt_report_free(kept);
    onward_tlsrpt_report_free(read);
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    return err == 0;
}

static void test_all_ways(void **state)
{
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_true(all_ways(&w, NULL));
    t_world_clear(&w);
    t_oom_sweep(all_ways, NULL);
}

static void test_bytes(void **state)
{
    const struct onward_tlsrpt_report_opts opts = some_opts();
    struct onward_tlsrpt_report_opts few = {.size = sizeof(few),
                                            .max_failures = 2};
    struct onward_tlsrpt_report *r = NULL, *again = NULL;
    struct onward_str bytes;
    struct t_world w;
    char *copy, *at;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, &opts, &r), 0);
    assert_int_equal(count_example(r), 0);
    assert_int_equal(onward_tlsrpt_report_save(r, &bytes), 0);
    for (size_t i = 0; i < bytes.len; i++)
        assert_true(onward_tlsrpt_report_load(
                        w.ctx, NULL, onward_core__sub(bytes, 0, i), &again) < 0);
    assert_int_equal(onward_tlsrpt_report_load(w.ctx, &few, bytes, &again),
                     ONWARD_ELIMIT);
    copy = malloc(bytes.len + 1);
    memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = 0;
    assert_int_equal(
        onward_tlsrpt_report_load(
            w.ctx, NULL, onward_core__str(copy, bytes.len + 1), &again),
        ONWARD_ESYNTAX);
    copy[4] = 2;
    assert_int_equal(
        onward_tlsrpt_report_load(w.ctx, NULL,
                                  onward_core__str(copy, bytes.len), &again),
        ONWARD_EVERSION);
    copy[4] = 1;
    /* Of a forged one nothing gets into a field. */
    at = memchr(copy, '@', bytes.len);
    at[2] = '\n';
    assert_int_equal(
        onward_tlsrpt_report_load(w.ctx, NULL,
                                  onward_core__str(copy, bytes.len), &again),
        ONWARD_ESYNTAX);
    free(copy);
    onward_tlsrpt_report_free(r);
    t_world_clear(&w);
}

static void test_mail(void **state)
{
    const struct onward_builder_opts mail = {.size = sizeof(mail),
                                             .date_s = 1600000000};
    const struct onward_tlsrpt_report_opts opts = some_opts();
    const struct onward_source *source = NULL;
    struct onward_tlsrpt_report *r = NULL;
    struct onward_builder *b = NULL;
    struct onward_str name;
    struct t_world w;
    char out[4096];
    size_t len = 0;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, &opts, &r), 0);
    assert_int_equal(onward_tlsrpt_report_json(r, &name), ONWARD_ESTATE);
    assert_int_equal(onward_tlsrpt_report_file_name(r, S("001"), 1, &name), 0);
    t_assert_str(name, "company-x.example!company-y.example!1459468800!"
                       "1459555199!001.json.gz");
    assert_int_equal(onward_tlsrpt_report_file_name(r, S("a/b"), 1, &name),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_builder_new(w.ctx, &mail, &b), 0);
    onward_builder_add_address(b, ONWARD_BUILDER_FROM, S(""), S("a@b.example"));
    assert_int_equal(onward_tlsrpt_report_mail(r, b, S("\x1f\x8b"), 1), 0);
    assert_int_equal(onward_builder_source(b, &source), 0);
    while (len < source->len) {
        size_t got = 0;

        assert_int_equal(source->read(source->user, len, out + len,
                                      sizeof(out) - 1 - len, &got),
                         0);
        len += got;
    }
    out[len] = '\0';
    assert_non_null(strstr(out, "Subject: Report Domain: company-y.example"));
    assert_non_null(strstr(out, "TLS-Report-Domain: company-y.example\r\n"));
    assert_non_null(strstr(out, "TLS-Report-Submitter: company-x.example\r\n"));
    assert_non_null(strstr(out, "multipart/report; report-type=tlsrpt"));
    assert_non_null(strstr(out, "Content-Type: application/tlsrpt+gzip"));
    assert_non_null(strstr(out, "\r\n\r\nH4s=\r\n"));
    onward_builder_free(b);
    onward_tlsrpt_report_free(r);
    t_world_clear(&w);
}

static void test_limits_and_errors(void **state)
{
    struct onward_tlsrpt_report_opts opts = some_opts();
    struct onward_tlsrpt_session s = some_session();
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    struct onward_tlsrpt_policy p = {.size = sizeof(p)};
    struct onward_tlsrpt_report *r = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    opts.max_policies = opts.max_failures = 1;
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, &opts, &r), 0);
    s.result_type = S("certificate-expired");
    assert_int_equal(onward_tlsrpt_report_add(r, &s), 0);
    s.is_further = 1;
    assert_int_equal(onward_tlsrpt_report_add(r, &s), 0);
    s.is_further = 0;
    s.result_type = S("validation-failure");
    assert_int_equal(onward_tlsrpt_report_add(r, &s), ONWARD_ELIMIT);
    s.type = ONWARD_TLSRPT_NO_POLICY;
    s.count = 7;
    assert_int_equal(onward_tlsrpt_report_add(r, &s), ONWARD_ELIMIT);
    onward_tlsrpt_report_facts(r, &facts);
    assert_int_equal(facts.lost, 7);
    onward_tlsrpt_report_policy(r, 0, &p);
    assert_int_equal(p.failures, 2);
    assert_int_equal(p.failure_count, 1);
    s.type = 4;
    assert_int_equal(onward_tlsrpt_report_add(r, &s), ONWARD_EINVAL);
    s.type = 1;
    s.sending_ip = S("1.2.3");
    assert_int_equal(onward_tlsrpt_report_add(r, &s), ONWARD_ESYNTAX);
    onward_tlsrpt_report_free(r);
    opts.contact = S("a@b\r\nX: y");
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, &opts, &r),
                     ONWARD_ESYNTAX);
    opts = some_opts();
    opts.end_s = 1;
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, &opts, &r), ONWARD_EINVAL);
    assert_int_equal(onward_tlsrpt_report_new(w.ctx, NULL, &r), ONWARD_EINVAL);
    t_world_clear(&w);
}

static const struct odd {
    const char *name, *json;
    int ret;
    size_t oddities, policies;
} odds[] = {
    {"no JSON", "x", ONWARD_ESYNTAX, 0, 0},
    {"cut off", "{\"policies\":[", ONWARD_ESYNTAX, 0, 0},
    {"no report", "{\"a\":1}", ONWARD_ESYNTAX, 0, 0},
    {"an array", "[]", ONWARD_ESYNTAX, 0, 0},
    {"nothing in it", "{\"policies\":[]}", 0, ONWARD_TLSRPT_ODDITY_MISSING, 0},
    {"one policy, no array",
     "{\"policies\":{\"policy\":{\"policy-type\":\"tlsa\"}}}", 0,
     ONWARD_TLSRPT_ODDITY_MISSING | ONWARD_TLSRPT_ODDITY_TYPE, 1},
    {"another type, a number as a string, negative",
     "{\"policies\":[{\"policy\":{\"policy-type\":\"x\",\"policy-domain\":"
     "\"a\"},\"summary\":{\"total-successful-session-count\":\"12\","
     "\"total-failure-session-count\":-1}}]}",
     0,
     ONWARD_TLSRPT_ODDITY_MISSING | ONWARD_TLSRPT_ODDITY_TYPE |
         ONWARD_TLSRPT_ODDITY_VALUE,
     1},
    {"bad date",
     "\xef\xbb\xbf{\"date-range\":{\"start-datetime\":\"2016-13-01T00:00:00Z\","
     "\"end-datetime\":\"2016-04-02T01:00:00.5+01:00\"},\"policies\":[]}",
     0,
     ONWARD_TLSRPT_ODDITY_MISSING | ONWARD_TLSRPT_ODDITY_VALUE |
         ONWARD_TLSRPT_ODDITY_LEADING,
     0},
};

static void test_odd(void **state)
{
    const struct odd *row = *state;
    struct onward_tlsrpt_report_fault fault = {.size = sizeof(fault)};
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    struct onward_tlsrpt_report *r = NULL;
    struct t_world w;

    t_world_init(&w);
    assert_int_equal(onward_tlsrpt_report_parse(
                         w.ctx, NULL, onward_str_of(row->json), &r, &fault),
                     row->ret);
    if (row->ret != 0) {
        assert_int_equal(fault.line, 1);
        assert_non_null(fault.text);
    } else {
        onward_tlsrpt_report_facts(r, &facts);
        assert_int_equal(facts.oddities, row->oddities);
        assert_int_equal(facts.policy_count, row->policies);
        if (facts.end_s != 0)
            assert_int_equal(facts.end_s, 1459555200);
    }
    onward_tlsrpt_report_free(r);
    t_world_clear(&w);
}

enum { ODDS = sizeof(odds) / sizeof(odds[0]) };

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_example), cmocka_unit_test(test_all_ways),
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_mail),
        cmocka_unit_test(test_limits_and_errors)};
    struct CMUnitTest rows[ODDS];

    for (size_t i = 0; i < ODDS; i++)
        rows[i] = (struct CMUnitTest){.name = odds[i].name,
                                      .test_func = test_odd,
                                      .initial_state = (void *)&odds[i]};
    return cmocka_run_group_tests(tests, NULL, NULL) +
           cmocka_run_group_tests_name("odd", rows, NULL, NULL);
}
