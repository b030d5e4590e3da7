/* Notices of others: the examples of RFC 3464 appendix E and RFC 6533, and what
 * is odd. */
#include <onward/dsn.h>

#include "core/core_shared.h"
#include "support/support.h"

/* A message with this machine's part; "\n" stands for CRLF. */
#define REPORT(type, body)                                                     \
    "From: a@example.com\nMIME-Version: 1.0\n"                                 \
    "Content-Type: multipart/report; report-type=delivery-status;\n"           \
    "\tboundary=\"b\"\n\n--b\n\nWords.\n--b\ncontent-type: " type "\n\n" body  \
    "\n--b\ncontent-type: message/rfc822\n\nSubject: back\n\nText\n--b--\n"
#define STATUS(body) REPORT("message/delivery-status", body)

struct want {
    const char *final, *final_type, *original, *status, *diagnostic, *remote;
    size_t action;
};

static const struct row {
    const char *name, *message;
    const char *mta, *envid;
    size_t count, oddities;
    struct want first, last;
} rows[] = {
    {"RFC 3464 simple",
     STATUS("Reporting-MTA: dns; cs.utk.edu\n\n"
            "Original-Recipient: rfc822;louisl@larry.slip.umd.edu\n"
            "Final-Recipient: rfc822;louisl@larry.slip.umd.edu\n"
            "Action: failed\nStatus: 4.0.0\n"
            "Diagnostic-Code: smtp; 426 connection timed out\n"
            "Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400\n"),
     "cs.utk.edu",
     "",
     1,
     0,
     {"louisl@larry.slip.umd.edu", "rfc822", "louisl@larry.slip.umd.edu",
      "4.0.0", "426 connection timed out", "", ONWARD_DSN_FAILED},
     {0}},
    {"RFC 3464 several recipients",
     STATUS("Reporting-MTA: dns; cs.utk.edu\n\n"
            "Original-Recipient: rfc822;arathib@vnet.ibm.com\n"
            "Final-Recipient: rfc822;arathib@vnet.ibm.com\n"
            "Action: failed\nStatus: 5.0.0 (permanent failure)\n"
            "Diagnostic-Code: smtp;  550 'arathib@vnet.IBM.COM' is not a\n"
            " registered gateway user\nRemote-MTA: dns; vnet.ibm.com\n\n"
            "Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com\n"
            "Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com\n"
            "Action: delayed\n"
            "Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)\n\n"
            "Original-Recipient: rfc822;wsnell@sdcc13.ucsd.edu\n"
            "Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu\n"
            "Action: failed\nStatus: 5.0.0\n"
            "Diagnostic-Code: smtp; 550 user unknown\n"
            "Remote-MTA: dns; sdcc13.ucsd.edu\n"),
     "cs.utk.edu",
     "",
     3,
     0,
     {"arathib@vnet.ibm.com", "rfc822", "arathib@vnet.ibm.com", "5.0.0",
      "550 'arathib@vnet.IBM.COM' is not a registered gateway user",
      "vnet.ibm.com", ONWARD_DSN_FAILED},
     {"wsnell@sdcc13.ucsd.edu", "rfc822", "wsnell@sdcc13.ucsd.edu", "5.0.0",
      "550 user unknown", "sdcc13.ucsd.edu", ONWARD_DSN_FAILED}},
    {"RFC 3464 gateway",
     STATUS("Reporting-MTA: mailbus; SYS30\n\n"
            "Final-Recipient: unknown; nair_s\n"
            "Status: 5.0.0 (unknown permanent failure)\nAction: failed\n"),
     "SYS30",
     "",
     1,
     0,
     {"nair_s", "unknown", "", "5.0.0", "", "", ONWARD_DSN_FAILED},
     {0}},
    {"RFC 3464 delayed",
     STATUS("Reporting-MTA: dns; sun2.nsfnet-relay.ac.uk\n\n"
            "Final-Recipient: rfc822;thomas@de-montfort.ac.uk\n"
            "Status: 4.0.0 (unknown temporary failure)\nAction: delayed\n"),
     "sun2.nsfnet-relay.ac.uk",
     "",
     1,
     0,
     {"thomas@de-montfort.ac.uk", "rfc822", "", "4.0.0", "", "",
      ONWARD_DSN_DELAYED},
     {0}},
    {"envelope id",
     STATUS("Original-Envelope-Id: QQ314159\nReporting-MTA: dns; a.example\n\n"
            "Final-Recipient: rfc822; b@example\nAction: relayed\n"
            "Status: 2.0.0\n"),
     "a.example",
     "QQ314159",
     1,
     0,
     {"b@example", "rfc822", "", "2.0.0", "", "", ONWARD_DSN_RELAYED},
     {0}},
    {"seven bit form of UTF-8",
     STATUS("Reporting-MTA: dns; a.example\n\n"
            "Final-Recipient: utf-8; \\x{4E2D}\\x{2B}a@example\n"
            "Action: delivered\nStatus: 2.1.5\n"),
     "a.example",
     "",
     1,
     0,
     {"\xe4\xb8\xad+a@example", "utf-8", "", "2.1.5", "", "",
      ONWARD_DSN_DELIVERED},
     {0}},
    {"UTF-8",
     REPORT("message/global-delivery-status",
            "Reporting-MTA: dns; a.example\n\n"
            "Final-Recipient: utf-8; \xe4\xb8\xad@example\n"
            "Action: expanded\nStatus: 2.1.5\n"),
     "a.example",
     "",
     1,
     0,
     {"\xe4\xb8\xad@example", "utf-8", "", "2.1.5", "", "",
      ONWARD_DSN_EXPANDED},
     {0}},
    {"in base64",
     "From: a@example.com\nMIME-Version: 1.0\n"
     "Content-Type: multipart/report; report-type=delivery-status; "
     "boundary=b\n\n--b\n\n--b\nContent-Type: message/delivery-status\n"
     "Content-Transfer-Encoding: base64\n\n"
     /* With bare LF. */
     "UmVwb3J0aW5nLU1UQTogZG5zOyBhCgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsgYkBj\n"
     "CkFjdGlvbjogZmFpbGVkClN0YXR1czogNS4xLjEK\n--b--\n",
     "a",
     "",
     1,
     0,
     {"b@c", "rfc822", "", "5.1.1", "", "", ONWARD_DSN_FAILED},
     {0}},
    {"no types, no report, brackets",
     "MIME-Version: 1.0\nContent-Type: message/delivery-status\n\n"
     "Reporting-MTA: a.example\n\nFinal-Recipient: b@example\n"
     "Action: failed\nStatus: 5.1.1\n\n"
     "Final-Recipient: rfc822; <c@example>\nAction: failed\nStatus: 5.1.1\n",
     "a.example",
     "",
     2,
     ONWARD_DSN_ODDITY_NO_REPORT | ONWARD_DSN_ODDITY_NO_TYPE,
     {"b@example", "", "", "5.1.1", "", "", ONWARD_DSN_FAILED},
     {"c@example", "rfc822", "", "5.1.1", "", "", ONWARD_DSN_FAILED}},
    {"merged, twice, bad action, status and date",
     STATUS("Reporting-MTA: dns; a\nFinal-Recipient: rfc822; b@c\n"
            "Final-Recipient: rfc822; d@e\nAction: bounced\n"
            "Status: 550\nLast-Attempt-Date: yesterday\nNo field\n"),
     "a",
     "",
     1,
     ONWARD_DSN_ODDITY_MERGED | ONWARD_DSN_ODDITY_TWICE |
         ONWARD_DSN_ODDITY_ACTION | ONWARD_DSN_ODDITY_STATUS |
         ONWARD_DSN_ODDITY_DATE | ONWARD_DSN_ODDITY_LINE,
     {"b@c", "rfc822", "", "", "", "", ONWARD_DSN_UNKNOWN},
     {0}},
    {"no MTA, no recipient",
     STATUS("X-A: b\n\nAction: failed\nStatus: 5.0.0\n"),
     "",
     "",
     1,
     ONWARD_DSN_ODDITY_NO_MTA | ONWARD_DSN_ODDITY_NO_RECIPIENT,
     {"", "", "", "5.0.0", "", "", ONWARD_DSN_FAILED},
     {0}},
    {"nobody",
     STATUS("Reporting-MTA: dns; a\n"),
     "a",
     "",
     0,
     ONWARD_DSN_ODDITY_EMPTY,
     {0},
     {0}},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* With CRLF; free() it. */
static char *wire(const char *text, size_t *len)
{
    char *out = malloc(strlen(text) * 2 + 1);

    *len = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            out[(*len)++] = '\r';
        out[(*len)++] = *text;
    }
    return out;
}

