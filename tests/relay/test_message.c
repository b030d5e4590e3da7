/* The message as it leaves: what is on top, what is cut, and that nothing else
 * changes. */
#include "relay/post.h"

/* ---- Without a seal, octet for octet ----------------------------------- */

#define OCTETS(literal)                                                        \
    {                                                                          \
        .data = ("" literal ""), .len = sizeof(literal) - 1                    \
    }

static const struct row {
    const char *name;
    struct onward_str message;
    struct onward_str want; /* below what is put on top */
} rows[] = {
    {"plain", OCTETS("From: ann@a.example\r\n\r\nHello.\r\n"), {0}},
    {"no line end at the end",
     OCTETS("From: ann@a.example\r\n\r\nHello."),
     {0}},
    {"no body", OCTETS("From: ann@a.example\r\n\r\n"), {0}},
    {"no empty line", OCTETS("From: ann@a.example\r\n"), {0}},
    {"cut in the header", OCTETS("From: ann@a.example"), {0}},
    {"octets of all kinds",
     OCTETS("From: ann@a.example\r\nx: \t \r\n\r\n\0\xff\r\r\n\n\x80 "
            "\r\n.\r\n..\r\n"),
     {0}},
    {"odd white space stays",
     OCTETS("From :\r\n ann@a.example\t\r\nSUBJECT:x\r\n\r\n\r\n \r\n\r\n"),
     {0}},
    {"results of others stay",
     OCTETS("Authentication-Results: mx.other.example; spf=pass\r\n"
            "From: ann@a.example\r\n\r\nx\r\n"),
     {0}},
    /* A077. */
    {"our results are cut, each of them",
     OCTETS(
         "Authentication-Results: mx.example.com; dkim=pass\r\n"
         "From: ann@a.example\r\n"
         "authentication-results:\r\n\t(c) MX.Example.com 1;\r\n dmarc=pass\r\n"
         "Authentication-Results: \"mx.example.com\"; spf=pass\r\n"
         "Authentication-Results: mx.other.example; spf=pass\r\n"
         "Authentication-Results : mx.example.com\r\n"
         "\r\nx\r\n"),
     OCTETS("From: ann@a.example\r\n"
            "Authentication-Results: mx.other.example; spf=pass\r\n"
            "\r\nx\r\n")},
    {"Received-SPF in our name is cut, others' stays",
     OCTETS("Received-SPF: pass (MX.example.com: ok) client-ip=192.0.2.1\r\n"
            "Received-SPF: pass receiver=mx.other.example;\r\n"
            "Received-SPF: pass\r\n receiver=\"mx.example.com\"\r\n"
            "From: ann@a.example\r\n\r\nx\r\n"),
     OCTETS("Received-SPF: pass receiver=mx.other.example;\r\n"
            "From: ann@a.example\r\n\r\nx\r\n")},
    {"what cannot be read and names us is cut",
     OCTETS("Authentication-Results: (mx.example.com; dkim=pass\r\n"
            "From: ann@a.example\r\n\r\nx\r\n"),
     OCTETS("From: ann@a.example\r\n\r\nx\r\n")},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str below = row->want.len == 0 ? row->message : row->want;
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct onward_str authres;
    struct t_post x;
    char top[2048];
    size_t len;

    t_post_open(&x);
    x.opts.signer = NULL;
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@EXAMPLE.com"), 1);
    assert_int_equal(t_post_rcpt(&x, "alias@example.com"), 1);
    assert_int_equal(t_post_data_n(&x, row->message.data, row->message.len), 0);
    assert_int_equal(x.asked_count, 1);
    authres = onward_verifier_authres(x.verifier);
    len = (size_t)snprintf(top, sizeof(top),
                           "Authentication-Results: %.*s\r\n"
                           "Delivered-To: me@example.com\r\n"
                           "Delivered-To: alias@example.com\r\n%s",
                           (int)authres.len, authres.data, T_POST_RECEIVED);
    t_post_sent(&x);
    assert_int_equal(onward_relay_delivery_at(x.relay, 0, &d), 0);
    assert_int_equal(d.source->len, len + below.len);
    assert_memory_equal(x.sent, top, len);
    assert_memory_equal(x.sent + len, below.data, below.len);
    t_post_close(&x);
}

/* ---- With a seal ------------------------------------------------------- */

