/* Which messages go on, and what the others are told. */
#include "relay/post.h"

enum {
    ANY_AUTH = 1, /* allow_unauthenticated */
    ANY_DMARC = 2,
    ANY_HEADER = 4,
    NO_SRS = 8,
    FEW_HOPS = 16, /* max_received 2 */
    STRANGER = 32, /* comes from 192.0.2.10 */
    NO_STORE = 64
};

#define BODY "\r\nHello.\r\n"
#define OK "250 2.0.0 Taken"

static const struct row {
    const char *name;
    unsigned flags;
    const char *from, *message, *want, *reason;
} rows[] = {
    {"all is well", 0, "ann@a.example", "From: ann@a.example\r\n" BODY, OK,
     "delivered"},

    /* The header. */
    {"malformed header", 0, "ann@a.example",
     "From: ann@a.example\r\nwhat\r\n" BODY,
     "550 5.6.0 Message header is malformed", "malformed"},
    {"first line is a fold", 0, "ann@a.example",
     " x\r\nFrom: ann@a.example\r\n" BODY,
     "550 5.6.0 Message header is malformed", "malformed"},
    {"malformed header, allowed", ANY_HEADER, "ann@a.example",
     "From: ann@a.example\r\nwhat\r\n" BODY, OK, "delivered"},

    /* DMARC (A101, A070). */
    {"DMARC says reject", STRANGER, "ann@a.example",
     "From: ann@a.example\r\n" BODY,
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for", "dmarc"},
    {"another sender passes SPF", 0, "bob@n.example",
     "From: ann@a.example\r\n" BODY,
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for", "dmarc"},
    {"DMARC says reject, but the host does not", ANY_DMARC, "bob@n.example",
     "From: ann@a.example\r\n" BODY, OK, "delivered"},
    {"no From", 0, "ann@a.example", "To: x@y.example\r\n" BODY,
     "550 5.7.1 Message must have exactly one author domain in From", "dmarc"},
    {"two From fields", 0, "ann@a.example",
     "From: ann@a.example\r\nFrom : bob@n.example\r\n" BODY,
     "550 5.7.1 Message must have exactly one author domain in From", "dmarc"},
    {"DMARC says reject, but SPF is not known", 0, "x@s.example",
     "From: ann@a.example\r\n" BODY, "451 4.7.1 DMARC cannot be checked now",
     "dmarc-unknown"},
    {"DMARC is not known", 0, "ann@t.example", "From: ann@t.example\r\n" BODY,
     "451 4.7.1 DMARC cannot be checked now", "dmarc-unknown"},
    {"DMARC is not known, another sender passes", 0, "bob@n.example",
     "From: ann@t.example\r\n" BODY, "451 4.7.1 DMARC cannot be checked now",
     "dmarc-unknown"},
    {"DMARC is not known, another sender passes, allowed", ANY_DMARC,
     "bob@n.example", "From: ann@t.example\r\n" BODY, OK, "delivered"},
    {"DMARC is not known, the author passes", 0, "bob@u.example",
     "From: ann@u.example\r\n" BODY, OK, "delivered"},
    {"another sender passes, whose DMARC is not known", 0, "bob@u.example",
     "From: ann@a.example\r\n" BODY,
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for", "dmarc"},

    /* Authentication. */
    {"neither SPF nor DKIM", STRANGER, "bob@n.example",
     "From: bob@n.example\r\n" BODY,
     "550 5.7.26 Message passes neither SPF nor DKIM", "unauthenticated"},
    {"no records at all", 0, "x@e.example", "From: x@e.example\r\n" BODY,
     "550 5.7.26 Message passes neither SPF nor DKIM", "unauthenticated"},
    {"SPF is not known", 0, "x@s.example", "From: x@s.example\r\n" BODY,
     "451 4.7.26 SPF or DKIM cannot be checked now", "auth-unknown"},
    {"neither, allowed", STRANGER | ANY_AUTH, "bob@n.example",
     "From: bob@n.example\r\n" BODY, OK, "delivered"},

    /* Loops (A110). */
    {"our mark", 0, "ann@a.example",
     "Delivered-To: me@example.com\r\nFrom: ann@a.example\r\n" BODY,
     "554 5.4.6 Mail loop: delivered to this address before", "loop"},
    {"our mark, last of many, other case", 0, "ann@a.example",
     "Delivered-To: x@y.example\r\nDelivered-To: junk\r\n"
     "From: ann@a.example\r\ndelivered-to:\tMe@Example.COM \r\n" BODY,
     "554 5.4.6 Mail loop: delivered to this address before", "loop"},
    {"others' marks", 0, "ann@a.example",
     "Delivered-To: me@dest.example\r\nFrom: ann@a.example\r\n" BODY, OK,
     "delivered"},
    {"hops, as many as may be", FEW_HOPS, "ann@a.example",
     "Received: a\r\nReceived: b\r\nFrom: ann@a.example\r\n" BODY, OK,
     "delivered"},
    {"hops, one more", FEW_HOPS, "ann@a.example",
     "Received: a\r\nReceived: b\r\nRECEIVED: c\r\nFrom: "
     "ann@a.example\r\n" BODY,
     "554 5.4.6 Too many hops", "hops"},

    /* The sender. */
    {"a sender that needs quotes", NO_STORE, "\"a b\"@a.example",
     "From: ann@a.example\r\n" BODY,
     "550 5.1.7 Sender of this form cannot be forwarded", "sender"},
    {"a long sender", NO_STORE,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a.example",
     "From: ann@a.example\r\n" BODY,
     "550 5.1.7 Sender is too long to be forwarded", "sender"},
    {"a long sender, not rewritten", NO_SRS,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a.example",
     "From: ann@a.example\r\n" BODY, OK, "delivered"},

    /* A copy must not pass where the original did not (A100). */
    {"From in the domain of rewritten senders", 0, "bob@n.example",
     "From: boss@fwd.net\r\n" BODY,
     "550 5.7.1 Message fails DMARC here and would pass it after forwarding",
     "alignment"},
    {"From below it", 0, "bob@n.example", "From: boss@hr.fwd.net\r\n" BODY,
     "550 5.7.1 Message fails DMARC here and would pass it after forwarding",
     "alignment"},
    {"From below it, where SPF must be exact", 0, "bob@n.example",
     "From: boss@strict.fwd.net\r\n" BODY, OK, "delivered"},
    {"From in another organization", 0, "bob@n.example",
     "From: boss@other.net\r\n" BODY, OK, "delivered"},
    {"no policy, so nothing to gain", 0, "bob@n.example",
     "From: boss@none.net\r\n" BODY, OK, "delivered"},
    {"alignment is not known", ANY_DMARC, "bob@n.example",
     "From: boss@broken.net\r\n" BODY, "451 4.7.1 DMARC cannot be checked now",
     "alignment-unknown"},
};

static void set_flags(struct t_post *x, unsigned flags)
{
    x->opts.allow_unauthenticated = (flags & ANY_AUTH) != 0;
    x->opts.allow_dmarc_reject = (flags & ANY_DMARC) != 0;
    x->opts.allow_malformed = (flags & ANY_HEADER) != 0;
    x->opts.max_received = (flags & FEW_HOPS) != 0 ? 2 : 0;
    if ((flags & NO_SRS) != 0)
        x->opts.srs = NULL;
    if ((flags & NO_STORE) != 0)
        x->opts.store = NULL;
    if ((flags & STRANGER) != 0)
        x->client_ip = "192.0.2.10";
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_post x;

    t_post_open(&x);
    set_flags(&x, row->flags);
    x.answers[0] = OK;
    assert_string_equal(
        t_post_send(&x, row->from, "me@example.com", row->message), row->want);
    assert_string_equal(onward_relay_reason_name(onward_relay_reason(x.relay)),
                        row->reason);
    assert_int_equal(x.done, 1);
    assert_int_equal(x.asked_count, row->want[0] == '2');
    t_post_close(&x);
}

/* ---- Signatures that would speak for the author (A100) ----------------- */

static const struct signed_row {
    const char *name;
    unsigned flags;
    const char *from, *author, *domain;
    size_t want; /* signatures */
} signed_rows[] = {
    {"the author's own, and it passes", 0, "ann@a.example", "ann@a.example",
     "a.example", 2},
    {"the author's own, and it does not pass", 0, "bob@n.example",
     "boss@other.net", "other.net", 0},
    {"written otherwise", 0, "bob@n.example", "boss@other.net", "OTHER.net", 0},
    {"above the author's", 0, "bob@n.example", "boss@hr.other.net", "other.net",
     0},
    {"below the author's", 0, "bob@n.example", "boss@other.net",
     "mail.other.net", 0},
    {"of another organization below net", 0, "bob@n.example", "boss@other.net",
     "third.net", 2},
    {"of another", 0, "bob@n.example", "boss@other.net", "example.com", 2},
    {"without a record, the author's own", 0, "bob@n.example", "boss@none.net",
     "none.net", 0},
    {"without a record, below it", 0, "bob@n.example", "boss@none.net",
     "a.none.net", 0},
    {"without a record, above it", 0, "bob@n.example", "boss@a.b.none.net",
     "none.net", 0},
    {"without a record, of another", 0, "bob@n.example", "boss@none.net",
     "third.net", 2},
    {"a record that is not known", ANY_DMARC | NO_SRS, "bob@n.example",
     "boss@broken.net", "third.net", 0},
    {"two authors", ANY_DMARC | ANY_HEADER, "bob@n.example",
     "boss@other.net, x@third.net", "other.net", 0},
};

static size_t count_signatures(const char *text)
{
    size_t n = 0;

    for (; (text = strstr(text, "DKIM-Signature:")) != NULL; text++)
        n++;
    return n;
}

static void test_signed_row(void **state)
{
    const struct signed_row *row = *state;
    const struct onward_dkim_signer_opts dkim = {.size = sizeof(dkim),
                                                 .domain =
                                                     onward_str_of(row->domain),
                                                 .selector = ONWARD_STR("s")};
    char message[200];
    struct t_post x;

    snprintf(message, sizeof(message), "From: %s\r\n" BODY, row->author);
    t_post_open(&x);
    set_flags(&x, row->flags);
    x.dkim = &dkim;
    x.answers[0] = OK;
    assert_string_equal(t_post_send(&x, row->from, "me@example.com", message),
                        OK);
    assert_int_equal(count_signatures(t_post_sent(&x)), row->want);
    t_post_close(&x);
}

/* ---- Drop -------------------------------------------------------------- */

static void test_drop(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "null@example.com", t_post_plain),
        "250 2.0.0 OK");
    assert_int_equal(onward_relay_delivery_count(x.relay), 0);
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_DROP);
    /* Policy comes first: a rule must not tell who is real. */
    x.client_ip = "192.0.2.10";
    assert_memory_equal(
        t_post_send(&x, "ann@a.example", "null@example.com", t_post_plain),
        "550 5.7.1", 9);
    assert_int_equal(x.asked_count, 0);
    t_post_close(&x);
}

