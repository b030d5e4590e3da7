/* What a message adds to an aggregate report (RFC 9990). */
#include <onward/verify.h>

#include "support/support.h"

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_verifier *verifier;
    struct onward_dmarc_row *row;
    struct onward_ip ip;
};

/* b.example and its parts are one organization; its SPF allows 192.0.2.9. */
static const char zone[] =
    "b.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.b.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.t.example TXT \"v=DMARC1; p=quarantine; t=y\"\n"
    "_dmarc.n.example TXT \"v=DMARC1; p=none\"\n"
    "n.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.s.example TXT !SERVFAIL\n";

static void begin(struct world *x)
{
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = 1};

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &x->ip), 0);
    assert_int_equal(onward_dmarc_row_new(x->w.ctx, &x->row), 0);
}

static void end(struct world *x)
{
    onward_dmarc_row_free(x->row);
    onward_verifier_free(x->verifier);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void verify(struct world *x, const char *mail_from, const char *message,
                   bool has_client)
{
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     .authserv_id = ONWARD_STR("mx.r.example"),
                                     .helo = ONWARD_STR("b.example"),
                                     .max_authors = 2,
                                     .mail_from = onward_str_of(mail_from)};

    if (has_client)
        o.client_ip = &x->ip;
    assert_int_equal(onward_verifier_new(x->resolver, &o, NULL, &x->verifier),
                     0);
    assert_int_equal(
        onward_verifier_report_row(x->verifier, 0, ONWARD_STR(""), x->row),
        ONWARD_ESTATE);
    assert_int_equal(
        onward_verifier_feed(x->verifier, message, strlen(message)), 0);
    assert_int_equal(onward_verifier_finish(x->verifier), 0);
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static const struct row {
    const char *name, *mail_from, *from;
    int ret;
    size_t disposition;
    const char *aligned; /* "D" or "d", "S" or "s" */
    const char *envelope_from, *reason, *spf;
} rows[] = {
    {"a pass under an enforced policy", "u@b.example", "b.example", 0,
     ONWARD_DMARC_DISPOSITION_PASS, "dS", "b.example", "",
     "b.example mfrom pass"},
    {"a pass where nothing is asked for", "u@n.example", "n.example", 0,
     ONWARD_DMARC_DISPOSITION_NONE, "dS", "n.example", "",
     "n.example mfrom pass"},
    {"the null reverse-path", "", "www.b.example", 0,
     ONWARD_DMARC_DISPOSITION_PASS, "dS", "", "", "b.example mfrom pass"},
    {"p=reject alone", "u@n.example", "b.example", 0,
     ONWARD_DMARC_DISPOSITION_QUARANTINE, "ds", "n.example", "local_policy",
     "n.example mfrom pass"},
    {"t=y", "u@n.example", "t.example", 0, ONWARD_DMARC_DISPOSITION_NONE, "ds",
     "n.example", "policy_test_mode", "n.example mfrom pass"},
    {"no policy", "u@b.example", "none.example", ONWARD_ENOENT, 0, "", "", "",
     ""},
    {"nobody knows", "u@b.example", "s.example", ONWARD_ENOENT, 0, "", "", "",
     ""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dmarc_auth_facts a = {.size = sizeof(a)};
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct onward_str type;
    char text[300];
    struct world x;

    begin(&x);
    snprintf(text, sizeof(text), "From: u@%s\r\n\r\n", row->from);
    verify(&x, row->mail_from, text, true);
    assert_int_equal(onward_verifier_report_row(x.verifier, 0,
                                                ONWARD_STR("r.example"), x.row),
                     row->ret);
    if (row->ret == 0) {
        assert_int_equal(onward_dmarc_row_get(x.row, &f), 0);
        assert_true(f.count == 1 && f.has_envelope_from == 1);
        assert_int_equal(f.disposition, row->disposition);
        assert_int_equal(f.is_dkim_aligned, row->aligned[0] == 'D');
        assert_int_equal(f.is_spf_aligned, row->aligned[1] == 'S');
        t_assert_str(f.source_ip, "192.0.2.9");
        t_assert_str(f.header_from, row->from);
        t_assert_str(f.envelope_from, row->envelope_from);
        t_assert_str(f.envelope_to, "r.example");
        onward_dmarc_row_reason(x.row, 0, &type, NULL);
        t_assert_str(type, row->reason);
        assert_int_equal(onward_dmarc_row_spf_count(x.row), 1);
        assert_int_equal(onward_dmarc_row_spf(x.row, 0, &a), 0);
        snprintf(text, sizeof(text), "%.*s %.*s %.*s", (int)a.domain.len,
                 a.domain.data, (int)a.scope.len, a.scope.data,
                 (int)a.result.len, a.result.data);
        assert_string_equal(text, row->spf);
    }
    end(&x);
}

/* Signatures of the author first, however they stand in the header; what is
 * filled in can be counted. */
static void test_signatures_and_report(void **state)
{
    static const char message[] =
        "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=a; b=AAAA\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=<&\x01; h=from;"
        " bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=AAAA\r\n"
        "From: u@b.example, u@n.example\r\n\r\n";
    struct onward_dmarc_report_opts o = {.size = sizeof(o),
                                         .org_name = ONWARD_STR("o"),
                                         .email = ONWARD_STR("e"),
                                         .report_id = ONWARD_STR("i"),
                                         .receiver = ONWARD_STR("r.example")};
    struct onward_dmarc_auth_facts a = {.size = sizeof(a)};
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct onward_dmarc_report *report = NULL;
    const struct onward_dmarc_check *check;
    struct world x;

    (void)state;
    begin(&x);
    verify(&x, "u@b.example", message, true);
    assert_int_equal(
        onward_verifier_report_row(x.verifier, 0, ONWARD_STR(""), NULL),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_verifier_report_row(x.verifier, 2, ONWARD_STR(""), x.row),
        ONWARD_ENOENT);
    /* The second author. */
    assert_int_equal(
        onward_verifier_report_row(x.verifier, 1, ONWARD_STR(""), x.row), 0);
    assert_int_equal(onward_dmarc_row_get(x.row, &f), 0);
    t_assert_str(f.header_from, "n.example");
    assert_int_equal(f.is_spf_aligned, 0);
    assert_int_equal(
        onward_verifier_report_row(x.verifier, 0, ONWARD_STR(""), x.row), 0);
    assert_int_equal(onward_dmarc_row_dkim_count(x.row), 2);
    assert_int_equal(onward_dmarc_row_dkim(x.row, 0, &a), 0);
    assert_true(a.human_result.len != 0);

    check = onward_verifier_dmarc_at(x.verifier, 0);
    o.policy_domain = onward_dmarc_check_policy_domain(check);
    o.record = onward_dmarc_check_record(check);
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &report), 0);
    assert_int_equal(onward_dmarc_report_add(report, x.row), 0);
    assert_int_equal(onward_dmarc_report_add(report, x.row), 0);
    assert_int_equal(onward_dmarc_report_row_count(report), 1);
    assert_true(onward_dmarc_report_message_count(report) == 2);
    onward_dmarc_report_free(report);
    end(&x);
}

static void test_no_client(void **state)
{
    struct world x;

    (void)state;
    begin(&x);
    verify(&x, "u@b.example", "From: u@b.example\r\n\r\n", false);
    assert_int_equal(
        onward_verifier_report_row(x.verifier, 0, ONWARD_STR(""), x.row),
        ONWARD_ENOENT);
    end(&x);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[2 + ROWS] = {
        cmocka_unit_test(test_signatures_and_report),
        cmocka_unit_test(test_no_client),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[2 + i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