/* The key that the relay seals with, as DNS would have it. */
static void publish(struct t_post *x)
{
    char p[800], record[1000];

    assert_true(
        onward_pubkey_to_p(onward_signer_public(x->signer), p, sizeof(p)) > 0);
    snprintf(record, sizeof(record),
             "arc._domainkey.example.com TXT \"v=DKIM1; k=ed25519; p=%s\"\n",
             p);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(record), NULL), 0);
}

static void keep_done(void *user, struct onward_arc_validator *validator)
{
    (void)validator;
    (*(int *)user)++;
}

static void check_chain(struct t_post *x, const char *message, size_t len,
                        size_t result, size_t instances)
{
    struct onward_arc_verdict verdict = {.size = sizeof(verdict)};
    struct onward_arc_validator *v = NULL;
    int count = 0;
    const struct onward_arc_validator_host host = {
        .size = sizeof(host), .user = &count, .done = keep_done};

    assert_int_equal(onward_arc_validator_new(x->resolver, NULL, &host, &v), 0);
    assert_int_equal(onward_arc_validator_feed(v, message, len), 0);
    assert_int_equal(onward_arc_validator_finish(v), 0);
    t_post_run(x);
    assert_int_equal(count, 1);
    assert_int_equal(onward_arc_validator_verdict(v, &verdict), 0);
    assert_int_equal(verdict.result, result);
    assert_int_equal(verdict.instances, instances);
    onward_arc_validator_free(v);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* The host changes who is in From: the copies have it, the rest does not. */
static void test_the_host_changes_fields(void **state)
{
    static const char message[] = "From: Ann <ann@a.example>\r\n"
                                  "Reply-To: x@a.example\r\n"
                                  "\r\nHello.\r\n";
    const struct onward_header *header;
    struct onward_edit *edit;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "250 2.0.0 Taken";
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    assert_null(onward_relay_edit(x.relay));
    assert_int_equal(onward_memory_source_new(x.w->ctx, message,
                                              strlen(message), &x.memory),
                     0);
    assert_int_equal(
        onward_verifier_feed(x.verifier, message, strlen(message)), 0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    t_post_run(&x);
    assert_int_equal(onward_relay_start(x.relay, x.verifier,
                                        onward_memory_source_table(x.memory),
                                        ONWARD_STR(T_POST_RECEIVED)),
                     0);
    edit = onward_relay_edit(x.relay);
    assert_non_null(edit);
    header = onward_verifier_header(x.verifier);
    assert_int_equal(
        onward_edit_replace(edit,
                            onward_header_first(header, ONWARD_STR("From")),
                            ONWARD_STR("Ann <ra-1@example.com>")),
        0);
    assert_int_equal(
        onward_edit_cut(edit,
                        onward_header_first(header, ONWARD_STR("Reply-To"))),
        0);
    t_post_run(&x);
    assert_null(onward_relay_edit(x.relay));
    assert_string_equal(t_post_reply(&x), "250 2.0.0 Taken");
    assert_non_null(strstr(t_post_sent(&x),
                           "From: Ann <ra-1@example.com>\r\n\r\nHello."));
    /* The verdict is of what came. */
    assert_non_null(strstr(t_post_sent(&x), "header.from=a.example"));
    t_post_close(&x);
}

static void test_a_seal_stands_on_top(void **state)
{
    const char *top = "Authentication-Results: mx.example.com;";
    struct onward_str authres;
    char want[2048];
    struct t_post x;

    (void)state;
    t_post_open(&x);
    publish(&x);
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    t_post_sent(&x);
    assert_memory_equal(x.sent, "ARC-Seal: ", 10);
    assert_int_equal(count_of(x.sent, "\nARC-Message-Signature: "), 1);
    assert_string_equal(strstr(x.sent, "\nFrom: ") + 1, t_post_plain);
    /* What is sealed is what we found, in the same words. */
    authres = onward_verifier_authres(x.verifier);
    assert_memory_equal(authres.data, top + 24, 15);
    snprintf(want, sizeof(want),
             "\r\nARC-Authentication-Results: i=1; mx.example.com;\r\n %.*s"
             "\r\nAuthentication-Results: %.*s\r\nDelivered-To: ",
             (int)authres.len - 18, authres.data + 18, (int)authres.len,
             authres.data);
    assert_non_null(strstr(x.sent, want));
    check_chain(&x, x.sent, strlen(x.sent), ONWARD_ARC_PASS, 1);
    t_post_close(&x);
}

static char *keep(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = malloc(len);

    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

static void test_a_chain_grows(void **state)
{
    struct t_post x;
    char *first;

    (void)state;
    t_post_open(&x);
    publish(&x);
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    first = keep(t_post_sent(&x));
    t_post_send(&x, "ann@a.example", "all@example.com", first);
    t_post_sent(&x);
    assert_int_equal(count_of(x.sent, "ARC-Seal:"), 2);
    assert_int_equal(count_of(x.sent, "\nAuthentication-Results:"), 1);
    check_chain(&x, x.sent, strlen(x.sent), ONWARD_ARC_PASS, 2);
    /* A broken chain is sealed once more, as broken, and then never again. */
    strstr(first, "Hello")[0] = 'h';
    t_post_send(&x, "ann@a.example", "all@example.com", first);
    free(first);
    first = keep(t_post_sent(&x));
    assert_int_equal(count_of(first, "ARC-Seal:"), 2);
    assert_int_equal(count_of(first, "cv=fail"), 1);
    check_chain(&x, first, strlen(first), ONWARD_ARC_FAIL, 2);
    strstr(first, "Delivered-To: all")[0] = 'X'; /* no loop */
    t_post_send(&x, "ann@a.example", "all@example.com", first);
    t_post_sent(&x);
    assert_int_equal(count_of(x.sent, "ARC-Seal:"), 2);
    free(first);
    t_post_close(&x);
}

/* A chain that fails because DNS is silent must not be sealed as broken. */
static void test_a_silent_dns_defers(void **state)
{
    static const char silent[] = "arc._domainkey.example.com TXT !SERVFAIL\n";
    struct t_post x;
    char *first;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    first = keep(t_post_sent(&x));
    assert_int_equal(
        onward_resolver_load(x.resolver, onward_str_of(silent), NULL), 0);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "all@example.com", first),
        "451 4.4.3 ARC cannot be checked now");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_CHAIN);
    free(first);
    t_post_close(&x);
}