static void check(const struct onward_dsn_notice *n, size_t i,
                  const struct want *want)
{
    struct onward_dsn_recipient r = {.size = sizeof(r)};

    assert_int_equal(onward_dsn_notice_recipient(n, i, &r), 0);
    assert_int_equal(r.action, want->action);
    t_assert_str(r.final_recipient, want->final);
    t_assert_str(r.final_type, want->final_type);
    t_assert_str(r.original_recipient, want->original);
    t_assert_str(r.status, want->status);
    t_assert_str(r.diagnostic, want->diagnostic);
    t_assert_str(r.remote_mta, want->remote);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_notice *n = NULL;
    struct t_world w;
    size_t len;
    char *text = wire(row->message, &len);

    t_world_init(&w);
    assert_int_equal(
        onward_dsn_parse(w.ctx, onward_core__str(text, len), NULL, &n), 0);
    assert_int_equal(onward_dsn_notice_facts(n, &facts), 0);
    t_assert_str(facts.reporting_mta, row->mta);
    t_assert_str(facts.envid, row->envid);
    assert_int_equal(facts.oddities, row->oddities);
    assert_int_equal(facts.count, row->count);
    if (row->count > 0)
        check(n, 0, &row->first);
    if (row->count > 1)
        check(n, row->count - 1, &row->last);
    onward_dsn_notice_free(n);
    free(text);
    t_world_clear(&w);
}

