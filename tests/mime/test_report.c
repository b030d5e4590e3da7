/*
 * Fields of reports, and that nothing which came with a message writes one.
 */
#include <onward/mime_report.h>

#include "mime/built.h"

#define ORIGINAL "From: x@example.com\r\n\r\n"

/* The fields of the report; free() it. */
static char *fields_of(struct onward_builder *b, const char *type)
{
    char *message = t_message(b), *from, *to, *fields;
    char start[200];

    snprintf(start, sizeof(start), "\r\nContent-Type: %s\r\n\r\n", type);
    from = strstr(message, start);
    assert_non_null(from);
    from += strlen(start);
    to = strstr(from, "\r\n--=_");
    assert_non_null(to);
    *to = '\0';
    fields = calloc(1, strlen(from) + 1);
    assert_non_null(fields);
    memcpy(fields, from, strlen(from));
    free(message);
    return fields;
}

static void test_mdn(void **state)
{
    struct onward_report_mdn mdn = {
        .size = sizeof(mdn),
        .disposition = ONWARD_REPORT_DISPLAYED,
        .is_manual = 1,
        .reporting_ua = ONWARD_STR("joes-pc.cs.example.com; x"),
        .product = ONWARD_STR("Foomail 97.1"),
        .final_recipient = ONWARD_STR("Joe_Recipient@example.com"),
        .original_message_id = ONWARD_STR("199509192301.23456@example.org"),
        .original = ONWARD_STR(ORIGINAL),
        .is_header_only = 1};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *fields;

    (void)state;
    mdn.disposition = 0;
    assert_int_equal(onward_builder_set_mdn(b, &mdn), ONWARD_EINVAL);
    mdn.disposition = 5;
    assert_int_equal(onward_builder_set_mdn(b, &mdn), ONWARD_EINVAL);
    mdn.disposition = ONWARD_REPORT_DISPLAYED;
    assert_int_equal(onward_builder_set_mdn(b, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_builder_set_mdn(b, &mdn), 0);
    assert_int_equal(onward_builder_set_mdn(b, &mdn), ONWARD_ESTATE);
    fields = fields_of(b, "message/disposition-notification");
    /* As the example of RFC 8098 section 9 has it. */
    assert_string_equal(
        fields, "Reporting-UA: joes-pc.cs.example.com; Foomail 97.1\r\n"
                "Final-Recipient: rfc822; Joe_Recipient@example.com\r\n"
                "Original-Message-ID: <199509192301.23456@example.org>\r\n"
                "Disposition: manual-action/MDN-sent-automatically; "
                "displayed\r\n");
    free(fields);
    t_end(&w, b);
}

static const struct onward_str nasty = T_STR("a\r\nBcc: b\\\xff\x7f");

static void test_values_write_no_field(void **state)
{
    const struct onward_report_mdn mdn = {
        .size = sizeof(mdn),
        .disposition = ONWARD_REPORT_DELETED,
        .reporting_ua = nasty,
        .product = nasty,
        .original_recipient = nasty,
        .final_recipient = nasty,
        .original_message_id = nasty,
        .error = nasty};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *fields;

    (void)state;
#define SAFE "a\\x0D\\x0ABcc: b\\x5C\\xFF\\x7F"
    assert_int_equal(onward_builder_set_mdn(b, &mdn), 0);
    fields = fields_of(b, "message/disposition-notification");
    assert_string_equal(
        fields, "Reporting-UA: " SAFE "; " SAFE "\r\n"
                "Original-Recipient: rfc822; " SAFE "\r\n"
                "Final-Recipient: rfc822; " SAFE "\r\n"
                "Original-Message-ID: <" SAFE ">\r\n"
                "Disposition: automatic-action/MDN-sent-automatically; "
                "deleted/error\r\n"
                "Error: " SAFE "\r\n");
    free(fields);
    t_end(&w, b);
}

static void test_feedback(void **state)
{
    static const struct onward_str rcpts[] = {T_STR("b@example.com"),
                                              T_STR("c@example.com")};
    static const struct onward_str domains[] = {T_STR("example.net")};
    const struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 1}};
    struct onward_report_feedback f = {
        .size = sizeof(f),
        .type = ONWARD_REPORT_ABUSE,
        .arrival_s = 1600000000,
        .user_agent = ONWARD_STR("SomeGenerator/1.0"),
        .mail_from = ONWARD_STR("<>"),
        .reporting_mta = ONWARD_STR("mail.example.com"),
        .source_ip = &ip,
        .source_port = 1234,
        .incidents = 3,
        .rcpts = rcpts,
        .rcpt_count = 2,
        .domains = domains,
        .domain_count = 1,
        .uris = &nasty,
        .uri_count = 1,
        .original = ONWARD_STR(ORIGINAL)};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *fields;

    (void)state;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_ESYNTAX);
    f.uri_count = 0;
    f.source_port = 65536;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    f.source_port = 1234;
    f.type = 0;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    f.type = ONWARD_REPORT_AUTH_FAILURE; /* without what failed */
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    f.type = ONWARD_REPORT_ABUSE;
    f.rcpt_count = 1001;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_ELIMIT);
    f.rcpt_count = 2;
    assert_int_equal(onward_builder_set_feedback(b, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_builder_set_feedback(b, &f), 0);
    fields = fields_of(b, "message/feedback-report");
    assert_string_equal(fields,
                        "Feedback-Type: abuse\r\n"
                        "User-Agent: SomeGenerator/1.0\r\n"
                        "Version: 1\r\n"
                        "Original-Mail-From: <>\r\n"
                        "Arrival-Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
                        "Reporting-MTA: dns; mail.example.com\r\n"
                        "Source-IP: 192.0.2.1\r\n"
                        "Source-Port: 1234\r\n"
                        "Incidents: 3\r\n"
                        "Original-Rcpt-To: <b@example.com>\r\n"
                        "Original-Rcpt-To: <c@example.com>\r\n"
                        "Reported-Domain: example.net\r\n");
    free(fields);
    t_end(&w, b);
}

