/* Notices that are written: octet for octet in their machine's part, read again
 * by the reader, and what a hostile peer's text can do. */
#include <onward/dsn.h>

#include "core/core_shared.h"
#include "support/support.h"

#define S(text) ONWARD_STR(text)

static const char message[] = "From: alice@example.org\r\nSubject: hi\r\n\r\n"
                              "Text.\r\n";

static struct onward_dsn_opts some_opts(void)
{
    return (struct onward_dsn_opts){
        .size = sizeof(struct onward_dsn_opts),
        .reporting_mta = S("mx.example.com"),
        .reverse_path = S("alice@example.org"),
        .date_s = 1600000000,
    };
}

static struct onward_dsn_outcome some_outcome(void)
{
    return (struct onward_dsn_outcome){
        .size = sizeof(struct onward_dsn_outcome),
        .action = ONWARD_DSN_FAILED,
        .recipient = S("bob@example.net"),
        .status = S("5.1.1"),
    };
}

/* The whole message; free() it. */
static char *read_source(struct onward_builder *b, size_t *len)
{
    const struct onward_source *source = NULL;
    char *out;

    assert_int_equal(onward_builder_source(b, &source), 0);
    *len = 0;
    out = malloc((size_t)source->len + 1);
    while (*len < source->len) {
        size_t got = 0;

        assert_int_equal(source->read(source->user, *len, out + *len,
                                      (size_t)source->len - *len, &got),
                         0);
        *len += got;
    }
    out[*len] = '\0';
    return out;
}

/* One recipient, built and given as text; free() it. */
static char *write_one(struct onward_ctx *ctx,
                       const struct onward_dsn_opts *opts,
                       const struct onward_dsn_outcome *outcome,
                       struct onward_str original, size_t *len)
{
    struct onward_memory_source *memory = NULL;
    struct onward_builder *b = NULL;
    struct onward_dsn *dsn = NULL;
    char *out;

    assert_int_equal(
        onward_memory_source_new(ctx, original.data, original.len, &memory), 0);
    assert_int_equal(onward_dsn_new(ctx, opts, &dsn), 0);
    assert_int_equal(onward_dsn_add(dsn, outcome), 1);
    assert_int_equal(
        onward_dsn_set_original(dsn, onward_memory_source_table(memory)), 0);
    assert_int_equal(onward_dsn_build(dsn, &b), 0);
    assert_int_equal(onward_builder_rcpt_count(b), 1);
    out = read_source(b, len);
    onward_builder_free(b);
    onward_dsn_free(dsn);
    onward_memory_source_free(memory);
    return out;
}

/* ---- Fields ------------------------------------------------------------ */

static void test_fields(void **state)
{
    struct onward_dsn_opts opts = some_opts();
    struct onward_dsn_outcome o = some_outcome();
    struct t_world w;
    size_t len;
    char *out;

    (void)state;
    t_world_init(&w);
    opts.envid = S("QQ314159");
    opts.received_from = S("[192.0.2.1]");
    opts.arrival_s = 773183428;
    o.orcpt = S("rfc822;bob+x@alias.example");
    o.remote_mta = S("mx1.example.net");
    o.diagnostic = S("550 5.1.1 no such user");
    o.last_attempt_s = 773615749;
    o.log_id = S("A1");
    out = write_one(w.ctx, &opts, &o, onward_str_of(message), &len);
    assert_non_null(
        strstr(out, "\r\n\r\nOriginal-Envelope-Id: QQ314159\r\n"
                    "Reporting-MTA: dns; mx.example.com\r\n"
                    "Received-From-MTA: dns; [192.0.2.1]\r\n"
                    "Arrival-Date: Sat, 2 Jul 1994 21:10:28 +0000\r\n\r\n"
                    "Original-Recipient: rfc822; bob+x@alias.example\r\n"
                    "Final-Recipient: rfc822; bob@example.net\r\n"
                    "Action: failed\r\nStatus: 5.1.1\r\n"
                    "Remote-MTA: dns; mx1.example.net\r\n"
                    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
                    "Last-Attempt-Date: Thu, 7 Jul 1994 21:15:49 +0000\r\n"
                    "Final-Log-ID: A1\r\n"));
    assert_non_null(strstr(out, "\r\nAuto-Submitted: auto-replied\r\n"));
    assert_non_null(strstr(out, "\r\nTo: alice@example.org\r\n"));
    assert_non_null(strstr(out, "<MAILER-DAEMON@mx.example.com>\r\n"));
    assert_non_null(strstr(out, "report-type=delivery-status"));
    assert_non_null(strstr(out, "mx1.example.net said: 550 5.1.1 no such"));
    assert_non_null(
        strstr(out, "Content-Type: message/rfc822\r\n\r\nFrom: al"));
    free(out);
    t_world_clear(&w);
}

