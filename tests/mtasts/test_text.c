/* Records and policies: what is wrong and where; patterns; what is written. */
#include <onward/mtasts.h>

#include "core/core_shared.h"
#include "support/support.h"

/* A constant, which a compound literal is not. */
#define TEXT(literal)                                                          \
    {                                                                          \
        "" literal "", sizeof(literal) - 1                                     \
    }
#define FINE 0, ONWARD_MTASTS_FLAW_NONE, 0
#define BAD(flaw, offset) ONWARD_ESYNTAX, ONWARD_MTASTS_FLAW_##flaw, offset
#define FOREIGN ONWARD_ENOENT, ONWARD_MTASTS_FLAW_NONE, 0

/* is_lint: senders take it all the same. */
static const struct row {
    const char *name;
    struct onward_str text;
    int ret;
    enum onward_mtasts_flaw flaw;
    size_t offset;
} records[] = {
    {"as in the standard", TEXT("v=STSv1; id=20160831085700Z;"), FINE},
    {"an extension", TEXT("v=STSv1; a.b-c_d=x:y/z; id=1"), FINE},
    {"for something else", TEXT("v=spf1 -all"), FOREIGN},
    {"nothing", TEXT(""), FOREIGN},
    {"version alone", TEXT("v=STSv1"), FOREIGN},
    {"version and blanks", TEXT("v=STSv1  "), FOREIGN},
    {"no id", TEXT("v=STSv1;"), BAD(NO_ID, 8)},
    {"an empty id", TEXT("v=STSv1; id=;"), BAD(ID, 12)},
    {"an id with a dash", TEXT("v=STSv1; id=2020-01-01"), BAD(ID, 12)},
    {"33 octets of id", TEXT("v=STSv1; id=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     BAD(ID, 12)},
    {"a key of 33 octets",
     TEXT("v=STSv1; aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=x; id=1"), BAD(KEY, 9)},
    {"a blank before =", TEXT("v=STSv1; id =1"), BAD(KEY, 9)},
    {"no =", TEXT("v=STSv1; id=1; x"), BAD(NO_DELIMITER, 15)},
    {"two semicolons", TEXT("v=STSv1; id=1;;"), BAD(NO_DELIMITER, 14)},
    {"a value with =", TEXT("v=STSv1; id=1; x=a=b"), BAD(VALUE, 18)},
    {"a value with NUL", TEXT("v=STSv1; id=1; x=a\0b"), BAD(VALUE, 18)},
    {"no ASCII", TEXT("v=STSv1; id=1; x=\xc3\xbc"), BAD(VALUE, 17)},
    {"an empty value", TEXT("v=STSv1; x=; id=1"), BAD(VALUE, 11)},
    {"linters: id twice", TEXT("v=STSv1; id=1; id=2"), BAD(REPEATED, 15)},
};

#define V "version: STSv1\n"
#define M "mode: enforce\n"
#define X "mx: a.example\n"
#define A "max_age: 604800\n"

static const struct row policies[] = {
    {"all", TEXT(V M X A), FINE},
    {"any order", TEXT(A X M V), FINE},
    {"none without mx", TEXT(V "mode: none\n" A), FINE},
    {"tabs", TEXT("version:\tSTSv1\t\n" M X A), FINE},
    {"UTF-8 in an extension", TEXT(V M X A "note: gr\xc3\xbc\xc3\x9f\n"), FINE},
    {"the longest life", TEXT(V M X "max_age: 31557600"), FINE},
    {"nothing", TEXT(""), BAD(NO_VERSION, 0)},
    {"no version", TEXT(M X A), BAD(NO_VERSION, 44)},
    {"no mode", TEXT(V X A), BAD(NO_MODE, 45)},
    {"no max_age", TEXT(V M X), BAD(NO_MAX_AGE, 43)},
    {"no mx", TEXT(V M A), BAD(NO_MX, 45)},
    {"another version", TEXT("version: STSv2\n" M X A), BAD(VERSION, 9)},
    {"a mode nobody knows", TEXT(V "mode: strict\n" X A), BAD(MODE, 21)},
    {"an empty mode", TEXT(V "mode:\n" X A), BAD(MODE, 20)},
    {"a second too much", TEXT(V M X "max_age: 31557601"), BAD(MAX_AGE, 52)},
    {"18446744073709551616 seconds",
     TEXT(V M X "max_age: 18446744073709551616"), BAD(MAX_AGE, 52)},
    {"a week in words", TEXT(V M X "max_age: 1 week"), BAD(MAX_AGE, 52)},
    {"a bare star", TEXT(V M "mx: *\n" A), BAD(MX, 33)},
    {"a star inside", TEXT(V M "mx: a.*.example\n" A), BAD(MX, 33)},
    {"two stars", TEXT(V M "mx: *.*.example\n" A), BAD(MX, 33)},
    {"a star and letters", TEXT(V M "mx: m*.example\n" A), BAD(MX, 33)},
    {"a leading dot", TEXT(V M "mx: .example\n" A), BAD(MX, 33)},
    {"a final dot", TEXT(V M "mx: a.example.\n" A), BAD(MX, 33)},
    {"a U-label", TEXT(V M "mx: m\xc3\xbcller.example\n" A), BAD(MX, 33)},
    {"the second mx", TEXT(V M X "mx: a b\n" A), BAD(MX, 47)},
    {"no colon", TEXT(V "mode enforce\n" X A), BAD(NO_DELIMITER, 15)},
    {"a blank before the key", TEXT(V " " M X A), BAD(KEY, 15)},
    {"a blank before the colon", TEXT(V "mode : enforce\n" X A), BAD(KEY, 15)},
    {"a mark of order", TEXT("\xef\xbb\xbf" V M X A), BAD(KEY, 0)},
    {"a bare CR", TEXT("version: STSv1\r" M X A), BAD(OCTET, 14)},
    {"a CR at the end", TEXT(V M X "max_age: 604800\r"), BAD(OCTET, 58)},
    {"a NUL", TEXT(V M "mx: a\0.example\n" A), BAD(OCTET, 34)},
    {"no UTF-8", TEXT(V M X A "note: \xff\n"), BAD(OCTET, 65)},
    {"a page", TEXT("<html><body>404</body></html>"), BAD(NO_DELIMITER, 0)},
    {"linters: mode twice", TEXT(V M "mode: none\n" X A), BAD(REPEATED, 29)},
    {"linters: a blank line", TEXT(V "\r\n" M X A), BAD(BLANK_LINE, 15)},
    {"linters: an hour", TEXT(V M X "max_age: 3600"), BAD(SHORT_LIFE, 52)},
    {"linters: an empty extension", TEXT(V M X A "x:\n"), BAD(VALUE, 61)},
};

static bool is_lint(const struct row *row)
{
    return strncmp(row->name, "linters", 7) == 0;
}

static void check_fault(const struct row *row,
                        const struct onward_mtasts_fault *fault)
{
    if (fault->flaw != row->flaw || fault->offset != row->offset)
        fail_msg("flaw %zu at %zu: %s", fault->flaw, fault->offset,
                 fault->text);
    assert_true(fault->text[0] != '\0');
}

static void test_record(void **state)
{
    const struct row *row = *state;
    struct onward_mtasts_record record = {.size = sizeof(record)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};

    assert_int_equal(onward_mtasts_record_lint(row->text, &fault), row->ret);
    assert_int_equal(onward_mtasts_record_lint(row->text, NULL), row->ret);
    if (row->ret == ONWARD_ESYNTAX)
        check_fault(row, &fault);
    memset(&fault, 0, sizeof(fault));
    fault.size = sizeof(fault);
    assert_int_equal(onward_mtasts_record_parse(row->text, &record, &fault),
                     is_lint(row) ? 0 : row->ret);
    if (!is_lint(row) && row->ret == ONWARD_ESYNTAX)
        check_fault(row, &fault);
    assert_true((record.id.len != 0) == (is_lint(row) || row->ret == 0));
}

static void test_policy(void **state)
{
    const struct row *row = *state;
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};

    assert_int_equal(onward_mtasts_policy_lint(row->text, &fault), row->ret);
    assert_int_equal(onward_mtasts_policy_lint(row->text, NULL), row->ret);
    if (row->ret == ONWARD_ESYNTAX)
        check_fault(row, &fault);
    memset(&fault, 0, sizeof(fault));
    fault.size = sizeof(fault);
    assert_int_equal(onward_mtasts_policy_parse(row->text, &policy, &fault),
                     is_lint(row) ? 0 : row->ret);
    if (!is_lint(row) && row->ret == ONWARD_ESYNTAX) {
        check_fault(row, &fault);
        assert_int_equal(fault.is_void, 1);
    }
    /* A failure leaves what was there. */
    assert_true((policy.mode != 0) == (is_lint(row) || row->ret == 0));
}

static void several_records_are_none(void **state)
{
    const struct onward_str texts[] = {ONWARD_STR("v=spf1 -all"),
                                       ONWARD_STR("v=STSv1; id=1"),
                                       ONWARD_STR("v=STSv1; broken")};
    struct onward_mtasts_record record = {.size = sizeof(record)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};

    (void)state;
    assert_int_equal(onward_mtasts_records_parse(texts, 0, &record, NULL),
                     ONWARD_ENOENT);
    assert_int_equal(onward_mtasts_records_parse(texts, 1, &record, NULL),
                     ONWARD_ENOENT);
    assert_int_equal(onward_mtasts_records_parse(texts, 2, &record, NULL), 0);
    t_assert_str(record.id, "1");
    /* One that is faulty counts too: which of them was meant? */
    assert_int_equal(onward_mtasts_records_parse(texts, 3, &record, &fault),
                     ONWARD_ESYNTAX);
    assert_int_equal(fault.flaw, ONWARD_MTASTS_FLAW_SEVERAL);
}

/* RFC 8461 section 4.1; A033: a star is one whole label on the left. */
static void patterns_of_a_policy(void **state)
{
    static const struct {
        const char *host;
        int want;
    } hosts[] = {
        {"mail.example.com", 1},
        {"MAIL.Example.COM.", 1},
        {"a.example.net", 1},
        {"b.a.example.net", 0},
        {"example.net", 0},
        {".example.net", 0},
        {"aexample.net", 0},
        {"mail.example.com..", 0},
        {"*.example.net", 0},
        {"", 0},
        {".", 0},
    };
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    const struct onward_str text =
        ONWARD_STR("version: STSv1\r\nmode: enforce\r\n"
                   "mx: mail.example.com\r\nmx: *.example.net\r\n"
                   "mx: backupmx.example.com\r\nmax_age: 604800\r\n");
    struct onward_str rest = text, pattern;

    (void)state;
    assert_int_equal(onward_mtasts_policy_parse(text, &policy, NULL), 0);
    assert_int_equal(policy.mode, ONWARD_MTASTS_MODE_ENFORCE);
    assert_int_equal(policy.max_age_s, 604800);
    assert_int_equal(policy.mx_count, 3);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (onward_mtasts_mx_matches(&policy, onward_str_of(hosts[i].host)) !=
            hosts[i].want)
            fail_msg("%s", hosts[i].host);
    }
    assert_int_equal(onward_mtasts_mx_next(&rest, &pattern), 1);
    t_assert_str(pattern, "mail.example.com");
    assert_int_equal(onward_mtasts_mx_next(&rest, &pattern), 1);
    t_assert_str(pattern, "*.example.net");
    assert_int_equal(onward_mtasts_mx_next(&rest, &pattern), 1);
    t_assert_str(pattern, "backupmx.example.com");
    assert_int_equal(onward_mtasts_mx_next(&rest, &pattern), 0);
    assert_int_equal(onward_mtasts_mx_next(&rest, &pattern), 0);
    assert_int_equal(onward_mtasts_mx_matches(NULL, ONWARD_STR("a.b")), 0);
}