/* ---- Bounces ----------------------------------------------------------- */

static void bounce(struct t_post *x, const char *message, const char *want)
{
    char ours[ONWARD_SRS_TEXT_MAX];

    assert_true(onward_srs_forward(x->srs, ONWARD_STR("ann@a.example"),
                                   ONWARD_STR("fwd.net"), ours,
                                   sizeof(ours)) > 0);
    assert_string_equal(t_post_send(x, "", ours, message), want);
}

static void test_bounces_need_no_authentication(void **state)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.client_ip = "192.0.2.10";
    x.answers[0] = OK;
    bounce(&x, "From: mailer-daemon@e.example\r\n" BODY, OK);
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    t_assert_str(d.reverse_path, "");
    t_assert_str(d.recipient, "ann@a.example");
    t_assert_str(d.domain, "a.example");
    bounce(&x, "From: ann@a.example\r\n" BODY,
           "550 5.7.1 Rejected as the DMARC policy of a.example asks for");
    t_post_close(&x);
}

/* With the null path the next hop's SPF looks at our EHLO name. */
static void test_a_bounce_does_not_gain_our_name(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.client_ip = "192.0.2.10";
    bounce(&x, "From: boss@example.com\r\n" BODY,
           "550 5.7.1 Message fails DMARC here and would pass it after "
           "forwarding");
    t_post_close(&x);
}