/* ---- What goes back ---------------------------------------------------- */

static const struct back {
    const char *name, *message;
    size_t ret, max, allow_8bit, allow_utf8, action;
    const char *want; /* in the message */
} backs[] = {
    {"whole", message, 0, 0, 0, 0, ONWARD_DSN_FAILED,
     "message/rfc822\r\n\r\nFrom: alice@example.org\r\nSubject: hi\r\n\r\nTe"},
    {"RET=HDRS", message, ONWARD_SMTP_RET_HDRS, 0, 0, 0, ONWARD_DSN_FAILED,
     "text/rfc822-headers\r\n\r\nFrom: alice@example.org\r\nSubject: hi\r\n"
     "\r\n--"},
    {"not failed", message, ONWARD_SMTP_RET_FULL, 0, 0, 0, ONWARD_DSN_DELAYED,
     "text/rfc822-headers\r\n"},
    {"over max_original", message, ONWARD_SMTP_RET_FULL, 46, 0, 0,
     ONWARD_DSN_FAILED, "text/rfc822-headers\r\n"},
    {"cut behind a line", "A: b\r\n\r\nx\r\ny\r\n", ONWARD_SMTP_RET_FULL, 11, 0,
     0, ONWARD_DSN_FAILED, "text/rfc822-headers\r\n"},
    {"header over max_original", message, 0, 30, 0, 0, ONWARD_DSN_FAILED,
     "text/rfc822-headers\r\n\r\nFrom: alice@example.org\r\n\r\n--"},
    {"bare LF", "A: b\r\n\r\nx\ny\r\n", 0, 0, 0, 0, ONWARD_DSN_FAILED,
     "text/rfc822-headers\r\n\r\nA: b\r\n\r\n--"},
    {"header that cannot travel", "A: \xe9\n\rB\r\n\r\nx\ny\r\n", 0, 0, 1, 0,
     ONWARD_DSN_FAILED, "text/rfc822-headers\r\n\r\nA: ???B\r\n\r\n--"},
    {"8-bit, not allowed", "A: b\r\n\r\n\xc3\xa9\r\n", 0, 0, 0, 0,
     ONWARD_DSN_FAILED, "text/rfc822-headers\r\n\r\nA: b\r\n\r\n--"},
    {"8-bit", "A: b\r\n\r\n\xc3\xa9\r\n", 0, 0, 1, 0, ONWARD_DSN_FAILED,
     "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: b\r\n\r\n"},
    {"UTF-8 header", "A: \xc3\xa9\r\n\r\nx\r\n", 0, 0, 0, 1, ONWARD_DSN_FAILED,
     "message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nA: \xc3\xa9"},
    {"UTF-8 header alone", "A: \xc3\xa9\r\n\r\nx\r\n", ONWARD_SMTP_RET_HDRS, 0,
     0, 1, ONWARD_DSN_FAILED, "message/global-headers\r\n"},
    {"nothing", "", 0, 0, 0, 0, ONWARD_DSN_FAILED, "Status: 5.1.1\r\n\r\n--"},
    {"no header", "\r\nx\n", 0, 0, 0, 0, ONWARD_DSN_FAILED,
     "Status: 5.1.1\r\n\r\n--"},
};