static void a_policy_has_a_longest_length(void **state)
{
    size_t len = ONWARD_MTASTS_POLICY_MAX;
    char *text = malloc(len + 1);
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};
    const struct onward_str head = ONWARD_STR(V M X A "x: ");

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len + 1);
    memcpy(text, head.data, head.len);
    assert_int_equal(
        onward_mtasts_policy_parse(onward_core__str(text, len), &policy, NULL),
        0);
    assert_int_equal(onward_mtasts_policy_parse(onward_core__str(text, len + 1),
                                                &policy, &fault),
                     ONWARD_ESYNTAX);
    assert_int_equal(fault.flaw, ONWARD_MTASTS_FLAW_TOO_LONG);
    free(text);
}

/* ---- What is written --------------------------------------------------- */

static void what_is_written_reads_back(void **state)
{
    const struct onward_str mx[] = {ONWARD_STR("mail.example.com"),
                                    ONWARD_STR("*.example.net")};
    const char *want = "version: STSv1\r\nmode: testing\r\n"
                       "mx: mail.example.com\r\nmx: *.example.net\r\n"
                       "max_age: 604800\r\n";
    struct onward_mtasts_policy_opts o = {.size = sizeof(o),
                                          .mode = ONWARD_MTASTS_MODE_TESTING,
                                          .mx = mx,
                                          .mx_count = 2};
    char out[256];
    int len = onward_mtasts_policy_write(&o, out, sizeof(out));

    (void)state;
    assert_int_equal(len, (int)strlen(want));
    assert_memory_equal(out, want, (size_t)len);
    for (size_t cap = 0; cap < (size_t)len; cap++)
        assert_int_equal(onward_mtasts_policy_write(&o, out, cap),
                         ONWARD_ELIMIT);
    assert_int_equal(onward_mtasts_policy_write(&o, out, (size_t)len), len);
    len = onward_mtasts_record_write(ONWARD_STR("20160831085700Z"), out,
                                     sizeof(out));
    t_assert_str(onward_core__str(out, (size_t)len),
                 "v=STSv1; id=20160831085700Z;");
}

