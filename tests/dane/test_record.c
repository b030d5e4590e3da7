/*
 * TLSA records, one by one. The key and certificate of the table were made
 * once by OpenSSL, and so were the digests.
 */
#include <onward/dane.h>

#include "support/certs.h"

/* openssl req -x509 ... and openssl dgst of it, in data/dane. */
static char *pem;
static size_t pem_len;

static int set_up(void **state)
{
    (void)state;
    pem = t_read_file(t_data("dane/cert.pem"), &pem_len);
    return pem == NULL ? -1 : 0;
}

static int clear(void **state)
{
    (void)state;
    free(pem);
    return 0;
}

static const char *line(char *text, size_t number)
{
    char *at = strtok(text, "\n");

    while (number-- > 0)
        at = strtok(NULL, "\n");
    return at;
}

/* Each combination, against what OpenSSL says. */
static void test_write(void **state)
{
    size_t n = 0, text_len;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    for (size_t usage = 2; usage <= 3; usage++) {
        for (size_t selector = 0; selector < 2; selector++) {
            for (size_t matching = 0; matching < 3; matching++, n++) {
                char *text = t_read_file(t_data("dane/records.txt"), &text_len);
                const char *want = line(text, n);
                char got[4096];
                int len = onward_dane_record_write(
                    w.ctx, usage, selector, matching,
                    (struct onward_str){pem, pem_len}, got, sizeof(got));

                assert_int_equal(len, strlen(want));
                assert_string_equal(got, want);
                assert_int_equal(
                    onward_dane_record_write(w.ctx, usage, selector, matching,
                                             (struct onward_str){pem, pem_len},
                                             got, (size_t)len),
                    ONWARD_ELIMIT);
                free(text);
            }
        }
    }
    t_world_clear(&w);
}

static void test_write_errors(void **state)
{
    struct onward_str cert = {pem, pem_len};
    char out[200] = "kept";
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_dane_record_write(w.ctx, 1, 1, 1, cert, out, 200),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_write(w.ctx, 4, 1, 1, cert, out, 200),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_write(w.ctx, 3, 2, 1, cert, out, 200),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_write(w.ctx, 3, 1, 3, cert, out, 200),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_write(NULL, 3, 1, 1, cert, out, 200),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_write(
                         w.ctx, 3, 1, 1, onward_str_of("no PEM"), out, 200),
                     ONWARD_ESYNTAX);
    assert_int_equal(
        onward_dane_record_write(w.ctx, 3, 1, 1, onward_str_of(""), out, 200),
        ONWARD_ESYNTAX);
    for (size_t cut = 1; cut < pem_len; cut += 97) {
        int ret = onward_dane_record_write(
            w.ctx, 3, 1, 1, (struct onward_str){pem, cut}, out, 200);

        assert_int_equal(ret, ONWARD_ESYNTAX);
    }
    assert_string_equal(out, "kept");
    t_world_clear(&w);
}

/* A certificate in DER is taken too. */
static void test_write_der(void **state)
{
    struct t_cert *c =
        t_cert_new("x", "mx.example", NULL, NULL, 0, 1500000000, 1700000000);
    char from_pem[200], from_der[200];
    gnutls_datum_t der;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_DER, &der),
                     0);
    assert_int_equal(
        onward_dane_record_write(w.ctx, 3, 1, 2, t_cert_pem(c), from_pem, 200),
        134);
    assert_int_equal(onward_dane_record_write(
                         w.ctx, 3, 1, 2,
                         (struct onward_str){(const char *)der.data, der.size},
                         from_der, 200),
                     134);
    assert_string_equal(from_pem, from_der);
    gnutls_free(der.data);
    t_cert_free(c);
    t_world_clear(&w);
}

