/* Whom a host may tell of a failure, and what it passes on of what the sender
 * said about that (A112; RFC 3461 section 5.2). */
#include "relay/post.h"

#define MESSAGE "From: Ann <ann@n.example>\r\n\r\nHello.\r\n"
#define OK "250 2.0.0 Taken"

enum { STRANGER = 1, NO_SRS = 2, CHANGED = 4 };

/* ---- Whom to tell ------------------------------------------------------ */

static const struct row {
    const char *name;
    unsigned flags;
    const char *from;   /* "%" is one of ours, of ann@n.example */
    const char *signer; /* d= of a signature; NULL: none */
    const char *want;   /* "": nobody */
} rows[] = {
    {"SPF passed", 0, "bob@n.example", NULL, "bob@n.example"},
    {"neither passed", STRANGER, "bob@n.example", NULL, ""},
    {"no record at all", 0, "x@e.example", NULL, ""},
    {"SPF is not known", 0, "x@s.example", NULL, ""},
    {"the null path", 0, "", NULL, ""},
    {"signed by the sender's domain", STRANGER, "bob@n.example", "n.example",
     "bob@n.example"},
    {"in other letters", STRANGER, "Bob@N.Example", "n.example",
     "Bob@N.Example"},
    {"signed by a domain above it", STRANGER, "bob@sub.n.example", "n.example",
     "bob@sub.n.example"},
    {"signed by a domain below it", STRANGER, "bob@n.example", "sub.n.example",
     ""},
    {"signed by a stranger", STRANGER, "bob@n.example", "e.example", ""},
    {"signed by a name that ends alike", STRANGER, "bob@xn.example",
     "n.example", ""},
    {"signed by the sender's domain, and changed", STRANGER | CHANGED,
     "bob@n.example", "n.example", ""},
    {"signed by a domain that only tries it out", STRANGER, "bob@y.example",
     "y.example", ""},
    {"one of ours, turned back", 0, "%", NULL, "ann@n.example"},
    {"one of ours, not proven", STRANGER, "%", NULL, ""},
    {"one of ours, forged", 0, "SRS0=AAAA=XX=n.example=ann@fwd.net", NULL, ""},
    {"no address of ours, in our domain", 0, "postmaster@fwd.net", NULL,
     "postmaster@fwd.net"},
    {"one of ours, of whom nothing is known here", NO_SRS, "%", NULL, "%"},
};

static const char records[] = "fwd.net TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
                              "sub.n.example TXT \"v=spf1 -all\"\n"
                              "y.example TXT \"v=spf1 -all\"\n"
                              "xn.example TXT \"v=spf1 -all\"\n";

static void expect(const char *name, struct onward_str got, const char *want)
{
    if (got.len != strlen(want) ||
        (got.len > 0 && memcmp(got.data, want, got.len) != 0))
        fail_msg("%s: \"%.*s\", expected \"%s\"", name, (int)got.len,
                 got.len > 0 ? got.data : "", want);
}

static void load(struct t_post *x, const char *text)
{
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(text), NULL), 0);
}

static void publish(struct t_post *x, const char *domain)
{
    char text[1000], record[1300];

    assert_true(onward_dkim_record(onward_signer_public(x->signer), NULL, text,
                                   sizeof(text)) > 0);
    snprintf(record, sizeof(record), "s._domainkey.%s TXT \"%.200s\" \"%s\"\n",
             domain, text, strlen(text) > 200 ? text + 200 : "");
    if (domain[0] == 'y')
        memcpy(strrchr(record, '"'), "; t=y\"\n", sizeof("; t=y\"\n"));
    load(x, record);
}

static void signed_now(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    (void)user;
    (void)signer;
    assert_int_equal(status, 0);
}