static void test_back(void **state)
{
    const struct back *row = *state;
    struct onward_dsn_opts opts = some_opts();
    struct onward_dsn_outcome o = some_outcome();
    struct t_world w;
    size_t len;
    char *out;

    t_world_init(&w);
    opts.ret = row->ret;
    opts.max_original = row->max;
    opts.allow_8bit = row->allow_8bit;
    opts.allow_utf8 = row->allow_utf8;
    o.action = row->action;
    if (row->action == ONWARD_DSN_DELAYED)
        o.status = S("4.4.1");
    out = write_one(w.ctx, &opts, &o, onward_str_of(row->message), &len);
    if (strstr(out, row->want) == NULL)
        fail_msg("no \"%s\" in\n%s", row->want, out);
    free(out);
    t_world_clear(&w);
}

/* ---- Peers' texts (A114) ----------------------------------------------- */

static void test_hostile_text(void **state)
{
    struct onward_dsn_opts opts = some_opts();
    struct onward_dsn_outcome o = some_outcome();
    struct t_world w;
    char big[5000];
    size_t len, longest = 0, line = 0;
    char *out;

    (void)state;
    t_world_init(&w);
    o.diagnostic = S("550 no\r\n\r\n--b\r\nSubject: evil\r\n\x1b[31m\xff");
    o.orcpt = S("rfc822;a\r\nX: y@example");
    out = write_one(w.ctx, &opts, &o, onward_str_of(message), &len);
    assert_null(strstr(out, "\r\nSubject: evil"));
    assert_null(strstr(out, "\nX: y"));
    assert_null(strchr(out, 0x1b));
    assert_non_null(strstr(out, "Diagnostic-Code: smtp; 550"));
    assert_non_null(strstr(out, "rfc822; a\\x0D\\x0AX: y@example\r\n"));
    free(out);

    memset(big, 'a', sizeof(big));
    memcpy(big, "rfc822;", 7);
    o.diagnostic = onward_core__str(big + 7, sizeof(big) - 7);
    o.orcpt = onward_core__str(big, sizeof(big));
    out = write_one(w.ctx, &opts, &o, onward_str_of(message), &len);
    assert_true(len < 6000);
    for (size_t i = 0; i < len; i++) {
        line = out[i] == '\n' ? 0 : line + 1;
        longest = line > longest ? line : longest;
    }
    assert_true(longest <= 999);
    free(out);
    t_world_clear(&w);
}

/* ---- Round trip -------------------------------------------------------- */

static const char chinese[] = "\xe4\xb8\xad\xe6\x96\x87+a@example.net";