static const struct row {
    const char *name;
    const char *rdata;
    size_t len; /* padded with 'x' */
    size_t want;
} rows[] = {
    {"empty", "", 0, ONWARD_DANE_PROBLEM_SHORT},
    {"one octet", "\3", 1, ONWARD_DANE_PROBLEM_SHORT},
    {"no data", "\3\1\1", 3, ONWARD_DANE_PROBLEM_SHORT},
    {"SHA2-256", "\3\1\1", 35, ONWARD_DANE_PROBLEM_NONE},
    {"SHA2-256, short", "\3\1\1", 34, ONWARD_DANE_PROBLEM_LENGTH},
    {"SHA2-256, long", "\3\1\1", 36, ONWARD_DANE_PROBLEM_LENGTH},
    {"SHA2-512", "\2\0\2", 67, ONWARD_DANE_PROBLEM_NONE},
    {"SHA2-512, short", "\2\0\2", 66, ONWARD_DANE_PROBLEM_LENGTH},
    {"SHA2-512, long", "\2\0\2", 68, ONWARD_DANE_PROBLEM_LENGTH},
    {"PKIX-TA", "\0\0\1", 35, ONWARD_DANE_PROBLEM_USAGE},
    {"PKIX-EE", "\1\0\1", 35, ONWARD_DANE_PROBLEM_USAGE},
    {"usage 4", "\4\0\1", 35, ONWARD_DANE_PROBLEM_USAGE},
    {"usage 255", "\377\0\1", 35, ONWARD_DANE_PROBLEM_USAGE},
    {"selector 2", "\3\2\1", 35, ONWARD_DANE_PROBLEM_SELECTOR},
    {"matching 3", "\3\1\3", 35, ONWARD_DANE_PROBLEM_MATCHING},
    {"no certificate", "\3\0\0", 500, ONWARD_DANE_PROBLEM_DATA},
    {"no key", "\3\1\0", 500, ONWARD_DANE_PROBLEM_DATA},
};

static void test_parse(void **state)
{
    const struct row *row = *state;
    struct onward_dane_record r = {.size = sizeof(r)};
    char rdata[600];
    char *exact = malloc(row->len + 1);

    assert_non_null(exact);
    memset(rdata, 'x', sizeof(rdata));
    memcpy(rdata, row->rdata, row->len < 3 ? row->len : 3);
    /* Of its own size, for the sanitizers. */
    memcpy(exact, rdata, row->len);
    assert_int_equal(
        onward_dane_record_parse((struct onward_str){exact, row->len}, &r),
        row->want == ONWARD_DANE_PROBLEM_NONE);
    assert_string_equal(onward_dane_problem_name((int)r.problem),
                        onward_dane_problem_name((int)row->want));
    if (row->len > 3) {
        assert_int_equal(r.usage, (unsigned char)row->rdata[0]);
        assert_int_equal(r.selector, (unsigned char)row->rdata[1]);
        assert_int_equal(r.matching, (unsigned char)row->rdata[2]);
        assert_ptr_equal(r.data.data, exact + 3);
        assert_int_equal(r.data.len, row->len - 3);
    }
    free(exact);
}

static void test_parse_errors(void **state)
{
    struct onward_dane_record r = {.size = 1};

    (void)state;
    assert_int_equal(onward_dane_record_parse(ONWARD_STR("\3"), NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_record_parse(ONWARD_STR("\3"), &r),
                     ONWARD_EINVAL);
}

static bool scenario(struct t_world *w, void *arg)
{
    char out[200];

    (void)arg;
    return onward_dane_record_write(w->ctx, 3, 1, 1,
                                    (struct onward_str){pem, pem_len}, out,
                                    sizeof(out)) == 70;
}

static void test_memory(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int main(void)
{
    struct CMUnitTest tests[ROWS + 5] = {
        cmocka_unit_test(test_write), cmocka_unit_test(test_write_errors),
        cmocka_unit_test(test_write_der), cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_memory)};

    for (size_t i = 0; i < ROWS; i++) {
        tests[i + 5].name = rows[i].name;
        tests[i + 5].test_func = test_parse;
        tests[i + 5].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, set_up, clear);
}
