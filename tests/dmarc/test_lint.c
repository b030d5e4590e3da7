/* Records judged for their owners: where the fault is, and what it is. */
#include <onward/dmarc.h>

#include "support/support.h"

#define FINE 0, 0, "", 0
#define POLICY "expected none, quarantine or reject"
#define URI "expected a mailto: URI of visible ASCII with an address"

static const struct row {
    const char *name, *record;
    int ret;
    size_t offset;
    const char *what;
    size_t is_void;
} rows[] = {
    {"all tags",
     "v=DMARC1; p=reject; sp=none; np=quarantine; psd=n; t=y; adkim=s; aspf=r; "
     "fo=1:d:s; rua=mailto:a@e.example, mailto:b@e.example; "
     "ruf=mailto:c@e.example; pct=50; rf=afrf; ri=86400;",
     FINE},
    {"white space", "v = DMARC1 ;p = none ; ", FINE},
    {"reports alone", "v=DMARC1; rua=mailto:a@e.example", FINE},
    {"a tag of tomorrow", "v=DMARC1; p=none; zz=any thing!", FINE},
    {"no record", "v=spf1 -all", ONWARD_ENOENT, 0, "", 0},
    {"another version", "v=DMARC2; p=none", ONWARD_ENOENT, 0, "", 0},
    {"nothing", "", ONWARD_ENOENT, 0, "", 0},
    {"lower case version", "v=dmarc1; p=none", ONWARD_ENOENT, 0, "", 0},
    {"nothing asked for", "v=DMARC1", ONWARD_ESYNTAX, 8,
     "p= is missing, and without rua= nothing is asked for", 1},
    {"a wrong policy", "v=DMARC1; p=monitor", ONWARD_ESYNTAX, 12, POLICY, 0},
    {"a wrong sp", "v=DMARC1; p=none; sp=", ONWARD_ESYNTAX, 21, POLICY, 0},
    {"twice", "v=DMARC1; p=none; P=reject", ONWARD_ESYNTAX, 18,
     "this tag stands here already", 1},
    {"no equals", "v=DMARC1; p=none; reject", ONWARD_ESYNTAX, 18,
     "expected a tag of letters, '=' and a value", 0},
    {"two semicolons", "v=DMARC1;; p=none", ONWARD_ESYNTAX, 9,
     "expected a tag of letters, '=' and a value", 0},
    {"psd", "v=DMARC1; p=none; psd=x", ONWARD_ESYNTAX, 22, "expected y, n or u",
     0},
    {"t", "v=DMARC1; p=none; t=yes", ONWARD_ESYNTAX, 20, "expected y or n", 0},
    {"adkim", "v=DMARC1; p=none; adkim=strict", ONWARD_ESYNTAX, 24,
     "expected r or s", 0},
    {"fo", "v=DMARC1; p=none; fo=0:1", ONWARD_ESYNTAX, 21,
     "expected 0, 1, d and s with ':' between, each once, 0 and 1 not together",
     0},
    {"an address without mailto", "v=DMARC1; p=none; rua=a@e.example",
     ONWARD_ESYNTAX, 22, URI, 0},
    {"the second address", "v=DMARC1; p=none; rua=mailto:a@e.example,https://e",
     ONWARD_ESYNTAX, 41, URI, 0},
    {"a size limit", "v=DMARC1; p=none; rua=mailto:a@e.example!10m",
     ONWARD_ESYNTAX, 40, "a size limit behind '!' is obsolete", 0},
    {"a comma at the end", "v=DMARC1; p=none; rua=mailto:a@e.example,",
     ONWARD_ESYNTAX, 40, "expected a URI behind ','", 0},
    {"no address at all", "v=DMARC1; p=none; rua=", ONWARD_ESYNTAX, 22,
     "expected a mailto: URI", 0},
    {"pct", "v=DMARC1; p=none; pct=101", ONWARD_ESYNTAX, 22,
     "expected a number from 0 to 100", 0},
    {"not visible", "v=DMARC1; p=none; zz=a\x7f", ONWARD_ESYNTAX, 22,
     "expected visible ASCII", 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dmarc_fault fault = {.size = sizeof(fault)};
    struct onward_dmarc_record r = {.size = sizeof(r)};
    struct onward_str text = onward_str_of(row->record);

    assert_int_equal(onward_dmarc_lint(text, &fault), row->ret);
    assert_int_equal(onward_dmarc_lint(text, NULL), row->ret);
    if (row->ret == ONWARD_ESYNTAX) {
        assert_int_equal(fault.offset, row->offset);
        assert_string_equal(fault.text, row->what);
        assert_int_equal(fault.is_void, row->is_void);
    }
    if (row->ret == 0)
        assert_int_equal(onward_dmarc_record_parse(text, &r), 0);
    if (row->ret == ONWARD_ENOENT)
        assert_int_equal(onward_dmarc_record_parse(text, &r), ONWARD_ENOENT);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