static void sign(struct t_post *x, const char *domain, char *out, size_t cap)
{
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain = onward_str_of(domain),
                                              .selector = ONWARD_STR("s")};
    const struct onward_dkim_signer_host host = {.size = sizeof(host),
                                                 .done = signed_now};
    struct onward_dkim_signer *signer = NULL;
    struct onward_str field;

    assert_int_equal(onward_dkim_signer_new(x->signer, &o, &host, &signer), 0);
    assert_int_equal(
        onward_dkim_signer_feed(signer, MESSAGE, sizeof(MESSAGE) - 1), 0);
    assert_int_equal(onward_dkim_signer_finish(signer), 0);
    t_post_run(x);
    field = onward_dkim_signer_field(signer);
    snprintf(out, cap, "%.*s" MESSAGE, (int)field.len, field.data);
    onward_dkim_signer_free(signer);
}

static void run_row(struct t_post *x, const struct row *row)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct onward_srs *srs = x->opts.srs;
    char message[4096] = MESSAGE, ours[ONWARD_SRS_TEXT_MAX];
    const char *from = row->from, *want = row->want;

    assert_true(onward_srs_forward(srs, ONWARD_STR("ann@n.example"),
                                   ONWARD_STR("fwd.net"), ours,
                                   sizeof(ours)) > 0);
    if (strcmp(from, "%") == 0)
        from = ours;
    if (strcmp(want, "%") == 0)
        want = ours;
    if (row->signer != NULL)
        sign(x, row->signer, message, sizeof(message));
    if (row->flags & CHANGED)
        *strstr(message, "Hello") = 'h';
    x->client_ip = row->flags & STRANGER ? "192.0.2.10" : "192.0.2.9";
    x->opts.allow_unauthenticated = 1;
    if (row->flags & NO_SRS)
        x->opts.srs = NULL;
    assert_string_equal(t_post_send(x, from, "me@example.com", message), OK);
    x->opts.srs = srs;
    assert_int_equal(onward_relay_delivery_at(x->relay, 0, &d), 0);
    expect(row->name, d.notice_path, want);
}

static void test_whom_to_tell(void **state)
{
    static const char *const signers[] = {"n.example", "sub.n.example",
                                          "e.example", "y.example"};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = OK;
    x.opts.store = NULL; /* each is tried */
    load(&x, records);
    for (size_t i = 0; i < sizeof(signers) / sizeof(signers[0]); i++)
        publish(&x, signers[i]);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run_row(&x, &rows[i]);
    t_post_close(&x);
}

/* ---- What to pass on --------------------------------------------------- */

enum {
    NEVER = ONWARD_SMTP_NOTIFY_NEVER,
    SUCCESS = ONWARD_SMTP_NOTIFY_SUCCESS,
    FAILURE = ONWARD_SMTP_NOTIFY_FAILURE,
    DELAY = ONWARD_SMTP_NOTIFY_DELAY
};

static const struct passing {
    const char *name;
    const char *to[2];
    size_t notify[2];
    size_t want;
    const char
        *orcpt; /* of the first is "rfc822;a", of the second "rfc822;b" */
} passings[] = {
    {"one to one: as it came",
     {"me@example.com"},
     {SUCCESS | DELAY},
     SUCCESS | DELAY,
     "rfc822;a"},
    {"one to one, never", {"me@example.com"}, {NEVER}, NEVER, "rfc822;a"},
    {"one to one, not stated", {"me@example.com"}, {0}, 0, "rfc822;a"},
    {"an alias of three: no success",
     {"all@example.com"},
     {SUCCESS | FAILURE},
     FAILURE,
     "rfc822;a"},
    {"an alias, success alone: nothing else was wanted",
     {"all@example.com"},
     {SUCCESS},
     NEVER,
     "rfc822;a"},
    {"an alias, never", {"all@example.com"}, {NEVER}, NEVER, "rfc822;a"},
    {"an alias, not stated", {"all@example.com"}, {0}, 0, "rfc822;a"},
    {"two to one: what any of them asked for",
     {"me@example.com", "alias@example.com"},
     {NEVER, DELAY},
     DELAY,
     ""},
    {"two to one, one not stated",
     {"me@example.com", "alias@example.com"},
     {NEVER, 0},
     FAILURE | DELAY,
     ""},
    {"two to one, never both",
     {"me@example.com", "alias@example.com"},
     {NEVER, NEVER},
     NEVER,
     ""},
    {"two to one, neither stated",
     {"me@example.com", "alias@example.com"},
     {0, 0},
     0,
     ""},
    {"the same twice: the first counts",
     {"me@example.com", "me@example.com"},
     {FAILURE, NEVER},
     FAILURE,
     "rfc822;a"},
};