static void test_authentication_failures(void **state)
{
    struct onward_report_auth auth = {
        .size = sizeof(auth),
        .type = ONWARD_REPORT_AUTH_DMARC,
        .delivery = ONWARD_REPORT_REJECT,
        .alignment = ONWARD_REPORT_ALIGNED_DKIM | ONWARD_REPORT_ALIGNED_SPF,
        .dkim_domain = ONWARD_STR("example.com"),
        .dkim_identity = ONWARD_STR("@example.com"),
        .dkim_canonical_header = ONWARD_STR("from:x"),
        .spf_domain = ONWARD_STR("example.com"),
        .spf_record = ONWARD_STR("v=spf1 \"-all\\\n")};
    struct onward_report_feedback f = {
        .size = sizeof(f),
        .type = ONWARD_REPORT_AUTH_FAILURE,
        .user_agent = ONWARD_STR("x/1"),
        .mail_from = ONWARD_STR("a@example.com"),
        .authentication_results = ONWARD_STR("mx.example.net;\r\n dmarc=fail"),
        .auth = &auth,
        .original = ONWARD_STR(ORIGINAL),
        .is_header_only = 1};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *fields;

    (void)state;
    /* d= and i= without s=. */
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    auth.dkim_selector = ONWARD_STR("sel");
    auth.type = 6;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    auth.type = ONWARD_REPORT_AUTH_DMARC;
    auth.delivery = 6;
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    auth.delivery = ONWARD_REPORT_REJECT;
    f.original = ONWARD_STR("");
    assert_int_equal(onward_builder_set_feedback(b, &f), ONWARD_EINVAL);
    f.original = ONWARD_STR(ORIGINAL);
    assert_int_equal(onward_builder_set_feedback(b, &f), 0);
    fields = fields_of(b, "message/feedback-report");
    assert_string_equal(
        fields, "Feedback-Type: auth-failure\r\n"
                "User-Agent: x/1\r\n"
                "Version: 1\r\n"
                "Original-Mail-From: <a@example.com>\r\n"
                "Authentication-Results: mx.example.net; dmarc=fail\r\n"
                "Auth-Failure: dmarc\r\n"
                "Delivery-Result: reject\r\n"
                "Identity-Alignment: dkim, spf\r\n"
                "DKIM-Domain: example.com\r\n"
                "DKIM-Identity: @example.com\r\n"
                "DKIM-Selector: sel\r\n"
                "DKIM-Canonicalized-Header: ZnJvbTp4\r\n"
                "SPF-DNS: txt : example.com :\r\n"
                " \"v=spf1 \\\"-all\\\\?\"\r\n");
    free(fields);
    t_end(&w, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mdn),
        cmocka_unit_test(test_values_write_no_field),
        cmocka_unit_test(test_feedback),
        cmocka_unit_test(test_authentication_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