/* Five recipients, one of each action, one of them international. */
static bool round_trip(struct t_world *w, void *arg)
{
    static const char *const status[] = {"",      "5.1.1", "4.4.1",
                                         "2.1.5", "2.0.0", "2.1.5"};
    const size_t *allow_utf8 = arg;
    struct onward_dsn_opts opts = some_opts();
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_recipient r = {.size = sizeof(r)};
    struct onward_memory_source *memory = NULL;
    const struct onward_source *source = NULL;
    struct onward_dsn_notice *notice = NULL;
    struct onward_builder *b = NULL;
    struct onward_dsn *dsn = NULL;
    size_t got = 0;
    char *out = NULL;
    int err;

    opts.envid = S("a+b=c");
    opts.allow_utf8 = *allow_utf8;
    err =
        onward_memory_source_new(w->ctx, message, sizeof(message) - 1, &memory);
    if (err == 0)
        err = onward_dsn_new(w->ctx, &opts, &dsn);
    for (size_t a = ONWARD_DSN_FAILED; err == 0 && a <= ONWARD_DSN_EXPANDED;
         a++) {
        struct onward_dsn_outcome o = some_outcome();

        o.action = a;
        o.notify = ONWARD_SMTP_NOTIFY_SUCCESS | ONWARD_SMTP_NOTIFY_FAILURE |
                   ONWARD_SMTP_NOTIFY_DELAY;
        o.status = onward_str_of(status[a]);
        o.orcpt = S("utf-8;\\x{4E2D}\\x{6587}\\x{2B}a@example.net");
        o.will_retry_until_s = 1600001000;
        if (a == ONWARD_DSN_DELAYED)
            o.recipient = onward_str_of(chinese);
        err = onward_dsn_add(dsn, &o);
        err = err == 1 ? 0 : err;
    }
    if (err == 0)
        err = onward_dsn_set_original(dsn, onward_memory_source_table(memory));
    if (err == 0)
        err = onward_dsn_build(dsn, &b);
    if (err == 0)
        err = onward_builder_source(b, &source);
    if (err == 0) {
        out = malloc((size_t)source->len);
        while (err == 0 && got < source->len) {
            size_t more = 0;

            err = source->read(source->user, got, out + got,
                               (size_t)source->len - got, &more);
            got += more;
        }
    }
    if (err == 0)
        err =
            onward_dsn_parse(w->ctx, onward_core__str(out, got), NULL, &notice);
    if (err == 0) {
        onward_dsn_notice_facts(notice, &facts);
        assert_int_equal(facts.oddities, 0);
        assert_int_equal(facts.count, 5);
        assert_int_equal(facts.is_global, *allow_utf8);
        t_assert_str(facts.envid, "a+b=c");
        assert_int_equal(facts.is_header_only, 0);
        for (size_t i = 0; i < 5; i++) {
            onward_dsn_notice_recipient(notice, i, &r);
            assert_int_equal(r.action, i + 1);
            t_assert_str(r.original_recipient, chinese);
            t_assert_str(r.original_type, "utf-8");
            t_assert_str(r.final_recipient,
                         i == 1 ? chinese : "bob@example.net");
            t_assert_str(r.final_type, i == 1 ? "utf-8" : "rfc822");
            t_assert_str(r.status, status[i + 1]);
            assert_true(r.will_retry_until_s == (i == 1 ? 1600001000 : 0));
        }
    }
    free(out);
    onward_dsn_notice_free(notice);
    onward_builder_free(b);
    onward_dsn_free(dsn);
    onward_memory_source_free(memory);
    assert_true(err == 0 || err == ONWARD_ENOMEM || err == ONWARD_ECALLBACK);
    return err == 0;
}

static void test_round_trip(void **state)
{
    struct t_world w;

    (void)state;
    for (size_t utf8 = 0; utf8 < 2; utf8++) {
        t_world_init(&w);
        assert_true(round_trip(&w, &utf8));
        t_world_clear(&w);
        t_oom_sweep(round_trip, &utf8);
    }
}

/* ---- Wanted? ----------------------------------------------------------- */

enum {
    NEVER = ONWARD_SMTP_NOTIFY_NEVER,
    SUCCESS = ONWARD_SMTP_NOTIFY_SUCCESS,
    FAILURE = ONWARD_SMTP_NOTIFY_FAILURE,
    DELAY = ONWARD_SMTP_NOTIFY_DELAY
};