static void add(struct t_post *x, const struct passing *p, size_t i)
{
    const struct onward_relay_rcpt rcpt = {
        .size = sizeof(rcpt),
        .address = onward_str_of(p->to[i]),
        .notify = p->notify[i],
        .orcpt = i == 0 ? ONWARD_STR("rfc822;a") : ONWARD_STR("rfc822;b")};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    assert_int_equal(onward_relay_add_rcpt(x->relay, &rcpt, &reply), 1);
    assert_int_equal(reply.code, 250);
}

static void run_passing(struct t_post *x, const struct passing *p)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    t_post_reset(x);
    assert_int_equal(t_post_mail(x, "bob@n.example"), 0);
    for (size_t i = 0; i < 2 && p->to[i] != NULL; i++)
        add(x, p, i);
    assert_int_equal(t_post_data(x, MESSAGE), 0);
    for (size_t i = 0; i < onward_relay_delivery_count(x->relay); i++) {
        assert_int_equal(onward_relay_delivery_at(x->relay, i, &d), 0);
        if (d.notify != p->want)
            fail_msg("%s: %zu", p->name, d.notify);
        expect(p->name, d.orcpt, p->orcpt);
    }
}

static void test_what_is_passed_on(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = x.answers[1] = x.answers[2] = OK;
    for (size_t i = 0; i < sizeof(passings) / sizeof(passings[0]); i++)
        run_passing(&x, &passings[i]);
    t_post_close(&x);
}

/* ---- The rest ---------------------------------------------------------- */

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    (void)user;
    (void)token;
    (void)relay;
    (void)index;
    return -1;
}

static void done(void *user, struct onward_relay *relay)
{
    (void)user;
    (void)relay;
}

static void test_envelope_and_recipients(void **state)
{
    const struct onward_relay_host host = {
        .size = sizeof(host), .deliver = deliver, .done = done};
    struct onward_relay_envelope e = {.size = sizeof(e),
                                      .ret = ONWARD_SMTP_RET_HDRS + 1};
    struct onward_relay_rcpt rcpt = {.size = sizeof(rcpt)};
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    struct onward_relay *relay = NULL;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(onward_relay_new(x.desk, &x.opts, &e, &host, &relay),
                     ONWARD_EINVAL);
    assert_int_equal(t_post_mail(&x, "bob@n.example"), 0);
    rcpt.address = ONWARD_STR("me@Example.com");
    rcpt.notify = NEVER | DELAY;
    assert_int_equal(onward_relay_add_rcpt(x.relay, &rcpt, &reply),
                     ONWARD_EINVAL);
    rcpt.notify = 16;
    assert_int_equal(onward_relay_add_rcpt(x.relay, &rcpt, &reply),
                     ONWARD_EINVAL);
    rcpt.notify = SUCCESS;
    rcpt.orcpt = ONWARD_STR("rfc822;me+x@example.com");
    assert_int_equal(onward_relay_add_rcpt(x.relay, &rcpt, &reply), 1);
    rcpt = (struct onward_relay_rcpt){.size = sizeof(rcpt)};
    assert_int_equal(onward_relay_rcpt_at(x.relay, 0, &rcpt), 0);
    t_assert_str(rcpt.address, "me@example.com");
    t_assert_str(rcpt.orcpt, "rfc822;me+x@example.com");
    assert_int_equal(rcpt.notify, SUCCESS);
    assert_int_equal(onward_relay_rcpt_at(x.relay, 1, &rcpt), ONWARD_ENOENT);
    rcpt.size = 1;
    assert_int_equal(onward_relay_rcpt_at(x.relay, 0, &rcpt), ONWARD_EINVAL);
    t_post_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whom_to_tell),
        cmocka_unit_test(test_what_is_passed_on),
        cmocka_unit_test(test_envelope_and_recipients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