/* ---- The sender of the copy -------------------------------------------- */

static void test_the_sender_is_rewritten(void **state)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    char want[ONWARD_SRS_TEXT_MAX];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    assert_true(onward_srs_forward(x.srs, ONWARD_STR("ann@a.example"),
                                   ONWARD_STR("fwd.net"), want,
                                   sizeof(want)) > 0);
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    t_assert_str(d.reverse_path, want);
    t_assert_str(d.recipient, "me@dest.example");
    t_assert_str(d.domain, "dest.example");
    assert_int_equal(d.smtputf8, 0);
    assert_non_null(d.source);
    x.opts.srs = NULL;
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    t_assert_str(d.reverse_path, "ann@a.example");
    t_post_close(&x);
}

/* ---- What cannot be rewritten ------------------------------------------ */

#define LONG_SENDER                                                            \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a.example"

static const char *sender_of(struct t_post *x, const char *from)
{
    static int number; /* each is another message */
    static char text[400];
    struct onward_relay_delivery d = {.size = sizeof(d)};
    char message[100];

    x->answers[0] = OK;
    snprintf(message, sizeof(message), "X: %d\r\nFrom: ann@a.example\r\n" BODY,
             number++);
    assert_string_equal(t_post_send(x, from, "me@example.com", message), OK);
    assert_int_equal(onward_relay_delivery_at(x->relay, 0, &d), 0);
    snprintf(text, sizeof(text), "%.*s", (int)d.reverse_path.len,
             d.reverse_path.len == 0 ? "" : d.reverse_path.data);
    return text;
}