static const struct wanted {
    const char *name, *reverse_path, *field;
    size_t action, notify, allow_automatic;
    int want, why;
} wanteds[] = {
    {"failed", "a@b", "", ONWARD_DSN_FAILED, 0, 0, 1, 0},
    {"delayed", "a@b", "", ONWARD_DSN_DELAYED, 0, 0, 1, 0},
    {"delivered is not asked", "a@b", "", ONWARD_DSN_DELIVERED, 0, 0, 0,
     ONWARD_DSN_NOT_ASKED},
    {"delivered", "a@b", "", ONWARD_DSN_DELIVERED, SUCCESS, 0, 1, 0},
    {"relayed", "a@b", "", ONWARD_DSN_RELAYED, SUCCESS | DELAY, 0, 1, 0},
    {"failed, success asked", "a@b", "", ONWARD_DSN_FAILED, SUCCESS, 0, 0,
     ONWARD_DSN_NOT_ASKED},
    {"delayed, failure asked", "a@b", "", ONWARD_DSN_DELAYED, FAILURE, 0, 0,
     ONWARD_DSN_NOT_ASKED},
    {"never", "a@b", "", ONWARD_DSN_FAILED, NEVER, 0, 0, ONWARD_DSN_NEVER},
    {"null sender, asked", "", "", ONWARD_DSN_FAILED, FAILURE, 1, 0,
     ONWARD_DSN_NULL_SENDER},
    {"automatic", "a@b", "Auto-Submitted: (x) auto-generated; a=b",
     ONWARD_DSN_FAILED, 0, 0, 0, ONWARD_DSN_AUTOMATIC},
    {"automatic: no", "a@b", "Auto-Submitted: (x) No (y)", ONWARD_DSN_FAILED, 0,
     0, 1, 0},
    {"automatic, asked", "a@b", "Auto-Submitted: auto-generated",
     ONWARD_DSN_FAILED, FAILURE, 0, 1, 0},
    {"automatic, allowed", "a@b", "List-Id: <x>", ONWARD_DSN_FAILED, 0, 1, 1,
     0},
    {"list", "a@b", "List-Id: <x>", ONWARD_DSN_FAILED, 0, 0, 0,
     ONWARD_DSN_AUTOMATIC},
    {"bulk", "a@b", "Precedence: bulk", ONWARD_DSN_FAILED, 0, 0, 0,
     ONWARD_DSN_AUTOMATIC},
    {"precedence of the first class", "a@b", "Precedence: first-class",
     ONWARD_DSN_FAILED, 0, 0, 1, 0},
    {"owner", "owner-a@b", "A: b", ONWARD_DSN_FAILED, 0, 0, 0,
     ONWARD_DSN_AUTOMATIC},
    {"request", "a-request@b", "A: b", ONWARD_DSN_FAILED, 0, 0, 0,
     ONWARD_DSN_AUTOMATIC},
    {"daemon", "MAILER-DAEMON@b", "A: b", ONWARD_DSN_FAILED, 0, 0, 0,
     ONWARD_DSN_AUTOMATIC},
    {"never and more", "a@b", "", ONWARD_DSN_FAILED, NEVER | FAILURE, 0,
     ONWARD_EINVAL, 4711},
    {"no such bit", "a@b", "", ONWARD_DSN_FAILED, 16, 0, ONWARD_EINVAL, 4711},
    {"no action", "a@b", "", 0, 0, 0, ONWARD_EINVAL, 4711},
    {"no such action", "a@b", "", 6, 0, 0, ONWARD_EINVAL, 4711},
};

static void test_wanted(void **state)
{
    const struct wanted *row = *state;
    struct onward_dsn_question q = {
        .size = sizeof(q),
        .reverse_path = onward_str_of(row->reverse_path),
        .action = row->action,
        .notify = row->notify,
        .allow_automatic = row->allow_automatic,
    };
    struct onward_header *header = NULL;
    struct t_world w;
    size_t taken;
    int why = 4711;

    t_world_init(&w);
    assert_int_equal(onward_header_new(w.ctx, &header), 0);
    onward_header_feed(header, row->field, strlen(row->field), &taken);
    onward_header_finish(header);
    q.original = row->field[0] == '\0' ? NULL : header;
    assert_int_equal(onward_dsn_is_wanted(&q, &why), row->want);
    assert_int_equal(why, row->why);
    if (row->want >= 0)
        assert_int_equal(onward_dsn_unwanted_name(why)[0] == '\0', row->want);
    onward_header_free(header);
    t_world_clear(&w);
}

/* ---- Errors ------------------------------------------------------------ */

static int read_none(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    (void)user, (void)offset, (void)buf, (void)cap;
    *got = 0;
    return 0;
}