static void test_original(void **state)
{
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_notice *n = NULL;
    struct onward_header *header = NULL;
    struct t_world w;
    size_t len;
    char *text = wire(rows[0].message, &len);

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_dsn_parse(w.ctx, onward_core__str(text, len), NULL, &n), 0);
    assert_int_equal(onward_dsn_notice_facts(n, &facts), 0);
    t_assert_str(facts.original, "Subject: back\r\n\r\nText");
    assert_int_equal(facts.is_header_only, 0);
    assert_int_equal(onward_dsn_notice_header(n, &header), 0);
    assert_int_equal(onward_header_count(header), 1);
    t_assert_str(onward_header_name(header, 0), "Subject");
    onward_dsn_notice_free(n);
    free(text);
    t_world_clear(&w);
}

/* A notice inside a returned message is not about our mail. */
static void test_not_ours(void **state)
{
    static const char *const none[] = {
        "", "Subject: a\n\nb\n",
        "MIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
        "MIME-Version: 1.0\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; a\n"};
    struct onward_dsn_notice *n = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        size_t len;
        char *text = wire(none[i], &len);

        assert_int_equal(
            onward_dsn_parse(w.ctx, onward_core__str(text, len), NULL, &n),
            ONWARD_ENOENT);
        free(text);
    }
    t_world_clear(&w);
}

static void test_limits(void **state)
{
    struct onward_dsn_parse_opts opts = {.size = sizeof(opts),
                                         .max_recipients = 2};
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_recipient r = {.size = sizeof(r)};
    struct onward_dsn_notice *n = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    /* A file, with LF. */
    opts.allow_lf = 1;
    assert_int_equal(onward_dsn_parse(w.ctx, onward_str_of(rows[1].message),
                                      &opts, &n),
                     0);
    onward_dsn_notice_facts(n, &facts);
    assert_int_equal(facts.count, 2);
    assert_int_equal(facts.oddities, ONWARD_DSN_ODDITY_MANY);
    assert_int_equal(onward_dsn_notice_recipient(n, 2, &r), ONWARD_ENOENT);
    r.size = 0;
    assert_int_equal(onward_dsn_notice_recipient(n, 0, &r), ONWARD_EINVAL);
    facts.size = 0;
    assert_int_equal(onward_dsn_notice_facts(n, &facts), ONWARD_EINVAL);
    onward_dsn_notice_free(n);
    opts.max_recipients = 0;
    opts.max_bytes = 64;
    facts.size = sizeof(facts);
    assert_int_equal(onward_dsn_parse(w.ctx, onward_str_of(rows[1].message),
                                      &opts, &n),
                     0);
    onward_dsn_notice_facts(n, &facts);
    assert_int_equal(facts.count, 0);
    assert_int_equal(facts.oddities,
                     ONWARD_DSN_ODDITY_MANY | ONWARD_DSN_ODDITY_EMPTY);
    onward_dsn_notice_free(n);
    opts.size = 1;
    assert_int_equal(onward_dsn_parse(w.ctx, onward_str_of("a"), &opts, &n),
                     ONWARD_EINVAL);
    t_world_clear(&w);
}

/* Cut off anywhere, it is read as far as it goes. */
static void test_cut_off(void **state)
{
    struct onward_dsn_notice *n;
    struct t_world w;
    size_t len;
    char *text = wire(rows[1].message, &len);

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i <= len; i++) {
        struct onward_dsn_facts facts = {.size = sizeof(facts)};
        int ret;

        n = NULL;
        ret = onward_dsn_parse(w.ctx, onward_core__str(text, i), NULL, &n);
        assert_true(ret == 0 || ret == ONWARD_ENOENT);
        if (n != NULL)
            onward_dsn_notice_facts(n, &facts);
        assert_true(facts.count <= 3);
        onward_dsn_notice_free(n);
    }
    free(text);
    t_world_clear(&w);
}

static bool read_all(struct t_world *w, void *arg)
{
    const struct onward_str *text = arg;
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_notice *n = NULL;
    int err = onward_dsn_parse(w->ctx, *text, NULL, &n);

    if (err != 0) {
        assert_int_equal(err, ONWARD_ENOMEM);
        return false;
    }
    onward_dsn_notice_facts(n, &facts);
    assert_int_equal(facts.count, 1);
    assert_int_equal(facts.oddities, 0);
    onward_dsn_notice_free(n);
    return true;
}

static void test_oom(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t len;
        char *text = wire(rows[i].message, &len);
        struct onward_str s = onward_core__str(text, len);

        if (rows[i].count == 1 && rows[i].oddities == 0)
            t_oom_sweep(read_all, &s);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_original), cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_oom),
    };
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    return cmocka_run_group_tests_name("read", tests, NULL, NULL) +
           cmocka_run_group_tests(others, NULL, NULL);
}
