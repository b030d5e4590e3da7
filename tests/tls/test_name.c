/*
 * Which names in a certificate cover a host (RFC 9525 section 6.3), and the
 * words for failures.
 */
#include "support/support.h"
#include "tls/tls_shared.h"

static const struct row {
    const char *name;
    struct onward_str presented;
    struct onward_str host;
    bool want;
} rows[] = {
#define N(text)                                                                \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }
    {"equal", N("mx.example.org"), N("mx.example.org"), true},
    {"case", N("MX.Example.Org"), N("mx.exAmple.orG"), true},
    {"A-label", N("xn--mller-kva.example"), N("XN--mller-kva.example"), true},
    {"underscore", N("a_b.example"), N("a_b.example"), true},
    {"other", N("mx.example.org"), N("mx.example.com"), false},
    {"longer", N("mx.example.org"), N("mx.example.org.uk"), false},
    {"shorter", N("mx.example.org"), N("example.org"), false},
    {"wildcard", N("*.example.org"), N("mx.example.org"), true},
    {"wildcard over an A-label", N("*.example.org"), N("xn--a.example.org"),
     true},
    {"wildcard, case", N("*.EXAMPLE.org"), N("mx.example.ORG"), true},
    {"wildcard over two labels", N("*.example.org"), N("a.b.example.org"),
     false},
    {"wildcard over none", N("*.example.org"), N("example.org"), false},
    {"wildcard over an empty label", N("*.example.org"), N(".example.org"),
     false},
    {"wildcard behind", N("mx.*.org"), N("mx.example.org"), false},
    {"double wildcard", N("*.*.org"), N("mx.example.org"), false},
    {"bare wildcard", N("*"), N("localhost"), false},
    {"bare wildcard and a dot", N("*."), N("mx."), false},
    {"partial, left", N("m*.example.org"), N("mx.example.org"), false},
    {"partial, right", N("*x.example.org"), N("mx.example.org"), false},
    {"partial in an A-label", N("xn--*.example.org"), N("xn--a.example.org"),
     false},
    {"two stars", N("**.example.org"), N("mx.example.org"), false},
    {"host with a star", N("*.example.org"), N("*.example.org"), false},
    {"NUL behind", N("mx.example.org\0"), N("mx.example.org"), false},
    {"NUL and more", N("mx.example.org\0.evil.example"), N("mx.example.org"),
     false},
    {"NUL on both sides", N("mx\0.example.org"), N("mx\0.example.org"), false},
    {"NUL in the wildcard's base", N("*.exa\0mple.org"), N("mx.exa\0mple.org"),
     false},
    {"octets above 127", N("m\xc3\xbcller.example"), N("m\xc3\xbcller.example"),
     false},
    {"blank", N("mx .example.org"), N("mx .example.org"), false},
    {"final dot in the certificate", N("mx.example.org."), N("mx.example.org"),
     false},
    {"two dots", N("mx..example.org"), N("mx..example.org"), false},
    {"leading dot", N(".example.org"), N("mx.example.org"), false},
    {"empty", N(""), N(""), false},
    {"empty host", N("*.example.org"), N(""), false},
    {"slash", N("mx/example.org"), N("mx/example.org"), false},
#undef N
};

static void test_row(void **state)
{
    const struct row *row = *state;

    assert_int_equal(onward_tls__name_covers(row->presented, row->host),
                     row->want);
}

/* RFC 8460 section 4.3: the result types of STARTTLS and of certificates. */
static void test_failure_words(void **state)
{
    static const char *const types[] = {
        "starttls-not-supported", "certificate-host-mismatch",
        "certificate-expired",    "certificate-not-trusted",
        "validation-failure",     "tlsa-invalid",
        "dnssec-invalid",         "dane-required"};

    (void)state;
    for (int i = -1; i <= ONWARD_TLS_DANE_REQUIRED + 1; i++) {
        const char *report = onward_tls_failure_report(i);
        bool known = i == ONWARD_TLS_OK && report[0] == '\0';

        for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++)
            known = known || strcmp(report, types[j]) == 0;
        assert_true(known);
        assert_true(strlen(onward_tls_failure_name(i)) > 1);
        assert_true(strlen(onward_tls_failure_text(i)) > 10);
        for (int j = 0; j < i && i <= ONWARD_TLS_DANE_REQUIRED; j++)
            assert_string_not_equal(onward_tls_failure_name(i),
                                    onward_tls_failure_name(j));
    }
    assert_string_equal(onward_tls_failure_name(ONWARD_TLS_NAME_MISMATCH),
                        "name-mismatch");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_NAME_MISMATCH),
                        "certificate-host-mismatch");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_EXPIRED),
                        "certificate-expired");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_UNTRUSTED),
                        "certificate-not-trusted");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_NOT_OFFERED),
                        "starttls-not-supported");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_TLSA_MISMATCH),
                        "validation-failure");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_TLSA_INVALID),
                        "tlsa-invalid");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_DNSSEC_INVALID),
                        "dnssec-invalid");
    assert_string_equal(onward_tls_failure_report(ONWARD_TLS_DANE_REQUIRED),
                        "dane-required");
    assert_string_equal(onward_tls_failure_name(999), "unknown");
    assert_string_equal(onward_tls_failure_name(INT32_MIN), "unknown");
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int main(void)
{
    struct CMUnitTest tests[ROWS + 1] = {cmocka_unit_test(test_failure_words)};

    for (size_t i = 0; i < ROWS; i++) {
        tests[i + 1].name = rows[i].name;
        tests[i + 1].test_func = test_row;
        tests[i + 1].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