static void test_errors(void **state)
{
    struct onward_source bad = {
        .size = sizeof(bad), .len = 9, .read = read_none};
    struct onward_dsn_opts opts = some_opts();
    struct onward_dsn_outcome o = some_outcome();
    struct onward_builder *b = NULL;
    struct onward_dsn *dsn = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_dsn_new(w.ctx, NULL, &dsn), ONWARD_EINVAL);
    opts.ret = 3;
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), ONWARD_EINVAL);
    opts = some_opts();
    opts.reverse_path = S("");
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), ONWARD_EINVAL);
    opts = some_opts();
    opts.reporting_mta = S("a\r\nb");
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), ONWARD_ESYNTAX);
    opts = some_opts();
    opts.received_from = S("[1\n]");
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), ONWARD_ESYNTAX);
    opts = some_opts();
    opts.envid = S("a\r\nb");
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), ONWARD_ESYNTAX);
    opts = some_opts();
    opts.max_recipients = 1;
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), 0);
    assert_int_equal(onward_dsn_build(dsn, &b), ONWARD_ESTATE);
    o.status = S("2.0.0");
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESYNTAX);
    o.status = S("5.0");
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESYNTAX);
    o = some_outcome();
    o.recipient = S("a\r\nb@c");
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESYNTAX);
    o = some_outcome();
    o.remote_mta = S("a b");
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESYNTAX);
    o = some_outcome();
    o.orcpt = S("bob@example");
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESYNTAX);
    o = some_outcome();
    o.action = 0;
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_EINVAL);
    o = some_outcome();
    o.notify = NEVER;
    assert_int_equal(onward_dsn_add(dsn, &o), 0);
    assert_int_equal(onward_dsn_count(dsn), 0);
    o.notify = 0;
    assert_int_equal(onward_dsn_add(dsn, &o), 1);
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ELIMIT);
    assert_int_equal(onward_dsn_count(dsn), 1);
    assert_int_equal(onward_dsn_set_original(dsn, &bad), 0);
    assert_int_equal(onward_dsn_build(dsn, &b), ONWARD_ECALLBACK);
    bad.len = 0;
    assert_int_equal(onward_dsn_set_original(dsn, &bad), 0);
    assert_int_equal(onward_dsn_build(dsn, &b), 0);
    assert_int_equal(onward_dsn_build(dsn, &b), ONWARD_ESTATE);
    assert_int_equal(onward_dsn_add(dsn, &o), ONWARD_ESTATE);
    assert_int_equal(onward_dsn_set_original(dsn, &bad), ONWARD_ESTATE);
    bad.read = NULL;
    assert_int_equal(onward_dsn_set_original(dsn, &bad), ONWARD_EINVAL);
    onward_builder_free(b);
    onward_dsn_free(dsn);
    /* The path takes no UTF-8, so it cannot get there. */
    opts = some_opts();
    opts.reverse_path = onward_str_of(chinese);
    assert_int_equal(onward_dsn_new(w.ctx, &opts, &dsn), 0);
    assert_int_equal(onward_dsn_add(dsn, &o), 1);
    assert_int_equal(onward_dsn_build(dsn, &b), ONWARD_ESYNTAX);
    onward_dsn_free(dsn);
    t_world_clear(&w);
}

enum {
    BACKS = sizeof(backs) / sizeof(backs[0]),
    WANTEDS = sizeof(wanteds) / sizeof(wanteds[0])
};

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_errors)};
    struct CMUnitTest back[BACKS], wanted[WANTEDS];

    for (size_t i = 0; i < BACKS; i++)
        back[i] = (struct CMUnitTest){.name = backs[i].name,
                                      .test_func = test_back,
                                      .initial_state = (void *)&backs[i]};
    for (size_t i = 0; i < WANTEDS; i++)
        wanted[i] = (struct CMUnitTest){.name = wanteds[i].name,
                                        .test_func = test_wanted,
                                        .initial_state = (void *)&wanteds[i]};
    return cmocka_run_group_tests_name("back", back, NULL, NULL) +
           cmocka_run_group_tests_name("wanted", wanted, NULL, NULL) +
           cmocka_run_group_tests(others, NULL, NULL);
}