static void test_m21_overflow(void **state)
{
    static const char *const froms[] = {LONG_SENDER, "\"a b\"@a.example"};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    for (size_t i = 0; i < 2; i++) {
        x.opts.srs_overflow = ONWARD_RELAY_OVERFLOW_NULL;
        assert_string_equal(sender_of(&x, froms[i]), "");
        x.opts.srs_overflow = ONWARD_RELAY_OVERFLOW_SINK;
        x.opts.srs_sink = ONWARD_STR("bounces+drop@fwd.net");
        assert_string_equal(sender_of(&x, froms[i]), "bounces+drop@fwd.net");
        x.opts.srs_overflow = ONWARD_RELAY_OVERFLOW_KEEP;
        assert_memory_equal(sender_of(&x, froms[i]), "SRS0=", 5);
    }
    /* Those that fit are rewritten whatever it says. */
    x.opts.srs_overflow = ONWARD_RELAY_OVERFLOW_NULL;
    assert_memory_equal(sender_of(&x, "ann@a.example"), "SRS0=", 5);
    t_post_reset(&x);
    x.opts.srs_overflow = 3;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), ONWARD_EINVAL);
    t_post_reset(&x);
    x.opts.srs_overflow = ONWARD_RELAY_OVERFLOW_SINK;
    x.opts.srs_sink = ONWARD_STR("no address");
    assert_int_equal(t_post_mail(&x, "ann@a.example"), ONWARD_EINVAL);
    t_post_reset(&x);
    x.opts.srs_sink = ONWARD_STR("a@b.example>\r\nRCPT TO:<c@d.example");
    assert_int_equal(t_post_mail(&x, "ann@a.example"), ONWARD_EINVAL);
    t_post_reset(&x);
    x.opts.srs_sink.len = 0;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), ONWARD_EINVAL);
    t_post_reset(&x);
    t_post_close(&x);
}

/* A106: from the null path alone, unless the host says otherwise; then what is
 * asked of other mail is asked of this. */
static void test_m21_senders_to_a_rewritten_sender(void **state)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    char ours[400], kept[400];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    snprintf(ours, sizeof(ours), "%s", sender_of(&x, "ann@a.example"));
    snprintf(kept, sizeof(kept), "%s", sender_of(&x, LONG_SENDER));
    x.opts.allow_srs_senders = 1;
    x.answers[0] = OK;
    assert_string_equal(
        t_post_send(&x, "bob@n.example", ours, "From: bob@n.example\r\n" BODY),
        OK);
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    t_assert_str(d.recipient, "ann@a.example");
    assert_memory_equal(d.reverse_path.data, "SRS0=", 5);
    assert_string_equal(t_post_send(&x, "", ours, "From: x@y.example\r\n" BODY),
                        OK);
    assert_string_equal(
        t_post_send(&x, "bob@n.example", kept, "From: bob@n.example\r\n" BODY),
        "550 5.7.1 Only bounces are taken for this address");
    x.client_ip = "192.0.2.10";
    assert_string_equal(
        t_post_send(&x, "bob@n.example", ours, "From: bob@n.example\r\n" BODY),
        "550 5.7.26 Message passes neither SPF nor DKIM");
    x.client_ip = "192.0.2.9";
    x.opts.allow_srs_senders = 0;
    assert_string_equal(
        t_post_send(&x, "bob@n.example", ours, "From: bob@n.example\r\n" BODY),
        "550 5.7.1 Only bounces are taken for this address");
    t_post_close(&x);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    enum { SIGNED_ROWS = sizeof(signed_rows) / sizeof(signed_rows[0]) };

    _Static_assert((int)SIGNED_ROWS <= (int)ROWS, "room for them");
    struct CMUnitTest row_tests[ROWS];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_bounces_need_no_authentication),
        cmocka_unit_test(test_a_bounce_does_not_gain_our_name),
        cmocka_unit_test(test_the_sender_is_rewritten),
        cmocka_unit_test(test_m21_overflow),
        cmocka_unit_test(test_m21_senders_to_a_rewritten_sender),
    };
    int failed;

    for (size_t i = 0; i < ROWS; i++)
        row_tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    failed = cmocka_run_group_tests(row_tests, NULL, NULL);
    for (size_t i = 0; i < SIGNED_ROWS; i++)
        row_tests[i] = (struct CMUnitTest){
            .name = signed_rows[i].name,
            .test_func = test_signed_row,
            .initial_state = (void *)(uintptr_t)&signed_rows[i]};
    failed +=
        _cmocka_run_group_tests("signed", row_tests, SIGNED_ROWS, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