static void what_is_no_policy_is_not_written(void **state)
{
    const struct onward_str good = ONWARD_STR("mail.example.com");
    const struct onward_str bad = ONWARD_STR("mail.example.com\r\nmode: none");
    struct onward_mtasts_policy_opts o = {.size = sizeof(o),
                                          .mode = ONWARD_MTASTS_MODE_ENFORCE};
    char out[256];

    (void)state;
    assert_int_equal(onward_mtasts_policy_write(&o, out, sizeof(out)),
                     ONWARD_EINVAL);
    o.mx = &bad;
    o.mx_count = 1;
    assert_int_equal(onward_mtasts_policy_write(&o, out, sizeof(out)),
                     ONWARD_ESYNTAX);
    o.mx = &good;
    o.max_age_s = ONWARD_MTASTS_MAX_AGE_MAX + 1;
    assert_int_equal(onward_mtasts_policy_write(&o, out, sizeof(out)),
                     ONWARD_ESYNTAX);
    o.max_age_s = ONWARD_LIMIT_ZERO;
    assert_int_equal(onward_mtasts_policy_write(&o, out, sizeof(out)), 65);
    o.mode = 4;
    assert_int_equal(onward_mtasts_policy_write(&o, out, sizeof(out)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_policy_write(NULL, out, sizeof(out)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_policy_write(&o, NULL, 0), ONWARD_EINVAL);
    assert_int_equal(
        onward_mtasts_record_write(ONWARD_STR("a;b"), out, sizeof(out)),
        ONWARD_ESYNTAX);
    assert_int_equal(onward_mtasts_record_write(ONWARD_STR("a"), out, 13),
                     ONWARD_ELIMIT);
}

static void every_reason_has_its_words(void **state)
{
    (void)state;
    for (int i = 1; i <= ONWARD_MTASTS_REASON_INTERNAL; i++) {
        assert_true(onward_mtasts_reason_name(i)[0] != '\0');
        assert_true(onward_mtasts_reason_text(i)[0] != '\0');
    }
    assert_string_equal(onward_mtasts_reason_name(0), "");
    assert_string_equal(onward_mtasts_reason_name(-1), "");
    assert_string_equal(onward_mtasts_reason_text(23), "");
    assert_string_equal(
        onward_mtasts_reason_report(ONWARD_MTASTS_REASON_STATUS),
        "sts-policy-fetch-error");
    assert_string_equal(
        onward_mtasts_reason_report(ONWARD_MTASTS_REASON_BAD_POLICY),
        "sts-policy-invalid");
    assert_string_equal(onward_mtasts_reason_report(ONWARD_MTASTS_REASON_TLS),
                        "sts-webpki-invalid");
}

static size_t add(struct CMUnitTest *tests, size_t count,
                  const struct row *rows, size_t row_count,
                  void (*run)(void **state))
{
    for (size_t i = 0; i < row_count; i++)
        tests[count++] = (struct CMUnitTest){.name = rows[i].name,
                                             .test_func = run,
                                             .initial_state = (void *)&rows[i]};
    return count;
}

int main(void)
{
    static struct CMUnitTest rows[128];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_records_are_none),
        cmocka_unit_test(patterns_of_a_policy),
        cmocka_unit_test(a_policy_has_a_longest_length),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_is_no_policy_is_not_written),
        cmocka_unit_test(every_reason_has_its_words),
    };
    size_t count = add(rows, 0, records, sizeof(records) / sizeof(records[0]),
                       test_record);

    count = add(rows, count, policies, sizeof(policies) / sizeof(policies[0]),
                test_policy);
    return _cmocka_run_group_tests("rows", rows, count, NULL, NULL) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