/* ---- Sources and keys ---------------------------------------------------- */

static int fail_to_read(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    (void)user;
    (void)offset;
    (void)buf;
    (void)cap;
    (void)got;
    return ONWARD_ECALLBACK;
}

/* The verifier has hashed the body; only deliveries read it. */
static void test_sealing_does_not_read_the_source(void **state)
{
    const struct onward_source source = {.size = sizeof(source),
                                         .len = strlen(t_post_plain),
                                         .read = fail_to_read};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    publish(&x);
    x.source = &source;
    t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain);
    assert_int_equal(x.asked_count, 1);
    x.source = NULL;
    t_post_close(&x);
}

static int refuse_to_sign(void *user,
                          const struct onward_sign_question *question)
{
    (void)user;
    (void)question;
    return -1;
}

static void test_a_key_that_fails(void **state)
{
    const struct onward_signer_host host = {.size = sizeof(host),
                                            .sign = refuse_to_sign};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(onward_signer_new_host(x.desk,
                                            onward_signer_public(x.signer),
                                            &host, NULL, &x.opts.signer),
                     0);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain),
        "451 4.3.0 Local error, try again later");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_SEAL);
    onward_signer_free(x.opts.signer);
    t_post_close(&x);
}

static int free_instead(void *user, const struct onward_sign_question *question)
{
    struct t_post *x = user;
    struct onward_relay *relay = x->relay;

    (void)question;
    x->relay = NULL;
    onward_relay_free(relay);
    return 0;
}

static void test_free_inside_the_key(void **state)
{
    struct t_post x;
    const struct onward_signer_host host = {
        .size = sizeof(host), .user = &x, .sign = free_instead};

    (void)state;
    t_post_open(&x);
    assert_int_equal(onward_signer_new_host(x.desk,
                                            onward_signer_public(x.signer),
                                            &host, NULL, &x.opts.signer),
                     0);
    assert_string_equal(
        t_post_send(&x, "ann@a.example", "me@example.com", t_post_plain),
        "freed");
    assert_int_equal(x.asked_count, 0);
    assert_int_equal(x.done, 0);
    onward_signer_free(x.opts.signer);
    t_post_close(&x);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest row_tests[ROWS];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_host_changes_fields),
        cmocka_unit_test(test_a_seal_stands_on_top),
        cmocka_unit_test(test_a_chain_grows),
        cmocka_unit_test(test_a_silent_dns_defers),
        cmocka_unit_test(test_sealing_does_not_read_the_source),
        cmocka_unit_test(test_a_key_that_fails),
        cmocka_unit_test(test_free_inside_the_key),
    };
    int failed;

    for (size_t i = 0; i < ROWS; i++)
        row_tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    failed = cmocka_run_group_tests(row_tests, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
