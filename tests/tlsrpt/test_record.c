/* TXT records (RFC 8460 section 3): from the test vectors where they are at
 * hand, and each flaw with its place. */
#include <onward/tlsrpt.h>

#include "support/json.h"

enum { MAX = 64 };

static bool is_rua(const struct onward_json *want, int ret,
                   struct onward_str rest)
{
    const struct onward_json *i = want->first;
    struct onward_str uri;

    if (want->type == ONWARD_JSON_NULL)
        return ret != 0;
    if (ret != 0)
        return false;
    for (; onward_tlsrpt_rua_next(&rest, &uri) == 1; i = i->next) {
        if (i == NULL || !onward_core__str_eq(i->text, uri))
            return false;
    }
    return i == NULL;
}

static void run_vector(void **state)
{
    const struct onward_json *t = *state;
    const struct onward_json *also = onward_json__get(t, "also_accept");
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_str texts[MAX];
    size_t count = 0;
    bool ok;
    int ret;

    for (const struct onward_json *i = onward_json__get(t, "txt")->first;
         i != NULL; i = i->next)
        texts[count++] = i->text;
    ret = onward_tlsrpt_records_parse(texts, count, &record, NULL);
    ok = is_rua(onward_json__get(t, "rua"), ret, record.rua);
    for (const struct onward_json *i = also == NULL ? NULL : also->first;
         i != NULL; i = i->next)
        ok = ok || is_rua(i, ret, record.rua);
    assert_true(ok);
}

static const struct row {
    const char *name, *text;
    int parse, lint;
    size_t flaw, offset;
} rows[] = {
    {"good", "v=TLSRPTv1;rua=mailto:a@example.com", 0, 0, 0, 0},
    {"blanks, last delimiter", "v=TLSRPTv1 ; rua=https://a/b , mailto:c@d ; ",
     0, 0, 0, 0},
    {"another version", "v=TLSRPTv2;rua=mailto:a@b", ONWARD_ENOENT,
     ONWARD_ENOENT, 0, 0},
    {"version in lower case", "v=tlsrptv1;rua=mailto:a@b", ONWARD_ENOENT,
     ONWARD_ENOENT, 0, 0},
    {"version alone", "v=TLSRPTv1", ONWARD_ENOENT, ONWARD_ENOENT, 0, 0},
    {"no rua", "v=TLSRPTv1;a=b", ONWARD_ESYNTAX, ONWARD_ESYNTAX,
     ONWARD_TLSRPT_FLAW_NO_RUA, 14},
    {"no equals sign", "v=TLSRPTv1;rua", ONWARD_ESYNTAX, ONWARD_ESYNTAX,
     ONWARD_TLSRPT_FLAW_NO_EQUALS, 11},
    {"no name", "v=TLSRPTv1;=x", ONWARD_ESYNTAX, ONWARD_ESYNTAX,
     ONWARD_TLSRPT_FLAW_NAME, 11},
    {"empty field", "v=TLSRPTv1;;rua=mailto:a@b", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_NO_EQUALS, 11},
    {"empty value", "v=TLSRPTv1;a=;rua=mailto:a@b", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_VALUE, 13},
    {"empty rua", "v=TLSRPTv1;rua=", ONWARD_ESYNTAX, ONWARD_ESYNTAX,
     ONWARD_TLSRPT_FLAW_URI, 15},
    {"size as DMARC has it", "v=TLSRPTv1;rua=mailto:a@b!10m", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_URI, 25},
    {"blank in a URI", "v=TLSRPTv1;rua=mailto:a@b https://c", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_URI, 25},
    {"empty URI", "v=TLSRPTv1;rua=mailto:a@b,,mailto:c@d", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_URI, 26},
    {"no scheme that we know", "v=TLSRPTv1;rua=http://a/b", ONWARD_ESYNTAX,
     ONWARD_ESYNTAX, 0, 15},
    {"lint: repeated", "v=TLSRPTv1;rua=mailto:a@b;rua=mailto:c@d", 0,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_REPEATED, 26},
    {"lint: other scheme", "v=TLSRPTv1;rua=mailto:a@b, http://a/b", 0,
     ONWARD_ESYNTAX, ONWARD_TLSRPT_FLAW_OTHER_SCHEME, 27},
    {"lint: no mailbox", "v=TLSRPTv1;rua=mailto:a", 0, ONWARD_ESYNTAX,
     ONWARD_TLSRPT_FLAW_MAILBOX, 22},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_tlsrpt_fault fault = {.size = sizeof(fault)};

    assert_int_equal(
        onward_tlsrpt_record_parse(onward_str_of(row->text), &record, NULL),
        row->parse);
    assert_int_equal(
        onward_tlsrpt_record_lint(onward_str_of(row->text), &fault), row->lint);
    if (row->flaw != 0)
        assert_int_equal(fault.flaw, row->flaw);
    assert_int_equal(fault.offset, row->offset);
}

static void test_several(void **state)
{
    const struct onward_str two[] = {ONWARD_STR("v=TLSRPTv1;rua=mailto:a@b"),
                                     ONWARD_STR("v=TLSRPTv1;rua=mailto:a@b")};
    struct onward_tlsrpt_record record = {.size = sizeof(record)};
    struct onward_tlsrpt_fault fault = {.size = sizeof(fault)};

    (void)state;
    assert_int_equal(onward_tlsrpt_records_parse(two, 2, &record, &fault),
                     ONWARD_ESYNTAX);
    assert_int_equal(fault.flaw, ONWARD_TLSRPT_FLAW_SEVERAL);
    assert_int_equal(onward_tlsrpt_records_parse(two, 0, &record, NULL),
                     ONWARD_ENOENT);
    record.size = 0;
    assert_int_equal(onward_tlsrpt_records_parse(two, 1, &record, NULL),
                     ONWARD_EINVAL);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(test_several)};
    static struct CMUnitTest tests[ROWS], vectors[MAX];
    struct t_vectors v;
    int failed = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    if (t_vectors_open(&v, "mta-sts/mta-sts.json")) {
        size_t count =
            t_add_cases(&v, vectors, 0, MAX,
                        onward_json__get(v.root, "tlsrpt_tests"), run_vector);

        failed += count != 12;
        failed += _cmocka_run_group_tests("vectors", vectors, count, NULL, NULL);
        t_vectors_close(&v);
    }
    return failed + cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests(others, NULL, NULL);
}
