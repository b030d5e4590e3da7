/* May a message be answered, and by this answer? Rows 27 to 39 of the product,
 * RFC 3834, A111 and A113. */
#include <onward/dmarc.h>
#include <onward/handler.h>

#include "support/support.h"

#define ID "Message-ID: <one@a.example>\r\n"
#define FROM "From: robot@example.com\r\n"
#define REPLY_ID "Message-ID: <two@example.com>\r\n"
#define PARENT "In-Reply-To: <one@a.example>\r\n"
#define PLAIN ID "From: ann@a.example\r\n"
#define GOOD FROM REPLY_ID PARENT

struct row {
    const char *name;
    const char *original, *reply; /* header lines; reply NULL: not looked at */
    int want;
    const char *sender; /* NULL: ann@a.example */
    const char *from;   /* NULL: robot@example.com */
    const char *to;     /* NULL: ann@a.example */
    int dmarc;          /* 0: pass */
    size_t is_answered;
};

static const struct row rows[] = {
    {"a reply", PLAIN, GOOD, 0, NULL, NULL, NULL, 0, 0},
    {"may there be one?", PLAIN, NULL, 0, NULL, NULL, NULL, 0, 0},
    {"row 27: DMARC fails", PLAIN, GOOD, ONWARD_REFUSAL_REPLY_DMARC, NULL, NULL,
     NULL, ONWARD_DMARC_FAIL, 0},
    {"row 27: no policy is no pass", PLAIN, NULL, ONWARD_REFUSAL_REPLY_DMARC,
     NULL, NULL, NULL, ONWARD_DMARC_NONE, 0},
    {"row 27: not known", PLAIN, NULL, ONWARD_REFUSAL_REPLY_DMARC, NULL, NULL,
     NULL, ONWARD_DMARC_TEMPERROR, 0},
    {"row 28: once", PLAIN, GOOD, ONWARD_REFUSAL_REPLY_TWICE, NULL, NULL, NULL,
     0, 1},
    {"row 29: Auto-Submitted", PLAIN "Auto-Submitted: auto-generated\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED, NULL, NULL, NULL, 0, 0},
    {"row 29: Auto-Submitted no", PLAIN "auto-submitted: (c) NO; x=y\r\n", GOOD,
     0, NULL, NULL, NULL, 0, 0},
    {"row 29: the second says so",
     PLAIN "Auto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED, NULL, NULL, NULL, 0, 0},
    {"row 29: a comment without an end", PLAIN "Auto-Submitted: (no\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED, NULL, NULL, NULL, 0, 0},
    {"row 29: an empty one", PLAIN "Auto-Submitted:\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED, NULL, NULL, NULL, 0, 0},
    {"row 29: suppressed", PLAIN "X-Auto-Response-Suppress: All\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_SUPPRESSED, NULL, NULL, NULL, 0, 0},
    {"row 29: not suppressed", PLAIN "X-Auto-Response-Suppress: None\r\n", GOOD,
     0, NULL, NULL, NULL, 0, 0},
    {"A111: Precedence bulk", PLAIN "Precedence: BULK\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_PRECEDENCE, NULL, NULL, NULL, 0, 0},
    {"A111: Precedence list", PLAIN "Precedence: list\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_PRECEDENCE, NULL, NULL, NULL, 0, 0},
    {"A111: Precedence junk", PLAIN "Precedence: junk (really)\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_PRECEDENCE, NULL, NULL, NULL, 0, 0},
    {"Precedence first-class", PLAIN "Precedence: first-class\r\n", GOOD, 0,
     NULL, NULL, NULL, 0, 0},
    {"A111: List-Id", PLAIN "List-Id: <l.a.example>\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_LIST, NULL, NULL, NULL, 0, 0},
    {"A111: List-Unsubscribe", PLAIN "list-unsubscribe: <mailto:x@y>\r\n", GOOD,
     ONWARD_REFUSAL_REPLY_LIST, NULL, NULL, NULL, 0, 0},
    {"A111: owner-", PLAIN, NULL, ONWARD_REFUSAL_REPLY_ROBOT,
     "owner-list@a.example", NULL, NULL, 0, 0},
    {"A111: -request", PLAIN, NULL, ONWARD_REFUSAL_REPLY_ROBOT,
     "list-REQUEST@a.example", NULL, NULL, 0, 0},
    {"A111: mailer-daemon", PLAIN, NULL, ONWARD_REFUSAL_REPLY_ROBOT,
     "MAILER-DAEMON@a.example", NULL, NULL, 0, 0},
    {"row 38: the null sender", PLAIN, NULL, ONWARD_REFUSAL_REPLY_NULL_SENDER,
     "", NULL, NULL, 0, 0},
    {"row 30: In-Reply-To alone", PLAIN "In-Reply-To: <x@a.example>\r\n", NULL,
     ONWARD_REFUSAL_REPLY_CHAIN_SHAPE, NULL, NULL, NULL, 0, 0},
    {"row 30: References alone", PLAIN "References: <x@a.example>\r\n", NULL,
     ONWARD_REFUSAL_REPLY_CHAIN_SHAPE, NULL, NULL, NULL, 0, 0},
    {"row 30: both", PLAIN "In-Reply-To: <x@a>\r\nReferences: <x@a>\r\n", GOOD,
     0, NULL, NULL, NULL, 0, 0},
    {"row 36: no id to answer to", "From: ann@a.example\r\n", NULL,
     ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID, NULL, NULL, NULL, 0, 0},
    {"row 36: two of them", PLAIN "Message-ID: <three@a.example>\r\n", NULL,
     ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID, NULL, NULL, NULL, 0, 0},
    {"row 32: cannot be read", PLAIN, GOOD "no field\r\n", ONWARD_REFUSAL_PARSE,
     NULL, NULL, NULL, 0, 0},
    {"row 32: a bare LF", PLAIN, GOOD "X-A: b\nX-B: c\r\n",
     ONWARD_REFUSAL_PARSE, NULL, NULL, NULL, 0, 0},
    {"row 33: another author", PLAIN, "From: a@example.com\r\n" REPLY_ID PARENT,
     ONWARD_REFUSAL_FROM, NULL, NULL, NULL, 0, 0},
    {"row 33: case of the local part counts", PLAIN,
     "From: Robot@example.com\r\n" REPLY_ID PARENT, ONWARD_REFUSAL_FROM, NULL,
     NULL, NULL, 0, 0},
    {"row 33: that of the domain does not", PLAIN,
     "From: Robot <robot@EXAMPLE.com>\r\n" REPLY_ID PARENT, 0, NULL, NULL, NULL,
     0, 0},
    {"row 33: none", PLAIN, REPLY_ID PARENT, ONWARD_REFUSAL_FROM, NULL, NULL,
     NULL, 0, 0},
    {"row 33: two of them", PLAIN,
     "From: robot@example.com, b@example.com\r\n" REPLY_ID PARENT,
     ONWARD_REFUSAL_FROM, NULL, NULL, NULL, 0, 0},
    {"row 33: the null path", PLAIN, GOOD, ONWARD_REFUSAL_FROM, NULL, "", NULL,
     0, 0},
    {"row 34: no Message-ID", PLAIN, FROM PARENT, ONWARD_REFUSAL_NO_MESSAGE_ID,
     NULL, NULL, NULL, 0, 0},
    {"row 34: one without @", PLAIN, FROM PARENT "Message-ID: <two>\r\n",
     ONWARD_REFUSAL_NO_MESSAGE_ID, NULL, NULL, NULL, 0, 0},
    {"row 34: in a comment without an end", PLAIN,
     FROM PARENT "Message-ID: (<two@example.com>\r\n",
     ONWARD_REFUSAL_NO_MESSAGE_ID, NULL, NULL, NULL, 0, 0},
    {"row 34: behind a string without an end", PLAIN,
     FROM PARENT "Message-ID: \"<two@example.com>\r\n",
     ONWARD_REFUSAL_NO_MESSAGE_ID, NULL, NULL, NULL, 0, 0},
    {"row 35: Received", PLAIN, GOOD "Received: by me\r\n",
     ONWARD_REFUSAL_TRACE_FIELD, NULL, NULL, NULL, 0, 0},
    {"A104: results", PLAIN, GOOD "Authentication-Results: me; spf=pass\r\n",
     ONWARD_REFUSAL_TRACE_FIELD, NULL, NULL, NULL, 0, 0},
    {"A104: a signature", PLAIN, GOOD "DKIM-Signature: v=1\r\n",
     ONWARD_REFUSAL_TRACE_FIELD, NULL, NULL, NULL, 0, 0},
    {"row 36: no In-Reply-To", PLAIN, FROM REPLY_ID,
     ONWARD_REFUSAL_REPLY_NO_IN_REPLY_TO, NULL, NULL, NULL, 0, 0},
    {"row 36: another one", PLAIN,
     FROM REPLY_ID "In-Reply-To: <x@a.example>\r\n",
     ONWARD_REFUSAL_REPLY_IN_REPLY_TO, NULL, NULL, NULL, 0, 0},
    {"row 36: ours inside another", PLAIN,
     FROM REPLY_ID "In-Reply-To: <xone@a.example>\r\n",
     ONWARD_REFUSAL_REPLY_IN_REPLY_TO, NULL, NULL, NULL, 0, 0},
    {"row 36: two", PLAIN,
     FROM REPLY_ID "In-Reply-To: <one@a.example> <x@a.example>\r\n",
     ONWARD_REFUSAL_REPLY_IN_REPLY_TO, NULL, NULL, NULL, 0, 0},
    {"row 36: token by token", PLAIN,
     FROM REPLY_ID "In-Reply-To: (the <x@y>\r\n one) <one@a.example> (c)\r\n",
     0, NULL, NULL, NULL, 0, 0},
    {"row 37: only the id", PLAIN, GOOD "References: <one@a.example>\r\n", 0,
     NULL, NULL, NULL, 0, 0},
    {"row 37: RFC 5322 order",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
     GOOD "References: <p@a>\r\n <q@a> <one@a.example>\r\n", 0, NULL, NULL,
     NULL, 0, 0},
    {"row 37: the product's order",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
     GOOD "References: <one@a.example> <p@a> <q@a>\r\n",
     ONWARD_REFUSAL_REPLY_REFERENCES, NULL, NULL, NULL, 0, 0},
    {"row 37: the middle left out",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <m@a> <q@a>\r\n",
     GOOD "References: <p@a> <q@a> <one@a.example>\r\n", 0, NULL, NULL, NULL, 0,
     0},
    {"row 37: the first left out",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
     GOOD "References: <q@a> <one@a.example>\r\n",
     ONWARD_REFUSAL_REPLY_REFERENCES, NULL, NULL, NULL, 0, 0},
    {"row 37: all left out",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
     GOOD "References: <one@a.example>\r\n", ONWARD_REFUSAL_REPLY_REFERENCES,
     NULL, NULL, NULL, 0, 0},
    {"row 37: a foreign one",
     PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
     GOOD "References: <p@a> <x@a> <q@a> <one@a.example>\r\n",
     ONWARD_REFUSAL_REPLY_REFERENCES, NULL, NULL, NULL, 0, 0},
    {"row 37: text that holds ours", PLAIN,
     GOOD "References: <xone@a.example>\r\n", ONWARD_REFUSAL_REPLY_REFERENCES,
     NULL, NULL, NULL, 0, 0},
    {"row 37: empty", PLAIN, GOOD "References:\r\n",
     ONWARD_REFUSAL_REPLY_REFERENCES, NULL, NULL, NULL, 0, 0},
    {"row 38: somebody else", PLAIN, GOOD, ONWARD_REFUSAL_REPLY_RECIPIENT, NULL,
     NULL, "eve@a.example", 0, 0},
    {"row 38: case of the domain", PLAIN, GOOD, 0, NULL, NULL, "ann@A.Example",
     0, 0},
    {"row 38: that of the local part", PLAIN, GOOD,
     ONWARD_REFUSAL_REPLY_RECIPIENT, NULL, NULL, "Ann@a.example", 0, 0},
    {"row 39: another domain", PLAIN,
     "From: robot@sub.example.com\r\n" REPLY_ID PARENT,
     ONWARD_REFUSAL_REPLY_DOMAIN, NULL, "robot@sub.example.com", NULL, 0, 0},
    {"row 39: another name there", PLAIN,
     "From: x@example.com\r\n" REPLY_ID PARENT, 0, NULL, "x@example.com", NULL,
     0, 0},
};

static struct onward_header *parse(struct t_world *w, const char *lines)
{
    struct onward_header *h = NULL;
    size_t taken;

    if (onward_header_new(w->ctx, &h) != 0)
        return NULL;
    if (onward_header_feed(h, lines, strlen(lines), &taken) < 0 ||
        onward_header_feed(h, "\r\n", 2, &taken) < 0 ||
        onward_header_finish(h) < 0) {
        onward_header_free(h);
        return NULL;
    }
    return h;
}

static struct onward_str text(const char *s, const char *otherwise)
{
    return onward_str_of(s == NULL ? otherwise : s);
}

static int check(struct t_world *w, const struct row *row, int *code)
{
    struct onward_refusal why = {.size = sizeof(why)};
    struct onward_header *original = parse(w, row->original);
    struct onward_header *reply =
        row->reply == NULL ? NULL : parse(w, row->reply);
    const struct onward_reply_question q = {
        .size = sizeof(q),
        .original = original,
        .original_from = text(row->sender, "ann@a.example"),
        .original_to = ONWARD_STR("me+tag@example.com"),
        .dmarc_result =
            row->dmarc == 0 ? ONWARD_DMARC_PASS : (size_t)row->dmarc,
        .is_answered = row->is_answered,
        .reply = reply,
        .reply_from = text(row->from, "robot@example.com"),
        .reply_to = text(row->to, "ann@a.example")};
    int ret = ONWARD_ENOMEM;

    if (original != NULL && (row->reply == NULL || reply != NULL))
        ret = onward_reply_check(&q, &why);
    onward_header_free(original);
    onward_header_free(reply);
    *code = (int)why.code;
    return ret;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_world w;
    int code = 0;

    t_world_init(&w);
    assert_int_equal(check(&w, row, &code), row->want == 0);
    assert_int_equal(code, row->want);
    t_world_clear(&w);
}

/* Row 31: the product counts an @ too many; above 100 it is, and a host may
 * choose. */
static void test_row_31_chain_length(void **state)
{
    static char lines[8192];
    size_t at = (size_t)snprintf(lines, sizeof(lines), "%s",
                                 PLAIN "In-Reply-To: <x@a>\r\nReferences:");
    struct onward_reply_question q = {.size = sizeof(q),
                                      .original_from =
                                          ONWARD_STR("ann@a.example"),
                                      .original_to = ONWARD_STR("me@b.example"),
                                      .dmarc_result = ONWARD_DMARC_PASS};
    struct onward_refusal why = {.size = sizeof(why)};
    struct onward_header *h;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(lines + at, sizeof(lines) - at,
                               " <r%d@a.example>%s", i,
                               i % 10 == 9 ? "\r\n" : "");
    q.original = h = parse(&w, lines);
    assert_int_equal(onward_reply_check(&q, &why), 1);
    q.max_references = 99;
    assert_int_equal(onward_reply_check(&q, &why), 0);
    assert_int_equal(why.code, ONWARD_REFUSAL_REPLY_CHAIN_LENGTH);
    onward_header_free(h);
    snprintf(lines + at, sizeof(lines) - at, " <last@a.example>\r\n");
    q.original = h = parse(&w, lines);
    q.max_references = 0;
    assert_int_equal(onward_reply_check(&q, &why), 0);
    assert_int_equal(why.code, ONWARD_REFUSAL_REPLY_CHAIN_LENGTH);
    q.max_references = ONWARD_LIMIT_NONE;
    assert_int_equal(onward_reply_check(&q, NULL), 1);
    onward_header_free(h);
    t_world_clear(&w);
}

static void test_contract(void **state)
{
    struct onward_reply_question q = {.size = sizeof(q)};
    struct onward_header *h = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_reply_check(NULL, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_reply_check(&q, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_header_new(w.ctx, &h), 0);
    q.original = h; /* not finished */
    assert_int_equal(onward_reply_check(&q, NULL), ONWARD_EINVAL);
    onward_header_free(h);
    t_world_clear(&w);
}

static bool scenario(struct t_world *w, void *arg)
{
    int code;
    int ret = check(w, arg, &code);

    assert_true(ret == 1 || ret == ONWARD_ENOMEM);
    return ret == 1;
}

static void test_oom(void **state)
{
    static const struct row row = {
        "oom",
        PLAIN "In-Reply-To: <q@a>\r\nReferences: <p@a> <q@a>\r\n",
        GOOD "References: <p@a> <q@a> <one@a.example>\r\n",
        0,
        NULL,
        NULL,
        NULL,
        0,
        0};

    (void)state;
    t_oom_sweep(scenario, (void *)(uintptr_t)&row);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS + 3] = {
        cmocka_unit_test(test_row_31_chain_length),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_oom),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[3 + i] = (struct CMUnitTest)cmocka_unit_test(test_row);
        tests[3 + i].name = rows[i].name;
        tests[3 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
